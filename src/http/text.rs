//! Header values as facts: bounded, printable, and without what must stay private.

use memchr::memchr;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A piece of a header that is safe to keep and to print.
///
/// Control characters and invisible direction marks are replaced by U+FFFD, so no terminal escape survives; bytes that
/// are not UTF-8 are replaced likewise. At most [`Text::MAX_BYTES`] bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text {
    text: Arc<str>,
    was_cut: bool,
}

impl Text {
    /// Bytes kept of one value.
    pub const MAX_BYTES: usize = 256;

    /// Cleans and cuts `bytes`.
    #[must_use]
    pub fn clean(bytes: &[u8]) -> Self {
        if bytes.len() <= Self::MAX_BYTES
            && let Ok(text) = std::str::from_utf8(bytes)
            && (is_plain(bytes) || text.chars().all(is_printable))
        {
            return Self { text: text.into(), was_cut: false };
        }
        // A replacement character is three bytes for one, so the input is bounded before and the output after.
        let looked_at = &bytes[..bytes.len().min(Self::MAX_BYTES + 4)];
        let mut text = String::with_capacity(looked_at.len().min(Self::MAX_BYTES));
        let mut was_cut = bytes.len() > looked_at.len();
        for character in String::from_utf8_lossy(looked_at).chars() {
            let character = if is_printable(character) { character } else { char::REPLACEMENT_CHARACTER };
            if text.len() + character.len_utf8() > Self::MAX_BYTES {
                was_cut = true;
                break;
            }
            text.push(character);
        }
        Self { text: text.into(), was_cut }
    }

    /// The cleaned text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the value was longer than what is kept.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether this is what cleaning `bytes` comes to, and nothing of them had to be left out or replaced.
    pub(super) fn is_all_of(&self, bytes: &[u8]) -> bool {
        !self.was_cut && self.text.as_bytes() == bytes
    }

    /// Whether this is `other`, ASCII letters of either case being the same.
    #[must_use]
    pub fn is_ignoring_case(&self, other: &str) -> bool {
        self.text.eq_ignore_ascii_case(other)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl From<Text> for Box<str> {
    fn from(text: Text) -> Self {
        Self::from(&*text.text)
    }
}

/// Whether these are printable characters of ASCII. All bytes are looked at, many at a time.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
}

fn is_printable(character: char) -> bool {
    let is_shown = |character: char| {
        !character.is_control()
            && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    matches!(character, ' '..='~') || is_shown(character)
}

/// Writes the path of a request target to `shown`, its query values replaced by `…`.
///
/// Names stay, because they tell which application speaks; an item without `=` may be a bare token and goes too.
pub(super) fn redact_path(target: &[u8], shown: &mut Vec<u8>) {
    let (authority, rest) = split_target(target);
    let (path, query) = match memchr(b'?', rest) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    shown.extend_from_slice(if path.is_empty() && authority.is_some() { b"/" } else { path });
    let Some(query) = query else { return };
    shown.push(b'?');
    // Everything after the bound is cut anyway, so no more of a hostile query is rewritten than can be seen.
    for (index, item) in query.split(|&byte| byte == b'&').enumerate() {
        if shown.len() > Text::MAX_BYTES {
            break;
        }
        if index > 0 {
            shown.push(b'&');
        }
        match item.iter().position(|&byte| byte == b'=') {
            Some(at) => {
                shown.extend_from_slice(&item[..=at]);
                shown.extend_from_slice("…".as_bytes());
            }
            None if item.is_empty() => {}
            None => shown.extend_from_slice("…".as_bytes()),
        }
    }
}

/// Scheme, host and path of a `Location`; query and fragment may carry tokens and are dropped.
pub(super) fn redact_location(location: &[u8]) -> Text {
    Text::clean(&shown_location(location))
}

/// What [`redact_location`] leaves.
pub(super) fn shown_location(location: &[u8]) -> Cow<'_, [u8]> {
    let end = location.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(location.len());
    let bare = &location[..end];
    match split_target(bare) {
        (Some(host), path) => {
            let scheme_end = bare.windows(3).position(|w| w == b"://").map_or(0, |at| at + 3);
            Cow::Owned([&bare[..scheme_end], host, path].concat())
        }
        (None, path) => Cow::Borrowed(path),
    }
}

/// A subprotocol name, shortened when it looks like a credential: some browsers' applications have no other header to
/// put one in (`Sec-WebSocket-Protocol: access_token, eyJ…`).
pub(super) fn redact_protocol(name: &[u8]) -> Text {
    Text::clean(&shown_protocol(name))
}

/// What [`redact_protocol`] leaves.
pub(super) fn shown_protocol(name: &[u8]) -> Cow<'_, [u8]> {
    const LONGEST_NAME: usize = 64;
    const SHOWN: usize = 16;
    if name.len() > LONGEST_NAME || name.starts_with(b"eyJ") {
        let shown = &name[..name.len().min(if name.starts_with(b"eyJ") { 3 } else { SHOWN })];
        return Cow::Owned([shown, "…".as_bytes()].concat());
    }
    Cow::Borrowed(name)
}

