//! Large captures that look like traffic, for benches and for trying things at size.
//!
//! Written in batches of conversations that overlap in time, so memory stays at one batch whatever the size; only of
//! [`Workload::Many`] all connections are open, and in memory, at once. With each capture comes the truth: what a perfect
//! reader must find in it.

use super::capture::PcapFormat;
use super::conversation::{Acks, Conversation, START, Side, Upgrade};
use super::frames::opcode;
use super::impair::{Rates, impair};
use super::net::{Link, Packet};
use super::rng::Rng;
use super::traffic;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Many connections, small text messages, pings, a mix of Close codes.
    Chat,
    /// Few connections, binary messages of 16 to 64 KiB.
    Bulk,
    /// JSON messages of 0.3 to 4 KB compressed with context takeover both ways.
    Deflate,
    /// Mostly TLS, HTTP downloads and UDP; about one byte in twenty belongs to a chat.
    Needle,
    /// All connections are opened first and say little; few of them end.
    Many,
    /// Chat where 2 % of the data segments within a burst are overtaken, 0.5 % come twice and 0.1 % are missing.
    Lossy,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    pub bytes: u64,
    pub packets: u64,
    /// TCP connections.
    pub flows: u64,
    /// WebSocket connections among them.
    pub connections: u64,
    /// What the clients sent in them.
    pub client: Sent,
    /// What the servers sent.
    pub server: Sent,
    /// Data segments of WebSocket connections that were sent but are not in the capture.
    pub missing: u64,
    /// WebSocket connections with at least one of these.
    pub holed: u64,
}

/// What all the ends of one side sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames by opcode.
    pub frames: [u64; 16],
    /// Close frames by status code, `None` for an empty one.
    pub closes: BTreeMap<Option<u16>, u64>,
}

impl Truth {
    /// WebSocket frames sent by both sides, Close frames included.
    pub fn frames(&self) -> u64 {
        self.client.frames.iter().chain(&self.server.frames).sum()
    }

    /// Close frames among them.
    pub fn close_frames(&self) -> u64 {
        let close = usize::from(opcode::CLOSE);
        self.client.frames[close] + self.server.frames[close]
    }

    /// As one JSON object.
    pub fn manifest(&self, workload: Workload) -> serde_json::Value {
        let sent = |sent: &Sent| {
            let closes = sent.closes.iter().map(|(code, count)| {
                let code = code.map_or("empty".to_owned(), |code| code.to_string());
                (code, serde_json::Value::from(*count))
            });
            let frames = (0..).zip(&sent.frames).filter(|(_, count)| **count > 0);
            let frames = frames.map(|(opcode, count): (u8, _)| (opcode.to_string(), serde_json::Value::from(*count)));
            serde_json::json!({
                "frames_by_opcode": frames.collect::<serde_json::Map<_, _>>(),
                "close_codes": closes.collect::<serde_json::Map<_, _>>(),
            })
        };
        serde_json::json!({
            "workload": workload.name(),
            "bytes": self.bytes,
            "packets": self.packets,
            "tcp_connections": self.flows,
            "websocket_connections": self.connections,
            "client": sent(&self.client),
            "server": sent(&self.server),
            "missing_segments": self.missing,
            "connections_with_holes": self.holed,
        })
    }
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Chat, Self::Bulk, Self::Deflate, Self::Needle, Self::Many, Self::Lossy];

    /// As given on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Bulk => "bulk",
            Self::Deflate => "deflate",
            Self::Needle => "needle",
            Self::Many => "many",
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
        let mut writer = Writer::new(out)?;
        let mut rng = Rng::new(self as u64 + 1);
        if self == Self::Many {
            many(bytes, &mut rng, &mut writer)?;
        } else {
            while writer.truth.bytes < bytes {
                let mut packets = Vec::new();
                for _ in 0..self.batch() {
                    let at = writer.now + rng.below(1_000_000_000) as i64;
                    packets.extend(self.conversation(at, &mut rng, &mut writer.truth));
                }
                writer.write(packets)?;
            }
        }
        Ok(writer.truth)
    }

    /// Conversations open at the same time.
    fn batch(self) -> usize {
        match self {
            Self::Chat | Self::Lossy => 500,
            Self::Bulk => 4,
            Self::Deflate => 40,
            Self::Needle => 64,
            Self::Many => 1000,
        }
    }

    fn conversation(self, at: i64, rng: &mut Rng, truth: &mut Truth) -> Vec<Packet> {
        if self == Self::Needle && rng.chance(0.85) {
            return other(at, rng, truth);
        }
        let mut c = connection(at, rng, truth);
        c.timestamps();
        c.connect();
        match self {
            Self::Bulk => {
                c.upgrade();
                for _ in 0..rng.between(8, 24) {
                    let len = rng.between(16_384, 65_536) as usize;
                    truth.say(&mut c, side(rng), Say::Binary(&rng.bytes(len)));
                }
            }
            Self::Deflate => {
                c.upgrade_with(&Upgrade::deflate(""));
                for i in 0..rng.between(20, 200) {
                    let len = 300 << rng.below(4);
                    let text = format!("{{\"id\":{i},\"kind\":\"update\",\"text\":\"{}\"}}", rng.words(len));
                    truth.say(&mut c, side(rng), Say::Text(&text));
                }
            }
            _ => {
                c.upgrade();
                chat(&mut c, rng, truth);
            }
        }
        c.acks(Acks::PerWrite);
        end(&mut c, rng, truth);
        if self != Self::Lossy {
            return c.into_packets();
        }
        let rates = Rates { reordered: 0.02, retransmitted: 0.005, missing: 0.001 };
        let (packets, missing) = impair(c.into_packets(), rng, rates);
        truth.missing += missing;
        truth.holed += u64::from(missing > 0);
        packets
    }
}

