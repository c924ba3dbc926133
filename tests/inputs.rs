//! Several captures as one input: rotated sets, directories, files recorded side by side, and damage in the middle.

mod common;
mod support;

use common::case::Case;
use common::program::{feed, folder, run};
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use support::{Capture, Conversation};

fn closed(client_port: u16, code: u16) -> Conversation {
    let mut c = Conversation::new(&format!("10.0.0.1:{client_port}"), "10.0.0.2:80");
    c.connect().upgrade();
    c.client().text("hi");
    c.server().close(code, "");
    c.client().close(code, "");
    c.server().fin();
    c.client().fin();
    c
}

fn write(path: &Path, bytes: &[u8]) -> String {
    std::fs::write(path, bytes).expect("the folder is ours");
    path.to_str().expect("our own paths are UTF-8").to_owned()
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
}

/// What comes before the first packet of a little-endian capture, and then each record or block.
struct Pieces {
    head: Vec<u8>,
    records: Vec<Vec<u8>>,
}

impl Pieces {
    fn of(capture: &[u8]) -> Option<Self> {
        type Len = fn(&[u8], usize) -> Option<usize>;
        let (mut at, len, header): (usize, Len, usize) =
            if capture.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) || capture.starts_with(&[0x4d, 0x3c, 0xb2, 0xa1]) {
                (24, |bytes, at| Some(16 + word(bytes, at + 8)?), 24)
            } else if capture.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) && capture[8..12] == [0x4d, 0x3c, 0x2b, 0x1a] {
                (0, |bytes, at| word(bytes, at + 4), 0)
            } else {
                return None;
            };
        let (mut head, mut records) = (capture[..header].to_vec(), Vec::new());
        while let Some(len) = len(capture, at) {
            let record = capture[at..at + len].to_vec();
            let is_packet = header > 0 || word(&record, 0) == Some(6);
            match records.is_empty() && !is_packet {
                true => head.extend(record),
                false => records.push(record),
            }
            at += len;
        }
        assert_eq!(at, capture.len());
        // Sections and interfaces that begin later would be missing in the parts after them.
        let later = |record: &Vec<u8>| header == 0 && matches!(word(record, 0), Some(1 | 0x0a0d_0d0a));
        (!records.iter().any(later)).then_some(Self { head, records })
    }

    /// A capture of some of the records.
    fn file(&self, records: impl Iterator<Item = usize>) -> Vec<u8> {
        let chosen = records.flat_map(|at| self.records[at].clone());
        self.head.iter().copied().chain(chosen).collect()
    }

    /// As a capturing program that rotates would have written it.
    fn rotated(&self, count: usize) -> Vec<Vec<u8>> {
        let len = self.records.len().div_ceil(count).max(1);
        let part = |at: usize| self.file((at * len).min(self.records.len())..((at + 1) * len).min(self.records.len()));
        (0..count).map(part).collect()
    }
}

/// The objects of a run, without the name of the capture.
fn findings(lines: &[Value]) -> Vec<Value> {
    let mut lines = lines.to_vec();
    for line in &mut lines {
        line["capture"].take();
    }
    lines
}

fn analyse(paths: &[impl AsRef<str>]) -> Vec<Value> {
    let run = run(&["-T", "jsonl"].into_iter().chain(paths.iter().map(AsRef::as_ref)).collect::<Vec<_>>());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{:?}", run.text());
    run.lines()
}

/// Writes captures into a folder of their own.
fn write_all(folder: &Path, name: &str, captures: &[Vec<u8>]) -> Vec<String> {
    let path = |at: usize| folder.join(format!("{name}{at:03}.cap"));
    captures.iter().enumerate().map(|(at, bytes)| write(&path(at), bytes)).collect()
}

fn folder_for(test: &str, case: &str) -> PathBuf {
    folder(&format!("{test}-{}", case.replace('/', "-")))
}

// Rotated sets.

