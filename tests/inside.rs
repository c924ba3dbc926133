//! What travels inside the messages: application protocols, their own words for the end, message sizes, and that nothing of a
//! message is printed unasked.

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

fn agreed(subprotocol: &str) -> Upgrade {
    let agreed = Some(subprotocol.to_owned());
    Upgrade { subprotocols_offered: agreed.clone(), subprotocol: agreed, ..Upgrade::default() }
}

fn at_path(path: &str) -> Upgrade {
    Upgrade { path: path.to_owned(), ..Upgrade::default() }
}

/// The server closes with this code, and all is ended in order.
fn closed(mut c: Conversation, code: u16) -> Conversation {
    c.server().close(code, "");
    c.client().close(code, "");
    c.server().fin();
    c.client().fin();
    c
}

/// The file of a capture with one connection, in a folder of this test.
fn file(test: &str, c: Conversation) -> String {
    let path = folder(test).join("capture.pcap");
    std::fs::write(&path, Capture::of([c]).pcap()).expect("the folder is ours");
    path.to_str().expect("our own paths are UTF-8").to_owned()
}

/// The JSON line of the only connection of a capture.
fn connection_in(file: &str) -> Value {
    let lines = run(&["-T", "jsonl", "--lang", "en", file]).lines();
    let mut connections = lines.into_iter().filter(|line| line["type"] == "connection");
    let connection = connections.next().expect("the capture has a connection");
    assert!(connections.next().is_none(), "{file} has one connection");
    connection
}

fn application(test: &str, c: Conversation) -> Value {
    connection_in(&file(test, c))["application"].clone()
}

// Recognition.