/// The file so far.
struct Writer<'a, W: Write> {
    out: &'a mut W,
    records: Vec<u8>,
    truth: Truth,
    /// No packet is later than this.
    now: i64,
}

impl<'a, W: Write> Writer<'a, W> {
    const FORMAT: PcapFormat = PcapFormat { big_endian: false, nanoseconds: true, snap_len: 262_144 };

    fn new(out: &'a mut W) -> io::Result<Self> {
        let header = Self::FORMAT.header(Link::Ethernet);
        out.write_all(&header)?;
        let truth = Truth { bytes: header.len() as u64, ..Truth::default() };
        Ok(Self { out, records: Vec::new(), truth, now: START })
    }

    /// Adds one batch, whose packets are later than all before: the file stays in the order of time.
    fn write(&mut self, mut packets: Vec<Packet>) -> io::Result<()> {
        packets.sort_by_key(|packet| packet.time);
        self.now = packets.last().map_or(self.now, |packet| packet.time + 1_000_000);
        self.records.clear();
        for packet in &packets {
            Self::FORMAT.record(packet, Link::Ethernet, &mut self.records);
        }
        self.truth.bytes += self.records.len() as u64;
        self.truth.packets += packets.len() as u64;
        self.out.write_all(&self.records)
    }
}

/// Something that one side sends, which counts as so many frames.
enum Say<'a> {
    Text(&'a str),
    /// A text in three frames.
    Fragmented(&'a str),
    Binary(&'a [u8]),
    Ping,
    Pong,
    Close(u16, &'a str),
    EmptyClose,
}

impl Truth {
    /// Lets one side of a conversation say something, and remembers it.
    fn say(&mut self, c: &mut Conversation, from: Side, what: Say<'_>) {
        let sent = match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        let mut count = |opcode: u8, frames: u64| sent.frames[usize::from(opcode)] += frames;
        let sender = c.side(from);
        match what {
            Say::Text(text) => {
                count(opcode::TEXT, 1);
                sender.text(text);
            }
            Say::Fragmented(text) => {
                count(opcode::TEXT, 1);
                count(opcode::CONTINUATION, 2);
                let bytes = text.as_bytes();
                let (a, b) = (bytes.len() / 4, bytes.len() / 2);
                sender.message(opcode::TEXT, &[&bytes[..a], &bytes[a..b], &bytes[b..]]);
            }
            Say::Binary(bytes) => {
                count(opcode::BINARY, 1);
                sender.binary(bytes);
            }
            Say::Ping => {
                count(opcode::PING, 1);
                sender.ping(b"7");
            }
            Say::Pong => {
                count(opcode::PONG, 1);
                sender.pong(b"7");
            }
            Say::Close(code, reason) => {
                count(opcode::CLOSE, 1);
                *sent.closes.entry(Some(code)).or_default() += 1;
                sender.close(code, reason);
            }
            Say::EmptyClose => {
                count(opcode::CLOSE, 1);
                *sent.closes.entry(None).or_default() += 1;
                sender.close_empty();
            }
        }
    }
}

/// Two ends with addresses of their own: no pair comes twice within 2^32 connections. One in seven uses IPv6.
fn addresses(number: u64) -> (SocketAddr, SocketAddr) {
    let number = number as u32;
    let (host, port) = ((number >> 14 << 1) + 1, 32_768 + (number & 0x3fff) as u16);
    let server = (number % 3) as u8;
    if number % 7 == 3 {
        let client = Ipv6Addr::from(0x2001_0db8_0001 << 80 | u128::from(host));
        (SocketAddr::from((client, port)), ([0x2001, 0xdb8, 0xff, 0, 0, 0, 0, u16::from(server)], 80).into())
    } else {
        (SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + host), port)), ([192, 0, 2, 10 + server], 80).into())
    }
}

/// A WebSocket connection that is about to begin.
fn connection(at: i64, rng: &mut Rng, truth: &mut Truth) -> Conversation {
    truth.connections += 1;
    flow(at, rng, truth)
}

