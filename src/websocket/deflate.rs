//! Inflating the messages of one side (RFC 7692 §7.2.2).
//!
//! The compressed bytes of a message, over all its frames, and then `00 00 ff ff` go through one raw inflater. With
//! context takeover that inflater lives on, because a message may refer back into earlier ones. Without it every message
//! starts afresh with an inflater borrowed from the scratch.
//!
//! When earlier data is missing, the window is filled with [`UNKNOWN`] bytes. Compressed messages end on whole bytes, so
//! the next one inflates to its right length, and where it refers to missing data the filling shows. Only a message
//! that does not inflate makes all later ones unreadable.
//!
//! Inflating always uses the largest window, which reads what any smaller one wrote. Whether a sender keeps to the smaller
//! one it promised is not checked: zlib-rs keeps 32 KiB whatever window it is asked for, so it cannot tell.

use super::scratch::Scratch;
use flate2::{Decompress, FlushDecompress, Status};

/// How one side compresses, as permessage-deflate was negotiated for it (RFC 7692 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Deflate {
    /// Whether every message starts with an empty window (`client_no_context_takeover` or
    /// `server_no_context_takeover`).
    pub no_context_takeover: bool,
    /// Base-2 logarithm of the window, 8–15 (`client_max_window_bits` or `server_max_window_bits`).
    pub window_bits: u8,
}

/// What a flushing sender takes off the end of each message, and the receiver puts back (§7.2.1, §7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// What an inflater takes; a test in `tests/hostile` counts it.
const INFLATER_BYTES: usize = 48 << 10;

/// Stands for each byte of a window that we do not know. It never occurs in UTF-8.
pub(super) const UNKNOWN: u8 = 0xFF;

/// A window of the largest size of which nothing is known.
static UNKNOWN_WINDOW: [u8; 1 << 15] = [UNKNOWN; 1 << 15];

/// Why a message is not inflated to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// An earlier one failed, so nothing can be said.
    ContextLost,
    /// It grew beyond the limit.
    Limit,
    /// It is not DEFLATE data.
    Failed,
}

/// How much a message has inflated to, in bytes, and may.
pub(super) struct Yield<'l> {
    pub(super) produced: &'l mut u64,
    pub(super) limit: u64,
}

/// What is known of the window that the next message starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    /// All of it.
    Known,
    /// Not all of it: some of it is [`UNKNOWN`] bytes.
    ///
    /// Also after a block with BFINAL: the inflater cannot keep its window over the end of a DEFLATE stream. A sender may
    /// (RFC 7692 §7.2.3.4 does not say), though most start anew there.
    Blurred,
    /// Nothing, for good.
    Lost,
}

/// Whether an [`UNKNOWN`] byte among inflated ones may stand for a byte that we do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clarity {
    /// No: it is what the sender compressed.
    Clear,
    /// Yes.
    Blurred,
}

impl Context {
    fn clarity(self) -> Clarity {
        if self == Self::Known { Clarity::Clear } else { Clarity::Blurred }
    }
}

/// Inflaters that wait for a message. Boxed, so that they move between here and a decoder without a new allocation.
pub(super) type SpareInflaters = Vec<Box<Decompress>>;

/// The inflater of one side.
pub(super) struct Inflation {
    config: Deflate,
    inflater: Option<Box<Decompress>>,
    context: Context,
    /// The last byte ended a DEFLATE stream and no further one has begun.
    after_final_block: bool,
    guessed: bool,
}

impl Inflation {
    pub(super) fn new(config: Deflate) -> Self {
        Self { config, inflater: None, context: Context::Known, after_final_block: false, guessed: false }
    }

    /// For a side of which only RSV1 says that it compresses: nothing is known of its window, and what does not inflate is
    /// nobody's fault.
    pub(super) fn guessed() -> Self {
        let config = Deflate { no_context_takeover: false, window_bits: 15 };
        Self { context: Context::Blurred, guessed: true, ..Self::new(config) }
    }

    /// Bytes that the inflater takes.
    pub(super) fn kept_bytes(&self) -> usize {
        if self.inflater.is_some() { INFLATER_BYTES } else { 0 }
    }

    pub(super) fn is_guessed(&self) -> bool {
        self.guessed
    }

