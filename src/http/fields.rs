//! Grammar of the header fields of the opening handshake: lists of tokens, extensions with parameters, challenges.
//!
//! Recipients must accept empty list elements and white space around commas and semicolons (RFC 9110 §5.6); an element
//! that does not parse is skipped up to the next comma outside quotes, and the list is marked malformed.

use super::text::Text;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::{map, opt, verify};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

/// Elements kept of one list; longer ones are cut, as no program needs them.
pub(super) const MAX_ELEMENTS: usize = 32;

/// One element of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The extension token.
    pub name: Text,
    /// Its parameters as sent, doubled ones included; at most 32.
    pub params: Vec<Param>,
}

/// One parameter of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The name.
    pub name: Text,
    /// The value, without quotes; `None` when there was no `=`.
    pub value: Option<Text>,
}

/// Extensions from all lines of the field.
#[derive(Debug, Default)]
pub(super) struct ExtensionList {
    pub(super) extensions: Vec<Extension>,
    /// Elements that do not parse, as sent.
    pub(super) faults: Vec<Text>,
}

impl ExtensionList {
    /// Adds the elements of one field line.
    pub(super) fn add(&mut self, value: &[u8]) {
        for element in elements(value) {
            if self.extensions.len() == MAX_ELEMENTS {
                return;
            }
            match extension(element) {
                Ok(([], extension)) => self.extensions.push(extension),
                Ok(_) | Err(_) if self.faults.len() < MAX_ELEMENTS => self.faults.push(Text::clean(element)),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Adds the elements of one field line to `list`, unquoted and trimmed, each made by `make`.
pub(super) fn add_elements(list: &mut Vec<Text>, value: &[u8], make: impl Fn(&[u8]) -> Text) {
    for element in elements(value) {
        if list.len() == MAX_ELEMENTS {
            return;
        }
        list.push(make(element));
    }
}

/// Whether a list may have had more elements than were kept.
pub(super) fn is_full<T>(list: &[T]) -> bool {
    list.len() >= MAX_ELEMENTS
}

/// Adds the scheme names of one `WWW-Authenticate` line: `Basic realm="a, b", Bearer` gives `Basic` and `Bearer`.
///
/// A list element is either a parameter (`name = value`) of the challenge before it or starts a new one
/// (RFC 9110 §11.6.1).
pub(super) fn add_schemes(list: &mut Vec<Text>, value: &[u8]) {
    for element in elements(value) {
        let Ok((rest, scheme)) = token(element) else { continue };
        let is_param = preceded(ows, char('=')).parse(rest).is_ok();
        if !is_param && list.len() < MAX_ELEMENTS {
            list.push(Text::clean(scheme));
        }
    }
}

/// The value without leading and trailing white space.
pub(super) fn trim(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|&byte| !is_ws(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|&byte| !is_ws(byte)).map_or(start, |at| at + 1);
    &value[start..end]
}

/// Non-empty elements of a comma-separated list, trimmed; commas in quoted strings do not separate.
///
/// From the first quote that never closes on, quotes have no meaning: looking for the end of each would take quadratic
/// time over a hostile head.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    let mut quotes_close = true;
    std::iter::from_fn(move || {
        let text = rest?;
        let mut end = 0;
        while let Some(&byte) = text.get(end).filter(|&&byte| byte != b',') {
            end += match (byte, quotes_close.then(|| quoted_string(&text[end..]))) {
                (b'"', Some(Ok((after, _)))) => text.len() - end - after.len(),
                (b'"', Some(Err(_))) => {
                    quotes_close = false;
                    1
                }
                _ => 1,
            };
        }
        rest = text.get(end + 1..);
        Some(trim(&text[..end]))
    })
    .filter(|element| !element.is_empty())
}

fn extension(input: &[u8]) -> IResult<&[u8], Extension> {
    let (rest, name) = token(input)?;
    let add = |mut params: Vec<Param>, param| {
        if params.len() < MAX_ELEMENTS {
            params.push(param);
        }
        params
    };
    let (rest, params) = fold_many0(param, Vec::new, add).parse(rest)?;
    Ok((rest, Extension { name: Text::clean(name), params }))
}

fn param(input: &[u8]) -> IResult<&[u8], Param> {
    let (rest, name) = preceded((ows, char(';'), ows), token).parse(input)?;
    let value = preceded((ows, char('='), ows), alt((map(token, <[u8]>::to_vec), quoted_token)));
    let (rest, value) = opt(value).parse(rest)?;
    Ok((rest, Param { name: Text::clean(name), value: value.as_deref().map(Text::clean) }))
}

/// A quoted string whose content is a token, as RFC 6455 §9.1 demands.
fn quoted_token(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    verify(quoted_string, |value: &Vec<u8>| !value.is_empty() && value.iter().copied().all(is_token_byte)).parse(input)
}

/// `quoted-string` of RFC 9110 §5.6.4, with its quoted pairs resolved.
fn quoted_string(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let pair = preceded(char('\\'), nom::bytes::complete::take(1_usize));
    let text = take_while1(|byte| byte != b'"' && byte != b'\\');
    let content = fold_many0(alt((text, pair)), Vec::new, |mut content, part: &[u8]| {
        content.extend_from_slice(part);
        content
    });
    delimited(tag("\""), content, tag("\"")).parse(input)
}

fn token(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(is_token_byte).parse(input)
}

fn ows(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(is_ws).parse(input)
}

fn is_ws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `tchar` of RFC 9110 §5.6.2.
pub(super) fn is_token_byte(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let mut token = [false; 256];
        let all = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut at = 0;
        while at < all.len() {
            token[all[at] as usize] = true;
            at += 1;
        }
        token
    };
    TOKEN[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> (String, bool) {
        let mut list = ExtensionList::default();
        list.add(value.as_bytes());
        let shown = list.extensions.iter().map(|extension| {
            let params = extension.params.iter().map(|param| match &param.value {
                Some(value) => format!(";{}={value}", param.name),
                None => format!(";{}", param.name),
            });
            format!("{}{}", extension.name, params.collect::<String>())
        });
        (shown.collect::<Vec<_>>().join("|"), !list.faults.is_empty())
    }

    #[test]
    fn extension_lists_of_real_programs() {
        for (value, shown) in [
            ("permessage-deflate; client_max_window_bits", "permessage-deflate;client_max_window_bits"),
            ("permessage-deflate;client_max_window_bits=15", "permessage-deflate;client_max_window_bits=15"),
            (
                "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
                "permessage-deflate;server_max_window_bits=12;client_max_window_bits=12",
            ),
            ("x-webkit-deflate-frame", "x-webkit-deflate-frame"),
        ] {
            assert_eq!(show(value), (shown.to_owned(), false));
        }
    }

    #[test]
    fn extension_grammar_of_rfc_6455_section_9_1() {
        for (value, shown, malformed) in [
            ("foo, bar; baz=2", "foo|bar;baz=2", false),
            (
                "deflate-stream,mux; max-channels=4; flow-control",
                "deflate-stream|mux;max-channels=4;flow-control",
                false,
            ),
            ("\t a ;\tb = \"10\" ,, c ,", "a;b=10|c", false),
            ("a;b=\"1\\0\"", "a;b=10", false),
            ("a;b;b;b=1", "a;b;b;b=1", false),
            ("a;b=\"x,y\", c", "c", true),
            ("a;b=\"\", c", "c", true),
            ("a;;b, c", "c", true),
            ("a;b=, c", "c", true),
            ("a b, c", "c", true),
            ("\"a\", c", "c", true),
            ("a;b=\"never closed, c", "c", true),
            ("", "", false),
            (" , ,", "", false),
        ] {
            assert_eq!(show(value), (shown.to_owned(), malformed), "{value}");
        }
    }

    #[test]
    fn lists_are_bounded() {
        let mut list = ExtensionList::default();
        list.add("a,".repeat(10_000).as_bytes());
        list.add(b"b");
        assert_eq!(list.extensions.len(), MAX_ELEMENTS);
        let mut list = ExtensionList::default();
        list.add(format!("a{}", ";b".repeat(10_000)).as_bytes());
        assert_eq!(list.extensions[0].params.len(), MAX_ELEMENTS);
    }

    #[test]
    fn quotes_that_never_close_are_read_once() {
        // Quadratic work would be seen as minutes here.
        let hostile = "\"\\".repeat(1 << 17);
        let mut list = ExtensionList::default();
        list.add(hostile.as_bytes());
        list.add(hostile.replace('\\', "\\\",").as_bytes());
        assert!(!list.faults.is_empty() && list.extensions.is_empty());
    }

    #[test]
    fn challenges_give_their_schemes() {
        let mut list = Vec::new();
        add_schemes(
            &mut list,
            b"Newauth realm=\"apps, x\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
        );
        add_schemes(&mut list, b"Negotiate");
        assert_eq!(list.iter().map(Text::as_str).collect::<Vec<_>>(), ["Newauth", "Basic", "Negotiate"]);
    }
}
