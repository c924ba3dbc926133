//! Bytes of one end that wait for earlier ones.

use super::delivered::Delivered;
use crate::limits::{LimitHits, Limits};
use crate::units::{Origin, PacketNumber};
use std::collections::VecDeque;

/// What a waiting piece takes beside its bytes: itself and the allocation behind it.
const PIECE_OVERHEAD: usize = size_of::<Piece>() + 16;

/// Consecutive bytes of one segment, at their place in the stream; the last `cut` of them were not recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    pub(super) start: u64,
    pub(super) bytes: &'a [u8],
    pub(super) cut: u64,
    pub(super) origin: Origin,
}

impl Span<'_> {
    /// Length in the stream, recorded or not.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.cut
    }

    /// The offset after its last byte.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.len())
    }

    /// What lies at or after `offset`; empty if nothing does.
    pub(super) fn skip_to(mut self, offset: u64) -> Self {
        let skip = offset.saturating_sub(self.start).min(self.len());
        let recorded = usize::try_from(skip).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes = &self.bytes[recorded..];
        self.cut -= skip - recorded as u64;
        self.start += skip;
        self
    }

    /// What lies before `offset`; empty if nothing does.
    pub(super) fn until(mut self, offset: u64) -> Self {
        let keep = offset.saturating_sub(self.start).min(self.len());
        let recorded = usize::try_from(keep).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes = &self.bytes[..recorded];
        self.cut = keep - recorded as u64;
        self
    }
}

/// A span that owns its bytes.
#[derive(Debug)]
pub(super) struct Piece {
    start: u64,
    bytes: Box<[u8]>,
    cut: u64,
    origin: Origin,
    /// Segments that this end had sent when it came.
    segments: u32,
}

impl Piece {
    pub(super) fn span(&self) -> Span<'_> {
        Span { start: self.start, bytes: &self.bytes, cut: self.cut, origin: self.origin }
    }

    fn cost(&self) -> usize {
        self.bytes.len() + PIECE_OVERHEAD
    }
}

/// What all flows share: the bounds, how often they were reached, and how much is waiting in total.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) limits: Limits,
    pub(super) hits: LimitHits,
    /// Bytes waiting over all flows, with their overhead.
    pub(super) waiting: usize,
    /// Bytes that the consumers of all flows keep.
    pub(super) kept: usize,
    /// Transmissions that are followed from point to point, over all flows.
    pub(super) passages: usize,
    /// The consumer of the flow in hand was told something since it was last asked.
    pub(super) told: bool,
    /// Hashes of what was delivered lately.
    pub(super) delivered: Delivered,
}

/// What inserting a span found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Some bytes were waiting already.
    pub(super) repeats: bool,
    /// Some bytes are new.
    pub(super) adds: bool,
    /// New bytes lie before this segment, which was waiting already.
    pub(super) fills_before: Option<Origin>,
    /// Repeated bytes differ from what this packet brought first; the offset after them.
    pub(super) conflict: Option<(PacketNumber, u64)>,
}

/// The waiting pieces of one end: sorted, not overlapping, each bound to the packet that brought it first.
#[derive(Debug, Default)]
pub(super) struct Reorder {
    pieces: VecDeque<Piece>,
    cost: usize,
}

impl Reorder {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn first(&self) -> Option<Span<'_>> {
        self.pieces.front().map(Piece::span)
    }

    /// Segments that the end had sent when the first waiting piece came.
    pub(super) fn waiting_since_segment(&self) -> Option<u32> {
        self.pieces.front().map(|piece| piece.segments)
    }

    /// The offset after the last waiting byte.
    pub(super) fn end(&self) -> u64 {
        self.pieces.back().map_or(0, |piece| piece.span().end())
    }

    /// Takes the first piece if it starts before `offset`.
    pub(super) fn pop_first_before(&mut self, offset: u64, budget: &mut Budget) -> Option<Piece> {
        if self.pieces.front()?.start >= offset {
            return None;
        }
        let piece = self.pieces.pop_front()?;
        self.cost -= piece.cost();
        budget.waiting -= piece.cost();
        Some(piece)
    }

    /// Whether `span` may wait here. It may later be split, so the bounds can be passed by the pieces of one segment.
    pub(super) fn has_room(&self, span: &Span<'_>, budget: &Budget) -> bool {
        let cost = span.bytes.len() + PIECE_OVERHEAD;
        self.pieces.len() < budget.limits.reorder_segments_per_end
            && self.cost + cost <= budget.limits.reorder_bytes_per_end
            && budget.waiting + cost <= budget.limits.reorder_bytes_total
    }

    /// Copies what `span` brings between the pieces that are there.
    pub(super) fn insert(&mut self, mut span: Span<'_>, segments: u32, budget: &mut Budget) -> Overlap {
        let mut overlap = Overlap::default();
        // The first piece that ends after the start of the span; most spans belong at the end.
        let mut at = match self.pieces.back() {
            Some(last) if last.span().end() > span.start => {
                self.pieces.partition_point(|piece| piece.span().end() <= span.start)
            }
            _ => self.pieces.len(),
        };
        while span.len() > 0 {
            let next = self.pieces.get(at).map(Piece::span);
            let free = next.map_or(span, |next| span.until(next.start));
            let is_last = next.is_none();
            if let Some(next) = next {
                if next.start < span.end() {
                    overlap.repeats = true;
                    if overlap.conflict.is_none() && differ(&next, &span) {
                        overlap.conflict = Some((next.origin.packet, next.end().min(span.end())));
                    }
                }
                if free.len() > 0 {
                    overlap.fills_before = Some(next.origin);
                }
                span = span.skip_to(next.end());
            }
            if free.len() > 0 {
                overlap.adds = true;
                let piece =
                    Piece { start: free.start, bytes: free.bytes.into(), cut: free.cut, origin: free.origin, segments };
                self.cost += piece.cost();
                budget.waiting += piece.cost();
                self.pieces.insert(at, piece);
                at += 1;
            }
            if is_last {
                break;
            }
            at += 1;
        }
        overlap
    }
}

/// Whether bytes that both spans recorded at the same offset differ.
pub(super) fn differ(one: &Span<'_>, other: &Span<'_>) -> bool {
    let start = one.start.max(other.start);
    one.skip_to(start).bytes.iter().zip(other.skip_to(start).bytes).any(|(a, b)| a != b)
}
