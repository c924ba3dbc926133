//! TLS 1.3 around plain TCP connections: the same conversation as if it had been `wss`, with the secrets that open it.
//!
//! Written from RFC 8446: a handshake with as little in it as it may have, TLS_AES_128_GCM_SHA256, one or two records for
//! each segment. Sequence numbers move along; times, flags, windows and hop limits stay.

use super::net::{Packet, Segment, flags};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// How streams end inside TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With close_notify, in the segment of the FIN.
    CloseNotify,
    /// With the FIN alone.
    Cut,
    /// With close_notify of whoever ends first, in a segment of its own, and the rest as in the plain conversation.
    Early,
    /// With this fatal alert in the place of close_notify.
    Fatal(u8),
}

/// A wrapped capture.
pub struct Wrapped {
    pub packets: Vec<Packet>,
    /// In the format of NSS key logs.
    pub keys: String,
}

/// The same packets with every connection in TLS, or `None` when one of them is not recorded in order and whole. Each
/// segment becomes `records` records, if it has that many bytes; the server shows these `certificates` (RFC 8446 §4.4.2).
pub fn wrap(plain: &[Packet], ending: Ending, records: usize, certificates: &[&[u8]]) -> Option<Wrapped> {
    let mut flows = Vec::<Flow>::new();
    let (mut packets, mut keys) = (Vec::new(), String::new());
    for packet in plain {
        let segment = packet.segment();
        if segment.has(flags::SYN) && !segment.has(flags::ACK) {
            let flow = Flow::new(segment, flows.len() as u64);
            keys.push_str(&flow.key_log());
            flows.retain(|known| !known.is_between(segment));
            flows.push(flow);
        }
        let flow = flows.iter_mut().find(|flow| flow.is_between(segment))?;
        for segment in flow.wrap(segment, ending, records, certificates)? {
            packets.push(Packet { content: super::net::Content::Segment(segment), ..packet.clone() });
        }
    }
    Some(Wrapped { packets, keys })
}

struct Flow {
    client: SocketAddr,
    server: SocketAddr,
    number: u64,
    halves: [Half; 2],
    /// Whose SYN was seen.
    greeted: [bool; 2],
    is_open: bool,
    has_ended: bool,
}

/// What one end sends.
struct Half {
    isn: u32,
    /// Where plain bytes stand, as offsets, and the bytes that stand for them: by the offset of the first.
    pieces: BTreeMap<u64, (u64, u64, Vec<u8>)>,
    plain_next: u64,
    next: u64,
    fin: Option<Vec<u8>>,
    sealer: Sealer,
    secrets: [[u8; 32]; 2],
}

impl Flow {
    fn new(syn: &Segment, number: u64) -> Self {
        let half = |is_server: u8| {
            let secrets = [0, 1].map(|level: u8| [1 + number as u8 * 4 + is_server * 2 + level; 32]);
            Half {
                isn: 0,
                pieces: BTreeMap::new(),
                plain_next: 0,
                next: 0,
                fin: None,
                sealer: Sealer::new(&secrets[0]),
                secrets,
            }
        };
        let (client, server) = (syn.source, syn.destination);
        let halves = [half(0), half(1)];
        Self { client, server, number, halves, greeted: [false; 2], is_open: false, has_ended: false }
    }

    fn is_between(&self, segment: &Segment) -> bool {
        let ends = (segment.source, segment.destination);
        ends == (self.client, self.server) || ends == (self.server, self.client)
    }

    fn random(&self) -> [u8; 32] {
        let mut random = [0x5a; 32];
        random[..8].copy_from_slice(&self.number.to_be_bytes());
        random
    }

    fn key_log(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let labels = ["HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0"];
        let mut lines = String::new();
        for (side, half) in ["CLIENT", "SERVER"].into_iter().zip(&self.halves) {
            for (label, secret) in labels.into_iter().zip(&half.secrets) {
                lines.push_str(&format!("{side}_{label} {} {}\n", hex(&self.random()), hex(secret)));
            }
        }
        lines
    }

