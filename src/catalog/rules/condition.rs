//! One condition of a rule: what must be true of one fact.

use crate::evidence::{FactId, FactType, Value};
use toml::Value as Toml;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The fact it looks at.
    pub fact: FactId,
    /// What must be true of it.
    pub test: Test,
    /// Whether it also holds when the fact is absent (`or_absent = true`).
    pub or_absent: bool,
}

/// What must be true of a fact. Apart from [`Test::Absent`] and [`Test::NoneOf`] none holds for an absent fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The fact has one of these values.
    AnyOf(Vec<Value>),
    /// The fact has none of these values; an absent fact has none.
    NoneOf(Vec<Value>),
    /// At least this much.
    Min(f64),
    /// At most this much.
    Max(f64),
    /// More than this.
    Above(f64),
    /// Less than this.
    Below(f64),
    /// As good as one of these: no further away than half a second or 0.2 %, whichever is more. Timers fire a little
    /// late, and a capture's clock is not the timer's.
    Near(Vec<f64>),
    /// At least as much as another fact.
    AtLeast(FactId),
    /// The same as another fact.
    SameAs(FactId),
    /// Not the same as another fact.
    DiffersFrom(FactId),
    /// Watched, and not there.
    Absent,
    /// There, whatever its value.
    Present,
    /// A text that begins with this, ignoring ASCII case.
    Prefix(Box<str>),
    /// A text that holds one of these, ignoring ASCII case.
    Contains(Vec<Box<str>>),
}

const KEYS: &str = "equals, any_of, none_of, min, max, above, below, near, at_least, same_as, differs_from, absent, \
                    present, prefix, contains, or_absent";

impl Condition {
    /// Whether `fact` surely has a value when this condition holds.
    #[must_use]
    pub fn guarantees(&self, fact: FactId) -> bool {
        match &self.test {
            Test::Absent | Test::NoneOf(_) => false,
            _ if self.or_absent => false,
            Test::AtLeast(other) | Test::SameAs(other) | Test::DiffersFrom(other) => {
                fact == self.fact || fact == *other
            }
            _ => fact == self.fact,
        }
    }

    /// The other fact it compares with, if it does.
    #[must_use]
    pub fn other_fact(&self) -> Option<FactId> {
        match self.test {
            Test::AtLeast(other) | Test::SameAs(other) | Test::DiffersFrom(other) => Some(other),
            _ => None,
        }
    }

    /// Reads what `when` says of one fact: a plain value, or a table of tests that must all hold.
    pub(super) fn parse(fact: FactId, toml: &Toml) -> Result<Vec<Self>, String> {
        let Toml::Table(table) = toml else {
            let test = Test::AnyOf(vec![value(fact, toml)?]);
            return Ok(vec![Self { fact, test, or_absent: false }]);
        };
        let or_absent = table.get("or_absent").map_or(Ok(false), flag)?;
        let mut conditions = Vec::new();
        for (key, toml) in table.iter().filter(|(key, _)| *key != "or_absent") {
            conditions.push(Self { fact, test: test(fact, key, toml)?, or_absent });
        }
        if conditions.is_empty() {
            return Err(format!("no test for `{}`; one of: {KEYS}", fact.name()));
        }
        Ok(conditions)
    }
}

fn test(fact: FactId, key: &str, toml: &Toml) -> Result<Test, String> {
    Ok(match key {
        "equals" => Test::AnyOf(vec![value(fact, toml)?]),
        "any_of" => Test::AnyOf(list(toml, |each| value(fact, each))?),
        "none_of" => Test::NoneOf(list(toml, |each| value(fact, each))?),
        "min" => Test::Min(number(fact, toml)?),
        "max" => Test::Max(number(fact, toml)?),
        "above" => Test::Above(number(fact, toml)?),
        "below" => Test::Below(number(fact, toml)?),
        "near" => Test::Near(list(toml, |each| number(fact, each))?),
        "at_least" => Test::AtLeast(other(fact, toml)?),
        "same_as" => Test::SameAs(other(fact, toml)?),
        "differs_from" => Test::DiffersFrom(other(fact, toml)?),
        "absent" if flag(toml)? => Test::Absent,
        "present" if flag(toml)? => Test::Present,
        "absent" | "present" => return Err(format!("`{key}` takes only `true`")),
        "prefix" => Test::Prefix(text(fact, toml)?),
        "contains" => Test::Contains(list(toml, |each| text(fact, each))?),
        _ => return Err(format!("unknown test `{key}`; one of: {KEYS}")),
    })
}

/// Reads a value of the fact's type.
pub(super) fn value(fact: FactId, toml: &Toml) -> Result<Value, String> {
    let wrong = || format!("`{}` is of type {}, not {}", fact.name(), fact.ty().name(), toml.type_str());
    match (fact.ty(), toml) {
        (FactType::Bool, Toml::Boolean(value)) => Ok(Value::Bool(*value)),
        (FactType::Int | FactType::Bytes, Toml::Integer(value)) => Ok(Value::Int(*value)),
        (FactType::Seconds, Toml::Integer(value)) => Ok(Value::Float(*value as f64)),
        (FactType::Seconds, Toml::Float(value)) => Ok(Value::Float(*value)),
        (FactType::Text, Toml::String(value)) => Ok(Value::Text(value.as_str().into())),
        (FactType::Enum(words), Toml::String(value)) => {
            let word = words.iter().find(|word| **word == value);
            let word =
                word.ok_or_else(|| format!("`{}` is never `{value}`; one of: {}", fact.name(), words.join(", ")))?;
            Ok(Value::Enum(word))
        }
        _ => Err(wrong()),
    }
}

/// Finds a fact by the name a rule uses.
pub(super) fn fact(name: &str) -> Result<FactId, String> {
    FactId::by_name(name).ok_or_else(|| format!("unknown fact `{name}`"))
}

fn number(fact: FactId, toml: &Toml) -> Result<f64, String> {
    if !fact.ty().is_number() {
        return Err(format!("`{}` is of type {} and has no order", fact.name(), fact.ty().name()));
    }
    match toml {
        Toml::Integer(value) => Ok(*value as f64),
        Toml::Float(value) if value.is_finite() => Ok(*value),
        _ => Err(format!("a number is needed, not {}", toml.type_str())),
    }
}

fn other(fact: FactId, toml: &Toml) -> Result<FactId, String> {
    let name = toml.as_str().ok_or_else(|| format!("the name of a fact is needed, not {}", toml.type_str()))?;
    let other = self::fact(name)?;
    if other.ty() != fact.ty() {
        return Err(format!("`{}` and `{name}` cannot be compared", fact.name()));
    }
    Ok(other)
}

fn text(fact: FactId, toml: &Toml) -> Result<Box<str>, String> {
    match (fact.ty(), toml) {
        (FactType::Text, Toml::String(text)) if !text.is_empty() => Ok(text.as_str().into()),
        (FactType::Text, _) => Err(format!("a text is needed, not {}", toml.type_str())),
        (ty, _) => Err(format!("`{}` is of type {}, not text", fact.name(), ty.name())),
    }
}

fn flag(toml: &Toml) -> Result<bool, String> {
    toml.as_bool().ok_or_else(|| format!("true or false is needed, not {}", toml.type_str()))
}

fn list<T>(toml: &Toml, read: impl Fn(&Toml) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items = toml.as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| "a list with at least one item is needed".to_owned())?;
    items.iter().map(read).collect()
}
