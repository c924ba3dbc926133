//! What connections say together, as JSON: what an incident shares, events, clients that come back, what was ignored.

use crate::diagnosis::printable;
use crate::fleet::events::Event;
use crate::fleet::reconnects::{Herd, Reconnects, Series};
use crate::fleet::{Closing, Common, Quantised, Shared, Spread, Tally};
use crate::report::{Ignored, IgnoredEntry};
use crate::units::Timestamp;
use serde::Serialize;

/// Values listed of each kind.
const LISTED: usize = 16;

/// Addresses of clients listed.
const CLIENTS: usize = 5;

#[derive(Debug, Serialize)]
pub(super) struct SharedObject {
    servers: Vec<ValueObject>,
    hosts: Vec<ValueObject>,
    paths: Vec<ValueObject>,
    clients: ClientsObject,
    began: Option<[String; 2]>,
    first_packet: Option<u64>,
    last_packet: Option<u64>,
    ends: Vec<EndObject>,
    silence_s: SpreadObject,
    lifetime_s: SpreadObject,
    same: Option<&'static str>,
    reasons: Vec<ValueObject>,
    applications: Vec<ValueObject>,
    software: Vec<ValueObject>,
    without_pings: u64,
    pings_seen: u64,
}

#[derive(Debug, Serialize)]
struct ValueObject {
    value: String,
    count: u64,
}

#[derive(Debug, Serialize)]
struct ClientsObject {
    count: u64,
    more: bool,
    first: Vec<String>,
}

#[derive(Debug, Serialize)]
struct EndObject {
    side: &'static str,
    kind: &'static str,
    count: u64,
}

#[derive(Debug, Serialize)]
struct SpreadObject {
    count: u64,
    min: Option<f64>,
    median: Option<f64>,
    max: Option<f64>,
    common: Option<CommonObject>,
}

