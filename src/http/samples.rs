//! Heads for the tests of this layer: the handshake of RFC 6455 §1.3, with whatever fields a test adds.

use super::{Head, HeadReader, Heads, Request, Response, Step};
use crate::units::{Origin, PacketNumber, StreamOffset};

pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(super) fn read<H: Head>(head: &str) -> H {
    read_with(&mut Heads::default(), head)
}

/// Reads a head with what is known of others.
pub(super) fn read_with<H: Head>(heads: &mut Heads, head: &str) -> H {
    let origin = Origin { packet: PacketNumber::FIRST, time: None };
    match HeadReader::new().push(heads, StreamOffset(0), origin, head.as_bytes()).0 {
        Step::Head(head) => *head,
        _ => panic!("not a head: {head}"),
    }
}

pub(super) fn request(fields: &str) -> Request {
    let fields = fields.replace('\n', "\r\n");
    read(&format!("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}\r\n"))
}

pub(super) fn good_request(fields: &str) -> Request {
    request(&format!("Sec-WebSocket-Key: {KEY}\nSec-WebSocket-Version: 13\n{fields}"))
}

pub(super) fn response(fields: &str) -> Response {
    let fields = fields.replace('\n', "\r\n");
    read(&format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}\r\n"))
}

pub(super) fn good_response(fields: &str) -> Response {
    response(&format!("Sec-WebSocket-Accept: {ACCEPT}\n{fields}"))
}
