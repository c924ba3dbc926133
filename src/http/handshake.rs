//! The rules of the opening handshake (RFC 6455 §4, RFC 7692 §7.1) and what it settles.

use super::fields::{Extension, Param};
use super::message::{KeyState, Request, Response, contains};
use super::text::Text;
use crate::units::{PerSide, Side};
use crate::violation::{Detail, Violation, ViolationRule};
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

/// Every rule that the handshake breaks, requests first. Faults of a request count only when it wants a WebSocket,
/// those of a response only when it is a 101.
#[must_use]
pub fn check(request: &Request, response: Option<&Response>) -> Vec<Violation> {
    let mut violations = Vec::new();
    if request.wants_websocket() {
        check_request(request, &mut violations);
        if let Some(response) = response.filter(|response| response.is_switch()) {
            check_response(request, response, &mut violations);
        }
    }
    violations
}

fn check_request(request: &Request, violations: &mut Vec<Violation>) {
    let mut broke = |rule, detail| {
        let offset = Some(request.offset);
        violations.push(Violation { rule, side: Side::Client, at: request.last, offset, detail });
    };
    match &request.key {
        KeyState::Valid { .. } => {}
        KeyState::Missing => broke(ViolationRule::BadKey, text("no Sec-WebSocket-Key")),
        KeyState::Several => broke(ViolationRule::BadKey, text("several Sec-WebSocket-Key fields")),
        KeyState::Invalid { key, .. } => broke(ViolationRule::BadKey, text(key.as_str())),
    }
    match &request.version {
        Some(version) if version.as_str() == "13" => {}
        Some(version) => broke(ViolationRule::BadVersion, text(version.as_str())),
        None => broke(ViolationRule::BadVersion, text("no Sec-WebSocket-Version")),
    }
    if request.extensions_malformed {
        broke(ViolationRule::ExtensionParameterInvalid, text("Sec-WebSocket-Extensions does not parse"));
    }
    for offer in request.extensions.iter().filter(|offer| is_deflate(offer)) {
        if let Err(fault) = DeflateOffer::read(offer, Role::Offer) {
            broke(ViolationRule::ExtensionParameterInvalid, text(&fault));
        }
    }
}

fn check_response(request: &Request, response: &Response, violations: &mut Vec<Violation>) {
    let mut broke = |rule, detail| {
        let offset = Some(response.offset);
        violations.push(Violation { rule, side: Side::Server, at: response.last, offset, detail });
    };
    if !contains(&response.upgrade, "websocket") {
        broke(ViolationRule::MissingUpgradeToken, text("no websocket in Upgrade"));
    }
    if !contains(&response.connection, "upgrade") {
        broke(ViolationRule::MissingUpgradeToken, text("no upgrade in Connection"));
    }
    match (&response.accept, request.key.accept()) {
        (None, _) => broke(ViolationRule::MissingAccept, Detail::None),
        (Some(accept), Some(expected)) if accept.as_str().as_bytes() != expected.as_bytes() => {
            broke(ViolationRule::BadAccept, Detail::Text(format!("{accept} instead of {expected}").into_boxed_str()));
        }
        // Without a single key nothing can be expected; that fault is the client's.
        (Some(_), _) => {}
    }
    for (index, protocol) in response.protocols.iter().enumerate() {
        // Only one may be chosen (RFC 6455 §11.3.4), so a second is unrequested even if it was offered.
        if index > 0 || !request.protocols.contains(protocol) {
            broke(ViolationRule::UnrequestedSubprotocol, text(protocol.as_str()));
        }
    }
    if response.extensions_malformed {
        broke(ViolationRule::ExtensionParameterInvalid, text("Sec-WebSocket-Extensions does not parse"));
    }
    let is_offered = |name: &Text| request.extensions.iter().any(|offer| offer.name.is_ignoring_case(name.as_str()));
    for extension in response.extensions.iter().filter(|extension| !is_offered(&extension.name)) {
        broke(ViolationRule::UnrequestedExtension, text(extension.name.as_str()));
    }
    let mut accepted = response.extensions.iter().filter(|extension| is_deflate(extension));
    if let Some(answer) = accepted.next() {
        if let Err(fault) = check_deflate_answer(request, answer) {
            broke(ViolationRule::ExtensionParameterInvalid, text(&fault));
        }
        if accepted.next().is_some() {
            broke(ViolationRule::ExtensionParameterInvalid, text("permessage-deflate accepted twice"));
        }
    }
}

