//! Frames and messages: every rule that a frame can break, named with its side, packet, place and section, even when the
//! rest of the frame never comes; and legal oddities, which break none.
//!
//! Bytes are written by hand from RFC 6455 §5.2, so that what is expected rests on nothing of ours.

mod common;
mod support;

use common::at_key;
use serde_json::Value;
use support::conversation::Side as By;
use support::frames::{Frame, opcode};
use support::{Acks, Capture, Conversation, Length, Masking, Upgrade};
use wsdissect::limits::Limits;
use wsdissect::units::{Origin, PacketNumber, Side, StreamOffset};
use wsdissect::websocket::{Decoder, DecoderConfig, Event, EventSink, FrameHeader, Scratch};

/// A masking key that changes nothing, so that a client's frame can be read here; as legal as any other.
const CLEAR_KEY: [u8; 4] = [0; 4];

/// A frame that breaks a rule.
struct Fault {
    rule: &'static str,
    section: &'static str,
    by: By,
    /// What `permessage-deflate` agrees on, if it does.
    deflate: bool,
    /// Legal bytes in front of the frame.
    before: Vec<u8>,
    frame: Vec<u8>,
    /// How many bytes of the frame show it.
    shown_by: usize,
    /// What is just legal, in place of the frame.
    near_miss: Vec<u8>,
}

fn fault(rule: &'static str, section: &'static str, by: By, shown_by: usize, frame: &[u8], near_miss: &[u8]) -> Fault {
    let (frame, near_miss) = (frame.to_vec(), near_miss.to_vec());
    Fault { rule, section, by, deflate: false, before: Vec::new(), frame, shown_by, near_miss }
}

impl Fault {
    fn after(self, before: &[u8]) -> Self {
        Self { before: before.to_vec(), ..self }
    }

    fn with_deflate(self) -> Self {
        Self { deflate: true, ..self }
    }

    fn talk(&self) -> Conversation {
        let mut c = talk();
        c.connect();
        if self.deflate {
            c.upgrade_with(&Upgrade::deflate(""));
        } else {
            c.upgrade();
        }
        if !self.before.is_empty() {
            c.side(self.by).bytes(&self.before);
        }
        c
    }
}

/// A header and this many bytes of payload.
fn with_payload(header: &[u8], payload: usize) -> Vec<u8> {
    [header, &vec![b'x'; payload]].concat()
}

