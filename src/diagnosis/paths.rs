//! The ways that connections have taken through the conditions of the rules, remembered.
//!
//! Whatever is asked first, the rules come to the same verdict. So what was asked, with the answers, is a path in a tree, and
//! the verdict is at its end. A connection like one before is led along its path and asks nothing but what is on it. Where it
//! takes a turn that none took before, its path goes on with what refutes most rules for the least effort, as its own
//! facts have it: those that come after it are like it, and a few questions are enough for them.
//! Where a fact can have few values, or was not seen, the answer alone says how all that is asked of it is answered.
//!
//! Bounded: [`Paths::STEPS`] steps on all paths, [`Paths::VALUES`] values at each; then all paths are forgotten, and learned
//! again, and further values are tested.

use super::conditions::{Truth, holds};
use super::verdict::{Place, Verdict, Witness, to_ask};
use crate::catalog::rules::{Condition, Positions, Question, RuleSet, Test};
use crate::evidence::{FactId, FactType, Facts, Known, Value};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
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
    /// The answer to a question, by its number.
    Value { question: u32, fact: FactId, known: Vec<(Known<Value>, Next)>, others: Next },
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
                Step::Value { fact, known, others, .. } => {
                    let value = &facts.read(*fact).value;
                    known.iter().find(|(known, _)| is_same(known, value)).map_or(*others, |(_, next)| *next)
                }
                Step::Test { place, next } => {
                    let condition = place.find(rules)?;
                    facts.read(condition.fact);
                    if let Some(other) = condition.other_fact() {
                        facts.read(other);
                    }
                    next[turn(holds(condition, facts))]
                }
            };
        }
    }

    /// Asks the rules, and adds the path.
    pub(super) fn learn(&mut self, rules: &RuleSet, facts: &Facts) -> Arc<Verdict> {
        if self.steps.len() + longest_path(rules) > Self::STEPS {
            *self = Self::default();
        }
        let mut learner = Learner { paths: self, rules, facts, from: From::Beginning, is_told: false, ranking: None };
        let verdict = Arc::new(Verdict::of(rules, &mut learner));
        let (from, number) = (learner.from, self.verdicts.len() as u32);
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
        if added == self.steps.capacity() {
            self.steps.reserve_exact(added / 4 + 64);
        }
        self.steps.push(new());
        added
    }

    /// The place of a value at a step, where it is added; `None` when there are too many.
    fn value(&mut self, step: usize, value: &Known<Value>) -> Option<usize> {
        let Some(Step::Value { known, .. }) = self.steps.get_mut(step) else { return None };
        let place = known.iter().position(|(known, _)| is_same(known, value));
        if place.is_none() && known.len() < Self::VALUES {
            // Nearly all steps have one.
            known.reserve_exact(1);
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

/// Goes along a path as one connection does, and adds what is not there.
struct Learner<'a> {
    paths: &'a mut Paths,
    rules: &'a RuleSet,
    facts: &'a Facts,
    from: From,
    /// The value of the fact tells how the question is answered.
    is_told: bool,
    /// The questions from where the path is new, the best first.
    ranking: Option<BinaryHeap<Ranked>>,
}

/// A question with what it was worth when it was looked at last. The fewer rules are left, the less it is: so the first is the
/// best if it still is worth as much as the next one was.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    worth: u32,
    /// Of those that are worth as much, the first goes first.
    question: Reverse<u32>,
    /// The rules that its answer refutes.
    refuted: Positions,
}

