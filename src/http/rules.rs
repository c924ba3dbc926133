//! The rules of the opening handshake that one head shows to be broken (RFC 6455 §4, §9.1, §11.3; RFC 7692 §7.1).
//!
//! What HTTP allows is no fault: header names and tokens in any case, lists over several lines, empty list elements,
//! further tokens in `Upgrade` and `Connection` of a request, a request without `Origin` (only browsers must send one, and
//! no header proves a browser), the same extension offered several times. A list that was too long to keep is not judged.

use super::fields::{Extension, is_full};
use super::form::{Method, ProtocolFault, contains};
use super::message::{AcceptField, KeyState, Request, Response};
use super::parameters::{DEFLATE, Direction, Parameters, is_deflate};
use super::text::Text;
use crate::units::Side;
use crate::violation::{Detail, Violation, ViolationRule};

/// Every rule that the request breaks; none unless it wants a WebSocket.
#[must_use]
pub fn check_request(request: &Request) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !request.wants_websocket() {
        return violations;
    }
    let mut broke = |rule, detail: String| {
        let (offset, detail) = (Some(request.offset), text(&detail));
        violations.push(Violation { rule, side: Side::Client, at: request.last, offset, detail });
    };
    let demands = [method(request), http_version(request), host(request), upgrade(request), connection(request)];
    for (rule, detail) in demands.into_iter().flatten() {
        broke(rule, detail);
    }
    match &request.key {
        KeyState::Valid { .. } => {}
        KeyState::Missing => broke(ViolationRule::BadKey, "no Sec-WebSocket-Key".into()),
        KeyState::Several => broke(ViolationRule::BadKey, "several Sec-WebSocket-Key fields".into()),
        KeyState::Invalid(invalid) => broke(ViolationRule::BadKey, invalid.key.to_string()),
    }
    match &request.version {
        Some(version) if version.as_str() == "13" => {}
        Some(version) => broke(ViolationRule::BadVersion, version.to_string()),
        None => broke(ViolationRule::BadVersion, "no Sec-WebSocket-Version".into()),
    }
    if let Some(fault) = &request.protocol_fault {
        let detail = match fault {
            ProtocolFault::Empty => "empty".to_owned(),
            ProtocolFault::NotToken(name) => format!("“{name}” is not a token"),
            ProtocolFault::Repeated(name) => format!("{name} twice"),
        };
        broke(ViolationRule::BadSubprotocolOffer, detail);
    }
    for (rule, detail) in extension_faults(&request.extensions, &request.extension_faults, Direction::Offer) {
        broke(rule, detail);
    }
    violations
}

/// Every rule that the response breaks, as far as it can be told without `request` where that is not known; none when
/// the request did not want a WebSocket.
#[must_use]
pub fn check_response(request: Option<&Request>, response: &Response) -> Vec<Violation> {
    let mut violations = Vec::new();
    if request.is_some_and(|request| !request.wants_websocket()) {
        return violations;
    }
    let mut broke = |rule, detail: String| {
        let detail = if detail.is_empty() { Detail::None } else { text(&detail) };
        let offset = Some(response.offset);
        violations.push(Violation { rule, side: Side::Server, at: response.last, offset, detail });
    };
    if !response.is_switch() {
        if let Some(detail) = request.and_then(|request| missing_version_list(request, response)) {
            broke(ViolationRule::MissingVersionList, detail);
        }
        return violations;
    }
    if response.http_version < (1, 1) {
        broke(ViolationRule::BadHttpVersion, show_version(response.http_version));
    }
    if let Some(faults) = request.and_then(grounds_to_refuse) {
        broke(ViolationRule::InvalidRequestAccepted, faults);
    }
    // Unlike in a request, the field must be this token and nothing else.
    if !matches!(&response.upgrade[..], [only] if only.is_ignoring_case("websocket")) {
        broke(ViolationRule::MissingUpgradeToken, show_field("Upgrade", &response.upgrade));
    }
    if !contains(&response.connection, "upgrade") && !is_full(&response.connection) {
        broke(ViolationRule::MissingUpgradeToken, show_field("Connection", &response.connection));
    }
    match (&response.accept, request.and_then(|request| request.key.accept())) {
        (None, _) => broke(ViolationRule::MissingAccept, String::new()),
        (Some(_), _) if response.accept_fields > 1 => {
            broke(ViolationRule::BadAccept, format!("{} Sec-WebSocket-Accept fields", response.accept_fields));
        }
        (Some(accept), Some(expected)) if *accept != AcceptField::Value(*expected) => {
            broke(ViolationRule::BadAccept, format!("{accept} instead of {expected}"));
        }
        // Without a single key nothing can be expected; that fault is the client's.
        (Some(_), _) => {}
    }
    for detail in unrequested_protocols(request, response) {
        broke(ViolationRule::UnrequestedSubprotocol, detail);
    }
    if response.extension_fields > 1 {
        broke(ViolationRule::RepeatedExtensionsField, format!("{} fields", response.extension_fields));
    }
    for extension in request.map(|request| unrequested_extensions(request, response)).unwrap_or_default() {
        broke(ViolationRule::UnrequestedExtension, extension);
    }
    for (rule, detail) in extension_faults(&response.extensions, &response.extension_faults, Direction::Answer) {
        broke(rule, detail);
    }
    if let Some(detail) = deflate_misfit(request, response) {
        broke(ViolationRule::ExtensionParameterInvalid, detail);
    }
    violations
}

