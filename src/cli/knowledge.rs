//! The knowledge behind the diagnoses, printed: `explain`, `compare`, and the tables `codes`, `rules`, `facts`, `stacks`,
//! `devices`, `schema`.

use super::args::{Command, KnowledgeArgs, ListArgs, ListFormat};
use super::catalog;
use super::{ExitStatus, Failure};
use crate::catalog::applications::Applications;
use crate::catalog::knowledge::Knowledge;
use crate::catalog::language::Language;
use crate::catalog::page::{self, Body, Section};
use crate::catalog::rules::{Rule, RuleSet};
use crate::catalog::text;
use crate::evidence::{FACTS, FactId, FactType};
use crate::report::layout::wrap;
use crate::report::{Speaker, schema};
use anstyle::Style;
use serde::Serialize;
use std::io::Write;
use std::sync::Arc;

pub(super) const STRONG: Style = Style::new().bold();

pub(super) fn run(
    command: &Command,
    known: &KnowledgeArgs,
    language: Language,
    width: usize,
    out: &mut impl Write,
) -> Result<ExitStatus, Failure> {
    let knowledge = catalog::knowledge(known)?;
    let mut page = Page { out: String::new(), width };
    match command {
        Command::Explain { what, app } => explain(&mut page, what, app.as_deref(), &knowledge, language)?,
        Command::Compare { first, second } => {
            let compared = page::compare(*first, *second, language);
            page.title(&compared.title);
            page.paragraph(&compared.intro);
            for (code, sections) in compared.codes.iter().zip([&compared.first, &compared.second]) {
                page.heading(&page::explain(*code, language).title);
                sections.iter().for_each(|section| page.section(section));
            }
            compared.both.iter().for_each(|section| page.section(section));
        }
        Command::Codes(list) => codes(&mut page, list, &knowledge.tables.applications, language)?,
        Command::Rules(list) => rules(&mut page, list, &knowledge.rules, language)?,
        Command::Facts(list) => facts(&mut page, list)?,
        Command::Stacks(list) => super::stacks::list(&mut page, list)?,
        Command::Devices(list) => super::devices::list(&mut page, list)?,
        Command::Schema => page.out.push_str(schema::TEXT),
    }
    out.write_all(page.out.as_bytes())?;
    Ok(ExitStatus::Analysed)
}

/// A page of text under construction.
pub(super) struct Page {
    pub(super) out: String,
    pub(super) width: usize,
}

impl Page {
    fn title(&mut self, title: &str) {
        self.out.push_str(&format!("{STRONG}{title}{STRONG:#}\n"));
    }

    fn paragraph(&mut self, text: &str) {
        self.out.push('\n');
        wrap(&mut self.out, text, 0, 0, self.width);
    }

    fn item(&mut self, mark: &str, text: &str) {
        let indent = 2 + mark.chars().count() + 1;
        self.out.push_str(&format!("  {mark} "));
        wrap(&mut self.out, text, indent, indent, self.width);
    }

    fn heading(&mut self, heading: &str) {
        self.out.push('\n');
        self.title(heading);
    }

    fn section(&mut self, section: &Section) {
        self.heading(section.heading);
        match &section.body {
            Body::Paragraphs(texts) => {
                for text in texts {
                    self.out.push_str("  ");
                    wrap(&mut self.out, text, 2, 2, self.width);
                }
            }
            Body::Numbered(texts) => {
                for (index, text) in texts.iter().enumerate() {
                    self.item(&format!("{}.", index + 1), text);
                }
            }
            Body::Properties(properties) => {
                for property in properties {
                    self.item("-", &format!("{}: {}", property.label, property.value));
                }
            }
        }
    }

    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
        self.out.push_str(&text);
        self.out.push('\n');
        Ok(())
    }
}

