//! What a peer did that its protocol forbids, as one closed list of names.
//!
//! Finding them is the work of `http` and `websocket`; their sections, words and fixes are in the catalogue. The names
//! are part of the outside contract.

use crate::units::{Origin, Side, StreamOffset};
use std::fmt;

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A rule of RFC 6455, 7692 or 8441 that was broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ViolationRule {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ViolationRule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name, as in `violations[].rule` of the JSON output.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

rules! {
    /// A reserved bit is set that no negotiated extension gives a meaning (RFC 6455 §5.2).
    RsvNonzero = "rsv_nonzero",
    /// Opcode 3–7 or 11–15 (RFC 6455 §5.2).
    ReservedOpcode = "reserved_opcode",
    /// The payload length is not in its shortest form, or its top bit is set (RFC 6455 §5.2).
    BadLengthEncoding = "bad_length_encoding",
    /// The client sent a frame without masking it (RFC 6455 §5.1).
    UnmaskedClientFrame = "unmasked_client_frame",
    /// The server masked a frame (RFC 6455 §5.1).
    MaskedServerFrame = "masked_server_frame",
    /// A control frame claims more than 125 bytes (RFC 6455 §5.5).
    ControlFrameTooLong = "control_frame_too_long",
    /// A control frame without FIN (RFC 6455 §5.5).
    ControlFrameFragmented = "control_frame_fragmented",
    /// A continuation frame with no message to continue (RFC 6455 §5.4).
    UnexpectedContinuation = "unexpected_continuation",
    /// A new data frame inside an unfinished message (RFC 6455 §5.4).
    InterleavedDataFrame = "interleaved_data_frame",
    /// A text message that is not UTF-8 (RFC 6455 §8.1).
    InvalidUtf8Text = "invalid_utf8_text",
    /// A Close reason that is not UTF-8 (RFC 6455 §5.5.1).
    InvalidUtf8CloseReason = "invalid_utf8_close_reason",
    /// A Close payload of one byte (RFC 6455 §5.5.1).
    ClosePayloadOneByte = "close_payload_one_byte",
    /// A Close code that must not travel (RFC 6455 §7.4).
    CloseCodeInvalid = "close_code_invalid",
    /// A frame after the sender's own Close frame (RFC 6455 §5.5.1).
    DataAfterClose = "data_after_close",
    /// `Sec-WebSocket-Accept` does not answer the key (RFC 6455 §4.1).
    BadAccept = "bad_accept",
    /// A 101 without `Sec-WebSocket-Accept` (RFC 6455 §4.1).
    MissingAccept = "missing_accept",
    /// `Sec-WebSocket-Key` is not base64 of 16 bytes (RFC 6455 §4.1).
    BadKey = "bad_key",
    /// `Sec-WebSocket-Version` is not 13 (RFC 6455 §4.1).
    BadVersion = "bad_version",
    /// `Upgrade: websocket` or the token `Upgrade` in `Connection` is missing (RFC 6455 §4.1).
    MissingUpgradeToken = "missing_upgrade_token",
    /// The server chose a subprotocol that was not offered (RFC 6455 §4.1).
    UnrequestedSubprotocol = "unrequested_subprotocol",
    /// The server answered with an extension that was not offered (RFC 6455 §4.1).
    UnrequestedExtension = "unrequested_extension",
    /// An HTTP message written into the upgraded stream (RFC 6455 §5.2).
    HttpInWebsocket = "http_in_websocket",
    /// The client sent on before it had the 101, or the server began with something else (RFC 6455 §4.1, §4.2.2).
    FrameBefore101 = "frame_before_101",
    /// The upgrade request is not a GET (RFC 6455 §4.1).
    BadMethod = "bad_method",
    /// HTTP below 1.1 in the request or its 101 (RFC 6455 §4.1).
    BadHttpVersion = "bad_http_version",
    /// No `Host`, an empty one, or several (RFC 6455 §4.1).
    BadHost = "bad_host",
    /// Offered subprotocols that are empty, repeated or no tokens (RFC 6455 §4.1).
    BadSubprotocolOffer = "bad_subprotocol_offer",
    /// `Sec-WebSocket-Extensions` breaks its grammar (RFC 6455 §9.1).
    BadExtensionsField = "bad_extensions_field",
    /// A response with `Sec-WebSocket-Extensions` more than once (RFC 6455 §11.3.2).
    RepeatedExtensionsField = "repeated_extensions_field",
    /// A 101 to a request that the server has to refuse (RFC 6455 §4.2.1).
    InvalidRequestAccepted = "invalid_request_accepted",
    /// The version was refused without the list of those that are spoken (RFC 6455 §4.2.2).
    MissingVersionList = "missing_version_list",
    /// RSV1 on a control frame (RFC 7692 §6).
    Rsv1OnControl = "rsv1_on_control",
    /// RSV1 on a continuation frame (RFC 7692 §6).
    Rsv1OnContinuation = "rsv1_on_continuation",
    /// A compressed message that does not inflate (RFC 7692 §7.2.2).
    InflateFailed = "inflate_failed",
    /// A back-reference beyond the negotiated window (RFC 7692 §7.1.2).
    WindowExceeded = "window_exceeded",
    /// A parameter of `permessage-deflate` that is unknown, doubled or out of range (RFC 7692 §7.1).
    ExtensionParameterInvalid = "extension_parameter_invalid",
    /// An extended CONNECT that the server never enabled (RFC 8441 §3).
    ExtendedConnectWithoutSetting = "extended_connect_without_setting",
}

impl ViolationRule {
    /// Whether it is broken in the opening handshake; all others are broken in the frames that follow.
    #[must_use]
    pub fn is_of_handshake(self) -> bool {
        matches!(
            self,
            Self::BadAccept
                | Self::MissingAccept
                | Self::BadKey
                | Self::BadVersion
                | Self::MissingUpgradeToken
                | Self::UnrequestedSubprotocol
                | Self::UnrequestedExtension
                | Self::FrameBefore101
                | Self::ExtensionParameterInvalid
                | Self::ExtendedConnectWithoutSetting
                | Self::BadMethod
                | Self::BadHttpVersion
                | Self::BadHost
                | Self::BadSubprotocolOffer
                | Self::BadExtensionsField
                | Self::RepeatedExtensionsField
                | Self::InvalidRequestAccepted
                | Self::MissingVersionList
        )
    }

    /// Whether it is a fault of a 101 over which RFC 6455 §4.1 tells the client to fail the connection.
    #[must_use]
    pub fn spoils_101(self) -> bool {
        matches!(
            self,
            Self::BadAccept
                | Self::MissingAccept
                | Self::MissingUpgradeToken
                | Self::UnrequestedSubprotocol
                | Self::UnrequestedExtension
                | Self::ExtensionParameterInvalid
        )
    }
}

impl fmt::Display for ViolationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One rule broken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: ViolationRule,
    /// Who broke it.
    pub side: Side,
    /// The packet that proves it.
    pub at: Origin,
    /// Where in the sender's stream, when the fault has a place there: the first byte of the frame.
    pub offset: Option<StreamOffset>,
    /// What exactly was wrong.
    pub detail: Detail,
}

