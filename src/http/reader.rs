//! Finds heads in one direction of a connection and skips the bodies between them (RFC 9112 §2, §6, §7).
//!
//! A head that lies in one slice is parsed where it is; only one that is cut is collected. Bodies are never kept.

use super::fields::is_token_byte;
use super::form::{Fields, Method};
use super::heads::Heads;
use super::message::{Place, Request, Response};
use crate::limits::Limits;
use crate::units::{Origin, StreamOffset};
use memchr::memchr_iter;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Reads the requests of a connection.
pub type RequestReader = HeadReader<Request>;

/// Reads the responses of a connection.
pub type ResponseReader = HeadReader<Response>;

/// What a push came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<H> {
    /// Everything was consumed and no head is complete.
    NeedMore,
    /// A head is complete.
    Head(Box<H>),
    /// The next bytes are not a head that we can read. Final: every later push says the same.
    Failed(WhyNotHttp),
}

/// Why a head cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhyNotHttp {
    /// It does not start like HTTP/1.x: another protocol speaks.
    NotHttp,
    /// It starts like HTTP/1.x and then breaks the grammar; or a chunked body does.
    Malformed,
    /// It is longer than the limits allow.
    TooLarge,
    /// Bytes are missing from it, so it is not known where the next one starts.
    Gap,
}

/// One direction of an HTTP/1.x connection: heads come out, bodies are skipped. Resumable at any byte.
#[derive(Debug)]
pub struct HeadReader<H> {
    state: State,
    expected: Expected,
    head: PhantomData<fn() -> H>,
}

#[derive(Debug)]
enum State {
    /// Between messages: empty lines are skipped (RFC 9112 §2.2).
    Start,
    /// Inside a head that was cut.
    Partial {
        bytes: Vec<u8>,
        first: Origin,
        offset: StreamOffset,
    },
    Body(Body),
    Failed(WhyNotHttp),
}

/// What is still to come of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks (RFC 9112 §7.1).
    Chunked(Chunked),
    /// Everything until the connection ends.
    UntilClose,
}

/// Place inside a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// In the hexadecimal size; `None` before its first digit.
    Size(Option<u64>),
    /// After the size, up to the end of the line.
    Extension(u64),
    /// In the data.
    Data(u64),
    /// In the line end after the data.
    DataEnd,
    /// In the trailer section; whether the current line has a byte.
    Trailer {
        /// It has.
        line_has_bytes: bool,
    },
}

/// What the request means for the length of its response's body (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Expected {
    /// Nothing special.
    #[default]
    Ordinary,
    /// The request was HEAD: no body whatever the head says.
    NoBody,
    /// The request was CONNECT: a success has no body and makes a tunnel.
    Tunnel,
}

impl<H> Default for HeadReader<H> {
    fn default() -> Self {
        Self { state: State::Start, expected: Expected::Ordinary, head: PhantomData }
    }
}

impl HeadReader<Response> {
    /// Says which request the next response answers, as the length of its body may depend on it. Holds until the next
    /// final response; without it, an ordinary request is assumed.
    pub fn expect(&mut self, method: &Method) {
        self.expected = match method {
            Method::Connect => Expected::Tunnel,
            Method::Other(token) if token.as_str() == "HEAD" => Expected::NoBody,
            Method::Get | Method::Other(_) => Expected::Ordinary,
        };
    }
}

