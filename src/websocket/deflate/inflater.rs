//! Reading DEFLATE (RFC 1951) as it comes.
//!
//! Every step (a block header, the length of a code word, a literal, a reference) needs at most 48 bits and is taken as a
//! whole or not at all, so between two pieces of input fewer than that are kept, besides the codes of the block under way.
//! In the middle of a piece tokens are read eight bytes of input at a time and without asking how many there are.
//!
//! What is no DEFLATE data is what zlib takes for none, and is told at the same byte: a code that says more or less than its
//! words can, lengths that run over their end, symbols that stand for nothing, a reference to before the first byte.

use super::codes::{Codes, END_OF_BLOCK, Entry, FIXED, Filling, Given, LengthCode};
use super::window::{Ahead, Window};

/// Reads one DEFLATE stream after the other. What it inflates to is in a [`Window`]; between two messages that end where a
/// block does it need not be the same one.
pub(super) struct Inflater {
    bits: Bits,
    state: State,
    last_block: bool,
    fixed: bool,
    codes: Codes,
    header: Header,
}

/// Bits that were taken from the input and not used, the next one lowest. Those from `held` on are 0 or what follows in
/// the input.
#[derive(Debug, Clone, Copy)]
struct Bits {
    bits: u64,
    held: u32,
}

/// A block header with the lengths of code words (RFC 1951 §3.2.7), as far as it was read.
struct Header {
    code: LengthCode,
    /// Of symbols that have a word; those of distances are counted on from those of literals.
    given: [Given; MOST_SYMBOLS],
    words: usize,
    read: u16,
    literals: u16,
    distances: u16,
    lengths_sent: u16,
    last: u8,
}

/// Literals and distances that can be given a length.
const MOST_SYMBOLS: usize = 320;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Block,
    StoredLength,
    Stored(u32),
    Counts,
    CodeLengths,
    Lengths,
    Tokens,
}

/// What became of one step.
enum Step {
    Done,
    Stop(Pause),
}

/// Why an inflater does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// All input is used.
    Hungry,
    /// The window has no room for more.
    Full,
    /// The reference just followed goes back farther than asked for.
    Far(Reference),
    /// A block with BFINAL has ended; the next stream begins on a whole byte.
    StreamEnd,
    /// This is no DEFLATE data; the byte used last made it certain.
    Broken,
}

/// A reference back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    /// How many bytes it goes back.
    pub(super) distance: u32,
    /// How many bytes it stands for.
    pub(super) len: u32,
}

/// A piece of the stream and how much of it was taken.
struct Input<'i> {
    bytes: &'i [u8],
    used: usize,
}

impl Bits {
    const NONE: Self = Self { bits: 0, held: 0 };

    /// Takes as much input as there is room for.
    #[inline(always)]
    fn refill(&mut self, input: &mut Input<'_>) {
        if !self.refill_fast(input) {
            self.bits &= low(self.held);
            while self.held <= 56
                && let Some(byte) = input.bytes.get(input.used)
            {
                self.bits |= u64::from(*byte) << self.held;
                self.held += 8;
                input.used += 1;
            }
        }
    }

    /// Takes input so that at least 56 bits are there, if eight bytes are left.
    #[inline(always)]
    fn refill_fast(&mut self, input: &mut Input<'_>) -> bool {
        let Some(word) = input.bytes.get(input.used..).and_then(<[u8]>::first_chunk) else { return false };
        self.bits |= u64::from_le_bytes(*word) << self.held;
        input.used += (63 - self.held as usize) >> 3;
        self.held |= 56;
        true
    }

    /// Gives whole bytes back to the input that were taken in advance. They all came from this piece of it: what was
    /// left of an earlier one did not suffice for the step just taken.
    fn hand_back(&mut self, input: &mut Input<'_>) {
        let bytes = (self.held / 8) as usize;
        input.used = input.used.saturating_sub(bytes);
        self.held %= 8;
        self.bits &= low(self.held);
    }

    /// The next `count` bits, at most 32, if there are so many.
    fn take(&mut self, count: u32) -> Option<u32> {
        if count > self.held {
            return None;
        }
        let value = (self.bits & low(count)) as u32;
        self.consume(count);
        Some(value)
    }

    #[inline(always)]
    fn consume(&mut self, count: u32) {
        self.bits >>= count;
        self.held -= count;
    }
}

