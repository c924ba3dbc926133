//! How the closing handshake went beyond the two Close frames, and what a broken rule set off.

use crate::connection::{AfterClose, Connection, EndSignalKind, Reaction};
use crate::units::Side;
use crate::violation::Violation;
use serde::Serialize;

use super::connection::Sides;

/// Fields of `close`.
#[derive(Debug, Serialize)]
pub(super) struct ClosingObject {
    answer_s: Option<f64>,
    crossed: bool,
    close_to_fin_s: Sides<Option<f64>>,
    half_closed_s: Option<f64>,
    time_wait_side: Option<&'static str>,
    ignored: Sides<Option<IgnoredObject>>,
}

/// What a side sent after its own Close frame.
#[derive(Debug, Serialize)]
struct IgnoredObject {
    frames: u64,
    messages: u64,
    packets: Vec<u64>,
}

impl From<&AfterClose> for IgnoredObject {
    fn from(ignored: &AfterClose) -> Self {
        let packets = ignored.packets.iter().map(|packet| packet.value()).collect();
        Self { frames: ignored.frames, messages: ignored.messages, packets }
    }
}

impl ClosingObject {
    pub(super) fn new(connection: &Connection) -> Self {
        let times = connection.closing_times();
        Self {
            answer_s: times.answer_s,
            crossed: connection.closing.crossed,
            close_to_fin_s: Sides::of(|side| times.close_to_fin_s[side]),
            half_closed_s: times.half_closed_s,
            time_wait_side: times.time_wait.map(Side::name),
            ignored: Sides::of(|side| connection.traffic[side].after_close().map(IgnoredObject::from)),
        }
    }
}

/// What a violation set off.
#[derive(Debug, Serialize)]
pub(super) struct ReactionObject {
    kind: &'static str,
    side: &'static str,
    code: Option<u16>,
    packet: u64,
    after_s: Option<f64>,
}

impl ReactionObject {
    pub(super) fn of(connection: &Connection, violation: &Violation) -> Option<Self> {
        connection.reaction(violation).map(Self::from)
    }
}

impl From<Reaction> for ReactionObject {
    fn from(reaction: Reaction) -> Self {
        Self {
            kind: match reaction.kind {
                EndSignalKind::CloseFrame => "close",
                EndSignalKind::Rst => "rst",
                _ => "fin",
            },
            side: reaction.by.name(),
            code: reaction.code,
            packet: reaction.at.packet.value(),
            after_s: reaction.after_s,
        }
    }
}
