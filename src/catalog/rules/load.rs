//! From TOML tables to a checked [`RuleSet`]. Every mistake is told with file, line and column.

use super::condition::{self, Condition};
use super::index::{self, Positions};
use super::refutations;
use super::words::{OwnWords, RuleWords, Template};
use super::{Cause, Confidence, Example, Firmer, Outcome, Role, Rule, RuleFix, RuleId, RuleSet};
use crate::catalog::source::{Placed, Source};
use crate::evidence::{FactId, Known, Value, WhyUnknown};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<RuleTable>,
}

type Given = BTreeMap<Placed<String>, Placed<toml::Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    id: Placed<String>,
    extends: Option<Placed<String>>,
    #[serde(default)]
    refines: Vec<Placed<String>>,
    when: Placed<Given>,
    cause: Placed<String>,
    party: Placed<String>,
    confidence: Placed<String>,
    /// In a user's catalog, where words stand beside the rule.
    title: Option<Placed<String>>,
    explanation: Option<Placed<String>>,
    firmer: Option<Placed<FirmerTable>>,
    #[serde(default)]
    fix: Vec<FixTable>,
    #[serde(default)]
    refuted_by: Vec<Placed<String>>,
    #[serde(default)]
    references: Vec<String>,
    source: Option<String>,
    #[serde(default)]
    example: Vec<Placed<ExampleTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirmerTable {
    when: Given,
    confidence: Placed<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixTable {
    who: Placed<String>,
    id: Option<Placed<String>>,
    text: Option<Placed<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleTable {
    expect: Placed<String>,
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

/// Loads rules; those of the sources from `own_from` on are a user's.
pub(super) fn load(sources: &[Source<'_>], own_from: usize) -> Result<RuleSet, LoadError> {
    let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        let parsed: File = source.read()?;
        let line_ends = source.text().match_indices('\n').map(|(at, _)| at).collect();
        let reader = Reader { source: *source, line_ends, index, is_own: index >= own_from };
        for table in parsed.rule {
            let draft = reader.rule(table)?;
            let id = draft.rule.id.as_str().to_owned();
            if drafts.contains_key(&id) {
                return Err(reader.error(draft.id_span, format!("rule `{id}` is there twice")));
            }
            drafts.insert(id, draft);
        }
    }
    join(sources, drafts)
}

struct Reader<'a> {
    source: Source<'a>,
    line_ends: Vec<usize>,
    index: usize,
    /// The file is a user's.
    is_own: bool,
}

impl Reader<'_> {
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> LoadError {
        self.source.error(span, message)
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
            file: self.source.file().into(),
            extends,
            conditions,
            cause: self.word(&table.cause, Cause::by_name, Cause::ALL)?,
            party: self.word(&table.party, Role::by_name, Role::ALL)?,
            firmer: self.firmer(&table)?,
            confidence: self.word(&table.confidence, Confidence::by_name, Confidence::ALL)?,
            fixes,
            refuted_by: table.refuted_by.iter().map(|key| self.id(key)).collect::<Result<_, _>>()?,
            references: table.references.iter().map(|reference| reference.as_str().into()).collect(),
            source: table.source.as_deref().unwrap_or(if self.is_own { self.source.file() } else { "" }).into(),
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

    fn template(&self, text: &Placed<String>) -> Result<Template, LoadError> {
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

    fn id(&self, id: &Placed<String>) -> Result<Arc<str>, LoadError> {
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
        word: &Placed<String>,
        by_name: fn(&str) -> Option<T>,
        all: &[T],
    ) -> Result<T, LoadError> {
        by_name(word.get_ref()).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(ToString::to_string).collect();
            self.error(word.span(), format!("unknown word `{}`; one of: {}", word.get_ref(), names.join(", ")))
        })
    }

    fn examples(&self, tables: &[Placed<ExampleTable>]) -> Result<Vec<DraftExample>, LoadError> {
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

/// Resolves `extends` and `refines`, and checks the set as a whole.
fn join(sources: &[Source<'_>], drafts: BTreeMap<String, Draft>) -> Result<RuleSet, LoadError> {
    let drafts: Vec<Draft> = drafts.into_values().collect();
    let family = Family::new(sources, &drafts)?;
    let joined = (0..drafts.len()).map(|at| family.join(at)).collect::<Result<Vec<_>, _>>()?;
    let catch_all = family.catch_all;
    let rules: Vec<Rule> = drafts.into_iter().zip(joined).map(|(draft, joined)| joined.complete(draft.rule)).collect();
    let questions = index::questions(&rules);
    Ok(RuleSet { rules, catch_all, questions })
}

/// All drafts in the order of their ids, and how they hang together, by their positions.
struct Family<'a> {
    sources: &'a [Source<'a>],
    drafts: &'a [Draft],
    /// Directly more specific than these.
    parents: Vec<Vec<usize>>,
    catch_all: usize,
}

/// What a rule has once the rules above it are known.
struct Joined {
    index: usize,
    ancestors: Positions,
    conditions: Vec<Condition>,
    refuted_by: Arc<[Arc<str>]>,
    references: Arc<[Arc<str>]>,
    source: Arc<str>,
    firmer: Option<Firmer>,
    examples: Vec<Example>,
}

impl<'a> Family<'a> {
    fn new(sources: &'a [Source<'a>], drafts: &'a [Draft]) -> Result<Self, LoadError> {
        let is_root = |at: &usize| drafts[*at].rule.conditions.is_empty() && drafts[*at].rule.extends.is_none();
        let roots: Vec<usize> = (0..drafts.len()).filter(is_root).collect();
        let catch_all = match roots.as_slice() {
            [root] => *root,
            [] => {
                let first = sources.first().copied().unwrap_or(Source::toml("", ""));
                return Err(first.error(0..0, "no rule without conditions: one must catch all the rest"));
            }
            [_, second, ..] => {
                let second = &drafts[*second];
                let message = format!("`{}` has no conditions, but only one rule may catch all", second.rule.id);
                return Err(sources[second.source].error(second.id_span.clone(), message));
            }
        };
        let mut family = Self { sources, drafts, parents: Vec::with_capacity(drafts.len()), catch_all };
        for (at, draft) in drafts.iter().enumerate() {
            let parent = |(parent, span): &(String, Range<usize>)| {
                family.position(parent).ok_or_else(|| family.error(draft, span, format!("there is no rule `{parent}`")))
            };
            let parents = draft.parents.iter().map(parent).collect::<Result<Vec<_>, _>>()?;
            if at == catch_all && !parents.is_empty() {
                let message = "the rule that catches all refines nothing".to_owned();
                return Err(family.error(draft, &draft.id_span, message));
            }
            family.parents.push(parents);
        }
        Ok(family)
    }

    fn error(&self, draft: &Draft, span: &Range<usize>, message: String) -> LoadError {
        self.sources[draft.source].error(span.clone(), message)
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.drafts.binary_search_by(|draft| draft.rule.id.as_str().cmp(id)).ok()
    }

    /// All that a rule is more specific than, directly or through others.
    fn ancestors(&self, at: usize) -> Result<Positions, LoadError> {
        let draft = &self.drafts[at];
        let mut ancestors = Positions::none(self.drafts.len());
        let mut open = self.parents[at].clone();
        while let Some(next) = open.pop() {
            if next == at {
                let message = format!("`{}` refines itself, in a circle", draft.rule.id);
                return Err(self.error(draft, &draft.id_span, message));
            }
            if !ancestors.contains(next) {
                ancestors.insert(next);
                open.extend(&self.parents[next]);
            }
        }
        if at != self.catch_all {
            ancestors.insert(self.catch_all);
        }
        if draft.rule.own.is_some() {
            // Whoever writes a rule knows the application better than any that comes with the program.
            let others = self.drafts.iter().enumerate().filter(|(_, other)| other.rule.own.is_none());
            others.for_each(|(other, _)| ancestors.insert(other));
        }
        Ok(ancestors)
    }

    /// The rule and those whose conditions it shares, from the most specific one up.
    fn chain(&self, at: usize) -> Vec<&'a Draft> {
        // This rule is in no circle, but one further up must end the walk as well: hence the bound.
        let up = |draft: &&'a Draft| {
            let above = draft.rule.extends.as_ref().and_then(|parent| self.position(parent.as_str()));
            above.map(|above| &self.drafts[above])
        };
        std::iter::successors(Some(&self.drafts[at]), up).take(self.drafts.len()).collect()
    }

    fn join(&self, at: usize) -> Result<Joined, LoadError> {
        let ancestors = self.ancestors(at)?;
        let draft = &self.drafts[at];
        let chain = self.chain(at);
        let first = if draft.examples.is_empty() { Vec::new() } else { first_example(chain.iter().copied()) };
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
        let source = &above(|draft| !draft.rule.source.is_empty()).rule.source;
        if source.is_empty() {
            let message = format!("`{}` has no `source`, nor has a rule it extends", draft.rule.id);
            return Err(self.error(draft, &draft.id_span, message));
        }
        Ok(Joined {
            index: at,
            ancestors,
            firmer: firmer.filter(|firmer| firmer.confidence > draft.rule.confidence).cloned(),
            refuted_by: refuted_by.cloned().unwrap_or_else(|| refutations::of(draft.rule.cause)),
            conditions: chain.iter().flat_map(|draft| draft.rule.conditions.iter().cloned()).collect(),
            references: above(|draft| !draft.rule.references.is_empty()).rule.references.clone(),
            source: source.clone(),
            examples: draft.examples.iter().enumerate().map(example).collect(),
        })
    }
}

impl Joined {
    /// The rule with all that it shares.
    fn complete(self, rule: Rule) -> Rule {
        let Self { index, ancestors, conditions, refuted_by, references, source, firmer, examples } = self;
        Rule { index, ancestors, conditions, refuted_by, references, source, firmer, examples, ..rule }
    }
}
