//! Opens protected records with the keys of one direction (RFC 8446 §5.2, RFC 5246 §6.2.3, RFC 7366).

use super::record::{ContentType, HEADER_LEN};
use super::schedule::expand_label;
use super::secret::Secret;
use super::suite::{Algorithm, KeyHash, MacHash};
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U8, U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use std::fmt;

/// The keys of one direction.
pub(super) struct Protection {
    cipher: Cipher,
    /// The static IV of TLS 1.3 and ChaCha20, or the salt of TLS 1.2 in its first four bytes.
    iv: [u8; 12],
    has_explicit_nonce: bool,
    encrypt_then_mac: bool,
}

enum Cipher {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
    Aes128Ccm(Box<Ccm<Aes128, U16, U12>>),
    Aes256Ccm(Box<Ccm<Aes256, U16, U12>>),
    Aes128Ccm8(Box<Ccm<Aes128, U8, U12>>),
    Aes256Ccm8(Box<Ccm<Aes256, U8, U12>>),
    Cbc(Box<Cbc>),
}

struct Cbc {
    key: [u8; 32],
    key_len: usize,
    mac_key: Secret,
    mac: MacHash,
}

/// Keys of one side in TLS 1.2, cut out of the key block.
pub(super) struct Keys12<'a> {
    /// The MAC key; empty for AEAD ciphers.
    pub(super) mac: &'a [u8],
    /// The key of the cipher.
    pub(super) key: &'a [u8],
    /// The fixed part of the nonce.
    pub(super) iv: &'a [u8],
}

/// The bytes of a record, before and after it is opened.
pub(super) struct Sealed<'a> {
    /// The type in its header.
    pub(super) content_type: ContentType,
    /// Everything behind the header.
    pub(super) body: &'a [u8],
}

impl Protection {
    /// The keys that follow from a traffic secret of TLS 1.3 (RFC 8446 §7.3).
    pub(super) fn tls13(algorithm: Algorithm, hash: KeyHash, secret: &Secret) -> Option<Self> {
        let (mut key, mut iv) = ([0; 32], [0; 12]);
        let key = &mut key[..algorithm.key_len()];
        expand_label(hash, secret, b"key", key);
        expand_label(hash, secret, b"iv", &mut iv);
        let cipher = Cipher::new(algorithm, key, &[])?;
        Some(Self { cipher, iv, has_explicit_nonce: false, encrypt_then_mac: false })
    }

    /// The keys of one side in TLS 1.2.
    pub(super) fn tls12(algorithm: Algorithm, keys: &Keys12<'_>, encrypt_then_mac: bool) -> Option<Self> {
        let mut iv = [0; 12];
        iv.get_mut(..keys.iv.len())?.copy_from_slice(keys.iv);
        let cipher = Cipher::new(algorithm, keys.key, keys.mac)?;
        let is_cbc = matches!(algorithm, Algorithm::Cbc { .. });
        let has_explicit_nonce = !is_cbc && algorithm != Algorithm::ChaCha20Poly1305;
        Some(Self { cipher, iv, has_explicit_nonce, encrypt_then_mac: encrypt_then_mac && is_cbc })
    }

    /// Bytes of plaintext in a TLS 1.2 record with a body of `len` bytes, when the cipher tells.
    pub(super) fn plain_len12(&self, len: usize) -> Option<usize> {
        let explicit = if self.has_explicit_nonce { EXPLICIT_NONCE } else { 0 };
        len.checked_sub(explicit + self.cipher.tag_len()?)
    }

    /// The part of the nonce that a TLS 1.2 record carries.
    pub(super) fn explicit_nonce(&self, body: &[u8]) -> Option<u64> {
        self.has_explicit_nonce.then(|| body.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)))?
    }

    /// Opens a TLS 1.3 record into `plain` and gives the content type inside (RFC 8446 §5.2); `None` when its tag does not
    /// verify for this sequence number. `plain` is then of no use.
    pub(super) fn open13(&self, seq: u64, body: &[u8], plain: &mut Vec<u8>) -> Option<u8> {
        let len = u16::try_from(body.len()).ok()?.to_be_bytes();
        let header: [u8; HEADER_LEN] = [23, 3, 3, len[0], len[1]];
        let nonce = self.xored(seq);
        self.cipher.open(&nonce, &header, body, plain)?;
        let end = plain.iter().rposition(|&byte| byte != 0)?;
        let content_type = plain[end];
        plain.truncate(end);
        Some(content_type)
    }

    /// Opens a TLS 1.2 record into `plain`; `None` when its tag or MAC does not verify for this sequence number. `plain` is
    /// then of no use.
    pub(super) fn open12(&self, seq: u64, record: &Sealed<'_>, plain: &mut Vec<u8>) -> Option<()> {
        if let Cipher::Cbc(cbc) = &self.cipher {
            return cbc.open(seq, record, self.encrypt_then_mac, plain);
        }
        let (nonce, sealed) = match self.has_explicit_nonce {
            true => {
                let (explicit, sealed) = record.body.split_first_chunk::<EXPLICIT_NONCE>()?;
                let mut nonce = self.iv;
                nonce[4..].copy_from_slice(explicit);
                (nonce, sealed)
            }
            false => (self.xored(seq), record.body),
        };
        let len = sealed.len().checked_sub(self.cipher.tag_len()?)?;
        let aad = pseudo_header(seq, record.content_type, len)?;
        self.cipher.open(&nonce, &aad, sealed, plain)
    }

    fn xored(&self, seq: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(seq.to_be_bytes()).for_each(|(byte, of_seq)| *byte ^= of_seq);
        nonce
    }
}

