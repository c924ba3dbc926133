//! Connections that died below WebSocket: silence, resets out of nowhere, receivers that stopped, packets too large for
//! the path, and attempts that never got as far as HTTP.
//!
//! What must come out follows from how each conversation is written, and each has a near miss beside it: the same picture
//! with the one thing missing that would prove the verdict.

mod common;
mod support;

use common::analyse;
use serde_json::Value;
use std::io::Cursor;
use std::net::SocketAddr;
use support::net::{Content, checksum, flags};
use support::{Acks, Capture, Conversation, Packet, Segment, Side};
use wsdissect::capture::Reader;
use wsdissect::catalog::language::Language;
use wsdissect::evidence::WhyUnknown::{CaptureEnded, OneSided};
use wsdissect::evidence::{FactId, Known, Value as FactValue, WhyUnknown};
use wsdissect::fleet::ConnectionReport;
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::report::text::TextReport;
use wsdissect::{Analyzer, Options};

/// One connection with everything that is said of it.
struct Told {
    report: ConnectionReport,
    json: Value,
    text: String,
}

impl Told {
    fn of(packets: Vec<Packet>) -> Self {
        let mut all = Self::each(packets);
        assert_eq!(all.len(), 1, "one connection is expected");
        all.remove(0)
    }

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
        std::iter::from_fn(|| analyzer.next_report())
            .map(|report| {
                let json = serde_json::to_value(ConnectionObject::new(&report, "capture", &speaker)).expect("JSON");
                let text = TextReport::new(&speaker, 4000).connection(&report);
                Self { report, json, text }
            })
            .collect()
    }

    fn rule(&self) -> &str {
        self.json["diagnosis"]["rule"].as_str().expect("a rule")
    }

    /// Cause and party.
    fn verdict(&self) -> (&str, &str) {
        let word = |key: &str| self.json["diagnosis"][key].as_str().expect("a word");
        (word("cause"), word("party"))
    }

    #[track_caller]
    fn says(&self, part: &str) {
        assert!(self.text.contains(part), "{part:?} is not in\n{}", self.text);
    }

    fn known(&self, fact: &str) -> &Known<FactValue> {
        self.report.facts.get(FactId::by_name(fact).unwrap_or_else(|| panic!("no fact {fact}")))
    }

    #[track_caller]
    fn number(&self, fact: &str) -> f64 {
        self.known(fact).seen().and_then(FactValue::number).unwrap_or_else(|| panic!("{fact}: {:?}", self.known(fact)))
    }

    fn word(&self, fact: &str) -> &str {
        self.known(fact).seen().and_then(FactValue::text).unwrap_or_else(|| panic!("{fact}: {:?}", self.known(fact)))
    }

    #[track_caller]
    fn absent(&self, fact: &str) {
        assert_eq!(self.known(fact), &Known::Absent, "{fact}");
    }

    #[track_caller]
    fn unknown(&self, fact: &str, why: WhyUnknown) {
        assert_eq!(self.known(fact), &Known::Unknown(why), "{fact}");
    }
}

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 0.01
}

/// A WebSocket connection with a message each way.
fn talking() -> Conversation {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect().upgrade();
    talk.client().text("hello");
    talk.server().text("hello");
    talk
}

/// Sends the packet with this index again after each of these pauses, and nobody answers.
fn repeat(talk: &mut Conversation, index: usize, pauses: &[f64]) {
    for pause in pauses {
        talk.wait(*pause).retransmit(index);
    }
}

/// What the packets of `side` from `index` on acknowledge.
fn acknowledge_no_more_than(talk: &mut Conversation, side: Side, index: usize, ack: u32) {
    let port = if side == Side::Client { 40000 } else { 80 };
    for packet in talk.packets_mut().iter_mut().skip(index) {
        let segment = packet.segment_mut();
        if segment.source.port() == port && segment.has(flags::ACK) {
            segment.ack = ack;
        }
    }
}

/// A RST as hosts send it that know no such connection: without an acknowledgement (RFC 9293 §3.5.2).
fn stray_rst(talk: &mut Conversation, side: Side) {
    talk.side(side).rst();
    let segment = talk.packets_mut().last_mut().expect("the RST").segment_mut();
    (segment.flags, segment.ack) = (flags::RST, 0);
}

