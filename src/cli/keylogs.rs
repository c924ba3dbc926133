//! Where the secrets of TLS come from: key logs named by the user or by `SSLKEYLOGFILE`.
//!
//! Nothing of a key log is ever printed but line numbers.

use super::Failure;
use super::args::AnalysisArgs;
use crate::diagnosis::printable;
use crate::limits::Limits;
use crate::{Analyzer, KeyLog, KeyLogRead, KeyLogReader};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The key logs of one run.
pub(super) struct KeyLogs {
    open: Vec<Open>,
    looked: Instant,
}

struct Open {
    name: String,
    file: File,
    reader: KeyLogReader,
}

impl KeyLogs {
    /// Opens the key logs of the command line and of the environment, and reads what they hold.
    ///
    /// The environment variable is often set for other programs: a log that it names need not exist.
    pub(super) fn read(args: &AnalysisArgs, keys: &mut KeyLog, limits: &Limits) -> Result<Self, Failure> {
        let mut this = Self::none();
        for path in args.keylog.iter().chain(args.preferences.iter().map(|preference| &preference.keylog)) {
            this.add(path).map_err(|error| Failure::Usage(failed(path, &error)))?;
        }
        if let Some(path) = std::env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty()).map(PathBuf::from)
            && let Err(error) = this.add(&path)
        {
            eprintln!("wsdissect: {}, as SSLKEYLOGFILE asks", failed(&path, &error));
        }
        this.read_on(keys, limits).map_err(Failure::Usage)?;
        Ok(this)
    }

    /// No key logs.
    pub(super) fn none() -> Self {
        Self { open: Vec::new(), looked: Instant::now() }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Reads what was written since, a few times a second.
    pub(super) fn follow(&mut self, analyzer: &mut Analyzer, limits: &Limits) {
        if self.looked.elapsed() >= PAUSE {
            self.looked = Instant::now();
            if let Err(error) = self.read_on(analyzer.key_log(), limits) {
                eprintln!("wsdissect: {error}");
                self.open.clear();
            }
        }
    }

    /// Tells of the lines that were left out. A last line without an end counts as one.
    pub(super) fn close(self, keys: &mut KeyLog, limits: &Limits) {
        for Open { name, reader, .. } in self.open {
            tell(&name, &reader.finish(keys, limits));
        }
    }

    fn add(&mut self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        self.open.push(Open { name: printable(&path.display().to_string()), file, reader: KeyLogReader::default() });
        Ok(())
    }

    fn read_on(&mut self, keys: &mut KeyLog, limits: &Limits) -> Result<(), String> {
        let mut buffer = vec![0; 64 << 10];
        for Open { name, file, reader } in &mut self.open {
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(len) => reader.push(&buffer[..len], keys, limits),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(failed(Path::new(name), &error)),
                }
            }
        }
        Ok(())
    }
}

/// Says what is wrong with a key log, and whether it is one at all.
pub(super) fn tell(name: &str, read: &KeyLogRead) {
    let shown: Vec<String> = read.first_left_out.iter().map(|(line, why)| format!("line {line}: {why}")).collect();
    if read.left_out > 0 {
        let more = read.left_out - shown.len() as u64;
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        eprintln!("wsdissect: {name}: {} lines of the key log left out: {}{more}", read.left_out, shown.join("; "));
    } else if read.added + read.repeated + read.replaced == 0 {
        eprintln!("wsdissect: {name} holds no secrets of TLS");
    }
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("failed to read the key log {}: {error}", printable(&path.display().to_string()))
}

/// Between two looks at logs that grow.
const PAUSE: Duration = Duration::from_millis(100);
