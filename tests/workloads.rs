//! What the program says of large synthetic captures, against what was put into them.

mod common;
mod support;

use common::{Analysis, analyse};
use serde_json::Value;
use std::collections::BTreeMap;
use support::frames::opcode;
use support::workload::{Sent, Truth, Workload};

/// Names of the output for opcodes.
const OPCODES: [(u8, &str); 6] = [
    (opcode::CONTINUATION, "continuation"),
    (opcode::TEXT, "text"),
    (opcode::BINARY, "binary"),
    (opcode::CLOSE, "close"),
    (opcode::PING, "ping"),
    (opcode::PONG, "pong"),
];

fn analysis(workload: Workload, bytes: u64) -> (Analysis, Truth) {
    let (capture, truth) = workload.capture(bytes);
    let analysis = analyse(&capture[..]).expect("a capture of our own");
    assert_eq!(analysis.summary.packets, truth.packets, "{workload:?}");
    (analysis, truth)
}

/// What all reports together say that one side sent. Of a connection with several Close frames on one side the first is told.
fn sent(connections: &[Value], side: &str) -> Sent {
    let mut sent = Sent { frames: [0; 16], closes: BTreeMap::new() };
    for connection in connections {
        for (opcode, name) in OPCODES {
            sent.frames[usize::from(opcode)] += connection["frames"][side][name].as_u64().unwrap_or(0);
        }
        let frame = &connection["close"][format!("{side}_frame")];
        if frame.get("packet").is_some() {
            *sent.closes.entry(frame["code"].as_u64().map(|code| code as u16)).or_default() += 1;
        }
    }
    sent
}

#[test]
fn every_frame_and_every_close_code_is_found() {
    for workload in [Workload::Chat, Workload::Bulk, Workload::Deflate, Workload::Needle, Workload::Many] {
        let (analysis, truth) = analysis(workload, 2_000_000);
        assert_eq!(analysis.connections.len() as u64, truth.connections, "{workload:?}");
        assert!(truth.frames() > 40 && truth.close_frames() > 2, "{workload:?} says something: {truth:?}");
        assert_eq!(sent(&analysis.connections, "client"), truth.client, "{workload:?}");
        assert_eq!(sent(&analysis.connections, "server"), truth.server, "{workload:?}");
        let illegal: Vec<_> = analysis.connections.iter().flat_map(|c| c["violations"].as_array()).flatten().collect();
        assert!(illegal.is_empty(), "{workload:?}: {illegal:?}");
    }
}

/// Nothing is read into the bytes behind a hole that is not there, and each hole is told.
#[test]
fn holes_are_told_and_nothing_is_made_up_behind_them() {
    let (analysis, truth) = analysis(Workload::Lossy, 20_000_000);
    assert!(truth.missing > 50, "there are holes: {truth:?}");
    let mut holed = 0;
    for connection in &analysis.connections {
        for side in ["client", "server"] {
            assert_eq!(connection["frames"][side]["reserved"].as_u64().unwrap_or(0), 0, "{connection}");
        }
        assert_eq!(connection["violations"], serde_json::json!([]), "{connection}");
        let is_holed = ["client", "server"].iter().any(|side| connection["visibility"][side] == "gap");
        holed += u64::from(is_holed);
    }
    println!("{holed} of {} connections with holes", truth.holed);
    assert_eq!(holed, truth.holed);
    for (side, truth) in [("client", &truth.client), ("server", &truth.server)] {
        let found = sent(&analysis.connections, side);
        for (opcode, name) in OPCODES {
            let (found, sent) = (found.frames[usize::from(opcode)], truth.frames[usize::from(opcode)]);
            assert!(found <= sent && found * 1000 >= sent * 995, "{side} {name}: {found} of {sent}");
        }
        for (code, count) in found.closes {
            assert!(count <= truth.closes.get(&code).copied().unwrap_or(0), "{side} {code:?}: {count} of {truth:?}");
        }
    }
}
