//! Segments recorded more than once: inside and outside of a tunnel, on two interfaces, before and after a router, twice
//! by a mirror port.
//!
//! A copy is equal in everything that TCP says: numbers, flags, window, length, and the payload as far as it is compared
//! (its first and last [`EDGE`] bytes). What tells it from a retransmission:
//! - its IPv4 identification. A sender gives each packet another one, so an equal one (not 0) is the same packet, and at
//!   the same place another one is another packet.
//! - where it was recorded. Each place sees a retransmission once more itself, so of equal segments within
//!   [`ELSEWHERE_SECONDS`] the one that brings a place to no more sightings than another has is a copy.
//! - without either, time: what follows within [`TWICE_SECONDS`] is a copy. A SYN is not repeated within
//!   [`ELSEWHERE_SECONDS`] (RFC 6298 §2 has 1 s), so where one was recorded twice, every other segment is too.
//!
//! Each flow compares with its last [`RECENT`] segments. Once one of them was a copy, one table serves all such flows: a
//! segment that finds its entry taken by another is not recognised. That bounds the memory and loses nothing but a count.
//!
//! Not recognised: copies of another segmentation (before and after offload or a merging network card). They count as
//! retransmissions.

use super::FlowNumber;
use super::facts::Point;
use crate::packet::Segment;
use crate::units::Timestamp;
use foldhash::fast::RandomState;
use std::hash::BuildHasher;

/// Equal segments of one place within this many seconds were recorded twice; no sender repeats itself that soon
/// (RFC 6298 §2).
const TWICE_SECONDS: f64 = 0.001;

/// The same of different places. What is between them may queue for a while.
const ELSEWHERE_SECONDS: f64 = 0.05;

/// The same of different places when the identification is equal too; the clocks of two recording hosts may differ by more
/// than what is between them takes.
const SAME_PACKET_SECONDS: f64 = 1.0;

/// Segments of a flow that are compared before it is known to have copies.
const RECENT: usize = 6;

/// Segments after that for which copies of those may still come.
const STRAGGLERS: u8 = 4 * RECENT as u8;

/// Bytes of payload that are compared at either end.
const EDGE: usize = 32;

/// Entries of the table; a power of two. At 40 bytes each, 640 KiB.
const ENTRIES: usize = 1 << 14;

/// Places of which one entry keeps count; copies at further ones are copies.
const PLACES: usize = 4;

/// The last segments of a flow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lately {
    /// Hashes, odd; 0 for none.
    prints: [u32; RECENT],
    /// When they were recorded, in units of 2¹⁶ ns, wrapping.
    times: [u32; RECENT],
    /// Where the next one goes.
    at: u8,
    /// Segments since the flow is known to have copies: they are in the table, those before are only here.
    since_known: u8,
    known: Known,
}

/// What is known of a flow's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Known {
    #[default]
    Nothing,
    /// There are some, or another place that may bring some.
    Copies,
    /// Even a SYN was recorded twice at the same place.
    EveryPacketTwice,
}

impl Lately {
    /// Whether `segment` was recorded before. `elsewhere`: at another point than the first segment of its flow. Segments
    /// without a time are never copies.
    pub(super) fn is_copy(
        &mut self,
        number: FlowNumber,
        segment: &Segment<'_>,
        elsewhere: bool,
        copies: &mut Copies,
    ) -> bool {
        let Some(time) = segment.origin.time else { return false };
        let lately = self.since_known < STRAGGLERS && self.recorded_lately(segment, time, elsewhere, copies);
        if lately && !elsewhere && segment.flags.syn() {
            self.known = Known::EveryPacketTwice;
        }
        if self.known == Known::Nothing {
            if !lately && !elsewhere {
                return false;
            }
            self.known = Known::Copies;
        }
        self.since_known = self.since_known.saturating_add(1);
        copies.is_copy(number, segment, time, self.known == Known::EveryPacketTwice) || lately
    }

