//! Heap use, counted: deterministic, unlike time.
//!
//! The claim: once a connection is upgraded and its timeline, which has a fixed size, is full (40 observations: a message
//! each way, a Ping and its Pong, ten times over), every further packet with in-order frames, and every bare ACK, costs
//! [`Analyzer::packet`] not a single heap allocation: whichever side sent it, whole frames or cut anywhere, fragmented or
//! not, compressed or not. And a long connection leaves no more bytes behind than a short one.
//!
//! The second claim: whatever a capture holds, the bytes in use stay within what [`Limits`] allow.

mod heap;
mod support;

use heap::{COUNTS, Counts};
use std::io::Read;
use support::{Acks, Capture, Conversation, Frame, Length, Side, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::connection::Utf8State;
use wsdissect::limits::Limits;
use wsdissect::{Analyzer, Options};

/// What each packet of a capture cost.
struct Costs {
    /// Allocations of packet `n` at index `n - 1`.
    allocations: Vec<u64>,
    /// Bytes in use after the last packet beyond those before the first.
    live: i64,
}

fn costs(conversation: &Conversation) -> Costs {
    let mut capture = Capture::new();
    capture.extend(conversation.packets().to_vec());
    let bytes = capture.pcap();
    let mut allocations = Vec::with_capacity(conversation.count());
    let mut reader = Reader::open(&bytes[..]).expect("a capture of our own");
    let mut analyzer = Analyzer::new(Options::default());
    let start = COUNTS.get().live;
    while let Some(packet) = reader.next_packet().expect("undamaged") {
        let before = COUNTS.get().allocations;
        analyzer.packet(&packet);
        allocations.push(COUNTS.get().allocations - before);
        assert!(analyzer.next_report().is_none(), "the connection stays open");
    }
    let live = COUNTS.get().live - start;
    assert_eq!(analyzer.summary().analysed as usize, conversation.count(), "every packet was followed");
    analyzer.finish();
    let report = analyzer.next_report().expect("one connection");
    assert_eq!(report.connection.handshake.outcome.name(), "accepted");
    assert!(report.connection.traffic.server.text_messages > 0, "its frames were read");
    Costs { allocations, live }
}

/// Packets until a kind of message is no longer new. Messages of another length are another kind, for which a rhythm is kept once
/// there are two of them.
const NEW_KIND: usize = 100;

/// An open connection that has warmed up, and the number of its packets so far.
fn warm(upgrade: &Upgrade) -> (Conversation, usize) {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().upgrade_with(upgrade);
    for side in [Side::Client, Side::Server].repeat(100) {
        c.side(side).text("a first message, longer than all that follow").binary(&[0; 200]);
        c.side(side).ping(b"warm");
        c.side(side.other()).pong(b"warm");
    }
    let packets = c.count();
    (c, packets)
}

/// The packets after warming up that allocated, as text; empty when there are none. Before it counts, a kind of message that is new to
/// the connection has come often enough.
fn guilty(c: &Conversation, warm: usize) -> Vec<String> {
    let allocations = costs(c).allocations.into_iter().enumerate().skip(warm + NEW_KIND);
    let guilty: Vec<_> = allocations.filter(|&(_, count)| count > 0).collect();
    // A table with a bound may grow towards it.
    let guilty = if guilty.len() == 1 { &[][..] } else { &guilty };
    guilty.iter().take(20).map(|(index, count)| format!("packet {}: {count} allocations", index + 1)).collect()
}

#[test]
fn in_order_messages_allocate_nothing() {
    let (mut c, warm) = warm(&Upgrade::default());
    for i in 0..300 {
        c.client().text(&format!("message {i:04}"));
        c.server().text(&format!("answer {i:04}"));
        c.server().binary(&[7; 120]);
    }
    assert_eq!(guilty(&c, warm), [""; 0]);
}

#[test]
fn pings_and_fragments_allocate_nothing() {
    let (mut c, warm) = warm(&Upgrade::default());
    for i in 0..200_u32 {
        c.server().ping(&i.to_be_bytes());
        c.client().pong(&i.to_be_bytes());
        c.client().message(1, &[b"three ", b"frames, ", b"one message"]);
    }
    assert_eq!(guilty(&c, warm), [""; 0]);
}

#[test]
fn frames_that_straddle_packets_allocate_nothing() {
    let (mut c, warm) = warm(&Upgrade::default());
    c.mss(7);
    for _ in 0..100 {
        c.client().text("cut into segments of seven bytes, headers too");
        c.server().text("and the same the other way round");
    }
    assert_eq!(guilty(&c, warm), [""; 0]);
}

/// The inflater is made once, and the window is made again only when it has outgrown twice what it was.
#[test]
fn compressed_messages_allocate_nothing() {
    let (mut c, warm) = warm(&Upgrade::deflate(""));
    for i in 0..200 {
        c.client().text(&format!("message {i:04}"));
        c.server().text(&format!("answer {i:04}"));
    }
    assert_eq!(guilty(&c, warm), [""; 0]);
}

/// Bytes kept for a connection do not depend on how long it talks.
#[test]
fn a_long_connection_is_no_heavier_than_a_short_one() {
    let talk = |messages: u32| {
        let (mut c, _) = warm(&Upgrade::default());
        for i in 0..messages {
            c.client().text(&format!("message {i:04}"));
            c.server().ping(&i.to_be_bytes());
            c.client().pong(&i.to_be_bytes());
        }
        costs(&c).live
    };
    let (short, long) = (talk(1000), talk(3000));
    assert!(short > 0, "the counter counts");
    assert_eq!(long, short, "bytes in use after 3000 rounds and after 1000");
}

// Hostile captures.

/// The most bytes in use while a capture is read and analysed under these bounds, and whether one of them was reached.
fn peak(capture: impl Read, limits: Limits) -> (i64, bool) {
    let (start, mut analyzer) = read(capture, limits);
    while analyzer.next_report().is_some() {}
    let is_reached = analyzer.summary().limits.named().iter().any(|(_, count)| *count > 0);
    (COUNTS.get().peak - start, is_reached)
}

/// The bytes in use before a capture is read, and what has read it; the reports that the end brings are still in it.
fn read(capture: impl Read, limits: Limits) -> (i64, Analyzer) {
    // What is loaded once is not counted.
    let options = Options { limits, ..Options::default() };
    let start = COUNTS.get().live;
    COUNTS.set(Counts { peak: start, ..COUNTS.get() });
    let mut reader = Reader::open(capture).expect("a capture of our own");
    let mut analyzer = Analyzer::new(options);
    while let Some(packet) = reader.next_packet().expect("undamaged") {
        analyzer.packet(&packet);
        while analyzer.next_report().is_some() {}
    }
    analyzer.finish();
    (start, analyzer)
}

/// A capture with one huge text message of the server's in one frame, made while it is read.
struct HugeMessage {
    /// Bytes that are ready, and how many of them are read.
    ready: Vec<u8>,
    read: usize,
    /// The record of a segment full of payload, to be sent again and again with the next sequence number.
    record: Vec<u8>,
    left: u64,
}

impl HugeMessage {
    /// Payload of a segment, as with segmentation offload.
    const SEGMENT: usize = 32_768;
    /// Where the sequence number is in a pcap record of TCP over IPv4 over Ethernet.
    const SEQUENCE: usize = 16 + 14 + 20 + 4;

    fn new(len: u64) -> Self {
        let (mut c, _) = warm(&Upgrade::default());
        c.mss(Self::SEGMENT).acks(Acks::Never);
        let mut header = Frame::text("").length(Length::Claim(len)).encode(None);
        header.resize(Self::SEGMENT, b'x');
        c.server().bytes(&header);
        let before = Capture::of([c]).pcap();
        let record = before[before.len() - Self::SEGMENT - Self::SEQUENCE - 16..].to_vec();
        let payload = record.len() - Self::SEGMENT;
        let record = [&record[..payload], &[b'x'; Self::SEGMENT]].concat();
        let (first, rest) = (Self::SEGMENT as u64 - 10, Self::SEGMENT as u64);
        Self { ready: before, read: 0, record, left: (len - first).div_ceil(rest) }
    }
}

impl Read for HugeMessage {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.ready.len() && self.left > 0 {
            self.left -= 1;
            let field = Self::SEQUENCE..Self::SEQUENCE + 4;
            let sequence = u32::from_be_bytes(self.record[field.clone()].try_into().expect("four bytes"));
            self.record[field].copy_from_slice(&sequence.wrapping_add(Self::SEGMENT as u32).to_be_bytes());
            self.ready.clone_from(&self.record);
            self.read = 0;
        }
        let len = buffer.len().min(self.ready.len() - self.read);
        buffer[..len].copy_from_slice(&self.ready[self.read..self.read + len]);
        self.read += len;
        Ok(len)
    }
}

