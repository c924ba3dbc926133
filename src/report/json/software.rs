//! Which WebSocket library speaks on each side, as JSON.

use crate::software::{KnownBy, Recognition, Sureness};
use serde::Serialize;

/// The library of one side.
#[derive(Debug, Serialize)]
pub(super) struct StackObject {
    name: Option<String>,
    title: Option<String>,
    version: Option<String>,
    confidence: Option<&'static str>,
    known_by: Vec<&'static str>,
    packets: Vec<u64>,
    alternatives: Vec<String>,
}

/// The library of one side; `None` when nothing tells of any.
pub(super) fn stack(found: &Recognition) -> Option<StackObject> {
    let alternatives: Vec<String> = found.others().map(|stack| stack.title.to_string()).collect();
    if found.stack().is_none() && alternatives.is_empty() {
        return None;
    }
    Some(StackObject {
        name: found.stack().map(|stack| stack.name.to_string()),
        title: found.stack().map(|stack| stack.title.to_string()),
        version: found.version().map(str::to_owned),
        confidence: found.sureness().map(Sureness::name),
        known_by: found.known_by().iter().copied().map(KnownBy::name).collect(),
        packets: found.packets().iter().map(|at| at.packet.value()).collect(),
        alternatives,
    })
}
