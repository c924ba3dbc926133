//! Which WebSocket library speaks on each side, and what its limits, timers and habits say about the end.
//!
//! Heads are those that real programs wrote (their order and letters are what this is about); sizes, times and codes are
//! defaults as documented or measured for those programs.

mod common;
mod support;

use common::case::Case;
use common::{analyse, at_key};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use support::{Capture, Conversation, Frame, Length, Masking, Upgrade};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A client that nothing is known of.
const PLAIN: &str = "Host: a|Sec-WebSocket-Version: 13|Upgrade: websocket|$KEY|Connection: Upgrade";
/// A server of which nothing is known.
const BARE: &str = "101 Yes|Sec-WebSocket-Accept: $|Connection: Upgrade|Upgrade: websocket";

/// Request heads, each with the program that wrote it.
const CLIENTS: [(&str, Option<(&str, &str)>); 14] = [
    (
        "Host: a|Upgrade: websocket|Connection: Upgrade|$KEY|Sec-WebSocket-Version: 13|User-Agent: Python/3.11 websockets/17.4",
        Some(("websockets", "certain")),
    ),
    (
        "Host: a|Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Version: 13|$KEY|Accept: */*|Accept-Encoding: gzip, deflate|User-Agent: Python/3.11 aiohttp/3.14.5",
        Some(("aiohttp", "certain")),
    ),
    (
        "Upgrade: websocket|Host: a|Origin: http://a|$KEY|Sec-WebSocket-Version: 13|Connection: Upgrade",
        Some(("websocket-client", "likely")),
    ),
    (
        "Upgrade: websocket|Host: a|Origin: http://x|$KEY|Sec-WebSocket-Version: 13|Connection: Upgrade|Sec-WebSocket-Protocol: a|X-A: b|Cookie: a=b",
        Some(("websocket-client", "likely")),
    ),
    (
        "Sec-WebSocket-Version: 13|$KEY|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits|Host: a",
        Some(("ws", "likely")),
    ),
    (
        "User-Agent: x|Sec-WebSocket-Version: 13|$KEY|Connection: Upgrade|Upgrade: websocket|Host: a",
        Some(("ws", "likely")),
    ),
    (
        "User-Agent: Mozilla/5.0 Chrome/150.0|Sec-WebSocket-Version: 13|$KEY|Connection: Upgrade|Upgrade: websocket|Host: a",
        Some(("ws", "likely")),
    ),
    (
        "Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Version: 13|$KEY|Host: a",
        Some(("node-websocket", "likely")),
    ),
    (
        "Host: a|User-Agent: Go-http-client/1.1|Connection: Upgrade|$KEY|Sec-WebSocket-Version: 13|Upgrade: websocket",
        Some(("gorilla", "likely")),
    ),
    ("Host: a|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Version: 13|$KEY", Some(("tungstenite", "likely"))),
    (
        "Sec-WebSocket-Version: 13|$KEY|Connection: Upgrade|Upgrade: websocket|User-Agent: Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)|Host: a",
        Some(("signalr", "certain")),
    ),
    (
        "Host: a|Connection: Upgrade|Pragma: no-cache|Cache-Control: no-cache|User-Agent: Mozilla/5.0 (X11) Chrome/156.0.0.0|Upgrade: websocket|Origin: http://a|Sec-WebSocket-Version: 13|Accept-Encoding: gzip|Accept-Language: en|$KEY|Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        Some(("chromium", "certain")),
    ),
    ("Host: a|Upgrade: websocket|Connection: Upgrade|$KEY|Sec-WebSocket-Version: 13", None),
    (PLAIN, None),
];

