//! What a report about a spoilt capture is worth, measured against what is true.
//!
//! The truth about a connection is what its `case.toml` says, and the report about the capture as it was recorded.
#![allow(unreachable_pub, reason = "a module of a test crate")]

use crate::common::case::{Case, Expected};
use crate::support::mutate::Tcp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wsdissect::capture::Reader;
use wsdissect::connection::{Basis, Connection};
use wsdissect::diagnosis::{Cause, Confidence, Party};
use wsdissect::evidence::{FactId, FactType, Known, Value};
use wsdissect::units::{Endpoint, Side};
use wsdissect::{Analyzer, ConnectionReport, Options};

/// How a diagnosis stands to the truth, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Cause and party are true.
    Right,
    /// It says that it does not know, calls itself no more than possible, or names the true cause among others.
    Honest,
    /// The capture is said to show no WebSocket here.
    Silent,
    /// Another cause or party, called likely, and the true one nowhere.
    WrongLikely,
    /// Another cause or party, called certain.
    WrongCertain,
}

/// What is true about the connections of one recorded capture.
pub struct Truth {
    connections: Vec<TrueConnection>,
}

struct TrueConnection {
    key: Key,
    /// Cause and party: what the case says, and what the whole capture was found to show.
    answers: Vec<(String, String)>,
    /// Places of its packets in the file.
    packets: Vec<usize>,
    report: ConnectionReport,
}

/// The two endpoints, the lower one first.
type Key = (Endpoint, Endpoint);

/// What was found wrong with one report, in words that are the same for the same kind of mistake.
pub struct Judgement {
    pub verdict: Verdict,
    pub said: String,
    /// Frames, Close frames, violations or connections that nobody sent.
    pub phantoms: Vec<String>,
    /// Facts that say something else than the whole capture: what it said and what is said now.
    pub lies: Vec<Lie>,
}

/// A fact with another answer, where only the same one or "unknown" could be justified.
pub struct Lie {
    pub fact: &'static str,
    pub was: String,
    pub is: String,
}

/// Reads a whole capture from memory, in process.
///
/// # Errors
/// The message of a panic.
pub fn reports(bytes: &[u8]) -> Result<Vec<ConnectionReport>, String> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut reports = Vec::new();
        let Ok(mut reader) = Reader::open(bytes) else { return reports };
        let mut analyzer = Analyzer::new(Options::default());
        // Damage ends reading; what came before it counts.
        while let Ok(Some(packet)) = reader.next_packet() {
            analyzer.packet(&packet);
            reports.extend(std::iter::from_fn(|| analyzer.next_report()));
        }
        analyzer.finish();
        reports.extend(std::iter::from_fn(|| analyzer.next_report()));
        reports
    }))
    .map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    })
}

impl Truth {
    /// `segments` are those of the same capture, in its order.
    pub fn of(case: &Case, whole: &[u8], segments: &[Option<Tcp>]) -> Self {
        let reports = reports(whole).unwrap_or_else(|panic| panic!("{}: {panic}", case.name));
        let connections = reports.into_iter().map(|report| {
            let expected = case.connections.iter().find(|each| each.stream == report.connection.id.flow);
            let key = key(&report.connection);
            let (first, last) = (report.connection.first.packet.value(), report.connection.last.packet.value());
            let packets = (first as usize - 1..last as usize).filter(|at| {
                segments[*at].as_ref().is_some_and(|tcp| {
                    let (a, b) = (endpoint(&tcp.source), endpoint(&tcp.destination));
                    key == (a.min(b), a.max(b))
                })
            });
            TrueConnection { key, answers: answers(expected, &report), packets: packets.collect(), report }
        });
        Self { connections: connections.collect() }
    }

