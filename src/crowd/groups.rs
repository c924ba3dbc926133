//! The connections of one host: those that are open, how the others ended, and which silences were survived.
//!
//! Ends are remembered while there is room. Then those go that hardly anybody asks for any more: of long lists all but the
//! latest, and all at the hosts where nothing has ended for the longest time. What ended just now stays: connections that ended
//! with it have not been reported yet. Whoever asks for a moment that is gone is told so.

use super::Blind;
use super::company::{CLUSTER, Company, Moment, SETTLED_NANOS, TOGETHER_NANOS};
use super::company::{compared, is_silent, same_lifetime, same_silence, together, tolerance_of_age};
use super::ends::{COMPARED, Ends};
use super::opened::Opened;
use super::survived::Survived;
use crate::connection::{ClosePayload, Connection, EndSignalKind, Silence};
use crate::limits::Limits;
use crate::units::{Origin, PacketNumber, Side, Timestamp};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Hosts remembered; of further ones nothing is known.
pub(super) const HOSTS: usize = 10_000;

/// Ends remembered for one host, side and kind of end; then the oldest give way.
pub(super) const ENDS: usize = 16_384;

/// Ends remembered over all hosts; then a list gives way that another end is to be added to.
pub(super) const ENDS_TOTAL: usize = 131_072;

/// Ends over all hosts beyond which those that are not recent give way.
const ROOM: usize = 16_384;

/// Ends that stay in a list although they are not recent.
const LATEST: usize = 64;

/// Ends of so long before the latest are recent: connections that ended then may wait to be reported.
const RECENT_NANOS: i64 = 30_000_000_000;

/// Sides and kinds of end told apart at one host; ends of further kinds are only counted as ends.
const PLACES: usize = 12;

/// Ends that may be recorded before one of an earlier time; one that would have to go before more is not remembered.
const SWAPPED: usize = 64;

/// Refusals remembered for one host, and how long after an end they still speak of it.
const REFUSED: usize = 64;
const REFUSED_NANOS: i64 = 5_000_000_000;

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

    pub(super) fn silence(&self) -> Option<f64> {
        Some(self.time.seconds_since(self.quiet_since?))
    }

    pub(super) fn lifetime(&self) -> Option<f64> {
        self.age_known.then(|| self.time.seconds_since(self.opened))
    }

    /// It was open for so long that its end is no everyday event.
    pub(super) fn is_settled(&self) -> bool {
        nanos_between(self.opened, self.time) >= SETTLED_NANOS
    }

    pub(super) fn origin(&self) -> Origin {
        Origin { packet: self.packet, time: Some(self.time) }
    }
}

/// Since when a connection counts as open: its 101 or, where that was not seen, its first packet.
pub(super) fn opened_at(connection: &Connection) -> Origin {
    connection.handshake.response.as_ref().map_or(connection.first, |response| response.last)
}

pub(super) fn nanos_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.nanos().saturating_sub(earlier.nanos())
}

/// The hosts of one kind.
#[derive(Debug)]
pub(super) struct Groups<K> {
    /// Boxed, so that a table that has just grown is not mostly room for more.
    hosts: HashMap<K, Box<Group>, RandomState>,
    /// Ends remembered in one list.
    ends: usize,
    kept: usize,
    /// With so many, room is made.
    room: usize,
}

#[derive(Debug, Default)]
struct Group {
    open: Opened,
    ends: Vec<(Place, Ends)>,
    /// When the last end happened that is in none of the lists any more, or never was.
    forgotten: Option<Timestamp>,
    /// When the last end happened that gave way to others: nothing is known of moments up to then.
    let_go: Option<Timestamp>,
    survived: Option<Box<Survived>>,
    /// Attempts to connect that were refused.
    #[expect(clippy::box_collection, reason = "few hosts refuse any, and there are many hosts")]
    refused: Option<Box<VecDeque<Origin>>>,
}

impl<K: Hash + Eq> Groups<K> {
    /// No hosts yet. Who follows few connections remembers few ends.
    pub(super) fn new(limits: &Limits) -> Self {
        Self { hosts: HashMap::default(), ends: ENDS.min(limits.flows), kept: 0, room: ROOM }
    }

    pub(super) fn opened(&mut self, host: K, since: Timestamp, flow: u64) {
        if self.hosts.len() < HOSTS || self.hosts.contains_key(&host) {
            self.hosts.entry(host).or_default().open.insert(since, flow);
        }
    }

    pub(super) fn left(&mut self, host: &K, since: Timestamp, flow: u64) {
        if let Some(group) = self.hosts.get_mut(host) {
            group.open.remove(since, flow);
        }
    }

    pub(super) fn survived(&mut self, host: K, flow: u64, survived: Silence) {
        if let Some(group) = self.hosts.get_mut(&host) {
            group.survived.get_or_insert_default().add(flow, &survived);
        }
    }

    pub(super) fn refused(&mut self, host: &K, at: Origin) {
        if let Some(group) = self.hosts.get_mut(host) {
            let refused = group.refused.get_or_insert_default();
            if refused.len() == REFUSED {
                refused.pop_front();
            }
            refused.push_back(at);
        }
    }

    /// Notes an end; gives how many others are open at that moment.
    pub(super) fn ended(&mut self, host: K, place: Place, ended: Ended) -> Option<u64> {
        let group = self.hosts.get_mut(&host)?;
        group.open.remove(ended.opened, ended.flow);
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
        if self.kept >= self.room {
            self.make_room(ended.time);
        }
        Some(others)
    }

