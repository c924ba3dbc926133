//! What one side sent: counters, its last message, its Pings, its Close frame.

use super::heartbeat::{Heartbeat, HeartbeatName, Heartbeats, SMALL};
use super::in_flight::InFlight;
use super::journal::Line;
use super::pings::Pings;
use super::rare::{Blank, Rare};
use super::sizes::MessageSizes;
use crate::application::Label;
use crate::units::{Origin, PacketNumber, PerSide, StreamOffset};
use crate::websocket::{self, CloseFrame, Content, Frame, Message, MessageKind, Opcode, OpenFrame, Utf8State};
use std::sync::LazyLock;

/// The traffic of one side. In this order, because a message touches nearly all of the first fields and none of the last.
#[derive(Debug, Clone, Default)]
#[repr(C)]
pub struct Traffic {
    /// Frames whose header was seen, by opcode; all reserved opcodes together.
    pub frames: FrameCounts,
    /// What it sent after its first Close frame; takes memory only when there is something.
    after_close: Option<Box<AfterClose>>,
    /// Complete text messages.
    pub text_messages: u64,
    /// Complete binary messages.
    pub binary_messages: u64,
    /// Payload bytes on the wire of all frames, as their headers claim.
    pub payload_bytes: u64,
    /// The offset after its last complete frame.
    pub(super) frame_end: StreamOffset,
    /// Complete data messages that may still wait for an acknowledgement of TCP.
    in_flight: InFlight,
    /// The rhythms in its small messages; takes memory from the first of them on.
    pub(super) heartbeats: Option<Box<Heartbeats>>,
    /// The message that has begun and is not complete.
    pub open_message: UnderWay,
    /// How large its complete messages were.
    pub sizes: MessageSizes,
    /// Payload bytes of the largest message before the last one, if there was one.
    largest_before_last: u64,
    /// The last complete message.
    pub last_message: Option<MessageNote>,
    /// Its Pings and their answers.
    pub pings: Rare<Pings>,
    /// Its first Close frame.
    pub close: Option<Box<CloseFrame>>,
    /// What its last complete message calls itself, and the packet with its last byte; `None` unless its messages are JSON.
    pub label: Option<Box<(Label, Origin)>>,
    /// The frame it began and never finished.
    pub unfinished: Option<Box<OpenFrame>>,
    /// Complete messages whose content could not be read to its end.
    pub unread_messages: u64,
    /// Why the last of them that a fault may hide in could not.
    pub unread: Option<Content>,
}

/// What a side sent after its own Close frame: its peer ignores it (RFC 6455 §1.4, §5.5.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AfterClose {
    /// Frames begun.
    pub frames: u64,
    /// Complete data messages.
    pub messages: u64,
    /// The packets in which the frames begin, each once; the first [`AfterClose::PACKETS`].
    pub packets: Vec<PacketNumber>,
}

impl AfterClose {
    /// Packets kept.
    pub const PACKETS: usize = 8;

    fn frame(&mut self, at: Origin) {
        self.frames = self.frames.saturating_add(1);
        if self.packets.len() < Self::PACKETS && self.packets.last() != Some(&at.packet) {
            self.packets.push(at.packet);
        }
    }
}

/// Frames by opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounts {
    /// Continuation frames.
    pub continuation: u64,
    /// Text frames.
    pub text: u64,
    /// Binary frames.
    pub binary: u64,
    /// Close frames.
    pub close: u64,
    /// Ping frames.
    pub ping: u64,
    /// Pong frames.
    pub pong: u64,
    /// Frames with an opcode that RFC 6455 reserves.
    pub reserved: u64,
}

impl FrameCounts {
    /// Each opcode's name and count.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("continuation", self.continuation),
            ("text", self.text),
            ("binary", self.binary),
            ("close", self.close),
            ("ping", self.ping),
            ("pong", self.pong),
            ("reserved", self.reserved),
        ]
    }

    pub(super) fn count(&mut self, opcode: Opcode) {
        let counter = match opcode {
            Opcode::Continuation => &mut self.continuation,
            Opcode::Text => &mut self.text,
            Opcode::Binary => &mut self.binary,
            Opcode::Close => &mut self.close,
            Opcode::Ping => &mut self.ping,
            Opcode::Pong => &mut self.pong,
            Opcode::Reserved(_) => &mut self.reserved,
        };
        *counter += 1;
    }
}

