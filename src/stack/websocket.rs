//! An upgraded connection: each direction has its frame decoder, and all they find goes into the connection.

use super::{Shared, record_end, record_gap, side_of};
use crate::connection::{Connection, Outcome};
use crate::limits::Limits;
use crate::stream::{Chunk, End, Gap, StreamEnd, StreamEndKind};
use crate::units::{PerSide, Side};
use crate::violation::{Detail, Violation, ViolationRule};
use crate::websocket::{Decoder, DecoderStatus, Event, EventSink};

#[derive(Debug)]
pub(super) struct WebSocketStage {
    client: End,
    connection: Box<Connection>,
    decoders: PerSide<Decoder>,
    finished: PerSide<bool>,
}

impl WebSocketStage {
    pub(super) fn new(client: End, connection: Box<Connection>, decoders: PerSide<Decoder>) -> Self {
        Self { client, connection, decoders, finished: PerSide::default() }
    }

    pub(super) fn client(&self) -> End {
        self.client
    }

    pub(super) fn chunk(&mut self, shared: &mut Shared, chunk: Chunk<'_>) {
        let side = side_of(chunk.from, self.client);
        let mut recorder = Recorder { connection: &mut self.connection, side, limits: shared.limits };
        let decoder = &mut self.decoders[side];
        decoder.push(&mut shared.scratch, chunk.offset, chunk.origin, chunk.bytes, &mut recorder);
        self.connection.payload(chunk.origin);
    }

    pub(super) fn gap(&mut self, shared: &mut Shared, gap: Gap) {
        let side = side_of(gap.from, self.client);
        record_gap(&mut self.connection, gap, side);
        let mut recorder = Recorder { connection: &mut self.connection, side, limits: shared.limits };
        let decoder = &mut self.decoders[side];
        decoder.gap(&mut shared.scratch, gap.offset, gap.len, gap.origin, &mut recorder);
        if matches!(decoder.status(), DecoderStatus::Lost { .. }) {
            self.connection.visibility[side].frames_lost.get_or_insert(gap.origin);
        }
    }

    pub(super) fn end(&mut self, shared: &mut Shared, end: StreamEnd, tcp_ended: bool) {
        let side = side_of(end.from, self.client);
        if end.kind == StreamEndKind::Fin {
            // Nothing follows a FIN, while a RST may be forged and the conversation go on.
            self.finish_side(shared, side);
        }
        record_end(&mut self.connection, end, side);
        if tcp_ended {
            self.connection.closing.tcp_ended();
        }
    }

    fn finish_side(&mut self, shared: &mut Shared, side: Side) {
        if !std::mem::replace(&mut self.finished[side], true) {
            let mut recorder = Recorder { connection: &mut self.connection, side, limits: shared.limits };
            self.decoders[side].finish(&mut recorder);
        }
    }

    pub(super) fn finish(mut self, shared: &mut Shared) -> Box<Connection> {
        for side in Side::BOTH {
            self.finish_side(shared, side);
            self.count_frames_after_close(side);
        }
        self.accept_what_the_client_accepted();
        self.connection
    }
}

impl WebSocketStage {
    /// The violation was noted at the first frame behind the Close frame; now all of them are counted.
    fn count_frames_after_close(&mut self, side: Side) {
        let frames = self.decoders[side].frames_after_close();
        let broken =
            |violation: &&mut Violation| violation.rule == ViolationRule::DataAfterClose && violation.side == side;
        if let Some(violation) = self.connection.violations.iter_mut().find(broken) {
            violation.detail = Detail::Frames(frames);
        }
    }

    /// A client that goes on sending frames after a faulty 101 has accepted it, whatever RFC 6455 §4.1 asks.
    fn accept_what_the_client_accepted(&mut self) {
        let frames = &self.connection.traffic.client.frames;
        if self.connection.handshake.outcome == Outcome::Failed && frames.text + frames.binary > 0 {
            self.connection.handshake.outcome = Outcome::Accepted;
        }
    }
}

/// Hands what the decoder of one side finds to the connection.
struct Recorder<'a> {
    connection: &'a mut Connection,
    side: Side,
    limits: Limits,
}

impl EventSink for Recorder<'_> {
    fn event(&mut self, event: Event<'_>) {
        self.connection.websocket_event(self.side, &event, &self.limits);
    }
}
