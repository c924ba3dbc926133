//! What all connections of an analysis share, so that an idle one stays small.

use super::assembly::Open;
use super::decoder::{ControlPayload, Current};
use super::deflate::Spares;
use super::partial::PartialHeader;
use super::pool::Pool;
use super::resync::SearchBudget;
use crate::limits::Limits;
use std::fmt;

/// Room for unmasking, the bounds on inflating and on searching, and how often they were hit.
///
/// One for each analysis, handed in with every call. Nothing in it outlives a call except the counts and what is
/// spare.
pub struct Scratch {
    pub(super) unmasked: Box<[u8]>,
    /// Inflaters, and the windows of senders that start every message afresh: needed only inside a message.
    pub(super) spares: Spares,
    /// Boxes for what is there only inside a frame, a header or a message.
    pub(super) frames: Pool<Current>,
    pub(super) controls: Pool<ControlPayload>,
    pub(super) headers: Pool<PartialHeader>,
    pub(super) messages: Pool<Open>,
    pub(super) inflated_message_bytes: u64,
    pub(super) inflate_limit_hits: u64,
    pub(super) searches: SearchBudget,
}

impl Scratch {
    const UNMASKED_LEN: usize = 16 << 10;

    /// Scratch for an analysis with these limits; it uses
    /// [`inflated_message_bytes`](Limits::inflated_message_bytes), [`resync_bytes_per_end`](Limits::resync_bytes_per_end)
    /// and [`resync_bytes_total`](Limits::resync_bytes_total).
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            unmasked: vec![0; Self::UNMASKED_LEN].into(),
            spares: Spares::default(),
            frames: Pool::default(),
            controls: Pool::default(),
            headers: Pool::default(),
            messages: Pool::default(),
            inflated_message_bytes: limits.inflated_message_bytes,
            inflate_limit_hits: 0,
            searches: SearchBudget::new(limits),
        }
    }

    /// Messages inflated only in part because of [`inflated_message_bytes`](Limits::inflated_message_bytes).
    #[must_use]
    pub fn inflate_limit_hits(&self) -> u64 {
        self.inflate_limit_hits
    }

    /// How often bytes were let go before frames were found in them, because of
    /// [`resync_bytes_per_end`](Limits::resync_bytes_per_end) or [`resync_bytes_total`](Limits::resync_bytes_total).
    #[must_use]
    pub fn resync_limit_hits(&self) -> u64 {
        self.searches.hits
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch")
            .field("inflated_message_bytes", &self.inflated_message_bytes)
            .field("inflate_limit_hits", &self.inflate_limit_hits)
            .field("searches", &self.searches)
            .finish_non_exhaustive()
    }
}
