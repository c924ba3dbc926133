//! Silences: time in which neither side sent a byte.

use crate::units::Origin;

/// A silence, from the last payload byte before it to the first one after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// The packet before it.
    pub since: Origin,
    /// The packet that broke it.
    pub until: Origin,
}

impl Silence {
    /// How long it lasted; `None` when its packets carry no time.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        self.until.seconds_since(&self.since)
    }

    /// Keeps the longer one of what is known and the silence between two packets.
    pub(super) fn note(longest: &mut Option<Self>, since: Origin, until: Origin) {
        let new = Self { since, until };
        if longest.is_none_or(|known| new.seconds() > known.seconds()) {
            *longest = Some(new);
        }
    }
}
