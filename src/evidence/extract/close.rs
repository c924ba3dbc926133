//! Facts about the closing handshake.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, side, text, unknown, word};
use crate::connection::EndSignal;
use crate::connection::{CloseFrame, ClosePayload};
use crate::evidence::WhyUnknown;

/// The first Close frame seen and its signal.
fn first<'a>(view: &View<'a>) -> Option<(&'a EndSignal, &'a CloseFrame)> {
    let signal = view.connection.first_close()?;
    Some((signal, view.connection.traffic[signal.by].close.as_ref()?))
}

/// Asks the first Close frame. That there is none may be said only when all frames were seen.
fn of_first(view: &View<'_>, ask: impl FnOnce(&EndSignal, &CloseFrame) -> Answer) -> Answer {
    match first(view) {
        Some((signal, close)) => ask(signal, close).at([signal.at]),
        None if !view.is_open() => or_unknown(view.response_watched().map(|()| absent())),
        None => or_unknown(view.no_close().map(|()| absent())),
    }
}

pub(in crate::evidence) fn initiator(view: &View<'_>) -> Answer {
    of_first(view, |signal, _| match view.no_close_before(signal.by.other(), signal) {
        Ok(()) => or_unknown(view.in_order(signal).map(|()| side(signal.by))),
        // The other side's Close frame may be in the hole, before this one.
        Err(why) => unknown(why),
    })
}

pub(in crate::evidence) fn payload(view: &View<'_>) -> Answer {
    of_first(view, |_, close| {
        word(match &close.payload {
            ClosePayload::Empty => "empty",
            ClosePayload::OneByte(_) => "one_byte",
            ClosePayload::Status { .. } => "status",
        })
    })
}

pub(in crate::evidence) fn code(view: &View<'_>) -> Answer {
    of_first(view, |_, close| code_of(close).map_or_else(absent, int))
}

fn code_of(close: &CloseFrame) -> Option<u64> {
    match &close.payload {
        ClosePayload::Status { code, .. } => Some(code.0.into()),
        ClosePayload::Empty | ClosePayload::OneByte(_) => None,
    }
}

pub(in crate::evidence) fn reason(view: &View<'_>) -> Answer {
    of_first(view, |_, close| match &close.payload {
        ClosePayload::Status { reason, .. } if !reason.is_empty() => text(&reason.text()),
        _ => absent(),
    })
}

pub(in crate::evidence) fn code_allowed(view: &View<'_>) -> Answer {
    of_first(view, |_, close| match &close.payload {
        ClosePayload::Status { code, .. } => boolean(code.allowed_on_wire()),
        _ => absent(),
    })
}

/// The Close frame that answered the first one.
fn echo<'a>(view: &View<'a>) -> Option<&'a CloseFrame> {
    let (signal, _) = first(view)?;
    view.connection.traffic[signal.by.other()].close.as_deref()
}

pub(in crate::evidence) fn echoed(view: &View<'_>) -> Answer {
    of_first(view, |signal, _| match echo(view) {
        Some(echo) => boolean(true).at([echo.last]),
        None if view.connection.tcp_end().is_none() => unknown(view.why_no_end()),
        None => or_unknown(view.no_close_of(signal.by.other()).map(|()| boolean(false))),
    })
}

pub(in crate::evidence) fn echo_code(view: &View<'_>) -> Answer {
    of_first(view, |signal, _| match echo(view) {
        Some(echo) => code_of(echo).map_or_else(absent, int).at([echo.last]),
        None if view.connection.tcp_end().is_none() => unknown(view.why_no_end()),
        None => or_unknown(view.no_close_of(signal.by.other()).map(|()| absent())),
    })
}

/// Seconds from the first Close frame to the end of TCP, when no Close frame came back.
pub(in crate::evidence) fn wait_s(view: &View<'_>) -> Answer {
    of_first(view, |signal, _| {
        if echo(view).is_some() {
            return absent();
        }
        or_unknown(view.no_close_of(signal.by.other()).and_then(|()| {
            Ok(match view.tcp_end()? {
                Some(end) => seconds(end.at.seconds_since(&signal.at)).at([end.at]),
                None => unknown(view.why_no_end()),
            })
        }))
    })
}

pub(in crate::evidence) fn after_handshake_s(view: &View<'_>) -> Answer {
    of_first(view, |signal, _| match &view.connection.handshake.response {
        Some(response) => seconds(signal.at.seconds_since(&response.last)).at([response.last]),
        None => unknown(WhyUnknown::NotCaptured),
    })
}

pub(in crate::evidence) fn violation(view: &View<'_>) -> Answer {
    of_first(view, |signal, _| match view.connection.close_fault(signal.by) {
        Some(fault) => text(fault.rule.name()).at([fault.at]),
        None if view.connection.violations_dropped > 0 => unknown(WhyUnknown::Limit),
        None => absent(),
    })
}

pub(in crate::evidence) fn refused(view: &View<'_>) -> Answer {
    of_first(view, |signal, _| {
        let connection = view.connection;
        if connection.close_fault(signal.by).is_none() {
            return if connection.violations_dropped > 0 { unknown(WhyUnknown::Limit) } else { absent() };
        }
        match connection.close_refused(signal.by) {
            Some(refused) => boolean(refused),
            None if connection.tcp_end().is_none() => unknown(view.why_no_end()),
            None => or_unknown(view.no_close_of(signal.by.other()).map(|()| boolean(false))),
        }
    })
}
