//! How many instructions the program takes for small captures of each kind, against the numbers in `instructions.toml`.
//!
//! `cargo bench --profile dev --bench instructions` fails when one of them grew by more than a tenth; `-- --update` writes the numbers of
//! today. Counted by valgrind's callgrind for one thread, they do not depend on how busy the machine is: two runs agree to a fraction of
//! a percent, although hash tables are seeded at random. They do depend on the compiler, so another one than wrote the
//! numbers is only told so; and without valgrind nothing is counted.

#[path = "../tests/support/mod.rs"]
mod support;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use support::Capture;
use support::workload::Workload;

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.toml");

/// What the numbers may grow or fall by before it is told.
const TOLERANCE: f64 = 0.10;

/// Bytes of each capture.
const SIZE: u64 = 3_000_000;

#[derive(Serialize, Deserialize)]
struct Recorded {
    /// `rustc --version`.
    rustc: String,
    /// Millions of instructions; `start` is an empty capture, and is in all of them.
    millions: BTreeMap<String, f64>,
}

fn main() -> ExitCode {
    match run(std::env::args().any(|argument| argument == "--update")) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(is_update: bool) -> Result<ExitCode, String> {
    let Some(valgrind) = said(Command::new("valgrind").arg("--version")) else {
        eprintln!("WARNING: no valgrind here, so no instructions were counted");
        return Ok(ExitCode::SUCCESS);
    };
    let rustc = said(Command::new(std::env::var("RUSTC").unwrap_or("rustc".into())).arg("--version"));
    let now = Recorded { rustc: rustc.ok_or("no rustc to ask for its version")?, millions: counted()? };
    println!("{valgrind}, {}", now.rustc);
    if is_update {
        let text = toml::to_string(&now).map_err(|error| error.to_string())?;
        let head = "# Written by `cargo bench --profile dev --bench instructions -- --update`.\n";
        std::fs::write(RECORDED, format!("{head}{text}")).map_err(|error| format!("{RECORDED}: {error}"))?;
        return Ok(compare(&now, &now));
    }
    let Ok(text) = std::fs::read_to_string(RECORDED) else {
        println!("WARNING: nothing is recorded yet; benches/instructions.toml comes with `-- --update`");
        return Ok(compare(&now, &now));
    };
    let recorded: Recorded = toml::from_str(&text).map_err(|error| format!("{RECORDED}: {error}"))?;
    let code = compare(&recorded, &now);
    if recorded.rustc != now.rustc {
        println!("WARNING: the recorded numbers are those of {}; nothing is concluded from them", recorded.rustc);
        return Ok(ExitCode::SUCCESS);
    }
    Ok(code)
}

/// Prints both, and says whether something became slower.
fn compare(recorded: &Recorded, now: &Recorded) -> ExitCode {
    let (mut is_slower, mut is_faster) = (false, false);
    println!("{:10} {:>12} {:>12} {:>9}", "", "recorded", "now", "change");
    for (name, count) in &now.millions {
        let Some(before) = recorded.millions.get(name) else {
            println!("{name:10} {:>12} {count:>12.2}", "none");
            is_slower = true;
            continue;
        };
        let change = count / before - 1.0;
        println!("{name:10} {before:>12.2} {count:>12.2} {:>+8.1}%", change * 100.0);
        is_slower |= change > TOLERANCE;
        is_faster |= change < -TOLERANCE;
    }
    let update = "cargo bench --profile dev --bench instructions -- --update";
    if is_slower {
        println!("FAILED: more instructions than recorded (in millions). If they are worth it: {update}");
        return ExitCode::FAILURE;
    }
    if is_faster {
        println!("fewer instructions than recorded (in millions); so that they stay so: {update}");
    }
    ExitCode::SUCCESS
}

/// Millions of instructions for each capture. Two are counted at the same time.
fn counted() -> Result<BTreeMap<String, f64>, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut captures = vec![("start".to_owned(), Capture::new().pcap())];
    captures.extend(Workload::ALL.map(|workload| (workload.name().to_owned(), workload.capture(SIZE).0)));
    let mut counts = BTreeMap::new();
    for pair in captures.chunks(2) {
        let mut running = Vec::new();
        for (name, bytes) in pair {
            let path = folder.join(format!("{name}.pcap"));
            std::fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
            running.push((name, start(&path)?));
        }
        for (name, child) in running {
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            let log = String::from_utf8_lossy(&output.stderr);
            let count = instructions(&log).filter(|_| output.status.success());
            let count = count.ok_or_else(|| format!("callgrind failed on {name}: {log}"))?;
            counts.insert(name.clone(), (count as f64 / 1e4).round() / 1e2);
        }
    }
    Ok(counts)
}

/// Starts the program on a capture, under callgrind.
fn start(capture: &PathBuf) -> Result<std::process::Child, String> {
    Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", env!("CARGO_BIN_EXE_wsdissect"), "--no-config"])
        .args(["--jobs", "1", "--lang", "en", "-T", "jsonl"])
        .arg(capture)
        .env_remove("SSLKEYLOGFILE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("valgrind does not start: {error}"))
}

/// The number that callgrind ends with: `==7== Collected : 123`.
fn instructions(log: &str) -> Option<u64> {
    log.lines().rev().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

/// The first line that a command prints; `None` when there is no such command.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}
