//! Facts about the opening handshake.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, side, text, unknown, word};
use crate::connection::{Extension, Request, Response, Text};
use crate::connection::{Handshake, Leg, Outcome};
use crate::evidence::{Known, Value, WhyUnknown};
use crate::units::Side;
use crate::violation::{Violation, ViolationRule};

pub(in crate::evidence) fn outcome(view: &View<'_>) -> Answer {
    let handshake = &view.connection.handshake;
    let request = handshake.request.as_ref().map(|request| request.last);
    let response = handshake.response.as_ref().map(|response| response.last);
    let outcome = || word(handshake.outcome.name()).at([request, response].into_iter().flatten());
    match handshake.outcome {
        Outcome::None => or_unknown(view.response_watched().map(|()| outcome())),
        // A 101 without its request cannot be checked, and no frame shows that the client accepted it.
        Outcome::Accepted | Outcome::NotCaptured
            if handshake.request.is_none() && handshake.response.is_some() && !view.has_frames() =>
        {
            unknown(WhyUnknown::NotCaptured)
        }
        _ => outcome(),
    }
}

/// Asks the request, or says why there is none.
fn of_request(view: &View<'_>, ask: impl FnOnce(&Request) -> Answer) -> Answer {
    let handshake = &view.connection.handshake;
    match &handshake.request {
        Some(request) => ask(request).at([request.last]),
        None => no_head(handshake),
    }
}

/// Asks the response, or says why there is none.
fn of_response(view: &View<'_>, ask: impl FnOnce(&Response) -> Answer) -> Answer {
    let handshake = &view.connection.handshake;
    match &handshake.response {
        Some(response) => ask(response).at([response.last]),
        None => or_unknown(view.response_watched().map(|()| no_head(handshake))),
    }
}

fn no_head(handshake: &Handshake) -> Answer {
    let captured = handshake.request.is_some() || handshake.outcome == Outcome::None;
    if captured { absent() } else { unknown(WhyUnknown::NotCaptured) }
}

fn optional(value: Option<&Text>) -> Answer {
    value.map_or_else(absent, |value| text(value.as_str()))
}

fn list(values: &[Text]) -> Answer {
    if values.is_empty() {
        return absent();
    }
    text(&values.iter().map(Text::as_str).collect::<Vec<_>>().join(", "))
}

fn has_token(list: &[Text], token: &str) -> bool {
    list.iter().any(|element| element.is_ignoring_case(token))
}

pub(in crate::evidence) fn status(view: &View<'_>) -> Answer {
    of_response(view, |response| int(response.status.into()))
}

pub(in crate::evidence) fn body_code(view: &View<'_>) -> Answer {
    let handshake = &view.connection.handshake;
    match (handshake.body_code.as_deref().copied(), &handshake.response) {
        (Some(code), Some(response)) => Answer::new(Known::Seen(Value::Int(code))).at([response.last]),
        _ if handshake.outcome == Outcome::Rejected => or_unknown(view.bytes_of(Side::Server).map(|()| absent())),
        _ => of_response(view, |_| absent()),
    }
}

pub(in crate::evidence) fn engine_io(view: &View<'_>) -> Answer {
    of_request(view, |request| {
        let query = request.path.as_str().split_once('?').map_or("", |(_, query)| query);
        let has =
            |wanted: &str| query.split('&').any(|item| item.split_once('=').is_some_and(|(name, _)| name == wanted));
        boolean(has("EIO") && has("transport"))
    })
}

pub(in crate::evidence) fn answer_s(view: &View<'_>) -> Answer {
    let handshake = &view.connection.handshake;
    match (&handshake.request, &handshake.response) {
        (None, Some(_)) => unknown(WhyUnknown::NotCaptured),
        // A capture of several queues may have the answer first.
        (Some(request), Some(response)) => {
            let waited = response.last.seconds_since(&request.last).map(|waited| waited.max(0.0));
            seconds(waited).at([request.last, response.last])
        }
        (_, None) => or_unknown(view.response_watched().map(|()| no_head(handshake))),
    }
}

pub(in crate::evidence) fn upgrade_token(view: &View<'_>) -> Answer {
    of_request(view, |request| boolean(has_token(&request.upgrade, "websocket")))
}

pub(in crate::evidence) fn connection_token(view: &View<'_>) -> Answer {
    of_request(view, |request| boolean(has_token(&request.connection, "upgrade")))
}

pub(in crate::evidence) fn http_version(view: &View<'_>) -> Answer {
    of_request(view, |request| text(&format!("{}.{}", request.http_version.0, request.http_version.1)))
}

pub(in crate::evidence) fn version(view: &View<'_>) -> Answer {
    of_request(view, |request| {
        let version = request.version.as_ref().and_then(|version| version.as_str().trim().parse().ok());
        version.map_or_else(absent, int)
    })
}

pub(in crate::evidence) fn accepted_version(view: &View<'_>) -> Answer {
    of_response(view, |response| optional(response.version.as_ref()))
}

pub(in crate::evidence) fn version_listed(view: &View<'_>) -> Answer {
    let Some(request) = &view.connection.handshake.request else {
        return no_head(&view.connection.handshake);
    };
    of_response(view, |response| match (&request.version, &response.version) {
        (Some(asked), Some(list)) => {
            let elements = |list: &Text| list.as_str().split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>();
            let asked = elements(asked);
            boolean(elements(list).iter().any(|one| asked.contains(one))).at([request.last])
        }
        _ => absent(),
    })
}

