//! Classic pcap: a 24-byte file header, then records of a 16-byte header and the packet.
//!
//! Byte order and clock tick follow from the magic number. Alexey Kuznetsov's "modified" variant of 1990s Linux
//! (`a1b2cd34`) has eight more bytes in each record header, and Ixia's testers (`1c0001ac`, `1c0001ab`) write the length of
//! all records behind the file header: both are stepped over.
//!
//! Nothing marks the start of a record: one wrong length turns everything behind it into noise. So a record that looks
//! odd is believed only when another one follows it, and behind damage the next one is searched for: by lengths that lead
//! from header to header, and by times near the last good one.

use super::clock::Clock;
use super::resync::{self, CHAIN};
use super::window::{Stop, Window};
use super::{ByteOrder, CaptureLimits, DamageKind, Interface, LinkType, Resolution, Within};
use crate::units::{PacketNumber, Timestamp};
use pcap_parser::parse_pcap_header;
use std::io::Read;
use std::ops::Range;

/// A packet as a file format describes it; its bytes lie at `place` in the window.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) time: Option<Timestamp>,
    pub(super) link: LinkType,
    pub(super) interface: u32,
    pub(super) place: Range<usize>,
    pub(super) original_len: u32,
}

/// How to read the records of one pcap file.
pub(super) struct Pcap {
    pub(super) byte_order: ByteOrder,
    pub(super) resolution: Resolution,
    link: LinkType,
    nanos_per_tick: u32,
    record_header: usize,
    /// Bytes between the file header and the first record.
    pub(super) preamble: usize,
    /// Most bytes of a packet by the file header.
    snaplen: u32,
    /// Seconds of the last packet.
    now: Option<u32>,
    /// Where the last row of odd records that was believed ends.
    row_end: u64,
    /// Every record is checked against the one behind it.
    look_ahead: bool,
    /// The header of the next record, if it was looked at with the one before it and is good.
    foreseen: Option<Head>,
    /// Places tried so far to tell odd records from damage.
    tries: u64,
}

/// The numbers of a record header.
#[derive(Clone, Copy)]
struct Head {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

impl Pcap {
    /// Length of the file header in bytes.
    pub(super) const HEADER: usize = 24;

    /// Whether these bytes, of which there may be fewer than four, start a pcap file.
    pub(super) fn recognises(head: &[u8]) -> bool {
        let len = head.len().min(4);
        len > 0 && MAGICS.iter().any(|row| row.magic[..len] == head[..len])
    }

    /// Decodes the file header. `None` when it is not one.
    pub(super) fn open(header: &[u8; Self::HEADER]) -> Option<(Self, Interface)> {
        let row = MAGICS.iter().find(|row| header.starts_with(&row.magic))?;
        // pcap-parser does not know the swapped form of the modified magic, whose header is like any other.
        let mut header = *header;
        header[..4].copy_from_slice(&MAGICS.iter().find(|plain| plain.byte_order == row.byte_order)?.magic);
        let (_, parsed) = parse_pcap_header(&header).ok()?;

        // The upper half of the field holds the FCS length in 16-bit words (bits 28 to 31) when bit 26 is set.
        let network = parsed.network.0 as u32;
        let fcs_len = (network & 1 << 26 != 0).then_some((network >> 28) as u8 * 2);
        let link = LinkType(network as u16);
        let interface = Interface {
            section: 0,
            link,
            name: None,
            snaplen: parsed.snaplen,
            resolution: row.resolution,
            fcs_len,
            packets: 0,
            statistics: None,
        };
        let pcap = Self {
            byte_order: row.byte_order,
            resolution: row.resolution,
            link,
            nanos_per_tick: if row.resolution == Resolution::NANOSECONDS { 1 } else { 1000 },
            record_header: row.record_header,
            preamble: row.preamble,
            snaplen: if parsed.snaplen == 0 { u32::MAX } else { parsed.snaplen },
            now: None,
            row_end: 0,
            look_ahead: false,
            foreseen: None,
            tries: 0,
        };
        Some((pcap, interface))
    }

