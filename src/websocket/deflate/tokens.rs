//! How far back a DEFLATE stream refers (RFC 1951), without inflating it.
//!
//! Reads blocks, literals and references in pieces of any length and counts; no byte of content is made. It is laxer than
//! an inflater in one thing: it does not ask whether there is anything at the place referred to. What it cannot read
//! ends it; that the data are damaged is the inflater's word.
//!
//! Every step (a block header, a length of a code word, a literal, a reference) needs at most 48 bits and is taken as
//! a whole or not at all, so between two calls fewer than that are kept, besides the codes of the block under way.

use super::codes::{Code, DistanceCode, FIXED, LengthCode, LiteralCode, Word};

/// Reads one DEFLATE stream after the other.
pub(in crate::websocket) struct Scanner {
    /// Bits that were taken from the input and not used, the next one lowest; those from `held` on are 0.
    bits: u64,
    held: u32,
    state: State,
    last_block: bool,
    /// Bytes that what was read since [`begin_message`](Self::begin_message) inflates to.
    inflated: u64,
    fixed: bool,
    literals: LiteralCode,
    distances: DistanceCode,
    header: Header,
}

/// The lengths of code words in a block header (RFC 1951 §3.2.7), as far as they were read.
struct Header {
    code: LengthCode,
    lengths: [u8; 320],
    read: u16,
    literals: u16,
    distances: u16,
    lengths_sent: u16,
}

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
    /// It is no DEFLATE data.
    Broken,
}

/// What became of one step.
enum Step {
    Done,
    /// More bits are needed.
    Cut,
    Found(Reference),
    Broken,
}

/// A reference back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    /// Inflated bytes of the message before it.
    pub(super) at: u64,
    /// How many bytes it goes back from there.
    pub(super) distance: u32,
}

