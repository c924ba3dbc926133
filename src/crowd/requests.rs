//! Which connection is the same upgrade request one proxy further, by its `Sec-WebSocket-Key`.
//!
//! A proxy passes the key on as it is, and it is 16 random bytes. But test scripts use one key for all, so a request is
//! only taken for another one passed on while that other one still waits for its answer. Two that wait at the same server
//! are two clients with one key, and nothing more is said of either. The front leg's request is always
//! recorded first: the proxy has to read it before it can send its own.

use crate::connection::{AcceptValue, Leg};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};

/// Requests remembered while they wait; beyond that the oldest are forgotten, and their other leg is not found.
const WAITING: usize = 1024;

/// The upgrade requests that wait for their answer.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: HashMap<AcceptValue, Waiting, RandomState>,
    order: VecDeque<AcceptValue>,
}

#[derive(Debug)]
struct Waiting {
    front: Leg,
    behind: Option<Leg>,
    /// Another client has the same key.
    ambiguous: bool,
}

impl Requests {
    /// A request came on `leg`: it waits from now on, unless it is one that waits already, passed on. Gives the leg of
    /// which it was.
    pub(super) fn came(&mut self, key: AcceptValue, leg: Leg) -> Option<Leg> {
        match self.waiting.get_mut(&key) {
            Some(waiting) if waiting.ambiguous => {}
            Some(waiting) if waiting.front.flow != leg.flow && waiting.front.server == leg.server => {
                waiting.ambiguous = true;
                waiting.behind = None;
            }
            Some(waiting) if waiting.front.flow != leg.flow => {
                waiting.behind.get_or_insert(leg);
                return Some(waiting.front);
            }
            Some(waiting) => *waiting = Waiting { front: leg, behind: None, ambiguous: false },
            None => self.insert(key, leg),
        }
        None
    }

    /// The request of `flow` has its answer, or never will. Gives the leg on which it was passed on; nothing when it does
    /// not wait.
    pub(super) fn answered(&mut self, key: &AcceptValue, flow: u64) -> Option<Option<Leg>> {
        let waits = self.waiting.get(key).is_some_and(|waiting| waiting.front.flow == flow);
        if waits { self.waiting.remove(key).map(|waiting| waiting.behind) } else { None }
    }

    fn insert(&mut self, key: AcceptValue, leg: Leg) {
        // Those that were answered are still in the order.
        while self.order.len() >= WAITING {
            let Some(oldest) = self.order.pop_front() else { break };
            self.waiting.remove(&oldest);
        }
        self.order.push_back(key);
        self.waiting.insert(key, Waiting { front: leg, behind: None, ambiguous: false });
    }
}
