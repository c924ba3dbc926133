//! A header that comes in pieces, and HTTP where a header should be.

use super::header::{FrameHeader, LengthField};
use super::rules;
use crate::units::{Origin, StreamOffset};

/// The first bytes of a header that came in pieces.
#[derive(Clone, Copy)]
pub(super) struct PartialHeader {
    bytes: [u8; FrameHeader::MAX_LEN],
    len: u8,
    /// How many of the bytes are judged.
    judged: u8,
    /// Where its first byte is in the stream.
    pub(super) offset: StreamOffset,
    /// The packet with the first of the bytes; there is one as soon as there are bytes.
    pub(super) first: Option<Origin>,
    /// The packet with which it was certain that the length is illegal, whatever its last bytes are.
    pub(super) illegal_length: Option<Origin>,
}

/// What the bytes can be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Examined {
    /// The start of a header, or of HTTP.
    Unclear,
    /// A part of a header; nothing else begins like that.
    Part,
    /// A whole header.
    Header(FrameHeader),
    /// An HTTP message.
    Http,
}

/// How HTTP messages start: a response, or a request of some method.
///
/// Read as a frame each of them breaks several rules in its first byte alone (an opcode or bit that is reserved, or a
/// fragmented Close), so nothing legal is mistaken for one.
const HTTP: [&[u8]; 8] = [b"HTTP/1.", b"GET /", b"HEAD /", b"POST /", b"PUT /", b"PATCH /", b"DELETE /", b"OPTIONS "];

/// As many bytes of one of them are believed when no more come.
const HTTP_BELIEVED: usize = 4;

/// Whether an HTTP message may begin with this byte.
pub(super) fn may_be_http(byte: u8) -> bool {
    HTTP.iter().any(|start| start.first() == Some(&byte))
}

impl PartialHeader {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; FrameHeader::MAX_LEN],
        len: 0,
        judged: 0,
        offset: StreamOffset(0),
        first: None,
        illegal_length: None,
    };

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Adds one byte. `at` is where the chunk that it comes from starts; it counts only for the first byte.
    pub(super) fn append(&mut self, byte: u8, at: StreamOffset, origin: Origin) {
        if self.first.is_none() {
            self.offset = at;
            self.first = Some(origin);
        }
        if let Some(slot) = self.bytes.get_mut(usize::from(self.len)) {
            *slot = byte;
            self.len += 1;
        }
        if self.illegal_length.is_none() && rules::length_must_be_illegal(self.bytes()) {
            self.illegal_length = Some(origin);
        }
    }

    pub(super) fn examine(&self) -> Examined {
        let bytes = self.bytes();
        if HTTP.contains(&bytes) {
            Examined::Http
        } else if HTTP.iter().any(|start| start.starts_with(bytes)) {
            Examined::Unclear
        } else {
            FrameHeader::parse(bytes).map_or(Examined::Part, Examined::Header)
        }
    }

    /// The same when it is certain that no more bytes come.
    pub(super) fn examine_at_end(&self) -> Examined {
        match self.examine() {
            Examined::Unclear if usize::from(self.len) >= HTTP_BELIEVED => Examined::Http,
            Examined::Unclear => Examined::Part,
            clear => clear,
        }
    }

    /// The length field, once it is complete.
    pub(super) fn length(&self) -> Option<LengthField> {
        LengthField::parse(self.bytes())
    }

    /// The next bytes to judge; they count as judged then.
    pub(super) fn unjudged(&mut self) -> std::ops::Range<usize> {
        let from = std::mem::replace(&mut self.judged, self.len);
        usize::from(from)..usize::from(self.len)
    }
}
