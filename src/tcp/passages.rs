//! One flow recorded at several points: which of its segments each point saw.
//!
//! A *passage* is one transmission of a range of sequence numbers on its way from point to point. The first point that
//! records it opens it, every other one that records the same bytes soon after marks it; what all points have seen is
//! of no further interest. What is left at the end was seen at some points only: lost between two of them, or missed by
//! a recorder. Which of the two is not decided here, and neither is the order of the points.
//!
//! Ranges are compared and not segments, because segmentation offload cuts the same bytes differently at each host. Of
//! several transmissions of the same bytes the newest is matched first: who sends again has waited longer than the way
//! takes. IPv4 identifications settle it where they are there.
//!
//! Exists only for flows that were seen on more than one interface, from the moment the second one shows. Bounded:
//! [`MAX_POINTS`] points, [`MAX_PASSAGES`] passages a direction and [`MAX_PASSAGES_IN_ALL`] over all flows,
//! [`MAX_RESETS`] RSTs.

use super::half::Half;
use crate::packet::{Segment, SeqNumber};
use crate::stream::{End, PerEnd};
use crate::units::Origin;
use std::collections::VecDeque;

/// Points of one flow that are told apart.
const MAX_POINTS: usize = 4;

/// Passages kept for each direction, most of them on their way.
const MAX_PASSAGES: usize = 512;

/// Passages of all flows, from which on each keeps few.
const MAX_PASSAGES_IN_ALL: usize = 1 << 19;

/// What a direction may keep then.
const FEW_PASSAGES: usize = 16;

/// Of these, passages that all points have seen, to recognise a packet that one point recorded twice.
const MAX_COMPLETE: usize = 8;

/// RSTs of one flow that are told apart.
const MAX_RESETS: usize = 4;

/// Seconds between two points within which the same bytes are the same transmission, unless the way is known to take
/// longer.
const WINDOW_SECONDS: f64 = 0.05;

/// No way takes longer.
const LONGEST_WINDOW_SECONDS: f64 = 2.0;

/// A SYN is not repeated sooner (RFC 6298 §2), nor is an identification.
const SAME_PACKET_SECONDS: f64 = 1.0;

/// The same bytes at the same point within this time are one packet recorded twice.
const TWICE_SECONDS: f64 = 0.001;

/// What the points of one flow saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PathFacts {
    /// The points in order of first sight; at most four.
    pub points: Vec<PointFacts>,
    /// Transmissions that some points saw and others did not, in order of first sight.
    pub unmatched: PerEnd<Vec<Passage>>,
    /// RSTs, in order of first sight; at most four.
    pub resets: Vec<ResetPassage>,
    /// A bound was reached, so that not everything was compared.
    pub incomplete: bool,
    /// The longest time that the same segment was seen to take from one point to another, in seconds.
    pub longest_s: f64,
}

/// What one point saw of a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct PointFacts {
    /// The interface: [`Segment::interface`].
    pub interface: u32,
    /// The first segment there.
    pub first: Origin,
    /// The last one.
    pub last: Origin,
    /// How many.
    pub segments: u64,
    /// The first segment with a SYN of each end.
    pub syn: PerEnd<Option<Origin>>,
    /// The first segment with a FIN of each end.
    pub fin: PerEnd<Option<Origin>>,
    /// The lowest and highest hop limit of each end's segments with a SYN, data or FIN.
    pub hop_limits: PerEnd<Option<(u8, u8)>>,
    /// Transmissions of each end that another point saw as well.
    pub shared: PerEnd<u64>,
}

/// What became of a transmission that a point did not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// Nothing is known.
    #[default]
    Open,
    /// The same bytes came past later, sent again.
    SentAgain,
    /// The receiver acknowledged the bytes before any point saw them again: it had them.
    Acknowledged,
}

/// One transmission of a range of sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Passage {
    /// Where it begins, counted from some place of the stream.
    start: i64,
    end: i64,
    /// Where it was seen first.
    pub origin: Origin,
    /// It has the SYN.
    pub syn: bool,
    /// It has the FIN.
    pub fin: bool,
    /// What became of it.
    pub fate: Fate,
    identification: u16,
    /// One bit for each point.
    seen: u8,
}

impl Passage {
    /// Bytes of data.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let numbers = self.end.saturating_sub(self.start).max(0).unsigned_abs();
        numbers.saturating_sub(u64::from(self.syn)).saturating_sub(u64::from(self.fin))
    }

    /// Whether the point with this index in [`PathFacts::points`] saw it.
    #[must_use]
    pub fn seen_at(&self, point: usize) -> bool {
        self.seen & 1_u8.checked_shl(point as u32).unwrap_or(0) != 0
    }

    /// The part from `start` to `end` of it.
    fn part(&self, start: i64, end: i64) -> Self {
        Self { start, end, syn: self.syn && start == self.start, fin: self.fin && end == self.end, ..*self }
    }
}

