//! Data messages: which frames belong together, and what their content is (RFC 6455 §5.4, §5.6, §8.1).
//!
//! One message at most is under way in each direction. Its bytes are looked at as they pass and then forgotten; only a
//! handful of counters and the state of the UTF-8 check remain.

use super::deflate::{Clarity, Deflate, Finding, Inflation, Stop, UNKNOWN, Yield};
use super::event::{
    Content, Event, EventSink, Message, MessageKind, OpenMessage, PAYLOAD_PEEK_LEN, PayloadPiece, TextFault, Utf8State,
};
use super::header::FrameHeader;
use super::mask::PayloadBytes;
use super::scratch::Scratch;
use super::utf8::Utf8Checker;
use crate::units::{Origin, Side, StreamOffset};
use crate::violation::{Detail, Violation, ViolationRule};

/// What goes along with a piece of input: who sent it, shared room, its packet, where events go.
pub(super) struct Feed<'f, S> {
    pub(super) sender: Side,
    pub(super) scratch: &'f mut Scratch,
    pub(super) origin: Origin,
    pub(super) sink: &'f mut S,
}

/// The data messages of one side.
pub(super) struct Assembly {
    inflation: Option<Box<Inflation>>,
    /// Boxed because a message that comes whole never gets here.
    open: Option<Box<Open>>,
}

/// A message under way.
pub(super) struct Open {
    kind: MessageKind,
    compressed: bool,
    content: Content,
    /// It refers to data that we do not have; its length can still be told.
    blurred: bool,
    /// Bytes already shown as [`Event::Payload`].
    shown: u16,
    frames: u32,
    wire_len: u64,
    inflated_len: u64,
    utf8: Utf8Checker,
    /// Boxed because it is rare and large.
    fault: Option<Box<(TextFault, Origin)>>,
    offset: StreamOffset,
    first: Origin,
}

impl Assembly {
    pub(super) fn new(deflate: Option<Deflate>) -> Self {
        Self { inflation: deflate.map(|deflate| Box::new(Inflation::new(deflate))), open: None }
    }

    /// For a side whose handshake was not seen: takes RSV1 for compression of which nothing else is known.
    pub(super) fn guessing() -> Self {
        Self { inflation: Some(Box::new(Inflation::guessed())), open: None }
    }

    pub(super) fn is_guessing(&self) -> bool {
        self.inflation.as_deref().is_some_and(Inflation::is_guessed)
    }

    pub(super) fn deflate_negotiated(&self) -> bool {
        self.inflation.is_some()
    }

    /// Messages that could not be read because an earlier one does not inflate.
    pub(super) fn unreadable_messages(&self) -> u32 {
        self.inflation.as_deref().map_or(0, Inflation::unreadable)
    }

