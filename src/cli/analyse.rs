//! The main job: read captures, report connections.

use super::args::{AnalysisArgs, Format, KnowledgeArgs};
use super::catalog;
use super::inputs::{Inputs, listed, some};
use super::interrupt::Interrupt;
use super::kept::{self, Kept};
use super::keylogs::{self, KeyLogs};
use super::known::{self, Ignore};
use super::progress::Progress;
use super::{ExitStatus, Failure};
use crate::analyzer::clock_shifts;
use crate::capture::{CaptureError, Part, Problem, Secrets, Sequence};
use crate::catalog::known::Baseline;
use crate::catalog::language::Language;
use crate::catalog::meanings::CodeMeanings;
use crate::diagnosis::printable;
use crate::fleet::ConnectionReport;
use crate::fleet::Fleet;
use crate::report::json::{ConnectionObject, SummaryObject, plain};
use crate::report::text::TextReport;
use crate::report::{Closing, Damage, InputFile, InterfaceLoss, Speaker};
use crate::{Analyzer, Options, Patience, Payload};
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::path::Path;
use std::thread;

pub(super) fn run(
    args: &AnalysisArgs,
    known: &KnowledgeArgs,
    language: Language,
    width: usize,
    out: &mut impl Write,
) -> Result<ExitStatus, Failure> {
    let payload = if args.show_payload { Payload::Shown } else { Payload::Hidden };
    let mut options = Options { payload, knowledge: catalog::knowledge(known)?, ..Options::default() };
    let key_logs = KeyLogs::read(args, &mut options.keys, &options.limits)?;
    for word in &args.fail_on {
        word.check(&options.knowledge.rules).map_err(Failure::Usage)?;
    }
    let ignore = args.ignore.as_deref().map(|path| Ignore::read(path, &options.knowledge.rules)).transpose()?;
    let meanings = args.close_codes.as_deref().map(meanings_of).transpose()?.unwrap_or_default();
    let interrupt = Interrupt::listen();
    let mut inputs = Inputs::find(args.read.iter().chain(&args.captures), &interrupt);
    if inputs.captures.is_empty() && inputs.failures.is_empty() {
        return Err(Failure::Usage("no capture given; try `wsdissect capture.pcap` or `wsdissect --help`".to_owned()));
    }
    if args.pair && inputs.captures.len() < 2 && inputs.failures.is_empty() {
        return Err(Failure::Usage("--pair compares captures of two points or more; name them both".to_owned()));
    }
    if args.follow && inputs.failures.is_empty() {
        inputs.follow()?;
    }
    options.jobs = jobs(args, &inputs);
    if inputs.are_live() {
        options.patience = Patience::Moment;
    }
    let speaker = Speaker::new(language).with_rules(&options.knowledge.rules).knowing(meanings);
    let status = ExitStatus::Analysed;
    let (damage, speaker) = (Vec::new(), &speaker);
    let baseline = Baseline::default();
    // Whoever reads a pipe wants each line now; a file is read later, unless it grows with what is recorded.
    let waits = !inputs.are_live() && prints_to_file();
    let mut job = Job {
        args,
        speaker,
        width,
        status,
        waits,
        first_object: true,
        damage,
        places_damaged: 0,
        interrupt,
        ignore,
        baseline,
        out,
    };
    if inputs.is_single()
        && let Some(failure) = inputs.failures.pop()
    {
        return Err(failure);
    }
    // One unreadable file of several must not hide what the others show.
    for failure in &inputs.failures {
        eprintln!("wsdissect: {failure}");
        job.status = ExitStatus::Incomplete;
        if let Failure::Input { name, error } = failure {
            job.note_damage(Damage {
                file: name.clone(),
                kind: UNREADABLE,
                what: error.to_string(),
                ..Damage::default()
            });
        }
    }
    if !inputs.passed_over.is_empty() {
        eprintln!("wsdissect: left out because they are no captures: {}", some(&inputs.passed_over));
    }
    if args.follow && io::stderr().is_terminal() {
        eprintln!("wsdissect: following {}; Ctrl-C prints the report", inputs.captures[0].name);
    }
    job.analyse(&inputs, options, key_logs)
}

