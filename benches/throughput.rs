//! How fast captures are analysed, for each kind of traffic: bytes per second, reports included.
//!
//! `cargo bench --bench throughput`, or `-- chat`. Compare runs on the same quiet machine only. `WSDISSECT_BENCH_MB` sets the
//! size of each capture (default 8).

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, Throughput};
use std::hint::black_box;
use std::time::Duration;
use support::workload::Workload;
use wsdissect::capture::Reader;
use wsdissect::{Analyzer, Options};

/// Connections reported by the whole analysis.
fn analysis(capture: &[u8]) -> u64 {
    let mut reader = Reader::open(capture).expect("a capture of our own");
    let mut analyzer = Analyzer::new(Options::default());
    let mut reports = 0;
    let mut drain = |analyzer: &mut Analyzer| {
        while let Some(report) = analyzer.next_report() {
            black_box(&report);
            reports += 1;
        }
    };
    while let Some(packet) = reader.next_packet().expect("a capture of our own") {
        analyzer.packet(&packet);
        drain(&mut analyzer);
    }
    analyzer.finish();
    drain(&mut analyzer);
    reports
}

fn main() {
    let megabytes = std::env::var("WSDISSECT_BENCH_MB").map_or(8, |text| text.parse().expect("a number of megabytes"));
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("analysis");
    for workload in Workload::ALL {
        let (capture, truth) = workload.capture(megabytes << 20);
        // A fast wrong answer is worth nothing: the bench refuses to time one.
        let reports = analysis(&capture);
        match workload {
            // A connection whose upgrade is missing from the capture may go unrecognised.
            Workload::Lossy => assert!(reports <= truth.connections && reports > truth.connections * 99 / 100),
            _ => assert_eq!(reports, truth.connections, "{workload:?}: connections"),
        }
        group.throughput(Throughput::Bytes(capture.len() as u64));
        group.bench_with_input(workload.name(), &capture, |b, capture| b.iter(|| analysis(capture)));
    }
    group.finish();
    criterion.final_summary();
}
