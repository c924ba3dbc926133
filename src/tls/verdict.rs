//! What the facts of a TLS connection amount to.

use super::{Alert, HandshakeState, NotTlsKind, TlsFacts, TlsVersion, WhyNot};
use crate::units::{Origin, Side};

/// `close_notify` (RFC 8446 §6.1): the only alert that ends a connection in order.
const CLOSE_NOTIFY: u8 = 0;

impl TlsFacts {
    /// Whether the handshake visibly failed: it began here, and an alert in clear, bytes that are not TLS, or the end
    /// of TCP (which the caller knows) came before it was done.
    #[must_use]
    pub fn failed(&self, tcp_ended: bool) -> bool {
        self.client_hello.is_some()
            && (self.fatal_alert().is_some()
                || self.plain_answer().is_some()
                || (tcp_ended && self.finished_handshake == HandshakeState::No))
    }

    /// The first alert other than `close_notify` that could be read and came before any data of its sender: what a
    /// handshake failed of.
    #[must_use]
    pub fn fatal_alert(&self) -> Option<&Alert> {
        self.alerts.iter().find(|alert| !alert.after_data && alert.description != CLOSE_NOTIFY)
    }

    /// Where the server answered the ClientHello with HTTP.
    #[must_use]
    pub fn plain_answer(&self) -> Option<Origin> {
        let not_tls = self.not_tls.as_ref()?;
        let is_http = not_tls.kind == NotTlsKind::HttpResponse;
        (not_tls.side == Side::Server && is_http && !not_tls.after_records).then_some(not_tls.origin)
    }

    /// Why not all that was protected could be read; where there was nothing to read, that there were no keys for it.
    #[must_use]
    pub fn why_not_read(&self) -> Option<WhyNot> {
        self.decryption.why_not().or((!self.is_read()).then_some(WhyNot::NoKeys))
    }

    /// The version in use, or the highest that was offered while none was chosen.
    #[must_use]
    pub fn version_name(&self) -> Option<String> {
        self.version().map(|version: TlsVersion| version.to_string())
    }
}
