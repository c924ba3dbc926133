//! The ends of one kind at one host, in the order in which they happened.
//!
//! Whoever ends is asked how many of the latest were older. Where those are many, their ages are kept in order as well, so that
//! they are counted and not looked at.

use super::groups::Ended;
use crate::units::Timestamp;
use std::collections::VecDeque;
use std::ops::Deref;

/// Ends that one is compared with: the latest.
pub(super) const COMPARED: usize = 512;

/// With so many ends their ages are kept in order.
const MANY: usize = 64;

/// The ends of one kind, the latest last.
#[derive(Debug, Default)]
pub(super) struct Ends {
    list: VecDeque<Ended>,
    /// Those of the latest, once there are many.
    ages: Option<Box<Ages>>,
}

impl Deref for Ends {
    type Target = VecDeque<Ended>;

    fn deref(&self) -> &Self::Target {
        &self.list
    }
}

impl Ends {
    /// Adds an end; `later` others have come before it, and happened after it. They are fewer than are compared.
    pub(super) fn insert(&mut self, ended: Ended, later: usize) {
        // There are many lists, nearly all of them short.
        if self.list.len() == self.list.capacity() {
            self.list.reserve_exact(self.list.len() / 2 + 1);
        }
        self.list.insert(self.list.len().saturating_sub(later), ended);
        match &mut self.ages {
            Some(ages) => {
                ages.add(&ended);
                let outdated = self.list.len().checked_sub(COMPARED + 1).and_then(|at| self.list.get(at));
                outdated.into_iter().for_each(|ended| ages.remove(ended));
            }
            None if self.list.len() == MANY => {
                let mut ages = Box::<Ages>::default();
                self.list.iter().for_each(|ended| ages.add(ended));
                self.ages = Some(ages);
            }
            None => {}
        }
    }

    /// Forgets the first of them, which it gives.
    pub(super) fn pop_first(&mut self) -> Option<Ended> {
        let is_compared = self.list.len() <= COMPARED;
        let first = self.list.pop_front()?;
        self.ages.iter_mut().filter(|_| is_compared).for_each(|ages| ages.remove(&first));
        Some(first)
    }

    /// Whether this end is there as it is told now.
    pub(super) fn has(&self, ended: &Ended) -> bool {
        let from = self.list.partition_point(|end| end.time < ended.time);
        let same_time = self.list.range(from..).take_while(|end| end.time == ended.time);
        same_time.take(COMPARED).any(|end| end.flow == ended.flow && end.lifetime() == ended.lifetime())
    }

    /// Forgets those before `recent`, but for the latest; gives when the last of them happened.
    pub(super) fn keep(&mut self, recent: Timestamp, latest: usize) -> Option<Timestamp> {
        let mut last = None;
        while self.list.len() > latest && self.list.front().is_some_and(|end| end.time < recent) {
            last = last.max(self.pop_first().map(|end| end.time));
        }
        if self.list.len() < self.list.capacity() / 2 {
            self.list.shrink_to_fit();
            self.ages.iter_mut().for_each(|ages| ages.shrink());
        }
        last
    }

    /// How many of the latest, without those of flow `but`, were older than so many seconds.
    pub(super) fn older_than(&self, seconds: f64, but: Option<u64>) -> usize {
        match &self.ages {
            Some(ages) => ages.above(seconds, but),
            None => {
                let older = |end: &&Ended| Some(end.flow) != but && end.lifetime().is_some_and(|age| age > seconds);
                self.list.iter().filter(older).count()
            }
        }
    }
}

/// Ages in seconds, ascending, of those that are known; and the flows of that age.
#[derive(Debug, Default)]
struct Ages {
    seconds: Vec<f64>,
    flows: Vec<u64>,
}

impl Ages {
    fn add(&mut self, ended: &Ended) {
        let Some(age) = ended.lifetime() else { return };
        let at = self.seconds.partition_point(|known| *known <= age);
        self.seconds.insert(at, age);
        self.flows.insert(at, ended.flow);
    }

    fn remove(&mut self, ended: &Ended) {
        let Some(age) = ended.lifetime() else { return };
        let at = self.seconds.partition_point(|known| *known < age);
        let same = self.flows[at..].iter().position(|flow| *flow == ended.flow);
        if let Some(at) = same.map(|place| at + place) {
            self.seconds.remove(at);
            self.flows.remove(at);
        }
    }

    fn shrink(&mut self) {
        self.seconds.shrink_to_fit();
        self.flows.shrink_to_fit();
    }

    fn above(&self, seconds: f64, but: Option<u64>) -> usize {
        let older = &self.flows[self.seconds.partition_point(|known| *known <= seconds)..];
        older.len() - but.map_or(0, |but| older.iter().filter(|flow| **flow == but).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNumber;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn ages_are_counted_as_if_each_were_looked_at() {
        let (mut ends, mut state) = (Ends::default(), 1_u64);
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for flow in 0..2000 {
            let time = Timestamp::from_nanos((flow as i64 + 100) * SECOND);
            let opened = Timestamp::from_nanos((flow as i64 + 100 - random(40) as i64) * SECOND);
            let (packet, age_known) = (PacketNumber::new(flow + 1).expect("not 0"), random(8) > 0);
            let later = random(4).min(ends.len() as u64) as usize;
            ends.insert(Ended { time, packet, flow, opened, age_known, quiet_since: None }, later);
            if random(3) == 0 && !(200..=1200).contains(&flow) {
                ends.pop_first();
            }
            let (seconds, asking) = (random(40) as f64, flow - random(flow.min(700) + 1));
            let compared = ends.iter().rev().take(COMPARED).filter(|end| end.flow != asking);
            let older = compared.filter(|end| end.lifetime().is_some_and(|age| age > seconds)).count();
            assert_eq!(ends.older_than(seconds, Some(asking)), older, "after {flow}");
            let own = ends.iter().rev().take(COMPARED).find(|end| end.flow == asking);
            let own = own.is_some_and(|end| end.lifetime().is_some_and(|age| age > seconds));
            assert_eq!(ends.older_than(seconds, None), older + usize::from(own), "after {flow}");
        }
        assert!(ends.len() > COMPARED);
    }
}
