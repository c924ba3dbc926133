//! Input that an enemy made: whatever comes, no panic, no hang, and memory within a stated bound.
//!
//! - `fuzzing`: the fuzz targets of `fuzz/`, on what fuzzing once found and on changed fixtures, from fixed seeds.
//! - `scenarios`: attacks by name, each with the bytes of heap it may cost.
//! - `bounds`: every entry of `Limits` has a default, is reached here, and is told in the report in every language.
//! - `growth`: twice the input is about twice the work.
//! - `output`: what a capture says never steers the terminal or breaks the JSON.

#[path = "../../fuzz/src/lib.rs"]
#[expect(unsafe_code, reason = "a global allocator cannot be written without")]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "a library of its own")]
mod fuzz;
#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod fuzzing;
mod growth;
mod output;
#[allow(unreachable_pub, reason = "for the modules beside it")]
mod runs;
mod scenarios;
