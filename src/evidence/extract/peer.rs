//! Facts about what the ender's peer had said before the end, and about the ender's own faults.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, text, unknown, word};
use crate::connection::{Content, EndSignal, MessageNote};
use crate::connection::{Opcode, Utf8State};
use crate::evidence::WhyUnknown;
use crate::units::Side;
use crate::violation::{Detail, Violation, ViolationRule};

/// Asks the end.
fn of_end(view: &View<'_>, ask: impl FnOnce(&EndSignal, Side) -> Answer) -> Answer {
    match view.end {
        None => view.no_end(),
        Some(_) => or_unknown(view.end_by().map(|(end, ender)| ask(end, ender))),
    }
}

/// Asks the peer's last word before the end.
fn of_last_word(view: &View<'_>, ask: impl FnOnce(&EndSignal) -> Answer) -> Answer {
    of_end(view, |_, _| or_unknown(view.last_word().map(ask)))
}

/// Asks the peer's last message before the end.
fn of_message(view: &View<'_>, ask: impl FnOnce(&EndSignal, &MessageNote) -> Answer) -> Answer {
    of_last_word(view, |end| match &end.peer.message {
        Some(message) => ask(end, message).at([message.last.unwrap_or(message.first)]),
        None => absent(),
    })
}

pub(in crate::evidence) fn last_kind(view: &View<'_>) -> Answer {
    of_message(view, |_, message| word(if message.kind == Opcode::Text { "text" } else { "binary" }))
}

pub(in crate::evidence) fn json(view: &View<'_>) -> Answer {
    // Of messages in a hole nobody knows; that one of them was no JSON, the others can show all the same.
    of_message(view, |end, _| {
        let peer = end.by.other();
        match view.connection.json[peer] {
            Some(false) => boolean(false),
            Some(true) => or_unknown(view.frames_of(peer).map(|()| boolean(true))),
            None => or_unknown(view.all_frames().map(|()| absent())),
        }
    })
}

pub(in crate::evidence) fn last_size(view: &View<'_>) -> Answer {
    of_message(view, |end, message| {
        // A hole, in this message or in the window before it, leaves only the size on the wire.
        let not_inflated = message.complete && message.compressed && message.size == message.wire_len;
        let whole = match message.content {
            // Its size was not found out, only that it is larger than the bound.
            Content::Limit => Err(WhyUnknown::Limit),
            _ if !not_inflated => Ok(()),
            content @ Content::ContextLost => Err(view.why_unread(end.by.other(), content)),
            _ => view.bytes_of(end.by.other()),
        };
        or_unknown(whole.map(|()| int(message.size)))
    })
}

pub(in crate::evidence) fn last_complete(view: &View<'_>) -> Answer {
    of_message(view, |_, message| boolean(message.complete))
}

pub(in crate::evidence) fn last_utf8(view: &View<'_>) -> Answer {
    of_message(view, |end, message| {
        let found_invalid = view.connection.violations.iter().any(|violation| {
            violation.rule == crate::violation::ViolationRule::InvalidUtf8Text
                && violation.side != end.by
                && violation.at.packet >= message.first.packet
        });
        match message.utf8 {
            Utf8State::NotText => word("not_text"),
            Utf8State::Valid => word("valid"),
            Utf8State::Invalid { .. } => word("invalid"),
            Utf8State::Unknown if found_invalid => word("invalid"),
            Utf8State::Unknown if message.kind != Opcode::Text => word("not_text"),
            Utf8State::Unknown if message.complete => unknown(view.why_unread(end.by.other(), message.content)),
            Utf8State::Unknown => or_unknown(view.bytes_of(end.by.other()).map(|()| unknown(WhyUnknown::NotCaptured))),
        }
    })
}

pub(in crate::evidence) fn other_kind_before(view: &View<'_>) -> Answer {
    of_message(view, |end, _| match end.peer.other_kind_before {
        true => boolean(true),
        false => or_unknown(view.frames_of(end.by.other()).map(|()| boolean(false))),
    })
}

pub(in crate::evidence) fn largest_before(view: &View<'_>) -> Answer {
    of_last_word(view, |end| {
        or_unknown(view.frames_of(end.by.other()).map(|()| end.peer.largest_before.map_or_else(absent, int)))
    })
}

