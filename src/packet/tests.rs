//! Packets put together byte by byte from the RFCs' header drawings, and packets that make no sense at all.

use super::*;
use crate::capture::LinkType;
use crate::units::{Endpoint, PacketNumber};
use proptest::prelude::*;

/// Ports 40000 to 80, sequence 0x01020304, acknowledgement 0x05060708, window 0x1234; `flags` as given.
pub(super) fn tcp(flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x9c, 0x40, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8];
    bytes.extend([((20 + options.len()) * 4) as u8, flags, 0x12, 0x34, 0xde, 0xad, 0, 0]);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

/// 10.0.0.1 to 10.0.0.2, time to live 61.
pub(super) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let total = (20 + payload.len() as u16).to_be_bytes();
    let mut bytes = vec![0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 61, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    bytes.extend(payload);
    bytes
}

/// 2001:db8::1 to 2001:db8::2, hop limit 62.
pub(super) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let mut bytes = vec![0x60, 0, 0, 0, length[0], length[1], next, 62];
    for last in [1, 2] {
        bytes.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    bytes.extend(payload);
    bytes
}

/// `parts` one after the other.
pub(super) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(super) fn packet(link: LinkType, bytes: &[u8]) -> Packet<'_> {
    Packet { number: PacketNumber::FIRST, time: None, link, interface: 0, bytes, original_len: bytes.len() as u32 }
}

fn decoder() -> Decoder {
    Decoder::new(&Limits::default())
}

fn payload_of(link: LinkType, bytes: &[u8]) -> Result<Vec<u8>, Skip> {
    decoder().decode(&packet(link, bytes)).map(|segment| segment.payload.to_vec())
}

pub(super) const ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

#[test]
fn every_field_of_a_plain_segment() {
    let bytes = join(&[&ADDRESSES, &[8, 0], &ipv4(6, &tcp(0x18, &[], b"hello"))]);
    let mut decoder = decoder();
    let segment = decoder.decode(&packet(LinkType::EN10MB, &bytes)).unwrap();
    assert_eq!(segment.source, Endpoint { ip: "10.0.0.1".parse().unwrap(), port: 40000 });
    assert_eq!(segment.destination, Endpoint { ip: "10.0.0.2".parse().unwrap(), port: 80 });
    assert_eq!(segment.seq, SeqNumber(0x0102_0304));
    assert_eq!(segment.ack, Some(SeqNumber(0x0506_0708)));
    assert_eq!(segment.flags, TcpFlags::PSH | TcpFlags::ACK);
    assert_eq!((segment.window, segment.hop_limit), (0x1234, 61));
    assert_eq!((segment.payload, segment.payload_cut, segment.sequence_len()), (&b"hello"[..], 0, 5));
    assert_eq!(segment.options, TcpOptions::default());
}

#[test]
fn ipv6_segment() {
    let bytes = ipv6(6, &tcp(0x11, &[], b"bye"));
    let mut decoder = decoder();
    let segment = decoder.decode(&packet(LinkType::IPV6, &bytes)).unwrap();
    assert_eq!(segment.source.to_string(), "[2001:db8::1]:40000");
    assert_eq!(segment.destination.to_string(), "[2001:db8::2]:80");
    assert_eq!((segment.payload, segment.hop_limit, segment.sequence_len()), (&b"bye"[..], 62, 4));
}

#[test]
fn syn_options_are_read() {
    // MSS 1460, SACK permitted, timestamps, no-op, window scale 7: what Linux sends.
    let options = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let bytes = ipv4(6, &tcp(0x02, &options, b""));
    let mut decoder = decoder();
    let segment = decoder.decode(&packet(LinkType::RAW, &bytes)).unwrap();
    assert_eq!(segment.options, TcpOptions { window_scale: Some(7), mss: Some(1460) });
    assert_eq!((segment.ack, segment.sequence_len()), (None, 1));
    // The same bytes without SYN mean nothing.
    let bytes = ipv4(6, &tcp(0x10, &options, b""));
    assert_eq!(decoder.decode(&packet(LinkType::RAW, &bytes)).unwrap().options, TcpOptions::default());
}

