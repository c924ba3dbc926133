//! Finding where frames start when nobody said so: behind a hole, or in a capture that joined late.
//!
//! Every byte may be the first of a frame. From each one that could be, headers are followed: a *chain*. A chain that meets
//! something no peer may send (RFC 6455 §5) is dropped. What it got right is counted in **bits of evidence**: the binary
//! logarithm of how seldom bytes that are no frames would get it right as well.
//!
//! | Evidence | Bits |
//! |---|---|
//! | first byte of a final frame and the mask bit: at most 7 of 256 values, one of two | 5 (a continuation 3, not final 0) |
//! | the frame starts and ends where segments do: one length of 128, or of 65536 | 7 or 12 |
//! | text that the masking key, or an unmasked payload, makes printable UTF-8 | 1 for each byte, up to 16 masked, 8 clear |
//! | a Close code from the registry (12 of 65536), or an application's (2000 of 65536); its printable reason | 12 or 5; 1 for each byte |
//!
//! Payload is not random, so evidence that repeats counts once: a frame whose masking key is made of the same four bytes as
//! an earlier one's (a masked run of zeros repeats its key), or that begins like an earlier one. A clear binary message may
//! be made of tags, lengths and names (ASN.1, CBOR), which look like frames: printable payload in a binary frame counts
//! nothing, and in a chain that starts at any byte only clear texts count, and without their content. Frames of a server
//! that would fit into a text are none: there the bytes 0x80 to 0x8A that begin frames can only be the rest of a
//! character.
//!
//! **A tunnel** carries clear frames inside clear frames, and the inner ones are perfect. Where that was seen before the
//! hole, a chain counts only from a frame on that carries frames itself; where it is seen in a chain, from there.
//!
//! **A chain is believed** at [`Thresholds::anywhere`] bits, or [`Thresholds::at_segments`] counted from a frame that
//! starts a segment, because a stream has thousands of bytes but few segments. Three frames at least must agree, except
//! that a Close frame right at the end of the stream speaks for itself: RFC 6455 §5.5.1 has nothing follow it.
//!
//! **A chain may join the true frames later than it starts**, when the length in payload mistaken for a header happens to
//! lead to a true one. So it counts only from the frame on up to which it has gathered as much evidence as such an
//! accident needs: 30 bits from any byte, 18 from the start of a segment.

use super::close::{CloseCode, ClosePayload};
use super::header::FrameHeader;
use super::held::{Found, Held};
use super::mask::MaskedBytes;
use super::nesting::{Nesting, carries_frames};
use super::opcode::Opcode;
use super::rules::CONTROL_PAYLOAD_MAX;
use super::starts::Starts;
use crate::limits::Limits;
use crate::units::{Origin, Side, StreamOffset};
use std::collections::BTreeSet;

/// Chains followed at once; the ones with the least evidence are dropped.
const CHAINS: usize = 128;

/// Frames after which a chain that proved nothing is given up, such as one through a run of zeros.
const CHAIN_FRAMES: usize = 512;

/// No real frame is longer; a longer one would only keep a chain alive for ever.
const PLAUSIBLE_LEN: u64 = 1 << 31;

/// Bytes of a text frame that are checked. A longer text is checked up to here.
const TEXT_LOOKED_AT: usize = 1024;

/// How much evidence is enough, in bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thresholds {
    /// For a chain that starts at any byte.
    pub(super) anywhere: u32,
    /// For a chain counted from the start of a segment.
    pub(super) at_segments: u32,
    /// For a chain from the start of a segment to a Close frame at the end of the stream.
    pub(super) last_close: u32,
    /// The same for a chain that starts at any byte.
    pub(super) last_close_anywhere: u32,
    /// Up to the first frame that is believed, for a chain that starts at any byte.
    pub(super) join_anywhere: u32,
    /// The same from the start of a segment.
    pub(super) join_at_segments: u32,
    /// The same from the very first byte of the search.
    pub(super) join_at_start: u32,
    /// Clear frames count only if they start and end where segments do, and must not all be binary.
    pub(super) clear_fits: bool,
}

