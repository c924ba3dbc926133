//! What TLS shows to somebody who only listens and holds no keys.
//!
//! An [`Observer`] follows the record layer of both directions of a connection (RFC 8446 §5, RFC 5246 §6), reads the
//! handshake messages and alerts that travel in clear, and counts the rest. From that come [`TlsFacts`]: what was
//! offered and chosen, who sent which alert, whether the handshake went through.
//!
//! Nothing is decrypted and no certificate is judged. Only hellos are collected, at most
//! [`Limits::tls_handshake_bytes`](crate::limits::Limits::tls_handshake_bytes) of each; other messages pass by.
//! `record` hands out the bodies of records as they come, which is where a decryptor can take them from.

mod alert;
mod handshake;
mod hello;
mod names;
mod observer;
mod record;
mod verdict;

pub use alert::{Alert, alert_name};
pub use hello::{ClientHello, ServerHello};
pub use names::{CipherSuite, TlsVersion};
pub use observer::{HandshakeState, NotTls, NotTlsKind, Observer, TlsFacts};
pub use record::{ContentType, LastRecord, looks_like_client_hello, looks_like_tls};
