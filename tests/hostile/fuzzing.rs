//! A short run of the fuzz targets, the same on every machine: coverage-guided fuzzing (`fuzz/run`) takes hours.

use super::fuzz::{seeds, targets};
use super::support::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Changed inputs of each target.
const MUTATIONS: u64 = 3_000;

/// Bytes of changed inputs of each target: what bounds the time.
const BYTES: usize = 6 << 20;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn target(name: &str) -> targets::Target {
    targets::ALL.iter().find(|(known, _)| *known == name).map(|(_, run)| *run).expect("a target of this name")
}

/// Runs a target and says which input it failed on, in a form that `fuzz/run TARGET FILE` takes after `xxd -r -p`.
fn check(name: &str, what: &str, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(name)(input))).is_err() {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("target {name}, {what}: {hex}");
    }
}

/// The inputs of one target that the fixtures give.
fn inputs(name: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    seeds::each(&root(), &mut |of, input| {
        if of == name {
            found.push(input.to_vec());
        }
        Ok(())
    })
    .expect("the fixtures can be read");
    assert!(!found.is_empty(), "there are seeds for {name}");
    found
}

fn run_mutations(name: &str) {
    let seeds = inputs(name);
    let mut rng = Rng::new(name.bytes().fold(20_260_101, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte)));
    let mut left = BYTES;
    for number in 0..MUTATIONS {
        let seed = &seeds[rng.below(seeds.len() as u64) as usize];
        let other = &seeds[rng.below(seeds.len() as u64) as usize];
        let input = mutated(seed, other, &mut rng);
        check(name, &format!("mutation {number}"), &input);
        left = left.saturating_sub(input.len() + 200);
        if left == 0 {
            break;
        }
    }
}

/// A copy of `seed` with one to six changes; `other` lends bytes.
fn mutated(seed: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    const TELLING: [u8; 10] = [0, 1, 2, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x88, 0xff];
    let mut bytes = seed.to_vec();
    for _ in 0..rng.between(1, 6) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        let most = 1 << rng.between(0, 8);
        let len = (rng.below(most) as usize).min(bytes.len() - at);
        match rng.below(9) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.below(8)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = TELLING[rng.below(10) as usize]),
            2 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = rng.next_u64() as u8),
            3 => drop(bytes.drain(at..at + len)),
            4 => {
                let again = bytes[at..at + len].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let from = rng.below(other.len() as u64 + 1) as usize;
                let lent = &other[from..other.len().min(from + len + 8)];
                bytes.splice(at..at + len, lent.iter().copied());
            }
            // A length or an offset that lies: 16 or 32 bits, all ones, none, or the highest.
            6 => {
                let width = if rng.chance(0.5) { 2 } else { 4 };
                let lie = [[0xff; 4], [0; 4], [0x80, 0, 0, 0], [0, 0, 0, 0x80], [0xff, 0xff, 0xff, 0x7f]];
                let lie = lie[rng.below(5) as usize];
                bytes.iter_mut().skip(at).zip(&lie[..width]).for_each(|(byte, lie)| *byte = *lie);
            }
            7 => bytes.truncate(at.max(1)),
            _ => bytes[at..at + len].fill(rng.next_u64() as u8),
        }
    }
    bytes
}

macro_rules! short_runs {
    ($($test:ident: $name:literal;)*) => {
        $(
            #[test]
            fn $test() {
                run_mutations($name);
            }
        )*

        #[test]
        fn every_target_has_a_short_run() {
            let tested = [$($name),*];
            assert!(targets::ALL.iter().map(|(name, _)| *name).eq(tested), "{tested:?}");
            for name in tested {
                let program = root().join(format!("fuzz/fuzz_targets/{name}.rs"));
                assert!(program.is_file(), "{} runs it under libFuzzer", program.display());
            }
        }
    };
}

short_runs! {
    row_127_changed_captures_are_read: "capture_reader";
    row_127_changed_heads_are_read: "http";
    row_127_changed_packets_are_decoded: "packet_decode";
    row_127_changed_segments_are_put_in_order: "tcp";
    row_127_changed_tls_handshakes_are_observed: "tls";
    row_127_changed_frames_are_decoded: "websocket";
    row_127_changed_captures_are_analysed_and_reported: "whole";
}

/// Every input under `fuzz/regressions/TARGET/`: what fuzzing once failed on.
#[test]
fn row_127_what_fuzzing_found_stays_repaired() {
    let folder = root().join("fuzz/regressions");
    let mut checked = 0;
    for (name, _) in targets::ALL {
        for path in files(&folder.join(name)) {
            let input = std::fs::read(&path).expect("it can be read");
            check(name, &path.display().to_string(), &input);
            checked += 1;
        }
    }
    assert!(checked > 0, "there is something in {}", folder.display());
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.sort();
    files
}