impl Inflater {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            bits: Bits::NONE,
            state: State::Block,
            last_block: false,
            fixed: false,
            codes: Codes::new(),
            header: Header {
                code: LengthCode::of_lengths(),
                given: [Given { symbol: 0, len: 0 }; MOST_SYMBOLS],
                words: 0,
                read: 0,
                literals: 0,
                distances: 0,
                lengths_sent: 0,
                last: 0,
            },
        })
    }

    /// Expects a new stream.
    pub(super) fn restart(&mut self) {
        (self.bits, self.state, self.last_block) = (Bits::NONE, State::Block, false);
    }

    /// Whether it need not be remembered: a block would come next, on a whole byte.
    pub(super) fn is_at_rest(&self) -> bool {
        self.state == State::Block && self.bits.held == 0
    }

    /// Inflates `input` into `window`, up to the first reference that goes back more than `farthest` bytes. Tells how much of
    /// it was used.
    pub(super) fn inflate(&mut self, input: &[u8], window: &mut Window, farthest: u32) -> (usize, Pause) {
        let input = &mut Input { bytes: input, used: 0 };
        loop {
            let step = match self.state {
                State::Tokens => self.tokens(input, window, farthest),
                State::Stored(left) => self.stored(left, input, window),
                State::Lengths => self.lengths(input),
                State::Block => self.block(input),
                State::StoredLength => self.stored_length(input),
                State::Counts => self.counts(input),
                State::CodeLengths => self.code_lengths(input),
            };
            let Step::Stop(pause) = step else { continue };
            if pause == Pause::Hungry {
                self.bits.bits &= low(self.bits.held);
            } else {
                self.bits.hand_back(input);
            }
            return (input.used, pause);
        }
    }

    fn block(&mut self, input: &mut Input<'_>) -> Step {
        self.bits.refill(input);
        let Some(head) = self.bits.take(3) else { return Step::Stop(Pause::Hungry) };
        self.last_block = head & 1 == 1;
        self.state = match head >> 1 {
            0 => {
                self.bits.consume(self.bits.held % 8);
                State::StoredLength
            }
            1 => {
                self.fixed = true;
                State::Tokens
            }
            2 => State::Counts,
            _ => return Step::Stop(Pause::Broken),
        };
        Step::Done
    }

    fn stored_length(&mut self, input: &mut Input<'_>) -> Step {
        self.bits.refill(input);
        let Some(lengths) = self.bits.take(32) else { return Step::Stop(Pause::Hungry) };
        let (len, complement) = (lengths & 0xFFFF, lengths >> 16);
        if len != !complement & 0xFFFF {
            return Step::Stop(Pause::Broken);
        }
        self.bits.hand_back(input);
        self.state = State::Stored(len);
        Step::Done
    }

    fn stored(&mut self, left: u32, input: &mut Input<'_>, window: &mut Window) -> Step {
        let here = input.bytes.get(input.used..).unwrap_or_default();
        let stored = window.store(&here[..here.len().min(left as usize)]);
        input.used += stored;
        // At most `left`.
        let left = left - stored as u32;
        self.state = State::Stored(left);
        if left == 0 {
            return self.end_block();
        }
        Step::Stop(if stored < here.len() { Pause::Full } else { Pause::Hungry })
    }

    fn end_block(&mut self) -> Step {
        self.state = State::Block;
        if std::mem::take(&mut self.last_block) {
            self.bits.consume(self.bits.held % 8);
            return Step::Stop(Pause::StreamEnd);
        }
        Step::Done
    }

    fn counts(&mut self, input: &mut Input<'_>) -> Step {
        self.bits.refill(input);
        let Some(counts) = self.bits.take(14) else { return Step::Stop(Pause::Hungry) };
        let header = &mut self.header;
        header.literals = (counts & 31) as u16 + 257;
        header.distances = (counts >> 5 & 31) as u16 + 1;
        header.lengths_sent = (counts >> 10) as u16 + 4;
        header.begin_lengths();
        // As in zlib. The symbols beyond stand for nothing anyway.
        if header.literals > 286 || header.distances > 30 {
            return Step::Stop(Pause::Broken);
        }
        self.state = State::CodeLengths;
        Step::Done
    }

    /// The lengths of the code of lengths. `given` is used by symbol meanwhile.
    fn code_lengths(&mut self, input: &mut Input<'_>) -> Step {
        const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let header = &mut self.header;
        if header.read == 0 {
            for (symbol, given) in (0..).zip(&mut header.given[..ORDER.len()]) {
                *given = Given { symbol, len: 0 };
            }
        }
        while header.read < header.lengths_sent {
            if self.bits.held < 3 {
                self.bits.refill(input);
            }
            let Some(len) = self.bits.take(3) else { return Step::Stop(Pause::Hungry) };
            if let Some(symbol) = ORDER.get(usize::from(header.read)) {
                header.given[usize::from(*symbol)].len = len as u8;
            }
            header.read += 1;
        }
        let mut words = 0;
        for at in 0..ORDER.len() {
            let given = header.given[at];
            if given.len > 0 {
                header.given[words] = given;
                words += 1;
            }
        }
        // One word alone is refused here, none is not: zlib takes any bit for the length 0 then.
        if !matches!(header.code.read(&header.given[..words], 0), Ok(Filling::Complete | Filling::Empty)) {
            return Step::Stop(Pause::Broken);
        }
        header.begin_lengths();
        self.state = State::Lengths;
        Step::Done
    }

    fn lengths(&mut self, input: &mut Input<'_>) -> Step {
        let header = &mut self.header;
        let sent = header.literals + header.distances;
        let mut bits = self.bits;
        while header.read < sent {
            if bits.held < LENGTH_BITS {
                bits.refill(input);
            }
            let entry = header.code.fast_entry(bits.bits);
            let symbol = if entry.is_odd() { 0 } else { entry.symbol() };
            let (extra, least) = match symbol {
                16 => (2, 3),
                17 => (3, 3),
                18 => (7, 11),
                _ => (0, 1),
            };
            let word = entry.word_bits();
            if word + extra > bits.held {
                self.bits = bits;
                return Step::Stop(Pause::Hungry);
            }
            // At most 138.
            let times = least + (bits.bits >> word & low(extra)) as u16;
            bits.consume(word + extra);
            match symbol {
                0..=15 => header.last = symbol as u8,
                16 if header.read > 0 => {}
                16 => {
                    self.bits = bits;
                    return Step::Stop(Pause::Broken);
                }
                _ => header.last = 0,
            }
            if header.read + times > sent {
                self.bits = bits;
                return Step::Stop(Pause::Broken);
            }
            if header.last > 0 {
                for symbol in header.read..header.read + times {
                    header.given[header.words] = Given { symbol, len: header.last };
                    header.words += 1;
                }
            }
            header.read += times;
        }
        self.bits = bits;
        self.read_codes()
    }

    /// All lengths are there.
    fn read_codes(&mut self) -> Step {
        let Header { given, words, literals, .. } = &self.header;
        let given = &given[..*words];
        let (of_literals, of_distances) = given.split_at(given.partition_point(|given| given.symbol < *literals));
        let has_end = of_literals.iter().rev().any(|given| given.symbol == END_OF_BLOCK);
        if !has_end
            || self.codes.literals.read(of_literals, 0).is_err()
            || self.codes.distances.read(of_distances, *literals).is_err()
        {
            return Step::Stop(Pause::Broken);
        }
        self.fixed = false;
        self.state = State::Tokens;
        Step::Done
    }

    /// Literals and references up to the end of the block.
    fn tokens(&mut self, input: &mut Input<'_>, window: &mut Window, farthest: u32) -> Step {
        let codes = if self.fixed { &*FIXED } else { &self.codes };
        let (mut bits, mut ahead) = (self.bits, window.ahead());
        let mut token = many_tokens(codes, &mut bits, input, &mut ahead, farthest);
        while token == Token::Taken {
            token = one_token(codes, &mut bits, input, &mut ahead, farthest);
        }
        drop(ahead);
        self.bits = bits;
        match token {
            Token::Taken => Step::Done,
            Token::End => self.end_block(),
            Token::Pause(pause) => Step::Stop(pause),
        }
    }
}

