//! The words: every text a person reads, by language and key.
//!
//! A text file `text/<language>/<file>.toml` is a tree of tables with strings at the leaves; the path to a leaf, joined
//! with dots and led by the file's name, is its key: `codes.heading.description`, `violations.rsv_nonzero.title`. To add
//! a file, write it in each language and add one line to `FILES`. English is the reference: a key that another
//! language lacks is answered in English, and a test finds every such key before that happens.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::language::Language;
use super::rules::LoadError;
use super::source::{Source, packed};

/// One text file in every language, in the order of [`Language::ALL`].
struct TextFile {
    name: &'static str,
    sources: [Source<'static>; Language::ALL.len()],
}

/// The text file of this name, from the directory of each language.
macro_rules! text_file {
    ($name:literal) => {
        TextFile {
            name: $name,
            sources: [
                packed!("text/en", $name),
                packed!("text/zh", $name),
                packed!("text/de", $name),
                packed!("text/tr", $name),
                packed!("text/fr", $name),
            ],
        }
    };
}

const FILES: &[TextFile] = &[
    text_file!("codes"),
    text_file!("violations"),
    text_file!("applications"),
    text_file!("report"),
    text_file!("fleet"),
];

/// The text for a key, in English when the language lacks it; `None` when no language has it.
pub fn find(language: Language, key: &str) -> Option<&'static str> {
    let (name, _) = key.split_once('.')?;
    let file = FILES.iter().position(|file| file.name == name)?;
    texts(language, file).get(key).or_else(|| texts(Language::En, file).get(key))
}

/// The texts of a file, which is read when the first of them is asked for: few runs need all files, and none all languages.
fn texts(language: Language, file: usize) -> &'static Texts {
    static TEXTS: [[OnceLock<Texts>; FILES.len()]; Language::ALL.len()] =
        [const { [const { OnceLock::new() }; FILES.len()] }; Language::ALL.len()];
    let index = language as usize;
    TEXTS[index][file].get_or_init(|| {
        let TextFile { name, sources } = &FILES[file];
        Texts::read([(*name, sources[index])]).expect("the embedded texts are valid: a unit test loads them")
    })
}

/// The text for a key that the catalogue is known to have; empty if it has not.
pub(crate) fn text(language: Language, key: &str) -> &'static str {
    let found = find(language, key);
    debug_assert!(found.is_some(), "no text for {key:?}");
    found.unwrap_or_default()
}

