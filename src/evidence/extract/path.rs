//! Facts about the path below TCP's streams: how it opened, what ICMP said, which probes kept it in use.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, side, text, unknown, unless_one_sided, word};
use crate::connection::{Basis, IcmpError, IcmpKind};
use crate::evidence::WhyUnknown;
use crate::units::{Origin, Side, StreamOffset};

pub(in crate::evidence) fn tcp_open(view: &View<'_>) -> Answer {
    let connection = view.connection;
    let tcp = &connection.tcp;
    match (connection.syn, connection.syn_ack) {
        (Some(syn), Some(answer)) if never_took(view) => {
            if waited_since(view, Side::Server, answer) {
                word("unacknowledged").at([syn, answer])
            } else {
                unknown(WhyUnknown::CaptureEnded)
            }
        }
        (Some(syn), Some(answer)) => word("completed").at([syn, answer]),
        (Some(syn), None) => match tcp.server.rst {
            // A refusal acknowledges the SYN and nothing else (RFC 9293 §3.10.7.1).
            Some(rst) if connection.basis == Basis::Syn && tcp.server.acked == Some(StreamOffset(0)) => {
                word("refused").at([syn, rst])
            }
            // A client that acknowledges something had an answer, whether or not the capture holds it.
            _ if tcp.server.segments > 0 || tcp.client.acked.is_some() => word("completed").at([syn]),
            _ => match undelivered(view) {
                Some(error) => word("unreachable").at([syn, error.origin]),
                None if waited_since(view, Side::Client, syn) => word("unanswered").at([syn]),
                None => unknown(WhyUnknown::CaptureEnded),
            },
        },
        (None, _) => word("not_captured"),
    }
}

/// Nothing of the client came after the server's SYN-ACK.
fn never_took(view: &View<'_>) -> bool {
    let client = &view.connection.tcp.client;
    client.acked.is_none() && client.rst.is_none() && client.bytes == 0
}

/// The first ICMP error that says that the client's segments do not get to the server.
fn undelivered<'a>(view: &View<'a>) -> Option<&'a IcmpError> {
    let errors =
        view.connection.icmp.iter().filter(|(side, error)| *side == Side::Client && error.kind != IcmpKind::TooBig);
    errors.map(|(_, error)| error).next()
}

/// Whether the capture goes on long enough after a SYN of `sender` to say that no answer came: it was sent again, or
/// there was the time to (RFC 6298 §2 begins with one second).
fn waited_since(view: &View<'_>, sender: Side, syn: Origin) -> bool {
    let until = view.connection.open_until.unwrap_or(view.connection.last);
    view.connection.tcp[sender].syn_retransmissions > 0 || until.seconds_since(&syn).is_some_and(|waited| waited >= 1.0)
}

pub(in crate::evidence) fn syns(view: &View<'_>) -> Answer {
    match view.connection.syn {
        Some(syn) => int(u64::from(view.connection.tcp.client.syn_retransmissions) + 1).at([syn]),
        None => unknown(WhyUnknown::NotCaptured),
    }
}

pub(in crate::evidence) fn syn_waited_s(view: &View<'_>) -> Answer {
    match (view.connection.syn, view.connection.tcp.client.last) {
        (Some(syn), Some(last)) if view.connection.tcp.client.syn_retransmissions > 0 => {
            seconds(last.seconds_since(&syn)).at([syn, last])
        }
        (Some(_), _) => absent(),
        (None, _) => unknown(WhyUnknown::NotCaptured),
    }
}

pub(in crate::evidence) fn setup_s(view: &View<'_>) -> Answer {
    match (view.connection.syn, view.connection.syn_ack) {
        (Some(syn), Some(answer)) => seconds(answer.seconds_since(&syn).map(|took| took.max(0.0))).at([syn, answer]),
        // Who has no SYN-ACK has nothing to acknowledge, and sends no data.
        (Some(_), None) if never_took(view) || view.connection.tcp.server.acked == Some(StreamOffset(0)) => absent(),
        (Some(_), None) if view.is_one_sided() => unknown(WhyUnknown::OneSided),
        (Some(_), None) => unknown(WhyUnknown::Gap),
        (None, _) => unknown(WhyUnknown::NotCaptured),
    }
}

