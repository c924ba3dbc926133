//! A second decoder, as simple as it can be: it has the whole stream in one slice, keeps every payload, and starts
//! inflating from the very first byte each time. It shares no code with the real one. Both write down what they found
//! as lines of text, and the lines must be equal.

use flate2::{Decompress, FlushDecompress, Status};
use std::fmt::Write;

pub(super) struct Setup {
    pub(super) masks: bool,
    /// `Some(takeover)` when permessage-deflate was negotiated.
    pub(super) takeover: Option<bool>,
}

#[derive(Default)]
struct Message {
    text: bool,
    compressed: bool,
    /// It cannot be read any further.
    unreadable: bool,
    frames: u64,
    wire: Vec<u8>,
    clear: Vec<u8>,
    /// How much of it can be checked.
    checked: usize,
    fault: Option<(usize, Option<u8>)>,
    /// It refers to bytes that nobody knows.
    blurred: bool,
}

#[derive(Default)]
struct Reference {
    lines: Vec<String>,
    message: Option<Message>,
    /// Compressed bytes, tails included, that the window of the current message goes back to.
    history: Vec<u8>,
    /// What they inflate to, before the current message.
    inflated_before: usize,
    /// Whether the history begins with a window of bytes that nobody knows.
    unknown_window: bool,
    context_lost: bool,
    /// What fails to inflate may do so because earlier data is missing.
    doubtful: bool,
    closed: bool,
    late: bool,
    /// The continuation frames that follow belong to a frame that should not have been sent.
    rest_of_a_fault: bool,
}

