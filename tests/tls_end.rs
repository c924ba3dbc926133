//! How TLS ends under a WebSocket that was decrypted, and that a conversation inside TLS is judged as it is without.
//!
//! What is plain here was recorded or written plain; `support::tls` puts the same conversation into TLS 1.3.

mod common;
mod support;

use common::case::Case;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use support::net::flags;
use support::tls::{Ending, wrap};
use support::{Acks, Capture, Conversation, Packet, Segment, Side, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::catalog::language::Language;
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::{Analyzer, Options};

/// The JSON objects of all connections by their TCP stream.
fn analyse(capture: &[u8], keys: &str) -> BTreeMap<u64, Value> {
    let speaker = Speaker::new(Language::En);
    let mut reader = Reader::open(capture).unwrap();
    let mut options = Options::default();
    options.keys.add(keys.as_bytes(), &options.limits);
    let mut analyzer = Analyzer::new(options);
    while let Some(packet) = reader.next_packet().unwrap() {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    std::iter::from_fn(|| analyzer.next_report())
        .map(|report| serde_json::to_value(ConnectionObject::new(&report, "capture", &speaker)).unwrap())
        .map(|connection| (connection["stream"].as_u64().unwrap(), connection))
        .collect()
}

/// A recorded case of `fixtures/tls-keys` with its keys.
fn recorded(case: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls-keys").join(case);
    let keys = fs::read_to_string(root.join("keys.log")).unwrap();
    analyse(&fs::read(root.join("capture.pcap")).unwrap(), &keys).remove(&0).unwrap()
}

/// The only connection of a conversation inside TLS.
fn in_tls(conversation: &Conversation, ending: Ending, records: usize) -> Value {
    let wrapped = wrap(conversation.packets(), ending, records, &[]).expect("written in order");
    let connections = analyse(&Capture::new().extend(wrapped.packets).pcap(), &wrapped.keys);
    assert_eq!(connections.len(), 1);
    connections.into_values().next().unwrap()
}

fn plain(conversation: &Conversation) -> Value {
    analyse(&Capture::new().extend(conversation.packets().to_vec()).pcap(), "").remove(&0).unwrap()
}

fn open() -> Conversation {
    let mut conversation = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    conversation.acks(Acks::PerWrite).connect();
    conversation.upgrade();
    conversation
}

fn talked() -> Conversation {
    let mut conversation = open();
    conversation.client().text("question");
    conversation.server().text("answer");
    conversation
}

// What a comparison leaves out.

/// The same without numbers of packets, and without what TLS adds.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !key.contains("packet"));
            kept.map(|(key, value)| (key.clone(), bare(value))).collect()
        }
        Value::Array(list) => list.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// What must be the same inside TLS and without.
fn essence(connection: &Value) -> Value {
    let diagnosis = &connection["diagnosis"];
    let verdict = json!([diagnosis["cause"], diagnosis["party"], diagnosis["confidence"]]);
    let mut close = bare(&connection["close"]);
    // TCP ends in the same way; `close.tcp_end` of a plain connection is compared with the first end of a stream below.
    close.as_object_mut().unwrap().remove("tcp_end");
    let mut essence = json!({ "verdict": verdict, "close": close });
    for key in ["handshake", "stacks", "application", "messages", "frames", "keepalive", "violations", "api_view"] {
        let mut part = bare(&connection[key]);
        if key == "handshake" {
            part.as_object_mut().unwrap().remove("timing");
        }
        essence[key] = part;
    }
    essence
}

/// Where two values differ.
fn differences(at: &str, plain: &Value, tls: &Value, out: &mut Vec<String>) {
    match (plain, tls) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                differences(&format!("{at}.{key}"), &plain[key], &tls[key], out);
            }
        }
        (plain, tls) if plain != tls => out.push(format!("{at}: plain {plain}, inside TLS {tls}")),
        _ => {}
    }
}

// The ends of TLS.

