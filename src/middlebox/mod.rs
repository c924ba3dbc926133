//! The proxies, load balancers and other devices that are known: how they show themselves, how long they let a connection
//! be idle or live, and how they end it.
//!
//! The devices are data (`catalog/data/middleboxes.toml`, read by `catalog::middleboxes`); here is what is done with it:
//! [`Middleboxes::recognise`] reads the headers of a connection, [`Middleboxes::match_idle`] and
//! [`Middleboxes::match_lifetime`] compare how it ended with the limits.

mod matching;
mod recognise;

pub use matching::{Candidate, Cut, Ending, Fit};
pub use recognise::Recognised;

use crate::memo::Memo;
use recognise::Shown;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The devices that are known, in the order of the table, and the round times that people set.
#[derive(Debug, Clone, Default)]
pub struct Middleboxes {
    devices: Vec<Arc<Device>>,
    /// By the kind of limit: the places of the devices that have one, and of the limit among theirs.
    limits: [Vec<(usize, usize)>; LimitKind::ALL.len()],
    round: Round,
    shortest: Shortest,
    /// The devices that heads give away, by what is looked at in them.
    shown: Memo<Vec<Shown>>,
}

/// Seconds below which no limit of any device can explain an end.
#[derive(Debug, Clone, Copy, Default)]
struct Shortest {
    idle: f64,
    lifetime: f64,
}

/// Times in seconds that are set by hand.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Idle timeouts, ascending.
    pub idle: Vec<f64>,
    /// Lifetimes, ascending.
    pub lifetime: Vec<f64>,
}

impl Middleboxes {
    /// These devices and round times.
    #[must_use]
    pub fn new(devices: Vec<Device>, round: Round) -> Self {
        Self::of(devices.into_iter().map(Arc::new).collect(), round)
    }

    fn of(devices: Vec<Arc<Device>>, round: Round) -> Self {
        let mut limits: [Vec<(usize, usize)>; LimitKind::ALL.len()] = Default::default();
        for (at, device) in devices.iter().enumerate() {
            for (index, limit) in device.limits.iter().enumerate() {
                limits[limit.kind as usize].push((at, index));
            }
        }
        let shortest = Shortest::of(&devices, &round);
        Self { devices, limits, round, shortest, shown: Memo::default() }
    }

    /// The same with more devices, which go before those known: one of a known name takes its place.
    #[must_use]
    pub fn with(&self, extra: Vec<Device>) -> Self {
        let is_known = |device: &&Arc<Device>| !extra.iter().any(|new| new.name == device.name);
        let known: Vec<_> = self.devices.iter().filter(is_known).cloned().collect();
        Self::of(extra.into_iter().map(Arc::new).chain(known).collect(), self.round.clone())
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Arc<Device>] {
        &self.devices
    }
}

/// One kind of device, or a service with limits of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// The stable name, lowercase with dashes.
    pub name: Box<str>,
    /// What people call it; the same in every language.
    pub title: Box<str>,
    /// What of a connection it takes part in.
    pub layer: Layer,
    /// What gives it away; any one is enough.
    pub signs: Vec<Sign>,
    /// Every handshake that passes it has one of them.
    pub always_shows: bool,
    /// Its limits.
    pub limits: Vec<Limit>,
}

/// Something in the handshake by which a device is recognised. All texts are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// `Server` of the response holds this.
    Server(Box<str>),
    /// `Via` holds this.
    Via(Head, Box<str>),
    /// There is a field of this name; `*` at its end stands for any ending.
    Field(Head, Box<str>),
    /// The response sets a cookie whose name begins with this.
    Cookie(Box<str>),
    /// The host that the client asked for holds this.
    Host(Box<str>),
    /// The subprotocol that was agreed on holds this.
    Subprotocol(Box<str>),
}

/// One of the two heads of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// The client's.
    Request,
    /// The server's.
    Response,
}

/// For how long a device lets something be.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// What it limits.
    pub kind: LimitKind,
    /// Defaults, in seconds.
    pub seconds: Vec<f64>,
    /// What packages and guides set besides, in seconds.
    pub usual: Vec<f64>,
    /// What can be set, in seconds.
    pub range: Option<RangeInclusive<f64>>,
    /// Whose bytes start an idle timer anew.
    pub counts: Counts,
    /// How it ends the connection on the leg to the client; empty where that is not known.
    pub client: Vec<CutKind>,
    /// The same on the leg to the server.
    pub upstream: Vec<CutKind>,
    /// The Close frame it sends, where it sends one.
    pub close: Option<CloseMark>,
    /// Seconds by which it may be early or late, where that is more than a timer's jitter.
    pub tolerance: f64,
    /// The setting; `None` where it cannot be changed.
    pub setting: Option<Box<str>>,
    /// Where that is set.
    pub place: Option<Box<str>>,
    /// How to write another value.
    pub snippet: Option<Snippet>,
    /// How well this is known.
    pub grade: Grade,
    /// The version it was measured with.
    pub version: Option<Box<str>>,
    /// Where the knowledge comes from.
    pub source: Box<str>,
}

