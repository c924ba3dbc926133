//! From the segments of one end to its bytes in order.
//!
//! [`Half`] is the state, [`Reassembly`] the work on it.

use super::delivered::Direction;
use super::edges::Edges;
use super::half::{Anchor, Anchored, Half, NEAR};
use super::reorder::{Budget, Span, differ};
use super::resent::Resent;
use super::{Conflict, LostTail};
use crate::packet::{Segment, SeqNumber};
use crate::stream::{Chunk, End, Gap, GapReason, PerEnd, StreamEnd, StreamEndKind, StreamSink};
use crate::units::{Origin, PacketNumber, StreamOffset};

/// Segments of the same end after which a hole that the peer acknowledged is given up.
const PATIENCE_SEGMENTS: u32 = 64;

/// Seconds after which a hole that the peer acknowledged is given up.
const PATIENCE_SECONDS: f64 = 2.0;

/// A hole filled within this many seconds was swapped on the way; later, it was sent again (as Wireshark decides).
const SWAPPED_SECONDS: f64 = 0.003;

/// What the other end's segments tell about this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerView {
    /// How much of the stream it acknowledged.
    pub(super) acked: Option<StreamOffset>,
    /// No segment of it was captured.
    pub(super) absent: bool,
    /// It announced a window of zero and has not opened it again.
    pub(super) closed: bool,
}

/// One end's half, with everything that receiving bytes touches.
pub(super) struct Reassembly<'r, S: StreamSink> {
    pub(super) direction: Direction,
    pub(super) half: &'r mut Half,
    pub(super) peer: PeerView,
    /// Ends that acknowledged something of which the sink has not been told.
    pub(super) untold: &'r mut PerEnd<bool>,
    pub(super) budget: &'r mut Budget,
    pub(super) sink: &'r mut S,
    pub(super) context: &'r mut S::Context,
}

