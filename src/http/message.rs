//! The heads of requests and responses: the facts that matter to a WebSocket.

use super::fields::trim;
use super::form::{Fields, RequestForm, ResponseForm, joined};
use super::handshake::{AcceptValue, expected_accept, is_valid_key};
use super::heads::Heads;
use super::text::{Text, split_target};
use crate::units::{Origin, StreamOffset};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// `Sec-WebSocket-Key` of a request (RFC 6455 §11.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// No such field.
    Missing,
    /// Base64 of 16 bytes.
    Valid {
        /// What the server must answer.
        accept: AcceptValue,
    },
    /// Anything else.
    Invalid(Box<InvalidKey>),
    /// The field came more than once.
    Several,
}

/// A key that is not base64 of 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidKey {
    /// As sent.
    pub key: Text,
    /// What a server answers that does not look at the key.
    pub accept: AcceptValue,
}

impl KeyState {
    fn from_values<'h>(mut values: impl Iterator<Item = &'h [u8]>) -> Self {
        let Some(key) = values.next() else { return Self::Missing };
        if values.next().is_some() {
            return Self::Several;
        }
        let key = trim(key);
        let accept = expected_accept(key);
        if is_valid_key(key) {
            Self::Valid { accept }
        } else {
            Self::Invalid(Box::new(InvalidKey { key: Text::clean(key), accept }))
        }
    }

    /// What the server must answer, when there is one key.
    #[must_use]
    pub fn accept(&self) -> Option<&AcceptValue> {
        match self {
            Self::Valid { accept } => Some(accept),
            Self::Invalid(invalid) => Some(&invalid.accept),
            Self::Missing | Self::Several => None,
        }
    }
}

/// `Sec-WebSocket-Accept` of a response (RFC 6455 §11.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptField {
    /// What may answer a key.
    Value(AcceptValue),
    /// Anything else, as sent; several fields are joined by `, `.
    Other(Box<Text>),
}

impl AcceptField {
    fn from_values<'h>(values: impl Iterator<Item = &'h [u8]>) -> Option<Self> {
        let mut values = values.map(trim).peekable();
        let first = values.next()?;
        match (AcceptValue::read(first), values.peek()) {
            (Some(value), None) => Some(Self::Value(value)),
            _ => Some(Self::Other(Box::new(joined(std::iter::once(first).chain(values))))),
        }
    }
}

impl fmt::Display for AcceptField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Other(sent) => sent.fmt(f),
        }
    }
}

/// The head of one request: what is its own, and the form that it shares with others ([`RequestForm`]), whose facts read as
/// if they were its own, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The packet with its first byte.
    pub first: Origin,
    /// The packet that completed it.
    pub last: Origin,
    /// Where it starts in the client's stream.
    pub offset: StreamOffset,
    /// Path and query, the values of the query replaced by `…`; the authority for CONNECT.
    pub path: Text,
    /// `Sec-WebSocket-Key`.
    pub key: KeyState,
    form: Arc<RequestForm>,
}

impl Deref for Request {
    type Target = RequestForm;

    fn deref(&self) -> &RequestForm {
        &self.form
    }
}

impl Request {
    /// Takes in a head; its form is read only if it is a new one.
    pub(super) fn new(head: &httparse::Request<'_, '_>, place: Place, heads: &mut Heads) -> Self {
        let fields = Fields(head.headers);
        let target = head.path.unwrap_or_default().as_bytes();
        let form = heads.request_form(head, split_target(target).0);
        Self::with_form(form, target, fields.all("sec-websocket-key"), place, heads)
    }

    /// Joins a known form and what each request has for itself.
    pub(super) fn with_form<'h>(
        form: Arc<RequestForm>,
        target: &[u8],
        keys: impl IntoIterator<Item = &'h [u8]>,
        place: Place,
        heads: &mut Heads,
    ) -> Self {
        let Place { first, last, offset } = place;
        let key = KeyState::from_values(keys.into_iter());
        Self { first, last, offset, path: heads.path(target), key, form }
    }

    /// What it has in common with others: the same pointer for as long as the same lines come.
    #[must_use]
    pub fn form(&self) -> &Arc<RequestForm> {
        &self.form
    }

    /// Whether the client asks for a WebSocket, even if an intermediary took the `Upgrade` away.
    #[must_use]
    pub fn wants_websocket(&self) -> bool {
        self.form.upgrades || self.has_websocket_fields()
    }

    /// Whether the client's `Sec-WebSocket-*` fields arrived but not the hop-by-hop fields that belong to them
    /// (`Upgrade: websocket`, `Connection: Upgrade`): an intermediary does not forward upgrades.
    #[must_use]
    pub fn upgrade_stripped(&self) -> bool {
        self.has_websocket_fields() && !(self.form.upgrades && self.form.connection_upgrades)
    }

    fn has_websocket_fields(&self) -> bool {
        self.key != KeyState::Missing || self.version.is_some()
    }
}