fn method(request: &Request) -> Option<(ViolationRule, String)> {
    (request.method != Method::Get).then(|| (ViolationRule::BadMethod, request.method.as_str().to_owned()))
}

fn http_version(request: &Request) -> Option<(ViolationRule, String)> {
    let is_old = request.http_version < (1, 1);
    is_old.then(|| (ViolationRule::BadHttpVersion, show_version(request.http_version)))
}

fn host(request: &Request) -> Option<(ViolationRule, String)> {
    let fault = match request.host_fields {
        0 => "no Host".to_owned(),
        1 if request.host.as_ref().is_none_or(Text::is_empty) => "empty Host".to_owned(),
        1 => return None,
        several => format!("{several} Host fields"),
    };
    Some((ViolationRule::BadHost, fault))
}

fn upgrade(request: &Request) -> Option<(ViolationRule, String)> {
    let is_missing = !contains(&request.upgrade, "websocket") && !is_full(&request.upgrade);
    is_missing.then(|| (ViolationRule::MissingUpgradeToken, show_field("Upgrade", &request.upgrade)))
}

fn connection(request: &Request) -> Option<(ViolationRule, String)> {
    let is_missing = !contains(&request.connection, "upgrade") && !is_full(&request.connection);
    is_missing.then(|| (ViolationRule::MissingUpgradeToken, show_field("Connection", &request.connection)))
}

/// Why a server must not answer this request with 101 (RFC 6455 §4.2.1). A version it may yet speak is no ground.
fn grounds_to_refuse(request: &Request) -> Option<String> {
    let demands = [method(request), http_version(request), host(request), upgrade(request), connection(request)];
    let mut grounds: Vec<String> = demands.into_iter().flatten().map(|(_, detail)| detail).collect();
    match &request.key {
        KeyState::Valid { .. } => {}
        KeyState::Missing => grounds.push("no Sec-WebSocket-Key".into()),
        KeyState::Several => grounds.push("several Sec-WebSocket-Key fields".into()),
        KeyState::Invalid(_) => grounds.push("Sec-WebSocket-Key is not base64 of 16 bytes".into()),
    }
    if request.version.is_none() {
        grounds.push("no Sec-WebSocket-Version".into());
    }
    if !request.extension_faults.is_empty() {
        grounds.push("Sec-WebSocket-Extensions does not parse".into());
    }
    (!grounds.is_empty()).then(|| grounds.join(", "))
}

/// A refusal of the version must say which ones the server speaks (RFC 6455 §4.2.2, §4.4).
///
/// 426 may also mean that the upgrade did not arrive; only where all else is in order, the version is what it refuses.
fn missing_version_list(request: &Request, response: &Response) -> Option<String> {
    let asked = request.version.as_ref().filter(|version| version.as_str() != "13")?;
    let is_of_version = response.status == 426 && upgrade(request).is_none() && connection(request).is_none();
    (is_of_version && response.version.is_none()).then(|| format!("426 to version {asked}"))
}

