//! The opening handshake (RFC 6455 §4): each rule that a capture can show, broken and kept, and what is said of refusals.
//!
//! What must come out follows from how each conversation is written and from the RFC. Beside each fault stands a near
//! miss: the same picture as HTTP allows it.

mod common;
mod support;

use common::at_key;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Cursor;
use support::net::flags;
use support::{Acks, Capture, Conversation, Frame, Packet, Side, Upgrade, accept_for};
use wsdissect::capture::Reader;
use wsdissect::catalog::language::Language;
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::report::text::TextReport;
use wsdissect::{Analyzer, Options};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// One connection as the tool tells it.
struct Told {
    json: Value,
    text: String,
}

impl Told {
    fn of(talk: Conversation) -> Self {
        let mut all = Self::each(talk.into_packets());
        assert_eq!(all.len(), 1, "one connection is expected");
        all.remove(0)
    }

    /// All connections, in the order of their first packets.
    fn each(packets: Vec<Packet>) -> Vec<Self> {
        let mut capture = Capture::new();
        capture.extend(packets);
        let mut analyzer = Analyzer::new(Options::default());
        let mut reader = Reader::open(Cursor::new(capture.pcap())).expect("a capture");
        while let Some(packet) = reader.next_packet().expect("whole packets") {
            analyzer.packet(&packet);
        }
        analyzer.finish();
        let speaker = Speaker::new(Language::En);
        let mut all: Vec<Self> = std::iter::from_fn(|| analyzer.next_report())
            .map(|report| {
                let json = serde_json::to_value(ConnectionObject::new(&report, "capture", &speaker)).expect("JSON");
                let text = TextReport::new(&speaker, 4000).connection(&report);
                Self { json, text }
            })
            .collect();
        all.sort_by_key(|told| told.json["first_packet"].as_u64());
        all
    }

    #[track_caller]
    fn at(&self, key: &str) -> &Value {
        at_key(&self.json, key).unwrap_or_else(|| panic!("no {key} in {}", self.json))
    }

    fn rule(&self) -> &str {
        self.at("diagnosis.rule").as_str().expect("a rule")
    }

    /// Cause and party.
    fn verdict(&self) -> (&str, &str) {
        (self.at("diagnosis.cause").as_str().expect("a cause"), self.at("diagnosis.party").as_str().expect("a party"))
    }

    /// Every broken rule as `side rule: detail`.
    fn broken(&self) -> Vec<String> {
        let violations = self.at("violations").as_array().expect("a list");
        let word = |violation: &Value, key: &str| violation[key].as_str().expect("a word").to_owned();
        violations.iter().map(|v| format!("{} {}: {}", word(v, "side"), word(v, "rule"), word(v, "detail"))).collect()
    }

    #[track_caller]
    fn says(&self, part: &str) {
        assert!(self.text.contains(part), "{part:?} is not in\n{}", self.text);
    }
}

fn talk() -> Conversation {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect();
    talk
}

/// The lines of a plain request without those that begin like one of `without`.
fn request_without(without: &[&str]) -> String {
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let lines = [
        "GET /chat HTTP/1.1",
        "Host: example.test",
        "Upgrade: websocket",
        "Connection: Upgrade",
        &key,
        "Sec-WebSocket-Version: 13",
    ];
    let kept = lines.into_iter().filter(|line| !without.iter().any(|name| line.starts_with(name)));
    kept.collect::<Vec<_>>().join("\n")
}

fn request_with(lines: &str) -> String {
    format!("{}\n{lines}", request_without(&[]))
}

/// What a server answers to [`KEY`], with further lines.
fn accepted(lines: &str) -> String {
    format!("Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: {}\n{lines}", accept_for(KEY))
}

/// Request and 101, a message, and a closing handshake.
fn conversation(request: &str, response: &str) -> Told {
    let mut talk = talk();
    talk.request(request).respond(101, response, "");
    talk.client().text("hello");
    talk.client().close(1000, "");
    talk.server().close(1000, "").fin();
    talk.client().fin();
    Told::of(talk)
}

/// Request, 101, and a client that leaves at once.
fn left(request: &str, response: &str) -> Told {
    let mut talk = talk();
    talk.request(request).respond(101, response, "");
    talk.client().fin();
    talk.server().fin();
    Told::of(talk)
}

/// Request and refusal.
fn refused(request: &str, status: u16, headers: &str) -> Told {
    let mut talk = talk();
    talk.request(request).respond(status, headers, "");
    talk.server().fin();
    talk.client().fin();
    Told::of(talk)
}

