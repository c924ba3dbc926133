//! The recorded captures as tshark reads them: packets, TCP connections, endpoints, WebSocket frames, Close frames.
//!
//! Where tshark is wrong, [`EXCEPTIONS`] says so and why; an exception that is not needed fails the test.

mod common;

use common::analyse_with;
use common::case::Case;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use wsdissect::Options;

/// What tshark 4.0 gets wrong in our captures. An exception excuses exactly these differences, no other.
const EXCEPTIONS: &[Exception] = &[
    Exception {
        case: "network/loss-between-points",
        stream: 0,
        why: "recorded at two points; one of the two copies counts again",
        differences: &[("frames.server", "close 1, text 3", "close 1, text 2")],
    },
    Exception {
        case: "network/loss-and-reordering",
        stream: 0,
        why: "without tcp.reassemble_out_of_order it loses a frame whose segments come in another order; \
              the client's program got 3 messages",
        differences: &[("frames.server", "close 1, text 2", "close 1, text 3")],
    },
    Exception {
        case: "network/receiver-stopped",
        stream: 0,
        why: UNFINISHED,
        differences: &[("frames.server", "", "text 1")],
    },
    Exception {
        case: "network/slow-consumer",
        stream: 0,
        why: UNFINISHED,
        differences: &[("frames.server", "", "text 1")],
    },
    Exception {
        case: "visibility/gap",
        stream: 0,
        why: UNFINISHED,
        differences: &[("frames.server", "close 1", "close 1, text 1")],
    },
    Exception {
        case: "visibility/joined-late",
        stream: 0,
        why: NO_UPGRADE,
        differences: &[
            ("frames.client", "", "close 1, text 1"),
            ("close.client", "none", "(4, Some(1000), \"bye\")"),
            ("frames.server", "", "close 1, text 1"),
            ("close.server", "none", "(5, Some(1000), \"bye\")"),
        ],
    },
    Exception {
        case: "visibility/one-sided",
        stream: 0,
        why: NO_UPGRADE,
        differences: &[("frames.client", "", "close 1, text 1"), ("close.client", "none", "(6, Some(1000), \"bye\")")],
    },
    Exception {
        case: "visibility/snaplen-128",
        stream: 0,
        why: NO_UPGRADE,
        differences: &[
            ("frames.client", "", "close 1, text 1"),
            ("close.client", "none", "(10, Some(1000), \"bye\")"),
            ("frames.server", "", "close 1, text 1"),
            ("close.server", "none", "(11, Some(1000), \"bye\")"),
        ],
    },
    Exception {
        case: "tls-keys/tls12-close-with-101",
        stream: 0,
        why: NEXT_RECORD,
        differences: &[("frames.server", "", "close 1"), ("close.server", "none", "(11, Some(1008), \"bad token\")")],
    },
    Exception {
        case: "tls-keys/tls13-close-with-101",
        stream: 0,
        why: NEXT_RECORD,
        differences: &[("frames.server", "", "close 1"), ("close.server", "none", "(11, Some(1008), \"bad token\")")],
    },
    Exception {
        case: "tls-keys/nginx-go",
        stream: 6,
        why: RESUMED,
        differences: &[
            ("endpoints", "127.0.0.1 port 49034, 127.0.0.1 port 24443", ", "),
            ("frames.client", "close 1, text 1", ""),
            ("close.client", "(146, Some(1011), \"\")", "none"),
            ("frames.server", "close 1", ""),
            ("close.server", "(145, Some(1011), \"broken\")", "none"),
        ],
    },
    Exception {
        case: "tls-keys/nginx-go",
        stream: 7,
        why: RESUMED,
        differences: &[
            ("endpoints", "127.0.0.1 port 49048, 127.0.0.1 port 24443", ", "),
            ("frames.client", "text 1", ""),
        ],
    },
    Exception {
        case: "tls-keys/nginx-go",
        stream: 9,
        why: RESUMED,
        differences: &[
            ("frames.client", "close 1, text 1", ""),
            ("close.client", "(206, Some(4001), \"again\")", "none"),
            ("frames.server", "close 1, text 1", ""),
            ("close.server", "(207, Some(4001), \"again\")", "none"),
        ],
    },
    Exception {
        case: "tls-keys/unsupported-suites",
        stream: 1,
        why: RARE_SUITE,
        differences: &[
            ("frames.client", "close 1, text 1", ""),
            ("close.client", "(38, Some(1011), \"\")", "none"),
            ("frames.server", "close 1, text 1", ""),
            ("close.server", "(36, Some(1011), \"broken\")", "none"),
        ],
    },
];

