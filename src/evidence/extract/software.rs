//! Facts about the WebSocket library on each side, and what its defaults say about the end.

use super::{Answer, View, absent, boolean, int, or_unknown, peer, seconds, text, unknown, word};
use crate::connection::{ClosePayload, EndSignal};
use crate::evidence::{Known, Value, WhyUnknown};
use crate::software::{EndStyle, Habits, IdleHabit, Recognition, Snippet, Stack, is_timer};
use crate::units::Side;

/// Libraries named at most where several fit.
const MOST_NAMES: usize = 4;

/// A setting is raised to no less than this many seconds.
const LEAST_TIMEOUT_S: u64 = 60;

/// Pings this often keep a connection alive behind anything that is known.
const PING_S: u64 = 20;

fn of_side(view: &View<'_>, side: Side, ask: impl FnOnce(&Recognition) -> Option<Answer>) -> Answer {
    let recognition = &view.subject.software()[side];
    match ask(recognition) {
        Some(answer) => answer.at(recognition.packets().iter().copied()),
        None => or_unknown(watched(view, side).map(|()| absent())),
    }
}

/// Whether everything was seen by which a library shows itself.
fn watched(view: &View<'_>, side: Side) -> Result<(), WhyUnknown> {
    let handshake = &view.connection.handshake;
    let has_head = match side {
        Side::Client => handshake.request.is_some(),
        Side::Server => handshake.response.is_some(),
    };
    if !has_head {
        view.bytes_of(side)?;
        view.frames_watched(side)?;
        return if view.connection.visibility[side].joined_late { Err(WhyUnknown::JoinedLate) } else { Ok(()) };
    }
    if view.is_open() { view.frames_of(side) } else { Ok(()) }
}

macro_rules! of_sides {
    ($($name:ident = $ask:expr, $client:ident, $server:ident;)+) => {
        $(
            pub(in crate::evidence) fn $client(view: &View<'_>) -> Answer {
                of_side(view, Side::Client, |recognition| $ask(view, Side::Client, recognition))
            }

            pub(in crate::evidence) fn $server(view: &View<'_>) -> Answer {
                of_side(view, Side::Server, |recognition| $ask(view, Side::Server, recognition))
            }
        )+
    };
}

of_sides! {
    stack = |_: &View<'_>, _, found: &Recognition| Some(text(&found.stack()?.title)), client_stack, server_stack;
    confidence = |_: &View<'_>, _, found: &Recognition| Some(word(found.sureness()?.name())),
        client_stack_confidence, server_stack_confidence;
    known_by = |_: &View<'_>, _, found: &Recognition| Some(word(found.known_by().first()?.name())),
        client_stack_known_by, server_stack_known_by;
    keepalive = keepalive_setting, client_keepalive_setting, server_keepalive_setting;
}

/// How to make a side send Pings well before the silence that ended the connection.
fn keepalive_setting(view: &View<'_>, side: Side, found: &Recognition) -> Option<Answer> {
    let (_, habits) = found.habits(side)?;
    let silence = view.end.and_then(|end| end.at.seconds_since(&end.quiet_since?)).filter(|silence| *silence >= 2.0);
    let seconds = silence.map_or(PING_S, |silence| PING_S.min((silence / 2.0) as u64));
    Some(text(&habits.keepalive.as_ref()?.with_seconds(seconds)))
}

/// Asks the first sign of the end and who gave it.
fn of_end(view: &View<'_>, ask: impl FnOnce(&EndSignal, Side) -> Result<Answer, WhyUnknown>) -> Answer {
    match view.end {
        None => view.no_end(),
        Some(_) => or_unknown(view.end_by().and_then(|(end, ender)| ask(end, ender))),
    }
}

/// The ender's library and its habits, when it is at least likely.
fn named<'a>(view: &View<'a>, side: Side) -> Result<Option<(&'a Stack, &'a Habits)>, WhyUnknown> {
    let recognition = &view.subject.software()[side];
    if recognition.stack().is_none() {
        watched(view, side)?;
    }
    Ok(recognition.habits(side))
}

pub(in crate::evidence) fn own_stack(view: &View<'_>) -> Answer {
    of_end(view, |_, ender| Ok(likely_stack(view, ender)))
}

pub(in crate::evidence) fn peer_stack(view: &View<'_>) -> Answer {
    of_end(view, |_, ender| Ok(likely_stack(view, ender.other())))
}

fn likely_stack(view: &View<'_>, side: Side) -> Answer {
    of_side(view, side, |found| Some(text(&found.habits(side)?.0.title)))
}