    /// Bytes that the window of compression takes.
    pub(super) fn kept_bytes(&self) -> usize {
        self.inflation.as_deref().map_or(0, Inflation::kept_bytes)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn open_message(&self) -> Option<OpenMessage> {
        self.open.as_ref().map(|open| OpenMessage {
            kind: open.kind,
            compressed: open.compressed,
            frames: open.frames,
            wire_len: open.wire_len,
            offset: open.offset,
            first: open.first,
        })
    }

    /// A text or binary frame begins a message. One that is still under way is given up.
    pub(super) fn begin(
        &mut self,
        kind: MessageKind,
        header: &FrameHeader,
        offset: StreamOffset,
        first: Origin,
        scratch: &mut Scratch,
    ) {
        self.discard();
        let (compressed, content) = match &mut self.inflation {
            Some(inflation) if header.rsv.rsv1() => match inflation.start(&mut scratch.spares) {
                Ok(()) => (true, Content::Whole),
                Err(_) => (true, Content::ContextLost),
            },
            Some(_) | None => (false, Content::Whole),
        };
        let explained = if compressed { header.rsv.without_rsv1() } else { header.rsv };
        self.open = Some(scratch.messages.boxed(Open {
            kind,
            compressed,
            content,
            blurred: false,
            shown: 0,
            frames: 1,
            wire_len: 0,
            inflated_len: 0,
            utf8: Utf8Checker::default(),
            fault: None,
            offset,
            first,
        }));
        if explained.bits() != 0 {
            self.lose(Content::UnknownExtension);
        }
    }

    /// A continuation frame goes on with the message; false when there is none.
    pub(super) fn resume(&mut self) -> bool {
        let Some(open) = &mut self.open else { return false };
        open.frames = open.frames.saturating_add(1);
        true
    }

    /// The next bytes of the message; `frame` is where the frame that carries them starts.
    pub(super) fn payload<S: EventSink>(
        &mut self,
        payload: PayloadBytes<'_>,
        frame: StreamOffset,
        feed: &mut Feed<'_, S>,
    ) {
        let Some(open) = &mut self.open else { return };
        open.wire_len = open.wire_len.saturating_add(payload.len() as u64);
        if open.content != Content::Whole {
            return;
        }
        let presumed = open.compressed && self.inflation.as_deref().is_some_and(Inflation::is_guessed);
        let Feed { sender, scratch, origin, sink } = feed;
        let mut inspector = Inspector { sender: *sender, frame, origin: *origin, presumed, sink: &mut **sink };
        if open.compressed {
            let Some(inflation) = &mut self.inflation else { return };
            let mut stopped = None;
            payload.for_each_clear(&mut scratch.unmasked, |clear| {
                if stopped.is_some() {
                    return;
                }
                let mut produced = open.inflated_len;
                let grown = Yield { produced: &mut produced, limit: scratch.inflated_message_bytes };
                let result = inflation.push(clear, grown, |found| {
                    inspector.inspect_finding(open, found);
                });
                open.inflated_len = produced;
                stopped = result.err();
            });
            if let Some(stop) = stopped {
                self.stop(stop, frame, feed);
            }
        } else {
            // What nobody looks at stays masked.
            let looked_at = if open.kind == MessageKind::Text && open.fault.is_none() {
                payload
            } else {
                payload.prefix(if inspector.sink.wants_payload() { open.peek_left() } else { 0 })
            };
            if looked_at.len() > 0 {
                looked_at.for_each_clear(&mut scratch.unmasked, |piece| inspector.inspect(open, piece));
            }
        }
    }

    /// Counts the next bytes of the message, if [`payload`](Self::payload) would do no more.
    #[inline]
    pub(super) fn passes_over(&mut self, len: u64, sink: &impl EventSink) -> bool {
        let Some(open) = &mut self.open else { return false };
        let is_looked_at =
            open.kind == MessageKind::Text || open.compressed || (open.peek_left() > 0 && sink.wants_payload());
        if !is_looked_at {
            open.wire_len = open.wire_len.saturating_add(len);
        }
        !is_looked_at
    }

    /// `len` bytes of the message are missing.
    pub(super) fn gap(&mut self, len: u64) {
        if let Some(open) = &mut self.open {
            open.wire_len = open.wire_len.saturating_add(len);
        }
        self.lose(Content::Gap);
    }

    /// The last frame of the message is complete.
    pub(super) fn finish<S: EventSink>(&mut self, frame: StreamOffset, feed: &mut Feed<'_, S>) -> Option<Message> {
        self.finish_content(frame, feed);
        let open = self.open.take()?;
        if open.compressed
            && let Some(inflation) = &mut self.inflation
        {
            inflation.release(&mut feed.scratch.spares);
        }
        let message = Message {
            kind: open.kind,
            compressed: open.compressed,
            frames: open.frames,
            wire_len: open.wire_len,
            inflated_len: match open.content {
                Content::Whole if open.compressed => Some(open.inflated_len),
                Content::Limit => Some(feed.scratch.inflated_message_bytes),
                _ => None,
            },
            utf8: open.utf8_state(),
            content: open.content_state(),
            first: open.first,
            last: feed.origin,
            offset: open.offset,
        };
        feed.scratch.messages.give(open);
        Some(message)
    }

    /// Gives up the message under way, if any.
    pub(super) fn discard(&mut self) {
        self.lose(Content::Gap);
        self.open = None;
    }

    /// Nothing more will be understood: gives up everything.
    pub(super) fn shut(&mut self) {
        self.lose_context();
        self.open = None;
    }

    /// The stream is over: keeps what is told of an open message, and no window.
    pub(super) fn end(&mut self) {
        if let Some(inflation) = &mut self.inflation {
            inflation.blur();
        }
    }

    /// Earlier compressed messages of this side were not seen.
    pub(super) fn lose_context(&mut self) {
        self.lose(Content::ContextLost);
        if let Some(inflation) = &mut self.inflation {
            inflation.blur();
        }
    }

    /// Inflates what is left, and ends the UTF-8 check.
    fn finish_content<S: EventSink>(&mut self, frame: StreamOffset, feed: &mut Feed<'_, S>) {
        let Some(open) = &mut self.open else { return };
        if open.content != Content::Whole {
            return;
        }
        let presumed = open.compressed && self.inflation.as_deref().is_some_and(Inflation::is_guessed);
        let Feed { sender, scratch, origin, sink } = feed;
        let mut inspector = Inspector { sender: *sender, frame, origin: *origin, presumed, sink: &mut **sink };
        // No byte at all is no DEFLATE block, so the tail would not fit behind it. But it is what zlib writes when it is
        // flushed twice in a row: take it for the empty message that was meant.
        if open.compressed
            && open.wire_len > 0
            && let Some(inflation) = &mut self.inflation
        {
            let mut produced = open.inflated_len;
            let grown = Yield { produced: &mut produced, limit: scratch.inflated_message_bytes };
            let result = inflation.finish(grown, |found| {
                inspector.inspect_finding(open, found);
            });
            open.inflated_len = produced;
            if let Err(stop) = result {
                self.stop(stop, frame, feed);
                return;
            }
        }
        if open.kind == MessageKind::Text
            && open.fault.is_none()
            && !open.blurred
            && let Err(fault) = open.utf8.finish()
        {
            inspector.fault(open, fault);
        }
    }

    /// The message cannot be inflated any further.
    fn stop<S: EventSink>(&mut self, stop: Stop, frame: StreamOffset, feed: &mut Feed<'_, S>) {
        let content = match stop {
            Stop::ContextLost => Content::ContextLost,
            Stop::Limit => {
                feed.scratch.inflate_limit_hits += 1;
                Content::Limit
            }
            Stop::Failed { byte } => {
                let inflated = self.open.as_ref().map_or(0, |open| open.inflated_len);
                let detail = Detail::Inflate { byte, inflated, unreadable: 0 };
                feed.sink.event(Event::Violation(Violation {
                    rule: ViolationRule::InflateFailed,
                    side: feed.sender,
                    at: feed.origin,
                    offset: Some(frame),
                    detail,
                }));
                Content::InflateFailed
            }
        };
        self.lose(content);
    }

    /// The rest of the message cannot be read. The first cause stays.
    fn lose(&mut self, why: Content) {
        let Some(open) = &mut self.open else { return };
        if open.content == Content::Whole {
            open.content = why;
            if open.compressed
                && let Some(inflation) = &mut self.inflation
            {
                if why == Content::InflateFailed { inflation.fail() } else { inflation.blur() }
            }
        }
    }
}

impl Open {
    fn peek_left(&self) -> usize {
        PAYLOAD_PEEK_LEN.saturating_sub(usize::from(self.shown))
    }

