//! A flow that is open: what one more segment changes.

use super::bases::Bases;
use super::copies::{Copies, CopyFacts, Known, Point};
use super::delivered::Direction;
use super::edges::Edges;
use super::half::{Anchored, Aside, Half};
use super::index::Network;
use super::passages::Passages;
use super::reassembly::{PeerView, Reassembly};
use super::reorder::{Budget, Span};
use super::{Conflict, Flow, FlowEnd, FlowNumber, FlowStart, OutlivedReset, Reset, TcpFacts};
use crate::packet::{IcmpError, Segment, SeqNumber, TcpFlags};
use crate::stream::{End, PerEnd, StreamEndKind, StreamSink};
use crate::units::Origin;

/// A flow that is open, or over and lingering.
///
/// In this order, and beginning with a cache line, because every segment touches the first fields and hardly any of the others.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct OpenFlow<S> {
    pub(super) number: FlowNumber,
    pub(super) bases: Bases,
    pub(super) last: Origin,
    /// Bytes that its consumer kept after the last segment.
    kept: u32,
    /// [`Self::is_steady`].
    steady: bool,
    /// Ends that acknowledged something of which its consumer has not been told.
    pub(super) untold: PerEnd<bool>,
    /// Used again since the hand of the table last passed; the first segment does not count.
    pub(super) recently_used: bool,
    /// Its consumer wants no more: only what its number takes is followed.
    pub(super) is_tombstone: bool,
    /// How it ended, once it did.
    pub(super) over: Option<FlowEnd>,
    /// In the table's queue of flows that are over.
    pub(super) queued: bool,
    /// Which of several flows between its endpoints it is, see [`FlowIndex::others`](super::index::FlowIndex::others).
    pub(super) network: Network,
    pub(super) sink: S,
    /// Where its first segment was recorded.
    pub(super) point: Point,
    pub(super) halves: PerEnd<Half>,
    pub(super) rare: Option<Box<Rare>>,
    first: Origin,
    copies_known: Known,
    /// The first SYN without and with ACK, and who sent them.
    syn_from: [End; 2],
    syn: Option<Origin>,
    syn_ack: Option<Origin>,
}

/// What few flows need.
#[derive(Debug, Default)]
pub(super) struct Rare {
    duplicates: u32,
    copies: Option<Box<CopyFacts>>,
    icmp: Vec<(End, IcmpError)>,
    /// What each point saw, once there is more than one.
    passages: Option<Box<Passages>>,
}

impl<S: StreamSink> OpenFlow<S> {
    pub(super) fn new(segment: &Segment<'_>, start: &FlowStart, network: Network, sink: S) -> Self {
        Self {
            number: start.number,
            bases: Bases::new(segment),
            steady: false,
            untold: PerEnd::default(),
            recently_used: false,
            over: None,
            queued: false,
            network,
            first: start.origin,
            last: start.origin,
            point: Point::of(segment),
            copies_known: Known::default(),
            is_tombstone: false,
            kept: 0,
            syn: None,
            syn_ack: None,
            syn_from: End::BOTH,
            halves: PerEnd::default(),
            rare: None,
            sink,
        }
    }

    /// The next segment of this flow.
    #[inline]
    pub(super) fn push(
        &mut self,
        segment: &Segment<'_>,
        copies: &mut Copies,
        budget: &mut Budget,
        context: &mut S::Context,
    ) {
        let from = self.bases.end(segment.source);
        if !self.steady || !self.everyday(from, segment, copies, budget, context) {
            self.any(from, segment, copies, budget, context);
            self.steady = self.is_steady();
        }
    }