    /// Lets go of ends that are not recent at this moment.
    fn make_room(&mut self, now: Timestamp) {
        let recent = Timestamp::from_nanos(now.nanos().saturating_sub(RECENT_NANOS));
        self.hosts.values_mut().for_each(|group| self.kept -= group.keep(recent, LATEST));
        let ended = self.hosts.values().filter_map(|group| group.last_end().map(|last| (last, group.kept())));
        let mut ended: Vec<(Timestamp, usize)> = ended.filter(|(last, _)| *last < recent).collect();
        ended.sort_unstable();
        let mut excess = self.kept.saturating_sub(ROOM / 2);
        let gone = ended.iter().take_while(|(_, count)| {
            let goes = excess > 0;
            excess = excess.saturating_sub(*count);
            goes
        });
        if let Some((until, _)) = gone.last() {
            let idle = self.hosts.values_mut().filter(|group| group.last_end().is_some_and(|last| last <= *until));
            idle.for_each(|group| self.kept -= group.keep(recent, 0));
        }
        self.room = ROOM.max(self.kept + ROOM / 2);
    }

    /// What the others of this host say of the moment at which it ended this connection.
    pub(super) fn moment(&self, host: &K, connection: &Connection, now: Timestamp) -> Option<Moment> {
        let (group, place, this) = (self.hosts.get(host)?, Place::of(connection)?, Ended::of(connection)?);
        group.moment(connection, place, &this, now).ok()
    }

    /// What the others of this host say about a connection that it ended; of the moment, what they said before if that was
    /// asked.
    pub(super) fn company(
        &self,
        host: &K,
        connection: &Connection,
        now: Timestamp,
        moment: Option<Moment>,
    ) -> Result<Company, Blind> {
        let group = self.hosts.get(host).ok_or(Blind::Limit)?;
        let place = Place::of(connection).ok_or(Blind::CaptureEnded)?;
        let this = Ended::of(connection).ok_or(Blind::NoTime)?;
        let Moment { together, went_on } = match moment {
            Some(moment) => moment,
            None => group.moment(connection, place, &this, now)?,
        };
        let (none, nothing) = (Ends::default(), Survived::default());
        let list = group.list(place).unwrap_or(&none);
        let survived = group.survived.as_deref().unwrap_or(&nothing);
        let silence = this.silence();
        let own = connection.longest_silence.as_deref().copied();
        Ok(Company {
            together,
            went_on,
            same_silence: same_silence(list, &this),
            silent: compared(list, &this).filter(|other| other.silence().is_some_and(is_silent)).count() as u64,
            same_lifetime: same_lifetime(list, &this),
            longest_survived: survived.longest(own),
            outlasted: silence.map_or(0, |silence| survived.outlasted(this.flow, own, silence)),
            outlived: this.lifetime().map_or(0, |lifetime| group.outlived(&this, lifetime, list)),
            refused: group.refused_after(this.time),
        })
    }
}

impl Group {
    /// The ends of one kind.
    fn list(&self, place: Place) -> Option<&Ends> {
        self.ends.iter().find(|(known, _)| *known == place).map(|(_, list)| list)
    }

    fn kept(&self) -> usize {
        self.ends.iter().map(|(_, list)| list.len()).sum()
    }

    fn last_end(&self) -> Option<Timestamp> {
        self.ends.iter().filter_map(|(_, list)| list.back().map(|end| end.time)).max()
    }

    /// Lets go of ends that are not recent, but for so many in each list; gives how many those were.
    fn keep(&mut self, recent: Timestamp, latest: usize) -> usize {
        let before = self.kept();
        for (_, list) in &mut self.ends {
            self.let_go = self.let_go.max(list.keep(recent, latest));
        }
        self.ends.retain(|(_, list)| !list.is_empty());
        self.ends.shrink_to_fit();
        before - self.kept()
    }

    /// Whether ends of this moment gave way to others.
    fn is_gone(&self, moment: Timestamp) -> bool {
        self.let_go.is_some_and(|let_go| nanos_between(let_go, moment) <= TOGETHER_NANOS)
    }

    fn moment(&self, connection: &Connection, place: Place, this: &Ended, now: Timestamp) -> Result<Moment, Blind> {
        if self.is_gone(this.time) {
            return Err(Blind::Limit);
        }
        let together = self.list(place).and_then(|list| together(list, this));
        Ok(Moment { together, went_on: self.went_on(connection, this, now) })
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
        self.refused.as_ref()?.iter().find(after).copied()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const SERVER: u8 = 1;

    fn time(seconds: f64) -> Timestamp {
        Timestamp::from_nanos((seconds * 1e9) as i64)
    }

    fn packet(number: u64) -> PacketNumber {
        PacketNumber::new(number + 1).expect("not 0")
    }

    pub(in crate::crowd) fn end(flow: u64, seconds: f64) -> Ended {
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
    fn what_is_long_over_gives_way_and_what_is_recent_stays() {
        let mut groups = Groups::new(&Limits::default());
        let mut flow = 0;
        let mut add = |host: u8, count: usize, seconds: f64| {
            groups.opened(host, time(0.0), u64::MAX);
            for _ in 0..count {
                groups.ended(host, FIN, end(flow, seconds));
                flow += 1;
            }
        };
        add(0, 1000, 0.0);
        add(1, 1000, 1.0);
        add(2, 1000, 29.0);
        add(1, ROOM - 3000, 58.5);
        let kept = [0, 1, 2].map(|host| groups.hosts[&host].kept());
        assert_eq!(kept, [0, ROOM - 3000, 1000], "where nothing else ended nothing is left, and what is recent stays");
        assert_eq!(groups.kept, ROOM - 2000);
        let is_gone = |host, seconds| groups.hosts[&host].is_gone(time(seconds));
        assert!(is_gone(0, 0.5) && is_gone(1, 1.5) && !is_gone(1, 58.0) && !is_gone(2, 0.5));
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
}
