//! Large captures that look like traffic, for benches and for trying things at size.
//!
//! Written in batches of conversations that overlap in time, so memory stays at one batch whatever the size. With each
//! comes the truth: what a perfect reader must find.

use super::capture::PcapFormat;
use super::conversation::{Acks, Conversation, START, Side, Upgrade};
use super::impair::{Rates, impair};
use super::net::{Link, Packet};
use super::rng::Rng;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};

/// What kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Many connections, small text messages, pings, a mix of Close codes.
    Chat,
    /// Few connections, binary messages of 16 to 64 KiB.
    Bulk,
    /// Text messages of about 1 KiB compressed with context takeover both ways.
    Deflate,
    /// Mostly plain HTTP responses of 20 to 100 KB; one TCP connection in sixteen is a chat.
    Needle,
    /// Chat where 2 % of the data segments within a burst are overtaken, 0.5 % come twice and 0.1 % are missing.
    Lossy,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    pub bytes: u64,
    pub packets: u64,
    /// TCP connections.
    pub flows: u64,
    /// WebSocket connections among them.
    pub connections: u64,
    /// WebSocket frames sent, Close frames included.
    pub frames: u64,
    pub close_frames: u64,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Bulk, Self::Deflate, Self::Needle, Self::Lossy];

    /// As given on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Bulk => "bulk",
            Self::Deflate => "deflate",
            Self::Needle => "needle",
            Self::Lossy => "lossy",
        }
    }

    /// The workload of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// A capture of at least `bytes` bytes in memory (at most one batch of conversations more).
    pub fn capture(self, bytes: u64) -> (Vec<u8>, Truth) {
        let mut file = Vec::with_capacity(bytes as usize + (bytes as usize >> 3));
        let truth = self.write(bytes, &mut file).expect("a Vec takes everything");
        (file, truth)
    }

    /// Writes a capture of at least `bytes` bytes.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, bytes: u64, out: &mut impl Write) -> io::Result<Truth> {
        let format = PcapFormat::default();
        let header = format.header(Link::Ethernet);
        out.write_all(&header)?;
        let mut truth = Truth { bytes: header.len() as u64, ..Truth::default() };
        let mut rng = Rng::new(self as u64 + 1);
        let mut start = START;
        let mut records = Vec::new();
        while truth.bytes < bytes {
            let mut packets = Vec::new();
            for _ in 0..self.batch() {
                let at = start + rng.below(1_000_000_000) as i64;
                packets.extend(self.conversation(at, &mut rng, &mut truth));
            }
            packets.sort_by_key(|packet| packet.time);
            // The next batch starts when this one is over: the file stays in the order of time.
            start = packets.last().map_or(start, |packet| packet.time + 1_000_000);
            records.clear();
            for packet in &packets {
                format.record(packet, Link::Ethernet, &mut records);
            }
            out.write_all(&records)?;
            truth.bytes += records.len() as u64;
            truth.packets += packets.len() as u64;
        }
        Ok(truth)
    }

    /// Conversations open at the same time.
    fn batch(self) -> usize {
        match self {
            Self::Chat | Self::Lossy => 500,
            Self::Bulk => 4,
            Self::Deflate => 40,
            Self::Needle => 64,
        }
    }

    fn conversation(self, at: i64, rng: &mut Rng, truth: &mut Truth) -> Vec<Packet> {
        // One client address and port per connection: no pair comes twice within 2^32 connections.
        let number = truth.flows as u32;
        truth.flows += 1;
        let ip = Ipv4Addr::from(0x0a00_0000 + (number >> 14 << 1) + 1);
        let client = SocketAddr::from((ip, 32_768 + (number & 0x3fff) as u16));
        let mut c = Conversation::between(client, SocketAddr::from(([192, 0, 2, 10], 80)));
        c.seed(rng.next_u64()).isn(rng.next_u64() as u32, rng.next_u64() as u32);
        c.at(at).step(rng.between(50_000, 400_000) as i64);
        c.connect();
        if self == Self::Needle && !number.is_multiple_of(16) {
            c.request("GET /asset HTTP/1.1\nHost: example.test");
            let body = "x".repeat(rng.between(20_000, 100_000) as usize);
            c.respond(200, "Content-Type: text/plain", &body);
            c.server().fin();
            c.client().fin();
            return c.into_packets();
        }
        truth.connections += 1;
        match self {
            Self::Chat | Self::Needle | Self::Lossy => {
                c.upgrade();
                let mut sender = Side::Client;
                for _ in 0..rng.between(5, 40) {
                    // Most messages are alone, some come in bursts of one sender, acknowledged together.
                    if rng.chance(0.6) {
                        c.acks(Acks::PerWrite).wait(rng.below(50_000) as f64 * 1e-6);
                        sender = side(rng);
                    } else {
                        c.acks(Acks::Never);
                    }
                    let len = rng.between(8, 300) as usize;
                    c.side(sender).text(&rng.words(len));
                    truth.frames += 1;
                    if rng.chance(0.1) {
                        c.server().ping(b"7");
                        c.client().pong(b"7");
                        truth.frames += 2;
                    }
                }
            }
            Self::Bulk => {
                c.upgrade();
                for _ in 0..rng.between(8, 24) {
                    let len = rng.between(16_384, 65_536) as usize;
                    c.side(side(rng)).binary(&rng.bytes(len));
                    truth.frames += 1;
                }
            }
            Self::Deflate => {
                c.upgrade_with(&Upgrade::deflate(""));
                for i in 0..rng.between(20, 200) {
                    let text = format!("{{\"id\":{i},\"kind\":\"update\",\"text\":\"{}\"}}", rng.words(1000));
                    c.side(side(rng)).text(&text);
                    truth.frames += 1;
                }
            }
        }
        c.acks(Acks::PerWrite);
        end(&mut c, rng, truth);
        let packets = c.into_packets();
        match self {
            Self::Lossy => impair(packets, rng, Rates { reordered: 0.02, retransmitted: 0.005, missing: 0.001 }),
            _ => packets,
        }
    }
}

fn side(rng: &mut Rng) -> Side {
    if rng.chance(0.5) { Side::Client } else { Side::Server }
}

/// An ending as they are met: mostly clean, sometimes a server's error code, sometimes none at all.
fn end(c: &mut Conversation, rng: &mut Rng, truth: &mut Truth) {
    let mut close = |c: &mut Conversation, from: Side, code: u16, reason: &str| {
        c.side(from).close(code, reason);
        c.side(from.other()).close(code, "");
        truth.frames += 2;
        truth.close_frames += 2;
    };
    match rng.below(100) {
        0..50 => close(c, side(rng), 1000, ""),
        50..70 => close(c, Side::Client, 1001, ""),
        70..76 => close(c, Side::Server, 1011, "internal error"),
        76..80 => close(c, Side::Server, 1012, "service restart"),
        80..84 => close(c, Side::Server, 4401, "token expired"),
        84..90 => {
            c.client().rst();
            return;
        }
        90..94 => {} // FIN without Close
        _ => return, // still open at the end of the capture
    }
    c.server().fin();
    c.acks(Acks::Never).client().fin();
    c.server().ack();
}
