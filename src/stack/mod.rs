//! What lies on top of what, for each TCP connection: the only module that sees tcp, tls, http and websocket together.
//!
//! A [`Stack`] is in one [`Stage`] at a time. It looks at the first bytes, passes chunks on to the protocol they belong
//! to, and moves on when that protocol says so: a 101 turns HTTP into WebSocket. What the protocols find goes into the
//! [`Connection`] that the stage owns. TCP connections that hold nothing of interest fall to [`Stage::Opaque`], which
//! keeps nothing.

mod awaited;
mod early;
mod held;
mod http;
mod inside;
mod late;
mod page;
mod search;
mod tls;
mod websocket;

pub use inside::Payload;
pub use tls::Unread;

use crate::application::Applications;
use crate::connection::{Basis, Connection, ConnectionId, Copies, EndSignalKind, Observation, Observed, Path};
use crate::crowd::Notices;
use crate::http::Heads;
use crate::limits::{LimitHits, Limits};
use crate::stream::{Chunk, End, Gap, PerEnd, StreamEnd, StreamEndKind, StreamSink};
use crate::tcp::{EndFacts, Flow, FlowStart, TcpFacts};
use crate::tls::{Alert, Attempt, Joiner, KeyLog, looks_like_client_hello, looks_like_tls};
use crate::units::{Origin, PerSide, Side, StreamOffset};
use crate::websocket::Scratch;
use foldhash::quality::SeedableRandomState as Hashes;
use std::sync::Arc;

/// What all connections of an analysis share: bounds, scratch buffers, counters.
#[derive(Debug)]
pub struct Shared {
    /// The bounds in force.
    pub limits: Limits,
    /// How often they were reached.
    pub hits: LimitHits,
    /// Buffers for unmasking and inflating.
    pub scratch: Scratch,
    /// What connections tell those that compare them with others.
    pub notices: Notices,
    /// The heads of HTTP messages that were met.
    heads: Heads,
    /// The application protocols that are recognised.
    pub applications: Arc<Applications>,
    /// Whether reports may show what messages say.
    pub payload: Payload,
    /// Hashes what is said, in the same way for all connections of the analysis.
    hashes: Hashes,
    /// Bytes kept for connections whose protocol is not known yet.
    probed_bytes: usize,
    /// The secrets that open TLS.
    keys: tls::Keys,
}

impl Shared {
    /// Fresh buffers and counters under these bounds.
    #[must_use]
    pub fn new(limits: Limits, applications: Arc<Applications>, payload: Payload) -> Self {
        let (hits, scratch, notices) = (LimitHits::default(), Scratch::new(&limits), Notices::default());
        let (heads, keys) = (Heads::new(&limits), tls::Keys::new(&limits));
        let hashes = Hashes::random();
        Self { limits, hits, scratch, notices, heads, applications, payload, hashes, probed_bytes: 0, keys }
    }

    /// The same for other connections of the analysis. What is said there can be compared with what is said here.
    #[must_use]
    pub fn beside(&self) -> Self {
        let other = Self::new(self.limits, Arc::clone(&self.applications), self.payload);
        Self { hashes: self.hashes.clone(), ..other }
    }

    /// Why connections could not be decrypted, of those that are not reported.
    #[must_use]
    pub fn unread(&self) -> &Unread {
        &self.keys.unread
    }

    /// From now on these are the secrets that are known.
    pub fn know_keys(&mut self, log: Arc<KeyLog>) {
        self.keys.log = log;
    }

    /// Looks for the session of a connection whose ClientHello is not in the capture.
    fn join(&mut self, joiner: &mut Joiner, chunk: &Chunk<'_>) -> Attempt {
        let tls::Keys { log, trials, .. } = &mut self.keys;
        joiner.push(log, trials, &self.limits, (chunk.from, chunk.origin), chunk.bytes)
    }

    /// Tells whether there may be more secrets while packets are read.
    pub fn expect_keys(&mut self, may_come: bool) {
        self.keys.may_come = may_come;
    }
}

/// The protocols of one TCP connection.
#[derive(Debug)]
pub struct Stack {
    /// Until it is known what the connection is.
    start: Option<Box<FlowStart>>,
    stage: Stage,
    /// Ends whose first bytes are missing.
    start_lost: PerEnd<bool>,
    ends: PerEnd<Option<StreamEndKind>>,
    /// These are decrypted bytes; TLS in them is not opened again.
    inside_tls: bool,
}

