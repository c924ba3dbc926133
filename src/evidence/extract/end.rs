//! Facts about how the connection ended, above all in TCP.

use super::{Answer, View, absent, int, or_unknown, seconds, side, unknown, unless_one_sided, word};
use crate::connection::{EndSignal, EndSignalKind, HopLimits, Reset};
use crate::evidence::WhyUnknown;
use crate::units::{Origin, Side};

pub(in crate::evidence) fn tcp(view: &View<'_>) -> Answer {
    or_unknown(view.tcp_end().map(|end| match end {
        Some(end) if end.kind == EndSignalKind::Rst => word("rst").at([end.at]),
        Some(end) => word("fin").at([end.at]),
        None => absent(),
    }))
}

pub(in crate::evidence) fn tcp_side(view: &View<'_>) -> Answer {
    or_unknown(view.tcp_end().map(|end| match end {
        Some(end) => side(end.by).at([end.at]),
        None => absent(),
    }))
}

pub(in crate::evidence) fn ender(view: &View<'_>) -> Answer {
    match view.end {
        None => view.no_end(),
        Some(end) => or_unknown(view.ender().map(side)).at([end.at]),
    }
}

pub(in crate::evidence) fn peer(view: &View<'_>) -> Answer {
    match view.end {
        None => view.no_end(),
        Some(_) => or_unknown(view.ender().map(|ender| side(ender.other()))),
    }
}

pub(in crate::evidence) fn silence_s(view: &View<'_>) -> Answer {
    let connection = view.connection;
    let (since, until) = match view.end {
        Some(end) => (end.quiet_since, Some(end.at)),
        None => (connection.last_payload(), connection.open_until),
    };
    let (Some(since), Some(until)) = (since, until) else {
        return absent();
    };
    let end = match view.end {
        Some(end) if end.kind == EndSignalKind::CloseFrame => Ok(()),
        _ => view.tcp_end().map(|_| ()),
    };
    if let Err(why) = end {
        return unknown(why);
    }
    // A hole may hide the bytes that broke the silence.
    for sender in Side::BOTH {
        if connection.visibility[sender].one_sided {
            return unknown(WhyUnknown::OneSided);
        }
        if view.has_hole_after(sender, since) {
            return unknown(view.why_missing(sender));
        }
    }
    seconds(until.seconds_since(&since)).at([since, until])
}

pub(in crate::evidence) fn since_peer_data_s(view: &View<'_>) -> Answer {
    or_unknown(view.last_word().map(|end| match &end.peer.message {
        Some(message) => {
            let last = message.last.unwrap_or(message.first);
            seconds(end.at.seconds_since(&last)).at([last, end.at])
        }
        None => absent(),
    }))
}

pub(in crate::evidence) fn unfinished_frame(view: &View<'_>) -> Answer {
    for sender in Side::BOTH {
        if let Some(unfinished) = &view.connection.traffic[sender].unfinished {
            if view.tail_lost(sender).is_some() {
                return unknown(WhyUnknown::Gap);
            }
            return side(sender).at([unfinished.first]);
        }
    }
    // Where frames were found again, the last one is known to be whole.
    let until = view.connection.last;
    let all = Side::BOTH.into_iter().try_for_each(|side| view.frames_since(side, until));
    or_unknown(all.map(|()| absent()))
}

/// A receive window that was closed when the end came, or until a moment before: what the sender had queued may pass
/// then, and with it the end.
struct ClosedWindow {
    receiver: Side,
    since: Origin,
    until: Option<Origin>,
}

/// Seconds for which a window may be open again.
const REOPENED_SECONDS: f64 = 1.0;

fn closed_window(view: &View<'_>) -> Option<ClosedWindow> {
    let end = view.end.map(|end| end.at).or(view.connection.open_until);
    let before_end = |at: Origin| end.is_none_or(|end| at.packet <= end.packet);
    let of = |receiver: Side| {
        let anomalies = view.connection.tcp[receiver].anomalies();
        if let Some(since) = anomalies.zero_window_since.filter(|since| before_end(*since)) {
            return Some(ClosedWindow { receiver, since, until: end });
        }
        let (since, until) = anomalies.last_zero_window?;
        let still = end?.seconds_since(&until).is_some_and(|open| open < REOPENED_SECONDS);
        (before_end(since) && still).then_some(ClosedWindow {
            receiver,
            since,
            until: if before_end(until) { Some(until) } else { end },
        })
    };
    Side::BOTH.into_iter().filter_map(of).min_by_key(|window| window.since.packet)
}

pub(in crate::evidence) fn zero_window_side(view: &View<'_>) -> Answer {
    match closed_window(view) {
        Some(window) => side(window.receiver).at([window.since]),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn zero_window_s(view: &View<'_>) -> Answer {
    match closed_window(view) {
        Some(ClosedWindow { since, until: Some(until), .. }) => seconds(until.seconds_since(&since)).at([since, until]),
        _ => unless_one_sided(view),
    }
}

/// The RST that ended TCP first, what it says about its sender, and the way of that side's other packets.
fn reset<'a>(view: &View<'a>) -> Option<(&'a EndSignal, &'a Reset, Option<&'a HopLimits>)> {
    let end = view.connection.tcp_end().filter(|end| end.kind == EndSignalKind::Rst)?;
    let tcp = &view.connection.tcp[end.by];
    Some((end, tcp.reset.as_deref()?, tcp.hop_limits.as_ref()))
}

pub(in crate::evidence) fn rst_hop_limit(view: &View<'_>) -> Answer {
    match reset(view) {
        Some((end, reset, _)) => int(reset.hop_limit.into()).at([end.at]),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn hop_limit(view: &View<'_>) -> Answer {
    match reset(view) {
        Some((_, reset, Some(usual))) => {
            let mut answer = int(reset.hop_limit.clamp(usual.lowest, usual.highest).into());
            answer.packets.push(usual.seen_at);
            answer
        }
        Some((_, _, None)) => unknown(WhyUnknown::NotCaptured),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn rst_hops_off(view: &View<'_>) -> Answer {
    match reset(view) {
        Some((end, reset, Some(usual))) => {
            let mut answer = int(usual.hops_off(reset.hop_limit).into()).at([end.at]);
            answer.packets.push(usual.seen_at);
            answer
        }
        Some((_, _, None)) => unknown(WhyUnknown::NotCaptured),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn rst_went_on_s(view: &View<'_>) -> Answer {
    match reset(view) {
        Some((end, Reset { went_on: Some(later), .. }, _)) => {
            seconds(later.seconds_since(&end.at)).at([end.at, *later])
        }
        // What waited behind a hole is not seen to go on.
        Some((end, ..)) if view.has_hole_after(end.by, end.at) => unknown(view.why_missing(end.by)),
        Some(_) => absent(),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn rst_places(view: &View<'_>) -> Answer {
    match reset(view) {
        // One place beyond may be where the bytes ended that the capture lacks.
        Some((end, reset, _)) if reset.places_beyond == 1 && view.bytes_of(end.by).is_err() => {
            or_unknown(view.bytes_of(end.by).map(|()| absent()))
        }
        Some((end, reset, _)) if reset.places_beyond > 0 => int(reset.places_beyond.into()).at([end.at]),
        Some(_) => absent(),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn rst_both_s(view: &View<'_>) -> Answer {
    let other = |end: &EndSignal| view.connection.tcp[end.by.other()].rst;
    match reset(view).map(|(end, ..)| (end, other(end))) {
        Some((end, Some(other))) => seconds(other.seconds_since(&end.at)).at([end.at, other]),
        _ => unless_one_sided(view),
    }
}
