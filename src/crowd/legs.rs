//! The two legs of one WebSocket that goes through a proxy: a connection of its client to the proxy (the front leg) and
//! one of the proxy to its server (the back leg).
//!
//! Most proxies pass the `Sec-WebSocket-Key` on, and the stack has paired such legs while the request waited for its
//! answer. A proxy that makes a key of its own still relays what is said: legs whose first messages are the same, in the
//! same order, and each time on the leg first that it came from. Where more than two connections said the same, nothing is
//! paired.

use crate::limits::Limits;
use crate::units::{Endpoint, Origin, PerSide, Side};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};

/// Legs remembered after they ended; then the oldest are forgotten.
const ENDED: usize = 16_384;

/// Connections remembered that said the same; with three nobody knows which two belong together.
const ALIKE: usize = 3;

/// Bytes that must have been said before the same words tell anything.
const TELLING_BYTES: u64 = 16;

/// A proxy opens its leg within this time, in seconds.
const OPENED_SECONDS: f64 = 30.0;

/// The other leg of a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OtherLeg {
    /// The connection asked about is the one between client and proxy.
    pub asked_is_front: bool,
    /// Number of the other leg's flow.
    pub flow: u64,
    /// The first sign of its end; `None` while it goes on.
    pub end: Option<LegEnd>,
}

impl OtherLeg {
    /// Who ended the other leg, by the role in the whole path.
    #[must_use]
    pub fn ender(&self) -> Option<Party> {
        self.end.map(|end| Party::of(end.by, !self.asked_is_front))
    }
}

/// The end of a leg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LegEnd {
    /// What it was.
    pub kind: LegEndKind,
    /// Who sent it, on that leg.
    pub by: Side,
    /// The packet.
    pub at: Origin,
}

/// How a leg ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegEndKind {
    /// A Close frame, with its code.
    Close(Option<u16>),
    /// FIN without a Close frame.
    Fin,
    /// RST without a Close frame.
    Rst,
}

impl LegEndKind {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Close(_) => "close",
            Self::Fin => "fin",
            Self::Rst => "rst",
        }
    }
}

/// Who is who on the whole path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The client of the front leg.
    Client,
    /// The server of the front leg, which is the client of the back leg.
    Proxy,
    /// The server of the back leg.
    Server,
}

impl Party {
    /// Who a side of the front leg or of the back leg is.
    #[must_use]
    pub fn of(side: Side, front: bool) -> Self {
        match (side, front) {
            (Side::Client, true) => Self::Client,
            (Side::Server, false) => Self::Server,
            _ => Self::Proxy,
        }
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Proxy => "proxy",
            Self::Server => "server",
        }
    }
}

/// What the first messages of a connection were, as far as it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// A hash over the kind, size and beginning of the first messages of each side, and their number.
    pub hash: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The packet in which the first message of each side was complete.
    pub first: PerSide<Option<Origin>>,
}

#[derive(Debug)]
struct Leg {
    endpoints: PerSide<Endpoint>,
    opened: Origin,
    /// The other leg by its key, and whether this one is the front.
    linked: Option<(u64, bool)>,
    said: Option<Said>,
    end: Option<LegEnd>,
}

/// The first few connections that have said the same, in the order in which they did.
#[derive(Debug, Clone, Copy, Default)]
struct Alike {
    flows: [u64; ALIKE],
    count: u8,
}

impl Alike {
    fn flows(&self) -> &[u64] {
        &self.flows[..usize::from(self.count)]
    }

    fn add(&mut self, flow: u64) {
        if let Some(place) = self.flows.get_mut(usize::from(self.count)) {
            *place = flow;
            self.count += 1;
        }
    }

    fn remove(&mut self, flow: u64) {
        if let Some(place) = self.flows().iter().position(|known| *known == flow) {
            self.flows[place..usize::from(self.count)].rotate_left(1);
            self.count -= 1;
        }
    }
}

