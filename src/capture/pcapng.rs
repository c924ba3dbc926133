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
        Self { byte_order: ByteOrder::Little, interfaces: Vec::new(), secrets_kept: 0 }
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
            let within = if new_section { Within::FileHeader } else { Within::Block };
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
                SHB_MAGIC => Within::FileHeader,
                _ => Within::Block,
            };
            return Err(DamageKind::Cut { within, needed: len as u64, available: available as u64 }.into());
        }
        match order.u32(window.unread(), len - TRAILER) {
            Some(last) if last != claimed => {
                Err(DamageKind::BlockLengthsDiffer { block_type, first: claimed, last }.into())
            }
            _ => Ok(Some((block_type, len))),
        }
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
        let word = |at| self.byte_order.u32(body, at).ok_or(malformed(block_type, SHORT));
        let interface = match block_type {
            // The other half of the word counts packets lost since the last one.
            PB_MAGIC => self.byte_order.u16(body, 0).ok_or(malformed(block_type, SHORT))?.into(),
            _ => word(0)?,
        };
        let ticks = u64::from(word(4)?) << 32 | u64::from(word(8)?);
        let (captured, original_len) = (word(12)?, word(16)?);
        let interface = self.interface(interface, number)?;
        let place = packet_place(body, TIMED_PACKET, captured, number, limits)?;
        // Padding to 32 bits follows, which some programs leave out when there are no options.
        if let Some(options) = body.get(place.end.next_multiple_of(4)..).filter(|rest| !rest.is_empty()) {
            summary.comments += self.comments(options);
        }
        let time = Some(interface.clock.timestamp(ticks));
        Ok(Record { time, link: interface.link, interface: interface.index, place, original_len })
    }

    /// Simple Packet Block: always of the first interface, without time and without captured length.
    fn simple_packet(&self, body: &[u8], number: PacketNumber, limits: &CaptureLimits) -> Result<Record, DamageKind> {
        let original_len = self.byte_order.u32(body, 0).ok_or(malformed(SPB_MAGIC, SHORT))?;
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
        let unknown = DamageKind::UnknownInterface { packet: number, interface: id, described };
        self.interfaces.get(id as usize).ok_or(unknown)
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
        let word = |at| self.byte_order.u32(body, at).ok_or(malformed(DSB_MAGIC, SHORT));
        let (secrets_type, len) = (word(0)?, word(4)? as usize);
        let too_long = malformed(DSB_MAGIC, "its secrets are longer than the block");
        let bytes = body.get(8..).and_then(|rest| rest.get(..len)).ok_or(too_long)?;
        // An entry takes memory even when it holds nothing.
        let kept = self.secrets_kept.saturating_add(len + size_of::<Secrets>());
        if kept > limits.secrets_bytes {
            summary.secrets_dropped += 1;
        } else {
            self.secrets_kept = kept;
            summary.secrets.push(Secrets { secrets_type, bytes: bytes.to_vec() });
        }
        Ok(())
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
/// Longest block whose options pcap-parser collects; they take up to ten times as much memory.
const MAX_DESCRIPTION: u32 = 1 << 20;
/// Bytes of an interface name that are kept.
const MAX_NAME: usize = 256;
const SHORT: &str = "it is too short";
