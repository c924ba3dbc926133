//! The opening handshake over HTTP/1.1, read from a byte stream that may be cut anywhere.
//!
//! A [`RequestReader`] and a [`ResponseReader`] each follow one direction of a connection: they find the heads, turn
//! them into facts ([`Request`], [`Response`]) and skip the bodies between them, so that a connection that is kept alive
//! over a refused attempt is still read. [`check`] names the rules of RFC 6455 §4 and RFC 7692 §7.1 that a handshake
//! breaks and [`negotiated`] says what holds from then on.
//!
//! Nothing here decides which request a response belongs to, or what follows a 101. One head is kept at a time, at most
//! [`Limits::http_head_bytes`](crate::limits::Limits::http_head_bytes) long; no cookie, credential or query value is kept.

mod fields;
mod handshake;
mod message;
mod reader;
mod sniff;
mod text;

pub use fields::{Extension, Param};
pub use handshake::{AcceptValue, DeflateParams, Negotiated, check, expected_accept, negotiated};
pub use message::{KeyState, Method, Request, Response};
pub use reader::{Head, HeadReader, RequestReader, ResponseReader, Step, WhyNotHttp};
pub use sniff::{Role, looks_like_http};
pub use text::Text;
