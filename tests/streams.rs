//! The same conversation in other packets is the same conversation: cut anywhere, out of order, twice, overlapping, on
//! other links, in other files. And a file that breaks off or is damaged proves nothing that is not so.

mod common;
mod support;

use common::case::Case;
use common::findings::{difference, findings, findings_anywhere, story};
use common::{Analysis, analyse};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::net::flags;
use support::{Acks, Capture, Conversation, Frame, Link, Masking, Packet, PcapFormat, PcapngWriter, Rng};
use support::{TimeResolution, Upgrade};

/// Who talks to whom, and the initial sequence numbers.
#[derive(Clone, Copy)]
struct Ends(&'static str, &'static str, u32, u32);

const V4: Ends = Ends("10.0.0.1:40000", "10.0.0.2:80", 1000, 5000);
const V6: Ends = Ends("[2001:db8::1]:40000", "[2001:db8::2]:80", 1000, 5000);

/// Writes down what is said after TCP is open.
type Play = fn(&mut Conversation);

/// Conversations of different kinds and endings, by name.
const TALKS: [(&str, Play); 7] = [
    ("plain", plain),
    ("compressed", compressed),
    ("invalid UTF-8", invalid_utf8),
    ("broken frames", broken_frames),
    ("refused", refused),
    ("HTTP after the upgrade", http_after_upgrade),
    ("reset", reset),
];

fn plain(c: &mut Conversation) {
    c.upgrade_with(&Upgrade {
        subprotocols_offered: Some("chat.v2, chat.v1".into()),
        subprotocol: Some("chat.v1".into()),
        ..Upgrade::default()
    });
    c.client().text("größer, 消息 and 👍");
    c.server().binary(&[7; 200]);
    c.acks(Acks::Never);
    c.client().frame(Frame::text("a message ").fin(false)).ping(b"inside").frame(Frame::new(0, "in two frames"));
    c.acks(Acks::PerWrite);
    c.server().pong(b"inside");
    c.wait(2.0).server().close(1001, "going away, naïvely");
    c.client().close(1001, "");
    c.server().fin();
    c.client().fin();
}

fn compressed(c: &mut Conversation) {
    c.upgrade_with(&Upgrade::deflate("; server_no_context_takeover"));
    for _ in 0..2 {
        c.client().text("the same text twice, the same text twice");
        c.server().message(1, &[b"compressed ", b"and ", b"fragmented"]);
    }
    c.client().close(1000, "done");
    c.server().close(1000, "done");
    c.server().fin();
    c.client().fin();
}

fn invalid_utf8(c: &mut Conversation) {
    c.upgrade();
    c.client().text("fine").frame(Frame::new(1, b"caf\xe9 au lait"));
    c.server().close(1007, "invalid continuation byte");
    c.client().close(1007, "");
    c.server().fin();
    c.client().fin();
}

fn broken_frames(c: &mut Conversation) {
    c.upgrade();
    c.server().text("fine");
    c.client().frame(Frame::text("not masked").masking(Masking::Clear));
    c.client().frame(Frame::new(9, vec![0; 126]).rsv(0b010));
    c.server().close(1002, "");
    c.server().fin();
    c.client().fin();
}

fn refused(c: &mut Conversation) {
    c.request(
        "GET /chat?token=secret HTTP/1.1\nHost: example.test\nUpgrade: websocket\nConnection: Upgrade\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13",
    );
    c.respond(401, "WWW-Authenticate: Bearer\nContent-Type: text/plain", "no token");
    c.server().fin();
    c.client().fin();
}