#[test]
fn row_91_an_orderly_end_of_tls_without_a_close_frame_is_its_senders() {
    // As tshark 4.0.17 shows it: the server sends close_notify, the client answers and ends TCP.
    for (case, notify, fin) in [("tls12-notify-without-close", 14, 17), ("tls13-notify-without-close", 16, 19)] {
        let connection = recorded(case);
        assert_eq!(connection["tls"]["stream_end"], json!({ "client": "close_notify", "server": "close_notify" }));
        assert_eq!(connection["tls"]["close_notify"], "sent", "{case}");
        assert_eq!(connection["diagnosis"]["party"], "server", "{case}");
        let evidence = connection["diagnosis"]["evidence"].to_string();
        assert!(evidence.contains(&notify.to_string()) && connection["close"]["tcp_end"]["packet"] == fin, "{case}");
        assert_eq!(connection["api_view"]["client"]["code"], 1006, "{case}");
    }
}

#[test]
fn row_91_who_shut_tls_down_is_named_by_a_rule_where_nothing_else_explains_the_end() {
    for by in [Side::Client, Side::Server] {
        let mut conversation = talked();
        conversation.wait(3.0);
        conversation.side(by).fin();
        conversation.side(by.other()).fin();
        let connection = in_tls(&conversation, Ending::CloseNotify, 1);
        let diagnosis = &connection["diagnosis"];
        let side = if by == Side::Client { "client" } else { "server" };
        assert_eq!((&diagnosis["rule"], &diagnosis["party"]), (&json!("no-close-tls-ended"), &json!(side)));
        // TLS was cut off: nothing says more than without TLS.
        let cut = in_tls(&conversation, Ending::Cut, 1);
        assert_eq!(cut["diagnosis"]["rule"], "no-close-fin");
        assert_eq!(cut["tls"]["stream_end"], json!({ "client": "cut_off", "server": "cut_off" }));
    }
}

#[test]
fn row_91_a_close_frame_counts_whether_tls_was_cut_off_or_not() {
    for case in ["tls12-no-close-notify", "tls13-no-close-notify"] {
        let connection = recorded(case);
        assert_eq!(connection["tls"]["stream_end"], json!({ "client": "cut_off", "server": "cut_off" }), "{case}");
        assert_eq!(connection["tls"]["close_notify"], "not_sent", "{case}");
        assert_eq!(connection["diagnosis"]["rule"], "close-1011-after-message", "{case}");
    }
    let mut conversation = talked();
    conversation.server().close(1000, "bye");
    conversation.client().close(1000, "bye");
    conversation.server().fin();
    conversation.client().fin();
    let verdict = |ending| in_tls(&conversation, ending, 1)["diagnosis"].clone();
    let plain = plain(&conversation)["diagnosis"].clone();
    for ending in [Ending::Cut, Ending::CloseNotify, Ending::Early, Ending::Fatal(80)] {
        let (mut verdict, mut plain) = (bare(&verdict(ending)), bare(&plain));
        verdict["limits"] = Value::Null;
        plain["limits"] = Value::Null;
        assert_eq!(verdict, plain, "{ending:?}");
    }
}

#[test]
fn row_90_a_fatal_alert_after_data_is_the_cause() {
    let cases = [
        (10, "unexpected_message", "no-close-tls-alert", "unknown"),
        (20, "bad_record_mac", "no-close-tls-damaged", "unknown"),
        (51, "decrypt_error", "no-close-tls-damaged", "unknown"),
        (80, "internal_error", "no-close-tls-internal-error", "client"),
    ];
    for (description, name, rule, party) in cases {
        let mut conversation = talked();
        conversation.client().fin();
        let connection = in_tls(&conversation, Ending::Fatal(description), 1);
        let diagnosis = &connection["diagnosis"];
        assert_eq!((&diagnosis["rule"], &diagnosis["party"]), (&json!(rule), &json!(party)), "{diagnosis:#}");
        let alert = &connection["tls"]["data_alert"];
        assert_eq!((&alert["name"], &alert["side"]), (&json!(name), &json!("client")));
        assert_eq!(connection["tls"]["alert"], Value::Null, "the handshake had gone through");
        assert_eq!(connection["tls"]["stream_end"]["client"], "alert");
    }
}

#[test]
fn row_91_without_the_keys_of_a_side_nothing_is_said_of_its_end() {
    let mut conversation = talked();
    conversation.server().fin();
    conversation.client().fin();
    let wrapped = wrap(conversation.packets(), Ending::Cut, 1, &[]).unwrap();
    let keys: String =
        wrapped.keys.lines().filter(|line| line.starts_with("CLIENT")).map(|l| format!("{l}\n")).collect();
    let connections = analyse(&Capture::new().extend(wrapped.packets).pcap(), &keys);
    let ends = &connections[&0]["tls"]["stream_end"];
    assert_eq!((&ends["client"], &ends["server"]), (&json!("cut_off"), &json!({ "unknown": "encrypted" })));
}

