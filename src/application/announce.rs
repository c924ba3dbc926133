//! What a protocol's messages and close codes announce.

use super::json::Outline;
use super::{Fields, Meaning};
use crate::units::Side;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A message by which a protocol says that something is wrong, or that it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The kind of message, as it is written there.
    pub kind: Box<str>,
    /// What else it says; `None` for anything.
    pub detail: Option<Detail>,
    /// Who sends it; `None` for either.
    pub from: Option<Side>,
    /// The path of a JSON value that it has, and what is written there; `None` for anything.
    pub has: Option<(Box<str>, Option<Box<str>>)>,
    /// What that means.
    pub means: Arc<Meaning>,
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
    pub(super) fn fits(&self, from: Side, fields: &Fields<'_>, bytes: &[u8]) -> bool {
        let detail = match &self.detail {
            None => true,
            Some(Detail::Codes(codes)) => fields.code().is_some_and(|code| codes.contains(&code)),
            Some(Detail::Word(word)) => fields.detail.as_deref() == Some(&**word),
        };
        *self.kind == *fields.kind
            && detail
            && self.from.is_none_or(|side| side == from)
            && self.has.as_ref().is_none_or(|(path, wanted)| {
                let outline = Outline::of(bytes);
                match wanted {
                    Some(wanted) => outline.written(path) == Some(wanted),
                    None => outline.find(path).is_some(),
                }
            })
    }
}

/// What close codes mean in a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseMeaning {
    /// The codes.
    pub codes: RangeInclusive<u16>,
    /// What they mean.
    pub means: Arc<Meaning>,
}

/// What a Close frame means that its user wrote down, whatever the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnMeaning {
    /// The codes; `None` for any, or none.
    pub codes: Option<RangeInclusive<u16>>,
    /// What the reason must be; `None` for anything.
    pub reason: Option<ReasonTest>,
    /// The protocol in which it is so; `None` for all.
    pub application: Option<Box<str>>,
    /// What it means.
    pub means: Arc<Meaning>,
}

/// What a reason must look like, in the case of letters as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReasonTest {
    /// This and nothing more.
    Is(Box<str>),
    /// It begins with this.
    Starts(Box<str>),
    /// This is in it.
    Contains(Box<str>),
}

impl OwnMeaning {
    pub(super) fn fits(&self, application: Option<&str>, code: Option<u16>, reason: &str) -> bool {
        let reason_fits = match &self.reason {
            None => true,
            Some(ReasonTest::Is(text)) => reason == &**text,
            Some(ReasonTest::Starts(text)) => reason.starts_with(&**text),
            Some(ReasonTest::Contains(text)) => reason.contains(&**text),
        };
        reason_fits
            && self.codes.as_ref().is_none_or(|codes| code.is_some_and(|code| codes.contains(&code)))
            && self.application.as_deref().is_none_or(|wanted| application == Some(wanted))
    }
}
