//! All flows: finding the one a segment belongs to, opening, and letting go.

use super::copies::Copies;
use super::delivered::Delivered;
use super::index::{FlowIndex, FlowKey, Latest, Network};
use super::open::OpenFlow;
use super::reorder::Budget;
use super::slab::Slab;
use super::{Flow, FlowEnd, FlowNumber, FlowStart};
use crate::limits::{LimitHits, Limits};
use crate::packet::{IcmpError, Segment};
use crate::stream::StreamSink;
use crate::units::{Origin, PacketNumber};
use std::collections::VecDeque;
use std::hint::black_box;

/// How long a flow that is over lingers when packets carry no time, counted in packets.
const LINGER_PACKETS: u64 = 10_000;

/// With so many open flows what they keep does not stay close to the processor.
const MANY_OPEN: usize = 125;

/// The segment in this packet is of the flow in this slot, unless that ends before.
struct Foreseen {
    packet: PacketNumber,
    slot: Option<u32>,
}

/// The flows of one capture.
///
/// Feed it with [`push`](Self::push), tell it now and then how late it is with [`tick`](Self::tick), take what ended with
/// [`pop_finished`](Self::pop_finished), and call [`finish`](Self::finish) at the end of the capture.
pub struct FlowTable<S: StreamSink> {
    flows: Slab<OpenFlow<S>>,
    index: FlowIndex,
    /// Flows that are over and linger, in order of ending.
    lingering: VecDeque<(u32, FlowNumber, Origin)>,
    /// Where the flows of the segments are that come next, the first of them last.
    foreseen: Vec<Foreseen>,
    finished: VecDeque<Flow<S>>,
    /// When the capture is over: the open flows that are still to be ended.
    last_open: VecDeque<u32>,
    copies: Copies,
    budget: Budget,
    /// Where the search for the next flow to evict starts.
    hand: u32,
    next_number: u64,
    late: u64,
}