#[test]
fn row_93_keys_show_the_certificate_of_tls_1_3_to_the_same_judgement() {
    // Recorded with a certificate that names itself as its issuer and has no alternative names: `openssl req -x509 -subj
    // /CN=localhost`. As tshark 4.0.17 shows it, it is in packet 6.
    let certificate = &recorded("tls13-fin-only")["tls"]["certificate"];
    assert_eq!((&certificate["subject"], &certificate["issuer"]), (&json!("localhost"), &json!("localhost")));
    assert_eq!((&certificate["count"], &certificate["packet"]), (&json!(1), &json!(6)));
    assert!(["self_signed", "name"].contains(&certificate["defect"].as_str().unwrap()), "{certificate}");
    let dates = |key: &str| certificate[key].as_str().unwrap()[..4].parse::<i32>().unwrap();
    assert_eq!(dates("not_after") - dates("not_before"), 10);
}

// The same inside TLS.

/// The conversations that decide most, each written once.
fn scenarios() -> Vec<(&'static str, Conversation)> {
    let mut all = Vec::new();
    let mut add = |name, act: &dyn Fn(&mut Conversation)| {
        let mut conversation = talked();
        act(&mut conversation);
        all.push((name, conversation));
    };
    let close = |by: Side, code: u16| {
        move |c: &mut Conversation| {
            c.side(by).close(code, "so");
            c.side(by.other()).close(code, "so");
            c.server().fin();
            c.client().fin();
        }
    };
    add("normal close of the client", &close(Side::Client, 1000));
    add("normal close of the server", &close(Side::Server, 1001));
    for code in [1002, 1007, 1009, 1011] {
        add("close of the server", &close(Side::Server, code));
    }
    for (name, told) in [("a missing Pong", false), ("a missing Pong, told by 1011", true)] {
        add(name, &|c| {
            c.server().ping(b"1");
            c.client().pong(b"1");
            c.wait(20.0);
            c.server().ping(b"2");
            c.wait(20.0);
            if told {
                c.server().close(1011, "keepalive ping timeout");
            }
            c.server().fin();
            c.client().fin();
        });
    }
    add("idle for a minute", &|c| {
        c.wait(60.0);
        c.server().fin();
        c.client().fin();
    });
    add("FIN of the client", &|c| {
        c.wait(3.0);
        c.client().fin();
        c.server().fin();
    });
    add("FIN of the server after a message", &|c| {
        c.client().text("crash");
        c.server().fin();
        c.client().fin();
    });
    add("RST of the server", &|c| {
        c.wait(3.0);
        c.server().rst();
    });
    add("heartbeats that stop", &|c| {
        for _ in 0..5 {
            c.wait(5.0);
            c.client().text(r#"{"type":"ping"}"#);
            c.server().text(r#"{"type":"pong"}"#);
        }
        c.wait(5.0);
        c.client().text(r#"{"type":"ping"}"#);
        c.wait(10.0);
        c.client().fin();
        c.server().fin();
    });
    add("an open end", &|c| {
        c.wait(3.0);
        c.client().text("more");
    });
    let mut refused = |name, status: u16| {
        let mut conversation = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
        conversation.connect();
        conversation.request(
            "GET / HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        );
        conversation.respond(status, "Content-Type: text/plain", "no");
        conversation.server().fin();
        conversation.client().fin();
        all.push((name, conversation));
    };
    refused("forbidden", 403);
    refused("bad gateway", 502);
    let mut compressed = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    let extension = "permessage-deflate; client_no_context_takeover";
    compressed.connect();
    compressed.upgrade_with(&Upgrade {
        extensions_offered: Some("permessage-deflate".into()),
        extensions: Some(extension.into()),
        ..Upgrade::default()
    });
    for turn in 0..4 {
        compressed.client().text(&format!("question {turn} question {turn}"));
        compressed.server().text(&format!("answer {turn} answer {turn}"));
    }
    compressed.server().close(1008, "policy");
    compressed.client().close(1008, "policy");
    compressed.server().fin();
    all.push(("compressed", compressed));
    all
}

#[test]
fn what_is_said_inside_tls_is_judged_as_what_is_said_without() {
    let mut report = Vec::new();
    for (name, conversation) in scenarios() {
        let plain = essence(&plain(&conversation));
        for (ending, records) in [(Ending::CloseNotify, 1), (Ending::Cut, 1), (Ending::Early, 1), (Ending::Cut, 3)] {
            let inside = essence(&in_tls(&conversation, ending, records));
            let mut found = Vec::new();
            differences("", &plain, &inside, &mut found);
            report.extend(found.into_iter().map(|line| format!("{name}, {ending:?}, {records} records: {line}")));
        }
    }
    assert!(report.is_empty(), "{} differences\n{}", report.len(), report.join("\n"));
}

#[test]
fn recorded_conversations_inside_tls_are_judged_as_without() {
    let (mut report, mut compared) = (Vec::new(), 0);
    for case in Case::all().into_iter().filter(|case| !case.name.starts_with("tls/")) {
        let Some(packets) = tcp_packets(&fs::read(&case.capture).unwrap()) else { continue };
        let alone = analyse(&Capture::new().extend(packets.clone()).pcap(), "");
        for (ending, records) in [(Ending::CloseNotify, 1), (Ending::Cut, 2)] {
            let Some(wrapped) = wrap(&packets, ending, records, &[]) else { continue };
            let inside = analyse(&Capture::new().extend(wrapped.packets).pcap(), &wrapped.keys);
            for (stream, plain) in &alone {
                let mut found = Vec::new();
                match inside.get(stream) {
                    Some(inside) => differences("", &essence(plain), &essence(inside), &mut found),
                    None => found.push("not reported inside TLS".to_owned()),
                }
                report.extend(found.into_iter().map(|line| format!("{} {stream} {ending:?}: {line}", case.name)));
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "only {compared} connections were compared");
    assert!(report.is_empty(), "{} of {compared} differ\n{}", report.len(), report.join("\n"));
}

/// The TCP segments of a capture of Ethernet packets; `None` for any other.
fn tcp_packets(capture: &[u8]) -> Option<Vec<Packet>> {
    let mut reader = Reader::open(capture).ok()?;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet().ok()? {
        let ether = packet.bytes.get(12..14)?;
        let ip = &packet.bytes[14..];
        (packet.bytes.len() as u64 == u64::from(packet.original_len)).then_some(())?;
        let time = packet.time?.nanos();
        if let Some(segment) = segment(ether, ip)? {
            packets.push(Packet::new(time, support::net::Content::Segment(segment)));
        }
    }
    Some(packets)
}

/// One TCP segment; `Some(None)` when it is another protocol's.
fn segment(ether: &[u8], ip: &[u8]) -> Option<Option<Segment>> {
    let two = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let four = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (source, destination, hops, protocol, tcp): (std::net::IpAddr, std::net::IpAddr, u8, u8, &[u8]) = match ether {
        [0x08, 0x00] => {
            let address = |at: usize| <[u8; 4]>::try_from(&ip[at..at + 4]).unwrap().into();
            let (header, total) = (usize::from(ip[0] & 15) * 4, usize::from(two(ip, 2)));
            (address(12), address(16), ip[8], ip[9], ip.get(header..total)?)
        }
        [0x86, 0xdd] => {
            let address = |at: usize| <[u8; 16]>::try_from(&ip[at..at + 16]).unwrap().into();
            (address(8), address(24), ip[7], ip[6], ip.get(40..40 + usize::from(two(ip, 4)))?)
        }
        _ => return Some(None),
    };
    if protocol != 6 {
        return Some(None);
    }
    let header = usize::from(tcp[12] >> 4) * 4;
    let mut segment = Segment::new((source, two(tcp, 0)).into(), (destination, two(tcp, 2)).into());
    (segment.seq, segment.ack) = (four(tcp, 4), four(tcp, 8));
    segment.flags = tcp[13] & (flags::FIN | flags::SYN | flags::RST | flags::PSH | flags::ACK);
    segment.window = two(tcp, 14);
    segment.options = tcp[20..header].to_vec();
    segment.hop_limit = hops;
    segment.payload = tcp[header..].to_vec();
    Some(Some(segment))
}
