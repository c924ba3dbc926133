//! What people and pipelines read. One file for each format; none of them decides anything.

mod community_id;
pub mod json;
pub(crate) mod layout;
pub mod schema;
mod speaker;
pub mod text;

pub use community_id::community_id;
pub use speaker::Speaker;

use crate::catalog::codes::CodeTable;
use crate::catalog::violations::ViolationTable;
use crate::fleet::{Quality, Summary};
use crate::units::PacketNumber;
use crate::violation::ViolationRule;

/// What was wrong with an input, for the end of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What was wrong, as a lowercase fragment.
    pub what: String,
    /// Where in the (decompressed) file, in bytes.
    pub offset: u64,
    /// The last packet before it.
    pub after_packet: Option<PacketNumber>,
}

/// The end of a report: all that is not about a single connection.
#[derive(Debug, Clone, Default)]
pub struct Closing<'a> {
    /// Name of the capture, as the user gave it.
    pub capture: &'a str,
    /// What the analysis counted.
    pub summary: Summary,
    /// Damage to the input.
    pub damage: Vec<Damage>,
    /// Packets that the capturing program says it lost.
    pub dropped: Option<u64>,
    /// The interfaces of which it says so, at most [`Closing::INTERFACES`].
    pub interfaces: Vec<InterfaceLoss>,
}

impl Closing<'_> {
    /// Interfaces listed.
    pub const INTERFACES: usize = 16;

    /// How far the capture can be trusted.
    #[must_use]
    pub fn quality(&self) -> Quality {
        Quality::of(&self.summary, self.dropped, self.damage.len() as u64)
    }
}

/// An interface on which packets were lost while they were captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceLoss {
    /// Its name, harmless to print; its number when it has none.
    pub name: String,
    /// Packets read from it.
    pub packets: u64,
    /// Packets that it lost.
    pub dropped: u64,
}

/// The name of a status code; that of its range when it has none of its own.
fn code_name(code: u16) -> &'static str {
    &CodeTable::builtin().lookup(code).name
}

/// The section that a broken rule stands in.
fn violation_reference(rule: ViolationRule) -> &'static str {
    ViolationTable::builtin().find(rule.name()).map_or("", |violation| &violation.reference)
}
