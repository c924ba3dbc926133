//! Every recorded case against what is true about it: `fixtures/<family>/<case>/case.toml`.

mod common;

use common::case::{Case, Expected};
use common::{Analysis, analyse, at_key};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// One thing that is not as it should be.
struct Mismatch {
    /// Empty for one of the whole capture.
    stream: Option<u64>,
    key: String,
    expected: String,
    got: String,
}

#[test]
fn every_recorded_case_is_reported_as_it_was() {
    let cases = Case::all();
    let (mut report, mut wrong, mut by_key) = (String::new(), 0, BTreeMap::<String, usize>::new());
    let mut connections = 0;
    for case in &cases {
        connections += case.connections.len();
        let mismatches = match analyse(case.open()) {
            Ok(analysis) => mismatches(case, &analysis),
            Err(error) => vec![whole("capture", "readable".into(), error.to_string())],
        };
        if mismatches.is_empty() {
            continue;
        }
        wrong += 1;
        let _ = writeln!(report, "\n{}", case.name);
        for Mismatch { stream, key, expected, got } in mismatches {
            let stream = stream.map_or("-".to_owned(), |stream| stream.to_string());
            let _ = writeln!(report, "  stream {stream:<3} {key:<30} expected {expected:<28} got {got}");
            *by_key.entry(key).or_default() += 1;
        }
    }
    let keys: Vec<String> = by_key.iter().map(|(key, count)| format!("{key}: {count}")).collect();
    assert!(
        wrong == 0,
        "{wrong} of {} cases ({connections} connections) differ\n{report}\nby key: {}\n",
        cases.len(),
        keys.join(", ")
    );
}

fn mismatches(case: &Case, analysis: &Analysis) -> Vec<Mismatch> {
    let mut found = Vec::new();
    if let Some(damage) = &analysis.damage {
        found.push(whole("damage", "none".into(), damage.to_string()));
    }
    let listed: BTreeSet<u64> = case.connections.iter().map(|expected| expected.stream).collect();
    for connection in &analysis.connections {
        let stream = connection["stream"].as_u64().unwrap_or(u64::MAX);
        if !listed.contains(&stream) {
            let cause = connection["diagnosis"]["cause"].to_string();
            found.push(Mismatch {
                stream: Some(stream),
                key: "connection".into(),
                expected: "not reported".into(),
                got: cause,
            });
        }
    }
    let counted =
        case.connections.iter().filter(|expected| expected.counted_as.as_deref() == Some("tls_unread")).count();
    if analysis.summary.tls != counted as u64 {
        found.push(whole("other.tls_unread", counted.to_string(), analysis.summary.tls.to_string()));
    }
    for expected in &case.connections {
        match &analysis.on_stream(expected.stream).collect::<Vec<_>>()[..] {
            [connection] if expected.counted_as.is_none() => found.extend(differences(expected, connection)),
            [] if expected.counted_as.is_some() => {}
            reports => found.push(Mismatch {
                stream: Some(expected.stream),
                key: "connection".into(),
                expected: expected.counted_as.as_ref().map_or("reported once".into(), |_| "only counted".into()),
                got: format!("{} reports", reports.len()),
            }),
        }
    }
    found
}

fn differences(expected: &Expected, connection: &Value) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let mut differs = |key: &str, expected_value: String, got: String| {
        found.push(Mismatch { stream: Some(expected.stream), key: key.to_owned(), expected: expected_value, got });
    };
    for (key, value) in &expected.expect {
        match at_key(connection, key) {
            Some(got) if same(got, value) => {}
            Some(got) => {
                let rule = if key.starts_with("diagnosis.") { &connection["diagnosis"]["rule"] } else { &Value::Null };
                let by = rule.as_str().map(|rule| format!(" (rule {rule})")).unwrap_or_default();
                differs(key, value.to_string(), format!("{got}{by}"));
            }
            None => differs(key, value.to_string(), "nothing under this key".into()),
        }
    }
    let diagnosis = &connection["diagnosis"];
    for key in ["rule", "cause", "party", "confidence", "title", "explanation"] {
        if diagnosis[key].as_str().is_none_or(str::is_empty) {
            differs(&format!("diagnosis.{key}"), "a text".into(), diagnosis[key].to_string());
        }
    }
    // Doubt may be wrong; certainty may not.
    let cause = diagnosis["cause"].as_str().unwrap_or_default();
    if let Some(truth) = expected.true_cause()
        && diagnosis["confidence"] == "certain"
        && cause != truth
    {
        differs("certain and wrong", truth.to_owned(), format!("{cause} (rule {})", diagnosis["rule"]));
    }
    found
}

/// JSON has one kind of number.
fn same(got: &Value, expected: &Value) -> bool {
    match (got.as_f64(), expected.as_f64()) {
        (Some(got), Some(expected)) => got == expected,
        _ => got == expected,
    }
}

fn whole(key: &str, expected: String, got: String) -> Mismatch {
    Mismatch { stream: None, key: key.into(), expected, got }
}
