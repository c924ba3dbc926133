//! Link layer and shim headers down to the IP packet.
//!
//! A link type is one row of [`network`], a shim between link and IP one row of [`after_ethertype`]; each is one small
//! function that strips its own header and passes the rest on. Nesting is bounded by [`MAX_SHIMS`].

use super::{Skip, split, wifi};
use crate::capture::LinkType;

/// Ethernet types of IP.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// VLAN tags, MPLS labels and the like that one packet may stack up; more is malformed.
const MAX_SHIMS: usize = 16;

/// The bytes from the IP header on. That they are IP is only checked by what parses them.
#[inline]
pub(super) fn network(link: LinkType, bytes: &[u8]) -> Result<&[u8], Skip> {
    match link {
        LinkType::EN10MB => ethernet(bytes),
        _ => other_than_ethernet(link, bytes),
    }
}

fn other_than_ethernet(link: LinkType, bytes: &[u8]) -> Result<&[u8], Skip> {
    match link {
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
        LinkType::FRELAY => frame_relay(bytes),
        LinkType::ENC => Ok(split::<12>(bytes)?.1),
        LinkType::NFLOG => nflog(bytes),
        LinkType::IPOIB => ip_over_infiniband(bytes),
        LinkType::ATM_RFC1483 => snap(bytes),
        // The same behind one byte for the direction.
        LinkType::PPP_WITH_DIR => ppp_framed(split::<1>(bytes)?.1),
        LinkType::C_HDLC_WITH_DIR => cisco_hdlc(split::<1>(bytes)?.1),
        LinkType::FRELAY_WITH_DIR => frame_relay(split::<1>(bytes)?.1),
        // Headers that name the link type of what follows; it is not one of them again.
        LinkType::PKTAP => pktap(bytes).and_then(|(link, rest)| not_wrapped(link).and_then(|link| network(link, rest))),
        LinkType::PPI => {
            wifi::ppi(bytes).and_then(|(link, rest)| not_wrapped(link).and_then(|link| network(link, rest)))
        }
        unknown => Err(Skip::UnknownLinkType(unknown)),
    }
}

/// Two addresses of six bytes, then a type.
#[inline]
pub(super) fn ethernet(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([.., t0, t1], rest) = split::<14>(bytes)?;
    match u16::from_be_bytes([*t0, *t1]) {
        IPV4 | IPV6 => Ok(rest),
        ethertype => after_ethertype(ethertype, rest),
    }
}

