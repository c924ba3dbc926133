//! What only a terminal shows: how far a long reading has come.
#![cfg(unix)]

mod common;
mod support;

use common::program::{command, ended, folder};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use support::conversation::START;
use support::workload::Workload;
use support::{Capture, Conversation};

/// A terminal that nobody sits at: what a program writes to the second can be read from the first.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("ours");
    tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 }).expect("ours");
    let name = ptsname(&ours, Vec::new()).expect("it has a name");
    let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
    let theirs = File::options().read(true).write(true).open(path).expect("it opens");
    (File::from(ours), theirs)
}

/// What appears on a terminal that is the standard error of the program, while it reads a chat from a slow pipe; and how it ends.
fn watched(args: &[&str], bend: impl FnOnce(&mut Command)) -> (String, common::program::Run) {
    let (chat, _) = Workload::Chat.capture(200_000);
    let (mut ours, theirs) = terminal();
    let mut command = command(args);
    command.stdin(Stdio::piped()).stderr(theirs).env("TERM", "xterm");
    bend(&mut command);
    let mut child = command.spawn().expect("the program starts");
    // Else the terminal would stay open on our side.
    drop(command);
    let seen = thread::spawn(move || {
        let mut seen = Vec::new();
        let mut part = [0; 4096];
        // A terminal that its last program has left ends with an error.
        while let Ok(len @ 1..) = ours.read(&mut part) {
            seen.extend_from_slice(&part[..len]);
        }
        String::from_utf8(seen).expect("UTF-8")
    });
    let mut stdin = child.stdin.take().expect("a pipe");
    let (first, rest) = chat.split_at(chat.len() / 2);
    stdin.write_all(first).expect("it reads");
    thread::sleep(Duration::from_millis(1300));
    stdin.write_all(rest).expect("it reads");
    drop(stdin);
    let run = ended(child);
    (seen.join().expect("it reads"), run)
}

/// What is left on a line when everything that was written over is gone.
fn left(seen: &str) -> String {
    let mut line: Vec<char> = Vec::new();
    let mut at = 0;
    for character in seen.chars() {
        if character == '\r' {
            at = 0;
            continue;
        }
        line.resize(line.len().max(at + 1), ' ');
        line[at] = character;
        at += 1;
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

#[test]
fn a_long_reading_tells_how_far_it_is_and_leaves_nothing_behind() {
    let (seen, run) = watched(&["--lang", "en", "-"], |_| {});
    assert_eq!(run.code, Some(0), "{seen}");
    assert!(seen.contains(" MB/s, WebSocket connections ended: "), "{seen:?}");
    assert!(seen.split('\r').all(|line| line.chars().count() < 60), "it fits: {seen:?}");
    assert_eq!(left(&seen), "", "{seen:?}");
    assert!(run.text().contains("WebSocket connections: "), "the report is the same");
}

#[test]
fn nothing_is_told_where_it_would_disturb() {
    let dumb = watched(&["-"], |command| _ = command.env("TERM", "dumb"));
    let (mut results, same) = terminal();
    let drain = thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(1..) = results.read(&mut part) {}
    });
    let lines_on_a_terminal = watched(&["-T", "jsonl", "-"], |command| _ = command.stdout(same));
    drain.join().expect("it reads");
    for (seen, run) in [dumb, lines_on_a_terminal, watched(&["--follow", "-T", "jsonl", "-"], |_| {})] {
        assert_eq!(run.code, Some(0), "{seen}");
        assert!(!seen.contains("MB/s"), "{seen:?}");
    }
    let (_, run) = watched(&["-"], |command| _ = command.stderr(Stdio::piped()));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "a pipe gets no such line");
}

/// Ctrl-C ends the reading of a file; the report is of what was read.
#[test]
fn ctrl_c_while_a_file_is_read_prints_the_report() {
    const COUNT: u16 = 1000;
    let path = folder("long-file").join("closed.pcap");
    let conversations = (0..COUNT).map(|number| {
        let mut c = Conversation::new(&format!("10.0.0.1:{}", 20_000 + number), "10.0.0.2:80");
        c.at(START + i64::from(number) * 60_000_000_000).connect().upgrade();
        c.client().close(1000, "");
        c.server().close(1000, "").fin();
        c.client().fin();
        c
    });
    let capture = Capture::of(conversations);
    std::fs::write(&path, capture.pcap()).expect("ours");
    let mut child = command(&["-T".as_ref(), "jsonl".as_ref(), path.as_os_str()]).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a line").expect("UTF-8");
    // However fast it is, the lines that nobody reads keep it from the end of the file.
    interrupt(child.id());
    let last = lines.last().expect("a summary").expect("UTF-8");
    let run = ended(child);
    let summary: serde_json::Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!((run.code, &summary["interrupted"]), (Some(3), &true.into()), "{}", run.stderr);
    let read = summary["packets"]["read"].as_u64().expect("a number");
    assert!(read > 0 && read < capture.packets().len() as u64, "{read} of {}", capture.packets().len());
    assert_eq!(summary["damage"], serde_json::json!([]));
}

/// Its number on Linux and everywhere else.
const SIGINT: u32 = 2;

fn interrupt(process: u32) {
    let status = Command::new("kill").args(["-INT", &process.to_string()]).status().expect("kill is everywhere");
    assert!(status.success());
}

/// A named pipe that nobody writes to: there is nothing to report, but Ctrl-C is heard.
#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_while_a_named_pipe_waits_for_its_writer_ends_the_program() {
    let path = folder("named-pipe").join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo is everywhere");
    assert!(made.success());
    let child = command(&[&path]).spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let is_listening = || {
        let status = std::fs::read_to_string(&status).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("Linux tells").trim();
        u64::from_str_radix(caught, 16).expect("a mask") & 1 << (SIGINT - 1) != 0
    };
    while !is_listening() {
        thread::sleep(Duration::from_millis(10));
    }
    // Now it waits for the pipe, or is about to.
    thread::sleep(Duration::from_millis(100));
    interrupt(child.id());
    let run = ended(child);
    assert_eq!((run.code, run.stdout.len()), (Some(2), 0), "{run:?}");
}

/// A named pipe is read to the end of what its writer has to say.
#[test]
fn a_named_pipe_is_read_to_its_end() {
    let path = folder("named-pipe-read").join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo is everywhere");
    assert!(made.success());
    let (chat, truth) = Workload::Chat.capture(500_000);
    let child = command(&["-T".as_ref(), "jsonl".as_ref(), path.as_os_str()]).spawn().expect("the program starts");
    thread::sleep(Duration::from_millis(200));
    std::fs::write(&path, chat).expect("it reads");
    let run = ended(child);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.lines().len() as u64, truth.connections + 1);
}
