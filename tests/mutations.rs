//! Every recorded capture, spoilt in every way that `support::mutate` knows, against what is true about it.

mod common;
mod judge;
mod support;

use common::case::Case;
use judge::{Truth, Verdict, reports};
use std::collections::BTreeMap;
use support::Rng;
use support::mutate::{CaptureFile, Kind, Mutation, leaves_a_trace};

/// What was said wrongly, how often, and the first example.
type Wrong = BTreeMap<(Kind, String), (usize, String)>;

#[derive(Default)]
struct Tally {
    verdicts: BTreeMap<(Kind, Verdict), usize>,
    files: BTreeMap<Kind, usize>,
    wrong: Wrong,
    phantoms: Wrong,
    lies: Wrong,
    panics: Vec<String>,
}

impl Tally {
    fn run(&mut self, kind: Kind, case: &Case, file: &CaptureFile, truth: &Truth, mutation: &Mutation) {
        let where_ = || format!("{} {mutation:?}", case.name);
        *self.files.entry(kind).or_default() += 1;
        let bent = mutation.apply(file);
        let reports = match reports(&bent) {
            Ok(reports) => reports,
            Err(panic) => return self.panics.push(format!("{panic}: {}", where_())),
        };
        let kept = mutation.kept(file);
        let segments = file.segments();
        let traced = (0..kept.len()).filter(|i| !kept[*i]).all(|i| leaves_a_trace(&segments, &kept, i));
        let traced = if traced { "traced" } else { "no trace" };
        for judgement in truth.judge(&reports, &kept, &mutation.touched(file), kind.changes_content()) {
            *self.verdicts.entry((kind, judgement.verdict)).or_default() += 1;
            let note = |wrong: &mut Wrong, what: String| {
                wrong.entry((kind, what)).or_insert_with(|| (0, where_())).0 += 1;
            };
            if judgement.verdict >= Verdict::Silent {
                note(&mut self.wrong, format!("{:?}: {traced} {}", judgement.verdict, judgement.said));
            }
            for phantom in judgement.phantoms {
                note(&mut self.phantoms, format!("{traced} {phantom}"));
            }
            for lie in judgement.lies {
                note(&mut self.lies, format!("{traced} {}: {} → {}", lie.fact, lie.was, lie.is));
            }
        }
    }
}

/// The mutations of these kinds, at most `count` of each kind for each file.
fn run(kinds: &[Kind], count: usize) -> Tally {
    let mut tally = Tally::default();
    for (seed, case) in Case::all().into_iter().enumerate() {
        let bytes = std::fs::read(&case.capture).expect("a fixture");
        let Some(file) = CaptureFile::parse(&bytes) else {
            // Of compressed files every byte may be changed; their packets are those of other cases.
            continue;
        };
        let truth = Truth::of(&case, &bytes, &file.segments());
        for kind in kinds {
            let mut rng = Rng::new(seed as u64);
            for mutation in kind.sample(&file, &mut rng, count) {
                tally.run(*kind, &case, &file, &truth, &mutation);
            }
        }
    }
    tally
}

/// What may seem to be a phantom and is none, with the reason.
const NO_PHANTOMS: [(&str, &str); 5] = [
    // The file holds the conversation once more, as on another interface, but later: what is left of the first makes one
    // connection, the second another.
    ("formats/pcapng-two-interfaces", "a connection that nobody opened"),
    // One SYN without an answer is an attempt, whatever was to follow.
    ("tls/", "a connection that nobody opened (unknown-one-sided)"),
    // Nor is more known of a connection that had just opened when the capture ended.
    ("tls/", "a connection that nobody opened (connection-no-request)"),
    ("tls/", "a connection that nobody opened (unknown-ending)"),
    // A TLS handshake of which the second half is missing, and nothing after it, may have failed; that is what is said.
    ("tls/", "a connection that nobody opened (unknown-gap)"),
];

/// Nothing panics, nothing is certain that is not so, and nothing is claimed that nobody sent: checked for a sample of each
/// kind of mutation on each capture, always the same. `measure` below takes all of them.
#[test]
fn a_spoilt_capture_proves_nothing_that_is_not_so() {
    let tally = run(&Kind::ALL, 6);
    assert!(tally.panics.is_empty(), "{:#?}", tally.panics);
    let phantoms = tally.phantoms.iter().filter(|((_, what), (_, example))| {
        !NO_PHANTOMS.iter().any(|(case, known)| example.starts_with(case) && what.contains(known))
    });
    let wrong = tally.wrong.iter().filter(|((kind, what), _)| !kind.changes_content() && what.contains("WrongCertain"));
    let lines: Vec<String> = phantoms
        .chain(wrong)
        .map(|((kind, what), (count, example))| format!("{count} {kind:?} {what} [{example}]"))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    assert!(tally.files.values().sum::<usize>() > 8000, "{:?}", tally.files);
}

