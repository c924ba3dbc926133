//! The four bits that say what a frame is (RFC 6455 §5.2, §11.8).

use std::fmt;

/// What a frame carries. Total over the four bits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opcode {
    /// 0x0: the next fragment of the message under way (§5.4).
    Continuation,
    /// 0x1: the first or only frame of a text message (§5.6).
    Text,
    /// 0x2: the first or only frame of a binary message (§5.6).
    Binary,
    /// 0x8 (§5.5.1).
    Close,
    /// 0x9 (§5.5.2).
    Ping,
    /// 0xA (§5.5.3).
    Pong,
    /// 0x3–0x7 and 0xB–0xF: no meaning yet; the value is kept.
    Reserved(u8),
}

impl Opcode {
    /// The opcode in the low four bits of `byte`; the high ones are ignored.
    #[must_use]
    pub fn from_low_bits(byte: u8) -> Self {
        match byte & 0x0F {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            other => Self::Reserved(other),
        }
    }

    /// The number on the wire, 0–15.
    #[must_use]
    pub fn value(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
            Self::Reserved(value) => value,
        }
    }

    /// Whether the top bit is set: Close, Ping, Pong and the reserved 0xB–0xF (§5.5).
    #[must_use]
    pub fn is_control(self) -> bool {
        self.value() & 0x08 != 0
    }

    /// Whether the frame is part of a message: continuation, text or binary. False for the reserved 0x3–0x7.
    #[must_use]
    pub fn is_data(self) -> bool {
        matches!(self, Self::Continuation | Self::Text | Self::Binary)
    }

    /// The registered name in lower case; `reserved` for the others.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Reserved(_) => "reserved",
        }
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved(value) => write!(f, "reserved 0x{value:X}"),
            other => f.write_str(other.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_the_round_trip() {
        for value in 0..16 {
            assert_eq!(Opcode::from_low_bits(value).value(), value);
            assert_eq!(Opcode::from_low_bits(value | 0xF0).value(), value);
        }
    }

    #[test]
    fn kinds_follow_section_11_8() {
        let data: Vec<u8> = (0..16).filter(|&v| Opcode::from_low_bits(v).is_data()).collect();
        let control: Vec<u8> = (0..16).filter(|&v| Opcode::from_low_bits(v).is_control()).collect();
        let reserved: Vec<u8> = (0..16).filter(|&v| matches!(Opcode::from_low_bits(v), Opcode::Reserved(_))).collect();
        assert_eq!(data, [0, 1, 2]);
        assert_eq!(control, [8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(reserved, [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]);
    }
}
