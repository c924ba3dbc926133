//! Every link and tunnel that production hands us: the same conversation in each gives the same findings.
//!
//! How the packets are wrapped is checked against tshark where it is installed: it must see the same segments.

mod common;
mod support;

use common::analyse;
use common::case::Case;
use common::findings::{difference, findings};
use common::labelled::Labelled;
use common::program::{folder, run};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use support::net::{Content, Packet, checksum};
use support::{Capture, Conversation, Link, PcapFormat, PcapngWriter, TimeResolution};
use wsdissect::capture::{LinkType, Packet as CapturedPacket, Reader};
use wsdissect::catalog::language::Language;
use wsdissect::limits::Limits;
use wsdissect::packet::{Decoder, Segment};
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::units::PacketNumber;
use wsdissect::{Analyzer, Options};

/// Two connections' worth of everything: an upgrade, messages of several sizes, a Close, both FINs.
fn talk(client: &str, server: &str) -> Conversation {
    let mut c = Conversation::new(client, server);
    c.mss(1200);
    c.connect();
    c.upgrade();
    c.client().text("hello");
    c.server().text(&"long ".repeat(600));
    c.server().ping(b"p");
    c.client().pong(b"p");
    c.wait(20.0);
    c.server().close(1011, "no luck");
    c.client().close(1011, "");
    c.server().fin();
    c.client().fin();
    c
}

fn v4() -> Conversation {
    talk("10.0.0.1:40000", "10.0.0.2:80")
}

fn v6() -> Conversation {
    talk("[2001:db8::1]:40000", "[2001:db8::2]:80")
}

/// A classic pcap file of these bytes under this link type.
fn pcap(link: u16, records: &[(i64, Vec<u8>)]) -> Vec<u8> {
    let format = PcapFormat::default();
    let mut bytes = format.header(Link::Ethernet);
    bytes[20..24].copy_from_slice(&u32::from(link).to_le_bytes());
    for (time, record) in records {
        format.record(&Packet::new(*time, Content::Link(record.clone())), Link::Ethernet, &mut bytes);
    }
    bytes
}

/// The conversation with every IP packet wrapped.
fn wrapped(talk: &Conversation, link: u16, wrap: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let records: Vec<_> = talk.packets().iter().map(|packet| (packet.time, wrap(&packet.segment().ip()))).collect();
    pcap(link, &records)
}

fn the_only(bytes: &[u8]) -> Value {
    let analysis = analyse(bytes).expect("a capture");
    assert_eq!(analysis.summary.skipped.total(), 0, "{:?}", analysis.summary);
    let [connection] = &analysis.connections[..] else { panic!("{} connections", analysis.connections.len()) };
    connection.clone()
}

/// Stream, ports and WebSocket opcodes of each packet as tshark sees them; `None` without tshark.
fn tshark(path: &Path) -> Option<String> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-T", "fields", "-r"]).arg(path);
    for field in ["frame.number", "tcp.stream", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "websocket.opcode"] {
        command.args(["-e", field]);
    }
    let output = command.stderr(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

// How IP packets are wrapped.

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

fn is_v6(ip: &[u8]) -> bool {
    ip[0] >> 4 == 6
}

fn ethertype(ip: &[u8]) -> [u8; 2] {
    if is_v6(ip) { [0x86, 0xdd] } else { [8, 0] }
}

/// Ethernet addresses, `between`, the type, the packet.
fn ethernet(between: &[u8], ip: &[u8]) -> Vec<u8> {
    [&MACS[..], between, &ethertype(ip), ip].concat()
}

fn outer_v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let mut header = vec![0x45, 0, length[0], length[1], 0, 9, 0, 0, 64, protocol, 0, 0];
    header.extend([192, 168, 9, 1, 192, 168, 9, 2]);
    let sum = checksum(&[&header]).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    [header, payload.to_vec()].concat()
}

fn outer_v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
    for last in [7, 8] {
        header.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    [header, payload.to_vec()].concat()
}

fn udp(port: u16, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let (port, length) = (port.to_be_bytes(), (8 + payload.len() as u16).to_be_bytes());
    [&[0xd9, 3, port[0], port[1], length[0], length[1], 0, 0], &payload[..]].concat()
}

fn over_udp(port: u16, parts: &[&[u8]]) -> Vec<u8> {
    ethernet(&[], &outer_v4(17, &udp(port, parts)))
}

fn gre(parts: &[&[u8]]) -> Vec<u8> {
    ethernet(&[], &outer_v4(47, &parts.concat()))
}

fn ppp_protocol(ip: &[u8]) -> u8 {
    if is_v6(ip) { 0x57 } else { 0x21 }
}

