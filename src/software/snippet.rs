//! How a setting is written, with the value that the evidence asks for.

/// A line of code or configuration; `{bytes}`, `{kib}`, `{mib}`, `{seconds}` and `{millis}` stand for the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet(Box<str>);

const PLACES: [&str; 5] = ["{bytes}", "{kib}", "{mib}", "{seconds}", "{millis}"];

impl Snippet {
    /// Takes a line as written in the table; `None` when it is empty.
    #[must_use]
    pub fn new(written: Box<str>) -> Option<Self> {
        (!written.trim().is_empty()).then_some(Self(written))
    }

    /// The line as written in the table.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.0
    }

    /// The line with a size in it, rounded up to the unit that it counts in.
    #[must_use]
    pub fn with_bytes(&self, bytes: u64) -> String {
        let values = [("{bytes}", bytes), ("{kib}", bytes.div_ceil(1 << 10)), ("{mib}", bytes.div_ceil(1 << 20))];
        self.filled(&values)
    }

    /// The line with a time in it.
    #[must_use]
    pub fn with_seconds(&self, seconds: u64) -> String {
        self.filled(&[("{seconds}", seconds), ("{millis}", seconds.saturating_mul(1000))])
    }

    fn filled(&self, values: &[(&str, u64)]) -> String {
        values.iter().fold(self.0.to_string(), |text, (place, value)| text.replace(place, &value.to_string()))
    }

    /// Whether it takes a size, or a time, or neither.
    #[must_use]
    pub fn takes(&self, size: bool) -> bool {
        let wrong = if size { &PLACES[3..] } else { &PLACES[..3] };
        !wrong.iter().any(|place| self.0.contains(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_the_unit_of_the_setting() {
        let snippet = |written: &str| Snippet::new(written.into()).unwrap();
        assert_eq!(snippet("max_size={bytes}").with_bytes(2 << 20), "max_size=2097152");
        assert_eq!(snippet("limit {mib}m").with_bytes((2 << 20) + 1), "limit 3m");
        assert_eq!(snippet("pingTimeout: {millis}").with_seconds(60), "pingTimeout: 60000");
        assert!(!snippet("max_size={bytes}").takes(false) && snippet("max_size={bytes}").takes(true));
        assert_eq!(Snippet::new(" ".into()), None);
    }
}
