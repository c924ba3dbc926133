//! Devices on the path: what the silence, the age and the way of the end say about who cut a connection, and what the
//! handshake adds to it.
//!
//! Limits, settings and ways to cut come from the makers' documentation, from source or from measurements, as the table
//! of devices says; none is taken from what the program prints. Each verdict has near misses beside it.

mod common;
mod support;

use serde_json::Value;
use std::io::Cursor;
use std::sync::Arc;
use support::net::flags;
use support::{Acks, Capture, Conversation, Packet, Side, Upgrade};
use wsdissect::capture::Reader;
use wsdissect::catalog::knowledge::Knowledge;
use wsdissect::catalog::language::Language;
use wsdissect::middlebox::{Cut, Ending, Recognised};
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::report::text::TextReport;
use wsdissect::units::{self, Origin, PacketNumber};
use wsdissect::{Analyzer, Options};

/// What is said of one connection.
struct Told {
    json: Value,
    text: String,
}

impl Told {
    fn of(talk: Conversation) -> Self {
        Self::packets(talk.into_packets())
    }

    fn packets(packets: Vec<Packet>) -> Self {
        let mut capture = Capture::new();
        capture.extend(packets);
        let mut analyzer = Analyzer::new(Options::default());
        let mut reader = Reader::open(Cursor::new(capture.pcap())).expect("a capture");
        while let Some(packet) = reader.next_packet().expect("whole packets") {
            analyzer.packet(&packet);
        }
        analyzer.finish();
        let report = analyzer.next_report().expect("a connection");
        assert!(analyzer.next_report().is_none(), "one connection is expected");
        let speaker = Speaker::new(Language::En);
        Self {
            json: serde_json::to_value(ConnectionObject::new(&report, "capture", &speaker)).expect("JSON"),
            text: TextReport::new(&speaker, 4000).connection(&report),
        }
    }

    fn diagnosis(&self, key: &str) -> &str {
        self.json["diagnosis"][key].as_str().expect("a word")
    }

    /// Cause, party and confidence.
    fn verdict(&self) -> [&str; 3] {
        ["cause", "party", "confidence"].map(|key| self.diagnosis(key))
    }

    #[track_caller]
    fn says(&self, part: &str) {
        assert!(self.text.contains(part), "{part:?} is not in\n{}", self.text);
    }

    #[track_caller]
    fn is_silent_on(&self, part: &str) {
        assert!(!self.text.contains(part), "{part:?} is in\n{}", self.text);
    }
}

/// A WebSocket connection with a message each way; the handshake carries these lines.
fn talking(host: &str, request: &[&str], response: &[&str]) -> Conversation {
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect().upgrade_with(&Upgrade {
        host: host.into(),
        request_headers: lines(request),
        response_headers: lines(response),
        ..Upgrade::default()
    });
    talk.client().text("hello");
    talk.server().text("hello");
    talk
}

fn behind(response: &[&str]) -> Conversation {
    talking("example.test", &[], response)
}

/// Nothing for so long, then FIN from this side, answered.
fn idle_then_fin(mut talk: Conversation, seconds: f64, by: Side) -> Told {
    talk.wait(seconds).side(by).fin();
    talk.side(by.other()).fin();
    Told::of(talk)
}

/// A message every second until the connection is so old; then FIN from the server's side.
fn busy_until(mut talk: Conversation, age: f64) -> Told {
    let born = talk.now();
    let left = |talk: &Conversation| age - (talk.now() - born) as f64 / 1e9;
    let step = (age / 25.0).max(1.0);
    while left(&talk) > 1.5 * step {
        talk.wait(step).client().text("tick");
    }
    let rest = left(&talk);
    talk.wait(rest - 0.7).client().text("tock");
    let rest = left(&talk);
    talk.wait(rest).server().fin();
    talk.client().fin();
    Told::of(talk)
}

/// A RST as hosts send it that know no such connection: without an acknowledgement (RFC 9293 §3.5.2).
fn stray_rst(talk: &mut Conversation, side: Side) {
    talk.side(side).rst();
    let segment = talk.packets_mut().last_mut().expect("the RST").segment_mut();
    (segment.flags, segment.ack) = (flags::RST, 0);
}

