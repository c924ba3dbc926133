//! The JSON output, frozen as `wsdissect/1`: one object for each connection and one summary. Fields are only ever added.
//!
//! Its structs are its own: nothing of the analysis is serialised directly, so that a refactoring cannot change what
//! pipelines rely on. Sentences follow the chosen language; names and codes never do.

mod connection;
mod summary;

pub use connection::ConnectionObject;
pub use summary::SummaryObject;

/// Name and version of the format, in every object.
pub const SCHEMA: &str = "wsdissect/1";