    /// The next record, which would be packet `number`; `None` at the end of the file.
    #[inline]
    pub(super) fn next<R: Read>(
        &mut self,
        window: &mut Window<R>,
        limits: &CaptureLimits,
        number: PacketNumber,
    ) -> Result<Option<Record>, Stop> {
        match self.ready(window, limits) {
            Some(record) => Ok(Some(record)),
            None => self.any(window, limits, number),
        }
    }

    /// The next record, if that can be had without reading more and it is what nearly all are: whole in the window, its
    /// numbers as they should be, and those of the one behind it too if that has to be looked at. [`Self::any`] comes to the
    /// same for it.
    #[inline(always)]
    pub(super) fn ready<R: Read>(&mut self, window: &mut Window<R>, limits: &CaptureLimits) -> Option<Record> {
        let (unread, foreseen) = (window.unread(), self.foreseen.take());
        let (head, is_plausible) = match foreseen {
            Some(head) => (head, true),
            None => {
                let head = self.head_at(unread, 0)?;
                (head, self.is_plausible(&head, self.now))
            }
        };
        let end = self.record_header + head.captured as usize;
        let is_whole = if self.look_ahead {
            let next = self.head_at(unread, end);
            self.foreseen = next.filter(|next| self.is_good(next, Some(head.seconds), limits));
            self.foreseen.is_some()
        } else {
            end <= unread.len()
        };
        let is_everyday = is_whole
            && is_plausible
            && head.captured > 0
            && head.captured <= limits.packet_bytes
            && self.is_as_long_as_it_may(&head);
        if !is_everyday {
            self.foreseen = None;
            return None;
        }
        Some(self.take(window, &head))
    }

    /// Any record, and all that may be wrong with one.
    #[cold]
    fn any<R: Read>(
        &mut self,
        window: &mut Window<R>,
        limits: &CaptureLimits,
        number: PacketNumber,
    ) -> Result<Option<Record>, Stop> {
        let cut = |needed: usize, available: usize| DamageKind::Cut {
            within: Within::Packet(number),
            needed: needed as u64,
            available: available as u64,
        };
        let available = window.fill_to(self.record_header)?;
        if available == 0 {
            return Ok(None);
        }
        let Some(Head { captured: claimed, .. }) = self.head_at(window.unread(), 0) else {
            return Err(cut(self.record_header, available).into());
        };
        if claimed > limits.packet_bytes {
            return Err(DamageKind::PacketTooLong { packet: number, claimed, limit: limits.packet_bytes }.into());
        }
        let len = self.record_header + claimed as usize;
        let available = window.fill_to(len)?;
        let head = self.head_at(window.unread(), 0).filter(|_| available >= len);
        let Some(head) = head else { return Err(cut(len, available).into()) };
        let plain = self.is_plain(&head);
        if (self.look_ahead || !plain)
            && (head.is_nothing() || !self.is_followed(window, limits, len, head))
            // Bytes are missing in it, or the header behind it is bad: who can tell? Garbage at the end of a file
            // is another matter.
            && (!plain || head.captured == 0 || self.fits_in(window, limits, 1..len + GOES_ON))
        {
            return Err(DamageKind::Misplaced { packet: number }.into());
        }
        Ok(Some(self.take(window, &head)))
    }

    /// Takes the record with this header out of the window, in which all of it is.
    #[inline]
    fn take<R: Read>(&mut self, window: &mut Window<R>, head: &Head) -> Record {
        self.now = Some(head.seconds);
        let time = Some(Clock::classic(self.nanos_per_tick, head.seconds, head.fraction));
        let len = self.record_header + head.captured as usize;
        let place = window.take(len, self.record_header..len);
        Record { time, link: self.link, interface: 0, place, original_len: head.original }
    }
}

impl Pcap {
    /// Turns on the check of every record against the one behind it.
    pub(super) fn look_ahead(&mut self) {
        self.look_ahead = true;
    }

    /// Steps over unread bytes to the next place where records fit; `false` when there is none.
    pub(super) fn resynchronise<R: Read>(&self, window: &mut Window<R>, limits: &CaptureLimits) -> bool {
        resync::skip_to(window, self.record_header, limits.search_bytes, |window, at| {
            self.fits(window, limits, at, self.now)
        })
    }

