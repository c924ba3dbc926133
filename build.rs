//! Packs the tables of the catalogue, which people write in TOML, into a form that the program reads fast (MessagePack).
//!
//! Nothing is checked here but that each file is TOML: what is in it is checked by the program's own loader, in the tests.

use std::path::{Path, PathBuf};
use std::{env, fs, io};
use toml::{Table, Value};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("src/catalog");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    for folder in ["data", "text"] {
        pack_folder(&root, Path::new(folder), &out)?;
    }
    Ok(())
}

/// Packs every table of a folder, in the same place below `out`.
fn pack_folder(root: &Path, folder: &Path, out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", root.join(folder).display());
    fs::create_dir_all(out.join(folder))?;
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            pack_folder(root, &path, out)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let mut table: Table = toml::from_str(&fs::read_to_string(entry.path())?)
                .map_err(|error| io::Error::other(format!("{}: {error}", entry.path().display())))?;
            leave_out_examples(&mut table);
            let packed = rmp_serde::to_vec(&table).map_err(io::Error::other)?;
            fs::write(out.join(path.with_extension("packed")), packed)?;
        }
    }
    Ok(())
}

/// The examples of rules are for tests, which read the TOML.
fn leave_out_examples(table: &mut Table) {
    let rules = table.get_mut("rule").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten().filter_map(Value::as_table_mut) {
        rule.remove("example");
    }
}