impl Header {
    fn begin_lengths(&mut self) {
        (self.words, self.read, self.last) = (0, 0, 0);
    }
}

/// What was read of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// A literal or a reference, perhaps many.
    Taken,
    /// The end of the block.
    End,
    Pause(Pause),
}

/// Tokens while so many bits and so much room are there that nobody need ask for them.
fn many_tokens(codes: &Codes, bits: &mut Bits, input: &mut Input<'_>, ahead: &mut Ahead<'_>, farthest: u32) -> Token {
    let Codes { literals, distances } = codes;
    while ahead.has_room() && bits.refill_fast(input) {
        // 56 bits: three literals of at most 10 bits each, and a length of 20.
        let mut entry = literals.fast_entry(bits.bits);
        if entry.is_literal() {
            bits.consume(entry.bits());
            ahead.literal(entry.literal());
            entry = literals.fast_entry(bits.bits);
            if entry.is_literal() {
                bits.consume(entry.bits());
                ahead.literal(entry.literal());
                entry = literals.fast_entry(bits.bits);
                if entry.is_literal() {
                    bits.consume(entry.bits());
                    ahead.literal(entry.literal());
                    continue;
                }
            }
        }
        if entry.is_odd() {
            entry = literals.entry(bits.bits);
            if entry.is_literal() {
                bits.consume(entry.bits());
                ahead.literal(entry.literal());
                continue;
            }
            if entry.is_odd() {
                return odd(entry, bits);
            }
        }
        let len_bits = bits.bits;
        // A distance takes 28 bits.
        if bits.held - entry.bits() < 28 {
            let mut after = Bits { bits: bits.bits >> entry.bits(), held: bits.held - entry.bits() };
            if !after.refill_fast(input) {
                return Token::Taken;
            }
            *bits = after;
        } else {
            bits.consume(entry.bits());
        }
        let len = entry.value(len_bits);
        let entry = distances.entry(bits.bits);
        let distance_bits = bits.bits;
        bits.consume(entry.bits());
        if entry.is_odd() {
            return Token::Pause(Pause::Broken);
        }
        let token = follow(ahead, entry.value(distance_bits), len, farthest);
        if token != Token::Taken {
            return token;
        }
    }
    Token::Taken
}