#[test]
fn row_30_header_fields_are_told() {
    let told = conversation(
        &request_without(&[]).replace("/chat", "/chat?token=secret").replace(
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Version: 13\nSec-WebSocket-Protocol: v2.chat\nSec-WebSocket-Protocol: v1.chat\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        ),
        &accepted("Sec-WebSocket-Protocol: v1.chat"),
    );
    for (key, expected) in [
        ("handshake.outcome", Value::from("accepted")),
        ("handshake.status", 101.into()),
        ("handshake.host", "example.test".into()),
        ("handshake.path", "/chat?token=…".into()),
        ("handshake.subprotocols_offered", vec!["v2.chat", "v1.chat"].into()),
        ("handshake.subprotocol", "v1.chat".into()),
        ("handshake.extensions_offered", "permessage-deflate; client_max_window_bits".into()),
        ("handshake.extensions", Value::Null),
    ] {
        assert_eq!(told.at(key), &expected, "{key}");
    }
    assert!(!told.json.to_string().contains("secret") && !told.text.contains("secret"));
}

#[test]
fn row_31_the_accept_is_verified() {
    let told = left(&request_without(&[]), &accepted("").replace(&accept_for(KEY), &accept_for("another key")));
    assert_eq!((told.rule(), told.at("handshake.outcome")), ("accept-wrong", &"failed".into()));
    let expected = format!("server bad_accept: {} instead of {}", accept_for("another key"), accept_for(KEY));
    assert_eq!(told.broken(), [expected]);
    assert_eq!(told.at("violations.0.reference"), "RFC 6455 §4.1");
    // White space around it does not count.
    let told = conversation(&request_without(&[]), &accepted("").replace("Accept: ", "Accept:    "));
    assert_eq!(told.broken(), [""; 0]);
}

#[test]
fn row_32_missing_and_repeated_fields_are_named() {
    for (without, expected) in [
        ("Sec-WebSocket-Key", "client bad_key: no Sec-WebSocket-Key"),
        ("Sec-WebSocket-Version", "client bad_version: no Sec-WebSocket-Version"),
        ("Host", "client bad_host: no Host"),
        ("Upgrade", "client missing_upgrade_token: no Upgrade"),
        ("Connection", "client missing_upgrade_token: no Connection"),
    ] {
        assert_eq!(refused(&request_without(&[without]), 400, "").broken(), [expected]);
    }
    for (again, expected) in [
        (format!("Sec-WebSocket-Key: {KEY}"), "client bad_key: several Sec-WebSocket-Key fields"),
        ("Sec-WebSocket-Version: 13".to_owned(), "client bad_version: 13, 13"),
        ("Host: example.test".to_owned(), "client bad_host: 2 Host fields"),
    ] {
        assert_eq!(refused(&request_with(&again), 400, "").broken(), [expected]);
    }
    let told = left(&request_without(&[]), "Upgrade: websocket\nConnection: Upgrade");
    assert_eq!((told.rule(), told.broken()), ("accept-missing", vec!["server missing_accept: ".to_owned()]));
    let twice = format!("Sec-WebSocket-Accept: {}", accept_for(KEY));
    let told = left(&request_without(&[]), &accepted(&twice));
    assert_eq!(told.broken(), ["server bad_accept: 2 Sec-WebSocket-Accept fields"]);
}

#[test]
fn row_32_a_server_that_accepts_what_it_must_refuse_is_named() {
    let told = conversation(&request_without(&["Sec-WebSocket-Version", "Host"]), &accepted(""));
    assert_eq!(
        told.broken(),
        [
            "client bad_host: no Host",
            "client bad_version: no Sec-WebSocket-Version",
            "server invalid_request_accepted: no Host, no Sec-WebSocket-Version",
        ]
    );
    assert_eq!(told.at("violations.2.reference"), "RFC 6455 §4.2.1");
    // A server may yet speak another version (RFC 6455 §4.4).
    let told = conversation(&request_without(&[]).replace("Version: 13", "Version: 8"), &accepted(""));
    assert_eq!(told.broken(), ["client bad_version: 8"]);
}

#[test]
fn row_32_faults_of_a_request_without_an_answer_are_told() {
    let mut talk = talk();
    talk.request(&request_without(&["Host"]));
    talk.server().fin();
    talk.client().fin();
    assert_eq!(Told::of(talk).broken(), ["client bad_host: no Host"]);
}

#[test]
fn row_33_a_key_of_15_bytes_is_a_finding() {
    // Base64 of 15 and of 17 bytes, and of 16 bytes.
    for (key, is_bad) in
        [("MTIzNDU2Nzg5MDEyMzQ1", true), ("MTIzNDU2Nzg5MDEyMzQ1Njc=", true), ("MTIzNDU2Nzg5MDEyMzQ1Ng==", false)]
    {
        let told = refused(&request_without(&[]).replace(KEY, key), 400, "");
        let expected = if is_bad { vec![format!("client bad_key: {key}")] } else { Vec::new() };
        assert_eq!(told.broken(), expected);
    }
}

