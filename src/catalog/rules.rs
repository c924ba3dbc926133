//! Diagnosis rules: flat tables over named facts, loaded from TOML and checked before use.
//!
//! A rule says which facts must hold (`when`), which stable [`Cause`] that means, who can change it, and which fixes
//! apply. It holds no prose: titles, sentences and fixes are in `text/<language>/rules.toml`, keyed by rule and fix id
//! ([`words`]), so that all languages are complete or a test says what is missing.
//!
//! Two ways to be more specific than another rule:
//! * `extends = "parent"`: the parent's conditions hold as well; only what is added is written down, and
//!   `references` and `source` need not be repeated.
//! * `refines = ["other", …]`: wins over those rules when both fire; shares no conditions with them.
//!
//! What would refute a rule that is not certain is said once for each cause, in `data/refutations.toml`; a rule may name
//! its own (`refuted_by`), which rules that extend it and have the same cause share.
//!
//! Exactly one rule has no conditions: the catch-all. Every rule that names no other refines it. There are no priority
//! numbers. Examples are part of a rule and are run by the tests. The first has `given`: the facts in which it differs
//! from the first example of the rule it extends, or else from nothing seen at all (facts not listed are absent). The
//! others have `but`: in what they differ from this rule's first, so that a near miss shows just what it misses.

mod condition;
mod index;
mod load;
mod refutations;
mod show;
pub mod words;

pub use condition::{Condition, Test};
pub use index::{Positions, Question};
pub use load::LoadError;
use words::OwnWords;

use super::source::{Source, packed};
use crate::evidence::{FactId, Facts, Known, PacketRefs, Value};
use std::fmt;
use std::sync::Arc;

