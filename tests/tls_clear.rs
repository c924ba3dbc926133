//! What TLS shows without keys: alerts, certificates at the time of their packets, closing alerts, and what the sizes of
//! records suggest. Sizes come from RFC 6455 §5.2 (frames) and RFC 8446 §5.2 (records), dates and names from the commands
//! that made the certificates (`fixtures/record/peers/certificates.sh`).

mod common;
mod support;

use common::{Analysis, analyse, at_key};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use support::{Capture, Conversation};

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls").join(case).join("capture.pcap")
}

fn recorded(case: &str) -> Value {
    let path = fixture(case);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    one(analyse(file).expect("a capture"))
}

fn one(analysis: Analysis) -> Value {
    let [connection] = <[Value; 1]>::try_from(analysis.connections).expect("one connection");
    connection
}

fn judged(talk: Conversation) -> Analysis {
    analyse(&Capture::of([talk]).pcap()[..]).expect("a capture")
}

fn verdict(connection: &Value) -> (&str, &str, &str, &str) {
    let say = |key| at_key(connection, key).and_then(Value::as_str).expect("a word");
    (say("diagnosis.rule"), say("diagnosis.cause"), say("diagnosis.party"), say("diagnosis.confidence"))
}

/// A pcap file of one connection with every time moved by so many seconds.
fn moved(case: &str, seconds: i64) -> Value {
    let mut file = fs::read(fixture(case)).expect("recorded");
    let mut at = 24;
    while at + 16 <= file.len() {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
        let (time, len) = (word(at), word(at + 8));
        let time = u32::try_from(i64::from(time) + seconds).expect("a time that pcap can hold");
        file[at..at + 4].copy_from_slice(&time.to_le_bytes());
        at += 16 + len as usize;
    }
    one(analyse(&file[..]).expect("a capture"))
}

// Records.

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], &(body.len() as u16).to_be_bytes()[..], body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

fn alpn(names: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|name| [&[name.len() as u8], name.as_bytes()].concat()).collect();
    extension(16, &[&(list.len() as u16).to_be_bytes()[..], &list].concat())
}

fn hello(kind: u8, suites: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = extensions.concat();
    let body = [&[3, 3][..], &[0x5a; 32], &[0], suites, &(extensions.len() as u16).to_be_bytes(), &extensions].concat();
    record(22, &message(kind, &body))
}

/// TLS 1.3 with AES-128-GCM up to the client's Finished message, without session tickets.
fn tls_1_3(offer: &[&str]) -> Conversation {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    talk.connect();
    let offered = if offer.is_empty() { Vec::new() } else { alpn(offer) };
    talk.client().bytes(&hello(1, &[0, 2, 0x13, 1, 1, 0], &[extension(43, &[2, 3, 4]), offered]));
    let flight = [hello(2, &[0x13, 1, 0], &[extension(43, &[3, 4])]), record(20, &[1]), sealed(900)].concat();
    talk.server().bytes(&flight);
    talk.client().bytes(&[record(20, &[1]), sealed(36)].concat());
    talk
}

/// A record of TLS 1.3 that holds so many bytes: 1 for its type and 16 for its tag come on top.
fn sealed(len: usize) -> Vec<u8> {
    record(23, &vec![0x5e; len + 17])
}

/// The same up to the answer to a request, in sizes of an upgrade (RFC 6455 §1.2).
fn asked(offer: &[&str], request: usize, response: usize) -> Conversation {
    let mut talk = tls_1_3(offer);
    talk.wait(0.01).client().bytes(&sealed(request));
    talk.wait(0.01).server().bytes(&sealed(response));
    talk
}

/// TLS 1.2 with AES-128-GCM and a session that is resumed, so that no certificate travels.
fn tls_1_2(chosen: Option<&str>) -> Conversation {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    talk.connect();
    talk.client().bytes(&hello(1, &[0, 2, 0xc0, 0x2f, 1, 0], &[alpn(&["h2", "http/1.1"])]));
    let chosen: Vec<Vec<u8>> = chosen.into_iter().map(|name| alpn(&[name])).collect();
    talk.server().bytes(&[hello(2, &[0xc0, 0x2f, 0], &chosen), record(20, &[1]), record(22, &[9; 40])].concat());
    talk.client().bytes(&[record(20, &[1]), record(22, &[9; 40])].concat());
    talk
}

