//! Every bound of [`Limits`]: its default is finite, a test reaches it, and what was left out is told, in every language.

use super::runs::{Found, IntoCapture, analyse, analyse_with_keys, upgraded};
use super::support::net::flags;
use super::support::{Acks, Capture, Conversation, Frame, Link, Packet, PcapFormat, Segment, Upgrade};
use std::collections::BTreeSet;
use wsdissect::catalog::language::Language;
use wsdissect::limits::{LimitHits, Limits};

/// The report says so for a person and for a program.
#[track_caller]
fn is_told(found: &Found, name: &str, count: u64, words: &str) {
    assert_eq!(found.hits(name), count, "{name}");
    let text = found.text(Language::En).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("{words}: {count}")), "{name}: {words:?} is missing in\n{text}");
    let json = found.json();
    assert_eq!(json.last().expect("the summary")["limits_hit"][name], count, "{name}");
}

/// One connection for each address, one after the other.
fn connections(count: u8, each: impl Fn(&mut Conversation)) -> Vec<u8> {
    let conversations = (1..=count).map(|i| {
        let mut c = Conversation::new(&format!("10.0.0.{i}:40000"), "192.0.2.1:80");
        c.at(super::support::conversation::START + i64::from(i) * 1_000_000_000).acks(Acks::Never).connect();
        each(&mut c);
        c
    });
    Capture::of(conversations).pcap()
}

/// A name for each entry of [`LimitHits`] has words in every language, and the words differ from each other.
#[test]
fn every_bound_has_words_in_every_language() {
    let told = |language| {
        let mut found = Found::default();
        found.summary.limits = LimitHits {
            packet_bytes: 101,
            block_bytes: 102,
            interfaces: 103,
            secrets: 104,
            search: 105,
            captures: 106,
            flows: 107,
            kept: 108,
            reorder: 109,
            fragments: 110,
            tunnels: 111,
            http_head: 112,
            resync: 113,
            probe: 114,
            inflate: 115,
            tls_handshake: 116,
            tls_sessions: 117,
            tls_join: 118,
        };
        let names: BTreeSet<_> = found.summary.limits.named().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 18, "each has a name of its own");
        (found.text(language), found.json(), names)
    };
    let mut texts = BTreeSet::new();
    for language in Language::all() {
        let (text, json, names) = told(language);
        for count in 101..=118 {
            assert!(text.contains(&count.to_string()), "{language:?} tells how often: {count} in\n{text}");
        }
        for name in &names {
            assert!(!text.contains(&format!("limit.{name}")), "{language:?} has no words for {name}:\n{text}");
        }
        let hit: BTreeSet<_> = json[0]["limits_hit"].as_object().expect("an object").keys().cloned().collect();
        assert!(names.iter().all(|name| hit.contains(*name)));
        assert!(texts.insert(text), "{language:?} has words of its own");
    }
}

/// A field that is added without a default, a test here and a line in the docs does not compile or fails.
#[test]
fn every_bound_is_finite_and_documented() {
    let text = include_str!("../../docs/limits.md");
    let source = include_str!("../../src/limits.rs");
    let of = |name: &str| {
        let fields = source.split(&format!("pub struct {name} {{")).nth(1).and_then(|rest| rest.split("\n}").next());
        fields.expect("it is there").lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next())
    };
    let fields = of("Limits").filter(|&name| name != "capture").chain(of("CaptureLimits"));
    let mut count = 0;
    for field in fields {
        assert!(text.contains(&format!("`{field}`")), "docs/limits.md says nothing of {field}");
        count += 1;
    }
    assert!(count >= 27, "{count} fields were found");
    for (name, _) in LimitHits::default().named() {
        assert!(text.contains(&format!("`{name}`")), "docs/limits.md says nothing of {name}");
    }
}

#[test]
fn flows() {
    let capture = connections(5, |c| {
        c.upgrade();
    });
    let found = analyse(&capture, Limits { flows: 3, ..Limits::default() });
    is_told(&found, "flows", 2, "connections forgotten because too many were open at once");
    assert_eq!(found.connections, 5, "they are reported all the same");
}

#[test]
fn kept_bytes() {
    let capture = connections(3, |c| {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(1000));
        c.client().bytes(head.as_bytes());
    });
    let found = analyse(&capture, Limits { kept_bytes_total: 2500, ..Limits::default() });
    is_told(&found, "kept", 1, "connections forgotten because too many unfinished bytes were waiting");
}