fn http_after_upgrade(c: &mut Conversation) {
    c.upgrade();
    c.client().text("hi");
    c.server().bytes(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").fin();
    c.client().fin();
}

fn reset(c: &mut Conversation) {
    c.upgrade();
    c.client().text("hi");
    c.server().text("hello");
    c.wait(60.0).server().rst();
}

fn talk(ends: Ends, play: Play) -> Conversation {
    let mut c = Conversation::new(ends.0, ends.1);
    // Masking and handshake keys do not depend on the addresses.
    c.seed(7).isn(ends.2, ends.3).connect();
    play(&mut c);
    c
}

fn packets(ends: Ends, play: Play) -> Vec<Packet> {
    talk(ends, play).into_packets()
}

/// The report of the only connection.
fn only(capture: &[u8]) -> Value {
    let analysis = analyse(capture).expect("a capture of our own");
    assert!(analysis.damage.is_none(), "{:?}", analysis.damage);
    match analysis.connections.len() {
        1 => analysis.connections.into_iter().next().expect("one"),
        count => panic!("{count} connections"),
    }
}

fn only_of(packets: Vec<Packet>) -> Value {
    let mut capture = Capture::new();
    capture.extend(packets);
    only(&capture.pcap())
}

/// Collects differences instead of stopping at the first.
#[derive(Default)]
struct Differences {
    compared: usize,
    found: Vec<String>,
}

impl Differences {
    fn note(&mut self, what: String, expected: &Value, got: &Value) {
        self.compared += 1;
        self.found.extend(difference(expected, got).map(|place| format!("{what}: {place}")));
    }

    /// Fails when there is a difference, or when less than `at_least` was compared.
    fn check(self, at_least: usize) {
        let shown: Vec<&str> = self.found.iter().take(25).map(String::as_str).collect();
        assert!(shown.is_empty(), "{} of {} differ:\n{}", self.found.len(), self.compared, shown.join("\n"));
        assert!(self.compared >= at_least, "only {} compared", self.compared);
    }
}

/// A control for all tests below: each talk is found as it was written, so that "the same" means something.
#[test]
fn the_talks_are_what_they_should_be() {
    let expected = [
        ("plain", "going_away", 1001),
        ("compressed", "normal", 1000),
        ("invalid UTF-8", "invalid_utf8", 1007),
        ("broken frames", "protocol_error", 1002),
        ("refused", "handshake_rejected", 0),
        ("HTTP after the upgrade", "protocol_error", 0),
        ("reset", "", 0),
    ];
    for ((name, play), (expected_name, cause, code)) in TALKS.into_iter().zip(expected) {
        assert_eq!(name, expected_name);
        let report = only_of(packets(V4, play));
        assert_eq!(report["close"]["code"].as_u64().unwrap_or(0), code, "{name}");
        if !cause.is_empty() {
            assert_eq!(report["diagnosis"]["cause"], cause, "{name}: {}", report["diagnosis"]);
        }
    }
    let report = only_of(packets(V4, plain));
    assert_eq!(report["frames"]["client"], serde_json::json!({"text": 2, "continuation": 1, "ping": 1, "close": 1}));
    let messages = &report["messages"]["client"];
    assert_eq!((&messages["text"], &messages["binary"], &messages["unread"]), (&2.into(), &0.into(), &0.into()));
}

// Cutting.

/// One segment as several, cut before each of these payload positions; they share its time.
fn cut(packet: &Packet, positions: &[usize]) -> Vec<Packet> {
    let whole = packet.segment();
    let mut bounds = vec![0];
    bounds.extend(positions);
    bounds.push(whole.payload.len());
    bounds
        .windows(2)
        .map(|bound| {
            let mut part = packet.clone();
            let segment = part.segment_mut();
            segment.seq = whole.seq.wrapping_add(bound[0] as u32);
            segment.payload = whole.payload[bound[0]..bound[1]].to_vec();
            if bound[1] < whole.payload.len() {
                segment.flags &= !(flags::PSH | flags::FIN);
            }
            part
        })
        .collect()
}

#[test]
fn a_cut_at_any_position_changes_nothing() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let whole = packets(V4, play);
        let expected = story(&only_of(whole.clone()));
        for (index, packet) in whole.iter().enumerate() {
            for position in 1..packet.segment().payload.len() {
                let mut bent = whole.clone();
                bent.splice(index..=index, cut(packet, &[position]));
                let what = format!("{name}, packet {} cut before byte {position}", index + 1);
                differences.note(what, &expected, &story(&only_of(bent)));
            }
        }
    }
    differences.check(2000);
}

#[test]
fn segments_of_a_few_bytes_change_nothing() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let whole = packets(V4, play);
        let expected = story(&only_of(whole.clone()));
        for size in 1..=20 {
            let small = whole.iter().flat_map(|packet| {
                let positions: Vec<usize> = (size..packet.segment().payload.len()).step_by(size).collect();
                cut(packet, &positions)
            });
            differences.note(format!("{name} in segments of {size}"), &expected, &story(&only_of(small.collect())));
        }
    }
    differences.check(140);
}

