//! Knowledge as data: tables and texts, checked when they are loaded.

pub mod rules;
