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
//! Everything is inflated, once and as it comes: that a text is not UTF-8, that data are damaged, how large a message is and
//! how far back it refers may each be why a connection ends, and when the bytes go by nobody knows yet how it will. What
//! bounds the cost is how long a window is kept: without context takeover inside a message, with it from the first
//! compressed message of a side until its stream ends, fails or is lost. All windows together count towards
//! [`kept_bytes_total`](crate::limits::Limits::kept_bytes_total), which is told when it is reached.
//!
//! Inflating always uses the largest window, which reads what any smaller one wrote; whether a sender keeps to the smaller
//! one it promised shows in how far its references go back. The window is all that a side keeps between two messages: the
//! inflater itself is needed only inside one, so all sides share a handful.
//!
//! A window of 8 bits is a promise that no sender breaks by being one of zlib's: asked for 8 bits it takes 9 (or
//! refuses), and of its 512 bytes it uses 512 − 262 = 250 at most, because its longest match must still fit.
//!
//! A failure is the sender's only while nothing else explains it. After missing data, or a message given up, nobody knows
//! whether a block still goes on, so until one message has inflated to its end what fails is put down to lost context.

mod codes;
mod inflater;
mod window;

use self::inflater::{Inflater, Pause, Reference};
use self::window::Window;

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

/// Stands for each byte of a window that we do not know. It never occurs in UTF-8.
pub(super) const UNKNOWN: u8 = 0xFF;

/// Why a message is not inflated to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// An earlier one failed or was not seen, so nothing can be said.
    ContextLost,
    /// It grew beyond the limit.
    Limit,
    /// It is not DEFLATE data.
    Failed {
        /// The compressed byte of the message at which that was certain, from 0; `None` when its end is missing.
        byte: Option<u64>,
    },
}

/// What is found in a compressed message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Finding<'p> {
    /// The next inflated bytes.
    Bytes(&'p [u8], Clarity),
    /// The first reference of the message that goes back further than the window.
    TooFar {
        /// Inflated bytes of the message before it.
        at: u64,
        /// How far it goes back, in bytes.
        distance: u32,
        /// The window in bytes.
        window: u32,
    },
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
    /// Also after a block with BFINAL, behind which a new DEFLATE stream begins. Whether its sender still refers to what was
    /// before RFC 7692 §7.2.3.4 does not say; most start anew there.
    Blurred,
    /// Nothing, for good.
    Lost,
}

/// Whether what fails is the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Footing {
    /// Yes: its blocks were followed from the first on, or a message has inflated to its end.
    Firm,
    /// Perhaps not: a block may go on from a message that was not inflated to its end.
    Doubtful,
    /// No: that this is DEFLATE data is only presumed.
    Guessed,
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

/// What waits for a message.
#[derive(Default)]
pub(super) struct Spares {
    inflaters: Vec<Box<Inflater>>,
    /// Of senders that start every message afresh.
    windows: Vec<Window>,
}

/// The inflater of one side.
pub(super) struct Inflation {
    config: Deflate,
    window: Window,
    /// Only inside a message, and between two when a block goes on from one to the other.
    inflater: Option<Box<Inflater>>,
    context: Context,
    footing: Footing,
    /// Messages that could not be read because an earlier one failed; stops counting at the end of its range.
    unreadable: u32,
    /// Compressed bytes of the message that the inflater has taken.
    consumed: u64,
    /// That the message refers back too far was told.
    exceeded: bool,
    /// The last byte ended a DEFLATE stream and no further one has begun.
    after_final_block: bool,
}

impl Inflation {
    pub(super) fn new(config: Deflate) -> Self {
        Self {
            config,
            window: Window::default(),
            inflater: None,
            context: Context::Known,
            footing: Footing::Firm,
            unreadable: 0,
            consumed: 0,
            exceeded: false,
            after_final_block: false,
        }
    }

    /// For a side of which only RSV1 says that it compresses: nothing is known of its window, and what does not inflate is
    /// nobody's fault.
    pub(super) fn guessed() -> Self {
        let config = Deflate { no_context_takeover: false, window_bits: 15 };
        Self { context: Context::Blurred, footing: Footing::Guessed, ..Self::new(config) }
    }

    /// Bytes that the window takes, and the inflater of a message under way.
    pub(super) fn kept_bytes(&self) -> usize {
        self.window.kept_bytes() + if self.inflater.is_some() { size_of::<Inflater>() } else { 0 }
    }

    /// Messages after one that failed that cannot be read because they may refer to it.
    pub(super) fn unreadable(&self) -> u32 {
        self.unreadable
    }

    pub(super) fn is_guessed(&self) -> bool {
        self.footing == Footing::Guessed
    }

    /// A compressed message begins.
    pub(super) fn start(&mut self, spares: &mut Spares) -> Result<(), Stop> {
        if self.config.no_context_takeover {
            self.context = Context::Known;
            self.steady();
            self.window = spares.windows.pop().unwrap_or_default();
        }
        if self.context == Context::Lost {
            self.unreadable = self.unreadable.saturating_add(1);
            return Err(Stop::ContextLost);
        }
        if self.window.is_empty() {
            self.window.restart(self.context == Context::Blurred);
        }
        self.inflater.get_or_insert_with(|| spares.inflaters.pop().unwrap_or_else(Inflater::new));
        self.consumed = 0;
        self.exceeded = false;
        Ok(())
    }

