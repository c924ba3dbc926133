//! What TLS shows to somebody who only listens and holds no keys.
//!
//! An [`Observer`] follows the record layer of both directions of a connection (RFC 8446 §5, RFC 5246 §6), reads the
//! handshake messages and alerts that travel in clear, and counts the rest. From that come [`TlsFacts`]: what was
//! offered and chosen, who sent which alert, whether the handshake went through.
//!
//! Nothing is decrypted. Only hellos and certificates are collected, at most
//! [`Limits::tls_handshake_bytes`](crate::limits::Limits::tls_handshake_bytes) of each; other messages pass by.
//! `certificates` reads what anybody can see of a certificate, and `guess` says whether the sizes and times of records look
//! like a WebSocket's.
//! `record` hands out the bodies of records as they come, which is where a decryptor can take them from.

mod alert;
mod certificates;
mod guess;
mod handshake;
mod hello;
mod names;
mod observer;
mod record;
mod sizes;
mod verdict;

pub use alert::{Alert, alert_name};
pub use certificates::{Certificate, Certificates, Chain, NameMatch, Validity, Weakness};
pub use guess::{Beat, Parting, Strength, WebSocketGuess};
pub use hello::{ClientHello, ServerHello};
pub use names::{CipherSuite, TlsVersion};
pub use observer::{HandshakeState, NotTls, NotTlsKind, Observer, TlsFacts};
pub use record::{ContentType, LastRecord, looks_like_client_hello, looks_like_tls};
pub use verdict::{CertificateDefect, ClosingAlert};
