//! Facts that few connections have, kept so that the others do not pay for them.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A `T` that takes one word until it is first changed, and reads as [`Blank::blank`] before.
#[derive(Clone)]
pub struct Rare<T>(Option<Box<T>>);

/// What can be [`Rare`].
pub trait Blank: Default + 'static {
    /// What there is when there is nothing.
    fn blank() -> &'static Self;
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Rare<T> {
    /// What there is, if it was ever changed.
    pub fn known(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T: Blank> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::blank())
    }
}

impl<T: Blank> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Blank + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