impl Scanner {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            bits: 0,
            held: 0,
            state: State::Block,
            last_block: false,
            inflated: 0,
            fixed: false,
            literals: Code::EMPTY,
            distances: Code::EMPTY,
            header: Header {
                code: Code::EMPTY,
                lengths: [0; 320],
                read: 0,
                literals: 0,
                distances: 0,
                lengths_sent: 0,
            },
        })
    }

    /// Expects a new stream.
    pub(super) fn restart(&mut self) {
        (self.bits, self.held, self.state, self.last_block) = (0, 0, State::Block, false);
    }

    /// Counts from 0 again. Blocks may go on from one message to the next.
    pub(super) fn begin_message(&mut self) {
        self.inflated = 0;
    }

    /// Bytes that what was read of the message inflates to.
    #[cfg(test)]
    pub(super) fn inflated(&self) -> u64 {
        self.inflated
    }

    /// Whether it need not be remembered: a block would come next, on a whole byte.
    pub(super) fn is_at_rest(&self) -> bool {
        self.state == State::Block && self.held == 0
    }

    /// Reads `input` up to the first reference that goes back more than `farthest` bytes.
    ///
    /// Returns how many bytes it used, the last bit of that reference included, and the reference.
    pub(super) fn push(&mut self, input: &[u8], farthest: u32) -> (usize, Option<Reference>) {
        let mut input = Input { bytes: input, used: 0 };
        let found = loop {
            let step = match self.state {
                State::Tokens => self.tokens(&mut input, farthest),
                State::Stored(left) => self.stored(left, &mut input),
                State::Broken => {
                    input.used = input.bytes.len();
                    Step::Cut
                }
                _ => {
                    self.refill(&mut input);
                    self.step()
                }
            };
            match step {
                Step::Done => {}
                Step::Cut => break None,
                Step::Found(reference) => {
                    self.hand_back(&mut input);
                    break Some(reference);
                }
                Step::Broken => {
                    (self.state, self.bits, self.held) = (State::Broken, 0, 0);
                }
            }
        };
        self.bits &= low(self.held);
        (input.used, found)
    }

    /// Takes as much input as there is room for.
    #[inline(always)]
    fn refill(&mut self, input: &mut Input<'_>) {
        if let Some(word) = input.bytes.get(input.used..).and_then(<[u8]>::first_chunk) {
            // Bits above `held` may already be there; they are the same ones.
            self.bits |= u64::from_le_bytes(*word) << self.held;
            input.used += (63 - self.held as usize) >> 3;
            self.held |= 56;
        } else {
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

    /// One step of a block header.
    fn step(&mut self) -> Step {
        match self.state {
            State::Block => self.block(),
            State::StoredLength => self.stored_length(),
            State::Counts => self.counts(),
            State::CodeLengths => self.code_length(),
            State::Lengths => self.length(),
            State::Stored(_) | State::Tokens | State::Broken => Step::Done,
        }
    }

    fn block(&mut self) -> Step {
        let Some(head) = self.take(3) else { return Step::Cut };
        self.last_block = head & 1 == 1;
        self.state = match head >> 1 {
            0 => {
                self.consume(self.held % 8);
                State::StoredLength
            }
            1 => {
                self.fixed = true;
                State::Tokens
            }
            2 => State::Counts,
            _ => return Step::Broken,
        };
        Step::Done
    }

    fn stored_length(&mut self) -> Step {
        let Some(lengths) = self.take(32) else { return Step::Cut };
        let (len, complement) = (lengths & 0xFFFF, lengths >> 16);
        if len != !complement & 0xFFFF {
            return Step::Broken;
        }
        self.state = State::Stored(len);
        Step::Done
    }

    fn stored(&mut self, left: u32, input: &mut Input<'_>) -> Step {
        self.hand_back(input);
        let here = input.bytes.len().saturating_sub(input.used).min(left as usize);
        input.used += here;
        self.inflated += here as u64;
        // At most `left`.
        let left = left - here as u32;
        self.state = State::Stored(left);
        if left > 0 {
            return Step::Cut;
        }
        self.end_block();
        Step::Done
    }

    fn end_block(&mut self) {
        self.state = State::Block;
        if std::mem::take(&mut self.last_block) {
            // The next stream begins on a whole byte.
            self.consume(self.held % 8);
        }
    }

    fn counts(&mut self) -> Step {
        let Some(counts) = self.take(14) else { return Step::Cut };
        let header = &mut self.header;
        header.literals = (counts & 31) as u16 + 257;
        header.distances = (counts >> 5 & 31) as u16 + 1;
        header.lengths_sent = (counts >> 10) as u16 + 4;
        header.read = 0;
        header.lengths = [0; 320];
        // As in zlib. The symbols beyond stand for nothing anyway.
        if header.literals > 286 || header.distances > 30 {
            return Step::Broken;
        }
        self.state = State::CodeLengths;
        Step::Done
    }

    fn code_length(&mut self) -> Step {
        const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let Some(len) = self.take(3) else { return Step::Cut };
        let header = &mut self.header;
        if let Some(symbol) = ORDER.get(usize::from(header.read)) {
            header.lengths[usize::from(*symbol)] = len as u8;
        }
        header.read += 1;
        if header.read < header.lengths_sent {
            return Step::Done;
        }
        // An inflater refuses a word that is alone here. This lets it pass, and ends at the block's missing end.
        if header.code.read(&header.lengths[..19]).is_err() {
            return Step::Broken;
        }
        header.lengths = [0; 320];
        header.read = 0;
        self.state = State::Lengths;
        Step::Done
    }

    fn length(&mut self) -> Step {
        let (symbol, len) = match self.header.code.word(self.bits, self.held) {
            Word::Symbol { symbol, len } => (symbol, len),
            Word::Cut => return Step::Cut,
            Word::Unassigned => return Step::Broken,
        };
        let (extra, least) = match symbol {
            16 => (2, 3),
            17 => (3, 3),
            18 => (7, 11),
            _ => (0, 1),
        };
        if len + extra > self.held {
            return Step::Cut;
        }
        self.consume(len);
        // At most 138.
        let times = least + (self.bits & low(extra)) as u16;
        self.consume(extra);

        let header = &mut self.header;
        let value = match symbol {
            0..=15 => symbol as u8,
            16 => match header.read.checked_sub(1) {
                Some(last) => header.lengths[usize::from(last)],
                None => return Step::Broken,
            },
            _ => 0,
        };
        let end = header.read + times;
        if end > header.literals + header.distances {
            return Step::Broken;
        }
        header.lengths[usize::from(header.read)..usize::from(end)].fill(value);
        header.read = end;
        if end == header.literals + header.distances { self.codes() } else { Step::Done }
    }

    /// All lengths are there.
    fn codes(&mut self) -> Step {
        let Header { lengths, literals, distances, .. } = &self.header;
        let (literals, distances) = (usize::from(*literals), usize::from(*distances));
        let of_literals = &lengths[..literals];
        let of_distances = &lengths[literals..literals + distances];
        if lengths[END_OF_BLOCK] == 0
            || self.literals.read(of_literals).is_err()
            || self.distances.read(of_distances).is_err()
        {
            return Step::Broken;
        }
        self.fixed = false;
        self.state = State::Tokens;
        Step::Done
    }

    /// Literals and references up to the end of the block.
    fn tokens(&mut self, input: &mut Input<'_>, farthest: u32) -> Step {
        loop {
            if self.held < TOKEN_BITS {
                self.refill(input);
            }
            let (literals, distances) =
                if self.fixed { (&FIXED.0, &FIXED.1) } else { (&self.literals, &self.distances) };
            let (symbol, len) = match literals.word(self.bits, self.held) {
                Word::Symbol { symbol, len } => (usize::from(symbol), len),
                Word::Cut => return Step::Cut,
                Word::Unassigned => return Step::Broken,
            };
            if symbol < END_OF_BLOCK {
                self.consume(len);
                self.inflated += 1;
                continue;
            }
            if symbol == END_OF_BLOCK {
                self.consume(len);
                self.end_block();
                return Step::Done;
            }
            let Some((least, extra)) = LENGTHS.get(symbol - END_OF_BLOCK - 1) else { return Step::Broken };
            let (bits, held) = (self.bits >> len, self.held - len);
            if *extra > held {
                return Step::Cut;
            }
            let copied = u64::from(*least) + (bits & low(*extra));
            let (bits, held) = (bits >> extra, held - extra);

            let (symbol, len) = match distances.word(bits, held) {
                Word::Symbol { symbol, len } => (symbol, len),
                Word::Cut => return Step::Cut,
                Word::Unassigned => return Step::Broken,
            };
            let Some((least, extra)) = DISTANCES.get(usize::from(symbol)) else { return Step::Broken };
            let (bits, held) = (bits >> len, held - len);
            if *extra > held {
                return Step::Cut;
            }
            let distance = least + (bits & low(*extra)) as u32;
            (self.bits, self.held) = (bits >> extra, held - extra);

            let at = self.inflated;
            self.inflated += copied;
            if distance > farthest {
                return Step::Found(Reference { at, distance });
            }
        }
    }
}

/// A piece of the stream and how much of it was taken.
struct Input<'i> {
    bytes: &'i [u8],
    used: usize,
}

/// The lowest `count` bits, fewer than 64.
#[inline(always)]
fn low(count: u32) -> u64 {
    (1 << count) - 1
}

/// The longest reference: two code words of 15 bits, 5 and 13 more bits (RFC 1951 §3.2.5).
const TOKEN_BITS: u32 = 48;

const END_OF_BLOCK: usize = 256;

/// The least length of each symbol from 257 on and how many bits are added to it (RFC 1951 §3.2.5).
static LENGTHS: [(u16, u32); 29] = {
    let mut table = [(0, 0); 29];
    let (mut symbol, mut least) = (0, 3);
    while symbol < 28 {
        let extra = if symbol < 8 { 0 } else { symbol as u32 / 4 - 1 };
        table[symbol] = (least, extra);
        least += 1 << extra;
        symbol += 1;
    }
    table[28] = (258, 0);
    table
};

/// The same for distances.
static DISTANCES: [(u32, u32); 30] = {
    let mut table = [(0, 0); 30];
    let (mut symbol, mut least) = (0, 1);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { symbol as u32 / 2 - 1 };
        table[symbol] = (least, extra);
        least += 1 << extra;
        symbol += 1;
    }
    table
};
