//! What pipelines and people rely on: exit codes, formats, streams, and that nothing from the wire reaches a terminal.

mod common;
mod support;

use common::case::Case;
use common::program::{Run, command, ended, feed, folder, run, start};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use support::net::Link;
use support::{Acks, Capture, Conversation, Masking, PcapFormat, Upgrade};
use support::{Frame, Packet};

/// A conversation that ends with a closing handshake of this code.
fn closed(client_port: u16, code: u16, reason: &str) -> Conversation {
    let mut c = Conversation::new(&format!("10.0.0.1:{client_port}"), "10.0.0.2:80");
    c.connect().upgrade();
    c.client().text("hi");
    c.server().close(code, reason);
    c.client().close(code, "");
    c.server().fin();
    c.client().fin();
    c
}

fn fixture(name: &str) -> String {
    Case::named(name).capture.to_str().expect("our own paths are UTF-8").to_owned()
}

fn write(path: &Path, bytes: &[u8]) -> String {
    std::fs::write(path, bytes).expect("the folder is ours");
    path.to_str().expect("our own paths are UTF-8").to_owned()
}

/// The connections among objects, by stream, without the name of the capture.
fn connections(objects: &[Value]) -> Vec<Value> {
    let mut found: Vec<Value> = objects.iter().filter(|object| object["type"] == "connection").cloned().collect();
    for each in &mut found {
        each["capture"].take();
    }
    found.sort_by_key(|each| each["stream"].as_u64());
    found
}

/// Records of an uncompressed little-endian pcap file, counted by walking over them.
fn packets_in(pcap: &[u8]) -> u64 {
    let (mut at, mut count) = (24, 0);
    while let Some(len) = pcap.get(at + 8..at + 12) {
        at += 16 + u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize;
        count += 1;
    }
    assert_eq!(at, pcap.len(), "the file ends with a whole record");
    count
}

// Exit codes.

#[test]
fn a_good_capture_is_success() {
    for format in ["text", "json", "jsonl"] {
        let run = run(&["-T", format, &fixture("formats/pcap-nano")]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{format}");
        assert!(!run.stdout.is_empty());
    }
}

#[test]
fn fail_on_tells_whether_something_matched() {
    let (good, killed) = (fixture("formats/pcap-nano"), fixture("no-close/server-killed"));
    let too_big = fixture("close-codes/1009-small-limit");
    for (word, capture, code) in [
        ("abnormal", &killed, 1),
        ("abnormal", &too_big, 1),
        ("abnormal", &good, 0),
        ("message_too_big", &too_big, 1),
        ("message_too_big", &killed, 0),
        ("message_too_big,normal", &good, 1),
    ] {
        let run = run(&["--fail-on", word, capture]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""), "--fail-on {word} {capture}");
        assert!(!run.stdout.is_empty(), "the results are printed whatever the code is");
    }
}

#[test]
fn what_cannot_be_read_is_named_and_gives_two() {
    let folder = folder("unreadable");
    let missing = folder.join("missing.pcap").display().to_string();
    let empty = write(&folder.join("empty.pcap"), b"");
    let text = write(&folder.join("notes.txt"), b"these are notes\n");
    let short = write(&folder.join("short.pcap"), &PcapFormat::default().header(Link::Ethernet)[..10]);
    for path in [&missing, &empty, &text, &short] {
        let run = run(&["-T", "jsonl", path]);
        assert_eq!(run.code, Some(2), "{path}: {run:?}");
        assert!(run.stderr.contains(path.as_str()), "{path} is named: {}", run.stderr);
        assert!(run.stderr.lines().count() == 1, "one line says it: {}", run.stderr);
        assert!(run.stdout.is_empty());
    }
}

