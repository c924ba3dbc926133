//! What the opening handshake proves and settles: the answer to the key, the subprotocol, the extensions.

use super::message::{Request, Response};
use super::parameters::{self, DeflateParams};
use super::text::Text;
use crate::units::PerSide;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::fmt;

/// A `Sec-WebSocket-Accept` value: a SHA-1 hash, in 28 characters of base64 where it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AcceptValue([u8; 20]);

impl AcceptValue {
    /// The value that is written so, if one is: each has one spelling.
    pub(super) fn read(written: &[u8]) -> Option<Self> {
        let mut characters: [u8; 28] = written.try_into().ok()?;
        // The last one stands for nothing, and so do two bits of the one before it.
        if std::mem::replace(&mut characters[27], b'A') != b'=' {
            return None;
        }
        let (mut hash, mut all) = ([0; 21], 0);
        for (four, three) in characters.as_chunks::<4>().0.iter().zip(hash.as_chunks_mut::<3>().0) {
            let [a, b, c, d] = four.map(|character| VALUES[usize::from(character)]);
            all |= a | b | c | d;
            *three = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
        }
        let (hash, [0]) = hash.split_first_chunk()? else { return None };
        (all < NO_CHARACTER).then_some(Self(*hash))
    }
}

impl fmt::Display for AcceptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base64::display::Base64Display::new(&self.0, &STANDARD).fmt(f)
    }
}

impl fmt::Debug for AcceptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a server must answer to `key`, taken as sent without the white space around it (RFC 6455 §4.2.2, step 5.4).
#[must_use]
pub fn expected_accept(key: &[u8]) -> AcceptValue {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    AcceptValue(hash.finalize().into())
}

/// Whether a key is base64 of 16 bytes (RFC 6455 §4.1). Unused low bits of its last character are ignored, as the servers in
/// use do.
pub(super) fn is_valid_key(key: &[u8]) -> bool {
    let [characters @ .., b'=', b'='] = key else { return false };
    let all = characters.iter().fold(0, |all, character| all | VALUES[usize::from(*character)]);
    characters.len() == 22 && all < NO_CHARACTER
}

/// What each character of base64 stands for (RFC 4648 §4); [`NO_CHARACTER`] for all other bytes.
const VALUES: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NO_CHARACTER; 256];
    let mut value = 0;
    while value < alphabet.len() {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// A bit that no value has.
const NO_CHARACTER: u8 = 64;

/// What a successful handshake settled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Negotiated {
    /// The subprotocol.
    pub subprotocol: Option<Text>,
    /// `permessage-deflate` for the frames that each side sends.
    pub deflate: Option<PerSide<DeflateParams>>,
    /// Names of the other extensions that were answered.
    pub other_extensions: Vec<Text>,
}

/// What holds after `response`; nothing does unless `request`, if it is known, asked for a WebSocket and got a 101.
///
/// Illegal answers are taken for what they mean, because the server will act on them: a parameter that is out of range
/// counts as absent, an extension that was not offered as accepted.
#[must_use]
pub fn negotiated(request: Option<&Request>, response: &Response) -> Negotiated {
    if request.is_some_and(|request| !request.wants_websocket()) || !response.is_switch() {
        return Negotiated::default();
    }
    let deflate = response.extensions.iter().find(|extension| parameters::is_deflate(extension));
    let others = response.extensions.iter().filter(|extension| !parameters::is_deflate(extension));
    Negotiated {
        subprotocol: response.protocol().cloned(),
        deflate: deflate.map(DeflateParams::of_answer),
        other_extensions: others.map(|extension| extension.name.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;
    use base64::Engine;
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

    #[test]
    fn accept_of_rfc_6455_section_1_3() {
        assert_eq!(expected_accept(KEY.as_bytes()).to_string(), ACCEPT);
        assert_eq!(AcceptValue::read(ACCEPT.as_bytes()), Some(expected_accept(KEY.as_bytes())));
        // Spaces, other alphabets, unused bits that are set, another length.
        for other in [
            " 3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "s3pPLMBiTxaQ9kYGzzhZRbK-xOo=",
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
            "s3pPLMBiTxaQ9kYGzzhZRbK+",
            "",
        ] {
            assert_eq!(AcceptValue::read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn base64_is_that_of_others() {
        let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
        let lenient = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient);
        let check = |written: &[u8]| {
            let hash = STANDARD.decode(written).ok().and_then(|bytes| <[u8; 20]>::try_from(bytes).ok());
            assert_eq!(AcceptValue::read(written), hash.map(AcceptValue), "{written:?}");
            let is_valid = lenient.decode(written).is_ok_and(|bytes| bytes.len() == 16);
            assert_eq!(is_valid_key(written), is_valid, "{written:?}");
        };
        for len in 0..24 {
            let bytes: Vec<u8> = (0..len).map(|byte: u8| byte.wrapping_mul(73) ^ len).collect();
            let written = STANDARD.encode(bytes).into_bytes();
            check(&written);
            for at in 0..written.len() {
                for byte in 0..=255 {
                    let (before, after) = (&written[..at], &written[at + 1..]);
                    check(&[before, &[byte], after].concat());
                }
                check(&[&written[..at], &written[at + 1..]].concat());
            }
        }
    }

    #[test]
    fn what_is_settled() {
        let request = good_request("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-a\n");
        let settled = negotiated(
            Some(&request),
            &good_response(
                "Sec-WebSocket-Protocol: chat\n\
                 Sec-WebSocket-Extensions: x-a, permessage-deflate; server_no_context_takeover; client_max_window_bits=10\n",
            ),
        );
        assert_eq!(settled.subprotocol.as_ref().map(Text::as_str), Some("chat"));
        assert_eq!(settled.other_extensions.iter().map(Text::as_str).collect::<Vec<_>>(), ["x-a"]);
        let expected = PerSide {
            client: DeflateParams { no_context_takeover: false, window_bits: 10 },
            server: DeflateParams { no_context_takeover: true, window_bits: 15 },
        };
        assert_eq!(settled.deflate, Some(expected));
        let webkit = negotiated(Some(&request), &good_response("Sec-WebSocket-Extensions: x-webkit-deflate-frame\n"));
        assert_eq!(webkit.deflate, None);
        assert_eq!(webkit.other_extensions.len(), 1);
        let refused: Response = read("HTTP/1.1 403 Forbidden\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
        assert_eq!(negotiated(Some(&request), &refused), Negotiated::default());
    }
}
