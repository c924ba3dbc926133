//! The table of application protocols: what travels inside WebSocket messages, how it is recognised, what it means.
//!
//! The table is read into the types of [`crate::application`], which does the comparing. The words for what messages and
//! close codes mean are looked up by key in [`super::text`].

use std::collections::{BTreeMap, HashSet};
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, LazyLock};

use super::meanings;
use super::rules::LoadError;
use super::source::{Placed, Source, packed};
pub use crate::application::Applications;
use crate::application::{
    Announcement, CloseMeaning, Detail, Form, Item, Meaning, OwnMeaning, PathPattern, Protocol, ReasonTest, Shape, Test,
};
use crate::units::Side;
use serde::Deserialize;

/// The table that is compiled in.
pub fn builtin() -> &'static Arc<Applications> {
    static TABLE: LazyLock<Arc<Applications>> = LazyLock::new(|| Arc::new(Applications::new(builtin_protocols())));
    &TABLE
}

/// Its protocols.
pub(super) fn builtin_protocols() -> Vec<Protocol> {
    read(packed!("data", "applications"), Author::Program, &[])
        .expect("the embedded applications are valid: a unit test loads them")
}

/// Who wrote a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// It comes with the program: every meaning is a key, and sources are named.
    Program,
    /// The user: a meaning may be written out, in the user's language.
    User,
}

/// Reads and checks the `[[application]]` tables of a file. `known` are the protocols that they may refine.
///
/// # Errors
///
/// The first mistake, with file, line and column.
pub fn parse(file: &str, toml: &str, author: Author, known: &[Protocol]) -> Result<Vec<Protocol>, LoadError> {
    read(Source::toml(file, toml), author, known)
}

fn read(source: Source<'_>, author: Author, known: &[Protocol]) -> Result<Vec<Protocol>, LoadError> {
    let read: RawFile = source.read()?;
    let mut names: HashSet<Box<str>> = known.iter().map(|protocol| protocol.name.clone()).collect();
    let mut protocols = Vec::new();
    for raw in read.application {
        let place = raw.name.span();
        let wrong = |Wrong { what, at }: Wrong| {
            let message = if at.is_some() { what } else { format!("application `{}` {what}", raw.name.get_ref()) };
            source.error(at.unwrap_or(place.clone()), message)
        };
        let name = raw.name.get_ref().as_str();
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(wrong("has a name that is not lowercase-with-dashes".into()));
        }
        if !names.insert(name.into()) {
            return Err(wrong("is listed twice".into()));
        }
        if raw.source.trim().is_empty() && author == Author::Program {
            return Err(wrong("has no source".into()));
        }
        if raw.refines.as_ref().is_some_and(|other| !names.contains(other.as_str())) {
            return Err(wrong("refines one that is not listed before".into()));
        }
        protocols.push(raw.clone().read(author).map_err(wrong)?);
    }
    Ok(protocols)
}

/// Reads and checks what a user wrote down of Close frames: the tables `[[code]]` and `[[reason]]` of a file.
///
/// # Errors
///
/// The first mistake, with file, line and column.
pub fn parse_own(file: &str, toml: &str) -> Result<Vec<OwnMeaning>, LoadError> {
    let source = Source::toml(file, toml);
    let read: RawOwnFile = source.read()?;
    let mut own = Vec::new();
    // A reason says more than a code.
    for raw in read.reason.into_iter().chain(read.code) {
        let place = raw.span();
        let wrong = |Wrong { what, at }: Wrong| source.error(at.unwrap_or(place.clone()), what);
        own.push(raw.into_inner().read().map_err(wrong)?);
    }
    Ok(own)
}

/// What is wrong with an entry, and where, if that is not the entry as a whole.
struct Wrong {
    what: String,
    at: Option<Range<usize>>,
}

