//! Packets that lie ready in the reader's buffer, all at once.

use super::Packet;
use super::pcap::Record;
use crate::units::{PacketNumber, Timestamp};
use std::slice;

/// Packets that follow each other. Cheap to clone, so that they may be looked over before they are taken in.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    buffer: &'a [u8],
    records: slice::Iter<'a, Record>,
    /// The number of the next one.
    number: PacketNumber,
    /// The upper half of the number of its interface, where there are several captures.
    slot: Option<u32>,
    /// What is added to its time, in nanoseconds.
    clock_shift: i64,
}

impl<'a> Packets<'a> {
    /// How many [`Sequence::next_packets`](super::Sequence::next_packets) hands out at most.
    pub const MOST: usize = 1024;

    /// The packets of these records, the first of which has this number.
    pub(super) fn new(buffer: &'a [u8], records: &'a [Record], number: PacketNumber) -> Self {
        Self { buffer, records: records.iter(), number, slot: None, clock_shift: 0 }
    }

    /// The same packets in the order of several captures.
    pub(super) fn renumbered(self, number: PacketNumber, slot: u32, clock_shift: i64) -> Self {
        Self { number, slot: Some(slot), clock_shift, ..self }
    }

    /// The number of the next one, if there is one.
    pub(super) fn first(&self) -> PacketNumber {
        self.number
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    #[inline]
    fn next(&mut self) -> Option<Packet<'a>> {
        let Record { time, link, interface, place, original_len } = self.records.next()?;
        let number = self.number;
        self.number = number.next();
        let shifted = |time: Timestamp| Timestamp::from_nanos(time.nanos().saturating_add(self.clock_shift));
        Some(Packet {
            number,
            time: time.map(shifted),
            link: *link,
            interface: self.slot.map_or(*interface, |slot| slot << 16 | interface & 0xffff),
            bytes: &self.buffer[place.clone()],
            original_len: *original_len,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl ExactSizeIterator for Packets<'_> {}
