//! Any bytes as a capture: read until the end, in one piece and in small ones. Both must give the same packets, within
//! the bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use wsdissect::capture::{CaptureLimits, Damage, Reader};
use wsdissect_fuzz::heap;

const LIMITS: CaptureLimits =
    CaptureLimits { packet_bytes: 64 << 10, block_bytes: 256 << 10, interfaces: 16, secrets_bytes: 4 << 10 };

/// A compressed file of a kilobyte may hold millions of packets.
const MOST_PACKETS: usize = 2_000;

/// The input, the buffers of the reader and of a decompressor: zstd's window lies in C and does not count.
const MOST_HEAP: usize = 8 << 20;

fuzz_target!(|bytes: &[u8]| {
    let whole = heap::at_most(MOST_HEAP, || read(bytes));
    let step = bytes.last().map_or(1, |byte| usize::from(*byte) % 61 + 1);
    let trickled = read(Trickle { bytes, step });
    assert_eq!(whole, trickled, "read {step} bytes at a time");
});

/// What was read: a digest of each packet, and why it stopped. `None` when the input cannot be opened.
fn read(input: impl Read) -> Option<(Vec<u64>, Option<Damage>)> {
    let mut reader = Reader::with_limits(input, LIMITS).ok()?;
    let mut packets = Vec::new();
    while packets.len() < MOST_PACKETS {
        let Ok(Some(packet)) = reader.next_packet() else { break };
        assert!(packet.bytes.len() <= LIMITS.packet_bytes as usize);
        let mut digest = DefaultHasher::new();
        (packet.number, packet.time, packet.link, packet.interface, packet.bytes, packet.original_len)
            .hash(&mut digest);
        packets.push(digest.finish());
    }
    let summary = reader.summary();
    assert_eq!(summary.packets, packets.len() as u64);
    assert!(summary.interfaces.len() <= LIMITS.interfaces);
    // How many bytes had arrived behind the damage is the one thing that may differ.
    Some((packets, reader.damage().map(|damage| Damage { unread: 0, ..damage.clone() })))
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
