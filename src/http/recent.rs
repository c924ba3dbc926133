//! A few things that come again and again, the most frequent ones first.

/// Bounded, and looked through from its start: what is found moves one place ahead, and a new one takes the last place.
#[derive(Debug)]
pub(super) struct Recent<T>(Vec<T>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Recent<T> {
    /// Things that are kept.
    pub(super) const MOST: usize = 64;

    /// The first that fits, and what its fit comes to.
    pub(super) fn find<R>(&mut self, fit: impl Fn(&T) -> Option<R>) -> Option<(&T, R)> {
        let (at, found) = self.0.iter().enumerate().find_map(|(at, each)| Some((at, fit(each)?)))?;
        let ahead = at.saturating_sub(1);
        self.0.swap(ahead, at);
        Some((&self.0[ahead], found))
    }

    /// Keeps a new one.
    pub(super) fn add(&mut self, new: T) {
        self.0.truncate(Self::MOST - 1);
        self.0.push(new);
    }

    /// All of them.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_often_moves_ahead_and_stays() {
        let mut recent = Recent::default();
        recent.add(7);
        for number in 100..300 {
            recent.add(number);
            assert!(recent.find(|each| (*each == 7).then_some(())).is_some());
        }
        assert_eq!((recent.iter().count(), recent.iter().next()), (Recent::<i32>::MOST, Some(&7)));
        assert!(recent.find(|each| (*each == 298).then_some(())).is_none(), "it came once, and others after it");
    }
}
