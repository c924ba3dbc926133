//! Segments recorded more than once: inside and outside of a tunnel, on two interfaces, before and after a router, twice
//! by a mirror port.
//!
//! A copy is equal in everything that TCP says: numbers, flags, window, length, and the payload as far as it is compared
//! (its [`Edges`]). What tells it from a retransmission:
//! - its IPv4 identification. A sender gives each packet another one, so an equal one (not 0) is the same packet, and at
//!   the same place another one is another packet.
//! - where it was recorded. Each place sees a retransmission once more itself, so of equal segments within
//!   [`ELSEWHERE_SECONDS`] the one that brings a place to no more sightings than another has is a copy.
//! - without either, time: what follows within [`TWICE_SECONDS`] is a copy. A SYN is not repeated within
//!   [`ELSEWHERE_SECONDS`] (RFC 6298 §2 has 1 s), so where one was recorded twice, every other segment is too.
//!
//! [The last](Lately) segments of all flows are remembered: what is further apart is not recognised. That bounds the memory
//! (24 bytes each and 4 for the index, 224 KiB) and loses nothing but a count. Most segments bring what cannot have been there
//! before; those are added and not looked for.
//!
//! Not recognised: copies of another segmentation (before and after offload or a merging network card). They count as
//! retransmissions.

use super::delivered::Direction;
use super::edges::Edges;
use super::lately::{Keyed, Lately};
use crate::packet::{Segment, Tunnel};
use crate::stream::{End, PerEnd};
use crate::units::Timestamp;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

/// Equal segments of one place within this many seconds were recorded twice; no sender repeats itself that soon
/// (RFC 6298 §2).
const TWICE_SECONDS: f64 = 0.001;

/// The same of different places. What is between them may queue for a while.
const ELSEWHERE_SECONDS: f64 = 0.05;

/// The same of different places when the identification is equal too; the clocks of two recording hosts may differ by more
/// than what is between them takes.
const SAME_PACKET_SECONDS: f64 = 1.0;

/// Places of which one entry keeps count; copies at further ones are copies.
const PLACES: usize = 4;

/// Points of one connection, and hop limits of one end, that are told apart; further ones are not named.
const MAX_POINTS: usize = 8;

/// Through which points a connection was recorded more than once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyFacts {
    /// Each point with the number of segments from it that other records had brought before. The first one is where the
    /// first segment was recorded.
    pub points: Vec<(Point, u32)>,
    /// Hop limits of each end's segments: several where they were recorded before and after a router.
    pub hop_limits: PerEnd<Vec<u8>>,
}

/// Where a segment was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point {
    /// The interface: [`Segment::interface`].
    pub interface: u32,
    /// The tunnel that it was found in.
    pub tunnel: Option<Tunnel>,
}

impl Point {
    /// Kind and number of the tunnel.
    #[must_use]
    pub fn tunnel_name(&self) -> Option<(&'static str, u32)> {
        self.tunnel.map(|tunnel| (tunnel.kind.name(), tunnel.id))
    }

    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self { interface: segment.interface, tunnel: segment.tunnel }
    }
}

impl CopyFacts {
    /// Takes note of a copy from `from`.
    pub(super) fn note(&mut self, segment: &Segment<'_>, from: End) {
        let point = Point::of(segment);
        if let Some((_, count)) = self.points.iter_mut().find(|(known, _)| *known == point) {
            *count = count.saturating_add(1);
        } else if self.points.len() < MAX_POINTS {
            self.points.push((point, 1));
        }
        self.note_hop_limit(segment, from);
    }

    /// A RST may come from something on the path, with a hop limit of its own.
    pub(super) fn note_hop_limit(&mut self, segment: &Segment<'_>, from: End) {
        if !segment.flags.rst() {
            self.add_hop_limit(segment.hop_limit, from);
        }
    }

