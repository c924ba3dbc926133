//! What several integration tests need: the library's whole path over a capture, and the recorded cases of `fixtures/`.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses its own part of this")]

pub mod case;
pub mod findings;
pub mod labelled;
pub mod program;

use serde_json::Value;
use std::io::Read;
use std::sync::LazyLock;
use wsdissect::capture::{CaptureError, Reader};
use wsdissect::catalog::language::Language;
use wsdissect::report::Speaker;
use wsdissect::report::json::ConnectionObject;
use wsdissect::{Analyzer, Options, Summary};

/// What the library says about one capture.
pub struct Analysis {
    /// The JSON objects of the connections, in the order of their first packets.
    pub connections: Vec<Value>,
    pub summary: Summary,
    /// What made reading stop before the end.
    pub damage: Option<CaptureError>,
}

impl Analysis {
    /// The connections on this TCP connection.
    pub fn on_stream(&self, stream: u64) -> impl Iterator<Item = &Value> {
        self.connections.iter().filter(move |connection| connection["stream"] == stream)
    }
}

/// Reads, analyses and reports a capture, in English.
///
/// # Errors
/// When not even the start of the input is a capture. What is wrong further on is [`Analysis::damage`].
pub fn analyse(input: impl Read) -> Result<Analysis, CaptureError> {
    analyse_with(input, Options::default())
}

/// The same with options of one's own.
///
/// # Errors
/// As [`analyse`].
pub fn analyse_with(input: impl Read, options: Options) -> Result<Analysis, CaptureError> {
    static SPEAKER: LazyLock<Speaker> = LazyLock::new(|| Speaker::new(Language::En));
    let mut reader = Reader::open(input)?;
    let mut analyzer = Analyzer::new(options);
    let mut connections = Vec::new();
    let mut drain = |analyzer: &mut Analyzer| {
        while let Some(report) = analyzer.next_report() {
            let object = ConnectionObject::new(&report, "capture", &SPEAKER);
            connections.push(serde_json::to_value(object).expect("a report is JSON"));
        }
    };
    let damage = loop {
        match reader.next_packet() {
            Ok(Some(packet)) => analyzer.packet(&packet),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
        drain(&mut analyzer);
    };
    analyzer.finish();
    drain(&mut analyzer);
    connections.sort_by_key(|connection| connection["first_packet"].as_u64());
    Ok(Analysis { connections, summary: analyzer.summary(), damage })
}

/// The value that a dotted key names: `"close.code"`, `"violations.0.rule"`.
pub fn at_key<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(object, |value, part| match value {
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        _ => value.get(part),
    })
}