/// Response heads, each with the program that wrote it.
const SERVERS: [(&str, Option<(&str, &str)>); 14] = [
    (
        "101 Switching Protocols|Date: x|Upgrade: websocket|Connection: Upgrade|$ACCEPT|Server: Python/3.11 websockets/17.4",
        Some(("websockets", "certain")),
    ),
    (
        "101 Switching Protocols|Upgrade: websocket|Connection: Upgrade|$ACCEPT|date: x|server: uvicorn",
        Some(("uvicorn", "certain")),
    ),
    (
        "101 |sec-websocket-accept: $|upgrade: WebSocket|connection: Upgrade|date: x|server: hypercorn-h11",
        Some(("hypercorn", "certain")),
    ),
    ("101 |sec-websocket-accept: $|upgrade: WebSocket|connection: Upgrade|date: x", Some(("hypercorn", "likely"))),
    (
        "101 Switching Protocols|Server: daphne|Upgrade: WebSocket|Connection: Upgrade|$ACCEPT",
        Some(("daphne", "certain")),
    ),
    (
        "101 Switching Protocols|Server: TornadoServer/6.6.1|Date: x|Upgrade: websocket|Connection: Upgrade|Sec-Websocket-Accept: $",
        Some(("tornado", "certain")),
    ),
    (
        "101 Switching Protocols|Upgrade: websocket|Connection: Upgrade|$ACCEPT|Origin: http://a",
        Some(("node-websocket", "likely")),
    ),
    (
        "101 Switching Protocols|connection: Upgrade|upgrade: websocket|sec-websocket-accept: $",
        Some(("tungstenite", "likely")),
    ),
    ("101 |Upgrade: websocket|Connection: upgrade|$ACCEPT|Date: x", Some(("tomcat", "likely"))),
    (
        "101 Web Socket Protocol Handshake|Connection: Upgrade|$ACCEPT|Server: TooTallNate Java-WebSocket|Upgrade: websocket",
        Some(("java-websocket", "certain")),
    ),
    (
        "101 Switching Protocols|date: x|upgrade: websocket|connection: Upgrade|sec-websocket-accept: $",
        Some(("sanic", "possible")),
    ),
    // ws, gorilla, faye, Bun and others write the same.
    ("101 Switching Protocols|Upgrade: websocket|Connection: Upgrade|$ACCEPT", None),
    // The same behind HAProxy, which writes names in lower case, as Deno does.
    ("101 Switching Protocols|upgrade: websocket|connection: Upgrade|sec-websocket-accept: $", None),
    // Behind nginx, which names itself and not the server.
    ("101 Switching Protocols|Server: nginx/1.22.1|Date: x|Connection: upgrade|Upgrade: websocket|$ACCEPT", None),
];

/// A connection opened by these heads, in which `|` stands for the end of a line.
fn opened(request: &str, response: &str) -> Conversation {
    let fill = |head: &str| head.replace("$KEY", KEY).replace("$ACCEPT", ACCEPT).replace('$', &ACCEPT[22..]);
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect().request(&format!("GET / HTTP/1.1\n{}", fill(request).replace('|', "\n")));
    let response = format!("HTTP/1.1 {}\r\n\r\n", fill(response).replace('|', "\r\n"));
    talk.server().bytes(response.as_bytes());
    talk
}

/// A connection to a server that names itself so.
fn served_by(server: &str) -> Conversation {
    opened(PLAIN, &format!("{BARE}|Server: {server}"))
}

fn told(talk: Conversation) -> Value {
    let mut capture = Capture::new();
    capture.extend(talk.into_packets());
    let mut analysis = analyse(Cursor::new(capture.pcap())).expect("a capture");
    assert_eq!(analysis.connections.len(), 1, "one connection is expected");
    analysis.connections.remove(0)
}

fn text<'a>(found: &'a Value, key: &str) -> &'a str {
    at_key(found, key).and_then(Value::as_str).unwrap_or_default()
}

#[track_caller]
fn diagnosed(found: &Value, what: &str, rule: &str, cause: &str, party: &str, confidence: &str) {
    let keys = ["rule", "cause", "party", "confidence"].map(|key| text(found, &format!("diagnosis.{key}")).to_owned());
    assert_eq!(keys, [rule, cause, party, confidence], "{what}: {:#}", found["diagnosis"]);
}

