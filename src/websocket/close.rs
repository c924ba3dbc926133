//! What a Close frame says (RFC 6455 §5.5.1, §7.4).
//!
//! Only what travels: 1005, 1006 and 1015, which an application is told when nothing travelled, are never made here. If
//! they appear, a peer really put them on the wire.

use std::borrow::Cow;
use std::fmt;

/// The payload of a Close frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClosePayload {
    /// No payload; legal. An application is told 1005 (§7.1.5).
    Empty,
    /// Half a status code; illegal.
    OneByte(u8),
    /// A status code, legal or not, and what followed it.
    Status {
        /// The code on the wire.
        code: CloseCode,
        /// The rest of the payload.
        reason: CloseReason,
    },
}

impl ClosePayload {
    /// Reads an unmasked payload. Bytes beyond the 125th, which no control frame may have, are dropped.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Self {
        match payload {
            [] => Self::Empty,
            [byte] => Self::OneByte(*byte),
            [high, low, reason @ ..] => {
                Self::Status { code: CloseCode(u16::from_be_bytes([*high, *low])), reason: CloseReason::new(reason) }
            }
        }
    }

    /// The status code, when one is there.
    #[must_use]
    pub fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Status { code, .. } => Some(*code),
            Self::Empty | Self::OneByte(_) => None,
        }
    }

    /// The reason, when a status code is there; it may be empty.
    #[must_use]
    pub fn reason(&self) -> Option<&CloseReason> {
        match self {
            Self::Status { reason, .. } => Some(reason),
            Self::Empty | Self::OneByte(_) => None,
        }
    }
}

/// Any 16 bit number in the place of a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

/// Who a status code belongs to (RFC 6455 §7.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCodeClass {
    /// 1000–2999: the protocol, its revisions and extensions.
    Protocol,
    /// 3000–3999: libraries, frameworks and applications, registered with IANA.
    Library,
    /// 4000–4999: private use.
    Private,
    /// 0–999 and 5000–65535: nobody.
    Undefined,
}

impl CloseCode {
    /// Who the code belongs to.
    #[must_use]
    pub fn class(self) -> CloseCodeClass {
        match self.0 {
            1000..=2999 => CloseCodeClass::Protocol,
            3000..=3999 => CloseCodeClass::Library,
            4000..=4999 => CloseCodeClass::Private,
            _ => CloseCodeClass::Undefined,
        }
    }

    /// Whether an endpoint may put the code into a Close frame (RFC 6455 §7.4, with the IANA entries 1012–1014).
    ///
    /// 1004, 1005, 1006 and 1015 are reserved; 1016–2999 are not assigned yet; below 1000 and from 5000 nothing is
    /// defined.
    #[must_use]
    pub fn allowed_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The text after the status code, as raw bytes: at most 123, and not always text.
///
/// It comes from a peer and may hold anything, terminal escapes included; whoever prints it must clean it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct CloseReason(Box<[u8]>);

impl CloseReason {
    /// What fits into a control frame after the two bytes of the code.
    pub const MAX_LEN: usize = 123;

    /// The first [`MAX_LEN`](Self::MAX_LEN) of `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes[..bytes.len().min(Self::MAX_LEN)].into())
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the sender gave no reason.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is UTF-8, as RFC 6455 §5.5.1 demands.
    #[must_use]
    pub fn valid_utf8(&self) -> bool {
        self.fault().is_none()
    }

    /// Offset in the reason of the first character that is not UTF-8, be it wrong or cut short.
    #[must_use]
    pub fn fault(&self) -> Option<usize> {
        std::str::from_utf8(&self.0).err().map(|fault| fault.valid_up_to())
    }

    /// The text; what is not UTF-8 becomes U+FFFD. Not cleaned.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Display for CloseReason {
    /// [`text`](Self::text), not cleaned.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_told_apart_by_length() {
        assert_eq!(ClosePayload::parse(b""), ClosePayload::Empty);
        assert_eq!(ClosePayload::parse(b"\x03"), ClosePayload::OneByte(3));
        let bare = ClosePayload::parse(b"\x03\xE8");
        assert_eq!(bare.code(), Some(CloseCode(1000)));
        assert!(bare.reason().is_some_and(CloseReason::is_empty));
        let full = ClosePayload::parse(b"\x03\xE9bye");
        assert_eq!(full.code(), Some(CloseCode(1001)));
        assert_eq!(full.reason().map(ToString::to_string).as_deref(), Some("bye"));
    }

    /// Every code, against the ranges of RFC 6455 §7.4 written out as numbers.
    #[test]
    fn legal_codes_are_exactly_those_of_section_7_4() {
        let mut legal: Vec<u16> = vec![1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
        legal.extend(3000..5000);
        let found: Vec<u16> = (0..=u16::MAX).filter(|&code| CloseCode(code).allowed_on_wire()).collect();
        assert_eq!(found, legal);
    }

    #[test]
    fn classes_meet_at_the_right_numbers() {
        use CloseCodeClass::{Library, Private, Protocol, Undefined};
        for (code, class) in [
            (0, Undefined),
            (999, Undefined),
            (1000, Protocol),
            (2999, Protocol),
            (3000, Library),
            (3999, Library),
            (4000, Private),
            (4999, Private),
            (5000, Undefined),
            (65535, Undefined),
        ] {
            assert_eq!(CloseCode(code).class(), class, "{code}");
        }
    }

    #[test]
    fn reasons_keep_their_bytes_and_know_their_fault() {
        let broken = CloseReason::new(b"ok\xFFno");
        assert_eq!(broken.fault(), Some(2));
        assert!(!broken.valid_utf8());
        assert_eq!(broken.as_bytes(), b"ok\xFFno");
        assert_eq!(broken.text(), "ok\u{FFFD}no");
        assert_eq!(CloseReason::new(b"a\xC3").fault(), Some(1));
        assert_eq!(CloseReason::new("grün".as_bytes()).fault(), None);
        assert_eq!(CloseReason::new(&[b'x'; 200]).as_bytes().len(), 123);
    }
}
