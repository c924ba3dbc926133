//! Our inflater against zlib and against a third reader of DEFLATE, written from RFC 1951 alone, one bit at a time.

use super::super::UNKNOWN;
use super::super::inflater::{Inflater, Pause, Reference};
use super::super::window::Window;
use flate2::{Decompress, FlushDecompress, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::HashMap;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Strategy as ZlibStrategy};

/// What the third reader made of a stream, up to where it could not go on.
#[derive(Debug, Default)]
struct Read {
    clear: Vec<u8>,
    references: Vec<(u64, u32)>,
    /// It has come to the end of the data where a block ends.
    whole: bool,
}

/// A stream as bits.
struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = self.bytes.get(self.at / 8)?;
        self.at += 1;
        Some(usize::from(byte >> ((self.at - 1) % 8) & 1))
    }

    fn number(&mut self, bits: usize) -> Option<usize> {
        (0..bits).try_fold(0, |number, place| Some(number | self.bit()? << place))
    }

    /// The symbol of the next word.
    fn symbol(&mut self, code: &HashMap<(usize, usize), usize>) -> Option<usize> {
        let mut word = 0;
        for len in 1..=15 {
            word = word << 1 | self.bit()?;
            if let Some(symbol) = code.get(&(len, word)) {
                return Some(*symbol);
            }
        }
        None
    }
}

/// RFC 1951 §3.2.2.
fn code(lengths: &[usize]) -> HashMap<(usize, usize), usize> {
    let mut code = HashMap::new();
    let mut next = 0;
    for len in 1..=15 {
        for (symbol, _) in lengths.iter().enumerate().filter(|(_, of)| **of == len) {
            code.insert((len, next), symbol);
            next += 1;
        }
        next <<= 1;
    }
    code
}

/// RFC 1951 §3.2.3, one stream after the other. `None` at the end or where it is no DEFLATE data; `read` has what came
/// before.
fn read_blocks(bits: &mut Bits<'_>, read: &mut Read) -> Option<()> {
    loop {
        read.whole = bits.at.div_ceil(8) == bits.bytes.len();
        let last = bits.bit()?;
        match bits.number(2)? {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let len = bits.number(16)?;
                if bits.number(16)? != len ^ 0xFFFF {
                    return None;
                }
                for _ in 0..len {
                    read.clear.push(bits.number(8)? as u8);
                }
            }
            1 => {
                let fixed = |symbol| match symbol {
                    0..=143 => 8,
                    144..=255 => 9,
                    256..=279 => 7,
                    _ => 8,
                };
                let literals: Vec<usize> = (0..288).map(fixed).collect();
                read_tokens(bits, &code(&literals), &code(&[5; 30]), read)?;
            }
            2 => {
                let (literals, distances) = read_codes(bits)?;
                read_tokens(bits, &literals, &distances, read)?;
            }
            _ => return None,
        }
        if last == 1 {
            bits.at = bits.at.next_multiple_of(8);
        }
    }
}

type Words = HashMap<(usize, usize), usize>;

/// RFC 1951 §3.2.7.
fn read_codes(bits: &mut Bits<'_>) -> Option<(Words, Words)> {
    let (literals, distances, sent) = (bits.number(5)? + 257, bits.number(5)? + 1, bits.number(4)? + 4);
    let mut of_lengths = [0; 19];
    for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].into_iter().take(sent) {
        of_lengths[symbol] = bits.number(3)?;
    }
    let of_lengths = code(&of_lengths);
    let mut lengths: Vec<usize> = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match bits.symbol(&of_lengths)? {
            16 => (*lengths.last()?, bits.number(2)? + 3),
            17 => (0, bits.number(3)? + 3),
            18 => (0, bits.number(7)? + 11),
            value => (value, 1),
        };
        lengths.extend(std::iter::repeat_n(value, times));
    }
    Some((code(&lengths[..literals]), code(lengths.get(literals..literals + distances)?)))
}

/// RFC 1951 §3.2.5, whose two tables these are.
fn read_tokens(bits: &mut Bits<'_>, literals: &Words, distances: &Words, read: &mut Read) -> Option<()> {
    const LENGTHS: [usize; 29] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ];
    const LENGTH_BITS: [usize; 29] =
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
    const DISTANCES: [usize; 30] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
        6145, 8193, 12289, 16385, 24577,
    ];
    loop {
        let symbol = bits.symbol(literals)?;
        if symbol < 256 {
            read.clear.push(symbol as u8);
        } else if symbol == 256 {
            return Some(());
        } else {
            let len = *LENGTHS.get(symbol - 257)? + bits.number(LENGTH_BITS[symbol - 257])?;
            let symbol = bits.symbol(distances)?;
            let distance = *DISTANCES.get(symbol)? + bits.number(symbol.saturating_sub(2) / 2)?;
            let at = read.clear.len();
            let from = at.checked_sub(distance)?;
            read.references.push((at as u64, distance as u32));
            for i in from..from + len {
                read.clear.push(read.clear[i]);
            }
        }
    }
}

fn read(stream: &[u8]) -> Read {
    let mut read = Read::default();
    let _ = read_blocks(&mut Bits { bytes: stream, at: 0 }, &mut read);
    read
}