#[test]
fn every_link_layer_reaches_the_segment() {
    let v4 = ipv4(6, &tcp(0x18, &[], b"data"));
    let v6 = ipv6(6, &tcp(0x18, &[], b"data"));
    let vlan: &[u8] = &[0x81, 0, 0, 5];
    // Duration, three addresses, sequence number; without the frame control in front.
    let wifi = join(&[&[0, 0], &[2; 18], &[0x10, 0]]);
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let cases: &[(&str, LinkType, Vec<u8>)] = &[
        ("ethernet, ipv6", LinkType::EN10MB, join(&[&ADDRESSES, &[0x86, 0xdd], &v6])),
        ("one tag", LinkType::EN10MB, join(&[&ADDRESSES, vlan, &[8, 0], &v4])),
        ("QinQ", LinkType::EN10MB, join(&[&ADDRESSES, &[0x88, 0xa8, 0, 1], vlan, &[8, 0], &v4])),
        ("five tags", LinkType::EN10MB, join(&[&ADDRESSES, &[0x91, 0, 0, 1], vlan, vlan, vlan, vlan, &[8, 0], &v4])),
        ("SNAP", LinkType::EN10MB, join(&[&ADDRESSES, &[0, 72], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4])),
        ("MPLS, two labels", LinkType::EN10MB, join(&[&ADDRESSES, &[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64], &v4])),
        ("PPPoE", LinkType::EN10MB, join(&[&ADDRESSES, &[0x88, 0x64, 0x11, 0, 0, 7, 0, 46, 0, 0x21], &v4])),
        ("cooked", LinkType::LINUX_SLL, join(&[&[0, 4, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], &v4])),
        ("cooked, tag", LinkType::LINUX_SLL, join(&[&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0], vlan, &[8, 0], &v4])),
        (
            "cooked v2",
            LinkType::LINUX_SLL2,
            join(&[&[0x86, 0xdd, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0], &v6]),
        ),
        ("loopback, little-endian", LinkType::NULL, join(&[&[2, 0, 0, 0], &v4])),
        ("loopback, big-endian", LinkType::NULL, join(&[&[0, 0, 0, 2], &v4])),
        ("loopback, macOS IPv6", LinkType::NULL, join(&[&[30, 0, 0, 0], &v6])),
        ("OpenBSD loopback", LinkType::LOOP, join(&[&[0, 0, 0, 24], &v6])),
        ("raw", LinkType::RAW, v6.clone()),
        ("raw, old number", LinkType(12), v4.clone()),
        ("ipv4", LinkType::IPV4, v4.clone()),
        ("PPP in HDLC framing", LinkType::PPP, join(&[&[0xff, 3, 0, 0x21], &v4])),
        ("PPP, compressed protocol", LinkType::PPP, join(&[&[0x57], &v6])),
        ("PPP in HDLC framing, own number", LinkType::PPP_HDLC, join(&[&[0xff, 3, 0, 0x57], &v6])),
        ("PPPoE from its header on", LinkType::PPP_ETHER, join(&[&[0x11, 0, 0, 7, 0, 46, 0, 0x21], &v4])),
        ("Cisco HDLC", LinkType::C_HDLC, join(&[&[0x0f, 0, 8, 0], &v4])),
        ("MPLS", LinkType::MPLS, join(&[&[0, 1, 1, 64], &v4])),
        ("Wi-Fi", LinkType::IEEE802_11, join(&[&[0x08, 1], &wifi, &snap, &v4])),
        ("Wi-Fi with QoS", LinkType::IEEE802_11, join(&[&[0x88, 2], &wifi, &[5, 0], &snap, &v4])),
        (
            "Wi-Fi with QoS and HT control",
            LinkType::IEEE802_11,
            join(&[&[0x88, 0x82], &wifi, &[5, 0, 1, 2, 3, 4], &snap, &v4]),
        ),
        ("Wi-Fi between access points", LinkType::IEEE802_11, join(&[&[0x08, 3], &wifi, &[1; 6], &snap, &v4])),
        (
            "Wi-Fi behind radiotap, checksum at the end",
            LinkType::IEEE802_11_RADIOTAP,
            join(&[&[0, 0, 9, 0, 2, 0, 0, 0, 0x10], &[0x08, 1], &wifi, &snap, &v4, &[0; 4]]),
        ),
    ];
    for (name, link, bytes) in cases {
        assert_eq!(payload_of(*link, bytes), Ok(b"data".to_vec()), "{name}");
    }
}