impl<H: Head> HeadReader<H> {
    /// A reader at the start of a message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads on, up to the end of the next head, and says how many of `bytes` were consumed.
    ///
    /// `bytes` start at `offset` of the stream and came in the packet `origin`. With [`Step::NeedMore`] all are
    /// consumed; with [`Step::Head`] `consumed` ends with the empty line of the head, so that the caller can stop there
    /// when the protocol changes. With [`Step::Failed`] it ends before the message that cannot be read, as far as that
    /// starts in `bytes`: what begins there may be another protocol. The caller must stop then.
    pub fn push(&mut self, heads: &mut Heads, offset: StreamOffset, origin: Origin, bytes: &[u8]) -> (Step<H>, usize) {
        let mut consumed = 0;
        loop {
            let rest = &bytes[consumed..];
            match &mut self.state {
                State::Failed(why) => return (Step::Failed(*why), consumed),
                _ if rest.is_empty() => return (Step::NeedMore, consumed),
                State::Body(body) => {
                    let (len, next) = body.skip(rest);
                    consumed += len;
                    self.state = match next {
                        Ok(Body::None) => State::Start,
                        Ok(body) => State::Body(body),
                        Err(Broken) => State::Failed(WhyNotHttp::Malformed),
                    };
                }
                State::Start => {
                    let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    consumed += blank;
                    let rest = &rest[blank..];
                    if rest.is_empty() {
                        continue;
                    }
                    let offset = offset.plus(consumed as u64);
                    let place = Place { first: origin, last: origin, offset };
                    if let Some((head, body, len)) = H::recognise(rest, place, self.expected, heads) {
                        return (Step::Head(self.take(head, body)), consumed + len);
                    }
                    let Some(len) = head_end(rest, 0) else {
                        match may_become_a_head::<H>(&heads.limits, rest) {
                            Ok(()) => self.state = State::Partial { bytes: rest.to_vec(), first: origin, offset },
                            Err(why) => self.state = State::Failed(why),
                        }
                        if matches!(self.state, State::Partial { .. }) {
                            return (Step::NeedMore, bytes.len());
                        }
                        continue;
                    };
                    match self.complete(heads, &rest[..len], place) {
                        Ok(head) => return (Step::Head(head), consumed + len),
                        Err(why) => self.state = State::Failed(why),
                    }
                }
                State::Partial { bytes: head, first, offset } => {
                    // The empty line may be cut too: `\n`, `\r`, `\n` in three slices.
                    let from = head.len().saturating_sub(2);
                    let had = head.len();
                    let room = heads.limits.http_head_bytes.saturating_add(1).saturating_sub(had);
                    head.extend_from_slice(&rest[..rest.len().min(room)]);
                    let Some(len) = head_end(head, from) else {
                        if let Err(why) = may_become_a_head::<H>(&heads.limits, head) {
                            self.state = State::Failed(why);
                            continue;
                        }
                        return (Step::NeedMore, bytes.len());
                    };
                    let place = Place { first: *first, last: origin, offset: *offset };
                    let head = std::mem::take(head);
                    match self.complete(heads, &head[..len], place) {
                        Ok(head) => return (Step::Head(head), consumed + (len - had)),
                        Err(why) => self.state = State::Failed(why),
                    }
                }
            }
        }
    }

    /// Tells that the next bytes are lost: `len` of them, `None` when that is not known.
    ///
    /// Reading goes on when they all belong to a body of known length, or to one that lasts until the connection ends.
    pub fn gap(&mut self, len: Option<u64>) {
        self.state = match (&self.state, len) {
            (State::Failed(why), _) => State::Failed(*why),
            (State::Body(Body::UntilClose), _) => State::Body(Body::UntilClose),
            (State::Body(Body::Length(left)), Some(len)) if len < *left => State::Body(Body::Length(left - len)),
            (State::Body(Body::Length(left)), Some(len)) if len == *left => State::Start,
            (State::Body(Body::Chunked(Chunked::Data(left))), Some(len)) if len < *left => {
                State::Body(Body::Chunked(Chunked::Data(left - len)))
            }
            _ => State::Failed(WhyNotHttp::Gap),
        };
    }

    /// Bytes kept of a head that is not complete.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        if let State::Partial { bytes, .. } = &self.state { bytes.capacity() } else { 0 }
    }

    /// Whether a head has begun and is not complete.
    #[must_use]
    pub fn is_inside_head(&self) -> bool {
        matches!(self.state, State::Partial { .. })
    }

    fn complete(&mut self, heads: &mut Heads, head: &[u8], place: Place) -> Result<Box<H>, WhyNotHttp> {
        may_become_a_head::<H>(&heads.limits, head)?;
        if let Some((head, body, _)) = H::recognise(head, place, self.expected, heads) {
            return Ok(self.take(head, body));
        }
        let head = &*unfolded(head);
        let most = heads.limits.http_headers;
        let mut few = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
        let parsed = match H::parse(head, place, self.expected, heads, &mut few[..most.min(USUAL_FIELDS)]) {
            Err(httparse::Error::TooManyHeaders) if most > USUAL_FIELDS => {
                let mut many = vec![MaybeUninit::uninit(); most];
                H::parse(head, place, self.expected, heads, &mut many)
            }
            parsed => parsed,
        };
        let (parsed, body) = parsed.map_err(|error| match error {
            httparse::Error::TooManyHeaders => WhyNotHttp::TooLarge,
            _ => WhyNotHttp::Malformed,
        })?;
        Ok(self.take(parsed, body))
    }

    /// Takes in a head and what follows it.
    fn take(&mut self, head: H, body: Body) -> Box<H> {
        self.state = if body == Body::None { State::Start } else { State::Body(body) };
        if head.is_final() {
            self.expected = Expected::Ordinary;
        }
        Box::new(head)
    }
}