/// What comes before a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Unknown,
}

/// What zlib inflates, up to the byte at which it says that the data are damaged. It is given one byte at a time, because
/// it takes more than it needs otherwise.
fn zlib(stream: &[u8], before: Before) -> (Vec<u8>, Option<usize>) {
    let mut clear = Vec::new();
    let mut room = vec![0; 1 << 16];
    let mut inflater = Decompress::new(false);
    if before == Before::Unknown {
        inflater.set_dictionary(&[UNKNOWN; 1 << 15]).expect("a raw inflater takes any");
    }
    for (at, byte) in stream.iter().enumerate() {
        let before = inflater.total_out();
        let result = inflater.decompress(&[*byte], &mut room, FlushDecompress::Sync);
        clear.extend(&room[..(inflater.total_out() - before) as usize]);
        match result {
            Err(_) => return (clear, Some(at)),
            Ok(Status::StreamEnd) => inflater.reset(false),
            Ok(_) => {}
        }
    }
    (clear, None)
}

/// What ours makes of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Inflated {
    clear: Vec<u8>,
    /// References that go back too far: where, how far, and how many bytes of the stream were used then.
    far: Vec<(u64, u32, usize)>,
    /// The byte at which it is no DEFLATE data.
    broken: Option<usize>,
    at_rest: bool,
}

fn inflate(stream: &[u8], cuts: &[usize], farthest: u32, before: Before) -> Inflated {
    let (mut inflater, mut window, mut result) = (Inflater::new(), Window::default(), Inflated::default());
    window.restart(before == Before::Unknown);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(stream.len());
    let mut start = 0;
    for cut in cuts {
        loop {
            let (used, pause) = inflater.inflate(&stream[start..cut], &mut window, farthest);
            start += used;
            result.clear.extend(window.fresh());
            match pause {
                Pause::Hungry => break,
                Pause::Full => window.make_room(),
                Pause::Far(Reference { distance, len }) => {
                    result.far.push((result.clear.len() as u64 - u64::from(len), distance, start));
                }
                Pause::StreamEnd => window.restart(false),
                Pause::Broken => {
                    result.broken = Some(start - 1);
                    return result;
                }
            }
        }
        assert_eq!(start, cut, "it is hungry when all is read");
    }
    result.at_rest = inflater.is_at_rest();
    result
}

/// The same from one byte to the next.
fn inflate_byte_by_byte(stream: &[u8], farthest: u32, before: Before) -> Inflated {
    inflate(stream, &(0..stream.len()).collect::<Vec<_>>(), farthest, before)
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let noise = vec(any::<u8>(), 0..700);
    let words = vec(select(&["the ", "quick ", "brown ", "fox ", "{\"id\":", "1234", "},", "ä"][..]), 0..600)
        .prop_map(|words| words.concat().into_bytes());
    let runs = vec((any::<u8>(), 1usize..900), 0..12)
        .prop_map(|runs| runs.into_iter().flat_map(|(byte, len)| vec![byte; len]).collect());
    // A piece again and again, with noise between that decides how far back.
    let far = (vec(any::<u8>(), 20..60), vec(vec(any::<u8>(), 0..3000), 0..12))
        .prop_map(|(piece, gaps)| gaps.into_iter().flat_map(|gap| [piece.clone(), gap].concat()).collect());
    prop_oneof![noise, words, runs, far]
}

fn config() -> impl Strategy<Value = DeflateConfig> {
    use ZlibStrategy::{Default, Filtered, Fixed, HuffmanOnly, Rle};
    (0i32..=9, 9i32..=15, 1i32..=9, select(&[Default, Filtered, HuffmanOnly, Rle, Fixed][..])).prop_map(
        |(level, window_bits, mem_level, strategy)| DeflateConfig {
            level,
            window_bits: -window_bits,
            mem_level,
            strategy,
            ..DeflateConfig::default()
        },
    )
}

fn flush() -> impl Strategy<Value = DeflateFlush> {
    use DeflateFlush::{Block, FullFlush, NoFlush, PartialFlush, SyncFlush};
    prop_oneof![Just(NoFlush), Just(SyncFlush), Just(SyncFlush), Just(FullFlush), Just(PartialFlush), Just(Block)]
}

/// One stream, flushed behind each part and ended if `finish`.
fn deflate(config: DeflateConfig, parts: &[(Vec<u8>, DeflateFlush)], finish: bool) -> Vec<u8> {
    let mut deflater = Deflate::new_with_config(config);
    let mut stream = Vec::new();
    let mut room = vec![0; 1 << 17];
    let last = (Vec::new(), if finish { DeflateFlush::Finish } else { DeflateFlush::SyncFlush });
    for (part, flush) in parts.iter().chain([&last]) {
        let before = deflater.total_out();
        deflater.compress(part, &mut room, *flush).expect("a fresh deflater takes everything");
        stream.extend(&room[..(deflater.total_out() - before) as usize]);
    }
    stream
}

