//! What a cipher suite protects records with.

use super::names::CipherSuite;

/// How records are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// AES in Galois/Counter Mode (RFC 5288, RFC 8446).
    Aes128Gcm,
    /// The same with a key of 256 bits.
    Aes256Gcm,
    /// RFC 7905.
    ChaCha20Poly1305,
    /// AES in Counter mode with CBC-MAC (RFC 6655).
    Aes128Ccm,
    /// The same with a key of 256 bits.
    Aes256Ccm,
    /// CCM with tags of 8 bytes.
    Aes128Ccm8,
    /// The same with a key of 256 bits.
    Aes256Ccm8,
    /// AES in CBC mode with HMAC (RFC 5246 §6.2.3.2).
    Cbc {
        /// Bytes of the AES key.
        key_len: usize,
        /// The hash of the HMAC.
        mac: MacHash,
    },
}

/// Hashes of record MACs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MacHash {
    Sha1,
    Sha256,
    Sha384,
}

impl MacHash {
    /// Bytes of its output, and of the MAC key.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// The hash that keys are derived with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyHash {
    Sha256,
    Sha384,
}

impl KeyHash {
    /// Bytes of its output.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

impl Algorithm {
    /// What a suite of TLS 1.2 or 1.3 uses; `None` for those that are not supported.
    pub(super) fn of(suite: CipherSuite) -> Option<(Self, KeyHash)> {
        use KeyHash::{Sha256, Sha384};
        let cbc = |key_len, mac| Self::Cbc { key_len, mac };
        // By number in the IANA registry; those of a line differ in how the keys are agreed on, which a key log spares us.
        Some(match suite.0 {
            0x1301 | 0x009c | 0x009e | 0x00a0 | 0x00a2 | 0x00a4 | 0x00a6 | 0x00a8 | 0x00aa | 0x00ac => {
                (Self::Aes128Gcm, Sha256)
            }
            0xc02b | 0xc02d | 0xc02f | 0xc031 | 0xd001 => (Self::Aes128Gcm, Sha256),
            0x1302 | 0x009d | 0x009f | 0x00a1 | 0x00a3 | 0x00a5 | 0x00a7 | 0x00a9 | 0x00ab | 0x00ad => {
                (Self::Aes256Gcm, Sha384)
            }
            0xc02c | 0xc02e | 0xc030 | 0xc032 | 0xd002 => (Self::Aes256Gcm, Sha384),
            0x1303 | 0xcca8..=0xccae => (Self::ChaCha20Poly1305, Sha256),
            0x1304 | 0xc09c | 0xc09e | 0xc0a4 | 0xc0a6 | 0xc0ac | 0xd005 => (Self::Aes128Ccm, Sha256),
            0xc09d | 0xc09f | 0xc0a5 | 0xc0a7 | 0xc0ad => (Self::Aes256Ccm, Sha256),
            0x1305 | 0xc0a0 | 0xc0a2 | 0xc0a8 | 0xc0aa | 0xc0ae | 0xd003 => (Self::Aes128Ccm8, Sha256),
            0xc0a1 | 0xc0a3 | 0xc0a9 | 0xc0ab | 0xc0af => (Self::Aes256Ccm8, Sha256),
            0x002f..=0x0034 | 0x008c | 0x0090 | 0x0094 => (cbc(16, MacHash::Sha1), Sha256),
            0xc004 | 0xc009 | 0xc00e | 0xc013 | 0xc018 | 0xc01d..=0xc01f | 0xc035 => (cbc(16, MacHash::Sha1), Sha256),
            0x0035..=0x003a | 0x008d | 0x0091 | 0x0095 => (cbc(32, MacHash::Sha1), Sha256),
            0xc005 | 0xc00a | 0xc00f | 0xc014 | 0xc019 | 0xc020..=0xc022 | 0xc036 => (cbc(32, MacHash::Sha1), Sha256),
            0x003c | 0x003e..=0x0040 | 0x0067 | 0x006c | 0x00ae | 0x00b2 | 0x00b6 => (cbc(16, MacHash::Sha256), Sha256),
            0xc023 | 0xc025 | 0xc027 | 0xc029 | 0xc037 => (cbc(16, MacHash::Sha256), Sha256),
            0x003d | 0x0068..=0x006b | 0x006d => (cbc(32, MacHash::Sha256), Sha256),
            0x00af | 0x00b3 | 0x00b7 | 0xc024 | 0xc026 | 0xc028 | 0xc02a | 0xc038 => (cbc(32, MacHash::Sha384), Sha384),
            _ => return None,
        })
    }

    /// Bytes of the key of its cipher.
    pub(super) fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ccm | Self::Aes128Ccm8 => 16,
            Self::Aes256Gcm | Self::Aes256Ccm | Self::Aes256Ccm8 | Self::ChaCha20Poly1305 => 32,
            Self::Cbc { key_len, .. } => key_len,
        }
    }

    /// Bytes of the MAC key in a TLS 1.2 key block.
    pub(super) fn mac_key_len(self) -> usize {
        match self {
            Self::Cbc { mac, .. } => mac.len(),
            _ => 0,
        }
    }

    /// Bytes of the fixed part of the nonce in a TLS 1.2 key block; CBC has its IV in each record since TLS 1.1.
    pub(super) fn fixed_iv_len(self) -> usize {
        match self {
            Self::Cbc { .. } => 0,
            Self::ChaCha20Poly1305 => 12,
            _ => 4,
        }
    }
}