impl<S: StreamSink> Reassembly<'_, S> {
    /// Data and FIN of one segment that is no RST.
    pub(super) fn segment(&mut self, segment: &Segment<'_>) -> Anchored {
        let seq = segment.seq.plus(u32::from(segment.flags.syn()));
        let len = segment.data_len();
        if len == 0 && !segment.flags.fin() {
            return self.bare(segment, seq);
        }
        if self.half.is_next(seq) && segment.payload_cut == 0 && !segment.flags.fin() {
            // What nearly all segments are; everything below comes to the same for them.
            self.half.data_segments += 1;
            self.half.note_data(segment.origin);
            self.emit(Span { start: self.half.bytes, bytes: segment.payload, cut: 0, origin: segment.origin });
            return Anchored::Stays;
        }
        let anchored = self.half.anchor(seq, len);
        let Some(distance) = self.half.distance(seq) else {
            self.half.anomalies_mut().out_of_window += 1;
            return anchored;
        };
        if len == 1 && distance == -1 && !segment.flags.fin() && self.is_settled() {
            self.probe(segment.origin);
            return anchored;
        }
        self.half.data_segments += u32::from(len > 0);
        // Bytes before the start of a stream that was joined late have no offset.
        let start = self.half.bytes.cast_signed().saturating_add(distance);
        let before = start.min(0).unsigned_abs();
        let whole =
            Span { start: 0, bytes: segment.payload, cut: u64::from(segment.payload_cut), origin: segment.origin };
        let span = Span { start: start.max(0).unsigned_abs(), ..whole.skip_to(before) };
        let repeats_fin = segment.flags.fin() && !self.fin(span.end(), segment.origin);
        let repeats = (distance < 0 && len > 0) || repeats_fin;
        if repeats {
            self.half.note_retransmission(segment.origin);
            if distance < 0 {
                self.note_resent(span.start, len, segment.origin);
            }
        }
        if distance < 0 {
            self.compare_with_delivered(span.until(self.half.bytes));
        }
        self.data(span.skip_to(self.half.bytes), repeats);
        self.deliver_fin();
        anchored
    }

    /// A segment without data and FIN: an acknowledgement or a keep-alive.
    fn bare(&mut self, segment: &Segment<'_>, seq: SeqNumber) -> Anchored {
        let known = self.half.anchor != Anchor::None;
        let anchored = self.half.anchor(seq, 0);
        if known
            && !segment.flags.syn()
            && self.half.aside().fin_at.is_none()
            && let Some(ahead) = self.half.distance(seq)
            && (1..=i64::from(NEAR)).contains(&ahead)
        {
            let place = self.half.bytes.saturating_add_signed(ahead);
            let anomalies = self.half.anomalies_mut();
            anomalies.stood_at = anomalies.stood_at.max(place);
        }
        if known && !segment.flags.syn() && self.half.distance(seq) == Some(-1) && self.is_settled() {
            self.probe(segment.origin);
        }
        anchored
    }

    /// A segment that adds nothing and asks for an acknowledgement.
    fn probe(&mut self, origin: Origin) {
        if self.peer.closed {
            self.half.anomalies_mut().window_probes += 1;
            return;
        }
        self.half.aside_mut().keep_alives += 1;
        let span = &mut self.half.anomalies_mut().keep_alive_span;
        *span = Some((span.map_or(origin, |(first, _)| first), origin));
    }

    /// Notes that the bytes from `start` on were sent again, if they are the oldest without an acknowledgement.
    fn note_resent(&mut self, start: u64, len: u32, origin: Origin) {
        let acked = self.peer.acked.map_or(0, |acked| acked.0);
        if !(start..start.saturating_add(len.into())).contains(&acked) {
            return;
        }
        match &mut self.half.anomalies_mut().resent {
            Some(resent) if resent.start == start => resent.again(len, origin),
            resent => *resent = Some(Resent::new(start, len, origin)),
        }
    }

    /// Nothing of this end is under way: what it repeats, it repeats on purpose.
    fn is_settled(&self) -> bool {
        !self.half.has_hole()
            && self.half.aside().fin_at.is_none()
            && self.peer.acked.is_none_or(|acked| acked.0 >= self.half.bytes)
    }

    /// The stream ends at `at`; false if that was known.
    fn fin(&mut self, at: u64, origin: Origin) -> bool {
        if self.half.aside().fin_at.is_some() {
            return false;
        }
        let seen = self.half.aside().waiting.as_ref().map_or(self.half.bytes, |waiting| waiting.end());
        if at < seen {
            self.half.anomalies_mut().out_of_window += 1;
            return true;
        }
        let aside = self.half.aside_mut();
        (aside.fin_at, aside.fin) = (Some(at), Some(origin));
        true
    }

    /// Bytes that start at or after the next one. `repeats`: their segment counts as a retransmission already.
    fn data(&mut self, mut span: Span<'_>, repeats: bool) {
        if let Some(fin) = self.half.aside().fin_at.filter(|fin| span.end() > *fin) {
            self.half.anomalies_mut().out_of_window += 1;
            span = span.until(fin);
        }
        if span.len() == 0 {
            return;
        }
        if span.start > self.half.bytes {
            self.make_room(&span);
            // Giving up a hole may have delivered another version of these bytes.
            span = span.skip_to(self.half.bytes);
        }
        if span.start > self.half.bytes {
            self.wait(span);
        } else if self.half.aside().waiting.is_some() {
            self.fill(span, repeats);
        } else if span.len() > 0 {
            self.half.note_data(span.origin);
            self.emit(span);
        }
    }

    /// The usual case, and the end of all others: bytes that are next.
    fn emit(&mut self, span: Span<'_>) {
        debug_assert_eq!(span.start, self.half.bytes);
        if !span.bytes.is_empty() {
            let offset = StreamOffset(self.half.bytes);
            let edges = Edges::of(span.bytes);
            if let Ok(len) = u32::try_from(span.bytes.len()) {
                self.budget.delivered.remember(self.direction, offset.0, (len, edges), span.origin.packet);
            }
            self.half.advance(span.bytes.len() as u64);
            self.tell_acknowledged();
            self.budget.told = true;
            self.sink.chunk(
                self.context,
                Chunk { from: self.direction.from, offset, origin: span.origin, bytes: span.bytes },
            );
        }
        if span.cut > 0 {
            self.gap(span.cut, GapReason::CutByCapture, span.origin);
        }
    }

    /// Bytes that are next while others wait behind them: delivered between those, which came first.
    fn fill(&mut self, mut span: Span<'_>, repeats: bool) {
        let first = self.half.aside().waiting.as_ref().and_then(|waiting| waiting.first());
        if let Some(later) = first.map(|first| first.origin).filter(|_| span.len() > 0) {
            self.half.note_data(span.origin);
            if !repeats {
                self.note_late(span.origin, later);
            }
        }
        let mut conflict = None;
        while span.len() > 0 {
            let waiting = self.half.waiting_mut();
            let piece = waiting.and_then(|waiting| waiting.pop_first_before(span.end(), self.budget));
            let Some(piece) = piece else {
                self.emit(span);
                break;
            };
            let known = piece.span();
            if differ(&known, &span) {
                conflict.get_or_insert((known.origin.packet, known.end().min(span.end())));
            }
            let free = span.until(known.start);
            if free.len() > 0 {
                self.emit(free);
            }
            self.emit(known);
            span = span.skip_to(self.half.bytes);
        }
        self.note_conflict(conflict, span.origin);
        self.drain();
    }

    /// Bytes beyond a hole.
    fn wait(&mut self, span: Span<'_>) {
        let segments = self.half.segments;
        let overlap = self.half.aside_mut().waiting.get_or_insert_default().insert(span, segments, self.budget);
        self.note_conflict(overlap.conflict, span.origin);
        if overlap.adds {
            self.half.note_data(span.origin);
        }
        match overlap.fills_before {
            _ if overlap.repeats => self.half.note_retransmission(span.origin),
            Some(later) => self.note_late(span.origin, later),
            None => {}
        }
    }

    /// Gives up holes until `span` may wait or is next.
    fn make_room(&mut self, span: &Span<'_>) {
        let mut hit = false;
        while span.start > self.half.bytes {
            let waiting = self.half.aside_mut().waiting.get_or_insert_default();
            if waiting.has_room(span, self.budget) {
                return;
            }
            if !hit {
                self.budget.hits.reorder += 1;
                hit = true;
            }
            // With nothing else to give up, the hole before the span itself goes.
            let target = waiting.first().map_or(span.start, |first| first.start.min(span.start));
            self.give_up(target, GapReason::Limit, span.origin);
        }
    }

    /// Everything before `offset` that has not come never will, or is not waited for any longer. Delivers what waited for
    /// it.
    fn give_up(&mut self, offset: u64, reason: GapReason, at: Origin) {
        let missing = offset.saturating_sub(self.half.bytes);
        if missing > 0 {
            self.gap(missing, reason, at);
        }
        self.drain();
    }

    /// Delivers what waits and is next.
    fn drain(&mut self) {
        loop {
            let next = self.half.bytes + 1;
            let Some(waiting) = self.half.waiting_mut() else { break };
            match waiting.pop_first_before(next, self.budget) {
                Some(piece) => self.emit(piece.span()),
                None => {
                    if waiting.is_empty() {
                        self.half.aside_mut().waiting = None;
                    }
                    break;
                }
            }
        }
    }

    fn deliver_fin(&mut self) {
        if self.half.aside().fin_delivered || self.half.aside().fin_at != Some(self.half.bytes) {
            return;
        }
        if let Some(origin) = self.half.aside().fin {
            self.half.aside_mut().fin_delivered = true;
            self.end(StreamEndKind::Fin, origin);
        }
    }

    /// Gives up holes for whose loss enough speaks, see the module's rules.
    pub(super) fn give_up_overdue(&mut self, now: Origin) {
        while self.half.has_hole() {
            let waiting = self.half.aside().waiting.as_ref().and_then(|waiting| waiting.first());
            let (target, since) = match (waiting, self.half.aside().fin_at, self.half.aside().fin) {
                (Some(first), ..) => (first.start, first.origin),
                (None, Some(fin), Some(origin)) => (fin, origin),
                _ => return,
            };
            let later_segments = (self.half.aside().waiting.as_ref())
                .and_then(|waiting| waiting.waiting_since_segment())
                .map_or(0, |since| self.half.segments.saturating_sub(since));
            let received = self.peer.absent || self.peer.acked.is_some_and(|acked| acked.0 >= target);
            let overdue = later_segments >= PATIENCE_SEGMENTS
                || now.seconds_since(&since).is_some_and(|seconds| seconds >= PATIENCE_SECONDS);
            if !received || !overdue {
                return;
            }
            self.give_up(target, GapReason::NotCaptured, now);
            self.deliver_fin();
        }
    }

    /// Delivers whatever waits, with gaps for what is missing between.
    pub(super) fn flush(&mut self, now: Origin) {
        while let Some(first) = self.half.aside().waiting.as_ref().and_then(|waiting| waiting.first()) {
            self.give_up(first.start, GapReason::NotCaptured, now);
        }
        self.deliver_fin();
    }

    /// No more segments will come: delivers whatever waits and tells what is missing at the end.
    pub(super) fn finish(&mut self, now: Origin) {
        self.flush(now);
        let bytes = self.half.bytes;
        let reached = self.peer.acked.map_or(0, |acked| acked.0).max(self.half.anomalies().stood_at);
        let stands_at = reached.max(self.reset_at(bytes));
        if self.half.aside().fin_at.is_none() && stands_at > bytes {
            self.half.anomalies_mut().tail_lost =
                Some(LostTail { from: StreamOffset(bytes), to: StreamOffset(stands_at) });
        }
        match self.half.aside().fin_at {
            Some(fin) => self.give_up(fin, GapReason::NotCaptured, now),
            // One number beyond the last byte: a byte or the FIN itself, which the capture does not hold.
            None if reached == bytes.saturating_add(1) => {
                self.half.anomalies_mut().gaps += 1;
                let offset = StreamOffset(bytes);
                let gap =
                    Gap { from: self.direction.from, offset, len: None, reason: GapReason::NotCaptured, origin: now };
                self.tell_acknowledged();
                self.sink.gap(self.context, gap);
            }
            None => self.give_up(reached, GapReason::NotCaptured, now),
        }
        self.deliver_fin();
    }

    /// Where this end's RST stands, which is what it would have sent next. Far beyond any window somebody else sent it.
    fn reset_at(&self, bytes: u64) -> u64 {
        const WINDOW: u64 = 1 << 20;
        let place = self.half.aside().reset.as_ref().and_then(|reset| reset.offset).map_or(0, |offset| offset.0);
        if place.saturating_sub(bytes) < WINDOW { place } else { 0 }
    }

    /// Tells the sink what was acknowledged since it was last told something.
    pub(super) fn tell_acknowledged(&mut self) {
        let acked = (self.half.acked.get(), self.peer.acked);
        tell_acknowledged(self.sink, self.untold, self.direction.from, acked);
    }

    /// Tells the sink how this end finished.
    pub(super) fn end(&mut self, kind: StreamEndKind, origin: Origin) {
        let offset = StreamOffset(self.half.bytes);
        self.tell_acknowledged();
        self.budget.told = true;
        self.sink.end(self.context, StreamEnd { from: self.direction.from, kind, offset, origin });
    }

    fn gap(&mut self, len: u64, reason: GapReason, origin: Origin) {
        let offset = StreamOffset(self.half.bytes);
        let acked = self.peer.acked.map_or(0, |acked| acked.0.saturating_sub(offset.0).min(len));
        self.half.advance(len);
        let anomalies = self.half.anomalies_mut();
        anomalies.gaps += 1;
        anomalies.gap_bytes += len;
        match reason {
            GapReason::CutByCapture => anomalies.cut_bytes += len,
            GapReason::NotCaptured => anomalies.acked_gap_bytes += acked,
            GapReason::Limit => anomalies.limit_bytes += len,
        }
        self.tell_acknowledged();
        self.budget.told = true;
        self.sink.gap(self.context, Gap { from: self.direction.from, offset, len: Some(len), reason, origin });
    }

    /// A hole was filled after `later` had shown it.
    fn note_late(&mut self, origin: Origin, later: Origin) {
        if origin.seconds_since(&later).is_some_and(|seconds| seconds > SWAPPED_SECONDS) {
            self.half.note_retransmission(origin);
        } else {
            self.half.anomalies_mut().out_of_order += 1;
        }
    }

    /// Bytes that were delivered before.
    fn compare_with_delivered(&mut self, span: Span<'_>) {
        let conflict = self.budget.delivered.contradicted_by(self.direction, &span);
        self.note_conflict(conflict, span.origin);
    }

    /// The segment at `other` contradicts what a packet brought first; the offset after those bytes.
    fn note_conflict(&mut self, known: Option<(PacketNumber, u64)>, other: Origin) {
        let Some((kept, until)) = known else { return };
        let acknowledged = self.peer.acked.is_some_and(|acked| acked.0 >= until);
        let anomalies = self.half.anomalies_mut();
        anomalies.conflicting_overlaps += 1;
        if anomalies.conflict.is_none_or(|before| before.acknowledged && !acknowledged) {
            anomalies.conflict = Some(Conflict { kept, other, acknowledged });
        }
    }
}

/// Tells the sink what `end` has acknowledged of its peer's stream, and its peer of this one, where that is `untold`. Bare
/// acknowledgements so need nothing of the sink, which is told of them only with what it takes in next.
#[inline]
pub(super) fn tell_acknowledged<S: StreamSink>(
    sink: &mut S,
    untold: &mut PerEnd<bool>,
    end: End,
    (own, peer): (Option<StreamOffset>, Option<StreamOffset>),
) {
    for (by, acked) in [(end, own), (end.other(), peer)] {
        if std::mem::take(&mut untold[by])
            && let Some(acked) = acked
        {
            sink.acknowledged(by.other(), acked);
        }
    }
}
