//! Rows 39 to 53 and 72 to 78: what was said, and what was wrong with it.

use super::AtMost::Likely;
use super::Row;
use super::scenes::{answered_by, asked_for, open, open_with};
use crate::support::{Conversation, Frame, Masking, Side, Upgrade};

/// `side` sends a Close with this code, the other one answers it, and TCP is closed by the server.
pub(super) fn closed(mut talk: Conversation, side: Side, code: u16, reason: &str) -> Conversation {
    talk.wait(0.01).side(side).close(code, reason);
    talk.wait(0.01).side(side.other()).close(code, "");
    talk.server().fin();
    talk.client().fin();
    talk
}

fn dropped_by_server(mut talk: Conversation) -> Conversation {
    talk.wait(0.01).server().fin();
    talk.client().fin();
    talk
}

fn client_sends(frame: Frame) -> Conversation {
    let mut talk = open();
    talk.wait(1.0).client().frame(frame);
    talk
}

pub(super) fn faults() -> Vec<Row> {
    let invalid = || client_sends(Frame::new(1, b"caf\xe9 au lait".to_vec()));
    let server_masks = {
        let mut talk = open();
        talk.wait(1.0).server().frame(Frame::text("hi").masking(Masking::Key([1, 2, 3, 4])));
        closed(talk, Side::Client, 1002, "Masked frame from server")
    };
    let unnegotiated = client_sends(Frame::new(1, vec![0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).rsv(4));
    let on_control = {
        let mut talk = open_with(&Upgrade::deflate(""));
        talk.wait(1.0).client().frame(Frame::new(9, b"x".to_vec()).rsv(4));
        talk
    };
    let broken_deflate = {
        let mut talk = open_with(&Upgrade::deflate(""));
        talk.wait(1.0).client().frame(Frame::new(1, vec![0xff; 40]).rsv(4));
        talk
    };
    let answered_1002 = |mut talk: Conversation, code: u16| {
        talk.wait(0.01).side(Side::Server).close(code, "");
        talk.wait(0.01).server().fin();
        talk.client().fin();
        talk
    };
    let bad_close = |frame: Frame| answered_1002(client_sends(frame), 1002);
    let big = |bytes: usize| {
        let mut talk = open();
        talk.wait(1.0).client().text(&"x".repeat(bytes));
        talk
    };
    let inflated = {
        let mut talk = open_with(&Upgrade::deflate(""));
        talk.wait(1.0).client().text(&"x".repeat(3_000_000));
        talk
    };
    let gateway = {
        let mut talk = asked_for("abc123.execute-api.eu-west-1.amazonaws.com", "/prod");
        talk.wait(1.0).client().text(&"x".repeat(140_000));
        talk
    };
    let binary = {
        let mut talk = open();
        talk.wait(1.0).client().binary(&[1, 2, 3, 0xff]);
        talk
    };
    let not_json = {
        let mut talk = open();
        talk.wait(1.0).client().text("{not json");
        talk
    };
    let protocol: &[&str] = &["protocol_error"];
    let client: &[&str] = &["client"];
    vec![
        Row::new(39, "invalid UTF-8, 1007", closed(invalid(), Side::Server, 1007, "")).is(&["invalid_utf8"], client),
        Row::new(39, "invalid UTF-8, 1002", closed(invalid(), Side::Server, 1002, "Invalid UTF-8 in text frame"))
            .is(&["invalid_utf8"], client),
        Row::new(39, "invalid UTF-8, FIN", dropped_by_server(invalid())).is(&["invalid_utf8"], client),
        Row::new(
            40,
            "unmasked, 1002",
            closed(client_sends(Frame::text("hi").masking(Masking::Clear)), Side::Server, 1002, "incorrect masking"),
        )
        .is(protocol, &["client", "proxy"]),
        Row::new(
            40,
            "unmasked, 1003",
            closed(
                client_sends(Frame::text("hi").masking(Masking::Clear)),
                Side::Server,
                1003,
                "Received unmasked frame but masking is required",
            ),
        )
        .is(protocol, &["client", "proxy"]),
        Row::new(40, "unmasked, FIN", dropped_by_server(client_sends(Frame::text("hi").masking(Masking::Clear))))
            .is(protocol, &["client", "proxy"]),
        Row::new(41, "masked by the server", server_masks).is(protocol, &["server"]),
        Row::new(42, "RSV1 although nothing was negotiated", answered_1002(unnegotiated, 1002))
            .is(protocol, &["client", "proxy"]),
        Row::new(43, "RSV1 on a Ping", answered_1002(on_control, 1002)).is(protocol, client),
        Row::new(44, "does not inflate", answered_1002(broken_deflate, 1007)).is(protocol, &["client", "proxy"]),
        Row::new(45, "reserved opcode", answered_1002(client_sends(Frame::new(3, b"x".to_vec())), 1002))
            .is(protocol, client),
        Row::new(45, "stray continuation", answered_1002(client_sends(Frame::new(0, b"x".to_vec())), 1002))
            .is(protocol, client),
        Row::new(
            45,
            "interleaved message, FIN",
            dropped_by_server({
                let mut talk = client_sends(Frame::text("begin").fin(false));
                talk.client().text("other");
                talk
            }),
        )
        .is(protocol, client),
        Row::new(46, "Close with one byte", bad_close(Frame::new(8, vec![3]))).is(protocol, client),
        Row::new(46, "Close with code 999", bad_close(Frame::close(999, ""))).is(protocol, client),
        Row::new(47, "1006 on the wire", bad_close(Frame::close(1006, ""))).is(protocol, client),
        Row::new(47, "1005 on the wire", bad_close(Frame::close(1005, ""))).is(protocol, client),
        Row::new(48, "2500 on the wire", bad_close(Frame::close(2500, ""))).is(protocol, client),
        Row::new(48, "6000 on the wire", bad_close(Frame::close(6000, ""))).is(protocol, client),
        Row::new(
            49,
            "1009 with the limit in its reason",
            closed(big(1_310_720), Side::Server, 1009, "frame with 1310720 bytes exceeds limit of 1048576 bytes"),
        )
        .is(&["message_too_big"], client),
        Row::new(49, "FIN while a message above every default limit arrives", dropped_by_server(big(17_825_792)))
            .is(&["message_too_big"], client)
            .at_most(Likely),
        Row::new(50, "1009, small as sent and large inflated", closed(inflated, Side::Server, 1009, ""))
            .is(&["message_too_big"], client),
        Row::new(51, "1009 by an API gateway", closed(gateway, Side::Server, 1009, ""))
            .is(&["message_too_big"], client),
        Row::new(52, "1003 after a binary message", closed(binary, Side::Server, 1003, ""))
            .is(&["unsupported_data"], client),
        Row::new(53, "1003 after text that is no JSON", closed(not_json, Side::Server, 1003, ""))
            .is(&["unsupported_data"], client),
    ]
}

pub(super) fn application() -> Vec<Row> {
    let after = |mut talk: Conversation, text: &str| {
        talk.wait(0.5).server().text(text);
        talk
    };
    let first_message_refused = {
        let mut talk = super::scenes::talk();
        talk.upgrade().wait(0.05).client().text(r#"{"token":"old"}"#);
        closed(talk, Side::Server, 1008, "")
    };
    let subprotocol = |offered: &str, chosen: Option<&str>| {
        let mut talk = super::scenes::talk();
        talk.upgrade_with(&Upgrade {
            subprotocols_offered: Some(offered.to_owned()),
            subprotocol: chosen.map(str::to_owned),
            ..Upgrade::default()
        });
        talk
    };
    let graphql = {
        let mut talk = subprotocol("graphql-transport-ws", Some("graphql-transport-ws"));
        talk.wait(0.05).client().text(r#"{"type":"connection_init","payload":{}}"#);
        talk
    };
    let pusher = {
        let mut talk = asked_for("ws-eu.pusher.com", "/app/key?protocol=7&client=js&version=8");
        talk.wait(0.1).server().text(
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.1\",\"activity_timeout\":120}"}"#,
        );
        after(talk, r#"{"event":"pusher:error","data":{"code":4009,"message":"Connection not authorized"}}"#)
    };
    vec![
        Row::new(72, "1008 after the first message", first_message_refused).is(&["policy"], &["client"]),
        Row::new(73, "1008 that speaks of a rate", closed(open(), Side::Server, 1008, "rate limit exceeded"))
            .is(&["policy", "try_again_later"], &["client"]),
        Row::new(73, "1008 that speaks of a missing pong", closed(open(), Side::Server, 1008, "Pong timeout"))
            .is(&["policy", "keepalive_timeout"], &["client"]),
        Row::new(
            74,
            "a code of Centrifugo",
            closed(asked_for("example.test", "/connection/websocket"), Side::Server, 3005, ""),
        )
        .is(&["application_code"], &["client", "server", "unknown"]),
        Row::new(75, "GraphQL refuses the token", closed(graphql, Side::Server, 4403, "Forbidden"))
            .is(&["application_code", "policy"], &["client"]),
        Row::new(76, "an unknown application's code", closed(open(), Side::Server, 4321, ""))
            .is(&["application_code"], &["client", "server", "unknown"])
            .at_most(Likely),
        Row::new(77, "an error message before the Close", closed(pusher, Side::Server, 4009, ""))
            .is(&["application_code", "policy"], &["client"]),
        Row::new(
            78,
            "the legacy GraphQL server drops another subprotocol with 1002",
            closed(subprotocol("graphql-transport-ws", None), Side::Server, 1002, ""),
        )
        .is(&["subprotocol_mismatch", "protocol_error"], &["client", "server", "unknown"])
        .at_most(Likely),
        Row::new(76, "the same behind some proxy", closed(answered_by(&["Via: 1.1 varnish"]), Side::Server, 4999, ""))
            .is(&["application_code"], &["client", "server", "unknown"])
            .at_most(Likely),
        Row::new(107, "1000 by the server just after a message", closed(open(), Side::Server, 1000, ""))
            .is(&["normal"], &["none", "server"]),
        Row::new(
            73,
            "1008 without a reason, much later",
            closed(
                {
                    let mut talk = open();
                    talk.wait(20.0).server().text("x");
                    talk.wait(9.0);
                    talk
                },
                Side::Server,
                1008,
                "",
            ),
        )
        .is(&["policy"], &["client", "server", "unknown"])
        .at_most(Likely),
    ]
}
