//! The last message of an application that nobody knows: what its type and code fields call it.
//!
//! Many applications say why they close in a JSON message before the Close frame: `{"type":"error","code":401}`. Only the
//! values of fields that name a kind or a code are looked at, and only if they are identifiers; never text.

use super::Glimpse;
use super::json::{Outline, Value};

/// What a message calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its kind, and its code behind a colon; at most [`Label::MAX_LEN`] letters, digits and `_ - . :`.
    pub token: Box<str>,
    /// What kind of word that is.
    pub class: LabelClass,
}

/// Kinds of last words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabelClass {
    /// An everyday message.
    Plain,
    /// An error, without more.
    Error,
    /// Credentials or permissions.
    Auth,
    /// Too much was sent.
    Limit,
    /// The session was ended by somebody else.
    Replaced,
    /// The server stops, or wants a new connection.
    Restart,
    /// Goodbye.
    Farewell,
}

impl LabelClass {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Error => "error",
            Self::Auth => "auth",
            Self::Limit => "limit",
            Self::Replaced => "replaced",
            Self::Restart => "restart",
            Self::Farewell => "farewell",
        }
    }
}

/// Fields that name the kind of a message.
const KINDS: [&str; 10] = ["type", "event", "op", "action", "cmd", "command", "kind", "method", "msg_type", "status"];

/// Fields that name a code, best first.
const CODES: [&str; 13] = [
    "error.code",
    "error.type",
    "error.name",
    "errorCode",
    "error_code",
    "close_code",
    "data.code",
    "payload.code",
    "data.type",
    "error",
    "reason",
    "code",
    "err",
];

/// Words that make an identifier that of an error or end, with what they tell; the first that is there counts.
const STRONG: [(LabelClass, &[&str]); 6] = [
    (LabelClass::Limit, &["ratelimit", "ratelimited", "throttled", "toomany"]),
    (LabelClass::Auth, &["unauthorized", "unauthorised", "unauthenticated", "forbidden", "denied", "expired"]),
    (LabelClass::Replaced, &["replaced", "superseded", "kicked", "banned"]),
    (LabelClass::Restart, &["shutdown", "restarting", "maintenance", "reconnect", "goaway"]),
    (
        LabelClass::Error,
        &["error", "err", "fail", "failed", "failure", "invalid", "rejected", "refused", "fatal", "exception"],
    ),
    (
        LabelClass::Farewell,
        &["bye", "goodbye", "logout", "signout", "quit", "disconnect", "disconnected", "disconnecting"],
    ),
];

/// Words that tell more of what is an error already, or stands in the field of a code.
const WEAK: [(LabelClass, &[&str]); 4] = [
    (LabelClass::Limit, &["rate", "throttle", "flood", "quota", "limit", "429", "4429"]),
    (
        LabelClass::Auth,
        &[
            "auth",
            "authentication",
            "authorization",
            "credentials",
            "token",
            "jwt",
            "login",
            "permission",
            "401",
            "403",
            "4401",
            "4403",
        ],
    ),
    (LabelClass::Replaced, &["duplicate", "takeover", "kick", "ban", "elsewhere", "conflict", "4409"]),
    (LabelClass::Restart, &["restart", "draining"]),
];

impl Label {
    /// Bytes of a token.
    pub const MAX_LEN: usize = 64;

    /// Reads it off a text message; `None` when it is no JSON object that names its kind.
    #[must_use]
    pub fn of(message: &Glimpse<'_>) -> Option<Self> {
        if !message.is_text || message.bytes.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        let outline = Outline::of(message.bytes);
        let kind = KINDS.iter().find_map(|path| outline.written(path).filter(|text| is_identifier(text)));
        let has_error = match outline.find("error") {
            Some(Value::Object) => true,
            Some(Value::Text(text)) => !text.is_empty(),
            Some(Value::Scalar(scalar)) => !matches!(scalar, b"null" | b"false" | b"0"),
            Some(Value::Array) | None => false,
        };
        let of_kind = kind.and_then(class_of_kind).or(has_error.then_some(LabelClass::Error));
        let Some(class) = of_kind else {
            return kind.map(|kind| Self { token: kind.into(), class: LabelClass::Plain });
        };
        let code = CODES.iter().find_map(|path| outline.written(path).filter(|text| is_code(text)));
        let code = code.filter(|code| Some(*code) != kind);
        let class = match (class, code.and_then(class_of_code)) {
            (LabelClass::Error | LabelClass::Farewell, Some(closer)) => closer,
            // A farewell with an error in it is none.
            (LabelClass::Farewell, None) if has_error => LabelClass::Error,
            (class, _) => class,
        };
        let token = match (kind, code) {
            (Some(kind), Some(code)) => format!("{kind}:{code}"),
            (None, Some(code)) => format!("error:{code}"),
            (Some(kind), None) => kind.to_owned(),
            (None, None) => "error".to_owned(),
        };
        // Identifiers are ASCII, and two of them with a colon are no longer than this.
        debug_assert!(token.len() <= Self::MAX_LEN);
        Some(Self { token: token.into(), class })
    }
}

