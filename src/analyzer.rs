//! The façade: packets in, one report for each connection out.
//!
//! No file, clock or thread is touched here: the caller reads the capture and drains the reports, so that memory stays
//! bounded by the connections that are open.

mod alignment;
mod clocks;
mod patience;

pub use alignment::clock_shifts;
pub use patience::Patience;

use crate::capture::Packet;
use crate::catalog::knowledge::Knowledge;
use crate::connection::{Connection, Recorder};
use crate::crowd::{Around, Crowd};
use crate::diagnosis::diagnose;
use crate::evidence::{Facts, Subject};
use crate::fleet::{ConnectionReport, Summary};
use crate::limits::{LimitHits, Limits};
use crate::packet::Decoder;
use crate::stack::{Finished, Payload, Shared, Stack, Traffic};
use crate::tcp::{FlowEnd, FlowTable};
use crate::tls::{KeyLog, KeyLogRead};
use crate::units::{Endpoint, Origin, Side, Timestamp};
use clocks::Clocks;
use patience::Patient;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

/// How to analyse.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bounds to keep.
    pub limits: Limits,
    /// The rules and tables to go by.
    pub knowledge: Arc<Knowledge>,
    /// Whether reports may show what messages say.
    pub payload: Payload,
    /// How long a connection waits for what others tell about it.
    pub patience: Patience,
    /// The secrets that open TLS, as far as they are known beforehand.
    pub keys: KeyLog,
}

impl Default for Options {
    /// Default bounds, and the knowledge that comes with the program; nothing of messages is shown, nothing decrypted.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            knowledge: Arc::clone(Knowledge::builtin()),
            payload: Payload::Hidden,
            patience: Patience::Whole,
            keys: KeyLog::default(),
        }
    }
}

/// Feeds packets through all layers and hands out a report for each connection that ends.
///
/// ```
/// use wsdissect::{Analyzer, Options, capture::Reader};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = std::fs::File::open("fixtures/demo/mixed/capture.pcapng")?;
/// let mut reader = Reader::open(file)?;
/// let mut analyzer = Analyzer::new(Options::default());
/// let mut reports = Vec::new();
/// while let Some(packet) = reader.next_packet()? {
///     analyzer.packet(&packet);
///     reports.extend(std::iter::from_fn(|| analyzer.next_report()));
/// }
/// analyzer.finish();
/// reports.extend(std::iter::from_fn(|| analyzer.next_report()));
/// assert!(reports.iter().any(|report| report.diagnosis.cause.name() == "message_too_big"));
/// # Ok(())
/// # }
/// ```
pub struct Analyzer {
    decoder: Decoder,
    flows: FlowTable<Stack>,
    shared: Shared,
    knowledge: Arc<Knowledge>,
    summary: Summary,
    last: Option<Origin>,
    clocks: Clocks,
    /// Ended, and waiting for others that end just after.
    waiting: VecDeque<Box<Connection>>,
    patience: Patience,
    patient: Patient,
    ready: VecDeque<Pending>,
    attempts: Attempts,
    /// Of which something depends on how reliable the points of capture are, which is told at the end.
    held: VecDeque<Box<Connection>>,
    /// Packets lost while recording, by interface.
    dropped: BTreeMap<u32, u64>,
}

impl Analyzer {
    /// Connections that wait for the end because several points recorded them and did not see the same.
    const HELD: usize = 10_000;

    /// Connections that wait for others that end just after; with more, the oldest waits no longer.
    const WAITING: usize = 10_000;

