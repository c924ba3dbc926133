//! One direction of a flow while it is open: where its stream stands, and what its segments told.
//!
//! The stream offset of [`Half::next`] is always [`Half::bytes`]; SYN and FIN occupy a sequence number each but no
//! offset. A capture may hold a million of these, so what most ends need only when they close, or never, is kept
//! [`Aside`]. At the end of the flow it becomes [`EndFacts`].

use super::reorder::{Budget, Reorder};
use super::{Anomalies, EndFacts, HopLimits, Pending, Reset};
use crate::packet::{Segment, SeqNumber};
use crate::units::{Origin, PacketNumber, StreamOffset, Timestamp};

/// Sequence numbers further from the stream than any window (RFC 7323 §2.3) are not of it.
pub(super) const PLAUSIBLE: i32 = 1 << 30;

/// Sequence numbers this close belong to the same stream: chance brings one in 128 so near, and captures hardly lose more
/// at once.
pub(super) const NEAR: u32 = 1 << 24;

/// How sure we are of where the stream starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Anchor {
    /// Nothing seen of this end.
    #[default]
    None,
    /// Only segments without data, which may be keep-alives or overtaken: the first data may still set the start.
    Loose,
    /// Offset 0 will not move.
    Fixed,
}

/// The state of one end. Fields without a comment are those of [`EndFacts`]. In this order, because the last of them are hardly
/// ever touched again.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Half {
    pub(super) bytes: u64,
    pub(super) acked: Place,
    pub(super) aside: Option<Box<Aside>>,
    /// The sequence number of the next byte.
    next: u32,
    /// The highest acknowledgement that this end sent, if it sent one.
    highest_ack: u32,
    /// No more than there are packets.
    pub(super) segments: u32,
    pub(super) data_segments: u32,
    has_acked: bool,
    pub(super) anchor: Anchor,
    pub(super) from_start: bool,
    pub(super) window_scale: Option<u8>,
    lowest_hop_limit: u8,
    highest_hop_limit: u8,
    pub(super) last: Option<Origin>,
    pub(super) last_ack: Option<Origin>,
    pub(super) last_data: Option<Origin>,
    pending: Option<Unacknowledged>,
    /// [`Pending::largest`], while something is.
    largest_pending: u32,
    pub(super) largest_acked: u32,
    pub(super) first_data: Option<Origin>,
    /// The first packet that showed a hop limit.
    hop_limit_seen: Option<PacketNumber>,
    pub(super) mss: Option<u16>,
}

/// A place in a stream, or none, in one word: many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place(u64);

impl Place {
    /// No stream reaches the last offset there is.
    #[inline]
    pub(super) fn of(offset: StreamOffset) -> Self {
        Self(offset.0.saturating_add(1))
    }

    #[inline]
    pub(super) fn get(self) -> Option<StreamOffset> {
        self.0.checked_sub(1).map(StreamOffset)
    }
}

impl From<Option<StreamOffset>> for Place {
    fn from(offset: Option<StreamOffset>) -> Self {
        offset.map_or(Self::default(), Self::of)
    }
}

/// [`Pending`] while it may grow.
#[derive(Debug, Clone, Copy)]
struct Unacknowledged {
    since: Origin,
    /// When the packet before it came, unless others were on their way with it.
    quiet_since: Option<Timestamp>,
}

/// What most ends need only when they close, or never. Fields without a comment are those of [`EndFacts`].
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) fin: Option<Origin>,
    /// The stream ends here: the offset of the FIN.
    pub(super) fin_at: Option<u64>,
    pub(super) fin_delivered: bool,
    pub(super) rst: Option<Origin>,
    pub(super) reset: Option<Box<Reset>>,
    pub(super) rst_without_ack: bool,
    pub(super) keep_alives: u32,
    pub(super) syn_retransmissions: u32,
    pub(super) anomalies: Option<Box<Anomalies>>,
    /// Bytes beyond a hole.
    pub(super) waiting: Option<Box<Reorder>>,
}

impl Aside {
    const NONE: Self = Self {
        fin: None,
        fin_at: None,
        fin_delivered: false,
        rst: None,
        reset: None,
        rst_without_ack: false,
        keep_alives: 0,
        syn_retransmissions: 0,
        anomalies: None,
        waiting: None,
    };

    /// Nothing that the next segment in order could change.
    pub(super) fn is_calm(&self) -> bool {
        let over = |anomalies: &Anomalies| {
            let Anomalies { retransmitted_since_last_ack, resent, zero_window_since, .. } = anomalies;
            *retransmitted_since_last_ack == 0 && resent.is_none() && zero_window_since.is_none()
        };
        let Self { fin, fin_at, reset, waiting, anomalies, .. } = self;
        let (has_ended, has_hole) = (fin.is_some() || fin_at.is_some() || reset.is_some(), waiting.is_some());
        !has_ended && !has_hole && anomalies.as_deref().is_none_or(over)
    }
}