    /// Judges what is reported of each true connection that has one of the `touched` packets, when the packets that
    /// `kept` leaves are there. Both lists have a place for each packet of the whole file.
    ///
    /// With `survival_only` nothing is said about phantoms and facts.
    pub fn judge(
        &self,
        reports: &[ConnectionReport],
        kept: &[bool],
        touched: &[bool],
        survival_only: bool,
    ) -> Vec<Judgement> {
        let mut rest: BTreeMap<Key, Vec<&ConnectionReport>> = BTreeMap::new();
        for report in reports.iter().rev() {
            rest.entry(key(&report.connection)).or_default().push(report);
        }
        let mut judgements = Vec::new();
        for truth in &self.connections {
            let mut judgement = match rest.get_mut(&truth.key).and_then(Vec::pop) {
                Some(report) => truth.judge(report, kept),
                // Of a connection without packets nothing can be said, and is nothing true.
                None if truth.packets.iter().all(|packet| !kept[*packet]) => continue,
                None => Judgement {
                    verdict: Verdict::Silent,
                    said: format!("nothing instead of {}", truth.report.diagnosis.rule),
                    phantoms: Vec::new(),
                    lies: Vec::new(),
                },
            };
            if !truth.packets.iter().any(|packet| touched[*packet]) {
                continue;
            }
            if survival_only {
                judgement.phantoms.clear();
                judgement.lies.clear();
            }
            judgements.push(judgement);
        }
        for report in rest.values().flatten().filter(|_| !survival_only) {
            judgements.push(Judgement {
                verdict: Verdict::Silent,
                said: String::new(),
                phantoms: vec![format!("a connection that nobody opened ({})", report.diagnosis.rule)],
                lies: Vec::new(),
            });
        }
        judgements
    }
}

fn key(connection: &Connection) -> Key {
    let (a, b) = (connection.endpoints.client, connection.endpoints.server);
    (a.min(b), a.max(b))
}

fn endpoint((ip, port): &(Vec<u8>, u16)) -> Endpoint {
    let ip = match <[u8; 4]>::try_from(&ip[..]) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&ip[..]).expect("an address of either version")),
    };
    Endpoint { ip, port: *port }
}

fn answers(expected: Option<&Expected>, report: &ConnectionReport) -> Vec<(String, String)> {
    let found = (report.diagnosis.cause.name().to_owned(), report.diagnosis.party.name().to_owned());
    let known = expected.and_then(|expected| {
        let party = expected.true_party().map_or_else(|| found.1.clone(), str::to_owned);
        Some((expected.true_cause()?.to_owned(), party))
    });
    known.into_iter().chain([found]).collect()
}

impl TrueConnection {
    fn judge(&self, report: &ConnectionReport, kept: &[bool]) -> Judgement {
        let swapped = report.connection.endpoints.client != self.report.connection.endpoints.client;
        Judgement {
            verdict: self.verdict(report, swapped, kept),
            said: format!(
                "{} ({}, {}) instead of {}",
                report.diagnosis.rule,
                report.diagnosis.confidence.name(),
                report.diagnosis.party.name(),
                self.report.diagnosis.rule
            ),
            phantoms: self.phantoms(&report.connection, swapped),
            lies: self.lies(report, swapped),
        }
    }

    fn verdict(&self, report: &ConnectionReport, swapped: bool, kept: &[bool]) -> Verdict {
        let diagnosis = &report.diagnosis;
        let party = match diagnosis.party {
            Party::Client if swapped => Party::Server,
            Party::Server if swapped => Party::Client,
            party => party,
        };
        if self.answers.iter().any(|(cause, its)| cause == diagnosis.cause.name() && its == party.name()) {
            return Verdict::Right;
        }
        if diagnosis.cause == Cause::StillOpen && self.ends_later(kept) {
            return Verdict::Right;
        }
        let is_true_cause = |cause: Cause| self.answers.iter().any(|(its, _)| its == cause.name());
        if diagnosis.confidence == Confidence::Certain {
            return Verdict::WrongCertain;
        }
        // The general case of what is true.
        let tls = |cause: &str| cause.starts_with("tls_");
        if diagnosis.cause == Cause::TlsFailed
            && self.answers.iter().any(|(cause, its)| tls(cause) && its == party.name())
        {
            return Verdict::Right;
        }
        let honest = diagnosis.confidence == Confidence::Possible
            || matches!(diagnosis.cause, Cause::Unknown | Cause::Encrypted)
            || is_true_cause(diagnosis.cause) && party == Party::Unknown
            || diagnosis.alternatives.iter().any(|other| is_true_cause(other.cause));
        if honest { Verdict::Honest } else { Verdict::WrongLikely }
    }

