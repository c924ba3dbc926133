//! The report for a person: the verdict first, grouped by cause and worst first, each with one example that proves it.
//!
//! Styles are always written; whoever owns the terminal strips them where they do not belong. Nothing from the wire
//! reaches the output without [`printable`], so that a Close reason cannot move the cursor.

use super::layout::{columns, wrap};
use super::{Closing, Speaker, code_name, violation_reference};
use crate::connection::{ClosePayload, Opcode};
use crate::connection::{Connection, Observation, Observed};
use crate::diagnosis::printable;
use crate::diagnosis::{Cause, Confidence, Who};
use crate::evidence::{Evidence, Known};
use crate::fleet::ConnectionReport;
use crate::fleet::{self, Incident};
use crate::units::Origin;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default();

/// Columns before the text of a block.
const INDENT: usize = 6;

/// Pieces of evidence shown of an example; the JSON output has all.
const MOST_PROOFS: usize = 4;

/// Observations shown of an example's last moments.
const LAST_MOMENTS: usize = 6;

/// The same when the capture holds nothing else.
const LAST_MOMENTS_ALONE: usize = 14;

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes reports of one width in one language.
#[derive(Debug)]
pub struct TextReport<'a> {
    speaker: &'a Speaker,
    width: usize,
}

impl<'a> TextReport<'a> {
    /// A report that keeps to `width` columns, at least 40.
    #[must_use]
    pub fn new(speaker: &'a Speaker, width: usize) -> Self {
        Self { speaker, width: width.max(40) }
    }

    /// The whole first screen: what was read, how good it is, and each incident with its proof.
    #[must_use]
    pub fn overview(&self, closing: &Closing<'_>, incidents: &[&Incident]) -> String {
        let mut out = String::new();
        self.head(&mut out, closing);
        self.quality(&mut out, closing, incidents);
        let is_alone = matches!(incidents, [incident] if incident.count == 1);
        let moments = if is_alone { LAST_MOMENTS_ALONE } else { LAST_MOMENTS };
        for incident in incidents {
            out.push('\n');
            self.incident(&mut out, incident, moments);
        }
        if incidents.is_empty() {
            out.push('\n');
            self.nothing(&mut out, closing);
        }
        out
    }

    /// One connection: verdict, reasons, and its whole timeline.
    #[must_use]
    pub fn connection(&self, report: &ConnectionReport) -> String {
        let mut out = String::new();
        let connection = &report.connection;
        let name = self.speaker.say_with(
            "connection.head",
            &[
                ("stream", &connection.id.flow.to_string()),
                ("client", &connection.endpoints.client.to_string()),
                ("server", &connection.endpoints.server.to_string()),
            ],
        );
        let _ = writeln!(out, "{}", styled(STRONG, &name));
        self.verdict(&mut out, &self.face(fleet::Closing::of(report)), report, report.diagnosis.confidence, "");
        self.reasons(&mut out, report);
        self.moments(&mut out, report, usize::MAX);
        out
    }

    fn head(&self, out: &mut String, closing: &Closing<'_>) {
        let summary = &closing.summary;
        let _ = writeln!(out, "{}", styled(STRONG, &printable(closing.capture)));
        let mut parts = Vec::new();
        if let Some((first, last)) = summary.span {
            parts.push(self.duration(last.seconds_since(first)));
        }
        for (key, count) in [("head.packets", summary.packets), ("head.connections", summary.connections)] {
            parts.push(self.speaker.say_with(key, &[("count", &self.speaker.number(count))]));
        }
        wrap(out, &parts.join("   "), 0, 2, self.width);
    }