/// Whether standard output is a file on a disk.
#[cfg(unix)]
fn prints_to_file() -> bool {
    use std::os::fd::AsFd as _;
    let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(not(unix))]
fn prints_to_file() -> bool {
    false
}

/// How many threads to work with. What comes while it is recorded is reported at once, which one thread does best; and what
/// JSON says of several captures depends on how far they have been read.
fn jobs(args: &AnalysisArgs, inputs: &Inputs) -> usize {
    if inputs.are_live() || (inputs.captures.len() > 1 && args.format != Format::Text) {
        return 1;
    }
    args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Reads the file that says what an application means by its codes.
fn meanings_of(path: &Path) -> Result<CodeMeanings, Failure> {
    let read = || -> Result<CodeMeanings, String> {
        let mut text = String::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(MAX_MEANINGS).read_to_string(&mut text).map_err(|error| error.to_string())?;
        CodeMeanings::parse(&text)
    };
    read().map_err(|error| Failure::Usage(format!("failed to read the close codes in {}: {error}", path.display())))
}

/// Takes in the secrets inside a capture. More may follow between its packets.
fn take_secrets(secrets: &Secrets, analyzer: &mut Analyzer) {
    if secrets.secrets_type == Secrets::TLS_KEY_LOG {
        analyzer.expect_secrets(true);
        let read = analyzer.secrets(&secrets.bytes);
        if read.left_out > 0 {
            keylogs::tell("secrets inside the capture", &read);
        }
    }
}

/// One run over all captures of the command line.
struct Job<'a, W: Write> {
    args: &'a AnalysisArgs,
    speaker: &'a Speaker,
    width: usize,
    status: ExitStatus,
    /// Lines may wait until there are many.
    waits: bool,
    first_object: bool,
    damage: Vec<Damage>,
    /// Also those that are not kept in `damage`.
    places_damaged: usize,
    interrupt: Interrupt,
    /// What is known and left out.
    ignore: Option<Ignore>,
    /// What is to be known from now on.
    baseline: Baseline,
    out: &'a mut W,
}

