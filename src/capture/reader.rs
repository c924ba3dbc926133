//! The reader: recognises the format, numbers the packets, and remembers where and why it had to stop.

use super::compression::Unpacked;
use super::pcap::{Pcap, Record};
use super::pcapng::{PcapNg, Step};
use super::window::{Stop, Window};
use super::{
    CaptureError, CaptureLimits, CaptureSummary, Container, Damage, DamageKind, Format, LooksLike, Packet, Packets,
    Secrets, Within,
};
use crate::units::{PacketNumber, Timestamp};
use std::fmt;
use std::io::Read;

/// Reads packets one after the other from a pcap or pcapng capture, compressed or not.
///
/// Works on anything that can be read: a file, a pipe that delivers a byte at a time, a slice. A packet is handed out
/// as soon as its last byte has arrived. Wrapping the input in a `BufReader` is not needed.
///
/// ```
/// use wsdissect::capture::{LinkType, Reader};
///
/// let file = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x65\0\0\0\
///              \x01\0\0\0\0\0\0\0\x03\0\0\0\x03\0\0\0abc";
/// let mut reader = Reader::open(&file[..])?;
/// while let Some(packet) = reader.next_packet()? {
///     assert_eq!((packet.number.value(), packet.link, packet.bytes), (1, LinkType::RAW, &b"abc"[..]));
/// }
/// assert_eq!(reader.summary().packets, 1);
/// # Ok::<(), wsdissect::capture::CaptureError>(())
/// ```
pub struct Reader<R: Read> {
    window: Window<R>,
    container: State,
    limits: CaptureLimits,
    summary: CaptureSummary,
    damage: Option<Damage>,
    /// The number that the next record gets.
    next: PacketNumber,
    /// A record that was read ahead, to learn its time.
    ahead: Option<Record>,
    /// The records of the packets that were delivered last.
    records: Vec<Record>,
    /// The last packet that was delivered.
    last: Option<PacketNumber>,
    /// Nothing more will be read.
    finished: bool,
}

enum State {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

impl<R: Read> Reader<R> {
    /// Recognises compression and format from the first bytes of `input`, with the default [`CaptureLimits`].
    ///
    /// # Errors
    /// When the input cannot be read, is empty, is not a capture, or is damaged before its first packet.
    pub fn open(input: R) -> Result<Self, CaptureError> {
        Self::with_limits(input, CaptureLimits::default())
    }

    /// [`Reader::open`] with other bounds.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn with_limits(input: R, limits: CaptureLimits) -> Result<Self, CaptureError> {
        let mut window = Window::new(Unpacked::open(input)?);
        let mut summary = CaptureSummary::default();
        let container = match recognise(&mut window, &limits, &mut summary) {
            Ok(state) => state,
            Err(Refusal::Error(error)) => return Err(error),
            Err(Refusal::Stop(Stop::Io(error))) => return Err(error.into()),
            Err(Refusal::Stop(Stop::Damage(kind))) => return Err(damage_at(&window, kind, None).into()),
        };
        let (damage, last) = (None, None);
        Ok(Self {
            window,
            container,
            limits,
            summary,
            damage,
            next: PacketNumber::FIRST,
            ahead: None,
            records: Vec::new(),
            last,
            finished: false,
        })
    }

    /// Hands out each packet of a pcap file only after a look at the record behind it.
    ///
    /// That notices a wrong length before the packet with too few or too many bytes is out, but waits for the next
    /// packet: for files, not for what is still being recorded. Without it only records that look odd are checked so.
    #[must_use]
    pub fn looking_ahead(mut self) -> Self {
        if let State::Pcap(pcap) = &mut self.container {
            pcap.look_ahead();
        }
        self
    }

