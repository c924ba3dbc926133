//! One side of an upgraded stream: wherever it is cut, the same events come out, and its decoder stays small.
//!
//! Behind a hole that may hide where frames start, segments count as evidence, so what is told from there on is checked
//! against the bounds only.
//!
//! Settings: bit 0 says that the server speaks; bit 1 that permessage-deflate was negotiated; bit 2 that it has no context
//! takeover; bit 3 that earlier messages were not seen; bit 4 that the capture begins in the middle of the stream;
//! bit 5 that the compression window has 9 bits.

use super::super::input::{Piece, StreamInput};
use super::super::{ORIGIN, heap, small_limits};
use wsdissect::units::{Side, StreamOffset};
use wsdissect::websocket::{Decoder, DecoderConfig, DecoderStatus, Deflate, Event, EventSink, MessageKind, Scratch};

/// 48 KiB of shared buffers, an inflater of as much, and what checks its window.
const MOST_HEAP: usize = 112 << 10;

/// Checks one input.
pub fn run(bytes: &[u8]) {
    let input = StreamInput::read(bytes);
    let pieces = input.pieces(|_| false);
    heap::at_most(MOST_HEAP, || decode(input.settings, &pieces, &mut Nobody));
    let events = |cut_before: &dyn Fn(usize) -> bool| {
        let mut told = Told::default();
        let status = decode(input.settings, &input.pieces(cut_before), &mut told);
        told.status = status.filter(|_| !told.lost);
        told
    };
    let whole = events(&|_| false);
    assert_eq!(whole, events(&|at| input.cuts.contains(&at)), "cut at {:?}", input.cuts);
    assert_eq!(whole, events(&|_| true), "byte by byte");
}

fn decode(settings: u8, pieces: &[Piece<'_>], sink: &mut impl Listener) -> Option<(DecoderStatus, u64)> {
    let has = |bit: u8| settings >> bit & 1 == 1;
    let mut scratch = Scratch::new(&small_limits());
    let sender = if has(0) { Side::Server } else { Side::Client };
    let window_bits = if has(5) { 9 } else { 15 };
    let deflate = has(1).then_some(Deflate { no_context_takeover: has(2), window_bits });
    let config = DecoderConfig { sender, deflate };
    let mut decoder = if has(4) { Decoder::joined_late(config, &scratch) } else { Decoder::new(config) };
    if has(4) {
        sink.lost();
    }
    if has(3) {
        decoder.lose_context();
    }
    for piece in pieces {
        match *piece {
            Piece::Bytes { offset, bytes } => decoder.push(&mut scratch, StreamOffset(offset), ORIGIN, bytes, sink),
            Piece::Gap { offset, len } => decoder.gap(&mut scratch, StreamOffset(offset), len, ORIGIN, sink),
        }
        if matches!(decoder.status(), DecoderStatus::Lost { .. }) {
            sink.lost();
        }
    }
    decoder.finish(&mut scratch, sink);
    Some((decoder.status(), decoder.frames_after_close()))
}

/// Hears also of losses.
trait Listener: EventSink {
    /// From here on nobody knows where frames start, or they were found again.
    fn lost(&mut self);
}

/// Wants to know nothing.
struct Nobody;

impl Listener for Nobody {
    fn lost(&mut self) {}
}

impl EventSink for Nobody {
    fn event(&mut self, _: Event<'_>) {}
}

/// Keeps everything; payload aside, because its pieces may be smaller.
#[derive(Debug, Default, PartialEq)]
struct Told {
    events: Vec<Event<'static>>,
    controls: Vec<(usize, Vec<u8>)>,
    payload: Vec<(MessageKind, Vec<u8>)>,
    status: Option<(DecoderStatus, u64)>,
    /// Frames were lost: nothing is kept any more.
    lost: bool,
}

impl Listener for Told {
    fn lost(&mut self) {
        self.lost = true;
    }
}

impl EventSink for Told {
    fn event(&mut self, event: Event<'_>) {
        let limits = small_limits();
        if self.lost {
            return;
        }
        self.events.push(match event {
            Event::Control { opcode, payload, first, last } => {
                assert!(payload.len() <= 125);
                self.controls.push((self.events.len(), payload.to_vec()));
                Event::Control { opcode, payload: &[], first, last }
            }
            Event::Payload(piece) => {
                if piece.position == 0 {
                    self.payload.push((piece.kind, Vec::new()));
                }
                let (kind, bytes) = self.payload.last_mut().expect("position 0 comes first");
                assert_eq!((*kind, bytes.len()), (piece.kind, piece.position.into()), "pieces follow each other");
                bytes.extend(piece.bytes);
                assert!(bytes.len() <= wsdissect::websocket::PAYLOAD_PEEK_LEN);
                return;
            }
            Event::Message(message) => {
                assert!(message.inflated_len.is_none_or(|len| len <= limits.inflated_message_bytes));
                Event::Message(message)
            }
            Event::Frame(frame) => Event::Frame(frame),
            Event::FrameEnd(end) => {
                assert!(end.payload_seen <= end.header.payload_len);
                Event::FrameEnd(end)
            }
            Event::Close(close) => Event::Close(close),
            Event::Violation(violation) => Event::Violation(violation),
            Event::Unfinished(unfinished) => Event::Unfinished(unfinished),
            Event::Resynchronised(found) => Event::Resynchronised(found),
        });
    }

    fn wants_payload(&self) -> bool {
        true
    }
}