#[test]
fn skipped_for_the_right_reason() {
    let tcp = tcp(0x18, &[], b"data");
    let mut fragment = ipv4(6, &tcp);
    fragment[6] = 0x20;
    let mut last_fragment = ipv4(6, &tcp);
    last_fragment[7] = 3;
    let fragment_v6 = ipv6(44, &join(&[&[6, 0, 0, 1, 0, 0, 0, 9], &tcp]));
    let mut tags = ADDRESSES.to_vec();
    tags.extend([0x81, 0, 0, 5].repeat(100));
    let mut bad_offset = tcp.clone();
    bad_offset[12] = 0x40;
    let cases: &[(&str, LinkType, Vec<u8>, Skip)] = &[
        ("USB", LinkType(189), vec![0; 60], Skip::UnknownLinkType(LinkType(189))),
        ("ARP", LinkType::EN10MB, join(&[&ADDRESSES, &[8, 6], &[0; 28]]), Skip::NotIp),
        ("spanning tree", LinkType::EN10MB, join(&[&ADDRESSES, &[0, 38, 0x42, 0x42, 3], &[0; 35]]), Skip::NotIp),
        ("appletalk on loopback", LinkType::NULL, vec![16, 0, 0, 0, 0x45], Skip::NotIp),
        ("beacon", LinkType::IEEE802_11, join(&[&[0x80, 0], &[0; 60]]), Skip::NotIp),
        ("null function", LinkType::IEEE802_11, join(&[&[0xc8, 1], &[0; 60]]), Skip::NotIp),
        ("encrypted Wi-Fi", LinkType::IEEE802_11, join(&[&[0x08, 0x41], &[0; 60]]), Skip::NotIp),
        ("fragmented Wi-Fi", LinkType::IEEE802_11, join(&[&[0x08, 5], &[0; 60]]), Skip::NotIp),
        ("several in one", LinkType::IEEE802_11, join(&[&[0x88, 1], &[0; 22], &[0x80, 0], &[0; 60]]), Skip::NotIp),
        ("radiotap of length 0", LinkType::IEEE802_11_RADIOTAP, vec![0; 60], Skip::Malformed),
        ("UDP", LinkType::RAW, ipv4(17, &[0; 8]), Skip::NotTcp),
        ("ICMPv6", LinkType::RAW, ipv6(58, &[0; 8]), Skip::NotTcp),
        ("first fragment", LinkType::RAW, fragment, Skip::Fragment),
        ("last fragment", LinkType::RAW, last_fragment, Skip::Fragment),
        ("IPv6 fragment", LinkType::RAW, fragment_v6, Skip::Fragment),
        ("endless tags", LinkType::EN10MB, tags, Skip::Malformed),
        ("IP version 5", LinkType::RAW, vec![0x55; 40], Skip::Malformed),
        ("data offset below 5", LinkType::RAW, ipv4(6, &bad_offset), Skip::Malformed),
        ("no room for TCP", LinkType::RAW, ipv4(6, &tcp[..19]), Skip::Malformed),
        ("empty", LinkType::EN10MB, vec![], Skip::Malformed),
    ];
    for (name, link, bytes, skip) in cases {
        assert_eq!(payload_of(*link, bytes), Err(*skip), "{name}");
    }
}

#[test]
fn ipv6_extension_headers_are_walked() {
    let tcp = tcp(0x18, &[], b"data");
    let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
    let destination = [6, 0, 1, 4, 0, 0, 0, 0];
    assert_eq!(payload_of(LinkType::RAW, &ipv6(0, &join(&[&hop_by_hop, &destination, &tcp]))), Ok(b"data".to_vec()));
    // A "fragment" that is the whole packet (RFC 6946).
    let atomic = [6, 0, 0, 0, 0, 0, 0, 9];
    assert_eq!(payload_of(LinkType::RAW, &ipv6(44, &join(&[&atomic, &tcp]))), Ok(b"data".to_vec()));
}

#[test]
fn ethernet_padding_is_not_payload() {
    let bytes = join(&[&ADDRESSES, &[8, 0], &ipv4(6, &tcp(0x10, &[], b"")), &[0; 6]]);
    assert_eq!(payload_of(LinkType::EN10MB, &bytes), Ok(vec![]));
}

