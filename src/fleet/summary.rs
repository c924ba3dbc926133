//! The numbers of a whole capture.

use crate::connection::{Connection, CopyKinds, Visibility};
use crate::limits::LimitHits;
use crate::packet::SkipCounts;
use crate::units::Timestamp;

/// What the analysis saw in all.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Packets given to the analysis.
    pub packets: u64,
    /// Packets that held a TCP segment and were followed; `packets` is this plus all skipped ones.
    pub analysed: u64,
    /// Packets that were not, by reason.
    pub skipped: SkipCounts,
    /// Segments recorded more than once, counted without the first time: inside and outside of a tunnel, on several
    /// interfaces, by a mirror port.
    pub duplicates: u64,
    /// TCP connections with such segments.
    pub copied: CopyCounts,
    /// IP fragments whose bytes contradict those of an earlier one.
    pub fragment_conflicts: u64,
    /// Packets recorded shorter than they were.
    pub cut: u64,
    /// The earliest and latest packet time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// TCP connections, of whatever kind.
    pub flows: u64,
    /// Reports given out.
    pub connections: u64,
    /// TCP connections with HTTP that never asked for a WebSocket.
    pub http: u64,
    /// TCP connections with TLS whose handshake went well and whose content could not be read.
    pub tls: u64,
    /// TCP connections with something else, or without a byte of payload.
    pub other: u64,
    /// Connection attempts that came to nothing and that nothing ties to a WebSocket.
    pub attempts: u64,
    /// How often each bound was reached.
    pub limits: LimitHits,
    /// Of the connections reported, how many the capture shows only in part.
    pub seen_with: SightCounts,
}

/// TCP connections recorded at more than one point, by what lies between the points; one may count under several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyCounts {
    /// Inside and outside of a tunnel.
    pub tunnel: u64,
    /// On several interfaces.
    pub interface: u64,
    /// Before and after a router.
    pub router: u64,
    /// Twice at one point.
    pub same_point: u64,
}

impl CopyCounts {
    pub(crate) fn add(&mut self, kinds: CopyKinds) {
        self.tunnel += u64::from(kinds.tunnel);
        self.interface += u64::from(kinds.interface);
        self.router += u64::from(kinds.router);
        self.same_point += u64::from(kinds.same_point);
    }

    /// Each kind's name and count, in a fixed order.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 4] {
        [
            ("tunnel", self.tunnel),
            ("interface", self.interface),
            ("router", self.router),
            ("same_point", self.same_point),
        ]
    }
}

/// Connections whose bytes the capture does not show whole, by why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SightCounts {
    /// Bytes are missing.
    pub gap: u64,
    /// One direction is missing.
    pub one_sided: u64,
    /// It was open before the capture began.
    pub joined_late: u64,
}

impl SightCounts {
    pub(crate) fn add(&mut self, connection: &Connection) {
        let any = |limit: fn(&Visibility) -> bool| u64::from(connection.visibility.iter().any(|(_, seen)| limit(seen)));
        self.gap += any(|seen| seen.gap.is_some());
        self.one_sided += any(|seen| seen.one_sided);
        self.joined_late += any(|seen| seen.joined_late);
    }
}
