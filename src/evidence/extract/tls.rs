//! Facts about a TLS handshake that cannot be read further.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, side, text, unknown, word};
use crate::connection::{Outcome, TlsFacts};
use crate::evidence::WhyUnknown;
use crate::units::Side;

/// What is so when the server did not send what was looked for; unknown when not all it sent was seen.
fn unless_hidden(view: &View<'_>, answer: Answer) -> Answer {
    or_unknown(view.bytes_of(Side::Server).map(|()| answer))
}

/// What is so when neither side sent what was looked for.
fn unless_either_hidden(view: &View<'_>, answer: Answer) -> Answer {
    or_unknown(view.bytes_of(Side::Client).and_then(|()| view.bytes_of(Side::Server)).map(|()| answer))
}

/// Asks TLS; every fact is absent without it.
fn of_tls(view: &View<'_>, ask: impl FnOnce(&TlsFacts) -> Answer) -> Answer {
    view.connection.tls.as_deref().map_or_else(absent, ask)
}

/// Whether the handshake failed, or nobody answered it until the capture ended.
pub(super) fn failed(view: &View<'_>, tls: &TlsFacts) -> Result<bool, WhyUnknown> {
    let failed = tls.failed(view.connection.tcp_end().is_some()) || tls.unanswered();
    if failed && tls.fatal_alert().is_none() && tls.plain_answer().is_none() {
        // TCP ended, and that is all: the capture may lack the rest of the handshake.
        view.bytes_of(Side::Client)?;
        view.bytes_of(Side::Server)?;
    }
    Ok(failed)
}

pub(in crate::evidence) fn outcome(view: &View<'_>) -> Answer {
    of_tls(view, |tls| or_unknown(failed(view, tls).map(|failed| word(if failed { "failed" } else { "completed" }))))
}

pub(in crate::evidence) fn alert(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.fatal_alert() {
        Some(alert) => int(alert.description.into()).at([alert.origin]),
        None => unless_either_hidden(view, absent()),
    })
}

pub(in crate::evidence) fn alert_side(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.fatal_alert() {
        Some(alert) => side(alert.side).at([alert.origin]),
        None => unless_either_hidden(view, absent()),
    })
}

pub(in crate::evidence) fn client_certificate_requested(view: &View<'_>) -> Answer {
    of_tls(
        view,
        |tls| {
            if tls.client_certificate_requested { boolean(true) } else { unless_hidden(view, boolean(false)) }
        },
    )
}

pub(in crate::evidence) fn setup_s(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match (&tls.client_hello, tls.client_finished) {
        (Some(hello), Some(finished)) => {
            seconds(finished.seconds_since(&hello.origin).map(|took| took.max(0.0))).at([hello.origin, finished])
        }
        _ => or_unknown(view.bytes_of(Side::Client).map(|()| absent())),
    })
}

pub(in crate::evidence) fn plain_answer(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.plain_answer() {
        Some(at) => boolean(true).at([at]),
        // Whoever began with TLS goes on so.
        None if tls.server_hello.is_some() => boolean(false),
        None => unless_hidden(view, boolean(false)),
    })
}

pub(in crate::evidence) fn to_plain_request(view: &View<'_>) -> Answer {
    let handshake = &view.connection.handshake;
    match &handshake.request {
        Some(request) => or_unknown(
            view.response_watched()
                .map(|()| boolean(handshake.answered_with_tls || handshake.wants_tls).at([request.last])),
        ),
        None => no_request(view),
    }
}

/// There was no plain request: TLS was spoken from the start, or the capture does not tell.
fn no_request(view: &View<'_>) -> Answer {
    let hidden = view.connection.tls.is_none() && view.connection.handshake.outcome != Outcome::None;
    if hidden { unknown(WhyUnknown::NotCaptured) } else { absent() }
}

pub(in crate::evidence) fn version(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match (tls.version_name(), &tls.server_hello) {
        (Some(version), hello) => text(&version).at(hello.as_ref().map(|hello| hello.origin)),
        (None, _) => unless_hidden(view, absent()),
    })
}

pub(in crate::evidence) fn ended_by(view: &View<'_>) -> Answer {
    of_tls(view, |_| {
        or_unknown(view.tcp_end().map(|end| match end {
            Some(end) => side(end.by).at([end.at]),
            None => absent(),
        }))
    })
}

pub(in crate::evidence) fn client_hello_answered(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match (&tls.client_hello, &tls.server_hello) {
        (_, Some(hello)) => boolean(true).at([hello.origin]),
        (Some(hello), None) => {
            let alert = tls.alerts.iter().find(|alert| alert.side == Side::Server).map(|alert| alert.origin);
            match alert.or(tls.plain_answer()) {
                Some(answer) => boolean(true).at([hello.origin, answer]),
                None => unless_hidden(view, boolean(false).at([hello.origin])),
            }
        }
        (None, None) => absent(),
    })
}

pub(in crate::evidence) fn application_data(view: &View<'_>) -> Answer {
    // In TLS 1.3 encrypted handshake messages look like application data, also those of a handshake that fails.
    let any = |tls: &TlsFacts| tls.application_records.iter().any(|(_, &records)| records > 0);
    of_tls(view, |tls| or_unknown(failed(view, tls).map(|failed| boolean(!failed && any(tls)))))
}
