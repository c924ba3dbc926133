//! What `explain`, `compare` and `codes` say, as content without a layout.
//!
//! A page is a list of sections, a section a heading with paragraphs, a numbered list or labelled values. How wide a
//! line is, and what is bold, is for the renderer to decide. Every word comes from [`super::text`].

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Serialize;

use super::applications;
use super::codes::{CodeEntry, CodeTable, Span};
use super::language::Language;
use super::text::{fill, find, text};
use super::violations::{Violation, ViolationTable};
use crate::application::{Applications, Detail, Meaning, Protocol};

/// What a section is about, whatever its heading says in the reader's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// What it means.
    Description,
    /// Who sends it, whether it travels, and other fixed properties.
    Properties,
    /// In which situations it appears.
    WhenSeen,
    /// What it means in application protocols that define it.
    Applications,
    /// What to change.
    HowToFix,
    /// What in a capture proves it.
    Proof,
    /// Which violations are answered with the code.
    Violations,
    /// In what the two codes of a comparison differ.
    KeyDifferences,
    /// When the author of a program should choose it.
    WhenToUse,
    /// References and further commands.
    LearnMore,
}

impl Topic {
    /// Key of the heading among the texts.
    fn heading_key(self) -> &'static str {
        match self {
            Self::Description => "codes.heading.description",
            Self::Properties => "codes.heading.properties",
            Self::WhenSeen => "codes.heading.when_seen",
            Self::Applications => "codes.heading.applications",
            Self::HowToFix => "codes.heading.how_to_fix",
            Self::Proof => "codes.heading.proof",
            Self::Violations => "codes.heading.violations",
            Self::KeyDifferences => "codes.heading.key_differences",
            Self::WhenToUse => "codes.heading.when_to_use",
            Self::LearnMore => "codes.heading.learn_more",
        }
    }
}

/// A heading and what stands under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// What the section is about.
    pub topic: Topic,
    /// The heading in the language of the page.
    pub heading: &'static str,
    /// What stands under the heading.
    pub body: Body,
}

/// The content of a section; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Text, one paragraph after the other.
    Paragraphs(Vec<String>),
    /// Points, counted from 1.
    Numbered(Vec<String>),
    /// Labelled values.
    Properties(Vec<Property>),
}

impl Body {
    /// The texts in reading order; of a labelled value both the label and the value.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Paragraphs(texts) | Self::Numbered(texts) => texts.iter().map(String::as_str).collect(),
            Self::Properties(properties) => {
                properties.iter().flat_map(|property| [&*property.label, property.value.as_str()]).collect()
            }
        }
    }
}

/// A labelled value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Property {
    /// What the value is.
    pub label: Cow<'static, str>,
    /// The value.
    pub value: String,
}

/// All about one close code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodePage {
    /// The code asked for; its entry may be that of a range.
    pub code: u16,
    /// Language of the texts.
    pub language: Language,
    /// Code and name.
    pub title: String,
    /// The page from top to bottom.
    pub sections: Vec<Section>,
}

/// Two close codes side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComparePage {
    /// The codes, in the order asked for.
    pub codes: [u16; 2],
    /// Language of the texts.
    pub language: Language,
    /// What the page belongs to.
    pub category: &'static str,
    /// Codes and names.
    pub title: String,
    /// A paragraph that introduces both.
    pub intro: String,
    /// About the first code.
    pub first: Vec<Section>,
    /// About the second code: the same topics in the same order.
    pub second: Vec<Section>,
    /// About both: differences, when to use which, where to read more.
    pub both: Vec<Section>,
}

impl ComparePage {
    /// All sections in reading order.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        self.first.iter().chain(&self.second).chain(&self.both)
    }
}

/// All about one violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViolationPage {
    /// Name as in the output.
    pub name: &'static str,
    /// Language of the texts.
    pub language: Language,
    /// Title and name.
    pub title: String,
    /// The page from top to bottom.
    pub sections: Vec<Section>,
}

