//! The forms of heads that are known already, so that the same lines are read once and kept once.
//!
//! An outline of a head is all of it that its form depends on: names and those values that count, without what must stay
//! private. A head with a known outline gets the form that was read then. The tables are bounded: one that is full is
//! begun anew, and forms that connections still hold live on with them. Before any of that, a head is compared with the
//! [patterns](super::pattern) of those that were read: most fit one, and nothing is parsed or outlined.

use super::fields::{add_schemes, elements, trim};
use super::form::{Fields, ProtocolFault, RequestForm, ResponseForm};
use super::message::{AcceptField, KeyState, Request, Response};
use super::names::cookie_name;
use super::pattern::{Counts, Fit, Patterns};
use super::reader::Framing;
use super::recent::Recent;
use super::rules::{check_request, check_response};
use super::text::{self, Text};
use crate::limits::Limits;
use crate::violation::Violation;
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

/// What all readers of an analysis share: bounds, and the forms they have met.
#[derive(Debug, Default)]
pub struct Heads {
    pub(super) limits: Limits,
    requests: Known<Arc<RequestForm>>,
    responses: Known<Arc<ResponseForm>>,
    paths: Paths,
    request_patterns: Patterns<(Arc<RequestForm>, Framing)>,
    response_patterns: Patterns<(Arc<ResponseForm>, Framing)>,
    /// Forms whose requests break no rule when their key is valid.
    sound_requests: Recent<Arc<RequestForm>>,
    /// Forms of requests and responses that break no rule together when the answer is that to the key.
    sound_pairs: Recent<(Arc<RequestForm>, Arc<ResponseForm>)>,
    /// Written anew for each head.
    outline: Vec<u8>,
}

