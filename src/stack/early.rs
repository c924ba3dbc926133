//! Who sent on, or began, before the upgrade request was answered (RFC 6455 §4.1: the client MUST wait for the response).
//!
//! That a packet was recorded first is no proof: captures of several queues swap packets, and the response may have been
//! under way. The client's own acknowledgements tell how much of the response it had when it sent.

use crate::http::Response;
use crate::units::{Origin, Side, StreamOffset};
use crate::violation::{Detail, Violation, ViolationRule};

/// Further apart than packets are swapped by.
const NO_SWAP_SECONDS: f64 = 0.003;

/// What each side sent too early, for one upgrade request at a time.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// How much of the server's stream the client has acknowledged.
    acked: Option<StreamOffset>,
    /// The same when it sent its request: where the response begins.
    response_begins: Option<StreamOffset>,
    /// How much of that stream is in the capture.
    reached: StreamOffset,
    client: Option<SentOn>,
    server: Option<Sent>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Origin,
    offset: StreamOffset,
}

/// The first bytes behind the upgrade request.
#[derive(Debug, Clone, Copy)]
struct SentOn {
    sent: Sent,
    /// What the client had acknowledged then; `None` when the capture does not tell.
    acked: Option<StreamOffset>,
    /// They came in the same packet as the end of the request.
    with_request: bool,
    /// They acknowledge nothing that the capture lacks, such as a 101.
    nothing_unseen: bool,
}

impl Early {
    /// `server_silent`: the client has acknowledged that the server sent nothing.
    pub(super) fn new(server_silent: bool) -> Self {
        Self { acked: server_silent.then_some(StreamOffset(0)), ..Self::default() }
    }

    pub(super) fn acknowledged(&mut self, upto: StreamOffset) {
        self.acked = self.acked.max(Some(upto));
    }

    /// Another upgrade request came.
    pub(super) fn restart(&mut self) {
        (self.client, self.server) = (None, None);
        self.response_begins = self.acked;
    }

    /// The server's stream is in the capture up to here.
    pub(super) fn server_reached(&mut self, upto: StreamOffset) {
        self.reached = self.reached.max(upto);
    }

    /// Whether `offset` is where the response has to begin, so that the capture lacks nothing before it.
    pub(super) fn response_begins_at(&self, offset: StreamOffset) -> bool {
        self.response_begins == Some(offset)
    }

    /// The client sent bytes behind its request, the last packet of which is `request`.
    pub(super) fn client_sent(&mut self, at: Origin, offset: StreamOffset, request: Option<Origin>) {
        let with_request = request.is_some_and(|request| request.packet == at.packet);
        let nothing_unseen = self.acked.is_some_and(|acked| acked <= self.reached);
        let sent = Sent { at, offset };
        self.client.get_or_insert(SentOn { sent, acked: self.acked, with_request, nothing_unseen });
    }

    /// The server sent a frame where its response is awaited.
    pub(super) fn server_sent(&mut self, at: Origin, offset: StreamOffset) {
        self.server.get_or_insert(Sent { at, offset });
    }

    /// Whether the server's response is not the first that it sent.
    pub(super) fn server_began(&self) -> bool {
        self.server.is_some()
    }

    /// Whether the client sent on.
    pub(super) fn client_went_on(&self) -> bool {
        self.client.is_some()
    }

    /// What was sent before `response`, which ends at `end` of the server's stream. `frames`: what the client sent are
    /// frames, and not its next request, which it may send when this one is refused.
    pub(super) fn before(&self, response: &Response, end: StreamOffset, frames: bool) -> Vec<Violation> {
        let mut violations = Vec::new();
        if let Some(Sent { at, offset }) = self.server {
            violations.push(violation(Side::Server, at, offset, before(response, at)));
        }
        if let Some(SentOn { sent: Sent { at, offset }, .. }) = self.client.filter(|sent_on| {
            frames
                && match sent_on.acked {
                    _ if sent_on.with_request => true,
                    Some(acked) => acked < end,
                    None => response.first.seconds_since(&sent_on.sent.at).is_some_and(|wait| wait > NO_SWAP_SECONDS),
                }
        }) {
            violations.push(violation(Side::Client, at, offset, before(response, at)));
        }
        violations.sort_by_key(|violation| violation.at.packet);
        violations
    }

    /// The same when no response came at all.
    pub(super) fn unanswered(&self, frames: bool) -> Vec<Violation> {
        let server = self.server.map(|sent| (Side::Server, sent));
        let client = self.client.filter(|sent_on| frames && (sent_on.with_request || sent_on.nothing_unseen));
        let client = client.map(|sent_on| (Side::Client, sent_on.sent));
        let sent = server.into_iter().chain(client);
        sent.map(|(side, Sent { at, offset })| violation(side, at, offset, "no response came".into())).collect()
    }
}

/// Watches for client bytes that are recorded behind the 101 and were sent before it had arrived: they crossed on the way.
#[derive(Debug)]
pub(super) struct Crossing {
    /// When the last byte of the 101 was recorded, and where it is in the server's stream.
    response: Origin,
    end: StreamOffset,
    acked: Option<StreamOffset>,
}

impl Crossing {
    /// Follows the 101 that was recorded in `response` and ends at `end`.
    pub(super) fn new(early: &Early, response: Origin, end: StreamOffset) -> Self {
        Self { response, end, acked: early.acked }
    }

    pub(super) fn acknowledged(&mut self, upto: StreamOffset) {
        self.acked = self.acked.max(Some(upto));
    }

    /// Judges the first bytes of the client behind the 101.
    pub(super) fn judge(self, at: Origin, offset: StreamOffset) -> Option<Violation> {
        self.acked.filter(|&acked| acked < self.end)?;
        let detail = match at.seconds_since(&self.response) {
            Some(seconds) => format!("before the 101 had arrived, recorded {} ms after it", milliseconds(seconds)),
            None => "before the 101 had arrived".to_owned(),
        };
        Some(violation(Side::Client, at, offset, detail))
    }
}

fn before(response: &Response, at: Origin) -> String {
    let status = response.status;
    match response.last.seconds_since(&at) {
        Some(seconds) if seconds >= 0.0 => format!("{} ms before the {status}", milliseconds(seconds)),
        _ => format!("before the {status} had arrived"),
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.3}", seconds * 1000.0)
}

fn violation(side: Side, at: Origin, offset: StreamOffset, detail: String) -> Violation {
    let rule = ViolationRule::FrameBefore101;
    Violation { rule, side, at, offset: Some(offset), detail: Detail::Text(detail.into()) }
}