    /// The next packet, or `None` at the end of the capture.
    ///
    /// # Errors
    /// [`CaptureError::Damaged`] at each damaged place, once; packets may follow, [`Damage::resumed`] tells.
    /// [`CaptureError::Io`] once, after which nothing follows. What was read before is valid in any case.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        Ok(self.next_packets(1)?.next())
    }

    /// The next packet and those behind it that lie ready, up to so many; none at the end of the capture.
    ///
    /// # Errors
    /// As [`Reader::next_packet`].
    pub(super) fn next_packets(&mut self, most: usize) -> Result<Packets<'_>, CaptureError> {
        self.records.clear();
        let first = match self.ahead.take() {
            Some(record) => Some(record),
            None => self.read()?,
        };
        self.records.extend(first);
        let most = most.min(usize::try_from(PacketNumber::LAST.value() - self.next.value()).unwrap_or(usize::MAX));
        if !self.records.is_empty() {
            self.add_ready(most);
        }
        self.count();
        let packets = Packets::new(self.window.buffer(), &self.records, self.next);
        self.last = packets.last_number().or(self.last);
        self.next = self.next.after(self.records.len());
        Ok(packets)
    }

    /// Counts the packets that are about to be handed out.
    fn count(&mut self) {
        self.summary.packets += self.records.len() as u64;
        for records in self.records.chunk_by(|one, next| one.interface == next.interface) {
            let is_cut = |record: &&Record| record.original_len as usize > record.place.len();
            self.summary.packets_cut += records.iter().filter(is_cut).count() as u64;
            if let Some(interface) = self.summary.interfaces.get_mut(records[0].interface as usize) {
                interface.packets += records.len() as u64;
            }
        }
    }

    /// The time of the next packet, which stays the next one; `None` at the end of the capture.
    ///
    /// # Errors
    /// As [`Reader::next_packet`].
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<Option<Timestamp>>, CaptureError> {
        if self.ahead.is_none() {
            self.ahead = self.read()?;
        }
        Ok(self.ahead.as_ref().map(|record| record.time))
    }

    /// How many numbers have been given: to packets delivered, and to records before and after them that hold none.
    pub(super) fn numbered(&self) -> u64 {
        self.next.value() - 1
    }

    /// How the capture is stored.
    #[must_use]
    pub fn format(&self) -> Format {
        let (container, byte_order, resolution) = match &self.container {
            State::Pcap(pcap) => (Container::Pcap, pcap.byte_order, Some(pcap.resolution)),
            State::PcapNg(pcapng) => (Container::PcapNg, pcapng.byte_order, None),
        };
        Format { container, compression: self.window.compression(), byte_order, resolution }
    }

    /// What the capture has told so far.
    #[must_use]
    pub fn summary(&self) -> &CaptureSummary {
        &self.summary
    }

    /// Takes the secrets that were read so far out of [`Reader::summary`], which so does not hold them a second time.
    pub fn take_secrets(&mut self) -> Vec<Secrets> {
        std::mem::take(&mut self.summary.secrets)
    }

    /// [`Reader::summary`], when nothing more is to be read.
    pub(super) fn into_summary(self) -> CaptureSummary {
        self.summary
    }

    /// The last damage that was met, if any.
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    #[inline]
    fn read(&mut self) -> Result<Option<Record>, CaptureError> {
        if self.finished {
            return Ok(None);
        }
        if self.next == PacketNumber::LAST {
            self.finished = true;
            return Err(CaptureError::TooManyPackets);
        }
        match self.next_record() {
            Ok(Some(record)) => Ok(Some(record)),
            Ok(None) => {
                self.finished = true;
                Ok(None)
            }
            Err(stop) => Err(self.stop(stop)),
        }
    }

    #[inline]
    fn next_record(&mut self) -> Result<Option<Record>, Stop> {
        let pcapng = match &mut self.container {
            State::Pcap(pcap) => return pcap.next(&mut self.window, &self.limits, self.next),
            State::PcapNg(pcapng) => pcapng,
        };
        loop {
            match pcapng.next(&mut self.window, &self.limits, self.next, &mut self.summary)? {
                Step::Packet(record) => return Ok(Some(record)),
                Step::OtherRecord => self.next = self.next.next(),
                Step::End => return Ok(None),
            }
        }
    }

    /// Adds the records that can be had without reading more, up to so many in all, until something is out of the ordinary.
    fn add_ready(&mut self, most: usize) {
        let Self { container, window, limits, summary, records, .. } = self;
        match container {
            State::Pcap(pcap) => fill(records, most, || pcap.ready(window, limits)),
            State::PcapNg(pcapng) => fill(records, most, || pcapng.ready(window, limits, summary)),
        }
    }

    /// Goes on where records fit together again, if there is such a place.
    fn resume(&mut self, damage: &mut Damage) {
        let found = damage.kind.may_be_followed()
            && match &self.container {
                State::Pcap(pcap) => pcap.resynchronise(&mut self.window, &self.limits),
                State::PcapNg(pcapng) => pcapng.resynchronise(&mut self.window, &self.limits),
            };
        if found {
            damage.resumed = Some(self.window.offset());
            damage.lost_packets = self.estimate(damage);
            if let DamageKind::Cut { within: Within::Packet(packet), .. } = damage.kind {
                // Not the file was cut, but the length is wrong.
                damage.kind = DamageKind::Misplaced { packet };
            }
        }
        self.finished = !found && !self.window.has_failed();
        let searched = self.window.offset().saturating_sub(damage.offset);
        self.note_limits(&damage.kind, !found && searched >= self.limits.search_bytes);
    }

    fn note_limits(&mut self, kind: &DamageKind, gave_up: bool) {
        let hits = &mut self.summary.limit_hits;
        match kind {
            DamageKind::PacketTooLong { .. } => hits.packet_bytes += 1,
            DamageKind::BlockLength { claimed, max, .. } if claimed > max => hits.block_bytes += 1,
            DamageKind::TooManyInterfaces { .. } => hits.interfaces += 1,
            _ => {}
        }
        hits.search += u64::from(gave_up);
    }

    /// Packets that a damaged part may have held: as many as the same number of bytes held before it.
    fn estimate(&self, damage: &Damage) -> Option<u64> {
        let mean = damage.offset.checked_div(self.next.value() - 1)?.max(1);
        Some(damage.skipped()?.div_ceil(mean))
    }

    #[cold]
    fn stop(&mut self, stop: Stop) -> CaptureError {
        match stop {
            Stop::Io(error) => {
                self.finished = true;
                error.into()
            }
            Stop::Damage(kind) => {
                let mut damage = damage_at(&self.window, kind, self.last);
                self.resume(&mut damage);
                self.damage = Some(damage.clone());
                damage.into()
            }
        }
    }
}

