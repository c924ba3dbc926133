//! How much of a connection could be read, told when it is over.

use super::Decryptor;
use super::half::{Guard, Tally};
use super::keys::traffic_label;
use crate::tls::decryption::{Decryption, Readable, WhyNot};
use crate::tls::join::{Trials, why_not_joined};
use crate::tls::keylog::KeyLog;
use crate::tls::live::Level;
use crate::units::{PerSide, Side};

impl Decryptor {
    /// How much could be read.
    #[must_use]
    pub fn decryption(&self, keys: &KeyLog, trials: &Trials) -> Decryption {
        let of = |side| self.readable(side, keys, trials);
        let any_opened = Side::BOTH.into_iter().any(|side| self.halves[side].tally.opened > 0);
        Decryption {
            sides: PerSide { client: of(Side::Client), server: of(Side::Server) },
            version: self.server.filter(|_| any_opened).map(|server| server.version),
        }
    }

    fn readable(&self, side: Side, keys: &KeyLog, trials: &Trials) -> Readable {
        let half = &self.halves[side];
        let Tally { opened, failed, gaps, cut, unread, .. } = half.tally;
        if let Guard::Tls13(live) = &half.guard {
            let is_shut = failed + unread > 0 && !live.has(Level::Application);
            // Whoever has the handshake's keys reads at least that.
            let is_wrong = opened == 0 && unread > if live.has(Level::Handshake) { 0 } else { MOST_HANDSHAKE_RECORDS };
            if is_shut {
                return Readable::None(WhyNot::SecretMissing(traffic_label(side)));
            }
            if is_wrong {
                return Readable::None(WhyNot::TagMismatch);
            }
        }
        let waits = self.waiting.has_records(side);
        let why = match &half.guard {
            Guard::Blind(why) => Some(*why),
            _ if keys.is_empty() => Some(WhyNot::NoKeys),
            _ if waits && self.server.is_none() => Some(why_not_joined(keys, trials)),
            _ if waits => Some(WhyNot::ClientRandomMissing),
            _ if half.cutter.is_searching() && self.server.is_none() => Some(why_not_joined(keys, trials)),
            _ if failed > 0 => Some(WhyNot::TagMismatch),
            _ if gaps > 0 && cut => Some(WhyNot::CutPackets),
            _ if gaps > 0 || half.owes() => Some(WhyNot::RecordsLost),
            _ => None,
        };
        match (opened > 0, why) {
            (true, None) => Readable::All,
            (true, Some(why)) => Readable::Part(why),
            (false, Some(why)) if unread + failed + gaps > 0 || waits || half.owes() => Readable::None(why),
            (false, _) => Readable::Nothing,
        }
    }
}

/// Records that a handshake of TLS 1.3 takes at most where each message has one of its own.
const MOST_HANDSHAKE_RECORDS: u64 = 8;
