//! What the command line names as captures: files, directories, standard input.

use super::Failure;
use super::input::Input;
use super::interrupt::Interrupt;
use crate::capture::{CaptureError, Reader, Source};
use crate::diagnosis::printable;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The captures of one run, in the order given.
pub(super) struct Inputs {
    pub(super) captures: Vec<Capture>,
    /// What could not be looked into.
    pub(super) failures: Vec<Failure>,
    /// Names of files in directories that are no captures.
    pub(super) passed_over: Vec<String>,
    /// How many the user named, directories counted once.
    named: usize,
}

/// One capture, not opened yet.
#[derive(Clone)]
pub(super) struct Capture {
    /// As the user or the directory names it, harmless to print.
    pub(super) name: String,
    path: PathBuf,
    interrupt: Interrupt,
    /// Bytes read so far.
    position: Rc<Cell<u64>>,
    /// Read on as it grows.
    follow: bool,
    /// It was followed until another file took its name.
    replaced: Rc<Cell<bool>>,
}

impl Inputs {
    /// Looks into directories: each file that is a capture by its first bytes counts, by name; other files are passed
    /// over, and subdirectories are left alone. A file that is named twice is read once.
    pub(super) fn find<'a>(paths: impl Iterator<Item = &'a PathBuf>, interrupt: &Interrupt) -> Self {
        let (captures, failures, passed_over) = (Vec::new(), Vec::new(), Vec::new());
        let mut this = Self { captures, failures, passed_over, named: 0 };
        let mut seen = BTreeSet::new();
        for path in paths {
            this.named += 1;
            let first = this.captures.len();
            if path.is_dir() {
                this.directory(path, interrupt);
            } else {
                this.captures.push(Capture::new(path.clone(), interrupt));
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

    /// Whether one of them may still be written while it is read: a pipe, or a file that is followed.
    pub(super) fn are_live(&self) -> bool {
        !self.captures.iter().all(Source::reopens)
    }

    /// Bytes of all captures as they lie there; `None` when one of them is no file, which has no size yet.
    pub(super) fn size(&self) -> Option<u64> {
        self.captures.iter().map(Capture::size).sum()
    }

    /// How many of them have been read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.captures.iter().map(|capture| capture.position.get()).sum()
    }

    /// Reads on where the one capture ends; an error when there is not just one.
    pub(super) fn follow(&mut self) -> Result<(), Failure> {
        match &mut self.captures[..] {
            [capture] if self.named == 1 => {
                capture.follow = true;
                Ok(())
            }
            _ => Err(Failure::Usage("--follow reads one file or pipe, not several and no directory".to_owned())),
        }
    }

    fn directory(&mut self, path: &Path, interrupt: &Interrupt) {
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
        let all = files.into_iter().map(|path| Capture::new(path, interrupt));
        let (captures, others): (Vec<_>, Vec<_>) = all.partition(Capture::is_one);
        let none = captures.is_empty();
        self.captures.extend(captures);
        if !none {
            self.passed_over.extend(others.into_iter().map(|other| other.name));
        } else {
            let nothing = format!("none of its {count} files is a pcap or pcapng capture");
            self.failures.push(failure(io::Error::new(io::ErrorKind::NotFound, nothing)));
        }
    }
}

impl Capture {
    fn new(path: PathBuf, interrupt: &Interrupt) -> Self {
        let name = printable(&path.display().to_string());
        let (position, replaced) = (Rc::default(), Rc::default());
        Self { name, path, interrupt: interrupt.clone(), position, follow: false, replaced }
    }

    /// Whether it was followed until another file took its name.
    pub(super) fn was_replaced(&self) -> bool {
        self.replaced.get()
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

    fn size(&self) -> Option<u64> {
        let metadata = match self.is_standard_input() {
            true => standard_input().and_then(|file| file.metadata()),
            false => self.path.metadata(),
        };
        metadata.ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len())
    }

    fn is_standard_input(&self) -> bool {
        self.path == Path::new("-")
    }
}

impl Source for Capture {
    type Input = Input;

    fn open(&mut self) -> io::Result<Input> {
        let (file, path) = match self.is_standard_input() {
            true => (standard_input()?, None),
            false => (open(&self.path)?, Some(self.path.clone())),
        };
        let input = Input::new(file, self.interrupt.clone(), Rc::clone(&self.position));
        Ok(if self.follow { input.following(path, Rc::clone(&self.replaced)) } else { input })
    }

    fn reopens(&self) -> bool {
        !self.follow && !self.is_standard_input() && self.path.metadata().is_ok_and(|metadata| metadata.is_file())
    }
}

/// Opens a file, or a named pipe without waiting for a writer, during which no Ctrl-C would be heard.
#[cfg(target_os = "linux")]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(File::from(open(path, flags, Mode::empty())?))
}

/// Elsewhere a pipe without a writer looks like one that has ended.
#[cfg(not(target_os = "linux"))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Standard input without a buffer in between: what has arrived is never held back.
#[cfg(unix)]
fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn standard_input() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdin().as_handle().try_clone_to_owned().map(File::from)
}

/// Names in a row; of many, the first and the last.
pub(super) fn listed(names: &[impl AsRef<str>]) -> String {
    match names {
        [first, .., last] if names.len() > LISTED => {
            format!("{} … {} ({} captures)", first.as_ref(), last.as_ref(), names.len())
        }
        _ => names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "),
    }
}

/// The first names of a row, and how many more there are.
pub(super) fn some(names: &[String]) -> String {
    let (shown, rest) = names.split_at(names.len().min(LISTED));
    match rest.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Names that are all shown.
const LISTED: usize = 4;
