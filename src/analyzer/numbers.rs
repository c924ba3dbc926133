//! Numbers of flows: each flow has the rank of its first packet among those of all flows, as in Wireshark.
//!
//! A lane knows its own flows only, by their first packets. So these are listed, in stretches of packets: a rank is that of the
//! stretch's first flow and the place in its list, and a list goes when all flows that began there are over.

use crate::units::PacketNumber;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Packets of one stretch: places in it take two bytes.
const STRETCH: u64 = 4096;

/// The numbers of the flows that are not over.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    stretches: HashMap<u64, Stretch, RandomState>,
    /// Flows that have begun.
    begun: u64,
}

#[derive(Debug)]
struct Stretch {
    /// The number of the first flow that begins here.
    first: u64,
    /// Flows that began here and are not over.
    open: u32,
    /// The places at which flows began, ascending.
    begins: Vec<u16>,
}

/// The stretch of a packet, and its place there.
fn place(packet: PacketNumber) -> (u64, u16) {
    let packet = packet.value();
    (packet / STRETCH, (packet % STRETCH) as u16)
}

impl Numbers {
    /// A flow begins with this packet. Flows have to be told in the order of their first packets.
    pub(super) fn begin(&mut self, packet: PacketNumber) {
        let (stretch, place) = place(packet);
        let first = self.begun;
        let new = || Stretch { first, open: 0, begins: Vec::new() };
        let stretch = self.stretches.entry(stretch).or_insert_with(new);
        stretch.begins.push(place);
        stretch.open += 1;
        self.begun += 1;
    }

    /// The number of the flow that began with this packet and is not over.
    pub(super) fn of(&self, packet: PacketNumber) -> u64 {
        let (stretch, place) = place(packet);
        let Some(stretch) = self.stretches.get(&stretch) else { return self.begun };
        stretch.first + stretch.begins.partition_point(|begins| *begins < place) as u64
    }

    /// The flow that began with this packet is over: its number, for the last time.
    pub(super) fn end(&mut self, packet: PacketNumber) -> u64 {
        let number = self.of(packet);
        let (at, _) = place(packet);
        if let Some(stretch) = self.stretches.get_mut(&at) {
            stretch.open = stretch.open.saturating_sub(1);
            if stretch.open == 0 {
                self.stretches.remove(&at);
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u64) -> PacketNumber {
        PacketNumber::new(number).expect("not 0")
    }

    #[test]
    fn a_flow_has_the_rank_of_its_first_packet() {
        let firsts: Vec<u64> = (1..2000).map(|at| at * at % 7 + at * 61).collect();
        let mut numbers = Numbers::default();
        for (rank, first) in (0..).zip(&firsts) {
            numbers.begin(packet(*first));
            assert_eq!(numbers.of(packet(*first)), rank);
        }
        for (rank, first) in (0..).zip(&firsts) {
            assert_eq!(numbers.of(packet(*first)), rank, "whatever began since");
        }
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_is_not_keeps_its_number() {
        let mut numbers = Numbers::default();
        numbers.begin(packet(3));
        for at in 1..100_000 {
            numbers.begin(packet(at * 10));
            assert_eq!(numbers.end(packet(at * 10)), at);
        }
        assert_eq!(numbers.stretches.len(), 1);
        assert_eq!(numbers.end(packet(3)), 0);
        assert!(numbers.stretches.is_empty());
    }
}
