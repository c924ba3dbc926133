//! Ends that came close together at one server: what many of them have in common, or the one that there is.

use super::events::EventKind;
use super::{Closing, HowEnded, Spread, Tally};
use crate::diagnosis::RuleId;
use crate::units::{PacketNumber, Timestamp};

/// The end of one connection.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) at: Timestamp,
    pub(super) closing: Closing,
    pub(super) how: HowEnded,
    pub(super) rule: RuleId,
    pub(super) by_timer: bool,
    /// Seconds; no number when that is not known.
    pub(super) silence: f64,
    /// Likewise.
    pub(super) lifetime: f64,
    /// Its packet, and the TCP connection.
    pub(super) example: (PacketNumber, u64),
}

/// Ends of one tenth of a second. Nearly all are alone there.
#[derive(Debug, Clone)]
pub(super) enum Ends {
    One(End),
    Many(Box<Burst>),
}

impl Ends {
    pub(super) fn add(&mut self, end: End) {
        match self {
            Self::Many(burst) => burst.add(&end),
            Self::One(_) => {
                let mut burst = self.burst();
                burst.add(&end);
                *self = Self::Many(Box::new(burst));
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Many(burst) => burst.count,
        }
    }

    /// What they have in common.
    pub(super) fn burst(&self) -> Burst {
        match self {
            Self::One(end) => Burst::of(end),
            Self::Many(burst) => (**burst).clone(),
        }
    }
}

/// What ends have in common.
#[derive(Debug, Clone)]
pub(super) struct Burst {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) closings: Tally<Closing>,
    pub(super) how: Tally<HowEnded>,
    pub(super) rules: Tally<RuleId>,
    pub(super) by_timer: u64,
    pub(super) silence: Spread,
    pub(super) lifetime: Spread,
    pub(super) example: (PacketNumber, u64),
}

impl Burst {
    fn of(end: &End) -> Self {
        let mut burst = Self {
            count: 0,
            first: end.at,
            last: end.at,
            closings: Tally::default(),
            how: Tally::default(),
            rules: Tally::default(),
            by_timer: 0,
            silence: Spread::default(),
            lifetime: Spread::default(),
            example: end.example,
        };
        burst.add(end);
        burst
    }

    fn add(&mut self, end: &End) {
        self.count += 1;
        self.by_timer += u64::from(end.by_timer);
        (self.first, self.last) = (self.first.min(end.at), self.last.max(end.at));
        self.example = self.example.min(end.example);
        self.closings.add(&end.closing);
        self.how.add(&end.how);
        self.rules.add(&end.rule);
        self.silence.add(end.silence);
        self.lifetime.add(end.lifetime);
    }

    /// Takes in others.
    pub(super) fn join(&mut self, ends: &Ends) {
        let other = match ends {
            Ends::One(end) => return self.add(end),
            Ends::Many(other) => other,
        };
        self.count += other.count;
        self.by_timer += other.by_timer;
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        self.closings.merge(&other.closings);
        self.how.merge(&other.how);
        self.rules.merge(&other.rules);
        self.silence.merge(&other.silence);
        self.lifetime.merge(&other.lifetime);
        self.example = self.example.min(other.example);
    }

    /// Whether most of them have one value in common, of its silences or its lifetimes.
    pub(super) fn is_same(&self, spread: &Spread) -> bool {
        spread.common().is_some_and(|common| is_most(common.count, self.count))
    }

    /// What such a burst most likely was; a code names the cause only when most of the ends carry it.
    pub(super) fn kind(&self, is_all: bool) -> EventKind {
        let code = |code| self.closings.of(&Closing::Code(code));
        if is_most(code(1012) + code(1001), self.count) {
            EventKind::Restart
        } else if is_most(self.how.of(&HowEnded::Fin) + self.how.of(&HowEnded::Rst), self.count) {
            if is_all { EventKind::ProcessEnded } else { EventKind::PartDropped }
        } else if is_most(code(1000), self.count) {
            EventKind::ClosedByServer
        } else {
            EventKind::CodeForAll
        }
    }
}

/// Nine of ten.
pub(super) fn is_most(count: u64, of: u64) -> bool {
    count.saturating_mul(10) >= of.saturating_mul(9)
}
