//! Capture file to packets (the types that the layers above need).

use crate::units::{PacketNumber, Timestamp};

/// What a packet starts with (the pcap LINKTYPE registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const EN10MB: Self = Self(1);
    /// PPP.
    pub const PPP: Self = Self(9);
    /// IPv4 or IPv6 without a link header.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture.
    pub const LINUX_SLL: Self = Self(113);
    /// IPv4 without a link header.
    pub const IPV4: Self = Self(228);
    /// IPv6 without a link header.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One record of the capture file.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Position in the capture.
    pub number: PacketNumber,
    /// When it was recorded.
    pub time: Option<Timestamp>,
    /// What `bytes` starts with.
    pub link: LinkType,
    /// The capture interface.
    pub interface: u32,
    /// What was recorded of it.
    pub bytes: &'a [u8],
    /// Its length on the wire.
    pub original_len: u32,
}
