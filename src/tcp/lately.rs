//! What came last, found by a key.
//!
//! Most of it is never looked for. So it is written in a row, and indexed only as far as somebody looks for something.

use std::ops::{Index, IndexMut};

/// The last [`KEPT`](Self::KEPT) of some values; a ring, as soon as it is full.
#[derive(Debug)]
pub(super) struct Lately<T> {
    ring: Vec<T>,
    /// Where the next one goes.
    next: usize,
    /// Those before `next` that the index lacks.
    unindexed: usize,
    /// By key, places in the ring. What stands there may have another key by now. Empty until needed.
    index: Vec<u32>,
}

/// What has a key: a hash, most of whose bits are as good as random.
pub(super) trait Keyed {
    /// The same for what is looked for.
    fn key(&self) -> u64;
}

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self { ring: Vec::new(), next: 0, unindexed: 0, index: Vec::new() }
    }
}

impl<T: Keyed> Lately<T> {
    /// Values kept; a power of two.
    pub(super) const KEPT: usize = 1 << 13;

    /// Where the next value goes.
    pub(super) fn next(&self) -> usize {
        self.next
    }

    /// The value that the next one takes the place of.
    #[inline]
    pub(super) fn oldest(&self) -> Option<&T> {
        self.ring.get(self.next)
    }

    /// Keeps a value, perhaps instead of the oldest one.
    #[inline(always)]
    pub(super) fn push(&mut self, value: T) {
        match self.ring.get_mut(self.next) {
            Some(oldest) => *oldest = value,
            None => {
                self.make_room();
                self.ring.push(value);
            }
        }
        self.next = (self.next + 1) % Self::KEPT;
        self.unindexed = (self.unindexed + 1).min(Self::KEPT);
    }

    #[cold]
    fn make_room(&mut self) {
        if self.ring.is_empty() {
            self.ring.reserve_exact(Self::KEPT);
        }
    }

    /// The place of the last value with this key, unless it was pushed out, or hidden by one with nearly the same key.
    pub(super) fn find(&mut self, key: u64) -> Option<usize> {
        if self.index.is_empty() {
            self.index = vec![0; Self::KEPT];
        }
        for behind in (1..=self.unindexed).rev() {
            let place = (self.next + Self::KEPT - behind) % Self::KEPT;
            // There are fewer places than fit.
            self.index[self.ring[place].key() as usize % Self::KEPT] = place as u32;
        }
        self.unindexed = 0;
        let place = self.index[key as usize % Self::KEPT] as usize;
        self.ring.get(place).filter(|value| value.key() == key).map(|_| place)
    }
}

impl<T> Index<usize> for Lately<T> {
    type Output = T;
    fn index(&self, place: usize) -> &T {
        &self.ring[place]
    }
}

impl<T> IndexMut<usize> for Lately<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.ring[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Value {
        key: u64,
        at: usize,
    }

    impl Keyed for Value {
        fn key(&self) -> u64 {
            self.key
        }
    }

    #[test]
    fn the_last_ones_are_found_and_older_ones_are_gone() {
        const KEPT: usize = Lately::<Value>::KEPT;
        let mut lately = Lately::default();
        let key = |at: usize| (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        for at in 0..3 * KEPT {
            lately.push(Value { key: key(at), at });
            let behind = at % 1000;
            if at % 7 == 0
                && let Some(found) = lately.find(key(at - behind))
            {
                assert_eq!(lately[found].at, at - behind);
            }
            assert!(lately.find(u64::MAX).is_none());
        }
        let last = 3 * KEPT - 1;
        assert_eq!(lately.find(key(last)).map(|place| lately[place].at), Some(last));
        assert!((0..2 * KEPT).all(|at| lately.find(key(at)).is_none()));
        let found = (2 * KEPT..3 * KEPT).filter(|&at| lately.find(key(at)).is_some()).count();
        assert!(found > KEPT / 2, "{found}");
        assert_eq!((lately.ring.len(), lately.oldest().map(|value| value.at)), (KEPT, Some(2 * KEPT)));
    }

    #[test]
    fn of_two_with_one_key_the_later_is_found() {
        let mut lately = Lately::default();
        for at in 0..5 {
            lately.push(Value { key: 42, at });
        }
        assert_eq!(lately.find(42).map(|place| lately[place].at), Some(4));
    }
}