fn behind_a_hole() -> Vec<u8> {
    let mut c = upgraded(&Upgrade::default());
    c.acks(Acks::Never);
    c.client().lost(&[0; 5]).text("one").text("two").text("three").text("four");
    c.into_capture()
}

#[test]
fn reorder_in_bytes_segments_and_total() {
    let words = "times that out-of-order data did not fit and missing bytes were given up";
    for limits in [
        Limits { reorder_segments_per_end: 2, ..Limits::default() },
        Limits { reorder_bytes_per_end: 250, ..Limits::default() },
        Limits { reorder_bytes_total: 250, ..Limits::default() },
    ] {
        is_told(&analyse(&behind_a_hole(), limits), "reorder", 1, words);
    }
    assert_eq!(analyse(&behind_a_hole(), Limits::default()).hits("reorder"), 0);
}

/// Each SYN of its own address as first fragments only.
fn fragments(count: u8) -> Vec<u8> {
    let mut bytes = PcapFormat::default().header(Link::Raw);
    for i in 0..count {
        let source = std::net::SocketAddr::from(([10, 0, 0, i + 1], 40_000));
        let payload = vec![1; 100];
        let identification = u16::from(i);
        let segment = Segment {
            flags: flags::ACK,
            payload,
            identification,
            ..Segment::new(source, "192.0.2.1:80".parse().expect("an address"))
        };
        let packet = Packet::new(i64::from(i), super::support::net::Content::Segment(segment));
        PcapFormat::default().record(&packet.fragments(64)[0], Link::Raw, &mut bytes);
    }
    bytes
}

#[test]
fn fragments_in_number_and_bytes() {
    let words = "fragmented IP packets given up to make room";
    let found = analyse(&fragments(5), Limits { fragmented_datagrams: 3, ..Limits::default() });
    is_told(&found, "fragments", 2, words);
    let found = analyse(&fragments(5), Limits { fragment_bytes: 300, ..Limits::default() });
    is_told(&found, "fragments", 3, words);
}

/// A datagram whose last fragment comes after [`Limits::fragment_seconds`] is given up; another one, in time, is not.
#[test]
fn fragments_in_time() {
    let run = |seconds: i64| {
        let mut c = upgraded(&Upgrade::default());
        c.client().text("a text that is long enough for two fragments of a datagram, which needs some more words");
        let mut packets = c.packets().to_vec();
        let text = packets.len() - 2;
        let mut parts = packets[text].fragments(64);
        assert!(parts.len() > 1);
        let late = packets.last().expect("the acknowledgement").time + seconds * 1_000_000_000;
        parts.last_mut().expect("several").time = late;
        packets.splice(text..=text, parts);
        let mut capture = Capture::new();
        capture.extend(packets);
        analyse(&capture.pcap(), Limits::default()).only().connection.traffic.client.text_messages
    };
    assert_eq!((run(1), run(29), run(31)), (1, 1, 0));
}

#[test]
fn tunnels() {
    let mut c = Conversation::new("10.0.0.1:40000", "192.0.2.1:80");
    c.connect();
    let mut inner = c.packets()[0].segment().ip();
    for _ in 0..3 {
        let len = ((20 + inner.len()) as u16).to_be_bytes();
        let header = [0x45, 0, len[0], len[1], 0, 7, 0, 0, 64, 4, 0, 0, 10, 0, 0, 9, 10, 0, 0, 8];
        inner = [&header[..], &inner].concat();
    }
    let mut bytes = PcapFormat::default().header(Link::Raw);
    let packet = Packet::new(0, super::support::net::Content::Ip(inner));
    PcapFormat::default().record(&packet, Link::Raw, &mut bytes);
    let words = "packets with too many tunnels inside each other";
    is_told(&analyse(&bytes, Limits { tunnel_depth: 2, ..Limits::default() }), "tunnels", 1, words);
    assert_eq!(analyse(&bytes, Limits { tunnel_depth: 3, ..Limits::default() }).hits("tunnels"), 0);
}

