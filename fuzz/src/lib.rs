//! The fuzz targets, and what they share: the form of their inputs, their first inputs, small bounds, and a count of the
//! bytes in use.
//!
//! `tests/hostile.rs` compiles these modules too and runs the targets on a few inputs in `cargo test`.

pub mod heap;
pub mod input;
pub mod seeds;
pub mod targets;

use wsdissect::limits::{CaptureLimits, Limits};
use wsdissect::units::{Origin, PacketNumber};

/// Bounds so small that an input of a few kilobytes reaches every one of them.
#[must_use]
pub fn small_limits() -> Limits {
    Limits {
        capture: small_capture_limits(),
        flows: 4,
        reorder_bytes_per_end: 4 << 10,
        reorder_segments_per_end: 8,
        reorder_bytes_total: 8 << 10,
        kept_bytes_total: 64 << 10,
        tunnel_depth: 3,
        fragmented_datagrams: 4,
        fragment_bytes: 8 << 10,
        fragment_seconds: 30,
        http_head_bytes: 1 << 10,
        http_headers: 80,
        resync_bytes_per_end: 1 << 10,
        resync_bytes_total: 2 << 10,
        probe_bytes: 1 << 10,
        probe_bytes_total: 2 << 10,
        inflated_message_bytes: 64 << 10,
        tls_handshake_bytes: 1 << 10,
        tls_sessions: 4,
        tls_join_records: 256,
        tls_join_trials: 65_536,
        violations: 4,
        timeline_first: 2,
        timeline_last: 4,
        linger_seconds: 5,
    }
}

/// The same for what reads a capture.
#[must_use]
pub fn small_capture_limits() -> CaptureLimits {
    CaptureLimits {
        packet_bytes: 64 << 10,
        block_bytes: 256 << 10,
        interfaces: 16,
        secrets_bytes: 4 << 10,
        search_bytes: 1 << 20,
        captures_at_once: 4,
    }
}

/// The packet that everything comes from in targets that compare what is found, not where.
pub const ORIGIN: Origin = Origin { packet: PacketNumber::FIRST, time: None };