#[derive(Debug)]
enum Stage {
    /// No payload yet. Of an end whose peer has acknowledged that, the first byte to come is known.
    Probing {
        acknowledged: PerEnd<bool>,
    },
    Tls(Box<tls::TlsStage>),
    /// TLS whose ClientHello is not in the capture; perhaps there are keys for it.
    Late(Box<late::LateStage>),
    Http(Box<http::HttpStage>),
    /// Perhaps a WebSocket whose handshake is not in the capture.
    Searching(Box<search::SearchStage>),
    WebSocket(Box<websocket::WebSocketStage>),
    /// Nothing that can be told apart; not looked at any more.
    Opaque(Traffic),
}

/// What a TCP connection without a WebSocket was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// HTTP that never asked for a WebSocket.
    Http,
    /// TLS whose content could not be read.
    Tls,
    /// Something else.
    Other,
    /// Not a byte of payload.
    Empty,
}

/// What is left of a TCP connection when it ends.
#[derive(Debug)]
pub enum Finished {
    /// A WebSocket connection, or something that was to become one.
    Connection(Box<Connection>),
    /// TCP without a byte of payload: only other evidence can tell whether it was for a WebSocket.
    Attempt(Box<Connection>),
    /// Other traffic.
    Other(Traffic),
}

/// What the bytes of a connection amount to, before TCP's facts are added.
enum Concluded {
    Connection { client: End, basis: Basis, connection: Box<Connection> },
    Attempt { client: End, connection: Box<Connection> },
    Other(Traffic),
}

impl Stack {
    /// The stack of a TCP connection that has just been seen first.
    #[must_use]
    pub fn new(start: &FlowStart) -> Self {
        Self {
            start: Some(Box::new(*start)),
            stage: Stage::Probing { acknowledged: PerEnd::default() },
            start_lost: PerEnd::default(),
            ends: PerEnd::default(),
            inside_tls: false,
        }
    }

    /// The stack of what TLS protects on a TCP connection.
    fn inside_tls(start: &FlowStart) -> Self {
        Self { inside_tls: true, ..Self::new(start) }
    }

    /// Closes the books on a finished TCP connection. `open_until`: the capture's last packet, if it was open until then.
    #[must_use]
    pub fn finish(flow: Flow<Self>, shared: &mut Shared, open_until: Option<Origin>) -> Finished {
        let Flow { tcp, sink: stack, last, .. } = flow;
        let opened = tcp.syn.map(|(end, _)| end);
        let seen = |end: End| tcp.ends[end].segments > 0 && tcp.ends[end].anomalies().gaps == 0;
        let seen = PerEnd { a: seen(End::A), b: seen(End::B) };
        match stack.conclude(&tcp, opened, seen, open_until, shared) {
            Concluded::Connection { client, basis, mut connection } => {
                add_tcp(&mut connection, client, basis, tcp, last);
                Finished::Connection(connection)
            }
            Concluded::Attempt { client, mut connection } => {
                add_tcp(&mut connection, client, Basis::Syn, tcp, last);
                Finished::Attempt(connection)
            }
            Concluded::Other(traffic) => Finished::Other(traffic),
        }
    }

