//! One direction of HTTP/1.x: wherever it is cut, the same heads come out, and reading fails for the same reason.
//!
//! Settings: bit 0 says responses instead of requests; bits 1–2 what the responses answer.

use super::super::input::{Piece, StreamInput};
use super::super::{ORIGIN, heap, small_limits};
use std::fmt::Debug;
use std::sync::LazyLock;
use wsdissect::http::{
    Head, HeadReader, Heads, Method, Request, RequestReader, ResponseReader, Step, WhyNotHttp, check_request,
    check_response, negotiated,
};
use wsdissect::units::StreamOffset;

/// One head at most; 240 header fields as httparse wants them, twice; what was read, which the test keeps.
const MOST_HEAP: usize = 1 << 20;

/// Asks for all that can be answered.
static REQUEST: LazyLock<Request> = LazyLock::new(|| {
    let head = b"GET /chat HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    match RequestReader::new().push(&mut Heads::default(), StreamOffset(0), ORIGIN, head) {
        (Step::Head(request), _) => *request,
        _ => unreachable!("it is a request"),
    }
});

/// Checks one input.
pub fn run(bytes: &[u8]) {
    LazyLock::force(&REQUEST);
    let input = StreamInput::read(bytes);
    if input.settings & 1 == 0 {
        let reader = RequestReader::new;
        for request in compare(&input, reader) {
            let _ = (request.wants_websocket(), request.upgrade_stripped(), check_request(&request));
        }
    } else {
        let reader = || {
            let mut reader = ResponseReader::new();
            match input.settings >> 1 & 3 {
                0 => {}
                1 => reader.expect(&Method::Get),
                2 => reader.expect(&Method::Connect),
                _ => reader.expect(&REQUEST.method),
            }
            reader
        };
        for response in compare(&input, reader) {
            let _ = (check_response(Some(&REQUEST), &response), response.is_switch(), response.protocol());
            let deflate = negotiated(Some(&REQUEST), &response).deflate;
            let _ = (negotiated(None, &response), check_response(None, &response));
            if let Some(deflate) = deflate {
                assert!(
                    (8..=15).contains(&deflate.client.window_bits) && (8..=15).contains(&deflate.server.window_bits)
                );
            }
        }
    }
}

/// Reads the input whole, with its cuts, and byte by byte; gives the heads.
fn compare<H: Head + PartialEq + Debug>(input: &StreamInput<'_>, reader: impl Fn() -> HeadReader<H>) -> Vec<H> {
    let read = |cut_before: &dyn Fn(usize) -> bool| {
        let pieces = input.pieces(cut_before);
        heap::at_most(MOST_HEAP, || heads(reader(), &pieces))
    };
    let whole = read(&|_| false);
    assert_eq!(whole, read(&|at| input.cuts.contains(&at)), "cut at {:?}", input.cuts);
    assert_eq!(whole, read(&|_| true), "byte by byte");
    whole.0
}

fn heads<H: Head>(mut reader: HeadReader<H>, pieces: &[Piece<'_>]) -> (Vec<H>, Option<WhyNotHttp>) {
    let mut known = Heads::new(&small_limits());
    let mut heads = Vec::new();
    for piece in pieces {
        let (mut offset, mut bytes) = match *piece {
            Piece::Bytes { offset, bytes } => (StreamOffset(offset), bytes),
            Piece::Gap { len, .. } => {
                reader.gap(len);
                continue;
            }
        };
        loop {
            let (step, consumed) = reader.push(&mut known, offset, ORIGIN, bytes);
            assert!(consumed <= bytes.len());
            (offset, bytes) = (offset.plus(consumed as u64), &bytes[consumed..]);
            match step {
                Step::Head(head) => {
                    assert!(consumed > 0);
                    heads.push(*head);
                }
                Step::NeedMore => {
                    assert!(bytes.is_empty(), "everything is consumed");
                    break;
                }
                Step::Failed(why) => return (heads, Some(why)),
            }
        }
    }
    // A gap shows its effect only with the next bytes.
    let failed = match reader.push(&mut known, StreamOffset(u64::MAX), ORIGIN, &[]) {
        (Step::Failed(why), _) => Some(why),
        _ => None,
    };
    (heads, failed)
}
