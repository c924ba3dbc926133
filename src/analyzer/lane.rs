//! A share of the connections, from segments to what their stacks tell.
//!
//! Which lane a connection belongs to depends on its two endpoints alone, and how many lanes there are on the bounds alone.
//! So what a lane tells is the same wherever and whenever it is run: all lanes in turn, or each by itself.

use crate::application::Applications;
use crate::crowd::Notice;
use crate::fleet::CopyCounts;
use crate::limits::{LimitHits, Limits};
use crate::packet::{IcmpError, Segment};
use crate::stack::{Finished, Payload, Shared, Stack, Unread};
use crate::tcp::{FlowEnd, FlowTable};
use crate::tls::KeyLog;
use crate::units::{Endpoint, Origin, PacketNumber};
use std::iter;
use std::net::IpAddr;
use std::sync::Arc;
use std::vec::Drain;

/// Lanes of an analysis with usual bounds.
pub(super) const LANES: usize = 8;

/// Segments that are looked at ahead.
pub(super) const AHEAD: usize = 32;

/// When something was told: everything has to be taken in in this order, whichever lane it comes from.
///
/// One number, because moments are compared a lot: the packet, the [`Part`] of it, and what was there first, which goes
/// first: the packet that ended a flow, or that began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u128);

/// The parts of a moment.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// The tick before a packet.
    Tick,
    /// A packet.
    Packet,
    /// The end of the capture, for flows that were over.
    Over,
    /// The same for those that were open.
    Open,
}

impl Moment {
    /// Bits of the number of a packet that was there first; the numbers of a capture are smaller.
    const OF: u32 = 62;

    fn new(packet: u64, part: Part, of: u64) -> Self {
        let of = of.min((1 << Self::OF) - 1);
        Self(u128::from(packet) << 64 | u128::from((part as u64) << Self::OF | of))
    }

    pub(super) fn tick(before: PacketNumber) -> Self {
        Self::new(before.value(), Part::Tick, 0)
    }

    pub(super) fn packet(packet: PacketNumber) -> Self {
        Self::new(packet.value(), Part::Packet, 0)
    }

    /// The end of the capture, for a flow that ended with it or before.
    fn end(of: u64, end: FlowEnd) -> Self {
        let part = if end == FlowEnd::CaptureEnded { Part::Open } else { Part::Over };
        Self::new(u64::MAX, part, of)
    }
}

/// One thing that a lane tells.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) at: Moment,
    /// The first packet of the flow that it is about.
    pub(super) flow: PacketNumber,
    pub(super) news: News,
}

#[derive(Debug)]
pub(super) enum News {
    /// The flow has begun.
    Began,
    /// Its connection has something to tell the others.
    Notice(Notice),
    /// It is over.
    Finished(Finished),
}

/// Flows that end with the capture. Not all at once, because all that are open would take twice their memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// Those that were over already.
    Over,
    /// Of those that were open, the ones that began with packets up to this.
    Open { upto: u64 },
}

impl Ending {
    /// Steps in which open flows end.
    const STEPS: u64 = 128;

    /// All flows of a capture with this last packet, step by step.
    pub(super) fn all(last: Option<Origin>) -> impl Iterator<Item = Self> {
        let packets = last.map_or(0, |last| last.packet.value());
        let step = packets / Self::STEPS + 1;
        let open = (1..Self::STEPS).map(move |at| Self::Open { upto: at.saturating_mul(step) });
        iter::once(Self::Over).chain(open).chain(iter::once(Self::Open { upto: u64::MAX }))
    }
}

/// What several told, each in order, as one.
pub(super) struct InOrder<'t> {
    /// With the moment of the next of each.
    told: Vec<(Moment, Drain<'t, Told>)>,
}

impl<'t> InOrder<'t> {
    pub(super) fn of(told: impl Iterator<Item = Drain<'t, Told>>) -> Self {
        Self { told: told.filter_map(|told| Some((next_at(&told)?, told))).collect() }
    }

    /// When the next was told.
    pub(super) fn next_at(&self) -> Option<Moment> {
        self.told.iter().map(|(at, _)| *at).min()
    }
}

