//! What the connections of one host that ended say about one of them: how many ended with it, and which were like it.

use super::Blind;
use super::ends::{COMPARED, Ends};
use super::groups::{Ended, nanos_between};
use crate::connection::Silence;
use crate::units::Origin;

/// Ends within this time belong together.
pub(super) const TOGETHER_NANOS: i64 = 1_000_000_000;

/// A connection must have been open this long to count among those that ended together: where connections are short, some
/// always end at the same time.
pub(super) const SETTLED_NANOS: i64 = 2_000_000_000;

/// Shorter ones count when all end within this time, and none in the second before and after.
const AT_ONCE_NANOS: i64 = 50_000_000;

/// Ends within the same moment that are looked at; further ones count as little as they can.
pub(super) const CLUSTER: usize = 1024;

/// Seconds below which a silence is none.
const SILENT_SECONDS: f64 = 1.5;

/// Silences in seconds that idle timers like to allow.
const USUAL_SILENCES: [f64; 17] =
    [10.0, 15.0, 20.0, 30.0, 55.0, 60.0, 90.0, 100.0, 120.0, 180.0, 240.0, 300.0, 350.0, 600.0, 900.0, 1800.0, 3600.0];

/// Seconds by which the beginnings of silences must differ to have nothing to do with each other.
const APART_SECONDS: f64 = 0.5;

/// Round numbers of seconds that limits of age like to have.
const ROUND_AGES: [f64; 12] =
    [30.0, 60.0, 90.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 86_400.0];

/// What the other connections of the host that ended a connection say.
#[derive(Debug, Clone)]
pub struct Company {
    /// Those that ended with it; `None` when none did.
    pub together: Option<Together>,
    /// How many others were open at that moment and a second later.
    pub went_on: Result<u64, Blind>,
    /// Those that ended in the same way after the same silence, at another time.
    pub same_silence: Option<Alike>,
    /// How many ended in the same way after any silence of some length, at any time, of those compared.
    pub silent: u64,
    /// Those that ended in the same way at the same age, at another time.
    pub same_lifetime: Option<Alike>,
    /// The longest silence that a connection of this host survived, this one included.
    pub longest_survived: Option<Silence>,
    /// How many connections of this host, this one included, survived a silence clearly longer than that before the end.
    pub outlasted: u64,
    /// How many others lived clearly longer, or are still open and older.
    pub outlived: u64,
    /// The first refusal of a new connection to this host after the end.
    pub refused: Option<Origin>,
}

impl Company {
    /// Whether practically all connections of the host ended together: at most one of ten went on.
    pub fn all_ended(&self) -> Option<Result<bool, Blind>> {
        let together = self.together?;
        Some(self.went_on.map(|went_on| went_on.saturating_mul(10) <= together.others + 1))
    }

    /// Whether one event ended three or more connections, practically all, which share nothing that would explain it.
    pub fn one_event(&self) -> Option<Result<bool, Blind>> {
        let together = self.together?;
        if together.others < 2 || together.also_shared != AlsoShared::Nothing {
            return Some(Ok(false));
        }
        self.all_ended()
    }
}

/// What the others say of the moment at which a connection ended. Once it is over, nothing that ends later changes it.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub(super) together: Option<Together>,
    pub(super) went_on: Result<u64, Blind>,
}

/// Connections that ended together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Together {
    /// How many, without the one asked about.
    pub others: u64,
    /// The first of their ends and the last.
    pub span: (Origin, Origin),
    /// What they share besides the moment.
    pub also_shared: AlsoShared,
}

/// What connections that ended together share besides the moment, so that it explains their common end as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlsoShared {
    /// All had been silent for the same time.
    Silence,
    /// All were of the same, round age.
    Lifetime,
    /// Nothing that was found.
    Nothing,
}

/// Connections that are like one in some respect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alike {
    /// How many, without the one asked about.
    pub others: u64,
    /// The ends of the last few of them.
    pub examples: [Option<Origin>; 4],
    /// Whether they, and the one asked about, differ in the other respect: in age when the silence is the same, in silence
    /// when the age is.
    pub differ: bool,
}

/// The ends that one is compared with: the latest of its place.
pub(super) fn compared<'a>(list: &'a Ends, this: &'a Ended) -> impl Iterator<Item = &'a Ended> {
    list.iter().rev().take(COMPARED).filter(|other| other.flow != this.flow)
}

pub(super) fn is_silent(seconds: f64) -> bool {
    seconds >= SILENT_SECONDS
}

/// How far two silences that one timer ended may lie apart.
fn tolerance_of_silence(seconds: f64) -> f64 {
    (seconds * 0.005).max(0.2)
}

/// How far two ages that one limit ended may lie apart.
pub(super) fn tolerance_of_age(seconds: f64) -> f64 {
    (seconds * 0.001).max(0.5)
}