/// All bytes of a side that come in a row, in one segment: many frames in one packet.
#[test]
fn frames_that_share_a_segment_are_the_same_frames() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let whole = packets(V4, play);
        let mut joined: Vec<Packet> = Vec::new();
        for (index, packet) in whole.iter().enumerate() {
            let segment = packet.segment();
            // Bare ACKs between two segments of one side would part them.
            if index > 2 && segment.payload.is_empty() && segment.flags == flags::ACK {
                continue;
            }
            match joined.last_mut().map(Packet::segment_mut) {
                Some(last)
                    if ![&last.payload, &segment.payload].iter().any(|payload| payload.is_empty())
                        && last.source == segment.source =>
                {
                    last.payload.extend_from_slice(&segment.payload)
                }
                _ => joined.push(packet.clone()),
            }
        }
        let [expected, got] = [whole, joined].map(|packets| {
            let mut findings = findings(&only_of(packets));
            // Without the bare ACKs nobody acknowledges the last bytes.
            findings.as_object_mut().expect("an object").remove("unacknowledged");
            findings
        });
        differences.note(name.to_owned(), &expected, &got);
    }
    differences.check(7);
}

/// The recorded captures, every TCP segment cut into segments of one byte at the same time.
///
/// Not those with holes: where frames have to be found again, the edges of segments are part of the evidence.
#[test]
fn recorded_captures_in_segments_of_one_byte_are_the_same() {
    let mut differences = Differences::default();
    for case in Case::all().into_iter().filter(|case| !case.name.starts_with("visibility/")) {
        let file = std::fs::read(&case.capture).expect("a fixture");
        let Some(bytes) = in_single_bytes(&file) else { continue };
        let [whole, single] = [&file, &bytes].map(|file| analyse(&file[..]).expect("a capture"));
        differences.note(
            format!("{} packets", case.name),
            &whole.connections.len().into(),
            &single.connections.len().into(),
        );
        for (one, other) in whole.connections.iter().zip(&single.connections) {
            differences.note(format!("{} stream {}", case.name, one["stream"]), &findings(one), &findings(other));
        }
    }
    differences.check(150);
}

/// A little-endian pcap file of IPv4 on Ethernet with each byte of TCP payload in a packet of its own; `None` for others
/// and where a packet was recorded short.
fn in_single_bytes(file: &[u8]) -> Option<Vec<u8>> {
    let magic = file.get(..4)?;
    if !(magic == [0xd4, 0xc3, 0xb2, 0xa1] || magic == [0x4d, 0x3c, 0xb2, 0xa1]) || file.get(20..24)? != [1, 0, 0, 0] {
        return None;
    }
    let mut out = file[..24].to_vec();
    let mut at = 24;
    while at < file.len() {
        let header = file.get(at..at + 16)?;
        let len = u32::from_le_bytes(header[8..12].try_into().ok()?) as usize;
        let frame = file.get(at + 16..at + 16 + len)?;
        at += 16 + len;
        if header[8..12] != header[12..16] || frame.get(12..14)? != [0x08, 0x00] {
            return None;
        }
        let ip_len = usize::from(frame[14] & 15) * 4;
        let total = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
        let tcp_at = 14 + ip_len;
        let payload_at = tcp_at + usize::from(frame.get(tcp_at + 12)? >> 4) * 4;
        // Loopback captures of segments that the card was to cut have no length of their own.
        if frame[23] != 6 || total == 0 {
            return None;
        }
        let payload = frame.get(payload_at..14 + total)?;
        if payload.len() < 2 {
            out.extend_from_slice(header);
            out.extend_from_slice(frame);
            continue;
        }
        let seq = u32::from_be_bytes(frame[tcp_at + 4..tcp_at + 8].try_into().ok()?);
        for (i, byte) in payload.iter().enumerate() {
            let mut part = frame[..payload_at].to_vec();
            part.push(*byte);
            let total = (part.len() - 14) as u16;
            part[16..18].copy_from_slice(&total.to_be_bytes());
            part[tcp_at + 4..tcp_at + 8].copy_from_slice(&seq.wrapping_add(i as u32).to_be_bytes());
            if i + 1 < payload.len() {
                part[tcp_at + 13] &= !(flags::FIN | flags::PSH);
            }
            out.extend_from_slice(&header[..8]);
            out.extend_from_slice(&(part.len() as u32).to_le_bytes().repeat(2));
            out.extend_from_slice(&part);
        }
    }
    Some(out)
}