/// All fixes of a diagnosis.
fn fixes(found: &Value) -> String {
    let fixes = at_key(found, "diagnosis.fixes").and_then(Value::as_array).expect("fixes");
    fixes.iter().map(|fix| text(fix, "text")).collect::<Vec<_>>().join("\n")
}

/// Both ends of TCP, the server first.
fn fins(talk: &mut Conversation) {
    talk.server().fin();
    talk.client().fin();
}

#[test]
fn programs_are_named_by_their_heads_or_not_at_all() {
    for (request, expected) in CLIENTS {
        let found = told(opened(request, BARE));
        let name = expected.map(|(name, _)| name).unwrap_or_default();
        assert_eq!(text(&found, "stacks.client.name"), name, "{request}");
        assert_eq!(text(&found, "stacks.client.confidence"), expected.map(|(_, sure)| sure).unwrap_or_default());
        assert!(at_key(&found, "stacks.server").is_none_or(Value::is_null), "{:#}", found["stacks"]);
    }
    for (response, expected) in SERVERS {
        let found = told(opened(PLAIN, response));
        let name = expected.map(|(name, _)| name).unwrap_or_default();
        assert_eq!(text(&found, "stacks.server.name"), name, "{response}: {:#}", found["stacks"]);
        assert_eq!(text(&found, "stacks.server.confidence"), expected.map(|(_, sure)| sure).unwrap_or_default());
    }
}

#[test]
fn the_version_and_the_packet_are_told() {
    let found = told(served_by("Python/3.11 websockets/17.4"));
    assert_eq!(text(&found, "stacks.server.version"), "17.4");
    assert_eq!(found["stacks"]["server"]["packets"], json!([found["handshake"]["response_packet"]]));
}

#[test]
fn words_of_a_close_frame_name_a_server_behind_a_proxy_and_an_echo_does_not() {
    let proxied = SERVERS[13].0;
    for (code, reason, name) in [
        (1002, "bad opcode 3", "gorilla"),
        (1003, "Received unmasked frame but masking is required", "faye-websocket"),
        (1009, "Frame size of 2097152 bytes exceeds maximum accepted frame size", "node-websocket"),
        (1001, "The web application is stopping", "tomcat"),
        (1002, "UT002034: Web socket frame was not masked", "undertow"),
        (1000, "bye", ""),
    ] {
        let mut talk = opened(PLAIN, proxied);
        talk.client().text("hello");
        talk.server().close(code, reason);
        talk.client().close(code, reason);
        fins(&mut talk);
        let found = told(talk);
        assert_eq!(text(&found, "stacks.server.name"), name, "{reason}");
        assert_eq!(text(&found, "stacks.client.name"), "", "the client only echoed: {reason}");
    }
}

#[test]
fn of_several_that_fit_none_is_named() {
    let found = told(opened(PLAIN, SERVERS[11].0));
    let others = at_key(&found, "stacks.server.alternatives").and_then(Value::as_array).expect("alternatives");
    assert!(others.len() > 3 && others.contains(&Value::from("ws")), "{others:?}");
    assert_eq!(at_key(&found, "stacks.server.name"), Some(&Value::Null));
}

/// The client sends a binary message of so many bytes, and `server` ends the connection.
fn large(server: &str, bytes: usize, end: impl FnOnce(&mut Conversation)) -> Value {
    let mut talk = served_by(server);
    talk.client().text("small");
    talk.server().text("small");
    talk.wait(5.0);
    talk.client().binary(&vec![7; bytes]);
    end(&mut talk);
    fins(&mut talk);
    told(talk)
}