/// A record of TLS 1.2 with AES-GCM: 8 bytes of nonce and 16 of tag come on top.
fn sealed_1_2(len: usize) -> Vec<u8> {
    record(23, &vec![0x5e; len + 24])
}

/// An encrypted alert of TLS 1.2.
fn farewell_1_2() -> Vec<u8> {
    record(21, &[0x5e; 26])
}

/// A WebSocket's Ping without payload, and its Pong: 2 bytes, and 6 with the mask.
fn ping(talk: &mut Conversation, seconds: f64) {
    talk.wait(seconds).server().bytes(&sealed(2));
    talk.wait(0.01).client().bytes(&sealed(6));
}

// Row 90.

#[test]
fn row_90_clear_alerts_have_side_cause_and_fix() {
    for (case, alert, side, cause, party) in [
        ("expired-certificate", 45, "client", "tls_certificate_expired", "server"),
        ("unknown-ca", 48, "client", "tls_unknown_ca", "server"),
        ("version-mismatch", 70, "server", "tls_version_mismatch", "server"),
        ("host-name-refused", 112, "server", "tls_failed", "server"),
        ("no-application-protocol", 120, "server", "tls_failed", "server"),
        ("not-for-servers-tls12", 43, "client", "tls_certificate_rejected", "server"),
    ] {
        let connection = recorded(case);
        assert_eq!(at_key(&connection, "tls.alert.code"), Some(&Value::from(alert)), "{case}");
        assert_eq!(at_key(&connection, "tls.alert.side"), Some(&Value::from(side)), "{case}");
        let (_, found, blamed, _) = verdict(&connection);
        assert_eq!((found, blamed), (cause, party), "{case}");
        let fixes = at_key(&connection, "diagnosis.fixes").and_then(Value::as_array).map_or(0, Vec::len);
        assert!(fixes > 0, "{case}: nothing to do");
    }
}

#[test]
fn row_90_bad_certificate_in_tls_1_3_is_no_claim_about_the_name() {
    // OpenSSL says 42 to a certificate that is not valid yet as well, and TLS 1.3 hides which it is.
    let connection = recorded("not-yet-valid");
    assert_eq!(at_key(&connection, "tls.alert.code"), Some(&Value::from(42)));
    let (_, cause, party, confidence) = verdict(&connection);
    assert_eq!((cause, party), ("tls_certificate_rejected", "server"));
    assert_ne!(confidence, "certain");
}

#[test]
fn row_90_a_client_hello_that_nobody_answers_is_reported_while_it_waits() {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    talk.connect();
    talk.client().bytes(&hello(1, &[0, 2, 0x13, 1, 1, 0], &[extension(43, &[2, 3, 4])]));
    let mut other = Conversation::new("10.0.0.3:40000", "10.0.0.4:80");
    other.wait(8.0).connect().upgrade().client().close(1000, "");
    let analysis = analyse(&Capture::of([talk, other]).pcap()[..]).expect("a capture");
    let hung = analysis.on_stream(0).next().expect("reported");
    assert_eq!(verdict(hung).1, "no_answer");

    // A capture that ends before an answer could come says nothing.
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    talk.connect();
    talk.client().bytes(&hello(1, &[0, 2, 0x13, 1, 1, 0], &[extension(43, &[2, 3, 4])]));
    assert_eq!(judged(talk).summary.tls, 1);
}

#[test]
fn row_90_plain_http_to_a_tls_port_is_told_by_the_page() {
    let connection = recorded("plain-to-nginx-tls-port");
    assert_eq!(verdict(&connection), ("plain-http-to-tls", "plain_http_to_tls", "client", "certain"));
    // Any other 400 is no such page.
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect();
    let head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    talk.request(head).respond(400, "Content-Type: text/html", "<title>400 Bad Request</title>");
    talk.server().fin();
    talk.client().fin();
    assert_eq!(verdict(&one(judged(talk))).1, "handshake_rejected");
}

#[test]
fn row_90_a_missing_client_certificate_in_tls_1_3_is_inferred() {
    let connection = recorded("client-certificate-missing-tls13");
    assert_eq!(verdict(&connection), ("tls-finished-refused", "tls_client_certificate", "client", "possible"));
}

// Row 91.