impl Thresholds {
    /// In a stream that is known to be WebSocket.
    pub(super) const RESYNC: Self = Self {
        anywhere: 48,
        at_segments: 32,
        last_close: 26,
        last_close_anywhere: 36,
        join_anywhere: 30,
        join_at_segments: 18,
        join_at_start: 18,
        clear_fits: false,
    };
    /// The same when the search began with the capture: its first segment is one position, not one of many.
    pub(super) const JOINED_LATE: Self = Self { join_at_start: 12, ..Self::RESYNC };
    /// In a stream that may be anything.
    pub(super) const UNKNOWN_PROTOCOL: Self = Self {
        anywhere: 56,
        at_segments: 40,
        last_close: 36,
        last_close_anywhere: 56,
        clear_fits: true,
        ..Self::JOINED_LATE
    };
}

/// What a hunt found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    /// Where the first frame starts that is believed.
    pub(super) from: u64,
    /// How many complete frames agreed.
    pub(super) frames: u32,
}

/// The hunt for frames of one side in bytes that somebody else holds.
#[derive(Debug)]
pub(super) struct Hunt {
    rules: Rules,
    enough: Thresholds,
    chains: Vec<Chain>,
    /// Every byte before this offset has been tried as the start of a frame.
    tried: u64,
    /// Where the search begins.
    start: Option<u64>,
    /// Where the frames of chains start that were given up for their number: what starts there leads no further. A run of
    /// zeros has one at every byte.
    exhausted: BTreeSet<u64>,
}

/// What frames of the side may look like.
#[derive(Debug, Clone, Copy)]
struct Rules {
    sender: Side,
    starts: Starts,
    /// Whether RSV1 may be set on the first frame of a message.
    rsv1: bool,
    /// Its messages carry frames themselves.
    nested: bool,
}

/// Frames that follow one another.
#[derive(Debug)]
struct Chain {
    /// Where each of its frames starts; the last is not complete.
    starts: Vec<u64>,
    /// Where the frame under way ends, once its header is there.
    current: Option<(FrameHeader, u64)>,
    /// Complete frames.
    frames: u32,
    /// Bits of evidence, from the start and from its first frame that starts a segment.
    bits: u32,
    bits_at_segments: Option<u32>,
    /// It starts where the search does.
    at_start: bool,
    /// It starts where a segment does.
    at_boundary: bool,
    /// The first frame that is believed if the chain is.
    join: Option<u64>,
    fragment: Fragment,
    /// A Close frame is complete.
    closed: bool,
    /// One of its frames carries frames itself.
    carries: bool,
    /// Not all of its frames are binary ones.
    varied: bool,
    /// What has counted as evidence and counts no more.
    spent: Vec<u64>,
}

/// Whether a message is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fragment {
    Unknown,
    None,
    Open,
}

/// The evidence of one frame.
#[derive(Debug, Clone, Copy, Default)]
struct Bits {
    /// For a chain that starts at any byte.
    anywhere: u32,
    /// For a chain that starts where a segment does.
    at_segments: u32,
    /// Its payload is a series of frames.
    carries: bool,
}

/// What stands here is no frame that may follow.
struct NoFrame;

/// What became of a chain.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Waits,
    Dead,
    Exhausted,
}

impl Hunt {
    pub(super) fn new(sender: Side, rsv1: bool, enough: Thresholds, nesting: Nesting) -> Self {
        let rules = Rules { sender, starts: Starts::new(sender, rsv1), rsv1, nested: nesting.is_likely() };
        Self { rules, enough, chains: Vec::new(), tried: 0, start: None, exhausted: BTreeSet::new() }
    }

    /// Goes on with what has been added to `held`.
    pub(super) fn advance(&mut self, held: &Held) -> Option<Proof> {
        if self.start.is_none() {
            self.start = held.first_captured();
        }
        self.tried = self.tried.max(held.start());
        let (rules, enough) = (self.rules, self.enough);
        let exhausted = &mut self.exhausted;
        self.chains.retain_mut(|chain| match chain.advance(held, rules, enough) {
            Fate::Waits => true,
            Fate::Dead => false,
            Fate::Exhausted => {
                exhausted.extend(&chain.starts);
                false
            }
        });
        while self.tried < held.end() {
            let run = held.run_from(self.tried);
            if run.is_empty() {
                self.tried = held.hole_end(self.tried).unwrap_or(held.end());
                continue;
            }
            // Most bytes begin no frame; the quick look is all they get.
            let skipped = rules.starts.first(run);
            self.tried += skipped as u64;
            let (at, run) = (self.tried, &run[skipped..]);
            if run.is_empty() {
                continue;
            }
            let header = FrameHeader::parse(run).map_or_else(|| held.header(at), Found::Here);
            match header {
                Found::NotYet if could_begin(held, at, rules) => break,
                Found::NotYet | Found::Missing => {}
                Found::Here(header) => self.try_start(held, header, Some(at) == self.start),
            }
            self.tried += 1;
        }
        self.best(held, |chain| chain.is_proven(enough), false)
    }