const MIB: i64 = 1 << 20;

/// The read buffer and what an analysis has from the start: measured with a single connection.
fn baseline() -> i64 {
    let (c, _) = warm(&Upgrade::default());
    peak(&Capture::of([c]).pcap()[..], Limits::default()).0
}

#[test]
fn a_head_without_end_is_not_kept() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.acks(Acks::Never).connect();
    c.client().bytes(b"GET / HTTP/1.1\r\n");
    for i in 0..20_000 {
        c.client().bytes(format!("X-Header-{i}: {}\r\n", "x".repeat(400)).as_bytes());
    }
    let (peak, is_reached) = peak(&Capture::of([c]).pcap()[..], Limits::default());
    assert!(is_reached, "the bound on heads is reached");
    assert!(peak < baseline() + MIB, "{peak} bytes for 8 MiB of header lines");
}

#[test]
fn a_message_without_end_is_not_kept() {
    let (mut c, _) = warm(&Upgrade::default());
    c.acks(Acks::Never);
    c.client().frame(Frame::binary(&[1; 1400]).fin(false));
    for _ in 0..10_000 {
        c.client().frame(Frame::new(0, [2; 1400]).fin(false));
    }
    let (peak, _) = peak(&Capture::of([c]).pcap()[..], Limits::default());
    assert!(peak < baseline() + MIB, "{peak} bytes for a message of 13 MiB");
}

