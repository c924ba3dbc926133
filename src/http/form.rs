//! What the heads of one program to one place have in common: all facts but those that are another's with each head.
//!
//! A server's connections send the same lines again and again, so that each form is read once and then shared
//! ([`Heads`](super::Heads)).

use super::fields::Extension;
use super::fields::{ExtensionList, MAX_ELEMENTS, add_elements, add_schemes, elements, is_token_byte, trim};
use super::names::{Names, cookie_name};
use super::text::{Text, redact_host, redact_location, redact_protocol};

/// Method of a request (RFC 9110 §9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// `GET`: the only one that may open a WebSocket over HTTP/1.1.
    Get,
    /// `CONNECT`: asks a forward proxy for a tunnel.
    Connect,
    /// Any other, as sent.
    Other(Text),
}

impl Method {
    fn from_token(token: &[u8]) -> Self {
        match token {
            b"GET" => Self::Get,
            b"CONNECT" => Self::Connect,
            other => Self::Other(Text::clean(other)),
        }
    }

    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Connect => "CONNECT",
            Self::Other(token) => token.as_str(),
        }
    }
}

/// What is wrong with the subprotocols that a request offers (RFC 6455 §4.1, item 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProtocolFault {
    /// The field is there and names none.
    Empty,
    /// A name with characters that it must not have.
    NotToken(Text),
    /// A name that comes twice.
    Repeated(Text),
}

impl ProtocolFault {
    /// The first fault in the lines of the field. Names are compared as sent: shortened ones may look the same.
    pub(super) fn find<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut lines = lines.peekable();
        lines.peek()?;
        let mut seen: Vec<&[u8]> = Vec::new();
        for name in lines.flat_map(elements).take(MAX_ELEMENTS) {
            if !name.iter().copied().all(is_token_byte) {
                return Some(Self::NotToken(redact_protocol(name)));
            }
            if seen.contains(&name) {
                return Some(Self::Repeated(redact_protocol(name)));
            }
            seen.push(name);
        }
        seen.is_empty().then_some(Self::Empty)
    }
}

/// What a request has in common with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestForm {
    /// The method.
    pub method: Method,
    /// Major and minor version.
    pub http_version: (u8, u8),
    /// Authority of an absolute request target, else `Host`.
    pub host: Option<Text>,
    /// How many `Host` fields there were; one is legal.
    pub host_fields: usize,
    /// Elements of `Upgrade`.
    pub upgrade: Vec<Text>,
    /// Whether `websocket` is one of them.
    pub(super) upgrades: bool,
    /// Elements of `Connection`.
    pub connection: Vec<Text>,
    /// Whether `upgrade` is one of them.
    pub(super) connection_upgrades: bool,
    /// `Sec-WebSocket-Version`; several are joined by `, `.
    pub version: Option<Text>,
    /// Elements of `Sec-WebSocket-Protocol` in the client's order of preference. What looks like a credential is cut.
    pub protocols: Vec<Text>,
    /// What is wrong with them.
    pub protocol_fault: Option<ProtocolFault>,
    /// Elements of `Sec-WebSocket-Extensions` that parse, in order.
    pub extensions: Vec<Extension>,
    /// Elements of `Sec-WebSocket-Extensions` that do not parse, as sent.
    pub extension_faults: Vec<Text>,
    /// `Sec-WebSocket-Extensions` as sent.
    pub extensions_raw: Option<Text>,
    /// `Origin`.
    pub origin: Option<Text>,
    /// `User-Agent`.
    pub user_agent: Option<Text>,
    /// Whether there was an `Authorization`; its value is not kept.
    pub authorization_present: bool,
    /// Whether there was a `Cookie`; its value is not kept.
    pub cookie_present: bool,
    /// Whether there was a `Forwarded` or `X-Forwarded-For`; its value is not kept.
    pub forwarded_present: bool,
    /// `Via`.
    pub via: Option<Text>,
    /// `Sec-Fetch-Mode`: browsers send `websocket`.
    pub sec_fetch_mode: Option<Text>,
    /// Whether `Accept` names `text/html`: a page load rather than a program's request.
    pub accept_html: bool,
    /// Header names of intermediaries that were seen, as in [`ResponseForm::intermediaries`].
    pub intermediaries: Vec<&'static str>,
    /// Whether every header name was in lower case, as HAProxy 2 and newer writes them.
    pub lower_case_names: bool,
    /// The names of its header fields.
    pub field_names: Names,
}

