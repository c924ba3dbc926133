//! A capture file all the way to its reports, as the command line makes them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wsdissect::capture::{CaptureLimits, Reader};
use wsdissect::catalog::language::Language;
use wsdissect::fleet::{ConnectionReport, Fleet};
use wsdissect::report::json::{ConnectionObject, SummaryObject};
use wsdissect::report::text::TextReport;
use wsdissect::report::{Closing, Damage, Speaker};
use wsdissect::{Analyzer, Options};
use wsdissect_fuzz::{heap, small_limits};

const CAPTURE_LIMITS: CaptureLimits =
    CaptureLimits { packet_bytes: 64 << 10, block_bytes: 256 << 10, interfaces: 16, secrets_bytes: 4 << 10 };

/// A compressed file of a kilobyte may hold millions of packets.
const MOST_PACKETS: u64 = 2_000;

/// The reader's buffers, the table of copies, the reports of all connections that an input can hold.
const MOST_HEAP: usize = 16 << 20;

static SPEAKERS: LazyLock<Vec<Speaker>> = LazyLock::new(|| Language::all().map(Speaker::new).collect());

fuzz_target!(init: {
    // What is read once from the catalogue is not this input's.
    LazyLock::force(&SPEAKERS);
    run(include_bytes!("../../fixtures/demo/mixed/capture.pcapng"));
}, |bytes: &[u8]| heap::at_most(MOST_HEAP, || run(bytes)));

fn run(bytes: &[u8]) {
    let Ok(mut reader) = Reader::with_limits(bytes, CAPTURE_LIMITS) else { return };
    let mut analyzer = Analyzer::new(Options { limits: small_limits(), ..Options::default() });
    let mut fleet = Fleet::default();
    let mut damage = Vec::new();
    let mut connections = 0;
    let mut report = |each: ConnectionReport| {
        fleet.add(&each);
        connections += 1;
        for speaker in SPEAKERS.iter() {
            printable(&TextReport::new(speaker, 80).connection(&each));
            let json =
                serde_json::to_string(&ConnectionObject::new(&each, "fuzz", speaker)).expect("it has a JSON form");
            assert!(!json.contains("\"rule\":\"\""), "every connection has a diagnosis");
        }
    };
    for _ in 0..MOST_PACKETS {
        match reader.next_packet() {
            Ok(Some(packet)) => analyzer.packet(&packet),
            Ok(None) => break,
            Err(error) => {
                let place = reader.damage().map_or((0, None), |damage| (damage.offset, damage.after));
                damage.push(Damage { what: error.to_string(), offset: place.0, after_packet: place.1 });
                break;
            }
        }
        std::iter::from_fn(|| analyzer.next_report()).for_each(&mut report);
    }
    analyzer.finish();
    std::iter::from_fn(|| analyzer.next_report()).for_each(&mut report);

    let summary = analyzer.summary();
    assert_eq!(summary.packets, summary.analysed + summary.skipped.total(), "each packet is analysed or skipped");
    assert_eq!(summary.connections, connections, "each connection is reported once");
    let closing = Closing { capture: "fuzz", summary, damage, dropped: reader.summary().dropped(), ..Closing::default() };
    let incidents = fleet.incidents();
    for speaker in SPEAKERS.iter() {
        printable(&TextReport::new(speaker, 80).overview(&closing, &incidents));
        serde_json::to_string(&SummaryObject::new(&closing, &incidents, speaker)).expect("it has a JSON form");
    }
}

/// A terminal must not be steered by a capture: of control characters there are only line ends and our own colours.
fn printable(text: &str) {
    for (at, _) in text.match_indices(|c: char| c.is_control() && c != '\n') {
        let colour = text[at..]
            .strip_prefix("\x1b[")
            .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
        assert!(colour, "a control character in {:?}", &text[at..text.ceil_char_boundary(at + 20)]);
    }
}