fn pppoe(ip: &[u8]) -> Vec<u8> {
    let length = (2 + ip.len() as u16).to_be_bytes();
    [&[0x11, 0, 0, 7, length[0], length[1], 0, ppp_protocol(ip)], ip].concat()
}

/// LLC and SNAP behind the length of IEEE 802.3.
fn snap(ip: &[u8]) -> Vec<u8> {
    [&[0xaa, 0xaa, 3, 0, 0, 0], &ethertype(ip)[..], ip].concat()
}

/// A data frame of a station, with or without a QoS field.
fn wifi(control: u8, qos: &[u8], ip: &[u8]) -> Vec<u8> {
    let addresses = [[2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
    [&[control, 1, 0, 0], &addresses[..], &[0x10, 0], qos, &snap(ip)].concat()
}

/// Whether tshark 4.0 sees the segments inside too.
#[derive(PartialEq)]
enum Tshark {
    Agrees,
    /// It does not look inside unless told to.
    DoesNotLook,
}
use Tshark::{Agrees, DoesNotLook};

type Wrap = fn(&[u8]) -> Vec<u8>;

#[rustfmt::skip]
const LINKS: &[(&str, u16, Tshark, Wrap)] = &[
    ("Ethernet", 1, Agrees, |ip| ethernet(&[], ip)),
    ("one VLAN tag", 1, Agrees, |ip| ethernet(&[0x81, 0, 0, 5], ip)),
    ("QinQ", 1, Agrees, |ip| ethernet(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 5], ip)),
    ("QinQ of old", 1, Agrees, |ip| ethernet(&[0x91, 0, 0, 1, 0x81, 0, 0, 5], ip)),
    ("three tags", 1, Agrees, |ip| ethernet(&[0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3], ip)),
    ("five tags", 1, Agrees, |ip| ethernet(&[0x81, 0, 0, 1].repeat(5), ip)),
    ("frames in frames, 802.1ah", 1, Agrees, |ip| ethernet(&[&[0x88, 0xe7, 0, 0, 0, 9][..], &MACS].concat(), ip)),
    ("LLC and SNAP", 1, Agrees, |ip| [&MACS[..], &(8 + ip.len() as u16).to_be_bytes(), &snap(ip)].concat()),
    ("MPLS", 1, Agrees, |ip| [&MACS[..], &[0x88, 0x47, 0, 1, 1, 64], ip].concat()),
    ("MPLS, four labels", 1, Agrees, |ip| [&MACS[..], &[0x88, 0x47], &[0, 1, 0, 64].repeat(3), &[0, 2, 1, 64], ip].concat()),
    ("pseudowire", 1, DoesNotLook, |ip| [&MACS[..], &[0x88, 0x47, 0, 1, 1, 64], &ethernet(&[], ip)].concat()),
    ("pseudowire, VLAN", 1, Agrees, |ip| [&MACS[..], &[0x88, 0x47, 0, 1, 1, 64], &ethernet(&[0x81, 0, 0, 5], ip)].concat()),
    ("pseudowire with control word", 1, DoesNotLook, |ip| [&MACS[..], &[0x88, 0x47, 0, 1, 1, 64, 0, 0, 0, 0], &ethernet(&[], ip)].concat()),
    ("PPPoE", 1, Agrees, |ip| [&MACS[..], &[0x88, 0x64], &pppoe(ip)].concat()),
    ("PPPoE in a VLAN", 1, Agrees, |ip| [&MACS[..], &[0x81, 0, 0, 5, 0x88, 0x64], &pppoe(ip)].concat()),
    ("PPPoE alone", 51, Agrees, pppoe),
    ("PPP", 9, Agrees, |ip| [&[0, ppp_protocol(ip)], ip].concat()),
    ("PPP with address and control", 9, Agrees, |ip| [&[0xff, 3, 0, ppp_protocol(ip)], ip].concat()),
    ("PPP in HDLC framing", 50, Agrees, |ip| [&[0xff, 3, 0, ppp_protocol(ip)], ip].concat()),
    ("PPP with a direction", 204, Agrees, |ip| [&[1, 0xff, 3, 0, ppp_protocol(ip)], ip].concat()),
    ("Cisco HDLC", 104, Agrees, |ip| [&[0x0f, 0][..], &ethertype(ip), ip].concat()),
    ("Cisco HDLC with a direction", 205, DoesNotLook, |ip| [&[0, 0x0f, 0][..], &ethertype(ip), ip].concat()),
    ("Frame Relay", 107, Agrees, |ip| [&[0x18, 0x41, 3, if is_v6(ip) { 0x8e } else { 0xcc }], ip].concat()),
    ("Frame Relay with SNAP", 107, Agrees, |ip| [&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0][..], &ethertype(ip), ip].concat()),
    ("ATM", 100, Agrees, snap),
    ("cooked", 113, Agrees, |ip| Link::Sll.frame(ip)),
    ("cooked, second version", 276, Agrees, |ip| Link::Sll2.frame(ip)),
    ("loopback", 0, Agrees, |ip| Link::Null.frame(ip)),
    ("loopback, big-endian", 0, Agrees, |ip| Link::NullBig.frame(ip)),
    ("OpenBSD loopback", 108, Agrees, |ip| Link::Loop.frame(ip)),
    ("raw IP", 101, Agrees, <[u8]>::to_vec),
    ("MPLS link", 219, DoesNotLook, |ip| [&[0, 1, 1, 64], ip].concat()),
    ("NFLOG", 239, Agrees, |ip| {
        let length = (4 + ip.len() as u16).to_le_bytes();
        [&[if is_v6(ip) { 10 } else { 2 }, 0, 0, 0, 8, 0, 1, 0, 8, 0, 1, 0, 5, 0, 10, 0, 0, 0, 0, 0, length[0], length[1], 9, 0], ip].concat()
    }),
    ("IPsec of OpenBSD", 109, Agrees, |ip| [&[if is_v6(ip) { 24 } else { 2 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], ip].concat()),
    ("InfiniBand", 242, Agrees, |ip| [&[0x60; 40][..], &ethertype(ip), &[0, 0], ip].concat()),
    ("Wi-Fi", 105, Agrees, |ip| wifi(0x08, &[], ip)),
    ("Wi-Fi with QoS", 105, Agrees, |ip| wifi(0x88, &[5, 0], ip)),
    ("Wi-Fi, a packet in an aggregate", 105, Agrees, |ip| {
        let snap = snap(ip);
        let subframe = [&MACS[..], &(snap.len() as u16).to_be_bytes(), &snap].concat();
        [&wifi(0x88, &[0x80, 0], ip)[..26], &subframe].concat()
    }),
    ("Wi-Fi behind radiotap", 127, Agrees, |ip| [&[0, 0, 8, 0, 0, 0, 0, 0], &wifi(0x08, &[], ip)[..]].concat()),
    ("Wi-Fi behind PPI", 192, Agrees, |ip| [&[0, 0, 8, 0, 105, 0, 0, 0], &wifi(0x08, &[], ip)[..]].concat()),
    ("Apple's tap", 258, Agrees, |ip| {
        let mut header = [0; 108];
        (header[0], header[4], header[8]) = (108, 1, 1);
        [&header[..], &ethernet(&[], ip)].concat()
    }),
];

#[rustfmt::skip]
const TUNNELS: &[(&str, Tshark, Wrap)] = &[
    ("GRE", Agrees, |ip| gre(&[&[0, 0], &ethertype(ip), ip])),
    ("GRE with checksum, key and sequence", Agrees, |ip| gre(&[&[0xb0, 0], &ethertype(ip), &[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1], ip])),
    ("GRE with Ethernet", Agrees, |ip| gre(&[&[0, 0, 0x65, 0x58], &ethernet(&[], ip)])),
    ("NVGRE", Agrees, |ip| gre(&[&[0x20, 0, 0x65, 0x58, 0, 0, 7, 1], &ethernet(&[], ip)])),
    ("PPTP", Agrees, |ip| gre(&[&[0x30, 1, 0x88, 0x0b], &(4 + ip.len() as u16).to_be_bytes(), &[0, 7, 0, 0, 0, 1, 0xff, 3, 0, ppp_protocol(ip)], ip])),
    ("ERSPAN I", Agrees, |ip| gre(&[&[0, 0, 0x88, 0xbe], &ethernet(&[], ip)])),
    ("ERSPAN II", Agrees, |ip| gre(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 1, 2, 0, 0, 0, 3], &ethernet(&[], ip)])),
    ("ERSPAN III", Agrees, |ip| gre(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0], &ethernet(&[0x81, 0, 0, 5], ip)])),
    ("IP in IP", Agrees, |ip| ethernet(&[], &outer_v4(if is_v6(ip) { 41 } else { 4 }, ip))),
    ("IP in IPv6", Agrees, |ip| ethernet(&[], &outer_v6(if is_v6(ip) { 41 } else { 4 }, ip))),
    ("Ethernet in IP", Agrees, |ip| ethernet(&[], &outer_v4(97, &[&[0x30, 0], &ethernet(&[], ip)[..]].concat()))),
    ("VXLAN", Agrees, |ip| over_udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(&[], ip)])),
    ("VXLAN, the port of Linux", DoesNotLook, |ip| over_udp(8472, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(&[], ip)])),
    ("VXLAN in IPv6", Agrees, |ip| ethernet(&[], &outer_v6(17, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(&[], ip)])))),
    ("VXLAN-GPE", Agrees, |ip| over_udp(4790, &[&[0x0c, 0, 0, if is_v6(ip) { 2 } else { 1 }, 0, 0, 7, 0], ip])),
    ("GENEVE with options", Agrees, |ip| over_udp(6081, &[&[2, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 1, 1, 0, 0, 0, 5], &ethernet(&[], ip)])),
    ("GTP-U", Agrees, |ip| over_udp(2152, &[&[0x30, 0xff], &(ip.len() as u16).to_be_bytes(), &[0, 0, 1, 2], ip])),
    ("GTP-U with an extension header", Agrees, |ip| over_udp(2152, &[&[0x34, 0xff], &(8 + ip.len() as u16).to_be_bytes(), &[0, 0, 1, 2, 0, 0, 0, 0x85, 1, 0, 9, 0], ip])),
    ("MPLS in UDP", Agrees, |ip| over_udp(6635, &[&[0, 1, 1, 64], ip])),
    ("TZSP", Agrees, |ip| over_udp(37008, &[&[1, 0, 0, 1, 1], &ethernet(&[], ip)])),
    ("VXLAN in GRE", Agrees, |ip| gre(&[&[0, 0, 8, 0], &over_udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(&[], ip)])[14..]])),
];

