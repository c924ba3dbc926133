//! What can go wrong while reading a capture, and what to say about input that is none.

use super::Compression;
use crate::units::PacketNumber;
use std::fmt;
use std::io;
use thiserror::Error;

/// Why a capture could not be read, or not to its end.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The operating system failed to deliver bytes.
    #[error("input error: {0}")]
    Io(#[from] io::Error),
    /// The input ended before its first byte (after decompression, if it was compressed).
    #[error("empty input: not a single byte{}", Decompressed(*compression))]
    Empty {
        /// How the nothing was packed.
        compression: Compression,
    },
    /// The first bytes are not those of a capture file.
    #[error("not a pcap or pcapng capture: {looks_like}{}", Decompressed(*compression))]
    NotACapture {
        /// What the first bytes suggest.
        looks_like: LooksLike,
        /// How they were packed.
        compression: Compression,
    },
    /// The input is compressed in a way this build cannot unpack.
    #[error("{0}-compressed input, which this build cannot unpack: built without the `{0}` feature")]
    Unsupported(Compression),
    /// Of several captures, too many were recorded at the same time to be merged.
    #[error("more than {limit} captures overlap in time: its packets come later than they were recorded")]
    TooManyAtOnce {
        /// How many are merged at most.
        limit: usize,
    },
    /// More packets than there are numbers for; what was read before stays valid.
    #[error("more than {} packets: those that follow are not read", PacketNumber::LAST.value() - 1)]
    TooManyPackets,
    /// The input is a capture, but broken from here on. What was read before stays valid.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

/// Appends how the content was packed, when it was.
struct Decompressed(Compression);

impl fmt::Display for Decompressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Compression::None => Ok(()),
            packed => write!(f, " (inside {packed})"),
        }
    }
}

/// Where the records of a capture do not fit together, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} (offset {offset:#x}{})", Skipped(self))]
pub struct Damage {
    /// What was wrong.
    pub kind: DamageKind,
    /// Where the record or block that could not be read starts, in bytes from the start of the (decompressed) capture.
    pub offset: u64,
    /// The last packet that was read, if any.
    pub after: Option<PacketNumber>,
    /// Bytes from `offset` on that had arrived and were left unread.
    ///
    /// For [`DamageKind::Cut`] this is all that the input has; for other damage the input may hold more.
    pub unread: u64,
    /// Where records fit together again, and reading goes on; `None` when nothing more could be read.
    ///
    /// What lies between `offset` and here is lost. Packets after it are numbered on from `after`, since nobody knows how
    /// many were lost. In pcapng a lost description of a section or interface may give them the wrong interface.
    pub resumed: Option<u64>,
    /// How many packets what was skipped may have held, by the mean length of the records before; `None` when reading did
    /// not go on, or before the first packet.
    pub lost_packets: Option<u64>,
}

impl Damage {
    /// Bytes that were skipped, when reading went on behind them.
    #[must_use]
    pub fn skipped(&self) -> Option<u64> {
        Some(self.resumed?.saturating_sub(self.offset))
    }
}

/// Appends how much was skipped, when reading goes on.
struct Skipped<'a>(&'a Damage);

impl fmt::Display for Skipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.skipped() {
            None => Ok(()),
            Some(skipped) => {
                write!(f, "; {skipped} bytes skipped")?;
                self.0.lost_packets.map_or(Ok(()), |packets| write!(f, ", packets lost there: about {packets}"))
            }
        }
    }
}

