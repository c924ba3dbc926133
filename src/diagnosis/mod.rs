//! Facts and rules in, one diagnosis out.
//!
//! A rule *fails* when any condition fails, is *undecided* when none fails but one cannot be answered, and *fires* when
//! all hold. Of the rules that fire, those that no other firing rule refines are candidates; the most confident wins,
//! then the first by id. The catch-all rule always fires, so there is always exactly one diagnosis. Whatever else fires,
//! and whatever might have fired had the capture shown more, is told as an alternative. Pure: no text, no I/O.

mod conditions;
mod paths;
mod render;
mod verdict;

pub(crate) use paths::Paths;
pub use render::{printable, render, value_text};

pub use crate::catalog::rules::{Cause, Confidence, Party, RuleId, Who};

use crate::catalog::rules::{Condition, Outcome, Positions, Role, Rule, RuleSet};
use crate::evidence::{Evidence, FactId, Facts, Known, Value, WhyUnknown};
use conditions::{Truth, facts_of, holds};
use std::sync::Arc;
use verdict::{Place, Verdict, Witness, to_ask};

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
    verdict::is_firm(rule, |_, condition| holds(condition, facts))
}

/// The one diagnosis of a connection with these facts.
#[must_use]
pub fn diagnose(rules: &RuleSet, facts: &Facts) -> Diagnosis {
    conclude(rules, &Verdict::of(rules, &mut InTurn(rules, facts)), facts)
}

/// Asks these facts what the rules want to know, in the usual order.
struct InTurn<'a>(&'a RuleSet, &'a Facts);

impl Witness for InTurn<'_> {
    fn choose(&mut self, asked: &Positions, left: &Positions) -> Option<u32> {
        to_ask(self.0, asked, left).next()
    }

    fn answer(&mut self, _: Place, condition: &Condition) -> Truth {
        holds(condition, self.1)
    }
}

impl Paths {
    /// The same as [`diagnose`], for one of many connections that are much alike.
    pub(crate) fn diagnose(&mut self, rules: &RuleSet, facts: &mut Facts) -> Diagnosis {
        let verdict = match self.follow(rules, facts) {
            Some(verdict) => verdict,
            None => self.learn(rules, &facts.clone()),
        };
        for fact in &verdict.needs {
            facts.read(*fact);
        }
        conclude(rules, &verdict, facts)
    }
}

const HOLE: FactId = FactId::named("capture.missing_bytes");
const CONFLICT: FactId = FactId::named("tcp.conflict");
const ENDER: FactId = FactId::named("end.side");

/// What a verdict means for the connection with these facts.
fn conclude(rules: &RuleSet, verdict: &Verdict, facts: &Facts) -> Diagnosis {
    let winner = rules.get(verdict.winner.rule);
    let doubt = doubted(facts);
    let mut because = because(verdict, facts);
    let presumed = because.iter().any(|evidence| evidence.presumed);
    let most = if verdict.questioned || presumed || doubt.is_some() { Confidence::Likely } else { Confidence::Certain };
    let confidence = verdict.winner.confidence.min(most);
    because.extend(doubt.filter(|doubt| !because.iter().any(|each| each.fact == doubt.fact)).cloned());

    let mut alternatives: Vec<Candidate> =
        verdict.others.iter().map(|other| candidate(rules.get(other.rule), other.confidence, facts)).collect();
    alternatives.sort_by_key(|each| (!each.undecided.is_empty(), std::cmp::Reverse(each.confidence)));

    let refuted_by = if confidence == Confidence::Certain { Arc::default() } else { Arc::clone(&winner.refuted_by) };
    Diagnosis {
        rule: winner.id.clone(),
        cause: winner.cause,
        party: party(winner.party, facts),
        confidence,
        firm: verdict.winner.is_firm,
        because,
        fixes: winner.fixes.iter().map(|fix| Fix { who: who(fix.who, facts), id: fix.id.clone() }).collect(),
        references: Arc::clone(&winner.references),
        alternatives,
        limits: limits(rules, &verdict.rivals, facts),
        refuted_by,
    }
}

/// What keeps open the undecided rules that would win if they fired.
fn limits(rules: &RuleSet, rivals: &[usize], facts: &Facts) -> Vec<Limit> {
    let mut limits: Vec<(WhyUnknown, Vec<&Rule>)> = Vec::new();
    for rule in rivals.iter().map(|rival| rules.get(*rival)) {
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

fn candidate(rule: &Rule, confidence: Confidence, facts: &Facts) -> Candidate {
    Candidate { rule: rule.id.clone(), cause: rule.cause, confidence, undecided: open_facts(rule, facts) }
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
    let conflict = facts.evidence(CONFLICT);
    let unsettled = conflict.value.seen().and_then(Value::text) == Some("unsettled");
    unsettled.then_some(conflict)
}

/// The evidence that the verdict rests on, as far as the capture has an answer.
fn because(verdict: &Verdict, facts: &Facts) -> Vec<Evidence> {
    let evidence = verdict.because.iter().map(|fact| facts.evidence(*fact));
    let mut evidence: Vec<Evidence> =
        evidence.filter(|each| !matches!(each.value, Known::Unknown(_))).cloned().collect();
    // Whatever is concluded, a hole in the capture belongs to it.
    if facts.get(HOLE).seen().is_some() && !evidence.iter().any(|each| each.fact == HOLE) {
        evidence.push(facts.evidence(HOLE).clone());
    }
    evidence
}

fn party(role: Role, facts: &Facts) -> Party {
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