/// What each way of wrapping must leave as it is.
fn same_in_all(name: &str, cases: &[(&str, u16, &Tshark, Wrap)]) {
    let folder = folder(name);
    let path = folder.join("capture.pcap");
    let mut surprises = Vec::new();
    for (family, talk) in [("IPv4", v4()), ("IPv6", v6())] {
        let plain = wrapped(&talk, 1, &|ip| ethernet(&[], ip));
        let alone = the_only(&plain);
        assert_eq!(alone["diagnosis"]["cause"], "internal_error");
        fs::write(&path, &plain).expect("a file of our own");
        let plain_for_tshark = tshark(&path);
        if plain_for_tshark.is_none() {
            println!("SKIPPED: tshark is not installed; nothing was compared with it");
        }
        for (name, link, agrees, wrap) in cases {
            let bytes = wrapped(&talk, *link, wrap);
            let found = the_only(&bytes);
            assert_eq!(difference(&findings(&alone), &findings(&found)), None, "{name}, {family}");
            assert_eq!(found["last_packet"], talk.count(), "{name}, {family}");
            let Some(expected) = &plain_for_tshark else { continue };
            fs::write(&path, &bytes).expect("a file of our own");
            let seen = tshark(&path).expect("it was there before");
            if (seen == *expected) != (**agrees == Agrees) {
                surprises.push(format!("{name}, {family}: {}", seen.lines().nth(7).unwrap_or_default()));
            }
        }
    }
    assert!(surprises.is_empty(), "tshark sees other things:\n{}", surprises.join("\n"));
}

