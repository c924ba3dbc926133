//! The report for a person: the verdict first, grouped by cause and worst first, each with one example that proves it.
//!
//! Styles are always written; whoever owns the terminal strips them where they do not belong. Nothing from the wire
//! reaches the output without [`printable`], so that a Close reason cannot move the cursor.

use super::fleet::{SERIES, Together, herd_after, largest};
use super::layout::{columns, wrap};
use super::notes::Notes;
use super::{Closing, InputFile, InterfaceLoss, Speaker, close_meaning, code_name, violation_reference};
use crate::connection::{ClosePayload, EndSignalKind, Opcode, Outcome};
use crate::connection::{Connection, LastMessage, Observation, Observed, Preview, Reading};
use crate::diagnosis::printable;
use crate::diagnosis::{Cause, Confidence, Who};
use crate::evidence::{Evidence, FactId, Known};
use crate::fleet::reconnects::Backoff;
use crate::fleet::{self, CaptureLimit, ConnectionReport, Incident, Overview, Quality, Verdict, capture_limits};
use crate::units::{Origin, Side};
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

/// What was lost is told whatever ended the connection.
const LOSSES: [&str; 2] = ["client.unacked_messages", "server.unacked_messages"];

/// Observations shown of an example's last moments.
const LAST_MOMENTS: usize = 6;

/// The same when the capture holds nothing else.
const LAST_MOMENTS_ALONE: usize = 14;

/// Files shown with their packets; the JSON output has all.
const MOST_FILES: usize = 10;

/// Files shown that are no captures; the JSON output has all.
const MOST_PASSED_OVER: usize = 3;

/// Limits of the capture shown of an example among others.
const MOST_LIMITS: usize = 2;

/// How much is told of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// What an example of several needs.
    Example,
    /// Everything.
    Whole,
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes reports of one width in one language.
#[derive(Debug)]
pub struct TextReport<'a> {
    speaker: &'a Speaker,
    width: usize,
    /// Of several, so that packets can be found in theirs.
    files: &'a [InputFile],
    /// Also a single one, to name its interfaces.
    all_files: &'a [InputFile],
}

impl<'a> TextReport<'a> {
    /// A report that keeps to `width` columns, at least 40.
    #[must_use]
    pub fn new(speaker: &'a Speaker, width: usize) -> Self {
        Self { speaker, width: width.max(40), files: &[], all_files: &[] }
    }

    /// The same report, which says of packets in which of several files they are.
    #[must_use]
    pub fn of_files(self, files: &'a [InputFile]) -> Self {
        Self { files: if files.len() > 1 { files } else { &[] }, all_files: files, ..self }
    }

    /// The whole first screen: what was read, how good it is, what connections say together, and each incident with its
    /// proof.
    #[must_use]
    pub fn overview(&self, closing: &Closing<'_>, overview: &Overview<'_>) -> String {
        let mut out = String::new();
        let incidents = &overview.incidents[..];
        self.head(&mut out, closing);
        self.quality(&mut out, closing, incidents);
        self.ignored(&mut out, closing);
        self.events(&mut out, overview);
        self.storms(&mut out, overview);
        let is_alone = matches!(incidents, [incident] if incident.count == 1);
        let moments = if is_alone { LAST_MOMENTS_ALONE } else { LAST_MOMENTS };
        for incident in incidents {
            out.push('\n');
            self.incident(&mut out, incident, moments);
        }
        self.other_returns(&mut out, overview);
        if incidents.is_empty() && closing.ignored.as_ref().is_none_or(|ignored| ignored.connections == 0) {
            out.push('\n');
            self.nothing(&mut out, closing);
        }
        out
    }

    /// What was left out because it is known.
    fn ignored(&self, out: &mut String, closing: &Closing<'_>) {
        let lines = closing.ignored.as_ref().map(|ignored| Together::new(self.speaker).ignored(ignored));
        for line in lines.into_iter().flatten() {
            wrap(out, &styled(DIM, &line), 0, 2, self.width);
        }
    }

    /// Ends of many connections at one moment.
    fn events(&self, out: &mut String, overview: &Overview<'_>) {
        let together = Together::new(self.speaker);
        let shown = largest(&overview.events);
        for (place, event) in &shown {
            out.push('\n');
            let lines = together.event(event, herd_after(&overview.reconnects, *place));
            self.headed(out, &together.label("event"), &lines);
        }
        let more = (overview.events.len() - shown.len()) as u64 + overview.more_events;
        if more > 0 {
            self.labelled(out, "", &styled(DIM, &together.more("event", more)));
        }
    }

