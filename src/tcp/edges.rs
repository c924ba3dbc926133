//! A short hash of the payload of a segment, by which what comes twice is compared.

use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};

/// Bytes at either end of a payload that are hashed: frame headers and control frames are mostly within, and hashing all
/// would double the time that bulk data takes.
const EDGE: usize = 64;

/// The hash of the first and last [`EDGE`] bytes. The same in every run of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Edges(pub(super) u32);

impl Edges {
    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        let mut hasher = FixedState::with_seed(0).build_hasher();
        match (bytes.first_chunk::<EDGE>(), bytes.last_chunk::<EDGE>()) {
            (Some(head), Some(tail)) if bytes.len() > 2 * EDGE => {
                hasher.write(head);
                hasher.write(tail);
            }
            _ => hasher.write(bytes),
        }
        Self((hasher.finish() >> 32) as u32)
    }
}