impl Heads {
    /// No form is known yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { limits: *limits, ..Self::default() }
    }

    /// The form of the request at the start of `bytes`, if it is like one before.
    pub(super) fn known_request<'h>(&self, bytes: &'h [u8]) -> Option<(Arc<RequestForm>, Framing, Fit<'h>)> {
        let ((form, framing), fit) = self.request_patterns.find(bytes)?;
        (fit.len <= self.limits.http_head_bytes).then(|| (Arc::clone(form), framing.with_length(fit.body), fit))
    }

    /// The form of the response at the start of `bytes`, if it is like one before.
    pub(super) fn known_response<'h>(&self, bytes: &'h [u8]) -> Option<(Arc<ResponseForm>, Framing, Fit<'h>)> {
        let ((form, framing), fit) = self.response_patterns.find(bytes)?;
        (fit.len <= self.limits.http_head_bytes).then(|| (Arc::clone(form), framing.with_length(fit.body), fit))
    }

    /// Remembers what a request looks like that was read from `bytes`.
    pub(super) fn remember_request(
        &mut self,
        bytes: &[u8],
        head: &httparse::Request<'_, '_>,
        form: &Arc<RequestForm>,
        framing: Framing,
    ) {
        let counts = |field: &httparse::Header<'_>| counts(field, REQUEST_VALUES, "sec-websocket-key");
        if let Some(target) = head.path.filter(|target| target.starts_with('/')) {
            self.request_patterns.add(bytes, Some(target), head.headers, counts, (Arc::clone(form), framing));
        }
    }

    /// Remembers what a response looks like that was read from `bytes`.
    pub(super) fn remember_response(
        &mut self,
        bytes: &[u8],
        head: &httparse::Response<'_, '_>,
        form: &Arc<ResponseForm>,
        framing: Framing,
    ) {
        let counts = |field: &httparse::Header<'_>| counts(field, RESPONSE_VALUES, "sec-websocket-accept");
        self.response_patterns.add(bytes, None, head.headers, counts, (Arc::clone(form), framing));
    }

    /// What [`check_request`] finds; it need not look again at forms in which it found nothing.
    pub fn check_request(&mut self, request: &Request) -> Vec<Violation> {
        let is_usual = matches!(request.key, KeyState::Valid { .. });
        let is_same = |form: &Arc<RequestForm>| Arc::ptr_eq(form, request.form()).then_some(());
        if is_usual && self.sound_requests.find(is_same).is_some() {
            return Vec::new();
        }
        let violations = check_request(request);
        if is_usual && violations.is_empty() {
            self.sound_requests.add(Arc::clone(request.form()));
        }
        violations
    }

    /// What [`check_response`] finds; it need not look again at forms in which it found nothing.
    pub fn check_response(&mut self, request: Option<&Request>, response: &Response) -> Vec<Violation> {
        let is_answer = |request: &&Request| match (&request.key, &response.accept) {
            (KeyState::Valid { accept }, Some(AcceptField::Value(answer))) => accept == answer,
            _ => false,
        };
        let Some(usual) = request.filter(is_answer) else { return check_response(request, response) };
        let is_same = |(one, other): &(Arc<RequestForm>, Arc<ResponseForm>)| {
            (Arc::ptr_eq(one, usual.form()) && Arc::ptr_eq(other, response.form())).then_some(())
        };
        if self.sound_pairs.find(is_same).is_some() {
            return Vec::new();
        }
        let violations = check_response(request, response);
        if violations.is_empty() {
            self.sound_pairs.add((Arc::clone(usual.form()), Arc::clone(response.form())));
        }
        violations
    }

    /// The path of a request target, fit to be shown.
    pub(super) fn path(&mut self, target: &[u8]) -> Text {
        self.outline.clear();
        text::redact_path(target, &mut self.outline);
        self.paths.get(&self.outline)
    }

    /// The form of a request. `authority` is that of an absolute request target.
    pub(super) fn request_form(
        &mut self,
        head: &httparse::Request<'_, '_>,
        authority: Option<&[u8]>,
    ) -> Arc<RequestForm> {
        let outline = &mut self.outline;
        outline.clear();
        outline.extend_from_slice(head.method.unwrap_or_default().as_bytes());
        outline.push(head.version.unwrap_or_default());
        if let Some(authority) = authority {
            outline.push(b' ');
            outline.extend_from_slice(authority);
        }
        outline.push(LINE_END);
        draw(head.headers, REQUEST_VALUES, outline);
        if let Some(fault) = ProtocolFault::find(Fields(head.headers).all("sec-websocket-protocol")) {
            outline.extend_from_slice(format!("{fault:?}").as_bytes());
        }
        self.requests.get(&self.outline, || Arc::new(RequestForm::new(head, authority)))
    }

    /// The form of a response.
    pub(super) fn response_form(&mut self, head: &httparse::Response<'_, '_>) -> Arc<ResponseForm> {
        let outline = &mut self.outline;
        outline.clear();
        outline.push(head.version.unwrap_or_default());
        outline.extend_from_slice(&head.code.unwrap_or_default().to_be_bytes());
        outline.extend_from_slice(head.reason.unwrap_or_default().as_bytes());
        outline.push(LINE_END);
        draw(head.headers, RESPONSE_VALUES, outline);
        self.responses.get(&self.outline, || Arc::new(ResponseForm::new(head)))
    }
}

/// What the value of a field adds to the outline; of fields that are not listed only the name counts.
#[derive(Clone, Copy)]
enum Value {
    AsSent,
    Host,
    Protocols,
    Location,
    Schemes,
    CookieName,
}

/// What the values say that [`RequestForm::new`] reads.
const REQUEST_VALUES: &[(&str, Value)] = &[
    ("host", Value::Host),
    ("upgrade", Value::AsSent),
    ("connection", Value::AsSent),
    ("sec-websocket-version", Value::AsSent),
    ("sec-websocket-protocol", Value::Protocols),
    ("sec-websocket-extensions", Value::AsSent),
    ("origin", Value::AsSent),
    ("user-agent", Value::AsSent),
    ("via", Value::AsSent),
    ("sec-fetch-mode", Value::AsSent),
    ("accept", Value::AsSent),
];

/// What the values say that [`ResponseForm::new`] reads.
const RESPONSE_VALUES: &[(&str, Value)] = &[
    ("upgrade", Value::AsSent),
    ("connection", Value::AsSent),
    ("sec-websocket-protocol", Value::Protocols),
    ("sec-websocket-extensions", Value::AsSent),
    ("sec-websocket-version", Value::AsSent),
    ("server", Value::AsSent),
    ("via", Value::AsSent),
    ("content-type", Value::AsSent),
    ("location", Value::Location),
    ("www-authenticate", Value::Schemes),
    ("retry-after", Value::AsSent),
    ("set-cookie", Value::CookieName),
];

