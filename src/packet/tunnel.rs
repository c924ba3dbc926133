//! Tunnels: IP packets that carry another link or network layer.
//!
//! Each kind is one small function that strips its own header and passes the rest on to what reads it anywhere else.
//! Nesting is bounded by the caller. What runs over UDP is told by port number alone, so it counts as a tunnel only if
//! something that looks like an IP packet is inside.

use super::{Skip, link, split};

/// The tunnel that a segment was found in; of nested ones, the innermost.
///
/// A segment seen inside and outside of a tunnel differs in nothing else. The number need not be the same for both
/// directions (GTP-U and keyed GRE use one for each), so it tells where a segment was seen, not which flow it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// How it is encapsulated.
    pub kind: TunnelKind,
    /// VXLAN or GENEVE network identifier, GTP-U tunnel endpoint identifier, GRE key, ERSPAN session; 0 for kinds and
    /// packets without a number.
    pub id: u32,
    /// How many tunnels are around the segment, this one included; from 1.
    pub depth: u8,
}

/// Kinds of tunnels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TunnelKind {
    /// IPv4 or IPv6 directly in IP (RFC 2003, RFC 2473, RFC 4213), Ethernet in IP (RFC 3378), MPLS in IP (RFC 4023) or
    /// in UDP (RFC 7510).
    IpInIp,
    /// Generic Routing Encapsulation (RFC 2784, RFC 2890), also that of PPTP (RFC 2637).
    Gre,
    /// Mirrored by a Cisco switch, types I to III.
    Erspan,
    /// RFC 7348, and its generic protocol extension.
    Vxlan,
    /// RFC 8926.
    Geneve,
    /// User plane of mobile networks (3GPP TS 29.281).
    GtpU,
    /// TaZmen Sniffer Protocol: routers and access points send what they record.
    Tzsp,
}

impl TunnelKind {
    /// The name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpInIp => "ipip",
            Self::Gre => "gre",
            Self::Erspan => "erspan",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::GtpU => "gtpu",
            Self::Tzsp => "tzsp",
        }
    }
}

/// What a tunnel header leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inner<'a> {
    pub(super) kind: TunnelKind,
    pub(super) id: u32,
    /// From the inner IP header on.
    pub(super) network: &'a [u8],
}

/// The tunnel in the payload of an IP packet; `NotTcp` if there is none.
pub(super) fn inner(protocol: u8, payload: &[u8]) -> Result<Inner<'_>, Skip> {
    let plain = |network| Inner { kind: TunnelKind::IpInIp, id: 0, network };
    match protocol {
        4 | 41 => Ok(plain(payload)),
        17 => udp(payload),
        47 => gre(payload),
        // Two bytes of version.
        97 => link::ethernet(split::<2>(payload)?.1).map(plain),
        137 => link::mpls(payload).map(plain),
        _ => Err(Skip::NotTcp),
    }
}

/// Either port may be the tunnel's: requests of some implementations come from it, answers go to another.
fn udp(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([s0, s1, d0, d1, ..], rest) = split::<8>(bytes)?;
    for port in [[*d0, *d1], [*s0, *s1]].map(u16::from_be_bytes) {
        let inner = match port {
            // 8472 is what Linux and the container networks built on it use by default.
            // 48879 is that of Cisco's fabrics.
            4789 | 8472 | 48879 => vxlan(rest),
            4790 => vxlan_gpe(rest),
            6081 => geneve(rest),
            2152 => gtp_u(rest),
            // RFC 7510.
            6635 => link::mpls(rest).map(|network| Inner { kind: TunnelKind::IpInIp, id: 0, network }),
            37008 => tzsp(rest),
            _ => continue,
        };
        if let Some(inner) = inner.ok().filter(|inner| link::looks_like_ip(inner.network)) {
            return Ok(inner);
        }
    }
    Err(Skip::NotTcp)
}

