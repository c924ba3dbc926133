//! Pings of one side matched to the Pongs that answer them (RFC 6455 §5.5.2, §5.5.3).

use super::rare::Blank;
use super::round_trips::RoundTrips;
use crate::units::Origin;
use std::collections::VecDeque;

/// The Pings of one side.
///
/// A Pong answers the Ping with the same payload and, because a peer may answer only the latest, all Pings before it.
/// At most [`Pings::OUTSTANDING`] unanswered Pings are remembered; the oldest is always kept.
#[derive(Debug, Clone, Default)]
pub struct Pings {
    /// Pings sent.
    pub count: u64,
    /// Pings answered by a Pong with their payload.
    pub answered: u64,
    /// Bytes of the shortest and the longest payload.
    pub payload_bytes: Option<(u64, u64)>,
    /// The first Ping.
    pub first: Option<Origin>,
    /// The latest Ping.
    pub last: Option<Origin>,
    /// The one before.
    pub last_but_one: Option<Origin>,
    /// The latest Ping that was answered.
    pub last_answered: Option<Origin>,
    /// The latest Pong that answered one.
    pub last_pong: Option<Origin>,
    /// Pongs that answered none of them: unsolicited ones, which are legal (§5.5.3), or with a payload that no Ping had.
    pub unsolicited: u64,
    /// How long answers took, seen from the place of the capture. Left out are those of which the payload fits several
    /// Pings.
    round_trips: Option<Box<RoundTrips>>,
    outstanding: VecDeque<(Origin, u64)>,
    /// Unanswered Pings after the oldest of which nothing is remembered.
    forgotten: u64,
}

impl Blank for Pings {
    fn blank() -> &'static Self {
        const BLANK: &Pings = &Pings {
            count: 0,
            answered: 0,
            payload_bytes: None,
            first: None,
            last: None,
            last_but_one: None,
            last_answered: None,
            last_pong: None,
            unsolicited: 0,
            round_trips: None,
            outstanding: VecDeque::new(),
            forgotten: 0,
        };
        BLANK
    }
}

impl Pings {
    /// Unanswered Pings remembered at once.
    pub const OUTSTANDING: usize = 16;

    /// A Ping with so many bytes of payload, of this [fingerprint].
    pub(super) fn sent(&mut self, bytes: u64, fingerprint: u64, at: Origin) {
        self.count += 1;
        self.payload_bytes =
            Some(self.payload_bytes.map_or((bytes, bytes), |(least, most)| (least.min(bytes), most.max(bytes))));
        self.first.get_or_insert(at);
        self.last_but_one = self.last.replace(at);
        if self.outstanding.len() == Self::OUTSTANDING {
            // The oldest tells how long the silence lasts, so a later one gives way.
            self.outstanding.remove(1);
            self.forgotten += 1;
        }
        self.outstanding.push_back((at, fingerprint));
    }

    /// The other side sent a Pong with a payload of this [fingerprint].
    pub(super) fn answered(&mut self, wanted: u64, at: Origin) {
        let Some(index) = self.outstanding.iter().rposition(|&(_, sent)| sent == wanted) else {
            self.unsolicited += 1;
            return;
        };
        let ping = self.outstanding[index].0;
        let is_alone = self.outstanding.iter().filter(|&&(_, sent)| sent == wanted).count() == 1;
        if let Some(seconds) = at.seconds_since(&ping).filter(|_| is_alone) {
            self.round_trips.get_or_insert_default().add(seconds);
        }
        self.last_answered = Some(ping);
        self.last_pong = Some(at);
        self.answered += index as u64 + 1;
        if index > 0 {
            self.answered += std::mem::take(&mut self.forgotten);
        }
        self.outstanding.drain(..=index);
    }

    /// The oldest Ping that no Pong has answered.
    #[must_use]
    pub fn oldest_unanswered(&self) -> Option<Origin> {
        self.outstanding.front().map(|&(at, _)| at)
    }

    /// How long answers took.
    #[must_use]
    pub fn round_trips(&self) -> Option<&RoundTrips> {
        self.round_trips.as_deref()
    }

    /// Pings that no Pong has answered.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.count.saturating_sub(self.answered)
    }

    /// How many Pings there were before this packet, the last of them, and their mean distance in seconds; of the latest
    /// Ping alone it can be told that it came later.
    #[must_use]
    pub fn rhythm_before(&self, at: Origin) -> Option<(Origin, f64)> {
        let is_later = self.last?.packet >= at.packet;
        let (last, count) =
            if is_later { (self.last_but_one?, self.count.checked_sub(1)?) } else { (self.last?, self.count) };
        let intervals = count.checked_sub(1).filter(|&n| n >= 2)?;
        Some((last, last.seconds_since(&self.first?)? / intervals as f64))
    }

    /// Mean distance between Pings, in seconds.
    #[must_use]
    pub fn interval(&self) -> Option<f64> {
        let intervals = self.count.checked_sub(1).filter(|&n| n > 0)?;
        Some(self.last?.seconds_since(&self.first?)? / intervals as f64)
    }
}

/// FNV-1a: enough to tell the Pings of one connection apart without keeping their payload.
pub(super) fn fingerprint(payload: &[u8]) -> u64 {
    payload.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{PacketNumber, Timestamp};

    fn at(second: i64) -> Origin {
        Origin {
            packet: PacketNumber::new(second as u64 + 1).unwrap(),
            time: Some(Timestamp::from_nanos(second * 1_000_000_000)),
        }
    }

    fn send(pings: &mut Pings, payload: &[u8], at: Origin) {
        pings.sent(payload.len() as u64, fingerprint(payload), at);
    }

    #[test]
    fn a_pong_answers_its_ping_and_all_before() {
        let mut pings = Pings::default();
        send(&mut pings, b"a", at(0));
        send(&mut pings, b"b", at(20));
        send(&mut pings, b"c", at(40));
        pings.answered(fingerprint(b"b"), at(41));
        assert_eq!(pings.answered, 2);
        assert_eq!(pings.round_trips().and_then(|trips| trips.within(0.5)), Some(21.0));
        assert_eq!(pings.oldest_unanswered(), Some(at(40)));
        assert_eq!(pings.interval(), Some(20.0));
    }

    #[test]
    fn an_unsolicited_pong_answers_nothing() {
        let mut pings = Pings::default();
        send(&mut pings, b"a", at(0));
        pings.answered(fingerprint(b"x"), at(1));
        assert_eq!((pings.oldest_unanswered(), pings.unsolicited), (Some(at(0)), 1));
        assert!(pings.round_trips().is_none());
    }

    #[test]
    fn the_oldest_unanswered_ping_survives_a_flood() {
        let mut pings = Pings::default();
        for second in 0..100 {
            send(&mut pings, &second.to_string().into_bytes(), at(second));
        }
        assert_eq!(pings.oldest_unanswered(), Some(at(0)));
        pings.answered(fingerprint(b"99"), at(100));
        assert_eq!((pings.oldest_unanswered(), pings.unanswered()), (None, 0));
    }

    #[test]
    fn an_answer_that_fits_two_pings_tells_no_round_trip() {
        let mut pings = Pings::default();
        send(&mut pings, b"", at(0));
        send(&mut pings, b"", at(20));
        pings.answered(fingerprint(b""), at(21));
        assert!(pings.round_trips().is_none());
        send(&mut pings, b"", at(40));
        pings.answered(fingerprint(b""), at(41));
        assert_eq!(pings.round_trips().map(RoundTrips::count), Some(1));
    }
}
