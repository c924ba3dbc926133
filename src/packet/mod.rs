//! Packet to TCP segment: link layer, tunnels, IP and its fragments, TCP.
//!
//! [`Decoder::decode`] walks the headers of one packet and hands back a [`Segment`] that borrows from it, or the reason
//! why there is none ([`Skip`]). It keeps nothing between packets but IP fragments that wait for others, allocates for
//! nothing else, and never panics. Link layers (`link`, `wifi`) and tunnels (`tunnel`) are read here; IP and TCP headers
//! by etherparse, which is named nowhere else. Checksums are not checked: captures made on the sending host hold packets
//! whose checksum the network card fills in later.
//!
//! Everyday packets take a short way without any of this: see `ip::plain`.

mod fragments;
mod icmp;
mod ip;
mod link;
mod segment;
mod skip;
mod tunnel;
mod wifi;

pub use icmp::{IcmpError, IcmpKind};
pub use segment::{FragmentConflict, Segment, SeqNumber, TcpFlags, TcpOptions};
pub use skip::{Skip, SkipCounts};
pub use tunnel::{Tunnel, TunnelKind};

use crate::capture::Packet;
use crate::limits::{LimitHits, Limits};
use fragments::Fragments;
use ip::Carried;
use segment::Sighting;

/// Datagrams that one packet may complete, one inside the other: a fragmented tunnel packet with the last fragment of
/// a packet in it.
const MAX_NESTED_DATAGRAMS: usize = 2;

/// Packets to segments.
#[derive(Debug)]
pub struct Decoder {
    fragments: Fragments,
    /// The packets last put together.
    datagrams: [Vec<u8>; MAX_NESTED_DATAGRAMS],
    most_tunnels: u8,
    tunnel_hits: u64,
    joined: u64,
    icmp: Option<IcmpError>,
}

impl Decoder {
    /// A decoder that has seen nothing and keeps to `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            fragments: Fragments::new(limits),
            datagrams: Default::default(),
            most_tunnels: limits.tunnel_depth,
            tunnel_hits: 0,
            joined: 0,
            icmp: None,
        }
    }

    /// The TCP segment in `packet`, or in the datagram of which it is the last fragment to come.
    ///
    /// A packet cut by the snapshot length still gives a segment when the fixed 20 bytes of its TCP header were recorded;
    /// [`Segment::payload_cut`] tells how much payload is missing.
    ///
    /// # Errors
    ///
    /// The reason to skip the packet; each packet has exactly one.
    #[inline]
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, Skip> {
        self.joined = 0;
        self.icmp = None;
        match Self::at_sight(packet) {
            Some(segment) => Ok(segment),
            None => self.any(packet),
        }
    }

    /// The segment in a packet that is what nearly all are: IP right behind the link layer, and nothing out of the ordinary up
    /// to the payload. [`decode`](Self::decode) comes to the same for it, and has an answer to all others.
    #[inline]
    #[must_use]
    pub fn at_sight<'a>(packet: &Packet<'a>) -> Option<Segment<'a>> {
        let ip = ip::plain(link::network(packet.link, packet.bytes).ok()?)?;
        Segment::parse(&ip, &Sighting::of(packet)).ok()
    }

    /// How many earlier packets, each skipped as [`Skip::Fragment`], were part of what the last packet decoded to.
    #[must_use]
    pub fn fragments_joined(&self) -> u64 {
        self.joined
    }

    /// The ICMP error about a TCP segment that the last packet was; it counts as skipped all the same.
    #[must_use]
    pub fn icmp_error(&self) -> Option<&IcmpError> {
        self.icmp.as_ref()
    }

    /// Fragments whose bytes contradict those of an earlier one. The two ends may have understood either.
    #[must_use]
    pub fn fragment_conflicts(&self) -> u64 {
        self.fragments.conflicts
    }

    /// How often the bounds on fragments and tunnels were reached.
    #[must_use]
    pub fn limit_hits(&self) -> LimitHits {
        LimitHits { fragments: self.fragments.limit_hits, tunnels: self.tunnel_hits, ..LimitHits::default() }
    }

    /// Any packet, step by step.
    #[cold]
    fn any<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, Skip> {
        let not_recorded = (packet.original_len as usize).saturating_sub(packet.bytes.len());
        let Self { fragments, datagrams, most_tunnels, tunnel_hits, joined, icmp, .. } = self;
        let walk =
            Walk { fragments, tunnel_hits, joined, icmp, tunnels_left: *most_tunnels, seen: Sighting::of(packet) };
        link::network(packet.link, packet.bytes)
            .and_then(|network| walk.segment(datagrams, network, not_recorded))
            // Below, "cut" only means that the bytes ran out; if the packet is whole, its headers are wrong.
            .map_err(|skip| if skip == Skip::Cut && not_recorded == 0 { Skip::Malformed } else { skip })
    }
}

/// The way down through one packet.
struct Walk<'d> {
    fragments: &'d mut Fragments,
    tunnel_hits: &'d mut u64,
    joined: &'d mut u64,
    icmp: &'d mut Option<IcmpError>,
    tunnels_left: u8,
    seen: Sighting,
}

impl Walk<'_> {
    /// The segment in the IP packet at the start of `network`, through tunnels and fragments. `buffers` are for what is
    /// put together on the way.
    fn segment<'a>(
        mut self,
        buffers: &'a mut [Vec<u8>],
        mut network: &'a [u8],
        mut not_recorded: usize,
    ) -> Result<Segment<'a>, Skip> {
        loop {
            match ip::carried(network, not_recorded)? {
                Carried::Tcp(ip) => return Segment::parse(&ip, &self.seen),
                Carried::Other { protocol, payload, cut } => {
                    *self.icmp = icmp::error(protocol, payload, network, &self.seen);
                    let inner = tunnel::inner(protocol, payload)?;
                    self.enter(inner.kind, inner.id)?;
                    (network, not_recorded) = (inner.network, cut);
                }
                Carried::Fragment(fragment) => {
                    let (datagram, buffers) = buffers.split_first_mut().ok_or(Skip::Fragment)?;
                    let joined = self.fragments.add(&fragment, self.seen.tunnel, self.seen.origin, datagram)?;
                    *self.joined += joined.earlier;
                    self.seen.fragment_conflict = self.seen.fragment_conflict.or(joined.conflict);
                    return self.segment(buffers, datagram, 0);
                }
            }
        }
    }

    fn enter(&mut self, kind: TunnelKind, id: u32) -> Result<(), Skip> {
        let Some(left) = self.tunnels_left.checked_sub(1) else {
            *self.tunnel_hits += 1;
            return Err(Skip::Malformed);
        };
        self.tunnels_left = left;
        let outside = self.seen.tunnel.map_or(0, |tunnel| tunnel.depth);
        self.seen.tunnel = Some(Tunnel { kind, id, depth: outside.saturating_add(1) });
        Ok(())
    }
}

/// The first `N` bytes and the rest, or [`Skip::Cut`].
#[inline]
fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Skip> {
    bytes.split_first_chunk::<N>().ok_or(Skip::Cut)
}

#[cfg(test)]
mod tests;