impl Learner<'_> {
    /// What a search of tables takes, as so many other questions.
    const SEARCH: u32 = 8;

    /// The question that those before were asked here; their answers were the same, so that it is still to be asked.
    fn usual(&mut self) -> Option<u32> {
        let Some(Next::Step(step)) = self.paths.next(self.from).copied() else { return None };
        match self.paths.steps.get(step as usize)? {
            Step::Value { question, .. } => Some(*question),
            Step::Test { .. } => None,
        }
    }

    /// The best of the questions that are still to be asked.
    fn best(&mut self, asked: &Positions, left: &Positions) -> Option<u32> {
        let (rules, facts) = (self.rules, self.facts);
        let all = || to_ask(rules, asked, left).map(|question| Ranked::of(rules, facts, question, left)).collect();
        let ranking = self.ranking.get_or_insert_with(all);
        while let Some(mut first) = ranking.pop() {
            let Reverse(number) = first.question;
            let question = &rules.questions()[number as usize];
            if !question.asked_by.meets(left) {
                continue;
            }
            first.worth = Self::worth(question, &first.refuted, left);
            if ranking.peek().is_none_or(|next| first >= *next) {
                return Some(number);
            }
            ranking.push(first);
        }
        None
    }

    /// How many of the rules that are left a question refutes, for the effort.
    fn worth(question: &Question, refuted: &Positions, left: &Positions) -> u32 {
        left.common(refuted) * if question.is_looked_up() { 1 } else { Self::SEARCH }
    }
}

impl Ranked {
    fn of(rules: &RuleSet, facts: &Facts, number: u32, left: &Positions) -> Self {
        let question = &rules.questions()[number as usize];
        let mut refuted = Positions::none(rules.count());
        let failed = question.conditions.iter().filter(|(condition, _)| holds(condition, facts) == Truth::No);
        failed.for_each(|(_, needed_by)| refuted.add(needed_by));
        Self { worth: Learner::worth(question, &refuted, left), question: Reverse(number), refuted }
    }
}

impl Witness for Learner<'_> {
    fn choose(&mut self, asked: &Positions, left: &Positions) -> Option<u32> {
        let question = self.usual().or_else(|| self.best(asked, left))?;
        let question_asked = &self.rules.questions()[question as usize];
        let fact = question_asked.conditions.first()?.0.fact;
        let new = || Step::Value { question, fact, known: Vec::new(), others: Next::Unknown };
        let step = self.paths.step(self.from, new);
        let value = self.facts.get(fact);
        let is_telling = !matches!(value, Known::Seen(_)) || has_few_values(question_asked, fact);
        let place = if is_telling { self.paths.value(step, value) } else { None };
        self.is_told = place.is_some();
        self.from = place.map_or(From::OtherValues(step), |place| From::Value(step, place));
        Some(question)
    }

    fn answer(&mut self, place: Place, condition: &Condition) -> Truth {
        let truth = holds(condition, self.facts);
        if !(self.is_told && matches!(place, Place::Question(..))) {
            let step = self.paths.step(self.from, || Step::Test { place, next: [Next::Unknown; 3] });
            self.from = From::Test(step, turn(truth));
        }
        truth
    }
}

/// Steps that a path may have.
fn longest_path(rules: &RuleSet) -> usize {
    let questions = rules.questions().iter().map(|question| 1 + question.conditions.len());
    let firmer = rules.iter().filter_map(|rule| rule.firmer.as_ref()).map(|firmer| firmer.conditions.len());
    questions.chain(firmer).sum()
}

/// Whether two answers to one fact say the same to any condition: why something is unknown makes no difference.
fn is_same(one: &Known<Value>, other: &Known<Value>) -> bool {
    matches!((one, other), (Known::Unknown(_), Known::Unknown(_))) || one == other
}

/// Whether the fact that a question asks about has to be one of a few values to make a difference.
fn has_few_values(question: &Question, fact: FactId) -> bool {
    let few = |test: &Test| match test {
        Test::AnyOf(_) | Test::NoneOf(_) | Test::Absent => true,
        Test::AtLeast(_) | Test::SameAs(_) | Test::DiffersFrom(_) => false,
        _ => matches!(fact.ty(), FactType::Bool | FactType::Enum(_)),
    };
    let has_few = matches!(fact.ty(), FactType::Bool | FactType::Enum(_) | FactType::Int);
    has_few && question.conditions.iter().all(|(condition, _)| few(&condition.test))
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
