//! HTTP/1.1 until a 101 answers an upgrade request: requests and responses are paired in order, bodies skipped.
//!
//! Bytes that the client sends behind an upgrade request are held back until the response tells whether they are
//! frames or the next request. At most [`HELD_BYTES`] are held; a client that sends more before its answer loses the
//! rest of its direction, which is noted as a gap.

use super::websocket::WebSocketStage;
use super::{Shared, new_connection, record_end, record_gap, side_of};
use crate::connection::{Connection, EndSignalKind, Observed, Outcome};
use crate::http::{self, Request, RequestReader, Response, ResponseReader, Step};
use crate::stream::{Chunk, End, Gap, StreamEnd};
use crate::tcp::FlowStart;
use crate::units::{Origin, PerSide, Side, StreamOffset};
use crate::violation::ViolationRule;
use crate::websocket::{Decoder, DecoderConfig, Deflate};
use std::collections::VecDeque;

/// Bytes of the client held back while the answer to its upgrade request is awaited.
const HELD_BYTES: usize = 256 << 10;

/// Requests whose response is awaited at once; a client that pipelines more is not followed.
const PIPELINED: usize = 64;

#[derive(Debug)]
pub(super) struct HttpStage {
    client: End,
    requests: RequestReader,
    responses: ResponseReader,
    awaited: VecDeque<Awaited>,
    held: Held,
    /// Set by the first request that wants a WebSocket.
    connection: Option<Box<Connection>>,
    /// A side whose bytes can no longer be followed.
    dead: PerSide<bool>,
}

#[derive(Debug, PartialEq, Eq)]
enum Awaited {
    Ordinary,
    Upgrade,
}

/// Chunks of the client that came behind its upgrade request.
#[derive(Debug, Default)]
struct Held {
    chunks: Vec<(StreamOffset, Origin, Box<[u8]>)>,
    bytes: usize,
    overflow: Option<Origin>,
}

pub(super) enum Next {
    Stay,
    Opaque,
    Upgrade(Box<WebSocketStage>),
}

impl HttpStage {
    pub(super) fn new(client: End) -> Self {
        Self {
            client,
            requests: RequestReader::new(),
            responses: ResponseReader::new(),
            awaited: VecDeque::new(),
            held: Held::default(),
            connection: None,
            dead: PerSide::default(),
        }
    }

    pub(super) fn client(&self) -> End {
        self.client
    }

    pub(super) fn chunk(&mut self, start: &FlowStart, shared: &mut Shared, chunk: Chunk<'_>) -> Next {
        let side = side_of(chunk.from, self.client);
        if self.dead[side] {
            return Next::Stay;
        }
        match side {
            Side::Client => self.client_bytes(start, shared, chunk),
            Side::Server => self.server_bytes(start, shared, chunk),
        }
    }

    fn client_bytes(&mut self, start: &FlowStart, shared: &mut Shared, mut chunk: Chunk<'_>) -> Next {
        while !chunk.bytes.is_empty() {
            if self.awaited.back() == Some(&Awaited::Upgrade) {
                self.held.push(&chunk);
                return Next::Stay;
            }
            let (step, consumed) = self.requests.push(&shared.limits, chunk.offset, chunk.origin, chunk.bytes);
            match step {
                Step::NeedMore => return Next::Stay,
                Step::Failed(why) => return self.give_up(Side::Client, why, shared),
                Step::Head(request) => self.request(start, shared, request),
            }
            if self.awaited.len() > PIPELINED {
                return self.give_up(Side::Client, http::WhyNotHttp::TooLarge, shared);
            }
            chunk = rest(chunk, consumed);
        }
        Next::Stay
    }

    fn request(&mut self, start: &FlowStart, shared: &Shared, request: Box<Request>) {
        if !request.wants_websocket() {
            self.awaited.push_back(Awaited::Ordinary);
            return;
        }
        self.awaited.push_back(Awaited::Upgrade);
        let client = self.client;
        let connection = self.connection.get_or_insert_with(|| Box::new(new_connection(start, client, &shared.limits)));
        connection.payload(request.last);
        connection.observe(request.last, Some(Side::Client), Observed::Request);
        connection.handshake.outcome = Outcome::None;
        connection.handshake.response = None;
        connection.handshake.request = Some(request);
    }

    fn server_bytes(&mut self, start: &FlowStart, shared: &mut Shared, mut chunk: Chunk<'_>) -> Next {
        while !chunk.bytes.is_empty() {
            let (step, consumed) = self.responses.push(&shared.limits, chunk.offset, chunk.origin, chunk.bytes);
            match step {
                Step::NeedMore => return Next::Stay,
                Step::Failed(why) => {
                    if let Some(connection) = &mut self.connection {
                        connection.handshake.outcome = Outcome::Failed;
                        let is_tls = crate::tls::looks_like_tls(chunk.bytes).unwrap_or(false);
                        connection.handshake.answered_with_tls = is_tls;
                        connection.handshake.answered_with_other = !is_tls;
                    }
                    return self.give_up(Side::Server, why, shared);
                }
                Step::Head(response) => {
                    chunk = rest(chunk, consumed);
                    if let Some(mut stage) = self.response(start, shared, response) {
                        if !chunk.bytes.is_empty() {
                            stage.chunk(shared, chunk);
                        }
                        return Next::Upgrade(stage);
                    }
                }
            }
        }
        Next::Stay
    }