#[test]
fn row_85_the_silence_names_every_device_that_has_it_as_its_default() {
    let told = idle_then_fin(behind(&[]), 60.0, Side::Server);
    assert_eq!(told.verdict(), ["idle_timeout", "unknown", "likely"]);
    for part in ["60.0 s", "nginx proxy_read_timeout", "AWS ALB idle_timeout.timeout_seconds"] {
        told.says(part);
    }
    // It shows itself in every handshake that passes it, and did not.
    told.is_silent_on("Fly.io");
    told.says("or such a timer of the server itself");
    told.says("nginx: proxy_read_timeout 120s;");
    told.says("at least every 30 s");

    for (seconds, device) in [(300.0, "Envoy stream_idle_timeout"), (3600.0, "Envoy idle_timeout")] {
        let told = idle_then_fin(behind(&[]), seconds, Side::Server);
        assert_eq!(told.verdict(), ["idle_timeout", "unknown", "likely"], "{seconds}");
        told.says(device);
    }
}

#[test]
fn row_85_near_misses_of_an_idle_timer() {
    // 57 s and 72 s are nobody's.
    for seconds in [57.0, 72.0] {
        let told = idle_then_fin(behind(&["Server: nginx/1.24.0"]), seconds, Side::Server);
        assert_eq!(told.diagnosis("confidence"), "possible", "{seconds}: {}", told.text);
    }
    // Sixty seconds after the last message, but Pings went on.
    let mut talk = behind(&["Server: nginx/1.24.0"]);
    for _ in 0..5 {
        talk.wait(10.0).client().ping(b"?");
        talk.server().pong(b"?");
    }
    assert_ne!(idle_then_fin(talk, 8.3, Side::Server).diagnosis("cause"), "idle_timeout");
    // Sixty seconds, but two hundred were survived before: whatever cut it was no idle timer of 60 s.
    let mut talk = behind(&[]);
    talk.wait(200.0).server().text("still here");
    let told = idle_then_fin(talk, 60.0, Side::Server);
    assert_ne!(told.diagnosis("cause"), "idle_timeout", "{}", told.text);
    // A rhythm of 30 s is no timer of 30 s.
    let mut talk = behind(&[]);
    for _ in 0..4 {
        talk.wait(30.0).client().text("beat");
    }
    let told = idle_then_fin(talk, 30.0, Side::Server);
    assert_ne!(told.diagnosis("confidence"), "likely", "{}", told.text);
    // Bytes that the capture lacks may have broken the silence.
    let mut talk = behind(&[]);
    talk.wait(30.0).client().lost(&[0; 40]);
    talk.wait(30.0).server().fin();
    talk.client().fin();
    assert_ne!(Told::of(talk).diagnosis("confidence"), "likely");
}

#[test]
fn row_101_the_fix_names_side_setting_and_value_of_what_was_recognised() {
    for (seconds, headers, setting) in [
        (60.0, "Server: nginx/1.24.0", "proxy_read_timeout 120s;"),
        (60.0, "Server: awselb/2.0", "Key=idle_timeout.timeout_seconds,Value=120"),
        (60.0, "Set-Cookie: AWSALB=c2VjcmV0; Path=/", "Key=idle_timeout.timeout_seconds,Value=120"),
        (300.0, "server: envoy", "stream_idle_timeout: 600s"),
        (300.0, "x-envoy-upstream-service-time: 3", "stream_idle_timeout: 600s"),
        (60.0, "Server: Apache/2.4.57 (Debian)", "ProxyTimeout 120"),
        (3600.0, "Server: haproxy", "timeout tunnel 7200s"),
    ] {
        let told = idle_then_fin(behind(&[headers]), seconds, Side::Server);
        assert_eq!(told.verdict(), ["idle_timeout", "proxy", "likely"], "{headers}\n{}", told.text);
        told.says(setting);
        told.is_silent_on("c2VjcmV0");
        let fixes = told.json["diagnosis"]["fixes"].as_array().expect("a list");
        assert!(fixes.iter().any(|fix| fix["who"] == "proxy" && fix["text"].as_str().unwrap_or("").contains(setting)));
    }
    // A value set by hand is raised from where it is.
    idle_then_fin(behind(&["Server: nginx"]), 600.0, Side::Server).says("proxy_read_timeout 1200s;");
}