    /// The stream ended where `held` does.
    pub(super) fn finish(&mut self, held: &Held) -> Option<Proof> {
        // What lies behind a byte that might begin a header that never became complete.
        while self.tried < held.end() {
            if let Some(end) = held.hole_end(self.tried) {
                self.tried = end;
                continue;
            }
            if let Found::Here(header) = held.header(self.tried) {
                self.try_start(held, header, Some(self.tried) == self.start);
            }
            self.tried += 1;
        }
        let enough = self.enough;
        self.best(held, |chain| chain.is_proven_at_end(held, enough), true)
    }

    /// The evidence of the best chain if the stream ends here, in bits.
    pub(super) fn evidence_at_end(&self, held: &Held) -> u32 {
        let fits = |chain: &&Chain| chain.join.is_some() && chain.starts.last() == Some(&held.end());
        let chains = self.chains.iter().filter(fits).filter(|chain| self.rules.is_no_text(held, chain, true));
        chains.filter_map(|chain| chain.bits_at_segments).max().unwrap_or(0)
    }

    /// Where the frames of the most promising chain start.
    pub(super) fn best_starts(&self) -> Option<&[u64]> {
        let best = self.chains.iter().max_by_key(|chain| chain.bits)?;
        Some(&best.starts)
    }

    fn best(&self, held: &Held, believed: impl Fn(&Chain) -> bool, at_end: bool) -> Option<Proof> {
        let must_vary = self.enough.clear_fits && self.rules.sender == Side::Server;
        self.chains
            .iter()
            .filter(|chain| believed(chain) && self.rules.is_no_text(held, chain, at_end))
            .filter(|chain| !must_vary || chain.varied)
            .filter_map(|chain| Some(Proof { from: chain.first_believed(self.rules)?, frames: chain.frames }))
            .min_by_key(|proof| proof.from)
    }

    fn try_start(&mut self, held: &Held, header: FrameHeader, at_start: bool) {
        let at = self.tried;
        // A chain that comes by here would gather the same evidence.
        while self.exhausted.first().is_some_and(|first| *first < at) {
            self.exhausted.pop_first();
        }
        if !self.rules.allow(&header, Fragment::Unknown)
            || self.exhausted.contains(&at)
            || self.chains.iter().any(|chain| chain.starts.binary_search(&at).is_ok())
        {
            return;
        }
        let mut chain = Chain::new(at, header, at_start, held.is_boundary(at));
        match chain.advance(held, self.rules, self.enough) {
            Fate::Waits => {}
            Fate::Dead => return,
            Fate::Exhausted => {
                self.exhausted.extend(chain.starts);
                return;
            }
        }
        if self.chains.iter().any(|other| other.outdoes(&chain)) {
            return;
        }
        self.chains.retain(|other| !chain.outdoes(other));
        if self.chains.len() >= CHAINS {
            let weight = |&index: &usize| (self.chains[index].bits, self.chains[index].at_boundary);
            let Some(weakest) = (0..self.chains.len()).min_by_key(weight) else { return };
            self.chains.swap_remove(weakest);
        }
        self.chains.push(chain);
    }
}

impl Chain {
    fn new(start: u64, header: FrameHeader, at_start: bool, at_boundary: bool) -> Self {
        Self {
            starts: vec![start],
            current: Some((header, start.saturating_add(header.frame_len()))),
            frames: 0,
            bits: 0,
            bits_at_segments: None,
            at_start,
            at_boundary,
            join: None,
            fragment: Fragment::Unknown,
            closed: false,
            carries: false,
            varied: false,
            spent: Vec::new(),
        }
    }