/// What was wrong with a capture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DamageKind {
    /// The input ends early, as when a capture is copied while it is being written.
    #[error("the file ends inside {within}, cut or still being written: {available} of {needed} bytes are there")]
    Cut {
        /// What was being read.
        within: Within,
        /// Length in bytes of what was being read, as far as known.
        needed: u64,
        /// Bytes of it that exist.
        available: u64,
    },
    /// A packet claims more bytes than any capture program records.
    #[error("packet {packet}: record claims {claimed} bytes, the bound is {limit}")]
    PacketTooLong {
        /// The packet.
        packet: PacketNumber,
        /// The captured length it claims.
        claimed: u32,
        /// [`CaptureLimits::packet_bytes`](super::CaptureLimits::packet_bytes).
        limit: u32,
    },
    /// A packet claims more bytes than the pcapng block around it holds.
    #[error("packet {packet}: claims {claimed} bytes in a block with room for {room}")]
    PacketOverrunsBlock {
        /// The packet.
        packet: PacketNumber,
        /// The captured length it claims.
        claimed: u32,
        /// The bytes the block has for it.
        room: u32,
    },
    /// A pcapng packet names an interface that its section did not describe.
    #[error("packet {packet}: names interface {interface}, its section describes {described}")]
    UnknownInterface {
        /// The packet.
        packet: PacketNumber,
        /// The interface id within the section, counted from 0.
        interface: u32,
        /// How many interfaces the section has described so far.
        described: u32,
    },
    /// The total length of a pcapng block is impossible: too short for its type, not a multiple of 4, or too long.
    #[error("block of type {block_type:#x} claims {claimed} bytes, possible are multiples of 4 from {min} to {max}")]
    BlockLength {
        /// The block type.
        block_type: u32,
        /// The total length it claims.
        claimed: u32,
        /// The shortest block of this type.
        min: u32,
        /// [`CaptureLimits::block_bytes`](super::CaptureLimits::block_bytes), or less for blocks that are kept.
        max: u32,
    },
    /// The two total lengths of a pcapng block, before and after its body, differ.
    #[error("block of type {block_type:#x} starts with length {first} and ends with length {last}")]
    BlockLengthsDiffer {
        /// The block type.
        block_type: u32,
        /// Total length in front.
        first: u32,
        /// Total length at the end.
        last: u32,
    },
    /// The contents of a pcapng block make no sense.
    #[error("block of type {block_type:#x} is malformed: {problem}")]
    BlockContents {
        /// The block type.
        block_type: u32,
        /// What is wrong, as a lowercase fragment.
        problem: &'static str,
    },
    /// No record starts where this one ends by its length, but others follow.
    #[error("packet {packet}: its record does not end where another one begins")]
    Misplaced {
        /// The packet.
        packet: PacketNumber,
    },
    /// More interfaces than are kept.
    #[error("more than {limit} interfaces are described")]
    TooManyInterfaces {
        /// [`CaptureLimits::interfaces`](super::CaptureLimits::interfaces).
        limit: usize,
    },
    /// The compressed data around the capture ends early.
    #[error("the {compression} data around the capture is cut")]
    CompressionCut {
        /// Its format.
        compression: Compression,
    },
    /// The compressed data around the capture cannot be unpacked further.
    #[error("the {compression} data around the capture is damaged: {message}")]
    CompressionDamaged {
        /// Its format.
        compression: Compression,
        /// What the decompressor says.
        message: String,
    },
}

impl DamageKind {
    /// Its name in the output.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cut { .. } => "cut",
            Self::PacketTooLong { .. } => "packet_too_long",
            Self::PacketOverrunsBlock { .. } => "packet_overruns_block",
            Self::UnknownInterface { .. } => "unknown_interface",
            Self::BlockLength { .. } => "block_length",
            Self::BlockLengthsDiffer { .. } => "block_lengths_differ",
            Self::BlockContents { .. } => "block_contents",
            Self::Misplaced { .. } => "misplaced_record",
            Self::TooManyInterfaces { .. } => "too_many_interfaces",
            Self::CompressionCut { .. } => "compression_cut",
            Self::CompressionDamaged { .. } => "compression_damaged",
        }
    }

    /// Whether good records may follow.
    pub(super) fn may_be_followed(&self) -> bool {
        !matches!(self, Self::TooManyInterfaces { .. } | Self::CompressionCut { .. } | Self::CompressionDamaged { .. })
    }
}

/// What a cut went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// The header of a pcap file.
    FileHeader,
    /// The header of a pcapng section; the first one starts the file.
    SectionHeader,
    /// The record or block of this packet, which is not delivered.
    Packet(PacketNumber),
    /// A pcapng block that holds no packet, or that is cut before its type.
    Block,
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileHeader => f.write_str("the file header"),
            Self::SectionHeader => f.write_str("a section header"),
            Self::Packet(number) => write!(f, "packet {number}"),
            Self::Block => f.write_str("a block between packets"),
        }
    }
}

