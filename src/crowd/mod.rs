//! What the other connections of a capture say about one of them: who else ended then, there, after the same time.

use crate::connection::Connection;

/// What the other connections say about one of them.
#[derive(Debug, Clone, Default)]
pub struct Around {}

/// Remembers of the connections what others are compared with.
#[derive(Debug, Default)]
pub struct Crowd {}

impl Crowd {
    /// Takes in a connection that has ended, or whose capture has.
    pub fn note(&mut self, _connection: &Connection) {}

    /// What the connections noted so far say about this one, which is one of them.
    #[must_use]
    pub fn around(&self, _connection: &Connection) -> Around {
        Around {}
    }
}
