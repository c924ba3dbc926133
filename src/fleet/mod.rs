//! Many connections seen together: those with one common cause become an incident.
//!
//! An incident keeps counters, sketches of a fixed size, a bounded list of connections and one example, so that its size
//! does not depend on the number of connections. The same holds for what is found across causes: ends of many connections
//! at one moment ([`events`]) and clients that come back again and again ([`reconnects`]). All of it only adds to the
//! reports of the connections; it never changes them.

mod burst;
pub mod changes;
pub mod events;
mod limits;
mod moments;
mod quality;
pub mod reconnects;
mod shared;
mod spread;
mod summary;
mod tally;

pub use limits::{CaptureLimit, capture_limits};
pub use quality::{Fault, Quality, Verdict};
pub(crate) use shared::ASKED;
pub use shared::{Clients, HowEnded, Quantised, Shared};
pub use spread::{Common, Spread};
pub use summary::{CopyCounts, HopCounts, SightCounts, Summary};
pub use tally::Tally;

use crate::connection::{ClosePayload, Connection, Outcome};
use crate::diagnosis::{Cause, Confidence, Diagnosis, Party, RuleId};
use crate::evidence::{Facts, Subject};
use crate::units::{Endpoint, PacketNumber, Side, Timestamp};
use events::Event;
use foldhash::fast::RandomState;
use moments::Moments;
use reconnects::{Reconnects, Returns};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// One connection that has ended, or whose capture has: what was seen, as facts, and what it means.
#[derive(Debug, Clone)]
pub struct ConnectionReport {
    /// What was seen.
    pub connection: Arc<Connection>,
    /// The same with all that it is seen against, such as which WebSocket library speaks on each side.
    pub subject: Arc<Subject>,
    /// The same as named facts.
    pub facts: Facts,
    /// Why it ended, whose turn it is, and what to do.
    pub diagnosis: Diagnosis,
}

/// What the connections of one incident share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentKey {
    /// The rule that explained them.
    pub rule: RuleId,
    /// Who must act.
    pub party: Party,
    /// How the closing looked on the wire.
    pub closing: Closing,
}

impl IncidentKey {
    fn of(report: &ConnectionReport) -> Self {
        let Diagnosis { rule, party, .. } = &report.diagnosis;
        Self { rule: rule.clone(), party: *party, closing: Closing::of(report) }
    }
}

/// The face of an ending, before any diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Closing {
    /// The first Close frame carried this code.
    Code(u16),
    /// The first Close frame was empty.
    EmptyClose,
    /// The connection ended without a Close frame.
    NoClose,
    /// The upgrade was answered with this status.
    Rejected(u16),
    /// No upgrade came to be, and no HTTP response says why.
    NoHandshake,
    /// The capture ended first.
    Open,
    /// It ended inside TLS, which could not be read: a Close frame may have come before.
    Hidden,
}

impl Closing {
    /// The face of one connection's ending.
    #[must_use]
    pub fn of(report: &ConnectionReport) -> Self {
        let connection = &report.connection;
        if let Some(signal) = connection.first_close() {
            return match connection.traffic[signal.by].close.as_ref().map(|close| &close.payload) {
                Some(ClosePayload::Status { code, .. }) => Self::Code(code.0),
                _ => Self::EmptyClose,
            };
        }
        let handshake = &connection.handshake;
        match (handshake.outcome, &handshake.response) {
            (Outcome::Rejected, Some(response)) => Self::Rejected(response.status),
            (Outcome::Failed | Outcome::None, _) => Self::NoHandshake,
            _ if connection.first_end().is_none() => Self::Open,
            _ if connection.visibility.iter().any(|(_, side)| side.encrypted) => Self::Hidden,
            _ => Self::NoClose,
        }
    }

    /// The Close code, if it is one.
    #[must_use]
    pub fn code(self) -> Option<u16> {
        if let Self::Code(code) = self { Some(code) } else { None }
    }

    /// The HTTP status that refused the upgrade, if it was refused.
    #[must_use]
    pub fn status(self) -> Option<u16> {
        if let Self::Rejected(status) = self { Some(status) } else { None }
    }

