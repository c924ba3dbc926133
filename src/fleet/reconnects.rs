//! Clients that come back again and again, and crowds that come back all at once.
//!
//! For each pair of client address and server the attempts are kept with the time they began and ended. When all are in,
//! the pauses from one end to the next beginning are looked at: those after an end that failed or was not meant show whether
//! the client waits longer each time (RFC 6455 §7.2.3 asks for a random delay first, then for a truncated exponential
//! backoff). A client that opens a connection regularly because each one is finished with 1000 does nothing wrong: it is
//! reported as regular and never as a storm. Behind one address there may be many clients: attempts that overlap, and pauses
//! without a rhythm, are not taken for one client, and requests of different paths or user agents are kept apart.
//!
//! Bounded: [`Returns::CLIENTS`] pairs with [`Returns::ATTEMPTS`] attempts each.

use super::events::Event;
use super::shared::{started, without_query};
use super::tally::make_room;
use super::{ConnectionReport, Tally};
use crate::connection::{Connection, Outcome, Text};
use crate::diagnosis::{Cause, RuleId};
use crate::units::{Endpoint, Side, Timestamp};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// What was found about clients that come back.
#[derive(Debug, Clone, Default)]
pub struct Reconnects {
    /// Clients that come back with a rhythm: those without backoff first, then by how often. At most
    /// [`Returns::TOLD`](Self::TOLD).
    pub series: Vec<Series>,
    /// Crowds that came back together after an event, in the order of the events.
    pub herds: Vec<Herd>,
    /// Series that are not told.
    pub more: u64,
}

impl Reconnects {
    /// Series told.
    pub const TOLD: usize = 100;
}

/// One client that comes back with a rhythm.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its address; with a port it would be another one each time.
    pub client: IpAddr,
    /// Where it goes.
    pub server: Endpoint,
    /// The path it asks for and what it calls itself, when all attempts agree.
    pub path: Option<String>,
    /// The user agent, likewise.
    pub user_agent: Option<String>,
    /// Attempts that began in this series, the first included.
    pub attempts: u64,
    /// Of these, those that failed or did not end as meant.
    pub failed: u64,
    /// The first and the last beginning.
    pub span: (Timestamp, Timestamp),
    /// Seconds from an end to the next beginning: smallest, median and largest.
    pub pause: (f64, f64, f64),
    /// How it waits.
    pub backoff: Backoff,
    /// The rules that explain the ends.
    pub rules: Tally<RuleId>,
    /// The first connection of it.
    pub stream: u64,
}

/// How a client waits before it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backoff {
    /// The same short pause each time although it fails each time: a storm.
    None,
    /// The same pause each time, though a longer one.
    Constant,
    /// Longer each time.
    Growing,
    /// The ends were meant: it works that way.
    Regular,
}

impl Backoff {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Constant, Self::Growing, Self::Regular];

    /// The stable name, as machines read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Constant => "constant",
            Self::Growing => "growing",
            Self::Regular => "regular",
        }
    }
}

impl Series {
    /// How far the pauses lie from their median at most, as a share of it.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        let (least, median, most) = self.pause;
        if median > 0.0 { (most - median).max(median - least) / median } else { 0.0 }
    }
}

/// Connections that an event ended and that came back together.
#[derive(Debug, Clone)]
pub struct Herd {
    /// Which of the events, counted from 0.
    pub event: usize,
    /// How many connections came back.
    pub count: u64,
    /// From how many addresses.
    pub clients: u64,
    /// The first and the last of their beginnings.
    pub span: (Timestamp, Timestamp),
    /// Seconds from their ends to their new beginnings: smallest, median and largest.
    pub delay: (f64, f64, f64),
    /// Of the attempts to come back, those that failed.
    pub failed: u64,
}

/// A pause as short as this, each time, is a storm.
const SHORT_SECONDS: f64 = 10.0;

/// Attempts that came after an end that was not meant; fewer show no rhythm.
const LEAST_PAUSES: usize = 3;

/// Who comes back later comes back for another reason.
const BACK_SECONDS: f64 = 60.0;

/// The random delay that RFC 6455 §7.2.3 calls reasonable, in seconds.
const RANDOM_SECONDS: f64 = 5.0;