#[test]
fn decision_059_to_063_close_frames_of_idle_timers() {
    let closed = |mut talk: Conversation, silence: f64, code: u16, reason: &str| {
        talk.wait(silence).server().close(code, reason);
        talk.client().close(code, "");
        talk.server().fin();
        talk.client().fin();
        Told::of(talk)
    };
    assert_eq!(closed(behind(&[]), 60.0, 1000, "").diagnosis("cause"), "idle_timeout", "59: cowboy");
    assert_eq!(closed(behind(&[]), 60.0, 1002, "").diagnosis("cause"), "idle_timeout", "60: Bandit");
    let jetty = closed(behind(&[]), 30.0, 1001, "Connection Idle Timeout");
    assert_eq!((jetty.diagnosis("cause"), jetty.diagnosis("party")), ("idle_timeout", "server"), "61: Jetty");
    let tomcat = closed(behind(&[]), 47.0, 1001, "The WebSocket session [0] idle timeout expired");
    assert_eq!((tomcat.diagnosis("cause"), tomcat.diagnosis("party")), ("idle_timeout", "server"), "62: Tomcat");

    let gateway = || talking("abc123.execute-api.eu-west-1.amazonaws.com", &[], &[]);
    let idle = closed(gateway(), 600.0, 1001, "Going away");
    assert_eq!(idle.verdict(), ["idle_timeout", "proxy", "likely"], "63: {}", idle.text);
    idle.says("AWS API Gateway");
    let mut talk = gateway();
    let born = talk.now();
    for _ in 0..14 {
        talk.wait(500.0).client().text("tick");
    }
    let rest = 7200.0 - (talk.now() - born) as f64 / 1e9;
    let old = closed(talk, rest, 1001, "Going away");
    assert_eq!(old.verdict(), ["lifetime_limit", "proxy", "likely"], "63: {}", old.text);
    // The same after eleven minutes in all, or from another host, is no limit of the gateway.
    assert_ne!(closed(gateway(), 411.0, 1001, "Going away").diagnosis("cause"), "idle_timeout");
    assert_ne!(closed(behind(&[]), 600.0, 1001, "Going away").diagnosis("party"), "proxy");
}

#[test]
fn decision_066_caddy_closes_its_tunnels_when_it_is_reloaded() {
    let closed = |headers: &[&str], reason: &str| {
        let mut talk = behind(headers);
        talk.wait(7.3).server().close(1001, reason);
        talk.client().close(1001, "");
        talk.server().fin();
        Told::of(talk)
    };
    for headers in [["Server: Caddy"], ["Via: 1.1 Caddy"]] {
        let told = closed(&headers, "");
        assert_eq!(told.verdict(), ["going_away", "proxy", "likely"], "{}", told.text);
        told.says("stream_close_delay");
    }
    // Caddy gives no reason, and other servers close so as well.
    assert_ne!(closed(&["Via: 1.1 Caddy"], "deploy").diagnosis("party"), "proxy");
    assert_ne!(closed(&["Server: uvicorn"], "").diagnosis("party"), "proxy");
}

#[test]
fn decision_084_to_085_a_client_that_leaves_without_a_word() {
    let mut talk = behind(&[]);
    talk.wait(3.7).client().fin();
    talk.server().fin();
    let told = Told::of(talk);
    assert_eq!((told.diagnosis("cause"), told.diagnosis("party")), ("dropped", "client"), "84");
    let mut talk = behind(&[]);
    talk.wait(3.7).client().rst();
    let told = Told::of(talk);
    assert_eq!((told.diagnosis("cause"), told.diagnosis("party")), ("reset", "client"), "85");
}

#[test]
fn decision_086_to_092_idle_timers_of_recognised_devices() {
    for (row, seconds, host, headers, rst) in [
        (86, 60.0, "example.test", "Server: nginx", false),
        (89, 55.0, "example.test", "Via: 1.1 vegur", false),
        (89, 55.0, "app.herokuapp.com", "Server: Cowboy", true),
        (90, 60.0, "example.test", "Server: awselb/2.0", true),
        (91, 100.0, "example.test", "CF-RAY: 8a1b2c3d4e5f6a7b-AMS", false),
        (91, 100.0, "example.test", "CF-RAY: 8a1b2c3d4e5f6a7b-AMS", true),
        (92, 300.0, "example.test", "server: istio-envoy", false),
    ] {
        let end = |seconds: f64| {
            let mut talk = talking(host, &[], &[headers]);
            talk.wait(seconds);
            if rst {
                talk.server().rst();
            } else {
                talk.server().fin();
                talk.client().fin();
            }
            Told::of(talk)
        };
        let told = end(seconds);
        assert_eq!(told.verdict(), ["idle_timeout", "proxy", "likely"], "{row}: {headers}\n{}", told.text);
        let missed = end(seconds * 0.77);
        assert_ne!(missed.diagnosis("confidence"), "likely", "{row}: {headers}\n{}", missed.text);
    }
    // Nobody can raise Cloudflare's.
    idle_then_fin(behind(&["CF-RAY: 8a1b2c3d4e5f6a7b-AMS"]), 100.0, Side::Server)
        .says("Cloudflare does not allow that");
}

