//! A TLS connection that cannot be read: what its handshake shows, and whether that failed.

use super::{Shared, new_connection, record_end, record_gap, side_of};
use crate::connection::{Connection, EndSignalKind, Observation, Observed, Outcome, TlsFacts, Transport};
use crate::limits::Limits;
use crate::stream::{Chunk, End, Gap, StreamEnd};
use crate::tcp::FlowStart;
use crate::tls::Observer;
use crate::units::{Origin, PerSide, Side};

#[derive(Debug)]
pub(super) struct TlsStage {
    client: End,
    observer: Observer,
    connection: Box<Connection>,
    /// Bytes are missing, more than a FIN.
    has_hole: bool,
}

impl TlsStage {
    /// The stage of a connection whose first payload is `chunk`: its sender is the client.
    pub(super) fn new(start: &FlowStart, chunk: &Chunk<'_>, limits: &Limits) -> Self {
        let mut connection = new_connection(start, chunk.from, limits);
        connection.transport = Transport::Wss;
        Self { client: chunk.from, observer: Observer::new(), connection: Box::new(connection), has_hole: false }
    }

    pub(super) fn client(&self) -> End {
        self.client
    }

    /// How long nobody had answered the ClientHello when the capture ended; `None` when somebody had.
    pub(super) fn waited(&self, until: Option<Origin>) -> Option<f64> {
        let hello = self.observer.facts().client_hello.as_ref()?;
        until?.seconds_since(&hello.origin)
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.observer.kept_bytes()
    }

    pub(super) fn chunk(&mut self, shared: &mut Shared, chunk: Chunk<'_>) {
        let side = side_of(chunk.from, self.client);
        self.connection.payload(side, chunk.origin);
        self.observer.push(&shared.limits, side, chunk.offset, chunk.origin, chunk.bytes);
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        let side = side_of(gap.from, self.client);
        record_gap(&mut self.connection, gap, side);
        self.has_hole |= gap.len.is_some();
        self.observer.gap(side, gap.len);
    }

    pub(super) fn end(&mut self, end: StreamEnd) {
        record_end(&mut self.connection, end, side_of(end.from, self.client));
    }

    /// The connection when its TLS handshake failed, or when something in it looks like a WebSocket; what is inside any
    /// other cannot be told. `waited`: the server was seen, and for so many seconds after the ClientHello it said nothing.
    pub(super) fn finish(mut self, shared: &mut Shared, waited: Option<f64>) -> Option<Box<Connection>> {
        let ends = ends(&self.connection);
        let websocket = self.observer.websocket(ends);
        let mut facts = self.observer.into_facts();
        facts.websocket = websocket;
        shared.hits.tls_handshake += u64::from(facts.hellos_too_long);
        let failed =
            facts.failed(self.connection.tcp_end().is_some()) && !(self.has_hole && may_have_gone_well(&facts));
        let is_unanswered =
            !self.has_hole && facts.unanswered() && waited.is_some_and(|waited| waited >= ANSWER_SECONDS);
        let refused = !self.has_hole
            && (facts.left_after_handshake(ends) || facts.answered_as_http2(ends) || facts.finished_refused(ends));
        if !failed && !is_unanswered && !refused && websocket.is_none() {
            return None;
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
            connection.end_signal(EndSignalKind::TlsAlert, alert.side, alert.origin);
        }
        connection.ending.sort_by_key(|signal| signal.at.packet);
        connection.tls = Some(Box::new(facts));
        Some(self.connection)
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
