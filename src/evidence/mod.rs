//! What a capture shows about one connection, as named facts with three possible answers.
//!
//! A fact is *seen* (with its value), *absent* (we watched and it did not happen) or *unknown* (and why). Only this
//! keeps a diagnosis honest: "there was no Close frame" may be concluded from [`Known::Absent`] alone, never from bytes
//! that the capture lacks. The table of all facts is [`FACTS`]; rules, texts and reports speak of facts by these names.

mod extract;
mod table;

pub use table::{FACTS, Fact, FactId, FactType};

use crate::connection::{Applications, Connection};
use crate::crowd::Around;
use crate::middlebox::Middleboxes;
use crate::software::{Recognition, Stacks};
use crate::units::{PacketNumber, PerSide};
use extract::View;

/// The answer to one question about a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Known<T> {
    /// It happened, or is so.
    Seen(T),
    /// We watched, and it did not happen.
    Absent,
    /// This capture cannot tell.
    Unknown(WhyUnknown),
}

impl<T> Known<T> {
    /// The value, when there is one.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// The same answer with the value, if any, changed by `f`.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Seen(value) => Known::Seen(f(value)),
            Self::Absent => Known::Absent,
            Self::Unknown(why) => Known::Unknown(why),
        }
    }

    /// `Some` is seen, `None` is absent: for what was watched completely.
    pub fn watched(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Seen)
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a capture cannot answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum WhyUnknown {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl WhyUnknown {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name, as machines read it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

reasons! {
    /// Bytes are missing in between: the capture lost packets.
    Gap = "gap",
    /// Packets were recorded short (snapshot length).
    CutByCapture = "cut_by_capture",
    /// The capture began when the connection was already open.
    JoinedLate = "joined_late",
    /// Only one direction was captured.
    OneSided = "one_sided",
    /// It is inside TLS, and no keys were given.
    Encrypted = "encrypted",
    /// Nothing in the capture speaks of it.
    NotCaptured = "not_captured",
    /// One of our own bounds was reached.
    Limit = "limit",
    /// The capture ended before it could be told.
    CaptureEnded = "capture_ended",
    /// The packets carry no time (pcapng Simple Packet Blocks).
    NoTime = "no_time",
    /// The capture's clock stepped in between.
    ClockStep = "clock_step",
}

/// The value of a fact that was seen. Its kind always fits the fact's [`FactType`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A number, or a number of bytes.
    Int(i64),
    /// Seconds.
    Float(f64),
    /// Text from the wire: not yet cleaned of control characters.
    Text(Box<str>),
    /// One of the fact's fixed words.
    Enum(&'static str),
}

impl Value {
    /// The number, of a number.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Bool(_) | Self::Text(_) | Self::Enum(_) => None,
        }
    }

    /// The text, of a text or a fixed word.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Enum(word) => Some(word),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => None,
        }
    }
}

/// The packets that show a fact: a few of them, in capture order, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PacketRefs(Vec<PacketNumber>);

impl PacketRefs {
    /// How many packets are kept; the first ones win.
    pub const MAX: usize = 8;

    /// Adds a packet, unless it is there already or the list is full.
    pub fn push(&mut self, packet: PacketNumber) {
        if self.0.len() < Self::MAX
            && let Err(place) = self.0.binary_search(&packet)
        {
            self.0.insert(place, packet);
        }
    }

    /// The packets, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[PacketNumber] {
        &self.0
    }
}

impl FromIterator<PacketNumber> for PacketRefs {
    fn from_iter<I: IntoIterator<Item = PacketNumber>>(packets: I) -> Self {
        let mut refs = Self::default();
        packets.into_iter().for_each(|packet| refs.push(packet));
        refs
    }
}

/// One fact about one connection, with the packets that show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Which fact.
    pub fact: FactId,
    /// Its answer.
    pub value: Known<Value>,
    /// Where it is seen. May be empty, above all for what is absent.
    pub packets: PacketRefs,
    /// It presumes that the peers kept to the closing handshake of RFC 6455 §5.5.1 before the capture began: no data
    /// after a Close frame, and a Close frame in answer to one.
    pub presumed: bool,
}

