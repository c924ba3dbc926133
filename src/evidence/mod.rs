//! What a capture shows about one connection, as named facts with three possible answers.
//!
//! A fact is *seen* (with its value), *absent* (we watched and it did not happen) or *unknown* (and why). Only this
//! keeps a diagnosis honest: "there was no Close frame" may be concluded from [`Known::Absent`] alone, never from bytes
//! that the capture lacks. The table of all facts is [`FACTS`]; rules, texts and reports speak of facts by these names.

mod extract;
mod facts;
mod table;

pub use facts::{Facts, Subject};
pub use table::{FACTS, Fact, FactId, FactType};

use crate::connection::Applications;
use crate::middlebox::Middleboxes;
use crate::software::Stacks;
use crate::units::PacketNumber;
use std::sync::Arc;

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
#[derive(Debug, Clone, Default)]
pub struct PacketRefs(Packets);

/// Most facts are shown by two packets at most, which need no room of their own.
#[derive(Debug, Clone, Default)]
enum Packets {
    #[default]
    None,
    One([PacketNumber; 1]),
    Two([PacketNumber; 2]),
    More(Vec<PacketNumber>),
}

impl PacketRefs {
    /// How many packets are kept; the first ones win.
    pub const MAX: usize = 8;

    /// Adds a packet, unless it is there already or the list is full.
    pub fn push(&mut self, packet: PacketNumber) {
        match &mut self.0 {
            Packets::None => self.0 = Packets::One([packet]),
            Packets::One([one]) if *one != packet => {
                self.0 = Packets::Two([packet.min(*one), packet.max(*one)]);
            }
            Packets::Two(two) if !two.contains(&packet) => {
                let mut three = vec![two[0], two[1], packet];
                three.sort_unstable();
                self.0 = Packets::More(three);
            }
            Packets::More(more) if more.len() < Self::MAX => {
                if let Err(place) = more.binary_search(&packet) {
                    more.insert(place, packet);
                }
            }
            Packets::One(_) | Packets::Two(_) | Packets::More(_) => {}
        }
    }

    /// The packets, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[PacketNumber] {
        match &self.0 {
            Packets::None => &[],
            Packets::One(one) => one,
            Packets::Two(two) => two,
            Packets::More(more) => more,
        }
    }
}

impl PartialEq for PacketRefs {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for PacketRefs {}

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

/// What is known beforehand of those who speak, and of what lies between them.
#[derive(Debug, Clone)]
pub struct Tables {
    /// The application protocols, and what the user says of Close frames.
    pub applications: Arc<Applications>,
    /// The WebSocket libraries.
    pub stacks: Arc<Stacks>,
    /// The devices on the path whose limits are known.
    pub middleboxes: Arc<Middleboxes>,
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
}