#[test]
fn row_91_closed_without_close_notify() {
    for (parting, expected) in [(Some(farewell_1_2()), "sent"), (None, "not_sent")] {
        let mut talk = tls_1_2(Some("http/1.1"));
        talk.client().bytes(&sealed_1_2(200));
        talk.wait(0.01).server().bytes(&sealed_1_2(129));
        for _ in 0..3 {
            talk.wait(5.0).server().bytes(&sealed_1_2(2));
            talk.wait(0.01).client().bytes(&sealed_1_2(6));
        }
        if let Some(parting) = parting {
            talk.wait(1.0).server().bytes(&parting);
        }
        talk.wait(0.01).server().fin();
        talk.client().fin();
        let connection = one(judged(talk));
        assert_eq!(at_key(&connection, "tls.close_notify"), Some(&Value::from(expected)));
        assert_eq!(verdict(&connection).0 == "encrypted-no-close-notify", expected == "not_sent", "{expected}");
    }
    // In TLS 1.3 only the length tells.
    for (parting, expected) in [(Some(sealed(2)), "probably_sent"), (None, "probably_not_sent")] {
        let mut talk = asked(&["http/1.1"], 200, 129);
        (0..3).for_each(|_| ping(&mut talk, 5.0));
        if let Some(parting) = parting {
            talk.wait(1.0).server().bytes(&parting).fin();
        } else {
            talk.wait(1.0).server().fin();
        }
        talk.client().fin();
        assert_eq!(at_key(&one(judged(talk)), "tls.close_notify"), Some(&Value::from(expected)));
    }
}

// Row 92.

#[test]
fn row_92_a_probable_alert_is_never_claimed_in_mid_stream() {
    // The last record of the server is an empty Ping that nobody answers; TCP ends 30 s later. That is no alert.
    let mut talk = asked(&["http/1.1"], 200, 129);
    (0..3).for_each(|_| ping(&mut talk, 10.0));
    talk.wait(10.0).server().bytes(&sealed(2));
    talk.wait(30.0).server().fin();
    talk.client().fin();
    let connection = one(judged(talk));
    assert_eq!(at_key(&connection, "tls.close_notify"), Some(&Value::from("probably_not_sent")));

    // The same record and FIN at once: probably an alert, and not what broke the silence before it.
    let mut talk = asked(&["http/1.1"], 200, 129);
    (0..3).for_each(|_| ping(&mut talk, 10.0));
    talk.wait(60.0).server().bytes(&sealed(2)).fin();
    talk.client().fin();
    let connection = one(judged(talk));
    assert_eq!(at_key(&connection, "tls.close_notify"), Some(&Value::from("probably_sent")));
    assert_eq!(verdict(&connection).1, "idle_timeout");
}

// Row 93.

#[test]
fn row_93_certificates_are_judged_at_the_time_of_their_packet() {
    for (case, rule, defect) in [
        ("expired-tls12", "tls-certificate-expired", Some("expired")),
        ("expired-tls12-node-client", "tls-expired-seen", Some("expired")),
        ("not-yet-valid-tls12", "tls-not-yet-valid", Some("not_yet_valid")),
        ("other-name-tls12", "tls-name-mismatch", Some("name")),
        ("self-signed-tls12", "tls-self-signed-refused", Some("self_signed")),
        ("issuer-missing-tls12", "tls-issuer-missing-refused", Some("issuer_missing")),
        ("issuer-missing-node-client", "tls-issuer-missing", Some("issuer_missing")),
        ("weak-key-tls12", "tls-weak-key", Some("weak_key")),
        ("weak-signature-tls12", "tls-weak-signature", Some("weak_signature")),
        ("not-for-servers-tls12", "tls-certificate-usage", Some("usage")),
        ("disordered-chain-tls12", "encrypted-probable-close", Some("disordered")),
    ] {
        let connection = recorded(case);
        let found = at_key(&connection, "tls.certificate.defect").and_then(Value::as_str);
        assert_eq!((verdict(&connection).0, found), (rule, defect), "{case}");
    }
    let connection = recorded("expired-tls12");
    assert_eq!(at_key(&connection, "tls.certificate.not_after"), Some(&Value::from("2021-01-01T00:00:00.000000000Z")));
    assert_eq!(at_key(&connection, "tls.certificate.names.0"), Some(&Value::from("localhost")));
    // In TLS 1.3 it is encrypted.
    assert_eq!(at_key(&recorded("self-signed"), "tls.certificate"), Some(&Value::Null));
}

#[test]
fn row_93_what_was_valid_then_is_valid() {
    // Recorded in November 2026; in June 2020 the certificate was good, and the client's clock must be wrong.
    let six_years = 6 * 365 * 86_400 + 150 * 86_400;
    let connection = moved("expired-tls12", -six_years);
    assert_eq!(at_key(&connection, "tls.certificate.defect"), Some(&Value::Null));
    assert_eq!(verdict(&connection), ("tls-client-clock", "tls_certificate_expired", "client", "likely"));
}

