//! Hand-made capture files, and reading them, for the tests of this module.

use super::{ByteOrder, CaptureError, CaptureSummary, Damage, LinkType, Reader};
use std::io::{self, Read};

/// A packet as read, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) number: u64,
    /// Nanoseconds since the epoch.
    pub(super) time: Option<i64>,
    pub(super) link: LinkType,
    pub(super) interface: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) original_len: u32,
}

pub(super) struct Outcome {
    pub(super) packets: Vec<Got>,
    pub(super) summary: CaptureSummary,
    pub(super) damage: Option<Damage>,
}

/// Reads to the end, checking what the reader promises about it.
pub(super) fn read(input: impl Read) -> Result<Outcome, CaptureError> {
    let mut reader = Reader::open(input)?;
    let mut packets = Vec::new();
    let mut damaged = None;
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => packets.push(Got {
                number: packet.number.value(),
                time: packet.time.map(|time| time.nanos()),
                link: packet.link,
                interface: packet.interface,
                bytes: packet.bytes.to_vec(),
                original_len: packet.original_len,
            }),
            Ok(None) => break,
            Err(CaptureError::Damaged(damage)) => damaged = Some(damage),
            Err(error) => return Err(error),
        }
    }
    assert!(matches!(reader.next_packet(), Ok(None)), "the end is final");
    assert_eq!(reader.damage(), damaged.as_ref());
    assert_eq!(reader.summary().packets, packets.len() as u64);
    Ok(Outcome { packets, summary: reader.summary().clone(), damage: damaged })
}

/// A source that gives at most `step` bytes at a time, and a signal's interruption before each.
pub(super) struct Trickle<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) step: usize,
    interrupted: bool,
}

impl<'a> Trickle<'a> {
    pub(super) fn new(bytes: &'a [u8], step: usize) -> Self {
        Self { bytes, step, interrupted: false }
    }
}

impl Read for Trickle<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = self.step.min(to.len());
        self.bytes.read(&mut to[..len])
    }
}

/// Writes numbers in one byte order.
#[derive(Clone, Copy)]
pub(super) struct Writer(pub(super) ByteOrder);

impl Writer {
    pub(super) fn u16(self, value: u16) -> [u8; 2] {
        match self.0 {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
    }

    pub(super) fn words(self, values: &[u32]) -> Vec<u8> {
        let bytes = |value: &u32| match self.0 {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        };
        values.iter().flat_map(bytes).collect()
    }

    /// A 64-bit value as options hold it.
    pub(super) fn u64(self, value: u64) -> [u8; 8] {
        match self.0 {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
    }

    /// The header of a pcap file with this magic, written in this order.
    pub(super) fn pcap_header(self, magic: u32, network: u32) -> Vec<u8> {
        [self.words(&[magic]), self.u16(2).to_vec(), self.u16(4).to_vec(), self.words(&[0, 0, 65_535, network])]
            .concat()
    }

    /// A record of a pcap file, whole.
    pub(super) fn pcap_record(self, seconds: u32, fraction: u32, bytes: &[u8]) -> Vec<u8> {
        let len = bytes.len() as u32;
        [&self.words(&[seconds, fraction, len, len])[..], bytes].concat()
    }

    /// A pcapng block around `body`, which is padded.
    pub(super) fn block(self, block_type: u32, body: &[u8]) -> Vec<u8> {
        let padded = pad(body);
        let len = padded.len() as u32 + 12;
        [self.words(&[block_type, len]), padded, self.words(&[len])].concat()
    }

    pub(super) fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        [&self.u16(code)[..], &self.u16(value.len() as u16), &pad(value)].concat()
    }

    pub(super) fn section(self) -> Vec<u8> {
        self.section_with(&[])
    }

    pub(super) fn section_with(self, options: &[u8]) -> Vec<u8> {
        let version = [self.u16(1), self.u16(0)].concat();
        let unknown_length = self.words(&[u32::MAX, u32::MAX]);
        self.block(0x0a0d_0d0a, &[&self.words(&[0x1a2b_3c4d])[..], &version, &unknown_length, options].concat())
    }

    pub(super) fn interface(self, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[&self.u16(link)[..], &self.u16(0), &self.words(&[snaplen]), options].concat())
    }

    /// An Enhanced Packet Block.
    pub(super) fn packet(self, interface: u32, ticks: u64, bytes: &[u8]) -> Vec<u8> {
        self.packet_with(interface, ticks, bytes, &[])
    }

    pub(super) fn packet_with(self, interface: u32, ticks: u64, bytes: &[u8], options: &[u8]) -> Vec<u8> {
        let len = bytes.len() as u32;
        let fixed = self.words(&[interface, (ticks >> 32) as u32, ticks as u32, len, len]);
        self.block(6, &[fixed, pad(bytes), options.to_vec()].concat())
    }
}

fn pad(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(4), 0);
    padded
}

pub(super) const LE: Writer = Writer(ByteOrder::Little);
pub(super) const BE: Writer = Writer(ByteOrder::Big);

/// Three packets, little-endian pcap.
pub(super) fn small_pcap() -> Vec<u8> {
    let mut file = LE.pcap_header(0xa1b2_c3d4, 1);
    for (second, bytes) in [(1, &b"first"[..]), (2, b""), (3, b"the third one")] {
        file.extend(LE.pcap_record(second, 500_000, bytes));
    }
    file
}

/// Two sections of different byte order with three packets, and a block of each other kind in between.
pub(super) fn small_pcapng() -> Vec<u8> {
    [
        LE.section(),
        LE.interface(1, 0, &LE.option(2, b"eth0")),
        LE.packet_with(0, 1_000_000, b"first", &LE.option(1, b"a comment")),
        LE.block(0x7777, b"of no known type"),
        LE.block(10, &[LE.words(&[0x544c_534b, 5]), b"keys\n".to_vec()].concat()),
        LE.block(3, &[LE.words(&[6]), b"second".to_vec()].concat()),
        BE.section(),
        BE.interface(101, 0, &[]),
        BE.packet(0, 3_000_000, b"third"),
        BE.block(5, &[BE.words(&[0, 0, 0]), BE.option(5, &BE.u64(7))].concat()),
    ]
    .concat()
}