/// A head that a [`HeadReader`] can read: [`Request`] or [`Response`].
pub trait Head: Sized + sealed::Sealed {
    /// Whether `start`, the first bytes of a message, can be the start of such a head; `None` when they are too few.
    #[must_use]
    fn looks_like(start: &[u8]) -> Option<bool>;
}

mod sealed {
    use super::{Body, Expected, Heads, MaybeUninit, Place};

    /// What only the reader may call.
    pub trait Sealed: Sized {
        /// The facts of a complete head and what follows it.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name or call this")]
        fn parse<'a>(
            head: &'a [u8],
            place: Place,
            expected: Expected,
            heads: &mut Heads,
            fields: &mut [MaybeUninit<httparse::Header<'a>>],
        ) -> Result<(Self, Body), httparse::Error>;

        /// The head at the start of `bytes` and what follows it, with its length, if it is like one that was parsed before.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name or call this")]
        fn recognise(bytes: &[u8], place: Place, expected: Expected, heads: &mut Heads) -> Option<(Self, Body, usize)>;

        /// Whether the exchange is over with this head: not so for an interim response.
        fn is_final(&self) -> bool;
    }
}

impl Head for Request {
    fn looks_like(start: &[u8]) -> Option<bool> {
        let method = start.iter().take(LONGEST_METHOD + 1).take_while(|&&byte| is_token_byte(byte)).count();
        let has_method = start.get(method).map(|&byte| byte == b' ' && (1..=LONGEST_METHOD).contains(&method))?;
        let compared = start.len().min(HTTP2_PREFACE.len());
        match start[..compared] == HTTP2_PREFACE[..compared] {
            true => (compared == HTTP2_PREFACE.len()).then_some(false),
            false => Some(has_method),
        }
    }
}

impl Head for Response {
    fn looks_like(start: &[u8]) -> Option<bool> {
        let compared = start.len().min(STATUS_LINE_START.len());
        match start[..compared] == STATUS_LINE_START[..compared] {
            false => Some(false),
            true => (compared == STATUS_LINE_START.len()).then_some(true),
        }
    }
}

impl sealed::Sealed for Request {
    #[expect(private_interfaces, reason = "sealed: nobody outside can name or call this")]
    fn parse<'a>(
        head: &'a [u8],
        place: Place,
        _: Expected,
        heads: &mut Heads,
        fields: &mut [MaybeUninit<httparse::Header<'a>>],
    ) -> Result<(Self, Body), httparse::Error> {
        let mut parsed = httparse::Request::new(&mut []);
        if lenient().parse_request_with_uninit_headers(&mut parsed, head, fields)?.is_partial() {
            return Err(httparse::Error::Token);
        }
        let request = Request::new(&parsed, place, heads);
        let framing = Framing::of(Fields(parsed.headers));
        heads.remember_request(head, &parsed, request.form(), framing);
        let body = framing.of_request(&request.method);
        Ok((request, body))
    }

    #[expect(private_interfaces, reason = "sealed: nobody outside can name or call this")]
    fn recognise(bytes: &[u8], place: Place, _: Expected, heads: &mut Heads) -> Option<(Self, Body, usize)> {
        let (form, framing, fit) = heads.known_request(bytes)?;
        let request = Request::with_form(form, fit.target, fit.own, place, heads);
        let body = framing.of_request(&request.method);
        Some((request, body, fit.len))
    }

    fn is_final(&self) -> bool {
        true
    }
}

impl sealed::Sealed for Response {
    #[expect(private_interfaces, reason = "sealed: nobody outside can name or call this")]
    fn parse<'a>(
        head: &'a [u8],
        place: Place,
        expected: Expected,
        heads: &mut Heads,
        fields: &mut [MaybeUninit<httparse::Header<'a>>],
    ) -> Result<(Self, Body), httparse::Error> {
        let mut parsed = httparse::Response::new(&mut []);
        if lenient().parse_response_with_uninit_headers(&mut parsed, head, fields)?.is_partial() {
            return Err(httparse::Error::Token);
        }
        let response = Response::new(&parsed, place, heads);
        let framing = Framing::of(Fields(parsed.headers));
        heads.remember_response(head, &parsed, response.form(), framing);
        let body = framing.of_response(response.status, expected);
        Ok((response, body))
    }

