//! The connections of one host: those that are open, how the others ended, and which silences were survived.

use super::Blind;
use super::ends::{COMPARED, Ends};
use crate::connection::{ClosePayload, Connection, EndSignalKind, Silence};
use crate::limits::Limits;
use crate::units::{Origin, PacketNumber, Side, Timestamp};
use foldhash::fast::RandomState;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

/// Hosts remembered; of further ones nothing is known.
pub(super) const HOSTS: usize = 10_000;

/// Ends remembered for one host, side and kind of end; then the oldest give way.
pub(super) const ENDS: usize = 16_384;

/// Ends remembered over all hosts; then a list gives way that another end is to be added to.
pub(super) const ENDS_TOTAL: usize = 262_144;

/// Sides and kinds of end told apart at one host; ends of further kinds are only counted as ends.
const PLACES: usize = 12;

/// Ends that may be recorded before one of an earlier time; one that would have to go before more is not remembered.
const SWAPPED: usize = 64;

/// Ends within the same moment that are looked at; further ones count as little as they can.
const CLUSTER: usize = 1024;

/// Silence silences remembered for one host: the longest, one for each connection.
const SURVIVED: usize = 16;

/// Ends within this time belong together.
const TOGETHER_NANOS: i64 = 1_000_000_000;

/// A connection must have been open this long to count among those that ended together: where connections are short, some
/// always end at the same time.
const SETTLED_NANOS: i64 = 2_000_000_000;

/// Shorter ones count when all end within this time, and none in the second before and after.
const AT_ONCE_NANOS: i64 = 50_000_000;

/// Seconds below which a silence is none.
const SILENT_SECONDS: f64 = 1.5;

/// Silences in seconds that idle timers like to allow.
const USUAL_SILENCES: [f64; 17] =
    [10.0, 15.0, 20.0, 30.0, 55.0, 60.0, 90.0, 100.0, 120.0, 180.0, 240.0, 300.0, 350.0, 600.0, 900.0, 1800.0, 3600.0];

/// Seconds by which the beginnings of silences must differ to have nothing to do with each other.
const APART_SECONDS: f64 = 0.5;

/// Refusals remembered for one host, and how long after an end they still speak of it.
const REFUSED: usize = 64;
const REFUSED_NANOS: i64 = 5_000_000_000;

/// Round numbers of seconds that limits of age like to have.
const ROUND_AGES: [f64; 12] =
    [30.0, 60.0, 90.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 86_400.0];

/// How a connection ended, as far as ends are compared. A killed process gives FIN where it had read everything and RST
/// where it had not, so that these two are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    NoClose,
    Close(Option<u16>),
    /// Packets are missing, so that it may have been any.
    Unsure,
}

/// Who ended a connection, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) by: Side,
    pub(super) kind: Kind,
}

impl Place {
    /// Who ended a connection, and how; `None` while it goes on.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        let end = connection.first_end()?;
        let seen_whole = connection.visibility.iter().all(|(_, seen)| seen.gap.is_none() && !seen.cut);
        let kind = match end.kind {
            _ if !seen_whole => Kind::Unsure,
            EndSignalKind::CloseFrame => Kind::Close(code_of(connection, end.by)),
            _ => Kind::NoClose,
        };
        Some(Self { by: end.by, kind })
    }
}

/// The code in the Close frame of a side, if it has one.
pub(super) fn code_of(connection: &Connection, by: Side) -> Option<u16> {
    match connection.traffic[by].close.as_ref().map(|close| &close.payload) {
        Some(ClosePayload::Status { code, .. }) => Some(code.0),
        _ => None,
    }
}

/// The end of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) time: Timestamp,
    pub(super) packet: PacketNumber,
    pub(super) flow: u64,
    /// When it was upgraded, or seen first.
    pub(super) opened: Timestamp,
    /// Its upgrade was seen, so that its age is known.
    pub(super) age_known: bool,
    pub(super) quiet_since: Option<Timestamp>,
}

impl Ended {
    /// The end of a connection; `None` while it goes on, and without time.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        let end = connection.first_end()?;
        Some(Self {
            time: end.at.time?,
            packet: end.at.packet,
            flow: connection.id.flow,
            opened: opened_at(connection).time?,
            age_known: connection.handshake.response.is_some(),
            quiet_since: end.quiet_since.and_then(|since| since.time),
        })
    }

    fn silence(&self) -> Option<f64> {
        Some(self.time.seconds_since(self.quiet_since?))
    }

    pub(super) fn lifetime(&self) -> Option<f64> {
        self.age_known.then(|| self.time.seconds_since(self.opened))
    }

    /// It was open for so long that its end is no everyday event.
    fn is_settled(&self) -> bool {
        nanos_between(self.opened, self.time) >= SETTLED_NANOS
    }

    fn origin(&self) -> Origin {
        Origin { packet: self.packet, time: Some(self.time) }
    }
}