macro_rules! names {
    ($(#[doc = $doc:literal])+ $type:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[doc = $vdoc])+ $variant,)+ }

        impl $type {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name, as machines read it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The one with this name.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|each| each.name() == name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// Why a connection ended, as `diagnosis.cause` of the JSON output: few and stable, so that they can be counted.
    Cause {
        /// Closed as intended.
        Normal = "normal",
        /// One end went away: shutdown, or a page that was left.
        GoingAway = "going_away",
        /// A rule of the protocol was broken, or is said to be.
        ProtocolError = "protocol_error",
        /// Text that is not UTF-8.
        InvalidUtf8 = "invalid_utf8",
        /// A kind of data that the receiver does not take.
        UnsupportedData = "unsupported_data",
        /// A policy of the closer.
        Policy = "policy",
        /// A message above the receiver's limit.
        MessageTooBig = "message_too_big",
        /// An extension the client needs was not negotiated.
        MissingExtension = "missing_extension",
        /// An unexpected condition, mostly an exception in a handler.
        InternalError = "internal_error",
        /// The service restarts.
        ServiceRestart = "service_restart",
        /// The service is overloaded.
        TryAgainLater = "try_again_later",
        /// A gateway had a bad answer from behind it.
        BadGateway = "bad_gateway",
        /// A code of the application or its framework, 3000–4999.
        ApplicationCode = "application_code",
        /// A Ping or heartbeat was not answered in time.
        KeepaliveTimeout = "keepalive_timeout",
        /// Nothing was sent for too long.
        IdleTimeout = "idle_timeout",
        /// The connection reached its allowed age.
        LifetimeLimit = "lifetime_limit",
        /// FIN or RST without Close: the program died, was killed or dropped its socket.
        ProcessEnded = "process_ended",
        /// RST without Close, and nothing more to say.
        Reset = "reset",
        /// FIN without Close, and nothing more to say.
        Dropped = "dropped",
        /// A RST that neither end sent.
        ResetInjected = "reset_injected",
        /// Packets did not get through.
        NetworkLoss = "network_loss",
        /// The receiver did not read fast enough.
        SlowConsumer = "slow_consumer",
        /// A Close frame that the peer did not answer.
        CloseNotAnswered = "close_not_answered",
        /// The upgrade was refused with an HTTP status.
        HandshakeRejected = "handshake_rejected",
        /// Something on the path removed the upgrade from the request or the response.
        UpgradeStripped = "upgrade_stripped",
        /// `Sec-WebSocket-Accept` is wrong or missing.
        BadAccept = "bad_accept",
        /// No common WebSocket version.
        VersionMismatch = "version_mismatch",
        /// Connected, but the upgrade request was never answered.
        NoAnswer = "no_answer",
        /// No common subprotocol.
        SubprotocolMismatch = "subprotocol_mismatch",
        /// Extensions were not negotiated as the protocol demands.
        ExtensionMismatch = "extension_mismatch",
        /// Nothing listens on that port.
        ConnectionRefused = "connection_refused",
        /// The SYN was never answered.
        ConnectionTimeout = "connection_timeout",
        /// The network says that the server cannot be reached.
        Unreachable = "unreachable",
        /// The certificate is expired or not yet valid.
        TlsCertificateExpired = "tls_certificate_expired",
        /// The certificate's issuer is not trusted.
        TlsUnknownCa = "tls_unknown_ca",
        /// The certificate is for another name.
        TlsHostnameMismatch = "tls_hostname_mismatch",
        /// The certificate was refused for another reason.
        TlsCertificateRejected = "tls_certificate_rejected",
        /// No common TLS version.
        TlsVersionMismatch = "tls_version_mismatch",
        /// No common cipher suite, group or signature algorithm.
        TlsNoCommonCipher = "tls_no_common_cipher",
        /// The client's certificate is missing or refused.
        TlsClientCertificate = "tls_client_certificate",
        /// The TLS handshake failed otherwise.
        TlsFailed = "tls_failed",
        /// Plain HTTP was sent to a TLS port.
        PlainHttpToTls = "plain_http_to_tls",
        /// TLS was sent to a plain port.
        TlsToPlainPort = "tls_to_plain_port",
        /// The HTTP/2 stream was reset.
        H2StreamReset = "h2_stream_reset",
        /// The HTTP/2 connection was shut down with GOAWAY.
        H2Goaway = "h2_goaway",
        /// The HTTP/2 server does not take extended CONNECT.
        H2ConnectUnsupported = "h2_connect_unsupported",
        /// The capture ends first.
        StillOpen = "still_open",
        /// It ended inside TLS without keys, and nothing more can be said.
        Encrypted = "encrypted",
        /// The capture does not tell, or its evidence contradicts what was announced.
        Unknown = "unknown",
    }
}

names! {
    /// Who can change it, as `diagnosis.party` of the JSON output.
    Party {
        /// The client or its operator.
        Client = "client",
        /// The server or its operator.
        Server = "server",
        /// A proxy, load balancer or gateway between them.
        Proxy = "proxy",
        /// The path between them.
        Network = "network",
        /// Nobody needs to.
        None = "none",
        /// The capture does not tell.
        Unknown = "unknown",
    }
}

names! {
    /// Who can do a fix, as `diagnosis.fixes[].who` of the JSON output.
    Who {
        /// The client or its operator.
        Client = "client",
        /// The server or its operator.
        Server = "server",
        /// Whoever runs the proxy, load balancer or gateway between them.
        Proxy = "proxy",
        /// Whoever runs the path between them.
        Network = "network",
        /// Whoever can: one of them is enough.
        Either = "either",
    }
}

names! {
    /// A party as a rule names it: fixed, or by the role it had in this connection.
    Role {
        /// The client or its operator.
        Client = "client",
        /// The server or its operator.
        Server = "server",
        /// A proxy, load balancer or gateway between them.
        Proxy = "proxy",
        /// The path between them.
        Network = "network",
        /// Nobody; not for fixes.
        None = "none",
        /// The capture does not tell; not for fixes.
        Unknown = "unknown",
        /// Whoever can; only for fixes.
        Either = "either",
        /// The side that ended the connection.
        Ender = "ender",
        /// The other side.
        Peer = "peer",
    }
}

names! {
    /// How well the evidence carries the conclusion; the order is from weak to strong.
    Confidence {
        /// One explanation among several.
        Possible = "possible",
        /// The best explanation by far; others are not excluded.
        Likely = "likely",
        /// The packets prove it.
        Certain = "certain",
    }
}

names! {
    /// What a rule does with a set of facts.
    Outcome {
        /// Every condition holds.
        Fires = "fires",
        /// At least one condition does not hold.
        Fails = "fails",
        /// No condition fails, but the capture cannot answer all of them.
        Undecided = "undecided",
    }
}

/// The stable name of a rule: lowercase words with dashes, naming the cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(Arc<str>);

impl RuleId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a rule that a test makes up.
    #[cfg(test)]
    pub(crate) fn of(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A fix that applies when a rule does; its words are under `fix.<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFix {
    /// Who can do it.
    pub who: Role,
    /// Key of the words.
    pub id: Arc<str>,
}

/// Further conditions under which a rule that fires is surer: they may hold or not, and never keep it from firing.
#[derive(Debug, Clone, PartialEq)]
pub struct Firmer {
    /// What must hold besides.
    pub conditions: Vec<Condition>,
    /// How well all of it together carries the cause.
    pub confidence: Confidence,
}

/// A set of facts and what the rule must make of it.
#[derive(Debug, Clone)]
pub struct Example {
    /// The facts that are not absent.
    given: Vec<(FactId, Known<Value>)>,
    /// The demanded outcome.
    pub expect: Outcome,
    /// Line of its file, from 1.
    pub line: usize,
    /// Whether the conditions under which the rule is surer must hold as well.
    pub firmer: bool,
}

impl Example {
    /// The facts: those not given are absent.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::all(&Known::Absent);
        for (fact, value) in &self.given {
            facts.set(*fact, value.clone(), PacketRefs::default());
        }
        facts
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its stable name.
    pub id: RuleId,
    /// The file it came from.
    pub file: Arc<str>,
    /// The rule whose conditions it shares.
    pub extends: Option<RuleId>,
    /// What must hold: its own conditions first, then those of the rule it extends.
    pub conditions: Vec<Condition>,
    /// The stable cause.
    pub cause: Cause,
    /// Who can change it.
    pub party: Role,
    /// How well the conditions carry the cause.
    pub confidence: Confidence,
    /// What makes it surer than that.
    pub firmer: Option<Firmer>,
    /// What to do, best first.
    pub fixes: Vec<RuleFix>,
    /// What would refute it, as keys of the words under `refute.<key>`.
    pub refuted_by: Arc<[Arc<str>]>,
    /// Where the standard speaks of it.
    pub references: Arc<[Arc<str>]>,
    /// Where the knowledge behind it comes from.
    pub source: Arc<str>,
    /// Its words, when a user wrote it.
    pub own: Option<Arc<OwnWords>>,
    /// Cases it must decide rightly.
    pub examples: Vec<Example>,
    /// Its position in the set.
    index: usize,
    /// The rules it is more specific than, directly or through others.
    ancestors: Positions,
}

impl Rule {
    /// Whether this rule is more specific than `other`, a rule of the same set, directly or through others.
    #[must_use]
    pub fn is_refinement_of(&self, other: &Self) -> bool {
        self.ancestors.contains(other.index)
    }

    /// Its position in the set.
    #[must_use]
    pub fn position(&self) -> usize {
        self.index
    }

    /// The positions of the rules that it is more specific than, directly or through others.
    #[must_use]
    pub fn refined(&self) -> &Positions {
        &self.ancestors
    }

    /// Whether this fact has a value whenever the rule fires, so that a sentence may rely on it.
    #[must_use]
    pub fn guarantees(&self, fact: FactId) -> bool {
        self.conditions.iter().any(|condition| condition.guarantees(fact))
    }
}

/// All rules, in the order of their ids.
#[derive(Debug, Clone)]
pub struct RuleSet {
    rules: Vec<Rule>,
    catch_all: usize,
    questions: Vec<Question>,
}

impl RuleSet {
    /// The rules that come with the program, with their examples.
    ///
    /// # Errors
    /// None, as the tests show; the shipped tables pass through the same loader as any other.
    pub fn builtin() -> Result<Self, LoadError> {
        Self::load(WRITTEN)
    }

    /// Loads rules from `(file name, TOML text)` pairs and checks them as one set.
    ///
    /// # Errors
    /// The first mistake, with file, line and column: TOML syntax, unknown keys, facts or words, values that do not fit
    /// the fact, ids that are malformed, doubled or missing, a circle of `refines`, no (or a second) catch-all.
    pub fn load(files: &[(&str, &str)]) -> Result<Self, LoadError> {
        let sources: Vec<_> = files.iter().map(|(file, text)| Source::toml(file, text)).collect();
        load::load(&sources, sources.len())
    }

    /// The rules that come with the program and those of users' catalogs, which win over them: `(file name, TOML text)` pairs
    /// with the tables `[[rule]]`, whose words stand beside them. The program's own come without examples.
    ///
    /// # Errors
    /// The first mistake, with file, line and column; also when a rule has the id of another.
    pub fn with_own(files: &[(&str, &str)]) -> Result<Self, LoadError> {
        let own = files.iter().map(|(file, text)| Source::toml(file, text));
        let sources: Vec<_> = PACKED.iter().copied().chain(own).collect();
        load::load(&sources, PACKED.len())
    }

    /// All rules, ordered by id.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rules.len()
    }

    /// The rules at these positions.
    pub fn at(&self, positions: &Positions) -> impl Iterator<Item = &Rule> {
        positions.iter().filter_map(|at| self.rules.get(at))
    }

    /// The rule at a [position](Rule::position) of this set; of another one, the catch-all.
    #[must_use]
    pub fn get(&self, position: usize) -> &Rule {
        self.rules.get(position).unwrap_or_else(|| self.catch_all())
    }

    /// What all of them ask, each condition once: what decides most rules goes first.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The rule with this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Rule> {
        self.rules.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok().map(|at| &self.rules[at])
    }

    /// The rule without conditions, which guarantees that every connection has a diagnosis.
    #[must_use]
    pub fn catch_all(&self) -> &Rule {
        &self.rules[self.catch_all]
    }
}

/// Names the files of rules once, for both of their forms.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        /// As they are written, for the tests.
        const WRITTEN: &[(&str, &str)] =
            &[$((concat!($name, ".toml"), include_str!(concat!("data/rules/", $name, ".toml")))),+];

        /// As the program reads them.
        const PACKED: &[Source<'static>] = &[$(packed!("data/rules", $name)),+];
    };
}

files!(
    "closing",
    "violations",
    "no_close",
    "crowd",
    "handshake",
    "tls",
    "tls_clear",
    "tls_end",
    "tls_inferred",
    "applications",
    "announced",
    "services",
    "open",
    "stacks",
    "middlebox",
);
