//! Facts about how the connection ended, above all in TCP.

use super::{Answer, View, absent, int, or_unknown, seconds, side, unknown, word};
use crate::connection::EndSignalKind;
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
        None => (connection.last_payload, connection.open_until),
    };
    let (Some(since), Some(until)) = (since, until) else {
        return absent();
    };
    if view.end.is_some_and(|end| matches!(end.kind, EndSignalKind::Fin | EndSignalKind::Rst))
        && let Err(why) = view.tcp_end()
    {
        return unknown(why);
    }
    // A hole may hide the bytes that broke the silence.
    for sender in Side::BOTH {
        if connection.visibility[sender].one_sided {
            return unknown(WhyUnknown::OneSided);
        }
        if view.has_hole_after(sender, since) {
            return unknown(WhyUnknown::Gap);
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
    or_unknown(view.all_frames().map(|()| absent()))
}

/// The side whose last bytes were sent again and again without an acknowledgement.
fn unacknowledged(view: &View<'_>) -> Option<(Side, u32)> {
    let tcp = &view.connection.tcp;
    Side::BOTH
        .into_iter()
        .map(|sender| (sender, tcp[sender].anomalies().retransmitted_since_last_ack))
        .filter(|&(sender, times)| times > 0 && has_unacknowledged(view, sender))
        .max_by_key(|&(_, times)| times)
}

/// Whether the peer of `sender` never acknowledged all of its bytes.
fn has_unacknowledged(view: &View<'_>, sender: Side) -> bool {
    let tcp = &view.connection.tcp;
    tcp[sender.other()].acked.is_none_or(|acked| acked.0 < tcp[sender].bytes)
}

pub(in crate::evidence) fn unacked_side(view: &View<'_>) -> Answer {
    if view.is_one_sided() {
        // Nobody's acknowledgements can be missed.
        return unknown(WhyUnknown::OneSided);
    }
    match unacknowledged(view) {
        Some((sender, _)) => side(sender).at(view.connection.tcp[sender].anomalies().last_retransmission),
        None => absent(),
    }
}

pub(in crate::evidence) fn unanswered_retransmissions(view: &View<'_>) -> Answer {
    if view.is_one_sided() {
        // Nobody's acknowledgements can be missed.
        return unknown(WhyUnknown::OneSided);
    }
    match unacknowledged(view) {
        Some((sender, times)) => int(times.into()).at(view.connection.tcp[sender].anomalies().last_retransmission),
        None => absent(),
    }
}

/// The side whose receive window was closed when the end came, and since when.
fn closed_window(view: &View<'_>) -> Option<(Side, Origin)> {
    let since = |side: Side| view.connection.tcp[side].anomalies().zero_window_since.map(|at| (side, at));
    Side::BOTH.into_iter().filter_map(since).min_by_key(|&(_, at)| at.packet)
}

pub(in crate::evidence) fn zero_window_side(view: &View<'_>) -> Answer {
    match closed_window(view) {
        Some((receiver, since)) => side(receiver).at([since]),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn zero_window_s(view: &View<'_>) -> Answer {
    let until = view.end.map(|end| end.at).or(view.connection.open_until);
    match (closed_window(view), until) {
        (Some((_, since)), Some(until)) => seconds(until.seconds_since(&since)).at([since, until]),
        _ => unless_one_sided(view),
    }
}

/// What either side may have done: absent, unless one of them was not watched.
fn unless_one_sided(view: &View<'_>) -> Answer {
    if view.is_one_sided() { unknown(WhyUnknown::OneSided) } else { absent() }
}
