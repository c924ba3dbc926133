//! Attacks by name: what each may cost in heap beyond a small connection's, and that everything else still works.

use super::runs::{IntoCapture, KIB, MIB, RING, analyse, measured, upgraded};
use super::support::conversation::START;
use super::support::net::{Content, flags};
use super::support::{Acks, Capture, Conversation, Frame, Length, Link, Packet, PcapFormat, Segment, Side, Upgrade};
use std::io::Write;
use wsdissect::capture::{CaptureLimits, Reader};
use wsdissect::limits::Limits;

/// A capture made packet by packet, so that a large one is not held twice.
struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        Self(PcapFormat::default().header(Link::Raw))
    }

    fn ip(&mut self, nanos: i64, bytes: Vec<u8>) {
        PcapFormat::default().record(&Packet::new(START + nanos, Content::Ip(bytes)), Link::Raw, &mut self.0);
    }

    fn segment(&mut self, nanos: i64, segment: Segment) {
        PcapFormat::default().record(&Packet::new(START + nanos, Content::Segment(segment)), Link::Raw, &mut self.0);
    }
}

/// Client number `i` of a flood.
fn client(i: u32) -> std::net::SocketAddr {
    let [a, b, c, _] = (i / 50_000 + 1).to_be_bytes();
    std::net::SocketAddr::from(([10, a ^ c, b ^ c, c], (10_000 + i % 50_000) as u16))
}

fn server() -> std::net::SocketAddr {
    "192.0.2.1:80".parse().expect("an address")
}

/// A million SYNs take as much memory as ten thousand; `docs/limits.md` has the run with default limits.
#[test]
fn half_open_connections() {
    let limits = Limits { flows: 2_000, ..Limits::default() };
    let mut writer = Writer::new();
    for i in 0..60_000 {
        writer.segment(i64::from(i) * 1000, Segment { seq: i, flags: flags::SYN, ..Segment::new(client(i), server()) });
    }
    let (found, used) = measured(&writer.0, limits);
    assert!(found.hits("flows") >= 58_000, "{} forgotten", found.hits("flows"));
    assert_eq!(found.summary.flows, 60_000);
    // 2000 flows of 2 KiB, the last 2000 remembered, 10,000 attempts of 5 KiB that wait for their server to be known.
    assert!(used < 80 * MIB, "{used} bytes");
}

/// Connections that are forgotten to make room are said neither to have ended nor to be open.
#[test]
fn what_was_forgotten_did_not_end() {
    let limits = Limits { flows: 10, ..Limits::default() };
    let conversations = (0..40).map(|i| {
        let mut c = Conversation::between(client(i), server());
        c.at(START + i64::from(i) * 1_000_000_000).connect().upgrade();
        c.client().text("hi");
        c
    });
    let found = analyse(&Capture::of(conversations).pcap(), limits);
    assert_eq!((found.connections, found.hits("flows")), (40, 30));
    for report in &found.reports {
        assert_eq!(report.diagnosis.cause.name(), "unknown", "{:?}", report.diagnosis.rule);
    }
}

fn story(mss: usize) -> Vec<u8> {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.mss(mss).connect().upgrade();
    for _ in 0..50 {
        c.client().text("one byte at a time, please");
        c.server().binary(&[7; 300]).ping(b"still there?");
    }
    c.server().close(1009, "too big");
    c.client().close(1009, "").fin();
    c.server().fin();
    c.into_capture()
}

#[test]
fn one_byte_for_each_segment() {
    let whole = analyse(&story(1460), Limits::default());
    let (bytes, used) = measured(&story(1), Limits::default());
    let (whole, bytes) = (whole.only(), bytes.only());
    assert_eq!(bytes.diagnosis.rule, whole.diagnosis.rule);
    assert_eq!(bytes.connection.traffic.client.text_messages, 50);
    assert_eq!(bytes.connection.traffic.server.pings.count, 50);
    assert!(used < RING + 64 * KIB, "{used} bytes");
}

