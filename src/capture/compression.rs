//! Unpacks a capture while it is read: gzip, zstd and lz4, recognised by their first bytes, never by a file name.
//!
//! Everything streams: memory is the decoder's window (at most 128 MiB for zstd, 8 MiB for lz4, 32 KiB for gzip) plus
//! one input buffer, whatever the data expands to. Several members or frames in a row are one capture, as `cat` makes
//! them; skippable frames are skipped. A decoder is only asked for what it can give, so packets of a slow pipe come out
//! as soon as the compressing program has flushed them.

use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use std::fmt;
use std::io::{self, BufRead, Read};

/// How a capture file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952), one or several members.
    Gzip,
    /// Zstandard (RFC 8878), one or several frames.
    Zstd,
    /// LZ4 frame format, one or several frames.
    Lz4,
}

impl Compression {
    /// `none`, `gzip`, `zstd` or `lz4`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }

    /// Recognises the first four bytes.
    fn recognise(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            _ => Self::None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why no more bytes come.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The input itself failed.
    Io(io::Error),
    /// The input is fine, but what it holds cannot be unpacked.
    Unpack(io::Error),
}

/// The capture's own bytes, unpacked.
pub(super) enum Unpacked<R: Read> {
    Plain(Input<R>),
    Gzip(Box<MultiGzDecoder<Input<R>>>),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::Decoder<'static, Input<R>>>),
    Lz4(Lz4<R>),
}

impl<R: Read> Unpacked<R> {
    /// Looks at the first bytes and prepares the decoder they call for.
    ///
    /// `Ok(Err(_))` is a compression that this build lacks.
    pub(super) fn open(source: R) -> io::Result<Result<Self, Compression>> {
        let mut input = Input::new(source);
        input.skip_skippable_frames()?;
        let compression = Compression::recognise(input.peek(4)?);
        Ok(match compression {
            Compression::None => Ok(Self::Plain(input)),
            Compression::Gzip => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(input)))),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Ok(Self::Zstd(Box::new(zstd::Decoder::with_buffer(input)?))),
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd => Err(compression),
            Compression::Lz4 => Ok(Self::Lz4(Lz4::new(input))),
        })
    }

    pub(super) fn compression(&self) -> Compression {
        match self {
            Self::Plain(_) => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            #[cfg(feature = "zstd")]
            Self::Zstd(_) => Compression::Zstd,
            Self::Lz4(_) => Compression::Lz4,
        }
    }

    /// Reads what is there, at most `to.len()` bytes; 0 is the end. Waits only when there is nothing at all.
    pub(super) fn read(&mut self, to: &mut [u8]) -> Result<usize, ReadError> {
        let (result, input_failed) = match self {
            Self::Plain(input) => return input.read(to).map_err(ReadError::Io),
            Self::Gzip(decoder) => (decoder.read(to), decoder.get_ref().source.failed),
            #[cfg(feature = "zstd")]
            Self::Zstd(decoder) => (decoder.read(to), decoder.get_ref().source.failed),
            Self::Lz4(decoder) => (decoder.read(to), decoder.input_failed()),
        };
        result.map_err(|error| if input_failed { ReadError::Io(error) } else { ReadError::Unpack(error) })
    }
}

/// Frames of lz4 in a row.
///
/// Each frame gets a fresh decoder: the one of lz4_flex takes the end of the input for the end of a frame, and its debug
/// assertions do not hold when a later frame has other block sizes.
pub(super) struct Lz4<R: Read> {
    decoder: FrameDecoder<Slot<R>>,
    done: bool,
}

/// The input, which moves from one decoder to the next.
struct Slot<R: Read>(Option<Input<R>>);

impl<R: Read> Read for Slot<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |input| input.read(to))
    }
}

impl<R: Read> Lz4<R> {
    fn new(input: Input<R>) -> Self {
        Self { decoder: FrameDecoder::new(Slot(Some(input))), done: false }
    }

    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while !self.done {
            let len = self.decoder.read(to)?;
            if len > 0 {
                return Ok(len);
            }
            let Some(mut input) = self.decoder.get_mut().0.take() else { break };
            // At the end mark of a frame the decoder asks for no more; it was still asking if the input has run dry.
            let another = match input.source.ended {
                true => Err(io::ErrorKind::UnexpectedEof.into()),
                false => input.skip_skippable_frames().and_then(|()| Ok(!input.peek(1)?.is_empty())),
            };
            self.decoder = FrameDecoder::new(Slot(Some(input)));
            self.done = !matches!(another, Ok(true));
            another?;
        }
        Ok(0)
    }

    fn input_failed(&self) -> bool {
        self.decoder.get_ref().0.as_ref().is_some_and(|input| input.source.failed)
    }
}

/// The packed bytes, with a look ahead.
pub(super) struct Input<R> {
    source: Source<R>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What the caller handed in, remembering how it behaved.
struct Source<R> {
    reader: R,
    /// It reported an error.
    failed: bool,
    /// It was asked for more than it has.
    ended: bool,
}

impl<R: Read> Read for Source<R> {
    /// One read, repeated only when a signal interrupted it.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(to) {
                Ok(len) => {
                    self.ended |= len == 0;
                    return Ok(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = true;
                    return Err(error);
                }
            }
        }
    }
}

impl<R: Read> Input<R> {
    fn new(reader: R) -> Self {
        let buffer = vec![0; INPUT_BUFFER].into_boxed_slice();
        Self { source: Source { reader, failed: false, ended: false }, buffer, start: 0, end: 0 }
    }

    /// The next bytes without taking them: `len` of them unless the input ends before.
    fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end < len {
            match self.source.read(&mut self.buffer[self.end..])? {
                0 => break,
                more => self.end += more,
            }
        }
        Ok(&self.buffer[..self.end.min(len)])
    }

    /// Steps over frames that zstd and lz4 agree to ignore (RFC 8878 §3.1.2).
    fn skip_skippable_frames(&mut self) -> io::Result<()> {
        while let [0x50..=0x5f, 0x2a, 0x4d, 0x18] = self.peek(4)? {
            let &[_, _, _, _, a, b, c, d] = self.peek(8)? else { break };
            let len = 8 + u64::from(u32::from_le_bytes([a, b, c, d]));
            io::copy(&mut self.by_ref().take(len), &mut io::sink())?;
        }
        Ok(())
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && to.len() >= self.buffer.len() {
            return self.source.read(to);
        }
        let available = self.fill_buf()?;
        let len = available.len().min(to.len());
        to[..len].copy_from_slice(&available[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.end = self.source.read(&mut self.buffer)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, len: usize) {
        self.start = self.end.min(self.start + len);
    }
}

/// Bytes of packed input held at once.
const INPUT_BUFFER: usize = 64 << 10;
