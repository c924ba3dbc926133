//! What is known about WebSocket, as data: close codes, violations, and the words that explain them in five languages.
//!
//! The numbers, names and references live in `data/*.toml` and are language-neutral; every sentence a person reads lives
//! in `text/<language>/*.toml`, keyed by the same names. Both are packed by the build script, compiled in, read once per
//! process on first use, and never change afterwards. Nothing here looks at a capture and nothing here knows about terminals.

pub mod applications;
pub mod codes;
pub mod knowledge;
pub mod known;
pub mod language;
pub mod meanings;
pub mod middleboxes;
pub mod page;
pub mod rules;
mod source;
pub mod stacks;
pub mod text;
pub mod user;
pub mod violations;
