//! What is known about a flow beside its bytes.

use crate::packet::{Segment, Tunnel};
use crate::stream::{End, PerEnd};
use crate::units::{Origin, PacketNumber, StreamOffset};

/// What the segments of one flow told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Where they were recorded; `None` without any.
    pub copies: Option<Box<CopyFacts>>,
}

/// Points of one connection, and hop limits of one end, that are told apart; further ones are not named.
const MAX_POINTS: usize = 8;

/// Through which points a connection was recorded more than once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyFacts {
    /// Each point with the number of segments from it that other records had brought before. The first one is where the
    /// first segment was recorded.
    pub points: Vec<(Point, u32)>,
    /// Hop limits of each end's segments: several where they were recorded before and after a router.
    pub hop_limits: PerEnd<Vec<u8>>,
}

/// Where a segment was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point {
    /// The interface: [`Segment::interface`].
    pub interface: u32,
    /// The tunnel that it was found in.
    pub tunnel: Option<Tunnel>,
}

impl Point {
    /// Kind and number of the tunnel.
    #[must_use]
    pub fn tunnel_name(&self) -> Option<(&'static str, u32)> {
        self.tunnel.map(|tunnel| (tunnel.kind.name(), tunnel.id))
    }

    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self { interface: segment.interface, tunnel: segment.tunnel }
    }
}

impl CopyFacts {
    /// Takes note of a copy from `from`.
    pub(super) fn note(&mut self, segment: &Segment<'_>, from: End) {
        let point = Point::of(segment);
        if let Some((_, count)) = self.points.iter_mut().find(|(known, _)| *known == point) {
            *count = count.saturating_add(1);
        } else if self.points.len() < MAX_POINTS {
            self.points.push((point, 1));
        }
        self.note_hop_limit(segment, from);
    }

    /// A RST may come from something on the path, with a hop limit of its own.
    pub(super) fn note_hop_limit(&mut self, segment: &Segment<'_>, from: End) {
        if !segment.flags.rst() {
            self.add_hop_limit(segment.hop_limit, from);
        }
    }

    pub(super) fn add_hop_limit(&mut self, hop_limit: u8, from: End) {
        let known = &mut self.hop_limits[from];
        if !known.contains(&hop_limit) && known.len() < MAX_POINTS {
            known.push(hop_limit);
        }
    }

    /// What lies between the points.
    #[must_use]
    pub fn kinds(&self) -> CopyKinds {
        let differs = |differ: fn(&Point, &Point) -> bool| {
            self.points.first().is_some_and(|(first, _)| self.points.iter().any(|(point, _)| differ(first, point)))
        };
        let mut kinds = CopyKinds {
            tunnel: differs(|a, b| a.tunnel != b.tunnel),
            interface: differs(|a, b| a.interface != b.interface),
            router: self.hop_limits.a.len() > 1 || self.hop_limits.b.len() > 1,
            same_point: false,
        };
        kinds.same_point = kinds == CopyKinds::default();
        kinds
    }
}

/// What lies between the points that recorded one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyKinds {
    /// One point is inside a tunnel, or in another one.
    pub tunnel: bool,
    /// They are different interfaces.
    pub interface: bool,
    /// A router: the hop limits differ.
    pub router: bool,
    /// Nothing: packets were recorded twice at one point, as mirror ports do.
    pub same_point: bool,
}

impl TcpFacts {
    /// Bytes of `end`'s stream that its peer had not acknowledged at last; `None` if the capture does not tell.
    #[must_use]
    pub fn unacknowledged(&self, end: End) -> Option<u64> {
        let acked = self.ends[end.other()].acked?;
        Some(self.ends[end].bytes.saturating_sub(acked.0))
    }
}

/// What the segments of one end told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// The first RST.
    pub rst: Option<Origin>,
    /// Where the first RST claims to stand in this end's stream. An end that resets in earnest stands at its last byte;
    /// far from it, somebody else sent the RST, and the peer ignores it (RFC 5961 §3).
    pub rst_offset: Option<StreamOffset>,
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
    /// IPv4 time to live or IPv6 hop limit of the first segment with a SYN or data.
    pub hop_limit: Option<u8>,
    /// The same of the first RST; another value than [`hop_limit`](Self::hop_limit) means that something on the path
    /// may have sent it.
    pub rst_hop_limit: Option<u8>,
    anomalies: Option<Box<Anomalies>>,
}

impl EndFacts {
    /// What went other than in order; all zero for most flows.
    #[must_use]
    pub fn anomalies(&self) -> &Anomalies {
        static NONE: Anomalies = Anomalies::NONE;
        self.anomalies.as_deref().unwrap_or(&NONE)
    }

    /// The same, to be changed; takes memory from the first call on.
    pub(super) fn anomalies_mut(&mut self) -> &mut Anomalies {
        self.anomalies.get_or_insert_default()
    }

    /// The same, if there is anything.
    pub(super) fn known_anomalies_mut(&mut self) -> Option<&mut Anomalies> {
        self.anomalies.as_deref_mut()
    }

    /// A data segment of this end that was sent before, in full or in part.
    pub(super) fn note_retransmission(&mut self, origin: Origin) {
        let anomalies = self.anomalies_mut();
        anomalies.retransmissions += 1;
        anomalies.retransmitted_since_last_ack += 1;
        anomalies.last_retransmission = Some(origin);
    }
}

/// What went other than in order at one end. Flows have these only when something did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anomalies {
    /// Segments that repeat data, in full or in part, or that fill a hole more than 3 ms after it showed.
    pub retransmissions: u64,
    /// The last of them.
    pub last_retransmission: Option<Origin>,
    /// Those since the peer last acknowledged something new; high at the end when the path or the peer died.
    pub retransmitted_since_last_ack: u32,
    /// Segments that fill a hole within 3 ms: swapped on the way or in the capture.
    pub out_of_order: u64,
    /// Segments that repeat bytes with another content, as far as both versions were at hand.
    pub conflicting_overlaps: u64,
    /// The first such pair: the packet whose bytes count and the one that contradicts it.
    pub first_conflict: Option<(PacketNumber, PacketNumber)>,
    /// Holes given up, for whatever reason.
    pub gaps: u64,
    /// Bytes in them.
    pub gap_bytes: u64,
    /// Of these, bytes that the snapshot length took.
    pub cut_bytes: u64,
    /// Segments that announced a window of zero.
    pub zero_windows: u64,
    /// Since when the window has been zero; `None` while it is open.
    pub zero_window_since: Option<Origin>,
    /// Segments whose sequence number is nowhere near the stream, or that lie beyond the FIN.
    pub out_of_window: u64,
}

impl Anomalies {
    const NONE: Self = Self {
        retransmissions: 0,
        last_retransmission: None,
        retransmitted_since_last_ack: 0,
        out_of_order: 0,
        conflicting_overlaps: 0,
        first_conflict: None,
        gaps: 0,
        gap_bytes: 0,
        cut_bytes: 0,
        zero_windows: 0,
        zero_window_since: None,
        out_of_window: 0,
    };
}