#[test]
fn wrong_usage_gives_two() {
    let good = fixture("formats/pcap-nano");
    let wrong: [&[&str]; 8] = [
        &[],
        &["--no-such-option"],
        &["-T", "yaml", &good],
        &["--fail-on", "no_such_cause", &good],
        &["--only", "no_such_key=1", &good],
        &["--lang", "tlh", &good],
        &["explain", "no-such-thing"],
        &["compare", "1006"],
    ];
    for args in wrong {
        let run = run(args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{args:?}: {run:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for (arg, part) in [("--help", "Usage"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let run = run(&[arg]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
        assert!(run.text().contains(part));
    }
}

/// Cut in the middle of its last packet: everything before is reported, and the code says that something is missing.
#[test]
fn row_05_a_capture_cut_inside_a_packet_keeps_its_results_and_gives_three() {
    let conversation = closed(40000, 1011, "boom");
    let count = conversation.count() as u64;
    let whole = Capture::of([conversation]).pcap();
    let path = write(&folder("cut").join("cut.pcap"), &whole[..whole.len() - 7]);
    let run = run(&["-T", "jsonl", &path]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains(&path), "{}", run.stderr);
    let [connection, summary] = &run.lines()[..] else { panic!("{run:?}") };
    assert_eq!(connection["close"]["code"], 1011);
    assert_eq!(summary["packets"]["read"], count - 1);
    let [damage] = &summary["damage"].as_array().expect("a list")[..] else { panic!("{summary}") };
    assert_eq!(damage["after_packet"], count - 1);
    // The record of the last packet, a bare ACK: 16 bytes of header, 14 Ethernet, 20 IPv4, 20 TCP.
    assert_eq!(damage["offset"], whole.len() - (16 + 14 + 20 + 20));
    assert_eq!((&damage["kind"], &damage["file"]), (&"cut".into(), &path.as_str().into()));
    assert_eq!(damage["skipped_bytes"], Value::Null);
}

#[test]
fn a_found_cause_outweighs_damage_or_damage_is_told() {
    let whole = Capture::of([closed(40000, 1011, "boom")]).pcap();
    let path = write(&folder("cut-found").join("cut.pcap"), &whole[..whole.len() - 7]);
    let run = run(&["--fail-on", "abnormal", &path]);
    assert!(matches!(run.code, Some(1 | 3)), "{run:?}");
    assert!(run.stderr.contains("cut.pcap"), "the damage is told on standard error in any case");
}

/// The length is a claim of the file: nothing is allocated for it.
#[test]
#[cfg(unix)]
fn a_record_that_claims_two_gigabytes_costs_no_memory() {
    let mut bytes = Capture::of([closed(40000, 1000, "")]).pcap();
    let count = packets_in(&bytes);
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&0x7fff_ffff_u32.to_le_bytes().repeat(2));
    bytes.extend_from_slice(&[0; 100]);
    let path = write(&folder("two-gigabytes").join("huge.pcap"), &bytes);
    let program = command(&["-T", "jsonl", &path]);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -v 400000 && exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    limited.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let run = ended(limited.spawn().expect("a shell"));
    assert_eq!(run.code, Some(3), "{run:?}");
    let lines = run.lines();
    assert_eq!(connections(&lines).len(), 1);
    assert_eq!(lines[1]["packets"]["read"], count);
    assert!(run.stderr.contains("2147483647"), "{}", run.stderr);
    assert_eq!(lines[1]["limits_hit"]["packet_bytes"], 1);
}

// Formats.

#[test]
fn row_01_json_lines_are_connections_and_a_summary_that_counts_every_packet() {
    for case in Case::all() {
        let run = run(&["-T", "jsonl", case.capture.to_str().expect("UTF-8")]);
        assert_eq!(run.code, Some(0), "{}: {run:?}", case.name);
        let lines = run.lines();
        let (summary, rest) = lines.split_last().expect("at least a summary");
        assert_eq!(summary["type"], "summary", "{}", case.name);
        assert!(rest.iter().all(|object| object["type"] == "connection"), "{}", case.name);
        assert!(lines.iter().all(|object| object["schema"] == "wsdissect/1"), "{}", case.name);
        let packets = &summary["packets"];
        let number = |key: &str| packets[key].as_u64().unwrap_or_else(|| panic!("{}: {packets}", case.name));
        assert_eq!(number("read"), number("analysed") + number("skipped"), "{}: {packets}", case.name);
        let by_reason: u64 =
            packets["skipped_by_reason"].as_object().expect("a map").values().filter_map(Value::as_u64).sum();
        assert_eq!(number("skipped"), by_reason, "{}: {packets}", case.name);
        assert_eq!(summary["connections"]["total"], rest.len(), "{}", case.name);
        let bytes = std::fs::read(&case.capture).expect("it was just read");
        if bytes.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) || bytes.starts_with(&[0x4d, 0x3c, 0xb2, 0xa1]) {
            assert_eq!(number("read"), packets_in(&bytes), "{}", case.name);
        }
    }
}

#[test]
fn both_json_formats_hold_the_same_objects() {
    let path = fixture("demo/mixed");
    let (lines, array) = (run(&["-T", "jsonl", &path]).lines(), run(&["-T", "json", &path]).array());
    assert_eq!(connections(&lines), connections(&array));
    assert_eq!(lines.last(), array.last());
    assert_eq!(lines.len(), array.len());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let path = fixture("demo/mixed");
    for args in [&["-T", "text"][..], &["-v"], &["-T", "json"], &["-T", "jsonl"], &["--lang", "zh"]] {
        let args = [args, &[&path]].concat();
        let (one, two) = (run(&args), run(&args));
        assert_eq!(one.code, Some(0));
        assert!(one.stdout == two.stdout, "{args:?}");
    }
}

#[test]
fn only_leaves_out_what_does_not_match() {
    let path = fixture("demo/mixed");
    let all = connections(&run(&["-T", "jsonl", &path]).lines());
    for (selector, key, value) in [
        ("code=1009", "/close/code", Value::from(1009)),
        ("stream=6", "/stream", Value::from(6)),
        ("cause=invalid_utf8", "/diagnosis/cause", Value::from("invalid_utf8")),
        ("party=none", "/diagnosis/party", Value::from("none")),
    ] {
        let only = connections(&run(&["-T", "jsonl", "--only", selector, &path]).lines());
        let expected: Vec<Value> = all.iter().filter(|each| each.pointer(key) == Some(&value)).cloned().collect();
        assert!(!expected.is_empty(), "{selector}");
        assert_eq!(only, expected, "{selector}");
    }
}

#[test]
fn several_captures_are_reported_as_one() {
    let (one, two) = (fixture("close-codes/1011-handler-exception"), fixture("formats/pcap-gz"));
    let both = run(&["-T", "jsonl", &one, &two]);
    assert_eq!(both.code, Some(0));
    let lines = both.lines();
    for (path, alone) in [(&one, run(&["-T", "jsonl", &one])), (&two, run(&["-T", "jsonl", &two]))] {
        // Streams and packets are counted through; what happened stays the same.
        let of_this: Vec<Value> = lines.iter().filter(|line| line["capture"] == path.as_str()).cloned().collect();
        let happened = |objects: &[Value]| -> Vec<Value> {
            connections(objects)
                .iter()
                .map(|each| Value::from(vec![each["start"].clone(), each["close"]["code"].clone()]))
                .collect()
        };
        assert_eq!(happened(&of_this), happened(&alone.lines()), "{path}");
        assert!(!connections(&of_this).is_empty());
    }
    let summaries: Vec<&Value> = lines.iter().filter(|line| line["type"] == "summary").collect();
    assert_eq!((summaries.len(), lines.last()), (1, summaries.last().copied()));
    let text = run(&[&one, &two]);
    assert!(text.text().contains("1011-handler-exception") && text.text().contains("pcap-gz"));
    assert_eq!(run(&["-T", "json", &one, &two]).array().len(), lines.len());
}

/// The good one is still reported, and the code says that not everything was read.
#[test]
fn one_unreadable_capture_among_several_does_not_silence_the_others() {
    let folder = folder("several");
    let (missing, good) = (folder.join("missing.pcap").display().to_string(), fixture("formats/pcap-nano"));
    for order in [[&missing, &good], [&good, &missing]] {
        let run = run(&["-T", "jsonl", order[0], order[1]]);
        assert!(matches!(run.code, Some(2 | 3)), "{run:?}");
        assert!(run.stderr.contains("missing.pcap"), "{}", run.stderr);
        assert!(run.text().contains("\"connection\""), "the good capture is reported: {run:?}");
    }
}

// The schema.

/// Every output of every case, and of the odd inputs, is what `wsdissect schema` promises.
#[test]
fn every_output_is_valid_by_the_schema() {
    let schema: Value = serde_json::from_slice(&run(&["schema"]).stdout).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let mut wrong = Vec::new();
    let mut check = |name: &str, objects: &[Value]| {
        for object in objects {
            for error in validator.iter_errors(object).take(3) {
                let error = error.to_string();
                let place = format!("{name} {} stream {}", object["type"], object["stream"]);
                wrong.push(format!("{place}: {}", error.chars().take(300).collect::<String>()));
            }
        }
    };
    let mut some_connection = Value::Null;
    for case in Case::all() {
        let lines = run(&["-T", "jsonl", case.capture.to_str().expect("UTF-8")]).lines();
        check(&case.name, &lines);
        if let Some(connection) = lines.iter().find(|line| line["type"] == "connection") {
            some_connection = connection.clone();
        }
    }
    let file = folder("schema");
    let cut = Capture::of([closed(40000, 1011, "boom")]).pcap();
    let cut = write(&file.join("cut.pcap"), &cut[..cut.len() - 7]);
    let hostile = write(&file.join("hostile.pcap"), &hostile().pcap());
    let empty = write(&file.join("empty.pcap"), &Capture::new().pcap());
    for path in [&cut, &hostile, &empty] {
        check(path, &run(&["-T", "json", path]).array());
    }
    assert!(wrong.is_empty(), "{} places differ from the schema:\n{}", wrong.len(), wrong.join("\n"));
    // A schema that takes everything would promise nothing.
    for key in ["type", "stream", "close", "diagnosis"] {
        let mut broken = some_connection.clone();
        broken.as_object_mut().expect("an object").remove(key);
        assert!(!validator.is_valid(&broken), "a connection without `{key}` is not valid");
        broken[key] = Value::from(vec![1]);
        assert!(!validator.is_valid(&broken), "a list is no `{key}`");
    }
    let mut broken = some_connection.clone();
    broken["diagnosis"]["confidence"] = "maybe".into();
    assert!(!validator.is_valid(&broken), "`maybe` is no confidence");
}

// Streams.

#[test]
fn standard_input_is_a_capture_too() {
    let bytes = std::fs::read(fixture("demo/mixed")).expect("a fixture");
    let (file, piped) = (run(&["-T", "jsonl", &fixture("demo/mixed")]), feed(&["-T", "jsonl", "-"], &bytes, 1 << 16));
    assert_eq!((piped.code, piped.stderr.as_str()), (Some(0), ""));
    assert_eq!(connections(&piped.lines()), connections(&file.lines()));
}

#[test]
fn a_pipe_may_deliver_one_byte_at_a_time() {
    let bytes = Capture::of([closed(40000, 4401, "token expired")]).pcap();
    for path in [&bytes, &std::fs::read(fixture("formats/pcap-gz")).expect("a fixture")] {
        let (slow, fast) = (feed(&["-T", "jsonl", "-"], path, 1), feed(&["-T", "jsonl", "-"], path, 1 << 20));
        assert_eq!(slow.code, Some(0), "{slow:?}");
        assert_eq!(slow.stdout, fast.stdout);
    }
}

/// A connection that has ended is reported while the capture is still being written.
#[test]
fn row_04_the_first_line_comes_before_the_input_ends() {
    let first = closed(40000, 1011, "boom");
    let mut second = Conversation::new("10.0.0.1:40001", "10.0.0.2:80");
    second.at(first.now()).wait(60.0).connect().upgrade();
    second.client().text("an hour later, so to speak");
    let rest: Vec<Packet> = closed(40002, 1000, "").into_packets();
    let rest: Vec<Packet> =
        rest.into_iter().map(|packet| Packet { time: packet.time + 120_000_000_000, ..packet }).collect();

    let mut capture = Capture::of([first, second]);
    let before = capture.pcap();
    let all = capture.extend(rest).pcap();
    assert!(all.starts_with(&before));

    let mut child = start(&["-T", "jsonl", "-"]);
    let (mut stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if sender.send(line.expect("UTF-8")).is_err() {
                break;
            }
        }
    });
    stdin.write_all(&before).expect("the program reads");
    stdin.flush().expect("the program reads");
    let line = lines.recv_timeout(Duration::from_secs(20));
    stdin.write_all(&all[before.len()..]).expect("the program reads on");
    drop(stdin);
    let rest: Vec<String> = lines.iter().collect();
    reader.join().expect("no panic");
    assert_eq!(ended(child).code, Some(0));
    let line = line.expect("a line before the input ended");
    let first: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&first["stream"], &first["close"]["code"]), (&0.into(), &1011.into()));
    assert_eq!(rest.len(), 3, "two more connections and the summary: {rest:?}");
}