/// Since when a connection counts as open: its 101 or, where that was not seen, its first packet.
pub(super) fn opened_at(connection: &Connection) -> Origin {
    connection.handshake.response.as_ref().map_or(connection.first, |response| response.last)
}

fn nanos_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.nanos().saturating_sub(earlier.nanos())
}

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

/// The hosts of one kind.
#[derive(Debug)]
pub(super) struct Groups<K> {
    hosts: HashMap<K, Group, RandomState>,
    /// Ends remembered in one list.
    ends: usize,
    kept: usize,
}

#[derive(Debug, Default)]
struct Group {
    open: BTreeSet<(Timestamp, u64)>,
    ends: Vec<(Place, Ends)>,
    /// When the last end happened that is in none of the lists any more, or never was.
    forgotten: Option<Timestamp>,
    survived: Vec<(u64, Silence)>,
    refused: VecDeque<Origin>,
}

impl<K: Hash + Eq> Groups<K> {
    /// No hosts yet. Who follows few connections remembers few ends.
    pub(super) fn new(limits: &Limits) -> Self {
        Self { hosts: HashMap::default(), ends: ENDS.min(limits.flows), kept: 0 }
    }

    pub(super) fn opened(&mut self, host: K, since: Timestamp, flow: u64) {
        if self.hosts.len() < HOSTS || self.hosts.contains_key(&host) {
            self.hosts.entry(host).or_default().open.insert((since, flow));
        }
    }

    pub(super) fn left(&mut self, host: &K, since: Timestamp, flow: u64) {
        if let Some(group) = self.hosts.get_mut(host) {
            group.open.remove(&(since, flow));
        }
    }

    pub(super) fn survived(&mut self, host: K, flow: u64, survived: Silence) {
        if let Some(group) = self.hosts.get_mut(&host) {
            group.survived(flow, survived);
        }
    }

    pub(super) fn refused(&mut self, host: &K, at: Origin) {
        if let Some(group) = self.hosts.get_mut(host) {
            if group.refused.len() == REFUSED {
                group.refused.pop_front();
            }
            group.refused.push_back(at);
        }
    }

    /// Notes an end; gives how many others are open at that moment.
    pub(super) fn ended(&mut self, host: K, place: Place, ended: Ended) -> Option<u64> {
        let group = self.hosts.get_mut(&host)?;
        group.open.remove(&(ended.opened, ended.flow));
        let others = group.open.len() as u64;
        let known = group.ends.iter().position(|(known, _)| *known == place);
        let list = match known {
            Some(known) => &mut group.ends[known].1,
            None if group.ends.len() < PLACES => {
                // Nearly all hosts have few kinds.
                group.ends.reserve_exact(1);
                group.ends.push((place, Ends::default()));
                &mut group.ends.last_mut()?.1
            }
            None => {
                group.forgotten = group.forgotten.max(Some(ended.time));
                return Some(others);
            }
        };
        if list.len() >= self.ends || self.kept >= ENDS_TOTAL {
            match list.pop_first() {
                Some(oldest) => {
                    group.forgotten = group.forgotten.max(Some(oldest.time));
                    self.kept -= 1;
                }
                None => {
                    group.forgotten = group.forgotten.max(Some(ended.time));
                    return Some(others);
                }
            }
        }
        // Ends come in packet order, and times may be swapped by a little.
        let later = list.iter().rev().take(SWAPPED).take_while(|other| other.time > ended.time).count();
        if later == SWAPPED {
            group.forgotten = group.forgotten.max(list.back().map(|last| last.time));
            return Some(others);
        }
        list.insert(ended, later);
        self.kept += 1;
        Some(others)
    }

