//! The table of WebSocket libraries: how each is recognised, its limits and timers, and how its settings are written.
//!
//! The table is read into the types of [`crate::software`], which does the comparing. Every mistake is told with file, line
//! and column.

use super::rules::LoadError;
use super::source::{Placed, Source, packed};
use crate::software::{
    Echo, EndStyle, FieldOrder, Grade, Habits, HandlerError, Head, IdleHabit, LimitHabit, PingHabit, ReasonPattern,
    Said, Snippet, Stack, Stacks, Telling,
};
use crate::units::PerSide;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

/// The table that is compiled in.
pub fn builtin() -> &'static Arc<Stacks> {
    static TABLE: LazyLock<Arc<Stacks>> = LazyLock::new(|| {
        Arc::new(read(packed!("data", "stacks")).expect("the embedded libraries are valid: a unit test loads them"))
    });
    &TABLE
}

/// Reads and checks a table.
///
/// # Errors
/// The first mistake: TOML that does not fit, a name that is malformed or doubled, an entry by which nothing can be
/// recognised, a pattern that fits everything, a setting with a value of the wrong kind.
pub fn parse(file: &str, toml: &str) -> Result<Stacks, LoadError> {
    read(Source::toml(file, toml))
}

fn read(source: Source<'_>) -> Result<Stacks, LoadError> {
    let raw: RawFile = source.read()?;
    let at = |span, message: String| source.error(span, message);
    let mut names = HashSet::new();
    let mut stacks = Vec::new();
    for raw in raw.stack {
        let name = raw.name.clone();
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        if name.get_ref().is_empty() || !name.get_ref().bytes().all(is_name) {
            return Err(at(name.span(), "a name is lowercase-with-dashes".to_owned()));
        }
        if !names.insert(name.get_ref().clone()) {
            return Err(at(name.span(), format!("`{}` is listed twice", name.get_ref())));
        }
        stacks.push(raw.read().map_err(|wrong| at(wrong.span.unwrap_or_else(|| name.span()), wrong.message))?);
    }
    let mut stated = Vec::new();
    for written in raw.stated_limits {
        let like = reason(&written).map_err(|wrong| at(written.span(), wrong.message))?;
        if !like.names_limit() {
            return Err(at(written.span(), "this names no `{limit}`".to_owned()));
        }
        stated.push(like);
    }
    Ok(Stacks::new(stacks, stated))
}

/// A mistake, and where, if not in the whole entry.
struct Wrong {
    span: Option<std::ops::Range<usize>>,
    message: String,
}

impl Wrong {
    fn entry(message: &str) -> Self {
        Self { span: None, message: message.to_owned() }
    }

