//! A link type and packets: what they decode to lies inside of them, and fragments and tunnels keep to the bounds.

use super::super::input::{Fields, PacketInput};
use super::super::{heap, small_limits};
use wsdissect::capture::{LinkType, Packet};
use wsdissect::packet::Decoder;
use wsdissect::units::{PacketNumber, Timestamp};

/// Fragments up to their bound, what they cost beside their bytes, and two datagrams that were put together.
const MOST_HEAP: usize = 256 << 10;

/// Checks one input.
pub fn run(bytes: &[u8]) {
    heap::at_most(MOST_HEAP, || decode(bytes));
}

fn decode(input: &[u8]) {
    let limits = small_limits();
    let mut decoder = Decoder::new(&limits);
    let mut fields = Fields(input);
    let link = LinkType(fields.u16());
    let (mut number, mut nanos) = (PacketNumber::FIRST, 0_i64);
    let (mut segments, mut skipped, mut joined) = (0_u64, 0_u64, 0_u64);
    while let Some(packet) = PacketInput::read(&mut fields) {
        nanos += i64::from(packet.quarters) * 250_000_000;
        let packet = Packet {
            number,
            // Packets without a time, too.
            time: (packet.interface < 128).then_some(Timestamp::from_nanos(nanos)),
            link,
            interface: packet.interface.into(),
            bytes: packet.bytes,
            original_len: (packet.bytes.len() as u32).saturating_add(packet.cut.into()),
        };
        number = number.next();
        match decoder.decode(&packet) {
            Ok(segment) => {
                segments += 1;
                assert_eq!(segment.origin.packet, packet.number);
                assert!(segment.payload.len() <= input.len());
                assert!(segment.sequence_len() >= segment.data_len());
                assert_eq!(segment.ack.is_some(), segment.flags.ack());
                let depth = segment.tunnel.map_or(0, |tunnel| tunnel.depth);
                assert!(depth <= limits.tunnel_depth, "{depth} tunnels");
            }
            Err(_) => skipped += 1,
        }
        joined += decoder.fragments_joined();
        // What was joined was skipped before.
        assert!(joined <= skipped, "{joined} joined, {skipped} skipped, {segments} segments");
    }
}
