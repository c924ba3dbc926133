//! When it is looked after what has waited long enough.
//!
//! That has to depend on the packets alone, and not on which of them a flow or a lane has seen: the ticks are a property of
//! the capture.

use crate::units::Origin;

/// Nanoseconds of packet time from one tick to the next.
const NANOS: i64 = 250_000_000;

/// Packets from one tick to the next, where time stands still, steps back or is missing.
const PACKETS: u32 = 2000;

/// The ticks of one capture.
#[derive(Debug)]
pub(super) struct Ticks {
    /// It ticks when this time has come, in nanoseconds,
    due: i64,
    /// or after so many packets.
    left: u32,
}

impl Default for Ticks {
    /// It ticks before the first packet.
    fn default() -> Self {
        Self { due: i64::MAX, left: 1 }
    }
}

impl Ticks {
    /// Whether it ticks just before this packet.
    #[inline]
    pub(super) fn is_due(&mut self, at: Origin) -> bool {
        self.left -= 1;
        let is_due = self.left == 0 || at.time.is_some_and(|now| now.nanos() >= self.due);
        if is_due {
            let due = at.time.map_or(i64::MAX, |now| now.nanos().saturating_add(NANOS));
            *self = Self { due, left: PACKETS };
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{PacketNumber, Timestamp};

    /// The packets before which it ticks, of those at these milliseconds.
    fn ticks(times: impl IntoIterator<Item = Option<i64>>) -> Vec<u64> {
        let mut ticks = Ticks::default();
        let origins = (1..).zip(times).map(|(number, milliseconds)| Origin {
            packet: PacketNumber::new(number).expect("from 1"),
            time: milliseconds.map(|at| Timestamp::from_nanos(at * 1_000_000)),
        });
        origins.filter(|at| ticks.is_due(*at)).map(|at| at.packet.value()).collect()
    }

    #[test]
    fn time_makes_it_tick() {
        assert_eq!(ticks([0, 100, 249, 250, 251, 400, 5000].map(Some)), [1, 4, 7]);
    }

    #[test]
    fn where_time_does_not_pass_packets_do() {
        assert_eq!(ticks((0..5000).map(|_| None)), [1, 2001, 4001]);
        assert_eq!(ticks((0..5000).map(|at| Some(-at))), [1, 2001, 4001]);
    }
}