const NEXT_RECORD: &str = "the 101 and the Close frame are in two TLS records of one segment, where it takes the second \
                           record for more of the response; the client's program got the frame";

/// crypto/tls of Go logs nothing for a session of TLS 1.2 that resumes another.
const RESUMED: &str =
    "the key log has no secret of its own for a resumed session; tshark takes that of the session it resumes";

const RARE_SUITE: &str = "its library has Camellia; we say that the cipher suite is not supported, and which";

const NO_UPGRADE: &str =
    "it shows no frame unless it saw both heads of the upgrade whole; the programs had these frames";

const UNFINISHED: &str = "it shows a frame only when its last byte is there; we count every header that was seen";

struct Exception {
    case: &'static str,
    stream: u64,
    why: &'static str,
    /// Fields, what tshark says of each, and what we say.
    differences: &'static [(&'static str, &'static str, &'static str)],
}

/// A capture to compare, with the key log that opens its TLS.
struct Input {
    name: String,
    capture: PathBuf,
    keys: Option<PathBuf>,
}

impl Input {
    /// The recorded cases, and those that were recorded with keys.
    fn all() -> Vec<Self> {
        let plain = Case::all().into_iter().map(|case| Self { name: case.name, capture: case.capture, keys: None });
        let family = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls-keys");
        let keyed = fs::read_dir(family).expect("recorded").map(|entry| {
            let folder = entry.expect("a folder").path();
            let name = format!("tls-keys/{}", folder.file_name().unwrap_or_default().to_string_lossy());
            let mut files = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file").path());
            let capture = files.find(|path| path.file_stem().is_some_and(|stem| stem == "capture"));
            Self { name, capture: capture.expect("one capture"), keys: Some(folder.join("keys.log")) }
        });
        plain.chain(keyed).collect()
    }
}

/// TCP connections by `tcp.stream`.
type Streams = BTreeMap<u64, Stream>;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Stream {
    ends: Ends,
    /// Number of frames by side and opcode.
    frames: BTreeMap<(&'static str, &'static str), u64>,
    /// The first Close frame of each side: packet, code, reason.
    closes: BTreeMap<&'static str, (u64, Option<u64>, String)>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Ends {
    client: String,
    server: String,
    /// Neither a SYN nor a request says who is who.
    is_guess: bool,
}

#[derive(Debug)]
struct Seen {
    packets: u64,
    tcp_connections: u64,
    streams: Streams,
}

#[test]
fn tshark_sees_the_same() {
    let Some(version) = version() else {
        println!("SKIPPED: tshark is not installed; nothing was compared");
        return;
    };
    let (mut report, mut used, mut compared) = (Vec::new(), BTreeSet::new(), 0);
    for (case, theirs) in tshark_of_all(Input::all()) {
        let ours = ours(&case);
        compared += theirs.streams.values().filter(|stream| !stream.frames.is_empty()).count();
        for (stream, field, theirs, ours) in differences(&theirs, &ours) {
            let difference = (field, theirs.as_str(), ours.as_str());
            let excepted = EXCEPTIONS.iter().any(|exception| {
                (exception.case, exception.stream) == (&case.name, stream)
                    && exception.differences.contains(&difference)
            });
            if excepted {
                used.insert((case.name.clone(), stream, field));
            } else {
                report.push(format!("{} stream {stream} {field}\n    tshark {theirs}\n    ours   {ours}", case.name));
            }
        }
    }
    for Exception { case, stream, why, differences } in EXCEPTIONS {
        for (field, ..) in differences.iter().filter(|(field, ..)| !used.contains(&(case.to_string(), *stream, *field)))
        {
            let text = format!("the exception {case} stream {stream} {field} is not needed: {why}");
            // A later tshark may have been mended; the list is that of 4.0.
            if version.contains(" 4.0.") { report.push(text) } else { println!("{version}: {text}") }
        }
    }
    assert!(compared > 90, "only {compared} connections had frames for {version}");
    assert!(report.is_empty(), "{version} differs in {} places\n{}", report.len(), report.join("\n"));
}

