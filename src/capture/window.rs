//! The one buffer between the input and the records.
//!
//! Records are slices of it. Unread bytes move to its front only when the record they start is incomplete. It grows for a
//! record that was checked to be within bounds, and by doubling as the bytes arrive, so that a claim alone takes no
//! memory. It never waits for more than the record needs.

use super::compression::{ReadError, Unpacked};
use super::{Compression, DamageKind};
use std::io::{self, Read};
use std::ops::Range;

/// Why no record can be read.
#[derive(Debug)]
pub(super) enum Stop {
    Io(io::Error),
    Damage(DamageKind),
}

impl From<DamageKind> for Stop {
    fn from(kind: DamageKind) -> Self {
        Self::Damage(kind)
    }
}

pub(super) struct Window<R: Read> {
    input: Unpacked<R>,
    buffer: Vec<u8>,
    /// Unread bytes of `buffer`.
    start: usize,
    end: usize,
    /// Offset of `buffer[0]` in the unpacked input.
    base: u64,
    /// Met while looking ahead, and told when what lies before it has been taken.
    failure: Option<Stop>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: Unpacked<R>) -> Self {
        Self { input, buffer: vec![0; INITIAL_LEN], start: 0, end: 0, base: 0, failure: None }
    }

    pub(super) fn compression(&self) -> Compression {
        self.input.compression()
    }

    /// Makes `len` unread bytes available, unless the input ends before, and returns how many there are.
    ///
    /// The caller has checked `len` against a bound.
    #[inline]
    pub(super) fn fill_to(&mut self, len: usize) -> Result<usize, Stop> {
        if self.end - self.start < len {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            self.refill(len)?;
        }
        Ok(self.end - self.start)
    }

    /// As [`Window::fill_to`], for bytes that may turn out not to be needed: fewer than `len` also when the input fails.
    #[inline]
    pub(super) fn look_ahead(&mut self, len: usize) -> usize {
        if self.end - self.start < len && self.failure.is_none() {
            self.failure = self.refill(len).err();
        }
        self.end - self.start
    }

    /// Whether a failure is still to be told.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    #[cold]
    fn refill(&mut self, len: usize) -> Result<(), Stop> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        while self.end < len {
            if self.end == self.buffer.len() {
                self.buffer.resize(2 * self.end, 0);
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(more) => self.end += more,
                Err(ReadError::Io(error)) => return Err(Stop::Io(error)),
                Err(ReadError::Unpack(error)) => return Err(Stop::Damage(self.unpack_damage(&error))),
            }
        }
        Ok(())
    }

    fn unpack_damage(&self, error: &io::Error) -> DamageKind {
        let compression = self.compression();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => DamageKind::CompressionCut { compression },
            _ => DamageKind::CompressionDamaged { compression, message: error.to_string() },
        }
    }

    /// All unread bytes that are there.
    #[inline]
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Offset of the first unread byte in the unpacked input.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Takes `len` bytes (at most what is there), and returns where the slice `within` of them lies.
    ///
    /// The place is good for [`Window::buffer`] until the next fill.
    #[inline]
    pub(super) fn take(&mut self, len: usize, within: Range<usize>) -> Range<usize> {
        let start = self.start;
        self.start = self.end.min(start + len);
        start + within.start..start + within.end
    }

    /// Where the places lie that [`Window::take`] returned.
    #[inline]
    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }
}

/// Plain reads of this length are faster than mapping the file, and safe when the file changes underneath. What was read stays
/// close to the processor until it is decoded, which a MiB does not.
const INITIAL_LEN: usize = 1 << 18;