    /// Whether what is left stops before the first sign of the end, so that "still open" is true of it.
    fn ends_later(&self, kept: &[bool]) -> bool {
        let connection = &self.report.connection;
        let end = connection.ending.iter().map(|signal| signal.at.packet.value() as usize - 1).min();
        end.is_none_or(|end| kept.iter().skip(end).all(|kept| !kept))
    }

    fn phantoms(&self, connection: &Connection, swapped: bool) -> Vec<String> {
        let (mut found, truth) = (Vec::new(), &self.report.connection);
        if swapped && connection.basis != Basis::FirstPacket {
            found.push(format!("roles exchanged by {:?}", connection.basis));
        }
        for side in Side::BOTH {
            let true_side = if swapped { side.other() } else { side };
            let (traffic, sent) = (&connection.traffic[side], &truth.traffic[true_side]);
            for ((name, count), (_, most)) in traffic.frames.named().into_iter().zip(sent.frames.named()) {
                if count > most {
                    found.push(format!("{name} frame"));
                }
            }
            if traffic.text_messages > sent.text_messages || traffic.binary_messages > sent.binary_messages {
                found.push("message".to_owned());
            }
            let close = traffic.close.as_ref().map(|close| &close.payload);
            if close.is_some() && close != sent.close.as_ref().map(|close| &close.payload) {
                found.push("close with another payload".to_owned());
            }
            for violation in connection.violations.iter().filter(|violation| violation.side == side) {
                let is_true = |other: &&_| is_same_violation(violation, other, true_side);
                if truth.violations.iter().find(is_true).is_none() {
                    found.push(format!("violation {}", violation.rule.name()));
                }
            }
        }
        found
    }

    fn lies(&self, report: &ConnectionReport, swapped: bool) -> Vec<Lie> {
        let initiator = FactId::by_name("close.initiator").expect("a fact");
        let other_close_first = matches!(report.facts.get(initiator), Known::Unknown(_));
        FactId::all()
            // They speak of the first Close frame of the capture, and nobody claims that it was the first of all.
            .filter(|fact| !(other_close_first && fact.name().starts_with("close.")))
            .filter_map(|fact| {
                let (was, is) = (self.report.facts.get(fact), report.facts.get(fact));
                let is =
                    if swapped && matches!(fact.ty(), FactType::Enum([.., "server"])) { &other_side(is) } else { is };
                let justified = match (was, is) {
                    (_, Known::Unknown(_)) | (Known::Unknown(_), _) => true,
                    (_, Known::Seen(Value::Enum("not_captured"))) => true,
                    (Known::Seen(Value::Float(a)), Known::Seen(Value::Float(b))) => (a - b).abs() < 1e-6,
                    (was, is) => was == is,
                };
                (!justified).then(|| Lie { fact: fact.name(), was: shown(was), is: shown(is) })
            })
            .collect()
    }
}

fn is_same_violation(
    one: &wsdissect::violation::Violation,
    other: &wsdissect::violation::Violation,
    side: Side,
) -> bool {
    one.rule == other.rule && other.side == side
}

fn other_side(value: &Known<Value>) -> Known<Value> {
    match value {
        Known::Seen(Value::Enum("client")) => Known::Seen(Value::Enum("server")),
        Known::Seen(Value::Enum("server")) => Known::Seen(Value::Enum("client")),
        value => value.clone(),
    }
}

/// The answer, without the value where values are many.
fn shown(value: &Known<Value>) -> String {
    match value {
        Known::Seen(Value::Float(_)) => "seconds".to_owned(),
        Known::Seen(Value::Text(_)) => "text".to_owned(),
        Known::Seen(Value::Int(_)) => "number".to_owned(),
        Known::Seen(value) => format!("{value:?}"),
        Known::Absent => "absent".to_owned(),
        Known::Unknown(why) => format!("unknown: {}", why.name()),
    }
}
