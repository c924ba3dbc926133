//! Packets to capture files: classic pcap and pcapng, as the IETF drafts describe them.

use super::conversation::Conversation;
use super::net::{Link, Packet};

/// The flavours of classic pcap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcapFormat {
    pub big_endian: bool,
    /// Nanosecond time stamps instead of microseconds.
    pub nanoseconds: bool,
    pub snap_len: u32,
}

impl Default for PcapFormat {
    /// Little-endian with nanoseconds and a snapshot length that cuts nothing.
    fn default() -> Self {
        Self { big_endian: false, nanoseconds: true, snap_len: 262_144 }
    }
}

impl PcapFormat {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// The 24 bytes at the start of a file.
    pub fn header(self, link: Link) -> Vec<u8> {
        let magic = if self.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut bytes = self.u32(magic).to_vec();
        bytes.extend_from_slice(&self.u16(2));
        bytes.extend_from_slice(&self.u16(4));
        bytes.extend_from_slice(&[0; 8]); // time zone, accuracy: always 0
        bytes.extend_from_slice(&self.u32(self.snap_len));
        bytes.extend_from_slice(&self.u32(u32::from(link.number())));
        bytes
    }

    /// Appends one packet record.
    pub fn record(self, packet: &Packet, link: Link, out: &mut Vec<u8>) {
        let bytes = packet.bytes(link);
        let kept = bytes.len().min(self.snap_len as usize).min(packet.kept.unwrap_or(usize::MAX));
        let fraction = packet.time.rem_euclid(1_000_000_000) as u32;
        out.extend_from_slice(&self.u32(packet.time.div_euclid(1_000_000_000) as u32));
        out.extend_from_slice(&self.u32(if self.nanoseconds { fraction } else { fraction / 1000 }));
        out.extend_from_slice(&self.u32(kept as u32));
        out.extend_from_slice(&self.u32(bytes.len() as u32));
        out.extend_from_slice(&bytes[..kept]);
    }
}

/// The unit of pcapng time stamps (`if_tsresol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeResolution {
    /// Ten to the minus this many seconds.
    Decimal(u8),
    /// Two to the minus this many seconds.
    Binary(u8),
}

impl TimeResolution {
    /// Ticks since the epoch, rounded down.
    pub fn ticks(self, nanos: i64) -> u64 {
        let per_second = match self {
            Self::Decimal(digits) => 10_i128.pow(u32::from(digits)),
            Self::Binary(bits) => 1_i128 << bits,
        };
        (i128::from(nanos) * per_second).div_euclid(1_000_000_000) as u64
    }

    fn option_value(self) -> u8 {
        match self {
            Self::Decimal(digits) => digits,
            Self::Binary(bits) => 0x80 | bits,
        }
    }
}

/// Writes pcapng block by block; what must come before what is the caller's affair, so illegal files can be made too.
#[derive(Debug, Default)]
pub struct PcapngWriter {
    bytes: Vec<u8>,
    big_endian: bool,
    interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Link,
    snap_len: u32,
    resolution: TimeResolution,
    offset: i64,
}

/// Option codes used here.
mod option {
    pub(super) const COMMENT: u16 = 1;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const IF_TSOFFSET: u16 = 14;
}

impl PcapngWriter {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// A Section Header Block; the interfaces of the section before are forgotten.
    pub fn section(&mut self, big_endian: bool) -> &mut Self {
        self.big_endian = big_endian;
        self.interfaces.clear();
        let mut body = self.u32(0x1a2b_3c4d).to_vec();
        body.extend_from_slice(&self.u16(1));
        body.extend_from_slice(&self.u16(0));
        body.extend_from_slice(&[0xff; 8]); // section length unknown
        self.block(0x0a0d_0d0a, &body)
    }

    /// An Interface Description Block in microseconds that cuts nothing, with no options: everything by default.
    pub fn interface(&mut self, link: Link) -> &mut Self {
        self.interfaces.push(Interface { link, snap_len: 0, resolution: TimeResolution::Decimal(6), offset: 0 });
        let body = [&self.u16(link.number())[..], &[0; 6]].concat();
        self.block(1, &body)
    }

    /// An Interface Description Block with a snapshot length (0 for none), `if_tsresol` and, unless 0, `if_tsoffset`
    /// (seconds that a reader must add).
    pub fn interface_with(&mut self, link: Link, snap_len: u32, resolution: TimeResolution, offset: i64) -> &mut Self {
        self.interfaces.push(Interface { link, snap_len, resolution, offset });
        let mut body = [&self.u16(link.number())[..], &[0; 2], &self.u32(snap_len)].concat();
        self.option(&mut body, option::IF_TSRESOL, &[resolution.option_value()]);
        if offset != 0 {
            let value = if self.big_endian { offset.to_be_bytes() } else { offset.to_le_bytes() };
            self.option(&mut body, option::IF_TSOFFSET, &value);
        }
        self.option(&mut body, 0, &[]);
        self.block(1, &body)
    }

