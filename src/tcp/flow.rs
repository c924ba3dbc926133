//! A flow as it is handed out: at its start to whoever consumes it, at its end to the caller.

use super::TcpFacts;
use crate::stream::PerEnd;
use crate::units::{Endpoint, Origin};
use std::fmt;

/// Number of a flow, counted from 0 in order of its first packet; equals `tcp.stream` in tshark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowNumber(pub u64);

impl fmt::Display for FlowNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of a flow at its first segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowStart {
    /// Its number.
    pub number: FlowNumber,
    /// Its first packet.
    pub origin: Origin,
    /// The sender of that packet: [`End::A`](crate::stream::End::A).
    pub a: Endpoint,
    /// The receiver of that packet: [`End::B`](crate::stream::End::B).
    pub b: Endpoint,
}

/// A flow that is over.
#[derive(Debug)]
pub struct Flow<S> {
    /// Its number.
    pub number: FlowNumber,
    /// Who talked.
    pub endpoints: PerEnd<Endpoint>,
    /// Its first packet.
    pub first: Origin,
    /// Its last packet.
    pub last: Origin,
    /// What the segments told.
    pub tcp: TcpFacts,
    /// Why it is over.
    pub end: FlowEnd,
    /// Since when it was over, if it was before it was closed; else its first packet.
    pub over_since: Origin,
    /// Who consumed its bytes.
    pub sink: S,
}

/// Why a flow is over for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowEnd {
    /// One end sent a RST before both had sent a FIN.
    Reset,
    /// Both ends sent a FIN.
    Closed,
    /// A new connection used the same endpoints.
    Replaced,
    /// Forgotten to make room ([`Limits::flows`](crate::limits::Limits::flows)).
    Evicted,
    /// It was open when the capture ended.
    CaptureEnded,
}
