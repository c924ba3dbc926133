//! IPv4 and IPv6 headers, with their extension headers, down to TCP.

use super::fragments::{Datagram, Fragment};
use super::{Skip, split};
use etherparse::{IpNumber, LaxIpSlice, err::ip::LaxHeaderSliceError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// No IP packet is larger, not even IPv6 jumbograms as Linux offloads them (BIG TCP: 512 KiB).
const MAX_IP_PACKET: usize = 1 << 20;

/// The IP layer of one TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ip<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// IPv4 time to live or IPv6 hop limit.
    pub(super) hop_limit: u8,
    /// IPv4 identification; 0 where there is none.
    pub(super) identification: u16,
    /// The recorded part of the TCP segment, without link layer padding.
    pub(super) payload: &'a [u8],
    /// Bytes of the TCP segment that were on the wire but not recorded.
    pub(super) cut: usize,
}

/// What an IP packet carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried<'a> {
    /// A TCP segment.
    Tcp(Ip<'a>),
    /// Something else, by its IP protocol number; `cut` bytes of it were not recorded.
    Other { protocol: u8, payload: &'a [u8], cut: usize },
    /// A part of something.
    Fragment(Fragment<'a>),
}

/// The everyday packet: whole, TCP right behind the fixed header, no fragment. About ten times faster than [`carried`],
/// which decides everything else; a test holds the two together.
#[inline]
pub(super) fn plain(bytes: &[u8]) -> Option<Ip<'_>> {
    match *bytes {
        [0x45, _, l0, l1, i0, i1, f0, f1, hop_limit, 6, _, _, s0, s1, s2, s3, d0, d1, d2, d3, ..] => {
            let fragment = u16::from_be_bytes([f0, f1]) & 0x3fff != 0;
            let payload = bytes.get(20..usize::from(u16::from_be_bytes([l0, l1])))?;
            (!fragment).then_some(Ip {
                source: Ipv4Addr::new(s0, s1, s2, s3).into(),
                destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
                hop_limit,
                identification: u16::from_be_bytes([i0, i1]),
                payload,
                cut: 0,
            })
        }
        [0x60..=0x6f, _, _, _, l0, l1, 6, hop_limit, ..] => {
            let (source, rest) = bytes.get(8..)?.split_first_chunk::<16>()?;
            let (destination, rest) = rest.split_first_chunk::<16>()?;
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            Some(Ip {
                source: Ipv6Addr::from(*source).into(),
                destination: Ipv6Addr::from(*destination).into(),
                hop_limit,
                identification: 0,
                payload: rest.get(..length).filter(|payload| !payload.is_empty())?,
                cut: 0,
            })
        }
        _ => None,
    }
}

/// Any IP packet: options, extension headers, fragments, lengths that are missing (segmentation offload) or reach
/// beyond what was recorded. `not_recorded` more bytes than `bytes` were on the wire.
pub(super) fn carried(bytes: &[u8], not_recorded: usize) -> Result<Carried<'_>, Skip> {
    let (ip, stopped) = LaxIpSlice::from_slice(bytes).map_err(|error| match error {
        LaxHeaderSliceError::Len(_) => Skip::Cut,
        LaxHeaderSliceError::Content(_) => Skip::Malformed,
    })?;
    // The length claimed for the whole packet; 0 (or less than its header) means that the network card was to fill it in.
    let (hop_limit, identification, claimed) = match &ip {
        LaxIpSlice::Ipv4(v4) => {
            let total = usize::from(v4.header().total_len());
            (v4.header().ttl(), v4.header().identification(), (total >= v4.header().slice().len()).then_some(total))
        }
        LaxIpSlice::Ipv6(v6) => {
            let length = usize::from(v6.header().payload_length());
            (v6.header().hop_limit(), 0, (length > 0).then_some(40 + length))
        }
    };
    if ip.payload().fragmented {
        let whole = claimed.and_then(|claimed| bytes.get(..claimed)).ok_or(Skip::Fragment)?;
        return fragment(&ip, whole).map(Carried::Fragment);
    }
    let (source, destination) = (ip.source_addr(), ip.destination_addr());
    let payload = ip.payload();
    if stopped.is_some() {
        return Err(Skip::Cut);
    }
    let cut = match claimed {
        Some(claimed) => claimed.saturating_sub(bytes.len()),
        None => not_recorded.min(MAX_IP_PACKET),
    };
    let (protocol, payload) = (payload.ip_number, payload.payload);
    Ok(if protocol == IpNumber::TCP {
        Carried::Tcp(Ip { source, destination, hop_limit, identification, payload, cut })
    } else {
        Carried::Other { protocol: protocol.0, payload, cut }
    })
}

