//! IP fragments to whole packets (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Fragments come in any order and wait here until all of their datagram are there. Of bytes that come twice the first
//! version counts; where the versions differ, that is counted too, since the two ends may have taken either. Bounded by
//! [`Limits`]: datagrams, bytes, and seconds of packet time; the oldest datagram goes first. Fragments of which the
//! snapshot length took a part are not used.

use super::{FragmentConflict, Skip, Tunnel};
use crate::limits::Limits;
use crate::units::{Origin, PacketNumber};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// What a waiting piece costs beside its bytes.
const PIECE_OVERHEAD: usize = 64;

/// Longest payload of an IP packet: its length fields have 16 bits.
const MAX_PAYLOAD: usize = 65_535;

/// Which datagram a fragment is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Datagram {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) identification: u32,
    /// IPv4 tells datagrams apart by it, IPv6 does not.
    pub(super) protocol: Option<u8>,
}

/// One fragment, wholly recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) of: Datagram,
    pub(super) protocol: u8,
    pub(super) hop_limit: u8,
    /// Of its payload in the datagram's, in bytes.
    pub(super) offset: usize,
    /// Others follow.
    pub(super) more: bool,
    pub(super) payload: &'a [u8],
}

/// Datagrams of which fragments are missing.
#[derive(Debug)]
pub(super) struct Fragments {
    partial: HashMap<(Option<Tunnel>, Datagram), Partial>,
    /// By the number of each, so from the oldest to the newest.
    by_age: BTreeMap<u64, (Option<Tunnel>, Datagram)>,
    next_number: u64,
    /// What all pieces take.
    bytes: usize,
    most_datagrams: usize,
    most_bytes: usize,
    patience_seconds: f64,
    /// Datagrams given up to make room.
    pub(super) limit_hits: u64,
    /// Fragments that contradict earlier ones.
    pub(super) conflicts: u64,
}

/// One datagram of which fragments are missing.
#[derive(Debug)]
struct Partial {
    number: u64,
    since: Origin,
    /// Without overlap, in order of their offset.
    pieces: Vec<Piece>,
    /// The first pair that differs.
    conflict: Option<FragmentConflict>,
    /// Bytes in the pieces.
    have: usize,
    /// Length of the datagram's payload, once its last fragment came.
    len: Option<usize>,
    fragments: u64,
    /// Protocol and hop limit, of the first fragment once it came.
    protocol: u8,
    hop_limit: u8,
}

/// Bytes that came in one packet.
#[derive(Debug)]
struct Piece {
    start: usize,
    bytes: Vec<u8>,
    packet: PacketNumber,
}

impl Piece {
    fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}

/// What a whole datagram was put together from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joined {
    /// Fragments that came before the one that completed it.
    pub(super) earlier: u64,
    pub(super) conflict: Option<FragmentConflict>,
}

