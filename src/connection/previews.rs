//! The beginnings of messages, kept only when the user asked to see them.

use super::MessageNote;
use crate::limits::Limits;
use crate::units::{Origin, Side};
use crate::websocket::Opcode;
use std::collections::VecDeque;

/// The beginning of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Who sent it.
    pub side: Side,
    /// The packet with its last byte.
    pub at: Origin,
    /// [`Opcode::Text`] or [`Opcode::Binary`].
    pub kind: Opcode,
    /// Payload bytes of the whole message.
    pub size: u64,
    /// Which of its sender's complete messages it is, from 1.
    pub number: u64,
    /// Its first bytes, clear and inflated; at most [`PAYLOAD_PEEK_LEN`](crate::websocket::PAYLOAD_PEEK_LEN).
    pub bytes: Box<[u8]>,
}

impl Preview {
    /// The beginning of the message of which `note` was taken.
    #[must_use]
    pub fn new(side: Side, note: &MessageNote, bytes: &[u8]) -> Self {
        let at = note.last.unwrap_or(note.first);
        Self { side, at, kind: note.kind, size: note.size, number: note.number, bytes: bytes.into() }
    }

    /// The bytes as text, without a character that is cut off; `None` when they are none.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if self.kind != Opcode::Text {
            return None;
        }
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => Some(text),
            Err(fault) if fault.error_len().is_none() => std::str::from_utf8(&self.bytes[..fault.valid_up_to()]).ok(),
            Err(_) => None,
        }
    }

    /// The bytes in hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The first and the last previews of a connection, as many as its timeline has observations.
#[derive(Debug, Clone, Default)]
pub struct Previews {
    first: Vec<Preview>,
    last: VecDeque<Preview>,
    skipped: u64,
}

impl Previews {
    /// Adds one, within the bounds of a timeline.
    pub fn push(&mut self, preview: Preview, limits: &Limits) {
        if self.first.len() < limits.timeline_first {
            self.first.push(preview);
            return;
        }
        if self.last.len() >= limits.timeline_last.max(1) {
            self.last.pop_front();
            self.skipped += 1;
        }
        self.last.push_back(preview);
    }

    /// All that are kept, in the order in which the messages were complete.
    pub fn iter(&self) -> impl Iterator<Item = &Preview> {
        self.first.iter().chain(&self.last)
    }

    /// The preview of this message of a side.
    #[must_use]
    pub fn of(&self, side: Side, number: u64) -> Option<&Preview> {
        self.iter().find(|preview| preview.side == side && preview.number == number)
    }

    /// How many lay between the first and the last.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}
