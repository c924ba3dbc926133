//! What a protocol's messages and close codes announce.

use super::Fields;
use super::json::Outline;
use std::ops::RangeInclusive;

/// A message by which a protocol says that something is wrong, or that it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The kind of message, as it is written there.
    pub kind: Box<str>,
    /// What else it says; `None` for anything.
    pub detail: Option<Detail>,
    /// A JSON value that it has.
    pub has: Option<Box<str>>,
    /// What that means: the key of its words.
    pub means: Box<str>,
}

/// The value that says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A number in this range.
    Codes(RangeInclusive<i64>),
    /// This word.
    Word(Box<str>),
}

impl Announcement {
    pub(super) fn fits(&self, fields: &Fields<'_>, bytes: &[u8]) -> bool {
        let detail = match &self.detail {
            None => true,
            Some(Detail::Codes(codes)) => fields.code().is_some_and(|code| codes.contains(&code)),
            Some(Detail::Word(word)) => fields.detail.as_deref() == Some(&**word),
        };
        *self.kind == *fields.kind
            && detail
            && self.has.as_deref().is_none_or(|path| Outline::of(bytes).find(path).is_some())
    }
}

/// What close codes mean in a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseMeaning {
    /// The codes.
    pub codes: RangeInclusive<u16>,
    /// What they mean: the key of its words.
    pub means: Box<str>,
}
