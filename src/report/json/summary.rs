//! The summary of a capture as JSON.

use super::SCHEMA;
use super::fleet::{EventObject, IgnoredObject, ReconnectsObject, SharedObject};
use crate::fleet::{Incident, Overview};
use crate::report::{Closing, Damage, InputFile, InterfaceLoss, Speaker};
use serde::Serialize;
use std::collections::BTreeMap;

/// The last object: what the whole capture held.
#[derive(Debug, Serialize)]
pub struct SummaryObject {
    r#type: &'static str,
    schema: &'static str,
    capture: String,
    files: Vec<FileObject>,
    files_passed_over: Vec<String>,
    interrupted: bool,
    packets: PacketsObject,
    start: Option<String>,
    end: Option<String>,
    duration_s: Option<f64>,
    tcp_connections: u64,
    connections: ConnectionsObject,
    hops: HopCountsObject,
    other: OtherObject,
    incidents: Vec<IncidentObject>,
    events: Vec<EventObject>,
    more_events: u64,
    reconnects: ReconnectsObject,
    ignored: Option<IgnoredObject>,
    limits_hit: BTreeMap<&'static str, u64>,
    damage: Vec<DamageObject>,
    quality: QualityObject,
}

#[derive(Debug, Serialize)]
struct QualityObject {
    verdict: &'static str,
    faults: Vec<&'static str>,
    dropped: Option<u64>,
    interfaces: Vec<InterfaceObject>,
    packets_cut: u64,
    duplicate_segments: u64,
    acknowledged_bytes_missing: u64,
    clock_steps: u64,
    clock_step_s: Option<f64>,
    damaged_places: u64,
    connections: SightObject,
}

#[derive(Debug, Serialize)]
struct InterfaceObject {
    name: String,
    packets: u64,
    dropped: u64,
}

#[derive(Debug, Serialize)]
struct SightObject {
    total: u64,
    gap: u64,
    capture_loss: u64,
    one_sided: u64,
    cut: u64,
    joined_late: u64,
    left_open: u64,
    clock_step: u64,
}

#[derive(Debug, Serialize)]
struct FileObject {
    name: String,
    packets: u64,
    first_packet: Option<u64>,
    last_packet: Option<u64>,
    packet_offset: Option<u64>,
    clock_shift_s: f64,
    start: Option<String>,
    end: Option<String>,
}