// Order and repetition.

/// All orders of `0..count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let insert = |rest: Vec<usize>| {
        (0..=rest.len()).map(move |at| {
            let mut order = rest.clone();
            order.insert(at, count - 1);
            order
        })
    };
    permutations(count - 1).into_iter().flat_map(insert).collect()
}

#[test]
fn segments_in_any_order_within_a_window_are_the_same() {
    let mut differences = Differences::default();
    for from_client in [true, false] {
        let burst = |order: Option<&[usize]>| {
            let mut c = Conversation::new(V4.0, V4.1);
            c.connect().upgrade().acks(Acks::Never).mss(40);
            let side = if from_client { support::Side::Client } else { support::Side::Server };
            let start = c.count();
            c.side(side).hold().text("five segments").binary(&[3; 130]).ping(b"p").text("of several frames").release();
            assert_eq!(c.count() - start, 5);
            c.acks(Acks::PerWrite).side(side.other()).ack();
            c.side(side).close(4001, "then the end");
            c.side(side.other()).close(4001, "");
            c.server().fin();
            c.client().fin();
            let mut packets = c.into_packets();
            if let Some(order) = order {
                let times: Vec<i64> = packets[start..start + 5].iter().map(|packet| packet.time).collect();
                for (from, to) in order.iter().enumerate() {
                    packets[start + from].time = times[*to];
                }
            }
            findings(&only_of(packets))
        };
        let expected = burst(None);
        for order in permutations(5) {
            differences.note(format!("client {from_client}, order {order:?}"), &expected, &burst(Some(&order)));
        }
    }
    differences.check(240);
}

/// As cards with several queues and mirrored ports record it: the ACK comes before the bytes that it acknowledges.
#[test]
fn an_ack_recorded_before_its_data_changes_nothing() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let whole = packets(V4, play);
        let expected = findings(&only_of(whole.clone()));
        for index in 3..whole.len() - 1 {
            let (data, ack) = (whole[index].segment(), whole[index + 1].segment());
            if data.payload.is_empty() || ack.flags != flags::ACK || data.source == ack.source {
                continue;
            }
            let mut bent = whole.clone();
            support::impair::swap(&mut bent, index, index + 1);
            let what = format!("{name}, packets {} and {} exchanged", index + 1, index + 2);
            differences.note(what, &expected, &findings(&only_of(bent)));
        }
    }
    differences.check(25);
}

#[test]
fn packets_recorded_twice_change_nothing() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let whole = packets(V4, play);
        let expected = findings(&only_of(whole.clone()));
        let twice: Vec<Packet> = whole.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect();
        differences.note(format!("{name}, all twice"), &expected, &findings(&only_of(twice)));
        for index in 0..whole.len() {
            for after in [0, 250_000, 30_000_000] {
                let mut bent = whole.clone();
                support::impair::duplicate(&mut bent, index, after);
                let what = format!("{name}, packet {} again after {after} ns", index + 1);
                differences.note(what, &expected, &findings(&only_of(bent)));
            }
        }
    }
    differences.check(300);
}

/// Retransmissions that begin or end elsewhere than the segment that they repeat.
#[test]
fn overlapping_segments_are_read_once() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let whole = packets(V4, play);
        let expected = findings(&only_of(whole.clone()));
        for overlap in 1..=9 {
            let bent: Vec<Packet> = whole
                .iter()
                .flat_map(|packet| {
                    let len = packet.segment().payload.len();
                    if len < 2 * overlap + 2 {
                        return vec![packet.clone()];
                    }
                    let mut parts = cut(packet, &[len / 2]);
                    // The second part begins `overlap` bytes early; then a part from the middle comes once more.
                    let early = &packet.segment().payload[len / 2 - overlap..];
                    let second = parts[1].segment_mut();
                    second.seq = second.seq.wrapping_sub(overlap as u32);
                    second.payload = early.to_vec();
                    parts.push(cut(packet, &[overlap, len - overlap]).swap_remove(1));
                    parts
                })
                .collect();
            differences.note(format!("{name}, {overlap} bytes over"), &expected, &findings(&only_of(bent)));
            // A retransmission that goes on where the segment it repeats broke off.
            let grown: Vec<Packet> = whole
                .iter()
                .flat_map(|packet| match packet.segment().payload.len() > overlap {
                    true => vec![cut(packet, &[overlap]).swap_remove(0), packet.clone()],
                    false => vec![packet.clone()],
                })
                .collect();
            differences.note(format!("{name}, {overlap} bytes and then all"), &expected, &findings(&only_of(grown)));
        }
    }
    differences.check(120);
}