#[test]
fn row_34_a_426_with_a_list_says_what_the_client_speaks_and_the_server_wants() {
    let told = refused(&request_without(&[]).replace("Version: 13", "Version: 8"), 426, "Sec-WebSocket-Version: 13");
    assert_eq!((told.rule(), told.verdict()), ("version-mismatch", ("version_mismatch", "client")));
    told.says("The client speaks WebSocket version 8, the server wants 13");
    assert_eq!(told.broken(), ["client bad_version: 8"]);

    let told = refused(&request_without(&[]), 426, "Sec-WebSocket-Version: 8\nSec-WebSocket-Version: 7");
    assert_eq!((told.rule(), told.verdict()), ("version-13-not-spoken", ("version_mismatch", "server")));
    told.says("The client speaks version 13, the server wants 8, 7");
    assert_eq!(told.broken(), [""; 0]);

    // The same version in the list: then it is not the version.
    let told = refused(&request_without(&[]), 426, "Sec-WebSocket-Version: 13");
    assert_eq!(told.rule(), "upgrade-stripped-behind");
}

#[test]
fn row_34_a_426_without_a_list_breaks_a_rule_itself() {
    let told = refused(&request_without(&[]).replace("Version: 13", "Version: 8"), 426, "");
    assert_eq!(told.broken(), ["client bad_version: 8", "server missing_version_list: 426 to version 8"]);
    assert_eq!(told.at("violations.1.reference"), "RFC 6455 §4.2.2");
    assert_eq!(told.rule(), "version-mismatch");
    told.says("The client speaks WebSocket version 8");
}

#[test]
fn row_35_each_failure_status_has_its_own_cause_and_fix() {
    let statuses = [200, 301, 400, 401, 403, 404, 426, 429, 502, 503, 504];
    let mut told = BTreeSet::new();
    let mut fixes = BTreeSet::new();
    for status in statuses {
        let refusal = refused(&request_with("Origin: http://example.test"), status, "");
        assert_eq!(refusal.at("handshake.status"), status);
        assert_eq!(refusal.broken(), [""; 0], "{status}");
        assert!(refusal.at("diagnosis.explanation").as_str().is_some_and(|text| text.contains(&status.to_string())));
        told.insert((refusal.rule().to_owned(), refusal.at("diagnosis.explanation").to_string()));
        fixes.insert(refusal.at("diagnosis.fixes").to_string());
    }
    assert_eq!((told.len(), fixes.len()), (statuses.len(), statuses.len()), "{told:#?}\n{fixes:#?}");
}

/// What a client asks of a proxy, what that makes of it, and the refusal on both sides.
fn through_proxy(passed_on: &str) -> Vec<Told> {
    let mut front = talk();
    front.request(&request_without(&[]));
    let mut back = Conversation::new("10.0.0.2:50000", "10.0.0.3:8080");
    back.at(front.now()).connect();
    back.request(passed_on).respond(426, "", "");
    let later = back.now();
    let mut packets = front.packets().to_vec();
    packets.extend(back.into_packets());
    let before = front.count();
    front.at(later).respond(426, "", "");
    front.server().fin();
    packets.extend(front.into_packets().into_iter().skip(before));
    Told::each(packets)
}

#[test]
fn row_36_a_proxy_that_removed_the_upgrade_is_named() {
    let passed_on = request_without(&["Upgrade", "Connection"]).replace("HTTP/1.1", "HTTP/1.0");
    let both = through_proxy(&format!("{passed_on}\nConnection: close"));
    let [front, back] = &both[..] else { panic!("{} connections", both.len()) };
    assert_eq!((back.rule(), back.verdict()), ("upgrade-removed-at-hop", ("upgrade_stripped", "proxy")));
    assert_eq!(back.at("diagnosis.confidence"), "certain");
    back.says("The proxy removed it: the same request reached 10.0.0.2:80 (tcp.stream == 0) with “Upgrade: websocket”");
    back.says("as HTTP/1.0");
    assert_eq!(
        back.broken(),
        [
            "client bad_http_version: HTTP/1.0",
            "client missing_upgrade_token: no Upgrade",
            "client missing_upgrade_token: Connection: close",
        ]
    );
    assert_eq!((front.rule(), front.verdict()), ("upgrade-removed-behind", ("upgrade_stripped", "proxy")));
    front.says("the proxy passed it on without to 10.0.0.3:8080 (tcp.stream == 1)");
    assert_eq!(front.broken(), [""; 0]);
}

#[test]
fn row_36_a_proxy_that_passes_the_upgrade_on_is_not_blamed() {
    let both = through_proxy(&request_without(&[]));
    for told in &both {
        assert_eq!(told.rule(), "upgrade-stripped-behind", "what is behind the capture may have lost it");
        assert!(!told.text.contains("tcp.stream == 0)"), "{}", told.text);
    }
}

