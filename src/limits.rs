//! Every bound of the analysis, its default, and what happens when it is hit.
//!
//! Captures may be made by an enemy: whatever can grow has an entry here. Reaching one never stops the analysis; it is
//! counted in [`LimitHits`], told in the summary, and carried as evidence by the connection it touched.

/// The bounds. With the defaults, all of them reached at once, an analysis stays below about 3 GB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What a capture file can make its reader hold.
    pub capture: CaptureLimits,
    /// TCP connections followed at once; the one idle longest is reported as it stands and forgotten.
    pub flows: usize,
    /// Out-of-order bytes kept for one direction; beyond it the missing bytes are given up as a gap.
    pub reorder_bytes_per_end: usize,
    /// Out-of-order segments kept for one direction; beyond it the missing bytes are given up as a gap.
    pub reorder_segments_per_end: usize,
    /// Out-of-order bytes kept over all connections.
    pub reorder_bytes_total: usize,
    /// Bytes that all connections together keep of what is not complete: cut heads and TLS hellos, bytes whose protocol
    /// or whose frames are not clear yet, windows of compression. Beyond it connections that keep some are reported as
    /// they stand and forgotten, those not used for long first.
    pub kept_bytes_total: usize,
    /// Tunnels that may be around one segment; a packet with more is malformed.
    pub tunnel_depth: u8,
    /// IP datagrams whose fragments are kept until all have come; the oldest is given up first.
    pub fragmented_datagrams: usize,
    /// Bytes of fragments kept, over all datagrams; the oldest datagram is given up first.
    pub fragment_bytes: usize,
    /// Seconds of packet time after which a datagram is given up; RFC 8200 §4.5 has 60, Linux 30.
    pub fragment_seconds: u64,
    /// Bytes of one HTTP head (start line and header fields); a longer one is not read.
    pub http_head_bytes: usize,
    /// Header fields of one HTTP head.
    pub http_headers: usize,
    /// Bytes of one side held back while its frames are searched behind a hole; beyond it the oldest are let go, and
    /// frames in them are not told.
    pub resync_bytes_per_end: usize,
    /// Memory in bytes of all such searches together; a search that finds none left starts anew.
    pub resync_bytes_total: usize,
    /// Bytes of both ends in which frames are looked for when a TCP connection begins with neither TLS nor HTTP.
    /// Reaching it is a decision, that this is no WebSocket, and not counted.
    pub probe_bytes: usize,
    /// The same over all connections; beyond it a connection is not looked at.
    pub probe_bytes_total: usize,
    /// Bytes that one compressed message may inflate to; the rest of it is not looked at.
    pub inflated_message_bytes: u64,
    /// Bytes of one TLS handshake message that are kept.
    pub tls_handshake_bytes: usize,
    /// TLS sessions whose secrets are kept; those of further ones are left out.
    pub tls_sessions: usize,
    /// Records that may have gone by before the capture began on a TLS 1.3 connection that keys are to open all the same.
    /// Reaching it is a decision, that the keys are another's, and not counted.
    pub tls_join_records: u64,
    /// Trials of keys on such connections, all of them together; beyond it they are not opened.
    pub tls_join_trials: u64,
    /// Violations kept for one connection; further ones are only counted.
    pub violations: usize,
    /// Observations kept from the start of a connection's timeline.
    pub timeline_first: usize,
    /// Observations kept from the end of a connection's timeline.
    pub timeline_last: usize,
    /// Seconds of packet time after both FINs or a RST during which late packets still belong to the connection.
    pub linger_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            capture: CaptureLimits::default(),
            flows: 1 << 20,
            reorder_bytes_per_end: 4 << 20,
            reorder_segments_per_end: 4096,
            reorder_bytes_total: 256 << 20,
            kept_bytes_total: 1 << 30,
            tunnel_depth: 8,
            fragmented_datagrams: 4096,
            fragment_bytes: 16 << 20,
            fragment_seconds: 30,
            http_head_bytes: 64 << 10,
            http_headers: 256,
            resync_bytes_per_end: 32 << 10,
            resync_bytes_total: 256 << 20,
            probe_bytes: 16 << 10,
            probe_bytes_total: 64 << 20,
            inflated_message_bytes: 256 << 20,
            tls_handshake_bytes: 64 << 10,
            tls_sessions: 250_000,
            tls_join_records: 1 << 16,
            tls_join_trials: 1 << 24,
            violations: 32,
            timeline_first: 8,
            timeline_last: 32,
            linger_seconds: 5,
        }
    }
}

impl Limits {
    /// The same bounds for each of `parts` that share the connections among them; `None` when too little would be left for
    /// one connection of each.
    #[must_use]
    pub fn share(&self, parts: usize) -> Option<Self> {
        let share = Self {
            flows: self.flows / parts,
            reorder_bytes_total: self.reorder_bytes_total / parts,
            kept_bytes_total: self.kept_bytes_total / parts,
            resync_bytes_total: self.resync_bytes_total / parts,
            probe_bytes_total: self.probe_bytes_total / parts,
            tls_join_trials: self.tls_join_trials / parts as u64,
            ..*self
        };
        let at_once = Self::AT_ONCE;
        let is_enough = share.flows >= 1024
            && share.reorder_bytes_total / at_once >= share.reorder_bytes_per_end
            && share.resync_bytes_total / at_once >= share.resync_bytes_per_end
            && share.probe_bytes_total / at_once >= share.probe_bytes
            && share.kept_bytes_total >= 16 << 20;
        is_enough.then_some(share)
    }

