//! What a stream inflated to last, which it may refer back to.
//!
//! New bytes are written behind the older ones, so that a reference is a copy within one buffer. When that is full, the last
//! 32 KiB move to its front; until it has its largest size it grows instead, so that a side that said little keeps little.

use super::UNKNOWN;

/// The inflated bytes of one side.
#[derive(Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
    /// Where the next byte goes.
    end: usize,
    /// Bytes from here on were not [taken](Self::fresh) yet.
    taken: usize,
    /// There was something before the first byte, of which nothing is known.
    has_unknown: bool,
}

/// A reference goes back to before the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beyond;

impl Window {
    /// The farthest that a reference can go back (RFC 1951 §3.2.5).
    const FARTHEST: usize = 32 << 10;
    const FIRST_LEN: usize = 4 << 10;
    const MOST_LEN: usize = 48 << 10;

    /// What must be free for a token to be taken in by [`Ahead`]: a few literals, the longest reference, and what is written
    /// behind it because bytes are copied many at a time.
    pub(super) const ROOM: usize = 8 + Self::LONGEST + CHUNK;

    /// The longest reference.
    const LONGEST: usize = 258;

    /// Forgets everything.
    pub(super) fn restart(&mut self, has_unknown: bool) {
        (self.end, self.taken, self.has_unknown) = (0, 0, has_unknown);
    }

    /// Nothing was written since it was restarted.
    pub(super) fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Bytes that it takes.
    pub(super) fn kept_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What was written since this was asked last.
    pub(super) fn fresh(&mut self) -> &[u8] {
        let fresh = &self.bytes[self.taken..self.end];
        self.taken = self.end;
        fresh
    }

    /// Makes room for more; what is fresh must have been taken.
    pub(super) fn make_room(&mut self) {
        if self.bytes.len() < Self::MOST_LEN {
            let len = (2 * self.bytes.len()).clamp(Self::FIRST_LEN, Self::MOST_LEN);
            let mut bytes = vec![0; len];
            bytes[..self.end].copy_from_slice(&self.bytes[..self.end]);
            self.bytes = bytes;
        } else {
            self.bytes.copy_within(self.end - Self::FARTHEST..self.end, 0);
            self.end = Self::FARTHEST;
        }
        self.taken = self.end;
    }

    /// Takes in as much of a stored block as there is room for; tells how much.
    pub(super) fn store(&mut self, stored: &[u8]) -> usize {
        let len = stored.len().min(self.bytes.len() - self.end);
        self.bytes[self.end..self.end + len].copy_from_slice(&stored[..len]);
        self.end += len;
        len
    }

    /// To write token by token while it [has room](Ahead::has_room).
    #[inline(always)]
    pub(super) fn ahead(&mut self) -> Ahead<'_> {
        let at = self.end;
        Ahead { bytes: &mut self.bytes, at, end: &mut self.end, has_unknown: self.has_unknown }
    }
}

/// Bytes copied at once.
const CHUNK: usize = 32;

/// Where tokens are written.
pub(super) struct Ahead<'w> {
    bytes: &'w mut [u8],
    at: usize,
    end: &'w mut usize,
    has_unknown: bool,
}

impl Ahead<'_> {
    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        self.at + Window::ROOM <= self.bytes.len()
    }

    #[inline(always)]
    pub(super) fn literal(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    /// `len` bytes as they were `distance` before.
    #[inline(always)]
    pub(super) fn copy(&mut self, distance: usize, len: usize) -> Result<(), Beyond> {
        if distance > self.at {
            return self.copy_from_before(distance, len);
        }
        let (mut from, mut to) = (self.at - distance, self.at);
        self.at += len;
        if distance >= CHUNK {
            while to < self.at {
                self.copy_chunk::<CHUNK>(from, to);
                (from, to) = (from + CHUNK, to + CHUNK);
            }
        } else {
            self.repeat(distance, to);
        }
        Ok(())
    }

    /// Repeats the last `distance` bytes before `to` up to where the next byte goes.
    fn repeat(&mut self, distance: usize, mut to: usize) {
        const SHORT: usize = 8;
        if distance == 1 {
            let byte = self.bytes[to - 1];
            self.bytes[to..self.at].fill(byte);
            return;
        }
        // A chunk has `distance` good bytes if it is longer than that.
        let step = distance.min(SHORT);
        while to < self.at {
            self.copy_chunk::<SHORT>(to - distance, to);
            to += step;
        }
    }

    #[inline(always)]
    fn copy_chunk<const LEN: usize>(&mut self, from: usize, to: usize) {
        if let Some(chunk) = self.bytes.get(from..).and_then(<[u8]>::first_chunk::<LEN>).copied()
            && let Some(place) = self.bytes.get_mut(to..).and_then(<[u8]>::first_chunk_mut::<LEN>)
        {
            *place = chunk;
        }
    }

    /// The same where that is before the first byte.
    #[cold]
    #[inline(never)]
    fn copy_from_before(&mut self, distance: usize, len: usize) -> Result<(), Beyond> {
        if !self.has_unknown {
            return Err(Beyond);
        }
        for _ in 0..len {
            let byte = self.at.checked_sub(distance).map_or(UNKNOWN, |from| self.bytes[from]);
            self.literal(byte);
        }
        Ok(())
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        *self.end = self.at;
    }
}
