//! The record layer: headers are read, bodies handed on as they come (RFC 8446 §5.1, RFC 5246 §6.2).

use crate::units::{Origin, StreamOffset};
use nom::combinator::{map_opt, verify};
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

/// What a record holds, as its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// 20: from here on a sender of TLS 1.2 or older encrypts; without meaning in TLS 1.3.
    ChangeCipherSpec,
    /// 21.
    Alert,
    /// 22.
    Handshake,
    /// 23: in TLS 1.3 everything that is encrypted, handshake messages and alerts included.
    ApplicationData,
    /// 24 (RFC 6520).
    Heartbeat,
}

impl ContentType {
    fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            24 => Self::Heartbeat,
            _ => return None,
        })
    }

    /// Its number in a record header.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
            Self::Heartbeat => 24,
        }
    }
}

/// The last complete record that one side sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRecord {
    /// What it holds.
    pub content_type: ContentType,
    /// Bytes of its body, the header not counted.
    pub len: u16,
    /// The packet that completed it.
    pub origin: Origin,
}

/// Whether `bytes` begin like a TLS record; `None` when they are too few to tell.
#[must_use]
pub fn looks_like_tls(bytes: &[u8]) -> Option<bool> {
    let plausible = |at: usize, is_good: fn(u8) -> bool| bytes.get(at).is_none_or(|&byte| is_good(byte));
    if !plausible(0, |byte| (20..=23).contains(&byte)) || !plausible(1, |byte| byte == 3) || !plausible(2, |b| b <= 4) {
        return Some(false);
    }
    let (header, _) = bytes.split_first_chunk::<HEADER_LEN>()?;
    Some(RecordHeader::read(header).is_some_and(|header| header.len > 0))
}

/// Whether `bytes` begin like a record with a ClientHello; `None` when they are too few to tell.
#[must_use]
pub fn looks_like_client_hello(bytes: &[u8]) -> Option<bool> {
    match (looks_like_tls(bytes), bytes.first(), bytes.get(HEADER_LEN)) {
        (Some(false), ..) => Some(false),
        (_, Some(&kind), _) if kind != 22 => Some(false),
        (Some(true), _, Some(&message)) => Some(message == 1),
        _ => None,
    }
}

/// The five bytes before a record's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) content_type: ContentType,
    pub(super) len: u16,
}

impl RecordHeader {
    pub(super) fn read(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        record_header(bytes).ok().map(|(_, header)| header)
    }
}

fn record_header(input: &[u8]) -> IResult<&[u8], RecordHeader> {
    let version = verify(be_u16, |version| (0x0300..=0x0304).contains(version));
    let len = verify(be_u16, |&len| len <= LONGEST_BODY);
    let (rest, (content_type, _, len)) = (map_opt(be_u8, ContentType::from_number), version, len).parse(input)?;
    Ok((rest, RecordHeader { content_type, len }))
}

/// Bytes of a record header.
pub(super) const HEADER_LEN: usize = 5;

/// The largest body that any version allows: 2^14 and 2048 for compression, padding and MAC (RFC 5246 §6.2.3).
const LONGEST_BODY: u16 = (1 << 14) + 2048;

/// Cuts one direction into records. Keeps five bytes.
#[derive(Debug)]
pub(super) struct RecordReader {
    state: State,
    any_read: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Header {
        bytes: [u8; HEADER_LEN],
        have: usize,
        start: StreamOffset,
    },
    Body {
        header: RecordHeader,
        start: StreamOffset,
        left: u16,
    },
    /// Record boundaries are unknown; a chunk that starts like a record ends this.
    Lost,
    /// Another protocol.
    NotTls,
}

/// Some bytes of one record.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// Bytes of a body, in order.
    Body {
        header: RecordHeader,
        /// Where the record starts.
        start: StreamOffset,
        bytes: &'a [u8],
        is_first: bool,
        is_last: bool,
    },
    /// There is no record here; nothing more will be read. The bytes are what stands in a header's place.
    NotRecord { start: StreamOffset, found: [u8; HEADER_LEN], any_read: bool },
}

const AT_HEADER: State = State::Header { bytes: [0; HEADER_LEN], have: 0, start: StreamOffset(0) };

impl Default for RecordReader {
    fn default() -> Self {
        Self { state: AT_HEADER, any_read: false }
    }
}

