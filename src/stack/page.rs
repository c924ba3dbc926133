//! What stands in the page with which a server refuses an upgrade: web servers say there that the port wants TLS.

/// Whether the beginning of a page says that the port wants TLS.
pub(super) fn wants_tls(page: &[u8]) -> bool {
    WANTS_TLS.iter().any(|sentence| page.windows(sentence.len()).any(|part| part == *sentence))
}

/// The sentences of nginx, of Go's net/http, and of Apache's httpd; all three stand in the first lines.
const WANTS_TLS: [&[u8]; 3] = [
    b"plain HTTP request was sent to HTTPS port",
    b"Client sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_says_so_is_told_from_others() {
        assert!(wants_tls(b"<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>"));
        assert!(!wants_tls(b"<title>400 Bad Request</title> use HTTPS"));
    }
}