/// Whether the answer is well formed and takes up one of the offers (RFC 7692 §5.1, §7.1).
fn check_deflate_answer(request: &Request, answer: &Extension) -> Result<(), String> {
    let answer = DeflateOffer::read(answer, Role::Answer)?;
    let offers = request.extensions.iter().filter(|offer| is_deflate(offer));
    let mut offers = offers.filter_map(|offer| DeflateOffer::read(offer, Role::Offer).ok());
    // Without a readable offer the fault is another one: unrequested, or the client's.
    let Some(first) = offers.next() else { return Ok(()) };
    match first.is_taken_up_by(&answer) {
        Err(_) if offers.any(|offer| offer.is_taken_up_by(&answer).is_ok()) => Ok(()),
        result => result,
    }
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

/// How one side compresses (RFC 7692 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateParams {
    /// Whether every message starts with an empty window.
    pub no_context_takeover: bool,
    /// Base-2 logarithm of the window, 8 to 15.
    pub window_bits: u8,
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
    let deflate = response.extensions.iter().find(|extension| is_deflate(extension)).map(|answer| {
        let has = |name| answer.params.iter().any(|param: &Param| param.name.is_ignoring_case(name));
        let bits = |name| {
            let values = answer.params.iter().filter(|param| param.name.is_ignoring_case(name));
            values.filter_map(|param| window_bits(param.value.as_ref()?)).next().unwrap_or(LARGEST_WINDOW)
        };
        PerSide {
            client: DeflateParams {
                no_context_takeover: has(CLIENT_NO_CONTEXT_TAKEOVER),
                window_bits: bits(CLIENT_MAX_WINDOW_BITS),
            },
            server: DeflateParams {
                no_context_takeover: has(SERVER_NO_CONTEXT_TAKEOVER),
                window_bits: bits(SERVER_MAX_WINDOW_BITS),
            },
        }
    });
    let others = response.extensions.iter().filter(|extension| !is_deflate(extension));
    Negotiated {
        subprotocol: response.protocol().cloned(),
        deflate,
        other_extensions: others.map(|extension| extension.name.clone()).collect(),
    }
}

/// The parameters of one `permessage-deflate` element, checked.
#[derive(Debug, Default)]
struct DeflateOffer {
    no_context_takeover: PerSide<bool>,
    /// `None`: absent. `Some(None)`: without a value, which only the client's may be, in an offer.
    max_window_bits: PerSide<Option<Option<u8>>>,
}

/// Which way an element travels; the rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Offer,
    Answer,
}

impl DeflateOffer {
    /// The parameters, or the first that RFC 7692 §7.1 forbids.
    fn read(extension: &Extension, role: Role) -> Result<Self, String> {
        let mut read = Self::default();
        for param in &extension.params {
            let fault = || match &param.value {
                Some(value) => format!("{}={value}", param.name),
                None => param.name.to_string(),
            };
            let side = match param.name.as_str().split_once('_') {
                Some(("client", _)) => Side::Client,
                _ => Side::Server,
            };
            match param.name.as_str() {
                CLIENT_NO_CONTEXT_TAKEOVER | SERVER_NO_CONTEXT_TAKEOVER => {
                    if param.value.is_some() {
                        return Err(fault());
                    }
                    if std::mem::replace(&mut read.no_context_takeover[side], true) {
                        return Err(format!("{} twice", param.name));
                    }
                }
                CLIENT_MAX_WINDOW_BITS | SERVER_MAX_WINDOW_BITS => {
                    let bits = match &param.value {
                        Some(value) => Some(window_bits(value).ok_or_else(fault)?),
                        None if side == Side::Client && role == Role::Offer => None,
                        None => return Err(format!("{} without a value", param.name)),
                    };
                    if read.max_window_bits[side].replace(bits).is_some() {
                        return Err(format!("{} twice", param.name));
                    }
                }
                _ => return Err(fault()),
            }
        }
        Ok(read)
    }