    /// Goes on as far as the bytes go that came.
    fn advance(&mut self, held: &Held, rules: Rules, enough: Thresholds) -> Fate {
        if self.current.is_none() {
            let at = self.starts.last().copied().unwrap_or_default();
            let Ok(current) = rules.frame_at(held, at, self.fragment, self.closed) else { return Fate::Dead };
            self.current = current;
        }
        while let Some((header, end)) = self.current {
            if end > held.end() {
                return Fate::Waits;
            }
            let (fragment, closed) = match header.opcode {
                Opcode::Close => (self.fragment, true),
                opcode if opcode.is_data() => (if header.fin { Fragment::None } else { Fragment::Open }, self.closed),
                _ => (self.fragment, self.closed),
            };
            // What follows is looked at first: it ends nearly all chains, and is less to look at than payload.
            let Ok(next) = rules.frame_at(held, end, fragment, closed) else { return Fate::Dead };
            let at = self.starts.last().copied().unwrap_or_default();
            let Some(bits) = self.judge(held, &header, at, end, enough) else { return Fate::Dead };
            self.count(&header, at, held.is_boundary(at), bits, (rules, enough));
            (self.fragment, self.closed, self.current) = (fragment, closed, next);
            self.starts.push(end);
            if self.starts.len() > CHAIN_FRAMES {
                return Fate::Exhausted;
            }
        }
        Fate::Waits
    }

    /// Adds the evidence of a complete frame at `at`.
    fn count(&mut self, header: &FrameHeader, at: u64, at_boundary: bool, bits: Bits, by: (Rules, Thresholds)) {
        let (rules, enough) = by;
        self.frames += 1;
        self.bits += bits.anywhere;
        if let Some(since) = &mut self.bits_at_segments {
            *since += bits.at_segments;
        } else if at_boundary {
            self.bits_at_segments = Some(bits.at_segments);
        }
        let at_segments = if self.at_start { enough.join_at_start } else { enough.join_at_segments };
        let joined = self.bits >= enough.join_anywhere || self.bits_at_segments >= Some(at_segments);
        let outermost = bits.carries && !self.carries;
        if joined && (outermost || (self.join.is_none() && (bits.carries || !rules.nested))) {
            self.join = Some(at);
        }
        self.carries |= bits.carries;
        self.varied |= header.opcode != Opcode::Binary || header.rsv.bits() != 0;
    }

    /// Whether both have come to the same place and this one makes the other superfluous.
    fn outdoes(&self, other: &Self) -> bool {
        self.starts.last() == other.starts.last()
            && self.bits >= other.bits
            && self.bits_at_segments >= other.bits_at_segments
            && (other.join.is_none() || (self.join.is_some() && self.join <= other.join))
    }

    /// The evidence of a complete frame, or `None` when its content proves that it is none.
    fn judge(&mut self, held: &Held, header: &FrameHeader, at: u64, end: u64, enough: Thresholds) -> Option<Bits> {
        let body = at + u64::from(header.header_len);
        let mut room = [0; TEXT_LOOKED_AT];
        let len = usize::try_from(header.payload_len).unwrap_or(usize::MAX).min(room.len());
        let wire = match held.read(body, &mut room[..len]) {
            Found::Here(bytes) if bytes.len() == len => Some(len),
            _ if len == 0 => Some(0),
            Found::Here(_) | Found::NotYet | Found::Missing => None,
        };
        let mut clear = room;
        if let (Some(len), Some(key)) = (wire, header.masking_key) {
            MaskedBytes::new(key, 0, &room[..len]).unmask_into(&mut clear[..len]);
        }
        let payload = wire.map(|len| &clear[..len]);
        let is_whole = header.payload_len <= TEXT_LOOKED_AT as u64;

        let is_masked = header.masking_key.is_some();
        let mut content = 0;
        let mut counts = true;
        // Of the clear ones only those that nothing but a frame is likely to look like.
        let mut counts_anywhere = is_masked || header.rsv.bits() != 0 || header.opcode == Opcode::Close;
        match (header.opcode, payload) {
            (Opcode::Text, Some(payload)) if header.rsv.bits() == 0 => {
                let may_be_cut = !header.fin || !is_whole;
                let printable = printable_len(payload, may_be_cut)?;
                content = printable.min(if is_masked { 16 } else { 8 });
                counts_anywhere |= printable >= 2;
            }
            (Opcode::Binary, Some(payload)) if payload.len() >= 4 && payload.iter().all(|byte| is_printable(*byte)) => {
                counts = is_masked;
            }
            (Opcode::Close, Some(payload)) => content = close_evidence(payload)?,
            _ => {}
        }

        let base = match header.opcode {
            _ if !header.fin => 0,
            Opcode::Continuation => 3,
            Opcode::Close => 8,
            _ => 5,
        };
        let fits = held.is_boundary(at)
            && held.is_boundary(end)
            && (header.fin || header.payload_len >= 16)
            && held.boundaries_between(at, end) as u64 <= (end - at) / 256 + 1;
        if enough.clear_fits && !is_masked && header.opcode != Opcode::Close {
            counts &= fits;
        }
        let news = self.is_news(mark(header, payload.unwrap_or_default()));
        let clear_data = !is_masked && header.opcode.is_data() && header.rsv.bits() == 0;
        let carries = clear_data && payload.is_some_and(|payload| carries_frames(payload, header.payload_len));
        let mut bits = Bits { carries, ..Bits::default() };
        if counts && news {
            bits.at_segments = base + content;
            if counts_anywhere {
                bits.anywhere = if is_masked || header.opcode == Opcode::Close { base + content } else { base };
            }
        }
        if fits && (news || !enough.clear_fits) {
            let length = if header.payload_len > 125 { 12 } else { 7 };
            bits.at_segments += length;
            bits.anywhere += length;
        }
        Some(bits)
    }

