//! Heap use, counted: deterministic, unlike time.
//!
//! The claim: once a connection is upgraded and its timeline, which has a fixed size, is full (40 observations: a message
//! each way, a Ping and its Pong, ten times over), every further packet with in-order frames, and every bare ACK, costs
//! [`Analyzer::packet`] not a single heap allocation: whichever side sent it, whole frames or cut anywhere, fragmented or
//! not, compressed or not. And a long connection leaves no more bytes behind than a short one.

#![expect(unsafe_code, reason = "a global allocator cannot be written without")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::{Capture, Conversation, Side, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::{Analyzer, Options};

/// Counts what the current thread asks for.
struct Counting;

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, live: 0 }) };
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    /// Calls that got new memory, growing included.
    allocations: u64,
    /// Bytes handed out and not given back.
    live: i64,
}

fn count(allocations: u64, bytes: i64) {
    // While a thread ends its counters are gone; nobody asks for them any more.
    let _ = COUNTS.try_with(|counts| {
        let before = counts.get();
        counts.set(Counts { allocations: before.allocations + allocations, live: before.live + bytes });
    });
}

// SAFETY: every call goes to the system allocator with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller's promises are those of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, new_size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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

/// An open connection that has warmed up, and the number of its packets so far.
fn warm(upgrade: &Upgrade) -> (Conversation, usize) {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().upgrade_with(upgrade);
    for side in [Side::Client, Side::Server].repeat(10) {
        c.side(side).text("a first message, longer than all that follow").binary(&[0; 200]);
        c.side(side).ping(b"warm");
        c.side(side.other()).pong(b"warm");
    }
    let packets = c.count();
    (c, packets)
}

/// The packets after warming up that allocated, as text; empty when there are none.
fn guilty(c: &Conversation, warm: usize) -> Vec<String> {
    let allocations = costs(c).allocations.into_iter().enumerate().skip(warm);
    let guilty = allocations.filter(|&(_, count)| count > 0);
    guilty.take(20).map(|(index, count)| format!("packet {}: {count} allocations", index + 1)).collect()
}

#[test]
fn in_order_messages_allocate_nothing() {
    let (mut c, warm) = warm(&Upgrade::default());
    for i in 0..300 {
        c.client().text(&format!("message {i}"));
        c.server().text(&format!("answer {i}"));
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

/// The window and the output buffer of the inflater are made once.
#[test]
fn compressed_messages_allocate_nothing() {
    let (mut c, warm) = warm(&Upgrade::deflate(""));
    for i in 0..200 {
        c.client().text(&format!("message {i}"));
        c.server().text(&format!("answer {i}"));
    }
    assert_eq!(guilty(&c, warm), [""; 0]);
}

/// Bytes kept for a connection do not depend on how long it talks.
#[test]
fn a_long_connection_is_no_heavier_than_a_short_one() {
    let talk = |messages: u32| {
        let (mut c, _) = warm(&Upgrade::default());
        for i in 0..messages {
            c.client().text(&format!("message {i}"));
            c.server().ping(&i.to_be_bytes());
            c.client().pong(&i.to_be_bytes());
        }
        costs(&c).live
    };
    let (short, long) = (talk(100), talk(3000));
    assert!(short > 0, "the counter counts");
    assert_eq!(long, short, "bytes in use after 3000 rounds and after 100");
}
