//! What each side's application was told, derived from what went over the wire (RFC 6455 §7.1.4–7.1.7).

use super::{Connection, EndSignalKind, Outcome, close_code};
use crate::units::{Origin, Side};
use crate::websocket::{CloseFrame, ClosePayload};

/// The close event an application saw: `code`, `reason` and `wasClean` of the browser's `CloseEvent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiView {
    /// The status code; 1005 and 1006 are made up here, as endpoints make them up.
    pub code: u16,
    /// The reason, with invalid UTF-8 replaced.
    pub reason: String,
    /// The closing handshake was done before TCP ended.
    pub was_clean: bool,
    /// The code that it may have been told instead: 1006, when a RST may have destroyed the Close frame before the
    /// application could read it (RFC 6455 §1.4).
    pub or_code: Option<u16>,
}

impl ApiView {
    fn abnormal() -> Self {
        Self { code: 1006, reason: String::new(), was_clean: false, or_code: None }
    }
}

impl Connection {
    /// What the application of `side` was told about the end.
    ///
    /// `None` when it was told nothing (the connection is still open, or the server never accepted it) or when the
    /// capture cannot show it (the peer's frames are not all visible).
    #[must_use]
    pub fn api_view(&self, side: Side) -> Option<ApiView> {
        if self.handshake.outcome != Outcome::Accepted && self.handshake.outcome != Outcome::NotCaptured {
            if self.handshake.response.is_none() && self.visibility[side.other()].one_sided {
                return None;
            }
            let client_gave_up = self.handshake.outcome != Outcome::None || self.tcp_end().is_some();
            return (side == Side::Client && client_gave_up).then(ApiView::abnormal);
        }
        self.first_end()?;
        if self.fails_the_connection(side) || self.failed_on_violation(side) || self.gave_up_on_its_peer(side) {
            return Some(ApiView::abnormal());
        }
        if let Some(close) = &self.traffic[side.other()].close {
            if self.had_reset_before(side, close) {
                return Some(ApiView::abnormal());
            }
            let reason = match &close.payload {
                ClosePayload::Status { reason, .. } => reason.text().into_owned(),
                _ => String::new(),
            };
            let code = close_code(&close.payload).unwrap_or(1005);
            let or_code = self.close_may_be_unread(side.other()).then_some(1006);
            return Some(ApiView { code, reason, was_clean: self.closing.is_clean(), or_code });
        }
        if !self.visibility[side.other()].frames_complete() || self.tcp_end().is_none() {
            return None;
        }
        Some(ApiView::abnormal())
    }

    /// Whether nobody can say that `by`'s Close frame was read: a RST ended TCP, and its peer never answered.
    ///
    /// The RST of a peer that has not acknowledged the frame left before it came; any other may have come while the frame
    /// was waiting to be read, and destroyed it (RFC 6455 §1.4). Who sent a Close frame of its own after the other had
    /// arrived has read it.
    #[must_use]
    pub fn close_may_be_unread(&self, by: Side) -> bool {
        let Some(close) = &self.traffic[by].close else { return false };
        let peer = by.other();
        if !self.visibility[peer].frames_complete() {
            return false;
        }
        let answered = self.traffic[peer]
            .close
            .as_ref()
            .is_some_and(|answer| answer.first.packet > close.last.packet && !self.closing.crossed);
        let mut resets = self.ending.iter().filter(|signal| signal.kind == EndSignalKind::Rst);
        // A peer that had closed first and has this answer in its hands resets what it is done with, as Autobahn does.
        let closed_first = self.closing.initiator == Some(peer) && !self.closing.crossed;
        if closed_first && !self.close_is_unacknowledged(by) {
            return false;
        }
        // A peer that ended its direction in order and whose socket is gone has had its say.
        let finished = self.tcp[peer].fin.is_some_and(|fin| fin.packet > close.last.packet);
        !answered && !finished && resets.any(|reset| reset.at.packet > close.first.packet)
    }

    /// Whether the other side's TCP has never acknowledged the first byte of `by`'s Close frame.
    #[must_use]
    pub fn close_is_unacknowledged(&self, by: Side) -> bool {
        self.traffic[by].close.as_ref().is_some_and(|close| self.acked[by] <= close.offset)
    }

    /// Whether `side` had reset TCP before its peer's Close frame left.
    fn had_reset_before(&self, side: Side, close: &CloseFrame) -> bool {
        let mut resets = self.ending.iter().filter(|signal| signal.kind == EndSignalKind::Rst && signal.by == side);
        resets.any(|reset| reset.at.packet < close.first.packet)
    }

    /// A side that closes first with 1009 because of a message, or with 1011 while its Ping is unanswered, has failed the
    /// connection (RFC 6455 §7.1.7): it looks at no answer. Python websockets reports 1006 then.
    fn gave_up_on_its_peer(&self, side: Side) -> bool {
        let Some(first) = self.first_close().filter(|signal| signal.by == side) else { return false };
        let code = self.traffic[side].close.as_ref().and_then(|close| close_code(&close.payload));
        match code {
            Some(1009) => first.peer.message.is_some(),
            Some(1011) => {
                let pings = &self.traffic[side].pings;
                let waited = |at: Option<Origin>| at.is_some_and(|ping| ping.packet < first.at.packet);
                // A Pong that comes later is not looked at.
                let late = pings.last_pong.is_some_and(|pong| pong.packet > first.at.packet);
                waited(pings.oldest_unanswered()) || (late && waited(pings.last_answered))
            }
            _ => false,
        }
    }

    /// A browser that sends the first Close frame with a code no page script may send has failed the connection
    /// (RFC 6455 §7.1.7) and reports 1006, whatever comes back.
    fn fails_the_connection(&self, side: Side) -> bool {
        let is_browser = self.handshake.request.as_ref().is_some_and(|request| request.is_browser());
        side == Side::Client
            && is_browser
            && self.closing.initiator == Some(Side::Client)
            && self.traffic.client.close.as_ref().is_some_and(|close| {
                matches!(close_code(&close.payload), Some(code) if code != 1000 && !(3000..=4999).contains(&code))
            })
    }
}