    /// Whether `answer` accepts this offer, or the parameter that does not fit (RFC 7692 §7.1.1, §7.1.2).
    fn is_taken_up_by(&self, answer: &Self) -> Result<(), String> {
        if self.no_context_takeover.server && !answer.no_context_takeover.server {
            return Err(format!("{SERVER_NO_CONTEXT_TAKEOVER} was asked for and not answered"));
        }
        let bits = |side: Side| answer.max_window_bits[side].flatten();
        match (self.max_window_bits.server.flatten(), bits(Side::Server)) {
            (Some(asked), None) => {
                return Err(format!("{SERVER_MAX_WINDOW_BITS}={asked} was asked for and not answered"));
            }
            (Some(asked), Some(given)) if given > asked => {
                return Err(format!("{SERVER_MAX_WINDOW_BITS}={given} where at most {asked} was asked for"));
            }
            _ => {}
        }
        match (self.max_window_bits.client, bits(Side::Client)) {
            (None, Some(given)) => Err(format!("{CLIENT_MAX_WINDOW_BITS}={given} was not offered")),
            (Some(Some(offered)), Some(given)) if given > offered => {
                Err(format!("{CLIENT_MAX_WINDOW_BITS}={given} where at most {offered} was offered"))
            }
            _ => Ok(()),
        }
    }
}

