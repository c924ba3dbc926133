//! Rows 54 to 63 and 86 to 98: heartbeats, and what stacks and devices do when nothing is heard.

use super::AtMost::Likely;
use super::Row;
use super::messages::closed;
use super::scenes::{KEY, accepted, answered_by, asked_for, good_request, greet, open, talk};
use crate::support::net::flags;
use crate::support::{Acks, Conversation, Side, Upgrade};

/// The server pings twice, is answered once, and waits.
fn ping_unanswered(payload: &[u8], period: f64, patience: f64) -> Conversation {
    let mut talk = open();
    talk.wait(period).server().ping(payload);
    talk.wait(0.01).client().pong(payload);
    talk.wait(period).server().ping(payload);
    talk.wait(patience);
    talk
}

fn gave_up(mut talk: Conversation, code: Option<(u16, &str)>) -> Conversation {
    match code {
        Some((code, reason)) => talk.server().close(code, reason).fin(),
        None => talk.server().fin(),
    };
    talk.wait(0.1).client().fin();
    talk
}

fn late_pong() -> Conversation {
    let mut talk = open();
    talk.wait(20.0).server().ping(b"abcd");
    talk.wait(20.0).server().close(1011, "keepalive ping timeout");
    talk.wait(2.0).client().pong(b"abcd");
    talk.client().close(1011, "keepalive ping timeout");
    talk.server().fin();
    talk.client().fin();
    talk
}