/// All about one application protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApplicationPage {
    /// Title and name.
    pub title: String,
    /// The page from top to bottom.
    pub sections: Vec<Section>,
}

/// One line of the list of codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeRow {
    /// The facts that hold in every language.
    #[serde(flatten)]
    pub entry: &'static CodeEntry,
    /// The meaning in a few words.
    pub title: &'static str,
    /// The meaning in a sentence or two.
    pub description: &'static str,
}

/// Explains a close code; every number has an answer.
pub fn explain(code: u16, language: Language) -> CodePage {
    explain_with(code, language, applications::builtin(), None)
}

/// The same with these application protocols, or with only one of them.
pub fn explain_with(code: u16, language: Language, applications: &Applications, only: Option<&str>) -> CodePage {
    let about = About::code(code, language);
    let mut sections = about.sections();
    sections.insert(1, section(Topic::Properties, language, Body::Properties(about.properties())));
    sections.extend(applications_of(code, language, applications, only));
    sections.push(about.proof());
    sections.extend(about.violations());
    sections.push(Section {
        topic: Topic::WhenToUse,
        heading: text(language, "codes.heading.choose"),
        body: Body::Paragraphs(vec![about.text(CodeText::Choose).to_owned()]),
    });
    let further = about.related().map(|other| {
        let command = format!("wsdissect compare {} {}", about.code, other.code);
        fill(
            text(language, "codes.page.compare_with"),
            &[("code", &other.code), ("name", other.name()), ("command", &command)],
        )
    });
    let lines = about.references().chain(further).collect();
    sections.push(section(Topic::LearnMore, language, Body::Paragraphs(lines)));
    CodePage { code, language, title: about.fill("codes.page.code_title"), sections }
}

/// What a code means to its user and in the application protocols that define it; most codes have none.
fn applications_of(code: u16, language: Language, applications: &Applications, only: Option<&str>) -> Option<Section> {
    let own = applications.own_meaning(only, Some(code), "").map(|meaning| Property {
        label: text(language, "applications.page.own").into(),
        value: meaning_line(meaning, language),
    });
    let of_protocol = |protocol: &Protocol| {
        let meaning = protocol.close_meaning(code)?;
        Some(Property { label: protocol.title.to_string().into(), value: meaning_line(meaning, language) })
    };
    let wanted = applications.all().filter(|protocol| only.is_none_or(|name| *protocol.name == *name));
    let meanings: Vec<_> = own.into_iter().chain(wanted.filter_map(of_protocol)).collect();
    (!meanings.is_empty()).then(|| section(Topic::Applications, language, Body::Properties(meanings)))
}

/// What a meaning is, in words; a user's own as it was written.
pub fn means(meaning: &Meaning, language: Language) -> String {
    let known = if meaning.is_own { None } else { find(language, &format!("applications.means.{}", meaning.key)) };
    known.unwrap_or(&meaning.key).to_owned()
}

/// A meaning with whether to connect again and what to do.
fn meaning_line(meaning: &Meaning, language: Language) -> String {
    let mut line = means(meaning, language);
    if let Some(retry) = meaning.retry {
        let words = text(language, &format!("applications.retry.{}", retry.name()));
        line.push_str(&fill(text(language, "applications.page.retry"), &[("retry", words)]));
    }
    if let Some(advice) = meaning.advice.as_deref() {
        let words = find(language, &format!("applications.advice.{advice}")).unwrap_or(advice);
        line.push_str(&fill(text(language, "applications.page.advice"), &[("advice", words)]));
    }
    line
}

/// A code, or the first and last of several.
pub fn range_text(codes: &RangeInclusive<u16>) -> String {
    if codes.start() == codes.end() { codes.start().to_string() } else { format!("{}-{}", codes.start(), codes.end()) }
}

