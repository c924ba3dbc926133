//! Every link and tunnel that production hands us: the same conversation in each gives the same findings.
//!
//! How the packets are wrapped is checked against tshark where it is installed: it must see the same segments.

mod common;
mod support;

use common::analyse;
use common::findings::{difference, findings};
use common::program::{folder, run};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use support::net::{Content, Packet, checksum};
use support::{Capture, Conversation, Link, PcapFormat};

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
    ("pseudowire, VLAN", 1, DoesNotLook, |ip| [&MACS[..], &[0x88, 0x47, 0, 1, 1, 64], &ethernet(&[0x81, 0, 0, 5], ip)].concat()),
    ("pseudowire with control word", 1, Agrees, |ip| [&MACS[..], &[0x88, 0x47, 0, 1, 1, 64, 0, 0, 0, 0], &ethernet(&[], ip)].concat()),
    ("PPPoE", 1, Agrees, |ip| [&MACS[..], &[0x88, 0x64], &pppoe(ip)].concat()),
    ("PPPoE in a VLAN", 1, Agrees, |ip| [&MACS[..], &[0x81, 0, 0, 5, 0x88, 0x64], &pppoe(ip)].concat()),
    ("PPPoE alone", 51, DoesNotLook, pppoe),
    ("PPP", 9, Agrees, |ip| [&[0, ppp_protocol(ip)], ip].concat()),
    ("PPP with address and control", 9, Agrees, |ip| [&[0xff, 3, 0, ppp_protocol(ip)], ip].concat()),
    ("PPP in HDLC framing", 50, Agrees, |ip| [&[0xff, 3, 0, ppp_protocol(ip)], ip].concat()),
    ("PPP with a direction", 204, Agrees, |ip| [&[1, 0xff, 3, 0, ppp_protocol(ip)], ip].concat()),
    ("Cisco HDLC", 104, Agrees, |ip| [&[0x0f, 0][..], &ethertype(ip), ip].concat()),
    ("Cisco HDLC with a direction", 205, Agrees, |ip| [&[0, 0x0f, 0][..], &ethertype(ip), ip].concat()),
    ("Frame Relay", 107, Agrees, |ip| [&[0x18, 0x41, 3, if is_v6(ip) { 0x8e } else { 0xcc }], ip].concat()),
    ("Frame Relay with SNAP", 107, Agrees, |ip| [&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0][..], &ethertype(ip), ip].concat()),
    ("ATM", 100, Agrees, snap),
    ("cooked", 113, Agrees, |ip| Link::Sll.frame(ip)),
    ("cooked, second version", 276, Agrees, |ip| Link::Sll2.frame(ip)),
    ("loopback", 0, Agrees, |ip| Link::Null.frame(ip)),
    ("loopback, big-endian", 0, Agrees, |ip| Link::NullBig.frame(ip)),
    ("OpenBSD loopback", 108, Agrees, |ip| Link::Loop.frame(ip)),
    ("raw IP", 101, Agrees, <[u8]>::to_vec),
    ("MPLS link", 219, Agrees, |ip| [&[0, 1, 1, 64], ip].concat()),
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
        let mut header = vec![0; 108];
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
    ("ERSPAN I", DoesNotLook, |ip| gre(&[&[0, 0, 0x88, 0xbe], &ethernet(&[], ip)])),
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
            assert_eq!(seen == *expected, **agrees == Agrees, "{name}, {family}: tshark\n{seen}");
        }
    }
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