/// A RST and where it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct ResetPassage {
    /// In whose name.
    pub from: End,
    /// Its first record at each point of [`PathFacts::points`].
    pub seen: [Option<Origin>; MAX_POINTS],
    seq: SeqNumber,
    ack: Option<SeqNumber>,
}

/// The passages of one direction.
#[derive(Debug, Default)]
struct Way {
    /// A sequence number near the head of the stream, and its place.
    head: Option<(SeqNumber, i64)>,
    /// For each point, the place before which others may have seen what is not remembered.
    before: [i64; MAX_POINTS],
    passages: VecDeque<Passage>,
    /// The place up to which the receiver has acknowledged.
    acked: i64,
}

/// Follows one flow over its points.
#[derive(Debug)]
pub(super) struct Passages {
    points: Vec<PointFacts>,
    ways: PerEnd<Way>,
    resets: Vec<ResetPassage>,
    incomplete: bool,
    longest_s: f64,
}

impl Passages {
    /// Begins to follow a flow of which all was recorded on one interface until now; `opening` are its SYNs.
    pub(super) fn begin(
        interface: u32,
        (first, last): (Origin, Origin),
        opening: [Option<(End, Origin)>; 2],
        halves: &PerEnd<Half>,
    ) -> Box<Self> {
        let mut point = PointFacts::new(interface, first);
        point.last = last;
        point.segments = halves.a.segments.saturating_add(halves.b.segments).into();
        for (end, origin) in opening.into_iter().flatten() {
            point.syn[end].get_or_insert(origin);
        }
        for end in End::BOTH {
            point.fin[end] = halves[end].aside().fin;
            point.hop_limits[end] = halves[end].hop_limits().map(|limits| (limits.lowest, limits.highest));
        }
        let way = |head: Option<SeqNumber>| Way { head: head.map(|seq| (seq, 0)), ..Way::default() };
        let ways = PerEnd { a: way(halves.a.head()), b: way(halves.b.head()) };
        let mut this = Self { points: vec![point], ways, resets: Vec::new(), incomplete: false, longest_s: 0.0 };
        // A RST before this was seen at the first point alone.
        for end in End::BOTH {
            if let (Some(rst), Some(seq)) = (halves[end].aside().rst, halves[end].head()) {
                let mut seen = [None; MAX_POINTS];
                seen[0] = Some(rst);
                this.resets.push(ResetPassage { from: end, seen, seq, ack: None });
            }
        }
        Box::new(this)
    }

    /// Passages kept.
    pub(super) fn len(&self) -> usize {
        self.ways.a.passages.len() + self.ways.b.passages.len()
    }

    /// Takes note of a segment; `kept` counts the passages of all flows. True when another point brought all of it before:
    /// it is a copy.
    pub(super) fn sight(&mut self, from: End, segment: &Segment<'_>, kept: &mut usize) -> bool {
        let before = self.len();
        let is_copy = self.sight_with(from, segment, *kept);
        *kept = kept.saturating_sub(before).saturating_add(self.len());
        // On shorter ways `copies` tells, which compares more than the place in the stream.
        is_copy && self.longest_s >= WINDOW_SECONDS
    }

    fn sight_with(&mut self, from: End, segment: &Segment<'_>, kept: usize) -> bool {
        let Some(point) = self.point(segment) else {
            self.incomplete = true;
            return false;
        };
        let facts = &mut self.points[point];
        facts.last = segment.origin;
        facts.segments = facts.segments.saturating_add(1);
        if segment.flags.rst() {
            return self.reset(point, from, segment);
        }
        if let Some(ack) = segment.ack {
            self.ways[from.other()].acknowledged(ack);
        }
        if segment.sequence_len() == 0 {
            return false;
        }
        self.note(point, from, segment);
        self.pass(point, from, segment, kept)
    }

    /// What is known at the end.
    pub(super) fn finish(self) -> Box<PathFacts> {
        let all = self.all();
        let unmatched = |way: Way| way.passages.into_iter().filter(|passage| passage.seen != all).collect();
        let PerEnd { a, b } = self.ways;
        Box::new(PathFacts {
            unmatched: PerEnd { a: unmatched(a), b: unmatched(b) },
            points: self.points,
            resets: self.resets,
            incomplete: self.incomplete,
            longest_s: self.longest_s,
        })
    }

    /// The bits of all points.
    fn all(&self) -> u8 {
        u8::MAX >> (u8::BITS as usize - self.points.len().clamp(1, MAX_POINTS))
    }