impl fmt::Debug for Protection {
    /// Keys do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protection")
    }
}

impl Cipher {
    fn new(algorithm: Algorithm, key: &[u8], mac_key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Aes128Gcm => Self::Aes128Gcm(Box::new(Aes128Gcm::new_from_slice(key).ok()?)),
            Algorithm::Aes256Gcm => Self::Aes256Gcm(Box::new(Aes256Gcm::new_from_slice(key).ok()?)),
            Algorithm::ChaCha20Poly1305 => {
                Self::ChaCha20Poly1305(Box::new(ChaCha20Poly1305::new_from_slice(key).ok()?))
            }
            Algorithm::Aes128Ccm => Self::Aes128Ccm(Box::new(Ccm::new_from_slice(key).ok()?)),
            Algorithm::Aes256Ccm => Self::Aes256Ccm(Box::new(Ccm::new_from_slice(key).ok()?)),
            Algorithm::Aes128Ccm8 => Self::Aes128Ccm8(Box::new(Ccm::new_from_slice(key).ok()?)),
            Algorithm::Aes256Ccm8 => Self::Aes256Ccm8(Box::new(Ccm::new_from_slice(key).ok()?)),
            Algorithm::Cbc { key_len, mac } => {
                let mut kept = [0; 32];
                kept.get_mut(..key_len)?.copy_from_slice(key);
                Self::Cbc(Box::new(Cbc { key: kept, key_len, mac_key: Secret::new(mac_key)?, mac }))
            }
        })
    }

    /// Bytes of the tag; `None` without one.
    fn tag_len(&self) -> Option<usize> {
        match self {
            Self::Cbc(_) => None,
            Self::Aes128Ccm8(_) | Self::Aes256Ccm8(_) => Some(8),
            _ => Some(16),
        }
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], sealed: &[u8], plain: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Aes128Gcm(cipher) => open_aead(&**cipher, nonce, aad, sealed, plain),
            Self::Aes256Gcm(cipher) => open_aead(&**cipher, nonce, aad, sealed, plain),
            Self::ChaCha20Poly1305(cipher) => open_aead(&**cipher, nonce, aad, sealed, plain),
            Self::Aes128Ccm(cipher) => open_aead(&**cipher, nonce, aad, sealed, plain),
            Self::Aes256Ccm(cipher) => open_aead(&**cipher, nonce, aad, sealed, plain),
            Self::Aes128Ccm8(cipher) => open_aead(&**cipher, nonce, aad, sealed, plain),
            Self::Aes256Ccm8(cipher) => open_aead(&**cipher, nonce, aad, sealed, plain),
            Self::Cbc(_) => None,
        }
    }
}

fn open_aead<A: AeadInOut>(cipher: &A, nonce: &[u8; 12], aad: &[u8], sealed: &[u8], plain: &mut Vec<u8>) -> Option<()> {
    let tag_len = aes_gcm::aead::Tag::<A>::default().len();
    let (body, tag) = sealed.split_at_checked(sealed.len().checked_sub(tag_len)?)?;
    plain.clear();
    plain.extend_from_slice(body);
    let (nonce, tag) = (nonce[..].try_into().ok()?, tag.try_into().ok()?);
    cipher.decrypt_inout_detached(nonce, aad, plain.as_mut_slice().into(), tag).ok()
}

impl Cbc {
    /// Opens a record in either order of encryption and MAC (RFC 5246 §6.2.3.2, RFC 7366 §3).
    fn open(&self, seq: u64, record: &Sealed<'_>, encrypt_then_mac: bool, plain: &mut Vec<u8>) -> Option<()> {
        let mac_len = self.mac.len();
        let mut sealed = record.body;
        if encrypt_then_mac {
            let (covered, tag) = sealed.split_at_checked(sealed.len().checked_sub(mac_len)?)?;
            let header = pseudo_header(seq, record.content_type, covered.len())?;
            self.verify(&[&header, covered], tag)?;
            sealed = covered;
        }
        let (iv, blocks) = sealed.split_first_chunk::<BLOCK>()?;
        if blocks.is_empty() || !blocks.len().is_multiple_of(BLOCK) {
            return None;
        }
        plain.clear();
        plain.extend_from_slice(blocks);
        self.decrypt(iv, plain)?;
        let padding = usize::from(*plain.last()?) + 1;
        let unpadded = plain.len().checked_sub(padding)?;
        if plain[unpadded..].iter().any(|&byte| usize::from(byte) + 1 != padding) {
            return None;
        }
        plain.truncate(unpadded);
        if !encrypt_then_mac {
            let (content, tag) = plain.split_at_checked(unpadded.checked_sub(mac_len)?)?;
            let header = pseudo_header(seq, record.content_type, content.len())?;
            self.verify(&[&header, content], tag)?;
            plain.truncate(unpadded - mac_len);
        }
        Some(())
    }