    /// Whether `segment` is among the last ones; it is from now on, while the table knows nothing of the flow.
    fn recorded_lately(&mut self, segment: &Segment<'_>, time: Timestamp, elsewhere: bool, copies: &Copies) -> bool {
        let print = copies.hasher.hash_one((
            (segment.source, segment.seq, segment.ack, segment.flags, segment.window),
            (segment.data_len(), segment.identification),
        ));
        let (print, now) = (print as u32 | 1, (time.nanos() >> 16) as u32);
        let within = if elsewhere && segment.identification != 0 {
            SAME_PACKET_SECONDS
        } else if elsewhere || segment.identification != 0 || segment.flags.syn() {
            ELSEWHERE_SECONDS
        } else if repeats_for_no_reason(segment) {
            TWICE_SECONDS
        } else {
            0.0
        };
        let within = (within * 1e9) as u32 >> 16;
        let mut known = self.prints.iter().zip(self.times);
        let found = known.any(|(known, then)| {
            let since = now.wrapping_sub(then).cast_signed().unsigned_abs();
            *known == print && (since < within)
        });
        if self.known != Known::Nothing {
            return found;
        }
        let at = usize::from(self.at) % RECENT;
        (self.prints[at], self.times[at]) = (print, now);
        self.at = (at as u8 + 1) % RECENT as u8;
        found
    }
}

/// Recent segments of the flows that were recorded more than once.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Empty until needed.
    recent: Vec<Recent>,
    hasher: RandomState,
}

/// One segment and how often each place saw it.
#[derive(Debug, Clone, Copy)]
struct Recent {
    key: u64,
    /// When it was last seen without being a copy.
    time: Timestamp,
    /// Its IPv4 identification then.
    identification: u16,
    places: [u32; PLACES],
    sightings: [u8; PLACES],
}

impl Recent {
    const NONE: Self = Self { key: 0, time: Timestamp::from_nanos(0), identification: 0, places: [0; PLACES], sightings: [0; PLACES] };
}

impl Copies {
    /// Whether `segment` of the flow `number` was recorded before; if not, it is remembered. `twice`: every packet comes
    /// twice at the same place.
    fn is_copy(&mut self, number: FlowNumber, segment: &Segment<'_>, time: Timestamp, twice: bool) -> bool {
        if self.recent.is_empty() {
            self.recent = vec![Recent::NONE; ENTRIES];
        }
        let key = self.hasher.hash_one((
            (number.0, segment.source, segment.seq, segment.ack, segment.flags, segment.window),
            (segment.data_len(), edges(segment.payload)),
        ));
        // What passed a router was recorded elsewhere too.
        let place = self.hasher.hash_one((Point::of(segment), segment.hop_limit)) as u32;
        let entry = &mut self.recent[key as usize % ENTRIES];
        let since = time.seconds_since(entry.time).abs();
        let identification = segment.identification;
        let identified = identification != 0 && entry.identification != 0;
        let same_packet = identified && identification == entry.identification && since < SAME_PACKET_SECONDS;
        if entry.key != key || (since >= ELSEWHERE_SECONDS && !same_packet) {
            *entry = Recent { key, time, identification, ..Recent::NONE };
            entry.places[0] = place;
            entry.sightings[0] = 1;
            return false;
        }
        let known = (0..PLACES).find(|&at| entry.sightings[at] == 0 || entry.places[at] == place);
        let Some(here) = known else { return true };
        let elsewhere = (0..PLACES).filter(|&at| at != here).map(|at| entry.sightings[at]).max();
        let sightings = entry.sightings[here].saturating_add(1);
        // One place has one clock.
        let same_packet = same_packet && (sightings == 1 || since < ELSEWHERE_SECONDS);
        // Real acknowledgements may come twice so soon too; the second one tells nothing that matters.
        let soon = since < TWICE_SECONDS && !twice;
        if sightings > 1 && if identified { same_packet } else { soon } {
            return true;
        }
        entry.places[here] = place;
        entry.sightings[here] = sightings;
        let second = twice && !identified && sightings.is_multiple_of(2);
        if same_packet || second || elsewhere.is_some_and(|elsewhere| sightings <= elsewhere) {
            return true;
        }
        (entry.time, entry.identification) = (time, identification);
        false
    }
}

/// Bare acknowledgements may repeat at once (RFC 5681 §3.2), other segments may not.
fn repeats_for_no_reason(segment: &Segment<'_>) -> bool {
    segment.sequence_len() > 0 || segment.flags.rst()
}

/// The first and last bytes.
fn edges(payload: &[u8]) -> (&[u8], &[u8]) {
    let head = payload.len().min(EDGE);
    (&payload[..head], &payload[payload.len() - head..])
}
