//! One direction: which keys are in force, what was lost, and what became of its records.

use super::plaintext::{PlainData, PlainGap, Plaintext};
use crate::stream::GapReason;
use crate::tls::cutter::Cutter;
use crate::tls::decryption::WhyNot;
use crate::tls::handshake::MessageReader;
use crate::tls::live::{Budget, Live12, Live13};
use crate::units::{Origin, Side, StreamOffset};

/// What is known of one direction.
#[derive(Debug, Default)]
pub(super) struct Half {
    pub(super) cutter: Cutter,
    pub(super) messages: MessageReader,
    pub(super) guard: Guard,
    /// Decrypted bytes told so far.
    pub(super) told: u64,
    /// A loss that will be told before the next data, unless it turns out that it took none.
    pub(super) owed: Option<Owed>,
    /// Records that may have been lost since the last one that opened.
    pub(super) lost: Option<u64>,
    pub(super) budget: Budget,
    pub(super) tally: Tally,
}

/// What protects its records.
#[derive(Debug, Default)]
pub(super) enum Guard {
    /// Records are in clear.
    #[default]
    Clear,
    Tls12(Box<Live12>),
    Tls13(Box<Live13>),
    /// Records are protected, and their keys are not known.
    Blind(WhyNot),
}

/// A loss.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed {
    pub(super) reason: GapReason,
    pub(super) origin: Origin,
    pub(super) len: Option<u64>,
    /// It may be the one number of a FIN, and no byte at all.
    pub(super) is_tail: bool,
}

/// What became of protected records.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) opened: u64,
    pub(super) data: u64,
    /// Records of application data, or that may have been, that no key opened.
    pub(super) failed: u64,
    /// Gaps told.
    pub(super) gaps: u64,
    pub(super) cut: bool,
    /// Protected records that were not tried.
    pub(super) unread: u64,
}

impl Owed {
    /// What was let go because too much would have waited.
    pub(super) fn beyond_bound(origin: Origin) -> Self {
        Self { reason: GapReason::Limit, origin, len: None, is_tail: false }
    }
}

impl Guard {
    /// Whether there are no keys for what is protected.
    pub(super) fn is_blind(&self) -> bool {
        matches!(self, Self::Blind(_))
    }

    /// Whether keys that are logged later may open it.
    pub(super) fn awaits_keys(&self) -> bool {
        matches!(self, Self::Blind(WhyNot::NoKeys | WhyNot::ClientRandomMissing))
    }
}

impl Half {
    pub(super) fn owe(&mut self, owed: Owed) {
        if matches!(self.guard, Guard::Clear) && self.tally.data == 0 && self.lost.is_none() {
            // Part of a handshake message in clear.
            return;
        }
        self.owed = match self.owed {
            // Two losses without data between them are one.
            Some(first) => Some(Owed { len: None, is_tail: false, ..first }),
            None => Some(owed),
        };
    }

    /// Whether a loss is certain.
    pub(super) fn owes(&self) -> bool {
        self.owed.is_some_and(|owed| !owed.is_tail)
    }

    pub(super) fn fail(&mut self, origin: Origin) {
        self.tally.failed += 1;
        self.owe(Owed { reason: GapReason::NotCaptured, origin, len: None, is_tail: false });
    }

    pub(super) fn tell_owed(&mut self, side: Side, sink: &mut impl Plaintext) {
        if let Some(Owed { reason, origin, len, .. }) = self.owed.take() {
            self.tally.gaps += 1;
            sink.gap(PlainGap { side, offset: StreamOffset(self.told), len, reason, origin });
            self.told = self.told.saturating_add(len.unwrap_or(0));
        }
    }

    pub(super) fn tell(
        &mut self,
        side: Side,
        origin: Origin,
        record_end: StreamOffset,
        bytes: &[u8],
        sink: &mut impl Plaintext,
    ) {
        self.tell_owed(side, sink);
        let offset = StreamOffset(self.told);
        self.told = self.told.saturating_add(bytes.len() as u64);
        sink.data(PlainData { side, offset, record_end, origin, bytes });
    }
}
