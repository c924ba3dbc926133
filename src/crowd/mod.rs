//! What the other connections of a capture say about one of them: who else ended then and there, after the same silence or
//! the same age, who went on, and which connection is the other leg of the same WebSocket, one proxy further.
//!
//! The stack tells a [`Crowd`] of each upgraded connection when it opens, speaks, outlasts a silence and ends, in packet
//! order. When a connection is reported, the crowd [answers](Crowd::around) with an [`Around`]. All it keeps are small
//! records in tables of fixed size; what no longer fits makes a count smaller or an answer unknown, never larger.

mod groups;
mod legs;

pub use groups::{Alike, AlsoShared, Company, Together};
pub use legs::{LegEnd, LegEndKind, OtherLeg, Party, Said};

use crate::connection::{Connection, EndSignalKind, Silence};
use crate::limits::Limits;
use crate::units::{Endpoint, Origin, Side, Timestamp};
use groups::{Ended, Groups, Place};
use legs::Legs;
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
    clock_stepped: bool,
    over: bool,
}

impl Crowd {
    /// Seconds of packet time that a report waits for others that end just after.
    pub const WAIT_SECONDS: f64 = 2.0;

    /// Nobody yet; the tables are as large as these bounds need them.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let (servers, clients, legs) = (Groups::new(limits), Groups::new(limits), Legs::new(limits));
        Self { servers, clients, legs, clock_stepped: false, over: false }
    }

    /// A connection was upgraded, or is found to have been.
    pub fn opened(&mut self, connection: &Connection) {
        self.legs.opened(connection);
        let Some(since) = opened_at(connection).time else { return };
        let PerHost { server, client } = hosts(connection);
        self.servers.opened(server, since, connection.id.flow);
        self.clients.opened(client, since, connection.id.flow);
    }

    /// A side of an upgraded connection has said one more of its first messages.
    pub fn spoke(&mut self, connection: &Connection, said: &Said) {
        self.legs.spoke(connection.id.flow, said);
    }

    /// A connection was silent for a while, and went on.
    pub fn survived(&mut self, connection: &Connection, survived: Silence) {
        let PerHost { server, client } = hosts(connection);
        self.servers.survived(server, connection.id.flow, survived);
        self.clients.survived(client, connection.id.flow, survived);
    }

    /// The first sign of the end of an upgraded connection came.
    pub fn ended(&mut self, connection: &mut Connection) {
        let (Some(end), Some(place)) = (connection.first_end(), Place::of(connection)) else { return };
        let by = end.by;
        let kind = match end.kind {
            EndSignalKind::CloseFrame => LegEndKind::Close(groups::code_of(connection, by)),
            EndSignalKind::Rst => LegEndKind::Rst,
            _ => LegEndKind::Fin,
        };
        self.legs.ended(connection.id.flow, LegEnd { kind, by, at: end.at });
        let Some(ended) = Ended::of(connection) else { return };
        let PerHost { server, client } = hosts(connection);
        let at_server = self.servers.ended(server, place, ended);
        let at_client = self.clients.ended(client, place, ended);
        connection.others_open = if by == Side::Server { at_server } else { at_client };
    }

    /// The connection is not followed any more, whether it ended or not.
    pub fn left(&mut self, connection: &Connection) {
        if self.over {
            return;
        }
        self.legs.left(connection.id.flow);
        let Some(since) = opened_at(connection).time else { return };
        let PerHost { server, client } = hosts(connection);
        self.servers.left(&server, since, connection.id.flow);
        self.clients.left(&client, since, connection.id.flow);
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

    /// What the others say about this connection. `now` is the latest time of the capture so far.
    #[must_use]
    pub fn around(&self, connection: &Connection, now: Option<Timestamp>) -> Around {
        let leg = self.legs.other(connection.id.flow);
        let Some(end) = connection.first_end().filter(|_| connection.was_upgraded()) else {
            return Around { leg, ..Around::default() };
        };
        let company = match (end.at.time, now) {
            _ if self.clock_stepped => Err(Blind::ClockStep),
            (Some(_), Some(now)) => match end.by {
                Side::Server => self.servers.company(&connection.endpoints.server, connection, now),
                Side::Client => self.clients.company(&connection.endpoints.client.ip, connection, now),
            },
            _ => Err(Blind::NoTime),
        };
        match company {
            Ok(company) => Around { company: Some(Box::new(company)), blind: None, leg },
            Err(blind) => Around { company: None, blind: Some(blind), leg },
        }
    }
}

struct PerHost {
    server: Endpoint,
    client: IpAddr,
}

fn hosts(connection: &Connection) -> PerHost {
    PerHost { server: connection.endpoints.server, client: connection.endpoints.client.ip }
}

/// Since when a connection counts as open: its 101 or, where that was not seen, its first packet.
fn opened_at(connection: &Connection) -> Origin {
    connection.handshake.response.as_ref().map_or(connection.first, |response| response.last)
}