/// What follows an Ethernet type field: IP, or shims and then IP.
pub(super) fn after_ethertype(mut ethertype: u16, mut bytes: &[u8]) -> Result<&[u8], Skip> {
    for _ in 0..MAX_SHIMS {
        match ethertype {
            IPV4 | IPV6 => return Ok(bytes),
            // IEEE 802.1Q, 802.1ad, and the numbers that early stacked tags used: priority and VLAN, then a type. A VN-Tag
            // (0x8926, between switch and virtual machine) has the same form.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 | 0x8926 => {
                let ([_, _, t0, t1], rest) = split(bytes)?;
                (ethertype, bytes) = (u16::from_be_bytes([*t0, *t1]), rest);
            }
            // Longer ones: the port extension tag of IEEE 802.1BR, and Cisco's security group tag.
            0x893f | 0x8909 => {
                let ([.., t0, t1], rest) = split::<8>(bytes)?;
                (ethertype, bytes) = (u16::from_be_bytes([*t0, *t1]), rest);
            }
            // An instance number, then a whole frame (IEEE 802.1ah).
            0x88e7 => {
                let ([.., t0, t1], rest) = split::<18>(bytes)?;
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

/// MPLS labels (RFC 3032) down to the bottom of the stack. The label does not say what it carries: IP is told by its
/// version, an Ethernet pseudowire (RFC 4448) by the IP packet inside, with a control word in front or without.
pub(super) fn mpls(mut bytes: &[u8]) -> Result<&[u8], Skip> {
    for _ in 0..MAX_SHIMS {
        let ([_, _, last, _], rest) = split(bytes)?;
        bytes = rest;
        if last & 1 == 1 {
            let version = bytes.first().ok_or(Skip::Cut)? >> 4;
            if looks_like_ip(bytes) {
                return Ok(bytes);
            }
            let control_word = if version == 0 { bytes.get(4..) } else { None };
            let inside = [control_word, Some(bytes)].into_iter().flatten().find_map(|frame| {
                let ([.., t0, t1], rest) = split::<14>(frame).ok()?;
                tagged_ip(u16::from_be_bytes([*t0, *t1]), rest)
            });
            return match inside {
                Some(ip) => Ok(ip),
                None if matches!(version, 4 | 6) => Ok(bytes),
                None => Err(Skip::NotIp),
            };
        }
    }
    Err(Skip::Malformed)
}

/// The IP packet in what may be an Ethernet frame; through VLAN tags, but not
/// through further labels, since each would double the ways to read what follows.
fn tagged_ip(mut ethertype: u16, mut bytes: &[u8]) -> Option<&[u8]> {
    for _ in 0..MAX_SHIMS {
        match ethertype {
            IPV4 | IPV6 => return Some(bytes).filter(|ip| looks_like_ip(ip)),
            0x8100 | 0x88a8 => {
                let ([_, _, t0, t1], rest) = split(bytes).ok()?;
                (ethertype, bytes) = (u16::from_be_bytes([*t0, *t1]), rest);
            }
            _ => return None,
        }
    }
    None
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
        // RFC 3032 §4.3.
        [0x02, 0x81, rest @ ..] => mpls(rest),
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

/// An address of two, three or four bytes, the last with its low bit set (ITU-T Q.922), then what Cisco sends, a type of
/// the Ethernet registry, or a control byte and a protocol number (RFC 2427).
fn frame_relay(bytes: &[u8]) -> Result<&[u8], Skip> {
    let end = bytes.iter().take(4).position(|byte| byte & 1 == 1).ok_or(Skip::NotIp)?;
    match bytes.get(end + 1..).ok_or(Skip::Cut)? {
        [0x03, 0xcc | 0x8e, rest @ ..] => Ok(rest),
        // An organisation of three bytes (none) and a type, perhaps with a byte of padding in front.
        [0x03, 0x80, 0, 0, 0, t0, t1, rest @ ..] | [0x03, 0, 0x80, 0, 0, 0, t0, t1, rest @ ..] => {
            after_ethertype(u16::from_be_bytes([*t0, *t1]), rest)
        }
        [t0 @ 0x08..=0xff, t1, rest @ ..] => after_ethertype(u16::from_be_bytes([*t0, *t1]), rest),
        _ => Err(Skip::NotIp),
    }
}

/// Family, version 0, resource, then attributes of which one is the packet: length with this header, type, value, filled
/// up to four bytes, in the byte order of the recording machine.
fn nflog(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([_, version, _, _], mut rest) = split(bytes)?;
    if *version != 0 {
        return Err(Skip::NotIp);
    }
    loop {
        let ([l0, l1, t0, t1], value) = split(rest)?;
        // A type below 256 and a length tell the order: the type's high byte is 0.
        let read = if *t1 == 0 { u16::from_le_bytes } else { u16::from_be_bytes };
        let (length, kind) = (usize::from(read([*l0, *l1])), read([*t0, *t1]) & 0x7fff);
        let length = length.checked_sub(4).ok_or(Skip::Malformed)?;
        if kind == 9 {
            return Ok(value.get(..length).unwrap_or(value));
        }
        rest = value.get(length.next_multiple_of(4)..).ok_or(Skip::Cut)?;
    }
}

/// Global routing header (40 bytes), then a type and two bytes without meaning (RFC 4391 §6).
fn ip_over_infiniband(bytes: &[u8]) -> Result<&[u8], Skip> {
    let ([.., t0, t1, _, _], rest) = split::<44>(bytes)?;
    after_ethertype(u16::from_be_bytes([*t0, *t1]), rest)
}

/// Apple's capture on several interfaces: length of this header, kind of record, link type, all little-endian.
fn pktap(bytes: &[u8]) -> Result<(LinkType, &[u8]), Skip> {
    let ([l0, l1, l2, l3, _, _, _, _, d0, d1, d2, d3], _) = split(bytes)?;
    let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
    let link = u16::try_from(u32::from_le_bytes([*d0, *d1, *d2, *d3])).map_err(|_| Skip::Malformed)?;
    if length < 12 {
        return Err(Skip::Malformed);
    }
    Ok((LinkType(link), bytes.get(length..).ok_or(Skip::Cut)?))
}

fn not_wrapped(link: LinkType) -> Result<LinkType, Skip> {
    if matches!(link, LinkType::PKTAP | LinkType::PPI) { Err(Skip::Malformed) } else { Ok(link) }
}

/// Whether version and lengths of an IP header make sense.
pub(super) fn looks_like_ip(bytes: &[u8]) -> bool {
    match *bytes {
        [first @ 0x45..=0x4f, _, l0, l1, ..] => {
            let (header, total) = (usize::from(first & 15) * 4, usize::from(u16::from_be_bytes([l0, l1])));
            bytes.len() >= header && (total == 0 || total >= header)
        }
        [0x60..=0x6f, ..] => bytes.len() >= 40,
        _ => false,
    }
}
