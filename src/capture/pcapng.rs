//! pcapng: sections of typed blocks, each with its length before and after.
//!
//! Packet blocks, which make up nearly all of a file, and secrets, which may be megabytes, are read here field by field;
//! pcap-parser decodes the descriptive blocks and walks options. (For packets it would collect the options of each in a
//! list.) A block reaches it only whole, with its type's minimum length and equal lengths at both ends, because it
//! subtracts without checks. `if_tsresol`, `if_tsoffset` and counters are decoded from the raw options here, since
//! pcap-parser misses powers of two and reads options of big-endian sections as little-endian.
//!
//! Interface ids start again at 0 in each section; what leaves this module counts them through.

use super::clock::Clock;
use super::pcap::Record;
use super::resync;
use super::window::{Stop, Window};
use super::{
    ByteOrder, CaptureLimits, CaptureSummary, DamageKind, Interface, InterfaceStatistics, LinkType, Resolution,
    Secrets, Within,
};
use crate::units::PacketNumber;
use pcap_parser::pcapng::{parse_option_be, parse_option_le};
use pcap_parser::{
    Block, CB_MAGIC, DCB_MAGIC, DSB_MAGIC, EPB_MAGIC, IDB_MAGIC, ISB_MAGIC, NRB_MAGIC, OptionCode, PcapError,
    PcapNGOption, SHB_MAGIC, SJE_MAGIC, SPB_MAGIC, parse_block_be, parse_block_le,
};
use std::io::Read;
use std::ops::Range;

/// What the next step through the blocks met.
pub(super) enum Step {
    Packet(Record),
    /// Something that Wireshark numbers like a packet, but which is none.
    OtherRecord,
    End,
}

/// The current section.
pub(super) struct PcapNg {
    pub(super) byte_order: ByteOrder,
    interfaces: Vec<SectionInterface>,
    /// Memory taken by the secrets of all sections.
    secrets_kept: usize,
    /// Length of the current block, when its lengths at both ends agree.
    whole: usize,
}

/// What packets of a section's interface need.
struct SectionInterface {
    /// Index into [`CaptureSummary::interfaces`].
    index: u32,
    link: LinkType,
    clock: Clock,
    snaplen: u32,
}

impl PcapNg {
    /// Whether these bytes start a pcapng file.
    pub(super) fn recognises(head: &[u8]) -> bool {
        head.starts_with(&SHB_MAGIC.to_le_bytes())
    }

    /// A reader that has not seen its first section header yet.
    pub(super) fn new() -> Self {
        Self { byte_order: ByteOrder::Little, interfaces: Vec::new(), secrets_kept: 0, whole: 0 }
    }

    /// Reads blocks up to and including the next one that holds a packet, which would be packet `number`.
    #[inline]
    pub(super) fn next<R: Read>(
        &mut self,
        window: &mut Window<R>,
        limits: &CaptureLimits,
        number: PacketNumber,
        summary: &mut CaptureSummary,
    ) -> Result<Step, Stop> {
        if let Some(record) = self.ready(window, limits, summary) {
            return Ok(Step::Packet(record));
        }
        loop {
            let Some((block_type, len)) = self.whole_block(window, limits, number)? else { return Ok(Step::End) };
            let block = &window.unread()[..len];
            let body = &block[HEADER..len - TRAILER];
            let packet = match block_type {
                EPB_MAGIC | PB_MAGIC => self.timed_packet(block_type, body, number, limits, summary)?,
                SPB_MAGIC => self.simple_packet(body, number, limits)?,
                _ => {
                    self.describe(block_type, block, limits, summary)?;
                    window.take(len, 0..0);
                    match block_type {
                        CB_MAGIC | DCB_MAGIC | SJE_MAGIC => return Ok(Step::OtherRecord),
                        _ => continue,
                    }
                }
            };
            let place = window.take(len, HEADER + packet.place.start..HEADER + packet.place.end);
            return Ok(Step::Packet(Record { place, ..packet }));
        }
    }

    /// The next record, if it is what nearly all are, an Enhanced Packet Block that lies whole in the window and is as it
    /// should be. If not, nothing has changed.
    #[inline]
    pub(super) fn ready<R: Read>(
        &self,
        window: &mut Window<R>,
        limits: &CaptureLimits,
        summary: &mut CaptureSummary,
    ) -> Option<Record> {
        let unread = window.unread();
        let (block_type, claimed) = (self.byte_order.u32(unread, 0)?, self.byte_order.u32(unread, 4)?);
        let is_possible = (min_len(EPB_MAGIC)..=max_len(EPB_MAGIC, limits)).contains(&claimed) && claimed % 4 == 0;
        if block_type != EPB_MAGIC || !is_possible {
            return None;
        }
        let len = claimed as usize;
        let body = unread.get(HEADER..len - TRAILER)?;
        if self.byte_order.u32(unread, len - TRAILER)? != claimed {
            return None;
        }
        // Whoever tells what is wrong with it knows its number.
        let packet = self.timed_packet(EPB_MAGIC, body, PacketNumber::FIRST, limits, summary).ok()?;
        let place = window.take(len, HEADER + packet.place.start..HEADER + packet.place.end);
        Some(Record { place, ..packet })
    }

