//! Link layer and shim headers down to the IP packet.
//!
//! A link type is one row of [`network`], a shim between link and IP one row of [`after_ethertype`]; each is one small
//! function that strips its own header and passes the rest on. Nesting is bounded by [`MAX_SHIMS`].

use super::{Skip, split, wifi};
use crate::capture::LinkType;

/// VLAN tags, MPLS labels and the like that one packet may stack up; more is malformed.
const MAX_SHIMS: usize = 16;

/// The bytes from the IP header on. That they are IP is only checked by what parses them.
pub(super) fn network(link: LinkType, bytes: &[u8]) -> Result<&[u8], Skip> {
    match link {
        LinkType::EN10MB => ethernet(bytes),
        // 12 and 14 are DLT_RAW of some systems, which old programs wrote into files.
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => Ok(bytes),
        LinkType::LINUX_SLL => linux_cooked_v1(bytes),
        LinkType::LINUX_SLL2 => linux_cooked_v2(bytes),
        LinkType::NULL | LinkType::LOOP => bsd_loopback(bytes),
        LinkType::PPP | LinkType::PPP_HDLC => ppp_framed(bytes),
        LinkType::PPP_ETHER => pppoe_session(bytes),
        LinkType::C_HDLC => cisco_hdlc(bytes),
        LinkType::MPLS => mpls(bytes),
        LinkType::IEEE802_11 => wifi::frame(bytes),
        LinkType::IEEE802_11_RADIOTAP => wifi::radiotap(bytes),
        unknown => Err(Skip::UnknownLinkType(unknown)),
    }
}

/// Two addresses of six bytes, then a type.
pub(super) fn ethernet(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([.., t0, t1], rest) = split::<14>(bytes)?;
    after_ethertype(u16::from_be_bytes([*t0, *t1]), rest)
}

/// What follows an Ethernet type field: IP, or shims and then IP.
pub(super) fn after_ethertype(mut ethertype: u16, mut bytes: &[u8]) -> Result<&[u8], Skip> {
    for _ in 0..MAX_SHIMS {
        match ethertype {
            0x0800 | 0x86dd => return Ok(bytes),
            // IEEE 802.1Q, 802.1ad, and the number that early stacked tags used: priority and VLAN, then a type.
            0x8100 | 0x88a8 | 0x9100 => {
                let ([_, _, t0, t1], rest) = split(bytes)?;
                (ethertype, bytes) = (u16::from_be_bytes([*t0, *t1]), rest);
            }
            0x8847 | 0x8848 => return mpls(bytes),
            0x8864 => return pppoe_session(bytes),
            // A length, not a type: IEEE 802.3.
            0..=1500 => (ethertype, bytes) = snap_type(bytes)?,
            _ => return Err(Skip::NotIp),
        }
    }
    Err(Skip::Malformed)
}

/// An LLC header and what follows.
pub(super) fn snap(bytes: &[u8]) -> Result<&[u8], Skip> {
    let (ethertype, rest) = snap_type(bytes)?;
    after_ethertype(ethertype, rest)
}

/// The LLC header of IP is SNAP (RFC 1042), with a type of the Ethernet registry.
fn snap_type(bytes: &[u8]) -> Result<(u16, &[u8]), Skip> {
    let (header, rest) = split::<8>(bytes)?;
    let [0xaa, 0xaa, 0x03, _, _, _, t0, t1] = header else { return Err(Skip::NotIp) };
    Ok((u16::from_be_bytes([*t0, *t1]), rest))
}

/// MPLS labels (RFC 3032) down to the bottom of the stack. The label does not say what it carries; IP is told by its
/// version, anything else (pseudowires) is not ours.
pub(super) fn mpls(mut bytes: &[u8]) -> Result<&[u8], Skip> {
    for _ in 0..MAX_SHIMS {
        let ([_, _, last, _], rest) = split(bytes)?;
        bytes = rest;
        if last & 1 == 1 {
            let version = bytes.first().ok_or(Skip::Cut)? >> 4;
            return if matches!(version, 4 | 6) { Ok(bytes) } else { Err(Skip::NotIp) };
        }
    }
    Err(Skip::Malformed)
}

/// Version and type, code, session, length (RFC 2516); code 0 is data, in PPP without its framing.
fn pppoe_session(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([_, code, ..], rest) = split::<6>(bytes)?;
    if *code == 0 { ppp(rest) } else { Err(Skip::NotIp) }
}

/// PPP, with address and control bytes in front unless they were compressed away (RFC 1662).
pub(super) fn ppp_framed(bytes: &[u8]) -> Result<&[u8], Skip> {
    ppp(bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes))
}

/// A protocol number of one byte (odd) or two (RFC 1661 §2).
fn ppp(bytes: &[u8]) -> Result<&[u8], Skip> {
    match bytes {
        [0x21 | 0x57, rest @ ..] | [0x00, 0x21 | 0x57, rest @ ..] => Ok(rest),
        [] | [0x00] => Err(Skip::Cut),
        _ => Err(Skip::NotIp),
    }
}

/// Address, control, then a type of the Ethernet registry (RFC 1547 §4.3.1).
fn cisco_hdlc(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([_, _, t0, t1], rest) = split(bytes)?;
    after_ethertype(u16::from_be_bytes([*t0, *t1]), rest)
}

/// Packet type, device type, address (with its length, in 8 bytes), protocol.
fn linux_cooked_v1(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([.., t0, t1], rest) = split::<16>(bytes)?;
    after_ethertype(u16::from_be_bytes([*t0, *t1]), rest)
}

/// Protocol first, then interface, device type, packet type and address.
fn linux_cooked_v2(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([t0, t1, ..], rest) = split::<20>(bytes)?;
    after_ethertype(u16::from_be_bytes([*t0, *t1]), rest)
}

/// An address family in either byte order, since the file does not say which host made it. `AF_INET6` is 24, 28 or 30
/// on the BSDs and macOS, 10 on Linux and 23 on Windows.
fn bsd_loopback(bytes: &[u8]) -> Result<&[u8], Skip> {
    let (family, rest) = split(bytes)?;
    match u32::from_be_bytes(*family).min(u32::from_le_bytes(*family)) {
        2 | 10 | 23 | 24 | 28 | 30 => Ok(rest),
        _ => Err(Skip::NotIp),
    }
}
