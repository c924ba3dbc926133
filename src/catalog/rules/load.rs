//! From TOML tables to a checked [`RuleSet`]. Every mistake is told with file, line and column.

use super::condition::{self, Condition};
use super::index::{self, Positions};
use super::refutations;
use super::words::{OwnWords, RuleWords, Template};
use super::{Cause, Confidence, Example, Firmer, Outcome, Role, Rule, RuleFix, RuleId, RuleSet};
use crate::evidence::{FactId, Known, Value, WhyUnknown};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;

/// A mistake in a table or text, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct LoadError {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl LoadError {
    /// A mistake at a byte range of `text`.
    pub(in crate::catalog) fn at(file: &str, text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: file.to_owned(),
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        }
    }

    /// A mistake that the TOML reader found.
    pub(in crate::catalog) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        Self::at(file, text, error.span().unwrap_or(0..0), error.message())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<RuleTable>,
}

type Given = BTreeMap<Spanned<String>, Spanned<toml::Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    id: Spanned<String>,
    extends: Option<Spanned<String>>,
    #[serde(default)]
    refines: Vec<Spanned<String>>,
    when: Spanned<Given>,
    cause: Spanned<String>,
    party: Spanned<String>,
    confidence: Spanned<String>,
    /// In a user's catalog, where words stand beside the rule.
    title: Option<Spanned<String>>,
    explanation: Option<Spanned<String>>,
    firmer: Option<Spanned<FirmerTable>>,
    #[serde(default)]
    fix: Vec<FixTable>,
    #[serde(default)]
    refuted_by: Vec<Spanned<String>>,
    #[serde(default)]
    references: Vec<String>,
    source: Option<String>,
    #[serde(default)]
    example: Vec<Spanned<ExampleTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirmerTable {
    when: Given,
    confidence: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixTable {
    who: Spanned<String>,
    id: Option<Spanned<String>>,
    text: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleTable {
    expect: Spanned<String>,
    given: Option<Given>,
    but: Option<Given>,
    #[serde(default)]
    firmer: bool,
}

/// A rule whose own table is read, with what is needed to join it to the others.
struct Draft {
    rule: Rule,
    /// Directly more specific than these, with the place that says so.
    parents: Vec<(String, Range<usize>)>,
    examples: Vec<DraftExample>,
    source: usize,
    id_span: Range<usize>,
}

/// An example as written: what differs from the example it is based on.
struct DraftExample {
    expect: Outcome,
    line: usize,
    firmer: bool,
    changes: Vec<(FactId, Known<Value>)>,
}

/// Loads rules; those of the files from `own_from` on are a user's.
pub(super) fn load(files: &[(&str, &str)], own_from: usize) -> Result<RuleSet, LoadError> {
    let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
    for (index, (file, text)) in files.iter().enumerate() {
        let parsed: File = toml::from_str(text).map_err(|error| LoadError::toml(file, text, &error))?;
        let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
        let reader = Reader { file, text, line_ends, index, is_own: index >= own_from };
        for table in parsed.rule {
            let draft = reader.rule(table)?;
            let id = draft.rule.id.as_str().to_owned();
            if drafts.contains_key(&id) {
                return Err(reader.error(draft.id_span, format!("rule `{id}` is there twice")));
            }
            drafts.insert(id, draft);
        }
    }
    join(files, drafts)
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    line_ends: Vec<usize>,
    index: usize,
    /// The file is a user's.
    is_own: bool,
}

impl Reader<'_> {
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> LoadError {
        LoadError::at(self.file, self.text, span, message)
    }

    fn rule(&self, table: RuleTable) -> Result<Draft, LoadError> {
        let id_span = table.id.span();
        let id = self.id(&table.id)?;
        let conditions = self.conditions(table.when.get_ref())?;
        let extends = table.extends.as_ref().map(|parent| RuleId(parent.get_ref().as_str().into()));
        let parents = table.refines.iter().chain(&table.extends);
        let parents = parents.map(|parent| (parent.get_ref().clone(), parent.span())).collect();
        let (mut fixes, mut own_fixes) = (Vec::new(), Vec::new());
        for fix in &table.fix {
            let who = self.word(&fix.who, Role::by_name, Role::ALL)?;
            if matches!(who, Role::None | Role::Unknown) {
                return Err(self.error(fix.who.span(), "a fix is for someone: `either` when anyone can"));
            }
            let id = match (&fix.id, &fix.text) {
                (Some(id), None) => self.id(id)?,
                (None, Some(text)) if self.is_own => {
                    let id: Arc<str> = format!("{}-fix-{}", table.id.get_ref(), fixes.len() + 1).into();
                    own_fixes.push((Arc::clone(&id), self.template(text)?));
                    id
                }
                _ => return Err(self.error(fix.who.span(), "a fix has an `id` or, in your own catalog, a `text`")),
            };
            fixes.push(RuleFix { who, id });
        }
        let own = self.own_words(&table, own_fixes)?;
        let rule = Rule {
            id: RuleId(id),
            file: self.file.into(),
            extends,
            conditions,
            cause: self.word(&table.cause, Cause::by_name, Cause::ALL)?,
            party: self.word(&table.party, Role::by_name, Role::ALL)?,
            firmer: self.firmer(&table)?,
            confidence: self.word(&table.confidence, Confidence::by_name, Confidence::ALL)?,
            fixes,
            refuted_by: table.refuted_by.iter().map(|key| self.id(key)).collect::<Result<_, _>>()?,
            references: table.references.iter().map(|reference| reference.as_str().into()).collect(),
            source: table.source.as_deref().unwrap_or(if self.is_own { self.file } else { "" }).into(),
            own,
            examples: Vec::new(),
            index: 0,
            ancestors: Positions::none(0),
        };
        let examples = self.examples(&table.example)?;
        if matches!(rule.party, Role::Either) {
            return Err(self.error(table.party.span(), "`either` is for fixes only"));
        }
        Ok(Draft { rule, parents, examples, source: self.index, id_span })
    }

    /// The words of a user's rule, which stand beside it.
    fn own_words(
        &self,
        table: &RuleTable,
        fixes: Vec<(Arc<str>, Template)>,
    ) -> Result<Option<Arc<OwnWords>>, LoadError> {
        match (&table.title, &table.explanation) {
            (Some(title), Some(explanation)) if self.is_own => {
                let (title, cause) = (title.get_ref().clone(), self.template(explanation)?);
                Ok(Some(Arc::new(OwnWords { rule: RuleWords { title, cause }, fixes })))
            }
            (None, None) if !self.is_own => Ok(None),
            _ if self.is_own => {
                Err(self.error(table.id.span(), "a rule of your own catalog needs a `title` and an `explanation`"))
            }
            _ => Err(self.error(table.id.span(), "the words of this rule are in the texts of each language")),
        }
    }

    fn template(&self, text: &Spanned<String>) -> Result<Template, LoadError> {
        Template::parse(text.get_ref()).map_err(|message| self.error(text.span(), message))
    }

    fn conditions(&self, given: &Given) -> Result<Vec<Condition>, LoadError> {
        let mut conditions = Vec::new();
        for (name, toml) in given {
            let fact = condition::fact(name.get_ref()).map_err(|message| self.error(name.span(), message))?;
            let parsed = Condition::parse(fact, toml.get_ref());
            conditions.extend(parsed.map_err(|message| self.error(toml.span(), message))?);
        }
        Ok(conditions)
    }

    fn firmer(&self, table: &RuleTable) -> Result<Option<Firmer>, LoadError> {
        let Some(spanned) = &table.firmer else { return Ok(None) };
        let firmer = spanned.get_ref();
        let confidence = self.word(&firmer.confidence, Confidence::by_name, Confidence::ALL)?;
        if confidence <= self.word(&table.confidence, Confidence::by_name, Confidence::ALL)? {
            return Err(self.error(firmer.confidence.span(), "`firmer` must be surer than the rule itself"));
        }
        if firmer.when.is_empty() {
            return Err(self.error(spanned.span(), "`firmer` has no conditions"));
        }
        Ok(Some(Firmer { conditions: self.conditions(&firmer.when)?, confidence }))
    }

    fn id(&self, id: &Spanned<String>) -> Result<Arc<str>, LoadError> {
        let text = id.get_ref().as_str();
        let words = text.split('-');
        let good = words.into_iter().all(|word| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
        match good {
            true => Ok(text.into()),
            false => Err(self.error(id.span(), format!("`{text}` is no id: lowercase words with dashes between"))),
        }
    }

    fn word<T: Copy + std::fmt::Display>(
        &self,
        word: &Spanned<String>,
        by_name: fn(&str) -> Option<T>,
        all: &[T],
    ) -> Result<T, LoadError> {
        by_name(word.get_ref()).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(ToString::to_string).collect();
            self.error(word.span(), format!("unknown word `{}`; one of: {}", word.get_ref(), names.join(", ")))
        })
    }

    fn examples(&self, tables: &[Spanned<ExampleTable>]) -> Result<Vec<DraftExample>, LoadError> {
        let mut examples: Vec<DraftExample> = Vec::new();
        for spanned in tables {
            let table = spanned.get_ref();
            let expect = self.word(&table.expect, Outcome::by_name, Outcome::ALL)?;
            let given = match (&table.given, &table.but) {
                (Some(given), None) if examples.is_empty() && expect == Outcome::Fires => given,
                (None, Some(but)) if !examples.is_empty() => but,
                _ => {
                    let message = "the first example has `given` and fires, the others have `but`";
                    return Err(self.error(spanned.span(), message));
                }
            };
            let mut changes = Vec::new();
            for (name, toml) in given {
                let fact = condition::fact(name.get_ref()).map_err(|message| self.error(name.span(), message))?;
                let value = match toml.get_ref().as_str() {
                    Some("absent") => Known::Absent,
                    Some("unknown") => Known::Unknown(WhyUnknown::NotCaptured),
                    _ => Known::Seen(
                        condition::value(fact, toml.get_ref()).map_err(|message| self.error(toml.span(), message))?,
                    ),
                };
                changes.push((fact, value));
            }
            let line = self.line_ends.partition_point(|end| *end < spanned.span().start) + 1;
            examples.push(DraftExample { expect, line, firmer: table.firmer, changes });
        }
        Ok(examples)
    }
}

