//! The form of the inputs. Every sequence of bytes is a legal input: what is missing reads as 0.
//!
//! Reading and writing stand side by side here, so that the seeds and the targets agree.

use std::collections::BTreeSet;

/// Takes fields from the front of an input.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// Up to `len` bytes.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One byte.
    pub fn u8(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// Two bytes, the lower first.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A packet of `packet_decode`, written before its bytes in seven: length of the bytes, bytes not recorded, interface,
/// and the time since the last in 1/4 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketInput<'a> {
    /// What was recorded.
    pub bytes: &'a [u8],
    /// Bytes that were not recorded.
    pub cut: u16,
    /// Number of the interface.
    pub interface: u8,
    /// Quarters of a second since the packet before.
    pub quarters: u16,
}

impl<'a> PacketInput<'a> {
    /// The next packet, if there is any.
    pub fn read(fields: &mut Fields<'a>) -> Option<Self> {
        if fields.is_empty() {
            return None;
        }
        let (len, cut, interface, quarters) = (fields.u16(), fields.u16(), fields.u8(), fields.u16());
        Some(Self { bytes: fields.bytes(len.into()), cut, interface, quarters })
    }

    /// The inverse of [`read`](Self::read).
    pub fn write(&self, to: &mut Vec<u8>) {
        let len = u16::try_from(self.bytes.len()).unwrap_or(u16::MAX);
        to.extend(len.to_le_bytes());
        to.extend(self.cut.to_le_bytes());
        to.push(self.interface);
        to.extend(self.quarters.to_le_bytes());
        to.extend(&self.bytes[..len.into()]);
    }
}

/// A segment of `tcp`, in 13 bytes. Numbers are relative to what the end would say next, so that changed inputs are
/// still conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInput {
    /// Bits 0–1: which connection; 2: from the second end; 3: without time; 4–5: interface; 6: in a tunnel; 7: the
    /// data contradicts what was sent at this place before.
    pub place: u8,
    /// The flags of TCP.
    pub flags: u8,
    /// Sequence number, relative to the next of the sender.
    pub seq: i16,
    /// A multiple of 2²⁴ to be added to the sequence number; mostly 0.
    pub seq_jump: u8,
    /// Acknowledged number, relative to the next of the peer.
    pub ack: i16,
    /// Bytes of recorded data.
    pub len: u16,
    /// Bytes of data that were not recorded.
    pub cut: u8,
    /// The window in units of 256.
    pub window: u8,
    /// Milliseconds since the last segment; from 128 on, so many minus 128 in units of 1/2 s.
    pub delay: u8,
    /// Time to live.
    pub hop_limit: u8,
}

impl SegmentInput {
    /// The next segment, if there is any.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        if fields.is_empty() {
            return None;
        }
        Some(Self {
            place: fields.u8(),
            flags: fields.u8(),
            seq: fields.u16().cast_signed(),
            seq_jump: fields.u8(),
            ack: fields.u16().cast_signed(),
            len: fields.u16() & 0x0fff,
            cut: fields.u8(),
            window: fields.u8(),
            delay: fields.u8(),
            hop_limit: fields.u8(),
        })
    }

    /// The inverse of [`read`](Self::read).
    pub fn write(&self, to: &mut Vec<u8>) {
        to.extend([self.place, self.flags]);
        to.extend(self.seq.to_le_bytes());
        to.push(self.seq_jump);
        to.extend(self.ack.to_le_bytes());
        to.extend(self.len.to_le_bytes());
        to.extend([self.cut, self.window, self.delay, self.hop_limit]);
    }

    /// Nanoseconds since the segment before.
    #[must_use]
    pub fn nanos(&self) -> i64 {
        match self.delay {
            short @ ..128 => i64::from(short) * 1_000_000,
            long => i64::from(long - 128) * 500_000_000,
        }
    }
}

/// What one side of `tls` sends next, or what is lost of it: a byte of flags, a length, the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsInput<'a> {
    /// The server speaks.
    pub server: bool,
    /// `len` bytes are lost; 0 means that nobody knows how many.
    pub gap: bool,
    /// Length of what comes or is lost.
    pub len: u16,
    /// What comes.
    pub bytes: &'a [u8],
}

