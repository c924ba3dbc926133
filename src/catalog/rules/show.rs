//! Rules as people read them: conditions and sentence patterns in one line, and the shared built-in set.

use super::words::{Part, Template};
use super::{Condition, RuleSet, Test};
use crate::evidence::Value;
use std::fmt;
use std::sync::{Arc, LazyLock};

impl RuleSet {
    /// The rules that come with the program, loaded once and without their examples.
    ///
    /// # Panics
    /// Never: the tests load them.
    #[must_use]
    pub fn shared() -> &'static Arc<Self> {
        static SHARED: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
            Arc::new(RuleSet::with_own(&[]).expect("the built-in rules load: tests/rules.rs runs them all"))
        });
        &SHARED
    }
}

impl fmt::Display for Condition {
    /// The condition in one line: `close.code any of 1002, 1007`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.fact.name();
        match &self.test {
            Test::AnyOf(any) if any.len() == 1 => write!(f, "{name} = {}", list(any))?,
            Test::AnyOf(any) => write!(f, "{name} any of {}", list(any))?,
            Test::NoneOf(none) => write!(f, "{name} none of {}", list(none))?,
            Test::Min(least) => write!(f, "{name} ≥ {least}")?,
            Test::Max(most) => write!(f, "{name} ≤ {most}")?,
            Test::Above(bound) => write!(f, "{name} > {bound}")?,
            Test::Below(bound) => write!(f, "{name} < {bound}")?,
            Test::Near(near) => write!(f, "{name} near {}", join(near))?,
            Test::AtLeast(other) => write!(f, "{name} ≥ {}", other.name())?,
            Test::SameAs(other) => write!(f, "{name} = {}", other.name())?,
            Test::DiffersFrom(other) => write!(f, "{name} ≠ {}", other.name())?,
            Test::Absent => write!(f, "{name} absent")?,
            Test::Present => write!(f, "{name} present")?,
            Test::Prefix(prefix) => write!(f, "{name} begins with “{prefix}”")?,
            Test::Contains(parts) => write!(f, "{name} contains any of {}", join(parts))?,
        }
        if self.or_absent { write!(f, ", or {name} absent") } else { Ok(()) }
    }
}

fn list(values: &[Value]) -> String {
    let plain = |value: &Value| match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Enum(word) => (*word).to_owned(),
    };
    join(values.iter().map(plain))
}

fn join(items: impl IntoIterator<Item = impl ToString>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Template {
    /// The sentence with the names of its facts in braces and its optional parts in brackets, as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.parts(), f)
    }
}

fn show(parts: &[Part], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for part in parts {
        match part {
            Part::Words(words) => f.write_str(words)?,
            Part::Value(fact) => write!(f, "{{{}}}", fact.name())?,
            Part::Optional(inner) => {
                f.write_str("[")?;
                show(inner, f)?;
                f.write_str("]")?;
            }
        }
    }
    Ok(())
}