    /// Whether this has not counted before; from then on it has.
    fn is_news(&mut self, mark: u64) -> bool {
        let news = !self.spent.contains(&mark) && mark != UNIFORM_KEY;
        if news && self.spent.len() < 16 {
            self.spent.push(mark);
        }
        news
    }

    fn is_proven(&self, enough: Thresholds) -> bool {
        self.join.is_some()
            && self.frames >= 3
            && (self.bits >= enough.anywhere || self.bits_at_segments >= Some(enough.at_segments))
    }

    /// Where the first frame starts that is believed if the chain is: the Close frame at least.
    fn first_believed(&self, rules: Rules) -> Option<u64> {
        let close = if self.closed && !rules.nested { self.starts.iter().rev().nth(1).copied() } else { None };
        self.join.or(close)
    }

    fn is_proven_at_end(&self, held: &Held, enough: Thresholds) -> bool {
        let ends_here = self.starts.last() == Some(&held.end());
        let close = self.closed && ends_here && self.bits_at_segments >= Some(enough.last_close);
        // That the last frame ends with the stream is evidence of its own, unless it has counted as a segment's end.
        let close_elsewhere = self.closed && ends_here && self.bits + 7 >= enough.last_close_anywhere;
        self.is_proven(enough) || close || close_elsewhere
    }
}

impl Rules {
    /// The header of the next frame and where that ends, behind frames that leave a message in this state; `None` while it is
    /// not complete.
    fn frame_at(
        self,
        held: &Held,
        at: u64,
        fragment: Fragment,
        closed: bool,
    ) -> Result<Option<(FrameHeader, u64)>, NoFrame> {
        match held.header(at) {
            Found::NotYet if at < held.end() && !could_begin(held, at, self) => Err(NoFrame),
            Found::NotYet => Ok(None),
            Found::Here(header) if !closed && self.allow(&header, fragment) => {
                Ok(Some((header, at.saturating_add(header.frame_len()))))
            }
            Found::Here(_) | Found::Missing => Err(NoFrame),
        }
    }

    /// Whether the side may send such a header.
    fn allow(self, header: &FrameHeader, fragment: Fragment) -> bool {
        let rsv1 = self.rsv1 && matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let rsv = if rsv1 { header.rsv.without_rsv1() } else { header.rsv };
        let fits = match header.opcode {
            Opcode::Continuation => fragment != Fragment::None,
            Opcode::Text | Opcode::Binary => fragment != Fragment::Open,
            Opcode::Close => header.payload_len != 1,
            Opcode::Ping | Opcode::Pong => true,
            Opcode::Reserved(_) => false,
        };
        fits && rsv.bits() == 0
            && header.masking_key.is_some() == (self.sender == Side::Client)
            && header.length_is_well_encoded()
            && header.payload_len < PLAUSIBLE_LEN
            && (!header.opcode.is_control() || (header.fin && header.payload_len <= CONTROL_PAYLOAD_MAX as u64))
    }