#[test]
fn decision_086_guard_b_a_client_that_talks_keeps_nginx_and_haproxy() {
    // The server is silent for a minute, the client is not: no timer of nginx (measured: it stays open).
    let mut talk = behind(&["Server: nginx/1.22.1"]);
    for _ in 0..59 {
        talk.wait(1.0).client().ping(b"?");
    }
    let told = idle_then_fin(talk, 1.0, Side::Server);
    assert_ne!(told.diagnosis("cause"), "idle_timeout", "{}", told.text);
    // CloudFront counts bytes of the origin alone.
    let front = ["Via: 1.1 0f1e2d.cloudfront.net (CloudFront)", "X-Amz-Cf-Id: abc"];
    let mut talk = behind(&front);
    for _ in 0..39 {
        talk.wait(15.0).client().text("tick");
    }
    let told = idle_then_fin(talk, 15.0, Side::Server);
    assert_eq!(told.verdict(), ["idle_timeout", "proxy", "likely"], "{}", told.text);
    told.says("Amazon CloudFront");
}

#[test]
fn decision_086_guard_c_tcp_keep_alives_keep_no_proxy_but_load_balancers() {
    let probed = |every: f64, count: usize, headers: &[&str], both: bool| {
        let mut talk = behind(headers);
        for _ in 0..count {
            talk.wait(every).client().keep_alive();
        }
        talk.wait(every);
        if both {
            talk.server().rst();
            talk.step(0).client().rst();
        } else {
            talk.server().fin();
            talk.client().fin();
        }
        Told::of(talk)
    };
    let nginx = probed(15.0, 3, &["Server: nginx"], false);
    assert_eq!(nginx.verdict(), ["idle_timeout", "proxy", "likely"]);
    nginx.says("TCP keep-alives went every 15.0 s; proxies do not count them as traffic");
    // Azure's load balancer counts packets: after probes every minute its four minutes have not passed.
    probed(60.0, 3, &[], true).is_silent_on("Azure Load Balancer");
}

#[test]
fn decision_087_haproxy_ends_its_two_legs_differently() {
    // On the leg to the server HAProxy is the client, and resets.
    let forwarded = ["x-forwarded-for: 192.0.2.1"];
    let mut talk = talking("example.test", &forwarded, &[]);
    talk.wait(3600.0).client().rst();
    let told = Told::of(talk);
    assert_eq!(told.diagnosis("cause"), "idle_timeout");
    told.says("HAProxy timeout tunnel");
    told.is_silent_on("nginx proxy_read_timeout");
    // On the leg to the client it sends FIN, as nginx does.
    let told = idle_then_fin(behind(&[]), 3600.0, Side::Server);
    told.says("HAProxy timeout tunnel");
    told.says("nginx proxy_read_timeout");
}

#[test]
fn decision_088_google_ends_connections_by_age() {
    let told = busy_until(behind(&["Via: 1.1 google"]), 30.0);
    assert_eq!(told.verdict(), ["lifetime_limit", "proxy", "likely"], "{}", told.text);
    told.says("timeoutSec");
    told.says("--timeout=3600s");
    // Silent all the time, it is the age too.
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect().upgrade_with(&Upgrade { response_headers: vec!["Via: 1.1 google".into()], ..Upgrade::default() });
    talk.wait(30.0).server().fin();
    assert_eq!(Told::of(talk).diagnosis("cause"), "lifetime_limit");
    // An hour that somebody has set.
    assert_eq!(busy_until(behind(&["Via: 1.1 google"]), 3600.0).verdict(), ["lifetime_limit", "proxy", "likely"]);
    // At another age, or behind nobody known, it is no certain thing.
    assert_ne!(busy_until(behind(&["Via: 1.1 google"]), 41.0).diagnosis("cause"), "lifetime_limit");
    assert_eq!(busy_until(behind(&[]), 30.0).diagnosis("confidence"), "possible");
}