#[derive(Debug, Serialize)]
struct PacketsObject {
    read: u64,
    analysed: u64,
    skipped: u64,
    skipped_by_reason: BTreeMap<&'static str, u64>,
    cut: u64,
    unknown_link_types: BTreeMap<String, u64>,
    duplicate_segments: u64,
    duplicate_points: BTreeMap<&'static str, u64>,
    fragment_conflicts: u64,
    dropped_by_capture: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ConnectionsObject {
    total: u64,
    by_code: BTreeMap<String, u64>,
    by_rule: BTreeMap<String, u64>,
    by_cause: BTreeMap<&'static str, u64>,
    by_party: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct HopCountsObject {
    connections: u64,
    with_losses: u64,
    with_resets_between: u64,
}

#[derive(Debug, Serialize)]
struct OtherObject {
    http: u64,
    tls_unread: u64,
    tls_why_not: Vec<UndecryptedObject>,
    attempts: u64,
    other: u64,
}

#[derive(Debug, Serialize)]
struct UndecryptedObject {
    why_not: &'static str,
    why_not_detail: Option<String>,
    connections: u64,
}

#[derive(Debug, Serialize)]
struct IncidentObject {
    rule: String,
    title: String,
    cause: &'static str,
    party: &'static str,
    confidence: &'static str,
    count: u64,
    code: Option<u16>,
    status: Option<u16>,
    hosts: Vec<String>,
    first: Option<String>,
    last: Option<String>,
    streams: Vec<u64>,
    shared: SharedObject,
}

#[derive(Debug, Serialize)]
struct DamageObject {
    file: String,
    kind: &'static str,
    what: String,
    offset: u64,
    after_packet: Option<u64>,
    skipped_bytes: Option<u64>,
    lost_packets_estimate: Option<u64>,
}

impl SummaryObject {
    /// The summary of a whole analysis with what its connections say together.
    #[must_use]
    pub fn new(closing: &Closing<'_>, overview: &Overview<'_>, speaker: &Speaker) -> Self {
        let summary = &closing.summary;
        let counts = &overview.counts;
        let span = summary.span;
        Self {
            r#type: "summary",
            schema: SCHEMA,
            capture: closing.capture.to_owned(),
            files: closing.files.iter().map(FileObject::new).collect(),
            files_passed_over: closing.passed_over.clone(),
            interrupted: closing.interrupted,
            packets: PacketsObject {
                read: summary.packets,
                analysed: summary.analysed,
                skipped: summary.skipped.total(),
                skipped_by_reason: summary.skipped.named().into_iter().filter(|&(_, count)| count > 0).collect(),
                cut: summary.cut,
                unknown_link_types: summary.skipped.unknown_link_names().collect(),
                duplicate_segments: summary.duplicates,
                duplicate_points: summary.copied.named().into_iter().filter(|&(_, count)| count > 0).collect(),
                fragment_conflicts: summary.fragment_conflicts,
                dropped_by_capture: closing.dropped,
            },
            start: span.map(|(first, _)| first.to_string()),
            end: span.map(|(_, last)| last.to_string()),
            duration_s: span.map(|(first, last)| last.seconds_since(first)),
            tcp_connections: summary.flows,
            connections: ConnectionsObject {
                total: summary.connections,
                by_code: counts.by_closing.iter().map(|(closing, count)| (closing.name(), *count)).collect(),
                by_rule: counts.by_rule.iter().map(|(rule, count)| (rule.as_str().to_owned(), *count)).collect(),
                by_cause: counts.by_cause.iter().map(|(cause, count)| (cause.name(), *count)).collect(),
                by_party: counts.by_party.iter().map(|(party, count)| (party.name(), *count)).collect(),
            },
            hops: HopCountsObject {
                connections: summary.hops.connections,
                with_losses: summary.hops.with_losses,
                with_resets_between: summary.hops.with_resets_between,
            },
            other: OtherObject {
                http: summary.http,
                tls_unread: summary.tls,
                tls_why_not: summary.tls_unread.iter().map(undecrypted).collect(),
                attempts: summary.attempts,
                other: summary.other,
            },
            incidents: overview.incidents.iter().map(|incident| IncidentObject::new(incident, speaker)).collect(),
            events: overview.events.iter().map(EventObject::new).collect(),
            more_events: overview.more_events,
            reconnects: ReconnectsObject::new(&overview.reconnects),
            ignored: closing.ignored.as_ref().map(IgnoredObject::new),
            limits_hit: summary.limits.named().into_iter().filter(|&(_, count)| count > 0).collect(),
            damage: closing.damage.iter().map(DamageObject::new).collect(),
            quality: QualityObject::new(closing),
        }
    }
}

fn undecrypted((why_not, detail, connections): &(&'static str, Option<String>, u64)) -> UndecryptedObject {
    UndecryptedObject { why_not, why_not_detail: detail.clone(), connections: *connections }
}

impl FileObject {
    fn new(file: &InputFile) -> Self {
        Self {
            name: file.name.clone(),
            packets: file.packets,
            first_packet: file.numbers.map(|(first, _)| first.value()),
            last_packet: file.numbers.map(|(_, last)| last.value()),
            packet_offset: file.offset,
            clock_shift_s: file.clock_shift as f64 / 1e9,
            start: file.span.map(|(first, _)| first.to_string()),
            end: file.span.map(|(_, last)| last.to_string()),
        }
    }
}

impl DamageObject {
    fn new(damage: &Damage) -> Self {
        Self {
            file: damage.file.clone(),
            kind: damage.kind,
            what: damage.what.clone(),
            offset: damage.offset,
            after_packet: damage.after_packet.map(|packet| packet.value()),
            skipped_bytes: damage.skipped_bytes,
            lost_packets_estimate: damage.lost_packets,
        }
    }
}

impl QualityObject {
    fn new(closing: &Closing<'_>) -> Self {
        let (summary, quality) = (&closing.summary, closing.quality());
        let seen = summary.seen_with;
        Self {
            verdict: quality.verdict.name(),
            faults: quality.faults.iter().map(|fault| fault.name).collect(),
            dropped: closing.dropped,
            interfaces: closing
                .interfaces
                .iter()
                .map(|InterfaceLoss { name, packets, dropped }| InterfaceObject {
                    name: name.clone(),
                    packets: *packets,
                    dropped: *dropped,
                })
                .collect(),
            packets_cut: summary.cut,
            duplicate_segments: summary.duplicates,
            acknowledged_bytes_missing: seen.capture_loss_bytes,
            clock_steps: summary.clock_steps,
            clock_step_s: (summary.clock_steps > 0).then_some(summary.clock_step_s),
            damaged_places: closing.damage.len() as u64,
            connections: SightObject {
                total: summary.connections,
                gap: seen.gap,
                capture_loss: seen.capture_loss,
                one_sided: seen.one_sided,
                cut: seen.cut,
                joined_late: seen.joined_late,
                left_open: seen.left_open,
                clock_step: seen.clock_step,
            },
        }
    }
}

impl IncidentObject {
    fn new(incident: &Incident, speaker: &Speaker) -> Self {
        Self {
            rule: incident.key.rule.as_str().to_owned(),
            title: speaker.title(&incident.key.rule).to_owned(),
            cause: incident.cause.name(),
            party: incident.key.party.name(),
            confidence: incident.confidence.name(),
            count: incident.count,
            code: incident.key.closing.code(),
            status: incident.key.closing.status(),
            hosts: incident.servers.iter().map(ToString::to_string).collect(),
            first: incident.span.map(|(first, _)| first.to_string()),
            last: incident.span.map(|(_, last)| last.to_string()),
            streams: incident.streams.clone(),
            shared: SharedObject::new(&incident.shared),
        }
    }
}
