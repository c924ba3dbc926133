//! The bytes of one side, from wherever they are cut, to events.

mod headers;
mod whole;

use super::assembly::{Assembly, Feed};
use super::close::ClosePayload;
use super::deflate::Deflate;
use super::event::{
    CloseFrame, Event, EventSink, Frame, FrameEnd, MessageKind, OpenFrame, OpenMessage, Resynchronised, Unfinished,
};
use super::header::FrameHeader;
use super::mask::PayloadBytes;
use super::nesting::Nesting;
use super::opcode::Opcode;
use super::partial::PartialHeader;
use super::resync::{Proof, Search, Thresholds};
use super::rules::{self, CONTROL_PAYLOAD_MAX};
use super::scratch::Scratch;
use crate::units::{Origin, Side, StreamOffset};
use crate::violation::{Detail, Violation, ViolationRule};

/// What a decoder must be told by whoever read the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderConfig {
    /// Whose bytes these are.
    pub sender: Side,
    /// How that side compresses; `None` when permessage-deflate was not negotiated.
    pub deflate: Option<Deflate>,
}

/// Decodes what one side sends after the handshake.
///
/// Feed it every chunk and gap of that side in order, and [`finish`](Self::finish) it when the side sends no more. The
/// events depend on the bytes alone, not on how they were cut; only the packets named in them differ.
pub struct Decoder {
    state: State,
    assembly: Assembly,
    /// Stops counting at the end of its range.
    frames_after_close: u32,
    close_sent: bool,
    /// A message whose first frame is not known may go on: frames were lost, or the fragment that began it was told as
    /// a fault already.
    may_continue: bool,
    had_hole: bool,
    sender: Side,
    nesting: Nesting,
}

/// What the next byte is.
enum State {
    /// The start of a header, or its middle; then the bytes that came.
    Header(Option<Box<PartialHeader>>),
    /// Payload.
    Payload(Box<Current>),
    /// Unknown: bytes are missing where only they could tell.
    Lost(Box<Lost>),
    /// Not WebSocket any more.
    Foreign(Box<Foreign>),
}

/// Where HTTP began, and the packet that showed it.
struct Foreign {
    since: StreamOffset,
    at: Origin,
}

/// Whether a decoder still understands its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecoderStatus {
    /// Yes.
    Decoding,
    /// No: a gap hid where the next frame starts. No event comes until that is certain again.
    Lost {
        /// Where the gap starts.
        since: StreamOffset,
        /// The packet at which the loss was certain.
        at: Origin,
    },
    /// No: the side wrote HTTP into the upgraded stream. No event comes any more.
    Foreign {
        /// Where the HTTP message starts.
        since: StreamOffset,
        /// The packet that showed it.
        at: Origin,
    },
}

/// A stream in which the next frame is searched for.
struct Lost {
    since: StreamOffset,
    /// The packet with which it was certain; `None` until a byte came in a capture that joined late.
    at: Option<Origin>,
    search: Search,
}

/// The frame whose payload is arriving.
pub(super) struct Current {
    header: FrameHeader,
    offset: StreamOffset,
    first: Origin,
    /// Payload bytes that are behind us.
    position: u64,
    /// Those of them that the capture does not hold.
    missing: u64,
    role: Role,
}

/// What becomes of a frame's payload.
pub(super) enum Role {
    /// It belongs to the message under way.
    Data,
    /// It is kept, up to 125 bytes. Boxed and only there between two packets, because most control frames come whole.
    Control(Option<Box<ControlPayload>>),
    /// It is passed over: reserved opcodes, continuations of nothing.
    Skipped,
}

/// The clear payload of a control frame.
pub(super) struct ControlPayload {
    bytes: [u8; CONTROL_PAYLOAD_MAX],
    len: u8,
}

impl Decoder {
    /// A decoder for the bytes after the handshake.
    #[must_use]
    pub fn new(config: DecoderConfig) -> Self {
        Self {
            state: State::expecting_header(),
            assembly: Assembly::new(config.deflate),
            frames_after_close: 0,
            close_sent: false,
            may_continue: false,
            had_hole: false,
            sender: config.sender,
            nesting: Nesting::default(),
        }
    }

