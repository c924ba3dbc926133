//! A TLS connection: what its handshake shows, whether that failed, and with keys what is inside.
//!
//! Decrypted bytes take the same road as plain ones: they go into a [`Stack`] of their own, which knows nothing of TLS.
//! Its offsets count decrypted bytes, so what TCP acknowledges is translated first.

use super::{Concluded, Shared, Stack, Traffic, new_connection, record_alert, record_end, record_gap, side_of};
use crate::connection::{Basis, Connection, EndSignalKind, Observation, Observed, Outcome, Transport};
use crate::limits::Limits;
use crate::stream::{Chunk, End, Gap, PerEnd, StreamEnd, StreamSink as _};
use crate::tcp::{FlowStart, TcpFacts};
use crate::tls::WhyNot;
use crate::tls::{
    Alert, Decryptor, Joined, KeyLog, LostBytes, Observer, PlainData, PlainGap, Plaintext, RecordBuffers, SentBytes,
    TlsFacts, Tools, Trials, why_not_joined,
};
use crate::units::{Origin, PerSide, Side, StreamOffset};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What all TLS connections of an analysis share.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) log: Arc<KeyLog>,
    /// What may still be tried on connections whose ClientHello is not in the capture.
    pub(super) trials: Trials,
    /// Whether more secrets may come while packets are read.
    pub(super) may_come: bool,
    /// Connections that are not reported because they could not be decrypted.
    pub(super) unread: Unread,
    buffers: RecordBuffers,
}

/// Connections that could not be decrypted though there are keys, by the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unread {
    counts: BTreeMap<(&'static str, Option<String>), u64>,
}

impl Unread {
    /// Reasons that are told apart in all they say; what a peer chose, such as a cipher suite, is part of them.
    const REASONS: usize = 64;

    /// Counts one more.
    fn add(&mut self, why: WhyNot) {
        self.add_many((why.name(), why.detail()), 1);
    }

    /// Adds those that were counted elsewhere.
    pub fn join(&mut self, other: &Self) {
        for (exact, count) in &other.counts {
            self.add_many(exact.clone(), *count);
        }
    }

    fn add_many(&mut self, exact: (&'static str, Option<String>), count: u64) {
        let is_new = !self.counts.contains_key(&exact);
        let key = if is_new && self.counts.len() >= Self::REASONS { (exact.0, None) } else { exact };
        *self.counts.entry(key).or_default() += count;
    }

    /// Each reason with its detail and how many connections it kept shut, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Option<&str>, u64)> {
        self.counts.iter().map(|((name, detail), &count)| (*name, detail.as_deref(), count))
    }
}

impl Keys {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { trials: Trials::new(limits), ..Self::default() }
    }

    /// Whether anything may be decrypted.
    pub(super) fn any(&self) -> bool {
        !self.log.is_empty() || self.may_come
    }

    /// A connection began before the capture, so that nobody knows which secrets and which cipher.
    pub(super) fn joined_late(&mut self) {
        if self.any() {
            self.unread.add(why_not_joined(&self.log, &self.trials));
        }
    }
}

#[derive(Debug)]
pub(super) struct TlsStage {
    client: End,
    observer: Observer,
    connection: Box<Connection>,
    /// Bytes are missing, more than a FIN.
    has_hole: bool,
    /// `None` when there are no keys.
    inside: Option<Box<Inside>>,
}

/// What keys open.
#[derive(Debug)]
struct Inside {
    decryptor: Decryptor,
    stack: Stack,
    sent: PerSide<Delivered>,
    alerts: Vec<Alert>,
    /// The server's first Certificate message, until it is read at the end.
    certificates: Option<(Origin, Option<Vec<u8>>)>,
    has_data: bool,
}

impl TlsStage {
    /// The stage of a connection of which nothing was read yet.
    pub(super) fn new(start: &FlowStart, client: End, shared: &Shared) -> Self {
        let mut connection = new_connection(start, client, &shared.limits);
        connection.transport = Transport::Wss;
        let inside = shared.keys.any().then(|| Box::new(Inside::new(start)));
        Self { client, observer: Observer::new(), connection: Box::new(connection), has_hole: false, inside }
    }

    /// Tells whose session this is, before anything is read. `start_lost`: of which ends the first bytes are missing.
    pub(super) fn join(&mut self, start: &FlowStart, shared: &mut Shared, joined: &Joined, start_lost: PerEnd<bool>) {
        let mut inside = Inside::new(start);
        if joined.is_under_way() {
            inside.stack.start_lost = start_lost;
        }
        self.inside = Some(Box::new(inside));
        self.decrypt(shared, |decryptor, tools, sink| *decryptor = Decryptor::joined(tools, joined, sink));
    }

