//! Two captures compared: `diff`.

use super::args::{DiffArgs, FailOnChange, KnowledgeArgs, ListFormat};
use super::catalog;
use super::inputs::{Inputs, listed};
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::{ExitStatus, Failure};
use crate::analyzer::clock_shifts;
use crate::capture::Sequence;
use crate::catalog::language::Language;
use crate::fleet::Counts;
use crate::report::Speaker;
use crate::report::diff::{Compared, Surveyed};
use crate::report::json::{DiffObject, plain};
use crate::{Analyzer, Options};
use std::io::{self, Write};
use std::path::PathBuf;

pub(super) fn run(
    args: &DiffArgs,
    known: &KnowledgeArgs,
    language: Language,
    width: usize,
    out: &mut impl Write,
) -> Result<ExitStatus, Failure> {
    let interrupt = Interrupt::listen();
    let options = Options { knowledge: catalog::knowledge(known)?, ..Options::default() };
    let speaker = Speaker::new(language).with_rules(&options.knowledge.rules);
    let before = survey(&args.before, &options, &interrupt, &speaker)?;
    let after = survey(&args.after, &options, &interrupt, &speaker)?;
    let incomplete = before.incomplete || after.incomplete;
    let compared = Compared::new(before, after);
    match args.format {
        ListFormat::Text => out.write_all(compared.text(&speaker, width).as_bytes())?,
        ListFormat::Json => {
            let text = serde_json::to_string_pretty(&DiffObject::new(&compared, &speaker)).map_err(io::Error::from)?;
            writeln!(out, "{}", plain(text))?;
        }
    }
    let matches = |what: &FailOnChange| match what {
        FailOnChange::Worse => compared.is_worse(),
        FailOnChange::Changed => compared.is_changed(),
    };
    Ok(match (args.fail_on.iter().any(matches), incomplete) {
        (true, _) => ExitStatus::Found,
        (false, true) => ExitStatus::Incomplete,
        (false, false) => ExitStatus::Analysed,
    })
}

/// Counts what the connections of one side ended with.
fn survey(path: &PathBuf, options: &Options, interrupt: &Interrupt, speaker: &Speaker) -> Result<Surveyed, Failure> {
    let mut inputs = Inputs::find(std::iter::once(path), interrupt);
    if let Some(failure) = inputs.failures.pop() {
        return Err(failure);
    }
    let shifts = clock_shifts(inputs.captures.iter().cloned(), &options.limits);
    let mut packets = Sequence::open_shifted(inputs.captures.iter().cloned(), &shifts, options.limits.capture);
    let mut analyzer = Analyzer::new(options.clone());
    let (mut counts, mut incomplete) = (Counts::default(), false);
    let mut drain = |analyzer: &mut Analyzer| {
        std::iter::from_fn(|| analyzer.next_report()).map(|report| counts.add(&report)).count() as u64
    };
    let mut progress = Progress::new(speaker, &inputs, true);
    let mut ended = 0;
    loop {
        let next = packets.next_packets();
        if interrupt.came() {
            progress.clear();
            eprintln!("wsdissect: interrupted; comparing what was read");
            incomplete = true;
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
                let name = &inputs.captures[problem.source_index].name;
                if !packets.parts()[problem.source_index].opened && inputs.is_single() {
                    return Err(Failure::Input { name: name.clone(), error: problem.error });
                }
                eprintln!("wsdissect: {name}: {}; comparing what could be read", problem.error);
                incomplete = true;
            }
        }
        ended += drain(&mut analyzer);
        progress.tick(read, ended);
    }
    drop(progress);
    for (interface, lost) in packets.losses() {
        analyzer.lost_while_recording(interface, lost);
    }
    analyzer.finish();
    drain(&mut analyzer);
    let span = analyzer.summary().span;
    let names: Vec<&str> = inputs.captures.iter().map(|capture| capture.name.as_str()).collect();
    Ok(Surveyed {
        name: listed(&names),
        duration_s: span.map(|(first, last)| last.seconds_since(first)),
        counts,
        incomplete,
    })
}
