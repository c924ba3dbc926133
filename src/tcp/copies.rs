//! Segments recorded more than once: inside and outside of a tunnel, on two interfaces, before and after a router, twice
//! by a mirror port.
//!
//! A copy is equal in everything that TCP says: numbers, flags, window, length, and the payload as far as it is compared
//! (its first and last [`EDGE`] bytes). What tells it from a retransmission is where it was recorded. Each place sees a
//! retransmission once more itself, so of equal segments within [`ELSEWHERE_SECONDS`] the one that brings a place to no
//! more sightings than another has is a copy. At the same place, only what follows within [`TWICE_SECONDS`] is one.
//!
//! Nothing is kept for flows recorded once. For the others, one table serves all flows: a segment that finds its entry
//! taken by another is not recognised. That bounds the memory and loses nothing but a count.
//!
//! Not recognised: copies of another segmentation (before and after offload or a merging network card). They count as
//! retransmissions.

use super::FlowNumber;
use crate::packet::{Segment, Tunnel};
use crate::units::Timestamp;
use foldhash::fast::FixedState;
use std::hash::BuildHasher;

/// Equal segments of one place within this many seconds were recorded twice; no sender repeats itself that soon
/// (RFC 6298 §2).
pub(super) const TWICE_SECONDS: f64 = 0.001;

/// The same of different places. What is between them may queue for a while.
pub(super) const ELSEWHERE_SECONDS: f64 = 0.05;

/// Bytes of payload that are compared at either end.
const EDGE: usize = 32;

/// Entries of the table; a power of two. At 40 bytes each, 640 KiB.
const ENTRIES: usize = 1 << 14;

/// Places of which one entry keeps count; copies at further ones are copies.
const PLACES: usize = 4;

/// Where a segment was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    interface: u32,
    tunnel: Option<Tunnel>,
}

impl Place {
    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self { interface: segment.interface, tunnel: segment.tunnel }
    }

    pub(super) fn tunnel(&self) -> Option<Tunnel> {
        self.tunnel
    }
}

/// Recent segments of the flows that were recorded more than once.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Empty until needed.
    recent: Vec<Recent>,
    /// Not seeded: which segments share an entry must not differ from run to run, and harms nothing but a count.
    hasher: FixedState,
}

/// One segment and how often each place saw it.
#[derive(Debug, Clone, Copy)]
struct Recent {
    key: u64,
    /// When it was last seen without being a copy.
    time: Timestamp,
    places: [u32; PLACES],
    sightings: [u8; PLACES],
}

impl Recent {
    const NONE: Self = Self { key: 0, time: Timestamp::from_nanos(0), places: [0; PLACES], sightings: [0; PLACES] };
}

impl Copies {
    /// Whether `segment` of the flow `number` was recorded before; if not, it is remembered. Segments without a time
    /// are never copies.
    pub(super) fn is_copy(&mut self, number: FlowNumber, segment: &Segment<'_>) -> bool {
        let Some(time) = segment.origin.time else { return false };
        if self.recent.is_empty() {
            self.recent = vec![Recent::NONE; ENTRIES];
        }
        let key = self.hasher.hash_one((
            (number.0, segment.source, segment.seq, segment.ack, segment.flags, segment.window),
            (segment.data_len(), edges(segment.payload)),
        ));
        // What passed a router was recorded elsewhere too.
        let place = self.hasher.hash_one((Place::of(segment), segment.hop_limit)) as u32;
        let entry = &mut self.recent[key as usize % ENTRIES];
        let since = time.seconds_since(entry.time).abs();
        if entry.key != key || since >= ELSEWHERE_SECONDS {
            *entry = Recent { key, time, ..Recent::NONE };
            entry.places[0] = place;
            entry.sightings[0] = 1;
            return false;
        }
        let known = (0..PLACES).find(|&at| entry.sightings[at] == 0 || entry.places[at] == place);
        let Some(here) = known else { return true };
        let elsewhere = (0..PLACES).filter(|&at| at != here).map(|at| entry.sightings[at]).max();
        let sightings = entry.sightings[here].saturating_add(1);
        // Real acknowledgements may come twice so soon too; the second one tells nothing that matters.
        if sightings > 1 && since < TWICE_SECONDS {
            return true;
        }
        entry.places[here] = place;
        entry.sightings[here] = sightings;
        if elsewhere.is_some_and(|elsewhere| sightings <= elsewhere) {
            return true;
        }
        entry.time = time;
        false
    }
}

/// Bare acknowledgements may repeat at once (RFC 5681 §3.2), other segments may not.
pub(super) fn repeats_for_no_reason(segment: &Segment<'_>) -> bool {
    segment.sequence_len() > 0 || segment.flags.rst()
}

/// The first and last bytes.
fn edges(payload: &[u8]) -> (&[u8], &[u8]) {
    let head = payload.len().min(EDGE);
    (&payload[..head], &payload[payload.len() - head..])
}
