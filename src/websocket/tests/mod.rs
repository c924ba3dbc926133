//! Whole streams through the decoder.

mod conformance;
mod phantoms;
mod properties;
mod reference;
mod resync;
mod rng;

use super::*;
use crate::limits::Limits;
use crate::units::{Origin, PacketNumber, Side, StreamOffset};
use crate::violation::{CharacterFault, Detail, Violation, ViolationRule};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

const TAKEOVER: Deflate = Deflate { no_context_takeover: false, window_bits: 15 };
const NO_TAKEOVER: Deflate = Deflate { no_context_takeover: true, window_bits: 15 };

/// "Hello" compressed with an empty window (RFC 7692 §7.2.3.1), and again as a reference to the first (§7.2.3.2).
const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
const HELLO_AGAIN: [u8; 5] = [0xF2, 0x00, 0x11, 0x00, 0x00];

/// An event that owns its bytes.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Frame(Frame),
    FrameEnd(FrameEnd),
    Message(Message),
    Control(Opcode, Vec<u8>, Origin, Origin),
    Close(CloseFrame),
    Violation(Violation),
    Payload(MessageKind, u16, Vec<u8>),
    Unfinished(Unfinished),
    Resynchronised(Resynchronised),
}

/// Keeps every event; joins the payload pieces of a message, because where they are cut means nothing.
#[derive(Default)]
struct Recorder {
    seen: Vec<Seen>,
    payload: bool,
}

impl EventSink for Recorder {
    fn event(&mut self, event: Event<'_>) {
        let seen = match event {
            Event::Frame(frame) => Seen::Frame(frame),
            Event::FrameEnd(end) => Seen::FrameEnd(end),
            Event::Message(message) => Seen::Message(message),
            Event::Control { opcode, payload, first, last } => Seen::Control(opcode, payload.to_vec(), first, last),
            Event::Close(close) => Seen::Close(close),
            Event::Violation(violation) => Seen::Violation(violation),
            Event::Unfinished(unfinished) => Seen::Unfinished(unfinished),
            Event::Resynchronised(found) => Seen::Resynchronised(found),
            Event::Payload(PayloadPiece { kind, position, bytes }) => {
                let before = self.seen.iter_mut().rev().find_map(|seen| match seen {
                    Seen::Payload(_, start, joined) if position > 0 => Some((*start, joined)),
                    _ => None,
                });
                if let Some((start, joined)) = before {
                    assert_eq!(usize::from(start) + joined.len(), usize::from(position));
                    joined.extend_from_slice(bytes);
                    return;
                }
                Seen::Payload(kind, position, bytes.to_vec())
            }
        };
        self.seen.push(seen);
    }

    fn wants_payload(&self) -> bool {
        self.payload
    }
}

fn packet(number: u64) -> Origin {
    Origin { packet: PacketNumber::new(number).expect("counted from 1"), time: None }
}

/// A decoder with everything around it. Each push is one packet.
struct Bench {
    decoder: Decoder,
    scratch: Scratch,
    recorder: Recorder,
    offset: u64,
    packets: u64,
}

impl Bench {
    fn new(sender: Side, deflate: Option<Deflate>) -> Self {
        Self::with_limits(sender, deflate, &Limits::default())
    }

    fn with_limits(sender: Side, deflate: Option<Deflate>, limits: &Limits) -> Self {
        Self {
            decoder: Decoder::new(DecoderConfig { sender, deflate }),
            scratch: Scratch::new(limits),
            recorder: Recorder { seen: Vec::new(), payload: true },
            offset: 0,
            packets: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) -> &mut Self {
        self.packets += 1;
        let origin = packet(self.packets);
        self.decoder.push(&mut self.scratch, StreamOffset(self.offset), origin, bytes, &mut self.recorder);
        self.offset += bytes.len() as u64;
        self
    }

    fn gap(&mut self, len: Option<u64>) -> &mut Self {
        self.packets += 1;
        let origin = packet(self.packets);
        self.decoder.gap(&mut self.scratch, StreamOffset(self.offset), len, origin, &mut self.recorder);
        self.offset = self.offset.saturating_add(len.unwrap_or(1000));
        self
    }

    fn finish(&mut self) -> &mut Self {
        self.decoder.finish(&mut self.scratch, &mut self.recorder);
        self
    }

    fn rules(&self) -> Vec<ViolationRule> {
        self.violations().iter().map(|violation| violation.rule).collect()
    }

    fn violations(&self) -> Vec<Violation> {
        self.pick(|seen| if let Seen::Violation(violation) = seen { Some(violation.clone()) } else { None })
    }

    fn messages(&self) -> Vec<Message> {
        self.pick(|seen| if let Seen::Message(message) = seen { Some(message.clone()) } else { None })
    }

    fn closes(&self) -> Vec<CloseFrame> {
        self.pick(|seen| if let Seen::Close(close) = seen { Some(close.clone()) } else { None })
    }

    fn controls(&self) -> Vec<(Opcode, Vec<u8>)> {
        self.pick(
            |seen| if let Seen::Control(opcode, payload, ..) = seen { Some((*opcode, payload.clone())) } else { None },
        )
    }

    fn ends(&self) -> Vec<FrameEnd> {
        self.pick(|seen| if let Seen::FrameEnd(end) = seen { Some(*end) } else { None })
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        self.pick(|seen| if let Seen::Payload(_, _, bytes) = seen { Some(bytes.clone()) } else { None })
    }

    fn pick<T>(&self, choose: impl FnMut(&Seen) -> Option<T>) -> Vec<T> {
        self.recorder.seen.iter().filter_map(choose).collect()
    }
}

/// Everything about one frame on the wire, legal or not.
#[derive(Debug, Clone)]
struct Wire {
    first: u8,
    key: Option<[u8; 4]>,
    form: LengthForm,
    payload: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum LengthForm {
    Shortest,
    Bits16,
    Bits64,
}

impl Wire {
    /// An unmasked frame; `first` is FIN, RSV and opcode.
    fn new(first: u8, payload: &[u8]) -> Self {
        Self { first, key: None, form: LengthForm::Shortest, payload: payload.to_vec() }
    }

    fn masked(mut self) -> Self {
        self.key = Some(KEY);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let len = self.payload.len();
        let mask = if self.key.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match (self.form, len) {
            (LengthForm::Shortest, 0..=125) => bytes.push(mask | len as u8),
            (LengthForm::Shortest, 126..=0xFFFF) | (LengthForm::Bits16, 0..=0xFFFF) => {
                bytes.push(mask | 126);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        let key = self.key.unwrap_or_default();
        bytes.extend_from_slice(self.key.as_ref().map_or(&[], |key| &key[..]));
        bytes.extend(self.payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
        bytes
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    Wire::new(first, payload).bytes()
}

fn masked_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    Wire::new(first, payload).masked().bytes()
}