/// The recorded captures with each packet twice, as a capture on two interfaces or a mirrored port holds them.
#[test]
fn recorded_captures_with_each_packet_twice_are_the_same() {
    let mut differences = Differences::default();
    for case in Case::all() {
        let file = std::fs::read(&case.capture).expect("a fixture");
        let Some(records) = records(&file) else { continue };
        let mut bytes = file[..24].to_vec();
        records.iter().for_each(|record| bytes.extend(record.repeat(2)));
        let [whole, twice] = [&file, &bytes].map(|file| analyse(&file[..]).expect("a capture"));
        differences.note(
            format!("{} connections", case.name),
            &whole.connections.len().into(),
            &twice.connections.len().into(),
        );
        for (one, other) in whole.connections.iter().zip(&twice.connections) {
            differences.note(format!("{} stream {}", case.name, one["stream"]), &findings(one), &findings(other));
        }
    }
    differences.check(150);
}

/// The packet records, headers included, of a little-endian pcap file; `None` for other files.
fn records(file: &[u8]) -> Option<Vec<&[u8]>> {
    let magic = file.get(..4)?;
    if !(magic == [0xd4, 0xc3, 0xb2, 0xa1] || magic == [0x4d, 0x3c, 0xb2, 0xa1]) {
        return None;
    }
    let (mut at, mut records) = (24, Vec::new());
    while at < file.len() {
        let end = at + 16 + u32::from_le_bytes(file.get(at + 8..at + 12)?.try_into().ok()?) as usize;
        records.push(file.get(at..end)?);
        at = end;
    }
    Some(records)
}

// Other links and files.

#[test]
fn sequence_numbers_may_wrap_anywhere() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let expected = story(&only_of(packets(V4, play)));
        for before in [1, 2, 17, 100, 180, 250, 400] {
            let start = 0_u32.wrapping_sub(before);
            let ends = Ends(V4.0, V4.1, start, start.wrapping_sub(3));
            differences.note(format!("{name}, {before} before"), &expected, &story(&only_of(packets(ends, play))));
        }
    }
    differences.check(49);
}

#[test]
fn every_link_and_both_ip_versions_show_the_same() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let plain = Capture::of([talk(V4, play)]);
        let (expected, anywhere) = (story(&only(&plain.pcap())), findings_anywhere(&only(&plain.pcap())));
        for link in Link::ALL {
            let got = story(&only(&plain.clone().link(link).pcap()));
            differences.note(format!("{name} on {link:?}"), &expected, &got);
            let v6 = Capture::of([talk(V6, play)]).link(link).pcap();
            differences.note(format!("{name} over IPv6 on {link:?}"), &anywhere, &findings_anywhere(&only(&v6)));
        }
    }
    differences.check(140);
}

/// The times of a talk are whole microseconds, so that no format loses anything.
#[test]
fn every_file_format_shows_the_same() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        let capture = Capture::of([talk(V4, play)]);
        let expected = story(&only(&capture.pcap()));
        for big_endian in [false, true] {
            for nanoseconds in [false, true] {
                let format = PcapFormat { big_endian, nanoseconds, ..PcapFormat::default() };
                differences.note(format!("{name} as {format:?}"), &expected, &story(&only(&capture.pcap_as(format))));
            }
        }
        differences.note(format!("{name} as pcapng"), &expected, &story(&only(&capture.pcapng())));
        differences.note(format!("{name} in three sections"), &expected, &story(&only(&in_three_sections(&capture))));
    }
    differences.check(42);
}

/// pcapng with three sections of different byte order, time resolution and link, cut anywhere in the conversation.
fn in_three_sections(capture: &Capture) -> Vec<u8> {
    let mut writer = PcapngWriter::new();
    let third = capture.packets().len().div_ceil(3);
    let sections = [
        (false, Link::Ethernet, TimeResolution::Decimal(6), 0),
        (true, Link::Raw, TimeResolution::Decimal(9), 3600),
        (false, Link::Sll2, TimeResolution::Decimal(7), -60),
    ];
    for (packets, (big_endian, link, resolution, offset)) in capture.packets().chunks(third).zip(sections) {
        // A second interface, so that a number that is not reset would hit the wrong one.
        writer.section(big_endian).interface_with(link, 0, resolution, offset).interface(Link::Null);
        for packet in packets {
            writer.packet(0, packet);
        }
    }
    writer.bytes()
}

