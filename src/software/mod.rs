//! Which WebSocket library speaks on a side, told from what it writes and how it behaves.

/// The libraries that are known, in the order of the table.
#[derive(Debug, Clone, Default)]
pub struct Stacks {}