/// Texts that both sides send first, as the specification of each protocol has them.
const FIRST_TEXTS: &[(&str, Side, &str)] = &[
    ("graphql", Side::Client, r#"{"type":"connection_init","payload":{"token":"x"}}"#),
    (
        "engine.io",
        Side::Server,
        r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
    ),
    ("stomp", Side::Client, "CONNECT\naccept-version:1.1,1.2\nhost:x\n\n\0"),
    ("signalr", Side::Client, "{\"protocol\":\"json\",\"version\":1}\u{1e}"),
    ("phoenix", Side::Client, r#"["1","1","room:lobby","phx_join",{}]"#),
    ("pusher", Side::Server, r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\"}"}"#),
    ("home-assistant", Side::Server, r#"{"type":"auth_required","ha_version":"2025.1.0"}"#),
    ("discord", Side::Server, r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#),
];

#[test]
fn row_62_protocols_are_recognised_by_their_first_messages() {
    for (name, side, text) in FIRST_TEXTS {
        let mut c = open_with(&Upgrade::default());
        c.side(*side).text(text);
        let found = application("inside-first", closed(c, 1000));
        assert_eq!(
            (&found["name"], &found["known_by"], &found["confidence"]),
            (&json!(name), &json!("messages"), &json!("likely")),
            "{text}"
        );
    }
    let mut c = open_with(&Upgrade::default());
    c.client().binary(&[0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 1, b'a']);
    assert_eq!(application("inside-first", closed(c, 1000))["name"], "mqtt");
}

#[test]
fn row_62_a_subprotocol_that_was_agreed_on_names_the_protocol() {
    for (token, name) in [
        ("graphql-transport-ws", "graphql-transport-ws"),
        ("graphql-ws", "graphql-ws"),
        ("v12.stomp", "stomp"),
        ("mqtt", "mqtt"),
        ("wamp.2.json", "wamp"),
        ("ocpp1.6", "ocpp"),
        ("actioncable-v1-json", "action-cable"),
        ("v4.channel.k8s.io", "kubernetes"),
    ] {
        let found = application("inside-agreed", closed(open_with(&agreed(token)), 1000));
        assert_eq!(
            (&found["name"], &found["known_by"], &found["confidence"]),
            (&json!(name), &json!("subprotocol"), &json!("named"))
        );
        assert_eq!(found["packet"], 6, "the 101 named it");
    }
    // What was only offered names nothing.
    let offered = Upgrade { subprotocols_offered: Some("mqtt".into()), ..Upgrade::default() };
    assert_eq!(application("inside-agreed", closed(open_with(&offered), 1000)), Value::Null);
}

#[test]
fn row_62_json_messages_are_told_from_others_for_each_side() {
    let mut c = open_with(&Upgrade::deflate(""));
    c.client().text(r#"{"op":"say","text":"hi"}"#).text("[1, 2]\n");
    c.server().text("{\"long\":\"").text("plain");
    let found = connection_in(&file("json", closed(c, 1000)));
    assert_eq!(
        (&found["messages"]["client"]["json"], &found["messages"]["server"]["json"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(found["application"], Value::Null, "JSON alone is no protocol");

    let mut c = open_with(&Upgrade::default());
    c.client().text(&format!(r#"{{"long":"{}"}}"#, "x".repeat(5000)));
    c.server().binary(b"{}");
    let found = connection_in(&file("json-long", closed(c, 1000)));
    assert_eq!(
        (&found["messages"]["client"]["json"], &found["messages"]["server"]["json"]),
        (&json!(true), &json!(false))
    );

    let silent = connection_in(&file("json-silent", closed(open_with(&Upgrade::default()), 1000)));
    assert_eq!(silent["messages"]["client"]["json"], Value::Null);
}

#[test]
fn a_path_alone_is_a_hint_that_a_message_can_refute() {
    let path = "/socket.io/?EIO=4&transport=websocket&sid=secret";
    let found = application("inside-path", closed(open_with(&at_path(path)), 1000));
    assert_eq!((&found["name"], &found["confidence"]), (&json!("socket.io"), &json!("possible")));

    let mut c = open_with(&at_path(path));
    c.server().text("welcome to something else");
    assert_eq!(application("inside-path", closed(c, 1000)), Value::Null);

    let mut c = open_with(&at_path(path));
    c.client().text("2probe");
    c.server().text("3probe");
    let found = application("inside-path", closed(c, 1000));
    assert_eq!((&found["name"], &found["confidence"]), (&json!("socket.io"), &json!("likely")));
}

#[test]
fn a_protocol_is_recognised_however_its_first_message_is_cut_and_packed() {
    let init = r#"{"type":"connection_init","payload":{}}"#;
    let mut byte_by_byte = open_with(&Upgrade::default());
    byte_by_byte.mss(1).client().text(init);
    let mut fragmented = open_with(&Upgrade::default());
    fragmented.client().message(support::frames::opcode::TEXT, &[b"{\"ty", b"pe\":\"connection", b"_init\"}"]);
    let mut compressed = open_with(&Upgrade::deflate(""));
    compressed.client().text(init);
    for c in [byte_by_byte, fragmented, compressed] {
        assert_eq!(application("inside-cut", closed(c, 1000))["name"], "graphql");
    }
}

#[test]
fn ordinary_messages_are_of_no_protocol() {
    let mut c = open_with(&Upgrade::default());
    for text in [
        r#"{"type":"message","text":"connection_init"}"#,
        r#"{"type":"ping"}"#,
        r#"{"event":"hello","data":{"name":"bob"}}"#,
        r#"["a","b","c","d",{}]"#,
        "40",
        "2",
        "CONNECT\nme",
        r#"{"op":10,"d":1}"#,
    ] {
        c.client().text(text);
        c.server().text(text);
    }
    c.client().binary(&[0x10, 2, 3, 4]);
    assert_eq!(application("inside-chat", closed(c, 1000)), Value::Null);
}

/// The programs behind the other families send texts of their own, or nothing but letters.
#[test]
fn no_recorded_connection_is_named_that_speaks_no_known_protocol() {
    for case in Case::all().into_iter().filter(|case| !case.name.starts_with("applications/")) {
        for connection in common::analyse(case.open()).expect("it is a capture").connections {
            let application = &connection["application"];
            assert!(application.get("name").is_none(), "{}: {application}", case.name);
        }
    }
}

// The application's own word for the end.

/// graphql-ws PROTOCOL.md and the table of its close codes, in our words.
const GRAPHQL_CODES: [(u16, &str); 7] = [
    (4400, "bad_message"),
    (4401, "unauthorized"),
    (4403, "forbidden"),
    (4406, "version"),
    (4408, "init_timeout"),
    (4409, "duplicate_id"),
    (4429, "init_twice"),
];

#[test]
fn row_62_an_applications_close_code_is_mapped_beside_the_rfc_code() {
    for (code, meaning) in GRAPHQL_CODES {
        let mut c = open_with(&agreed("graphql-transport-ws"));
        c.client().text(r#"{"type":"connection_init"}"#);
        let file = file("inside-graphql", closed(c, code));
        let connection = connection_in(&file);
        // The code keeps its meaning by RFC 6455 §7.4.2.
        assert_eq!((&connection["close"]["code"], &connection["close"]["name"]), (&json!(code), &json!("Private Use")));
        let close = &connection["application"]["close"];
        assert_eq!((&close["code"], &close["meaning"]), (&json!(code), &json!(meaning)));
        let words = close["text"].as_str().expect("a meaning has words");
        let text = run(&["--lang", "en", &file]).text().to_owned();
        let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(&format!("Close {code} means there: {words}")), "{text}");
        for lang in ["zh", "de", "tr", "fr"] {
            assert_ne!(
                run(&["--lang", lang, "-T", "jsonl", &file]).lines()[0]["application"]["close"]["text"],
                close["text"]
            );
        }
    }
    // The same number says nothing where nobody defines it.
    let chat = connection_in(&file("inside-graphql", closed(open_with(&Upgrade::default()), 4401)));
    assert_eq!((&chat["close"]["code"], &chat["application"]), (&json!(4401), &Value::Null));
}

/// Engine.IO's packet 1 is its close; the Close frame behind it is empty, which RFC 6455 §7.1.5 calls 1005.
#[test]
fn row_62_engine_io_packet_1_is_told_beside_1005() {
    let mut c = open_with(&at_path("/socket.io/?EIO=4&transport=websocket"));
    c.server().text(r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#);
    c.client().text("40");
    c.server().text(r#"40{"sid":"y"}"#);
    c.server().text("1");
    c.server().close_empty();
    c.client().close_empty();
    c.server().fin();
    c.client().fin();
    let connection = connection_in(&file("inside-engine", c));
    let application = &connection["application"];
    assert_eq!(application["name"], "socket.io");
    let last = &application["last_messages"]["server"];
    assert_eq!((&last["kind"], &last["meaning"]), (&json!("close"), &json!("ends")));
    assert_eq!((&connection["api_view"]["client"]["code"], &application["close"]), (&json!(1005), &Value::Null));
}

#[test]
fn row_62_the_last_message_of_each_side_says_what_its_protocol_announces() {
    let text = |bytes: &'static str| (true, bytes.as_bytes());
    /// Subprotocol; whether the message is a text, and its bytes; kind, code and meaning.
    type Row = (&'static str, (bool, &'static [u8]), &'static str, Value, &'static str);
    let table: [Row; 9] = [
        (
            "graphql-ws",
            text(r#"{"type":"connection_error","payload":{"message":"x"}}"#),
            "connection_error",
            Value::Null,
            "connection_refused",
        ),
        (
            "graphql-transport-ws",
            text(r#"{"id":"1","type":"error","payload":[]}"#),
            "error",
            Value::Null,
            "operation_failed",
        ),
        ("v12.stomp", text("ERROR\nmessage:secret\n\n\0"), "ERROR", Value::Null, "error_before_close"),
        ("mqtt", (false, &[0xe0, 2, 0x8e, 0]), "DISCONNECT", json!(0x8e), "session_taken_over"),
        ("mqtt", (false, &[0x20, 2, 0, 5]), "CONNACK", json!(5), "unauthorized"),
        (
            "actioncable-v1-json",
            text(r#"{"type":"disconnect","reason":"server_restart","reconnect":true}"#),
            "disconnect",
            Value::Null,
            "restarting",
        ),
        (
            "wamp.2.json",
            text(r#"[3,{"message":"x"},"wamp.error.no_such_realm"]"#),
            "ABORT",
            Value::Null,
            "unknown_application",
        ),
        ("v4.channel.k8s.io", (false, &[3, b'{', b'}']), "error", Value::Null, "stream_status"),
        ("ocpp1.6", text(r#"[4,"1","NotSupported","",{}]"#), "CALLERROR", Value::Null, "operation_failed"),
    ];
    for (token, (is_text, message), kind, code, meaning) in table {
        let mut c = open_with(&agreed(token));
        if is_text {
            c.client().text("anything");
            c.server().text(std::str::from_utf8(message).expect("they are texts"));
        } else {
            c.server().binary(message);
        }
        let found = application("inside-last", closed(c, 1000));
        let last = &found["last_messages"]["server"];
        assert_eq!((&last["kind"], &last["code"], &last["meaning"]), (&json!(kind), &code, &json!(meaning)), "{token}");
        assert_eq!(found["last_messages"]["client"], Value::Null, "it is of no kind that {token} has");
    }
}

/// MQTT 5.0 §6: control packets do not keep to messages. MQTT.js sends headers byte by byte.
#[test]
fn row_62_mqtt_packets_are_followed_over_messages() {
    let mut c = open_with(&agreed("mqtt"));
    for piece in [&[0x10_u8][..], &[14], &[0, 4], b"MQTT", &[5, 2, 0, 60], &[0, 0, 1, b'a']] {
        c.client().binary(piece);
    }
    for piece in [&[0x20_u8][..], &[3], &[0, 0, 0, 0xe0], &[2, 0x8d, 0]] {
        c.server().binary(piece);
    }
    let found = application("inside-mqtt", closed(c, 1000));
    let last = &found["last_messages"];
    assert_eq!((&last["client"]["kind"], &last["client"]["code"]), (&json!("CONNECT"), &Value::Null));
    assert_eq!((&last["server"]["code"], &last["server"]["meaning"]), (&json!(0x8d), &json!("heartbeat_missed")));
}

#[test]
fn what_comes_behind_a_side_s_close_is_not_its_last_word() {
    let mut c = open_with(&agreed("mqtt"));
    c.server().binary(&[0xe0, 2, 0x8b, 0]);
    c.server().close(1001, "");
    c.server().binary(&[0xd0, 0]);
    c.client().close(1001, "");
    c.server().fin();
    let found = application("inside-behind", c);
    let last = &found["last_messages"]["server"];
    assert_eq!((&last["kind"], &last["meaning"]), (&json!("DISCONNECT"), &json!("restarting")));
}

/// Programs of others, recorded.
#[test]
fn row_62_recorded_applications_are_recognised() {
    let cases: Vec<Case> = Case::all().into_iter().filter(|case| case.name.starts_with("applications/")).collect();
    assert!(cases.len() >= 4);
    for case in cases {
        let told = case.connections.iter().flat_map(|connection| &connection.expect);
        assert!(told.into_iter().any(|(name, _)| name.starts_with("application.")), "{} tells its protocol", case.name);
    }
}

// Sizes.

/// Limits of real stacks are crossed by one byte; the message that did it is named by packet, size and opcode.
#[test]
fn row_52_on_1009_the_message_that_crossed_the_limit_is_named() {
    for binary in [false, true] {
        let mut c = open_with(&Upgrade::default());
        c.client().text(&"a".repeat(100)).text(&"a".repeat(4096));
        let before = c.count();
        let crossing = "b".repeat(4097);
        // One packet for each 1460 bytes: the third has the last byte.
        if binary {
            c.client().binary(crossing.as_bytes())
        } else {
            c.client().text(&crossing)
        };
        let last = before as u64 + 3;
        let file = file("inside-1009", closed(c, 1009));
        let connection = connection_in(&file);
        let opcode = if binary { "binary" } else { "text" };
        let message = &connection["messages"]["client"]["last"];
        assert_eq!(message, &json!({ "kind": opcode, "bytes": 4097, "complete": true, "packet": last }));
        assert_eq!(connection["messages"]["client"]["largest"], json!({ "bytes": 4097, "packet": last }));
        let evidence = connection["diagnosis"]["evidence"].as_array().expect("a list");
        let size = evidence.iter().find(|each| each["fact"] == "peer.last_size").expect("1009 is proved by a size");
        assert_eq!((&size["value"], &size["packets"]), (&json!(4097), &json!([last])));
        let text = run(&["--lang", "en", &file]).text().to_owned();
        assert!(
            text.lines()
                .any(|line| line.contains(&format!("#{last} "))
                    && line.contains(&format!("{opcode} message, 4,097 bytes"))),
            "{text}"
        );
    }
}

#[test]
fn row_52_sizes_are_counted_in_classes() {
    let mut c = open_with(&Upgrade::deflate(""));
    for size in [0, 125, 126, 1_024, 1_025, 65_535, 65_536] {
        c.client().text(&"x".repeat(size));
    }
    let connection = connection_in(&file("inside-sizes", closed(c, 1000)));
    let client = &connection["messages"]["client"];
    assert_eq!(
        client["sizes"],
        json!({ "125": 2, "1024": 2, "16384": 1, "65535": 1, "1048576": 1 }),
        "inflated sizes count"
    );
    assert_eq!(client["largest"]["bytes"], 65_536);
    assert_eq!(connection["messages"]["server"]["sizes"], json!({}));
}

// Payload.

/// A word that can only come out of a message.
const MARK: &str = "tr0mb0ne";

/// Who sends a message, whether it is a text, and its bytes.
type Sent = (Side, bool, Vec<u8>);

/// Every place in messages that anything is read from has the mark in it.
fn marked() -> Vec<(Upgrade, Vec<Sent>)> {
    let text = |side, text: String| (side, true, text.into_bytes());
    let (client, server) = (Side::Client, Side::Server);
    let mut connect = vec![0x10, 22, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 8];
    connect.extend_from_slice(MARK.as_bytes());
    let mut published = vec![0x30, 18, 0, 8];
    published.extend_from_slice(format!("{MARK}{MARK}").as_bytes());
    vec![
        (Upgrade::default(), vec![text(client, MARK.into()), (server, false, MARK.as_bytes().to_vec())]),
        (Upgrade::deflate(""), vec![text(client, MARK.repeat(9)), text(server, MARK.into())]),
        (
            agreed("graphql-transport-ws"),
            vec![
                text(client, format!(r#"{{"type":"connection_init","payload":"{MARK}"}}"#)),
                text(server, format!(r#"{{"id":"{MARK}","type":"error","payload":["{MARK}"]}}"#)),
                text(client, format!(r#"{{"type":"{MARK}"}}"#)),
            ],
        ),
        (
            Upgrade::default(),
            vec![
                text(server, format!(r#"{{"event":"pusher:connection_established","data":"{MARK}"}}"#)),
                text(server, format!(r#"{{"event":"{MARK}","data":{{"code":"{MARK}"}}}}"#)),
            ],
        ),
        (
            agreed("v12.stomp"),
            vec![text(client, format!("CONNECT\npasscode:{MARK}\n\n\0")), text(server, format!("{MARK}\n\n\0"))],
        ),
        (agreed("mqtt"), vec![(client, false, connect), (server, false, published)]),
        (agreed("actioncable-v1-json"), vec![text(server, format!(r#"{{"type":"disconnect","reason":"{MARK}"}}"#))]),
        (agreed("wamp.2.json"), vec![text(server, format!(r#"[6,{{"message":"{MARK}"}},"{MARK}"]"#))]),
    ]
}

/// Each way to print a capture.
const PRINTS: [&[&str]; 4] = [&["-T", "text"], &["-T", "text", "-v"], &["-T", "json"], &["-T", "jsonl"]];

#[test]
fn row_62_nothing_of_a_message_is_printed_unasked() {
    let hex: String = MARK.bytes().map(|byte| format!("{byte:02x}")).collect();
    for (index, (upgrade, messages)) in marked().into_iter().enumerate() {
        let mut c = open_with(&upgrade);
        for (side, is_text, bytes) in messages {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if is_text {
                c.side(side).text(&text)
            } else {
                c.side(side).binary(&bytes)
            };
        }
        c.server().ping(MARK.as_bytes());
        c.client().pong(MARK.as_bytes());
        // Not UTF-8, so that a violation tells of its bytes.
        c.client().frame(support::Frame::new(support::frames::opcode::TEXT, [MARK.as_bytes(), &[0xff]].concat()));
        let file = file(&format!("inside-marked-{index}"), closed(c, 1007));
        for print in PRINTS {
            for lang in ["en", "zh", "de", "tr", "fr"] {
                let args = [print, &["--lang", lang, &file]].concat();
                let out = run(&args);
                let printed = format!("{}{}", out.text(), out.stderr);
                assert!(!printed.contains(MARK) && !printed.contains(&hex), "{args:?}: {printed}");
            }
            let shown = run(&[print, &["--show-payload", &file]].concat());
            assert!(shown.text().contains(MARK) || shown.text().contains(&hex), "{print:?} --show-payload");
        }
    }
}

/// What the recorded programs wrote, as `--show-payload` shows it, is in no other output.
#[test]
fn row_62_no_fixture_shows_its_messages_unasked() {
    // One run over all of them, as one input.
    let captures: Vec<String> =
        Case::all().iter().map(|case| case.capture.to_str().expect("our own paths are UTF-8").to_owned()).collect();
    let print = |args: &[&str]| {
        let captures = captures.iter().map(String::as_str);
        run(&args.iter().copied().chain(captures).collect::<Vec<_>>())
    };
    let mut shown = Vec::new();
    for connection in print(&["-T", "jsonl", "--show-payload"]).lines() {
        let messages = connection["payloads"]["messages"].as_array().cloned().unwrap_or_default();
        shown.extend(messages.iter().filter_map(|message| message["text"].as_str().map(str::to_owned)));
    }
    // Short words, such as "hello", also stand in sentences.
    shown.retain(|text| text.len() >= 24);
    assert!(shown.len() > 20, "programs sent texts");
    for args in PRINTS {
        let out = print(args);
        for text in &shown {
            let beginning: String = text.chars().take(24).collect();
            assert!(!out.text().contains(&beginning), "{args:?}: {text}");
        }
    }
}

#[test]
fn shown_payload_is_bounded_and_cannot_steer_a_terminal() {
    let mut c = open_with(&Upgrade::default());
    c.client().text("\u{1b}]0;owned\u{7}\u{202e}\u{9b}31m");
    c.server().text(&format!("{}{}", "a".repeat(255), "ü".repeat(500)));
    c.client().binary(&[0x1b, 0, 0xff]);
    let file = file("inside-steering", closed(c, 1000));
    for print in PRINTS {
        let out = run(&[print, &["--show-payload", &file]].concat());
        let steers = |char: char| (char.is_control() && char != '\n') || ('\u{202a}'..='\u{202e}').contains(&char);
        assert!(!out.text().contains(steers), "{print:?}: {:?}", out.text());
    }
    let messages = run(&["-T", "jsonl", "--show-payload", &file]).lines()[0]["payloads"]["messages"].clone();
    assert_eq!(messages[0]["text"], "\u{1b}]0;owned\u{7}\u{202e}\u{9b}31m");
    // 256 bytes are kept, and half a letter is none.
    assert_eq!((&messages[1]["text"], &messages[1]["bytes"]), (&json!("a".repeat(255)), &json!(1255)));
    assert_eq!((&messages[2]["hex"], &messages[2].get("text")), (&json!("1b00ff"), &None));
}

#[test]
fn of_many_messages_the_first_and_last_are_shown() {
    let mut c = open_with(&Upgrade::default());
    for number in 1..=100 {
        c.client().text(&format!("message {number}"));
    }
    let file = file("inside-many", closed(c, 1000));
    let payloads = run(&["-T", "jsonl", "--show-payload", &file]).lines()[0]["payloads"].clone();
    let texts: Vec<&str> =
        payloads["messages"].as_array().expect("a list").iter().filter_map(|one| one["text"].as_str()).collect();
    assert_eq!((texts.len(), payloads["skipped"].as_u64()), (40, Some(60)));
    assert_eq!((texts[0], texts[8], texts[39]), ("message 1", "message 69", "message 100"));
    let text = run(&["-v", "--lang", "en", "--show-payload", &file]).text().to_owned();
    assert!(text.contains("“message 100”") && !text.contains("message 50"), "{text}");
}
