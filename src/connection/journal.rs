//! Frames that the connection has not taken in yet.
//!
//! Taking in a message reaches all over what is known of a connection: counters, sizes, rhythms, the timeline. Most messages
//! are one small frame in one packet, and so are all Pings and Pongs. So each of them is first written down here, as one
//! line behind the last, and several are taken in at once: when the journal is full, and before anything that depends on
//! them is told or asked. An idle connection that has said little never gets further than that.

use super::heartbeat::Beat;
use crate::units::{Origin, Side};
use crate::websocket::MessageKind;

/// What is written down of a frame that came whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) at: Origin,
    pub(super) what: What,
    /// Of a message the offset after its frame, of a Ping or Pong the fingerprint of its payload.
    pub(super) word: u64,
    /// Payload bytes.
    pub(super) len: u32,
    pub(super) side: Side,
    /// Whose heartbeat a message is by its words.
    pub(super) beat: Option<Beat>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Message(MessageKind),
    Ping,
    Pong,
}

/// The lines of both sides in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal(Vec<Line>);

impl Journal {
    /// Lines written down before they are taken in.
    const LINES: usize = 8;

    /// Lines that there is room for at first.
    const FEW: usize = 2;

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= Self::LINES
    }

    #[inline]
    pub(super) fn write(&mut self, line: Line) {
        if self.0.len() == self.0.capacity() {
            // Most connections of which there are many say little.
            self.0.reserve_exact(if self.0.is_empty() { Self::FEW } else { Self::LINES - self.0.len() });
        }
        self.0.push(line);
    }

    /// The lines, to be given [back](Self::give_back) when they are taken in.
    pub(super) fn take(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.0)
    }

    /// The room of lines that were taken in.
    pub(super) fn give_back(&mut self, mut lines: Vec<Line>) {
        lines.clear();
        self.0 = lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_half_a_cache_line() {
        assert_eq!(size_of::<Line>(), 32);
    }
}
