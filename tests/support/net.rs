//! One packet: TCP segment, IP header, link header. Written from RFC 9293, 791, 8200 and the tcpdump link type list.

use std::net::{IpAddr, SocketAddr};

/// TCP flags (RFC 9293 §3.1).
pub mod flags {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
}

/// Everything of a TCP segment and its IP packet that a test may want to bend.
#[derive(Debug, Clone)]
pub struct Segment {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    /// TCP options; padded with end-of-list to a multiple of four when written.
    pub options: Vec<u8>,
    /// IPv4 time to live, IPv6 hop limit.
    pub hop_limit: u8,
    /// IPv4 identification; also that of IPv6 fragments.
    pub identification: u16,
    pub payload: Vec<u8>,
    /// Writes 0 as the IP length, as a sender with segmentation offload hands it to the capture.
    pub offload_length: bool,
    /// Writes a wrong TCP checksum, as a sender with checksum offload does.
    pub offload_checksum: bool,
}

impl Segment {
    /// A bare ACK-less segment; the fields are public.
    pub fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source,
            destination,
            seq: 0,
            ack: 0,
            flags: 0,
            window: 64240,
            options: Vec::new(),
            hop_limit: 64,
            identification: 0,
            payload: Vec::new(),
            offload_length: false,
            offload_checksum: false,
        }
    }

    /// Whether the named flag bits are all set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// TCP header, options and payload with the checksum over the pseudo-header.
    pub fn tcp(&self) -> Vec<u8> {
        let header_len = 20 + self.options.len().next_multiple_of(4);
        let mut tcp = Vec::with_capacity(header_len + self.payload.len());
        tcp.extend_from_slice(&self.source.port().to_be_bytes());
        tcp.extend_from_slice(&self.destination.port().to_be_bytes());
        tcp.extend_from_slice(&self.seq.to_be_bytes());
        tcp.extend_from_slice(&self.ack.to_be_bytes());
        tcp.push((header_len as u8 / 4) << 4);
        tcp.push(self.flags);
        tcp.extend_from_slice(&self.window.to_be_bytes());
        tcp.extend_from_slice(&[0; 4]); // checksum, urgent pointer
        tcp.extend_from_slice(&self.options);
        tcp.resize(header_len, 0);
        tcp.extend_from_slice(&self.payload);

        let mut pseudo = Vec::with_capacity(40);
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                pseudo.extend_from_slice(&source.octets());
                pseudo.extend_from_slice(&destination.octets());
                pseudo.extend_from_slice(&[0, TCP]);
                pseudo.extend_from_slice(&(tcp.len() as u16).to_be_bytes());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                pseudo.extend_from_slice(&source.octets());
                pseudo.extend_from_slice(&destination.octets());
                pseudo.extend_from_slice(&(tcp.len() as u32).to_be_bytes());
                pseudo.extend_from_slice(&[0, 0, 0, TCP]);
            }
            _ => panic!("both ends of a segment use the same IP version"),
        }
        let mut checksum = checksum(&[&pseudo, &tcp]);
        if self.offload_checksum {
            checksum = !checksum;
        }
        tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
        tcp
    }

    /// The whole IP packet.
    pub fn ip(&self) -> Vec<u8> {
        let mut ip = self.ip_around(&self.tcp(), Fragment::WHOLE);
        if self.offload_length {
            match self.source.ip() {
                IpAddr::V4(_) => {
                    ip[2..4].fill(0);
                    ip[10..12].fill(0);
                    let sum = checksum(&[&ip[..20]]);
                    ip[10..12].copy_from_slice(&sum.to_be_bytes());
                }
                IpAddr::V6(_) => ip[4..6].fill(0),
            }
        }
        ip
    }

    /// The IP packet cut into fragments of at most `mtu` payload bytes (rounded down to a multiple of eight).
    pub fn ip_fragments(&self, mtu: usize) -> Vec<Vec<u8>> {
        let tcp = self.tcp();
        let step = (mtu & !7).max(8);
        let count = tcp.len().div_ceil(step);
        tcp.chunks(step)
            .enumerate()
            .map(|(i, part)| {
                self.ip_around(part, Fragment { offset: (i * step) as u16, more: i + 1 < count, whole: count == 1 })
            })
            .collect()
    }

    fn ip_around(&self, payload: &[u8], fragment: Fragment) -> Vec<u8> {
        let mut ip = Vec::with_capacity(48 + payload.len());
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                ip.extend_from_slice(&[0x45, 0]);
                ip.extend_from_slice(&(20 + payload.len() as u16).to_be_bytes());
                ip.extend_from_slice(&self.identification.to_be_bytes());
                let field = match fragment {
                    Fragment { whole: true, .. } => 0x4000, // don't fragment
                    Fragment { more, offset, .. } => (u16::from(more) << 13) | (offset / 8),
                };
                ip.extend_from_slice(&field.to_be_bytes());
                ip.extend_from_slice(&[self.hop_limit, TCP, 0, 0]);
                ip.extend_from_slice(&source.octets());
                ip.extend_from_slice(&destination.octets());
                let sum = checksum(&[&ip]);
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let extension: &[u8] = if fragment.whole {
                    &[]
                } else {
                    let field = fragment.offset | u16::from(fragment.more);
                    let id = u32::from(self.identification);
                    &[&[TCP, 0][..], &field.to_be_bytes(), &id.to_be_bytes()].concat()
                };
                ip.extend_from_slice(&[0x60, 0, 0, 0]);
                ip.extend_from_slice(&((extension.len() + payload.len()) as u16).to_be_bytes());
                ip.push(if fragment.whole { TCP } else { IPV6_FRAGMENT });
                ip.push(self.hop_limit);
                ip.extend_from_slice(&source.octets());
                ip.extend_from_slice(&destination.octets());
                ip.extend_from_slice(extension);
            }
            _ => panic!("both ends of a segment use the same IP version"),
        }
        ip.extend_from_slice(payload);
        ip
    }
}

