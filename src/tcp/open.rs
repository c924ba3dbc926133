//! A flow that is open: what one more segment changes.

use super::bases::Bases;
use super::copies::{Copies, Known};
use super::facts::{CopyFacts, Point};
use super::half::{Anchored, Half, PeerView, Reassembly};
use super::index::Network;
use super::reorder::Budget;
use super::{Flow, FlowEnd, FlowNumber, FlowStart, TcpFacts};
use crate::packet::{Segment, SeqNumber};
use crate::stream::{End, PerEnd, StreamEndKind, StreamSink};
use crate::units::Origin;

/// A flow that is open, or over and lingering.
#[derive(Debug)]
pub(super) struct OpenFlow<S> {
    pub(super) number: FlowNumber,
    pub(super) bases: Bases,
    /// Used again since the hand of the table last passed; the first segment does not count.
    pub(super) recently_used: bool,
    /// How it ended, once it did.
    pub(super) over: Option<FlowEnd>,
    /// In the table's queue of flows that are over.
    pub(super) queued: bool,
    /// Which of several flows between its endpoints it is, see [`FlowIndex::others`](super::index::FlowIndex::others).
    pub(super) network: Network,
    /// The segment that ended it, or the last one since that brought new data.
    pub(super) lingers_since: Origin,
    first: Origin,
    last: Origin,
    /// Where its first segment was recorded.
    point: Point,
    copies_known: Known,
    halves: PerEnd<Half>,
    facts: TcpFacts,
    sink: S,
}

impl<S: StreamSink> OpenFlow<S> {
    pub(super) fn new(segment: &Segment<'_>, start: &FlowStart, network: Network, sink: S) -> Self {
        Self {
            number: start.number,
            bases: Bases::new(segment),
            recently_used: false,
            over: None,
            queued: false,
            network,
            lingers_since: start.origin,
            first: start.origin,
            last: start.origin,
            point: Point::of(segment),
            copies_known: Known::default(),
            halves: PerEnd::default(),
            facts: TcpFacts::default(),
            sink,
        }
    }

    /// The next segment of this flow.
    pub(super) fn push(
        &mut self,
        segment: &Segment<'_>,
        copies: &mut Copies,
        budget: &mut Budget,
        context: &mut S::Context,
    ) {
        let from = self.bases.end(segment.source);
        self.bases.note(segment);
        if copies.is_copy(self.number, segment, &mut self.copies_known) {
            self.note_copy(from, segment);
            self.last = segment.origin;
            return;
        }
        self.last = segment.origin;
        self.recently_used = segment.origin != self.first;
        self.facts.ends[from].segments += 1;
        if let Some(copies) = &mut self.facts.copies {
            copies.note_hop_limit(segment, from);
        }
        if let Some(conflict) = segment.fragment_conflict {
            let anomalies = self.facts.ends[from].anomalies_mut();
            anomalies.conflicting_overlaps += 1;
            anomalies.first_conflict.get_or_insert((conflict.used, conflict.other));
        }
        if segment.flags.syn() {
            self.syn(from, segment);
        }
        if let Some(ack) = segment.ack {
            self.ack(from, ack, segment);
        }
        if segment.flags.rst() {
            self.rst(from, segment, budget, context);
        } else {
            self.note_window(from, segment);
            let before = self.facts.ends[from].last_data;
            if self.reassembly(from, budget, context).segment(segment) == Anchored::Moved {
                self.refresh_acked(from);
            }
            if self.facts.ends[from].last_data != before {
                self.new_data(from, segment.origin);
            }
        }
        for end in End::BOTH {
            if self.halves[end].has_hole() {
                self.reassembly(end, budget, context).give_up_overdue(segment.origin);
            }
        }
        if self.over.is_none() && self.facts.ends.a.fin.is_some() && self.facts.ends.b.fin.is_some() {
            self.over = Some(FlowEnd::Closed);
            self.lingers_since = segment.origin;
        }
    }

    /// `segment` has the endpoints of this flow but cannot be of it: it comes from another tunnel, and its numbers are
    /// nowhere near.
    pub(super) fn is_of_another_network(&self, segment: &Segment<'_>) -> bool {
        segment.tunnel != self.point.tunnel && !self.continues(segment)
    }

    /// The numbers of `segment` are near those of this flow, or nothing is known to compare with.
    pub(super) fn continues(&self, segment: &Segment<'_>) -> bool {
        let from = self.bases.end(segment.source);
        let by_seq = self.halves[from].is_near(segment.seq);
        let by_ack = || self.halves[from.other()].is_near(segment.ack?);
        by_seq.or_else(by_ack).unwrap_or(true)
    }

    /// The flow as it is handed out; `why` counts if it has not ended by itself.
    pub(super) fn finish(mut self, why: FlowEnd, budget: &mut Budget, context: &mut S::Context) -> Flow<S> {
        for end in End::BOTH {
            let last = self.last;
            self.reassembly(end, budget, context).finish(last);
        }
        let [a, b] = self.bases.endpoints();
        Flow {
            number: self.number,
            endpoints: PerEnd { a, b },
            first: self.first,
            last: self.last,
            tcp: self.facts,
            end: self.over.unwrap_or(why),
            sink: self.sink,
        }
    }

