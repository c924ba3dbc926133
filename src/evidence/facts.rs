//! All facts about one connection. Each is read off the connection when it is asked for the first time, and then kept: an
//! ordinary connection is explained by a few dozen of them.

use super::extract::{Devices, View, drains};
use super::{Evidence, FACTS, FactId, FactType, Known, PacketRefs, Tables, Value, WhyUnknown};
use crate::connection::{Connection, EndSignal};
use crate::crowd::Around;
use crate::middlebox::{Candidate, Recognised};
use crate::software::Recognition;
use crate::units::{PacketNumber, PerSide};
use std::sync::{Arc, OnceLock};

/// A connection, with all that it is seen against.
#[derive(Debug)]
pub struct Subject {
    /// What was seen.
    pub connection: Arc<Connection>,
    /// What the other connections say.
    pub around: Around,
    /// What is known beforehand.
    pub tables: Arc<Tables>,
    /// The place of the first sign of the end among all signs.
    first_end: Option<usize>,
    software: OnceLock<PerSide<Recognition>>,
    shown: OnceLock<Vec<Recognised>>,
    devices: OnceLock<Devices>,
    drains: OnceLock<Vec<Candidate>>,
}

impl Subject {
    /// A connection seen against these.
    #[must_use]
    pub fn new(connection: Arc<Connection>, around: Around, tables: Arc<Tables>) -> Self {
        let signs = &connection.ending;
        let first_end = connection.first_end().and_then(|end| signs.iter().position(|sign| std::ptr::eq(sign, end)));
        Self {
            connection,
            around,
            tables,
            first_end,
            software: OnceLock::new(),
            shown: OnceLock::new(),
            devices: OnceLock::new(),
            drains: OnceLock::new(),
        }
    }

    /// The first sign of the end.
    pub(super) fn end(&self) -> Option<&EndSignal> {
        self.connection.ending.get(self.first_end?)
    }

    /// Which WebSocket library speaks on each side.
    pub fn software(&self) -> &PerSide<Recognition> {
        self.software.get_or_init(|| self.tables.stacks.recognise(&self.connection))
    }

    /// The devices that the handshake gives away.
    pub(super) fn shown(&self) -> &[Recognised] {
        self.shown.get_or_init(|| self.tables.middleboxes.recognise(&self.connection))
    }

    /// What the table of devices says of the end.
    pub(super) fn devices(&self) -> &Devices {
        self.devices.get_or_init(|| Devices::of(&View::new(self)))
    }

    /// The limits of devices to what is left at a reload that fit the end.
    pub(super) fn drains(&self) -> &[Candidate] {
        self.drains.get_or_init(|| drains(&View::new(self)))
    }

    fn read(&self, fact: FactId) -> Evidence {
        let view = View::new(self);
        let answer = (fact.fact().extract)(&view);
        let stepped = fact.ty() == FactType::Seconds && spans_clock_step(&self.connection, answer.packets.as_slice());
        let (value, packets) = match answer.value {
            Known::Seen(_) if stepped => {
                let steps = self.connection.clock_steps.iter().map(|step| step.packet).collect();
                (Known::Unknown(WhyUnknown::ClockStep), steps)
            }
            value => (value, answer.packets),
        };
        Evidence { fact, value, packets, presumed: view.presumed.get() }
    }
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
///
/// Whoever has it to itself [reads](Self::read) what is going to be asked; that is kept in one list. Others may ask for any
/// fact at any time: what is not in the list is read then, and kept as well.
#[derive(Debug, Clone)]
pub struct Facts {
    source: Source,
    read: Vec<Evidence>,
    /// For each fact, its place in that list, counted from 1; 0 for those that are not there.
    places: [u8; FACTS.len()],
    others: OnceLock<Box<Others>>,
}

/// Where facts come from that nobody has asked for yet.
#[derive(Debug, Clone)]
enum Source {
    Subject(Arc<Subject>),
    /// All have the same answer.
    Same(Known<Value>),
}

/// Facts that are near each other in the table are asked for together.
const BLOCK: usize = 8;
const BLOCKS: usize = FACTS.len().div_ceil(BLOCK);

type Others = [OnceLock<Box<Block>>; BLOCKS];
type Block = [OnceLock<Evidence>; BLOCK];

/// As many facts as most connections need to be explained, and a few more.
const USUAL: usize = 40;

impl Facts {
    /// The facts about a connection.
    #[must_use]
    pub fn of(subject: Arc<Subject>) -> Self {
        Self::from(Source::Subject(subject))
    }

