//! Cuts one direction into whole records, and finds the records again behind a hole.
//!
//! In step, records follow each other and a header says where the next one starts. Behind a hole of which it is not known
//! where in a record it ends, every place that reads like a header is a [`Step::Candidate`]: whoever holds the keys says
//! whether its tag verifies. At most one record and one chunk are kept.

use super::record::{HEADER_LEN, RecordHeader};
use crate::units::StreamOffset;

/// Buffers that all connections use in turn.
#[derive(Debug, Default)]
pub struct RecordBuffers {
    /// The body of the record at hand.
    pub(super) body: Vec<u8>,
    /// What it says.
    pub(super) plain: Vec<u8>,
    spare: Vec<Vec<u8>>,
}

impl RecordBuffers {
    /// Buffers kept for records that come in pieces.
    const SPARE: usize = 16;

    fn claim(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    fn release(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 && self.spare.len() < Self::SPARE {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

/// A record whose body is in [`RecordBuffers::body`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) header: RecordHeader,
    /// Where it starts in the sender's stream.
    pub(super) start: StreamOffset,
    /// Where it ends.
    pub(super) end: StreamOffset,
}

/// What the next bytes hold.
#[derive(Debug)]
pub(super) enum Step {
    /// All bytes were taken; what they begin is not complete.
    More,
    /// The next record.
    Record(Cut),
    /// What may be a record. Must be answered by [`Cutter::accept`] or [`Cutter::reject`].
    Candidate(Cut),
    /// There is no record where one should be; nothing more will be read.
    NotRecord,
}

/// What a hole took.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hole {
    /// Nothing but part of the record with this header, or of one that a hole was in before: `None`.
    Inside(Option<RecordHeader>),
    /// The boundaries of records are unknown from here on.
    Boundaries,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// Bytes not cut yet, from `at` on.
    held: Vec<u8>,
    at: usize,
    /// Where `held` starts in the stream.
    base: StreamOffset,
    state: State,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    InStep,
    /// The rest of a record that a hole is in.
    Skipping {
        left: u64,
    },
    Searching,
    Dead,
}

impl Cutter {
    /// Bytes kept.
    pub(super) fn kept_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Whether record boundaries are unknown.
    pub(super) fn is_searching(&self) -> bool {
        matches!(self.state, State::Searching)
    }

    /// Whether what came so far are whole records.
    pub(super) fn is_at_boundary(&self) -> bool {
        matches!(self.state, State::InStep) && self.at == self.held.len()
    }

    /// What comes next in what is held and in `bytes`, which start at `offset`. Takes from the front of `bytes`.
    pub(super) fn next(&mut self, offset: &mut StreamOffset, bytes: &mut &[u8], buffers: &mut RecordBuffers) -> Step {
        loop {
            match &mut self.state {
                State::Dead => {
                    *bytes = &[];
                    return Step::More;
                }
                State::Skipping { left } => {
                    let taken = usize::try_from(*left).map_or(bytes.len(), |left| bytes.len().min(left));
                    *left -= taken as u64;
                    let is_over = *left == 0;
                    take(offset, bytes, taken);
                    if !is_over {
                        return Step::More;
                    }
                    self.state = State::InStep;
                }
                State::InStep => match self.in_step(offset, bytes, buffers) {
                    Some(step) => return step,
                    None => return Step::More,
                },
                State::Searching => return self.search(offset, bytes, buffers),
            }
        }
    }

    /// The candidate is a record: those behind it follow.
    pub(super) fn accept(&mut self, cut: &Cut) {
        self.at =
            usize::try_from(cut.end.0.saturating_sub(self.base.0)).unwrap_or(self.held.len()).min(self.held.len());
        self.state = State::InStep;
    }

    /// The candidate is none.
    pub(super) fn reject(&mut self) {
        self.at = (self.at + 1).min(self.held.len());
    }

    /// Nothing more is to be read.
    pub(super) fn stop(&mut self, buffers: &mut RecordBuffers) {
        self.clear(buffers);
        self.state = State::Dead;
    }

    /// Tells that the next bytes are lost: `len` of them, `None` when that is not known.
    pub(super) fn gap(&mut self, len: Option<u64>, buffers: &mut RecordBuffers) -> Hole {
        let header = self.header();
        let have = (self.held.len() - self.at) as u64;
        self.clear(buffers);
        let (left, header) = match self.state {
            State::InStep => match header {
                Some(header) => ((HEADER_LEN as u64 + u64::from(header.len)).saturating_sub(have), Some(header)),
                None => (0, None),
            },
            State::Skipping { left } => (left, None),
            State::Searching | State::Dead => return Hole::Boundaries,
        };
        match len {
            Some(len) if len <= left => {
                self.state = if len == left { State::InStep } else { State::Skipping { left: left - len } };
                Hole::Inside(header)
            }
            _ => {
                self.state = State::Searching;
                Hole::Boundaries
            }
        }
    }

    fn in_step(&mut self, offset: &mut StreamOffset, bytes: &mut &[u8], buffers: &mut RecordBuffers) -> Option<Step> {
        if self.at == self.held.len() {
            self.clear(buffers);
            if let Some((first, behind)) = bytes.split_first_chunk::<HEADER_LEN>() {
                let Some(header) = RecordHeader::read(first) else { return Some(self.not_record(bytes)) };
                if let Some(body) = behind.get(..usize::from(header.len)) {
                    buffers.body.clear();
                    buffers.body.extend_from_slice(body);
                    let start = *offset;
                    take(offset, bytes, HEADER_LEN + body.len());
                    return Some(Step::Record(Cut { header, start, end: *offset }));
                }
            }
            if bytes.is_empty() {
                return None;
            }
            self.held = buffers.claim();
            self.base = *offset;
        }
        self.fill(HEADER_LEN, offset, bytes)?;
        let Some(header) = self.header() else { return Some(self.not_record(bytes)) };
        let len = HEADER_LEN + usize::from(header.len);
        self.fill(len, offset, bytes)?;
        let cut = self.cut(header, buffers);
        self.at += len;
        Some(Step::Record(cut))
    }

    fn search(&mut self, offset: &mut StreamOffset, bytes: &mut &[u8], buffers: &mut RecordBuffers) -> Step {
        if self.held.is_empty() {
            self.clear(buffers);
            if bytes.is_empty() {
                return Step::More;
            }
            self.held = buffers.claim();
            self.base = *offset;
        } else if !bytes.is_empty() {
            self.held.drain(..self.at);
            self.base = self.base.plus(self.at as u64);
            self.at = 0;
        }
        self.held.extend_from_slice(bytes);
        take(offset, bytes, bytes.len());
        while let Some(rest) = self.held.get(self.at..).filter(|rest| rest.len() >= HEADER_LEN) {
            match self.header().filter(|header| header.len > 0) {
                Some(header) if rest.len() >= HEADER_LEN + usize::from(header.len) => {
                    return Step::Candidate(self.cut(header, buffers));
                }
                Some(_) => return Step::More,
                None => self.at += 1,
            }
        }
        Step::More
    }

    /// The record at the front, which is complete.
    fn cut(&self, header: RecordHeader, buffers: &mut RecordBuffers) -> Cut {
        let body = self.held.get(self.at + HEADER_LEN..).unwrap_or_default();
        let body = body.get(..usize::from(header.len)).unwrap_or_default();
        buffers.body.clear();
        buffers.body.extend_from_slice(body);
        let start = self.base.plus(self.at as u64);
        Cut { header, start, end: start.plus((HEADER_LEN + body.len()) as u64) }
    }

    fn header(&self) -> Option<RecordHeader> {
        RecordHeader::read(self.held.get(self.at..)?.first_chunk()?)
    }

    /// Takes bytes until there are `len` at the front.
    fn fill(&mut self, len: usize, offset: &mut StreamOffset, bytes: &mut &[u8]) -> Option<()> {
        let have = self.held.len() - self.at;
        let missing = len.saturating_sub(have).min(bytes.len());
        self.held.extend_from_slice(&bytes[..missing]);
        take(offset, bytes, missing);
        (self.held.len() - self.at >= len).then_some(())
    }

    fn not_record(&mut self, bytes: &mut &[u8]) -> Step {
        self.state = State::Dead;
        self.held = Vec::new();
        self.at = 0;
        *bytes = &[];
        Step::NotRecord
    }

    fn clear(&mut self, buffers: &mut RecordBuffers) {
        self.at = 0;
        buffers.release(std::mem::take(&mut self.held));
    }
}

fn take(offset: &mut StreamOffset, bytes: &mut &[u8], len: usize) {
    *offset = offset.plus(len as u64);
    *bytes = &bytes[len..];
}
