//! The way most frames come: from the first byte to the last in one chunk, and without breaking a rule.
//!
//! A message of one such frame, and a Ping or Pong, is told at once, without the state that pieces need. Whatever is unusual
//! is left to the general way, which tells the same of what this one takes; a test holds the two against each other.

use super::{Decoder, State};
use crate::units::{Side, StreamOffset};
use crate::websocket::assembly::Feed;
use crate::websocket::event::{EventSink, MessageKind, PAYLOAD_PEEK_LEN, WholeControl, WholeMessage};
use crate::websocket::header::FrameHeader;
use crate::websocket::mask::PayloadBytes;
use crate::websocket::rules::CONTROL_PAYLOAD_MAX;
use crate::websocket::utf8;

/// A frame in the chunk.
struct Whole<'a> {
    header: FrameHeader,
    /// Its payload as it was sent.
    bytes: &'a [u8],
    payload: PayloadBytes<'a>,
    len: u32,
    end: usize,
}

impl Decoder {
    /// Takes a whole frame from the start of `rest` and returns its length with the header; `None` leaves everything as it
    /// is.
    #[inline]
    pub(super) fn whole_frame<S: EventSink>(
        &mut self,
        rest: &[u8],
        offset: StreamOffset,
        feed: &mut Feed<'_, S>,
    ) -> Option<usize> {
        if !matches!(self.state, State::Header(None)) || self.close_sent {
            return None;
        }
        // FIN, no reserved bit.
        match rest.first()? {
            0x81 => self.whole_message(MessageKind::Text, rest, offset, feed),
            0x82 => self.whole_message(MessageKind::Binary, rest, offset, feed),
            0x89 | 0x8A => self.whole_control(rest, offset, feed),
            _ => None,
        }
    }

    fn whole_message<S: EventSink>(
        &mut self,
        kind: MessageKind,
        rest: &[u8],
        offset: StreamOffset,
        feed: &mut Feed<'_, S>,
    ) -> Option<usize> {
        if self.assembly.is_open() {
            return None;
        }
        let Whole { header, bytes, payload, len, end } = self.whole(rest)?;
        let looked_at = if kind == MessageKind::Text { payload } else { payload.prefix(PAYLOAD_PEEK_LEN) };
        let clear = looked_at.clear(&mut feed.scratch.unmasked)?;
        if kind == MessageKind::Text && !utf8::is_utf8(clear) {
            return None;
        }
        if header.masking_key.is_none() {
            self.nesting.look(bytes, len.into());
        }
        self.may_continue = false;
        let beginning = &clear[..clear.len().min(PAYLOAD_PEEK_LEN)];
        let (sender, at) = (self.sender, feed.origin);
        feed.sink.whole_message(&WholeMessage { sender, kind, header, len, offset, at, beginning });
        Some(end)
    }

    /// One that comes between the frames of a message is none the worse for it.
    fn whole_control<S: EventSink>(
        &mut self,
        rest: &[u8],
        offset: StreamOffset,
        feed: &mut Feed<'_, S>,
    ) -> Option<usize> {
        let Whole { header, payload, end, .. } = self.whole(rest)?;
        if header.payload_len > CONTROL_PAYLOAD_MAX as u64 {
            return None;
        }
        let payload = payload.clear(&mut feed.scratch.unmasked)?;
        let (sender, at, is_ping) = (self.sender, feed.origin, rest.first() == Some(&0x89));
        feed.sink.whole_control(&WholeControl { sender, is_ping, header, offset, at, payload });
        Some(end)
    }

    /// The frame at the start of `rest`, if all of it is there and its second byte and length are legal.
    #[inline]
    fn whole<'a>(&self, rest: &'a [u8]) -> Option<Whole<'a>> {
        let header = FrameHeader::parse(rest)?;
        if header.masking_key.is_some() != (self.sender == Side::Client) || !header.length_is_well_encoded() {
            return None;
        }
        let len = u32::try_from(header.payload_len).ok()?;
        let begin = usize::from(header.header_len);
        let end = begin.checked_add(usize::try_from(len).ok()?)?;
        let bytes = rest.get(begin..end)?;
        let payload = PayloadBytes::new(header.masking_key, 0, bytes);
        Some(Whole { header, bytes, payload, len, end })
    }
}
