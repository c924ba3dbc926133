//! Facts about bytes that never arrived, or whose arrival nobody confirmed: silence, repetition, and how the path failed.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, side, unless_one_sided};
use crate::connection::{EndSignalKind, IcmpKind, Pending, Resent};
use crate::evidence::WhyUnknown;
use crate::units::{Origin, Side, StreamOffset};

/// Acknowledgements may be this late (RFC 9293 §3.8.6.3 allows half a second, to which the way is added); until then,
/// bytes are on their way.
const ON_THEIR_WAY_SECONDS: f64 = 1.0;

/// Nothing on a path forgets a connection sooner than this.
const PAUSE_SECONDS: f64 = 10.0;

/// Segments below this size pass every link (RFC 9293 §3.7.1: 536 bytes of data).
const PASSES_EVERYWHERE: u32 = 536;

/// What `sender` sent and its peer never acknowledged.
struct Unacknowledged {
    bytes: u64,
    /// At most this many; the count may be larger.
    messages: u64,
    pending: Option<Pending>,
}

/// What of `sender` was never acknowledged; `None` when everything was.
fn unacknowledged(view: &View<'_>, sender: Side) -> Result<Option<Unacknowledged>, WhyUnknown> {
    if view.is_one_sided() {
        // Nobody's acknowledgements can be missed.
        return Err(WhyUnknown::OneSided);
    }
    let facts = &view.connection.tcp[sender];
    let Some(acked) = view.connection.tcp[sender.other()].acked else {
        return if facts.bytes == 0 { Ok(None) } else { Err(WhyUnknown::NotCaptured) };
    };
    let bytes = facts.bytes.saturating_sub(acked.0);
    if bytes == 0 {
        return Ok(None);
    }
    let since = facts.pending.as_ref().map(|pending| pending.since).or(facts.last_data);
    if let Some(since) = since {
        // A hole of the peer may be the acknowledgement, and so may its FIN.
        if view.has_hole_after(sender.other(), since) || view.tail_lost(sender.other()).is_some() {
            return Err(WhyUnknown::Gap);
        }
        is_overdue(view, sender, since)?;
    }
    // Inside TLS messages have places of their own, to which acknowledgements were translated as they came.
    let acked = if view.connection.tls.is_some() { StreamOffset(0) } else { acked };
    let messages = view.connection.messages_beyond(sender, acked);
    Ok(Some(Unacknowledged { bytes, messages, pending: facts.pending.as_deref().copied() }))
}

/// Whether an acknowledgement of bytes sent at `since` would be in the capture by now.
fn is_overdue(view: &View<'_>, sender: Side, since: Origin) -> Result<(), WhyUnknown> {
    let connection = view.connection;
    let reset = connection.ending.iter().any(|signal| signal.kind == EndSignalKind::Rst);
    if reset || connection.tcp[sender].anomalies().retransmitted_since_last_ack > 0 {
        return Ok(());
    }
    match connection.open_until.unwrap_or(connection.last).seconds_since(&since) {
        None => Err(WhyUnknown::NoTime),
        Some(waited) if waited >= ON_THEIR_WAY_SECONDS => Ok(()),
        Some(_) => Err(WhyUnknown::CaptureEnded),
    }
}

/// How often `sender` sent its last bytes again in vain.
fn repetitions(view: &View<'_>, sender: Side) -> u32 {
    let tcp = &view.connection.tcp;
    let lacking = tcp[sender.other()].acked.is_none_or(|acked| acked.0 < tcp[sender].bytes);
    if lacking { tcp[sender].anomalies().retransmitted_since_last_ack } else { 0 }
}

/// The side whose last bytes were sent again most often and never acknowledged.
fn repeater(view: &View<'_>) -> Result<Option<Side>, WhyUnknown> {
    if view.is_one_sided() {
        return Err(WhyUnknown::OneSided);
    }
    let sides = Side::BOTH.into_iter().filter(|&sender| repetitions(view, sender) > 0);
    Ok(sides.max_by_key(|&sender| repetitions(view, sender)))
}

/// The side whose bytes were never acknowledged; of two, the one that tried harder.
fn unacked(view: &View<'_>) -> Result<Option<(Side, Unacknowledged)>, WhyUnknown> {
    let mut found: Option<(Side, Unacknowledged)> = None;
    let mut open = None;
    for sender in Side::BOTH {
        match unacknowledged(view, sender) {
            Ok(Some(lost)) => {
                let effort = |sender, lost: &Unacknowledged| (repetitions(view, sender), lost.bytes);
                if found.as_ref().is_none_or(|(other, known)| effort(sender, &lost) > effort(*other, known)) {
                    found = Some((sender, lost));
                }
            }
            Ok(None) => {}
            Err(why) => open = Some(why),
        }
    }
    match (found, open) {
        (None, Some(why)) => Err(why),
        (found, _) => Ok(found),
    }
}