    #[expect(private_interfaces, reason = "sealed: nobody outside can name or call this")]
    fn recognise(bytes: &[u8], place: Place, expected: Expected, heads: &mut Heads) -> Option<(Self, Body, usize)> {
        let (form, framing, fit) = heads.known_response(bytes)?;
        let response = Response::with_form(form, fit.own, place);
        let body = framing.of_response(response.status, expected);
        Some((response, body, fit.len))
    }

    fn is_final(&self) -> bool {
        !(100..=199).contains(&self.status) || self.status == 101
    }
}

/// What a head says of the length of its body (RFC 9112 §6).
#[derive(Debug, Clone, Copy)]
pub(super) struct Framing {
    /// `Some(false)` is a transfer coding that we cannot delimit.
    is_chunked: Option<bool>,
    length: Option<u64>,
}

impl Framing {
    fn of(fields: Fields<'_>) -> Self {
        Self { is_chunked: fields.is_chunked(), length: fields.content_length() }
    }

    /// The same with another length.
    pub(super) fn with_length(self, length: Option<u64>) -> Self {
        Self { length, ..self }
    }

    fn of_request(self, method: &Method) -> Body {
        match (self.is_chunked, self.length) {
            _ if *method == Method::Connect => Body::None,
            (Some(true), _) => Body::Chunked(Chunked::Size(None)),
            (None, Some(len)) if len > 0 => Body::Length(len),
            (Some(false), _) => Body::UntilClose,
            (None, _) => Body::None,
        }
    }

    fn of_response(self, status: u16, expected: Expected) -> Body {
        match (status, self.is_chunked, self.length) {
            (100..=199 | 204 | 304, ..) => Body::None,
            (200..=299, ..) if expected == Expected::Tunnel => Body::None,
            _ if expected == Expected::NoBody => Body::None,
            (_, Some(true), _) => Body::Chunked(Chunked::Size(None)),
            (_, None, Some(0)) => Body::None,
            (_, None, Some(len)) => Body::Length(len),
            (_, Some(false), _) | (_, None, None) => Body::UntilClose,
        }
    }
}

/// The body's framing is broken.
struct Broken;

impl Body {
    /// Skips what belongs to the body: how many bytes, and what is left after them.
    fn skip(self, bytes: &[u8]) -> (usize, Result<Self, Broken>) {
        match self {
            Self::None => (0, Ok(Self::None)),
            Self::UntilClose => (bytes.len(), Ok(self)),
            Self::Length(left) => {
                let len = at_most(left, bytes);
                let left = left - len as u64;
                (len, Ok(if left == 0 { Self::None } else { Self::Length(left) }))
            }
            Self::Chunked(mut place) => {
                let mut consumed = 0;
                while let Some(&byte) = bytes.get(consumed) {
                    if let Chunked::Data(left) = place {
                        let len = at_most(left, &bytes[consumed..]);
                        consumed += len;
                        let left = left - len as u64;
                        place = if left == 0 { Chunked::DataEnd } else { Chunked::Data(left) };
                        continue;
                    }
                    consumed += 1;
                    match place.after(byte) {
                        Some(Ok(next)) => place = next,
                        Some(Err(broken)) => return (consumed, Err(broken)),
                        None => return (consumed, Ok(Self::None)),
                    }
                }
                (consumed, Ok(Self::Chunked(place)))
            }
        }
    }
}

