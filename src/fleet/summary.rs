//! The numbers of a whole capture.

use crate::connection::{Connection, CopyKinds, ResetSource, Visibility};
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
    /// Of those, where there are keys, why they could not be decrypted: the reason, which secret, suite or version it is
    /// about, and how many connections.
    pub tls_unread: Vec<(&'static str, Option<String>, u64)>,
    /// TCP connections with something else, or without a byte of payload.
    pub other: u64,
    /// Connection attempts that came to nothing and that nothing ties to a WebSocket.
    pub attempts: u64,
    /// How often each bound was reached.
    pub limits: LimitHits,
    /// How often the clock of a capture stepped back.
    pub clock_steps: u64,
    /// The largest of these steps in seconds.
    pub clock_step_s: f64,
    /// Of the connections reported, how many the capture shows only in part.
    pub seen_with: SightCounts,
    /// Of the connections reported, those recorded at several points.
    pub hops: HopCounts,
}

/// Connections recorded at several points along their path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HopCounts {
    /// All of them.
    pub connections: u64,
    /// Those of which something was lost between two points.
    pub with_losses: u64,
    /// Those that were reset from between two points.
    pub with_resets_between: u64,
}

impl HopCounts {
    pub(crate) fn add(&mut self, connection: &Connection) {
        let Some(hops) = &connection.hops else { return };
        let between = hops.resets.iter().any(|reset| matches!(reset.source, ResetSource::Between(..)));
        self.connections += 1;
        self.with_losses += u64::from(!hops.losses.is_empty());
        self.with_resets_between += u64::from(between);
    }
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

    /// Adds those that were counted elsewhere.
    pub(crate) fn join(&mut self, other: &Self) {
        self.tunnel += other.tunnel;
        self.interface += other.interface;
        self.router += other.router;
        self.same_point += other.same_point;
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

/// Connections that the capture does not show whole, by why. One connection may count under several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SightCounts {
    /// Bytes are missing.
    pub gap: u64,
    /// Of these, connections in which a peer acknowledged missing bytes: the capture lost them, not the network.
    pub capture_loss: u64,
    /// How many bytes these are.
    pub capture_loss_bytes: u64,
    /// One direction is missing.
    pub one_sided: u64,
    /// Packets were recorded short, so that bytes are missing.
    pub cut: u64,
    /// It was open before the capture began.
    pub joined_late: u64,
    /// It was open when the capture ended.
    pub left_open: u64,
    /// The clock of the capture stepped back meanwhile.
    pub clock_step: u64,
}

impl SightCounts {
    pub(crate) fn add(&mut self, connection: &Connection) {
        let any = |limit: fn(&Visibility) -> bool| u64::from(connection.visibility.iter().any(|(_, seen)| limit(seen)));
        self.gap += any(|seen| seen.gap.is_some() && !seen.one_sided);
        self.one_sided += u64::from(lacks_a_direction(connection));
        self.cut += any(|seen| seen.cut);
        self.joined_late += any(|seen| seen.joined_late);
        self.left_open += u64::from(connection.first_end().is_none());
        self.clock_step += u64::from(!connection.clock_steps.is_empty());
        let lost = unseen_but_acknowledged(connection);
        self.capture_loss += u64::from(lost > 0);
        self.capture_loss_bytes = self.capture_loss_bytes.saturating_add(lost);
    }
}

/// Whether a side sent something that the capture lacks as a whole: its peer acknowledged some of it or, as an end does
/// that has been accepted, sent data. A SYN that nobody answered is no such thing.
fn lacks_a_direction(connection: &Connection) -> bool {
    connection.visibility.iter().any(|(side, seen)| {
        let peer = &connection.tcp[side.other()];
        seen.one_sided && (peer.acked.is_some() || peer.bytes > 0)
    })
}

/// Bytes that are missing although their receiver acknowledged them. Where one direction is missing as a whole there is
/// nothing to count.
fn unseen_but_acknowledged(connection: &Connection) -> u64 {
    let seen = connection.visibility.iter().filter(|(_, seen)| !seen.one_sided);
    seen.map(|(side, _)| connection.tcp[side].anomalies().acked_gap_bytes).fold(0, u64::saturating_add)
}