/// Every rule of a frame, the ones with several faces several times.
fn faults() -> Vec<Fault> {
    use By::{Client, Server};
    let fragment: &[u8] = &[0x01, 0x02, b'o', b'k'];
    let rest: &[u8] = &[0x80, 0x02, b'o', b'k'];
    let hello = [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    vec![
        fault("rsv_nonzero", "RFC 6455 §5.2", Server, 1, b"\xC1\x02ok", b"\x81\x02ok"),
        fault("rsv_nonzero", "RFC 6455 §5.2", Server, 1, b"\xA2\x02ok", b"\x82\x02ok"),
        fault("rsv_nonzero", "RFC 6455 §5.2", Server, 1, b"\x99\x02ok", b"\x89\x02ok"),
        fault("rsv_nonzero", "RFC 6455 §5.2", Server, 1, b"\xA1\x02ok", &hello).with_deflate(),
        fault("rsv1_on_control", "RFC 7692 §6", Server, 1, b"\xCA\x02ok", b"\x8A\x02ok").with_deflate(),
        fault("rsv1_on_continuation", "RFC 7692 §6", Server, 1, b"\xC0\x02ok", rest).after(fragment).with_deflate(),
        fault("reserved_opcode", "RFC 6455 §5.2", Server, 1, b"\x83\x02ok", b"\x82\x02ok"),
        fault("reserved_opcode", "RFC 6455 §5.2", Server, 1, b"\x8B\x02ok", b"\x8A\x02ok"),
        fault("unexpected_continuation", "RFC 6455 §5.4", Server, 1, rest, b"\x81\x02ok"),
        fault("interleaved_data_frame", "RFC 6455 §5.4", Server, 1, b"\x81\x02ok", b"\x89\x02ok").after(fragment),
        fault("control_frame_fragmented", "RFC 6455 §5.5", Server, 1, b"\x09\x02ok", b"\x89\x02ok"),
        fault("unmasked_client_frame", "RFC 6455 §5.1", Client, 2, b"\x81\x02ok", b"\x81\x82\0\0\0\0ok"),
        fault("masked_server_frame", "RFC 6455 §5.1", Server, 2, b"\x81\x82\0\0\0\0ok", b"\x81\x02ok"),
        fault(
            "control_frame_too_long",
            "RFC 6455 §5.5",
            Server,
            2,
            &with_payload(&[0x89, 126, 0, 126], 126),
            &with_payload(&[0x89, 125], 125),
        ),
        fault(
            "bad_length_encoding",
            "RFC 6455 §5.2",
            Server,
            4,
            &with_payload(&[0x82, 126, 0, 125], 125),
            &with_payload(&[0x82, 126, 0, 126], 126),
        ),
        fault(
            "bad_length_encoding",
            "RFC 6455 §5.2",
            Server,
            8,
            &with_payload(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], 65_535),
            &with_payload(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], 65_536),
        ),
        fault(
            "bad_length_encoding",
            "RFC 6455 §5.2",
            Client,
            3,
            &with_payload(&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], 20),
            b"\x82\x82\0\0\0\0ok",
        ),
        // A surrogate against a noncharacter.
        fault("invalid_utf8_text", "RFC 6455 §8.1", Server, 4, b"\x81\x04\xED\xA0\x80x", b"\x81\x04\xEF\xBF\xBEx"),
        fault("invalid_utf8_text", "RFC 6455 §8.1", Client, 8, b"\x81\x82\0\0\0\0o\xFF", b"\x82\x82\0\0\0\0o\xFF"),
        // A character that the last frame leaves open against one that it completes.
        fault("invalid_utf8_text", "RFC 6455 §8.1", Server, 2, b"\x80\0", b"\x80\x02\x82\xAC").after(b"\x01\x02o\xE2"),
        fault(
            "invalid_utf8_close_reason",
            "RFC 6455 §5.5.1",
            Server,
            6,
            b"\x88\x05\x03\xE8o\xFFx",
            b"\x88\x05\x03\xE8o\xC3\xBC",
        ),
        fault("close_payload_one_byte", "RFC 6455 §5.5.1", Server, 2, b"\x88\x01\x03", b"\x88\x02\x03\xE8"),
        fault("close_code_invalid", "RFC 6455 §7.4", Server, 4, b"\x88\x04\x03\xEDno", b"\x88\x04\x03\xF3no"),
        fault(
            "close_code_invalid",
            "RFC 6455 §7.4",
            Client,
            8,
            b"\x88\x82\0\0\0\0\x13\x88",
            b"\x88\x82\0\0\0\0\x13\x87",
        ),
        fault("data_after_close", "RFC 6455 §5.5.1", Server, 1, b"\x81\0", b"\x89\0").after(b"\x88\x02\x03\xE8"),
        fault("http_in_websocket", "RFC 6455 §5.2", Server, 7, b"HTTP/1.1 400 Bad Request", b"\x81\x08HTTP/1.1"),
        fault("http_in_websocket", "RFC 6455 §5.2", Client, 5, b"GET / HTTP/1.1", b"\x81\x85\0\0\0\0GET /"),
    ]
}

fn talk() -> Conversation {
    Conversation::new("10.0.0.1:40000", "10.0.0.2:8080")
}

fn only(c: Conversation) -> Value {
    let mut analysis = common::analyse(&Capture::of([c]).pcap()[..]).expect("a capture");
    assert_eq!(analysis.connections.len(), 1, "one connection");
    analysis.connections.remove(0)
}

/// Bytes of TCP that one side has sent so far.
fn sent(c: &Conversation, by: By) -> u64 {
    let port = if by == By::Client { 40_000 } else { 8080 };
    let segments = c.packets().iter().map(|packet| packet.segment());
    segments.filter(|segment| segment.source.port() == port).map(|segment| segment.payload.len() as u64).sum()
}

fn name(by: By) -> &'static str {
    if by == By::Client { "client" } else { "server" }
}

/// What was broken: rule, side, packet, offset and section.
type Told = (String, String, u64, u64, String);

