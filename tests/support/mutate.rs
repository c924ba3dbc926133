//! What goes wrong with capture files, done to one on purpose: packets lost, swapped, repeated, recorded short, seen in
//! one direction only; files that begin late, break off or have a byte changed.
//!
//! A [`CaptureFile`] is pcap or pcapng taken apart into packet records. [`Kind`] lists the ways to spoil it, each with all
//! of its [`Mutation`]s, so that one test can take a sample and another all of them.

use super::rng::Rng;
use std::ops::Range;

/// A pcap or pcapng file as the records of its packets, with whatever stands between them.
#[derive(Debug, Clone)]
pub struct CaptureFile {
    /// The file's own bytes.
    pub bytes: Vec<u8>,
    pub records: Vec<Record>,
    /// What follows the last packet.
    rest: Vec<u8>,
}

/// One packet with its header in the file.
#[derive(Debug, Clone)]
pub struct Record {
    /// What stands in the file since the packet before: the file header, or other blocks.
    before: Vec<u8>,
    head: Vec<u8>,
    pub data: Vec<u8>,
    /// Padding, options, and the length again, in pcapng.
    tail: Vec<u8>,
    layout: Layout,
    link: u16,
    /// Where the packet's bytes are in the file.
    pub place: Range<usize>,
}

/// Where a record's header has what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Pcap { big_endian: bool },
    Enhanced { big_endian: bool },
    Simple,
}

/// A TCP segment's place in its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    pub source: (Vec<u8>, u16),
    pub destination: (Vec<u8>, u16),
    pub seq: u32,
    pub ack: Option<u32>,
    pub flags: u8,
    /// Bytes of payload, and one for each of SYN and FIN.
    pub len: u32,
    /// Where the payload begins in the packet.
    pub payload_at: usize,
}

impl CaptureFile {
    /// Takes a file apart; `None` for compressed files.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let magic = bytes.get(..4)?;
        match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => Self::pcap(bytes, false),
            [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => Self::pcap(bytes, true),
            [0x0a, 0x0d, 0x0d, 0x0a] => Self::pcapng(bytes),
            _ => None,
        }
    }

    fn pcap(bytes: &[u8], big_endian: bool) -> Option<Self> {
        let link = number(bytes, 20, big_endian)? as u16;
        let (mut at, mut start, mut records) = (24, 0, Vec::new());
        while at < bytes.len() {
            let len = number(bytes, at + 8, big_endian)? as usize;
            let place = at + 16..at + 16 + len;
            records.push(Record {
                before: bytes[start..at].to_vec(),
                head: bytes.get(at..at + 16)?.to_vec(),
                data: bytes.get(place.clone())?.to_vec(),
                tail: Vec::new(),
                layout: Layout::Pcap { big_endian },
                link,
                place: place.clone(),
            });
            at = place.end;
            start = at;
        }
        Some(Self { bytes: bytes.to_vec(), records, rest: bytes[start..].to_vec() })
    }

    fn pcapng(bytes: &[u8]) -> Option<Self> {
        let (mut at, mut start, mut records) = (0, 0, Vec::new());
        let (mut big_endian, mut links) = (false, Vec::new());
        while at < bytes.len() {
            if bytes.get(at..at + 4)? == [0x0a, 0x0d, 0x0d, 0x0a] {
                big_endian = bytes.get(at + 8)? == &0x1a;
                links.clear();
            }
            let end = at + number(bytes, at + 4, big_endian)? as usize;
            let block = bytes.get(at..end)?;
            let found = match number(block, 0, big_endian)? {
                1 => {
                    links.push(number(&[block[8], block[9], block[8], block[9]], 0, big_endian)? as u16);
                    None
                }
                3 => Some((Layout::Simple, 12, block.len() - 16, 0)),
                6 => {
                    let interface = number(block, 8, big_endian)? as usize;
                    Some((Layout::Enhanced { big_endian }, 28, number(block, 20, big_endian)? as usize, interface))
                }
                _ => None,
            };
            if let Some((layout, head, len, interface)) = found {
                let len = len.min(number(block, head - 4, big_endian)? as usize);
                records.push(Record {
                    before: bytes[start..at].to_vec(),
                    head: block[..head].to_vec(),
                    data: block.get(head..head + len)?.to_vec(),
                    tail: block[head + len..].to_vec(),
                    layout,
                    link: links.get(interface).copied()?,
                    place: at + head..at + head + len,
                });
                start = end;
            }
            at = end;
        }
        Some(Self { bytes: bytes.to_vec(), records, rest: bytes[start..].to_vec() })
    }

    /// The file with the packets at these places only, in this order. What stands between packets stays.
    fn with(&self, mut packet: impl FnMut(usize, &Record) -> Vec<u8>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len());
        for (index, record) in self.records.iter().enumerate() {
            out.extend_from_slice(&record.before);
            out.extend(packet(index, record));
        }
        out.extend_from_slice(&self.rest);
        out
    }

    /// The conversations' segments; `None` where a packet is not TCP.
    pub fn segments(&self) -> Vec<Option<Tcp>> {
        self.records.iter().map(|record| tcp(record.link, &record.data)).collect()
    }
}

