//! A stretch of a capture, made ready for the lanes.

use super::lane::{AHEAD, Lane, Moment, lane_of};
use crate::packet::{IcmpError, Segment};
use crate::units::{Origin, Timestamp};
use std::ops::Range;

/// Bytes of payload after which a block is full.
const BYTES: usize = 256 << 10;

/// Packets after which a block is full.
const ITEMS: usize = 2048;

/// Consecutive packets of a capture, by lane.
#[derive(Debug)]
pub(super) struct Block {
    /// The payload of all segments.
    bytes: Vec<u8>,
    /// What each lane has to do.
    items: Vec<Vec<Item>>,
    count: usize,
    /// What concerns all connections, in order.
    global: Vec<(Moment, Global)>,
}

/// What a lane has to do.
#[derive(Debug)]
enum Item {
    /// A segment without its payload, and where that is.
    Segment(Segment<'static>, Range<usize>),
    Icmp(Box<IcmpError>),
    Tick(Origin),
}

/// What concerns all connections.
#[derive(Debug, Clone, Copy)]
pub(super) enum Global {
    /// The clock of the capture was set back before a packet.
    Step(Origin),
    /// It ticks; the latest time so far.
    Tick(Option<Timestamp>),
}

impl Block {
    /// An empty block for so many lanes.
    pub(super) fn new(lanes: usize) -> Self {
        Self { bytes: Vec::new(), items: (0..lanes).map(|_| Vec::new()).collect(), count: 0, global: Vec::new() }
    }

    /// Makes it as good as new, but for the memory that it has.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.items.iter_mut().for_each(Vec::clear);
        self.count = 0;
        self.global.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= ITEMS || self.bytes.len() >= BYTES
    }

    pub(super) fn segment(&mut self, segment: &Segment<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(segment.payload);
        let lane = lane_of(segment.source, segment.destination, self.items.len());
        self.items[lane].push(Item::Segment(segment.with_payload(&[]), start..self.bytes.len()));
        self.count += 1;
    }

    pub(super) fn icmp(&mut self, error: &IcmpError) {
        let lane = lane_of(error.source, error.destination, self.items.len());
        self.items[lane].push(Item::Icmp(Box::new(*error)));
        self.count += 1;
    }

    /// It ticks before a packet; `now` is the latest time so far.
    pub(super) fn tick(&mut self, before: Origin, now: Option<Timestamp>) {
        self.items.iter_mut().for_each(|items| items.push(Item::Tick(before)));
        self.global.push((Moment::packet(before.packet), Global::Tick(now)));
        self.count += 1;
    }

    /// The clock of the capture was set back before a packet.
    pub(super) fn clock_was_set_back(&mut self, at: Origin) {
        self.global.push((Moment::tick(at.packet), Global::Step(at)));
        self.count += 1;
    }

    /// Lets one lane do what it has to.
    pub(super) fn play(&self, number: usize, lane: &mut Lane) {
        let is_segment = |item: &Item| matches!(item, Item::Segment(..));
        let mut segments = Vec::with_capacity(AHEAD);
        for items in self.items[number].chunk_by(|one, next| is_segment(one) && is_segment(next)) {
            for items in items.chunks(AHEAD) {
                segments.clear();
                for item in items {
                    match item {
                        Item::Segment(segment, place) => {
                            segments.push(segment.with_payload(&self.bytes[place.clone()]))
                        }
                        Item::Icmp(error) => lane.icmp(error),
                        Item::Tick(before) => lane.tick(*before),
                    }
                }
                lane.segments(&segments);
            }
        }
    }

    /// What concerns all connections, in order, and which moment it comes before.
    pub(super) fn global(&self) -> &[(Moment, Global)] {
        &self.global
    }
}
