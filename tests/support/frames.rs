//! WebSocket frames as bytes (RFC 6455 §5.2), legal or not, and what permessage-deflate makes of a message (RFC 7692).

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compress, Compression, FlushCompress};
use sha1::{Digest, Sha1};

/// Opcodes of RFC 6455 §11.8.
pub mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// The reserved bits as a number.
pub mod rsv {
    pub const RSV1: u8 = 4;
    pub const RSV2: u8 = 2;
    pub const RSV3: u8 = 1;
}

/// Who decides about masking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masking {
    /// The sender's role: clients mask with a fresh key, servers do not.
    ByRole,
    /// Masked with this key, whoever sends it.
    Key([u8; 4]),
    /// Clear, whoever sends it.
    Clear,
}

/// How the payload length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// In 7, 16 or 64 bits, whichever is the shortest that fits.
    Shortest,
    /// In 16 bits even when 7 are enough.
    Bits16,
    /// In 64 bits even when fewer are enough.
    Bits64,
    /// A 64-bit field with this value, whatever the payload is.
    Claim(u64),
}

/// One frame, every header bit free.
#[derive(Debug, Clone)]
pub struct Frame {
    pub fin: bool,
    /// RSV1 = 4, RSV2 = 2, RSV3 = 1.
    pub rsv: u8,
    /// The low four bits are sent.
    pub opcode: u8,
    pub masking: Masking,
    pub length: Length,
    /// Before masking.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A final frame without reserved bits.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin: true, rsv: 0, opcode, masking: Masking::ByRole, length: Length::Shortest, payload: payload.into() }
    }

    /// A whole text message.
    pub fn text(text: &str) -> Self {
        Self::new(opcode::TEXT, text)
    }

    /// A whole binary message.
    pub fn binary(bytes: &[u8]) -> Self {
        Self::new(opcode::BINARY, bytes)
    }

    /// A Close frame with a status code; the reason need not be UTF-8.
    pub fn close(code: u16, reason: impl AsRef<[u8]>) -> Self {
        Self::new(opcode::CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
    }

    /// The same frame with this FIN bit.
    pub fn fin(self, fin: bool) -> Self {
        Self { fin, ..self }
    }

    /// The same frame with these reserved bits.
    pub fn rsv(self, rsv: u8) -> Self {
        Self { rsv, ..self }
    }

    /// The same frame masked (or not) against its sender's role.
    pub fn masking(self, masking: Masking) -> Self {
        Self { masking, ..self }
    }

    /// The same frame with its length in another form.
    pub fn length(self, length: Length) -> Self {
        Self { length, ..self }
    }

    /// The bytes on the wire; `by_role` is the key to use for [`Masking::ByRole`], `None` for a server.
    pub fn encode(&self, by_role: Option<[u8; 4]>) -> Vec<u8> {
        let key = match self.masking {
            Masking::ByRole => by_role,
            Masking::Key(key) => Some(key),
            Masking::Clear => None,
        };
        let mask_bit = if key.is_some() { 0x80 } else { 0 };
        let mut bytes = Vec::with_capacity(self.payload.len() + 14);
        bytes.push(u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | self.opcode & 0xf);
        let len = self.payload.len() as u64;
        match self.length {
            Length::Shortest if len < 126 => bytes.push(mask_bit | len as u8),
            Length::Shortest | Length::Bits16 if len <= 0xffff => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
            }
            Length::Shortest | Length::Bits16 | Length::Bits64 => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&len.to_be_bytes());
            }
            Length::Claim(claim) => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&claim.to_be_bytes());
            }
        }
        if let Some(key) = key {
            bytes.extend_from_slice(&key);
            bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend_from_slice(&self.payload);
        }
        bytes
    }
}

/// One direction of permessage-deflate (RFC 7692 §7.2.1).
#[derive(Debug)]
pub struct Deflater {
    compress: Compress,
    takeover: bool,
}

impl Deflater {
    /// A compressor with this window (9 to 15 bits), which keeps its window between messages when `takeover`.
    pub fn new(window_bits: u8, takeover: bool) -> Self {
        Self { compress: Compress::new_with_window_bits(Compression::default(), false, window_bits), takeover }
    }

    /// The compressor of `side` ("client" or "server") under an accepted `permessage-deflate; …` answer, if it is one.
    pub fn negotiated(answer: &str, side: &str) -> Option<Self> {
        let mut parameters = answer.split(';').map(str::trim);
        if parameters.next()? != "permessage-deflate" {
            return None;
        }
        let (mut bits, mut takeover) = (15, true);
        for parameter in parameters {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if name == format!("{side}_no_context_takeover") {
                takeover = false;
            } else if name == format!("{side}_max_window_bits") {
                bits = value.trim_matches('"').parse().expect("window bits of the test's own answer");
                // zlib has no smaller window, and its users take this one for 8.
                bits = bits.max(9);
            }
        }
        Some(Self::new(bits, takeover))
    }

    /// The payload of a compressed message: a sync-flushed block without its `00 00 ff ff` tail.
    pub fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.compress.reset();
        }
        if payload.is_empty() {
            return vec![0]; // An empty stored block (RFC 7692 §7.2.3.6).
        }
        let start = self.compress.total_in();
        let mut out = Vec::with_capacity(payload.len() / 2 + 64);
        loop {
            let done = (self.compress.total_in() - start) as usize;
            self.compress.compress_vec(&payload[done..], &mut out, FlushCompress::Sync).expect("deflate cannot fail");
            if out.len() < out.capacity() {
                break; // Room was left, so nothing is pending.
            }
            out.reserve(out.capacity());
        }
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]), "a sync flush ends in an empty stored block");
        out.truncate(out.len() - 4);
        out
    }
}

/// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
pub fn accept_for(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// A `Sec-WebSocket-Key` for these sixteen bytes (RFC 6455 §4.1).
pub fn key_of(nonce: [u8; 16]) -> String {
    STANDARD.encode(nonce)
}
