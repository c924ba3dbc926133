//! HTTP/1.1 until a 101 answers an upgrade request: requests and responses are paired in order, bodies skipped.
//!
//! Bytes that the client sends behind an upgrade request are held back until the response tells whether they are
//! frames or the next request. At most [`HELD_BYTES`] are held; a client that sends more before its answer loses the
//! rest of its direction, which is noted as a gap.
//!
//! Where the capture misses a head or part of it, the stage changes all the same as soon as it is clear that it must: the
//! start of a 101 was seen, or the client sends frames behind an upgrade request.

use super::awaited::{Awaited, Queue};
use super::early::{Crossing, Early};
use super::held::{EARLY_BYTES, Held, HeldItem};
use super::page::wants_tls;
use super::websocket::WebSocketStage;
use super::{Shared, Stage, Traffic, new_connection, record_alert, record_end, record_gap, side_of};
use crate::application;
use crate::connection::{Basis, Connection, EndSignalKind, Observed, Outcome};
use crate::http::{self, Request, RequestReader, Response, ResponseReader, Step};
use crate::stream::{Chunk, End, Gap, GapReason, StreamEnd};
use crate::tcp::FlowStart;
use crate::tls::Alert;
use crate::units::{PerSide, Side, StreamOffset};
use crate::websocket::{self, Decoder, DecoderConfig, Deflate};

/// Bytes of the client held back while the answer to its upgrade request is awaited.
const HELD_BYTES: usize = 256 << 10;

/// The same where it is not even known that there was one.
const HELD_BYTES_WITHOUT_REQUEST: usize = 16 << 10;

/// Bytes kept of what stands in a response that refuses an upgrade.
const REFUSAL_BYTES: usize = 512;

/// Requests whose response is awaited at once; a client that pipelines more is not followed.
const PIPELINED: usize = 64;

#[derive(Debug)]
pub(super) struct HttpStage {
    client: End,
    requests: RequestReader,
    responses: ResponseReader,
    awaited: Queue,
    held: Held,
    /// Set by the first request that wants a WebSocket.
    connection: Option<Box<Connection>>,
    /// A side whose bytes can no longer be followed.
    dead: PerSide<bool>,
    /// A side of whose heads bytes are missing: its bytes are held back from there on.
    lost: PerSide<bool>,
    /// The response that is not complete yet switches protocols.
    switching: bool,
    /// A byte or the end of the server was seen.
    server_seen: bool,
    /// A whole request or response was read.
    has_heads: bool,
    /// What the server sent before any request it could answer.
    early: Held,
    /// What either side sent while the answer to an upgrade request was awaited.
    sent_early: Early,
    /// The beginning of what stands in the response that refused the upgrade, while it may go on.
    refusal: Option<Vec<u8>>,
}

pub(super) enum Next {
    Stay,
    Opaque,
    Upgrade(Box<WebSocketStage>),
}

impl HttpStage {
    /// `client_lost`: the first bytes of the client are missing. `server_silent`: the client has acknowledged that the
    /// server sent none.
    pub(super) fn new(client: End, client_lost: bool, server_silent: bool) -> Self {
        Self {
            client,
            requests: RequestReader::new(),
            responses: ResponseReader::new(),
            awaited: Queue::default(),
            held: Held::default(),
            connection: None,
            dead: PerSide::default(),
            lost: PerSide { client: client_lost, server: false },
            switching: false,
            server_seen: false,
            has_heads: false,
            early: Held::default(),
            sent_early: Early::new(server_silent),
            refusal: None,
        }
    }

    pub(super) fn client(&self) -> End {
        self.client
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.requests.kept_bytes()
            + self.responses.kept_bytes()
            + self.held.bytes
            + self.early.bytes
            + self.refusal.as_ref().map_or(0, Vec::capacity)
    }

