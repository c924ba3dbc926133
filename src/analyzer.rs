//! The façade: packets in, one report for each connection out.
//!
//! No file or clock is touched here: the caller reads the capture and drains the reports, so that memory stays bounded by
//! the connections that are open. Threads are started in one place (`crew`), and only when the caller asks for them.

mod alignment;
mod attempts;
mod batch;
mod block;
mod clocks;
mod concluder;
mod crew;
mod lane;
mod numbers;
mod patience;
mod ticks;
mod work;

pub use alignment::clock_shifts;
pub use patience::Patience;

use crate::capture::{Packet, Packets};
use crate::catalog::knowledge::Knowledge;
use crate::connection::{Connection, Recorder};
use crate::crowd::Around;
use crate::diagnosis::Paths;
use crate::evidence::{Facts, Subject};
use crate::fleet::{ASKED, ConnectionReport, Summary};
use crate::limits::Limits;
use crate::packet::Decoder;
use crate::stack::Payload;
use crate::tls::{KeyLog, KeyLogRead};
use crate::units::Origin;
use clocks::Clocks;
use concluder::Concluder;
use lane::Counts;
use std::collections::BTreeMap;
use std::sync::Arc;
use ticks::Ticks;
use work::{Due, Work};

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
    /// How many threads may work beside the one that calls. Up to one there are none, and with more what is found is the
    /// same; only when a report comes differs. Short captures are not worth them and are read without.
    pub jobs: usize,
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
            jobs: 1,
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
    limits: Limits,
    decoder: Decoder,
    /// What is counted of packets.
    summary: Summary,
    last: Option<Origin>,
    clocks: Clocks,
    ticks: Ticks,
    work: Work,
    keys: Arc<KeyLog>,
    /// The lanes know them as they are now.
    keys_known: bool,
    /// Packets lost while recording, by interface.
    dropped: BTreeMap<u32, u64>,
}