/// An application protocol: how it is recognised, and what its codes and messages mean.
pub fn explain_application(protocol: &Protocol, language: Language) -> ApplicationPage {
    let label = |key: &str| text(language, &format!("applications.page.{key}"));
    let known_by: Vec<Property> = [
        ("subprotocols", protocol.subprotocols.join(", ")),
        ("paths", protocol.paths.iter().map(|path| path.ends.to_string()).collect::<Vec<_>>().join(", ")),
        ("hosts", protocol.hosts.join(", ")),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| Property { label: label(key).into(), value })
    .collect();
    let mut sections = Vec::new();
    if !known_by.is_empty() {
        sections.push(section(Topic::Properties, language, Body::Properties(known_by)));
    }
    let codes = protocol.close.iter().map(|close| (format!("Close {}", range_text(&close.codes)), &close.means));
    let messages = protocol.says.iter().map(|said| {
        let kind = protocol.kinds.iter().find(|(raw, _)| *raw == said.kind).map_or(&said.kind, |(_, name)| name);
        let detail = match &said.detail {
            Some(Detail::Codes(codes)) if codes.start() == codes.end() => format!(" {}", codes.start()),
            Some(Detail::Codes(codes)) => format!(" {}-{}", codes.start(), codes.end()),
            Some(Detail::Word(word)) => format!(" {word}"),
            None => String::new(),
        };
        (format!("{kind}{detail}"), &said.means)
    });
    let property = |(label, meaning): (String, &Arc<Meaning>)| Property {
        label: label.into(),
        value: meaning_line(meaning, language),
    };
    let meanings: Vec<Property> = codes.chain(messages).map(property).collect();
    if !meanings.is_empty() {
        sections.push(section(Topic::Description, language, Body::Properties(meanings)));
    }
    ApplicationPage { title: format!("{} ({})", protocol.title, protocol.name), sections }
}

/// Sets two close codes side by side.
pub fn compare(a: u16, b: u16, language: Language) -> ComparePage {
    let (first, second) = (About::code(a, language), About::code(b, language));
    let both = |key| fill_both(text(language, key), &first, &second, &[]);
    let each = [&first, &second];

    let uses = each.map(|about| about.fill("codes.page.use")).to_vec();
    let mut references: Vec<String> = Vec::new();
    for reference in each.into_iter().flat_map(About::references) {
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    references.extend(each.map(|about| {
        let command = format!("wsdissect explain {}", about.code);
        fill(text(language, "codes.page.explain"), &[("code", &about.code), ("command", &command)])
    }));

    ComparePage {
        codes: [a, b],
        language,
        category: text(language, "codes.page.category"),
        title: both("codes.page.compare_title"),
        intro: both("codes.page.intro"),
        first: first.sections(),
        second: second.sections(),
        both: vec![
            section(Topic::KeyDifferences, language, Body::Numbered(differences(&first, &second))),
            section(Topic::WhenToUse, language, Body::Paragraphs(uses)),
            section(Topic::LearnMore, language, Body::Paragraphs(references)),
        ],
    }
}

/// Explains a violation by its name in the output; `None` when there is none of that name.
pub fn explain_violation(name: &str, language: Language) -> Option<ViolationPage> {
    let violation = ViolationTable::builtin().find(name)?;
    let word = |which| violation_text(violation, which, language);
    let answer = match violation.suggested_code {
        Some(code) => About::code(code, language).fill("codes.page.suggested"),
        None => text(language, "codes.page.no_suggested").to_owned(),
    };
    let mut further = vec![fill(text(language, "codes.page.reference"), &[("source", violation.reference.as_str())])];
    if let Some(code) = violation.suggested_code.map(|code| code.to_string()) {
        let command = format!("wsdissect explain {code}");
        further.push(fill(text(language, "codes.page.explain"), &[("code", &code), ("command", &command)]));
    }
    Some(ViolationPage {
        name: &violation.name,
        language,
        title: fill(
            text(language, "codes.page.violation_title"),
            &[("title", word(ViolationText::Title)), ("name", &violation.name)],
        ),
        sections: vec![
            section(
                Topic::Description,
                language,
                Body::Paragraphs(vec![word(ViolationText::Description).to_owned(), answer]),
            ),
            section(Topic::HowToFix, language, Body::Paragraphs(vec![word(ViolationText::Fix).to_owned()])),
            section(Topic::LearnMore, language, Body::Paragraphs(further)),
        ],
    })
}

/// The list of all codes and ranges, in order of their first code.
pub fn codes(language: Language) -> Vec<CodeRow> {
    CodeTable::builtin()
        .entries()
        .iter()
        .map(|entry| CodeRow {
            entry,
            title: code_text(entry, CodeText::Title, language),
            description: code_text(entry, CodeText::Description, language),
        })
        .collect()
}

/// Which of the texts of a close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeText {
    /// The meaning in a few words.
    Title,
    /// What it means.
    Description,
    /// In which situations it appears.
    When,
    /// What to change.
    Fix,
    /// What in a capture proves it.
    Proof,
    /// When the author of a program should choose it.
    Choose,
}

