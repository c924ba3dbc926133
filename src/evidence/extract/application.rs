//! Facts about what travels inside the messages: the application protocol, and its own word for the end.

use super::{Answer, View, absent, or_unknown, seconds, side, text, unknown, word};
use crate::connection::{Application, ClosePayload, Group, KnownBy, Label, LabelClass, LastMessage, Meaning, Reading};
use crate::evidence::{Known, Value, WhyUnknown};
use crate::units::{Origin, Side};

/// Asks the application protocol; without one the answer is whether there can be one that was not seen.
fn of_application(view: &View<'_>, ask: impl FnOnce(&Application) -> Answer) -> Answer {
    match view.connection.application.as_deref() {
        Some(application) => or_unknown(dialect_known(view, application).map(|()| ask(application))),
        None => none(view),
    }
}

/// Whether nothing that the capture lacks may name a dialect of the protocol: the handshake may tell it.
fn dialect_known(view: &View<'_>, application: &Application) -> Result<(), WhyUnknown> {
    let is_family = application.protocol.has_dialects && application.known_by != KnownBy::Subprotocol;
    match handshake_seen(view) {
        Err(why) if is_family => Err(why),
        Ok(()) if is_family && view.connection.handshake.request.is_none() => Err(WhyUnknown::NotCaptured),
        _ => Ok(()),
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
            KnownBy::Path | KnownBy::Host => handshake_seen(view).and_then(|()| view.all_frames()),
        };
        or_unknown(is_best.map(|()| word(application.known_by.name()).at(application.at)))
    })
}

pub(in crate::evidence) fn close_meaning(view: &View<'_>) -> Answer {
    or_unknown(of_close(view).map(|said| said.map_or_else(absent, |said| text(&said.means.key).at([said.at]))))
}

/// What an application said of the end: by a code of its own, or by a message.
struct Said<'a> {
    means: &'a Meaning,
    by: Side,
    at: Origin,
}

/// What the first Close frame means to the user or in its application; `None` when nobody gives it a meaning.
fn of_close<'a>(view: &View<'a>) -> Result<Option<Said<'a>>, WhyUnknown> {
    let Some(end) = view.connection.first_close() else {
        return view.no_close().map(|()| None);
    };
    let (code, reason) = match view.connection.traffic[end.by].close.as_ref().map(|close| &close.payload) {
        Some(ClosePayload::Status { code, reason }) => (Some(code.0), reason.text().into_owned()),
        _ => (None, String::new()),
    };
    let said = |means: &'a Meaning| Some(Said { means, by: end.by, at: end.at });
    let application = view.connection.application.as_deref();
    let name = application.map(|application| &*application.protocol.name);
    if let Some(means) = view.subject.tables.applications.own_meaning(name, code, &reason) {
        return Ok(said(means));
    }
    // Other codes have one meaning for all (RFC 6455 §7.4.2).
    let Some(code) = code.filter(|code| (3000..=4999).contains(code)) else {
        return Ok(None);
    };
    match application {
        Some(application) => {
            dialect_known(view, application)?;
            match application.protocol.close_meaning(code) {
                Some(means) => Ok(said(means)),
                None => handshake_seen(view).map(|()| None),
            }
        }
        None if view.is_open() => view.all_frames().map(|()| None),
        None => Ok(None),
    }
}

/// What the last complete message of a side says of the end; `None` when it is an everyday one.
fn of_message<'a>(view: &View<'a>, side: Side) -> Result<Option<Said<'a>>, WhyUnknown> {
    let Some(application) = view.connection.application.as_deref() else {
        return if view.is_open() { view.all_frames().map(|()| None) } else { Ok(None) };
    };
    dialect_known(view, application)?;
    let since = view.connection.traffic[side].last_message.and_then(|message| message.last);
    let reading = match (&application.last[side], since) {
        (LastMessage::None, _) | (_, None) => handshake_seen(view).and_then(|()| view.frames_of(side)).map(|()| None),
        (LastMessage::Unread, _) => view.bytes_of(side).and(Err(WhyUnknown::NotCaptured)),
        (LastMessage::Other, Some(since)) => {
            handshake_seen(view).and_then(|()| view.frames_since(side, since)).map(|()| None)
        }
        (LastMessage::Read { reading, at }, Some(since)) => {
            view.frames_since(side, since).map(|()| Some((reading, *at)))
        }
    }?;
    let means = reading.and_then(|(reading, at)| Some((reading.means.as_deref()?, at)));
    Ok(means.filter(|(means, _)| means.group != Group::GoesOn).map(|(means, at)| Said { means, by: side, at }))
}