impl Analyzer {
    /// An analysis that has seen nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { limits, knowledge, payload, patience, keys, jobs } = options;
        let lanes = lane::lanes(&limits, &knowledge.tables.applications, payload);
        Self {
            limits,
            decoder: Decoder::new(&limits),
            summary: Summary::default(),
            last: None,
            clocks: Clocks::default(),
            ticks: Ticks::default(),
            work: Work::new(lanes, Concluder::new(&limits, patience), knowledge, jobs),
            keys: Arc::new(keys),
            keys_known: false,
            dropped: BTreeMap::new(),
        }
    }

    /// Takes in the next packet of the capture. Their numbers must rise.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        self.tell_keys();
        let due = self.note(packet);
        self.work.due(due);
        self.take(packet, |_| {});
    }

    /// Takes in packets that follow each other: the same as [`packet`](Self::packet) for each of them, and faster where many
    /// connections are open, because each lane takes in several in a row.
    pub fn packets(&mut self, packets: Packets<'_>) {
        self.tell_keys();
        let mut batch = self.work.batch(packets.len());
        for packet in packets {
            let due = self.note(&packet);
            if due.is_some() {
                self.work.play(&mut batch);
                self.work.due(due);
            }
            // A crew gathers by itself, in the order of packets.
            let at_sight = if self.work.has_crew() { None } else { Decoder::at_sight(&packet) };
            if let Some(segment) = at_sight {
                self.summary.analysed += 1;
                batch.push(segment);
            } else {
                self.take(&packet, |work| work.play(&mut batch));
            }
        }
        self.work.play(&mut batch);
    }

    /// Takes in a packet before which nothing is due any more. `before` is what comes first if it concerns a connection; most
    /// of what is no TCP does not.
    fn take(&mut self, packet: &Packet<'_>, before: impl FnOnce(&mut Work)) {
        let skip = match self.decoder.decode(packet) {
            Ok(segment) => {
                self.summary.analysed += 1;
                before(&mut self.work);
                self.work.segment(&segment);
                None
            }
            Err(skip) => {
                self.summary.skipped.add(skip);
                if let Some(error) = self.decoder.icmp_error() {
                    before(&mut self.work);
                    self.work.icmp(error);
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

    /// Counts a packet and takes note of its time; gives what is due before it.
    #[inline]
    fn note(&mut self, packet: &Packet<'_>) -> Due {
        self.summary.packets += 1;
        self.summary.cut += u64::from((packet.bytes.len() as u64) < u64::from(packet.original_len));
        let origin = Origin { packet: packet.number, time: packet.time };
        self.last = Some(origin);
        let clock_was_set_back = self.clocks.note(packet.interface, origin);
        if let Some(time) = packet.time {
            let (first, last) = self.summary.span.unwrap_or((time, time));
            self.summary.span = Some((first.min(time), last.max(time)));
        }
        let now = self.summary.span.map(|(_, latest)| latest);
        Due { before: origin, now, clock_was_set_back, tick: self.ticks.is_due(origin) }
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
        let limits = self.limits;
        self.key_log().add(key_log, &limits)
    }

    /// The secrets that are known, to add some.
    pub fn key_log(&mut self) -> &mut KeyLog {
        self.keys_known = false;
        // While somebody else knows them, they cannot change.
        self.work.know_keys(&Arc::default());
        Arc::make_mut(&mut self.keys)
    }

    /// Tells whether there will be more secrets while packets are read, as in pcapng files with secrets between the packets:
    /// then the beginning of connections that cannot be read yet is kept for them. As long as there are none and none are
    /// expected, connections that do not look like a WebSocket are let go, and secrets that come later do not open them.
    pub fn expect_secrets(&mut self, may_come: bool) {
        self.work.expect_keys(may_come);
    }

    fn tell_keys(&mut self) {
        if !self.keys_known {
            self.keys_known = true;
            self.work.know_keys(&self.keys);
        }
    }

    /// The capture is over: everything still open is reported as it stands.
    pub fn finish(&mut self) {
        if !self.keys_known {
            self.tell_keys();
        }
        let now = self.summary.span.map(|(_, latest)| latest);
        let (clocks, dropped) = (&self.clocks, &self.dropped);
        self.work.finish(self.last, now, |interface| Recorder {
            until: clocks.last(interface),
            dropped: dropped.get(&interface).copied().unwrap_or(0),
        });
    }

    /// The next report that is ready, in the order in which connections ended. Before the end of the capture it does not
    /// wait for other threads.
    pub fn next_report(&mut self) -> Option<ConnectionReport> {
        self.work.next_report()
    }

    /// What has been seen so far. While other threads work, what they have counted is missing, until the end.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let Counts { flows, duplicates, copied, hits, unread } = self.work.counts();
        let concluded = self.work.concluded();
        let mut limits = self.decoder.limit_hits();
        limits.add(&hits);
        limits.tls_sessions = self.keys.left_out();
        Summary {
            limits,
            flows,
            duplicates,
            copied,
            fragment_conflicts: self.decoder.fragment_conflicts(),
            tls_unread: unread.iter().map(|(why, detail, count)| (why, detail.map(str::to_owned), count)).collect(),
            clock_steps: self.clocks.count,
            clock_step_s: self.clocks.largest_s,
            connections: concluded.connections,
            attempts: concluded.attempts,
            http: concluded.http,
            tls: concluded.tls,
            other: concluded.other,
            seen_with: concluded.seen_with,
            hops: concluded.hops,
            ..self.summary.clone()
        }
    }
}

/// A connection that is over, with what the others say of it: all that its report is made of, besides what was known before.
#[derive(Debug)]
struct Pending {
    connection: Box<Connection>,
    around: Around,
}

/// What a connection says, and what it means. It depends on nothing but the connection and the knowledge, so that it may be
/// asked anywhere; `paths` are those of this knowledge, and whatever they are the answer is the same.
fn conclude(pending: Pending, knowledge: &Knowledge, paths: &mut Paths) -> ConnectionReport {
    let connection: Arc<Connection> = pending.connection.into();
    let subject = Arc::new(Subject::new(Arc::clone(&connection), pending.around, Arc::clone(&knowledge.tables)));
    let mut facts = Facts::of(Arc::clone(&subject));
    let diagnosis = paths.diagnose(&knowledge.rules, &mut facts);
    for fact in ASKED {
        facts.read(fact);
    }
    ConnectionReport { connection, subject, facts, diagnosis }
}