    pub(super) fn chunk(&mut self, start: &FlowStart, shared: &mut Shared, chunk: Chunk<'_>) -> Next {
        let side = side_of(chunk.from, self.client);
        if side == Side::Server {
            self.server_seen = true;
            self.sent_early.server_reached(chunk.offset.plus(chunk.bytes.len() as u64));
        }
        if self.dead[side] {
            return Next::Stay;
        }
        if self.lost[side] {
            self.hold(&chunk);
            return self.upgrade_by_frames(shared);
        }
        match side {
            Side::Client if self.answers_unseen_request(&chunk) => match self.replay_early(start, shared) {
                Next::Upgrade(mut stage) => {
                    stage.chunk(shared, chunk);
                    Next::Upgrade(stage)
                }
                next => next,
            },
            Side::Client => match self.client_bytes(start, shared, chunk) {
                Next::Stay if !self.is_unasked() => self.replay_early(start, shared),
                next => next,
            },
            Side::Server if self.is_unasked() && self.early.takes(&chunk) => {
                self.early.push(&chunk, EARLY_BYTES);
                Next::Stay
            }
            Side::Server => match self.replay_early(start, shared) {
                Next::Stay => self.server_bytes(start, shared, chunk),
                Next::Upgrade(mut stage) => {
                    stage.chunk(shared, chunk);
                    Next::Upgrade(stage)
                }
                Next::Opaque => Next::Opaque,
            },
        }
    }

    /// Whether a response now would come before its request, as when a capture with several queues swaps the two.
    fn is_unasked(&self) -> bool {
        self.awaited.is_empty() && !self.dead.client && !self.lost.client
    }

    /// Whether the client goes on without a request behind a response that still waits for one: the capture began in
    /// between.
    fn answers_unseen_request(&self, chunk: &Chunk<'_>) -> bool {
        self.is_unasked()
            && !self.early.items.is_empty()
            && !self.requests.is_inside_head()
            && http::looks_like_http(chunk.bytes) != Some(http::Role::Request)
    }

    /// Takes in what the server sent before its request was recorded.
    fn replay_early(&mut self, start: &FlowStart, shared: &mut Shared) -> Next {
        let mut next = Next::Stay;
        if self.early.items.is_empty() {
            return next;
        }
        for item in std::mem::take(&mut self.early).items {
            let HeldItem::Chunk { from, offset, origin, bytes } = &item else { continue };
            let chunk = Chunk { from: *from, offset: *offset, origin: *origin, bytes };
            match &mut next {
                Next::Stay if self.dead.server => {}
                Next::Stay => next = self.server_bytes(start, shared, chunk),
                Next::Upgrade(stage) => stage.chunk(shared, chunk),
                Next::Opaque => {}
            }
        }
        next
    }

    fn client_bytes(&mut self, start: &FlowStart, shared: &mut Shared, mut chunk: Chunk<'_>) -> Next {
        while !chunk.bytes.is_empty() {
            if self.awaits_upgrade() {
                let request = self.connection.as_ref().and_then(|connection| connection.handshake.request.as_ref());
                self.sent_early.client_sent(chunk.origin, chunk.offset, request.map(|request| request.last));
                self.hold(&chunk);
                return if self.lost.server || self.held.overflow.is_some() {
                    self.upgrade_by_frames(shared)
                } else {
                    Next::Stay
                };
            }
            let (step, consumed) = self.requests.push(&mut shared.heads, chunk.offset, chunk.origin, chunk.bytes);
            match step {
                Step::NeedMore => return Next::Stay,
                Step::Failed(why) => return self.give_up(Side::Client, why, shared),
                Step::Head(request) => {
                    self.has_heads = true;
                    self.request(start, shared, request);
                }
            }
            if self.awaited.len() > PIPELINED {
                return self.give_up(Side::Client, http::WhyNotHttp::TooLarge, shared);
            }
            chunk = rest(chunk, consumed);
        }
        Next::Stay
    }

    /// Whether this is HTTP beyond doubt.
    pub(super) fn has_heads(&self) -> bool {
        self.has_heads
    }

    fn awaits_upgrade(&self) -> bool {
        self.awaited.last() == Some(&Awaited::Upgrade)
    }