    /// The name under which the summary counts it: `1009`, `empty`, `none`, `http_403`, `no_handshake`, `open`, `encrypted`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Code(code) => code.to_string(),
            Self::EmptyClose => "empty".to_owned(),
            Self::NoClose => "none".to_owned(),
            Self::Rejected(status) => format!("http_{status}"),
            Self::NoHandshake => "no_handshake".to_owned(),
            Self::Open => "open".to_owned(),
            Self::Hidden => "encrypted".to_owned(),
        }
    }
}

/// Connections that ended for one common cause.
#[derive(Debug, Clone)]
pub struct Incident {
    /// What they share.
    pub key: IncidentKey,
    /// Their cause.
    pub cause: Cause,
    /// The least sure of their diagnoses; where others of the capture made some of them surer, the surest of those: the
    /// first of many could not know of the rest yet.
    pub confidence: Confidence,
    /// There were such.
    firm: bool,
    /// How many they are.
    pub count: u64,
    /// The server addresses involved, at most [`Incident::HOSTS`].
    pub servers: BTreeSet<Endpoint>,
    /// Stream numbers of the first connections, at most [`Incident::STREAMS`].
    pub streams: Vec<u64>,
    /// When the first and the last of them ended.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What else they have in common.
    pub shared: Shared,
    /// The one that began first: the proof to show.
    pub example: ConnectionReport,
}

impl Incident {
    /// Server addresses kept.
    pub const HOSTS: usize = 16;
    /// Stream numbers kept.
    pub const STREAMS: usize = 1000;

    fn new(key: IncidentKey, report: &ConnectionReport) -> Self {
        let diagnosis = &report.diagnosis;
        Self {
            key,
            cause: diagnosis.cause,
            confidence: diagnosis.confidence,
            firm: false,
            count: 0,
            servers: BTreeSet::new(),
            streams: Vec::new(),
            span: None,
            shared: Shared::default(),
            example: report.clone(),
        }
    }

    fn add(&mut self, report: &ConnectionReport) {
        let connection = &report.connection;
        self.count += 1;
        self.shared.add(report);
        let (one, is_firm) = (report.diagnosis.confidence, report.diagnosis.firm);
        self.confidence = match (self.firm, is_firm) {
            (false, true) => one,
            (true, true) => self.confidence.max(one),
            (true, false) => self.confidence,
            (false, false) => self.confidence.min(one),
        };
        self.firm |= is_firm;
        if self.servers.len() < Self::HOSTS {
            self.servers.insert(connection.endpoints[Side::Server]);
        }
        if self.streams.len() < Self::STREAMS {
            self.streams.push(connection.id.flow);
        }
        let ended = connection.first_end().map_or(connection.last, |end| end.at);
        if let Some(time) = ended.time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        if connection.first.packet < first_packet(&self.example) {
            self.example = report.clone();
        }
    }

    /// How much it asks for attention: what broke before what merely ended, then the larger number.
    fn urgency(&self) -> (u8, std::cmp::Reverse<u64>, PacketNumber) {
        let rank = match self.cause {
            Cause::StillOpen => 2,
            Cause::Normal | Cause::GoingAway => 1,
            _ => 0,
        };
        (rank, std::cmp::Reverse(self.count), first_packet(&self.example))
    }
}

fn first_packet(report: &ConnectionReport) -> PacketNumber {
    report.connection.first.packet
}

/// How many connections there are of each kind, whether or not their incident is kept.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// By the face of their end.
    pub by_closing: BTreeMap<Closing, u64>,
    /// By rule.
    pub by_rule: BTreeMap<RuleId, u64>,
    /// By cause.
    pub by_cause: BTreeMap<Cause, u64>,
    /// By who must act.
    pub by_party: BTreeMap<Party, u64>,
    /// By all but the face: a rule may leave open who must act.
    pub by_rule_and_party: BTreeMap<(RuleId, Cause, Party), u64>,
    /// All of them.
    pub total: u64,
}

