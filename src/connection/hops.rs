//! A connection recorded at several points: between which of them segments were lost, and where a RST came from.
//!
//! The points are put in order from the client to the server by hop limits (each router takes one) and by the times that
//! SYN and SYN-ACK take from one to the other; the difference of the two cancels what the clocks disagree by. Nothing is
//! said where these contradict each other or say nothing.
//!
//! A point that did not see a segment proves a loss only when it cannot have missed it: it was recording before and after,
//! no program says that it dropped packets there, it saw other segments of the same direction, and it missed nothing that
//! passed it for certain. What passed for certain is what a point further on recorded, and what the receiver
//! acknowledged although it was seen only once.

use crate::stream::{End, PerEnd};
use crate::tcp::{Fate, Passage, PathFacts, PointFacts, ResetPassage};
use crate::units::{Origin, PerSide, Side, Timestamp};

/// What happened between the points that recorded a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Hops {
    /// The points, from the client to the server when [`ordered`](Self::ordered), else in order of first sight.
    pub points: Vec<HopPoint>,
    /// Their order along the path is known.
    pub ordered: bool,
    /// What was lost between two neighbours.
    pub losses: Vec<HopLoss>,
    /// What one point saw and another did not, without proof of where it stayed.
    pub doubts: Vec<HopDoubt>,
    /// RSTs and where they were seen.
    pub resets: Vec<HopReset>,
}

/// One point of capture.
#[derive(Debug, Clone, PartialEq)]
pub struct HopPoint {
    /// What it saw.
    pub seen: PointFacts,
    /// Seconds from the point before it, the mean of both directions; `None` where no handshake tells.
    pub delay_s: Option<f64>,
    /// The lowest hop limit of each side's segments there.
    pub hop_limits: PerSide<Option<u8>>,
    /// Bytes that passed it and that it has not.
    pub missed_bytes: u64,
}

/// Segments of one side that one point saw and the next one on their way never did.
#[derive(Debug, Clone, PartialEq)]
pub struct HopLoss {
    /// Who sent them.
    pub side: Side,
    /// The last point that saw them and the first that did not, as indices of [`Hops::points`].
    pub between: (usize, usize),
    /// Bytes of data in them; each transmission counts.
    pub bytes: u64,
    /// Of these, bytes that came past when they were sent again.
    pub sent_again: u64,
    /// Transmissions; where offload joins segments, fewer than there were on the wire.
    pub segments: u64,
    /// A FIN was among them.
    pub fin: bool,
    /// The first of them.
    pub first: Origin,
    /// The last of them that was not sent again with success.
    pub last_missing: Option<Origin>,
}

/// Why it cannot be said where something stayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyDoubt {
    /// Nothing tells the order of the points.
    Order,
    /// The point was not recording at that time, or nothing shows that it was.
    NotRecording,
    /// The recording program says that it lost packets there.
    Dropped,
    /// The point missed other packets that passed it.
    Missed,
    /// The point shares nothing of that direction with the others.
    NothingShared,
    /// A bound of the analysis was reached.
    Limit,
    /// Packets without a time, or a clock that stepped.
    NoTime,
}

impl WhyDoubt {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order_unknown",
            Self::NotRecording => "not_recording",
            Self::Dropped => "recorder_dropped",
            Self::Missed => "recorder_missed",
            Self::NothingShared => "nothing_shared",
            Self::Limit => "limit",
            Self::NoTime => "no_time",
        }
    }
}

/// Segments of one side that not every point saw, without proof of a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct HopDoubt {
    /// Who sent them.
    pub side: Side,
    /// Why nothing is concluded.
    pub why: WhyDoubt,
    /// Bytes of data in them.
    pub bytes: u64,
    /// The first of them.
    pub first: Origin,
    /// Some of them were never seen again nor acknowledged.
    pub missing: bool,
}

/// A RST and where it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct HopReset {
    /// In whose name.
    pub side: Side,
    /// Its first record at each of [`Hops::points`].
    pub seen: Vec<Option<Origin>>,
    /// Where it came from.
    pub source: ResetSource,
}

/// Where a RST came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetSource {
    /// From its sender or from something on the way before the first point: the point next to its sender saw it.
    Beyond,
    /// From something between two points (indices of [`Hops::points`], the sender's first).
    Between(usize, usize),
    /// That cannot be told.
    Unknown(WhyDoubt),
}

