//! Facts and rules in, one diagnosis out.
//!
//! A rule *fails* when any condition fails, is *undecided* when none fails but one cannot be answered, and *fires* when
//! all hold. Of the rules that fire, those that no other firing rule refines are candidates; the most confident wins,
//! then the first by id. The catch-all rule always fires, so there is always exactly one diagnosis. Whatever else fires,
//! and whatever might have fired had the capture shown more, is told as an alternative. Pure: no text, no I/O.

mod render;

pub use render::{printable, render, value_text};

pub use crate::catalog::rules::{Cause, Confidence, Party, RuleId, Who};

use crate::catalog::rules::{Condition, Firmer, Outcome, Positions, Role, Rule, RuleSet, Test};
use crate::evidence::{Evidence, FactId, Facts, Known, Value, WhyUnknown};
use std::sync::Arc;

/// Why a connection ended, and what says so.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// The rule that won.
    pub rule: RuleId,
    /// Its stable cause.
    pub cause: Cause,
    /// Who can change it, in this connection.
    pub party: Party,
    /// How well the evidence carries it; never `Certain` while a more specific rule is undecided, while the receiver may
    /// have read other bytes than the diagnosis rests on, or on evidence that presumes something of the time before the
    /// capture.
    pub confidence: Confidence,
    /// The conditions under which the rule is surer hold as well.
    pub firm: bool,
    /// The facts that the rule and the rules it refines rest on, seen or absent, each once; last, what the capture lacks.
    pub because: Vec<Evidence>,
    /// What to do, best first.
    pub fixes: Vec<Fix>,
    /// Where the standard speaks of it.
    pub references: Arc<[Arc<str>]>,
    /// What else it could be, best first.
    pub alternatives: Vec<Candidate>,
    /// What this capture lacks that could make another rule win.
    pub limits: Vec<Limit>,
    /// What would refute it, as keys of the words under `refute.<key>`; empty when it is certain.
    pub refuted_by: Arc<[Arc<str>]>,
}

/// One kind of gap in what the capture shows, and the rules that it keeps open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Why facts are unknown.
    pub why: WhyUnknown,
    /// The rules that could win if these facts were known: the most general ones, each standing for those that refine
    /// it as well.
    pub could_change: Vec<RuleId>,
}

/// One thing to do; its words are under `fix.<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Who can do it, in this connection.
    pub who: Who,
    /// Key of the words.
    pub id: Arc<str>,
}

/// A rule that did not win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The rule.
    pub rule: RuleId,
    /// Its cause.
    pub cause: Cause,
    /// How well its conditions would carry it.
    pub confidence: Confidence,
    /// The facts that this capture cannot answer, and why; empty when the rule fires.
    pub undecided: Vec<(FactId, WhyUnknown)>,
}

/// What a rule makes of these facts.
#[must_use]
pub fn evaluate(rule: &Rule, facts: &Facts) -> Outcome {
    let mut outcome = Outcome::Fires;
    for condition in &rule.conditions {
        match holds(condition, facts) {
            Truth::Yes => {}
            Truth::No => return Outcome::Fails,
            Truth::Open => outcome = Outcome::Undecided,
        }
    }
    outcome
}

/// Whether the conditions under which a rule is surer hold; false when it has none, or they cannot be answered.
#[must_use]
pub fn is_firm(rule: &Rule, facts: &Facts) -> bool {
    let all_hold = |firmer: &Firmer| firmer.conditions.iter().all(|each| matches!(holds(each, facts), Truth::Yes));
    rule.firmer.as_ref().is_some_and(all_hold)
}

/// How well the evidence carries a rule that fires.
fn confidence_of(rule: &Rule, facts: &Facts) -> Confidence {
    match &rule.firmer {
        Some(firmer) if is_firm(rule, facts) => firmer.confidence,
        _ => rule.confidence,
    }
}

/// What all rules make of a set of facts.
struct Outcomes {
    firing: Positions,
    undecided: Positions,
}