    pub(super) fn add_hop_limit(&mut self, hop_limit: u8, from: End) {
        let known = &mut self.hop_limits[from];
        if !known.contains(&hop_limit) && known.len() < MAX_POINTS {
            known.push(hop_limit);
        }
    }

    /// What lies between the points.
    #[must_use]
    pub fn kinds(&self) -> CopyKinds {
        let differs = |differ: fn(&Point, &Point) -> bool| {
            self.points.first().is_some_and(|(first, _)| self.points.iter().any(|(point, _)| differ(first, point)))
        };
        let mut kinds = CopyKinds {
            tunnel: differs(|a, b| a.tunnel != b.tunnel),
            interface: differs(|a, b| a.interface != b.interface),
            router: self.hop_limits.a.len() > 1 || self.hop_limits.b.len() > 1,
            same_point: false,
        };
        kinds.same_point = kinds == CopyKinds::default();
        kinds
    }
}

/// What lies between the points that recorded one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyKinds {
    /// One point is inside a tunnel, or in another one.
    pub tunnel: bool,
    /// They are different interfaces.
    pub interface: bool,
    /// A router: the hop limits differ.
    pub router: bool,
    /// Nothing: packets were recorded twice at one point, as mirror ports do.
    pub same_point: bool,
}

/// What is known of a flow's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Known {
    #[default]
    Nothing,
    /// There are some.
    Copies,
    /// Even a SYN was recorded twice at the same place.
    EveryPacketTwice,
}

/// Recent segments of all flows.
///
/// Nearly all segments are seen once, by one place. Only where that is not so it is kept apart who saw them how often.
#[derive(Debug, Default)]
pub(super) struct Copies {
    recent: Lately<Recent>,
    /// By their places, how often a segment was seen that was [asked about](Recent::was_asked_about).
    seen: HashMap<usize, Seen, FixedState>,
    /// Not seeded: which segments share an entry must not differ from run to run, and harms nothing but a count.
    hasher: FixedState,
}

/// One segment.
#[derive(Debug, Clone, Copy)]
struct Recent {
    key: u64,
    /// When it was last seen without being a copy.
    time: Timestamp,
    /// Where it was seen first.
    place: u32,
    /// Its IPv4 identification.
    identification: u16,
    /// It may have been seen again. Others were seen once.
    was_asked_about: bool,
}

/// How often each place saw a segment.
#[derive(Debug, Clone, Copy)]
struct Seen {
    places: [u32; PLACES],
    sightings: [u8; PLACES],
}

impl Keyed for Recent {
    fn key(&self) -> u64 {
        self.key
    }
}

impl Seen {
    /// For the first time.
    fn once(recent: &Recent) -> Self {
        Self { places: [recent.place, 0, 0, 0], sightings: [1, 0, 0, 0] }
    }
}

impl Copies {
    /// Remembers a segment of this direction of a flow that is new by its numbers. Those without a time have no copies.
    #[inline]
    pub(super) fn add(&mut self, direction: Direction, segment: &Segment<'_>, edges: Edges) {
        if let Some(recent) = self.sighting(direction, segment, edges) {
            self.remember(recent);
        }
    }

    /// Whether `segment` of this direction of a flow, of whose copies so much is `known`, was recorded before; if not, it
    /// is remembered.
    pub(super) fn is_copy(&mut self, direction: Direction, segment: &Segment<'_>, known: &mut Known) -> bool {
        let edges = Edges::of(segment.payload);
        let Some(recent) = self.sighting(direction, segment, edges) else { return false };
        let copy = self.seen_before(segment, recent, known);
        if copy && *known == Known::Nothing {
            *known = Known::Copies;
        }
        copy
    }

    #[inline(always)]
    fn remember(&mut self, recent: Recent) {
        if self.recent.oldest().is_some_and(|oldest| oldest.was_asked_about) {
            self.seen.remove(&self.recent.next());
        }
        self.recent.push(recent);
    }