impl Fragments {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            partial: HashMap::new(),
            by_age: BTreeMap::new(),
            next_number: 0,
            bytes: 0,
            most_datagrams: limits.fragmented_datagrams.max(1),
            most_bytes: limits.fragment_bytes,
            patience_seconds: limits.fragment_seconds as f64,
            limit_hits: 0,
            conflicts: 0,
        }
    }

    /// Takes in a fragment. If it was the last one missing, `datagram` is the IP packet as if it had never been cut up,
    /// without options and extension headers.
    ///
    /// # Errors
    ///
    /// `Fragment` while others are missing.
    pub(super) fn add(
        &mut self,
        fragment: &Fragment<'_>,
        tunnel: Option<Tunnel>,
        origin: Origin,
        datagram: &mut Vec<u8>,
    ) -> Result<Joined, Skip> {
        let end = fragment.offset + fragment.payload.len();
        if fragment.payload.is_empty()
            || end > MAX_PAYLOAD
            || (fragment.more && !fragment.payload.len().is_multiple_of(8))
        {
            return Err(Skip::Malformed);
        }
        self.expire(origin);
        let key = (tunnel, fragment.of);
        if !self.partial.contains_key(&key) {
            self.open(key, fragment, origin);
        }
        let Some(partial) = self.partial.get_mut(&key) else { return Err(Skip::Fragment) };
        let before = partial.cost();
        let contradicted = partial.add(fragment, end, origin.packet);
        if let Some(used) = contradicted {
            partial.conflict.get_or_insert(FragmentConflict { used, other: origin.packet });
        }
        let complete = partial.len == Some(partial.have);
        self.bytes = (self.bytes + partial.cost()).saturating_sub(before);
        self.conflicts += u64::from(contradicted.is_some());
        if !complete {
            while self.bytes > self.most_bytes && self.give_up_oldest() {
                self.limit_hits += 1;
            }
            return Err(Skip::Fragment);
        }
        let Some(partial) = self.remove(&key) else { return Err(Skip::Fragment) };
        partial.write(&fragment.of, datagram)?;
        Ok(Joined { earlier: partial.fragments - 1, conflict: partial.conflict })
    }

    fn open(&mut self, key: (Option<Tunnel>, Datagram), fragment: &Fragment<'_>, origin: Origin) {
        while self.partial.len() >= self.most_datagrams && self.give_up_oldest() {
            self.limit_hits += 1;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.by_age.insert(number, key);
        let (protocol, hop_limit) = (fragment.protocol, fragment.hop_limit);
        let (pieces, conflict, have, len, fragments) = (Vec::new(), None, 0, None, 0);
        let partial = Partial { number, since: origin, pieces, conflict, have, len, fragments, protocol, hop_limit };
        self.partial.insert(key, partial);
    }

    /// Gives up what has waited too long; identifications are used again.
    fn expire(&mut self, now: Origin) {
        while let Some((_, key)) = self.by_age.first_key_value() {
            let waited = self.partial.get(key).and_then(|partial| now.seconds_since(&partial.since));
            if waited.is_none_or(|seconds| seconds < self.patience_seconds) {
                return;
            }
            self.give_up_oldest();
        }
    }

    /// False if there is nothing to give up.
    fn give_up_oldest(&mut self) -> bool {
        let Some(key) = self.by_age.first_key_value().map(|(_, key)| *key) else { return false };
        self.remove(&key).is_some()
    }

    fn remove(&mut self, key: &(Option<Tunnel>, Datagram)) -> Option<Partial> {
        let partial = self.partial.remove(key)?;
        self.by_age.remove(&partial.number);
        self.bytes = self.bytes.saturating_sub(partial.cost());
        Some(partial)
    }
}

impl Partial {
    fn cost(&self) -> usize {
        self.have + self.pieces.len() * PIECE_OVERHEAD
    }

    /// Takes in a fragment of the packet `number` that ends at `end`; the packet of an earlier one that it contradicts.
    fn add(&mut self, fragment: &Fragment<'_>, end: usize, number: PacketNumber) -> Option<PacketNumber> {
        self.fragments += 1;
        if fragment.offset == 0 {
            (self.protocol, self.hop_limit) = (fragment.protocol, fragment.hop_limit);
        }
        let last = self.pieces.last();
        let reach = last.map_or(0, Piece::end);
        let fits = match (self.len, fragment.more) {
            (Some(len), true) => end <= len,
            (Some(len), false) => end == len,
            (None, false) => end >= reach,
            (None, true) => true,
        };
        if !fits {
            // Of which length the datagram is: the last piece stands for what says otherwise.
            return Some(last.map_or(self.since.packet, |last| last.packet));
        }
        if !fragment.more {
            self.len = Some(end);
        }
        self.place(fragment.offset, fragment.payload, number)
    }

