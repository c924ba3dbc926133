//! Silences that a connection outlasted: they refute an idle timer shorter than they were.

use crate::units::{Origin, Side, StreamOffset};

/// A silence that a connection survived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Silence {
    /// How long it was.
    pub seconds: f64,
    /// The last packet with payload before it.
    pub since: Origin,
    /// The packet that broke it, and was acknowledged.
    pub until: Origin,
}

impl Silence {
    /// Shorter ones are not remembered.
    pub const LEAST_SECONDS: f64 = 1.0;
}

/// A silence that was broken; that the connection survived it shows when the packet that broke it is acknowledged. Data
/// sent into a path that forgot the connection is not.
#[derive(Debug, Clone, Copy)]
pub struct Broken {
    silence: Silence,
    by: Side,
    end: StreamOffset,
}

impl Broken {
    /// How long it was.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.silence.seconds
    }

    /// The silence between two packets with payload, if it was one; the second is of `by` and reaches up to `end`.
    #[must_use]
    #[inline]
    pub fn between(since: Option<Origin>, until: Origin, by: Side, end: StreamOffset) -> Option<Self> {
        let since = since?;
        let seconds = until.seconds_since(&since).filter(|seconds| *seconds >= Silence::LEAST_SECONDS)?;
        Some(Self { silence: Silence { seconds, since, until }, by, end })
    }

    /// The silence, when `side`'s bytes before `upto` are acknowledged and the one that broke it is among them.
    #[must_use]
    pub fn survived(&self, side: Side, upto: StreamOffset) -> Option<Silence> {
        (side == self.by && upto >= self.end).then_some(self.silence)
    }
}
