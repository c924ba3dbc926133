//! Facts about how each side's stream ended inside TLS, where it was decrypted: in order, by an alert, or cut off.

use super::{Answer, View, absent, int, or_unknown, seconds, side, text, word};
use crate::connection::{Alert, EndSignalKind, Readable, TlsFacts};
use crate::evidence::WhyUnknown;
use crate::units::{Origin, Side};

/// Asks TLS; every fact is absent without it.
fn of_tls(view: &View<'_>, ask: impl FnOnce(&TlsFacts) -> Result<Answer, WhyUnknown>) -> Answer {
    view.connection.tls.as_deref().map_or_else(absent, |tls| or_unknown(ask(tls)))
}

/// Whether every alert of a side would have been seen.
fn alerts_seen(view: &View<'_>, tls: &TlsFacts, by: Side) -> Result<(), WhyUnknown> {
    match tls.decryption.sides[by] {
        Readable::All => view.bytes_of(by)?,
        Readable::Nothing | Readable::None(_) => return Err(WhyUnknown::Encrypted),
        Readable::Part(_) => {
            view.bytes_of(by)?;
            return Err(WhyUnknown::Encrypted);
        }
    }
    if tls.may_lack_alerts() { Err(WhyUnknown::Limit) } else { Ok(()) }
}

/// The alert that ended the stream of a side; `None` when there was none.
fn last_alert<'a>(view: &View<'_>, tls: &'a TlsFacts, by: Side) -> Result<Option<&'a Alert>, WhyUnknown> {
    match tls.last_alert(by) {
        Some(alert) => Ok(Some(alert)),
        None => alerts_seen(view, tls, by).map(|()| None),
    }
}

/// The first FIN or RST of a side.
fn tcp_end_of(view: &View<'_>, by: Side) -> Option<Origin> {
    let is_end = |kind| matches!(kind, EndSignalKind::Fin | EndSignalKind::Rst);
    view.connection.ending.iter().find(|signal| signal.by == by && is_end(signal.kind)).map(|signal| signal.at)
}

fn end_of(view: &View<'_>, by: Side) -> Answer {
    of_tls(view, |tls| {
        Ok(match (last_alert(view, tls, by)?, tcp_end_of(view, by)) {
            (Some(alert), end) => {
                word(if alert.is_close_notify() { "close_notify" } else { "alert" })
                    .at([alert.origin].into_iter().chain(end))
            }
            (None, Some(end)) => word("cut_off").at([end]),
            (None, None) if view.tail_lost(by).is_some() => return Err(WhyUnknown::Gap),
            (None, None) => view.not_watched_to_the_end().map_or(Ok(absent()), Err)?,
        })
    })
}

pub(in crate::evidence) fn client_end(view: &View<'_>) -> Answer {
    end_of(view, Side::Client)
}

pub(in crate::evidence) fn server_end(view: &View<'_>) -> Answer {
    end_of(view, Side::Server)
}

/// The `close_notify` of a side.
fn notify<'a>(view: &View<'_>, tls: &'a TlsFacts, by: Side) -> Result<Option<&'a Alert>, WhyUnknown> {
    Ok(last_alert(view, tls, by)?.filter(|alert| alert.is_close_notify()))
}

/// Asks the first `close_notify` of either side.
fn of_first(view: &View<'_>, ask: impl FnOnce(&TlsFacts, &Alert) -> Result<Answer, WhyUnknown>) -> Answer {
    of_tls(view, |tls| {
        let both = [notify(view, tls, Side::Client)?, notify(view, tls, Side::Server)?];
        match both.into_iter().flatten().min_by_key(|alert| alert.origin.packet) {
            Some(first) => ask(tls, first),
            None => Ok(absent()),
        }
    })
}

pub(in crate::evidence) fn notified_first(view: &View<'_>) -> Answer {
    of_first(view, |_, first| Ok(side(first.side).at([first.origin])))
}

pub(in crate::evidence) fn notify_after_close_s(view: &View<'_>) -> Answer {
    of_first(view, |_, first| match &view.connection.traffic[first.side].close {
        Some(close) => Ok(seconds(first.origin.seconds_since(&close.last)).at([close.last, first.origin])),
        None => view.no_close_of(first.side).map(|()| absent()),
    })
}

pub(in crate::evidence) fn notify_before_end_s(view: &View<'_>) -> Answer {
    of_first(view, |_, first| {
        Ok(match view.tcp_end()? {
            Some(end) => seconds(end.at.seconds_since(&first.origin)).at([first.origin, end.at]),
            None => absent(),
        })
    })
}

pub(in crate::evidence) fn notify_answered_s(view: &View<'_>) -> Answer {
    of_first(view, |tls, first| {
        Ok(match notify(view, tls, first.side.other())? {
            Some(answer) => seconds(answer.origin.seconds_since(&first.origin)).at([first.origin, answer.origin]),
            None => absent(),
        })
    })
}

/// Asks the first fatal alert behind the handshake.
fn of_data_alert(view: &View<'_>, ask: impl FnOnce(&Alert) -> Answer) -> Answer {
    of_tls(view, |tls| match tls.data_alert() {
        Some(alert) => Ok(ask(alert).at([alert.origin])),
        None => {
            alerts_seen(view, tls, Side::Client)?;
            alerts_seen(view, tls, Side::Server)?;
            Ok(absent())
        }
    })
}

pub(in crate::evidence) fn data_alert(view: &View<'_>) -> Answer {
    of_data_alert(view, |alert| int(alert.description.into()))
}

pub(in crate::evidence) fn data_alert_name(view: &View<'_>) -> Answer {
    of_data_alert(view, |alert| text(alert.name()))
}

pub(in crate::evidence) fn data_alert_side(view: &View<'_>) -> Answer {
    of_data_alert(view, |alert| side(alert.side))
}
