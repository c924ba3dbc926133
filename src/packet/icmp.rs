//! ICMP errors that quote a TCP segment: somebody on the path, or the other host, could not deliver it (RFC 792,
//! RFC 4443, RFC 1191).

use super::segment::{SeqNumber, Sighting};
use super::split;
use crate::units::{Endpoint, Origin};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an ICMP error says of the segment that it quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IcmpKind {
    /// No route to its network.
    NetworkUnreachable,
    /// Its host does not answer on the last link.
    HostUnreachable,
    /// Its host, or a firewall in its name, refuses this port or protocol.
    PortUnreachable,
    /// A policy forbids it.
    Prohibited,
    /// It was too large for the next link and must not be fragmented.
    TooBig,
    /// It passed too many routers, or its fragments never met.
    TimeExceeded,
}

impl IcmpKind {
    /// The name of each kind.
    pub const NAMES: &'static [&'static str] =
        &["network_unreachable", "host_unreachable", "port_unreachable", "prohibited", "too_big", "time_exceeded"];

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    fn v4(kind: u8, code: u8) -> Option<Self> {
        Some(match (kind, code) {
            (3, 0 | 5 | 6 | 11) => Self::NetworkUnreachable,
            (3, 1 | 7 | 8 | 12) => Self::HostUnreachable,
            (3, 2 | 3) => Self::PortUnreachable,
            (3, 4) => Self::TooBig,
            (3, 9 | 10 | 13) => Self::Prohibited,
            (11, _) => Self::TimeExceeded,
            _ => return None,
        })
    }

    fn v6(kind: u8, code: u8) -> Option<Self> {
        Some(match (kind, code) {
            (1, 0 | 2) => Self::NetworkUnreachable,
            (1, 3) => Self::HostUnreachable,
            (1, 4) => Self::PortUnreachable,
            (1, 1 | 5 | 6) => Self::Prohibited,
            (2, _) => Self::TooBig,
            (3, _) => Self::TimeExceeded,
            _ => return None,
        })
    }
}

/// An ICMP error about one TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// The packet that carried it.
    pub origin: Origin,
    /// Who sent it: a router, or the host itself. Anybody can write this address.
    pub reporter: IpAddr,
    /// What it says.
    pub kind: IcmpKind,
    /// The largest IP packet, in bytes, that the next link takes; only of [`IcmpKind::TooBig`], and not of old routers.
    pub mtu: Option<u32>,
    /// Who had sent the quoted segment.
    pub source: Endpoint,
    /// To whom.
    pub destination: Endpoint,
    /// Its sequence number.
    pub seq: SeqNumber,
}

/// The ICMP error in an IP packet: `protocol` is what the packet carries, `message` its payload, `network` the packet
/// from its IP header on. Addresses of tunnels are not looked for in what is quoted.
pub(super) fn error(protocol: u8, message: &[u8], network: &[u8], seen: &Sighting) -> Option<IcmpError> {
    let (&[kind, code, _, _, m0, m1, m2, m3], quoted) = message.split_first_chunk::<8>()?;
    let (reporter, kind, mtu) = match protocol {
        1 => (v4_at(network, 12)?.into(), IcmpKind::v4(kind, code)?, u32::from(u16::from_be_bytes([m2, m3]))),
        58 => (v6_at(network, 8)?.into(), IcmpKind::v6(kind, code)?, u32::from_be_bytes([m0, m1, m2, m3])),
        _ => return None,
    };
    let (source, destination, tcp): (IpAddr, IpAddr, _) = match *quoted.first()? >> 4 {
        4 if quoted.get(9) == Some(&TCP) => {
            let header_len = usize::from(quoted[0] & 15) * 4;
            (v4_at(quoted, 12)?.into(), v4_at(quoted, 16)?.into(), quoted.get(header_len.max(20)..)?)
        }
        6 if quoted.get(6) == Some(&TCP) => (v6_at(quoted, 8)?.into(), v6_at(quoted, 24)?.into(), quoted.get(40..)?),
        _ => return None,
    };
    let (&[s0, s1, d0, d1, q0, q1, q2, q3], _) = split::<8>(tcp).ok()?;
    Some(IcmpError {
        origin: seen.origin,
        reporter,
        kind,
        mtu: Some(mtu).filter(|&mtu| kind == IcmpKind::TooBig && mtu > 0),
        source: Endpoint { ip: source, port: u16::from_be_bytes([s0, s1]) },
        destination: Endpoint { ip: destination, port: u16::from_be_bytes([d0, d1]) },
        seq: SeqNumber(u32::from_be_bytes([q0, q1, q2, q3])),
    })
}

/// The IP protocol number of TCP.
const TCP: u8 = 6;

fn v4_at(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    bytes.get(at..)?.first_chunk::<4>().map(|&octets| octets.into())
}

fn v6_at(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    bytes.get(at..)?.first_chunk::<16>().map(|&octets| octets.into())
}
