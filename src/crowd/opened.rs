//! The connections of one host that are open.

use crate::units::Timestamp;
use std::collections::BTreeSet;

/// With more than so many, a list would be slow to change.
const FEW: usize = 8;

/// The open connections of one host, by the time since which they are and their flow, the oldest first. Most hosts have few.
#[derive(Debug)]
pub(super) enum Opened {
    Few(Vec<(Timestamp, u64)>),
    Many(BTreeSet<(Timestamp, u64)>),
}

impl Default for Opened {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Opened {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(tree) => tree.len(),
        }
    }

    pub(super) fn insert(&mut self, since: Timestamp, flow: u64) {
        match self {
            Self::Few(list) => {
                let Err(at) = list.binary_search(&(since, flow)) else { return };
                if list.len() == list.capacity() {
                    list.reserve_exact(list.len().max(1));
                }
                list.insert(at, (since, flow));
                if list.len() > FEW {
                    *self = Self::Many(std::mem::take(list).into_iter().collect());
                }
            }
            Self::Many(tree) => drop(tree.insert((since, flow))),
        }
    }

    /// One is open no more. When none is, this takes no memory.
    pub(super) fn remove(&mut self, since: Timestamp, flow: u64) {
        match self {
            Self::Few(list) => {
                if let Ok(at) = list.binary_search(&(since, flow)) {
                    list.remove(at);
                }
            }
            Self::Many(tree) => drop(tree.remove(&(since, flow))),
        }
        if self.len() == 0 {
            *self = Self::default();
        }
    }

    /// The oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Timestamp, u64)> {
        let (few, many) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Many(tree) => (None, Some(tree)),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_in_order_and_go_one_by_one() {
        let time = |second: u64| Timestamp::from_nanos(second as i64);
        for most in [1, 7, 8, 9, 100] {
            let mut opened = Opened::default();
            let entries = || (0..most).map(|at| (at * 37 % 101 / 2, at));
            for (second, flow) in entries() {
                opened.insert(time(second), flow);
                opened.insert(time(second), flow);
            }
            let mut expected: Vec<_> = entries().map(|(second, flow)| (time(second), flow)).collect();
            expected.sort_unstable();
            assert!(opened.iter().eq(&expected), "{most}");
            opened.remove(time(3), most);
            for (left, (second, flow)) in (0..most).rev().zip(entries()) {
                opened.remove(time(second), flow);
                expected.retain(|entry| *entry != (time(second), flow));
                assert_eq!(opened.len() as u64, left);
                assert!(opened.iter().eq(&expected));
            }
            assert!(matches!(opened, Opened::Few(list) if list.capacity() == 0));
        }
    }
}