#[test]
fn row_36_another_request_with_the_same_key_is_no_second_leg() {
    let mut first = talk();
    first.request(&request_without(&[])).respond(404, "", "");
    first.server().fin();
    let mut second = Conversation::new("10.0.0.2:50000", "10.0.0.3:8080");
    second.at(first.now()).connect();
    second.request(&request_without(&["Upgrade", "Connection"])).respond(426, "", "");
    let mut packets = first.into_packets();
    packets.extend(second.into_packets());
    let both = Told::each(packets);
    assert_eq!(both[0].rule(), "handshake-404");
    assert_eq!(both[1].rule(), "upgrade-stripped", "of what came before, nothing is known");
}

#[test]
fn row_36_the_back_alone_says_what_is_missing() {
    let told = refused(&request_without(&["Upgrade", "Connection"]), 400, "");
    assert_eq!((told.rule(), told.verdict()), ("upgrade-stripped", ("upgrade_stripped", "proxy")));
    told.says("no “Upgrade: websocket”: a proxy before this point dropped it");
}

#[test]
fn row_37_http_1_0_with_an_upgrade_names_the_setting_of_the_proxy() {
    for connection in ["Connection: Upgrade", "Connection: close"] {
        let request = request_without(&["Connection"]).replace("HTTP/1.1", "HTTP/1.0");
        let told = refused(&format!("{request}\n{connection}"), 400, "");
        assert_eq!((told.rule(), told.verdict()), ("upgrade-in-http-1-0", ("upgrade_stripped", "proxy")));
        told.says("came as HTTP/1.0");
        told.says("proxy_http_version 1.1");
        assert_eq!(told.broken()[0], "client bad_http_version: HTTP/1.0");
        assert_eq!(told.at("violations.0.reference"), "RFC 6455 §4.1");
    }
}

#[test]
fn row_37_a_101_in_http_1_0_is_named() {
    let mut talk = talk();
    talk.request(&request_without(&[]));
    talk.server()
        .bytes(format!("HTTP/1.0 101 Switching Protocols\r\n{}\r\n", accepted("").replace('\n', "\r\n")).as_bytes());
    talk.client().text("hello");
    assert_eq!(Told::of(talk).broken(), ["server bad_http_version: HTTP/1.0"]);
}

#[test]
fn row_38_a_subprotocol_that_was_not_offered_is_found_with_offer_and_choice() {
    let offer = request_with("Sec-WebSocket-Protocol: chat, superchat");
    let told = left(&offer, &accepted("Sec-WebSocket-Protocol: news"));
    assert_eq!((told.rule(), told.verdict()), ("subprotocol-not-offered", ("subprotocol_mismatch", "server")));
    assert_eq!(told.broken(), ["server unrequested_subprotocol: news; offered: chat, superchat"]);
    told.says("chooses a subprotocol, news, that the client did not offer (it offered chat, superchat)");

    let told = left(&request_without(&[]), &accepted("Sec-WebSocket-Protocol: chat"));
    assert_eq!(told.broken(), ["server unrequested_subprotocol: chat; none was offered"]);
    let told = left(&offer, &accepted("Sec-WebSocket-Protocol: chat, superchat"));
    assert_eq!(told.broken(), ["server unrequested_subprotocol: superchat as choice 2, where one is allowed"]);
    let told = left(&offer, &accepted("Sec-WebSocket-Protocol:"));
    assert_eq!(told.broken(), ["server unrequested_subprotocol: an empty choice"]);
    // Names are compared with their case (RFC 6455 §11.3.4 has plain tokens).
    let told = left(&offer, &accepted("Sec-WebSocket-Protocol: Chat"));
    assert_eq!(told.broken(), ["server unrequested_subprotocol: Chat; offered: chat, superchat"]);
    let told = conversation(&offer, &accepted("Sec-WebSocket-Protocol: superchat"));
    assert_eq!(told.broken(), [""; 0]);
}

#[test]
fn row_38_an_offer_that_is_no_list_of_names_is_the_clients() {
    for (offer, fault) in [("chat, chat", "chat twice"), ("", "empty"), ("a b", "“a b” is not a token")] {
        let told = conversation(&request_with(&format!("Sec-WebSocket-Protocol: {offer}")), &accepted(""));
        assert_eq!(told.broken(), [format!("client bad_subprotocol_offer: {fault}")]);
    }
}