/// What a type of the Ethernet registry announces, with whole Ethernet frames among it ("transparent bridging").
fn bridged(ethertype: u16, bytes: &[u8]) -> Result<&[u8], Skip> {
    match ethertype {
        0x6558 => link::ethernet(bytes),
        _ => link::after_ethertype(ethertype, bytes),
    }
}

/// Flags and type, then what the flags announce: checksum, key, sequence number.
fn gre(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([f0, f1, t0, t1], mut rest) = split(bytes)?;
    let [routing, numbered] = [0x40, 0x10].map(|bit| f0 & bit != 0);
    let protocol = u16::from_be_bytes([*t0, *t1]);
    let mut id = 0;
    match f1 & 7 {
        // Source routes were never used and are gone from RFC 2784.
        0 if !routing => {
            if f0 & 0x80 != 0 {
                rest = split::<4>(rest)?.1;
            }
            if f0 & 0x20 != 0 {
                let (key, after) = split(rest)?;
                (id, rest) = (u32::from_be_bytes(*key), after);
            }
            if numbered {
                rest = split::<4>(rest)?.1;
            }
        }
        // PPTP: payload length and call, then the numbers of this packet and of the acknowledged one.
        1 if protocol == 0x880b => {
            let ([_, _, c0, c1], after) = split(rest)?;
            (id, rest) = (u32::from(u16::from_be_bytes([*c0, *c1])), after);
            for _ in 0..u8::from(numbered) + (f1 >> 7) {
                rest = split::<4>(rest)?.1;
            }
        }
        _ => return Err(Skip::NotTcp),
    }
    let network = match protocol {
        0x88be if numbered => return erspan_ii(rest),
        // Type I: no header of its own, and no sequence number to tell it by.
        0x88be => return Ok(Inner { kind: TunnelKind::Erspan, id: 0, network: link::ethernet(rest)? }),
        0x22eb => return erspan_iii(rest),
        0x880b => link::ppp_framed(rest)?,
        _ => bridged(protocol, rest)?,
    };
    Ok(Inner { kind: TunnelKind::Gre, id, network })
}

/// Version and VLAN, session in ten bits, port index.
fn erspan_ii(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([_, _, s0, s1, ..], rest) = split::<8>(bytes)?;
    Ok(Inner { kind: TunnelKind::Erspan, id: session(*s0, *s1), network: link::ethernet(rest)? })
}

/// The same with a timestamp, the type of the frame, and a further header if the last bit says so.
fn erspan_iii(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([_, _, s0, s1, _, _, _, _, _, _, frame, last], mut rest) = split(bytes)?;
    if last & 1 != 0 {
        rest = split::<8>(rest)?.1;
    }
    let network = match frame >> 2 & 31 {
        0 => link::ethernet(rest)?,
        2 => rest,
        _ => return Err(Skip::NotIp),
    };
    Ok(Inner { kind: TunnelKind::Erspan, id: session(*s0, *s1), network })
}

fn session(s0: u8, s1: u8) -> u32 {
    u32::from(u16::from_be_bytes([s0, s1]) & 0x3ff)
}

/// A flag that the network identifier counts, that identifier, an Ethernet frame.
fn vxlan(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([flags, _, _, _, vni @ .., _], rest) = split::<8>(bytes)?;
    if flags & 0x08 == 0 {
        return Err(Skip::NotTcp);
    }
    Ok(Inner { kind: TunnelKind::Vxlan, id: id_of_24_bits(*vni), network: link::ethernet(rest)? })
}

/// With flag P, the fourth byte says what follows.
fn vxlan_gpe(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([flags, _, _, next, vni @ .., _], rest) = split::<8>(bytes)?;
    let network = match (flags & 0x0c, next) {
        (0x08, _) | (0x0c, 3) => link::ethernet(rest)?,
        (0x0c, 1 | 2) => rest,
        (0x0c, 5) => link::mpls(rest)?,
        _ => return Err(Skip::NotTcp),
    };
    Ok(Inner { kind: TunnelKind::Vxlan, id: id_of_24_bits(*vni), network })
}

