//! The languages the catalogue speaks, and how a locale chooses one.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A language in which every text of the catalogue exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// English, the language of the standards and the fallback.
    #[default]
    En,
    /// Chinese, written with simplified characters.
    Zh,
    /// German.
    De,
    /// Turkish.
    Tr,
    /// French.
    Fr,
}

impl Language {
    /// Every language, English first.
    pub const ALL: [Self; 5] = [Self::En, Self::Zh, Self::De, Self::Tr, Self::Fr];

    /// Every language, English first.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// The two-letter tag of ISO 639-1, which is also the directory of its texts.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
            Self::De => "de",
            Self::Tr => "tr",
            Self::Fr => "fr",
        }
    }

    /// The language's name in that language.
    pub fn native_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Zh => "中文",
            Self::De => "Deutsch",
            Self::Tr => "Türkçe",
            Self::Fr => "Français",
        }
    }

    /// The language that a locale asks for, or `None` when the catalogue does not speak it.
    ///
    /// Understands POSIX (`de_DE.UTF-8`, `fr_CA@euro`) and BCP 47 (`zh-Hans-CN`) spellings; only the language part counts.
    /// `C` and `POSIX` mean English.
    pub fn from_locale(locale: &str) -> Option<Self> {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if ["c", "posix"].iter().any(|name| language.eq_ignore_ascii_case(name)) {
            return Some(Self::En);
        }
        Self::all().find(|known| language.eq_ignore_ascii_case(known.tag()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// Accepts what [`Language::from_locale`] accepts.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::from_locale(name).ok_or_else(|| UnknownLanguage { name: name.to_owned() })
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.tag())
    }
}

/// A language name that the catalogue does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown language {name:?}: expected en, zh, de, tr or fr")]
pub struct UnknownLanguage {
    /// The name as it was given.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_of_every_spelling_choose_their_language() {
        for (locale, expected) in [
            ("de_DE.UTF-8", Some(Language::De)),
            ("fr_CA@euro", Some(Language::Fr)),
            ("zh-Hans-CN", Some(Language::Zh)),
            ("zh_TW", Some(Language::Zh)),
            ("tr", Some(Language::Tr)),
            ("EN-gb", Some(Language::En)),
            ("C.UTF-8", Some(Language::En)),
            ("POSIX", Some(Language::En)),
            ("es_ES.UTF-8", None),
            ("den_DK", None),
            ("", None),
        ] {
            assert_eq!(Language::from_locale(locale), expected, "{locale:?}");
        }
    }

    #[test]
    fn tags_parse_back() {
        for language in Language::all() {
            assert_eq!(language.tag().parse(), Ok(language));
        }
        assert_eq!(
            "klingon".parse::<Language>().unwrap_err().to_string(),
            "unknown language \"klingon\": expected en, zh, de, tr or fr"
        );
    }
}