fn told(connection: &Value) -> Vec<Told> {
    let text = |violation: &Value, key: &str| violation[key].as_str().expect("a text").to_owned();
    let number = |violation: &Value, key: &str| violation[key].as_u64().expect("a number");
    connection["violations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|violation| {
            let (packet, offset) = (number(violation, "packet"), number(violation, "offset"));
            (text(violation, "rule"), text(violation, "side"), packet, offset, text(violation, "reference"))
        })
        .collect()
}

/// The names alone.
fn rules(connection: &Value) -> Vec<String> {
    told(connection).into_iter().map(|told| told.0).collect()
}

/// The other side closes, and TCP ends.
fn refuse(c: &mut Conversation, by: By, code: u16) {
    c.side(by).close(code, "");
    c.side(by).fin();
    c.side(by.other()).fin();
}

/// Sends the part that shows the fault, a byte in each packet and nothing more, and has the other side refuse it.
fn chopped(fault: &Fault) -> (Value, Told) {
    let mut c = fault.talk();
    let offset = sent(&c, fault.by);
    c.acks(Acks::Never);
    for byte in &fault.frame[..fault.shown_by] {
        c.side(fault.by).bytes(&[*byte]);
    }
    let packet = c.count() as u64;
    refuse(c.acks(Acks::PerWrite), fault.by.other(), 1002);
    let expected = (fault.rule.into(), name(fault.by).into(), packet, offset, fault.section.into());
    (only(c), expected)
}

#[test]
fn every_rule_is_told_with_the_byte_that_shows_it_though_the_rest_never_comes() {
    for fault in faults() {
        let (connection, expected) = chopped(&fault);
        let mut told = told(&connection);
        // A frame that begins like HTTP is one, unless it is cut off before that shows.
        assert_eq!(told.len(), 1, "{expected:?}: {told:?}");
        assert_eq!(told.remove(0), expected);
    }
}

#[test]
fn one_byte_less_tells_nothing() {
    for mut fault in faults() {
        fault.shown_by -= 1;
        // Of HTTP, four bytes and the silence after them are enough.
        if fault.shown_by == 0 || fault.rule == "http_in_websocket" {
            continue;
        }
        assert_eq!(told(&chopped(&fault).0), [], "{} {:02x?}", fault.rule, &fault.frame[..fault.shown_by]);
    }
}

#[test]
fn every_rule_is_told_of_whole_frames_and_never_of_the_near_miss() {
    for fault in faults() {
        for broken in [true, false] {
            let mut c = fault.talk();
            let offset = sent(&c, fault.by);
            let bytes = if broken { &fault.frame } else { &fault.near_miss };
            let packet = c.count() as u64 + 1;
            if !bytes.is_empty() {
                c.side(fault.by).bytes(bytes);
            }
            refuse(&mut c, fault.by.other(), 1002);
            let connection = only(c);
            if !broken {
                assert_eq!(told(&connection), [], "near miss of {}: {bytes:02x?}", fault.rule);
                continue;
            }
            let [told] = &told(&connection)[..] else { panic!("{}: {connection:#}", fault.rule) };
            assert_eq!(
                (&told.0[..], &told.1[..], told.3, &told.4[..]),
                (fault.rule, name(fault.by), offset, fault.section)
            );
            assert!(told.2 >= packet, "{told:?}");
        }
    }
}

#[test]
fn a_chopped_frame_that_was_refused_is_the_cause() {
    for fault in faults() {
        let ends_itself = fault.rule.contains("close") || fault.before.first() == Some(&0x88);
        if ends_itself || fault.rule == "http_in_websocket" {
            continue;
        }
        let (connection, _) = chopped(&fault);
        let diagnosis = &connection["diagnosis"];
        let cause = if fault.rule == "invalid_utf8_text" { "invalid_utf8" } else { "protocol_error" };
        assert_eq!(diagnosis["cause"], cause, "{}: {diagnosis}", fault.rule);
        assert_eq!(diagnosis["party"], name(fault.by), "{}: {diagnosis}", fault.rule);
        assert_ne!(diagnosis["confidence"], "possible", "{}: {diagnosis}", fault.rule);
    }
}

