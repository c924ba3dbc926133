//! The command line: arguments in, text or JSON on standard output, an exit code back. Decides nothing about captures.

mod analyse;
mod args;
mod catalog;
mod devices;
mod diff;
mod exit;
mod input;
mod inputs;
mod interrupt;
mod kept;
mod keylogs;
mod knowledge;
mod known;
mod progress;
mod select;
mod stacks;

pub use exit::ExitStatus;

use crate::catalog::language::Language;
use args::Subcommand;
use std::io::{self, BufWriter, Write};

/// Runs the program with the arguments of the process.
#[must_use]
pub fn run() -> ExitStatus {
    let args = match args::Args::read() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors; clap prints each to its own stream.
            let _ = error.print();
            return if error.use_stderr() { ExitStatus::Unusable } else { ExitStatus::Analysed };
        }
    };
    let language = args.lang.unwrap_or_else(language_of_the_locale);
    // JSON has no escape sequences that would have to be taken out where nobody understands them.
    let stdout = match &args.command {
        None if args.analysis.format != args::Format::Text => anstream::AutoStream::always(io::stdout()),
        _ => anstream::AutoStream::auto(io::stdout()),
    };
    let mut out = BufWriter::with_capacity(64 << 10, stdout);
    let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0).min(120));
    let outcome = match &args.command {
        None => analyse::run(&args.analysis, &args.knowledge, language, width, &mut out),
        Some(Subcommand::Diff(diff)) => diff::run(diff, &args.knowledge, language, width, &mut out),
        Some(Subcommand::Knowledge(command)) => knowledge::run(command, &args.knowledge, language, width, &mut out),
    };
    match outcome.and_then(|status| out.flush().map(|()| status).map_err(Failure::Output)) {
        Ok(status) => status,
        // The reader has seen enough (`| head`): that is success.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitStatus::Analysed,
        Err(failure) => {
            // What was printed before the failure still counts.
            let _ = out.flush();
            eprintln!("wsdissect: {failure}");
            ExitStatus::Unusable
        }
    }
}

fn language_of_the_locale() -> Language {
    sys_locale::get_locales().find_map(|locale| Language::from_locale(&locale)).unwrap_or_default()
}

/// Why the program could not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("failed to write the report: {0}")]
    Output(#[from] io::Error),
    #[error("{0}")]
    Usage(String),
    #[error("failed to read {name}: {error}")]
    Input { name: String, error: crate::capture::CaptureError },
}