    fn hold(&mut self, chunk: &Chunk<'_>) {
        let room = if self.awaits_upgrade() { HELD_BYTES } else { HELD_BYTES_WITHOUT_REQUEST };
        self.held.push(chunk, room);
    }

    fn request(&mut self, start: &FlowStart, shared: &mut Shared, request: Box<Request>) {
        if !request.wants_websocket() {
            self.awaited.push(Awaited::Ordinary(request.method.clone()));
            self.expect();
            return;
        }
        self.awaited.push(Awaited::Upgrade);
        self.sent_early.restart();
        let client = self.client;
        let connection = self.connection.get_or_insert_with(|| Box::new(new_connection(start, client, &shared.limits)));
        connection.payload(Side::Client, request.last);
        connection.observe(request.last, Some(Side::Client), Observed::Request);
        for violation in shared.heads.check_request(&request) {
            connection.violation(violation, &shared.limits);
        }
        connection.handshake.outcome = Outcome::None;
        connection.handshake.response = None;
        connection.handshake.body_code = None;
        connection.handshake.request = Some(request);
        shared.notices.request(connection);
        // A refusal that was followed by another attempt ended nothing; and there may be any number of them.
        if connection.is_ending() {
            connection.ending.retain(|signal| signal.kind != EndSignalKind::HandshakeRejected);
        }
    }

    /// Tells the reader of responses which request comes next: behind a CONNECT begins a tunnel, with another request in
    /// it (RFC 6455 §4.1, proxies).
    fn expect(&mut self) {
        if let Some(Awaited::Ordinary(method)) = self.awaited.first() {
            self.responses.expect(method);
        }
    }

