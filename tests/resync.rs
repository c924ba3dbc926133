//! Captures with holes, without their beginning, of one direction, or cut: what is still told, and what is not.
//!
//! Each test rebuilds a capture on which tshark 4.0.17 shows no frame, or wrong ones.

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use support::conversation::Side as By;
use support::frames::{Frame, opcode};
use support::{Acks, Capture, Conversation, Length, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::connection::{Basis, Connection, Content, Opcode, Outcome, Utf8State};
use wsdissect::evidence::{FactId, Known, Value, WhyUnknown};
use wsdissect::limits::{LimitHits, Limits};
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::report::text::TextReport;
use wsdissect::units::Side;
use wsdissect::violation::ViolationRule;
use wsdissect::{Analyzer, ConnectionReport, Options};

fn analyse(file: &[u8]) -> Vec<ConnectionReport> {
    analyse_within(Limits::default(), file).0
}

/// The reports of an analysis with these bounds, and how often they were reached.
fn analyse_within(limits: Limits, file: &[u8]) -> (Vec<ConnectionReport>, LimitHits) {
    let mut reader = Reader::open(file).expect("a capture file");
    let mut analyzer = Analyzer::new(Options { limits, ..Options::default() });
    while let Ok(Some(packet)) = reader.next_packet() {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    (std::iter::from_fn(|| analyzer.next_report()).collect(), analyzer.summary().limits)
}

/// The only report of a capture.
fn report(capture: &Capture) -> ConnectionReport {
    let mut reports = analyse(&capture.pcap());
    assert_eq!(reports.len(), 1, "one connection");
    reports.remove(0)
}

fn fact<'r>(report: &'r ConnectionReport, name: &str) -> &'r Known<Value> {
    report.facts.get(FactId::by_name(name).unwrap_or_else(|| panic!("no fact is called {name}")))
}

fn json(report: &ConnectionReport) -> serde_json::Value {
    let speaker = Speaker::new(wsdissect::catalog::language::Language::En);
    serde_json::to_value(ConnectionObject::new(report, "capture", &speaker)).expect("a report is JSON")
}

/// The number of a packet that has not been left out, as the capture counts it.
fn number(index: usize) -> u64 {
    index as u64 + 1
}

/// The only connection of a capture.
fn only(capture: &Capture) -> Arc<Connection> {
    let mut reports = analyse(&capture.pcap());
    assert_eq!(reports.len(), 1, "one connection");
    reports.remove(0).connection
}

fn close_code(connection: &Connection, side: Side) -> Option<u16> {
    connection.traffic[side].close.as_ref()?.payload.code().map(|code| code.0)
}

fn talk() -> Conversation {
    Conversation::new("10.0.0.1:40000", "10.0.0.2:8080")
}

#[test]
fn recipe_gap_in_a_large_frame_costs_its_content_only() {
    let mut c = talk();
    c.connect().upgrade();
    c.server().text(&"x".repeat(9000)).text("after").close(1000, "done");
    c.client().close(1000, "done");
    c.server().fin();
    let large = c.packets().iter().rposition(|packet| packet.segment().payload.len() == 1460).expect("full segments");
    c.packets_mut().remove(large - 2);
    let connection = only(&Capture::of([c]));
    assert_eq!(connection.traffic.server.text_messages, 2);
    assert_eq!(close_code(&connection, Side::Server), Some(1000));
    assert!(connection.visibility.server.frames_complete());
    assert_eq!(connection.violations, []);
}

#[test]
fn recipe_gap2_after_a_lost_segment_the_close_is_found() {
    for lost in 0..4 {
        let mut c = talk();
        c.connect().upgrade();
        c.mss(200).acks(Acks::PerSegment);
        let mut sender = c.server().hold();
        for index in 0..60 {
            sender = sender.text(&format!("message number {index}"));
        }
        sender.close(1001, "restart").release();
        c.server().fin();
        let segments: Vec<usize> = (0..c.count()).filter(|&i| c.packets()[i].segment().payload.len() == 200).collect();
        assert!(segments.len() >= 5, "{}", segments.len());
        c.packets_mut().remove(segments[lost]);
        let connection = only(&Capture::of([c]));
        let server = &connection.traffic.server;
        println!("segment {lost} lost: {} of 60 messages", server.text_messages);
        assert_eq!(close_code(&connection, Side::Server), Some(1001), "{lost}");
        assert_eq!(server.frames.reserved + server.frames.binary + server.frames.continuation, 0);
        // A segment holds ten frames or eleven; a few more are needed to be sure.
        assert!((36..=51).contains(&server.text_messages), "{}", server.text_messages);
        let visibility = &connection.visibility.server;
        assert!(visibility.frames_lost.is_some() && visibility.frames_found.is_some() && !visibility.frames_complete());
        assert_eq!(connection.violations, []);
    }
}