    /// Clients that come back at once although they fail.
    fn storms(&self, out: &mut String, overview: &Overview<'_>) {
        let together = Together::new(self.speaker);
        let series = overview.reconnects.series.iter();
        let storms: Vec<String> =
            series.filter(|one| one.backoff == Backoff::None).map(|one| together.series(one)).collect();
        let Some((first, more)) = storms.split_first() else { return };
        let mut lines = vec![first.clone()];
        lines.extend(more.iter().take(SERIES - 1).cloned());
        if let Some(more @ 1..) = storms.len().checked_sub(lines.len()) {
            lines.push(together.more("reconnect", more as u64));
        }
        out.push('\n');
        self.headed(out, &together.label("again"), &lines);
        self.labelled(out, self.speaker.say("label.fix"), &together.advice());
    }

    /// Clients that come back as they should, or nearly so: a line each.
    fn other_returns(&self, out: &mut String, overview: &Overview<'_>) {
        let together = Together::new(self.speaker);
        let others: Vec<_> = overview.reconnects.series.iter().filter(|one| one.backoff != Backoff::None).collect();
        if !others.is_empty() {
            out.push('\n');
        }
        for one in others.iter().take(SERIES) {
            wrap(out, &styled(DIM, &together.series(one)), 0, 2, self.width);
        }
        if let Some(more @ 1..) = others.len().checked_sub(SERIES) {
            wrap(out, &styled(DIM, &together.more("reconnect", more as u64)), 0, 2, self.width);
        }
    }

    /// A block with a label at its head; its first line matters most.
    fn headed(&self, out: &mut String, label: &str, lines: &[String]) {
        let label = styled(BAD, label);
        let column = INDENT.max(columns(&label) + 2);
        let _ = write!(out, "{label}{}", " ".repeat(column - columns(&label)));
        for (place, line) in lines.iter().enumerate() {
            let line = if place == 0 { styled(STRONG, line) } else { line.clone() };
            if place > 0 {
                out.push_str(&" ".repeat(column));
            }
            wrap(out, &line, column, column, self.width);
        }
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
        self.reasons(&mut out, report, Detail::Whole);
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
        self.file_table(out, closing);
    }

    /// Which packets are in which of several files, and what was left out.
    fn file_table(&self, out: &mut String, closing: &Closing<'_>) {
        let mut line = |text: &str| wrap(out, &format!("  {}", styled(DIM, text)), 0, 4, self.width);
        for file in self.files.iter().take(MOST_FILES) {
            let name = printable(&file.name);
            let Some((first, last)) = file.numbers else {
                line(&self.speaker.say_with("head.file_empty", &[("file", &name)]));
                continue;
            };
            let key = if file.offset.is_some() { "head.file" } else { "head.file_mixed" };
            let (first, last, count) = (first.to_string(), last.to_string(), self.speaker.number(file.packets));
            let values = [("first", first.as_str()), ("last", &last), ("count", &count), ("file", &name)];
            line(&self.speaker.say_with(key, &values));
            if file.clock_shift != 0 {
                let seconds = self.speaker.seconds(file.clock_shift as f64 / 1e9);
                line(&self.speaker.say_with("head.clock", &[("file", &name), ("seconds", &seconds)]));
            }
        }
        if let Some(more @ 1..) = self.files.len().checked_sub(MOST_FILES) {
            line(&self.speaker.say_with("head.more_files", &[("count", &self.speaker.number(more as u64))]));
        }
        if !closing.passed_over.is_empty() {
            let (shown, rest) = closing.passed_over.split_at(closing.passed_over.len().min(MOST_PASSED_OVER));
            let mut names = self.enumerated(&shown.iter().map(|name| printable(name)).collect::<Vec<_>>());
            if !rest.is_empty() {
                let count = self.speaker.number(rest.len() as u64);
                names = self.speaker.say_with("head.and_more", &[("names", &names), ("count", &count)]);
            }
            line(&self.speaker.say_with("head.passed_over", &[("names", &names)]));
        }
    }