/// Puts values into the `{placeholders}` of a text.
///
/// Values are inserted as they are: braces in a value are not looked at again. A placeholder without a value stays.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let value = after.split_once('}').and_then(|(name, tail)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((*value, tail))
        });
        match value {
            Some((value, tail)) => {
                filled.push_str(value);
                rest = tail;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// All texts of one language by key.
#[derive(Clone, Debug, Default)]
struct Texts(BTreeMap<String, String>);

impl Texts {
    /// Reads files, each with its name.
    fn read<'a>(sources: impl IntoIterator<Item = (&'a str, Source<'a>)>) -> Result<Self, TextError> {
        let mut texts = Self::default();
        for (file, source) in sources {
            let table: toml::Table = source.read()?;
            texts.add(file, &toml::Value::Table(table))?;
        }
        Ok(texts)
    }

    /// Recursion is as deep as the tables of a file that is compiled in.
    fn add(&mut self, key: &str, value: &toml::Value) -> Result<(), TextError> {
        match value {
            toml::Value::Table(table) => {
                table.iter().try_for_each(|(name, value)| self.add(&format!("{key}.{name}"), value))
            }
            toml::Value::String(text) if !text.trim().is_empty() => {
                self.0.insert(key.to_owned(), text.clone());
                Ok(())
            }
            _ => Err(TextError::NotText { key: key.to_owned() }),
        }
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// Why a text file was refused.
#[derive(Debug, thiserror::Error)]
enum TextError {
    #[error("failed to read the texts")]
    Load(#[from] LoadError),
    #[error("the text {key:?} is empty or not a string")]
    NotText { key: String },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Texts that are right although they read as in English: names of fixed form, and words that two languages share.
    const SAME_AS_ENGLISH: &[(&str, &[Language])] = &[
        ("codes.heading.description", &[Language::Fr]),
        ("codes.page.category", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("codes.page.code_title", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("codes.page.compare_title", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("codes.page.violation_title", &[Language::De, Language::Tr, Language::Fr]),
        ("codes.page.difference", &[Language::De, Language::Tr]),
        ("codes.page.meaning", &[Language::De, Language::Tr]),
        ("codes.registered.rfc6455", &[Language::Zh, Language::De, Language::Tr]),
        ("fleet.diff.cause", &[Language::Fr]),
        ("report.confidence.certain", &[Language::Fr]),
        ("report.confidence.possible", &[Language::Fr]),
        ("report.duration.h", &[Language::De, Language::Fr]),
        ("report.duration.min", &[Language::De, Language::Fr]),
        ("report.duration.s", &[Language::De, Language::Fr]),
        ("report.event.client_hello", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("report.event.close", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("report.event.ping", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("report.event.pong", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("report.event.server_hello", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("report.label.filter", &[Language::Zh, Language::De, Language::Tr, Language::Fr]),
        ("report.punctuation.clauses", &[Language::De, Language::Tr, Language::Fr]),
        ("report.punctuation.label", &[Language::De, Language::Tr]),
        ("report.punctuation.list", &[Language::De, Language::Tr]),
        ("report.punctuation.quoted", &[Language::Zh, Language::Tr]),
        ("report.punctuation.sentences", &[Language::De, Language::Tr, Language::Fr]),
        ("report.rule.cause", &[Language::Fr]),
    ];

    fn load(language: Language) -> Texts {
        let index = Language::all().position(|known| known == language).unwrap();
        Texts::read(FILES.iter().map(|file| (file.name, file.sources[index]))).unwrap()
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    /// Everything in which a language falls short of English.
    fn faults(english: &Texts, other: &Texts, same: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut faults = Vec::new();
        for (key, text) in &english.0 {
            match other.get(key) {
                None => faults.push(format!("missing {key}")),
                Some(translated) => {
                    if translated == text && !same(key) {
                        faults.push(format!("untranslated {key}: {text}"));
                    }
                    if translated != text && same(key) {
                        faults.push(format!("needlessly excused {key}"));
                    }
                    if placeholders(translated) != placeholders(text) {
                        faults.push(format!("other placeholders in {key}: {translated}"));
                    }
                }
            }
        }
        faults.extend(other.0.keys().filter(|key| english.get(key).is_none()).map(|key| format!("extra {key}")));
        faults
    }

    #[test]
    fn every_text_is_translated_into_every_language() {
        let english = load(Language::En);
        for language in Language::all().filter(|language| *language != Language::En) {
            let same = |key: &str| {
                SAME_AS_ENGLISH.iter().any(|(excused, languages)| *excused == key && languages.contains(&language))
            };
            let faults = faults(&english, &load(language), &same);
            assert!(faults.is_empty(), "{language}:\n{}", faults.join("\n"));
        }
    }

    #[test]
    fn each_kind_of_fault_is_found() {
        let parse = |source| Texts::read([("file", Source::toml("file.toml", source))]).unwrap();
        let english = parse("a = \"one {x}\"\n[t]\nb = \"two\"\n");
        let check = |source, same: &dyn Fn(&str) -> bool| faults(&english, &parse(source), same);
        let none = |_: &str| false;
        assert_eq!(check("a = \"eins {x}\"\n[t]\nb = \"zwei\"\n", &none), Vec::<String>::new());
        assert_eq!(check("a = \"eins {x}\"\n", &none), ["missing file.t.b"]);
        assert_eq!(check("a = \"eins {x}\"\n[t]\nb = \"two\"\n", &none), ["untranslated file.t.b: two"]);
        assert_eq!(check("a = \"eins {x}\"\n[t]\nb = \"two\"\n", &|key| key == "file.t.b"), Vec::<String>::new());
        assert_eq!(check("a = \"eins\"\n[t]\nb = \"zwei\"\n", &none), ["other placeholders in file.a: eins"]);
        assert_eq!(check("a = \"eins {x}\"\nc = \"drei\"\n[t]\nb = \"zwei\"\n", &none), ["extra file.c"]);
    }

    #[test]
    fn removing_any_one_key_of_any_language_is_noticed() {
        let english = load(Language::En);
        for language in Language::all().filter(|language| *language != Language::En) {
            let whole = load(language);
            for key in whole.0.keys() {
                let mut doctored = whole.clone();
                doctored.0.remove(key);
                assert!(faults(&english, &doctored, &|_| true).contains(&format!("missing {key}")), "{language} {key}");
            }
        }
    }

    #[test]
    fn a_missing_text_is_answered_in_english_and_an_unknown_key_not_at_all() {
        assert_eq!(find(Language::De, "codes.heading.description"), Some("Beschreibung"));
        assert_eq!(find(Language::De, "codes.heading.no_such_heading"), None);
    }

    #[test]
    fn only_whole_texts_are_accepted() {
        let read = |source| Texts::read([("f", Source::toml("f.toml", source))]);
        assert!(matches!(read("a = 3"), Err(TextError::NotText { key }) if key == "f.a"));
        assert!(matches!(read("a = \" \""), Err(TextError::NotText { .. })));
        assert!(matches!(read("a = "), Err(TextError::Load(_))));
    }

    #[test]
    fn values_are_filled_in_once() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "2")]), "{b} and 2");
        assert_eq!(fill("{a {c} {", &[("a", "1")]), "{a {c} {");
    }

    /// Common English words that are words in no other language here.
    #[test]
    fn no_english_word_is_left_in_another_language() {
        let english = ["the", "and", "of", "is", "are", "which", "must", "with", "not"];
        for language in Language::all().filter(|language| *language != Language::En) {
            for (key, text) in &load(language).0 {
                let left = text.split(|c: char| !c.is_alphabetic()).find(|word| english.contains(word));
                assert_eq!(left, None, "{language} {key}: {text}");
            }
        }
    }

    /// Settings, header names and numbers are the same in every language; a translator's slip shows here.
    #[test]
    fn names_and_numbers_are_those_of_the_english_text() {
        fn names_and_numbers(text: &str) -> BTreeSet<&str> {
            let names = text.split('`').skip(1).step_by(2);
            let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|number| number.len() > 1);
            names.chain(numbers).collect()
        }
        let english = load(Language::En);
        for language in Language::all() {
            for (key, text) in &load(language).0 {
                let expected = english.get(key).map(names_and_numbers).unwrap_or_default();
                assert_eq!(names_and_numbers(text), expected, "{language} {key}");
            }
        }
    }

    /// Values stand between semicolons when two codes are compared.
    #[test]
    fn property_values_contain_no_semicolon() {
        let properties = ["sent_by", "wire", "close_frame", "registered", "reconnect", "acts"];
        for language in Language::all() {
            for (key, text) in &load(language).0 {
                let value = properties.iter().any(|name| key.starts_with(&format!("codes.{name}.")));
                assert!(!(value && text.contains([';', '；'])), "{language} {key}: {text}");
            }
        }
    }

    #[test]
    fn chinese_is_punctuated_as_chinese() {
        for (key, text) in &load(Language::Zh).0 {
            let outside_code: String = text.split('`').step_by(2).collect();
            assert!(!outside_code.contains([',', ';']), "{key}: {text}");
            assert!(!outside_code.ends_with(['.', ':', '?', '!']), "{key}: {text}");
        }
    }

    /// Composed characters only, no control characters, no stray spaces.
    #[test]
    fn texts_are_typed_cleanly() {
        for language in Language::all() {
            for (key, text) in &load(language).0 {
                let combining = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
                assert!(!text.chars().any(|c| combining(c) || c.is_control()), "{language} {key}: {text}");
                assert!(!text.contains("  ") && text.trim() == text, "{language} {key}: {text}");
            }
        }
    }
}
