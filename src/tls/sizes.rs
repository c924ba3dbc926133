//! How many bytes an encrypted record holds: what a cipher adds to them is known, though they are not.

use super::names::{CipherSuite, TlsVersion};

/// Bounds, both included, of the bytes that an encrypted record of this length holds; `None` for a suite that is not
/// known, or when no such record exists.
///
/// TLS 1.3 may pad (RFC 8446 §5.4), which no implementation in common use does: then the result is too large. Block
/// ciphers fill up whole blocks, so that only a range is known.
pub(super) fn plaintext(version: TlsVersion, suite: CipherSuite, record: u16) -> Option<(u16, u16)> {
    if version == TlsVersion::TLS_1_3 {
        let exact = record.checked_sub(suite.tag_len() + INNER_TYPE_LEN)?;
        return Some((exact, exact));
    }
    let name = suite.name()?;
    let exact = |overhead: u16| record.checked_sub(overhead).map(|left| (left, left));
    if name.contains("CHACHA20") {
        return exact(TAG_LEN);
    }
    if name.contains("_GCM_") {
        // RFC 5288 §3: eight bytes of the nonce travel with each record.
        return exact(EXPLICIT_NONCE_LEN + TAG_LEN);
    }
    let mac = match name.rsplit('_').next()? {
        "SHA" => 20,
        "SHA256" => 32,
        "SHA384" => 48,
        _ => return None,
    };
    let block = if name.contains("3DES") { 8 } else { 16 };
    // RFC 5246 §6.2.3.2: an IV of one block (from TLS 1.1 on), then data, MAC, and one to `block` bytes of padding. With
    // encrypt_then_mac (RFC 7366) the MAC is behind the blocks: both are possible, and the range covers both.
    let vector = if version.0 >= 0x0302 { block } else { 0 };
    let filled = record.checked_sub(vector + mac)?;
    if filled == 0 {
        return None;
    }
    Some((filled.saturating_sub(block), filled - 1))
}

const INNER_TYPE_LEN: u16 = 1;
const TAG_LEN: u16 = 16;
const EXPLICIT_NONCE_LEN: u16 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const GCM: CipherSuite = CipherSuite(0xc02f);

    #[test]
    fn lengths_as_openssl_sends_them() {
        // Alerts, two bytes each, and a server's Close frame of eight, as they were recorded.
        for (version, suite, record, len) in [
            (TlsVersion::TLS_1_3, CipherSuite(0x1302), 19, (2, 2)),
            (TlsVersion::TLS_1_3, CipherSuite(0x1305), 11, (2, 2)),
            (TlsVersion::TLS_1_2, GCM, 26, (2, 2)),
            (TlsVersion::TLS_1_2, CipherSuite(0xcca8), 18, (2, 2)),
            (TlsVersion::TLS_1_2, GCM, 32, (8, 8)),
        ] {
            assert_eq!(plaintext(version, suite, record), Some(len), "{suite} {record}");
        }
        for (suite, record) in [(0xc013, 52), (0xc027, 64), (0xc028, 80)] {
            let (least, most) = plaintext(TlsVersion::TLS_1_2, CipherSuite(suite), record).expect("block ciphers");
            assert!((least..=most).contains(&2), "{suite:#x}: {least} to {most}");
        }
    }

    #[test]
    fn what_cannot_be_is_not_guessed() {
        assert_eq!(plaintext(TlsVersion::TLS_1_3, CipherSuite(0x1301), 16), None);
        assert_eq!(plaintext(TlsVersion::TLS_1_2, GCM, 23), None);
        assert_eq!(plaintext(TlsVersion::TLS_1_2, CipherSuite(0xc013), 36), None);
        assert_eq!(plaintext(TlsVersion::TLS_1_2, CipherSuite(0xffff), 100), None);
    }
}