/// 4 GiB, and the most that RFC 6455 §5.2 can write.
#[test]
fn frames_that_claim_gigabytes() {
    for claim in [1 << 32, (1 << 63) - 1, u64::MAX] {
        let mut c = upgraded(&Upgrade::default());
        c.client().text("before");
        c.server().frame(Frame::binary(&[1; 1000]).length(Length::Claim(claim)));
        c.client().text("the other side goes on");
        c.wait(2.0).server().rst();
        let (found, used) = measured(&c.into_capture(), Limits::default());
        let connection = &found.only().connection;
        assert_eq!(connection.traffic.client.text_messages, 2, "{claim}");
        assert_eq!(
            connection.traffic.server.unfinished.as_ref().map(|frame| frame.payload_seen),
            Some(1000),
            "{claim}"
        );
        assert!(used < 64 * KIB, "{used} bytes for {claim}");
    }
}

/// Segments over segments, each saying something else, half of them behind a hole.
#[test]
fn overlapping_segments() {
    let mut c = upgraded(&Upgrade::default());
    c.acks(Acks::Never);
    c.client().text("before");
    let mut packets = c.packets().to_vec();
    let last = packets.iter().rfind(|packet| packet.segment().source.port() == 40_000).expect("the text").clone();
    let next = last.segment().seq.wrapping_add(last.segment().payload.len() as u32);
    for i in 0..20_000_u32 {
        let mut packet = last.clone();
        packet.time += i64::from(i) * 1000;
        let segment = packet.segment_mut();
        segment.seq = next.wrapping_add(1 + i * 7 % 5000);
        segment.payload = vec![i as u8; 1 + i as usize % 1400];
        packets.push(packet);
    }
    let mut capture = Capture::new();
    capture.extend(packets);
    let limits = Limits { reorder_bytes_per_end: 64 << 10, ..Limits::default() };
    let (found, used) = measured(&capture.pcap(), limits);
    assert_eq!(found.only().connection.traffic.client.text_messages, 1);
    assert!(used < 2 * MIB, "{used} bytes");
}

/// Numbers no window reaches: counted, believed by nobody.
#[test]
fn segments_out_of_the_window() {
    let mut c = upgraded(&Upgrade::default());
    c.client().text("before");
    let template = c.packets().last().expect("an acknowledgement").clone();
    let mut forged = Vec::new();
    for i in 0..30_000_u32 {
        let mut packet = template.clone();
        packet.time += i64::from(i) * 1000;
        let segment = packet.segment_mut();
        segment.seq = segment.seq.wrapping_add(0x5000_0000 + i * 1000);
        segment.payload = vec![0x88; 200];
        forged.push(packet);
    }
    c.wait(1.0);
    c.client().close(1000, "done");
    c.server().close(1000, "").fin();
    c.client().fin();
    let mut capture = Capture::of([c]);
    capture.extend(forged);
    let (found, used) = measured(&capture.pcap(), Limits::default());
    assert_eq!(
        found.only().connection.traffic.client.close.as_ref().map(|close| close.payload.code().map(|c| c.0)),
        Some(Some(1000))
    );
    assert!(used < MIB, "{used} bytes");
}

/// Zeros behind a capture that is whole: gzip, Zstandard and LZ4 make 64 MiB of them small.
#[test]
fn bombs_as_capture_files() {
    let mut plain = story(1460);
    let records = Reader::open(&plain[..]).map(|reader| count(reader)).expect("a capture");
    plain.resize(plain.len() + (64 << 20), 0);
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain).expect("memory");
        encoder.finish().expect("memory")
    };
    let lz4 = {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(&plain).expect("memory");
        encoder.finish().expect("memory")
    };
    #[cfg(feature = "zstd")]
    let zstd = ("zstd", zstd::encode_all(&plain[..], 3).expect("memory"));
    #[cfg(not(feature = "zstd"))]
    let zstd = ("gzip", gzip.clone());
    drop(plain);
    for (name, packed) in [("gzip", gzip), ("lz4", lz4), zstd] {
        assert!(packed.len() < MIB, "{name}: {} bytes", packed.len());
        let (found, used) = measured(&packed, Limits::default());
        assert!(found.summary.packets >= records, "{name}: {} of {records} packets", found.summary.packets);
        assert_eq!(found.only().connection.traffic.client.text_messages, 50, "{name}");
        // Buffers of the decompressor, and of the search for records in the zeros.
        assert!(used < 16 * MIB, "{name}: {used} bytes");
    }
}