/// The same addresses and ports again, with fresh sequence numbers: two connections, each as if it were alone.
#[test]
fn a_port_used_again_is_another_connection() {
    let mut differences = Differences::default();
    for (name, play) in TALKS {
        for seconds in [1, 30, 300] {
            let first = talk(V4, play);
            let mut second = Conversation::new(V4.0, V4.1);
            second.seed(7).isn(900_000, 7_000_000).at(first.now() + seconds * 1_000_000_000).connect();
            play(&mut second);
            let alone = findings_anywhere(&only_of(first.packets().to_vec()));
            let analysis = analyse(&Capture::of([first, second]).pcap()[..]).expect("a capture of our own");
            let streams: Vec<&Value> = analysis.connections.iter().map(|connection| &connection["stream"]).collect();
            assert_eq!(streams, [0, 1], "{name}, {seconds} s later");
            for connection in &analysis.connections {
                let what = format!("{name}, {seconds} s later, stream {}", connection["stream"]);
                differences.note(what, &alone, &findings_anywhere(connection));
            }
        }
    }
    differences.check(42);
}

// Damage.

/// What may be said with certainty because the file breaks off: that the connection was open at its end.
const PROVED_BY_THE_END: [&str; 1] = ["still_open"];

/// Checked for files cut after any number of bytes (up to 60 places in each, evenly spread):
/// nothing panics; every packet is analysed or skipped; and no connection is diagnosed as `certain` with another cause
/// than the whole file gives it, except `still_open`, which the shorter file proves.
#[test]
fn files_that_break_off_prove_nothing_else() {
    // What was said wrongly, how often, and an example.
    let mut wrong = BTreeMap::<String, (usize, String)>::new();
    let mut note = |said: String, example: String| wrong.entry(said).or_insert((0, example)).0 += 1;
    for case in Case::all() {
        let file = std::fs::read(&case.capture).expect("a fixture");
        let whole = analyse(&file[..]).expect("a fixture is a capture");
        let places = 60.min(file.len());
        for place in 0..places {
            let len = file.len() * place / places;
            match survives(&file[..len]) {
                Err(panic) => note(format!("panic: {panic}"), format!("{} cut to {len} bytes", case.name)),
                Ok(None) => {}
                Ok(Some(cut)) => certain_otherwise(&whole, &cut)
                    .into_iter()
                    .for_each(|(said, stream)| note(said, format!("{} stream {stream} cut to {len} bytes", case.name))),
            }
        }
    }
    let lines: Vec<String> =
        wrong.iter().map(|(said, (count, example))| format!("{count:>4} × {said}, for example {example}")).collect();
    assert!(lines.is_empty(), "files that break off are certain of what is not so:\n{}", lines.join("\n"));
}

/// Checked for files that lack one of their packets (each, or 60 evenly spread): no connection is diagnosed as `certain`
/// with another cause than the whole file gives it, except `still_open`.
#[test]
fn a_packet_that_was_not_captured_proves_nothing_else() {
    check_certainty(|records| {
        let step = records.len().div_ceil(60).max(1);
        let without = |index: usize| {
            let rest: Vec<&[u8]> =
                records.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, each)| *each).collect();
            (format!("without packet {}", index + 1), rest.concat())
        };
        (0..records.len()).step_by(step).map(without).collect()
    });
}

/// The same for files whose packets were recorded short.
#[test]
fn a_snapshot_length_proves_nothing_else() {
    check_certainty(|records| {
        let cut_to = |snap: usize| {
            let cut = |record: &&[u8]| {
                let kept = snap.min(record.len() - 16);
                [&record[..8], &(kept as u32).to_le_bytes(), &record[12..16 + kept]].concat()
            };
            (format!("cut to {snap} bytes a packet"), records.iter().flat_map(cut).collect())
        };
        [54, 66, 68, 72, 96, 128, 200, 300, 500, 1000].into_iter().map(cut_to).collect()
    });
}

