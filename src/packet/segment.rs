//! One TCP segment.

use super::{Skip, Tunnel, ip::Ip, split};
use crate::capture::Packet;
use crate::units::{Endpoint, Origin, PacketNumber};
use etherparse::{TcpOptionElement, TcpSlice};
use std::fmt;

/// A position in TCP's sequence space, which wraps at 2³² (RFC 9293 §3.4).
///
/// There is no order on these, only a signed distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// The number `len` further on, wrapping.
    #[must_use]
    pub fn plus(self, len: u32) -> Self {
        Self(self.0.wrapping_add(len))
    }

    /// How far this is ahead of `earlier`; negative when it is behind. Right as long as both are within 2³¹.
    #[must_use]
    pub fn distance_from(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

/// The control bits of a TCP header (RFC 9293 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Start of the connection.
    pub const SYN: Self = Self(0x02);
    /// The connection is aborted.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);

    /// Whether all bits of `other` are set.
    #[must_use]
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether at least one bit of `other` is set.
    #[must_use]
    #[inline]
    pub const fn contains_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// SYN is set.
    #[must_use]
    pub const fn syn(self) -> bool {
        self.contains(Self::SYN)
    }

    /// FIN is set.
    #[must_use]
    pub const fn fin(self) -> bool {
        self.contains(Self::FIN)
    }

    /// RST is set.
    #[must_use]
    pub const fn rst(self) -> bool {
        self.contains(Self::RST)
    }

    /// ACK is set.
    #[must_use]
    pub const fn ack(self) -> bool {
        self.contains(Self::ACK)
    }
}

impl std::ops::BitOr for TcpFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(Self::SYN, "SYN"), (Self::FIN, "FIN"), (Self::RST, "RST"), (Self::PSH, "PSH"), (Self::ACK, "ACK")];
        f.debug_list().entries(names.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, name)| name)).finish()
    }
}

/// What we use of the TCP options; read only from segments with SYN, where they are negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpOptions {
    /// Shift count of the window field (RFC 7323 §2).
    pub window_scale: Option<u8>,
    /// Largest segment the sender wants to receive, in bytes (RFC 9293 §3.7.1).
    pub mss: Option<u16>,
}

/// Where and when a segment was recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    pub(super) origin: Origin,
    pub(super) interface: u32,
    pub(super) tunnel: Option<Tunnel>,
    pub(super) fragment_conflict: Option<FragmentConflict>,
}

impl Sighting {
    #[inline]
    pub(super) fn of(packet: &Packet<'_>) -> Self {
        let origin = Origin { packet: packet.number, time: packet.time };
        Self { origin, interface: packet.interface, tunnel: None, fragment_conflict: None }
    }
}

/// Two fragments of one IP packet that hold different bytes for the same place: the packet whose bytes were used, and the
/// one that contradicts it. The receiver may have taken either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentConflict {
    /// The packet whose bytes were used: the first one.
    pub used: PacketNumber,
    /// The packet that contradicts it.
    pub other: PacketNumber,
}

/// One TCP segment as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The packet that carried it; of a fragmented one, the packet that completed it.
    pub origin: Origin,
    /// The interface it was recorded on: [`Packet::interface`](crate::capture::Packet::interface).
    pub interface: u32,
    /// The tunnel it was recorded in.
    pub tunnel: Option<Tunnel>,
    /// Who sent it.
    pub source: Endpoint,
    /// To whom.
    pub destination: Endpoint,
    /// Sequence number of the first byte, or of the SYN.
    pub seq: SeqNumber,
    /// The next sequence number the sender expects; `None` without the ACK flag.
    pub ack: Option<SeqNumber>,
    /// Control bits.
    pub flags: TcpFlags,
    /// The window field as sent, not scaled.
    pub window: u16,
    /// IPv4 time to live or IPv6 hop limit, as it arrived at the point of capture.
    pub hop_limit: u8,
    /// IPv4 identification: two packets with the same one, not 0, are one packet recorded twice. 0 in IPv6 and where the
    /// sender leaves it out.
    pub identification: u16,
    /// The fragments that it was put together from contradict each other; the first such pair.
    pub fragment_conflict: Option<FragmentConflict>,
    /// Options of a SYN; empty on other segments.
    pub options: TcpOptions,
    /// The recorded part of the data.
    pub payload: &'a [u8],
    /// Bytes of data that follow `payload` in the segment but were not recorded (snapshot length).
    pub payload_cut: u32,
}

