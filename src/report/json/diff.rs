//! Two captures compared, as JSON.

use super::SCHEMA;
use crate::fleet::changes::{LEVEL, Row};
use crate::report::Speaker;
use crate::report::diff::{Compared, Surveyed};
use serde::Serialize;

/// How two captures differ.
#[derive(Debug, Serialize)]
pub struct DiffObject {
    r#type: &'static str,
    schema: &'static str,
    before: SideObject,
    after: SideObject,
    worse: bool,
    better: bool,
    changed: bool,
    level: f64,
    abnormal: RowObject,
    causes: Vec<NamedRowObject>,
    rules: Vec<RuleRowObject>,
    parties: Vec<NamedRowObject>,
}

#[derive(Debug, Serialize)]
struct SideObject {
    capture: String,
    duration_s: Option<f64>,
    connections: u64,
    ended: u64,
    still_open: u64,
    incomplete: bool,
}

#[derive(Debug, Serialize)]
struct RowObject {
    before: u64,
    after: u64,
    per_100_before: Option<f64>,
    per_100_after: Option<f64>,
    per_hour_before: Option<f64>,
    per_hour_after: Option<f64>,
    change: &'static str,
    chance: f64,
}

#[derive(Debug, Serialize)]
struct NamedRowObject {
    name: &'static str,
    #[serde(flatten)]
    row: RowObject,
}

#[derive(Debug, Serialize)]
struct RuleRowObject {
    rule: String,
    title: String,
    cause: &'static str,
    party: &'static str,
    #[serde(flatten)]
    row: RowObject,
}

impl DiffObject {
    /// The comparison of two captures.
    #[must_use]
    pub fn new(compared: &Compared, speaker: &Speaker) -> Self {
        let row = |row: &Row<()>| RowObject::new(row, compared);
        Self {
            r#type: "diff",
            schema: SCHEMA,
            before: SideObject::new(&compared.before),
            after: SideObject::new(&compared.after),
            worse: compared.is_worse(),
            better: compared.is_better(),
            changed: compared.is_changed(),
            level: LEVEL,
            abnormal: row(&compared.abnormal),
            causes: compared
                .causes
                .iter()
                .map(|one| NamedRowObject { name: one.key.name(), row: row(&one.plain()) })
                .collect(),
            rules: compared
                .rules
                .iter()
                .map(|one| RuleRowObject {
                    rule: one.key.0.as_str().to_owned(),
                    title: speaker.title(&one.key.0).to_owned(),
                    cause: one.key.1.name(),
                    party: one.key.2.name(),
                    row: row(&one.plain()),
                })
                .collect(),
            parties: compared
                .parties
                .iter()
                .map(|one| NamedRowObject { name: one.key.name(), row: row(&one.plain()) })
                .collect(),
        }
    }
}

impl RowObject {
    fn new(row: &Row<()>, compared: &Compared) -> Self {
        let Row { before, after, change, chance, .. } = *row;
        Self {
            before,
            after,
            per_100_before: compared.before.per_100(before),
            per_100_after: compared.after.per_100(after),
            per_hour_before: compared.before.per_hour(before),
            per_hour_after: compared.after.per_hour(after),
            change: change.name(),
            chance,
        }
    }
}

impl SideObject {
    fn new(side: &Surveyed) -> Self {
        let ended = side.ended();
        Self {
            capture: side.name.clone(),
            duration_s: side.duration_s,
            connections: side.counts.total,
            ended,
            still_open: side.counts.total.saturating_sub(ended),
            incomplete: side.incomplete,
        }
    }
}
