//! Writes a large synthetic capture: `cargo run --release --example generate -- chat chat.pcap 1000`.
//!
//! Kinds: chat, bulk, deflate, needle, many, lossy. The size is in megabytes (10⁶ bytes). What a perfect reader must find in
//! it goes to stdout as one line of JSON.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use support::workload::Workload;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, path, megabytes] = &arguments[..] else { return usage("three arguments are needed") };
    let Some(workload) = Workload::named(kind) else { return usage(&format!("there is no kind {kind}")) };
    let Ok(megabytes) = megabytes.parse::<u32>() else { return usage(&format!("{megabytes} is not a size")) };

    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let truth = workload.write(u64::from(megabytes) * 1_000_000, &mut out)?;
        out.flush()?;
        Ok(truth)
    });
    match written {
        Ok(truth) => {
            println!("{}", truth.manifest(workload));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("failed to write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage(fault: &str) -> ExitCode {
    let kinds = Workload::ALL.map(Workload::name).join("|");
    eprintln!("{fault}\nusage: generate {kinds} FILE MEGABYTES");
    ExitCode::from(2)
}
