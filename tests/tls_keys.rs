//! WebSockets inside TLS, opened with the secrets of a key log: `fixtures/tls-keys`, whose `truth.toml` says what the
//! peers did.

mod common;

use common::at_key;
use common::program::{folder, run};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use wsdissect::capture::{Reader, Secrets};
use wsdissect::catalog::language::Language;
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::{Analyzer, Options, Summary};

/// One packet of a pcap file: its record header without the lengths, and its bytes.
#[derive(Clone)]
struct Record {
    time: [u8; 8],
    bytes: Vec<u8>,
    original_len: u32,
}

struct Recorded {
    name: String,
    header: Vec<u8>,
    packets: Vec<Record>,
    keys: String,
    truth: Vec<toml::Table>,
}

impl Recorded {
    fn named(name: &str) -> Self {
        let root = family().join(name);
        let file = fs::read(root.join("capture.pcap")).unwrap();
        let (header, mut rest) = file.split_at(24);
        let mut packets = Vec::new();
        while let Some((record, behind)) = rest.split_at_checked(16) {
            let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
            let (bytes, behind) = behind.split_at(word(8) as usize);
            let time = record[..8].try_into().unwrap();
            packets.push(Record { time, bytes: bytes.to_vec(), original_len: word(12) });
            rest = behind;
        }
        let truth: toml::Table = toml::from_str(&fs::read_to_string(root.join("truth.toml")).unwrap()).unwrap();
        let connections = truth["connection"].as_array().unwrap();
        Self {
            name: name.to_owned(),
            header: header.to_vec(),
            packets,
            keys: fs::read_to_string(root.join("keys.log")).unwrap(),
            truth: connections.iter().map(|each| each.as_table().unwrap().clone()).collect(),
        }
    }

    fn pcap(&self) -> Vec<u8> {
        let mut file = self.header.clone();
        for Record { time, bytes, original_len } in &self.packets {
            file.extend(time);
            file.extend((bytes.len() as u32).to_le_bytes());
            file.extend(original_len.to_le_bytes());
            file.extend(bytes);
        }
        file
    }

    /// The capture without these packets, which are counted from 1.
    fn without(&self, lost: &[usize]) -> Vec<u8> {
        let packets = self.packets.iter().enumerate().filter(|(at, _)| !lost.contains(&(at + 1)));
        Self { packets: packets.map(|(_, packet)| packet.clone()).collect(), ..self.clone() }.pcap()
    }

    /// The capture from behind this many packets.
    fn behind(&self, packets: usize) -> Vec<u8> {
        self.without(&(1..=packets).collect::<Vec<_>>())
    }

    /// The key log without lines that begin so.
    fn keys_without(&self, label: &str) -> String {
        self.keys.lines().filter(|line| !line.starts_with(label)).map(|line| format!("{line}\n")).collect()
    }

