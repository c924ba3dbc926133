//! The closing handshake as a table: one state for each side, moved by Close frames and the end of TCP.

use super::Connection;
use crate::units::{Origin, PerSide, Side};

/// Where one side stands in the closing handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ClosingState {
    /// No Close frame has been sent or received.
    #[default]
    Open,
    /// It sent a Close frame and has not received one.
    CloseSent,
    /// It received a Close frame and has not sent one.
    CloseReceived,
    /// Both Close frames are out: the closing handshake is done, TCP is not.
    HandshakeDone,
    /// TCP ended after the closing handshake.
    Clean,
    /// TCP ended before the closing handshake was done.
    Abnormal,
}

/// What moves a side from one state to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosingEvent {
    /// It sent its first Close frame.
    CloseSent,
    /// Its peer's first Close frame arrived.
    CloseReceived,
    /// It sent a FIN: no Close frame of it can follow.
    FinSent,
    /// Its peer's FIN arrived: no Close frame of the peer can follow.
    FinReceived,
    /// TCP ended in either direction.
    TcpEnded,
}

/// One row: in state `from`, `event` leads to `to`.
#[derive(Debug, Clone, Copy)]
pub struct Transition {
    /// The state before.
    pub from: ClosingState,
    /// What happened.
    pub event: ClosingEvent,
    /// The state after.
    pub to: ClosingState,
    /// The section of RFC 6455 that says so.
    pub section: &'static str,
}

/// Every move of the closing handshake; what is not listed changes nothing.
pub const TRANSITIONS: &[Transition] = &{
    use ClosingEvent as E;
    use ClosingState as S;
    const fn row(from: S, event: E, to: S, section: &'static str) -> Transition {
        Transition { from, event, to, section }
    }
    [
        row(S::Open, E::CloseSent, S::CloseSent, "7.1.2"),
        row(S::Open, E::CloseReceived, S::CloseReceived, "7.1.3"),
        row(S::Open, E::FinSent, S::Abnormal, "7.1.5"),
        row(S::Open, E::FinReceived, S::Abnormal, "7.1.5"),
        row(S::Open, E::TcpEnded, S::Abnormal, "7.1.5"),
        row(S::CloseSent, E::CloseReceived, S::HandshakeDone, "7.1.3"),
        row(S::CloseSent, E::FinReceived, S::Abnormal, "7.1.5"),
        row(S::CloseSent, E::TcpEnded, S::Abnormal, "7.1.4"),
        row(S::CloseReceived, E::CloseSent, S::HandshakeDone, "5.5.1"),
        row(S::CloseReceived, E::FinSent, S::Abnormal, "5.5.1"),
        row(S::CloseReceived, E::TcpEnded, S::Abnormal, "7.1.4"),
        row(S::HandshakeDone, E::TcpEnded, S::Clean, "7.1.4"),
    ]
};

impl ClosingState {
    /// The state after `event`.
    #[must_use]
    pub fn after(self, event: ClosingEvent) -> Self {
        TRANSITIONS.iter().find(|row| row.from == self && row.event == event).map_or(self, |row| row.to)
    }
}

/// Both sides' closing handshake, as seen from the place of the capture.
#[derive(Debug, Clone, Default)]
pub struct ClosingHandshake {
    /// Where each side stands.
    pub states: PerSide<ClosingState>,
    /// Who sent the first Close frame, by packet number.
    pub initiator: Option<Side>,
    /// Both Close frames were on their way at once: the later one left before the earlier had arrived, as the
    /// acknowledgement beside it shows (RFC 6455 §7.1.3 allows it).
    pub crossed: bool,
}

impl ClosingHandshake {
    pub(super) fn close_frame(&mut self, by: Side) {
        self.states[by] = self.states[by].after(ClosingEvent::CloseSent);
        self.states[by.other()] = self.states[by.other()].after(ClosingEvent::CloseReceived);
    }

    /// A FIN ended one direction. The other may go on: a Close frame may still answer.
    pub fn fin(&mut self, by: Side) {
        self.states[by] = self.states[by].after(ClosingEvent::FinSent);
        self.states[by.other()] = self.states[by.other()].after(ClosingEvent::FinReceived);
    }

    /// TCP ended.
    pub fn tcp_ended(&mut self) {
        for side in Side::BOTH {
            self.states[side] = self.states[side].after(ClosingEvent::TcpEnded);
        }
    }

    /// Both sides sent a Close frame before TCP ended (RFC 6455 §7.1.4).
    #[must_use]
    pub fn is_clean(&self) -> bool {
        Side::BOTH.iter().all(|&side| matches!(self.states[side], ClosingState::HandshakeDone | ClosingState::Clean))
    }

    /// The peer of the initiator answered with a Close frame.
    #[must_use]
    pub fn is_echoed(&self) -> bool {
        self.is_clean()
    }
}

