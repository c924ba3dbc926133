//! One connection as JSON.

use super::SCHEMA;
use super::closing::{ClosingObject, ReactionObject};
use super::hops::HopsObject;
use super::inside::{ApplicationObject, MessageCounts, PayloadsObject, application};
use super::keepalive::KeepaliveSides;
use super::software::{StackObject, stack};
use crate::connection::{Alert, ApiView, Connection, Copies, EndSignalKind};
use crate::connection::{CloseFrame, ClosePayload, Hole};
use crate::evidence::{FactId, Known, Value, WhyUnknown};
use crate::fleet::{CaptureLimit, ConnectionReport, CopyCounts, capture_limits};
use crate::report::{InputFile, Speaker, code_name, community_id, violation_reference};
use crate::stream::GapReason;
use crate::units::{Endpoint, Origin, PacketNumber, PerSide, Side};
use serde::Serialize;
use std::collections::BTreeMap;

/// One value for each side.
#[derive(Debug, Serialize)]
pub(super) struct Sides<T> {
    client: T,
    server: T,
}

impl<T> Sides<T> {
    pub(super) fn of(mut f: impl FnMut(Side) -> T) -> Self {
        Self { client: f(Side::Client), server: f(Side::Server) }
    }
}

#[derive(Debug, Serialize)]
struct Address {
    ip: String,
    port: u16,
}

impl From<Endpoint> for Address {
    fn from(endpoint: Endpoint) -> Self {
        Self { ip: endpoint.ip.to_string(), port: endpoint.port }
    }
}

/// A value, or why the capture cannot tell it: `{"unknown": "gap"}`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Maybe<T> {
    Value(T),
    Unknown { unknown: &'static str },
}

impl<T> Maybe<T> {
    pub(super) fn unknown(why: WhyUnknown) -> Self {
        Self::Unknown { unknown: why.name() }
    }
}

/// One connection.
#[derive(Debug, Serialize)]
pub struct ConnectionObject {
    r#type: &'static str,
    schema: &'static str,
    stream: u64,
    tunnel: Option<u64>,
    community_id: String,
    transport: &'static str,
    capture: String,
    client: Address,
    server: Address,
    first_packet: u64,
    last_packet: u64,
    start: Option<String>,
    end: Option<String>,
    duration_s: Option<f64>,
    handshake: HandshakeObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsObject>,
    stacks: Sides<Option<StackObject>>,
    application: Maybe<Option<ApplicationObject>>,
    messages: Sides<MessageCounts>,
    frames: Sides<BTreeMap<&'static str, u64>>,
    unacknowledged: Sides<Maybe<UnacknowledgedObject>>,
    keepalive: KeepaliveObject,
    close: CloseObject,
    api_view: Sides<Option<ApiViewObject>>,
    violations: Vec<ViolationObject>,
    violations_total: u64,
    conflicts: Vec<ConflictObject>,
    visibility: VisibilityObject,
    copies: Option<CopiesObject>,
    hops: Option<HopsObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payloads: Option<PayloadsObject>,
    diagnosis: DiagnosisObject,
}

#[derive(Debug, Serialize)]
struct CopiesObject {
    segments: u32,
    between: Vec<&'static str>,
    points: Vec<PointObject>,
}

#[derive(Debug, Serialize)]
struct PointObject {
    interface: u32,
    tunnel: Option<TunnelObject>,
    copies: u32,
}

#[derive(Debug, Serialize)]
struct TunnelObject {
    kind: &'static str,
    id: u32,
}

#[derive(Debug, Serialize)]
struct HandshakeObject {
    outcome: &'static str,
    status: Option<u16>,
    host: Option<String>,
    path: Option<String>,
    subprotocol: Option<String>,
    subprotocols_offered: Vec<String>,
    extensions: Option<String>,
    extensions_offered: Option<String>,
    request_packet: Option<u64>,
    response_packet: Option<u64>,
    timing: TimingObject,
}