    /// How far the capture can be trusted: one word, and what speaks against it.
    fn quality(&self, out: &mut String, closing: &Closing<'_>, incidents: &[&Incident]) {
        let quality = closing.quality();
        let notes = self.quality_notes(closing, &quality);
        if incidents.is_empty() && notes.is_empty() {
            return self.not_followed(out, closing);
        }
        let style = match quality.verdict {
            Verdict::Good => GOOD,
            Verdict::Fair => WARN,
            Verdict::Poor => BAD,
        };
        let notes = if notes.is_empty() { vec![self.speaker.say("quality.whole").to_owned()] } else { notes };
        let values = [
            ("first", self.speaker.say(&format!("quality.verdict.{}", quality.verdict.name()))),
            ("second", &self.enumerated(&notes)),
        ];
        let text = styled(style, &self.speaker.say_with("punctuation.list", &values));
        wrap(out, &self.labelled_text(self.speaker.say("quality.label"), &text), 0, 2, self.width);
        self.not_followed(out, closing);
    }

    /// What speaks against the capture, and copies, which take nothing from it.
    fn quality_notes(&self, closing: &Closing<'_>, quality: &Quality) -> Vec<String> {
        let summary = &closing.summary;
        let count = |count: u64| self.speaker.number(count);
        let mut notes = Vec::new();
        for fault in &quality.faults {
            let key = format!("quality.{}", fault.name);
            match fault.name {
                "damage" => notes
                    .extend(closing.damage.iter().map(|damage| self.speaker.say_with(&key, &[("what", &damage.what)]))),
                "limits" => {
                    notes.extend(summary.limits.named().into_iter().filter(|&(_, hits)| hits > 0).map(
                        |(name, hits)| self.speaker.say_with(&format!("limit.{name}"), &[("count", &count(hits))]),
                    ))
                }
                "dropped" => notes.push(self.dropped(&key, fault.count, closing)),
                "clock_steps" => {
                    let seconds = self.speaker.seconds(summary.clock_step_s);
                    notes.push(self.speaker.say_with(&key, &[("count", &count(fault.count)), ("seconds", &seconds)]));
                }
                "capture_loss" => {
                    let bytes = count(summary.seen_with.capture_loss_bytes);
                    notes.push(self.speaker.say_with(&key, &[("count", &count(fault.count)), ("bytes", &bytes)]));
                }
                _ => notes.push(self.speaker.say_with(&key, &[("count", &count(fault.count))])),
            }
        }
        if closing.interrupted {
            notes.push(self.speaker.say("quality.interrupted").to_owned());
        }
        if summary.duplicates > 0 {
            let kinds = summary.copied.named().into_iter().filter(|&(_, count)| count > 0).map(|(kind, _)| kind);
            notes.push(self.copies("quality.duplicates", kinds, summary.duplicates));
        }
        if summary.hops.connections > 0 {
            let hops = &summary.hops;
            let (lost, resets) = (count(hops.with_losses), count(hops.with_resets_between));
            let values = [("lost", lost.as_str()), ("resets", &resets), ("count", &count(hops.connections))];
            notes.push(self.speaker.say_with("quality.hops", &values));
        }
        notes
    }

    /// Packets lost while capturing, with their interfaces when there are several.
    fn dropped(&self, key: &str, dropped: u64, closing: &Closing<'_>) -> String {
        let mut note = self.speaker.say_with(key, &[("count", &self.speaker.number(dropped))]);
        if let [_, _, ..] = closing.interfaces[..] {
            let each = |loss: &InterfaceLoss| self.labelled_text(&loss.name, &self.speaker.number(loss.dropped));
            let each: Vec<String> = closing.interfaces.iter().map(each).collect();
            let _ = write!(note, " ({})", each.join(", "));
        }
        note
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
        for (why, detail, count) in &summary.tls_unread {
            let why = self
                .speaker
                .say_with(&format!("undecrypted.{why}"), &[("detail", detail.as_deref().unwrap_or_default())]);
            parts.push(self.labelled_text(&why, &self.speaker.number(*count)));
        }
        for (reason, count) in summary.skipped.named().into_iter().filter(|&(_, count)| count > 0) {
            let count = self.speaker.number(count);
            let mut text = self.speaker.say_with(&format!("skipped.{reason}"), &[("count", &count)]);
            if reason == "unknown_link_type" {
                let names: Vec<String> = summary.skipped.unknown_link_names().map(|(name, _)| name).collect();
                let _ = write!(text, " ({})", names.join(", "));
            }
            parts.push(text);
        }
        if !parts.is_empty() {
            let text = self.labelled_text(self.speaker.say("other.label"), &self.enumerated(&parts));
            wrap(out, &styled(DIM, &text), 0, 2, self.width);
        }
    }

