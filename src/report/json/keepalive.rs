//! What kept a connection alive, for each side: Pings with their Pongs, heartbeats of the application, TCP's own probes.

use super::connection::Sides;
use crate::connection::{Connection, Heartbeat, HeartbeatName, HeartbeatRole};
use crate::units::{Origin, Side};
use serde::Serialize;

/// Fields of `keepalive`.
#[derive(Debug, Serialize)]
pub(super) struct KeepaliveSides {
    client: PingsObject,
    server: PingsObject,
    heartbeats: Vec<HeartbeatObject>,
    tcp: Sides<ProbesObject>,
}

/// The Pings of one side.
#[derive(Debug, Serialize)]
struct PingsObject {
    pings: u64,
    answered: u64,
    unanswered: u64,
    interval_s: Option<f64>,
    round_trip_p50_s: Option<f64>,
    round_trip_p99_s: Option<f64>,
    last_ping_packet: Option<u64>,
    last_answered_packet: Option<u64>,
    last_pong_packet: Option<u64>,
    oldest_unanswered_packet: Option<u64>,
    oldest_unanswered_s: Option<f64>,
    unsolicited_pongs: u64,
}

/// A heartbeat of one side's application.
#[derive(Debug, Serialize)]
struct HeartbeatObject {
    side: &'static str,
    name: Option<&'static str>,
    role: &'static str,
    bytes: u64,
    beats: u64,
    period_s: Option<f64>,
    jitter: Option<f64>,
    first_packet: u64,
    last_packet: u64,
    last_before_end_s: Option<f64>,
    unanswered_packet: Option<u64>,
}

/// TCP keep-alive probes of one side.
#[derive(Debug, Serialize)]
struct ProbesObject {
    probes: u32,
    interval_s: Option<f64>,
    last_packet: Option<u64>,
}

impl KeepaliveSides {
    pub(super) fn new(connection: &Connection) -> Self {
        let of = |side: Side| connection.traffic[side].heartbeats().map(move |beat| (side, beat));
        Self {
            client: PingsObject::new(connection, Side::Client),
            server: PingsObject::new(connection, Side::Server),
            heartbeats: (Side::BOTH.into_iter().flat_map(of))
                .map(|(side, beat)| HeartbeatObject::new(connection, side, &beat))
                .collect(),
            tcp: Sides::of(|side| ProbesObject::new(connection, side)),
        }
    }
}

fn number(at: Option<Origin>) -> Option<u64> {
    at.map(|at| at.packet.value())
}

impl PingsObject {
    fn new(connection: &Connection, side: Side) -> Self {
        let pings = &connection.traffic[side].pings;
        let within = |part| pings.round_trips().filter(|_| connection.clock_steps.is_empty())?.within(part);
        let oldest = pings.oldest_unanswered();
        Self {
            pings: pings.count,
            answered: pings.answered,
            unanswered: pings.unanswered(),
            interval_s: pings.interval().filter(|_| connection.clock_steps.is_empty()),
            round_trip_p50_s: within(0.5),
            round_trip_p99_s: within(0.99),
            last_ping_packet: number(pings.last),
            last_answered_packet: number(pings.last_answered),
            last_pong_packet: number(pings.last_pong),
            oldest_unanswered_packet: number(oldest),
            oldest_unanswered_s: oldest.and_then(|ping| connection.seconds_before_end(ping)),
            unsolicited_pongs: connection.traffic[side.other()].pings.unsolicited,
        }
    }
}

impl HeartbeatObject {
    fn new(connection: &Connection, side: Side, beat: &Heartbeat) -> Self {
        let period = beat.period().filter(|_| !connection.clock_stepped(beat.first.packet, beat.last.packet));
        Self {
            side: side.name(),
            name: beat.name.map(HeartbeatName::name),
            role: match beat.role {
                HeartbeatRole::Ping => "ping",
                HeartbeatRole::Pong => "pong",
            },
            bytes: beat.size,
            beats: beat.beats,
            period_s: period,
            jitter: beat.jitter,
            first_packet: beat.first.packet.value(),
            last_packet: beat.last.packet.value(),
            last_before_end_s: connection.seconds_before_end(beat.last),
            unanswered_packet: number(beat.unanswered),
        }
    }
}

impl ProbesObject {
    fn new(connection: &Connection, side: Side) -> Self {
        let tcp = &connection.tcp[side];
        let span = tcp.anomalies().keep_alive_span;
        let pauses = tcp.keep_alives.checked_sub(1).filter(|&pauses| pauses > 0);
        let interval = span.zip(pauses).and_then(|((first, last), pauses)| {
            let stepped = connection.clock_stepped(first.packet, last.packet);
            last.seconds_since(&first).filter(|_| !stepped).map(|seconds| seconds / f64::from(pauses))
        });
        Self { probes: tcp.keep_alives, interval_s: interval, last_packet: span.map(|(_, last)| last.packet.value()) }
    }
}