/// Whether a value is the name of something: short, of one piece, and no number or secret.
fn is_identifier(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=31).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
        && (digits <= 4 && digits < text.len())
}

/// Whether the value of a code field may be told: a small number, or an identifier of several words or of a known one. A
/// single unknown word may be anybody's name.
fn is_code(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let has_words = text.bytes().any(|byte| matches!(byte, b'_' | b'-' | b'.' | b':'))
        || text.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    is_identifier(text) && !matches!(text, "true" | "false" | "null") && (has_words || class_of_code(text).is_some())
}

/// The class of a kind that is not an everyday one.
fn class_of_kind(kind: &str) -> Option<LabelClass> {
    let strong = class_in(&STRONG, kind)?;
    let weak = if strong == LabelClass::Error { class_in(&WEAK, kind) } else { None };
    Some(weak.unwrap_or(strong))
}

/// The class that a code tells.
fn class_of_code(code: &str) -> Option<LabelClass> {
    class_in(&WEAK, code).or_else(|| class_in(&STRONG, code))
}

fn class_in(signs: &[(LabelClass, &[&str])], identifier: &str) -> Option<LabelClass> {
    let words = words(identifier);
    let joined = words.concat();
    // Longer ones are also found where an identifier writes them as two words.
    let has = |sign: &&str| words.iter().any(|word| word == sign) || (sign.len() > 6 && joined.contains(sign));
    signs.iter().find(|(_, signs)| signs.iter().any(&has)).map(|(class, _)| *class)
}

/// The words of an identifier, in small letters: `rateLimit_exceeded` has three.
fn words(identifier: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut was_small) = (String::new(), false);
    for char in identifier.chars() {
        let is_break = !char.is_ascii_alphanumeric() || (was_small && char.is_ascii_uppercase());
        if is_break && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if char.is_ascii_alphanumeric() {
            word.push(char.to_ascii_lowercase());
        }
        was_small = char.is_ascii_lowercase() || char.is_ascii_digit();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Option<(String, &'static str)> {
        let glimpse = Glimpse { is_text: true, bytes: text.as_bytes(), is_whole: true };
        Label::of(&glimpse).map(|word| (word.token.to_string(), word.class.name()))
    }

    #[test]
    fn type_and_code_fields_tell_what_a_message_is() {
        for (text, token, class) in [
            (r#"{"type":"error","message":"no such user ann"}"#, "error", "error"),
            (r#"{"type":"error","code":401}"#, "error:401", "auth"),
            (r#"{"error":{"code":"RATE_LIMITED","message":"x"}}"#, "error:RATE_LIMITED", "limit"),
            (r#"{"event":"disconnect"}"#, "disconnect", "farewell"),
            (r#"{"event":"disconnect","reason":"session_replaced"}"#, "disconnect:session_replaced", "replaced"),
            (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"x"}}"#, "error:-32001", "error"),
            (r#"{"type":"authFailed"}"#, "authFailed", "auth"),
            (r#"{"type":"logout"}"#, "logout", "farewell"),
            (r#"{"op":"server_shutdown"}"#, "server_shutdown", "restart"),
            (r#"{"type":"invalid_token"}"#, "invalid_token", "auth"),
            (r#"{"type":"too_many_requests"}"#, "too_many_requests", "limit"),
            (r#"{"type":"message","text":"error"}"#, "message", "plain"),
            (r#"{"type":"auth_ok"}"#, "auth_ok", "plain"),
            (r#"{"type":"limit_order"}"#, "limit_order", "plain"),
            (r#"{"type":"token","text":"x"}"#, "token", "plain"),
            (r#"{"type":"chat","error":null,"code":493821}"#, "chat", "plain"),
        ] {
            assert_eq!(of(text), Some((token.to_owned(), class)), "{text}");
        }
    }

    #[test]
    fn text_names_and_secrets_are_never_told() {
        for text in
            ["error", "[\"error\"]", r#"{"text":"error"}"#, r#"{"type":"you are not allowed"}"#, r#"{"type":7}"#]
        {
            assert_eq!(of(text), None, "{text}");
        }
        for (text, token) in [
            (r#"{"type":"error","reason":"ann left the room"}"#, "error"),
            (r#"{"type":"error","error":"ann"}"#, "error"),
            (r#"{"type":"error","code":"9f86d081884c7d65"}"#, "error"),
            (r#"{"type":"error","code":1234567}"#, "error"),
        ] {
            assert_eq!(of(text).map(|(token, _)| token).as_deref(), Some(token), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_bounded_and_clean(kind in "\\PC{0,80}", code in "\\PC{0,80}") {
            let text = serde_json::json!({ "type": kind, "code": code, "error": code }).to_string();
            if let Some((token, _)) = of(&text) {
                prop_assert!(token.len() <= Label::MAX_LEN);
                prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte)));
            }
        }
    }
}