#[test]
fn http_heads_in_bytes_and_fields() {
    let words = "HTTP heads too long to read";
    // Request and response are longer than 100 bytes; only the request has more than three fields.
    let [few_bytes, few_fields] =
        [Limits { http_head_bytes: 100, ..Limits::default() }, Limits { http_headers: 3, ..Limits::default() }];
    for (limits, count) in [(few_bytes, 2), (few_fields, 1)] {
        let mut c = Conversation::new("10.0.0.1:40000", "192.0.2.1:80");
        c.connect().upgrade();
        is_told(&analyse(&c.into_capture(), limits), "http_head", count, words);
    }
}

#[test]
fn inflated_messages() {
    let mut c = upgraded(&Upgrade::deflate(""));
    c.client().text("it is longer than ten bytes").text("short");
    let found = analyse(&c.into_capture(), Limits { inflated_message_bytes: 10, ..Limits::default() });
    is_told(&found, "inflate", 1, "compressed messages that inflate to more than is looked at");
}

#[test]
fn tls_hellos() {
    let mut c = Conversation::new("10.0.0.1:40000", "192.0.2.1:443");
    c.connect();
    c.client().bytes(&[&[22, 3, 1, 0, 204, 1, 0, 0, 200, 3, 3][..], &[0; 198]].concat());
    c.server().rst();
    let found = analyse(&c.into_capture(), Limits { tls_handshake_bytes: 199, ..Limits::default() });
    is_told(&found, "tls_handshake", 1, "TLS hellos too long to read");
}

#[test]
fn tls_sessions() {
    let line = |random: u8| format!("CLIENT_RANDOM {} {}\n", format!("{random:02x}").repeat(32), "ab".repeat(48));
    let limits = Limits { tls_sessions: 3, ..Limits::default() };
    let mut analyzer = wsdissect::Analyzer::new(wsdissect::Options { limits, ..wsdissect::Options::default() });
    let read = analyzer.secrets((0..5).map(line).collect::<String>().as_bytes());
    assert_eq!((read.added, read.left_out), (3, 2));
    let mut found = Found::default();
    found.summary = analyzer.summary();
    is_told(&found, "tls_sessions", 2, "secrets of TLS sessions left out");
}

/// A TLS 1.3 connection whose start is not in the capture, and the secrets of sessions that are not its own.
#[test]
fn tls_join() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    for _ in 0..4 {
        c.client().bytes(&[&[23, 3, 3, 0, 40][..], &[7; 40]].concat());
        c.server().bytes(&[&[23, 3, 3, 0, 40][..], &[9; 40]].concat());
    }
    c.client().fin();
    let capture = c.into_capture();
    let line =
        |random: u8| format!("SERVER_TRAFFIC_SECRET_0 {} {}\n", format!("{random:02x}").repeat(32), "ab".repeat(32));
    let keys: String = (0..5).map(line).collect();
    let read = |tls_join_trials, tls_join_records| {
        let limits = Limits { tls_join_trials, tls_join_records, ..Limits::default() };
        analyse_with_keys(&capture, limits, &keys)
    };
    is_told(&read(4000, 1 << 16), "tls_join", 1, "TLS connections joined late for which not all keys were tried");
    assert_eq!(read(1 << 24, 100).hits("tls_join"), 0, "that they are another's is a decision");
}

/// These three are told by the connection itself.
#[test]
fn violations_and_timeline() {
    let mut c = upgraded(&Upgrade::default());
    for _ in 0..50 {
        c.client().frame(Frame::new(0, [1]));
    }
    let limits = Limits { violations: 5, timeline_first: 3, timeline_last: 4, ..Limits::default() };
    let found = analyse(&c.into_capture(), limits);
    let connection = &found.only().connection;
    assert_eq!((connection.violations.len(), connection.violations_dropped), (5, 45));
    assert_eq!(found.json()[0]["violations_total"], 50);
    // Those of TCP's opening are put before the first three.
    assert!(connection.timeline.first().len() <= 5 && connection.timeline.last().len() == 4);
    assert!(connection.timeline.skipped() >= 43);
}

/// What comes later than that is of no connection.
#[test]
fn linger_seconds() {
    let run = |linger_seconds| {
        let mut c = upgraded(&Upgrade::default());
        c.client().fin();
        c.server().fin();
        c.wait(10.0).client().ack();
        let packets = c.count() as u64;
        let found = analyse(&c.into_capture(), Limits { linger_seconds, ..Limits::default() });
        assert_eq!(found.summary.flows, 1, "late packets open no connection of their own");
        packets - found.only().connection.last.packet.value()
    };
    assert_eq!((run(5), run(20)), (1, 0));
}