impl RequestForm {
    /// Reads it off a head. `authority` is that of an absolute request target.
    pub(super) fn new(head: &httparse::Request<'_, '_>, authority: Option<&[u8]>) -> Self {
        let fields = Fields(head.headers);
        let ExtensionList { extensions, faults } = fields.extensions();
        let upgrade = fields.elements("upgrade", Text::clean);
        let connection = fields.elements("connection", Text::clean);
        Self {
            method: Method::from_token(head.method.unwrap_or_default().as_bytes()),
            http_version: (1, head.version.unwrap_or_default()),
            host: match authority {
                Some(authority) => Some(Text::clean(authority)),
                None => fields.all("host").next().map(|host| redact_host(trim(host))),
            },
            host_fields: fields.count("host"),
            upgrades: contains(&upgrade, "websocket"),
            upgrade,
            connection_upgrades: contains(&connection, "upgrade"),
            connection,
            version: fields.joined("sec-websocket-version"),
            protocols: fields.elements("sec-websocket-protocol", redact_protocol),
            protocol_fault: ProtocolFault::find(fields.all("sec-websocket-protocol")),
            extensions,
            extension_faults: faults,
            extensions_raw: fields.joined("sec-websocket-extensions"),
            origin: fields.first("origin"),
            user_agent: fields.first("user-agent"),
            authorization_present: fields.has("authorization"),
            cookie_present: fields.has("cookie"),
            forwarded_present: fields.has("forwarded") || fields.has("x-forwarded-for"),
            via: fields.joined("via"),
            sec_fetch_mode: fields.first("sec-fetch-mode"),
            accept_html: fields
                .all("accept")
                .any(|value| value.windows(9).any(|w| w.eq_ignore_ascii_case(b"text/html"))),
            intermediaries: fields.intermediaries(),
            lower_case_names: fields.lower_case_names(),
            field_names: fields.names(),
        }
    }
}

/// What a response has in common with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseForm {
    /// Major and minor version.
    pub http_version: (u8, u8),
    /// Status code.
    pub status: u16,
    /// Reason phrase, possibly empty.
    pub reason: Text,
    /// Elements of `Upgrade`.
    pub upgrade: Vec<Text>,
    /// Elements of `Connection`.
    pub connection: Vec<Text>,
    /// How many `Sec-WebSocket-Accept` fields there were; one is legal.
    pub accept_fields: usize,
    /// Elements of `Sec-WebSocket-Protocol`; one at most is legal.
    pub protocols: Vec<Text>,
    /// How many `Sec-WebSocket-Protocol` fields there were.
    pub protocol_fields: usize,
    /// Elements of `Sec-WebSocket-Extensions` that parse, in order.
    pub extensions: Vec<Extension>,
    /// Elements of `Sec-WebSocket-Extensions` that do not parse, as sent.
    pub extension_faults: Vec<Text>,
    /// How many `Sec-WebSocket-Extensions` fields there were; one is legal.
    pub extension_fields: usize,
    /// `Sec-WebSocket-Extensions` as sent.
    pub extensions_raw: Option<Text>,
    /// `Sec-WebSocket-Version`: the versions that a refusing server speaks (RFC 6455 §4.4).
    pub version: Option<Text>,
    /// `Server`.
    pub server: Option<Text>,
    /// `Via`.
    pub via: Option<Text>,
    /// `Content-Type`.
    pub content_type: Option<Text>,
    /// Scheme, host and path of `Location`.
    pub location: Option<Text>,
    /// Scheme names of `WWW-Authenticate`.
    pub www_authenticate: Vec<Text>,
    /// `Retry-After`.
    pub retry_after: Option<Text>,
    /// Header names that reverse proxies and content networks add and that were seen, in lower case, each once.
    pub intermediaries: Vec<&'static str>,
    /// The names of the cookies it sets.
    pub cookie_names: Names,
    /// Whether every header name was in lower case, as HAProxy 2, hyper and others write them.
    pub lower_case_names: bool,
    /// The names of its header fields.
    pub field_names: Names,
}