impl Value {
    fn draw(self, value: &[u8], outline: &mut Vec<u8>) {
        let mut part = |bytes: &[u8]| {
            outline.extend_from_slice(bytes);
            outline.push(PART_END);
        };
        match self {
            Self::AsSent => part(value),
            Self::Host => part(text::without_user(trim(value))),
            Self::Protocols => elements(value).for_each(|name| part(&text::shown_protocol(name))),
            Self::Location => part(&text::shown_location(trim(value))),
            Self::Schemes => {
                let mut schemes = Vec::new();
                add_schemes(&mut schemes, value);
                schemes.iter().for_each(|scheme| part(scheme.as_str().as_bytes()));
            }
            Self::CookieName => part(cookie_name(value).unwrap_or_default().as_bytes()),
        }
    }
}

impl Value {
    /// How much of a value the form depends on, so that two values with that in common have one outline.
    fn counts(self, value: &[u8]) -> Counts {
        let whole = |is_shown: bool| if is_shown { Counts::Whole } else { Counts::Otherwise };
        match self {
            Self::AsSent => whole(true),
            Self::Host => whole(text::without_user(value).len() == value.len()),
            Self::Protocols => {
                whole(elements(value).all(|name| matches!(text::shown_protocol(name), Cow::Borrowed(_))))
            }
            Self::Location => whole(*text::shown_location(value) == *value),
            Self::Schemes => Counts::Otherwise,
            Self::CookieName => {
                let name = value.iter().position(|byte| *byte == b'=');
                name.map_or(Counts::Otherwise, |name| Counts::First(name + 1))
            }
        }
    }
}

/// How much of a field's value counts for the form and for the length of the body, [`Framing::of`].
fn counts(field: &httparse::Header<'_>, values: &[(&str, Value)], own: &str) -> Counts {
    let is = |name: &str| field.name.eq_ignore_ascii_case(name);
    match values.iter().find(|(name, _)| is(name)) {
        Some((_, value)) => value.counts(field.value),
        None if is(own) => Counts::Own,
        None if is("content-length") => Counts::Length,
        None if is("transfer-encoding") => Counts::Whole,
        None => Counts::First(0),
    }
}

/// No value holds either of these two.
const LINE_END: u8 = b'\n';
const PART_END: u8 = b'\r';

fn draw(fields: &[httparse::Header<'_>], values: &[(&str, Value)], outline: &mut Vec<u8>) {
    for field in fields {
        outline.extend_from_slice(field.name.as_bytes());
        if let Some((_, value)) = values.iter().find(|(name, _)| field.name.eq_ignore_ascii_case(name)) {
            outline.push(b':');
            value.draw(field.value, outline);
        }
        outline.push(LINE_END);
    }
}

/// What was made of outlines that came before.
#[derive(Debug)]
struct Known<T> {
    made: HashMap<Box<[u8]>, T, RandomState>,
    bytes: usize,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { made: HashMap::default(), bytes: 0 }
    }
}

impl<T: Clone> Known<T> {
    /// Bytes of all outlines and of what was made of them, about; with more, all are forgotten.
    const MAX_BYTES: usize = 1 << 20;

    /// Bytes that one takes besides its outline: a form with short lists.
    const EACH: usize = 1024;

    fn get(&mut self, outline: &[u8], make: impl FnOnce() -> T) -> T {
        if let Some(known) = self.made.get(outline) {
            return known.clone();
        }
        let made = make();
        let bytes = outline.len() + Self::EACH;
        if self.bytes + bytes > Self::MAX_BYTES {
            (self.made, self.bytes) = (HashMap::default(), 0);
        }
        self.bytes += bytes;
        self.made.insert(outline.into(), made.clone());
        made
    }
}

/// Paths that came before. Each has one place, which its bytes name, and the last that came to a place stays there: many
/// servers have few paths, and others never the same twice.
#[derive(Debug)]
struct Paths {
    places: Box<[Option<Text>; Self::PLACES]>,
    hashes: RandomState,
}

