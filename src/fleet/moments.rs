//! Finds the moments at which a server ended many connections.
//!
//! Ends are counted in tenths of a second for each server, as they are reported, in whatever order that is; at the end the
//! fullest windows of one second are looked at. A window is an event when it holds at least three ends by the server's side
//! and three more than ten times what that server ends in an average second outside of it, and when it takes at least a
//! tenth of the connections that were open at that server. What is explained by the connection alone (a message too big, a
//! broken rule) does not count, nor do connections that a timer explains because they were silent for the same time.
//!
//! Bounded: [`Moments::SERVERS`] servers, [`Moments::ENDS`] tenths of a second with ends and [`Moments::SLOTS`] with
//! anything. When the first are used up, those that cannot become an event any more are let go: ends that stand alone and
//! after which the server took new connections. When the second are, slots are joined with those before them where nobody
//! will ask how many were open.

use super::burst::{Burst, End, Ends, is_most};
use super::events::{Event, EventKind, LEAST, joined};
use super::shared::{LIFETIME, SILENCE, started};
use super::{Closing, ConnectionReport, HowEnded};
use crate::connection::Outcome;
use crate::diagnosis::Cause;
use crate::units::{Endpoint, Side, Timestamp};
use std::collections::BTreeMap;

/// Ends in one window belong together.
const WINDOW_SLOTS: i64 = 10;

/// What takes longer, in seconds, is no moment.
const LONGEST: f64 = 30.0;

/// A drain is over within this many seconds, and takes more than these.
const DRAIN_SECONDS: std::ops::RangeInclusive<f64> = 10.0..=1800.0;

/// Tenths of a second in a slot beyond which nobody can tell how many were open at a moment.
const WIDEST: i64 = 100;

/// A drain ends at least so many connections.
const DRAIN_LEAST: u64 = 5;

/// Collects ends while reports come in.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    servers: BTreeMap<Endpoint, Server>,
    /// Tenths of a second with ends, at all servers.
    ends: usize,
    /// Slots of all servers.
    slots: usize,
    /// Tenths of a second in a slot: 1, and twice as many whenever there are too many of them.
    width: i64,
}

/// What began and ended at one server.
#[derive(Debug, Clone, Default)]
struct Server {
    /// Ends by its side.
    ended: u64,
    /// Of these, those that a timer explains.
    by_timer: u64,
    last_start: Option<Timestamp>,
    /// The first and the last moment at which anything began or ended there.
    active: Option<(Timestamp, Timestamp)>,
    /// When the connection ended of which was told first: those that others may explain are told of when all is over.
    first_told: Option<i64>,
    /// Ends by its side, by tenth of a second.
    ends: BTreeMap<i64, Ends>,
    /// Everything that began or ended, by slot.
    slots: BTreeMap<i64, Slot>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    starts: u32,
    ends: u32,
    by_server: u32,
}

impl Slot {
    fn join(&mut self, other: Self) {
        self.starts = self.starts.saturating_add(other.starts);
        self.ends = self.ends.saturating_add(other.ends);
        self.by_server = self.by_server.saturating_add(other.by_server);
    }
}

impl Moments {
    /// Servers followed.
    pub(super) const SERVERS: usize = 4096;
    /// Tenths of a second with ends that are kept.
    pub(super) const ENDS: usize = 8192;
    /// Slots with beginnings and ends that are kept.
    pub(super) const SLOTS: usize = 32_768;

