//! What TLS shows to somebody who only listens, and what keys open.
//!
//! An [`Observer`] follows the record layer of both directions of a connection (RFC 8446 §5, RFC 5246 §6), reads the
//! handshake messages and alerts that travel in clear, and counts the rest. From that come [`TlsFacts`]: what was
//! offered and chosen, who sent which alert, whether the handshake went through.
//!
//! Only hellos and certificates are collected, at most
//! [`Limits::tls_handshake_bytes`](crate::limits::Limits::tls_handshake_bytes) of each; other messages pass by.
//! `certificates` reads what anybody can see of a certificate, and `guess` says whether the sizes and times of records look
//! like a WebSocket's.
//!
//! With the secrets of a [`KeyLog`], a [`Decryptor`] follows the same bytes beside the observer and hands out what they
//! protect. Secrets and keys have no `Debug` that shows them, and none leaves this module.

mod alert;
mod certificates;
mod cutter;
mod decrypt;
mod decryption;
mod guess;
mod handshake;
mod hello;
mod join;
mod keylog;
mod live;
mod names;
mod observer;
mod protection;
mod record;
mod schedule;
mod secret;
mod sizes;
mod suite;
mod verdict;

pub use alert::{Alert, alert_name};
pub use certificates::{Certificate, Certificates, Chain, NameMatch, Validity, Weakness};
pub use cutter::RecordBuffers;
pub use decrypt::{Decryptor, LostBytes, PlainData, PlainGap, Plaintext, SentBytes, Tools};
pub use decryption::{Decryption, Readable, WhyNot};
pub use guess::{Beat, Parting, Strength, WebSocketGuess};
pub use hello::{ClientHello, ServerHello};
pub use join::{Attempt, Joined, Joiner, Trials, why_not_joined};
pub use keylog::{BadLine, KeyLog, KeyLogRead, KeyLogReader, SecretLabel};
pub use names::{CipherSuite, TlsVersion};
pub use observer::{HandshakeState, NotTls, NotTlsKind, Observer, TlsFacts};
pub use record::{ContentType, LastRecord, looks_like_client_hello, looks_like_tls};
pub use verdict::{CertificateDefect, ClosingAlert};
