//! The words of a report in one language: the one place where a diagnosis becomes sentences.

use crate::catalog::language::Language;
use crate::catalog::meanings::CodeMeanings;
use crate::catalog::rules::words::{FactWords, Words};
use crate::catalog::rules::{RuleId, RuleSet};
use crate::catalog::text;
use crate::connection::Meaning;
use crate::diagnosis::{Candidate, Diagnosis, Fix, printable, render, value_text};
use crate::evidence::{Evidence, FactId, Facts, Known, Value};
use crate::fleet::{CaptureLimit, ConnectionReport};
use crate::violation::ViolationRule;
use std::sync::{Arc, OnceLock};

/// Speaks one language.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The language spoken.
    pub language: Language,
    /// Read when the first of them is to be said.
    words: OnceLock<Words>,
    rules: Option<Arc<RuleSet>>,
    meanings: CodeMeanings,
}

impl Speaker {
    /// A speaker with the words that come with the program.
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self { language, words: OnceLock::new(), rules: None, meanings: CodeMeanings::default() }
    }

    fn words(&self) -> &Words {
        self.words.get_or_init(|| {
            let words = Words::builtin(self.language.tag()).and_then(Result::ok);
            let words = words.expect("the built-in words load: tests/rules.rs checks every language");
            match &self.rules {
                Some(rules) => words.with_own(rules),
                None => words,
            }
        })
    }

    /// The same speaker, who knows what an application means by its own codes.
    #[must_use]
    pub fn knowing(self, meanings: CodeMeanings) -> Self {
        Self { meanings, ..self }
    }

    /// The same speaker, who has the words of the rules that a user wrote.
    #[must_use]
    pub fn with_rules(self, rules: &Arc<RuleSet>) -> Self {
        Self { words: OnceLock::new(), rules: Some(Arc::clone(rules)), ..self }
    }

    /// What the application means by a code of its own; `None` unless its user has said so.
    #[must_use]
    pub fn meaning(&self, code: u16) -> Option<String> {
        self.meanings.of(code).map(printable)
    }

    /// A text of the report itself, by its key in `report.toml`.
    #[must_use]
    pub fn say(&self, key: &str) -> &'static str {
        text::find(self.language, &format!("report.{key}")).unwrap_or_default()
    }

    /// The same with values put into its `{places}`.
    #[must_use]
    pub fn say_with(&self, key: &str, values: &[(&str, &str)]) -> String {
        text::fill(self.say(key), values)
    }

    /// A text about many connections, by its key in `fleet.toml`.
    #[must_use]
    pub fn say_of_many(&self, key: &str) -> &'static str {
        text::find(self.language, &format!("fleet.{key}")).unwrap_or_default()
    }

    /// The same with values put into its `{places}`.
    #[must_use]
    pub fn of_many(&self, key: &str, values: &[(&str, &str)]) -> String {
        text::fill(self.say_of_many(key), values)
    }

    /// The headline of a rule.
    #[must_use]
    pub fn title<'a>(&'a self, rule: &'a RuleId) -> &'a str {
        self.words().rule(rule.as_str()).map_or(rule.as_str(), |words| words.title.as_str())
    }

    /// What happened, and why we think so.
    #[must_use]
    pub fn explanation(&self, report: &ConnectionReport) -> String {
        let rule = self.words().rule(report.diagnosis.rule.as_str());
        let sentence = rule.map(|words| render(&words.cause, &report.facts, self.words())).unwrap_or_default();
        capitalised(&sentence, self.language)
    }

    /// One thing to do, for the connection with these facts.
    #[must_use]
    pub fn fix(&self, fix: &Fix, facts: &Facts) -> String {
        self.fix_for(&fix.id, facts)
    }

    fn fix_for(&self, id: &str, facts: &Facts) -> String {
        self.words().fix(id).map_or_else(|| id.to_owned(), |sentence| render(sentence, facts, self.words()))
    }

    /// One piece of evidence as a sentence.
    #[must_use]
    pub fn evidence(&self, evidence: &Evidence) -> String {
        let Some(words) = self.words().fact(evidence.fact) else {
            return evidence.fact.name().to_owned();
        };
        match &evidence.value {
            Known::Seen(value) => words.seen.replace("{value}", &self.value(evidence.fact, value)),
            Known::Absent => words.absent.clone(),
            Known::Unknown(why) => format!("{}: {}", words.label, self.words().why(*why)),
        }
    }

    /// The value of a fact that was seen, in words.
    #[must_use]
    pub fn seen(&self, evidence: &Evidence) -> Option<String> {
        evidence.value.seen().map(|value| self.value(evidence.fact, value))
    }

    /// The value of a fact in words; a broken rule by its title.
    fn value(&self, fact: FactId, value: &Value) -> String {
        let rule = value.text().and_then(|name| ViolationRule::ALL.iter().find(|rule| rule.name() == name));
        match rule {
            Some(rule) => self.say_with("punctuation.quoted", &[("text", self.violation(*rule))]),
            None => value_text(fact, value, self.words()),
        }
    }

    /// What a message or close code of an application protocol means, as a fragment.
    #[must_use]
    pub fn means(&self, means: &Meaning) -> String {
        let known = if means.is_own { None } else { self.words().meaning(&means.key) };
        known.map_or_else(|| printable(&means.key), str::to_owned)
    }

    /// The words of a fact.
    #[must_use]
    pub fn fact_words(&self, fact: FactId) -> Option<&FactWords> {
        self.words().fact(fact)
    }

    /// What to do about it, if that is known.
    #[must_use]
    pub fn advice(&self, means: &Meaning) -> Option<String> {
        let advice = means.advice.as_deref()?;
        Some(self.words().advice(advice).map_or_else(|| printable(advice), str::to_owned))
    }

    /// What capture would settle whether an alternative holds; `None` when it holds already.
    #[must_use]
    pub fn settled_by(&self, candidate: &Candidate) -> Option<String> {
        let mut ways: Vec<&str> = candidate.undecided.iter().map(|(_, why)| self.words().settled_by(*why)).collect();
        ways.dedup();
        (!ways.is_empty()).then(|| ways.join(" "))
    }

    /// What would refute a diagnosis, each as a fragment; nothing refutes one that is certain.
    pub fn refutations<'a>(&'a self, diagnosis: &'a Diagnosis) -> impl Iterator<Item = &'a str> {
        diagnosis.refuted_by.iter().map(|key| self.words().refutation(key).unwrap_or(key))
    }

    /// A limit of the capture as a sentence without its end.
    #[must_use]
    pub fn limit(&self, limit: &CaptureLimit) -> String {
        match limit.side {
            Some(side) => self.say_with(&format!("sight.{}", limit.why.name()), &[("side", self.word(side.name()))]),
            None => self.words().why(limit.why).to_owned(),
        }
    }

    /// What capture would lift a limit.
    #[must_use]
    pub fn lifted_by(&self, limit: &CaptureLimit) -> &str {
        self.words().settled_by(limit.why)
    }

    /// The sentence of a fix by its key, as it is where nothing is known about the connection.
    #[must_use]
    pub fn fix_text(&self, id: &str) -> String {
        self.fix_for(id, &Facts::all(&Known::Absent))
    }

    /// What a rule says of a connection, with the facts it speaks of named in braces.
    #[must_use]
    pub fn pattern(&self, rule: &RuleId) -> String {
        self.words().rule(rule.as_str()).map(|words| words.cause.to_string()).unwrap_or_default()
    }

    /// The title of a broken rule.
    #[must_use]
    pub fn violation(&self, rule: ViolationRule) -> &'static str {
        text::find(self.language, &format!("violations.{}.title", rule.name())).unwrap_or(rule.name())
    }

    /// The word for a fixed value, such as a side or a party.
    #[must_use]
    pub fn word<'a>(&'a self, name: &'a str) -> &'a str {
        self.words().value(name)
    }

    /// A whole number with the separators of the language.
    #[must_use]
    pub fn number(&self, value: u64) -> String {
        let digits = value.to_string();
        let separator = &self.words().numbers().thousands;
        let mut out = String::with_capacity(digits.len() * 2);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                out.push_str(separator);
            }
            out.push(digit);
        }
        out
    }

    /// A number with one digit behind the decimal sign of the language.
    #[must_use]
    pub fn tenths(&self, value: f64) -> String {
        format!("{value:.1}").replace('.', &self.words().numbers().decimal)
    }

    /// Seconds with as many digits as tell something, and the decimal sign of the language.
    #[must_use]
    pub fn seconds(&self, value: f64) -> String {
        let digits = if value.abs() < 10.0 { 3 } else { 1 };
        format!("{value:.digits$}").replace('.', &self.words().numbers().decimal)
    }

    /// A time that passed, with its unit: `3 ms`, `2.5 s`, `30 s`.
    #[must_use]
    pub fn span(&self, seconds: f64) -> String {
        let (value, unit) = if seconds.abs() < 1.0 { (seconds * 1e3, "ms") } else { (seconds, "s") };
        let digits = if value.abs() < 0.1 { 3 } else { usize::from(value.abs() < 100.0) };
        let text = format!("{value:.digits$}");
        let text = text.strip_suffix(".0").unwrap_or(&text).replace('.', &self.words().numbers().decimal);
        format!("{text} {unit}")
    }
}

/// A sentence may begin with a word that was put in, such as a side, and those are lower case.
fn capitalised(sentence: &str, language: Language) -> String {
    let mut chars = sentence.chars();
    match chars.next() {
        // The dot stays in Turkish.
        Some('i') if language == Language::Tr => format!("İ{}", chars.as_str()),
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_with_a_capital_of_their_language() {
        assert_eq!(capitalised("istemci kapattı", Language::Tr), "İstemci kapattı");
        assert_eq!(capitalised("in time", Language::En), "In time");
        assert_eq!(capitalised("1009 答复", Language::Zh), "1009 答复");
        assert_eq!(capitalised("", Language::Fr), "");
    }
}
