//! From a pair of endpoints to its latest flow, open or gone.
//!
//! Flows that are gone are remembered in a ring of [`REMEMBERED`] entries, so that their late packets open no new flow;
//! the oldest are forgotten first. The hash is seeded: captures may be made by an enemy.

use crate::packet::SeqNumber;
use crate::units::Endpoint;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Flows remembered after their end.
const REMEMBERED: usize = 1 << 18;

/// Marks a value of the maps as a position in the ring.
const GONE: u32 = 1 << 31;

/// Both endpoints of a flow, the same for both directions.
///
/// IPv4 has its own form because it is a third of the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlowKey {
    V4([u32; 2], [u16; 2]),
    V6([u128; 2], [u16; 2]),
}

impl FlowKey {
    pub(super) fn new(one: Endpoint, other: Endpoint) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        let ports = [low.port, high.port];
        match (low.ip, high.ip) {
            (IpAddr::V4(low), IpAddr::V4(high)) => Self::V4([low.to_bits(), high.to_bits()], ports),
            (low, high) => Self::V6([low, high].map(|ip| to_v6(ip).to_bits()), ports),
        }
    }
}

fn to_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// What became of the latest flow between two endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Latest {
    /// Open, in this slot.
    Open(u32),
    /// Over. The base sequence number of each endpoint tells a new SYN from a repeated one.
    Gone([(Endpoint, Option<SeqNumber>); 2]),
}

/// A flow that is gone.
struct Tombstone {
    bases: [(Endpoint, Option<SeqNumber>); 2],
}

/// The index.
pub(super) struct FlowIndex {
    v4: HashMap<([u32; 2], [u16; 2]), u32, RandomState>,
    v6: HashMap<([u128; 2], [u16; 2]), u32, RandomState>,
    ring: Vec<Tombstone>,
    oldest: usize,
    remembered: usize,
}

impl FlowIndex {
    /// An index that remembers at most `limit` flows after their end.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            v4: HashMap::default(),
            v6: HashMap::default(),
            ring: Vec::new(),
            oldest: 0,
            remembered: limit.clamp(1, REMEMBERED),
        }
    }

    pub(super) fn latest(&self, key: &FlowKey) -> Option<Latest> {
        let value = self.value(key)?;
        if value & GONE == 0 {
            return Some(Latest::Open(value));
        }
        self.ring.get((value & !GONE) as usize).map(|tombstone| Latest::Gone(tombstone.bases))
    }

    /// The latest flow of these endpoints is in `slot`.
    pub(super) fn open(&mut self, key: &FlowKey, slot: u32) {
        self.set(key, slot);
    }

    /// The latest flow of these endpoints is over.
    pub(super) fn bury(&mut self, bases: [(Endpoint, Option<SeqNumber>); 2]) {
        let tombstone = Tombstone { bases };
        let key = FlowKey::new(bases[0].0, bases[1].0);
        if self.ring.len() < self.remembered {
            self.set(&key, self.ring.len() as u32 | GONE);
            self.ring.push(tombstone);
            return;
        }
        let place = self.oldest as u32 | GONE;
        let forgotten = std::mem::replace(&mut self.ring[self.oldest], tombstone);
        self.oldest = (self.oldest + 1) % self.ring.len();
        let forgotten = FlowKey::new(forgotten.bases[0].0, forgotten.bases[1].0);
        // Unless a newer flow of the same endpoints took its place.
        if self.value(&forgotten) == Some(place) {
            match forgotten {
                FlowKey::V4(ips, ports) => self.v4.remove(&(ips, ports)),
                FlowKey::V6(ips, ports) => self.v6.remove(&(ips, ports)),
            };
        }
        self.set(&key, place);
    }

    fn value(&self, key: &FlowKey) -> Option<u32> {
        match *key {
            FlowKey::V4(ips, ports) => self.v4.get(&(ips, ports)).copied(),
            FlowKey::V6(ips, ports) => self.v6.get(&(ips, ports)).copied(),
        }
    }

    fn set(&mut self, key: &FlowKey, value: u32) {
        match *key {
            FlowKey::V4(ips, ports) => self.v4.insert((ips, ports), value),
            FlowKey::V6(ips, ports) => self.v6.insert((ips, ports), value),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(port: u16) -> [(Endpoint, Option<SeqNumber>); 2] {
        [
            (Endpoint { ip: [10, 0, 0, 2].into(), port }, Some(SeqNumber(1))),
            (Endpoint { ip: [10, 0, 0, 1].into(), port: 80 }, None),
        ]
    }

    #[test]
    fn both_directions_are_one_key() {
        let [(a, _), (b, _)] = endpoints(9);
        assert_eq!(FlowKey::new(a, b), FlowKey::new(b, a));
        let v6 = Endpoint { ip: "2001:db8::1".parse().unwrap(), port: 9 };
        assert_eq!(FlowKey::new(v6, b), FlowKey::new(b, v6));
        assert_ne!(FlowKey::new(a, b), FlowKey::new(Endpoint { port: 10, ..a }, b));
    }

    #[test]
    fn the_oldest_tombstone_goes_first() {
        let mut index = FlowIndex::new(2);
        let key = |port| FlowKey::new(endpoints(port)[0].0, endpoints(port)[1].0);
        for port in 1..=3 {
            index.open(&key(port), u32::from(port));
            index.bury(endpoints(port));
        }
        assert_eq!(index.latest(&key(1)), None);
        assert_eq!(index.latest(&key(2)), Some(Latest::Gone(endpoints(2))));
        assert_eq!(index.latest(&key(3)), Some(Latest::Gone(endpoints(3))));
        // A new flow on the ports of 2 survives the forgetting of the old one.
        index.open(&key(2), 7);
        index.bury(endpoints(4));
        assert_eq!(index.latest(&key(2)), Some(Latest::Open(7)));
    }
}