impl Chunked {
    /// The place after one byte outside the data; `None` when the body ends with it.
    fn after(self, byte: u8) -> Option<Result<Self, Broken>> {
        Some(match (self, byte) {
            (Self::Size(None), b'\n' | b'\r' | b';') => Err(Broken),
            (Self::Size(Some(size)) | Self::Extension(size), b'\n') => {
                Ok(if size == 0 { Self::Trailer { line_has_bytes: false } } else { Self::Data(size) })
            }
            (Self::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                match size.unwrap_or(0).checked_mul(16).and_then(|size| size.checked_add(digit)) {
                    Some(size) => Ok(Self::Size(Some(size))),
                    None => Err(Broken),
                }
            }
            (Self::Size(Some(size)), b'\r' | b';' | b' ' | b'\t') => Ok(Self::Extension(size)),
            (Self::Size(_), _) => Err(Broken),
            (Self::Extension(size), _) => Ok(Self::Extension(size)),
            (Self::DataEnd, b'\r') => Ok(Self::DataEnd),
            (Self::DataEnd, b'\n') => Ok(Self::Size(None)),
            (Self::DataEnd, _) => Err(Broken),
            (Self::Trailer { line_has_bytes: false }, b'\n') => return None,
            (Self::Trailer { .. }, b'\n') => Ok(Self::Trailer { line_has_bytes: false }),
            (Self::Trailer { line_has_bytes }, b'\r') => Ok(Self::Trailer { line_has_bytes }),
            (Self::Trailer { .. }, _) => Ok(Self::Trailer { line_has_bytes: true }),
            // The data is skipped in runs, never byte by byte.
            (Self::Data(left), _) => Ok(Self::Data(left)),
        })
    }
}

fn at_most(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len())
}

/// Length of the head up to and with its empty line, looking for that from `from` on. A lone LF ends a line too
/// (RFC 9112 §2.2).
fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    for end in memchr_iter(b'\n', bytes.get(from..)?) {
        let at = from + end + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Whether what starts so may be a head within the limits, once its end is there.
fn may_become_a_head<H: Head>(limits: &Limits, start: &[u8]) -> Result<(), WhyNotHttp> {
    if H::looks_like(start) == Some(false) {
        Err(WhyNotHttp::NotHttp)
    } else if start.len() > limits.http_head_bytes {
        Err(WhyNotHttp::TooLarge)
    } else {
        Ok(())
    }
}

/// The head with its folded lines made one, as RFC 9112 §5.2 lets a recipient do. Nobody may send them, but what they
/// say is not lost. A line that begins with white space right behind the first one continues nothing (§2.2).
fn unfolded(head: &[u8]) -> Cow<'_, [u8]> {
    let mut unfolded = Cow::Borrowed(head);
    for at in memchr_iter(b'\n', head).skip(1) {
        if matches!(head.get(at + 1), Some(b' ' | b'\t')) {
            let end_of_line = if head[at - 1] == b'\r' { at - 1 } else { at };
            unfolded.to_mut()[end_of_line..=at].fill(b' ');
        }
    }
    unfolded
}

/// What peers in the field get away with is read: we report, we do not enforce.
fn lenient() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_request_line_delimiters(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_requests(true)
        .ignore_invalid_headers_in_responses(true);
    config
}

/// Header fields that a head usually fits in; more are read with a second, larger array.
const USUAL_FIELDS: usize = 64;

/// Longer than any registered method (`UPDATEREDIRECTREF`, 17).
const LONGEST_METHOD: usize = 24;