    /// How far the capture can be trusted: one line when it can, a list when it cannot.
    fn quality(&self, out: &mut String, closing: &Closing<'_>, incidents: &[&Incident]) {
        let summary = &closing.summary;
        let mut limits = Vec::new();
        let mut note = |key: &str, count: u64| {
            if count > 0 {
                limits.push(self.speaker.say_with(key, &[("count", &self.speaker.number(count))]));
            }
        };
        note("quality.dropped", closing.dropped.unwrap_or(0));
        note("quality.cut", summary.cut);
        note("quality.fragment_conflicts", summary.fragment_conflicts);
        note("quality.gap", summary.seen_with.gap);
        note("quality.one_sided", summary.seen_with.one_sided);
        note("quality.joined_late", summary.seen_with.joined_late);
        if summary.duplicates > 0 {
            let kinds = summary.copied.named().into_iter().filter(|&(_, count)| count > 0).map(|(kind, _)| kind);
            limits.push(self.copies("quality.duplicates", kinds, summary.duplicates));
        }
        for damage in &closing.damage {
            limits.push(self.speaker.say_with("quality.damage", &[("what", &damage.what)]));
        }
        for (name, count) in summary.limits.named().into_iter().filter(|&(_, count)| count > 0) {
            let count = self.speaker.number(count);
            limits.push(self.speaker.say_with("quality.limit", &[("name", name), ("count", &count)]));
        }
        let label = self.speaker.say("quality.label");
        let text = if limits.is_empty() {
            styled(GOOD, self.speaker.say("quality.good"))
        } else {
            styled(WARN, &self.enumerated(&limits))
        };
        if !incidents.is_empty() || !limits.is_empty() {
            wrap(out, &self.labelled_text(label, &text), 0, 2, self.width);
        }
        self.not_followed(out, closing);
    }

    /// What was in the capture besides WebSocket, so that a missing connection can be explained.
    fn not_followed(&self, out: &mut String, closing: &Closing<'_>) {
        let summary = &closing.summary;
        let mut parts = Vec::new();
        let counts = [
            ("other.http", summary.http),
            ("other.tls", summary.tls),
            ("other.attempts", summary.attempts),
            ("other.tcp", summary.other),
        ];
        for (key, count) in counts.into_iter().filter(|&(_, count)| count > 0) {
            parts.push(self.speaker.say_with(key, &[("count", &self.speaker.number(count))]));
        }
        for (reason, count) in summary.skipped.named().into_iter().filter(|&(_, count)| count > 0) {
            let count = self.speaker.number(count);
            let mut text = self.speaker.say_with(&format!("skipped.{reason}"), &[("count", &count)]);
            if reason == "unknown_link_type" {
                let links = summary.skipped.unknown_links.iter().flatten();
                let names = links.map(|(link, _)| link.name().map_or_else(|| link.0.to_string(), str::to_owned));
                let _ = write!(text, " ({})", names.collect::<Vec<_>>().join(", "));
            }
            parts.push(text);
        }
        if !parts.is_empty() {
            let text = self.labelled_text(self.speaker.say("other.label"), &self.enumerated(&parts));
            wrap(out, &styled(DIM, &text), 0, 2, self.width);
        }
    }

    fn nothing(&self, out: &mut String, closing: &Closing<'_>) {
        let key = if closing.summary.tls > 0 { "nothing.tls" } else { "nothing.none" };
        wrap(out, self.speaker.say(key), 0, 0, self.width);
    }

    fn incident(&self, out: &mut String, incident: &Incident, moments: usize) {
        let face = self.face(incident.key.closing);
        let count = format!("{:>4} × ", self.speaker.number(incident.count));
        self.verdict(out, &face, &incident.example, incident.confidence, &count);
        if is_uneventful(incident.cause) {
            return;
        }
        self.reasons(out, &incident.example);
        self.moments(out, &incident.example, moments);
    }

    /// The headline of a block and the sentence that explains it.
    fn verdict(&self, out: &mut String, face: &str, report: &ConnectionReport, confidence: Confidence, count: &str) {
        let diagnosis = &report.diagnosis;
        let style = if is_uneventful(diagnosis.cause) { GOOD } else { BAD };
        let title = self.speaker.title(&diagnosis.rule);
        let sure = self.speaker.say(&format!("confidence.{}", confidence.name()));
        let mut line = format!("{count}{}  {}", styled(style, face), styled(STRONG, title));
        let tail = format!("[{sure}]");
        let tail = styled(if confidence == Confidence::Certain { GOOD } else { WARN }, &tail);
        let gap = self.width.saturating_sub(columns(&line) + columns(&tail)).max(1);
        if columns(&line) + columns(&tail) < self.width {
            line.push_str(&" ".repeat(gap.min(4)));
            line.push_str(&tail);
            out.push_str(line.trim_end());
            out.push('\n');
        } else {
            wrap(out, &format!("{line} {tail}"), 0, INDENT + 2, self.width);
        }
        let explanation = self.speaker.explanation(report);
        self.labelled(out, "", &explanation);
    }