/// What the ender's library would do, as an answer.
fn of_habits(view: &View<'_>, ask: impl FnOnce(&Habits) -> Option<Answer>) -> Answer {
    of_end(view, |_, ender| Ok(named(view, ender)?.and_then(|(_, habits)| ask(habits)).unwrap_or_else(absent)))
}

pub(in crate::evidence) fn handler_error(view: &View<'_>) -> Answer {
    of_habits(view, |habits| Some(word(habits.exception?.name())))
}

pub(in crate::evidence) fn shutdown_code(view: &View<'_>) -> Answer {
    of_habits(view, |habits| Some(int(habits.shutdown_code?.into())))
}

// The limit of a message's size.

/// The reason of the Close frame that ended the connection.
fn reason(view: &View<'_>, end: &EndSignal) -> Option<String> {
    match &view.connection.traffic[end.by].close.as_ref()?.payload {
        ClosePayload::Status { reason, .. } if !reason.is_empty() => Some(reason.text().into_owned()),
        _ => None,
    }
}

pub(in crate::evidence) fn stated_limit_bytes(view: &View<'_>) -> Answer {
    of_end(view, |end, _| {
        let stated = reason(view, end).and_then(|reason| view.subject.tables.stacks.stated_limit(&reason));
        Ok(stated.map_or_else(absent, |bytes| int(bytes).at([end.at])))
    })
}

/// A number of bytes that another fact answers with.
fn bytes(answer: &Answer) -> Result<Option<u64>, WhyUnknown> {
    match answer.value {
        Known::Seen(Value::Int(bytes)) => Ok(u64::try_from(bytes).ok()),
        Known::Unknown(why) => Err(why),
        Known::Seen(_) | Known::Absent => Ok(None),
    }
}

/// The ender's limit: the one that it states, else its library's default where the peer's last message is the first above
/// it, and the connection ended as it does at its limit.
fn limit(view: &View<'_>, end: &EndSignal, ender: Side) -> Result<Option<u64>, WhyUnknown> {
    if let Some(stated) = bytes(&stated_limit_bytes(view))? {
        return Ok(Some(stated));
    }
    let Some(limit) = named(view, ender)?.and_then(|(_, habits)| habits.limit.as_ref()) else { return Ok(None) };
    let fits = EndStyle::of(view.connection, end).is_some_and(|style| limit.ends.contains(&style));
    let Some(default) = limit.bytes.filter(|_| fits) else { return Ok(None) };
    let last = bytes(&peer::last_size(view))?;
    let before = bytes(&peer::largest_before(view))?;
    let is_first = last.is_some_and(|last| last > default) && before.is_none_or(|before| before <= default);
    Ok(is_first.then_some(default))
}

pub(in crate::evidence) fn limit_bytes(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| {
        let packets = view.subject.software()[ender].packets().iter().copied();
        Ok(limit(view, end, ender)?.map_or_else(absent, |bytes| int(bytes).at(packets)))
    })
}

pub(in crate::evidence) fn limit_exceeded(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| {
        let Some(limit) = limit(view, end, ender)? else { return Ok(absent()) };
        let last = peer::last_size(view);
        let Some(size) = bytes(&last)? else { return Ok(absent()) };
        Ok(Answer { packets: last.packets, ..boolean(size > limit) })
    })
}

pub(in crate::evidence) fn limit_setting(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| {
        let write = named(view, ender)?.and_then(|(_, habits)| habits.limit.as_ref()?.write.as_ref());
        let Some(write) = write else { return Ok(absent()) };
        let is_meant = EndStyle::of(view.connection, end) == Some(EndStyle::Code(1009));
        if !is_meant && limit(view, end, ender)?.is_none() {
            return Ok(absent());
        }
        let size = bytes(&peer::last_size(view))?;
        let room = size.and_then(|size| size.saturating_add(1).checked_next_power_of_two());
        Ok(room.map_or_else(absent, |room| text(&write.with_bytes(room))))
    })
}

pub(in crate::evidence) fn last_wire_size(view: &View<'_>) -> Answer {
    of_end(view, |_, ender| {
        view.frames_of(ender.other())?;
        // Without the 101 nobody knows what a compressed message looks like.
        view.connection.handshake.response.as_ref().ok_or(WhyUnknown::NotCaptured)?;
        let end = view.last_word()?;
        let message = end.peer.message.filter(|message| message.compressed);
        Ok(message.map_or_else(absent, |message| int(message.wire_len).at([message.last.unwrap_or(message.first)])))
    })
}