    /// How long nobody had answered the ClientHello when the capture ended; `None` when somebody had.
    pub(super) fn waited(&self, until: Option<Origin>) -> Option<f64> {
        let hello = self.observer.facts().client_hello.as_ref()?;
        until?.seconds_since(&hello.origin)
    }

    pub(super) fn kept_bytes(&self) -> usize {
        let inside = self.inside.as_ref().map_or(0, |inside| inside.decryptor.kept_bytes() + inside.stack.kept_bytes());
        self.observer.kept_bytes() + inside
    }

    pub(super) fn chunk(&mut self, start: &FlowStart, shared: &mut Shared, chunk: Chunk<'_>) {
        let side = side_of(chunk.from, self.client);
        if self.inside.is_none() && shared.keys.any() {
            self.keys_came(start, shared, chunk.origin);
        }
        self.connection.payload(side, chunk.origin);
        self.observer.push(&shared.limits, side, chunk.offset, chunk.origin, chunk.bytes);
        let Chunk { offset, origin, bytes, .. } = chunk;
        self.decrypt(shared, |decryptor, tools, sink| {
            decryptor.push(tools, SentBytes { side, offset, origin, bytes }, sink);
        });
    }

    /// Whether nothing that is still to come can make this a connection to report: nobody can read it or will be able to.
    pub(super) fn is_ordinary(&self, shared: &Shared) -> bool {
        self.inside.is_none() && !shared.keys.any() && self.observer.is_ordinary()
    }

    pub(super) fn gap(&mut self, shared: &mut Shared, gap: Gap) {
        let side = side_of(gap.from, self.client);
        record_gap(&mut self.connection, gap, side);
        self.has_hole |= gap.len.is_some();
        self.observer.gap(side, gap.len);
        let Gap { len, reason, origin, .. } = gap;
        self.decrypt(shared, |decryptor, tools, _| decryptor.gap(tools, LostBytes { side, len, reason, origin }));
    }

    pub(super) fn acknowledged(&mut self, from: End, upto: StreamOffset) {
        let side = side_of(from, self.client);
        if let Some(inside) = &mut self.inside {
            let plain = inside.sent[side].acknowledged(upto);
            inside.stack.acknowledged(from, plain);
        }
    }

    pub(super) fn end(&mut self, shared: &mut Shared, end: StreamEnd) {
        let side = side_of(end.from, self.client);
        record_end(&mut self.connection, end, side);
        self.decrypt(shared, |decryptor, _, sink| decryptor.settle(side, sink));
        if let Some(inside) = &mut self.inside {
            let offset = inside.sent[side].told;
            inside.stack.end(shared, StreamEnd { offset, ..end });
        }
    }

    /// The connection inside, when what could be decrypted shows one; else the one outside, when its TLS handshake failed,
    /// or when something in it looks like a WebSocket; what is inside any other cannot be told. `open_until`: the capture's
    /// last packet, if the connection was open until then.
    pub(super) fn finish(
        mut self: Box<Self>,
        tcp: &TcpFacts,
        seen: PerEnd<bool>,
        open_until: Option<Origin>,
        shared: &mut Shared,
    ) -> Concluded {
        for side in Side::BOTH {
            self.decrypt(shared, |decryptor, _, sink| decryptor.settle(side, sink));
        }
        let ends = ends(&self.connection);
        let server_seen = tcp.ends[self.client.other()].segments > 0;
        let waited = self.waited(open_until.filter(|_| server_seen));
        let websocket = self.observer.websocket(ends);
        let mut facts = self.observer.into_facts();
        shared.hits.tls_handshake += u64::from(facts.hellos_too_long);
        if let Some(inside) = self.inside {
            let decryption = inside.decryptor.decryption(&shared.keys.log, &shared.keys.trials);
            facts.decryption = if facts.is_resumed { decryption.resumed() } else { decryption };
            facts.add_decrypted(&inside.alerts);
            if let Some((origin, body)) = &inside.certificates {
                facts.add_certificates(*origin, body.as_deref());
            }
            if inside.has_data {
                return inside.finish(facts, tcp, seen, self.client, shared);
            }
        }
        facts.websocket = websocket;
        let failed =
            facts.failed(self.connection.tcp_end().is_some()) && !(self.has_hole && may_have_gone_well(&facts));
        let is_unanswered =
            !self.has_hole && facts.unanswered() && waited.is_some_and(|waited| waited >= ANSWER_SECONDS);
        let refused = !self.has_hole
            && (facts.left_after_handshake(ends) || facts.answered_as_http2(ends) || facts.finished_refused(ends));
        // Without the ClientHello nobody knows who is the client.
        let says_nothing = !failed && !is_unanswered && !refused && websocket.is_none();
        if says_nothing || (facts.client_hello.is_none() && facts.fatal_alert().is_none()) {
            if let Some(why) = facts.decryption.why_not().filter(|why| *why != WhyNot::NoKeys) {
                shared.keys.unread.add(why);
            }
            return Concluded::Other(Traffic::Tls);
        }
        let connection = &mut self.connection;
        if websocket.is_some() || refused {
            for side in Side::BOTH {
                connection.visibility[side].encrypted = true;
            }
        }
        if websocket.is_some() {
            connection.handshake.outcome = Outcome::NotCaptured;
        }
        part_from_closing_words(connection, &facts, ends);
        for alert in &facts.alerts {
            record_alert(connection, alert, alert.side);
        }
        connection.ending.sort_by_key(|signal| signal.at.packet);
        add_tls(connection, facts);
        Concluded::Connection { client: self.client, basis: Basis::ClientHello, connection: self.connection }
    }