    /// The last segment with this key, and how often it was seen.
    fn find(&mut self, key: u64) -> Option<(&mut Recent, &mut Seen)> {
        let place = self.recent.find(key)?;
        let recent = &mut self.recent[place];
        let seen = self.seen.entry(place).or_insert_with(|| Seen::once(recent));
        recent.was_asked_about = true;
        Some((recent, seen))
    }

    fn seen_before(&mut self, segment: &Segment<'_>, recent: Recent, known: &mut Known) -> bool {
        let Recent { key, time, place, identification, .. } = recent;
        let Some((entry, seen)) = self.find(key) else {
            self.remember(recent);
            return false;
        };
        let since = time.seconds_since(entry.time).abs();
        let identified = identification != 0 && entry.identification != 0;
        let same_packet = identified && identification == entry.identification && since < SAME_PACKET_SECONDS;
        if since >= ELSEWHERE_SECONDS && !same_packet {
            (*entry, *seen) = (Recent { was_asked_about: true, ..recent }, Seen::once(&recent));
            return false;
        }
        let here = (0..PLACES).find(|&at| seen.sightings[at] == 0 || seen.places[at] == place);
        let Some(here) = here else { return true };
        let elsewhere = (0..PLACES).filter(|&at| at != here).map(|at| seen.sightings[at]).max();
        let sightings = seen.sightings[here].saturating_add(1);
        // One place has one clock.
        let same_packet = same_packet && (sightings == 1 || since < ELSEWHERE_SECONDS);
        if sightings > 1 && segment.flags.syn() && since < ELSEWHERE_SECONDS {
            *known = Known::EveryPacketTwice;
            return true;
        }
        let twice = *known == Known::EveryPacketTwice;
        // Of real acknowledgements that come twice so soon, the second one tells nothing that matters; yet they are no
        // sign of copies.
        let soon = since < TWICE_SECONDS && !twice && (*known == Known::Copies || repeats_for_no_reason(segment));
        if sightings > 1 && if identified { same_packet } else { soon } {
            return true;
        }
        seen.places[here] = place;
        seen.sightings[here] = sightings;
        let second = twice && !identified && sightings.is_multiple_of(2);
        if same_packet || second || elsewhere.is_some_and(|elsewhere| sightings <= elsewhere) {
            return true;
        }
        (entry.time, entry.identification) = (time, identification);
        false
    }

    /// A segment that is seen for the first time.
    #[inline]
    fn sighting(&self, direction: Direction, segment: &Segment<'_>, edges: Edges) -> Option<Recent> {
        let (time, place) = (segment.origin.time?, self.place(segment));
        let (key, identification) = (self.key(direction, segment, edges), segment.identification);
        Some(Recent { key, time, place, identification, was_asked_about: false })
    }

    /// Everything that is equal in copies.
    #[inline]
    fn key(&self, direction: Direction, segment: &Segment<'_>, Edges(edges): Edges) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let (seq, ack) = (u64::from(segment.seq.0), segment.ack.map_or(0, |ack| u64::from(ack.0)));
        let (flags, window) = (u64::from(segment.flags.0), u64::from(segment.window));
        hasher.write_u64(direction.number());
        hasher.write_u64(seq << 32 | ack);
        hasher.write_u64(u64::from(segment.data_len()) << 32 | window << 16 | flags);
        hasher.write_u32(edges);
        hasher.finish()
    }

    /// Where it was recorded; what passed a router was recorded elsewhere too.
    #[inline]
    fn place(&self, segment: &Segment<'_>) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(u64::from(segment.interface) << 8 | u64::from(segment.hop_limit));
        if let Some(tunnel) = segment.tunnel {
            tunnel.hash(&mut hasher);
        }
        hasher.finish() as u32
    }
}

/// Bare acknowledgements may repeat at once (RFC 5681 §3.2), other segments may not.
fn repeats_for_no_reason(segment: &Segment<'_>) -> bool {
    segment.sequence_len() > 0 || segment.flags.rst()
}