    /// Any segment, with all that may be the matter with one.
    fn any(
        &mut self,
        from: End,
        segment: &Segment<'_>,
        copies: &mut Copies,
        budget: &mut Budget,
        context: &mut S::Context,
    ) {
        self.bases.note(segment);
        let direction = Direction { flow: self.number, from };
        let mut is_copy = if self.is_fresh(from, segment) {
            copies.add(direction, segment, Edges::of(segment.payload));
            false
        } else {
            copies.is_copy(direction, segment, &mut self.copies_known)
        };
        if segment.interface != self.point.interface || self.rare.as_ref().is_some_and(|rare| rare.passages.is_some()) {
            is_copy |= self.sight(from, segment, &mut budget.passages);
        }
        if is_copy && !self.contradicts_delivered(from, segment, budget) {
            self.note_copy(from, segment);
            self.last = segment.origin;
            return;
        }
        let before = std::mem::replace(&mut self.last, segment.origin);
        self.recently_used = segment.origin.packet != self.first.packet;
        if let Some(copies) = self.rare.as_mut().and_then(|rare| rare.copies.as_mut()) {
            copies.note_hop_limit(segment, from);
        }
        if self.is_tombstone {
            return self.pass_by(from, segment);
        }
        self.halves[from].segments += 1;
        if let Some(conflict) = segment.fragment_conflict {
            let anomalies = self.halves[from].anomalies_mut();
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
            self.halves[from].last = Some(segment.origin);
            self.note_answer(from, segment);
            self.note_window(from, segment);
            let last_data = self.halves[from].last_data;
            if self.reassembly(from, budget, context).segment(segment) == Anchored::Moved {
                self.refresh_acked(from);
            }
            if self.halves[from].aside().fin == Some(segment.origin) {
                self.note_fin(from);
            }
            if self.halves[from].last_data != last_data {
                self.new_data(from, segment, before);
            }
        }
        for end in End::BOTH {
            if self.halves[end].has_hole() {
                self.reassembly(end, budget, context).give_up_overdue(segment.origin);
            }
        }
        self.close_if_both_sent_fin();
    }

    /// No segment equal to this one can have come before: it would have been the end's first, or have brought its numbers
    /// further.
    #[inline]
    fn is_fresh(&self, from: End, segment: &Segment<'_>) -> bool {
        let half = &self.halves[from];
        if half.segments == 0 {
            return true;
        }
        let is_plain = !segment.flags.contains_any(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST);
        let brings_news = || match segment.data_len() {
            0 => segment.ack.is_some_and(|ack| half.is_news(ack)),
            _ => half.is_next(segment.seq),
        };
        is_plain && brings_news()
    }

    /// A segment of a flow whose consumer wants no more.
    fn pass_by(&mut self, from: End, segment: &Segment<'_>) {
        self.halves[from].follow(segment);
        if segment.flags.rst() {
            self.over.get_or_insert(FlowEnd::Reset);
        }
        if segment.flags.fin() {
            self.halves[from].aside_mut().fin.get_or_insert(segment.origin);
            self.close_if_both_sent_fin();
        }
    }

    fn close_if_both_sent_fin(&mut self) {
        let sent_fin = |half: &Half| half.aside().fin.is_some();
        if self.over.is_none() && sent_fin(&self.halves.a) && sent_fin(&self.halves.b) {
            self.over = Some(FlowEnd::Closed);
        }
    }

    /// The segment that ended it, or the last one since that brought new data; its first one if there is none.
    pub(super) fn lingers_since(&self) -> Origin {
        let of = |half: &Half| {
            let Aside { fin, rst, .. } = half.aside();
            let fin = fin.filter(|_| self.over == Some(FlowEnd::Closed));
            let rst = rst.filter(|_| self.over.is_some());
            half.last_data.max(fin).max(rst)
        };
        of(&self.halves.a).max(of(&self.halves.b)).unwrap_or(self.first)
    }

    /// Lets go of what nobody asks for once its consumer wants no more bytes.
    fn become_tombstone(&mut self, budget: &mut Budget) {
        self.is_tombstone = true;
        for end in End::BOTH {
            self.halves[end].let_go_of_waiting(budget);
        }
    }