#[test]
fn all_frame_rules_are_in_the_list_above() {
    let mut listed: Vec<&str> = faults().iter().map(|fault| fault.rule).collect();
    listed.dedup();
    // Those of the content of compressed messages have their own tests.
    let content = ["inflate_failed", "window_exceeded"];
    for rule in wsdissect::violation::ViolationRule::ALL {
        if !rule.is_of_handshake() && !content.contains(&rule.name()) {
            assert!(listed.contains(&rule.name()), "{rule}");
        }
    }
}

// One fault, one violation.

#[test]
fn the_rest_of_a_fault_is_no_second_one() {
    let part = |opcode, fin| Frame::new(opcode, "part").fin(fin);
    for (frames, expected) in [
        // A Ping in three fragments.
        (vec![part(9, false), part(0, false), part(0, true)], vec!["control_frame_fragmented"]),
        // A message whose first fragment was never sent.
        (vec![part(0, false), part(0, false), part(0, true)], vec!["unexpected_continuation"]),
        (vec![part(3, false), part(9, true), part(0, true)], vec!["reserved_opcode"]),
        // Two of them, each a fault of its own.
        (vec![part(0, true), part(1, true), part(0, true)], vec!["unexpected_continuation"; 2]),
        (vec![part(0, false), part(1, false), part(0, true), part(0, false)], vec!["unexpected_continuation"; 2]),
    ] {
        let mut c = talk();
        c.connect().upgrade();
        for frame in &frames {
            c.client().frame(frame.clone());
        }
        refuse(&mut c, By::Server, 1002);
        assert_eq!(rules(&only(c)), expected, "{frames:?}");
    }
}

#[test]
fn a_habit_does_not_hide_the_fault_that_ended_the_connection() {
    let mut c = talk();
    c.connect().upgrade();
    for _ in 0..100 {
        c.client().frame(Frame::text("never masked").masking(Masking::Clear));
    }
    c.wait(30.0);
    let packet = c.count() as u64 + 1;
    c.client().frame(Frame::new(0xB, *b"?").masking(Masking::Clear));
    refuse(&mut c, By::Server, 1002);
    let connection = only(c);
    assert_eq!(connection["violations_total"], 102);
    let told = told(&connection);
    assert_eq!(told.len(), Limits::default().violations);
    assert!(told.windows(2).all(|pair| pair[0].2 <= pair[1].2), "in packet order");
    let last = told.last().expect("many");
    assert_eq!((&last.0[..], last.2), ("reserved_opcode", packet));
    let diagnosis = &connection["diagnosis"];
    assert_eq!((&diagnosis["rule"], &diagnosis["party"]), (&"violation-opcode".into(), &"client".into()));
}

// The rows of the feature table.

/// A headerless sink: what a program that uses the library sees of each frame.
#[derive(Default)]
struct Headers(Vec<(StreamOffset, FrameHeader)>);

impl EventSink for Headers {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Frame(frame) = event {
            self.0.push((frame.offset, frame.header));
        }
    }
}

#[test]
fn row_46_opcode_fin_rsv_and_length_of_each_frame() {
    let mut decoder = Decoder::new(DecoderConfig { sender: Side::Server, deflate: None });
    let (mut scratch, mut headers) = (Scratch::new(&Limits::default()), Headers::default());
    let at = Origin { packet: PacketNumber::new(1).expect("not 0"), time: None };
    let stream = [&[0x51, 0x02, b'o', b'k', 0x89, 0x00, 0x80, 0x7E, 0x01, 0x00][..], &[b'x'; 256]].concat();
    decoder.push(&mut scratch, StreamOffset(7), at, &stream, &mut headers);
    let seen: Vec<_> = headers
        .0
        .iter()
        .map(|(offset, h)| (offset.0, h.fin, h.rsv.bits(), h.opcode.value(), h.payload_len, h.header_len))
        .collect();
    assert_eq!(seen, [(7, false, 5, 1, 2, 2), (11, true, 0, 9, 0, 2), (13, true, 0, 0, 256, 4)]);

    let mut c = talk();
    c.connect().upgrade();
    c.client().message(opcode::TEXT, &[b"a", b"b", b"c"]).binary(b"d").ping(b"").close(1000, "");
    c.server().pong(b"").frame(Frame::new(0xB, "")).close(1000, "");
    let connection = only(c);
    let counts = |value: &Value| serde_json::from_value::<std::collections::BTreeMap<String, u64>>(value.clone());
    let expect = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(
        counts(&connection["frames"]["client"]).expect("counts"),
        expect(&[("text", 1), ("continuation", 2), ("binary", 1), ("ping", 1), ("close", 1)])
    );
    assert_eq!(
        counts(&connection["frames"]["server"]).expect("counts"),
        expect(&[("pong", 1), ("reserved", 1), ("close", 1)])
    );
}