/// What is known of the recording at one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorder {
    /// The time of its last packet, of whatever connection.
    pub until: Option<Timestamp>,
    /// Packets that the recording program says it lost there.
    pub dropped: u64,
}

/// What the points saw, to be interpreted when it is known how reliable they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// What they saw.
    pub facts: Box<PathFacts>,
    /// Which end is the client's.
    pub client: End,
}

/// A flow that was not seen from its start may have had segments on their way when a point began.
const ON_THEIR_WAY_SECONDS: f64 = 1.0;

/// A point recorded on for at least so long, beyond what the way takes.
const RECORDED_ON_SECONDS: f64 = 0.05;

/// A handshake that took longer may be made of a SYN and its repetition (RFC 6298 §2: one second, of which half counts).
const LONGEST_DELAY_SECONDS: f64 = 0.45;

/// Two clocks may agree better on one segment than the way is long; below this only both directions together tell.
const SHORTEST_DELAY_SECONDS: f64 = 10e-6;

impl Path {
    /// What the points saw, if they have anything in common: a connection that moves from one interface to another, or has
    /// each direction on one of its own, was recorded once.
    #[must_use]
    pub fn new(facts: Option<Box<PathFacts>>, client: End) -> Option<Self> {
        let shares = |point: &PointFacts| point.shared.a > 0 || point.shared.b > 0;
        let facts = facts.filter(|facts| facts.points.iter().any(shares))?;
        Some(Self { facts, client })
    }

    /// Whether the answer depends on how reliable the points are.
    #[must_use]
    pub fn asks_for_recorders(&self) -> bool {
        let all = |reset: &ResetPassage| (0..self.facts.points.len()).all(|point| reset.seen[point].is_some());
        let PerEnd { a, b } = &self.facts.unmatched;
        !a.is_empty() || !b.is_empty() || !self.facts.resets.iter().all(all)
    }

    /// Says what happened between the points. `stepped`: the clock of the capture stepped meanwhile.
    #[must_use]
    pub fn interpret(&self, recorder: impl Fn(u32) -> Recorder, stepped: bool) -> Hops {
        let mut work = Work::new(self, recorder, stepped);
        for side in Side::BOTH {
            work.passages(side);
        }
        let resets = self.facts.resets.iter().map(|reset| work.reset(reset)).collect();
        Hops { points: work.points, ordered: work.ordered, losses: work.losses, doubts: work.doubts, resets }
    }

    fn end(&self, side: Side) -> End {
        if side == Side::Client { self.client } else { self.client.other() }
    }

    fn side(&self, end: End) -> Side {
        if end == self.client { Side::Client } else { Side::Server }
    }

    /// The indices of the points from the client to the server.
    fn order(&self) -> Option<Vec<usize>> {
        let points = &self.facts.points;
        let mut order: Vec<(usize, usize)> = Vec::with_capacity(points.len());
        for (index, one) in points.iter().enumerate() {
            let mut before = 0;
            for other in points.iter().filter(|other| other.interface != one.interface) {
                before += usize::from(!self.is_nearer_client(one, other)?);
            }
            order.push((before, index));
        }
        order.sort_unstable();
        let strict = order.iter().enumerate().all(|(place, (before, _))| place == *before);
        strict.then(|| order.into_iter().map(|(_, index)| index).collect())
    }

    /// Whether `one` is nearer the client than `other`; `None` when nothing tells, or what tells disagrees.
    fn is_nearer_client(&self, one: &PointFacts, other: &PointFacts) -> Option<bool> {
        let passes_first = |end: End| {
            let ((low, high), (other_low, other_high)) = (one.hop_limits[end]?, other.hop_limits[end]?);
            if low > other_high { Some(true) } else { (high < other_low).then_some(false) }
        };
        let votes = [
            passes_first(self.client),
            passes_first(self.client.other()).map(|first| !first),
            self.handshake(one, other).and_then(|(delay, sure)| sure.then_some(delay > 0.0)),
        ];
        let mut votes = votes.into_iter().flatten();
        let first = votes.next()?;
        votes.all(|vote| vote == first).then_some(first)
    }

