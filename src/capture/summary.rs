//! What is known about a capture as a whole.

use super::{Compression, LinkType, Resolution};
use crate::limits::LimitHits;
use std::fmt;

/// How a capture is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The file format.
    pub container: Container,
    /// The compression around it.
    pub compression: Compression,
    /// Byte order of the file, or of the current section of a pcapng file.
    pub byte_order: ByteOrder,
    /// Clock tick of a pcap file; `None` for pcapng, where each [`Interface`] has its own.
    pub resolution: Option<Resolution>,
}

/// A capture file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// Classic pcap, as libpcap writes it.
    Pcap,
    /// pcapng.
    PcapNg,
}

impl Container {
    /// `pcap` or `pcapng`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::PcapNg => "pcapng",
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant first.
    Little,
    /// Most significant first.
    Big,
}

impl ByteOrder {
    /// The 16-bit number at `at`, if `bytes` reaches that far.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    /// The 32-bit number at `at`, if `bytes` reaches that far.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    /// The 64-bit number at `at`, if `bytes` reaches that far.
    pub(super) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        })
    }
}

/// What a capture has told so far, beside its packets. Grows while packets are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaptureSummary {
    /// Packets read.
    pub packets: u64,
    /// Packets of which fewer bytes were recorded than were on the wire (snapshot length).
    pub packets_cut: u64,
    /// Records that have a packet number in Wireshark but hold no packet: journal entries and custom blocks of pcapng.
    pub other_records: u64,
    /// Sections: 1 for pcap, the number of Section Header Blocks for pcapng.
    pub sections: u32,
    /// Interfaces of all sections in file order; [`Packet::interface`](super::Packet::interface) is an index into this.
    pub interfaces: Vec<Interface>,
    /// Comments on sections, interfaces and packets. Their text is not kept.
    pub comments: u64,
    /// Secrets for decryption, in file order, up to [`CaptureLimits::secrets_bytes`](super::CaptureLimits::secrets_bytes).
    pub secrets: Vec<Secrets>,
    /// Secrets left out because of that bound.
    pub secrets_dropped: u64,
    /// pcapng blocks of other types, which are skipped.
    pub skipped_blocks: u64,
    /// Which of the [`CaptureLimits`](super::CaptureLimits) were reached.
    pub limit_hits: LimitHits,
}

impl CaptureSummary {
    /// Packets that the recording side says it lost, over all interfaces; `None` when no interface has counters.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        let counted = self.interfaces.iter().filter_map(|interface| interface.statistics?.dropped());
        counted.reduce(u64::saturating_add)
    }
}

/// An interface that packets were recorded on. A pcap file has exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The section that describes it, counted from 0.
    pub section: u32,
    /// What its packets start with.
    pub link: LinkType,
    /// Its name (`if_name`), as recorded: may hold control characters. At most 256 bytes are kept.
    pub name: Option<String>,
    /// Most bytes recorded of a packet; 0 means no bound.
    pub snaplen: u32,
    /// Length of its clock's tick.
    pub resolution: Resolution,
    /// Length in bytes of the frame check sequence at the end of each packet, when the capture states it.
    pub fcs_len: Option<u8>,
    /// Packets read from it.
    pub packets: u64,
    /// Its counters, from the last Interface Statistics Block.
    pub statistics: Option<InterfaceStatistics>,
}

/// Counters of an interface at the end of a recording. Each is `None` when the recording program did not state it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InterfaceStatistics {
    /// Packets that reached the interface (`isb_ifrecv`).
    pub received: Option<u64>,
    /// Packets that the interface lost for want of resources (`isb_ifdrop`).
    pub dropped_by_interface: Option<u64>,
    /// Packets that the operating system lost (`isb_osdrop`).
    pub dropped_by_system: Option<u64>,
}

impl InterfaceStatistics {
    /// All packets lost, when at least one of the two counters is there.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        match (self.dropped_by_interface, self.dropped_by_system) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        }
    }
}

/// Secrets that a pcapng file carries (Decryption Secrets Block).
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// What they are; see the constants.
    pub secrets_type: u32,
    /// The secrets without padding; for [`Secrets::TLS_KEY_LOG`] the text of an `SSLKEYLOGFILE`.
    pub bytes: Vec<u8>,
}

impl Secrets {
    /// TLS key log, `TLSK`.
    pub const TLS_KEY_LOG: u32 = 0x544c_534b;
}

impl fmt::Debug for Secrets {
    /// Keys do not belong into logs: shows the length only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets {{ secrets_type: {:#x}, {} bytes }}", self.secrets_type, self.bytes.len())
    }
}