    /// `segment` has the endpoints of this flow but cannot be of it: it comes from another tunnel, and its numbers are
    /// nowhere near.
    #[inline]
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

    /// The next segment goes the long way.
    #[cfg(test)]
    pub(super) fn unsettle(&mut self) {
        self.steady = false;
    }

    /// Reads a little of all that the next segment will need.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        let Self { number, point, halves, .. } = self;
        number.0 ^ u64::from(point.interface) ^ halves.a.touch() ^ halves.b.touch()
    }

    /// Asks its consumer, which has been told something, what it keeps and whether it wants more.
    pub(super) fn ask_consumer(&mut self, budget: &mut Budget) {
        if self.sink.is_done() && !self.is_tombstone {
            self.become_tombstone(budget);
        }
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
        let ends: &[End] = if self.is_tombstone { &[] } else { &End::BOTH };
        for &end in ends {
            let last = self.last;
            self.reassembly(end, budget, context).finish(last);
        }
        if !self.is_tombstone {
            self.reassembly(End::A, budget, context).tell_acknowledged();
        }
        let (over_since, [syn, syn_ack]) = (self.lingers_since(), self.opening());
        let Rare { duplicates, copies, icmp, passages } = self.rare.map_or_else(Rare::default, |rare| *rare);
        let path = passages.map(|passages| {
            budget.passages = budget.passages.saturating_sub(passages.len());
            passages.finish()
        });
        let PerEnd { a, b } = self.halves;
        let ends = PerEnd { a: a.into_facts(), b: b.into_facts() };
        let tcp = TcpFacts { ends, syn, syn_ack, duplicates, icmp, copies, path };
        let [a, b] = self.bases.endpoints();
        Flow {
            number: self.number,
            endpoints: PerEnd { a, b },
            first: self.first,
            last: self.last,
            tcp,
            end: self.over.unwrap_or(why),
            over_since,
            sink: self.sink,
        }
    }

    /// The first SYN without and with ACK, and who sent them.
    fn opening(&self) -> [Option<(End, Origin)>; 2] {
        let [syn_from, syn_ack_from] = self.syn_from;
        [self.syn.map(|at| (syn_from, at)), self.syn_ack.map(|at| (syn_ack_from, at))]
    }

    fn reassembly<'r>(
        &'r mut self,
        from: End,
        budget: &'r mut Budget,
        context: &'r mut S::Context,
    ) -> Reassembly<'r, S> {
        let peer = &self.halves[from.other()];
        let closed = peer.anomalies().zero_window_since.is_some();
        let peer = PeerView { acked: peer.acked.get(), absent: peer.segments == 0, closed };
        let half = &mut self.halves[from];
        let direction = Direction { flow: self.number, from };
        let (untold, sink) = (&mut self.untold, &mut self.sink);
        Reassembly { direction, half, peer, untold, budget, sink, context }
    }

    /// A flow that is seen on more than one interface. True when another one brought the segment before.
    #[cold]
    fn sight(&mut self, from: End, segment: &Segment<'_>, kept: &mut usize) -> bool {
        let opening = self.opening();
        let Self { halves, point, first, last, rare, .. } = self;
        let begin = || Passages::begin(point.interface, (*first, *last), opening, halves);
        let passages = &mut rare.get_or_insert_default().passages;
        passages.get_or_insert_with(begin).sight(from, segment, kept)
    }

    /// Other bytes than those delivered make a segment no copy, however equal the rest of it is.
    fn contradicts_delivered(&self, from: End, segment: &Segment<'_>, budget: &mut Budget) -> bool {
        let Some(offset) = self.halves[from].offset_of(segment.seq) else { return false };
        let span = Span { start: offset.0, bytes: segment.payload, cut: 0, origin: segment.origin };
        budget.delivered.contradicted_by(Direction { flow: self.number, from }, &span).is_some()
    }

    fn note_copy(&mut self, from: End, segment: &Segment<'_>) {
        let halves = &mut self.halves;
        let Rare { duplicates, copies, .. } = &mut **self.rare.get_or_insert_default();
        *duplicates = duplicates.saturating_add(1);
        let copies = copies.get_or_insert_with(|| {
            let mut copies = CopyFacts { points: vec![(self.point, 0)], ..CopyFacts::default() };
            for end in End::BOTH {
                let known = halves[end].hop_limits().into_iter();
                known.flat_map(|hops| [hops.lowest, hops.highest]).for_each(|hops| copies.add_hop_limit(hops, end));
            }
            Box::new(copies)
        });
        copies.note(segment, from);
        // Recorded before and after a router, a RST need not come from the point of the first data.
        if halves[from].hop_limits().is_some() && segment.sequence_len() > 0 {
            halves[from].note_hop_limit(segment);
        }
    }

    fn syn(&mut self, from: End, segment: &Segment<'_>) {
        let [syn_from, syn_ack_from] = &mut self.syn_from;
        let (first, by) = match segment.flags.ack() {
            true => (&mut self.syn_ack, syn_ack_from),
            false => (&mut self.syn, syn_from),
        };
        let repeats = first.is_some() && *by == from;
        if first.is_none() {
            (*first, *by) = (Some(segment.origin), from);
        }
        let half = &mut self.halves[from];
        if repeats {
            half.aside_mut().syn_retransmissions += 1;
        }
        half.mss = half.mss.or(segment.options.mss);
        half.window_scale = half.window_scale.or(segment.options.window_scale);
        half.start_at(segment.seq.plus(1));
        if half.from_start {
            self.refresh_acked(from);
        }
    }

    /// `from` acknowledges everything of its peer before `ack`.
    fn ack(&mut self, from: End, ack: SeqNumber, segment: &Segment<'_>) {
        let peer = from.other();
        // A handshake tells where the peer's stream starts even if its SYN was not captured.
        let opens = self.syn.is_some() && self.syn_from[0] == from && self.halves[from].bytes == 0;
        if !segment.flags.rst() && (segment.flags.syn() || opens) {
            self.halves[peer].start_at(ack);
        }
        // A RST may be forged, and its number anything; believe it only for bytes that were seen.
        if segment.flags.rst() {
            let offset = self.halves[peer].acknowledged(ack);
            if offset.is_none_or(|offset| offset.0 > self.halves[peer].seen_to()) {
                return;
            }
        } else if self.halves[peer].is_anchored() && self.halves[peer].distance(ack).is_none() {
            self.halves[from].anomalies_mut().out_of_window += 1;
            return;
        }
        let news = self.halves[from].sent_ack(ack);
        let acked = self.halves[peer].acknowledged(ack);
        if news {
            self.halves[from].last_ack = Some(segment.origin);
            let before = self.halves[from].acked.get().map_or(0, |acked| acked.0);
            let upto = acked.map_or(before, |acked| acked.0);
            let all = upto >= self.halves[peer].bytes;
            self.halves[peer].note_acknowledged(upto.saturating_sub(before), all, segment.origin);
        }
        self.halves[from].acked = self.halves[from].acked.max(acked.into());
        self.untold[from] |= acked.is_some();
        if news && !segment.flags.rst() {
            self.outlives_reset(from, segment.origin);
        }
    }

    /// `end`'s stream got a start: what its peer acknowledged means something now.
    fn refresh_acked(&mut self, end: End) {
        let ack = self.halves[end.other()].highest_ack();
        self.halves[end.other()].acked = ack.and_then(|ack| self.halves[end].acknowledged(ack)).into();
    }

    fn rst(&mut self, from: End, segment: &Segment<'_>, budget: &mut Budget, context: &mut S::Context) {
        let offset = self.halves[from].offset_of(segment.seq);
        let aside = self.halves[from].aside_mut();
        if let Some(reset) = &mut aside.reset {
            reset.again(offset);
            return;
        }
        aside.rst = Some(segment.origin);
        aside.rst_without_ack = segment.ack.is_none();
        let mut reassembly = self.reassembly(from, budget, context);
        reassembly.flush(segment.origin);
        let reset = Reset::new(offset, reassembly.half.bytes, segment.hop_limit);
        reassembly.half.aside_mut().reset = Some(Box::new(reset));
        reassembly.end(StreamEndKind::Rst, segment.origin);
        self.over.get_or_insert(FlowEnd::Reset);
    }

    /// `from` sent data that is new; `before` is the packet of this flow before it.
    fn new_data(&mut self, from: End, segment: &Segment<'_>, before: Origin) {
        let acked = self.halves[from.other()].acked.get();
        let half = &mut self.halves[from];
        half.note_new_data(segment.origin, segment.data_len(), acked, before);
        let bytes = half.bytes;
        let Some(reset) = half.known_aside_mut().and_then(|aside| aside.reset.as_mut()) else { return };
        // An end that goes on sending beyond its RST never sent it.
        if bytes > reset.limit() {
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
        if let Some(reset) = self.halves[from].known_aside_mut().and_then(|aside| aside.reset.as_mut()) {
            reset.went_on = Some(origin);
        }
        let acked = self.halves[from].acked.get();
        let outlived = |reset: &Reset| reset.data_after && acked.is_some_and(|acked| acked.0 > reset.limit());
        let Some(peer) = self.halves[from.other()].known_aside_mut() else { return };
        if peer.reset.as_deref().is_some_and(outlived)
            && let Some(rst) = peer.rst.take()
        {
            peer.reset = None;
            let outlived = OutlivedReset { from: from.other(), rst, shown_at: origin };
            peer.anomalies.get_or_insert_default().outlived_reset.get_or_insert(outlived);
        }
    }

    /// Takes note when what `from` sends answers what was not seen yet.
    fn note_answer(&mut self, from: End, segment: &Segment<'_>) {
        if segment.data_len() == 0 && !segment.flags.fin() {
            return;
        }
        let (peer, seen) = (from.other(), self.halves[from.other()].bytes);
        let acked = segment.ack.and_then(|ack| self.halves[peer].acknowledged(ack));
        if acked.is_some_and(|acked| acked.0 > seen) && self.halves[from].acked.get() == acked {
            self.halves[from].anomalies_mut().answers_unseen = Some(segment.origin);
        }
    }

    /// `from` has just sent its FIN.
    fn note_fin(&mut self, from: End) {
        let seen = self.halves[from.other()].bytes;
        if let Some(acked) = self.halves[from].acked.get().filter(|acked| acked.0 > seen) {
            self.halves[from].anomalies_mut().fin_answers = Some(acked);
        }
    }

    fn note_window(&mut self, from: End, segment: &Segment<'_>) {
        let half = &mut self.halves[from];
        if segment.sequence_len() > 0 {
            half.note_hop_limit(segment);
        }
        if segment.window == 0 {
            let anomalies = half.anomalies_mut();
            anomalies.zero_windows += 1;
            anomalies.zero_window_since.get_or_insert(segment.origin);
        } else if let Some(anomalies) = half.known_anomalies_mut()
            && let Some(since) = anomalies.zero_window_since.take()
        {
            anomalies.last_zero_window = Some((since, segment.origin));
        }
    }

    /// Notes an ICMP error that quotes a segment of this flow; one whose number is nowhere near is not of it.
    pub(super) fn icmp(&mut self, error: &IcmpError) {
        let from = self.bases.end(error.source);
        let near = self.halves[from].is_near(error.seq) != Some(false);
        if near {
            self.steady = false;
            let icmp = &mut self.rare.get_or_insert_default().icmp;
            if icmp.len() < TcpFacts::MAX_ICMP {
                icmp.push((from, *error));
            }
        }
    }
}
