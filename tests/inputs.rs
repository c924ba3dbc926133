//! Several captures as one input: rotated sets, directories, files recorded side by side, and damage in the middle.

mod common;
mod support;

use common::case::Case;
use common::program::{command, ended, feed, folder, run, start};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use support::net::Link;
use support::{Capture, Conversation, PcapFormat, PcapngWriter, TimeResolution};

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

/// The objects of a run, without the names of the captures.
fn findings(lines: &[Value]) -> Vec<Value> {
    let mut lines = lines.to_vec();
    for line in &mut lines {
        for key in ["capture", "files", "files_passed_over"] {
            line[key].take();
        }
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
fn row_06_a_rotated_set_gives_the_result_of_the_single_file() {
    let mut compared = 0;
    for case in Case::all() {
        let bytes = std::fs::read(&case.capture).expect("a fixture");
        // All packets of one interface, then all of the other: no program rotates like that.
        let Some(pieces) = Pieces::of(&bytes)
            .filter(|_| case.name != "formats/pcapng-two-interfaces" && !case.name.ends_with("-between-points"))
        else {
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
    // Where each packet is: number minus offset is what tshark shows of that file alone.
    let numbers: Vec<Value> = summary["files"].as_array().expect("a list").iter().map(numbers).collect();
    assert_eq!(
        numbers,
        [
            json!([paths[0], 1, cut, 0]),
            json!([paths[1], cut + 1, cut + 4, cut]),
            json!([paths[2], cut + 5, count, cut + 4])
        ]
    );
    let text = run(&paths);
    // Its first packet shown from there is the response, the second one in that file.
    let there = "part002.cap: ip.addr == 10.0.0.1 && tcp.port == 40001 && frame.number >= 2";
    assert!(text.text().contains(there), "{}", text.text());
    assert!(text.text().contains(&format!("packets #{} to #{}: {}", cut + 1, cut + 4, paths[1])), "{}", text.text());
}

fn numbers(file: &Value) -> Value {
    json!([file["name"], file["first_packet"], file["last_packet"], file["packet_offset"]])
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
    let by_folder = run(&["-T", "jsonl", caps]);
    assert_eq!(by_folder.code, Some(0));
    let lines = by_folder.lines();
    assert_eq!(findings(&lines), findings(&whole));
    // What is left out is said.
    let left_out = [format!("{caps}/just-opened.pcap"), format!("{caps}/notes.txt")];
    assert_eq!(lines.last().expect("a summary")["files_passed_over"], json!(left_out));
    assert_eq!(
        by_folder.stderr,
        format!("wsdissect: left out because they are no captures: {}\n", left_out.join(", "))
    );
    let name = lines[0]["capture"].as_str().expect("a name");
    assert!(name.contains("part000.cap") && name.contains("(6 captures)"), "{name}");
    // Named again one by one, nothing is read twice.
    let again = run(&["-T", "jsonl", caps, &format!("{caps}/part002.cap")]);
    assert_eq!(findings(&again.lines()), findings(&whole));
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
    let damage = &both.lines()[1]["damage"][0];
    assert_eq!((&damage["kind"], &damage["file"]), (&"unreadable".into(), &path.into()));
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
fn row_05_what_follows_damage_is_reported_and_the_loss_told() {
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
        let [damage] = &summary["damage"].as_array().expect("a list")[..] else { panic!("{summary}") };
        // pcap does not mark where records start: the one before a bad header may be the one that lacks bytes.
        let lost = if name.ends_with("pcapng") { 1 } else { 2 };
        assert_eq!(read, pieces.records.len() - lost);
        let record = pieces.records[pieces.records.len() / 2 + 1 - lost].len();
        let start = bytes.len() - pieces.records[pieces.records.len() / 2 + 1 - lost..].concat().len();
        assert_eq!((damage["offset"].as_u64(), &damage["file"]), (Some(start as u64), &path.as_str().into()));
        let skipped = damage["skipped_bytes"].as_u64().expect("a number") as usize;
        assert!(skipped >= record && skipped < record + 200, "{damage}");
        assert!((1..=3).contains(&damage["lost_packets_estimate"].as_u64().expect("a number")), "{damage}");
    }
}

// Formats.

/// All four magics of pcap hold the same packets; `capinfos` counts those of every recorded capture.
#[test]
fn row_01_packets_read_are_those_of_the_file_whatever_its_format() {
    let capture = Capture::of([closed(40000, 1011)]);
    let whole = capture.packets().len();
    let folder = folder("magics");
    for (big_endian, nanoseconds) in [(false, false), (false, true), (true, false), (true, true)] {
        let format = PcapFormat { big_endian, nanoseconds, ..PcapFormat::default() };
        let summary = analyse(&[write(&folder.join("magic.pcap"), &capture.pcap_as(format))]).pop().expect("a summary");
        let packets = &summary["packets"];
        assert_eq!((&packets["read"], &packets["analysed"]), (&json!(whole), &json!(whole)), "{format:?}");
    }
    let all = Case::all();
    let counted =
        Command::new("capinfos").args(["-T", "-r", "-c", "-M"]).args(all.iter().map(|case| &case.capture)).output();
    let Ok(counted) = counted else { return eprintln!("no capinfos here: the recorded captures are not counted") };
    let mut compared = 0;
    for line in String::from_utf8(counted.stdout).expect("UTF-8").lines() {
        let (path, count) = line.rsplit_once('\t').expect("two columns");
        let summary = analyse(&[path]).pop().expect("a summary");
        let packets = &summary["packets"];
        assert_eq!(packets["read"].to_string(), count, "{path}");
        assert_eq!(
            packets["read"].as_u64(),
            Some(number(&packets["analysed"]) + number(&packets["skipped"])),
            "{path}"
        );
        compared += 1;
    }
    assert_eq!(compared, all.len());
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

/// Times that each clock can tell exactly: multiples of 1/512 s.
#[test]
fn row_02_sections_with_other_clocks_and_byte_orders_give_what_their_conversion_gives() {
    let mut capture = Capture::of([closed(40000, 1011), closed(40001, 1000)]);
    let start = capture.packets()[0].time - capture.packets()[0].time % 1_000_000_000;
    for (packet, step) in capture.packets_mut().iter_mut().zip(1..) {
        packet.time = start + step * 1_953_125;
    }
    let packets = capture.packets();
    let clocks = [
        (false, TimeResolution::Decimal(9), 0),
        (true, TimeResolution::Binary(20), 3600),
        (true, TimeResolution::Decimal(12), 1_700_000_000),
    ];
    let mut writer = PcapngWriter::new();
    for (packets, (big_endian, resolution, offset)) in packets.chunks(packets.len().div_ceil(3)).zip(clocks) {
        writer.section(big_endian).interface_with(Link::Ethernet, 0, resolution, offset);
        packets.iter().for_each(|packet| {
            writer.packet(0, packet);
        });
    }
    let folder = folder("clocks");
    let sections = analyse(&[write(&folder.join("sections.pcapng"), &writer.bytes())]);
    let converted = analyse(&[write(&folder.join("converted.pcap"), &capture.pcap())]);
    assert_eq!(findings(&sections), findings(&converted));
    let first = sections[0]["start"].as_str().expect("a time");
    assert!(first.ends_with('Z') && first.len() == "2026-11-21T00:00:00.123456789Z".len(), "nanoseconds: {first}");
}

#[test]
fn row_03_compressed_captures_give_what_the_plain_one_gives() {
    let bytes = Capture::of([closed(40000, 1011)]).pcapng();
    let folder = folder("compressed");
    let plain = analyse(&[write(&folder.join("plain"), &bytes)]);
    let mut packed = Vec::new();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).expect("memory");
    packed.push(("gz", gzip.finish().expect("memory")));
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&bytes).expect("memory");
    packed.push(("lz4", lz4.finish().expect("memory")));
    #[cfg(feature = "zstd")]
    packed.push(("zst", zstd::encode_all(&bytes[..], 1).expect("memory")));
    #[cfg(feature = "xz")]
    {
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&bytes).expect("memory");
        packed.push(("xz", xz.finish().expect("memory")));
    }
    for (name, bytes) in packed {
        // By content, not by name.
        let found = analyse(&[write(&folder.join(format!("packed-{name}")), &bytes)]);
        assert_eq!(findings(&found), findings(&plain), "{name}");
    }
}

/// A real connection, recorded while it happens.
#[test]
#[cfg(unix)]
fn row_07_a_live_capture_is_analysed_as_it_runs() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let filter = format!("tcp port {port}");
    let recorder = Command::new("tcpdump")
        .args(["-i", "lo", "-U", "-w", "-", "--immediate-mode", &filter])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut recorder) = recorder else { return eprintln!("no tcpdump here: nothing is recorded") };
    let mut said = BufReader::new(recorder.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        if said.read_line(&mut line).unwrap_or(0) == 0 {
            recorder.wait().expect("it ended");
            return eprintln!("tcpdump may not record here: nothing is recorded");
        }
    }
    let mut program = command(&["-T", "jsonl", "-"]);
    let program = program.stdin(recorder.stdout.take().expect("a pipe")).spawn().expect("the program starts");

    let mut client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let (mut server, _) = listener.accept().expect("a client");
    let mut seen = [0; 1024];
    // The example of RFC 6455 §1.3, then Close 1011 and its answer.
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").expect("open");
    assert_ne!(server.read(&mut seen).expect("open"), 0, "a request");
    server.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n").expect("open");
    assert_ne!(client.read(&mut seen).expect("open"), 0, "a response");
    server.write_all(b"\x88\x02\x03\xf3").expect("open");
    assert_ne!(client.read(&mut seen).expect("open"), 0, "a Close frame");
    client.write_all(b"\x88\x82\0\0\0\0\x03\xf3").expect("open");
    assert_ne!(server.read(&mut seen).expect("open"), 0, "a Close frame");
    drop((server, client));
    // Packets take a moment from the kernel through tcpdump.
    std::thread::sleep(Duration::from_millis(700));
    interrupt(recorder.id());
    recorder.wait().expect("it ends");
    let run = ended(program);
    let lines = run.lines();
    assert_eq!(
        (run.code, &lines[0]["close"]["code"], &lines[0]["close"]["clean"]),
        (Some(0), &1011.into(), &true.into()),
        "{run:?}"
    );
}