/// Facts that a missing packet may change although the loss shows, each with its reason.
const MAY_CHANGE: [(&str, &str); 4] = [
    ("capture.missing_bytes", "it counts what is missing"),
    ("capture.visibility", "it says that something is missing"),
    ("connection.lifetime_s", "it begins and ends with what is left"),
    ("connection.longest_silence_s", "it begins and ends with what is left"),
];

/// Facts that speak of other connections: of one that lost a packet less is known, so that they count less, and they promise
/// no more than that.
const OF_OTHERS: [&str; 2] = [" crowd.", " leg."];

/// Facts about the library on a side: it is recognised from what is left, with less confidence or not at all.
const OF_LIBRARIES: [&str; 2] = [".stack", ".keepalive_setting"];

/// Facts that are inferred from the sizes and places of encrypted records, as are silences up to closing words: they are
/// never more than probable, and change with what is left.
const OF_SIZES: [&str; 4] = [" tls.probable_", " tls.websocket", " tls.close_notify", " tls.closed_by"];

/// Absence is never concluded across a hole: with any one packet missing whose loss shows (its sender went on, or its peer
/// acknowledged it), each fact has the answer that the whole capture gives, or is unknown.
#[test]
fn a_fact_is_the_same_or_unknown_where_a_loss_shows() {
    let tally = run(&[Kind::DropOne], usize::MAX);
    let lies = tally.lies.iter().filter(|((_, what), (_, example))| {
        // Both ends sent their FIN before they had the other's; no packet that is left tells which was first.
        let crossing = example.starts_with("close-codes/crossing") && what.contains("end.tcp_side");
        let known = MAY_CHANGE.iter().any(|(fact, _)| what.contains(&format!(" {fact}:")));
        let of_others = OF_OTHERS.iter().any(|group| what.contains(group));
        let of_libraries = OF_LIBRARIES.iter().any(|part| what.contains(part));
        let of_sizes = OF_SIZES.iter().any(|group| what.contains(group))
            || (example.starts_with("tls/") && what.contains("silence_s"));
        // A RST behind a FIN that is lost: what these say of it is so, and that it ended TCP is what `end.tcp` leaves open.
        let of_reset = example.starts_with("tls/expired-tls12-node-client")
            && [" end.rst_", " end.hop_limit", " end.connection_unknown"].iter().any(|group| what.contains(group));
        what.starts_with("traced") && !crossing && !of_reset && !known && !of_others && !of_libraries && !of_sizes
    });
    let lines: Vec<String> = lies.map(|((_, what), (count, example))| format!("{count} {what} [{example}]")).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// Prints what was wrong, then the table of `docs/accuracy.md`. `KINDS` chooses some, as `KINDS=DropOne,Swap`, and `COUNT`
/// takes a sample of at most so many of each kind for each file.
#[test]
#[ignore = "measures, takes minutes"]
fn measure() {
    let only = std::env::var("KINDS").unwrap_or_default();
    let kinds =
        Kind::ALL.into_iter().filter(|kind| only.is_empty() || only.split(',').any(|one| format!("{kind:?}") == one));
    let count = std::env::var("COUNT").ok().and_then(|count| count.parse().ok());
    let tally = run(&kinds.collect::<Vec<_>>(), count.unwrap_or(usize::MAX));
    for (name, wrong) in [("wrong", &tally.wrong), ("phantoms", &tally.phantoms), ("changed facts", &tally.lies)] {
        println!("== {name}");
        for ((kind, what), (count, example)) in wrong {
            println!("{count:>6} {kind:?} {what}   [{example}]");
        }
    }
    println!("== panics {:#?}", tally.panics);
    println!("| Mutation | Files | Connections | Right | Honest | Not reported | Likely, wrong | Certain, wrong |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for kind in Kind::ALL {
        let count = |verdict| tally.verdicts.get(&(kind, verdict)).copied().unwrap_or(0);
        let verdicts = [Verdict::Right, Verdict::Honest, Verdict::Silent, Verdict::WrongLikely, Verdict::WrongCertain];
        let all: usize = verdicts.into_iter().map(count).sum();
        let shares = verdicts.map(|verdict| match count(verdict) {
            0 => "0".to_owned(),
            some => format!("{:.1} %", 100.0 * some as f64 / all as f64),
        });
        if let Some(files) = tally.files.get(&kind) {
            println!("| {} | {files} | {all} | {} |", kind.name(), shares.join(" | "));
        }
    }
}