/// Everything that can be said of a stream that ends after `stream`.
pub(super) fn decode(setup: &Setup, stream: &[u8]) -> Vec<String> {
    let mut reference = Reference::default();
    reference.run(setup, stream);
    reference.lines
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

impl Reference {
    fn run(&mut self, setup: &Setup, stream: &[u8]) {
        let mut at = 0;
        loop {
            let rest = &stream[at..];
            if rest.is_empty() {
                if self.message.is_some() {
                    self.lines.push("unfinished".into());
                }
                return;
            }
            let http = HTTP.iter().find(|start| start.starts_with(&rest[..rest.len().min(start.len())]));
            if http.is_some() && rest.len() >= 4 {
                self.lines.push(format!("@{at} http_in_websocket"));
                return;
            }
            self.header(setup, at, rest);
            let Some((key_at, len)) = Self::length(rest).filter(|_| http.is_none()) else {
                self.lines.push("unfinished".into());
                return;
            };
            let masked = rest[1] & 0x80 != 0;
            let start = if masked { key_at + 4 } else { key_at };
            if rest.len() < start {
                self.lines.push("unfinished".into());
                return;
            }
            let key: Vec<u8> = if masked { rest[key_at..start].to_vec() } else { vec![0; 4] };
            let seen = (rest.len() - start).min(usize::try_from(len).unwrap_or(usize::MAX));
            let payload: Vec<u8> =
                rest[start..start + seen].iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            let whole = seen as u64 == len;
            self.lines.push(format!("@{at} frame {:02x} masked {masked} len {len}", rest[0]));
            self.frame(setup, at, rest[0], len, &payload, whole);
            if !whole {
                self.lines.push("unfinished".into());
                return;
            }
            at += start + seen;
        }
    }

    /// Where the masking key would be, and the payload length.
    fn length(rest: &[u8]) -> Option<(usize, u64)> {
        match rest.get(1)? & 0x7F {
            126 => Some((4, big_endian(rest.get(2..4)?))),
            127 => Some((10, big_endian(rest.get(2..10)?))),
            short => Some((2, u64::from(short))),
        }
    }

    /// What the header at the start of `rest` breaks, or as much of it as is there.
    fn header(&mut self, setup: &Setup, at: usize, rest: &[u8]) {
        let first = rest[0];
        let (fin, rsv, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
        let control = opcode >= 8;
        let mut broken = Vec::new();
        // §5.5.1: no more data frames; §5.5.2: Pings until the connection is closed.
        if self.closed && !self.late && opcode <= 2 {
            self.late = true;
            broken.push("data_after_close");
        }
        let rsv1_means_something = setup.takeover.is_some() && (opcode <= 2 || control);
        if rsv1_means_something && rsv & 4 != 0 {
            if opcode == 0 {
                broken.push("rsv1_on_continuation");
            } else if control {
                broken.push("rsv1_on_control");
            }
        }
        if (if rsv1_means_something { rsv & 3 } else { rsv }) != 0 {
            broken.push("rsv_nonzero");
        }
        if (3..8).contains(&opcode) || opcode > 10 {
            broken.push("reserved_opcode");
        }
        if opcode == 0 && self.message.is_none() && !self.rest_of_a_fault {
            broken.push("unexpected_continuation");
        }
        if (opcode == 1 || opcode == 2) && self.message.is_some() {
            broken.push("interleaved_data_frame");
        }
        if control && !fin {
            broken.push("control_frame_fragmented");
        }
        match opcode {
            1 | 2 => self.rest_of_a_fault = false,
            0 if fin => self.rest_of_a_fault = false,
            _ if !fin && self.message.is_none() => self.rest_of_a_fault = true,
            _ => {}
        }
        if let Some(second) = rest.get(1) {
            let masked = second & 0x80 != 0;
            if setup.masks && !masked {
                broken.push("unmasked_client_frame");
            }
            if !setup.masks && masked {
                broken.push("masked_server_frame");
            }
            match (Self::length(rest), second & 0x7F) {
                (Some((key_at, len)), _) => {
                    if key_at == 4 && len < 126 || key_at == 10 && !(65_536..1 << 63).contains(&len) {
                        broken.push("bad_length_encoding");
                    }
                    if control && len > 125 {
                        broken.push("control_frame_too_long");
                    }
                    if opcode == 8 && len == 1 {
                        broken.push("close_payload_one_byte");
                    }
                }
                // The rest of the length never comes.
                (None, 127) if rest.len() > 2 && rest[2] >= 128 || rest.len() >= 8 && rest[2..8] == [0; 6] => {
                    broken.push("bad_length_encoding");
                }
                (None, _) if control => broken.push("control_frame_too_long"),
                (None, _) => {}
            }
        }
        broken.sort_unstable();
        self.lines.extend(broken.iter().map(|rule| format!("@{at} {rule}")));
    }

    fn frame(&mut self, setup: &Setup, at: usize, first: u8, len: u64, payload: &[u8], whole: bool) {
        let (fin, rsv, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
        if opcode == 1 || opcode == 2 {
            self.begin(setup, opcode == 1, rsv);
        }
        let belongs = opcode <= 2 && self.message.is_some();
        if belongs {
            self.payload(at, payload);
        }
        let kept = &payload[..payload.len().min(125)];
        if opcode == 8 {
            self.close_content(at, kept);
        }
        if !whole {
            return;
        }
        self.lines.push(format!("@{at} end"));
        if belongs && fin {
            self.end_message(setup, at);
        }
        match opcode {
            8 => self.close(at, kept, len),
            9 | 10 => self.lines.push(format!("control {opcode} {}", hex(kept))),
            _ => {}
        }
    }

    fn begin(&mut self, setup: &Setup, text: bool, rsv: u8) {
        if self.message.take().is_some_and(|old| old.compressed && !old.unreadable) {
            self.forget();
        }
        let compressed = setup.takeover.is_some() && rsv & 4 != 0;
        if setup.takeover == Some(false) {
            self.context_lost = false;
            self.unknown_window = false;
            self.doubtful = false;
            self.history.clear();
        }
        let unexplained = if compressed { rsv & 3 } else { rsv };
        let unreadable = unexplained != 0 || compressed && self.context_lost;
        if compressed && unreadable {
            self.forget();
        }
        if compressed && !unreadable {
            self.inflated_before = inflate_all(&self.history, self.unknown_window).clear.len();
        }
        self.message = Some(Message { text, compressed, unreadable, ..Message::default() });
    }

    fn forget(&mut self) {
        self.history.clear();
        self.unknown_window = true;
        self.doubtful = true;
    }

    fn payload(&mut self, at: usize, payload: &[u8]) {
        let Some(message) = &mut self.message else { return };
        message.frames += 1;
        message.wire.extend(payload);
        if message.unreadable {
            return;
        }
        if message.compressed {
            self.history.extend(payload);
            self.look_at_inflated(at);
        } else {
            message.clear = message.wire.clone();
            message.checked = message.clear.len();
            self.look_at_text(at, false);
        }
    }

    fn look_at_inflated(&mut self, at: usize) {
        let Some(message) = &mut self.message else { return };
        let all = inflate_all(&self.history, self.unknown_window);
        message.clear = all.clear[self.inflated_before..].to_vec();
        let unsure_from = all.unsure_from.max(self.inflated_before) - self.inflated_before;
        let unknown = message.clear.iter().enumerate().position(|(i, byte)| i >= unsure_from && *byte == 0xFF);
        if message.text
            && let Some(unknown) = unknown
        {
            message.blurred = true;
            message.checked = unknown;
        } else {
            message.checked = message.clear.len();
        }
        self.look_at_text(at, false);
        if all.failed
            && let Some(message) = &mut self.message
        {
            message.unreadable = true;
            if self.doubtful {
                self.forget();
            } else {
                self.context_lost = true;
                self.lines.push(format!("@{at} inflate_failed"));
            }
        }
    }

    fn look_at_text(&mut self, at: usize, ended: bool) {
        let Some(message) = &mut self.message else { return };
        if !message.text || message.fault.is_some() {
            return;
        }
        match first_fault(&message.clear[..message.checked]) {
            Some((_, None)) if !ended || message.blurred => {}
            Some(fault) => {
                message.fault = Some(fault);
                self.lines.push(format!("@{at} invalid_utf8_text {fault:?}"));
            }
            None => {}
        }
    }

    fn end_message(&mut self, setup: &Setup, at: usize) {
        let Some(message) = &self.message else { return };
        if message.compressed
            && !message.unreadable
            && !message.wire.is_empty()
            && !inflate_all(&self.history, self.unknown_window).ends_at_final_block
        {
            self.history.extend([0, 0, 0xFF, 0xFF]);
            self.look_at_inflated(at);
        }
        if let Some(message) = self.message.as_ref().filter(|message| !message.unreadable) {
            self.doubtful &= !message.compressed || message.wire.is_empty();
            self.look_at_text(at, true);
        }
        let Some(message) = self.message.take() else { return };
        let utf8 = match (message.text, message.fault) {
            (false, _) => "not text".into(),
            (true, Some(fault)) => format!("{fault:?}"),
            (true, None) if message.unreadable || message.blurred => "unknown".into(),
            (true, None) => "valid".into(),
        };
        let inflated = (message.compressed && !message.unreadable).then_some(message.clear.len());
        self.lines.push(format!(
            "message text {} compressed {} frames {} wire {} inflated {inflated:?} utf8 {utf8}",
            message.text,
            message.compressed,
            message.frames,
            message.wire.len(),
        ));
        if setup.takeover == Some(false) {
            self.history.clear();
        }
    }

    /// What a Close payload breaks as far as it came.
    fn close_content(&mut self, at: usize, payload: &[u8]) {
        if payload.len() < 2 {
            return;
        }
        let code = big_endian(&payload[..2]);
        let legal = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].contains(&code)
            || (3000..5000).contains(&code);
        if !legal {
            self.lines.push(format!("@{at} close_code_invalid"));
        }
        if let Some(fault @ (_, Some(_))) = first_fault(&payload[2..]) {
            self.lines.push(format!("@{at} invalid_utf8_close_reason {fault:?}"));
        }
    }

    fn close(&mut self, at: usize, payload: &[u8], claimed: u64) {
        self.closed = true;
        if claimed <= 125
            && let Some(fault @ (_, None)) = payload.get(2..).and_then(first_fault)
        {
            self.lines.push(format!("@{at} invalid_utf8_close_reason {fault:?}"));
        }
        self.lines.push(format!("close {}", hex(payload)));
    }
}

/// How a response begins, and requests of the usual methods.
const HTTP: [&[u8]; 8] = [b"HTTP/1.", b"GET /", b"HEAD /", b"POST /", b"PUT /", b"PATCH /", b"DELETE /", b"OPTIONS "];

struct Inflated {
    clear: Vec<u8>,
    failed: bool,
    /// From here on 0xFF may stand for a byte that nobody knows.
    unsure_from: usize,
    ends_at_final_block: bool,
}

/// Inflates everything, anew after each final block.
fn inflate_all(mut compressed: &[u8], unknown_window: bool) -> Inflated {
    let mut all = Inflated {
        clear: Vec::with_capacity(1 << 20),
        failed: false,
        unsure_from: if unknown_window { 0 } else { usize::MAX },
        ends_at_final_block: false,
    };
    while !compressed.is_empty() {
        let mut decompress = Decompress::new(false);
        if all.unsure_from < usize::MAX {
            decompress.set_dictionary(&[0xFF; 32_768]).expect("a raw inflater takes one");
        }
        let result = decompress.decompress_vec(compressed, &mut all.clear, FlushDecompress::Sync);
        compressed = &compressed[decompress.total_in() as usize..];
        match result {
            Ok(Status::StreamEnd) => {
                all.ends_at_final_block = compressed.is_empty();
                all.unsure_from = all.unsure_from.min(all.clear.len());
            }
            Ok(_) => {
                all.ends_at_final_block = false;
                assert!(compressed.is_empty(), "the streams here inflate to less than a megabyte");
            }
            Err(_) => {
                all.failed = true;
                break;
            }
        }
    }
    all
}

/// The table of RFC 3629 §4. `None` as value: the bytes end inside the character that starts there.
fn first_fault(bytes: &[u8]) -> Option<(usize, Option<u8>)> {
    let mut start = 0;
    while start < bytes.len() {
        let lead = bytes[start];
        let (len, second) = match lead {
            0x00..=0x7F => (1, 0x00..=0x00),
            0xC2..=0xDF => (2, 0x80..=0xBF),
            0xE0 => (3, 0xA0..=0xBF),
            0xE1..=0xEC | 0xEE..=0xEF => (3, 0x80..=0xBF),
            0xED => (3, 0x80..=0x9F),
            0xF0 => (4, 0x90..=0xBF),
            0xF1..=0xF3 => (4, 0x80..=0xBF),
            0xF4 => (4, 0x80..=0x8F),
            _ => return Some((start, Some(lead))),
        };
        for i in 1..len {
            let allowed = if i == 1 { second.clone() } else { 0x80..=0xBF };
            match bytes.get(start + i) {
                None => return Some((start, None)),
                Some(byte) if !allowed.contains(byte) => return Some((start, Some(lead))),
                Some(_) => {}
            }
        }
        start += len;
    }
    None
}