    /// What the others of this host say about a connection that it ended.
    pub(super) fn company(&self, host: &K, connection: &Connection, now: Timestamp) -> Result<Company, Blind> {
        let group = self.hosts.get(host).ok_or(Blind::Limit)?;
        let place = Place::of(connection).ok_or(Blind::CaptureEnded)?;
        let this = Ended::of(connection).ok_or(Blind::NoTime)?;
        let none = Ends::default();
        let list = group.ends.iter().find(|(known, _)| *known == place).map_or(&none, |(_, list)| list);
        let silence = this.silence();
        let own = connection.longest_silence.as_deref().copied();
        Ok(Company {
            together: together(list, &this),
            went_on: group.went_on(connection, &this, now),
            same_silence: same_silence(list, &this),
            silent: compared(list, &this).filter(|other| other.silence().is_some_and(is_silent)).count() as u64,
            same_lifetime: same_lifetime(list, &this),
            longest_survived: group.longest(own),
            outlasted: silence.map_or(0, |silence| group.outlasted(this.flow, own, silence)),
            outlived: this.lifetime().map_or(0, |lifetime| group.outlived(&this, lifetime, list)),
            refused: group.refused_after(this.time),
        })
    }
}

impl Group {
    fn survived(&mut self, flow: u64, survived: Silence) {
        if let Some(known) = self.survived.iter_mut().find(|(known, _)| *known == flow) {
            if known.1.seconds < survived.seconds {
                known.1 = survived;
            }
            return;
        }
        if self.survived.len() == SURVIVED {
            let shortest = self.survived.iter().enumerate();
            let shortest = shortest.min_by(|(_, a), (_, b)| a.1.seconds.total_cmp(&b.1.seconds)).map(|(at, _)| at);
            if let Some(at) = shortest
                && self.survived[at].1.seconds < survived.seconds
            {
                self.survived.swap_remove(at);
            }
        }
        if self.survived.len() < SURVIVED {
            self.survived.push((flow, survived));
        }
    }

    /// The longest silence that any connection survived; `own` is that of the one asked about.
    fn longest(&self, own: Option<Silence>) -> Option<Silence> {
        let all = self.survived.iter().map(|(_, survived)| *survived).chain(own);
        all.max_by(|a, b| a.seconds.total_cmp(&b.seconds).then(b.until.packet.cmp(&a.until.packet)))
    }

    /// How many connections survived a silence clearly longer than this one.
    fn outlasted(&self, flow: u64, own: Option<Silence>, silence: f64) -> u64 {
        let longer = |survived: &Silence| survived.seconds > silence + (silence * 0.02).max(1.0);
        let others = self.survived.iter().filter(|(other, survived)| *other != flow && longer(survived)).count();
        (others + usize::from(own.is_some_and(|own| longer(&own)))) as u64
    }

    /// How many others were open when `this` ended, and a second later.
    fn went_on(&self, connection: &Connection, this: &Ended, now: Timestamp) -> Result<u64, Blind> {
        let others = connection.others_open.ok_or(Blind::Limit)?;
        if self.forgotten.is_some_and(|forgotten| forgotten >= this.time) {
            return Err(Blind::Limit);
        }
        let mut soon_ended = 0_u64;
        for (_, list) in &self.ends {
            let from = list.partition_point(|end| end.time < this.time);
            let to = list.partition_point(|end| nanos_between(this.time, end.time) <= TOGETHER_NANOS).max(from);
            let looked_at = to.min(from + CLUSTER);
            // Those that opened meanwhile were not there. Among very many they make no difference.
            let there = |end: &&Ended| end.packet > this.packet && end.opened <= this.time;
            soon_ended += (list.range(from..looked_at).filter(there).count() + (to - looked_at)) as u64;
        }
        let left = others.saturating_sub(soon_ended);
        if left > 0 && nanos_between(this.time, now) < TOGETHER_NANOS {
            return Err(Blind::CaptureEnded);
        }
        Ok(left)
    }

    /// How many others lived clearly longer than `lifetime`, or are still open and older than that. `list` is where its own
    /// end should be.
    fn outlived(&self, this: &Ended, lifetime: f64, list: &Ends) -> u64 {
        let longer = lifetime + tolerance_of_age(lifetime) * 2.0;
        let older = |opened: &Timestamp| this.time.seconds_since(*opened) > longer;
        // The oldest come first.
        let open = self.open.iter().take(COMPARED).take_while(|(since, _)| older(since));
        let open = open.filter(|(_, flow)| *flow != this.flow).count();
        // Its own age is not that long; but what is remembered of it may be another end than the one that counts now.
        let but = Some(this.flow).filter(|_| !list.has(this));
        let ended: usize = self.ends.iter().map(|(_, list)| list.older_than(longer, but)).sum();
        (open + ended) as u64
    }

