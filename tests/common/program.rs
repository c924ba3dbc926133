//! The built program, run as users and pipelines run it.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How a run went.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Run {
    /// Standard output, which is always UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("output is UTF-8")
    }

    /// The objects of `-T jsonl`: one a line, and nothing else.
    pub fn lines(&self) -> Vec<Value> {
        assert!(self.stdout.ends_with(b"\n"), "the last line has an end: {self:?}");
        self.text().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// The array of `-T json`.
    pub fn array(&self) -> Vec<Value> {
        match serde_json::from_slice(&self.stdout) {
            Ok(Value::Array(objects)) => objects,
            other => panic!("not an array: {other:?}: {self:?}"),
        }
    }
}

/// The program with these arguments, in English whatever the locale, standard streams as pipes.
pub fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsdissect"));
    command.args(args).env("LC_ALL", "C").env_remove("SSLKEYLOGFILE");
    // Whoever runs the tests may have a catalog of their own.
    command.env("XDG_CONFIG_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-config"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts the program with a pipe for its standard input.
pub fn start<S: AsRef<OsStr>>(args: &[S]) -> Child {
    command(args).stdin(Stdio::piped()).spawn().expect("the program starts")
}

/// Runs the program to its end.
pub fn run<S: AsRef<OsStr>>(args: &[S]) -> Run {
    ended(command(args).spawn().expect("the program starts"))
}

/// Runs the program with `input` on its standard input, written in pieces of `step` bytes.
pub fn feed<S: AsRef<OsStr>>(args: &[S], input: &[u8], step: usize) -> Run {
    let mut child = start(args);
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for part in input.chunks(step) {
                // A program that has seen enough closes the pipe: that is for the caller to judge.
                if stdin.write_all(part).is_err() {
                    break;
                }
            }
        });
        ended(child)
    })
}

/// Waits for a started program.
pub fn ended(child: Child) -> Run {
    let output = child.wait_with_output().expect("the program ends");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Run { code: output.status.code(), stdout: output.stdout, stderr }
}

/// A folder for the files of one test, empty.
pub fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder of our own");
    folder
}
