//! Unpacks a capture while it is read: gzip, zstd, lz4 and xz, recognised by their first bytes, never by a file name.
//!
//! Everything streams: memory is the decoder's window (at most 128 MiB for zstd and xz, 8 MiB for lz4, 32 KiB for gzip)
//! plus one input buffer, whatever the data expands to. Several members or frames in a row are one capture, as `cat` makes
//! them; skippable frames are skipped. A decoder is only asked for what it can give, so packets of a slow pipe come out
//! as soon as the compressing program has flushed them.

use super::CaptureError;
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
    /// The .xz format, one or several streams.
    Xz,
}

impl Compression {
    /// `none`, `gzip`, `zstd`, `lz4` or `xz`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }

    /// Recognises the first six bytes.
    fn recognise(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
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
    #[cfg(feature = "xz")]
    Xz(Box<liblzma::bufread::XzDecoder<Input<R>>>),
}

impl<R: Read> Unpacked<R> {
    /// Looks at the first bytes and prepares the decoder they call for.
    pub(super) fn open(source: R) -> Result<Self, CaptureError> {
        let mut input = Input::new(source);
        input.skip_skippable_frames()?;
        let compression = Compression::recognise(input.peek(6)?);
        Ok(match compression {
            Compression::None => Self::Plain(input),
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(input))),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Self::Zstd(Box::new(zstd::Decoder::with_buffer(input)?)),
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd => return Err(CaptureError::Unsupported(compression)),
            Compression::Lz4 => Self::Lz4(Lz4::new(input)),
            #[cfg(feature = "xz")]
            Compression::Xz => {
                use liblzma::stream::{CONCATENATED, Stream};
                // Without a bound of its own, a header may claim a window of 4 GiB.
                let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(io::Error::from)?;
                Self::Xz(Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream)))
            }
            #[cfg(not(feature = "xz"))]
            Compression::Xz => return Err(CaptureError::Unsupported(compression)),
        })
    }

    pub(super) fn compression(&self) -> Compression {
        match self {
            Self::Plain(_) => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            #[cfg(feature = "zstd")]
            Self::Zstd(_) => Compression::Zstd,
            Self::Lz4(_) => Compression::Lz4,
            #[cfg(feature = "xz")]
            Self::Xz(_) => Compression::Xz,
        }
    }

    /// Reads what is there, at most `to.len()` bytes; 0 is the end. Waits only when there is nothing at all.
    pub(super) fn read(&mut self, to: &mut [u8]) -> Result<usize, ReadError> {
        let most = if matches!(self, Self::Plain(_)) { usize::MAX } else { UNPACKED_AT_ONCE };
        let len = to.len().min(most);
        let to = &mut to[..len];
        let (result, input_failed) = match self {
            Self::Plain(input) => return input.read(to).map_err(ReadError::Io),
            Self::Gzip(decoder) => (decoder.read(to), decoder.get_ref().source.failed),
            #[cfg(feature = "zstd")]
            Self::Zstd(decoder) => (decoder.read(to), decoder.get_ref().source.failed),
            Self::Lz4(decoder) => (decoder.read(to), decoder.input_failed()),
            #[cfg(feature = "xz")]
            Self::Xz(decoder) => (decoder.read(to), decoder.get_ref().source.failed),
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

/// Bytes asked of a decoder at once. One that comes upon damage does not say how much it had unpacked in the same call, so
/// this much may be lost before the damage.
const UNPACKED_AT_ONCE: usize = 4 << 10;

/// Memory that unpacking xz may take: `xz -9` needs 65 MiB, other presets less.
#[cfg(feature = "xz")]
const XZ_MEMORY: u64 = 128 << 20;

/// Bytes of packed input held at once.
const INPUT_BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::super::testing::{LE, Trickle, read, small_pcap};
    use super::super::{Damage, DamageKind, LooksLike, Reader};
    use super::*;
    use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
    use proptest::prelude::*;
    use std::io::Write;

    // `small_pcap()` as packed by the programs' own command lines.

    /// `gzip -9n`
    const GZIP: &str = "1f8b0800000000000203bb7278d3422606160618f8ff9f81819101821516b233b00269104ecb2c2a2e61820ac2003394\
        cf0ba441b8242355a12423b32845213f2f1500b57818d45a000000";
    /// `zstd -q -c --check`
    const ZSTD: &str = "28b52ffd0458050200c402d4c3b2a102000400ffff0000010020a10700050000666972737402030d0000746865207468\
        697264206f6e6507003b3133f3454502ce2ca0991d2e04e00207e07a01";
    /// `lz4 -c -q`
    const LZ4: &str = "04224d186440a74200000084d4c3b2a102000400010062ffff0000010004007120a10700050000040063666972737402\
        1500042d0013031000310d00000400d0746865207468697264206f6e6500000000f902e57d";

    /// `xz -c`
    const XZ: &str = "fd377a585a000004e6d6b4460200210116000000742fe5a3e0005900385d006a30d1c87d8bf8099bad944b8af2fffad322ad\
        4b5546f22f3c11f8dd51b25ceee2ce100327cfc0294fc54c9e37a9563af0ae50e158698c000018d186331e9fc4180001545a\
        9195ef751fb6f37d010000000004595a";

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn samples() -> Vec<(Compression, Vec<u8>)> {
        let all =
            [(Compression::Gzip, GZIP), (Compression::Zstd, ZSTD), (Compression::Lz4, LZ4), (Compression::Xz, XZ)];
        let usable = |compression| match compression {
            Compression::Zstd => cfg!(feature = "zstd"),
            Compression::Xz => cfg!(feature = "xz"),
            _ => true,
        };
        all.into_iter().filter(|row| usable(row.0)).map(|(name, hex)| (name, unhex(hex))).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(bytes: &[u8], block_size: BlockSize) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(FrameInfo::new().block_size(block_size), Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[cfg(feature = "zstd")]
    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    /// A frame with 5 bytes that both zstd and lz4 skip.
    const SKIPPABLE: &[u8] = b"\x53\x2a\x4d\x18\x05\0\0\0other";

    /// The pieces of a capture that is cut inside its second packet.
    fn halves() -> (Vec<u8>, Vec<u8>) {
        let mut file = small_pcap();
        let rest = file.split_off(50);
        (file, rest)
    }

    #[test]
    fn packed_captures_read_like_plain_ones() {
        let plain = read(&small_pcap()[..]).unwrap();
        for (compression, packed) in samples() {
            for step in [1, 10, usize::MAX] {
                let outcome = read(Trickle::new(&packed, step)).unwrap();
                assert_eq!((outcome.packets, outcome.damage), (plain.packets.clone(), None), "{compression}");
            }
            assert_eq!(Reader::open(&packed[..]).unwrap().format().compression, compression);
        }
    }

    #[test]
    fn what_is_packed_before_damage_is_read() {
        // Found by fuzzing: a decoder was asked for all it has, failed, and its packets were lost.
        let file = [LE.pcap_header(0xa1b2_c3d4, 1), LE.pcap_record(0, 0, &[7; 84]).repeat(100)].concat();
        // RFC 1952 §2.3, RFC 1951 §3.2.4: a header, a stored block, and a block of the reserved type.
        let len = (file.len() as u16).to_le_bytes();
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0, len[0], len[1], !len[0], !len[1]];
        let outcome = read(&[&header[..], &file, &[0x07], &[0; 8]].concat()[..]).unwrap();
        assert!(matches!(outcome.damage.unwrap().kind, DamageKind::CompressionDamaged { .. }));
        let lost = 100 - outcome.packets.len();
        assert!(lost <= 41, "{lost} packets of 100 bytes lost, more than 4 KiB");
    }

    #[test]
    fn several_members_or_frames_are_one_capture() {
        let (first, rest) = halves();
        let large = vec![9; 300_000];
        let third = [large.len() as u32; 2].map(u32::to_le_bytes).concat();
        let third = [&[0; 8][..], &third, &large].concat();
        #[cfg_attr(not(feature = "zstd"), expect(unused_mut, reason = "zstd adds one"))]
        let mut files = vec![
            [gzip(&first), gzip(b""), gzip(&rest), gzip(&third[..9]), gzip(&third[9..])].concat(),
            // Large blocks first: the sizes of one frame must not be taken over by the next.
            [
                lz4(&first, BlockSize::Max4MB),
                SKIPPABLE.to_vec(),
                lz4(&rest, BlockSize::Max64KB),
                lz4(&third, BlockSize::Max256KB),
            ]
            .concat(),
            [SKIPPABLE, &lz4(&[&first[..], &rest, &third].concat(), BlockSize::Max64KB), SKIPPABLE].concat(),
        ];
        #[cfg(feature = "zstd")]
        files.push([SKIPPABLE, &zstd(&first), SKIPPABLE, &zstd(&rest), &zstd(&third), SKIPPABLE].concat());
        for (row, file) in files.iter().enumerate() {
            for step in [5, usize::MAX] {
                let outcome = read(Trickle::new(file, step));
                // 262144 is the bound of a packet: the last record is refused, and so is known to have been reached.
                let outcome = outcome.unwrap();
                assert_eq!(outcome.packets.len(), 3, "{row}");
                assert!(matches!(outcome.damage.unwrap().kind, DamageKind::PacketTooLong { claimed: 300_000, .. }));
            }
        }
    }

    #[test]
    fn a_cut_gives_what_was_there_then_says_so() {
        let plain = read(&small_pcap()[..]).unwrap().packets;
        for (compression, packed) in samples() {
            for len in 1..packed.len() {
                match read(&packed[..len]) {
                    Ok(outcome) => {
                        assert_eq!(outcome.packets, plain[..outcome.packets.len()], "{compression} {len}");
                        let kind = outcome.damage.unwrap().kind;
                        assert_eq!(kind, DamageKind::CompressionCut { compression }, "{len}");
                    }
                    Err(CaptureError::Damaged(Damage { kind, offset, after, .. })) => {
                        assert_eq!(kind, DamageKind::CompressionCut { compression }, "{len}");
                        assert_eq!((offset, after), (0, None));
                    }
                    // Too short to be recognised.
                    Err(error) => assert!(len < 6, "{compression} {len}: {error}"),
                }
            }
        }
        // Frames that end between packets, and a next one that does not end.
        let first = &small_pcap()[..45];
        let cut = [lz4(first, BlockSize::Max64KB), lz4(b"more", BlockSize::Max64KB)[..9].to_vec()].concat();
        let outcome = read(&cut[..]).unwrap();
        assert_eq!(outcome.packets.len(), 1);
        assert_eq!(outcome.damage.unwrap().kind, DamageKind::CompressionCut { compression: Compression::Lz4 });
    }

    #[test]
    fn damage_after_the_data_is_told() {
        let file = [gzip(&small_pcap()), b"garbage behind it".to_vec()].concat();
        let outcome = read(&file[..]).unwrap();
        assert_eq!(outcome.packets.len(), 3);
        let damage = outcome.damage.unwrap();
        assert!(matches!(damage.kind, DamageKind::CompressionDamaged { compression: Compression::Gzip, .. }));
        assert_eq!(damage.offset, small_pcap().len() as u64);
    }

    #[test]
    fn the_content_decides_not_the_packing() {
        let text = Reader::open(&gzip(b"<html><body>log in</body></html>")[..]).unwrap_err();
        assert!(matches!(
            text,
            CaptureError::NotACapture { looks_like: LooksLike::Html, compression: Compression::Gzip }
        ));
        let empty = Reader::open(&gzip(b"")[..]).unwrap_err();
        assert!(matches!(empty, CaptureError::Empty { compression: Compression::Gzip }));
        let twice = Reader::open(&gzip(&gzip(&small_pcap()))[..]).unwrap_err();
        assert!(twice.to_string().contains("looks like gzip data"), "{twice}");
    }

    #[cfg(not(feature = "zstd"))]
    #[test]
    fn a_build_without_zstd_says_so() {
        let error = Reader::open(&unhex(ZSTD)[..]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "zstd-compressed input, which this build cannot unpack: built without the `zstd` feature"
        );
    }

    #[cfg(not(feature = "xz"))]
    #[test]
    fn a_build_without_xz_says_so() {
        let error = Reader::open(&unhex(XZ)[..]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "xz-compressed input, which this build cannot unpack: built without the `xz` feature"
        );
    }

    /// An LZMA2 filter that asks for a window of 4 GiB (property byte 40, the .xz file format §5.3.1).
    #[cfg(feature = "xz")]
    #[test]
    fn an_xz_window_beyond_the_bound_is_refused() {
        let mut packed = unhex(XZ);
        // Behind the 12-byte stream header: block header size and flags, then filter id, size and property byte.
        let header = 12..12 + (usize::from(packed[12]) + 1) * 4;
        let property = packed[header.clone()].windows(2).position(|pair| pair == [0x21, 1]).unwrap() + header.start + 2;
        packed[property] = 40;
        let mut crc = flate2::Crc::new();
        crc.update(&packed[header.start..header.end - 4]);
        packed[header.end - 4..header.end].copy_from_slice(&crc.sum().to_le_bytes());
        let error = Reader::open(&packed[..]).unwrap_err();
        assert!(error.to_string().contains("memory"), "{error}");
    }

    #[test]
    fn a_flushed_packet_comes_out_at_once() {
        struct Impatient(Vec<u8>, usize);
        impl Read for Impatient {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                assert!(self.1 < self.0.len(), "waited for more than the packet");
                let len = (&self.0[self.1..]).read(to)?;
                self.1 += len;
                Ok(len)
            }
        }
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&small_pcap()[..45]).unwrap();
        encoder.flush().unwrap();
        let flushed = encoder.get_ref().clone();
        let mut reader = Reader::open(Impatient(flushed, 0)).unwrap();
        assert_eq!(reader.next_packet().unwrap().unwrap().bytes, b"first");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn flipped_bits_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4)) {
            for (_, mut packed) in samples() {
                for (at, bit) in &flips {
                    let at = at.index(packed.len());
                    packed[at] ^= 1 << bit;
                }
                let _ = read(&packed[..]);
            }
        }
    }
}