/// What both sides say in the middle of a connection: nine frames and a Close 1011, then a RST.
fn middle(c: &mut Conversation) {
    c.client().text("{\"op\":\"subscribe\",\"id\":1}");
    c.server().text("{\"ok\":true,\"id\":1}");
    c.server().text("{\"price\":101.5}").wait(0.5);
    c.server().ping(b"");
    c.client().pong(b"");
    c.server().text("{\"price\":101.7}");
    c.client().text("{\"op\":\"unsubscribe\",\"id\":1}");
    c.server().text("{\"ok\":true,\"id\":2}");
    c.server().close(1011, "boom");
    c.client().rst();
}

fn without_start(mut c: Conversation, packets: usize) -> Capture {
    c.packets_mut().drain(..packets);
    Capture::of([c])
}

#[test]
fn recipe_mid_joined_late_on_port_8080() {
    let mut c = talk();
    c.connect().upgrade();
    c.client().text("before");
    let start = c.count();
    middle(&mut c);
    let connection = only(&without_start(c, start));
    assert_eq!(connection.handshake.outcome, Outcome::NotCaptured);
    assert_eq!(connection.basis, Basis::Masking);
    assert_eq!(connection.endpoints.client.port, 40000);
    let (client, server) = (&connection.traffic.client.frames, &connection.traffic.server.frames);
    assert_eq!((client.text, client.pong), (2, 1));
    assert_eq!((server.text, server.ping, server.close), (4, 1, 1));
    assert_eq!(close_code(&connection, Side::Server), Some(1011));
    assert!(connection.visibility.client.joined_late);
    assert_eq!(connection.violations, []);
}

#[test]
fn recipe_midframe_the_first_packet_is_the_rest_of_a_frame() {
    for words in ["{\"large\":\"message\"}", "GET some words ", "a long story "] {
        mid_frame(words);
    }
}

fn mid_frame(words: &str) {
    let mut c = talk();
    c.connect().upgrade();
    c.server().text(&words.repeat(4000 / words.len()));
    let start =
        c.packets().iter().position(|packet| packet.segment().payload.len() == 1460).expect("a full segment") + 1;
    middle(&mut c);
    let connection = only(&without_start(c, start));
    assert_eq!(close_code(&connection, Side::Server), Some(1011));
    let server = &connection.traffic.server.frames;
    assert_eq!((server.text, server.ping, server.close), (4, 1, 1));
    assert!(connection.visibility.server.frames_lost.is_some(), "the first frame is not whole");
    assert!(connection.visibility.client.frames_lost.is_none());
    assert_eq!(connection.violations, []);
}

#[test]
fn recipe_middef_compressed_and_joined_late() {
    let mut c = talk();
    c.connect().upgrade_with(&Upgrade::deflate(""));
    c.server().text("{\"price\":101.5,\"volume\":12}");
    let start = c.count();
    middle(&mut c);
    let connection = only(&without_start(c, start));
    assert_eq!(close_code(&connection, Side::Server), Some(1011));
    let server = &connection.traffic.server;
    assert_eq!((server.frames.text, server.frames.ping, server.frames.close), (4, 1, 1));
    assert!(server.last_message.expect("messages").compressed);
    assert_eq!(connection.violations, []);
}

fn one_direction(c: Conversation, from: By) -> Capture {
    let port = if from == By::Client { 40000 } else { 8080 };
    let packets: Vec<_> =
        c.into_packets().into_iter().filter(|packet| packet.segment().source.port() == port).collect();
    let mut capture = Capture::new();
    capture.extend(packets);
    capture
}

#[test]
fn recipe_one_and_one0_a_single_direction() {
    for with_head in [true, false] {
        for (by, side) in [(By::Client, Side::Client), (By::Server, Side::Server)] {
            let mut c = talk();
            if with_head {
                c.connect().upgrade();
            }
            middle(&mut c);
            c.client().close(1000, "");
            let connection = only(&one_direction(c, by));
            let frames = &connection.traffic[side].frames;
            println!("{side} only, head {with_head}: {frames:?}");
            match side {
                Side::Client => assert_eq!((frames.text, frames.pong), (2, 1)),
                Side::Server => {
                    assert_eq!((frames.text, frames.ping, frames.close), (4, 1, 1));
                    assert_eq!(close_code(&connection, side), Some(1011));
                }
            }
            let port = connection.endpoints.client.port;
            assert_eq!(port, 40000, "{side} only, head {with_head}");
            assert!(connection.visibility[side.other()].one_sided);
            assert_eq!(connection.violations, []);
            let outcome = if with_head { Outcome::Accepted } else { Outcome::NotCaptured };
            assert_eq!(connection.handshake.outcome, outcome);
        }
    }
}

