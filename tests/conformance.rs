//! Recorded conformance traffic: the Autobahn test suite and our own cases, played between real programs.
//!
//! What is true stands in `fixtures/conformance/*/truth.json`. It comes from the definitions of the cases and from the
//! logs of those who played them, never from wsdissect: see `docs/conformance.md`. What is not found yet is listed in
//! `fixtures/conformance/missed.txt`, and a line there that is not needed fails.

mod common;

use common::analyse;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// One recorded connection: what is true and what we say.
struct Played {
    run: String,
    case: String,
    truth: Value,
    said: Value,
}

/// A rule with the side that broke it.
type Broken = (String, String);

static PLAYED: LazyLock<Vec<Played>> = LazyLock::new(|| {
    let mut runs: Vec<PathBuf> = fs::read_dir(home())
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a readable directory").path())
        .filter(|path| path.is_dir())
        .collect();
    runs.sort();
    runs.iter().flat_map(|run| played(run)).collect()
});

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance")
}

fn played(run: &Path) -> Vec<Played> {
    let text = fs::read_to_string(run.join("truth.json")).expect("every run has its truth");
    let truth: Value = serde_json::from_str(&text).expect("JSON");
    let analysis =
        analyse(File::open(run.join("capture.pcap.gz")).expect("every run has a capture")).expect("a capture");
    let name = text_of(&truth["name"]);
    let connections = truth["connections"].as_array().expect("a list");
    // Nothing but what was played is in the capture.
    assert!(analysis.connections.len() <= connections.len(), "{name}: {} connections", analysis.connections.len());
    let of_port = |port: &Value| {
        let mut found = analysis.connections.iter().filter(|connection| connection["client"]["port"] == *port);
        let one = found.next().cloned();
        assert!(found.next().is_none(), "{name}: port {port} is reported twice");
        one
    };
    connections
        .iter()
        .map(|truth| Played {
            run: name.clone(),
            case: text_of(&truth["case"]),
            said: of_port(&truth["client_port"]).unwrap_or(Value::Null),
            truth: truth.clone(),
        })
        .collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

impl Played {
    /// What was broken on purpose: one of these rules must be named, and the others may be.
    fn breaks(&self) -> impl Iterator<Item = (Vec<Broken>, Vec<Broken>)> {
        list(&self.truth["breaks"]).map(|broken| {
            let of = |key: &str| list(&broken[key]).map(|rule| (text_of(rule), text_of(&broken["side"]))).collect();
            (of("rule"), of("also"))
        })
    }

    fn violations(&self) -> BTreeSet<Broken> {
        list(&self.said["violations"]).map(|one| (text_of(&one["rule"]), text_of(&one["side"]))).collect()
    }

    /// Neither legal nor broken: the RFC leaves it open.
    fn is_undefined(&self) -> bool {
        self.truth["undefined"] == true
    }

    /// What is wrong with what we say, each as a line of `missed.txt`.
    fn wrong(&self) -> Vec<String> {
        let said = self.violations();
        let mut expected: BTreeSet<Broken> =
            list(&self.truth["by_peer"]).map(|one| (text_of(&one["rule"]), text_of(&one["side"]))).collect();
        let mut wrong = Vec::new();
        for (any_of, also) in self.breaks() {
            if !any_of.iter().any(|one| said.contains(one)) {
                let names: Vec<&str> = any_of.iter().map(|(rule, _)| rule.as_str()).collect();
                wrong.push(format!("not named: {} by the {}", names.join(" or "), any_of[0].1));
            }
            expected.extend(any_of);
            expected.extend(also);
        }
        if !self.is_undefined() {
            let alarms = said.difference(&expected);
            wrong.extend(alarms.map(|(rule, side)| format!("false alarm: {rule} by the {side}")));
        }
        wrong.extend(["client", "server"].iter().filter_map(|side| self.wrong_close(side)));
        wrong.iter().map(|what| format!("{} {}: {what}", self.run, self.case)).collect()
    }

    /// The code of a side's Close frame against that in the log of whoever sent or got it.
    fn wrong_close(&self, side: &str) -> Option<String> {
        let closes = self.truth.get("closes").filter(|closes| !closes.is_null())?;
        let frame = &self.said["close"][format!("{side}_frame")];
        let said = match frame {
            Value::Null => Value::Null,
            frame if !frame["code"].is_null() => frame["code"].clone(),
            frame if frame.get("unknown").is_some() => frame.clone(),
            _ if self.violations().contains(&("close_payload_one_byte".into(), side.into())) => "one byte".into(),
            _ => "empty".into(),
        };
        // An answer that Autobahn logged may not have left it any more.
        let may_be_missing = list(&self.truth["not_sure"]).any(|one| *one == *side);
        let right = said == closes[side] || (may_be_missing && said.is_null());
        (!right).then(|| format!("the {side}'s Close is {}, not {said}", closes[side]))
    }
}

/// The lines of `missed.txt`.
fn missed() -> BTreeSet<String> {
    let text = fs::read_to_string(home().join("missed.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_real_programs_break_is_named_and_what_they_may_do_is_not() {
    let wrong: BTreeSet<String> = PLAYED.iter().flat_map(Played::wrong).collect();
    let listed = missed();
    let new: Vec<&String> = wrong.difference(&listed).collect();
    assert!(new.is_empty(), "{} new mistakes:\n{new:#?}", new.len());
    let found: Vec<&String> = listed.difference(&wrong).collect();
    if !found.is_empty() && std::env::var_os("UPDATE_CONFORMANCE").is_some() {
        let left: Vec<&str> = listed.intersection(&wrong).map(String::as_str).collect();
        let text = left.iter().map(|line| format!("{line}\n")).collect::<String>();
        fs::write(home().join("missed.txt"), text).expect("the list can be written");
        return;
    }
    assert!(found.is_empty(), "right by now; UPDATE_CONFORMANCE=1 takes these lines out of missed.txt:\n{found:#?}");
}

#[test]
fn the_recordings_hold_both_kinds_from_both_sides() {
    let broken_by = |side: &str| {
        PLAYED.iter().filter(|one| one.breaks().any(|(any_of, _)| any_of.iter().any(|(_, by)| by == side))).count()
    };
    let legal = PLAYED.iter().filter(|one| one.breaks().next().is_none() && !one.is_undefined()).count();
    let counts = (broken_by("client"), broken_by("server"), legal);
    assert!(counts.0 > 500 && counts.1 > 250 && counts.2 > 250, "{counts:?}");
}

/// Every connection of these cases that breaks `rule` on purpose names it, with the packet and the section.
fn is_named(cases: &[&str], rule: &str, reference: &str) {
    let listed = missed();
    let of_cases =
        |one: &&Played| cases.iter().any(|case| one.case == *case || one.case.starts_with(&format!("{case}.")));
    let mut seen = BTreeSet::new();
    for one in PLAYED.iter().filter(of_cases) {
        let breaks = one.breaks().flat_map(|(any_of, _)| any_of).find(|(name, _)| name == rule);
        let Some((_, side)) = breaks else { continue };
        if listed.iter().any(|line| line.starts_with(&format!("{} {}: not named", one.run, one.case))) {
            continue;
        }
        let found = list(&one.said["violations"]).find(|each| each["rule"] == rule && each["side"] == *side);
        let found = found.unwrap_or_else(|| panic!("{} {}: {}", one.run, one.case, one.said["violations"]));
        assert!(found["packet"].as_u64().is_some_and(|packet| packet > 0), "{} {}: {found}", one.run, one.case);
        assert_eq!(found["reference"], reference, "{} {}", one.run, one.case);
        seen.insert(side);
    }
    assert!(!seen.is_empty(), "no recording of {cases:?}");
}

#[test]
fn row_75_unmasked_clients_and_masked_servers_before_real_programs() {
    is_named(&["masking"], "unmasked_client_frame", "RFC 6455 §5.1");
    is_named(&["masking"], "masked_server_frame", "RFC 6455 §5.1");
}

#[test]
fn row_76_reserved_bits_before_real_programs() {
    is_named(&["3", "rsv1"], "rsv_nonzero", "RFC 6455 §5.2");
    is_named(&["rsv1"], "rsv1_on_control", "RFC 7692 §6");
    is_named(&["rsv1"], "rsv1_on_continuation", "RFC 7692 §6");
}

#[test]
fn row_77_reserved_opcodes_before_real_programs() {
    is_named(&["4", "stream"], "reserved_opcode", "RFC 6455 §5.2");
}

#[test]
fn row_78_long_and_fragmented_control_frames_before_real_programs() {
    is_named(&["2.5", "7.3.6"], "control_frame_too_long", "RFC 6455 §5.5");
    is_named(&["5.1", "5.2", "frames"], "control_frame_fragmented", "RFC 6455 §5.5");
}

#[test]
fn row_79_orphan_continuations_and_nested_messages_before_real_programs() {
    is_named(&["5"], "unexpected_continuation", "RFC 6455 §5.4");
    is_named(&["5.18", "frames"], "interleaved_data_frame", "RFC 6455 §5.4");
}

#[test]
fn row_80_lengths_that_are_not_minimal_before_real_programs() {
    is_named(&["length"], "bad_length_encoding", "RFC 6455 §5.2");
}

#[test]
fn row_61_text_that_is_not_utf8_before_real_programs() {
    is_named(&["6", "frames", "deflate"], "invalid_utf8_text", "RFC 6455 §8.1");
}

#[test]
fn row_68_illegal_close_codes_before_real_programs() {
    is_named(&["7.9", "frames"], "close_code_invalid", "RFC 6455 §7.4");
    // Of 5000 and 65535 the RFC says nothing; the report does.
    let above: Vec<&Played> = PLAYED.iter().filter(|one| one.case.starts_with("7.13.")).collect();
    assert!(above.iter().all(|one| one.violations().iter().any(|(rule, _)| rule == "close_code_invalid")));
}

#[test]
fn row_69_damaged_close_frames_before_real_programs() {
    is_named(&["7.3.2"], "close_payload_one_byte", "RFC 6455 §5.5.1");
    is_named(&["7.5.1"], "invalid_utf8_close_reason", "RFC 6455 §5.5.1");
}

#[test]
fn row_70_data_after_close_before_real_programs() {
    is_named(&["7.1", "frames"], "data_after_close", "RFC 6455 §5.5.1");
}