    /// Seconds that the handshake took from `one` to `other`, negative when `other` is nearer the client; and whether that
    /// is more than chance.
    fn handshake(&self, one: &PointFacts, other: &PointFacts) -> Option<(f64, bool)> {
        let took = |end: End| other.syn[end]?.seconds_since(&one.syn[end]?);
        let (there, back) = (took(self.client)?, took(self.client.other())?);
        let delay = (there - back) / 2.0;
        let mirrored = there * back < 0.0;
        let plausible = delay.abs() <= LONGEST_DELAY_SECONDS;
        plausible.then_some((delay, mirrored || delay.abs() >= SHORTEST_DELAY_SECONDS))
    }
}

/// The interpretation under way.
struct Work<'a> {
    path: &'a Path,
    /// For each of `points` its index in the facts.
    index: Vec<usize>,
    recorders: Vec<Recorder>,
    points: Vec<HopPoint>,
    ordered: bool,
    stepped: bool,
    losses: Vec<HopLoss>,
    doubts: Vec<HopDoubt>,
}

impl<'a> Work<'a> {
    fn new(path: &'a Path, recorder: impl Fn(u32) -> Recorder, stepped: bool) -> Self {
        let order = path.order();
        let ordered = order.is_some();
        let index = order.unwrap_or_else(|| (0..path.facts.points.len()).collect());
        let mut points: Vec<HopPoint> = Vec::with_capacity(index.len());
        for &at in &index {
            let seen = path.facts.points[at].clone();
            let before = points.last().filter(|_| ordered);
            let delay = before.and_then(|before| path.handshake(&before.seen, &seen));
            let delay_s = delay.map(|(delay, _)| delay.max(0.0));
            let lowest = |side: Side| seen.hop_limits[path.end(side)].map(|(lowest, _)| lowest);
            let hop_limits = PerSide { client: lowest(Side::Client), server: lowest(Side::Server) };
            points.push(HopPoint { seen, delay_s, hop_limits, missed_bytes: 0 });
        }
        let recorders = points.iter().map(|point| recorder(point.seen.interface)).collect();
        let (losses, doubts) = (Vec::new(), Vec::new());
        let mut this = Self { path, index, recorders, points, ordered, stepped, losses, doubts };
        if ordered {
            Side::BOTH.into_iter().for_each(|side| this.count_missed(side));
        }
        this
    }

    /// The points in the order in which the segments of `side` pass them.
    fn way(&self, side: Side) -> Vec<usize> {
        let forward = 0..self.points.len();
        if side == Side::Client { forward.collect() } else { forward.rev().collect() }
    }