#[test]
fn row_93_an_hour_outside_the_dates_may_be_a_clock_and_the_fix_says_so() {
    const NEW_YEAR_2021: i64 = 1_609_459_200;
    const NEW_YEAR_2049: i64 = 2_493_072_000;
    let at = |case: &str, time: i64| {
        let file = fs::read(fixture(case)).expect("recorded");
        let first = u32::from_le_bytes(file[24..28].try_into().expect("four bytes"));
        moved(case, time - i64::from(first))
    };
    for (case, bound, hour, defect) in [
        ("expired-tls12", NEW_YEAR_2021, 3600, "expired"),
        ("not-yet-valid-tls12", NEW_YEAR_2049, -3600, "not_yet_valid"),
    ] {
        let outside = at(case, bound + hour);
        assert_eq!(at_key(&outside, "tls.certificate.defect"), Some(&Value::from(defect)), "{case}");
        let fixes = at_key(&outside, "diagnosis.fixes").and_then(Value::as_array).expect("fixes");
        let names_clock = |fix: &Value| fix["text"].as_str().is_some_and(|text| text.contains("clock"));
        assert!(fixes.iter().any(names_clock), "{case}: {fixes:?}");
        let inside = at(case, bound - hour);
        assert_eq!(at_key(&inside, "tls.certificate.defect"), Some(&Value::Null), "{case}");
    }
}

// Row 94.

#[test]
fn row_94_a_websocket_without_keys_is_inferred_and_never_certain() {
    for case in ["good-without-keys", "good-tls12-without-keys"] {
        let connection = recorded(case);
        assert_eq!(verdict(&connection), ("encrypted-probable-close", "encrypted", "unknown", "possible"), "{case}");
        // `close:1000:bye` by the client: a status code of two bytes and a reason of three.
        assert_eq!(at_key(&connection, "tls.websocket.close.initiator"), Some(&Value::from("client")), "{case}");
        assert_eq!(at_key(&connection, "tls.websocket.close.payload"), Some(&Value::from(5)), "{case}");
        assert_eq!(at_key(&connection, "close.code"), Some(&Value::Null), "{case}: no code is known");
    }
}

#[test]
fn row_94_pings_idle_and_who_closed() {
    // Pings every 20 s, then the server closes with a code and no reason, after 60 s.
    let mut talk = asked(&["http/1.1"], 300, 150);
    (0..4).for_each(|_| ping(&mut talk, 20.0));
    talk.wait(60.0).server().bytes(&sealed(4));
    talk.wait(0.01).client().bytes(&sealed(8));
    talk.server().bytes(&sealed(2)).fin();
    talk.client().fin();
    let connection = one(judged(talk));
    assert_eq!(verdict(&connection).0, "encrypted-probable-close");
    assert_eq!(at_key(&connection, "tls.websocket.confidence"), Some(&Value::from("likely")));
    assert_eq!(at_key(&connection, "tls.websocket.close.initiator"), Some(&Value::from("server")));
    assert_eq!(at_key(&connection, "tls.websocket.close.payload"), Some(&Value::from(2)));
    let interval = at_key(&connection, "tls.websocket.ping_interval_s").and_then(Value::as_f64).expect("Pings");
    assert!((19.9..20.2).contains(&interval), "{interval}");

    let connection = recorded_idle_cut();
    assert_eq!(verdict(&connection).1, "idle_timeout");
    assert_eq!(at_key(&connection, "tls.websocket.close"), Some(&Value::Null));
}

/// nginx cut the client's side, which is TLS, after `proxy_read_timeout 10s`.
fn recorded_idle_cut() -> Value {
    let file = File::open(fixture("idle-cut-without-keys")).expect("recorded");
    let connections = analyse(file).expect("a capture").connections;
    connections.into_iter().find(|connection| connection["transport"] == "wss").expect("the client's side")
}