#[test]
fn a_request_that_the_server_ignored_was_not_accepted() {
    let mut c = talk();
    c.connect().request("GET / HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13");
    c.client().text("too early");
    c.client().fin();
    c.server().fin();
    assert_eq!(only(&Capture::of([c])).handshake.outcome, Outcome::None);
}

#[test]
fn snap_cut_packets_keep_frames_and_close() {
    for snap_len in [96, 128] {
        for parameters in [None, Some("")] {
            let mut c = talk();
            c.connect();
            let mut upgrade = parameters.map_or_else(Upgrade::default, Upgrade::deflate);
            upgrade.request_headers.push(format!("Cookie: {}", "c".repeat(300)));
            upgrade.response_headers.push(format!("Server: {}", "s".repeat(100)));
            c.upgrade_with(&upgrade);
            c.client().text(&"question ".repeat(40));
            c.server().text(&"answer ".repeat(60));
            c.server().text("short");
            c.client().text("short");
            c.server().close(1000, "bye");
            c.client().close(1000, "bye");
            c.server().fin();
            let connection = only(&Capture::of([c]).snap_len(snap_len));
            assert_eq!(connection.handshake.outcome, Outcome::Accepted);
            assert_eq!(close_code(&connection, Side::Server), Some(1000), "{snap_len} {parameters:?}");
            assert_eq!(close_code(&connection, Side::Client), Some(1000), "{snap_len} {parameters:?}");
            for side in Side::BOTH {
                assert_eq!(connection.traffic[side].frames.text, 2, "{side} {snap_len} {parameters:?}");
                assert!(connection.visibility[side].cut && connection.visibility[side].gap.is_none());
                assert!(connection.visibility[side].frames_complete(), "{side} {:?}", connection.visibility[side]);
            }
            assert_eq!(connection.violations, []);
        }
    }
}

#[test]
fn a_lost_101_is_told_by_the_frames_behind_it() {
    let mut c = talk();
    c.connect().upgrade();
    let response = c.packets().iter().rposition(|packet| packet.segment().payload.starts_with(b"HTTP")).expect("a 101");
    middle(&mut c);
    c.packets_mut().remove(response);
    let connection = only(&Capture::of([c]));
    assert_eq!(connection.handshake.outcome, Outcome::Accepted);
    assert_eq!(close_code(&connection, Side::Server), Some(1011));
    assert_eq!(connection.traffic.client.frames.text, 2);
}

#[test]
fn a_close_alone_behind_a_hole_is_believed_at_the_end_of_the_stream() {
    let mut c = talk();
    c.connect().upgrade();
    c.server().text("one").text("two, which is lost");
    let lost = c.count() - 2;
    c.server().close(1012, "").fin();
    c.packets_mut().remove(lost);
    let connection = only(&Capture::of([c]));
    assert_eq!(close_code(&connection, Side::Server), Some(1012));
    assert_eq!(connection.traffic.server.frames.text, 1);
}

#[test]
fn the_rest_of_a_fragmented_message_behind_a_hole_is_no_violation() {
    let mut c = talk();
    c.connect().upgrade();
    let part = |fin, opcode, text: &str| Frame::new(opcode, text).fin(fin);
    c.server().frame(part(false, opcode::TEXT, "lost fragment"));
    let lost = c.count() - 2;
    c.server().frame(part(false, opcode::CONTINUATION, &"more of it ".repeat(20)));
    c.server().frame(part(true, opcode::CONTINUATION, &"the end of it ".repeat(20)));
    c.server().text("a new message").close(1000, "").fin();
    c.packets_mut().remove(lost);
    let connection = only(&Capture::of([c]));
    assert_eq!(connection.violations, []);
    assert_eq!(connection.traffic.server.text_messages, 1);
    assert_eq!(close_code(&connection, Side::Server), Some(1000));
}

fn fixture(case: &str) -> Arc<Connection> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/visibility").join(case);
    let file =
        ["capture.pcapng", "capture.pcap"].map(|name| directory.join(name)).into_iter().find(|path| path.exists());
    let bytes = std::fs::read(file.expect("a capture")).expect("readable");
    let mut reports = analyse(&bytes);
    assert_eq!(reports.len(), 1, "{case}");
    reports.remove(0).connection
}