#[test]
fn decision_093_to_095_what_forgets_an_idle_connection() {
    let forgotten = |idle: f64| {
        let mut talk = behind(&[]);
        talk.wait(idle).acks(Acks::Never);
        talk.client().text("back again").wait(0.03);
        stray_rst(&mut talk, Side::Server);
        Told::of(talk)
    };
    let told = forgotten(355.0);
    assert_eq!(told.verdict(), ["idle_timeout", "network", "likely"], "93");
    told.says("AWS NLB tcp.idle_timeout.seconds");
    told.says("AWS NAT gateway");
    let short = forgotten(250.0);
    short.says("Azure Load Balancer");
    short.is_silent_on("AWS NLB");
    assert_ne!(forgotten(3.0).diagnosis("cause"), "idle_timeout");

    // 94: with TCP reset switched on both ends are told at once.
    let both = |seconds: f64| {
        let mut talk = behind(&[]);
        talk.wait(seconds).server().rst();
        talk.step(0).client().rst();
        Told::of(talk)
    };
    let told = both(240.0);
    assert_eq!(told.verdict(), ["idle_timeout", "network", "likely"], "94: {}", told.text);
    told.says("Azure Load Balancer idleTimeoutInMinutes");
    assert_ne!(both(4.3).diagnosis("cause"), "idle_timeout", "94: no silence");

    // 95: what is sent after the silence is never acknowledged.
    let mut talk = behind(&[]);
    talk.wait(400.0).acks(Acks::Never);
    let lost = talk.count();
    talk.client().text("anybody there?");
    for pause in [0.2, 0.4, 0.8, 1.6, 3.2] {
        talk.wait(pause).retransmit(lost);
    }
    talk.wait(6.4).client().fin();
    let told = Told::of(talk);
    assert_eq!((told.diagnosis("cause"), told.diagnosis("party")), ("network_loss", "network"), "95");
    told.says("400.0 s");
}

#[test]
fn decision_096_a_reset_after_a_silence_that_took_another_way() {
    let mut talk = behind(&[]);
    talk.wait(1800.0).hop_limit(Side::Server, 250).server().rst();
    let told = Told::of(talk);
    assert_eq!(told.verdict(), ["idle_timeout", "network", "likely"], "{}", told.text);
}

#[test]
fn decision_097_a_service_that_ends_every_connection_after_a_day() {
    let day = |age: f64, host: &str| {
        let mut talk = talking(host, &[], &[]);
        let born = talk.now();
        for _ in 0..47 {
            talk.wait(1800.0).server().ping(b"?");
            talk.client().pong(b"?");
        }
        let rest = age - (talk.now() - born) as f64 / 1e9;
        talk.wait(rest).server().fin();
        talk.client().fin();
        Told::of(talk)
    };
    let told = day(86_352.0, "stream.binance.com:9443");
    assert_eq!(told.verdict(), ["lifetime_limit", "server", "likely"], "{}", told.text);
    told.says("Binance");
    assert_ne!(day(86_000.0, "stream.binance.com:9443").diagnosis("cause"), "lifetime_limit");
}

#[test]
fn decision_098_a_round_silence_that_is_in_no_table_is_an_unknown_timer() {
    let told = idle_then_fin(behind(&[]), 90.0, Side::Server);
    assert_eq!(told.verdict(), ["idle_timeout", "unknown", "likely"]);
    told.says("a round time");
}

#[test]
fn decision_102_to_105_receivers_and_paths_that_failed() {
    // 102: the receiver closed its window and did not open it again.
    let mut talk = behind(&[]);
    talk.server().text("much");
    talk.window(Side::Client, 0).client().ack();
    talk.wait(60.0).server().fin();
    let told = Told::of(talk);
    assert_eq!((told.diagnosis("cause"), told.diagnosis("party")), ("slow_consumer", "client"), "102: no idle timer");

    // 104: bursts of loss, then the end: repeated and answered, so the path still worked.
    let mut talk = behind(&[]);
    talk.acks(Acks::Never);
    let lost = talk.count();
    talk.server().text("lost and found");
    for pause in [0.2, 0.4, 0.8] {
        talk.wait(pause).retransmit(lost);
    }
    talk.wait(1.6).server().fin();
    let told = Told::of(talk);
    assert_eq!((told.diagnosis("cause"), told.diagnosis("party")), ("network_loss", "network"), "104: {}", told.text);
}