/// One of the texts of a close code or range.
pub fn code_text(entry: &CodeEntry, which: CodeText, language: Language) -> &'static str {
    let field = match which {
        CodeText::Title => "title",
        CodeText::Description => "description",
        CodeText::When => "when",
        CodeText::Fix => "fix",
        CodeText::Proof => "proof",
        CodeText::Choose => "choose",
    };
    text(language, &format!("codes.{}.{field}", entry.key()))
}

/// Which of the texts of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViolationText {
    /// The violation in a few words.
    Title,
    /// What the peer did.
    Description,
    /// What to change.
    Fix,
}

/// One of the texts of a violation.
pub fn violation_text(violation: &Violation, which: ViolationText, language: Language) -> &'static str {
    let field = match which {
        ViolationText::Title => "title",
        ViolationText::Description => "description",
        ViolationText::Fix => "fix",
    };
    text(language, &format!("violations.{}.{field}", violation.name))
}

/// A code together with what the texts need to speak of it.
struct About {
    /// The number asked for, as it is printed.
    code: String,
    entry: &'static CodeEntry,
    language: Language,
}

impl About {
    fn code(code: u16, language: Language) -> Self {
        Self { code: code.to_string(), entry: CodeTable::builtin().lookup(code), language }
    }

    fn name(&self) -> &'static str {
        &self.entry.name
    }

    fn text(&self, which: CodeText) -> &'static str {
        code_text(self.entry, which, self.language)
    }

    /// The template of this key, about this code.
    fn fill(&self, key: &str) -> String {
        let values = [
            ("code", self.code.as_str()),
            ("name", self.name()),
            ("description", self.text(CodeText::Description)),
            ("when", self.text(CodeText::When)),
            ("choose", self.text(CodeText::Choose)),
            ("fix", self.text(CodeText::Fix)),
        ];
        fill(text(self.language, key), &values)
    }

    /// Description, when you see it, how to fix it.
    fn sections(&self) -> Vec<Section> {
        let mut description = vec![self.text(CodeText::Description).to_owned()];
        description.extend(self.note().map(str::to_owned));
        if !self.entry.verified {
            description.push(text(self.language, "codes.page.unverified").to_owned());
        }
        let one = |which| Body::Paragraphs(vec![self.text(which).to_owned()]);
        vec![
            section(Topic::Description, self.language, Body::Paragraphs(description)),
            section(Topic::WhenSeen, self.language, one(CodeText::When)),
            section(Topic::HowToFix, self.language, one(CodeText::Fix)),
        ]
    }

    fn proof(&self) -> Section {
        let filter = fill(text(self.language, "codes.page.filter"), &[("filter", self.entry.filter.as_str())]);
        section(Topic::Proof, self.language, Body::Paragraphs(vec![self.text(CodeText::Proof).to_owned(), filter]))
    }

    /// The violations to which an endpoint may answer with this code; most codes have none.
    fn violations(&self) -> Option<Section> {
        let answered: Vec<_> = ViolationTable::builtin()
            .entries()
            .filter(|violation| violation.suggested_code.is_some_and(|code| self.entry.span == Span::One(code)))
            .map(|violation| Property {
                label: violation.name.as_str().into(),
                value: violation_text(violation, ViolationText::Title, self.language).to_owned(),
            })
            .collect();
        let body = Body::Properties(answered);
        (!body.texts().is_empty()).then(|| section(Topic::Violations, self.language, body))
    }

    /// A refinement of the description, which not every code has.
    fn note(&self) -> Option<&'static str> {
        find(self.language, &format!("codes.{}.note", self.entry.key()))
    }

    /// The fixed properties in words, by the name of the property.
    fn traits(&self) -> [(&'static str, &'static str); 6] {
        let entry = self.entry;
        let close_frame = if entry.close_frame { "yes" } else { "no" };
        [
            ("sent_by", entry.sent_by.word()),
            ("wire", entry.wire.word()),
            ("close_frame", close_frame),
            ("registered", entry.registered.word()),
            ("reconnect", entry.reconnect.word()),
            ("acts", entry.acts.word()),
        ]
        .map(|(property, word)| (property, text(self.language, &format!("codes.{property}.{word}"))))
    }

    fn properties(&self) -> Vec<Property> {
        let label = |property: &str| text(self.language, &format!("codes.property.{property}"));
        let mut properties =
            vec![Property { label: label("title").into(), value: self.text(CodeText::Title).to_owned() }];
        if !self.entry.aliases.is_empty() {
            properties.push(Property { label: label("aliases").into(), value: self.entry.aliases.join(", ") });
        }
        properties.extend(
            self.traits().map(|(property, value)| Property { label: label(property).into(), value: value.to_owned() }),
        );
        properties
    }

    fn references(&self) -> impl Iterator<Item = String> {
        let template = text(self.language, "codes.page.reference");
        self.entry.references.iter().map(move |reference| fill(template, &[("source", reference.as_str())]))
    }

    /// The codes with which this one is most easily confused.
    fn related(&self) -> impl Iterator<Item = About> {
        CodeTable::builtin().entries().iter().filter_map(|entry| match entry.span {
            Span::One(code) => {
                let other = About::code(code, self.language);
                confusion(self, &other).map(|_| other)
            }
            Span::Range { .. } => None,
        })
    }
}

