//! Several captures as one: rotated files, and files that were recorded side by side.
//!
//! Packets come in the order of their times, as `mergecap` writes them, and are numbered through in that order. At equal
//! times the file that began earlier comes first, so that a rotated set gives exactly what the unrotated file would.
//! Within a file the order stays as recorded, also where its clock steps back. A packet without a time takes the place
//! of the one before it in its file; files that begin without one come last, in the order given.
//!
//! The clock of a file may be set right by a constant ([`Sequence::open_shifted`]); who knows that constant is not asked here.
//!
//! Each file is opened once to learn its first packet's time, and again when the others have reached that time: of a
//! rotated set there is one open at a time, of files that overlap at most [`CaptureLimits::captures_at_once`]. Nothing is buffered
//! beside one packet of each open file.

use super::{CaptureError, CaptureLimits, CaptureSummary, Packet, Packets, Reader, Secrets};
use crate::limits::LimitHits;
use crate::units::{PacketNumber, Timestamp};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use thiserror::Error;

/// A capture that can be opened.
pub trait Source {
    /// What it gives.
    type Input: Read;

    /// Opens it at its first byte.
    ///
    /// # Errors
    /// As the operating system tells.
    fn open(&mut self) -> io::Result<Self::Input>;

    /// Whether it can be opened again and still holds everything, as a file does. A pipe does not: it is opened once and
    /// stays open.
    fn reopens(&self) -> bool;
}

/// What became of one of the captures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// It is a capture, whether or not it holds packets.
    pub opened: bool,
    /// Number of its first packet so far, counted through all captures.
    pub first: Option<PacketNumber>,
    /// Number of its last packet so far. Packets of others lie between the two only where captures overlap in time.
    pub last: Option<PacketNumber>,
    /// Packets read from it so far.
    pub packets: u64,
    /// Numbers of its first and last packet so far in itself, as Wireshark shows them when it opens this capture alone.
    pub own: Option<(PacketNumber, PacketNumber)>,
    /// Its earliest and latest packet time so far, as recorded.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What is added to its times, in nanoseconds: see [`Sequence::open_shifted`].
    pub clock_shift: i64,
    /// The upper half of [`Packet::interface`] of its packets, once it has been opened.
    pub slot: Option<u32>,
    /// What it told beside its packets. Filled in when it has been read.
    pub summary: CaptureSummary,
}

impl Part {
    /// Whether it has packets with numbers from `first` to `last`, or was recording between packets of other captures.
    #[must_use]
    pub fn overlaps(&self, first: PacketNumber, last: PacketNumber) -> bool {
        self.first.is_some_and(|from| from <= last) && self.last.is_some_and(|to| to >= first)
    }

    /// What is to be taken from the number of one of its packets to get the number in itself; `None` without packets, and
    /// when packets of others lie between its own.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        let ((first, last), (own_first, own_last)) = (self.first.zip(self.last)?, self.own?);
        let offset = first.value().checked_sub(own_first.value())?;
        (last.value().checked_sub(own_last.value()) == Some(offset)).then_some(offset)
    }

    /// Whether it has packets of this [`Packet::interface`] with numbers from `first` to `last`.
    #[must_use]
    pub fn records(&self, interface: u32, first: PacketNumber, last: PacketNumber) -> bool {
        self.slot == Some(interface >> 16) && self.overlaps(first, last)
    }

    /// Takes note of packets; `in_order` has the number in all captures of one with this number of its own.
    fn add(&mut self, packets: &Packets<'_>, in_order: impl Fn(PacketNumber) -> PacketNumber) {
        let (own_first, Some(own_last)) = (packets.first_number(), packets.last_number()) else { return };
        self.first.get_or_insert(in_order(own_first));
        self.last = Some(in_order(own_last));
        self.packets += packets.len() as u64;
        self.own = Some((self.own.map_or(own_first, |(first, _)| first), own_last));
        for time in packets.times() {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
    }
}

/// What was wrong with one of the captures.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct Problem {
    /// Which one, counted from 0 in the order given.
    pub source_index: usize,
    /// What is wrong. Packet numbers in it are those of the one capture.
    pub error: CaptureError,
}