impl Iterator for InOrder<'_> {
    type Item = Told;

    fn next(&mut self) -> Option<Told> {
        let (from, _) = self.told.iter().enumerate().min_by_key(|(_, (at, _))| *at)?;
        let (at, told) = &mut self.told[from];
        let next = told.next();
        match next_at(told) {
            Some(moment) => *at = moment,
            None => drop(self.told.swap_remove(from)),
        }
        next
    }
}

fn next_at(told: &Drain<'_, Told>) -> Option<Moment> {
    told.as_slice().first().map(|told| told.at)
}

/// Puts in order what one lane told. What it told of one moment stays as it is.
fn in_order(told: &mut [Told]) {
    told.sort_by_key(|told| told.at);
}

/// One lane.
pub(super) struct Lane {
    flows: FlowTable<Stack>,
    shared: Shared,
    told: Vec<Told>,
    duplicates: u64,
    copied: CopyCounts,
}

/// What lanes have counted; it can be added up in any order.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) flows: u64,
    pub(super) duplicates: u64,
    pub(super) copied: CopyCounts,
    pub(super) hits: LimitHits,
    pub(super) unread: Unread,
}

/// The lanes of an analysis. Where the bounds leave too little for each of several, there is one.
pub(super) fn lanes(limits: &Limits, applications: &Arc<Applications>, payload: Payload) -> Vec<Lane> {
    let (share, count) = limits.share(LANES).map_or((*limits, 1), |share| (share, LANES));
    let shared = Shared::new(share, Arc::clone(applications), payload);
    let lane = |_| Lane {
        flows: FlowTable::new(&share),
        shared: shared.beside(),
        told: Vec::new(),
        duplicates: 0,
        copied: CopyCounts::default(),
    };
    (0..count).map(lane).collect()
}

/// Which of `lanes` the packets between two endpoints go to, whatever their direction.
///
/// Not seeded: the lanes of two runs must be the same, and endpoints that are chosen to share one gain nothing.
pub(super) fn lane_of(one: Endpoint, other: Endpoint, lanes: usize) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = |end: Endpoint| {
        let ip = match end.ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => (ip.to_bits() as u64).wrapping_mul(ODD) ^ (ip.to_bits() >> 64) as u64,
        };
        let mixed = ip.rotate_left(16).wrapping_add(u64::from(end.port)).wrapping_mul(ODD);
        mixed ^ mixed >> 29
    };
    let both = mixed(one).wrapping_add(mixed(other)).wrapping_mul(ODD);
    // The upper half as a part of all that it can be: no division.
    (((both >> 32) * lanes as u64) >> 32) as usize
}

impl Lane {
    /// Takes in the next segments of this lane.
    pub(super) fn segments(&mut self, segments: &[Segment<'_>]) {
        for next in segments.chunks(AHEAD) {
            self.flows.foresee(next);
            next.iter().for_each(|segment| self.segment(segment));
        }
    }

    /// Takes in the next segment of this lane.
    pub(super) fn segment(&mut self, segment: &Segment<'_>) {
        let (at, told) = (Moment::packet(segment.origin.packet), &mut self.told);
        self.flows.push(segment, &mut self.shared, |start| {
            told.push(Told { at, flow: start.origin.packet, news: News::Began });
            Stack::new(start)
        });
        self.notices(at);
        self.finished(None, |_, _| at);
    }

    /// Takes in an error about a segment of this lane.
    pub(super) fn icmp(&mut self, error: &IcmpError) {
        self.flows.icmp(error);
    }

    /// Lets go of the flows that have lingered long enough before this packet.
    pub(super) fn tick(&mut self, before: Origin) {
        let told = self.told.len();
        self.flows.tick(before, &mut self.shared);
        self.finished(None, |of, _| Moment::new(before.packet.value(), Part::Tick, of));
        in_order(&mut self.told[told..]);
    }

    /// The capture is over, and `last` is its last packet: ends some of the flows, and gives what they tell.
    pub(super) fn finish(&mut self, last: Option<Origin>, ending: Ending) -> Drain<'_, Told> {
        let of = if let Ending::Open { upto } = ending { upto } else { 0 };
        let upto = Moment::end(of, FlowEnd::CaptureEnded);
        match ending {
            Ending::Over => {
                self.flows.capture_is_over();
                while self.flows.finish_next_over(&mut self.shared) {
                    self.finished(last, Moment::end);
                }
                in_order(&mut self.told);
            }
            // The one that is too many tells of it when it is its turn.
            Ending::Open { .. } => {
                while self.told.last().is_none_or(|told| told.at <= upto) && self.flows.finish_next(&mut self.shared) {
                    self.finished(last, Moment::end);
                }
            }
        }
        let count = self.told.partition_point(|told| told.at <= upto);
        self.told.drain(..count)
    }

