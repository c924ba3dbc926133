//! A TCP connection that begins with neither TLS nor HTTP: perhaps a WebSocket whose handshake is not in the capture.
//!
//! Both ends go through a [`Probe`] until it knows. If it is one, all that the probe kept is decoded as if it came just
//! now; if not, nothing is kept.

use super::websocket::WebSocketStage;
use super::{Shared, new_connection};
use crate::connection::{Basis, Outcome};
use crate::limits::Limits;
use crate::stream::{Chunk, End, Gap, GapReason, PerEnd, StreamEnd};
use crate::tcp::FlowStart;
use crate::units::{PerSide, Side};
use crate::websocket::{Decoder, DecoderConfig, Probe, ProbeVerdict};

/// Gaps remembered with their reason; a connection with more is looked at no further.
const GAPS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct SearchStage {
    probe: Probe,
    gaps: Vec<Gap>,
    /// Ends that sent all they had.
    ends: Vec<StreamEnd>,
}

pub(super) enum Next {
    Stay,
    Opaque,
    WebSocket(Box<WebSocketStage>),
}

impl SearchStage {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { probe: Probe::new(limits), ..Self::default() }
    }

    /// Takes in the next bytes; the caller drops the stage unless it is to stay.
    pub(super) fn chunk(&mut self, start: &FlowStart, shared: &mut Shared, chunk: Chunk<'_>) -> Next {
        if shared.probed_bytes + chunk.bytes.len() > shared.limits.probe_bytes_total {
            shared.hits.probe += 1;
            return self.leave(start, shared, ProbeVerdict::Other);
        }
        shared.probed_bytes += chunk.bytes.len();
        let verdict = self.probe.push(chunk.from, chunk.offset, chunk.origin, chunk.bytes);
        self.leave(start, shared, verdict)
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.probe.kept_bytes()
    }

    pub(super) fn gap(&mut self, start: &FlowStart, shared: &mut Shared, gap: Gap) -> Next {
        let verdict = match gap.len {
            Some(len) if self.gaps.len() < GAPS => {
                let verdict = self.probe.finish(gap.from);
                self.gaps.push(gap);
                if verdict == ProbeVerdict::Undecided {
                    self.probe.gap(gap.from, gap.offset, gap.origin, len)
                } else {
                    // So that it is replayed.
                    let _ = self.probe.gap(gap.from, gap.offset, gap.origin, len);
                    verdict
                }
            }
            Some(_) => ProbeVerdict::Other,
            None => self.probe.finish(gap.from),
        };
        self.leave(start, shared, verdict)
    }

    pub(super) fn end(&mut self, start: &FlowStart, shared: &mut Shared, end: StreamEnd) -> Next {
        let verdict = self.probe.finish(end.from);
        let next = self.leave(start, shared, verdict);
        if matches!(next, Next::Stay) && self.ends.len() < 4 {
            self.ends.push(end);
        }
        next
    }

    /// Nothing more will come.
    pub(super) fn finish(mut self, start: &FlowStart, shared: &mut Shared) -> Option<Box<WebSocketStage>> {
        let verdicts = End::BOTH.map(|end| self.probe.finish(end));
        let verdict = verdicts.into_iter().find(|verdict| *verdict != ProbeVerdict::Undecided);
        match self.leave(start, shared, verdict.unwrap_or(ProbeVerdict::Other)) {
            Next::WebSocket(stage) => Some(stage),
            Next::Stay | Next::Opaque => None,
        }
    }

    /// Forgets what was kept.
    pub(super) fn discard(&mut self, shared: &mut Shared) {
        shared.probed_bytes = shared.probed_bytes.saturating_sub(self.probe.held_bytes());
        *self = Self::default();
    }

    fn leave(&mut self, start: &FlowStart, shared: &mut Shared, verdict: ProbeVerdict) -> Next {
        match verdict {
            ProbeVerdict::Undecided => Next::Stay,
            ProbeVerdict::Other => {
                self.discard(shared);
                Next::Opaque
            }
            ProbeVerdict::WebSocket { client } => {
                shared.probed_bytes = shared.probed_bytes.saturating_sub(self.probe.held_bytes());
                Next::WebSocket(std::mem::take(self).into_websocket(start, shared, client))
            }
        }
    }

    fn into_websocket(self, start: &FlowStart, shared: &mut Shared, client: End) -> Box<WebSocketStage> {
        let mut connection = Box::new(new_connection(start, client, &shared.limits));
        connection.handshake.outcome = Outcome::NotCaptured;
        let decoder = |sender| Decoder::joined_late(DecoderConfig { sender, deflate: None }, &shared.scratch);
        let decoders = PerSide { client: decoder(Side::Client), server: decoder(Side::Server) };
        let mut stage = Box::new(WebSocketStage::new(client, Basis::Masking, connection, decoders, shared));
        let mut begun = PerEnd::default();
        let mut ends = self.ends.into_iter().peekable();
        let mut ended = 0;
        let mut deliver = |stage: &mut WebSocketStage, shared: &mut Shared, end: StreamEnd| {
            ended += 1;
            stage.end(shared, end, end.kind == crate::stream::StreamEndKind::Rst || ended > 1);
        };
        for item in self.probe.into_items() {
            while let Some(end) = ends.next_if(|end| end.origin.packet < item.origin.packet) {
                deliver(&mut stage, shared, end);
            }
            let (from, offset, origin) = (item.from, item.offset, item.origin);
            if !std::mem::replace(&mut begun[from], true) && offset.0 > 0 {
                stage.begins_without_frames(from, start.origin);
            }
            match &item.bytes {
                Some(bytes) => stage.chunk(shared, Chunk { from, offset, origin, bytes }),
                None => {
                    let known = self.gaps.iter().find(|gap| gap.from == from && gap.offset == offset);
                    let reason = known.map_or(GapReason::NotCaptured, |gap| gap.reason);
                    stage.gap(shared, Gap { from, offset, len: Some(item.len), reason, origin });
                }
            }
        }
        for end in ends {
            deliver(&mut stage, shared, end);
        }
        stage
    }
}
