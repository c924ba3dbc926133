//! What the rules make of the answers to their conditions, whatever facts are behind those.

use super::conditions::{Truth, facts_of};
use super::{CONFLICT, Confidence, ENDER, HOLE};
use crate::catalog::rules::{Condition, Positions, Role, Rule, RuleSet};
use crate::evidence::FactId;

/// A condition by its place in the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// One that rules have to meet: its question and its number there.
    Question(u32, u32),
    /// One that makes a rule surer: the rule and its number there.
    Firmer(u32, u32),
}

impl Place {
    /// The condition there; `None` when these rules have none.
    pub(super) fn find(self, rules: &RuleSet) -> Option<&Condition> {
        match self {
            Self::Question(question, at) => {
                let question = rules.questions().get(question as usize)?;
                question.conditions.get(at as usize).map(|(condition, _)| condition)
            }
            Self::Firmer(rule, at) => rules.get(rule as usize).firmer.as_ref()?.conditions.get(at as usize),
        }
    }
}

/// A rule, by its position, and how well the evidence carries it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) rule: usize,
    pub(super) is_firm: bool,
    pub(super) confidence: Confidence,
}

/// Who has the answers, and chooses what is asked first: whatever the order is, the verdict is the same.
pub(super) trait Witness {
    /// Which of the questions that are [still to be asked](to_ask) is asked next; `None` when there are none.
    fn choose(&mut self, asked: &Positions, left: &Positions) -> Option<u32>;

    /// What becomes of a condition.
    fn answer(&mut self, place: Place, condition: &Condition) -> Truth;
}

/// The questions that are still to be asked, in the usual order: those that rules in `left` ask, which have not failed yet.
pub(super) fn to_ask<'a>(rules: &'a RuleSet, asked: &'a Positions, left: &'a Positions) -> impl Iterator<Item = u32> {
    let questions = rules.questions().iter().enumerate();
    let open = questions.filter(|(number, question)| !asked.contains(*number) && question.asked_by.meets(left));
    open.map(|(number, _)| number as u32)
}

/// What the rules make of the answers to their conditions.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) winner: Standing,
    /// The winner would be less sure if an undecided rule fired that refines it.
    pub(super) questioned: bool,
    /// What it rests on, as far as the capture has an answer: the facts of the winner's conditions first, then of the rules
    /// it refines that fire as well.
    pub(super) because: Vec<FactId>,
    /// What else it could be: those that fire, the surest first, then those that are undecided.
    pub(super) others: Vec<Standing>,
    /// The positions of the undecided rules that would win if they fired.
    pub(super) rivals: Vec<usize>,
    /// The facts that are asked when it is told.
    pub(super) needs: Vec<FactId>,
}

impl Verdict {
    /// The verdict when the conditions are answered so.
    pub(super) fn of(rules: &RuleSet, witness: &mut impl Witness) -> Self {
        let outcomes = Outcomes::of(rules, witness);
        let mut standing = |rule: &Rule| {
            let is_firm = is_firm(rule, |place, condition| witness.answer(place, condition));
            let firmer = rule.firmer.as_ref().filter(|_| is_firm);
            let confidence = firmer.map_or(rule.confidence, |firmer| firmer.confidence);
            Standing { rule: rule.position(), is_firm, confidence }
        };
        let candidates = outcomes.candidates(rules);
        let mut firing: Vec<Standing> = rules.at(&candidates).map(&mut standing).collect();
        // The rules come ordered by id and the sort is stable, so that equal confidence keeps that order.
        firing.sort_by_key(|standing| std::cmp::Reverse(standing.confidence));
        let first = firing.first().copied().unwrap_or_else(|| standing(rules.catch_all()));
        let winner = rules.get(first.rule);

        let undecided: Vec<&Rule> = rules.at(&outcomes.undecided).collect();
        // An undecided rule that refines another undecided one adds no new question.
        let is_general = |rule: &&&Rule| !winner.is_refinement_of(rule) && !rule.refined().meets(&outcomes.undecided);
        let open = undecided.iter().filter(is_general).map(|rule| standing(rule));
        let others = firing.iter().skip(1).copied().chain(open).collect();
        let rivals = undecided.iter().filter(|rule| would_win(rule, winner)).map(|rule| rule.position()).collect();

        let because = because(rules, first, &outcomes.firing);
        let ends = |role: Role| matches!(role, Role::Ender | Role::Peer);
        let ender = ends(winner.party) || winner.fixes.iter().any(|fix| ends(fix.who));
        let needs = because.iter().copied().chain([HOLE, CONFLICT]).chain(ender.then_some(ENDER)).collect();
        let questioned = undecided.iter().any(|rule| rule.is_refinement_of(winner));
        Self { winner: first, questioned, because, others, rivals, needs }
    }
}

/// Whether the conditions under which a rule is surer hold; false when it has none, or they cannot be answered.
pub(super) fn is_firm(rule: &Rule, mut answer: impl FnMut(Place, &Condition) -> Truth) -> bool {
    let Some(firmer) = &rule.firmer else { return false };
    let mut conditions = (0..).zip(&firmer.conditions);
    conditions.all(|(at, condition)| answer(Place::Firmer(rule.position() as u32, at), condition) == Truth::Yes)
}

/// The facts of the winner's conditions, and of the rules it refines that fire as well, each once.
fn because(rules: &RuleSet, winner: Standing, firing: &Positions) -> Vec<FactId> {
    let Standing { rule, is_firm, .. } = winner;
    let winner = rules.get(rule);
    let refined = rules.at(firing).filter(|rule| winner.is_refinement_of(rule)).flat_map(|rule| &rule.conditions);
    let firmer = winner.firmer.iter().filter(|_| is_firm).flat_map(|firmer| &firmer.conditions);
    let mut because: Vec<FactId> = Vec::new();
    for fact in winner.conditions.iter().chain(firmer).chain(refined).flat_map(facts_of) {
        if !because.contains(&fact) {
            because.push(fact);
        }
    }
    because
}

/// Whether `rule` would take the place of `winner` if it fired as well.
fn would_win(rule: &Rule, winner: &Rule) -> bool {
    let is_surer = (rule.confidence, &winner.id) > (winner.confidence, &rule.id);
    rule.is_refinement_of(winner) || (is_surer && !winner.is_refinement_of(rule))
}

/// What all rules make of a set of answers.
struct Outcomes {
    firing: Positions,
    undecided: Positions,
}

impl Outcomes {
    /// Each fact is asked only while a rule that has not failed yet asks for it, and each condition is tested once.
    fn of(rules: &RuleSet, witness: &mut impl Witness) -> Self {
        let mut left = Positions::all(rules.count());
        let mut open = Positions::none(rules.count());
        let questions = rules.questions();
        let mut asked = Positions::none(questions.len());
        while let Some(number) = witness.choose(&asked, &left) {
            asked.insert(number as usize);
            for (at, (condition, needed_by)) in (0..).zip(&questions[number as usize].conditions) {
                if needed_by.meets(&left) {
                    match witness.answer(Place::Question(number, at), condition) {
                        Truth::Yes => {}
                        Truth::No => left.remove(needed_by),
                        Truth::Open => open.add(needed_by),
                    }
                }
            }
        }
        let mut firing = left.clone();
        firing.remove(&open);
        open.keep(&left);
        Self { firing, undecided: open }
    }

    /// The firing rules that no other firing rule refines.
    fn candidates(&self, rules: &RuleSet) -> Positions {
        let mut candidates = self.firing.clone();
        rules.at(&self.firing).for_each(|rule| candidates.remove(rule.refined()));
        candidates
    }
}
