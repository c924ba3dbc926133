//! What single messages look like by which a protocol is known.

use super::Glimpse;
use super::json::{Outline, Value};
use crate::units::Side;
use std::cell::OnceCell;

/// A message that only one protocol has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Who sends it; `None` for either.
    pub from: Option<Side>,
    /// What it looks like.
    pub test: Test,
    /// Strings that its beginning also holds.
    pub holds: Vec<Box<str>>,
}

/// What a message must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A text that is this and nothing more.
    Is(Box<str>),
    /// A text that starts so.
    Starts(Box<str>),
    /// A binary message that starts so; `None` for any byte.
    Bytes(Vec<Option<u8>>),
    /// A JSON object with these values, and with a value of any kind at these paths.
    Object {
        /// Paths with what is written there.
        values: Vec<(Box<str>, Box<str>)>,
        /// Paths at which there is something.
        has: Vec<Box<str>>,
    },
    /// A JSON array that begins with these items.
    Array(Vec<Item>),
}

/// One item of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Anything.
    Any,
    /// A text or number that is written so.
    Written(Box<str>),
    /// Any text.
    Text,
    /// An object.
    Object,
}

/// A message that is compared with many shapes.
#[derive(Debug)]
pub struct Candidate<'a> {
    from: Side,
    glimpse: Glimpse<'a>,
    /// Of a text that may be JSON, once it was asked for.
    outline: OnceCell<Outline<'a>>,
}

impl<'a> Candidate<'a> {
    /// A message of this side.
    #[must_use]
    pub fn new(from: Side, glimpse: Glimpse<'a>) -> Self {
        Self { from, glimpse, outline: OnceCell::new() }
    }

    /// Its first byte; of a text the first that is no space.
    pub(super) fn opening(&self) -> Option<u8> {
        let bytes = if self.glimpse.is_text { self.glimpse.bytes.trim_ascii_start() } else { self.glimpse.bytes };
        bytes.first().copied()
    }

    /// What is in the message, if it begins as JSON of this kind does.
    fn json(&self, opening: u8) -> Option<&Outline<'a>> {
        let is_such = self.glimpse.is_text && self.opening() == Some(opening);
        is_such.then(|| self.outline.get_or_init(|| Outline::of(self.glimpse.bytes)))
    }
}

impl Shape {
    /// The byte that such a message begins with, if that is always the same.
    pub(super) fn opening(&self) -> Option<u8> {
        match &self.test {
            Test::Is(text) | Test::Starts(text) => text.bytes().next(),
            Test::Bytes(pattern) => pattern.first().copied().flatten(),
            Test::Object { .. } => Some(b'{'),
            Test::Array(_) => Some(b'['),
        }
    }

    /// Whether a message looks like this.
    #[must_use]
    pub fn fits(&self, message: &Candidate<'_>) -> bool {
        self.from.is_none_or(|side| side == message.from)
            && self.test.fits(message)
            && self.holds.iter().all(|wanted| contains(message.glimpse.bytes, wanted.as_bytes()))
    }
}

impl Test {
    fn fits(&self, message: &Candidate<'_>) -> bool {
        let Glimpse { is_text, bytes, is_whole } = message.glimpse;
        match self {
            Self::Is(text) => is_text && is_whole && bytes == text.as_bytes(),
            Self::Starts(text) => is_text && bytes.starts_with(text.as_bytes()),
            Self::Bytes(pattern) => {
                let is_so = |(wanted, byte): (&Option<u8>, &u8)| wanted.is_none_or(|wanted| wanted == *byte);
                !is_text && bytes.len() >= pattern.len() && pattern.iter().zip(bytes).all(is_so)
            }
            Self::Object { values, has } => message.json(b'{').is_some_and(|object| {
                values.iter().all(|(path, wanted)| object.written(path) == Some(wanted))
                    && has.iter().all(|path| object.find(path).is_some())
            }),
            Self::Array(items) => message.json(b'[').is_some_and(|array| {
                items.iter().enumerate().all(|(index, item)| item.fits(array.find(&index.to_string())))
            }),
        }
    }
}

impl Item {
    fn fits(&self, value: Option<Value<'_>>) -> bool {
        match self {
            Self::Any => value.is_some(),
            Self::Written(wanted) => value.and_then(Value::written) == Some(wanted),
            Self::Text => matches!(value, Some(Value::Text(_))),
            Self::Object => value == Some(Value::Object),
        }
    }
}

/// Whether `wanted`, which is not empty, is in `bytes`; both are a few hundred bytes at most.
fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len().max(1)).any(|window| window == wanted)
}
