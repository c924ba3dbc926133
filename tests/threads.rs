//! However many threads work on a capture, what is found in it is the same, in the same order.
//!
//! The captures are generated, because those in `fixtures/` are too short to call any threads.

mod support;

use std::io::Cursor;
use std::sync::LazyLock;
use support::workload::Workload;
use wsdissect::capture::Reader;
use wsdissect::catalog::language::Language;
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::{Analyzer, KeyLog, Options};

/// Each report as JSON, in the order in which they come, and the summary. `every`: packets between two moments at which
/// somebody adds secrets, if anybody does.
fn found(capture: &[u8], jobs: usize, every: Option<u64>) -> (Vec<String>, String) {
    static SPEAKER: LazyLock<Speaker> = LazyLock::new(|| Speaker::new(Language::En));
    let mut analyzer = Analyzer::new(Options { jobs, ..Options::default() });
    let mut reader = Reader::open(Cursor::new(capture)).expect("a capture");
    let mut found = Vec::new();
    let mut drain = |analyzer: &mut Analyzer| {
        while let Some(report) = analyzer.next_report() {
            let object = ConnectionObject::new(&report, "capture", &SPEAKER);
            found.push(serde_json::to_string(&object).expect("a report is JSON"));
        }
    };
    while let Some(packet) = reader.next_packet().expect("whole packets") {
        if every.is_some_and(|every| packet.number.value().is_multiple_of(every)) {
            let _: &mut KeyLog = analyzer.key_log();
        }
        analyzer.packet(&packet);
        drain(&mut analyzer);
    }
    analyzer.finish();
    drain(&mut analyzer);
    let summary = format!("{:?}", analyzer.summary());
    (found, summary)
}

fn is_the_same_for_any_number(workload: Workload, bytes: u64) {
    let (capture, _) = workload.capture(bytes);
    let (alone, summary) = found(&capture, 1, None);
    assert!(!alone.is_empty());
    for jobs in [2, 3, 8, 40] {
        let (together, with) = found(&capture, jobs, None);
        assert_eq!(alone.len(), together.len(), "{} with {jobs}", workload.name());
        for (one, other) in alone.iter().zip(&together) {
            assert_eq!(one, other, "{} with {jobs}", workload.name());
        }
        assert_eq!(summary, with, "{} with {jobs}", workload.name());
    }
}

#[test]
fn connections_that_come_and_go() {
    is_the_same_for_any_number(Workload::Chat, 6_000_000);
}

#[test]
fn connections_that_lose_packets() {
    is_the_same_for_any_number(Workload::Lossy, 6_000_000);
}

#[test]
fn connections_that_are_open_to_the_end() {
    is_the_same_for_any_number(Workload::Many, 4_000_000);
}

#[test]
fn compressed_messages_among_other_traffic() {
    is_the_same_for_any_number(Workload::Deflate, 6_000_000);
    is_the_same_for_any_number(Workload::Needle, 6_000_000);
}

/// Secrets between packets concern all that follows, so that the threads end there and others begin.
#[test]
fn secrets_between_packets() {
    let (capture, _) = Workload::Chat.capture(4_000_000);
    let alone = found(&capture, 1, None);
    for every in [1, 5000, 7001] {
        assert_eq!(alone, found(&capture, 3, Some(every)), "every {every} packets");
    }
}