impl Record {
    fn whole(&self) -> Vec<u8> {
        [&self.head[..], &self.data, &self.tail].concat()
    }

    /// The record as a capture with this snapshot length would hold it.
    fn cut_to(&self, snap: usize) -> Vec<u8> {
        let len = self.data.len().min(snap);
        let (mut head, data) = (self.head.clone(), &self.data[..len]);
        match self.layout {
            _ if len == self.data.len() => self.whole(),
            Layout::Pcap { big_endian } => {
                set_number(&mut head, 8, len as u32, big_endian);
                [&head[..], data].concat()
            }
            Layout::Enhanced { big_endian } => {
                let padded = len.next_multiple_of(4);
                let total = (head.len() + padded + 4) as u32;
                set_number(&mut head, 4, total, big_endian);
                set_number(&mut head, 20, len as u32, big_endian);
                let mut out = [&head[..], data].concat();
                out.resize(head.len() + padded, 0);
                out.extend(if big_endian { total.to_be_bytes() } else { total.to_le_bytes() });
                out
            }
            // The snapshot length of a simple packet is that of its interface.
            Layout::Simple => self.whole(),
        }
    }

    /// The bytes of the header that hold the time.
    fn time(&self) -> Range<usize> {
        match self.layout {
            Layout::Pcap { .. } => 0..8,
            Layout::Enhanced { .. } => 12..20,
            Layout::Simple => 0..0,
        }
    }
}

fn number(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let raw = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
}

fn set_number(bytes: &mut [u8], at: usize, value: u32, big_endian: bool) {
    bytes[at..at + 4].copy_from_slice(&if big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
}

/// Reads a packet without IP options of interest, tunnels or fragments, which the recorded cases do not have.
fn tcp(link: u16, packet: &[u8]) -> Option<Tcp> {
    let ip_at = match link {
        0 => 4,
        1 => 14,
        12 | 101 | 228 | 229 => 0,
        113 => 16,
        276 => 20,
        _ => return None,
    };
    let ip = packet.get(ip_at..)?;
    let (source, destination, header, total) = match ip.first()? >> 4 {
        4 if *ip.get(9)? == 6 => {
            let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
            (ip.get(12..16)?, ip.get(16..20)?, usize::from(ip[0] & 15) * 4, total)
        }
        6 if *ip.get(6)? == 6 => {
            let total = 40 + usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
            (ip.get(8..24)?, ip.get(24..40)?, 40, total)
        }
        _ => return None,
    };
    let tcp = ip.get(header..)?;
    let word = |at: usize| Some(u32::from_be_bytes(tcp.get(at..at + 4)?.try_into().ok()?));
    let flags = *tcp.get(13)?;
    let data_offset = usize::from(tcp[12] >> 4) * 4;
    let controls = u32::from(flags & 1) + u32::from(flags >> 1 & 1);
    Some(Tcp {
        source: (source.to_vec(), (word(0)? >> 16) as u16),
        destination: (destination.to_vec(), word(0)? as u16),
        seq: word(4)?,
        ack: (flags & 0x10 != 0).then_some(word(8)?),
        flags,
        len: total.saturating_sub(header + data_offset) as u32 + controls,
        payload_at: ip_at + header + data_offset,
    })
}

/// One way to spoil one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// These packets were not captured. Places count from 0.
    Drop(Vec<usize>),
    /// This packet and the next are stored the other way round; times go on ascending.
    Swap(usize),
    /// Each packet is there twice.
    DuplicateAll,
    /// No packet is longer than this.
    Snap(usize),
    /// The first packets are missing.
    StartAt(usize),
    /// The packets from here on are missing.
    StopAt(usize),
    /// Only what clients (or else servers) sent was captured.
    OneDirection { of_client: bool },
    /// The file ends after this many bytes.
    Truncate(usize),
    /// One byte has other bits.
    Flip { at: usize, mask: u8 },
}

