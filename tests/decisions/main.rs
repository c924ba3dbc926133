//! The decision table of close causes, row by row: what a capture shows, and the cause and party that follow from it.
//!
//! Each row is a conversation written for it, or a recorded one. What must come out is the table's, which was written down
//! from measurements, sources and documentation of the programs, not from this tool's answers. Where the table names
//! several parties, or a word of the vocabulary fits as well as another, all of them stand here.

#[path = "../common/mod.rs"]
mod common;
#[path = "../support/mod.rs"]
mod support;

mod ends;
mod fleets;
mod messages;
mod opening;
mod scenes;
mod timers;

use std::io::Cursor;
use support::{Capture, Packet};

/// How sure a verdict may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum AtMost {
    Possible,
    Likely,
    Certain,
}

/// One row of the table, or one of several pictures of it.
struct Row {
    number: u16,
    seen: &'static str,
    evidence: Source,
    /// Which connection of the capture is asked, in the order of their first packets.
    connection: usize,
    causes: &'static [&'static str],
    parties: &'static [&'static str],
    at_most: AtMost,
}

enum Source {
    Written(Vec<Packet>),
    /// `family/case` under `fixtures/`.
    Recorded(&'static str),
}

impl Row {
    fn new(number: u16, seen: &'static str, packets: impl Into<Packets>) -> Self {
        Self {
            number,
            seen,
            evidence: Source::Written(packets.into().0),
            connection: 0,
            causes: &[],
            parties: &[],
            at_most: AtMost::Certain,
        }
    }

    fn recorded(number: u16, seen: &'static str, case: &'static str) -> Self {
        Self { evidence: Source::Recorded(case), ..Self::new(number, seen, Vec::new()) }
    }

    fn connection(self, connection: usize) -> Self {
        Self { connection, ..self }
    }

    fn is(self, causes: &'static [&'static str], parties: &'static [&'static str]) -> Self {
        Self { causes, parties, ..self }
    }

    fn at_most(self, at_most: AtMost) -> Self {
        Self { at_most, ..self }
    }

    /// What is wrong with the answer, if anything.
    fn complaint(&self) -> Option<String> {
        let analysis = match &self.evidence {
            Source::Written(packets) => {
                let mut capture = Capture::new();
                let mut packets = packets.clone();
                packets.sort_by_key(|packet| packet.time);
                capture.extend(packets);
                common::analyse(Cursor::new(capture.pcap()))
            }
            Source::Recorded(case) => common::analyse(common::case::Case::named(case).open()),
        };
        let analysis = analysis.expect("a capture");
        let Some(report) = analysis.connections.get(self.connection) else {
            return Some(format!("row {}: no connection is reported: {}", self.number, self.seen));
        };
        let word = |key: &str| report["diagnosis"][key].as_str().unwrap_or("?").to_owned();
        let sure = match word("confidence").as_str() {
            "certain" => AtMost::Certain,
            "likely" => AtMost::Likely,
            _ => AtMost::Possible,
        };
        let fits = self.causes.contains(&&*word("cause")) && self.parties.contains(&&*word("party"));
        (!fits || sure > self.at_most).then(|| {
            let alternatives = report["diagnosis"]["alternatives"].as_array().into_iter().flatten();
            let others: Vec<&str> = alternatives.filter_map(|other| other["rule"].as_str()).collect();
            format!(
                "row {}: {}\n  wanted {:?} by {:?}, at most {:?}\n  got    {} by {}, {} ({})\n  others {others:?}",
                self.number,
                self.seen,
                self.causes,
                self.parties,
                self.at_most,
                word("cause"),
                word("party"),
                word("confidence"),
                word("rule"),
            )
        })
    }
}

/// Packets, of one conversation or several.
struct Packets(Vec<Packet>);

impl From<Vec<Packet>> for Packets {
    fn from(packets: Vec<Packet>) -> Self {
        Self(packets)
    }
}

impl From<support::Conversation> for Packets {
    fn from(conversation: support::Conversation) -> Self {
        Self(conversation.into_packets())
    }
}

#[track_caller]
fn check(rows: Vec<Row>) {
    let complaints: Vec<String> = rows.iter().filter_map(Row::complaint).collect();
    assert!(complaints.is_empty(), "{} of {} are wrong\n{}", complaints.len(), rows.len(), complaints.join("\n"));
}

#[test]
fn decision_001_to_014_tls() {
    check(opening::tls());
}

#[test]
fn decision_015_to_024_upgrade_went_wrong() {
    check(opening::upgrade());
}

#[test]
fn decision_025_to_038_refused() {
    check(opening::refused());
}

#[test]
fn decision_039_to_053_frames_and_messages() {
    check(messages::faults());
}

#[test]
fn decision_054_to_063_heartbeats_and_timers_of_stacks() {
    check(timers::stacks());
}

#[test]
fn decision_064_to_071_servers_that_stop_or_fail() {
    check(fleets::servers());
}

#[test]
fn decision_072_to_078_refusals_inside() {
    check(messages::application());
}

#[test]
fn decision_079_to_085_closing_handshakes_and_tcp_ends() {
    check(ends::closing());
}

#[test]
fn decision_086_to_098_timers_of_devices() {
    check(timers::devices());
}

#[test]
fn decision_102_to_105_the_path() {
    check(ends::path());
}

#[test]
fn decision_106_to_114_what_is_no_fault() {
    check(ends::harmless());
}

/// HTTP/2 frames are not decoded: WebSockets inside (RFC 8441) are not seen, so these rows say nothing yet.
const OF_HTTP_2: [u16; 3] = [99, 100, 101];

#[test]
fn every_row_is_here() {
    let all = [
        opening::tls(),
        opening::upgrade(),
        opening::refused(),
        messages::faults(),
        messages::application(),
        timers::stacks(),
        timers::devices(),
        fleets::servers(),
        ends::closing(),
        ends::path(),
        ends::harmless(),
    ];
    let numbers: std::collections::BTreeSet<u16> =
        all.iter().flatten().map(|row| row.number).chain(OF_HTTP_2).collect();
    let missing: Vec<u16> = (1..=114).filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty(), "rows without a picture: {missing:?}");
}