#[test]
fn row_47_payload_is_unmasked_wherever_it_is_cut() {
    let text = "größer als 8 Byte, damit jeder Rest der Maske vorkommt";
    for key in [[0x37, 0xFA, 0x21, 0x3D], [0xFF; 4], CLEAR_KEY] {
        for mss in 1..=9 {
            let mut c = talk();
            c.connect().upgrade().mss(mss);
            c.client().frame(Frame::text(text).masking(Masking::Key(key)));
            c.client().frame(Frame::close(4001, "schön war’s").masking(Masking::Key(key)));
            let connection = only(c);
            assert_eq!(told(&connection), [], "{key:?} in segments of {mss}");
            assert_eq!(at_key(&connection, "close.client_frame.reason"), Some(&"schön war’s".into()));
        }
    }
}

#[test]
fn row_48_control_frames_between_fragments_belong_to_no_message() {
    let mut c = talk();
    c.connect().upgrade();
    // The euro sign is split by a Ping and by a Pong that hold bytes no text may have.
    c.client().frame(Frame::new(opcode::TEXT, *b"5 \xE2").fin(false)).ping(&[0xFF; 125]);
    c.client().frame(Frame::new(opcode::CONTINUATION, *b"\x82").fin(false)).pong(&[0xC0, 0x80]);
    c.client().frame(Frame::new(opcode::CONTINUATION, *b"").fin(false)).ping(b"");
    c.client().frame(Frame::new(opcode::CONTINUATION, *b"\xAC"));
    c.server().close(1009, "");
    c.client().close(1009, "");
    let connection = only(c);
    assert_eq!(told(&connection), []);
    assert_eq!(connection["messages"]["client"]["text"], 1);
    let evidence = connection["diagnosis"]["evidence"].to_string();
    assert!(evidence.contains("5 bytes") || evidence.contains("5 B"), "{evidence}");
}

#[test]
fn row_49_the_fragments_of_each_direction_are_its_own() {
    for server in ["10.0.0.1:8080", "10.0.0.2:8080"] {
        let mut c = Conversation::new("10.0.0.1:40000", server);
        c.connect().upgrade();
        let part = |fin, opcode, bytes: &[u8]| Frame::new(opcode, bytes).fin(fin);
        c.client().frame(part(false, opcode::TEXT, b"\xE2"));
        c.server().frame(part(false, opcode::BINARY, b"\xFF"));
        c.client().frame(part(false, opcode::CONTINUATION, b"\x82"));
        // No message of the server's is under way any more, but one of the client's is.
        c.server().frame(part(true, opcode::CONTINUATION, b"\xFE")).frame(part(true, opcode::CONTINUATION, b"?"));
        let fault = c.count() as u64 - 1;
        c.client().frame(part(true, opcode::CONTINUATION, b"\xAC"));
        c.client().close(1002, "");
        c.server().close(1002, "");
        let connection = only(c);
        let [violation] = &told(&connection)[..] else { panic!("{connection:#}") };
        assert_eq!((&violation.0[..], &violation.1[..]), ("unexpected_continuation", "server"));
        assert_eq!(violation.2, fault);
        assert_eq!(connection["messages"]["client"]["text"], 1);
        assert_eq!(connection["messages"]["server"]["binary"], 1);
    }
}

