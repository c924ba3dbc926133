//! MQTT control packets in the messages of one side.
//!
//! MQTT takes WebSocket for a stream: "a single WebSocket data frame can contain multiple or partial MQTT Control Packets"
//! (MQTT 5.0 §6). MQTT.js sends each byte of a fixed header in a message of its own. So packets are followed from message to
//! message, with a counter and no payload; where one message cannot be followed, nothing is told of that side any more.

use super::message::Fields;
use crate::units::Origin;

/// CONNACK and DISCONNECT: the control packets with a code, and where it is behind their fixed header (MQTT 5.0 §3.2.2,
/// §3.14.2).
const CODES: [(u8, u32); 2] = [(2, 1), (14, 0)];

/// The control packets of one side.
#[derive(Debug, Clone, Default)]
pub struct ControlPackets {
    phase: Phase,
    last: Option<(ControlPacket, Origin)>,
    lost: bool,
}

/// One control packet, as far as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct ControlPacket {
    kind: u8,
    code: Option<u8>,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy, Default)]
enum Phase {
    /// The first of a packet.
    #[default]
    Start,
    /// Part of its remaining length (MQTT 5.0 §1.5.5).
    Length { kind: u8, len: u32, shift: u8 },
    /// What follows its fixed header.
    Body { packet: ControlPacket, len: u32, seen: u32 },
}

impl ControlPackets {
    /// The next message: its first bytes, how many it has, and the packet with its last byte.
    pub fn push(&mut self, bytes: &[u8], size: u64, at: Origin) {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first()
            && !self.lost
        {
            let used = match self.phase {
                Phase::Start => {
                    self.phase = Phase::Length { kind: first >> 4, len: 0, shift: 0 };
                    1
                }
                Phase::Length { kind, len, shift } => {
                    let len = len | u32::from(first & 0x7f) << shift;
                    self.phase = match (first & 0x80, shift) {
                        (0, _) => Phase::Body { packet: ControlPacket { kind, code: None }, len, seen: 0 },
                        (_, 0..21) => Phase::Length { kind, len, shift: shift + 7 },
                        _ => {
                            self.lost();
                            return;
                        }
                    };
                    1
                }
                Phase::Body { .. } => self.body(1 + after.len() as u64, rest),
            };
            rest = rest.get(used..).unwrap_or_default();
            self.end_of_packet(at);
        }
        let unseen = size.saturating_sub(bytes.len() as u64);
        if unseen > 0 && !self.lost {
            // A fixed header out of sight cannot be followed.
            match self.phase {
                Phase::Body { len, seen, .. } if unseen <= u64::from(len - seen) => {
                    self.body(unseen, &[]);
                    self.end_of_packet(at);
                }
                _ => self.lost(),
            }
        }
    }

    /// Something of the side is missing or is no MQTT.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    /// Whether every packet so far was followed.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        !self.lost
    }

    /// The last complete packet.
    #[must_use]
    pub fn last(&self) -> Option<(Fields<'static>, Origin)> {
        let (packet, at) = self.last.filter(|_| !self.lost)?;
        let detail = packet.code.map(|code| code.to_string().into());
        Some((Fields { kind: packet.kind.to_string().into(), detail }, at))
    }

    /// Goes on in a body by at most `most` bytes, of which these are the first; gives how many were its.
    fn body(&mut self, most: u64, bytes: &[u8]) -> usize {
        let Phase::Body { packet, len, seen } = &mut self.phase else { return 0 };
        let used = u64::from(*len - *seen).min(most) as u32;
        if let Some((_, place)) = CODES.iter().find(|(kind, _)| *kind == packet.kind)
            && let Some(code) = place.checked_sub(*seen).filter(|ahead| *ahead < used)
        {
            packet.code = bytes.get(code as usize).copied();
        }
        *seen += used;
        used as usize
    }

    fn end_of_packet(&mut self, at: Origin) {
        if let Phase::Body { packet, len, seen } = self.phase
            && seen == len
        {
            self.last = Some((packet, at));
            self.phase = Phase::Start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNumber;
    use proptest::prelude::*;

    fn at(number: u64) -> Origin {
        Origin { packet: PacketNumber::new(number).unwrap(), time: None }
    }

    fn read(messages: &[&[u8]]) -> Option<(String, Option<i64>, u64)> {
        let mut packets = ControlPackets::default();
        for (number, message) in (1..).zip(messages) {
            packets.push(message, message.len() as u64, at(number));
        }
        packets.last().map(|(fields, at)| (fields.kind.clone().into_owned(), fields.code(), at.packet.value()))
    }

    #[test]
    fn the_code_is_where_its_packet_has_one() {
        assert_eq!(read(&[&[0xe0, 2, 0x8e, 0]]), Some(("14".into(), Some(0x8e), 1)));
        assert_eq!(read(&[&[0xe0, 0]]), Some(("14".into(), None, 1)), "a DISCONNECT of MQTT 3 has none");
        assert_eq!(read(&[&[0x20, 2, 0, 5]]), Some(("2".into(), Some(5), 1)));
        assert_eq!(
            read(&[&[0xd0, 0, 0xe0, 1, 0x8d]]),
            Some(("14".into(), Some(0x8d), 1)),
            "the last of several counts"
        );
    }

    #[test]
    fn packets_are_followed_over_messages() {
        assert_eq!(read(&[&[0x20], &[2], &[0], &[5]]), Some(("2".into(), Some(5), 4)));
        assert_eq!(
            read(&[&[0xd0, 0], &[0x30, 5, 0, 1]]),
            Some(("13".into(), None, 1)),
            "what is not complete does not count"
        );
        assert_eq!(read(&[&[0xe0, 0xff, 0xff, 0xff, 0xff, 1]]), None, "no length has so many bytes");
    }

    #[test]
    fn a_long_packet_is_followed_out_of_sight() {
        let mut packets = ControlPackets::default();
        // PUBLISH of 3 + 1000 bytes, of which four are seen, then PINGRESP.
        packets.push(&[0x30, 0xe8, 7, 0], 1003, at(1));
        packets.push(&[0xd0, 0], 2, at(2));
        assert_eq!(
            packets.last().map(|(fields, at)| (fields.kind.into_owned(), at.packet.value())),
            Some(("13".into(), 2))
        );
        // One byte more: the next packet begins where nobody sees it.
        packets.push(&[0x30, 0xe8, 7, 0], 1004, at(3));
        assert!(packets.last().is_none() && !packets.is_followed());
    }

    proptest! {
        /// How packets are spread over messages does not matter.
        #[test]
        fn cuts_do_not_matter(stream in proptest::collection::vec(any::<u8>(), 0..200), cuts in proptest::collection::vec(1_usize..9, 1..200)) {
            let mut whole = ControlPackets::default();
            whole.push(&stream, stream.len() as u64, at(1));
            let mut pieces = ControlPackets::default();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece, piece.len() as u64, at(1));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(whole.last(), pieces.last());
            prop_assert_eq!(whole.is_followed(), pieces.is_followed());
        }
    }
}