impl<S: StreamSink> FlowTable<S> {
    /// An empty table that keeps to `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            flows: Slab::new(),
            index: FlowIndex::new(limits.flows),
            lingering: VecDeque::new(),
            foreseen: Vec::new(),
            finished: VecDeque::new(),
            last_open: VecDeque::new(),
            copies: Copies::default(),
            budget: Budget {
                limits: *limits,
                hits: LimitHits::default(),
                waiting: 0,
                kept: 0,
                passages: 0,
                told: false,
                delivered: Delivered::new(),
            },
            hand: 0,
            next_number: 0,
            late: 0,
        }
    }

    /// Adds the next segment of the capture. `open` makes the consumer of a new flow; all consumers share `context`.
    pub fn push(&mut self, segment: &Segment<'_>, context: &mut S::Context, open: impl FnOnce(&FlowStart) -> S) {
        let foreseen = self.foreseen.pop().filter(|foreseen| foreseen.packet == segment.origin.packet);
        let slot = match foreseen.and_then(|foreseen| foreseen.slot) {
            Some(slot) if self.belongs(segment, slot) => slot,
            _ => {
                let key = FlowKey::new(segment.source, segment.destination);
                let Some(slot) = self.place(&key, segment, context, open) else { return };
                slot
            }
        };
        let Some(flow) = self.flows.get_mut(slot) else { return };
        flow.push(segment, &mut self.copies, &mut self.budget, context);
        if std::mem::take(&mut self.budget.told) {
            flow.ask_consumer(&mut self.budget);
        }
        if flow.over.is_some() && !flow.queued {
            flow.queued = true;
            let entry = (slot, flow.number, flow.lingers_since());
            self.drop_stale();
            self.lingering.push_back(entry);
        }
        while self.budget.kept > self.budget.limits.kept_bytes_total && self.evict(context, |flow| flow.kept() > 0) {
            self.budget.hits.kept += 1;
        }
    }

    /// It is `now`: closes the flows whose time to linger is over.
    ///
    /// Only here, and not with every segment, so that it makes no difference which segments of other flows come by.
    pub fn tick(&mut self, now: Origin, context: &mut S::Context) {
        while let Some(&(slot, number, since)) = self.lingering.front() {
            if !self.has_lingered(since, now) {
                return;
            }
            self.lingering.pop_front();
            let Some(flow) = self.flows.get_mut(slot).filter(|flow| flow.number == number) else { continue };
            if flow.over.is_none() {
                flow.queued = false;
            } else if flow.lingers_since() != since {
                let since = flow.lingers_since();
                self.lingering.push_back((slot, number, since));
            } else {
                self.close(slot, FlowEnd::Closed, context);
            }
        }
    }

    /// Adds an ICMP error to the flow whose segment it quotes, if that is known and not handed out.
    pub fn icmp(&mut self, error: &IcmpError) {
        let key = FlowKey::new(error.source, error.destination);
        if let Some(Latest::Open(slot)) = self.index.latest(&key)
            && let Some(flow) = self.flows.get_mut(slot)
        {
            flow.icmp(error);
        }
    }

    /// The next flow that ended, in order of ending.
    pub fn pop_finished(&mut self) -> Option<Flow<S>> {
        self.finished.pop_front()
    }

    /// Ends every flow that is still there: first those that linger, then the open ones in order of their number.
    pub fn finish(&mut self, context: &mut S::Context) {
        self.capture_is_over();
        while self.finish_next_over(context) {}
        while self.finish_next(context) {}
    }

    /// The capture is over: nobody asks any more which flow a segment belongs to, or whether it came before.
    pub fn capture_is_over(&mut self) {
        self.index = FlowIndex::new(self.budget.limits.flows);
        self.copies = Copies::default();
        self.foreseen.clear();
    }

    /// Ends the next of the flows that linger, so that it can be taken and let go before the one after it; `false` when there
    /// is none.
    pub fn finish_next_over(&mut self, context: &mut S::Context) -> bool {
        while let Some((slot, number, _)) = self.lingering.pop_front() {
            if self.flows.get_mut(slot).is_some_and(|flow| flow.number == number && flow.over.is_some()) {
                self.retire(slot, context);
                return true;
            }
        }
        false
    }

    /// The same of the open flows, in order of their number, when none lingers.
    pub fn finish_next(&mut self, context: &mut S::Context) -> bool {
        if self.last_open.is_empty() {
            let mut open: Vec<(FlowNumber, u32)> = self.flows.iter().map(|(slot, flow)| (flow.number, slot)).collect();
            open.sort_unstable();
            self.last_open = open.into_iter().map(|(_, slot)| slot).collect();
        }
        let next = self.last_open.pop_front();
        next.inspect(|slot| self.retire(*slot, context)).is_some()
    }

    /// The next segment of every flow goes the long way.
    #[cfg(test)]
    pub(super) fn unsettle(&mut self) {
        for slot in 0..self.flows.slots() {
            self.flows.get_mut(slot).into_iter().for_each(OpenFlow::unsettle);
        }
    }

    /// These segments will be [pushed](Self::push) next: finds their flows all at once.
    ///
    /// Where many are open, what they keep is fetched from far memory as well. The steps for one segment depend on each other,
    /// but not on those for the others, so that the processor waits for all of them at the same time.
    pub fn foresee(&mut self, segments: &[Segment<'_>]) {
        self.foreseen.clear();
        let mut last: Option<(FlowKey, Option<u32>)> = None;
        for segment in segments.iter().rev() {
            let key = FlowKey::new(segment.source, segment.destination);
            let slot = match last {
                Some((known, slot)) if known == key => slot,
                _ => self.index.open_slot(&key),
            };
            last = Some((key, slot));
            self.foreseen.push(Foreseen { packet: segment.origin.packet, slot });
        }
        if self.flows.len() >= MANY_OPEN {
            let flows = || self.foreseen.iter().filter_map(|foreseen| self.flows.get(foreseen.slot?));
            let own = flows().fold(0, |all, flow| all ^ flow.touch());
            black_box(flows().fold(own, |all, flow| all ^ flow.sink.touch()));
        }
    }

    /// Flows that are open or lingering.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.flows.len()
    }

    /// Flows seen so far.
    #[must_use]
    pub fn flow_count(&self) -> u64 {
        self.next_number
    }

    /// Segments of flows that were over already and handed out.
    #[must_use]
    pub fn late_segments(&self) -> u64 {
        self.late
    }

    /// How often the bounds on flows and on waiting bytes were reached.
    #[must_use]
    pub fn limit_hits(&self) -> LimitHits {
        self.budget.hits
    }

    /// Bytes that wait for earlier ones, over all flows, with their overhead.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.budget.waiting
    }

    /// Entries in the queue of flows that are over.
    #[cfg(test)]
    pub(super) fn lingering(&self) -> usize {
        self.lingering.len()
    }

    /// Whether `segment` can only be of the flow in this slot, which is the latest between its endpoints.
    #[inline]
    fn belongs(&self, segment: &Segment<'_>, slot: u32) -> bool {
        let is_its_own = |flow: &OpenFlow<S>| !flow.is_of_another_network(segment) && !flow.bases.reused_by(segment);
        !self.index.has_others() && self.flows.get(slot).is_some_and(is_its_own)
    }

    /// The slot of the flow that `segment` belongs to, which may have to be opened; `None` if that flow is gone.
    fn place(
        &mut self,
        key: &FlowKey,
        segment: &Segment<'_>,
        context: &mut S::Context,
        open: impl FnOnce(&FlowStart) -> S,
    ) -> Option<u32> {
        match self.index.latest(key) {
            None => Some(self.open(key, Network::FIRST, segment, context, open)),
            Some(Latest::Open(slot)) => {
                if self.belongs(segment, slot) {
                    return Some(slot);
                }
                let flow = self.flows.get(slot)?;
                let elsewhere = flow.is_of_another_network(segment);
                let reused = flow.bases.reused_by(segment);
                // A SYN to a flow that is over reuses its ports, wherever it comes from.
                let over = reused && flow.over.is_some();
                if let Some(other) = self.other_network(key, slot, segment) {
                    Some(other)
                } else if let Some(network) = self.index.free_network(key).filter(|_| elsewhere && !over) {
                    Some(self.open(key, network, segment, context, open))
                } else if reused {
                    self.close(slot, FlowEnd::Replaced, context);
                    Some(self.open(key, Network::FIRST, segment, context, open))
                } else {
                    Some(slot)
                }
            }
            Some(Latest::Gone(bases)) if bases.reused_by(segment) => {
                Some(self.open(key, Network::FIRST, segment, context, open))
            }
            Some(Latest::Gone(bases)) => {
                bases.note(segment);
                let other = self.continued(key, segment);
                self.late += u64::from(other.is_none());
                other
            }
        }
    }

    /// The flow of another network that `segment` continues, unless it continues the first one, in `slot`.
    fn other_network(&mut self, key: &FlowKey, slot: u32, segment: &Segment<'_>) -> Option<u32> {
        let other = self.continued(key, segment)?;
        let first = self.flows.get_mut(slot).is_some_and(|flow| flow.continues(segment));
        (!first).then_some(other)
    }

    /// The flow of another network than the first that `segment` continues.
    fn continued(&mut self, key: &FlowKey, segment: &Segment<'_>) -> Option<u32> {
        let flows = &mut self.flows;
        self.index.others(key).find(|slot| flows.get_mut(*slot).is_some_and(|flow| flow.continues(segment)))
    }

    fn open(
        &mut self,
        key: &FlowKey,
        network: Network,
        segment: &Segment<'_>,
        context: &mut S::Context,
        open: impl FnOnce(&FlowStart) -> S,
    ) -> u32 {
        // Slots are numbers of 32 bits.
        let most = self.budget.limits.flows.clamp(1, 1 << 30);
        while self.flows.len() >= most && self.evict(context, |_| true) {
            self.budget.hits.flows += 1;
        }
        let number = FlowNumber(self.next_number);
        self.next_number += 1;
        let start = FlowStart { number, origin: segment.origin, a: segment.source, b: segment.destination };
        let slot = self.flows.insert(OpenFlow::new(segment, &start, network, open(&start)));
        if network == Network::FIRST {
            self.index.open(key, slot);
        } else {
            self.index.open_other(key, network, slot);
        }
        slot
    }

    /// Lets go of a flow that was not used for long: the hand passes over flows that were used since it last came by.
    /// New flows get no such grace, so a flood of them displaces itself rather than the flows that live.
    fn evict(&mut self, context: &mut S::Context, may_go: impl Fn(&OpenFlow<S>) -> bool) -> bool {
        for _ in 0..self.flows.slots().saturating_mul(2) {
            let slot = self.hand;
            self.hand = (self.hand + 1) % self.flows.slots();
            match self.flows.get_mut(slot) {
                Some(flow) if !may_go(flow) => {}
                Some(flow) if flow.recently_used => flow.recently_used = false,
                Some(_) => {
                    self.close(slot, FlowEnd::Evicted, context);
                    return true;
                }
                None => {}
            }
        }
        false
    }

    /// Drops queue entries of flows that are gone (replaced, evicted) when they are the larger part.
    fn drop_stale(&mut self) {
        if self.lingering.len() > 2 * self.flows.len() + 64 {
            let flows = &mut self.flows;
            self.lingering.retain(|(slot, number, _)| flows.get_mut(*slot).is_some_and(|flow| flow.number == *number));
        }
    }

    fn has_lingered(&self, since: Origin, now: Origin) -> bool {
        match (since.time, now.time) {
            (Some(since), Some(now)) if since <= now => {
                let most = self.budget.limits.linger_seconds.saturating_mul(1_000_000_000);
                now.nanos().saturating_sub(since.nanos()).unsigned_abs() >= most
            }
            // No time, or a clock that stepped back.
            _ => now.packet.value().saturating_sub(since.packet.value()) >= LINGER_PACKETS,
        }
    }

    /// Hands out the flow in `slot`.
    fn close(&mut self, slot: u32, why: FlowEnd, context: &mut S::Context) {
        // Whose slot it was may be another's now.
        self.foreseen.clear();
        if let Some(flow) = self.flows.remove(slot) {
            self.index.bury(&flow.bases, flow.network);
            self.hand_out(flow, why, context);
        }
    }

    /// The same when the capture is over.
    fn retire(&mut self, slot: u32, context: &mut S::Context) {
        if let Some(flow) = self.flows.retire(slot) {
            self.hand_out(flow, FlowEnd::CaptureEnded, context);
        }
    }

    fn hand_out(&mut self, flow: OpenFlow<S>, why: FlowEnd, context: &mut S::Context) {
        self.budget.kept = self.budget.kept.saturating_sub(flow.kept());
        self.finished.push_back(flow.finish(why, &mut self.budget, context));
    }
}