/// Version 0 with the length of the options in words, type, network identifier, options.
fn geneve(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([first @ 0..=0x3f, _, t0, t1, vni @ .., _], rest) = split::<8>(bytes)? else { return Err(Skip::NotTcp) };
    let rest = rest.get(usize::from(*first) * 4..).ok_or(Skip::Cut)?;
    let network = bridged(u16::from_be_bytes([*t0, *t1]), rest)?;
    Ok(Inner { kind: TunnelKind::Geneve, id: id_of_24_bits(*vni), network })
}

fn id_of_24_bits([high, middle, low]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, high, middle, low])
}

/// Version 1 of the GTP proper, message type 255 (user data), length, tunnel endpoint identifier. If any of three flags
/// is set, four more bytes: sequence number, N-PDU number, and the type of the first extension header, of which each
/// ends with the type of the next.
fn gtp_u(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([flags, 0xff, _, _, id @ ..], mut rest) = split::<8>(bytes)? else { return Err(Skip::NotTcp) };
    if flags & 0xf0 != 0x30 {
        return Err(Skip::NotTcp);
    }
    if flags & 0x07 != 0 {
        let (&[_, _, _, mut next], after) = split(rest)?;
        rest = after;
        while flags & 0x04 != 0 && next != 0 {
            // The length counts words and includes itself and the next type.
            let words = usize::from(*rest.first().ok_or(Skip::Cut)?);
            if words == 0 {
                return Err(Skip::Malformed);
            }
            let (header, after) = rest.split_at_checked(words * 4).ok_or(Skip::Cut)?;
            next = *header.last().ok_or(Skip::Cut)?;
            rest = after;
        }
    }
    Ok(Inner { kind: TunnelKind::GtpU, id: u32::from_be_bytes(*id), network: rest })
}

/// Version 1, a type (0 and 5 carry packets), what was recorded, then tags up to the one that ends them.
fn tzsp(bytes: &[u8]) -> Result<Inner<'_>, Skip> {
    let ([1, 0 | 5, p0, p1], mut rest) = split(bytes)? else { return Err(Skip::NotTcp) };
    loop {
        rest = match rest {
            [1, after @ ..] => {
                rest = after;
                break;
            }
            [0, after @ ..] => after,
            [_, length, after @ ..] => after.get(usize::from(*length)..).ok_or(Skip::Cut)?,
            _ => return Err(Skip::Cut),
        };
    }
    let network = match u16::from_be_bytes([*p0, *p1]) {
        1 => link::ethernet(rest)?,
        18 => super::wifi::frame(rest)?,
        _ => return Err(Skip::NotIp),
    };
    Ok(Inner { kind: TunnelKind::Tzsp, id: 0, network })
}

#[cfg(test)]
mod tests {
    use super::super::Decoder;
    use super::super::tests::{ADDRESSES, ipv4, ipv6, join, packet, tcp};
    use super::TunnelKind::{Erspan, Geneve, Gre, GtpU, IpInIp, Vxlan};
    use super::*;
    use crate::capture::LinkType;
    use crate::limits::Limits;
    use proptest::prelude::*;

    /// UDP from port 50000; the checksum may be left out.
    fn udp(port: u16, parts: &[&[u8]]) -> Vec<u8> {
        let payload = join(parts);
        let (port, length) = (port.to_be_bytes(), (8 + payload.len() as u16).to_be_bytes());
        join(&[&[0xc3, 0x50, port[0], port[1], length[0], length[1], 0, 0], &payload])
    }

