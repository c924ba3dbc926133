//! The prefix codes of DEFLATE (RFC 1951 §3.2.1, §3.2.2), as tables made from the lengths of their code words.
//!
//! What a word stands for and how many bits it takes, those of its extra bits included, come out of a table in one step; only
//! words that are longer than the table's index are found by comparing with the last word of each length.

use std::sync::LazyLock;

/// The longest code word in bits.
const MAX_LEN: usize = 15;

/// The symbol that ends a block.
pub(super) const END_OF_BLOCK: u16 = 256;

/// The code of literals and lengths (RFC 1951 §3.2.5); 286 and 287 stand for nothing.
pub(super) type LiteralCode = Code<288, 1024>;

/// The code of distances (RFC 1951 §3.2.5); 30 and 31 stand for nothing.
pub(super) type DistanceCode = Code<32, 256>;

/// The code of the lengths of the other two (RFC 1951 §3.2.7).
pub(super) type LengthCode = Code<19, 128>;

/// The two codes of a block.
pub(super) struct Codes {
    pub(super) literals: LiteralCode,
    pub(super) distances: DistanceCode,
}

/// A prefix code with at most `SYMBOLS` symbols. Words of up to `log2(FAST)` bits are found in one step.
pub(super) struct Code<const SYMBOLS: usize, const FAST: usize> {
    /// What each value of the next bits of the stream begins with.
    fast: [Entry; FAST],
    /// What each symbol stands for.
    meanings: &'static [Entry; SYMBOLS],
    /// The symbols in order of their words.
    symbols: [u16; SYMBOLS],
    /// For each length the first word that is not of this length or a shorter one, followed by zeros up to `MAX_LEN` bits.
    ends: [u32; MAX_LEN + 1],
    /// For each length what is added to a word to get the place of its symbol; wraps.
    places: [u32; MAX_LEN + 1],
}

/// What the next bits of a stream are: a word with its extra bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u32);

/// That a symbol has a word, and of how many bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) symbol: u16,
    /// 1 to 15.
    pub(super) len: u8,
}

/// How far the words of a code use up what can be said with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filling {
    Complete,
    /// There is one word of one bit.
    OneWord,
    Empty,
}

/// The lengths that were sent make no code that an inflater accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoCode;

impl Entry {
    // From the lowest bit: bits that it takes (8), those of the word (4), these marks, the value (15) and one more mark.
    const END: u32 = 1 << 13;
    const LONG: u32 = 1 << 14;
    /// It is neither a literal nor the least value of a length or distance.
    const ODD: u32 = 1 << 15;
    const LITERAL: u32 = 1 << 31;

    /// Stands for nothing.
    const NOTHING: Self = Self(Self::ODD);
    /// One bit that stands for nothing.
    const UNASSIGNED: Self = Self::NOTHING.with_word(1);
    /// The word is longer than the table's index.
    const LONGER: Self = Self(Self::ODD | Self::LONG);

    /// A length or distance: its least value, and how many bits are added to it.
    const fn number(least: u32, extra: u32) -> Self {
        Self(least << 16 | extra)
    }

    const fn with_word(self, len: u32) -> Self {
        Self(self.0 + len * 0x101)
    }

    #[inline(always)]
    pub(super) fn is_literal(self) -> bool {
        self.0 & Self::LITERAL != 0
    }

    /// It is the end of the block or stands for nothing.
    #[inline(always)]
    pub(super) fn is_odd(self) -> bool {
        self.0 & Self::ODD != 0
    }

    #[inline(always)]
    pub(super) fn is_end(self) -> bool {
        self.0 & Self::END != 0
    }

    #[inline(always)]
    fn is_long(self) -> bool {
        self.0 & Self::LONG != 0
    }

    /// Bits that the word takes.
    #[inline(always)]
    pub(super) fn word_bits(self) -> u32 {
        self.0 >> 8 & 0xF
    }