impl<'a> TlsInput<'a> {
    /// The next part, if there is any.
    pub fn read(fields: &mut Fields<'a>) -> Option<Self> {
        if fields.is_empty() {
            return None;
        }
        let (flags, len) = (fields.u8(), fields.u16());
        let (server, gap) = (flags & 1 == 1, flags & 2 == 2);
        Some(Self { server, gap, len, bytes: fields.bytes(if gap { 0 } else { len.into() }) })
    }

    /// Writes bytes of one side.
    pub fn write(server: bool, bytes: &[u8], to: &mut Vec<u8>) {
        for bytes in bytes.chunks(u16::MAX.into()) {
            to.push(server.into());
            to.extend((bytes.len() as u16).to_le_bytes());
            to.extend(bytes);
        }
    }
}

/// One direction of a connection, as `http` and `websocket` take it: a byte of settings, up to seven places to cut at, up
/// to three places where bytes are missing, and the bytes.
#[derive(Debug, Clone)]
pub struct StreamInput<'a> {
    /// What the target makes of it.
    pub settings: u8,
    /// Places to cut at, each before a byte.
    pub cuts: BTreeSet<usize>,
    /// Where bytes are missing and how many; 0 means that nobody knows.
    pub gaps: Vec<(usize, u16)>,
    /// The bytes that are not missing.
    pub bytes: &'a [u8],
}

impl<'a> StreamInput<'a> {
    /// Reads all of an input.
    #[must_use]
    pub fn read(input: &'a [u8]) -> Self {
        let mut fields = Fields(input);
        let settings = fields.u8();
        let counts = fields.u8();
        let cuts: Vec<u16> = (0..counts & 7).map(|_| fields.u16()).collect();
        let gaps: Vec<(u16, u16)> = (0..(counts >> 3) & 3).map(|_| (fields.u16(), fields.u16())).collect();
        let bytes = fields.0;
        let place = |at: u16| usize::from(at) % (bytes.len() + 1);
        let mut gaps: Vec<(usize, u16)> = gaps.into_iter().map(|(at, len)| (place(at), len)).collect();
        gaps.sort_by_key(|(at, _)| *at);
        Self { settings, cuts: cuts.into_iter().map(place).collect(), gaps, bytes }
    }

    /// An input with at most seven cuts and three gaps.
    #[must_use]
    pub fn write(settings: u8, cuts: &[u16], gaps: &[(u16, u16)], bytes: &[u8]) -> Vec<u8> {
        let (cuts, gaps) = (&cuts[..cuts.len().min(7)], &gaps[..gaps.len().min(3)]);
        let mut input = vec![settings, cuts.len() as u8 | (gaps.len() as u8) << 3];
        let numbers = cuts.iter().chain(gaps.iter().flat_map(|(at, len)| [at, len]));
        numbers.for_each(|number| input.extend(number.to_le_bytes()));
        input.extend(bytes);
        input
    }

    /// The bytes and gaps in order, cut where `cut_before` says so.
    #[must_use]
    pub fn pieces(&self, cut_before: impl Fn(usize) -> bool) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut gaps = self.gaps.iter().peekable();
        let (mut start, mut offset) = (0, 0);
        for at in 0..=self.bytes.len() {
            let gap_here = gaps.peek().is_some_and(|gap| gap.0 == at);
            if at > start && (gap_here || at == self.bytes.len() || cut_before(at)) {
                pieces.push(Piece::Bytes { offset, bytes: &self.bytes[start..at] });
                offset += (at - start) as u64;
                start = at;
            }
            while let Some((_, len)) = gaps.next_if(|gap| gap.0 == at) {
                pieces.push(Piece::Gap { offset, len: (*len > 0).then_some(u64::from(*len)) });
                offset += u64::from(*len);
            }
        }
        pieces
    }
}

/// A part of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes, never empty.
    Bytes {
        /// Where they start.
        offset: u64,
        /// They themselves.
        bytes: &'a [u8],
    },
    /// Missing bytes.
    Gap {
        /// Where they start.
        offset: u64,
        /// How many.
        len: Option<u64>,
    },
}