    /// Why, what to do, and what else it could be.
    fn reasons(&self, out: &mut String, report: &ConnectionReport) {
        let diagnosis = &report.diagnosis;
        if let Some(reason) = close_reason(&report.connection) {
            let quoted = self.speaker.say_with("punctuation.quoted", &[("text", &reason)]);
            self.labelled(out, self.speaker.say("label.reason"), &quoted);
        }
        if let Some(copies) = &report.connection.copies {
            let mut counts = fleet::CopyCounts::default();
            counts.add(copies.seen.kinds());
            let kinds = counts.named().into_iter().filter(|&(_, count)| count > 0).map(|(kind, _)| kind);
            let note = self.copies("quality.duplicates", kinds, copies.segments.into());
            self.labelled(out, self.speaker.say("label.note"), &note);
        }
        let mut proofs = Vec::new();
        for evidence in diagnosis.because.iter().filter(|evidence| is_telling(evidence)).take(MOST_PROOFS) {
            let numbers: Vec<String> = evidence.packets.as_slice().iter().map(ToString::to_string).collect();
            let numbers = styled(DIM, &format!("({})", numbers.join(" ")));
            proofs.push(format!("{} {numbers}", self.speaker.evidence(evidence)));
        }
        self.list(out, self.speaker.say("label.proof"), &proofs);
        let fixes: Vec<String> = diagnosis
            .fixes
            .iter()
            .map(|fix| match fix.who {
                Who::Either => self.speaker.fix(fix).to_owned(),
                who => self.labelled_text(&styled(STRONG, self.speaker.word(who.name())), self.speaker.fix(fix)),
            })
            .collect();
        self.list(out, self.speaker.say("label.fix"), &fixes);
        if diagnosis.confidence != Confidence::Certain {
            let others: Vec<String> = diagnosis
                .alternatives
                .iter()
                .filter(|candidate| !candidate.undecided.is_empty())
                .take(2)
                .map(|candidate| {
                    let title = self.speaker.title(&candidate.rule);
                    match self.speaker.settled_by(candidate) {
                        Some(way) => {
                            let settled = self.labelled_text(self.speaker.say("label.settled"), &way);
                            self.speaker.say_with("punctuation.sentences", &[("first", title), ("second", &settled)])
                        }
                        None => title.to_owned(),
                    }
                })
                .collect();
            self.list(out, self.speaker.say("label.also"), &others);
        }
    }

    /// Which kinds of points recorded `count` segments again.
    fn copies(&self, key: &str, kinds: impl Iterator<Item = &'static str>, count: u64) -> String {
        let kinds: Vec<&str> = kinds.map(|kind| self.speaker.say(&format!("copies.{kind}"))).collect();
        self.speaker.say_with(key, &[("points", &kinds.join(", ")), ("count", &self.speaker.number(count))])
    }