impl RecordReader {
    /// The next part, and how many of `bytes` it took. Without a part all bytes were taken.
    pub(super) fn next<'a>(&mut self, offset: StreamOffset, bytes: &'a [u8]) -> (Option<Part<'a>>, usize) {
        let mut consumed = 0;
        loop {
            let rest = &bytes[consumed..];
            if rest.is_empty() {
                return (None, consumed);
            }
            match &mut self.state {
                State::NotTls => return (None, bytes.len()),
                State::Lost if starts_with_record(rest) => self.state = AT_HEADER,
                State::Lost => return (None, bytes.len()),
                State::Header { bytes: header, have, start } => {
                    if *have == 0 {
                        *start = offset.plus(consumed as u64);
                    }
                    let taken = rest.len().min(HEADER_LEN - *have);
                    header[*have..*have + taken].copy_from_slice(&rest[..taken]);
                    *have += taken;
                    consumed += taken;
                    if *have < HEADER_LEN {
                        continue;
                    }
                    let (found, start) = (*header, *start);
                    let Some(header) = RecordHeader::read(&found) else {
                        self.state = State::NotTls;
                        return (Some(Part::NotRecord { start, found, any_read: self.any_read }), consumed);
                    };
                    self.any_read = true;
                    if header.len == 0 {
                        self.state = AT_HEADER;
                        return (
                            Some(Part::Body { header, start, bytes: &[], is_first: true, is_last: true }),
                            consumed,
                        );
                    }
                    self.state = State::Body { header, start, left: header.len };
                }
                State::Body { header, start, left } => {
                    let taken = rest.len().min(usize::from(*left));
                    let is_first = *left == header.len;
                    *left -= u16::try_from(taken).unwrap_or(*left);
                    let (header, start, is_last) = (*header, *start, *left == 0);
                    if is_last {
                        self.state = AT_HEADER;
                    }
                    let part = Part::Body { header, start, bytes: &rest[..taken], is_first, is_last };
                    return (Some(part), consumed + taken);
                }
            }
        }
    }

    /// Tells that the next bytes are lost. The boundaries stay known when they belong to the body of one record.
    pub(super) fn gap(&mut self, len: Option<u64>) {
        self.state = match (self.state, len) {
            (State::NotTls, _) => State::NotTls,
            (State::Body { header, start, left }, Some(len)) if len < u64::from(left) => {
                let left = left - u16::try_from(len).unwrap_or(left);
                State::Body { header, start, left }
            }
            (State::Body { left, .. }, Some(len)) if len == u64::from(left) => AT_HEADER,
            _ => State::Lost,
        };
    }
}

/// Whether a chunk begins with a record and, if it holds all of it, with another one after that.
fn starts_with_record(bytes: &[u8]) -> bool {
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_LEN>() else { return false };
    match RecordHeader::read(header) {
        Some(header) if header.len > 0 => {
            body.get(usize::from(header.len)..).is_none_or(|after| looks_like_tls(after) != Some(false))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_told_from_its_first_bytes() {
        for (bytes, is_tls, is_hello) in [
            (&b""[..], None, None),
            (&[22], None, None),
            (&[22, 3, 1, 2], None, None),
            (&[22, 3, 1, 2, 0], Some(true), None),
            (&[22, 3, 1, 2, 0, 1], Some(true), Some(true)),
            (&[22, 3, 3, 0, 80, 2], Some(true), Some(false)),
            (&[23, 3, 3, 0, 19], Some(true), Some(false)),
            (&[21], None, Some(false)),
            (&[22, 3, 1, 0xff, 0xff], Some(false), Some(false)),
            (&[22, 3, 3, 0, 0], Some(false), Some(false)),
            (&[22, 3, 9], Some(false), Some(false)),
            (b"GET / HTTP", Some(false), Some(false)),
            (b"HTTP/1.1 4", Some(false), Some(false)),
            (&[0x81, 0x05], Some(false), Some(false)),
        ] {
            assert_eq!((looks_like_tls(bytes), looks_like_client_hello(bytes)), (is_tls, is_hello), "{bytes:?}");
        }
    }

    #[test]
    fn empty_records_are_records() {
        let mut reader = RecordReader::default();
        let stream = [23, 3, 3, 0, 0, 23, 3, 3, 0, 1, 9];
        let mut at = 0;
        let mut lens = Vec::new();
        while at < stream.len() {
            let (part, taken) = reader.next(StreamOffset(at as u64), &stream[at..]);
            at += taken;
            if let Some(Part::Body { header, start, is_first: true, is_last: true, .. }) = part {
                lens.push((header.len, start.0));
            }
        }
        assert_eq!(lens, [(0, 0), (1, 5)]);
    }
}
