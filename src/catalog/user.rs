//! A user's own catalog: one TOML file with tables of several kinds, each read by the part that knows them.
//!
//! `[[code]]` and `[[reason]]` say what Close frames mean, `[[application]]` describes protocols as the program's own table
//! does, `[[device]]` a proxy or load balancer with its limits, `[[rule]]` adds rules. The file is taken apart by its table headers; each part keeps the lines of the others as empty
//! ones, so that every reader tells mistakes with the line and column of the file.

use super::rules::LoadError;
use super::source::Source;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// One file.
#[derive(Debug, Clone)]
pub struct UserCatalog {
    file: String,
    text: String,
}

/// The tables that a file may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only their names are checked here; whoever reads a table checks what is in it")]
struct Tables {
    code: Option<IgnoredAny>,
    reason: Option<IgnoredAny>,
    application: Option<IgnoredAny>,
    device: Option<IgnoredAny>,
    rule: Option<IgnoredAny>,
}

impl UserCatalog {
    /// Most bytes of a file that are read: far more than a catalog of every code needs.
    pub const MAX_LEN: u64 = 1 << 20;

    /// Takes a file apart. What is in its tables is checked by [`Knowledge::with`](super::knowledge::Knowledge::with).
    ///
    /// # Errors
    /// When it is no TOML, or has other tables, with file, line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, LoadError> {
        let _: Tables = Source::toml(file, text).read()?;
        Ok(Self { file: file.to_owned(), text: text.to_owned() })
    }

    /// The name of the file, for messages.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The tables of one name, on the lines where they are in the file.
    #[must_use]
    pub fn tables(&self, name: &str) -> String {
        self.tables_of(&[name])
    }

    /// The tables of several names.
    #[must_use]
    pub fn tables_of(&self, names: &[&str]) -> String {
        let mut kept = String::with_capacity(self.text.len());
        let (mut is_wanted, mut inside) = (false, None);
        for line in self.text.split_inclusive('\n') {
            if inside.is_none()
                && let Some(name) = table_name(line)
            {
                is_wanted = names.contains(&name);
            }
            inside = still_inside(line, inside);
            if is_wanted {
                kept.push_str(line);
            } else if line.ends_with('\n') {
                kept.push('\n');
            }
        }
        kept
    }
}

/// The first key of a table header such as `[[rule]]` or `[rule.when]`.
fn table_name(line: &str) -> Option<&str> {
    let header = line.trim_start().strip_prefix('[')?.trim_start_matches('[').trim_start();
    let end = header.find(|char: char| !char.is_ascii_alphanumeric() && char != '_' && char != '-')?;
    Some(&header[..end])
}

/// Which kind of multi-line string, if any, is open behind a line.
fn still_inside<'a>(line: &str, before: Option<&'a str>) -> Option<&'a str> {
    let (mut inside, mut rest) = (before, line);
    loop {
        let next = match inside {
            Some(mark) => rest.find(mark).map(|at| (at, mark)),
            None => {
                // A comment ends the line, unless it stands in a string; then no string of several lines is begun there.
                let code = rest.split('#').next().unwrap_or(rest);
                ["\"\"\"", "'''"].into_iter().filter_map(|mark| Some((code.find(mark)?, mark))).min()
            }
        };
        let Some((at, mark)) = next else { return inside };
        rest = &rest[at + mark.len()..];
        inside = if inside.is_some() { None } else { Some(mark) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# ours\n[[code]]\ncode = 4001\nmeans = '''\n[[rule]]\n'''\n\n[[rule]]\nid = \"x\"\n[rule.when]\n\"a\" = 1\n";

    #[test]
    fn each_part_keeps_its_lines() {
        let catalog = UserCatalog::parse("own.toml", FILE).unwrap();
        assert_eq!(catalog.tables("rule"), "\n\n\n\n\n\n\n[[rule]]\nid = \"x\"\n[rule.when]\n\"a\" = 1\n");
        assert_eq!(catalog.tables("code"), "\n[[code]]\ncode = 4001\nmeans = '''\n[[rule]]\n'''\n\n\n\n\n\n");
        assert_eq!(catalog.tables("reason").trim(), "");
    }

    #[test]
    fn other_tables_are_refused_where_they_stand() {
        let error = UserCatalog::parse("own.toml", "[[code]]\ncode = 4001\n\n[[cod]]\n").unwrap_err();
        assert_eq!((error.line, error.file.as_str()), (4, "own.toml"));
        let error = UserCatalog::parse("own.toml", "a = \n").unwrap_err();
        assert_eq!(error.line, 1);
    }
}
