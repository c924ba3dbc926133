//! The main job: read captures, report connections.

use super::args::{AnalysisArgs, Format};
use super::{ExitStatus, Failure};
use crate::capture::{CaptureError, Reader};
use crate::catalog::language::Language;
use crate::diagnosis::printable;
use crate::fleet::ConnectionReport;
use crate::fleet::Fleet;
use crate::report::json::{ConnectionObject, SummaryObject};
use crate::report::text::TextReport;
use crate::report::{Closing, Damage, Speaker};
use crate::{Analyzer, Options};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

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
    let captures: Vec<&PathBuf> = args.read.iter().chain(&args.captures).collect();
    if captures.is_empty() {
        return Err(Failure::Usage("no capture given; try `wsdissect capture.pcap` or `wsdissect --help`".to_owned()));
    }
    let speaker = Speaker::new(language);
    let mut job = Job { args, speaker: &speaker, width, status: ExitStatus::Analysed, first_object: true, out };
    let mut read = 0;
    for path in &captures {
        match job.capture(path, &options) {
            Ok(()) => read += 1,
            // One unreadable file of several must not hide what the others show.
            Err(failure @ Failure::Input { .. }) if captures.len() > 1 => {
                eprintln!("wsdissect: {failure}");
                job.status = ExitStatus::Incomplete;
            }
            Err(failure) => return Err(failure),
        }
    }
    if read == 0 { job.end().map(|_| ExitStatus::Unusable) } else { job.end() }
}

/// One run over all captures of the command line.
struct Job<'a, W: Write> {
    args: &'a AnalysisArgs,
    speaker: &'a Speaker,
    width: usize,
    status: ExitStatus,
    first_object: bool,
    out: &'a mut W,
}

impl<W: Write> Job<'_, W> {
    fn capture(&mut self, path: &Path, options: &Options) -> Result<(), Failure> {
        let name = printable(&path.display().to_string());
        let input_failure = |error| Failure::Input { name: name.clone(), error };
        let input: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).map_err(|error| input_failure(CaptureError::Io(error)))?)
        };
        let mut reader = Reader::open(input).map_err(input_failure)?;
        let mut analyzer = Analyzer::new(options.clone());
        let mut fleet = Fleet::default();
        let mut kept = Vec::new();
        let mut damage = Vec::new();
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => analyzer.packet(&packet),
                Ok(None) => break,
                Err(error) => {
                    eprintln!("wsdissect: {name}: {error}; reporting what could be read");
                    damage.push(to_damage(&error, &reader));
                    break;
                }
            }
            self.drain(&mut analyzer, &mut fleet, &mut kept, &name)?;
        }
        analyzer.finish();
        self.drain(&mut analyzer, &mut fleet, &mut kept, &name)?;
        if !damage.is_empty() && self.status == ExitStatus::Analysed {
            self.status = ExitStatus::Incomplete;
        }
        let closing =
            Closing { capture: &name, summary: analyzer.summary(), damage, dropped: reader.summary().dropped() };
        self.close(&closing, &fleet, &kept)
    }

    /// Takes in the reports that are ready.
    fn drain(
        &mut self,
        analyzer: &mut Analyzer,
        fleet: &mut Fleet,
        kept: &mut Vec<ConnectionReport>,
        name: &str,
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
                    let object = ConnectionObject::new(&report, name, self.speaker);
                    self.line(&object)?;
                    // Whoever reads a pipe wants the line now.
                    self.out.flush()?;
                }
            }
        }
        Ok(())
    }

    /// The end of one capture's report.
    fn close(&mut self, closing: &Closing<'_>, fleet: &Fleet, kept: &[ConnectionReport]) -> Result<(), Failure> {
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
                    let object = ConnectionObject::new(report, closing.capture, self.speaker);
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

fn to_damage<R: Read>(error: &CaptureError, reader: &Reader<R>) -> Damage {
    let (offset, after_packet) = reader.damage().map_or((0, None), |damage| (damage.offset, damage.after));
    Damage { what: error.to_string(), offset, after_packet }
}