#[test]
fn row_50_lengths_of_64_bits_are_exact_and_judged() {
    // In step behind frames of more than 64 KiB.
    let mut c = talk();
    c.connect().upgrade();
    c.server().binary(&vec![0x81; 65_536]).binary(&vec![0x88; 70_001]).text("in step").close(1000, "");
    let connection = only(c);
    assert_eq!((told(&connection), &connection["messages"]["server"]["text"]), (vec![], &1.into()));

    // A length that no stream can have.
    for (claim, legal) in [((1 << 63) - 1, true), (1 << 63, false), (u64::MAX, false)] {
        let mut c = talk();
        c.connect().upgrade();
        c.server().frame(Frame::binary(b"start").length(Length::Claim(claim)));
        refuse(&mut c, By::Client, 1002);
        let connection = only(c);
        let expected = if legal { vec![] } else { vec!["bad_length_encoding"] };
        assert_eq!(rules(&connection), expected, "{claim}");
        if !legal {
            assert_eq!(at_key(&connection, "violations.0.detail"), Some(&format!("length {claim}").into()));
            assert_eq!(connection["diagnosis"]["cause"], "protocol_error");
        }
    }

    // A claim alone is enough to be too big.
    let mut c = talk();
    c.connect().upgrade();
    let header = c.count() as u64 + 1;
    c.client().frame(Frame::binary(b"start").length(Length::Claim((1 << 32) + 5)));
    c.server().close(1009, "");
    c.server().fin();
    let connection = only(c);
    let diagnosis = &connection["diagnosis"];
    assert_eq!((&diagnosis["cause"], &diagnosis["party"]), (&"message_too_big".into(), &"client".into()));
    let evidence = diagnosis["evidence"].as_array().expect("a list");
    let size = evidence.iter().find(|one| one["fact"] == "peer.last_size").expect("the size that was claimed");
    assert!(size.to_string().contains(&header.to_string()), "{size}");
    assert!(size["text"].as_str().expect("words").replace(',', "").contains("4294967301"), "{size}");
}

#[test]
fn row_52_the_message_that_crossed_the_limit_is_named() {
    let mut c = talk();
    c.connect().upgrade();
    c.client().text("small").binary(&[7; 3000]).text("small again");
    let packet = c.count() as u64 + 1;
    c.client().binary(&[7; 70_000]);
    let last = c.packets().iter().rposition(|packet| !packet.segment().payload.is_empty()).expect("it was sent") as u64;
    c.server().close(1009, "");
    c.client().close(1009, "");
    let connection = only(c);
    let facts = connection["diagnosis"]["evidence"].as_array().expect("a list");
    let fact = |name: &str| facts.iter().find(|one| one["fact"] == name).unwrap_or_else(|| panic!("{name}: {facts:?}"));
    let size = fact("peer.last_size");
    assert!(size["text"].as_str().expect("words").replace(',', "").contains("70000"), "{size}");
    let cited = size["packets"][0].as_u64().expect("a packet");
    assert!((packet..=last + 1).contains(&cited), "{size}");
}

#[test]
fn row_61_text_is_checked_to_the_byte_and_across_every_cut() {
    // Characters of each length, and noncharacters, in fragments and segments of one byte.
    let text = "aß€😀\u{FFFE}\u{FFFF}\u{10FFFF}\u{FDD0}\0";
    let mut c = talk();
    c.connect().upgrade().mss(1);
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    c.server().message(opcode::TEXT, &bytes).text(text).text("");
    c.client().message(opcode::TEXT, &bytes);
    c.server().close(1000, text);
    assert_eq!(told(&only(c)), []);

    for (bytes, offset, what) in [
        (&b"ok\xFFno"[..], 2, "byte 0xFF at offset 2: never used in UTF-8"),
        (b"\xC0\xAF", 0, "byte 0xC0 at offset 0: never used in UTF-8"),
        (b"a\x80", 1, "byte 0x80 at offset 1: a continuation byte where a character should begin"),
        (b"\xE0\x9F\xBF", 0, "byte 0xE0 at offset 0: with 0x9F a longer form than the character needs"),
        (b"\xCE\xBA\xED\xA0\x80", 2, "byte 0xED at offset 2: with 0xA0 a surrogate, half of a UTF-16 pair"),
        (b"\xF4\x90\x80\x80", 0, "byte 0xF4 at offset 0: with 0x90 beyond U+10FFFF"),
        (b"ab\xE2\x82c", 2, "byte 0xE2 at offset 2: a character that breaks off"),
        (b"abc\xE2\x82", 3, "text ends inside a character at offset 3"),
    ] {
        for mss in [1, 2, 1460] {
            let mut c = talk();
            c.connect().upgrade().mss(mss);
            c.client().message(opcode::TEXT, &[&bytes[..1], &bytes[1..]]);
            refuse(&mut c, By::Server, 1007);
            let connection = only(c);
            assert_eq!(rules(&connection), ["invalid_utf8_text"], "{bytes:02x?}");
            assert_eq!(at_key(&connection, "violations.0.detail"), Some(&what.into()), "{bytes:02x?} {offset}");
            assert_eq!(connection["diagnosis"]["cause"], "invalid_utf8");
        }
    }
}

