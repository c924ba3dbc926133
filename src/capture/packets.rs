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
    pub(super) fn first_number(&self) -> PacketNumber {
        self.number
    }

    /// The number of the last one; `None` when there are none.
    pub(super) fn last_number(&self) -> Option<PacketNumber> {
        Some(self.number.after(self.records.len().checked_sub(1)?))
    }

    /// When they were recorded, as the capture has it; those that carry a time.
    pub(super) fn times(&self) -> impl DoubleEndedIterator<Item = Timestamp> {
        self.records.as_slice().iter().filter_map(|record| record.time)
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

#[cfg(test)]
mod tests {
    use super::super::testing::{LE, Trickle, small_pcap, small_pcapng};
    use super::super::{CaptureError, Reader};
    use std::io::Read;

    /// All that a reader tells when it is asked for so many packets at a time, and how many it gave at most.
    fn told(input: impl Read, most: usize, looking_ahead: bool) -> (Vec<String>, usize) {
        let mut reader = match Reader::open(input) {
            Ok(reader) if looking_ahead => reader.looking_ahead(),
            Ok(reader) => reader,
            Err(error) => return (vec![format!("{error:?}")], 0),
        };
        let (mut told, mut longest) = (Vec::new(), 0);
        loop {
            match reader.next_packets(most) {
                Ok(packets) if packets.len() == 0 => break,
                Ok(packets) => {
                    longest = longest.max(packets.len());
                    told.extend(packets.map(|packet| format!("{packet:?}")));
                }
                Err(error @ CaptureError::Damaged(_)) => told.push(format!("{error:?}")),
                Err(error) => {
                    told.push(format!("{error:?}"));
                    break;
                }
            }
        }
        told.push(format!("{:?}", reader.summary()));
        (told, longest)
    }

    #[test]
    fn packets_in_a_row_are_the_packets_one_by_one() {
        let many =
            |head: Vec<u8>, record: fn(u32) -> Vec<u8>| [vec![head], (0..9).map(record).collect()].concat().concat();
        let pcap = many(LE.pcap_header(0xa1b2_c3d4, 1), |at| LE.pcap_record(at, 7, &vec![at as u8; at as usize]));
        let options = LE.option(1, b"a comment");
        let section = [LE.section(), LE.interface(1, 0, &options)].concat();
        let pcapng = many(section, |at| LE.packet(0, u64::from(at) << 20, &vec![at as u8; at as usize]));
        assert_eq!([&pcap, &pcapng].map(|file| told(&file[..], 100, false).1), [9, 9], "all of them");
        assert_eq!(told(&small_pcapng()[..], 100, false).1, 1, "other blocks lie between the packets");
        for file in [small_pcap(), small_pcapng(), pcap, pcapng] {
            for at in 0..file.len() {
                for flip in [0, 1, 0x84] {
                    let mut file = file.clone();
                    file[at] ^= flip;
                    for looking_ahead in [false, true] {
                        let read = |most| told(&file[..], most, looking_ahead).0;
                        assert_eq!(read(1), read(100), "byte {at} ^ {flip}");
                        let trickle = |most| told(Trickle::new(&file, 50), most, looking_ahead).0;
                        assert_eq!(trickle(1), trickle(3), "byte {at} ^ {flip}, as it comes");
                    }
                }
            }
        }
    }
}