    fn nothing(&self, out: &mut String, closing: &Closing<'_>) {
        let skipped = &closing.summary.skipped;
        let links: Vec<String> = skipped.unknown_link_names().map(|(name, _)| name).collect();
        let text = match links.is_empty() {
            _ if closing.summary.tls > 0 => self.speaker.say("nothing.tls").to_owned(),
            false if closing.summary.analysed == 0 => {
                self.speaker.say_with("nothing.link", &[("link", &links.join(", "))])
            }
            _ => self.speaker.say("nothing.none").to_owned(),
        };
        wrap(out, &text, 0, 0, self.width);
    }

    fn incident(&self, out: &mut String, incident: &Incident, moments: usize) {
        let face = self.face(incident.key.closing);
        let count = format!("{:>4} × ", self.speaker.number(incident.count));
        self.headline(out, &face, &incident.example, incident.confidence, &count);
        let explanation = self.speaker.explanation(&incident.example);
        if incident.count > 1 && !is_uneventful(incident.cause) {
            let together = Together::new(self.speaker);
            self.list(out, &together.label("shared"), &together.shared(incident));
            self.labelled(out, &together.label("example"), &explanation);
        } else {
            self.labelled(out, "", &explanation);
        }
        if is_uneventful(incident.cause) {
            return;
        }
        let detail = if moments == LAST_MOMENTS_ALONE { Detail::Whole } else { Detail::Example };
        self.reasons(out, &incident.example, detail);
        self.moments(out, &incident.example, moments);
    }

    /// The headline of a block and the sentence that explains it.
    fn verdict(&self, out: &mut String, face: &str, report: &ConnectionReport, confidence: Confidence, count: &str) {
        self.headline(out, face, report, confidence, count);
        self.labelled(out, "", &self.speaker.explanation(report));
    }

    /// How often, how it looked, what it means, and how sure that is.
    fn headline(&self, out: &mut String, face: &str, report: &ConnectionReport, confidence: Confidence, count: &str) {
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
    }