#[test]
fn recorded_captures_with_poor_sight_keep_their_close() {
    let gap = fixture("gap");
    assert_eq!((close_code(&gap, Side::Server), close_code(&gap, Side::Client)), (Some(1000), Some(1000)));
    let late = fixture("joined-late");
    assert_eq!((close_code(&late, Side::Server), close_code(&late, Side::Client)), (Some(1000), Some(1000)));
    assert_eq!((late.traffic.client.text_messages, late.traffic.server.text_messages), (1, 1));
    assert_eq!(late.handshake.outcome, Outcome::NotCaptured);
    assert_eq!(late.closing.initiator, Some(Side::Client));
    assert_eq!(late.first_close().map(|signal| (signal.by, signal.at.packet.value())), Some((Side::Client, 4)));
    let one_sided = fixture("one-sided");
    assert_eq!(close_code(&one_sided, Side::Client), Some(1000));
    assert_eq!(one_sided.traffic.client.text_messages, 1);
    let snapped = fixture("snaplen-128");
    assert_eq!((close_code(&snapped, Side::Server), close_code(&snapped, Side::Client)), (Some(1000), Some(1000)));
}

/// A capture with several queues may record the answer before the question.
#[test]
fn a_response_recorded_before_its_request_is_matched_to_it() {
    let mut c = talk();
    c.connect().upgrade();
    c.client().text("hi");
    c.server().close(1000, "");
    c.client().close(1000, "");
    c.server().fin();
    let carries = |start: &[u8]| c.packets().iter().position(|packet| packet.segment().payload.starts_with(start));
    let (request, response) = (carries(b"GET ").expect("a request"), carries(b"HTTP/1.1 101").expect("a response"));
    support::impair::swap(c.packets_mut(), request, response);
    let connection = only(&Capture::of([c]));
    assert_eq!(connection.handshake.outcome, Outcome::Accepted);
    assert!(connection.handshake.request.is_some());
    assert_eq!(connection.violations, []);
    assert_eq!(connection.traffic.client.text_messages, 1);
    assert_eq!(close_code(&connection, Side::Server), Some(1000));
}

/// Row 17 of the feature table: a gap inside a frame. What is concluded behind it carries it, with packets and bytes.
#[test]
fn row_17_a_gap_inside_a_frame_is_told_with_its_packets() {
    let mut c = talk();
    c.connect().upgrade();
    c.server().text(&"x".repeat(9000)).text("after").close(1000, "done");
    c.client().close(1000, "done");
    c.server().fin();
    let first = c.packets().iter().position(|packet| packet.segment().payload.len() == 1460).expect("full segments");
    c.packets_mut().remove(first + 2);
    let report = report(&Capture::of([c]));
    let [hole] = report.connection.visibility.server.holes() else { panic!("one hole") };
    assert_eq!(hole.len, Some(1460));
    let around = [number(first + 1), number(first + 2)];
    assert_eq!(hole.packets().map(|packet| packet.map(|packet| packet.value())), around.map(Some));
    assert_eq!(fact(&report, "capture.missing_bytes"), &Known::Seen(Value::Int(1460)));
    assert_eq!(fact(&report, "close.initiator"), &Known::Seen(Value::Enum("server")));
    assert_eq!(fact(&report, "peer.violation"), &Known::Absent, "the client was seen whole");
    assert_eq!(fact(&report, "own.violation"), &Known::Unknown(WhyUnknown::Gap));
    let json = json(&report);
    let evidence = json["diagnosis"]["evidence"].as_array().expect("a list");
    let of_hole = evidence.iter().find(|each| each["fact"] == "capture.missing_bytes").expect("the hole is evidence");
    assert_eq!((&of_hole["value"], &of_hole["packets"]), (&1460.into(), &around.to_vec().into()));
    let hole = &json["visibility"]["holes"][0];
    assert_eq!((&hole["side"], &hole["bytes"], &hole["why"]), (&"server".into(), &1460.into(), &"gap".into()));
    assert_eq!((&hole["after_packet"], &hole["before_packet"]), (&around[0].into(), &around[1].into()));
}