impl Mutation {
    /// The spoilt file.
    pub fn apply(&self, file: &CaptureFile) -> Vec<u8> {
        match self {
            Self::Truncate(len) => file.bytes[..*len].to_vec(),
            Self::Flip { at, mask } => {
                let mut bytes = file.bytes.clone();
                bytes[*at] ^= mask;
                bytes
            }
            Self::Swap(place) => {
                let mut records = file.records.clone();
                let (a, b) = (records[*place].time(), records[place + 1].time());
                let times = [records[*place].head[a.clone()].to_vec(), records[place + 1].head[b.clone()].to_vec()];
                // Blocks before a packet describe its interface and stay where they are.
                let (first, second) = (records[*place].clone(), records[place + 1].clone());
                records[*place] = Record { before: first.before.clone(), ..second.clone() };
                records[place + 1] = Record { before: second.before, ..first };
                if times[0].len() == times[1].len() {
                    records[*place].head[b].copy_from_slice(&times[0]);
                    records[place + 1].head[a].copy_from_slice(&times[1]);
                }
                CaptureFile { records, ..file.clone() }.with(|_, record| record.whole())
            }
            Self::DuplicateAll => file.with(|_, record| record.whole().repeat(2)),
            Self::Snap(len) => file.with(|_, record| record.cut_to(*len)),
            Self::Drop(_) | Self::StartAt(_) | Self::StopAt(_) | Self::OneDirection { .. } => {
                let kept = self.kept(file);
                file.with(|index, record| if kept[index] { record.whole() } else { Vec::new() })
            }
        }
    }

    /// Which packets it took away, moved or bent.
    pub fn touched(&self, file: &CaptureFile) -> Vec<bool> {
        let places = 0..file.records.len();
        match self {
            Self::Swap(place) => places.map(|index| index == *place || index == place + 1).collect(),
            Self::DuplicateAll => vec![true; file.records.len()],
            Self::Snap(len) => file.records.iter().map(|record| record.data.len() > *len).collect(),
            Self::Flip { at, .. } => {
                let header_at = |record: &Record| record.place.start - record.head.len();
                file.records.iter().map(|record| (header_at(record)..record.place.end).contains(at)).collect()
            }
            _ => self.kept(file).into_iter().map(|kept| !kept).collect(),
        }
    }

    /// Which packets are still there, whole or in part.
    pub fn kept(&self, file: &CaptureFile) -> Vec<bool> {
        let places = 0..file.records.len();
        match self {
            Self::Drop(dropped) => places.map(|index| !dropped.contains(&index)).collect(),
            Self::StartAt(first) => places.map(|index| index >= *first).collect(),
            Self::StopAt(end) => places.map(|index| index < *end).collect(),
            Self::Truncate(len) => file.records.iter().map(|record| record.place.end <= *len).collect(),
            Self::OneDirection { of_client } => {
                let segments = file.segments();
                let from_client = |tcp: &Tcp| is_from_client(tcp, &segments);
                segments.iter().map(|tcp| tcp.as_ref().is_none_or(|tcp| from_client(tcp) == *of_client)).collect()
            }
            Self::Swap(_) | Self::DuplicateAll | Self::Snap(_) | Self::Flip { .. } => vec![true; file.records.len()],
        }
    }
}