/// The faults with these names that every test above walks through, as whole frames that the peer refuses: both sides.
fn both_sides(rule: &str, first: u8, payload: &[u8]) {
    for by in [By::Client, By::Server] {
        let mut c = talk();
        c.connect().upgrade();
        let packet = c.count() as u64 + 1;
        let key = (by == By::Client).then_some([9, 8, 7, 6]);
        let frame = Frame::new(first & 15, payload).fin(first & 0x80 != 0).rsv(first >> 4 & 7);
        c.side(by).bytes(&frame.encode(key));
        refuse(&mut c, by.other(), 1002);
        let connection = only(c);
        let [violation] = &told(&connection)[..] else { panic!("{rule}: {connection:#}") };
        assert_eq!((&violation.0[..], &violation.1[..], violation.2), (rule, name(by), packet));
        assert_eq!(connection["diagnosis"]["party"], name(by));
    }
}

#[test]
fn row_75_unmasked_clients_and_masked_servers_with_packet_and_side() {
    for (by, masking, rule) in [
        (By::Client, Masking::Clear, "unmasked_client_frame"),
        (By::Server, Masking::Key([1, 2, 3, 4]), "masked_server_frame"),
    ] {
        let mut c = talk();
        c.connect().upgrade();
        c.client().text("masked");
        c.server().text("clear");
        let packet = c.count() as u64 + 1;
        c.side(by).frame(Frame::text("the other way round").masking(masking));
        refuse(&mut c, by.other(), 1002);
        let connection = only(c);
        let [violation] = &told(&connection)[..] else { panic!("{connection:#}") };
        assert_eq!((&violation.0[..], &violation.1[..], violation.2), (rule, name(by), packet));
        assert_eq!(connection["diagnosis"]["confidence"], "certain");
        assert_eq!(connection["diagnosis"]["party"], name(by));
    }
}

#[test]
fn row_76_reserved_bits_alone_and_where_compression_forbids_them() {
    for (first, payload) in [(0xA1, &b"text"[..]), (0x92, b"\xFF"), (0xC1, b"\xFF\xFE"), (0xF9, b"")] {
        both_sides("rsv_nonzero", first, payload);
    }
    // RSV1 alone at the start of a message is how compression marks it; nothing else is.
    for (first, compressed) in [(0xC1, true), (0xC2, true), (0xA1, false), (0xF1, false), (0xC9, false), (0xE2, false)]
    {
        let mut c = talk();
        c.connect().upgrade();
        c.server().bytes(&[first, 0]);
        refuse(&mut c, By::Client, 1002);
        let rule = if compressed { "violation-compressed-unnegotiated" } else { "violation-rsv" };
        assert_eq!(only(c)["diagnosis"]["rule"], rule, "{first:02x}");
    }
    let listed = faults();
    for rule in ["rsv1_on_control", "rsv1_on_continuation"] {
        assert!(listed.iter().any(|fault| fault.rule == rule && fault.deflate));
    }
}

#[test]
fn row_77_every_reserved_opcode() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        both_sides("reserved_opcode", 0x80 | opcode, b"?");
    }
}

#[test]
fn row_78_control_frames_too_long_or_in_fragments() {
    for opcode in [9, 10] {
        both_sides("control_frame_too_long", 0x80 | opcode, &[b'p'; 126]);
        both_sides("control_frame_too_long", 0x80 | opcode, &[b'p'; 70_000]);
        both_sides("control_frame_fragmented", opcode, b"part");
    }
    let mut c = talk();
    c.connect().upgrade();
    c.client().ping(&[b'p'; 125]);
    c.server().pong(&[b'p'; 125]);
    c.client().close(1000, &"r".repeat(123));
    assert_eq!(told(&only(c)), []);
}