/// Reads several captures as one, in the order of time.
///
/// Interfaces are told apart only among captures that overlap in time: those of a rotated set are the same ones. The
/// upper half of [`Packet::interface`] tells the overlapping captures apart, the lower half is the index in its own.
pub struct Sequence<S: Source> {
    /// Not read yet; the earliest is the last.
    waiting: Vec<Waiting<S>>,
    /// Being read, in the order of their first packets.
    open: Vec<Open<S::Input>>,
    parts: Vec<Part>,
    problems: VecDeque<Problem>,
    limits: CaptureLimits,
    /// Captures that had to wait for others to end.
    late: u64,
    /// Numbers given so far.
    numbered: u64,
    /// Time of the last packet.
    now: i64,
    /// The open capture with the earliest packet, if that has been looked for.
    found: Option<(usize, i64)>,
    /// Secrets behind the last packet of captures that are over.
    last_secrets: Vec<Secrets>,
}

struct Waiting<S: Source> {
    index: usize,
    /// Time of its first packet in nanoseconds.
    begins: i64,
    source: S,
    /// Of sources that cannot be opened again.
    reader: Option<Reader<S::Input>>,
}

struct Open<R: Read> {
    index: usize,
    /// Not shared with any other open capture.
    slot: u32,
    reader: Reader<R>,
    /// Own number of its last packet.
    number: u64,
    /// Time of its last packet.
    now: i64,
    /// Time of its next packet, once it has been looked at.
    next: Option<i64>,
}

impl<S: Source> Sequence<S> {
    /// Looks at the beginning of each capture. What cannot be read is told by [`Sequence::next_packet`].
    pub fn open(sources: impl IntoIterator<Item = S>, limits: CaptureLimits) -> Self {
        Self::open_shifted(sources, &[], limits)
    }

    /// The same for captures whose clocks disagree: to the times of each capture so many nanoseconds are added, to those
    /// for which none are given nothing.
    pub fn open_shifted(sources: impl IntoIterator<Item = S>, shifts: &[i64], limits: CaptureLimits) -> Self {
        let mut this = Self {
            waiting: Vec::new(),
            open: Vec::new(),
            parts: Vec::new(),
            problems: VecDeque::new(),
            limits,
            late: 0,
            numbered: 0,
            now: i64::MIN,
            found: None,
            last_secrets: Vec::new(),
        };
        let sources: Vec<S> = sources.into_iter().collect();
        let alone = sources.len() == 1;
        for (index, source) in sources.into_iter().enumerate() {
            let clock_shift = shifts.get(index).copied().unwrap_or(0);
            this.parts.push(Part { clock_shift, ..Part::default() });
            this.probe(index, source, alone);
        }
        this.waiting.sort_by_key(|waiting| Reverse((waiting.begins, waiting.index)));
        this
    }

