//! The lanes and what takes in what they tell: in this thread, or with a crew.

use super::batch::Batch;
use super::block::Global;
use super::conclude;
use super::concluder::Concluder;
use super::crew::Crew;
use super::lane::{Counts, Ending, InOrder, Lane, lane_of};
use crate::catalog::knowledge::Knowledge;
use crate::connection::Recorder;
use crate::diagnosis::Paths;
use crate::fleet::{ConnectionReport, Summary};
use crate::packet::{IcmpError, Segment};
use crate::tls::KeyLog;
use crate::units::{Origin, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// Segments that are looked at in this thread before others are called: most captures hold no more.
const BEFORE_CREW: u64 = 4096;

/// What is due before a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) before: Origin,
    /// The latest time so far.
    pub(super) now: Option<Timestamp>,
    /// The clock of the capture was set back.
    pub(super) clock_was_set_back: bool,
    pub(super) tick: bool,
}

impl Due {
    #[inline]
    pub(super) fn is_some(self) -> bool {
        self.clock_was_set_back || self.tick
    }
}

/// What is done behind the decoder, by whomever.
pub(super) struct Work {
    knowledge: Arc<Knowledge>,
    /// How many threads may work.
    jobs: usize,
    /// Empty while a crew has them.
    lanes: Vec<Lane>,
    /// How many there are.
    lane_count: usize,
    concluder: Concluder,
    /// What was learned in this thread.
    paths: Paths,
    crew: Option<Crew>,
    /// Segments since there is no crew.
    alone: u64,
    /// What a crew that was dismissed had concluded.
    reports: VecDeque<ConnectionReport>,
}

impl Work {
    pub(super) fn new(lanes: Vec<Lane>, concluder: Concluder, knowledge: Arc<Knowledge>, jobs: usize) -> Self {
        let (reports, lane_count) = (VecDeque::new(), lanes.len());
        Self { knowledge, jobs, lanes, lane_count, concluder, paths: Paths::default(), crew: None, alone: 0, reports }
    }

    pub(super) fn segment(&mut self, segment: &Segment<'_>) {
        if let Some(crew) = &mut self.crew {
            return crew.segment(segment, &mut self.concluder);
        }
        self.alone += 1;
        let lane = lane_of(segment.source, segment.destination, self.lanes.len());
        let lane = &mut self.lanes[lane];
        lane.segment(segment);
        lane.told().for_each(|told| self.concluder.take(told));
    }

    /// An empty batch, for about so many segments.
    pub(super) fn batch<'p>(&self, segments: usize) -> Batch<'p> {
        Batch::new(self.lane_count, segments)
    }

    /// Whether others do the work of the lanes.
    pub(super) fn has_crew(&self) -> bool {
        self.crew.is_some()
    }

    /// Takes in the segments of a batch, and leaves it empty. There must be no crew, unless it is.
    pub(super) fn play(&mut self, batch: &mut Batch<'_>) {
        for (lane, segments) in self.lanes.iter_mut().zip(batch.lanes()) {
            self.alone += segments.len() as u64;
            lane.segments(segments);
            segments.clear();
        }
        self.take_in();
    }

    pub(super) fn icmp(&mut self, error: &IcmpError) {
        if let Some(crew) = &mut self.crew {
            return crew.block().icmp(error);
        }
        let lane = lane_of(error.source, error.destination, self.lanes.len());
        self.lanes[lane].icmp(error);
    }

    /// Does what is due before a packet.
    #[inline]
    pub(super) fn due(&mut self, due: Due) {
        if due.clock_was_set_back {
            self.clock_was_set_back(due.before);
        }
        if due.tick {
            self.tick(due.before, due.now);
        }
    }

    /// It ticks before a packet; `now` is the latest time so far.
    fn tick(&mut self, before: Origin, now: Option<Timestamp>) {
        if self.alone >= BEFORE_CREW && self.jobs > 1 {
            self.call_crew();
        }
        if let Some(crew) = &mut self.crew {
            return crew.block().tick(before, now);
        }
        self.lanes.iter_mut().for_each(|lane| lane.tick(before));
        self.take_in();
        self.concluder.global(Global::Tick(now));
    }

    /// A clock of the capture was set back before this packet.
    fn clock_was_set_back(&mut self, at: Origin) {
        match &mut self.crew {
            Some(crew) => crew.block().clock_was_set_back(at),
            None => self.concluder.global(Global::Step(at)),
        }
    }

    /// From now on these are the secrets that are known.
    pub(super) fn know_keys(&mut self, keys: &Arc<KeyLog>) {
        self.dismiss_crew();
        self.lanes.iter_mut().for_each(|lane| lane.know_keys(Arc::clone(keys)));
    }