/// A decimal number from 8 to 15 without leading zeros (RFC 7692 §7.1.2).
fn window_bits(value: &Text) -> Option<u8> {
    match value.as_str().as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

fn is_deflate(extension: &Extension) -> bool {
    extension.name.is_ignoring_case("permessage-deflate")
}

fn text(text: &str) -> Detail {
    Detail::Text(text.into())
}

const LARGEST_WINDOW: u8 = 15;
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";

#[cfg(test)]
mod tests {
    use super::super::{Head, HeadReader, Step};
    use super::*;
    use crate::limits::Limits;
    use crate::units::{Origin, PacketNumber, StreamOffset};

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn read<H: Head>(head: &str) -> H {
        let origin = Origin { packet: PacketNumber::FIRST, time: None };
        match HeadReader::new().push(&Limits::default(), StreamOffset(0), origin, head.as_bytes()).0 {
            Step::Head(head) => *head,
            _ => panic!("not a head: {head}"),
        }
    }

    fn request(fields: &str) -> Request {
        let fields = fields.replace('\n', "\r\n");
        read(&format!("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}\r\n"))
    }

    fn good_request(fields: &str) -> Request {
        request(&format!("Sec-WebSocket-Key: {KEY}\nSec-WebSocket-Version: 13\n{fields}"))
    }

    fn response(fields: &str) -> Response {
        let fields = fields.replace('\n', "\r\n");
        read(&format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}\r\n"))
    }

    fn good_response(fields: &str) -> Response {
        response(&format!("Sec-WebSocket-Accept: {ACCEPT}\n{fields}"))
    }

    fn rules(request: &Request, response: Option<&Response>) -> Vec<(&'static str, Side)> {
        check(request, response).iter().map(|violation| (violation.rule.name(), violation.side)).collect()
    }

    #[test]
    fn accept_of_rfc_6455_section_1_3() {
        assert_eq!(expected_accept(KEY.as_bytes()).to_string(), ACCEPT);
        assert_eq!(expected_accept(KEY.as_bytes()).as_bytes(), ACCEPT.as_bytes());
    }

    #[test]
    fn handshakes_of_programs_in_use_are_legal() {
        let pairs = [
            // Node ws client, Tomcat.
            (
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\n",
                "Sec-WebSocket-Extensions: permessage-deflate;client_max_window_bits=15\n",
            ),
            // Chromium, Python websockets.
            (
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\n",
                "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; client_max_window_bits=12\nServer: Python/3.11 websockets/17.4\n",
            ),
            // Chromium, Go servers.
            (
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\n",
                "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\n",
            ),
            // Safari of old offers two; the second is taken.
            (
                "Sec-WebSocket-Extensions: x-webkit-deflate-frame, permessage-deflate\n",
                "Sec-WebSocket-Extensions: x-webkit-deflate-frame\n",
            ),
            // A strict offer with a plain one behind it.
            (
                "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate\n",
                "Sec-WebSocket-Extensions: permessage-deflate\n",
            ),
            ("Sec-WebSocket-Protocol: chat, superchat\n", "Sec-WebSocket-Protocol: superchat\n"),
            ("Sec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: superchat\n", ""),
        ];
        for (asked, answered) in pairs {
            assert_eq!(rules(&good_request(asked), Some(&good_response(answered))), [], "{asked}{answered}");
        }
    }

    #[test]
    fn tokens_ignore_case_and_may_be_one_of_several() {
        let request: Request = read(&format!(
            "GET / HTTP/1.1\r\nhost: h\r\nupgrade: h2c, WebSocket\r\nconnection: keep-alive, upgrade\r\n\
             sec-websocket-key:{KEY}\r\nsec-websocket-version:13\r\n\r\n"
        ));
        let response: Response = read(&format!(
            "HTTP/1.1 101\r\nconnection: keep-alive\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\
             sec-websocket-accept:   {ACCEPT}   \r\n\r\n"
        ));
        assert_eq!(rules(&request, Some(&response)), []);
        assert!(!request.upgrade_stripped());
    }

    #[test]
    fn faults_of_the_request() {
        let bad_key = [("bad_key", Side::Client)];
        for key in [
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\n",   // no padding
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\n",     // 15 bytes
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=\n", // 17 bytes
            "Sec-WebSocket-Key: not base64 at all!!!\n",
            "Sec-WebSocket-Key:\n",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n",
            "",
        ] {
            assert_eq!(rules(&request(&format!("{key}Sec-WebSocket-Version: 13\n")), None), bad_key, "{key}");
        }
        for version in
            ["", "Sec-WebSocket-Version: 8\n", "Sec-WebSocket-Version: 13, 8\n", "Sec-WebSocket-Version: 013\n"]
        {
            let request = request(&format!("Sec-WebSocket-Key: {KEY}\n{version}"));
            assert_eq!(rules(&request, None), [("bad_version", Side::Client)], "{version}");
        }
        // A page that is simply loaded breaks nothing.
        assert_eq!(rules(&read("GET / HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n"), None), []);
    }

    #[test]
    fn a_stripped_upgrade_is_seen_from_what_is_left() {
        // As nginx passes it on without `proxy_set_header Upgrade`.
        let request: Request = read(&format!(
            "GET /ws HTTP/1.0\r\nHost: backend\r\nConnection: close\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {KEY}\r\n\r\n"
        ));
        assert!(request.upgrade_stripped() && request.wants_websocket());
        assert_eq!(rules(&request, None), []);
        let plain: Request = read("GET /ws HTTP/1.0\r\nHost: backend\r\nConnection: close\r\n\r\n");
        assert!(!plain.upgrade_stripped() && !plain.wants_websocket());
    }

    #[test]
    fn faults_of_the_response() {
        let offer = "Sec-WebSocket-Protocol: chat, news\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\n";
        for (fields, rule) in [
            ("Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".to_owned(), "bad_accept"),
            (format!("Sec-WebSocket-Accept: {ACCEPT}\nSec-WebSocket-Accept: {ACCEPT}\n"), "bad_accept"),
            (format!("Sec-WebSocket-Accept: {}\n", ACCEPT.to_lowercase()), "bad_accept"),
            (String::new(), "missing_accept"),
            (format!("Sec-WebSocket-Accept: {ACCEPT}\nSec-WebSocket-Protocol: Chat\n"), "unrequested_subprotocol"),
            (
                format!("Sec-WebSocket-Accept: {ACCEPT}\nSec-WebSocket-Protocol: chat, news\n"),
                "unrequested_subprotocol",
            ),
            (format!("Sec-WebSocket-Accept: {ACCEPT}\nSec-WebSocket-Extensions: x-other\n"), "unrequested_extension"),
        ] {
            assert_eq!(rules(&good_request(offer), Some(&response(&fields))), [(rule, Side::Server)], "{fields}");
        }
        for head in [
            "Connection: upgrade\r\n",
            "Upgrade: websocket\r\nConnection: close\r\n",
            "Upgrade: h2c\r\nConnection: upgrade\r\n",
        ] {
            let response: Response = read(&format!("HTTP/1.1 101 X\r\n{head}Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"));
            assert_eq!(rules(&good_request(""), Some(&response)), [("missing_upgrade_token", Side::Server)], "{head}");
        }
        let refused: Response = read("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\n\r\n");
        assert_eq!(rules(&good_request(""), Some(&refused)), []);
        assert_eq!(refused.version.as_ref().map(Text::as_str), Some("13, 8"));
    }

    #[test]
    fn deflate_parameters_are_held_to_rfc_7692() {
        let plain = "permessage-deflate";
        let hint = "permessage-deflate; client_max_window_bits";
        for (offer, answer, fault) in [
            (plain, "permessage-deflate; server_max_window_bits=8", None),
            (plain, "permessage-deflate; server_no_context_takeover", None),
            (plain, "permessage-deflate; client_no_context_takeover", None),
            (hint, "permessage-deflate; client_max_window_bits=\"9\"", None),
            (hint, "permessage-deflate", None),
            (plain, "permessage-deflate; client_max_window_bits=15", Some("client_max_window_bits=15 was not offered")),
            (hint, "permessage-deflate; client_max_window_bits", Some("client_max_window_bits without a value")),
            (hint, "permessage-deflate; client_max_window_bits=7", Some("client_max_window_bits=7")),
            (hint, "permessage-deflate; client_max_window_bits=16", Some("client_max_window_bits=16")),
            (hint, "permessage-deflate; client_max_window_bits=08", Some("client_max_window_bits=08")),
            (plain, "permessage-deflate; server_max_window_bits", Some("server_max_window_bits without a value")),
            (plain, "permessage-deflate; server_no_context_takeover=1", Some("server_no_context_takeover=1")),
            (
                plain,
                "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                Some("server_no_context_takeover twice"),
            ),
            (plain, "permessage-deflate; level=9", Some("level=9")),
            (plain, "permessage-deflate, permessage-deflate", Some("permessage-deflate accepted twice")),
            (
                "permessage-deflate; server_max_window_bits=10",
                "permessage-deflate; server_max_window_bits=11",
                Some("server_max_window_bits=11 where at most 10 was asked for"),
            ),
            (
                "permessage-deflate; server_max_window_bits=10",
                plain,
                Some("server_max_window_bits=10 was asked for and not answered"),
            ),
            (
                "permessage-deflate; server_no_context_takeover",
                plain,
                Some("server_no_context_takeover was asked for and not answered"),
            ),
        ] {
            let request = good_request(&format!("Sec-WebSocket-Extensions: {offer}\n"));
            let response = good_response(&format!("Sec-WebSocket-Extensions: {answer}\n"));
            let found: Vec<_> = check(&request, Some(&response))
                .iter()
                .map(|violation| {
                    assert_eq!(violation.rule, ViolationRule::ExtensionParameterInvalid);
                    assert_eq!(violation.side, Side::Server);
                    violation.detail.to_string()
                })
                .collect();
            assert_eq!(found, fault.into_iter().collect::<Vec<_>>(), "{offer} / {answer}");
        }
        for offer in ["permessage-deflate; server_max_window_bits=20", "permessage-deflate; x", "permessage-deflate;;"]
        {
            let request = good_request(&format!("Sec-WebSocket-Extensions: {offer}\n"));
            assert_eq!(rules(&request, None), [("extension_parameter_invalid", Side::Client)], "{offer}");
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
