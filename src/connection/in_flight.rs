//! Messages on their way: where each ends in its sender's stream, until the receiver's TCP has acknowledged it.

use crate::units::StreamOffset;
use std::collections::VecDeque;

/// The complete data messages of one side that TCP had not acknowledged when they were noted.
///
/// At most [`InFlight::MAX`] are kept, the latest; the count of those that gave way is a bound for what is missing.
#[derive(Debug, Clone, Default)]
pub struct InFlight {
    ends: VecDeque<StreamOffset>,
    forgotten: bool,
}

impl InFlight {
    /// Messages kept at once.
    pub const MAX: usize = 256;

    /// A message ends before `end`.
    pub(super) fn sent(&mut self, end: StreamOffset) {
        if self.ends.len() == Self::MAX {
            self.ends.pop_front();
            self.forgotten = true;
        }
        self.ends.push_back(end);
    }

    /// The receiver has everything before `upto`.
    pub(super) fn acknowledged(&mut self, upto: StreamOffset) {
        while self.ends.front().is_some_and(|end| *end <= upto) {
            self.ends.pop_front();
        }
        self.forgotten &= !self.ends.is_empty();
    }

    /// Messages of which some byte lies at or after `acked`.
    #[must_use]
    pub fn beyond(&self, acked: StreamOffset) -> u64 {
        self.ends.iter().filter(|end| **end > acked).count() as u64
    }

    /// There may be more than [`Self::beyond`] counts.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_under_way_until_its_last_byte_is_acknowledged() {
        let mut messages = InFlight::default();
        for end in [10, 20, 30] {
            messages.sent(StreamOffset(end));
        }
        messages.acknowledged(StreamOffset(19));
        assert_eq!(messages.beyond(StreamOffset(19)), 2);
        assert_eq!(messages.beyond(StreamOffset(20)), 1);
        messages.acknowledged(StreamOffset(30));
        assert_eq!(messages.beyond(StreamOffset(0)), 0);
    }

    #[test]
    fn a_flood_is_bounded_and_says_so() {
        let mut messages = InFlight::default();
        for end in 1..=InFlight::MAX as u64 + 5 {
            messages.sent(StreamOffset(end));
        }
        assert_eq!((messages.beyond(StreamOffset(0)), messages.is_cut_short()), (InFlight::MAX as u64, true));
        messages.acknowledged(StreamOffset(u64::MAX));
        assert!(!messages.is_cut_short());
    }
}
