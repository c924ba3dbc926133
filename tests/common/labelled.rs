//! The labelled disconnects of `fixtures/labelled`: captures of real programs, and what truly happened to each connection.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use toml::Value;

/// One folder `fixtures/labelled/<family>/<name>/`.
pub struct Labelled {
    pub family: String,
    pub name: String,
    pub half: Half,
    pub capture: PathBuf,
    pub connections: Vec<Truth>,
}

/// The rules are written looking at one half; what is promised is measured on the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Half {
    Train,
    HeldOut,
}

/// What is true about one connection.
pub struct Truth {
    /// tshark's `tcp.stream`.
    pub stream: u64,
    pub happened: String,
    /// Words of `diagnosis.cause` that name what happened, the best first.
    pub causes: Vec<String>,
    pub parties: Vec<String>,
    /// Whether the packets can tell the cause, and the party.
    pub decidable: bool,
    pub party_decidable: bool,
    /// What a good fix names; `|` separates words of which one is enough.
    pub fix_mentions: Vec<String>,
}

impl Labelled {
    /// All of them, by name.
    pub fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/labelled");
        let mut all: Vec<Self> =
            folders(&root).iter().flat_map(|family| folders(family)).map(|folder| Self::load(&folder)).collect();
        all.sort_by(|a, b| (&a.family, &a.name).cmp(&(&b.family, &b.name)));
        all
    }

    pub fn open(&self) -> File {
        File::open(&self.capture).unwrap_or_else(|error| panic!("{}: {error}", self.capture.display()))
    }

    fn load(folder: &Path) -> Self {
        let file = folder.join("label.toml");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let table: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name_of = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let half = match table.get("split").and_then(Value::as_str) {
            Some("train") => Half::Train,
            Some("held_out") => Half::HeldOut,
            other => panic!("{}: split is {other:?}", file.display()),
        };
        let connections = table.get("connection").and_then(Value::as_array).expect("every label is about connections");
        Self {
            family: name_of(folder.parent().unwrap_or(folder)),
            name: name_of(folder),
            half,
            capture: folder.join("capture.pcap.gz"),
            connections: connections.iter().map(Truth::of).collect(),
        }
    }
}

impl Truth {
    fn of(table: &Value) -> Self {
        let words = |key| table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let flag = |key| table.get(key).and_then(Value::as_bool);
        let decidable = flag("decidable").expect("decidable");
        let stream = table.get("stream").and_then(Value::as_integer).expect("stream");
        Self {
            stream: stream.try_into().expect("a stream's number"),
            happened: table.get("happened").and_then(Value::as_str).expect("happened").to_owned(),
            causes: words("cause").map(str::to_owned).collect(),
            parties: words("party").map(str::to_owned).collect(),
            decidable,
            party_decidable: flag("party_decidable").unwrap_or(decidable),
            fix_mentions: words("fix_mentions").map(str::to_owned).collect(),
        }
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect()
}