/// Subprotocols that were not offered, and any beyond the first: only one may be chosen (RFC 6455 §11.3.4).
fn unrequested_protocols(request: Option<&Request>, response: &Response) -> Vec<String> {
    if response.protocol_fields > 0 && response.protocols.is_empty() {
        return vec!["an empty choice".to_owned()];
    }
    let is_offered = |protocol: &Text| match request {
        Some(request) => is_full(&request.protocols) || request.protocols.contains(protocol),
        None => true,
    };
    let fault = |(index, protocol): (usize, &Text)| match is_offered(protocol) {
        true if index == 0 => None,
        true => Some(format!("{protocol} as choice {}, where one is allowed", index + 1)),
        false => Some(match request.map(|request| &request.protocols[..]).unwrap_or_default() {
            [] => format!("{protocol}; none was offered"),
            offered => format!("{protocol}; offered: {}", join(offered)),
        }),
    };
    response.protocols.iter().enumerate().filter_map(fault).collect()
}

/// Extensions in the answer that were not offered. One whose offer did not parse counts as offered.
fn unrequested_extensions(request: &Request, response: &Response) -> Vec<String> {
    if is_full(&request.extensions) {
        return Vec::new();
    }
    let is_offered = |name: &Text| {
        request.extensions.iter().any(|offer| offer.name.is_ignoring_case(name.as_str()))
            || request.extension_faults.iter().any(|fault| name_of_faulty(fault).eq_ignore_ascii_case(name.as_str()))
    };
    let unrequested = response.extensions.iter().filter(|extension| !is_offered(&extension.name));
    let show = |extension: &Extension| match &request.extensions[..] {
        [] => format!("{}; none was offered", extension.name),
        offers => format!("{}; offered: {}", extension.name, join(offers.iter().map(|offer| &offer.name))),
    };
    unrequested.map(show).collect()
}

/// Elements that break the grammar or, if they are `permessage-deflate`, its own rules.
fn extension_faults(
    extensions: &[Extension],
    unreadable: &[Text],
    direction: Direction,
) -> Vec<(ViolationRule, String)> {
    let grammar = |element: &Text| {
        let is_deflate = name_of_faulty(element).eq_ignore_ascii_case(DEFLATE);
        let rule =
            if is_deflate { ViolationRule::ExtensionParameterInvalid } else { ViolationRule::BadExtensionsField };
        (rule, format!("does not parse: {element}"))
    };
    let mut faults: Vec<_> = unreadable.iter().map(grammar).collect();
    for extension in extensions.iter().filter(|extension| is_deflate(extension)) {
        let (_, found) = Parameters::read(extension, direction);
        faults.extend(found.into_iter().map(|fault| (ViolationRule::ExtensionParameterInvalid, fault)));
    }
    faults
}

/// What does not fit in an answer whose parameters are in order by themselves.
fn deflate_misfit(request: Option<&Request>, response: &Response) -> Option<String> {
    let mut answers = response.extensions.iter().filter(|extension| is_deflate(extension));
    let answer = answers.next()?;
    if answers.next().is_some() {
        return Some(format!("{DEFLATE} accepted twice"));
    }
    let (answer, faults) = Parameters::read(answer, Direction::Answer);
    let request = request.filter(|request| faults.is_empty() && !is_full(&request.extensions))?;
    let offers = request.extensions.iter().filter(|offer| is_deflate(offer));
    let offers = offers.map(|offer| Parameters::read(offer, Direction::Offer));
    let mut offers = offers.filter(|(_, faults)| faults.is_empty());
    // Without a readable offer the fault is another one: unrequested, or the client's.
    let misfit = offers.next()?.0.is_taken_up_by(&answer).err()?;
    (!offers.any(|(offer, _)| offer.is_taken_up_by(&answer).is_ok())).then_some(misfit)
}

/// The name that an element begins with which does not parse.
fn name_of_faulty(element: &Text) -> &str {
    let end = element.as_str().find([';', ' ', '\t', '=', '"']);
    end.map_or(element.as_str(), |end| &element.as_str()[..end])
}

fn show_version((major, minor): (u8, u8)) -> String {
    format!("HTTP/{major}.{minor}")
}

/// A field as it was, or that it was not there.
fn show_field(name: &str, elements: &[Text]) -> String {
    match elements {
        [] => format!("no {name}"),
        elements => format!("{name}: {}", join(elements)),
    }
}

fn join<'a>(elements: impl IntoIterator<Item = &'a Text>) -> String {
    elements.into_iter().map(Text::as_str).collect::<Vec<_>>().join(", ")
}

