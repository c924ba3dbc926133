//! A flow that is open: what one more segment changes.

use super::bases::Bases;
use super::copies::{Copies, CopyFacts, Known, Point};
use super::delivered::Direction;
use super::half::{Anchored, Half, PeerView, Reassembly};
use super::index::Network;
use super::passages::Passages;
use super::reorder::{Budget, Span};
use super::{Conflict, Flow, FlowEnd, FlowNumber, FlowStart, HopLimits, OutlivedReset, Reset, TcpFacts};
use crate::packet::{IcmpError, Segment, SeqNumber};
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
    /// What each point saw, once there is more than one.
    passages: Option<Box<Passages>>,
    /// Bytes that its consumer kept after the last segment.
    kept: u32,
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
            passages: None,
            kept: 0,
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
        let mut is_copy = copies.is_copy(self.number, segment, &mut self.copies_known);
        if self.passages.is_some() || segment.interface != self.point.interface {
            is_copy |= self.sight(from, segment, &mut budget.passages);
        }
        if is_copy && !self.contradicts_delivered(from, segment, budget) {
            self.note_copy(from, segment);
            self.last = segment.origin;
            return;
        }
        let quiet = segment.origin.seconds_since(&self.last);
        self.last = segment.origin;
        self.recently_used = segment.origin != self.first;
        self.facts.ends[from].segments += 1;
        if let Some(copies) = &mut self.facts.copies {
            copies.note_hop_limit(segment, from);
        }
        if let Some(conflict) = segment.fragment_conflict {
            let anomalies = self.facts.ends[from].anomalies_mut();
            anomalies.conflicting_overlaps += 1;
            let other = Origin { packet: conflict.other, time: segment.origin.time };
            anomalies.conflict.get_or_insert(Conflict { kept: conflict.used, other, acknowledged: false });
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
            self.facts.ends[from].last = Some(segment.origin);
            self.note_answer(from, segment);
            self.note_window(from, segment);
            let before = self.facts.ends[from].last_data;
            if self.reassembly(from, budget, context).segment(segment) == Anchored::Moved {
                self.refresh_acked(from);
            }
            if self.facts.ends[from].fin == Some(segment.origin) {
                self.note_fin(from);
            }
            if self.facts.ends[from].last_data != before {
                self.new_data(from, segment, quiet);
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

    /// Brings what its consumer keeps into the budget.
    pub(super) fn count_kept(&mut self, budget: &mut Budget) {
        let kept = u32::try_from(self.sink.kept_bytes()).unwrap_or(u32::MAX);
        if kept != self.kept {
            budget.kept = budget.kept.saturating_sub(self.kept()).saturating_add(kept as usize);
            self.kept = kept;
        }
    }

    /// Bytes that its consumer kept after the last segment.
    pub(super) fn kept(&self) -> usize {
        self.kept as usize
    }

    /// The flow as it is handed out; `why` counts if it has not ended by itself.
    pub(super) fn finish(mut self, why: FlowEnd, budget: &mut Budget, context: &mut S::Context) -> Flow<S> {
        for end in End::BOTH {
            let last = self.last;
            self.reassembly(end, budget, context).finish(last);
        }
        if let Some(passages) = self.passages.take() {
            budget.passages = budget.passages.saturating_sub(passages.len());
            self.facts.path = Some(passages.finish());
        }
        let [a, b] = self.bases.endpoints();
        Flow {
            number: self.number,
            endpoints: PerEnd { a, b },
            first: self.first,
            last: self.last,
            tcp: self.facts,
            end: self.over.unwrap_or(why),
            over_since: self.lingers_since,
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
        let closed = peer.anomalies().zero_window_since.is_some();
        let peer = PeerView { acked: peer.acked, absent: peer.segments == 0, closed };
        let (half, facts) = (&mut self.halves[from], &mut self.facts.ends[from]);
        let direction = Direction { flow: self.number, from };
        Reassembly { direction, half, facts, peer, budget, sink: &mut self.sink, context }
    }

    /// A flow that is seen on more than one interface. True when another one brought the segment before.
    #[cold]
    fn sight(&mut self, from: End, segment: &Segment<'_>, kept: &mut usize) -> bool {
        let Self { halves, facts, point, first, last, .. } = self;
        let begin = || {
            let head = |end: End| halves[end].head(&facts.ends[end]);
            Passages::begin(point.interface, (*first, *last), facts, PerEnd { a: head(End::A), b: head(End::B) })
        };
        self.passages.get_or_insert_with(begin).sight(from, segment, kept)
    }

    /// Other bytes than those delivered make a segment no copy, however equal the rest of it is.
    fn contradicts_delivered(&self, from: End, segment: &Segment<'_>, budget: &Budget) -> bool {
        let Some(offset) = self.halves[from].offset_of(segment.seq, &self.facts.ends[from]) else { return false };
        let span = Span { start: offset.0, bytes: segment.payload, cut: 0, origin: segment.origin };
        budget.delivered.contradicted_by(Direction { flow: self.number, from }, &span).is_some()
    }

    fn note_copy(&mut self, from: End, segment: &Segment<'_>) {
        let TcpFacts { duplicates, copies, ends, .. } = &mut self.facts;
        *duplicates = duplicates.saturating_add(1);
        let copies = copies.get_or_insert_with(|| {
            let mut copies = CopyFacts { points: vec![(self.point, 0)], ..CopyFacts::default() };
            for end in End::BOTH {
                let known = ends[end].hop_limits.into_iter();
                known.flat_map(|hops| [hops.lowest, hops.highest]).for_each(|hops| copies.add_hop_limit(hops, end));
            }
            Box::new(copies)
        });
        copies.note(segment, from);
        // Recorded before and after a router, a RST need not come from the point of the first data.
        if let Some(hops) = ends[from].hop_limits.as_mut().filter(|_| segment.sequence_len() > 0) {
            hops.add(segment.hop_limit);
        }
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
            if offset.is_none_or(|offset| offset.0 > self.halves[peer].seen_to(&self.facts.ends[peer])) {
                return;
            }
        } else if self.halves[peer].is_anchored() && self.halves[peer].distance(ack).is_none() {
            self.facts.ends[from].anomalies_mut().out_of_window += 1;
            return;
        }
        let news = self.halves[from].sent_ack(ack);
        if news {
            self.facts.ends[from].last_ack = Some(segment.origin);
            let before = self.facts.ends[from].acked.map_or(0, |acked| acked.0);
            let acked = self.halves[peer].acknowledged(ack, &self.facts.ends[peer]).map_or(before, |acked| acked.0);
            let all = acked >= self.facts.ends[peer].bytes;
            self.facts.ends[peer].note_acknowledged(acked.saturating_sub(before), all, segment.origin);
        }
        let acked = self.halves[peer].acknowledged(ack, &self.facts.ends[peer]);
        self.facts.ends[from].acked = self.facts.ends[from].acked.max(acked);
        if let Some(acked) = acked {
            self.sink.acknowledged(peer, acked);
        }
        if news && !segment.flags.rst() {
            self.outlives_reset(from, segment.origin);
        }
    }

    /// `end`'s stream got a start: what its peer acknowledged means something now.
    fn refresh_acked(&mut self, end: End) {
        let ack = self.halves[end.other()].highest_ack();
        self.facts.ends[end.other()].acked =
            ack.and_then(|ack| self.halves[end].acknowledged(ack, &self.facts.ends[end]));
    }

    fn rst(&mut self, from: End, segment: &Segment<'_>, budget: &mut Budget, context: &mut S::Context) {
        let facts = &mut self.facts.ends[from];
        let offset = self.halves[from].offset_of(segment.seq, facts);
        if let Some(reset) = &mut facts.reset {
            reset.again(offset);
            return;
        }
        facts.rst = Some(segment.origin);
        facts.rst_without_ack = segment.ack.is_none();
        let mut reassembly = self.reassembly(from, budget, context);
        reassembly.flush(segment.origin);
        let stream = reassembly.facts.bytes;
        reassembly.facts.reset = Some(Box::new(Reset::new(offset, stream, segment.hop_limit)));
        reassembly.end(StreamEndKind::Rst, segment.origin);
        self.over.get_or_insert(FlowEnd::Reset);
        self.lingers_since = segment.origin;
    }

    /// `from` sent data that is new.
    fn new_data(&mut self, from: End, segment: &Segment<'_>, quiet: Option<f64>) {
        self.lingers_since = segment.origin;
        let acked = self.facts.ends[from.other()].acked;
        let facts = &mut self.facts.ends[from];
        let len = segment.data_len();
        if acked.is_some_and(|acked| acked.0 >= facts.bytes) {
            // The acknowledgement was recorded first.
            facts.largest_acked = facts.largest_acked.max(len);
        } else {
            facts.note_sent(segment.origin, len, quiet);
        }
        let Some(reset) = &mut facts.reset else { return };
        // An end that goes on sending beyond its RST never sent it.
        if facts.bytes > reset.limit() {
            reset.went_on = Some(segment.origin);
            reset.data_after = true;
            if self.over == Some(FlowEnd::Reset) {
                self.over = None;
            }
        }
    }

    /// `from` acknowledged something new. If its peer sent that after a RST, `from` never believed the RST, which came
    /// to it before: it was forged, and the connection lives.
    fn outlives_reset(&mut self, from: End, origin: Origin) {
        if let Some(reset) = &mut self.facts.ends[from].reset {
            reset.went_on = Some(origin);
        }
        let acked = self.facts.ends[from].acked;
        let peer = &mut self.facts.ends[from.other()];
        let outlived = |reset: &Reset| reset.data_after && acked.is_some_and(|acked| acked.0 > reset.limit());
        if peer.reset.as_deref().is_some_and(outlived)
            && let Some(rst) = peer.rst.take()
        {
            peer.reset = None;
            let outlived = OutlivedReset { from: from.other(), rst, shown_at: origin };
            peer.anomalies_mut().outlived_reset.get_or_insert(outlived);
        }
    }

    /// Takes note when what `from` sends answers what was not seen yet.
    fn note_answer(&mut self, from: End, segment: &Segment<'_>) {
        if segment.data_len() == 0 && !segment.flags.fin() {
            return;
        }
        let (peer, seen) = (from.other(), self.facts.ends[from.other()].bytes);
        let acked = segment.ack.and_then(|ack| self.halves[peer].acknowledged(ack, &self.facts.ends[peer]));
        if acked.is_some_and(|acked| acked.0 > seen) && self.facts.ends[from].acked == acked {
            self.facts.ends[from].anomalies_mut().answers_unseen = Some(segment.origin);
        }
    }

    /// `from` has just sent its FIN.
    fn note_fin(&mut self, from: End) {
        let seen = self.facts.ends[from.other()].bytes;
        if let Some(acked) = self.facts.ends[from].acked.filter(|acked| acked.0 > seen) {
            self.facts.ends[from].anomalies_mut().fin_answers = Some(acked);
        }
    }

    fn note_window(&mut self, from: End, segment: &Segment<'_>) {
        let facts = &mut self.facts.ends[from];
        if segment.sequence_len() > 0 {
            match &mut facts.hop_limits {
                Some(limits) => limits.add(segment.hop_limit),
                none => *none = Some(HopLimits::of(segment.hop_limit, segment.origin.packet)),
            }
        }
        if segment.window == 0 {
            let anomalies = facts.anomalies_mut();
            anomalies.zero_windows += 1;
            anomalies.zero_window_since.get_or_insert(segment.origin);
        } else if let Some(anomalies) = facts.known_anomalies_mut()
            && let Some(since) = anomalies.zero_window_since.take()
        {
            anomalies.last_zero_window = Some((since, segment.origin));
        }
    }

    /// Notes an ICMP error that quotes a segment of this flow; one whose number is nowhere near is not of it.
    pub(super) fn icmp(&mut self, error: &IcmpError) {
        let from = self.bases.end(error.source);
        let near = self.halves[from].is_near(error.seq) != Some(false);
        if near && self.facts.icmp.len() < TcpFacts::MAX_ICMP {
            self.facts.icmp.push((from, *error));
        }
    }
}
