//! From the secrets of a key log to the keys of records (RFC 8446 §7, RFC 5246 §5 and §6.3).

use super::secret::Secret;
use super::suite::KeyHash;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384};

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1). Fills at most 48 bytes.
pub(super) fn expand_label(hash: KeyHash, secret: &Secret, label: &[u8], out: &mut [u8]) {
    const PREFIX: &[u8] = b"tls13 ";
    let len = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
    let label_len = [u8::try_from(PREFIX.len() + label.len()).unwrap_or(u8::MAX)];
    let info: [&[u8]; 5] = [&len, &label_len, PREFIX, label, &[0]];
    let is_done = match hash {
        KeyHash::Sha256 => {
            Hkdf::<Sha256>::from_prk(secret.bytes()).is_ok_and(|it| it.expand_multi_info(&info, out).is_ok())
        }
        KeyHash::Sha384 => {
            Hkdf::<Sha384>::from_prk(secret.bytes()).is_ok_and(|it| it.expand_multi_info(&info, out).is_ok())
        }
    };
    // A secret that is shorter than the hash is none of this suite: what results opens nothing.
    if !is_done {
        out.fill(0);
    }
}

/// The traffic secret after a KeyUpdate (RFC 8446 §7.2).
pub(super) fn next_traffic_secret(hash: KeyHash, secret: &Secret) -> Secret {
    let mut next = [0; Secret::LONGEST];
    let next = &mut next[..hash.len()];
    expand_label(hash, secret, b"traffic upd", next);
    Secret::new(next).unwrap_or(*secret)
}

/// The key block of TLS 1.2: `PRF(master_secret, "key expansion", server_random + client_random)` (RFC 5246 §6.3).
pub(super) fn key_block(
    hash: KeyHash,
    master: &Secret,
    client_random: &[u8; 32],
    server_random: &[u8; 32],
    out: &mut [u8],
) {
    let seed: [&[u8]; 3] = [b"key expansion", server_random, client_random];
    match hash {
        KeyHash::Sha256 => p_hash(|key| Hmac::<Sha256>::new_from_slice(key).ok(), master, &seed, out),
        KeyHash::Sha384 => p_hash(|key| Hmac::<Sha384>::new_from_slice(key).ok(), master, &seed, out),
    }
}

/// P_hash (RFC 5246 §5).
fn p_hash<M: Mac + Clone>(new: impl Fn(&[u8]) -> Option<M>, secret: &Secret, seed: &[&[u8]], out: &mut [u8]) {
    let Some(keyed) = new(secret.bytes()) else { return };
    let mut a = keyed.clone();
    seed.iter().for_each(|part| a.update(part));
    let mut a = a.finalize().into_bytes();
    let block_len = a.len();
    for block in out.chunks_mut(block_len) {
        let mut mac = keyed.clone();
        mac.update(&a);
        seed.iter().for_each(|part| mac.update(part));
        block.copy_from_slice(&mac.finalize().into_bytes()[..block.len()]);
        let mut next = keyed.clone();
        next.update(&a);
        a = next.finalize().into_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of hexadecimal digits.
    fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn keys_of_the_simple_handshake_in_rfc_8448() {
        for (secret, key, iv) in [
            (
                "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
                "3fce516009c21727d0f2e4e86ee403bc",
                "5d313eb2671276ee13000b30",
            ),
            (
                "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
                "17422dda596ed5d9acd890e3c63f5051",
                "5b78923dee08579033e523d9",
            ),
            (
                "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
                "9f02283b6c9c07efc26bb9f2ac92e356",
                "cf782b88dd83549aadf1e984",
            ),
        ] {
            let secret = Secret::new(&hex(secret)).unwrap();
            let (mut derived_key, mut derived_iv) = ([0; 16], [0; 12]);
            expand_label(KeyHash::Sha256, &secret, b"key", &mut derived_key);
            expand_label(KeyHash::Sha256, &secret, b"iv", &mut derived_iv);
            assert_eq!((&derived_key[..], &derived_iv[..]), (&hex(key)[..], &hex(iv)[..]));
        }
    }

    #[test]
    fn a_secret_that_is_too_short_opens_nothing_and_does_no_harm() {
        let mut key = [7; 16];
        expand_label(KeyHash::Sha384, &Secret::new(&[1; 32]).unwrap(), b"key", &mut key);
        assert_eq!(key, [0; 16]);
    }
}