#[test]
fn row_94_near_misses_of_https_are_only_counted() {
    let polls = |offer: &[&str], sizes: &[(usize, usize)]| {
        let mut talk = asked(offer, 200, 150);
        for &(client, server) in sizes.iter().cycle().take(30) {
            talk.wait(1.5).client().bytes(&sealed(client));
            talk.wait(0.01).server().bytes(&sealed(server));
        }
        talk.wait(2.0).server().bytes(&sealed(2)).fin();
        talk.client().fin();
        talk
    };
    let mut late_bodies = asked(&["http/1.1"], 200, 150);
    for _ in 0..10 {
        // A server that answers before the body has come.
        late_bodies.wait(1.5).client().bytes(&sealed(170));
        late_bodies.wait(0.001).server().bytes(&sealed(133));
        late_bodies.wait(0.001).client().bytes(&sealed(8));
    }
    late_bodies.server().bytes(&sealed(2)).fin();
    late_bodies.client().bytes(&sealed(2)).fin();
    let mut events = asked(&["http/1.1"], 200, 150);
    for _ in 0..30 {
        events.wait(15.0).server().bytes(&sealed(8));
    }
    events.server().fin();
    events.client().fin();
    let mut http2 = tls_1_3(&[]);
    http2.server().bytes(&sealed(40));
    http2.client().bytes(&sealed(150));
    for _ in 0..30 {
        // DATA and WINDOW_UPDATE, PING and its answer.
        http2.wait(1.0).server().bytes(&sealed(9));
        http2.wait(0.01).client().bytes(&sealed(13));
        http2.wait(1.0).server().bytes(&sealed(17));
        http2.wait(0.01).client().bytes(&sealed(17));
    }
    http2.server().fin();
    http2.client().fin();
    for (name, talk) in [
        ("polls of one size, four bytes apart", polls(&["http/1.1"], &[(130, 126)])),
        ("polls with small bodies", polls(&[], &[(180, 152), (180, 130)])),
        ("small messages of another protocol", polls(&[], &[(2, 2)])),
        ("echoes without a mask", polls(&["http/1.1"], &[(7, 7), (10, 10)])),
        ("late bodies", late_bodies),
        ("server-sent events", events),
        ("HTTP/2", http2),
    ] {
        let analysis = judged(talk);
        assert_eq!((analysis.connections.len(), analysis.summary.tls), (0, 1), "{name}");
    }
}

#[test]
fn row_94_ordinary_https_raises_nothing() {
    // Between curl, requests, httpx, aiohttp and Node on one side, nginx, Node and aiohttp on the other; see
    // fixtures/record/https_traffic.py. The whole recording is measured in docs/tls-inference.md.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/https-sample.pcap.gz");
    let analysis = analyse(File::open(path).expect("kept beside this test")).expect("a capture");
    assert!(analysis.connections.is_empty(), "{:?}", analysis.connections);
    assert!(analysis.summary.tls >= 20, "{}", analysis.summary.tls);
}

#[test]
fn row_94_missing_bytes_make_no_pairs() {
    let mut talk = asked(&["http/1.1"], 200, 129);
    for _ in 0..3 {
        talk.wait(5.0).server().lost(&sealed(2)).bytes(&sealed(40));
        talk.wait(0.01).client().bytes(&sealed(6));
    }
    talk.server().fin();
    talk.client().fin();
    assert_eq!(judged(talk).connections.len(), 0);
}

// Row 95.

#[test]
fn row_95_h2_chosen_and_an_upgrade_of_http_1_1() {
    let speak = |chosen: &str, answer: usize| {
        let mut talk = tls_1_2(Some(chosen));
        talk.wait(0.01).client().bytes(&sealed_1_2(200));
        talk.wait(0.01).server().bytes(&sealed_1_2(answer));
        talk.server().bytes(&farewell_1_2()).fin();
        talk.client().fin();
        judged(talk)
    };
    // SETTINGS of two entries and GOAWAY (RFC 9113 §6.5, §6.8): 21 and 17 bytes.
    let connection = one(speak("h2", 38));
    assert_eq!(verdict(&connection), ("tls-http2-chosen", "h2_connect_unsupported", "client", "possible"));
    assert_eq!(at_key(&connection, "tls.alpn"), Some(&Value::from("h2")));
    assert_eq!(at_key(&connection, "tls.alpn_offered"), Some(&serde_json::json!(["h2", "http/1.1"])));
    // A response is one, and with http/1.1 nothing was chosen wrongly.
    assert_eq!(speak("h2", 400).summary.tls, 1);
    assert_eq!(speak("http/1.1", 38).summary.tls, 1);
    // TLS 1.3 hides the choice, and says so.
    let hidden = recorded("good-without-keys");
    assert_eq!(at_key(&hidden, "tls.alpn"), Some(&Value::Null));
}