pub(in crate::evidence) fn messages(view: &View<'_>) -> Answer {
    of_last_word(view, |end| or_unknown(view.frames_of(end.by.other()).map(|()| int(end.peer.messages))))
}

pub(in crate::evidence) fn own_messages(view: &View<'_>) -> Answer {
    of_end(view, |_, ender| {
        let traffic = &view.connection.traffic[ender];
        or_unknown(view.frames_of(ender).map(|()| int(traffic.text_messages + traffic.binary_messages)))
    })
}

/// The first framing rule that `culprit` broke not later than the end.
///
/// What the other side has borne for a while is a habit and no cause: a rule that was broken for the first time right
/// before the end goes before it. Frames that were only too early count when there is no other.
fn framing_violation<'a>(view: &View<'a>, culprit: Side, end: &EndSignal) -> Option<&'a Violation> {
    let broken = || {
        view.connection.violations.iter().filter(|violation| {
            violation.side == culprit && !violation.rule.is_of_handshake() && violation.at.packet <= end.at.packet
        })
    };
    let is_new = |violation: &&Violation| broken().find(|first| first.rule == violation.rule) == Some(*violation);
    let is_recent = |violation: &&Violation| end.at.seconds_since(&violation.at).is_some_and(|s| s <= RECENT_SECONDS);
    let too_early = || {
        let is_early = |violation: &&Violation| violation.rule == ViolationRule::FrameBefore101;
        let mut violations = view.connection.violations.iter().filter(is_early);
        violations.find(|violation| violation.side == culprit && violation.at.packet <= end.at.packet)
    };
    let recent = broken().find(|violation| is_recent(violation) && is_new(violation));
    recent.or_else(|| broken().next()).or_else(too_early)
}

/// As long before the end, a violation may have set it off: the slowest stack measured took one second.
const RECENT_SECONDS: f64 = 2.0;

pub(in crate::evidence) fn violation(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| match framing_violation(view, ender.other(), end) {
        Some(violation) => text(violation.rule.name()).at([violation.at]),
        None => or_unknown(view.judged(ender.other()).map(|()| absent())),
    })
}

/// Whether the violation looks like compression that was not agreed on (RFC 7692 §6).
pub(in crate::evidence) fn compression_mark(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| match framing_violation(view, ender.other(), end) {
        Some(violation) => {
            let is_first_of_message = |opcode| [Opcode::Text, Opcode::Binary].map(Opcode::value).contains(&opcode);
            let marked = matches!(violation.detail, Detail::Rsv { bits: 4, opcode } if is_first_of_message(opcode));
            boolean(marked).at([violation.at])
        }
        None => or_unknown(view.judged(ender.other()).map(|()| absent())),
    })
}

pub(in crate::evidence) fn violation_s(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| match framing_violation(view, ender.other(), end) {
        Some(violation) => seconds(end.at.seconds_since(&violation.at)).at([violation.at, end.at]),
        None => or_unknown(view.judged(ender.other()).map(|()| absent())),
    })
}

/// A number from what exactly was wrong.
fn of_detail(view: &View<'_>, choose: impl FnOnce(&Detail) -> Option<u64>) -> Answer {
    of_end(view, |end, ender| match framing_violation(view, ender.other(), end) {
        Some(violation) => choose(&violation.detail).map_or_else(absent, |value| int(value).at([violation.at])),
        None => or_unknown(view.judged(ender.other()).map(|()| absent())),
    })
}

pub(in crate::evidence) fn broken_byte(view: &View<'_>) -> Answer {
    of_detail(view, |detail| if let Detail::Inflate { byte, .. } = detail { *byte } else { None })
}

pub(in crate::evidence) fn reference_distance(view: &View<'_>) -> Answer {
    of_detail(view, |detail| match detail {
        Detail::Reference { distance, .. } => Some(u64::from(*distance)),
        _ => None,
    })
}

pub(in crate::evidence) fn agreed_window(view: &View<'_>) -> Answer {
    of_detail(
        view,
        |detail| if let Detail::Reference { window, .. } = detail { Some(u64::from(*window)) } else { None },
    )
}

pub(in crate::evidence) fn own_violation(view: &View<'_>) -> Answer {
    of_end(view, |end, ender| match framing_violation(view, ender, end) {
        Some(violation) => text(violation.rule.name()).at([violation.at]),
        None => or_unknown(view.judged(ender).map(|()| absent())),
    })
}
