//! What the opening handshake proves and settles: the answer to the key, the subprotocol, the extensions.

use super::message::{Request, Response};
use super::parameters::{self, DeflateParams};
use super::text::Text;
use crate::units::PerSide;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::fmt;

/// A `Sec-WebSocket-Accept` value: base64 of a SHA-1 hash, always 28 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AcceptValue([u8; 28]);

impl AcceptValue {
    /// The characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 28] {
        &self.0
    }
}

impl fmt::Display for AcceptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| write!(f, "{}", char::from(byte)))
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
    let mut accept = [b'='; 28];
    // 20 bytes are 28 characters, so this always fits.
    let written = STANDARD.encode_slice(hash.finalize(), &mut accept);
    debug_assert_eq!(written, Ok(28));
    AcceptValue(accept)
}

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

    #[test]
    fn accept_of_rfc_6455_section_1_3() {
        assert_eq!(expected_accept(KEY.as_bytes()).to_string(), ACCEPT);
        assert_eq!(expected_accept(KEY.as_bytes()).as_bytes(), ACCEPT.as_bytes());
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
