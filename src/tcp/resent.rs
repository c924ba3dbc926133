//! Bytes that are sent again and again: how long the sender waits each time (RFC 6298 §5).

use crate::units::Origin;

/// The oldest bytes that the peer has not acknowledged, and how often they were sent again since its last
/// acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resent {
    /// Where they start in the stream.
    pub(super) start: u64,
    /// Bytes of the segment that last repeated them.
    pub len: u32,
    /// Segments that repeated them.
    pub times: u32,
    /// The first of these.
    pub first: Origin,
    /// The last of these.
    pub last: Origin,
    /// Seconds between the first two.
    pub first_wait: Option<f64>,
    /// Seconds between the last two.
    pub last_wait: Option<f64>,
    /// How often a wait was about twice the one before.
    doubled: u32,
}

/// A wait this many times the one before counts as doubled: clocks are coarse, and captures late.
const ABOUT_TWICE: std::ops::RangeInclusive<f64> = 1.5..=2.7;

/// Seconds beyond which senders stop doubling (RFC 6298 §2.5 allows any bound from 60 s on).
const LONGEST_WAIT: f64 = 60.0;

impl Resent {
    pub(super) fn new(start: u64, len: u32, origin: Origin) -> Self {
        let (first, last) = (origin, origin);
        Self { start, len, times: 1, first, last, first_wait: None, last_wait: None, doubled: 0 }
    }

    /// The same bytes once more.
    pub(super) fn again(&mut self, len: u32, origin: Origin) {
        let wait = origin.seconds_since(&self.last);
        if let (Some(wait), Some(before)) = (wait, self.last_wait)
            && (ABOUT_TWICE.contains(&(wait / before)) || before >= LONGEST_WAIT)
        {
            self.doubled = self.doubled.saturating_add(1);
        }
        self.first_wait = self.first_wait.or(wait);
        self.last_wait = wait.or(self.last_wait);
        self.len = len;
        self.times = self.times.saturating_add(1);
        self.last = origin;
    }

    /// Whether the waits grew as a sender's timer does that gets no answer (RFC 6298 §5.5). One may be out of line: a
    /// first probe for a lost tail comes early (RFC 8985 §7). `None` with fewer than two waits to compare.
    #[must_use]
    pub fn backs_off(&self) -> Option<bool> {
        self.last_wait?;
        let compared = self.times.checked_sub(2).filter(|&pairs| pairs > 0)?;
        Some(self.doubled > 0 && self.doubled.saturating_add(1) >= compared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{PacketNumber, Timestamp};

    fn resent_at(milliseconds: &[i64]) -> Resent {
        let at = |(index, ms): (usize, &i64)| Origin {
            packet: PacketNumber::new(index as u64 + 1).expect("from 1"),
            time: Some(Timestamp::from_nanos(ms * 1_000_000)),
        };
        let mut origins = milliseconds.iter().enumerate().map(at);
        let mut resent = Resent::new(0, 100, origins.next().expect("sent once"));
        origins.for_each(|origin| resent.again(100, origin));
        resent
    }

    #[test]
    fn a_timer_that_doubles_is_told_from_one_that_does_not() {
        assert_eq!(resent_at(&[200, 600]).backs_off(), None);
        assert_eq!(resent_at(&[200, 600, 1400, 3000]).backs_off(), Some(true));
        // A probe for the tail, then the timer.
        assert_eq!(resent_at(&[20, 220, 420, 820, 1620]).backs_off(), Some(true));
        assert_eq!(resent_at(&[1000, 2000, 3000, 4000]).backs_off(), Some(false));
        assert_eq!(resent_at(&[0, 60_000, 120_000, 180_000]).backs_off(), Some(true));
    }

    #[test]
    fn waits_are_those_between_two_of_them() {
        let resent = resent_at(&[200, 600, 1400]);
        assert_eq!((resent.times, resent.first_wait, resent.last_wait), (3, Some(0.4), Some(0.8)));
    }
}