/// The first example of each rule in `chain`, from the most general one down, one behind the other.
fn first_example<'a>(chain: impl DoubleEndedIterator<Item = &'a Draft>) -> Vec<(FactId, Known<Value>)> {
    let examples = chain.rev().filter_map(|draft| draft.examples.first());
    examples.flat_map(|example| example.changes.iter().cloned()).collect()
}

/// What a rule has once the rules above it are known.
struct Joined {
    ancestors: BTreeSet<String>,
    conditions: Vec<Condition>,
    refuted_by: Arc<[Arc<str>]>,
    references: Arc<[Arc<str>]>,
    source: Arc<str>,
    firmer: Option<Firmer>,
    examples: Vec<Example>,
}

/// Resolves `extends` and `refines`, and checks the set as a whole.
fn join(files: &[(&str, &str)], mut drafts: BTreeMap<String, Draft>) -> Result<RuleSet, LoadError> {
    let error = |draft: &Draft, span: &Range<usize>, message: String| {
        let (file, text) = files[draft.source];
        LoadError::at(file, text, span.clone(), message)
    };
    let roots: Vec<&Draft> =
        drafts.values().filter(|draft| draft.rule.conditions.is_empty() && draft.rule.extends.is_none()).collect();
    let catch_all = match roots.as_slice() {
        [root] => root.rule.id.as_str().to_owned(),
        [] => {
            let (file, text) = files.first().copied().unwrap_or(("", ""));
            return Err(LoadError::at(file, text, 0..0, "no rule without conditions: one must catch all the rest"));
        }
        [_, second, ..] => {
            let message = format!("`{}` has no conditions, but only one rule may catch all", second.rule.id);
            return Err(error(second, &second.id_span, message));
        }
    };
    for draft in drafts.values() {
        for (parent, span) in &draft.parents {
            if !drafts.contains_key(parent) {
                return Err(error(draft, span, format!("there is no rule `{parent}`")));
            }
        }
        if draft.rule.id.as_str() == catch_all && !draft.parents.is_empty() {
            return Err(error(draft, &draft.id_span, "the rule that catches all refines nothing".to_owned()));
        }
    }

    let ids: Vec<String> = drafts.keys().cloned().collect();
    let mut joined: BTreeMap<String, Joined> = BTreeMap::new();
    for id in &ids {
        let draft = &drafts[id];
        let mut ancestors = BTreeSet::new();
        let mut open: Vec<&str> = draft.parents.iter().map(|(parent, _)| parent.as_str()).collect();
        while let Some(next) = open.pop() {
            if next == id {
                return Err(error(draft, &draft.id_span, format!("`{id}` refines itself, in a circle")));
            }
            if ancestors.insert(next.to_owned()) {
                open.extend(drafts[next].parents.iter().map(|(parent, _)| parent.as_str()));
            }
        }
        if *id != catch_all {
            ancestors.insert(catch_all.clone());
        }
        if draft.rule.own.is_some() {
            // Whoever writes a rule knows the application better than any that comes with the program.
            ancestors.extend(
                drafts.values().filter(|other| other.rule.own.is_none()).map(|other| other.rule.id.to_string()),
            );
        }
        // This rule is in no circle, but one further up must end the walk as well: hence the bound.
        let up = |draft: &&Draft| draft.rule.extends.as_ref().and_then(|parent| drafts.get(parent.as_str()));
        let chain: Vec<&Draft> = std::iter::successors(Some(draft), up).take(ids.len()).collect();
        let first = first_example(chain.iter().copied());
        let example = |(at, written): (usize, &DraftExample)| {
            let mut given = first.clone();
            if at > 0 {
                given.extend(written.changes.iter().cloned());
            }
            Example { given, expect: written.expect, line: written.line, firmer: written.firmer }
        };
        let above = |pick: fn(&Draft) -> bool| chain.iter().copied().find(|draft| pick(draft)).unwrap_or(draft);
        let same_cause = chain.iter().take_while(|above| above.rule.cause == draft.rule.cause);
        let refuted_by = same_cause.map(|draft| &draft.rule.refuted_by).find(|keys| !keys.is_empty());
        // What makes a cause and a party surer makes a finer case of the same surer.
        let same_verdict = chain
            .iter()
            .take_while(|above| (above.rule.cause, above.rule.party) == (draft.rule.cause, draft.rule.party));
        let firmer = same_verdict.filter_map(|above| above.rule.firmer.as_ref()).next();
        let own = Joined {
            ancestors,
            firmer: firmer.filter(|firmer| firmer.confidence > draft.rule.confidence).cloned(),
            refuted_by: refuted_by.cloned().unwrap_or_else(|| refutations::of(draft.rule.cause).into()),
            conditions: chain.iter().flat_map(|draft| draft.rule.conditions.iter().cloned()).collect(),
            references: above(|draft| !draft.rule.references.is_empty()).rule.references.clone(),
            source: above(|draft| !draft.rule.source.is_empty()).rule.source.clone(),
            examples: draft.examples.iter().enumerate().map(example).collect(),
        };
        if own.source.is_empty() {
            return Err(error(draft, &draft.id_span, format!("`{id}` has no `source`, nor has a rule it extends")));
        }
        joined.insert(id.clone(), own);
    }
    for (index, (id, own)) in joined.into_iter().enumerate() {
        let mut ancestors = Positions::none(ids.len());
        own.ancestors
            .iter()
            .filter_map(|above| ids.binary_search(above).ok())
            .for_each(|above| ancestors.insert(above));
        if let Some(draft) = drafts.get_mut(&id) {
            draft.rule.index = index;
            draft.rule.ancestors = ancestors;
            draft.rule.conditions = own.conditions;
            draft.rule.refuted_by = own.refuted_by;
            draft.rule.references = own.references;
            draft.rule.source = own.source;
            draft.rule.firmer = own.firmer;
            draft.rule.examples = own.examples;
        }
    }
    let rules: Vec<Rule> = drafts.into_values().map(|draft| draft.rule).collect();
    let catch_all = rules.iter().position(|rule| rule.id.as_str() == catch_all).unwrap_or(0);
    let questions = index::questions(&rules);
    Ok(RuleSet { rules, catch_all, questions })
}