// Timers.

/// The libraries whose idle timer fits the end, with what they have to say about it.
///
/// A library that was named is asked alone. Where none was, a Close frame must fit: FIN after a round time may be
/// anybody's.
fn idle_timers<'a>(
    view: &View<'a>,
    end: &EndSignal,
    ender: Side,
) -> Result<Vec<(&'a Stack, &'a IdleHabit)>, WhyUnknown> {
    let stacks = &view.subject.tables.stacks;
    let style = EndStyle::of(view.connection, end);
    let silence = duration(&super::end::silence_s(view));
    // Where it is nobody's timer, whoever it is, they need not be recognised.
    if let (Some(style), Ok(silence), Ok(())) = (style, silence, watched(view, ender))
        && let Ok(unheard) = duration(&super::end::since_peer_data_s(view))
        && !silence.into_iter().chain(unheard).any(|seconds| stacks.has_idle_timer(ender, style, seconds))
    {
        return Ok(Vec::new());
    }
    let software = view.subject.software();
    let named = named(view, ender)?;
    let Some(style) = style else { return Ok(Vec::new()) };
    let reason = reason(view, end);
    let silence = silence?;
    // Some count only what arrives.
    let unheard = if named.is_some() { duration(&super::end::since_peer_data_s(view))? } else { None };
    let fits = |habits: &'a Habits| {
        let idle = habits.idle.as_ref().filter(|idle| idle.ends == style)?;
        let is_said = |reason: &String| habits.reasons.iter().any(|said| said.like.matches(reason).is_some());
        let is_timed = [silence, unheard].into_iter().flatten().any(|seconds| is_timer(seconds, idle.after_s));
        (is_timed && reason.as_ref().is_none_or(is_said) && (named.is_some() || !style.is_silent())).then_some(idle)
    };
    Ok(stacks.that_would(ender, &software[ender], fits))
}

/// Seconds that another fact answers with.
fn duration(answer: &Answer) -> Result<Option<f64>, WhyUnknown> {
    match answer.value {
        Known::Seen(Value::Float(seconds)) => Ok(Some(seconds)),
        Known::Unknown(why) => Err(why),
        Known::Seen(_) | Known::Absent => Ok(None),
    }
}

/// The names of several libraries.
fn names<'a>(stacks: impl Iterator<Item = &'a Stack>) -> Answer {
    let titles: Vec<&str> = stacks.map(|stack| &*stack.title).take(MOST_NAMES).collect();
    if titles.is_empty() { absent() } else { text(&titles.join(", ")) }
}

pub(in crate::evidence) fn idle_timer_s(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| {
        let timers = idle_timers(view, end, ender)?;
        Ok(timers.first().map_or_else(absent, |(_, idle)| seconds(Some(idle.after_s)).at(end.quiet_since).at([end.at])))
    })
}

pub(in crate::evidence) fn idle_timer_of(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| Ok(names(idle_timers(view, end, ender)?.into_iter().map(|(stack, _)| stack))))
}

pub(in crate::evidence) fn idle_setting(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| {
        let timers = idle_timers(view, end, ender)?;
        let setting = |idle: &IdleHabit| Some(text(&idle.write.as_ref()?.with_seconds(raised(idle.after_s))));
        let only = if let [(_, idle)] = timers[..] { setting(idle) } else { None };
        Ok(only.unwrap_or_else(absent))
    })
}

/// A timeout at least twice as long.
fn raised(seconds: f64) -> u64 {
    (seconds.max(0.0).ceil() as u64).saturating_mul(2).max(LEAST_TIMEOUT_S)
}

pub(in crate::evidence) fn ping_timer_of(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| {
        let Some(age) = duration(&super::whole::ping_unanswered_s(view))? else { return Ok(absent()) };
        named(view, ender)?;
        let style = EndStyle::of(view.connection, end);
        let sent = view.connection.traffic[ender].pings.payload_bytes;
        let fits = |habits: &Habits| {
            let ping = habits.ping.as_ref()?;
            let is_like = ping.bytes.is_none_or(|bytes| sent == Some((bytes, bytes)));
            let ends_so = style.is_some_and(|style| ping.ends.contains(&style));
            (is_like && ends_so && is_timer(age, ping.timeout_s?)).then_some(())
        };
        let fitting = view.subject.tables.stacks.that_would(ender, &view.subject.software()[ender], fits);
        Ok(names(fitting.into_iter().map(|(stack, ())| stack)))
    })
}

