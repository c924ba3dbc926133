//! The two legs of one WebSocket that goes through a proxy: a connection of its client to the proxy (the front leg) and
//! one of the proxy to its server (the back leg).
//!
//! Most proxies pass the `Sec-WebSocket-Key` on, and the stack has paired such legs while the request waited for its
//! answer. A proxy that makes a key of its own still relays what is said: legs whose first messages are the same, in the
//! same order, and each time on the leg first that it came from. Where more than two connections said the same, nothing is
//! paired.

use crate::limits::Limits;
use crate::units::{Endpoint, Origin, PacketNumber, PerSide, Side, Timestamp};
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;

/// Legs remembered after they ended; then the oldest are forgotten.
const ENDED: usize = 8192;

/// Connections remembered that said the same; with three nobody knows which two belong together.
const ALIKE: usize = 3;

/// Servers looked out for as clients; with more there is taken to be a proxy.
const SERVERS: usize = 64;

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

/// What is remembered of each leg: nothing but this for one that is open and goes its own way.
#[derive(Debug)]
struct Leg {
    flow: u64,
    endpoints: PerSide<Endpoint>,
    opened: Option<Timestamp>,
    end: Option<LegEnd>,
    words: Option<Words>,
}

/// What a leg has said.
#[derive(Debug, Clone, Copy)]
struct Words {
    hash: u64,
    /// The packet in which the first message of each side was complete.
    first: PerSide<Option<PacketNumber>>,
    /// The seat of the next leg that said the same, in the order in which they did.
    next: Option<u32>,
}

/// The legs that are open, and some that have ended.
#[derive(Debug)]
pub(super) struct Legs {
    /// Legs remembered after they ended.
    kept: usize,
    /// Each sits where one was forgotten, or at the end.
    seats: Vec<Leg>,
    free: Vec<u32>,
    of_flow: HashMap<u64, u32, RandomState>,
    /// Where legs lead to, while none of these hosts is a client as well: then there is no proxy between any two legs, and
    /// what they say is not compared.
    servers: Option<HashSet<IpAddr, RandomState>>,
    /// The first leg that has said something, by its hash; none while that is not compared.
    by_words: HashMap<u64, u32, RandomState>,
    /// The other leg of a flow by its key, and whether this one is the front.
    linked: HashMap<u64, (u64, bool), RandomState>,
    left: VecDeque<u64>,
}

