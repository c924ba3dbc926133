//! Which WebSocket library speaks on a side, told from what it writes and how it behaves.
//!
//! The libraries are data ([`Stack`], read from the catalogue); this module compares. A library is named by what it says of
//! itself in a header, by the order and letters of its header fields, by the wording of its Close reasons, and by habits:
//! how it echoes a Close frame, what its Pings look like, how long it waits. What only fits many libraries names none of
//! them: a wrong name is worse than none.

mod pattern;
mod recognise;
mod signs;
mod snippet;

pub use pattern::{FieldOrder, OrderMatch, ReasonPattern, Stated};
pub use recognise::{KnownBy, Recognition, Sureness};
pub use snippet::Snippet;

use crate::connection::{ClosePayload, Connection, EndSignal, EndSignalKind, close_code};
use crate::memo::Memo;
use crate::units::{PerSide, Side};
use recognise::HeadFit;
use std::collections::HashSet;
use std::sync::Arc;

/// The libraries that are known, in the order of the table.
#[derive(Debug, Clone, Default)]
pub struct Stacks {
    stacks: Vec<Arc<Stack>>,
    stated: Vec<ReasonPattern>,
    /// Names of all fields that an order of fields speaks of, in lower case.
    fields: PerSide<HashSet<Box<str>>>,
    /// The idle timers that any of them has, each once.
    idle: PerSide<Vec<(EndStyle, f64)>>,
    /// How well a head fits each of them, by all that is looked at in it.
    heads: PerSide<Memo<Vec<HeadFit>>>,
}

/// How far an entry of the table may be trusted: what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// General knowledge, not verified. Never names a library with more than "possible".
    Known,
    /// A secondary page or an issue.
    Secondary,
    /// The vendor's documentation.
    Documented,
    /// Read in its source.
    Source,
    /// Measured with the version named.
    Measured,
}

/// One library or server.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The stable name, as machines read it.
    pub name: Box<str>,
    /// The name as people write it.
    pub title: Box<str>,
    /// The programming language, or what else it is part of.
    pub language: Box<str>,
    /// What the entry rests on.
    pub grade: Grade,
    /// The version that was measured or read.
    pub version: Option<Box<str>>,
    /// Where the knowledge comes from.
    pub source: Box<str>,
    /// How it is as a client and as a server; `None` where it is no such thing.
    pub habits: PerSide<Option<Habits>>,
}

/// How a library behaves in one role.
#[derive(Debug, Clone, Default)]
pub struct Habits {
    /// Parts of `Server` or `User-Agent` that name it; its version may follow.
    pub named: Vec<Box<str>>,
    /// That name is borrowed by others, so that it counts only together with the order of the fields.
    pub name_is_borrowed: bool,
    /// Field names that only it writes.
    pub fields: Vec<Box<str>>,
    /// Heads as it writes them.
    pub heads: Vec<Head>,
    /// Close reasons as it writes them.
    pub reasons: Vec<Said>,
    /// What it sends back to a Close frame with code and reason.
    pub echo: Option<Echo>,
    /// The application protocols without one of which it is not met, as the table of applications names them.
    pub applications: Vec<Box<str>>,
    /// Its Pings.
    pub ping: Option<PingHabit>,
    /// How it ends a connection on which nothing comes.
    pub idle: Option<IdleHabit>,
    /// Seconds it waits for the answer to its Close frame before it ends TCP.
    pub close_wait_s: Option<f64>,
    /// The largest message or frame it takes by default.
    pub limit: Option<LimitHabit>,
    /// How a connection ends when the handler fails.
    pub exception: Option<HandlerError>,
    /// The code of the Close frame with which it goes down.
    pub shutdown_code: Option<u16>,
    /// How to make it send Pings, or heartbeats.
    pub keepalive: Option<Snippet>,
}

/// How telling a sign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Telling {
    /// Many do so.
    Shared,
    /// Few do so.
    Few,
    /// Only this one is known to do so.
    Unique,
}

/// A head as a library writes it.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its fields.
    pub order: FieldOrder,
    /// How telling it is.
    pub telling: Telling,
    /// The reason phrase, if it is a sign.
    pub phrase: Option<Box<str>>,
    /// The value of `Upgrade`, if its letters are a sign.
    pub upgrade: Option<Box<str>>,
    /// The value of `Connection`, likewise.
    pub connection: Option<Box<str>>,
    /// The value of `Sec-WebSocket-Extensions`.
    pub extensions: Option<Box<str>>,
}

/// A Close reason as a library writes it.
#[derive(Debug, Clone)]
pub struct Said {
    /// The words.
    pub like: ReasonPattern,
    /// The code they come with; `None` for any.
    pub code: Option<u16>,
    /// How telling they are.
    pub telling: Telling,
}

/// What a library sends back to a Close frame that has a code and a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// Both.
    CodeAndReason,
    /// The code alone.
    Code,
    /// 1000 whatever came.
    Normal,
}

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndStyle {
    /// A Close frame with this code.
    Code(u16),
    /// A Close frame without a code.
    Empty,
    /// FIN without a Close frame.
    Fin,
    /// RST without a Close frame.
    Rst,
}

/// The Pings of a library.
#[derive(Debug, Clone)]
pub struct PingHabit {
    /// Bytes of their payload; `None` when that varies.
    pub bytes: Option<u64>,
    /// Seconds between them; `None` when it sends none unless told.
    pub every_s: Option<f64>,
    /// Seconds that it waits for the Pong.
    pub timeout_s: Option<f64>,
    /// How it ends the connection then.
    pub ends: Vec<EndStyle>,
    /// How to make it wait longer.
    pub write: Option<Snippet>,
}