#[test]
fn row_08_every_link_layer_gives_the_same_findings() {
    let cases: Vec<_> = LINKS.iter().map(|(name, link, agrees, wrap)| (*name, *link, agrees, *wrap)).collect();
    same_in_all("links", &cases);
}

#[test]
fn row_09_every_tunnel_gives_the_same_findings() {
    let cases: Vec<_> = TUNNELS.iter().map(|(name, agrees, wrap)| (*name, 1, agrees, *wrap)).collect();
    same_in_all("tunnels", &cases);
}

// Packets recorded more than once.

/// What one point records: time, interface, Ethernet frame.
type Record = (i64, u32, Vec<u8>);

fn records(talk: &Conversation) -> Vec<Record> {
    talk.packets().iter().map(|packet| (packet.time, 0, packet.bytes(Link::Ethernet))).collect()
}

/// The same as another point records it, `by` nanoseconds later.
fn elsewhere(records: &[Record], by: i64, interface: u32, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<Record> {
    records.iter().map(|(time, _, frame)| (time + by, interface, change(frame))).collect()
}

fn vxlan(frame: &[u8]) -> Vec<u8> {
    over_udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], frame])
}

/// Behind a router: other addresses on the link, one hop less.
fn routed(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[5] = 0x77;
    let hops = if is_v6(&frame[14..]) { 21 } else { 22 };
    frame[hops] -= 1;
    frame
}