    /// The next packet of all captures, or `None` at the end of the last one.
    ///
    /// # Errors
    /// What is wrong with one of the captures, once for each problem. Reading may go on after any of them.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, Problem> {
        Ok(self.take(1)?.next())
    }

    /// The next packet, and those behind it that can be had without waiting; none at the end of the last capture.
    ///
    /// # Errors
    /// As [`Sequence::next_packet`].
    pub fn next_packets(&mut self) -> Result<Packets<'_>, Problem> {
        // The next packet of several captures may come from any of them.
        let most = if self.parts.len() == 1 { Packets::MOST } else { 1 };
        self.take(most)
    }

    fn take(&mut self, most: usize) -> Result<Packets<'_>, Problem> {
        if let Some(problem) = self.problems.pop_front() {
            return Err(problem);
        }
        let found = match self.found.take() {
            Some(found) => Some(found),
            None => self.earliest()?,
        };
        let Some((at, time)) = found else { return Ok(Packets::new(&[], &[], PacketNumber::FIRST)) };
        let open = &mut self.open[at];
        open.next = None;
        let told = |error| Problem { source_index: open.index, error };
        let packets = open.reader.next_packets(most).map_err(told)?;
        let part = &mut self.parts[open.index];
        // Records without a packet have numbers too.
        let ahead = self.numbered.saturating_sub(open.number);
        let in_order =
            |own: PacketNumber| PacketNumber::new(ahead.saturating_add(own.value())).unwrap_or(PacketNumber::LAST);
        let first = in_order(packets.first_number());
        part.add(&packets, in_order);
        open.number = packets.last_number().map_or(open.number, PacketNumber::value);
        self.numbered = ahead.saturating_add(open.number);
        let last = packets.times().next_back();
        let now = last.map_or(time, |last| shifted(last, part.clock_shift).nanos());
        (open.now, self.now) = (now, now);
        Ok(packets.renumbered(first, open.slot, part.clock_shift))
    }

    /// The secrets that stand before the next packet and were not taken before, in file order. They are no longer in the
    /// [`CaptureSummary`] then.
    ///
    /// # Errors
    /// As [`Sequence::next_packet`], which does not tell them again.
    #[inline]
    pub fn next_secrets(&mut self) -> Result<Vec<Secrets>, Problem> {
        if self.problems.is_empty() {
            self.found = self.earliest()?;
        }
        let has_some = |open: &Open<S::Input>| !open.reader.summary().secrets.is_empty();
        if self.last_secrets.is_empty() && !self.open.iter().any(has_some) {
            return Ok(Vec::new());
        }
        let mut secrets = std::mem::take(&mut self.last_secrets);
        for open in self.open.iter_mut().filter(|open| has_some(open)) {
            secrets.append(&mut open.reader.take_secrets());
        }
        Ok(secrets)
    }

    /// What became of each capture, in the order given.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Packets that the recording programs say they lost, when at least one says so. Complete at the end.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        let read = self.parts.iter().filter_map(|part| part.summary.dropped());
        let open = self.open.iter().filter_map(|open| open.reader.summary().dropped());
        read.chain(open).reduce(u64::saturating_add)
    }

    /// Each interface, as [`Packet::interface`] numbers it, of which the recording program says that it lost packets there,
    /// with how many. Complete at the end.
    pub fn losses(&self) -> impl Iterator<Item = (u32, u64)> {
        let closed = self.parts.iter().filter_map(|part| Some((part.slot?, &part.summary)));
        let open = self.open.iter().map(|open| (open.slot, open.reader.summary()));
        closed.chain(open).flat_map(|(slot, summary)| {
            (0..).zip(&summary.interfaces).filter_map(move |(index, interface): (u32, _)| {
                let lost = interface.statistics?.dropped().filter(|lost| *lost > 0)?;
                Some((slot << 16 | index & 0xffff, lost))
            })
        })
    }

    /// Which bounds were reached. Complete at the end.
    #[must_use]
    pub fn limit_hits(&self) -> LimitHits {
        let mut hits = LimitHits { captures: self.late, ..LimitHits::default() };
        for part in &self.parts {
            hits.add_capture(&part.summary.limit_hits);
        }
        for open in &self.open {
            hits.add_capture(&open.reader.summary().limit_hits);
        }
        hits
    }

    /// Learns the time of a capture's first packet.
    fn probe(&mut self, index: usize, mut source: S, alone: bool) {
        let keep = alone || !source.reopens();
        let opened = source.open().map_err(CaptureError::Io);
        let mut reader = match opened.and_then(|input| Reader::with_limits(input, self.limits)) {
            // What can be opened again is complete.
            Ok(reader) if source.reopens() => reader.looking_ahead(),
            Ok(reader) => reader,
            Err(error) => return self.problems.push_back(Problem { source_index: index, error }),
        };
        self.parts[index].opened = true;
        // Alone it need not be compared, and its first packet may still be hours away.
        let first = if alone { None } else { self.first_time(index, &mut reader, keep) };
        let begins = first.unwrap_or(i64::MAX);
        self.waiting.push(Waiting { index, begins, source, reader: keep.then_some(reader) });
    }

    fn first_time(&mut self, index: usize, reader: &mut Reader<S::Input>, keep: bool) -> Option<i64> {
        loop {
            match reader.peek() {
                Ok(first) => return first.flatten().map(|time| shifted(time, self.parts[index].clock_shift).nanos()),
                // A capture that is opened again will tell it then.
                Err(error) if keep => self.problems.push_back(Problem { source_index: index, error }),
                Err(_) => {}
            }
        }
    }

    /// The open capture with the earliest packet, and that packet's time.
    #[inline]
    fn earliest(&mut self) -> Result<Option<(usize, i64)>, Problem> {
        loop {
            let mut earliest: Option<(usize, i64)> = None;
            let mut at = 0;
            while let Some(open) = self.open.get_mut(at) {
                if open.next.is_none() {
                    let told = |error| Problem { source_index: open.index, error };
                    match open.reader.peek().map_err(told)? {
                        Some(time) => {
                            let shift = self.parts[open.index].clock_shift;
                            open.next = Some(time.map_or(open.now, |time| shifted(time, shift).nanos()));
                        }
                        None => {
                            self.close(at);
                            continue;
                        }
                    }
                }
                if let Some(time) = open.next.filter(|time| earliest.is_none_or(|(_, least)| *time < least)) {
                    earliest = Some((at, time));
                }
                at += 1;
            }
            if let Some((at, _)) = earliest
                && self.numbered >= PacketNumber::LAST.value() - 1
            {
                return Err(self.too_many(at));
            }
            let next_begins = self.waiting.last().map(|waiting| waiting.begins);
            match (earliest, next_begins) {
                (None, None) => return Ok(None),
                (Some((_, time)), Some(begins))
                    if begins < time && self.open.len() < self.limits.captures_at_once.max(1) => {}
                (Some(found), _) => return Ok(Some(found)),
                (None, Some(_)) => {}
            }
            self.open_next()?;
        }
    }

    #[cold]
    fn open_next(&mut self) -> Result<(), Problem> {
        let Some(Waiting { index, begins, mut source, reader }) = self.waiting.pop() else { return Ok(()) };
        let told = |error| Problem { source_index: index, error };
        let reader = match reader {
            Some(reader) => reader,
            None => {
                Reader::with_limits(source.open().map_err(|error| told(error.into()))?, self.limits).map_err(told)?
            }
        };
        let taken = |slot: &u32| self.open.iter().any(|open| open.slot == *slot);
        let slot = (0..).find(|slot| !taken(slot)).unwrap_or(u32::MAX);
        self.parts[index].slot = Some(slot);
        self.open.push(Open { index, slot, reader, number: 0, now: begins, next: None });
        if begins < self.now {
            self.late += 1;
            return Err(told(CaptureError::TooManyAtOnce { limit: self.limits.captures_at_once }));
        }
        Ok(())
    }

    /// The next packet is one more than there are numbers for: nothing more is read.
    #[cold]
    fn too_many(&mut self, at: usize) -> Problem {
        let source_index = self.open[at].index;
        self.waiting.clear();
        while !self.open.is_empty() {
            self.close(0);
        }
        Problem { source_index, error: CaptureError::TooManyPackets }
    }

    #[cold]
    fn close(&mut self, at: usize) {
        let Open { index, mut reader, number, .. } = self.open.remove(at);
        self.last_secrets.append(&mut reader.take_secrets());
        self.numbered = self.numbered.saturating_add(reader.numbered().saturating_sub(number));
        self.parts[index].summary = reader.into_summary();
    }
}