#[derive(Clone, Copy)]
struct Fragment {
    offset: u16,
    more: bool,
    whole: bool,
}

impl Fragment {
    const WHOLE: Self = Self { offset: 0, more: false, whole: true };
}

const TCP: u8 = 6;
const IPV6_FRAGMENT: u8 = 44;

/// The Internet checksum (RFC 1071) over the concatenation of parts, of which only the last may be odd.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// What a packet carries.
#[derive(Debug, Clone)]
pub enum Content {
    /// A TCP segment, written with whatever link header the capture has.
    Segment(Segment),
    /// An IP packet as it is.
    Ip(Vec<u8>),
    /// Link header and all, as it is.
    Link(Vec<u8>),
}

/// One record of a capture.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Nanoseconds since the Unix epoch.
    pub time: i64,
    pub content: Content,
    /// Bytes kept of the link-layer packet, when fewer than all.
    pub kept: Option<usize>,
    /// pcapng only.
    pub comments: Vec<String>,
}

impl Packet {
    /// A packet with this content, kept whole.
    pub fn new(time: i64, content: Content) -> Self {
        Self { time, content, kept: None, comments: Vec::new() }
    }

    /// The TCP segment; panics when there is none.
    pub fn segment(&self) -> &Segment {
        match &self.content {
            Content::Segment(segment) => segment,
            _ => panic!("this packet was made from bytes"),
        }
    }

    /// The TCP segment, to be bent; panics when there is none.
    pub fn segment_mut(&mut self) -> &mut Segment {
        match &mut self.content {
            Content::Segment(segment) => segment,
            _ => panic!("this packet was made from bytes"),
        }
    }

    /// This packet as IP fragments of at most `mtu` bytes of TCP each, all at the same time.
    pub fn fragments(&self, mtu: usize) -> Vec<Self> {
        let parts = self.segment().ip_fragments(mtu);
        parts.into_iter().map(|ip| Self::new(self.time, Content::Ip(ip))).collect()
    }

    /// The bytes on this link.
    pub fn bytes(&self, link: Link) -> Vec<u8> {
        match &self.content {
            Content::Segment(segment) => link.frame(&segment.ip()),
            Content::Ip(ip) => link.frame(ip),
            Content::Link(bytes) => bytes.clone(),
        }
    }
}

/// The link layer of a capture or interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    /// Ethernet frames filled up to 60 bytes, as a receiver of short ones sees them.
    PaddedEthernet,
    /// One 802.1Q tag with this VLAN.
    Vlan(u16),
    /// An 802.1ad tag around an 802.1Q tag.
    DoubleVlan(u16, u16),
    /// Linux cooked v1, as `tcpdump -i any` wrote for years.
    Sll,
    /// Linux cooked v2.
    Sll2,
    /// BSD loopback; the address family in the byte order of a little-endian machine.
    Null,
    /// BSD loopback as written by a big-endian machine.
    NullBig,
    /// OpenBSD loopback; the address family in network byte order.
    Loop,
    /// IP without a link header.
    Raw,
}

impl Link {
    /// One of each.
    pub const ALL: [Self; 10] = [
        Self::Ethernet,
        Self::PaddedEthernet,
        Self::Vlan(7),
        Self::DoubleVlan(100, 7),
        Self::Sll,
        Self::Sll2,
        Self::Null,
        Self::NullBig,
        Self::Loop,
        Self::Raw,
    ];

    /// The LINKTYPE_ number of capture files.
    pub fn number(self) -> u16 {
        match self {
            Self::Ethernet | Self::PaddedEthernet | Self::Vlan(_) | Self::DoubleVlan(..) => 1,
            Self::Null | Self::NullBig => 0,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::Sll => 113,
            Self::Sll2 => 276,
        }
    }

    /// An IP packet with this link's header around it.
    pub fn frame(self, ip: &[u8]) -> Vec<u8> {
        let v6 = ip.first().is_some_and(|byte| byte >> 4 == 6);
        let ethertype: [u8; 2] = if v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
        let family: u32 = if v6 { 30 } else { 2 }; // AF_INET6 of Darwin, AF_INET everywhere
        let tag = |id: u16| (id & 0x0fff).to_be_bytes();
        const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
        const MACS: [u8; 12] = [0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1];
        let header = match self {
            Self::Ethernet | Self::PaddedEthernet => [&MACS[..], &ethertype].concat(),
            Self::Vlan(id) => [&MACS[..], &[0x81, 0x00], &tag(id), &ethertype].concat(),
            Self::DoubleVlan(outer, inner) => {
                [&MACS[..], &[0x88, 0xa8], &tag(outer), &[0x81, 0x00], &tag(inner), &ethertype].concat()
            }
            // To us, on Ethernet, six address bytes of eight.
            Self::Sll => [&[0, 0, 0, 1, 0, 6][..], &MAC, &[0, 0], &ethertype].concat(),
            // Interface 1, Ethernet, to us, six address bytes of eight.
            Self::Sll2 => [&ethertype[..], &[0, 0, 0, 0, 0, 1, 0, 1, 0, 6], &MAC, &[0, 0]].concat(),
            Self::Null => family.to_le_bytes().to_vec(),
            Self::NullBig | Self::Loop => family.to_be_bytes().to_vec(),
            Self::Raw => Vec::new(),
        };
        let mut frame = [&header, ip].concat();
        if self == Self::PaddedEthernet && frame.len() < 60 {
            frame.resize(60, 0);
        }
        frame
    }
}