    /// What became of the bytes. `opened`: who sent the SYN. `seen`: of which end not a byte is missing.
    /// `open_until`: the capture's last packet, if the connection was open until then.
    fn conclude(
        self,
        tcp: &TcpFacts,
        opened: Option<End>,
        seen: PerEnd<bool>,
        open_until: Option<Origin>,
        shared: &mut Shared,
    ) -> Concluded {
        let mut stage = match (self.stage, &self.start) {
            (Stage::Searching(search), Some(start)) => match search.finish(start, shared) {
                Some(stage) => Stage::WebSocket(stage),
                None => Stage::Opaque(Traffic::Other),
            },
            (Stage::Http(stage), Some(start)) => stage.into_last_stage(start, shared),
            (Stage::Late(stage), Some(start)) => match stage.into_tls(start, shared, None) {
                Some(stage) => Stage::Tls(stage),
                None => {
                    shared.keys.joined_late();
                    Stage::Opaque(Traffic::Tls)
                }
            },
            (stage, _) => stage,
        };
        if let Stage::WebSocket(stage) = &mut stage {
            stage.judge_unseen_answer(seen[stage.client().other()]);
        }
        let (client, basis, connection) = match stage {
            Stage::Probing { .. } | Stage::Searching(_) | Stage::Late(_) => {
                if self.start_lost != PerEnd::default() {
                    return Concluded::Other(Traffic::Other);
                }
                let (Some(client), Some(start)) = (opened, self.start) else {
                    return Concluded::Other(Traffic::Empty);
                };
                let mut connection = new_connection(&start, client, &shared.limits);
                record_ends_of_attempt(&mut connection, client, tcp);
                return Concluded::Attempt { client, connection: Box::new(connection) };
            }
            Stage::Opaque(traffic) => return Concluded::Other(traffic),
            Stage::Tls(stage) => return stage.finish(tcp, seen, open_until, shared),
            Stage::Http(stage) => {
                let client = stage.client();
                match stage.finish(shared) {
                    Some(connection) => (client, Basis::Upgrade, connection),
                    None => return Concluded::Other(Traffic::Http),
                }
            }
            Stage::WebSocket(stage) => (stage.client(), stage.basis(), stage.finish(shared)),
        };
        Concluded::Connection { client, basis, connection }
    }

    /// Chooses the protocol from the first bytes that either end sent.
    fn probe(&self, start: &FlowStart, chunk: &Chunk<'_>, acknowledged: PerEnd<bool>, shared: &mut Shared) -> Stage {
        let bytes = chunk.bytes;
        // Too few bytes to tell begin like a record, or the answer would be no.
        if looks_like_tls(bytes).unwrap_or(true) {
            // What TLS could tell is in its first messages.
            if self.inside_tls {
                return Stage::Opaque(Traffic::Tls);
            }
            let start_lost = self.start_lost != PerEnd::default();
            if !shared.keys.log.is_empty() && (start_lost || looks_like_client_hello(bytes) == Some(false)) {
                return Stage::Late(Box::new(late::LateStage::new(self.start_lost)));
            }
            if start_lost {
                shared.keys.joined_late();
                return Stage::Opaque(Traffic::Tls);
            }
            return Stage::Tls(Box::new(tls::TlsStage::new(start, chunk.from, shared)));
        }
        match crate::http::looks_like_http(bytes) {
            Some(crate::http::Role::Request) if may_be_request(bytes) => {
                self.http(chunk.from, acknowledged[chunk.from.other()])
            }
            Some(crate::http::Role::Response) => self.http(chunk.from.other(), false),
            Some(crate::http::Role::Request) | None => {
                Stage::Searching(Box::new(search::SearchStage::new(&shared.limits)))
            }
        }
    }

    /// `silent`: the client has acknowledged that the server sent nothing yet.
    fn http(&self, client: End, silent: bool) -> Stage {
        Stage::Http(Box::new(http::HttpStage::new(client, self.start_lost[client], silent)))
    }

    /// An alert of TLS, which these bytes were in, ends the stream of `from`. TCP's end is told as well, when it comes.
    fn alert(&mut self, shared: &mut Shared, from: End, alert: &Alert) {
        match &mut self.stage {
            Stage::Http(stage) => stage.alert(from, alert),
            Stage::WebSocket(stage) => stage.alert(shared, from, alert),
            Stage::Probing { .. } | Stage::Searching(_) | Stage::Late(_) | Stage::Opaque(_) | Stage::Tls(_) => {}
        }
    }

    /// Leaves the stage in which a session is looked for.
    fn leave_late(&mut self, start: &FlowStart, shared: &mut Shared, joined: Option<crate::tls::Joined>) {
        match std::mem::replace(&mut self.stage, Stage::Opaque(Traffic::Tls)) {
            Stage::Late(stage) => match stage.into_tls(start, shared, joined) {
                Some(stage) => self.stage = Stage::Tls(stage),
                None => shared.keys.joined_late(),
            },
            stage => self.stage = stage,
        }
    }

