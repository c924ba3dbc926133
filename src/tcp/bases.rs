//! Which SYN opens a new connection between endpoints that had one already.

use crate::packet::{Segment, SeqNumber};
use crate::stream::End;
use crate::units::Endpoint;
use std::net::{IpAddr, Ipv4Addr};

/// The sequence numbers that the SYNs of two endpoints are compared with, by the rules of Wireshark's TCP dissector: flow
/// numbers are only of use if both count the same.
#[derive(Debug)]
pub(super) struct Bases {
    pair: Pair,
    seqs: Seqs,
}

/// The numbers alone, of a flow that is gone: those who know its endpoints know their order. They lie close together, because
/// there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone {
    seqs: [SeqNumber; 2],
    known: [bool; 2],
}

/// The number of each end, if it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seqs([Option<SeqNumber>; 2]);

/// Two endpoints, of which IPv4 ones take a third of the space.
#[derive(Debug)]
enum Pair {
    V4([(Ipv4Addr, u16); 2]),
    Other(Box<[Endpoint; 2]>),
}

impl Bases {
    /// Nothing known about the endpoints of `segment`, in the order of its direction.
    pub(super) fn new(segment: &Segment<'_>) -> Self {
        let (one, other) = (segment.source, segment.destination);
        let pair = match (one.ip, other.ip) {
            (IpAddr::V4(one_ip), IpAddr::V4(other_ip)) => Pair::V4([(one_ip, one.port), (other_ip, other.port)]),
            _ => Pair::Other(Box::new([one, other])),
        };
        Self { pair, seqs: Seqs::default() }
    }

    /// Both endpoints.
    pub(super) fn endpoints(&self) -> [Endpoint; 2] {
        match &self.pair {
            Pair::V4(pair) => pair.map(|(ip, port)| Endpoint { ip: ip.into(), port }),
            Pair::Other(pair) => **pair,
        }
    }

    /// Which end `endpoint` is.
    #[inline]
    pub(super) fn end(&self, endpoint: Endpoint) -> End {
        let is_first = match &self.pair {
            Pair::V4([(ip, port), _]) => *port == endpoint.port && endpoint.ip == *ip,
            Pair::Other(pair) => pair[0] == endpoint,
        };
        if is_first { End::A } else { End::B }
    }

    /// Both numbers are known, so that only a SYN can tell something new.
    pub(super) fn are_known(&self) -> bool {
        self.seqs.0.iter().all(Option::is_some)
    }

    /// Whether `segment` opens a new connection: a SYN without ACK whose number is not the known one.
    #[inline]
    pub(super) fn reused_by(&self, segment: &Segment<'_>) -> bool {
        Seqs::may_reuse(segment) && self.seqs.differ(self.end(segment.source), segment)
    }

    /// Learns from a segment of this connection: its first segment sets an endpoint's number, unless the other's
    /// acknowledgement did; a SYN with ACK always does.
    #[inline]
    pub(super) fn note(&mut self, segment: &Segment<'_>) {
        self.seqs.note(self.end(segment.source), segment);
    }
}

impl Gone {
    pub(super) fn new(bases: &Bases) -> Self {
        let ([one, other], Seqs([a, b])) = (bases.endpoints(), bases.seqs);
        Self::of(Seqs(if one <= other { [a, b] } else { [b, a] }))
    }

    /// One whose ends both began with this number.
    #[cfg(test)]
    pub(super) fn both(seq: SeqNumber) -> Self {
        Self::of(Seqs([Some(seq); 2]))
    }

    fn of(Seqs(seqs): Seqs) -> Self {
        Self { seqs: seqs.map(|seq| seq.unwrap_or(SeqNumber(0))), known: seqs.map(|seq| seq.is_some()) }
    }

    fn seqs(&self) -> Seqs {
        Seqs([0, 1].map(|at| self.known[at].then_some(self.seqs[at])))
    }

    /// [`Bases::reused_by`].
    pub(super) fn reused_by(&self, segment: &Segment<'_>) -> bool {
        Seqs::may_reuse(segment) && self.seqs().differ(Self::end(segment), segment)
    }

    /// [`Bases::note`].
    pub(super) fn note(&mut self, segment: &Segment<'_>) {
        let mut seqs = self.seqs();
        seqs.note(Self::end(segment), segment);
        *self = Self::of(seqs);
    }

    /// Who sent a segment: the lesser endpoint is the first.
    fn end(segment: &Segment<'_>) -> End {
        if segment.source <= segment.destination { End::A } else { End::B }
    }
}

impl Seqs {
    #[inline]
    fn may_reuse(segment: &Segment<'_>) -> bool {
        segment.flags.syn() && !segment.flags.ack()
    }

    fn differ(&self, from: End, segment: &Segment<'_>) -> bool {
        self.0[usize::from(from == End::B)].is_some_and(|base| base != segment.seq)
    }

    #[inline]
    fn note(&mut self, from: End, segment: &Segment<'_>) {
        let before = |seq: SeqNumber| SeqNumber(seq.0.wrapping_sub(1));
        let [one, other] = &mut self.0;
        let (own, peer) = if from == End::A { (one, other) } else { (other, one) };
        if segment.flags.syn() && (segment.flags.ack() || own.is_none()) {
            *own = Some(segment.seq);
        }
        own.get_or_insert(before(segment.seq));
        if let Some(ack) = segment.ack {
            peer.get_or_insert(before(ack));
        }
    }
}