/// A pcapng file with as many Ethernet interfaces as the records name, in the order of time.
fn pcapng(mut records: Vec<Record>) -> Vec<u8> {
    records.sort_by_key(|(time, ..)| *time);
    let mut writer = PcapngWriter::new();
    writer.section(false);
    for _ in 0..=records.iter().map(|(_, interface, _)| *interface).max().unwrap_or(0) {
        writer.interface_with(Link::Ethernet, 0, TimeResolution::Decimal(9), 0);
    }
    for (time, interface, frame) in records {
        writer.packet(interface, &Packet::new(time, Content::Link(frame)));
    }
    writer.bytes()
}

/// The findings without what tells of copies.
fn without_copies(connection: &Value) -> Value {
    let mut found = findings(connection);
    found.as_object_mut().expect("an object").remove("copies");
    found
}

fn notes(connection: &Value) -> String {
    connection["visibility"]["notes"].to_string()
}

#[test]
fn row_09_inside_and_outside_of_vxlan_is_one_connection_with_a_note() {
    let once = records(&v4());
    let alone = the_only(&pcapng(once.clone()));
    assert_eq!(alone["copies"], Value::Null);
    let both = the_only(&pcapng([once.clone(), elsewhere(&once, 20_000, 0, &vxlan)].concat()));
    assert_eq!(difference(&without_copies(&alone), &without_copies(&both)), None);
    assert_eq!(both["copies"]["segments"], once.len());
    assert_eq!(both["copies"]["between"], serde_json::json!(["tunnel"]));
    let points = serde_json::json!([
        { "interface": 0, "tunnel": null, "copies": 0 },
        { "interface": 0, "tunnel": { "kind": "vxlan", "id": 7 }, "copies": once.len() },
    ]);
    assert_eq!(both["copies"]["points"], points);
    assert!(notes(&both).contains("duplicate capture point (plain, vxlan 7)"), "{}", notes(&both));
}

