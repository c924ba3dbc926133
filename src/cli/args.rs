//! What may stand on the command line.

use super::select::{FailOn, Selector};
use crate::catalog::language::Language;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args as ClapArgs, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

/// Tells why each WebSocket connection in a packet capture ended, proves it from the packets, and says what to change.
#[derive(Debug, Parser)]
#[command(name = "wsdissect", version, about, max_term_width = 100)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) analysis: AnalysisArgs,

    #[command(subcommand)]
    pub(super) command: Option<Subcommand>,

    #[command(flatten)]
    pub(super) knowledge: KnowledgeArgs,

    /// Language of the report: en, zh, de, tr or fr [default: the locale's]
    #[arg(long, global = true, value_name = "LANG", value_parser = parse_language)]
    pub(super) lang: Option<Language>,
}

impl Args {
    /// Reads the command line. Options of the main job say nothing to the other commands; those that all commands know may
    /// stand before the command's name as well as behind it.
    ///
    /// # Errors
    /// What clap says of a mistake, or of a call for help.
    pub(super) fn read() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let given = |arg: &&clap::Arg| {
            !arg.is_global_set() && matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
        };
        let misplaced = command.get_arguments().find(given).map(ToString::to_string);
        if let (Some(name), Some(arg)) = (matches.subcommand_name(), misplaced) {
            let message = format!("'{arg}' says nothing to '{name}'");
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        Self::from_arg_matches(&matches)
    }
}

/// What to know besides what comes with the program.
#[derive(Debug, ClapArgs)]
pub(super) struct KnowledgeArgs {
    /// Your own codes, reasons, applications, devices and rules, as docs/catalog.md describes; may be given several times. Without it,
    /// $XDG_CONFIG_HOME/wsdissect/catalog.toml (or ~/.config/wsdissect/catalog.toml) is read if it is there
    #[arg(long, visible_alias = "profile", global = true, value_name = "FILE")]
    pub(super) catalog: Vec<PathBuf>,

    /// Do not read the catalog of the configuration
    #[arg(long, global = true)]
    pub(super) no_config: bool,
}

/// The main job.
#[derive(Debug, ClapArgs)]
pub(super) struct AnalysisArgs {
    /// Captures to read as one, in the order of time: files, directories, `-` for standard input; pcap or pcapng, also
    /// compressed with gzip, zstd, lz4 or (if built with it) xz
    #[arg(value_name = "CAPTURE")]
    pub(super) captures: Vec<PathBuf>,

    /// A capture to read, as with tshark; may be given several times
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(super) read: Vec<PathBuf>,

    /// The captures were made at two or more points of one path, such as client and server; without this they are compared
    /// just the same, and with it the program says so, and ends with 3, when no connection is in more than one of them
    #[arg(long)]
    pub(super) pair: bool,

    /// Read on as the capture grows, until Ctrl-C, which prints the report
    #[arg(long)]
    pub(super) follow: bool,

    /// A key log that opens TLS, as programs write it to SSLKEYLOGFILE; may be given several times. That variable's file
    /// and the secrets inside pcapng captures are used as well
    #[arg(long, value_name = "FILE")]
    pub(super) keylog: Vec<PathBuf>,

    /// The same in the words of tshark: tls.keylog_file:FILE
    #[arg(short = 'o', value_name = "NAME:VALUE")]
    pub(super) preferences: Vec<Preference>,

    /// Threads that may work beside the one that reads [default: one for each processor]; with 1 there are none. The output
    /// is the same for any number
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,

    /// Format of the output
    #[arg(short = 'T', long = "format", value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,

    /// Show every connection with its timeline, not only one example for each cause
    #[arg(short, long)]
    pub(super) verbose: bool,

    /// Show the beginnings of messages, which may hold passwords and tokens; without this nothing of them is printed
    #[arg(long)]
    pub(super) show_payload: bool,

    /// Report only connections that match, as KEY=VALUE[,VALUE...]: stream, code, rule, cause, party, side, address
    /// or time=FROM..TO (RFC 3339); several must all match
    #[arg(long, value_name = "SELECTOR")]
    pub(super) only: Vec<Selector>,