/// The legs that are open, and some that have ended.
#[derive(Debug)]
pub(super) struct Legs {
    /// Legs remembered after they ended.
    kept: usize,
    legs: HashMap<u64, Leg, RandomState>,
    /// The connections that have said the same, by its hash.
    alike: HashMap<u64, Alike, RandomState>,
    ended: VecDeque<u64>,
}

impl Legs {
    /// None yet. Who follows few connections remembers few.
    pub(super) fn new(limits: &Limits) -> Self {
        let kept = ENDED.min(limits.flows / 4);
        Self { kept, legs: HashMap::default(), alike: HashMap::default(), ended: VecDeque::new() }
    }

    /// `linked`: the flow that carries the same request, and whether this one is the front of the two.
    pub(super) fn opened(
        &mut self,
        flow: u64,
        endpoints: PerSide<Endpoint>,
        opened: Origin,
        linked: Option<(u64, bool)>,
    ) {
        self.legs.insert(flow, Leg { endpoints, opened, linked, said: None, end: None });
    }

    pub(super) fn spoke(&mut self, flow: u64, said: &Said) {
        let Some(leg) = self.legs.get_mut(&flow).filter(|leg| leg.linked.is_none()) else { return };
        let before = leg.said.replace(*said);
        if let Some(before) = before {
            self.forget_said(flow, before.hash);
        }
        if said.bytes < TELLING_BYTES {
            return;
        }
        self.alike.entry(said.hash).or_default().add(flow);
    }

    /// Only the first end counts.
    pub(super) fn ended(&mut self, flow: u64, end: LegEnd) {
        let Some(leg) = self.legs.get_mut(&flow) else { return };
        leg.end.get_or_insert(end);
    }

    /// A connection is not followed any more; what it was stays for a while.
    pub(super) fn left(&mut self, flow: u64) {
        self.ended.push_back(flow);
        while self.ended.len() > self.kept {
            let Some(oldest) = self.ended.pop_front() else { break };
            if let Some(said) = self.legs.remove(&oldest).and_then(|leg| leg.said) {
                self.forget_said(oldest, said.hash);
            }
        }
    }

    fn forget_said(&mut self, flow: u64, hash: u64) {
        if let Some(alike) = self.alike.get_mut(&hash) {
            alike.remove(flow);
            if alike.flows().is_empty() {
                self.alike.remove(&hash);
            }
        }
    }

    /// The other leg of a connection, if there is exactly one that can be.
    pub(super) fn other(&self, flow: u64) -> Option<OtherLeg> {
        let leg = self.legs.get(&flow)?;
        let (other, is_front) = match leg.linked {
            Some(linked) => linked,
            None => self.by_words(flow, leg)?,
        };
        let end = self.legs.get(&other)?.end;
        Some(OtherLeg { asked_is_front: is_front, flow: other, end })
    }

    /// The other leg by what was said, and whether this one is the front.
    fn by_words(&self, flow: u64, leg: &Leg) -> Option<(u64, bool)> {
        let said = leg.said.as_ref()?;
        let [one, two] = *self.alike.get(&said.hash)?.flows() else { return None };
        let other_flow = if one == flow { two } else { one };
        let other = self.legs.get(&other_flow)?;
        if relays(leg, other) {
            Some((other_flow, true))
        } else if relays(other, leg) {
            Some((other_flow, false))
        } else {
            None
        }
    }
}

/// Whether the proxy between two legs is the server of the one and the client of the other, and passed on what was said.
fn relays(front: &Leg, back: &Leg) -> bool {
    let (Some(on_front), Some(on_back)) = (&front.said, &back.said) else { return false };
    let before = |one: Option<Origin>, other: Option<Origin>| match (one, other) {
        (Some(one), Some(other)) => one.packet < other.packet,
        (None, None) => true,
        _ => false,
    };
    front.endpoints.server.ip == back.endpoints.client.ip
        && front.endpoints.server != back.endpoints.server
        && back.opened.seconds_since(&front.opened).is_none_or(|seconds| seconds.abs() <= OPENED_SECONDS)
        && before(on_front.first.client, on_back.first.client)
        && before(on_back.first.server, on_front.first.server)
}
