//! The table of violations: what a peer can do that an RFC forbids.
//!
//! Names are part of the output format and never change meaning. The sentences are looked up by name in [`super::text`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::source::packed;
use serde::{Deserialize, Serialize};

/// One rule that a peer can break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// Name as in the output, for instance `rsv_nonzero`.
    pub name: String,
    /// The RFC section that forbids it, for instance `RFC 6455 §5.2`.
    pub reference: String,
    /// Close code with which the RFC lets the other side answer; `None` when it names none or the handshake fails instead.
    pub suggested_code: Option<u16>,
}

/// All violations, by name.
#[derive(Clone, Debug)]
pub struct ViolationTable {
    entries: BTreeMap<String, Violation>,
}

impl ViolationTable {
    /// The table that is compiled in.
    pub fn builtin() -> &'static Self {
        static TABLE: LazyLock<ViolationTable> = LazyLock::new(|| {
            const VALID: &str = "the embedded violations are valid: a unit test loads them";
            ViolationTable::new(packed!("data", "violations").read().expect(VALID)).expect(VALID)
        });
        &TABLE
    }

    /// Reads and checks a table.
    ///
    /// # Errors
    ///
    /// [`ViolationTableError`] when the TOML does not fit, a name is not `lowercase_with_underscores` or comes twice, or
    /// an entry has no reference.
    pub fn parse(toml: &str) -> Result<Self, ViolationTableError> {
        Self::new(toml::from_str(toml)?)
    }

    fn new(file: RawFile) -> Result<Self, ViolationTableError> {
        let mut entries = BTreeMap::new();
        for violation in file.violation {
            let name = violation.name.clone();
            let well_formed = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !well_formed {
                return Err(ViolationTableError::Name { name });
            }
            if !violation.reference.starts_with("RFC ") {
                return Err(ViolationTableError::Reference { name });
            }
            if entries.insert(name.clone(), violation).is_some() {
                return Err(ViolationTableError::Twice { name });
            }
        }
        Ok(Self { entries })
    }

    /// The violation of this name.
    pub fn find(&self, name: &str) -> Option<&Violation> {
        self.entries.get(name)
    }

    /// All violations in order of their names.
    pub fn entries(&self) -> impl Iterator<Item = &Violation> {
        self.entries.values()
    }
}

/// Why a table of violations was refused.
#[derive(Debug, thiserror::Error)]
pub enum ViolationTableError {
    /// Not TOML, or an unknown, missing or ill-typed field.
    #[error("failed to read the violations")]
    Toml(#[from] toml::de::Error),
    /// A name is not made of lowercase letters, digits and underscores.
    #[error("violation name {name:?} is not lowercase_with_underscores")]
    Name {
        /// The name.
        name: String,
    },
    /// An entry does not cite an RFC.
    #[error("violation {name:?} does not cite an RFC")]
    Reference {
        /// The name.
        name: String,
    },
    /// Two entries have the same name.
    #[error("violation {name:?} is listed twice")]
    Twice {
        /// The name.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    violation: Vec<Violation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that the output format promises.
    const PROMISED: &[&str] = &[
        "rsv_nonzero",
        "reserved_opcode",
        "bad_length_encoding",
        "unmasked_client_frame",
        "masked_server_frame",
        "control_frame_too_long",
        "control_frame_fragmented",
        "unexpected_continuation",
        "interleaved_data_frame",
        "invalid_utf8_text",
        "invalid_utf8_close_reason",
        "close_payload_one_byte",
        "close_code_invalid",
        "data_after_close",
        "bad_accept",
        "missing_accept",
        "bad_key",
        "bad_version",
        "missing_upgrade_token",
        "unrequested_subprotocol",
        "unrequested_extension",
        "http_in_websocket",
        "frame_before_101",
        "rsv1_on_control",
        "rsv1_on_continuation",
        "inflate_failed",
        "window_exceeded",
        "extension_parameter_invalid",
        "extended_connect_without_setting",
    ];

    #[test]
    fn the_packed_table_is_the_written_one() {
        let written = ViolationTable::parse(include_str!("data/violations.toml")).unwrap();
        assert_eq!(written.entries, ViolationTable::builtin().entries);
    }

    #[test]
    fn every_promised_name_is_there() {
        for name in PROMISED {
            assert!(ViolationTable::builtin().find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn suggested_codes_are_those_of_the_rfc() {
        let code = |name: &str| ViolationTable::builtin().find(name).and_then(|violation| violation.suggested_code);
        assert_eq!(code("rsv_nonzero"), Some(1002));
        assert_eq!(code("invalid_utf8_text"), Some(1007));
        assert_eq!(code("bad_accept"), None);
        for violation in ViolationTable::builtin().entries() {
            assert!(matches!(violation.suggested_code, None | Some(1002 | 1007)), "{}", violation.name);
        }
    }

    #[test]
    fn faulty_tables_are_refused() {
        let entry =
            |name: &str, reference: &str| format!("[[violation]]\nname = {name:?}\nreference = {reference:?}\n");
        assert!(ViolationTable::parse(&entry("a_1", "RFC 6455 §5.2")).is_ok());
        assert!(matches!(ViolationTable::parse(&entry("a-1", "RFC 6455 §5.2")), Err(ViolationTableError::Name { .. })));
        assert!(matches!(ViolationTable::parse(&entry("a", "hearsay")), Err(ViolationTableError::Reference { .. })));
        assert!(matches!(
            ViolationTable::parse(&entry("a", "RFC 1").repeat(2)),
            Err(ViolationTableError::Twice { .. })
        ));
        assert!(matches!(
            ViolationTable::parse(&(entry("a", "RFC 1") + "severity = 3\n")),
            Err(ViolationTableError::Toml(_))
        ));
    }
}