    /// An analysis that has seen nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let limits = options.limits;
        let mut shared = Shared::new(limits, Arc::clone(&options.knowledge.tables.applications), options.payload);
        *shared.key_log() = options.keys;
        Self {
            decoder: Decoder::new(&limits),
            flows: FlowTable::new(&limits),
            shared,
            knowledge: options.knowledge,
            summary: Summary::default(),
            last: None,
            clocks: Clocks::default(),
            waiting: VecDeque::new(),
            patience: options.patience,
            patient: Patient::default(),
            ready: VecDeque::new(),
            attempts: Attempts::default(),
            held: VecDeque::new(),
            dropped: BTreeMap::new(),
        }
    }

    /// Takes in the next packet of the capture.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        self.summary.packets += 1;
        self.summary.cut += u64::from((packet.bytes.len() as u64) < u64::from(packet.original_len));
        self.note_time(packet);
        let skip = match self.decoder.decode(packet) {
            Ok(segment) => {
                self.summary.analysed += 1;
                self.flows.push(&segment, &mut self.shared, Stack::new);
                self.drain();
                self.release(false);
                None
            }
            Err(skip) => {
                self.summary.skipped.add(skip);
                if let Some(error) = self.decoder.icmp_error() {
                    self.flows.icmp(error);
                }
                Some(skip)
            }
        };
        let joined = self.decoder.fragments_joined();
        if joined > 0 {
            self.summary.skipped.joined(joined, skip);
            self.summary.analysed += if skip.is_none() { joined } else { 0 };
        }
    }

    fn note_time(&mut self, packet: &Packet<'_>) {
        let origin = Origin { packet: packet.number, time: packet.time };
        self.last = Some(origin);
        let steps = self.clocks.count;
        self.clocks.note(packet.interface, origin);
        if self.clocks.count > steps {
            self.shared.crowd.clock_was_set_back();
        }
        if let Some(time) = packet.time {
            let (first, last) = self.summary.span.unwrap_or((time, time));
            self.summary.span = Some((first.min(time), last.max(time)));
        }
    }

    /// Takes note that packets were lost while recording on an interface, as pcapng tells at the end of a file
    /// ([`Sequence::losses`](crate::capture::Sequence::losses)): what such an interface did not see proves nothing. To be
    /// called before [`finish`](Self::finish); reports that depend on it wait until then.
    pub fn lost_while_recording(&mut self, interface: u32, packets: u64) {
        let dropped = self.dropped.entry(interface).or_default();
        *dropped = dropped.saturating_add(packets);
    }

    /// Takes in a key log: the text that programs write to `SSLKEYLOGFILE`. It opens what comes after, and of what came
    /// before the little that was kept (see [`expect_secrets`](Self::expect_secrets)).
    pub fn secrets(&mut self, key_log: &[u8]) -> KeyLogRead {
        let limits = self.shared.limits;
        self.shared.key_log().add(key_log, &limits)
    }

    /// The secrets that are known, to add some.
    pub fn key_log(&mut self) -> &mut KeyLog {
        self.shared.key_log()
    }

    /// Tells whether there will be more secrets while packets are read, as in pcapng files with secrets between the packets:
    /// then the beginning of connections that cannot be read yet is kept for them.
    pub fn expect_secrets(&mut self, may_come: bool) {
        self.shared.expect_keys(may_come);
    }

    /// The capture is over: everything still open is reported as it stands.
    pub fn finish(&mut self) {
        self.shared.crowd.capture_is_over();
        self.flows.finish(&mut self.shared);
        self.drain();
        let (wanted, rest) = std::mem::take(&mut self.attempts)
            .tied_to_websocket(self.summary.other + self.summary.http + self.summary.tls == 0);
        self.summary.attempts += rest;
        for connection in wanted.into_iter().chain(std::mem::take(&mut self.held)) {
            self.report(connection);
        }
        self.release(true);
    }

    /// Lets those go on that have waited long enough for others that end just after, in the order in which they came.
    ///
    /// What the others say is asked here and not when the report is, so that it depends on the packets alone.
    fn release(&mut self, is_over: bool) {
        let now = self.summary.span.map(|(_, latest)| latest);
        if is_over {
            self.patient.take().for_each(|connection| self.hand_out(connection, now));
        }
        while let Some(first) = self.waiting.front() {
            let ended = first.first_end().and_then(|end| end.at.time);
            let waited = ended.zip(now).is_none_or(|(end, now)| now.seconds_since(end) >= Crowd::WAIT_SECONDS);
            if !is_over && !waited && self.waiting.len() <= Self::WAITING {
                break;
            }
            let Some(connection) = self.waiting.pop_front() else { break };
            let waits_on = self.patience == Patience::Whole && !is_over;
            let Some(connection) = (if waits_on { self.patient.keep(connection) } else { Some(connection) }) else {
                continue;
            };
            self.hand_out(connection, now);
        }
    }

    fn hand_out(&mut self, connection: Box<Connection>, now: Option<Timestamp>) {
        let around = self.shared.crowd.around(&connection, now);
        self.ready.push_back(Pending { connection, around });
    }

    /// The next report that is ready, in the order in which connections ended.
    pub fn next_report(&mut self) -> Option<ConnectionReport> {
        self.next_pending().map(|pending| conclude(pending, &self.knowledge))
    }

    /// The next connection of which all is known that the capture says, in the order in which connections ended.
    pub fn next_pending(&mut self) -> Option<Pending> {
        self.ready.pop_front()
    }

    /// What has been seen so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let unread = self.shared.unread();
        Summary {
            limits: self.limit_hits(),
            flows: self.flows.flow_count(),
            fragment_conflicts: self.decoder.fragment_conflicts(),
            tls_unread: unread.iter().map(|(why, detail, count)| (why, detail.map(str::to_owned), count)).collect(),
            clock_steps: self.clocks.count,
            clock_step_s: self.clocks.largest_s,
            ..self.summary.clone()
        }
    }

    fn limit_hits(&self) -> LimitHits {
        let packet = self.decoder.limit_hits();
        let tcp = self.flows.limit_hits();
        LimitHits {
            fragments: packet.fragments,
            tunnels: packet.tunnels,
            flows: tcp.flows,
            kept: tcp.kept,
            reorder: tcp.reorder,
            inflate: self.shared.scratch.inflate_limit_hits(),
            resync: self.shared.scratch.resync_limit_hits(),
            tls_sessions: self.shared.key_log_left_out(),
            ..self.shared.hits
        }
    }

    fn drain(&mut self) {
        while let Some(flow) = self.flows.pop_finished() {
            self.summary.duplicates += u64::from(flow.tcp.duplicates);
            let flow_end = flow.end;
            if let Some(copies) = &flow.tcp.copies {
                self.summary.copied.add(copies.kinds());
            }
            let open_until = (flow.end == FlowEnd::CaptureEnded).then_some(self.last).flatten();
            match Stack::finish(flow, &mut self.shared, open_until) {
                Finished::Connection(mut connection) => {
                    (connection.open_until, connection.flow_end) = (open_until, flow_end);
                    self.attempts.websocket_at(connection.endpoints.server);
                    match &mut connection.path {
                        Some(path) if path.asks_for_recorders() && self.held.len() < Self::HELD => {
                            self.held.push_back(connection);
                            continue;
                        }
                        // What cannot wait concludes nothing.
                        Some(path) => path.facts.incomplete |= path.asks_for_recorders(),
                        None => {}
                    }
                    self.report(connection);
                }
                Finished::Attempt(mut connection) => {
                    (connection.open_until, connection.flow_end) = (open_until, flow_end);
                    if let (None, Some(refused)) = (connection.syn_ack, connection.tcp.server.rst) {
                        self.shared.crowd.refused(connection.endpoints.server, refused);
                    }
                    self.summary.attempts += self.attempts.add(connection);
                }
                Finished::Other(Traffic::Http) => self.summary.http += 1,
                Finished::Other(Traffic::Tls) => self.summary.tls += 1,
                Finished::Other(Traffic::Other | Traffic::Empty) => self.summary.other += 1,
            }
        }
    }

    fn report(&mut self, mut connection: Box<Connection>) {
        let last = connection.open_until.unwrap_or(connection.last);
        connection.clock_steps = self.clocks.between(connection.first.packet, last.packet);
        if let Some(path) = connection.path.take() {
            let recorder = |interface| Recorder {
                until: self.clocks.last(interface),
                dropped: self.dropped.get(&interface).copied().unwrap_or(0),
            };
            connection.hops = Some(Box::new(path.interpret(recorder, !connection.clock_steps.is_empty())));
        }
        self.summary.connections += 1;
        self.summary.seen_with.add(&connection);
        self.summary.hops.add(&connection);
        self.waiting.push_back(connection);
    }
}