#[test]
fn row_79_continuations_of_nothing_and_messages_inside_messages() {
    both_sides("unexpected_continuation", 0x80, b"orphan");
    both_sides("unexpected_continuation", 0x00, b"orphan");
    for by in [By::Client, By::Server] {
        let mut c = talk();
        c.connect().upgrade();
        c.side(by).frame(Frame::text("begun").fin(false)).ping(b"");
        let packet = c.count() as u64 + 1;
        c.side(by).binary(b"in between");
        refuse(&mut c, by.other(), 1002);
        let connection = only(c);
        let [violation] = &told(&connection)[..] else { panic!("{connection:#}") };
        assert_eq!((&violation.0[..], &violation.1[..], violation.2), ("interleaved_data_frame", name(by), packet));
    }
}

#[test]
fn row_80_lengths_in_a_longer_form_than_needed() {
    for (len, length, legal) in [
        (0, Length::Bits16, false),
        (125, Length::Bits16, false),
        (126, Length::Bits16, true),
        (125, Length::Bits64, false),
        (65_535, Length::Bits16, true),
        (65_535, Length::Bits64, false),
        (65_536, Length::Bits64, true),
    ] {
        for by in [By::Client, By::Server] {
            let mut c = talk();
            c.connect().upgrade();
            c.side(by).frame(Frame::binary(&vec![1; len]).length(length)).text("in step");
            refuse(&mut c, by.other(), 1002);
            let connection = only(c);
            let expected = if legal { vec![] } else { vec!["bad_length_encoding"] };
            assert_eq!(rules(&connection), expected, "{len} in {length:?}");
            assert_eq!(connection["messages"][name(by)]["text"], 1);
        }
    }
}

#[test]
fn row_43_http_in_the_upgraded_stream_is_named() {
    for (by, bytes) in [
        (By::Server, &b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..]),
        (By::Server, b"HTTP/1.0 502 Bad Gateway\r\n\r\n"),
        (By::Client, b"GET /next HTTP/1.1\r\nHost: example.test\r\n\r\n"),
        (By::Client, b"POST /form HTTP/1.1\r\nHost: example.test\r\nContent-Length: 0\r\n\r\n"),
    ] {
        for deflate in [false, true] {
            for mss in [1, 3, 1460] {
                let mut c = talk();
                c.connect().upgrade_with(&if deflate { Upgrade::deflate("") } else { Upgrade::default() });
                c.client().text("hello");
                c.server().text("hello");
                let offset = sent(&c, by);
                c.mss(mss).side(by).bytes(bytes);
                c.mss(1460).side(by).fin();
                c.side(by.other()).fin();
                let connection = only(c);
                let [violation] = &told(&connection)[..] else { panic!("{connection:#}") };
                assert_eq!((&violation.0[..], &violation.1[..], violation.3), ("http_in_websocket", name(by), offset));
                assert_eq!(connection["diagnosis"]["party"], name(by), "{}", connection["diagnosis"]);
            }
        }
    }
}

// Legal oddities.

#[test]
fn legal_oddities_break_no_rule() {
    for deflate in [false, true] {
        for mss in [1, 7, 1460] {
            let mut c = talk();
            c.connect().upgrade_with(&if deflate { Upgrade::deflate("") } else { Upgrade::default() });
            c.mss(mss);
            for by in [By::Client, By::Server] {
                let part = |fin, opcode, bytes: &[u8]| Frame::new(opcode, bytes).fin(fin);
                c.side(by)
                    .frame(part(false, opcode::TEXT, b""))
                    .frame(part(false, opcode::CONTINUATION, b""))
                    .ping(&[0xFF; 125])
                    .frame(part(true, opcode::CONTINUATION, b""))
                    .frame(part(true, opcode::TEXT, b""))
                    .frame(part(true, opcode::BINARY, b""))
                    .pong(b"nobody asked")
                    .frame(Frame::binary(&[1; 126]))
                    .frame(Frame::binary(&vec![2; if mss == 1 { 200 } else { 65_536 }]))
                    .text("compressed, where that was agreed on")
                    .message(opcode::TEXT, &[b"in ", b"many ", b"fragments", b""]);
            }
            // A Close may come in the middle of a message.
            c.client().frame(Frame::text("begun").fin(false)).close(3000, "");
            c.server().close_empty();
            c.server().fin();
            c.client().fin();
            let connection = only(c);
            assert_eq!(told(&connection), [], "deflate {deflate}, segments of {mss}");
            assert_eq!(connection["violations_total"], 0);
        }
    }
}
