//! What travels inside WebSocket messages: which application protocol, and what its own words say.
//!
//! This layer knows how to compare, not what with: the protocols come as [`Protocol`]s from whoever reads the catalogue.
//! It sees a bounded prefix of single messages ([`Glimpse`]) and keeps nothing of them. What leaves it are words of the
//! protocols' own vocabulary and numbers, never text of a message.

mod announce;
mod endings;
mod json;
mod label;
mod meaning;
mod message;
mod mqtt;
mod shape;

pub use announce::{Announcement, CloseMeaning, Detail, OwnMeaning, ReasonTest};
pub use label::{Label, LabelClass};
pub use meaning::{Fault, Group, Meaning, Retry};
pub use message::{Fields, Form};
pub use mqtt::ControlPackets;
pub use shape::{Candidate, Item, Shape, Test};

use crate::units::{Origin, PerSide, Side};
use endings::{Endings, Place};
use std::sync::Arc;

/// Messages of each side that are looked at to recognise the protocol.
pub const FIRST_MESSAGES: u8 = 4;

/// The beginning of one message, clear and inflated.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'a> {
    /// It is a text message.
    pub is_text: bool,
    /// Its first bytes.
    pub bytes: &'a [u8],
    /// These are all of its bytes.
    pub is_whole: bool,
}

impl Glimpse<'_> {
    /// Whether it is an object or array of JSON, as far as its ends show.
    #[must_use]
    pub fn is_likely_json(&self) -> bool {
        self.is_text && json::is_likely(self.bytes, self.is_whole)
    }
}

/// One application protocol: how to recognise it, and what its messages and codes mean.
#[derive(Debug, Clone, Default)]
pub struct Protocol {
    /// The stable name, as machines read it.
    pub name: Box<str>,
    /// The name as people write it.
    pub title: Box<str>,
    /// Values of `Sec-WebSocket-Protocol` that name it.
    pub subprotocols: Vec<Box<str>>,
    /// Paths that it alone uses.
    pub paths: Vec<PathPattern>,
    /// Names of servers that speak it and nothing else; `*` stands for anything.
    pub hosts: Vec<Box<str>>,
    /// The protocol that must be known before its messages count; this one is a dialect of it.
    pub refines: Option<Box<str>>,
    /// Another protocol is a dialect of this one; [`Applications::new`] sees to it.
    pub has_dialects: bool,
    /// Messages by one of which it is known.
    pub first: Vec<Shape>,
    /// How the kind of a message is read; `None` when nothing of its messages is.
    pub form: Option<Form>,
    /// The kinds of message, as they stand in a message and as the protocol names them.
    pub kinds: Vec<(Box<str>, Box<str>)>,
    /// What its messages announce; the first that fits counts.
    pub says: Vec<Announcement>,
    /// What its close codes mean; the first that fits counts.
    pub close: Vec<CloseMeaning>,
}

impl Protocol {
    /// What a close code means in this protocol.
    #[must_use]
    pub fn close_meaning(&self, code: u16) -> Option<&Arc<Meaning>> {
        self.close.iter().find(|meaning| meaning.codes.contains(&code)).map(|meaning| &meaning.means)
    }

    /// What a message says in the protocol's own vocabulary; `None` when it is not one of this protocol.
    #[must_use]
    pub fn read(&self, from: Side, glimpse: &Glimpse<'_>) -> Option<Reading> {
        self.interpret(from, &self.form.as_ref()?.read(glimpse)?, glimpse.bytes)
    }

    /// What a message of this side with these fields says.
    #[must_use]
    pub fn interpret(&self, from: Side, fields: &Fields<'_>, bytes: &[u8]) -> Option<Reading> {
        let (_, kind) = self.kinds.iter().find(|(raw, _)| **raw == *fields.kind)?;
        let means = self.says.iter().find(|announcement| announcement.fits(from, fields, bytes));
        Some(Reading {
            kind: kind.clone(),
            code: fields.code(),
            means: means.map(|announcement| announcement.means.clone()),
        })
    }
}

/// What one message says, in words of its protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its kind, as the protocol names it.
    pub kind: Box<str>,
    /// The number in it that says more, where its kind has one.
    pub code: Option<i64>,
    /// What it announces. `None` for everyday messages.
    pub means: Option<Arc<Meaning>>,
}

/// A path of the upgrade request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// The path ends with this, before its query; `*` stands for anything, `#` for a digit.
    pub ends: Box<str>,
    /// Names that its query has.
    pub query: Vec<Box<str>>,
}

impl PathPattern {
    fn fits(&self, target: &str) -> bool {
        let path = path_of(target);
        let query = target[path.len()..].strip_prefix('?').unwrap_or_default();
        let names = || query.split('&').filter_map(|item| item.split_once('=')).map(|(name, _)| name);
        // Most that end so have no such query, and that is soon seen.
        self.query.iter().all(|wanted| names().any(|name| name == &**wanted)) && fits_end(&self.ends, path)
    }
}

/// A request target without its query.
fn path_of(target: &str) -> &str {
    let end = target.bytes().position(|byte| byte == b'?');
    end.map_or(target, |end| &target[..end])
}