/// A connection that is over, with what the others say of it: all that its report is made of, besides what was known before.
#[derive(Debug)]
pub struct Pending {
    connection: Box<Connection>,
    around: Around,
}

/// What a connection says, and what it means. It depends on nothing but its arguments, so that it may be asked anywhere.
#[must_use]
pub fn conclude(pending: Pending, knowledge: &Knowledge) -> ConnectionReport {
    let connection: Arc<Connection> = pending.connection.into();
    let subject = Arc::new(Subject::new(Arc::clone(&connection), pending.around, Arc::clone(&knowledge.tables)));
    let facts = Facts::of(Arc::clone(&subject));
    let diagnosis = diagnose(&knowledge.rules, &facts);
    ConnectionReport { connection, subject, facts, diagnosis }
}

/// Connection attempts without a byte of payload. Only the rest of the capture can tell whether they were for a
/// WebSocket: they are reported at the end when their server also spoke WebSocket, or when the capture holds nothing
/// else at all. Where TCP opened and the client said nothing, the first does not suffice: health checks do that, and
/// browsers that open connections in advance. Then the server must have hung up before the client could ask.
#[derive(Debug, Default)]
struct Attempts {
    #[expect(
        clippy::vec_box,
        reason = "they come in boxes, and a growing list of the connections themselves would be copied"
    )]
    waiting: Vec<Box<Connection>>,
    websocket_servers: HashSet<Endpoint>,
}

