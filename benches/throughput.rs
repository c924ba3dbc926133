//! How fast captures are read, stage by stage: bytes per second over synthetic traffic of five kinds.
//!
//! `cargo bench`, or `cargo bench -- chat`. Compare runs on the same quiet machine only. `framing` is the bare walk over
//! the file, so the difference to `analysis` is what the layers above cost. `WSDISSECT_BENCH_MB` sets the size of each
//! capture (default 16).

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::time::Duration;
use support::workload::Workload;
use wsdissect::capture::Reader;
use wsdissect::{Analyzer, Options};

/// Packets in the capture, by reading it and doing nothing with them.
fn framing(capture: &[u8]) -> u64 {
    let mut reader = Reader::open(capture).expect("a capture of our own");
    let mut packets = 0;
    while let Some(packet) = reader.next_packet().expect("a capture of our own") {
        black_box(packet.bytes);
        packets += 1;
    }
    packets
}

/// Connections reported by the whole analysis.
fn analysis(capture: &[u8]) -> u64 {
    let mut reader = Reader::open(capture).expect("a capture of our own");
    let mut analyzer = Analyzer::new(Options::default());
    let mut reports = 0;
    while let Some(packet) = reader.next_packet().expect("a capture of our own") {
        analyzer.packet(&packet);
        while let Some(report) = analyzer.next_report() {
            black_box(&report);
            reports += 1;
        }
    }
    analyzer.finish();
    while let Some(report) = analyzer.next_report() {
        black_box(&report);
        reports += 1;
    }
    reports
}

fn main() {
    let megabytes = std::env::var("WSDISSECT_BENCH_MB").map_or(16, |text| text.parse().expect("a number of megabytes"));
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();

    for workload in Workload::ALL {
        let (capture, truth) = workload.capture(megabytes << 20);
        // A fast wrong answer is worth nothing: the bench refuses to time one.
        assert_eq!(framing(&capture), truth.packets, "{workload:?}: packets");
        let reports = analysis(&capture);
        match workload {
            // A connection whose upgrade is missing from the capture may go unrecognised.
            Workload::Lossy => assert!(reports <= truth.connections && reports > truth.connections * 99 / 100),
            _ => assert_eq!(reports, truth.connections, "{workload:?}: connections"),
        }

        let mut group = criterion.benchmark_group(workload.name());
        group.throughput(Throughput::Bytes(capture.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter("framing"), &capture, |b, capture| {
            b.iter(|| framing(capture));
        });
        group.bench_with_input(BenchmarkId::from_parameter("analysis"), &capture, |b, capture| {
            b.iter(|| analysis(capture));
        });
        group.finish();
    }
    criterion.final_summary();
}
