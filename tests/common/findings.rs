//! What is left of a connection's report when the accidents of its packets are taken away.

use serde_json::Value;

/// Everything that is told about a connection, without packet numbers, points of capture and copies of packets, and the name of the capture.
///
/// Equal for two captures of the same bytes at the same times, however they were cut into segments.
pub fn story(connection: &Value) -> Value {
    let mut story = connection.clone();
    let of_packets = ["capture", "notes", "packets", "copies", "hops"];
    strip(&mut story, &|key| of_packets.contains(&key) || key.ends_with("packet"));
    story
}

/// What was found: frames, messages, closes, violations and the diagnosis, but neither when nor from how many packets.
///
/// Equal for two captures of the same conversation that differ in timing, order or number of packets.
pub fn findings(connection: &Value) -> Value {
    let mut findings = story(connection);
    // Who is left with TIME_WAIT is a matter of the last packets.
    let of_time = ["time", "start", "end", "timing", "evidence", "explanation", "time_wait_side"];
    strip(&mut findings, &|key| of_time.contains(&key) || key.ends_with("_s"));
    findings
}

/// The same without what the addresses decide, for conversations of other endpoints.
pub fn findings_anywhere(connection: &Value) -> Value {
    let mut findings = findings(connection);
    strip(&mut findings, &|key| ["stream", "community_id", "ip", "port", "host"].contains(&key));
    findings
}

fn strip(value: &mut Value, is_left_out: &impl Fn(&str) -> bool) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !is_left_out(key));
            fields.values_mut().for_each(|inner| strip(inner, is_left_out));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| strip(inner, is_left_out)),
        _ => {}
    }
}

/// The first place where two values differ, as `key.key: one ≠ other`.
pub fn difference(one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let of = |fields: &serde_json::Map<String, Value>| fields.get(key).cloned().unwrap_or("nothing".into());
                difference(&of(a), &of(b)).map(|rest| format!("{key}.{rest}"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let differing = a.iter().zip(b).enumerate();
            differing.into_iter().find_map(|(i, (a, b))| difference(a, b).map(|rest| format!("{i}.{rest}")))
        }
        _ => (one != other).then(|| format!(": {one} ≠ {other}")),
    }
}