impl Half {
    /// Reads a little of all that is kept for every end.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        self.bytes ^ u64::from(self.segments) ^ u64::from(self.largest_acked)
    }

    /// What is kept aside; empty for most.
    #[inline]
    pub(super) fn aside(&self) -> &Aside {
        static NONE: Aside = Aside::NONE;
        self.aside.as_deref().unwrap_or(&NONE)
    }

    /// The same, to be changed; takes memory from the first call on.
    pub(super) fn aside_mut(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// The same, if there is anything.
    #[inline]
    pub(super) fn known_aside_mut(&mut self) -> Option<&mut Aside> {
        self.aside.as_deref_mut()
    }

    /// What went other than in order.
    #[inline]
    pub(super) fn anomalies(&self) -> &Anomalies {
        self.aside().anomalies.as_deref().unwrap_or(Anomalies::none())
    }

    /// The same, to be changed; takes memory from the first call on.
    pub(super) fn anomalies_mut(&mut self) -> &mut Anomalies {
        self.aside_mut().anomalies.get_or_insert_default()
    }

    /// The same, if there is anything.
    #[inline]
    pub(super) fn known_anomalies_mut(&mut self) -> Option<&mut Anomalies> {
        self.known_aside_mut()?.anomalies.as_deref_mut()
    }

    /// Bytes beyond a hole, if there are any.
    pub(super) fn waiting_mut(&mut self) -> Option<&mut Reorder> {
        self.known_aside_mut()?.waiting.as_deref_mut()
    }

    /// What the segments told, when there will be no more.
    pub(super) fn into_facts(self) -> EndFacts {
        let (pending, hop_limits) = (self.pending(), self.hop_limits());
        let aside = self.aside.map_or(Aside::NONE, |aside| *aside);
        EndFacts {
            segments: self.segments.into(),
            data_segments: self.data_segments.into(),
            bytes: self.bytes,
            from_start: self.from_start,
            first_data: self.first_data,
            last_data: self.last_data,
            fin: aside.fin,
            rst: aside.rst,
            reset: aside.reset,
            rst_without_ack: aside.rst_without_ack,
            last: self.last,
            pending: pending.map(Box::new),
            largest_acked: self.largest_acked,
            last_ack: self.last_ack,
            acked: self.acked.get(),
            keep_alives: aside.keep_alives,
            syn_retransmissions: aside.syn_retransmissions,
            mss: self.mss,
            window_scale: self.window_scale,
            hop_limits,
            anomalies: aside.anomalies,
        }
    }

    /// A data segment of this end that was sent before, in full or in part.
    pub(super) fn note_retransmission(&mut self, origin: Origin) {
        let anomalies = self.anomalies_mut();
        anomalies.retransmissions += 1;
        anomalies.retransmitted_since_last_ack += 1;
        anomalies.last_retransmission = Some(origin);
    }

    /// A segment with data that is new.
    #[inline]
    pub(super) fn note_data(&mut self, origin: Origin) {
        if self.last_data.replace(origin).is_none() {
            self.first_data = Some(origin);
        }
    }

    /// A segment with a SYN, data or a FIN.
    #[inline]
    pub(super) fn note_hop_limit(&mut self, segment: &Segment<'_>) {
        let hop_limit = segment.hop_limit;
        // Two zeros stand for none as well.
        if hop_limit > 0 && self.lowest_hop_limit == hop_limit && self.highest_hop_limit == hop_limit {
            return;
        }
        if self.hop_limit_seen.is_none() {
            self.hop_limit_seen = Some(segment.origin.packet);
            (self.lowest_hop_limit, self.highest_hop_limit) = (hop_limit, hop_limit);
        }
        self.lowest_hop_limit = self.lowest_hop_limit.min(hop_limit);
        self.highest_hop_limit = self.highest_hop_limit.max(hop_limit);
    }

    /// The hop limits of this end's segments with a SYN, data or a FIN.
    pub(super) fn hop_limits(&self) -> Option<HopLimits> {
        let (lowest, highest) = (self.lowest_hop_limit, self.highest_hop_limit);
        self.hop_limit_seen.map(|seen_at| HopLimits { lowest, highest, seen_at })
    }

    /// New data of `len` bytes, with which the stream has come to where it stands; `acked` of it is acknowledged, and
    /// `before` is the packet of the flow before it.
    #[inline]
    pub(super) fn note_new_data(&mut self, origin: Origin, len: u32, acked: Option<StreamOffset>, before: Origin) {
        if acked.is_some_and(|acked| acked.0 >= self.bytes) {
            // The acknowledgement was recorded first.
            self.largest_acked = self.largest_acked.max(len);
        } else {
            self.note_sent(origin, len, before);
        }
    }

    #[inline]
    fn note_sent(&mut self, origin: Origin, len: u32, before: Origin) {
        if self.pending.is_none() {
            self.pending = Some(Unacknowledged { since: origin, quiet_since: before.time });
            self.largest_pending = 0;
        }
        self.largest_pending = self.largest_pending.max(len);
    }

    /// What the peer has not acknowledged.
    fn pending(&self) -> Option<Pending> {
        let Unacknowledged { since, quiet_since } = self.pending?;
        let quiet_before = since.time.zip(quiet_since).map(|(since, before)| since.seconds_since(before));
        Some(Pending { since, quiet_before, largest: self.largest_pending })
    }

    /// The peer acknowledged `news` more bytes, and with them `all` that was sent, or not.
    #[inline]
    pub(super) fn note_acknowledged(&mut self, news: u64, all: bool, origin: Origin) {
        if let Some(pending) = &mut self.pending {
            // Which segments a part of the bytes came in is not kept: too large a guess is the careful one.
            let passed = u32::try_from(news).unwrap_or(u32::MAX).min(self.largest_pending);
            self.largest_acked = self.largest_acked.max(passed);
            pending.since = origin;
            pending.quiet_since = None;
        }
        if all {
            self.pending = None;
        }
        if let Some(anomalies) = self.known_anomalies_mut() {
            anomalies.retransmitted_since_last_ack = 0;
            anomalies.resent = None;
        }
    }

    /// The signed distance of `seq` from the next byte.
    #[inline]
    pub(super) fn distance_to(&self, seq: SeqNumber) -> i32 {
        seq.distance_from(SeqNumber(self.next))
    }

    /// The same, if it can be of this stream.
    #[inline]
    pub(super) fn distance(&self, seq: SeqNumber) -> Option<i64> {
        let distance = self.distance_to(seq);
        (-PLAUSIBLE..=PLAUSIBLE).contains(&distance).then_some(i64::from(distance))
    }

    /// Whether `seq` is so close to the next byte that chance would hardly bring it there; `None` while nothing is known.
    #[inline]
    pub(super) fn is_near(&self, seq: SeqNumber) -> Option<bool> {
        let near = seq.distance_from(SeqNumber(self.next)).unsigned_abs() <= NEAR;
        (self.anchor != Anchor::None).then_some(near)
    }

    /// Some segment of this end, or its peer's handshake, told where it stands.
    #[inline]
    pub(super) fn is_anchored(&self) -> bool {
        self.anchor != Anchor::None
    }

    /// Where the stream starts is certain.
    #[inline]
    pub(super) fn is_fixed(&self) -> bool {
        self.anchor == Anchor::Fixed
    }

    /// `seq` is the number of the next byte.
    #[inline]
    pub(super) fn stands_at(&self, seq: SeqNumber) -> bool {
        self.next == seq.0
    }

    /// Nothing of the stream came yet, so that its start may still move.
    fn is_untouched(&self) -> bool {
        self.bytes == 0 && self.aside.as_ref().is_none_or(|aside| aside.waiting.is_none() && aside.fin_at.is_none())
    }

    /// `seq` is the first byte of the stream for certain, unless bytes came already that say otherwise.
    pub(super) fn start_at(&mut self, seq: SeqNumber) {
        if self.anchor != Anchor::Fixed && self.is_untouched() {
            self.next = seq.0;
            self.anchor = Anchor::Fixed;
        }
        // Bytes wrap, so this holds for streams of any length.
        self.from_start |= self.anchor == Anchor::Fixed && self.next.wrapping_sub(self.bytes as u32) == seq.0;
    }

    /// Places a segment with `len` bytes of data at `seq` if the start of the stream is open.
    #[inline]
    pub(super) fn anchor(&mut self, seq: SeqNumber, len: u32) -> Anchored {
        let moves = match self.anchor {
            Anchor::None => true,
            Anchor::Fixed => false,
            // Data behind what a bare segment promised was overtaken by it; data one ahead follows a keep-alive.
            Anchor::Loose => {
                let distance = seq.distance_from(SeqNumber(self.next));
                len > 0 && self.is_untouched() && (distance == 1 || (distance < 0 && !(distance == -1 && len == 1)))
            }
        };
        if moves {
            self.next = seq.0;
        }
        let probe = self.anchor == Anchor::Loose && len == 1 && !moves && SeqNumber(self.next).distance_from(seq) == 1;
        self.anchor = match self.anchor {
            Anchor::Fixed => Anchor::Fixed,
            _ if len > 0 && !probe => Anchor::Fixed,
            _ => Anchor::Loose,
        };
        if moves { Anchored::Moved } else { Anchored::Stays }
    }

    /// Whether an acknowledgement of this end would be news.
    #[inline]
    pub(super) fn is_news(&self, ack: SeqNumber) -> bool {
        !self.has_acked || (1..=PLAUSIBLE).contains(&ack.distance_from(SeqNumber(self.highest_ack)))
    }

    /// Takes note of an acknowledgement that this end sent; true if it is news.
    #[inline]
    pub(super) fn sent_ack(&mut self, ack: SeqNumber) -> bool {
        let news = self.is_news(ack);
        if news {
            (self.highest_ack, self.has_acked) = (ack.0, true);
        }
        news
    }

    /// `seq` is the next byte of a stream that goes on, in which nothing is missing.
    #[inline]
    pub(super) fn is_next(&self, seq: SeqNumber) -> bool {
        let undisturbed = |aside: &Aside| aside.fin.is_none() && aside.waiting.is_none();
        self.stands_at(seq) && self.is_fixed() && self.aside.as_deref().is_none_or(undisturbed)
    }

    /// `len` bytes more of the stream were delivered, or given up.
    #[inline]
    pub(super) fn advance(&mut self, len: u64) {
        self.bytes += len;
        // Sequence numbers wrap; the low half of the length is all that counts.
        self.next = self.next.wrapping_add(len as u32);
    }

    /// Takes note of a segment of a flow of which only the numbers are followed, and when it ends.
    #[inline]
    pub(super) fn follow(&mut self, segment: &Segment<'_>) {
        self.segments += 1;
        let len = segment.sequence_len();
        if len > 0 || segment.flags.rst() {
            self.last_data = Some(segment.origin);
        }
        let next = segment.seq.plus(len);
        if self.anchor != Anchor::Fixed || next.distance_from(SeqNumber(self.next)) > 0 {
            self.next = next.0;
            self.anchor = Anchor::Fixed;
        }
        if let Some(ack) = segment.ack {
            self.sent_ack(ack);
        }
    }

    /// Forgets what waits beyond a hole, and the hole.
    pub(super) fn let_go_of_waiting(&mut self, budget: &mut Budget) {
        let Some(aside) = self.known_aside_mut() else { return };
        if let Some(mut waiting) = aside.waiting.take() {
            while waiting.pop_first_before(u64::MAX, budget).is_some() {}
        }
        aside.fin_delivered = true;
    }

    /// The highest acknowledgement that this end sent.
    #[inline]
    pub(super) fn highest_ack(&self) -> Option<SeqNumber> {
        self.has_acked.then_some(SeqNumber(self.highest_ack))
    }

    /// The offset that the peer acknowledges with `ack`.
    #[inline]
    pub(super) fn acknowledged(&self, ack: SeqNumber) -> Option<StreamOffset> {
        if self.anchor == Anchor::None {
            return None;
        }
        let offset = self.bytes.saturating_add_signed(self.distance(ack)?);
        Some(StreamOffset(self.aside().fin_at.map_or(offset, |fin| offset.min(fin))))
    }

    /// How far the stream was seen, with what still waits for bytes before it.
    pub(super) fn seen_to(&self) -> u64 {
        let Aside { waiting, fin_at, .. } = self.aside();
        fin_at.unwrap_or(0).max(waiting.as_ref().map_or(0, |waiting| waiting.end())).max(self.bytes)
    }

    /// The offset that `seq` stands for, once the stream has a start.
    #[inline]
    pub(super) fn offset_of(&self, seq: SeqNumber) -> Option<StreamOffset> {
        if self.anchor == Anchor::None {
            return None;
        }
        Some(StreamOffset(self.bytes.saturating_add_signed(i64::from(seq.distance_from(SeqNumber(self.next))))))
    }

    /// The sequence number behind everything that was seen of the stream.
    pub(super) fn head(&self) -> Option<SeqNumber> {
        let fin = u64::from(self.aside().fin_at.is_some());
        let ahead = self.seen_to().saturating_add(fin).saturating_sub(self.bytes);
        // Sequence numbers wrap; the low half of the distance is all that counts.
        (self.anchor != Anchor::None).then(|| SeqNumber(self.next).plus(ahead as u32))
    }

    /// Something waits for a hole to be filled.
    #[inline]
    pub(super) fn has_hole(&self) -> bool {
        let holds = |aside: &Aside| aside.waiting.is_some() || (aside.fin_at.is_some() && !aside.fin_delivered);
        self.aside.as_deref().is_some_and(holds)
    }
}

/// Whether the start of the stream moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchored {
    Moved,
    Stays,
}