/// What to say about exactly these two codes, in either order.
fn confusion(a: &About, b: &About) -> Option<&'static str> {
    let (low, high) = if a.entry.span <= b.entry.span { (a, b) } else { (b, a) };
    find(a.language, &format!("codes.pair.{}-{}", low.entry.key(), high.entry.key()))
}

/// What tells this very pair apart, the meaning and the occasion of each, then every property in which they differ.
fn differences(a: &About, b: &About) -> Vec<String> {
    let language = a.language;
    if a.entry.span == b.entry.span {
        let key = if a.code == b.code { "codes.page.same_code" } else { "codes.page.same_range" };
        let range = a.entry.span.to_string();
        return vec![fill_both(text(language, key), a, b, &[("range", &range)])];
    }
    let mut points: Vec<String> = confusion(a, b).into_iter().map(str::to_owned).collect();
    for key in ["codes.page.meaning", "codes.page.seen"] {
        points.extend([a.fill(key), b.fill(key)]);
    }

    let before = points.len();
    for ((property, a_value), (_, b_value)) in a.traits().into_iter().zip(b.traits()) {
        if a_value != b_value {
            let label = text(language, &format!("codes.property.{property}"));
            let values = [("property", label), ("a_value", a_value), ("b_value", b_value)];
            points.push(fill_both(text(language, "codes.page.difference"), a, b, &values));
        }
    }
    if points.len() == before {
        points.push(text(language, "codes.page.alike").to_owned());
    }
    points
}

/// Fills a template that speaks of two codes.
fn fill_both(template: &str, a: &About, b: &About, more: &[(&str, &str)]) -> String {
    let mut values = vec![
        ("a", a.code.as_str()),
        ("a_name", a.name()),
        ("a_description", a.text(CodeText::Description)),
        ("b", b.code.as_str()),
        ("b_name", b.name()),
        ("b_description", b.text(CodeText::Description)),
    ];
    values.extend_from_slice(more);
    fill(template, &values)
}

