//! Boxes for what a connection needs only in the middle of a frame or message, so that frames in order allocate nothing and
//! idle connections keep nothing.

/// A few boxes that were given back.
pub(super) struct Pool<T>(Vec<Box<T>>);

impl<T> Pool<T> {
    /// More are freed.
    const MOST: usize = 16;

    /// The value in a box that was given back, or in a new one.
    pub(super) fn boxed(&mut self, value: T) -> Box<T> {
        match self.0.pop() {
            Some(mut used) => {
                *used = value;
                used
            }
            None => Box::new(value),
        }
    }

    /// Keeps a box for later.
    pub(super) fn give(&mut self, used: Box<T>) {
        if self.0.len() < Self::MOST {
            self.0.push(used);
        }
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Vec::with_capacity(Self::MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_used_again_and_few_are_kept() {
        let mut pool = Pool::default();
        let first = pool.boxed(1);
        let place = std::ptr::from_ref(&*first);
        pool.give(first);
        let again = pool.boxed(2);
        assert_eq!((std::ptr::from_ref(&*again), *again), (place, 2));
        (0..100).for_each(|value| pool.give(Box::new(value)));
        assert_eq!(pool.0.len(), Pool::<i32>::MOST);
    }
}
