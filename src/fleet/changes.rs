//! Two captures compared, before and after a change: which causes came, went, or became more or less frequent.
//!
//! What is compared is the share of a cause among the connections that ended, so that captures of different length and
//! load may be compared; connections that the end of the capture cut off have no cause yet and are left out. Whether a
//! difference means anything is told by Fisher's exact test, two-sided, at 1 %. Where the numbers are so small that no
//! outcome could have passed it, that is said.

use super::Counts;
use crate::diagnosis::Cause;

/// How the share of something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It was not there before.
    New,
    /// It is more frequent.
    More,
    /// It is gone.
    Gone,
    /// It is less frequent.
    Fewer,
    /// No clear difference.
    Same,
    /// Too few connections to tell.
    TooFew,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::New, Self::More, Self::Gone, Self::Fewer, Self::Same, Self::TooFew];

    /// The stable name, as machines read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::More => "more",
            Self::Gone => "gone",
            Self::Fewer => "fewer",
            Self::Same => "no_clear_change",
            Self::TooFew => "too_few",
        }
    }

    /// The change from `before` to `after`, each a count and of how many, and the chance of such a difference between two
    /// captures of the same thing.
    #[must_use]
    pub fn between(before: (u64, u64), after: (u64, u64)) -> (Self, f64) {
        let chance = fisher(before, after);
        let hits = before.0.saturating_add(after.0);
        if chance < LEVEL {
            let more = after.0 as f64 * before.1 as f64 > before.0 as f64 * after.1 as f64;
            let change = match (more, before.0, after.0) {
                (true, 0, _) => Self::New,
                (true, ..) => Self::More,
                (false, _, 0) => Self::Gone,
                (false, ..) => Self::Fewer,
            };
            return (change, chance);
        }
        // The two outcomes that differ most, with as many hits in all.
        let all_before = hits.min(before.1);
        let all_after = hits.min(after.1);
        let extremes = [(all_before, hits - all_before), (hits - all_after, all_after)];
        let least = extremes.map(|(first, second)| fisher((first, before.1), (second, after.1)));
        let change = if least.iter().any(|chance| *chance < LEVEL) { Self::Same } else { Self::TooFew };
        (change, chance)
    }
}

/// A difference that chance makes less often than this means something.
pub const LEVEL: f64 = 0.01;

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<K> {
    /// What is compared.
    pub key: K,
    /// How many connections ended like this before.
    pub before: u64,
    /// And after.
    pub after: u64,
    /// How its share changed.
    pub change: Change,
    /// The chance of such a difference when nothing changed.
    pub chance: f64,
}

impl<K> Row<K> {
    /// The same without what it is.
    #[must_use]
    pub fn plain(&self) -> Row<()> {
        Row { key: (), before: self.before, after: self.after, change: self.change, chance: self.chance }
    }
}

/// The connections that ended.
#[must_use]
pub fn ended(counts: &Counts) -> u64 {
    counts.total - counts.by_cause.get(&Cause::StillOpen).copied().unwrap_or(0).min(counts.total)
}

/// Whether somebody should look at connections that ended for this cause.
#[must_use]
pub fn is_abnormal(cause: Cause) -> bool {
    !matches!(cause, Cause::Normal | Cause::GoingAway | Cause::StillOpen | Cause::Encrypted)
}

/// One line for each key of either side: what became worse first, then by how many there are.
pub fn rows<K: Ord + Clone>(
    before: impl IntoIterator<Item = (K, u64)>,
    after: impl IntoIterator<Item = (K, u64)>,
    ended: (u64, u64),
) -> Vec<Row<K>> {
    let mut counts = std::collections::BTreeMap::<K, (u64, u64)>::new();
    before.into_iter().for_each(|(key, count)| counts.entry(key).or_default().0 += count);
    after.into_iter().for_each(|(key, count)| counts.entry(key).or_default().1 += count);
    let row = |(key, (before, after))| {
        let (change, chance) = Change::between((before, ended.0), (after, ended.1));
        Row { key, before, after, change, chance }
    };
    let mut rows: Vec<Row<K>> = counts.into_iter().map(row).collect();
    rows.sort_by_key(|row| (row.change, std::cmp::Reverse(row.before.saturating_add(row.after))));
    rows
}