/// How long the steps of the closing handshake took; each `None` when it was not seen, or has no time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClosingTimes {
    /// Seconds from the first Close frame to the other side's.
    pub answer_s: Option<f64>,
    /// Seconds from each side's own Close frame to its own FIN.
    pub close_to_fin_s: PerSide<Option<f64>>,
    /// Seconds from the first FIN to the FIN or RST of the other direction: so long TCP was half closed.
    pub half_closed_s: Option<f64>,
    /// Who sent the first FIN, when both directions ended with one: its TCP keeps the TIME_WAIT state, which RFC 6455
    /// §7.1.1 leaves to the server.
    pub time_wait: Option<Side>,
}

impl Connection {
    /// How long the steps of the closing handshake took.
    #[must_use]
    pub fn closing_times(&self) -> ClosingTimes {
        let stepped = |from: Origin, to: Origin| self.clock_stepped(from.packet, to.packet);
        let between = |from: Origin, to: Origin| to.seconds_since(&from).filter(|_| !stepped(from, to));
        let close = |side: Side| self.traffic[side].close.as_ref().map(|close| close.last);
        let fin = |side: Side| self.tcp[side].fin;
        let answer = self.closing.initiator.and_then(|side| Some((close(side)?, close(side.other())?)));
        let to_fin = |side: Side| {
            let (close, fin) = close(side).zip(fin(side))?;
            between(close, fin).filter(|_| fin.packet >= close.packet)
        };
        let fins = fin(Side::Client).zip(fin(Side::Server));
        let first =
            fins.map(|(client, server)| if client.packet < server.packet { Side::Client } else { Side::Server });
        let half = Side::BOTH.into_iter().filter_map(|side| Some((fin(side)?, side))).min_by_key(|(at, _)| at.packet);
        let half_closed_s = half.and_then(|(from, side)| {
            let until = [fin(side.other()), self.tcp[Side::Client].rst, self.tcp[Side::Server].rst];
            let until = until.into_iter().flatten().filter(|at| at.packet >= from.packet);
            between(from, until.min_by_key(|at| at.packet)?)
        });
        ClosingTimes {
            answer_s: answer.and_then(|(first, answer)| between(first, answer)),
            close_to_fin_s: PerSide { client: to_fin(Side::Client), server: to_fin(Side::Server) },
            half_closed_s,
            time_wait: first.filter(|_| self.tcp.iter().all(|(_, tcp)| tcp.rst.is_none())),
        }
    }

    /// Seconds from a packet to the first sign of the end, or without one to the end of the capture.
    #[must_use]
    pub fn seconds_before_end(&self, at: Origin) -> Option<f64> {
        let end = self.first_end().map(|end| end.at).or(self.open_until)?;
        end.seconds_since(&at).filter(|seconds| *seconds >= 0.0 && !self.clock_stepped(at.packet, end.packet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_close_frames_before_tcp_ends_are_clean() {
        let mut closing = ClosingHandshake::default();
        closing.close_frame(Side::Server);
        assert_eq!(closing.states[Side::Client], ClosingState::CloseReceived);
        closing.close_frame(Side::Client);
        closing.tcp_ended();
        assert!(closing.is_clean());
        assert_eq!(closing.states[Side::Server], ClosingState::Clean);
    }

    #[test]
    fn tcp_that_ends_first_is_abnormal() {
        let mut closing = ClosingHandshake::default();
        closing.close_frame(Side::Client);
        closing.tcp_ended();
        closing.close_frame(Side::Server);
        assert!(!closing.is_clean());
        assert_eq!(closing.states[Side::Server], ClosingState::Abnormal);
    }

    #[test]
    fn a_close_frame_may_answer_behind_a_fin_but_never_follow_its_own() {
        let mut answered = ClosingHandshake::default();
        answered.close_frame(Side::Server);
        answered.fin(Side::Server);
        answered.close_frame(Side::Client);
        answered.fin(Side::Client);
        answered.tcp_ended();
        assert!(answered.is_clean());

        let mut half_closed = ClosingHandshake::default();
        half_closed.fin(Side::Client);
        half_closed.close_frame(Side::Server);
        assert_eq!(half_closed.states[Side::Client], ClosingState::Abnormal);
        assert!(!half_closed.is_clean());

        let mut unanswered = ClosingHandshake::default();
        unanswered.close_frame(Side::Server);
        unanswered.fin(Side::Client);
        assert_eq!(unanswered.states[Side::Server], ClosingState::Abnormal);
        assert_eq!(unanswered.states[Side::Client], ClosingState::Abnormal);
    }

    #[test]
    fn no_state_has_two_ways_out_on_one_event() {
        for (index, row) in TRANSITIONS.iter().enumerate() {
            let twin = TRANSITIONS[index + 1..].iter().any(|other| other.from == row.from && other.event == row.event);
            assert!(!twin, "{row:?}");
        }
    }
}
