//! How connections are closed and kept alive: the closing handshake, what a broken rule set off, Pings and heartbeats.
//!
//! What must come out follows from RFC 6455 and from how each conversation is written.

mod common;
mod support;

use common::{Analysis, analyse, at_key, program};
use serde_json::{Value, json};
use std::io::Cursor;
use support::frames::opcode;
use support::{Acks, Capture, Conversation, Frame, Masking, Side, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::catalog::language::Language;
use wsdissect::report::Speaker;
use wsdissect::report::text::TextReport;
use wsdissect::{Analyzer, Options};

/// A WebSocket connection with a message each way.
fn talking() -> Conversation {
    talking_with(&Upgrade::default())
}

fn talking_with(upgrade: &Upgrade) -> Conversation {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect().upgrade_with(upgrade);
    talk.client().text("hello");
    talk.server().text("hello");
    talk
}

/// The next packet's number.
fn next(talk: &Conversation) -> u64 {
    talk.count() as u64 + 1
}

/// Both sides end their direction, the server first.
fn fins(talk: &mut Conversation) {
    talk.server().fin();
    talk.client().fin();
}

fn capture(talk: Conversation) -> Vec<u8> {
    let mut capture = Capture::new();
    capture.extend(talk.into_packets());
    capture.pcap()
}

/// The JSON object of the one connection, and the report for a person.
fn told(talk: Conversation) -> (Value, String) {
    let bytes = capture(talk);
    let Analysis { mut connections, .. } = analyse(Cursor::new(bytes.clone())).expect("a capture");
    assert_eq!(connections.len(), 1, "one connection is expected");
    let mut analyzer = Analyzer::new(Options::default());
    let mut reader = Reader::open(Cursor::new(bytes)).expect("a capture");
    while let Some(packet) = reader.next_packet().expect("whole packets") {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    let report = analyzer.next_report().expect("one connection");
    let text = TextReport::new(&Speaker::new(Language::En), 4000).connection(&report);
    (connections.remove(0), text)
}

fn json_of(talk: Conversation) -> Value {
    told(talk).0
}

#[track_caller]
fn is(found: &Value, key: &str, expected: impl Into<Value>) {
    let value = at_key(found, key).unwrap_or_else(|| panic!("no {key} in {found:#}"));
    assert_eq!(value, &expected.into(), "{key} in {found:#}");
}

#[track_caller]
fn near(found: &Value, key: &str, expected: f64, tolerance: f64) {
    let value = at_key(found, key).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {key} in {found:#}"));
    assert!((value - expected).abs() <= tolerance, "{key} is {value}, not {expected}");
}

#[track_caller]
fn says(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in\n{text}");
}

fn rules_broken(found: &Value) -> Vec<&str> {
    let violations = found["violations"].as_array().expect("a list");
    violations.iter().filter_map(|violation| violation["rule"].as_str()).collect()
}

// Close frames.

#[test]
fn row_63_row_64_every_legal_code_is_read_with_its_reason() {
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3003, 3008, 3999, 4000, 4999]) {
        for side in [Side::Client, Side::Server] {
            let mut talk = talking();
            let packet = next(&talk);
            talk.side(side).close(code, "grün");
            talk.side(side.other()).close(code, "grün");
            fins(&mut talk);
            let found = json_of(talk);
            let frame = if side == Side::Client { "client_frame" } else { "server_frame" };
            is(&found, "close.code", code);
            is(&found, "close.reason", "grün");
            is(&found, &format!("close.{frame}.packet"), packet);
            is(&found, &format!("close.{frame}.fault"), Value::Null);
            is(&found, "violations_total", 0);
        }
    }
}

#[test]
fn row_65_the_side_that_closed_first_and_closes_that_crossed() {
    for (side, name) in [(Side::Client, "client"), (Side::Server, "server")] {
        let mut talk = talking();
        talk.side(side).close(1000, "");
        talk.side(side.other()).close(1000, "");
        fins(&mut talk);
        let found = json_of(talk);
        is(&found, "close.initiator", name);
        is(&found, "close.crossed", false);
        is(&found, "close.clean", true);
    }

    // The server's Close frame leaves before the client's has arrived: it acknowledges nothing of it.
    let mut talk = talking();
    talk.acks(Acks::Never);
    talk.client().close(1000, "");
    let before = talk.packets_mut().last().map(|packet| packet.segment().clone()).expect("a packet");
    talk.server().close(1001, "");
    talk.packets_mut().last_mut().expect("a packet").segment_mut().ack = before.seq;
    talk.acks(Acks::PerWrite);
    fins(&mut talk);
    let (found, text) = told(talk);
    is(&found, "close.initiator", "client");
    is(&found, "close.crossed", true);
    is(&found, "close.clean", true);
    says(&text, "client 1000 and server 1001 were on their way at once");
}

#[test]
fn row_66_who_answered_what_and_after_how_long() {
    let mut talk = talking();
    talk.server().close(1011, "");
    // The Close frame and its ACK are 0.1 ms apart.
    talk.wait(0.0028).client().close(1000, "");
    fins(&mut talk);
    let (found, text) = told(talk);
    is(&found, "close.echoed", true);
    is(&found, "close.client_frame.code", 1000);
    near(&found, "close.answer_s", 0.003, 1e-9);
    says(&text, "server 1011, client answered 1000 in 3 ms");

    let mut talk = talking();
    talk.server().close(1000, "");
    talk.wait(29.9998).server().fin();
    talk.client().fin();
    let (found, text) = told(talk);
    is(&found, "close.echoed", false);
    is(&found, "close.answer_s", Value::Null);
    is(&found, "close.clean", false);
    says(&text, "no answer to the Close frame of the server, FIN after 30 s");
    is(&found, "diagnosis.rule", "close-not-answered-timer");
}

#[test]
fn row_67_codes_have_names_and_those_of_applications_the_meaning_their_user_gives_them() {
    for (code, name) in [
        (1012, "Service Restart"),
        (1013, "Try Again Later"),
        (1014, "Bad Gateway"),
        (3000, "Unauthorized"),
        (3003, "Forbidden"),
        (3008, "Timeout"),
    ] {
        let mut talk = talking();
        talk.server().close(code, "");
        let found = json_of(talk);
        is(&found, "close.name", name);
        is(&found, "close.meaning", Value::Null);
    }

    let folder = std::env::temp_dir().join(format!("wsdissect-row-67-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (codes, pcap) = (folder.join("codes.toml"), folder.join("capture.pcap"));
    let mut talk = talking();
    talk.server().close(4777, "");
    talk.client().close(4777, "");
    fins(&mut talk);
    std::fs::write(&pcap, capture(talk)).expect("a file");
    std::fs::write(&codes, "4777 = \"signed in elsewhere\"\n").expect("a file");
    let (codes, pcap) = (codes.to_str().expect("UTF-8"), pcap.to_str().expect("UTF-8"));
    let objects = program::run(&["-T", "jsonl", "--close-codes", codes, pcap]).lines();
    is(&objects[0], "close.code", 4777);
    is(&objects[0], "close.meaning", "signed in elsewhere");
    says(program::run(&["--close-codes", codes, pcap]).text(), "4777: signed in elsewhere");
    // What the standard defines is not redefined, and a file that says so is refused.
    std::fs::write(codes, "1000 = \"ours\"\n").expect("a file");
    assert_eq!(program::run(&["--close-codes", codes, pcap]).code, Some(2));
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

#[test]
fn row_68_each_illegal_code_is_flagged_and_no_legal_one() {
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65535] {
        let mut talk = talking();
        let packet = next(&talk);
        talk.client().close(code, "");
        talk.server().close(1002, "");
        fins(&mut talk);
        let found = json_of(talk);
        assert_eq!(rules_broken(&found), ["close_code_invalid"], "{code}");
        is(&found, "violations.0.side", "client");
        is(&found, "violations.0.packet", packet);
        is(&found, "violations.0.reaction.code", 1002);
        is(&found, "close.client_frame.fault", "close_code_invalid");
        is(&found, "diagnosis.cause", "protocol_error");
        is(&found, "diagnosis.party", "client");
        // RFC 6455 §7.1.7: the server failed the connection, so its application was told 1006.
        is(&found, "api_view.server.code", 1006);
    }
}

#[test]
fn row_69_close_frames_of_one_byte_of_too_many_and_of_no_text() {
    for (frame, rule) in [
        (Frame::new(opcode::CLOSE, [3]), "close_payload_one_byte"),
        (Frame::close(1000, "x".repeat(124)), "control_frame_too_long"),
        (Frame::close(1000, [0xFF, 0xFE]), "invalid_utf8_close_reason"),
        (Frame::close(1000, "").rsv(2), "rsv_nonzero"),
        (Frame::close(1000, "").rsv(4), "rsv_nonzero"),
        (Frame::close(1000, "").fin(false), "control_frame_fragmented"),
        (Frame::close(1000, "").masking(Masking::Clear), "unmasked_client_frame"),
    ] {
        // What stacks make of it: an error code, or no Close frame at all.
        for answer in [Some(1002), Some(1007), None] {
            let mut talk = talking();
            let packet = next(&talk);
            talk.client().frame(frame.clone());
            if let Some(code) = answer {
                talk.server().close(code, "");
            }
            fins(&mut talk);
            let found = json_of(talk);
            assert!(rules_broken(&found).contains(&rule), "{rule}: {found:#}");
            is(&found, "violations.0.packet", packet);
            is(&found, "diagnosis.cause", "protocol_error");
            is(&found, "diagnosis.party", "client");
            is(&found, "diagnosis.confidence", "certain");
            is(&found, "api_view.server.code", 1006);
            is(&found, "violations.0.reaction.kind", if answer.is_some() { "close" } else { "fin" });
        }
    }
}

#[test]
fn a_faulty_close_frame_that_is_taken_for_a_good_one_is_no_cause() {
    // Firefox and aiohttp accept masked frames of a server.
    let mut talk = talking();
    talk.server().frame(Frame::close(1001, "bye").masking(Masking::Key([1, 2, 3, 4])));
    talk.client().close(1001, "");
    fins(&mut talk);
    let found = json_of(talk);
    is(&found, "violations.0.rule", "masked_server_frame");
    is(&found, "diagnosis.cause", "going_away");
    is(&found, "api_view.client.code", 1001);
    is(&found, "api_view.client.was_clean", true);
}

#[test]
fn a_close_in_the_middle_of_a_message_is_no_fault() {
    let mut talk = talking();
    talk.client().frame(Frame::text("begun").fin(false)).close(1000, "");
    talk.server().close(1000, "");
    fins(&mut talk);
    let found = json_of(talk);
    is(&found, "violations_total", 0);
    is(&found, "close.clean", true);
    is(&found, "diagnosis.cause", "normal");
}

#[test]
fn row_70_what_follows_a_close_frame_is_counted_with_its_packets() {
    let mut talk = talking();
    talk.client().close(1000, "");
    let first = next(&talk);
    talk.client().text("too late").ping(b"x");
    let third = next(&talk);
    talk.client().binary(&[1; 10]);
    talk.server().close(1000, "");
    fins(&mut talk);
    let (found, text) = told(talk);
    is(&found, "close.ignored.client", json!({ "frames": 3, "messages": 2, "packets": [first, first + 2, third] }));
    is(&found, "close.ignored.server", Value::Null);
    assert_eq!(rules_broken(&found), ["data_after_close"]);
    says(&text, "client went on after its own Close frame; ignored frames: 3, of these complete messages: 2");

    // Between the peer's Close frame and one's own, data is legal.
    let mut talk = talking();
    talk.client().close(1000, "");
    talk.server().text("still on its way").close(1000, "");
    fins(&mut talk);
    let found = json_of(talk);
    is(&found, "violations_total", 0);
    is(&found, "close.ignored", json!({ "client": null, "server": null }));
}

// What applications were told.

#[test]
fn row_71_what_each_application_was_told() {
    type Script = fn(&mut Conversation);
    let cases: [(&str, Script, Value, Value); 7] = [
        (
            "codes that differ",
            |talk| {
                talk.server().close(1011, "oops");
                talk.client().close(1000, "");
                fins(talk);
            },
            json!({ "code": 1011, "reason": "oops", "was_clean": true, "or_code": null }),
            json!({ "code": 1000, "reason": "", "was_clean": true, "or_code": null }),
        ),
        (
            "empty Close frames",
            |talk| {
                talk.client().close_empty();
                talk.server().close_empty();
                fins(talk);
            },
            json!({ "code": 1005, "reason": "", "was_clean": true, "or_code": null }),
            json!({ "code": 1005, "reason": "", "was_clean": true, "or_code": null }),
        ),
        (
            "no Close frame",
            |talk| {
                fins(talk);
            },
            json!({ "code": 1006, "reason": "", "was_clean": false, "or_code": null }),
            json!({ "code": 1006, "reason": "", "was_clean": false, "or_code": null }),
        ),
        (
            "a Close frame without an answer",
            |talk| {
                talk.server().close(1001, "bye").wait(10.0).fin();
                talk.client().fin();
            },
            json!({ "code": 1001, "reason": "bye", "was_clean": false, "or_code": null }),
            json!({ "code": 1006, "reason": "", "was_clean": false, "or_code": null }),
        ),
        (
            "an answer behind the FIN",
            |talk| {
                talk.server().close(1001, "").fin();
                talk.client().close(1001, "").fin();
            },
            json!({ "code": 1001, "reason": "", "was_clean": true, "or_code": null }),
            json!({ "code": 1001, "reason": "", "was_clean": true, "or_code": null }),
        ),
        (
            "a FIN before the Close frame of the other side",
            |talk| {
                talk.client().fin();
                talk.server().close(1001, "").fin();
            },
            json!({ "code": 1001, "reason": "", "was_clean": false, "or_code": null }),
            json!({ "code": 1006, "reason": "", "was_clean": false, "or_code": null }),
        ),
        (
            "a server that fails the connection and hears an echo",
            |talk| {
                talk.client().frame(Frame::text("x").rsv(4));
                talk.server().close(1002, "");
                talk.client().close(1002, "");
                fins(talk);
            },
            json!({ "code": 1002, "reason": "", "was_clean": true, "or_code": null }),
            json!({ "code": 1006, "reason": "", "was_clean": false, "or_code": null }),
        ),
    ];
    for (name, script, client, server) in cases {
        let mut talk = talking();
        script(&mut talk);
        let found = json_of(talk);
        assert_eq!(found["api_view"]["client"], client, "{name}");
        assert_eq!(found["api_view"]["server"], server, "{name}");
    }
}

#[test]
fn row_72_recipe_noclose_fin_fin_without_close_after_sixty_seconds() {
    let mut talk = talking();
    talk.client().text("last");
    talk.wait(59.9999);
    let packet = next(&talk);
    talk.server().fin();
    talk.client().fin();
    let (found, text) = told(talk);
    is(&found, "api_view.client.code", 1006);
    is(&found, "close.tcp_end", json!({ "kind": "fin", "side": "server", "packet": packet }));
    says(&text, &format!("server sent FIN 60.0 s after the last byte (#{packet})"));
    says(&text, "neither side sent a Close frame");
}

#[test]
fn row_73_from_close_to_fin_half_close_and_who_keeps_time_wait() {
    let mut talk = talking();
    talk.server().close(1000, "");
    talk.client().close(1000, "");
    // Its ACK, and then what is waited.
    talk.wait(0.4998).server().fin();
    talk.wait(2.0).client().fin();
    let (found, text) = told(talk);
    // Between the server's Close frame and its FIN lie three more packets, 0.1 ms each.
    near(&found, "close.close_to_fin_s.server", 0.5002, 1e-6);
    near(&found, "close.half_closed_s", 2.0002, 1e-6);
    near(&found, "close.close_to_fin_s.client", 2.5002, 1e-6);
    is(&found, "close.time_wait_side", "server");
    says(&text, "server: FIN 500.2 ms after its own Close frame".replace("500.2", "500").as_str());
    says(&text, "half closed for 2 s after the FIN of the server");
    assert!(!text.contains("closed TCP first"), "{text}");

    let mut talk = talking();
    talk.client().close(1000, "");
    talk.server().close(1000, "");
    talk.client().fin();
    talk.server().fin();
    let (found, text) = told(talk);
    is(&found, "close.time_wait_side", "client");
    says(&text, "the client closed TCP first; RFC 6455 §7.1.1 leaves that to the server");
}

#[test]
fn row_74_a_close_frame_in_flight_when_a_reset_arrives_may_not_have_been_read() {
    // The client resets before it has acknowledged the Close frame.
    let mut talk = talking();
    talk.acks(Acks::Never);
    talk.server().close(1001, "bye");
    let close = talk.packets_mut().last().map(|packet| packet.segment().seq).expect("a packet");
    let packet = next(&talk);
    talk.client().rst();
    talk.packets_mut().last_mut().expect("a packet").segment_mut().ack = close;
    let (found, text) = told(talk);
    is(&found, "api_view.client", json!({ "code": 1001, "reason": "bye", "was_clean": false, "or_code": 1006 }));
    says(
        &text,
        &format!(
            "client may have been told 1006 although Close 1001 was sent: RST (#{packet}) before the frame was acknowledged"
        ),
    );

    // An answer shows that it was read, whatever comes then.
    let mut talk = talking();
    talk.server().close(1001, "bye");
    talk.client().close(1001, "bye");
    talk.server().rst();
    let (found, text) = told(talk);
    is(&found, "api_view.client.or_code", Value::Null);
    assert!(!text.contains("may have been told"), "{text}");

    // A side that had reset before cannot have been told the code.
    let mut talk = talking();
    talk.client().rst();
    talk.acks(Acks::Never).server().close(1001, "");
    let found = json_of(talk);
    is(&found, "api_view.client.code", 1006);
}

// Cause and reaction.

#[test]
fn row_81_a_violation_is_tied_to_what_it_set_off() {
    let bad_text = || Frame::new(opcode::TEXT, [b'a', 0xFF]);
    let cases: [(Frame, &str, Option<u16>, &str); 8] = [
        (bad_text(), "invalid_utf8_text", Some(1007), "invalid_utf8"),
        // Chromium's habit.
        (bad_text(), "invalid_utf8_text", Some(1002), "invalid_utf8"),
        // Tornado, tungstenite, Firefox: TCP ends without a Close frame.
        (bad_text(), "invalid_utf8_text", None, "invalid_utf8"),
        (Frame::new(3, []), "reserved_opcode", Some(1002), "protocol_error"),
        (Frame::new(3, []), "reserved_opcode", None, "protocol_error"),
        // faye's habit.
        (Frame::text("x").masking(Masking::Clear), "unmasked_client_frame", Some(1003), "protocol_error"),
        (Frame::new(opcode::CONTINUATION, "x"), "unexpected_continuation", Some(1008), "protocol_error"),
        (Frame::text("x").length(support::Length::Claim(1 << 63)), "bad_length_encoding", Some(1009), "protocol_error"),
    ];
    for (frame, rule, code, cause) in cases {
        let mut talk = talking();
        let culprit = next(&talk);
        talk.client().frame(frame);
        talk.wait(0.0048);
        let answer = next(&talk);
        match code {
            Some(code) => drop(talk.server().close(code, "")),
            None => drop(talk.server().rst()),
        }
        if code.is_some() {
            fins(&mut talk);
        }
        let (found, text) = told(talk);
        is(&found, "violations.0.rule", rule);
        is(&found, "violations.0.packet", culprit);
        is(&found, "violations.0.reaction.packet", answer);
        is(&found, "violations.0.reaction.side", "server");
        is(&found, "violations.0.reaction.kind", if code.is_some() { "close" } else { "rst" });
        is(&found, "violations.0.reaction.code", code.map_or(Value::Null, Value::from));
        near(&found, "violations.0.reaction.after_s", 0.005, 1e-9);
        is(&found, "diagnosis.cause", cause);
        is(&found, "diagnosis.party", "client");
        is(&found, "api_view.server.code", 1006);
        let what = code.map_or("RST".to_owned(), |code| format!("Close {code}"));
        says(&text, &format!("(#{culprit}): server answered with {what} after 5 ms (#{answer})"));
    }
}

#[test]
fn compression_that_fails_is_the_cause_whatever_the_code() {
    // 1007 is the habit of some stacks, 1002 of others.
    for code in [1002, 1007, 1011] {
        let mut talk = talking_with(&Upgrade::deflate(""));
        talk.client().frame(Frame::new(opcode::TEXT, [0x07, 0xFF, 0xFF]).rsv(4));
        talk.server().close(code, "");
        fins(&mut talk);
        let found = json_of(talk);
        is(&found, "violations.0.rule", "inflate_failed");
        is(&found, "violations.0.reaction.code", code);
        is(&found, "diagnosis.cause", "protocol_error");
        is(&found, "diagnosis.party", "client");
    }
}

#[test]
fn what_comes_late_or_says_something_else_is_no_reaction() {
    type Script = fn(&mut Conversation);
    let cases: [Script; 4] = [
        |talk| {
            talk.server().close(1000, "");
        },
        |talk| {
            talk.server().wait(30.0).close(1002, "");
        },
        |talk| {
            talk.server().wait(30.0).rst();
        },
        // The culprit leaves first, of its own accord.
        |talk| {
            talk.client().close(1000, "");
            talk.server().close(1000, "");
        },
    ];
    for (index, script) in cases.into_iter().enumerate() {
        let mut talk = talking();
        talk.client().frame(Frame::new(3, []));
        script(&mut talk);
        fins(&mut talk);
        let found = json_of(talk);
        is(&found, "violations.0.rule", "reserved_opcode");
        assert_eq!(found["violations"][0]["reaction"], Value::Null, "case {index}");
    }
}

// Keep-alive.

#[test]
fn row_82_row_83_pings_are_matched_to_pongs_by_payload_with_their_round_trips() {
    let mut talk = talking();
    // 99 Pings of the server with answers after 10 ms, one after 500 ms.
    let mut last_pong = 0;
    for number in 0..100_u32 {
        talk.server().ping(&number.to_be_bytes());
        let slow = number == 50;
        // The Ping's ACK takes 0.1 ms, and the packet after it another.
        talk.wait(if slow { 0.4998 } else { 0.0098 });
        last_pong = next(&talk);
        talk.client().pong(&number.to_be_bytes());
        talk.wait(1.0);
    }
    // The client pings twice and is answered once, for both (RFC 6455 §5.5.3); an unsolicited Pong answers nothing.
    talk.client().ping(b"one");
    let answered = next(&talk);
    talk.client().ping(b"two");
    talk.server().pong(b"two").pong(b"heartbeat");
    talk.server().close(1000, "");
    talk.client().close(1000, "");
    fins(&mut talk);
    let (found, text) = told(talk);
    is(&found, "frames.server.ping", 100);
    is(&found, "frames.client.pong", 100);
    is(&found, "keepalive.server.pings", 100);
    is(&found, "keepalive.server.answered", 100);
    is(&found, "keepalive.server.last_pong_packet", last_pong);
    near(&found, "keepalive.server.round_trip_p50_s", 0.010, 0.0002);
    near(&found, "keepalive.server.round_trip_p99_s", 0.010, 0.0002);
    is(&found, "keepalive.client.answered", 2);
    is(&found, "keepalive.client.unanswered", 0);
    is(&found, "keepalive.client.last_answered_packet", answered);
    is(&found, "keepalive.server.unsolicited_pongs", 1);
    is(&found, "violations_total", 0);
    says(&text, "server, Pings: 100, answered: 100, every 1 s, round trip 10 ms, 99 % within 10 ms");
    says(&text, "client, Pings: 2, answered: 2");
    says(&text, "Ping");
    says(&text, "Pong");
}

#[test]
fn row_84_recipe_pingto_a_ping_without_pong_then_a_reset() {
    let mut talk = talking();
    talk.server().ping(b"1").wait(1.0);
    talk.client().pong(b"1");
    let ping = next(&talk);
    talk.wait(20.0).server().ping(b"2");
    talk.wait(29.9999).server().rst();
    let (found, text) = told(talk);
    is(&found, "diagnosis.cause", "keepalive_timeout");
    is(&found, "diagnosis.party", "client");
    is(&found, "keepalive.server.oldest_unanswered_packet", ping);
    near(&found, "keepalive.server.oldest_unanswered_s", 30.0, 0.001);
    is(&found, "keepalive.server.unanswered", 1);
    says(&text, &format!("unanswered: 1, the oldest 30 s before the end (#{ping})"));
}

#[test]
fn row_85_an_idle_gap_names_the_proxies_that_have_it_as_their_default() {
    let mut talk = talking();
    talk.wait(60.0);
    fins(&mut talk);
    let (found, text) = told(talk);
    is(&found, "diagnosis.cause", "idle_timeout");
    for candidate in ["nginx", "proxy_read_timeout", "ALB"] {
        says(&text, candidate);
    }
    // Twelve seconds more are nobody's default.
    let mut talk = talking();
    talk.wait(72.0);
    fins(&mut talk);
    let found = json_of(talk);
    assert_ne!(found["diagnosis"]["rule"], "no-close-idle");
}

#[test]
fn row_86_heartbeats_of_the_application_by_rhythm_and_by_words() {
    // Small binary messages every 10 s, up to 3 % early or late, among messages of other sizes.
    let mut talk = talking();
    let mut last = 0;
    for number in 0..12_u32 {
        last = next(&talk);
        talk.client().binary(&number.to_be_bytes());
        talk.wait([9.8, 10.2, 10.0][number as usize % 3] / 2.0);
        talk.server().text(&"x".repeat(number as usize * 7 % 90 + 5));
        talk.wait([9.8, 10.2, 10.0][number as usize % 3] / 2.0);
    }
    talk.wait(50.0);
    fins(&mut talk);
    let (found, text) = told(talk);
    assert_eq!(found["keepalive"]["heartbeats"].as_array().expect("a list").len(), 1, "{found:#}");
    is(&found, "keepalive.heartbeats.0.side", "client");
    is(&found, "keepalive.heartbeats.0.name", Value::Null);
    is(&found, "keepalive.heartbeats.0.beats", 12);
    is(&found, "keepalive.heartbeats.0.last_packet", last);
    near(&found, "keepalive.heartbeats.0.period_s", 10.0, 0.02);
    near(&found, "keepalive.heartbeats.0.last_before_end_s", 60.0, 0.3);
    assert!(found["keepalive"]["heartbeats"][0]["jitter"].as_f64().expect("a number") < 0.05);
    is(&found, "keepalive.tcp.client.probes", 0);
    says(&text, "client, heartbeat in messages of 4 bytes every 10 s, 12 times");

    for (words, name, side) in [
        ("2", "engine_io", Side::Server),
        (r#"[null,"1","phoenix","heartbeat",{}]"#, "phoenix", Side::Client),
        (r#"{"event":"pusher:ping","data":{}}"#, "pusher", Side::Client),
        ("\n", "stomp", Side::Client),
        ("{\"type\":6}\u{1e}", "signalr", Side::Server),
    ] {
        for segment in [1460, 1] {
            let mut talk = talking();
            talk.mss(segment);
            for _ in 0..4 {
                talk.wait(25.0).side(side).text(words);
            }
            let found = json_of(talk);
            is(&found, "keepalive.heartbeats.0.name", name);
            is(&found, "keepalive.heartbeats.0.beats", 4);
            near(&found, "keepalive.heartbeats.0.period_s", 25.0, 0.1);
        }
    }
}

#[test]
fn row_86_irregular_messages_and_streams_of_data_are_no_heartbeat() {
    let mut talk = talking();
    for pause in [3.0, 9.0, 4.0, 14.0, 2.0, 8.0, 5.0] {
        talk.wait(pause).client().binary(&[1, 2, 3, 4]);
    }
    for _ in 0..50 {
        talk.wait(0.1).server().text("price");
    }
    let found = json_of(talk);
    is(&found, "keepalive.heartbeats", json!([]));
}

#[test]
fn an_engine_io_heartbeat_without_an_answer_is_a_keepalive_timeout() {
    // As measured: the text 2 every 25 s, and without a 3 an empty Close frame 20 s later.
    for close in [true, false] {
        let mut talk = talking();
        for _ in 0..3 {
            talk.wait(25.0).server().text("2");
            talk.client().text("3");
        }
        let beat = next(&talk);
        talk.wait(25.0).server().text("2").wait(20.0);
        if close {
            talk.server().close_empty();
        }
        fins(&mut talk);
        let (found, _) = told(talk);
        is(&found, "keepalive.heartbeats.1.unanswered_packet", beat);
        is(&found, "diagnosis.cause", "keepalive_timeout");
        is(&found, "diagnosis.party", "client");
        is(&found, "diagnosis.confidence", "likely");
    }
}

#[test]
fn tcp_keep_alives_stand_apart_from_pings() {
    let mut talk = talking();
    for _ in 0..3 {
        talk.wait(15.0).server().keep_alive();
    }
    talk.wait(30.0).client().ping(b"x");
    talk.server().pong(b"x");
    let (found, text) = told(talk);
    is(&found, "keepalive.tcp.server.probes", 3);
    near(&found, "keepalive.tcp.server.interval_s", 15.0, 0.01);
    is(&found, "keepalive.server.pings", 0);
    is(&found, "keepalive.client.pings", 1);
    says(&text, "server, TCP keep-alive probes: 3");
}
