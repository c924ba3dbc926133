//! Packet to TCP segment: link layer, IP, TCP.
//!
//! [`decode`] walks the headers of one packet and hands back a [`Segment`] that borrows from it, or the reason why there
//! is none ([`Skip`]). It keeps nothing between packets, allocates nothing, and never panics. Link layers and tunnels
//! are read here (`link`); IP and TCP headers by etherparse, which is named nowhere else. Checksums are not checked:
//! captures made on the sending host hold packets whose checksum the network card fills in later.

mod ip;
mod link;
mod segment;
mod skip;

pub use segment::{Segment, SeqNumber, TcpFlags, TcpOptions};
pub use skip::{Skip, SkipCounts};

use crate::capture::Packet;
use crate::units::Origin;

/// The TCP segment in `packet`.
///
/// A packet cut by the snapshot length still gives a segment when the fixed 20 bytes of its TCP header were recorded;
/// [`Segment::payload_cut`] tells how much payload is missing.
///
/// # Errors
///
/// The reason to skip the packet; each packet has exactly one.
pub fn decode<'a>(packet: &Packet<'a>) -> Result<Segment<'a>, Skip> {
    let not_recorded = (packet.original_len as usize).saturating_sub(packet.bytes.len());
    let origin = Origin { packet: packet.number, time: packet.time };
    link::network(packet.link, packet.bytes)
        .and_then(|network| ip::transport(network, not_recorded))
        .and_then(|ip| Segment::parse(&ip, origin))
        // Below, "cut" only means that the bytes ran out; if the packet is whole, its headers are wrong.
        .map_err(|skip| if skip == Skip::Cut && not_recorded == 0 { Skip::Malformed } else { skip })
}

/// The first `N` bytes and the rest, or [`Skip::Cut`].
fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Skip> {
    bytes.split_first_chunk::<N>().ok_or(Skip::Cut)
}

#[cfg(test)]
mod tests;
