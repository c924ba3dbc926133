//! A capture file all the way to its reports, as the command line makes them.

use super::super::{heap, small_capture_limits, small_limits};
use std::sync::LazyLock;
use wsdissect::capture::Reader;
use wsdissect::catalog::language::Language;
use wsdissect::fleet::{ConnectionReport, Fleet};
use wsdissect::report::json::{ConnectionObject, SummaryObject};
use wsdissect::report::text::TextReport;
use wsdissect::report::{Closing, Damage, Speaker};
use wsdissect::{Analyzer, Options};

/// A compressed file of a kilobyte may hold millions of packets.
const MOST_PACKETS: u64 = 2_000;

/// The reader's buffers, the table of copies, the reports of all connections that an input can hold.
const MOST_HEAP: usize = 16 << 20;

static SPEAKERS: LazyLock<Vec<Speaker>> = LazyLock::new(|| Language::all().map(Speaker::new).collect());

/// Run once before any input: what is read once from the catalogue is not an input's.
static CATALOGUE: LazyLock<()> = LazyLock::new(|| {
    LazyLock::force(&SPEAKERS);
    analyse(include_bytes!("../../../fixtures/demo/mixed/capture.pcapng"));
});

/// Checks one input.
pub fn run(bytes: &[u8]) {
    LazyLock::force(&CATALOGUE);
    heap::at_most(MOST_HEAP, || analyse(bytes));
}

fn analyse(bytes: &[u8]) {
    let Ok(mut reader) = Reader::with_limits(bytes, small_capture_limits()) else { return };
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
                let what = error.to_string();
                damage.push(Damage { what, offset: place.0, after_packet: place.1, ..Damage::default() });
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
    let dropped = reader.summary().dropped();
    let closing = Closing { capture: "fuzz", summary, damage, dropped, ..Closing::default() };
    let overview = fleet.overview();
    for speaker in SPEAKERS.iter() {
        printable(&TextReport::new(speaker, 80).overview(&closing, &overview));
        serde_json::to_string(&SummaryObject::new(&closing, &overview, speaker)).expect("it has a JSON form");
    }
}

/// A terminal must not be steered by a capture: of control characters there are only line ends and our own colours.
fn printable(text: &str) {
    for (at, _) in text.match_indices(|c: char| c.is_control() && c != '\n') {
        let colour = text[at..]
            .strip_prefix("\x1b[")
            .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
        assert!(colour, "a control character in {:?}", text[at..].chars().take(20).collect::<String>());
    }
}
