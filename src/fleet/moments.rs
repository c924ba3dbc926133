//! Finds the moments at which a server ended many connections.
//!
//! Ends are counted in tenths of a second for each server, as they are reported, in whatever order that is; at the end the
//! fullest windows of one second are looked at. A window is an event when it holds at least three ends by the server's side
//! and three more than ten times what that server ends in an average second outside of it, and when it takes at least a
//! tenth of the connections that were open at that server. What is explained by the connection alone (a message too big, a
//! broken rule) does not count, nor do connections that a timer explains because they were silent for the same time.
//!
//! Bounded: [`Moments::SERVERS`] servers, [`Moments::BUCKETS`] tenths of a second with ends and [`Moments::SLOTS`] with
//! anything. When the first are used up, those that stand alone are let go.

use super::events::{Event, EventKind, LEAST, joined};
use super::shared::{LIFETIME, SILENCE, started};
use super::{Closing, ConnectionReport, HowEnded, Spread, Tally};
use crate::connection::Outcome;
use crate::diagnosis::{Cause, RuleId};
use crate::units::{Endpoint, PacketNumber, Side, Timestamp};
use std::collections::BTreeMap;

/// Ends in one window belong together.
const WINDOW_SLOTS: i64 = 10;

/// What takes longer, in seconds, is no moment.
const LONGEST: f64 = 30.0;

/// A drain is over within this many seconds, and takes more than these.
const DRAIN_SECONDS: std::ops::RangeInclusive<f64> = 10.0..=1800.0;

/// A drain ends at least so many connections.
const DRAIN_LEAST: u64 = 5;

/// Collects ends while reports come in.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    servers: BTreeMap<Endpoint, Server>,
    /// Ends by the server's side, by server and tenth of a second.
    buckets: BTreeMap<(Endpoint, i64), Bucket>,
    /// Everything that began or ended, by server and slot.
    slots: BTreeMap<(Endpoint, i64), Slot>,
    /// Tenths of a second in a slot: 1, and twice as many whenever there are too many of them.
    width: i64,
}

#[derive(Debug, Clone, Default)]
struct Server {
    /// Ends by its side.
    ended: u64,
    /// Of these, those that a timer explains.
    by_timer: u64,
    last_start: Option<Timestamp>,
    /// The first and the last moment at which anything began or ended there.
    active: Option<(Timestamp, Timestamp)>,
}

#[derive(Debug, Clone)]
struct Bucket {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    closings: Tally<Closing>,
    how: Tally<HowEnded>,
    rules: Tally<RuleId>,
    by_timer: u64,
    silence: Spread,
    lifetime: Spread,
    example: (PacketNumber, u64),
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    starts: u32,
    ends: u32,
    by_server: u32,
}

impl Moments {
    /// Servers followed.
    pub(super) const SERVERS: usize = 4096;
    /// Tenths of a second with ends that are kept.
    pub(super) const BUCKETS: usize = 65_536;
    /// Slots with beginnings and ends that are kept.
    pub(super) const SLOTS: usize = 262_144;

    /// Takes in one connection.
    pub(super) fn add(&mut self, report: &ConnectionReport) {
        let connection = &*report.connection;
        let opened = matches!(connection.handshake.outcome, Outcome::Accepted | Outcome::NotCaptured);
        if !opened && report.diagnosis.cause != Cause::Encrypted {
            return;
        }
        let server = connection.endpoints.server;
        let room = self.servers.len() < Self::SERVERS;
        if !room && !self.servers.contains_key(&server) {
            return;
        }
        self.width = self.width.max(1);
        let known = self.servers.entry(server).or_default();
        if let Some(start) = connection.first.time {
            if started(connection).is_some() {
                known.last_start = known.last_start.max(Some(start));
            }
            known.seen(start);
            let slot = self.slot(server, start);
            slot.starts = slot.starts.saturating_add(1);
        }
        let Some((end, at)) = connection.first_end().and_then(|end| Some((end, end.at.time?))) else { return };
        if let Some(known) = self.servers.get_mut(&server) {
            known.seen(at);
        }
        let by_server = end.by == Side::Server;
        let slot = self.slot(server, at);
        slot.ends = slot.ends.saturating_add(1);
        slot.by_server = slot.by_server.saturating_add(u32::from(by_server));
        if by_server && !is_of_its_own(report.diagnosis.cause) {
            self.end(report, server, at, HowEnded::of(end.kind), end.at.packet);
        }
        self.make_room();
    }