    fn search_on(&mut self, next: search::Next) {
        match next {
            search::Next::Stay => {}
            search::Next::Opaque => self.stage = Stage::Opaque(Traffic::Other),
            search::Next::WebSocket(stage) => self.stage = Stage::WebSocket(stage),
        }
    }

    fn http_on(&mut self, next: http::Next) {
        match next {
            http::Next::Stay => {}
            http::Next::Opaque => self.stage = Stage::Opaque(Traffic::Http),
            http::Next::Upgrade(stage) => self.stage = Stage::WebSocket(stage),
        }
    }
}

impl Stack {
    /// Bytes of a connection that is not upgraded, or not known to be.
    fn early_chunk(&mut self, start: &FlowStart, shared: &mut Shared, chunk: Chunk<'_>) {
        if let Stage::Probing { acknowledged } = self.stage {
            self.stage = self.probe(start, &chunk, acknowledged, shared);
        }
        if let Stage::Searching(search) = &mut self.stage
            && chunk.bytes.starts_with(b"HTTP/1.")
        {
            search.discard(shared);
            self.start_lost[chunk.from.other()] = true;
            self.stage = self.http(chunk.from.other(), false);
        }
        match &mut self.stage {
            Stage::Probing { .. } | Stage::Opaque(_) | Stage::WebSocket(_) => {}
            Stage::Tls(stage) => {
                stage.chunk(start, shared, chunk);
                if stage.is_ordinary(shared) {
                    self.stage = Stage::Opaque(Traffic::Tls);
                }
            }
            Stage::Late(stage) => {
                if let late::Next::Leave(joined) = stage.chunk(shared, chunk) {
                    self.leave_late(start, shared, joined);
                }
            }
            Stage::Http(stage) => {
                let is_http = stage.has_heads();
                let next = stage.chunk(start, shared, chunk);
                if !is_http && matches!(next, http::Next::Opaque) {
                    // It only began like HTTP, as the rest of a text may.
                    let mut search = Box::new(search::SearchStage::new(&shared.limits));
                    let next = search.chunk(start, shared, chunk);
                    self.stage = Stage::Searching(search);
                    self.search_on(next);
                } else {
                    self.http_on(next);
                }
            }
            Stage::Searching(stage) => {
                let next = stage.chunk(start, shared, chunk);
                self.search_on(next);
            }
        }
    }

    fn early_gap(&mut self, start: &FlowStart, shared: &mut Shared, gap: Gap) {
        match &mut self.stage {
            Stage::Probing { .. } => self.start_lost[gap.from] = true,
            Stage::Opaque(_) | Stage::WebSocket(_) => {}
            Stage::Tls(stage) => stage.gap(shared, gap),
            Stage::Late(stage) => stage.gap(gap),
            Stage::Http(stage) => {
                let next = stage.gap(start, shared, gap);
                self.http_on(next);
            }
            Stage::Searching(stage) => {
                let next = stage.gap(start, shared, gap);
                self.search_on(next);
            }
        }
    }

    /// What the end of a stream means for what is not known yet.
    fn early_end(&mut self, start: &FlowStart, shared: &mut Shared, end: StreamEnd) {
        match &mut self.stage {
            Stage::Http(stage) => {
                let next = stage.before_end(start, shared, end);
                self.http_on(next);
            }
            Stage::Searching(stage) => {
                let next = stage.end(start, shared, end);
                self.search_on(next);
            }
            Stage::Late(_) => self.leave_late(start, shared, None),
            _ => {}
        }
    }

    /// Lets `step` see how the connection began, as long as it is not known what it is.
    fn early(&mut self, step: impl FnOnce(&mut Self, &FlowStart)) {
        let Some(start) = self.start.take() else { return };
        step(self, &start);
        if !matches!(self.stage, Stage::WebSocket(_) | Stage::Opaque(_)) {
            self.start = Some(start);
        }
    }
}

impl StreamSink for Stack {
    type Context = Shared;

    fn chunk(&mut self, shared: &mut Shared, chunk: Chunk<'_>) {
        match &mut self.stage {
            Stage::WebSocket(stage) => stage.chunk(shared, chunk),
            _ => self.early(|stack, start| stack.early_chunk(start, shared, chunk)),
        }
    }