pub(in crate::evidence) fn accept(view: &View<'_>) -> Answer {
    of_response(view, |response| {
        if response.status != 101 {
            absent()
        } else if response.accept.is_none() {
            word("missing")
        } else if view.connection.violations.iter().any(|violation| violation.rule == ViolationRule::BadAccept) {
            word("wrong")
        } else if view.connection.handshake.request.is_none() {
            unknown(WhyUnknown::NotCaptured)
        } else {
            word("valid")
        }
    })
}

pub(in crate::evidence) fn response_upgrade(view: &View<'_>) -> Answer {
    of_response(view, |response| {
        if response.status == 101 {
            boolean(has_token(&response.upgrade, "websocket") && has_token(&response.connection, "upgrade"))
        } else {
            absent()
        }
    })
}

pub(in crate::evidence) fn extensions_offered(view: &View<'_>) -> Answer {
    of_request(view, |request| optional(request.extensions_raw.as_ref()))
}

pub(in crate::evidence) fn extensions(view: &View<'_>) -> Answer {
    of_response(view, |response| optional(response.extensions_raw.as_ref()))
}

pub(in crate::evidence) fn extensions_missing(view: &View<'_>) -> Answer {
    let Some(request) = &view.connection.handshake.request else {
        return no_head(&view.connection.handshake);
    };
    of_response(view, |response| {
        let answered = |offer: &Extension| response.extensions.iter().any(|answer| answer.name == offer.name);
        let mut missing: Vec<&str> = Vec::new();
        for offer in request.extensions.iter().filter(|offer| !answered(offer)) {
            if !missing.contains(&offer.name.as_str()) {
                missing.push(offer.name.as_str());
            }
        }
        if missing.is_empty() { absent() } else { text(&missing.join(", ")) }
    })
}

pub(in crate::evidence) fn subprotocols_offered(view: &View<'_>) -> Answer {
    of_request(view, |request| list(&request.protocols))
}

pub(in crate::evidence) fn subprotocol(view: &View<'_>) -> Answer {
    of_response(view, |response| list(&response.protocols))
}

pub(in crate::evidence) fn origin(view: &View<'_>) -> Answer {
    of_request(view, |request| optional(request.origin.as_ref()))
}

pub(in crate::evidence) fn origin_matches_host(view: &View<'_>) -> Answer {
    of_request(view, |request| match (&request.origin, &request.host) {
        (Some(origin), Some(host)) => {
            let authority = origin.as_str().split_once("://").map_or(origin.as_str(), |(_, authority)| authority);
            boolean(host_name(authority).eq_ignore_ascii_case(host_name(host.as_str())))
        }
        _ => absent(),
    })
}

/// The host of `host:port`, with the brackets of an IPv6 address.
fn host_name(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    }
}

pub(in crate::evidence) fn location(view: &View<'_>) -> Answer {
    of_response(view, |response| optional(response.location.as_ref()))
}

pub(in crate::evidence) fn challenge(view: &View<'_>) -> Answer {
    of_response(view, |response| list(&response.www_authenticate))
}

pub(in crate::evidence) fn content_type(view: &View<'_>) -> Answer {
    of_response(view, |response| optional(response.content_type.as_ref()))
}

pub(in crate::evidence) fn server(view: &View<'_>) -> Answer {
    of_response(view, |response| optional(response.server.as_ref()))
}

pub(in crate::evidence) fn proxy(view: &View<'_>) -> Answer {
    of_response(view, |response| match (&response.via, response.intermediaries.first()) {
        (Some(via), _) => text(&format!("Via: {}", via.as_str())),
        (None, Some(header)) => text(header),
        (None, None) => absent(),
    })
}

pub(in crate::evidence) fn front(view: &View<'_>) -> Answer {
    leg(view, view.connection.front.as_deref().filter(|front| !front.stripped))
}

pub(in crate::evidence) fn behind(view: &View<'_>) -> Answer {
    leg(view, view.connection.behind.as_deref().filter(|behind| behind.stripped))
}

/// The address that received the request on another connection, and that connection as Wireshark's filter.
fn leg(view: &View<'_>, leg: Option<&Leg>) -> Answer {
    of_request(view, |_| leg.map_or_else(absent, |leg| text(&format!("{} (tcp.stream == {})", leg.server, leg.flow))))
}

/// The first rule that the opening handshake broke; when it failed, the one over which the client has to refuse it.
fn first_violation<'a>(view: &View<'a>) -> Option<&'a Violation> {
    let mut broken = view.connection.violations.iter().filter(|violation| violation.rule.is_of_handshake());
    let spoils = |violation: &&Violation| {
        let rule = violation.rule;
        violation.side == Side::Server && (rule.spoils_101() || rule == ViolationRule::FrameBefore101)
    };
    let failed = view.connection.handshake.outcome == Outcome::Failed;
    failed.then(|| broken.clone().find(spoils)).flatten().or_else(|| broken.next())
}

/// Half of a handshake is not judged.
fn no_violation(view: &View<'_>) -> Answer {
    match &view.connection.handshake.request {
        Some(_) => or_unknown(view.response_watched().map(|()| absent())),
        None => no_head(&view.connection.handshake),
    }
}

pub(in crate::evidence) fn violation(view: &View<'_>) -> Answer {
    match first_violation(view) {
        Some(violation) => text(violation.rule.name()).at([violation.at]),
        None => no_violation(view),
    }
}

pub(in crate::evidence) fn violation_side(view: &View<'_>) -> Answer {
    match first_violation(view) {
        Some(violation) => side(violation.side).at([violation.at]),
        None => no_violation(view),
    }
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn a_host_loses_its_port_only() {
        assert_eq!(host_name("example.com:8080"), "example.com");
        assert_eq!(host_name("example.com"), "example.com");
        assert_eq!(host_name("[::1]:80"), "[::1]");
        assert_eq!(host_name("[::1]"), "[::1]");
    }
}