/// The head of one response: what is its own, and the form that it shares with others ([`ResponseForm`]), whose facts read
/// as if they were its own, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The packet with its first byte.
    pub first: Origin,
    /// The packet that completed it.
    pub last: Origin,
    /// Where it starts in the server's stream.
    pub offset: StreamOffset,
    /// `Sec-WebSocket-Accept`.
    pub accept: Option<AcceptField>,
    form: Arc<ResponseForm>,
}

impl Deref for Response {
    type Target = ResponseForm;

    fn deref(&self) -> &ResponseForm {
        &self.form
    }
}

impl Response {
    /// Takes in a head; its form is read only if it is a new one.
    pub(super) fn new(head: &httparse::Response<'_, '_>, place: Place, heads: &mut Heads) -> Self {
        let fields = Fields(head.headers);
        Self::with_form(heads.response_form(head), fields.all("sec-websocket-accept"), place)
    }

    /// Joins a known form and what each response has for itself.
    pub(super) fn with_form<'h>(
        form: Arc<ResponseForm>,
        accepts: impl IntoIterator<Item = &'h [u8]>,
        place: Place,
    ) -> Self {
        let Place { first, last, offset } = place;
        Self { first, last, offset, accept: AcceptField::from_values(accepts.into_iter()), form }
    }

    /// What it has in common with others: the same pointer for as long as the same lines come.
    #[must_use]
    pub fn form(&self) -> &Arc<ResponseForm> {
        &self.form
    }

    /// Whether the server switched to the WebSocket protocol, or meant to.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        self.status == 101
    }

    /// The subprotocol the server chose, when it chose one.
    #[must_use]
    pub fn protocol(&self) -> Option<&Text> {
        self.protocols.first()
    }
}

/// Where a head was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) first: Origin,
    pub(super) last: Origin,
    pub(super) offset: StreamOffset,
}

#[cfg(test)]
mod tests {
    use super::super::samples::read;
    use super::*;

    fn str(text: &Option<Text>) -> Option<&str> {
        text.as_ref().map(Text::as_str)
    }

    #[test]
    fn a_browser_request_through_a_proxy() {
        let request: Request = read(
            "GET http://user:pw@ws.example.com/socket?sid=1 HTTP/1.1\r\nHost: other\r\nX-Forwarded-For: 10.0.0.1\r\n\
             X-Envoy-External-Address: 10.0.0.2\r\nX-Real-IP: 10.0.0.1\r\nVia: 1.1 a\r\nVia: 1.1 b\r\n\
             User-Agent: Mozilla/5.0\r\nOrigin: https://example.com\r\nCookie: session=secret\r\n\
             Authorization: Bearer secret\r\nSec-Fetch-Mode: websocket\r\nAccept: Text/HTML, */*\r\n\r\n",
        );
        assert_eq!(str(&request.host), Some("ws.example.com"));
        assert_eq!(request.path.as_str(), "/socket?sid=…");
        assert_eq!(str(&request.via), Some("1.1 a, 1.1 b"));
        assert!(request.forwarded_present);
        assert_eq!(str(&request.origin), Some("https://example.com"));
        assert_eq!(str(&request.sec_fetch_mode), Some("websocket"));
        assert_eq!(request.intermediaries, ["x-envoy-*", "x-real-ip"]);
        assert!(request.cookie_present && request.authorization_present && request.accept_html);
        assert!(!request.lower_case_names);
        let all = format!("{request:?}");
        assert!(!all.contains("secret") && !all.contains("pw") && !all.contains("sid=1"), "{all}");
    }

    #[test]
    fn a_redirect_from_a_content_network() {
        let response: Response = read(
            "HTTP/1.1 302 Found\r\nserver: cloudflare\r\ncf-ray: 8f-FRA\r\nalt-svc: h3=\":443\"\r\ncf-ray: x\r\n\
             location: https://login.example.com/a?return=/ws&token=secret\r\ncontent-type: text/html\r\n\
             content-length: 7, 7\r\nretry-after: 30\r\n\r\n",
        );
        assert_eq!(str(&response.location), Some("https://login.example.com/a"));
        assert_eq!(response.intermediaries, ["alt-svc", "cf-ray"]);
        assert_eq!(str(&response.retry_after), Some("30"));
        assert_eq!(str(&response.server), Some("cloudflare"));
        assert!(response.lower_case_names);
        assert!(!format!("{response:?}").contains("secret"));
    }

    #[test]
    fn doubtful_lengths_are_none() {
        let length = |values: &[&'static str]| {
            let field = |value: &&'static str| httparse::Header { name: "Content-Length", value: value.as_bytes() };
            Fields(&values.iter().map(field).collect::<Vec<_>>()).content_length()
        };
        assert_eq!((length(&["7, 7"]), length(&["7", "7"]), length(&["7", "8"])), (Some(7), Some(7), None));
        for value in ["7, 8", "+7", "-1", "x", "", "18446744073709551616"] {
            assert_eq!(length(&[value]), None, "{value}");
        }
    }

    #[test]
    fn a_key_with_unused_bits_set_is_valid() {
        // 16 bytes; the four bits after them are ignored by every server that was tried.
        let request: Request = read("GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n");
        assert!(matches!(request.key, KeyState::Valid { .. }));
    }
}