/// What input that is not a capture looks like, judged by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LooksLike {
    /// A HAR export of a browser's network log.
    Har,
    /// JSON other than HAR.
    Json,
    /// A web page.
    Html,
    /// XML, for example a PDML export.
    Xml,
    /// TLS secrets in the `SSLKEYLOGFILE` format.
    KeyLog,
    /// Some other text.
    Text,
    /// A container or compression that is not unpacked here.
    Archive(&'static str),
    /// A capture in a format other than pcap and pcapng.
    OtherCapture(&'static str),
    /// Only zero bytes: a file that was allocated but not written.
    Zeros,
    /// Anything else; the first bytes are kept, padded with zeros.
    Binary([u8; 4]),
}

impl LooksLike {
    /// Guesses from the first bytes of the (decompressed) input.
    pub(super) fn guess(head: &[u8]) -> Self {
        if let Some((_, found)) = SIGNATURES.iter().find(|(magic, _)| head.starts_with(magic)) {
            return *found;
        }
        if head.iter().all(|&byte| byte == 0) {
            return Self::Zeros;
        }
        let is_text = |byte: u8| byte >= 0x20 && byte != 0x7f || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
        if !head.iter().all(|&byte| is_text(byte)) {
            let mut first = [0; 4];
            first.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
            return Self::Binary(first);
        }
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let lower = text.to_ascii_lowercase();
        let compact: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        match text.first() {
            Some(b'{') if compact.starts_with(b"{\"log\":{") => Self::Har,
            Some(b'{' | b'[') => Self::Json,
            Some(b'<') if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") => Self::Html,
            Some(b'<') => Self::Xml,
            _ if text.starts_with(b"CLIENT_") || text.starts_with(b"SERVER_") => Self::KeyLog,
            _ => Self::Text,
        }
    }
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Har => f.write_str("looks like a HAR export of a browser; record packets instead"),
            Self::Json => f.write_str("looks like JSON"),
            Self::Html => f.write_str("looks like a web page; was a login page downloaded instead of the file?"),
            Self::Xml => f.write_str("looks like XML"),
            Self::KeyLog => f.write_str("looks like a TLS key log"),
            Self::Text => f.write_str("looks like text"),
            Self::Archive(name) => write!(f, "looks like {name} data; unpack it first"),
            Self::OtherCapture(name) => write!(f, "looks like a {name} capture; convert it with editcap -F pcapng"),
            Self::Zeros => f.write_str("only zero bytes"),
            Self::Binary([a, b, c, d]) => write!(f, "unknown data that starts with {a:02x} {b:02x} {c:02x} {d:02x}"),
        }
    }
}

/// First bytes of formats that people hand in by mistake.
const SIGNATURES: &[(&[u8], LooksLike)] = &[
    (b"\xfd7zXZ\0", LooksLike::Archive("xz")),
    (b"BZh", LooksLike::Archive("bzip2")),
    (b"PK\x03\x04", LooksLike::Archive("zip")),
    (b"7z\xbc\xaf\x27\x1c", LooksLike::Archive("7z")),
    (b"Rar!", LooksLike::Archive("rar")),
    (b"\x1f\x8b", LooksLike::Archive("gzip")),
    (b"\x28\xb5\x2f\xfd", LooksLike::Archive("zstd")),
    (b"\x04\x22\x4d\x18", LooksLike::Archive("lz4")),
    (b"snoop\0\0\0", LooksLike::OtherCapture("snoop")),
    (b"btsnoop\0", LooksLike::OtherCapture("btsnoop")),
    (b"GMBU", LooksLike::OtherCapture("Microsoft Network Monitor")),
    (b"RTSS", LooksLike::OtherCapture("Microsoft Network Monitor")),
    (b"TRSNIFF data    \x1a", LooksLike::OtherCapture("Sniffer")),
    (b"XCP\0", LooksLike::OtherCapture("NetXray")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_what_was_handed_in() {
        for (head, expected) in [
            (&b"{\n  \"log\": {\n \"version\""[..], LooksLike::Har),
            (b"[{\"_index\": 1}]", LooksLike::Json),
            (b"\xef\xbb\xbf <!DOCTYPE html><html>", LooksLike::Html),
            (b"<?xml version=\"1.0\"?><pdml>", LooksLike::Xml),
            (b"CLIENT_RANDOM 00 11\n", LooksLike::KeyLog),
            (b"10:00:00.1 IP 1.2.3.4.5 > \xc3\xa9", LooksLike::Text),
            (b"\xfd7zXZ\0\0\x04", LooksLike::Archive("xz")),
            (b"\0\0\0\0\0\0", LooksLike::Zeros),
            (b"\x7fELF\x02", LooksLike::Binary(*b"\x7fELF")),
            (b"\x01", LooksLike::Binary([1, 0, 0, 0])),
        ] {
            assert_eq!(LooksLike::guess(head), expected, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn texts_fit_after_failed_to() {
        let damage = Damage {
            kind: DamageKind::PacketTooLong { packet: PacketNumber::FIRST, claimed: 0x7fff_ffff, limit: 262_144 },
            offset: 24,
            after: None,
            unread: 16,
            resumed: None,
            lost_packets: None,
        };
        assert_eq!(
            CaptureError::from(damage.clone()).to_string(),
            "packet #1: record claims 2147483647 bytes, the bound is 262144 (offset 0x18)"
        );
        let damage =
            Damage { kind: DamageKind::Misplaced { packet: PacketNumber::FIRST }, resumed: Some(26), ..damage };
        assert!(damage.to_string().ends_with("another one begins (offset 0x18; 2 bytes skipped)"), "{damage}");
        let empty = CaptureError::Empty { compression: Compression::Gzip };
        assert_eq!(empty.to_string(), "empty input: not a single byte (inside gzip)");
    }
}
