//! Facts in words: fills the places of a template the way a language writes numbers and fixed values.

use crate::catalog::rules::words::{NumberFormat, Part, Template, Words};
use crate::evidence::{FactId, FactType, Facts, Value};
use std::fmt::Write as _;

/// Characters of a text from the wire that a sentence repeats; the rest is an ellipsis.
const TEXT_CHARS: usize = 160;

/// The sentence that `template` makes of these facts.
///
/// A part in brackets is left out when a fact in it was not seen; elsewhere such a fact prints as `?`. Texts from the
/// wire are shortened, and their control characters written out as escapes.
#[must_use]
pub fn render(template: &Template, facts: &Facts, words: &Words) -> String {
    let mut out = String::new();
    parts(template.parts(), facts, words, &mut out);
    out
}

/// The value of a fact in words: `60.0` seconds, `1,048,576` bytes, `client` as the language calls it.
#[must_use]
pub fn value_text(fact: FactId, value: &Value, words: &Words) -> String {
    match value {
        Value::Bool(value) => words.value(if *value { "true" } else { "false" }).to_owned(),
        Value::Int(value) if fact.ty() == FactType::Bytes => grouped(*value, words.numbers()),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => seconds(*value, words.numbers()),
        Value::Enum(word) => words.value(word).to_owned(),
        Value::Text(key) if fact.is_meaning() => words.meaning(key).map_or_else(|| printable(key), str::to_owned),
        Value::Text(key) if fact.is_advice() => words.advice(key).map_or_else(|| printable(key), str::to_owned),
        Value::Text(text) => printable(text),
    }
}

fn parts(template: &[Part], facts: &Facts, words: &Words, out: &mut String) {
    for part in template {
        match part {
            Part::Words(text) => out.push_str(text),
            Part::Value(fact) => match facts.get(*fact).seen() {
                Some(value) => out.push_str(&value_text(*fact, value, words)),
                None => out.push('?'),
            },
            Part::Optional(inner) => {
                let seen = |part: &Part| !matches!(part, Part::Value(fact) if facts.get(*fact).seen().is_none());
                if inner.iter().all(seen) {
                    parts(inner, facts, words, out);
                }
            }
        }
    }
}

/// As many digits as tell something: milliseconds below ten seconds, tenths below an hour, then whole seconds.
fn seconds(value: f64, format: &NumberFormat) -> String {
    let digits = match value.abs() {
        size if size < 10.0 => 3,
        size if size < 3600.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}").replace('.', &format.decimal)
}

fn grouped(value: i64, format: &NumberFormat) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::from(if value < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push_str(&format.thousands);
        }
        out.push(digit);
    }
    out
}

/// Text from the wire made safe to print: shortened, and its control characters written out as escapes.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::new();
    for (count, char) in text.chars().enumerate() {
        if count == TEXT_CHARS {
            out.push('…');
            break;
        }
        // Control characters drive terminals; bidirectional controls reorder what stands around them.
        match char {
            char if char.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
            }
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Known, PacketRefs};

    fn words(language: &str) -> Words {
        Words::builtin(language).expect("a language we speak").expect("texts that load")
    }

    fn facts(given: &[(&str, Value)]) -> Facts {
        let mut facts = Facts::all(&Known::Absent);
        for (name, value) in given {
            let fact = FactId::by_name(name).expect("a row of the table");
            facts.set(fact, Known::Seen(value.clone()), PacketRefs::default());
        }
        facts
    }

    #[test]
    fn numbers_are_written_as_the_language_does() {
        let facts = facts(&[("peer.last_size", Value::Int(1_048_577)), ("end.silence_s", Value::Float(60.04))]);
        let template = Template::parse("{peer.last_size} {end.silence_s}").expect("well-formed");
        assert_eq!(render(&template, &facts, &words("en")), "1,048,577 60.0");
        assert_eq!(render(&template, &facts, &words("de")), "1.048.577 60,0");
        assert_eq!(render(&template, &facts, &words("fr")), "1\u{202f}048\u{202f}577 60,0");
    }

    #[test]
    fn optional_parts_need_their_facts() {
        let template = Template::parse("closed[ with “{close.reason}”].").expect("well-formed");
        let with = facts(&[("close.reason", Value::Text("\u{1b}[31mbye".into()))]);
        assert_eq!(render(&template, &facts(&[]), &words("en")), "closed.");
        assert_eq!(render(&template, &with, &words("en")), "closed with “\\u{1b}[31mbye”.");
    }

    #[test]
    fn long_texts_are_cut() {
        let long = printable(&"x".repeat(1000));
        assert_eq!(long.chars().count(), TEXT_CHARS + 1);
    }
}