macro_rules! words {
    ($(#[doc = $doc:literal])+ $type:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type { $($(#[doc = $vdoc])+ $variant,)+ }

        impl $type {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word of the table.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

words! {
    /// What a limit limits.
    LimitKind {
        /// Time without traffic.
        Idle = "idle",
        /// Age, traffic or not.
        Lifetime = "lifetime",
        /// What connections are left when the device is reloaded or stopped.
        Drain = "drain",
    }
}

words! {
    /// Whose bytes start an idle timer anew.
    Counts {
        /// Those of both sides.
        Either = "either",
        /// Those of the server alone.
        FromServer = "from_server",
        /// Those of the client alone.
        FromClient = "from_client",
    }
}

words! {
    /// How a device ends a connection.
    CutKind {
        /// TCP FIN.
        Fin = "fin",
        /// TCP RST.
        Rst = "rst",
        /// A Close frame.
        Close = "close",
        /// It forgets the connection, and answers the next packet with a RST or not at all.
        Forget = "forget",
    }
}

words! {
    /// How well something is known, the best first.
    Grade {
        /// Measured here.
        Measured = "measured",
        /// Read in the source.
        Source = "source",
        /// Said by the maker.
        Documented = "documented",
        /// Said by others.
        Reported = "reported",
        /// General knowledge that nobody has checked.
        Unverified = "unverified",
    }
}

words! {
    /// What of a connection a device takes part in.
    Layer {
        /// It reads the handshake and ends TCP on both sides. Bytes of payload are traffic to it, TCP keep-alives are not.
        Http = "http",
        /// It forwards packets. Every packet is traffic to it.
        Tcp = "tcp",
        /// It is no device but the server's operator.
        Service = "service",
    }
}

/// The Close frame that a device sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseMark {
    /// Its code.
    pub code: u16,
    /// Its reason; empty where it sends none.
    pub reason: Box<str>,
}

/// How a value is written, with a place for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    before: Box<str>,
    unit: Unit,
    after: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Minutes,
    Milliseconds,
}

impl Snippet {
    /// Reads a text with exactly one of `{seconds}`, `{minutes}` and `{milliseconds}`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let units =
            [("{seconds}", Unit::Seconds), ("{minutes}", Unit::Minutes), ("{milliseconds}", Unit::Milliseconds)];
        let mut found =
            units.into_iter().flat_map(|(place, unit)| text.match_indices(place).map(move |hit| (hit, unit)));
        let ((at, place), unit) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        Some(Self { before: text[..at].into(), unit, after: text[at + place.len()..].into() })
    }

    /// The text with a value of at least so many seconds.
    #[must_use]
    pub fn with(&self, seconds: f64) -> String {
        let value = match self.unit {
            Unit::Seconds => seconds,
            Unit::Minutes => seconds / 60.0,
            Unit::Milliseconds => seconds * 1000.0,
        };
        format!("{}{:.0}{}", self.before, value.ceil(), self.after)
    }

    /// The text with its place unfilled, as the table has it.
    #[must_use]
    pub fn template(&self) -> String {
        let place = match self.unit {
            Unit::Seconds => "{seconds}",
            Unit::Minutes => "{minutes}",
            Unit::Milliseconds => "{milliseconds}",
        };
        format!("{}{place}{}", self.before, self.after)
    }
}

impl Limit {
    /// Whether somebody can change it.
    #[must_use]
    pub fn is_settable(&self) -> bool {
        self.setting.is_some()
    }

    /// A higher value that would have kept a connection with a timer of `seconds` in which something is sent every
    /// `rhythm` seconds: twice the longer of both, in whole tens of seconds. `None` when it cannot be set that high.
    #[must_use]
    pub fn raised(&self, seconds: f64, rhythm: Option<f64>) -> Option<f64> {
        self.setting.as_ref()?;
        let wanted = match self.kind {
            LimitKind::Idle => (2.0 * seconds.max(rhythm.unwrap_or(0.0)) / 10.0).ceil() * 10.0,
            LimitKind::Lifetime | LimitKind::Drain if seconds < HOUR => HOUR,
            LimitKind::Lifetime | LimitKind::Drain => 24.0 * HOUR,
        };
        let most = self.range.as_ref().map_or(f64::MAX, |range| *range.end());
        Some(wanted.min(most)).filter(|value| *value > seconds)
    }
}

const HOUR: f64 = 3600.0;