    /// What your application means by its close codes from 3000 to 4999: a TOML file with lines such as
    /// 4001 = "signed in elsewhere"
    #[arg(long, value_name = "FILE")]
    pub(super) close_codes: Option<PathBuf>,

    /// Leave out known findings: a TOML file with rule, server or host, path and last day of each, as --write-baseline
    /// writes it; how many they are is told, and --fail-on does not count them
    #[arg(long, value_name = "FILE")]
    pub(super) ignore: Option<PathBuf>,

    /// Write all that ended abnormally to a file for --ignore, replacing it
    #[arg(long, value_name = "FILE")]
    pub(super) write_baseline: Option<PathBuf>,

    /// Exit with 1 when a reported connection matches: `abnormal`, or the name of a rule or cause
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(super) fail_on: Vec<FailOn>,
}

/// A preference of tshark that means something here.
#[derive(Debug, Clone)]
pub(super) struct Preference {
    pub(super) keylog: PathBuf,
}

impl FromStr for Preference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("tls.keylog_file" | "ssl.keylog_file", file)) if !file.is_empty() => Ok(Self { keylog: file.into() }),
            _ => Err("the only preference here is tls.keylog_file:FILE".to_owned()),
        }
    }
}

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person
    Text,
    /// One JSON array: every connection, then the summary
    Json,
    /// One JSON object a line: each connection as it ends, then the summary
    Jsonl,
}

/// Everything but the main job.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Subcommand {
    /// Compare two captures, before and after a change: which causes came, went, or became more or less frequent
    Diff(DiffArgs),
    #[command(flatten)]
    Knowledge(Command),
}

/// The knowledge behind the diagnoses.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Explain a close code, rule, violation, fact or application: what it means, when you see it, how to fix it
    Explain {
        /// A close code (1006), a rule (`wsdissect rules` lists them), a violation (`rsv_nonzero`), a fact (`close.code`) or an
        /// application protocol (`discord`)
        what: String,

        /// Of a code, only what it means in this application protocol
        #[arg(long, value_name = "NAME")]
        app: Option<String>,
    },
    /// Compare two close codes
    Compare {
        /// One code
        first: u16,
        /// The other
        second: u16,
    },
    /// List the close codes
    Codes(ListArgs),
    /// List the rules of diagnosis
    Rules(ListArgs),
    /// List the facts that rules speak of
    Facts(ListArgs),
    /// List the WebSocket libraries that are recognised, with their limits, timers and settings
    Stacks(ListArgs),
    /// List the proxies, load balancers and other devices whose limits are known
    Devices(ListArgs),
    /// Print the JSON Schema of the output
    Schema,
}

/// What to compare.
#[derive(Debug, ClapArgs)]
pub(super) struct DiffArgs {
    /// A capture, or a directory of captures, from before
    pub(super) before: PathBuf,

    /// A capture, or a directory of captures, from after
    pub(super) after: PathBuf,

    /// Format of the comparison
    #[arg(short = 'T', long = "format", value_name = "FORMAT", default_value = "text")]
    pub(super) format: ListFormat,

    /// Exit with 1 when something became worse (`worse`) or changed at all (`changed`)
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(super) fail_on: Vec<FailOnChange>,
}

/// What of a comparison a pipeline must not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOnChange {
    /// A cause that somebody should look at is new or more frequent
    Worse,
    /// Any cause came, went, or became more or less frequent
    Changed,
}

/// How to list.
#[derive(Debug, ClapArgs)]
pub(super) struct ListArgs {
    /// Format of the list
    #[arg(short = 'T', long = "format", value_name = "FORMAT", default_value = "text")]
    pub(super) format: ListFormat,
}

/// Formats of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    /// For a person
    Text,
    /// One JSON array
    Json,
}

fn parse_language(tag: &str) -> Result<Language, String> {
    tag.parse().map_err(|_| "known languages are en, zh, de, tr and fr".to_owned())
}
