//! What the other connections of a capture say about one of them: who else ended then and there, after the same silence or
//! the same age, who went on, and which connection is the other leg of the same WebSocket, one proxy further.
//!
//! The stack leaves [`Notices`] of each connection: that it asks for an upgrade, is upgraded, speaks, outlasts a silence and
//! ends. It never asks. A [`Crowd`] [takes them in](Crowd::take), those of all connections in packet order. When a
//! connection is over, the crowd [tells](Crowd::settle) it what it found for it, and when it is reported,
//! [answers](Crowd::around) with an [`Around`]. All it keeps are small records in tables of fixed size, and what it found
//! for flows that are not over; what no longer fits makes a count smaller or an answer unknown, never larger.

mod company;
mod ends;
mod groups;
mod legs;
mod notice;
mod opened;
mod requests;
mod survived;

pub use company::{Alike, AlsoShared, Company, Moment, Together};
pub use legs::{LegEnd, LegEndKind, OtherLeg, Party, Said};
pub use notice::{Notice, Notices};

use crate::connection::{Connection, Leg};
use crate::limits::Limits;
use crate::units::{Endpoint, Origin, Side, Timestamp};
use foldhash::fast::RandomState;
use groups::{Ended, Groups};
use legs::Legs;
use notice::{Hosts, What};
use requests::Requests;
use std::collections::HashMap;
use std::net::IpAddr;

/// What the other connections say about one.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Those at the same host; `None` when the connection was never upgraded, has not ended, or its packets carry no time.
    pub company: Option<Box<Company>>,
    /// Why there is no company although there may be others.
    pub blind: Option<Blind>,
    /// The other leg of the same WebSocket, on the other side of a proxy.
    pub leg: Option<OtherLeg>,
}

/// Why the crowd cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blind {
    /// A table was full.
    Limit,
    /// The packets carry no time.
    NoTime,
    /// The clock of the capture was set back, so that moments cannot be compared.
    ClockStep,
    /// The capture ended too early.
    CaptureEnded,
}

/// Remembers of the connections what others are compared with.
#[derive(Debug)]
pub struct Crowd {
    servers: Groups<Endpoint>,
    clients: Groups<IpAddr>,
    legs: Legs,
    requests: Requests,
    /// What was found for flows that are not over yet.
    found: HashMap<u64, Found, RandomState>,
    clock_stepped: bool,
    over: bool,
}

/// What the others say of a connection while it goes on.
#[derive(Debug, Default)]
struct Found {
    front: Option<Leg>,
    behind: Option<Leg>,
    others_open: Option<u64>,
}

impl Crowd {
    /// Seconds of packet time that a report waits for others that end just after.
    pub const WAIT_SECONDS: f64 = 2.0;

