//! One run over a capture: its reports, what it cost, and what it prints.

use super::fuzz::heap;
use super::support::{Conversation, Upgrade};
use serde_json::Value;
use std::time::{Duration, Instant};
use wsdissect::capture::Reader;
use wsdissect::catalog::language::Language;
use wsdissect::fleet::{ConnectionReport, Fleet, Summary};
use wsdissect::limits::Limits;
use wsdissect::report::json::{ConnectionObject, SummaryObject};
use wsdissect::report::text::TextReport;
use wsdissect::report::{Closing, Speaker};
use wsdissect::{Analyzer, Options};

pub const KIB: usize = 1 << 10;
pub const MIB: usize = 1 << 20;

/// The ring of recent segments, which all connections share (docs/limits.md).
pub const RING: usize = 352 * KIB;

/// What a run found.
#[derive(Default)]
pub struct Found {
    /// The first reports, in order of ending; memory is measured, so not all are kept.
    pub reports: Vec<ConnectionReport>,
    /// How many there were.
    pub connections: usize,
    pub summary: Summary,
    fleet: Fleet,
    /// Why reading stopped, if not at the end of the file.
    pub stopped: Option<String>,
}

impl Found {
    /// How often the bound of this name was reached.
    pub fn hits(&self, name: &str) -> u64 {
        let named = self.summary.limits.named();
        named.into_iter().find(|(known, _)| *known == name).expect("a bound of this name").1
    }

    /// The only report.
    #[track_caller]
    pub fn only(&self) -> &ConnectionReport {
        assert_eq!(self.connections, 1);
        &self.reports[0]
    }

    pub fn text(&self, language: Language) -> String {
        let speaker = Speaker::new(language);
        let report = TextReport::new(&speaker, 100);
        let mut text = report.overview(&self.closing(), &self.fleet.overview());
        self.reports.iter().for_each(|each| text.push_str(&report.connection(each)));
        text
    }

    /// The objects of the connections, then the summary.
    pub fn json(&self) -> Vec<Value> {
        let speaker = Speaker::new(Language::En);
        let object = |report| serde_json::to_value(ConnectionObject::new(report, "capture", &speaker));
        let mut objects: Vec<Value> =
            self.reports.iter().map(|report| object(report).expect("it has a form")).collect();
        let summary = SummaryObject::new(&self.closing(), &self.fleet.overview(), &speaker);
        objects.push(serde_json::to_value(summary).expect("it has a form"));
        objects
    }

    fn closing(&self) -> Closing<'_> {
        Closing { capture: "capture", summary: self.summary.clone(), ..Closing::default() }
    }
}

/// Analyses a capture.
pub fn analyse(capture: &[u8], limits: Limits) -> Found {
    analyse_with_keys(capture, limits, "")
}

/// The same with a key log.
pub fn analyse_with_keys(capture: &[u8], limits: Limits, keys: &str) -> Found {
    let mut found = Found::default();
    let mut reader = Reader::open(capture).expect("it can be opened");
    let mut options = Options { limits, ..Options::default() };
    options.keys.add(keys.as_bytes(), &limits);
    let mut analyzer = Analyzer::new(options);
    let keep = |found: &mut Found, analyzer: &mut Analyzer| {
        while let Some(report) = analyzer.next_report() {
            found.fleet.add(&report);
            found.connections += 1;
            if found.reports.len() < 4 {
                found.reports.push(report);
            }
        }
    };
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => analyzer.packet(&packet),
            Ok(None) => break,
            Err(error) => {
                found.stopped = Some(error.to_string());
                break;
            }
        }
        keep(&mut found, &mut analyzer);
    }
    analyzer.finish();
    keep(&mut found, &mut analyzer);
    found.summary = analyzer.summary();
    found
}

/// Analyses a capture and gives the most bytes of heap in use beyond those that a single small connection needs.
pub fn measured(capture: &[u8], limits: Limits) -> (Found, usize) {
    let small = Conversation::new("10.0.0.1:40000", "10.0.0.2:80").into_capture();
    // The catalogue is read once, by whoever comes first.
    analyse(&small, limits);
    let (_, least) = heap::used_by(|| analyse(&small, limits));
    let (found, used) = heap::used_by(|| analyse(capture, limits));
    (found, used.saturating_sub(least))
}

/// A conversation as a capture of its own.
pub trait IntoCapture {
    fn into_capture(self) -> Vec<u8>;
}

impl IntoCapture for Conversation {
    fn into_capture(mut self) -> Vec<u8> {
        if self.count() == 0 {
            self.connect().upgrade();
        }
        super::support::Capture::of([self]).pcap()
    }
}

/// An upgraded connection.
pub fn upgraded(upgrade: &Upgrade) -> Conversation {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().upgrade_with(upgrade);
    c
}

/// Time on the processor that `work` took on this thread; on systems that do not tell, time.
pub fn cost(work: impl FnOnce()) -> Duration {
    let on_processor = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
    };
    let (before, start) = (on_processor(), Instant::now());
    work();
    match (before, on_processor()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => start.elapsed(),
    }
}