    /// Why, what to do, what else it could be, what the capture lacks, and what would refute it.
    fn reasons(&self, out: &mut String, report: &ConnectionReport, detail: Detail) {
        let diagnosis = &report.diagnosis;
        if let Some(reason) = close_reason(&report.connection) {
            let quoted = self.speaker.say_with("punctuation.quoted", &[("text", &reason)]);
            self.labelled(out, self.speaker.say("label.reason"), &quoted);
        }
        if detail == Detail::Whole
            && let Some(opening) = self.opening(report)
        {
            self.labelled(out, self.speaker.say("label.opening"), &opening);
        }
        if let Some(ending) = self.ending(&report.connection) {
            self.labelled(out, self.speaker.say("label.end"), &ending);
        }
        if detail == Detail::Whole {
            let lines = super::software::lines(report, self.speaker);
            self.list(out, self.speaker.say("label.software"), &lines);
        }
        if let Some(inside) = self.inside(&report.connection, detail) {
            self.labelled(out, self.speaker.say("label.inside"), &inside);
        }
        if let Some(copies) = &report.connection.copies {
            let mut counts = fleet::CopyCounts::default();
            counts.add(copies.seen.kinds());
            let kinds = counts.named().into_iter().filter(|&(_, count)| count > 0).map(|(kind, _)| kind);
            let note = self.copies("quality.duplicates", kinds, copies.segments.into());
            self.labelled(out, self.speaker.say("label.note"), &note);
        }
        if let Some(hops) = &report.connection.hops {
            let lines = super::hops::lines(hops, self.all_files, self.speaker);
            self.list(out, self.speaker.say("label.way"), &lines);
        }
        let notes = Notes::new(self.speaker, report);
        let mut remarks: Vec<String> = notes.meaning().into_iter().chain(notes.losses()).collect();
        if detail == Detail::Whole {
            remarks.extend(notes.closing());
        }
        self.list(out, self.speaker.say("label.note"), &remarks);
        if detail == Detail::Whole {
            self.list(out, self.speaker.say("alive.label"), &notes.alive());
        }
        let because = diagnosis.because.iter().filter(|evidence| is_telling(evidence)).take(MOST_PROOFS);
        let losses = LOSSES.into_iter().filter_map(FactId::by_name).map(|fact| report.facts.evidence(fact));
        let lost = losses.filter(|evidence| matches!(evidence.value, Known::Seen(_)));
        let proof = |evidence: &Evidence| {
            let numbers: Vec<String> = evidence.packets.as_slice().iter().map(ToString::to_string).collect();
            let numbers = styled(DIM, &format!("({})", numbers.join(" ")));
            format!("{} {numbers}", self.speaker.evidence(evidence))
        };
        let proofs: Vec<String> = because.chain(lost).map(proof).collect();
        self.list(out, self.speaker.say("label.proof"), &proofs);
        let fixes: Vec<String> = diagnosis
            .fixes
            .iter()
            .map(|fix| match fix.who {
                Who::Either => self.speaker.fix(fix, &report.facts),
                who => self.labelled_text(
                    &styled(STRONG, self.speaker.word(who.name())),
                    &self.speaker.fix(fix, &report.facts),
                ),
            })
            .collect();
        self.list(out, self.speaker.say("label.fix"), &fixes);
        if diagnosis.confidence != Confidence::Certain {
            let others: Vec<String> = diagnosis
                .alternatives
                .iter()
                .filter(|candidate| !candidate.undecided.is_empty())
                .take(2)
                .map(|candidate| self.speaker.title(&candidate.rule).to_owned())
                .collect();
            self.list(out, self.speaker.say("label.also"), &others);
        }
        let most = if detail == Detail::Whole { usize::MAX } else { MOST_LIMITS };
        let limits: Vec<String> = capture_limits(report).iter().take(most).map(|limit| self.limit(limit)).collect();
        self.list(out, self.speaker.say("label.limits"), &limits);
        if detail == Detail::Whole {
            let refuted = |text| self.speaker.say_with("refuted.by", &[("text", text)]);
            let refuted: Vec<String> = self.speaker.refutations(diagnosis).map(refuted).collect();
            self.list(out, self.speaker.say("label.doubt"), &refuted);
        }
    }

    /// What the capture lacks, where, and what would settle it.
    fn limit(&self, limit: &CaptureLimit) -> String {
        let mut what = self.speaker.limit(limit);
        let numbers: Vec<String> = limit.packets.as_slice().iter().map(ToString::to_string).collect();
        if !numbers.is_empty() {
            let _ = write!(what, " {}", styled(DIM, &format!("({})", numbers.join(" "))));
        }
        self.speaker.say_with("sight.settled", &[("what", &what), ("way", self.speaker.lifted_by(limit))])
    }

    /// How long each step of the opening took, as far as it was seen.
    fn opening(&self, report: &ConnectionReport) -> Option<String> {
        let step = |(fact, key): (&str, &str)| {
            let seconds = report.facts.get(FactId::by_name(fact)?).seen()?.number()?;
            Some(self.speaker.say_with(key, &[("seconds", &self.speaker.seconds(seconds))]))
        };
        let steps =
            [("tcp.setup_s", "opening.tcp"), ("tls.setup_s", "opening.tls"), ("handshake.answer_s", "opening.answer")];
        let steps: Vec<String> = steps.into_iter().filter_map(step).collect();
        (!steps.is_empty()).then(|| steps.join("   "))
    }