/// `wsdissect … | head`: whoever closes the pipe has seen enough.
#[test]
fn a_closed_pipe_is_success() {
    let conversations = (0..300).map(|i| closed(30000 + i, 1000, &"x".repeat(100)));
    let bytes = Capture::of(conversations).pcap();
    for format in ["text", "json", "jsonl"] {
        for args in [&["-T", format, "-v", "-"], &["-T", format, "--only=code=1000", "-"]] {
            let mut child = start(args);
            drop(child.stdout.take());
            let mut stdin = child.stdin.take().expect("a pipe");
            // It may stop reading as well: that is no failure of ours.
            let _ = stdin.write_all(&bytes);
            drop(stdin);
            let run = ended(child);
            assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{format}");
        }
    }
}

// People.

/// Everything that a peer can write: Close reason, path, header values, subprotocol, extension.
fn hostile() -> Capture {
    const EVIL: &str = "\u{1b}[31mred\u{7}\u{8}\r\n\u{9b}31m\u{202e}evil\u{2066}\u{200f}\u{2028}\u{feff}\0\u{7f}";
    // What httparse lets through in header values and targets: bytes from 0x80 on.
    const HIGH: &str = "/\u{9b}31m\u{202e}evil\u{2066}\u{feff}";
    let mut close = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    close.connect().upgrade_with(&Upgrade {
        path: HIGH.into(),
        host: HIGH.into(),
        subprotocols_offered: Some(HIGH.into()),
        subprotocol: Some(HIGH.into()),
        extensions_offered: Some(HIGH.into()),
        extensions: Some(HIGH.into()),
        request_headers: vec![format!("User-Agent: {HIGH}"), format!("Origin: {HIGH}")],
        response_headers: vec![format!("Server: {HIGH}"), format!("Via: {HIGH}")],
        ..Upgrade::default()
    });
    close.server().close(4000, EVIL);
    close.client().close(4000, EVIL);
    close.server().fin();
    close.client().fin();
    let mut raw = Conversation::new("10.0.0.1:40001", "10.0.0.2:80");
    raw.connect().upgrade();
    raw.client().frame(Frame::close(1008, b"\xff\xfe\x1b[2J\xc2\x9b").masking(Masking::Clear));
    raw.server().rst();
    let mut refused = Conversation::new("10.0.0.1:40002", "10.0.0.2:80");
    refused.connect().request(&format!(
        "GET {HIGH} HTTP/1.1\nHost: {HIGH}\nUpgrade: websocket\nConnection: Upgrade\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13"
    ));
    refused.respond(403, &format!("Server: {HIGH}\nLocation: {HIGH}\nWWW-Authenticate: {HIGH}"), HIGH);
    refused.server().fin();
    let mut later = closed(40003, 1000, "\u{1b}]0;title\u{7}");
    later.acks(Acks::Never);
    Capture::of([close, raw, refused, later])
}

