//! What applications say of the end: private codes, last messages, refusals of Engine.IO; and what must not be taken for them.

mod common;
mod support;

use common::case::Case;
use common::program::{folder, run};
use serde_json::{Value, json};
use support::{Capture, Conversation, Side, Upgrade};

fn open_with(upgrade: &Upgrade) -> Conversation {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().upgrade_with(upgrade);
    c
}

fn chat() -> Conversation {
    open_with(&Upgrade::default())
}

fn agreed(subprotocol: &str) -> Conversation {
    let agreed = Some(subprotocol.to_owned());
    open_with(&Upgrade { subprotocols_offered: agreed.clone(), subprotocol: agreed, ..Upgrade::default() })
}

fn at_host(host: &str) -> Conversation {
    open_with(&Upgrade { host: host.to_owned(), ..Upgrade::default() })
}

fn at_path(path: &str) -> Conversation {
    open_with(&Upgrade { path: path.to_owned(), ..Upgrade::default() })
}

/// This side closes with this code, and all is ended in order.
fn closed_by(mut c: Conversation, side: Side, code: u16) -> Conversation {
    c.side(side).close(code, "");
    c.side(side.other()).close(code, "");
    c.server().fin();
    c.client().fin();
    c
}

fn closed(c: Conversation, code: u16) -> Conversation {
    closed_by(c, Side::Server, code)
}

fn closed_empty(mut c: Conversation, side: Side) -> Conversation {
    c.side(side).close_empty();
    c.side(side.other()).close_empty();
    c.server().fin();
    c.client().fin();
    c
}

/// The JSON line of the only connection of a capture.
fn connection(test: &str, c: Conversation) -> Value {
    let path = folder(test).join("capture.pcap");
    std::fs::write(&path, Capture::of([c]).pcap()).expect("the folder is ours");
    let path = path.to_str().expect("our own paths are UTF-8").to_owned();
    let lines = run(&["-T", "jsonl", "--lang", "en", &path]).lines();
    lines.into_iter().find(|line| line["type"] == "connection").expect("the capture has a connection")
}

/// Rule, cause, party and confidence of the diagnosis.
fn verdict(connection: &Value) -> (&str, &str, &str, &str) {
    let word = |key: &str| connection["diagnosis"][key].as_str().unwrap_or_default();
    (word("rule"), word("cause"), word("party"), word("confidence"))
}

const DISCORD_HELLO: &str = r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#;

// Row 62 and decisions 74 to 76: codes of the applications.

/// Code, party and retry as Discord's documentation of its close event codes has them.
const DISCORD: [(u16, &str, &str); 14] = [
    (4000, "server", "yes"),
    (4001, "client", "yes"),
    (4002, "client", "yes"),
    (4003, "client", "yes"),
    (4004, "client", "no"),
    (4005, "client", "yes"),
    (4007, "client", "new_session"),
    (4008, "client", "later"),
    (4009, "client", "new_session"),
    (4010, "client", "no"),
    (4011, "client", "no"),
    (4012, "client", "no"),
    (4013, "client", "no"),
    (4014, "client", "no"),
];