    /// Who ended TCP, how long after the last byte, and what each side did about a Close frame, in one line. Without a Close
    /// frame, TLS may have said it before TCP did.
    fn ending(&self, connection: &Connection) -> Option<String> {
        let early = connection.stream_end().filter(|_| connection.first_close().is_none());
        let end = early.or_else(|| connection.tcp_end())?;
        let kind = match end.kind {
            EndSignalKind::Rst => "rst",
            EndSignalKind::CloseNotify => "notify",
            EndSignalKind::TlsAlert => "alert",
            _ => "fin",
        };
        // A hole may hide the last byte.
        let is_watched = connection.visibility.iter().all(|(_, sight)| sight.gap.is_none() && !sight.one_sided);
        let silence = end.quiet_since.filter(|_| is_watched).and_then(|since| end.at.seconds_since(&since));
        let side = self.speaker.word(end.by.name());
        let packet = end.at.packet.to_string();
        let tcp = match silence {
            Some(seconds) => self.speaker.say_with(
                &format!("ending.{kind}_after"),
                &[("side", side), ("seconds", &self.speaker.seconds(seconds)), ("packet", &packet)],
            ),
            None => self.speaker.say_with(&format!("ending.{kind}"), &[("side", side), ("packet", &packet)]),
        };
        let is_open = matches!(connection.handshake.outcome, Outcome::Accepted | Outcome::NotCaptured);
        // With both Close frames the timeline tells more.
        let is_answered = Side::BOTH.into_iter().all(|side| connection.traffic[side].close.is_some());
        if !is_open || is_answered || connection.is_sealed() {
            return Some(tcp);
        }
        let join = |first: String, second: &str| {
            self.speaker.say_with("punctuation.clauses", &[("first", &first), ("second", second)])
        };
        let never = |side| connection.traffic[side].close.is_none() && connection.visibility[side].frames_complete();
        if Side::BOTH.into_iter().all(never) {
            return Some(join(tcp, self.speaker.say("ending.none")));
        }
        let sides = [end.by.other(), end.by].into_iter();
        Some(sides.fold(tcp, |line, side| join(line, &self.close_frame_of(connection, side))))
    }

    /// The application protocol inside the messages, and what it says of the end; of an example only if it says something.
    fn inside(&self, connection: &Connection, detail: Detail) -> Option<String> {
        let application = connection.application.as_deref()?;
        let packet = |at: Origin| at.packet.to_string();
        let at = application.at.map(packet).unwrap_or_default();
        let values = [("title", &*application.protocol.title), ("packet", &at)];
        let mut parts = vec![self.speaker.say_with(&format!("inside.{}", application.known_by.name()), &values)];
        if let Some((code, means)) = close_meaning(connection) {
            let values = [("code", &*code.to_string()), ("means", &self.speaker.means(means))];
            parts.push(self.speaker.say_with("inside.close", &values));
        }
        for (side, last) in application.last.iter() {
            let LastMessage::Read { reading: Reading { kind, code, means: Some(means) }, at } = last else { continue };
            let kind = code.map_or_else(|| kind.to_string(), |code| format!("{kind} {code}"));
            let values = [
                ("side", self.speaker.word(side.name())),
                ("kind", &kind),
                ("means", &self.speaker.means(means)),
                ("packet", &packet(*at)),
            ];
            parts.push(self.speaker.say_with("inside.last", &values));
        }
        (detail == Detail::Whole || parts.len() > 1).then(|| self.enumerated(&parts))
    }

