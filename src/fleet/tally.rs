//! Counts of values of which there may be any number, in a fixed amount of memory.

use std::borrow::Borrow;

/// Makes room for one more in a list of which there are many, nearly all of them short.
pub(super) fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 2 + 1);
    }
}

/// How often each of the first few different values came.
#[derive(Debug, Clone)]
pub struct Tally<T> {
    /// What came often is near the front, where it is found soon.
    counts: Vec<(T, u64)>,
    others: u64,
}

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self { counts: Vec::new(), others: 0 }
    }
}

impl<T: Ord + Clone> Tally<T> {
    /// Different values kept.
    pub const KEPT: usize = 16;

    /// Counts a value.
    pub fn add<Q>(&mut self, value: &Q)
    where
        T: Borrow<Q>,
        Q: Ord + ToOwned<Owned = T> + ?Sized,
    {
        self.add_many(value, 1);
    }

    /// Counts a value several times.
    pub fn add_many<Q>(&mut self, value: &Q, times: u64)
    where
        T: Borrow<Q>,
        Q: Ord + ToOwned<Owned = T> + ?Sized,
    {
        match self.counts.iter().position(|(known, _)| known.borrow() == value) {
            Some(at) => {
                self.counts[at].1 += times;
                if at > 0 && self.counts[at].1 > self.counts[at - 1].1 {
                    self.counts.swap(at, at - 1);
                }
            }
            None if self.counts.len() < Self::KEPT => {
                make_room(&mut self.counts);
                self.counts.push((value.to_owned(), times));
            }
            None => self.others += times,
        }
    }

    /// Takes in the counts of another one.
    pub fn merge(&mut self, other: &Self) {
        let mut counts: Vec<&(T, u64)> = other.counts.iter().collect();
        counts.sort_by_key(|(value, _)| value);
        for (value, count) in counts {
            self.add_many(value, *count);
        }
        self.others += other.others;
    }

    /// The values with their counts, most frequent first; of those that are as frequent, the least first.
    #[must_use]
    pub fn by_count(&self) -> Vec<(&T, u64)> {
        let mut values: Vec<_> = self.counts.iter().map(|(value, count)| (value, *count)).collect();
        values.sort_by_key(|(value, count)| (std::cmp::Reverse(*count), *value));
        values
    }

    /// The most frequent value.
    #[must_use]
    pub fn most(&self) -> Option<(&T, u64)> {
        self.by_count().into_iter().next()
    }

    /// All that was counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum::<u64>() + self.others
    }

    /// How often values came that are not kept.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }

    /// How often a value came.
    #[must_use]
    pub fn of(&self, value: &T) -> u64 {
        self.counts.iter().find(|(known, _)| known == value).map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_are_told_apart() {
        let mut tally = Tally::default();
        (0..100u32).for_each(|value| tally.add(&value));
        tally.add_many(&3, 5);
        assert_eq!((tally.most(), tally.by_count().len()), (Some((&3, 6)), Tally::<u32>::KEPT));
        assert_eq!((tally.others(), tally.total(), tally.of(&99)), (84, 105, 0));
    }
}