    /// Takes in one connection.
    pub(super) fn add(&mut self, report: &ConnectionReport) {
        let connection = &*report.connection;
        let cause = report.diagnosis.cause;
        let opened = matches!(connection.handshake.outcome, Outcome::Accepted | Outcome::NotCaptured);
        if !opened && cause != Cause::Encrypted {
            return;
        }
        let server = connection.endpoints.server;
        let room = self.servers.len() < Self::SERVERS;
        if !room && !self.servers.contains_key(&server) {
            return;
        }
        self.width = self.width.max(1);
        let known = self.servers.entry(server).or_default();
        let (ends, slots) = (known.ends.len(), known.slots.len());
        if let Some(start) = connection.first.time {
            known.began(start, started(connection).is_some(), self.width);
        }
        if let Some((end, at)) = connection.first_end().and_then(|end| Some((end, end.at.time?))) {
            let by_server = end.by == Side::Server;
            known.ended(at, by_server, self.width);
            if by_server && !is_of_its_own(cause) {
                known.end(End {
                    at,
                    closing: Closing::of(report),
                    how: HowEnded::of(end.kind),
                    rule: report.diagnosis.rule.clone(),
                    by_timer: is_of_a_timer(cause),
                    silence: report.facts.number(SILENCE).unwrap_or(f64::NAN),
                    lifetime: report.facts.number(LIFETIME).unwrap_or(f64::NAN),
                    example: (end.at.packet, connection.id.flow),
                });
            }
        }
        self.ends += known.ends.len() - ends;
        self.slots += known.slots.len() - slots;
        self.make_room();
    }

    /// Lets go of what cannot become an event, when there is too much.
    fn make_room(&mut self) {
        if self.ends > Self::ENDS {
            for rest in Rest::ALL {
                self.servers.values_mut().for_each(|server| server.keep(rest));
                self.ends = self.servers.values().map(|server| server.ends.len()).sum();
                if self.ends <= Self::ENDS / 2 {
                    break;
                }
            }
        }
        if self.slots > Self::SLOTS {
            self.servers.values_mut().for_each(|server| server.join_slots(self.width));
            self.count_slots();
            while self.slots > Self::SLOTS / 2 {
                self.width = self.width.saturating_mul(2);
                self.servers.values_mut().for_each(Server::widen_slots);
                let before = self.slots;
                self.count_slots();
                if self.slots == before {
                    break;
                }
            }
        }
    }

    fn count_slots(&mut self) {
        self.slots = self.servers.values().map(|server| server.slots.len()).sum();
    }

    /// The largest events in the order of time, and how many there are besides.
    pub(super) fn events(&self) -> (Vec<Event>, u64) {
        let judged = self.servers.iter().flat_map(|(endpoint, server)| {
            server.bursts().into_iter().filter_map(|burst| server.judge(*endpoint, burst, self.width))
        });
        let (mut events, more) = Event::largest(judged.collect());
        events.extend(self.drains(&events));
        events.sort_by_key(|event| (event.start, event.servers.first().copied()));
        (joined(events), more)
    }