    fn decrypt(&self, iv: &[u8; BLOCK], blocks: &mut [u8]) -> Option<()> {
        let key = &self.key[..self.key_len];
        let (blocks, _) = aes::Block::slice_as_chunks_mut(blocks);
        match self.key_len {
            16 => cbc::Decryptor::<Aes128>::new_from_slices(key, iv).ok()?.decrypt_blocks(blocks),
            _ => cbc::Decryptor::<Aes256>::new_from_slices(key, iv).ok()?.decrypt_blocks(blocks),
        }
        Some(())
    }

    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Option<()> {
        match self.mac {
            MacHash::Sha1 => verify::<Hmac<sha1::Sha1>>(self.mac_key.bytes(), parts, tag),
            MacHash::Sha256 => verify::<Hmac<sha2::Sha256>>(self.mac_key.bytes(), parts, tag),
            MacHash::Sha384 => verify::<Hmac<sha2::Sha384>>(self.mac_key.bytes(), parts, tag),
        }
    }
}

fn verify<M: Mac + hmac::KeyInit>(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> Option<()> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(tag).ok()
}

/// Sequence number, type, version and length, as TLS 1.2 authenticates them (RFC 5246 §6.2.3.1).
fn pseudo_header(seq: u64, content_type: ContentType, len: usize) -> Option<[u8; 13]> {
    let mut header = [0; 13];
    header[..8].copy_from_slice(&seq.to_be_bytes());
    header[8] = content_type.number();
    header[9..11].copy_from_slice(&[3, 3]);
    header[11..].copy_from_slice(&u16::try_from(len).ok()?.to_be_bytes());
    Some(header)
}

/// Bytes of the nonce that GCM and CCM records of TLS 1.2 carry.
const EXPLICIT_NONCE: usize = 8;

/// Bytes of an AES block.
const BLOCK: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// The client's application keys of RFC 8448 §3.
    fn of_the_client() -> Protection {
        let secret = hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
        let secret = Secret::new(&secret).unwrap();
        Protection::tls13(Algorithm::Aes128Gcm, KeyHash::Sha256, &secret).unwrap()
    }

    #[test]
    fn records_of_the_simple_handshake_in_rfc_8448() {
        let data =
            hex("a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a\
                        6292a2977014bd1e3deae63aeebb21694915e4");
        let alert = hex("c9872760655666b74d7ff1153efd6db6d0b0e3");
        let (protection, mut plain) = (of_the_client(), Vec::new());
        assert_eq!(protection.open13(0, &data, &mut plain), Some(23));
        assert_eq!(plain, (0..50).collect::<Vec<u8>>());
        assert_eq!(protection.open13(1, &alert, &mut plain), Some(21));
        assert_eq!(plain, [1, 0]);
        for wrong in [0, 2, u64::MAX] {
            assert_eq!(protection.open13(wrong, &alert, &mut plain), None);
        }
    }

    #[test]
    fn records_too_short_for_a_tag_open_under_no_key() {
        let mut plain = Vec::new();
        for len in 0..40 {
            let body = vec![0; len];
            assert_eq!(of_the_client().open13(0, &body, &mut plain), None);
            for algorithm in [
                Algorithm::Aes128Gcm,
                Algorithm::Aes256Ccm8,
                Algorithm::ChaCha20Poly1305,
                Algorithm::Cbc { key_len: 32, mac: MacHash::Sha384 },
            ] {
                let (mac, key, iv) = ([1; 48], [2; 32], [3; 12]);
                let keys = Keys12 {
                    mac: &mac[..algorithm.mac_key_len()],
                    key: &key[..algorithm.key_len()],
                    iv: &iv[..algorithm.fixed_iv_len()],
                };
                for encrypt_then_mac in [false, true] {
                    let protection = Protection::tls12(algorithm, &keys, encrypt_then_mac).unwrap();
                    let record = Sealed { content_type: ContentType::ApplicationData, body: &body };
                    assert_eq!(protection.open12(0, &record, &mut plain), None);
                }
            }
        }
    }

    #[test]
    fn keys_are_not_printed() {
        assert_eq!(format!("{:?}", of_the_client()), "Protection");
    }
}