/// The first line of `tshark --version`.
fn version() -> Option<String> {
    let output = Command::new("tshark").arg("--version").stderr(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

fn differences(theirs: &Seen, ours: &Seen) -> Vec<(u64, &'static str, String, String)> {
    let mut found = Vec::new();
    let mut compare = |stream: u64, field: &'static str, theirs: String, ours: String| {
        if theirs != ours {
            found.push((stream, field, theirs, ours));
        }
    };
    compare(0, "packets", theirs.packets.to_string(), ours.packets.to_string());
    compare(0, "tcp_connections", theirs.tcp_connections.to_string(), ours.tcp_connections.to_string());
    let none = Stream::default();
    // Streams without frames are compared where we report them.
    let with_frames = theirs.streams.iter().filter(|(_, stream)| !stream.frames.is_empty());
    let all: BTreeSet<u64> = with_frames.map(|(stream, _)| *stream).chain(ours.streams.keys().copied()).collect();
    for stream in all {
        let of = |seen: &Seen| seen.streams.get(&stream).cloned().unwrap_or_else(|| none.clone());
        let (theirs, ours) = (of(theirs), of(ours));
        compare(stream, "endpoints", theirs.ends.shown(theirs.ends.is_guess), ours.ends.shown(theirs.ends.is_guess));
        for side in ["client", "server"] {
            let frames = |seen: &Stream| -> Vec<String> {
                let of_side = seen.frames.iter().filter(|((by, _), _)| *by == side);
                of_side.map(|((_, opcode), count)| format!("{opcode} {count}")).collect()
            };
            let (frames_field, close_field) = match side {
                "client" => ("frames.client", "close.client"),
                _ => ("frames.server", "close.server"),
            };
            compare(stream, frames_field, frames(&theirs).join(", "), frames(&ours).join(", "));
            let close = |seen: &Stream| seen.closes.get(side).map_or("none".to_owned(), |close| format!("{close:?}"));
            compare(stream, close_field, close(&theirs), close(&ours));
        }
    }
    found
}

impl Ends {
    /// Without their roles when those are a guess.
    fn shown(&self, is_guess: bool) -> String {
        let (client, server) = (&self.client, &self.server);
        if is_guess && server < client { format!("{server}, {client}") } else { format!("{client}, {server}") }
    }
}

// What we see.

fn ours(case: &Input) -> Seen {
    let mut options = Options::default();
    if let Some(keys) = &case.keys {
        options.keys.add(&fs::read(keys).expect("a key log"), &options.limits);
    }
    let file = File::open(&case.capture).expect("a capture");
    let analysis = analyse_with(file, options).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let mut streams = Streams::new();
    for connection in &analysis.connections {
        let end = |side: &str| endpoint(connection[side]["ip"].as_str(), connection[side]["port"].as_u64());
        let ends = Ends { client: end("client"), server: end("server"), is_guess: false };
        let mut stream = Stream { ends, ..Stream::default() };
        for side in ["client", "server"] {
            for (opcode, count) in connection["frames"][side].as_object().into_iter().flatten() {
                let opcode = OPCODES.iter().find(|(_, name)| name == opcode).map_or("reserved", |(_, name)| name);
                *stream.frames.entry((side, opcode)).or_default() += count.as_u64().unwrap_or_default();
            }
            let close = &connection["close"][format!("{side}_frame")];
            if let Some(packet) = close["packet"].as_u64() {
                let reason = close["reason"].as_str().unwrap_or_default().to_owned();
                stream.closes.insert(side, (packet, close["code"].as_u64(), reason));
            }
        }
        streams.insert(connection["stream"].as_u64().unwrap_or(u64::MAX), stream);
    }
    Seen { packets: analysis.summary.packets, tcp_connections: analysis.summary.flows, streams }
}

const OPCODES: [(u64, &str); 6] =
    [(0, "continuation"), (1, "text"), (2, "binary"), (8, "close"), (9, "ping"), (10, "pong")];

fn endpoint(ip: Option<&str>, port: Option<u64>) -> String {
    format!("{} port {}", ip.unwrap_or("?"), port.unwrap_or_default())
}

// What tshark sees.

/// All cases, on as many threads as there are processors: most of the time goes into starting tshark.
fn tshark_of_all(cases: Vec<Input>) -> Vec<(Input, Seen)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(cases);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = take(&waiting) {
                    let seen = tshark(&case);
                    done.lock().expect("no panic").push((case, seen));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no panic");
    done.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    done
}

fn take(waiting: &Mutex<Vec<Input>>) -> Option<Input> {
    waiting.lock().expect("no panic").pop()
}

/// One run over the file. JSON without duplicate keys, as several frames in one packet then become a list; in `-T fields`
/// they cannot be told apart.
fn tshark(case: &Input) -> Seen {
    let mut command = Command::new("tshark");
    command.args(["-n", "-T", "json", "--no-duplicate-keys", "-J", "frame ip ipv6 tcp http websocket", "-r"]);
    let preference = case.keys.as_ref().map(|keys| format!("tls.keylog_file:{}", keys.display()));
    command.arg(&case.capture);
    if let Some(preference) = preference {
        command.args(["-o", &preference]);
    }
    let output = command.stderr(Stdio::null()).output().expect("tshark starts");
    let packets: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{}: tshark: {error}", case.name));
    let mut seen = Seen { packets: packets.len() as u64, tcp_connections: 0, streams: Streams::new() };
    for packet in &packets {
        let layers = &packet["_source"]["layers"];
        let tcp = first(&layers["tcp"]);
        let Some(stream) = number(&tcp["tcp.stream"]) else { continue };
        seen.tcp_connections = seen.tcp_connections.max(stream + 1);
        let end = |which: &str| {
            let (v4, v6) =
                (&first(&layers["ip"])[format!("ip.{which}")], &first(&layers["ipv6"])[format!("ipv6.{which}")]);
            endpoint(v4.as_str().or(v6.as_str()), number(&tcp[format!("tcp.{which}port")]))
        };
        let (source, destination) = (end("src"), end("dst"));
        let flags = &tcp["tcp.flags_tree"];
        let is_syn = flags["tcp.flags.syn"] == "1" && flags["tcp.flags.ack"] == "0";
        let (client, server) = (source.clone(), destination);
        // Who opened the connection: the sender of the SYN, or else of the first request.
        let is_guess = !is_syn && find(&layers["http"], "http.request.method").is_none();
        let stream = seen.streams.entry(stream).or_insert_with(|| Stream {
            ends: Ends { client: client.clone(), server: server.clone(), is_guess: true },
            ..Stream::default()
        });
        if stream.ends.is_guess && !is_guess {
            stream.ends = Ends { client, server, is_guess };
        }
        let frame = number(&layers["frame"]["frame.number"]).expect("every packet has a number");
        for websocket in each(&layers["websocket"]) {
            let Some(opcode) = number(&websocket["websocket.opcode"]) else { continue };
            let side = if source == stream.ends.client { "client" } else { "server" };
            let name = OPCODES.iter().find(|(number, _)| *number == opcode).map_or("reserved", |(_, name)| name);
            *stream.frames.entry((side, name)).or_default() += 1;
            if name == "close" {
                let code = find(websocket, "websocket.payload.close.status_code").and_then(number);
                let reason = find(websocket, "websocket.payload.close.reason").and_then(Value::as_str);
                stream.closes.entry(side).or_insert((frame, code, reason.unwrap_or_default().to_owned()));
            }
        }
    }
    seen
}

/// A layer that may be there several times.
fn each(layer: &Value) -> &[Value] {
    match layer {
        Value::Array(list) => list,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

fn first(layer: &Value) -> &Value {
    each(layer).first().unwrap_or(&Value::Null)
}

/// The first value of this name anywhere inside.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(name).or_else(|| fields.values().find_map(|inner| find(inner, name))),
        Value::Array(list) => list.iter().find_map(|inner| find(inner, name)),
        _ => None,
    }
}

/// tshark writes numbers as texts.
fn number(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}