/// Characters that steer a terminal or turn text around.
fn steering(text: &str) -> Vec<char> {
    let is_steering = |char: &char| {
        (char.is_control() && *char != '\n')
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(is_steering).collect()
}

fn assert_harmless(name: &str, run: &Run) {
    for (stream, text) in [("output", run.text()), ("error output", run.stderr.as_str())] {
        let found = steering(text);
        assert!(found.is_empty(), "{name}: {found:?} in the {stream}:\n{}", text.escape_debug());
    }
}

#[test]
fn nothing_from_the_wire_steers_a_terminal() {
    let path = write(&folder("hostile").join("hostile.pcap"), &hostile().pcap());
    for args in [&["-T", "text"][..], &["-v"], &["-v", "--lang", "zh"], &["-v", "--lang", "tr"]] {
        let run = run(&[args, &[&path]].concat());
        assert_eq!(run.code, Some(0));
        assert_harmless(&format!("{args:?}"), &run);
        assert!(run.text().contains("evil"), "the reason is shown, made harmless");
    }
    // In JSON such characters are data; but a line must stay a line, and a `cat` harmless.
    let lines = run(&["-T", "jsonl", &path]);
    assert!(!lines.text().chars().any(|char| char < ' ' && char != '\n'), "C0 characters are escaped");
    let is_kept = |line: &Value| line["close"]["reason"].as_str().is_some_and(|reason| reason.contains("\u{1b}[31m"));
    assert!(lines.lines().iter().any(is_kept), "the reason itself is kept as it was");
}

#[test]
#[cfg(unix)]
fn a_file_name_does_not_steer_a_terminal() {
    let folder = folder("names");
    let bytes = Capture::of([closed(40000, 1000, "")]).pcap();
    let name = "a\u{1b}[31mred\u{7}\u{202e}b.pcap";
    let path = write(&folder.join(name), &bytes);
    let cut = write(&folder.join(format!("cut{name}")), &bytes[..bytes.len() - 7]);
    let missing = folder.join(format!("missing{name}")).to_str().expect("UTF-8").to_owned();
    for (path, code) in [(&path, 0), (&cut, 3), (&missing, 2)] {
        let run = run(&[path]);
        assert_eq!(run.code, Some(code), "{run:?}");
        assert_harmless(path, &run);
    }
}

#[test]
fn no_colours_unless_asked_or_on_a_terminal() {
    for args in [&["explain", "1006"][..], &["compare", "1000", "1001"], &["codes"], &["rules"], &["facts"]] {
        let run = run(args);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(!run.stdout.contains(&0x1b), "{args:?}");
    }
    for case in ["demo/mixed", "tls/expired-certificate", "handshake/rejected-401"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case);
        if folder.exists() {
            assert!(!run(&["-v", &fixture(case)]).stdout.contains(&0x1b), "{case}");
        }
    }
}