    /// Servers that took no new connections any more and ended all they had, one by one, while another went on.
    fn drains(&self, events: &[Event]) -> Vec<Event> {
        let drain = |(endpoint, server): (&Endpoint, &Server)| {
            let others_went_on = |end: Timestamp| {
                self.servers.iter().any(|(other, known)| other != endpoint && known.last_start > Some(end))
            };
            let (all, by_client) = server.drained(self.width)?;
            let counted = events.iter().filter(|event| event.servers.contains(endpoint) && event.end >= all.first);
            let counted: u64 = counted.map(|event| event.count).sum();
            let is_drain = counted.saturating_mul(2) < all.count && others_went_on(all.first);
            let Burst { count, first, last, closings, how, rules, example, .. } = all;
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

/// What is kept of the ends at a server when there are too many.
#[derive(Debug, Clone, Copy)]
struct Rest {
    /// Windows with so many ends.
    least: u64,
    /// Those with so much of what would be [more than usual](Server::enough) by now.
    share: f64,
    /// Also what may be part of a drain, or of a window of which not all is told.
    unsettled: bool,
}

impl Rest {
    /// Less and less.
    const ALL: [Self; 5] = [
        Self { least: LEAST, share: 0.0, unsettled: true },
        Self { least: LEAST, share: 0.5, unsettled: true },
        Self { least: 10, share: 1.0, unsettled: false },
        Self { least: 100, share: 1.0, unsettled: false },
        Self { least: u64::MAX, share: 1.0, unsettled: false },
    ];
}

impl Server {
    /// A connection began.
    fn began(&mut self, at: Timestamp, is_start_known: bool, width: i64) {
        if is_start_known {
            self.last_start = self.last_start.max(Some(at));
        }
        self.seen(at);
        self.slot(at, width).join(Slot { starts: 1, ..Slot::default() });
    }

    /// One showed the first sign of its end.
    fn ended(&mut self, at: Timestamp, by_server: bool, width: i64) {
        self.seen(at);
        self.slot(at, width).join(Slot { starts: 0, ends: 1, by_server: by_server.into() });
    }

    /// The server ended one.
    fn end(&mut self, end: End) {
        self.ended += 1;
        self.by_timer += u64::from(end.by_timer);
        let at = tenths(end.at);
        self.first_told.get_or_insert(at);
        match self.ends.get_mut(&at) {
            Some(ends) => ends.add(end),
            None => {
                self.ends.insert(at, Ends::One(end));
            }
        }
    }

    fn seen(&mut self, at: Timestamp) {
        let (first, last) = self.active.unwrap_or((at, at));
        self.active = Some((first.min(at), last.max(at)));
    }

    fn slot(&mut self, at: Timestamp, width: i64) -> &mut Slot {
        self.slots.entry(tenths(at).div_euclid(width)).or_default()
    }

    /// Lets go of ends that cannot become an event, or of more.
    fn keep(&mut self, rest: Rest) {
        let windows = self.windows();
        let enough = windows.iter().max().map_or(0.0, |most| self.enough(*most, 1.0) * rest.share);
        let last_start = self.last_start.map(tenths);
        let is_unsettled = |at: i64| {
            last_start.is_some_and(|start| at > start) || self.first_told.is_some_and(|told| at <= told + WINDOW_SLOTS)
        };
        let mut windows = windows.into_iter();
        self.ends.retain(|at, _| {
            let is_full = windows.next().is_some_and(|ends| ends >= rest.least && ends as f64 >= enough);
            is_full || (rest.unsettled && is_unsettled(*at))
        });
    }

    /// Joins slots with those before them, but for those of which more is asked than the sum up to them: where ends are, and
    /// since no new connections came.
    fn join_slots(&mut self, width: i64) {
        let last_start = self.last_start.map(|start| tenths(start).div_euclid(width));
        let mut joined: Vec<(i64, Slot)> = Vec::new();
        for (at, slot) in std::mem::take(&mut self.slots) {
            let (from, to) = (at.saturating_mul(width), at.saturating_add(1).saturating_mul(width));
            let is_asked = last_start.is_some_and(|start| at > start) || self.ends.range(from..to).next().is_some();
            match joined.last_mut() {
                Some((_, before)) if !is_asked => before.join(slot),
                _ => joined.push((at, slot)),
            }
        }
        self.slots = joined.into_iter().collect();
    }

    /// Makes slots twice as wide.
    fn widen_slots(&mut self) {
        let mut slots: BTreeMap<i64, Slot> = BTreeMap::new();
        for (at, slot) in std::mem::take(&mut self.slots) {
            slots.entry(at.div_euclid(2)).or_default().join(slot);
        }
        self.slots = slots;
    }

    /// For each tenth of a second with ends, the most of them in any window of a second that it is part of.
    fn windows(&self) -> Vec<u64> {
        let all: Vec<(i64, u64)> = self.ends.iter().map(|(at, ends)| (*at, ends.count())).collect();
        let mut fullest = vec![0; all.len()];
        let (mut from, mut inside) = (0, 0);
        for (until, (at, count)) in all.iter().enumerate() {
            inside += count;
            while at - all[from].0 >= WINDOW_SLOTS {
                inside -= all[from].1;
                from += 1;
            }
            // At most ten of them.
            fullest[from..=until].iter_mut().for_each(|most| *most = inside.max(*most));
        }
        fullest
    }

    /// Ends with no more than a second from each to the window of the next, each window with more of them than the server
    /// ends at any time.
    fn bursts(&self) -> Vec<Burst> {
        let windows = self.windows();
        let Some(most) = windows.iter().max() else { return Vec::new() };
        let enough = self.enough(*most, 1.0);
        let mut bursts: Vec<(i64, Burst)> = Vec::new();
        for ((at, ends), window) in self.ends.iter().zip(windows) {
            match bursts.last_mut() {
                _ if (window as f64) < enough => {}
                Some((last, burst)) if at - *last < WINDOW_SLOTS => {
                    burst.join(ends);
                    *last = *at;
                }
                _ => bursts.push((*at, ends.burst())),
            }
        }
        bursts.into_iter().map(|(_, burst)| burst).collect()
    }

    /// Whether a burst is an event, and which.
    fn judge(&self, endpoint: Endpoint, burst: Burst, width: i64) -> Option<Event> {
        let took = burst.last.seconds_since(burst.first).max(1.0);
        let enough = self.enough(burst.count, took);
        let open = self.open_at(burst.first, width);
        // Where far more end than were open, many come and go: that is its work.
        if took > LONGEST || open.is_some_and(|open| burst.count > open.saturating_mul(2).saturating_add(2)) {
            return None;
        }
        let open = open.map(|open| open.max(burst.count));
        let is_share = open.is_none_or(|open| burst.count.saturating_mul(10) >= open);
        // Who was last spoken to at the same moment, as by a message for all, has been silent for the same time.
        let (same_silence, same_age) = (burst.is_same(&burst.silence), burst.is_same(&burst.lifetime));
        let is_all = open.is_none_or(|open| is_most(burst.count, open));
        let by_timer = is_most(burst.by_timer, burst.count) && (same_silence || same_age || !is_all);
        let announced = is_most(burst.closings.of(&Closing::Code(1012)), burst.count);
        // What is alike in everything says no more together than each alone.
        let all_alike = same_silence && same_age && !announced;
        if (burst.count as f64) < enough || !is_share || by_timer || all_alike {
            return None;
        }
        let kind = if (same_silence || same_age) && !announced { EventKind::SameAge } else { burst.kind(is_all) };
        let Burst { count, first, last, closings, how, rules, example, .. } = burst;
        let servers = vec![endpoint];
        Some(Event { kind, servers, start: first, end: last, count, open, closings, how, rules, example })
    }

    /// How many were open just before a moment at which one ended; `None` when slots have become too wide to tell.
    fn open_at(&self, moment: Timestamp, width: i64) -> Option<u64> {
        let slot = tenths(moment).div_euclid(width);
        if width > WIDEST || !self.slots.contains_key(&slot) {
            return None;
        }
        let open = self.slots.range(..slot).map(|(_, slot)| i64::from(slot.starts) - i64::from(slot.ends)).sum::<i64>();
        u64::try_from(open).ok()
    }

    /// The ends since the last connection came, if these were all that were open and this looks like a drain; and how many
    /// more their clients ended.
    fn drained(&self, width: i64) -> Option<(Burst, u64)> {
        let last_start = self.last_start?;
        if self.by_timer.saturating_mul(5) > self.ended {
            return None;
        }
        let mut left = 0_i64;
        let mut by_client = 0_u64;
        let after = tenths(last_start).div_euclid(width);
        for (at, slot) in &self.slots {
            left += i64::from(slot.starts) - i64::from(slot.ends);
            if *at > after {
                by_client += u64::from(slot.ends - slot.by_server.min(slot.ends));
            }
        }
        let mut ends = self.ends.range(tenths(last_start) + 1..).map(|(_, ends)| ends);
        let mut all = ends.next()?.burst();
        ends.for_each(|ends| all.join(ends));
        let took = all.last.seconds_since(all.first);
        let alike = all.closings.most().is_some_and(|(_, count)| is_most(count, all.count));
        let timer = all.is_same(&all.silence) || all.is_same(&all.lifetime);
        let is_drain = left == 0
            && all.count >= DRAIN_LEAST
            && by_client.saturating_mul(10) <= all.count
            && DRAIN_SECONDS.contains(&took)
            && alike
            && !timer;
        is_drain.then_some((all, by_client))
    }

    /// How many ends within so many seconds are more than this server's usual work, when `burst` of its ends are none of
    /// that: three, and ten times as many as it ends otherwise.
    fn enough(&self, burst: u64, seconds: f64) -> f64 {
        let active = self.active.map_or(0.0, |(first, last)| last.seconds_since(first));
        let usual = self.ended.saturating_sub(burst) as f64 / (active - seconds).max(1.0);
        LEAST as f64 + (10.0 * usual * seconds).round()
    }
}

fn tenths(at: Timestamp) -> i64 {
    at.nanos().div_euclid(100_000_000)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::RuleId;
    use crate::units::PacketNumber;

    fn at(tenth: i64) -> Timestamp {
        Timestamp::from_nanos(tenth * 100_000_000)
    }

    fn end(tenth: i64) -> End {
        let (silence, lifetime) = (tenth as f64 / 10.0, f64::NAN);
        let (closing, how, rule) = (Closing::Code(1001), HowEnded::Close, RuleId::of("rule"));
        let example = (PacketNumber::new(tenth.unsigned_abs() + 1).expect("not 0"), tenth.unsigned_abs());
        End { at: at(tenth), closing, how, rule, by_timer: false, silence, lifetime, example }
    }

    /// A server at which a connection comes and one ends every half a minute, ten go in one moment and three in another.
    fn server() -> Server {
        let mut server = Server::default();
        let mut connection = |start: i64, stop: i64| {
            server.began(at(start), true, 1);
            server.ended(at(stop), true, 1);
            server.end(end(stop));
        };
        (0..2000).for_each(|number| connection(number * 370, number * 370 + 400));
        (0..10).for_each(|number| connection(number * 11, 30_200 + number % 4));
        (0..3).for_each(|number| connection(number * 5, 50_000 + number));
        server
    }

    /// The bursts, with how many were open just before.
    fn found(server: &Server, width: i64) -> Vec<(Timestamp, Timestamp, u64, Option<u64>)> {
        let bursts = server.bursts().into_iter();
        bursts.map(|burst| (burst.first, burst.last, burst.count, server.open_at(burst.first, width))).collect()
    }

    #[test]
    fn what_is_let_go_was_no_event() {
        let mut server = server();
        let before = found(&server, 1);
        assert_eq!(before.iter().map(|burst| burst.2).collect::<Vec<_>>(), [10, 3]);
        let (ends, slots) = (server.ends.len(), server.slots.len());
        server.keep(Rest::ALL[0]);
        server.join_slots(1);
        assert_eq!(found(&server, 1), before);
        assert!(server.ends.len() < ends / 10 && server.slots.len() < slots / 10, "{}", server.slots.len());
        // What comes after the last beginning may be a drain.
        assert_eq!(server.ends.last_key_value().map(|(at, _)| *at), Some(1999 * 370 + 400));
    }

    #[test]
    fn memory_does_not_grow_with_ends() {
        let mut moments = Moments { width: 1, ..Moments::default() };
        let server = Endpoint { ip: [10, 0, 0, 1].into(), port: 80 };
        for tenth in 0..300_000 {
            let known = moments.servers.entry(server).or_default();
            known.began(at(tenth * 3), true, 1);
            known.ended(at(tenth * 3), true, 1);
            known.end(end(tenth * 3));
            (moments.ends, moments.slots) = (known.ends.len(), known.slots.len());
            moments.make_room();
            assert!(moments.ends <= Moments::ENDS && moments.slots <= Moments::SLOTS);
        }
        assert_eq!(moments.width, 1, "joined slots make room enough");
    }
}