#[test]
fn a_rotated_set_gives_the_result_of_the_single_file() {
    let mut compared = 0;
    for case in Case::all() {
        let bytes = std::fs::read(&case.capture).expect("a fixture");
        // All packets of one interface, then all of the other: no program rotates like that.
        let Some(pieces) = Pieces::of(&bytes).filter(|_| case.name != "formats/pcapng-two-interfaces") else {
            continue;
        };
        let whole = analyse(&[case.capture.to_str().expect("UTF-8")]);
        let mut paths = write_all(&folder_for("rotated", &case.name), "part", &pieces.rotated(3));
        // The shell may hand them over in any order.
        paths.reverse();
        assert_eq!(findings(&analyse(&paths)), findings(&whole), "{}", case.name);
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn a_connection_names_the_captures_that_it_spans() {
    let first = closed(40000, 1000);
    let mut later = Conversation::new("10.0.0.1:40001", "10.0.0.2:80");
    later.at(first.now()).wait(60.0).connect().upgrade();
    later.server().close(1011, "");
    later.client().close(1011, "");
    later.server().fin();
    later.client().fin();
    let cut = first.count();
    let pieces = Pieces::of(&Capture::of([first, later]).pcap()).expect("pcap");
    let count = pieces.records.len();
    let files = [pieces.file(0..cut), pieces.file(cut..cut + 4), pieces.file(cut + 4..count)];
    let paths = write_all(&folder("spans"), "part", &files);
    let lines = analyse(&paths);
    let [one, two, summary] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(one["capture"], paths[0]);
    assert_eq!(two["capture"], format!("{}, {}", paths[1], paths[2]));
    assert_eq!(summary["capture"], paths.join(", "));
}

#[test]
fn a_directory_is_its_captures_by_name() {
    let pieces = Pieces::of(&Capture::of([closed(40000, 1011)]).pcap()).expect("pcap");
    let folder = folder("directory");
    let files = pieces.rotated(6);
    let whole = analyse(&[write(&folder.join("whole.pcap"), &pieces.file(0..pieces.records.len()))]);
    let caps = folder.join("caps");
    std::fs::create_dir_all(caps.join("deeper")).expect("ours");
    write_all(&caps, "part", &files);
    write(&caps.join("deeper").join("not-looked-into.pcap"), &files[0]);
    write(&caps.join("notes.txt"), b"not a capture\n");
    write(&caps.join("just-opened.pcap"), b"");
    let caps = caps.to_str().expect("UTF-8");
    let lines = analyse(&[caps]);
    assert_eq!(findings(&lines), findings(&whole));
    let name = lines[0]["capture"].as_str().expect("a name");
    assert!(name.contains("part000.cap") && name.contains("(6 captures)"), "{name}");
    // Named again one by one, nothing is read twice.
    assert_eq!(findings(&analyse(&[caps, &format!("{caps}/part002.cap")])), findings(&whole));
}

#[test]
fn a_directory_without_a_capture_cannot_be_read() {
    let folder = folder("no-captures");
    write(&folder.join("notes.txt"), b"not a capture\n");
    let path = folder.to_str().expect("UTF-8");
    let alone = run(&[path]);
    assert_eq!((alone.code, alone.stdout.len(), alone.stderr.lines().count()), (Some(2), 0, 1), "{alone:?}");
    assert!(alone.stderr.contains(path));
    let good = write(&folder.join("../no-captures-good.pcap"), &Capture::of([closed(40000, 1000)]).pcap());
    let both = run(&["-T", "jsonl", path, &good]);
    assert_eq!((both.code, both.lines().len()), (Some(3), 2), "{both:?}");
}

#[test]
fn only_bad_captures_give_two_and_no_report() {
    let folder = folder("only-bad");
    let (one, two) = (write(&folder.join("one.pcap"), b"text"), write(&folder.join("two.pcap"), b""));
    for format in ["text", "json", "jsonl"] {
        let run = run(&["-T", format, &one, &two]);
        assert_eq!((run.code, run.stdout.len(), run.stderr.lines().count()), (Some(2), 0, 2), "{run:?}");
    }
}

#[test]
fn compressed_and_piped_parts_are_parts_like_others() {
    let bytes = Capture::of([closed(40000, 1011)]).pcap();
    let pieces = Pieces::of(&bytes).expect("pcap");
    let folder = folder("mixed-parts");
    let whole = analyse(&[write(&folder.join("whole.pcap"), &bytes)]);
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let [first, second, third] = &pieces.rotated(3)[..] else { panic!("three parts") };
    // Two members: as `cat` joins them.
    let first = [gzip(&first[..70]), gzip(&first[70..])].concat();
    let paths = [write(&folder.join("first.gz"), &first), write(&folder.join("third.pcap"), third)];
    let run = feed(&["-T", "jsonl", &paths[1], "-", &paths[0]], second, 7);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(findings(&run.lines()), findings(&whole));
}

// Side by side.

#[test]
fn captures_recorded_side_by_side_are_merged_by_time() {
    // The same moments on two interfaces: one connection on each.
    let (one, mut two) = (closed(40000, 1000), Conversation::new("10.0.0.3:40001", "10.0.0.2:80"));
    two.at(one.now() - 40_000_500).connect().upgrade();
    two.server().close(1011, "").fin();
    let (first, second) = (Capture::of([one]).pcap(), Capture::of([two]).pcap());
    let (first, second) = (Pieces::of(&first).expect("pcap"), Pieces::of(&second).expect("pcap"));
    let mut records: Vec<&Vec<u8>> = first.records.iter().chain(&second.records).collect();
    records.sort_by_key(|record| (word(record, 0), word(record, 4)));
    let together = records.into_iter().fold(first.head.clone(), |file, record| [&file[..], record].concat());
    let folder = folder("side-by-side");
    let whole = analyse(&[write(&folder.join("whole.pcap"), &together)]);
    let captures = [first, second].map(|pieces| pieces.file(0..pieces.records.len()));
    assert_eq!(findings(&analyse(&write_all(&folder, "eth", &captures))), findings(&whole));
}

// Damage.

#[test]
fn what_follows_damage_is_reported_and_the_loss_told() {
    let good = Capture::of([closed(40000, 1000), closed(40001, 1011)]);
    for (name, bytes) in [("middle.pcap", good.pcap()), ("middle.pcapng", good.pcapng())] {
        let pieces = Pieces::of(&bytes).expect("little-endian");
        let mut damaged = bytes.clone();
        let at = bytes.len() - pieces.records[pieces.records.len() / 2..].concat().len();
        damaged[at + 4..at + 14].fill(0xff);
        let path = write(&folder(name).join(name), &damaged);
        let run = run(&["-T", "jsonl", &path]);
        assert_eq!(run.code, Some(3), "{run:?}");
        assert!(run.stderr.contains("bytes skipped"), "{}", run.stderr);
        let lines = run.lines();
        let summary = lines.last().expect("a summary");
        let read = summary["packets"]["read"].as_u64().expect("a number") as usize;
        assert!(read >= pieces.records.len() - 2 && read < pieces.records.len(), "{read}");
        assert_eq!(summary["damage"].as_array().map(Vec::len), Some(1), "{summary}");
    }
}
