//! Segments of packets that lie in the reader's buffer, by lane, so that each lane takes in several in a row.
//!
//! What a lane does with a segment is mostly what it did with the one before, and its connections are its own: so the code
//! and the data that it needs stay close to the processor.

use super::lane::lane_of;
use crate::packet::Segment;

/// Segments that follow each other and were not taken in yet. Nothing that concerns all connections lies between them.
pub(super) struct Batch<'p> {
    lanes: Vec<Vec<Segment<'p>>>,
}

impl<'p> Batch<'p> {
    /// An empty one for so many lanes, with room for about so many segments: for half as many more as each lane's share,
    /// since shares are never even.
    pub(super) fn new(lanes: usize, segments: usize) -> Self {
        let share = segments / lanes;
        Self { lanes: (0..lanes).map(|_| Vec::with_capacity(share + share / 2)).collect() }
    }

    #[inline]
    pub(super) fn push(&mut self, segment: Segment<'p>) {
        let lane = lane_of(segment.source, segment.destination, self.lanes.len());
        self.lanes[lane].push(segment);
    }

    /// The segments of each lane, in order; whoever takes them in removes them.
    pub(super) fn lanes(&mut self) -> impl Iterator<Item = &mut Vec<Segment<'p>>> {
        self.lanes.iter_mut()
    }
}