/// Row 18: after one lost segment the next N frames and the Close are recovered, gap and confidence reported.
#[test]
fn row_18_after_a_lost_segment_frames_and_close_are_recovered() {
    let mut c = talk();
    c.connect().upgrade();
    c.mss(200).acks(Acks::PerSegment);
    let mut sender = c.server().hold();
    for index in 0..60 {
        sender = sender.text(&format!("message number {index}"));
    }
    sender.close(1001, "restart").release();
    c.client().close(1001, "");
    c.server().fin();
    let segments: Vec<usize> = (0..c.count()).filter(|&i| c.packets()[i].segment().payload.len() == 200).collect();
    c.packets_mut().remove(segments[1]);
    let report = report(&Capture::of([c]));
    let connection = &report.connection;
    assert_eq!(close_code(connection, Side::Server), Some(1001));
    assert!(connection.traffic.server.text_messages >= 36, "{}", connection.traffic.server.text_messages);
    let [hole] = connection.visibility.server.holes() else { panic!("one hole") };
    assert_eq!(hole.len, Some(200));
    let [blind] = connection.visibility.server.blind() else { panic!("one blind part") };
    let (found, _) = blind.found.expect("frames were found again");
    let close = connection.traffic.server.close.as_ref().expect("a Close frame").last;
    assert!(found.packet.value() > number(segments[1]) && found.packet < close.packet);
    assert_eq!(fact(&report, "close.initiator"), &Known::Seen(Value::Enum("server")));
    // What it said in all is not known, nor whether it broke a rule.
    assert_eq!(fact(&report, "own.messages"), &Known::Unknown(WhyUnknown::Gap));
    assert_eq!(fact(&report, "own.violation"), &Known::Unknown(WhyUnknown::Gap));
    let json = json(&report);
    let notes = json["visibility"]["notes"].to_string();
    let found = format!("server: frames found again from packet {}", found.packet.value());
    assert!(notes.contains("server: 200 bytes missing") && notes.contains(&found), "{notes}");
    let evidence = json["diagnosis"]["evidence"].to_string();
    assert!(evidence.contains("capture.missing_bytes"), "{evidence}");
    let speaker = Speaker::new(wsdissect::catalog::language::Language::En);
    let text = TextReport::new(&speaker, 100).connection(&report);
    assert!(text.contains("200 bytes are not in the capture"), "{text}");
}

/// Row 19: `mid` with default options on port 8080 gives all 9 frames and Close 1011.
#[test]
fn row_19_a_capture_that_begins_in_the_middle_gives_all_frames_and_the_close() {
    let mut c = talk();
    c.connect().upgrade();
    c.client().text("before");
    let start = c.count();
    middle(&mut c);
    let report = report(&without_start(c, start));
    let frames =
        |side: Side| report.connection.traffic[side].frames.named().iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!(frames(Side::Client) + frames(Side::Server), 9);
    assert_eq!(fact(&report, "close.code"), &Known::Seen(Value::Int(1011)));
    // The client spoke in the capture: had it closed before, it would not have.
    assert_eq!(fact(&report, "close.initiator"), &Known::Seen(Value::Enum("server")));
    assert_ne!(report.diagnosis.confidence.name(), "certain");
    // How much was said before nobody knows.
    assert_eq!(fact(&report, "connection.messages"), &Known::Unknown(WhyUnknown::JoinedLate));
}

/// Row 20: `middef` counts frames, says "context unknown" instead of garbage, and reads messages after a full flush.
#[test]
fn row_20_a_compressed_capture_from_the_middle_resumes_after_a_reset() {
    let mut c = talk();
    c.connect().upgrade_with(&Upgrade::deflate(""));
    let quote = |price: u32| format!("{{\"symbol\":\"ACME\",\"price\":{price},\"volume\":12,\"größe\":\"klein\"}}");
    c.server().text(&quote(1)).text(&quote(2));
    let start = c.count();
    for price in 3..8 {
        c.server().text(&quote(price));
    }
    let before = c.count();
    // A compressor that starts anew refers to nothing before: a full flush.
    c.negotiate("permessage-deflate");
    c.server().text(&quote(8)).text(&quote(9)).close(1011, "boom");
    c.client().rst();
    for end in [before, c.count()] {
        let mut capture = Capture::new();
        capture.extend(c.packets()[start..end].to_vec());
        let connection = only(&capture);
        let server = &connection.traffic.server;
        let last = server.last_message.expect("messages");
        assert_eq!(connection.violations, []);
        assert!(last.compressed && last.kind == Opcode::Text);
        if end == before {
            assert_eq!((server.frames.text, server.unread_messages), (5, 5));
            assert_eq!((last.content, last.utf8), (Content::ContextLost, Utf8State::Unknown));
            assert_eq!(last.size, quote(7).len() as u64, "its length is known all the same");
        } else {
            assert_eq!((server.frames.text, server.unread_messages), (7, 5));
            assert_eq!((last.content, last.utf8), (Content::Whole, Utf8State::Valid));
            assert_eq!((last.size, close_code(&connection, Side::Server)), (quote(9).len() as u64, Some(1011)));
        }
    }
}

