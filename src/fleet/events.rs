//! Moments at which a server ended many connections at once: a deploy, a crash, a reload, a drain, a cut.
//!
//! What an event is and what it most likely was. The module `moments` finds those that are ends at one server.

use super::{Closing, HowEnded, Incident, Tally};
use crate::diagnosis::{Cause, RuleId};
use crate::units::{Endpoint, PacketNumber, Timestamp};

/// Ends of many connections that belong together.
#[derive(Debug, Clone)]
pub struct Event {
    /// What it most likely was.
    pub kind: EventKind,
    /// The servers, in the order in which it came to them; one, except for a rolling one.
    pub servers: Vec<Endpoint>,
    /// The first end.
    pub start: Timestamp,
    /// The last one.
    pub end: Timestamp,
    /// How many connections it ended.
    pub count: u64,
    /// How many were open there when it began, these included; `None` when that is not known.
    pub open: Option<u64>,
    /// How the ends looked.
    pub closings: Tally<Closing>,
    /// What came first on the wire.
    pub how: Tally<HowEnded>,
    /// The rules that explain the single connections.
    pub rules: Tally<RuleId>,
    /// The packet of the first end, and the TCP connection it is on.
    pub example: (PacketNumber, u64),
}

/// What an event most likely was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// The server announced it: 1012, or 1001 (RFC 6455 §7.4.1).
    Restart,
    /// All were dropped without a word: the process ended, or what stands for it.
    ProcessEnded,
    /// A part was dropped without a word: one worker of several, or a proxy that reloads.
    PartDropped,
    /// The server closed them in order: 1000.
    ClosedByServer,
    /// The server closed them with another code.
    CodeForAll,
    /// They were of the same age, or silent for the same time: a limit explains it as well.
    SameAge,
    /// Servers one after the other.
    Rolling,
    /// One server was emptied over minutes, while others took new connections.
    Drain,
    /// The network was cut: nothing came through any more.
    NetworkCut,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Restart,
        Self::ProcessEnded,
        Self::PartDropped,
        Self::ClosedByServer,
        Self::CodeForAll,
        Self::SameAge,
        Self::Rolling,
        Self::Drain,
        Self::NetworkCut,
    ];

    /// The stable name, as machines read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::ProcessEnded => "process_ended",
            Self::PartDropped => "part_dropped",
            Self::ClosedByServer => "closed_by_server",
            Self::CodeForAll => "code_for_all",
            Self::SameAge => "same_age",
            Self::Rolling => "rolling",
            Self::Drain => "drain",
            Self::NetworkCut => "network_cut",
        }
    }
}

impl Event {
    /// Events kept.
    pub const MOST: usize = 200;

    /// The largest of many, and how many that leaves out.
    pub(super) fn largest(mut events: Vec<Self>) -> (Vec<Self>, u64) {
        let more = events.len().saturating_sub(Self::MOST) as u64;
        if more > 0 {
            events.sort_by_key(|event| (std::cmp::Reverse(event.count), event.start));
            events.truncate(Self::MOST);
        }
        (events, more)
    }

    /// Seconds from the first end to the last.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.end.seconds_since(self.start)
    }

    /// The one cut that explains all connections of an incident in which a side went silent: they were all heard before
    /// the first of them got no answer.
    pub(super) fn of_cut(incident: &Incident) -> Option<Self> {
        let (heard, unanswered) = incident.shared.heard?;
        if incident.cause != Cause::NetworkLoss || incident.count < LEAST || heard > unanswered {
            return None;
        }
        let mut rules = Tally::default();
        rules.add_many(&incident.key.rule, incident.count);
        let mut closings = Tally::default();
        closings.add_many(&incident.key.closing, incident.count);
        let connection = &incident.example.connection;
        Some(Self {
            kind: EventKind::NetworkCut,
            servers: incident.servers.iter().copied().collect(),
            start: heard,
            end: unanswered,
            count: incident.count,
            open: None,
            closings,
            how: Tally::default(),
            rules,
            example: (connection.last.packet, connection.id.flow),
        })
    }
}

/// Fewer ends are a coincidence.
pub(super) const LEAST: u64 = 3;

/// Servers that follow one another within this many seconds are one rolling event.
const ROLLING_SECONDS: f64 = 300.0;

/// One event out of those that came to one server after the other in the same way.
pub(super) fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut found: Vec<Event> = Vec::new();
    let mut rest = events.into_iter().peekable();
    while let Some(event) = rest.next() {
        let mut chain = vec![event];
        while let Some(next) = rest.peek() {
            let last = &chain[chain.len() - 1];
            let is_next = next.kind == last.kind
                && !matches!(next.kind, EventKind::Drain | EventKind::SameAge)
                && chain.iter().all(|known| known.servers != next.servers)
                && next.start.seconds_since(last.end) <= ROLLING_SECONDS;
            if !is_next {
                break;
            }
            chain.extend(rest.next());
        }
        found.extend(one_after_the_other(chain));
    }
    found
}

fn one_after_the_other(chain: Vec<Event>) -> Vec<Event> {
    // Two servers may be a coincidence, and those that go down together are no row.
    let in_a_row = chain.windows(2).all(|pair| pair[1].start.seconds_since(pair[0].start) >= 1.0);
    if chain.len() < 3 || !in_a_row {
        return chain;
    }
    let mut events = chain.into_iter();
    let Some(mut whole) = events.next() else { return Vec::new() };
    whole.kind = EventKind::Rolling;
    for event in events {
        whole.servers.extend(event.servers);
        whole.end = whole.end.max(event.end);
        whole.count += event.count;
        whole.open = whole.open.zip(event.open).map(|(known, more)| known + more);
        whole.closings.merge(&event.closings);
        whole.how.merge(&event.how);
        whole.rules.merge(&event.rules);
    }
    vec![whole]
}