    fn slot(&mut self, server: Endpoint, at: Timestamp) -> &mut Slot {
        self.slots.entry((server, tenths(at).div_euclid(self.width))).or_default()
    }

    fn end(&mut self, report: &ConnectionReport, server: Endpoint, at: Timestamp, how: HowEnded, packet: PacketNumber) {
        let by_timer = u64::from(is_of_a_timer(report.diagnosis.cause));
        if let Some(server) = self.servers.get_mut(&server) {
            server.ended += 1;
            server.by_timer += by_timer;
        }
        let example = (packet, report.connection.id.flow);
        let bucket = self.buckets.entry((server, tenths(at))).or_insert_with(|| Bucket::new(at, example));
        bucket.count += 1;
        bucket.by_timer += by_timer;
        (bucket.first, bucket.last) = (bucket.first.min(at), bucket.last.max(at));
        bucket.example = bucket.example.min(example);
        bucket.closings.add(&Closing::of(report));
        bucket.how.add(&how);
        bucket.rules.add(&report.diagnosis.rule);
        report.facts.number(SILENCE).into_iter().for_each(|silence| bucket.silence.add(silence));
        report.facts.number(LIFETIME).into_iter().for_each(|lifetime| bucket.lifetime.add(lifetime));
    }

    /// Lets go of what cannot become an event, when there is too much.
    fn make_room(&mut self) {
        if self.buckets.len() > Self::BUCKETS {
            for least in [LEAST, 10, 100, u64::MAX] {
                let windows = self.windows();
                let kept = |key: &(Endpoint, i64)| windows.get(key).is_some_and(|ends| *ends >= least);
                self.buckets.retain(|key, _| kept(key));
                if self.buckets.len() <= Self::BUCKETS / 2 {
                    break;
                }
            }
        }
        if self.slots.len() > Self::SLOTS {
            self.width = self.width.saturating_mul(2);
            let mut slots: BTreeMap<(Endpoint, i64), Slot> = BTreeMap::new();
            for ((server, at), slot) in std::mem::take(&mut self.slots) {
                let sum = slots.entry((server, at.div_euclid(2))).or_default();
                sum.starts = sum.starts.saturating_add(slot.starts);
                sum.ends = sum.ends.saturating_add(slot.ends);
                sum.by_server = sum.by_server.saturating_add(slot.by_server);
            }
            self.slots = slots;
        }
    }

    /// For each bucket, the most ends in any window of a second that it is part of.
    fn windows(&self) -> BTreeMap<(Endpoint, i64), u64> {
        let all: Vec<(&(Endpoint, i64), u64)> = self.buckets.iter().map(|(key, bucket)| (key, bucket.count)).collect();
        let mut fullest: BTreeMap<(Endpoint, i64), u64> = BTreeMap::new();
        let mut inside = 0;
        let mut from = 0;
        for (until, (key, count)) in all.iter().enumerate() {
            inside += count;
            while all[from].0.0 != key.0 || key.1 - all[from].0.1 >= WINDOW_SLOTS {
                inside -= all[from].1;
                from += 1;
            }
            // At most ten of them.
            for (key, _) in &all[from..=until] {
                let most = fullest.entry(**key).or_default();
                *most = (*most).max(inside);
            }
        }
        fullest
    }

    /// The largest events in the order of time, and how many there are besides.
    pub(super) fn events(&self) -> (Vec<Event>, u64) {
        let open = Open::of(self);
        let judged = self.bursts().into_iter().filter_map(|burst| self.judge(burst, &open)).collect();
        let (mut events, more) = Event::largest(judged);
        events.extend(self.drains(&events));
        events.sort_by_key(|event| (event.start, event.servers.first().copied()));
        (joined(events), more)
    }