    /// The record header at this distance, if all of it is there.
    #[inline]
    fn head<R: Read>(&self, window: &mut Window<R>, at: usize) -> Option<Head> {
        if window.look_ahead(at + self.record_header) < at + self.record_header {
            return None;
        }
        self.head_at(window.unread(), at)
    }

    /// The record header at `at`, if all of it is in `bytes`.
    #[inline]
    fn head_at(&self, bytes: &[u8], at: usize) -> Option<Head> {
        let header = bytes.get(at..)?.get(..self.record_header)?;
        let (words, _) = header.first_chunk::<16>()?.as_chunks();
        let [seconds, fraction, captured, original] = *<&[[u8; 4]; 4]>::try_from(words).ok()?;
        let word = |bytes| match self.byte_order {
            ByteOrder::Little => u32::from_le_bytes(bytes),
            ByteOrder::Big => u32::from_be_bytes(bytes),
        };
        Some(Head {
            seconds: word(seconds),
            fraction: word(fraction),
            captured: word(captured),
            original: word(original),
        })
    }

    /// Whether a capturing program that is in order writes such a header here.
    #[inline]
    fn is_plain(&self, head: &Head) -> bool {
        self.is_as_long_as_it_may(head) && self.is_plausible(head, self.now)
    }

    /// Whether no more of the packet is missing than the file header says.
    #[inline]
    fn is_as_long_as_it_may(&self, head: &Head) -> bool {
        head.captured == head.original.min(self.snaplen)
    }

    /// Whether a good record may begin with this, behind one of this time.
    #[inline]
    fn is_good(&self, head: &Head, near: Option<u32>, limits: &CaptureLimits) -> bool {
        self.is_plausible(head, near) && head.captured <= limits.packet_bytes && !head.is_nothing()
    }

    /// Whether capturing programs write such numbers. The length may still be beyond the limit.
    #[inline]
    fn is_plausible(&self, head: &Head, near: Option<u32>) -> bool {
        head.captured <= head.original
            && head.original <= MAX_ORIGINAL
            && u64::from(head.fraction) * u64::from(self.nanos_per_tick) < 1_000_000_000
            && near.is_none_or(|near| near.abs_diff(head.seconds) <= NEAR_SECONDS)
    }

    /// Whether good records start here: enough of them in a row, or fewer that end with the file.
    fn fits<R: Read>(&self, window: &mut Window<R>, limits: &CaptureLimits, mut at: usize, near: Option<u32>) -> bool {
        let mut near = near;
        for before in 0..CHAIN {
            let Some(head) = self.head(window, at) else {
                // Exactly at the end one record is enough; where the file is cut in the next header, two.
                let rest = window.unread().len().checked_sub(at);
                return rest.is_some_and(|rest| before >= 1 && rest == 0 || before >= 2);
            };
            if !self.is_good(&head, near, limits) {
                return false;
            }
            near = Some(head.seconds);
            at += self.record_header + head.captured as usize;
        }
        true
    }

    /// Whether good records start at one of `places`. A file of nothing but odd records would have each of its bytes
    /// tried again for every record, so tries are rationed by what has been read.
    fn fits_in<R: Read>(&mut self, window: &mut Window<R>, limits: &CaptureLimits, places: Range<usize>) -> bool {
        let most = window.offset().saturating_mul(TRIES_PER_BYTE).saturating_add(FREE_TRIES);
        for at in places {
            if self.tries >= most {
                return false;
            }
            self.tries += 1;
            if self.fits(window, limits, at, self.now) {
                return true;
            }
        }
        false
    }

    /// Whether a record may start at `at`, behind one with this header: one that fits to it, or a long row of them,
    /// whatever their times are.
    #[inline]
    fn is_followed<R: Read>(&mut self, window: &mut Window<R>, limits: &CaptureLimits, at: usize, head: Head) -> bool {
        // At the end, or cut: what is there is told by the next step.
        let Some(next) = self.head(window, at) else { return true };
        self.is_good(&next, Some(head.seconds), limits) || self.is_row(window, limits, at)
    }