    /// Reads the first section header, without which nothing else has a meaning.
    pub(super) fn open<R: Read>(
        &mut self,
        window: &mut Window<R>,
        limits: &CaptureLimits,
        summary: &mut CaptureSummary,
    ) -> Result<(), Stop> {
        if let Some((block_type, len)) = self.whole_block(window, limits, PacketNumber::FIRST)? {
            self.describe(block_type, &window.unread()[..len], limits, summary)?;
            window.take(len, 0..0);
        }
        Ok(())
    }

    /// Makes one block available whole, and returns its type and total length; `None` at the end of the file.
    #[inline]
    fn whole_block<R: Read>(
        &mut self,
        window: &mut Window<R>,
        limits: &CaptureLimits,
        number: PacketNumber,
    ) -> Result<Option<(u32, usize)>, Stop> {
        self.whole = 0;
        let mut header_len = HEADER;
        let mut available = window.fill_to(header_len)?;
        if available == 0 {
            return Ok(None);
        }
        // Reads the same in both byte orders.
        let new_section = window.unread().starts_with(&SHB_MAGIC.to_le_bytes());
        if new_section {
            header_len += 4;
            available = window.fill_to(header_len)?;
        }
        if available < header_len {
            let within = if new_section { Within::SectionHeader } else { Within::Block };
            let (needed, available) = (header_len as u64, available as u64);
            return Err(DamageKind::Cut { within, needed, available }.into());
        }
        let header = window.unread();
        if new_section {
            self.byte_order = match header[8..12] {
                [0x4d, 0x3c, 0x2b, 0x1a] => ByteOrder::Little,
                [0x1a, 0x2b, 0x3c, 0x4d] => ByteOrder::Big,
                _ => return Err(malformed(SHB_MAGIC, "its byte-order magic is unknown").into()),
            };
        }
        let order = self.byte_order;
        let (Some(block_type), Some(claimed)) = (order.u32(header, 0), order.u32(header, 4)) else {
            return Err(malformed(0, "it has no header").into());
        };
        let (min, max) = (min_len(block_type), max_len(block_type, limits));
        if claimed < min || claimed > max || claimed % 4 != 0 {
            return Err(DamageKind::BlockLength { block_type, claimed, min, max }.into());
        }
        let len = claimed as usize;
        let available = window.fill_to(len)?;
        if available < len {
            let within = match block_type {
                EPB_MAGIC | SPB_MAGIC | PB_MAGIC => Within::Packet(number),
                SHB_MAGIC => Within::SectionHeader,
                _ => Within::Block,
            };
            return Err(DamageKind::Cut { within, needed: len as u64, available: available as u64 }.into());
        }
        match order.u32(window.unread(), len - TRAILER) {
            Some(last) if last != claimed => {
                Err(DamageKind::BlockLengthsDiffer { block_type, first: claimed, last }.into())
            }
            _ => {
                self.whole = len;
                Ok(Some((block_type, len)))
            }
        }
    }

    /// Steps over unread bytes to the next place where blocks fit; `false` when there is none.
    pub(super) fn resynchronise<R: Read>(&self, window: &mut Window<R>, limits: &CaptureLimits) -> bool {
        // A block that is bad inside only is skipped whole.
        if self.whole > 0 && self.fits(window, limits, self.whole) {
            window.take(self.whole, 0..0);
            return true;
        }
        resync::skip_to(window, HEADER + TRAILER, limits.search_bytes, |window, at| self.fits(window, limits, at))
    }

    /// Whether a block that can be read starts here, and another one behind it if the file goes on.
    fn fits<R: Read>(&self, window: &mut Window<R>, limits: &CaptureLimits, at: usize) -> bool {
        let Some((order, len)) = self.block_at(window, limits, at, self.byte_order) else { return false };
        let end = at + len;
        if window.look_ahead(end + HEADER) < end + HEADER {
            return true;
        }
        self.block_at(window, limits, end, order).is_some() || {
            let header = window.unread().get(end..).unwrap_or_default();
            let (block_type, claimed) = (order.u32(header, 0).unwrap_or(0), order.u32(header, 4).unwrap_or(0));
            let possible = claimed >= min_len(block_type) && claimed <= RESYNC_BLOCK && claimed % 4 == 0;
            // Of no known type, or cut off by the end.
            let last = (end + claimed as usize).saturating_sub(TRAILER);
            possible
                && (window.look_ahead(last + TRAILER) < last + TRAILER
                    || order.u32(window.unread(), last) == Some(claimed))
        }
    }

