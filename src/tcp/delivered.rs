//! What was delivered lately, so that a retransmission with other bytes is noticed.
//!
//! Bytes in order are passed on and gone. What stays of them is one short hash for each run that was delivered at once,
//! which is a segment in most captures. One table of fixed size serves all flows: a new run takes the place of an older
//! one, so that nothing grows and an idle flow costs nothing.
//!
//! Noticed: other bytes in a segment that starts where a remembered run started and reaches to its end, and in the runs
//! that follow it in the same segment. Not noticed: what differs beyond the [`Edges`] of a run, segments cut
//! elsewhere, and runs whose place was taken. The hashes are the same in every run of the program, and so
//! are its findings.

use super::FlowNumber;
use super::edges::Edges;
use super::reorder::Span;
use crate::stream::End;
use crate::units::PacketNumber;
use foldhash::fast::FixedState;
use std::hash::BuildHasher;

/// Runs remembered over all flows; a power of two. At 20 bytes each, 160 KiB.
const ENTRIES: usize = 1 << 13;

/// One direction of a flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direction {
    pub(super) flow: FlowNumber,
    pub(super) from: End,
}

impl Direction {
    /// Another one for each direction.
    #[inline]
    pub(super) fn number(self) -> u64 {
        self.flow.0 << 1 | u64::from(self.from == End::B)
    }
}

/// The remembered runs.
#[derive(Debug)]
pub(super) struct Delivered {
    /// Empty until needed.
    runs: Vec<Run>,
    hasher: FixedState,
}

/// The hash of a place in a stream, in halves: so a run needs no alignment.
type Key = [u32; 2];

#[derive(Debug, Clone, Copy)]
struct Run {
    key: Key,
    packet: Option<PacketNumber>,
    len: u32,
    edges: Edges,
}

impl Run {
    const NONE: Self = Self { key: [0; 2], packet: None, len: 0, edges: Edges(0) };
}

impl Delivered {
    pub(super) fn new() -> Self {
        Self { runs: Vec::new(), hasher: FixedState::with_seed(0) }
    }

    /// Remembers `len` bytes with these edges, which `packet` brought to this place of a stream.
    #[inline]
    pub(super) fn remember(
        &mut self,
        direction: Direction,
        offset: u64,
        (len, edges): (u32, Edges),
        packet: PacketNumber,
    ) {
        if self.runs.is_empty() {
            self.runs = vec![Run::NONE; ENTRIES];
        }
        let key = self.key(direction, offset);
        self.runs[place(key)] = Run { key, packet: Some(packet), len, edges };
    }

    /// The packet whose bytes `span`, all of which were delivered before, contradicts; and where those bytes end.
    pub(super) fn contradicted_by(&self, direction: Direction, span: &Span<'_>) -> Option<(PacketNumber, u64)> {
        let (mut at, mut rest) = (span.start, span.bytes);
        while !rest.is_empty() {
            let key = self.key(direction, at);
            let run = self.runs.get(place(key)).filter(|run| run.key == key)?;
            let (bytes, behind) = rest.split_at_checked(run.len as usize)?;
            at += u64::from(run.len);
            if Edges::of(bytes) != run.edges {
                return run.packet.map(|packet| (packet, at));
            }
            rest = behind;
        }
        None
    }

    #[inline]
    fn key(&self, direction: Direction, offset: u64) -> Key {
        let hash = self.hasher.hash_one((direction.number(), offset));
        [(hash >> 32) as u32, hash as u32]
    }
}

fn place([_, low]: Key) -> usize {
    low as usize % ENTRIES
}
