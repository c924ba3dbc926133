//! Capture files and streams to packets.
//!
//! Owns the outermost layer only: it recognises compression and format by content, cuts the byte stream into records,
//! and hands out each packet as a slice of its read buffer. It never looks inside a packet and never reads a clock.
//! This is the only module that names pcap-parser and the decompressors.
//!
//! ```text
//! Read → compression (unpack) → window (one reused buffer) → pcap | pcapng (records) → Reader → Packet<'_>
//! several of them → Sequence → Packet<'_>, or as many Packets<'_> as lie ready
//! ```
//!
//! Lengths in the file are claims. Each is checked against a bound of [`CaptureLimits`] before anything is read or
//! allocated for it, and a record is parsed only when all of it is in the buffer. What is wrong with a file is told as
//! [`Damage`] with the offset and the last good packet; reading goes on at the next place where records fit together.

mod clock;
mod compression;
mod error;
mod link;
mod packets;
mod pcap;
mod pcapng;
mod reader;
mod resync;
mod sequence;
mod summary;
#[cfg(test)]
mod testing;
mod window;

pub use clock::Resolution;
pub use compression::Compression;
pub use error::{CaptureError, Damage, DamageKind, LooksLike, Within};
pub use link::LinkType;
pub use packets::Packets;
pub use reader::Reader;
pub use sequence::{Part, Problem, Sequence, Source};
pub use summary::{ByteOrder, CaptureSummary, Container, Format, Interface, InterfaceStatistics, Secrets};

pub use crate::limits::CaptureLimits;
use crate::units::{PacketNumber, Timestamp};

/// One packet of the capture, borrowed from the reader's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its position in the capture, as Wireshark numbers it; counted through when a [`Sequence`] reads several.
    pub number: PacketNumber,
    /// When it was recorded; `None` only for pcapng Simple Packet Blocks, which carry no time.
    pub time: Option<Timestamp>,
    /// What its first bytes are.
    pub link: LinkType,
    /// The interface it was recorded on: index into [`CaptureSummary::interfaces`], over all sections. See [`Sequence`] for
    /// several captures.
    pub interface: u32,
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// Its length on the wire in bytes, as claimed; more than `bytes` when a snapshot length cut it.
    pub original_len: u32,
}
