//! The table of close codes: every number from 0 to 65535 has exactly one answer.
//!
//! A single code wins over the range that contains it; ranges never overlap. The table holds only what is the same in
//! every language. The sentences are looked up by [`CodeEntry::key`] in [`super::text`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use super::source::packed;
use serde::{Deserialize, Serialize, Serializer};

/// What the standard and the registry say about one close code or one range of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeEntry {
    /// The number or numbers this entry answers for.
    #[serde(rename = "code")]
    pub span: Span,
    /// The name, in English in every language, as it is known from the RFC and its registry.
    pub name: String,
    /// Other names under which the code is found in registries, documentation and libraries.
    pub aliases: Vec<String>,
    /// Who may put the code into a Close frame.
    pub sent_by: SentBy,
    /// Whether the number may travel in a Close frame (RFC 6455 §7.4).
    pub wire: Wire,
    /// Whether a Close frame was received when an application reports this code.
    ///
    /// True for 1005, whose Close frame is empty: the closing handshake can still be clean.
    pub close_frame: bool,
    /// Who defines the meaning.
    pub registered: Registration,
    /// What a client should do about connecting again.
    pub reconnect: Reconnect,
    /// Who usually has to change something.
    pub acts: Acts,
    /// Where the definition stands.
    pub source: String,
    /// False when `source` is known only at second hand.
    pub verified: bool,
    /// Wireshark display filter that shows the packets to look at.
    pub filter: String,
    /// Where to read more: sections and pages by their titles, at least one.
    pub references: Vec<String>,
}

impl CodeEntry {
    /// Key of the entry in the text files: `1000`, or `4000-4999`.
    pub fn key(&self) -> String {
        match self.span {
            Span::One(code) => code.to_string(),
            Span::Range { first, last } => format!("{first}-{last}"),
        }
    }

    /// Whether the code may appear in a Close frame at all (RFC 6455 §7.4).
    pub fn on_wire(&self) -> bool {
        self.wire == Wire::Allowed
    }

    /// The name and the aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

/// One close code or an inclusive range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Span {
    /// A single code.
    One(u16),
    /// All codes from `first` to `last`, both included, that have no entry of their own.
    Range {
        /// Smallest code of the range.
        first: u16,
        /// Largest code of the range.
        last: u16,
    },
}

impl Span {
    /// The smallest code.
    pub fn first(self) -> u16 {
        match self {
            Self::One(code) | Self::Range { first: code, .. } => code,
        }
    }

    /// The largest code.
    pub fn last(self) -> u16 {
        match self {
            Self::One(code) | Self::Range { last: code, .. } => code,
        }
    }

    /// Whether the code lies within.
    pub fn contains(self, code: u16) -> bool {
        (self.first()..=self.last()).contains(&code)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(code) => write!(f, "{code}"),
            Self::Range { first, last } => write!(f, "{first}–{last}"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::One(code) => serializer.serialize_u16(code),
            Self::Range { first, last } => [first, last].serialize(serializer),
        }
    }
}

/// Declares a closed set of values that the data, the JSON output and the text keys all spell the same way.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that stands for the value in the data, in JSON and in the text keys.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

vocabulary! {
    /// Who may put a code into a Close frame.
    SentBy {
        /// Client and server alike.
        Both = "both",
        /// Only the client.
        Client = "client",
        /// Only the server.
        Server = "server",
        /// A server that acts as gateway or proxy.
        Gateway = "gateway",
        /// Nobody.
        Nobody = "nobody",
    }
}

vocabulary! {
    /// How a code relates to the bytes of a Close frame (RFC 6455 §7.4).
    Wire {
        /// It may be sent.
        Allowed = "allowed",
        /// It is never sent: the endpoint derives it from what happened and hands it to its application.
        Derived = "derived",
        /// It must not be sent, and no endpoint derives it either; seen in a packet it is a violation.
        Forbidden = "forbidden",
    }
}

vocabulary! {
    /// Who defines the meaning of a code.
    Registration {
        /// RFC 6455 itself.
        Rfc6455 = "rfc6455",
        /// An entry of the IANA registry that is not in RFC 6455.
        Iana = "iana",
        /// Open to registration with IANA, first come first served; this number has no entry that we know.
        IanaOpen = "iana-open",
        /// Private use: the two applications agree.
        Private = "private",
        /// Kept for the protocol and its extensions, without a meaning today.
        Unassigned = "unassigned",
        /// Named by RFC 6455, with the meaning left open.
        Reserved = "reserved",
        /// Outside of every range that RFC 6455 gives a use.
        Undefined = "undefined",
    }
}

