//! What each side's application was told, derived from what went over the wire (RFC 6455 §7.1.4–7.1.6).

use super::{Connection, Outcome, close_code};
use crate::units::Side;

/// The close event an application saw: `code`, `reason` and `wasClean` of the browser's `CloseEvent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiView {
    /// The status code; 1005 and 1006 are made up here, as endpoints make them up.
    pub code: u16,
    /// The reason, with invalid UTF-8 replaced.
    pub reason: String,
    /// The closing handshake was done before TCP ended.
    pub was_clean: bool,
}

impl ApiView {
    fn abnormal() -> Self {
        Self { code: 1006, reason: String::new(), was_clean: false }
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
        if let Some(close) = &self.traffic[side.other()].close {
            if self.fails_the_connection(side) {
                return Some(ApiView::abnormal());
            }
            let reason = match &close.payload {
                crate::websocket::ClosePayload::Status { reason, .. } => reason.text().into_owned(),
                _ => String::new(),
            };
            let was_clean = self.closing.is_clean();
            return Some(ApiView { code: close_code(&close.payload).unwrap_or(1005), reason, was_clean });
        }
        if !self.visibility[side.other()].frames_complete() || self.tcp_end().is_none() {
            return None;
        }
        Some(ApiView::abnormal())
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