impl ResponseForm {
    /// Reads it off a head.
    pub(super) fn new(head: &httparse::Response<'_, '_>) -> Self {
        let fields = Fields(head.headers);
        let ExtensionList { extensions, faults } = fields.extensions();
        Self {
            http_version: (1, head.version.unwrap_or_default()),
            status: head.code.unwrap_or_default(),
            reason: Text::clean(head.reason.unwrap_or_default().as_bytes()),
            upgrade: fields.elements("upgrade", Text::clean),
            connection: fields.elements("connection", Text::clean),
            accept_fields: fields.count("sec-websocket-accept"),
            protocols: fields.elements("sec-websocket-protocol", redact_protocol),
            protocol_fields: fields.count("sec-websocket-protocol"),
            extensions,
            extension_faults: faults,
            extension_fields: fields.count("sec-websocket-extensions"),
            extensions_raw: fields.joined("sec-websocket-extensions"),
            version: fields.joined("sec-websocket-version"),
            server: fields.first("server"),
            via: fields.joined("via"),
            content_type: fields.first("content-type"),
            location: fields.all("location").next().map(|value| redact_location(trim(value))),
            www_authenticate: fields.schemes(),
            retry_after: fields.first("retry-after"),
            intermediaries: fields.intermediaries(),
            cookie_names: fields.cookie_names(),
            lower_case_names: fields.lower_case_names(),
            field_names: fields.names(),
        }
    }
}

/// Whether `list` holds `token`, ASCII case ignored.
pub(super) fn contains(list: &[Text], token: &str) -> bool {
    list.iter().any(|element| element.is_ignoring_case(token))
}

/// The values of a field that came several times, in one, as RFC 9110 §5.3 allows.
pub(super) fn joined<'h>(values: impl Iterator<Item = &'h [u8]>) -> Text {
    Text::clean(&values.collect::<Vec<_>>().join(&b", "[..]))
}

/// The header fields of one head, as httparse lends them.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    pub(super) fn all(self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    fn has(self, name: &'static str) -> bool {
        self.all(name).next().is_some()
    }

    fn count(self, name: &'static str) -> usize {
        self.all(name).count()
    }

    fn first(self, name: &'static str) -> Option<Text> {
        self.all(name).next().map(|value| Text::clean(trim(value)))
    }

    /// All values of a field in one.
    fn joined(self, name: &'static str) -> Option<Text> {
        let mut values = self.all(name).map(trim).peekable();
        values.peek().is_some().then(|| joined(values))
    }

    fn elements(self, name: &'static str, make: impl Fn(&[u8]) -> Text + Copy) -> Vec<Text> {
        let mut list = Vec::new();
        self.all(name).for_each(|value| add_elements(&mut list, value, make));
        list
    }

    fn extensions(self) -> ExtensionList {
        let mut list = ExtensionList::default();
        self.all("sec-websocket-extensions").for_each(|value| list.add(value));
        list
    }

    fn schemes(self) -> Vec<Text> {
        let mut list = Vec::new();
        self.all("www-authenticate").for_each(|value| add_schemes(&mut list, value));
        list
    }

    fn intermediaries(self) -> Vec<&'static str> {
        let mark = |name: &str| {
            let is_prefix_of = |mark: &str| match mark.strip_suffix('*') {
                Some(prefix) => name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
                None => name.eq_ignore_ascii_case(mark),
            };
            INTERMEDIARY_FIELDS.iter().copied().find(|mark| is_prefix_of(mark))
        };
        let mut marks: Vec<_> = self.0.iter().filter_map(|field| mark(field.name)).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }

    fn names(self) -> Names {
        Names::new(self.0.iter().map(|field| field.name))
    }

    /// Names only: what cookies hold is nobody's business.
    fn cookie_names(self) -> Names {
        Names::new(self.all("set-cookie").filter_map(cookie_name))
    }

    fn lower_case_names(self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|field| !field.name.bytes().any(|byte| byte.is_ascii_uppercase()))
    }

    /// `Content-Length` when all its values are the same number (RFC 9110 §8.6).
    pub(super) fn content_length(self) -> Option<u64> {
        let mut lengths = self.all("content-length").flat_map(|value| value.split(|&byte| byte == b',')).map(|value| {
            let digits = std::str::from_utf8(trim(value)).ok()?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
        });
        let length = lengths.next()??;
        lengths.all(|other| other == Some(length)).then_some(length)
    }

    /// Whether the body is chunked; `Some(false)` is a transfer coding we cannot delimit (RFC 9112 §6.3).
    pub(super) fn is_chunked(self) -> Option<bool> {
        self.elements("transfer-encoding", Text::clean).last().map(|coding| coding.is_ignoring_case("chunked"))
    }
}

/// Fields that name or betray an intermediary; `*` stands for any ending.
const INTERMEDIARY_FIELDS: &[&str] = &[
    "alt-svc",
    "cf-ray",
    "x-amz-cf-id",
    "x-amzn-trace-id",
    "x-azure-ref",
    "x-cache",
    "x-envoy-*",
    "x-real-ip",
    "x-served-by",
];