    /// As pcapng; `secrets` go before the packet of that number.
    fn pcapng(&self, secrets: &str, before: usize) -> Vec<u8> {
        let block = |kind: u32, body: Vec<u8>| {
            let body = padded(body);
            let len = (body.len() as u32 + 12).to_le_bytes();
            [&kind.to_le_bytes()[..], &len, &body, &len].concat()
        };
        let mut file = block(0x0a0d_0d0a, [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
        file.extend(block(1, vec![1, 0, 0, 0, 0, 0, 4, 0]));
        for (at, packet) in self.packets.iter().enumerate() {
            if at + 1 == before {
                let len = (secrets.len() as u32).to_le_bytes();
                file.extend(block(10, [&Secrets::TLS_KEY_LOG.to_le_bytes()[..], &len, secrets.as_bytes()].concat()));
            }
            let seconds = u64::from(u32::from_le_bytes(packet.time[..4].try_into().unwrap()));
            let micros = seconds * 1_000_000 + u64::from(u32::from_le_bytes(packet.time[4..].try_into().unwrap()));
            let mut body = vec![0; 4];
            body.extend(((micros >> 32) as u32).to_le_bytes());
            body.extend((micros as u32).to_le_bytes());
            body.extend((packet.bytes.len() as u32).to_le_bytes());
            body.extend(packet.original_len.to_le_bytes());
            body.extend(&packet.bytes);
            file.extend(block(6, body));
        }
        file
    }
}

impl Clone for Recorded {
    fn clone(&self) -> Self {
        let Self { name, header, packets, keys, truth } = self;
        let (name, header, packets) = (name.clone(), header.clone(), packets.clone());
        Self { name, header, packets, keys: keys.clone(), truth: truth.clone() }
    }
}

fn padded(mut body: Vec<u8>) -> Vec<u8> {
    body.resize(body.len().next_multiple_of(4), 0);
    body
}

fn family() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls-keys")
}

fn all() -> Vec<Recorded> {
    let mut names: Vec<String> =
        fs::read_dir(family()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() > 25, "{names:?}");
    names.iter().map(|name| Recorded::named(name)).collect()
}

/// The JSON objects of all connections, with these secrets and those inside the capture.
fn analyse(capture: &[u8], keys: &str) -> (Vec<Value>, Summary) {
    let speaker = Speaker::new(Language::En);
    let mut reader = Reader::open(capture).unwrap();
    let mut options = Options::default();
    options.keys.add(keys.as_bytes(), &options.limits);
    let mut analyzer = Analyzer::new(options);
    let mut connections = Vec::new();
    // The first secrets stand before the first packet: these analyses need no more than that.
    while let Some(packet) = reader.next_packet().unwrap() {
        analyzer.packet(&packet);
    }
    analyzer.finish();
    while let Some(report) = analyzer.next_report() {
        connections.push(serde_json::to_value(ConnectionObject::new(&report, "capture", &speaker)).unwrap());
    }
    connections.sort_by_key(|connection| connection["stream"].as_u64());
    let summary = analyzer.summary();
    (connections, summary)
}

/// The only connection.
fn one(capture: &[u8], keys: &str) -> Value {
    let (connections, summary) = analyse(capture, keys);
    assert_eq!(connections.len(), 1, "{:?}", summary.tls_unread);
    connections.into_iter().next().unwrap()
}

/// Compares one connection with what the peers did.
fn check(case: &str, truth: &toml::Table, connection: &Value) {
    for (key, value) in truth {
        let got = match key.as_str() {
            "stream" => continue,
            "suite" => continue,
            "client.text" | "client.binary" | "server.text" | "server.binary" => {
                at_key(connection, &format!("messages.{key}")).cloned()
            }
            key => at_key(connection, key).cloned(),
        };
        let expected = serde_json::to_value(value).unwrap();
        assert_eq!(got, Some(expected), "{case}: {key}\n{connection:#}");
    }
    assert_eq!(connection["violations"], json!([]), "{case}");
    assert_eq!(connection["transport"], "wss", "{case}");
    let tls = &connection["tls"];
    assert_eq!((&tls["decrypted"], &tls["why_not"]), (&json!("yes"), &Value::Null), "{case}");
}

#[test]
fn row_87_a_key_log_opens_every_suite_and_every_kind_of_handshake() {
    let (mut opened, mut suites) = (0, Vec::new());
    for case in all() {
        let (connections, summary) = analyse(&case.pcap(), &case.keys);
        let on = |stream: i64| connections.iter().find(|connection| connection["stream"] == stream);
        for truth in &case.truth {
            let stream = truth["stream"].as_integer().unwrap();
            suites.extend(truth.get("suite").and_then(toml::Value::as_str).map(str::to_owned));
            if truth.contains_key("not_reported") || truth.contains_key("unsupported") {
                // What stays shut may still look like a WebSocket; nothing in it was read.
                let decrypted = on(stream).map(|connection| connection["tls"]["decrypted"].clone());
                assert!(decrypted.is_none_or(|decrypted| decrypted == "no"), "{}: {stream}", case.name);
                continue;
            }
            let connection = on(stream).unwrap_or_else(|| panic!("{}: {stream}: {summary:?}", case.name));
            check(&case.name, truth, connection);
            opened += 1;
        }
    }
    suites.sort();
    suites.dedup();
    assert!(opened > 60 && suites.len() > 35, "{opened} connections, {suites:?}");
}

#[test]
fn row_87_without_keys_nothing_of_them_is_read() {
    for case in all() {
        let (connections, summary) = analyse(&case.pcap(), "");
        let read: Vec<&Value> = connections.iter().filter(|each| each["tls"]["decrypted"] != "no").collect();
        assert!(read.is_empty(), "{}: {read:#?}", case.name);
        assert_eq!(summary.tls_unread, [], "{}", case.name);
    }
}

#[test]
fn row_42_the_101_and_the_close_frame_in_two_records_of_one_segment() {
    for name in ["tls12-close-with-101", "tls13-close-with-101"] {
        let case = Recorded::named(name);
        let connection = one(&case.pcap(), &case.keys);
        check(name, &case.truth[0], &connection);
        let close = &connection["close"]["server_frame"];
        assert_eq!(close["packet"], connection["handshake"]["response_packet"], "{name}");
        assert_eq!(connection["diagnosis"]["cause"], "policy", "{name}");
    }
}

#[test]
fn row_88_secrets_inside_the_capture() {
    let folder = folder("tls_keys_dsb");
    for name in ["tls13-aes-256-gcm-sha384", "tls12-resumption", "tls13-talk"] {
        let case = Recorded::named(name);
        // Before everything, and after the handshake began: programs write secrets when they have them.
        for before in [1, 9] {
            let file = folder.join(format!("{name}-{before}.pcapng"));
            fs::write(&file, case.pcapng(&case.keys, before)).unwrap();
            let lines = run(&["-T".as_ref(), "jsonl".as_ref(), file.as_os_str()]).lines();
            for truth in &case.truth {
                let connection = lines.iter().find(|line| line["stream"] == truth["stream"].as_integer().unwrap());
                check(&format!("{name} before {before}"), truth, connection.unwrap_or_else(|| panic!("{lines:?}")));
            }
        }
    }
}

#[test]
fn row_87_the_command_line_takes_key_logs_in_three_ways() {
    let root = family().join("tls13-close-with-101");
    let (capture, keys) = (root.join("capture.pcap"), root.join("keys.log"));
    let preference = format!("tls.keylog_file:{}", keys.display());
    for arguments in [["--keylog", keys.to_str().unwrap()], ["-o", &preference]] {
        let outcome = run(&[&arguments[..], &["-T", "jsonl", capture.to_str().unwrap()]].concat());
        assert_eq!(outcome.lines()[0]["close"]["code"], 1008, "{outcome:?}");
    }
    let mut command = common::program::command(&["-T", "jsonl", capture.to_str().unwrap()]);
    let child = command.env("SSLKEYLOGFILE", &keys).spawn().unwrap();
    assert_eq!(common::program::ended(child).lines()[0]["close"]["code"], 1008);

    let refused = run(&["-o", "http.port:80", capture.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    let missing = run(&["--keylog", "/nonexistent/keys", capture.to_str().unwrap()]);
    assert!(missing.code == Some(2) && missing.stderr.contains("key log"), "{missing:?}");
}

#[test]
fn row_87_lines_of_a_key_log_that_say_nothing_are_told_by_number_and_never_shown() {
    let folder = folder("tls_keys_lines");
    let case = Recorded::named("tls13-aes-128-gcm-sha256");
    let file = folder.join("keys.log");
    fs::write(&file, format!("CLIENT_RANDOM 00 deadbeefdeadbeef\n{}", case.keys)).unwrap();
    let capture = family().join(&case.name).join("capture.pcap");
    let outcome = run(&["--keylog".as_ref(), file.as_os_str(), capture.as_os_str()]);
    assert!(outcome.stderr.contains("line 1: a value of the wrong length"), "{}", outcome.stderr);
    let shown = format!("{}{}", outcome.stderr, outcome.text());
    assert!(!shown.contains("deadbeef"), "{shown}");
    for word in case.keys.lines().filter_map(|line| line.split(' ').next_back()).filter(|word| word.len() > 60) {
        assert!(!shown.contains(word));
    }
}

/// The reasons of the connections that stayed shut, whether they are only counted or look like a WebSocket from outside.
fn why(capture: &[u8], keys: &str) -> Vec<(String, Option<String>, u64)> {
    let (connections, summary) = analyse(capture, keys);
    let counted = summary.tls_unread.into_iter().map(|(why, detail, count)| (why.to_owned(), detail, count));
    let told = connections.iter().map(|connection| {
        let tls = &connection["tls"];
        assert_eq!(tls["decrypted"], "no", "{connection:#}");
        let word = |key: &str| tls[key].as_str().map(str::to_owned);
        (word("why_not").expect("a reason"), word("why_not_detail"), 1)
    });
    counted.chain(told).collect()
}

/// One connection that stayed shut for this reason.
fn shut(why: &str, detail: Option<&str>) -> Vec<(String, Option<String>, u64)> {
    vec![(why.to_owned(), detail.map(str::to_owned), 1)]
}

#[test]
fn row_89_why_nothing_could_be_decrypted() {
    let (case, other) = (Recorded::named("tls13-talk"), Recorded::named("tls12-talk"));
    assert_eq!(why(&case.pcap(), &other.keys), shut("client_random_missing", None));
    assert_eq!(why(&other.pcap(), &case.keys), shut("client_random_missing", None));

    let early_only = case.keys.replace("EXPORTER_SECRET", "CLIENT_EARLY_TRAFFIC_SECRET");
    let early_only: String = early_only.lines().filter(|line| line.starts_with("CLIENT_EARLY")).collect();
    assert_eq!(why(&case.pcap(), &early_only), shut("secret_missing", Some("CLIENT_TRAFFIC_SECRET_0")));

    // Another session's secrets under this session's name.
    let (own, others) = (&case.keys, &Recorded::named("tls13-no-close-notify").keys);
    let of = |keys: &str, label: &str, word: usize| {
        let line = keys.lines().find(|line| line.starts_with(label)).unwrap().to_owned();
        line.split(' ').nth(word).unwrap().to_owned()
    };
    let label = |name: &str| format!("{name} {} {}\n", of(own, name, 1), of(others, name, 2));
    let mixed: String = ["CLIENT_HANDSHAKE", "SERVER_HANDSHAKE", "CLIENT_TRAFFIC", "SERVER_TRAFFIC"]
        .iter()
        .map(|start| of(own, start, 0))
        .map(|name| label(&name))
        .collect();
    assert_eq!(why(&case.pcap(), &mixed), shut("tag_mismatch", None));

    let hello = 4;
    assert_eq!(why(&case.without(&[1, 2, 3, hello]), others), shut("handshake_not_captured", None));
    assert_eq!(why(&case.behind(20), others), shut("handshake_not_captured", None));
    // The keys of TLS 1.2 need what the hellos say; what the log has cannot be tried without.
    assert_eq!(why(&other.behind(20), &other.keys), shut("server_random_missing", None));

    let unsupported = Recorded::named("unsupported-suites");
    let suites: Vec<_> = unsupported
        .truth
        .iter()
        .map(|truth| ("unsupported_cipher_suite".to_owned(), truth["unsupported"].as_str().map(str::to_owned), 1))
        .collect();
    let mut found = why(&unsupported.pcap(), &unsupported.keys);
    found.sort_by_key(|(_, detail, _)| suites.iter().position(|(_, suite, _)| suite == detail));
    assert_eq!(found, suites);
}

#[test]
fn row_89_a_resumed_session_that_nobody_logged_is_told_apart() {
    let foreign = Recorded::named("tls13-close-with-101").keys;
    for name in ["tls12-resumption", "tls13-resumption"] {
        let case = Recorded::named(name);
        let mut found = why(&case.pcap(), &foreign);
        found.sort();
        assert_eq!(found, [shut("client_random_missing", None), shut("resumed_not_logged", None)].concat(), "{name}");
    }
    // Go logs nothing for sessions of TLS 1.2 that it resumes: three here, whose servers sent no ServerHelloDone.
    let case = Recorded::named("nginx-go");
    let (connections, summary) = analyse(&case.pcap(), &case.keys);
    let told = connections.iter().filter(|each| each["tls"]["why_not"] == "resumed_not_logged").count() as u64;
    let counted: u64 =
        summary.tls_unread.iter().map(|(why, _, count)| count * u64::from(*why == "resumed_not_logged")).sum();
    assert_eq!(told + counted, 3, "{:?}", summary.tls_unread);
}

#[test]
fn row_89_a_handshake_with_holes_is_not_taken_for_one_that_resumes() {
    let case = Recorded::named("tls12-talk");
    let foreign = Recorded::named("tls13-close-with-101").keys;
    let whole = case.packets.len();
    let mut captures: Vec<Vec<u8>> = (4..12).map(|lost| case.without(&[lost])).collect();
    // The ServerHello fits into this much of a packet, and what follows does not.
    for snap in [150, 180, 220, 300] {
        let mut cut = case.clone();
        cut.packets[..whole].iter_mut().for_each(|packet| packet.bytes.truncate(snap));
        captures.push(cut.pcap());
    }
    for capture in captures {
        let found = why(&capture, &foreign);
        assert!(found.iter().all(|(why, ..)| why != "resumed_not_logged"), "{found:?}");
    }
}

#[test]
fn row_89_partial_keys_give_the_side_that_can_be_read() {
    let case = Recorded::named("tls13-talk");
    for (label, read, hidden) in
        [("SERVER_TRAFFIC_SECRET_0", "client", "server"), ("CLIENT_TRAFFIC_SECRET_0", "server", "client")]
    {
        let connection = one(&case.pcap(), &case.keys_without(label));
        let tls = &connection["tls"];
        assert_eq!(tls["decrypted"], "partly", "{label}");
        assert_eq!((&tls["why_not"], &tls["why_not_detail"]), (&json!("secret_missing"), &json!(label)));
        assert_eq!(connection["messages"][read]["text"], 20, "{label}");
        assert_eq!(connection["frames"][read]["close"], 1, "{label}");
        assert_eq!(connection["visibility"][hidden], "encrypted", "{label}");
        assert_eq!(connection["close"][format!("{hidden}_frame")], json!({ "unknown": "encrypted" }), "{label}");
        assert_eq!(connection["violations"], json!([]), "{label}");
        assert_eq!(connection["close"]["code"], 1013, "{label}");
    }
}

/// Lines of sessions that are not in any capture.
fn strangers(count: u32) -> String {
    let session = |number: u32| {
        let line = |label: &str, len: usize| format!("{label} {number:064x} {}\n", "5a".repeat(len));
        line("CLIENT_TRAFFIC_SECRET_0", 32) + &line("SERVER_TRAFFIC_SECRET_0", 32) + &line("CLIENT_RANDOM", 48)
    };
    (0..count).map(session).collect()
}

#[test]
fn row_89_joined_late_with_the_secrets_at_hand() {
    for name in ["tls13-talk", "tls13-aes-256-gcm-sha384", "tls13-chacha20-poly1305-sha256", "tls13-aes-128-ccm-sha256"]
    {
        let case = Recorded::named(name);
        let whole = one(&case.pcap(), &case.keys);
        let number = |key: &str| at_key(&whole, key).and_then(Value::as_u64).unwrap() as usize;
        let (asked, opened) = (number("handshake.request_packet"), number("handshake.response_packet"));
        let closing = number("close.server_frame.packet").min(number("close.client_frame.packet"));
        // Behind the SYNs, the ClientHello, the ServerHello, the request and the answer; then in the middle of the talk.
        for cut in [3, 4, 6, opened - 1, opened, (opened + closing) / 2, closing - 1] {
            let what = format!("{name} behind {cut}");
            let connection = one(&case.behind(cut), &format!("{}{}", case.keys, strangers(50)));
            assert_eq!(connection["close"]["code"], case.truth[0]["close.code"].as_integer().unwrap(), "{what}");
            assert_eq!(connection["tls"]["decrypted"], "yes", "{what}: {connection:#}");
            assert_eq!(connection["tls"]["version"], "1.3", "{what}");
            assert_eq!(connection["violations"], json!([]), "{what}");
            let texts = |side: &str| connection["messages"][side]["text"].as_i64().unwrap();
            let all = |side: &str| case.truth[0].get(&format!("{side}.text")).and_then(toml::Value::as_integer);
            for side in ["client", "server"] {
                let Some(all) = all(side) else { continue };
                assert!(
                    if cut < asked { texts(side) == all } else { texts(side) <= all },
                    "{what}: {side}\n{connection:#}"
                );
            }
            assert_eq!(connection["client"], whole["client"], "{what}: who is the client");
        }
    }
}

#[test]
fn row_89_tls_1_2_is_joined_when_its_server_hello_is_there() {
    for name in ["tls12-talk", "tls12-client-certificate", "tls12-big-messages"] {
        let case = Recorded::named(name);
        let hello = 4;
        let connection = one(&case.behind(hello), &format!("{}{}", case.keys, strangers(50)));
        check(name, &case.truth[0], &connection);
    }
}

#[test]
fn row_89_handshake_secrets_are_not_needed() {
    for name in ["tls13-talk", "tls13-client-certificate", "tls13-key-update", "tls13-resumption"] {
        let case = Recorded::named(name);
        let traffic: String = case
            .keys
            .lines()
            .filter(|line| line.contains("TRAFFIC_SECRET_0"))
            .map(|line| format!("{line}\n"))
            .collect();
        let (connections, _) = analyse(&case.pcap(), &traffic);
        for (truth, connection) in case.truth.iter().zip(&connections) {
            check(name, truth, connection);
        }
        assert_eq!(connections.len(), case.truth.len());
    }
}

/// Packets with payload of one side, counted from 1.
fn with_payload(case: &Recorded, to_server: bool) -> Vec<usize> {
    let port = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let server = port(&case.packets[0].bytes, 36);
    let has_payload = |record: &Record| {
        let bytes = &record.bytes;
        let total = usize::from(port(bytes, 16));
        let header = 20 + 4 * usize::from(bytes[46] >> 4);
        total > header && (port(bytes, 36) == server) == to_server
    };
    (1..).zip(&case.packets).filter(|(_, record)| has_payload(record)).map(|(number, _)| number).collect()
}

#[test]
fn row_87_lost_segments_are_a_hole_and_no_more() {
    for name in ["tls12-talk", "tls13-talk", "tls12-big-messages", "tls13-big-messages"] {
        let case = Recorded::named(name);
        for to_server in [false, true] {
            let packets = with_payload(&case, to_server);
            // Behind the 101 and before the Close frame.
            let first = if to_server { 4 } else { 5 };
            for &lost in packets.iter().skip(first).take(packets.len().saturating_sub(first + 3)) {
                let connection = one(&case.without(&[lost]), &case.keys);
                let side = if to_server { "client" } else { "server" };
                let what = format!("{name} without #{lost}");
                assert_eq!(connection["close"]["code"], case.truth[0]["close.code"].as_integer().unwrap(), "{what}");
                assert_eq!(connection["tls"]["decrypted"], "partly", "{what}");
                assert_eq!(connection["tls"]["why_not"], "records_lost", "{what}");
                assert_eq!(connection["visibility"][side], "gap", "{what}");
                assert_eq!(connection["violations"], json!([]), "{what}: {connection:#}");
            }
        }
    }
}

#[test]
fn row_91_alerts_are_read_with_the_rest() {
    for (name, alerts) in [
        ("tls13-close-with-101", 2),
        ("tls12-close-with-101", 2),
        ("tls13-no-close-notify", 0),
        ("tls12-no-close-notify", 0),
        ("tls12-fin-only", 0),
    ] {
        let case = Recorded::named(name);
        let folder = folder("tls_keys_alerts");
        let (capture, keys) = (folder.join(format!("{name}.pcap")), folder.join(format!("{name}.log")));
        fs::write(&capture, case.pcap()).unwrap();
        fs::write(&keys, &case.keys).unwrap();
        let outcome = run(&["-v".as_ref(), "--keylog".as_ref(), keys.as_os_str(), capture.as_os_str()]);
        let timeline = outcome.text().rsplit("stream 0: client").next().unwrap_or_default();
        assert_eq!(timeline.matches("TLS alert close_notify").count(), alerts, "{name}: {}", outcome.text());
    }
}

/// The decrypted conversation again as plain TCP: each application data record of the TLS 1.3 capture gives way to what
/// the recorder wrote there.
fn in_clear() -> Vec<u8> {
    let case = Recorded::named("tls13-close-with-101");
    let request = "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let refusal = [&[0x88, 11, 0x03, 0xf0][..], b"bad token"].concat();
    let answer = [0x88, 0x82, 0x11, 0x22, 0x33, 0x44, 0x11 ^ 0x03, 0x22 ^ 0xf0];
    let (client, server) = (with_payload(&case, true), with_payload(&case, false));
    let connection = one(&case.pcap(), &case.keys);
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    let said = [
        (number(&connection["handshake"]["request_packet"]), request.as_bytes().to_vec()),
        (number(&connection["handshake"]["response_packet"]), [response.as_bytes(), &refusal].concat()),
        (number(&connection["close"]["client_frame"]["packet"]), answer.to_vec()),
    ];
    let mut packets = case.packets.clone();
    let (mut sent, mut of_client) = ([0_u32; 2], [0_u32; 2]);
    // Sequence numbers count the plain bytes now, from those of the SYNs.
    for (at, record) in packets.iter_mut().enumerate() {
        let bytes = &mut record.bytes;
        let is_client = bytes[34..36] == case.packets[0].bytes[34..36];
        let (me, peer) = if is_client { (0, 1) } else { (1, 0) };
        let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let header = 34 + 4 * usize::from(bytes[46] >> 4);
        if bytes[47] & 2 != 0 {
            of_client[me] = word(bytes, 38).wrapping_add(1);
            continue;
        }
        let carries = client.contains(&(at + 1)) || server.contains(&(at + 1));
        let payload = said.iter().find(|(number, _)| *number == at + 1).map(|(_, bytes)| bytes.clone());
        bytes.truncate(header);
        bytes[38..42].copy_from_slice(&of_client[me].wrapping_add(sent[me]).to_be_bytes());
        bytes[42..46].copy_from_slice(&of_client[peer].wrapping_add(sent[peer]).to_be_bytes());
        if let (true, Some(payload)) = (carries, payload) {
            sent[me] += payload.len() as u32;
            bytes.extend(payload);
        }
        let total = (bytes.len() - 14) as u16;
        bytes[16..18].copy_from_slice(&total.to_be_bytes());
        record.original_len = bytes.len() as u32;
    }
    Recorded { packets, ..case }.pcap()
}

#[test]
fn row_87_the_same_with_and_without_tls() {
    let case = Recorded::named("tls13-close-with-101");
    let (sealed, clear) = (one(&case.pcap(), &case.keys), one(&in_clear(), ""));
    for key in [
        "diagnosis.rule",
        "diagnosis.title",
        "diagnosis.cause",
        "diagnosis.party",
        "diagnosis.confidence",
        "diagnosis.evidence",
        "frames",
        "messages",
        "handshake.outcome",
        "handshake.status",
        "handshake.path",
        "api_view",
        "close.code",
        "close.client_frame",
        "close.server_frame",
        "violations",
    ] {
        let pair = (at_key(&sealed, key), at_key(&clear, key));
        assert!(pair.0.is_some() && pair.0 == pair.1, "{key}: {pair:#?}");
    }
}

#[test]
fn damaged_captures_with_keys_end_without_panic() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 16).unwrap_or(0)
    };
    for name in ["tls12-mac-then-encrypt", "tls13-key-update", "tls13-early-data", "tls12-renegotiation", "tls13-talk"]
    {
        let case = Recorded::named(name);
        for _ in 0..30 {
            let mut damaged = case.clone();
            for _ in 0..1 + next() % 8 {
                let packet = next() % damaged.packets.len();
                let bytes = &mut damaged.packets[packet].bytes;
                match next() % 3 {
                    0 => drop(damaged.packets.remove(packet)),
                    1 => bytes.truncate((66 + next() % 60).min(bytes.len())),
                    // Beyond the headers of IP and TCP.
                    _ => {
                        if let Some(byte) = bytes.get_mut(66..).filter(|rest| !rest.is_empty()) {
                            let at = next() % byte.len();
                            byte[at] ^= 1 << (next() % 8);
                        }
                    }
                }
            }
            let (connections, _) = analyse(&damaged.pcap(), &case.keys);
            for connection in connections {
                assert_ne!(connection["tls"]["decrypted"], Value::Null, "{name}");
                let rules: Vec<&Value> = connection["violations"].as_array().unwrap().iter().collect();
                assert!(rules.is_empty(), "{name}: {rules:?}");
            }
        }
    }
}

