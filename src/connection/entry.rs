//! An observation in the room of a few words: a timeline keeps dozens of them, and connections are many.

use super::timeline::{Observation, Observed};
use crate::units::{Origin, Side};
use crate::websocket::{MessageKind, Opcode};

/// One observation, or where and when a large one was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) at: Origin,
    side: Option<Side>,
    what: What,
    compressed: bool,
    len: u32,
    number: u32,
}

/// What is observed all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Syn,
    SynAck,
    Request,
    /// With its status as `number`.
    Response,
    Text,
    Binary,
    Ping,
    Pong,
    /// With its code as `number`.
    Close,
    EmptyClose,
    Fin,
    Rst,
    /// Anything else, and messages with numbers of more than 32 bits: what it was is kept elsewhere.
    Large,
}

impl Entry {
    /// A complete message that was not compressed.
    #[inline]
    pub(super) fn message(at: Origin, side: Side, kind: MessageKind, len: u32, number: u64) -> Self {
        let what = if kind == MessageKind::Text { What::Text } else { What::Binary };
        let (what, number) = u32::try_from(number).map_or((What::Large, 0), |number| (what, number));
        Self { at, side: Some(side), what, compressed: false, len, number }
    }

    /// What stands for `observation`.
    pub(super) fn of(observation: &Observation) -> Self {
        let Observation { at, side, observed } = *observation;
        let short = |what, number| Some((what, false, 0, number));
        let sized = |what, len: u64| Some((what, false, u32::try_from(len).ok()?, 0));
        let small = match observed {
            Observed::Message { kind, len, compressed, number } => {
                let what = if kind == Opcode::Text { What::Text } else { What::Binary };
                u32::try_from(len).ok().zip(number.try_into().ok()).map(|(len, number)| (what, compressed, len, number))
            }
            Observed::Ping { len } => sized(What::Ping, len),
            Observed::Pong { len } => sized(What::Pong, len),
            Observed::Syn => short(What::Syn, 0),
            Observed::SynAck => short(What::SynAck, 0),
            Observed::Request => short(What::Request, 0),
            Observed::Response(status) => short(What::Response, status.into()),
            Observed::Close(Some(code)) => short(What::Close, code.into()),
            Observed::Close(None) => short(What::EmptyClose, 0),
            Observed::Fin => short(What::Fin, 0),
            Observed::Rst => short(What::Rst, 0),
            _ => None,
        };
        let (what, compressed, len, number) = small.unwrap_or((What::Large, false, 0, 0));
        Self { at, side, what, compressed, len, number }
    }

    /// What it was is kept elsewhere.
    pub(super) fn is_large(&self) -> bool {
        self.what == What::Large
    }

    /// The observation; if it is large, of the next of `large`.
    pub(super) fn observation<'o>(&self, large: &mut impl Iterator<Item = &'o Observed>) -> Observation {
        let Self { at, side, what, compressed, len, number } = *self;
        let message = |kind| Observed::Message { kind, len: len.into(), compressed, number: number.into() };
        let observed = match what {
            What::Syn => Observed::Syn,
            What::SynAck => Observed::SynAck,
            What::Request => Observed::Request,
            // Statuses and codes have 16 bits.
            What::Response => Observed::Response(number as u16),
            What::Text => message(Opcode::Text),
            What::Binary => message(Opcode::Binary),
            What::Ping => Observed::Ping { len: len.into() },
            What::Pong => Observed::Pong { len: len.into() },
            What::Close => Observed::Close(Some(number as u16)),
            What::EmptyClose => Observed::Close(None),
            What::Fin => Observed::Fin,
            What::Rst => Observed::Rst,
            What::Large => *large.next().expect("what is large is kept in order"),
        };
        Observation { at, side, observed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNumber;

    #[test]
    fn an_entry_takes_three_words() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn an_entry_stands_for_its_observation() {
        let message = |kind, len, compressed, number| Observed::Message { kind, len, compressed, number };
        let over = u64::from(u32::MAX) + 1;
        let small = [
            Observed::Syn,
            Observed::SynAck,
            Observed::Request,
            Observed::Response(u16::MAX),
            message(Opcode::Text, over - 1, false, 1),
            message(Opcode::Binary, 0, true, over - 1),
            Observed::Ping { len: 125 },
            Observed::Pong { len: over - 1 },
            Observed::Close(None),
            Observed::Close(Some(u16::MAX)),
            Observed::Fin,
            Observed::Rst,
        ];
        let large = [
            message(Opcode::Text, over, false, 1),
            message(Opcode::Binary, 1, true, over),
            Observed::Ping { len: over },
            Observed::Gap(None),
            Observed::UnfinishedFrame { opcode: Opcode::Reserved(3), len: u64::MAX, seen: over },
        ];
        let at = Origin { packet: PacketNumber::new(7).unwrap(), time: None };
        for (observed, is_large) in small.map(|one| (one, false)).into_iter().chain(large.map(|one| (one, true))) {
            let observation = Observation { at, side: Some(Side::Server), observed };
            let entry = Entry::of(&observation);
            assert_eq!(entry.is_large(), is_large, "{observed:?}");
            let kept = is_large.then_some(observed);
            assert_eq!(entry.observation(&mut kept.iter()), observation);
        }
    }

    #[test]
    fn a_message_in_the_clear_is_told_from_numbers_alone() {
        let at = Origin { packet: PacketNumber::new(7).unwrap(), time: None };
        for (kind, opcode) in [(MessageKind::Text, Opcode::Text), (MessageKind::Binary, Opcode::Binary)] {
            let entry = Entry::message(at, Side::Client, kind, 5, 3);
            let observed = Observed::Message { kind: opcode, len: 5, compressed: false, number: 3 };
            assert_eq!(entry.observation(&mut [].iter()), Observation { at, side: Some(Side::Client), observed });
            assert!(Entry::message(at, Side::Client, kind, 5, 1 << 32).is_large());
        }
    }
}
