//! Records that came before it was known how to read them.

use super::Whole;
use super::half::Owed;
use crate::units::{Origin, PerSide, Side};
use std::collections::VecDeque;

/// Those of one connection, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    items: VecDeque<Waiting>,
    bytes: usize,
    /// Where a side had more than may wait.
    overflow: PerSide<Option<Origin>>,
}

#[derive(Debug)]
pub(super) enum Waiting {
    Record { whole: Whole, body: Box<[u8]> },
    Lost { side: Side, owed: Owed },
}

impl WaitingRoom {
    /// Keeps a record; says whether there was room.
    pub(super) fn record(&mut self, whole: Whole, body: &[u8]) -> bool {
        let cost = body.len() + size_of::<Waiting>();
        self.keep(whole.side, whole.origin, cost, || Waiting::Record { whole, body: body.into() })
    }

    /// Keeps a loss among the records; says whether there was room.
    pub(super) fn lost(&mut self, side: Side, owed: Owed) -> bool {
        self.keep(side, owed.origin, size_of::<Waiting>(), || Waiting::Lost { side, owed })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether records of `side` wait.
    pub(super) fn has_records(&self, side: Side) -> bool {
        self.items.iter().any(|item| matches!(item, Waiting::Record { whole, .. } if whole.side == side))
    }

    /// Bytes kept.
    pub(super) fn kept_bytes(&self) -> usize {
        self.bytes
    }

    fn keep(&mut self, side: Side, origin: Origin, cost: usize, item: impl FnOnce() -> Waiting) -> bool {
        let has_room = self.overflow[side].is_none() && self.bytes + cost <= WAITING_BYTES;
        if has_room {
            self.bytes += cost;
            self.items.push_back(item());
        } else {
            self.overflow[side].get_or_insert(origin);
        }
        has_room
    }
}

impl IntoIterator for WaitingRoom {
    type Item = Waiting;
    type IntoIter = std::collections::vec_deque::IntoIter<Waiting>;

    /// What waited, and behind it what found no room.
    fn into_iter(mut self) -> Self::IntoIter {
        for side in Side::BOTH {
            if let Some(origin) = self.overflow[side] {
                self.items.push_back(Waiting::Lost { side, owed: Owed::beyond_bound(origin) });
            }
        }
        self.items.into_iter()
    }
}

/// Bytes of records that one connection keeps until it is known how to read them. Clients send at most 16 KiB of early data.
pub(super) const WAITING_BYTES: usize = 64 << 10;
