//! What a broken rule set off: the Close frame, FIN or RST with which the other side gave up (RFC 6455 §7.1.7).

use super::{Connection, EndSignal, EndSignalKind, close_code};
use crate::units::{Origin, PacketNumber, Side};
use crate::violation::{Violation, ViolationRule};

/// How the other side answered a violation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reaction {
    /// Close frame, FIN or RST.
    pub kind: EndSignalKind,
    /// Who sent it.
    pub by: Side,
    /// The packet.
    pub at: Origin,
    /// Code of the Close frame; `None` without one.
    pub code: Option<u16>,
    /// Seconds from the violation to it; `None` when the packets carry no time.
    pub after_s: Option<f64>,
}

impl Connection {
    /// After so many seconds the end is no answer to a violation any more: the slowest stack measured, actix, takes one.
    const REACTION_SECONDS: f64 = 2.0;

    /// The first rule that `side`'s first Close frame itself breaks: then it is no valid Close frame (RFC 6455 §5.5,
    /// §5.5.1, §7.4).
    #[must_use]
    pub fn close_fault(&self, side: Side) -> Option<&Violation> {
        let close = self.traffic[side].close.as_ref()?;
        self.violations.iter().find(|violation| {
            violation.side == side
                && violation.offset == Some(close.offset)
                && violation.rule != ViolationRule::DataAfterClose
        })
    }

    /// The sign of the end that `violation` set off, if one followed at once.
    ///
    /// Only the first rule that a side breaks has one: by then its peer has given up. A Close frame whose code says
    /// something else, like 1000, or nothing, is no answer, unless what it answers is a faulty Close frame: some stacks
    /// echo those, others answer 1000 or nothing.
    #[must_use]
    pub fn reaction(&self, violation: &Violation) -> Option<Reaction> {
        if !self.is_first_fault(violation) {
            return None;
        }
        let culprit = violation.side;
        let fault = self.close_fault(culprit);
        let is_faulty_close = fault.is_some_and(|fault| fault.offset == violation.offset);
        let signal = self.answer_after(culprit.other(), violation.at.packet)?;
        let code = self.code_of_signal(signal);
        let closed_before = self.traffic[culprit].close.as_ref().filter(|close| close.last.packet < signal.at.packet);
        let echoes = closed_before.is_some_and(|close| close_code(&close.payload) == code);
        let refuses = code.is_some_and(Self::gives_up) && !echoes;
        if signal.kind == EndSignalKind::CloseFrame && !is_faulty_close && !refuses {
            return None;
        }
        // The culprit may have ended the connection first, for a reason of its own.
        let ended_first = self.first_end().is_some_and(|end| end.by == culprit && end.at.packet < signal.at.packet);
        if ended_first && !is_faulty_close && !refuses {
            return None;
        }
        // A Close frame may be in a hole before the FIN.
        if signal.kind != EndSignalKind::CloseFrame && !self.visibility[signal.by].frames_complete() {
            return None;
        }
        let after_s = signal.at.seconds_since(&violation.at);
        if after_s.is_some_and(|seconds| seconds > Self::REACTION_SECONDS) {
            return None;
        }
        Some(Reaction { kind: signal.kind, by: signal.by, at: signal.at, code, after_s })
    }

    /// Whether it is the first framing rule that its side breaks. What follows a side's own Close frame is ignored by its
    /// peer and sets off nothing.
    fn is_first_fault(&self, violation: &Violation) -> bool {
        let counts = |rule: ViolationRule| !rule.is_of_handshake() && rule != ViolationRule::DataAfterClose;
        let mut earlier =
            self.violations.iter().filter(|earlier| earlier.side == violation.side && counts(earlier.rule));
        let after_close = self.traffic[violation.side]
            .close
            .as_ref()
            .is_some_and(|close| violation.offset.is_some_and(|offset| offset > close.offset));
        counts(violation.rule) && !after_close && !earlier.any(|earlier| earlier.offset < violation.offset)
    }

    fn close_code_of(&self, side: Side) -> Option<u16> {
        self.traffic[side].close.as_ref().and_then(|close| close_code(&close.payload))
    }

    /// The code of a sign that is a Close frame.
    fn code_of_signal(&self, signal: &EndSignal) -> Option<u16> {
        (signal.kind == EndSignalKind::CloseFrame).then(|| self.close_code_of(signal.by)).flatten()
    }

    /// The first sign of the end that `side` gave after a packet, or in it.
    fn answer_after(&self, side: Side, packet: PacketNumber) -> Option<&EndSignal> {
        let answers = |signal: &&EndSignal| {
            signal.by == side && signal.at.packet >= packet && signal.kind.is_of_websocket_or_tcp()
        };
        self.ending.iter().find(answers)
    }

    /// Whether stacks answer a broken rule with this code. RFC 6455 §7.4.1 asks for 1002, 1007 or 1009; faye says 1003
    /// to an unmasked frame, Bandit 1008 to an empty fragment, some 1011 to what does not inflate.
    fn gives_up(code: u16) -> bool {
        matches!(code, 1002 | 1003 | 1007 | 1008 | 1009 | 1011)
    }

    /// Whether `side` failed the connection because of what its peer sent, with a Close frame or without one. From then
    /// on it looks at nothing that arrives, an answering Close frame included (RFC 6455 §7.1.7).
    pub(super) fn failed_on_violation(&self, side: Side) -> bool {
        let of_peer = self.violations.iter().filter(|violation| violation.side == side.other());
        of_peer.filter_map(|violation| self.reaction(violation)).any(|reaction| !self.takes_for_good(&reaction))
    }

    /// Whether a reaction to a faulty Close frame takes it for a good one: by echoing its code, or by closing normally.
    fn takes_for_good(&self, reaction: &Reaction) -> bool {
        reaction.kind == EndSignalKind::CloseFrame
            && self.close_fault(reaction.by.other()).is_some()
            && (reaction.code.is_none_or(|code| code == 1000)
                || reaction.code == self.close_code_of(reaction.by.other()))
    }

    /// Whether the peer of `side` refused its Close frame, because that breaks a rule; `None` when it breaks none, or when
    /// the peer did nothing.
    #[must_use]
    pub fn close_refused(&self, side: Side) -> Option<bool> {
        let reaction = self.reaction(self.close_fault(side)?)?;
        Some(!self.takes_for_good(&reaction))
    }
}

impl EndSignalKind {
    fn is_of_websocket_or_tcp(self) -> bool {
        matches!(self, Self::CloseFrame | Self::Fin | Self::Rst)
    }
}