/// A packet of another connection, so that the capture goes on.
fn later(talk: &Conversation, seconds: f64) -> Packet {
    let mut other = Conversation::new("10.9.9.9:1234", "10.9.9.8:4321");
    other.connect();
    let mut packet = other.into_packets().remove(1);
    packet.time = talk.now() + (seconds * 1e9) as i64;
    packet
}

/// The doubling timer of RFC 6298 §5.5.
const BACKOFF: [f64; 6] = [0.2, 0.4, 0.8, 1.6, 3.2, 6.4];

/// The client's message after 40 s of silence is never acknowledged; `pauses` lie before its repetitions.
fn dying(pauses: &[f64]) -> Conversation {
    let mut talk = talking();
    talk.wait(40.0).acks(Acks::Never);
    let lost = talk.count();
    talk.client().text("anybody there?");
    repeat(&mut talk, lost, pauses);
    talk
}

#[test]
fn row_26_silent_death_names_the_silent_side_and_the_backoff() {
    let told = Told::of(dying(&BACKOFF).into_packets());
    assert_eq!(told.rule(), "open-peer-silent");
    assert_eq!(told.verdict(), ("network_loss", "network"));
    assert_eq!(told.number("end.unanswered_retransmissions"), 6.0);
    assert_eq!(told.word("end.silent_side"), "server");
    assert!(near(told.number("end.silent_s"), 40.0 + 12.6), "{}", told.number("end.silent_s"));
    assert!(near(told.number("end.first_retry_s"), 0.4), "{}", told.number("end.first_retry_s"));
    assert!(near(told.number("end.last_retry_s"), 6.4), "{}", told.number("end.last_retry_s"));
    assert!(near(told.number("end.idle_before_s"), 40.0), "{}", told.number("end.idle_before_s"));
    assert_eq!(told.known("end.backoff"), &Known::Seen(FactValue::Bool(true)));
    told.says("sent again 6 times");
    told.says("NAT or firewall");
}

#[test]
fn row_26_a_client_that_gives_up_changes_nothing() {
    let mut talk = dying(&BACKOFF);
    talk.wait(1.0).client().fin();
    let told = Told::of(talk.into_packets());
    assert_eq!((told.rule(), told.verdict()), ("no-close-peer-silent", ("network_loss", "network")));
}

#[test]
fn row_26_a_capture_that_ends_is_no_death() {
    let told = Told::of(dying(&[]).into_packets());
    assert_eq!(told.verdict().0, "still_open");
    told.absent("end.silent_side");
    told.unknown("end.unacked_side", CaptureEnded);
}

#[test]
fn row_26_one_direction_tells_nothing_of_silence() {
    let mut packets = dying(&BACKOFF).into_packets();
    packets.retain(|packet| packet.segment().source.port() != 80);
    let told = Told::of(packets);
    told.unknown("end.silent_side", OneSided);
    assert_ne!(told.verdict().0, "network_loss");
}

#[test]
fn row_26_a_side_that_is_heard_again_was_not_silent() {
    // The server goes on sending, and only its acknowledgements lag: a lossy path, not a dead one.
    let mut talk = dying(&BACKOFF[..3]);
    let (lost, acked) = (talk.count() - 4, talk.packets()[talk.count() - 4].segment().seq);
    talk.server().text("still here");
    acknowledge_no_more_than(&mut talk, Side::Server, lost, acked);
    let told = Told::of(talk.into_packets());
    told.absent("end.silent_side");
    assert_ne!(told.rule(), "open-peer-silent");
}

#[test]
fn row_26_a_hole_in_the_silent_side_leaves_it_open() {
    // Bytes of the server are missing, and the capture lost whatever acknowledged the client's.
    let mut talk = dying(&BACKOFF);
    talk.server().lost(&[0; 500]);
    talk.server().text("heard");
    let told = Told::of(talk.into_packets());
    assert_ne!(told.verdict().0, "network_loss", "{}", told.text);
}

#[test]
fn row_26_a_host_that_comes_back_resets_what_it_does_not_know() {
    let mut talk = dying(&BACKOFF);
    stray_rst(&mut talk, Side::Server);
    let told = Told::of(talk.into_packets());
    assert_eq!((told.rule(), told.verdict()), ("no-close-host-back", ("network_loss", "network")));
    told.says("restarted");

    // A RST that acknowledges comes from a host that knows the connection.
    let mut talk = dying(&BACKOFF);
    let (from, acked) = (talk.count(), talk.packets()[talk.count() - 7].segment().seq);
    talk.server().rst();
    acknowledge_no_more_than(&mut talk, Side::Server, from, acked);
    assert_eq!(Told::of(talk.into_packets()).rule(), "no-close-peer-silent");
}

