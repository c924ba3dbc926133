//! The user's own catalogs: finds them, reads them, and joins them to what comes with the program.

use super::Failure;
use super::args::KnowledgeArgs;
use crate::catalog::knowledge::Knowledge;
use crate::catalog::rules::LoadError;
use crate::catalog::user::UserCatalog;
use crate::diagnosis::evaluate;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All knowledge that this run goes by: the catalogs named on the command line, then the one of the configuration, then what
/// comes with the program.
pub(super) fn knowledge(args: &KnowledgeArgs) -> Result<Arc<Knowledge>, Failure> {
    let mut catalogs = Vec::new();
    for path in &args.catalog {
        catalogs.push(read(path).map_err(|error| unreadable(path, &error))??);
    }
    if let Some(path) = configured(args, |name| std::env::var_os(name)) {
        match read(&path) {
            Ok(catalog) => catalogs.push(catalog?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&path, &error)),
        }
    }
    if catalogs.is_empty() {
        return Ok(Arc::clone(Knowledge::builtin()));
    }
    let knowledge = Knowledge::with(&catalogs).map_err(wrong)?;
    check_examples(&knowledge)?;
    Ok(Arc::new(knowledge))
}

/// Where the configuration would have a catalog, by the XDG Base Directory Specification.
fn configured(args: &KnowledgeArgs, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if args.no_config {
        return None;
    }
    // A relative path is to be ignored, says the specification.
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let config = variable("XDG_CONFIG_HOME").and_then(absolute);
    let home = || variable("HOME").and_then(absolute).map(|home| home.join(".config"));
    Some(config.or_else(home)?.join("wsdissect").join("catalog.toml"))
}

fn read(path: &Path) -> io::Result<Result<UserCatalog, Failure>> {
    let mut text = String::new();
    File::open(path)?.take(UserCatalog::MAX_LEN + 1).read_to_string(&mut text)?;
    if text.len() as u64 > UserCatalog::MAX_LEN {
        return Err(io::Error::other(format!("it has more than {} bytes", UserCatalog::MAX_LEN)));
    }
    Ok(UserCatalog::parse(&path.display().to_string(), &text).map_err(wrong))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("failed to read the catalog {}: {error}", path.display()))
}

fn wrong(error: LoadError) -> Failure {
    Failure::Usage(error.to_string())
}

/// Runs the examples of the users' rules.
fn check_examples(knowledge: &Knowledge) -> Result<(), Failure> {
    for rule in knowledge.rules.iter().filter(|rule| rule.own.is_some()) {
        for example in &rule.examples {
            let found = evaluate(rule, &example.facts());
            if found != example.expect {
                let (file, line) = (&rule.file, example.line);
                let what =
                    format!("{file}:{line}: this example of rule `{}` is `{found}`, not `{}`", rule.id, example.expect);
                return Err(Failure::Usage(what));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_where_xdg_says() {
        let args = |no_config| KnowledgeArgs { catalog: Vec::new(), no_config };
        let at = |config: Option<&str>, home: Option<&str>| {
            let variable = |name: &str| match name {
                "XDG_CONFIG_HOME" => config.map(OsString::from),
                _ => home.map(OsString::from),
            };
            configured(&args(false), variable).map(|path| path.display().to_string())
        };
        assert_eq!(at(Some("/c"), Some("/h")).as_deref(), Some("/c/wsdissect/catalog.toml"));
        assert_eq!(at(None, Some("/h")).as_deref(), Some("/h/.config/wsdissect/catalog.toml"));
        assert_eq!(at(Some("relative"), Some("/h")).as_deref(), Some("/h/.config/wsdissect/catalog.toml"));
        assert_eq!(at(None, None), None);
        assert_eq!(configured(&args(true), |_| Some("/c".into())), None);
    }
}