    fn wrap(
        &mut self,
        plain: &Segment,
        ending: Ending,
        records: usize,
        certificates: &[&[u8]],
    ) -> Option<Vec<Segment>> {
        let from = usize::from(plain.source != self.client);
        if plain.has(flags::SYN) {
            self.halves[from].isn = plain.seq;
            self.greeted[from] = true;
            return Some(vec![plain.clone()]);
        }
        let mut segments = Vec::new();
        if !plain.payload.is_empty() && !self.is_open {
            // Both ends must have been recorded from the start.
            self.greeted.iter().all(|greeted| *greeted).then_some(())?;
            self.is_open = true;
            segments = self.handshake(plain, certificates);
        }
        let is_rst = plain.has(flags::RST);
        if ending == Ending::Early && !self.has_ended && plain.has(flags::FIN) {
            let alert = self.halves[from].sealer.seal(ALERT, &[1, 0]);
            let mut segment = self.segment(from, plain, alert);
            segment.flags = flags::ACK | flags::PSH;
            segments.push(segment);
        }
        let half = &mut self.halves[from];
        let at = u64::from(plain.seq.wrapping_sub(half.isn).wrapping_sub(1));
        let mut wrapped = plain.clone();
        let mut payload = Vec::new();
        let offset = if plain.payload.is_empty() {
            half.offset(at)?
        } else if let Some((start, len, bytes)) = half.pieces.get(&at) {
            // Sent again: only what is the same can stand for the same.
            (*len == plain.payload.len() as u64).then(|| payload.clone_from(bytes))?;
            *start
        } else {
            (at == half.plain_next && half.fin.is_none()).then_some(())?;
            for piece in pieces(&plain.payload, records) {
                payload.extend(half.sealer.seal(DATA, piece));
            }
            let start = half.next;
            half.pieces.insert(at, (start, plain.payload.len() as u64, payload.clone()));
            half.plain_next += plain.payload.len() as u64;
            half.next += payload.len() as u64;
            start
        };
        if plain.has(flags::FIN) {
            let first = !std::mem::replace(&mut self.has_ended, true);
            let half = &mut self.halves[from];
            if half.fin.is_none() {
                let alert = match ending {
                    Ending::CloseNotify => half.sealer.seal(ALERT, &[1, 0]),
                    Ending::Fatal(description) if first => half.sealer.seal(ALERT, &[2, description]),
                    _ => Vec::new(),
                };
                half.next += alert.len() as u64;
                half.fin = Some(alert);
            }
            payload.extend(half.fin.as_deref().unwrap_or_default());
        }
        self.has_ended |= is_rst;
        wrapped.seq = self.halves[from].number(offset);
        if plain.has(flags::ACK) {
            let peer = &self.halves[1 - from];
            let acknowledged = u64::from(plain.ack.wrapping_sub(peer.isn).wrapping_sub(1));
            wrapped.ack = peer.number(peer.acknowledged(acknowledged));
        }
        wrapped.payload = payload;
        hide_selective(&mut wrapped.options);
        segments.extend(split(wrapped));
        Some(segments)
    }

    /// A segment of its own, before one of the same end.
    fn segment(&mut self, from: usize, like: &Segment, payload: Vec<u8>) -> Segment {
        let (half, peer) = (&self.halves[from], &self.halves[1 - from]);
        let (source, destination) = if from == 0 { (self.client, self.server) } else { (self.server, self.client) };
        let mut segment = Segment::new(source, destination);
        if like.source == source {
            segment.hop_limit = like.hop_limit;
        }
        segment.flags = flags::ACK | flags::PSH;
        segment.seq = half.number(half.next);
        segment.ack = peer.number(peer.next);
        self.halves[from].next += payload.len() as u64;
        segment.payload = payload;
        segment
    }

