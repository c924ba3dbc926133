//! What the decoder tells: small facts, each with the packets that carried it.

use super::close::ClosePayload;
use super::header::FrameHeader;
use super::opcode::Opcode;
use crate::units::{Origin, Side, StreamOffset};
use crate::violation::{CharacterFault, Violation};

/// Where the decoder's events go.
pub trait EventSink {
    /// The next event. Events of one decoder come in stream order.
    fn event(&mut self, event: Event<'_>);

    /// The next events, of a message that came whole: all at once, for who can take them in faster than one by one.
    fn whole_message(&mut self, whole: &WholeMessage<'_>) {
        self.event(Event::Frame(whole.frame()));
        if self.wants_payload() && !whole.beginning.is_empty() {
            self.event(Event::Payload(PayloadPiece { kind: whole.kind, position: 0, bytes: whole.beginning }));
        }
        self.event(Event::FrameEnd(whole.frame().end_at_once()));
        self.event(Event::Message(whole.message()));
    }

    /// The next events, of a Ping or Pong that came whole.
    fn whole_control(&mut self, whole: &WholeControl<'_>) {
        self.event(Event::Frame(whole.frame()));
        self.event(Event::FrameEnd(whole.frame().end_at_once()));
        self.event(whole.event());
    }

    /// Whether [`Event::Payload`] is wanted; asked for every piece of payload. Unwanted pieces are often never
    /// unmasked.
    fn wants_payload(&self) -> bool {
        false
    }
}

/// One thing that happened in one side's stream.
///
/// A frame gives the violations of its header, `Frame`, its payload and the violations in it, `FrameEnd`, and then what it
/// completed: `Message`, `Control` or `Close`, with the violations that only the whole shows in front of it. Of a header
/// that is cut off there are only violations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A frame's header is complete and was judged; its payload may never come.
    Frame(Frame),
    /// A frame is complete.
    FrameEnd(FrameEnd),
    /// A data message is complete.
    Message(Message),
    /// A Ping or Pong is complete and none of its bytes is missing.
    Control {
        /// [`Opcode::Ping`] or [`Opcode::Pong`].
        opcode: Opcode,
        /// The clear payload; of an over-long one the first 125 bytes.
        payload: &'a [u8],
        /// The packet with the first byte of the frame.
        first: Origin,
        /// The packet with its last byte.
        last: Origin,
    },
    /// A Close frame is complete and none of its bytes is missing.
    Close(CloseFrame),
    /// A rule was broken.
    Violation(Violation),
    /// Clear and inflated bytes from the start of a message, at most [`PAYLOAD_PEEK_LEN`] of each message in total.
    /// Only for sinks that [want them](EventSink::wants_payload).
    Payload(PayloadPiece<'a>),
    /// The stream ended inside a frame or a message.
    Unfinished(Unfinished),
    /// After a hole, or in a capture that joined late, frames were found again; the first of them follows.
    Resynchronised(Resynchronised),
}

/// How many bytes of each message [`Event::Payload`] shows.
pub const PAYLOAD_PEEK_LEN: usize = 256;

/// A frame whose header is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Who sent it.
    pub sender: Side,
    /// Its header.
    pub header: FrameHeader,
    /// Where its first byte is in the sender's stream.
    pub offset: StreamOffset,
    /// The packet with its first byte.
    pub first: Origin,
}

impl Frame {
    /// The end of a frame that came whole in one packet.
    #[must_use]
    pub fn end_at_once(&self) -> FrameEnd {
        let Self { sender, header, offset, first } = *self;
        FrameEnd { sender, header, offset, first, last: first, payload_seen: header.payload_len }
    }
}

/// A complete frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameEnd {
    /// Who sent it.
    pub sender: Side,
    /// Its header.
    pub header: FrameHeader,
    /// Where its first byte is in the sender's stream.
    pub offset: StreamOffset,
    /// The packet with its first byte.
    pub first: Origin,
    /// The packet with its last byte.
    pub last: Origin,
    /// Payload bytes that the capture holds; fewer than the header claims when some are missing.
    pub payload_seen: u64,
}

impl FrameEnd {
    /// The offset after its last byte.
    #[must_use]
    pub fn end(&self) -> StreamOffset {
        StreamOffset(self.offset.0.saturating_add(self.header.frame_len()))
    }
}

/// A complete data message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Text or binary.
    pub kind: MessageKind,
    /// Whether it was sent compressed (RFC 7692): RSV1 set and permessage-deflate negotiated.
    pub compressed: bool,
    /// How many frames it came in, at least 1; stops counting at `u32::MAX`.
    pub frames: u32,
    /// Sum of the payload lengths of its frames in bytes, as sent.
    pub wire_len: u64,
    /// Length in bytes after inflating; `None` when it was not compressed or not inflated to its end.
    /// With [`Content::Limit`] the limit, which it passes.
    pub inflated_len: Option<u64>,
    /// Whether a text is UTF-8.
    pub utf8: Utf8State,
    /// How far its content could be read.
    pub content: Content,
    /// The packet with the first byte of its first frame.
    pub first: Origin,
    /// The packet with the last byte of its last frame.
    pub last: Origin,
    /// Where its first frame starts in the sender's stream.
    pub offset: StreamOffset,
}

/// A message as most are: one frame that breaks no rule, in one packet, not compressed, and UTF-8 if it is text.
#[derive(Debug, Clone, Copy)]
pub struct WholeMessage<'a> {
    /// Who sent it.
    pub sender: Side,
    /// Text or binary.
    pub kind: MessageKind,
    /// Its frame's header.
    pub header: FrameHeader,
    /// Payload bytes, as the header says.
    pub len: u32,
    /// Where the header starts in the sender's stream.
    pub offset: StreamOffset,
    /// The packet that carried it.
    pub at: Origin,
    /// The first [`PAYLOAD_PEEK_LEN`] bytes of it, clear.
    pub beginning: &'a [u8],
}