/// Collects attempts while reports come in.
#[derive(Debug, Clone, Default)]
pub(super) struct Returns {
    /// Boxed, so that a table that has just grown is not mostly room for more.
    clients: HashMap<(IpAddr, Endpoint), Box<Client>, RandomState>,
    /// Connections for which there was no room.
    refused: u64,
    latest: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct Client {
    attempts: Vec<Attempt>,
    /// Also those that are not kept. No more than there are packets.
    total: u32,
    failed: u32,
    path: Common,
    agent: Common,
    rules: Tally<RuleId>,
    /// Of attempts that failed; few clients have any.
    failures: Option<Box<Tally<RuleId>>>,
}

/// What all attempts have in common.
#[derive(Debug, Clone, Default)]
enum Common {
    #[default]
    Unknown,
    One(Option<Text>),
    Nothing,
}

impl Common {
    /// Takes in what one more has; `part`: as much of a text as counts.
    fn add(&mut self, text: Option<&Text>, part: fn(&str) -> &str) {
        fn shown(text: Option<&Text>, part: fn(&str) -> &str) -> &str {
            text.map_or("", |text| part(text.as_str()))
        }
        match self {
            Self::Unknown => *self = Self::One(text.cloned()),
            Self::One(known) if shown(known.as_ref(), part) != shown(text, part) => *self = Self::Nothing,
            _ => {}
        }
    }

