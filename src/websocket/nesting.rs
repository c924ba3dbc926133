//! Whether the clear messages of a side carry frames of another WebSocket, as a tunnel does.
//!
//! Behind a hole such inner frames would be perfect evidence for what they are not, so it is noted beforehand. Only the
//! payload at the start of a frame is looked at, and text is passed over at its first byte.

use super::header::FrameHeader;
use super::opcode::Opcode;
use super::resync::may_be_first;
use crate::units::Side;

/// Inner frames that make a series although its end is not there.
const SERIES: usize = 3;

/// How much of a side's clear data looked like frames.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Nesting {
    /// Payload bytes of frames that were looked at, and of those whose payload is a series of frames; halved together.
    looked_at: u32,
    nested: u32,
}

impl Nesting {
    /// Takes note of a clear data frame: its length, and the first bytes of its payload.
    pub(super) fn look(&mut self, payload: &[u8], payload_len: u64) {
        let len = u32::try_from(payload_len).unwrap_or(u32::MAX).min(u32::MAX / 4);
        if self.looked_at > u32::MAX / 2 {
            (self.looked_at, self.nested) = (self.looked_at / 2, self.nested / 2);
        }
        self.looked_at += len;
        self.nested += if carries_frames(payload, payload_len) { len } else { 0 };
    }

    /// Whether so much of it did that a hole may well lie in a tunnel.
    pub(super) fn is_likely(self) -> bool {
        self.nested > 0 && self.nested >= self.looked_at / 4
    }
}

/// Whether a payload is a series of clear frames: whole ones that fill it, or several before what is there ends.
pub(super) fn carries_frames(payload: &[u8], payload_len: u64) -> bool {
    // Text shows here that it is none.
    if payload.first().is_none_or(|first| first & 0x80 == 0) {
        return false;
    }
    let mut at = 0usize;
    let mut count = 0;
    while let Some(header) = payload.get(at..).and_then(FrameHeader::parse) {
        // Few tunnels carry fragments, and many other payloads zeros.
        if !header.fin || header.opcode == Opcode::Continuation || !may_be_first(Side::Server, &header) {
            return false;
        }
        let end = (at as u64).saturating_add(header.frame_len());
        if end > payload_len {
            return false;
        }
        if end == payload_len {
            return true;
        }
        count += 1;
        match usize::try_from(end) {
            Ok(end) if count < SERIES => at = end,
            _ => break,
        }
    }
    count >= SERIES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(count: usize) -> Vec<u8> {
        b"\x81\x05hello".repeat(count)
    }

    #[test]
    fn a_series_of_frames_is_told_from_other_payload() {
        for count in [1, 2, 3, 40] {
            let payload = frames(count);
            assert!(carries_frames(&payload, payload.len() as u64), "{count}");
        }
        assert!(carries_frames(&frames(4), 1 << 20), "several, and the rest has not come");
        assert!(!carries_frames(&frames(2), 1 << 20), "too few to say so");
        assert!(!carries_frames(b"", 0));
        assert!(!carries_frames(b"{\"hello\":1}", 11));
        assert!(!carries_frames(&[&frames(5)[..], b"x"].concat()[1..], 35));
    }

    #[test]
    fn few_bytes_by_chance_are_no_tunnel() {
        let mut nesting = Nesting::default();
        nesting.look(&frames(1), 7);
        assert!(nesting.is_likely());
        nesting.look(b"text", 1000);
        assert!(!nesting.is_likely());
        nesting.look(&frames(1000), 7000);
        assert!(nesting.is_likely());
        for _ in 0..100 {
            nesting.look(&frames(1000), u64::MAX);
        }
        assert!(nesting.is_likely());
    }
}
