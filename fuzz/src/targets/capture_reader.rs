//! Any bytes as a capture: read until the end, in one piece and in small ones. Both must give the same packets, within
//! the bounds.

use super::super::{heap, small_capture_limits};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use wsdissect::capture::{CaptureError, Damage, Reader};

/// A compressed file of a kilobyte may hold millions of packets.
const MOST_PACKETS: usize = 2_000;

/// The input, the buffers of the reader and of a decompressor: zstd's window lies in C and does not count.
const MOST_HEAP: usize = 8 << 20;

/// How files of gzip, Zstandard and LZ4 begin.
const PACKED: [&[u8]; 3] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], &[0x04, 0x22, 0x4d, 0x18]];

/// Checks one input.
pub fn run(bytes: &[u8]) {
    let whole = heap::at_most(MOST_HEAP, || read(bytes));
    let step = bytes.last().map_or(1, |byte| usize::from(*byte) % 61 + 1);
    let trickled = read(Trickle { bytes, step });
    let is_packed = PACKED.iter().any(|magic| bytes.starts_with(magic));
    if is_packed && (whole.damage.is_some() || trickled.damage.is_some()) {
        // How much a decompressor gives before it notices damage, and so where reading goes on behind it, depends on how
        // it is fed.
        let same = whole.packets.len().min(trickled.packets.len());
        assert_eq!(whole.packets[..same], trickled.packets[..same], "read {step} bytes at a time");
    } else {
        assert_eq!(whole, trickled, "read {step} bytes at a time");
    }
}

/// What was read.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// A digest of each packet.
    packets: Vec<u64>,
    /// Why there are no more.
    damage: Option<Damage>,
    /// It could not even be opened. What a refused input looks like is a guess, and not compared.
    refused: bool,
}

fn read(input: impl Read) -> Outcome {
    // How many bytes had arrived behind the damage may differ.
    let arrived = |damage: &Damage| Damage { unread: 0, ..damage.clone() };
    let mut reader = match Reader::with_limits(input, small_capture_limits()) {
        Ok(reader) => reader,
        Err(CaptureError::Damaged(damage)) => return Outcome { damage: Some(arrived(&damage)), ..Outcome::default() },
        Err(_) => return Outcome { refused: true, ..Outcome::default() },
    };
    let mut packets = Vec::new();
    while packets.len() < MOST_PACKETS {
        let Ok(Some(packet)) = reader.next_packet() else { break };
        assert!(packet.bytes.len() <= small_capture_limits().packet_bytes as usize);
        let mut digest = DefaultHasher::new();
        (packet.number, packet.time, packet.link, packet.interface, packet.bytes, packet.original_len)
            .hash(&mut digest);
        packets.push(digest.finish());
    }
    let summary = reader.summary();
    assert_eq!(summary.packets, packets.len() as u64);
    assert!(summary.interfaces.len() <= small_capture_limits().interfaces);
    Outcome { packets, damage: reader.damage().map(arrived), refused: false }
}

/// An input that gives a few bytes at a time, as a pipe does.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = to.len().min(self.step);
        self.bytes.read(&mut to[..len])
    }
}