impl<R: Read> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Reader");
        shown.field("format", &self.format()).field("packets", &self.summary.packets).field("damage", &self.damage);
        shown.finish_non_exhaustive()
    }
}

/// Why a capture could not be opened.
enum Refusal {
    Error(CaptureError),
    Stop(Stop),
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<DamageKind> for Refusal {
    fn from(kind: DamageKind) -> Self {
        Self::Stop(kind.into())
    }
}

/// Adds records while there are more, up to `most` in all.
fn fill(records: &mut Vec<Record>, most: usize, mut next: impl FnMut() -> Option<Record>) {
    while records.len() < most
        && let Some(record) = next()
    {
        records.push(record);
    }
}

/// Reads the file header, or the first section header.
fn recognise<R: Read>(
    window: &mut Window<R>,
    limits: &CaptureLimits,
    summary: &mut CaptureSummary,
) -> Result<State, Refusal> {
    let compression = window.compression();
    if window.fill_to(4)? == 0 {
        return Err(Refusal::Error(CaptureError::Empty { compression }));
    }
    if Pcap::recognises(window.unread()) {
        let available = window.fill_to(Pcap::HEADER)?;
        let cut = || {
            let (needed, available) = (Pcap::HEADER as u64, available as u64);
            DamageKind::Cut { within: Within::FileHeader, needed, available }
        };
        let header = window.unread().first_chunk().ok_or_else(cut)?;
        let (pcap, interface) = Pcap::open(header).ok_or_else(cut)?;
        window.take(Pcap::HEADER, 0..0);
        let available = window.fill_to(pcap.preamble)?;
        if available < pcap.preamble {
            let (needed, available) = (pcap.preamble as u64, available as u64);
            return Err(DamageKind::Cut { within: Within::FileHeader, needed, available }.into());
        }
        window.take(pcap.preamble, 0..0);
        summary.sections = 1;
        summary.interfaces.push(interface);
        return Ok(State::Pcap(pcap));
    }
    if PcapNg::recognises(window.unread()) {
        let mut pcapng = PcapNg::new();
        pcapng.open(window, limits, summary)?;
        return Ok(State::PcapNg(pcapng));
    }
    // A few more bytes make the guess better; when they cannot be had, it is made without.
    let _ = window.fill_to(GUESS_FROM);
    let looks_like = LooksLike::guess(window.unread());
    Err(Refusal::Error(CaptureError::NotACapture { looks_like, compression }))
}

/// Damage to whatever starts at the first unread byte.
fn damage_at<R: Read>(window: &Window<R>, kind: DamageKind, after: Option<PacketNumber>) -> Damage {
    Damage {
        kind,
        offset: window.offset(),
        after,
        unread: window.unread().len() as u64,
        resumed: None,
        lost_packets: None,
    }
}

/// Bytes from which is guessed what an input is that is no capture.
const GUESS_FROM: usize = 512;

#[cfg(test)]
mod tests {
    use super::super::testing::{LE, Trickle, read, small_pcap, small_pcapng};
    use super::*;
    use proptest::prelude::*;
    use std::io;

