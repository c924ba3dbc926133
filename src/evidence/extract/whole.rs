//! Facts about the connection as a whole and the capture around it.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, unknown, word};
use crate::connection::{Basis, Pings};
use crate::evidence::WhyUnknown;
use crate::units::{Origin, Side, StreamOffset};

/// Limits of sight from the least to the worst.
const WORSE: [&str; 6] = ["full", "cut", "gap", "joined_late", "one_sided", "encrypted"];

pub(in crate::evidence) fn visibility(view: &View<'_>) -> Answer {
    let rank = |name: &str| WORSE.iter().position(|known| *known == name);
    let names = Side::BOTH.map(|side| view.connection.visibility[side].name());
    word(if rank(names[0]) > rank(names[1]) { names[0] } else { names[1] })
}

pub(in crate::evidence) fn open_at_capture_end(view: &View<'_>) -> Answer {
    match view.end {
        Some(end) => boolean(false).at([end.at]),
        None => match view.unseen_end() {
            Some(why) => unknown(why),
            None => boolean(true).at(view.connection.last_payload),
        },
    }
}

pub(in crate::evidence) fn lifetime_s(view: &View<'_>) -> Answer {
    let connection = view.connection;
    if connection.handshake.response.is_none() && connection.visibility.iter().any(|(_, side)| side.joined_late) {
        return unknown(WhyUnknown::JoinedLate);
    }
    let until = view.end.map(|end| end.at).or(connection.open_until).unwrap_or(connection.last);
    seconds(connection.lifetime(until))
}

pub(in crate::evidence) fn messages(view: &View<'_>) -> Answer {
    or_unknown(Side::BOTH.into_iter().try_for_each(|side| view.counted(side)).map(|()| {
        let traffic = &view.connection.traffic;
        int(traffic.iter().map(|(_, side)| side.text_messages + side.binary_messages).sum())
    }))
}

pub(in crate::evidence) fn browser(view: &View<'_>) -> Answer {
    match &view.connection.handshake.request {
        Some(request) => boolean(request.is_browser()).at([request.last]),
        None => unknown(WhyUnknown::NotCaptured),
    }
}

pub(in crate::evidence) fn tcp_open(view: &View<'_>) -> Answer {
    let tcp = &view.connection.tcp;
    match (view.connection.syn, view.connection.syn_ack) {
        (Some(syn), Some(answer)) => word("completed").at([syn, answer]),
        (Some(syn), None) => match tcp.server.rst {
            // A refusal acknowledges the SYN and nothing else (RFC 9293 §3.10.7.1).
            Some(rst) if view.connection.basis == Basis::Syn && tcp.server.acked == Some(StreamOffset(0)) => {
                word("refused").at([syn, rst])
            }
            // A client that acknowledges something had an answer, whether or not the capture holds it.
            _ if tcp.server.segments > 0 || tcp.client.acked.is_some() => word("completed").at([syn]),
            _ if waited_for_answer(view, syn) => word("unanswered").at([syn]),
            _ => unknown(WhyUnknown::CaptureEnded),
        },
        (None, _) => word("not_captured"),
    }
}

/// Whether the capture goes on long enough after the SYN to say that no answer came: the client sent it again, or had
/// the time to (RFC 6298 §2 begins with one second).
fn waited_for_answer(view: &View<'_>, syn: Origin) -> bool {
    let until = view.connection.open_until.unwrap_or(view.connection.last);
    view.connection.tcp.client.syn_retransmissions > 0 || until.seconds_since(&syn).is_some_and(|waited| waited >= 1.0)
}

pub(in crate::evidence) fn ping_unanswered_s(view: &View<'_>) -> Answer {
    or_unknown(view.end_by().and_then(|(end, ender)| {
        let pings = own_pings(view)?;
        view.frames_of(ender.other())?;
        if Side::BOTH.into_iter().any(|side| view.connection.visibility[side].gap.is_some()) {
            // What waited behind a hole came late: a Ping perhaps after its Pong.
            return Err(WhyUnknown::Gap);
        }
        Ok(match pings.oldest_unanswered() {
            Some(ping) => seconds(end.at.seconds_since(&ping)).at([ping, end.at]),
            None => absent(),
        })
    }))
}

/// The ender's Pings, when none can be missing.
fn own_pings<'a>(view: &View<'a>) -> Result<&'a Pings, WhyUnknown> {
    let ender = view.ender()?;
    view.frames_of(ender)?;
    Ok(&view.connection.traffic[ender].pings)
}

pub(in crate::evidence) fn ping_sent(view: &View<'_>) -> Answer {
    or_unknown(own_pings(view).map(|pings| int(pings.count).at(pings.first)))
}

pub(in crate::evidence) fn ping_interval_s(view: &View<'_>) -> Answer {
    or_unknown(own_pings(view).map(|pings| match pings.interval() {
        None if pings.count < 2 => absent(),
        interval => seconds(interval).at(pings.last),
    }))
}
