//! What TLS shows to somebody who only listens, and what keys open.
//!
//! An [`Observer`] follows the record layer of both directions of a connection (RFC 8446 §5, RFC 5246 §6), reads the
//! handshake messages and alerts that travel in clear, and counts the rest. From that come [`TlsFacts`]: what was
//! offered and chosen, who sent which alert, whether the handshake went through.
//!
//! No certificate is judged. Only hellos are collected, at most
//! [`Limits::tls_handshake_bytes`](crate::limits::Limits::tls_handshake_bytes) of each; other messages pass by.
//!
//! With the secrets of a [`KeyLog`], a [`Decryptor`] follows the same bytes beside the observer and hands out what they
//! protect. Secrets and keys have no `Debug` that shows them, and none leaves this module.

mod alert;
mod cutter;
mod decrypt;
mod decryption;
mod handshake;
mod hello;
mod keylog;
mod live;
mod names;
mod observer;
mod protection;
mod record;
mod schedule;
mod secret;
mod suite;
mod verdict;

pub use alert::{Alert, alert_name};
pub use cutter::RecordBuffers;
pub use decrypt::{Decryptor, LostBytes, PlainData, PlainGap, Plaintext, SentBytes, Tools};
pub use decryption::{Decryption, Readable, WhyNot};
pub use hello::{ClientHello, ServerHello};
pub use keylog::{BadLine, KeyLog, KeyLogRead, KeyLogReader, SecretLabel};
pub use names::{CipherSuite, TlsVersion};
pub use observer::{HandshakeState, NotTls, NotTlsKind, Observer, TlsFacts};
pub use record::{ContentType, LastRecord, looks_like_client_hello, looks_like_tls};