/// The whole number called `code` in the first JSON object of the beginning of a response.
#[must_use]
pub fn code_in(body: &[u8]) -> Option<i64> {
    // A chunked body has its sizes around it.
    let start = body.iter().position(|byte| *byte == b'{')?;
    json::Outline::of(&body[start..]).written("code")?.parse().ok()
}

/// Whether a host is as a pattern says, in which `*` stands for any bytes and `#` for a digit. Patterns are in lower case.
fn fits_host(pattern: &str, host: &str) -> bool {
    fits(pattern.as_bytes(), host.as_bytes(), None, |byte| byte.to_ascii_lowercase())
}

/// Whether a text ends as a pattern says.
fn fits_end(pattern: &str, text: &str) -> bool {
    fits(pattern.as_bytes(), text.as_bytes(), Some((0, 0)), |byte| byte)
}

/// `again`: where to go on in the pattern and in the text when what follows the last `*` does not fit. `read`: what a byte of
/// the text counts as.
fn fits(mut pattern: &[u8], mut text: &[u8], mut again: Option<(usize, usize)>, read: impl Fn(u8) -> u8) -> bool {
    let is_one = |wanted: u8, byte: u8| wanted == read(byte) || (wanted == b'#' && byte.is_ascii_digit());
    // What stands behind the last `*` can only be the end, which tells most texts apart at once.
    while let [before @ .., wanted] = pattern
        && *wanted != b'*'
    {
        match text {
            [left @ .., byte] if is_one(*wanted, *byte) => (pattern, text) = (before, left),
            _ => return false,
        }
    }
    let (mut at, mut place) = (0, 0);
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at + 1, place));
                at += 1;
            }
            Some(wanted) if is_one(*wanted, text[place]) => {
                (at, place) = (at + 1, place + 1);
            }
            _ => match again {
                Some((behind, from)) => {
                    again = Some((behind, from + 1));
                    (at, place) = (behind, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// What told the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownBy {
    /// The subprotocol that both sides agreed on.
    Subprotocol,
    /// One of the first messages.
    Messages,
    /// The path of the request, and no message speaks against it.
    Path,
    /// The name of the server, and no message speaks against it.
    Host,
}

impl KnownBy {
    /// All names, in the order of the variants.
    pub const NAMES: &'static [&'static str] = &["subprotocol", "messages", "path", "host"];

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// How sure that makes: `named` by the peers themselves, `likely` or `possible`.
    #[must_use]
    pub fn confidence(self) -> &'static str {
        match self {
            Self::Subprotocol => "named",
            Self::Messages => "likely",
            Self::Path | Self::Host => "possible",
        }
    }
}

/// The application protocol of one connection.
#[derive(Debug, Clone)]
pub struct Application {
    /// Which one.
    pub protocol: Arc<Protocol>,
    /// What told it.
    pub known_by: KnownBy,
    /// The packet that told it.
    pub at: Option<Origin>,
    /// What the last complete message of each side says.
    pub last: PerSide<LastMessage>,
}

/// What is known about the last message of a side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LastMessage {
    /// The side sent none, or its protocol's messages are not read.
    #[default]
    None,
    /// It is none of the protocol's vocabulary.
    Other,
    /// It was begun and not completed, or too little of it is there.
    Unread,
    /// It can be read.
    Read {
        /// What it says.
        reading: Reading,
        /// The packet with its last byte.
        at: Origin,
    },
}

/// All protocols that can be told apart.
#[derive(Debug, Clone, Default)]
pub struct Applications {
    protocols: Vec<Arc<Protocol>>,
    /// Where their paths and hosts stand.
    paths: Endings,
    hosts: Endings,
    /// Bytes that a message begins with by which a protocol is known: most messages need no further look.
    openings: Vec<u8>,
    /// What Close frames mean that the user wrote down.
    own: Vec<OwnMeaning>,
}

impl Applications {
    /// These protocols; of two that fit, the first counts.
    #[must_use]
    pub fn new(mut protocols: Vec<Protocol>) -> Self {
        let families: Vec<Box<str>> = protocols.iter().filter_map(|protocol| protocol.refines.clone()).collect();
        for protocol in &mut protocols {
            protocol.has_dialects = families.contains(&protocol.name);
        }
        let shapes = protocols.iter().flat_map(|protocol| &protocol.first);
        let mut openings: Vec<u8> = shapes.filter_map(Shape::opening).collect();
        openings.sort_unstable();
        openings.dedup();
        let paths = Endings::of_all(&protocols, |protocol| protocol.paths.iter().map(|path| &*path.ends).collect());
        let hosts = Endings::of_all(&protocols, |protocol| protocol.hosts.iter().map(|host| &**host).collect());
        let protocols = protocols.into_iter().map(Arc::new).collect();
        Self { protocols, paths, hosts, openings, own: Vec::new() }
    }

    /// The same with what a user wrote down; of two that fit, the first counts.
    #[must_use]
    pub fn with_own(self, own: Vec<OwnMeaning>) -> Self {
        Self { own, ..self }
    }

