//! Four times the input is about four times the work: a loop over something that grows with each packet would make it
//! sixteen. Time on the processor is measured, the smallest of three runs; up to nine times passes, since machines differ.

use super::runs::{IntoCapture, analyse, cost, upgraded};
use super::support::conversation::START;
use super::support::net::{Content, flags};
use super::support::{Acks, Capture, Conversation, Frame, Link, Packet, PcapFormat, Segment, Upgrade};
use std::net::SocketAddr;
use std::time::Duration;
use wsdissect::limits::Limits;

/// `make` gives a capture of a size that grows with its argument.
fn grows_linearly(what: &str, small: u32, limits: Limits, make: impl Fn(u32) -> Vec<u8>) {
    let time =
        |capture: Vec<u8>| (0..3).map(|_| cost(|| drop(analyse(&capture, limits)))).min().unwrap_or(Duration::ZERO);
    let (one, four) = (time(make(small)), time(make(4 * small)));
    // Below a few milliseconds caches decide.
    let floor = Duration::from_millis(3);
    assert!(four <= 9 * one.max(floor), "{what}: {one:?} for one, {four:?} for four times the input");
}

fn address(i: u32) -> SocketAddr {
    let [_, a, b, c] = i.to_be_bytes();
    SocketAddr::from(([10, a, b, c], 40_000))
}

fn server() -> SocketAddr {
    "192.0.2.1:80".parse().expect("an address")
}

fn raw(packets: impl Iterator<Item = Segment>) -> Vec<u8> {
    let mut bytes = PcapFormat::default().header(Link::Raw);
    for (number, segment) in packets.enumerate() {
        let packet = Packet::new(START + number as i64 * 1000, Content::Segment(segment));
        PcapFormat::default().record(&packet, Link::Raw, &mut bytes);
    }
    bytes
}

#[test]
fn syn_flood() {
    for flows in [1_000, 1 << 20] {
        grows_linearly(&format!("SYNs, {flows} kept"), 8_000, Limits { flows, ..Limits::default() }, |count| {
            raw((0..count).map(|i| Segment { seq: i, flags: flags::SYN, ..Segment::new(address(i), server()) }))
        });
    }
}

/// All flows are in use when each new one needs room.
#[test]
fn flood_while_all_are_in_use() {
    grows_linearly("SYNs between acknowledgements", 4_000, Limits { flows: 500, ..Limits::default() }, |count| {
        raw((0..count).flat_map(|i| {
            let syn = Segment { seq: i, flags: flags::SYN, ..Segment::new(address(1_000 + i), server()) };
            let used = Segment { seq: i, flags: flags::ACK, ..Segment::new(address(i % 499), server()) };
            [used.clone(), used, syn]
        }))
    });
}

#[test]
fn port_reuse() {
    grows_linearly("connections on one pair of ports", 8_000, Limits::default(), |count| {
        raw((0..count).map(|i| Segment { seq: i * 70_000, flags: flags::SYN, ..Segment::new(address(1), server()) }))
    });
}

#[test]
fn resets() {
    grows_linearly("connections that end at once", 4_000, Limits::default(), |count| {
        raw((0..count).flat_map(|i| {
            let syn = Segment { seq: i, flags: flags::SYN, ..Segment::new(address(i), server()) };
            let rst = Segment { flags: flags::RST | flags::ACK, ..Segment::new(server(), address(i)) };
            [syn, rst]
        }))
    });
}

#[test]
fn alternate_bytes_missing() {
    grows_linearly("every other byte", 2_000, Limits::default(), |count| {
        let mut c = upgraded(&Upgrade::default());
        c.acks(Acks::Never);
        for _ in 0..count {
            c.client().lost(&[0]).bytes(&[0x81]);
        }
        c.into_capture()
    });
}

/// From the end of a hole to its start.
#[test]
fn segments_in_reverse() {
    grows_linearly("segments in reverse", 2_000, Limits::default(), |count| {
        let mut c = upgraded(&Upgrade::default());
        c.acks(Acks::Never);
        let start = c.count();
        for _ in 0..count {
            c.client().text("x");
        }
        let mut packets = c.into_packets();
        let times: Vec<i64> = packets[start..].iter().map(|packet| packet.time).collect();
        packets[start..].reverse();
        packets[start..].iter_mut().zip(times).for_each(|(packet, time)| packet.time = time);
        let mut capture = Capture::new();
        capture.extend(packets);
        capture.pcap()
    });
}

/// The search behind a hole, fed byte by byte with what looks like frames, like nothing, and like one endless frame.
#[test]
fn search_byte_by_byte() {
    let patterns: [(&str, &[u8]); 4] = [
        ("empty frames", &[0x81, 0x80, 0, 0, 0, 0]),
        ("noise", &[0x37]),
        ("first bytes", &[0x81]),
        ("long", &[0x82, 0xfe]),
    ];
    for (name, pattern) in patterns {
        grows_linearly(name, 6_000, Limits::default(), |count| {
            let mut c = upgraded(&Upgrade::default());
            c.acks(Acks::Never);
            c.client().lost(&[0; 5]);
            for i in 0..count as usize {
                c.client().bytes(&pattern[i % pattern.len()..][..1]);
            }
            c.into_capture()
        });
    }
}

/// The same where nothing of the connection was seen before.
#[test]
fn probe_byte_by_byte() {
    grows_linearly("an unknown protocol", 1_500, Limits::default(), |count| {
        raw((0..count).map(|i| Segment {
            seq: i,
            flags: flags::ACK,
            payload: vec![[0x81, 0x85, 9, 9, 9, 9, 1, 1, 1, 1, 1][i as usize % 11]],
            ..Segment::new(address(1), server())
        }))
    });
}

/// Bytes and holes behind an upgrade request that nobody answers.
#[test]
fn held_back_bytes_and_holes() {
    grows_linearly("held back", 1_500, Limits::default(), |count| {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        c.acks(Acks::Never).connect();
        c.request(UPGRADE);
        for _ in 0..count {
            c.client().bytes(&[0x82]).lost(&[0]);
        }
        c.into_capture()
    });
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/// Many requests in advance, each refused: what is held back is gone through once.
#[test]
fn refused_in_advance() {
    grows_linearly("refusals", 400, Limits::default(), |count| {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        c.acks(Acks::Never).connect();
        for _ in 0..count {
            c.client().bytes(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        }
        for _ in 0..count {
            c.respond(403, "", "");
        }
        c.into_capture()
    });
}

#[test]
fn pings_and_broken_rules() {
    grows_linearly("control frames", 3_000, Limits::default(), |count| {
        let mut c = upgraded(&Upgrade::default());
        c.acks(Acks::Never);
        for i in 0..count {
            c.client().ping(&i.to_be_bytes()).frame(Frame::new(0, [1]).rsv(0b011)).frame(Frame::close(1000, ""));
        }
        c.into_capture()
    });
}

#[test]
fn a_head_byte_by_byte() {
    grows_linearly("a head", 6_000, Limits::default(), |count| {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        c.mss(1).acks(Acks::Never).connect();
        c.client().bytes(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(count as usize)).as_bytes());
        c.into_capture()
    });
}

/// Records that are odd, one after the other: neither damage nor belief may search the same bytes again and again.
#[test]
fn odd_records() {
    grows_linearly("odd pcap records", 4_000, Limits::default(), |count| {
        let mut bytes = PcapFormat::default().header(Link::Raw);
        for i in 0..count {
            let words = [1_700_000_000_u32.wrapping_add(i.wrapping_mul(40_000_000)), 2_000_000_000, 0, 9];
            words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        }
        bytes
    });
}