/// Whose last bytes were never acknowledged, and when the oldest of them were sent.
pub(super) fn last_bytes(view: &View<'_>) -> Result<Option<(Side, Option<Origin>)>, WhyUnknown> {
    Ok(unacked(view)?.map(|(sender, lost)| (sender, lost.pending.map(|pending| pending.since))))
}

pub(in crate::evidence) fn unacked_side(view: &View<'_>) -> Answer {
    or_unknown(unacked(view).map(|found| match found {
        Some((sender, lost)) => {
            let again = view.connection.tcp[sender].anomalies().last_retransmission;
            side(sender).at(again.or(lost.pending.map(|pending| pending.since)))
        }
        None => absent(),
    }))
}

pub(in crate::evidence) fn unanswered_retransmissions(view: &View<'_>) -> Answer {
    or_unknown(repeater(view).map(|sender| match sender {
        Some(sender) => {
            let last = view.connection.tcp[sender].anomalies().last_retransmission;
            int(repetitions(view, sender).into()).at(last)
        }
        None => absent(),
    }))
}

fn bytes_of(view: &View<'_>, sender: Side) -> Answer {
    or_unknown(unacknowledged(view, sender).map(|lost| match lost {
        Some(lost) => int(lost.bytes).at(lost.pending.map(|pending| pending.since)),
        None => absent(),
    }))
}

pub(in crate::evidence) fn client_bytes(view: &View<'_>) -> Answer {
    bytes_of(view, Side::Client)
}

pub(in crate::evidence) fn server_bytes(view: &View<'_>) -> Answer {
    bytes_of(view, Side::Server)
}

fn messages_of(view: &View<'_>, sender: Side) -> Answer {
    or_unknown(unacknowledged(view, sender).and_then(|lost| match lost {
        Some(lost) => {
            view.frames_of(sender)?;
            Ok(if lost.messages == 0 {
                absent()
            } else {
                int(lost.messages).at(lost.pending.map(|pending| pending.since))
            })
        }
        None => Ok(absent()),
    }))
}

pub(in crate::evidence) fn client_messages(view: &View<'_>) -> Answer {
    messages_of(view, Side::Client)
}

pub(in crate::evidence) fn server_messages(view: &View<'_>) -> Answer {
    messages_of(view, Side::Server)
}

/// What was sent again of the oldest bytes that were never acknowledged.
fn resent<'a>(view: &View<'a>) -> Result<Option<&'a Resent>, WhyUnknown> {
    repeater(view)?.map_or(Ok(None), |sender| resent_by(view, sender))
}

fn resent_by<'a>(view: &View<'a>, sender: Side) -> Result<Option<&'a Resent>, WhyUnknown> {
    let facts = &view.connection.tcp[sender];
    let since = facts.pending.as_ref().map_or(view.connection.first, |pending| pending.since);
    // While bytes wait behind a hole, nobody looks how often they come; and a hole of the peer may be what acknowledged
    // the oldest of them.
    let hidden = Side::BOTH.into_iter().find(|&side| view.has_hole_after(side, since));
    if let Some(side) = hidden.filter(|_| repetitions(view, sender) > 0) {
        return Err(view.why_missing(side));
    }
    Ok(facts.anomalies().resent.as_ref())
}

fn of_resent(view: &View<'_>, ask: impl FnOnce(&Resent) -> Option<Answer>) -> Answer {
    or_unknown(resent(view).map(|resent| match resent {
        Some(resent) => ask(resent).unwrap_or_else(absent).at([resent.first, resent.last]),
        None => absent(),
    }))
}

pub(in crate::evidence) fn first_retry_s(view: &View<'_>) -> Answer {
    of_resent(view, |resent| (resent.times > 1).then(|| seconds(resent.first_wait)))
}

pub(in crate::evidence) fn last_retry_s(view: &View<'_>) -> Answer {
    of_resent(view, |resent| (resent.times > 1).then(|| seconds(resent.last_wait)))
}

pub(in crate::evidence) fn backoff(view: &View<'_>) -> Answer {
    of_resent(view, |resent| match resent.backs_off() {
        None if resent.times > 2 => Some(seconds(None)),
        answer => answer.map(boolean),
    })
}

