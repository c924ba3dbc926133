//! What applications mean by their codes and last messages: the table of meanings, and the short list that a user can write.

use super::language::Language;
use super::source::{Source, packed};
use super::text;
use crate::application::{Fault, Group, Meaning, Retry};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    group: String,
    party: Option<String>,
    retry: Option<String>,
    advice: Option<String>,
}

/// The meanings that come with the program, by their keys.
pub fn all() -> &'static BTreeMap<String, Meaning> {
    static TABLE: LazyLock<BTreeMap<String, Meaning>> = LazyLock::new(|| {
        read(packed!("data", "meanings")).expect("the embedded meanings are valid: a unit test loads them")
    });
    &TABLE
}

fn read(source: Source<'_>) -> Result<BTreeMap<String, Meaning>, String> {
    let rows: BTreeMap<String, Row> = source.read().map_err(|error| error.to_string())?;
    let meaning = |(key, row): (String, Row)| {
        let group = Group::by_name(&row.group).ok_or_else(|| format!("{key}: unknown group {:?}", row.group))?;
        let meaning = Meaning {
            key: key.as_str().into(),
            is_own: false,
            group,
            fault: row.party.as_deref().map(fault).transpose()?,
            retry: row.retry.as_deref().map(retry).transpose()?,
            advice: row.advice.map(Into::into),
        };
        Ok((key, meaning))
    };
    rows.into_iter().map(meaning).collect()
}

/// The meaning with this key.
pub(super) fn builtin(key: &str) -> Option<&'static Meaning> {
    all().get(key)
}

/// A meaning in a user's own words.
pub(super) fn own(words: &str) -> Meaning {
    Meaning { key: words.into(), is_own: true, group: Group::Own, fault: None, retry: None, advice: None }
}

/// Whether there are words for such an advice.
pub(super) fn has_advice(key: &str) -> bool {
    text::find(Language::En, &format!("applications.advice.{key}")).is_some()
}

/// The party of this name.
pub(super) fn fault(name: &str) -> Result<Fault, String> {
    Fault::by_name(name).ok_or_else(|| format!("unknown party `{name}`; one of: {}", Fault::NAMES.join(", ")))
}

/// The way of this name to connect again.
pub(super) fn retry(name: &str) -> Result<Retry, String> {
    Retry::by_name(name).ok_or_else(|| format!("unknown word `{name}`; one of: {}", Retry::NAMES.join(", ")))
}

/// Meanings of codes from 3000 to 4999, which belong to libraries and applications (RFC 6455 §7.4.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeMeanings(BTreeMap<u16, String>);

impl CodeMeanings {
    /// Reads a TOML file with one line for each code: `4001 = "signed in elsewhere"`.
    ///
    /// # Errors
    /// When it is no such file, or names a code that the standard defines or forbids: what is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: BTreeMap<String, String> = toml::from_str(text).map_err(|error| error.to_string())?;
        let own = |code: &str| code.parse::<u16>().ok().filter(|code| (3000..=4999).contains(code));
        let read = |(code, meaning): (String, String)| match own(&code) {
            Some(number) => Ok((number, meaning)),
            None => Err(format!("{code:?} is no code from 3000 to 4999")),
        };
        lines.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What `code` means.
    #[must_use]
    pub fn of(&self, code: u16) -> Option<&str> {
        self.0.get(&code).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Source<'static> {
        Source::toml("meanings.toml", include_str!("data/meanings.toml"))
    }

    #[test]
    fn the_packed_table_is_the_written_one() {
        assert_eq!(read(written()).as_ref(), Ok(all()));
    }

    #[test]
    fn every_meaning_says_what_to_do_unless_it_ends_nothing() {
        for (key, meaning) in read(written()).unwrap() {
            assert_eq!(meaning.advice.is_none(), meaning.group == Group::GoesOn, "{key}");
            assert_eq!(meaning.retry.is_none(), meaning.group == Group::GoesOn, "{key}");
            if let Some(advice) = meaning.advice {
                assert!(has_advice(&advice), "{key}: {advice}");
            }
        }
    }

    #[test]
    fn a_line_for_each_code() {
        let meanings = CodeMeanings::parse("# ours\n4001 = \"signed in elsewhere\"\n3500 = \"stale\"\n").unwrap();
        assert_eq!(
            (meanings.of(4001), meanings.of(3500), meanings.of(4002)),
            (Some("signed in elsewhere"), Some("stale"), None)
        );
    }

    #[test]
    fn codes_of_the_standard_are_not_redefined() {
        for text in ["1000 = \"bye\"", "5000 = \"x\"", "four = \"x\"", "4000 = 1", "4000"] {
            assert!(CodeMeanings::parse(text).is_err(), "{text}");
        }
    }
}