    #[test]
    fn any_read_size_gives_the_same_packets() {
        for file in [small_pcap(), small_pcapng()] {
            let whole = read(&file[..]).unwrap();
            assert_eq!((whole.packets.len(), whole.damage), (3, None));
            for step in [1, 3, 10, 30] {
                let trickled = read(Trickle::new(&file, step)).unwrap();
                assert_eq!((trickled.packets, trickled.damage), (whole.packets.clone(), None), "{step} bytes each");
                assert_eq!(trickled.summary, whole.summary);
            }
        }
    }

    #[test]
    fn a_packet_comes_out_before_the_next_one_has_arrived() {
        /// Fails the test when it is asked for more than `ready`.
        struct Impatient<'a>(&'a [u8]);
        impl Read for Impatient<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                assert!(!self.0.is_empty(), "waited for more than the packet");
                let len = to.len().min(7);
                self.0.read(&mut to[..len])
            }
        }
        let file = small_pcap();
        let mut reader = Reader::open(Impatient(&file[..24 + 21])).unwrap();
        assert_eq!(reader.next_packet().unwrap().unwrap().bytes, b"first");
        let file = [LE.section(), LE.interface(1, 0, &[]), LE.packet(0, 1, b"first")].concat();
        let mut reader = Reader::open(Impatient(&file)).unwrap();
        assert_eq!(reader.next_packet().unwrap().unwrap().bytes, b"first");
    }

    #[test]
    fn cut_anywhere_gives_the_packets_before_the_cut() {
        for (file, header, readable) in [(small_pcap(), 24, 2), (small_pcapng(), 28, 3)] {
            let whole = read(&file[..]).unwrap().packets;
            let mut seen = 0;
            for len in 0..file.len() {
                let Ok(outcome) = read(&file[..len]) else {
                    assert!(len < header, "{len}");
                    continue;
                };
                assert!(len >= header, "{len}");
                assert_eq!(outcome.packets, whole[..outcome.packets.len()], "{len}");
                assert!(outcome.packets.len() >= seen, "{len}: lost a packet that a shorter file had");
                seen = outcome.packets.len();
                if let Some(damage) = outcome.damage {
                    assert_eq!(damage.offset + damage.unread, len as u64, "{damage}");
                    assert!(matches!(damage.kind, DamageKind::Cut { .. }), "{damage}");
                }
            }
            assert_eq!(seen, readable);
        }
    }

    #[test]
    fn a_reader_may_move_to_another_thread() {
        fn sendable<T: Send>() {}
        sendable::<Reader<std::fs::File>>();
    }

    #[test]
    fn what_is_not_a_capture() {
        let refuse = |bytes: &[u8]| Reader::open(bytes).unwrap_err().to_string();
        assert_eq!(refuse(b""), "empty input: not a single byte");
        assert_eq!(refuse(b"hello world\n"), "not a pcap or pcapng capture: looks like text");
        assert_eq!(refuse(b"{"), "not a pcap or pcapng capture: looks like JSON");
        assert_eq!(
            refuse(&[0xd4, 0xc3, 0xb2]),
            "the file ends inside the file header, cut or still being written: 3 of 24 bytes are there (offset 0x0)"
        );
        assert_eq!(refuse(b"BZh91AY&SY..."), "not a pcap or pcapng capture: looks like bzip2 data; unpack it first");
        assert!(refuse(b"\n\r\r\n\0\0\0\x1cnope").contains("byte-order magic"));
    }

    #[test]
    fn a_failing_input_is_told_once() {
        let file = small_pcap();
        struct Failing<'a>(&'a [u8]);
        impl Read for Failing<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                match self.0.read(to)? {
                    0 => Err(io::Error::other("unplugged")),
                    len => Ok(len),
                }
            }
        }
        let mut reader = Reader::open(Failing(&file)).unwrap();
        for _ in 0..3 {
            assert!(reader.next_packet().unwrap().is_some());
        }
        assert_eq!(reader.next_packet().unwrap_err().to_string(), "input error: unplugged");
        assert!(reader.next_packet().unwrap().is_none());
        assert!(Reader::open(Failing(&[])).is_err());
    }

    #[test]
    fn records_across_the_end_of_the_buffer_stay_whole() {
        // 3.3 MB in records of 999 bytes: their boundaries fall everywhere relative to the 1 MiB buffer.
        let mut file = LE.pcap_header(0xa1b2_c3d4, 1);
        for number in 0..3300u32 {
            let bytes: Vec<u8> = (0..983).map(|i| (number.wrapping_mul(31) + i) as u8).collect();
            file.extend(LE.pcap_record(number, 0, &bytes));
        }
        let outcome = read(&file[..]).unwrap();
        assert_eq!((outcome.packets.len(), outcome.damage), (3300, None));
        for (number, packet) in outcome.packets.iter().enumerate() {
            let first = (number as u32).wrapping_mul(31) as u8;
            assert_eq!((packet.bytes[0], packet.bytes[982]), (first, first.wrapping_add(982u32 as u8)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn flipped_bits_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..6), ng: bool) {
            let mut file = if ng { small_pcapng() } else { small_pcap() };
            for (at, bit) in flips {
                let at = at.index(file.len());
                file[at] ^= 1 << bit;
            }
            if let Ok(outcome) = read(&file[..]) {
                prop_assert!(outcome.packets.iter().all(|packet| packet.bytes.len() <= 262_144));
            }
        }

        #[test]
        fn any_blocks_never_panic(bodies in prop::collection::vec((0u32..12, prop::collection::vec(any::<u8>(), 0..80)), 0..8), big: bool) {
            let writer = if big { super::super::testing::BE } else { LE };
            let mut file = [writer.section(), writer.interface(1, 0, &[])].concat();
            for (block_type, body) in bodies {
                file.extend(writer.block(block_type, &body));
            }
            let _ = read(&file[..]).unwrap();
        }
    }

    #[test]
    fn packets_beyond_the_last_number_are_not_read() {
        for most in [1, 8] {
            let capture = super::super::testing::small_pcap();
            let mut reader = Reader::open(&capture[..]).unwrap();
            reader.next = PacketNumber::new(PacketNumber::LAST.value() - 1).unwrap();
            let numbers: Vec<u64> = reader.next_packets(most).unwrap().map(|packet| packet.number.value()).collect();
            assert_eq!(numbers, [0xFFFF_FFFE]);
            let told = reader.next_packets(most).unwrap_err().to_string();
            assert_eq!(told, "more than 4294967294 packets: those that follow are not read");
            assert_eq!(reader.next_packets(most).unwrap().count(), 0);
        }
    }
}
