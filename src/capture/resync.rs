//! Finding the next record behind damage.
//!
//! A place is believed only when several records in a row fit there: lengths that lead from one to the next, up to the
//! end of the file if that is near, and what the format adds to it. Everything before that place is skipped, and said to
//! be lost. A capture that is itself the payload of a recorded transfer can be taken for records, but only when the file
//! around it is damaged just there.

use super::window::Window;
use std::io::Read;

/// Steps through the unread bytes, from the second one on, to the first place that `fits`; `false` when there is none up
/// to the end of the input or within about `most` bytes. `fits` gets the distance from the first unread byte.
///
/// Linear in what is skipped: `fits` looks ahead by a bounded number of bytes.
pub(super) fn skip_to<R: Read>(
    window: &mut Window<R>,
    least: usize,
    most: u64,
    mut fits: impl FnMut(&mut Window<R>, usize) -> bool,
) -> bool {
    let end = window.offset().saturating_add(most);
    let mut at = 1;
    loop {
        let available = window.look_ahead(at + least);
        if available < at + least {
            window.take(available, 0..0);
            return false;
        }
        if fits(window, at) {
            window.take(at, 0..0);
            return true;
        }
        at += 1;
        if at == STRIDE {
            window.take(at, 0..0);
            at = 0;
            if window.offset() >= end {
                return false;
            }
        }
    }
}

/// Bytes after which the window may forget what was skipped.
const STRIDE: usize = 64 << 10;

/// Records in a row that must fit.
pub(super) const CHAIN: u32 = 3;

#[cfg(test)]
mod tests {
    use super::super::testing::{BE, LE, Writer};
    use super::super::{CaptureError, CaptureLimits, Damage, Reader};
    use proptest::prelude::*;
    use std::ops::Range;

