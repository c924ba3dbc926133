//! The places where a frame may begin, for a look at many bytes.
//!
//! Most bytes begin none, and of those that could most would make a frame behind which none may begin. Both can be told from four
//! bytes, so that headers are read at few places.

use super::rules::CONTROL_PAYLOAD_MAX;
use crate::units::Side;

/// What the first two bytes of a frame of one side may be, whatever its length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starts {
    is_masked: bool,
    first: &'static [bool; 256],
}

impl Starts {
    /// Those of `sender`, which may set RSV1 on messages or not.
    pub(super) fn new(sender: Side, rsv1: bool) -> Self {
        Self { is_masked: sender == Side::Client, first: if rsv1 { &WITH_RSV1 } else { &PLAIN } }
    }

    /// Whether a frame may have this first byte.
    pub(super) fn allow(self, first: u8) -> bool {
        self.first[usize::from(first)]
    }

    /// The place of the first byte that may begin a frame, as far as these bytes tell: a short frame that ends among them is
    /// none if no other may begin there.
    pub(super) fn first(self, bytes: &[u8]) -> usize {
        let mut at = self.first_pair(bytes);
        while self.leads_nowhere(&bytes[at..]) {
            at += 1;
            at += self.first_pair(&bytes[at..]);
        }
        at
    }

    /// The place of the first byte that may begin a frame, as far as the one behind it tells.
    fn first_pair(self, bytes: &[u8]) -> usize {
        let unmasked = if self.is_masked { 0 } else { TOPS };
        let mut at = 0;
        while let Some((firsts, seconds)) = bytes.get(at..).and_then(eight_pairs) {
            let mut likely = !((firsts & OPCODES) + CARRY) & (seconds ^ unmasked) & TOPS;
            while likely != 0 {
                let place = at + likely.trailing_zeros() as usize / 8;
                if self.allow(bytes[place]) {
                    return place;
                }
                likely &= likely - 1;
            }
            at += 8;
        }
        let rest = &bytes[at..];
        let last = || rest.len() - usize::from(rest.last().is_some_and(|last| self.allow(*last)));
        at + rest.windows(2).position(|pair| self.allow_pair(pair[0], pair[1])).unwrap_or_else(last)
    }

    /// Whether a short frame at the start of `bytes` ends among them, where none may begin.
    fn leads_nowhere(self, bytes: &[u8]) -> bool {
        let Some(second) = bytes.get(1) else { return false };
        let len = usize::from(second & 0x7F);
        let end = if self.is_masked { 6 + len } else { 2 + len };
        len <= CONTROL_PAYLOAD_MAX && bytes.get(end..end + 2).is_some_and(|next| !self.allow_pair(next[0], next[1]))
    }

    fn allow_pair(self, first: u8, second: u8) -> bool {
        self.allow(first) && (second & 0x80 != 0) == self.is_masked
    }
}

/// The first eight bytes and those behind each of them, the first one lowest.
fn eight_pairs(bytes: &[u8]) -> Option<(u64, u64)> {
    let word = |bytes: &[u8]| bytes.first_chunk().copied().map(u64::from_le_bytes);
    Some((word(bytes)?, word(&bytes[1..])?))
}

/// The top bits of eight bytes.
const TOPS: u64 = u64::from_le_bytes([0x80; 8]);

/// What is left of eight first bytes without FIN, RSV1 and the bit of control frames: at most 2, or the opcode is reserved.
const OPCODES: u64 = u64::from_le_bytes([0x37; 8]);

/// Makes more than 2 carry into the top bit.
const CARRY: u64 = u64::from_le_bytes([0x7F - 2; 8]);

static PLAIN: [bool; 256] = first_bytes(false);
static WITH_RSV1: [bool; 256] = first_bytes(true);

/// The first bytes of frames (RFC 6455 §5.2).
const fn first_bytes(rsv1: bool) -> [bool; 256] {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let (fin, reserved, opcode) = (byte & 0x80 != 0, byte & 0x70, byte & 0x0F);
        allowed[byte] = match opcode {
            0 => reserved == 0,
            1 | 2 => reserved == 0 || (rsv1 && reserved == 0x40),
            8..=10 => reserved == 0 && fin,
            _ => false,
        };
        byte += 1;
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::super::header::FrameHeader;
    use super::super::resync::may_be_first;
    use super::*;
    use proptest::prelude::*;

    /// Whether `sender` may send a frame that begins with these two bytes, if what may follow them is right.
    fn is_start(sender: Side, first: u8, second: u8) -> bool {
        let len = if sender == Side::Client { 0x80 } else { 0 };
        let header = FrameHeader::parse(&[first, len, 0, 0, 0, 0]).expect("a whole header without payload");
        may_be_first(sender, &header) && second & 0x80 == len
    }

    #[test]
    fn every_first_byte_is_judged_like_its_header() {
        for (sender, first) in Side::BOTH.into_iter().flat_map(|sender| (0..=255).map(move |byte| (sender, byte))) {
            let is_rsv1 = first & 0x70 == 0x40;
            let expected = is_start(sender, first, if sender == Side::Client { 0x80 } else { 0 });
            assert_eq!(Starts::new(sender, true).allow(first), expected, "{first:#x}");
            assert_eq!(Starts::new(sender, false).allow(first), expected && !is_rsv1, "{first:#x}");
        }
    }

    proptest! {
        /// Byte by byte, with headers that are read, it comes to the same.
        #[test]
        fn the_first_start_is_the_one_that_is_found_step_by_step(
            bytes in prop::collection::vec(prop_oneof![
                1 => any::<u8>(), 2 => prop::sample::select(vec![0u8, 1, 0x41, 0x80, 0x81, 0x82, 0x88, 0x89, 0xC1, 6, 12])
            ], 0..80),
            is_masked in any::<bool>(),
        ) {
            let sender = if is_masked { Side::Client } else { Side::Server };
            let begins = |at: usize| match &bytes[at..] {
                [first, second, ..] => is_start(sender, *first, *second),
                [first] => is_start(sender, *first, if is_masked { 0x80 } else { 0 }),
                [] => true,
            };
            let short = if is_masked { 6 } else { 2 };
            let leads_on = |at: usize| match FrameHeader::parse(&bytes[at..]) {
                Some(header) if header.header_len == short => {
                    let end = at + header.frame_len() as usize;
                    bytes.len() < end + 2 || begins(end)
                }
                _ => true,
            };
            let expected = (0..bytes.len()).find(|&at| begins(at) && leads_on(at)).unwrap_or(bytes.len());
            prop_assert_eq!(Starts::new(sender, true).first(&bytes), expected);
        }
    }
}