    /// The next compressed bytes of the message. What they inflate to goes to `visit` in pieces of a few KiB.
    ///
    /// Produces at most one byte more than the limit. After an error the message is over: call
    /// [`blur`](Self::blur) or [`fail`](Self::fail).
    pub(super) fn push(
        &mut self,
        compressed: &[u8],
        grown: Yield<'_>,
        mut visit: impl FnMut(Finding<'_>),
    ) -> Result<(), Stop> {
        let Some(inflater) = &mut self.inflater else { return Ok(()) };
        let mut rest = compressed;
        loop {
            let farthest = if self.exceeded { u32::MAX } else { 1 << self.config.window_bits };
            let (used, pause) = inflater.inflate(rest, &mut self.window, farthest);
            rest = rest.get(used..).unwrap_or_default();
            self.consumed = self.consumed.saturating_add(used as u64);
            self.after_final_block &= used == 0;

            let left = grown.limit.saturating_sub(*grown.produced).saturating_add(1);
            let fresh = self.window.fresh();
            let piece = &fresh[..fresh.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            if !piece.is_empty() {
                visit(Finding::Bytes(piece, self.context.clarity()));
                *grown.produced += piece.len() as u64;
            }
            if *grown.produced > grown.limit {
                return Err(Stop::Limit);
            }
            match pause {
                Pause::Hungry => return Ok(()),
                Pause::Full => self.window.make_room(),
                Pause::Far(Reference { distance, len }) => {
                    self.exceeded = true;
                    if self.footing == Footing::Firm {
                        let at = grown.produced.saturating_sub(u64::from(len));
                        visit(Finding::TooFar { at, distance, window: farthest });
                    }
                }
                Pause::StreamEnd => {
                    self.context = Context::Blurred;
                    self.window.restart(true);
                    self.after_final_block = true;
                }
                Pause::Broken if self.footing == Footing::Firm => {
                    return Err(Stop::Failed { byte: Some(self.consumed.saturating_sub(1)) });
                }
                Pause::Broken => return Err(Stop::ContextLost),
            }
        }
    }

    /// The last frame of the message is complete.
    pub(super) fn finish(&mut self, grown: Yield<'_>, visit: impl FnMut(Finding<'_>)) -> Result<(), Stop> {
        // A sender that ended its DEFLATE stream had nothing to flush: the tail belongs to nothing.
        if !self.after_final_block {
            self.push(&TAIL, grown, visit).map_err(|stop| match stop {
                Stop::Failed { .. } => Stop::Failed { byte: None },
                stop => stop,
            })?;
        }
        self.steady();
        Ok(())
    }

    /// From here on it is certain where blocks begin, if it ever can be.
    fn steady(&mut self) {
        if self.footing == Footing::Doubtful {
            self.footing = Footing::Firm;
        }
    }

    /// The message is over; hands back what need not remember.
    pub(super) fn release(&mut self, spares: &mut Spares) {
        let starts_afresh = self.config.no_context_takeover;
        if let Some(mut inflater) = self.inflater.take_if(|inflater| starts_afresh || inflater.is_at_rest())
            && spares.inflaters.len() < Spares::MOST
        {
            inflater.restart();
            spares.inflaters.push(inflater);
        }
        if starts_afresh {
            let mut window = std::mem::take(&mut self.window);
            if window.kept_bytes() > 0 && spares.windows.len() < Spares::MOST {
                window.restart(false);
                spares.windows.push(window);
            }
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
        self.window = Window::default();
        self.after_final_block = false;
        if self.footing == Footing::Firm {
            self.footing = Footing::Doubtful;
        }
        if self.context != Context::Lost {
            self.context = context;
        }
    }
}

impl Spares {
    /// More are freed.
    pub(super) const MOST: usize = 8;

    #[cfg(test)]
    pub(super) fn most_kept(&self) -> usize {
        self.inflaters.len().max(self.windows.len())
    }
}

#[cfg(test)]
mod tests {
    mod differential;

    use super::*;

    const TAKEOVER: Deflate = Deflate { no_context_takeover: false, window_bits: 15 };
    const NO_TAKEOVER: Deflate = Deflate { no_context_takeover: true, window_bits: 15 };

    fn inflate(inflation: &mut Inflation, compressed: &[u8], limit: u64) -> Result<Vec<u8>, Stop> {
        let mut clear = Vec::new();
        let mut produced = 0;
        let mut spare = Spares::default();
        let result = inflation.start(&mut spare).and_then(|()| {
            for byte in compressed {
                let grown = Yield { produced: &mut produced, limit };
                inflation.push(&[*byte], grown, |found| take(&mut clear, found))?;
            }
            let grown = Yield { produced: &mut produced, limit };
            inflation.finish(grown, |found| take(&mut clear, found))
        });
        match result {
            Ok(()) => inflation.release(&mut spare),
            Err(_) => inflation.fail(),
        }
        result.map(|()| clear)
    }

    fn take(clear: &mut Vec<u8>, found: Finding<'_>) {
        if let Finding::Bytes(piece, _) = found {
            clear.extend_from_slice(piece);
        }
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
        assert!(matches!(inflate(&mut dropped, &second, 99), Err(Stop::Failed { .. })));
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
        assert!(matches!(inflate(&mut kept, &broken, 99), Err(Stop::Failed { .. })));
        assert_eq!(inflate(&mut kept, &hello, 99), Err(Stop::ContextLost));
        let mut dropped = Inflation::new(NO_TAKEOVER);
        assert!(matches!(inflate(&mut dropped, &broken, 99), Err(Stop::Failed { .. })));
        assert_eq!(inflate(&mut dropped, &hello, 99), Ok(b"Hello".to_vec()));
    }

    #[test]
    fn the_limit_is_a_length_that_is_still_allowed() {
        let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        assert_eq!(inflate(&mut Inflation::new(TAKEOVER), &hello, 5), Ok(b"Hello".to_vec()));
        assert_eq!(inflate(&mut Inflation::new(TAKEOVER), &hello, 4), Err(Stop::Limit));
    }
}
