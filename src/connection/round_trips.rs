//! Round trips of Pings, as a histogram whose size does not grow with their number.

use std::collections::BTreeMap;

/// How long answers took. Between two powers of two, [`RoundTrips::STEPS`] steps are told apart, and a percentile is the
/// mean of what lies in its step: at most 3.1 % off, and exact where all are alike. When there are more than
/// [`RoundTrips::MOST_STEPS`], which takes round trips more than a factor of 256 apart, neighbours become one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoundTrips {
    /// How many lie in each step, and their sum in nanoseconds.
    steps: BTreeMap<u16, (u64, u64)>,
    /// How often neighbours became one.
    merged: u8,
    count: u64,
}

impl RoundTrips {
    /// Steps between two powers of two.
    pub const STEPS: u64 = 32;

    /// Steps kept.
    pub const MOST_STEPS: usize = 256;

    const SHORTEST_NS: u64 = 1_000;
    const LONGEST_NS: u64 = 3_600_000_000_000;

    /// Adds one. What is negative or no number is left out.
    pub(super) fn add(&mut self, seconds: f64) {
        if seconds.is_nan() || seconds < 0.0 {
            return;
        }
        let ns = ((seconds * 1e9).round() as u64).clamp(Self::SHORTEST_NS, Self::LONGEST_NS);
        self.count = self.count.saturating_add(1);
        let (count, sum) = self.steps.entry(step_of(ns) >> self.merged).or_default();
        // No sum of round trips is beyond the range: 2⁶⁴ ns are 584 years.
        (*count, *sum) = (count.saturating_add(1), sum.saturating_add(ns));
        if self.steps.len() > Self::MOST_STEPS {
            self.merge();
        }
    }

    /// Makes two neighbouring steps one.
    fn merge(&mut self) {
        self.merged += 1;
        for (step, (count, sum)) in std::mem::take(&mut self.steps) {
            let (all, total) = self.steps.entry(step >> 1).or_default();
            (*all, *total) = (all.saturating_add(count), total.saturating_add(sum));
        }
    }

    /// How many were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Seconds within which this part (0 to 1) of the answers came; `None` without any.
    #[must_use]
    pub fn within(&self, part: f64) -> Option<f64> {
        let wanted = (part * self.count as f64).ceil().max(1.0) as u64;
        let mut passed = 0;
        let step = self.steps.values().find(|(count, _)| {
            passed += count;
            passed >= wanted
        });
        let (count, sum) = step.or_else(|| self.steps.values().next_back())?;
        Some(*sum as f64 / *count as f64 / 1e9)
    }
}

/// The step in which a number of nanoseconds (at least 1000) lies.
fn step_of(ns: u64) -> u16 {
    let power = ns.max(RoundTrips::STEPS).ilog2();
    let within = (ns >> (power - RoundTrips::STEPS.ilog2())) & (RoundTrips::STEPS - 1);
    // At most 42 · 32 + 31.
    (u64::from(power) * RoundTrips::STEPS + within) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_a_sorted_list_within_their_step() {
        let mut trips = RoundTrips::default();
        let mut all: Vec<f64> = (1..=1000_u32).map(|n| 0.004 + f64::from(n * n) * 1e-6).collect();
        for seconds in all.iter().rev() {
            trips.add(*seconds);
        }
        all.sort_by(f64::total_cmp);
        for part in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let exact = all[((part * 1000.0) as usize).max(1) - 1];
            let told = trips.within(part).unwrap();
            assert!((told - exact).abs() <= exact * 0.032, "{part}: {told} instead of {exact}");
        }
    }

    #[test]
    fn one_is_told_exactly_and_none_not_at_all() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.within(0.5), None);
        trips.add(0.012_345);
        trips.add(-1.0);
        trips.add(f64::NAN);
        assert_eq!((trips.count(), trips.within(0.5), trips.within(0.99)), (1, Some(0.012_345), Some(0.012_345)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut trips = RoundTrips::default();
        for n in 0..100_000_u32 {
            trips.add(f64::from(n).powi(3) * 1e-10);
        }
        trips.add(f64::INFINITY);
        assert!(trips.steps.len() <= RoundTrips::MOST_STEPS);
        assert!(trips.within(1.0).is_some_and(|longest| (3500.0..=3600.0).contains(&longest)));
    }
}
