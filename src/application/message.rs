//! How each family of protocols writes the kind of a message, and the number that says more.

use super::Glimpse;
use super::json::Outline;
use std::borrow::Cow;

/// Where a message says what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// In a JSON value; paths are keys and positions joined with dots.
    Json {
        /// Where the kind is; of paths joined with `|`, the first that is there.
        kind: Box<str>,
        /// Where the value is that says more.
        detail: Option<Box<str>>,
    },
    /// In the first digits of a text, so many at most, as in Engine.IO and Socket.IO.
    Digits(usize),
    /// In the first line of a text, as in STOMP.
    Line,
    /// In the first letter of a text, with a number behind it in brackets, as in SockJS.
    Letter,
    /// In control packets that do not keep to messages: see [`ControlPackets`](super::ControlPackets).
    Mqtt,
    /// In the first byte of a binary message.
    Byte,
}

/// What a message says about itself, as it is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<'a> {
    /// Its kind.
    pub kind: Cow<'a, str>,
    /// What says more.
    pub detail: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    fn of_kind(kind: &'a str) -> Self {
        Self { kind: Cow::Borrowed(kind), detail: None }
    }

    /// The detail, when it is a whole number.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.detail.as_deref().and_then(|detail| detail.parse().ok())
    }
}

impl Form {
    /// Reads it off a message; `None` when it is none of this form.
    #[must_use]
    pub fn read<'a>(&self, glimpse: &Glimpse<'a>) -> Option<Fields<'a>> {
        let bytes = glimpse.bytes;
        match self {
            Self::Json { kind, detail } => {
                if !glimpse.is_text {
                    return None;
                }
                let outline = Outline::of(bytes);
                let written = |paths: &str| paths.split('|').find_map(|path| outline.written(path)).map(Cow::Borrowed);
                Some(Fields { kind: written(kind)?, detail: detail.as_deref().and_then(written) })
            }
            Self::Digits(most) => {
                let count = bytes.iter().take(*most).take_while(|byte| byte.is_ascii_digit()).count();
                let digits = std::str::from_utf8(&bytes[..count]).ok();
                digits.filter(|digits| glimpse.is_text && !digits.is_empty()).map(Fields::of_kind)
            }
            Self::Line => {
                let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
                // A line end alone is a heartbeat.
                let line = if end == 0 { &b"heart-beat"[..] } else { &bytes[..end] };
                std::str::from_utf8(line).ok().map(Fields::of_kind)
            }
            Self::Letter => {
                let text = std::str::from_utf8(bytes.get(..1)?).ok().filter(|_| glimpse.is_text)?;
                let digits = bytes.get(2..).unwrap_or_default();
                let count = digits.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
                let code = std::str::from_utf8(&digits[..count]).ok();
                let detail = code.filter(|code| !code.is_empty() && bytes.get(1) == Some(&b'[')).map(Cow::Borrowed);
                Some(Fields { kind: Cow::Borrowed(text), detail })
            }
            Self::Mqtt => None,
            Self::Byte => {
                let first = bytes.first().filter(|_| !glimpse.is_text)?;
                Some(Fields { kind: first.to_string().into(), detail: None })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &str) -> Glimpse<'_> {
        Glimpse { is_text: true, bytes: bytes.as_bytes(), is_whole: true }
    }

    fn binary(bytes: &[u8]) -> Glimpse<'_> {
        Glimpse { is_text: false, bytes, is_whole: true }
    }

    fn kind(form: &Form, glimpse: &Glimpse<'_>) -> Option<String> {
        form.read(glimpse).map(|fields| fields.kind.into_owned())
    }

    #[test]
    fn digits_are_those_in_front() {
        assert_eq!(kind(&Form::Digits(2), &text(r#"42["chat","5"]"#)).as_deref(), Some("42"));
        assert_eq!(kind(&Form::Digits(2), &text(r#"4213["acknowledged"]"#)).as_deref(), Some("42"));
        assert_eq!(kind(&Form::Digits(2), &text("2probe")).as_deref(), Some("2"));
        assert_eq!(kind(&Form::Digits(2), &text("hello 42")), None);
        assert_eq!(kind(&Form::Digits(2), &binary(b"42")), None);
    }

    #[test]
    fn a_letter_may_have_a_code_behind_it() {
        let fields = Form::Letter.read(&text(r#"c[3000,"Go away!"]"#)).unwrap();
        assert_eq!((&*fields.kind, fields.code()), ("c", Some(3000)));
        assert_eq!(Form::Letter.read(&text(r#"a["x"]"#)).unwrap().code(), None);
        assert_eq!(kind(&Form::Letter, &text("")), None);
    }

    #[test]
    fn a_line_is_a_command_or_a_heartbeat() {
        assert_eq!(kind(&Form::Line, &text("ERROR\nmessage:no\n\n\0")).as_deref(), Some("ERROR"));
        assert_eq!(kind(&Form::Line, &text("CONNECTED\r\n\r\n\0")).as_deref(), Some("CONNECTED"));
        assert_eq!(kind(&Form::Line, &text("\n")).as_deref(), Some("heart-beat"));
        assert_eq!(kind(&Form::Line, &text("ERROR")), None);
    }
}