    /// Ends with no more than a second from each to the window of the next, each window with more of them than its server
    /// ends at any time.
    fn bursts(&self) -> Vec<(Endpoint, Bucket)> {
        let windows = self.windows();
        let mut fullest: BTreeMap<Endpoint, u64> = BTreeMap::new();
        for ((server, _), ends) in &windows {
            let most = fullest.entry(*server).or_default();
            *most = (*most).max(*ends);
        }
        let enough = |server: &Endpoint| {
            let most = fullest.get(server).copied().unwrap_or(0);
            self.servers.get(server).map_or(LEAST as f64, |known| known.enough(most, 1.0))
        };
        let enough: BTreeMap<Endpoint, f64> = fullest.keys().map(|server| (*server, enough(server))).collect();
        let mut bursts: Vec<(Endpoint, i64, Bucket)> = Vec::new();
        for (key @ (server, slot), bucket) in &self.buckets {
            if windows.get(key).is_none_or(|ends| (*ends as f64) < enough[server]) {
                continue;
            }
            match bursts.last_mut() {
                Some((same, last, burst)) if same == server && slot - *last < WINDOW_SLOTS => {
                    burst.merge(bucket);
                    *last = *slot;
                }
                _ => bursts.push((*server, *slot, bucket.clone())),
            }
        }
        bursts.into_iter().map(|(server, _, burst)| (server, burst)).collect()
    }

    /// Whether a burst is an event, and which.
    fn judge(&self, (server, burst): (Endpoint, Bucket), open: &Open) -> Option<Event> {
        let took = burst.last.seconds_since(burst.first).max(1.0);
        let enough = self.servers.get(&server)?.enough(burst.count, took);
        let open = open.at(server, burst.first);
        // Where far more end than were open, many come and go: that is its work.
        if took > LONGEST || open.is_some_and(|open| burst.count > open.saturating_mul(2).saturating_add(2)) {
            return None;
        }
        let open = open.map(|open| open.max(burst.count));
        let is_share = open.is_none_or(|open| burst.count.saturating_mul(10) >= open);
        let same = |spread: &Spread| spread.common().is_some_and(|common| is_most(common.count, burst.count));
        // Who was last spoken to at the same moment, as by a message for all, has been silent for the same time.
        let (same_silence, same_age) = (same(&burst.silence), same(&burst.lifetime));
        let is_all = open.is_none_or(|open| is_most(burst.count, open));
        let by_timer = is_most(burst.by_timer, burst.count) && (same_silence || same_age || !is_all);
        let announced = is_most(burst.closings.of(&Closing::Code(1012)), burst.count);
        // What is alike in everything says no more together than each alone.
        let all_alike = same_silence && same_age && !announced;
        if (burst.count as f64) < enough || !is_share || by_timer || all_alike {
            return None;
        }
        let kind = if (same_silence || same_age) && !announced { EventKind::SameAge } else { burst.kind(is_all) };
        let Bucket { count, first, last, closings, how, rules, example, .. } = burst;
        let servers = vec![server];
        Some(Event { kind, servers, start: first, end: last, count, open, closings, how, rules, example })
    }

    /// Servers that took no new connections any more and ended all they had, one by one, while another went on.
    fn drains(&self, events: &[Event]) -> Vec<Event> {
        let drain = |(endpoint, server): (&Endpoint, &Server)| {
            let last_start = server.last_start?;
            let others_went_on = |end: Timestamp| {
                self.servers.iter().any(|(other, known)| other != endpoint && known.last_start > Some(end))
            };
            if server.by_timer.saturating_mul(5) > server.ended {
                return None;
            }
            let mut left = 0_i64;
            let mut by_client = 0_u64;
            let after = tenths(last_start).div_euclid(self.width);
            for ((_, at), slot) in self.slots.range((*endpoint, i64::MIN)..=(*endpoint, i64::MAX)) {
                left += i64::from(slot.starts) - i64::from(slot.ends);
                if *at > after {
                    by_client += u64::from(slot.ends - slot.by_server.min(slot.ends));
                }
            }
            let ends = self.buckets.range((*endpoint, tenths(last_start) + 1)..=(*endpoint, i64::MAX));
            let mut all: Option<Bucket> = None;
            for (_, bucket) in ends {
                match &mut all {
                    Some(all) => all.merge(bucket),
                    None => all = Some(bucket.clone()),
                }
            }
            let all = all?;
            let took = all.last.seconds_since(all.first);
            let counted = events.iter().filter(|event| event.servers.contains(endpoint) && event.end >= all.first);
            let counted: u64 = counted.map(|event| event.count).sum();
            let alike = all.closings.most().is_some_and(|(_, count)| is_most(count, all.count));
            let timer = all.silence.common().is_some_and(|common| is_most(common.count, all.count))
                || all.lifetime.common().is_some_and(|common| is_most(common.count, all.count));
            let is_drain = left == 0
                && all.count >= DRAIN_LEAST
                && counted.saturating_mul(2) < all.count
                && by_client.saturating_mul(10) <= all.count
                && DRAIN_SECONDS.contains(&took)
                && alike
                && !timer
                && others_went_on(all.first);
            let Bucket { count, first, last, closings, how, rules, example, .. } = all;
            is_drain.then(|| Event {
                kind: EventKind::Drain,
                servers: vec![*endpoint],
                start: first,
                end: last,
                count,
                open: Some(count + by_client),
                closings,
                how,
                rules,
                example,
            })
        };
        self.servers.iter().filter_map(drain).collect()
    }
}