fn explain(
    page: &mut Page,
    what: &str,
    app: Option<&str>,
    knowledge: &Knowledge,
    language: Language,
) -> Result<(), Failure> {
    let applications = &knowledge.tables.applications;
    let application = |name: &str| applications.all().find(|protocol| *protocol.name == *name);
    if let Some(name) = app
        && application(name).is_none()
    {
        return Err(Failure::Usage(format!("no application protocol is called `{name}`")));
    }
    if let Ok(code) = what.parse::<u16>() {
        let explained = page::explain_with(code, language, applications, app);
        page.title(&explained.title);
        explained.sections.iter().for_each(|section| page.section(section));
        return Ok(());
    }
    if let Some(protocol) = application(what) {
        let explained = page::explain_application(protocol, language);
        page.title(&explained.title);
        explained.sections.iter().for_each(|section| page.section(section));
        return Ok(());
    }
    if let Some(explained) = page::explain_violation(what, language) {
        page.title(&explained.title);
        explained.sections.iter().for_each(|section| page.section(section));
        return Ok(());
    }
    if let Some(rule) = knowledge.rules.by_id(what) {
        explain_rule(page, rule, &Speaker::new(language).with_rules(&knowledge.rules));
        return Ok(());
    }
    if let Some(fact) = FactId::by_name(what) {
        explain_fact(page, fact, &knowledge.rules, language);
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "`{what}` is neither a close code (0 to 65535) nor a rule, a violation, a fact or an application; \
         `wsdissect codes`, `wsdissect rules` and `wsdissect facts` list them"
    )))
}

/// A fact: its sentences, its values, and the rules that ask for it.
fn explain_fact(page: &mut Page, fact: FactId, rules: &RuleSet, language: Language) {
    let speaker = Speaker::new(language);
    let label = |key: &str| text::text(language, &format!("report.rule.{key}"));
    let Some(words) = speaker.fact_words(fact) else { return };
    page.title(&format!("{} ({})", words.label, fact.name()));
    page.paragraph(&words.seen.replace("{value}", "…"));
    page.paragraph(&words.absent);
    if let FactType::Enum(values) = fact.ty() {
        page.out.push('\n');
        for value in values {
            page.item("-", &format!("{value}: {}", speaker.word(value)));
        }
    }
    let asking: Vec<_> = rules
        .iter()
        .filter(|rule| {
            rule.conditions.iter().any(|condition| condition.fact == fact || condition.other_fact() == Some(fact))
        })
        .map(|rule| rule.id.as_str())
        .collect();
    if !asking.is_empty() {
        page.heading(label("conditions"));
        page.item("-", &asking.join(", "));
    }
}

fn explain_rule(page: &mut Page, rule: &Rule, speaker: &Speaker) {
    let language = speaker.language;
    let label = |key: &str| text::text(language, &format!("report.rule.{key}"));
    page.title(&format!("{} ({})", speaker.title(&rule.id), rule.id.as_str()));
    page.paragraph(&speaker.pattern(&rule.id));
    page.heading(label("properties"));
    page.item("-", &format!("{}: {}", label("cause"), rule.cause.name()));
    page.item("-", &format!("{}: {}", label("party"), speaker.word(rule.party.name())));
    let confidence = speaker.say(&format!("confidence.{}", rule.confidence.name()));
    page.item("-", &format!("{}: {confidence}", label("confidence")));
    page.heading(label("conditions"));
    for condition in &rule.conditions {
        page.item("-", &condition.to_string());
    }
    if let Some(firmer) = &rule.firmer {
        let confidence = speaker.say(&format!("confidence.{}", firmer.confidence.name()));
        page.heading(&label("firmer").replace("{confidence}", confidence));
        for condition in &firmer.conditions {
            page.item("-", &condition.to_string());
        }
    }
    page.heading(text::text(language, "codes.heading.how_to_fix"));
    for fix in &rule.fixes {
        page.item("-", &format!("{}: {}", speaker.word(fix.who.name()), speaker.fix_text(&fix.id)));
    }
    page.heading(text::text(language, "codes.heading.learn_more"));
    for reference in rule.references.iter() {
        page.item("-", reference);
    }
    page.item("-", &format!("{}: {}", label("source"), rule.source));
}