    /// Tells whether there may be more secrets while packets are read.
    pub(super) fn expect_keys(&mut self, may_come: bool) {
        self.dismiss_crew();
        self.lanes.iter_mut().for_each(|lane| lane.expect_keys(may_come));
    }

    /// The capture is over: everything that is still open ends. `last`: its last packet, `now`: its latest time,
    /// `recorder`: what is known of the recording at an interface.
    pub(super) fn finish(&mut self, last: Option<Origin>, now: Option<Timestamp>, recorder: impl Fn(u32) -> Recorder) {
        match &mut self.crew {
            Some(crew) => {
                crew.settle(&mut self.concluder);
                self.concluder.capture_is_over();
                self.lanes = crew.finish(last, &mut self.concluder);
            }
            None => {
                self.concluder.capture_is_over();
                for ending in Ending::all(last) {
                    let told = self.lanes.iter_mut().map(|lane| lane.finish(last, ending));
                    InOrder::of(told).for_each(|told| self.concluder.take(told));
                }
            }
        }
        self.concluder.finish(now, recorder);
    }

    /// The next report that is ready.
    pub(super) fn next_report(&mut self) -> Option<ConnectionReport> {
        if let Some(report) = self.reports.pop_front() {
            return Some(report);
        }
        match &mut self.crew {
            // When the lanes are back, it is over.
            Some(crew) => crew.next_report(&mut self.concluder, !self.lanes.is_empty()),
            None => Some(conclude(self.concluder.next_ready()?, &self.knowledge, &mut self.paths)),
        }
    }

    /// What the lanes have counted; nothing while a crew has them.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.lanes.iter().for_each(|lane| lane.add_to(&mut counts));
        counts
    }

    /// What is counted of connections and other flows.
    pub(super) fn concluded(&self) -> &Summary {
        &self.concluder.counts
    }

    /// Takes in what several lanes have told.
    fn take_in(&mut self) {
        let told = InOrder::of(self.lanes.iter_mut().map(Lane::told));
        told.for_each(|told| self.concluder.take(told));
    }

    fn call_crew(&mut self) {
        self.alone = 0;
        // Without threads it goes on as before.
        self.crew = Crew::call(self.jobs, &self.knowledge, &mut self.lanes);
    }

    /// The lanes come back, with all that they were given done.
    fn dismiss_crew(&mut self) {
        let Some(mut crew) = self.crew.take() else { return };
        crew.settle(&mut self.concluder);
        self.lanes = crew.take_lanes(&mut self.concluder);
        self.reports.extend(crew.dismiss(&mut self.concluder));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Analyzer, Options};
    use super::*;
    use crate::capture::Reader;
    use crate::catalog::language::Language;
    use crate::report::Speaker;
    use crate::report::json::ConnectionObject;

    const CAPTURES: [&[u8]; 2] = [
        include_bytes!("../../fixtures/demo/mixed/capture.pcapng"),
        include_bytes!("../../fixtures/close-codes/1008-policy/capture.pcap"),
    ];

    /// The reports on a capture as JSON. A crew is called with the first packet, and a block ends where `cut` says.
    fn found(capture: &[u8], jobs: usize, mut cut: impl FnMut() -> bool) -> Vec<String> {
        let speaker = Speaker::new(Language::En);
        let mut analyzer = Analyzer::new(Options { jobs, ..Options::default() });
        analyzer.work.alone = BEFORE_CREW;
        let mut found = Vec::new();
        let mut drain = |analyzer: &mut Analyzer| {
            while let Some(report) = analyzer.next_report() {
                found.push(serde_json::to_string(&ConnectionObject::new(&report, "", &speaker)).expect("JSON"));
            }
        };
        let mut reader = Reader::open(capture).expect("a capture");
        while let Some(packet) = reader.next_packet().expect("whole packets") {
            analyzer.packet(&packet);
            let Work { crew, concluder, .. } = &mut analyzer.work;
            assert_eq!(crew.is_some(), jobs > 1);
            if let Some(crew) = crew.as_mut().filter(|_| cut()) {
                crew.hand_out(concluder);
            }
            drain(&mut analyzer);
        }
        analyzer.finish();
        drain(&mut analyzer);
        found
    }

    #[test]
    fn borders_of_blocks_make_no_difference() {
        for capture in CAPTURES {
            let alone = found(capture, 1, || false);
            assert!(!alone.is_empty());
            for jobs in [2, 3, 8] {
                assert_eq!(alone, found(capture, jobs, || false), "{jobs} threads, one block");
                assert_eq!(alone, found(capture, jobs, || true), "{jobs} threads, a block for each packet");
                for seed in 1..20_u64 {
                    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    let cut = || {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
                        (state >> 33).is_multiple_of(seed)
                    };
                    assert_eq!(alone, found(capture, jobs, cut), "{jobs} threads, seed {seed}");
                }
            }
        }
    }
}