vocabulary! {
    /// What a client should do about connecting again.
    Reconnect {
        /// Only when the application still wants something.
        AsNeeded = "as-needed",
        /// Yes, after a random delay that grows with each failure (RFC 6455 §7.2.3).
        Backoff = "backoff",
        /// Yes, but clearly later, and elsewhere if possible.
        Later = "later",
        /// Not before the cause is mended: the same thing would happen again.
        AfterFix = "after-fix",
        /// Only with new credentials.
        AfterNewCredentials = "after-new-credentials",
        /// The application defines it.
        Depends = "depends",
    }
}

vocabulary! {
    /// Who usually has to change something.
    Acts {
        /// Nobody.
        None = "none",
        /// The client.
        Client = "client",
        /// The server.
        Server = "server",
        /// The gateway or the service behind it.
        Gateway = "gateway",
        /// The side that received the Close frame, because what it had sent was refused.
        Receiver = "receiver",
        /// The side that sent the Close frame.
        Sender = "sender",
        /// Either side can mend it.
        Either = "either",
        /// The code alone does not tell.
        Depends = "depends",
    }
}

/// All entries, checked to answer every number from 0 to 65535.
#[derive(Clone, Debug)]
pub struct CodeTable {
    /// In order of their first code; a range stands before the codes inside it.
    entries: Vec<CodeEntry>,
    /// Code to index, for single codes.
    single: BTreeMap<u16, usize>,
    /// First code to index, for ranges.
    ranges: BTreeMap<u16, usize>,
}

impl CodeTable {
    /// The table that is compiled in.
    pub fn builtin() -> &'static Self {
        static TABLE: LazyLock<CodeTable> = LazyLock::new(|| {
            const VALID: &str = "the embedded close codes are valid: a unit test loads them";
            CodeTable::new(packed!("data", "close_codes").read().expect(VALID)).expect(VALID)
        });
        &TABLE
    }

    /// Reads and checks a table.
    ///
    /// # Errors
    ///
    /// [`CodeTableError`] when the TOML does not fit, an entry has both or neither of `code` and `range`, an entry is
    /// empty where it must not be, a number is claimed twice, ranges overlap, or some number has no answer.
    pub fn parse(toml: &str) -> Result<Self, CodeTableError> {
        Self::new(toml::from_str(toml)?)
    }

    fn new(file: RawFile) -> Result<Self, CodeTableError> {
        let mut entries = file.close_code.into_iter().map(RawEntry::check).collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| (entry.span.first(), u16::MAX - entry.span.last()));

        let mut single = BTreeMap::new();
        let mut ranges = BTreeMap::new();
        let mut names = BTreeSet::new();
        let mut answered_by_ranges = None;
        for (index, entry) in entries.iter().enumerate() {
            for name in entry.names() {
                if !names.insert(name.to_lowercase()) {
                    return Err(CodeTableError::NameTwice { name: name.to_owned() });
                }
            }
            match entry.span {
                Span::One(code) => {
                    if single.insert(code, index).is_some() {
                        return Err(CodeTableError::CodeTwice { code });
                    }
                }
                Span::Range { first, last } => {
                    if answered_by_ranges.is_some_and(|previous| previous >= first) {
                        return Err(CodeTableError::CodeTwice { code: first });
                    }
                    answered_by_ranges = Some(last);
                    ranges.insert(first, index);
                }
            }
        }

        let table = Self { entries, single, ranges };
        // The smallest code without an answer is the very first, or the next behind an entry.
        let behind = table.entries.iter().filter_map(|entry| entry.span.last().checked_add(1));
        match behind.chain([0]).filter(|&code| table.find(code).is_none()).min() {
            Some(code) => Err(CodeTableError::Unanswered { code }),
            None => Ok(table),
        }
    }

    /// The entry for a code: its own if it has one, else that of its range.
    pub fn lookup(&self, code: u16) -> &CodeEntry {
        self.find(code).expect("parse() refuses a table that leaves a code unanswered")
    }

    /// The entry with this name or alias, in any letter case; ranges are found too.
    pub fn by_name(&self, name: &str) -> Option<&CodeEntry> {
        let name = name.trim().to_lowercase();
        self.entries.iter().find(|entry| entry.names().any(|known| known.to_lowercase() == name))
    }

    /// All entries in order of their first code; a range stands before the codes inside it.
    pub fn entries(&self) -> &[CodeEntry] {
        &self.entries
    }

    fn find(&self, code: u16) -> Option<&CodeEntry> {
        let index = self.single.get(&code).or_else(|| {
            let (_, index) = self.ranges.range(..=code).next_back()?;
            Some(index)
        })?;
        self.entries.get(*index).filter(|entry| entry.span.contains(code))
    }
}