/// Timelines are in the order of packets, so no step goes back in time in a capture whose clock does not.
#[test]
fn timelines_do_not_run_backwards() {
    let path = write(&folder("timeline").join("hostile.pcap"), &hostile().pcap());
    let captures = Case::all().into_iter().map(|case| case.capture.to_str().expect("UTF-8").to_owned());
    let mut wrong = Vec::new();
    for capture in captures.chain([path]) {
        let run = run(&["-v", &capture]);
        let back = run.text().lines().filter(|line| line.contains("+-")).map(|line| format!("{capture}: {line}"));
        wrong.extend(back);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Captures come from production: what users sent, and what lets them in, is not shown unasked.
#[test]
fn secrets_do_not_appear_unasked() {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().upgrade_with(&Upgrade {
        path: "/chat?token=SECRET-query&SECRET-key&user=SECRET%20user#SECRET-fragment".into(),
        request_headers: vec![
            "Cookie: session=SECRET-cookie".into(),
            "Authorization: Bearer SECRET-bearer".into(),
            "Proxy-Authorization: Basic SECRET-basic".into(),
            "X-Api-Key: SECRET-header".into(),
        ],
        response_headers: vec!["Set-Cookie: session=SECRET-set".into()],
        ..Upgrade::default()
    });
    c.client().text("SECRET-text").binary(b"SECRET-binary").ping(b"SECRET-ping");
    c.server().message(1, &[b"SECRET-", b"parts"]).frame(Frame::new(3, "SECRET-reserved"));
    c.client().close(1002, "reserved opcode");
    c.server().fin();
    c.client().fin();
    let mut refused = Conversation::new("10.0.0.1:40001", "10.0.0.2:80");
    refused.connect().request(
        "GET /chat?token=SECRET-query HTTP/1.1\nHost: SECRET-user:SECRET-password@example.test\nUpgrade: websocket\n\
         Connection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\
         Origin: https://example.test\nReferer: https://example.test/?SECRET-referer",
    );
    refused.respond(
        302,
        "Location: https://example.test/login?next=SECRET-location\nSet-Cookie: SECRET-set",
        "SECRET-body",
    );
    refused.server().fin();
    let path = write(&folder("secrets").join("secrets.pcap"), &Capture::of([c, refused]).pcap());
    for args in [&["-v"][..], &["-T", "json"], &["-T", "jsonl"]] {
        let run = run(&[args, &[&path]].concat());
        assert_eq!(run.code, Some(0));
        assert!(run.text().contains("/chat"), "{args:?}: the path without its query is shown");
        let shown: Vec<&str> = run.text().split('"').filter(|part| part.contains("SECRET")).collect();
        assert!(!run.text().contains("SECRET") && !run.stderr.contains("SECRET"), "{args:?}: {shown:?}");
    }
}

// Captures without a WebSocket.

#[test]
fn no_connection_at_all_explains_itself() {
    let mut http = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    http.connect().request("GET / HTTP/1.1\nHost: example.test");
    http.respond(200, "Content-Type: text/plain", "hello");
    http.server().fin();
    http.client().fin();
    let folder = folder("nothing");
    let count = http.count();
    let with_http = write(&folder.join("http.pcap"), &Capture::of([http]).pcap());
    let without_packets = write(&folder.join("empty.pcap"), &Capture::new().pcap());
    for path in [&with_http, &without_packets] {
        let run = run(&[path]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.text().contains("WebSocket connections: 0"), "{}", run.text());
        assert!(run.text().contains("No WebSocket connection was found"), "{}", run.text());
    }
    assert!(run(&[&with_http]).text().contains("HTTP connections: 1"));
    let [summary] = &run(&["-T", "jsonl", &with_http]).lines()[..] else { panic!("a summary alone") };
    assert_eq!(summary["packets"]["read"], count);
    assert_eq!((&summary["connections"]["total"], &summary["other"]["http"]), (&0.into(), &1.into()));
}

#[test]
fn row_08_an_unknown_link_type_is_named_and_counted_and_gives_three() {
    let conversation = closed(40000, 1000, "");
    let count = conversation.count();
    let mut bytes = Capture::of([conversation]).pcap();
    bytes[20..24].copy_from_slice(&147_u32.to_le_bytes()); // LINKTYPE_USER0, private use
    let path = write(&folder("link").join("user0.pcap"), &bytes);
    let text = run(&[&path]);
    assert_eq!(text.code, Some(3));
    assert!(text.text().contains(&format!("unknown link type: {count}")), "{}", text.text());
    assert!(text.text().contains("147") && text.text().contains("cannot be read"), "{}", text.text());
    assert!(text.stderr.contains("147"), "{}", text.stderr);
    let json = run(&["-T", "jsonl", &path]);
    assert_eq!((text.code, json.code), (Some(3), Some(3)));
    let [summary] = &json.lines()[..] else { panic!("a summary alone") };
    assert_eq!(summary["packets"]["unknown_link_types"], serde_json::json!({ "147": count }));
    assert_eq!(summary["packets"]["skipped_by_reason"]["unknown_link_type"], count);
    assert_eq!((&summary["packets"]["analysed"], &summary["packets"]["read"]), (&0.into(), &count.into()));
}