#[test]
fn decision_075_codes_of_a_recognised_application_say_whose_fault_it_is_and_whether_to_retry() {
    for (code, party, retry) in DISCORD {
        let mut c = chat();
        c.server().text(DISCORD_HELLO);
        let found = connection("apps-discord", closed(c, code));
        let (_, cause, of, confidence) = verdict(&found);
        assert_eq!((cause, of, confidence), ("application_code", party, "likely"), "{code}");
        let end = &found["application"]["end"];
        assert_eq!((&end["party"], &end["retry"]), (&json!(party), &json!(retry)), "{code}");
        assert!(end["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{code}");
    }
}

#[test]
fn decision_074_centrifugo_separates_codes_to_retry_from_codes_not_to() {
    // centrifuge disconnect.go: 3000-3499 reconnect, 3500-3999 do not.
    for (code, retried) in [
        (3001, true),
        (3004, true),
        (3008, true),
        (3012, true),
        (3400, true),
        (3500, false),
        (3502, false),
        (3507, false),
        (3700, false),
    ] {
        let mut c = chat();
        c.client().text(r#"{"id":1,"connect":{}}"#);
        c.server().text(r#"{"id":1,"connect":{"client":"x","version":"5.0.0"}}"#);
        let found = connection("apps-centrifugo", closed(c, code));
        assert_eq!(verdict(&found).1, "application_code", "{code}");
        assert_eq!(found["application"]["end"]["retry"] != "no", retried, "{code}: {}", found["application"]["end"]);
    }
}

#[test]
fn decision_076_an_unknown_private_code_is_never_more_than_possible() {
    for (code, party) in [(4003, "unknown"), (4401, "client"), (4429, "client"), (4503, "server"), (4777, "unknown")] {
        let mut c = chat();
        for round in 0..5 {
            c.client().text(&format!(r#"{{"op":"say","n":{round}}}"#)).wait(3.0);
        }
        let found = connection("apps-private", closed(c, code));
        let (_, cause, of, confidence) = verdict(&found);
        assert_eq!((cause, of, confidence), ("application_code", party, "possible"), "{code}");
        assert_eq!(found["application"], Value::Null, "{code}");
    }
    // Discord's 4004 is not everybody's.
    let text = connection("apps-private", closed(chat(), 4004)).to_string();
    assert!(!text.to_lowercase().contains("discord"), "{text}");
}

#[test]
fn row_62_a_host_or_path_alone_is_a_hint_and_lowers_what_its_code_says() {
    for (c, name, by) in [
        (at_host("gateway.discord.gg"), "discord", "host"),
        (at_host("eventsub.wss.twitch.tv"), "twitch-eventsub", "host"),
        (at_host("wss-primary.slack.com:443"), "slack-socket-mode", "host"),
        (at_host("ws-eu.pusher.com"), "pusher", "host"),
        (at_host("x1.execute-api.eu-west-1.amazonaws.com"), "aws-api-gateway", "host"),
        (at_host("a.webpubsub.azure.com"), "azure-web-pubsub", "host"),
        (at_path("/app/key?protocol=7&client=js&version=8.0"), "pusher", "path"),
        (at_path("/echo/123/abcd/websocket"), "sockjs", "path"),
        (at_path("/realtime/v1/websocket?apikey=x&vsn=1.0.0"), "supabase-realtime", "path"),
        (at_path("/api/websocket"), "home-assistant", "path"),
        (at_path("/connection/websocket"), "centrifugo", "path"),
    ] {
        let found = connection("apps-hint", closed(c, 4004));
        let application = &found["application"];
        assert_eq!((&application["name"], &application["known_by"]), (&json!(name), &json!(by)));
        assert_eq!((verdict(&found).1, verdict(&found).3), ("application_code", "possible"), "{name}");
    }
    // Discord's packets may be compressed, so that no message ever confirms the host.
    let mut c = at_host("gateway.discord.gg");
    c.server().binary(&[0x78, 0x9c, 1, 2, 3]);
    let found = connection("apps-hint", closed(c, 4014));
    assert_eq!(verdict(&found), ("application-code-hint-peer", "application_code", "client", "possible"));
    // Others have the name in theirs.
    for host in ["gateway.discord.gg.evil.test", "notslack.com", "example.test"] {
        assert_eq!(connection("apps-hint", closed(at_host(host), 4004))["application"], Value::Null, "{host}");
    }
}

#[test]
fn row_62_more_protocols_by_their_first_messages_and_codes() {
    for (side, text, name) in [
        (Side::Server, r#"{"op":8,"d":{"v":8,"heartbeat_interval":41250.0}}"#, "discord-voice"),
        (Side::Server, r#"{"action":4,"connectionId":"x","connectionDetails":{}}"#, "ably"),
        (Side::Client, r##"{"event":"#handshake","data":{},"cid":1}"##, "socketcluster"),
        (Side::Server, r#"{"message":"Forbidden","connectionId":"a","requestId":"b"}"#, "aws-api-gateway"),
        (Side::Client, r#"["1","1","realtime:public","phx_join",{}]"#, "phoenix"),
    ] {
        let mut c = chat();
        c.side(side).text(text);
        assert_eq!(connection("apps-first", closed(c, 1000))["application"]["name"], name, "{text}");
    }
    let mut c = at_path("/realtime/v1/websocket?vsn=1.0.0");
    c.client().text(r#"{"topic":"realtime:room","event":"phx_join","payload":{},"ref":"1"}"#);
    assert_eq!(connection("apps-first", closed(c, 1000))["application"]["name"], "supabase-realtime");
}

// Decisions 77, 103 and 106: the last message.

#[test]
fn decision_077_the_last_error_message_before_the_close_is_the_reason() {
    let pusher = |code: u16| {
        let mut c = at_path("/app/key?protocol=7&client=js&version=8.0");
        c.server().text(r#"{"event":"pusher:connection_established","data":"{}"}"#);
        c.server().text(&format!(r#"{{"event":"pusher:error","data":{{"code":{code},"message":"x"}}}}"#));
        c.server().fin();
        c.client().fin();
        c
    };
    let cable = |reason: &str, reconnect: bool| {
        let mut c = agreed("actioncable-v1-json");
        c.server().text(r#"{"type":"welcome"}"#);
        c.server().text(&format!(r#"{{"type":"disconnect","reason":"{reason}","reconnect":{reconnect}}}"#));
        closed(c, 1000)
    };
    let slack = |reason: &str| {
        let mut c = at_host("wss-primary.slack.com");
        c.server().text(r#"{"type":"hello","num_connections":1,"connection_info":{"app_id":"A"}}"#);
        c.server().text(&format!(r#"{{"type":"disconnect","reason":"{reason}","debug_info":{{}}}}"#));
        c.wait(10.0);
        closed_by(c, Side::Client, 1000)
    };
    let discord = |text: &str| {
        let mut c = chat();
        c.server().text(DISCORD_HELLO);
        c.server().text(text);
        closed_by(c, Side::Client, 4900)
    };
    let wamp = |text: &str| {
        let mut c = agreed("wamp.2.json");
        c.client().text(r#"[1,"realm1",{}]"#);
        c.server().text(text);
        closed(c, 1000)
    };
    let home_assistant = || {
        let mut c = chat();
        c.server().text(r#"{"type":"auth_required","ha_version":"2025.1"}"#);
        c.client().text(r#"{"type":"auth","access_token":"x"}"#);
        c.server().text(r#"{"type":"auth_invalid","message":"Invalid access token"}"#);
        closed(c, 1000)
    };
    for (what, c, cause, party, retry) in [
        ("pusher 4009", pusher(4009), "policy", "client", "no"),
        ("pusher 4201", pusher(4201), "keepalive_timeout", "client", "yes"),
        ("pusher 4100", pusher(4100), "try_again_later", "server", "later"),
        ("cable unauthorized", cable("unauthorized", false), "policy", "client", "no"),
        ("cable restart", cable("server_restart", true), "service_restart", "server", "yes"),
        ("cable remote", cable("remote", true), "policy", "server", "yes"),
        ("cable remote for good", cable("remote", false), "policy", "server", "no"),
        ("slack refresh", slack("refresh_requested"), "going_away", "server", "yes"),
        ("slack disabled", slack("link_disabled"), "policy", "client", "no"),
        ("slack too many", slack("too_many_websockets"), "policy", "client", "later"),
        ("discord op 7", discord(r#"{"t":null,"s":null,"op":7,"d":null}"#), "going_away", "server", "at_once"),
        ("discord op 9", discord(r#"{"t":null,"s":null,"op":9,"d":false}"#), "policy", "client", "new_session"),
        ("wamp no realm", wamp(r#"[3,{},"wamp.error.no_such_realm"]"#), "policy", "client", "no"),
        ("wamp shutdown", wamp(r#"[6,{},"wamp.close.system_shutdown"]"#), "service_restart", "server", "yes"),
        ("home assistant", home_assistant(), "policy", "client", "no"),
    ] {
        let found = connection("apps-announced", c);
        assert_eq!((verdict(&found).1, verdict(&found).2), (cause, party), "{what}: {}", found["diagnosis"]["rule"]);
        assert_eq!(found["application"]["end"]["retry"], retry, "{what}");
    }
}

#[test]
fn decision_077_socket_io_says_that_its_server_disconnects() {
    let socket_io = || {
        let mut c = at_path("/socket.io/?EIO=4&transport=websocket");
        c.server().text(r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#);
        c.client().text("40");
        c.server().text(r#"40{"sid":"y"}"#);
        c
    };
    let mut c = socket_io();
    c.server().text("41");
    let found = connection("apps-socket", closed_empty(c, Side::Server));
    assert_eq!(verdict(&found), ("announced-ended", "normal", "none", "likely"));
    let mut c = socket_io();
    c.client().text("41");
    let found = connection("apps-socket", closed_empty(c, Side::Client));
    assert_eq!((verdict(&found).1, verdict(&found).2), ("normal", "none"));
}

#[test]
fn decision_077_recorded_refusals_are_read_from_their_last_message() {
    for (name, cause, party) in [
        ("applications/mqtt-refused", "policy", "client"),
        ("applications/socket.io-wrong-token", "policy", "client"),
        ("applications/socket.io-server-disconnects", "normal", "none"),
        ("applications/graphql-forbidden", "application_code", "client"),
        ("applications/graphql-no-init", "application_code", "client"),
        ("applications/mqtt-done", "normal", "none"),
    ] {
        let case = Case::all().into_iter().find(|case| case.name == name).expect("the fixture is there");
        let found = common::analyse(case.open()).expect("it is a capture").connections;
        assert_eq!(
            (verdict(&found[0]).1, verdict(&found[0]).2),
            (cause, party),
            "{name}: {}",
            found[0]["diagnosis"]["rule"]
        );
    }
}

#[test]
fn decision_077_unknown_applications_are_read_by_their_type_and_code_fields_alone() {
    for (text, code, cause, party) in [
        (r#"{"type":"error","code":401,"message":"SECRETWORD"}"#, 1000, "policy", "client"),
        (r#"{"error":{"code":"rate_limited","message":"SECRETWORD"}}"#, 1008, "policy", "client"),
        (r#"{"event":"session_replaced"}"#, 1000, "policy", "client"),
        (r#"{"type":"error","message":"SECRETWORD"}"#, 1000, "policy", "unknown"),
        (r#"{"op":"server_shutdown"}"#, 1001, "service_restart", "server"),
        (r#"{"type":"unauthorized","user":"SECRETWORD"}"#, 4123, "application_code", "client"),
    ] {
        let mut c = chat();
        c.client().text(r#"{"type":"hello"}"#).wait(2.0);
        c.server().text(text);
        let found = connection("apps-last-word", closed(c, code));
        let (rule, of, by, confidence) = verdict(&found);
        assert_eq!((of, by), (cause, party), "{text}: {rule}");
        assert_ne!(confidence, "certain", "{text}");
        assert!(!found.to_string().contains("SECRETWORD"), "{text}");
    }
}

#[test]
fn what_only_looks_like_an_error_is_none() {
    for text in [
        r#"{"type":"message","text":"error: unauthorized"}"#,
        r#"{"type":"chat","body":"{\"type\":\"error\"}"}"#,
        r#"{"type":"token","value":"x"}"#,
        r#"{"type":"limit_order","error":null}"#,
        "error",
        r#"["error",401]"#,
    ] {
        let mut c = chat();
        c.client().text(r#"{"type":"hello"}"#).wait(2.0);
        c.server().text(text).wait(0.2);
        let found = connection("apps-near", closed(c, 1000));
        assert_eq!(verdict(&found).1, "normal", "{text}: {}", found["diagnosis"]["rule"]);
    }
    // An error long before the end, and one that the conversation went on after, explain nothing.
    let mut c = chat();
    c.client().text(r#"{"type":"hello"}"#);
    c.server().text(r#"{"type":"error","code":401}"#).wait(27.0);
    assert_eq!(verdict(&connection("apps-near", closed(c, 1000))).1, "normal");
    let mut c = chat();
    c.client().text(r#"{"type":"hello"}"#);
    c.server().text(r#"{"type":"error","code":401}"#).text(r#"{"type":"news"}"#);
    assert_eq!(verdict(&connection("apps-near", closed(c, 1000))).1, "normal");
}

#[test]
fn decision_106_after_a_logout_1000_is_normal() {
    for (side, text) in [(Side::Client, r#"{"type":"logout"}"#), (Side::Server, r#"{"event":"goodbye"}"#)] {
        let mut c = chat();
        c.client().text(r#"{"type":"hello"}"#);
        c.server().text(r#"{"type":"welcome"}"#).wait(3.0);
        c.side(side).text(text);
        let found = connection("apps-logout", closed(c, 1000));
        assert_eq!(
            (verdict(&found).1, verdict(&found).2),
            ("normal", "none"),
            "{text}: {}",
            found["diagnosis"]["rule"]
        );
    }
}

#[test]
fn decision_107_a_server_that_closes_right_after_a_message_is_only_possibly_the_cause() {
    let mut c = chat();
    c.server().text("welcome").wait(5.0);
    c.client().text("do it").wait(0.1);
    let found = connection("apps-107", closed(c, 1000));
    assert_eq!((verdict(&found).2, verdict(&found).3), ("none", "possible"));
}

#[test]
fn decision_072_and_073_policy_violations_are_told_apart_by_time_and_reason() {
    let with_reason = |messages: usize, reason: &str| {
        let mut c = chat();
        c.wait(0.05);
        for number in 0..messages {
            c.client().text(&format!("message {number}")).wait(2.0);
        }
        c.server().close(1008, reason);
        c.client().close(1008, "");
        c.server().fin();
        c.client().fin();
        c
    };
    let early = connection("apps-072", with_reason(0, ""));
    assert_eq!((verdict(&early).1, verdict(&early).2), ("policy", "client"), "{}", early["diagnosis"]["rule"]);
    for reason in ["Rate limit exceeded", "too many requests", "limit reached"] {
        let found = connection("apps-073", with_reason(9, reason));
        assert_eq!(verdict(&found).0, "close-1008-rate", "{reason}");
    }
    for reason in ["Pong timeout", "ping timeout"] {
        let found = connection("apps-073", with_reason(9, reason));
        assert_eq!(
            (verdict(&found).1, verdict(&found).2),
            ("keepalive_timeout", "client"),
            "{reason}: {}",
            verdict(&found).0
        );
    }
}

#[test]
fn decision_103_a_server_that_drops_a_client_with_much_unread_names_a_slow_consumer() {
    for code in [1008, 4500] {
        let mut c = chat();
        c.client().text("subscribe");
        c.acks(support::Acks::Never);
        for _ in 0..80 {
            c.server().binary(&[7; 1400]);
        }
        c.wait(3.0);
        c.server().close(code, "").wait(3.0).rst();
        let found = connection("apps-103", c);
        assert_eq!(
            (verdict(&found).1, verdict(&found).2),
            ("slow_consumer", "client"),
            "{code}: {}",
            verdict(&found).0
        );
    }
}

// Decisions 35, 36: Engine.IO refuses.

#[test]
fn decision_035_and_036_engine_io_says_why_it_refuses() {
    for (code, status, rule, party) in [
        (1, 400, "handshake-engine-session", "proxy"),
        (5, 400, "handshake-engine-version", "client"),
        (3, 400, "handshake-engine-request", "client"),
        (4, 403, "handshake-engine-forbidden", "client"),
    ] {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        c.connect().request(
            "GET /socket.io/?EIO=4&transport=websocket&sid=secret HTTP/1.1\nHost: example.test\nUpgrade: websocket\n\
             Connection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        );
        c.respond(status, "Content-Type: application/json", &format!(r#"{{"code":{code},"message":"x"}}"#));
        c.server().fin();
        c.client().fin();
        let found = connection("apps-engine", c);
        assert_eq!((verdict(&found).0, verdict(&found).1, verdict(&found).2), (rule, "handshake_rejected", party));
    }
    // The same body from something else says nothing of Engine.IO.
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().request(
        "GET /chat HTTP/1.1\nHost: example.test\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    );
    c.respond(400, "Content-Type: application/json", r#"{"code":1,"message":"x"}"#);
    c.server().fin();
    c.client().fin();
    assert!(!verdict(&connection("apps-engine", c)).0.contains("engine"));
}

// Decisions 47, 48, 51, 53, 56, 63, 78.

#[test]
fn decision_047_and_048_codes_that_must_not_travel_are_the_senders_fault() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let mut c = chat();
        c.client().text("hello").wait(3.0);
        let found = connection("apps-047", closed(c, code));
        assert_eq!((verdict(&found).1, verdict(&found).2), ("protocol_error", "server"), "{code}");
    }
}

#[test]
fn decision_051_and_063_limits_of_aws_api_gateway() {
    let gateway = || at_host("x1.execute-api.eu-west-1.amazonaws.com");
    let mut c = gateway();
    c.client().text(&"x".repeat(40_000));
    let found = connection("apps-051", closed(c, 1009));
    assert_eq!((verdict(&found).0, verdict(&found).2), ("close-1009-api-gateway", "client"));
    let mut c = gateway();
    c.client().text("hello").wait(600.0);
    let found = connection("apps-063", closed(c, 1001));
    assert_eq!((verdict(&found).0, verdict(&found).1), ("close-idle-device", "idle_timeout"));
    let mut c = gateway();
    for _ in 0..24 {
        c.client().text("hello").wait(300.0);
    }
    let found = connection("apps-063", closed(c, 1001));
    assert_eq!((verdict(&found).0, verdict(&found).1), ("close-lifetime-device", "lifetime_limit"));
    // Elsewhere these times are nobody's limits.
    let mut c = chat();
    c.client().text("hello").wait(7200.0);
    assert!(!verdict(&connection("apps-063", closed(c, 1001))).0.contains("gateway"));
}

#[test]
fn decision_053_text_that_is_no_json_is_a_possible_cause() {
    for code in [1003, 1007, 4400] {
        let mut c = chat();
        c.client().text("hello").wait(0.01);
        let found = connection("apps-053", closed(c, code));
        assert_eq!(
            (verdict(&found).0, verdict(&found).2, verdict(&found).3),
            ("close-not-json", "client", "possible"),
            "{code}"
        );
        let mut c = chat();
        c.client().text("{}").wait(0.01);
        assert_ne!(verdict(&connection("apps-053", closed(c, code))).0, "close-not-json", "{code}");
    }
}

#[test]
fn decision_056_an_unanswered_ping_of_engine_io_is_a_keepalive_timeout() {
    let mut c = at_path("/socket.io/?EIO=4&transport=websocket");
    c.server().text(r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#);
    c.client().text("40");
    c.server().text(r#"40{"sid":"y"}"#).wait(25.0);
    for _ in 0..2 {
        c.server().text("2");
        c.client().text("3").wait(25.0);
    }
    c.server().text("2").wait(20.0);
    let found = connection("apps-056", closed_empty(c, Side::Server));
    assert_eq!((verdict(&found).1, verdict(&found).2), ("keepalive_timeout", "client"), "{}", verdict(&found).0);
}

#[test]
fn decision_078_a_refused_subprotocol_is_named() {
    let offered = Upgrade { subprotocols_offered: Some("graphql-transport-ws".into()), ..Upgrade::default() };
    let found = connection("apps-078", closed(open_with(&offered), 1002));
    assert_eq!(verdict(&found).1, "subprotocol_mismatch");
}

// Row 86: heartbeats.

#[test]
fn row_86_a_heartbeat_of_an_unknown_application_is_reported_with_its_last_beat() {
    let mut c = chat();
    for beat in 0..6 {
        // Two hundredths of a second around 20 s: far below 5 %.
        c.client().text(r#"{"t":"hb"}"#).wait(if beat % 2 == 0 { 19.98 } else { 20.02 });
    }
    let found = connection("apps-heartbeat", closed(c, 1000));
    let beat = &found["keepalive"]["heartbeats"][0];
    assert_eq!((&beat["side"], &beat["beats"]), (&json!("client"), &json!(6)), "{beat}");
    // SYN, SYN-ACK, ACK, request, its ACK, response, its ACK; then each beat with its ACK.
    assert_eq!((&beat["first_packet"], &beat["last_packet"]), (&json!(8), &json!(18)), "{beat}");
    assert!(beat["jitter"].as_f64().is_some_and(|jitter| jitter < 0.05), "{beat}");
    assert!(beat["period_s"].as_f64().is_some_and(|period| (19.9..20.1).contains(&period)), "{beat}");
    let mut c = chat();
    for beat in 0..8 {
        c.client().text(r#"{"t":"hb"}"#).wait(if beat % 2 == 0 { 17.0 } else { 23.0 });
    }
    assert_eq!(connection("apps-heartbeat", closed(c, 1000))["keepalive"]["heartbeats"], json!([]), "jitter of 15 %");
}

// Row 128: everything can be explained offline.

#[test]
fn row_128_explain_works_for_rules_codes_violations_facts_and_applications_in_five_languages() {
    for what in
        ["announced-auth", "4004", "rsv_nonzero", "app.retry", "discord", "last-word-error", "1006", "close.code"]
    {
        let mut pages = Vec::new();
        for language in ["en", "zh", "de", "tr", "fr"] {
            let page = run(&["explain", what, "--lang", language]).text().to_owned();
            assert!(page.lines().count() > 2, "{what} in {language}");
            assert!(!pages.contains(&page), "{what} in {language}");
            pages.push(page);
        }
    }
    let all = run(&["explain", "4004", "--lang", "en"]).text().to_owned();
    assert!(all.contains("Discord gateway") && all.contains("Pusher"), "{all}");
    let one = run(&["explain", "4004", "--app", "discord", "--lang", "en"]).text().to_owned();
    assert!(one.contains("Discord gateway") && !one.contains("Pusher"), "{one}");
    assert_eq!(run(&["explain", "4004", "--app", "nobody"]).code, Some(2));
    assert_eq!(run(&["explain", "no-such-thing"]).code, Some(2));
}