/// A side that was not heard any more while the other kept sending again.
struct Silence {
    side: Side,
    since: Origin,
    until: Option<Origin>,
}

fn silence(view: &View<'_>) -> Result<Option<Silence>, WhyUnknown> {
    let Some(sender) = repeater(view)? else { return Ok(None) };
    let silent = sender.other();
    let connection = view.connection;
    let Some(since) = connection.tcp[silent].last else { return Err(WhyUnknown::OneSided) };
    let again = connection.tcp[sender].anomalies().last_retransmission;
    let first = connection.tcp[sender].anomalies().resent.map(|resent| resent.first).or(again);
    if first.is_some_and(|first| since.packet > first.packet) {
        return Ok(None);
    }
    // Whoever misses packets of one side may miss the other's as well.
    if Side::BOTH.into_iter().any(|side| view.has_hole_after(side, since)) {
        return Err(WhyUnknown::Gap);
    }
    let until = connection.tcp_end().map(|end| end.at).or(connection.open_until);
    Ok(Some(Silence { side: silent, since, until }))
}

pub(in crate::evidence) fn silent_side(view: &View<'_>) -> Answer {
    or_unknown(silence(view).map(|silence| match silence {
        Some(silence) => side(silence.side).at([silence.since]),
        None => absent(),
    }))
}

pub(in crate::evidence) fn silent_s(view: &View<'_>) -> Answer {
    or_unknown(silence(view).map(|silence| match silence {
        Some(Silence { since, until, .. }) => {
            let until = until.unwrap_or(view.connection.last);
            seconds(until.seconds_since(&since)).at([since, until])
        }
        None => absent(),
    }))
}

pub(in crate::evidence) fn idle_before_s(view: &View<'_>) -> Answer {
    or_unknown(unacked(view).map(|found| match found.and_then(|(_, lost)| lost.pending) {
        Some(Pending { since, quiet_before: Some(quiet), .. }) if quiet >= PAUSE_SECONDS => {
            seconds(Some(quiet)).at([since])
        }
        _ => absent(),
    }))
}

pub(in crate::evidence) fn connection_unknown(view: &View<'_>) -> Answer {
    match view.connection.tcp_end() {
        Some(end) if end.kind == EndSignalKind::Rst => {
            boolean(view.connection.tcp[end.by].rst_without_ack).at([end.at])
        }
        Some(_) => absent(),
        None => unless_one_sided(view),
    }
}

/// A side whose segment of this size was sent again and again in vain, while nothing as large ever got through and the
/// other side was still there.
fn stuck<'a>(view: &View<'a>) -> Result<Option<(Side, &'a Resent)>, WhyUnknown> {
    if view.is_one_sided() {
        return Err(WhyUnknown::OneSided);
    }
    let connection = view.connection;
    for sender in Side::BOTH {
        let (own, peer) = (&connection.tcp[sender], &connection.tcp[sender.other()]);
        let Some(resent) = resent_by(view, sender)? else { continue };
        let heard = peer.last.is_some_and(|last| last.packet > resent.first.packet);
        let told = connection.icmp.iter().any(|(side, error)| *side == sender && error.kind == IcmpKind::TooBig);
        let closed = peer.anomalies().zero_window_since.is_some();
        let larger = resent.len > PASSES_EVERYWHERE && resent.len > own.largest_acked;
        if resent.times < 2 || !larger || closed || !(heard || told) {
            continue;
        }
        if Side::BOTH.into_iter().any(|side| view.has_hole_after(side, resent.first)) {
            return Err(WhyUnknown::Gap);
        }
        return Ok(Some((sender, resent)));
    }
    Ok(None)
}

pub(in crate::evidence) fn stuck_bytes(view: &View<'_>) -> Answer {
    or_unknown(stuck(view).map(|stuck| match stuck {
        Some((_, resent)) => int(resent.len.into()).at([resent.first, resent.last]),
        None => absent(),
    }))
}

pub(in crate::evidence) fn stuck_side(view: &View<'_>) -> Answer {
    or_unknown(stuck(view).map(|stuck| match stuck {
        Some((sender, resent)) => side(sender).at([resent.first]),
        None => absent(),
    }))
}

pub(in crate::evidence) fn largest_acked(view: &View<'_>) -> Answer {
    or_unknown(stuck(view).map(|stuck| match stuck {
        Some((sender, _)) if view.connection.tcp[sender].largest_acked > 0 => {
            int(view.connection.tcp[sender].largest_acked.into())
        }
        _ => absent(),
    }))
}