    fn content_state(&self) -> Content {
        if self.content == Content::Whole && self.blurred { Content::ContextLost } else { self.content }
    }

    fn utf8_state(&self) -> Utf8State {
        match (self.kind, &self.fault) {
            (MessageKind::Binary, _) => Utf8State::NotText,
            (MessageKind::Text, Some(fault)) => {
                let (TextFault { offset, what }, packet) = **fault;
                Utf8State::Invalid { offset, value: what.first_byte(), packet }
            }
            (MessageKind::Text, None) if self.content_state() == Content::Whole => Utf8State::Valid,
            (MessageKind::Text, None) => Utf8State::Unknown,
        }
    }
}

/// Looks at clear, inflated bytes of a message.
struct Inspector<'s, S> {
    sender: Side,
    frame: StreamOffset,
    origin: Origin,
    /// That it is compressed is only presumed, so that text that is not UTF-8 may be something else.
    presumed: bool,
    sink: &'s mut S,
}

impl<S: EventSink> Inspector<'_, S> {
    fn inspect(&mut self, open: &mut Open, piece: &[u8]) {
        if open.peek_left() > 0 && self.sink.wants_payload() {
            let bytes = &piece[..piece.len().min(open.peek_left())];
            self.sink.event(Event::Payload(PayloadPiece { kind: open.kind, position: open.shown, bytes }));
            // At most PAYLOAD_PEEK_LEN, which fits.
            open.shown += bytes.len() as u16;
        }
        if open.kind == MessageKind::Text
            && open.fault.is_none()
            && !open.blurred
            && let Err(fault) = open.utf8.push(piece)
        {
            self.fault(open, fault);
        }
    }

    fn inspect_finding(&mut self, open: &mut Open, found: Finding<'_>) {
        match found {
            Finding::Bytes(piece, clarity) => self.inspect_inflated(open, piece, clarity),
            Finding::TooFar { at, distance, window } => self.sink.event(Event::Violation(Violation {
                rule: ViolationRule::WindowExceeded,
                side: self.sender,
                at: self.origin,
                offset: Some(self.frame),
                detail: Detail::Reference { distance, window, at },
            })),
        }
    }

    /// The same, where some bytes may stand for ones we do not know. A text is checked up to the first of them.
    fn inspect_inflated(&mut self, open: &mut Open, piece: &[u8], clarity: Clarity) {
        let unknown = match clarity {
            Clarity::Clear => None,
            Clarity::Blurred => piece.iter().position(|byte| *byte == UNKNOWN),
        };
        match unknown {
            Some(_) if open.kind == MessageKind::Binary => {
                open.blurred = true;
                self.inspect(open, piece);
            }
            Some(unknown) => {
                let (clear, rest) = piece.split_at(unknown);
                self.inspect(open, clear);
                open.blurred = true;
                self.inspect(open, rest);
            }
            None => self.inspect(open, piece),
        }
    }

    fn fault(&mut self, open: &mut Open, fault: TextFault) {
        if self.presumed {
            open.blurred = true;
            return;
        }
        open.fault = Some(Box::new((fault, self.origin)));
        self.sink.event(Event::Violation(Violation {
            rule: ViolationRule::InvalidUtf8Text,
            side: self.sender,
            at: self.origin,
            offset: Some(self.frame),
            detail: Detail::Character { offset: fault.offset, fault: fault.what },
        }));
    }
}
