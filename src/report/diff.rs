//! Two captures compared, for a person.

use super::Speaker;
use super::layout::{columns, wrap};
use super::text::TextReport;
use crate::diagnosis::{Cause, Party, RuleId, printable};
use crate::fleet::Counts;
use crate::fleet::changes::{Change, Row, ended, is_abnormal, rows};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Captures whose lengths differ by more than this factor are said to.
const LENGTHS: f64 = 1.25;

/// One of two captures to compare.
#[derive(Debug, Clone, Default)]
pub struct Surveyed {
    /// Its name, harmless to print.
    pub name: String,
    /// Seconds from its first packet to its last.
    pub duration_s: Option<f64>,
    /// What its connections ended with.
    pub counts: Counts,
    /// It was damaged or could not be read to its end.
    pub incomplete: bool,
}

impl Surveyed {
    /// Connections that ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        ended(&self.counts)
    }

    /// So many an hour; `None` for a capture without a length.
    #[must_use]
    pub fn per_hour(&self, count: u64) -> Option<f64> {
        self.duration_s.filter(|seconds| *seconds >= 1.0).map(|seconds| count as f64 * 3600.0 / seconds)
    }

    /// So many of a hundred that ended; `None` when none did.
    #[must_use]
    pub fn per_100(&self, count: u64) -> Option<f64> {
        let ended = self.ended();
        (ended > 0).then(|| count as f64 * 100.0 / ended as f64)
    }
}

/// Two captures, and how they differ.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The earlier one.
    pub before: Surveyed,
    /// The later one.
    pub after: Surveyed,
    /// By cause.
    pub causes: Vec<Row<Cause>>,
    /// By rule.
    pub rules: Vec<Row<(RuleId, Cause, Party)>>,
    /// By who must act.
    pub parties: Vec<Row<Party>>,
    /// All that somebody should look at.
    pub abnormal: Row<()>,
}

impl Compared {
    /// Compares two captures. Connections that the end of a capture cut off are left out.
    #[must_use]
    pub fn new(before: Surveyed, after: Surveyed) -> Self {
        let sides = (before.ended(), after.ended());
        let (first, second) = (&before.counts, &after.counts);
        let causes = |counts: &Counts| -> Vec<(Cause, u64)> {
            counts.by_cause.iter().filter(|(cause, _)| **cause != Cause::StillOpen).map(|(k, v)| (*k, *v)).collect()
        };
        let each = |counts: &Counts| -> Vec<((RuleId, Cause, Party), u64)> {
            let ended = counts.by_rule_and_party.iter().filter(|((_, cause, _), _)| *cause != Cause::StillOpen);
            ended.map(|(key, count)| (key.clone(), *count)).collect()
        };
        let parties = |counts: &Counts| each(counts).into_iter().map(|((.., party), count)| (party, count));
        let abnormal = |counts: &Counts| {
            causes(counts).into_iter().filter(|(cause, _)| is_abnormal(*cause)).map(|(_, count)| ((), count))
        };
        let all = rows(abnormal(first), abnormal(second), sides).into_iter().next();
        let (change, chance) = Change::between((0, sides.0), (0, sides.1));
        let abnormal = all.unwrap_or(Row { key: (), before: 0, after: 0, change, chance });
        let (mut of_causes, mut of_rules) =
            (rows(causes(first), causes(second), sides), rows(each(first), each(second), sides));
        // What nobody needs to look at comes last.
        of_causes.sort_by_key(|row| !is_abnormal(row.key));
        of_rules.sort_by_key(|row| !is_abnormal(row.key.1));
        Self {
            causes: of_causes,
            rules: of_rules,
            parties: rows(parties(first), parties(second), sides),
            abnormal,
            before,
            after,
        }
    }

    /// Whether something that somebody should look at is new or more frequent.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        let worse = |change| matches!(change, Change::New | Change::More);
        worse(self.abnormal.change) || self.causes.iter().any(|row| is_abnormal(row.key) && worse(row.change))
    }

    /// Whether something that somebody should look at is gone or less frequent.
    #[must_use]
    pub fn is_better(&self) -> bool {
        let better = |change| matches!(change, Change::Gone | Change::Fewer);
        better(self.abnormal.change) || self.causes.iter().any(|row| is_abnormal(row.key) && better(row.change))
    }

    /// Whether any cause came, went, or became more or less frequent.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.causes.iter().any(|row| !matches!(row.change, Change::Same | Change::TooFew))
    }

    /// The shorter of two lengths that differ, in seconds.
    #[must_use]
    pub fn shorter_s(&self) -> Option<f64> {
        let (before, after) = (self.before.duration_s?, self.after.duration_s?);
        let (short, long) = (before.min(after), before.max(after));
        (long > short * LENGTHS).then_some(short)
    }

    /// The comparison as text of at most `width` columns where its tables allow it.
    #[must_use]
    pub fn text(&self, speaker: &Speaker, width: usize) -> String {
        Page { compared: self, speaker, width }.text()
    }
}

struct Page<'a> {
    compared: &'a Compared,
    speaker: &'a Speaker,
    width: usize,
}