    /// Whether lengths lead from header to header, to good records or at least often enough. A row that is none of the
    /// good records between which it leads is a coincidence: equal lengths side by side make one, four bytes off.
    #[cold]
    fn is_row<R: Read>(&mut self, window: &mut Window<R>, limits: &CaptureLimits, from: usize) -> bool {
        if window.offset() + (from as u64) < self.row_end {
            return true;
        }
        let mut at = from;
        for _ in 0..ROW {
            let Some(head) = self.head(window, at) else {
                match window.unread().len() == at {
                    true => break,
                    false => return false,
                }
            };
            if head.captured > limits.packet_bytes || head.is_nothing() {
                return false;
            }
            at += self.record_header + head.captured as usize;
            if self.fits(window, limits, at, self.now) {
                return true;
            }
        }
        let alone = !self.fits_in(window, limits, from + 1..at);
        if alone {
            self.row_end = window.offset() + at as u64;
        }
        alone
    }
}

impl Head {
    /// Zeros, as in a part of a file that was never written.
    #[inline]
    fn is_nothing(&self) -> bool {
        self.seconds == 0 && self.captured == 0
    }
}

/// Times this far apart may follow each other behind damage: a week.
const NEAR_SECONDS: u32 = 7 * 24 * 3600;
/// Longest packet on the wire that is believed behind damage; segmentation offload stays far below.
const MAX_ORIGINAL: u32 = 16 << 20;
/// Bytes behind a record in which others are looked for, to tell damage from garbage at the end.
const GOES_ON: usize = 256 << 10;
/// Places that may be tried for each byte of the file, and before its first: enough for eight long rows at the start.
const TRIES_PER_BYTE: u64 = 16;
const FREE_TRIES: u64 = 16 << 20;
/// Records in a row that outweigh odd times and lengths.
const ROW: u32 = 8;

/// What a magic number stands for.
struct Magic {
    magic: [u8; 4],
    byte_order: ByteOrder,
    resolution: Resolution,
    record_header: usize,
    preamble: usize,
}

const fn row(magic: [u8; 4], byte_order: ByteOrder, resolution: Resolution, record_header: usize) -> Magic {
    Magic { magic, byte_order, resolution, record_header, preamble: 0 }
}

const fn ixia(magic: [u8; 4], byte_order: ByteOrder) -> Magic {
    Magic { magic, byte_order, resolution: Resolution::MICROSECONDS, record_header: 16, preamble: 4 }
}

/// The plain magic of each byte order comes first.
const MAGICS: [Magic; 10] = [
    row([0xd4, 0xc3, 0xb2, 0xa1], ByteOrder::Little, Resolution::MICROSECONDS, 16),
    row([0xa1, 0xb2, 0xc3, 0xd4], ByteOrder::Big, Resolution::MICROSECONDS, 16),
    row([0x4d, 0x3c, 0xb2, 0xa1], ByteOrder::Little, Resolution::NANOSECONDS, 16),
    row([0xa1, 0xb2, 0x3c, 0x4d], ByteOrder::Big, Resolution::NANOSECONDS, 16),
    row([0x34, 0xcd, 0xb2, 0xa1], ByteOrder::Little, Resolution::MICROSECONDS, 24),
    row([0xa1, 0xb2, 0xcd, 0x34], ByteOrder::Big, Resolution::MICROSECONDS, 24),
    ixia([0xac, 0x01, 0x00, 0x1c], ByteOrder::Little),
    ixia([0x1c, 0x00, 0x01, 0xac], ByteOrder::Big),
    ixia([0xab, 0x01, 0x00, 0x1c], ByteOrder::Little),
    ixia([0x1c, 0x00, 0x01, 0xab], ByteOrder::Big),
];

#[cfg(test)]
mod tests {
    use super::super::testing::{BE, LE, read, small_pcap};
    use super::super::{Damage, Reader};
    use super::*;