    /// The last observations and the filter that shows them in Wireshark.
    fn moments(&self, out: &mut String, report: &ConnectionReport, most: usize) {
        let connection = &report.connection;
        let all: Vec<&Observation> = connection.timeline.first().iter().chain(connection.timeline.last()).collect();
        let end = connection.first_end().map(|end| end.at.packet);
        let until = match end {
            // What follows the first sign of the end tells little: two lines of it suffice.
            Some(end) => (all.iter().filter(|seen| seen.at.packet <= end).count() + 2).min(all.len()),
            None => all.len(),
        };
        let shown = if most == usize::MAX { &all[..] } else { &all[until.saturating_sub(most)..until] };
        let Some(first) = shown.first() else {
            return;
        };
        let stream = connection.id.flow.to_string();
        let head = self.speaker.say_with(
            "label.stream",
            &[
                ("stream", &stream),
                ("client", &connection.endpoints.client.to_string()),
                ("server", &connection.endpoints.server.to_string()),
            ],
        );
        self.labelled(out, self.speaker.say("label.see"), &head);
        let mut before: Option<Origin> = None;
        for observation in shown {
            if most == usize::MAX && connection.timeline.skipped() > 0 {
                let is_first_of_last =
                    connection.timeline.last().next().is_some_and(|last| std::ptr::eq(last, *observation));
                if is_first_of_last {
                    let count = self.speaker.number(connection.timeline.skipped());
                    let text = self.speaker.say_with("label.skipped", &[("count", &count)]);
                    let _ = writeln!(out, "{}{}", " ".repeat(INDENT + 6), styled(DIM, &text));
                }
            }
            self.moment(out, observation, before, end == Some(observation.at.packet), connection);
            before = Some(observation.at);
        }
        let filter = format!("tcp.stream == {stream} && frame.number >= {}", first.at.packet.value());
        let label = self.speaker.say("label.filter");
        let _ = writeln!(out, "{}{}", " ".repeat(INDENT + 6), styled(DIM, &self.labelled_text(label, &filter)));
    }

