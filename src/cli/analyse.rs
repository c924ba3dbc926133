//! The main job: read captures, report connections.

use super::args::{AnalysisArgs, Format};
use super::inputs::{Inputs, listed};
use super::{ExitStatus, Failure};
use crate::capture::{CaptureError, CaptureLimits, Part, Problem, Sequence};
use crate::catalog::language::Language;
use crate::fleet::ConnectionReport;
use crate::fleet::Fleet;
use crate::report::json::{ConnectionObject, SummaryObject};
use crate::report::text::TextReport;
use crate::report::{Closing, Damage, Speaker};
use crate::{Analyzer, Options};
use std::io::{self, Write};

pub(super) fn run(
    args: &AnalysisArgs,
    language: Language,
    width: usize,
    out: &mut impl Write,
) -> Result<ExitStatus, Failure> {
    let options = Options::default();
    for word in &args.fail_on {
        word.check(&options.rules).map_err(Failure::Usage)?;
    }
    let mut inputs = Inputs::find(args.read.iter().chain(&args.captures));
    if inputs.captures.is_empty() && inputs.failures.is_empty() {
        return Err(Failure::Usage("no capture given; try `wsdissect capture.pcap` or `wsdissect --help`".to_owned()));
    }
    let speaker = Speaker::new(language);
    let status = ExitStatus::Analysed;
    let mut job =
        Job { args, speaker: &speaker, width, status, first_object: true, damage: Vec::new(), places_damaged: 0, out };
    if inputs.is_single()
        && let Some(failure) = inputs.failures.pop()
    {
        return Err(failure);
    }
    // One unreadable file of several must not hide what the others show.
    for failure in &inputs.failures {
        eprintln!("wsdissect: {failure}");
        job.status = ExitStatus::Incomplete;
    }
    job.analyse(&inputs, options)
}

/// One run over all captures of the command line.
struct Job<'a, W: Write> {
    args: &'a AnalysisArgs,
    speaker: &'a Speaker,
    width: usize,
    status: ExitStatus,
    first_object: bool,
    damage: Vec<Damage>,
    /// Also those that are not kept in `damage`.
    places_damaged: usize,
    out: &'a mut W,
}