/// What an HTTP/2 client sends first (RFC 9113 §3.4), as far as it looks like a request line.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Start of every HTTP/1.x status line.
const STATUS_LINE_START: &[u8] = b"HTTP/1.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNumber;

    fn packet(number: u64) -> Origin {
        Origin { packet: PacketNumber::new(number).expect("tests count from 1"), time: None }
    }

    /// Every head of `stream`, fed in pieces cut at `cuts`, each piece one packet; and how it ended.
    fn read_all<H: Head>(reader: &mut HeadReader<H>, stream: &[u8], cuts: &[usize]) -> (Vec<H>, Step<H>) {
        let mut known = Heads::default();
        let mut heads = Vec::new();
        let mut start = 0;
        for (index, &end) in cuts.iter().chain([&stream.len()]).enumerate() {
            while start < end {
                let offset = StreamOffset(start as u64);
                let (step, consumed) = reader.push(&mut known, offset, packet(index as u64 + 1), &stream[start..end]);
                start += consumed;
                match step {
                    Step::NeedMore => assert_eq!(start, end),
                    Step::Head(head) => heads.push(*head),
                    Step::Failed(_) => return (heads, step),
                }
            }
        }
        (heads, Step::NeedMore)
    }

    fn read_one<H: Head>(bytes: &[u8]) -> (Step<H>, usize) {
        HeadReader::new().push(&mut Heads::default(), StreamOffset(0), packet(1), bytes)
    }

    const NODE_WS_REQUEST: &[u8] = b"GET /chat?token=secret HTTP/1.1\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: a,b\r\n\
        Host: 127.0.0.1:8080\r\n\r\n";

    const CHUNKED_401_THEN_101: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 401 Unauthorized\r\nServer: nginx/1.22.1\r\nWWW-Authenticate: Basic realm=\"a, b\", Bearer\r\n\
        Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n\
        1B;name=\"v\"\r\nHTTP/1.1 200 not a head\r\n\r\n\r\n5 \r\n12345\r\n0\r\nTrailer: x\r\n\r\n\
        HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n\
        HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nnope\
        HTTP/1.1 101 \r\nupgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\n\
        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn a_request_is_the_same_wherever_it_is_cut() {
        let (whole, _) = read_all(&mut RequestReader::new(), NODE_WS_REQUEST, &[]);
        let [request] = &whole[..] else { panic!("{whole:?}") };
        assert_eq!(request.path.as_str(), "/chat?token=…");
        assert_eq!(request.host.as_ref().map(|host| host.as_str()), Some("127.0.0.1:8080"));
        assert_eq!(request.protocols.len(), 2);
        assert!(request.wants_websocket() && !request.upgrade_stripped());
        for first in 1..NODE_WS_REQUEST.len() {
            for second in [first, (first + 1).min(NODE_WS_REQUEST.len())] {
                let (cut, _) = read_all(&mut RequestReader::new(), NODE_WS_REQUEST, &[first, second]);
                let [cut] = &cut[..] else { panic!("cut at {first}, {second}: {cut:?}") };
                assert_eq!((cut.first, cut.offset), (packet(1), StreamOffset(0)));
                assert!(cut.last > cut.first);
                let mut cut = cut.clone();
                cut.last = request.last;
                assert_eq!(&cut, request);
            }
        }
    }

    #[test]
    fn responses_are_the_same_wherever_they_are_cut() {
        let statuses = |heads: &[Response]| heads.iter().map(|head| head.status).collect::<Vec<_>>();
        for cut in 0..CHUNKED_401_THEN_101.len() {
            let (heads, _) = read_all(&mut ResponseReader::new(), CHUNKED_401_THEN_101, &[cut, cut + 1]);
            assert_eq!(statuses(&heads), [100, 401, 304, 403, 101], "cut at {cut}");
        }
        let bytes: Vec<usize> = (0..CHUNKED_401_THEN_101.len()).collect();
        let (heads, _) = read_all(&mut ResponseReader::new(), CHUNKED_401_THEN_101, &bytes);
        assert_eq!(statuses(&heads), [100, 401, 304, 403, 101]);
        let schemes: Vec<_> = heads[1].www_authenticate.iter().map(|scheme| scheme.as_str()).collect();
        assert_eq!(schemes, ["Basic", "Bearer"]);
        assert_eq!(heads[4].reason.as_str(), "");
        assert!(heads[4].lower_case_names);
        assert_eq!(
            heads[4].offset.0 as usize,
            CHUNKED_401_THEN_101.windows(12).position(|w| w == b"HTTP/1.1 101").unwrap()
        );
    }

    #[test]
    fn consumed_ends_with_the_head_of_a_101() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
        let stream = [head.as_slice(), b"\x81\x05hello\r\n\r\n"].concat();
        let (step, consumed) = read_one::<Response>(&stream);
        assert!(matches!(step, Step::Head(_)));
        assert_eq!(consumed, head.len());
        // The same when the head is cut inside its last line end.
        for cut in head.len() - 4..head.len() {
            let mut reader = ResponseReader::new();
            assert_eq!(
                reader.push(&mut Heads::default(), StreamOffset(0), packet(1), &stream[..cut]),
                (Step::NeedMore, cut)
            );
            let offset = StreamOffset(cut as u64);
            let (step, consumed) = reader.push(&mut Heads::default(), offset, packet(2), &stream[cut..]);
            assert!(matches!(step, Step::Head(_)));
            assert_eq!(cut + consumed, head.len());
        }
    }

    #[test]
    fn what_is_no_http_is_told_so_however_long_it_is() {
        // Found by fuzzing: in one slice this was a head that is too large, cut it was no HTTP at all.
        let mut known = Heads::new(&Limits { http_head_bytes: 2, ..Limits::default() });
        for slices in [&[b"\xc1\n\n".as_slice()][..], &[b"\xc1", b"\n\n"]] {
            let mut reader = ResponseReader::new();
            let step = slices.iter().map(|slice| reader.push(&mut known, StreamOffset(0), packet(1), slice).0).last();
            assert_eq!(step, Some(Step::Failed(WhyNotHttp::NotHttp)), "{slices:?}");
        }
    }

    #[test]
    fn pipelined_requests_and_bodies() {
        let stream =
            b"\r\nPOST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /GET /ws HTTP/1.0\nHost: b\n\n\
            CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n";
        let (heads, _) = read_all(&mut RequestReader::new(), stream, &[]);
        let seen: Vec<_> =
            heads.iter().map(|head| (head.method.as_str(), head.path.as_str(), head.http_version)).collect();
        assert_eq!(
            seen,
            [("POST", "/login", (1, 1)), ("GET", "/ws", (1, 0)), ("CONNECT", "b:80", (1, 1)), ("GET", "/", (1, 1))]
        );
        assert_eq!(heads[0].offset, StreamOffset(2));
    }

    #[test]
    fn the_request_decides_about_the_body_of_its_response() {
        let stream = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 101 X\r\n\r\n";
        for (method, heads) in [
            (Method::Other(super::super::Text::clean(b"HEAD")), vec![200, 101]),
            (Method::Connect, vec![200, 101]),
            (Method::Get, vec![200]),
        ] {
            let mut reader = ResponseReader::new();
            reader.expect(&method);
            let (seen, _) = read_all(&mut reader, stream, &[]);
            assert_eq!(seen.iter().map(|head| head.status).collect::<Vec<_>>(), heads, "{method:?}");
        }
        // Without a length the body lasts until the connection ends.
        let (seen, step) = read_all(&mut ResponseReader::new(), b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 X\r\n\r\n", &[]);
        assert_eq!((seen.len(), step), (1, Step::NeedMore));
    }

    #[test]
    fn another_protocol_is_noticed_at_its_first_byte() {
        for bytes in
            [b"\x81\x85abcd".as_slice(), b"\x01\x85", b"\x16\x03\x01", b"\x00", b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"]
        {
            assert_eq!(read_one::<Request>(bytes), (Step::Failed(WhyNotHttp::NotHttp), 0), "{bytes:?}");
            assert_eq!(read_one::<Response>(bytes), (Step::Failed(WhyNotHttp::NotHttp), 0), "{bytes:?}");
        }
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for cut in [1, 3, 4, 15] {
            let (heads, step) = read_all(&mut RequestReader::new(), preface, &[cut]);
            assert_eq!((heads, step), (vec![], Step::Failed(WhyNotHttp::NotHttp)), "cut at {cut}");
        }
        // After a message, the count says where the other protocol starts.
        let stream = [NODE_WS_REQUEST, b"\x81\x85"].concat();
        let mut reader = RequestReader::new();
        let (_, consumed) = reader.push(&mut Heads::default(), StreamOffset(0), packet(1), &stream);
        let rest = &stream[consumed..];
        let failed = (Step::Failed(WhyNotHttp::NotHttp), 0);
        assert_eq!(reader.push(&mut Heads::default(), StreamOffset(consumed as u64), packet(1), rest), failed);
        assert_eq!(
            reader.push(&mut Heads::default(), StreamOffset(consumed as u64), packet(1), NODE_WS_REQUEST),
            failed
        );
    }

    #[test]
    fn sloppy_heads_are_read() {
        let Step::Head(response) = read_one::<Response>(
            b"HTTP/1.1  101  Web  Socket\nUpgrade : websocket\nConnection: keep-alive,\n Upgrade\nb\xe4d name: x\nSec-WebSocket-Accept: \tx \n\n",
        )
        .0
        else {
            panic!("not read")
        };
        assert_eq!(response.upgrade[0].as_str(), "websocket");
        assert_eq!(response.accept.as_ref().map(ToString::to_string).as_deref(), Some("x"));
        let Step::Head(request) =
            read_one::<Request>(b"GET  /ws  HTTP/1.1\r\nHost : a\r\nUpgrade: websocket\r\n folded\r\n\r\n").0
        else {
            panic!("not read")
        };
        assert_eq!(request.upgrade[0].as_str(), "websocket   folded");
    }

    #[test]
    fn folded_lines_are_one() {
        let fields = "Host: a\r\nConnection: keep-alive,\r\n\tUpgrade\nUpgrade:\n  websocket\r\n\r\n";
        let (step, _) = read_one::<Request>(format!("GET / HTTP/1.1\r\n{fields}").as_bytes());
        let Step::Head(request) = step else { panic!("not read") };
        let (step, _) = read_one::<Response>(format!("HTTP/1.1 101 X\r\n{fields}").as_bytes());
        let Step::Head(response) = step else { panic!("not read") };
        for list in [&request.connection, &response.connection] {
            assert_eq!(list.iter().map(crate::http::Text::as_str).collect::<Vec<_>>(), ["keep-alive", "Upgrade"]);
        }
        assert_eq!((request.upgrade[0].as_str(), response.upgrade[0].as_str()), ("websocket", "websocket"));
        // What begins with white space behind the first line belongs to nothing.
        let (step, _) = read_one::<Request>(b"GET / HTTP/1.1\r\n folded\r\nHost: a\r\n\r\n");
        let Step::Head(request) = step else { panic!("not read: {step:?}") };
        assert_eq!(request.host_fields, 1);
    }

    #[test]
    fn targets_that_should_have_been_encoded_are_read() {
        for target in ["/a?x={\"b\":[1]}|<>`^\\", "/caf\u{e9}/\u{4e2d}"] {
            let (step, _) = read_one::<Request>(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
            assert!(matches!(step, Step::Head(_)), "{target}: {step:?}");
        }
    }

    #[test]
    fn broken_heads_and_bodies_are_malformed() {
        for bytes in [
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab",
        ] {
            let (_, step) = read_all(&mut RequestReader::new(), bytes.as_bytes(), &[]);
            assert_eq!(step, Step::Failed(WhyNotHttp::Malformed), "{bytes}");
        }
    }

    #[test]
    fn many_fields_are_read_and_a_flood_is_refused() {
        let limits = Limits::default();
        let with_fields =
            |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "X-Field: y\r\n".repeat(count)).into_bytes();
        for (count, is_read) in
            [(64, true), (65, true), (100, true), (limits.http_headers, true), (limits.http_headers + 1, false)]
        {
            let (step, _) = read_one::<Request>(&with_fields(count));
            assert_eq!(matches!(step, Step::Head(_)), is_read, "{count}: {step:?}");
            assert!(is_read || step == Step::Failed(WhyNotHttp::TooLarge));
        }
        // One field that never ends, and one that ends too late, in one slice or in many.
        let endless = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'y'; limits.http_head_bytes]].concat();
        let late = [endless.as_slice(), b"\r\n\r\n"].concat();
        for stream in [endless, late] {
            for cuts in [vec![], (0..stream.len()).step_by(1000).collect::<Vec<_>>()] {
                let mut reader = RequestReader::new();
                let (heads, step) = read_all(&mut reader, &stream, &cuts);
                assert_eq!((heads.len(), step), (0, Step::Failed(WhyNotHttp::TooLarge)));
                assert!(!reader.is_inside_head());
            }
        }
    }

    #[test]
    fn gaps_inside_bodies_are_bridged() {
        let mut known = Heads::default();
        let head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nab";
        let next = b"HTTP/1.1 101 X\r\n\r\n";
        for (gap, is_read) in [(Some(98), true), (Some(99), false), (None, false)] {
            let mut reader = ResponseReader::new();
            let _ = read_all(&mut reader, head, &[]);
            reader.gap(gap);
            let (step, _) = reader.push(&mut known, StreamOffset(0), packet(2), next);
            assert_eq!(matches!(step, Step::Head(_)), is_read, "{gap:?}: {step:?}");
        }
        let mut reader = ResponseReader::new();
        let _ = read_all(&mut reader, &head[..20], &[]);
        reader.gap(Some(1));
        assert_eq!(reader.push(&mut known, StreamOffset(0), packet(2), next), (Step::Failed(WhyNotHttp::Gap), 0));
    }

    #[test]
    fn random_bytes_end_without_panic() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for _ in 0..2000 {
            let mut stream = [NODE_WS_REQUEST, CHUNKED_401_THEN_101][next() as usize % 2].to_vec();
            for _ in 0..next() % 8 {
                let at = next() as usize % stream.len();
                stream[at] = next() as u8;
            }
            let mut cuts: Vec<usize> = (0..next() % 5).map(|_| next() as usize % stream.len()).collect();
            cuts.sort_unstable();
            let _ = read_all(&mut RequestReader::new(), &stream, &cuts);
            let _ = read_all(&mut ResponseReader::new(), &stream, &cuts);
        }
    }
}
