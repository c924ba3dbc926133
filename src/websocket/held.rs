//! Bytes of one side that are kept while nobody knows what they are: segments and holes in stream order.
//!
//! Bounded in bytes by whoever makes it and by [`Held::RUNS`]. Beyond it payload that a promising chain of frames already explains is
//! let go first, then whatever is oldest.

use super::header::FrameHeader;
use crate::units::{Origin, StreamOffset};
use std::collections::VecDeque;

/// The most that is needed behind the first byte of a frame: a header and the payload of a control frame.
const FRAME_HEAD: u64 = FrameHeader::MAX_LEN as u64 + 125;

/// Captured bytes and holes of one side, without overlap and in order.
#[derive(Debug)]
pub(super) struct Held {
    runs: VecDeque<Run>,
    bytes: usize,
    /// How many bytes may be kept.
    room: usize,
}

/// One segment's bytes, or a hole.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) origin: Origin,
    /// `None` for bytes that are missing or were let go.
    pub(super) bytes: Option<Box<[u8]>>,
}

/// What is at a place of the stream.
pub(super) enum Found<T> {
    Here(T),
    /// The stream goes on behind what came so far.
    NotYet,
    /// It is in a hole, or was let go.
    Missing,
}

impl Run {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.len)
    }
}

impl Held {
    /// Segments and holes kept for one side.
    pub(super) const RUNS: usize = 1024;

    /// Nothing yet, and room for so many bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { runs: VecDeque::new(), bytes: 0, room }
    }

    /// Lets everything go.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.room);
    }

    /// Memory taken, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.runs.capacity() * size_of::<Run>()
    }

    /// Bytes kept.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// The offset behind everything that came.
    pub(super) fn end(&self) -> u64 {
        self.runs.back().map_or(0, Run::end)
    }

    /// The offset of the oldest byte that is still known.
    pub(super) fn start(&self) -> u64 {
        self.runs.front().map_or(0, |run| run.offset)
    }

    /// The offset of the oldest captured byte that is still known.
    pub(super) fn first_captured(&self) -> Option<u64> {
        self.runs.iter().find(|run| run.bytes.is_some()).map(|run| run.offset)
    }

    pub(super) fn push(&mut self, offset: StreamOffset, origin: Origin, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.runs.push_back(Run { offset: offset.0, len: bytes.len() as u64, origin, bytes: Some(bytes.into()) });
    }

    pub(super) fn gap(&mut self, offset: StreamOffset, origin: Origin, len: u64) {
        self.runs.push_back(Run { offset: offset.0, len, origin, bytes: None });
    }

    pub(super) fn into_runs(self) -> impl Iterator<Item = Run> {
        self.runs.into_iter()
    }

    /// Up to `out.len()` bytes from `offset` on, as far as they are there without a hole.
    pub(super) fn read<'o>(&self, offset: u64, out: &'o mut [u8]) -> Found<&'o [u8]> {
        let mut len = 0;
        for run in self.from(offset) {
            let Some(bytes) = &run.bytes else { break };
            let skip = offset.saturating_add(len as u64).saturating_sub(run.offset);
            let Some(bytes) = usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)) else { break };
            let room = &mut out[len..];
            let taken = bytes.len().min(room.len());
            room[..taken].copy_from_slice(&bytes[..taken]);
            len += taken;
            if len == out.len() {
                break;
            }
        }
        match len {
            0 if offset >= self.end() => Found::NotYet,
            0 => Found::Missing,
            _ => Found::Here(&out[..len]),
        }
    }

    /// The bytes from `offset` to the end of their segment; none in a hole.
    pub(super) fn run_from(&self, offset: u64) -> &[u8] {
        let run = self.from(offset).next();
        let bytes =
            run.and_then(|run| run.bytes.as_deref()?.get(usize::try_from(offset.checked_sub(run.offset)?).ok()?..));
        bytes.unwrap_or_default()
    }

    /// Where the hole ends that `offset` lies in; `None` when its byte is there. Holes may be gigabytes long.
    pub(super) fn hole_end(&self, offset: u64) -> Option<u64> {
        self.from(offset).next().filter(|run| run.bytes.is_none()).map(Run::end)
    }

    /// The header at `offset`.
    pub(super) fn header(&self, offset: u64) -> Found<FrameHeader> {
        if let Some(header) = FrameHeader::parse(self.run_from(offset)) {
            return Found::Here(header);
        }
        let mut room = [0; FrameHeader::MAX_LEN];
        match self.read(offset, &mut room) {
            Found::Here(bytes) => match FrameHeader::parse(bytes) {
                Some(header) => Found::Here(header),
                None if offset.saturating_add(bytes.len() as u64) >= self.end() => Found::NotYet,
                None => Found::Missing,
            },
            Found::NotYet => Found::NotYet,
            Found::Missing => Found::Missing,
        }
    }

    /// Whether a segment starts at `offset`, or what came so far ends there.
    pub(super) fn is_boundary(&self, offset: u64) -> bool {
        offset == self.end() || self.from(offset).next().is_some_and(|run| run.offset == offset && run.bytes.is_some())
    }

    /// How many segments and holes start behind `from` and before `to`.
    pub(super) fn boundaries_between(&self, from: u64, to: u64) -> usize {
        self.from(from).take_while(|run| run.offset < to).filter(|run| run.offset > from).count()
    }

    /// The packet that carried the byte at `offset`.
    pub(super) fn origin_at(&self, offset: u64) -> Option<Origin> {
        self.from(offset).next().map(|run| run.origin)
    }

    /// Makes room by forgetting payload of the frames that start at `frames` (in order).
    pub(super) fn let_payload_go(&mut self, frames: &[u64]) {
        for run in &mut self.runs {
            let Some(bytes) = &run.bytes else { continue };
            let needed = frames.iter().any(|&frame| frame < run.end() && run.offset < frame.saturating_add(FRAME_HEAD));
            if !needed {
                self.bytes -= bytes.len();
                run.bytes = None;
            }
            if self.bytes <= self.room / 2 {
                break;
            }
        }
        let mut merged: VecDeque<Run> = VecDeque::with_capacity(self.runs.len());
        for run in self.runs.drain(..) {
            match merged.back_mut() {
                Some(last) if last.bytes.is_none() && run.bytes.is_none() => last.len += run.len,
                _ => merged.push_back(run),
            }
        }
        self.runs = merged;
    }

    /// Makes room by forgetting what is oldest, but not the last segment.
    pub(super) fn let_oldest_go(&mut self) {
        while self.runs.len() > 1 && (self.bytes > self.room / 2 || self.runs.len() > Self::RUNS / 2) {
            let Some(run) = self.runs.pop_front() else { return };
            self.bytes -= run.bytes.map_or(0, |bytes| bytes.len());
        }
    }

    pub(super) fn is_over_full(&self) -> bool {
        self.bytes > self.room || self.runs.len() > Self::RUNS
    }

    /// The run with the byte at `offset` and those behind it.
    fn from(&self, offset: u64) -> impl Iterator<Item = &Run> {
        let first = self.runs.partition_point(|run| run.end() <= offset);
        self.runs.range(first..)
    }
}
