//! What many open connections cost: allocations for each packet, bytes for each of them that is idle.
//!
//! The whole path is counted, from the bytes of the file to the question whether a report is ready. `tests/memory.rs` looks at
//! single connections, packet by packet.

mod heap;
mod support;

use heap::COUNTS;
use support::{Acks, Capture, Conversation, Packet, Side, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::{Analyzer, Options};

/// The bytes in use for a connection that has its upgrade and a message behind it and now is silent: TCP, handshake,
/// frames of both sides, and its share of all tables.
const BYTES_PER_IDLE_CONNECTION: i64 = 1_650;

/// An analysis in the middle of a capture.
struct Under {
    analyzer: Analyzer,
    capture: Vec<u8>,
    /// Packets to read before anything is counted.
    warm: u64,
}

/// What the packets after warming up cost.
struct Costs {
    packets: u64,
    allocations: u64,
    /// Bytes in use at the end beyond those before the first packet.
    live: i64,
}

impl Under {
    fn new(packets: Vec<Packet>, warm: usize) -> Self {
        let mut capture = Capture::new();
        capture.extend(packets);
        Self { analyzer: Analyzer::new(Options::default()), capture: capture.pcap(), warm: warm as u64 }
    }

    fn costs(mut self) -> Costs {
        let live = COUNTS.get().live;
        let mut reader = Reader::open(&self.capture[..]).expect("a capture of our own");
        let mut costs = Costs { packets: 0, allocations: 0, live: 0 };
        let mut before = COUNTS.get().allocations;
        while let Some(packet) = reader.next_packet().expect("undamaged") {
            let is_warm = packet.number.value() > self.warm;
            self.analyzer.packet(&packet);
            assert!(self.analyzer.next_report().is_none(), "all connections stay open");
            let now = COUNTS.get().allocations;
            costs.packets += u64::from(is_warm);
            costs.allocations += if is_warm { now - before } else { 0 };
            before = now;
        }
        costs.live = COUNTS.get().live - live;
        costs
    }
}

/// So many connections that have been upgraded.
fn open(count: u16, upgrade: &Upgrade) -> Vec<Conversation> {
    let connection = |number: u16| {
        let mut c = Conversation::new(&format!("10.0.0.1:{}", 20_000 + number), "192.0.2.1:80");
        c.at(support::conversation::START + i64::from(number) * 1_000_000).step(1000);
        c.connect().upgrade_with(upgrade);
        c
    };
    (0..count).map(connection).collect()
}

/// Lets every connection say something in turn, again and again.
fn talk(connections: &mut [Conversation], rounds: u32) {
    let start = connections.iter().map(Conversation::now).max().expect("there are some");
    for round in 0..rounds {
        for (number, c) in (0..).zip(&mut *connections) {
            c.at(start + i64::from(round) * 1_000_000_000 + number * 1_000_000).acks(Acks::PerWrite);
            for side in [Side::Client, Side::Server] {
                c.side(side).text("a message as it is written in a chat").ping(b"?");
                c.side(side.other()).pong(b"?");
                c.side(side).binary(&[7; 200]);
            }
        }
    }
}

fn packets(connections: &mut [Conversation]) -> Vec<Packet> {
    connections.iter_mut().flat_map(Conversation::take_packets).collect()
}

/// Once every connection has warmed up, packets in order cost nothing, whichever connection they belong to.
#[test]
fn packets_of_many_open_connections_allocate_nothing() {
    for upgrade in [Upgrade::default(), Upgrade::deflate("")] {
        let mut connections = open(100, &upgrade);
        // Windows grow with what was said: to 8 KiB here, which the rounds below do not fill.
        talk(&mut connections, 20);
        let before = packets(&mut connections);
        let warm = before.len();
        talk(&mut connections, 10);
        let all = before.into_iter().chain(packets(&mut connections)).collect();
        let costs = Under::new(all, warm).costs();
        println!("{} allocations for {} packets", costs.allocations, costs.packets);
        assert!(costs.packets > 10_000, "they were counted");
        assert_eq!(costs.allocations, 0, "allocations for {} packets, {:?}", costs.packets, upgrade.extensions);
    }
}

/// The price of one more connection, so that what an analysis has from the start does not count.
#[test]
fn an_idle_connection_takes_few_bytes() {
    let live = |count: u16| {
        let mut connections = open(count, &Upgrade::default());
        for c in &mut connections {
            c.client().text("hello");
            c.server().text("hello");
        }
        Under::new(packets(&mut connections), 0).costs().live
    };
    // Tables double: the counts are chosen so that both are filled to the same part.
    let (few, many) = (live(4000), live(16_000));
    let each = (many - few) / 12_000;
    println!("{each} bytes for each idle connection");
    assert!(each <= BYTES_PER_IDLE_CONNECTION, "{each} bytes for each idle connection");
}