/// How a library ends a connection on which nothing comes.
#[derive(Debug, Clone)]
pub struct IdleHabit {
    /// Seconds of silence.
    pub after_s: f64,
    /// How it ends the connection then.
    pub ends: EndStyle,
    /// How to make it wait longer.
    pub write: Option<Snippet>,
}

/// The largest message or frame that a library takes by default.
#[derive(Debug, Clone)]
pub struct LimitHabit {
    /// In bytes; `None` when it has none by default and the setting alone is known.
    pub bytes: Option<u64>,
    /// How it ends the connection when there is more.
    pub ends: Vec<EndStyle>,
    /// How to raise it.
    pub write: Option<Snippet>,
}

macro_rules! words {
    ($(#[doc = $doc:literal])+ $type:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[doc = $vdoc])+ $variant,)+ }

        impl $type {
            /// Their stable names.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The stable name, as machines read it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The one with this name.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|each| each.name() == name)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How a connection ends when its handler fails.
    HandlerError {
        /// Close frame 1011.
        InternalError = "close_1011",
        /// Close frame 1002.
        ProtocolError = "close_1002",
        /// Close frame 1000, as if all were well.
        Normal = "close_1000",
        /// FIN or RST without a Close frame, which a handler that returns does not bring about.
        Drop = "drop",
        /// The same, but a handler that returns, or closes its socket, looks alike.
        DropAlways = "drop_always",
        /// The whole program exits.
        Exit = "process_exits",
    }
}

impl Stacks {
    /// The libraries of a table, and how reasons in general state a limit.
    #[must_use]
    pub fn new(stacks: Vec<Stack>, stated: Vec<ReasonPattern>) -> Self {
        let mut fields: PerSide<HashSet<Box<str>>> = PerSide::default();
        let mut idle: PerSide<Vec<(EndStyle, f64)>> = PerSide::default();
        for side in Side::BOTH {
            for habits in stacks.iter().filter_map(|stack| stack.habits[side].as_ref()) {
                habits.heads.iter().for_each(|head| head.order.add_names(&mut fields[side]));
                let timer = habits.idle.as_ref().map(|idle| (idle.ends, idle.after_s));
                if let Some(timer) = timer.filter(|timer| !idle[side].contains(timer)) {
                    idle[side].push(timer);
                }
            }
        }
        Self { stacks: stacks.into_iter().map(Arc::new).collect(), stated, fields, idle, heads: PerSide::default() }
    }

    /// All of them, in the order of the table.
    pub fn all(&self) -> impl Iterator<Item = &Stack> {
        self.stacks.iter().map(|stack| &**stack)
    }

    /// Names the library on each side, as far as the connection tells.
    #[must_use]
    pub fn recognise(&self, connection: &Connection) -> PerSide<Recognition> {
        let of = |side| recognise::recognise(self, side, &signs::Signs::of(connection, side));
        PerSide { client: of(Side::Client), server: of(Side::Server) }
    }

    /// Whether any library ends a connection so after that many seconds on which nothing came.
    #[must_use]
    pub fn has_idle_timer(&self, side: Side, ends: EndStyle, seconds: f64) -> bool {
        self.idle[side].iter().any(|(style, after_s)| *style == ends && is_timer(seconds, *after_s))
    }

    /// The limit in bytes that a Close reason states.
    #[must_use]
    pub fn stated_limit(&self, reason: &str) -> Option<u64> {
        let of_stacks = self.stacks.iter().flat_map(|stack| [&stack.habits.client, &stack.habits.server]);
        let said = of_stacks.flatten().flat_map(|habits| &habits.reasons).map(|said| &said.like);
        said.chain(&self.stated).filter(|like| like.names_limit()).find_map(|like| like.matches(reason)?.limit)
    }

    /// The libraries that end a connection as `side` ended this one, for a reason of which `fits` knows.
    pub fn that_would<'a, T>(
        &'a self,
        side: Side,
        recognition: &Recognition,
        fits: impl Fn(&'a Habits) -> Option<T>,
    ) -> Vec<(&'a Stack, T)> {
        let is_possible = |stack: &&Stack| recognition.allows(stack);
        let fitting = |stack: &'a Stack| stack.habits[side].as_ref().and_then(&fits).map(|what| (stack, what));
        self.all().filter(is_possible).filter_map(fitting).collect()
    }
}

impl EndStyle {
    /// How this sign ended its connection; `None` for one that is neither Close frame nor TCP.
    #[must_use]
    pub fn of(connection: &Connection, end: &EndSignal) -> Option<Self> {
        match end.kind {
            EndSignalKind::Fin | EndSignalKind::CloseNotify => Some(Self::Fin),
            EndSignalKind::Rst => Some(Self::Rst),
            EndSignalKind::CloseFrame => match &connection.traffic[end.by].close.as_ref()?.payload {
                ClosePayload::Empty => Some(Self::Empty),
                payload => close_code(payload).map(Self::Code),
            },
            EndSignalKind::TlsAlert | EndSignalKind::HandshakeRejected => None,
        }
    }

    /// Whether no Close frame says what happened.
    #[must_use]
    pub fn is_silent(self) -> bool {
        matches!(self, Self::Fin | Self::Rst)
    }
}

/// Whether a duration is this timer, which fires a little late: no further away than half a second or 0.2 %.
#[must_use]
pub fn is_timer(seconds: f64, timer_s: f64) -> bool {
    (seconds - timer_s).abs() <= (timer_s * 0.002).max(0.5)
}
