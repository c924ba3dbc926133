//! What an application means by its own close codes, as its user wrote it down.

use std::collections::BTreeMap;

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