/// Authority (without user information) and the rest, when `target` has the absolute form (RFC 9112 §3.2.2).
pub(super) fn split_target(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let scheme_len = target.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
    if scheme_len == 0 || !target[scheme_len..].starts_with(b"://") {
        return (None, target);
    }
    let after = &target[scheme_len + 3..];
    let end = after.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(after.len());
    (Some(without_user(&after[..end])), &after[end..])
}

/// A `Host` without user information, which has no place there (RFC 9110 §7.2) and is sent nevertheless.
pub(super) fn redact_host(host: &[u8]) -> Text {
    Text::clean(without_user(host))
}

pub(super) fn without_user(authority: &[u8]) -> &[u8] {
    authority.iter().rposition(|&byte| byte == b'@').map_or(authority, |at| &authority[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_and_direction_marks_do_not_survive() {
        let text = Text::clean("a\x1b[31m\u{202e}b\u{9b}\r\n".as_bytes());
        assert_eq!(text.as_str(), "a\u{fffd}[31m\u{fffd}b\u{fffd}\u{fffd}\u{fffd}");
        assert!(!text.was_cut());
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(Text::clean(b"caf\xe9").as_str(), "caf\u{fffd}");
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let text = Text::clean("€".repeat(200).as_bytes());
        assert_eq!(text.as_str().len(), 255);
        assert!(text.was_cut());
        assert!(!Text::clean(&[b'a'; 256]).was_cut());
        assert!(Text::clean(&[b'a'; 257]).was_cut());
        assert!(Text::clean(&[0xff; 1 << 20]).as_str().len() <= Text::MAX_BYTES);
    }

    #[test]
    fn query_values_are_redacted() {
        for (target, host, path) in [
            ("/chat?token=secret&EIO=4&", None, "/chat?token=…&EIO=…&"),
            ("/chat?eyJhbGciOi", None, "/chat?…"),
            ("/chat?a=b=c;d=e", None, "/chat?a=…"),
            ("http://user:pw@example.com:8080/x?y=z", Some("example.com:8080"), "/x?y=…"),
            ("ws://example.com", Some("example.com"), "/"),
            ("example.com:443", None, "example.com:443"),
            ("*", None, "*"),
        ] {
            let (got_host, _) = split_target(target.as_bytes());
            let mut got_path = Vec::new();
            redact_path(target.as_bytes(), &mut got_path);
            assert_eq!((got_host, &got_path[..]), (host.map(str::as_bytes), path.as_bytes()), "{target}");
        }
    }

    #[test]
    fn hosts_lose_user_information() {
        assert_eq!(redact_host(b"user:pw@example.com:8080").as_str(), "example.com:8080");
        assert_eq!(redact_host(b"[::1]:8080").as_str(), "[::1]:8080");
    }

    #[test]
    fn locations_lose_user_query_and_fragment() {
        assert_eq!(redact_location(b"https://u:p@a.b/login?next=/ws#x").as_str(), "https://a.b/login");
        assert_eq!(redact_location(b"/login?next=/ws").as_str(), "/login");
    }

    #[test]
    fn credentials_offered_as_subprotocols_are_shortened() {
        assert_eq!(redact_protocol(b"graphql-transport-ws").as_str(), "graphql-transport-ws");
        assert_eq!(redact_protocol(b"eyJhbGciOiJIUzI1NiJ9").as_str(), "eyJ…");
        let long = [b"base64url.bearer.".as_slice(), &[b'k'; 80]].concat();
        assert_eq!(redact_protocol(&long).as_str(), "base64url.bearer…");
    }
}
