//! What a frame can break (RFC 6455 §5, §7.4, RFC 7692 §6), each rule with the first bytes that show it.
//!
//! A receiver may end the connection at the first byte that is wrong, and the rest of the frame may never come. So each
//! part of a frame is judged by itself: the first byte, the second, the length, the payload of a Close.

use super::close::CloseCode;
use super::header::{LengthField, Rsv};
use super::opcode::Opcode;
use crate::units::Side;
use crate::violation::{CharacterFault, Detail, ViolationRule};

/// The longest payload of a control frame in bytes (RFC 6455 §5.5).
pub(super) const CONTROL_PAYLOAD_MAX: usize = 125;

/// What must be known besides the first byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// Whether permessage-deflate was negotiated, so that RSV1 has a meaning.
    pub(super) deflate: bool,
    /// The handshake was not seen, so that nobody knows what RSV1 means.
    pub(super) rsv1_unknown: bool,
    /// Whether the sender has a data message under way.
    pub(super) message_open: bool,
}

/// FIN, the reserved bits and the opcode.
pub(super) fn judge_first(byte: u8, given: Circumstances, mut broken: impl FnMut(ViolationRule, Detail)) {
    let (fin, rsv, opcode) = (byte & 0x80 != 0, Rsv::from_first_byte(byte), Opcode::from_low_bits(byte));

    let mut unexplained = rsv;
    if given.rsv1_unknown {
        unexplained = rsv.without_rsv1();
    } else if rsv.rsv1() && given.deflate {
        match opcode {
            Opcode::Text | Opcode::Binary => unexplained = rsv.without_rsv1(),
            Opcode::Continuation => {
                unexplained = rsv.without_rsv1();
                broken(ViolationRule::Rsv1OnContinuation, Detail::None);
            }
            _ if opcode.is_control() => {
                unexplained = rsv.without_rsv1();
                broken(ViolationRule::Rsv1OnControl, Detail::Opcode(opcode.value()));
            }
            _ => {}
        }
    }
    if unexplained.bits() != 0 {
        broken(ViolationRule::RsvNonzero, Detail::Rsv { bits: unexplained.bits(), opcode: opcode.value() });
    }

    match opcode {
        Opcode::Reserved(value) => broken(ViolationRule::ReservedOpcode, Detail::Opcode(value)),
        Opcode::Continuation if !given.message_open => broken(ViolationRule::UnexpectedContinuation, Detail::None),
        Opcode::Text | Opcode::Binary if given.message_open => {
            broken(ViolationRule::InterleavedDataFrame, Detail::Opcode(opcode.value()));
        }
        _ => {}
    }
    if opcode.is_control() && !fin {
        broken(ViolationRule::ControlFrameFragmented, Detail::Opcode(opcode.value()));
    }
}

/// The mask bit.
pub(super) fn judge_second(byte: u8, sender: Side, mut broken: impl FnMut(ViolationRule, Detail)) {
    match (sender, byte & 0x80 != 0) {
        (Side::Client, false) => broken(ViolationRule::UnmaskedClientFrame, Detail::None),
        (Side::Server, true) => broken(ViolationRule::MaskedServerFrame, Detail::None),
        _ => {}
    }
}

/// The length, once all its bytes are there.
pub(super) fn judge_length(opcode: Opcode, length: LengthField, mut broken: impl FnMut(ViolationRule, Detail)) {
    if !length.is_well_encoded() {
        broken(ViolationRule::BadLengthEncoding, Detail::Length(length.value));
    }
    if opcode.is_control() && length.value > CONTROL_PAYLOAD_MAX as u64 {
        broken(ViolationRule::ControlFrameTooLong, Detail::Length(length.value));
    }
}

/// The length of a Close frame, once all its bytes are there.
pub(super) fn judge_close_length(opcode: Opcode, length: LengthField, mut broken: impl FnMut(ViolationRule, Detail)) {
    if opcode == Opcode::Close && length.value == 1 {
        broken(ViolationRule::ClosePayloadOneByte, Detail::None);
    }
}

/// Whether a header that starts with these bytes has an illegal length, whatever follows.
pub(super) fn length_must_be_illegal(header: &[u8]) -> bool {
    // A control frame with more than the seven bits either is too long or could have done without them.
    cut_length_is_badly_encoded(header)
        || matches!(header, [first, second, ..] if Opcode::from_low_bits(*first).is_control() && second & 0x7F > 125)
}

