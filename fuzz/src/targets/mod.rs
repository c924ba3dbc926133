//! The targets: each takes any bytes and fails when the code under it breaks a promise.

pub mod capture_reader;
pub mod http;
pub mod packet_decode;
pub mod tcp;
pub mod tls;
pub mod websocket;
pub mod whole;

/// Checks one input.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const ALL: [(&str, Target); 7] = [
    ("capture_reader", capture_reader::run),
    ("http", http::run),
    ("packet_decode", packet_decode::run),
    ("tcp", tcp::run),
    ("tls", tls::run),
    ("websocket", websocket::run),
    ("whole", whole::run),
];