    /// A compressed message begins.
    pub(super) fn start(&mut self, spare: &mut SpareInflaters) -> Result<(), Stop> {
        if self.config.no_context_takeover {
            self.context = Context::Known;
            self.after_final_block = false;
        }
        if self.context == Context::Lost {
            return Err(Stop::ContextLost);
        }
        if self.config.no_context_takeover || self.inflater.is_none() {
            let mut inflater = self.inflater.take().or_else(|| spare.pop()).unwrap_or_else(new_inflater);
            restart(&mut inflater, self.context);
            self.inflater = Some(inflater);
        }
        Ok(())
    }

    /// The next compressed bytes of the message. What they inflate to goes to `visit` in pieces of at most `buffer`.
    ///
    /// Produces at most one byte more than the limit. After an error the message is over: call
    /// [`blur`](Self::blur) or [`fail`](Self::fail).
    pub(super) fn push(
        &mut self,
        mut compressed: &[u8],
        buffer: &mut [u8],
        grown: Yield<'_>,
        mut visit: impl FnMut(&[u8], Clarity),
    ) -> Result<(), Stop> {
        let inflater = self.inflater.get_or_insert_with(new_inflater);
        loop {
            let left = grown.limit.saturating_sub(*grown.produced).saturating_add(1);
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let (in_before, out_before) = (inflater.total_in(), inflater.total_out());
            let result = inflater.decompress(compressed, &mut buffer[..room], FlushDecompress::Sync);
            // Both differences fit: they are at most the lengths of the slices just handed in.
            let consumed = (inflater.total_in() - in_before) as usize;
            let produced = (inflater.total_out() - out_before) as usize;
            compressed = compressed.get(consumed..).unwrap_or_default();
            if consumed > 0 {
                self.after_final_block = false;
            }
            if produced > 0 {
                visit(&buffer[..produced], self.context.clarity());
                *grown.produced += produced as u64;
            }
            if *grown.produced > grown.limit {
                return Err(Stop::Limit);
            }
            match result {
                // What the inflater says about it depends on how the input was cut, so it is not passed on.
                Err(_) => return Err(Stop::Failed),
                Ok(Status::StreamEnd) => {
                    self.after_final_block = true;
                    self.context = Context::Blurred;
                    restart(inflater, self.context);
                }
                Ok(Status::Ok | Status::BufError) => {
                    if consumed == 0 && produced == 0 && !compressed.is_empty() {
                        return Err(Stop::Failed);
                    }
                }
            }
            if compressed.is_empty() && produced < room {
                return Ok(());
            }
        }
    }

    /// The last frame of the message is complete.
    pub(super) fn finish(
        &mut self,
        buffer: &mut [u8],
        grown: Yield<'_>,
        visit: impl FnMut(&[u8], Clarity),
    ) -> Result<(), Stop> {
        // A sender that ended its DEFLATE stream had nothing to flush: the tail belongs to nothing.
        if self.after_final_block { Ok(()) } else { self.push(&TAIL, buffer, grown, visit) }
    }

    /// The inflater is not needed until the next message; hands it back when it need not remember.
    pub(super) fn release(&mut self, spare: &mut SpareInflaters) {
        if self.config.no_context_takeover
            && spare.len() < Scratch::SPARE_INFLATERS
            && let Some(inflater) = self.inflater.take()
        {
            spare.push(inflater);
        }
    }

    /// The message under way will not be inflated to its end, or earlier ones were not seen: the next one starts with a
    /// window that is not known.
    pub(super) fn blur(&mut self) {
        self.forget(Context::Blurred);
    }

    /// The message under way did not inflate: nothing can be said about later ones that may refer to it.
    pub(super) fn fail(&mut self) {
        self.forget(Context::Lost);
    }

    fn forget(&mut self, context: Context) {
        self.inflater = None;
        self.after_final_block = false;
        if self.context != Context::Lost {
            self.context = context;
        }
    }
}

fn new_inflater() -> Box<Decompress> {
    Box::new(Decompress::new(false))
}