#[test]
fn row_26_a_forgotten_connection_is_reset_at_the_first_word_after_the_silence() {
    let forgotten = |idle: f64| {
        let mut talk = talking();
        talk.wait(idle).acks(Acks::Never);
        talk.client().text("back again").wait(0.03);
        stray_rst(&mut talk, Side::Server);
        Told::of(talk.into_packets())
    };
    let told = forgotten(351.0);
    assert_eq!((told.rule(), told.verdict()), ("no-close-forgotten", ("idle_timeout", "network")));
    assert!(near(told.number("end.idle_before_s"), 351.0));
    assert_ne!(forgotten(2.0).verdict().0, "idle_timeout", "two seconds are no idle time");
}

/// The client closes its window for so long, then the server ends.
fn not_reading(seconds: f64, end: impl FnOnce(&mut Conversation)) -> Told {
    let mut talk = talking();
    talk.server().text("much");
    talk.window(Side::Client, 0).client().ack();
    talk.wait(seconds);
    end(&mut talk);
    Told::of(talk.into_packets())
}

#[test]
fn row_27_a_window_closed_until_the_end_says_who_stopped_reading() {
    let told = not_reading(12.0, |talk| {
        talk.server().rst();
    });
    assert_eq!((told.rule(), told.verdict()), ("no-close-slow-consumer", ("slow_consumer", "client")));
    assert!(near(told.number("end.zero_window_s"), 12.0));
    told.says("12.0 s");
    told.says("stopped reading");

    let blink = not_reading(0.2, |talk| {
        talk.server().rst();
    });
    assert_ne!(blink.verdict().0, "slow_consumer", "a window may close for a moment");
}

#[test]
fn row_27_a_close_that_comes_through_when_the_window_opens_is_the_slow_readers_too() {
    let close = |pause: f64| {
        not_reading(12.0, |talk| {
            talk.window(Side::Client, 500).client().ack();
            talk.wait(pause);
            talk.server().close(1008, "too slow");
            talk.client().close(1008, "");
            talk.server().fin();
            talk.client().fin();
        })
    };
    let told = close(0.1);
    assert_eq!((told.rule(), told.verdict()), ("close-slow-consumer", ("slow_consumer", "client")));
    assert!(near(told.number("end.zero_window_s"), 12.0));
    assert_ne!(close(60.0).verdict().0, "slow_consumer", "it had been reading again for a minute");
}

#[test]
fn row_27_a_window_that_never_opens_is_no_lost_path() {
    // Probes of a closed window are no keep-alives either.
    let mut talk = talking();
    talk.server().text("much");
    talk.window(Side::Client, 0).client().ack();
    for _ in 0..4 {
        talk.wait(10.0).server().keep_alive();
    }
    let told = Told::of(talk.into_packets());
    assert_eq!((told.rule(), told.verdict()), ("open-client-not-reading", ("slow_consumer", "client")));
    told.absent("keepalive.tcp_interval_s");
}

#[test]
fn row_28_both_cadences_and_the_gap_they_left_are_reported() {
    let mut talk = talking();
    for _ in 0..4 {
        talk.wait(10.0).server().ping(b"?");
        talk.client().pong(b"?");
    }
    for _ in 0..3 {
        talk.wait(15.0).client().keep_alive();
    }
    talk.wait(15.0).server().fin();
    let told = Told::of(talk.into_packets());
    assert_eq!((told.rule(), told.verdict().0), ("no-close-idle-60", "idle_timeout"));
    assert!(near(told.json["keepalive"]["ping_interval_s"].as_f64().expect("a number"), 10.0));
    assert!(near(told.json["keepalive"]["tcp_interval_s"].as_f64().expect("a number"), 15.0));
    told.says("After 60.0 s");
    told.says("keep-alives went every 15.0 s");
    told.says("Pings, every 10.0 s");

    let mut talk = talking();
    talk.wait(60.0).server().fin();
    let silent = Told::of(talk.into_packets());
    assert!(silent.json["keepalive"]["tcp_interval_s"].is_null());
    assert!(!silent.text.contains("keep-alive"), "{}", silent.text);
}

