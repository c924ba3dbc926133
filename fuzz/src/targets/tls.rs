//! Both directions of a TLS connection: wherever they are cut, the same is learned, and little is kept.

use super::super::input::{Fields, TlsInput};
use super::super::{ORIGIN, heap, small_limits};
use wsdissect::tls::{Observer, TlsFacts, looks_like_client_hello, looks_like_tls};
use wsdissect::units::{PerSide, Side, StreamOffset};

/// A handshake message of each side and what their hellos told.
const MOST_HEAP: usize = 64 << 10;

/// Checks one input.
pub fn run(bytes: &[u8]) {
    let whole = heap::at_most(MOST_HEAP, || observe(bytes, usize::MAX));
    assert!(whole.alerts.len() <= 8);
    let _ = (looks_like_tls(bytes), looks_like_client_hello(bytes));
    let has_gap = {
        let mut fields = Fields(bytes);
        std::iter::from_fn(|| TlsInput::read(&mut fields)).any(|part| part.gap)
    };
    let trickled = observe(bytes, 1);
    // Behind a gap records are found again only where a chunk starts.
    if !has_gap {
        assert_eq!(whole, trickled, "byte by byte");
    }
}

/// What is learned from the input, handed on at most `step` bytes at a time.
fn observe(input: &[u8], step: usize) -> TlsFacts {
    let limits = small_limits();
    let mut observer = Observer::new();
    let mut offsets = PerSide { client: 0_u64, server: 0 };
    let mut fields = Fields(input);
    while let Some(part) = TlsInput::read(&mut fields) {
        let side = if part.server { Side::Server } else { Side::Client };
        if part.gap {
            observer.gap(side, (part.len > 0).then_some(part.len.into()));
            offsets[side] += u64::from(part.len);
        }
        for bytes in part.bytes.chunks(step) {
            observer.push(&limits, side, StreamOffset(offsets[side]), ORIGIN, bytes);
            offsets[side] += bytes.len() as u64;
        }
    }
    observer.into_facts()
}