    fn gap(&mut self, shared: &mut Shared, gap: Gap) {
        match &mut self.stage {
            Stage::WebSocket(stage) => stage.gap(shared, gap),
            _ => self.early(|stack, start| stack.early_gap(start, shared, gap)),
        }
    }

    fn acknowledged(&mut self, from: End, upto: StreamOffset) {
        match &mut self.stage {
            Stage::Probing { acknowledged } => acknowledged[from] = upto == StreamOffset(0),
            Stage::Tls(stage) => stage.acknowledged(from, upto),
            Stage::Http(stage) => stage.acknowledged(from, upto),
            Stage::WebSocket(stage) => stage.acknowledged(from, upto),
            _ => {}
        }
    }

    fn touch(&self) -> u64 {
        match &self.stage {
            Stage::WebSocket(stage) => stage.touch(),
            _ => 0,
        }
    }

    fn end(&mut self, shared: &mut Shared, end: StreamEnd) {
        self.ends[end.from] = Some(end.kind);
        let tcp_ended = end.kind == StreamEndKind::Rst || self.ends[end.from.other()].is_some();
        self.early(|stack, start| stack.early_end(start, shared, end));
        match &mut self.stage {
            Stage::Probing { .. } | Stage::Searching(_) | Stage::Late(_) | Stage::Opaque(_) => {}
            Stage::Tls(stage) => stage.end(shared, end),
            Stage::Http(stage) => stage.end(end),
            Stage::WebSocket(stage) => stage.end(shared, end, tcp_ended),
        }
    }

    fn kept_bytes(&self) -> usize {
        match &self.stage {
            Stage::Probing { .. } | Stage::Opaque(_) => 0,
            Stage::Tls(stage) => stage.kept_bytes(),
            Stage::Late(stage) => stage.kept_bytes(),
            Stage::Http(stage) => stage.kept_bytes(),
            Stage::Searching(stage) => stage.kept_bytes(),
            Stage::WebSocket(stage) => stage.kept_bytes(),
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Opaque(_))
    }
}

/// Whether a first line that begins with a word and a space can be a request's, rather than the rest of some text.
fn may_be_request(bytes: &[u8]) -> bool {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => bytes[..end].windows(6).any(|part| part == b" HTTP/"),
        None => bytes.iter().take_while(|byte| **byte != b' ').all(u8::is_ascii_uppercase),
    }
}

/// The role of `end` when `client` is the client's end.
fn side_of(end: End, client: End) -> Side {
    if end == client { Side::Client } else { Side::Server }
}

fn new_connection(start: &FlowStart, client: End, limits: &Limits) -> Connection {
    let endpoints = match client {
        End::A => PerSide { client: start.a, server: start.b },
        End::B => PerSide { client: start.b, server: start.a },
    };
    let id = ConnectionId { flow: start.number.0, tunnel: None };
    Connection::new(id, endpoints, start.origin, limits)
}

/// Notes FIN or RST of one side as a sign of the end.
fn record_end(connection: &mut Connection, end: StreamEnd, side: Side) {
    let (kind, observed) = match end.kind {
        StreamEndKind::Fin => (EndSignalKind::Fin, Observed::Fin),
        StreamEndKind::Rst => (EndSignalKind::Rst, Observed::Rst),
    };
    connection.observe(end.origin, Some(side), observed);
    connection.end_signal(kind, side, end.origin);
}

/// Notes an alert with which one side ended its stream inside TLS; the timeline has its own line of it.
fn record_alert(connection: &mut Connection, alert: &Alert, side: Side) {
    let kind = match alert.is_close_notify() {
        true => EndSignalKind::CloseNotify,
        false => EndSignalKind::TlsAlert,
    };
    connection.end_signal(kind, side, alert.origin);
}

/// Notes bytes that one side sent and the capture lacks.
fn record_gap(connection: &mut Connection, gap: Gap, side: Side) {
    connection.visibility[side].note_gap(&gap);
    connection.observe(gap.origin, Some(side), Observed::Gap(gap.len));
}