impl From<&str> for Wrong {
    fn from(what: &str) -> Self {
        Self { what: what.to_owned(), at: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    application: Vec<RawApplication>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOwnFile {
    #[serde(default)]
    code: Vec<Placed<RawOwn>>,
    #[serde(default)]
    reason: Vec<Placed<RawOwn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOwn {
    code: Option<u16>,
    codes: Option<[u16; 2]>,
    is: Option<Box<str>>,
    starts: Option<Box<str>>,
    contains: Option<Box<str>>,
    application: Option<Box<str>>,
    means: Placed<String>,
    party: Option<Placed<String>>,
    retry: Option<Placed<String>>,
    fix: Option<Placed<String>>,
}

impl RawOwn {
    fn read(self) -> Result<OwnMeaning, Wrong> {
        let codes = match (self.code, self.codes) {
            (None, None) => None,
            (code, codes) => Some(range(code, codes)?),
        };
        let reason = match (self.is, self.starts, self.contains) {
            (None, None, None) => None,
            (Some(text), None, None) => Some(ReasonTest::Is(text)),
            (None, Some(text), None) => Some(ReasonTest::Starts(text)),
            (None, None, Some(text)) => Some(ReasonTest::Contains(text)),
            _ => return Err("a reason is known by one of `is`, `starts` and `contains`".into()),
        };
        if codes.is_none() && reason.is_none() {
            return Err("without a code or a reason it would fit every Close frame".into());
        }
        if reason.is_none() && codes.as_ref().is_some_and(|codes| !are_own(codes)) {
            return Err("only 3000 to 4999 are an application's to define; with a reason any code may be named".into());
        }
        let words = Words { means: self.means, party: self.party, retry: self.retry, fix: self.fix };
        Ok(OwnMeaning { codes, reason, application: self.application, means: words.read(Author::User)? })
    }
}

/// What an entry says of its meaning.
struct Words {
    means: Placed<String>,
    party: Option<Placed<String>>,
    retry: Option<Placed<String>>,
    fix: Option<Placed<String>>,
}

impl Words {
    /// The meaning: one of the table, or the user's own, with what this entry says differently.
    fn read(self, author: Author) -> Result<Arc<Meaning>, Wrong> {
        let known = meanings::builtin(self.means.get_ref());
        let mut meaning = match (known, author) {
            (Some(known), _) => known.clone(),
            (None, Author::User) if !self.means.get_ref().trim().is_empty() => meanings::own(self.means.get_ref()),
            (None, _) => {
                let what = format!("unknown meaning `{}`", self.means.get_ref());
                return Err(Wrong { what, at: Some(self.means.span()) });
            }
        };
        if let Some(party) = &self.party {
            meaning.fault =
                Some(meanings::fault(party.get_ref()).map_err(|what| Wrong { what, at: Some(party.span()) })?);
        }
        if let Some(retry) = &self.retry {
            meaning.retry =
                Some(meanings::retry(retry.get_ref()).map_err(|what| Wrong { what, at: Some(retry.span()) })?);
        }
        if let Some(fix) = &self.fix {
            if author == Author::Program && !meanings::has_advice(fix.get_ref()) {
                return Err(Wrong { what: format!("unknown advice `{}`", fix.get_ref()), at: Some(fix.span()) });
            }
            meaning.advice = Some(fix.get_ref().as_str().into());
        }
        Ok(Arc::new(meaning))
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApplication {
    name: Placed<String>,
    title: Option<Box<str>>,
    #[serde(default)]
    subprotocols: Vec<Box<str>>,
    #[serde(default)]
    paths: Vec<RawPath>,
    #[serde(default)]
    hosts: Vec<Box<str>>,
    refines: Option<String>,
    #[serde(default)]
    first: Vec<RawShape>,
    message: Option<RawForm>,
    #[serde(default)]
    kinds: RawKinds,
    #[serde(default)]
    says: Vec<RawAnnouncement>,
    #[serde(default)]
    close: Vec<RawClose>,
    #[serde(default)]
    source: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPath {
    ends: Box<str>,
    #[serde(default)]
    query: Vec<Box<str>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShape {
    from: Option<String>,
    is: Option<Box<str>>,
    starts: Option<Box<str>>,
    bytes: Option<String>,
    json: Option<BTreeMap<Box<str>, Box<str>>>,
    #[serde(default)]
    has: Vec<Box<str>>,
    array: Option<Vec<Box<str>>>,
    #[serde(default)]
    holds: Vec<Box<str>>,
}

#[derive(Clone, Deserialize)]
#[serde(tag = "form", rename_all = "lowercase", deny_unknown_fields)]
enum RawForm {
    Json { kind: Box<str>, detail: Option<Box<str>> },
    Digits { count: usize },
    Line,
    Letter,
    Mqtt,
    Byte,
}

/// Kinds as written, or with their names.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum RawKinds {
    AsWritten(Vec<Box<str>>),
    Named(BTreeMap<Box<str>, Box<str>>),
}

impl Default for RawKinds {
    fn default() -> Self {
        Self::AsWritten(Vec::new())
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnnouncement {
    kind: Box<str>,
    code: Option<i64>,
    codes: Option<[i64; 2]>,
    word: Option<Box<str>>,
    from: Option<String>,
    has: Option<Box<str>>,
    means: Placed<String>,
    party: Option<Placed<String>>,
    retry: Option<Placed<String>>,
    fix: Option<Placed<String>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClose {
    code: Option<u16>,
    codes: Option<[u16; 2]>,
    means: Placed<String>,
    party: Option<Placed<String>>,
    retry: Option<Placed<String>>,
    fix: Option<Placed<String>>,
}

impl RawApplication {
    fn read(self, author: Author) -> Result<Protocol, Wrong> {
        let kinds: Vec<(Box<str>, Box<str>)> = match self.kinds {
            RawKinds::AsWritten(kinds) => kinds.into_iter().map(|kind| (kind.clone(), kind)).collect(),
            RawKinds::Named(kinds) => kinds.into_iter().collect(),
        };
        if self.message.is_none() != kinds.is_empty() {
            return Err("names kinds of messages without a form, or a form without kinds".into());
        }
        if self.says.iter().any(|said| !kinds.iter().any(|(kind, _)| *kind == said.kind)) {
            return Err("gives a meaning to a kind that it does not list".into());
        }
        if self.subprotocols.is_empty() && self.first.is_empty() && self.paths.is_empty() && self.hosts.is_empty() {
            return Err("cannot be recognised: it needs subprotocols, paths, hosts or first messages".into());
        }
        let paths = self.paths.into_iter().map(|path| PathPattern { ends: path.ends, query: path.query });
        Ok(Protocol {
            title: self.title.unwrap_or_else(|| self.name.get_ref().as_str().into()),
            name: self.name.into_inner().into(),
            subprotocols: self.subprotocols,
            paths: paths.collect(),
            hosts: self.hosts,
            refines: self.refines.map(Into::into),
            has_dialects: false,
            first: self.first.into_iter().map(RawShape::read).collect::<Result<_, &str>>()?,
            form: self.message.map(RawForm::read),
            kinds,
            says: self.says.into_iter().map(|said| said.read(author)).collect::<Result<_, _>>()?,
            close: self.close.into_iter().map(|close| close.read(author)).collect::<Result<_, _>>()?,
        })
    }
}

impl RawShape {
    fn read(self) -> Result<Shape, &'static str> {
        let from = side(self.from.as_deref())?;
        if self.json.is_none() && !self.has.is_empty() || self.holds.iter().any(|text| text.is_empty()) {
            return Err("has a message with conditions that mean nothing");
        }
        let test = match (self.is, self.starts, self.bytes, self.json, self.array) {
            (Some(text), None, None, None, None) => Test::Is(text),
            (None, Some(text), None, None, None) => Test::Starts(text),
            (None, None, Some(pattern), None, None) => Test::Bytes(bytes(&pattern)?),
            (None, None, None, Some(values), None) => {
                Test::Object { values: values.into_iter().collect(), has: self.has }
            }
            (None, None, None, None, Some(items)) => Test::Array(items.into_iter().map(item).collect()),
            _ => return Err("has a message with not exactly one of is, starts, bytes, json and array"),
        };
        let is_open = match &test {
            Test::Is(text) | Test::Starts(text) => {
                text.is_empty() || text.starts_with(|first: char| first.is_ascii_whitespace())
            }
            Test::Bytes(pattern) => pattern.first().is_none_or(Option::is_none),
            Test::Object { .. } | Test::Array(_) => false,
        };
        if is_open {
            return Err("has a message that may begin with anything");
        }
        Ok(Shape { from, test, holds: self.holds })
    }
}

fn bytes(pattern: &str) -> Result<Vec<Option<u8>>, &'static str> {
    let byte = |word: &str| match word {
        "??" => Ok(None),
        word => u8::from_str_radix(word, 16).map(Some).map_err(|_| "has bytes that are not hexadecimal"),
    };
    pattern.split(' ').map(byte).collect()
}

fn item(written: Box<str>) -> Item {
    match &*written {
        "*" => Item::Any,
        "\"\"" => Item::Text,
        "{" => Item::Object,
        _ => Item::Written(written),
    }
}

impl RawForm {
    fn read(self) -> Form {
        match self {
            Self::Json { kind, detail } => Form::Json { kind, detail },
            Self::Digits { count } => Form::Digits(count),
            Self::Line => Form::Line,
            Self::Letter => Form::Letter,
            Self::Mqtt => Form::Mqtt,
            Self::Byte => Form::Byte,
        }
    }
}

impl RawAnnouncement {
    fn read(self, author: Author) -> Result<Announcement, Wrong> {
        let detail = match (self.code, self.codes, self.word) {
            (None, None, None) => None,
            (None, None, Some(word)) => Some(Detail::Word(word)),
            (code, codes, None) => Some(Detail::Codes(range(code, codes)?)),
            _ => return Err("has a message with both a code and a word".into()),
        };
        let has = self.has.map(|has| match has.split_once('=') {
            Some((path, wanted)) => (path.into(), Some(wanted.into())),
            None => (has, None),
        });
        let words = Words { means: self.means, party: self.party, retry: self.retry, fix: self.fix };
        let (from, means) = (side(self.from.as_deref())?, words.read(author)?);
        Ok(Announcement { kind: self.kind, detail, from, has, means })
    }
}

impl RawClose {
    fn read(self, author: Author) -> Result<CloseMeaning, Wrong> {
        let codes = range(self.code, self.codes)?;
        // 1000 to 2999 mean the same everywhere (RFC 6455 §7.4.2).
        if !are_own(&codes) {
            return Err("gives a meaning to a close code that is not an application's to define".into());
        }
        let words = Words { means: self.means, party: self.party, retry: self.retry, fix: self.fix };
        Ok(CloseMeaning { codes, means: words.read(author)? })
    }
}

/// Whether an application may define these codes.
fn are_own(codes: &RangeInclusive<u16>) -> bool {
    (3000..=4999).contains(codes.start()) && (3000..=4999).contains(codes.end())
}

fn side(name: Option<&str>) -> Result<Option<Side>, &'static str> {
    match name {
        None => Ok(None),
        Some("client") => Ok(Some(Side::Client)),
        Some("server") => Ok(Some(Side::Server)),
        Some(_) => Err("has a message of neither client nor server"),
    }
}

/// One code, or the first and the last.
fn range<T: Copy + PartialOrd>(code: Option<T>, codes: Option<[T; 2]>) -> Result<RangeInclusive<T>, &'static str> {
    match (code, codes) {
        (Some(code), None) => Ok(code..=code),
        (None, Some([first, last])) if first <= last => Ok(first..=last),
        _ => Err("has codes that are not one code or a range"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Candidate, Fields, Glimpse};
    use crate::catalog::language::Language;
    use crate::catalog::text;

    fn text<'a>(bytes: &'a str) -> Glimpse<'a> {
        Glimpse { is_text: true, bytes: bytes.as_bytes(), is_whole: true }
    }

    fn named(from: Side, glimpse: Glimpse<'_>, known: Option<&Protocol>) -> Option<String> {
        builtin().by_message(&Candidate::new(from, glimpse), known).map(|found| found.name.to_string())
    }

    #[test]
    fn the_packed_table_is_the_written_one() {
        let written = parse("applications.toml", include_str!("data/applications.toml"), Author::Program, &[]).unwrap();
        assert_eq!(format!("{written:?}"), format!("{:?}", builtin_protocols()));
    }

    #[test]
    fn every_meaning_has_words_and_every_word_a_use() {
        let mut used = HashSet::new();
        for protocol in builtin().all() {
            used.extend(protocol.says.iter().map(|said| said.means.key.to_string()));
            used.extend(protocol.close.iter().map(|close| close.means.key.to_string()));
        }
        for means in &used {
            assert!(text::find(Language::En, &format!("applications.means.{means}")).is_some(), "{means}");
        }
        let words: toml::Table = toml::from_str(include_str!("text/en/applications.toml")).unwrap();
        for key in words["means"].as_table().unwrap().keys() {
            assert!(used.contains(key), "no application means {key}");
        }
    }

    #[test]
    fn a_subprotocol_names_one_application() {
        let mut seen = HashSet::new();
        for protocol in builtin().all() {
            for token in &protocol.subprotocols {
                assert!(seen.insert(token.clone()), "{token}");
                assert_eq!(builtin().by_subprotocol(token).unwrap().name, protocol.name);
            }
        }
    }

    #[test]
    fn later_entries_are_not_hidden_by_wider_ones_before() {
        for protocol in builtin().all() {
            for (index, close) in protocol.close.iter().enumerate() {
                let first = protocol.close.iter().position(|other| other.codes.contains(close.codes.end())).unwrap();
                assert_eq!(first, index, "{} {:?}", protocol.name, close.codes);
            }
        }
    }

    #[test]
    fn first_messages_are_recognised() {
        use Side::{Client, Server};
        for (from, message, name) in [
            (Client, r#"{"type":"connection_init","payload":{}}"#, "graphql"),
            (Server, r#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#, "engine.io"),
            (Client, "CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n\0", "stomp"),
            (Client, "{\"protocol\":\"json\",\"version\":1}\u{1e}", "signalr"),
            (Client, r#"["3","3","room:lobby","phx_join",{}]"#, "phoenix"),
            (Server, r#"{"event":"pusher:connection_established","data":"{}"}"#, "pusher"),
            (Server, r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#, "discord"),
            (Server, r#"{"type":"auth_required","ha_version":"2025.1"}"#, "home-assistant"),
            (
                Server,
                r#"{"metadata":{"message_id":"1","message_type":"session_welcome"},"payload":{}}"#,
                "twitch-eventsub",
            ),
        ] {
            assert_eq!(named(from, text(message), None).as_deref(), Some(name), "{message}");
            assert_eq!(
                named(from.other(), text(message), None).filter(|_| name != "signalr"),
                None,
                "from the other side"
            );
        }
        let connect = [0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 0];
        let binary = Glimpse { is_text: false, bytes: &connect, is_whole: true };
        assert_eq!(named(Client, binary, None).as_deref(), Some("mqtt"));
    }

    #[test]
    fn a_dialect_needs_its_family() {
        let family =
            builtin().by_message(&Candidate::new(Side::Client, text(r#"{"type":"connection_init"}"#)), None).unwrap();
        let start = r#"{"id":"1","type":"start","payload":{}}"#;
        assert_eq!(named(Side::Client, text(start), None), None);
        assert_eq!(named(Side::Client, text(start), Some(family)).as_deref(), Some("graphql-ws"));
    }

    #[test]
    fn ordinary_chat_is_nobodys() {
        for message in [
            "hello",
            "40",
            "2",
            "0",
            "[1,2,3]",
            r#"{"type":"message","text":"connection_init"}"#,
            r#"{"type":"error","message":"no"}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"hello","user":"ann"}"#,
            r#"{"type":"subscribe","id":1,"payload":{}}"#,
            r#"{"event":"hello","data":{"name":"bob"}}"#,
            r#"{"op":10,"d":1}"#,
            r#"{"id":1,"method":"connect"}"#,
            r#"{"protocol":"json","version":1}"#,
            r#"["a","b","c","d",{}]"#,
            "CONNECT\nme",
            r#"{"text":"0{\"sid\":\"x\",\"pingInterval\":1}"}"#,
        ] {
            for side in Side::BOTH {
                assert_eq!(named(side, text(message), None), None, "{message}");
            }
        }
    }

    #[test]
    fn messages_and_codes_mean_what_their_protocol_says() {
        let means = |name: &str, glimpse: Glimpse<'_>| {
            let found = builtin().all().find(|protocol| *protocol.name == *name).unwrap().read(Side::Server, &glimpse);
            found.map(|reading| {
                (reading.kind.to_string(), reading.code, reading.means.map(|means| means.key.to_string()))
            })
        };
        let known = |kind: &str, code, key: &str| Some((kind.to_owned(), code, Some(key.to_owned())));
        assert_eq!(
            means("graphql-ws", text(r#"{"type":"connection_error","payload":{}}"#)),
            known("connection_error", None, "connection_refused")
        );
        assert_eq!(means("engine.io", text("1")), known("close", None, "ends"));
        assert_eq!(
            means("socket.io", text(r#"44{"message":"no"}"#)),
            known("connect_error", None, "connection_refused")
        );
        assert_eq!(means("stomp", text("ERROR\nmessage:no\n\n\0")), known("ERROR", None, "error_before_close"));
        assert_eq!(
            means("signalr", text("{\"type\":7,\"error\":\"x\",\"allowReconnect\":true}\u{1e}")),
            known("close", None, "reconnect_later")
        );
        assert_eq!(
            means("signalr", text("{\"type\":7,\"error\":\"x\"}\u{1e}")),
            known("close", None, "ends_with_error")
        );
        assert_eq!(
            means("phoenix", text(r#"[null,null,"room:1","phx_error",{}]"#)),
            known("phx_error", None, "channel_crashed")
        );
        assert_eq!(
            means("pusher", text(r#"{"event":"pusher:error","data":{"code":4201,"message":"x"}}"#)),
            known("pusher:error", Some(4201), "heartbeat_missed")
        );
        let mqtt = builtin().all().find(|protocol| *protocol.name == *"mqtt").unwrap();
        let taken_over = Fields { kind: "14".into(), detail: Some("142".into()) };
        assert_eq!(&*mqtt.interpret(Side::Server, &taken_over, &[]).unwrap().means.unwrap().key, "session_taken_over");
        assert_eq!(means("wamp", text(r#"[6,{},"wamp.close.system_shutdown"]"#)), known("GOODBYE", None, "restarting"));
        assert_eq!(
            means("pusher", text(r#"{"event":"secret-event","data":{}}"#)),
            None,
            "what is no known kind is never told"
        );
    }

    #[test]
    fn faulty_tables_are_refused() {
        const VALID: &str = r#"
            [[application]]
            name = "a"
            title = "A"
            first = [{ is = "x" }]
            message = { form = "line" }
            kinds = ["A"]
            says = [{ kind = "A", means = "ends" }]
            close = [{ code = 4000, means = "ends" }]
            source = "a test"
        "#;
        assert!(parse("t", VALID, Author::Program, &[]).is_ok());
        for (from, to) in [
            ("name = \"a\"", "name = \"A b\""),
            ("source = \"a test\"", "source = \"\""),
            ("is = \"x\"", "is = \"x\", starts = \"y\""),
            ("is = \"x\"", "bytes = \"zz\""),
            ("is = \"x\"", "bytes = \"?? 10\""),
            ("is = \"x\"", "starts = \"\""),
            ("is = \"x\"", "is = \"x\", from = \"proxy\""),
            ("is = \"x\"", "is = \"x\", has = [\"y\"]"),
            ("is = \"x\"", "is = \"x\", holds = [\"\"]"),
            ("[{ is = \"x\" }]", "[]"),
            ("means = \"ends\" }]\n            source", "means = \"no such\" }]\n            source"),
            ("kinds = [\"A\"]", "kinds = []"),
            ("kind = \"A\"", "kind = \"B\""),
            ("code = 4000", "code = 1000"),
            ("code = 4000", "codes = [4001, 4000]"),
            ("source", "refines = \"b\"\nsource"),
        ] {
            assert!(VALID.contains(from));
            assert!(parse("t", &VALID.replacen(from, to, 1), Author::Program, &[]).is_err(), "{to}");
        }
        assert!(parse("t", &format!("{VALID}{VALID}"), Author::Program, &[]).is_err());
    }
}