/// What the application said of the end: the Close frame first, then the last message of the side that ended the connection,
/// then that of its peer.
fn of_end<'a>(view: &View<'a>) -> Result<Option<Said<'a>>, WhyUnknown> {
    if let Some(said) = of_close(view)? {
        return Ok(Some(said));
    }
    if view.connection.application.is_none() {
        return Ok(None);
    }
    let (_, ender) = view.end_by()?;
    match of_message(view, ender)? {
        Some(said) => Ok(Some(said)),
        None => of_message(view, ender.other()),
    }
}

fn about_end(view: &View<'_>, ask: impl FnOnce(&Said<'_>) -> Answer) -> Answer {
    if view.end.is_none() {
        return view.no_end();
    }
    // A hole may hide a later word, or the one that told the protocol.
    let said = view.all_frames().and_then(|()| of_end(view));
    or_unknown(said.map(|said| said.map_or_else(absent, |said| ask(&said).at([said.at]))))
}

pub(in crate::evidence) fn end_meaning(view: &View<'_>) -> Answer {
    about_end(view, |said| text(&said.means.key))
}

pub(in crate::evidence) fn end_side(view: &View<'_>) -> Answer {
    about_end(view, |said| side(said.by))
}

pub(in crate::evidence) fn end_s(view: &View<'_>) -> Answer {
    let end = view.end;
    about_end(view, |said| match end {
        Some(end) => seconds(end.at.seconds_since(&said.at)).at([end.at]),
        None => absent(),
    })
}

pub(in crate::evidence) fn end_group(view: &View<'_>) -> Answer {
    about_end(view, |said| text(said.means.group.name()))
}

pub(in crate::evidence) fn fault(view: &View<'_>) -> Answer {
    about_end(view, |said| said.means.fault.map_or_else(absent, |fault| text(fault.party(said.by))))
}

pub(in crate::evidence) fn fault_side(view: &View<'_>) -> Answer {
    about_end(view, |said| said.means.fault.and_then(|fault| fault.side(said.by)).map_or_else(absent, side))
}

pub(in crate::evidence) fn retry(view: &View<'_>) -> Answer {
    about_end(view, |said| said.means.retry.map_or_else(absent, |retry| word(retry.name())))
}

pub(in crate::evidence) fn advice(view: &View<'_>) -> Answer {
    about_end(view, |said| said.means.advice.as_deref().map_or_else(absent, text))
}

/// Seconds before the end in which a last message counts as its announcement.
const LAST_WORD_S: f64 = 1.0;

/// What the last message before the end calls itself: that of the ender, or that of its peer if only that is no everyday one.
fn last_label<'a>(view: &View<'a>) -> Result<Option<(Side, &'a Label, Origin)>, WhyUnknown> {
    let (end, ender) = view.end_by()?;
    let of_side = |side: Side| {
        let traffic = &view.connection.traffic[side];
        let Some((label, at)) = traffic.label.as_deref() else {
            return match traffic.last_message.and_then(|message| message.last) {
                Some(since) => view.frames_since(side, since).map(|()| None),
                None => view.frames_of(side).map(|()| None),
            };
        };
        view.frames_since(side, *at)?;
        let age = end.at.seconds_since(at).ok_or(WhyUnknown::NoTime)?;
        Ok((0.0..=LAST_WORD_S).contains(&age).then_some((side, label, *at)))
    };
    let own = of_side(ender)?;
    if own.is_some_and(|(_, label, _)| label.class != LabelClass::Plain) {
        return Ok(own);
    }
    let peer = of_side(ender.other())?;
    Ok(peer.filter(|(_, label, _)| own.is_none() || label.class != LabelClass::Plain).or(own))
}

fn about_label(view: &View<'_>, ask: impl FnOnce(Side, &Label) -> Answer) -> Answer {
    if view.end.is_none() {
        return view.no_end();
    }
    let answer = |(side, label, at): (Side, &Label, Origin)| ask(side, label).at([at]);
    or_unknown(last_label(view).map(|found| found.map_or_else(absent, answer)))
}

pub(in crate::evidence) fn last_word(view: &View<'_>) -> Answer {
    about_label(view, |_, label| text(&label.token))
}

pub(in crate::evidence) fn last_word_class(view: &View<'_>) -> Answer {
    about_label(view, |_, label| text(label.class.name()))
}

pub(in crate::evidence) fn last_word_side(view: &View<'_>) -> Answer {
    about_label(view, |by, _| side(by))
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
    reading.means.as_deref().map_or_else(absent, |means| text(&means.key))
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