/// An attempt has no stage that could have seen its FIN or RST.
fn record_ends_of_attempt(connection: &mut Connection, client: End, tcp: &TcpFacts) {
    let mut ends = Vec::new();
    for end in End::BOTH {
        let side = side_of(end, client);
        ends.extend(tcp.ends[end].fin.map(|at| (at, side, EndSignalKind::Fin, Observed::Fin)));
        ends.extend(tcp.ends[end].rst.map(|at| (at, side, EndSignalKind::Rst, Observed::Rst)));
    }
    ends.sort_by_key(|&(at, ..)| at.packet);
    for (at, side, kind, observed) in ends {
        connection.observe(at, Some(side), observed);
        connection.end_signal(kind, side, at);
    }
}

/// A RST ends the connection, unless the connection outlived it.
fn add_reset(connection: &mut Connection, side: Side, facts: &EndFacts) {
    if let Some(outlived) = facts.anomalies().outlived_reset {
        let is_forged = |kind, by, at| kind == EndSignalKind::Rst && by == side && Some(at) != facts.rst;
        connection.ending.retain(|signal| !is_forged(signal.kind, signal.by, signal.at));
        connection.observe(outlived.shown_at, Some(side.other()), Observed::OutlivedReset(outlived.rst.packet));
    }
    if facts.rst.is_some() {
        connection.closing.tcp_ended();
    }
}

/// Bytes that were sent again with another content.
fn add_conflict(connection: &mut Connection, side: Side, facts: &EndFacts) {
    if let Some(conflict) = facts.anomalies().conflict {
        connection.observe(conflict.other, Some(side), Observed::Conflict(conflict.kept));
    }
}

/// Adds what TCP knows, now that it is complete.
fn add_tcp(connection: &mut Connection, client: End, basis: Basis, mut tcp: TcpFacts, last: Origin) {
    connection.basis = basis;
    if let Some(path) = Path::new(tcp.path.take(), client) {
        connection.path = Some(path);
    }
    connection.last = last;
    for (opening, observed) in [(tcp.syn_ack, Observed::SynAck), (tcp.syn, Observed::Syn)] {
        if let Some((end, at)) = opening {
            connection.timeline.prepend(Observation { at, side: Some(side_of(end, client)), observed });
        }
    }
    let joined_late = tcp.syn.is_none() && tcp.syn_ack.is_none() && connection.handshake.request.is_none();
    if let Some(seen) = tcp.copies.take() {
        connection.copies = Some(Copies { segments: tcp.duplicates, seen });
    }
    connection.syn = tcp.syn.map(|(_, at)| at);
    connection.syn_ack = tcp.syn_ack.map(|(_, at)| at);
    if !tcp.icmp.is_empty() {
        connection.catch_up();
        connection.icmp = tcp.icmp.iter().map(|&(end, error)| (side_of(end, client), error)).collect();
    }
    for &(end, error) in &tcp.icmp {
        connection.timeline.insert_late(Observation {
            at: error.origin,
            side: Some(side_of(end, client)),
            observed: Observed::Icmp(error.kind),
        });
    }
    let unacknowledged = |end: End| tcp.unacknowledged(end).unwrap_or(0);
    let unacknowledged = PerSide { client: unacknowledged(client), server: unacknowledged(client.other()) };
    let PerEnd { a, b } = tcp.ends;
    let (client_facts, server_facts) = if client == End::A { (a, b) } else { (b, a) };
    for (side, facts) in [(Side::Client, &client_facts), (Side::Server, &server_facts)] {
        let anomalies = facts.anomalies();
        add_reset(connection, side, facts);
        add_conflict(connection, side, facts);
        let visibility = &mut connection.visibility[side];
        // One that shows everything takes no memory.
        if joined_late {
            visibility.joined_late = true;
        }
        if facts.segments == 0 {
            visibility.one_sided = true;
        }
        if anomalies.cut_bytes > 0 {
            visibility.cut = true;
        }
        // A gap of unknown length counts no bytes.
        if anomalies.gap_bytes > anomalies.cut_bytes || (anomalies.gaps > 0 && anomalies.cut_bytes == 0) {
            visibility.gap.get_or_insert(last);
        }
        if unacknowledged[side] > 0
            && anomalies.retransmitted_since_last_ack > 0
            && let Some(at) = anomalies.last_retransmission
        {
            connection.observe(at, Some(side), Observed::Retransmission);
        }
    }
    connection.tcp = PerSide { client: client_facts, server: server_facts };
}
