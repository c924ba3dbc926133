//! Values near the top of a JSON text of which perhaps only the beginning is there.
//!
//! Not a validator: what is well-formed is read rightly, and of anything else nothing is claimed beyond the first fault.

/// Whether a text, of which perhaps only the beginning is there, is the object or array of a JSON message (RFC 8259 §2), as far
/// as its ends show.
pub(super) fn is_likely(text: &[u8], is_whole: bool) -> bool {
    let text = text.trim_ascii();
    let Some((&first, rest)) = text.split_first() else { return false };
    let (closing, next) = (rest.last().copied(), rest.trim_ascii_start().first().copied());
    let (begins, end) = match first {
        b'{' => (matches!(next, None | Some(b'"' | b'}')), b'}'),
        b'[' => {
            (matches!(next, None | Some(b'"' | b'{' | b'[' | b']' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')), b']')
        }
        _ => return false,
    };
    begins && (!is_whole || closing == Some(end))
}

/// How deep a text is followed; values below the second level are never asked for.
const DEPTH: usize = 16;

/// A value, as far as it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// The inside of a string, escapes as written.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`, as written.
    Scalar(&'a [u8]),
    Object,
    Array,
}

impl<'a> Value<'a> {
    /// The text of a string or scalar.
    pub(super) fn written(self) -> Option<&'a str> {
        match self {
            Self::Text(bytes) | Self::Scalar(bytes) => std::str::from_utf8(bytes).ok(),
            Self::Object | Self::Array => None,
        }
    }
}

/// One container that is open.
#[derive(Debug, Clone, Copy, Default)]
struct Level<'a> {
    is_object: bool,
    key: Option<&'a [u8]>,
    index: usize,
}

impl Level<'_> {
    /// Whether its current member is called so: a key, or a position in an array.
    fn is_at(&self, step: &str) -> bool {
        match self.key {
            Some(key) => key == step.as_bytes(),
            None => !self.is_object && step.parse() == Ok(self.index),
        }
    }
}

/// Values kept of one text.
const MEMBERS: usize = 32;

/// The first values of a text on its two upper levels, read once and asked often.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    members: [Member<'a>; MEMBERS],
    count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Member<'a> {
    outer: Level<'a>,
    /// `None` on the upper level.
    inner: Option<Level<'a>>,
    value: Value<'a>,
}

impl<'a> Outline<'a> {
    /// Reads a text.
    pub(super) fn of(text: &'a [u8]) -> Self {
        let nothing = Member { outer: Level::default(), inner: None, value: Value::Object };
        let mut outline = Self { members: [nothing; MEMBERS], count: 0 };
        walk(text, |levels, value| {
            let (outer, inner) = match *levels {
                [outer] => (outer, None),
                [outer, inner] => (outer, Some(inner)),
                _ => return true,
            };
            outline.members[outline.count] = Member { outer, inner, value };
            outline.count += 1;
            outline.count < MEMBERS
        });
        outline
    }

    /// The value at `path`: a key or a position in an array, and perhaps another one inside it, joined with a dot.
    pub(super) fn find(&self, path: &str) -> Option<Value<'a>> {
        let (outer, inner) = path.split_once('.').map_or((path, None), |(outer, inner)| (outer, Some(inner)));
        let is_it = |member: &&Member<'a>| {
            member.outer.is_at(outer)
                && match (member.inner, inner) {
                    (None, None) => true,
                    (Some(level), Some(step)) => level.is_at(step),
                    _ => false,
                }
        };
        self.members[..self.count].iter().find(is_it).map(|member| member.value)
    }

    /// What is written at `path`, if that is a text or scalar.
    pub(super) fn written(&self, path: &str) -> Option<&'a str> {
        self.find(path).and_then(Value::written)
    }
}

/// Shows each value that is completely there with the containers around it, until `visit` says no.
fn walk<'a>(text: &'a [u8], mut visit: impl FnMut(&[Level<'a>], Value<'a>) -> bool) {
    let mut levels = [Level::default(); DEPTH];
    let mut depth = 0;
    let mut rest = text;
    // A string in an object may be a key: that shows in the token behind it.
    let mut key: Option<&[u8]> = None;
    while let Some((token, after)) = token(rest) {
        rest = after;
        let open = &mut levels[..depth];
        match token {
            Token::Colon => {
                let (Some(level), Some(key)) = (open.last_mut(), key.take()) else { return };
                level.key = Some(key);
                continue;
            }
            Token::Comma => {
                let Some(level) = open.last_mut() else { return };
                level.key = None;
                level.index += 1;
                continue;
            }
            Token::Close => {
                let Some(left) = depth.checked_sub(1) else { return };
                depth = left;
                continue;
            }
            Token::Text(bytes) if open.last().is_some_and(|level| level.is_object && level.key.is_none()) => {
                key = Some(bytes);
                continue;
            }
            Token::Text(bytes) => {
                if !visit(open, Value::Text(bytes)) {
                    return;
                }
            }
            Token::Scalar(bytes) => {
                if !visit(open, Value::Scalar(bytes)) {
                    return;
                }
            }
            Token::Open { is_object } => {
                if !visit(open, if is_object { Value::Object } else { Value::Array }) {
                    return;
                }
                let Some(level) = levels.get_mut(depth) else { return };
                *level = Level { is_object, ..Level::default() };
                depth += 1;
            }
        }
        if depth == 0 {
            return;
        }
    }
}

