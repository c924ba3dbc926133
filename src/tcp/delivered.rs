//! What was delivered lately, so that a retransmission with other bytes is noticed.
//!
//! Bytes in order are passed on and gone. What stays of them is one short hash for each run that was delivered at once,
//! which is a segment in most captures. [The last](Lately) of all flows are remembered, so that nothing grows and an idle
//! flow costs nothing.
//!
//! Noticed: other bytes in a segment that starts where a remembered run started and reaches to its end, and in the runs
//! that follow it in the same segment. Not noticed: what differs beyond the [`Edges`] of a run, segments cut
//! elsewhere, and runs that are too long ago. The hashes are the same in every run of the program, and so
//! are its findings.

use super::FlowNumber;
use super::edges::Edges;
use super::lately::{Keyed, Lately};
use super::reorder::Span;
use crate::stream::End;
use crate::units::PacketNumber;
use foldhash::fast::FixedState;
use std::hash::BuildHasher;

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
    runs: Lately<Run>,
    hasher: FixedState,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    /// The hash of its place, in halves: so a run needs no alignment.
    key: [u32; 2],
    packet: PacketNumber,
    len: u32,
    edges: Edges,
}

impl Keyed for Run {
    fn key(&self) -> u64 {
        let [high, low] = self.key;
        u64::from(high) << 32 | u64::from(low)
    }
}

impl Delivered {
    pub(super) fn new() -> Self {
        Self { runs: Lately::default(), hasher: FixedState::with_seed(0) }
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
        let key = self.key(direction, offset);
        self.runs.push(Run { key: [(key >> 32) as u32, key as u32], packet, len, edges });
    }

    /// The packet whose bytes `span`, all of which were delivered before, contradicts; and where those bytes end.
    pub(super) fn contradicted_by(&mut self, direction: Direction, span: &Span<'_>) -> Option<(PacketNumber, u64)> {
        let (mut at, mut rest) = (span.start, span.bytes);
        while !rest.is_empty() {
            let key = self.key(direction, at);
            let place = self.runs.find(key)?;
            let run = self.runs[place];
            let (bytes, behind) = rest.split_at_checked(run.len as usize)?;
            at += u64::from(run.len);
            if Edges::of(bytes) != run.edges {
                return Some((run.packet, at));
            }
            rest = behind;
        }
        None
    }

    #[inline]
    fn key(&self, direction: Direction, offset: u64) -> u64 {
        self.hasher.hash_one((direction.number(), offset))
    }
}
