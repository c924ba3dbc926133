//! The bytes of one file or pipe, until its end or until somebody interrupts.
//!
//! Interrupted, it ends. Followed, a file has no end of its own: at its last byte there is a wait until it grows. It is
//! followed as long as its name leads to it: a file that was replaced has been read whole, and its successor is another
//! capture.

use super::interrupt::Interrupt;
use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// A file or pipe that is being read.
pub(super) struct Input {
    file: File,
    interrupt: Interrupt,
    /// Bytes read so far.
    position: Rc<Cell<u64>>,
    /// Reads never wait long.
    is_regular: bool,
    following: Option<Following>,
}

/// What it takes to follow a file.
struct Following {
    /// `None` for standard input.
    path: Option<PathBuf>,
    replaced: Rc<Cell<bool>>,
}

impl Input {
    /// Reads `file` to its end, and tells in `position` how far it is.
    pub(super) fn new(file: File, interrupt: Interrupt, position: Rc<Cell<u64>>) -> Self {
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        position.set(0);
        Self { file, interrupt, position, is_regular, following: None }
    }

    /// Goes on at the end of a regular file until it is replaced, which sets `replaced`. `path` leads to it.
    pub(super) fn following(mut self, path: Option<PathBuf>, replaced: Rc<Cell<bool>>) -> Self {
        self.following = self.is_regular.then_some(Following { path, replaced });
        self
    }

    /// Waits until there is something to read; `false` when there was nothing for a while.
    #[cfg(unix)]
    fn is_ready(&self) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        if self.is_regular {
            return Ok(true);
        }
        let most = Timespec { tv_sec: 0, tv_nsec: WAIT.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&most)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(unix))]
    fn is_ready(&self) -> io::Result<bool> {
        Ok(true)
    }
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.interrupt.came() {
                return Ok(0);
            }
            if !self.is_ready()? {
                continue;
            }
            let len = match self.file.read(to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                read => read?,
            };
            self.position.set(self.position.get().saturating_add(len as u64));
            let Some(following) = self.following.as_ref().filter(|_| !to.is_empty()) else { return Ok(len) };
            if len > 0 || following.replaced.get() {
                return Ok(len);
            }
            // What was written before it was replaced is read first: the next read tells the end.
            following.look(&self.file.metadata()?, self.position.get())?;
            if !following.replaced.get() {
                std::thread::sleep(WAIT);
            }
        }
    }
}

impl Following {
    /// Looks whether the file is still the one that is written.
    fn look(&self, opened: &Metadata, position: u64) -> io::Result<()> {
        if opened.len() < position {
            return Err(io::Error::other("the file became shorter while it was followed"));
        }
        if let Some(path) = &self.path {
            self.replaced.set(!path.metadata().is_ok_and(|named| is_same(&named, opened)));
        }
        Ok(())
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere a file that is open cannot be replaced.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// Time between two looks at a file that does not grow, and at a quiet pipe.
const WAIT: Duration = Duration::from_millis(100);