    /// What there is to take in, in order.
    pub(super) fn told(&mut self) -> Drain<'_, Told> {
        self.told.drain(..)
    }

    /// From now on these are the secrets that are known.
    pub(super) fn know_keys(&mut self, keys: Arc<KeyLog>) {
        self.shared.know_keys(keys);
    }

    /// Tells whether there may be more secrets while packets are read.
    pub(super) fn expect_keys(&mut self, may_come: bool) {
        self.shared.expect_keys(may_come);
    }

    /// Adds what this lane has counted.
    pub(super) fn add_to(&self, counts: &mut Counts) {
        let (tcp, shared) = (self.flows.limit_hits(), &self.shared);
        counts.flows += self.flows.flow_count();
        counts.duplicates += self.duplicates;
        counts.copied.join(&self.copied);
        counts.unread.join(shared.unread());
        counts.hits.add(&LimitHits {
            flows: tcp.flows,
            kept: tcp.kept,
            reorder: tcp.reorder,
            inflate: shared.scratch.inflate_limit_hits(),
            resync: shared.scratch.resync_limit_hits(),
            ..shared.hits
        });
    }

    /// Closes the books on the flows that have ended. `moment`: when that is, by the packet since which a flow was over, or
    /// with which it began if it was open to the end, and by its end.
    fn finished(&mut self, last: Option<Origin>, moment: impl Fn(u64, FlowEnd) -> Moment) {
        while let Some(flow) = self.flows.pop_finished() {
            self.duplicates += u64::from(flow.tcp.duplicates);
            if let Some(copies) = &flow.tcp.copies {
                self.copied.add(copies.kinds());
            }
            let (number, flow_end) = (flow.first.packet, flow.end);
            let is_open = flow_end == FlowEnd::CaptureEnded;
            let at = moment(if is_open { number } else { flow.over_since.packet }.value(), flow_end);
            let open_until = if is_open { last } else { None };
            let mut finished = Stack::finish(flow, &mut self.shared, open_until);
            if let Finished::Connection(connection) | Finished::Attempt(connection) = &mut finished {
                (connection.open_until, connection.flow_end) = (open_until, flow_end);
            }
            self.notices(at);
            self.told.push(Told { at, flow: number, news: News::Finished(finished) });
        }
    }

    fn notices(&mut self, at: Moment) {
        if !self.shared.notices.is_empty() {
            let told = self.shared.notices.drain();
            self.told.extend(told.map(|(flow, notice)| Told { at, flow, news: News::Notice(notice) }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_in_one_lane_and_connections_spread() {
        let mut count = [0; LANES];
        let server = Endpoint { ip: [10, 0, 0, 1].into(), port: 443 };
        for at in 0..8000_u16 {
            let client = Endpoint { ip: [10, 1, (at >> 10) as u8, 7].into(), port: 32_768 + at };
            let lane = lane_of(client, server, LANES);
            assert_eq!(lane, lane_of(server, client, LANES));
            count[lane] += 1;
        }
        assert!(count.iter().all(|count| (900..1100).contains(count)), "{count:?}");
    }

    #[test]
    fn small_bounds_are_not_shared() {
        assert_eq!(Limits { flows: 100, ..Limits::default() }.share(LANES), None);
        assert!(Limits::default().share(LANES).is_some());
    }
}