/// Everything but the copies is as if recorded once, however the second point differs: its delay, order and losses.
#[test]
fn row_11_copies_of_any_kind_change_nothing_but_the_note() {
    let same = |frame: &[u8]| frame.to_vec();
    type Change<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let others: &[(&str, i64, u32, Change<'_>, &[&str])] = &[
        ("at once", 0, 0, &same, &["same_point"]),
        ("soon", 30_000, 0, &same, &["same_point"]),
        ("behind several others", 350_000, 0, &same, &["same_point"]),
        ("3 ms later", 3_000_000, 0, &same, &["same_point"]),
        ("another interface", 20_000, 1, &same, &["interface"]),
        ("another interface, 8 ms later", 8_000_000, 1, &same, &["interface"]),
        ("another interface, its clock behind", -5_000_000, 1, &same, &["interface"]),
        ("behind a router", 350_000, 0, &routed, &["router"]),
        ("behind a router, 4 ms later", 4_000_000, 0, &routed, &["router"]),
        ("behind a router on another interface", 350_000, 1, &routed, &["interface", "router"]),
    ];
    for (family, talk) in [("IPv4", v4()), ("IPv6", v6())] {
        let once = records(&talk);
        let alone = the_only(&pcapng(once.clone()));
        for (name, by, interface, change, between) in others {
            let both = the_only(&pcapng([once.clone(), elsewhere(&once, *by, *interface, change)].concat()));
            let difference = difference(&without_copies(&alone), &without_copies(&both));
            assert_eq!(difference, None, "{name}, {family}");
            assert_eq!(both["copies"]["between"], serde_json::json!(between), "{name}, {family}");
            assert_eq!(both["copies"]["segments"], once.len(), "{name}, {family}");
            assert!(!notes(&both).contains("missing"), "{name}, {family}: {}", notes(&both));
        }
    }
}

#[test]
fn one_point_fills_the_holes_of_the_other() {
    let once = records(&v4());
    let alone = the_only(&pcapng(once.clone()));
    let other = elsewhere(&once, 40_000, 1, &<[u8]>::to_vec);
    // Each point misses every third packet, never the same; the handshake is seen twice.
    let seen = |records: &[Record], missed: usize| -> Vec<Record> {
        records
            .iter()
            .enumerate()
            .filter(|(at, _)| *at < 3 || at % 3 != missed)
            .map(|(_, record)| record.clone())
            .collect()
    };
    let both = the_only(&pcapng([seen(&once, 0), seen(&other, 1)].concat()));
    assert_eq!(difference(&without_copies(&alone), &without_copies(&both)), None);
    assert_eq!(both["visibility"]["client"], "full");
    assert_eq!(both["visibility"]["server"], "full");
}

#[test]
fn true_retransmissions_are_no_copies() {
    // Sent again after 0.3 ms with an identification of its own, as after three doubled acknowledgements close by.
    let mut c = v4();
    let again = c.packets().iter().position(|packet| packet.segment().payload.len() > 1000).expect("data");
    let mut packets = c.packets().to_vec();
    let mut copy = packets[again].clone();
    copy.time += 300_000;
    copy.segment_mut().identification += 500;
    packets.insert(again + 1, copy);
    *c.packets_mut() = packets;
    let found = the_only(&Capture::of([c]).pcapng());
    assert_eq!(found["copies"], Value::Null);
}

#[test]
fn row_11_every_packet_twice_gives_the_same_findings_and_one_note() {
    let mut noted = 0;
    for case in Case::all() {
        let [once, twice] = [1, 2].map(|times| analysed(&case, times));
        if once.has_untimed {
            continue;
        }
        assert_eq!(once.connections.len(), twice.connections.len(), "{}", case.name);
        for (one, two) in once.connections.iter().zip(&twice.connections) {
            let difference = difference(&without_copies(one), &without_copies(two));
            assert_eq!(difference, None, "{} stream {}", case.name, one["stream"]);
            if one["copies"].is_null() {
                assert!(two["copies"]["segments"].as_u64() > Some(0), "{}", case.name);
                assert_eq!(notes(two).matches("duplicate capture point").count(), 1, "{}", case.name);
                noted += 1;
            }
        }
    }
    assert!(noted > 100, "only {noted}");
}

struct Analysed {
    connections: Vec<Value>,
    has_untimed: bool,
}

/// The case with each packet given `times` times.
fn analysed(case: &Case, times: u64) -> Analysed {
    let speaker = Speaker::new(Language::En);
    let mut reader = Reader::open(case.open()).expect("a capture");
    let mut analyzer = Analyzer::new(Options::default());
    let (mut number, mut has_untimed) = (0, false);
    while let Ok(Some(packet)) = reader.next_packet() {
        has_untimed |= packet.time.is_none();
        for _ in 0..times {
            number += 1;
            analyzer
                .packet(&wsdissect::capture::Packet { number: PacketNumber::new(number).expect("from 1"), ..packet });
        }
    }
    analyzer.finish();
    let reports = std::iter::from_fn(|| analyzer.next_report());
    let object = |report| serde_json::to_value(ConnectionObject::new(&report, "capture", &speaker)).expect("JSON");
    let mut connections: Vec<Value> = reports.map(object).collect();
    connections.sort_by_key(|connection| connection["stream"].as_u64());
    Analysed { connections, has_untimed }
}

// IP fragments.

#[test]
fn row_10_fragments_in_any_order_and_twice_are_put_together() {
    for (family, talk) in [("IPv4", v4()), ("IPv6", v6())] {
        let alone = the_only(&Capture::of([talk_again(&talk)]).pcap());
        for turn in 0..4 {
            let mut packets = Vec::new();
            for packet in talk.packets() {
                let mut parts = packet.fragments(400);
                match turn {
                    1 => parts.reverse(),
                    2 => parts.rotate_left(1),
                    // A part twice, unless it is the one that completes the packet.
                    3 if parts.len() > 1 => parts.insert(1, parts[0].clone()),
                    _ => {}
                }
                packets.extend(parts);
            }
            let mut capture = Capture::new();
            capture.extend(packets);
            let found = the_only(&capture.pcap());
            assert_eq!(difference(&findings(&alone), &findings(&found)), None, "{family}, order {turn}");
        }
    }
}

/// A conversation of its own with the same packets.
fn talk_again(talk: &Conversation) -> Conversation {
    let mut again = v4();
    *again.packets_mut() = talk.packets().to_vec();
    again
}

#[test]
fn row_10_fragments_that_contradict_each_other_are_told_with_both_packets() {
    let talk = v4();
    let mut packets = Vec::new();
    let (mut used, mut other) = (0, 0);
    for packet in talk.packets() {
        let parts = packet.fragments(400);
        if parts.len() > 1 && used == 0 {
            let mut evil = parts[0].clone();
            let Content::Ip(bytes) = &mut evil.content else { panic!("an IP packet") };
            *bytes.last_mut().expect("bytes") ^= 1;
            packets.push(parts[0].clone());
            used = packets.len();
            packets.push(evil);
            other = packets.len();
            packets.extend_from_slice(&parts[1..]);
        } else {
            packets.extend(parts);
        }
    }
    assert!(used > 0);
    let mut capture = Capture::new();
    capture.extend(packets);
    let found = the_only(&capture.pcap());
    let [conflict] = &found["conflicts"].as_array().expect("a list")[..] else { panic!("{}", found["conflicts"]) };
    assert_eq!((&conflict["side"], &conflict["kept_packet"]), (&"server".into(), &used.into()));
    assert_eq!(conflict["other_packet"], other);
    let analysis = analyse(&capture.pcap()[..]).expect("a capture");
    assert_eq!(analysis.summary.fragment_conflicts, 1);
}

// Link types that cannot be read, beside those that can.

#[test]
fn row_08_unknown_link_types_are_named_beside_known_ones() {
    let talk = v4();
    let mut writer = PcapngWriter::new();
    writer.section(false).interface_with(Link::Ethernet, 0, TimeResolution::Decimal(9), 0);
    // PFLOG and USB behind it; same form as the block that the writer makes.
    for link in [117_u16, 189] {
        writer.block(1, &[&link.to_le_bytes()[..], &[0; 6]].concat());
    }
    for packet in talk.packets() {
        writer.packet(0, packet);
    }
    for interface in [1_u32, 2, 2] {
        writer.block(6, &[&interface.to_le_bytes()[..], &[0; 8], &[8, 0, 0, 0, 8, 0, 0, 0], &[0; 8]].concat());
    }
    let path = folder("unknown-links").join("capture.pcapng");
    fs::write(&path, writer.bytes()).expect("a file of our own");
    let text = run(&[&path]);
    assert_eq!(text.code, Some(3));
    assert!(text.text().contains("(PFLOG, USB_LINUX)"), "{}", text.text());
    assert!(!text.text().contains("No WebSocket connection was found"), "{}", text.text());
    let lines = run(&["-T".as_ref(), "jsonl".as_ref(), path.as_os_str()]).lines();
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["packets"]["unknown_link_types"], serde_json::json!({ "PFLOG": 1, "USB_LINUX": 2 }));
    assert_eq!(summary["connections"]["total"], 1);
}