enum Token<'a> {
    Open { is_object: bool },
    Close,
    Colon,
    Comma,
    Text(&'a [u8]),
    Scalar(&'a [u8]),
}

/// The next token and what follows it; `None` when it is not JSON or not all there.
fn token(text: &[u8]) -> Option<(Token<'_>, &[u8])> {
    let text = text.trim_ascii_start();
    let (first, rest) = text.split_first()?;
    let token = match first {
        b'{' => Token::Open { is_object: true },
        b'[' => Token::Open { is_object: false },
        b'}' | b']' => Token::Close,
        b':' => Token::Colon,
        b',' => Token::Comma,
        b'"' => {
            let mut escaped = false;
            let end = rest.iter().position(|byte| match byte {
                _ if escaped => {
                    escaped = false;
                    false
                }
                b'\\' => {
                    escaped = true;
                    false
                }
                byte => *byte == b'"',
            })?;
            return Some((Token::Text(&rest[..end]), &rest[end + 1..]));
        }
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
            // Without what follows nobody knows whether it goes on.
            let end = text.iter().position(|byte| !is_part(byte))?;
            return Some((Token::Scalar(&text[..end]), &text[end..]));
        }
        _ => return None,
    };
    Some((token, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_and_ends_like_json_is_likely_json() {
        for text in ["{}", " {\"a\":1}\n", "[1,2]", "[ ]", "[\"a\"]", "[null]"] {
            assert!(is_likely(text.as_bytes(), true), "{text}");
        }
        for text in ["", "{", "{a}", "hello", "42[\"event\"]", "[hello]", "{\"a\":1", "1", "\"a\""] {
            assert!(!is_likely(text.as_bytes(), true), "{text}");
        }
        assert!(is_likely(b"{\"a\":[1,2", false), "its end was not looked at");
    }
    use proptest::prelude::*;

    fn find<'a>(text: &'a [u8], path: &str) -> Option<Value<'a>> {
        Outline::of(text).find(path)
    }

    fn written<'a>(text: &'a str, path: &str) -> Option<&'a str> {
        find(text.as_bytes(), path).and_then(Value::written)
    }

    #[test]
    fn values_are_found_by_their_path() {
        let text = r#" {"a":1,"b":{"code":4201,"a":"x\"y"},"list":[10,{"type":7}],"type":"err\u006fr"}"#;
        assert_eq!(written(text, "a"), Some("1"));
        assert_eq!(written(text, "b.code"), Some("4201"));
        assert_eq!(written(text, "b.a"), Some(r#"x\"y"#));
        assert_eq!(written(text, "list.0"), Some("10"));
        assert_eq!(find(text.as_bytes(), "list.1"), Some(Value::Object));
        assert_eq!(written(text, "type"), Some("err\\u006fr"));
        assert_eq!(written(text, "code"), None, "a key of an inner object is not one of the outer");
        assert_eq!(find(text.as_bytes(), "b"), Some(Value::Object));
        assert_eq!(written(r#"["1","1","room:1","phx_join",{}]"#, "3"), Some("phx_join"));
    }

    #[test]
    fn of_a_cut_text_only_what_is_there_is_told() {
        assert_eq!(written(r#"{"type":"err"#, "type"), None);
        assert_eq!(written(r#"{"code":42"#, "code"), None, "it may go on");
        assert_eq!(written(r#"{"code":42,"#, "code"), Some("42"));
        assert_eq!(written(r#"{"type":"error","payload":[{"mess"#, "type"), Some("error"));
    }

    #[test]
    fn what_lies_behind_many_values_is_not_looked_at() {
        let many: String = (0..40).map(|index| format!("\"k{index}\":{index},")).collect();
        let text = format!("{{{many}\"type\":\"error\"}}");
        assert_eq!(written(&text, "k31"), Some("31"));
        assert_eq!(written(&text, "type"), None);
    }

    #[test]
    fn a_word_inside_a_string_is_no_key() {
        assert_eq!(written(r#"{"text":"\"type\":\"error\""}"#, "type"), None);
        assert_eq!(written(r#""type":"error""#, "type"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300), path in "[a-z0-9.]{0,9}") {
            let _ = find(&bytes, &path);
        }

        #[test]
        fn nothing_but_json_is_deep(bytes in proptest::collection::vec(prop::sample::select(b"[]{}:,\"a1\\ ".to_vec()), 0..300)) {
            let _ = find(&bytes, "a.a");
        }

        /// What serde_json calls a value at a key is what is found.
        #[test]
        fn it_agrees_with_a_real_parser(keys in proptest::collection::vec("[a-c]{1,2}", 1..5), number in any::<i32>(), word in "[a-z\"\\\\ ]{0,6}") {
            let mut object = serde_json::Map::new();
            for (at, key) in keys.iter().enumerate() {
                object.insert(key.clone(), if at % 2 == 0 { number.into() } else { serde_json::json!({ "w": word }) });
            }
            let text = serde_json::to_string(&object).unwrap();
            for (key, value) in &object {
                let found = find(text.as_bytes(), key).unwrap();
                match value {
                    serde_json::Value::Number(number) => {
                        let number = number.to_string();
                        prop_assert_eq!(found.written(), Some(number.as_str()));
                    }
                    _ => {
                        prop_assert_eq!(found, Value::Object);
                        let inner = find(text.as_bytes(), &format!("{key}.w")).and_then(Value::written).unwrap();
                        prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{inner}\"")).unwrap(), word.clone());
                    }
                }
            }
        }
    }
}
