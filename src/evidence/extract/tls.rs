//! Facts about a TLS handshake that cannot be read further.

use super::{Answer, View, absent, boolean, int, side, text, word};
use crate::connection::TlsFacts;

/// Asks TLS; every fact is absent without it.
fn of_tls(view: &View<'_>, ask: impl FnOnce(&TlsFacts) -> Answer) -> Answer {
    view.connection.tls.as_deref().map_or_else(absent, ask)
}

pub(in crate::evidence) fn outcome(view: &View<'_>) -> Answer {
    of_tls(view, |tls| word(if tls.failed(view.connection.tcp_end().is_some()) { "failed" } else { "completed" }))
}

pub(in crate::evidence) fn alert(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.fatal_alert() {
        Some(alert) => int(alert.description.into()).at([alert.origin]),
        None => absent(),
    })
}

pub(in crate::evidence) fn alert_side(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.fatal_alert() {
        Some(alert) => side(alert.side).at([alert.origin]),
        None => absent(),
    })
}

pub(in crate::evidence) fn client_certificate_requested(view: &View<'_>) -> Answer {
    of_tls(view, |tls| boolean(tls.client_certificate_requested))
}

pub(in crate::evidence) fn plain_answer(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.plain_answer() {
        Some(at) => boolean(true).at([at]),
        None => boolean(false),
    })
}

pub(in crate::evidence) fn to_plain_request(view: &View<'_>) -> Answer {
    match &view.connection.handshake.request {
        Some(request) => boolean(view.connection.handshake.answered_with_tls).at([request.last]),
        None => absent(),
    }
}

pub(in crate::evidence) fn version(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match (tls.version_name(), &tls.server_hello) {
        (Some(version), hello) => text(&version).at(hello.as_ref().map(|hello| hello.origin)),
        (None, _) => absent(),
    })
}

pub(in crate::evidence) fn ended_by(view: &View<'_>) -> Answer {
    of_tls(view, |_| match view.connection.tcp_end() {
        Some(end) => side(end.by).at([end.at]),
        None => absent(),
    })
}

pub(in crate::evidence) fn client_hello_answered(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match (&tls.client_hello, &tls.server_hello) {
        (_, Some(hello)) => boolean(true).at([hello.origin]),
        (Some(hello), None) => boolean(!tls.alerts.is_empty() || tls.plain_answer().is_some()).at([hello.origin]),
        (None, None) => absent(),
    })
}

pub(in crate::evidence) fn application_data(view: &View<'_>) -> Answer {
    of_tls(view, |tls| boolean(tls.application_records.iter().any(|(_, &records)| records > 0)))
}