#[test]
fn row_89_packets_that_were_cut() {
    let mut case = Recorded::named("tls13-big-messages");
    for record in &mut case.packets {
        record.bytes.truncate(600);
    }
    let connection = one(&case.pcap(), &case.keys);
    assert_eq!(
        (&connection["tls"]["decrypted"], &connection["tls"]["why_not"]),
        (&json!("partly"), &json!("cut_packets"))
    );
    assert_eq!(connection["close"]["code"], 1001);
    assert_eq!(connection["violations"], json!([]));
}

#[test]
#[cfg(unix)]
fn row_87_a_followed_capture_is_opened_by_a_key_log_that_grows_with_it() {
    use std::io::Write as _;
    let pause = || std::thread::sleep(std::time::Duration::from_millis(300));
    for (name, seen) in [("tls12-talk", 9), ("tls13-talk", 9), ("tls12-talk", 30), ("tls13-talk", 30)] {
        let case = Recorded::named(name);
        let folder = folder(&format!("tls_keys_follow_{name}_{seen}"));
        let (capture, keys) = (folder.join("growing.pcap"), folder.join("keys.log"));
        let bytes = case.pcap();
        let start = bytes.len() - case.behind(seen).len() + case.header.len();
        fs::write(&capture, &bytes[..start]).unwrap();
        fs::write(&keys, "").unwrap();
        let append = |path: &Path, bytes: &[u8]| {
            fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
            pause();
        };
        let arguments = ["--follow".as_ref(), "-T".as_ref(), "jsonl".as_ref(), "--keylog".as_ref(), keys.as_os_str()];
        let child = common::program::command(&[&arguments[..], &[capture.as_os_str()]].concat()).spawn().unwrap();
        pause();
        // Secrets come late, and in the middle of a line; then half a packet, and the rest with the Close frame.
        let (half_line, half_packet) = (case.keys.len() / 2, start + 30);
        append(&keys, &case.keys.as_bytes()[..half_line]);
        append(&keys, &case.keys.as_bytes()[half_line..]);
        append(&capture, &bytes[start..half_packet]);
        append(&capture, &bytes[half_packet..]);
        pause();
        let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let run = common::program::ended(child);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{name}");
        check(&format!("{name} from {seen}"), &case.truth[0], &run.lines()[0]);
    }
}
