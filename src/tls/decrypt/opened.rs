//! What the records say that were opened: data, alerts, and the handshake messages that change keys.

use super::half::Guard;
use super::plaintext::Plaintext;
use super::waiting::WAITING_BYTES;
use super::{Decryptor, Tools, Whole};
use crate::tls::alert::Alert;
use crate::tls::live::Level;
use crate::tls::protection::Sealed;
use crate::tls::record::ContentType;
use crate::units::Side;

impl Decryptor {
    pub(super) fn record13(&mut self, tools: &mut Tools<'_>, whole: Whole, body: &[u8], sink: &mut impl Plaintext) {
        let half = &mut self.halves[whole.side];
        let Guard::Tls13(live) = &mut half.guard else { return };
        match live.open(body, &mut tools.buffers.plain) {
            Some(opened) => self.opened13(tools, whole, opened.level, opened.content_type, sink),
            // Early data that cannot be read, or a handshake whose secret is missing: what matters is behind it.
            None if live.level() < Level::Application && live.has(Level::Application) => half.tally.unread += 1,
            None => {
                live.skip();
                half.fail(whole.origin);
            }
        }
    }

    pub(super) fn opened13(
        &mut self,
        tools: &mut Tools<'_>,
        whole: Whole,
        level: Level,
        content_type: u8,
        sink: &mut impl Plaintext,
    ) {
        self.halves[whole.side].tally.opened += 1;
        let plain = std::mem::take(&mut tools.buffers.plain);
        match content_type {
            22 => self.handshake(tools, whole.side, whole.origin, &plain, sink),
            23 if level == Level::Early => self.keep_early(whole, &plain),
            23 => self.data(whole, &plain, sink),
            21 => self.alert(whole, &plain, sink),
            _ => {}
        }
        tools.buffers.plain = plain;
    }

    /// A handshake message that is no hello: those that change keys in TLS 1.3.
    pub(super) fn message13(&mut self, side: Side, kind: u8, sink: &mut impl Plaintext) {
        let Guard::Tls13(live) = &mut self.halves[side].guard else { return };
        match (kind, live.level()) {
            (FINISHED, Level::Handshake) => live.enter(Level::Application),
            (KEY_UPDATE, Level::Application) => live.update(),
            (END_OF_EARLY_DATA, Level::Early) => {
                live.enter(Level::Handshake);
                for (origin, end, bytes) in std::mem::take(&mut self.early) {
                    let half = &mut self.halves[side];
                    half.tell(side, origin, end, &bytes, sink);
                }
            }
            _ => {}
        }
    }

    pub(super) fn record12(&mut self, tools: &mut Tools<'_>, whole: Whole, body: &[u8], sink: &mut impl Plaintext) {
        let half = &mut self.halves[whole.side];
        let Guard::Tls12(live) = &mut half.guard else { return };
        let sealed = Sealed { content_type: whole.content_type, body };
        if live.open(&sealed, &mut tools.buffers.plain).is_some() {
            return self.opened12(tools, whole, sink);
        }
        // An alert of two bytes is in clear whatever went before.
        if whole.content_type == ContentType::Alert && body.len() == 2 {
            return;
        }
        live.skip();
        half.fail(whole.origin);
    }

    pub(super) fn opened12(&mut self, tools: &mut Tools<'_>, whole: Whole, sink: &mut impl Plaintext) {
        self.halves[whole.side].tally.opened += 1;
        let plain = std::mem::take(&mut tools.buffers.plain);
        match whole.content_type {
            ContentType::ApplicationData => self.data(whole, &plain, sink),
            ContentType::Alert => self.alert(whole, &plain, sink),
            ContentType::Handshake => self.handshake(tools, whole.side, whole.origin, &plain, sink),
            // Another handshake within this one is through.
            ContentType::ChangeCipherSpec => self.change_cipher(tools, whole.side),
            ContentType::Heartbeat => {}
        }
        tools.buffers.plain = plain;
    }

    fn data(&mut self, whole: Whole, plain: &[u8], sink: &mut impl Plaintext) {
        let half = &mut self.halves[whole.side];
        half.tally.data += 1;
        if !plain.is_empty() {
            half.tell(whole.side, whole.origin, whole.end, plain, sink);
        }
    }

    fn alert(&mut self, whole: Whole, plain: &[u8], sink: &mut impl Plaintext) {
        let &[level, description] = plain else { return };
        let Whole { side, origin, start: offset, .. } = whole;
        let after_data = self.halves[side].tally.data > 0;
        sink.alert(Alert { side, origin, offset, level, description, clear: false, after_data });
    }

    fn keep_early(&mut self, whole: Whole, plain: &[u8]) {
        let kept: usize = self.early.iter().map(|(.., bytes)| bytes.len()).sum();
        if kept + plain.len() <= WAITING_BYTES && !plain.is_empty() {
            self.early.push((whole.origin, whole.end, plain.into()));
        }
    }
}

/// Handshake messages after which other keys are in force (RFC 8446 §4).
const END_OF_EARLY_DATA: u8 = 5;
const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;
