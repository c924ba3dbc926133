//! What comes to be known of a connection with its end, and what goes wrong before. An open connection in order takes no memory
//! for it.

use super::{Blank, EndSignal, Hops, Leg, Path, Rare};
use crate::tcp::{CopyFacts, EndFacts, FlowEnd, IcmpError};
use crate::units::{Origin, PerSide, Side};
use crate::violation::Violation;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

/// What is known of most connections only when they are over, or we stop following them. What few have is in the [`Oddities`],
/// whose fields read as if they were its own.
#[derive(Debug, Clone)]
pub struct Epilogue {
    /// Signs that the connection is ending, in packet order; a handful at most.
    pub ending: Vec<EndSignal>,
    /// What TCP showed of each side.
    pub tcp: PerSide<EndFacts>,
    /// The packet that opened TCP.
    pub syn: Option<Origin>,
    /// The packet that accepted it.
    pub syn_ack: Option<Origin>,
    /// How many other upgraded connections of the host that ended it were open at that moment; `None` when nobody counted.
    pub others_open: Option<u64>,
    /// The last packet of the capture, when the TCP connection was still open then.
    pub open_until: Option<Origin>,
    /// What made us stop following the TCP connection.
    pub flow_end: FlowEnd,
    oddities: Rare<Oddities>,
}

/// What few connections have.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    /// Rules that were broken, in packet order, at most [`Limits::violations`](crate::limits::Limits::violations): the first
    /// of each rule and side, and the first of the others.
    pub violations: Vec<Violation>,
    /// Violations beyond that bound.
    pub violations_dropped: u64,
    /// Where its packets were recorded more than once.
    pub copies: Option<Copies>,
    /// What each of several points of capture saw, until it is interpreted.
    pub path: Option<Path>,
    /// What happened between those points; `None` when all was recorded at one.
    pub hops: Option<Box<Hops>>,
    /// ICMP errors about its segments, with the side that had sent the segment; the first few.
    pub icmp: Vec<(Side, IcmpError)>,
    /// The connection of which a proxy passed this request on.
    pub front: Option<Box<Leg>>,
    /// The connection on which a proxy passed this request on.
    pub behind: Option<Box<Leg>>,
    /// The packets before which the capture's clock stepped back while this connection lasted, at most
    /// [`Connection::CLOCK_STEPS`](super::Connection::CLOCK_STEPS).
    pub clock_steps: Vec<Origin>,
}

impl Epilogue {
    /// The epilogue of a connection that has none yet.
    pub(super) fn unwritten() -> &'static Self {
        static UNWRITTEN: LazyLock<Epilogue> = LazyLock::new(Epilogue::default);
        &UNWRITTEN
    }

    /// What there is of oddities. To change them otherwise takes memory.
    pub(super) fn known_oddities(&mut self) -> Option<&mut Oddities> {
        self.oddities.known()
    }
}

impl Default for Epilogue {
    fn default() -> Self {
        Self {
            ending: Vec::new(),
            tcp: PerSide::default(),
            syn: None,
            syn_ack: None,
            others_open: None,
            open_until: None,
            flow_end: FlowEnd::CaptureEnded,
            oddities: Rare::default(),
        }
    }
}

impl Deref for Epilogue {
    type Target = Oddities;

    fn deref(&self) -> &Oddities {
        &self.oddities
    }
}

impl DerefMut for Epilogue {
    fn deref_mut(&mut self) -> &mut Oddities {
        &mut self.oddities
    }
}

impl Blank for Oddities {
    fn blank() -> &'static Self {
        static BLANK: LazyLock<Oddities> = LazyLock::new(Oddities::default);
        &BLANK
    }
}

/// Packets of a connection that were recorded more than once; each was used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// Segments recorded again, counted without the first time.
    pub segments: u32,
    /// Where, and what lies between the points.
    pub seen: Box<CopyFacts>,
}