impl Default for Paths {
    fn default() -> Self {
        Self { places: Box::new([const { None }; Self::PLACES]), hashes: RandomState::default() }
    }
}

impl Paths {
    const PLACES: usize = 64;

    fn get(&mut self, path: &[u8]) -> Text {
        let hash = self.hashes.hash_one(path) as usize;
        let place = &mut self.places[hash % Self::PLACES];
        match place {
            Some(known) if known.is_all_of(path) => known.clone(),
            _ => place.insert(Text::clean(path)).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ACCEPT, KEY, read_with};
    use super::super::{Head, HeadReader, Step};
    use super::*;
    use crate::units::{Origin, PacketNumber, StreamOffset};
    use std::fmt::Debug;

    /// Reads heads with one table for all, in both orders, and each with a table of its own.
    fn same_as_alone<H: Head + Debug + PartialEq>(heads: &[String]) {
        let mut shared = Heads::default();
        for head in heads.iter().chain(heads.iter().rev()) {
            let alone: H = read_with(&mut Heads::default(), head);
            assert_eq!(read_with::<H>(&mut shared, head), alone, "{head}");
        }
    }

    /// Values that differ in what counts, in what does not, and in what looks alike once it is cut or joined.
    const VALUES: [&str; 12] = [
        "a",
        "A",
        "a, b",
        "\"a, b\"",
        "a,b",
        "user:one@a",
        "eyJone",
        "eyJtwo",
        "a=1; Path=/",
        "http://u:p@h/a?b=c#d",
        "text/html",
        "Basic realm=\"x, y\", Bearer",
    ];

    #[test]
    fn a_known_form_is_the_one_that_would_be_read() {
        let names = REQUEST_VALUES.iter().chain(RESPONSE_VALUES).map(|(name, _)| *name);
        let others = ["x-cache", "cookie", "authorization", "content-length", "sec-websocket-accept", "X-Cache"];
        let long = "b".repeat(300);
        let lines: Vec<String> = names
            .chain(others)
            .flat_map(|name| {
                VALUES.iter().copied().chain([long.as_str(), ""]).map(move |value| format!("{name}: {value}\r\n"))
            })
            .collect();
        // Each line alone, and each before and behind a line of the same name and of another one.
        let fields = lines
            .iter()
            .cloned()
            .chain(lines.windows(2).flat_map(|two| [two.concat(), [two[1].as_str(), &two[0]].concat()]));
        let fields: Vec<String> = fields.collect();
        let under = |starts: &[&str]| -> Vec<String> {
            let heads =
                fields.iter().flat_map(|fields| starts.iter().map(move |start| format!("{start}\r\n{fields}\r\n")));
            heads.collect()
        };
        same_as_alone::<Request>(&under(&[
            "GET / HTTP/1.1",
            "GET / HTTP/1.0",
            "PUT /x?y=z HTTP/1.1",
            "GET ws://h HTTP/1.1",
        ]));
        same_as_alone::<Response>(&under(&["HTTP/1.1 101 X", "HTTP/1.0 101 X", "HTTP/1.1 404 X", "HTTP/1.1 101 XY"]));
    }

    /// What a reader makes of `bytes`, and how many of them it takes.
    fn step<H: Head>(heads: &mut Heads, bytes: &[u8]) -> (Step<H>, usize) {
        let origin = Origin { packet: PacketNumber::FIRST, time: None };
        HeadReader::new().push(heads, StreamOffset(0), origin, bytes)
    }

    /// One byte of a recorded head is another, is missing, or stands twice: whoever knows the whole head sees the same in it.
    fn changed_heads_are_read_as_if_alone<H: Head + Debug + PartialEq>(recorded: &str) {
        let mut shared = Heads::default();
        for part in recorded.split("\n\n") {
            let (_, head) = part.split_once('\n').expect("an author and a head");
            let head = format!("{}\r\n\r\n", head.trim_end_matches('\n').replace('\n', "\r\n")).into_bytes();
            assert!(matches!(step::<H>(&mut shared, &head).0, Step::Head(_)));
            for at in 0..head.len() {
                let (before, after) = (&head[..at], &head[at + 1..]);
                for byte in *b"a= \t:,\r\n\0\x7f\xff" {
                    for changed in [[before, &[byte], after].concat(), [before, &[byte], &head[at..]].concat()] {
                        assert_eq!(
                            step::<H>(&mut shared, &changed),
                            step(&mut Heads::default(), &changed),
                            "{at} {byte}"
                        );
                    }
                }
                let shorter = [before, after].concat();
                assert_eq!(step::<H>(&mut shared, &shorter), step(&mut Heads::default(), &shorter), "{at}");
                assert_eq!(step::<H>(&mut shared, before), step(&mut Heads::default(), before), "{at}");
            }
        }
    }

    #[test]
    fn what_fits_a_pattern_is_what_would_be_read() {
        changed_heads_are_read_as_if_alone::<Request>(include_str!("recorded/requests.txt"));
        changed_heads_are_read_as_if_alone::<Response>(include_str!("recorded/responses.txt"));
    }

    #[test]
    fn most_heads_of_a_program_fit_a_pattern() {
        let mut heads = Heads::default();
        let request =
            |path: &str, key: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: {key}\r\n\r\n");
        let first: Request = read_with(&mut heads, &request("/a?b=c", KEY));
        let other = request("/b", "AAAAAAAAAAAAAAAAAAAAAA==") + "ab";
        let (form, _, fit) = heads.known_request(other.as_bytes()).expect("only path and key differ");
        assert_eq!(
            (fit.len, fit.target, fit.own),
            (other.len() - 2, &b"/b"[..], Some(&b"AAAAAAAAAAAAAAAAAAAAAA=="[..]))
        );
        assert!(Arc::ptr_eq(&form, first.form()));
        for other in [request("*", KEY), request("http://h/", KEY), request("/", "a\r\nVia: b")] {
            assert!(heads.known_request(other.as_bytes()).is_none(), "{other}");
        }
        // What must stay private leaves no pattern.
        for line in ["Sec-WebSocket-Protocol: eyJsecret", "Host: user:secret@h", "Coo kie: secret"] {
            let _: Request = read_with(&mut heads, &format!("GET / HTTP/1.1\r\n{line}\r\n\r\n"));
        }
        assert_eq!(heads.request_patterns.fixed().1, 1);
    }

    #[test]
    fn heads_that_differ_in_the_length_of_the_body_fit_one_pattern() {
        let head = |length: &str| format!("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: {length}\r\n\r\n");
        let mut heads = Heads::default();
        let first: Response = read_with(&mut heads, &head("5"));
        for (length, body) in [("0", 0), ("7", 7), ("0012", 12), ("1000", 1000)] {
            assert!(heads.known_response(head(length).as_bytes()).is_some(), "{length}");
            let next = "HTTP/1.1 404 No\r\n\r\n";
            let bytes = [head(length), "b".repeat(body), next.to_owned()].concat();
            let mut reader = HeadReader::<Response>::new();
            let origin = Origin { packet: PacketNumber::FIRST, time: None };
            let (step, len) = reader.push(&mut heads, StreamOffset(0), origin, bytes.as_bytes());
            assert!(matches!(step, Step::Head(head) if Arc::ptr_eq(head.form(), first.form())), "{length}");
            let (step, len) = reader.push(&mut heads, StreamOffset(len as u64), origin, &bytes.as_bytes()[len..]);
            assert!(matches!(step, Step::Head(head) if head.status == 404), "{length}");
            assert_eq!(len, body + next.len());
        }
        for other in ["5, 5", "+5", "5 ", "", "99999999999999999999"] {
            assert!(heads.known_response(head(other).as_bytes()).is_none(), "{other}");
        }
        let twice = head("5\r\nContent-Length: 5");
        let _: Response = read_with(&mut heads, &twice);
        assert!(heads.known_response(twice.as_bytes()).is_none(), "which of them counts is for a parser to say");
        assert!(heads.known_response(head("5").replace("x", "y").as_bytes()).is_none());
    }

    #[test]
    fn every_program_keeps_its_pattern_beside_the_others() {
        let heads_of = |recorded: &str| -> Vec<String> {
            let lines = recorded.split("\n\n").map(|part| part.split_once('\n').expect("an author and a head").1);
            lines.map(|head| format!("{}\r\n\r\n", head.trim_end_matches('\n').replace('\n', "\r\n"))).collect()
        };
        let mut heads = Heads::default();
        for head in heads_of(include_str!("recorded/requests.txt")) {
            let read: Request = read_with(&mut heads, &head);
            for known in heads_of(include_str!("recorded/requests.txt")) {
                let (form, _, fit) = match heads.known_request(known.as_bytes()) {
                    Some(found) => found,
                    None if known != head => break,
                    None => panic!("{known}"),
                };
                assert_eq!((Arc::ptr_eq(&form, read.form()), fit.len), (known == head, known.len()), "{known}");
            }
        }
        for head in heads_of(include_str!("recorded/responses.txt")) {
            let read: Response = read_with(&mut heads, &head);
            let (form, ..) = heads.known_response(head.as_bytes()).expect("it was just read");
            assert!(Arc::ptr_eq(&form, read.form()), "{head}");
        }
    }

    #[test]
    fn rules_are_broken_whatever_was_found_before() {
        let mut heads = Heads::default();
        let fields = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
        let mut check = |key: &str, accept: &str| {
            let request = format!("GET / HTTP/1.1\r\n{fields}Sec-WebSocket-Key: {key}\r\n\r\n");
            let response = format!("HTTP/1.1 101 X\r\n{fields}Sec-WebSocket-Accept: {accept}\r\n\r\n");
            let (request, response): (Request, Response) =
                (read_with(&mut heads, &request), read_with(&mut heads, &response));
            let found = (heads.check_request(&request), heads.check_response(Some(&request), &response));
            assert_eq!(found, (check_request(&request), check_response(Some(&request), &response)), "{key} {accept}");
            assert_eq!(heads.check_response(None, &response), check_response(None, &response));
            (found.0.len(), found.1.len())
        };
        for _ in 0..2 {
            assert_eq!(check(KEY, ACCEPT), (0, 0));
            assert_eq!(check(KEY, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), (0, 1), "another answer");
            assert_eq!(check(KEY, "none"), (0, 1));
            assert_eq!(check("short", ACCEPT), (1, 2), "no key that a server may take, and not its answer");
        }
    }

    #[test]
    fn heads_of_one_program_share_their_form() {
        let mut heads = Heads::default();
        let mut request = |key: &str, path: &str, cookie: &str| -> Request {
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\nSec-WebSocket-Key: {key}\r\nX-Request-Id: {cookie}\r\n\r\n"
            );
            read_with(&mut heads, &head)
        };
        let one = request(KEY, "/chat?token=secret1", "secret2");
        let other = request("AAAAAAAAAAAAAAAAAAAAAA==", "/chat?token=secret3", "secret4");
        assert!(Arc::ptr_eq(one.form(), other.form()) && one.key != other.key);
        assert_eq!((one.path.as_str(), &one.path), ("/chat?token=…", &other.path));
        let outlines = heads.requests.made.keys().map(|outline| &**outline);
        let paths = heads.paths.places.iter().flatten().map(|path| path.as_str().as_bytes());
        for kept in outlines.chain(paths).chain([&*heads.outline]).chain(heads.request_patterns.fixed().0) {
            assert!(!String::from_utf8_lossy(kept).contains("secret"), "nothing private stays");
        }
    }

    #[test]
    fn an_enemy_who_never_sends_the_same_twice_fills_no_table() {
        let mut heads = Heads::default();
        for number in 0..10_000 {
            let _: Request = read_with(&mut heads, &format!("GET /{number} HTTP/1.1\r\nHost: {number}\r\n\r\n"));
        }
        assert!(heads.requests.bytes <= Known::<()>::MAX_BYTES && heads.requests.made.len() < 1024);
        let (fixed, count) = heads.request_patterns.fixed();
        assert!(count < 5_000);
        assert!(fixed.iter().map(|fixed| fixed.len()).sum::<usize>() < Patterns::<()>::MAX_BYTES);
    }
}