    /// The first keys of all came after the connection had begun.
    fn keys_came(&mut self, start: &FlowStart, shared: &mut Shared, at: Origin) {
        self.inside = Some(Box::new(Inside::new(start)));
        let facts = self.observer.facts().clone();
        self.decrypt(shared, |decryptor, tools, sink| *decryptor = Decryptor::joining(tools, &facts, at, sink));
    }

    fn decrypt<Sink>(&mut self, shared: &mut Shared, act: Sink)
    where
        Sink: FnOnce(&mut Decryptor, &mut Tools<'_>, &mut InsideSink<'_>),
    {
        let Some(inside) = &mut self.inside else { return };
        // The stack inside needs the rest of what is shared while records are opened; it has no use for keys.
        let mut keys = std::mem::take(&mut shared.keys);
        let limits = shared.limits;
        let Keys { log, trials, may_come, buffers, .. } = &mut keys;
        let mut tools = Tools { keys: log, trials, keys_may_come: *may_come, limits: &limits, buffers };
        let Inside { decryptor, stack, sent, alerts, certificates, has_data } = &mut **inside;
        let mut sink = InsideSink { client: self.client, stack, shared, sent, alerts, certificates, has_data };
        act(decryptor, &mut tools, &mut sink);
        shared.keys = keys;
    }
}

impl Inside {
    fn new(start: &FlowStart) -> Self {
        Self {
            decryptor: Decryptor::new(),
            stack: Stack::inside_tls(start),
            sent: PerSide::default(),
            alerts: Vec::new(),
            certificates: None,
            has_data: false,
        }
    }

    fn finish(
        self,
        facts: TlsFacts,
        tcp: &TcpFacts,
        mut seen: PerEnd<bool>,
        client: End,
        shared: &mut Shared,
    ) -> Concluded {
        for end in End::BOTH {
            seen[end] &= facts.decryption.sides[side_of(end, client)].why_not().is_none();
        }
        match self.stack.conclude(tcp, None, seen, None, shared) {
            Concluded::Connection { client, basis, mut connection } => {
                connection.transport = Transport::Wss;
                for side in Side::BOTH {
                    if facts.decryption.is_hidden(side) {
                        connection.visibility[side].encrypted = true;
                    }
                }
                add_tls(&mut connection, facts);
                Concluded::Connection { client, basis, connection }
            }
            other => other,
        }
    }
}

/// Adds what TLS showed, with its lines of the timeline.
fn add_tls(connection: &mut Connection, facts: TlsFacts) {
    connection.catch_up();
    let hellos = [
        facts.client_hello.as_ref().map(|hello| (hello.origin, Side::Client, Observed::ClientHello)),
        facts.server_hello.as_ref().map(|hello| (hello.origin, Side::Server, Observed::ServerHello)),
    ];
    for (at, side, observed) in hellos.into_iter().flatten() {
        connection.timeline.insert(Observation { at, side: Some(side), observed });
    }
    for alert in &facts.alerts {
        let observed = Observed::Alert(alert.description);
        connection.timeline.insert(Observation { at: alert.origin, side: Some(alert.side), observed });
    }
    connection.tls = Some(Box::new(facts));
}

/// Hands plaintext to the stack inside.
struct InsideSink<'a> {
    client: End,
    stack: &'a mut Stack,
    shared: &'a mut Shared,
    sent: &'a mut PerSide<Delivered>,
    alerts: &'a mut Vec<Alert>,
    certificates: &'a mut Option<(Origin, Option<Vec<u8>>)>,
    has_data: &'a mut bool,
}

impl InsideSink<'_> {
    fn end_of(&self, side: Side) -> End {
        match side {
            Side::Client => self.client,
            Side::Server => self.client.other(),
        }
    }
}