    fn unmatched(&self, side: Side) -> &'a [Passage] {
        &self.path.facts.unmatched[self.path.end(side)]
    }

    /// The last point on `way` that saw a passage, as a position in `way`.
    fn last_seen(&self, way: &[usize], passage: &Passage) -> usize {
        way.iter().rposition(|&point| passage.seen_at(self.index[point])).unwrap_or(0)
    }

    /// What passed points that have not recorded it.
    fn count_missed(&mut self, side: Side) {
        let way = self.way(side);
        for passage in self.unmatched(side) {
            let last = self.last_seen(&way, passage);
            let reached = if passage.fate == Fate::Acknowledged { way.len() } else { last };
            for (at, &point) in way.iter().enumerate() {
                let missed = at < reached && !passage.seen_at(self.index[point]);
                if missed && self.was_recording(point, passage.origin) {
                    let bytes = passage.bytes().max(1);
                    self.points[point].missed_bytes = self.points[point].missed_bytes.saturating_add(bytes);
                }
            }
        }
    }

    /// Whether the point had begun to record before anything was sent that it did not see.
    fn began_before(&self, point: usize, at: Origin) -> bool {
        let seen = &self.points[point].seen;
        let from_start = End::BOTH.into_iter().any(|end| seen.syn[end].is_some());
        let grace = if from_start { 0.0 } else { ON_THEIR_WAY_SECONDS };
        at.seconds_since(&seen.first).is_some_and(|since| since >= grace)
    }

    /// Whether the point recorded before and after this moment.
    fn was_recording(&self, point: usize, at: Origin) -> bool {
        let until = self.recorders[point].until.max(self.points[point].seen.last.time);
        let margin = RECORDED_ON_SECONDS + 2.0 * self.path.facts.longest_s;
        let recorded_on = until.zip(at.time).is_some_and(|(until, time)| until.seconds_since(time) >= margin);
        recorded_on && self.began_before(point, at)
    }

    /// Why nothing can be concluded from what this point did not see of `side` at that time.
    fn doubt(&self, point: usize, side: Side, at: Origin) -> Option<WhyDoubt> {
        let (seen, recorder) = (&self.points[point].seen, &self.recorders[point]);
        if at.time.is_none() || self.stepped {
            Some(WhyDoubt::NoTime)
        } else if self.path.facts.incomplete {
            Some(WhyDoubt::Limit)
        } else if !self.ordered {
            Some(WhyDoubt::Order)
        } else if !self.was_recording(point, at) {
            Some(WhyDoubt::NotRecording)
        } else if recorder.dropped > 0 {
            Some(WhyDoubt::Dropped)
        } else if self.points[point].missed_bytes > 0 {
            Some(WhyDoubt::Missed)
        } else if seen.shared[self.path.end(side)] == 0 {
            Some(WhyDoubt::NothingShared)
        } else {
            None
        }
    }

    /// Where the segments of `side` stayed that some point did not see.
    fn passages(&mut self, side: Side) {
        let way = self.way(side);
        for passage in self.unmatched(side) {
            let last = self.last_seen(&way, passage);
            let Some(&next) = way.get(last + 1).filter(|_| self.ordered) else {
                if !self.ordered {
                    self.note_doubt(side, WhyDoubt::Order, passage);
                }
                continue;
            };
            if passage.fate == Fate::Acknowledged {
                self.note_doubt(side, WhyDoubt::Missed, passage);
            } else if let Some(why) = self.doubt(next, side, passage.origin) {
                self.note_doubt(side, why, passage);
            } else {
                self.note_loss(side, (way[last], next), passage);
            }
        }
    }

    fn note_loss(&mut self, side: Side, between: (usize, usize), passage: &Passage) {
        let known = self.losses.iter_mut().find(|loss| (loss.side, loss.between) == (side, between));
        let loss = match known {
            Some(loss) => loss,
            None => {
                let first = passage.origin;
                let (bytes, sent_again, segments, fin, last_missing) = (0, 0, 0, false, None);
                let loss = HopLoss { side, between, bytes, sent_again, segments, fin, first, last_missing };
                self.losses.push(loss);
                let Some(loss) = self.losses.last_mut() else { return };
                loss
            }
        };
        loss.bytes = loss.bytes.saturating_add(passage.bytes());
        loss.segments += 1;
        loss.fin |= passage.fin;
        if passage.fate == Fate::SentAgain {
            loss.sent_again = loss.sent_again.saturating_add(passage.bytes());
        } else {
            loss.last_missing = Some(passage.origin);
        }
    }

    fn note_doubt(&mut self, side: Side, why: WhyDoubt, passage: &Passage) {
        let missing = passage.fate == Fate::Open;
        match self.doubts.iter_mut().find(|doubt| (doubt.side, doubt.why) == (side, why)) {
            Some(doubt) => {
                doubt.bytes = doubt.bytes.saturating_add(passage.bytes());
                doubt.missing |= missing;
            }
            None => {
                let (bytes, first) = (passage.bytes(), passage.origin);
                self.doubts.push(HopDoubt { side, why, bytes, first, missing });
            }
        }
    }

    fn reset(&self, reset: &ResetPassage) -> HopReset {
        let side = self.path.side(reset.from);
        let seen: Vec<Option<Origin>> = self.index.iter().map(|&at| reset.seen.get(at).copied().flatten()).collect();
        let way = self.way(side);
        let first = way.iter().position(|&point| seen[point].is_some());
        let at = seen.iter().flatten().min_by_key(|origin| origin.packet).copied();
        let source = match (first, at) {
            _ if seen.iter().all(Option::is_some) => ResetSource::Beyond,
            (Some(0), _) if self.ordered => ResetSource::Beyond,
            (Some(first @ 1..), Some(at)) if self.ordered => match self.doubt(way[first - 1], side, at) {
                Some(why) => ResetSource::Unknown(why),
                None => ResetSource::Between(way[first - 1], way[first]),
            },
            _ => ResetSource::Unknown(WhyDoubt::Order),
        };
        HopReset { side, seen, source }
    }
}

impl Hops {
    /// The RST of which one record is this packet.
    #[must_use]
    pub fn reset_at(&self, at: Origin) -> Option<&HopReset> {
        self.resets.iter().find(|reset| reset.seen.iter().flatten().any(|seen| seen.packet == at.packet))
    }
}