impl Page<'_> {
    fn text(&self) -> String {
        let Compared { before, after, .. } = self.compared;
        let mut out = String::new();
        let _ = writeln!(out, "{STRONG}{}{STRONG:#}", self.say("title"));
        for (key, side) in [("before", before), ("after", after)] {
            wrap(&mut out, &self.side(key, side), 0, 2, self.width);
        }
        if let Some(shorter) = self.compared.shorter_s() {
            let span = self.duration(shorter);
            let text = self.speaker.of_many("diff.lengths", &[("span", &span)]);
            wrap(&mut out, &format!("{DIM}{text}{DIM:#}"), 0, 2, self.width);
        }
        if before.ended() == 0 && after.ended() == 0 {
            let _ = writeln!(out, "\n{}", self.say("none"));
            return out;
        }
        out.push('\n');
        let style = if self.compared.is_worse() { BAD } else { GOOD };
        wrap(&mut out, &format!("{style}{}{style:#}", self.say(self.verdict())), 0, 2, self.width);
        let rules = self.compared.rules.iter().map(|row| (self.speaker.title(&row.key.0).to_owned(), row.plain()));
        let causes = self.compared.causes.iter().map(|row| (row.key.name().to_owned(), row.plain()));
        let abnormal = (self.say("abnormal").to_owned(), self.compared.abnormal.plain());
        let parties = self.compared.parties.iter().map(|row| (row.key.name().to_owned(), row.plain()));
        self.table(&mut out, "cause", &causes.chain([abnormal]).collect::<Vec<_>>());
        self.table(&mut out, "rule", &rules.collect::<Vec<_>>());
        self.table(&mut out, "party", &parties.collect::<Vec<_>>());
        out.push('\n');
        wrap(&mut out, &format!("{DIM}{}{DIM:#}", self.say("method")), 0, 2, self.width);
        out
    }

    fn verdict(&self) -> &'static str {
        let compared = self.compared;
        if compared.is_worse() {
            "worse"
        } else if compared.is_better() {
            "better"
        } else if compared.abnormal.change == Change::TooFew {
            "too_few"
        } else {
            "same"
        }
    }

    fn side(&self, key: &str, side: &Surveyed) -> String {
        let ended = side.ended();
        let values = [
            ("side", self.say(key)),
            ("name", &*side.name),
            ("span", &side.duration_s.map_or_else(|| "?".to_owned(), |seconds| self.duration(seconds))),
            ("ended", &self.speaker.number(ended)),
            ("open", &self.speaker.number(side.counts.total.saturating_sub(ended))),
        ];
        self.speaker.of_many("diff.side", &values)
    }

    /// One line for each row: counts, shares and rates of both sides, how it changed, and what it is.
    fn table(&self, out: &mut String, heading: &str, rows: &[(String, Row<()>)]) {
        if rows.is_empty() {
            return;
        }
        let (before, after) = (self.say("before").to_owned(), self.say("after").to_owned());
        let (share, hour) = (self.say("share").to_owned(), self.say("hour").to_owned());
        let mut lines: Vec<([String; 5], String)> =
            vec![([before, after, share, hour, self.say("changed").to_owned()], self.say(heading).to_owned())];
        lines.extend(rows.iter().map(|(name, row)| (self.cells(row), printable(name))));
        let widths: Vec<usize> =
            (0..5).map(|cell| lines.iter().map(|(cells, _)| columns(&cells[cell])).max().unwrap_or(0)).collect();
        out.push('\n');
        for (place, (cells, name)) in lines.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                let pad = " ".repeat(width - columns(cell));
                // What is no number begins on the left.
                let is_text = std::ptr::eq(cell, &cells[4]);
                let _ = if is_text { write!(line, "{cell}{pad}  ") } else { write!(line, "{pad}{cell}  ") };
            }
            let used = columns(&line);
            let style = match (place, rows.get(place.wrapping_sub(1)).map(|(_, row)| row.change)) {
                (0, _) => DIM,
                (_, Some(Change::Same | Change::TooFew)) => Style::new(),
                _ => STRONG,
            };
            let _ = write!(out, "{style}{line}{style:#}");
            wrap(out, &format!("{style}{name}{style:#}"), used, used.min(self.width / 2), self.width);
        }
    }

    fn cells(&self, row: &Row<()>) -> [String; 5] {
        let Compared { before, after, .. } = self.compared;
        let pair = |first: Option<f64>, second: Option<f64>| {
            let one = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| self.decimal(value));
            format!("{} → {}", one(first), one(second))
        };
        [
            self.speaker.number(row.before),
            self.speaker.number(row.after),
            pair(before.per_100(row.before), after.per_100(row.after)),
            pair(before.per_hour(row.before), after.per_hour(row.after)),
            self.speaker.of_many(&format!("diff.change.{}", row.change.name()), &[]),
        ]
    }

    fn decimal(&self, value: f64) -> String {
        // Beyond a thousand a tenth tells nothing.
        if value >= 1000.0 { self.speaker.number(value.round() as u64) } else { self.speaker.tenths(value) }
    }

    fn say(&self, key: &str) -> &'static str {
        self.speaker.say_of_many(&format!("diff.{key}"))
    }

    fn duration(&self, seconds: f64) -> String {
        TextReport::new(self.speaker, self.width).duration(seconds)
    }
}