/// The same behind a hole: what refers to lost messages is not judged, and a message that begins afresh is read again.
#[test]
fn compression_behind_a_hole_accuses_nobody_and_recovers() {
    for parameters in ["", "; server_no_context_takeover"] {
        let mut c = talk();
        c.connect().upgrade_with(&Upgrade::deflate(parameters));
        let quote = |price: u32| format!("{{\"symbol\":\"ACME\",\"price\":{price},\"größe\":\"klein\",\"ок\":\"да\"}}");
        c.server().text(&quote(1)).text(&quote(2));
        let lost = c.count() - 2;
        for price in 3..10 {
            c.server().text(&quote(price));
        }
        c.negotiate(&format!("permessage-deflate{parameters}"));
        c.server().text(&quote(10)).close(1000, "");
        c.client().close(1000, "");
        c.server().fin();
        c.packets_mut().remove(lost);
        let connection = only(&Capture::of([c]));
        let server = &connection.traffic.server;
        assert_eq!(connection.violations, [], "{parameters}");
        // The first behind the hole is needed to be sure, and not told.
        assert_eq!(server.text_messages, 8, "{parameters}");
        let last = server.last_message.expect("messages");
        assert_eq!((last.content, last.utf8, last.size), (Content::Whole, Utf8State::Valid, quote(10).len() as u64));
        if parameters.is_empty() {
            assert!(server.unread_messages > 0);
        } else {
            assert_eq!(server.unread_messages, 0, "every message stands alone");
        }
    }
}

/// Row 21: `midframe` finds Close 1011 and marks the first, partial frame.
#[test]
fn row_21_a_capture_that_begins_inside_a_frame_finds_the_close_and_marks_the_frame() {
    let mut c = talk();
    c.connect().upgrade();
    c.server().text(&"{\"large\":\"message\"}".repeat(200));
    let full = c.packets().iter().position(|packet| packet.segment().payload.len() == 1460).expect("a full segment");
    middle(&mut c);
    let report = report(&without_start(c, full + 1));
    assert_eq!(fact(&report, "close.code"), &Known::Seen(Value::Int(1011)));
    let [blind] = report.connection.visibility.server.blind() else { panic!("the rest of the first frame") };
    assert_eq!((blind.after, blind.noticed.packet.value()), (None, 1));
    let (found, _) = blind.found.expect("frames were found behind it");
    assert_eq!(fact(&report, "own.messages"), &Known::Unknown(WhyUnknown::JoinedLate));
    let notes = json(&report)["visibility"]["notes"].to_string();
    assert!(notes.contains("server: frame boundaries unknown from packet 1"), "{notes}");
    assert!(notes.contains(&format!("server: frames found again from packet {}", found.packet.value())), "{notes}");
}

/// Row 22: `one` and `one0` give frames and Close, and a limited verdict.
#[test]
fn row_22_one_direction_gives_frames_and_close_and_a_limited_verdict() {
    for with_head in [true, false] {
        let mut c = talk();
        if with_head {
            c.connect().upgrade();
        }
        middle(&mut c);
        let report = report(&one_direction(c, By::Server));
        assert_eq!(report.connection.traffic.server.frames.text, 4);
        assert_eq!(fact(&report, "close.code"), &Known::Seen(Value::Int(1011)));
        assert_eq!(fact(&report, "close.initiator"), &Known::Unknown(WhyUnknown::OneSided));
        assert_eq!(fact(&report, "close.echoed"), &Known::Unknown(WhyUnknown::OneSided));
        assert_eq!(report.diagnosis.confidence.name(), "possible");
        assert!(!report.diagnosis.rule.as_str().contains("not-answered"));
    }
}

// Recipes of which tshark 4.0.17 makes something else even without a hole.

/// `loop`, `notloop`: fragments of both directions at once, on one address and on two.
#[test]
fn recipe_loop_and_notloop_keep_the_fragments_of_both_directions_apart() {
    for server in ["127.0.0.1:8080", "127.0.0.2:8080"] {
        let mut c = Conversation::new("127.0.0.1:40000", server);
        c.connect().upgrade();
        let part = |fin, opcode, text: &str| Frame::new(opcode, text).fin(fin);
        c.client().frame(part(false, opcode::TEXT, "CLIENT-A "));
        c.server().frame(part(false, opcode::TEXT, "server-a "));
        c.client().frame(part(true, opcode::CONTINUATION, "CLIENT-B, which is longer"));
        c.server().frame(part(true, opcode::CONTINUATION, "server-b"));
        c.server().close(1000, "");
        c.client().close(1000, "");
        c.server().fin();
        let connection = only(&Capture::of([c]));
        let size = |side: Side| connection.traffic[side].last_message.map(|message| (message.kind, message.size));
        assert_eq!(size(Side::Client), Some((Opcode::Text, 9 + 25)), "{server}");
        assert_eq!(size(Side::Server), Some((Opcode::Text, 9 + 8)), "{server}");
        assert_eq!(connection.violations, []);
    }
}

