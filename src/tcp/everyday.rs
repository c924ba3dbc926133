//! The short way for what nearly all segments are: the next bytes of a stream, or an acknowledgement of something new, in
//! a flow in which nothing else is going on.
//!
//! Whether that is so ([`OpenFlow::is_steady`]) depends on the flow alone and is looked at after every segment that goes the
//! long way. What is done here comes to the same as the long way, [`OpenFlow::any`]; a test holds the two together.

use super::copies::Copies;
use super::delivered::Direction;
use super::edges::Edges;
use super::half::{Aside, Half, PLAUSIBLE, Place};
use super::open::OpenFlow;
use super::reassembly::tell_acknowledged;
use super::reorder::Budget;
use crate::packet::{Segment, TcpFlags};
use crate::stream::{Chunk, End, StreamSink};
use crate::units::StreamOffset;

impl<S: StreamSink> OpenFlow<S> {
    /// Both streams have begun, neither has ended, and nothing is missing or out of the ordinary.
    pub(super) fn is_steady(&self) -> bool {
        let flows_on = |half: &Half| half.is_fixed() && half.aside.as_deref().is_none_or(Aside::is_calm);
        self.over.is_none()
            && self.rare.is_none()
            && self.bases.are_known()
            && flows_on(&self.halves.a)
            && flows_on(&self.halves.b)
    }

    /// Takes in the next segment of a steady flow, if it is what nearly all are. If not, nothing has changed.
    #[inline]
    pub(super) fn everyday(
        &mut self,
        from: End,
        segment: &Segment<'_>,
        copies: &mut Copies,
        budget: &mut Budget,
        context: &mut S::Context,
    ) -> bool {
        let (half, peer) = match from {
            End::A => (&mut self.halves.a, &mut self.halves.b),
            End::B => (&mut self.halves.b, &mut self.halves.a),
        };
        let Some(ack) = segment.ack else { return false };
        let (len, ahead) = (segment.data_len(), peer.distance_to(ack));
        let is_everyday = half.stands_at(segment.seq)
            && (-PLAUSIBLE..=0).contains(&ahead)
            && (half.bytes > 0 || peer.from_start)
            && (len > 0 || half.is_news(ack))
            && !segment.flags.contains_any(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST)
            && segment.window > 0
            && segment.payload_cut == 0
            && segment.interface == self.point.interface
            && segment.fragment_conflict.is_none();
        if !is_everyday {
            return false;
        }
        let (origin, edges) = (segment.origin, Edges::of(segment.payload));
        let direction = Direction { flow: self.number, from };
        copies.add(direction, segment, edges);
        let before = std::mem::replace(&mut self.last, origin);
        self.recently_used = true;
        if self.is_tombstone {
            half.follow(segment);
            return true;
        }
        half.segments += 1;
        half.last = Some(origin);
        let acked = peer.bytes.saturating_add_signed(ahead.into());
        if half.sent_ack(ack) {
            let known = half.acked.get().map_or(0, |acked| acked.0);
            half.last_ack = Some(origin);
            peer.note_acknowledged(acked.saturating_sub(known), acked >= peer.bytes, origin);
        }
        half.acked = half.acked.max(Place::of(StreamOffset(acked)));
        self.untold[from] = true;
        if len > 0 {
            let offset = StreamOffset(half.bytes);
            half.note_hop_limit(segment);
            half.data_segments += 1;
            half.note_data(origin);
            half.advance(len.into());
            let acked = (half.acked.get(), peer.acked.get());
            half.note_new_data(origin, len, acked.1, before);
            budget.delivered.remember(direction, offset.0, (len, edges), origin.packet);
            budget.told = true;
            tell_acknowledged(&mut self.sink, &mut self.untold, from, acked);
            self.sink.chunk(context, Chunk { from, offset, origin, bytes: segment.payload });
        }
        true
    }
}