    /// A decoder for the bytes after a handshake whose answer was not seen: they start with a frame, but nobody knows
    /// what RSV1 means. A message with it counts as compressed, and cannot break the rules of compression.
    #[must_use]
    pub fn after_unseen_handshake(sender: Side) -> Self {
        let config = DecoderConfig { sender, deflate: None };
        Self { assembly: Assembly::guessing(), ..Self::new(config) }
    }

    /// A decoder for bytes of which nobody knows where frames start, as in a capture that began in the middle.
    ///
    /// Tells nothing until that is certain. `deflate` as in [`new`](Self::new), but `None` means that it is not known.
    #[must_use]
    pub fn joined_late(config: DecoderConfig, scratch: &Scratch) -> Self {
        let assembly = match config.deflate {
            Some(_) => {
                let mut assembly = Assembly::new(config.deflate);
                assembly.lose_context();
                assembly
            }
            None => Assembly::guessing(),
        };
        let rsv1 = assembly.deflate_negotiated();
        let search = Search::new(config.sender, rsv1, Thresholds::JOINED_LATE, Nesting::default(), &scratch.searches);
        let state = State::Lost(Box::new(Lost { since: StreamOffset(0), at: None, search }));
        Self { state, assembly, ..Self::new(config) }
    }

    /// The next bytes: where they start in the stream, the packet that carried them.
    pub fn push(
        &mut self,
        scratch: &mut Scratch,
        offset: StreamOffset,
        origin: Origin,
        bytes: &[u8],
        sink: &mut impl EventSink,
    ) {
        if self.passes_over(bytes.len(), sink) {
            return;
        }
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let mut feed = Feed { sender: self.sender, scratch: &mut *scratch, origin, sink: &mut *sink };
            let used = match self.state {
                State::Header(_) => match self.whole_frame(rest, at, &mut feed) {
                    Some(used) => used,
                    None => self.push_header(rest, at, &mut feed),
                },
                State::Payload(_) => self.push_payload(rest, &mut feed),
                State::Lost(ref mut lost) => {
                    if lost.at.is_none() {
                        (lost.since, lost.at) = (at, Some(origin));
                    }
                    if let Some(proof) = lost.search.push(at, origin, rest, &mut scratch.searches) {
                        self.resynchronise(proof, scratch, sink);
                    }
                    return;
                }
                State::Foreign(_) => return,
            };
            rest = &rest[used..];
            at = at.plus(used as u64);
        }
    }

    /// The next `len` bytes, from `offset` on, are missing; `None` when nobody knows how many.
    ///
    /// Inside the payload of a frame they are passed over and the framing goes on. Anywhere else nobody can tell where
    /// the next frame starts: the decoder falls silent and holds back what comes until it can.
    pub fn gap(
        &mut self,
        scratch: &mut Scratch,
        offset: StreamOffset,
        len: Option<u64>,
        origin: Origin,
        sink: &mut impl EventSink,
    ) {
        if len == Some(0) {
            return;
        }
        let feed = &mut Feed { sender: self.sender, scratch: &mut *scratch, origin, sink: &mut *sink };
        match (&mut self.state, len) {
            (State::Foreign(_), _) => {}
            (State::Lost(lost), _) => {
                if let Some(proof) = lost.search.finish() {
                    self.resynchronise(proof, scratch, sink);
                    self.gap(scratch, offset, len, origin, sink);
                    return;
                }
                if lost.at.is_none() {
                    (lost.since, lost.at) = (offset, Some(origin));
                }
                if let Some(proof) = lost.search.gap(offset, origin, len, &mut scratch.searches) {
                    self.resynchronise(proof, scratch, sink);
                }
            }
            (State::Payload(frame), Some(len)) if len <= frame.remaining() => {
                frame.position += len;
                frame.missing += len;
                match &mut frame.role {
                    Role::Data => self.assembly.gap(len),
                    Role::Control(kept) => *kept = None,
                    Role::Skipped => {}
                }
                if frame.remaining() == 0 {
                    self.end_frame(None, feed);
                }
            }
            (State::Payload(_) | State::Header(_), _) => {
                self.judge_cut_header(scratch, sink);
                self.assembly.shut();
                let budget = &mut scratch.searches;
                let rsv1 = self.assembly.deflate_negotiated();
                let mut search = Search::new(self.sender, rsv1, Thresholds::RESYNC, self.nesting, budget);
                search.gap(offset, origin, len, budget);
                self.state = State::Lost(Box::new(Lost { since: offset, at: Some(origin), search }));
            }
        }
    }

    /// Frames were found again: tells them, from what was held back.
    fn resynchronise(&mut self, proof: Proof, scratch: &mut Scratch, sink: &mut impl EventSink) {
        let State::Lost(lost) = std::mem::replace(&mut self.state, State::expecting_header()) else { return };
        let Lost { since, at, search } = *lost;
        self.may_continue = true;
        self.had_hole |= since.0 != proof.from;
        let origin = search.held.origin_at(proof.from);
        if let (Some(lost_at), Some(origin)) = (at, origin) {
            sink.event(Event::Resynchronised(Resynchronised {
                sender: self.sender,
                lost_from: since,
                lost_at,
                found: StreamOffset(proof.from),
                origin,
                frames: proof.frames,
            }));
        }
        for run in search.into_held(&mut scratch.searches).into_runs() {
            let skip = proof.from.saturating_sub(run.offset);
            if skip >= run.len {
                continue;
            }
            let offset = StreamOffset(run.offset).plus(skip);
            match &run.bytes {
                Some(bytes) => {
                    // Less than the length of the run.
                    let bytes = bytes.get(skip as usize..).unwrap_or_default();
                    self.push(scratch, offset, run.origin, bytes, sink);
                }
                None => self.gap(scratch, offset, Some(run.len - skip), run.origin, sink),
            }
        }
    }

    /// The stream ended. Tells what was begun and not completed; nothing when all was complete or the decoder no
    /// longer understands the stream.
    pub fn finish(&mut self, scratch: &mut Scratch, sink: &mut impl EventSink) {
        self.settle(scratch, sink);
        if let State::Lost(lost) = &mut self.state {
            lost.search.forget(&mut scratch.searches);
        }
        self.judge_cut_header(scratch, sink);
        let (frame, message) = (self.open_frame(), self.open_message());
        if frame.is_some() || message.is_some() {
            sink.event(Event::Unfinished(Unfinished { sender: self.sender, frame, message }));
        }
        self.assembly.end();
    }

    /// The connection is ending: tells what was held back if it ends like a stream does, with a Close frame.
    pub fn settle(&mut self, scratch: &mut Scratch, sink: &mut impl EventSink) {
        if let State::Lost(lost) = &mut self.state
            && let Some(proof) = lost.search.finish()
        {
            self.resynchronise(proof, scratch, sink);
        }
    }

    /// The frame under way.
    #[must_use]
    pub fn open_frame(&self) -> Option<OpenFrame> {
        match &self.state {
            State::Header(None) => None,
            State::Header(Some(partial)) => partial.first.map(|first| OpenFrame {
                // Complete only while it may still turn out to be HTTP.
                header: FrameHeader::parse(partial.bytes()),
                payload_seen: 0,
                offset: partial.offset,
                first,
            }),
            State::Payload(frame) => Some(OpenFrame {
                header: Some(frame.header),
                payload_seen: frame.seen(),
                offset: frame.offset,
                first: frame.first,
            }),
            State::Lost(_) | State::Foreign(_) => None,
        }
    }

    /// The data message under way.
    #[must_use]
    pub fn open_message(&self) -> Option<OpenMessage> {
        self.assembly.open_message()
    }

    /// Frames that this side began after its own Close frame (RFC 6455 §5.5.1). The first of them was told as a
    /// violation.
    #[must_use]
    pub fn frames_after_close(&self) -> u64 {
        u64::from(self.frames_after_close)
    }

    /// Compressed messages of this side that nobody can read because an earlier one does not inflate; that one was told
    /// as a violation, these are not.
    #[must_use]
    pub fn unreadable_messages(&self) -> u64 {
        u64::from(self.assembly.unreadable_messages())
    }

    /// Whether the decoder still understands the stream.
    #[must_use]
    pub fn status(&self) -> DecoderStatus {
        match self.state {
            State::Header(_) | State::Payload(_) => DecoderStatus::Decoding,
            State::Lost(ref lost) => match lost.at {
                Some(at) => DecoderStatus::Lost { since: lost.since, at },
                None => DecoderStatus::Decoding,
            },
            State::Foreign(ref foreign) => DecoderStatus::Foreign { since: foreign.since, at: foreign.at },
        }
    }

    /// Whether the next byte may belong to an HTTP message that has begun already: a part of its first line may be behind us.
    #[must_use]
    pub fn may_be_inside_http(&self) -> bool {
        !matches!(self.state, State::Header(None) | State::Payload(_))
    }

    /// About how many bytes are kept until more come: those in which frames are searched for, and a window of compression.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        let searched = if let State::Lost(lost) = &self.state { lost.search.memory() } else { 0 };
        searched + self.assembly.kept_bytes()
    }

    /// Whether frames may be missing before the ones that were told last.
    #[must_use]
    pub fn had_hole(&self) -> bool {
        self.had_hole
    }

    /// Tells the decoder that earlier messages of this side were not seen, as in a capture that joined late: with
    /// context takeover no compressed message can be read then.
    pub fn lose_context(&mut self) {
        self.assembly.lose_context();
    }

    /// A header is complete, and judged.
    fn begin_frame<S: EventSink>(
        &mut self,
        header: FrameHeader,
        offset: StreamOffset,
        first: Origin,
        feed: &mut Feed<'_, S>,
    ) {
        feed.sink.event(Event::Frame(Frame { sender: self.sender, header, offset, first }));
        let role = match header.opcode {
            Opcode::Text | Opcode::Binary => {
                let kind = if header.opcode == Opcode::Text { MessageKind::Text } else { MessageKind::Binary };
                self.assembly.begin(kind, &header, offset, first, feed.scratch);
                Role::Data
            }
            Opcode::Continuation if self.assembly.resume() => Role::Data,
            Opcode::Close | Opcode::Ping | Opcode::Pong => Role::Control(None),
            Opcode::Continuation | Opcode::Reserved(_) => Role::Skipped,
        };
        let current = Current { header, offset, first, position: 0, missing: 0, role };
        self.state = State::Payload(feed.scratch.frames.boxed(current));
        if header.payload_len == 0 {
            self.end_frame(Some(&ControlPayload::EMPTY), feed);
        }
    }

    /// Steps over so many bytes in the middle of a frame, if that is where they lie and nobody looks at them.
    #[inline]
    fn passes_over(&mut self, len: usize, sink: &impl EventSink) -> bool {
        let State::Payload(frame) = &mut self.state else { return false };
        let len = len as u64;
        let passes = matches!(frame.role, Role::Data)
            && frame.position > 0
            && len < frame.remaining()
            && self.assembly.passes_over(len, sink);
        frame.position += if passes { len } else { 0 };
        passes
    }

    /// Takes payload from the start of `rest` and returns how many bytes.
    fn push_payload<S: EventSink>(&mut self, rest: &[u8], feed: &mut Feed<'_, S>) -> usize {
        let State::Payload(frame) = &mut self.state else { return rest.len() };
        let used = usize::try_from(frame.remaining()).unwrap_or(usize::MAX).min(rest.len());
        let payload = PayloadBytes::new(frame.header.masking_key, frame.position, &rest[..used]);
        if frame.position == 0 && frame.header.masking_key.is_none() && matches!(frame.role, Role::Data) {
            self.nesting.look(&rest[..used], frame.header.payload_len);
        }
        frame.position += used as u64;
        let complete = frame.remaining() == 0;

        match &mut frame.role {
            Role::Data => self.assembly.payload(payload, frame.offset, feed),
            Role::Skipped => {}
            // A frame with missing bytes is not read: what was kept of it would not be its payload.
            Role::Control(_) if frame.missing > 0 => {}
            Role::Control(kept) => {
                let mut earlier = kept.take();
                let mut whole = ControlPayload::EMPTY;
                let control = earlier.as_deref_mut().unwrap_or(&mut whole);
                let judged = control.bytes().len();
                control.append(payload);
                if frame.header.opcode == Opcode::Close {
                    let offset = frame.offset;
                    rules::judge_close(control.bytes(), judged, |rule, detail| {
                        self.violation(rule, detail, offset, feed);
                    });
                }
                if complete {
                    self.end_frame(Some(control), feed);
                    earlier.into_iter().for_each(|used| feed.scratch.controls.give(used));
                } else if let State::Payload(frame) = &mut self.state {
                    frame.role = Role::Control(Some(earlier.unwrap_or_else(|| feed.scratch.controls.boxed(whole))));
                }
                return used;
            }
        }
        if complete {
            self.end_frame(None, feed);
        }
        used
    }

    /// The last byte of a frame is behind us. `control` is its payload, if it is a control frame and all is there.
    fn end_frame<S: EventSink>(&mut self, control: Option<&ControlPayload>, feed: &mut Feed<'_, S>) {
        let State::Payload(frame) = std::mem::replace(&mut self.state, State::expecting_header()) else { return };
        let Current { header, offset, first, .. } = *frame;
        let (last, seen, is_data) = (feed.origin, frame.seen(), matches!(frame.role, Role::Data));
        feed.scratch.frames.give(frame);
        feed.sink.event(Event::FrameEnd(FrameEnd {
            sender: self.sender,
            header,
            offset,
            first,
            last,
            payload_seen: seen,
        }));
        match header.opcode {
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                if is_data
                    && header.fin
                    && let Some(message) = self.assembly.finish(offset, feed)
                {
                    feed.sink.event(Event::Message(message));
                }
            }
            opcode @ (Opcode::Ping | Opcode::Pong) => {
                if let Some(control) = control {
                    feed.sink.event(Event::Control { opcode, payload: control.bytes(), first, last });
                }
            }
            Opcode::Close => {
                self.close_sent = true;
                if let Some(control) = control {
                    // We ourselves cut an over-long reason, perhaps inside a character.
                    if header.payload_len <= CONTROL_PAYLOAD_MAX as u64 {
                        rules::judge_close_end(control.bytes(), |rule, detail| {
                            self.violation(rule, detail, offset, feed);
                        });
                    }
                    let payload = ClosePayload::parse(control.bytes());
                    feed.sink.event(Event::Close(CloseFrame { payload, first, last, offset }));
                }
            }
            Opcode::Reserved(_) => {}
        }
    }

    fn violation<S: EventSink>(
        &self,
        rule: ViolationRule,
        detail: Detail,
        offset: StreamOffset,
        feed: &mut Feed<'_, S>,
    ) {
        let violation = Violation { rule, side: self.sender, at: feed.origin, offset: Some(offset), detail };
        feed.sink.event(Event::Violation(violation));
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("sender", &self.sender)
            .field("status", &self.status())
            .field("frame", &self.open_frame())
            .field("message", &self.open_message())
            .field("frames_after_close", &self.frames_after_close)
            .finish_non_exhaustive()
    }
}

impl State {
    fn expecting_header() -> Self {
        Self::Header(None)
    }
}

impl Current {
    /// Payload bytes still to come.
    fn remaining(&self) -> u64 {
        self.header.payload_len.saturating_sub(self.position)
    }

    /// Payload bytes that the capture holds.
    fn seen(&self) -> u64 {
        self.position.saturating_sub(self.missing)
    }
}

impl ControlPayload {
    const EMPTY: Self = Self { bytes: [0; CONTROL_PAYLOAD_MAX], len: 0 };

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Adds as much as fits; the rest is only counted, by the frame.
    fn append(&mut self, payload: PayloadBytes<'_>) {
        let added = payload.copy_clear(&mut self.bytes[usize::from(self.len)..]);
        // At most 125 in all.
        self.len += added as u8;
    }
}