/// Whether the sender opened the connection or, where no SYN was recorded, has the higher port.
fn is_from_client(tcp: &Tcp, segments: &[Option<Tcp>]) -> bool {
    let pair = [&tcp.source, &tcp.destination];
    let syn = segments
        .iter()
        .flatten()
        .find(|other| other.flags & 0x12 == 2 && pair.contains(&&other.source) && pair.contains(&&other.destination));
    syn.map_or(tcp.source.1 > tcp.destination.1, |syn| syn.source == tcp.source)
}

/// Whether what is left of a capture shows that this packet was sent: its sender went on behind it, or its peer
/// acknowledged it.
///
/// Packets that carry no byte, SYN or FIN (acknowledgements, window updates, resets) leave no trace, nor do the last ones.
pub fn leaves_a_trace(segments: &[Option<Tcp>], kept: &[bool], missing: usize) -> bool {
    let Some(lost) = &segments[missing] else { return false };
    if lost.len == 0 {
        return false;
    }
    let end = lost.seq.wrapping_add(lost.len);
    let beyond = |number: u32| (number.wrapping_sub(lost.seq) as i32) > 0;
    let others = || segments.iter().zip(kept).enumerate().filter(|(index, (_, kept))| **kept && *index != missing);
    let repeats = |other: &Tcp| {
        other.source == lost.source
            && other.destination == lost.destination
            && (lost.seq.wrapping_sub(other.seq) as i32) >= 0
            && (other.seq.wrapping_add(other.len).wrapping_sub(end) as i32) >= 0
    };
    if others().any(|(_, (other, _))| other.as_ref().is_some_and(repeats)) {
        // Not one byte is missing.
        return false;
    }
    others().any(|(index, (other, _))| match other {
        Some(other) if other.source == lost.source && other.destination == lost.destination => {
            // The peer may have a reason of its own for a sequence number in a reset.
            index > missing && other.flags & 4 == 0 && (other.seq.wrapping_sub(end) as i32) >= 0
                || (other.len > 0 && beyond(other.seq))
        }
        Some(other) if other.source == lost.destination && other.destination == lost.source => {
            // Nor is a reset believed in what it acknowledges.
            other.flags & 4 == 0 && other.ack.is_some_and(beyond)
        }
        _ => false,
    })
}

/// The ways to spoil a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    DropOne,
    DropTwo,
    DropRun,
    DropTenth,
    DropHalf,
    Swap,
    DuplicateAll,
    Snap96,
    Snap128,
    Snap300,
    Start,
    Stop,
    OnlyClient,
    OnlyServer,
    Truncate,
    FlipFile,
    FlipHeaders,
    FlipPayload,
}

impl Kind {
    pub const ALL: [Self; 18] = [
        Self::DropOne,
        Self::DropTwo,
        Self::DropRun,
        Self::DropTenth,
        Self::DropHalf,
        Self::Swap,
        Self::DuplicateAll,
        Self::Snap96,
        Self::Snap128,
        Self::Snap300,
        Self::Start,
        Self::Stop,
        Self::OnlyClient,
        Self::OnlyServer,
        Self::Truncate,
        Self::FlipFile,
        Self::FlipHeaders,
        Self::FlipPayload,
    ];