fn cut_length_is_badly_encoded(header: &[u8]) -> bool {
    let Some(extended) = header.get(2..) else { return false };
    match header[1] & 0x7F {
        126 => matches!(extended, [0, low, ..] if *low <= 125),
        127 => extended.first().is_some_and(|top| top & 0x80 != 0) || extended.starts_with(&[0; 6]),
        _ => false,
    }
}

/// The part that came of a length of which the last bytes never come.
pub(super) fn judge_cut_length(header: &[u8], mut broken: impl FnMut(ViolationRule, Detail)) {
    if cut_length_is_badly_encoded(header) {
        broken(ViolationRule::BadLengthEncoding, Detail::None);
    } else if length_must_be_illegal(header) {
        broken(ViolationRule::ControlFrameTooLong, Detail::None);
    }
}

/// A Close payload up to here (RFC 6455 §5.5.1, §7.4); of it, the first `judged` bytes were judged before.
pub(super) fn judge_close(payload: &[u8], judged: usize, mut broken: impl FnMut(ViolationRule, Detail)) {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else { return };
    let code = CloseCode(u16::from_be_bytes(*code));
    if judged < 2 && !code.allowed_on_wire() {
        broken(ViolationRule::CloseCodeInvalid, Detail::Code(code.0));
    }
    let wrong = |reason: &[u8]| std::str::from_utf8(reason).err().filter(|fault| fault.error_len().is_some());
    let judged_reason = reason.get(..judged.saturating_sub(2)).unwrap_or_default();
    if let Some(fault) = wrong(reason)
        && wrong(judged_reason).is_none()
    {
        let offset = fault.valid_up_to();
        let fault = CharacterFault::of(reason[offset], reason.get(offset + 1).copied());
        broken(ViolationRule::InvalidUtf8CloseReason, Detail::Character { offset: offset as u64, fault });
    }
}