    /// Byte order and length of the block of a known type at this distance, if it is there and can be read.
    fn block_at<R: Read>(
        &self,
        window: &mut Window<R>,
        limits: &CaptureLimits,
        at: usize,
        order: ByteOrder,
    ) -> Option<(ByteOrder, usize)> {
        if window.look_ahead(at + HEADER + TRAILER) < at + HEADER + TRAILER {
            return None;
        }
        let header = window.unread().get(at..)?;
        let order = match header.starts_with(&SHB_MAGIC.to_le_bytes()) {
            false => order,
            true if header[HEADER..].starts_with(&[0x4d, 0x3c, 0x2b, 0x1a]) => ByteOrder::Little,
            true if header[HEADER..].starts_with(&[0x1a, 0x2b, 0x3c, 0x4d]) => ByteOrder::Big,
            true => return None,
        };
        let (block_type, claimed) = (order.u32(header, 0)?, order.u32(header, 4)?);
        let known = matches!(
            block_type,
            SHB_MAGIC
                | IDB_MAGIC
                | PB_MAGIC
                | SPB_MAGIC
                | NRB_MAGIC
                | ISB_MAGIC
                | EPB_MAGIC
                | SJE_MAGIC
                | DSB_MAGIC
                | CB_MAGIC
                | DCB_MAGIC
        );
        if !known || claimed < min_len(block_type) || claimed > RESYNC_BLOCK || claimed % 4 != 0 {
            return None;
        }
        let len = claimed as usize;
        if window.look_ahead(at + len) < at + len || order.u32(window.unread(), at + len - TRAILER) != Some(claimed) {
            return None;
        }
        let body = window.unread().get(at + HEADER..at + len - TRAILER)?;
        let number = PacketNumber::FIRST;
        let readable = match block_type {
            EPB_MAGIC | PB_MAGIC => {
                let summary = &mut CaptureSummary::default();
                self.timed_packet(block_type, body, number, limits, summary).is_ok()
            }
            SPB_MAGIC => self.simple_packet(body, number, limits).is_ok(),
            _ => true,
        };
        readable.then_some((order, len))
    }

    /// Enhanced Packet Block, and Packet Block, which it replaced: interface, time, both lengths, bytes, options.
    #[inline]
    fn timed_packet(
        &self,
        block_type: u32,
        body: &[u8],
        number: PacketNumber,
        limits: &CaptureLimits,
        summary: &mut CaptureSummary,
    ) -> Result<Record, DamageKind> {
        let word = |at| self.byte_order.u32(body, at).ok_or_else(|| malformed(block_type, SHORT));
        let interface = match block_type {
            // The other half of the word counts packets lost since the last one.
            PB_MAGIC => self.byte_order.u16(body, 0).ok_or_else(|| malformed(block_type, SHORT))?.into(),
            _ => word(0)?,
        };
        let ticks = u64::from(word(4)?) << 32 | u64::from(word(8)?);
        let (captured, original_len) = (word(12)?, word(16)?);
        let interface = self.interface(interface, number)?;
        let place = packet_place(body, TIMED_PACKET, captured, number, limits)?;
        // Padding to 32 bits, then options.
        if let Some(options) = body.get(place.end.next_multiple_of(4)..).filter(|rest| !rest.is_empty()) {
            let expected = if interface.snaplen == 0 { original_len } else { original_len.min(interface.snaplen) };
            if (captured < expected || captured == 0) && !self.are_options(options) {
                return Err(malformed(block_type, "its packet is shorter than its place"));
            }
            summary.comments += self.comments(options);
        }
        let time = Some(interface.clock.timestamp(ticks));
        Ok(Record { time, link: interface.link, interface: interface.index, place, original_len })
    }

    /// Simple Packet Block: always of the first interface, without time and without captured length.
    fn simple_packet(&self, body: &[u8], number: PacketNumber, limits: &CaptureLimits) -> Result<Record, DamageKind> {
        let original_len = self.byte_order.u32(body, 0).ok_or_else(|| malformed(SPB_MAGIC, SHORT))?;
        let interface = self.interface(0, number)?;
        let captured = match interface.snaplen {
            0 => original_len,
            snaplen => original_len.min(snaplen),
        };
        let place = packet_place(body, 4, captured, number, limits)?;
        Ok(Record { time: None, link: interface.link, interface: interface.index, place, original_len })
    }