/// A TCP connection that is about to begin.
fn flow(at: i64, rng: &mut Rng, truth: &mut Truth) -> Conversation {
    let (client, server) = addresses(truth.flows);
    truth.flows += 1;
    let mut c = Conversation::between(client, server);
    c.seed(rng.next_u64()).isn(rng.next_u64() as u32, rng.next_u64() as u32);
    c.at(at).step(rng.between(50_000, 400_000) as i64);
    c
}

fn chat(c: &mut Conversation, rng: &mut Rng, truth: &mut Truth) {
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
        match rng.below(100) {
            0 => truth.say(c, sender, Say::Fragmented(&rng.words(len))),
            1..4 => truth.say(c, sender, Say::Binary(&rng.bytes(len))),
            _ => truth.say(c, sender, Say::Text(&rng.words(len))),
        }
        if rng.chance(0.1) {
            truth.say(c, Side::Server, Say::Ping);
            truth.say(c, Side::Client, Say::Pong);
        }
    }
}

/// Connections that are all open before the first of them says something.
fn many(bytes: u64, rng: &mut Rng, writer: &mut Writer<'_, impl Write>) -> io::Result<()> {
    let mut open: Vec<Conversation> = Vec::new();
    let batch = Workload::Many.batch();
    while writer.truth.bytes < bytes / 3 * 2 {
        let mut packets = Vec::new();
        for _ in 0..batch {
            let mut c = connection(writer.now + rng.below(1_000_000_000) as i64, rng, &mut writer.truth);
            c.connect().upgrade();
            packets.extend(c.take_packets());
            open.push(c);
        }
        writer.write(packets)?;
    }
    while writer.truth.bytes < bytes {
        for part in open.chunks_mut(batch) {
            let mut packets = Vec::new();
            for c in part {
                c.at(writer.now + rng.below(1_000_000_000) as i64);
                c.acks(if rng.chance(0.3) { Acks::PerWrite } else { Acks::Never });
                let len = rng.between(4, 60) as usize;
                writer.truth.say(c, side(rng), Say::Text(&rng.words(len)));
                if rng.chance(0.3) {
                    writer.truth.say(c, Side::Server, Say::Ping);
                    writer.truth.say(c, Side::Client, Say::Pong);
                }
                packets.extend(c.take_packets());
            }
            writer.write(packets)?;
        }
    }
    let mut packets = Vec::new();
    for c in &mut open {
        if rng.chance(0.025) {
            c.at(writer.now + rng.below(1_000_000_000) as i64).acks(Acks::PerWrite);
            end(c, rng, &mut writer.truth);
            packets.extend(c.take_packets());
        }
    }
    writer.write(packets)
}

/// Something that is no WebSocket.
fn other(at: i64, rng: &mut Rng, truth: &mut Truth) -> Vec<Packet> {
    let len = rng.between(20_000, 100_000) as usize;
    if rng.chance(0.2) {
        return traffic::datagrams(at, len, rng);
    }
    let mut c = flow(at, rng, truth);
    c.timestamps().connect();
    if rng.chance(0.3) {
        c.request("GET /asset HTTP/1.1\nHost: example.test");
        c.respond(200, "Content-Type: text/plain", &"x".repeat(len));
    } else {
        traffic::tls(&mut c, len, rng);
    }
    c.server().fin();
    c.client().fin();
    c.into_packets()
}

fn side(rng: &mut Rng) -> Side {
    if rng.chance(0.5) { Side::Client } else { Side::Server }
}

/// An ending as they are met: mostly clean, sometimes a server's error code, sometimes none at all.
fn end(c: &mut Conversation, rng: &mut Rng, truth: &mut Truth) {
    const CODES: [(u64, Side, u16, &str); 12] = [
        (46, Side::Client, 1000, ""),
        (8, Side::Server, 1000, ""),
        (12, Side::Client, 1001, ""),
        (8, Side::Server, 1001, "going away"),
        (3, Side::Server, 1011, "internal error"),
        (2, Side::Server, 1008, "policy"),
        (1, Side::Server, 1009, "message too big"),
        (1, Side::Server, 1003, "no binary"),
        (2, Side::Server, 1012, "service restart"),
        (1, Side::Server, 1013, "try again later"),
        (2, Side::Server, 4000, "duplicate"),
        (2, Side::Server, 4401, "token expired"),
    ];
    let mut chosen = rng.below(100);
    let code = CODES.iter().find(|(weight, ..)| {
        let is_it = chosen < *weight;
        chosen = chosen.wrapping_sub(if is_it { 0 } else { *weight });
        is_it
    });
    match (code, chosen) {
        (Some((_, from, code, reason)), _) => {
            truth.say(c, *from, Say::Close(*code, reason));
            truth.say(c, from.other(), Say::Close(*code, ""));
        }
        (None, 0..2) => {
            truth.say(c, Side::Client, Say::EmptyClose);
            truth.say(c, Side::Server, Say::EmptyClose);
        }
        (None, 2..6) => {
            c.client().rst();
            return;
        }
        (None, 6..10) => {}  // FIN without Close
        (None, _) => return, // still open at the end of the capture
    }
    c.server().fin();
    c.acks(Acks::Never).client().fin();
    c.server().ack();
}
