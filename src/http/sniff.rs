//! Telling from the first bytes of a connection, or from a head, who is speaking.

use super::reader::Head as _;
use super::{Request, Response};

/// Who writes a stream that begins like HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It begins with a request: the client.
    Request,
    /// It begins with a status line: the server.
    Response,
}

/// Who writes a stream that begins with `start`; `None` when that is not HTTP/1.
///
/// A start too short to tell counts as HTTP: reading on decides.
#[must_use]
pub fn looks_like_http(start: &[u8]) -> Option<Role> {
    if Response::looks_like(start) == Some(true) {
        return Some(Role::Response);
    }
    (Request::looks_like(start) != Some(false)).then_some(Role::Request)
}

/// The status of the response that `start` begins with, as in `HTTP/1.1 400 Bad Request`; `None` before all of it is
/// there and a byte behind it.
#[must_use]
pub fn status_of(start: &[u8]) -> Option<u16> {
    let after = start.strip_prefix(b"HTTP/")?;
    let space = after.iter().take(4).position(|&byte| byte == b' ')?;
    let digits = after.get(space + 1..space + 4)?;
    let is_whole = after.get(space + 4).is_some_and(|byte| !byte.is_ascii_digit());
    (is_whole && digits.iter().all(u8::is_ascii_digit))
        .then(|| digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0')))
}

impl Request {
    /// Whether a browser sent it: only browsers send `Sec-Fetch-Mode: websocket` together with an `Origin`, and older
    /// ones call themselves Mozilla.
    #[must_use]
    pub fn is_browser(&self) -> bool {
        let fetches = self.sec_fetch_mode.as_ref().is_some_and(|mode| mode.is_ignoring_case("websocket"));
        let mozilla = self.user_agent.as_ref().is_some_and(|agent| agent.as_str().starts_with("Mozilla/"));
        self.origin.is_some() && (fetches || mozilla)
    }
}

impl Response {
    /// Whether another response to the same request follows: 1xx other than 101 (RFC 9110 §15.2).
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && !self.is_switch()
    }

    /// Whether it switches to WebSocket, as far as it can be told without its request.
    #[must_use]
    pub fn accepts_websocket(&self) -> bool {
        self.is_switch()
            && (self.accept.is_some() || self.upgrade.iter().any(|token| token.is_ignoring_case("websocket")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_the_status() {
        for (line, status) in [
            ("HTTP/1.1 400 Bad Request\r\n", Some(400)),
            ("HTTP/1.0 500\n", Some(500)),
            ("HTTP/1.0 500", None),
            ("HTTP/2 200\r\n", Some(200)),
            ("HTTP/1.1 40", None),
            ("HTTP/1.1 4000 ", None),
            ("HTTP/1.1 4x0", None),
            ("HTTP/1.1\r\n", None),
            ("HTTP", None),
        ] {
            assert_eq!(status_of(line.as_bytes()), status, "{line}");
        }
    }

    #[test]
    fn the_first_line_tells_the_role() {
        assert_eq!(looks_like_http(b"GET / HTTP/1.1\r\n"), Some(Role::Request));
        assert_eq!(looks_like_http(b"HTTP/1.1 101 "), Some(Role::Response));
        assert_eq!(looks_like_http(b"G"), Some(Role::Request));
        assert_eq!(looks_like_http(b"\x81\x05hello"), None);
        assert_eq!(looks_like_http(b"SSH-2.0-OpenSSH_9.2\r\n"), None);
    }
}