// Offload and the snapshot length.

#[test]
fn row_12_checksums_and_lengths_left_to_the_network_card_change_nothing() {
    let alone = the_only(&Capture::of([v4()]).pcap());
    for bend in 0..3 {
        let mut c = v4();
        for packet in c.packets_mut() {
            let segment = packet.segment_mut();
            segment.offload_checksum = bend != 1;
            segment.offload_length = bend != 0;
        }
        let found = the_only(&Capture::of([c]).pcap());
        assert_eq!(difference(&findings(&alone), &findings(&found)), None);
    }
}

#[test]
fn row_12_a_segment_may_be_larger_than_an_ip_packet() {
    let message = "x".repeat(150_000);
    let send = |mss: usize| {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        c.connect();
        c.upgrade();
        c.mss(mss);
        c.server().text(&message).close(1000, "");
        c.client().close(1000, "");
        c.server().fin();
        c.client().fin();
        c
    };
    let alone = the_only(&Capture::of([send(1400)]).pcap());
    let mut large = send(100_000);
    for packet in large.packets_mut() {
        let segment = packet.segment_mut();
        segment.offload_length = segment.payload.len() > 60_000;
    }
    let found = the_only(&Capture::of([large]).pcap());
    assert_eq!(found["messages"]["server"]["text"], 1);
    assert_eq!(difference(&findings(&alone), &findings(&found)), None);
}

#[test]
fn recipe_snap_row_13_the_close_code_is_found_at_any_snapshot_length() {
    for (family, talk) in [("IPv4", v4()), ("IPv6", v6())] {
        for snap_len in [96, 128, 300] {
            let mut again = talk_again(&talk);
            again.packets_mut().iter_mut().for_each(|packet| packet.kept = None);
            let found = the_only(&Capture::of([again]).snap_len(snap_len).pcap());
            let name = format!("{family}, {snap_len}: {found:#}");
            assert_eq!(found["close"]["code"], 1011, "{name}");
            assert_eq!(found["close"]["reason"], "no luck", "{name}");
            assert_eq!(found["close"]["initiator"], "server", "{name}");
            assert_eq!(found["visibility"]["server"], "cut", "{name}");
            assert!(notes(&found).contains("cut by snaplen"), "{name}");
        }
    }
}

// Lengths that lie.

