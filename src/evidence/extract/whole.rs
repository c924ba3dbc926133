//! Facts about the connection as a whole and the capture around it.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, unknown, word};
use crate::connection::{Hole, Pings};
use crate::evidence::WhyUnknown;
use crate::units::Side;
use crate::violation::{Detail, Violation};

/// Limits of sight from the least to the worst.
const WORSE: [&str; 6] = ["full", "cut", "gap", "joined_late", "one_sided", "encrypted"];

pub(in crate::evidence) fn visibility(view: &View<'_>) -> Answer {
    let rank = |name: &str| WORSE.iter().position(|known| *known == name);
    let names = Side::BOTH.map(|side| view.connection.visibility[side].name());
    word(if rank(names[0]) > rank(names[1]) { names[0] } else { names[1] })
}

pub(in crate::evidence) fn missing_bytes(view: &View<'_>) -> Answer {
    let sides = &view.connection.visibility;
    let holes = || sides.iter().flat_map(|(_, visibility)| visibility.holes());
    let bytes = holes().filter_map(|hole| hole.len).fold(0, u64::saturating_add);
    match holes().next() {
        Some(_) if bytes > 0 => {
            let mut answer = int(bytes);
            holes().flat_map(Hole::packets).flatten().for_each(|packet| answer.packets.push(packet));
            answer
        }
        Some(_) => unknown(WhyUnknown::Gap),
        None => absent(),
    }
}

pub(in crate::evidence) fn open_at_capture_end(view: &View<'_>) -> Answer {
    match view.end {
        Some(end) => boolean(false).at([end.at]),
        None => match view.unseen_end() {
            Some(why) => unknown(why),
            None => boolean(true).at(view.connection.last_payload()),
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
    or_unknown(view.all_frames().map(|()| {
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

pub(in crate::evidence) fn ping_unanswered_s(view: &View<'_>) -> Answer {
    or_unknown(view.end_by().and_then(|(end, ender)| {
        let pings = &view.connection.traffic[ender].pings;
        for side in Side::BOTH {
            // A Pong answers all Pings before its own: what was hidden before that does not matter.
            match pings.last_answered {
                Some(answered) => view.frames_since(side, answered)?,
                None => view.frames_of(side)?,
            }
            // What waited behind a hole came late: a Ping perhaps after its Pong.
            if view.has_hole_after(side, pings.last_answered.unwrap_or(view.connection.first)) {
                return Err(view.why_missing(side));
            }
        }
        Ok(match pings.oldest_unanswered() {
            Some(ping) => seconds(end.at.seconds_since(&ping)).at([ping, end.at]),
            None => absent(),
        })
    }))
}

/// The ender's Pings, when none can be missing between the first that was seen and the end.
fn own_pings<'a>(view: &View<'a>) -> Result<&'a Pings, WhyUnknown> {
    let ender = view.ender()?;
    let pings = &view.connection.traffic[ender].pings;
    match pings.first {
        Some(first) => view.frames_since(ender, first)?,
        None => view.frames_of(ender)?,
    }
    Ok(pings)
}

pub(in crate::evidence) fn ping_sent(view: &View<'_>) -> Answer {
    or_unknown(view.ender().and_then(|ender| {
        view.frames_of(ender)?;
        let pings = &view.connection.traffic[ender].pings;
        Ok(int(pings.count).at(pings.first))
    }))
}

pub(in crate::evidence) fn ping_interval_s(view: &View<'_>) -> Answer {
    or_unknown(own_pings(view).map(|pings| match pings.interval() {
        None if pings.count < 2 => absent(),
        interval => seconds(interval).at(pings.last),
    }))
}

pub(in crate::evidence) fn heartbeat_unanswered_s(view: &View<'_>) -> Answer {
    or_unknown(view.end_by().and_then(|(end, ender)| {
        let unanswered = view.connection.traffic[ender].heartbeats().filter_map(|beat| beat.unanswered);
        let sent_before = unanswered.filter(|beat| beat.packet <= end.at.packet);
        let Some(beat) = sent_before.min_by_key(|beat| beat.packet) else {
            return view.judged(ender).map(|()| absent());
        };
        // The answer may be where nobody looked.
        let peer = ender.other();
        view.frames_since(peer, beat)?;
        if view.has_hole_after(peer, beat) {
            return Err(view.why_missing(peer));
        }
        Ok(seconds(end.at.seconds_since(&beat)).at([beat, end.at]))
    }))
}

pub(in crate::evidence) fn tcp_conflict(view: &View<'_>) -> Answer {
    let conflicts = Side::BOTH.into_iter().filter_map(|side| view.connection.tcp[side].anomalies().conflict);
    match conflicts.min_by_key(|conflict| (conflict.acknowledged, conflict.other.packet)) {
        Some(conflict) => {
            let mut answer = word(if conflict.acknowledged { "settled" } else { "unsettled" }).at([conflict.other]);
            answer.packets.push(conflict.kept);
            answer
        }
        None if view.is_one_sided() => unknown(WhyUnknown::OneSided),
        None => absent(),
    }
}

pub(in crate::evidence) fn http_status(view: &View<'_>) -> Answer {
    let status = |violation: &Violation| match violation.detail {
        Detail::HttpStatus(status) => Some((status, violation.at)),
        _ => None,
    };
    match view.connection.violations.iter().find_map(status) {
        Some((status, at)) => int(status.into()).at([at]),
        None => or_unknown(view.all_frames().map(|()| absent())),
    }
}