#[test]
fn row_39_window_parameter_and_extension_are_three_findings() {
    let told = left(
        &request_with("Sec-WebSocket-Extensions: permessage-deflate"),
        &accepted("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7; level=9, x-other"),
    );
    assert_eq!((told.rule(), told.verdict()), ("extension-not-offered", ("extension_mismatch", "server")));
    assert_eq!(
        told.broken(),
        [
            "server unrequested_extension: x-other; offered: permessage-deflate",
            "server extension_parameter_invalid: server_max_window_bits=7 is not a number from 8 to 15",
            "server extension_parameter_invalid: unknown parameter level=9",
        ]
    );
    assert_eq!(told.at("violations.0.reference"), "RFC 6455 §4.1");
    assert_eq!(told.at("violations.1.reference"), "RFC 7692 §7.1");
}

#[test]
fn row_39_answers_are_held_to_the_offer() {
    for (offer, answer, fault) in [
        ("", "server_no_context_takeover; server_no_context_takeover", "server_no_context_takeover twice"),
        ("", "client_no_context_takeover=1", "client_no_context_takeover=1, which takes no value"),
        ("", "server_max_window_bits", "server_max_window_bits without a value"),
        ("", "client_max_window_bits=10", "client_max_window_bits=10 was not offered"),
        ("; client_max_window_bits", "client_max_window_bits", "client_max_window_bits without a value"),
        (
            "; server_max_window_bits=10",
            "server_max_window_bits=11",
            "server_max_window_bits=11 where at most 10 was asked for",
        ),
    ] {
        let told = left(
            &request_with(&format!("Sec-WebSocket-Extensions: permessage-deflate{offer}")),
            &accepted(&format!("Sec-WebSocket-Extensions: permessage-deflate; {answer}")),
        );
        assert_eq!(told.broken(), [format!("server extension_parameter_invalid: {fault}")]);
    }
    for (offer, answer) in [
        ("", "; server_no_context_takeover; client_no_context_takeover"),
        ("", "; server_max_window_bits=8"),
        ("; client_max_window_bits", ""),
        ("; client_max_window_bits=9", "; client_max_window_bits=15"),
        ("; server_max_window_bits=12, permessage-deflate", ""),
        ("; client_max_window_bits, permessage-deflate, x-webkit-deflate-frame", "; client_max_window_bits=\"12\""),
    ] {
        let told = left(
            &request_with(&format!("Sec-WebSocket-Extensions: permessage-deflate{offer}")),
            &accepted(&format!("Sec-WebSocket-Extensions: permessage-deflate{answer}")),
        );
        assert_eq!((told.broken(), told.at("handshake.outcome")), (vec![], &"accepted".into()), "{offer} / {answer}");
    }
}

#[test]
fn row_39_a_header_that_breaks_the_grammar_is_named() {
    let told = left(
        &request_with("Sec-WebSocket-Extensions: x-a"),
        &accepted("Sec-WebSocket-Extensions: x-a;;\nSec-WebSocket-Extensions: x-a"),
    );
    assert_eq!(
        told.broken(),
        ["server repeated_extensions_field: 2 fields", "server bad_extensions_field: does not parse: x-a;;"]
    );
    assert_eq!(told.at("violations.0.reference"), "RFC 6455 §11.3.2");
    assert_eq!(told.at("violations.1.reference"), "RFC 6455 §9.1");
    let told =
        refused(&request_with("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99"), 400, "");
    let fault = "server_max_window_bits=99 is not a number from 8 to 15";
    assert_eq!(told.broken(), [format!("client extension_parameter_invalid: {fault}")]);
}

/// A client that sends a frame behind its request; the 101 comes `seconds` later.
fn hasty(seconds: f64) -> Conversation {
    let mut talk = talk();
    talk.request(&request_without(&[]));
    talk.client().text("too early");
    talk.wait(seconds).respond(101, &accepted(""), "");
    talk
}

#[test]
fn row_40_an_early_client_frame_is_flagged_with_its_distance_to_the_101() {
    let mut talk = hasty(0.25);
    talk.server().close(1002, "").fin();
    talk.client().fin();
    let told = Told::of(talk);
    // From the frame to the 101: its own ACK, 100 µs each, and the pause.
    assert_eq!(told.broken(), ["client frame_before_101: 250.200 ms before the 101"]);
    assert_eq!(told.at("violations.0.packet"), 6);
    assert_eq!(told.at("messages.client.text"), 1, "the frame is read all the same");
    assert_eq!((told.rule(), told.verdict()), ("violation-frame-before-101", ("protocol_error", "client")));
}