    #[inline]
    fn interface(&self, id: u32, number: PacketNumber) -> Result<&SectionInterface, DamageKind> {
        let described = self.interfaces.len() as u32;
        let unknown = || DamageKind::UnknownInterface { packet: number, interface: id, described };
        self.interfaces.get(id as usize).ok_or_else(unknown)
    }

    /// Takes from a block without packet what there is to know.
    #[cold]
    fn describe(
        &mut self,
        block_type: u32,
        block: &[u8],
        limits: &CaptureLimits,
        summary: &mut CaptureSummary,
    ) -> Result<(), DamageKind> {
        match block_type {
            SHB_MAGIC | IDB_MAGIC | ISB_MAGIC => {}
            DSB_MAGIC => return self.secrets(&block[HEADER..block.len() - TRAILER], limits, summary),
            CB_MAGIC | DCB_MAGIC | SJE_MAGIC => {
                summary.other_records += 1;
                return Ok(());
            }
            _ => {
                summary.skipped_blocks += u64::from(block_type != NRB_MAGIC);
                return Ok(());
            }
        }
        let parse = match self.byte_order {
            ByteOrder::Little => parse_block_le,
            ByteOrder::Big => parse_block_be,
        };
        let (_, parsed) = parse(block).map_err(|_| malformed(block_type, "its fields do not fit"))?;
        let options = match &parsed {
            Block::SectionHeader(header) => {
                if header.major_version != 1 {
                    return Err(malformed(block_type, "its version is not 1.x"));
                }
                summary.sections = summary.sections.saturating_add(1);
                self.interfaces.clear();
                &header.options
            }
            Block::InterfaceDescription(described) => {
                let link = LinkType(described.linktype.0 as u16);
                self.add_interface(link, described.snaplen, &described.options, limits, summary)?;
                &described.options
            }
            Block::InterfaceStatistics(statistics) => {
                let known = self.interfaces.get(statistics.if_id as usize);
                if let Some(interface) = known.and_then(|known| summary.interfaces.get_mut(known.index as usize)) {
                    interface.statistics = Some(self.counters(&statistics.options));
                }
                &statistics.options
            }
            _ => return Ok(()),
        };
        summary.comments += values_of(options).filter(|(code, _)| *code == OptionCode::Comment).count() as u64;
        Ok(())
    }

