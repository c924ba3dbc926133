//! The opening handshake of one connection, as far as the capture shows it (RFC 6455 §4).

use crate::http::{self, Negotiated, Request, Response};
use crate::units::Endpoint;

/// How the opening handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Outcome {
    /// A 101 that a client may accept.
    Accepted,
    /// An HTTP response other than 101.
    Rejected,
    /// A 101 that a client must refuse, or an answer that is no HTTP response.
    Failed,
    /// The connection was open before the capture began.
    NotCaptured,
    /// No request was sent, or none was answered.
    #[default]
    None,
}

impl Outcome {
    /// The name in the JSON output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::NotCaptured => "not_captured",
            Self::None => "none",
        }
    }
}

/// The upgrade request, its response, and what they agreed on.
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    /// How it ended.
    pub outcome: Outcome,
    /// The request that wanted a WebSocket.
    pub request: Option<Box<Request>>,
    /// The response to it.
    pub response: Option<Box<Response>>,
    /// The number that a JSON object in the response calls its code, when it refused the upgrade.
    pub body_code: Option<Box<i64>>,
    /// The server answered the plain request with TLS records.
    pub answered_with_tls: bool,
    /// The server refused the plain request with a page that says that its port wants TLS.
    pub wants_tls: bool,
    /// The server answered the plain request with bytes that are neither HTTP nor TLS.
    pub answered_with_other: bool,
}

impl Handshake {
    /// Subprotocol and extensions in force; meaningful when accepted.
    #[must_use]
    pub fn negotiated(&self) -> Negotiated {
        let settled = self.response.as_deref().map(|response| http::negotiated(self.request.as_deref(), response));
        settled.unwrap_or_default()
    }
}

/// Another TCP connection with the same upgrade request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Number of its flow.
    pub flow: u64,
    /// Who sent the request.
    pub client: Endpoint,
    /// Who received it.
    pub server: Endpoint,
    /// Whether the request lacks the upgrade there.
    pub stripped: bool,
}