    /// Keeps of `bytes` what is new; the packet that brought the first of the rest if it differs from what is there.
    fn place(&mut self, mut start: usize, mut bytes: &[u8], packet: PacketNumber) -> Option<PacketNumber> {
        let mut contradicted = None;
        // The first piece that reaches beyond `start`.
        let mut at = self.pieces.partition_point(|piece| piece.end() <= start);
        while !bytes.is_empty() {
            let free =
                self.pieces.get(at).map_or(bytes.len(), |piece| piece.start.saturating_sub(start)).min(bytes.len());
            let (new, rest) = bytes.split_at(free);
            if !new.is_empty() {
                self.pieces.insert(at, Piece { start, bytes: new.to_vec(), packet });
                self.have += new.len();
                at += 1;
            }
            (start, bytes) = (start + free, rest);
            if let Some(piece) = self.pieces.get(at).filter(|_| !bytes.is_empty()) {
                let same = &piece.bytes[start - piece.start..];
                let (again, rest) = bytes.split_at(same.len().min(bytes.len()));
                if again != &same[..again.len()] {
                    contradicted.get_or_insert(piece.packet);
                }
                (start, bytes) = (start + again.len(), rest);
                at += 1;
            }
        }
        contradicted
    }

    /// The IP packet that was cut up.
    fn write(&self, of: &Datagram, packet: &mut Vec<u8>) -> Result<(), Skip> {
        packet.clear();
        match (of.source, of.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let length = u16::try_from(20 + self.have).map_err(|_| Skip::Malformed)?.to_be_bytes();
                let [.., i0, i1] = of.identification.to_be_bytes();
                packet.extend([0x45, 0, length[0], length[1], i0, i1, 0, 0, self.hop_limit, self.protocol, 0, 0]);
                packet.extend(source.octets().into_iter().chain(destination.octets()));
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = u16::try_from(self.have).map_err(|_| Skip::Malformed)?.to_be_bytes();
                packet.extend([0x60, 0, 0, 0, length[0], length[1], self.protocol, self.hop_limit]);
                packet.extend(source.octets().into_iter().chain(destination.octets()));
            }
            _ => return Err(Skip::Malformed),
        }
        for piece in &self.pieces {
            packet.extend_from_slice(&piece.bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ipv4, ipv6, join, packet, tcp};
    use super::super::{Decoder, SkipCounts};
    use super::*;
    use crate::capture::LinkType;
    use crate::units::{PacketNumber, Timestamp};
    use proptest::prelude::*;

    /// The fragment `payload` at `offset` of the datagram `identification`.
    fn v4(identification: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = ipv4(6, payload);
        bytes[5] = identification;
        bytes[6..8].copy_from_slice(&((offset / 8) | (u16::from(more) << 13)).to_be_bytes());
        bytes
    }

    fn v6(identification: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
        let field = (offset | u16::from(more)).to_be_bytes();
        ipv6(44, &join(&[&[6, 0, field[0], field[1], 0, 0, 0, identification], payload]))
    }

    /// Both packets cut in pieces of 16 bytes.
    fn pieces(make: fn(u8, u16, bool, &[u8]) -> Vec<u8>, transport: &[u8]) -> Vec<Vec<u8>> {
        let parts = transport.chunks(16);
        let last = parts.len() - 1;
        parts.enumerate().map(|(index, part)| make(7, index as u16 * 16, index < last, part)).collect()
    }

    /// What the last packet holds; the others are fragments.
    fn last_of(decoder: &mut Decoder, packets: &[Vec<u8>]) -> Result<Vec<u8>, Skip> {
        let (last, before) = packets.split_last().unwrap();
        for bytes in before {
            assert_eq!(decoder.decode(&packet(LinkType::RAW, bytes)).map(|_| ()), Err(Skip::Fragment));
        }
        decoder.decode(&packet(LinkType::RAW, last)).map(|segment| segment.payload.to_vec())
    }

    fn decoder() -> Decoder {
        Decoder::new(&Limits::default())
    }

    const TEXT: &[u8] = b"a payload that is longer than a few fragments";

    #[test]
    fn a_datagram_in_pieces_is_one_segment() {
        for (make, hop_limit) in [(v4 as fn(u8, u16, bool, &[u8]) -> Vec<u8>, 61), (v6, 62)] {
            let mut packets = pieces(make, &tcp(0x18, &[], TEXT));
            assert_eq!(packets.len(), 5);
            let mut decoder = decoder();
            assert_eq!(last_of(&mut decoder, &packets), Ok(TEXT.to_vec()));
            assert_eq!(decoder.fragments_joined(), 4);
            packets.reverse();
            assert_eq!(last_of(&mut decoder, &packets), Ok(TEXT.to_vec()));
            // The segment is where and when its last fragment was.
            let mut last = packet(LinkType::RAW, packets.last().unwrap());
            last.number = PacketNumber::new(9).unwrap();
            last_of(&mut decoder, &packets[..4]).unwrap_err();
            let segment = decoder.decode(&last).unwrap();
            assert_eq!((segment.origin.packet.value(), segment.hop_limit), (9, hop_limit));
            assert_eq!((segment.source.port, segment.payload_cut), (40000, 0));
        }
    }

    #[test]
    fn datagrams_are_told_apart() {
        let [one, other] = [b"the first of them, long enough", b"the other one, of equal length"];
        let cut = |identification, text: &[u8]| {
            let bytes = tcp(0x18, &[], text);
            [v4(identification, 0, true, &bytes[..24]), v4(identification, 24, false, &bytes[24..])]
        };
        let ([a0, a1], [b0, b1]) = (cut(1, one), cut(2, other));
        let mut decoder = decoder();
        assert_eq!(last_of(&mut decoder, &[a0, b0, b1]), Ok(other.to_vec()));
        assert_eq!(last_of(&mut decoder, &[a1]), Ok(one.to_vec()));
    }

    #[test]
    fn of_overlapping_fragments_the_first_counts() {
        let bytes = tcp(0x18, &[], TEXT);
        let mut evil = bytes.clone();
        evil[24] = b'!';
        let mut decoder = decoder();
        let packets = [
            v4(1, 32, true, &bytes[32..48]),
            v4(1, 0, true, &bytes[..32]),
            // The same again, then with another byte and more of the rest.
            v4(1, 0, true, &bytes[..32]),
            v4(1, 16, true, &evil[16..56]),
            v4(1, 56, false, &bytes[56..]),
        ];
        assert_eq!(last_of(&mut decoder, &packets), Ok(TEXT.to_vec()));
        assert_eq!((decoder.fragment_conflicts(), decoder.fragments_joined()), (1, 4));
        // Two ends, or bytes beyond the end.
        let packets = [v4(1, 48, false, &bytes[48..]), v4(1, 40, false, &bytes[40..56]), v4(1, 64, true, &[0; 8])];
        last_of(&mut decoder, &packets).unwrap_err();
        assert_eq!(decoder.fragment_conflicts(), 3);
    }

    #[test]
    fn fragments_count_as_what_they_became() {
        let packets = pieces(v4, &tcp(0x18, &[], TEXT));
        let udp: Vec<_> = packets
            .iter()
            .cloned()
            .map(|mut bytes| {
                bytes[9] = 17;
                bytes
            })
            .collect();
        let mut decoder = decoder();
        let mut counts = SkipCounts::default();
        for bytes in udp.iter().chain(&packets).chain(&packets[1..]) {
            let skip = decoder.decode(&packet(LinkType::RAW, bytes)).err();
            skip.inspect(|skip| counts.add(*skip));
            counts.joined(decoder.fragments_joined(), skip);
        }
        assert_eq!((counts.not_tcp, counts.fragment, counts.total()), (5, 4, 9));
    }

    #[test]
    fn what_never_completes_is_given_up() {
        let limits = Limits { fragmented_datagrams: 2, fragment_bytes: 600, ..Limits::default() };
        let bytes = tcp(0x18, &[], TEXT);
        let (head, tail) = bytes.split_at(24);
        let mut decoder = Decoder::new(&limits);
        // The third datagram displaces the first.
        last_of(&mut decoder, &[v4(1, 0, true, head), v4(2, 0, true, head), v4(3, 0, true, head)]).unwrap_err();
        assert_eq!(decoder.limit_hits().fragments, 1);
        assert_eq!(last_of(&mut decoder, &[v4(1, 24, false, tail)]), Err(Skip::Fragment));
        assert_eq!(last_of(&mut decoder, &[v4(3, 24, false, tail)]), Ok(TEXT.to_vec()));
        // Too many bytes: the oldest goes, even if it is this one.
        last_of(&mut decoder, &[v4(4, 0, true, &[0; 1000])]).unwrap_err();
        assert_eq!((decoder.fragments.bytes, decoder.fragments.by_age.len()), (0, 0));

        // Identifications come again; what waited half a minute is of an earlier datagram.
        let mut decoder = Decoder::new(&limits);
        for (seconds, complete) in [(29, true), (30, false)] {
            let [head, tail] = [v4(1, 0, true, head), v4(1, 24, false, tail)];
            let [mut head, mut tail] = [packet(LinkType::RAW, &head), packet(LinkType::RAW, &tail)];
            head.time = Some(Timestamp::from_nanos(0));
            tail.time = Some(Timestamp::from_nanos(seconds * 1_000_000_000));
            decoder.decode(&head).unwrap_err();
            assert_eq!(decoder.decode(&tail).is_ok(), complete, "after {seconds} s");
        }
    }

    #[test]
    fn a_fragment_recorded_short_is_not_used() {
        let bytes = tcp(0x18, &[], TEXT);
        let whole = v4(1, 0, true, &bytes[..48]);
        let mut cut = packet(LinkType::RAW, &whole[..60]);
        cut.original_len = whole.len() as u32;
        let mut decoder = decoder();
        assert_eq!(decoder.decode(&cut).map(|_| ()), Err(Skip::Fragment));
        assert_eq!(last_of(&mut decoder, &[v4(1, 48, false, &bytes[48..])]), Err(Skip::Fragment));
    }

    proptest! {
        /// Any cuts, in any order, some twice: one segment with the same bytes.
        #[test]
        fn any_order_gives_the_same(
            is_v6 in any::<bool>(), payload in prop::collection::vec(any::<u8>(), 1..600),
            cuts in prop::collection::btree_set(1u16..70, 0..12), order in any::<prop::sample::Index>(),
            shuffle in prop::collection::vec(any::<prop::sample::Index>(), 16), again in any::<bool>(),
        ) {
            let make = if is_v6 { v6 } else { v4 };
            let bytes = tcp(0x18, &[], &payload);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) * 8).filter(|end| *end < bytes.len()).collect();
            prop_assume!(!ends.is_empty());
            ends.push(bytes.len());
            let mut start = 0;
            let mut packets = Vec::new();
            for end in ends {
                packets.push(make(1, start as u16, end < bytes.len(), &bytes[start..end]));
                start = end;
            }
            for (at, to) in shuffle.iter().enumerate().take(packets.len()) {
                let to = to.index(packets.len());
                packets.swap(at, to);
            }
            if again {
                let copy = packets[order.index(packets.len() - 1)].clone();
                packets.insert(0, copy);
            }
            let mut decoder = decoder();
            prop_assert_eq!(last_of(&mut decoder, &packets), Ok(payload));
            prop_assert_eq!(decoder.fragment_conflicts(), 0);
            prop_assert_eq!((decoder.fragments.bytes, decoder.fragments.by_age.len()), (0, 0));
        }

