//! What was delivered lately, so that a retransmission with other bytes is noticed.
//!
//! Bytes in order are passed on and gone. What stays of them is one short hash for each run that was delivered at once,
//! which is a segment in most captures. One table of fixed size serves all flows: a new run takes the place of an older
//! one, so that nothing grows and an idle flow costs nothing.
//!
//! Noticed: other bytes in a segment that starts where a remembered run started and reaches to its end, and in the runs
//! that follow it in the same segment. Not noticed: what differs beyond the first and last [`EDGE`] bytes of a run
//! (frame headers and control frames are mostly within; hashing all would double the time that bulk data takes),
//! segments cut elsewhere, and runs whose place was taken. The hashes are the same in every run of the program, and so
//! are its findings.

use super::FlowNumber;
use super::reorder::Span;
use crate::stream::End;
use crate::units::PacketNumber;
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};

/// Runs remembered over all flows; a power of two. At 24 bytes each, 192 KiB.
const ENTRIES: usize = 1 << 13;

/// Bytes at either end of a run that are hashed.
const EDGE: usize = 64;

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

#[derive(Debug, Clone, Copy)]
struct Run {
    key: u64,
    packet: Option<PacketNumber>,
    len: u32,
    hash: u32,
}

impl Run {
    const NONE: Self = Self { key: 0, packet: None, len: 0, hash: 0 };
}

impl Delivered {
    pub(super) fn new() -> Self {
        Self { runs: Vec::new(), hasher: FixedState::with_seed(0) }
    }

    /// Remembers the recorded bytes of `span`.
    pub(super) fn remember(&mut self, direction: Direction, span: &Span<'_>) {
        if self.runs.is_empty() {
            self.runs = vec![Run::NONE; ENTRIES];
        }
        let key = self.key(direction, span.start);
        let Ok(len) = u32::try_from(span.bytes.len()) else { return };
        let run = Run { key, packet: Some(span.origin.packet), len, hash: self.hash(span.bytes) };
        self.runs[place(key)] = run;
    }

    /// The packet whose bytes `span`, all of which were delivered before, contradicts; and where those bytes end.
    pub(super) fn contradicted_by(&self, direction: Direction, span: &Span<'_>) -> Option<(PacketNumber, u64)> {
        let (mut at, mut rest) = (span.start, span.bytes);
        while !rest.is_empty() {
            let key = self.key(direction, at);
            let run = self.runs.get(place(key)).filter(|run| run.key == key)?;
            let (bytes, behind) = rest.split_at_checked(run.len as usize)?;
            at += u64::from(run.len);
            if self.hash(bytes) != run.hash {
                return run.packet.map(|packet| (packet, at));
            }
            rest = behind;
        }
        None
    }

    fn key(&self, direction: Direction, offset: u64) -> u64 {
        self.hasher.hash_one((direction.number(), offset))
    }

    fn hash(&self, bytes: &[u8]) -> u32 {
        let head = bytes.len().min(EDGE);
        let tail = (bytes.len() - head).min(EDGE);
        let mut hasher = self.hasher.build_hasher();
        hasher.write(&bytes[..head]);
        hasher.write(&bytes[bytes.len() - tail..]);
        (hasher.finish() >> 32) as u32
    }
}

fn place(key: u64) -> usize {
    key as usize % ENTRIES
}
