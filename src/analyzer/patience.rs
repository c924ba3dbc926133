//! Which ended connections wait for the rest of the capture, because only others that end later show what ended them.
//!
//! Of connections that one limit ends one after the other, the first looks like any that was dropped. So the first few
//! endings of each server that others could still explain wait; those that follow find the earlier ones noted.

use crate::connection::{Connection, EndSignalKind};
use crate::crowd::Moment;
use crate::units::{Endpoint, Side};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};

/// How long to wait for what other connections tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
    /// Where others may still explain an ending, until the capture is over: for files.
    #[default]
    Whole,
    /// Two seconds of the capture: for those who watch traffic as it comes.
    Moment,
}

/// The connections that wait.
#[derive(Debug, Default)]
pub(super) struct Patient {
    /// With what the others said of the moment of the end.
    waiting: VecDeque<(Box<Connection>, Option<Moment>)>,
    of_server: HashMap<Endpoint, usize, RandomState>,
}

impl Patient {
    /// Connections that wait in all.
    const MAX: usize = 1000;
    /// Connections of one server that wait: more than it takes to see a limit.
    const OF_SERVER: usize = 8;

    /// Whether others may explain this connection, and it can be kept until they do.
    pub(super) fn has_room_for(&self, connection: &Connection) -> bool {
        let of_server = self.of_server.get(&connection.endpoints.server).copied().unwrap_or_default();
        is_open_question(connection) && self.waiting.len() < Self::MAX && of_server < Self::OF_SERVER
    }

    /// Keeps a connection, with what the others said of the moment of its end.
    pub(super) fn keep(&mut self, connection: Box<Connection>, moment: Option<Moment>) {
        *self.of_server.entry(connection.endpoints.server).or_default() += 1;
        self.waiting.push_back((connection, moment));
    }

    /// The next that waits, in the order in which they ended, once the capture is over.
    pub(super) fn next(&mut self) -> Option<(Box<Connection>, Option<Moment>)> {
        self.waiting.pop_front()
    }
}

/// Whether the end says little of itself: no Close frame, or one by the server that would suit a timer.
fn is_open_question(connection: &Connection) -> bool {
    let Some(end) = connection.first_end().filter(|end| connection.was_upgraded() && end.at.time.is_some()) else {
        return false;
    };
    end.kind != EndSignalKind::CloseFrame || end.by == Side::Server
}