pub(super) fn together(list: &Ends, this: &Ended) -> Option<Together> {
    let from = list.partition_point(|end| nanos_between(end.time, this.time) > TOGETHER_NANOS);
    let to = list.partition_point(|end| nanos_between(this.time, end.time) <= TOGETHER_NANOS);
    let near = || list.range(from..to.max(from)).take(CLUSTER).filter(|end| end.flow != this.flow);
    let at_once = near().all(|end| nanos_between(this.time, end.time).abs() <= AT_ONCE_NANOS);
    let counts = |end: &Ended| at_once || end.is_settled();
    if !counts(this) {
        return None;
    }
    let (mut others, mut span) = (0, (this.origin(), this.origin()));
    let (mut silences, mut ages, mut quiet) = (Spread::default(), Spread::default(), Spread::default());
    let mut add = |end: &Ended| {
        silences.add(end.silence());
        ages.add(end.lifetime());
        quiet.add(end.quiet_since.map(|since| since.seconds_since(this.time)));
    };
    add(this);
    for end in near().filter(|end| counts(end)) {
        others += 1;
        span = (span.0.min(end.origin()), span.1.max(end.origin()));
        add(end);
    }
    // Where the silences began at different times, the ends follow them. Where all began together, a timer is the better
    // explanation only if its length is a usual one.
    let is_timer = |silence: f64| is_silent(silence) && (quiet.width() > APART_SECONDS || is_usual_silence(silence));
    let also_shared = if silences.is_within(tolerance_of_silence) && this.silence().is_some_and(is_timer) {
        AlsoShared::Silence
    } else if ages.is_within(tolerance_of_age) && this.lifetime().is_some_and(is_round_age) {
        AlsoShared::Lifetime
    } else {
        AlsoShared::Nothing
    };
    (others > 0).then_some(Together { others, span, also_shared })
}

fn is_usual_silence(seconds: f64) -> bool {
    USUAL_SILENCES.iter().any(|usual| (seconds - usual).abs() <= tolerance_of_silence(*usual).max(APART_SECONDS))
}

fn is_round_age(seconds: f64) -> bool {
    ROUND_AGES.iter().any(|round| (seconds - round).abs() <= tolerance_of_age(*round) * 2.0)
}

pub(super) fn same_silence(list: &Ends, this: &Ended) -> Option<Alike> {
    let silence = this.silence().filter(|silence| is_silent(*silence))?;
    let tolerance = tolerance_of_silence(silence);
    let like = |other: &&Ended| {
        let close = other.silence().is_some_and(|seconds| (seconds - silence).abs() <= tolerance);
        // What one broadcast silenced at the same moment any one event may have ended.
        let apart = match (this.quiet_since, other.quiet_since) {
            (Some(since), Some(other)) => since.seconds_since(other).abs() > APART_SECONDS,
            _ => false,
        };
        close && apart
    };
    alike(compared(list, this).filter(like), this, Ended::lifetime, tolerance_of_age)
}

pub(super) fn same_lifetime(list: &Ends, this: &Ended) -> Option<Alike> {
    let lifetime = this.lifetime()?;
    let tolerance = tolerance_of_age(lifetime);
    let like = |other: &&Ended| {
        let close = other.lifetime().is_some_and(|seconds| (seconds - lifetime).abs() <= tolerance);
        // Those that opened together and ended together may have ended for any reason.
        close && this.opened.seconds_since(other.opened).abs() > tolerance * 2.0
    };
    alike(compared(list, this).filter(like), this, Ended::silence, tolerance_of_silence)
}

/// Counts those that are like `this`, and whether they differ in what `measure` takes.
fn alike<'a>(
    those: impl Iterator<Item = &'a Ended>,
    this: &Ended,
    measure: fn(&Ended) -> Option<f64>,
    tolerance: fn(f64) -> f64,
) -> Option<Alike> {
    let mut found = Alike { others: 0, examples: [None; 4], differ: false };
    let mut spread = Spread::default();
    spread.add(measure(this));
    for other in those {
        if let Some(place) = found.examples.get_mut(found.others as usize) {
            *place = Some(other.origin());
        }
        found.others += 1;
        spread.add(measure(other));
    }
    found.differ = spread.is_known() && !spread.is_within(|seconds| tolerance(seconds) * 2.0);
    (found.others > 0).then_some(found)
}

/// How far some values lie apart.
#[derive(Debug, Default)]
struct Spread {
    range: Option<(f64, f64)>,
    unknown: bool,
}

impl Spread {
    fn add(&mut self, value: Option<f64>) {
        let Some(value) = value else {
            self.unknown = true;
            return;
        };
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
    }

    fn is_known(&self) -> bool {
        self.range.is_some()
    }

    /// How far the known values lie apart.
    fn width(&self) -> f64 {
        self.range.map_or(0.0, |(least, most)| most - least)
    }

    /// Whether all values are known and lie within what `tolerance` allows around one of them.
    fn is_within(&self, tolerance: impl Fn(f64) -> f64) -> bool {
        !self.unknown && self.range.is_some_and(|(least, most)| most - least <= 2.0 * tolerance(least))
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::tests::end;
    use super::*;

    /// Whoever else is noted, a count of those alike only grows.
    #[test]
    fn more_connections_only_add() {
        let (mut list, this) = (Ends::default(), end(0, 100.0));
        let mut before = 0;
        for flow in 1..200 {
            let ended = end(flow, 100.0 + (flow * 7 % 11) as f64 * 0.3);
            let later = list.iter().rev().take_while(|other| other.time > ended.time).count();
            list.insert(ended, later);
            let now = together(&list, &this).map_or(0, |together| together.others);
            assert!(now >= before);
            before = now;
        }
        assert!(before > 30);
    }
}
