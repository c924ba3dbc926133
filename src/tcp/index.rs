//! From a pair of endpoints to its latest flow, open or gone.
//!
//! Flows that are gone are remembered [apart](Graveyard), so that their late packets open no new flow: the map of the open ones is
//! asked for every packet and stays small.
//!
//! Tunnels may carry several networks that use the same addresses. Flows between the same endpoints whose numbers show
//! that they cannot be one have a [`Network`] each; all but the first are kept aside and forgotten when they end. The hash is seeded: captures may be made by an enemy.

use super::bases::{Bases, Gone};
use super::graveyard::{Graveyard, Print};
use crate::units::Endpoint;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Both endpoints of a flow, the same for both directions.
///
/// IPv4 has its own form because it is a third of the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum FlowKey {
    V4(KeyV4),
    V6(KeyV6),
}

/// Address and port of both, each in one number; the smaller first.
type KeyV4 = (u64, u64);
type KeyV6 = ([u128; 2], u32);

impl FlowKey {
    #[inline]
    pub(super) fn new(one: Endpoint, other: Endpoint) -> Self {
        let (IpAddr::V4(one_ip), IpAddr::V4(other_ip)) = (one.ip, other.ip) else { return Self::v6(one, other) };
        let of = |ip: Ipv4Addr, port: u16| u64::from(ip.to_bits()) << 16 | u64::from(port);
        let (one, other) = (of(one_ip, one.port), of(other_ip, other.port));
        Self::V4((one.min(other), one.max(other)))
    }

    #[inline(never)]
    fn v6(one: Endpoint, other: Endpoint) -> Self {
        let of = |end: Endpoint| (to_v6(end.ip).to_bits(), end.port);
        let (one, other) = (of(one), of(other));
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        Self::V6(([low.0, high.0], u32::from(low.1) << 16 | u32::from(high.1)))
    }

    pub(super) fn of(bases: &Bases) -> Self {
        let [one, other] = bases.endpoints();
        Self::new(one, other)
    }
}

fn to_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// Which of several flows between the same endpoints; 0 unless tunnels carry networks with the same addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Network(u8);

impl Network {
    /// The one that is not kept aside.
    pub(super) const FIRST: Self = Self(0);

    /// Those that are: segments of further ones go to the first.
    const OTHERS: std::ops::RangeInclusive<u8> = 1..=8;
}

/// What became of the latest flow between two endpoints.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Latest<'i> {
    /// Open, in this slot.
    Open(u32),
    /// Over. This is what tells a new SYN from a repeated one.
    Gone(&'i mut Gone),
}

/// The index.
pub(super) struct FlowIndex {
    /// Slots of open flows.
    open: Open,
    /// Flows that are gone.
    gone: Graveyard,
    /// Makes prints.
    hasher: RandomState,
    /// Open flows of other networks than the first.
    others: HashMap<(FlowKey, Network), u32, RandomState>,
}

impl FlowIndex {
    /// An index that remembers at most `limit` flows after their end.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            open: Open::default(),
            gone: Graveyard::new(limit),
            hasher: RandomState::default(),
            others: HashMap::default(),
        }
    }

    #[inline]
    pub(super) fn latest(&mut self, key: &FlowKey) -> Option<Latest<'_>> {
        match self.open.get(key) {
            Some(slot) => Some(Latest::Open(slot)),
            None => {
                let print = self.print(key);
                self.gone.get_mut(print).map(Latest::Gone)
            }
        }
    }

    fn print(&self, key: &FlowKey) -> Print {
        let hash = self.hasher.hash_one(key);
        [(hash >> 32) as u32, hash as u32]
    }

    /// The slot of the latest flow, if it is open.
    #[inline]
    pub(super) fn open_slot(&self, key: &FlowKey) -> Option<u32> {
        self.open.get(key)
    }

    /// The latest flow of these endpoints is in `slot`.
    pub(super) fn open(&mut self, key: &FlowKey, slot: u32) {
        self.gone.remove(self.print(key));
        self.open.insert(key, slot);
    }

    /// Whether tunnels carry several networks that use the same addresses.
    #[inline]
    pub(super) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// The open flows of other networks than the first.
    pub(super) fn others(&self, key: &FlowKey) -> impl Iterator<Item = u32> {
        let networks = if self.others.is_empty() { None } else { Some(Network::OTHERS) };
        let key = *key;
        networks.into_iter().flatten().filter_map(move |network| self.others.get(&(key, Network(network))).copied())
    }

    /// A network of these endpoints that has no open flow.
    pub(super) fn free_network(&self, key: &FlowKey) -> Option<Network> {
        Network::OTHERS.map(Network).find(|network| !self.others.contains_key(&(*key, *network)))
    }

    /// The flow of another network is in `slot`.
    pub(super) fn open_other(&mut self, key: &FlowKey, network: Network, slot: u32) {
        self.others.insert((*key, network), slot);
    }

    /// The latest flow of these endpoints is over.
    pub(super) fn bury(&mut self, bases: &Bases, network: Network) {
        let key = FlowKey::of(bases);
        if network != Network::FIRST {
            self.others.remove(&(key, network));
            return;
        }
        self.open.remove(&key);
        self.gone.insert(self.print(&key), Gone::new(bases));
    }
}

