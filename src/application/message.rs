//! How each family of protocols writes the kind of a message, and the number that says more.

use super::Glimpse;
use super::json::Outline;
use std::borrow::Cow;

/// Where a message says what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// In a JSON value; paths are keys and positions joined with dots.
    Json {
        /// Where the kind is.
        kind: Box<str>,
        /// Where the value is that says more.
        detail: Option<Box<str>>,
    },
    /// In the first digits of a text, so many at most, as in Engine.IO and Socket.IO.
    Digits(usize),
    /// In the first line of a text, as in STOMP.
    Line,
    /// In the fixed header of MQTT; CONNACK and DISCONNECT have a code.
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
                let written = |path: &str| outline.written(path).map(Cow::Borrowed);
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
            Self::Mqtt => mqtt(glimpse),
            Self::Byte => {
                let first = bytes.first().filter(|_| !glimpse.is_text)?;
                Some(Fields { kind: first.to_string().into(), detail: None })
            }
        }
    }
}

/// CONNACK and DISCONNECT: the control packets with a code, and where it is behind their fixed header (MQTT 5.0 §3.2.2, §3.14.2).
const MQTT_CODES: [(u8, usize); 2] = [(2, 1), (14, 0)];

/// The last control packet in a message, which must hold whole ones (MQTT 5.0 §2.1): brokers may put several into one.
fn mqtt<'a>(glimpse: &Glimpse<'a>) -> Option<Fields<'a>> {
    if glimpse.is_text {
        return None;
    }
    let mut rest = glimpse.bytes;
    let mut last = None;
    while let [head, after @ ..] = rest {
        let kind = head >> 4;
        let Some((len, body)) = mqtt_len(after) else {
            return if glimpse.is_whole { None } else { last };
        };
        let at = MQTT_CODES.iter().find(|(known, _)| *known == kind).map(|(_, at)| *at);
        let code = at.filter(|at| *at < len).and_then(|at| body.get(at));
        last = Some(Fields { kind: kind.to_string().into(), detail: code.map(|code| code.to_string().into()) });
        if body.len() < len {
            return if glimpse.is_whole { None } else { last };
        }
        rest = &body[len..];
    }
    last
}

/// The remaining length of a control packet (MQTT 5.0 §1.5.5) and what follows it.
fn mqtt_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut len = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((len, &bytes[index + 1..]));
        }
    }
    None
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
    fn a_line_is_a_command_or_a_heartbeat() {
        assert_eq!(kind(&Form::Line, &text("ERROR\nmessage:no\n\n\0")).as_deref(), Some("ERROR"));
        assert_eq!(kind(&Form::Line, &text("CONNECTED\r\n\r\n\0")).as_deref(), Some("CONNECTED"));
        assert_eq!(kind(&Form::Line, &text("\n")).as_deref(), Some("heart-beat"));
        assert_eq!(kind(&Form::Line, &text("ERROR")), None);
    }

    #[test]
    fn the_code_of_mqtt_is_where_its_packet_has_one() {
        let read = |bytes: &[u8]| Form::Mqtt.read(&binary(bytes)).map(|f| (f.kind.clone().into_owned(), f.code()));
        assert_eq!(read(&[0xe0, 2, 0x8e, 0]), Some(("14".into(), Some(0x8e))));
        assert_eq!(read(&[0xe0, 0]), Some(("14".into(), None)), "a DISCONNECT of MQTT 3 has none");
        assert_eq!(read(&[0x20, 2, 0, 5]), Some(("2".into(), Some(5))));
        assert_eq!(read(&[0xd0, 0, 0xe0, 1, 0x8d]), Some(("14".into(), Some(0x8d))), "the last of several counts");
        assert_eq!(read(&[0x30, 5, 0, 1]), None, "not all of it is there");
        assert_eq!(read(&[0xe0, 0xff, 0xff, 0xff, 0xff]), None);
        let long = Glimpse { is_text: false, bytes: &[0x30, 0xff, 1, 0, 1, b'a'], is_whole: false };
        assert_eq!(kind(&Form::Mqtt, &long).as_deref(), Some("3"));
    }
}