    /// Whether the chain cannot lie inside a text that is not masked. Where the stream ends, a text has no half character.
    fn is_no_text(self, held: &Held, chain: &Chain, at_end: bool) -> bool {
        if self.sender == Side::Client {
            return true;
        }
        let (Some(&from), Some(&to)) = (chain.starts.first(), chain.starts.last()) else { return false };
        let mut room = [0; 4096];
        let len = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX).min(room.len());
        let Found::Here(bytes) = held.read(from, &mut room[..len]) else { return false };
        // A text may begin here with the rest of a character.
        let rest = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
        let whole = at_end && bytes.len() as u64 == to.saturating_sub(from);
        std::str::from_utf8(&bytes[rest..]).is_err_and(|fault| whole || fault.error_len().is_some())
    }
}

/// Whether `bytes` begin with the header of a frame as `sender` may send it first.
///
/// Meant for bytes of which it is likely anyway: one in eighty random starts looks like it.
#[must_use]
pub fn begins_with_frame(sender: Side, bytes: &[u8]) -> bool {
    FrameHeader::parse(bytes)
        .is_some_and(|header| header.opcode != Opcode::Continuation && may_be_first(sender, &header))
}

/// Whether `sender` may send such a header first.
pub(super) fn may_be_first(sender: Side, header: &FrameHeader) -> bool {
    let rules = Rules { sender, starts: Starts::new(sender, true), rsv1: true, nested: false };
    rules.allow(header, Fragment::Unknown)
}

/// Whether the bytes at `at`, too few for a header, may begin one.
fn could_begin(held: &Held, at: u64, rules: Rules) -> bool {
    let mut room = [0; 2];
    match held.read(at, &mut room) {
        Found::Here([first]) => rules.starts.allow(*first),
        Found::Here([first, second]) => {
            // The length does not matter as long as it is not there: 126 and 127 become a legal 2.
            let second = if second & 0x7F > 125 && first & 0x08 == 0 { second & 0x80 | 2 } else { *second };
            let header = FrameHeader::parse(&[*first, second, 0, 0, 0, 0]);
            header.is_some_and(|header| rules.allow(&header, Fragment::Unknown))
        }
        _ => false,
    }
}

/// The mark of all frames whose masking key is one byte repeated, as in a run of that byte. No evidence at all.
const UNIFORM_KEY: u64 = 0;

/// What makes two frames the same evidence: of a masked one the bytes of its key in any order, of others how they begin.
fn mark(header: &FrameHeader, payload: &[u8]) -> u64 {
    if let Some(mut key) = header.masking_key {
        key.sort_unstable();
        return if key[0] == key[3] { UNIFORM_KEY } else { u64::from(u32::from_be_bytes(key)) };
    }
    // FNV-1a.
    let start = [header.opcode.value(), (header.payload_len & 0xFF) as u8, (header.payload_len >> 8) as u8];
    let bytes = start.iter().chain(payload.iter().take(64));
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// How many printable bytes a text has; 0 when some are not printable, `None` when it is not UTF-8.
fn printable_len(payload: &[u8], may_be_cut: bool) -> Option<u32> {
    match std::str::from_utf8(payload) {
        Err(fault) if fault.error_len().is_some() || !may_be_cut => return None,
        _ => {}
    }
    let printable = payload.iter().all(|byte| is_printable(*byte) || *byte >= 0x80);
    Some(if printable { u32::try_from(payload.len()).unwrap_or(u32::MAX) } else { 0 })
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// The evidence of a Close payload, or `None` when no Close frame may have it.
fn close_evidence(payload: &[u8]) -> Option<u32> {
    match ClosePayload::parse(payload) {
        ClosePayload::Empty => Some(0),
        ClosePayload::OneByte(_) => None,
        ClosePayload::Status { code, reason } => {
            let printable = printable_len(reason.as_bytes(), false)?;
            let CloseCode(number) = code;
            let registered = if number < 2000 { 12 } else { 5 };
            code.allowed_on_wire().then_some(registered + printable.min(8))
        }
    }
}

/// A decoder's search behind a hole: what it holds, and the hunt in it.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) held: Held,
    hunt: Hunt,
    /// What it takes of the budget.
    charged: usize,
}

/// What the searches of an analysis may take together.
#[derive(Debug)]
pub(super) struct SearchBudget {
    /// Bytes held back for one side.
    per_end: usize,
    /// Memory of all searches.
    total: usize,
    used: usize,
    /// How often either was reached.
    pub(super) hits: u64,
}

impl SearchBudget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { per_end: limits.resync_bytes_per_end, total: limits.resync_bytes_total, used: 0, hits: 0 }
    }
}