/// Makes the inflater expect a new DEFLATE stream.
fn restart(inflater: &mut Decompress, context: Context) {
    inflater.reset(false);
    if context == Context::Blurred {
        // A raw inflater takes any dictionary. If it did not, references back would count as failures.
        let _ = inflater.set_dictionary(&UNKNOWN_WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEOVER: Deflate = Deflate { no_context_takeover: false, window_bits: 15 };
    const NO_TAKEOVER: Deflate = Deflate { no_context_takeover: true, window_bits: 15 };

    fn inflate(inflation: &mut Inflation, compressed: &[u8], limit: u64) -> Result<Vec<u8>, Stop> {
        let mut clear = Vec::new();
        let mut produced = 0;
        let mut spare = Vec::new();
        // A small buffer, so that every message needs several rounds.
        let mut buffer = [0; 3];
        let result = inflation.start(&mut spare).and_then(|()| {
            for byte in compressed {
                let grown = Yield { produced: &mut produced, limit };
                inflation.push(&[*byte], &mut buffer, grown, |piece, _| clear.extend_from_slice(piece))?;
            }
            let grown = Yield { produced: &mut produced, limit };
            inflation.finish(&mut buffer, grown, |piece, _| clear.extend_from_slice(piece))
        });
        match result {
            Ok(()) => inflation.release(&mut spare),
            Err(_) => inflation.fail(),
        }
        result.map(|()| clear)
    }

    /// RFC 7692 §7.2.3.1 to §7.2.3.6.
    #[test]
    fn the_examples_of_section_7_2_3() {
        for compressed in [
            &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
            &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
            &[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
        ] {
            for config in [TAKEOVER, NO_TAKEOVER] {
                assert_eq!(
                    inflate(&mut Inflation::new(config), compressed, 99),
                    Ok(b"Hello".to_vec()),
                    "{compressed:02x?}"
                );
            }
        }
        assert_eq!(inflate(&mut Inflation::new(TAKEOVER), &[0x00], 99), Ok(Vec::new()));
    }

    /// RFC 7692 §7.2.3.2: the second "Hello" is a reference into the first.
    #[test]
    fn takeover_decides_whether_a_reference_back_is_good() {
        let first = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        let second = [0xF2, 0x00, 0x11, 0x00, 0x00];
        let mut kept = Inflation::new(TAKEOVER);
        assert_eq!(inflate(&mut kept, &first, 99), Ok(b"Hello".to_vec()));
        assert_eq!(inflate(&mut kept, &second, 99), Ok(b"Hello".to_vec()));
        let mut dropped = Inflation::new(NO_TAKEOVER);
        assert_eq!(inflate(&mut dropped, &first, 99), Ok(b"Hello".to_vec()));
        assert!(matches!(inflate(&mut dropped, &second, 99), Err(Stop::Failed)));
        assert_eq!(inflate(&mut dropped, &first, 99), Ok(b"Hello".to_vec()));
    }

    #[test]
    fn a_final_block_may_lack_the_empty_block_behind_it() {
        let bare = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        let mut inflation = Inflation::new(TAKEOVER);
        for _ in 0..3 {
            assert_eq!(inflate(&mut inflation, &bare, 99), Ok(b"Hello".to_vec()));
        }
        // A literal and a reference to before the final block: that has its length and no content.
        assert_eq!(inflation.context.clarity(), Clarity::Blurred);
        assert_eq!(
            inflate(&mut inflation, &[0xF2, 0x00, 0x11, 0x00, 0x00], 99),
            Ok([b"H", &[UNKNOWN; 4][..]].concat())
        );
        assert_eq!(inflate(&mut inflation, &bare, 99), Ok(b"Hello".to_vec()));
    }

    #[test]
    fn a_failure_spoils_what_may_refer_to_it() {
        let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        // Block type 3 does not exist (RFC 1951 §3.2.3).
        let broken = [0x06, 0x00];
        let mut kept = Inflation::new(TAKEOVER);
        assert!(matches!(inflate(&mut kept, &broken, 99), Err(Stop::Failed)));
        assert_eq!(inflate(&mut kept, &hello, 99), Err(Stop::ContextLost));
        let mut dropped = Inflation::new(NO_TAKEOVER);
        assert!(matches!(inflate(&mut dropped, &broken, 99), Err(Stop::Failed)));
        assert_eq!(inflate(&mut dropped, &hello, 99), Ok(b"Hello".to_vec()));
    }

    #[test]
    fn the_limit_is_a_length_that_is_still_allowed() {
        let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        assert_eq!(inflate(&mut Inflation::new(TAKEOVER), &hello, 5), Ok(b"Hello".to_vec()));
        assert_eq!(inflate(&mut Inflation::new(TAKEOVER), &hello, 4), Err(Stop::Limit));
    }
}