#[test]
fn decision_049_a_limit_is_the_one_that_is_stated_or_the_default() {
    // 1 MiB is the default of Python websockets, and its reason says so.
    let reason = "frame with 1310720 bytes exceeds limit of 1048576 bytes";
    let found = large("Python/3.11 websockets/17.4", 1_310_720, |talk| {
        talk.server().close(1009, reason);
    });
    diagnosed(&found, "49, stated", "close-1009-limit", "message_too_big", "client", "certain");
    assert!(fixes(&found).contains("`websockets.serve(..., max_size=2097152)`"), "{}", fixes(&found));
    assert!(text(&found, "diagnosis.text").contains("1,048,576") || found.to_string().contains("1,048,576 bytes"));
    // aiohttp says nothing; its default is 4 MiB.
    let found = large("Python/3.11 aiohttp/3.14.5", 4_200_000, |talk| {
        talk.server().close(1009, "");
    });
    diagnosed(&found, "49, default", "close-1009-limit", "message_too_big", "client", "certain");
    // Below the default the limit is another, and nobody knows which.
    let found = large("Python/3.11 aiohttp/3.14.5", 5_000, |talk| {
        talk.server().close(1009, "");
    });
    diagnosed(&found, "49, configured", "close-1009-size", "message_too_big", "client", "certain");
    assert!(fixes(&found).contains("max_msg_size=8192"), "{}", fixes(&found));
}

#[test]
fn decision_049_libraries_that_drop_tcp_at_their_limit_are_seen_through() {
    let header = |claim: u64| Frame::binary(&[1; 10]).length(Length::Claim(claim));
    let end = |response: &str, claim: u64| {
        let mut talk = opened(PLAIN, response);
        talk.client().text("small");
        talk.server().text("small");
        talk.wait(5.0);
        talk.client().frame(header(claim));
        talk.server().fin();
        talk.client().fin();
        told(talk)
    };
    // tungstenite takes frames of 16 MiB.
    let found = end(SERVERS[7].0, 20_000_000);
    diagnosed(&found, "49, tungstenite", "no-close-stack-limit", "message_too_big", "client", "likely");
    assert!(fixes(&found).contains("max_frame_size(Some(33554432))"), "{}", fixes(&found));
    let found = end(SERVERS[7].0, 1_000_000);
    assert_ne!(text(&found, "diagnosis.rule"), "no-close-stack-limit", "below its limit");
    let found = end(BARE, 20_000_000);
    assert_ne!(text(&found, "diagnosis.rule"), "no-close-stack-limit", "nobody knows whose limit");
}

#[test]
fn decision_050_a_limit_that_counts_inflated_bytes_names_both_sizes() {
    let upgrade =
        Upgrade { response_headers: vec!["Server: Python/3.11 aiohttp/3.14.5".into()], ..Upgrade::deflate("") };
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    talk.connect().upgrade_with(&upgrade);
    talk.client().binary(&vec![0; 5_000_000]);
    talk.server().close(1009, "");
    fins(&mut talk);
    let found = told(talk);
    diagnosed(&found, "50", "close-1009-limit", "message_too_big", "client", "certain");
    let told = found["diagnosis"].to_string();
    assert!(told.contains("5,000,000") && told.contains("On the wire it took"), "{told}");
}

