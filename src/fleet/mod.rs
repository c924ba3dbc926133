//! Many connections seen together: those with one common cause become an incident.
//!
//! An incident keeps counters, a bounded list of connections and one example, so that its size does not depend on the
//! number of connections. It only adds to the reports of the connections; it never changes them.

mod limits;
mod quality;
mod summary;

pub use limits::{CaptureLimit, capture_limits};
pub use quality::{Fault, Quality, Verdict};
pub use summary::{CopyCounts, HopCounts, SightCounts, Summary};

use crate::connection::{ClosePayload, Connection, Outcome};
use crate::diagnosis::{Cause, Confidence, Diagnosis, Party, RuleId};
use crate::evidence::Facts;
use crate::units::{Endpoint, PacketNumber, Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// One connection that has ended, or whose capture has: what was seen, as facts, and what it means.
#[derive(Debug, Clone)]
pub struct ConnectionReport {
    /// What was seen.
    pub connection: Box<Connection>,
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
    /// The least sure of their diagnoses.
    pub confidence: Confidence,
    /// How many they are.
    pub count: u64,
    /// The server addresses involved, at most [`Incident::HOSTS`].
    pub servers: BTreeSet<Endpoint>,
    /// Stream numbers of the first connections, at most [`Incident::STREAMS`].
    pub streams: Vec<u64>,
    /// When the first and the last of them ended.
    pub span: Option<(Timestamp, Timestamp)>,
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
            count: 0,
            servers: BTreeSet::new(),
            streams: Vec::new(),
            span: None,
            example: report.clone(),
        }
    }

    fn add(&mut self, report: &ConnectionReport) {
        let connection = &report.connection;
        self.count += 1;
        self.confidence = self.confidence.min(report.diagnosis.confidence);
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

/// Collects incidents while reports come in.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    incidents: BTreeMap<IncidentKey, Incident>,
}

impl Fleet {
    /// Takes in one connection.
    pub fn add(&mut self, report: &ConnectionReport) {
        let diagnosis = &report.diagnosis;
        let key = IncidentKey { rule: diagnosis.rule.clone(), party: diagnosis.party, closing: Closing::of(report) };
        self.incidents.entry(key.clone()).or_insert_with(|| Incident::new(key, report)).add(report);
    }

    /// All incidents, worst first.
    #[must_use]
    pub fn incidents(&self) -> Vec<&Incident> {
        let mut incidents: Vec<_> = self.incidents.values().collect();
        incidents.sort_by_key(|incident| incident.urgency());
        incidents
    }
}
