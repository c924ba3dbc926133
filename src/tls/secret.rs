//! Secrets of TLS as values that cannot be printed.

use std::fmt;

/// A secret of at most 48 bytes, the length of a master secret and of the longest hash in use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Secret {
    bytes: [u8; Self::LONGEST],
    len: u8,
}

impl Secret {
    /// Bytes of the longest one.
    pub(super) const LONGEST: usize = 48;

    /// Copies `bytes`; `None` when they are more than there is room for.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self { bytes: [0; Self::LONGEST], len: u8::try_from(bytes.len()).ok()? };
        secret.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(secret)
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Secret {
    /// Says that there is one, and no more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_bounded_and_not_printed() {
        let secret = Secret::new(&[0xab; 48]).unwrap();
        assert_eq!(secret.bytes(), [0xab; 48]);
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_eq!(Secret::new(&[0; 49]), None);
    }
}