    /// The index of the point that recorded `segment`.
    fn point(&mut self, segment: &Segment<'_>) -> Option<usize> {
        if let Some(known) = self.points.iter().position(|point| point.interface == segment.interface) {
            return Some(known);
        }
        let index = self.points.len();
        if index == MAX_POINTS {
            return None;
        }
        self.points.push(PointFacts::new(segment.interface, segment.origin));
        for end in End::BOTH {
            let way = &mut self.ways[end];
            way.before[index] = way.head.map_or(0, |(_, place)| place);
            // What passed before this point began tells nothing about it.
            way.passages.retain(|passage| passage.seen.count_ones() as usize != index);
            for passage in &mut way.passages {
                passage.seen |= 1 << index;
            }
        }
        Some(index)
    }

    /// Takes note of what a segment that occupies sequence numbers tells about its point.
    fn note(&mut self, point: usize, from: End, segment: &Segment<'_>) {
        let facts = &mut self.points[point];
        if segment.flags.syn() {
            facts.syn[from].get_or_insert(segment.origin);
            let elsewhere = self.points.iter().filter_map(|other| other.syn[from]);
            let took = elsewhere.filter_map(|other| segment.origin.seconds_since(&other)).map(f64::abs);
            let longest = took.filter(|took| *took < SAME_PACKET_SECONDS).fold(self.longest_s, f64::max);
            self.longest_s = longest;
        }
        let facts = &mut self.points[point];
        if segment.flags.fin() {
            facts.fin[from].get_or_insert(segment.origin);
        }
        let limit = segment.hop_limit;
        let (low, high) = facts.hop_limits[from].unwrap_or((limit, limit));
        facts.hop_limits[from] = Some((low.min(limit), high.max(limit)));
    }

    /// Seconds within which the same bytes at another point are the same transmission.
    fn window(&self) -> f64 {
        (2.0 * self.longest_s + WINDOW_SECONDS).min(LONGEST_WINDOW_SECONDS)
    }

    fn pass(&mut self, point: usize, from: End, segment: &Segment<'_>, kept: usize) -> bool {
        let (window, bit, all) = (self.window(), 1_u8 << point, self.all());
        let way = &mut self.ways[from];
        let Some(start) = way.place(segment.seq) else { return false };
        let end = start.saturating_add(segment.sequence_len().into());
        let (origin, identification) = (segment.origin, segment.identification);
        let (syn, fin) = (segment.flags.syn(), segment.flags.fin());
        let this = Passage { start, end, origin, syn, fin, fate: Fate::Open, identification, seen: bit };
        let mut rest = vec![this];
        // The same packet first, then the newest.
        for exact in [true, false] {
            if exact && identification == 0 {
                continue;
            }
            let mut at = way.passages.len();
            while at > 0 && !rest.is_empty() {
                at -= 1;
                let known = way.passages[at];
                let Some(index) = rest.iter().position(|part| part.start < known.end && known.start < part.end) else {
                    continue;
                };
                let part = rest[index];
                let Some(took) = origin.seconds_since(&known.origin).map(f64::abs) else { continue };
                let same = identification != 0 && identification == known.identification && took < SAME_PACKET_SECONDS;
                let other = identification != 0
                    && known.identification != 0
                    && identification != known.identification
                    && (known.start, known.end) == (start, end);
                let (low, high) = (part.start.max(known.start), part.end.min(known.end));
                if known.seen & bit != 0 {
                    if same || (took < TWICE_SECONDS && !other) {
                        // One packet that this point recorded twice.
                        split(&mut rest, index, low, high);
                        at = way.passages.len();
                    }
                    continue;
                }
                let soon = took <= window || (known.syn && took < SAME_PACKET_SECONDS);
                if if exact { !same } else { other || !soon } {
                    continue;
                }
                split(&mut rest, index, low, high);
                if same {
                    self.longest_s = self.longest_s.max(took);
                }
                for (index, facts) in self.points.iter_mut().enumerate() {
                    facts.shared[from] += u64::from((known.seen | bit) & (1 << index) != 0);
                }
                way.mark(at, low, high, bit);
                way.sent_again(at, low, high, bit);
                // There may be more pieces now, and more parts to compare each with.
                at = way.passages.len();
            }
        }
        let before = way.before[point];
        let whole = rest.is_empty();
        rest.retain(|part| point == 0 || part.end > before);
        for part in rest {
            way.passages.push_back(part);
        }
        self.incomplete |= way.shrink(all, kept);
        if whole || !(syn && point != 0 && end <= before && self.longest_s > 0.0) {
            return whole;
        }
        // A SYN that the first point recorded before the others showed.
        for at in [0, point] {
            self.points[at].shared[from] += 1;
        }
        true
    }