    #[test]
    fn all_magics_in_both_byte_orders() {
        for (writer, magic, nanos, extra, preamble) in [
            (LE, 0xa1b2_c3d4, 5_000_007_000, 0, 0),
            (BE, 0xa1b2_c3d4, 5_000_007_000, 0, 0),
            (LE, 0xa1b2_3c4d, 5_000_000_007, 0, 0),
            (BE, 0xa1b2_3c4d, 5_000_000_007, 0, 0),
            (LE, 0xa1b2_cd34, 5_000_007_000, 8, 0),
            (BE, 0xa1b2_cd34, 5_000_007_000, 8, 0),
            // As tshark 4.0 reads them.
            (LE, 0x1c00_01ac, 5_000_007_000, 0, 4),
            (BE, 0x1c00_01ab, 5_000_007_000, 0, 4),
        ] {
            let mut file = writer.pcap_header(magic, 101);
            file.extend(std::iter::repeat_n(0xdd, preamble));
            for bytes in [&b"abc"[..], b"defgh"] {
                file.extend(writer.words(&[5, 7, bytes.len() as u32, 1500]));
                file.extend(std::iter::repeat_n(0xee, extra));
                file.extend(bytes);
            }
            let outcome = read(&file[..]).unwrap();
            assert_eq!(outcome.damage, None, "{magic:x}");
            let packets = outcome.packets;
            assert_eq!(packets.iter().map(|packet| &packet.bytes[..]).collect::<Vec<_>>(), [&b"abc"[..], b"defgh"]);
            assert_eq!((packets[0].number, packets[1].number), (1, 2));
            assert_eq!(packets[1].time, Some(nanos), "{magic:x}");
            assert_eq!((packets[1].link, packets[1].original_len), (LinkType::RAW, 1500));
            assert_eq!(outcome.summary.packets_cut, 2);
            assert_eq!(Reader::open(&file[..]).unwrap().format().byte_order, writer.0);
        }
    }

    #[test]
    fn a_fraction_beyond_a_second_carries_over() {
        let file = [LE.pcap_header(0xa1b2_c3d4, 1), LE.pcap_record(1, 2_500_000, b"x")].concat();
        assert_eq!(read(&file[..]).unwrap().packets[0].time, Some(3_500_000_000));
    }

    #[test]
    fn the_link_type_shares_its_field_with_the_fcs_length() {
        // Bits: length 2 words, present; then reserved bits that must not leak into the link type.
        for (network, link, fcs_len) in
            [(0x2400_0001, 1, Some(4)), (0x03ff_0071, 113, None), (0x2000_0001, 1, None), (0xf400_0114, 276, Some(30))]
        {
            let file = BE.pcap_header(0xa1b2_c3d4, network);
            let summary = read(&file[..]).unwrap().summary;
            assert_eq!((summary.interfaces[0].link.0, summary.interfaces[0].fcs_len), (link, fcs_len));
        }
    }

    fn damage_of(file: &[u8]) -> Damage {
        read(file).unwrap().damage.unwrap()
    }

    #[test]
    fn a_claim_of_two_gigabytes_is_refused() {
        let mut file = small_pcap();
        let offset = file.len() as u64;
        file.extend(LE.words(&[0, 0, 0x8000_0000, 0x8000_0000]));
        let outcome = read(&file[..]).unwrap();
        assert_eq!(outcome.packets.len(), 3);
        let number = PacketNumber::new(4).unwrap();
        assert_eq!(
            outcome.damage,
            Some(Damage {
                kind: DamageKind::PacketTooLong { packet: number, claimed: 0x8000_0000, limit: 262_144 },
                offset,
                after: PacketNumber::new(3),
                unread: 16,
                resumed: None,
                lost_packets: None,
            })
        );
    }

    #[test]
    fn the_longest_packet_is_accepted() {
        let long = vec![7; 262_144];
        let file = [small_pcap(), LE.pcap_record(1, 1, &long), LE.pcap_record(1, 1, b"after")].concat();
        let outcome = read(&file[..]).unwrap();
        assert_eq!(outcome.damage, None);
        assert_eq!((outcome.packets[3].bytes.len(), &outcome.packets[4].bytes[..]), (262_144, &b"after"[..]));
    }

    #[test]
    fn cuts_say_where_they_go_through() {
        let file = small_pcap();
        let in_packet = damage_of(&file[..file.len() - 3]);
        assert_eq!(
            in_packet.to_string(),
            "the file ends inside packet #3, cut or still being written: 26 of 29 bytes are there (offset 0x3d)" // 24 + 16 + 5 + 16
        );
        assert_eq!((in_packet.after, in_packet.unread), (PacketNumber::new(2), 26));
        let in_header = damage_of(&file[..50]);
        assert_eq!(
            in_header.to_string(),
            "the file ends inside packet #2, cut or still being written: 5 of 16 bytes are there (offset 0x2d)"
        );
    }
}
