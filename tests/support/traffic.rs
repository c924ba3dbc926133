//! Traffic that is no WebSocket: TLS downloads and UDP.

use super::conversation::Conversation;
use super::net::{Content, Packet, checksum};
use super::rng::Rng;

/// A download over TLS 1.3 (RFC 8446): the handshake as it looks from outside, then opaque records.
pub fn tls(c: &mut Conversation, len: usize, rng: &mut Rng) {
    let client_hello =
        handshake(1, &[hello(rng, &[0, 2, 0x13, 0x01, 1, 0]), extensions(&[(0, &NAME), (43, &[2, 3, 4])])]);
    c.client().bytes(&record(22, &client_hello));
    let server_hello = handshake(2, &[hello(rng, &[0x13, 0x01, 0]), extensions(&[(43, &[3, 4])])]);
    let change = record(20, &[1]);
    c.server().bytes(&[record(22, &server_hello), change.clone(), record(23, &rng.bytes(2500))].concat());
    c.client().bytes(&[change, record(23, &rng.bytes(53))].concat());
    c.client().bytes(&record(23, &rng.bytes(300)));
    let mut left = len;
    while left > 0 {
        let part = left.min(16_384);
        c.server().bytes(&record(23, &rng.bytes(part)));
        left -= part;
    }
}

/// The server's name as its extension holds it.
const NAME: [u8; 17] = *b"\0\x0f\0\0\x0cexample.test";

/// Version, random and no session, before what the two hellos differ in.
fn hello(rng: &mut Rng, rest: &[u8]) -> Vec<u8> {
    [&[3, 3][..], &rng.bytes(32), &[0], rest].concat()
}

fn extensions(all: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in all {
        body.extend([kind.to_be_bytes(), (value.len() as u16).to_be_bytes()].concat());
        body.extend_from_slice(value);
    }
    [&(body.len() as u16).to_be_bytes()[..], &body].concat()
}

fn handshake(kind: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let mut message = (body.len() as u32).to_be_bytes().to_vec();
    message[0] = kind;
    message.extend(body);
    message
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// About `len` bytes of UDP from a server, as QUIC sends them, with small answers.
pub fn datagrams(at: i64, len: usize, rng: &mut Rng) -> Vec<Packet> {
    let client = [10, 9, rng.below(256) as u8, 1 + rng.below(254) as u8];
    let (server, port) = ([192, 0, 2, 99], 32_768 + rng.below(16_384) as u16);
    let mut packets = Vec::new();
    for i in 0..(len / 1200) as i64 {
        let time = at + i * 200_000;
        packets.push(datagram(time, (server, 443), (client, port), &rng.bytes(1200)));
        if i % 8 == 0 {
            packets.push(datagram(time + 50_000, (client, port), (server, 443), &rng.bytes(40)));
        }
    }
    packets
}

fn datagram(time: i64, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> Packet {
    let len = 8 + payload.len() as u16;
    let mut ip = vec![0x45, 0];
    ip.extend((20 + len).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend([from.0, to.0].concat());
    let sum = checksum(&[&ip]);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    // No checksum of UDP's own: IPv4 allows that (RFC 768).
    ip.extend([from.1.to_be_bytes(), to.1.to_be_bytes(), len.to_be_bytes(), [0, 0]].concat());
    ip.extend_from_slice(payload);
    Packet::new(time, Content::Ip(ip))
}