impl<'a> Segment<'a> {
    /// Length in the sequence space: all data, recorded or not, plus one each for SYN and FIN (RFC 9293 §3.4).
    #[must_use]
    #[inline]
    pub fn sequence_len(&self) -> u32 {
        self.data_len().saturating_add(u32::from(self.flags.syn())).saturating_add(u32::from(self.flags.fin()))
    }

    /// Bytes of data on the wire, recorded or not.
    #[must_use]
    #[inline]
    pub fn data_len(&self) -> u32 {
        // An IP packet holds less than 2¹⁶ bytes; segmentation offload may record more, but never near 2³².
        u32::try_from(self.payload.len()).unwrap_or(u32::MAX).saturating_add(self.payload_cut)
    }

    /// The same segment with this payload, such as its own at another place.
    #[must_use]
    pub fn with_payload<'b>(&self, payload: &'b [u8]) -> Segment<'b> {
        let Self { origin, interface, tunnel, source, destination, seq, ack, flags, window, .. } = *self;
        let Self { hop_limit, identification, fragment_conflict, options, payload_cut, .. } = *self;
        Segment {
            origin,
            interface,
            tunnel,
            source,
            destination,
            seq,
            ack,
            flags,
            window,
            hop_limit,
            identification,
            fragment_conflict,
            options,
            payload,
            payload_cut,
        }
    }

    /// Reads the TCP header behind `ip`.
    #[inline]
    pub(super) fn parse(ip: &Ip<'a>, seen: &Sighting) -> Result<Self, Skip> {
        let (fixed, _) = split::<20>(ip.payload)?;
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, data_offset, flags, w0, w1, ..] = *fixed;
        let flags = TcpFlags(flags);
        let header_len = usize::from(data_offset >> 4) * 4;
        if header_len < 20 {
            return Err(Skip::Malformed);
        }
        let (payload, cut) = match ip.payload.get(header_len..) {
            Some(payload) => (payload, ip.cut),
            // The snapshot length took the end of the options; the fixed header is worth having (FIN, RST).
            None => match ip.cut.checked_sub(header_len - ip.payload.len()) {
                Some(cut) => (&[][..], cut),
                None => return Err(Skip::Malformed),
            },
        };
        Ok(Self {
            origin: seen.origin,
            interface: seen.interface,
            tunnel: seen.tunnel,
            source: Endpoint { ip: ip.source, port: u16::from_be_bytes([s0, s1]) },
            destination: Endpoint { ip: ip.destination, port: u16::from_be_bytes([d0, d1]) },
            seq: SeqNumber(u32::from_be_bytes([q0, q1, q2, q3])),
            ack: flags.ack().then_some(SeqNumber(u32::from_be_bytes([a0, a1, a2, a3]))),
            flags,
            window: u16::from_be_bytes([w0, w1]),
            hop_limit: ip.hop_limit,
            identification: ip.identification,
            fragment_conflict: seen.fragment_conflict,
            options: if flags.syn() { syn_options(ip.payload) } else { TcpOptions::default() },
            payload,
            payload_cut: u32::try_from(cut).unwrap_or(u32::MAX),
        })
    }
}

/// The options in the TCP header at the start of `bytes`, as far as they can be read.
fn syn_options(bytes: &[u8]) -> TcpOptions {
    let mut options = TcpOptions::default();
    let Ok(tcp) = TcpSlice::from_slice(bytes) else { return options };
    for option in tcp.options_iterator().map_while(Result::ok) {
        match option {
            TcpOptionElement::WindowScale(shift) => options.window_scale = Some(shift),
            TcpOptionElement::MaximumSegmentSize(mss) => options.mss = Some(mss),
            _ => {}
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_wrap() {
        let last = SeqNumber(u32::MAX);
        assert_eq!(last.plus(3), SeqNumber(2));
        assert_eq!(SeqNumber(2).distance_from(last), 3);
        assert_eq!(last.distance_from(SeqNumber(2)), -3);
    }
}