/// Seconds that each step of the opening took.
#[derive(Debug, Serialize)]
struct TimingObject {
    tcp_s: Maybe<Option<f64>>,
    tls_s: Maybe<Option<f64>>,
    answer_s: Maybe<Option<f64>>,
}

#[derive(Debug, Serialize)]
struct TlsObject {
    version: Option<String>,
    sni: Option<String>,
    alpn: Option<String>,
    alpn_offered: Vec<String>,
    certificate: Option<CertificateObject>,
    close_notify: Maybe<Option<String>>,
    stream_end: StreamEndObject,
    websocket: Option<GuessObject>,
    alert: Option<AlertObject>,
    data_alert: Option<AlertObject>,
    decrypted: &'static str,
    why_not: Option<&'static str>,
    why_not_detail: Option<String>,
}

/// How each side's stream ended inside TLS.
#[derive(Debug, Serialize)]
struct StreamEndObject {
    client: Maybe<Option<String>>,
    server: Maybe<Option<String>>,
}

/// The server's own certificate, and what is wrong with those that it showed.
#[derive(Debug, Serialize)]
struct CertificateObject {
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    names: Vec<String>,
    count: usize,
    defect: Option<&'static str>,
    packet: u64,
}

/// What sizes and times of encrypted records suggest.
#[derive(Debug, Serialize)]
struct GuessObject {
    confidence: &'static str,
    close: Option<GuessedCloseObject>,
    ping_interval_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct GuessedCloseObject {
    initiator: &'static str,
    payload: u16,
    packets: [u64; 2],
}

#[derive(Debug, Serialize)]
struct AlertObject {
    code: u8,
    name: &'static str,
    side: &'static str,
    packet: u64,
}

#[derive(Debug, Serialize)]
struct UnacknowledgedObject {
    messages: Maybe<i64>,
    bytes: i64,
}

#[derive(Debug, Serialize)]
struct KeepaliveObject {
    ping_interval_s: Maybe<Option<f64>>,
    tcp_interval_s: Maybe<Option<f64>>,
    #[serde(flatten)]
    sides: KeepaliveSides,
}

#[derive(Debug, Serialize)]
struct CloseObject {
    code: Option<u16>,
    name: Option<&'static str>,
    meaning: Option<String>,
    reason: String,
    initiator: Option<&'static str>,
    echoed: Maybe<bool>,
    clean: bool,
    client_frame: Maybe<Option<CloseFrameObject>>,
    server_frame: Maybe<Option<CloseFrameObject>>,
    tcp_end: TcpEndObject,
    #[serde(flatten)]
    closing: ClosingObject,
}

#[derive(Debug, Serialize)]
struct CloseFrameObject {
    code: Option<u16>,
    reason: String,
    fault: Option<&'static str>,
    packet: u64,
    time: Option<String>,
}

#[derive(Debug, Serialize)]
struct TcpEndObject {
    kind: &'static str,
    side: Option<&'static str>,
    packet: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ApiViewObject {
    code: u16,
    reason: String,
    was_clean: bool,
    or_code: Option<u16>,
}

#[derive(Debug, Serialize)]
struct ViolationObject {
    rule: &'static str,
    side: &'static str,
    packet: u64,
    offset: Option<u64>,
    reference: &'static str,
    detail: String,
    reaction: Option<ReactionObject>,
}

/// Bytes of one side that were sent again with another content.
#[derive(Debug, Serialize)]
struct ConflictObject {
    side: &'static str,
    segments: u64,
    kept_packet: u64,
    other_packet: u64,
    receiver: &'static str,
}

#[derive(Debug, Serialize)]
struct VisibilityObject {
    client: &'static str,
    server: &'static str,
    holes: Vec<HoleObject>,
    notes: Vec<String>,
}

/// Bytes that the capture lacks.
#[derive(Debug, Serialize)]
struct HoleObject {
    side: &'static str,
    offset: u64,
    bytes: Option<u64>,
    after_packet: Option<u64>,
    before_packet: Option<u64>,
    noticed_packet: u64,
    why: &'static str,
    count: u64,
}

impl HoleObject {
    fn new(side: Side, hole: &Hole) -> Self {
        Self {
            side: side.name(),
            offset: hole.offset.0,
            bytes: hole.len,
            after_packet: hole.after.map(PacketNumber::value),
            before_packet: hole.before.map(|at| at.packet.value()),
            noticed_packet: hole.noticed.packet.value(),
            why: match hole.reason {
                GapReason::Limit => WhyUnknown::Limit.name(),
                GapReason::NotCaptured | GapReason::CutByCapture => WhyUnknown::Gap.name(),
            },
            count: hole.count,
        }
    }