/// What is kept of one data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageNote {
    /// [`Opcode::Text`] or [`Opcode::Binary`].
    pub kind: Opcode,
    /// Which of its sender's messages it is, from 1.
    pub number: u64,
    /// Payload bytes: inflated when it was compressed and could be inflated, else on the wire. For an unfinished message
    /// what its frame headers claim so far.
    pub size: u64,
    /// Payload bytes on the wire.
    pub wire_len: u64,
    /// It was compressed.
    pub compressed: bool,
    /// All of it was sent.
    pub complete: bool,
    /// How far it could be read.
    pub content: Content,
    /// Whether its text is UTF-8.
    pub utf8: Utf8State,
    /// The packet with its first byte.
    pub first: Origin,
    /// The packet with its last byte; `None` when it is not complete.
    pub last: Option<Origin>,
}

/// A message of which frames are still to come. Its room stays for the next one, so that only the first takes memory anew.
#[derive(Debug, Clone, Default)]
pub struct UnderWay {
    note: Option<Box<MessageNote>>,
    is_open: bool,
}

impl UnderWay {
    /// The message, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<&MessageNote> {
        self.note.as_deref().filter(|_| self.is_open)
    }

    fn get_mut(&mut self) -> Option<&mut MessageNote> {
        self.note.as_deref_mut().filter(|_| self.is_open)
    }

    fn begin(&mut self, begun: MessageNote) {
        self.is_open = true;
        match &mut self.note {
            Some(note) => **note = begun,
            none => *none = Some(Box::new(begun)),
        }
    }

    /// It is complete, or nothing more is known of it.
    pub(super) fn end(&mut self) {
        self.is_open = false;
    }
}

impl Traffic {
    /// Counts a frame.
    pub(super) fn count(&mut self, opcode: Opcode, payload_len: u64, first: Origin) {
        if self.frames.close > 0 {
            self.after_close.get_or_insert_default().frame(first);
        }
        self.frames.count(opcode);
        self.payload_bytes = self.payload_bytes.saturating_add(payload_len);
    }

    pub(super) fn frame(&mut self, frame: &Frame) {
        let header = &frame.header;
        self.count(header.opcode, header.payload_len, frame.first);
        match header.opcode {
            Opcode::Text | Opcode::Binary => {
                self.open_message.begin(MessageNote {
                    kind: header.opcode,
                    number: self.messages() + 1,
                    size: header.payload_len,
                    wire_len: header.payload_len,
                    compressed: header.rsv.rsv1(),
                    complete: false,
                    content: Content::Whole,
                    utf8: Utf8State::Unknown,
                    first: frame.first,
                    last: None,
                });
            }
            Opcode::Continuation => {
                if let Some(open) = self.open_message.get_mut() {
                    open.wire_len = open.wire_len.saturating_add(header.payload_len);
                    open.size = open.wire_len;
                }
            }
            _ => {}
        }
    }

    /// A message is complete. `acked`: the other side's TCP has everything before this.
    pub(super) fn message(&mut self, message: &Message, acked: StreamOffset) -> MessageNote {
        let note = MessageNote {
            kind: opcode_of(message.kind),
            number: self.messages() + 1,
            size: message.inflated_len.unwrap_or(message.wire_len),
            wire_len: message.wire_len,
            compressed: message.compressed,
            complete: true,
            content: message.content,
            utf8: message.utf8,
            first: message.first,
            last: Some(message.last),
        };
        self.take(note, message.last, acked);
        note
    }

