//! The table of application protocols: what travels inside WebSocket messages, how it is recognised, what it means.
//!
//! The table is read into the types of [`crate::application`], which does the comparing. The words for what messages and
//! close codes mean are looked up by key in [`super::text`].

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use crate::application::{
    Announcement, Applications, CloseMeaning, Detail, Form, Item, PathPattern, Protocol, Shape, Test,
};
use crate::units::Side;
use serde::Deserialize;

/// The table that is compiled in.
pub fn builtin() -> &'static Arc<Applications> {
    static TABLE: LazyLock<Arc<Applications>> = LazyLock::new(|| {
        let protocols = parse(include_str!("data/applications.toml"))
            .expect("the embedded applications are valid: a unit test loads them");
        Arc::new(Applications::new(protocols))
    });
    &TABLE
}

/// Reads and checks a table.
///
/// # Errors
///
/// [`ApplicationsError`] when the TOML does not fit, or an entry cannot be meant as it is written.
pub fn parse(toml: &str) -> Result<Vec<Protocol>, ApplicationsError> {
    let file: RawFile = toml::from_str(toml)?;
    let mut names = HashSet::new();
    let mut protocols = Vec::new();
    for raw in file.application {
        let name = raw.name.clone();
        let wrong = |what: &'static str| ApplicationsError::Entry { name: name.clone(), what };
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(wrong("has a name that is not lowercase-with-dashes"));
        }
        if !names.insert(name.clone()) {
            return Err(wrong("is listed twice"));
        }
        if raw.source.trim().is_empty() {
            return Err(wrong("has no source"));
        }
        if raw.refines.as_ref().is_some_and(|other| !names.contains(other)) {
            return Err(wrong("refines one that is not listed before"));
        }
        protocols.push(raw.read().map_err(wrong)?);
    }
    Ok(protocols)
}

/// Why a table of applications was refused.
#[derive(Debug, thiserror::Error)]
pub enum ApplicationsError {
    /// Not TOML, or an unknown, missing or ill-typed field.
    #[error("failed to read the applications")]
    Toml(#[from] toml::de::Error),
    /// An entry is not right.
    #[error("application {name:?} {what}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    application: Vec<RawApplication>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApplication {
    name: String,
    title: Box<str>,
    #[serde(default)]
    subprotocols: Vec<Box<str>>,
    #[serde(default)]
    paths: Vec<RawPath>,
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
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPath {
    ends: Box<str>,
    #[serde(default)]
    query: Vec<Box<str>>,
}

#[derive(Deserialize)]
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

#[derive(Deserialize)]
#[serde(tag = "form", rename_all = "lowercase", deny_unknown_fields)]
enum RawForm {
    Json { kind: Box<str>, detail: Option<Box<str>> },
    Digits { count: usize },
    Line,
    Mqtt,
    Byte,
}

/// Kinds as written, or with their names.
#[derive(Deserialize)]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnnouncement {
    kind: Box<str>,
    code: Option<i64>,
    codes: Option<[i64; 2]>,
    word: Option<Box<str>>,
    has: Option<Box<str>>,
    means: Box<str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClose {
    code: Option<u16>,
    codes: Option<[u16; 2]>,
    means: Box<str>,
}

impl RawApplication {
    fn read(self) -> Result<Protocol, &'static str> {
        let kinds: Vec<(Box<str>, Box<str>)> = match self.kinds {
            RawKinds::AsWritten(kinds) => kinds.into_iter().map(|kind| (kind.clone(), kind)).collect(),
            RawKinds::Named(kinds) => kinds.into_iter().collect(),
        };
        if self.message.is_none() != kinds.is_empty() {
            return Err("names kinds of messages without a form, or a form without kinds");
        }
        if self.says.iter().any(|said| !kinds.iter().any(|(kind, _)| *kind == said.kind)) {
            return Err("gives a meaning to a kind that it does not list");
        }
        if self.subprotocols.is_empty() && self.first.is_empty() {
            return Err("cannot be recognised");
        }
        let paths = self.paths.into_iter().map(|path| PathPattern { ends: path.ends, query: path.query });
        Ok(Protocol {
            name: self.name.into(),
            title: self.title,
            subprotocols: self.subprotocols,
            paths: paths.collect(),
            refines: self.refines.map(Into::into),
            has_dialects: false,
            first: self.first.into_iter().map(RawShape::read).collect::<Result<_, _>>()?,
            form: self.message.map(RawForm::read),
            kinds,
            says: self.says.into_iter().map(RawAnnouncement::read).collect::<Result<_, _>>()?,
            close: self.close.into_iter().map(RawClose::read).collect::<Result<_, _>>()?,
        })
    }
}

impl RawShape {
    fn read(self) -> Result<Shape, &'static str> {
        let from = match self.from.as_deref() {
            None => None,
            Some("client") => Some(Side::Client),
            Some("server") => Some(Side::Server),
            Some(_) => return Err("has a message of neither client nor server"),
        };
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
            Self::Mqtt => Form::Mqtt,
            Self::Byte => Form::Byte,
        }
    }
}

impl RawAnnouncement {
    fn read(self) -> Result<Announcement, &'static str> {
        let detail = match (self.code, self.codes, self.word) {
            (None, None, None) => None,
            (None, None, Some(word)) => Some(Detail::Word(word)),
            (code, codes, None) => Some(Detail::Codes(range(code, codes)?)),
            _ => return Err("has a message with both a code and a word"),
        };
        Ok(Announcement { kind: self.kind, detail, has: self.has, means: self.means })
    }
}

impl RawClose {
    fn read(self) -> Result<CloseMeaning, &'static str> {
        let codes = range(self.code, self.codes)?;
        // 1000 to 2999 mean the same everywhere (RFC 6455 §7.4.2).
        if !(3000..=4999).contains(codes.start()) || !(3000..=4999).contains(codes.end()) {
            return Err("gives a meaning to a close code that is not an application's to define");
        }
        Ok(CloseMeaning { codes, means: self.means })
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
    fn every_meaning_has_words_and_every_word_a_use() {
        let mut used = HashSet::new();
        for protocol in builtin().all() {
            used.extend(protocol.says.iter().map(|said| said.means.to_string()));
            used.extend(protocol.close.iter().map(|close| close.means.to_string()));
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
            let found = builtin().all().find(|protocol| *protocol.name == *name).unwrap().read(&glimpse);
            found.map(|reading| (reading.kind.to_string(), reading.code, reading.means.map(String::from)))
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
        assert_eq!(mqtt.interpret(&taken_over, &[]).unwrap().means.as_deref(), Some("session_taken_over"));
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
        assert!(parse(VALID).is_ok());
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
            ("kinds = [\"A\"]", "kinds = []"),
            ("kind = \"A\"", "kind = \"B\""),
            ("code = 4000", "code = 1000"),
            ("code = 4000", "codes = [4001, 4000]"),
            ("source", "refines = \"b\"\nsource"),
        ] {
            assert!(VALID.contains(from));
            assert!(parse(&VALID.replacen(from, to, 1)).is_err(), "{to}");
        }
        assert!(parse(&format!("{VALID}{VALID}")).is_err());
    }
}
