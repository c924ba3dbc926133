//! Which SYN opens a new connection between endpoints that had one already.

use crate::packet::{Segment, SeqNumber};
use crate::stream::End;
use crate::units::Endpoint;

/// The sequence numbers that the SYNs of two endpoints are compared with, by the rules of Wireshark's TCP dissector: flow
/// numbers are only of use if both count the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bases([(Endpoint, Option<SeqNumber>); 2]);

impl Bases {
    /// Nothing known about the endpoints of `segment`, in the order of its direction.
    pub(super) fn new(segment: &Segment<'_>) -> Self {
        Self([(segment.source, None), (segment.destination, None)])
    }

    /// Both endpoints.
    pub(super) fn endpoints(&self) -> [Endpoint; 2] {
        self.0.map(|(endpoint, _)| endpoint)
    }

    /// Which end `endpoint` is.
    pub(super) fn end(&self, endpoint: Endpoint) -> End {
        if endpoint == self.0[0].0 { End::A } else { End::B }
    }

    /// Whether `segment` opens a new connection: a SYN without ACK whose number is not the known one.
    pub(super) fn reused_by(&self, segment: &Segment<'_>) -> bool {
        let base = || self.0.iter().find(|(endpoint, _)| *endpoint == segment.source).and_then(|(_, base)| *base);
        segment.flags.syn() && !segment.flags.ack() && base().is_some_and(|base| base != segment.seq)
    }

    /// Learns from a segment of this connection: its first segment sets an endpoint's number, unless the other's
    /// acknowledgement did; a SYN with ACK always does.
    pub(super) fn note(&mut self, segment: &Segment<'_>) {
        let before = |seq: SeqNumber| SeqNumber(seq.0.wrapping_sub(1));
        let [one, other] = &mut self.0;
        let (own, peer) = if one.0 == segment.source { (one, other) } else { (other, one) };
        if segment.flags.syn() && (segment.flags.ack() || own.1.is_none()) {
            own.1 = Some(segment.seq);
        }
        own.1.get_or_insert(before(segment.seq));
        if let Some(ack) = segment.ack {
            peer.1.get_or_insert(before(ack));
        }
    }
}
