//! The prefix codes of DEFLATE (RFC 1951 §3.2.1, §3.2.2), as tables made from the lengths of their code words.

/// The longest code word in bits.
const MAX_LEN: usize = 15;

/// The code of literals and lengths (RFC 1951 §3.2.5); 286 and 287 stand for nothing.
pub(super) type LiteralCode = Code<288, 1024>;

/// The code of distances (RFC 1951 §3.2.5); 30 and 31 stand for nothing.
pub(super) type DistanceCode = Code<32, 256>;

/// The code of the lengths of the other two (RFC 1951 §3.2.7).
pub(super) type LengthCode = Code<19, 128>;

/// A prefix code with at most `SYMBOLS` symbols. Words of up to `log2(FAST)` bits are found in one step.
#[derive(Clone)]
pub(super) struct Code<const SYMBOLS: usize, const FAST: usize> {
    /// For every value of the next bits of the stream `symbol << 4 | length of its word`; 0 for longer words and for
    /// words that stand for nothing.
    fast: [u16; FAST],
    /// How many words have each length.
    counts: [u16; MAX_LEN + 1],
    /// The symbols in order of their words.
    symbols: [u16; SYMBOLS],
    longest: u8,
}

/// What the next bits of a stream are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Symbol {
        symbol: u16,
        /// Bits that it takes.
        len: u32,
    },
    /// Too few bits to say.
    Cut,
    /// Bits that stand for nothing.
    Unassigned,
}

/// The lengths that were sent make no code that an inflater accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoCode;

impl<const SYMBOLS: usize, const FAST: usize> Code<SYMBOLS, FAST> {
    pub(super) const EMPTY: Self =
        Self { fast: [0; FAST], counts: [0; MAX_LEN + 1], symbols: [0; SYMBOLS], longest: 0 };

    /// Takes the code whose words have these lengths, 0 for symbols that have none; at most `SYMBOLS` of at most
    /// 15 bits.
    ///
    /// Accepts what zlib accepts: a complete code, or one with at most one word, of one bit.
    pub(super) const fn read(&mut self, lengths: &[u8]) -> Result<(), NoCode> {
        self.fast = [0; FAST];
        self.counts = [0; MAX_LEN + 1];
        let mut symbol = 0;
        while symbol < lengths.len() {
            self.counts[lengths[symbol] as usize] += 1;
            symbol += 1;
        }
        self.counts[0] = 0;

        // The first word of each length, the place of its symbol, and how many words are left to give.
        let mut words = [0u32; MAX_LEN + 1];
        let mut places = [0u16; MAX_LEN + 1];
        let mut left = 1i32;
        self.longest = 0;
        let mut len = 1;
        while len <= MAX_LEN {
            left = (left << 1) - self.counts[len] as i32;
            if left < 0 {
                return Err(NoCode);
            }
            if self.counts[len] > 0 {
                self.longest = len as u8;
            }
            if len < MAX_LEN {
                words[len + 1] = (words[len] + self.counts[len] as u32) << 1;
                places[len + 1] = places[len] + self.counts[len];
            }
            len += 1;
        }
        if left > 0 && self.longest > 1 {
            return Err(NoCode);
        }

        let mut symbol = 0;
        while symbol < lengths.len() {
            let len = lengths[symbol] as usize;
            if len > 0 {
                self.symbols[places[len] as usize] = symbol as u16;
                places[len] += 1;
                // Words are sent with their first bit first, everything else in a stream with its last (§3.1.1).
                let mut next = (words[len].reverse_bits() >> (32 - len)) as usize;
                words[len] += 1;
                let step = 1 << len;
                while step <= FAST && next < FAST {
                    self.fast[next] = (symbol as u16) << 4 | len as u16;
                    next += step;
                }
            }
            symbol += 1;
        }
        Ok(())
    }

    /// The word at the start of `bits`, of which `available` are real and the others 0.
    #[inline(always)]
    pub(super) fn word(&self, bits: u64, available: u32) -> Word {
        let entry = self.fast[bits as usize & (FAST - 1)];
        let len = u32::from(entry & 0xF);
        if entry != 0 && len <= available {
            return Word::Symbol { symbol: entry >> 4, len };
        }
        self.long_word(bits, available)
    }

    /// The same bit by bit.
    #[cold]
    fn long_word(&self, bits: u64, available: u32) -> Word {
        let (mut word, mut first, mut place) = (0u32, 0u32, 0u32);
        for len in 1..=u32::from(self.longest) {
            if len > available {
                return Word::Cut;
            }
            word |= (bits >> (len - 1)) as u32 & 1;
            let count = u32::from(self.counts[len as usize]);
            if word < first + count {
                // A word is never before the first of its length, because shorter ones were tried.
                let symbol = self.symbols[(place + word - first) as usize];
                return Word::Symbol { symbol, len };
            }
            place += count;
            first = (first + count) << 1;
            word <<= 1;
        }
        if available == 0 { Word::Cut } else { Word::Unassigned }
    }
}

/// The codes of a block with fixed codes (RFC 1951 §3.2.6).
pub(super) static FIXED: (LiteralCode, DistanceCode) = fixed();

const fn fixed() -> (LiteralCode, DistanceCode) {
    let mut lengths = [8u8; 288];
    let mut symbol = 144;
    while symbol < 280 {
        lengths[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    let (mut literals, mut distances) = (LiteralCode::EMPTY, DistanceCode::EMPTY);
    // Both are complete codes; the tests hold them against zlib.
    let _ = literals.read(&lengths);
    let _ = distances.read(&[5; 32]);
    (literals, distances)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1951 §3.2.2: symbols A to H with lengths 3, 3, 3, 3, 3, 2, 4, 4.
    #[test]
    fn words_are_given_as_in_the_rfc() {
        let mut code = Code::<8, 4>::EMPTY;
        assert_eq!(code.read(&[3, 3, 3, 3, 3, 2, 4, 4]), Ok(()));
        let words = ["010", "011", "100", "101", "110", "00", "1110", "1111"];
        for (symbol, word) in words.iter().enumerate() {
            let bits = word.bytes().rev().fold(0, |bits, digit| bits << 1 | u64::from(digit == b'1'));
            let len = word.len() as u32;
            assert_eq!(code.word(bits, len), Word::Symbol { symbol: symbol as u16, len }, "{word}");
            assert_eq!(code.word(bits, len - 1), Word::Cut, "{word}");
        }
    }

    #[test]
    fn lengths_that_make_no_code() {
        let mut code = Code::<8, 4>::EMPTY;
        assert_eq!(code.read(&[1, 1, 1]), Err(NoCode), "too many words");
        assert_eq!(code.read(&[2, 2, 2]), Err(NoCode), "a word too few");
        assert_eq!(code.read(&[2]), Err(NoCode));
        assert_eq!(code.read(&[0, 1]), Ok(()), "one distance may have a word of one bit");
        assert_eq!((code.word(0, 1), code.word(1, 1)), (Word::Symbol { symbol: 1, len: 1 }, Word::Unassigned));
        assert_eq!(code.read(&[]), Ok(()));
        assert_eq!((code.word(0, 9), code.word(0, 0)), (Word::Unassigned, Word::Cut));
    }
}
