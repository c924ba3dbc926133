//! The hand-over between layers: ordered bytes of one end of a connection, and the holes in them.
//!
//! `tcp` produces these; whatever sits on top consumes them. Bytes are borrowed from the read buffer whenever they came
//! in order, so a consumer keeps only what it must.

use crate::units::{Origin, StreamOffset};
use std::ops::{Index, IndexMut};

/// One of the two ends of a TCP connection, in order of first sight.
///
/// Which of them is the WebSocket client is not known here: see `stack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The end whose packet was seen first.
    A,
    /// The other one.
    B,
}

impl End {
    /// Both ends.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The peer of this end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// One value for each end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerEnd<T> {
    /// The first-seen end's.
    pub a: T,
    /// The other end's.
    pub b: T,
}

impl<T> Index<End> for PerEnd<T> {
    type Output = T;
    fn index(&self, end: End) -> &T {
        match end {
            End::A => &self.a,
            End::B => &self.b,
        }
    }
}

impl<T> IndexMut<End> for PerEnd<T> {
    fn index_mut(&mut self, end: End) -> &mut T {
        match end {
            End::A => &mut self.a,
            End::B => &mut self.b,
        }
    }
}

/// In-order bytes sent by one end, never empty.
///
/// Chunks and gaps of one end come in order of `offset` and cover it without overlap.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// Who sent them.
    pub from: End,
    /// Where they start in that end's stream.
    pub offset: StreamOffset,
    /// The packet that carried them.
    pub origin: Origin,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Bytes of one end that we will never get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Who sent them.
    pub from: End,
    /// Where they start in that end's stream.
    pub offset: StreamOffset,
    /// How many; `None` when the capture does not tell.
    pub len: Option<u64>,
    /// Why they are missing.
    pub reason: GapReason,
    /// The packet at which the loss was certain.
    pub origin: Origin,
}

/// Why bytes are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// No packet of the capture holds them, though later bytes or an acknowledgement show they were sent.
    NotCaptured,
    /// The packet is there but was recorded short (snapshot length).
    CutByCapture,
    /// They may have come, but one of our own bounds kept us from waiting for them, or made us drop them.
    Limit,
}

/// One end finished sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamEnd {
    /// Who.
    pub from: End,
    /// How.
    pub kind: StreamEndKind,
    /// Length of that end's stream: the offset after its last byte.
    pub offset: StreamOffset,
    /// The packet with the FIN or RST.
    pub origin: Origin,
}

/// How one end finished sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamEndKind {
    /// In order, after its last byte (RFC 9293 §3.6).
    Fin,
    /// At once; bytes under way may be lost (RFC 9293 §3.5.2).
    Rst,
}

/// What consumes the bytes of one connection.
///
/// `Context` is shared by all connections of an analysis: scratch buffers, limits, counters. It is handed in with every
/// call so that the state of an idle connection stays small.
pub trait StreamSink {
    /// Shared scratch and settings.
    type Context;

    /// The next bytes of one end.
    fn chunk(&mut self, context: &mut Self::Context, chunk: Chunk<'_>);

    /// The next bytes of one end are missing.
    fn gap(&mut self, context: &mut Self::Context, gap: Gap);

    /// The peer of `from` acknowledged everything of it before `upto`. Told before the next chunk, gap or end of either end,
    /// and when the connection is over.
    fn acknowledged(&mut self, _from: End, _upto: StreamOffset) {}

    /// One end will send no more. At most one call for each end and kind, but another RST after one that the connection
    /// outlived.
    fn end(&mut self, context: &mut Self::Context, end: StreamEnd);

    /// Reads a little of all that the next call will need, so that it is fetched from far memory by then; the number means
    /// nothing.
    fn touch(&self) -> u64 {
        0
    }

    /// About how many bytes are kept until more come, beside what every connection takes: for
    /// [`Limits::kept_bytes_total`](crate::limits::Limits::kept_bytes_total). Asked after every segment that told it
    /// something.
    fn kept_bytes(&self) -> usize {
        0
    }

    /// Nothing more that this connection says matters, and it need not be told. Asked as [`Self::kept_bytes`] is; a yes is
    /// for good.
    fn is_done(&self) -> bool {
        false
    }
}
