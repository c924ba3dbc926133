//! What the documents say the program prints is what it prints, and the tables they copy from the code are the code's.
//!
//! A fenced block below a line `<!-- output of: wsdissect ARGUMENTS -->` in README.md or `docs/*.md` holds the standard
//! output of that command in English at a width of 100 columns. After a wanted change, write the blocks anew with
//! `UPDATE_README=1 cargo test --test readme` and look at the difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wsdissect::connection::{ClosingEvent, ClosingState, TRANSITIONS};

const MARK: &str = "<!-- output of: wsdissect ";
const FENCE: &str = "```";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let docs = root().join("docs").read_dir().expect("docs/ is there");
    let mut paths: Vec<_> = docs.map(|entry| entry.expect("a readable directory").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.push(root().join("README.md"));
    paths.sort();
    paths
}

/// What the program prints into a pipe: no colour, 100 columns.
fn output(arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_wsdissect"))
        .args(arguments.split_whitespace())
        .current_dir(root())
        .env("LC_ALL", "C")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.is_empty(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The document with every marked block replaced by what `print` gives for its command; and how many there are.
fn renewed(document: &str, print: impl Fn(&str) -> String) -> Result<(String, usize), String> {
    let (mut out, mut blocks) = (String::new(), 0);
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(arguments) = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let opening = lines.next().filter(|line| line.starts_with(FENCE));
        let opening = opening.ok_or_else(|| format!("no fenced block below `{line}`"))?;
        lines.by_ref().find(|line| *line == FENCE).ok_or_else(|| format!("the block below `{line}` has no end"))?;
        out.push_str(&format!("{opening}\n{}\n{FENCE}\n", print(arguments).trim_end()));
        blocks += 1;
    }
    Ok((out, blocks))
}

#[test]
fn shown_output_is_what_the_program_prints() {
    let update = std::env::var_os("UPDATE_README").is_some();
    let mut total = 0;
    for path in documents() {
        let document = fs::read_to_string(&path).expect("a text file");
        let (wanted, blocks) = renewed(&document, output).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        total += blocks;
        if update {
            fs::write(&path, wanted).expect("the document can be written");
        } else if let Some((number, (found, wanted))) =
            document.lines().zip(wanted.lines()).enumerate().find(|(_, (found, wanted))| found != wanted)
        {
            panic!(
                "{}:{} is stale:\n  has  {found}\n  now  {wanted}\nUPDATE_README=1 cargo test --test readme",
                path.display(),
                number + 1
            );
        } else {
            assert_eq!(document.len(), wanted.len(), "{} is stale", path.display());
        }
    }
    assert!(total >= 2, "only {total} outputs are shown");
}

#[test]
fn only_marked_blocks_are_renewed() {
    let print = |arguments: &str| format!("<{arguments}>\n");
    let document = format!("a\n{MARK}x.pcap -->\n```text\nold\n```\nb\n```\nkept\n```\n");
    let expected = format!("a\n{MARK}x.pcap -->\n```text\n<x.pcap>\n```\nb\n```\nkept\n```\n");
    assert_eq!(renewed(&document, print), Ok((expected, 1)));
    assert!(renewed(&format!("{MARK}x.pcap -->\nno fence\n"), print).is_err());
    assert!(renewed(&format!("{MARK}x.pcap -->\n```text\nold\n"), print).is_err());
}

#[test]
fn the_first_screen_is_that_of_the_first_command() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md is there");
    let command = readme.lines().find(|line| line.starts_with("cargo run")).expect("the first command");
    let (_, arguments) = command.split_once(" -- ").expect("arguments behind --");
    assert!(readme.contains(&format!("{MARK}{arguments} -->\n")), "the output of `{command}` is shown");
}

/// `docs/architecture.md` shows the closing handshake as a table.
#[test]
fn the_closing_handshake_is_shown_as_it_is() {
    let state = |state: ClosingState| match state {
        ClosingState::Open => "open",
        ClosingState::CloseSent => "close sent",
        ClosingState::CloseReceived => "close received",
        ClosingState::HandshakeDone => "handshake done",
        ClosingState::Clean => "clean",
        ClosingState::Abnormal => "abnormal",
    };
    let event = |event: ClosingEvent| match event {
        ClosingEvent::CloseSent => "sends Close",
        ClosingEvent::CloseReceived => "receives Close",
        ClosingEvent::FinSent => "sends FIN",
        ClosingEvent::FinReceived => "receives FIN",
        ClosingEvent::TcpEnded => "TCP ends",
    };
    let rows: Vec<String> = TRANSITIONS
        .iter()
        .map(|row| format!("| {} | {} | {} | §{} |", state(row.from), event(row.event), state(row.to), row.section))
        .collect();
    let document = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md is there");
    let shown: Vec<&str> = document
        .lines()
        .skip_while(|line| !line.starts_with("| State |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(shown, rows);
}
