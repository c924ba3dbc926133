//! What is known about a flow beside its bytes.

use super::resent::Resent;
use super::{CopyFacts, HopLimits, OutlivedReset, PathFacts, Reset};
use crate::packet::IcmpError;
use crate::stream::{End, PerEnd};
use crate::units::{Origin, PacketNumber, StreamOffset};

/// What the segments of one flow told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TcpFacts {
    /// What each end sent.
    pub ends: PerEnd<EndFacts>,
    /// The first SYN without ACK, and who sent it.
    pub syn: Option<(End, Origin)>,
    /// The first SYN with ACK, and who sent it.
    pub syn_ack: Option<(End, Origin)>,
    /// Copies of segments that were recorded more than once: inside and outside of a tunnel, on several interfaces, by a
    /// mirror port. They are not counted as anything else.
    pub duplicates: u32,
    /// ICMP errors that quote a segment of this flow, with the end that had sent it; the first few.
    pub icmp: Vec<(End, IcmpError)>,
    /// Where they were recorded; `None` without any.
    pub copies: Option<Box<CopyFacts>>,
    /// What each of several points of capture saw; `None` when all was recorded on one interface.
    pub path: Option<Box<PathFacts>>,
}

impl TcpFacts {
    /// ICMP errors kept of one flow.
    pub const MAX_ICMP: usize = 8;

    /// Bytes of `end`'s stream that its peer had not acknowledged at last; `None` if the capture does not tell.
    #[must_use]
    pub fn unacknowledged(&self, end: End) -> Option<u64> {
        let acked = self.ends[end.other()].acked?;
        Some(self.ends[end].bytes.saturating_sub(acked.0))
    }
}

/// What the segments of one end told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndFacts {
    /// All segments, also those without data.
    pub segments: u64,
    /// Segments with data, also data that came before; keep-alive probes not counted.
    pub data_segments: u64,
    /// Length of the stream so far: bytes delivered, and bytes given up as gaps.
    pub bytes: u64,
    /// Offset 0 is the true start of the stream: the SYN was seen, or its number follows from the other end's segments.
    pub from_start: bool,
    /// The first segment with data.
    pub first_data: Option<Origin>,
    /// The last segment with data that had not been sent before.
    pub last_data: Option<Origin>,
    /// The first FIN.
    pub fin: Option<Origin>,
    /// The first RST that the connection did not outlive.
    pub rst: Option<Origin>,
    /// What that RST says about its sender.
    pub reset: Option<Box<Reset>>,
    /// The first RST acknowledges nothing: it answers a segment of a connection that its sender does not know
    /// (RFC 9293 §3.5.2).
    pub rst_without_ack: bool,
    /// The last segment that is no RST.
    pub last: Option<Origin>,
    /// What the peer has not acknowledged; `None` when it has everything.
    pub pending: Option<Box<Pending>>,
    /// Largest data segment, in bytes, that the peer may have acknowledged.
    pub largest_acked: u32,
    /// The last segment with which this end acknowledged something new.
    pub last_ack: Option<Origin>,
    /// How much of the *peer's* stream this end has acknowledged.
    pub acked: Option<StreamOffset>,
    /// Keep-alive probes: up to one byte, just before what the peer expects (RFC 9293 §3.8.4).
    pub keep_alives: u32,
    /// SYNs, with or without ACK, that repeat an earlier one.
    pub syn_retransmissions: u32,
    /// Largest segment this end wants to receive, from its SYN.
    pub mss: Option<u16>,
    /// Shift count for this end's window field, from its SYN; counts only if both ends sent one (RFC 7323 §2.2).
    pub window_scale: Option<u8>,
    /// IPv4 times to live or IPv6 hop limits of the segments with a SYN, data or FIN.
    pub hop_limits: Option<HopLimits>,
    pub(super) anomalies: Option<Box<Anomalies>>,
}

/// Bytes on their way, or lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pending {
    /// When the oldest of them was sent, or at the latest when bytes before it were acknowledged.
    pub since: Origin,
    /// Seconds without any packet of the flow before it was sent; `None` if others were on their way with it.
    pub quiet_before: Option<f64>,
    /// The largest data segment since everything was acknowledged, in bytes.
    pub(super) largest: u32,
}