/// The number or word that makes a violation concrete; prints as a short fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// The rule's name says it all.
    None,
    /// The opcode on the wire.
    Opcode(u8),
    /// Reserved bits.
    Rsv {
        /// The three bits as a number, RSV1 = 4, RSV2 = 2, RSV3 = 1.
        bits: u8,
        /// The opcode of the frame that has them.
        opcode: u8,
    },
    /// The payload length on the wire, in bytes.
    Length(u64),
    /// The Close code on the wire.
    Code(u16),
    /// The status of an HTTP response.
    HttpStatus(u16),
    /// The first character that is not UTF-8.
    Character {
        /// Where it starts, in bytes from the start of the (inflated) message or Close reason.
        offset: u64,
        /// What is wrong with it.
        fault: CharacterFault,
    },
    /// Where a compressed message ceases to be DEFLATE data.
    Inflate {
        /// The first faulty byte of its payload as sent, all its frames together; `None` when it ends inside a block.
        byte: Option<u64>,
        /// How many bytes it inflates to before.
        inflated: u64,
        /// Later messages of this side that may refer to it and are not judged therefore.
        unreadable: u64,
    },
    /// A reference back in compressed data.
    Reference {
        /// How far it goes back, in bytes.
        distance: u32,
        /// The largest distance that was agreed on, in bytes.
        window: u32,
        /// Where it is: inflated bytes of the message before it.
        at: u64,
    },
    /// Several frames, for rules that are counted.
    Frames(u64),
    /// A header value or token, cleaned of control characters and cut to a bounded length by whoever made it.
    Text(Box<str>),
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Opcode(opcode) => write!(f, "opcode 0x{opcode:X}"),
            Self::Rsv { bits, opcode } => write!(f, "RSV bits {bits:03b}, opcode 0x{opcode:X}"),
            Self::Length(len) => write!(f, "length {len}"),
            Self::Code(code) => write!(f, "code {code}"),
            Self::HttpStatus(status) => write!(f, "HTTP {status} response"),
            Self::Character { offset, fault } => match fault.first_byte() {
                Some(byte) => write!(f, "byte 0x{byte:02X} at offset {offset}: {fault}"),
                None => write!(f, "{fault} at offset {offset}"),
            },
            Self::Inflate { byte, inflated, unreadable } => {
                match byte {
                    Some(byte) => write!(f, "compressed byte {byte} of the message, after {inflated} inflated bytes")?,
                    None => write!(f, "the message ends inside a block, after {inflated} inflated bytes")?,
                }
                match unreadable {
                    0 => Ok(()),
                    1 => f.write_str("; 1 later message that may refer to it was not read"),
                    _ => write!(f, "; {unreadable} later messages that may refer to it were not read"),
                }
            }
            Self::Reference { distance, window, at } => {
                write!(f, "{distance} bytes back at inflated byte {at}, window {window} bytes")
            }
            Self::Frames(count) => write!(f, "{count} frames"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What is wrong with a character that is not UTF-8 (RFC 3629 §3, §4), with the bytes that show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CharacterFault {
    /// 80–BF where a character should begin.
    Stray(u8),
    /// C0, C1 or F5–FF, which no character has.
    Unused(u8),
    /// A character in more bytes than it needs.
    Overlong(u8, u8),
    /// U+D800 to U+DFFF, the halves of UTF-16 pairs.
    Surrogate(u8, u8),
    /// Beyond U+10FFFF.
    TooLarge(u8, u8),
    /// Begun with this byte and not gone on with.
    BrokenOff(u8),
    /// The text ends inside it.
    Cut,
}

impl CharacterFault {
    /// What is wrong with a character that begins with `first`, where `second` is the byte behind it.
    #[must_use]
    pub fn of(first: u8, second: Option<u8>) -> Self {
        match (first, second) {
            (0x80..=0xBF, _) => Self::Stray(first),
            (0xC0 | 0xC1 | 0xF5.., _) => Self::Unused(first),
            (0xE0, Some(second @ 0x80..=0x9F)) | (0xF0, Some(second @ 0x80..=0x8F)) => Self::Overlong(first, second),
            (0xED, Some(second @ 0xA0..=0xBF)) => Self::Surrogate(first, second),
            (0xF4, Some(second @ 0x90..=0xBF)) => Self::TooLarge(first, second),
            _ => Self::BrokenOff(first),
        }
    }

    /// The first byte of the character; `None` when only its end is missing.
    #[must_use]
    pub fn first_byte(self) -> Option<u8> {
        match self {
            Self::Stray(byte) | Self::Unused(byte) | Self::BrokenOff(byte) => Some(byte),
            Self::Overlong(byte, _) | Self::Surrogate(byte, _) | Self::TooLarge(byte, _) => Some(byte),
            Self::Cut => None,
        }
    }
}

impl fmt::Display for CharacterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stray(_) => f.write_str("a continuation byte where a character should begin"),
            Self::Unused(_) => f.write_str("never used in UTF-8"),
            Self::Overlong(_, second) => write!(f, "with 0x{second:02X} a longer form than the character needs"),
            Self::Surrogate(_, second) => write!(f, "with 0x{second:02X} a surrogate, half of a UTF-16 pair"),
            Self::TooLarge(_, second) => write!(f, "with 0x{second:02X} beyond U+10FFFF"),
            Self::BrokenOff(_) => f.write_str("a character that breaks off"),
            Self::Cut => f.write_str("text ends inside a character"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_lower_snake_case() {
        let names: HashSet<_> = ViolationRule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), ViolationRule::ALL.len());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        }
    }
}