// Captures that grow, and Ctrl-C.

#[cfg(unix)]
fn interrupt(process: u32) {
    let status = Command::new("kill").args(["-INT", &process.to_string()]).status().expect("kill is everywhere");
    assert!(status.success());
}

/// Two connections, of which the second begins when the first has long ended, and where it begins in the file.
fn one_after_the_other() -> (Vec<u8>, usize) {
    let first = closed(40000, 1011);
    let mut second = Conversation::new("10.0.0.1:40001", "10.0.0.2:80");
    second.at(first.now()).wait(60.0).connect().upgrade();
    second.server().close(1000, "");
    second.client().close(1000, "");
    second.server().fin();
    second.client().fin();
    let before = Capture::of([closed(40000, 1011)]).pcap().len();
    (Capture::of([first, second]).pcap(), before)
}

#[test]
#[cfg(unix)]
fn a_followed_capture_is_read_as_it_grows_until_it_is_interrupted() {
    let (bytes, before) = one_after_the_other();
    let path = write(&folder("followed").join("growing.pcap"), b"");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("ours");
    let mut child = command(&["--follow", "-T", "jsonl", &path]).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    // Cut inside a record, several times: it waits for the rest.
    let mut at = 0;
    for end in [10, before - 7, before + 20, before + 100] {
        file.write_all(&bytes[at..end]).expect("ours");
        at = end;
        std::thread::sleep(Duration::from_millis(150));
    }
    let first: Value = serde_json::from_str(&lines.next().expect("a line").expect("UTF-8")).expect("JSON");
    assert_eq!(first["close"]["code"], 1011);
    file.write_all(&bytes[at..]).expect("ours");
    std::thread::sleep(Duration::from_millis(500));
    interrupt(child.id());
    let rest: Vec<Value> = lines.map(|line| serde_json::from_str(&line.expect("UTF-8")).expect("JSON")).collect();
    let [second, summary] = &rest[..] else { panic!("{rest:?}") };
    assert_eq!(
        (&second["close"]["code"], &summary["damage"], &summary["interrupted"]),
        (&1000.into(), &json!([]), &false.into())
    );
    let run = ended(child);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
#[cfg(unix)]
fn a_followed_capture_that_is_replaced_is_reported() {
    let (bytes, _) = one_after_the_other();
    let path = write(&folder("replaced").join("growing.pcap"), &bytes);
    let child = command(&["--follow", "-T", "jsonl", &path]).spawn().expect("the program starts");
    std::thread::sleep(Duration::from_millis(300));
    std::fs::rename(&path, format!("{path}.1")).expect("ours");
    let run = ended(child);
    assert_eq!((run.code, run.lines().len()), (Some(0), 3), "{run:?}");
    assert!(run.stderr.contains("another file now"), "{}", run.stderr);
    let several = common::program::run(&["--follow", &path, &path.replace("growing", "other")]);
    assert_eq!((several.code, several.stdout.len()), (Some(2), 0), "{several:?}");
}

#[test]
#[cfg(unix)]
fn ctrl_c_prints_the_report_of_what_was_read() {
    let (bytes, before) = one_after_the_other();
    let mut child = start(&["-T", "jsonl", "-"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    // Half a record, then silence on a pipe that stays open.
    stdin.write_all(&bytes[..before + 150]).expect("it reads");
    std::thread::sleep(Duration::from_millis(500));
    interrupt(child.id());
    let run = ended(child);
    drop(stdin);
    assert_eq!(run.code, Some(3), "{run:?}");
    let lines = run.lines();
    let summary = lines.last().expect("a summary");
    assert_eq!((&lines[0]["close"]["code"], &summary["interrupted"]), (&1011.into(), &true.into()));
    assert_eq!(summary["damage"], json!([]), "half a record is no damage then");
    assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
}
