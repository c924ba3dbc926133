//! How far a capture can be trusted: one word, and what speaks for it in numbers.
//!
//! The verdict is about the capture alone, not about the network: a segment that was lost on its way and sent again takes
//! nothing from it. What each connection lacks is said with its diagnosis.

use super::Summary;

/// How far a capture can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing is missing that could change a diagnosis.
    Good,
    /// Some of it is missing; the diagnoses of the connections concerned say what this leaves open.
    Fair,
    /// So much is missing that the connections as a whole must be read with care.
    Poor,
}

impl Verdict {
    /// The stable name, as machines read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Poor => "poor",
        }
    }
}

/// One thing that takes from the quality of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The stable name, as machines read it.
    pub name: &'static str,
    /// How often: packets, connections, steps or places, as the name says.
    pub count: u64,
    /// Whether it is so much that the capture as a whole is poor.
    pub grave: bool,
}

/// What is known about the quality of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quality {
    /// The worst that the faults make of it.
    pub verdict: Verdict,
    /// What speaks against it, in a fixed order; empty when it is good.
    pub faults: Vec<Fault>,
}

impl Quality {
    /// Judges a capture by what was counted, the packets its recording program says it lost, and the places where the
    /// file is damaged.
    #[must_use]
    pub fn of(summary: &Summary, dropped: Option<u64>, damaged: u64) -> Self {
        let seen = &summary.seen_with;
        let packets = summary.packets;
        let most = |count: u64| count.saturating_mul(2) > summary.connections;
        let percent = |count: u64, of: u64| count.saturating_mul(100) >= of && count > 0;
        let dropped = dropped.unwrap_or(0);
        let fault = |name, count, grave| Fault { name, count, grave };
        let faults = [
            fault("dropped", dropped, percent(dropped, packets.saturating_add(dropped))),
            fault("damage", damaged, false),
            fault("cut", summary.cut, most(seen.cut)),
            fault("gap", seen.gap, most(seen.gap)),
            fault("capture_loss", seen.capture_loss, most(seen.capture_loss)),
            fault("one_sided", seen.one_sided, most(seen.one_sided)),
            fault("joined_late", seen.joined_late, false),
            fault("left_open", if most(seen.left_open) { seen.left_open } else { 0 }, false),
            fault("clock_steps", summary.clock_steps, seen.clock_step > 0),
            fault("fragment_conflicts", summary.fragment_conflicts, false),
            fault(
                "limits",
                summary.limits.named().into_iter().map(|(_, count)| count).fold(0, u64::saturating_add),
                false,
            ),
        ];
        let faults: Vec<Fault> = faults.into_iter().filter(|fault| fault.count > 0).collect();
        let verdict = match (faults.is_empty(), faults.iter().any(|fault| fault.grave)) {
            (true, _) => Verdict::Good,
            (false, false) => Verdict::Fair,
            (false, true) => Verdict::Poor,
        };
        Self { verdict, faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::SightCounts;

    fn summary(seen_with: SightCounts) -> Summary {
        Summary { packets: 1000, connections: 10, seen_with, ..Summary::default() }
    }

    #[test]
    fn few_faults_are_fair_and_many_are_poor() {
        let verdict = |seen_with| Quality::of(&summary(seen_with), Some(0), 0).verdict;
        assert_eq!(verdict(SightCounts::default()), Verdict::Good);
        assert_eq!(verdict(SightCounts { gap: 1, ..SightCounts::default() }), Verdict::Fair);
        assert_eq!(verdict(SightCounts { gap: 6, ..SightCounts::default() }), Verdict::Poor);
        assert_eq!(verdict(SightCounts { joined_late: 10, ..SightCounts::default() }), Verdict::Fair);
        assert_eq!(verdict(SightCounts { left_open: 5, ..SightCounts::default() }), Verdict::Good);
    }

    #[test]
    fn lost_packets_count_by_their_share() {
        let verdict = |dropped| Quality::of(&summary(SightCounts::default()), dropped, 0).verdict;
        assert_eq!(verdict(None), Verdict::Good);
        assert_eq!(verdict(Some(3)), Verdict::Fair);
        assert_eq!(verdict(Some(11)), Verdict::Poor);
    }
}