    /// Bits that the word and its extra bits take; below 64.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        self.0 & 0x3F
    }

    #[inline(always)]
    pub(super) fn literal(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// The symbol, where each stands for itself.
    #[inline(always)]
    pub(super) fn symbol(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The length or distance that `bits` begin with.
    #[inline(always)]
    pub(super) fn value(self, bits: u64) -> usize {
        let least = self.0 >> 16 & 0x7FFF;
        least as usize + ((bits & ((1 << self.bits()) - 1)) >> self.word_bits()) as usize
    }
}

impl<const SYMBOLS: usize, const FAST: usize> Code<SYMBOLS, FAST> {
    const FAST_BITS: usize = FAST.ilog2() as usize;

    fn new(meanings: &'static [Entry; SYMBOLS]) -> Self {
        Self {
            fast: [Entry::UNASSIGNED; FAST],
            meanings,
            symbols: [0; SYMBOLS],
            ends: [0; MAX_LEN + 1],
            places: [0; MAX_LEN + 1],
        }
    }

    /// Takes the code with these words, in order of their symbols, of which there are at most `SYMBOLS`, counted from
    /// `first`.
    ///
    /// Accepts what zlib accepts of literals and distances: a complete code, or one with at most one word, of one bit.
    pub(super) fn read(&mut self, given: &[Given], first: u16) -> Result<Filling, NoCode> {
        let mut counts = [0u32; MAX_LEN + 1];
        for word in given {
            counts[usize::from(word.len) & MAX_LEN] += 1;
        }
        // How many words are left to give.
        let mut left = 1i32;
        let (mut place, mut word) = (0u32, 0u32);
        let mut next = [0u32; MAX_LEN + 1];
        for (len, count) in counts.iter().enumerate().skip(1) {
            // At most 2^15 words, and at most 320 are given: it does not overflow.
            left = (left << 1) - *count as i32;
            if left < 0 {
                return Err(NoCode);
            }
            next[len] = place;
            self.places[len] = place.wrapping_sub(word);
            place += count;
            word += count;
            self.ends[len] = word << (MAX_LEN - len);
            word <<= 1;
        }
        let filling = match (left, given.len()) {
            (0, _) => Filling::Complete,
            (_, 0) => Filling::Empty,
            _ if counts[1] == 1 && given.len() == 1 => Filling::OneWord,
            _ => return Err(NoCode),
        };
        for Given { symbol, len } in given {
            let place = &mut next[usize::from(*len) & MAX_LEN];
            self.symbols[*place as usize] = symbol - first;
            *place += 1;
        }
        self.fill(&counts, if filling == Filling::Complete { Entry::LONGER } else { Entry::UNASSIGNED });
        Ok(filling)
    }

    /// Makes the table out of the order of the symbols; `other` is what is not a word of at most `FAST_BITS`.
    fn fill(&mut self, counts: &[u32; MAX_LEN + 1], other: Entry) {
        self.fast[0] = other;
        // Words are sent with their first bit first, everything else in a stream with its last (§3.1.1): here they are
        // reversed. What is known for the words of one bit less holds whatever their next bit is.
        let mut word = 0;
        let mut symbols = self.symbols.iter();
        for (len, count) in counts.iter().enumerate().take(Self::FAST_BITS + 1).skip(1) {
            let half = 1 << (len - 1);
            self.fast.copy_within(..half, half);
            for symbol in symbols.by_ref().take(*count as usize) {
                self.fast[word & (FAST - 1)] = self.meanings[usize::from(*symbol)].with_word(len as u32);
                // One more, from the first bit on.
                let zeros: usize = !word & (2 * half - 1);
                let bit = 1 << zeros.checked_ilog2().unwrap_or(0);
                word = word & (bit - 1) | bit;
            }
        }
    }

    /// The word at the start of `bits`, if so many bits are there as it says.
    #[inline(always)]
    pub(super) fn entry(&self, bits: u64) -> Entry {
        let entry = self.fast[bits as usize & (FAST - 1)];
        if entry.is_long() { self.long_entry(bits) } else { entry }
    }

    /// The same, but a longer word only [is odd](Entry::is_odd).
    #[inline(always)]
    pub(super) fn fast_entry(&self, bits: u64) -> Entry {
        self.fast[bits as usize & (FAST - 1)]
    }

    #[inline(never)]
    fn long_entry(&self, bits: u64) -> Entry {
        let word = u32::from((bits as u16).reverse_bits() >> 1);
        for len in Self::FAST_BITS + 1..=MAX_LEN {
            if word < self.ends[len] {
                let place = self.places[len].wrapping_add(word >> (MAX_LEN - len)) as usize;
                return self.meanings[usize::from(self.symbols[place])].with_word(len as u32);
            }
        }
        Entry::UNASSIGNED
    }
}

impl LengthCode {
    pub(super) fn of_lengths() -> Self {
        Self::new(&LENGTH_SYMBOLS)
    }
}

impl Codes {
    pub(super) fn new() -> Self {
        Self { literals: Code::new(&LITERALS), distances: Code::new(&DISTANCES) }
    }
}

/// The codes of a block with fixed codes (RFC 1951 §3.2.6).
pub(super) static FIXED: LazyLock<Codes> = LazyLock::new(|| {
    let mut codes = Codes::new();
    let len_of = |symbol| match symbol {
        144..=255 => 9,
        256..=279 => 7,
        _ => 8,
    };
    let literals: Vec<_> = (0..288).map(|symbol| Given { symbol, len: len_of(symbol) }).collect();
    let distances: Vec<_> = (0..32).map(|symbol| Given { symbol, len: 5 }).collect();
    codes.literals.read(&literals, 0).expect("these lengths make a complete code");
    codes.distances.read(&distances, 0).expect("so do 32 words of 5 bits");
    codes
});

/// Literals, the end of a block, lengths (RFC 1951 §3.2.5).
static LITERALS: [Entry; 288] = {
    let mut table = [Entry::NOTHING; 288];
    let mut symbol = 0;
    while symbol < 256 {
        table[symbol] = Entry(Entry::LITERAL | (symbol as u32) << 16);
        symbol += 1;
    }
    table[END_OF_BLOCK as usize] = Entry(Entry::ODD | Entry::END);
    let (mut nth, mut least) = (0, 3);
    while nth < 28 {
        let extra = if nth < 8 { 0 } else { nth / 4 - 1 };
        table[257 + nth as usize] = Entry::number(least, extra);
        least += 1 << extra;
        nth += 1;
    }
    table[285] = Entry::number(258, 0);
    table
};

/// Distances (RFC 1951 §3.2.5).
static DISTANCES: [Entry; 32] = {
    let mut table = [Entry::NOTHING; 32];
    let (mut symbol, mut least) = (0, 1);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { symbol / 2 - 1 };
        table[symbol as usize] = Entry::number(least, extra);
        least += 1 << extra;
        symbol += 1;
    }
    table
};