/// What a connection is seen against: what is known beforehand, and what the rest of the capture says.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The application protocols, and what the user says of Close frames.
    pub applications: &'a Applications,
    /// The WebSocket libraries that are known.
    pub stacks: &'a Stacks,
    /// Which of them speaks on each side.
    pub software: &'a PerSide<Recognition>,
    /// The devices whose limits are known.
    pub middleboxes: &'a Middleboxes,
    /// What the other connections say.
    pub around: &'a Around,
}

/// Reads every fact off a connection.
#[must_use]
pub fn collect(connection: &Connection, context: Context<'_>) -> Facts {
    let view = View::new(connection, context);
    let evidence = |fact: FactId| {
        view.presumed.set(false);
        let answer = (fact.fact().extract)(&view);
        let stepped = fact.ty() == FactType::Seconds && spans_clock_step(connection, answer.packets.as_slice());
        let (value, packets) = match answer.value {
            Known::Seen(_) if stepped => {
                let steps = connection.clock_steps.iter().map(|step| step.packet).collect();
                (Known::Unknown(WhyUnknown::ClockStep), steps)
            }
            value => (value, answer.packets),
        };
        Evidence { fact, value, packets, presumed: view.presumed.get() }
    };
    let facts = Facts(FactId::all().map(evidence).collect());
    debug_assert!(facts.iter().all(|evidence| evidence.value.seen().is_none_or(|seen| evidence.fact.ty().fits(seen))));
    facts
}

/// Whether a duration shown by these packets is none, because the clock stepped. One that names fewer than two packets
/// may have been measured anywhere in the connection.
fn spans_clock_step(connection: &Connection, packets: &[PacketNumber]) -> bool {
    match packets {
        [first, .., last] => connection.clock_stepped(*first, *last),
        _ => !connection.clock_steps.is_empty(),
    }
}

/// Every fact about one connection: one [`Evidence`] for each row of [`FACTS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Facts(Vec<Evidence>);

impl Facts {
    /// All facts with the same answer, to be replaced one by one.
    #[must_use]
    pub fn all(value: &Known<Value>) -> Self {
        Self(
            FactId::all()
                .map(|fact| Evidence { fact, value: value.clone(), packets: PacketRefs::default(), presumed: false })
                .collect(),
        )
    }

    /// Replaces the answer to one fact.
    ///
    /// A value that does not fit the fact's type is a mistake in the extractor; debug builds stop there.
    pub fn set(&mut self, fact: FactId, value: Known<Value>, packets: PacketRefs) {
        debug_assert!(value.seen().is_none_or(|seen| fact.ty().fits(seen)), "{} cannot be {value:?}", fact.name());
        self.0[fact.index()] = Evidence { fact, value, packets, presumed: false };
    }

    /// The evidence for one fact.
    #[must_use]
    pub fn evidence(&self, fact: FactId) -> &Evidence {
        &self.0[fact.index()]
    }

    /// The answer to one fact.
    #[must_use]
    pub fn get(&self, fact: FactId) -> &Known<Value> {
        &self.evidence(fact).value
    }

    /// All evidence, in the order of [`FACTS`].
    pub fn iter(&self) -> impl Iterator<Item = &Evidence> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_refs_are_sorted_unique_and_bounded() {
        let numbers = [9, 3, 3, 7].into_iter().chain(20..40).filter_map(PacketNumber::new);
        let refs: PacketRefs = numbers.collect();
        let values: Vec<_> = refs.as_slice().iter().map(|packet| packet.value()).collect();
        assert_eq!(values, [3, 7, 9, 20, 21, 22, 23, 24]);
    }

    #[test]
    fn facts_answer_by_id() {
        let code = FactId::by_name("close.code").expect("a row of the table");
        let mut facts = Facts::all(&Known::Unknown(WhyUnknown::Encrypted));
        facts.set(code, Known::Seen(Value::Int(1009)), PacketRefs::default());
        assert_eq!(facts.get(code), &Known::Seen(Value::Int(1009)));
        assert_eq!(facts.iter().filter(|evidence| evidence.value.seen().is_some()).count(), 1);
    }
}
