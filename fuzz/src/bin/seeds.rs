//! Makes the corpora: `seeds FOLDER`.
//!
//! Each seed is named by its content, so that a second run changes nothing. What fuzzing found stays.

use std::collections::HashSet;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("corpus"), PathBuf::from);
    let mut written = HashSet::new();
    wsdissect_fuzz::seeds::each(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut |target, input| {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let name = hasher.finish();
        if !written.insert((target, name)) {
            return Ok(());
        }
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{name:016x}")), input)
    })?;
    println!("{} seeds", written.len());
    Ok(())
}