impl Legs {
    /// None yet. Who follows few connections remembers few.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            kept: ENDED.min(limits.flows / 4),
            seats: Vec::new(),
            free: Vec::new(),
            of_flow: HashMap::default(),
            servers: Some(HashSet::default()),
            by_words: HashMap::default(),
            linked: HashMap::default(),
            left: VecDeque::new(),
        }
    }

    /// `linked`: the flow that carries the same request, and whether this one is the front of the two.
    pub(super) fn opened(
        &mut self,
        flow: u64,
        endpoints: PerSide<Endpoint>,
        opened: Origin,
        linked: Option<(u64, bool)>,
    ) {
        if let Some(linked) = linked {
            self.linked.insert(flow, linked);
        }
        let leg = Leg { flow, endpoints, opened: opened.time, end: None, words: None };
        if let Some(&seat) = self.of_flow.get(&flow) {
            self.forget_words(seat);
            let known = &mut self.seats[seat as usize];
            *known = Leg { end: known.end, ..leg };
        } else if let Some(seat) = self.free.pop() {
            self.seats[seat as usize] = leg;
            self.of_flow.insert(flow, seat);
        } else if let Ok(seat) = u32::try_from(self.seats.len()) {
            // There may be a million, and soon no more than now.
            if self.seats.len() == self.seats.capacity() {
                self.seats.reserve_exact(self.seats.len() / 4 + 64);
            }
            self.seats.push(leg);
            self.of_flow.insert(flow, seat);
        }
        self.look_for_proxy(&endpoints);
    }

    /// Compares what all have said and will say, if this leg shows that there may be a proxy.
    fn look_for_proxy(&mut self, endpoints: &PerSide<Endpoint>) {
        let Some(servers) = &mut self.servers else { return };
        let PerSide { client, server } = endpoints.map(|endpoint| endpoint.ip);
        let is_client = |server: IpAddr| self.seats.iter().any(|leg| leg.endpoints.client.ip == server);
        let is_proxy = servers.insert(server) && is_client(server);
        if is_proxy || servers.contains(&client) || servers.len() > SERVERS {
            self.servers = None;
            (0..self.seats.len() as u32).for_each(|seat| self.compare_words(seat));
        }
    }

    pub(super) fn spoke(&mut self, flow: u64, said: &Said) {
        if self.linked.contains_key(&flow) {
            return;
        }
        let Some(&seat) = self.of_flow.get(&flow) else { return };
        self.forget_words(seat);
        if said.bytes < TELLING_BYTES {
            return;
        }
        let first = said.first.map(|first| first.map(|at| at.packet));
        self.seats[seat as usize].words = Some(Words { hash: said.hash, first, next: None });
        if self.servers.is_none() {
            self.compare_words(seat);
        }
    }

    /// Puts a leg that has said something behind those that have said the same.
    fn compare_words(&mut self, seat: u32) {
        let Some(Words { hash, .. }) = self.seats[seat as usize].words else { return };
        match self.alike(hash).enumerate().last() {
            None => {
                self.by_words.insert(hash, seat);
            }
            Some((index, last)) if index + 1 < ALIKE => {
                if let Some(words) = &mut self.seats[last as usize].words {
                    words.next = Some(seat);
                }
            }
            Some(_) => {}
        }
    }

    /// The seats of those that have said the same, in the order in which they did.
    fn alike(&self, hash: u64) -> impl Iterator<Item = u32> {
        let next = |seat: &u32| self.seats.get(*seat as usize)?.words?.next;
        std::iter::successors(self.by_words.get(&hash).copied(), next)
    }

    /// What this leg had said is not what it says now.
    fn forget_words(&mut self, seat: u32) {
        let Some(words) = self.seats.get_mut(seat as usize).and_then(|leg| leg.words.take()) else { return };
        if self.servers.is_some() {
            return;
        }
        if self.by_words.get(&words.hash) == Some(&seat) {
            match words.next {
                Some(next) => self.by_words.insert(words.hash, next),
                None => self.by_words.remove(&words.hash),
            };
            return;
        }
        let before = self.alike(words.hash).find(|before| {
            let leg = self.seats.get(*before as usize);
            leg.and_then(|leg| leg.words).is_some_and(|other| other.next == Some(seat))
        });
        if let Some(before) = before.and_then(|before| self.seats.get_mut(before as usize)?.words.as_mut()) {
            before.next = words.next;
        }
    }

    /// Only the first end counts.
    pub(super) fn ended(&mut self, flow: u64, end: LegEnd) {
        if let Some(&seat) = self.of_flow.get(&flow) {
            self.seats[seat as usize].end.get_or_insert(end);
        }
    }

    /// A connection is not followed any more; what it was stays for a while.
    pub(super) fn left(&mut self, flow: u64) {
        self.left.push_back(flow);
        while self.left.len() > self.kept {
            let Some(oldest) = self.left.pop_front() else { break };
            self.linked.remove(&oldest);
            if let Some(seat) = self.of_flow.remove(&oldest) {
                self.forget_words(seat);
                self.free.push(seat);
            }
        }
    }

    /// The other leg of a connection, if there is exactly one that can be.
    pub(super) fn other(&self, flow: u64) -> Option<OtherLeg> {
        let seat = *self.of_flow.get(&flow)?;
        let (other, is_front) = match self.linked.get(&flow) {
            Some(linked) => *linked,
            None => self.by_words(seat)?,
        };
        let seat = *self.of_flow.get(&other)?;
        Some(OtherLeg { asked_is_front: is_front, flow: other, end: self.seats[seat as usize].end })
    }

    /// The other leg by what was said, and whether this one is the front.
    fn by_words(&self, seat: u32) -> Option<(u64, bool)> {
        let leg = self.seats.get(seat as usize)?;
        let mut alike = self.alike(leg.words?.hash);
        let (Some(one), Some(two), None) = (alike.next(), alike.next(), alike.next()) else { return None };
        let other = self.seats.get(if one == seat { two } else { one } as usize)?;
        if relays(leg, other) {
            Some((other.flow, true))
        } else if relays(other, leg) {
            Some((other.flow, false))
        } else {
            None
        }
    }
}