fn count(mut reader: Reader<&[u8]>) -> u64 {
    let mut packets = 0;
    while let Ok(Some(_)) = reader.next_packet() {
        packets += 1;
    }
    packets
}

/// 64 MiB of zeros in a message of 64 KiB: reading stops at the limit, the ratio is told, and the connection goes on.
/// The window is unknown then, so the next compressed message, which may refer to it, is read as far as it can be.
#[test]
fn row_58_a_bomb_stops_at_the_limit_and_the_connection_goes_on() {
    for (extension, context) in [("", "kept"), ("; client_no_context_takeover", "none")] {
        let mut c = upgraded(&Upgrade::deflate(extension));
        c.client().text("before");
        c.client().binary(&vec![0; 64 << 20]);
        c.client().text("after");
        c.server().text("the other side").close(1009, "");
        c.client().close(1009, "").fin();
        c.server().fin();
        let limits = Limits { inflated_message_bytes: 1 << 20, ..Limits::default() };
        let (found, used) = measured(&c.into_capture(), limits);
        assert_eq!(found.hits("inflate"), 1, "{context}");
        let connection = &found.only().connection;
        assert_eq!((connection.traffic.client.text_messages, connection.traffic.client.binary_messages), (2, 1));
        assert_eq!(connection.traffic.server.text_messages, 1);
        assert_eq!(format!("{:?}", connection.closing.states.client), "Clean", "{context}");
        let text = found.text(wsdissect::catalog::language::Language::En);
        assert!(text.contains("1,048,576 bytes, over 1"), "{context}: the ratio is told:\n{text}");
        // One more window than the small connection has.
        assert!(used < 512 * KIB, "{used} bytes, context {context}");
    }
}

/// Recipe `bomb`: 200 MiB of zeros within the default limit are counted in full and cost no more memory than a word.
#[test]
fn recipe_bomb() {
    let mut c = upgraded(&Upgrade::deflate(""));
    c.client().text("before").binary(&vec![0; 200 << 20]);
    c.server().text("after");
    let capture = c.into_capture();
    let (found, used) = measured(&capture, Limits::default());
    let traffic = &found.only().connection.traffic;
    assert_eq!((traffic.client.text_messages, traffic.server.text_messages, found.hits("inflate")), (1, 1, 0));
    assert_eq!(traffic.client.last_message.map(|message| message.size), Some(200 << 20));
    assert!(used < 512 * KIB, "{used} bytes for a capture of {}", capture.len());
}

/// Blocks whose lengths, options and counts are not true; what was read before them stays.
#[test]
fn pcapng_blocks_that_lie() {
    let capture = Capture::of([{
        let mut c = upgraded(&Upgrade::default());
        c.client().text("before");
        c
    }])
    .pcapng();
    let word = |value: u32| value.to_le_bytes();
    let block = |kind: u32, claimed: u32, body: &[u8], trailer: u32| {
        [&word(kind)[..], &word(claimed), body, &word(trailer)].concat()
    };
    let lies = [
        // A block of 4 GiB, of no length at all, of a length that is no multiple of four, with another trailer.
        block(6, u32::MAX - 3, &[0; 64], 76),
        block(6, 0, &[], 0),
        block(6, 13, &[0; 1], 13),
        block(6, 32, &[0; 20], 64),
        // A packet of 4 GiB in a block of 48 bytes, and one on an interface that does not exist.
        block(6, 48, &[&[0; 12][..], &word(u32::MAX), &word(u32::MAX), &[0; 16]].concat(), 48),
        block(6, 48, &[&word(77)[..], &[0; 8], &word(16), &word(16), &[0; 16]].concat(), 48),
        // An option and a name record that are longer than their block; a section that claims to be endless.
        block(6, 48, &[&[0; 12][..], &word(8), &word(8), &[0; 8], &[1, 0, 0xff, 0xff], &[0; 4]].concat(), 48),
        block(4, 32, &[&[1, 0, 0xff, 0xff][..], &[0; 16]].concat(), 32),
        block(0x0a0d_0d0a, 28, &[&word(0x1a2b_3c4d)[..], &[1, 0, 0, 0], &[0x7f; 8]].concat(), 28),
        // Decryption secrets of 4 GiB.
        block(10, 24, &[&word(0x544c_534b)[..], &word(u32::MAX), &[0; 4]].concat(), 24),
        // More interfaces than are kept.
        block(1, 20, &[1, 0, 0, 0, 0, 0, 0, 0], 20).repeat(100_000),
    ];
    for (number, lie) in lies.iter().enumerate() {
        let bytes = [&capture[..], &lie.repeat(3)].concat();
        let (found, used) = measured(&bytes, Limits::default());
        assert_eq!(found.only().connection.traffic.client.text_messages, 1, "lie {number}");
        // The 65,536 interfaces that are kept take 160 bytes each.
        assert!(used < 12 * MIB, "lie {number}: {used} bytes");
    }
    let interfaces = [&capture[..], &lies[10]].concat();
    let mut reader = Reader::open(&interfaces[..]).expect("a capture");
    while let Ok(Some(_)) = reader.next_packet() {}
    assert!(reader.summary().interfaces.len() <= CaptureLimits::default().interfaces);
}