/// The symbols of the code of lengths, as themselves; what follows them is for the reader of a block header.
static LENGTH_SYMBOLS: [Entry; 19] = themselves();

/// Symbols that stand for themselves.
const fn themselves<const SYMBOLS: usize>() -> [Entry; SYMBOLS] {
    let mut table = [Entry::NOTHING; SYMBOLS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        table[symbol] = Entry::number(symbol as u32, 0);
        symbol += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    static LETTERS: [Entry; 8] = themselves();

    fn read(lengths: &[u8]) -> (Code<8, 4>, Result<Filling, NoCode>) {
        let mut code = Code::new(&LETTERS);
        let given: Vec<_> =
            (10..).zip(lengths).filter(|(_, len)| **len > 0).map(|(symbol, len)| Given { symbol, len: *len }).collect();
        let result = code.read(&given, 10);
        (code, result)
    }

    /// The example of RFC 1951 §3.2.2: symbols A to H with lengths 3, 3, 3, 3, 3, 2, 4, 4.
    #[test]
    fn words_are_given_as_in_the_rfc() {
        let (code, result) = read(&[3, 3, 3, 3, 3, 2, 4, 4]);
        assert_eq!(result, Ok(Filling::Complete));
        let words = ["010", "011", "100", "101", "110", "00", "1110", "1111"];
        for (symbol, word) in (0..).zip(words) {
            let bits = word.bytes().rev().fold(0, |bits, digit| bits << 1 | u64::from(digit == b'1'));
            for behind in 0..4 {
                let entry = code.entry(bits | behind << word.len());
                assert_eq!((entry.symbol(), entry.word_bits() as usize), (symbol, word.len()), "{word}");
            }
        }
    }

    #[test]
    fn lengths_that_make_no_code() {
        assert_eq!(read(&[1, 1, 1]).1, Err(NoCode), "too many words");
        assert_eq!(read(&[2, 2, 2]).1, Err(NoCode), "a word too few");
        assert_eq!(read(&[2]).1, Err(NoCode));
        let (code, result) = read(&[0, 1]);
        assert_eq!(result, Ok(Filling::OneWord), "one distance may have a word of one bit");
        assert_eq!((code.entry(0).symbol(), code.entry(0).bits()), (1, 1));
        assert_eq!(code.entry(1), Entry::UNASSIGNED);
        let (code, result) = read(&[]);
        assert_eq!((result, code.entry(0), code.entry(1)), (Ok(Filling::Empty), Entry::UNASSIGNED, Entry::UNASSIGNED));
    }
}
