//! All lanes in one thread.

use super::concluder::Concluder;
use super::lane::{Counts, Lane, Moment, Told, lane_of};
use crate::packet::{IcmpError, Segment};
use crate::tls::KeyLog;
use crate::units::{Origin, Timestamp};
use std::sync::Arc;

/// The lanes, and what takes in at once what they tell.
pub(super) struct Alone {
    pub(super) lanes: Vec<Lane>,
    pub(super) concluder: Concluder,
    /// What is being put in order; empty in between.
    told: Vec<Told>,
}

impl Alone {
    pub(super) fn new(lanes: Vec<Lane>, concluder: Concluder) -> Self {
        Self { lanes, concluder, told: Vec::new() }
    }

    pub(super) fn segment(&mut self, segment: &Segment<'_>) {
        let lane = lane_of(segment.source, segment.destination, self.lanes.len());
        let lane = &mut self.lanes[lane];
        lane.segment(segment);
        lane.told().drain(..).for_each(|told| self.concluder.take(told));
    }

    pub(super) fn icmp(&mut self, error: &IcmpError) {
        let lane = lane_of(error.source, error.destination, self.lanes.len());
        self.lanes[lane].icmp(error);
    }

    /// It ticks before a packet; `now` is the latest time so far.
    pub(super) fn tick(&mut self, before: Origin, now: Option<Timestamp>) {
        self.all(|lane| lane.tick(before));
        self.concluder.tick(now);
    }

    /// The capture is over.
    pub(super) fn finish(&mut self, last: Option<Origin>) {
        self.concluder.capture_is_over();
        self.all(|lane| lane.finish_over(last));
        for lane in &mut self.lanes {
            lane.finish_next(last);
        }
        // Whose next flow is the first of all tells of it, and goes on to its next.
        let next = |lane: &mut Lane| lane.told().first().map(|told| told.at);
        while let Some((_, lane)) =
            self.lanes.iter_mut().filter_map(|lane| Some((next(lane)?, lane))).min_by_key(|(at, _)| *at)
        {
            lane.told().drain(..).for_each(|told| self.concluder.take(told));
            lane.finish_next(last);
        }
    }

    /// A clock of the capture was set back before this packet.
    pub(super) fn clock_was_set_back(&mut self, at: Origin) {
        self.concluder.clock_was_set_back(at);
    }

    /// From now on these are the secrets that are known.
    pub(super) fn know_keys(&mut self, keys: &Arc<KeyLog>) {
        self.lanes.iter_mut().for_each(|lane| lane.know_keys(Arc::clone(keys)));
    }

    /// Tells whether there may be more secrets while packets are read.
    pub(super) fn expect_keys(&mut self, may_come: bool) {
        self.lanes.iter_mut().for_each(|lane| lane.expect_keys(may_come));
    }

    /// What the lanes have counted.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.lanes.iter().for_each(|lane| lane.add_to(&mut counts));
        counts
    }

    /// Lets each lane do something, and takes in what they tell of it.
    fn all(&mut self, act: impl FnMut(&mut Lane)) {
        self.lanes.iter_mut().for_each(act);
        let lanes = self.lanes.iter_mut();
        lanes.for_each(|lane| self.told.append(lane.told()));
        in_order(&mut self.told);
        self.told.drain(..).for_each(|told| self.concluder.take(told));
    }
}

/// Puts in order what several lanes told. What one lane told of one moment stays as it is.
pub(super) fn in_order(told: &mut [Told]) {
    told.sort_by_key(|told| -> Moment { told.at });
}