fn engine_io() -> Conversation {
    let mut talk = asked_for("example.test", "/socket.io/?EIO=4&transport=websocket");
    talk.wait(0.1)
        .server()
        .text(r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#);
    talk.wait(25.0).server().text("2");
    talk.wait(0.01).client().text("3");
    talk.wait(25.0).server().text("2");
    talk.wait(20.0);
    talk
}

fn silent(mut talk: Conversation, seconds: f64) -> Conversation {
    talk.wait(seconds);
    talk
}

pub(super) fn stacks() -> Vec<Row> {
    let engine_io = {
        let mut talk = engine_io();
        talk.server().close_empty();
        talk.wait(1.0).server().fin();
        talk.client().fin();
        talk
    };
    let keepalive: &[&str] = &["keepalive_timeout"];
    let client: &[&str] = &["client", "network"];
    let idle: &[&str] = &["idle_timeout"];
    let either: &[&str] = &["server", "client", "unknown"];
    vec![
        Row::new(
            54,
            "Ping without Pong for 20 s, 1011",
            gave_up(ping_unanswered(b"\x01\x02\x03\x04", 20.0, 20.0), Some((1011, "keepalive ping timeout"))),
        )
        .is(keepalive, client),
        Row::new(55, "the Pong comes too late", late_pong()).is(keepalive, client),
        Row::new(56, "Engine.IO's 2 without a 3", engine_io).is(keepalive, client),
        Row::new(
            57,
            "Deno's Ping without Pong",
            gave_up(ping_unanswered(b"", 15.0, 15.0), Some((1001, "No response from ping frame."))),
        )
        .is(keepalive, client),
        Row::new(58, "empty Ping, FIN 10 s later", gave_up(ping_unanswered(b"", 20.0, 10.0), None))
            .is(keepalive, client),
        Row::new(
            59,
            "60.0 s of silence, then 1000 without a reason",
            closed(silent(open(), 60.0), Side::Server, 1000, ""),
        )
        .is(idle, either)
        .at_most(Likely),
        Row::new(
            60,
            "60.0 s of silence, then 1002 and nothing wrong",
            closed(silent(open(), 60.0), Side::Server, 1002, ""),
        )
        .is(idle, either)
        .at_most(Likely),
        Row::new(
            61,
            "Jetty's reason after 30 s",
            closed(silent(open(), 30.0), Side::Server, 1001, "Connection Idle Timeout"),
        )
        .is(idle, either),
        Row::new(
            62,
            "Tomcat's reason",
            closed(silent(open(), 45.0), Side::Server, 1001, "The WebSocket session [0] idle timeout expired"),
        )
        .is(idle, either),
        Row::new(
            63,
            "API gateway after 600 s of silence",
            closed(
                silent(asked_for("abc.execute-api.eu-west-1.amazonaws.com", "/prod"), 600.0),
                Side::Server,
                1001,
                "Going away",
            ),
        )
        .is(idle, &["server", "proxy", "client", "unknown"]),
        Row::new(63, "API gateway after two hours with traffic", {
            let mut talk = asked_for("abc.execute-api.eu-west-1.amazonaws.com", "/prod");
            busy(&mut talk, 7200.0 - 0.4, 120.0);
            closed(talk, Side::Server, 1001, "Going away")
        })
        .is(&["lifetime_limit"], &["server", "proxy", "client", "unknown"]),
    ]
}

/// Messages both ways every `period` seconds at most, the last of them half a second before `seconds` are over.
fn busy(talk: &mut Conversation, seconds: f64, period: f64) {
    let mut left = seconds - 0.5;
    while left > 0.0 {
        let pause = left.min(period);
        talk.wait(pause).client().text("tick");
        talk.server().text("tock");
        left -= pause;
    }
    talk.wait(0.5);
}

fn cut(mut talk: Conversation) -> Conversation {
    talk.server().fin();
    talk.client().fin();
    talk
}

fn reset_on_next(mut talk: Conversation) -> Conversation {
    talk.acks(Acks::Never).client().text("are you there?");
    talk.wait(0.05).server().rst();
    // Who does not know a connection has nothing to acknowledge (RFC 9293 §3.5.2).
    let reset = talk.packets_mut().last_mut().expect("the RST").segment_mut();
    (reset.flags, reset.ack) = (flags::RST, 0);
    talk
}

pub(super) fn devices() -> Vec<Row> {
    let idle: &[&str] = &["idle_timeout"];
    let proxy: &[&str] = &["proxy"];
    let haproxy = {
        let mut front = talk();
        let mut back = Conversation::new("10.0.0.2:51000", "10.0.0.9:8080");
        front.request(&good_request(&[])).wait(0.005);
        back.wait(0.001).connect().upgrade_with(&Upgrade { key: Some(KEY.to_owned()), ..Upgrade::default() });
        front.respond(101, &accepted(), "");
        greet(&mut front);
        back.wait(0.005);
        greet(&mut back);
        front.wait(60.0);
        let end = front.now();
        front.server().fin();
        front.client().fin();
        back.at(end + 50_000).client().rst();
        [front.into_packets(), back.into_packets()].concat()
    };
    let google = {
        let mut talk = answered_by(&["Via: 1.1 google"]);
        busy(&mut talk, 29.6, 2.0);
        cut(talk)
    };
    let binance = {
        let mut talk = open();
        busy(&mut talk, 86_399.6, 180.0);
        cut(talk)
    };
    let nat = {
        let mut talk = open();
        talk.wait(900.0).acks(Acks::Never).client().text("are you there?");
        let sent = talk.count() - 1;
        for seconds in [0.3, 0.6, 1.2, 2.4, 4.8, 9.6] {
            talk.wait(seconds).retransmit(sent);
        }
        talk.wait(19.0).client().rst();
        talk
    };
    let azure = {
        let mut talk = open();
        talk.wait(240.0).server().rst();
        talk.client().rst();
        talk
    };
    let injected = {
        let mut talk = open();
        talk.wait(3.0).hop_limit(Side::Server, 47).server().rst();
        talk.hop_limit(Side::Server, 64);
        talk
    };
    vec![
        Row::new(
            86,
            "60.0 s of silence, nginx answered the upgrade",
            cut(silent(answered_by(&["Server: nginx/1.24.0"]), 60.0)),
        )
        .is(idle, proxy),
        Row::new(87, "FIN to the client and RST to the server at once: front", haproxy.clone()).is(idle, proxy),
        Row::new(87, "FIN to the client and RST to the server at once: back", haproxy).connection(1).is(idle, proxy),
        Row::new(88, "30.0 s after the 101, with traffic, by way of Google", google).is(&["lifetime_limit"], proxy),
        Row::new(89, "55.0 s of silence, by way of Heroku", cut(silent(answered_by(&["Via: 1.1 vegur"]), 55.0)))
            .is(idle, proxy),
        Row::new(90, "60.0 s of silence, behind an ALB", cut(silent(answered_by(&["Server: awselb/2.0"]), 60.0)))
            .is(idle, proxy),
        Row::new(
            91,
            "100 s of silence, behind Cloudflare",
            cut(silent(answered_by(&["Server: cloudflare", "CF-RAY: 8a1b2c3d4e5f6789-FRA"]), 100.0)),
        )
        .is(idle, proxy),
        Row::new(
            92,
            "300 s of silence, behind Envoy",
            cut(silent(answered_by(&["server: envoy", "x-envoy-upstream-service-time: 2"]), 300.0)),
        )
        .is(idle, proxy),
        Row::new(93, "over 350 s of silence, then RST in answer to a message", reset_on_next(silent(open(), 400.0)))
            .is(idle, &["network", "proxy", "unknown"]),
        Row::new(94, "240 s of silence, then RST both ways", azure)
            .is(&["idle_timeout", "reset_injected"], &["network", "proxy", "unknown"]),
        Row::new(95, "a message after 15 min of silence is never acknowledged", nat)
            .is(&["idle_timeout", "network_loss"], &["network"]),
        Row::new(96, "RST with another time to live", injected).is(&["reset_injected"], &["network"]),
        Row::new(97, "cut at 24 h with traffic", binance).is(&["lifetime_limit"], &["server", "proxy", "unknown"]),
        Row::new(98, "cut after 45.0 s of silence", cut(silent(open(), 45.0)))
            .is(idle, &["unknown", "proxy", "server"]),
    ]
    .into_iter()
    .map(|row| if row.number == 87 { row } else { row.at_most(Likely) })
    .collect()
}