    /// All facts with the same answer, to be replaced one by one.
    #[must_use]
    pub fn all(value: &Known<Value>) -> Self {
        Self::from(Source::Same(value.clone()))
    }

    fn from(source: Source) -> Self {
        Self { source, read: Vec::new(), places: [0; FACTS.len()], others: OnceLock::new() }
    }

    /// Replaces the answer to one fact.
    ///
    /// A value that does not fit the fact's type is a mistake in the extractor; debug builds stop there.
    pub fn set(&mut self, fact: FactId, value: Known<Value>, packets: PacketRefs) {
        let evidence = checked(Evidence { fact, value, packets, presumed: false });
        match self.place(fact) {
            Some(place) => self.read[place] = evidence,
            None => {
                self.keep(evidence);
            }
        }
    }

    /// Reads one fact, unless it is known already.
    #[inline]
    pub fn read(&mut self, fact: FactId) -> &Evidence {
        let place = self.place(fact).unwrap_or_else(|| self.keep(self.source.read(fact)));
        &self.read[place]
    }

    /// The place of an answer that is kept from now on.
    fn keep(&mut self, evidence: Evidence) -> usize {
        let place = self.read.len();
        if place == 0 {
            self.read.reserve_exact(USUAL);
        }
        self.places[evidence.fact.index()] = (place + 1) as u8;
        self.read.push(evidence);
        place
    }

    #[inline]
    fn place(&self, fact: FactId) -> Option<usize> {
        usize::from(self.places[fact.index()]).checked_sub(1)
    }

    /// The evidence for one fact.
    #[must_use]
    #[inline]
    pub fn evidence(&self, fact: FactId) -> &Evidence {
        match self.place(fact) {
            Some(place) => &self.read[place],
            None => self.other(fact),
        }
    }

    fn other(&self, fact: FactId) -> &Evidence {
        let others = self.others.get_or_init(|| Box::new([const { OnceLock::new() }; BLOCKS]));
        let block = others[fact.index() / BLOCK].get_or_init(Box::default);
        block[fact.index() % BLOCK].get_or_init(|| self.source.read(fact))
    }

    /// The answer to one fact.
    #[must_use]
    pub fn get(&self, fact: FactId) -> &Known<Value> {
        &self.evidence(fact).value
    }

    /// The number of a fact that was seen and is a number.
    #[must_use]
    pub fn number(&self, fact: FactId) -> Option<f64> {
        self.get(fact).seen()?.number()
    }

    /// The text of a fact that was seen and is a text or a fixed word.
    #[must_use]
    pub fn text(&self, fact: FactId) -> Option<&str> {
        self.get(fact).seen()?.text()
    }

    /// All evidence, in the order of [`FACTS`].
    pub fn iter(&self) -> impl Iterator<Item = &Evidence> {
        FactId::all().map(|fact| self.evidence(fact))
    }
}

impl PartialEq for Facts {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Source {
    fn read(&self, fact: FactId) -> Evidence {
        match self {
            Self::Subject(subject) => checked(subject.read(fact)),
            Self::Same(value) => {
                Evidence { fact, value: value.clone(), packets: PacketRefs::default(), presumed: false }
            }
        }
    }
}

/// Places are bytes.
const _: () = assert!(FACTS.len() < u8::MAX as usize);

fn checked(evidence: Evidence) -> Evidence {
    let Evidence { fact, value, .. } = &evidence;
    debug_assert!(value.seen().is_none_or(|seen| fact.ty().fits(seen)), "{} cannot be {value:?}", fact.name());
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_answer_by_id() {
        let code = FactId::by_name("close.code").expect("a row of the table");
        let mut facts = Facts::all(&Known::Unknown(WhyUnknown::Encrypted));
        facts.set(code, Known::Seen(Value::Int(1009)), PacketRefs::default());
        assert_eq!(facts.get(code), &Known::Seen(Value::Int(1009)));
        assert_eq!(facts.iter().filter(|evidence| evidence.value.seen().is_some()).count(), 1);
    }
}
