//! A TLS connection that cannot be read: what its handshake shows, and whether that failed.

use super::{Shared, new_connection, record_end, record_gap, side_of};
use crate::connection::{Connection, EndSignalKind, Observed, Transport};
use crate::limits::Limits;
use crate::stream::{Chunk, End, Gap, StreamEnd};
use crate::tcp::FlowStart;
use crate::tls::Observer;

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

    /// The connection when its TLS handshake failed; a handshake that went well says nothing about WebSocket.
    pub(super) fn finish(mut self, shared: &mut Shared) -> Option<Box<Connection>> {
        let facts = self.observer.into_facts();
        shared.hits.tls_handshake += u64::from(facts.hellos_too_long);
        if !facts.failed(self.connection.tcp_end().is_some()) {
            return None;
        }
        let speaks_for_itself = facts.fatal_alert().is_some() || facts.plain_answer().is_some();
        let goes_on = facts.application_records.iter().any(|(_, &records)| records > 0);
        if self.has_hole && goes_on && !speaks_for_itself {
            // What completed the handshake may be in the hole; then this is anybody's traffic.
            return None;
        }
        let connection = &mut self.connection;
        let hellos = [
            facts.client_hello.as_ref().map(|hello| (hello.origin, crate::units::Side::Client, Observed::ClientHello)),
            facts.server_hello.as_ref().map(|hello| (hello.origin, crate::units::Side::Server, Observed::ServerHello)),
        ];
        for (at, side, observed) in hellos.into_iter().flatten() {
            connection.timeline.insert(crate::connection::Observation { at, side: Some(side), observed });
        }
        for alert in &facts.alerts {
            let observed = Observed::Alert(alert.description);
            connection.timeline.insert(crate::connection::Observation {
                at: alert.origin,
                side: Some(alert.side),
                observed,
            });
            connection.end_signal(EndSignalKind::TlsAlert, alert.side, alert.origin);
        }
        connection.ending.sort_by_key(|signal| signal.at.packet);
        connection.tls = Some(Box::new(facts));
        Some(self.connection)
    }
}
