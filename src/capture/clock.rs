//! From the clock ticks of a capture to nanoseconds since the Unix epoch.
//!
//! pcap counts seconds and a fraction; pcapng counts ticks whose length (`if_tsresol`) and zero (`if_tsoffset`) each
//! interface declares. All arithmetic is exact, rounds towards the past, and saturates instead of wrapping.

use crate::units::Timestamp;

/// Length of one clock tick of an interface, as `if_tsresol` of pcapng states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// 10^-n seconds; 6 is microseconds, 9 nanoseconds.
    Decimal(u8),
    /// 2^-n seconds.
    Binary(u8),
}

impl Resolution {
    /// 10^-6 s: classic pcap, and pcapng when nothing is stated.
    pub const MICROSECONDS: Self = Self::Decimal(6);
    /// 10^-9 s.
    pub const NANOSECONDS: Self = Self::Decimal(9);

    /// Decodes the `if_tsresol` byte: the top bit chooses the base, the rest is the negated exponent.
    #[must_use]
    pub fn from_tsresol(byte: u8) -> Self {
        match byte & 0x80 {
            0 => Self::Decimal(byte),
            _ => Self::Binary(byte & 0x7f),
        }
    }

    /// Ticks per second; saturates at `u128::MAX` for exponents that no clock has.
    fn per_second(self) -> u128 {
        match self {
            Self::Decimal(n) => 10u128.checked_pow(n.into()).unwrap_or(u128::MAX),
            Self::Binary(n) => 1u128.checked_shl(n.into()).unwrap_or(u128::MAX),
        }
    }
}

/// Converts ticks of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    tick: Tick,
    /// `if_tsoffset`, in nanoseconds.
    offset: i128,
}

/// Nanoseconds per tick, or ticks per second when a tick is not a whole number of nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tick {
    Nanos(u32),
    PerSecond(u128),
}

impl Clock {
    /// A clock that counts `resolution` ticks from `offset_seconds` after the epoch.
    pub(super) fn new(resolution: Resolution, offset_seconds: i64) -> Self {
        let per_second = resolution.per_second();
        let whole = NANOS_PER_SECOND.checked_rem(per_second) == Some(0);
        let tick = match u32::try_from(NANOS_PER_SECOND / per_second) {
            Ok(nanos) if whole => Tick::Nanos(nanos),
            _ => Tick::PerSecond(per_second),
        };
        Self { tick, offset: i128::from(offset_seconds) * NANOS_PER_SECOND as i128 }
    }

    /// The moment `ticks` after this clock's zero.
    pub(super) fn timestamp(&self, ticks: u64) -> Timestamp {
        let nanos = match self.tick {
            Tick::Nanos(nanos) => u128::from(ticks) * u128::from(nanos),
            Tick::PerSecond(per_second) => u128::from(ticks) * NANOS_PER_SECOND / per_second,
        };
        // Both terms are below 2^100, so neither the cast nor the sum can overflow.
        let nanos = nanos as i128 + self.offset;
        Timestamp::from_nanos(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    /// The moment of a classic record: whole seconds, and a fraction in ticks that is not always below one second.
    #[inline]
    pub(super) fn classic(nanos_per_tick: u32, seconds: u32, fraction: u32) -> Timestamp {
        let nanos = i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * i64::from(nanos_per_tick);
        Timestamp::from_nanos(nanos)
    }
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(tsresol: u8, offset: i64, ticks: u64) -> i64 {
        Clock::new(Resolution::from_tsresol(tsresol), offset).timestamp(ticks).nanos()
    }

    #[test]
    fn decimal_and_binary_resolutions() {
        assert_eq!(nanos(6, 0, 1_700_000_000_000_001), 1_700_000_000_000_001_000);
        assert_eq!(nanos(9, 0, 1_700_000_000_000_000_001), 1_700_000_000_000_000_001);
        assert_eq!(nanos(0, 0, 5), 5_000_000_000);
        assert_eq!(nanos(3, 0, 5), 5_000_000);
        // Picoseconds: rounded down.
        assert_eq!(nanos(12, 0, 1999), 1);
        // 2^-20 s: 1.5 s is 3 * 2^19 ticks; one tick is 953.67 ns.
        assert_eq!(nanos(0x80 | 20, 0, 3 << 19), 1_500_000_000);
        assert_eq!(nanos(0x80 | 20, 0, 1), 953);
        assert_eq!(nanos(0x80, 0, 7), 7_000_000_000);
        // 2^-9 s is 1953125 ns exactly.
        assert_eq!(nanos(0x80 | 9, 0, 1), 1_953_125);
        // NTP-like 2^-32.
        assert_eq!(nanos(0x80 | 32, 0, 1_700_000_000 << 32 | 1 << 31), 1_700_000_000_500_000_000);
    }

    #[test]
    fn offsets_shift_in_both_directions() {
        assert_eq!(nanos(6, 3600, 1), 3_600_000_001_000);
        assert_eq!(nanos(6, -1, 1), -999_999_000);
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(nanos(0, 0, u64::MAX), i64::MAX);
        assert_eq!(nanos(0, i64::MAX, u64::MAX), i64::MAX);
        assert_eq!(nanos(6, i64::MIN, 0), i64::MIN + 1);
        assert_eq!(nanos(0x7f, 0, u64::MAX), 0);
        assert_eq!(nanos(0xff, 0, u64::MAX), 0);
        assert_eq!(Clock::classic(1000, u32::MAX, u32::MAX).nanos(), 4_294_971_589_967_295_000);
    }
}