impl Outcomes {
    /// Each fact is asked only while a rule that has not failed yet asks for it, and each condition is tested once.
    fn of(rules: &RuleSet, facts: &Facts) -> Self {
        let mut left = Positions::all(rules.count());
        let mut open = Positions::none(rules.count());
        for question in rules.questions() {
            if !question.asked_by.meets(&left) {
                continue;
            }
            for (condition, needed_by) in &question.conditions {
                if needed_by.meets(&left) {
                    match holds(condition, facts) {
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

/// The one diagnosis of a connection with these facts.
#[must_use]
pub fn diagnose(rules: &RuleSet, facts: &Facts) -> Diagnosis {
    let outcomes = Outcomes::of(rules, facts);
    let undecided: Vec<&Rule> = rules.at(&outcomes.undecided).collect();
    let mut candidates: Vec<&Rule> = rules.at(&outcomes.candidates(rules)).collect();
    // The rules come ordered by id and the sort is stable, so that equal confidence keeps that order.
    candidates.sort_by_key(|rule| std::cmp::Reverse(confidence_of(rule, facts)));
    let winner = candidates.first().copied().unwrap_or_else(|| rules.catch_all());

    // An undecided rule that refines another undecided one adds no new question.
    let is_general = |rule: &&&Rule| !winner.is_refinement_of(rule) && !rule.refined().meets(&outcomes.undecided);
    let open = undecided.iter().filter(is_general);
    let questioned = undecided.iter().any(|rule| rule.is_refinement_of(winner));
    let doubt = doubted(facts);
    let mut because = because(rules, winner, &outcomes.firing, facts);
    let presumed = because.iter().any(|evidence| evidence.presumed);
    let most = if questioned || presumed || doubt.is_some() { Confidence::Likely } else { Confidence::Certain };
    let confidence = confidence_of(winner, facts).min(most);
    because.extend(doubt.filter(|doubt| !because.iter().any(|each| each.fact == doubt.fact)).cloned());

    let others = candidates.iter().skip(1).map(|rule| candidate(rule, facts));
    let mut alternatives: Vec<Candidate> = others.chain(open.map(|rule| candidate(rule, facts))).collect();
    alternatives.sort_by_key(|each| (!each.undecided.is_empty(), std::cmp::Reverse(each.confidence)));

    let refuted_by = if confidence == Confidence::Certain { Arc::default() } else { Arc::clone(&winner.refuted_by) };
    Diagnosis {
        rule: winner.id.clone(),
        cause: winner.cause,
        party: party(winner.party, facts),
        confidence,
        firm: is_firm(winner, facts),
        because,
        fixes: winner.fixes.iter().map(|fix| Fix { who: who(fix.who, facts), id: fix.id.clone() }).collect(),
        references: Arc::clone(&winner.references),
        alternatives,
        limits: limits(winner, &undecided, facts),
        refuted_by,
    }
}

/// What keeps open the undecided rules that would win over the winner if they fired.
fn limits(winner: &Rule, undecided: &[&Rule], facts: &Facts) -> Vec<Limit> {
    let mut limits: Vec<(WhyUnknown, Vec<&Rule>)> = Vec::new();
    for rule in undecided.iter().filter(|rule| would_win(rule, winner)) {
        for (_, why) in open_facts(rule, facts) {
            match limits.iter_mut().find(|(known, _)| *known == why) {
                Some((_, rules)) if rules.last().is_some_and(|last| last.id == rule.id) => {}
                Some((_, rules)) => rules.push(rule),
                None => limits.push((why, vec![rule])),
            }
        }
    }
    limits.sort_by_key(|(why, _)| *why);
    let most_general = |rules: &[&Rule]| {
        let general = rules.iter().filter(|rule| !rules.iter().any(|other| rule.is_refinement_of(other)));
        general.map(|rule| rule.id.clone()).collect()
    };
    limits.into_iter().map(|(why, rules)| Limit { why, could_change: most_general(&rules) }).collect()
}

/// Whether `rule` would take the place of `winner` if it fired as well.
fn would_win(rule: &Rule, winner: &Rule) -> bool {
    let is_surer = (rule.confidence, &winner.id) > (winner.confidence, &rule.id);
    rule.is_refinement_of(winner) || (is_surer && !winner.is_refinement_of(rule))
}

fn candidate(rule: &Rule, facts: &Facts) -> Candidate {
    let undecided = open_facts(rule, facts);
    Candidate { rule: rule.id.clone(), cause: rule.cause, confidence: confidence_of(rule, facts), undecided }
}

/// The facts of a rule that the capture cannot answer, and why.
fn open_facts(rule: &Rule, facts: &Facts) -> Vec<(FactId, WhyUnknown)> {
    let mut open = Vec::new();
    for condition in &rule.conditions {
        for fact in facts_of(condition) {
            if let Known::Unknown(why) = facts.get(fact)
                && !open.contains(&(fact, *why))
            {
                open.push((fact, *why));
            }
        }
    }
    open
}

/// What casts doubt on every conclusion: the receiver may have read other bytes than we did.
fn doubted(facts: &Facts) -> Option<&Evidence> {
    const CONFLICT: FactId = FactId::named("tcp.conflict");
    let conflict = facts.evidence(CONFLICT);
    let unsettled = conflict.value.seen().and_then(Value::text) == Some("unsettled");
    unsettled.then_some(conflict)
}

/// The evidence of the winner's conditions first, then of the rules it refines that fire as well.
fn because(rules: &RuleSet, winner: &Rule, firing: &Positions, facts: &Facts) -> Vec<Evidence> {
    const HOLE: FactId = FactId::named("capture.missing_bytes");
    let refined = rules.at(firing).filter(|rule| winner.is_refinement_of(rule));
    let mut evidence: Vec<Evidence> = Vec::new();
    let firmer = winner.firmer.iter().filter(|_| is_firm(winner, facts)).flat_map(|firmer| &firmer.conditions);
    let refined = refined.flat_map(|rule| &rule.conditions);
    for condition in winner.conditions.iter().chain(firmer).chain(refined) {
        for fact in facts_of(condition) {
            let known = !matches!(facts.get(fact), Known::Unknown(_));
            if known && !evidence.iter().any(|each| each.fact == fact) {
                evidence.push(facts.evidence(fact).clone());
            }
        }
    }
    // Whatever is concluded, a hole in the capture belongs to it.
    if facts.get(HOLE).seen().is_some() && !evidence.iter().any(|each| each.fact == HOLE) {
        evidence.push(facts.evidence(HOLE).clone());
    }
    evidence
}

fn facts_of(condition: &Condition) -> impl Iterator<Item = FactId> {
    std::iter::once(condition.fact).chain(condition.other_fact())
}

fn party(role: Role, facts: &Facts) -> Party {
    const ENDER: FactId = FactId::named("end.side");
    let ender = || match facts.text(ENDER) {
        Some("client") => Some(Party::Client),
        Some("server") => Some(Party::Server),
        _ => None,
    };
    match role {
        Role::Client => Party::Client,
        Role::Server => Party::Server,
        Role::Proxy => Party::Proxy,
        Role::Network => Party::Network,
        Role::None => Party::None,
        Role::Unknown | Role::Either => Party::Unknown,
        Role::Ender => ender().unwrap_or(Party::Unknown),
        Role::Peer => match ender() {
            Some(Party::Client) => Party::Server,
            Some(Party::Server) => Party::Client,
            _ => Party::Unknown,
        },
    }
}

fn who(role: Role, facts: &Facts) -> Who {
    match party(role, facts) {
        Party::Client => Who::Client,
        Party::Server => Who::Server,
        Party::Proxy => Who::Proxy,
        Party::Network => Who::Network,
        Party::None | Party::Unknown => Who::Either,
    }
}

enum Truth {
    Yes,
    No,
    Open,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

fn holds(condition: &Condition, facts: &Facts) -> Truth {
    let value = match facts.get(condition.fact) {
        Known::Unknown(_) => return Truth::Open,
        Known::Absent => {
            return (condition.or_absent || matches!(condition.test, Test::Absent | Test::NoneOf(_))).into();
        }
        Known::Seen(value) => value,
    };
    let number = |test: &dyn Fn(f64) -> bool| value.number().is_some_and(test).into();
    let compared = |other: &FactId, test: &dyn Fn(&Value) -> bool| match facts.get(*other) {
        Known::Unknown(_) => Truth::Open,
        Known::Absent => Truth::No,
        Known::Seen(other) => test(other).into(),
    };
    match &condition.test {
        Test::AnyOf(values) => values.contains(value).into(),
        Test::NoneOf(values) => (!values.contains(value)).into(),
        Test::Min(bound) => number(&|value| value >= *bound),
        Test::Max(bound) => number(&|value| value <= *bound),
        Test::Above(bound) => number(&|value| value > *bound),
        Test::Below(bound) => number(&|value| value < *bound),
        Test::Near(marks) => number(&|value| marks.iter().any(|mark| (value - mark).abs() <= (mark * 0.002).max(0.5))),
        Test::AtLeast(other) => compared(other, &|other| value.number() >= other.number()),
        Test::SameAs(other) => compared(other, &|other| value == other),
        Test::DiffersFrom(other) => compared(other, &|other| value != other),
        Test::Absent => Truth::No,
        Test::Present => Truth::Yes,
        Test::Prefix(prefix) => {
            let head = value.text().and_then(|text| text.get(..prefix.len()));
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix)).into()
        }
        Test::Contains(parts) => {
            let text = value.text().unwrap_or_default().to_ascii_lowercase();
            parts.iter().any(|part| text.contains(&part.to_ascii_lowercase())).into()
        }
    }
}