#[test]
fn row_101_the_fix_names_the_setting_and_a_value_for_the_software() {
    let spring = SERVERS[8].0;
    let mut talk = opened(PLAIN, spring);
    talk.client().text(&"x".repeat(9_000));
    let reason =
        "The decoded text message was too big for the output buffer and the endpoint does not support partial messages";
    talk.server().close(1009, reason);
    fins(&mut talk);
    // 16 KiB is the next power of two above 9000 bytes.
    assert!(fixes(&told(talk)).contains("ServletServerContainerFactoryBean.setMaxTextMessageBufferSize(16384)"));

    // A gorilla client, known by the order of its fields.
    let mut talk = opened(CLIENTS[8].0, BARE);
    talk.server().binary(&[0; 3_000]);
    talk.client().close(1009, "");
    talk.client().fin();
    talk.server().fin();
    assert!(fixes(&told(talk)).contains("`conn.SetReadLimit(4096)`"));

    // Node ws as a client with a limit of its own.
    let mut talk = opened(CLIENTS[4].0, BARE);
    talk.server().binary(&[0; 5_000]);
    talk.client().close(1009, "");
    talk.client().fin();
    talk.server().fin();
    assert!(fixes(&told(talk)).contains("`new WebSocket(url, { maxPayload: 8192 })`"));

    // Python websockets gave up waiting for a Pong.
    let mut talk = served_by("Python/3.11 websockets/17.4");
    talk.wait(20.0);
    talk.server().ping(b"\x01\x02\x03\x04").wait(20.0).close(1011, "keepalive ping timeout");
    fins(&mut talk);
    assert!(fixes(&told(talk)).contains("`websockets.serve(..., ping_timeout=60)`"));

    // SignalR's client, cut off after a minute of silence, is told how to send more often than that.
    let mut talk = opened(CLIENTS[10].0, BARE);
    talk.client().text("hello").wait(60.0);
    fins(&mut talk);
    assert!(fixes(&told(talk)).contains("`connection.keepAliveIntervalInMilliseconds = 20000`"));
}

#[test]
fn decision_054_and_055_a_pong_that_comes_too_late_is_told_from_none() {
    let silent = |late: bool| {
        let mut talk = served_by("Python/3.11 websockets/17.4");
        talk.wait(20.0);
        talk.server().ping(b"\x01\x02\x03\x04").wait(20.0).close(1011, "keepalive ping timeout");
        if late {
            talk.wait(1.0);
            talk.client().pong(b"\x01\x02\x03\x04").close(1011, "keepalive ping timeout");
        }
        fins(&mut talk);
        told(talk)
    };
    diagnosed(&silent(false), "54", "close-1011-keepalive", "keepalive_timeout", "client", "certain");
    diagnosed(&silent(true), "55", "close-1011-keepalive-late", "keepalive_timeout", "client", "certain");
}

