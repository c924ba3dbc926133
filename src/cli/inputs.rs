//! What the command line names as captures: files, directories, standard input.

use super::Failure;
use crate::capture::{CaptureError, Reader, Source};
use crate::diagnosis::printable;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The captures of one run, in the order given.
pub(super) struct Inputs {
    pub(super) captures: Vec<Capture>,
    /// What could not be looked into.
    pub(super) failures: Vec<Failure>,
    /// How many the user named, directories counted once.
    named: usize,
}

/// One capture, not opened yet.
#[derive(Clone)]
pub(super) struct Capture {
    /// As the user or the directory names it, harmless to print.
    pub(super) name: String,
    path: PathBuf,
}

impl Inputs {
    /// Looks into directories: each file that is a capture by its first bytes counts, by name; other files do not, and
    /// subdirectories are left alone. A file that is named twice is read once.
    pub(super) fn find<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Self {
        let mut this = Self { captures: Vec::new(), failures: Vec::new(), named: 0 };
        let mut seen = BTreeSet::new();
        for path in paths {
            this.named += 1;
            let first = this.captures.len();
            if path.is_dir() {
                this.directory(path);
            } else {
                this.captures.push(Capture::new(path.clone()));
            }
            let added = this.captures.split_off(first);
            this.captures.extend(added.into_iter().filter(|capture| seen.insert(capture.identity())));
        }
        this
    }

    /// Whether nothing is left when one of them cannot be read.
    pub(super) fn is_single(&self) -> bool {
        self.named == 1 && self.captures.len() + self.failures.len() == 1
    }

    fn directory(&mut self, path: &Path) {
        let name = printable(&path.display().to_string());
        let failure = |error| Failure::Input { name: name.clone(), error: CaptureError::Io(error) };
        let entries = match std::fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>()) {
            Ok(entries) => entries,
            Err(error) => return self.failures.push(failure(error)),
        };
        let mut files: Vec<PathBuf> =
            entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        let count = files.len();
        let captures = files.into_iter().map(Capture::new).filter(Capture::is_one);
        let before = self.captures.len();
        self.captures.extend(captures);
        if self.captures.len() == before {
            let nothing = format!("none of its {count} files is a pcap or pcapng capture");
            self.failures.push(failure(io::Error::new(io::ErrorKind::NotFound, nothing)));
        }
    }
}

impl Capture {
    fn new(path: PathBuf) -> Self {
        Self { name: printable(&path.display().to_string()), path }
    }

    /// The same for all paths to one file.
    fn identity(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    /// Whether its first bytes are those of a capture. One that is damaged or cannot be opened may be one: reading it
    /// will say what is wrong.
    fn is_one(&self) -> bool {
        let opened = File::open(&self.path).map_err(CaptureError::Io);
        let refused = opened.and_then(Reader::open).err();
        !matches!(refused, Some(CaptureError::NotACapture { .. } | CaptureError::Empty { .. }))
    }

    fn is_standard_input(&self) -> bool {
        self.path == Path::new("-")
    }
}

impl Source for Capture {
    type Input = Box<dyn Read>;

    fn open(&mut self) -> io::Result<Self::Input> {
        Ok(if self.is_standard_input() { Box::new(io::stdin().lock()) } else { Box::new(File::open(&self.path)?) })
    }

    fn reopens(&self) -> bool {
        !self.is_standard_input() && self.path.metadata().is_ok_and(|metadata| metadata.is_file())
    }
}

/// Names in a row; of many, the first and the last.
pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [first, .., last] if names.len() > LISTED => format!("{first} … {last} ({} captures)", names.len()),
        _ => names.join(", "),
    }
}

/// Names that are all shown.
const LISTED: usize = 4;