    fn text(&self, part: fn(&str) -> &str) -> Option<&str> {
        if let Self::One(Some(text)) = self { Some(part(text.as_str())) } else { None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    start: Timestamp,
    end: Option<Timestamp>,
    /// What was asked for and by whom, if that is known.
    who: Option<NonZeroU32>,
    how: How,
    stream: u64,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Meant,
    Failed,
    Unknown,
}

impl Returns {
    /// Pairs of client address and server.
    pub(super) const CLIENTS: usize = 8192;
    /// Attempts kept of each: the first half of them, and the last.
    pub(super) const ATTEMPTS: usize = 64;
    /// Connections without room after which room is made again.
    const ROOM_EVERY: u64 = 4096;
    /// A client that has shown no rhythm and did not come again for so many seconds gives way.
    const FORGOTTEN: f64 = 120.0;

    /// Takes in one connection.
    pub(super) fn add(&mut self, report: &ConnectionReport) {
        let connection = &*report.connection;
        let Some(start) = connection.first.time else { return };
        // A clock that stepped tells no pauses.
        if !connection.clock_steps.is_empty() {
            return;
        }
        self.latest = self.latest.max(connection.last.time);
        let key = (connection.endpoints.client.ip, connection.endpoints.server);
        if !self.clients.contains_key(&key) && self.clients.len() >= Self::CLIENTS {
            // To look at all of them each time would take too long.
            if self.refused.is_multiple_of(Self::ROOM_EVERY) {
                self.make_room();
            }
            if self.clients.len() >= Self::CLIENTS {
                self.refused += 1;
                return;
            }
        }
        let hasher = self.clients.hasher().clone();
        let client = self.clients.entry(key).or_default();
        let end = connection.first_end().map_or_else(|| given_up(report), |end| end.at.time);
        let how = how(report);
        let who = client.identify(connection, &hasher);
        client.rules.add(&report.diagnosis.rule);
        client.total += 1;
        if how == How::Failed {
            client.failed += 1;
            client.failures.get_or_insert_default().add(&report.diagnosis.rule);
        }
        let attempt = Attempt { start, end, who, how, stream: connection.id.flow };
        if client.attempts.len() >= Self::ATTEMPTS {
            client.attempts.remove(Self::ATTEMPTS / 2);
        }
        make_room(&mut client.attempts);
        client.attempts.push(attempt);
        // Whoever was there before the capture has no beginning.
        if started(connection).is_none()
            && let Some(attempt) = client.attempts.last_mut()
        {
            attempt.start = Timestamp::from_nanos(i64::MIN);
        }
    }

    fn make_room(&mut self) {
        let Some(latest) = self.latest else { return };
        self.clients.retain(|_, client| {
            let is_recent =
                |attempt: &Attempt| attempt.end.is_none_or(|end| latest.seconds_since(end) < Self::FORGOTTEN);
            client.attempts.len() > LEAST_PAUSES || client.attempts.iter().any(is_recent)
        });
    }

    /// What the attempts say together; `events` are those after which crowds may have come back.
    pub(super) fn find(&self, events: &[Event]) -> Reconnects {
        let mut series: Vec<Series> = Vec::new();
        for ((client, server), attempts) in &self.clients {
            series.extend(attempts.series(*client, *server));
        }
        series.sort_by_key(|one| (one.backoff, std::cmp::Reverse(one.attempts), one.client, one.server, one.stream));
        let more = series.len().saturating_sub(Reconnects::TOLD) as u64;
        series.truncate(Reconnects::TOLD);
        let herds = events.iter().enumerate().filter_map(|(index, event)| self.herd(index, event)).collect();
        Reconnects { series, herds, more }
    }

    /// Those that an event ended and that came back closer together than random delays would bring them.
    fn herd(&self, index: usize, event: &Event) -> Option<Herd> {
        // Of several servers there is no common moment.
        let [server] = event.servers[..] else { return None };
        let mut back: Vec<(Timestamp, f64, How)> = Vec::new();
        let mut clients = 0;
        for attempts in self.clients.iter().filter(|((_, known), _)| *known == server).map(|(_, client)| client) {
            let ended = attempts.attempts.iter().filter_map(|attempt| attempt.end);
            let mut ended: Vec<Timestamp> = ended.filter(|end| (event.start..=event.end).contains(end)).collect();
            ended.sort_unstable();
            let mut starts: Vec<&Attempt> =
                attempts.attempts.iter().filter(|attempt| attempt.start >= event.start).collect();
            starts.sort_unstable();
            let mut starts = starts.into_iter().peekable();
            let before = back.len();
            for end in ended {
                while starts.peek().is_some_and(|attempt| attempt.start < end) {
                    starts.next();
                }
                let Some(attempt) = starts.next() else { break };
                let delay = attempt.start.seconds_since(end);
                if delay <= BACK_SECONDS {
                    back.push((attempt.start, delay, attempt.how));
                }
            }
            clients += u64::from(back.len() > before);
        }
        let first = back.iter().map(|(start, ..)| *start).min()?;
        let last = back.iter().map(|(start, ..)| *start).max()?;
        let delays: Vec<f64> = back.iter().map(|(_, delay, _)| *delay).collect();
        let delay = three(delays)?;
        let apart = (delay.2 - delay.0) / RANDOM_SECONDS;
        let failed = back.iter().filter(|(_, _, how)| *how == How::Failed).count() as u64;
        let count = back.len() as u64;
        let is_herd = count >= 3 && chance_of_width(back.len(), apart) < 0.01;
        is_herd.then_some(Herd { event: index, count, clients, span: (first, last), delay, failed })
    }
}

impl Client {
    /// A number for what is asked for and by whom; `None` when the request was not seen.
    fn identify(&mut self, connection: &Connection, hasher: &RandomState) -> Option<NonZeroU32> {
        let request = connection.handshake.request.as_ref()?;
        let agent = request.user_agent.as_ref();
        self.path.add(Some(&request.path), without_query);
        self.agent.add(agent, |agent| agent);
        let hash = hasher.hash_one((without_query(request.path.as_str()), agent.map_or("", |agent| agent.as_str())));
        NonZeroU32::new(hash as u32).or(Some(NonZeroU32::MIN))
    }

    /// The rhythm of each client behind the address.
    fn series(&self, client: IpAddr, server: Endpoint) -> Vec<Series> {
        let mut whos: Vec<Option<NonZeroU32>> =
            self.attempts.iter().map(|attempt| attempt.who).filter(Option::is_some).collect();
        whos.sort_unstable();
        whos.dedup();
        // Attempts that never came to a request belong to the one client that there is.
        let alone = whos.len() <= 1;
        let of = |who: Option<NonZeroU32>| {
            let mut attempts: Vec<Attempt> = self
                .attempts
                .iter()
                .filter(|attempt| attempt.who == who || (alone && attempt.who.is_none()))
                .copied()
                .collect();
            attempts.sort_unstable();
            attempts
        };
        if whos.is_empty() {
            whos.push(None);
        }
        let mut found: Vec<Series> = whos.iter().filter_map(|who| self.rhythm(client, server, &of(*who))).collect();
        if let ([_], [one]) = (&whos[..], &mut found[..]) {
            (one.attempts, one.failed) = (self.total.into(), self.failed.into());
        }
        found
    }

    fn rhythm(&self, client: IpAddr, server: Endpoint, attempts: &[Attempt]) -> Option<Series> {
        let mut overlaps = 0;
        let (mut meant, mut failed) = (Vec::new(), Vec::new());
        for pair in attempts.windows(2) {
            match pair[0].end.map(|end| pair[1].start.seconds_since(end)) {
                Some(pause) if pause >= 0.0 => match pair[0].how {
                    How::Failed => failed.push(pause),
                    How::Meant | How::Unknown => meant.push(pause),
                },
                _ => overlaps += 1,
            }
        }
        // More than one in ten that overlap: several clients share the address.
        if overlaps * 10 > attempts.len() {
            return None;
        }
        // Who fails in another way each time tries something out, as a test program does.
        let mostly = |failures: &Tally<RuleId>| failures.most().is_some_and(|(_, count)| count * 2 >= failures.total());
        let alike = self.failures.as_deref().is_some_and(mostly);
        let (pauses, backoff) = if failed.len() >= LEAST_PAUSES && failed.len() >= meant.len() {
            if !alike {
                return None;
            }
            let backoff = waiting(&failed)?;
            (failed, backoff)
        } else {
            if meant.len() < LEAST_PAUSES || failed.len() * 10 > meant.len() || !is_constant(&meant) {
                return None;
            }
            (meant, Backoff::Regular)
        };
        let (first, last) = (attempts.first()?, attempts.last()?);
        Some(Series {
            client,
            server,
            path: self.path.text(without_query).map(str::to_owned),
            user_agent: self.agent.text(|agent| agent).filter(|agent| !agent.is_empty()).map(str::to_owned),
            attempts: attempts.len() as u64,
            failed: attempts.iter().filter(|attempt| attempt.how == How::Failed).count() as u64,
            span: (first.start, last.start),
            pause: three(pauses)?,
            backoff,
            rules: self.rules.clone(),
            stream: first.stream,
        })
    }
}

/// How a client waits that fails each time; `None` when its pauses have no order.
fn waiting(pauses: &[f64]) -> Option<Backoff> {
    if is_constant(pauses) {
        let (_, median, _) = three(pauses.to_vec())?;
        return Some(if median < SHORT_SECONDS { Backoff::None } else { Backoff::Constant });
    }
    // With random parts a pause may be a little shorter than the one before; and a cap ends the growth.
    let grows = pauses.windows(2).all(|pair| pair[1] >= pair[0] * 0.7);
    let doubled = pauses.windows(2).filter(|pair| pair[1] >= pair[0] * 1.3).count();
    let (first, last) = (pauses.first()?, pauses.last()?);
    (grows && doubled >= 2 && *last >= first * 2.0).then_some(Backoff::Growing)
}

/// Whether four of five pauses are the same, give or take a quarter (or 50 ms, which a machine takes for itself).
fn is_constant(pauses: &[f64]) -> bool {
    let Some((_, median, _)) = three(pauses.to_vec()) else { return false };
    let near = pauses.iter().filter(|pause| (*pause - median).abs() <= (median * 0.25).max(0.05)).count();
    near * 5 >= pauses.len() * 4
}

/// Smallest, median and largest.
fn three(mut values: Vec<f64>) -> Option<(f64, f64, f64)> {
    values.sort_by(f64::total_cmp);
    Some((*values.first()?, values[(values.len() - 1) / 2], *values.last()?))
}

/// The chance that `count` independent random delays, evenly spread, lie within `width` of the whole range.
fn chance_of_width(count: usize, width: f64) -> f64 {
    if count < 2 || width >= 1.0 {
        return 1.0;
    }
    let count = count as f64;
    count * width.powf(count - 1.0) - (count - 1.0) * width.powf(count)
}

/// How an attempt ended: as meant, or in a way after which a client is to wait.
fn how(report: &ConnectionReport) -> How {
    let connection = &report.connection;
    let by_server = connection.first_end().is_some_and(|end| end.by == Side::Server);
    match report.diagnosis.cause {
        Cause::Normal => How::Meant,
        Cause::GoingAway if !by_server => How::Meant,
        Cause::StillOpen | Cause::Encrypted | Cause::Unknown => How::Unknown,
        _ => How::Failed,
    }
}

/// When an attempt was over that shows no end: with its last packet, if it never came to a WebSocket.
fn given_up(report: &ConnectionReport) -> Option<Timestamp> {
    let connection = &report.connection;
    let opened = matches!(connection.handshake.outcome, Outcome::Accepted | Outcome::NotCaptured);
    if opened || report.diagnosis.cause == Cause::StillOpen { None } else { connection.last.time }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_from_the_pauses() {
        assert_eq!(waiting(&[1.0, 1.01, 0.99, 1.0]), Some(Backoff::None));
        assert_eq!(waiting(&[0.001, 0.02, 0.004, 0.001]), Some(Backoff::None), "at once is the worst of all");
        assert_eq!(waiting(&[30.0, 30.2, 29.9]), Some(Backoff::Constant));
        assert_eq!(waiting(&[1.0, 2.1, 3.9, 8.2, 16.0]), Some(Backoff::Growing));
        assert_eq!(waiting(&[1.0, 2.0, 4.0, 5.0, 5.0, 5.0]), Some(Backoff::Growing), "truncated");
        assert_eq!(waiting(&[3.0, 0.2, 9.0, 1.0]), None, "random delays are no storm");
        assert_eq!(waiting(&[2.0, 5.0, 1.0, 4.0, 3.0]), None);
    }

    #[test]
    fn an_attempt_is_half_a_cache_line() {
        assert_eq!(size_of::<Attempt>(), 32);
    }

    #[test]
    fn the_chance_of_random_delays_to_lie_together() {
        // Two of them within half of the range: 2·½ − ½² = ¾.
        assert!((chance_of_width(2, 0.5) - 0.75).abs() < 1e-12);
        // Three within a fifth: 3·0.04 − 2·0.008.
        assert!((chance_of_width(3, 0.2) - 0.104).abs() < 1e-12);
        assert_eq!((chance_of_width(1, 0.1), chance_of_width(9, 2.0)), (1.0, 1.0));
    }
}
