//! Rows 1 to 38: no WebSocket came to be.

use super::AtMost::Likely;
use super::Row;
use super::scenes::{KEY, UPGRADE, good_request, request, talk};
use crate::support::{Conversation, accept_for};

/// A ClientHello of TLS 1.2 or 1.3 for this server name (RFC 8446 §4.1.2).
fn client_hello(name: &str) -> Vec<u8> {
    let u16_be = |length: usize| (length as u16).to_be_bytes();
    let mut sni = vec![0];
    sni.extend(u16_be(name.len()));
    sni.extend(name.as_bytes());
    let mut list = u16_be(sni.len()).to_vec();
    list.extend(sni);
    let mut extensions = vec![0, 0];
    extensions.extend(u16_be(list.len()));
    extensions.extend(list);
    extensions.extend([0, 0x2b, 0, 5, 4, 3, 4, 3, 3]);
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.extend([0, 0, 4, 0x13, 0x01, 0xc0, 0x2f, 1, 0]);
    body.extend(u16_be(extensions.len()));
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(u16_be(body.len()));
    handshake.extend(body);
    record(22, &handshake)
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 3];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A fatal alert in clear.
fn alert(code: u8) -> Vec<u8> {
    record(21, &[2, code])
}

/// A ServerHello and what follows it in TLS 1.3, encrypted.
fn server_flight() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([0xa5; 32]);
    body.extend([0, 0x13, 0x01, 0, 0, 6, 0, 0x2b, 0, 2, 3, 4]);
    let mut hello = vec![2, 0];
    hello.extend((body.len() as u16).to_be_bytes());
    hello.extend(body);
    [record(22, &hello), record(20, &[1]), record(23, &[0x77; 900])].concat()
}

fn hello() -> Conversation {
    let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    talk.connect();
    talk.client().bytes(&client_hello("example.test"));
    talk
}

/// The client refuses with this alert what the server has shown.
fn refused_by_client(code: u8) -> Conversation {
    let mut talk = hello();
    talk.server().bytes(&server_flight());
    talk.client().bytes(&alert(code)).fin();
    talk.server().fin();
    talk
}

/// The server refuses the ClientHello with this alert.
fn refused_by_server(code: u8) -> Conversation {
    let mut talk = hello();
    talk.server().bytes(&alert(code)).fin();
    talk.client().fin();
    talk
}

