//! What comes to be known of a connection with its end, and what goes wrong before. An open connection in order takes no memory
//! for it.

use super::{EndSignal, Hops, Leg, Path};
use crate::tcp::{CopyFacts, EndFacts, FlowEnd, IcmpError};
use crate::units::{Origin, PerSide, Side};
use crate::violation::Violation;
use std::sync::LazyLock;

/// What is known of most connections only when they are over, or we stop following them.
#[derive(Debug, Clone)]
pub struct Epilogue {
    /// Signs that the connection is ending, in packet order; a handful at most.
    pub ending: Vec<EndSignal>,
    /// Rules that were broken, in packet order, at most [`Limits::violations`](crate::limits::Limits::violations): the first
    /// of each rule and side, and the first of the others.
    pub violations: Vec<Violation>,
    /// Violations beyond that bound.
    pub violations_dropped: u64,
    /// What TCP showed of each side.
    pub tcp: PerSide<EndFacts>,
    /// Where its packets were recorded more than once.
    pub copies: Option<Copies>,
    /// What each of several points of capture saw, until it is interpreted.
    pub path: Option<Path>,
    /// What happened between those points; `None` when all was recorded at one.
    pub hops: Option<Box<Hops>>,
    /// The packet that opened TCP.
    pub syn: Option<Origin>,
    /// The packet that accepted it.
    pub syn_ack: Option<Origin>,
    /// ICMP errors about its segments, with the side that had sent the segment; the first few.
    pub icmp: Vec<(Side, IcmpError)>,
    /// The connection of which a proxy passed this request on.
    pub front: Option<Box<Leg>>,
    /// The connection on which a proxy passed this request on.
    pub behind: Option<Box<Leg>>,
    /// How many other upgraded connections of the host that ended it were open at that moment; `None` when nobody counted.
    pub others_open: Option<u64>,
    /// The last packet of the capture, when the TCP connection was still open then.
    pub open_until: Option<Origin>,
    /// The packets before which the capture's clock stepped back while this connection lasted, at most
    /// [`Connection::CLOCK_STEPS`](super::Connection::CLOCK_STEPS).
    pub clock_steps: Vec<Origin>,
    /// What made us stop following the TCP connection.
    pub flow_end: FlowEnd,
}

impl Epilogue {
    /// The epilogue of a connection that has none yet.
    pub(super) fn unwritten() -> &'static Self {
        static UNWRITTEN: LazyLock<Epilogue> = LazyLock::new(Epilogue::default);
        &UNWRITTEN
    }
}

impl Default for Epilogue {
    fn default() -> Self {
        Self {
            ending: Vec::new(),
            violations: Vec::new(),
            violations_dropped: 0,
            tcp: PerSide::default(),
            copies: None,
            path: None,
            hops: None,
            syn: None,
            syn_ack: None,
            icmp: Vec::new(),
            front: None,
            behind: None,
            others_open: None,
            open_until: None,
            clock_steps: Vec::new(),
            flow_end: FlowEnd::CaptureEnded,
        }
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