impl<W: Write> Job<'_, W> {
    fn analyse(mut self, inputs: &Inputs, options: Options, mut key_logs: KeyLogs) -> Result<ExitStatus, Failure> {
        let limits = options.limits;
        let shifts = clock_shifts(inputs.captures.iter().cloned(), &options.limits);
        let mut packets = Sequence::open_shifted(inputs.captures.iter().cloned(), &shifts, options.limits.capture);
        let mut analyzer = Analyzer::new(options);
        let follows_keys = self.args.follow && !key_logs.is_empty();
        if follows_keys {
            analyzer.expect_secrets(true);
        } else {
            key_logs.close(analyzer.key_log(), &limits);
            key_logs = KeyLogs::none();
        }
        let mut fleet = Fleet::default();
        let mut kept = Kept::new(kept::MAX_KEPT);
        // Lines of results on the same terminal tell as much, and would be cut by it.
        let prints_now = self.args.format != Format::Text && io::stdout().is_terminal();
        let mut progress = Progress::new(self.speaker, inputs, !self.args.follow && !prints_now);
        let mut ended = 0;
        loop {
            let secrets = packets.next_secrets();
            if follows_keys {
                key_logs.follow(&mut analyzer, &limits);
            }
            let next = match secrets {
                Ok(secrets) => {
                    if !secrets.is_empty() {
                        progress.clear();
                    }
                    secrets.iter().for_each(|secrets| take_secrets(secrets, &mut analyzer));
                    packets.next_packets()
                }
                Err(problem) => Err(problem),
            };
            // What an interruption makes of a file, such as half a packet at its end, is none of its faults.
            if self.interrupt.came() {
                break;
            }
            let mut read = 0;
            match next {
                Ok(some) if some.len() == 0 => break,
                Ok(some) => {
                    read = some.len();
                    analyzer.packets(some);
                }
                Err(problem) => {
                    progress.clear();
                    self.problem(problem, inputs, packets.parts())?;
                }
            }
            ended += self.drain(&mut analyzer, &mut fleet, &mut kept, &Places { inputs, parts: packets.parts() })?;
            progress.tick(read, ended);
        }
        drop(progress);
        let places = Places { inputs, parts: packets.parts() };
        if !places.parts.iter().any(|part| part.opened) {
            if self.interrupt.came() {
                eprintln!("wsdissect: interrupted before anything was read");
            }
            return Ok(ExitStatus::Unusable);
        }
        let interrupted = self.interrupt.came() && !self.args.follow;
        if interrupted {
            eprintln!("wsdissect: interrupted; reporting what was read");
            self.is_incomplete();
        }
        if let Some(capture) = inputs.captures.iter().find(|capture| capture.was_replaced()) {
            eprintln!("wsdissect: {} is another file now; reporting the one that was followed", capture.name);
        }
        for (interface, lost) in packets.losses() {
            analyzer.lost_while_recording(interface, lost);
        }
        analyzer.finish();
        if self.args.pair && analyzer.summary().hops.connections == 0 {
            eprintln!("wsdissect: --pair: no WebSocket connection is in more than one of the captures");
            self.is_incomplete();
        }
        self.drain(&mut analyzer, &mut fleet, &mut kept, &places)?;
        let name = places.all();
        let mut damage = std::mem::take(&mut self.damage);
        if let (Some(more @ 1..), Some(last)) = (self.places_damaged.checked_sub(MAX_DAMAGE), damage.last_mut()) {
            let more = format!("; {more} more damaged places");
            eprintln!("wsdissect: {}{more}", last.what);
            last.what.push_str(&more);
        }
        let mut summary = analyzer.summary();
        summary.limits.add_capture(&packets.limit_hits());
        for (link, count) in summary.skipped.unknown_link_names() {
            eprintln!("wsdissect: {count} packets cannot be read: unknown link type {link}");
            self.is_incomplete();
        }
        let (files, passed_over) = (places.files(), inputs.passed_over.clone());
        let dropped = packets.dropped();
        let interfaces = places.losses();
        let ignored = self.ignore.take().map(Ignore::into_found);
        let closing =
            Closing { capture: &name, files, passed_over, summary, damage, dropped, interfaces, interrupted, ignored };
        self.close(&closing, &fleet, kept, &places)?;
        self.end()
    }

    /// Takes note of what is wrong with one capture.
    fn problem(&mut self, problem: Problem, inputs: &Inputs, parts: &[Part]) -> Result<(), Failure> {
        let Problem { source_index, error } = problem;
        let (name, part) = (&inputs.captures[source_index].name, &parts[source_index]);
        if !part.opened {
            let failure_text = format!("{name}: {error}");
            let failure = Failure::Input { name: name.clone(), error };
            if inputs.is_single() {
                return Err(failure);
            }
            eprintln!("wsdissect: {failure}");
            let (kind, what) = (UNREADABLE, failure_text);
            self.note_damage(Damage { file: name.clone(), kind, what, ..Damage::default() });
        } else if self.places_damaged < MAX_DAMAGE {
            eprintln!("wsdissect: {name}: {error}; reporting what could be read");
            let what = if inputs.captures.len() == 1 { error.to_string() } else { format!("{name}: {error}") };
            let damage = Damage { file: name.clone(), what, after_packet: part.last, ..Damage::default() };
            self.note_damage(match &error {
                CaptureError::Damaged(place) => Damage {
                    kind: place.kind.name(),
                    offset: place.offset,
                    skipped_bytes: place.skipped(),
                    lost_packets: place.lost_packets,
                    ..damage
                },
                CaptureError::TooManyAtOnce { .. } => Damage { kind: "too_many_at_once", ..damage },
                CaptureError::TooManyPackets => Damage { kind: "too_many_packets", ..damage },
                _ => Damage { kind: "input_error", ..damage },
            });
        } else {
            self.places_damaged += 1;
        }
        self.is_incomplete();
        Ok(())
    }

    /// Keeps one damaged place for the report, unless there are many.
    fn note_damage(&mut self, damage: Damage) {
        self.places_damaged += 1;
        if self.places_damaged <= MAX_DAMAGE {
            self.damage.push(damage);
        }
    }

    fn is_incomplete(&mut self) {
        if self.status == ExitStatus::Analysed {
            self.status = ExitStatus::Incomplete;
        }
    }

    /// Takes in the reports that are ready, and tells how many they are.
    fn drain(
        &mut self,
        analyzer: &mut Analyzer,
        fleet: &mut Fleet,
        kept: &mut Kept,
        places: &Places<'_>,
    ) -> Result<u64, Failure> {
        let mut reports = 0;
        while let Some(report) = analyzer.next_report() {
            reports += 1;
            if !self.args.only.iter().all(|selector| selector.matches(&report)) {
                continue;
            }
            if self.args.write_baseline.is_some() {
                known::note(&mut self.baseline, &report);
            }
            if self.ignore.as_mut().is_some_and(|ignore| ignore.leaves_out(&report)) {
                continue;
            }
            if self.args.fail_on.iter().any(|word| word.matches(&report)) {
                self.status = ExitStatus::Found;
            }
            fleet.add(&report);
            match self.args.format {
                Format::Text if self.args.verbose => kept.add_if_room(report),
                Format::Text => {}
                Format::Json => {
                    if let Some(earliest) = kept.add(report) {
                        let object = places.object(&earliest, self.speaker);
                        self.element(&object)?;
                    }
                }
                Format::Jsonl => {
                    let object = places.object(&report, self.speaker);
                    self.line(&object)?;
                    if !self.waits {
                        self.out.flush()?;
                    }
                }
            }
        }
        Ok(reports)
    }

    /// The end of the report.
    fn close(&mut self, closing: &Closing<'_>, fleet: &Fleet, kept: Kept, places: &Places<'_>) -> Result<(), Failure> {
        let overview = fleet.overview();
        let left_out = kept.left_out;
        let in_order = kept.in_order();
        match self.args.format {
            Format::Text => {
                let report = TextReport::new(self.speaker, self.width).of_files(&closing.files);
                self.out.write_all(report.overview(closing, &overview).as_bytes())?;
                for connection in &in_order {
                    writeln!(self.out)?;
                    self.out.write_all(report.connection(connection).as_bytes())?;
                }
                if left_out > 0 {
                    let count = self.speaker.number(left_out);
                    writeln!(self.out, "\n{}", self.speaker.say_with("connection.left_out", &[("count", &count)]))?;
                }
            }
            Format::Json => {
                for report in &in_order {
                    let object = places.object(report, self.speaker);
                    self.element(&object)?;
                }
                self.element(&SummaryObject::new(closing, &overview, self.speaker))?;
            }
            Format::Jsonl => self.line(&SummaryObject::new(closing, &overview, self.speaker))?,
        }
        Ok(())
    }

    fn line(&mut self, object: &impl serde::Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(object).map_err(io::Error::from)?;
        self.out.write_all(plain(text).as_bytes())?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    fn element(&mut self, object: &impl serde::Serialize) -> Result<(), Failure> {
        self.out.write_all(if self.first_object { b"[\n" } else { b",\n" })?;
        self.first_object = false;
        let text = serde_json::to_string_pretty(object).map_err(io::Error::from)?;
        self.out.write_all(plain(text).as_bytes())?;
        Ok(())
    }

    fn end(self) -> Result<ExitStatus, Failure> {
        if self.args.format == Format::Json {
            self.out.write_all(b"\n]\n")?;
        }
        if let Some(path) = &self.args.write_baseline {
            known::write(&self.baseline, path)?;
        }
        Ok(self.status)
    }
}

