//! What people and pipelines read. One file for each format; none of them decides anything.

mod community_id;
pub mod diff;
mod fleet;
mod hops;
pub mod json;
pub(crate) mod layout;
mod notes;
pub mod schema;
mod software;
mod speaker;
pub mod text;

pub use community_id::community_id;
pub use speaker::Speaker;

use crate::catalog::codes::CodeTable;
use crate::catalog::violations::ViolationTable;
use crate::connection::{ClosePayload, Connection, Meaning, PointSeen};
use crate::fleet::{Quality, Summary};
use crate::units::{PacketNumber, Timestamp};
use crate::violation::ViolationRule;

/// What was wrong with an input, for the end of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damage {
    /// The input, as it was named.
    pub file: String,
    /// What kind of damage it is, in a word that stays.
    pub kind: &'static str,
    /// What was wrong, as a lowercase fragment.
    pub what: String,
    /// Where in the (decompressed) file, in bytes.
    pub offset: u64,
    /// The last packet before it.
    pub after_packet: Option<PacketNumber>,
    /// Bytes skipped until records fitted together again; `None` when nothing more was read.
    pub skipped_bytes: Option<u64>,
    /// How many packets those may have held.
    pub lost_packets: Option<u64>,
}

/// One of the files that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Its name, as the user or the directory gave it.
    pub name: String,
    /// Packets in it.
    pub packets: u64,
    /// Numbers of its first and last packet, counted through all files.
    pub numbers: Option<(PacketNumber, PacketNumber)>,
    /// What is to be taken from a packet's number to get the one it has in this file alone; `None` when packets of other
    /// files lie in between.
    pub offset: Option<u64>,
    /// Its earliest and latest packet time, as recorded.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What was added to its times, in nanoseconds, so that its clock agrees with the others'.
    pub clock_shift: i64,
    /// The upper half of the interface numbers of its packets.
    pub slot: Option<u32>,
    /// The names of its interfaces, harmless to print.
    pub interfaces: Vec<Option<String>>,
}

/// What to call a point of capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PointName<'a> {
    /// The file, unless there are several of a rotated set.
    pub file: Option<&'a str>,
    /// The interface, where the file has several and names it.
    pub interface: Option<&'a str>,
}

impl InputFile {
    /// Whether some of the packets from `first` to `last` may be in it.
    #[must_use]
    pub fn overlaps(&self, first: PacketNumber, last: PacketNumber) -> bool {
        self.numbers.is_some_and(|(from, to)| from <= last && to >= first)
    }

    /// Which of `files` recorded what this point of capture saw.
    #[must_use]
    pub fn recording<'a>(files: &'a [Self], point: &PointSeen) -> PointName<'a> {
        let (first, last) = (point.first.packet, point.last.packet);
        let has = |file: &&Self| file.slot == Some(point.interface >> 16) && file.overlaps(first, last);
        let mut found = files.iter().filter(has);
        let Some(file) = found.next() else { return PointName::default() };
        let interface = file.interfaces.get((point.interface & 0xffff) as usize).filter(|_| file.interfaces.len() > 1);
        let interface = interface.and_then(|name| name.as_deref());
        PointName { file: found.next().is_none().then_some(file.name.as_str()), interface }
    }

    /// The number of packet `number` in this file alone, when it is known to be in it.
    #[must_use]
    pub fn own_number(&self, number: PacketNumber) -> Option<PacketNumber> {
        let own = number.value().checked_sub(self.offset.filter(|_| self.overlaps(number, number))?)?;
        PacketNumber::new(own)
    }
}

/// The end of a report: all that is not about a single connection.
#[derive(Debug, Clone, Default)]
pub struct Closing<'a> {
    /// Name of the capture, as the user gave it.
    pub capture: &'a str,
    /// The files that were read, in the order of their first packets.
    pub files: Vec<InputFile>,
    /// Names of files in directories that were left out because they are no captures.
    pub passed_over: Vec<String>,
    /// What the analysis counted.
    pub summary: Summary,
    /// Damage to the input.
    pub damage: Vec<Damage>,
    /// Packets that the capturing program says it lost.
    pub dropped: Option<u64>,
    /// Somebody ended the reading before the end of the input.
    pub interrupted: bool,
    /// What was left out because a file of known findings names it; `None` without one.
    pub ignored: Option<Ignored>,
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

/// Connections that were left out of a report because a file says that they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ignored {
    /// The file, harmless to print.
    pub file: String,
    /// How many connections were left out.
    pub connections: u64,
    /// What the file names, in its order.
    pub entries: Vec<IgnoredEntry>,
}

impl Ignored {
    /// Entries that nothing in the capture fits.
    pub fn unused(&self) -> impl Iterator<Item = &IgnoredEntry> {
        self.entries.iter().filter(|entry| entry.count == 0 && entry.expired == 0)
    }

    /// Entries whose date is over, so that what they name was reported.
    pub fn expired(&self) -> impl Iterator<Item = &IgnoredEntry> {
        self.entries.iter().filter(|entry| entry.expired > 0)
    }
}

/// One known finding, and how often it was met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IgnoredEntry {
    /// Its line in the file.
    pub line: usize,
    /// The rule.
    pub rule: String,
    /// The server's address, with or without port.
    pub server: Option<String>,
    /// The `Host` asked for.
    pub host: Option<String>,
    /// The path asked for.
    pub path: Option<String>,
    /// The last day on which it counts.
    pub until: Option<String>,
    /// Connections left out.
    pub count: u64,
    /// Connections that fit but ended after that day, and were reported.
    pub expired: u64,
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

/// The code of the first Close frame with what it means in the application protocol.
fn close_meaning(connection: &Connection) -> Option<(u16, &Meaning)> {
    let signal = connection.first_close()?;
    let ClosePayload::Status { code, .. } = connection.traffic[signal.by].close.as_ref()?.payload else { return None };
    let means = connection.application.as_deref()?.protocol.close_meaning(code.0)?;
    Some((code.0, means))
}

/// The name of a status code; that of its range when it has none of its own.
fn code_name(code: u16) -> &'static str {
    &CodeTable::builtin().lookup(code).name
}

/// The section that a broken rule stands in.
fn violation_reference(rule: ViolationRule) -> &'static str {
    ViolationTable::builtin().find(rule.name()).map_or("", |violation| &violation.reference)
}
