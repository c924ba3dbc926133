//! The ways that connections have taken through the conditions of the rules, remembered.
//!
//! Which condition is tested next depends on the answers so far alone. So those that were tested, with what became of each,
//! are a path in a tree, and the verdict is at its end. A connection like one before is led along its path and tests nothing
//! but what is on it; where it takes a turn that none took before, the rules are asked, and the path is added.
//! Of a fact that can have few values, the value alone says how all that is asked of it is answered.
//!
//! Bounded: [`Paths::STEPS`] steps on all paths, [`Paths::VALUES`] values at each; then all paths are forgotten, and learned
//! again, and further values are tested.

use super::conditions::{Truth, holds};
use super::verdict::{Place, Verdict};
use crate::catalog::rules::{RuleSet, Test};
use crate::evidence::{FactId, FactType, Facts, Known, Value};
use std::sync::Arc;

/// The paths that are known, of one set of rules.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    first: Next,
    steps: Vec<Step>,
    verdicts: Vec<Arc<Verdict>>,
}

/// What is asked, and where the answers lead.
#[derive(Debug)]
enum Step {
    /// The value of a fact.
    Value { fact: FactId, known: Vec<(Known<Value>, Next)>, others: Next },
    /// Whether a condition holds.
    Test { place: Place, next: [Next; 3] },
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

/// Where a path goes on: from its beginning, or from a step of this number by one of its answers.
#[derive(Debug, Clone, Copy)]
enum From {
    Beginning,
    Value(usize, usize),
    OtherValues(usize),
    Test(usize, usize),
}

impl Paths {
    /// Steps on all paths.
    const STEPS: usize = 1 << 15;

    /// Values of one fact that are told apart at one step.
    const VALUES: usize = 16;

    /// Leads a connection along its path, reading the facts on it; `None` where that is not known to its end.
    pub(super) fn follow(&self, rules: &RuleSet, facts: &mut Facts) -> Option<Arc<Verdict>> {
        let mut next = self.first;
        loop {
            let step = match next {
                Next::Unknown => return None,
                Next::Verdict(number) => return self.verdicts.get(number as usize).cloned(),
                Next::Step(number) => self.steps.get(number as usize)?,
            };
            next = match step {
                Step::Value { fact, known, others } => {
                    facts.read(*fact);
                    let value = facts.get(*fact);
                    known.iter().find(|(known, _)| is_same(known, value)).map_or(*others, |(_, next)| *next)
                }
                Step::Test { place, next } => {
                    let condition = place.find(rules)?;
                    facts.read(condition.fact);
                    condition.other_fact().into_iter().for_each(|other| facts.read(other));
                    next[turn(holds(condition, facts))]
                }
            };
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
        // As many steps as answers, and no more facts than that.
        if self.steps.len() + 2 * path.len() > Self::STEPS {
            *self = Self::default();
        }
        let mut from = From::Beginning;
        for answers in path.chunk_by(|(one, _), (other, _)| one.is_beside(*other)) {
            if let Some(fact) = fact_of_few_values(rules, answers[0].0) {
                let new = || Step::Value { fact, known: Vec::new(), others: Next::Unknown };
                let step = self.step(from, new);
                if let Some(place) = self.value(step, facts.get(fact)) {
                    from = From::Value(step, place);
                    continue;
                }
                from = From::OtherValues(step);
            }
            for (place, truth) in answers {
                let step = self.step(from, || Step::Test { place: *place, next: [Next::Unknown; 3] });
                from = From::Test(step, turn(*truth));
            }
        }
        let number = self.verdicts.len() as u32;
        if let Some(next) = self.next(from) {
            *next = Next::Verdict(number);
        }
        self.verdicts.push(Arc::clone(&verdict));
        verdict
    }

    /// The number of the step that comes next, which is added where there is none.
    fn step(&mut self, from: From, new: impl FnOnce() -> Step) -> usize {
        let added = self.steps.len();
        match self.next(from) {
            Some(Next::Step(number)) => return *number as usize,
            Some(next) => *next = Next::Step(added as u32),
            None => {}
        }
        self.steps.push(new());
        added
    }

    /// The place of a value at a step, where it is added; `None` when there are too many.
    fn value(&mut self, step: usize, value: &Known<Value>) -> Option<usize> {
        let Some(Step::Value { known, .. }) = self.steps.get_mut(step) else { return None };
        let place = known.iter().position(|(known, _)| is_same(known, value));
        if place.is_none() && known.len() < Self::VALUES {
            known.push((value.clone(), Next::Unknown));
            return Some(known.len() - 1);
        }
        place
    }

    fn next(&mut self, from: From) -> Option<&mut Next> {
        match from {
            From::Beginning => Some(&mut self.first),
            From::Value(step, place) => match self.steps.get_mut(step)? {
                Step::Value { known, .. } => known.get_mut(place).map(|(_, next)| next),
                Step::Test { .. } => None,
            },
            From::OtherValues(step) => match self.steps.get_mut(step)? {
                Step::Value { others, .. } => Some(others),
                Step::Test { .. } => None,
            },
            From::Test(step, turn) => match self.steps.get_mut(step)? {
                Step::Test { next, .. } => next.get_mut(turn),
                Step::Value { .. } => None,
            },
        }
    }
}

/// Whether two answers to one fact say the same to any condition: why something is unknown makes no difference.
fn is_same(one: &Known<Value>, other: &Known<Value>) -> bool {
    matches!((one, other), (Known::Unknown(_), Known::Unknown(_))) || one == other
}

/// The fact that a question asks about, if its value has to be one of a few to make a difference.
fn fact_of_few_values(rules: &RuleSet, place: Place) -> Option<FactId> {
    let Place::Question(question, _) = place else { return None };
    let conditions = &rules.questions().get(question as usize)?.conditions;
    let (fact, ty) = conditions.first().map(|(condition, _)| (condition.fact, condition.fact.ty()))?;
    let few = |test: &Test| match test {
        Test::AnyOf(_) | Test::NoneOf(_) | Test::Absent => true,
        Test::AtLeast(_) | Test::SameAs(_) | Test::DiffersFrom(_) => false,
        _ => matches!(ty, FactType::Bool | FactType::Enum(_)),
    };
    let has_few = matches!(ty, FactType::Bool | FactType::Enum(_) | FactType::Int);
    (has_few && conditions.iter().all(|(condition, _)| few(&condition.test))).then_some(fact)
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
    use crate::evidence::{PacketRefs, WhyUnknown};

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