pub(in crate::evidence) fn ping_setting(view: &View<'_>) -> Answer {
    let wait = |view: &View<'_>| {
        let waited = [super::whole::ping_unanswered_s(view), super::whole::heartbeat_unanswered_s(view)];
        waited.iter().find_map(|answer| duration(answer).ok().flatten())
    };
    of_habits(view, |habits| {
        let write: &Snippet = habits.ping.as_ref()?.write.as_ref()?;
        Some(text(&write.with_seconds(raised(wait(view).unwrap_or_default()))))
    })
}

pub(in crate::evidence) fn close_timer_of(view: &View<'_>) -> Answer {
    of_end(view, |_, ender| {
        let Some(waited) = duration(&super::close::wait_s(view))? else { return Ok(absent()) };
        named(view, ender)?;
        if view.tcp_end()?.is_none_or(|end| end.by != ender) {
            return Ok(absent());
        }
        let fits = |habits: &Habits| habits.close_wait_s.filter(|timer| is_timer(waited, *timer));
        let fitting = view.subject.tables.stacks.that_would(ender, &view.subject.software()[ender], fits);
        Ok(names(fitting.into_iter().map(|(stack, _)| stack)))
    })
}

// What set off the end.

/// A message may set off the end within so many seconds.
const SET_OFF_SECONDS: f64 = 1.0;

/// Of more messages than this, the last must be much closer to the end than they were to each other.
const FEW_MESSAGES: u64 = 3;

pub(in crate::evidence) fn set_off_by_message(view: &View<'_>) -> Answer {
    of_end(view, |_, ender| {
        let end = view.last_word()?;
        view.frames_of(ender)?;
        let Some(last) = end.peer.message.and_then(|message| message.last) else { return Ok(boolean(false)) };
        let Some(after) = end.at.seconds_since(&last) else { return Err(WhyUnknown::NoTime) };
        // Whoever has answered has survived the message.
        let answer = view.connection.traffic[ender].last_message.and_then(|answer| answer.last);
        let is_answered = answer.is_some_and(|answer| answer.packet > last.packet && answer.packet <= end.at.packet);
        let opened = view.connection.handshake.response.as_ref().map(|response| response.last);
        let pace = opened.and_then(|opened| last.seconds_since(&opened)).map(|s| s / end.peer.messages.max(1) as f64);
        let is_chance = end.peer.messages > FEW_MESSAGES && pace.is_none_or(|pace| after * 10.0 > pace);
        Ok(boolean(after <= SET_OFF_SECONDS && !is_answered && !is_chance).at([last, end.at]))
    })
}

pub(in crate::evidence) fn answered_late_s(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| {
        let pings = &view.connection.traffic[ender].pings;
        let late = pings
            .last_answered
            .zip(pings.last_pong)
            .filter(|(ping, pong)| ping.packet < end.at.packet && pong.packet > end.at.packet);
        match late {
            Some((ping, pong)) => Ok(seconds(pong.seconds_since(&ping)).at([ping, pong])),
            None => view.all_frames().map(|()| absent()),
        }
    })
}

pub(in crate::evidence) fn after_fin_s(view: &View<'_>) -> Answer {
    let Some(close) = view.connection.first_close() else { return or_unknown(view.no_close().map(|()| absent())) };
    if view.is_one_sided() {
        return unknown(WhyUnknown::OneSided);
    }
    let fin = view.connection.tcp[close.by.other()].fin.filter(|fin| fin.packet < close.at.packet);
    fin.map_or_else(absent, |fin| seconds(close.at.seconds_since(&fin)).at([fin, close.at]))
}

pub(in crate::evidence) fn tcp_held_s(view: &View<'_>) -> Answer {
    if view.is_one_sided() {
        return unknown(WhyUnknown::OneSided);
    }
    let connection = view.connection;
    let close = |side: Side| connection.traffic[side].close.as_ref().map(|close| close.last);
    let (Some(client), Some(server)) = (close(Side::Client), close(Side::Server)) else {
        return or_unknown(view.no_close().map(|()| absent()));
    };
    if Side::BOTH.into_iter().any(|side| view.tail_lost(side).is_some()) {
        return unknown(WhyUnknown::Gap);
    }
    let done = if client.packet > server.packet { client } else { server };
    or_unknown(view.tcp_end().map(|end| match end {
        Some(end) if end.by == Side::Client && end.at.packet > done.packet => {
            seconds(end.at.seconds_since(&done)).at([done, end.at])
        }
        Some(_) => absent(),
        None => unknown(view.why_no_end()),
    }))
}