/// The next token, if it is there as a whole.
fn one_token(codes: &Codes, bits: &mut Bits, input: &mut Input<'_>, ahead: &mut Ahead<'_>, farthest: u32) -> Token {
    const HUNGRY: Token = Token::Pause(Pause::Hungry);
    if !ahead.has_room() {
        return Token::Pause(Pause::Full);
    }
    if bits.held < TOKEN_BITS {
        bits.refill(input);
    }
    let entry = codes.literals.entry(bits.bits);
    if entry.bits() > bits.held {
        return HUNGRY;
    }
    if entry.is_literal() {
        bits.consume(entry.bits());
        ahead.literal(entry.literal());
        return Token::Taken;
    }
    if entry.is_odd() {
        return odd(entry, bits);
    }
    let len = entry.value(bits.bits);
    let mut after = *bits;
    after.consume(entry.bits());

    let entry = codes.distances.entry(after.bits);
    if entry.bits() > after.held {
        return HUNGRY;
    }
    let distance = entry.value(after.bits);
    after.consume(entry.bits());
    *bits = after;
    if entry.is_odd() {
        return Token::Pause(Pause::Broken);
    }
    follow(ahead, distance, len, farthest)
}

/// The end of the block, or a symbol that stands for nothing.
fn odd(entry: Entry, bits: &mut Bits) -> Token {
    bits.consume(entry.bits());
    if entry.is_end() { Token::End } else { Token::Pause(Pause::Broken) }
}

#[inline(always)]
fn follow(ahead: &mut Ahead<'_>, distance: usize, len: usize, farthest: u32) -> Token {
    if ahead.copy(distance, len).is_err() {
        return Token::Pause(Pause::Broken);
    }
    // Both are at most 2^15.
    let reference = Reference { distance: distance as u32, len: len as u32 };
    if reference.distance > farthest { Token::Pause(Pause::Far(reference)) } else { Token::Taken }
}

/// The lowest `count` bits, fewer than 64.
#[inline(always)]
fn low(count: u32) -> u64 {
    (1 << count) - 1
}

/// The longest word for a length of a code word: 7 bits, and 7 more.
const LENGTH_BITS: u32 = 14;

/// The longest reference: two code words of 15 bits, 5 and 13 more bits (RFC 1951 §3.2.5).
const TOKEN_BITS: u32 = 48;
