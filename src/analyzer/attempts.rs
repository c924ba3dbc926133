//! Connections on which nothing was said.

use crate::connection::Connection;
use crate::units::{Endpoint, Side};
use foldhash::fast::RandomState;
use std::collections::{HashSet, VecDeque};

/// Connection attempts without a byte of payload. Only the rest of the capture can tell whether they were for a
/// WebSocket: they are reported at the end when their server also spoke WebSocket, or when the capture holds nothing
/// else at all. Where TCP opened and the client said nothing, the first does not suffice: health checks do that, and
/// browsers that open connections in advance. Then the server must have hung up before the client could ask.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    #[expect(
        clippy::vec_box,
        reason = "they come in boxes, and a growing list of the connections themselves would be copied"
    )]
    waiting: Vec<Box<Connection>>,
    websocket_servers: HashSet<Endpoint, RandomState>,
}

impl Attempts {
    /// Attempts and servers remembered.
    const MAX: usize = 10_000;

    /// Keeps an attempt; gives how many could not be kept.
    pub(super) fn add(&mut self, connection: Box<Connection>) -> u64 {
        if self.waiting.len() == Self::MAX {
            return 1;
        }
        self.waiting.push(connection);
        0
    }

    pub(super) fn websocket_at(&mut self, server: Endpoint) {
        if self.websocket_servers.len() < Self::MAX {
            self.websocket_servers.insert(server);
        }
    }

    /// The attempts to report, and how many are left.
    pub(super) fn tied_to_websocket(self, nothing_else: bool) -> (VecDeque<Box<Connection>>, u64) {
        let alone = nothing_else && self.websocket_servers.is_empty();
        let (wanted, rest): (VecDeque<_>, VecDeque<_>) = self.waiting.into_iter().partition(|connection| {
            let known = self.websocket_servers.contains(&connection.endpoints[Side::Server]);
            alone || (known && was_cut_short(connection))
        });
        (wanted, rest.len() as u64)
    }
}

/// Whether an attempt without payload failed, rather than that nobody wanted more of it.
fn was_cut_short(connection: &Connection) -> bool {
    let (Some(answer), Some(_)) = (connection.syn_ack, connection.tcp.client.acked) else {
        // A client that refuses the SYN-ACK is a scanner.
        return connection.syn_ack.is_none() || connection.tcp.client.rst.is_none();
    };
    let end = connection.tcp_end().filter(|end| end.by == Side::Server);
    end.and_then(|end| end.at.seconds_since(&answer)).is_some_and(|seconds| seconds < HUNG_UP_SECONDS)
}

/// A server that ends a connection sooner than this does not wait for a request; later, it may be tired of waiting.
const HUNG_UP_SECONDS: f64 = 5.0;