impl Server {
    fn seen(&mut self, at: Timestamp) {
        let (first, last) = self.active.unwrap_or((at, at));
        self.active = Some((first.min(at), last.max(at)));
    }

    /// How many ends within so many seconds are more than this server's usual work, when `burst` of its ends are none of
    /// that: three, and ten times as many as it ends otherwise.
    fn enough(&self, burst: u64, seconds: f64) -> f64 {
        let active = self.active.map_or(0.0, |(first, last)| last.seconds_since(first));
        let usual = self.ended.saturating_sub(burst) as f64 / (active - seconds).max(1.0);
        LEAST as f64 + (10.0 * usual * seconds).round()
    }
}

impl Bucket {
    fn new(at: Timestamp, example: (PacketNumber, u64)) -> Self {
        Self {
            count: 0,
            first: at,
            last: at,
            closings: Tally::default(),
            how: Tally::default(),
            rules: Tally::default(),
            by_timer: 0,
            silence: Spread::default(),
            lifetime: Spread::default(),
            example,
        }
    }

    fn merge(&mut self, other: &Self) {
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

    /// What such a burst most likely was; a code names the cause only when most of the ends carry it.
    fn kind(&self, is_all: bool) -> EventKind {
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

/// How many connections were open at each server, as far as slots tell.
struct Open<'a> {
    moments: &'a Moments,
    /// The sum of all slots before, by server and slot.
    before: BTreeMap<(Endpoint, i64), i64>,
}

impl<'a> Open<'a> {
    fn of(moments: &'a Moments) -> Self {
        let mut before = BTreeMap::new();
        let mut sum = (None, 0_i64);
        for (key, slot) in &moments.slots {
            if sum.0 != Some(key.0) {
                sum = (Some(key.0), 0);
            }
            before.insert(*key, sum.1);
            sum.1 += i64::from(slot.starts) - i64::from(slot.ends);
        }
        Self { moments, before }
    }

    /// How many were open at a server just before a moment; `None` when slots have become too wide to tell.
    fn at(&self, server: Endpoint, moment: Timestamp) -> Option<u64> {
        let slot = tenths(moment).div_euclid(self.moments.width);
        let open = self.before.get(&(server, slot)).filter(|_| self.moments.width <= 100)?;
        u64::try_from(*open).ok()
    }
}

fn tenths(at: Timestamp) -> i64 {
    at.nanos().div_euclid(100_000_000)
}

/// Nine of ten.
fn is_most(count: u64, of: u64) -> bool {
    count.saturating_mul(10) >= of.saturating_mul(9)
}

/// Ends that the connection explains alone, whatever happened to others.
fn is_of_its_own(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::ProtocolError
            | Cause::InvalidUtf8
            | Cause::UnsupportedData
            | Cause::MessageTooBig
            | Cause::MissingExtension
            | Cause::SlowConsumer
            | Cause::CloseNotAnswered
            | Cause::HandshakeRejected
            | Cause::BadAccept
            | Cause::SubprotocolMismatch
            | Cause::ExtensionMismatch
    )
}

fn is_of_a_timer(cause: Cause) -> bool {
    matches!(cause, Cause::IdleTimeout | Cause::KeepaliveTimeout | Cause::LifetimeLimit)
}