    /// An Enhanced Packet Block on the given interface, with the packet's comments.
    pub fn packet(&mut self, interface: u32, packet: &Packet) -> &mut Self {
        let Interface { link, snap_len, resolution, offset } = self.interfaces[interface as usize];
        let (bytes, kept) = cut(packet, link, snap_len);
        let ticks = resolution.ticks(packet.time - offset * 1_000_000_000);
        let mut body = self.u32(interface).to_vec();
        body.extend_from_slice(&self.u32((ticks >> 32) as u32));
        body.extend_from_slice(&self.u32(ticks as u32));
        body.extend_from_slice(&self.u32(kept as u32));
        body.extend_from_slice(&self.u32(bytes.len() as u32));
        padded(&mut body, &bytes[..kept]);
        for comment in &packet.comments {
            self.option(&mut body, option::COMMENT, comment.as_bytes());
        }
        if !packet.comments.is_empty() {
            self.option(&mut body, 0, &[]);
        }
        self.block(6, &body)
    }

    /// A Simple Packet Block: first interface, no time.
    pub fn simple_packet(&mut self, packet: &Packet) -> &mut Self {
        let Interface { link, snap_len, .. } = self.interfaces[0];
        // This block has no captured length: only the interface's snapshot length may cut it.
        let (bytes, kept) = cut(&Packet { kept: None, ..packet.clone() }, link, snap_len);
        let mut body = self.u32(bytes.len() as u32).to_vec();
        padded(&mut body, &bytes[..kept]);
        self.block(3, &body)
    }

    /// Any block; the body is padded to four bytes.
    pub fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let total = self.u32((12 + body.len().next_multiple_of(4)) as u32);
        let kind = self.u32(kind);
        self.bytes.extend_from_slice(&kind);
        self.bytes.extend_from_slice(&total);
        padded(&mut self.bytes, body);
        self.bytes.extend_from_slice(&total);
        self
    }

    /// The file so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    fn option(&self, body: &mut Vec<u8>, code: u16, value: &[u8]) {
        body.extend_from_slice(&self.u16(code));
        body.extend_from_slice(&self.u16(value.len() as u16));
        padded(body, value);
    }

    fn u16(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(&self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

/// Appends `bytes` and zeros up to a multiple of four. What is there before is aligned already.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A packet's bytes on the link, and how many of them a capture with this snapshot length (0 for none) keeps.
fn cut(packet: &Packet, link: Link, snap_len: u32) -> (Vec<u8>, usize) {
    let bytes = packet.bytes(link);
    let snap = if snap_len == 0 { usize::MAX } else { snap_len as usize };
    let kept = bytes.len().min(snap).min(packet.kept.unwrap_or(usize::MAX));
    (bytes, kept)
}

/// Packets of any number of conversations, in the order of their times.
#[derive(Debug, Clone)]
pub struct Capture {
    packets: Vec<Packet>,
    link: Link,
    snap_len: u32,
}

impl Default for Capture {
    fn default() -> Self {
        Self { packets: Vec::new(), link: Link::Ethernet, snap_len: 262_144 }
    }
}

impl Capture {
    /// No packets, on Ethernet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The packets of these conversations.
    pub fn of(conversations: impl IntoIterator<Item = Conversation>) -> Self {
        let mut capture = Self::new();
        for conversation in conversations {
            capture.extend(conversation.into_packets());
        }
        capture
    }

    /// Adds packets and sorts by time; packets of the same time stay in the order they were added.
    pub fn extend(&mut self, packets: impl IntoIterator<Item = Packet>) -> &mut Self {
        self.packets.extend(packets);
        self.packets.sort_by_key(|packet| packet.time);
        self
    }

    /// The same capture on another link.
    pub fn link(self, link: Link) -> Self {
        Self { link, ..self }
    }

    /// The same capture, cut to this many bytes per packet.
    pub fn snap_len(self, snap_len: u32) -> Self {
        Self { snap_len, ..self }
    }

    /// The packets; packet number `n` is at index `n - 1`.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// The packets, to be bent; the order is kept as it is.
    pub fn packets_mut(&mut self) -> &mut Vec<Packet> {
        &mut self.packets
    }

    /// The packets as link-layer bytes, without a file around them.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        self.packets.iter().map(|packet| packet.bytes(self.link)).collect()
    }

    /// A classic pcap file, little-endian with nanoseconds.
    pub fn pcap(&self) -> Vec<u8> {
        self.pcap_as(PcapFormat::default())
    }

    /// A classic pcap file of that flavour; the smaller snapshot length of the two counts.
    pub fn pcap_as(&self, format: PcapFormat) -> Vec<u8> {
        let format = PcapFormat { snap_len: format.snap_len.min(self.snap_len), ..format };
        let mut bytes = format.header(self.link);
        for packet in &self.packets {
            format.record(packet, self.link, &mut bytes);
        }
        bytes
    }

    /// A little-endian pcapng file: one section, one interface, nanoseconds.
    pub fn pcapng(&self) -> Vec<u8> {
        let mut writer = PcapngWriter::new();
        writer.section(false).interface_with(self.link, self.snap_len, TimeResolution::Decimal(9), 0);
        for packet in &self.packets {
            writer.packet(0, packet);
        }
        writer.bytes()
    }
}
