//! How numbers of many connections are spread, in a fixed amount of memory.
//!
//! Values are counted in steps of half a percent; each step keeps the exact smallest and largest value that fell into it,
//! so that what lies close together is told exactly however many values there are.

use super::tally::make_room;

/// Seconds of many connections: smallest, median, largest, and what most of them have in common.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    /// Ascending, and apart from the rest: there may be a thousand, which are searched for each value.
    numbers: Vec<u16>,
    /// The step of each number. Of most there are few.
    steps: Vec<Step>,
    count: u64,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    count: u64,
    least: f64,
    most: f64,
}

/// Values that lie so close together that one timer explains them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Common {
    /// How many they are.
    pub count: u64,
    /// The smallest of them, in seconds.
    pub least: f64,
    /// Their median, in seconds.
    pub median: f64,
    /// The largest of them, in seconds.
    pub most: f64,
}

impl Spread {
    /// Below this many seconds all values are one step; nothing that measures silence is finer.
    const FINEST: f64 = 0.001;
    /// The ratio of neighbouring steps.
    const RATIO: f64 = 1.005;
    /// Steps kept: enough for a century.
    const STEPS: f64 = 6000.0;

    /// Counts a value in seconds; negative ones, which only a broken clock gives, are not counted.
    pub fn add(&mut self, seconds: f64) {
        if !seconds.is_finite() || seconds < 0.0 {
            return;
        }
        let number =
            ((seconds.max(Self::FINEST) / Self::FINEST).ln() / Self::RATIO.ln()).clamp(0.0, Self::STEPS) as u16;
        self.take(number, Step { count: 1, least: seconds, most: seconds });
    }

    /// Takes in the values of the step of this number.
    fn take(&mut self, number: u16, more: Step) {
        match self.numbers.binary_search(&number) {
            Ok(at) => {
                let step = &mut self.steps[at];
                step.count += more.count;
                (step.least, step.most) = (step.least.min(more.least), step.most.max(more.most));
            }
            Err(at) => {
                make_room(&mut self.numbers);
                make_room(&mut self.steps);
                self.numbers.insert(at, number);
                self.steps.insert(at, more);
            }
        }
        self.count += more.count;
    }

    /// Takes in the values of another one.
    pub(super) fn merge(&mut self, other: &Self) {
        other.numbers.iter().zip(&other.steps).for_each(|(number, step)| self.take(*number, *step));
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest value.
    #[must_use]
    pub fn least(&self) -> Option<f64> {
        self.steps.first().map(|step| step.least)
    }

    /// The largest value.
    #[must_use]
    pub fn most(&self) -> Option<f64> {
        self.steps.last().map(|step| step.most)
    }

    /// The median, half a percent off at most.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        median(self.steps.iter(), self.count)
    }

    /// What at least half of the values, and three, have in common: the fullest window of 2 % of its value, but no wider than
    /// 4 s and no narrower than half a second. Values below a second say nothing about a timer.
    #[must_use]
    pub fn common(&self) -> Option<Common> {
        let steps: Vec<&Step> = self.steps.iter().filter(|step| step.least >= 1.0).collect();
        let (mut from, mut inside) = (0, 0);
        let mut best = (0, 0..0);
        for (until, step) in steps.iter().enumerate() {
            inside += step.count;
            while from < until && step.most - steps[from].least > Self::window(step.most) {
                inside -= steps[from].count;
                from += 1;
            }
            if inside > best.0 {
                best = (inside, from..until + 1);
            }
        }
        let (count, range) = best;
        if count < 3 || count.saturating_mul(2) < self.count {
            return None;
        }
        let chosen = &steps[range];
        Some(Common {
            count,
            least: chosen.first()?.least,
            median: median(chosen.iter().copied(), count)?,
            most: chosen.last()?.most,
        })
    }

    fn window(seconds: f64) -> f64 {
        (seconds * 0.02).clamp(0.5, 4.0)
    }
}

/// The median of values in steps; inside a step they are taken to lie evenly.
fn median<'a>(steps: impl Iterator<Item = &'a Step>, count: u64) -> Option<f64> {
    let rank = count.checked_sub(1)? / 2;
    let mut before = 0;
    for step in steps {
        if rank < before + step.count {
            let share = if step.count > 1 { (rank - before) as f64 / (step.count - 1) as f64 } else { 0.0 };
            return Some(step.least + (step.most - step.least) * share);
        }
        before += step.count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut spread = Spread::default();
        values.into_iter().for_each(|value| spread.add(value));
        spread
    }

    #[test]
    fn what_lies_together_is_told_exactly() {
        // 68 connections at 60 s, give or take 0.1 s, and three that ended for another reason.
        let timers = (0..68).map(|i| 59.9 + 0.2 * f64::from(i) / 67.0);
        let spread = of(timers.chain([3.0, 17.0, 41.0]));
        let common = spread.common().expect("most share it");
        assert_eq!(common.count, 68);
        assert!((common.least - 59.9).abs() < 1e-9 && (common.most - 60.1).abs() < 1e-9, "{common:?}");
        assert!((common.median - 60.0).abs() < 0.2, "{common:?}");
        assert_eq!((spread.least(), spread.count()), (Some(3.0), 71));
    }

    #[test]
    fn what_is_scattered_has_nothing_in_common() {
        assert_eq!(of((1..50).map(|i| f64::from(i) * 7.0)).common(), None);
        assert_eq!(of([60.0, 60.0]).common(), None, "two are no evidence");
        assert_eq!(of([0.01; 50]).common(), None, "no timer is that short");
    }

    #[test]
    fn an_hour_give_or_take_a_second_is_one_value() {
        let common = of((0..40).map(|i| 3599.0 + f64::from(i) / 20.0)).common().expect("all");
        assert_eq!((common.count, common.least, common.most.round()), (40, 3599.0, 3601.0));
    }

    #[test]
    fn memory_does_not_grow_with_values() {
        let spread = of((0..1_000_000).map(|i| f64::from(i) * 0.37));
        assert!(spread.steps.len() < 4000, "{}", spread.steps.len());
        let median = spread.median().expect("values");
        assert!((median / (500_000.0 * 0.37) - 1.0).abs() < 0.006, "{median}");
        assert_eq!(of([f64::NAN, -1.0, f64::INFINITY]).count(), 0);
    }
}
