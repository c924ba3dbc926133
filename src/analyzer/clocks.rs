//! Where the clock of a capture stepped back.
//!
//! Only steps back show: a step forward looks like silence. Each interface has its own clock, because captures recorded
//! side by side may disagree without any of them having stepped.

use crate::units::{Origin, PacketNumber, Timestamp};
use std::collections::{HashMap, VecDeque};

/// Further back than this is a step: packets that queues of a network card or a processor swapped are closer together.
const STEP_NANOS: i64 = 100_000_000;

/// Steps remembered, the latest ones.
const KEPT: usize = crate::connection::Connection::CLOCK_STEPS;

/// Interfaces told apart; further ones are taken for the last of them and never step.
const INTERFACES: usize = 4096;

/// The latest time of each interface, and how often one stepped back.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    interface: u32,
    /// The last packet of that interface with a time, in nanoseconds.
    now: Option<i64>,
    others: HashMap<u32, i64>,
    /// Steps.
    pub(super) count: u64,
    /// The largest of them in seconds.
    pub(super) largest_s: f64,
}

impl Clocks {
    /// Takes note of a packet's time. True when the clock was set back before it.
    pub(super) fn note(&mut self, interface: u32, at: Origin) -> bool {
        let Some(time) = at.time else { return false };
        if interface != self.interface {
            self.turn_to(interface);
        }
        let back_ns = self.now.map_or(0, |now| now.saturating_sub(time.nanos()));
        let steps = back_ns > STEP_NANOS;
        if steps {
            self.count += 1;
            self.largest_s = self.largest_s.max(back_ns as f64 / 1e9);
        }
        self.now = Some(time.nanos());
        steps
    }

    /// The time of the last packet of an interface.
    pub(super) fn last(&self, interface: u32) -> Option<Timestamp> {
        let last = if interface == self.interface { self.now } else { self.others.get(&interface).copied() };
        last.map(Timestamp::from_nanos)
    }

    #[cold]
    fn turn_to(&mut self, interface: u32) {
        if let Some(now) = self.now.take()
            && (self.others.len() < INTERFACES || self.others.contains_key(&self.interface))
        {
            self.others.insert(self.interface, now);
        }
        self.interface = interface;
        self.now = self.others.get(&interface).copied();
    }
}

/// The packets before which a clock was set back.
#[derive(Debug, Default)]
pub(super) struct Steps {
    steps: VecDeque<Origin>,
}

impl Steps {
    /// A clock was set back before this packet.
    pub(super) fn add(&mut self, at: Origin) {
        if self.steps.len() == KEPT {
            self.steps.pop_front();
        }
        self.steps.push_back(at);
    }

    /// The steps after the packet `first`, up to and with `last`; [`KEPT`] of them when there may have been more.
    pub(super) fn between(&self, first: PacketNumber, last: PacketNumber) -> Vec<Origin> {
        self.steps.iter().filter(|step| first < step.packet && step.packet <= last).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(packets: &[(u32, i64)]) -> Vec<u64> {
        let mut clocks = Clocks::default();
        let mut steps = Vec::new();
        for (number, (interface, milliseconds)) in (1..).zip(packets) {
            let time = Some(Timestamp::from_nanos(milliseconds * 1_000_000));
            if clocks.note(*interface, Origin { packet: PacketNumber::new(number).unwrap(), time }) {
                steps.push(number);
            }
        }
        steps
    }

    #[test]
    fn a_step_back_is_one_and_a_swap_is_none() {
        assert_eq!(steps(&[(0, 1000), (0, 1001), (0, 500), (0, 501)]), [3]);
        assert_eq!(steps(&[(0, 1000), (0, 990), (0, 1001)]), [0; 0]);
        assert_eq!(steps(&[(0, 1000), (0, 9000)]), [0; 0]);
    }

    #[test]
    fn interfaces_may_disagree() {
        assert_eq!(steps(&[(0, 5000), (1, 1000), (0, 5010), (1, 1010)]), [0; 0]);
        assert_eq!(steps(&[(0, 5000), (1, 1000), (0, 5010), (1, 500)]), [4]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut steps = Steps::default();
        for number in 1..10_000_u64 {
            steps.add(Origin { packet: PacketNumber::new(number).unwrap(), time: None });
        }
        let all = steps.between(PacketNumber::FIRST, PacketNumber::new(10_000).unwrap());
        assert_eq!((steps.steps.len(), all.len()), (KEPT, KEPT));
    }
}