#[derive(Debug, Serialize)]
struct CommonObject {
    count: u64,
    min: f64,
    median: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct EventObject {
    kind: &'static str,
    servers: Vec<String>,
    start: String,
    end: String,
    duration_s: f64,
    count: u64,
    open: Option<u64>,
    by_code: Vec<ValueObject>,
    by_kind: Vec<ValueObject>,
    by_rule: Vec<ValueObject>,
    packet: u64,
    stream: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct ReconnectsObject {
    series: Vec<SeriesObject>,
    more_series: u64,
    herds: Vec<HerdObject>,
}

#[derive(Debug, Serialize)]
struct SeriesObject {
    client: String,
    server: String,
    path: Option<String>,
    user_agent: Option<String>,
    attempts: u64,
    failed: u64,
    first: String,
    last: String,
    pause_s: PauseObject,
    jitter: f64,
    backoff: &'static str,
    by_rule: Vec<ValueObject>,
    stream: u64,
}

#[derive(Debug, Serialize)]
struct PauseObject {
    min: f64,
    median: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct HerdObject {
    event: usize,
    count: u64,
    clients: u64,
    failed: u64,
    first: String,
    last: String,
    within_s: f64,
    delay_s: PauseObject,
}

#[derive(Debug, Serialize)]
pub(super) struct IgnoredObject {
    file: String,
    connections: u64,
    entries: Vec<IgnoredEntryObject>,
}

#[derive(Debug, Serialize)]
struct IgnoredEntryObject {
    line: usize,
    rule: String,
    server: Option<String>,
    host: Option<String>,
    path: Option<String>,
    until: Option<String>,
    count: u64,
    expired: u64,
}

impl SharedObject {
    pub(super) fn new(shared: &Shared) -> Self {
        let (first_packet, last_packet) = shared.packets.unzip();
        Self {
            servers: listed(&shared.servers, ToString::to_string),
            hosts: texts(&shared.hosts),
            paths: texts(&shared.paths),
            clients: ClientsObject {
                count: shared.clients.count(),
                more: shared.clients.has_more(),
                first: shared.clients.first(CLIENTS).map(ToString::to_string).collect(),
            },
            began: shared.began.map(|(first, last)| [first.to_string(), last.to_string()]),
            first_packet: first_packet.map(|packet| packet.value()),
            last_packet: last_packet.map(|packet| packet.value()),
            ends: shared
                .ends
                .by_count()
                .into_iter()
                .map(|((side, how), count)| EndObject { side: side.name(), kind: how.name(), count })
                .collect(),
            silence_s: SpreadObject::new(&shared.silence),
            lifetime_s: SpreadObject::new(&shared.lifetime),
            same: shared.quantised().map(|same| match same {
                Quantised::Silence(_) => "silence",
                Quantised::Lifetime(_) => "lifetime",
                Quantised::Either(..) => "silence_or_lifetime",
            }),
            reasons: texts(&shared.reasons),
            applications: texts(&shared.applications),
            software: texts(&shared.software),
            without_pings: shared.without_pings,
            pings_seen: shared.pings_seen,
        }
    }
}

impl SpreadObject {
    fn new(spread: &Spread) -> Self {
        Self {
            count: spread.count(),
            min: spread.least(),
            median: spread.median(),
            max: spread.most(),
            common: spread.common().map(|Common { count, least, median, most }| CommonObject {
                count,
                min: least,
                median,
                max: most,
            }),
        }
    }
}

impl EventObject {
    pub(super) fn new(event: &Event) -> Self {
        Self {
            kind: event.kind.name(),
            servers: event.servers.iter().map(ToString::to_string).collect(),
            start: event.start.to_string(),
            end: event.end.to_string(),
            duration_s: event.duration_s(),
            count: event.count,
            open: event.open,
            by_code: listed(&event.closings, |closing: &Closing| closing.name()),
            by_kind: listed(&event.how, |how| how.name().to_owned()),
            by_rule: listed(&event.rules, |rule| rule.as_str().to_owned()),
            packet: event.example.0.value(),
            stream: event.example.1,
        }
    }
}

impl ReconnectsObject {
    pub(super) fn new(reconnects: &Reconnects) -> Self {
        Self {
            series: reconnects.series.iter().map(SeriesObject::new).collect(),
            more_series: reconnects.more,
            herds: reconnects.herds.iter().map(HerdObject::new).collect(),
        }
    }
}

impl SeriesObject {
    fn new(series: &Series) -> Self {
        Self {
            client: series.client.to_string(),
            server: series.server.to_string(),
            path: series.path.as_deref().map(printable),
            user_agent: series.user_agent.as_deref().map(printable),
            attempts: series.attempts,
            failed: series.failed,
            first: series.span.0.to_string(),
            last: series.span.1.to_string(),
            pause_s: PauseObject::new(series.pause),
            jitter: series.jitter(),
            backoff: series.backoff.name(),
            by_rule: listed(&series.rules, |rule| rule.as_str().to_owned()),
            stream: series.stream,
        }
    }
}

impl PauseObject {
    fn new((min, median, max): (f64, f64, f64)) -> Self {
        Self { min, median, max }
    }
}

impl HerdObject {
    fn new(herd: &Herd) -> Self {
        let (first, last): (Timestamp, Timestamp) = herd.span;
        Self {
            event: herd.event,
            count: herd.count,
            clients: herd.clients,
            failed: herd.failed,
            first: first.to_string(),
            last: last.to_string(),
            within_s: last.seconds_since(first),
            delay_s: PauseObject::new(herd.delay),
        }
    }
}

impl IgnoredObject {
    pub(super) fn new(ignored: &Ignored) -> Self {
        Self {
            file: ignored.file.clone(),
            connections: ignored.connections,
            entries: ignored.entries.iter().map(IgnoredEntryObject::new).collect(),
        }
    }
}

impl IgnoredEntryObject {
    fn new(entry: &IgnoredEntry) -> Self {
        let IgnoredEntry { line, rule, server, host, path, until, count, expired } = entry.clone();
        Self { line, rule, server, host, path, until, count, expired }
    }
}

fn listed<T: Ord + Clone>(tally: &Tally<T>, name: impl Fn(&T) -> String) -> Vec<ValueObject> {
    let value = |(value, count)| ValueObject { value: name(value), count };
    tally.by_count().into_iter().take(LISTED).map(value).collect()
}

fn texts(tally: &Tally<String>) -> Vec<ValueObject> {
    listed(tally, |text| printable(text))
}