    /// Whether a side sent a Close frame.
    fn close_frame_of(&self, connection: &Connection, side: Side) -> String {
        let name = self.speaker.word(side.name());
        match &connection.traffic[side].close {
            Some(close) => {
                let packet = close.last.packet.to_string();
                self.speaker.say_with("ending.close", &[("side", name), ("packet", &packet)])
            }
            None if connection.visibility[side].frames_complete() => {
                self.speaker.say_with("ending.never", &[("side", name)])
            }
            None => self.speaker.say_with("ending.unknown", &[("side", name)]),
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
        let (first_count, skipped) = (connection.timeline.first().len(), connection.timeline.skipped());
        let all: Vec<Observation> = connection.timeline.first().chain(connection.timeline.last()).collect();
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
        for (index, observation) in shown.iter().enumerate() {
            if most == usize::MAX && skipped > 0 && index == first_count {
                let text = self.speaker.say_with("label.skipped", &[("count", &self.speaker.number(skipped))]);
                let _ = writeln!(out, "{}{}", " ".repeat(INDENT + 6), styled(DIM, &text));
            }
            self.moment(out, observation, before, end == Some(observation.at.packet), connection);
            before = Some(observation.at);
        }
        self.filters(out, connection, shown, first.at);
    }

    /// What shows the connection in Wireshark from `first` on: in the one file, or in those of several that hold what was
    /// `shown`.
    fn filters(&self, out: &mut String, connection: &Connection, shown: &[Observation], first: Origin) {
        let mut line = |label: &str, filter: &str| {
            let _ = writeln!(out, "{}{}", " ".repeat(INDENT + 6), styled(DIM, &self.labelled_text(label, filter)));
        };
        let client = connection.endpoints.client;
        let field = if client.ip.is_ipv4() { "ip.addr" } else { "ipv6.addr" };
        let mut found = false;
        for file in self.files {
            let Some(own) = shown.iter().find_map(|seen| file.own_number(seen.at.packet)) else { continue };
            found = true;
            // Streams are counted through all files, so the number of this one says nothing in one of them.
            let address = format!("{field} == {} && tcp.port == {}", client.ip, client.port);
            let label = self.speaker.say_with("label.filter_in", &[("file", &printable(&file.name))]);
            line(&label, &format!("{address} && frame.number >= {}", own.value()));
        }
        if !found {
            let filter = format!("tcp.stream == {} && frame.number >= {}", connection.id.flow, first.packet.value());
            line(self.speaker.say("label.filter"), &filter);
        }
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
        if let Some(preview) = preview_of(seen, connection) {
            let shown = preview.text().map_or_else(|| preview.hex(), printable);
            let quoted = self.speaker.say_with("punctuation.quoted", &[("text", &shown)]);
            let _ = write!(out, "{}", " ".repeat(used));
            wrap(out, &styled(DIM, &quoted), used, used, self.width);
        }
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
            Observed::Message { kind, len, compressed, .. } => {
                let key = match (kind, compressed) {
                    (Opcode::Text, false) => "text",
                    (Opcode::Text, true) => "text_compressed",
                    (_, false) => "binary",
                    (_, true) => "binary_compressed",
                };
                say(key, &[("bytes", &number(len))])
            }
            Observed::InflatedInPart { wire_len, at_least } => {
                let ratio = at_least / wire_len.max(1);
                say(
                    "inflated_in_part",
                    &[("bytes", &number(wire_len)), ("least", &number(at_least)), ("ratio", &number(ratio))],
                )
            }
            Observed::NotInflated { wire_len } => say("not_inflated", &[("bytes", &number(wire_len))]),
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
            Observed::Icmp(kind) => say(&format!("icmp.{}", kind.name()), &[]),
            Observed::Conflict(kept) => say("conflict", &[("packet", &kept.to_string())]),
            Observed::OutlivedReset(rst) => say("outlived_reset", &[("packet", &rst.to_string())]),
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
        let labels = [
            "label.fix",
            "label.see",
            "label.end",
            "label.proof",
            "label.also",
            "label.reason",
            "label.inside",
            "label.limits",
            "label.doubt",
            "label.way",
        ];
        let together = Together::new(self.speaker);
        let of_many = ["shared", "example"].map(|key| columns(&together.label(key)));
        INDENT + labels.iter().map(|key| columns(self.speaker.say(key))).chain(of_many).max().unwrap_or(0) + 2
    }

    /// How an ending looks on the wire.
    fn face(&self, closing: fleet::Closing) -> String {
        match closing {
            fleet::Closing::Code(code) => format!("{code} {}", code_name(code)),
            fleet::Closing::EmptyClose => self.speaker.say("face.empty").to_owned(),
            fleet::Closing::NoClose => self.speaker.say("face.none").to_owned(),
            fleet::Closing::Rejected(status) => format!("HTTP {status}"),
            fleet::Closing::Hidden => self.speaker.say("face.encrypted").to_owned(),
            fleet::Closing::NoHandshake => self.speaker.say("face.no_handshake").to_owned(),
            fleet::Closing::Open => self.speaker.say("face.open").to_owned(),
        }
    }

    /// A length of time as people say it.
    pub(super) fn duration(&self, seconds: f64) -> String {
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

/// The beginning of the message that was observed, if the user asked for it.
fn preview_of<'a>(seen: &Observation, connection: &'a Connection) -> Option<&'a Preview> {
    let Observed::Message { number, .. } = seen.observed else { return None };
    connection.previews.as_deref()?.of(seen.side?, number)
}

/// The reason of the first Close frame, safe to print.
fn close_reason(connection: &Connection) -> Option<String> {
    let signal = connection.first_close()?;
    match &connection.traffic[signal.by].close.as_ref()?.payload {
        ClosePayload::Status { reason, .. } if !reason.is_empty() => Some(printable(&reason.text())),
        _ => None,
    }
}
