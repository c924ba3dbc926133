//! The 2 to 14 bytes in front of every payload (RFC 6455 §5.2).
//!
//! Reading a header never fails: every bit pattern is some header, legal or not. Whether it is legal is judged in
//! `rules`.

use super::opcode::Opcode;

/// The three reserved bits as a number: RSV1 = 4, RSV2 = 2, RSV3 = 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rsv(u8);

impl Rsv {
    const RSV1: u8 = 0b100;

    /// The bits at their place in the first byte of a header.
    #[must_use]
    pub fn from_first_byte(byte: u8) -> Self {
        Self(byte >> 4 & 0b111)
    }

    /// RSV1 = 4, RSV2 = 2, RSV3 = 1.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether RSV1 is set: "compressed" when RFC 7692 was negotiated.
    #[must_use]
    pub fn rsv1(self) -> bool {
        self.0 & Self::RSV1 != 0
    }

    /// The same bits with RSV1 cleared.
    #[must_use]
    pub fn without_rsv1(self) -> Self {
        Self(self.0 & !Self::RSV1)
    }
}

/// One frame's header as sent, legal or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameHeader {
    /// FIN: this frame ends its message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key; present exactly when the MASK bit is set.
    pub masking_key: Option<[u8; 4]>,
    /// Length of the payload in bytes, as claimed by the 7, 16 or 64 bit field, before inflating.
    ///
    /// A longer form than needed and a set top bit are kept as sent; both are violations. With the top bit set the
    /// frame is longer than any stream and never completes.
    pub payload_len: u64,
    /// Length of the header itself in bytes, 2–14.
    pub header_len: u8,
}

impl FrameHeader {
    /// The longest header: two bytes, 64 bit length, masking key.
    pub const MAX_LEN: usize = 14;

    /// The header at the start of `bytes` (RFC 6455 §5.2, base framing protocol, up to and including the masking key), or
    /// `None` when more bytes are needed.
    #[must_use]
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let ([first, second], rest) = bytes.split_first_chunk()?;
        let (length, rest) = LengthField::read(*second, rest)?;
        let (masking_key, rest) = if second & 0x80 != 0 {
            let (key, rest) = rest.split_first_chunk()?;
            (Some(*key), rest)
        } else {
            (None, rest)
        };
        Some(Self {
            fin: first & 0x80 != 0,
            rsv: Rsv::from_first_byte(*first),
            opcode: Opcode::from_low_bits(*first),
            masking_key,
            payload_len: length.value,
            // At most 14, so the cast keeps the value.
            header_len: (bytes.len() - rest.len()) as u8,
        })
    }

    /// Whether the length uses the shortest form that holds it and its top bit is clear (RFC 6455 §5.2).
    #[must_use]
    pub fn length_is_well_encoded(&self) -> bool {
        self.length().is_well_encoded()
    }

    /// Length of the whole frame in bytes, as claimed.
    #[must_use]
    #[inline]
    pub fn frame_len(&self) -> u64 {
        u64::from(self.header_len).saturating_add(self.payload_len)
    }

    pub(super) fn length(&self) -> LengthField {
        let key_len = if self.masking_key.is_some() { 4 } else { 0 };
        LengthField { value: self.payload_len, extended_len: self.header_len.saturating_sub(2 + key_len) }
    }
}

/// The payload length as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LengthField {
    /// What it says.
    pub(super) value: u64,
    /// Bytes after the second that it takes: 0, 2 or 8.
    extended_len: u8,
}

impl LengthField {
    /// The length field of the header that starts with `bytes`; the masking key need not be there.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let ([_, second], rest) = bytes.split_first_chunk()?;
        Self::read(*second, rest).map(|(length, _)| length)
    }

    /// The field, from its first seven bits in the header's second byte on, and what follows it.
    #[inline]
    fn read(second: u8, rest: &[u8]) -> Option<(Self, &[u8])> {
        let (value, extended_len, rest) = match second & 0x7F {
            126 => {
                let (value, rest) = rest.split_first_chunk()?;
                (u16::from_be_bytes(*value).into(), 2, rest)
            }
            127 => {
                let (value, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*value), 8, rest)
            }
            short => (short.into(), 0, rest),
        };
        Some((Self { value, extended_len }, rest))
    }

    /// Whether it has the shortest form that holds it and its top bit is clear (RFC 6455 §5.2).
    pub(super) fn is_well_encoded(self) -> bool {
        match self.extended_len {
            0 => true,
            2 => self.value > 125,
            _ => self.value > u64::from(u16::MAX) && self.value >> 63 == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers from RFC 6455 §5.7 and hand-made ones for every length form.
    const HEADERS: [(&[u8], u64, bool); 9] = [
        (&[0x81, 0x05], 5, true),
        (&[0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D], 5, true),
        (&[0x82, 0x7E, 0x01, 0x00], 256, true),
        (&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], 65_536, true),
        (&[0x82, 0x7E, 0x00, 0x7D], 125, false),
        (&[0x82, 0x7E, 0x00, 0x7E], 126, true),
        (&[0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], 65_535, false),
        (&[0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4], u64::MAX >> 1, true),
        (&[0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0], 1 << 63, false),
    ];

    #[test]
    fn length_forms_are_read_as_sent() {
        for (bytes, len, well_encoded) in HEADERS {
            let header = FrameHeader::parse(bytes).expect("complete");
            assert_eq!(header.payload_len, len, "{bytes:02x?}");
            assert_eq!(usize::from(header.header_len), bytes.len(), "{bytes:02x?}");
            assert_eq!(header.length_is_well_encoded(), well_encoded, "{bytes:02x?}");
        }
    }

    #[test]
    fn no_shorter_prefix_is_a_header() {
        for (bytes, ..) in HEADERS {
            for cut in 0..bytes.len() {
                assert_eq!(FrameHeader::parse(&bytes[..cut]), None, "{bytes:02x?} cut at {cut}");
            }
        }
    }

    #[test]
    fn bits_have_their_names() {
        let header = FrameHeader::parse(&[0x5A, 0x80, 9, 8, 7, 6]).expect("complete");
        assert!(!header.fin);
        assert_eq!(header.rsv.bits(), 0b101);
        assert!(header.rsv.rsv1());
        assert_eq!(header.rsv.without_rsv1().bits(), 0b001);
        assert_eq!(header.opcode, Opcode::Pong);
        assert_eq!(header.masking_key, Some([9, 8, 7, 6]));
        assert_eq!(header.payload_len, 0);
    }
}