impl Plaintext for InsideSink<'_> {
    fn data(&mut self, data: PlainData<'_>) {
        *self.has_data = true;
        let PlainData { side, offset, record_end, origin, bytes } = data;
        self.sent[side].delivered(record_end, offset.plus(bytes.len() as u64));
        self.stack.chunk(self.shared, Chunk { from: self.end_of(side), offset, origin, bytes });
        // Records that waited for their keys were acknowledged before anyone could say what was in them.
        if let Some(plain) = self.sent[side].acknowledged_before(record_end) {
            self.stack.acknowledged(self.end_of(side), plain);
        }
    }

    fn gap(&mut self, gap: PlainGap) {
        let PlainGap { side, offset, len, reason, origin } = gap;
        self.stack.gap(self.shared, Gap { from: self.end_of(side), offset, len, reason, origin });
    }

    fn alert(&mut self, alert: Alert) {
        if self.alerts.len() < MAX_ALERTS {
            self.alerts.push(alert);
        }
        if alert.ends_stream() {
            self.stack.alert(self.shared, self.end_of(alert.side), &alert);
        }
    }

    fn certificates(&mut self, origin: Origin, body: Option<Vec<u8>>) {
        self.certificates.get_or_insert((origin, body));
    }
}

/// Alerts kept of a connection.
const MAX_ALERTS: usize = 8;

/// Which decrypted bytes of a side its records carried, as far as they are not acknowledged.
#[derive(Debug, Default)]
struct Delivered {
    /// Ends of records, in the stream of TCP and in the decrypted one.
    records: VecDeque<(StreamOffset, StreamOffset)>,
    acknowledged: StreamOffset,
    /// How much of TCP's stream was acknowledged.
    upto: StreamOffset,
    told: StreamOffset,
}

impl Delivered {
    /// Records kept apart; more become one, which is acknowledged when its last byte is.
    const MOST: usize = 256;

    fn delivered(&mut self, record_end: StreamOffset, plain_end: StreamOffset) {
        if self.records.len() == Self::MOST {
            self.records.pop_back();
        }
        self.records.push_back((record_end, plain_end));
        self.told = plain_end;
    }

    /// Translates an acknowledgement: a byte has arrived when its whole record has.
    fn acknowledged(&mut self, upto: StreamOffset) -> StreamOffset {
        self.upto = self.upto.max(upto);
        while let Some(&(_, plain)) = self.records.front().filter(|(record, _)| *record <= upto) {
            self.acknowledged = plain;
            self.records.pop_front();
        }
        self.acknowledged
    }

    /// What is acknowledged of the decrypted bytes, if the record that ends here was acknowledged before it was read.
    fn acknowledged_before(&mut self, record_end: StreamOffset) -> Option<StreamOffset> {
        (record_end <= self.upto).then(|| self.acknowledged(self.upto))
    }
}

/// Whether, if bytes are missing, what completed the handshake may be among them; then this is anybody's traffic.
fn may_have_gone_well(facts: &TlsFacts) -> bool {
    let speaks_for_itself = facts.fatal_alert().is_some() || facts.plain_answer().is_some();
    let goes_on = facts.application_records.iter().any(|(_, &records)| records > 0);
    goes_on && !speaks_for_itself
}

/// The first FIN or RST of each side.
fn ends(connection: &Connection) -> PerSide<Option<Origin>> {
    let of = |side: Side| {
        let is_end = |kind| matches!(kind, EndSignalKind::Fin | EndSignalKind::Rst);
        connection.ending.iter().find(|signal| signal.by == side && is_end(signal.kind)).map(|signal| signal.at)
    };
    PerSide { client: of(Side::Client), server: of(Side::Server) }
}

/// What a side says in parting is no sign of life: silence is counted up to it.
fn part_from_closing_words(connection: &mut Connection, facts: &TlsFacts, ends: PerSide<Option<Origin>>) {
    let closing = |said: Origin| {
        Side::BOTH.into_iter().find_map(|side| {
            let alert = facts.closing_alert(side, ends[side]).filter(|alert| alert.at.packet == said.packet)?;
            facts.before_last[side].filter(|before| before.packet < alert.at.packet)
        })
    };
    let parting = facts.websocket.and_then(|guess| guess.parting);
    for signal in &mut connection.ending {
        let Some(mut said) = signal.quiet_since else { continue };
        // One alert may answer the other.
        for _ in Side::BOTH {
            said = closing(said).unwrap_or(said);
        }
        signal.quiet_since = match parting {
            Some(parting) if parting.frames[0].packet <= said.packet => parting.quiet_since,
            _ => Some(said),
        };
    }
}

/// An answer to a ClientHello may take this long; a capture that ends earlier cannot say that none came.
const ANSWER_SECONDS: f64 = 5.0;