impl<W: Write> Job<'_, W> {
    fn analyse(mut self, inputs: &Inputs, options: Options) -> Result<ExitStatus, Failure> {
        let mut packets = Sequence::open(inputs.captures.iter().cloned(), CaptureLimits::default());
        let mut analyzer = Analyzer::new(options);
        let mut fleet = Fleet::default();
        let mut kept = Vec::new();
        loop {
            match packets.next_packet() {
                Ok(Some(packet)) => analyzer.packet(&packet),
                Ok(None) => break,
                Err(problem) => self.problem(problem, inputs, packets.parts())?,
            }
            self.drain(&mut analyzer, &mut fleet, &mut kept, &Places { inputs, parts: packets.parts() })?;
        }
        let places = Places { inputs, parts: packets.parts() };
        if !places.parts.iter().any(|part| part.opened) {
            return Ok(ExitStatus::Unusable);
        }
        analyzer.finish();
        self.drain(&mut analyzer, &mut fleet, &mut kept, &places)?;
        let name = places.all();
        let mut damage = std::mem::take(&mut self.damage);
        if let (Some(more @ 1..), Some(last)) = (self.places_damaged.checked_sub(MAX_DAMAGE), damage.last_mut()) {
            let more = format!("; {more} more damaged places");
            eprintln!("wsdissect: {}{more}", last.what);
            last.what.push_str(&more);
        }
        let closing = Closing { capture: &name, summary: analyzer.summary(), damage, dropped: packets.dropped() };
        self.close(&closing, &fleet, &kept, &places)?;
        // Packets that nobody looked into may have held anything.
        if closing.summary.skipped.unknown_link_type > 0 && self.status == ExitStatus::Analysed {
            self.status = ExitStatus::Incomplete;
        }
        self.end()
    }

    /// Takes note of what is wrong with one capture.
    fn problem(&mut self, problem: Problem, inputs: &Inputs, parts: &[Part]) -> Result<(), Failure> {
        let Problem { source_index, error } = problem;
        let (name, part) = (&inputs.captures[source_index].name, &parts[source_index]);
        if !part.opened {
            let failure = Failure::Input { name: name.clone(), error };
            if inputs.is_single() {
                return Err(failure);
            }
            eprintln!("wsdissect: {failure}");
        } else {
            self.places_damaged += 1;
            if self.places_damaged > MAX_DAMAGE {
                return Ok(());
            }
            eprintln!("wsdissect: {name}: {error}; reporting what could be read");
            let offset = match &error {
                CaptureError::Damaged(damage) => damage.offset,
                _ => 0,
            };
            let what = if inputs.captures.len() == 1 { error.to_string() } else { format!("{name}: {error}") };
            self.damage.push(Damage { what, offset, after_packet: part.last });
        }
        if self.status == ExitStatus::Analysed {
            self.status = ExitStatus::Incomplete;
        }
        Ok(())
    }

    /// Takes in the reports that are ready.
    fn drain(
        &mut self,
        analyzer: &mut Analyzer,
        fleet: &mut Fleet,
        kept: &mut Vec<ConnectionReport>,
        places: &Places<'_>,
    ) -> Result<(), Failure> {
        while let Some(report) = analyzer.next_report() {
            if !self.args.only.iter().all(|selector| selector.matches(&report)) {
                continue;
            }
            if self.args.fail_on.iter().any(|word| word.matches(&report)) {
                self.status = ExitStatus::Found;
            }
            fleet.add(&report);
            match self.args.format {
                Format::Text if self.args.verbose => kept.push(report),
                Format::Text => {}
                Format::Json => kept.push(report),
                Format::Jsonl => {
                    let object = ConnectionObject::new(&report, &places.of(&report), self.speaker);
                    self.line(&object)?;
                    // Whoever reads a pipe wants the line now.
                    self.out.flush()?;
                }
            }
        }
        Ok(())
    }

    /// The end of the report.
    fn close(
        &mut self,
        closing: &Closing<'_>,
        fleet: &Fleet,
        kept: &[ConnectionReport],
        places: &Places<'_>,
    ) -> Result<(), Failure> {
        let incidents = fleet.incidents();
        let mut in_order: Vec<&ConnectionReport> = kept.iter().collect();
        in_order.sort_by_key(|report| report.connection.first.packet);
        match self.args.format {
            Format::Text => {
                let report = TextReport::new(self.speaker, self.width);
                self.out.write_all(report.overview(closing, &incidents).as_bytes())?;
                for connection in in_order {
                    writeln!(self.out)?;
                    self.out.write_all(report.connection(connection).as_bytes())?;
                }
            }
            Format::Json => {
                for report in in_order {
                    let object = ConnectionObject::new(report, &places.of(report), self.speaker);
                    self.element(&object)?;
                }
                self.element(&SummaryObject::new(closing, &incidents, self.speaker))?;
            }
            Format::Jsonl => self.line(&SummaryObject::new(closing, &incidents, self.speaker))?,
        }
        Ok(())
    }

    fn line(&mut self, object: &impl serde::Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut *self.out, object).map_err(io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    fn element(&mut self, object: &impl serde::Serialize) -> Result<(), Failure> {
        self.out.write_all(if self.first_object { b"[\n" } else { b",\n" })?;
        self.first_object = false;
        serde_json::to_writer_pretty(&mut *self.out, object).map_err(io::Error::from)?;
        Ok(())
    }

    fn end(self) -> Result<ExitStatus, Failure> {
        if self.args.format == Format::Json {
            self.out.write_all(b"\n]\n")?;
        }
        Ok(self.status)
    }
}

/// Damaged places that are told one by one.
const MAX_DAMAGE: usize = 100;

/// Which capture packets come from.
struct Places<'a> {
    inputs: &'a Inputs,
    parts: &'a [Part],
}

impl Places<'_> {
    /// The captures that were recording while a connection's packets were recorded.
    fn of(&self, report: &ConnectionReport) -> String {
        let (first, last) = (report.connection.first.packet, report.connection.last.packet);
        self.names(|part| part.overlaps(first, last))
    }

    /// All captures that were read.
    fn all(&self) -> String {
        self.names(|part| part.opened)
    }

    fn names(&self, chosen: impl Fn(&Part) -> bool) -> String {
        let pairs = self.inputs.captures.iter().zip(self.parts).filter(|(_, part)| chosen(part));
        listed(&pairs.map(|(capture, _)| capture.name.as_str()).collect::<Vec<_>>())
    }
}
