//! The ways that connections have taken through the conditions of the rules, remembered.
//!
//! Which condition is tested next depends on the answers so far alone. So those that were tested, with what became of each,
//! are a path in a tree, and the verdict is at its end. A connection like one before is led along its path and tests nothing
//! but what is on it; where it takes a turn that none took before, the rules are asked, and the path is added.
//!
//! Bounded: [`Paths::STEPS`] conditions on all paths; then all are forgotten, and learned again.

use super::conditions::{Truth, holds};
use super::verdict::{Place, Verdict};
use crate::catalog::rules::RuleSet;
use crate::evidence::Facts;
use std::sync::Arc;

/// The paths that are known, of one set of rules.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    first: Next,
    steps: Vec<Step>,
    verdicts: Vec<Arc<Verdict>>,
}

/// A condition to test, and where that leads.
#[derive(Debug)]
struct Step {
    place: Place,
    next: [Next; 3],
}

#[derive(Debug, Clone, Copy, Default)]
enum Next {
    /// None has come here.
    #[default]
    Unknown,
    /// The step of this number.
    Step(u32),
    /// The verdict of this number.
    Verdict(u32),
}

impl Paths {
    /// Conditions on all paths.
    const STEPS: usize = 1 << 15;

    /// Leads a connection along its path, reading the facts on it; `None` where that is not known to its end.
    pub(super) fn follow(&self, rules: &RuleSet, facts: &mut Facts) -> Option<Arc<Verdict>> {
        let mut next = self.first;
        loop {
            match next {
                Next::Unknown => return None,
                Next::Verdict(number) => return self.verdicts.get(number as usize).cloned(),
                Next::Step(number) => {
                    let step = self.steps.get(number as usize)?;
                    let condition = step.place.find(rules)?;
                    facts.read(condition.fact);
                    condition.other_fact().into_iter().for_each(|other| facts.read(other));
                    next = step.next[turn(holds(condition, facts))];
                }
            }
        }
    }

    /// Asks the rules, and adds the path.
    pub(super) fn learn(&mut self, rules: &RuleSet, facts: &Facts) -> Arc<Verdict> {
        let mut path: Vec<(Place, Truth)> = Vec::new();
        let verdict = Arc::new(Verdict::of(rules, |place, condition| {
            let truth = holds(condition, facts);
            path.push((place, truth));
            truth
        }));
        if self.steps.len() + path.len() > Self::STEPS {
            *self = Self::default();
        }
        self.add(&path, Arc::clone(&verdict));
        verdict
    }

    fn add(&mut self, path: &[(Place, Truth)], verdict: Arc<Verdict>) {
        // What the step before leads to, to be changed where that is not known.
        let mut from: Option<(usize, usize)> = None;
        for (place, truth) in path {
            let known = self.next(from);
            let number = match *known {
                Next::Step(number) => number as usize,
                Next::Unknown | Next::Verdict(_) => {
                    let number = self.steps.len();
                    *self.next(from) = Next::Step(number as u32);
                    self.steps.push(Step { place: *place, next: [Next::Unknown; 3] });
                    number
                }
            };
            from = Some((number, turn(*truth)));
        }
        *self.next(from) = Next::Verdict(self.verdicts.len() as u32);
        self.verdicts.push(verdict);
    }

    fn next(&mut self, from: Option<(usize, usize)>) -> &mut Next {
        match from {
            None => &mut self.first,
            Some((step, turn)) => &mut self.steps[step].next[turn],
        }
    }
}

fn turn(truth: Truth) -> usize {
    match truth {
        Truth::Yes => 0,
        Truth::No => 1,
        Truth::Open => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnose;
    use super::*;
    use crate::evidence::{FactId, Known, PacketRefs, WhyUnknown};

    /// The facts of all rules' examples, each also with one that nobody knows.
    fn all_facts(rules: &RuleSet) -> Vec<Facts> {
        let hidden =
            [None, FactId::by_name("close.code"), FactId::by_name("end.tcp"), FactId::by_name("end.silence_s")];
        let examples = rules.iter().flat_map(|rule| &rule.examples);
        let of = |example: &crate::catalog::rules::Example| {
            let mut all = Vec::new();
            for hidden in hidden {
                let mut facts = example.facts();
                if let Some(fact) = hidden {
                    facts.set(fact, Known::Unknown(WhyUnknown::Gap), PacketRefs::default());
                }
                all.push(facts);
            }
            all
        };
        examples.flat_map(of).collect()
    }

    #[test]
    fn whoever_went_before_the_diagnosis_is_the_same() {
        let rules = RuleSet::builtin().expect("shipped");
        let told = |diagnosis| format!("{diagnosis:?}");
        let mut paths = Paths::default();
        let all = all_facts(&rules);
        for facts in &all {
            let first = told(paths.diagnose(&rules, &mut facts.clone()));
            let known = paths.verdicts.len();
            let again = told(paths.diagnose(&rules, &mut facts.clone()));
            assert_eq!(paths.verdicts.len(), known, "the path is known");
            assert_eq!((&first, &again), (&told(diagnose(&rules, facts)), &first));
        }
        assert!(paths.steps.len() <= Paths::STEPS);
    }
}