pub(in crate::evidence) fn payload(view: &View<'_>) -> Answer {
    let sent = Side::BOTH.into_iter().find_map(|side| view.connection.tcp[side].first_data);
    match sent {
        Some(first) => boolean(true).at([first]),
        None if view.is_one_sided() && view.connection.syn_ack.is_some() => unknown(WhyUnknown::OneSided),
        None => boolean(false),
    }
}

pub(in crate::evidence) fn mss(view: &View<'_>) -> Answer {
    let tcp = &view.connection.tcp;
    match (tcp.client.mss, tcp.server.mss) {
        (Some(client), Some(server)) => {
            int(client.min(server).into()).at(view.connection.syn.into_iter().chain(view.connection.syn_ack))
        }
        _ if view.connection.syn.is_some() && view.connection.syn_ack.is_some() => absent(),
        _ => unknown(WhyUnknown::NotCaptured),
    }
}

/// The last ICMP error about a segment of this connection.
fn last_error<'a>(view: &View<'a>) -> Option<(Side, &'a IcmpError)> {
    view.connection.icmp.last().map(|(side, error)| (*side, error))
}

fn of_error(view: &View<'_>, ask: impl FnOnce(Side, &IcmpError) -> Answer) -> Answer {
    match last_error(view) {
        Some((side, error)) => ask(side, error).at([error.origin]),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn icmp_error(view: &View<'_>) -> Answer {
    of_error(view, |_, error| word(error.kind.name()))
}

pub(in crate::evidence) fn icmp_side(view: &View<'_>) -> Answer {
    of_error(view, |sender, _| side(sender))
}

pub(in crate::evidence) fn icmp_from(view: &View<'_>) -> Answer {
    of_error(view, |_, error| text(&error.reporter.to_string()))
}

pub(in crate::evidence) fn icmp_mtu(view: &View<'_>) -> Answer {
    of_error(view, |_, error| error.mtu.map_or_else(absent, |mtu| int(mtu.into())))
}

/// The first and the last probe of the side that probes more often, and the mean seconds between two.
fn tcp_probes(view: &View<'_>) -> Option<(Origin, Origin, Option<f64>)> {
    let of = |side: Side| {
        let tcp = &view.connection.tcp[side];
        let (first, last) = tcp.anomalies().keep_alive_span?;
        let intervals = tcp.keep_alives.checked_sub(1).filter(|&count| count > 0)?;
        Some((first, last, last.seconds_since(&first).map(|span| span / f64::from(intervals))))
    };
    let both = Side::BOTH.into_iter().filter_map(of);
    both.min_by(|one, other| one.2.unwrap_or(f64::MAX).total_cmp(&other.2.unwrap_or(f64::MAX)))
}

pub(in crate::evidence) fn tcp_probe_interval_s(view: &View<'_>) -> Answer {
    match tcp_probes(view) {
        Some((first, last, interval)) => seconds(interval).at([first, last]),
        None => unless_one_sided(view),
    }
}

pub(in crate::evidence) fn ping_interval_s(view: &View<'_>) -> Answer {
    let of = |side: Side| {
        let pings = &view.connection.traffic[side].pings;
        Some((pings.first?, pings.last?, pings.interval(), side)).filter(|_| pings.count > 1)
    };
    let both = Side::BOTH.into_iter().filter_map(of);
    match both.min_by(|one, other| one.2.unwrap_or(f64::MAX).total_cmp(&other.2.unwrap_or(f64::MAX))) {
        Some((first, last, interval, side)) => {
            or_unknown(view.frames_since(side, first).map(|()| seconds(interval).at([first, last])))
        }
        None => or_unknown(view.all_frames().map(|()| absent())),
    }
}