/// Three messages of the client, of which the server acknowledges the first; then it resets.
fn lost_to_a_reset() -> Conversation {
    let mut talk = talking();
    talk.client().text("one");
    talk.acks(Acks::Never);
    let second = talk.count();
    talk.client().text("second").text("third");
    let acked = talk.packets()[second].segment().seq;
    talk.server().rst();
    acknowledge_no_more_than(&mut talk, Side::Server, second, acked);
    talk
}

#[test]
fn row_29_messages_that_were_never_acknowledged_are_counted() {
    let told = Told::of(lost_to_a_reset().into_packets());
    // Header, key and text of each frame (RFC 6455 §5.2).
    let bytes = (2 + 4 + 6) + (2 + 4 + 5);
    assert_eq!(told.json["unacknowledged"]["client"], serde_json::json!({ "messages": 2, "bytes": bytes }));
    assert_eq!(told.json["unacknowledged"]["server"], serde_json::json!({ "messages": 0, "bytes": 0 }));
    assert_eq!(told.word("end.unacked_side"), "client");
    told.says("Messages sent by the client that were never acknowledged: 2");
}

#[test]
fn row_29_a_reset_that_acknowledges_everything_loses_nothing() {
    let mut talk = talking();
    talk.acks(Acks::Never).client().text("second").text("third");
    talk.server().rst();
    let told = Told::of(talk.into_packets());
    told.absent("client.unacked_messages");
    told.absent("end.unacked_side");
}

#[test]
fn row_29_what_was_on_its_way_is_not_lost() {
    let mut talk = talking();
    talk.acks(Acks::Never).client().text("second").text("third");
    let told = Told::of(talk.packets().to_vec());
    told.unknown("client.unacked_messages", CaptureEnded);
    assert_eq!(told.json["unacknowledged"]["client"]["unknown"], "capture_ended");

    // The same, and the capture goes on for longer than any acknowledgement may take.
    let packets = [talk.packets(), &[later(&talk, 5.0)]].concat();
    let told = Told::of(packets);
    assert_eq!(told.number("client.unacked_messages"), 2.0);
    assert_eq!(told.verdict().0, "still_open", "nothing was sent again: no loss is claimed");
}

#[test]
fn row_29_one_direction_acknowledges_nothing() {
    let mut packets = lost_to_a_reset().into_packets();
    packets.retain(|packet| packet.segment().source.port() != 80);
    Told::of(packets).unknown("client.unacked_messages", OneSided);
}

#[test]
fn row_29_an_acknowledgement_recorded_before_its_data_counts() {
    let mut talk = talking();
    talk.client().text("acknowledged");
    talk.server().rst();
    let last = talk.count();
    talk.packets_mut().swap(last - 3, last - 2);
    Told::of(talk.into_packets()).absent("client.unacked_messages");
}

