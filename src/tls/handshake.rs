//! Puts handshake messages together that span records (RFC 8446 §4, RFC 5246 §7.4). Only hellos and certificates are kept.

use crate::limits::Limits;

/// Handshake message types that matter here.
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
pub(super) const SERVER_HELLO_DONE: u8 = 14;

/// A message that is complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// A ClientHello or ServerHello without its header.
    Hello { kind: u8, body: Vec<u8> },
    /// A Certificate message without its header, or nothing when it was too long.
    Certificates(Option<Vec<u8>>),
    /// Another one, or one that was too long, of which only the type is known.
    Other { kind: u8 },
    /// A hello begins that is too long to keep.
    TooLong { kind: u8 },
}

/// The messages of one direction while they travel in clear.
#[derive(Debug, Default)]
pub(super) struct MessageReader {
    header: [u8; 4],
    have: usize,
    /// Bytes of the body still to come.
    left: usize,
    body: Vec<u8>,
    is_lost: bool,
}

impl MessageReader {
    /// The next complete message, and how many of `bytes` were taken. Without a message all were.
    pub(super) fn next(&mut self, limits: &Limits, bytes: &[u8]) -> (Option<Message>, usize) {
        if self.is_lost {
            return (None, bytes.len());
        }
        let mut consumed = 0;
        if self.have < self.header.len() {
            consumed = bytes.len().min(self.header.len() - self.have);
            self.header[self.have..self.have + consumed].copy_from_slice(&bytes[..consumed]);
            self.have += consumed;
            if self.have < self.header.len() {
                return (None, consumed);
            }
            let [_, high, middle, low] = self.header;
            self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            // Told at once: its end may never come.
            if is_hello(self.header[0]) && !self.is_kept(limits) {
                return (Some(Message::TooLong { kind: self.header[0] }), consumed);
            }
        }
        let taken = (bytes.len() - consumed).min(self.left);
        if self.is_kept(limits) {
            self.body.extend_from_slice(&bytes[consumed..consumed + taken]);
        }
        self.left -= taken;
        consumed += taken;
        if self.left > 0 {
            return (None, consumed);
        }
        let kind = self.header[0];
        let body = self.is_kept(limits).then(|| std::mem::take(&mut self.body));
        let message = match (kind, body) {
            (CERTIFICATE, body) => Message::Certificates(body),
            (_, Some(body)) => Message::Hello { kind, body },
            (_, None) => Message::Other { kind },
        };
        self.have = 0;
        (Some(message), consumed)
    }

    /// Bytes kept of a message that is not complete.
    pub(super) fn kept_bytes(&self) -> usize {
        self.body.capacity()
    }

    /// Bytes are missing: where the next message starts is unknown.
    pub(super) fn lose(&mut self) {
        *self = Self { is_lost: true, ..Self::default() };
    }

    /// Whether nothing was lost, and the last message is complete.
    pub(super) fn is_in_step(&self) -> bool {
        !self.is_lost && self.have == 0
    }

    fn is_kept(&self, limits: &Limits) -> bool {
        let [kind, high, middle, low] = self.header;
        let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        (is_hello(kind) || kind == CERTIFICATE) && len <= limits.tls_handshake_bytes
    }
}

fn is_hello(kind: u8) -> bool {
    matches!(kind, CLIENT_HELLO | SERVER_HELLO)
}