    fn server_bytes(&mut self, start: &FlowStart, shared: &mut Shared, mut chunk: Chunk<'_>) -> Next {
        while !chunk.bytes.is_empty() {
            let (step, consumed) = self.responses.push(&mut shared.heads, chunk.offset, chunk.origin, chunk.bytes);
            match step {
                Step::NeedMore => {
                    self.refused_with(chunk.bytes);
                    self.switching |=
                        [b"HTTP/1.1 101", b"HTTP/1.0 101"].iter().any(|line| chunk.bytes.starts_with(*line));
                    return Next::Stay;
                }
                Step::Failed(why) => {
                    if self.speaks_websocket(why, &chunk) && !self.sent_early.server_began() {
                        if self.sent_early.response_begins_at(chunk.offset) {
                            self.began_too_early(&chunk);
                        } else if let Some(next) = self.frames_behind_unseen(shared, chunk) {
                            return next;
                        }
                    }
                    if self.sent_early.server_began() && why == http::WhyNotHttp::NotHttp {
                        let Some(next) = next_head(chunk) else { return Next::Stay };
                        (self.responses, chunk) = (ResponseReader::new(), next);
                        continue;
                    }
                    if let Some(connection) = &mut self.connection {
                        connection.handshake.outcome = Outcome::Failed;
                        let is_tls = crate::tls::looks_like_tls(chunk.bytes).unwrap_or(false);
                        connection.handshake.answered_with_tls = is_tls;
                        connection.handshake.answered_with_other = !is_tls;
                    }
                    return self.give_up(Side::Server, why, shared);
                }
                Step::Head(response) => {
                    (self.switching, self.has_heads, self.refusal) = (false, true, None);
                    chunk = rest(chunk, consumed);
                    if let Some(mut stage) = self.response(start, shared, response, chunk.offset) {
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

    /// Takes in more of a response behind its head. Only what refuses an upgrade is looked at, and only its beginning.
    fn refused_with(&mut self, bytes: &[u8]) {
        let (Some(body), Some(connection)) = (&mut self.refusal, &mut self.connection) else { return };
        let room = REFUSAL_BYTES.saturating_sub(body.len());
        if room > 0 && !bytes.is_empty() {
            body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            let handshake = &mut connection.handshake;
            handshake.body_code = handshake.body_code.take().or_else(|| application::code_in(body).map(Box::new));
            handshake.wants_tls |= wants_tls(body);
        }
    }

    /// Whether the server speaks WebSocket where its response is awaited.
    fn speaks_websocket(&self, why: http::WhyNotHttp, chunk: &Chunk<'_>) -> bool {
        // Nothing is agreed on yet that could set other bits; and many protocols begin with what might be a fragment.
        let is_whole = chunk.bytes.first().is_some_and(|byte| byte & 0xF0 == 0x80);
        self.awaited.first() == Some(&Awaited::Upgrade)
            && why == http::WhyNotHttp::NotHttp
            && is_whole
            && websocket::begins_with_frame(Side::Server, chunk.bytes)
    }

    /// A server that writes to a connection before its handshake is through. The response may follow.
    fn began_too_early(&mut self, chunk: &Chunk<'_>) {
        self.sent_early.server_sent(chunk.origin, chunk.offset);
        if let Some(connection) = &mut self.connection {
            connection.handshake.outcome = Outcome::Failed;
            connection.handshake.answered_with_other = true;
        }
    }

    /// The response is missing, and nothing but the frames behind it shows that.
    fn frames_behind_unseen(&mut self, shared: &mut Shared, chunk: Chunk<'_>) -> Option<Next> {
        let connection = self.connection.take()?;
        let Chunk { from, offset, origin, .. } = chunk;
        let gap = Gap { from, offset, len: None, reason: GapReason::NotCaptured, origin };
        let mut stage = self.upgrade_unseen(shared, connection, Some(gap));
        stage.chunk(shared, chunk);
        Some(Next::Upgrade(stage))
    }

    /// Takes in one response; gives the next stage when it switches protocols.
    fn response(
        &mut self,
        start: &FlowStart,
        shared: &mut Shared,
        response: Box<Response>,
        end: StreamOffset,
    ) -> Option<Box<WebSocketStage>> {
        if response.is_interim() {
            return None;
        }
        let switches = response.status == 101;
        let awaited = self.awaited.pop();
        self.expect();
        if awaited != Some(Awaited::Upgrade) && !(switches && response.accepts_websocket()) {
            return None;
        }
        let client = self.client;
        let connection = self.connection.get_or_insert_with(|| Box::new(new_connection(start, client, &shared.limits)));
        shared.notices.answered(connection);
        connection.payload(Side::Server, response.last);
        connection.observe(response.last, Some(Side::Server), Observed::Response(response.status));
        let request = connection.handshake.request.as_deref().filter(|_| awaited == Some(Awaited::Upgrade));
        let faults = shared.heads.check_response(request, &response);
        let spoilt = self.sent_early.server_began() || faults.iter().any(|fault| fault.rule.spoils_101());
        let frames = switches || self.held.begins_with_frame(client);
        for violation in self.sent_early.before(&response, end, frames).into_iter().chain(faults) {
            connection.violation(violation, &shared.limits);
        }
        connection.handshake.outcome = match (switches, spoilt) {
            (true, false) => Outcome::Accepted,
            (true, true) => Outcome::Failed,
            (false, _) => Outcome::Rejected,
        };
        connection.handshake.answered_with_other = false;
        if !switches {
            connection.end_signal(EndSignalKind::HandshakeRejected, Side::Server, response.last);
            self.refusal = Some(Vec::new());
        }
        connection.handshake.response = Some(response);
        if switches { Some(self.upgrade(shared, end)) } else { self.replay_as_http(start, shared) }
    }

    /// The 101 came: from here on both directions are frames.
    fn upgrade(&mut self, shared: &mut Shared, end: StreamOffset) -> Box<WebSocketStage> {
        let connection = self.connection.take().expect("set by the caller, `response`");
        let deflate = connection.handshake.negotiated().deflate;
        let config = |sender: Side| {
            let deflate = deflate.map(|sides| {
                let params = sides[sender];
                Deflate { no_context_takeover: params.no_context_takeover, window_bits: params.window_bits }
            });
            DecoderConfig { sender, deflate }
        };
        // Of a request that was not seen the capture may hold a late copy, so that not all the client sends is frames.
        let client = if self.lost.client || connection.handshake.request.is_none() {
            Decoder::joined_late(config(Side::Client), &shared.scratch)
        } else {
            Decoder::new(config(Side::Client))
        };
        let decoders = PerSide { client, server: Decoder::new(config(Side::Server)) };
        let response = connection.handshake.response.as_ref().map(|response| response.last);
        let mut stage = Box::new(WebSocketStage::new(self.client, Basis::Upgrade, connection, decoders, shared));
        std::mem::take(&mut self.held).replay(shared, &mut stage);
        if let Some(response) = response.filter(|_| !self.sent_early.client_went_on()) {
            stage.watch_crossing(Crossing::new(&self.sent_early, response, end));
        }
        stage
    }

    /// No whole response came and none will: the protocol changes without it. `gap` hides the rest of its head.
    fn upgrade_unseen(
        &mut self,
        shared: &mut Shared,
        mut connection: Box<Connection>,
        gap: Option<Gap>,
    ) -> Box<WebSocketStage> {
        let client = self.client;
        connection.handshake.outcome = Outcome::Accepted;
        let searching = |sender| Decoder::joined_late(DecoderConfig { sender, deflate: None }, &shared.scratch);
        let of_client =
            if self.lost.client { searching(Side::Client) } else { Decoder::after_unseen_handshake(Side::Client) };
        let decoders = PerSide { client: of_client, server: searching(Side::Server) };
        let mut stage = Box::new(WebSocketStage::new(client, Basis::Upgrade, connection, decoders, shared));
        match gap {
            Some(gap) if gap.reason == GapReason::CutByCapture => stage.head_cut(shared, gap),
            Some(gap) => stage.gap(shared, gap),
            None => {}
        }
        std::mem::take(&mut self.held).replay(shared, &mut stage);
        stage
    }

    /// Changes the protocol when the client sends frames behind its upgrade request and the answer is not in the capture.
    fn upgrade_by_frames(&mut self, shared: &mut Shared) -> Next {
        let unseen = self.lost.server || !self.server_seen;
        if !unseen || !self.awaits_upgrade() || !self.held.begins_with_frame(self.client) {
            return Next::Stay;
        }
        let Some(connection) = self.connection.take() else { return Next::Stay };
        let mut stage = self.upgrade_unseen(shared, connection, None);
        stage.answer_unseen();
        Next::Upgrade(stage)
    }

    /// The upgrade was refused: what the client sent meanwhile is its next request.
    fn replay_as_http(&mut self, start: &FlowStart, shared: &mut Shared) -> Option<Box<WebSocketStage>> {
        let mut left = std::mem::take(&mut self.held);
        // Up to the next request for an upgrade; what follows it waits on as it is, or many requests would each cost a
        // copy of all that is held.
        while let Some(item) = left.pop() {
            match item {
                HeldItem::Chunk { from, offset, origin, bytes } if from == self.client && !self.lost.client => {
                    self.client_bytes(start, shared, Chunk { from, offset, origin, bytes: &bytes });
                }
                HeldItem::Chunk { .. } => {}
                HeldItem::Gap(_) => self.dead.client = true,
            }
            if self.dead.client {
                return None;
            }
            if self.awaits_upgrade() {
                left.put_before(std::mem::take(&mut self.held));
                self.held = left;
                return None;
            }
        }
        // What did not fit is missing now.
        self.dead.client |= left.overflow.is_some();
        None
    }

    fn give_up(&mut self, side: Side, why: http::WhyNotHttp, shared: &mut Shared) -> Next {
        if why == http::WhyNotHttp::TooLarge {
            shared.hits.http_head += 1;
        }
        self.dead[side] = true;
        if self.connection.is_some() { Next::Stay } else { Next::Opaque }
    }

    /// Notes missing bytes.
    pub(super) fn gap(&mut self, start: &FlowStart, shared: &mut Shared, gap: Gap) -> Next {
        let side = side_of(gap.from, self.client);
        match self.replay_early(start, shared) {
            Next::Stay => {}
            Next::Upgrade(mut stage) => {
                stage.gap(shared, gap);
                return Next::Upgrade(stage);
            }
            Next::Opaque => return Next::Opaque,
        }
        if self.dead[side] {
            return if self.connection.is_some() { Next::Stay } else { Next::Opaque };
        }
        if side == Side::Server && self.switching {
            let connection = self.connection.take();
            let connection = connection.unwrap_or_else(|| Box::new(new_connection(start, self.client, &shared.limits)));
            return Next::Upgrade(self.upgrade_unseen(shared, connection, Some(gap)));
        }
        if self.lost[side] || (side == Side::Client && self.awaits_upgrade()) {
            self.held.gap(gap);
            return Next::Stay;
        }
        self.lost[side] = true;
        if side == Side::Server && self.awaits_upgrade() {
            self.held.gap(gap);
            return self.upgrade_by_frames(shared);
        }
        if let Some(connection) = &mut self.connection {
            record_gap(connection, gap, side);
        }
        // A request that was cut may be an upgrade: its response will tell.
        if side == Side::Client || self.connection.is_some() { Next::Stay } else { Next::Opaque }
    }

    /// One side is about to end: a response that has not come will not come.
    pub(super) fn before_end(&mut self, start: &FlowStart, shared: &mut Shared, end: StreamEnd) -> Next {
        self.server_seen |= end.from != self.client;
        match self.replay_early(start, shared) {
            Next::Stay => self.upgrade_by_frames(shared),
            next => next,
        }
    }

    /// The stage as it is at the end of the connection.
    pub(super) fn into_last_stage(mut self: Box<Self>, start: &FlowStart, shared: &mut Shared) -> Stage {
        let next = match self.replay_early(start, shared) {
            Next::Stay => self.upgrade_by_frames(shared),
            next => next,
        };
        match next {
            Next::Upgrade(stage) => Stage::WebSocket(stage),
            Next::Opaque => Stage::Opaque(Traffic::Http),
            Next::Stay => Stage::Http(self),
        }
    }

    pub(super) fn end(&mut self, end: StreamEnd) {
        if let Some(connection) = &mut self.connection {
            record_end(connection, end, side_of(end.from, self.client));
        }
    }

    pub(super) fn alert(&mut self, from: End, alert: &Alert) {
        if let Some(connection) = &mut self.connection {
            record_alert(connection, alert, side_of(from, self.client));
        }
    }

    pub(super) fn acknowledged(&mut self, from: End, upto: StreamOffset) {
        if from != self.client {
            self.sent_early.acknowledged(upto);
        }
    }

    pub(super) fn finish(mut self, shared: &mut Shared) -> Option<Box<Connection>> {
        let mut connection = self.connection.take()?;
        shared.notices.answered(&connection);
        if connection.handshake.response.is_none() && !self.lost.server {
            for violation in self.sent_early.unanswered(self.held.begins_with_frame(self.client)) {
                connection.violation(violation, &shared.limits);
            }
        }
        Some(connection)
    }
}

/// The part of a chunk that begins with a status line, if one is in it.
fn next_head(chunk: Chunk<'_>) -> Option<Chunk<'_>> {
    const STATUS_LINE: &[u8] = b"HTTP/1.1 ";
    let at = chunk.bytes.windows(STATUS_LINE.len()).position(|bytes| bytes == STATUS_LINE)?;
    Some(rest(chunk, at))
}

/// What is left of a chunk after its first `consumed` bytes.
fn rest(chunk: Chunk<'_>, consumed: usize) -> Chunk<'_> {
    let bytes = chunk.bytes.get(consumed..).unwrap_or_default();
    Chunk { offset: chunk.offset.plus(consumed as u64), bytes, ..chunk }
}