    fn in_value<T>(value: &Placed<T>, message: impl Into<String>) -> Self {
        Self { span: Some(value.span()), message: message.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    stated_limits: Vec<Placed<String>>,
    stack: Vec<RawStack>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStack {
    name: Placed<String>,
    title: Box<str>,
    language: Box<str>,
    grade: Placed<String>,
    version: Option<Box<str>>,
    source: Placed<String>,
    client: Option<RawHabits>,
    server: Option<RawHabits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHabits {
    #[serde(default)]
    named: Vec<Box<str>>,
    #[serde(default)]
    name_is_borrowed: bool,
    #[serde(default)]
    fields: Vec<Box<str>>,
    #[serde(default)]
    heads: Vec<RawHead>,
    #[serde(default)]
    reasons: Vec<RawReason>,
    echo: Option<RawEcho>,
    #[serde(default)]
    applications: Vec<Box<str>>,
    ping: Option<RawPing>,
    idle: Option<RawIdle>,
    close_wait_s: Option<f64>,
    limit: Option<RawLimit>,
    exception: Option<Placed<String>>,
    shutdown_code: Option<u16>,
    keepalive: Option<Placed<String>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum RawTelling {
    Shared,
    Few,
    Unique,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    order: Placed<String>,
    telling: RawTelling,
    phrase: Option<Box<str>>,
    upgrade: Option<Box<str>>,
    connection: Option<Box<str>>,
    extensions: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReason {
    like: Placed<String>,
    code: Option<u16>,
    telling: RawTelling,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawEcho {
    CodeAndReason,
    Code,
    Normal,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawEnd {
    Code(u16),
    Word(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPing {
    bytes: Option<u64>,
    every_s: Option<f64>,
    timeout_s: Option<f64>,
    #[serde(default)]
    ends: Vec<Placed<RawEnd>>,
    write: Option<Placed<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdle {
    after_s: f64,
    ends: Placed<RawEnd>,
    write: Option<Placed<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    bytes: Option<u64>,
    #[serde(default)]
    ends: Vec<Placed<RawEnd>>,
    write: Option<Placed<String>>,
}

impl RawStack {
    fn read(self) -> Result<Stack, Wrong> {
        if self.source.get_ref().trim().is_empty() {
            return Err(Wrong::in_value(&self.source, "an entry needs a source"));
        }
        if self.client.is_none() && self.server.is_none() {
            return Err(Wrong::entry("neither a client nor a server"));
        }
        let habits = |raw: Option<RawHabits>| raw.map(RawHabits::read).transpose();
        Ok(Stack {
            grade: grade(&self.grade)?,
            habits: PerSide { client: habits(self.client)?, server: habits(self.server)? },
            name: self.name.into_inner().into(),
            title: self.title,
            language: self.language,
            version: self.version,
            source: self.source.into_inner().into(),
        })
    }
}

impl RawHabits {
    fn read(self) -> Result<Habits, Wrong> {
        let habits = Habits {
            heads: self.heads.into_iter().map(RawHead::read).collect::<Result<_, _>>()?,
            reasons: self.reasons.into_iter().map(RawReason::read).collect::<Result<_, _>>()?,
            echo: self.echo.map(RawEcho::read),
            ping: self.ping.map(RawPing::read).transpose()?,
            idle: self.idle.map(RawIdle::read).transpose()?,
            limit: self.limit.map(RawLimit::read).transpose()?,
            exception: self.exception.as_ref().map(handler_error).transpose()?,
            keepalive: snippet(self.keepalive, false)?,
            named: self.named,
            name_is_borrowed: self.name_is_borrowed,
            fields: self.fields,
            applications: self.applications,
            close_wait_s: self.close_wait_s,
            shutdown_code: self.shutdown_code,
        };
        let is_blank = habits.named.iter().chain(&habits.fields).any(|name| name.len() < 3);
        let tells_nothing =
            habits.named.is_empty() && habits.fields.is_empty() && habits.heads.is_empty() && habits.reasons.is_empty();
        if is_blank || (tells_nothing && habits.idle.is_none()) {
            return Err(Wrong::entry("an entry by which nothing can be recognised"));
        }
        if habits.name_is_borrowed && habits.heads.is_empty() {
            return Err(Wrong::entry("a borrowed name needs the order of the fields beside it"));
        }
        Ok(habits)
    }
}

impl RawTelling {
    fn read(self) -> Telling {
        match self {
            Self::Shared => Telling::Shared,
            Self::Few => Telling::Few,
            Self::Unique => Telling::Unique,
        }
    }
}

impl RawHead {
    fn read(self) -> Result<Head, Wrong> {
        let order = FieldOrder::parse(self.order.get_ref());
        Ok(Head {
            order: order.ok_or_else(|| Wrong::in_value(&self.order, "field names, separated by commas, are needed"))?,
            telling: self.telling.read(),
            phrase: self.phrase,
            upgrade: self.upgrade,
            connection: self.connection,
            extensions: self.extensions,
        })
    }
}

impl RawReason {
    fn read(self) -> Result<Said, Wrong> {
        Ok(Said { like: reason(&self.like)?, code: self.code, telling: self.telling.read() })
    }
}

impl RawEcho {
    fn read(self) -> Echo {
        match self {
            Self::CodeAndReason => Echo::CodeAndReason,
            Self::Code => Echo::Code,
            Self::Normal => Echo::Normal,
        }
    }
}

impl RawPing {
    fn read(self) -> Result<PingHabit, Wrong> {
        Ok(PingHabit {
            bytes: self.bytes,
            every_s: self.every_s,
            timeout_s: self.timeout_s,
            ends: ends(&self.ends)?,
            write: snippet(self.write, false)?,
        })
    }
}

impl RawIdle {
    fn read(self) -> Result<IdleHabit, Wrong> {
        Ok(IdleHabit { after_s: self.after_s, ends: end(&self.ends)?, write: snippet(self.write, false)? })
    }
}

impl RawLimit {
    fn read(self) -> Result<LimitHabit, Wrong> {
        Ok(LimitHabit { bytes: self.bytes, ends: ends(&self.ends)?, write: snippet(self.write, true)? })
    }
}

fn reason(written: &Placed<String>) -> Result<ReasonPattern, Wrong> {
    let pattern = ReasonPattern::parse(written.get_ref());
    pattern.ok_or_else(|| Wrong::in_value(written, "this fits anything, or has another place than {n}, {limit} and *"))
}

fn grade(written: &Placed<String>) -> Result<Grade, Wrong> {
    Ok(match &**written.get_ref() {
        "M" => Grade::Measured,
        "S" => Grade::Source,
        "D" => Grade::Documented,
        "d" => Grade::Secondary,
        "K" => Grade::Known,
        _ => return Err(Wrong::in_value(written, "a grade is one of M, S, D, d, K")),
    })
}

fn handler_error(written: &Placed<String>) -> Result<HandlerError, Wrong> {
    let wrong = || Wrong::in_value(written, format!("one of: {}", HandlerError::NAMES.join(", ")));
    HandlerError::by_name(written.get_ref()).ok_or_else(wrong)
}

fn ends(written: &[Placed<RawEnd>]) -> Result<Vec<EndStyle>, Wrong> {
    written.iter().map(end).collect()
}

fn end(written: &Placed<RawEnd>) -> Result<EndStyle, Wrong> {
    match written.get_ref() {
        RawEnd::Code(code) => Ok(EndStyle::Code(*code)),
        RawEnd::Word(word) if word == "empty" => Ok(EndStyle::Empty),
        RawEnd::Word(word) if word == "fin" => Ok(EndStyle::Fin),
        RawEnd::Word(word) if word == "rst" => Ok(EndStyle::Rst),
        RawEnd::Word(_) => Err(Wrong::in_value(written, "a close code, or one of empty, fin, rst")),
    }
}

fn snippet(written: Option<Placed<String>>, of_size: bool) -> Result<Option<Snippet>, Wrong> {
    let Some(written) = written else { return Ok(None) };
    let snippet = Snippet::new(written.get_ref().as_str().into());
    match snippet.filter(|snippet| snippet.takes(of_size)) {
        Some(snippet) => Ok(Some(snippet)),
        None => Err(Wrong::in_value(&written, "a setting with places for a size, or for a time, as the case is")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "stated_limits = []\n[[stack]]\nname = \"a\"\ntitle = \"A\"\nlanguage = \"C\"\ngrade = \"M\"\n\
                         source = \"measured\"\n[stack.server]\nnamed = [\"a/b/c\"]\n";

    #[test]
    fn the_embedded_table_loads() {
        assert!(builtin().all().count() > 30);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert!(parse("x.toml", LEAST).is_ok());
        let told = |from: &str, to: &str| parse("x.toml", &LEAST.replace(from, to)).unwrap_err();
        let place = |error: &LoadError| (error.line, error.column);
        assert_eq!(place(&told("\"M\"", "\"X\"")), (6, 9));
        assert_eq!(place(&told("\"a\"", "\"A b\"")), (3, 8));
        assert_eq!(place(&told("\"measured\"", "\" \"")), (7, 10));
        assert_eq!(place(&told("named", "nmed")), (9, 1));
        assert_eq!(place(&told("named = [\"a/b/c\"]", "reasons = [{ like = \"*\", telling = \"few\" }]")), (9, 21));
        assert_eq!(place(&told("named", "keepalive = \"x {bytes}\"\nnamed")), (9, 13));
        assert_eq!(place(&told("[]", "[\"no number\"]")), (1, 18));
    }
}
