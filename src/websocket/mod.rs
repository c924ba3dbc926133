//! WebSocket framing: bytes of one side of an upgraded stream → frames, messages, control payloads, violations
//! (RFC 6455 §5, §7.4, §8.1; RFC 7692).
//!
//! A [`Decoder`] takes the bytes of one side in whatever pieces they arrive and tells an [`EventSink`] what they are.
//!
//! - **A frame is judged as it arrives**, by the first byte that shows a fault: a reserved opcode by one, a missing mask by
//!   two, a Close code by the two it has, wherever segments are cut. A header is told when its last byte is there; payload
//!   is looked at and forgotten piece by piece. A receiver may close at that first byte, so a violation in a header or a
//!   frame that never ends still counts.
//! - **One fault is one violation.** Fragments that go on with what should not have been begun are its rest.
//! - **Nothing piles up.** Between two calls a decoder keeps at most 14 bytes of a header, 125 of a control payload, 3
//!   of a cut character, and the window of one inflater. Buffers are shared by all connections in a [`Scratch`].
//! - **A violation does not stop anything** as long as it is clear where the next frame starts. What cannot be judged
//!   any more after it (a compressed message after one that did not inflate) is *unknown*, never a second violation.
//! - **Missing bytes** are passed over inside a payload. Anywhere else the decoder falls silent, see
//!   [`DecoderStatus::Lost`], until frames of which several agree show where it may go on. What it held back meanwhile,
//!   at most 32 KiB, is then told from there on; never a frame that was only guessed.
//! - What one side sends is judged by itself; how the two sides answer each other is the business of `connection`.

mod assembly;
mod close;
mod decoder;
mod deflate;
mod event;
mod header;
mod held;
mod mask;
mod nesting;
mod opcode;
mod partial;
mod pool;
mod probe;
mod resync;
mod rules;
mod scratch;
mod starts;
mod utf8;

#[cfg(test)]
mod tests;

pub use close::{CloseCode, CloseCodeClass, ClosePayload, CloseReason};
pub use decoder::{Decoder, DecoderConfig, DecoderStatus};
pub use deflate::Deflate;
pub use event::{
    CloseFrame, Content, Event, EventSink, Frame, FrameEnd, Message, MessageKind, OpenFrame, OpenMessage,
    PAYLOAD_PEEK_LEN, PayloadPiece, Resynchronised, Unfinished, Utf8State, WholeControl, WholeMessage,
};
pub use header::{FrameHeader, Rsv};
pub use mask::MaskedBytes;
pub use opcode::Opcode;
pub use probe::{Probe, ProbeItem, ProbeVerdict};
pub use resync::begins_with_frame;
pub use scratch::Scratch;
