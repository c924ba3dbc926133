//! What would refute a cause, for rules that do not say it themselves: the table `data/refutations.toml`.

use super::Cause;
use crate::catalog::source::packed;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// Keys of the words under `refute.<key>`, at least one for each cause.
pub(super) fn of(cause: Cause) -> Arc<[Arc<str>]> {
    static TABLE: LazyLock<BTreeMap<String, Arc<[Arc<str>]>>> = LazyLock::new(|| {
        let table: BTreeMap<String, Vec<String>> =
            packed!("data", "refutations").read().expect("the table loads: a unit test reads it");
        let shared = |keys: Vec<String>| keys.into_iter().map(Arc::from).collect();
        table.into_iter().map(|(cause, keys)| (cause, shared(keys))).collect()
    });
    TABLE.get(cause.name()).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_can_be_refuted() {
        for cause in Cause::ALL {
            assert!(!of(*cause).is_empty(), "{cause}");
        }
        let text = include_str!("../data/refutations.toml");
        let table: BTreeMap<String, Vec<String>> = toml::from_str(text).expect("a table of lists");
        assert_eq!(table.keys().find(|name| Cause::by_name(name).is_none()), None, "no other names");
    }
}
