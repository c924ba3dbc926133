//! The JSON output, frozen as `wsdissect/1`: one object for each connection and one summary. Fields are only ever added.
//!
//! Its structs are its own: nothing of the analysis is serialised directly, so that a refactoring cannot change what
//! pipelines rely on. Sentences follow the chosen language; names and codes never do.

use std::fmt::Write;

mod closing;
mod connection;
mod diff;
mod fleet;
mod hops;
mod inside;
mod keepalive;
mod software;
mod summary;

pub use connection::ConnectionObject;
pub use diff::DiffObject;
pub use summary::SummaryObject;

/// Name and version of the format, in every object.
pub const SCHEMA: &str = "wsdissect/1";

/// JSON text of which nothing steers a terminal: controls that JSON allows in a string (U+007F to U+009F) and invisible
/// marks, such as those that turn the direction of writing, are written as `\\u` escapes. They mean the same to a parser.
#[must_use]
pub fn plain(text: String) -> String {
    if !may_steer(text.as_bytes()) || !text.chars().any(steers) {
        return text;
    }
    let mut plain = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        if steers(character) {
            // All of them lie in the Basic Multilingual Plane.
            let _ = write!(plain, "\\u{:04x}", u32::from(character));
        } else {
            plain.push(character);
        }
    }
    plain
}

/// Whether there are bytes with which a character begins that steers. Most text has none, so it is looked at by the piece,
/// with no way out in between, which takes the processor a few steps only.
fn may_steer(bytes: &[u8]) -> bool {
    const PIECE: usize = 128;
    let rare = |byte: u8| (byte < b' ' && byte != b'\n') || matches!(byte, 0x7f | 0xc2 | 0xe2 | 0xef);
    let begins = |at: usize| match (bytes[at], bytes.get(at + 1)) {
        (0xc2, next) => next.is_some_and(|next| *next < 0xa0),
        (0xe2, next) => matches!(next, Some(0x80 | 0x81)),
        (0xef, next) => next == Some(&0xbb),
        (byte, _) => rare(byte),
    };
    let mut pieces = (0..).step_by(PIECE).zip(bytes.chunks(PIECE));
    pieces.any(|(start, piece)| {
        piece.iter().fold(false, |found, byte| found | rare(*byte)) && (start..start + piece.len()).any(begins)
    })
}

/// Outside of strings JSON has no controls but line ends.
fn steers(character: char) -> bool {
    character != '\n' && (character.is_control() || is_invisible(character))
}

fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{may_steer, plain, steers};

    #[test]
    fn whatever_steers_begins_with_a_byte_that_may() {
        let steering: Vec<char> = ('\0'..=char::MAX).filter(|character| steers(*character)).collect();
        assert!(steering.len() > 60);
        for character in steering {
            assert!(may_steer(format!("{}{character}", "a".repeat(200)).as_bytes()), "{character:?}");
        }
        assert!(!may_steer("{ \"a\": \"§ 7 ä中\" }\n".repeat(50).as_bytes()));
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_means_the_same() {
        let value = serde_json::json!({ "a": "\u{9b}31m \u{7f} \u{202e} \u{feff} \u{1b} ä 中 \u{1f600}", "b": [1] });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let safe = plain(text.clone());
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
            assert!(safe.contains("\\u009b31m \\u007f \\u202e \\ufeff \\u001b ä 中 \u{1f600}"), "{safe}");
        }
    }
}