    /// Bytes without pattern, the same each time.
    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        };
        (0..len).map(next).collect()
    }

    const COUNT: u64 = 30;
    const START: u32 = 1_700_000_000;

    /// Where a record lies, and the packet in it.
    type Place = (Range<usize>, Range<usize>);

    /// A capture, and where in it each record and the packet in it lie.
    fn capture(writer: Writer, ng: bool) -> (Vec<u8>, Vec<Place>) {
        let mut file = match ng {
            false => writer.pcap_header(0xa1b2_c3d4, 1),
            true => [writer.section(), writer.interface(1, 0, &[])].concat(),
        };
        let mut places = Vec::new();
        for number in 0..COUNT {
            let bytes = noise(number + 1, 20 + (number * 37 % 90) as usize);
            let start = file.len();
            let micros = u64::from(START) * 1_000_000 + number * 70_000;
            match ng {
                false => {
                    file.extend(writer.pcap_record((micros / 1_000_000) as u32, (micros % 1_000_000) as u32, &bytes))
                }
                true => file.extend(writer.packet(0, micros, &bytes)),
            }
            let data = start + if ng { 28 } else { 16 };
            places.push((start..file.len(), data..data + bytes.len()));
        }
        (file, places)
    }

    struct Salvage {
        packets: Vec<Vec<u8>>,
        damages: Vec<Damage>,
    }

    fn salvage(file: &[u8]) -> Option<Salvage> {
        let mut reader = Reader::open(file).ok()?.looking_ahead();
        let (mut packets, mut damages) = (Vec::new(), Vec::new());
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => {
                    let number = packet.number.value();
                    packets.push(packet.bytes.to_vec());
                    // Damage may turn a block into one that is numbered and holds no packet.
                    let numbered = packets.len() as u64 + reader.summary().other_records;
                    assert_eq!(number, numbered, "numbers go on");
                }
                Ok(None) => return Some(Salvage { packets, damages }),
                Err(CaptureError::Damaged(damage)) => damages.push(damage),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Nothing that was not recorded, everything that the damage did not touch, and no loss untold.
    fn check(file: &[u8], places: &[Place], damaged: Range<usize>) {
        let Some(Salvage { packets, damages }) = salvage(file) else {
            panic!("{damaged:?}: not opened");
        };
        let mut rest = &packets[..];
        let mut lost = 0;
        for (number, (record, data)) in places.iter().enumerate() {
            // A record before a bad header may as well be one that lacks bytes: it is not believed either.
            let end = places.get(number + 1).map_or(record.end, |(_, next)| next.start);
            let touched = record.start < damaged.end && damaged.start < end;
            match rest.split_first() {
                Some((first, behind)) if *first == file[data.clone()] => rest = behind,
                // A length that is wrong by less than the padding of its block looks like a snapshot length.
                Some((first, behind))
                    if touched && first.len() + 4 > data.len() && file[data.clone()].starts_with(first) =>
                {
                    rest = behind;
                }
                _ => {
                    assert!(touched, "{damaged:?}: the packet at {record:?} is lost");
                    lost += 1;
                }
            }
        }
        assert!(rest.is_empty(), "{damaged:?}: {} phantoms", rest.len());
        assert!(lost == 0 || !damages.is_empty(), "{damaged:?}: {lost} packets are lost, and nothing says so");
        for damage in &damages {
            let resumed = damage.resumed.unwrap_or(file.len() as u64);
            assert!(damage.offset < resumed && resumed <= file.len() as u64, "{damage:?}");
            assert!(
                damage.resumed.is_none() || places.iter().any(|(record, _)| record.start as u64 == resumed),
                "{damage:?}"
            );
        }
    }

    #[test]
    fn damage_anywhere_costs_what_it_touched_and_no_more() {
        for (writer, ng) in [(LE, false), (BE, false), (LE, true), (BE, true)] {
            let (whole, places) = capture(writer, ng);
            for len in [1, 3, 4, 8, 16, 40, 300] {
                for at in (places[1].0.start..whole.len() - len).step_by(if len == 4 { 1 } else { 3 }) {
                    for fill in [vec![0; len], vec![0xff; len], noise(at as u64, len)] {
                        let mut file = whole.clone();
                        file[at..at + len].copy_from_slice(&fill);
                        // A block whose type is changed is a block of another kind: no damage can be seen.
                        let changes_type =
                            ng && places.iter().any(|(record, _)| at < record.start + 4 && record.start < at + len);
                        if !changes_type {
                            check(&file, &places, at..at + len);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn several_damages_are_all_told() {
        for ng in [false, true] {
            let (mut file, places) = capture(LE, ng);
            for number in [4, 12, 20] {
                let start = places[number].0.start;
                file[start + 4..start + 16].fill(0xff);
            }
            let salvage = salvage(&file).unwrap();
            let before = usize::from(!ng);
            assert_eq!((salvage.packets.len(), salvage.damages.len()), (27 - 3 * before, 3));
            for (damage, number) in salvage.damages.iter().zip([4, 12, 20]) {
                let from = places[number - before].0.start as u64;
                assert_eq!((damage.offset, damage.resumed), (from, Some(places[number].0.end as u64)));
                // One block, or one record and the one before it, of which the file does not say which is bad.
                assert!(matches!(damage.lost_packets, Some(1..=3)), "{damage}");
            }
        }
    }

    #[test]
    fn lost_and_inserted_bytes_do_not_hide_what_follows() {
        for ng in [false, true] {
            let (whole, places) = capture(LE, ng);
            for number in 1..COUNT as usize - 4 {
                let (record, data) = &places[number];
                let (start, end) = (data.start + 5, places[number + 2].1.start + 3);
                let without = [&whole[..start], &whole[end..]].concat();
                let before = places[..number].iter();
                let expected: Vec<&[u8]> =
                    before.chain(&places[number + 3..]).map(|(_, data)| &whole[data.clone()]).collect();
                let salvaged = salvage(&without).unwrap();
                assert_eq!(salvaged.packets, expected, "{number}");
                assert_eq!(salvaged.damages[0].offset, record.start as u64);
                let inserted = [&whole[..record.start], &noise(9, 1000), &whole[record.start..]].concat();
                assert!(salvage(&inserted).unwrap().packets.len() >= COUNT as usize - 1);
            }
        }
    }

    #[test]
    fn a_pipe_waits_for_no_more_than_an_odd_record_needs() {
        let (whole, places) = capture(LE, false);
        let mut reader = Reader::open(&whole[..places[9].0.end]).unwrap();
        for _ in 0..10 {
            assert!(reader.next_packet().unwrap().is_some());
        }
        assert!(reader.next_packet().unwrap().is_none());
    }

    #[test]
    fn a_search_ends_at_its_bound() {
        for (zeros, found) in [(100 << 10, true), (1 << 20, false)] {
            for ng in [false, true] {
                let (whole, places) = capture(LE, ng);
                let at = places[9].0.start;
                // What a few kilobytes of gzip can hold.
                let file = [&whole[..at], &vec![0; zeros], &whole[at..]].concat();
                let limits = CaptureLimits { search_bytes: 256 << 10, ..CaptureLimits::default() };
                let mut reader = Reader::with_limits(&file[..], limits).unwrap();
                let (mut packets, mut damages) = (0, 0);
                loop {
                    match reader.next_packet() {
                        Ok(Some(_)) => packets += 1,
                        Ok(None) => break,
                        Err(_) => damages += 1,
                    }
                }
                let hits = reader.summary().limit_hits.search;
                assert_eq!((packets, damages, hits), if found { (COUNT, 1, 0) } else { (9, 1, 1) }, "{zeros} {ng}");
            }
        }
    }

    #[test]
    fn odd_captures_are_not_damaged() {
        // Times that jump by years, original lengths that nobody filled in, fractions beyond a second.
        let header = LE.pcap_header(0xa1b2_c3d4, 1);
        let record = |number: u32| {
            let seconds = if number.is_multiple_of(3) { 7 } else { START + number * 40_000_000 };
            [LE.words(&[seconds, 5_000_000, 50, 0]), noise(number.into(), 50)].concat()
        };
        let file: Vec<u8> = header.into_iter().chain((0..20).flat_map(record)).collect();
        let salvage = salvage(&file).unwrap();
        assert_eq!((salvage.packets.len(), salvage.damages), (20, vec![]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn any_damage_ends(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..200, any::<u64>()), 1..6), ng: bool) {
            let (mut file, _) = capture(LE, ng);
            for (at, len, seed) in cuts {
                let at = at.index(file.len());
                let end = file.len().min(at + len);
                if seed.is_multiple_of(3) {
                    file.drain(at..end);
                } else {
                    file.splice(at..end, noise(seed, (seed % 300) as usize));
                }
                if file.is_empty() {
                    break;
                }
            }
            if let Some(salvage) = salvage(&file) {
                prop_assert!(salvage.damages.windows(2).all(|pair| pair[0].resumed.is_some_and(|to| to <= pair[1].offset)));
            }
        }
    }
}