impl Counts {
    /// Takes in one connection.
    pub fn add(&mut self, report: &ConnectionReport) {
        self.add_many(&IncidentKey::of(report), report.diagnosis.cause, 1);
    }

    fn add_many(&mut self, key: &IncidentKey, cause: Cause, count: u64) {
        let IncidentKey { rule, party, closing } = key;
        self.total += count;
        *self.by_closing.entry(*closing).or_default() += count;
        *self.by_rule.entry(rule.clone()).or_default() += count;
        *self.by_cause.entry(cause).or_default() += count;
        *self.by_party.entry(*party).or_default() += count;
        *self.by_rule_and_party.entry((rule.clone(), cause, *party)).or_default() += count;
    }
}

/// Collects incidents while reports come in.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    kinds: HashMap<IncidentKey, Kind, RandomState>,
    incidents: Vec<Incident>,
    moments: Moments,
    returns: Returns,
}

/// Connections that share what an incident's do.
#[derive(Debug, Clone, Copy)]
struct Kind {
    cause: Cause,
    count: u64,
    /// The place of their incident, if they are in one.
    incident: Option<usize>,
}

/// What was found across all connections.
#[derive(Debug, Clone, Default)]
pub struct Overview<'a> {
    /// All incidents, worst first.
    pub incidents: Vec<&'a Incident>,
    /// How many connections there are of each kind.
    pub counts: Counts,
    /// Ends of many connections that belong together, in the order of time.
    pub events: Vec<Event>,
    /// Smaller ones for which there is no room.
    pub more_events: u64,
    /// Clients that come back again and again.
    pub reconnects: Reconnects,
}

impl Fleet {
    /// Incidents kept. Beyond that, connections of a new kind join an incident of their rule, or are only counted.
    pub const INCIDENTS: usize = 500;

    /// Takes in one connection.
    pub fn add(&mut self, report: &ConnectionReport) {
        self.moments.add(report);
        self.returns.add(report);
        let key = IncidentKey::of(report);
        let incident = match self.kinds.get_mut(&key) {
            Some(kind) => {
                kind.count += 1;
                kind.incident
            }
            None => {
                let incident = self.incident_of(&key, report);
                self.kinds.insert(key, Kind { cause: report.diagnosis.cause, count: 1, incident });
                incident
            }
        };
        if let Some(incident) = incident {
            self.incidents[incident].add(report);
        }
    }

    /// The place of the incident for connections of a new kind: one of their own while there is room.
    fn incident_of(&mut self, key: &IncidentKey, first: &ConnectionReport) -> Option<usize> {
        if self.incidents.len() < Self::INCIDENTS {
            self.incidents.push(Incident::new(key.clone(), first));
            return Some(self.incidents.len() - 1);
        }
        let alike = self.incidents.iter().enumerate().filter(|(_, incident)| incident.key.rule == key.rule);
        alike.min_by(|(_, one), (_, other)| one.key.cmp(&other.key)).map(|(at, _)| at)
    }

    /// All incidents, worst first.
    #[must_use]
    pub fn incidents(&self) -> Vec<&Incident> {
        let mut incidents: Vec<_> = self.incidents.iter().collect();
        incidents.sort_by_key(|incident| incident.urgency());
        incidents
    }

    /// How many connections there are of each kind.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.kinds.iter().for_each(|(key, kind)| counts.add_many(key, kind.cause, kind.count));
        counts
    }

    /// Everything that the connections say together.
    #[must_use]
    pub fn overview(&self) -> Overview<'_> {
        let incidents = self.incidents();
        let (events, mut more_events) = self.moments.events();
        let cuts = incidents.iter().filter_map(|incident| Event::of_cut(incident));
        let (mut events, more) = Event::largest(events.into_iter().chain(cuts).collect());
        more_events += more;
        events.sort_by_key(|event| (event.start, event.servers.iter().min().copied()));
        let reconnects = self.returns.find(&events);
        Overview { incidents, counts: self.counts(), events, more_events, reconnects }
    }
}