/// Whether the proxy between two legs is the server of the one and the client of the other, and passed on what was said.
fn relays(front: &Leg, back: &Leg) -> bool {
    let (Some(on_front), Some(on_back)) = (&front.words, &back.words) else { return false };
    let before = |one: Option<PacketNumber>, other: Option<PacketNumber>| match (one, other) {
        (Some(one), Some(other)) => one < other,
        (None, None) => true,
        _ => false,
    };
    front.endpoints.server.ip == back.endpoints.client.ip
        && front.endpoints.server != back.endpoints.server
        && front.opened.zip(back.opened).is_none_or(|(front, back)| back.seconds_since(front).abs() <= OPENED_SECONDS)
        && before(on_front.first.client, on_back.first.client)
        && before(on_back.first.server, on_front.first.server)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(legs: &mut Legs, flow: u64, client: &str, server: &str) {
        let endpoint = |text: &str| {
            let address: std::net::SocketAddr = text.parse().expect("an address");
            Endpoint { ip: address.ip(), port: address.port() }
        };
        let endpoints = PerSide { client: endpoint(client), server: endpoint(server) };
        let packet = PacketNumber::new(flow).expect("not 0");
        legs.opened(flow, endpoints, Origin { packet, time: None }, None);
    }

    fn speaks(legs: &mut Legs, flow: u64, hash: u64, packet: u64) {
        let first = PacketNumber::new(packet).map(|packet| Origin { packet, time: None });
        legs.spoke(flow, &Said { hash, bytes: 100, first: PerSide { client: first, server: None } });
    }

    #[test]
    fn what_was_said_before_a_proxy_showed_itself_counts() {
        let (front, back) = (("203.0.113.9:5000", "10.0.0.2:443"), ("10.0.0.2:39000", "10.0.0.3:80"));
        // Whichever of the two is seen first, and however many went elsewhere before.
        for (first, second, front_flow) in [(front, back, 1000), (back, front, 1001)] {
            for others in [0, 2 * SERVERS as u64] {
                let mut legs = Legs::new(&Limits::default());
                leg(&mut legs, 1000, first.0, first.1);
                speaks(&mut legs, 1000, 7, if front_flow == 1000 { 5 } else { 6 });
                for other in 1..=others {
                    leg(&mut legs, other, "198.51.100.1:1", &format!("192.0.2.{}:80", other % 250));
                    speaks(&mut legs, other, other + 100, 5);
                    assert_eq!(legs.other(other), None);
                }
                assert_eq!(legs.other(1000), None);
                leg(&mut legs, 1001, second.0, second.1);
                speaks(&mut legs, 1001, 7, if front_flow == 1000 { 6 } else { 5 });
                let found = |flow: u64| legs.other(flow).map(|other| (other.flow, other.asked_is_front));
                assert_eq!(found(1000), Some((1001, front_flow == 1000)));
                assert_eq!(found(1001), Some((1000, front_flow == 1001)));
            }
        }
    }

    #[test]
    fn while_no_host_is_both_server_and_client_nothing_is_compared() {
        let mut legs = Legs::new(&Limits::default());
        for flow in 1..100 {
            leg(&mut legs, flow, &format!("198.51.100.{flow}:1"), "192.0.2.1:80");
            speaks(&mut legs, flow, 7, flow);
        }
        assert!(legs.by_words.is_empty());
        leg(&mut legs, 100, "192.0.2.1:3000", "192.0.2.2:80");
        assert_eq!(legs.alike(7).count(), ALIKE);
    }
}