/// `fragmix`: text fragments one way while binary ones go the other way.
#[test]
fn recipe_fragmix_keeps_the_kinds_of_both_directions_apart() {
    let mut c = talk();
    c.connect().upgrade();
    let part = |fin, opcode, bytes: &[u8]| Frame::new(opcode, bytes).fin(fin);
    c.client().frame(part(false, opcode::TEXT, "größ".as_bytes()));
    c.server().frame(part(false, opcode::BINARY, &[0xff, 0xfe]));
    c.client().frame(part(true, opcode::CONTINUATION, b"er"));
    c.server().frame(part(true, opcode::CONTINUATION, &[0xfd]));
    c.server().close(1000, "");
    let connection = only(&Capture::of([c]));
    let last = |side: Side| connection.traffic[side].last_message.expect("a message");
    assert_eq!((last(Side::Client).kind, last(Side::Client).utf8), (Opcode::Text, Utf8State::Valid));
    assert_eq!((last(Side::Server).kind, last(Side::Server).utf8), (Opcode::Binary, Utf8State::NotText));
    assert_eq!(connection.violations, []);
}

/// `len64`: a length of 2^32 + 5 is that long, and what follows is its payload, even across a hole.
#[test]
fn recipe_len64_is_not_cut_to_32_bits() {
    for lost in [None, Some(1)] {
        let mut c = talk();
        c.connect().upgrade();
        c.server().frame(Frame::binary(b"start").length(Length::Claim((1 << 32) + 5)));
        let next = c.count();
        c.server().text("payload of the long frame").text("and more").close(1000, "");
        if let Some(lost) = lost {
            c.packets_mut().remove(next + lost);
        }
        let connection = only(&Capture::of([c]));
        let server = &connection.traffic.server;
        assert_eq!((server.frames.binary, server.frames.text, server.frames.close), (1, 0, 0), "{lost:?}");
        let unfinished = server.unfinished.expect("the frame is not complete");
        assert_eq!(unfinished.header.expect("its header").payload_len, (1 << 32) + 5);
        assert_eq!(connection.violations, []);
    }
}

