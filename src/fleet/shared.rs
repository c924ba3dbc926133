//! What the connections of one incident have in common, in a fixed amount of memory.

use super::tally::make_room;
use super::{Common, ConnectionReport, Spread, Tally};
use crate::connection::{ClosePayload, Connection, EndSignalKind};
use crate::diagnosis::Cause;
use crate::evidence::FactId;
use crate::units::{Endpoint, PacketNumber, Side, Timestamp};
use std::borrow::Cow;
use std::net::IpAddr;

/// What the connections of one incident have in common.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    /// Where they went.
    pub servers: Tally<Endpoint>,
    /// The `Host` they asked for.
    pub hosts: Tally<String>,
    /// The path they asked for, without the query.
    pub paths: Tally<String>,
    /// Addresses of the clients.
    pub clients: Clients,
    /// Seconds without a byte in either direction before the end, where the capture shows all of them.
    pub silence: Spread,
    /// Seconds from the accepted handshake to the end.
    pub lifetime: Spread,
    /// When the first and the last of them began, of those whose beginning was seen.
    pub began: Option<(Timestamp, Timestamp)>,
    /// The first sign of the end, and from which side it came.
    pub ends: Tally<(Side, HowEnded)>,
    /// What the first Close frame said.
    pub reasons: Tally<String>,
    /// The application protocol, as people write it.
    pub applications: Tally<String>,
    /// What the responses say of the software that wrote or forwarded them.
    pub software: Tally<String>,
    /// Connections on which neither side sent a Ping.
    pub without_pings: u64,
    /// Connections of which the capture shows whether there were Pings.
    pub pings_seen: u64,
    /// The first and the last packet of all of them.
    pub packets: Option<(PacketNumber, PacketNumber)>,
    /// Where one side went silent: the last moment at which each of the connections was heard, and the first at which one
    /// got no answer. One cut explains all of them when the first lies before the second.
    pub heard: Option<(Timestamp, Timestamp)>,
}

pub(super) const SILENCE: FactId = FactId::named("end.silence_s");
pub(super) const LIFETIME: FactId = FactId::named("connection.lifetime_s");
const SILENT_SIDE: FactId = FactId::named("end.silent_side");
const SERVER: FactId = FactId::named("handshake.server");
const PROXY: FactId = FactId::named("handshake.proxy");

/// The facts that are asked of every connection that a fleet takes in, to be read beforehand.
pub(crate) const ASKED: [FactId; 4] = [SILENCE, LIFETIME, SERVER, PROXY];

/// The first sign of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HowEnded {
    /// A Close frame.
    Close,
    /// FIN without one.
    Fin,
    /// RST without one.
    Rst,
    /// Something else, such as a refusal of the upgrade.
    Other,
}

impl HowEnded {
    /// The stable name, as machines read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Other => "other",
        }
    }

    pub(super) fn of(kind: EndSignalKind) -> Self {
        match kind {
            EndSignalKind::CloseFrame => Self::Close,
            EndSignalKind::Fin | EndSignalKind::CloseNotify => Self::Fin,
            EndSignalKind::Rst => Self::Rst,
            EndSignalKind::TlsAlert | EndSignalKind::HandshakeRejected => Self::Other,
        }
    }
}

/// Addresses of clients: how many there are, up to a bound, and the first of them in order.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    /// In order.
    addresses: Vec<IpAddr>,
    more: bool,
}

impl Clients {
    /// Addresses told apart.
    pub const KEPT: usize = 1024;

    fn add(&mut self, address: IpAddr) {
        if self.more {
            return;
        }
        match self.addresses.binary_search(&address) {
            Err(at) if self.addresses.len() < Self::KEPT => {
                make_room(&mut self.addresses);
                self.addresses.insert(at, address);
            }
            found => self.more = found.is_err(),
        }
    }

    /// How many there are; at least as many if there [may be more](Self::has_more).
    #[must_use]
    pub fn count(&self) -> u64 {
        self.addresses.len() as u64
    }

    /// Whether there were more than are told apart.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// The first few of them, in order.
    pub fn first(&self, most: usize) -> impl Iterator<Item = &IpAddr> {
        self.addresses.iter().take(most)
    }
}

/// A length of time that is the same for many connections although they began at different times: a timer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantised {
    /// They ended after the same time of silence.
    Silence(Common),
    /// They ended at the same age, whatever was said on them before: a maximum lifetime.
    Lifetime(Common),
    /// They share both, as where nothing was said on them or all keep to one script: which of the two limits ended them is
    /// not told. First the silence, then the age.
    Either(Common, Common),
}