impl Search {
    pub(super) fn new(sender: Side, rsv1: bool, enough: Thresholds, nesting: Nesting, budget: &SearchBudget) -> Self {
        Self { held: Held::new(budget.per_end), hunt: Hunt::new(sender, rsv1, enough, nesting), charged: 0 }
    }

    pub(super) fn push(
        &mut self,
        offset: StreamOffset,
        origin: Origin,
        bytes: &[u8],
        budget: &mut SearchBudget,
    ) -> Option<Proof> {
        self.held.push(offset, origin, bytes);
        let proof = self.hunt.advance(&self.held);
        if proof.is_none() {
            self.make_room(budget);
        }
        proof
    }

    /// `len` bytes are missing; `None` when nobody knows how many, so that what was held leads nowhere.
    pub(super) fn gap(
        &mut self,
        offset: StreamOffset,
        origin: Origin,
        len: Option<u64>,
        budget: &mut SearchBudget,
    ) -> Option<Proof> {
        match len {
            Some(len) => {
                self.held.gap(offset, origin, len);
                let proof = self.hunt.advance(&self.held);
                if proof.is_none() {
                    self.make_room(budget);
                }
                proof
            }
            None => {
                self.forget(budget);
                self.hunt.start = None;
                None
            }
        }
    }

    pub(super) fn finish(&mut self) -> Option<Proof> {
        self.hunt.finish(&self.held)
    }

    /// What is held and the search in it take.
    pub(super) fn memory(&self) -> usize {
        self.held.memory() + self.hunt.memory()
    }

    /// Lets everything go; what comes next is searched afresh.
    pub(super) fn forget(&mut self, budget: &mut SearchBudget) {
        self.held.clear();
        self.hunt.forget();
        self.charge(budget);
    }

    /// What was held, which counts no more.
    pub(super) fn into_held(self, budget: &mut SearchBudget) -> Held {
        budget.used = budget.used.saturating_sub(self.charged);
        self.held
    }

    fn make_room(&mut self, budget: &mut SearchBudget) {
        if self.held.is_over_full() {
            if let Some(starts) = self.hunt.best_starts() {
                self.held.let_payload_go(starts);
            }
            if self.held.is_over_full() {
                budget.hits += 1;
                self.held.let_oldest_go();
                self.hunt.let_go_before(self.held.start());
            }
        }
        self.charge(budget);
        if budget.used > budget.total {
            budget.hits += 1;
            self.forget(budget);
        }
    }

    fn charge(&mut self, budget: &mut SearchBudget) {
        let memory = self.held.memory() + self.hunt.memory();
        budget.used = budget.used.saturating_sub(self.charged).saturating_add(memory);
        self.charged = memory;
    }
}

impl Hunt {
    /// Nothing before what comes next matters any more, and what comes next is one position of many.
    fn forget(&mut self) {
        self.chains = Vec::new();
        self.exhausted = BTreeSet::new();
        self.start = Some(u64::MAX);
    }

    /// Chains whose first believed frame is no longer held are of no use.
    fn let_go_before(&mut self, offset: u64) {
        self.chains.retain(|chain| chain.join.or_else(|| chain.starts.first().copied()).is_some_and(|at| at >= offset));
    }

    /// Memory taken, in bytes.
    pub(super) fn memory(&self) -> usize {
        let vectors = |chain: &Chain| (chain.starts.capacity() + chain.spent.capacity()) * size_of::<u64>();
        self.exhausted.len() * 2 * size_of::<u64>()
            + self.chains.capacity() * size_of::<Chain>()
            + self.chains.iter().map(vectors).sum::<usize>()
    }
}