/// A whole Close payload: what only its end shows.
pub(super) fn judge_close_end(payload: &[u8], mut broken: impl FnMut(ViolationRule, Detail)) {
    if let Some(reason) = payload.get(2..)
        && let Err(fault) = std::str::from_utf8(reason)
        && fault.error_len().is_none()
    {
        let offset = fault.valid_up_to() as u64;
        let detail = Detail::Character { offset, fault: CharacterFault::Cut };
        broken(ViolationRule::InvalidUtf8CloseReason, detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ViolationRule as Rule;

    const NONE: Circumstances = Circumstances { deflate: false, rsv1_unknown: false, message_open: false };
    const SERVER: (Side, Circumstances) = (Side::Server, NONE);
    const CLIENT: (Side, Circumstances) = (Side::Client, NONE);
    const DEFLATE: (Side, Circumstances) = (Side::Server, Circumstances { deflate: true, ..NONE });
    const INSIDE: (Side, Circumstances) = (Side::Server, Circumstances { message_open: true, ..NONE });
    const DEFLATE_INSIDE: (Side, Circumstances) =
        (Side::Server, Circumstances { deflate: true, message_open: true, ..NONE });

    fn judged(bytes: &[u8], (sender, given): (Side, Circumstances)) -> Vec<(Rule, Detail)> {
        let mut found = Vec::new();
        let mut broken = |rule, detail| found.push((rule, detail));
        let opcode = Opcode::from_low_bits(bytes[0]);
        judge_first(bytes[0], given, &mut broken);
        judge_second(bytes[1], sender, &mut broken);
        let length = LengthField::parse(bytes).expect("complete");
        judge_length(opcode, length, &mut broken);
        judge_close_length(opcode, length, &mut broken);
        found
    }

    #[test]
    fn each_rule_is_told_alone() {
        for (bytes, given, rule, detail) in [
            (&[0xC1, 0][..], SERVER, Rule::RsvNonzero, Detail::Rsv { bits: 4, opcode: 1 }),
            (&[0xA1, 0], SERVER, Rule::RsvNonzero, Detail::Rsv { bits: 2, opcode: 1 }),
            (&[0x91, 0], DEFLATE, Rule::RsvNonzero, Detail::Rsv { bits: 1, opcode: 1 }),
            (&[0xE1, 0], DEFLATE, Rule::RsvNonzero, Detail::Rsv { bits: 2, opcode: 1 }),
            // Without the extension RSV1 is just a reserved bit, wherever it stands.
            (&[0xC9, 0], SERVER, Rule::RsvNonzero, Detail::Rsv { bits: 4, opcode: 9 }),
            (&[0xC0, 0], INSIDE, Rule::RsvNonzero, Detail::Rsv { bits: 4, opcode: 0 }),
            (&[0xC9, 0], DEFLATE, Rule::Rsv1OnControl, Detail::Opcode(9)),
            (&[0xC8, 0], DEFLATE_INSIDE, Rule::Rsv1OnControl, Detail::Opcode(8)),
            (&[0xC0, 0], DEFLATE_INSIDE, Rule::Rsv1OnContinuation, Detail::None),
            (&[0x83, 0], SERVER, Rule::ReservedOpcode, Detail::Opcode(3)),
            (&[0x8B, 0], SERVER, Rule::ReservedOpcode, Detail::Opcode(11)),
            (&[0x80, 0], SERVER, Rule::UnexpectedContinuation, Detail::None),
            (&[0x81, 0], INSIDE, Rule::InterleavedDataFrame, Detail::Opcode(1)),
            (&[0x82, 0], INSIDE, Rule::InterleavedDataFrame, Detail::Opcode(2)),
            (&[0x82, 126, 0, 125], SERVER, Rule::BadLengthEncoding, Detail::Length(125)),
            (&[0x89, 126, 0, 5], SERVER, Rule::BadLengthEncoding, Detail::Length(5)),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255], SERVER, Rule::BadLengthEncoding, Detail::Length(65_535)),
            (&[0x82, 127, 128, 0, 0, 0, 0, 0, 0, 0], SERVER, Rule::BadLengthEncoding, Detail::Length(1 << 63)),
            (&[0x81, 0], CLIENT, Rule::UnmaskedClientFrame, Detail::None),
            (&[0x81, 0x80, 1, 2, 3, 4], SERVER, Rule::MaskedServerFrame, Detail::None),
            (&[0x89, 126, 0, 126], SERVER, Rule::ControlFrameTooLong, Detail::Length(126)),
            (&[0x88, 1], SERVER, Rule::ClosePayloadOneByte, Detail::None),
            (&[0x09, 0], SERVER, Rule::ControlFrameFragmented, Detail::Opcode(9)),
        ] {
            assert_eq!(judged(bytes, given), [(rule, detail)], "{bytes:02x?} {given:?}");
        }
    }

    #[test]
    fn near_misses_are_silent() {
        for (bytes, given) in [
            (&[0xC1, 0][..], DEFLATE),
            (&[0x41, 0], DEFLATE),
            (&[0x81, 0], DEFLATE),
            (&[0x80, 0], INSIDE),
            (&[0x00, 0], DEFLATE_INSIDE),
            (&[0x89, 125], INSIDE),
            (&[0x88, 0], INSIDE),
            (&[0x88, 2], SERVER),
            (&[0x89, 1], SERVER),
            (&[0x82, 126, 0, 126], SERVER),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], SERVER),
            (&[0x81, 0x80, 0, 0, 0, 0], CLIENT),
        ] {
            assert_eq!(judged(bytes, given), [], "{bytes:02x?} {given:?}");
        }
    }

    #[test]
    fn several_faults_are_all_told() {
        let deflate = Circumstances { deflate: true, ..NONE };
        let rules: Vec<Rule> =
            judged(&[0x7B, 126, 0, 200], (Side::Client, deflate)).into_iter().map(|(rule, _)| rule).collect();
        assert_eq!(
            rules,
            [
                Rule::Rsv1OnControl,
                Rule::RsvNonzero,
                Rule::ReservedOpcode,
                Rule::ControlFrameFragmented,
                Rule::UnmaskedClientFrame,
                Rule::ControlFrameTooLong,
            ]
        );
    }

    #[test]
    fn a_length_is_illegal_as_soon_as_no_more_bytes_can_make_it_legal() {
        // The header, and how many of its bytes show it; what is told when it is cut off there.
        for (header, certain, rule) in [
            (&[0x89, 0x7E, 0, 126][..], 2, Rule::ControlFrameTooLong),
            (&[0x88, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], 2, Rule::ControlFrameTooLong),
            (&[0x82, 0x7E, 0, 125], 4, Rule::BadLengthEncoding),
            (&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], 3, Rule::BadLengthEncoding),
            (&[0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], 8, Rule::BadLengthEncoding),
        ] {
            for len in 0..=header.len() {
                assert_eq!(length_must_be_illegal(&header[..len]), len >= certain, "{header:02x?} cut at {len}");
            }
            let mut told = Vec::new();
            judge_cut_length(&header[..certain], |rule, _| told.push(rule));
            assert_eq!(told, [rule], "{header:02x?}");
        }
        for legal in [&[0x82, 0x7E, 0, 126][..], &[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], &[0x89, 125], &[0x88, 0xFD]] {
            assert!((0..=legal.len()).all(|len| !length_must_be_illegal(&legal[..len])), "{legal:02x?}");
        }
    }
}