    fn moment(
        &self,
        out: &mut String,
        seen: &Observation,
        before: Option<Origin>,
        is_end: bool,
        connection: &Connection,
    ) {
        let packet = format!("{:>7}", seen.at.packet.to_string());
        let when = match (before.and_then(|before| seen.at.seconds_since(&before)), seen.at.time) {
            (Some(seconds), _) => format!("+{} s", self.speaker.seconds(seconds)),
            (None, Some(time)) => time.to_string().get(11..23).unwrap_or_default().to_owned(),
            (None, None) => String::new(),
        };
        let who = seen.side.map_or("", |side| self.speaker.word(side.name()));
        let what = self.observed(seen, connection);
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(columns(text)));
        let line = format!("{packet}  {}{when}  {who}{}  ", pad(&when, 12), pad(who, 8));
        let used = INDENT + columns(&line);
        let _ = write!(out, "{}{line}", " ".repeat(INDENT));
        let what = if is_end { styled(STRONG, &what) } else { what };
        wrap(out, &what, used, used, self.width);
    }

    fn observed(&self, seen: &Observation, connection: &Connection) -> String {
        let say = |key: &str, values: &[(&str, &str)]| self.speaker.say_with(&format!("event.{key}"), values);
        let number = |value: u64| self.speaker.number(value);
        match seen.observed {
            Observed::Syn => say("syn", &[]),
            Observed::SynAck => say("syn_ack", &[]),
            Observed::Request => {
                let path = connection.handshake.request.as_ref().map(|request| request.path.as_str()).unwrap_or("");
                say("request", &[("path", path)])
            }
            Observed::Response(status) => say("response", &[("status", &status.to_string())]),
            Observed::ClientHello => say("client_hello", &[]),
            Observed::ServerHello => say("server_hello", &[]),
            Observed::Alert(code) => say("alert", &[("name", crate::connection::alert_name(code).unwrap_or("?"))]),
            Observed::Message { kind, len, compressed } => {
                let key = match (kind, compressed) {
                    (Opcode::Text, false) => "text",
                    (Opcode::Text, true) => "text_compressed",
                    (_, false) => "binary",
                    (_, true) => "binary_compressed",
                };
                say(key, &[("bytes", &number(len))])
            }
            Observed::UnfinishedFrame { opcode, len, seen } => {
                say("unfinished", &[("opcode", opcode.name()), ("bytes", &number(len)), ("seen", &number(seen))])
            }
            Observed::Ping { .. } => say("ping", &[]),
            Observed::Pong { .. } => say("pong", &[]),
            Observed::Close(Some(code)) => say("close", &[("code", &code.to_string()), ("name", code_name(code))]),
            Observed::Close(None) => say("close_empty", &[]),
            Observed::Violation(rule) => {
                let title = self.speaker.violation(rule);
                say("violation", &[("title", title), ("reference", violation_reference(rule))])
            }
            Observed::Gap(Some(len)) => say("gap", &[("bytes", &number(len))]),
            Observed::Gap(None) => say("gap_unknown", &[]),
            Observed::Retransmission => say("retransmission", &[]),
            Observed::Fin => say("fin", &[]),
            Observed::Rst => say("rst", &[]),
        }
    }

    /// Items in a row, separated as the language does.
    fn enumerated(&self, items: &[String]) -> String {
        let join = |first: String, second: &String| {
            self.speaker.say_with("punctuation.list", &[("first", &first), ("second", second)])
        };
        items.split_first().map(|(first, rest)| rest.iter().fold(first.clone(), join)).unwrap_or_default()
    }

    /// A label and what it labels, punctuated as the language does.
    fn labelled_text(&self, label: &str, text: &str) -> String {
        self.speaker.say_with("punctuation.label", &[("label", label), ("text", text)])
    }

    /// A label in the margin and text beside it.
    fn labelled(&self, out: &mut String, label: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let start = format!("{}{}", " ".repeat(INDENT), styled(DIM, label));
        let column = self.text_column();
        let pad = if label.is_empty() { 0 } else { column.saturating_sub(columns(&start)) };
        let indent = if label.is_empty() { INDENT } else { column };
        let start = if label.is_empty() { " ".repeat(INDENT) } else { start };
        let _ = write!(out, "{start}{}", " ".repeat(pad));
        wrap(out, text, indent, indent, self.width);
    }

    fn list(&self, out: &mut String, label: &str, items: &[String]) {
        for (index, item) in items.iter().enumerate() {
            if index == 0 {
                self.labelled(out, label, item);
            } else {
                let column = self.text_column();
                out.push_str(&" ".repeat(column));
                wrap(out, item, column, column, self.width);
            }
        }
    }

    /// The column at which the text beside labels begins: behind the widest label of the language.
    fn text_column(&self) -> usize {
        let labels = ["label.fix", "label.see", "label.proof", "label.also", "label.reason"];
        INDENT + labels.iter().map(|key| columns(self.speaker.say(key))).max().unwrap_or(0) + 2
    }

    /// How an ending looks on the wire.
    fn face(&self, closing: fleet::Closing) -> String {
        match closing {
            fleet::Closing::Code(code) => format!("{code} {}", code_name(code)),
            fleet::Closing::EmptyClose => self.speaker.say("face.empty").to_owned(),
            fleet::Closing::NoClose => self.speaker.say("face.none").to_owned(),
            fleet::Closing::Rejected(status) => format!("HTTP {status}"),
            fleet::Closing::NoHandshake => self.speaker.say("face.no_handshake").to_owned(),
            fleet::Closing::Open => self.speaker.say("face.open").to_owned(),
        }
    }

    fn duration(&self, seconds: f64) -> String {
        let whole = seconds as u64;
        match whole {
            0..60 => self.speaker.say_with("duration.s", &[("s", &self.speaker.seconds(seconds))]),
            60..3600 => self
                .speaker
                .say_with("duration.min", &[("min", &(whole / 60).to_string()), ("s", &format!("{:02}", whole % 60))]),
            _ => self.speaker.say_with(
                "duration.h",
                &[("h", &(whole / 3600).to_string()), ("min", &format!("{:02}", whole / 60 % 60))],
            ),
        }
    }
}

/// Whether a piece of evidence tells a person more than the headline and the timeline do.
fn is_telling(evidence: &Evidence) -> bool {
    const CONTEXT: [&str; 5] =
        ["capture.visibility", "connection.open_at_capture_end", "end.side", "peer.side", "handshake.outcome"];
    matches!(evidence.value, Known::Seen(_))
        && !evidence.packets.as_slice().is_empty()
        && !CONTEXT.contains(&evidence.fact.name())
}

/// Endings that need no one's attention: one line is enough.
fn is_uneventful(cause: Cause) -> bool {
    matches!(cause, Cause::Normal | Cause::StillOpen)
}

/// The reason of the first Close frame, safe to print.
fn close_reason(connection: &Connection) -> Option<String> {
    let signal = connection.first_close()?;
    match &connection.traffic[signal.by].close.as_ref()?.payload {
        ClosePayload::Status { reason, .. } if !reason.is_empty() => Some(printable(&reason.text())),
        _ => None,
    }
}