impl WholeMessage<'_> {
    /// The offset after its last byte.
    #[must_use]
    #[inline]
    pub fn end(&self) -> StreamOffset {
        self.offset.plus(u64::from(self.header.header_len) + u64::from(self.len))
    }

    /// The beginning of its frame.
    #[must_use]
    pub fn frame(&self) -> Frame {
        Frame { sender: self.sender, header: self.header, offset: self.offset, first: self.at }
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> Message {
        Message {
            kind: self.kind,
            compressed: false,
            frames: 1,
            wire_len: self.header.payload_len,
            inflated_len: None,
            utf8: if self.kind == MessageKind::Text { Utf8State::Valid } else { Utf8State::NotText },
            content: Content::Whole,
            first: self.at,
            last: self.at,
            offset: self.offset,
        }
    }
}

/// A Ping or Pong that breaks no rule, in one packet.
#[derive(Debug, Clone, Copy)]
pub struct WholeControl<'a> {
    /// Who sent it.
    pub sender: Side,
    /// Which of the two it is.
    pub is_ping: bool,
    /// Its header.
    pub header: FrameHeader,
    /// Where that starts in the sender's stream.
    pub offset: StreamOffset,
    /// The packet that carried it.
    pub at: Origin,
    /// Its clear payload.
    pub payload: &'a [u8],
}

impl<'a> WholeControl<'a> {
    /// The beginning of its frame.
    #[must_use]
    pub fn frame(&self) -> Frame {
        Frame { sender: self.sender, header: self.header, offset: self.offset, first: self.at }
    }

    /// What it completes.
    #[must_use]
    pub fn event(&self) -> Event<'a> {
        Event::Control { opcode: self.header.opcode, payload: self.payload, first: self.at, last: self.at }
    }
}

/// The two kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
}

impl MessageKind {
    /// `text` or `binary`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// How far the content of a message could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// To its end.
    Whole,
    /// Payload bytes are missing from the capture.
    Gap,
    /// It is compressed and refers, or may refer, to earlier data that we do not have. Its inflated length is known unless
    /// an earlier message failed to inflate.
    ContextLost,
    /// It inflates to more than [`inflated_message_bytes`](crate::limits::Limits::inflated_message_bytes).
    Limit,
    /// It does not inflate; a violation was told.
    InflateFailed,
    /// A reserved bit is set that permessage-deflate does not explain, so its bytes may mean anything; a violation was
    /// told, which holds unless another extension was agreed on.
    UnknownExtension,
}

/// Whether a message is UTF-8 (RFC 6455 §8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Utf8State {
    /// A binary message may hold anything.
    NotText,
    /// Every byte was checked.
    Valid,
    /// It is not.
    Invalid {
        /// Where in the (inflated) message the first wrong character starts.
        offset: u64,
        /// The byte there; `None` when the message ends inside that character.
        value: Option<u8>,
        /// The packet with which it was certain.
        packet: Origin,
    },
    /// Not all of it could be read and no fault was found in the part that could: see [`Content`].
    Unknown,
}

/// The first place where a text is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextFault {
    /// Where the wrong character starts.
    pub(super) offset: u64,
    /// What is wrong with it.
    pub(super) what: CharacterFault,
}

/// A complete Close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// What it says.
    pub payload: ClosePayload,
    /// The packet with its first byte.
    pub first: Origin,
    /// The packet with its last byte.
    pub last: Origin,
    /// Where its first byte is in the sender's stream.
    pub offset: StreamOffset,
}

/// Bytes from the start of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadPiece<'a> {
    /// Of which kind of message.
    pub kind: MessageKind,
    /// Where in the message they start; 0 begins a new message.
    pub position: u16,
    /// The bytes, clear and inflated.
    pub bytes: &'a [u8],
}

/// Where a decoder that did not know where frames start found them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resynchronised {
    /// Whose stream.
    pub sender: Side,
    /// From here on frames were not understood. What lies between is told by no event.
    pub lost_from: StreamOffset,
    /// The packet with which that was certain.
    pub lost_at: Origin,
    /// Where the first frame starts that is certain.
    pub found: StreamOffset,
    /// The packet with its first byte.
    pub origin: Origin,
    /// How many complete frames agreed.
    pub frames: u32,
}

/// What was under way when the stream ended; at least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Whose stream.
    pub sender: Side,
    /// The frame that was begun.
    pub frame: Option<OpenFrame>,
    /// The data message that was begun. The open frame may be part of it or a control frame inside it.
    pub message: Option<OpenMessage>,
}

/// A frame that has begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFrame {
    /// Its header; `None` while that is not complete.
    pub header: Option<FrameHeader>,
    /// Payload bytes that the capture holds so far.
    pub payload_seen: u64,
    /// Where its first byte is in the sender's stream.
    pub offset: StreamOffset,
    /// The packet with its first byte.
    pub first: Origin,
}

/// A data message that has begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenMessage {
    /// Text or binary.
    pub kind: MessageKind,
    /// Whether it is sent compressed.
    pub compressed: bool,
    /// Frames begun so far.
    pub frames: u32,
    /// Payload bytes so far, as sent.
    pub wire_len: u64,
    /// Where its first frame starts in the sender's stream.
    pub offset: StreamOffset,
    /// The packet with the first byte of its first frame.
    pub first: Origin,
}
