//! Masked and clear payload as different types, so that unmasking can be neither forgotten nor done twice (RFC 6455
//! §5.3).

/// A run of payload bytes as they travelled, still masked.
#[derive(Debug, Clone, Copy)]
pub struct MaskedBytes<'a> {
    /// The frame's masking key, rotated so that its first byte belongs to the first of `bytes`.
    key: [u8; 4],
    bytes: &'a [u8],
}

impl<'a> MaskedBytes<'a> {
    /// `bytes` that start `position` bytes into the payload of a frame with this masking key.
    #[must_use]
    pub fn new(mut key: [u8; 4], position: u64, bytes: &'a [u8]) -> Self {
        key.rotate_left((position % 4) as usize);
        Self { key, bytes }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes the clear bytes to the start of `out` and returns them: as many as fit.
    ///
    /// Works on words of eight bytes, which the compiler turns into vector instructions; a byte loop over `key[i % 4]`
    /// is about thirty times slower.
    pub fn unmask_into<'o>(&self, out: &'o mut [u8]) -> &'o [u8] {
        let len = self.bytes.len().min(out.len());
        let out = &mut out[..len];
        let [a, b, c, d] = self.key;
        let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);

        let (source_words, source_tail) = self.bytes[..len].as_chunks::<8>();
        let (out_words, out_tail) = out.as_chunks_mut::<8>();
        for (to, from) in out_words.iter_mut().zip(source_words) {
            *to = (u64::from_ne_bytes(*from) ^ word).to_ne_bytes();
        }
        for ((to, from), key) in out_tail.iter_mut().zip(source_tail).zip(self.key.iter().cycle()) {
            *to = from ^ key;
        }
        out
    }
}

/// A run of payload bytes of one frame: masked by a client, clear from a server.
#[derive(Debug, Clone, Copy)]
pub(super) enum PayloadBytes<'a> {
    Clear(&'a [u8]),
    Masked(MaskedBytes<'a>),
}

impl<'a> PayloadBytes<'a> {
    /// `bytes` that start `position` bytes into the payload of a frame with this masking key, or none.
    pub(super) fn new(key: Option<[u8; 4]>, position: u64, bytes: &'a [u8]) -> Self {
        match key {
            Some(key) => Self::Masked(MaskedBytes::new(key, position, bytes)),
            None => Self::Clear(bytes),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Clear(bytes) => bytes.len(),
            Self::Masked(masked) => masked.len(),
        }
    }

    /// The first `len` bytes, or all if there are fewer.
    pub(super) fn prefix(self, len: usize) -> Self {
        match self {
            Self::Clear(bytes) => Self::Clear(&bytes[..len.min(bytes.len())]),
            Self::Masked(MaskedBytes { key, bytes }) => {
                Self::Masked(MaskedBytes { key, bytes: &bytes[..len.min(bytes.len())] })
            }
        }
    }

    /// Copies the clear bytes to the start of `out`: as many as fit; returns how many.
    pub(super) fn copy_clear(&self, out: &mut [u8]) -> usize {
        match self {
            Self::Clear(bytes) => {
                let len = bytes.len().min(out.len());
                out[..len].copy_from_slice(&bytes[..len]);
                len
            }
            Self::Masked(masked) => masked.unmask_into(out).len(),
        }
    }

    /// The clear bytes in one piece: in place when they were never masked, else in `buffer`; `None` when they do not fit.
    pub(super) fn clear<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        match self {
            Self::Clear(bytes) => Some(bytes),
            Self::Masked(masked) => (masked.len() <= buffer.len()).then(|| masked.unmask_into(buffer)),
        }
    }

    /// The clear bytes in order, in pieces: in place when they were never masked, else through `buffer` (not empty).
    pub(super) fn for_each_clear(&self, buffer: &mut [u8], mut visit: impl FnMut(&[u8])) {
        match self {
            Self::Clear(bytes) => visit(bytes),
            Self::Masked(MaskedBytes { key, bytes }) => {
                let mut position = 0;
                for piece in bytes.chunks(buffer.len()) {
                    visit(MaskedBytes::new(*key, position, piece).unmask_into(buffer));
                    position += piece.len() as u64;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 §5.3 to the letter: octet i is XORed with key octet i MOD 4.
    fn by_the_letter(key: [u8; 4], position: usize, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().enumerate().map(|(i, byte)| byte ^ key[(position + i) % 4]).collect()
    }

    #[test]
    fn unmasks_the_example_of_section_5_7() {
        let mut out = [0; 5];
        let masked = MaskedBytes::new([0x37, 0xFA, 0x21, 0x3D], 0, &[0x7F, 0x9F, 0x4D, 0x51, 0x58]);
        assert_eq!(masked.unmask_into(&mut out), b"Hello");
    }

    #[test]
    fn words_and_tail_agree_with_the_definition_at_every_phase() {
        let bytes: Vec<u8> = (0..100).map(|i| (i * 37 + 11) as u8).collect();
        let key = [0x01, 0x80, 0xFF, 0x3C];
        let mut out = [0; 100];
        for position in 0..9 {
            for len in 0..bytes.len() {
                let masked = MaskedBytes::new(key, position, &bytes[..len]);
                assert_eq!(masked.unmask_into(&mut out), by_the_letter(key, position as usize, &bytes[..len]));
            }
        }
    }

    #[test]
    fn pieces_through_a_small_buffer_keep_the_phase() {
        let bytes: Vec<u8> = (0..100).collect();
        let key = [9, 8, 7, 6];
        for size in 1..20 {
            let mut clear = Vec::new();
            let payload = PayloadBytes::new(Some(key), 3, &bytes);
            payload.for_each_clear(&mut vec![0; size], |piece| clear.extend_from_slice(piece));
            assert_eq!(clear, by_the_letter(key, 3, &bytes));
        }
    }

    #[test]
    fn a_short_target_takes_what_fits() {
        let mut out = [0; 3];
        assert_eq!(MaskedBytes::new([0; 4], 0, b"Hello").unmask_into(&mut out), b"Hel");
        assert_eq!(PayloadBytes::Clear(b"Hello").copy_clear(&mut out), 3);
        assert_eq!(PayloadBytes::new(Some([1; 4]), 0, b"Hello").clear(&mut out), None);
        assert_eq!(PayloadBytes::new(Some([0; 4]), 0, b"Hel").clear(&mut out), Some(&b"Hel"[..]));
        assert_eq!(PayloadBytes::Clear(b"Hello").prefix(9).len(), 5);
    }
}