fn ipv4(protocol: u8, fragment: u16, number: u16, payload: &[u8]) -> Vec<u8> {
    let len = ((20 + payload.len()) as u16).to_be_bytes();
    let (id, place) = (number.to_be_bytes(), fragment.to_be_bytes());
    let header =
        [0x45, 0, len[0], len[1], id[0], id[1], place[0], place[1], 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    [&header[..], payload].concat()
}

#[test]
fn tunnels_without_end() {
    let mut writer = Writer::new();
    let mut packet = Segment { flags: flags::SYN, ..Segment::new(client(1), server()) }.ip();
    for depth in 1..=1000 {
        packet = ipv4(4, 0, 7, &packet);
        writer.ip(i64::from(depth) * 1000, packet.clone());
    }
    let (found, used) = measured(&writer.0, Limits::default());
    assert_eq!(found.hits("tunnels"), 1000 - 8, "eight are followed");
    // The table of copies is 640 KiB.
    assert!(used < MIB, "{used} bytes");
}

/// First fragments of datagrams that never end, large and small.
#[test]
fn fragments_without_end() {
    let limits = Limits { fragmented_datagrams: 500, fragment_bytes: 256 << 10, ..Limits::default() };
    for len in [8, 1400] {
        let mut writer = Writer::new();
        for i in 0..30_000_u32 {
            let payload = vec![i as u8; len];
            let mut bytes = ipv4(6, 0x2000, i as u16, &payload);
            bytes[12..16].copy_from_slice(&i.to_be_bytes());
            writer.ip(i64::from(i) * 1000, bytes);
        }
        let (found, used) = measured(&writer.0, limits);
        assert!(found.hits("fragments") > 29_000, "{} given up", found.hits("fragments"));
        assert!(used < MIB, "{used} bytes of fragments of {len}");
    }
    // One datagram in the smallest pieces, again and again, from its end to its start.
    let mut writer = Writer::new();
    for i in 0..30_000_u32 {
        let place = 8_000 - i % 8_000;
        writer.ip(i64::from(i) * 1000, ipv4(6, 0x2000 | place as u16, (i / 8_000) as u16, &[1; 8]));
    }
    let (_, used) = measured(&writer.0, limits);
    assert!(used < 2 * MIB, "{used} bytes of one datagram");
}

#[test]
fn http_heads_without_end() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.acks(Acks::Never).connect();
    c.client().bytes(b"GET / HTTP/1.1\r\n");
    for i in 0..5_000 {
        c.client().bytes(format!("X-{i}: {}\r\n", "x".repeat(500)).as_bytes());
    }
    let (found, used) = measured(&c.into_capture(), Limits::default());
    assert_eq!(found.hits("http_head"), 1);
    assert!(used < RING + 256 * KIB, "{used} bytes");
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u16).to_be_bytes();
    [&[kind, 3, 3, len[0], len[1]][..], body].concat()
}