/// Cut to a bounded length: many long elements may have been joined.
fn text(detail: &str) -> Detail {
    Detail::Text(Text::clean(detail.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    fn check(request: &Request, response: Option<&Response>) -> Vec<Violation> {
        let mut violations = check_request(request);
        violations.extend(response.map(|response| check_response(Some(request), response)).unwrap_or_default());
        violations
    }

    fn rules(request: &Request, response: Option<&Response>) -> Vec<(&'static str, Side)> {
        check(request, response).iter().map(|violation| (violation.rule.name(), violation.side)).collect()
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
        let found: Vec<_> = check_request(&request).iter().map(|violation| violation.detail.to_string()).collect();
        assert_eq!(found, ["HTTP/1.0", "no Upgrade", "Connection: close"]);
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
    fn what_a_request_must_have() {
        let fields = format!("Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n");
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
        for (start, rule, detail) in [
            (format!("POST / HTTP/1.1\r\nHost: h\r\n{upgrade}"), "bad_method", "POST"),
            (format!("GET / HTTP/1.0\r\nHost: h\r\n{upgrade}"), "bad_http_version", "HTTP/1.0"),
            (format!("GET / HTTP/1.1\r\n{upgrade}"), "bad_host", "no Host"),
            (format!("GET / HTTP/1.1\r\nHost:\r\n{upgrade}"), "bad_host", "empty Host"),
            (format!("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n{upgrade}"), "bad_host", "2 Host fields"),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n".into(), "missing_upgrade_token", "no Upgrade"),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n".into(),
                "missing_upgrade_token",
                "Connection: keep-alive",
            ),
        ] {
            let request: Request = read(&format!("{start}{fields}"));
            let found = check_request(&request);
            let found: Vec<_> = found.iter().map(|found| (found.rule.name(), found.detail.to_string())).collect();
            assert_eq!(found, [(rule, detail.to_owned())], "{start}");
            // A server that agrees all the same breaks a rule of its own.
            let accepted = check_response(Some(&request), &good_response(""));
            let accepted: Vec<_> = accepted.iter().map(|found| (found.rule.name(), found.detail.to_string())).collect();
            assert_eq!(accepted, [("invalid_request_accepted", detail.to_owned())], "{start}");
        }
    }

    #[test]
    fn offered_subprotocols_are_distinct_tokens() {
        for (lines, fault) in [
            ("Sec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: superchat, Chat\n", None),
            ("Sec-WebSocket-Protocol: chat,, superchat,\n", None),
            // Two credentials that are shown alike.
            ("Sec-WebSocket-Protocol: eyJh, eyJi\n", None),
            ("Sec-WebSocket-Protocol:\n", Some("empty")),
            ("Sec-WebSocket-Protocol: chat, chat\n", Some("chat twice")),
            ("Sec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: chat\n", Some("chat twice")),
            ("Sec-WebSocket-Protocol: my chat\n", Some("“my chat” is not a token")),
            ("Sec-WebSocket-Protocol: a/b\n", Some("“a/b” is not a token")),
        ] {
            let found = check_request(&good_request(lines));
            let found: Vec<_> = found.iter().map(|found| (found.rule.name(), found.detail.to_string())).collect();
            let expected: Vec<_> = fault.map(|fault| ("bad_subprotocol_offer", fault.to_owned())).into_iter().collect();
            assert_eq!(found, expected, "{lines}");
        }
    }

    #[test]
    fn a_101_is_one_token_over_http_1_1() {
        let pair = "Connection: Upgrade\r\n";
        for (start, fault) in [
            (format!("HTTP/1.1 101 X\r\nUpgrade: WEBSOCKET\r\n{pair}"), None),
            ("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: keep-alive,, UPGRADE\r\n".into(), None),
            (
                format!("HTTP/1.1 101 X\r\nUpgrade: h2c, websocket\r\n{pair}"),
                Some(("missing_upgrade_token", "Upgrade: h2c, websocket")),
            ),
            (format!("HTTP/1.0 101 X\r\nUpgrade: websocket\r\n{pair}"), Some(("bad_http_version", "HTTP/1.0"))),
        ] {
            let response: Response = read(&format!("{start}Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"));
            for request in [Some(&good_request("")), None] {
                let found = check_response(request, &response);
                let found: Vec<_> = found.iter().map(|found| (found.rule.name(), found.detail.to_string())).collect();
                let expected: Vec<_> = fault.map(|(rule, detail)| (rule, detail.to_owned())).into_iter().collect();
                assert_eq!(found, expected, "{start}");
            }
        }
    }

    #[test]
    fn a_refused_version_comes_with_a_list() {
        let head = |status: &str, fields: &str| -> Response { read(&format!("HTTP/1.1 {status} X\r\n{fields}\r\n")) };
        let asks = |version: &str| request(&format!("Sec-WebSocket-Key: {KEY}\nSec-WebSocket-Version: {version}\n"));
        let of_server = |request: &Request, response: &Response| -> Vec<&str> {
            check_response(Some(request), response).iter().map(|violation| violation.rule.name()).collect()
        };
        assert_eq!(of_server(&asks("8"), &head("426", "")), ["missing_version_list"]);
        assert!(of_server(&asks("8"), &head("426", "Sec-WebSocket-Version: 13\r\n")).is_empty());
        assert!(of_server(&asks("8"), &head("400", "")).is_empty(), "which fault it was is not said");
        assert!(of_server(&asks("13"), &head("426", "")).is_empty(), "then it is not the version");
    }

    #[test]
    fn a_broken_offer_is_the_clients_fault_alone() {
        let request = good_request("Sec-WebSocket-Extensions: x-a;;, permessage-deflate;;\n");
        let found: Vec<_> = check_request(&request).iter().map(|fault| fault.rule.name()).collect();
        assert_eq!(found, ["bad_extensions_field", "extension_parameter_invalid"]);
        let response = good_response("Sec-WebSocket-Extensions: x-a, permessage-deflate\n");
        let found: Vec<_> = check_response(Some(&request), &response).iter().map(|fault| fault.rule.name()).collect();
        assert_eq!(found, ["invalid_request_accepted"]);
    }

    #[test]
    fn lists_that_were_cut_are_not_judged() {
        let many = (0..40).map(|n| format!("x-{n}")).collect::<Vec<_>>().join(", ");
        let request: Request = read(&format!(
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: {many}, websocket\r\nConnection: {many}, upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {many}\r\n\
             Sec-WebSocket-Extensions: {many}\r\n\r\n"
        ));
        let response = good_response("Sec-WebSocket-Protocol: x-39\nSec-WebSocket-Extensions: x-39\n");
        assert_eq!(rules(&request, Some(&response)), []);
    }

    #[test]
    fn each_fault_of_an_answer_is_told() {
        let request = good_request("Sec-WebSocket-Extensions: permessage-deflate\n");
        let response = good_response(
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7; level=9\n\
             Sec-WebSocket-Extensions: x-other\n",
        );
        let found = check_response(Some(&request), &response);
        let found: Vec<_> = found.iter().map(|found| (found.rule.name(), found.detail.to_string())).collect();
        let expected = [
            ("repeated_extensions_field", "2 fields"),
            ("unrequested_extension", "x-other; offered: permessage-deflate"),
            ("extension_parameter_invalid", "server_max_window_bits=7 is not a number from 8 to 15"),
            ("extension_parameter_invalid", "unknown parameter level=9"),
        ];
        assert_eq!(found, expected.map(|(rule, detail)| (rule, detail.to_owned())));
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
            // The value in the offer is a hint, which the server may ignore.
            ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=12", None),
            (hint, "Permessage-Deflate; Client_Max_Window_Bits=9", None),
            (plain, "permessage-deflate; client_max_window_bits=15", Some("client_max_window_bits=15 was not offered")),
            (hint, "permessage-deflate; client_max_window_bits", Some("client_max_window_bits without a value")),
            (
                hint,
                "permessage-deflate; client_max_window_bits=7",
                Some("client_max_window_bits=7 is not a number from 8 to 15"),
            ),
            (
                hint,
                "permessage-deflate; client_max_window_bits=16",
                Some("client_max_window_bits=16 is not a number from 8 to 15"),
            ),
            (
                hint,
                "permessage-deflate; client_max_window_bits=08",
                Some("client_max_window_bits=08 is not a number from 8 to 15"),
            ),
            (plain, "permessage-deflate; server_max_window_bits", Some("server_max_window_bits without a value")),
            (
                plain,
                "permessage-deflate; server_no_context_takeover=1",
                Some("server_no_context_takeover=1, which takes no value"),
            ),
            (
                plain,
                "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                Some("server_no_context_takeover twice"),
            ),
            (plain, "permessage-deflate; level=9", Some("unknown parameter level=9")),
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
}
