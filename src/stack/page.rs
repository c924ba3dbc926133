//! The beginning of the page with which a server refuses an upgrade: web servers say there that the port wants TLS.

/// Looks for that sentence in what follows a response's head; keeps at most [`KEPT`] bytes and passes nothing on.
#[derive(Debug, Default)]
pub(super) struct Page {
    begun: Vec<u8>,
}

impl Page {
    /// More of the page; whether it says that the port wants TLS.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let left = KEPT - self.begun.len();
        if left == 0 {
            return false;
        }
        self.begun.extend_from_slice(&bytes[..bytes.len().min(left)]);
        WANTS_TLS.iter().any(|sentence| self.begun.windows(sentence.len()).any(|part| part == *sentence))
    }
}

/// The sentences of nginx, of Go's net/http, and of Apache's httpd.
const WANTS_TLS: [&[u8]; 3] = [
    b"plain HTTP request was sent to HTTPS port",
    b"Client sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
];

/// All three stand in the first lines.
const KEPT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_found_wherever_the_page_is_cut() {
        let page = b"<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>";
        for size in 1..page.len() {
            let mut seen = Page::default();
            assert!(page.chunks(size).any(|piece| seen.push(piece)), "pieces of {size}");
        }
        assert!(!Page::default().push(b"<title>400 Bad Request</title> use HTTPS"));
        let mut late = Page::default();
        assert!(!late.push(&[b' '; KEPT]) && !late.push(page));
    }
}