    /// One packet of each kind around the same segment, outermost an IPv4 packet.
    fn tunnels() -> Vec<(&'static str, Vec<u8>, TunnelKind, u32)> {
        let v4 = ipv4(6, &tcp(0x18, &[], b"data"));
        let v6 = ipv6(6, &tcp(0x18, &[], b"data"));
        let frame = join(&[&ADDRESSES, &[8, 0], &v4]);
        let tagged = join(&[&ADDRESSES, &[0x81, 0, 0, 5, 0x86, 0xdd], &v6]);
        let mpls = join(&[&[0, 1, 1, 64], &v4]);
        let gre = |parts: &[&[u8]]| ipv4(47, &join(parts));
        let over_udp = |port, parts: &[&[u8]]| ipv4(17, &udp(port, parts));
        vec![
            ("IP in IP", ipv4(4, &v4), IpInIp, 0),
            ("6in4", ipv4(41, &v6), IpInIp, 0),
            ("4in6", ipv6(4, &v4), IpInIp, 0),
            ("MPLS in IP", ipv4(137, &mpls), IpInIp, 0),
            ("GRE", gre(&[&[0, 0, 8, 0], &v4]), Gre, 0),
            ("GRE, IPv6", gre(&[&[0, 0, 0x86, 0xdd], &v6]), Gre, 0),
            ("GRE, Ethernet", gre(&[&[0, 0, 0x65, 0x58], &frame]), Gre, 0),
            ("GRE, MPLS", gre(&[&[0, 0, 0x88, 0x47], &mpls]), Gre, 0),
            ("GRE, key", gre(&[&[0x20, 0, 8, 0, 0, 1, 2, 3], &v4]), Gre, 0x010203),
            (
                "GRE, checksum, key and sequence",
                gre(&[&[0xb0, 0, 8, 0, 0xab, 0xcd, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1], &v4]),
                Gre,
                9,
            ),
            (
                "PPTP",
                gre(&[&[0x30, 0x81, 0x88, 0x0b, 0, 50, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 3, 0, 0x21], &v4]),
                Gre,
                7,
            ),
            ("ERSPAN I", gre(&[&[0, 0, 0x88, 0xbe], &frame]), Erspan, 0),
            (
                "ERSPAN II",
                gre(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0x01, 0x02, 0, 0, 0, 3], &frame]),
                Erspan,
                258,
            ),
            (
                "ERSPAN III",
                gre(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0], &tagged]),
                Erspan,
                9,
            ),
            (
                "ERSPAN III with platform header",
                gre(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1], &[0; 8], &frame]),
                Erspan,
                9,
            ),
            ("VXLAN", over_udp(4789, &[&[8, 0, 0, 0, 0, 0x12, 0x34, 0], &frame]), Vxlan, 0x1234),
            ("VXLAN, tag and IPv6", over_udp(4789, &[&[8, 0, 0, 0, 1, 0, 0, 0], &tagged]), Vxlan, 0x10000),
            ("VXLAN on Linux", over_udp(8472, &[&[8, 0, 0, 0, 0, 0, 1, 0], &frame]), Vxlan, 1),
            ("VXLAN-GPE, IPv4", over_udp(4790, &[&[0x0c, 0, 0, 1, 0, 0, 5, 0], &v4]), Vxlan, 5),
            ("VXLAN-GPE, IPv6", over_udp(4790, &[&[0x0c, 0, 0, 2, 0, 0, 5, 0], &v6]), Vxlan, 5),
            ("VXLAN-GPE, Ethernet", over_udp(4790, &[&[0x0c, 0, 0, 3, 0, 0, 5, 0], &frame]), Vxlan, 5),
            ("GENEVE", over_udp(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 7, 0], &frame]), Geneve, 7),
            (
                "GENEVE, option, IPv4",
                over_udp(6081, &[&[2, 0, 8, 0, 0, 0, 7, 0], &[1, 3, 0, 1, 0, 0, 0, 0], &v4]),
                Geneve,
                7,
            ),
            ("GTP-U", over_udp(2152, &[&[0x30, 0xff, 0, 44, 0, 0, 1, 2], &v4]), GtpU, 258),
            ("GTP-U, sequence number", over_udp(2152, &[&[0x32, 0xff, 0, 48, 0, 0, 1, 2, 0, 9, 0, 0], &v4]), GtpU, 258),
            (
                "GTP-U, PDU session container as of 5G",
                over_udp(2152, &[&[0x34, 0xff, 0, 52, 0, 0, 1, 2, 0, 0, 0, 0x85], &[1, 0, 9, 0], &v4]),
                GtpU,
                258,
            ),
            (
                "GTP-U, two extension headers",
                over_udp(
                    2152,
                    &[&[0x34, 0xff, 0, 80, 0, 0, 1, 2, 0, 0, 0, 0x85], &[1, 0, 9, 0x40, 2, 0, 0, 0, 0, 0, 0, 0], &v6],
                ),
                GtpU,
                258,
            ),
        ]
    }

    fn decoder() -> Decoder {
        Decoder::new(&Limits::default())
    }

    #[test]
    fn every_tunnel_is_looked_into() {
        for (name, bytes, kind, id) in tunnels() {
            let mut decoder = decoder();
            let segment = decoder.decode(&packet(LinkType::RAW, &bytes)).expect(name);
            assert_eq!((segment.payload, segment.payload_cut), (&b"data"[..], 0), "{name}");
            assert_eq!(segment.tunnel, Some(Tunnel { kind, id, depth: 1 }), "{name}");
            assert_eq!((segment.source.port, segment.destination.port), (40000, 80), "{name}");
        }
    }

    #[test]
    fn an_inner_packet_may_be_cut() {
        for (name, bytes, ..) in tunnels() {
            let mut cut = packet(LinkType::RAW, &bytes[..bytes.len() - 3]);
            cut.original_len = bytes.len() as u32;
            let mut decoder = decoder();
            let segment = decoder.decode(&cut).expect(name);
            assert_eq!((segment.payload, segment.payload_cut), (&b"d"[..], 3), "{name}");
        }
    }

    #[test]
    fn the_innermost_tunnel_counts() {
        let inside = ipv4(6, &tcp(0x18, &[], b"data"));
        let vxlan = udp(4789, &[&[8, 0, 0, 0, 0, 0, 5, 0], &ADDRESSES, &[8, 0], &ipv4(4, &inside)]);
        let bytes = ipv4(47, &join(&[&[0, 0, 8, 0], &ipv4(17, &vxlan)]));
        let mut decoder = decoder();
        let segment = decoder.decode(&packet(LinkType::RAW, &bytes)).unwrap();
        assert_eq!(segment.tunnel, Some(Tunnel { kind: IpInIp, id: 0, depth: 3 }));
    }

    #[test]
    fn tunnels_may_be_nested_only_so_deep() {
        let mut bytes = ipv4(6, &tcp(0x18, &[], b"data"));
        let mut decoder = decoder();
        let most = Limits::default().tunnel_depth;
        for depth in 1..=most + 1 {
            bytes = ipv4(4, &bytes);
            let tunnel = decoder.decode(&packet(LinkType::RAW, &bytes)).map(|segment| segment.tunnel.unwrap().depth);
            assert_eq!(tunnel, if depth <= most { Ok(depth) } else { Err(Skip::Malformed) });
        }
        assert_eq!(decoder.limit_hits().tunnels, 1);
    }

    #[test]
    fn a_port_alone_makes_no_tunnel() {
        let v4 = ipv4(6, &tcp(0x18, &[], b"data"));
        let frame = join(&[&ADDRESSES, &[8, 0], &v4]);
        let cases: &[(&str, u16, Vec<u8>)] = &[
            ("another port", 4788, join(&[&[8, 0, 0, 0, 0, 0, 1, 0], &frame])),
            ("VXLAN without the flag", 4789, join(&[&[0; 8], &frame])),
            ("ARP in VXLAN", 4789, join(&[&[8, 0, 0, 0, 0, 0, 1, 0], &ADDRESSES, &[8, 6], &[0; 28]])),
            ("no IP in it", 4789, join(&[&[8, 0, 0, 0, 0, 0, 1, 0], &ADDRESSES, &[8, 0], &[0; 40]])),
            ("GENEVE of another version", 6081, join(&[&[0x40, 0, 0x65, 0x58, 0, 0, 7, 0], &frame])),
            ("GTP echo", 2152, vec![0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0]),
            ("GTP prime", 2152, join(&[&[0x20, 0xff, 0, 44, 0, 0, 0, 1], &v4])),
            ("endless extension header", 2152, join(&[&[0x34, 0xff, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1], &[0; 40]])),
            ("no header", 2152, vec![0x30]),
            ("nothing", 4789, vec![]),
        ];
        for (name, port, payload) in cases {
            let bytes = ipv4(17, &udp(*port, &[payload]));
            let skip = decoder().decode(&packet(LinkType::RAW, &bytes)).map(|_| ()).unwrap_err();
            assert_eq!(skip, Skip::NotTcp, "{name}");
        }
    }

    #[test]
    fn a_fragmented_tunnel_packet_is_put_together() {
        // What overlays do whose MTU was not lowered: the outer packet in two parts, the inner one whole. And once more
        // with an inner packet in two parts.
        let halves = |bytes: &[u8], identification: u8| {
            let (head, tail) = bytes.split_at(48);
            let mut parts = [ipv4(17, head), ipv4(17, tail)];
            parts.iter_mut().for_each(|part| part[5] = identification);
            (parts[0][6], parts[1][6], parts[1][7]) = (0x20, 0, 6);
            parts
        };
        let vxlan = |ip: &[u8]| udp(4789, &[&[8, 0, 0, 0, 0, 0, 5, 0], &ADDRESSES, &[8, 0], ip]);
        let mut decoder = decoder();
        let mut payload_of = |bytes: &[u8]| {
            decoder.decode(&packet(LinkType::RAW, bytes)).map(|segment| (segment.payload.to_vec(), segment.tunnel))
        };
        let found = |text: &[u8]| Ok((text.to_vec(), Some(Tunnel { kind: Vxlan, id: 5, depth: 1 })));
        let [head, tail] = halves(&vxlan(&ipv4(6, &tcp(0x18, &[], b"data"))), 1);
        assert_eq!(payload_of(&tail), Err(Skip::Fragment));
        assert_eq!(payload_of(&head), found(b"data"));

        let mut inner = halves(&tcp(0x18, &[], &[b'x'; 40]), 1);
        inner.iter_mut().for_each(|part| part[9] = 6);
        let [[a, b], [c, d]] = [halves(&vxlan(&inner[0]), 2), halves(&vxlan(&inner[1]), 3)];
        for part in [a, b, c] {
            assert_eq!(payload_of(&part), Err(Skip::Fragment));
        }
        assert_eq!(payload_of(&d), found(&[b'x'; 40]));
    }

    proptest! {
        #[test]
        fn no_flipped_tunnel_panics(
            which in any::<prop::sample::Index>(), outer in any::<prop::sample::Index>(), cut in 0usize..200,
            flips in prop::collection::vec((0usize..140, any::<u8>()), 0..4),
        ) {
            let tunnels = tunnels();
            let (_, inside, ..) = &tunnels[which.index(tunnels.len())];
            let (_, around, ..) = &tunnels[outer.index(tunnels.len())];
            let mut bytes = join(&[&around[..around.len().min(44)], inside]);
            for (at, value) in flips {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= value;
                }
            }
            let _ = decoder().decode(&packet(LinkType::RAW, &bytes[..cut.min(bytes.len())]));
        }

        #[test]
        fn no_tunnel_bytes_panic(protocol in any::<u8>(), port in any::<u16>(), bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            for protocol in [protocol, 4, 41, 47, 137] {
                let _ = decoder().decode(&packet(LinkType::RAW, &ipv4(protocol, &bytes)));
            }
            for port in [port, 4789, 4790, 8472, 6081, 2152] {
                let _ = decoder().decode(&packet(LinkType::RAW, &ipv4(17, &udp(port, &[&bytes]))));
            }
        }
    }
}