impl EndFacts {
    /// What went other than in order; all zero for most flows.
    #[must_use]
    pub fn anomalies(&self) -> &Anomalies {
        self.anomalies.as_deref().unwrap_or(Anomalies::none())
    }
}

/// Two versions of the same bytes of a stream, of which the first one recorded was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// The packet whose bytes were delivered.
    pub kept: PacketNumber,
    /// The packet that says otherwise.
    pub other: Origin,
    /// The peer had acknowledged the bytes when the other version came: it has read the first one. Otherwise it may
    /// have read either, for packets are also lost behind the point of capture.
    pub acknowledged: bool,
}

/// What went other than in order at one end. Flows have these only when something did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Anomalies {
    /// Segments that repeat data, in full or in part, or that fill a hole more than 3 ms after it showed.
    pub retransmissions: u64,
    /// The last of them.
    pub last_retransmission: Option<Origin>,
    /// Those since the peer last acknowledged something new; high at the end when the path or the peer died.
    pub retransmitted_since_last_ack: u32,
    /// The oldest bytes that the peer has not acknowledged, when they were sent more than once.
    pub resent: Option<Resent>,
    /// The first and the last keep-alive probe.
    pub keep_alive_span: Option<(Origin, Origin)>,
    /// Segments that ask whether the peer's closed window has opened (RFC 9293 §3.8.6.1).
    pub window_probes: u64,
    /// Segments that fill a hole within 3 ms: swapped on the way or in the capture.
    pub out_of_order: u64,
    /// Segments that repeat bytes with another content, as far as that could be noticed.
    pub conflicting_overlaps: u64,
    /// The first of them, or the first of which the receiver may have read the other version.
    pub conflict: Option<Conflict>,
    /// Holes given up, for whatever reason.
    pub gaps: u64,
    /// Bytes in them.
    pub gap_bytes: u64,
    /// Of these, bytes that the snapshot length took.
    pub cut_bytes: u64,
    /// Of these, bytes that the peer acknowledged: they arrived, so it was the capture that missed them.
    pub acked_gap_bytes: u64,
    /// Of these, bytes that were not waited for because one of our own bounds was reached.
    pub limit_bytes: u64,
    /// The end of the stream, when it is not in the capture.
    pub tail_lost: Option<LostTail>,
    /// The last segment with data or FIN that acknowledged bytes of the peer of which the capture had none yet: they are
    /// missing, or stored later than what answers them.
    pub answers_unseen: Option<Origin>,
    /// What the FIN acknowledged of the peer's stream, where that was more than had been seen of it.
    pub fin_answers: Option<StreamOffset>,
    /// The furthest place in the stream at which a segment without data stood, where that was beyond the bytes that had
    /// been seen: all before it was sent.
    pub(super) stood_at: u64,
    /// Segments that announced a window of zero.
    pub zero_windows: u64,
    /// Since when the window has been zero; `None` while it is open.
    pub zero_window_since: Option<Origin>,
    /// When it last was zero and opened again: from and until.
    pub last_zero_window: Option<(Origin, Origin)>,
    /// The first RST in the name of this end that the connection outlived.
    pub outlived_reset: Option<OutlivedReset>,
    /// Segments whose sequence number is nowhere near the stream, or that lie beyond the FIN.
    pub out_of_window: u64,
}

/// The end of a stream of which the capture has neither the bytes nor the FIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostTail {
    /// Where it begins.
    pub from: StreamOffset,
    /// How far the peer's acknowledgements or this end's own numbers reach; a FIN counts for one.
    pub to: StreamOffset,
}

impl Anomalies {
    /// Nothing went other than in order.
    pub(super) fn none() -> &'static Self {
        static NONE: Anomalies = Anomalies::NONE;
        &NONE
    }

    const NONE: Self = Self {
        retransmissions: 0,
        last_retransmission: None,
        retransmitted_since_last_ack: 0,
        resent: None,
        keep_alive_span: None,
        window_probes: 0,
        out_of_order: 0,
        conflicting_overlaps: 0,
        conflict: None,
        gaps: 0,
        gap_bytes: 0,
        cut_bytes: 0,
        acked_gap_bytes: 0,
        limit_bytes: 0,
        tail_lost: None,
        answers_unseen: None,
        fin_answers: None,
        stood_at: 0,
        zero_windows: 0,
        zero_window_since: None,
        last_zero_window: None,
        outlived_reset: None,
        out_of_window: 0,
    };
}