    /// Nobody yet; the tables are as large as these bounds need them.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let (servers, clients, legs) = (Groups::new(limits), Groups::new(limits), Legs::new(limits));
        let (requests, found) = (Requests::default(), HashMap::default());
        Self { servers, clients, legs, requests, found, clock_stepped: false, over: false }
    }

    /// Takes in what the connection of this flow tells.
    pub fn take(&mut self, flow: u64, notice: Notice) {
        match notice.0 {
            What::Request(key, leg) => {
                if let Some(front) = self.requests.came(key, Leg { flow, ..leg }) {
                    self.found.entry(flow).or_default().front = Some(front);
                }
            }
            What::Answered(key) => match self.requests.answered(&key, flow) {
                Some(None) => {
                    self.found.get_mut(&flow).into_iter().for_each(|found| found.behind = None);
                }
                Some(behind) => self.found.entry(flow).or_default().behind = behind,
                None => {}
            },
            What::Opened { endpoints, first, since } => {
                let linked = self.found.get(&flow).and_then(Found::linked);
                self.legs.opened(flow, endpoints, first, linked);
                let Some(since) = since else { return };
                let Hosts { server, client } = Hosts::of(&endpoints);
                self.servers.opened(server, since, flow);
                self.clients.opened(client, since, flow);
            }
            What::Spoke(said) => self.legs.spoke(flow, &said),
            What::Survived(Hosts { server, client }, survived) => {
                self.servers.survived(server, flow, survived);
                self.clients.survived(client, flow, survived);
            }
            What::Ended { hosts: Hosts { server, client }, leg, place, ended } => {
                self.legs.ended(flow, leg);
                let Some(ended) = ended else { return };
                let ended = Ended { flow, ..ended };
                let at_server = self.servers.ended(server, place, ended);
                let at_client = self.clients.ended(client, place, ended);
                let others_open = if leg.by == Side::Server { at_server } else { at_client };
                if others_open.is_some() {
                    self.found.entry(flow).or_default().others_open = others_open;
                }
            }
            What::Left { .. } if self.over => {}
            What::Left { hosts: Hosts { server, client }, since } => {
                self.legs.left(flow);
                let Some(since) = since else { return };
                self.servers.left(&server, since, flow);
                self.clients.left(&client, since, flow);
            }
        }
    }

    /// The flow is over: what was found for it meanwhile goes into its connection, if it has one.
    pub fn settle(&mut self, flow: u64, connection: Option<&mut Connection>) {
        let Some(Found { front, behind, others_open }) = self.found.remove(&flow) else { return };
        let Some(connection) = connection else { return };
        if front.is_some() || behind.is_some() {
            (connection.front, connection.behind) = (front.map(Box::new), behind.map(Box::new));
        }
        connection.others_open = others_open;
    }

    /// The capture is over: whoever is open now was open to its end.
    pub fn capture_is_over(&mut self) {
        self.over = true;
    }

    /// Nobody listens at this server (any more): an attempt to connect was refused.
    pub fn refused(&mut self, server: Endpoint, at: Origin) {
        self.servers.refused(&server, at);
    }

    /// The clock of the capture was set back: what was noted before cannot be compared with what follows.
    pub fn clock_was_set_back(&mut self) {
        self.clock_stepped = true;
    }

    /// What the others say of the moment at which this connection ended, for a report that waits for longer than it takes to
    /// know; `None` when that cannot be told yet, or not at all. `now` is the latest time of the capture so far.
    #[must_use]
    pub fn moment(&self, connection: &Connection, now: Option<Timestamp>) -> Option<Moment> {
        let end = connection.first_end().filter(|_| connection.was_upgraded())?;
        let (time, now) = end.at.time.zip(now)?;
        if now.seconds_since(time) < Self::WAIT_SECONDS {
            return None;
        }
        match end.by {
            Side::Server => self.servers.moment(&connection.endpoints.server, connection, now),
            Side::Client => self.clients.moment(&connection.endpoints.client.ip, connection, now),
        }
    }

    /// What the others say about this connection; of the moment of its end, what they [said](Self::moment) then. `now` is the
    /// latest time of the capture so far.
    #[must_use]
    pub fn around(&self, connection: &Connection, now: Option<Timestamp>, moment: Option<Moment>) -> Around {
        let leg = self.legs.other(connection.id.flow);
        let Some(end) = connection.first_end().filter(|_| connection.was_upgraded()) else {
            return Around { leg, ..Around::default() };
        };
        let company = match (end.at.time, now) {
            _ if self.clock_stepped => Err(Blind::ClockStep),
            (Some(_), Some(now)) => match end.by {
                Side::Server => self.servers.company(&connection.endpoints.server, connection, now, moment),
                Side::Client => self.clients.company(&connection.endpoints.client.ip, connection, now, moment),
            },
            _ => Err(Blind::NoTime),
        };
        match company {
            Ok(company) => Around { company: Some(Box::new(company)), blind: None, leg },
            Err(blind) => Around { company: None, blind: Some(blind), leg },
        }
    }
}

impl Found {
    /// The flow that carries the same request, and whether the one asked about is nearer the client.
    fn linked(&self) -> Option<(u64, bool)> {
        let whole = |leg: Option<Leg>| leg.filter(|leg| !leg.stripped).map(|leg| leg.flow);
        let front = whole(self.front).map(|front| (front, false));
        front.or_else(|| whole(self.behind).map(|behind| (behind, true)))
    }
}
