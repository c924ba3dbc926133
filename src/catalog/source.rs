//! What a table is read from: TOML that a person wrote, or what the build script made of the program's own TOML.
//!
//! Both are read into the same types by the same code. TOML knows the place of each value, so that a mistake is told with
//! its line and column. The packed form (MessagePack) knows no places and is read many times as fast; tests hold what is
//! read from it against what is read from the TOML. It lacks the examples of rules.

use super::rules::LoadError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::cmp::Ordering;
use std::ops::Range;

/// A table, not read yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    file: &'a str,
    form: Form<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Form<'a> {
    Toml(&'a str),
    Packed(&'a [u8]),
}

/// The packed form of one of the program's own tables, by its folder and its name: `"data", "stacks"`.
macro_rules! packed {
    ($folder:literal, $name:literal) => {
        $crate::catalog::source::Source::packed(
            concat!($name, ".toml"),
            include_bytes!(concat!(env!("OUT_DIR"), "/", $folder, "/", $name, ".packed")),
        )
    };
}
pub(super) use packed;

impl<'a> Source<'a> {
    /// TOML, and the name of its file for messages.
    pub(super) fn toml(file: &'a str, text: &'a str) -> Self {
        Self { file, form: Form::Toml(text) }
    }

    /// What the build script made of a file.
    pub(super) const fn packed(file: &'a str, bytes: &'a [u8]) -> Self {
        Self { file, form: Form::Packed(bytes) }
    }

    /// The name of the file.
    pub(super) fn file(&self) -> &'a str {
        self.file
    }

    /// The text in which places are counted; none in the packed form.
    pub(super) fn text(&self) -> &'a str {
        match self.form {
            Form::Toml(text) => text,
            Form::Packed(_) => "",
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// What does not fit the type, and where.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, LoadError> {
        match self.form {
            Form::Toml(text) => {
                toml::from_str(text).map_err(|error| self.error(error.span().unwrap_or_default(), error.message()))
            }
            Form::Packed(bytes) => rmp_serde::from_slice(bytes).map_err(|error| self.error(0..0, error.to_string())),
        }
    }

    /// A mistake at a place in it.
    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>) -> LoadError {
        LoadError::at(self.file, self.text(), span, message)
    }
}

/// A value and its place in the TOML it was read from.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    value: T,
    span: Range<usize>,
}

impl<T> Placed<T> {
    /// The bytes where it stands; the start of the file if the form knows no places.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value.
    pub(super) fn get_ref(&self) -> &T {
        &self.value
    }

    /// The value, without its place.
    pub(super) fn into_inner(self) -> T {
        self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
            let span = spanned.span();
            Ok(Self { value: spanned.into_inner(), span })
        } else {
            Ok(Self { value: T::deserialize(deserializer)?, span: 0..0 })
        }
    }
}

impl<T: PartialEq> PartialEq for Placed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Placed<T> {}

impl<T: PartialOrd> PartialOrd for Placed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Placed<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Every table, as it is written and as it is packed; only the examples of rules are left out.
    #[test]
    fn what_is_packed_is_what_is_written() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog");
        let packed_root = Path::new(env!("OUT_DIR"));
        let mut folders = vec![Path::new("data").to_owned(), Path::new("text").to_owned()];
        let mut compared = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(root.join(&folder)).unwrap() {
                let path = folder.join(entry.unwrap().file_name());
                if root.join(&path).is_dir() {
                    folders.push(path);
                    continue;
                }
                let mut written: toml::Table =
                    Source::toml("", &std::fs::read_to_string(root.join(&path)).unwrap()).read().unwrap();
                let rules = written.get_mut("rule").and_then(toml::Value::as_array_mut);
                for rule in rules.into_iter().flatten() {
                    rule.as_table_mut().and_then(|rule| rule.remove("example"));
                }
                let packed = std::fs::read(packed_root.join(path.with_extension("packed"))).unwrap();
                let packed: toml::Table = Source::packed("", &packed).read().unwrap();
                assert_eq!(packed, written, "{}", path.display());
                compared += 1;
            }
        }
        assert!(compared > 50, "{compared}");
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: Placed<String>,
        seconds: Option<f64>,
    }

    #[test]
    fn both_forms_are_read_into_one_type() {
        let written = Source::toml("x.toml", "seconds = 7\nname = \"a\"\n");
        let packed = rmp_serde::to_vec(&written.read::<toml::Table>().unwrap()).unwrap();
        let (one, other): (Sample, Sample) = (written.read().unwrap(), Source::packed("x", &packed).read().unwrap());
        assert_eq!((&one.name, one.seconds), (&other.name, other.seconds));
        assert_eq!((one.name.span(), other.name.span()), (19..22, 0..0));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_both() {
        let written = Source::toml("x.toml", "name = \"a\"\nnmae = 7\n");
        let error = written.read::<Sample>().unwrap_err();
        assert_eq!((error.line, error.column), (2, 1));
        let packed = rmp_serde::to_vec(&written.read::<toml::Table>().unwrap()).unwrap();
        let error = Source::packed("x", &packed).read::<Sample>().unwrap_err();
        assert!(error.message.contains("nmae"), "{error}");
    }
}
