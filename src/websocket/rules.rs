//! What a header alone can break (RFC 6455 §5, RFC 7692 §6), judged before any payload arrives.

use super::header::FrameHeader;
use super::opcode::Opcode;
use crate::units::Side;
use crate::violation::{Detail, ViolationRule};

/// The longest payload of a control frame in bytes (RFC 6455 §5.5).
pub(super) const CONTROL_PAYLOAD_MAX: usize = 125;

/// What must be known besides the header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) sender: Side,
    /// Whether permessage-deflate was negotiated, so that RSV1 has a meaning.
    pub(super) deflate: bool,
    /// The handshake was not seen, so that nobody knows what RSV1 means.
    pub(super) rsv1_unknown: bool,
    /// Whether the sender has a data message under way.
    pub(super) message_open: bool,
}

/// Tells every rule that `header` breaks.
pub(super) fn judge(header: &FrameHeader, given: Circumstances, mut broken: impl FnMut(ViolationRule, Detail)) {
    let FrameHeader { fin, opcode, payload_len, .. } = *header;

    let mut unexplained = header.rsv;
    if given.rsv1_unknown {
        unexplained = header.rsv.without_rsv1();
    } else if header.rsv.rsv1() && given.deflate {
        match opcode {
            Opcode::Text | Opcode::Binary => unexplained = header.rsv.without_rsv1(),
            Opcode::Continuation => {
                unexplained = header.rsv.without_rsv1();
                broken(ViolationRule::Rsv1OnContinuation, Detail::None);
            }
            _ if opcode.is_control() => {
                unexplained = header.rsv.without_rsv1();
                broken(ViolationRule::Rsv1OnControl, Detail::Opcode(opcode.value()));
            }
            _ => {}
        }
    }
    if unexplained.bits() != 0 {
        broken(ViolationRule::RsvNonzero, Detail::Rsv(unexplained.bits()));
    }

    match opcode {
        Opcode::Reserved(value) => broken(ViolationRule::ReservedOpcode, Detail::Opcode(value)),
        Opcode::Continuation if !given.message_open => broken(ViolationRule::UnexpectedContinuation, Detail::None),
        Opcode::Text | Opcode::Binary if given.message_open => {
            broken(ViolationRule::InterleavedDataFrame, Detail::Opcode(opcode.value()));
        }
        _ => {}
    }

    if !header.length_is_well_encoded() {
        broken(ViolationRule::BadLengthEncoding, Detail::Length(payload_len));
    }

    match (given.sender, header.masking_key) {
        (Side::Client, None) => broken(ViolationRule::UnmaskedClientFrame, Detail::None),
        (Side::Server, Some(_)) => broken(ViolationRule::MaskedServerFrame, Detail::None),
        _ => {}
    }

    if opcode.is_control() {
        if payload_len > CONTROL_PAYLOAD_MAX as u64 {
            broken(ViolationRule::ControlFrameTooLong, Detail::Length(payload_len));
        }
        if !fin {
            broken(ViolationRule::ControlFrameFragmented, Detail::Opcode(opcode.value()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ViolationRule as Rule;

    const SERVER: Circumstances =
        Circumstances { sender: Side::Server, deflate: false, rsv1_unknown: false, message_open: false };
    const CLIENT: Circumstances = Circumstances { sender: Side::Client, ..SERVER };
    const DEFLATE: Circumstances = Circumstances { deflate: true, ..SERVER };
    const INSIDE: Circumstances = Circumstances { message_open: true, ..SERVER };
    const DEFLATE_INSIDE: Circumstances = Circumstances { deflate: true, ..INSIDE };

    fn judged(bytes: &[u8], given: Circumstances) -> Vec<(Rule, Detail)> {
        let mut found = Vec::new();
        judge(&FrameHeader::parse(bytes).expect("complete"), given, |rule, detail| found.push((rule, detail)));
        found
    }

    #[test]
    fn each_rule_is_told_alone() {
        for (bytes, given, rule, detail) in [
            (&[0xC1, 0][..], SERVER, Rule::RsvNonzero, Detail::Rsv(4)),
            (&[0xA1, 0], SERVER, Rule::RsvNonzero, Detail::Rsv(2)),
            (&[0x91, 0], DEFLATE, Rule::RsvNonzero, Detail::Rsv(1)),
            (&[0xE1, 0], DEFLATE, Rule::RsvNonzero, Detail::Rsv(2)),
            // Without the extension RSV1 is just a reserved bit, wherever it stands.
            (&[0xC9, 0], SERVER, Rule::RsvNonzero, Detail::Rsv(4)),
            (&[0xC0, 0], INSIDE, Rule::RsvNonzero, Detail::Rsv(4)),
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
            (&[0x82, 126, 0, 126], SERVER),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], SERVER),
            (&[0x81, 0x80, 0, 0, 0, 0], CLIENT),
        ] {
            assert_eq!(judged(bytes, given), [], "{bytes:02x?} {given:?}");
        }
    }

    #[test]
    fn several_faults_are_all_told() {
        let rules: Vec<Rule> = judged(&[0x7B, 126, 0, 200], Circumstances { deflate: true, ..CLIENT })
            .into_iter()
            .map(|(rule, _)| rule)
            .collect();
        assert_eq!(
            rules,
            [
                Rule::Rsv1OnControl,
                Rule::RsvNonzero,
                Rule::ReservedOpcode,
                Rule::UnmaskedClientFrame,
                Rule::ControlFrameTooLong,
                Rule::ControlFrameFragmented
            ]
        );
    }
}