fn codes(page: &mut Page, list: &ListArgs, applications: &Applications, language: Language) -> Result<(), Failure> {
    let rows = page::codes(language);
    if list.format == ListFormat::Json {
        return page.json(&rows);
    }
    for row in rows {
        let name = format!("{:>11}  {STRONG}{}{STRONG:#}\n", row.entry.key(), row.entry.name);
        page.out.push_str(&name);
        page.out.push_str("             ");
        wrap(&mut page.out, row.description, 13, 13, page.width);
    }
    // What a user added.
    for own in applications.own() {
        let codes = own.codes.as_ref().map_or_else(String::new, page::range_text);
        page.out.push_str(&format!("{codes:>11}  {STRONG}{}{STRONG:#}\n", page::means(&own.means, language)));
    }
    Ok(())
}

#[derive(Serialize)]
struct RuleRow<'a> {
    id: &'a str,
    title: &'a str,
    cause: &'static str,
    party: &'static str,
    confidence: &'static str,
    firmer: Option<FirmerRow>,
    refines: Vec<&'a str>,
    references: Vec<&'a str>,
}

/// Under which further conditions a rule is surer.
#[derive(Serialize)]
struct FirmerRow {
    when: Vec<String>,
    confidence: &'static str,
}

fn rules(page: &mut Page, list: &ListArgs, rules: &Arc<RuleSet>, language: Language) -> Result<(), Failure> {
    let speaker = Speaker::new(language).with_rules(rules);
    if list.format == ListFormat::Json {
        let rows: Vec<_> = rules
            .iter()
            .map(|rule| RuleRow {
                id: rule.id.as_str(),
                title: speaker.title(&rule.id),
                cause: rule.cause.name(),
                party: rule.party.name(),
                confidence: rule.confidence.name(),
                firmer: rule.firmer.as_ref().map(|firmer| FirmerRow {
                    when: firmer.conditions.iter().map(ToString::to_string).collect(),
                    confidence: firmer.confidence.name(),
                }),
                refines: rules
                    .iter()
                    .filter(|other| rule.is_refinement_of(other))
                    .map(|other| other.id.as_str())
                    .collect(),
                references: rule.references.iter().map(|reference| &**reference).collect(),
            })
            .collect();
        return page.json(&rows);
    }
    for rule in rules.iter() {
        page.out.push_str(&format!("{STRONG}{}{STRONG:#}  {}\n    ", rule.id.as_str(), rule.cause.name()));
        wrap(&mut page.out, speaker.title(&rule.id), 4, 4, page.width);
    }
    Ok(())
}

#[derive(Serialize)]
struct FactRow {
    name: &'static str,
    r#type: &'static str,
    values: &'static [&'static str],
    doc: &'static str,
}

fn facts(page: &mut Page, list: &ListArgs) -> Result<(), Failure> {
    let words = |ty: FactType| if let FactType::Enum(words) = ty { words } else { &[] };
    if list.format == ListFormat::Json {
        let row = |fact: &crate::evidence::Fact| FactRow {
            name: fact.name,
            r#type: fact.ty.name(),
            values: words(fact.ty),
            doc: fact.doc,
        };
        return page.json(&FACTS.iter().map(row).collect::<Vec<_>>());
    }
    for fact in FACTS {
        let mut kind = fact.ty.name().to_owned();
        if !words(fact.ty).is_empty() {
            kind = words(fact.ty).join("|");
        }
        page.out.push_str(&format!("{STRONG}{}{STRONG:#}  {kind}\n    ", fact.name));
        wrap(&mut page.out, fact.doc, 4, 4, page.width);
    }
    Ok(())
}