/// The kind of damage of an input that could not be opened at all.
const UNREADABLE: &str = "unreadable";

/// Bytes of a file with meanings of codes that are read: far more than one with all 2000 codes needs.
const MAX_MEANINGS: u64 = 1 << 20;

/// Damaged places that are told one by one.
const MAX_DAMAGE: usize = 100;

/// Which capture packets come from.
struct Places<'a> {
    inputs: &'a Inputs,
    parts: &'a [Part],
}

impl Places<'_> {
    /// A connection as JSON, with the names of the captures that recorded it.
    fn object(&self, report: &ConnectionReport, speaker: &Speaker) -> ConnectionObject {
        let object = ConnectionObject::new(report, &self.of(report), speaker);
        if report.connection.hops.is_some() { object.of_files(report, &self.files()) } else { object }
    }

    /// The captures that were recording while a connection's packets were recorded.
    fn of(&self, report: &ConnectionReport) -> String {
        let (first, last) = (report.connection.first.packet, report.connection.last.packet);
        self.names(|part| part.overlaps(first, last))
    }

    /// All captures that were read.
    fn all(&self) -> String {
        self.names(|part| part.opened)
    }

    /// The files that were read, in the order of their first packets.
    fn files(&self) -> Vec<InputFile> {
        let pairs = self.inputs.captures.iter().zip(self.parts).filter(|(_, part)| part.opened);
        let mut files: Vec<InputFile> = pairs
            .map(|(capture, part)| InputFile {
                name: capture.name.clone(),
                packets: part.packets,
                numbers: part.first.zip(part.last),
                offset: part.offset(),
                span: part.span,
                clock_shift: part.clock_shift,
                slot: part.slot,
                interfaces: part.summary.interfaces.iter().map(|one| one.name.as_deref().map(printable)).collect(),
            })
            .collect();
        // Those without packets come last.
        files.sort_by_key(|file| file.numbers.map_or(u64::MAX, |(first, _)| first.value()));
        files
    }

    /// The interfaces of which a recording program says that it lost packets there.
    fn losses(&self) -> Vec<InterfaceLoss> {
        let interfaces = self.parts.iter().flat_map(|part| part.summary.interfaces.iter().enumerate());
        let lost = interfaces.filter_map(|(index, interface)| {
            let dropped = interface.statistics?.dropped().filter(|dropped| *dropped > 0)?;
            let name = interface.name.as_deref().map_or_else(|| index.to_string(), printable);
            Some(InterfaceLoss { name, packets: interface.packets, dropped })
        });
        lost.take(Closing::INTERFACES).collect()
    }

    fn names(&self, chosen: impl Fn(&Part) -> bool) -> String {
        let pairs = self.inputs.captures.iter().zip(self.parts).filter(|(_, part)| chosen(part));
        listed(&pairs.map(|(capture, _)| capture.name.as_str()).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Reader;

    /// The reports of a fixture with several connections.
    fn reports() -> Vec<ConnectionReport> {
        let mut reader = Reader::open(&include_bytes!("../../fixtures/demo/mixed/capture.pcapng")[..]).unwrap();
        let mut analyzer = Analyzer::new(Options::default());
        while let Some(packet) = reader.next_packet().unwrap() {
            analyzer.packet(&packet);
        }
        analyzer.finish();
        std::iter::from_fn(|| analyzer.next_report()).collect()
    }

    fn first(report: &ConnectionReport) -> u64 {
        report.connection.first.packet.value()
    }

    #[test]
    fn reports_without_room_are_told_at_once_or_counted() {
        let mut expected: Vec<u64> = reports().iter().map(first).collect();
        let most = expected.len() - 2;
        assert!(most > 1);
        let mut kept = Kept::new(most);
        let mut told: Vec<u64> =
            reports().into_iter().filter_map(|report| kept.add(report)).map(|r| first(&r)).collect();
        assert_eq!(told.len(), 2);
        told.extend(kept.in_order().iter().map(first));
        let mut sorted = told.clone();
        sorted.sort_unstable();
        expected.sort_unstable();
        assert_eq!(sorted, expected, "each is told once");
        assert!(told[2..].is_sorted(), "what was kept is in order");

        let mut kept = Kept::new(most);
        reports().into_iter().for_each(|report| kept.add_if_room(report));
        assert_eq!((kept.left_out, kept.in_order().len()), (2, most));
    }
}