    /// Connections that may reach their own bounds in each part before the bound of the part is reached.
    const AT_ONCE: usize = 4;
}

/// Bounds on what a capture file can make its reader hold. Except where said otherwise, a file that goes beyond is
/// damaged there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureLimits {
    /// Captured bytes of one packet. The default is the largest that Wireshark accepts.
    pub packet_bytes: u32,
    /// Total length of one pcapng block; the read buffer grows up to twice this. The default has room for the key log
    /// of a day in one block.
    pub block_bytes: u32,
    /// Interfaces over all sections.
    pub interfaces: usize,
    /// Bytes of secrets kept; further ones are counted.
    pub secrets_bytes: usize,
    /// Bytes behind one damaged place in which the next record is searched for; beyond it the rest is not read. This ends
    /// what a few bytes of compressed data can pretend to hold.
    pub search_bytes: u64,
    /// Captures read at the same time, because they overlap; packets of others come late.
    pub captures_at_once: usize,
}

impl Default for CaptureLimits {
    fn default() -> Self {
        Self {
            packet_bytes: 262_144,
            block_bytes: 64 << 20,
            interfaces: 65_536,
            secrets_bytes: 64 << 20,
            search_bytes: 1 << 30,
            captures_at_once: 64,
        }
    }
}

/// How often each bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitHits {
    /// Packets that claimed too many bytes ([`CaptureLimits::packet_bytes`]).
    pub packet_bytes: u64,
    /// Blocks of a capture that claimed too many bytes ([`CaptureLimits::block_bytes`]).
    pub block_bytes: u64,
    /// Captures with too many interfaces ([`CaptureLimits::interfaces`]).
    pub interfaces: u64,
    /// Secrets of a capture that were left out ([`CaptureLimits::secrets_bytes`]).
    pub secrets: u64,
    /// Captures in which no record was found behind damage ([`CaptureLimits::search_bytes`]).
    pub search: u64,
    /// Captures read later than they should have been ([`CaptureLimits::captures_at_once`]).
    pub captures: u64,
    /// Connections forgotten to make room ([`Limits::flows`]).
    pub flows: u64,
    /// Connections forgotten because too much was kept ([`Limits::kept_bytes_total`]).
    pub kept: u64,
    /// Out-of-order data given up ([`Limits::reorder_bytes_per_end`] and its companions).
    pub reorder: u64,
    /// Fragmented datagrams given up to make room ([`Limits::fragmented_datagrams`], [`Limits::fragment_bytes`]).
    pub fragments: u64,
    /// Packets with too many tunnels ([`Limits::tunnel_depth`]).
    pub tunnels: u64,
    /// HTTP heads that were too long ([`Limits::http_head_bytes`], [`Limits::http_headers`]).
    pub http_head: u64,
    /// Bytes let go before frames were found in them ([`Limits::resync_bytes_per_end`],
    /// [`Limits::resync_bytes_total`]).
    pub resync: u64,
    /// Connections not searched for frames ([`Limits::probe_bytes_total`]).
    pub probe: u64,
    /// Messages inflated only in part ([`Limits::inflated_message_bytes`]).
    pub inflate: u64,
    /// TLS handshake messages that were too long ([`Limits::tls_handshake_bytes`]).
    pub tls_handshake: u64,
    /// Secrets in key logs that were left out ([`Limits::tls_sessions`]).
    pub tls_sessions: u64,
    /// TLS connections joined late for which keys were not all tried ([`Limits::tls_join_trials`]).
    pub tls_join: u64,
}

impl LimitHits {
    /// Adds what was reached elsewhere.
    pub fn add(&mut self, other: &Self) {
        let Self { flows, kept, reorder, fragments, tunnels, http_head, resync, probe, .. } = other;
        let Self { inflate, tls_handshake, tls_sessions, tls_join, .. } = other;
        self.add_capture(other);
        self.flows += flows;
        self.kept += kept;
        self.reorder += reorder;
        self.fragments += fragments;
        self.tunnels += tunnels;
        self.http_head += http_head;
        self.resync += resync;
        self.probe += probe;
        self.inflate += inflate;
        self.tls_handshake += tls_handshake;
        self.tls_sessions += tls_sessions;
        self.tls_join += tls_join;
    }

    /// Adds what reading the captures has reached.
    pub fn add_capture(&mut self, read: &Self) {
        self.packet_bytes += read.packet_bytes;
        self.block_bytes += read.block_bytes;
        self.interfaces += read.interfaces;
        self.secrets += read.secrets;
        self.search += read.search;
        self.captures += read.captures;
    }

    /// Each bound's name and how often it was reached, in a fixed order.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 18] {
        [
            ("packet_bytes", self.packet_bytes),
            ("block_bytes", self.block_bytes),
            ("interfaces", self.interfaces),
            ("secrets", self.secrets),
            ("search", self.search),
            ("captures", self.captures),
            ("flows", self.flows),
            ("kept", self.kept),
            ("reorder", self.reorder),
            ("fragments", self.fragments),
            ("tunnels", self.tunnels),
            ("http_head", self.http_head),
            ("resync", self.resync),
            ("probe", self.probe),
            ("inflate", self.inflate),
            ("tls_handshake", self.tls_handshake),
            ("tls_sessions", self.tls_sessions),
            ("tls_join", self.tls_join),
        ]
    }
}
