//! Headers, whole or in pieces: told apart from HTTP, and judged with the bytes that are there.

use super::{Decoder, Foreign, State};
use crate::units::{Origin, StreamOffset};
use crate::violation::{Detail, ViolationRule};
use crate::websocket::assembly::Feed;
use crate::websocket::event::EventSink;
use crate::websocket::header::{FrameHeader, LengthField};
use crate::websocket::opcode::Opcode;
use crate::websocket::partial::{Examined, PartialHeader, may_be_http};
use crate::websocket::rules::{self, Circumstances};
use crate::websocket::scratch::Scratch;

impl Decoder {
    /// Takes header bytes from the start of `rest` (not empty) and returns how many.
    pub(super) fn push_header<S: EventSink>(&mut self, rest: &[u8], at: StreamOffset, feed: &mut Feed<'_, S>) -> usize {
        let State::Header(partial) = &mut self.state else { return rest.len() };
        if let [first, second, ..] = *rest
            && partial.is_none()
            && !may_be_http(first)
            && let Some(header) = FrameHeader::parse(rest)
        {
            self.judge_first(first, at, feed);
            rules::judge_second(second, self.sender, |rule, detail| self.violation(rule, detail, at, feed));
            self.judge_length(header.opcode, header.length(), feed.origin, at, feed);
            self.begin_frame(header, at, feed.origin, feed);
            return usize::from(header.header_len);
        }

        let mut used = 0;
        for byte in rest {
            let State::Header(partial) = &mut self.state else { break };
            let partial = partial.get_or_insert_with(|| feed.scratch.headers.boxed(PartialHeader::EMPTY));
            partial.append(*byte, at, feed.origin);
            used += 1;
            let examined = partial.examine();
            self.take_examined(examined, feed);
            if matches!(examined, Examined::Header(_) | Examined::Http) {
                break;
            }
        }
        used
    }

    /// Does what the bytes of a header that comes in pieces ask for.
    fn take_examined<S: EventSink>(&mut self, examined: Examined, feed: &mut Feed<'_, S>) {
        let State::Header(Some(partial)) = &self.state else { return };
        let offset = partial.offset;
        match examined {
            Examined::Unclear => {}
            Examined::Part => self.judge_part(feed),
            Examined::Http => {
                self.violation(ViolationRule::HttpInWebsocket, Detail::None, offset, feed);
                self.assembly.shut();
                self.state = State::Foreign(Box::new(Foreign { since: offset, at: feed.origin }));
            }
            Examined::Header(header) => {
                self.judge_part(feed);
                let State::Header(Some(partial)) = std::mem::replace(&mut self.state, State::expecting_header()) else {
                    return;
                };
                self.begin_frame(header, offset, partial.first.unwrap_or(feed.origin), feed);
                // Only what began like HTTP is held back longer than its header. Its second byte is a capital letter
                // and as a length at least 65, so all that was held back is payload.
                let held_back = partial.bytes().get(usize::from(header.header_len)..).unwrap_or_default();
                if !held_back.is_empty() {
                    self.push_payload(held_back, feed);
                }
                feed.scratch.headers.give(partial);
            }
        }
    }

    /// Judges the bytes of a header that came since they were judged last.
    fn judge_part<S: EventSink>(&mut self, feed: &mut Feed<'_, S>) {
        let State::Header(Some(partial)) = &mut self.state else { return };
        let new = partial.unjudged();
        let partial = **partial;
        let (offset, bytes) = (partial.offset, partial.bytes());
        let [first, ref rest @ ..] = *bytes else { return };
        if new.contains(&0) {
            self.judge_first(first, offset, feed);
        }
        if let [second, ..] = *rest
            && new.contains(&1)
        {
            rules::judge_second(second, self.sender, |rule, detail| self.violation(rule, detail, offset, feed));
        }
        if let Some(length) = partial.length()
            && LengthField::parse(&bytes[..new.start]).is_none()
        {
            let illegal_since = partial.illegal_length.unwrap_or(feed.origin);
            self.judge_length(Opcode::from_low_bits(first), length, illegal_since, offset, feed);
        }
    }

    /// Judges a header of which no more bytes come.
    pub(super) fn judge_cut_header(&mut self, scratch: &mut Scratch, sink: &mut impl EventSink) {
        let State::Header(Some(partial)) = &self.state else { return };
        let (partial, Some(first)) = (**partial, partial.first) else { return };
        let feed = &mut Feed { sender: self.sender, scratch, origin: first, sink };
        self.take_examined(partial.examine_at_end(), feed);
        if let State::Header(Some(partial)) = &self.state
            && let Some(illegal_length) = partial.illegal_length
            && partial.length().is_none()
        {
            let partial = **partial;
            feed.origin = illegal_length;
            rules::judge_cut_length(partial.bytes(), |rule, detail| {
                self.violation(rule, detail, partial.offset, feed);
            });
        }
    }

    /// Judges the first byte of a frame.
    fn judge_first<S: EventSink>(&mut self, byte: u8, offset: StreamOffset, feed: &mut Feed<'_, S>) {
        let (fin, opcode, open) = (byte & 0x80 != 0, Opcode::from_low_bits(byte), self.assembly.is_open());
        // §5.5.1 forbids data frames; a Ping may come until the connection is closed (§5.5.2).
        if self.close_sent && opcode.is_data() {
            self.frames_after_close = self.frames_after_close.saturating_add(1);
            if self.frames_after_close == 1 {
                self.violation(ViolationRule::DataAfterClose, Detail::Frames(1), offset, feed);
            }
        }
        let given = Circumstances {
            deflate: self.assembly.deflate_negotiated(),
            rsv1_unknown: self.assembly.is_guessing(),
            message_open: open || (opcode == Opcode::Continuation && self.may_continue),
        };
        rules::judge_first(byte, given, |rule, detail| self.violation(rule, detail, offset, feed));
        self.may_continue = match opcode {
            Opcode::Text | Opcode::Binary => false,
            Opcode::Continuation => !fin && !open,
            _ => self.may_continue || (!fin && !open),
        };
    }

    /// Judges a length. That it is illegal may have been certain before its last byte came, in `illegal_since`, and the
    /// other side may have answered that.
    fn judge_length<S: EventSink>(
        &mut self,
        opcode: Opcode,
        length: LengthField,
        illegal_since: Origin,
        offset: StreamOffset,
        feed: &mut Feed<'_, S>,
    ) {
        let now = std::mem::replace(&mut feed.origin, illegal_since);
        rules::judge_length(opcode, length, |rule, detail| self.violation(rule, detail, offset, feed));
        feed.origin = now;
        rules::judge_close_length(opcode, length, |rule, detail| self.violation(rule, detail, offset, feed));
    }
}