#[test]
fn decision_056_to_058_pings_that_nobody_answers() {
    // Deno pings after 15 s and gives up 15 s later.
    let mut talk = opened(PLAIN, BARE);
    talk.client().text("hello").wait(15.0);
    talk.server().ping(b"").wait(15.0).close(1001, "No response from ping frame.");
    fins(&mut talk);
    let found = told(talk);
    diagnosed(&found, "57", "close-1001-ping-timeout", "keepalive_timeout", "client", "certain");
    assert_eq!(text(&found, "stacks.server.name"), "deno");
    // WebSocket-Node pings after 20 s, empty, and ends TCP 10 s later.
    let mut talk = opened(PLAIN, SERVERS[6].0);
    talk.client().text("hello").wait(20.0);
    talk.server().ping(b"").wait(10.0);
    fins(&mut talk);
    diagnosed(&told(talk), "58", "no-close-ping-timer", "keepalive_timeout", "client", "likely");
    // Engine.IO asks 2 and waits 20 s for 3.
    let mut talk = opened(PLAIN, BARE);
    talk.server().text(r#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#);
    for _ in 0..3 {
        talk.wait(25.0);
        talk.server().text("2");
        talk.client().text("3");
    }
    talk.wait(25.0);
    talk.server().text("2").wait(20.0).close_empty();
    fins(&mut talk);
    diagnosed(&told(talk), "56", "close-heartbeat-unanswered", "keepalive_timeout", "client", "likely");
}

/// The server closes after so many seconds without a byte.
fn idle(response: &str, seconds: f64, code: u16, reason: &str) -> Value {
    let mut talk = opened(PLAIN, response);
    talk.client().text("hello");
    talk.server().text("hello").wait(seconds);
    talk.server().close(code, reason);
    talk.client().close(1000, "");
    fins(&mut talk);
    told(talk)
}

#[test]
fn decision_059_to_062_the_same_idle_timeout_under_four_codes() {
    for (what, found) in [
        ("59, named", idle(&format!("{BARE}|server: Cowboy"), 60.0, 1000, "")),
        ("59, by its Close frame", idle(BARE, 60.0, 1000, "")),
        ("60", idle(BARE, 60.0, 1002, "")),
    ] {
        diagnosed(&found, what, "close-stack-idle", "idle_timeout", "server", "likely");
    }
    let told = idle(BARE, 60.0, 1002, "")["diagnosis"].to_string();
    assert!(told.contains("Bandit (Phoenix)") && told.contains("timeout: 120000"), "{told}");
    for (what, found) in [
        ("61", idle(BARE, 30.0, 1001, "Connection Idle Timeout")),
        ("62", idle(SERVERS[8].0, 47.0, 1001, "The WebSocket session [7] idle timeout expired")),
    ] {
        diagnosed(&found, what, "close-1001-idle-announced", "idle_timeout", "server", "certain");
    }
    // A round silence alone is no timer of a library that has none.
    let found = idle(SERVERS[1].0, 60.0, 1000, "");
    assert_ne!(text(&found, "diagnosis.rule"), "close-stack-idle", "uvicorn has no idle timeout");
    let found = idle(BARE, 60.0, 1000, "bye");
    assert_ne!(text(&found, "diagnosis.rule"), "close-stack-idle", "an idle timeout gives no reason of its own");
    let found = idle(BARE, 47.0, 1002, "");
    assert_ne!(text(&found, "diagnosis.cause"), "idle_timeout", "47 s is nobody's timer");
}

#[test]
fn row_085_a_silence_is_compared_with_the_timer_of_the_named_library() {
    let mut talk = opened(PLAIN, &format!("{BARE}|server: Cowboy"));
    talk.client().text("hello").wait(60.0);
    fins(&mut talk);
    assert_ne!(text(&told(talk), "diagnosis.rule"), "no-close-stack-idle", "cowboy would have said 1000");
}

#[test]
fn decision_069_and_070_a_handler_that_fails_looks_as_its_library_lets_it() {
    let fails = |server: &str, end: fn(&mut Conversation)| {
        let mut talk = served_by(server);
        talk.wait(3.0);
        talk.client().text("trigger");
        end(&mut talk);
        talk.client().fin();
        told(talk)
    };
    let fin = |talk: &mut Conversation| {
        talk.server().fin();
    };
    let found = fails("Python/3.11 websockets/17.4", |talk| {
        talk.server().close(1011, "");
    });
    diagnosed(&found, "69", "close-1011-after-message", "internal_error", "server", "likely");
    for server in ["Python/3.11 aiohttp/3.14.5", "TornadoServer/6.6.1"] {
        diagnosed(&fails(server, fin), "70", "no-close-handler-error", "process_ended", "server", "likely");
    }
    // A handler of uvicorn that returns ends TCP as well.
    diagnosed(&fails("uvicorn", fin), "70", "no-close-after-message", "process_ended", "server", "possible");
}

#[test]
fn decision_070_a_busy_connection_that_dies_proves_no_failing_handler() {
    let mut talk = served_by("Python/3.11 aiohttp/3.14.5");
    for _ in 0..40 {
        talk.wait(0.2);
        talk.client().text("tick");
    }
    talk.wait(0.1);
    fins(&mut talk);
    assert_ne!(
        text(&told(talk), "diagnosis.rule"),
        "no-close-handler-error",
        "it would have died near a message anyway"
    );
}

#[test]
fn decision_071_hypercorn_says_1011_when_it_goes_down() {
    let mut talk = opened(PLAIN, SERVERS[2].0);
    talk.client().text("hello");
    talk.server().text("hello").wait(30.0).close(1011, "");
    talk.client().close(1011, "");
    fins(&mut talk);
    diagnosed(&told(talk), "71", "close-1011-shutdown", "service_restart", "server", "possible");
}

#[test]
fn row_066_and_decision_079_a_close_frame_that_nobody_answers() {
    // ws waits 30 s, Python websockets 10 s, Tornado 5 s.
    for (request, waited, stack) in
        [(CLIENTS[4].0, 30.05, "ws"), (CLIENTS[0].0, 10.01, "Python websockets"), (CLIENTS[7].0, 5.0, "WebSocket-Node")]
    {
        let mut talk = opened(request, BARE);
        talk.client().text("hello").close(1000, "").wait(waited).fin();
        talk.server().fin();
        let found = told(talk);
        diagnosed(&found, stack, "close-not-answered-timer", "close_not_answered", "server", "likely");
        assert!(found["diagnosis"].to_string().contains(stack), "{stack}");
    }
}

/// Both sides have said Close; `held` seconds later the client ends TCP.
fn left_open(held: f64) -> Value {
    let mut talk = opened(CLIENTS[11].0, BARE);
    talk.client().text("hello").close(1000, "");
    talk.server().close(1000, "").wait(held);
    talk.client().fin();
    talk.server().fin();
    told(talk)
}

#[test]
fn row_073_and_decision_080_a_server_that_leaves_tcp_open() {
    diagnosed(&left_open(2.0), "80", "close-tcp-left-open", "normal", "server", "likely");
    diagnosed(&left_open(0.01), "80, at once", "close-1000-by-client", "normal", "none", "certain");
}

#[test]
fn row_074_and_decision_082_a_close_frame_that_a_reset_destroyed() {
    let mut talk = served_by("Python/3.11 aiohttp/3.14.5");
    talk.client().text("hello").wait(3.0);
    talk.server().close(1001, "").rst();
    let found = told(talk);
    assert_eq!(text(&found, "diagnosis.cause"), "close_not_answered");
    assert_eq!(at_key(&found, "api_view.client.or_code"), Some(&Value::from(1006)), "{:#}", found["api_view"]);
}

#[test]
fn decision_081_data_after_a_close_frame() {
    let mut talk = opened(PLAIN, BARE);
    talk.client().text("hello").close(1000, "").text("more");
    talk.server().close(1000, "");
    fins(&mut talk);
    let found = told(talk);
    assert!(found["violations"].to_string().contains("data_after_close"), "{:#}", found["violations"]);
}

#[test]
fn decision_083_tomcat_says_1002_to_a_client_that_went_away() {
    let mut talk = opened(PLAIN, SERVERS[8].0);
    talk.client().text("hello").wait(3.0).fin();
    talk.server().close(1002, "").fin();
    diagnosed(&told(talk), "83", "close-1002-after-fin", "process_ended", "client", "likely");
}

#[test]
fn decision_103_a_queue_that_was_full() {
    for code in [1001, 1008, 3008, 4500] {
        let mut talk = opened(PLAIN, BARE);
        talk.server().text("news");
        talk.window(support::Side::Client, 0);
        talk.client().ack();
        talk.wait(12.0);
        talk.server().close(code, "").fin();
        talk.client().fin();
        let found = told(talk);
        diagnosed(&found, &code.to_string(), "close-slow-consumer", "slow_consumer", "client", "likely");
    }
}

#[test]
fn decision_052_053_109_and_110_codes_that_say_it() {
    let ends = |kind: &str, code: u16| {
        let mut talk = opened(PLAIN, BARE);
        if kind == "binary" {
            talk.client().binary(&[1])
        } else {
            talk.client().text("not json")
        };
        talk.server().close(code, "");
        talk.client().close(code, "");
        fins(&mut talk);
        told(talk)
    };
    diagnosed(&ends("binary", 1003), "52", "close-1003-binary", "unsupported_data", "client", "likely");
    diagnosed(&ends("text", 1003), "53", "close-not-json", "unsupported_data", "client", "possible");
    diagnosed(&ends("text", 1012), "109", "close-1012", "service_restart", "server", "certain");
    diagnosed(&ends("text", 1013), "110", "close-1013", "try_again_later", "server", "likely");
}

#[test]
fn row_081_the_reaction_of_a_library_is_linked_to_the_rule_that_was_broken() {
    // faye says 1003 to a frame without a mask.
    let mut talk = opened(PLAIN, BARE);
    talk.client().frame(Frame::text("hello").masking(Masking::Clear));
    talk.server().close(1003, "Received unmasked frame but masking is required");
    fins(&mut talk);
    let found = told(talk);
    assert_eq!(text(&found, "diagnosis.cause"), "protocol_error", "{:#}", found["diagnosis"]);
    assert_eq!(text(&found, "stacks.server.name"), "faye-websocket");
}

#[test]
fn the_libraries_are_listed() {
    let list = common::program::run(&["stacks", "-T", "json"]).array();
    let websockets = list.iter().find(|stack| stack["name"] == "websockets").expect("a library that is known");
    assert_eq!(websockets["server"]["limit_bytes"], 1_048_576);
    assert_eq!(websockets["server"]["ping_timeout_s"], 20.0);
}

/// What the programs of the recorded cases are called in the table. Programs that are no library have no entry.
const PROGRAMS: [(&str, &[&str]); 14] = [
    ("websockets ", &["websockets"]),
    ("ws ", &["ws"]),
    ("aiohttp ", &["aiohttp"]),
    ("Tornado ", &["tornado"]),
    ("tokio-tungstenite ", &["tungstenite"]),
    ("tungstenite ", &["tungstenite"]),
    ("Starlette ", &["uvicorn"]),
    ("Chromium ", &["chromium"]),
    ("Socket.IO ", &["socket.io", "ws"]),
    ("graphql-ws ", &["ws"]),
    ("Aedes ", &["ws"]),
    ("MQTT.js ", &["ws"]),
    ("stompjs ", &["ws"]),
    ("STOMP script on ws ", &["ws"]),
];

/// The programs of a case that were on one side, by the case file.
fn programs(case: &Case, role: &str) -> Vec<String> {
    let file = case.capture.parent().expect("a folder").join("case.toml");
    let table: toml::Table = toml::from_str(&fs::read_to_string(file).expect("a case")).expect("TOML");
    let programs = table.get("origin").and_then(|origin| origin.get("programs")).and_then(toml::Value::as_array);
    let programs = programs.into_iter().flatten().filter_map(toml::Value::as_str);
    programs.filter(|program| program.ends_with(role)).map(str::to_owned).collect()
}

#[test]
fn recorded_programs_are_named_rightly_or_not_at_all() {
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for case in Case::all() {
        let analysis = analyse(case.open()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        for (side, role) in [("client", ", client"), ("server", ", server")] {
            let programs = programs(&case, role);
            let right: Vec<&str> = PROGRAMS
                .iter()
                .filter(|(program, _)| programs.iter().any(|each| each.starts_with(program)))
                .flat_map(|(_, names)| names.iter().copied())
                .collect();
            if programs.is_empty() || programs.iter().all(|program| program.starts_with("autobahn")) {
                continue;
            }
            for connection in &analysis.connections {
                let has_head = if side == "client" { "handshake.request_packet" } else { "handshake.response_packet" };
                let shown = at_key(connection, has_head).is_some_and(Value::is_u64);
                let name = text(connection, &format!("stacks.{side}.name"));
                let outcome = match name {
                    "" if right.is_empty() => "script, unnamed",
                    "" if !shown => "head not seen",
                    "" => "unnamed",
                    name if right.contains(&name) => "right",
                    _ => {
                        wrong.push(format!("{}: {side} is {name}, not {right:?}", case.name));
                        "wrong"
                    }
                };
                *counts.entry(outcome).or_default() += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{counts:?}", wrong.join("\n"));
    println!("{counts:?}");
    assert!(counts["right"] >= 150, "{counts:?}");
}
