//! The way most messages come: one frame that lies in the chunk from its first byte to its last and breaks no rule.
//!
//! Such a message is told at once, without the state that pieces need. Whatever is unusual is left to the general way,
//! which tells the same of what this one takes; a test holds the two against each other.

use super::{Decoder, State};
use crate::units::{Side, StreamOffset};
use crate::websocket::assembly::Feed;
use crate::websocket::event::{EventSink, MessageKind, PAYLOAD_PEEK_LEN, WholeMessage};
use crate::websocket::header::FrameHeader;
use crate::websocket::mask::PayloadBytes;
use crate::websocket::utf8;

impl Decoder {
    /// Takes a whole message from the start of `rest` and returns its length with the header; `None` leaves everything
    /// as it is.
    pub(super) fn whole_message<S: EventSink>(
        &mut self,
        rest: &[u8],
        offset: StreamOffset,
        feed: &mut Feed<'_, S>,
    ) -> Option<usize> {
        // FIN, no reserved bit.
        let kind = match rest.first()? {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        if !matches!(self.state, State::Header(None)) || self.close_sent || self.assembly.is_open() {
            return None;
        }
        let header = FrameHeader::parse(rest)?;
        let is_masked = header.masking_key.is_some();
        if is_masked != (self.sender == Side::Client) || !header.length_is_well_encoded() {
            return None;
        }
        let begin = usize::from(header.header_len);
        let end = begin.checked_add(usize::try_from(header.payload_len).ok()?)?;
        let payload = PayloadBytes::new(header.masking_key, 0, rest.get(begin..end)?);

        let looked_at = if kind == MessageKind::Text { payload } else { payload.prefix(PAYLOAD_PEEK_LEN) };
        let clear = looked_at.clear(&mut feed.scratch.unmasked)?;
        if kind == MessageKind::Text && !utf8::is_utf8(clear) {
            return None;
        }
        if !is_masked {
            self.nesting.look(&rest[begin..end], header.payload_len);
        }
        self.may_continue = false;
        let beginning = &clear[..clear.len().min(PAYLOAD_PEEK_LEN)];
        let (sender, at) = (self.sender, feed.origin);
        feed.sink.whole_message(&WholeMessage { sender, kind, header, offset, at, beginning });
        Some(end)
    }
}
