//! Messages on their way: where each ends in its sender's stream, until the receiver's TCP has acknowledged it.

use crate::units::StreamOffset;
use std::collections::VecDeque;

/// The complete data messages of one side that TCP had not acknowledged when they were noted.
///
/// At most [`InFlight::MAX`] are kept, the latest. Those that were acknowledged since go when the next one comes, so that
/// an acknowledgement by itself costs nothing.
#[derive(Debug, Clone, Default)]
pub struct InFlight {
    /// Takes memory from the first message on that is not acknowledged when it is noted.
    ends: Option<Box<VecDeque<StreamOffset>>>,
}

impl InFlight {
    /// Messages kept at once.
    pub const MAX: usize = 256;

    /// A message ends before `end`, and the receiver has everything before `acked`.
    pub(super) fn sent(&mut self, end: StreamOffset, acked: StreamOffset) {
        if let Some(ends) = &mut self.ends {
            while ends.front().is_some_and(|end| *end <= acked) {
                ends.pop_front();
            }
        }
        if end <= acked {
            return;
        }
        let ends = self.ends.get_or_insert_default();
        if ends.len() == Self::MAX {
            ends.pop_front();
        }
        ends.push_back(end);
    }

    /// Messages of which some byte lies at or after `acked`.
    pub(super) fn beyond(&self, acked: StreamOffset) -> u64 {
        self.ends.iter().flat_map(|ends| ends.iter()).filter(|end| **end > acked).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_under_way_until_its_last_byte_is_acknowledged() {
        let mut messages = InFlight::default();
        for end in [10, 20, 30] {
            messages.sent(StreamOffset(end), StreamOffset(0));
        }
        assert_eq!(messages.beyond(StreamOffset(19)), 2);
        assert_eq!(messages.beyond(StreamOffset(20)), 1);
        assert_eq!(messages.beyond(StreamOffset(30)), 0);
        messages.sent(StreamOffset(40), StreamOffset(30));
        assert_eq!((messages.beyond(StreamOffset(0)), messages.ends.map(|ends| ends.len())), (1, Some(1)));
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut messages = InFlight::default();
        for end in 1..=InFlight::MAX as u64 + 5 {
            messages.sent(StreamOffset(end), StreamOffset(0));
        }
        assert_eq!(messages.beyond(StreamOffset(0)), InFlight::MAX as u64);
    }
}