/// Slots by key.
#[derive(Default)]
struct Open {
    v4: HashMap<KeyV4, u32, RandomState>,
    v6: HashMap<KeyV6, u32, RandomState>,
}

impl Open {
    #[inline]
    fn get(&self, key: &FlowKey) -> Option<u32> {
        match key {
            FlowKey::V4(key) => self.v4.get(key).copied(),
            FlowKey::V6(key) => self.v6.get(key).copied(),
        }
    }

    fn insert(&mut self, key: &FlowKey, slot: u32) {
        match key {
            FlowKey::V4(key) => self.v4.insert(*key, slot),
            FlowKey::V6(key) => self.v6.insert(*key, slot),
        };
    }

    fn remove(&mut self, key: &FlowKey) {
        match key {
            FlowKey::V4(key) => self.v4.remove(key),
            FlowKey::V6(key) => self.v6.remove(key),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Segment, SeqNumber, TcpFlags, TcpOptions};
    use crate::units::{Origin, PacketNumber};

    fn endpoint(ip: &str, port: u16) -> Endpoint {
        Endpoint { ip: ip.parse().unwrap(), port }
    }

    fn key(port: u16) -> FlowKey {
        FlowKey::of(&bases(port))
    }

    fn bases(port: u16) -> Bases {
        Bases::new(&Segment {
            origin: Origin { packet: PacketNumber::FIRST, time: None },
            interface: 0,
            tunnel: None,
            source: endpoint("10.0.0.2", port),
            destination: endpoint("10.0.0.1", 80),
            seq: SeqNumber(0),
            ack: None,
            flags: TcpFlags::SYN,
            window: 0,
            hop_limit: 0,
            identification: 0,
            fragment_conflict: None,
            options: TcpOptions::default(),
            payload: &[],
            payload_cut: 0,
        })
    }

    #[test]
    fn both_directions_are_one_key() {
        let (a, b) = (endpoint("10.0.0.2", 9), endpoint("10.0.0.1", 80));
        assert_eq!(FlowKey::new(a, b), FlowKey::new(b, a));
        assert_ne!(FlowKey::new(a, b), FlowKey::new(endpoint("10.0.0.2", 80), endpoint("10.0.0.1", 9)));
        let v6 = endpoint("2001:db8::1", 9);
        assert_eq!(FlowKey::new(v6, b), FlowKey::new(b, v6));
    }

    #[test]
    fn the_oldest_flow_is_forgotten_first() {
        let mut index = FlowIndex::new(2);
        for port in 1..=3 {
            index.open(&key(port), u32::from(port));
            index.bury(&bases(port), Network::FIRST);
        }
        assert_eq!(index.latest(&key(1)), None);
        assert_eq!(index.latest(&key(2)), Some(Latest::Gone(&mut Gone::new(&bases(2)))));
        assert_eq!(index.latest(&key(3)), Some(Latest::Gone(&mut Gone::new(&bases(3)))));
        // A new flow on the ports of 2 survives the forgetting of the old one.
        index.open(&key(2), 7);
        index.bury(&bases(4), Network::FIRST);
        assert_eq!(index.latest(&key(2)), Some(Latest::Open(7)));
    }
}