/// An ICMP error of `reporter` about a segment: type, code and the four bytes behind the checksum (RFC 792).
fn icmp(reporter: &str, kind: u8, code: u8, rest: [u8; 4], about: &Packet, seconds_later: f64) -> Packet {
    let quoted = about.segment();
    let mut message = [&[kind, code, 0, 0][..], &rest, &quoted.ip()[..28]].concat();
    let sum = checksum(&[&message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let reporter: SocketAddr = format!("{reporter}:0").parse().expect("an address");
    // Any IP header will do; its protocol becomes ICMP.
    let mut ip = Segment::new(reporter, quoted.source).ip();
    ip.truncate(20);
    ip.extend_from_slice(&message);
    let length = (ip.len() as u16).to_be_bytes();
    ip[2..4].copy_from_slice(&length);
    ip[9] = 1;
    ip[10..12].fill(0);
    let sum = checksum(&[&ip[..20]]);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    Packet::new(about.time + (seconds_later * 1e9) as i64, Content::Ip(ip))
}

/// A WebSocket at 10.0.0.2:80, then what another client tries there.
fn beside_a_websocket(attempt: Vec<Packet>) -> Vec<Told> {
    let mut talk = talking();
    talk.client().close(1000, "");
    talk.server().close(1000, "").fin();
    talk.client().fin();
    let mut all = Told::each([talk.into_packets(), attempt].concat());
    all.retain(|told| told.json["client"]["port"] == 41000);
    all
}

fn attempt() -> Conversation {
    let mut talk = Conversation::new("10.0.0.1:41000", "10.0.0.2:80");
    talk.at(support::conversation::START + 100_000_000_000).connect();
    talk
}

/// Only the first `count` packets of an attempt.
fn attempt_of(count: usize) -> Conversation {
    let mut talk = attempt();
    talk.packets_mut().truncate(count);
    talk
}

#[track_caller]
fn only(mut all: Vec<Told>) -> Told {
    assert_eq!(all.len(), 1, "one attempt is expected");
    all.remove(0)
}

#[test]
fn row_109_attempts_that_never_reached_http_are_listed_with_their_cause() {
    let mut refused = attempt_of(1);
    refused.server().rst();
    let told = only(beside_a_websocket(refused.into_packets()));
    assert_eq!((told.rule(), told.verdict().0), ("connection-refused", "connection_refused"));

    let mut unanswered = attempt_of(1);
    repeat(&mut unanswered, 0, &[1.0, 2.0, 4.0]);
    let told = only(beside_a_websocket(unanswered.into_packets()));
    assert_eq!((told.rule(), told.verdict()), ("connection-timeout", ("connection_timeout", "network")));
    told.says("4 SYNs in 7.000 s");

    let mut unheard = attempt_of(2);
    repeat(&mut unheard, 1, &[1.0, 2.0]);
    let told = only(beside_a_websocket(unheard.into_packets()));
    assert_eq!((told.rule(), told.verdict().0), ("connection-syn-ack-lost", "connection_timeout"));
    assert_eq!(told.word("tcp.open"), "unacknowledged");

    let mut hung_up = attempt();
    hung_up.server().fin();
    let told = only(beside_a_websocket(hung_up.into_packets()));
    assert_eq!((told.rule(), told.verdict()), ("connection-hung-up", ("dropped", "server")));
}

#[test]
fn row_109_what_icmp_says_of_a_syn_is_the_cause() {
    let syn = attempt_of(1).into_packets();
    for (code, rule, cause, word) in [
        (1, "connection-unreachable", "unreachable", "host_unreachable"),
        (0, "connection-unreachable", "unreachable", "network_unreachable"),
        (3, "connection-prohibited", "connection_refused", "port_unreachable"),
        (13, "connection-prohibited", "connection_refused", "prohibited"),
    ] {
        let error = icmp("10.0.0.254", 3, code, [0; 4], &syn[0], 0.02);
        let told = only(beside_a_websocket(vec![syn[0].clone(), error]));
        assert_eq!((told.rule(), told.verdict()), (rule, (cause, "network")), "code {code}");
        assert_eq!((told.word("icmp.error"), told.word("icmp.from")), (word, "10.0.0.254"));
        told.says("10.0.0.254");
    }
}

#[test]
fn row_109_a_router_that_once_complained_does_not_undo_an_answer() {
    let mut talk = talking();
    let error = icmp("10.0.0.254", 3, 1, [0; 4], &talk.packets()[0], 0.00005);
    talk.packets_mut().insert(1, error);
    talk.server().fin();
    let told = Told::of(talk.into_packets());
    assert_eq!(told.word("tcp.open"), "completed");
    told.says("host unreachable (ICMP)");
}

#[test]
fn row_109_an_icmp_error_about_another_number_is_of_another_connection() {
    let mut talk = talking();
    let mut about = talk.packets()[3].clone();
    about.segment_mut().seq = about.segment().seq.wrapping_add(1 << 30);
    let error = icmp("10.0.0.254", 3, 1, [0; 4], &about, 0.1);
    talk.packets_mut().push(error);
    Told::of(talk.into_packets()).absent("icmp.error");
}

#[test]
fn row_109_health_checks_and_scans_are_no_failed_attempts() {
    let mut check = attempt();
    check.wait(0.001).client().fin();
    check.server().fin();
    assert!(beside_a_websocket(check.into_packets()).is_empty(), "the client left by itself");

    let mut unused = attempt();
    unused.wait(60.0).server().fin();
    assert!(beside_a_websocket(unused.into_packets()).is_empty(), "the server was tired of waiting");

    let mut scan = attempt_of(2);
    scan.client().rst();
    assert!(beside_a_websocket(scan.into_packets()).is_empty(), "the client never wanted it");
}

#[test]
fn row_109_a_request_that_does_not_get_through_is_no_server_that_does_not_answer() {
    let request = "GET / HTTP/1.1\nHost: example.test\nUpgrade: websocket\nConnection: Upgrade\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13";
    let unanswered = |acks: Acks, pauses: &[f64]| {
        let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        talk.connect();
        talk.acks(acks);
        talk.request(request);
        repeat(&mut talk, 3, pauses);
        talk.wait(10.0).client().fin();
        Told::of(talk.into_packets())
    };
    let lost = unanswered(Acks::Never, &BACKOFF);
    assert_eq!((lost.rule(), lost.verdict()), ("handshake-request-lost", ("network_loss", "network")));
    let ignored = unanswered(Acks::PerWrite, &[]);
    assert_eq!(ignored.verdict(), ("no_answer", "server"));
}

/// The server's message of 2000 bytes goes out in segments of 1460 and the rest; the first is lost however often it is
/// sent, the rest and all small packets pass. `before` happens first.
fn black_hole(before: impl FnOnce(&mut Conversation), client_lives: bool) -> (Conversation, usize) {
    let mut talk = talking();
    before(&mut talk);
    talk.acks(Acks::Never);
    let large = talk.count();
    talk.server().text(&"x".repeat(2000));
    let acked = talk.packets()[large].segment().seq;
    assert_eq!(talk.packets()[large].segment().payload.len(), 1460);
    for pause in BACKOFF {
        if client_lives {
            talk.client().ack();
        }
        repeat(&mut talk, large, &[pause]);
    }
    if client_lives {
        talk.client().ping(b"there?");
    }
    acknowledge_no_more_than(&mut talk, Side::Client, large, acked);
    (talk, large)
}

#[test]
fn row_110_large_segments_that_vanish_while_small_ones_pass_are_an_mtu_black_hole() {
    let (talk, _) = black_hole(|_| {}, true);
    let told = Told::of(talk.into_packets());
    assert_eq!((told.rule(), told.verdict()), ("open-mtu-black-hole", ("network_loss", "network")));
    assert_eq!(told.number("mtu.stuck_bytes"), 1460.0);
    assert_eq!(told.number("tcp.mss"), 1460.0);
    assert!((1.0..200.0).contains(&told.number("mtu.largest_acked")), "{}", told.number("mtu.largest_acked"));
    told.absent("icmp.error");
    told.says("1,460 bytes");
    told.says("MSS");

    let (mut talk, large) = black_hole(|_| {}, true);
    let acked = talk.packets()[large].segment().seq;
    talk.wait(20.0).client().fin();
    acknowledge_no_more_than(&mut talk, Side::Client, large, acked);
    assert_eq!(Told::of(talk.into_packets()).rule(), "no-close-mtu-black-hole");
}

#[test]
fn row_110_a_router_that_names_the_size_is_quoted() {
    let (mut talk, large) = black_hole(|_| {}, false);
    let error = icmp("10.0.0.254", 3, 4, [0, 0, 0x05, 0x78], &talk.packets()[large], 0.00005);
    talk.packets_mut().insert(large + 1, error);
    let told = Told::of(talk.into_packets());
    assert_eq!(told.rule(), "open-mtu-black-hole");
    assert_eq!((told.number("icmp.mtu"), told.word("icmp.side")), (1400.0, "server"));
    told.says("1,400 bytes");
}

#[test]
fn row_110_a_loss_after_segments_as_large_got_through_is_no_black_hole() {
    let passed = |talk: &mut Conversation| {
        talk.server().text(&"y".repeat(1456));
    };
    let told = Told::of(black_hole(passed, true).0.into_packets());
    told.absent("mtu.stuck_bytes");
    assert_eq!(told.rule(), "open-unanswered");
}

#[test]
fn row_110_a_side_that_is_silent_altogether_is_gone() {
    let told = Told::of(black_hole(|_| {}, false).0.into_packets());
    told.absent("mtu.stuck_bytes");
    assert_eq!(told.rule(), "open-peer-silent");
}

#[test]
fn attempts_alone_in_a_capture_are_told_too() {
    let mut talk = attempt();
    talk.wait(1.0).client().fin();
    let mut capture = Capture::new();
    capture.extend(talk.into_packets());
    let analysis = analyse(Cursor::new(capture.pcap())).expect("a capture");
    assert_eq!(analysis.connections.len(), 1);
    assert_eq!(analysis.connections[0]["diagnosis"]["rule"], "connection-no-request");
}
