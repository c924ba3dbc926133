//! The JSON Schema of the output; tests hold every output against it.

/// The schema (draft 2020-12) as text.
pub const TEXT: &str = include_str!("schema.json");
