//! The words of rules and facts in one language.
//!
//! `rules.toml` has `title` and `cause` for each rule, the text of each fix, and what would refute a rule; `facts.toml` has a label and sentences
//! for each fact, the words for fixed values and for why something is unknown, and how numbers are written. A `cause`
//! is a [`Template`]: `{fact.name}` stands for the fact's value, and a part in `[…]` is left out when one of the facts
//! in it was not seen. Outside of brackets only facts may stand that have a value whenever the rule fires.

use super::load::LoadError;
use super::{Cause, RuleSet, refutations};
use crate::catalog::language::Language;
use crate::catalog::source::{Placed, Source, packed};
use crate::catalog::text;
use crate::evidence::{FACTS, FactId, FactType, WhyUnknown};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A sentence with places for facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These words.
    Words(String),
    /// The value of this fact.
    Value(FactId),
    /// All of these, or nothing when one of the facts was not seen.
    Optional(Vec<Part>),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A fragment saying what is wrong: an unknown fact, a brace or bracket without its partner.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let parts = parse_parts(&mut rest, false)?;
        Ok(Self(parts))
    }

    /// The pieces, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }
}

fn parse_parts(rest: &mut &str, inside: bool) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    loop {
        let Some(at) = rest.bytes().position(|byte| matches!(byte, b'{' | b'}' | b'[' | b']')) else {
            if inside {
                return Err("`[` without `]`".to_owned());
            }
            if !rest.is_empty() {
                parts.push(Part::Words((*rest).to_owned()));
            }
            return Ok(parts);
        };
        if at > 0 {
            parts.push(Part::Words(rest[..at].to_owned()));
        }
        let mark = rest.as_bytes()[at];
        *rest = &rest[at + 1..];
        match mark {
            b'{' => {
                let end = rest.find('}').ok_or("`{` without `}`")?;
                let name = &rest[..end];
                let fact = FactId::by_name(name).ok_or_else(|| format!("unknown fact `{name}`"))?;
                parts.push(Part::Value(fact));
                *rest = &rest[end + 1..];
            }
            b'[' if !inside => parts.push(Part::Optional(parse_parts(rest, true)?)),
            b']' if inside => return Ok(parts),
            other => return Err(format!("`{}` in the wrong place", char::from(other))),
        }
    }
}

/// The words of one rule.
#[derive(Debug, Clone)]
pub struct RuleWords {
    /// A headline, no longer than a line.
    pub title: String,
    /// One or two sentences: what happened and why we think so.
    pub cause: Template,
}

/// The words of a rule that a user wrote, in the user's language.
#[derive(Debug, Clone)]
pub struct OwnWords {
    /// Title and explanation.
    pub rule: RuleWords,
    /// The sentences of its fixes, by their ids.
    pub fixes: Vec<(Arc<str>, Template)>,
}

/// The words of one fact.
#[derive(Debug, Clone)]
pub struct FactWords {
    /// What the fact is called, as a heading.
    pub label: String,
    /// The sentence when it was seen; `{value}` stands for the value.
    pub seen: String,
    /// The sentence when it is absent.
    pub absent: String,
}

/// All words of rules and facts in one language.
#[derive(Debug, Clone)]
pub struct Words {
    rules: BTreeMap<String, RuleWords>,
    fixes: BTreeMap<String, Template>,
    refutations: BTreeMap<String, String>,
    facts: BTreeMap<String, FactWords>,
    values: BTreeMap<String, String>,
    why: BTreeMap<String, String>,
    settled_by: BTreeMap<String, String>,
    format: NumberFormat,
    language: Language,
}

