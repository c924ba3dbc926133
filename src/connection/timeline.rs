//! The story of a connection in a constant number of lines: how it began, and its last moments.

use super::IcmpKind;
use crate::limits::Limits;
use crate::units::{Origin, PacketNumber, Side};
use crate::violation::ViolationRule;
use crate::websocket::Opcode;
use std::collections::VecDeque;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// When and in which packet.
    pub at: Origin,
    /// Who did it; `None` for what nobody did, like a gap.
    pub side: Option<Side>,
    /// What it was.
    pub observed: Observed,
}

/// The things a timeline shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// The SYN that opens TCP.
    Syn,
    /// The SYN-ACK that accepts it.
    SynAck,
    /// The upgrade request.
    Request,
    /// The response to it, with its status.
    Response(u16),
    /// A TLS ClientHello.
    ClientHello,
    /// A TLS ServerHello.
    ServerHello,
    /// A TLS alert, with its description code.
    Alert(u8),
    /// A complete data message.
    Message {
        /// [`Opcode::Text`] or [`Opcode::Binary`].
        kind: Opcode,
        /// Payload bytes, inflated if it was compressed.
        len: u64,
        /// It was compressed.
        compressed: bool,
        /// Which of its sender's complete messages it is, from 1.
        number: u64,
    },
    /// A complete compressed message that inflates to more than
    /// [`inflated_message_bytes`](crate::limits::Limits::inflated_message_bytes).
    InflatedInPart {
        /// Payload bytes on the wire.
        wire_len: u64,
        /// It inflates to more than this.
        at_least: u64,
    },
    /// A complete compressed message whose content could not be inflated, or not to its end.
    NotInflated {
        /// Payload bytes on the wire.
        wire_len: u64,
    },
    /// A frame whose payload never came completely.
    UnfinishedFrame {
        /// Its opcode.
        opcode: Opcode,
        /// Payload bytes it claims.
        len: u64,
        /// Payload bytes that came.
        seen: u64,
    },
    /// A Ping.
    Ping {
        /// Payload bytes.
        len: u64,
    },
    /// A Pong.
    Pong {
        /// Payload bytes.
        len: u64,
    },
    /// A Close frame, with its code if it has one.
    Close(Option<u16>),
    /// A broken rule.
    Violation(ViolationRule),
    /// Bytes that the capture lacks; how many, if known.
    Gap(Option<u64>),
    /// A segment that was sent again and not acknowledged until the end.
    Retransmission,
    /// An ICMP error about a segment of this side.
    Icmp(IcmpKind),
    /// Bytes that this packet brought were sent again with another content.
    Conflict(PacketNumber),
    /// The connection outlived the RST in this packet, which its peer therefore never sent.
    OutlivedReset(PacketNumber),
    /// TCP FIN.
    Fin,
    /// TCP RST.
    Rst,
}

/// The first and the last observations of a connection, and how many lie between.
#[derive(Debug, Clone)]
pub struct Timeline {
    first: Vec<Observation>,
    /// How many of `first` were added when all others were there, or should have been.
    added: u32,
    keep_first: u32,
    keep_last: u32,
    /// Only from the first of them on.
    rest: Option<Box<Rest>>,
}

/// What does not fit into the beginning.
#[derive(Debug, Clone, Default)]
struct Rest {
    last: VecDeque<Observation>,
    skipped: u64,
}

impl Timeline {
    /// An empty timeline with the bounds of `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let bound = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        let (keep_first, keep_last) = (bound(limits.timeline_first), bound(limits.timeline_last).max(1));
        Self { first: Vec::new(), added: 0, keep_first, keep_last, rest: None }
    }

    pub(super) fn push(&mut self, observation: Observation) {
        self.push_beyond(self.keep_first as usize, observation);
    }

    /// The same for one of which the timeline should have known before anything was added at its beginning.
    pub(super) fn push_overdue(&mut self, observation: Observation) {
        self.push_beyond(self.keep_first as usize + self.added as usize, observation);
    }

    fn push_beyond(&mut self, most: usize, observation: Observation) {
        if self.first.len() < most {
            self.place(observation);
            return;
        }
        let Rest { last, skipped } = &mut **self.rest.get_or_insert_default();
        if last.len() == self.keep_last as usize {
            last.pop_front();
            *skipped += 1;
        }
        if last.back().is_none_or(|last| last.at.packet <= observation.at.packet) {
            last.push_back(observation);
            return;
        }
        // What is only noticed later, like a fault of the request that its response brings up, goes where it belongs.
        let place = last.partition_point(|seen| seen.at.packet <= observation.at.packet);
        last.insert(place, observation);
    }

    /// Adds an observation that belongs before all others.
    pub(crate) fn prepend(&mut self, observation: Observation) {
        self.added += 1;
        self.make_room();
        self.first.insert(0, observation);
    }

    /// Adds an observation to the first ones, where its packet belongs.
    pub(crate) fn insert(&mut self, observation: Observation) {
        self.added += 1;
        self.place(observation);
    }

    fn place(&mut self, observation: Observation) {
        self.make_room();
        match self.first.last() {
            Some(last) if last.at.packet > observation.at.packet => {
                let place = self.first.partition_point(|seen| seen.at.packet <= observation.at.packet);
                self.first.insert(place, observation);
            }
            _ => self.first.push(observation),
        }
    }

    /// Makes room for so many more to come, which are [overdue](Self::push_overdue).
    pub(super) fn expect(&mut self, count: usize) {
        let room = (self.keep_first as usize + self.added as usize).saturating_sub(self.first.len());
        self.first.reserve_exact(count.min(room));
    }

    /// Most connections of which there are many have few observations.
    fn make_room(&mut self) {
        if self.first.len() == self.first.capacity() {
            self.first.reserve_exact(self.first.len().max(2));
        }
    }

    /// Adds an observation that comes to light when all others are there, where its packet belongs.
    pub(crate) fn insert_late(&mut self, observation: Observation) {
        let is_last = self.last().next().is_some_and(|last| last.at.packet <= observation.at.packet);
        if is_last { self.push(observation) } else { self.insert(observation) }
    }

    /// The observations from the beginning, in order.
    #[must_use]
    pub fn first(&self) -> &[Observation] {
        &self.first
    }

    /// How many observations were dropped between [`Self::first`] and [`Self::last`].
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.rest.as_ref().map_or(0, |rest| rest.skipped)
    }

    /// The observations from the end, in order; empty while everything fits into [`Self::first`].
    pub fn last(&self) -> impl DoubleEndedIterator<Item = &Observation> + ExactSizeIterator {
        static NOTHING: VecDeque<Observation> = VecDeque::new();
        self.rest.as_ref().map_or(&NOTHING, |rest| &rest.last).iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_dropped_and_counted() {
        let limits = Limits { timeline_first: 2, timeline_last: 3, ..Limits::default() };
        let mut timeline = Timeline::new(&limits);
        for number in 1..=10 {
            let at = Origin { packet: PacketNumber::new(number).unwrap(), time: None };
            timeline.push(Observation { at, side: None, observed: Observed::Fin });
        }
        let numbers = |observation: &Observation| observation.at.packet.value();
        assert_eq!(timeline.first().iter().map(numbers).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(timeline.last().map(numbers).collect::<Vec<_>>(), [8, 9, 10]);
        assert_eq!(timeline.skipped(), 5);
    }
}
