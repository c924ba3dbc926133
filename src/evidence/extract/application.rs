//! Facts about what travels inside the messages: the application protocol, and its own word for the end.

use super::{Answer, View, absent, or_unknown, text, unknown, word};
use crate::connection::{Application, ClosePayload, KnownBy, LastMessage, Reading};
use crate::evidence::{Known, Value, WhyUnknown};
use crate::units::Side;

/// Asks the application protocol; without one the answer is whether there can be one that was not seen.
fn of_application(view: &View<'_>, ask: impl FnOnce(&Application) -> Answer) -> Answer {
    match view.connection.application.as_deref() {
        Some(application) => {
            // Which dialect it is, the handshake may tell.
            let is_family = application.protocol.has_dialects && application.known_by != KnownBy::Subprotocol;
            match handshake_seen(view) {
                Err(why) if is_family => unknown(why),
                Ok(()) if is_family && view.connection.handshake.request.is_none() => unknown(WhyUnknown::NotCaptured),
                _ => ask(application),
            }
        }
        None => none(view),
    }
}

/// Whether the server's answer was seen, in which a subprotocol may name the protocol, or a dialect, better than messages do.
fn handshake_seen(view: &View<'_>) -> Result<(), WhyUnknown> {
    if view.connection.handshake.response.is_some() {
        Ok(())
    } else if view.began_before_capture(Side::Server) {
        Err(WhyUnknown::JoinedLate)
    } else {
        Err(view.why_missing(Side::Server))
    }
}

/// No protocol was recognised.
fn none(view: &View<'_>) -> Answer {
    if view.is_open() { or_unknown(view.all_frames().map(|()| absent())) } else { absent() }
}

pub(in crate::evidence) fn protocol(view: &View<'_>) -> Answer {
    of_application(view, |application| text(&application.protocol.name).at(application.at))
}

pub(in crate::evidence) fn known_by(view: &View<'_>) -> Answer {
    of_application(view, |application| {
        // What would have told it better must not be in a hole.
        let is_best = match application.known_by {
            KnownBy::Subprotocol => Ok(()),
            KnownBy::Messages => handshake_seen(view),
            KnownBy::Path => handshake_seen(view).and_then(|()| view.all_frames()),
        };
        or_unknown(is_best.map(|()| word(application.known_by.name()).at(application.at)))
    })
}

pub(in crate::evidence) fn close_meaning(view: &View<'_>) -> Answer {
    let Some(end) = view.connection.first_close() else {
        return or_unknown(view.no_close().map(|()| absent()));
    };
    let close = view.connection.traffic[end.by].close.as_ref();
    let Some(ClosePayload::Status { code, .. }) = close.map(|close| &close.payload) else {
        return absent();
    };
    // Other codes have one meaning for all (RFC 6455 §7.4.2).
    if !(3000..=4999).contains(&code.0) {
        return absent();
    }
    of_application(view, |application| match application.protocol.close_meaning(code.0) {
        Some(means) => text(means).at([end.at]),
        None => or_unknown(handshake_seen(view).map(|()| absent())),
    })
}

/// Asks the last complete message of a side, in words of its protocol.
fn of_last(view: &View<'_>, side: Side, ask: impl FnOnce(&Reading) -> Answer) -> Answer {
    of_application(view, |application| {
        let since = view.connection.traffic[side].last_message.and_then(|message| message.last);
        or_unknown(match (&application.last[side], since) {
            (LastMessage::None, _) | (_, None) => {
                handshake_seen(view).and_then(|()| view.frames_of(side)).map(|()| absent())
            }
            (LastMessage::Unread, _) => view.bytes_of(side).and(Err(WhyUnknown::NotCaptured)),
            (LastMessage::Other, Some(since)) => {
                handshake_seen(view).and_then(|()| view.frames_since(side, since)).map(|()| absent())
            }
            (LastMessage::Read { reading, at }, Some(since)) => {
                view.frames_since(side, since).map(|()| ask(reading).at([*at]))
            }
        })
    })
}

fn of_side(view: &View<'_>, choose: impl FnOnce(Side) -> Side, ask: impl FnOnce(&Reading) -> Answer) -> Answer {
    match view.end {
        None => view.no_end(),
        Some(_) if view.connection.application.is_none() => none(view),
        Some(_) => match view.end_by() {
            Ok((_, ender)) => of_last(view, choose(ender), ask),
            Err(why) => unknown(why),
        },
    }
}

fn kind(reading: &Reading) -> Answer {
    text(&reading.kind)
}

fn code(reading: &Reading) -> Answer {
    reading.code.map_or_else(absent, |code| Answer::new(Known::Seen(Value::Int(code))))
}

fn meaning(reading: &Reading) -> Answer {
    reading.means.as_deref().map_or_else(absent, text)
}

pub(in crate::evidence) fn own_kind(view: &View<'_>) -> Answer {
    of_side(view, |ender| ender, kind)
}

pub(in crate::evidence) fn own_code(view: &View<'_>) -> Answer {
    of_side(view, |ender| ender, code)
}

pub(in crate::evidence) fn own_meaning(view: &View<'_>) -> Answer {
    of_side(view, |ender| ender, meaning)
}

pub(in crate::evidence) fn peer_kind(view: &View<'_>) -> Answer {
    of_side(view, Side::other, kind)
}

pub(in crate::evidence) fn peer_code(view: &View<'_>) -> Answer {
    of_side(view, Side::other, code)
}

pub(in crate::evidence) fn peer_meaning(view: &View<'_>) -> Answer {
    of_side(view, Side::other, meaning)
}