/// The chance that two samples of the same thing differ at least as much as these, by Fisher's exact test, two-sided: all
/// outcomes with the same sums that are no more likely than this one.
fn fisher((first, of_first): (u64, u64), (second, of_second): (u64, u64)) -> f64 {
    let hits = first.saturating_add(second);
    if of_first == 0 || of_second == 0 || first > of_first || second > of_second {
        return 1.0;
    }
    let lowest = hits.saturating_sub(of_second);
    let highest = hits.min(of_first);
    // All chances are in proportion to that of what was seen, which is 1; from one to the next is a simple ratio.
    let up = |k: u64| {
        let (k, hits, of_first, of_second) = (k as f64, hits as f64, of_first as f64, of_second as f64);
        (hits - k) * (of_first - k) / ((k + 1.0) * (of_second - hits + k + 1.0))
    };
    let (mut all, mut rare) = (1.0, 1.0);
    let mut count = |chance: f64| {
        all += chance;
        // What is equally rare may differ in the last digits.
        rare += if chance <= 1.0 + 1e-9 { chance } else { 0.0 };
        chance > 1e-30
    };
    let mut chance = 1.0;
    for k in first..highest {
        chance *= up(k);
        if !count(chance) {
            break;
        }
    }
    chance = 1.0;
    for k in (lowest..first).rev() {
        chance /= up(k);
        if !count(chance) {
            break;
        }
    }
    (rare / all).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of R's fisher.test and scipy.stats.fisher_exact.
    #[test]
    fn the_exact_test_gives_what_others_give() {
        let near = |seen: f64, expected: f64| {
            assert!((seen - expected).abs() < 1e-6 * expected.max(1e-9), "{seen} {expected}")
        };
        // The lady tasting tea: 3 of 4 and 1 of 4.
        near(fisher((3, 4), (1, 4)), 0.485_714_285_714);
        near(fisher((8, 10), (1, 6)), 0.034_965_034_965);
        near(fisher((0, 10), (10, 10)), 1.082_508_822_4e-5);
        near(fisher((5, 100), (5, 100)), 1.0);
        near(fisher((0, 0), (5, 10)), 1.0);
    }

    #[test]
    fn changes_have_names() {
        let change = |before, after| Change::between(before, after).0;
        assert_eq!(change((71, 312), (0, 300)), Change::Gone);
        assert_eq!(change((71, 312), (20, 300)), Change::Fewer);
        assert_eq!(change((0, 312), (71, 300)), Change::New);
        assert_eq!(change((20, 300), (71, 312)), Change::More);
        assert_eq!(change((70, 300), (71, 312)), Change::Same);
        assert_eq!(change((1, 3), (0, 3)), Change::TooFew);
        assert_eq!(change((0, 500), (2, 500)), Change::TooFew);
        assert_eq!(change((3, 3), (0, 0)), Change::TooFew, "nothing to compare with");
    }

    #[test]
    fn large_numbers_neither_overflow_nor_take_long() {
        let (change, chance) = Change::between((0, 5_000_000), (2_500_000, 5_000_000));
        assert_eq!((change, chance), (Change::New, 0.0));
        assert_eq!(Change::between((u64::MAX, 1), (1, 1)).0, Change::TooFew);
        assert_eq!(Change::between((500_000, 1_000_000), (500_100, 1_000_000)).0, Change::Same);
    }

    /// More traffic in a longer capture is no change.
    #[test]
    fn shares_are_compared_and_not_counts() {
        assert_eq!(Change::between((10, 100), (100, 1000)).0, Change::Same);
    }
}
