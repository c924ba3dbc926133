//! What a connection tells the crowd: small values that can be passed on and taken in later.

use super::groups::{self, Ended, Place};
use super::{LegEnd, LegEndKind, Said};
use crate::connection::{AcceptValue, Connection, EndSignalKind, Leg, Silence};
use crate::units::{Endpoint, Origin, PacketNumber, PerSide, Timestamp};
use std::net::IpAddr;

/// One thing that a connection tells.
///
/// Who looks after one connection does not know the numbers of the others, so a notice carries none: who
/// [takes it in](super::Crowd::take) says which flow it is about.
#[derive(Debug)]
pub struct Notice(pub(super) What);

#[derive(Debug)]
pub(super) enum What {
    /// A request for an upgrade was sent.
    Request(AcceptValue, Leg),
    /// It has its answer, or never will.
    Answered(AcceptValue),
    /// A connection was upgraded, or is found to have been.
    Opened { endpoints: PerSide<Endpoint>, first: Origin, since: Option<Timestamp> },
    /// A side of an upgraded connection has said one more of its first messages.
    Spoke(Said),
    /// A connection was silent for a while, and went on.
    Survived(Hosts, Silence),
    /// The first sign of the end of an upgraded connection came.
    Ended { hosts: Hosts, leg: LegEnd, place: Place, ended: Option<Ended> },
    /// The connection is not followed any more, whether it ended or not.
    Left { hosts: Hosts, since: Option<Timestamp> },
}

/// Where a connection is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hosts {
    pub(super) server: Endpoint,
    pub(super) client: IpAddr,
}

impl Hosts {
    pub(super) fn of(endpoints: &PerSide<Endpoint>) -> Self {
        Self { server: endpoints.server, client: endpoints.client.ip }
    }
}

impl Notice {
    fn request(connection: &Connection) -> Option<Self> {
        let request = connection.handshake.request.as_deref()?;
        let &key = request.key.accept()?;
        let PerSide { client, server } = connection.endpoints;
        let leg = Leg { flow: connection.id.flow, client, server, stripped: request.upgrade_stripped() };
        Some(Self(What::Request(key, leg)))
    }

    fn answered(connection: &Connection) -> Option<Self> {
        let &key = connection.handshake.request.as_deref()?.key.accept()?;
        Some(Self(What::Answered(key)))
    }

    fn opened(connection: &Connection) -> Self {
        let since = groups::opened_at(connection).time;
        Self(What::Opened { endpoints: connection.endpoints, first: connection.first, since })
    }

    fn ended(connection: &Connection) -> Option<Self> {
        let (end, place) = (connection.first_end()?, Place::of(connection)?);
        let by = end.by;
        let kind = match end.kind {
            EndSignalKind::CloseFrame => LegEndKind::Close(groups::code_of(connection, by)),
            EndSignalKind::Rst => LegEndKind::Rst,
            _ => LegEndKind::Fin,
        };
        let leg = LegEnd { kind, by, at: end.at };
        let hosts = Hosts::of(&connection.endpoints);
        Some(Self(What::Ended { hosts, leg, place, ended: Ended::of(connection) }))
    }

    fn left(connection: &Connection) -> Self {
        let since = groups::opened_at(connection).time;
        Self(What::Left { hosts: Hosts::of(&connection.endpoints), since })
    }
}

/// What connections have told and nobody has taken in yet, in the order in which it was told.
#[derive(Debug, Default)]
pub struct Notices {
    /// Each with the first packet of its flow.
    told: Vec<(PacketNumber, Notice)>,
}

impl Notices {
    /// Whether there is nothing to take in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Takes out all of them, each with the first packet of its flow.
    pub fn drain(&mut self) -> impl Iterator<Item = (PacketNumber, Notice)> + '_ {
        self.told.drain(..)
    }

    /// A request for an upgrade came: it waits for its answer from now on.
    pub fn request(&mut self, connection: &Connection) {
        self.tell(connection, Notice::request(connection));
    }

    /// The request has its answer, or never will.
    pub fn answered(&mut self, connection: &Connection) {
        self.tell(connection, Notice::answered(connection));
    }

    /// A connection was upgraded, or is found to have been.
    pub fn opened(&mut self, connection: &Connection) {
        self.tell(connection, Some(Notice::opened(connection)));
    }

    /// A side of an upgraded connection has said one more of its first messages.
    pub fn spoke(&mut self, connection: &Connection, said: &Said) {
        self.tell(connection, Some(Notice(What::Spoke(*said))));
    }

    /// A connection was silent for a while, and went on.
    pub fn survived(&mut self, connection: &Connection, survived: Silence) {
        self.tell(connection, Some(Notice(What::Survived(Hosts::of(&connection.endpoints), survived))));
    }

    /// The first sign of the end of an upgraded connection came.
    pub fn ended(&mut self, connection: &Connection) {
        self.tell(connection, Notice::ended(connection));
    }

    /// The connection is not followed any more, whether it ended or not.
    pub fn left(&mut self, connection: &Connection) {
        self.tell(connection, Some(Notice::left(connection)));
    }

    fn tell(&mut self, connection: &Connection, notice: Option<Notice>) {
        self.told.extend(notice.map(|notice| (connection.first.packet, notice)));
    }
}