/// `http_in_ws`: HTTP in the upgraded stream, with a hole just before, in and just behind it.
#[test]
fn recipe_http_in_ws_near_a_hole_is_never_a_frame() {
    for lost in 0..4 {
        let mut c = talk();
        c.connect().upgrade();
        let start = c.count();
        c.acks(Acks::Never);
        c.server().text("last words before the fault");
        c.server().bytes(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 600\r\n\r\n");
        c.server().bytes("<p>bad request</p> ".repeat(15).as_bytes());
        c.server().bytes("<p>bad request</p> ".repeat(15).as_bytes());
        c.acks(Acks::PerWrite).server().fin();
        c.packets_mut().remove(start + lost);
        let connection = only(&Capture::of([c]));
        let frames = &connection.traffic.server.frames;
        let all: u64 = frames.named().iter().map(|(_, count)| count).sum();
        assert_eq!(all, u64::from(lost != 0), "{lost}: {frames:?}");
        let told = connection.violations.iter().map(|violation| violation.rule).collect::<Vec<_>>();
        // With its first line in a hole, or behind one, nobody can say where it begins.
        let known = if lost >= 2 { vec![ViolationRule::HttpInWebsocket] } else { Vec::new() };
        assert_eq!(told, known, "{lost}");
    }
}

/// `mix1`, `snct`, `cnct` from the middle: compressed and plain messages, with takeover on one side only.
#[test]
fn recipe_mix1_snct_and_cnct_joined_late() {
    for parameters in ["", "; server_no_context_takeover", "; client_no_context_takeover"] {
        let mut c = talk();
        c.connect().upgrade_with(&Upgrade::deflate(parameters));
        let words = |index: u32| format!("the same words again and again, число {index}");
        c.client().text(&words(0));
        c.server().text(&words(0));
        let start = c.count();
        for index in 1..4 {
            c.client().text(&words(index));
            c.server().text(&words(index));
            // Uncompressed, which RFC 7692 §6 leaves to the sender.
            c.client().frame(Frame::text(&words(index)));
            c.server().frame(Frame::text(&words(index)));
        }
        c.server().close(1000, "");
        c.client().close(1000, "");
        c.server().fin();
        let connection = only(&without_start(c, start));
        for side in Side::BOTH {
            let traffic = &connection.traffic[side];
            assert_eq!((traffic.frames.text, traffic.text_messages), (6, 6), "{side} {parameters}");
            assert_eq!(close_code(&connection, side), Some(1000), "{side} {parameters}");
            let stands_alone = parameters.contains(&format!("{side}_no"));
            assert_eq!(traffic.unread_messages, if stands_alone { 0 } else { 3 }, "{side} {parameters}");
        }
        assert_eq!(connection.violations, [], "{parameters}");
    }
}

// Bounds.

/// What is held back behind a hole is bounded for each side; beyond it bytes are let go and that is told.
#[test]
fn the_bound_on_bytes_held_for_one_side_is_told() {
    let mut c = talk();
    c.connect().upgrade();
    c.server().text("seen").text("missed");
    let lost = c.count() - 2;
    // Nothing in it looks like frames.
    c.server().bytes(&[0x20; 40_000]).fin();
    c.packets_mut().remove(lost);
    let file = Capture::of([c]).pcap();
    assert_eq!(analyse_within(Limits::default(), &file).1, LimitHits { resync: 1, ..LimitHits::default() });
    let wide = Limits { resync_bytes_per_end: 64 << 10, ..Limits::default() };
    assert_eq!(analyse_within(wide, &file).1, LimitHits::default());
}

/// Searches of all connections share one bound; beyond it a search begins anew with what comes next.
#[test]
fn the_bound_on_bytes_held_for_all_connections_is_told() {
    let lossy = |port: u16| {
        let mut c = Conversation::new(&format!("10.0.0.1:{port}"), "10.0.0.2:8080");
        c.connect().upgrade();
        c.server().text("seen").text("missed");
        let lost = c.count() - 2;
        c.server().bytes(&[0x20; 10_000]);
        for index in 0..10 {
            c.server().text(&format!("message number {index}"));
        }
        c.server().close(1000, "").fin();
        c.packets_mut().remove(lost);
        c
    };
    let file = Capture::of((0..10).map(|index| lossy(40_000 + index))).pcap();
    let (_, hits) = analyse_within(Limits::default(), &file);
    assert_eq!(hits, LimitHits::default());
    let (reports, hits) = analyse_within(Limits { resync_bytes_total: 8 << 10, ..Limits::default() }, &file);
    assert!(hits.resync > 0, "{hits:?}");
    for report in reports {
        assert_eq!(close_code(&report.connection, Side::Server), Some(1000), "frames are found all the same");
    }
}

/// Connections whose protocol is not known share one bound; beyond it they are not looked at.
#[test]
fn the_bound_on_probing_is_told() {
    let mut c = talk();
    c.connect().upgrade();
    let start = c.count();
    middle(&mut c);
    let file = without_start(c, start).pcap();
    assert_eq!(analyse_within(Limits::default(), &file).1, LimitHits::default());
    let (reports, hits) = analyse_within(Limits { probe_bytes_total: 50, ..Limits::default() }, &file);
    assert_eq!((reports.len(), hits), (0, LimitHits { probe: 1, ..LimitHits::default() }));
    // A connection that shows nothing in the bytes that are looked at is none, and that is no limit.
    let (reports, hits) = analyse_within(Limits { probe_bytes: 10, ..Limits::default() }, &file);
    assert_eq!((reports.len(), hits), (0, LimitHits::default()));
}

/// What a bound kept from being read is unknown because of it, and not because of the capture.
#[test]
fn a_message_that_was_not_inflated_is_unknown_for_the_bound() {
    let mut c = talk();
    c.connect().upgrade_with(&Upgrade::deflate(""));
    c.client().text(&"four".repeat(1000));
    c.server().close(1009, "");
    c.client().close(1009, "");
    c.server().fin();
    let limits = Limits { inflated_message_bytes: 100, ..Limits::default() };
    let (reports, hits) = analyse_within(limits, &Capture::of([c]).pcap());
    assert_eq!(hits, LimitHits { inflate: 1, ..LimitHits::default() });
    for name in ["peer.last_size", "peer.last_utf8", "peer.violation"] {
        assert_eq!(fact(&reports[0], name), &Known::Unknown(WhyUnknown::Limit), "{name}");
    }
}

/// A connection forgotten to make room was not open when the capture ended; what became of it we do not know.
#[test]
fn a_connection_forgotten_for_a_bound_is_not_called_open() {
    let open = |port: u16, at: f64| {
        let mut c = Conversation::new(&format!("10.0.0.1:{port}"), "10.0.0.2:8080");
        c.wait(at).connect().upgrade();
        c.client().text("hello");
        c
    };
    let file = Capture::of([open(40_000, 0.0), open(40_001, 10.0)]).pcap();
    let (reports, hits) = analyse_within(Limits { flows: 1, ..Limits::default() }, &file);
    assert_eq!((reports.len(), hits.flows), (2, 1));
    for name in ["connection.open_at_capture_end", "end.tcp", "end.side"] {
        assert_eq!(fact(&reports[0], name), &Known::Unknown(WhyUnknown::Limit), "{name}");
    }
    assert_eq!(fact(&reports[1], "connection.open_at_capture_end"), &Known::Seen(Value::Bool(true)));
}