    fn add_interface(
        &mut self,
        link: LinkType,
        snaplen: u32,
        options: &[PcapNGOption<'_>],
        limits: &CaptureLimits,
        summary: &mut CaptureSummary,
    ) -> Result<(), DamageKind> {
        let too_many = DamageKind::TooManyInterfaces { limit: limits.interfaces };
        if summary.interfaces.len() >= limits.interfaces {
            return Err(too_many);
        }
        let index = u32::try_from(summary.interfaces.len()).map_err(|_| too_many)?;
        let (mut name, mut fcs_len, mut resolution, mut offset) = (None, None, Resolution::MICROSECONDS, 0);
        for (code, value) in values_of(options) {
            match (code, value) {
                (OptionCode::IfName, text) if name.is_none() => {
                    name = Some(String::from_utf8_lossy(&text[..text.len().min(MAX_NAME)]).into_owned());
                }
                (OptionCode::IfTsresol, &[byte]) => resolution = Resolution::from_tsresol(byte),
                // In bits; whole bytes on every medium there is.
                (IF_FCSLEN, &[bits]) => fcs_len = Some(bits / 8),
                (OptionCode::IfTsoffset, value) if value.len() == 8 => {
                    offset = self.byte_order.u64(value, 0).unwrap_or(0).cast_signed();
                }
                _ => {}
            }
        }
        let section = summary.sections.saturating_sub(1);
        let statistics = None;
        summary.interfaces.push(Interface {
            section,
            link,
            name,
            snaplen,
            resolution,
            fcs_len,
            packets: 0,
            statistics,
        });
        self.interfaces.push(SectionInterface { index, link, clock: Clock::new(resolution, offset), snaplen });
        Ok(())
    }

    fn counters(&self, options: &[PcapNGOption<'_>]) -> InterfaceStatistics {
        let counter = |code| {
            let (_, value) = values_of(options).find(|(found, value)| *found == code && value.len() == 8)?;
            self.byte_order.u64(value, 0)
        };
        InterfaceStatistics {
            received: counter(OptionCode::IsbIfRecv),
            dropped_by_interface: counter(OptionCode::IsbIfDrop),
            dropped_by_system: counter(OptionCode::IsbOsDrop),
        }
    }

    fn secrets(&mut self, body: &[u8], limits: &CaptureLimits, summary: &mut CaptureSummary) -> Result<(), DamageKind> {
        let word = |at| self.byte_order.u32(body, at).ok_or_else(|| malformed(DSB_MAGIC, SHORT));
        let (secrets_type, len) = (word(0)?, word(4)? as usize);
        let too_long = malformed(DSB_MAGIC, "its secrets are longer than the block");
        let bytes = body.get(8..).and_then(|rest| rest.get(..len)).ok_or(too_long)?;
        // An entry takes memory even when it holds nothing.
        let kept = self.secrets_kept.saturating_add(len + size_of::<Secrets>());
        if kept > limits.secrets_bytes {
            summary.secrets_dropped += 1;
            summary.limit_hits.secrets += 1;
        } else {
            self.secrets_kept = kept;
            summary.secrets.push(Secrets { secrets_type, bytes: bytes.to_vec() });
        }
        Ok(())
    }

    /// Whether these bytes are options from end to end.
    #[cold]
    fn are_options(&self, mut rest: &[u8]) -> bool {
        while let (Some(code), Some(len)) = (self.byte_order.u16(rest, 0), self.byte_order.u16(rest, 2)) {
            let Some(behind) = rest.get(4 + usize::from(len).next_multiple_of(4)..) else { return false };
            if code == 0 {
                return len == 0 && behind.is_empty();
            }
            rest = behind;
        }
        rest.is_empty()
    }

    /// Counts the comments among a packet's options without collecting them.
    fn comments(&self, mut options: &[u8]) -> u64 {
        let parse = match self.byte_order {
            ByteOrder::Little => parse_option_le::<PcapError<&[u8]>>,
            ByteOrder::Big => parse_option_be::<PcapError<&[u8]>>,
        };
        let mut comments = 0;
        while let Ok((rest, option)) = parse(options) {
            match option.code {
                OptionCode::EndOfOpt => break,
                OptionCode::Comment => comments += 1,
                _ => {}
            }
            options = rest;
        }
        comments
    }
}

/// Where in its block's body a packet lies that starts at `start` and claims to be `captured` bytes long.
#[inline]
fn packet_place(
    body: &[u8],
    start: usize,
    captured: u32,
    number: PacketNumber,
    limits: &CaptureLimits,
) -> Result<Range<usize>, DamageKind> {
    if captured > limits.packet_bytes {
        let limit = limits.packet_bytes;
        return Err(DamageKind::PacketTooLong { packet: number, claimed: captured, limit });
    }
    let room = body.len().saturating_sub(start);
    if captured as usize > room {
        let room = room as u32;
        return Err(DamageKind::PacketOverrunsBlock { packet: number, claimed: captured, room });
    }
    Ok(start..start + captured as usize)
}

/// Code and value, without padding, of each option up to the end-of-options mark.
fn values_of<'a>(options: &'a [PcapNGOption<'_>]) -> impl Iterator<Item = (OptionCode, &'a [u8])> {
    let present = options.iter().take_while(|option| option.code != OptionCode::EndOfOpt);
    present.filter_map(|option| Some((option.code, option.as_bytes().ok()?)))
}

fn malformed(block_type: u32, problem: &'static str) -> DamageKind {
    DamageKind::BlockContents { block_type, problem }
}

/// Total length of the shortest block of a type.
#[inline]
fn min_len(block_type: u32) -> u32 {
    match block_type {
        EPB_MAGIC | PB_MAGIC => 32,
        SHB_MAGIC => 28,
        ISB_MAGIC => 24,
        IDB_MAGIC | DSB_MAGIC => 20,
        SPB_MAGIC => 16,
        _ => (HEADER + TRAILER) as u32,
    }
}

/// Total length of the longest block of a type.
#[inline]
fn max_len(block_type: u32, limits: &CaptureLimits) -> u32 {
    match block_type {
        SHB_MAGIC | IDB_MAGIC | ISB_MAGIC => limits.block_bytes.min(MAX_DESCRIPTION),
        _ => limits.block_bytes,
    }
}

/// Type and total length in front of a block's body.
const HEADER: usize = 8;
/// Total length behind it.
const TRAILER: usize = 4;
/// Fixed fields in front of the bytes of an Enhanced Packet Block.
const TIMED_PACKET: usize = 20;
/// The obsolete Packet Block, which pcap-parser does not know.
const PB_MAGIC: u32 = 2;
/// `if_fcslen`, which pcap-parser does not know.
const IF_FCSLEN: OptionCode = OptionCode(13);
/// Longest block that is recognised behind damage: a packet of the greatest length, with room for its options.
const RESYNC_BLOCK: u32 = 512 << 10;
/// Longest block whose options pcap-parser collects; they take up to ten times as much memory.
const MAX_DESCRIPTION: u32 = 1 << 20;
/// Bytes of an interface name that are kept.
const MAX_NAME: usize = 256;
const SHORT: &str = "it is too short";

#[cfg(test)]
mod tests {
    use super::super::testing::{BE, Got, LE, Outcome, Writer, read, small_pcapng};
    use super::super::{CaptureError, Damage, Reader};
    use super::*;

    fn section(writer: Writer) -> Vec<u8> {
        [writer.section(), writer.interface(1, 0, &[])].concat()
    }

    fn read_ok(file: &[u8]) -> Outcome {
        let outcome = read(file).unwrap();
        assert_eq!(outcome.damage, None);
        outcome
    }

    /// Damage that `block` does to a section of `writer` behind one good packet.
    fn damage(writer: Writer, block: &[u8]) -> Damage {
        let before = [section(writer), writer.packet(0, 1, b"good")].concat();
        let outcome = read(&[&before, block].concat()[..]).unwrap();
        assert_eq!(outcome.packets.len(), 1);
        let damage = outcome.damage.unwrap();
        assert_eq!((damage.offset, damage.after), (before.len() as u64, Some(PacketNumber::FIRST)));
        damage
    }

    fn second() -> PacketNumber {
        PacketNumber::FIRST.next()
    }

    #[test]
    fn sections_change_byte_order_and_start_their_own_interfaces() {
        let file = [
            LE.section(),
            LE.interface(1, 0, &LE.option(2, b"eth0")),
            LE.interface(113, 0, &[LE.option(2, b"any"), LE.option(9, &[9])].concat()),
            LE.packet(1, 5_000_000_001, b"cooked"),
            BE.section(),
            BE.interface(101, 0, &BE.option(2, b"tun0")),
            BE.packet(0, 7_000_000, b"raw"),
            LE.section(),
            LE.interface(276, 0, &[]),
            LE.packet(0, 1, b"x"),
        ]
        .concat();
        let outcome = read_ok(&file);
        let seen: Vec<_> = outcome.packets.iter().map(|got| (got.interface, got.link.0, got.time)).collect();
        assert_eq!(seen, [(1, 113, Some(5_000_000_001)), (2, 101, Some(7_000_000_000)), (3, 276, Some(1000))]);
        let summary = outcome.summary;
        assert_eq!(summary.sections, 3);
        let names: Vec<_> = summary.interfaces.iter().map(|it| (it.section, it.name.as_deref(), it.packets)).collect();
        assert_eq!(names, [(0, Some("eth0"), 0), (0, Some("any"), 1), (1, Some("tun0"), 1), (2, None, 1)]);
    }

    #[test]
    fn clocks_of_both_kinds_and_orders() {
        for writer in [LE, BE] {
            let interface = |resolution: u8, offset: i64| {
                let options = [
                    writer.option(9, &[resolution]),
                    writer.option(14, &writer.u64(offset.cast_unsigned())),
                    writer.option(0, b""),
                    // Behind the end of options: not one of them.
                    writer.option(9, &[0]),
                ];
                writer.interface(1, 0, &options.concat())
            };
            let file = [
                writer.section(),
                interface(0x80 | 20, 3600),
                interface(9, -1),
                interface(3, 0),
                // 2^-20 s, an hour ahead; nanoseconds, a second behind; milliseconds.
                writer.packet(0, 3 << 19, b""),
                writer.packet(1, 1 << 40, b""),
                writer.packet(2, 12, b""),
            ]
            .concat();
            let times: Vec<_> = read_ok(&file).packets.iter().map(|got| got.time).collect();
            assert_eq!(times, [Some(3_601_500_000_000), Some((1 << 40) - 1_000_000_000), Some(12_000_000)]);
        }
    }

    #[test]
    fn simple_packets_end_where_snaplen_and_length_say() {
        for (writer, snaplen, original_len, expected) in
            [(LE, 0, 5, 5), (BE, 0, 5, 5), (LE, 72, 1500, 72), (BE, 70, 1500, 70), (LE, 65_535, 66, 66)]
        {
            let body = [writer.words(&[original_len]), vec![7; expected]].concat();
            let file = [writer.section(), writer.interface(1, snaplen, &[]), writer.block(3, &body)].concat();
            let outcome = read_ok(&file);
            let Got { number, time, ref bytes, original_len: claimed, .. } = outcome.packets[0];
            assert_eq!((number, time, bytes.len(), claimed), (1, None, expected, original_len));
            assert_eq!(outcome.summary.packets_cut, u64::from(expected < original_len as usize));
        }
        let overrun = [LE.words(&[1500]), vec![7; 72]].concat();
        let kind = damage(LE, &LE.block(3, &overrun)).kind;
        assert_eq!(kind, DamageKind::PacketOverrunsBlock { packet: second(), claimed: 1500, room: 72 });
        let orphan = [LE.section(), LE.block(3, &[LE.words(&[1]), vec![7]].concat())].concat();
        let kind = read(&orphan[..]).unwrap().damage.unwrap().kind;
        assert!(matches!(kind, DamageKind::UnknownInterface { interface: 0, described: 0, .. }));
    }

    #[test]
    fn obsolete_packet_blocks() {
        for writer in [LE, BE] {
            let fixed = [writer.u16(1), writer.u16(0xffff)].concat();
            let body = [fixed, writer.words(&[1, 2, 5, 9]), b"hello\0\0\0".to_vec(), writer.option(1, b"old")].concat();
            let file = [section(writer), writer.interface(101, 0, &[]), writer.block(2, &body)].concat();
            let outcome = read_ok(&file);
            let got = &outcome.packets[0];
            assert_eq!((got.interface, got.link.0, &got.bytes[..], got.original_len), (1, 101, &b"hello"[..], 9));
            assert_eq!(got.time, Some(((1 << 32) + 2) * 1000));
            assert_eq!(outcome.summary.comments, 1);
        }
    }

    #[test]
    fn everything_between_packets_is_told() {
        let summary = read_ok(&small_pcapng()).summary;
        assert_eq!((summary.packets, summary.comments, summary.skipped_blocks, summary.other_records), (3, 1, 1, 0));
        let [secrets] = &summary.secrets[..] else { panic!("one block of secrets") };
        // 5 bytes, though the block holds 8.
        assert_eq!((secrets.secrets_type, &secrets.bytes[..]), (Secrets::TLS_KEY_LOG, &b"keys\n"[..]));
        assert!(!format!("{summary:?}").contains("keys"));
        assert_eq!(summary.interfaces[0].statistics, None);
        assert_eq!(summary.interfaces[1].statistics.unwrap().dropped_by_interface, Some(7));
        assert_eq!(summary.dropped(), Some(7));
    }

    #[test]
    fn counters_of_both_byte_orders() {
        for writer in [LE, BE] {
            let options =
                [(4, 100), (5, 3), (7, 4)].map(|(code, value)| writer.option(code, &writer.u64(value))).concat();
            let body = [writer.words(&[0, 1, 2]), options].concat();
            let unknown = [writer.words(&[9, 1, 2]), writer.option(5, &writer.u64(1000))].concat();
            let file = [section(writer), writer.block(5, &body), writer.block(5, &unknown)].concat();
            let statistics = read_ok(&file).summary.interfaces[0].statistics.unwrap();
            assert_eq!((statistics.received, statistics.dropped()), (Some(100), Some(7)));
        }
    }

    #[test]
    fn comments_on_sections_interfaces_and_packets_are_counted() {
        for writer in [LE, BE] {
            let comment = writer.option(1, b"one");
            let two = [comment.clone(), writer.option(2, &[0; 4]), comment.clone(), writer.option(0, b"")].concat();
            let file = [
                writer.section_with(&comment),
                writer.interface(1, 0, &comment),
                writer.packet_with(0, 1, b"abcde", &[&two[..], &comment].concat()),
                // A comment that its block cuts off is none.
                writer.packet_with(0, 1, b"abcd", &comment[..4]),
            ];
            let outcome = read_ok(&file.concat());
            assert_eq!((outcome.summary.comments, &outcome.packets[0].bytes[..]), (4, &b"abcde"[..]));
        }
    }

    #[test]
    fn numbers_count_what_wireshark_counts() {
        // tshark 4.0.17 gives journal entries and custom blocks a frame number, and all other blocks here none.
        let numbered = |block_type, body: &[u8]| LE.block(block_type, body);
        let file = [
            section(LE),
            LE.packet(0, 1, b"1"),
            numbered(9, b"__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=hi\n\n"),
            LE.packet(0, 1, b"3"),
            numbered(0xbad, &LE.words(&[32_473, 1])),
            numbered(0x4000_0bad, &LE.words(&[32_473, 1])),
            LE.packet(0, 1, b"6"),
            LE.block(4, &LE.words(&[0])),
            LE.block(0x8000_0001, &LE.words(&[42])),
            LE.block(0x7777, b"?"),
            LE.packet(0, 1, b"7"),
        ]
        .concat();
        let outcome = read_ok(&file);
        let numbers: Vec<_> = outcome.packets.iter().map(|got| (got.number, got.bytes[0])).collect();
        assert_eq!(numbers, [(1, b'1'), (3, b'3'), (6, b'6'), (7, b'7')]);
        let summary = outcome.summary;
        assert_eq!((summary.packets, summary.other_records, summary.skipped_blocks), (4, 3, 2));
    }

    #[test]
    fn block_lengths_that_cannot_be() {
        // A Process Information Block of 8 bytes makes pcap-parser subtract below zero.
        for (block_type, claimed, min, max) in [
            (0x8000_0001, 8, 12, 64 << 20),
            (0x7777, 0, 12, 64 << 20),
            (0x7777, 13, 12, 64 << 20),
            (0x7777, u32::MAX - 3, 12, 64 << 20),
            (6, 28, 32, 64 << 20),
            (1, 16, 20, 1 << 20),
            (1, (1 << 20) + 4, 20, 1 << 20),
            (10, 16, 20, 64 << 20),
        ] {
            for writer in [LE, BE] {
                let block = [writer.words(&[block_type, claimed]), vec![0; 64]].concat();
                let kind = damage(writer, &block).kind;
                assert_eq!(kind, DamageKind::BlockLength { block_type, claimed, min, max });
            }
        }
        let mut block = LE.packet(0, 1, b"abcd");
        *block.last_mut().unwrap() = 1;
        let kind = damage(LE, &block).kind;
        assert_eq!(kind, DamageKind::BlockLengthsDiffer { block_type: 6, first: 36, last: 36 | 1 << 24 });
    }

    #[test]
    fn packets_that_lie() {
        for writer in [LE, BE] {
            let claim = |block_type, interface, captured| {
                writer.block(block_type, &writer.words(&[interface, 0, 0, captured, captured, 0]))
            };
            let packet = second();
            let kind = damage(writer, &claim(6, 0, 5)).kind;
            assert_eq!(kind, DamageKind::PacketOverrunsBlock { packet, claimed: 5, room: 4 });
            let kind = damage(writer, &claim(6, 0, u32::MAX)).kind;
            assert_eq!(kind, DamageKind::PacketTooLong { packet, claimed: u32::MAX, limit: 262_144 });
            let kind = damage(writer, &claim(6, 7, 4)).kind;
            assert_eq!(kind, DamageKind::UnknownInterface { packet, interface: 7, described: 1 });
        }
        let keys = LE.block(10, &LE.words(&[0x544c_534b, 9, 0, 0]));
        assert!(damage(LE, &keys).to_string().contains("its secrets are longer than the block"));
    }

    #[test]
    fn a_cut_block_with_a_packet_names_the_packet() {
        let block = LE.packet(0, 1, b"abcd");
        assert_eq!(
            damage(LE, &block[..20]).to_string(),
            "the file ends inside packet #2, cut or still being written: 20 of 36 bytes are there (offset 0x54)" // 28 + 20 + 36
        );
        let cut = damage(LE, &LE.block(4, &[0; 4])[..15]).to_string();
        assert_eq!(
            cut,
            "the file ends inside a block between packets, cut or still being written: 15 of 16 bytes are there (offset 0x54)"
        );
    }

    #[test]
    fn what_can_grow_is_bounded() {
        let limits = CaptureLimits { interfaces: 2, secrets_bytes: 100, ..CaptureLimits::default() };
        let keys = LE.block(10, &[LE.words(&[0x544c_534b, 60]), vec![b'k'; 60]].concat());
        let file =
            [section(LE), keys.clone(), keys, LE.interface(1, 0, &[]), LE.section(), LE.interface(1, 0, &[])].concat();
        let mut reader = Reader::with_limits(&file[..], limits).unwrap();
        let error = reader.next_packet().unwrap_err();
        assert!(matches!(
            &error,
            CaptureError::Damaged(Damage { kind: DamageKind::TooManyInterfaces { limit: 2 }, .. })
        ));
        assert_eq!((reader.summary().secrets.len(), reader.summary().secrets_dropped), (1, 1));
        let hits = reader.summary().limit_hits;
        assert_eq!((hits.interfaces, hits.secrets), (1, 1));
        let limits = CaptureLimits { block_bytes: 64, ..CaptureLimits::default() };
        let file = [section(LE), LE.block(0x7777, &[0; 64])].concat();
        let mut reader = Reader::with_limits(&file[..], limits).unwrap();
        assert!(reader.next_packet().unwrap_err().to_string().contains("multiples of 4 from 12 to 64"));
        assert_eq!(reader.summary().limit_hits.block_bytes, 1);
    }

    #[test]
    fn other_versions_are_refused() {
        let mut file = section(LE);
        file[12] = 2;
        assert_eq!(
            Reader::open(&file[..]).unwrap_err().to_string(),
            "block of type 0xa0d0d0a is malformed: its version is not 1.x (offset 0x0)"
        );
    }
}