#[test]
fn row_40_what_was_recorded_first_need_not_have_been_sent_first() {
    // The client answers the 101 at once, and the capture swaps the two: its ACK shows that it had the 101.
    let mut talk = talk();
    talk.request(&request_without(&[])).acks(Acks::Never).respond(101, &accepted(""), "");
    let response = talk.count() - 1;
    talk.client().text("in time");
    let packets = talk.packets_mut();
    packets.swap(response, response + 1);
    assert_eq!(Told::of(talk).broken(), [""; 0]);

    // And the other way round: a frame that was recorded behind the 101 and does not acknowledge it.
    let mut crossing = self::talk();
    crossing.request(&request_without(&[])).acks(Acks::Never).respond(101, &accepted(""), "");
    let before = crossing.packets()[3].segment().ack;
    crossing.wait(0.005).client().text("crossing");
    crossing.packets_mut().last_mut().expect("the frame").segment_mut().ack = before;
    let told = Told::of(crossing);
    assert_eq!(told.broken(), ["client frame_before_101: before the 101 had arrived, recorded 5.100 ms after it"]);
}

#[test]
fn row_40_early_frames_without_a_101() {
    let frame = |talk: &mut Conversation| {
        talk.request(&request_without(&[]));
        talk.client().text("too early");
    };
    let mut dropped = talk();
    frame(&mut dropped);
    dropped.server().fin();
    dropped.client().fin();
    let told = Told::of(dropped);
    assert_eq!(
        (told.rule(), told.broken()[0].as_str()),
        ("early-frames-dropped", "client frame_before_101: no response came")
    );

    let mut refused = talk();
    frame(&mut refused);
    refused.respond(400, "", "").server().fin();
    let told = Told::of(refused);
    assert_eq!(
        (told.rule(), told.broken()[0].as_str()),
        ("early-frames-refused", "client frame_before_101: 0.200 ms before the 400")
    );

    // The next request behind one that is refused is HTTP as it should be.
    let mut pipelined = talk();
    pipelined.request(&request_without(&[])).request("GET /next HTTP/1.1\nHost: example.test");
    pipelined.respond(400, "", "").respond(200, "", "");
    pipelined.server().fin();
    assert_eq!(Told::of(pipelined).broken(), [""; 0]);

    // Where bytes of the server are missing, its 101 may be among them.
    let mut holed = talk();
    holed.request(&request_without(&[]));
    holed.server().lost(&[0; 129]);
    holed.client().text("hello");
    holed.server().text("hello").close(1000, "");
    holed.client().close(1000, "");
    assert_eq!(Told::of(holed).broken(), [""; 0]);
}

#[test]
fn row_40_server_frames_before_the_101_are_flagged() {
    let mut talk = talk();
    talk.request(&request_without(&[]));
    talk.server().text("welcome");
    talk.respond(101, &accepted(""), "");
    talk.client().fin();
    talk.server().fin();
    let told = Told::of(talk);
    assert_eq!(told.broken(), ["server frame_before_101: 0.200 ms before the 101"]);
    assert_eq!(told.at("violations.0.packet"), 6);
    assert_eq!((told.rule(), told.verdict()), ("server-frames-before-101", ("protocol_error", "server")));

    // In one segment with the 101, and without one.
    let mut together = self::talk();
    together.request(&request_without(&[]));
    together.server().hold().text("welcome");
    together.respond(101, &accepted(""), "").server().release();
    together.client().fin();
    assert_eq!(Told::of(together).broken(), ["server frame_before_101: 0.000 ms before the 101"]);
    let mut alone = self::talk();
    alone.request(&request_without(&[]));
    alone.server().text("welcome").fin();
    alone.client().fin();
    assert_eq!(Told::of(alone).broken(), ["server frame_before_101: no response came"]);
    // Another protocol on that port.
    let mut other = self::talk();
    other.request(&request_without(&[]));
    other.server().bytes(b"SSH-2.0-OpenSSH_9.2\r\n").fin();
    other.client().fin();
    let told = Told::of(other);
    assert_eq!((told.rule(), told.broken()), ("answer-not-http", vec![]));
}

#[test]
fn row_41_frames_in_one_segment_with_the_101_are_read() {
    let mut talk = talk();
    talk.request(&request_without(&[]));
    talk.server().hold();
    talk.respond(101, &accepted(""), "");
    talk.server().text("welcome").close(1008, "no").release().fin();
    talk.client().close(1008, "").fin();
    let told = Told::of(talk);
    assert_eq!(told.broken(), [""; 0]);
    assert_eq!(told.at("messages.server.text"), 1);
    assert_eq!((told.at("close.code"), told.at("close.reason")), (&1008.into(), &"no".into()));
}