    /// What it does, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::DropOne => "any one packet dropped",
            Self::DropTwo => "any two packets dropped",
            Self::DropRun => "any three to eight neighbours dropped",
            Self::DropTenth => "each packet dropped with 10 %",
            Self::DropHalf => "each packet dropped with 50 %",
            Self::Swap => "any two neighbours swapped",
            Self::DuplicateAll => "every packet twice",
            Self::Snap96 => "snap length 96",
            Self::Snap128 => "snap length 128",
            Self::Snap300 => "snap length 300",
            Self::Start => "begins at any packet",
            Self::Stop => "ends at any packet",
            Self::OnlyClient => "only the clients' packets",
            Self::OnlyServer => "only the servers' packets",
            Self::Truncate => "file cut at any byte",
            Self::FlipFile => "any byte of the file's own headers changed",
            Self::FlipHeaders => "any byte of link, IP or TCP headers changed",
            Self::FlipPayload => "any byte of the payload changed",
        }
    }

    /// Whether the bytes that were sent are not what the file holds, so that no more than survival can be asked.
    pub fn changes_content(self) -> bool {
        matches!(self, Self::FlipFile | Self::FlipHeaders | Self::FlipPayload)
    }

    /// All mutations of this kind; those that chance decides on, and pairs in long files, are many with fixed seeds.
    pub fn all(self, file: &CaptureFile) -> Vec<Mutation> {
        let count = file.records.len();
        match self {
            Self::DropOne => (0..count).map(|index| Mutation::Drop(vec![index])).collect(),
            Self::DropTwo => {
                let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| Mutation::Drop(vec![a, b])));
                let step = (count * count / 2 / 2000).max(1);
                pairs.step_by(step).collect()
            }
            Self::DropRun => [3, 5, 8]
                .into_iter()
                .flat_map(|len| (0..count.saturating_sub(len)).map(move |at| Mutation::Drop((at..at + len).collect())))
                .collect(),
            Self::DropTenth => random_drops(count, 0.1),
            Self::DropHalf => random_drops(count, 0.5),
            Self::Swap => (0..count.saturating_sub(1)).map(Mutation::Swap).collect(),
            Self::DuplicateAll => vec![Mutation::DuplicateAll],
            Self::Snap96 => vec![Mutation::Snap(96)],
            Self::Snap128 => vec![Mutation::Snap(128)],
            Self::Snap300 => vec![Mutation::Snap(300)],
            Self::Start => (1..count).map(Mutation::StartAt).collect(),
            Self::Stop => (1..count).map(Mutation::StopAt).collect(),
            Self::OnlyClient => vec![Mutation::OneDirection { of_client: true }],
            Self::OnlyServer => vec![Mutation::OneDirection { of_client: false }],
            Self::Truncate => (0..file.bytes.len()).map(Mutation::Truncate).collect(),
            Self::FlipFile | Self::FlipHeaders | Self::FlipPayload => (0..file.bytes.len())
                .zip(areas(file))
                .filter(|(_, area)| *area == self)
                .map(|(at, _)| flip(at))
                .collect(),
        }
    }

    /// At most `count` of them, chosen by `rng`.
    pub fn sample(self, file: &CaptureFile, rng: &mut Rng, count: usize) -> Vec<Mutation> {
        let mut all = self.all(file);
        if all.len() <= count {
            return all;
        }
        (0..count).map(|_| all.swap_remove(rng.below(all.len() as u64) as usize)).collect()
    }
}

fn random_drops(count: usize, chance: f64) -> Vec<Mutation> {
    let mut rng = Rng::new(count as u64);
    let one = |_| Mutation::Drop((0..count).filter(|_| rng.chance(chance)).collect());
    (0..100).map(one).collect()
}

/// One bit, or all of them, or some: by the place, so that each kind of change meets each kind of field.
fn flip(at: usize) -> Mutation {
    let mask = match at % 4 {
        0 => 0xff,
        1 => 0x01,
        2 => 0x80,
        _ => 0x10,
    };
    Mutation::Flip { at, mask }
}

/// Which kind of flip each byte of the file belongs to.
fn areas(file: &CaptureFile) -> Vec<Kind> {
    let mut areas = vec![Kind::FlipFile; file.bytes.len()];
    for (record, tcp) in file.records.iter().zip(file.segments()) {
        let payload = tcp.map_or(record.data.len(), |tcp| tcp.payload_at).min(record.data.len());
        areas[record.place.clone()].fill(Kind::FlipPayload);
        areas[record.place.start..record.place.start + payload].fill(Kind::FlipHeaders);
    }
    areas
}