/// A ClientHello of 16 MiB in records of a few bytes, and an end that never comes.
#[test]
fn tls_handshakes_without_end() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    c.acks(Acks::Never).connect();
    c.client().bytes(&record(22, &[1, 0xff, 0xff, 0xff, 3, 3]));
    for _ in 0..3_000 {
        c.client().bytes(&record(22, &[0; 5]).repeat(100));
    }
    c.server().rst();
    let (found, used) = measured(&c.into_capture(), Limits::default());
    assert_eq!(found.hits("tls_handshake"), 1);
    assert!(used < RING + 64 * KIB, "{used} bytes");
}

#[test]
fn tls_records_of_one_byte() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    c.acks(Acks::Never).connect();
    for kind in [21, 23, 20, 22, 24] {
        for _ in 0..300 {
            c.client().bytes(&record(kind, &[1]).repeat(200));
            c.server().bytes(&record(21, &[2, 40]).repeat(100));
        }
    }
    c.server().rst();
    let (found, used) = measured(&c.into_capture(), Limits::default());
    assert!(used < RING + 64 * KIB, "{used} bytes");
    let json = found.json().iter().map(|object| object.to_string().len()).max();
    assert!(json < Some(64 * KIB), "{json:?} bytes of JSON");
}

/// Half-finished input of very many connections: what one may keep, times the connections that may be open, would be
/// tens of gigabytes.
#[test]
fn unfinished_input_of_many_connections() {
    let limits = Limits { kept_bytes_total: 4 << 20, ..Limits::default() };
    let head = |c: &mut Conversation| {
        c.client().bytes(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(20_000)).as_bytes());
    };
    let hello = |c: &mut Conversation| {
        c.client().bytes(&record(22, &[&[1, 0, 0xff, 0xff][..], &[0; 16_000]].concat()));
    };
    let frames = |c: &mut Conversation| {
        c.upgrade_with(&Upgrade::deflate(""));
        c.client().text(&"a window is kept ".repeat(600));
    };
    let early = |c: &mut Conversation| {
        c.request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
        for _ in 0..1000 {
            c.client().bytes(&[0x82; 20]);
        }
    };
    let late = |c: &mut Conversation| {
        for i in 0..40 {
            c.client().bytes(&[0x81, 0x80 | i, 1, 2, 3, 4].repeat(50));
        }
    };
    type Kind<'a> = (&'a str, &'a dyn Fn(&mut Conversation));
    let kinds: [Kind<'_>; 5] =
        [("head", &head), ("hello", &hello), ("window", &frames), ("held", &early), ("search", &late)];
    for (name, kind) in kinds {
        let conversations = (0..400).map(|i| {
            let mut c = Conversation::between(client(i), server());
            c.at(START + i64::from(i) * 1_000_000).acks(Acks::Never).connect();
            kind(&mut c);
            c
        });
        let (found, used) = measured(&Capture::of(conversations).pcap(), limits);
        assert!(found.hits("kept") > 0, "{name}: the bound is reached");
        assert!(used < 8 * MIB, "{name}: {used} bytes");
    }
}

/// Pings, broken rules and gaps without number: the report stays as long as it is.
#[test]
fn events_without_number() {
    let mut c = upgraded(&Upgrade::default());
    c.acks(Acks::Never);
    for i in 0..5_000 {
        c.client().ping(&[i as u8; 3]).frame(Frame::new(0, [1]).rsv(0b011)).lost(&[0; 10]).text("after a hole");
        c.side(Side::Server).pong(b"unasked").frame(Frame::new(0xb, [1; 3]));
    }
    let (found, used) = measured(&c.into_capture(), Limits::default());
    assert!(used < 4 * MIB, "{used} bytes");
    let json = found.json().iter().map(|object| object.to_string().len()).max();
    assert!(json < Some(64 * KIB), "{json:?} bytes of JSON");
}

/// Upgrade requests that are all refused, on one connection.
#[test]
fn refusals_without_number() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.acks(Acks::Never).connect();
    for _ in 0..5_000 {
        c.request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
        c.respond(403, "", "");
    }
    let (found, used) = measured(&c.into_capture(), Limits::default());
    assert_eq!(found.only().connection.ending.len(), 1, "the last refusal");
    assert!(used < RING + 64 * KIB, "{used} bytes");
}
