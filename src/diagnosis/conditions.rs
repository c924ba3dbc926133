//! Whether a condition of a rule holds.

use crate::catalog::rules::{Condition, Test};
use crate::evidence::{FactId, Facts, Known, Value};

/// What becomes of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    /// The capture has no answer.
    Open,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// Whether a condition holds of these facts.
pub(super) fn holds(condition: &Condition, facts: &Facts) -> Truth {
    let value = match facts.get(condition.fact) {
        Known::Unknown(_) => return Truth::Open,
        Known::Absent => {
            return (condition.or_absent || matches!(condition.test, Test::Absent | Test::NoneOf(_))).into();
        }
        Known::Seen(value) => value,
    };
    let number = |test: &dyn Fn(f64) -> bool| value.number().is_some_and(test).into();
    let compared = |other: &FactId, test: &dyn Fn(&Value) -> bool| match facts.get(*other) {
        Known::Unknown(_) => Truth::Open,
        Known::Absent => Truth::No,
        Known::Seen(other) => test(other).into(),
    };
    match &condition.test {
        Test::AnyOf(values) => values.contains(value).into(),
        Test::NoneOf(values) => (!values.contains(value)).into(),
        Test::Min(bound) => number(&|value| value >= *bound),
        Test::Max(bound) => number(&|value| value <= *bound),
        Test::Above(bound) => number(&|value| value > *bound),
        Test::Below(bound) => number(&|value| value < *bound),
        Test::Near(marks) => number(&|value| marks.iter().any(|mark| (value - mark).abs() <= (mark * 0.002).max(0.5))),
        Test::AtLeast(other) => compared(other, &|other| value.number() >= other.number()),
        Test::SameAs(other) => compared(other, &|other| value == other),
        Test::DiffersFrom(other) => compared(other, &|other| value != other),
        Test::Absent => Truth::No,
        Test::Present => Truth::Yes,
        Test::Prefix(prefix) => {
            let head = value.text().and_then(|text| text.get(..prefix.len()));
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix)).into()
        }
        Test::Contains(parts) => {
            let text = value.text().unwrap_or_default().to_ascii_lowercase();
            parts.iter().any(|part| text.contains(&part.to_ascii_lowercase())).into()
        }
    }
}

/// The facts that a condition looks at.
pub(super) fn facts_of(condition: &Condition) -> impl Iterator<Item = FactId> {
    std::iter::once(condition.fact).chain(condition.other_fact())
}
