//! What a capture says never steers a terminal and never breaks the JSON.

use super::runs::{IntoCapture, analyse};
use super::support::{Conversation, Frame};
use wsdissect::catalog::language::Language;
use wsdissect::limits::Limits;

/// Escape sequences, carriage return and line feed, the controls of C1, marks that turn the direction of writing around
/// or are invisible, and bytes that are no UTF-8.
const EVIL: &[u8] = b"\x1b[2J\x1b]0;owned\x07\r\n\x00\x08\x7f\xc2\x9b31m\xe2\x80\xae\xe2\x80\x8f\xe2\x81\xa6\xef\xbb\xbf\xe2\x80\xa8\xff\xfe\xf0\x9f";

fn evil_line() -> Vec<u8> {
    EVIL.iter().copied().filter(|byte| !b"\r\n\0".contains(byte)).collect()
}

fn is_evil(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A connection in which every text that a report may show is made of it, and long.
fn captures() -> Vec<Vec<u8>> {
    let line = evil_line();
    let long = line.repeat(40);
    let head = |status: Option<u16>| {
        let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
        c.connect();
        let request = [
            b"GET /",
            &line[..],
            b"?token=",
            &line,
            b" HTTP/1.1\r\nHost: ",
            &long,
            b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: ",
            &line,
            b"\r\nUser-Agent: ",
            &long,
            b"\r\nSec-WebSocket-Protocol: ",
            &line,
            b"\r\nSec-WebSocket-Extensions: ",
            &line,
            b"\r\nVia: ",
            &line,
            b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ]
        .concat();
        // Header fields may hold bytes above 0x7f but no controls, so the request is also sent without those.
        let request = if status.is_some() {
            request
                .into_iter()
                .filter(|byte| *byte >= 0x80 || (*byte >= 0x20 && *byte < 0x7f) || b"\r\n".contains(byte))
                .collect()
        } else {
            request
        };
        c.client().bytes(&request);
        if let Some(status) = status {
            let clean: Vec<u8> = line.iter().copied().filter(|byte| *byte >= 0x20 && *byte != 0x7f).collect();
            let mut response = format!("HTTP/1.1 {status} ").into_bytes();
            for part in [&clean[..], b"\r\nServer: ", &clean, b"\r\nLocation: /", &clean, b"\r\nSec-WebSocket-Protocol: ", &clean,
                b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"] {
                response.extend_from_slice(part);
            }
            c.server().bytes(&response);
            c.server().frame(Frame::close(4000, &EVIL[..60.min(EVIL.len())]));
            c.client().frame(Frame::close(1008, "\u{202e}evil\u{1b}[31m\u{9b}\u{feff}"));
            c.client().fin();
            c.server().fin();
        }
        c.into_capture()
    };
    vec![head(None), head(Some(101)), head(Some(403)), head(Some(302))]
}

#[test]
fn no_text_steers_the_terminal() {
    for (number, capture) in captures().iter().enumerate() {
        let found = analyse(capture, Limits::default());
        for language in Language::all() {
            let text = found.text(language);
            for (at, c) in text.char_indices().filter(|(_, c)| *c != '\n' && is_evil(*c)) {
                let colour = text[at..].strip_prefix("\x1b[").is_some_and(|rest| {
                    rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
                });
                let from = text.floor_char_boundary(at.saturating_sub(60));
                assert!(colour, "{language:?}, capture {number}: {c:?} behind {:?}", &text[from..at]);
            }
            // A line of ours is no longer than a terminal is wide by more than what it quotes.
            assert!(text.len() < 64 << 10, "{} bytes", text.len());
        }
    }
}

/// Reasons are kept as they were sent, escaped as JSON can; texts of heads are cleaned and cut.
#[test]
fn json_is_clean_utf8() {
    for capture in captures() {
        for object in analyse(&capture, Limits::default()).json() {
            let text = wsdissect::report::json::plain(object.to_string());
            assert!(!text.chars().any(is_evil), "{text}");
            let again: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(again, object, "it means the same");
            assert!(text.len() < 64 << 10, "{} bytes", text.len());
        }
    }
}
