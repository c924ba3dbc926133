//! Requests that have no response yet.

use crate::http::Method;
use std::collections::VecDeque;

/// What a response is awaited to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Ordinary(Method),
    Upgrade,
}

/// Requests in the order in which they are answered. Few clients send one before the last was answered, and one alone takes
/// no memory elsewhere.
#[derive(Debug, Default)]
pub(super) struct Queue {
    first: Option<Awaited>,
    /// None without a first one.
    others: VecDeque<Awaited>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// The one that is answered next.
    pub(super) fn first(&self) -> Option<&Awaited> {
        self.first.as_ref()
    }

    pub(super) fn last(&self) -> Option<&Awaited> {
        self.others.back().or(self.first.as_ref())
    }

    pub(super) fn push(&mut self, awaited: Awaited) {
        match &self.first {
            None => self.first = Some(awaited),
            Some(_) => self.others.push_back(awaited),
        }
    }

    /// The next one has its answer.
    pub(super) fn pop(&mut self) -> Option<Awaited> {
        std::mem::replace(&mut self.first, self.others.pop_front())
    }
}