/// The fragment that the packet `whole` is.
fn fragment<'a>(ip: &LaxIpSlice<'a>, whole: &'a [u8]) -> Result<Fragment<'a>, Skip> {
    let (source, destination) = (ip.source_addr(), ip.destination_addr());
    match ip {
        LaxIpSlice::Ipv4(v4) => {
            let header = v4.header();
            let protocol = header.protocol().0;
            Ok(Fragment {
                of: Datagram {
                    source,
                    destination,
                    identification: header.identification().into(),
                    protocol: Some(protocol),
                },
                protocol,
                hop_limit: header.ttl(),
                offset: usize::from(header.fragments_offset().value()) * 8,
                more: header.more_fragments(),
                payload: whole.get(header.slice().len()..).ok_or(Skip::Malformed)?,
            })
        }
        LaxIpSlice::Ipv6(v6) => {
            let ([protocol, _, o0, o1, identification @ ..], payload) = fragment_header(whole)?;
            let offset = u16::from_be_bytes([*o0, *o1]);
            let identification = u32::from_be_bytes(*identification);
            Ok(Fragment {
                of: Datagram { source, destination, identification, protocol: None },
                protocol: *protocol,
                hop_limit: v6.header().hop_limit(),
                offset: usize::from(offset & !7),
                more: offset & 1 != 0,
                payload,
            })
        }
    }
}

/// The first fragment header of an IPv6 packet (RFC 8200 §4.5) and what follows it. Only the headers before it are the
/// packet's own; etherparse would go on into the middle of what was cut up.
fn fragment_header(packet: &[u8]) -> Result<(&[u8; 8], &[u8]), Skip> {
    let (fixed, mut rest) = split::<40>(packet)?;
    let mut next = fixed[6];
    loop {
        // Each of these headers starts with the number of the next one and its own length.
        let [following, length, ..] = *rest else { return Err(Skip::Malformed) };
        let units = usize::from(length);
        let length = match next {
            44 => return split(rest),
            0 | 43 | 60 => (units + 1) * 8,
            51 => (units + 2) * 4,
            _ => return Err(Skip::Malformed),
        };
        next = following;
        rest = rest.get(length..).ok_or(Skip::Malformed)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the fast way accepts, the careful way reads the same.
        #[test]
        fn the_two_ways_agree(
            v6 in any::<bool>(), next in prop_oneof![4 => Just(6u8), 1 => any::<u8>()],
            length in prop_oneof![0u16..80, any::<u16>()], fragment in prop_oneof![Just(0u16), Just(0x4000), any::<u16>()],
            ihl in prop_oneof![Just(0x45u8), any::<u8>()], mut bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let fixed: &[(usize, u8)] = if v6 {
                &[(0, 0x60), (4, (length >> 8) as u8), (5, length as u8), (6, next)]
            } else {
                &[(0, ihl), (2, (length >> 8) as u8), (3, length as u8), (6, (fragment >> 8) as u8), (7, fragment as u8), (9, next)]
            };
            for &(at, value) in fixed {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            if let Some(ip) = plain(&bytes) {
                prop_assert_eq!(carried(&bytes, 0), Ok(Carried::Tcp(ip)));
            }
        }
    }
}