/// Bends the records of every capture and compares what is certain then with the whole.
fn check_certainty(bend: impl Fn(&[&[u8]]) -> Vec<(String, Vec<u8>)>) {
    let mut wrong = BTreeMap::<String, (usize, String)>::new();
    let (mut checked, mut certain) = (0, 0);
    for case in Case::all() {
        let file = std::fs::read(&case.capture).expect("a fixture");
        let Some(records) = records(&file) else { continue };
        let whole = analyse(&file[..]).expect("a fixture is a capture");
        for (how, bent) in bend(&records) {
            let mut note = |said: String, where_: String| wrong.entry(said).or_insert((0, where_)).0 += 1;
            checked += 1;
            let bent = survives(&[&file[..24], &bent].concat());
            certain += bent.iter().flatten().flat_map(|bent| &bent.connections).filter(|each| is_certain(each)).count();
            match bent {
                Err(panic) => note(format!("panic: {panic}"), format!("{} {how}", case.name)),
                Ok(bent) => bent.iter().flat_map(|bent| certain_otherwise(&whole, bent)).for_each(|(said, stream)| {
                    note(said, format!("{} stream {stream} {how}", case.name));
                }),
            }
        }
    }
    let lines = wrong.iter().map(|(said, (count, example))| format!("{count:>4} × {said}, for example {example}"));
    let lines: Vec<String> = lines.collect();
    assert!(lines.is_empty(), "certain of what is not so:\n{}", lines.join("\n"));
    assert!(checked > 1000 && certain > 100, "only {checked} files checked, {certain} diagnoses certain");
}

/// Checked for files with one to eight bytes changed (24 variants of each, fixed seeds): nothing panics, and every packet
/// is analysed or skipped. A changed byte may be a changed Close code, so nothing is demanded of the diagnoses, except that
/// there is one for each connection.
#[test]
fn changed_bytes_do_no_harm() {
    let mut wrong = Vec::new();
    for (seed, case) in Case::all().into_iter().enumerate() {
        let file = std::fs::read(&case.capture).expect("a fixture");
        let mut rng = Rng::new(seed as u64);
        for variant in 0..24 {
            let mut bent = file.clone();
            for _ in 0..rng.between(1, 8) {
                // Half of the changes near the start, where the headers of files and handshakes are.
                let end = if rng.chance(0.5) { bent.len().min(2000) } else { bent.len() };
                let at = rng.below(end as u64) as usize;
                bent[at] = if rng.chance(0.3) { 0xff } else { rng.next_u64() as u8 };
            }
            if let Err(panic) = survives(&bent) {
                wrong.push(format!("{} variant {variant}: {panic}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} times:\n{}", wrong.len(), wrong.join("\n"));
}

/// Analyses damaged input: the analysis, `None` when it could not even be opened, or what went wrong.
fn survives(bytes: &[u8]) -> Result<Option<Analysis>, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| analyse(bytes)));
    let analysis = match outcome {
        Ok(Ok(analysis)) => analysis,
        Ok(Err(_)) => return Ok(None),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            return Err(text.or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default());
        }
    };
    let summary = &analysis.summary;
    if summary.packets != summary.analysed + summary.skipped.total() {
        return Err(format!("{} packets, {} analysed, {:?}", summary.packets, summary.analysed, summary.skipped));
    }
    let lacks = analysis.connections.iter().find(|each| each["diagnosis"]["rule"].as_str().is_none_or(str::is_empty));
    lacks.map_or(Ok(()), |connection| Err(format!("stream {} has no diagnosis", connection["stream"])))?;
    Ok(Some(analysis))
}

fn is_certain(connection: &Value) -> bool {
    connection["diagnosis"]["confidence"] == "certain"
}

/// What the cut file is certain about otherwise than the whole file, with the stream.
fn certain_otherwise(whole: &Analysis, cut: &Analysis) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for connection in &cut.connections {
        let diagnosis = &connection["diagnosis"];
        let cause = diagnosis["cause"].as_str().unwrap_or_default();
        if !is_certain(connection) || PROVED_BY_THE_END.contains(&cause) {
            continue;
        }
        let stream = connection["stream"].as_u64().unwrap_or(u64::MAX);
        let causes: Vec<&str> =
            whole.on_stream(stream).filter_map(|each| each["diagnosis"]["cause"].as_str()).collect();
        if causes != [cause] {
            found.push((format!("{cause} (rule {}) instead of {}", diagnosis["rule"], causes.join(", ")), stream));
        }
    }
    found
}