impl Attempts {
    /// Attempts and servers remembered.
    const MAX: usize = 10_000;

    /// Keeps an attempt; gives how many could not be kept.
    fn add(&mut self, connection: Box<Connection>) -> u64 {
        if self.waiting.len() == Self::MAX {
            return 1;
        }
        self.waiting.push(connection);
        0
    }

    fn websocket_at(&mut self, server: Endpoint) {
        if self.websocket_servers.len() < Self::MAX {
            self.websocket_servers.insert(server);
        }
    }

    /// The attempts to report, and how many are left.
    fn tied_to_websocket(self, nothing_else: bool) -> (VecDeque<Box<Connection>>, u64) {
        let alone = nothing_else && self.websocket_servers.is_empty();
        let (wanted, rest): (VecDeque<_>, VecDeque<_>) = self.waiting.into_iter().partition(|connection| {
            let known = self.websocket_servers.contains(&connection.endpoints[Side::Server]);
            alone || (known && was_cut_short(connection))
        });
        (wanted, rest.len() as u64)
    }
}

/// Whether an attempt without payload failed, rather than that nobody wanted more of it.
fn was_cut_short(connection: &Connection) -> bool {
    let (Some(answer), Some(_)) = (connection.syn_ack, connection.tcp.client.acked) else {
        // A client that refuses the SYN-ACK is a scanner.
        return connection.syn_ack.is_none() || connection.tcp.client.rst.is_none();
    };
    let end = connection.tcp_end().filter(|end| end.by == Side::Server);
    end.and_then(|end| end.at.seconds_since(&answer)).is_some_and(|seconds| seconds < HUNG_UP_SECONDS)
}

/// A server that ends a connection sooner than this does not wait for a request; later, it may be tired of waiting.
const HUNG_UP_SECONDS: f64 = 5.0;