#[test]
fn row_43_http_inside_the_websocket_stream_is_named_with_its_status() {
    let mut talk = talk();
    talk.upgrade();
    talk.client().text("hello");
    talk.server().bytes(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    talk.client().close(1002, "");
    talk.client().fin();
    talk.server().fin();
    let told = Told::of(talk);
    assert_eq!(told.broken(), ["server http_in_websocket: HTTP 400 response"]);
    assert_eq!(told.rule(), "violation-http-in-stream");
    told.says("The server wrote an HTTP 400 response into an upgraded connection");

    // The server that wrote it closes TCP itself; and text about HTTP is text.
    let mut own = self::talk();
    own.upgrade();
    own.server().text("HTTP/1.1 400 Bad Request").bytes(b"HTTP/1.1 500 Internal Server Error\r\n\r\n").fin();
    own.client().fin();
    let told = Told::of(own);
    assert_eq!(told.broken(), ["server http_in_websocket: HTTP 500 response"]);
    told.says("The server wrote an HTTP 500 response into an upgraded connection");
}

#[test]
fn row_44_redirects_and_challenges_say_that_browsers_cannot_follow() {
    let told = refused(&request_without(&[]), 301, "Location: https://example.test/chat/");
    assert_eq!(told.rule(), "handshake-redirect");
    told.says("Browser clients cannot follow a redirect on a WebSocket handshake");
    told.says("https://example.test/chat/");
    let told = refused(&request_without(&[]), 401, "WWW-Authenticate: Basic realm=\"x\"");
    assert_eq!(told.rule(), "handshake-401");
    told.says("Browser clients cannot answer a challenge on a WebSocket handshake");
    told.says("Basic");
}

#[test]
fn row_45_each_step_of_the_opening_is_timed() {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    // SYN, then the SYN-ACK and the ACK each 30 ms later.
    talk.step(30_000_000).connect();
    // The request, its ACK 1 ms later, and the 101 after half a second.
    talk.step(1_000_000).request(&request_without(&[]));
    talk.wait(0.498).respond(101, &accepted(""), "");
    talk.client().close(1000, "");
    talk.server().close(1000, "").fin();
    let told = Told::of(talk);
    let near = |key: &str, expected: f64| {
        let seconds = told.at(key).as_f64().unwrap_or_else(|| panic!("{key}: {}", told.at(key)));
        assert!((seconds - expected).abs() < 1e-5, "{key} is {seconds}");
    };
    near("handshake.timing.tcp_s", 0.030);
    near("handshake.timing.answer_s", 0.500);
    assert_eq!(told.at("handshake.timing.tls_s"), &Value::Null);
    told.says("TCP 0.030 s   answer to the upgrade 0.500 s");
}

#[test]
fn row_45_what_was_not_recorded_is_not_timed() {
    let mut talk = talk();
    talk.upgrade();
    talk.client().close(1000, "");
    let late: Vec<Packet> = talk.packets()[3..].to_vec();
    let told = Told::each(late).remove(0);
    assert_eq!(told.at("handshake.timing.tcp_s"), &serde_json::json!({ "unknown": "not_captured" }));
    assert!(told.at("handshake.timing.answer_s").is_number());
}

#[test]
fn row_45_the_tls_part_is_told_apart() {
    // tshark: ClientHello in packet 4 at 3.601 ms, the client's Finished in packet 8 at 6.287 ms.
    let case = common::case::Case::named("tls/client-certificate-missing");
    let analysis = common::analyse(case.open()).expect("a capture");
    let tls = at_key(&analysis.connections[0], "handshake.timing.tls_s").and_then(Value::as_f64);
    assert!(tls.is_some_and(|tls| (tls - 0.002_686).abs() < 1e-5), "{tls:?}");
}

#[test]
fn legal_oddities_break_nothing() {
    let names_in_lower_case = request_without(&[]).to_lowercase().replace("get", "GET").replace("http", "HTTP");
    let names_in_lower_case = names_in_lower_case.replace(&KEY.to_lowercase(), KEY);
    for request in [
        names_in_lower_case.as_str(),
        &request_without(&["Connection"]).replace("Upgrade:", "Connection: keep-alive, Upgrade\nUpgrade:"),
        &request_without(&["Connection"]).replace("Upgrade:", "Connection: keep-alive\nConnection: UPGRADE\nUpgrade:"),
        &request_without(&["Upgrade: "])
            .replace("Connection", "Upgrade: h2c\nUpgrade: WebSocket/13, websocket\nConnection"),
        &request_with("X-Custom: 1\nCookie: a=b\nCache-Control: no-cache\nContent-Length: 0"),
        &request_with("Sec-WebSocket-Protocol: chat, superchat\nSec-WebSocket-Protocol: Chat"),
        &request_with("Sec-WebSocket-Protocol: ,chat,, superchat ,"),
        &request_with(
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, permessage-deflate",
        ),
        &request_with("Sec-WebSocket-Extensions: x-foo; a=\"b\"; c, x-webkit-deflate-frame"),
        &request_with("Origin: https://elsewhere.test\nSec-Fetch-Mode: websocket"),
        &request_without(&[]).replace("/chat", "http://example.test/chat"),
        &request_without(&["Host"]).replace("Upgrade:", "Host: [2001:db8::1]:8080\nUpgrade:"),
    ] {
        let told = conversation(request, &accepted(""));
        assert_eq!((told.broken(), told.at("handshake.outcome")), (vec![], &"accepted".into()), "{request}");
    }
    for response in [
        accepted("").replace("websocket", "WebSocket").replace(": Upgrade", ": upgrade"),
        accepted("").replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        accepted("Server: x\nDate: today\nSet-Cookie: a=b\nSec-WebSocket-Version: 13"),
        accepted("").replace("Connection: Upgrade", "connection: Upgrade\nConnection: keep-alive"),
    ] {
        let told = conversation(&request_without(&[]), &response);
        assert_eq!((told.broken(), told.at("handshake.outcome")), (vec![], &"accepted".into()), "{response}");
    }
}

#[test]
fn an_upgrade_inside_a_tunnel_of_a_forward_proxy_is_read() {
    let mut talk = talk();
    talk.request("CONNECT example.test:80 HTTP/1.1\nHost: example.test:80");
    talk.server().bytes(b"HTTP/1.1 200 Connection established\r\n\r\n");
    talk.request(&request_without(&[])).respond(101, &accepted(""), "");
    talk.client().text("hello").close(1000, "");
    talk.server().close(1000, "").fin();
    let told = Told::of(talk);
    assert_eq!((told.at("handshake.status"), told.broken()), (&101.into(), vec![]));
    assert_eq!(told.at("close.code"), 1000);
}

#[test]
fn a_method_other_than_get_is_named() {
    let told = refused(&request_without(&[]).replace("GET", "POST"), 405, "");
    assert_eq!(told.broken(), ["client bad_method: POST"]);
    assert_eq!(told.at("violations.0.reference"), "RFC 6455 §4.1");
}

#[test]
fn tokens_that_a_101_lacks_are_named() {
    for (response, expected) in [
        (accepted("").replace("Upgrade: websocket\n", ""), "server missing_upgrade_token: no Upgrade"),
        (accepted("").replace("Upgrade: websocket", "Upgrade: h2c"), "server missing_upgrade_token: Upgrade: h2c"),
        (
            accepted("").replace("Connection: Upgrade", "Connection: keep-alive"),
            "server missing_upgrade_token: Connection: keep-alive",
        ),
    ] {
        let told = left(&request_without(&[]), &response);
        assert_eq!((told.rule(), told.broken()), ("response-upgrade-stripped", vec![expected.to_owned()]));
    }
}

#[test]
fn faults_of_a_101_without_its_request_are_told_as_far_as_they_go() {
    let mut talk = talk();
    talk.request(&request_without(&[])).respond(101, "Upgrade: websocket\nConnection: Upgrade", "");
    talk.server().text("hello").close(1000, "");
    talk.client().close(1000, "");
    let from_response: Vec<Packet> = talk.packets()[5..].to_vec();
    assert!(from_response[0].segment().has(flags::ACK));
    let told = Told::each(from_response).remove(0);
    assert_eq!(told.broken(), ["server missing_accept: "]);
}

#[test]
fn an_early_frame_does_not_hide_the_fault_that_ended_the_connection() {
    let mut talk = hasty(0.01);
    talk.wait(60.0).client().frame(Frame::new(support::frames::opcode::TEXT, [0xff, 0xfe]));
    talk.server().close(1007, "").fin();
    talk.client().fin();
    let told = Told::of(talk);
    assert_eq!((told.rule(), told.verdict().0), ("close-1007-invalid", "invalid_utf8"));
    assert_eq!(told.broken().len(), 2);
}

#[test]
fn an_early_frame_that_nobody_minded_is_no_cause() {
    let mut talk = hasty(0.01);
    talk.wait(5.0);
    talk.server().close(1000, "");
    talk.client().close(1000, "");
    talk.server().fin();
    talk.client().fin();
    let told = Told::of(talk);
    assert_eq!(told.verdict().0, "normal");
    assert_eq!(told.broken().len(), 1);
}

#[test]
fn a_request_with_its_first_frame_in_one_segment_is_early() {
    let mut talk = talk();
    talk.client().hold();
    talk.request(&request_without(&[]));
    talk.client().text("too early").release();
    talk.respond(101, &accepted(""), "");
    assert_eq!(Told::of(talk).broken(), ["client frame_before_101: 0.200 ms before the 101"]);
}

#[test]
fn the_plain_upgrade_of_the_test_support_is_legal() {
    let mut talk = talk();
    talk.upgrade_with(&Upgrade::deflate("; server_no_context_takeover"));
    talk.side(Side::Client).text("hello");
    assert_eq!(Told::of(talk).broken(), [""; 0]);
}