impl Shared {
    pub(super) fn add(&mut self, report: &ConnectionReport) {
        let connection = &*report.connection;
        self.servers.add(&connection.endpoints.server);
        self.clients.add(connection.endpoints.client.ip);
        if let Some(request) = &connection.handshake.request {
            if let Some(host) = &request.host {
                self.hosts.add(host.as_str());
            }
            self.paths.add(without_query(request.path.as_str()));
        }
        if let Some(end) = connection.first_end() {
            self.ends.add(&(end.by, HowEnded::of(end.kind)));
            // The end of the capture ends no silence.
            if let Some(silence) = report.facts.number(SILENCE) {
                self.silence.add(silence);
            }
            if let Some(lifetime) = report.facts.number(LIFETIME) {
                self.lifetime.add(lifetime);
            }
        }
        if let Some(started) = started(connection) {
            let (first, last) = self.began.unwrap_or((started, started));
            self.began = Some((first.min(started), last.max(started)));
        }
        if let Some(reason) = reason(connection) {
            self.reasons.add(&*reason);
        }
        if let Some(application) = connection.application.as_deref() {
            self.applications.add(&*application.protocol.title);
        }
        for fact in [SERVER, PROXY] {
            report.facts.text(fact).into_iter().for_each(|text| self.software.add(text));
        }
        self.pings(connection);
        let (first, last) = (connection.first.packet, connection.last.packet);
        let (earliest, latest) = self.packets.unwrap_or((first, last));
        self.packets = Some((earliest.min(first), latest.max(last)));
        if report.diagnosis.cause == Cause::NetworkLoss {
            self.went_silent(report);
        }
    }

    fn pings(&mut self, connection: &Connection) {
        let sent = |side: Side| connection.traffic[side].pings.count > 0;
        let all_seen = Side::BOTH.into_iter().all(|side| connection.visibility[side].frames_complete());
        if Side::BOTH.into_iter().any(sent) {
            self.pings_seen += 1;
        } else if all_seen {
            self.pings_seen += 1;
            self.without_pings += 1;
        }
    }

    /// Between which moments the path was cut, if one cut explains it.
    fn went_silent(&mut self, report: &ConnectionReport) {
        let connection = &*report.connection;
        let silent = report.facts.text(SILENT_SIDE);
        let Some(silent) = Side::BOTH.into_iter().find(|side| silent == Some(side.name())) else { return };
        let heard = connection.tcp[silent].last.and_then(|last| last.time);
        let unanswered = connection.tcp[silent.other()].pending.as_ref().and_then(|pending| pending.since.time);
        if let (Some(heard), Some(unanswered)) = (heard, unanswered) {
            let (latest, earliest) = self.heard.unwrap_or((heard, unanswered));
            self.heard = Some((latest.max(heard), earliest.min(unanswered)));
        }
    }

    /// The length of time that most of them share, when they began at different times: those that began together end
    /// together for any reason.
    #[must_use]
    pub fn quantised(&self) -> Option<Quantised> {
        let (silence, lifetime) = (self.silence.common(), self.lifetime.common());
        let scattered = |common: &Common| {
            self.began.is_some_and(|(first, last)| last.seconds_since(first) > (common.most - common.least) * 2.0 + 1.0)
        };
        match (silence.filter(scattered), lifetime.filter(scattered)) {
            // What fewer of them share is the coincidence.
            (Some(silence), Some(lifetime)) if lifetime.count == silence.count => {
                Some(Quantised::Either(silence, lifetime))
            }
            (Some(silence), Some(lifetime)) if lifetime.count > silence.count => Some(Quantised::Lifetime(lifetime)),
            (Some(silence), _) => Some(Quantised::Silence(silence)),
            (None, Some(lifetime)) => Some(Quantised::Lifetime(lifetime)),
            (None, None) => None,
        }
    }
}

/// The part of a path before its query, whose values are nobody's business.
pub(super) fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// When a connection began; `None` when the capture came later, or its clock stepped since.
pub(super) fn started(connection: &Connection) -> Option<Timestamp> {
    let joined_late = connection.handshake.response.is_none()
        && connection.visibility.iter().any(|(_, visibility)| visibility.joined_late);
    if joined_late { None } else { connection.first.time }
}

fn reason(connection: &Connection) -> Option<Cow<'_, str>> {
    let signal = connection.first_close()?;
    match &connection.traffic[signal.by].close.as_ref()?.payload {
        ClosePayload::Status { reason, .. } if !reason.is_empty() => Some(reason.text()),
        _ => None,
    }
}