    /// Takes in a message that came whole, and its frame. Whose heartbeat it answers, if it does.
    pub(super) fn whole_message(
        &mut self,
        text_or_binary: MessageKind,
        line: &Line,
        acked: StreamOffset,
    ) -> (&MessageNote, Option<HeartbeatName>) {
        let (kind, size) = (opcode_of(text_or_binary), line.len.into());
        self.count(kind, size, line.at);
        self.frame_end = StreamOffset(line.word);
        let note = MessageNote {
            kind,
            number: self.messages() + 1,
            size,
            wire_len: size,
            compressed: false,
            complete: true,
            content: Content::Whole,
            utf8: if text_or_binary == MessageKind::Text { Utf8State::Valid } else { Utf8State::NotText },
            first: line.at,
            last: Some(line.at),
        };
        let is_small = size <= SMALL;
        let answers =
            is_small.then(|| self.heartbeats.get_or_insert_default().note(text_or_binary, size, line.at, line.beat));
        (self.take(note, line.at, acked), answers.flatten())
    }

    /// A complete message, of which this stays.
    fn take(&mut self, note: MessageNote, last: Origin, acked: StreamOffset) -> &MessageNote {
        self.unread_messages += u64::from(note.content != Content::Whole);
        if note.content != Content::Whole && (note.kind == Opcode::Text || note.compressed) {
            self.unread = Some(note.content);
        }
        match note.kind {
            Opcode::Text => self.text_messages += 1,
            _ => self.binary_messages += 1,
        }
        if let Some(ignored) = &mut self.after_close {
            ignored.messages = ignored.messages.saturating_add(1);
        }
        if let Some(last) = &self.last_message {
            self.largest_before_last = self.largest_before_last.max(last.size);
        }
        self.sizes.count(note.size, last);
        self.in_flight.sent(self.frame_end, acked);
        self.open_message.end();
        self.last_message.insert(note)
    }

    pub(super) fn unfinished(&mut self, unfinished: &websocket::Unfinished) {
        self.unfinished = unfinished.frame.map(Box::new);
    }

    /// Complete data messages of which some byte lies at or after `acked`; at most [`InFlight::MAX`].
    pub(super) fn messages_beyond(&self, acked: StreamOffset) -> u64 {
        self.in_flight.beyond(acked)
    }

    /// What it sent after its own Close frame; `None` when that was nothing.
    #[must_use]
    pub fn after_close(&self) -> Option<&AfterClose> {
        self.after_close.as_deref()
    }

    /// The heartbeats of its application, as far as they show in its messages.
    pub fn heartbeats(&self) -> impl Iterator<Item = Heartbeat> {
        self.heartbeats.iter().flat_map(|heartbeats| heartbeats.found())
    }

    /// Whether the data message under way is so small that it may be a heartbeat.
    pub(super) fn is_small_message_open(&self) -> bool {
        self.open_message.get().is_some_and(|open| open.wire_len <= SMALL)
    }

    /// The message under way, or else the last complete one.
    #[must_use]
    pub fn current_or_last(&self) -> Option<MessageNote> {
        self.open_message.get().copied().or(self.last_message)
    }

    /// Complete data messages.
    pub(super) fn messages(&self) -> u64 {
        self.text_messages + self.binary_messages
    }

    /// Payload bytes of the largest complete message before `message`.
    pub(super) fn largest_before(&self, message: Option<&MessageNote>) -> Option<u64> {
        match message {
            Some(note) if note.complete => (self.messages() > 1).then_some(self.largest_before_last),
            _ => self.last_message.map(|last| last.size.max(self.largest_before_last)),
        }
    }

    /// Complete messages of `kind` before the current or last message.
    pub(super) fn messages_before_last(&self, kind: Opcode) -> u64 {
        let count = if kind == Opcode::Text { self.text_messages } else { self.binary_messages };
        let last_is_one = self.open_message.get().is_none() && self.last_message.is_some_and(|last| last.kind == kind);
        count - u64::from(last_is_one)
    }
}

impl Blank for PerSide<Traffic> {
    fn blank() -> &'static Self {
        static BLANK: LazyLock<PerSide<Traffic>> = LazyLock::new(PerSide::default);
        &BLANK
    }
}

fn opcode_of(kind: MessageKind) -> Opcode {
    match kind {
        MessageKind::Text => Opcode::Text,
        MessageKind::Binary => Opcode::Binary,
    }
}