/// A time of a clock that differs by so many nanoseconds.
fn shifted(time: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_add(by))
}

impl<S: Source> fmt::Debug for Sequence<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Sequence");
        shown.field("parts", &self.parts.len()).field("open", &self.open.len()).field("waiting", &self.waiting.len());
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LE, small_pcap};
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// A file in memory that counts how many are open.
    struct Memory {
        bytes: Rc<[u8]>,
        open: Rc<Cell<usize>>,
        most: Rc<Cell<usize>>,
        pipe: bool,
    }

    struct Opened(io::Cursor<Rc<[u8]>>, Rc<Cell<usize>>);

    impl Read for Opened {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.0.read(to)
        }
    }

    impl Drop for Opened {
        fn drop(&mut self) {
            self.1.set(self.1.get() - 1);
        }
    }

    impl Source for Memory {
        type Input = Opened;

        fn open(&mut self) -> io::Result<Opened> {
            self.open.set(self.open.get() + 1);
            self.most.set(self.most.get().max(self.open.get()));
            Ok(Opened(io::Cursor::new(Rc::clone(&self.bytes)), Rc::clone(&self.open)))
        }

        fn reopens(&self) -> bool {
            !self.pipe
        }
    }

    #[derive(Default)]
    struct Merged {
        /// Number, seconds, first byte and interface of each packet.
        packets: Vec<(u64, i64, u8, u32)>,
        problems: Vec<(usize, String)>,
        most_open: usize,
        parts: Vec<Part>,
        hits: LimitHits,
    }

    impl Merged {
        fn names(&self) -> String {
            self.packets.iter().map(|packet| char::from(packet.2)).collect()
        }
    }

    fn merge_with(files: &[Vec<u8>], pipes: &[usize]) -> Merged {
        let (open, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let memory = |(index, bytes): (usize, &Vec<u8>)| {
            let (open, most) = (Rc::clone(&open), Rc::clone(&most));
            Memory { bytes: bytes[..].into(), open, most, pipe: pipes.contains(&index) }
        };
        let mut sequence = Sequence::open(files.iter().enumerate().map(memory), CaptureLimits::default());
        let mut merged = Merged::default();
        loop {
            match sequence.next_packet() {
                Ok(Some(packet)) => merged.packets.push((
                    packet.number.value(),
                    packet.time.map_or(-1, |time| time.nanos() / 1_000_000_000),
                    packet.bytes[0],
                    packet.interface,
                )),
                Ok(None) => break,
                Err(problem) => merged.problems.push((problem.source_index, problem.to_string())),
            }
        }
        assert!(matches!(sequence.next_packet(), Ok(None)), "the end is final");
        merged.most_open = most.get();
        merged.parts = sequence.parts().to_vec();
        merged.hits = sequence.limit_hits();
        merged
    }

    fn merge(files: &[Vec<u8>]) -> Merged {
        merge_with(files, &[])
    }

    /// A packet of one byte for each second and letter.
    fn file(packets: &[(u32, u8)]) -> Vec<u8> {
        let records = packets.iter().flat_map(|&(second, name)| LE.pcap_record(second, 0, &[name]));
        LE.pcap_header(0xa1b2_c3d4, 1).into_iter().chain(records).collect()
    }

    #[test]
    fn packets_beyond_the_last_number_are_not_read() {
        let count = || Rc::new(Cell::new(0));
        let memory = |bytes: Vec<u8>| Memory { bytes: bytes[..].into(), open: count(), most: count(), pipe: false };
        let files = [file(&[(1, b'a'), (3, b'c')]), file(&[(2, b'b')])];
        let mut sequence = Sequence::open(files.into_iter().map(memory), CaptureLimits::default());
        sequence.numbered = PacketNumber::LAST.value() - 2;
        let number = sequence.next_packet().unwrap().map(|packet| packet.number.value());
        assert_eq!(number, Some(0xFFFF_FFFE));
        let problem = sequence.next_packet().unwrap_err();
        assert!(matches!(problem.error, CaptureError::TooManyPackets));
        assert!(matches!(sequence.next_packet(), Ok(None)));
    }

    #[test]
    fn a_rotated_set_in_any_order_is_the_one_file() {
        let files = [file(&[(1, b'a'), (2, b'b')]), file(&[(2, b'c'), (3, b'd')]), file(&[(3, b'e'), (9, b'f')])];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let merged = merge(&order.map(|at| files[at].clone()));
            assert_eq!(merged.names(), "abcdef", "equal times at the seams: the earlier file first");
            let numbers: Vec<u64> = merged.packets.iter().map(|packet| packet.0).collect();
            assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
            assert!(merged.packets.iter().all(|packet| packet.3 == 0), "the same interface all along");
            assert_eq!((merged.most_open, merged.problems.len()), (1, 0));
            let part = |at| order.iter().position(|&it| it == at).map(|at| &merged.parts[at]);
            assert_eq!(part(1).and_then(|part| Some((part.first?.value(), part.last?.value()))), Some((3, 4)));
            assert_eq!([0, 1, 2].map(|at| part(at).and_then(Part::offset)), [Some(0), Some(2), Some(4)]);
        }
    }

    #[test]
    fn files_recorded_side_by_side_are_merged_by_time() {
        // The order that `mergecap` gives.
        let merged = merge(&[file(&[(1, b'a'), (4, b'd'), (5, b'e')]), file(&[(2, b'b'), (3, b'c'), (6, b'f')])]);
        assert_eq!(merged.names(), "abcdef");
        let interfaces: Vec<u32> = merged.packets.iter().map(|packet| packet.3 >> 16).collect();
        assert_eq!(interfaces, [0, 1, 1, 0, 0, 1]);
        let number = |value| PacketNumber::new(value).unwrap();
        assert!(merged.parts[1].overlaps(number(3), number(3)) && merged.parts[0].overlaps(number(3), number(3)));
        assert!(!merged.parts[0].overlaps(number(6), number(6)), "it ended before");
        assert_eq!(merged.parts.iter().map(Part::offset).collect::<Vec<_>>(), [None, None]);
    }

    #[test]
    fn a_clock_that_steps_back_within_a_file_does_not_reorder_it() {
        let merged = merge(&[file(&[(5, b'a'), (1, b'b'), (6, b'c')]), file(&[(7, b'd'), (6, b'e')])]);
        assert_eq!(merged.names(), "abcde");
    }

    #[test]
    fn packets_without_a_time_stay_where_they_are() {
        let simple = |name: u8| LE.block(3, &[LE.words(&[1]), vec![name]].concat());
        let untimed = |name| [LE.section(), LE.interface(1, 0, &[]), simple(name), simple(name + 1)].concat();
        let mixed = [LE.section(), LE.interface(1, 0, &[]), LE.packet(0, 2_000_000, b"b"), simple(b'c')].concat();
        let merged = merge(&[untimed(b'e'), file(&[(1, b'a'), (3, b'd')]), untimed(b'g'), mixed]);
        assert_eq!(merged.names(), "abcdefgh");
    }

    #[test]
    fn numbers_count_records_without_a_packet_too() {
        let custom = || LE.block(0xbad, &LE.words(&[32_473, 1]));
        let packet = |second: u64, name: u8| LE.packet(0, second * 1_000_000, &[name]);
        let one = [LE.section(), LE.interface(1, 0, &[]), custom(), packet(1, b'a'), custom()].concat();
        let merged = merge(&[one, file(&[(2, b'b')])]);
        assert_eq!(merged.packets.iter().map(|packet| packet.0).collect::<Vec<_>>(), [2, 4]);
        // The second file's own number is 1.
        assert_eq!(merged.parts.iter().map(Part::offset).collect::<Vec<_>>(), [Some(0), Some(3)]);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_is_read() {
        let cut = file(&[(3, b'c'), (4, b'd')]);
        let cut = cut[..cut.len() - 1].to_vec();
        let merged = merge(&[file(&[(1, b'a')]), b"notes".to_vec(), cut, file(&[(5, b'e')])]);
        assert_eq!(merged.names(), "ace");
        let told: Vec<usize> = merged.problems.iter().map(|problem| problem.0).collect();
        assert_eq!(told, [1, 2]);
        assert!(merged.problems[1].1.contains("packet #2"), "{:?}", merged.problems);
        assert_eq!(merged.parts.iter().map(|part| part.opened).collect::<Vec<_>>(), [true, false, true, true]);
    }

    #[test]
    fn pipes_are_opened_once() {
        let files = [file(&[(3, b'c')]), file(&[(1, b'a'), (2, b'b')])];
        let merged = merge_with(&files, &[0]);
        assert_eq!((merged.names().as_str(), merged.most_open), ("abc", 2));
        assert_eq!(merge(&[small_pcap()[..45].to_vec()]).names(), "f");
    }

    #[test]
    fn hundreds_of_files_do_not_stay_open() {
        let rotated: Vec<Vec<u8>> = (0..300).map(|at| file(&[(at, b'x'), (at, b'y')])).collect();
        let merged = merge(&rotated);
        assert_eq!((merged.packets.len(), merged.most_open, merged.problems.len()), (600, 1, 0));
        assert!(merged.packets.is_sorted());
        // All of them at the same time: more than are merged.
        let side_by_side: Vec<Vec<u8>> = (0..70).map(|at| file(&[(at, b'x'), (1000, b'y')])).collect();
        let merged = merge(&side_by_side);
        let limit = CaptureLimits::default().captures_at_once;
        assert_eq!((merged.packets.len(), merged.most_open), (140, limit));
        assert_eq!(merged.problems.len(), 70 - limit);
        assert!(merged.problems[0].1.contains("overlap in time"));
        assert_eq!(merged.hits.captures, 6);
    }
}
