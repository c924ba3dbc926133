//! A TLS connection whose ClientHello is not in the capture: perhaps there are keys for it all the same.
//!
//! Both ends go through a [`Joiner`] until it knows whose session this is. What came meanwhile waits, and takes the usual
//! road then.

use super::Shared;
use super::held::{Held, HeldItem};
use super::tls::TlsStage;
use crate::stream::{Chunk, End, Gap, PerEnd};
use crate::tcp::FlowStart;
use crate::tls::{Attempt, Joined, Joiner};

#[derive(Debug, Default)]
pub(super) struct LateStage {
    joiner: Joiner,
    held: Held,
    /// Who sent first.
    first: Option<End>,
    /// Ends whose first bytes are missing.
    start_lost: PerEnd<bool>,
}

/// What is to be done with a connection.
pub(super) enum Next {
    Stay,
    /// Nothing more is to be learned from its start.
    Leave(Option<Joined>),
}

impl LateStage {
    pub(super) fn new(start_lost: PerEnd<bool>) -> Self {
        Self { start_lost, ..Self::default() }
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.held.bytes
    }

    pub(super) fn chunk(&mut self, shared: &mut Shared, chunk: Chunk<'_>) -> Next {
        self.first.get_or_insert(chunk.from);
        self.held.push(&chunk, LATE_BYTES);
        match shared.join(&mut self.joiner, &chunk) {
            Attempt::Joined(joined) => Next::Leave(Some(joined)),
            Attempt::Undecided if self.held.overflow.is_none() => Next::Stay,
            Attempt::Undecided | Attempt::Stranger => Next::Leave(None),
            Attempt::OutOfTrials => {
                shared.hits.tls_join += 1;
                Next::Leave(None)
            }
        }
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        self.held.gap(gap);
    }

    /// Goes on as TLS with all that was held back. `None` when nothing can come of it: bytes before the first are lost,
    /// and there are no keys.
    pub(super) fn into_tls(
        self,
        start: &FlowStart,
        shared: &mut Shared,
        joined: Option<Joined>,
    ) -> Option<Box<TlsStage>> {
        let client = match joined {
            Some(joined) => joined.client,
            None if self.start_lost != PerEnd::default() => return None,
            None => self.first?,
        };
        let mut stage = Box::new(TlsStage::new(start, client, shared));
        if let Some(joined) = joined {
            stage.join(start, shared, &joined, self.start_lost);
        }
        for item in &self.held.items {
            match item {
                HeldItem::Chunk { from, offset, origin, bytes } => {
                    let chunk = Chunk { from: *from, offset: *offset, origin: *origin, bytes };
                    stage.chunk(start, shared, chunk);
                }
                HeldItem::Gap(gap) => stage.gap(shared, *gap),
            }
        }
        if let Some(gap) = self.held.overflow {
            stage.gap(shared, gap);
        }
        Some(stage)
    }
}

/// Bytes of one connection held back while its session is looked for.
const LATE_BYTES: usize = 64 << 10;