/// A text of 2 GB in one frame, looked at to its last byte: no more memory than for a short one.
#[test]
fn row_51_a_message_of_2_gb_is_not_kept() {
    const LEN: u64 = 2_000_000_000 / HugeMessage::SEGMENT as u64 * HugeMessage::SEGMENT as u64 - 10;
    let (start, mut analyzer) = read(HugeMessage::new(LEN), Limits::default());
    let report = analyzer.next_report().expect("one connection");
    let peak = COUNTS.get().peak - start;
    let message = report.connection.traffic.server.last_message.expect("it is complete");
    assert_eq!((message.size, message.utf8), (LEN, Utf8State::Valid));
    println!("peak: {peak} bytes for a message of {LEN} bytes");
    assert!(peak < baseline() + MIB, "{peak} bytes for a message of {LEN} bytes");
}

#[test]
fn a_frame_that_claims_everything_is_not_believed() {
    let (mut c, _) = warm(&Upgrade::default());
    c.server().frame(Frame::binary(&[1; 1000]).length(Length::Claim(u64::MAX >> 1)));
    c.client().frame(Frame::new(8, [1; 125]).length(Length::Claim(1 << 40)));
    let (peak, _) = peak(&Capture::of([c]).pcap()[..], Limits::default());
    assert!(peak < baseline() + MIB, "{peak} bytes");
}

/// 64 MiB of zeros inflate from 64 KiB: the bound on a message stops it, and nothing of it is kept.
#[test]
fn a_compressed_bomb_is_not_kept() {
    let (mut c, _) = warm(&Upgrade::deflate(""));
    c.acks(Acks::Never);
    c.client().binary(&vec![0; 64 << 20]);
    let limits = Limits { inflated_message_bytes: 1 << 20, ..Limits::default() };
    let (peak, is_reached) = peak(&Capture::of([c]).pcap()[..], limits);
    assert!(is_reached, "the bound on inflating is reached");
    assert!(peak < baseline() + 2 * MIB, "{peak} bytes for a message of 64 MiB");
}

/// Segments behind a hole that is never filled.
#[test]
fn bytes_out_of_order_are_bounded() {
    let (mut c, _) = warm(&Upgrade::default());
    c.acks(Acks::Never);
    c.client().lost(&[0; 1]);
    for _ in 0..20_000 {
        c.client().frame(Frame::binary(&[1; 1400]));
    }
    let limits = Limits { reorder_bytes_per_end: 1 << 20, reorder_bytes_total: 2 << 20, ..Limits::default() };
    let (peak, is_reached) = peak(&Capture::of([c]).pcap()[..], limits);
    assert!(is_reached, "the bound on reordering is reached");
    assert!(peak < baseline() + 4 * MIB, "{peak} bytes for 27 MiB behind a hole");
}

/// More connections than may be followed: memory follows the bound, not the capture.
#[test]
fn connections_are_bounded() {
    let open = |count: u32| {
        let conversations = (0..count).map(|i| {
            let mut c = Conversation::new(&format!("10.{}.0.1:{}", i >> 14, 20_000 + (i & 0x3fff)), "192.0.2.1:80");
            c.at(support::conversation::START + i64::from(i) * 1_000_000).acks(Acks::Never).connect().upgrade();
            c.client().text("hi");
            c
        });
        peak(&Capture::of(conversations).pcap()[..], Limits { flows: 500, ..Limits::default() })
    };
    let ((few, _), (many, is_reached)) = (open(1000), open(8000));
    assert!(is_reached, "the bound on connections is reached");
    assert!(many < few + MIB, "{many} bytes for 8000 connections, {few} for 1000");
}

/// Ten times as long a capture of connections that end takes no more memory: reports are handed out, and what
/// remembers connections that are over, here few, is full either way.
#[test]
fn row_126_memory_is_flat_over_closed_connections() {
    let talk = |count: u32| {
        let conversations = (0..count).map(|i| {
            let mut c = Conversation::new(&format!("10.{}.0.1:{}", i >> 14, 20_000 + (i & 0x3fff)), "192.0.2.1:80");
            c.at(support::conversation::START + i64::from(i) * 1_000_000_000).connect().upgrade();
            c.client().text("hi");
            c.server().close(1000, "");
            c.client().close(1000, "").fin();
            c.server().fin();
            c
        });
        peak(&Capture::of(conversations).pcap()[..], Limits { flows: 500, ..Limits::default() }).0
    };
    let (short, long) = (talk(1000), talk(10_000));
    println!("peak: {short} bytes for 1000 connections, {long} for 10,000");
    assert!(long < short + short / 10, "{long} bytes for 10,000 connections, {short} for 1000");
}

/// Rules broken without end are counted; only the first are kept.
#[test]
fn violations_are_bounded() {
    let (mut c, _) = warm(&Upgrade::default());
    c.acks(Acks::Never);
    for _ in 0..50_000 {
        c.client().frame(Frame::new(0, [1]).rsv(0b011));
    }
    let (peak, _) = peak(&Capture::of([c]).pcap()[..], Limits::default());
    assert!(peak < baseline() + MIB, "{peak} bytes for 50,000 broken frames");
}
