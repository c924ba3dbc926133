//! Why each WebSocket connection in a packet capture ended.
//!
//! Feed packets to an [`Analyzer`] and drain [`ConnectionReport`]s: each carries what was seen, as facts with packet
//! numbers, and one diagnosis. Below the façade there is no I/O, no clock and no thread; bytes are pushed down the
//! layers `capture → packet → tcp → http / tls / websocket`, joined by `stack`, and small owned facts come out.

pub mod analyzer;
pub mod application;
pub mod capture;
pub mod catalog;
#[cfg(feature = "cli")]
pub mod cli;
pub mod connection;
pub mod crowd;
pub mod diagnosis;
pub mod evidence;
pub mod fleet;
pub mod http;
pub mod limits;
mod memo;
pub mod middlebox;
pub mod packet;
pub mod report;
pub mod software;
pub mod stack;
pub mod stream;
pub mod tcp;
pub mod tls;
pub mod units;
pub mod violation;
pub mod websocket;

pub use analyzer::{Analyzer, Options, Patience};
pub use fleet::{ConnectionReport, Summary};
pub use stack::Payload;
pub use tls::{KeyLog, KeyLogRead, KeyLogReader};