#[test]
fn lengths_that_lie_are_counted_and_harm_nobody() {
    let talk = v4();
    let good: Vec<(i64, Vec<u8>)> =
        talk.packets().iter().map(|packet| (packet.time, packet.bytes(Link::Ethernet))).collect();
    let alone = the_only(&pcap(1, &good));
    let frame = good[5].1.clone();
    let bent = |at: usize, value: u8| {
        let mut frame = frame.clone();
        frame[at] = value;
        frame
    };
    let mut chain = outer_v6(60, &[[60_u8, 0, 1, 4, 0, 0, 0, 0]; 40].concat());
    chain.extend([0; 40]);
    // A header of another length than five words, one that ends in the capture's void, TCP options beyond the end, IPv6
    // extension headers without end, a jumbogram without length.
    let lies = [
        bent(14, 0x44),
        bent(14, 0x4f),
        bent(46, 0xf0),
        bent(46, 0x40),
        ethernet(&[], &chain),
        ethernet(&[], &outer_v6(0, &[6, 0, 0xc2, 4, 0xff, 0xff, 0xff, 0xff])),
    ];
    let mut all = good.clone();
    all.extend(lies.iter().map(|lie| (good[5].0 + 1, lie.clone())));
    all.sort_by_key(|(time, _)| *time);
    let analysis = analyse(&pcap(1, &all)[..]).expect("a capture");
    let [connection] = &analysis.connections[..] else { panic!("{} connections", analysis.connections.len()) };
    assert_eq!(difference(&findings(&alone), &findings(connection)), None);
    assert_eq!(analysis.summary.packets, all.len() as u64);
    assert_eq!(analysis.summary.analysed + analysis.summary.skipped.total(), all.len() as u64);
    assert!(analysis.summary.skipped.total() >= 4, "{:?}", analysis.summary.skipped);
}

#[test]
fn bounds_on_tunnels_and_fragments_have_a_line_in_the_report() {
    let path = folder("packet-bounds").join("capture.pcap");
    let mut ip = v4().packets()[0].segment().ip();
    for _ in 0..9 {
        ip = outer_v4(4, &ip);
    }
    let mut records = vec![(0, ethernet(&[], &ip))];
    // First fragments of one datagram more than are kept.
    for identification in 0..4097_u16 {
        let mut first = outer_v4(6, &[0; 8]);
        first[4..6].copy_from_slice(&identification.to_be_bytes());
        first[6] = 0x20;
        records.push((1000, ethernet(&[], &first)));
    }
    fs::write(&path, pcap(1, &records)).expect("a file of our own");
    let text = run(&[&path]);
    let told = text.text().split_whitespace().collect::<Vec<_>>().join(" ");
    for limit in
        ["fragmented IP packets given up to make room: 1", "packets with too many tunnels inside each other: 1"]
    {
        assert!(told.contains(limit), "{told}");
    }
}

/// What real programs sent is decoded at sight as the long way decodes it, which a tunnel around it makes it take and on
/// which etherparse reads the headers.
#[test]
fn every_recorded_packet_is_decoded_alike_at_sight_and_inside_a_tunnel() {
    const ETHERNET: usize = 14;
    let mut at_sight = 0;
    let cases = Case::all().into_iter().map(|case| case.capture);
    for path in cases.chain(Labelled::all().into_iter().map(|case| case.capture)) {
        let Ok(mut reader) = Reader::open(File::open(&path).expect("a capture")) else { continue };
        while let Ok(Some(packet)) = reader.next_packet() {
            let Some(seen) = Decoder::at_sight(&packet) else { continue };
            let Some(ip) = packet.bytes.get(ETHERNET..) else { continue };
            // Segments that the sender's card has yet to cut fill an IP packet; there is no room around them.
            let fits = ip.len() + 40 <= usize::from(u16::MAX);
            if packet.link != LinkType::EN10MB || packet.bytes[12..ETHERNET] != ethertype(ip) || !fits {
                continue;
            }
            let around = if is_v6(ip) { outer_v6(41, ip) } else { outer_v4(4, ip) };
            let original_len = packet.original_len + (around.len() - packet.bytes.len()) as u32;
            let wrapped = CapturedPacket { link: LinkType::RAW, bytes: &around, original_len, ..packet };
            let mut decoder = Decoder::new(&Limits::default());
            let inner = decoder.decode(&wrapped).unwrap_or_else(|skip| panic!("{path:?}: {packet:?}: {skip:?}"));
            assert!(inner.tunnel.is_some(), "{path:?}: {packet:?}");
            let inner = Segment { tunnel: None, ..inner };
            assert_eq!(format!("{inner:?}"), format!("{seen:?}"), "{path:?}: {packet:?}");
            at_sight += 1;
        }
    }
    assert!(at_sight > 10_000, "{at_sight} segments at sight");
}
