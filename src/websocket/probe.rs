//! Whether a TCP connection of which nobody knows the protocol is WebSocket, and which end is the client.
//!
//! For a connection whose handshake is not in the capture. Both ends are searched for frames, masked ones as a client
//! sends them (RFC 6455 §5.1) and clear ones as a server does. What is found is believed under stricter rules than behind
//! a hole: other protocols have bytes that look like a few frames, such as the SUBSCRIBE packets of MQTT or the names in a
//! certificate. What came meanwhile is kept, at most [`probe_bytes`](crate::limits::Limits::probe_bytes), and handed over for decoding.

use super::held::Held;
use super::nesting::Nesting;
use super::resync::{Hunt, Thresholds};
use crate::limits::Limits;
use crate::stream::{End, PerEnd};
use crate::units::{Origin, Side, StreamOffset};

/// Bits of evidence that each end must give, and both together, when neither is enough alone.
const EACH_END: u32 = 20;
const BOTH_ENDS: u32 = 44;

/// Looks at the first bytes of both ends until it is clear what they are.
#[derive(Debug)]
pub struct Probe {
    ends: PerEnd<ProbedEnd>,
    /// Bytes of both ends that are looked at.
    bytes: usize,
}

#[derive(Debug)]
struct ProbedEnd {
    held: Held,
    as_client: Hunt,
    as_server: Hunt,
}

/// What a [`Probe`] knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeVerdict {
    /// Not enough yet.
    Undecided,
    /// WebSocket frames, beyond doubt.
    WebSocket {
        /// The end that masks its frames.
        client: End,
    },
    /// Nothing of the kind in as many bytes as are looked at.
    Other,
}

/// One thing that a [`Probe`] kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeItem {
    /// Who sent it.
    pub from: End,
    /// Where it starts in that end's stream.
    pub offset: StreamOffset,
    /// The packet that carried it, or with which its loss was certain.
    pub origin: Origin,
    /// Its length in bytes.
    pub len: u64,
    /// The bytes; `None` for a gap.
    pub bytes: Option<Box<[u8]>>,
}

impl Default for Probe {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

impl Probe {
    /// A probe that has seen nothing.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let bytes = limits.probe_bytes;
        Self { ends: PerEnd { a: ProbedEnd::new(bytes), b: ProbedEnd::new(bytes) }, bytes }
    }

    /// The next bytes of one end.
    pub fn push(&mut self, from: End, offset: StreamOffset, origin: Origin, bytes: &[u8]) -> ProbeVerdict {
        self.ends[from].held.push(offset, origin, bytes);
        self.look(from)
    }

    /// The next `len` bytes of one end are missing.
    pub fn gap(&mut self, from: End, offset: StreamOffset, origin: Origin, len: u64) -> ProbeVerdict {
        let verdict = self.finish(from);
        if verdict != ProbeVerdict::Undecided {
            return verdict;
        }
        self.ends[from].held.gap(offset, origin, len);
        self.look(from)
    }

    /// One end sends no more.
    pub fn finish(&mut self, from: End) -> ProbeVerdict {
        let probed = &mut self.ends[from];
        if probed.as_client.finish(&probed.held).is_some() {
            return ProbeVerdict::WebSocket { client: from };
        }
        if probed.as_server.finish(&probed.held).is_some() {
            return ProbeVerdict::WebSocket { client: from.other() };
        }
        let both = End::BOTH.into_iter().find(|&client| {
            let (masked, clear) = (&self.ends[client], &self.ends[client.other()]);
            let masked = masked.as_client.evidence_at_end(&masked.held);
            let clear = clear.as_server.evidence_at_end(&clear.held);
            masked >= EACH_END && clear >= EACH_END && masked + clear >= BOTH_ENDS
        });
        both.map_or(ProbeVerdict::Undecided, |client| ProbeVerdict::WebSocket { client })
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.ends.a.held.len() + self.ends.b.held.len()
    }

    /// What the kept bytes and the search in them take.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        let end = |end: &ProbedEnd| end.held.memory() + end.as_client.memory() + end.as_server.memory();
        end(&self.ends.a) + end(&self.ends.b)
    }

    /// Everything that was kept, in the order of its packets.
    pub fn into_items(self) -> impl Iterator<Item = ProbeItem> {
        let items = |from: End, held: Held| {
            held.into_runs().map(move |run| ProbeItem {
                from,
                offset: StreamOffset(run.offset),
                origin: run.origin,
                len: run.len,
                bytes: run.bytes,
            })
        };
        let PerEnd { a, b } = self.ends;
        let mut a = items(End::A, a.held).peekable();
        let mut b = items(End::B, b.held).peekable();
        std::iter::from_fn(move || match (a.peek(), b.peek()) {
            (Some(of_a), Some(of_b)) if of_b.origin.packet < of_a.origin.packet => b.next(),
            (Some(_), _) => a.next(),
            (None, _) => b.next(),
        })
    }

    fn look(&mut self, from: End) -> ProbeVerdict {
        let probed = &mut self.ends[from];
        if probed.as_client.advance(&probed.held).is_some() {
            ProbeVerdict::WebSocket { client: from }
        } else if probed.as_server.advance(&probed.held).is_some() {
            ProbeVerdict::WebSocket { client: from.other() }
        } else if self.held_bytes() > self.bytes || self.ends[from].held.is_over_full() {
            ProbeVerdict::Other
        } else {
            ProbeVerdict::Undecided
        }
    }
}

impl ProbedEnd {
    fn new(bytes: usize) -> Self {
        let hunt = |sender| Hunt::new(sender, true, Thresholds::UNKNOWN_PROTOCOL, Nesting::default());
        Self { held: Held::new(bytes), as_client: hunt(Side::Client), as_server: hunt(Side::Server) }
    }
}