pub(super) fn tls() -> Vec<Row> {
    let mut plain_port = hello();
    plain_port.server().bytes(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").fin();
    plain_port.client().fin();

    let mut tls_port = talk();
    tls_port.request(&good_request(&[])).server().bytes(&alert(10)).fin();
    tls_port.client().fin();
    let mut tls_port_400 = talk();
    let nginx = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>";
    tls_port_400.request(&good_request(&[])).respond(400, "Server: nginx/1.24.0\nContent-Type: text/html", nginx);
    tls_port_400.server().fin();
    tls_port_400.client().fin();

    let mut left = hello();
    left.server().bytes(&server_flight());
    left.client().bytes(&record(23, &[0x11; 19])).fin();
    left.server().fin();
    let mut reset = hello();
    reset.server().rst();
    let mut unanswered = Conversation::new("10.0.0.1:40000", "10.0.0.2:443");
    unanswered.connect();
    unanswered.acks(crate::support::Acks::Never).client().bytes(&client_hello("example.test"));
    let sent = unanswered.count() - 1;
    for seconds in [0.3, 0.6, 1.2, 2.4, 4.8] {
        unanswered.wait(seconds).retransmit(sent);
    }
    unanswered.wait(1.0).client().fin();
    vec![
        Row::new(1, "ClientHello answered with HTTP", plain_port).is(&["tls_to_plain_port"], &["client"]),
        Row::new(2, "upgrade request answered with an alert", tls_port).is(&["plain_http_to_tls"], &["client"]),
        Row::new(2, "400 that speaks of the HTTPS port", tls_port_400).is(&["plain_http_to_tls"], &["client"]),
        Row::new(3, "alert 45 by the client", refused_by_client(45)).is(&["tls_certificate_expired"], &["server"]),
        Row::new(4, "alert 48 by the client", refused_by_client(48)).is(&["tls_unknown_ca"], &["server", "client"]),
        Row::recorded(5, "alert 42, and the name is not in the certificate", "tls/wrong-host-name")
            .is(&["tls_hostname_mismatch"], &["server"]),
        Row::new(6, "alert 46 by the client", refused_by_client(46)).is(&["tls_certificate_rejected"], &["server"]),
        Row::new(6, "alert 44 by the client", refused_by_client(44)).is(&["tls_certificate_rejected"], &["server"]),
        Row::new(6, "alert 43 by the client", refused_by_client(43)).is(&["tls_certificate_rejected"], &["server"]),
        Row::new(7, "alert 70 by the server", refused_by_server(70))
            .is(&["tls_version_mismatch"], &["server", "client", "unknown"]),
        Row::new(8, "alert 40 right after the ClientHello", refused_by_server(40))
            .is(&["tls_no_common_cipher", "tls_failed"], &["server", "unknown"]),
        Row::new(9, "alert 112, SNI present", refused_by_server(112)).is(&["tls_failed"], &["server"]),
        Row::new(9, "alert 80 right after the ClientHello", refused_by_server(80)).is(&["tls_failed"], &["server"]),
        Row::new(10, "alert 120 by the server", refused_by_server(120)).is(&["tls_failed"], &["server", "client"]),
        Row::recorded(11, "client leaves after the server's certificate", "tls/expired-node-client")
            .is(&["tls_certificate_rejected", "tls_certificate_expired"], &["server", "unknown"])
            .at_most(Likely),
        Row::new(12, "server flight, a record of 19 bytes, FIN, no request", left)
            .is(&["tls_certificate_rejected"], &["server", "unknown"])
            .at_most(Likely),
        Row::new(13, "ClientHello answered with RST", reset)
            .is(&["tls_failed"], &["server", "network", "unknown"])
            .at_most(Likely),
        Row::new(14, "ClientHello sent again and again", unanswered)
            .is(&["no_answer", "network_loss"], &["server", "network", "unknown"])
            .at_most(Likely),
    ]
}

fn answered(request: &str, status: u16, headers: &str, body: &str) -> Conversation {
    let mut talk = talk();
    talk.request(request).respond(status, headers, body);
    talk.server().fin();
    talk.client().fin();
    talk
}

/// A 101 with these headers, after which the client leaves.
fn switched(request: &str, headers: &str) -> Conversation {
    let mut talk = talk();
    talk.request(request).respond(101, headers, "");
    talk.client().fin();
    talk.server().fin();
    talk
}

pub(super) fn upgrade() -> Vec<Row> {
    let mut hung_up = talk();
    hung_up.request(&good_request(&[])).server().fin();
    hung_up.client().fin();
    let refused = {
        let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        talk.connect();
        let mut packets = talk.into_packets();
        packets.truncate(2);
        let answer = packets[1].segment_mut();
        answer.flags = crate::support::net::flags::RST | crate::support::net::flags::ACK;
        answer.options.clear();
        packets
    };
    let mut syns = {
        let mut talk = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        talk.connect();
        talk
    };
    syns.packets_mut().truncate(1);
    for seconds in [1.0, 2.0, 4.0, 8.0] {
        syns.wait(seconds).retransmit(0);
    }
    let accept = accept_for(KEY);
    let tokens = "Upgrade: websocket\nConnection: Upgrade";
    let good = format!("{tokens}\nSec-WebSocket-Accept: {accept}");
    let stripped = request("GET /chat HTTP/1.0", &["Connection: close"]);
    let protocols = good_request(&["Sec-WebSocket-Protocol: graphql-ws"]);
    let mut none_chosen = talk();
    none_chosen.request(&protocols).respond(101, &good, "");
    none_chosen.client().close(1002, "").wait(0.01);
    none_chosen.server().close(1002, "").fin();
    none_chosen.client().fin();
    vec![
        Row::new(15, "request answered with FIN", hung_up).is(&["no_answer"], &["server", "proxy"]).at_most(Likely),
        Row::new(16, "SYN answered with RST", refused).is(&["connection_refused"], &["server"]),
        Row::new(17, "SYN sent again without an answer", syns.into_packets())
            .is(&["connection_timeout"], &["network", "unknown"]),
        Row::new(18, "HTTP/1.0 with a key and no Upgrade", answered(&stripped, 400, "", ""))
            .is(&["upgrade_stripped"], &["proxy"]),
        Row::new(19, "200 with a page", answered(&good_request(&[]), 200, "Content-Type: text/html", "<html></html>"))
            .is(&["handshake_rejected", "upgrade_stripped"], &["proxy", "server", "unknown"])
            .at_most(Likely),
        Row::new(
            20,
            "Accept of another key",
            switched(
                &good_request(&[]),
                &format!("{tokens}\nSec-WebSocket-Accept: {}", accept_for("AAAAAAAAAAAAAAAAAAAAAA==")),
            ),
        )
        .is(&["bad_accept"], &["server", "proxy"]),
        Row::new(
            21,
            "101 without Upgrade and Connection",
            switched(&good_request(&[]), &format!("Sec-WebSocket-Accept: {accept}")),
        )
        .is(&["upgrade_stripped"], &["proxy", "server"]),
        Row::new(
            22,
            "a subprotocol nobody asked for",
            switched(&good_request(&[]), &format!("{good}\nSec-WebSocket-Protocol: chat")),
        )
        .is(&["subprotocol_mismatch"], &["server"]),
        Row::new(23, "none of the subprotocols is chosen, the client leaves with 1002", none_chosen)
            .is(&["subprotocol_mismatch"], &["server", "client", "unknown"]),
        Row::new(23, "none of the subprotocols is chosen, the client leaves with FIN", switched(&protocols, &good))
            .is(&["subprotocol_mismatch"], &["server", "client", "unknown"]),
        Row::new(
            24,
            "an extension nobody asked for",
            switched(&good_request(&[]), &format!("{good}\nSec-WebSocket-Extensions: permessage-deflate")),
        )
        .is(&["extension_mismatch"], &["server"]),
    ]
}

pub(super) fn refused() -> Vec<Row> {
    let mut needs_extension = talk();
    needs_extension.request(&good_request(&["Sec-WebSocket-Extensions: permessage-deflate"]));
    needs_extension.respond(
        101,
        &format!("{}\n{}\nSec-WebSocket-Accept: {}", UPGRADE[0], UPGRADE[1], accept_for(KEY)),
        "",
    );
    needs_extension.client().close(1010, "permessage-deflate").wait(0.01);
    needs_extension.server().close(1010, "").fin();
    needs_extension.client().fin();

    let plain = good_request(&[]);
    let version_8 = plain.replace("Version: 13", "Version: 8");
    let no_upgrade = request("GET /chat HTTP/1.1", &["Connection: close"]);
    let origin = good_request(&["Origin: https://evil.test"]);
    let engine_io = plain.replace("/chat", "/socket.io/?EIO=4&transport=websocket&sid=xyz");
    let engine_io_3 = plain.replace("/chat", "/socket.io/?EIO=3&transport=websocket");
    let json = "Content-Type: application/json";
    let mut http_in_stream = talk();
    let good = format!("{}\n{}\nSec-WebSocket-Accept: {}", UPGRADE[0], UPGRADE[1], accept_for(KEY));
    http_in_stream.request(&plain).respond(101, &good, "");
    http_in_stream.server().bytes(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok").fin();
    http_in_stream.client().fin();

    let rejected: &[&str] = &["handshake_rejected"];
    let mut rows = vec![
        Row::new(25, "the client leaves with 1010", needs_extension).is(&["missing_extension"], &["server"]),
        Row::new(26, "426 to version 8", answered(&version_8, 426, "Sec-WebSocket-Version: 13", ""))
            .is(&["version_mismatch"], &["client"]),
        Row::new(28, "403 and a foreign Origin", answered(&origin, 403, "", ""))
            .is(rejected, &["server"])
            .at_most(Likely),
        Row::new(29, "403 without an Origin", answered(&plain, 403, "", ""))
            .is(rejected, &["server", "client", "unknown"]),
        Row::new(30, "403 by uvicorn", answered(&plain, 403, "server: uvicorn", "")).is(rejected, &["server"]),
        Row::new(31, "401", answered(&plain, 401, "WWW-Authenticate: Bearer", "")).is(rejected, &["client"]),
        Row::new(31, "407", answered(&plain, 407, "Proxy-Authenticate: Basic", ""))
            .is(rejected, &["network", "proxy", "client"]),
        Row::new(32, "429", answered(&plain, 429, "Retry-After: 5", "")).is(rejected, &["client"]),
        Row::new(
            35,
            "Engine.IO does not know the session",
            answered(&engine_io, 400, json, r#"{"code":1,"message":"Session ID unknown"}"#),
        )
        .is(rejected, &["server", "proxy"]),
        Row::new(
            36,
            "Engine.IO 3 against 4",
            answered(&engine_io_3, 400, json, r#"{"code":5,"message":"Unsupported protocol version"}"#),
        )
        .is(&["handshake_rejected", "version_mismatch"], &["client"]),
        Row::new(37, "505", answered(&request("GET /chat HTTP/1.0", &UPGRADE), 505, "", ""))
            .is(&["upgrade_stripped", "handshake_rejected"], &["proxy"]),
        Row::new(38, "an HTTP response in the upgraded stream", http_in_stream).is(&["protocol_error"], &["server"]),
    ];
    for status in [426, 400, 404, 405] {
        rows.push(
            Row::new(27, "refused, and the request has no Upgrade", answered(&no_upgrade, status, "", ""))
                .is(&["upgrade_stripped"], &["proxy"]),
        );
    }
    for status in [301, 302, 307, 308] {
        let location = "Location: https://example.test/chat/";
        rows.push(
            Row::new(33, "redirected", answered(&plain, status, location, "")).is(rejected, &["server", "client"]),
        );
    }
    for status in [502, 503, 504] {
        rows.push(
            Row::new(34, "the gateway's answer", answered(&plain, status, "Server: nginx", ""))
                .is(rejected, &["server", "proxy"]),
        );
    }
    rows
}
