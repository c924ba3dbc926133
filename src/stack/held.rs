//! Bytes that wait until it is known what they are: behind an upgrade request, behind a hole in the heads, before a request.

use super::Shared;
use super::websocket::WebSocketStage;
use crate::http;
use crate::stream::{Chunk, End, Gap, GapReason};
use crate::units::{Origin, Side, StreamOffset};
use crate::websocket;
use std::collections::VecDeque;

/// Bytes of the server held back until their request is recorded. Packets are swapped by milliseconds, not more.
pub(super) const EARLY_BYTES: usize = 16 << 10;

/// What a chunk that is held back takes beside its bytes: itself and the allocation behind it.
const ITEM_OVERHEAD: usize = size_of::<HeldItem>() + 16;

/// What came behind an upgrade request, or behind a hole in the heads.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) items: VecDeque<HeldItem>,
    /// What the items take, with [`ITEM_OVERHEAD`] for each chunk.
    pub(super) bytes: usize,
    gaps: usize,
    pub(super) overflow: Option<Gap>,
}

#[derive(Debug)]
pub(super) enum HeldItem {
    Chunk { from: End, offset: StreamOffset, origin: Origin, bytes: Box<[u8]> },
    Gap(Gap),
}

impl Held {
    /// Whether a chunk of the server may wait for its request: it begins or continues a response, and there is room.
    pub(super) fn takes(&self, chunk: &Chunk<'_>) -> bool {
        let is_response = !self.items.is_empty() || http::looks_like_http(chunk.bytes) == Some(http::Role::Response);
        is_response && self.bytes + chunk.bytes.len() + ITEM_OVERHEAD <= EARLY_BYTES
    }

    pub(super) fn push(&mut self, chunk: &Chunk<'_>, room: usize) {
        let Chunk { from, offset, origin, bytes } = *chunk;
        if self.overflow.is_some() {
            return;
        }
        let cost = bytes.len() + ITEM_OVERHEAD;
        if self.bytes + cost > room {
            self.overflow = Some(Gap { from, offset, len: None, reason: GapReason::Limit, origin });
            return;
        }
        self.bytes += cost;
        self.items.push_back(HeldItem::Chunk { from, offset, origin, bytes: bytes.into() });
    }

    /// Takes the oldest item.
    pub(super) fn pop(&mut self) -> Option<HeldItem> {
        let item = self.items.pop_front()?;
        match &item {
            HeldItem::Chunk { bytes, .. } => self.bytes = self.bytes.saturating_sub(bytes.len() + ITEM_OVERHEAD),
            HeldItem::Gap(_) => self.gaps = self.gaps.saturating_sub(1),
        }
        Some(item)
    }

    /// Adds older items; nothing of them overflowed.
    pub(super) fn put_before(&mut self, older: Self) {
        self.bytes += older.bytes;
        self.gaps += older.gaps;
        older.items.into_iter().rev().for_each(|item| self.items.push_front(item));
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        const GAPS: usize = 256;
        if self.overflow.is_none() && self.gaps < GAPS {
            self.gaps += 1;
            self.items.push_back(HeldItem::Gap(gap));
        } else {
            self.overflow.get_or_insert(Gap { len: None, reason: GapReason::Limit, ..gap });
        }
    }

    /// Whether the first bytes of `client` are the start of a masked frame.
    pub(super) fn begins_with_frame(&self, client: End) -> bool {
        let first = self.items.iter().find_map(|item| match item {
            HeldItem::Chunk { from, bytes, .. } if *from == client => Some(bytes),
            _ => None,
        });
        first.is_some_and(|bytes| websocket::begins_with_frame(Side::Client, bytes))
    }

    pub(super) fn replay(self, shared: &mut Shared, stage: &mut WebSocketStage) {
        for item in &self.items {
            match item {
                HeldItem::Chunk { from, offset, origin, bytes } => {
                    stage.chunk(shared, Chunk { from: *from, offset: *offset, origin: *origin, bytes });
                }
                HeldItem::Gap(gap) => stage.gap(shared, *gap),
            }
        }
        if let Some(gap) = self.overflow {
            stage.gap(shared, gap);
        }
    }
}
