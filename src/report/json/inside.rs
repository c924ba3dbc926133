//! What a connection's messages are, as JSON: how many and how large, of which application protocol, and on request their
//! beginnings.

use super::connection::{Maybe, Sides, why_frames_unknown};
use crate::connection::{Connection, LastMessage, Meaning, MessageNote, Opcode, Preview, Previews, Traffic};
use crate::evidence::{FactId, Known, WhyUnknown};
use crate::fleet::ConnectionReport;
use crate::report::{Speaker, close_meaning};
use crate::units::Side;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
pub(super) struct MessageCounts {
    text: u64,
    binary: u64,
    unread: u64,
    json: Option<bool>,
    sizes: BTreeMap<String, u32>,
    largest: Option<LargestObject>,
    last: Option<LastObject>,
}

#[derive(Debug, Serialize)]
struct LargestObject {
    bytes: u64,
    packet: u64,
}

#[derive(Debug, Serialize)]
struct LastObject {
    kind: &'static str,
    bytes: u64,
    complete: bool,
    packet: u64,
}

impl MessageCounts {
    pub(super) fn of(traffic: &Traffic, json: Option<bool>) -> Self {
        let classes = traffic.sizes.classes().filter(|(_, count)| *count > 0);
        let largest = traffic.sizes.largest();
        Self {
            text: traffic.text_messages,
            binary: traffic.binary_messages,
            unread: traffic.unread_messages,
            json,
            sizes: classes
                .map(|(up_to, count)| (up_to.map_or_else(|| "more".to_owned(), |up_to| up_to.to_string()), count))
                .collect(),
            largest: largest.map(|(bytes, at)| LargestObject { bytes, packet: at.packet.value() }),
            last: traffic.current_or_last().as_ref().map(LastObject::from),
        }
    }
}

impl From<&MessageNote> for LastObject {
    fn from(note: &MessageNote) -> Self {
        let packet = note.last.unwrap_or(note.first).packet.value();
        Self { kind: kind_name(note.kind), bytes: note.size, complete: note.complete, packet }
    }
}

fn kind_name(kind: Opcode) -> &'static str {
    if kind == Opcode::Text { "text" } else { "binary" }
}

#[derive(Debug, Serialize)]
pub(super) struct ApplicationObject {
    name: String,
    title: String,
    known_by: &'static str,
    confidence: &'static str,
    packet: Option<u64>,
    close: Option<CloseMeaningObject>,
    end: Maybe<Option<EndObject>>,
    last_messages: Sides<Maybe<Option<LastMessageObject>>>,
}

#[derive(Debug, Serialize)]
struct CloseMeaningObject {
    code: u16,
    meaning: Option<String>,
    text: String,
}

#[derive(Debug, Serialize)]
struct EndObject {
    text: String,
    group: String,
    side: String,
    party: Option<String>,
    retry: Option<String>,
    advice: Option<String>,
    packet: Option<u64>,
}

#[derive(Debug, Serialize)]
struct LastMessageObject {
    kind: String,
    code: Option<i64>,
    meaning: Option<String>,
    text: Option<String>,
    packet: u64,
}

/// The application protocol; null when it is none that is known.
pub(super) fn application(report: &ConnectionReport, speaker: &Speaker) -> Maybe<Option<ApplicationObject>> {
    let connection = &*report.connection;
    let Some(application) = connection.application.as_deref() else {
        return match FactId::by_name("app.protocol").map(|fact| report.facts.get(fact)) {
            Some(Known::Unknown(why)) => Maybe::unknown(*why),
            _ => Maybe::Value(None),
        };
    };
    Maybe::Value(Some(ApplicationObject {
        name: application.protocol.name.to_string(),
        title: application.protocol.title.to_string(),
        known_by: application.known_by.name(),
        confidence: application.known_by.confidence(),
        packet: application.at.map(|at| at.packet.value()),
        close: close_meaning(connection).map(|(code, means)| CloseMeaningObject {
            code,
            meaning: key(means),
            text: speaker.means(means),
        }),
        end: end(report, speaker),
        last_messages: Sides::of(|side| last_message(connection, side, &application.last[side], speaker)),
    }))
}

/// The stable name of a meaning; a user's own has none.
fn key(means: &Meaning) -> Option<String> {
    (!means.is_own).then(|| means.key.to_string())
}

/// What the application said of the end, as the facts have it.
fn end(report: &ConnectionReport, speaker: &Speaker) -> Maybe<Option<EndObject>> {
    let evidence = |name: &str| FactId::by_name(name).map(|fact| report.facts.evidence(fact));
    let written = |name: &str| evidence(name)?.value.seen()?.text().map(str::to_owned);
    let worded = |name: &str| evidence(name).and_then(|evidence| speaker.seen(evidence));
    match evidence("app.end_meaning").map(|evidence| &evidence.value) {
        Some(Known::Unknown(why)) => Maybe::unknown(*why),
        Some(Known::Seen(_)) => Maybe::Value(Some(EndObject {
            text: worded("app.end_meaning").unwrap_or_default(),
            group: written("app.end_group").unwrap_or_default(),
            side: written("app.end_side").unwrap_or_default(),
            party: written("app.fault"),
            retry: written("app.retry"),
            advice: worded("app.advice"),
            packet: evidence("app.end_meaning").and_then(|found| found.packets.as_slice().first()).map(|at| at.value()),
        })),
        _ => Maybe::Value(None),
    }
}

fn last_message(
    connection: &Connection,
    side: Side,
    last: &LastMessage,
    speaker: &Speaker,
) -> Maybe<Option<LastMessageObject>> {
    if let Some(why) = why_frames_unknown(connection, side) {
        return Maybe::unknown(why);
    }
    match last {
        LastMessage::None | LastMessage::Other => Maybe::Value(None),
        LastMessage::Unread => Maybe::unknown(WhyUnknown::NotCaptured),
        LastMessage::Read { reading, at } => Maybe::Value(Some(LastMessageObject {
            kind: reading.kind.to_string(),
            code: reading.code,
            meaning: reading.means.as_deref().and_then(key),
            text: reading.means.as_deref().map(|means| speaker.means(means)),
            packet: at.packet.value(),
        })),
    }
}

/// The beginnings of messages, which only `--show-payload` asks for.
#[derive(Debug, Serialize)]
pub(super) struct PayloadsObject {
    skipped: u64,
    messages: Vec<PayloadObject>,
}

#[derive(Debug, Serialize)]
struct PayloadObject {
    side: &'static str,
    number: u64,
    packet: u64,
    kind: &'static str,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

impl From<&Previews> for PayloadsObject {
    fn from(previews: &Previews) -> Self {
        Self { skipped: previews.skipped(), messages: previews.iter().map(PayloadObject::from).collect() }
    }
}

impl From<&Preview> for PayloadObject {
    fn from(preview: &Preview) -> Self {
        let text = preview.text().map(str::to_owned);
        Self {
            side: preview.side.name(),
            number: preview.number,
            packet: preview.at.packet.value(),
            kind: kind_name(preview.kind),
            bytes: preview.size,
            hex: text.is_none().then(|| preview.hex()),
            text,
        }
    }
}
