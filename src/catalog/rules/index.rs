//! Rules by what they ask: each condition once, however many rules share it, with the rules that stand or fall with it.

use super::{Condition, Rule};
use crate::evidence::FactId;
use std::collections::BTreeMap;

/// A set of rules, by their position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Positions(Box<[u64]>);

impl Positions {
    /// None of so many rules.
    #[must_use]
    pub fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)].into())
    }

    /// All of so many rules.
    #[must_use]
    pub fn all(count: usize) -> Self {
        let rest = |word: usize| u64::MAX >> (64 - (count - word * 64).min(64));
        Self((0..count.div_ceil(64)).map(rest).collect())
    }

    /// Adds one.
    pub fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// Whether it is there.
    #[must_use]
    pub fn contains(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Whether both have one in common.
    #[must_use]
    #[inline]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, other)| one & other != 0)
    }

    /// How many both have in common.
    #[must_use]
    pub fn common(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(one, other)| (one & other).count_ones()).sum()
    }

    /// Adds those of another set.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one |= other);
    }

    /// Takes those of another set away.
    #[inline]
    pub fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one &= !other);
    }

    /// Keeps only those of another set.
    pub fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one &= other);
    }

    /// Their positions, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let rest = std::iter::successors(Some(*word), |rest| Some(rest & rest.wrapping_sub(1)));
            rest.take_while(|rest| *rest != 0).map(move |rest| index * 64 + rest.trailing_zeros() as usize)
        })
    }
}

/// All that rules ask of one fact.
#[derive(Debug, Clone)]
pub struct Question {
    /// The rules that ask.
    pub asked_by: Positions,
    /// What they demand, and which of them do.
    pub conditions: Vec<(Condition, Positions)>,
}

impl Question {
    /// Whether tables must be searched for the answer.
    #[must_use]
    pub fn is_looked_up(&self) -> bool {
        self.conditions.iter().any(|(condition, _)| condition.fact.fact().is_looked_up)
    }
}

/// What the rules ask, in the usual order: what decides most rules goes first, and what tables must be searched for goes
/// last.
pub(super) fn questions(rules: &[Rule]) -> Vec<Question> {
    let mut by_fact: BTreeMap<FactId, Question> = BTreeMap::new();
    for (at, rule) in rules.iter().enumerate() {
        for condition in &rule.conditions {
            let none = || Positions::none(rules.len());
            let new = || Question { asked_by: none(), conditions: Vec::new() };
            let question = by_fact.entry(condition.fact).or_insert_with(new);
            question.asked_by.insert(at);
            match question.conditions.iter_mut().find(|(known, _)| known == condition) {
                Some((_, rules)) => rules.insert(at),
                None => {
                    let mut alone = none();
                    alone.insert(at);
                    question.conditions.push((condition.clone(), alone));
                }
            }
        }
    }
    let mut questions: Vec<Question> = by_fact.into_values().collect();
    questions
        .sort_by_cached_key(|question| (question.is_looked_up(), std::cmp::Reverse(question.asked_by.iter().count())));
    questions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_a_set() {
        let mut some = Positions::none(130);
        [0, 63, 64, 129].into_iter().for_each(|at| some.insert(at));
        assert_eq!(some.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert!(some.contains(129) && !some.contains(1) && !some.contains(100_000));
        let mut all = Positions::all(130);
        assert_eq!((all.iter().count(), all.common(&some)), (130, 4));
        all.remove(&some);
        assert!(!all.meets(&some) && !all.contains(64) && all.contains(65));
        all.add(&some);
        all.keep(&some);
        assert_eq!(all, some);
    }
}
