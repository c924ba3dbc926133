//! The story of a connection in a constant number of lines: how it began, and its last moments.

use super::IcmpKind;
use super::entry::Entry;
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
    first: Vec<Entry>,
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
    last: VecDeque<Entry>,
    skipped: u64,
    /// What was observed by the [large](Entry::is_large) entries, in the order of these.
    large: VecDeque<Observed>,
}

impl Timeline {
    /// Observations that come to light when all others are there, in most connections: both SYNs.
    const OPENING: usize = 2;

    /// Room for the last observations at first; when that is not enough, several times as much.
    const FEW: usize = 8;

    /// An empty timeline with the bounds of `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let bound = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        let (keep_first, keep_last) = (bound(limits.timeline_first), bound(limits.timeline_last).max(1));
        Self { first: Vec::new(), added: 0, keep_first, keep_last, rest: None }
    }

    pub(super) fn push(&mut self, observation: Observation) {
        self.push_beyond(self.keep_first as usize, Entry::of(&observation), || observation.observed);
    }

    /// The same for an entry, and what was observed if that is large, of which the timeline should have known before anything
    /// was added at its beginning.
    pub(super) fn push_overdue(&mut self, entry: Entry, observed: impl FnOnce() -> Observed) {
        self.push_beyond(self.keep_first as usize + self.added as usize, entry, observed);
    }

    #[inline]
    fn push_beyond(&mut self, most: usize, entry: Entry, observed: impl FnOnce() -> Observed) {
        if self.first.len() < most {
            self.place(entry, observed);
            return;
        }
        let Rest { last, skipped, large } = &mut **self.rest.get_or_insert_default();
        if last.len() == self.keep_last as usize {
            *skipped += 1;
            if last.pop_front().is_some_and(|oldest| oldest.is_large()) {
                large.remove(count_large(&self.first));
            }
        } else if last.len() == last.capacity() {
            let more = (3 * last.len()).max(Self::FEW);
            last.reserve_exact(more.min(self.keep_last as usize - last.len()));
        }
        let packet = entry.at.packet;
        if last.back().is_none_or(|seen| seen.at.packet <= packet) {
            if entry.is_large() {
                large.push_back(observed());
            }
            last.push_back(entry);
            return;
        }
        // What is only noticed later, like a fault of the request that its response brings up, goes where it belongs.
        let place = last.partition_point(|seen| seen.at.packet <= packet);
        if entry.is_large() {
            large.insert(count_large(&self.first) + count_large(last.range(..place)), observed());
        }
        last.insert(place, entry);
    }

    /// Adds an observation that belongs before all others.
    pub(crate) fn prepend(&mut self, observation: Observation) {
        self.added += 1;
        self.put(0, Entry::of(&observation), || observation.observed);
    }

    /// Adds an observation to the first ones, where its packet belongs.
    pub(crate) fn insert(&mut self, observation: Observation) {
        self.added += 1;
        self.place(Entry::of(&observation), || observation.observed);
    }

    fn place(&mut self, entry: Entry, observed: impl FnOnce() -> Observed) {
        let packet = entry.at.packet;
        let place = match self.first.last() {
            Some(last) if last.at.packet > packet => self.first.partition_point(|seen| seen.at.packet <= packet),
            _ => self.first.len(),
        };
        self.put(place, entry, observed);
    }

    fn put(&mut self, place: usize, entry: Entry, observed: impl FnOnce() -> Observed) {
        let Self { first, rest, .. } = self;
        if first.len() == first.capacity() {
            // Most connections of which there are many have few observations.
            first.reserve_exact(first.len().max(2));
        }
        if entry.is_large() {
            rest.get_or_insert_default().large.insert(count_large(&first[..place]), observed());
        }
        first.insert(place, entry);
    }

    /// Makes room for so many more to come, which are [overdue](Self::push_overdue).
    pub(super) fn expect(&mut self, count: usize) {
        let room = (self.keep_first as usize + self.added as usize).saturating_sub(self.first.len());
        match count.min(room) {
            0 => {}
            all if all == room => self.first.reserve_exact(all + Self::OPENING),
            some => self.first.reserve_exact(some),
        }
    }

    /// Adds an observation that comes to light when all others are there, where its packet belongs.
    pub(crate) fn insert_late(&mut self, observation: Observation) {
        let is_last = self.last().next().is_some_and(|last| last.at.packet <= observation.at.packet);
        if is_last { self.push(observation) } else { self.insert(observation) }
    }

    /// The observations from the beginning, in order.
    pub fn first(&self) -> impl ExactSizeIterator<Item = Observation> {
        observations(self.first.iter(), self.large())
    }

    /// How many observations were dropped between [`Self::first`] and [`Self::last`].
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.rest.as_ref().map_or(0, |rest| rest.skipped)
    }

    /// The observations from the end, in order; empty while everything fits into [`Self::first`].
    pub fn last(&self) -> impl ExactSizeIterator<Item = Observation> {
        static NOTHING: VecDeque<Entry> = VecDeque::new();
        let last = self.rest.as_ref().map_or(&NOTHING, |rest| &rest.last);
        observations(last.iter(), self.large().skip(count_large(&self.first)))
    }

    fn large(&self) -> impl Iterator<Item = &Observed> {
        self.rest.iter().flat_map(|rest| &rest.large)
    }
}

fn count_large<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> usize {
    entries.into_iter().filter(|entry| entry.is_large()).count()
}

/// What `entries` stand for, the first of the large ones for the first of `large`.
fn observations<'t>(
    entries: impl ExactSizeIterator<Item = &'t Entry>,
    mut large: impl Iterator<Item = &'t Observed>,
) -> impl ExactSizeIterator<Item = Observation> {
    entries.map(move |entry| entry.observation(&mut large))
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
        let numbers = |observation: Observation| observation.at.packet.value();
        assert_eq!(timeline.first().map(numbers).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(timeline.last().map(numbers).collect::<Vec<_>>(), [8, 9, 10]);
        assert_eq!(timeline.skipped(), 5);
    }

    /// Held against two lists of whole observations.
    #[test]
    fn what_does_not_fit_into_an_entry_stays_with_its_packet() {
        let (most_first, most_last) = (4, 5);
        let limits = Limits { timeline_first: most_first, timeline_last: most_last, ..Limits::default() };
        for seed in 0..500_u64 {
            let mut timeline = Timeline::new(&limits);
            let (mut first, mut last) = (Vec::new(), Vec::<Observation>::new());
            for step in 0..30_u64 {
                let random = (seed * 30 + step).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                let packet = PacketNumber::new(10 + step - random % 4).unwrap();
                let observed = match random >> 4 & 3 {
                    0 => Observed::UnfinishedFrame { opcode: Opcode::Ping, len: u64::MAX - step, seen: step },
                    1 => Observed::Gap(Some(step)),
                    _ => Observed::Ping { len: step },
                };
                let observation = Observation { at: Origin { packet, time: None }, side: None, observed };
                let place = |list: &[Observation]| list.partition_point(|seen| seen.at.packet <= packet);
                if random >> 8 & 15 == 0 {
                    timeline.insert(observation);
                    first.insert(place(&first), observation);
                } else if first.len() < most_first {
                    timeline.push(observation);
                    first.insert(place(&first), observation);
                } else {
                    timeline.push(observation);
                    if last.len() == most_last {
                        last.remove(0);
                    }
                    last.insert(place(&last), observation);
                }
                assert_eq!(timeline.first().collect::<Vec<_>>(), first, "{seed}, {step}");
                assert_eq!(timeline.last().collect::<Vec<_>>(), last, "{seed}, {step}");
            }
        }
    }
}
