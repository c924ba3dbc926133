//! Counts of values of which there may be any number, in a fixed amount of memory.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// How often each of the first few different values came.
#[derive(Debug, Clone)]
pub struct Tally<T> {
    counts: BTreeMap<T, u64>,
    others: u64,
}

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), others: 0 }
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
        let room = self.counts.len() < Self::KEPT;
        match self.counts.get_mut(value) {
            Some(count) => *count += times,
            None if room => {
                self.counts.insert(value.to_owned(), times);
            }
            None => self.others += times,
        }
    }

    /// Takes in the counts of another one.
    pub fn merge(&mut self, other: &Self) {
        for (value, count) in &other.counts {
            self.add_many(value, *count);
        }
        self.others += other.others;
    }

    /// The values with their counts, most frequent first.
    #[must_use]
    pub fn by_count(&self) -> Vec<(&T, u64)> {
        let mut values: Vec<_> = self.counts.iter().map(|(value, count)| (value, *count)).collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
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
        self.counts.values().sum::<u64>() + self.others
    }

    /// How often values came that are not kept.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }

    /// How often a value came.
    #[must_use]
    pub fn of(&self, value: &T) -> u64 {
        self.counts.get(value).copied().unwrap_or(0)
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