/// How a language writes numbers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberFormat {
    /// Between whole and fraction.
    pub decimal: String,
    /// Between groups of three digits.
    pub thousands: String,
    /// Sentence for an absent fact that has none of its own; `{label}` stands for its label.
    absent: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    rule: BTreeMap<String, RuleTable>,
    fix: BTreeMap<String, Placed<String>>,
    #[serde(default)]
    refute: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    title: String,
    cause: Placed<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactsFile {
    format: NumberFormat,
    value: BTreeMap<String, String>,
    why: BTreeMap<String, String>,
    settled_by: BTreeMap<String, String>,
    fact: BTreeMap<String, FactTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactTable {
    label: String,
    seen: String,
    absent: Option<String>,
}

impl Words {
    /// Languages that come with the program, by their ISO 639-1 code.
    pub const LANGUAGES: &'static [&'static str] = &["en", "zh", "de", "tr", "fr"];

    /// The words that come with the program; `None` for a language it does not speak.
    #[must_use]
    pub fn builtin(language: &str) -> Option<Result<Self, LoadError>> {
        let (rules, facts) = match language {
            "en" => (packed!("text/en", "rules"), packed!("text/en", "facts")),
            "zh" => (packed!("text/zh", "rules"), packed!("text/zh", "facts")),
            "de" => (packed!("text/de", "rules"), packed!("text/de", "facts")),
            "tr" => (packed!("text/tr", "rules"), packed!("text/tr", "facts")),
            "fr" => (packed!("text/fr", "rules"), packed!("text/fr", "facts")),
            _ => return None,
        };
        let language = language.parse().unwrap_or(Language::En);
        Some(Self::read(rules, facts).map(|words| Self { language, ..words }))
    }

    /// Reads `(file name, TOML text)` of the rules' and the facts' words.
    ///
    /// # Errors
    /// The first mistake, with file, line and column.
    pub fn load(rules: (&str, &str), facts: (&str, &str)) -> Result<Self, LoadError> {
        Self::read(Source::toml(rules.0, rules.1), Source::toml(facts.0, facts.1))
    }

    fn read(rules: Source<'_>, facts: Source<'_>) -> Result<Self, LoadError> {
        let read: RulesFile = rules.read()?;
        let mut by_rule = BTreeMap::new();
        for (id, table) in read.rule {
            let cause =
                Template::parse(table.cause.get_ref()).map_err(|message| rules.error(table.cause.span(), message))?;
            by_rule.insert(id, RuleWords { title: table.title, cause });
        }
        let mut fixes = BTreeMap::new();
        for (id, sentence) in read.fix {
            let sentence =
                Template::parse(sentence.get_ref()).map_err(|message| rules.error(sentence.span(), message))?;
            fixes.insert(id, sentence);
        }
        let facts: FactsFile = facts.read()?;
        let by_fact = facts.fact.into_iter().map(|(name, table)| {
            let absent = table.absent.unwrap_or_else(|| facts.format.absent.replace("{label}", &table.label));
            (name, FactWords { label: table.label, seen: table.seen, absent })
        });
        Ok(Self {
            rules: by_rule,
            fixes,
            refutations: read.refute,
            facts: by_fact.collect(),
            values: facts.value,
            why: facts.why,
            settled_by: facts.settled_by,
            format: facts.format,
            language: Language::En,
        })
    }

    /// The same with the words of the rules that a user wrote.
    #[must_use]
    pub fn with_own(mut self, rules: &RuleSet) -> Self {
        for (rule, own) in rules.iter().filter_map(|rule| Some((rule, rule.own.as_deref()?))) {
            self.rules.insert(rule.id.as_str().to_owned(), own.rule.clone());
            self.fixes.extend(own.fixes.iter().map(|(id, sentence)| (id.to_string(), sentence.clone())));
        }
        self
    }

    /// The words of a rule.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&RuleWords> {
        self.rules.get(id)
    }

    /// The sentence of a fix.
    #[must_use]
    pub fn fix(&self, id: &str) -> Option<&Template> {
        self.fixes.get(id)
    }

    /// What would refute a diagnosis, as a fragment.
    #[must_use]
    pub fn refutation(&self, key: &str) -> Option<&str> {
        self.refutations.get(key).map(String::as_str)
    }

    /// The words of a fact.
    #[must_use]
    pub fn fact(&self, fact: FactId) -> Option<&FactWords> {
        self.facts.get(fact.name())
    }

    /// The word for a fixed value such as `client`; the value itself when there is none.
    #[must_use]
    pub fn value<'a>(&'a self, value: &'a str) -> &'a str {
        self.values.get(value).map_or(value, String::as_str)
    }

    /// What a message or close code of an application protocol means, as a fragment; `None` when the key has no words.
    #[must_use]
    pub fn meaning(&self, key: &str) -> Option<&'static str> {
        text::find(self.language, &format!("applications.means.{key}"))
    }

    /// What to do about such a meaning; `None` when the key has no words.
    #[must_use]
    pub fn advice(&self, key: &str) -> Option<&'static str> {
        text::find(self.language, &format!("applications.advice.{key}"))
    }

    /// Why something is unknown, as a fragment.
    #[must_use]
    pub fn why(&self, why: WhyUnknown) -> &str {
        self.why.get(why.name()).map_or(why.name(), String::as_str)
    }

    /// What capture would answer a question that is open for this reason.
    #[must_use]
    pub fn settled_by(&self, why: WhyUnknown) -> &str {
        self.settled_by.get(why.name()).map_or(why.name(), String::as_str)
    }

    /// How numbers are written.
    #[must_use]
    pub fn numbers(&self) -> &NumberFormat {
        &self.format
    }

    /// What is missing, too much or broken in these words, given the rules; empty when they are complete.
    #[must_use]
    pub fn problems(&self, rules: &RuleSet) -> Vec<String> {
        let mut problems = Vec::new();
        let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
        compare(&mut problems, "rule", &ids, &self.rules);
        let fixes: BTreeSet<&str> = rules.iter().flat_map(|rule| &rule.fixes).map(|fix| &*fix.id).collect();
        compare(&mut problems, "fix", &fixes, &self.fixes);
        // Words of causes that no rule has yet are no mistake: whoever adds the rule finds them there.
        let spare: Vec<_> = Cause::ALL.iter().flat_map(|cause| refutations::of(*cause).to_vec()).collect();
        let spare = spare.iter().filter(|key| self.refutations.contains_key(&***key));
        let used = rules.iter().flat_map(|rule| rule.refuted_by.iter());
        let refutations: BTreeSet<&str> = used.chain(spare).map(|key| &**key).collect();
        compare(&mut problems, "refute", &refutations, &self.refutations);
        let facts: BTreeSet<&str> = FACTS.iter().map(|fact| fact.name).collect();
        compare(&mut problems, "fact", &facts, &self.facts);
        let why: BTreeSet<&str> = WhyUnknown::ALL.iter().map(|why| why.name()).collect();
        compare(&mut problems, "why", &why, &self.why);
        compare(&mut problems, "settled_by", &why, &self.settled_by);
        let words = FACTS.iter().filter_map(|fact| match fact.ty {
            FactType::Enum(words) => Some(words.iter().copied()),
            _ => None,
        });
        let values: BTreeSet<&str> = words.flatten().chain(["true", "false"]).collect();
        compare(&mut problems, "value", &values, &self.values);
        for rule in rules.iter() {
            let cause = self.rules.get(rule.id.as_str()).map(|words| &words.cause);
            let fixes = rule.fixes.iter().filter_map(|fix| self.fix(&fix.id));
            for part in cause.into_iter().chain(fixes).flat_map(Template::parts) {
                if let Part::Value(fact) = part
                    && !rule.guarantees(*fact)
                {
                    problems.push(format!("rule `{}`: `{}` may have no value here", rule.id, fact.name()));
                }
            }
        }
        for (name, words) in &self.facts {
            let places = words.seen.matches("{value}").count();
            let others = words.seen.matches(['{', '}']).count() - 2 * places;
            let is_bool = FactId::by_name(name).is_some_and(|fact| fact.ty() == FactType::Bool);
            if others > 0 || (places != 1 && !is_bool) {
                problems.push(format!("fact `{name}`: `seen` needs `{{value}}` once"));
            }
        }
        problems
    }
}

fn compare<T>(problems: &mut Vec<String>, kind: &str, needed: &BTreeSet<&str>, there: &BTreeMap<String, T>) {
    for key in needed.iter().filter(|key| !there.contains_key(**key)) {
        problems.push(format!("{kind} `{key}` has no words"));
    }
    for key in there.keys().filter(|key| !needed.contains(key.as_str())) {
        problems.push(format!("{kind} `{key}` does not exist"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_have_values_and_optional_parts() {
        let code = FactId::by_name("close.code").expect("a row of the table");
        let template = Template::parse("Code {close.code}[ and {close.code} again].").expect("well-formed");
        let words = |text: &str| Part::Words(text.to_owned());
        assert_eq!(
            template.parts(),
            [
                words("Code "),
                Part::Value(code),
                Part::Optional(vec![words(" and "), Part::Value(code), words(" again")]),
                words("."),
            ]
        );
        for broken in ["{close.cod}", "{close.code", "a }", "[a", "a]", "[a [b]]"] {
            assert!(Template::parse(broken).is_err(), "{broken}");
        }
    }
}