/// Why a table of close codes was refused.
#[derive(Debug, thiserror::Error)]
pub enum CodeTableError {
    /// Not TOML, or an unknown, missing or ill-typed field.
    #[error("failed to read the close codes")]
    Toml(#[from] toml::de::Error),
    /// An entry must have either `code` or `range`, and a range must not run backwards.
    #[error("close code entry {name:?} needs either a code or a range of two rising codes")]
    Span {
        /// Name of the entry.
        name: String,
    },
    /// A field that people or machines rely on is empty.
    #[error("close code entry {name:?} has an empty {field}")]
    Empty {
        /// Name of the entry.
        name: String,
        /// The field.
        field: &'static str,
    },
    /// `nobody` sends exactly those codes that may not travel.
    #[error("close code entry {name:?} says who sends it and that it may not travel")]
    Contradiction {
        /// Name of the entry.
        name: String,
    },
    /// A code has two entries of its own, or lies in two ranges.
    #[error("close code {code} is answered twice")]
    CodeTwice {
        /// The code.
        code: u16,
    },
    /// Two entries carry the same name or alias.
    #[error("close code name {name:?} is used twice")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// No entry answers for a code.
    #[error("close code {code} has no answer")]
    Unanswered {
        /// The smallest such code.
        code: u16,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    close_code: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    code: Option<u16>,
    range: Option<[u16; 2]>,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    sent_by: SentBy,
    wire: Wire,
    close_frame: bool,
    registered: Registration,
    reconnect: Reconnect,
    acts: Acts,
    source: String,
    #[serde(default = "verified")]
    verified: bool,
    filter: String,
    references: Vec<String>,
}

fn verified() -> bool {
    true
}

impl RawEntry {
    fn check(self) -> Result<CodeEntry, CodeTableError> {
        let span = match (self.code, self.range) {
            (Some(code), None) => Span::One(code),
            (None, Some([first, last])) if first < last => Span::Range { first, last },
            _ => return Err(CodeTableError::Span { name: self.name }),
        };
        let required = [("name", &self.name), ("source", &self.source), ("filter", &self.filter)];
        let empty = required.iter().find(|(_, value)| value.trim().is_empty()).map(|(field, _)| *field);
        if let Some(field) = empty {
            return Err(CodeTableError::Empty { name: self.name, field });
        }
        if self.references.is_empty() {
            return Err(CodeTableError::Empty { name: self.name, field: "references" });
        }
        if (self.sent_by == SentBy::Nobody) == (self.wire == Wire::Allowed) {
            return Err(CodeTableError::Contradiction { name: self.name });
        }
        Ok(CodeEntry {
            span,
            name: self.name,
            aliases: self.aliases,
            sent_by: self.sent_by,
            wire: self.wire,
            close_frame: self.close_frame,
            registered: self.registered,
            reconnect: self.reconnect,
            acts: self.acts,
            source: self.source,
            verified: self.verified,
            filter: self.filter,
            references: self.references,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"
        [[close_code]]
        range = [0, 65535]
        name = "Everything"
        sent_by = "both"
        wire = "allowed"
        close_frame = true
        registered = "undefined"
        reconnect = "depends"
        acts = "depends"
        source = "a test"
        filter = "websocket"
        references = ["a test"]
    "#;

    #[test]
    fn the_packed_table_is_the_written_one() {
        let written = CodeTable::parse(include_str!("data/close_codes.toml")).unwrap();
        assert_eq!(written.entries, CodeTable::builtin().entries);
    }

    #[test]
    fn every_number_is_answered_by_an_entry_that_contains_it() {
        let table = CodeTable::builtin();
        for code in 0..=u16::MAX {
            assert!(table.lookup(code).span.contains(code), "{code}");
        }
    }

    #[test]
    fn a_single_code_wins_over_its_range() {
        let table = CodeTable::builtin();
        assert_eq!(table.lookup(3000).name, "Unauthorized");
        assert_eq!(table.lookup(3001).span, Span::Range { first: 3000, last: 3999 });
        assert_eq!(table.lookup(999).span, Span::Range { first: 0, last: 999 });
        assert_eq!(table.lookup(1016).span, Span::Range { first: 1016, last: 2999 });
        assert_eq!(table.lookup(4999).span, Span::Range { first: 4000, last: 4999 });
        assert_eq!(table.lookup(5000).span, Span::Range { first: 5000, last: 65535 });
    }

    /// RFC 6455 §7.4.1 and §7.4.2, written out by hand.
    #[test]
    fn what_may_travel_follows_the_rfc() {
        let table = CodeTable::builtin();
        for code in 0..=u16::MAX {
            let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            assert_eq!(table.lookup(code).on_wire(), allowed, "{code}");
        }
        for code in [1005, 1006, 1015] {
            assert_eq!(table.lookup(code).wire, Wire::Derived, "{code}");
        }
        assert_eq!(table.lookup(1010).sent_by, SentBy::Client);
        assert!(table.lookup(1005).close_frame && !table.lookup(1006).close_frame);
    }

    #[test]
    fn names_of_registry_documentation_and_libraries_lead_to_the_code() {
        let table = CodeTable::builtin();
        for (name, code) in [
            ("Normal Closure", 1000),
            ("protocol error", 1002),
            ("No Status Rcvd", 1005),
            ("Invalid Payload Data", 1007),
            ("Invalid frame payload data", 1007),
            ("Mandatory Extension", 1010),
            ("Mandatory Ext.", 1010),
            ("TLS handshake", 1015),
            ("TLS Handshake Failure", 1015),
        ] {
            assert_eq!(table.by_name(name).map(|entry| entry.span), Some(Span::One(code)), "{name}");
        }
        assert!(table.by_name("no such name").is_none());
    }

    #[test]
    fn registrations_that_were_not_verified_say_so() {
        let unverified: Vec<_> =
            CodeTable::builtin().entries().iter().filter(|entry| !entry.verified).map(|entry| entry.span).collect();
        assert_eq!(unverified, [3000, 3003, 3008].map(Span::One));
    }

    #[test]
    fn faulty_tables_are_refused() {
        assert!(CodeTable::parse(VALID).is_ok());
        type Expected = fn(&CodeTableError) -> bool;
        let faults: [(&str, Expected); 7] = [
            (&VALID.replace("65535", "65534"), |error| matches!(error, CodeTableError::Unanswered { code: 65535 })),
            (&VALID.replace("[0, 65535]", "[9, 1]"), |error| matches!(error, CodeTableError::Span { .. })),
            (&VALID.replace("source = \"a test\"", "source = \" \""), |error| {
                matches!(error, CodeTableError::Empty { field: "source", .. })
            }),
            (&VALID.replace("\"allowed\"", "\"derived\""), |error| {
                matches!(error, CodeTableError::Contradiction { .. })
            }),
            (&VALID.replace("source", "sauce"), |error| matches!(error, CodeTableError::Toml(_))),
            (&format!("{VALID}{}", VALID.replace("Everything", "Twice")), |error| {
                matches!(error, CodeTableError::CodeTwice { code: 0 })
            }),
            (&format!("{VALID}{}", VALID.replace("range = [0, 65535]", "code = 7")), |error| {
                matches!(error, CodeTableError::NameTwice { .. })
            }),
        ];
        for (toml, expected) in faults {
            let error = CodeTable::parse(toml).unwrap_err();
            assert!(expected(&error), "{error:?}");
        }
    }

    #[test]
    fn spans_print_and_serialise() {
        let table = CodeTable::builtin();
        assert_eq!(table.lookup(4321).span.to_string(), "4000–4999");
        assert_eq!(table.lookup(4321).key(), "4000-4999");
        assert_eq!(serde_json::to_value(table.lookup(4321)).unwrap()["code"], serde_json::json!([4000, 4999]));
        assert_eq!(serde_json::to_value(table.lookup(1010)).unwrap()["sent_by"], "client");
    }
}