/// Far more than a window, referred to from every distance that zlib uses, in messages and at once.
#[test]
fn references_reach_back_over_the_whole_window() {
    for period in [1, 2, 3, 7, 8, 9, 31, 32, 33, 300, 16_000, 32_768 - 262] {
        let mut noise = 1u32;
        let mut clear: Vec<u8> = Vec::new();
        for at in 0..200_000 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let is_new = at < period || at % 997 == 0;
            clear.push(if is_new { (noise >> 24) as u8 } else { clear[at - period] });
        }
        for len in [1000, 100_000] {
            let parts: Vec<_> = clear.chunks(len).map(|part| (part.to_vec(), DeflateFlush::SyncFlush)).collect();
            let stream = deflate(DeflateConfig { window_bits: -15, ..DeflateConfig::default() }, &parts, false);
            let farthest = period as u32 - 1;
            let whole = inflate(&stream, &[], farthest, Before::Nothing);
            assert!(whole.clear == clear && whole.at_rest, "period {period}, parts of {len}");
            assert!(!whole.far.is_empty(), "the period {period} is referred to");
            assert!(inflate(&stream, &[70_000, 150_000], farthest, Before::Nothing) == whole);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// All levels, strategies, windows and kinds of flush.
    #[test]
    fn what_zlib_writes_is_read_to_the_byte(
        config in config(),
        parts in vec((content(), flush()), 1..4),
        finish in any::<bool>(),
        cuts in vec(any::<usize>(), 0..20),
        farthest in select(&[0u32, 1, 100, 250, 256, 512, 3000, 32_767][..]),
    ) {
        let stream = deflate(config, &parts, finish);
        let clear = parts.iter().flat_map(|(part, _)| part).copied().collect::<Vec<_>>();
        let third = read(&stream);
        prop_assert_eq!(&third.clear, &clear);
        prop_assert!(third.whole);

        let whole = inflate(&stream, &[], farthest, Before::Nothing);
        prop_assert_eq!(&inflate(&stream, &cuts, farthest, Before::Nothing), &whole, "cuts change nothing");
        prop_assert_eq!(&inflate_byte_by_byte(&stream, farthest, Before::Nothing), &whole);
        prop_assert_eq!(&whole.clear, &clear);
        let expected: Vec<_> = third.references.into_iter().filter(|(_, distance)| *distance > farthest).collect();
        let found: Vec<_> = whole.far.iter().map(|(at, distance, _)| (*at, *distance)).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(whole.at_rest && whole.broken.is_none());
        // zlib keeps its longest match and a little more free at the end of its window, so none reaches the whole of it.
        let reach = (1u32 << -config.window_bits) - 262;
        prop_assert_eq!(inflate(&stream, &[], reach, Before::Nothing).far, []);
    }

    /// What refers to an unknown window is as long as it was, and shows where it is unknown.
    #[test]
    fn a_stream_may_begin_in_the_middle(
        config in config(),
        lost in content(),
        parts in vec((content(), flush()), 1..4),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let begin = deflate(config, &[(lost.clone(), DeflateFlush::SyncFlush)], false);
        let parts = [&[(lost, DeflateFlush::SyncFlush)][..], &parts].concat();
        let whole = deflate(config, &parts, false);
        // Flushed twice: the empty block at the end of the one, or what stands there in the other, is known anyway.
        let rest = &whole[begin.len().min(whole.len())..];
        prop_assert_eq!(whole.get(..begin.len() - 5), begin.get(..begin.len() - 5));
        let (clear, broken) = zlib(rest, Before::Unknown);
        let ours = inflate(rest, &cuts, u32::MAX, Before::Unknown);
        prop_assert_eq!((ours.clear, ours.broken), (clear, broken));
    }

    /// Damage is found where zlib finds it, and what is before it is the same.
    #[test]
    fn damage_is_told_at_the_same_byte(
        config in config(),
        parts in vec((content(), flush()), 1..3),
        flips in vec((any::<Index>(), 0u8..8), 1..4),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let mut stream = deflate(config, &parts, false);
        for (index, bit) in flips {
            let at = index.index(stream.len());
            stream[at] ^= 1 << bit;
        }
        for before in [Before::Nothing, Before::Unknown] {
            let (clear, broken) = zlib(&stream, before);
            for cuts in [&cuts[..], &[]] {
                let ours = inflate(&stream, cuts, u32::MAX, before);
                prop_assert_eq!((&ours.clear, ours.broken), (&clear, broken), "{:?}", before);
            }
        }
    }

    /// The same for headers of blocks that no compressor writes: `kind` is how the first begins.
    #[test]
    fn whatever_comes_is_read_as_by_zlib(
        kind in 0u8..8,
        lengths_sent in 0u8..16,
        stream in vec(any::<u8>(), 3..200),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let mut stream = stream;
        stream[0] = stream[0] & !7 | kind;
        stream[1] = stream[1] & !0x60 | lengths_sent << 5;
        let (clear, broken) = zlib(&stream, Before::Nothing);
        for cuts in [&cuts[..], &[]] {
            let ours = inflate(&stream, cuts, u32::MAX, Before::Nothing);
            prop_assert_eq!((&ours.clear, ours.broken), (&clear, broken));
        }
    }
}