    fn reassembly<'r>(
        &'r mut self,
        from: End,
        budget: &'r mut Budget,
        context: &'r mut S::Context,
    ) -> Reassembly<'r, S> {
        let peer = &self.facts.ends[from.other()];
        let peer = PeerView { acked: peer.acked, absent: peer.segments == 0 };
        let (half, facts) = (&mut self.halves[from], &mut self.facts.ends[from]);
        Reassembly { from, half, facts, peer, budget, sink: &mut self.sink, context }
    }

    fn note_copy(&mut self, from: End, segment: &Segment<'_>) {
        let TcpFacts { duplicates, copies, ends, .. } = &mut self.facts;
        *duplicates = duplicates.saturating_add(1);
        let copies = copies.get_or_insert_with(|| {
            let mut copies = CopyFacts { points: vec![(self.point, 0)], ..CopyFacts::default() };
            for end in End::BOTH {
                ends[end].hop_limit.into_iter().for_each(|hops| copies.add_hop_limit(hops, end));
            }
            Box::new(copies)
        });
        copies.note(segment, from);
    }

    fn syn(&mut self, from: End, segment: &Segment<'_>) {
        let first = if segment.flags.ack() { &mut self.facts.syn_ack } else { &mut self.facts.syn };
        let repeats = first.is_some_and(|(end, _)| end == from);
        first.get_or_insert((from, segment.origin));
        let facts = &mut self.facts.ends[from];
        facts.syn_retransmissions += u32::from(repeats);
        facts.mss = facts.mss.or(segment.options.mss);
        facts.window_scale = facts.window_scale.or(segment.options.window_scale);
        self.halves[from].start_at(segment.seq.plus(1), facts);
        if facts.from_start {
            self.refresh_acked(from);
        }
    }

    /// `from` acknowledges everything of its peer before `ack`.
    fn ack(&mut self, from: End, ack: SeqNumber, segment: &Segment<'_>) {
        let peer = from.other();
        // A handshake tells where the peer's stream starts even if its SYN was not captured.
        let opens = self.facts.syn.is_some_and(|(end, _)| end == from) && self.facts.ends[from].bytes == 0;
        if !segment.flags.rst() && (segment.flags.syn() || opens) {
            self.halves[peer].start_at(ack, &mut self.facts.ends[peer]);
        }
        // A RST may be forged, and its number anything; believe it only for bytes that were seen.
        if segment.flags.rst() {
            let offset = self.halves[peer].acknowledged(ack, &self.facts.ends[peer]);
            if offset.is_none_or(|offset| offset.0 > self.facts.ends[peer].bytes) {
                return;
            }
        } else if self.halves[peer].is_anchored() && self.halves[peer].distance(ack).is_none() {
            self.facts.ends[from].anomalies_mut().out_of_window += 1;
            return;
        }
        if self.halves[from].sent_ack(ack) {
            self.facts.ends[from].last_ack = Some(segment.origin);
            if let Some(anomalies) = self.facts.ends[peer].known_anomalies_mut() {
                anomalies.retransmitted_since_last_ack = 0;
            }
        }
        let acked = self.halves[peer].acknowledged(ack, &self.facts.ends[peer]);
        self.facts.ends[from].acked = self.facts.ends[from].acked.max(acked);
    }

    /// `end`'s stream got a start: what its peer acknowledged means something now.
    fn refresh_acked(&mut self, end: End) {
        let ack = self.halves[end.other()].highest_ack();
        self.facts.ends[end.other()].acked =
            ack.and_then(|ack| self.halves[end].acknowledged(ack, &self.facts.ends[end]));
    }

    fn rst(&mut self, from: End, segment: &Segment<'_>, budget: &mut Budget, context: &mut S::Context) {
        if self.facts.ends[from].rst.is_some() {
            return;
        }
        // Recorded before and after a router, the RST need not come from the point of the first data.
        let copies = self.facts.copies.as_ref();
        let is_usual = copies.is_some_and(|copies| copies.hop_limits[from].contains(&segment.hop_limit));
        let facts = &mut self.facts.ends[from];
        facts.rst = Some(segment.origin);
        facts.rst_offset = self.halves[from].offset_of(segment.seq, facts);
        facts.rst_hop_limit = facts.hop_limit.filter(|_| is_usual).or(Some(segment.hop_limit));
        let mut reassembly = self.reassembly(from, budget, context);
        reassembly.flush(segment.origin);
        reassembly.end(StreamEndKind::Rst, segment.origin);
        self.over.get_or_insert(FlowEnd::Reset);
        self.lingers_since = segment.origin;
    }

    /// `from` sent data that is new.
    fn new_data(&mut self, from: End, origin: Origin) {
        self.lingers_since = origin;
        let facts = &self.facts.ends[from];
        // An end that goes on sending beyond its RST never sent it, and its peer did not believe it.
        let disproved = facts.rst_offset.is_some_and(|rst| facts.bytes > rst.0);
        if disproved && self.over == Some(FlowEnd::Reset) {
            self.over = None;
        }
    }

    fn note_window(&mut self, from: End, segment: &Segment<'_>) {
        let facts = &mut self.facts.ends[from];
        if facts.hop_limit.is_none() && segment.sequence_len() > 0 {
            facts.hop_limit = Some(segment.hop_limit);
        }
        if segment.window == 0 {
            let anomalies = facts.anomalies_mut();
            anomalies.zero_windows += 1;
            anomalies.zero_window_since.get_or_insert(segment.origin);
        } else if let Some(anomalies) = facts.known_anomalies_mut() {
            anomalies.zero_window_since = None;
        }
    }
}