    /// ClientHello; ServerHello, EncryptedExtensions, Certificate, Finished; Finished.
    fn handshake(&mut self, like: &Segment, certificates: &[&[u8]]) -> Vec<Segment> {
        let versions: &[u8] = &[0, 43, 0, 3, 2, 3, 4];
        let name = b"example.com";
        let len = name.len() as u8;
        let sni = [&[0, 0, 0, len + 5, 0, len + 3, 0, 0, len], &name[..]].concat();
        let extensions = [&sni, versions].concat();
        let hello = [
            &[3, 3][..],
            &self.random(),
            &[0, 0, 2, 0x13, 0x01, 1, 0],
            &(extensions.len() as u16).to_be_bytes(),
            &extensions,
        ]
        .concat();
        let hello = record(HANDSHAKE, &message(1, &hello));
        let mut segments = vec![self.segment(0, like, hello)];

        let chosen = [&[3, 3][..], &[0xa5; 32], &[0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat();
        let mut flight = record(HANDSHAKE, &message(2, &chosen));
        let server = &mut self.halves[1];
        flight.extend(server.sealer.seal(HANDSHAKE, &message(8, &[0, 0])));
        if !certificates.is_empty() {
            let entry = |der: &&[u8]| [&u24(der.len())[..], der, &[0, 0]].concat();
            let list: Vec<u8> = certificates.iter().flat_map(entry).collect();
            let body = [&[0][..], &u24(list.len()), &list].concat();
            flight.extend(server.sealer.seal(HANDSHAKE, &message(11, &body)));
        }
        flight.extend(server.sealer.seal(HANDSHAKE, &message(20, &[7; 32])));
        server.sealer = Sealer::new(&server.secrets[1]);
        segments.push(self.segment(1, like, flight));

        let client = &mut self.halves[0];
        let finished = client.sealer.seal(HANDSHAKE, &message(20, &[8; 32]));
        client.sealer = Sealer::new(&client.secrets[1]);
        segments.push(self.segment(0, like, finished));
        let mut ack = self.segment(1, like, Vec::new());
        ack.flags = flags::ACK;
        segments.push(ack);
        segments
    }
}

impl Half {
    /// Where a segment without bytes stands that stood at `at` in the plain stream; one before the end is a keep-alive.
    fn offset(&self, at: u64) -> Option<u64> {
        match at {
            at if at == self.plain_next => Some(self.next - self.fin.as_ref().map_or(0, |alert| alert.len() as u64)),
            at if at == self.plain_next + 1 => Some(self.next + 1),
            at if at + 1 == self.plain_next => Some(self.next - 1),
            _ => None,
        }
    }

    /// What an acknowledgement of `at` plain bytes acknowledges: whole pieces.
    fn acknowledged(&self, at: u64) -> u64 {
        if at > self.plain_next {
            return self.next + 1;
        }
        if at == self.plain_next {
            return self.next - self.fin.as_ref().map_or(0, |alert| alert.len() as u64);
        }
        let piece = self.pieces.range(..=at).next_back();
        match piece {
            Some((_, (start, ..))) => *start,
            None => 0,
        }
    }

    fn number(&self, offset: u64) -> u32 {
        self.isn.wrapping_add(1).wrapping_add(offset as u32)
    }
}

/// The payload of a segment in so many records, each of at most 2^14 bytes (RFC 8446 §5.1).
fn pieces(payload: &[u8], records: usize) -> impl Iterator<Item = &[u8]> {
    let most = payload.len().div_ceil(records).clamp(1, 1 << 14);
    payload.chunks(most)
}

/// Segments that fit into IP packets.
fn split(segment: Segment) -> Vec<Segment> {
    const MOST: usize = 60_000;
    let mut at = 0;
    let mut segments = Vec::new();
    while segment.payload.len() - at > MOST {
        let payload = segment.payload[at..at + MOST].to_vec();
        let seq = segment.seq.wrapping_add(at as u32);
        segments.push(Segment { payload, seq, flags: flags::ACK, ..segment.clone() });
        at += MOST;
    }
    segments.push(Segment {
        payload: segment.payload[at..].to_vec(),
        seq: segment.seq.wrapping_add(at as u32),
        ..segment.clone()
    });
    segments
}

/// Selective acknowledgements name sequence numbers of the plain stream.
fn hide_selective(options: &mut [u8]) {
    const SACK: u8 = 5;
    let mut at = 0;
    while at < options.len() {
        let len = match options[at] {
            0 => return,
            1 => 1,
            _ => usize::from(options.get(at + 1).copied().unwrap_or(1)).max(1),
        };
        if options[at] == SACK {
            let end = options.len().min(at + len);
            options[at..end].fill(1);
        }
        at += len;
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

fn u24(len: usize) -> [u8; 3] {
    [(len >> 16) as u8, (len >> 8) as u8, len as u8]
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &u24(body.len()), body].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// Protects the records of one direction at one level (RFC 8446 §5.2).
struct Sealer {
    cipher: Aes128Gcm,
    iv: [u8; 12],
    count: u64,
}

impl Sealer {
    fn new(secret: &[u8; 32]) -> Self {
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        expand_label(secret, "key", &mut key);
        expand_label(secret, "iv", &mut iv);
        Self { cipher: Aes128Gcm::new(&key.into()), iv, count: 0 }
    }

    fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        const TAG: usize = 16;
        let mut nonce = self.iv;
        for (byte, count) in nonce[4..].iter_mut().zip(self.count.to_be_bytes()) {
            *byte ^= count;
        }
        self.count += 1;
        let mut body = [content, &[kind]].concat();
        let header = [&[DATA, 3, 3][..], &((body.len() + TAG) as u16).to_be_bytes()].concat();
        let tag = self.cipher.encrypt_inout_detached(&Nonce::from(nonce), &header, body.as_mut_slice().into());
        [&header[..], &body, tag.expect("short enough").as_slice()].concat()
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
fn expand_label(secret: &[u8; 32], label: &str, out: &mut [u8]) {
    let label = format!("tls13 {label}");
    let info = [&(out.len() as u16).to_be_bytes()[..], &[label.len() as u8], label.as_bytes(), &[0]].concat();
    Hkdf::<Sha256>::from_prk(secret).expect("as long as a hash").expand(&info, out).expect("short enough");
}