    /// What a Close frame means to its user, in an application if one is known.
    #[must_use]
    pub fn own_meaning(&self, application: Option<&str>, code: Option<u16>, reason: &str) -> Option<&Arc<Meaning>> {
        self.own.iter().find(|own| own.fits(application, code, reason)).map(|own| &own.means)
    }

    /// All that the user wrote down of Close frames.
    pub fn own(&self) -> impl Iterator<Item = &OwnMeaning> {
        self.own.iter()
    }

    /// All protocols.
    pub fn all(&self) -> impl Iterator<Item = &Protocol> {
        self.protocols.iter().map(|protocol| &**protocol)
    }

    /// The protocol that a subprotocol names.
    #[must_use]
    pub fn by_subprotocol(&self, agreed: &str) -> Option<&Arc<Protocol>> {
        self.protocols.iter().find(|protocol| protocol.subprotocols.iter().any(|known| **known == *agreed))
    }

    /// The protocol that uses this request target.
    #[must_use]
    pub fn by_path(&self, target: &str) -> Option<&Arc<Protocol>> {
        let places = self.paths.of(path_of(target).bytes().next_back());
        let fits = |place: &&Place| self.protocols[place.protocol].paths[place.index].fits(target);
        places.iter().find(fits).map(|place| &self.protocols[place.protocol])
    }

    /// The protocol that servers of this name speak; `host` may have a port behind it.
    #[must_use]
    pub fn by_host(&self, host: &str) -> Option<&Arc<Protocol>> {
        let name = match host.bytes().rposition(|byte| byte == b':') {
            Some(colon) => &host[..colon],
            None => host,
        };
        let places = self.hosts.of(name.bytes().next_back().map(|last| last.to_ascii_lowercase()));
        let fits = |place: &&Place| fits_host(&self.protocols[place.protocol].hosts[place.index], name);
        places.iter().find(fits).map(|place| &self.protocols[place.protocol])
    }

    /// The protocol of which only such a message comes; with one that is `known` already, a dialect of it.
    #[must_use]
    pub fn by_message(&self, message: &Candidate<'_>, known: Option<&Protocol>) -> Option<&Arc<Protocol>> {
        if message.opening().is_none_or(|opening| !self.openings.contains(&opening)) {
            return None;
        }
        let known = known.map(|protocol| &*protocol.name);
        let mut asked = self.protocols.iter().filter(|protocol| protocol.refines.as_deref() == known);
        asked.find(|protocol| protocol.first.iter().any(|shape| shape.fits(message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_by_its_name_or_domain() {
        let hosts = vec!["gateway.example".into(), "*.chat.example".into(), "*.api.*.cloud.example".into()];
        let known = Applications::new(vec![Protocol { name: "x".into(), hosts, ..Protocol::default() }]);
        for host in ["gateway.example", "Gateway.Example:443", "a.b.chat.example", "x1.api.eu-west-1.cloud.example"] {
            assert!(known.by_host(host).is_some(), "{host}");
        }
        for host in
            ["chat.example", "xgateway.example", "a.badchat.example", "gateway.example.org", "cloud.example", ""]
        {
            assert!(known.by_host(host).is_none(), "{host}");
        }
    }

    #[test]
    fn the_code_of_a_refusal_is_that_of_its_object() {
        assert_eq!(code_in(br#"{"code":1,"message":"Session ID unknown"}"#), Some(1));
        assert_eq!(code_in(b"1f\r\n{\"code\":5,\"message\":\"x\"}\r\n0\r\n"), Some(5));
        for body in [&b"code: 1"[..], br#"{"error":{"code":1}}"#, br#"{"code":1"#, b"<html>{</html>", b""] {
            assert_eq!(code_in(body), None);
        }
    }

    #[test]
    fn a_pattern_may_need_a_second_try() {
        for (pattern, text, fits) in [
            ("*/###/*/websocket", "/echo/1234/567/ab/websocket", true),
            ("*/###/*/websocket", "/echo/websocket", false),
            ("*ab", "aab", true),
            ("a*", "", false),
            ("*", "", true),
            ("ab", "ab", true),
            ("ab", "aab", false),
            ("ab", "b", false),
            ("*b*", "abc", true),
            ("*ab", "b", false),
        ] {
            assert_eq!(fits_host(pattern, text), fits, "{pattern} {text}");
            if let Some(end) = pattern.strip_prefix('*') {
                assert_eq!(fits_end(end, text), fits, "…{end} {text}");
            }
        }
    }

    #[test]
    fn a_path_fits_with_its_query_names() {
        let pattern = PathPattern { ends: "/socket.io/".into(), query: vec!["EIO".into(), "transport".into()] };
        assert!(pattern.fits("/socket.io/?EIO=…&transport=…"));
        assert!(pattern.fits("/app/socket.io/?transport=…&EIO=…&sid=…"));
        assert!(!pattern.fits("/socket.io/?EIO=…"));
        assert!(!pattern.fits("/socket.io/x?EIO=…&transport=…"));
    }
}
