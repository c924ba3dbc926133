//! The recorded cases: captures of real programs, and what is true about them. See `fixtures/README.md`.

use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// One folder `fixtures/<family>/<case>/`.
pub struct Case {
    /// `family/case`.
    pub name: String,
    pub capture: PathBuf,
    pub connections: Vec<Expected>,
}

/// What is true about one connection.
pub struct Expected {
    /// tshark's `tcp.stream`.
    pub stream: u64,
    pub what_happened: String,
    /// Nothing in the capture shows a WebSocket here: it is only counted, under this name of the summary's `other`.
    pub counted_as: Option<String>,
    /// Dotted keys of the connection's JSON object and what must stand there.
    pub expect: Vec<(String, Value)>,
}

impl Case {
    /// All cases, by name.
    pub fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let mut cases: Vec<Self> = folders(&root)
            .iter()
            .flat_map(|family| folders(family))
            .filter(|folder| folder.join("case.toml").is_file())
            .map(|folder| Self::load(&folder))
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(cases.len() > 100, "only {} cases found under {}", cases.len(), root.display());
        cases
    }

    /// The case of this name.
    pub fn named(name: &str) -> Self {
        Self::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name))
    }

    pub fn open(&self) -> File {
        File::open(&self.capture).unwrap_or_else(|error| panic!("{}: {error}", self.capture.display()))
    }

    fn load(folder: &Path) -> Self {
        let file = folder.join("case.toml");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let table: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name_of = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("{}/{}", name_of(folder.parent().unwrap_or(folder)), name_of(folder));
        let captures: Vec<PathBuf> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| name_of(path).starts_with("capture."))
            .collect();
        let [capture] = &captures[..] else { panic!("{name}: expected one capture, found {captures:?}") };
        let connections = table.get("connection").and_then(toml::Value::as_array).into_iter().flatten();
        Self {
            capture: capture.clone(),
            connections: connections.map(|each| Expected::of(each, &name)).collect(),
            name,
        }
    }
}

impl Expected {
    fn of(connection: &toml::Value, case: &str) -> Self {
        let stream = connection.get("stream").and_then(toml::Value::as_integer);
        let expect = connection.get("expect").and_then(toml::Value::as_table).into_iter().flatten();
        Self {
            stream: stream.and_then(|stream| stream.try_into().ok()).unwrap_or_else(|| panic!("{case}: no stream")),
            counted_as: connection.get("counted_as").and_then(toml::Value::as_str).map(str::to_owned),
            what_happened: connection.get("what_happened").and_then(toml::Value::as_str).unwrap_or_default().to_owned(),
            expect: expect.map(|(key, value)| (key.clone(), json(value))).collect(),
        }
    }

    /// What stands under a key of `expect`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.expect.iter().find(|(each, _)| each == key).map(|(_, value)| value)
    }

    /// The true cause: the one to be found, or where the packets cannot prove it the one that the script knows.
    pub fn true_cause(&self) -> Option<&str> {
        self.get("diagnosis.cause").and_then(Value::as_str).or_else(|| self.known_to_the_script("cause '"))
    }

    /// The true party, likewise.
    pub fn true_party(&self) -> Option<&str> {
        self.get("diagnosis.party").and_then(Value::as_str).or_else(|| self.known_to_the_script("party '"))
    }

    fn known_to_the_script(&self, what: &str) -> Option<&str> {
        let (_, known) = self.what_happened.split_once("What the script knows beyond the packets:")?;
        let (_, value) = known.split_once(what)?;
        value.split('\'').next()
    }
}

/// TOML has no null: the cases write it as a text.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) if text == "null" => Value::Null,
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(value) => (*value).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(list) => list.iter().map(json).collect(),
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect()
}
