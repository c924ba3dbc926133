//! The words every layer speaks: packet numbers, times, sides, offsets, addresses.
//!
//! Nothing here knows a protocol. Newtypes keep the four kinds of counting apart that a capture mixes: packets of the
//! file, bytes of a stream, nanoseconds of the clock, and TCP sequence numbers (which stay in `packet` and `tcp`).

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::ops::{Index, IndexMut};

/// Position of a packet in the capture file, counted from 1; equals `frame.number` in Wireshark, and like that has 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketNumber(NonZeroU32);

impl PacketNumber {
    /// The first packet of a capture.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The greatest number there is. No packet gets it: what follows the one before it is not read.
    pub const LAST: Self = Self(NonZeroU32::MAX);

    /// The packet with this 1-based number, or `None` for 0 and for what is beyond [`LAST`](Self::LAST).
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU32::new(u32::try_from(number).ok()?).map(Self)
    }

    /// The packet after this one, or [`LAST`](Self::LAST) after that.
    #[must_use]
    #[inline]
    pub fn next(self) -> Self {
        self.after(1)
    }

    /// The packet so many after this one, or [`LAST`](Self::LAST) if there are not so many.
    #[must_use]
    #[inline]
    pub fn after(self, packets: usize) -> Self {
        Self(self.0.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX)))
    }

    /// The 1-based number.
    #[must_use]
    #[inline]
    pub fn value(self) -> u64 {
        u64::from(self.0.get())
    }
}

impl fmt::Display for PacketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A moment as the capture recorded it: nanoseconds since the Unix epoch. Never read from a clock.
///
/// Held with the sign bit turned over, which keeps the order and leaves 0 for "none", and aligned like a packet's number:
/// there are many of them for each connection, and most may be missing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(4))]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// The moment `nanos` nanoseconds after (or before) 1970-01-01T00:00:00Z. The earliest of all, in 1677, is taken for
    /// the one after it.
    #[must_use]
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Self {
        match NonZeroU64::new(nanos.cast_unsigned() ^ SIGN) {
            Some(turned) => Self(turned),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    #[inline]
    pub const fn nanos(self) -> i64 {
        (self.0.get() ^ SIGN).cast_signed()
    }

    /// Seconds from `earlier` to `self`; negative when the capture's clock stepped back.
    #[must_use]
    #[inline]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.nanos().saturating_sub(earlier.nanos()) as f64 / 1e9
    }
}

const SIGN: u64 = 1 << 63;

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.nanos()).finish()
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with nanoseconds: `2026-11-21T06:34:02.000000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.nanos().div_euclid(1_000_000_000);
        let nanos = self.nanos().rem_euclid(1_000_000_000);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let parts = [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, of_day / 3600),
            (14, 2, of_day / 60 % 60),
            (17, 2, of_day % 60),
        ];
        for (place, digits, value) in parts.into_iter().chain([(20, 9, nanos)]) {
            let mut rest = value;
            for digit in text[place..place + digits].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01.
///
/// Counts in 400-year eras that start on 1 March, so that the leap day is the last day of a year.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Where something was seen: the packet that carried it and when.
///
/// For a fact that spans packets this is the packet that completed it. The time is missing only for pcapng Simple
/// Packet Blocks, which carry none.
///
/// The time lies first, because the 12 bytes are copied as eight and four: eight that were not written as one have to wait
/// until they are in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Origin {
    /// The packet's recorded time.
    pub time: Option<Timestamp>,
    /// The packet.
    pub packet: PacketNumber,
}

impl Ord for Origin {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.packet, self.time).cmp(&(other.packet, other.time))
    }
}

impl PartialOrd for Origin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Origin {
    /// Seconds from `earlier` to this moment, when both have a time.
    #[must_use]
    #[inline]
    pub fn seconds_since(&self, earlier: &Self) -> Option<f64> {
        Some(self.time?.seconds_since(earlier.time?))
    }
}

/// The two roles of RFC 6455: who opened the connection and who accepted it. Also used for "who sent it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Opened the connection; masks its frames.
    Client,
    /// Accepted the connection; never masks.
    Server,
}

impl Side {
    /// Both sides, client first.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The peer of this side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// `client` or `server`, as machines read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value for each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerSide<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
}

impl<T> PerSide<T> {
    /// The same function applied to both.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> PerSide<U> {
        PerSide { client: f(self.client), server: f(self.server) }
    }

    /// Both values with their side, client first.
    pub fn iter(&self) -> impl Iterator<Item = (Side, &T)> {
        [(Side::Client, &self.client), (Side::Server, &self.server)].into_iter()
    }
}

impl<T> Index<Side> for PerSide<T> {
    type Output = T;
    fn index(&self, side: Side) -> &T {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }
}

impl<T> IndexMut<Side> for PerSide<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

/// Bytes from the start of one direction of a TCP connection: the first byte after the SYN is 0.
///
/// When the capture joined late, 0 is the first byte that was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamOffset(pub u64);

impl StreamOffset {
    /// The offset `len` bytes further on.
    #[must_use]
    pub fn plus(self, len: u64) -> Self {
        Self(self.0.saturating_add(len))
    }
}

/// An IP address and TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc_3339() {
        // Checked with `date -u -d @SECONDS`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_700_000_000, "2023-11-14T22:13:20"),
            (-1, "1969-12-31T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            assert_eq!(Timestamp::from_nanos(seconds * 1_000_000_000).to_string(), format!("{text}.000000000Z"));
        }
        assert_eq!(Timestamp::from_nanos(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn timestamps_keep_their_order_and_leave_room_for_none() {
        let nanos = [i64::MIN + 1, -1, 0, 1, i64::MAX];
        assert_eq!(nanos.map(|nanos| Timestamp::from_nanos(nanos).nanos()), nanos);
        assert!(nanos.map(Timestamp::from_nanos).is_sorted());
        assert_eq!(Timestamp::from_nanos(i64::MIN).nanos(), i64::MIN + 1);
        assert_eq!(size_of::<Option<Origin>>(), 12);
    }

    #[test]
    fn packet_numbers_start_at_one() {
        assert_eq!(PacketNumber::new(0), None);
        assert_eq!(PacketNumber::FIRST.value(), 1);
        assert_eq!(PacketNumber::FIRST.next().to_string(), "#2");
    }

    #[test]
    fn packet_numbers_end_where_those_of_wireshark_do() {
        let last = PacketNumber::LAST;
        assert_eq!((PacketNumber::new(0xFFFF_FFFF), last.next()), (Some(last), last));
        assert_eq!(PacketNumber::new(0x1_0000_0001), None);
    }

    #[test]
    fn endpoints_bracket_ipv6() {
        let endpoint = Endpoint { ip: "::1".parse().unwrap(), port: 80 };
        assert_eq!(endpoint.to_string(), "[::1]:80");
    }
}
