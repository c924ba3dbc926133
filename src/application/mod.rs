//! What travels inside WebSocket messages: which application protocol, and what its own words say.
//!
//! This layer knows how to compare, not what with: the protocols come as [`Protocol`]s from whoever reads the catalogue.
//! It sees a bounded prefix of single messages ([`Glimpse`]) and keeps nothing of them. What leaves it are words of the
//! protocols' own vocabulary and numbers, never text of a message.

mod announce;
mod json;
mod message;
mod mqtt;
mod shape;

pub use announce::{Announcement, CloseMeaning, Detail};
pub use message::{Fields, Form};
pub use mqtt::ControlPackets;
pub use shape::{Candidate, Item, Shape, Test};

use crate::units::{Origin, PerSide};
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
    /// What a close code means in this protocol: the key of its words.
    #[must_use]
    pub fn close_meaning(&self, code: u16) -> Option<&str> {
        self.close.iter().find(|meaning| meaning.codes.contains(&code)).map(|meaning| &*meaning.means)
    }

    /// What a message says in the protocol's own vocabulary; `None` when it is not one of this protocol.
    #[must_use]
    pub fn read(&self, glimpse: &Glimpse<'_>) -> Option<Reading> {
        self.interpret(&self.form.as_ref()?.read(glimpse)?, glimpse.bytes)
    }

    /// What a message with these fields says.
    #[must_use]
    pub fn interpret(&self, fields: &Fields<'_>, bytes: &[u8]) -> Option<Reading> {
        let (_, kind) = self.kinds.iter().find(|(raw, _)| **raw == *fields.kind)?;
        let means = self.says.iter().find(|announcement| announcement.fits(fields, bytes));
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
    /// What it announces: the key of its words. `None` for everyday messages.
    pub means: Option<Box<str>>,
}

/// A path of the upgrade request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// The path ends with this, before its query.
    pub ends: Box<str>,
    /// Names that its query has.
    pub query: Vec<Box<str>>,
}

impl PathPattern {
    fn fits(&self, target: &str) -> bool {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let names = || query.split('&').filter_map(|item| item.split_once('=')).map(|(name, _)| name);
        path.ends_with(&*self.ends) && self.query.iter().all(|wanted| names().any(|name| name == &**wanted))
    }
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
}

impl KnownBy {
    /// All names, in the order of the variants.
    pub const NAMES: &'static [&'static str] = &["subprotocol", "messages", "path"];

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
            Self::Path => "possible",
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
    /// Bytes that a message begins with by which a protocol is known: most messages need no further look.
    openings: Vec<u8>,
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
        Self { protocols: protocols.into_iter().map(Arc::new).collect(), openings }
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
        self.protocols.iter().find(|protocol| protocol.paths.iter().any(|path| path.fits(target)))
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
    fn a_path_fits_with_its_query_names() {
        let pattern = PathPattern { ends: "/socket.io/".into(), query: vec!["EIO".into(), "transport".into()] };
        assert!(pattern.fits("/socket.io/?EIO=…&transport=…"));
        assert!(pattern.fits("/app/socket.io/?transport=…&EIO=…&sid=…"));
        assert!(!pattern.fits("/socket.io/?EIO=…"));
        assert!(!pattern.fits("/socket.io/x?EIO=…&transport=…"));
    }
}