        /// Fragments of an enemy: bounded, no panic, and every byte accounted for.
        #[test]
        fn no_fragments_panic(parts in prop::collection::vec((any::<bool>(), 0u8..4, 0u16..40, any::<bool>(), 0usize..80, any::<u8>()), 1..60)) {
            let limits = Limits { fragmented_datagrams: 3, fragment_bytes: 500, ..Limits::default() };
            let mut decoder = Decoder::new(&limits);
            for (is_v6, identification, offset, more, length, fill) in parts {
                let make = if is_v6 { v6 } else { v4 };
                let bytes = make(identification, offset * 8, more, &vec![fill; length]);
                let _ = decoder.decode(&packet(LinkType::RAW, &bytes));
                let fragments = &decoder.fragments;
                prop_assert!(fragments.bytes <= 500 && fragments.partial.len() <= 3);
                prop_assert_eq!(fragments.bytes, fragments.partial.values().map(Partial::cost).sum::<usize>());
                prop_assert_eq!(fragments.partial.len(), fragments.by_age.len());
                for partial in fragments.partial.values() {
                    prop_assert!(partial.pieces.windows(2).all(|two| two[0].end() <= two[1].start));
                    prop_assert_eq!(partial.have, partial.pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>());
                }
            }
        }
    }
}