    fn refused_after(&self, time: Timestamp) -> Option<Origin> {
        let after =
            |refused: &&Origin| refused.time.is_some_and(|at| (0..=REFUSED_NANOS).contains(&nanos_between(time, at)));
        self.refused.iter().find(after).copied()
    }
}

/// The ends that one is compared with: the latest of its place.
fn compared<'a>(list: &'a Ends, this: &'a Ended) -> impl Iterator<Item = &'a Ended> {
    list.iter().rev().take(COMPARED).filter(|other| other.flow != this.flow)
}

fn is_silent(seconds: f64) -> bool {
    seconds >= SILENT_SECONDS
}

/// How far two silences that one timer ended may lie apart.
fn tolerance_of_silence(seconds: f64) -> f64 {
    (seconds * 0.005).max(0.2)
}

/// How far two ages that one limit ended may lie apart.
fn tolerance_of_age(seconds: f64) -> f64 {
    (seconds * 0.001).max(0.5)
}

fn together(list: &Ends, this: &Ended) -> Option<Together> {
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

fn same_silence(list: &Ends, this: &Ended) -> Option<Alike> {
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

fn same_lifetime(list: &Ends, this: &Ended) -> Option<Alike> {
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
    use super::*;

    const SERVER: u8 = 1;

    fn time(seconds: f64) -> Timestamp {
        Timestamp::from_nanos((seconds * 1e9) as i64)
    }

    fn packet(number: u64) -> PacketNumber {
        PacketNumber::new(number + 1).expect("not 0")
    }

    fn end(flow: u64, seconds: f64) -> Ended {
        let opened = time(seconds - 100.0);
        Ended { time: time(seconds), packet: packet(flow), flow, opened, age_known: true, quiet_since: Some(opened) }
    }

    const FIN: Place = Place { by: Side::Server, kind: Kind::NoClose };

    #[test]
    fn a_list_that_is_full_forgets_the_oldest_and_counts_less() {
        let mut groups = Groups::new(&Limits::default());
        groups.opened(SERVER, time(0.0), u64::MAX);
        for flow in 0..ENDS as u64 + 10 {
            groups.ended(SERVER, FIN, end(flow, flow as f64 * 1e-6));
        }
        let group = &groups.hosts[&SERVER];
        assert_eq!((group.ends[0].1.len(), groups.kept), (ENDS, ENDS));
        assert!(group.forgotten >= Some(time(8e-6)));
        let together = together(&group.ends[0].1, &end(ENDS as u64, 0.0)).expect("they ended together");
        assert!(together.others < ENDS as u64);
    }

    #[test]
    fn all_hosts_together_keep_no_more_than_the_total() {
        let mut groups = Groups::new(&Limits::default());
        let hosts = ENDS_TOTAL / ENDS + 4;
        for host in 0..hosts {
            groups.opened(host, time(0.0), u64::MAX);
            for flow in 0..ENDS as u64 {
                groups.ended(host, FIN, end(flow, flow as f64 * 1e-6));
            }
        }
        assert_eq!(groups.kept, ENDS_TOTAL);
        assert_eq!(groups.hosts.values().map(|group| group.ends[0].1.len()).sum::<usize>(), ENDS_TOTAL);
    }

    #[test]
    fn of_more_hosts_than_fit_nothing_is_known() {
        let mut groups = Groups::new(&Limits::default());
        for host in 0..HOSTS + 1 {
            groups.opened(host, time(0.0), 0);
        }
        assert_eq!(groups.hosts.len(), HOSTS);
        assert_eq!(groups.ended(HOSTS, FIN, end(0, 1.0)), None);
        assert_eq!(groups.ended(0, FIN, end(0, 1.0)), Some(1));
    }

    #[test]
    fn the_longest_silences_stay_one_for_each_connection() {
        let mut group = Group::default();
        let origin = Origin { packet: packet(0), time: None };
        for flow in 0..100 {
            let seconds = ((flow * 37) % 100) as f64;
            group.survived(flow, Silence { seconds, since: origin, until: origin });
            group.survived(flow, Silence { seconds: 0.5, since: origin, until: origin });
        }
        assert_eq!(group.survived.len(), SURVIVED);
        assert_eq!(group.outlasted(u64::MAX, None, 80.0), 16);
        assert_eq!(group.outlasted(u64::MAX, None, 97.0), 1);
        assert_eq!(group.longest(None).map(|longest| longest.seconds), Some(99.0));
    }

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