#[test]
fn a_missing_ip_length_means_all_that_is_there() {
    let mut bytes = ipv4(6, &tcp(0x18, &[], b"offloaded"));
    bytes[2..4].copy_from_slice(&[0, 0]);
    assert_eq!(payload_of(LinkType::RAW, &bytes), Ok(b"offloaded".to_vec()));
    let mut cut = packet(LinkType::RAW, &bytes);
    cut.original_len += 70_000;
    assert_eq!(decoder().decode(&cut).unwrap().payload_cut, 70_000);
    let mut bytes = ipv6(6, &tcp(0x18, &[], b"offloaded"));
    bytes[4..6].copy_from_slice(&[0, 0]);
    assert_eq!(payload_of(LinkType::RAW, &bytes), Ok(b"offloaded".to_vec()));
}

/// Cut after each byte: nothing is lost before the end of the fixed header, and what is missing is told exactly.
#[test]
fn the_snapshot_length_may_cut_anywhere() {
    let options = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    for bytes in [ipv4(6, &tcp(0x19, &options, b"0123456789")), ipv6(6, &tcp(0x19, &options, b"0123456789"))] {
        let headers = bytes.len() - 10;
        for length in 0..bytes.len() {
            let mut packet = packet(LinkType::RAW, &bytes[..length]);
            packet.original_len = bytes.len() as u32;
            match decoder().decode(&packet) {
                Err(skip) => {
                    assert_eq!(skip, Skip::Cut);
                    assert!(length < headers - options.len(), "cut at {length}");
                }
                Ok(segment) => {
                    assert!(length >= headers - options.len());
                    assert_eq!(segment.payload.len(), length.saturating_sub(headers), "cut at {length}");
                    assert_eq!(segment.sequence_len(), 11);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(link in any::<u16>(), bytes in prop::collection::vec(any::<u8>(), 0..200), original_len in any::<u32>()) {
        for link in [link, 0, 1, 9, 51, 101, 104, 105, 108, 113, 127, 219, 276] {
            let mut packet = packet(LinkType(link), &bytes);
            packet.original_len = original_len;
            if let Ok(segment) = decoder().decode(&packet) {
                prop_assert!(segment.data_len() < 1 << 21);
            }
        }
    }

    #[test]
    fn no_flipped_packet_panics(v6 in any::<bool>(), cut in 0usize..120, flips in prop::collection::vec((0usize..120, any::<u8>()), 1..4)) {
        let tcp = tcp(0x12, &[2, 4, 5, 0xb4, 3, 3, 7, 0], b"some data");
        let ip = if v6 { ipv6(0, &join(&[&[6, 0, 1, 4, 0, 0, 0, 0], &tcp])) } else { ipv4(6, &tcp) };
        let mut bytes = join(&[&ADDRESSES, &[0x81, 0, 0, 5], &(if v6 { [0x86, 0xdd] } else { [8, 0] }), &ip]);
        for (at, value) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= value;
            }
        }
        let mut packet = packet(LinkType::EN10MB, &bytes);
        packet.bytes = &bytes[..cut.min(bytes.len())];
        let _ = decoder().decode(&packet);
    }
}

/// What is decoded at sight is what the long way makes of it, whichever byte of a packet is another one or missing.
#[test]
fn what_is_seen_at_sight_is_what_the_long_way_finds() {
    let options: &[u8] = &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    let mut seen = 0;
    for packet in [ipv4(6, &tcp(0x18, options, b"payload")), ipv6(6, &tcp(0x18, options, b"payload"))] {
        let changed = (0..packet.len()).flat_map(|at| {
            let cut = packet[..at].to_vec();
            let other = |value: u8| {
                let mut other = packet.clone();
                other[at] = value;
                other
            };
            (0..=255).map(other).chain([cut]).collect::<Vec<_>>()
        });
        for bytes in changed {
            let packet = Packet {
                number: PacketNumber::FIRST,
                time: None,
                link: LinkType::RAW,
                interface: 0,
                bytes: &bytes,
                original_len: bytes.len() as u32,
            };
            let Some(at_sight) = Decoder::at_sight(&packet) else { continue };
            let mut decoder = Decoder::new(&Limits::default());
            let any = decoder.any(&packet).expect("a segment");
            assert_eq!(format!("{at_sight:?}"), format!("{any:?}"), "{bytes:02x?}");
            seen += 1;
        }
    }
    assert!(seen > 10_000, "only {seen} of the packets are decoded at sight");
}