    /// Takes in one response; gives the next stage when it switches protocols.
    fn response(
        &mut self,
        start: &FlowStart,
        shared: &mut Shared,
        response: Box<Response>,
    ) -> Option<Box<WebSocketStage>> {
        if response.is_interim() {
            return None;
        }
        let switches = response.status == 101;
        let awaited = self.awaited.pop_front();
        if awaited != Some(Awaited::Upgrade) && !(switches && response.accepts_websocket()) {
            return None;
        }
        let client = self.client;
        let connection = self.connection.get_or_insert_with(|| Box::new(new_connection(start, client, &shared.limits)));
        connection.payload(response.last);
        connection.observe(response.last, Some(Side::Server), Observed::Response(response.status));
        let request = connection.handshake.request.as_deref();
        let violations = request.map(|request| http::check(request, Some(&response))).unwrap_or_default();
        let refusable = violations.iter().any(|violation| client_must_refuse(violation.rule));
        for violation in violations {
            connection.violation(violation, &shared.limits);
        }
        connection.handshake.outcome = match (switches, refusable) {
            (true, false) => Outcome::Accepted,
            (true, true) => Outcome::Failed,
            (false, _) => Outcome::Rejected,
        };
        if switches {
            connection.handshake.negotiated = http::negotiated(connection.handshake.request.as_deref(), &response);
        } else {
            connection.end_signal(EndSignalKind::HandshakeRejected, Side::Server, response.last);
        }
        connection.handshake.response = Some(response);
        if switches { Some(self.upgrade(shared)) } else { self.replay_as_http(start, shared) }
    }

    /// The 101 came: from here on both directions are frames.
    fn upgrade(&mut self, shared: &mut Shared) -> Box<WebSocketStage> {
        let connection = self.connection.take().expect("set by the caller, `response`");
        let deflate = connection.handshake.negotiated.deflate;
        let decoder = |sender: Side| {
            let deflate = deflate.map(|sides| {
                let params = sides[sender];
                Deflate { no_context_takeover: params.no_context_takeover, window_bits: params.window_bits }
            });
            Decoder::new(DecoderConfig { sender, deflate })
        };
        let decoders = PerSide { client: decoder(Side::Client), server: decoder(Side::Server) };
        let mut stage = Box::new(WebSocketStage::new(self.client, connection, decoders));
        let held = std::mem::take(&mut self.held);
        for (offset, origin, bytes) in &held.chunks {
            let chunk = Chunk { from: self.client, offset: *offset, origin: *origin, bytes };
            stage.chunk(shared, chunk);
        }
        if let Some(origin) = held.overflow {
            let offset = held.chunks.last().map_or(StreamOffset(0), |(at, _, bytes)| at.plus(bytes.len() as u64));
            stage.gap(
                shared,
                Gap { from: self.client, offset, len: None, reason: crate::stream::GapReason::Limit, origin },
            );
        }
        stage
    }

    /// The upgrade was refused: what the client sent meanwhile is its next request.
    fn replay_as_http(&mut self, start: &FlowStart, shared: &mut Shared) -> Option<Box<WebSocketStage>> {
        let held = std::mem::take(&mut self.held);
        for (offset, origin, bytes) in &held.chunks {
            let chunk = Chunk { from: self.client, offset: *offset, origin: *origin, bytes };
            self.client_bytes(start, shared, chunk);
        }
        None
    }

    fn give_up(&mut self, side: Side, why: http::WhyNotHttp, shared: &mut Shared) -> Next {
        if why == http::WhyNotHttp::TooLarge {
            shared.hits.http_head += 1;
        }
        self.dead[side] = true;
        if self.connection.is_some() { Next::Stay } else { Next::Opaque }
    }

    /// Notes missing bytes; `false` when nothing can be made of the rest.
    pub(super) fn gap(&mut self, gap: Gap) -> bool {
        let side = side_of(gap.from, self.client);
        self.dead[side] = true;
        if let Some(connection) = &mut self.connection {
            record_gap(connection, gap, side);
        }
        self.connection.is_some()
    }

    pub(super) fn end(&mut self, end: StreamEnd) {
        if let Some(connection) = &mut self.connection {
            record_end(connection, end, side_of(end.from, self.client));
        }
    }

    pub(super) fn finish(self) -> Option<Box<Connection>> {
        self.connection
    }
}

impl Held {
    fn push(&mut self, chunk: &Chunk<'_>) {
        if self.overflow.is_some() {
            return;
        }
        if self.bytes + chunk.bytes.len() > HELD_BYTES {
            self.overflow = Some(chunk.origin);
            return;
        }
        self.bytes += chunk.bytes.len();
        self.chunks.push((chunk.offset, chunk.origin, chunk.bytes.into()));
    }
}

/// What is left of a chunk after its first `consumed` bytes.
fn rest(chunk: Chunk<'_>, consumed: usize) -> Chunk<'_> {
    let bytes = chunk.bytes.get(consumed..).unwrap_or_default();
    Chunk { offset: chunk.offset.plus(consumed as u64), bytes, ..chunk }
}

/// The faults of a 101 over which RFC 6455 §4.1 tells the client to fail the connection.
fn client_must_refuse(rule: ViolationRule) -> bool {
    matches!(
        rule,
        ViolationRule::BadAccept
            | ViolationRule::MissingAccept
            | ViolationRule::MissingUpgradeToken
            | ViolationRule::UnrequestedSubprotocol
            | ViolationRule::UnrequestedExtension
            | ViolationRule::ExtensionParameterInvalid
    )
}