    fn reset(&mut self, point: usize, from: End, segment: &Segment<'_>) -> bool {
        let window = self.window();
        let near = |origin: &Option<Origin>| {
            origin.and_then(|origin| segment.origin.seconds_since(&origin)).is_some_and(|took| took.abs() <= window)
        };
        let same = |known: &&mut ResetPassage| {
            known.from == from
                && known.seq == segment.seq
                && (known.ack == segment.ack || known.ack.is_none())
                && known.seen.iter().any(near)
        };
        if let Some(known) = self.resets.iter_mut().find(same) {
            let elsewhere = known.seen[point].is_none();
            known.seen[point].get_or_insert(segment.origin);
            return elsewhere;
        }
        if self.resets.len() == MAX_RESETS {
            self.incomplete = true;
            return false;
        }
        let mut seen = [None; MAX_POINTS];
        seen[point] = Some(segment.origin);
        self.resets.push(ResetPassage { from, seen, seq: segment.seq, ack: segment.ack });
        false
    }
}

impl PointFacts {
    fn new(interface: u32, first: Origin) -> Self {
        let (syn, fin, hop_limits, shared) = Default::default();
        Self { interface, first, last: first, segments: 0, syn, fin, hop_limits, shared }
    }
}

impl Way {
    /// The place of a sequence number; `None` when it is nowhere near the stream.
    fn place(&mut self, seq: SeqNumber) -> Option<i64> {
        const PLAUSIBLE: i32 = 1 << 30;
        let (head, place) = *self.head.get_or_insert((seq, 0));
        let distance = seq.distance_from(head);
        if distance.unsigned_abs() > PLAUSIBLE.unsigned_abs() {
            return None;
        }
        let place = place.saturating_add(distance.into());
        if distance > 0 {
            self.head = Some((seq, place));
        }
        Some(place)
    }

    /// The receiver has everything before `ack`.
    fn acknowledged(&mut self, ack: SeqNumber) {
        if self.head.is_none() {
            return;
        }
        let Some(place) = self.place(ack).filter(|place| *place > self.acked) else { return };
        self.acked = place;
        for passage in self.passages.iter_mut().filter(|passage| passage.end <= place && passage.fate == Fate::Open) {
            passage.fate = Fate::Acknowledged;
        }
    }

    /// The part from `low` to `high` of the passage at this index was seen at one more point.
    fn mark(&mut self, at: usize, low: i64, high: i64, bit: u8) {
        let at = self.cut_out(at, low, high);
        self.passages[at].seen |= bit;
    }

    /// Bytes that a point sees now had been sent before, and it had not seen them then.
    fn sent_again(&mut self, before: usize, low: i64, high: i64, bit: u8) {
        let mut at = 0;
        while at < before.min(self.passages.len()) {
            let known = self.passages[at];
            let missing = known.seen & bit == 0 && known.fate == Fate::Open;
            if missing && known.start < high && low < known.end {
                let piece = self.cut_out(at, known.start.max(low), known.end.min(high));
                self.passages[piece].fate = Fate::SentAgain;
                at = piece;
            }
            at += 1;
        }
    }

    /// Makes the part from `low` to `high` a passage of its own and gives its index.
    fn cut_out(&mut self, at: usize, low: i64, high: i64) -> usize {
        let known = self.passages[at];
        self.passages[at] = known.part(low, high);
        if high < known.end {
            self.passages.insert(at + 1, known.part(high, known.end));
        }
        if known.start < low {
            self.passages.insert(at, known.part(known.start, low));
            return at + 1;
        }
        at
    }

    /// Keeps to the bounds while all flows keep `others`; true when something had to be forgotten that was still on its way.
    fn shrink(&mut self, all: u8, others: usize) -> bool {
        let mut complete = self.passages.iter().filter(|passage| passage.seen == all).count();
        while complete > MAX_COMPLETE {
            let Some(oldest) = self.passages.iter().position(|passage| passage.seen == all) else { break };
            self.passages.remove(oldest);
            complete -= 1;
        }
        let most = if others >= MAX_PASSAGES_IN_ALL { FEW_PASSAGES } else { MAX_PASSAGES };
        let full = self.passages.len() > most;
        while self.passages.len() > most {
            self.passages.pop_front();
        }
        if self.passages.capacity() > 4 * self.passages.len().max(FEW_PASSAGES) {
            self.passages.shrink_to(2 * self.passages.len());
        }
        full
    }
}

/// Takes the part from `low` to `high` out of the one at this index.
fn split(parts: &mut Vec<Passage>, index: usize, low: i64, high: i64) {
    let part = parts.swap_remove(index);
    if part.start < low {
        parts.push(part.part(part.start, low));
    }
    if high < part.end {
        parts.push(part.part(high, part.end));
    }
}