fn section(topic: Topic, language: Language, body: Body) -> Section {
    Section { topic, heading: text(language, topic.heading_key()), body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A page as plain lines, the way the published comparison pages are laid out.
    fn plain(page: &ComparePage) -> String {
        let mut lines = vec![page.category.to_owned(), page.title.clone(), page.intro.clone()];
        for section in page.sections() {
            lines.push(section.heading.to_owned());
            match &section.body {
                Body::Paragraphs(texts) => lines.extend(texts.iter().cloned()),
                Body::Numbered(points) => {
                    for (index, point) in points.iter().enumerate() {
                        lines.push(format!("{}.", index + 1));
                        lines.push(point.clone());
                    }
                }
                Body::Properties(_) => lines.extend(section.body.texts().into_iter().map(str::to_owned)),
            }
        }
        lines.join("\n\n")
    }

    fn single_codes() -> Vec<u16> {
        CodeTable::builtin()
            .entries()
            .iter()
            .filter_map(|entry| match entry.span {
                Span::One(code) => Some(code),
                Span::Range { .. } => None,
            })
            .collect()
    }

    /// Codes, title and the nine headings after the introduction, copied by hand from the published pages.
    #[test]
    fn comparisons_have_the_titles_and_headings_of_the_published_pages() {
        type Headings = [&'static str; 6];
        const ZH: Headings = ["描述", "何时出现", "如何修复", "主要区别", "何时使用哪个", "了解更多"];
        const DE: Headings = [
            "Beschreibung",
            "Wann Sie es sehen",
            "Wie man es behebt",
            "Wesentliche Unterschiede",
            "Wann welchen verwenden",
            "Mehr erfahren",
        ];
        const TR: Headings = [
            "Açıklama",
            "Gördüğünüzde",
            "Nasıl Düzeltilir",
            "Temel Farklar",
            "Hangisini Ne Zaman Kullanmalı",
            "Daha Fazla Öğren",
        ];
        const FR: Headings = [
            "Description",
            "Quand vous le voyez",
            "Comment résoudre",
            "Différences clés",
            "Quand utiliser lequel",
            "En savoir plus",
        ];
        const EN: Headings =
            ["Description", "When You See It", "How to Fix", "Key Differences", "When to Use Which", "Learn More"];
        for (a, b, language, title, headings) in [
            (1003, 1015, Language::Zh, "WebSocket 1003 Unsupported Data vs 1015 TLS Handshake Failure", ZH),
            (1010, 1015, Language::De, "WebSocket 1010 Mandatory Extension vs 1015 TLS Handshake Failure", DE),
            (1000, 1015, Language::Tr, "WebSocket 1000 Normal Closure vs 1015 TLS Handshake Failure", TR),
            (1000, 1003, Language::Fr, "WebSocket 1000 Normal Closure vs 1003 Unsupported Data", FR),
            (1003, 1007, Language::Zh, "WebSocket 1003 Unsupported Data vs 1007 Invalid Payload Data", ZH),
            (1003, 1007, Language::En, "WebSocket 1003 Unsupported Data vs 1007 Invalid Payload Data", EN),
        ] {
            let page = compare(a, b, language);
            assert_eq!(page.category, "WebSocket");
            assert_eq!(page.title, title);
            let [description, when, fix, differences, which, more] = headings;
            let expected = [description, when, fix, description, when, fix, differences, which, more];
            let found: Vec<_> = page.sections().map(|section| section.heading).collect();
            assert_eq!(found, expected, "{language}");
        }
    }

    /// What the published pages say about their five codes, each item by a word that only that item needs.
    #[test]
    fn every_item_of_the_published_pages_is_said() {
        for (code, topic, items) in [
            (1000, Topic::Description, &["good order", "opened for", "Both endpoints agree"][..]),
            (1000, Topic::WhenSeen, &["Both sides have exchanged", "to expect", "successful session"]),
            (1000, Topic::HowToFix, &["Nothing", "close()", "too soon"]),
            (1003, Topic::Description, &["type of data", "cannot accept", "binary message", "the other way round"]),
            (1003, Topic::WhenSeen, &["only text", "expects binary", "does not know how to process"]),
            (1003, Topic::HowToFix, &["what the receiver expects", "opcode"]),
            (1007, Topic::Description, &["does not match its type", "not valid UTF-8"]),
            (1007, Topic::WhenSeen, &["opcode 1", "by accident"]),
            (1007, Topic::HowToFix, &["only valid UTF-8", "raw bytes as a binary message"]),
            (1010, Topic::Description, &["The client ends", "one or more extensions", "handshake response"]),
            (1010, Topic::WhenSeen, &["permessage-deflate compression", "did not include it in its response"]),
            (1010, Topic::HowToFix, &["on the server", "optional in the client", "Sec-WebSocket-Extensions"]),
            (1015, Topic::Description, &["TLS handshake failed", "reserved value", "never put into a Close frame"]),
            (1015, Topic::WhenSeen, &["wss://", "expired certificate", "untrusted CA", "TLS version"]),
            (1015, Topic::HowToFix, &["not expired", "1.2 or newer", "intermediate certificates"]),
        ] {
            let page = explain(code, Language::En);
            let section = page.sections.iter().find(|section| section.topic == topic).unwrap();
            let said = section.body.texts().join(" ");
            for item in items {
                assert!(said.contains(item), "{code} {topic:?}: {item:?} not in {said:?}");
            }
        }
    }

    #[test]
    fn every_comparison_is_whole_in_every_language() {
        for language in Language::all() {
            for a in single_codes() {
                for b in single_codes() {
                    let page = compare(a, b, language);
                    assert_eq!(page.sections().count(), 9);
                    for section in page.sections() {
                        let texts = section.body.texts();
                        assert!(!texts.is_empty() && texts.iter().all(|text| !text.is_empty()), "{language} {a} {b}");
                    }
                    let all = plain(&page);
                    assert!(!all.contains(['{', '}']), "{language} {a} {b}: {all}");
                }
            }
        }
    }

    #[test]
    fn every_code_and_violation_has_a_whole_page_in_every_language() {
        let ends = CodeTable::builtin().entries().iter().flat_map(|entry| [entry.span.first(), entry.span.last()]);
        for code in ends {
            for language in Language::all() {
                let page = explain(code, language);
                let answers_violations = matches!(code, 1002 | 1007);
                let defined_by_applications = matches!(code, 3000 | 3003 | 3008 | 3999 | 4000);
                let more = usize::from(answers_violations) + usize::from(defined_by_applications);
                assert_eq!(page.sections.len(), 7 + more, "{code}");
                for text in page.sections.iter().flat_map(|section| section.body.texts()) {
                    assert!(!text.is_empty() && !text.contains(['{', '}']), "{language} {code}: {text}");
                }
            }
        }
        for violation in ViolationTable::builtin().entries() {
            for language in Language::all() {
                let page = explain_violation(&violation.name, language).unwrap();
                assert!(page.title.contains(&violation.name));
                for text in page.sections.iter().flat_map(|section| section.body.texts()) {
                    assert!(!text.is_empty() && !text.contains(['{', '}']), "{language}: {text}");
                }
            }
        }
        assert!(explain_violation("no_such_violation", Language::En).is_none());
    }

    /// Only terms, commands and references may be common to two languages, never a whole sentence.
    #[test]
    fn no_english_sentence_is_left_in_another_language() {
        let sentences = |language| -> BTreeSet<String> {
            single_codes()
                .into_iter()
                .flat_map(|code| explain(code, language).sections)
                .filter(|section| !matches!(section.topic, Topic::LearnMore | Topic::Properties))
                .flat_map(|section| section.body.texts().into_iter().map(str::to_owned).collect::<Vec<_>>())
                .flat_map(|text| text.split(". ").map(str::to_owned).collect::<Vec<_>>())
                .filter(|sentence| sentence.contains(' ') && sentence.split(' ').count() > 5)
                .collect()
        };
        let english = sentences(Language::En);
        assert!(english.len() > 100);
        for language in Language::all().filter(|language| *language != Language::En) {
            let left: Vec<_> = sentences(language).intersection(&english).cloned().collect();
            assert!(left.is_empty(), "{language}: {left:#?}");
        }
    }

    #[test]
    fn every_text_belongs_to_an_entry_and_every_property_value_has_words() {
        use super::super::codes::{Acts, Reconnect, Registration, SentBy, Wire};
        let words = [
            ("sent_by", SentBy::ALL.iter().map(|value| value.word()).collect::<Vec<_>>()),
            ("wire", Wire::ALL.iter().map(|value| value.word()).collect()),
            ("registered", Registration::ALL.iter().map(|value| value.word()).collect()),
            ("reconnect", Reconnect::ALL.iter().map(|value| value.word()).collect()),
            ("acts", Acts::ALL.iter().map(|value| value.word()).collect()),
        ];
        for (property, words) in words {
            for word in words {
                assert!(find(Language::En, &format!("codes.{property}.{word}")).is_some(), "{property} {word}");
            }
        }

        let texts: toml::Table = toml::from_str(include_str!("text/en/codes.toml")).unwrap();
        let entries: BTreeSet<_> = CodeTable::builtin().entries().iter().map(CodeEntry::key).collect();
        let described: BTreeSet<_> =
            texts.keys().filter(|key| key.starts_with(|c: char| c.is_ascii_digit())).cloned().collect();
        assert_eq!(entries, described);
        for pair in texts["pair"].as_table().unwrap().keys() {
            let (a, b) = pair.split_once('-').unwrap();
            let (a, b): (u16, u16) = (a.parse().unwrap(), b.parse().unwrap());
            assert!(a < b && single_codes().contains(&a) && single_codes().contains(&b), "{pair}");
        }

        let violations: toml::Table = toml::from_str(include_str!("text/en/violations.toml")).unwrap();
        let listed: BTreeSet<_> = ViolationTable::builtin().entries().map(|entry| entry.name.clone()).collect();
        assert_eq!(listed, violations.keys().cloned().collect());
    }

    #[test]
    fn differences_name_what_differs_and_only_that() {
        let points = differences(&About::code(1003, Language::En), &About::code(1015, Language::En));
        let expected = "Who may send it: 1003 – client and server; 1015 – nobody.";
        assert!(points.iter().any(|point| point == expected), "{points:#?}");
        assert!(points.iter().any(|point| point.starts_with("In a Close frame: 1003 – may travel;")));

        let points = differences(&About::code(1002, Language::En), &About::code(1003, Language::En));
        assert_eq!(points.len(), 5, "four about the codes, one that nothing else differs: {points:#?}");
        let points = differences(&About::code(1007, Language::En), &About::code(1003, Language::En));
        assert!(points[0].contains("bytes sent with the wrong opcode"), "either order finds the pair: {points:#?}");
    }

    #[test]
    fn codes_of_one_range_and_the_same_code_twice_are_answered_plainly() {
        let points = differences(&About::code(4001, Language::En), &About::code(4002, Language::En));
        assert_eq!(points.len(), 1);
        assert!(points[0].starts_with("4001 and 4002 both lie in the range 4000–4999."));
        let points = differences(&About::code(1000, Language::En), &About::code(1000, Language::En));
        assert_eq!(points, ["1000 and 1000 are the same code."]);
    }

    #[test]
    fn the_list_has_a_row_for_every_entry() {
        let rows = codes(Language::Tr);
        assert_eq!(rows.len(), CodeTable::builtin().entries().len());
        let row = serde_json::to_value(&rows[1]).unwrap();
        assert_eq!((row["code"].as_u64(), row["name"].as_str()), (Some(1000), Some("Normal Closure")));
    }

    /// For the translator's eye: `cargo test comparison_to_read -- --ignored --nocapture`.
    #[test]
    #[ignore = "prints pages to be read by a person"]
    fn comparison_to_read() {
        for language in Language::all() {
            println!("{}\n", plain(&compare(1003, 1015, language)));
        }
    }
}