#[test]
fn a_half_open_connection_is_found_by_the_next_word() {
    let pinged = |known: bool| {
        let mut talk = behind(&[]);
        talk.wait(12.0).acks(Acks::Never).client().ping(b"?").wait(0.02);
        if known {
            talk.server().rst();
        } else {
            stray_rst(&mut talk, Side::Server);
        }
        Told::of(talk)
    };
    let told = pinged(false);
    assert_eq!((told.diagnosis("rule"), told.diagnosis("confidence")), ("no-close-half-open", "possible"));
    assert_ne!(pinged(true).diagnosis("rule"), "no-close-half-open", "a host that acknowledges knows the connection");
}

#[test]
fn a_machine_that_slept_is_told_from_a_path_that_forgot() {
    let woken = |pings: usize| {
        let mut talk = behind(&[]);
        for _ in 0..pings {
            talk.wait(20.0).client().ping(b"?");
            talk.server().pong(b"?");
        }
        talk.wait(600.0).acks(Acks::Never).client().ping(b"?").wait(0.02);
        stray_rst(&mut talk, Side::Server);
        Told::of(talk)
    };
    let told = woken(5);
    assert_eq!((told.diagnosis("rule"), told.diagnosis("party")), ("no-close-asleep", "client"), "{}", told.text);
    told.says("a Ping every 20.0 s");
    // Who never pinged had no rhythm to lose.
    assert_eq!(woken(0).diagnosis("rule"), "no-close-forgotten");
}

#[test]
fn where_the_capture_begins_late_no_device_is_named() {
    let mut talk = behind(&["Server: nginx"]);
    for _ in 0..8 {
        talk.client().text("who is there?").ping(b"?");
        talk.server().pong(b"?").text("nobody that you know");
    }
    talk.wait(60.0).server().fin();
    talk.client().fin();
    let late = talk.into_packets().into_iter().skip(8).collect();
    let told = Told::packets(late);
    assert_eq!(told.diagnosis("party"), "unknown", "{}", told.text);
}

#[test]
fn the_table_is_listed() {
    let list = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wsdissect"));
        let output = command.args(arguments).output().expect("the program runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let text = list(&["devices"]);
    for part in ["nginx", "proxy_read_timeout", "AWS NLB", "350 s"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let json: Value = serde_json::from_str(&list(&["devices", "-T", "json"])).expect("JSON");
    let nginx = json.as_array().expect("a list").iter().find(|device| device["name"] == "nginx").expect("nginx");
    let limit = &nginx["limits"][0];
    assert_eq!((&limit["kind"], &limit["seconds"][0]), (&Value::from("idle"), &Value::from(60.0)));
    assert_eq!((&limit["grade"], &limit["client"][0]), (&Value::from("measured"), &Value::from("fin")));
}

#[test]
fn no_limit_fits_where_none_is_that_short() {
    let table = &Knowledge::builtin().tables.middleboxes;
    let seen: Vec<Recognised> = units::Side::BOTH
        .into_iter()
        .flat_map(|side| {
            let at = Origin { packet: PacketNumber::FIRST, time: None };
            table.all().iter().map(move |device| Recognised { device: Arc::clone(device), side, at })
        })
        .collect();
    let (mut fitting, mut excluded) = (0, 0);
    for cut in [Cut::Fin, Cut::Rst, Cut::Forgotten, Cut::Close(1001, b""), Cut::Close(1000, b"Idle Timeout")] {
        for (by, tenths) in (0..6100).flat_map(|tenths| units::Side::BOTH.map(|side| (side, tenths))) {
            let seconds = Some(f64::from(tenths) / 10.0);
            let ending = Ending {
                cut,
                by,
                silence: seconds,
                client_silence: seconds,
                server_silence: seconds,
                idle_before: seconds,
                probed: false,
                lifetime: seconds,
                survived: None,
                handshake_seen: true,
            };
            let (idle, lifetime) = (table.match_idle(&seen, &ending), table.match_lifetime(&seen, &ending));
            assert!(table.has_idle_limit(&ending) || idle.is_empty(), "{ending:?}: {idle:?}");
            assert!(table.has_lifetime_limit(&ending) || lifetime.is_empty(), "{ending:?}: {lifetime:?}");
            fitting += idle.len() + lifetime.len();
            excluded += usize::from(!table.has_idle_limit(&ending)) + usize::from(!table.has_lifetime_limit(&ending));
        }
    }
    assert!(fitting > 100 && excluded > 100, "{fitting} {excluded}");
}