    /// The same as words.
    fn note(&self) -> String {
        let bytes = self.bytes.map_or("bytes".to_owned(), |bytes| format!("{bytes} bytes"));
        let after = self.after_packet.map(|packet| format!(" after packet {packet}"));
        let before = self.before_packet.map(|packet| format!(" before packet {packet}"));
        let count = if self.count > 1 { format!(" in {} holes", self.count) } else { String::new() };
        let (side, noticed) = (self.side, self.noticed_packet);
        format!(
            "{side}: {bytes} missing{count}{}{}, noticed at packet {noticed}",
            after.unwrap_or_default(),
            before.unwrap_or_default()
        )
    }
}

#[derive(Debug, Serialize)]
struct DiagnosisObject {
    rule: String,
    title: String,
    cause: &'static str,
    explanation: String,
    party: &'static str,
    confidence: &'static str,
    evidence: Vec<EvidenceObject>,
    fixes: Vec<FixObject>,
    references: Vec<String>,
    alternatives: Vec<AlternativeObject>,
    capture_limits: Vec<CaptureLimitObject>,
    refuted_by: Vec<String>,
}

#[derive(Debug, Serialize)]
struct EvidenceObject {
    fact: &'static str,
    value: Option<serde_json::Value>,
    text: String,
    packets: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct FixObject {
    who: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct AlternativeObject {
    rule: String,
    title: String,
    undecided: Vec<&'static str>,
    settled_by: Option<String>,
}

#[derive(Debug, Serialize)]
struct CaptureLimitObject {
    limit: &'static str,
    side: Option<&'static str>,
    packets: Vec<u64>,
    could_change: Vec<String>,
    settled_by: String,
}

impl ConnectionObject {
    /// The object of one report.
    #[must_use]
    pub fn new(report: &ConnectionReport, capture: &str, speaker: &Speaker) -> Self {
        let connection = &*report.connection;
        let traffic = |side: Side| &connection.traffic[side];
        Self {
            r#type: "connection",
            schema: SCHEMA,
            stream: connection.id.flow,
            tunnel: connection.id.tunnel,
            community_id: community_id(connection.endpoints.client, connection.endpoints.server),
            transport: connection.transport.name(),
            capture: capture.to_owned(),
            client: connection.endpoints.client.into(),
            server: connection.endpoints.server.into(),
            first_packet: connection.first.packet.value(),
            last_packet: connection.last.packet.value(),
            start: time(connection.first),
            end: time(connection.last),
            duration_s: connection.last.seconds_since(&connection.first),
            handshake: handshake(report),
            tls: tls(report),
            stacks: Sides::of(|side| stack(&report.subject.software()[side])),
            application: application(report, speaker),
            messages: Sides::of(|side| MessageCounts::of(traffic(side), connection.json[side])),
            frames: Sides::of(|side| traffic(side).frames.named().into_iter().filter(|&(_, n)| n > 0).collect()),
            unacknowledged: Sides::of(|side| unacknowledged(report, side)),
            keepalive: KeepaliveObject {
                ping_interval_s: number(report, const { FactId::named("keepalive.ping_interval_s") }),
                tcp_interval_s: number(report, const { FactId::named("keepalive.tcp_interval_s") }),
                sides: KeepaliveSides::new(connection),
            },
            close: close(connection, speaker),
            api_view: Sides::of(|side| connection.api_view(side).map(ApiViewObject::from)),
            violations: connection.violations.iter().map(|each| violation(connection, each)).collect(),
            violations_total: connection.violations.len() as u64 + connection.violations_dropped,
            conflicts: Side::BOTH.into_iter().filter_map(|side| conflict(connection, side)).collect(),
            visibility: visibility(connection),
            copies: connection.copies.as_ref().map(CopiesObject::from),
            hops: connection.hops.as_deref().map(HopsObject::new),
            payloads: connection.previews.as_deref().map(PayloadsObject::from),
            diagnosis: diagnosis(report, speaker),
        }
    }

    /// The same object, with the names of the captures and interfaces that recorded the connection at several points.
    #[must_use]
    pub fn of_files(mut self, report: &ConnectionReport, files: &[InputFile]) -> Self {
        if let Some((object, hops)) = self.hops.as_mut().zip(report.connection.hops.as_deref()) {
            object.name(hops, files);
        }
        self
    }
}

fn time(origin: Origin) -> Option<String> {
    origin.time.map(|time| time.to_string())
}

fn handshake(report: &ConnectionReport) -> HandshakeObject {
    let handshake = &report.connection.handshake;
    let (request, response) = (handshake.request.as_deref(), handshake.response.as_deref());
    let owned = |text: &crate::connection::Text| text.as_str().to_owned();
    HandshakeObject {
        outcome: handshake.outcome.name(),
        status: response.map(|response| response.status),
        host: request.and_then(|request| request.host.as_ref()).map(owned),
        path: request.map(|request| request.path.as_str().to_owned()),
        subprotocol: response.and_then(|response| response.protocol()).map(owned),
        subprotocols_offered: request.map(|request| request.protocols.iter().map(owned).collect()).unwrap_or_default(),
        extensions: response.and_then(|response| response.extensions_raw.as_ref()).map(owned),
        extensions_offered: request.and_then(|request| request.extensions_raw.as_ref()).map(owned),
        request_packet: request.map(|request| request.last.packet.value()),
        response_packet: response.map(|response| response.last.packet.value()),
        timing: TimingObject {
            tcp_s: number(report, const { FactId::named("tcp.setup_s") }),
            tls_s: number(report, const { FactId::named("tls.setup_s") }),
            answer_s: number(report, const { FactId::named("handshake.answer_s") }),
        },
    }
}

/// The answer to a fact that is a number; null when it is absent.
fn number(report: &ConnectionReport, fact: FactId) -> Maybe<Option<f64>> {
    match report.facts.get(fact) {
        Known::Seen(value) => Maybe::Value(value.number()),
        Known::Unknown(why) => Maybe::unknown(*why),
        Known::Absent => Maybe::Value(None),
    }
}

fn word(report: &ConnectionReport, fact: FactId) -> Maybe<Option<String>> {
    match report.facts.get(fact) {
        Known::Seen(value) => Maybe::Value(value.text().map(str::to_owned)),
        Known::Unknown(why) => Maybe::unknown(*why),
        Known::Absent => Maybe::Value(None),
    }
}

fn unacknowledged(report: &ConnectionReport, side: Side) -> Maybe<UnacknowledgedObject> {
    const BYTES: PerSide<FactId> =
        PerSide { client: FactId::named("client.unacked_bytes"), server: FactId::named("server.unacked_bytes") };
    const MESSAGES: PerSide<FactId> =
        PerSide { client: FactId::named("client.unacked_messages"), server: FactId::named("server.unacked_messages") };
    let count = |fact: FactId| match number(report, fact) {
        Maybe::Value(count) => Maybe::Value(count.unwrap_or(0.0) as i64),
        Maybe::Unknown { unknown } => Maybe::Unknown { unknown },
    };
    match count(BYTES[side]) {
        Maybe::Value(bytes) => Maybe::Value(UnacknowledgedObject { messages: count(MESSAGES[side]), bytes }),
        Maybe::Unknown { unknown } => Maybe::Unknown { unknown },
    }
}

fn tls(report: &ConnectionReport) -> Option<TlsObject> {
    let tls = report.connection.tls.as_deref()?;
    let why_not = tls.why_not_read();
    Some(TlsObject {
        version: tls.version_name(),
        sni: tls.client_hello.as_ref().and_then(|hello| hello.sni.as_ref()).map(ToString::to_string),
        alpn: tls.server_hello.as_ref().and_then(|hello| hello.alpn.as_ref()).map(ToString::to_string),
        alpn_offered: tls.client_hello.iter().flat_map(|hello| &hello.alpn).map(ToString::to_string).collect(),
        certificate: tls.certificates.as_deref().map(|shown| CertificateObject {
            subject: shown.leaf.subject.to_string(),
            issuer: shown.leaf.issuer.to_string(),
            not_before: shown.leaf.not_before.to_string(),
            not_after: shown.leaf.not_after.to_string(),
            names: shown.leaf.names().collect(),
            count: shown.count,
            defect: tls.certificate_defect().map(|defect| defect.name()),
            packet: shown.origin.packet.value(),
        }),
        close_notify: word(report, const { FactId::named("tls.close_notify") }),
        stream_end: StreamEndObject {
            client: word(report, const { FactId::named("tls.client_end") }),
            server: word(report, const { FactId::named("tls.server_end") }),
        },
        websocket: tls.websocket.map(|guess| GuessObject {
            confidence: guess.strength.name(),
            close: guess.parting.map(|parting| GuessedCloseObject {
                initiator: parting.by.name(),
                payload: parting.payload,
                packets: parting.frames.map(|frame| frame.packet.value()),
            }),
            ping_interval_s: guess.beat.map(|beat| beat.interval.as_secs_f64()),
        }),
        alert: tls.fatal_alert().map(AlertObject::new),
        data_alert: tls.data_alert().map(AlertObject::new),
        decrypted: tls.decryption.name(),
        why_not: why_not.map(|why| why.name()),
        why_not_detail: why_not.and_then(|why| why.detail()),
    })
}

impl AlertObject {
    fn new(alert: &Alert) -> Self {
        Self {
            code: alert.description,
            name: alert.name(),
            side: alert.side.name(),
            packet: alert.origin.packet.value(),
        }
    }
}

fn close(connection: &Connection, speaker: &Speaker) -> CloseObject {
    let first = connection.first_close();
    let frame = first.and_then(|signal| connection.traffic[signal.by].close.as_deref());
    let code = frame.and_then(code_of);
    let tcp_end = connection.tcp_end();
    CloseObject {
        code,
        name: code.map(code_name),
        meaning: code.and_then(|code| speaker.meaning(code)),
        reason: frame.map(reason_of).unwrap_or_default(),
        initiator: first.map(|signal| signal.by.name()),
        echoed: match first {
            None => Maybe::Value(false),
            Some(signal) => match &connection.traffic[signal.by.other()].close {
                Some(_) => Maybe::Value(true),
                None => match why_frames_unknown(connection, signal.by.other()) {
                    Some(why) => Maybe::unknown(why),
                    None => Maybe::Value(false),
                },
            },
        },
        clean: connection.closing.is_clean(),
        client_frame: close_frame(connection, Side::Client),
        server_frame: close_frame(connection, Side::Server),
        tcp_end: TcpEndObject {
            kind: match tcp_end.map(|end| end.kind) {
                Some(EndSignalKind::Rst) => "rst",
                Some(_) => "fin",
                None => "none",
            },
            side: tcp_end.map(|end| end.by.name()),
            packet: tcp_end.map(|end| end.at.packet.value()),
        },
        closing: ClosingObject::new(connection),
    }
}

fn close_frame(connection: &Connection, side: Side) -> Maybe<Option<CloseFrameObject>> {
    match (&connection.traffic[side].close, why_frames_unknown(connection, side)) {
        (Some(close), _) => Maybe::Value(Some(CloseFrameObject {
            code: code_of(close),
            reason: reason_of(close),
            fault: connection.close_fault(side).map(|fault| fault.rule.name()),
            packet: close.last.packet.value(),
            time: time(close.last),
        })),
        (None, Some(why)) => Maybe::unknown(why),
        (None, None) => Maybe::Value(None),
    }
}

/// Why it cannot be said that `side` sent no Close frame.
pub(super) fn why_frames_unknown(connection: &Connection, side: Side) -> Option<WhyUnknown> {
    let visibility = &connection.visibility[side];
    if connection.is_sealed() || visibility.encrypted {
        Some(WhyUnknown::Encrypted)
    } else if visibility.one_sided {
        Some(WhyUnknown::OneSided)
    } else if visibility.frames_lost.is_some() {
        Some(match (visibility.gap, visibility.cut, visibility.joined_late) {
            (None, true, _) => WhyUnknown::CutByCapture,
            (None, false, true) => WhyUnknown::JoinedLate,
            _ => WhyUnknown::Gap,
        })
    } else {
        None
    }
}

fn code_of(close: &CloseFrame) -> Option<u16> {
    match &close.payload {
        ClosePayload::Status { code, .. } => Some(code.0),
        ClosePayload::Empty | ClosePayload::OneByte(_) => None,
    }
}

fn reason_of(close: &CloseFrame) -> String {
    match &close.payload {
        ClosePayload::Status { reason, .. } => reason.text().into_owned(),
        ClosePayload::Empty | ClosePayload::OneByte(_) => String::new(),
    }
}

impl From<ApiView> for ApiViewObject {
    fn from(view: ApiView) -> Self {
        Self { code: view.code, reason: view.reason, was_clean: view.was_clean, or_code: view.or_code }
    }
}

fn violation(connection: &Connection, violation: &crate::violation::Violation) -> ViolationObject {
    ViolationObject {
        rule: violation.rule.name(),
        side: violation.side.name(),
        packet: violation.at.packet.value(),
        offset: violation.offset.map(|offset| offset.0),
        reference: violation_reference(violation.rule),
        detail: violation.detail.to_string(),
        reaction: ReactionObject::of(connection, violation),
    }
}

fn conflict(connection: &Connection, side: Side) -> Option<ConflictObject> {
    let anomalies = connection.tcp[side].anomalies();
    anomalies.conflict.map(|conflict| ConflictObject {
        side: side.name(),
        segments: anomalies.conflicting_overlaps,
        kept_packet: conflict.kept.value(),
        other_packet: conflict.other.packet.value(),
        receiver: if conflict.acknowledged { "kept" } else { "either" },
    })
}

fn visibility(connection: &Connection) -> VisibilityObject {
    let (mut holes, mut notes) = (Vec::new(), Vec::new());
    for (side, visibility) in connection.visibility.iter() {
        let tcp = &connection.tcp[side];
        let found = visibility.holes().iter().map(|hole| HoleObject::new(side, hole));
        holes.extend(found.inspect(|hole| notes.push(hole.note())));
        if let (Some(gap), []) = (visibility.gap, visibility.holes()) {
            notes.push(format!(
                "{side}: {} bytes missing, first noticed at packet {}",
                tcp.anomalies().gap_bytes,
                gap.packet.value()
            ));
        }
        if let Some(lost) = visibility.frames_lost {
            notes.push(format!("{side}: frame boundaries unknown from packet {}", lost.packet.value()));
        }
        for blind in visibility.blind() {
            if let Some((first, _)) = blind.found {
                notes.push(format!("{side}: frames found again from packet {}", first.packet.value()));
            }
        }
        if visibility.cut {
            notes.push(format!("{side}: {} bytes cut by snaplen (the snapshot length)", tcp.anomalies().cut_bytes));
        }
        if tcp.anomalies().limit_bytes > 0 {
            notes.push(format!("{side}: {} bytes not waited for (limit reorder)", tcp.anomalies().limit_bytes));
        }
        if let Some(outlived) = tcp.anomalies().outlived_reset {
            notes.push(format!(
                "{side}: the RST in packet {} is not from the {side}; packet {} goes on after it",
                outlived.rst.packet.value(),
                outlived.shown_at.packet.value()
            ));
        }
    }
    if let Some(copies) = &connection.copies {
        notes.push(copies_note(copies));
    }
    let (client, server) = (connection.visibility.client.name(), connection.visibility.server.name());
    VisibilityObject { client, server, holes, notes }
}

impl From<&Copies> for CopiesObject {
    fn from(copies: &Copies) -> Self {
        let mut counts = CopyCounts::default();
        counts.add(copies.seen.kinds());
        Self {
            segments: copies.segments,
            between: counts.named().into_iter().filter(|&(_, count)| count > 0).map(|(kind, _)| kind).collect(),
            points: (copies.seen.points.iter())
                .map(|(point, copies)| PointObject {
                    interface: point.interface,
                    tunnel: point.tunnel_name().map(|(kind, id)| TunnelObject { kind, id }),
                    copies: *copies,
                })
                .collect(),
        }
    }
}

/// Which points recorded the same segments.
fn copies_note(copies: &Copies) -> String {
    let kinds = copies.seen.kinds();
    let mut points: Vec<String> = (copies.seen.points.iter())
        .map(|(point, _)| {
            let tunnel = match point.tunnel_name() {
                None if kinds.tunnel => "plain".to_owned(),
                None => String::new(),
                Some((kind, 0)) => kind.to_owned(),
                Some((kind, id)) => format!("{kind} {id}"),
            };
            let interface = if kinds.interface { format!("interface {}", point.interface) } else { String::new() };
            [tunnel, interface].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" on ")
        })
        .collect();
    points.dedup();
    if kinds.router {
        points.push("before and after a router".to_owned());
    }
    if kinds.same_point {
        points = vec!["each packet twice at one point".to_owned()];
    }
    points.retain(|point| !point.is_empty());
    format!("duplicate capture point ({}): {} segments were copies, used once", points.join(", "), copies.segments)
}

fn diagnosis(report: &ConnectionReport, speaker: &Speaker) -> DiagnosisObject {
    let diagnosis = &report.diagnosis;
    DiagnosisObject {
        rule: diagnosis.rule.as_str().to_owned(),
        title: speaker.title(&diagnosis.rule).to_owned(),
        cause: diagnosis.cause.name(),
        explanation: speaker.explanation(report),
        party: diagnosis.party.name(),
        confidence: diagnosis.confidence.name(),
        evidence: diagnosis
            .because
            .iter()
            .map(|evidence| EvidenceObject {
                fact: evidence.fact.name(),
                value: match &evidence.value {
                    Known::Seen(value) => Some(plain(value)),
                    Known::Absent | Known::Unknown(_) => None,
                },
                text: speaker.evidence(evidence),
                packets: evidence.packets.as_slice().iter().map(|packet| packet.value()).collect(),
            })
            .collect(),
        fixes: diagnosis
            .fixes
            .iter()
            .map(|fix| FixObject { who: fix.who.name(), text: speaker.fix(fix, &report.facts) })
            .collect(),
        references: diagnosis.references.iter().map(ToString::to_string).collect(),
        alternatives: diagnosis
            .alternatives
            .iter()
            .map(|candidate| AlternativeObject {
                rule: candidate.rule.as_str().to_owned(),
                title: speaker.title(&candidate.rule).to_owned(),
                undecided: candidate.undecided.iter().map(|(fact, _)| fact.name()).collect(),
                settled_by: speaker.settled_by(candidate),
            })
            .collect(),
        capture_limits: capture_limits(report).iter().map(|limit| capture_limit(limit, speaker)).collect(),
        refuted_by: speaker.refutations(diagnosis).map(str::to_owned).collect(),
    }
}

fn capture_limit(limit: &CaptureLimit, speaker: &Speaker) -> CaptureLimitObject {
    CaptureLimitObject {
        limit: limit.why.name(),
        side: limit.side.map(Side::name),
        packets: limit.packets.as_slice().iter().map(|packet| packet.value()).collect(),
        could_change: limit.could_change.iter().map(ToString::to_string).collect(),
        settled_by: speaker.lifted_by(limit).to_owned(),
    }
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(value) => (&**value).into(),
        Value::Enum(value) => (*value).into(),
    }
}
