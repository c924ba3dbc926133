//! From what the lanes tell to connections of which all is known that the capture says.
//!
//! What the lanes tell is taken in in one order, that of [`Moment`](super::lane::Moment)s. Nothing flows back to them.

use super::Pending;
use super::attempts::Attempts;
use super::block::Global;
use super::clocks::Steps;
use super::lane::{News, Told};
use super::numbers::Numbers;
use super::patience::{Patience, Patient};
use crate::connection::{Connection, Path, Recorder};
use crate::crowd::{Crowd, Moment};
use crate::fleet::Summary;
use crate::limits::Limits;
use crate::stack::{Finished, Traffic};
use crate::units::{PacketNumber, Timestamp};
use std::collections::VecDeque;

/// The connections that have ended.
pub(super) struct Concluder {
    crowd: Crowd,
    numbers: Numbers,
    steps: Steps,
    /// Ended, and waiting for others that end just after.
    waiting: VecDeque<Box<Connection>>,
    patience: Patience,
    patient: Patient,
    attempts: Attempts,
    /// Of which something depends on how reliable the points of capture are, which is told at the end.
    held: VecDeque<Box<Connection>>,
    ready: VecDeque<Pending>,
    /// The capture is over, and this was its latest time.
    is_over: Option<Option<Timestamp>>,
    /// What is counted of connections and other flows.
    pub(super) counts: Summary,
}

impl Concluder {
    /// Connections that wait for the end because several points recorded them and did not see the same.
    const HELD: usize = 10_000;

    /// Connections that wait for others that end just after; with more, the oldest waits no longer.
    const WAITING: usize = 10_000;

    pub(super) fn new(limits: &Limits, patience: Patience) -> Self {
        Self {
            crowd: Crowd::new(limits),
            numbers: Numbers::default(),
            steps: Steps::default(),
            waiting: VecDeque::new(),
            patience,
            patient: Patient::default(),
            attempts: Attempts::default(),
            held: VecDeque::new(),
            ready: VecDeque::new(),
            is_over: None,
            counts: Summary::default(),
        }
    }

    /// Takes in what a lane tells.
    pub(super) fn take(&mut self, told: Told) {
        match told.news {
            News::Began => self.numbers.begin(told.flow),
            News::Notice(notice) => self.crowd.take(self.numbers.of(told.flow), notice),
            News::Finished(finished) => self.finished(told.flow, finished),
        }
    }

    /// Takes in what concerns all connections.
    pub(super) fn global(&mut self, global: Global) {
        match global {
            Global::Step(at) => {
                self.steps.add(at);
                self.crowd.clock_was_set_back();
            }
            Global::Tick(now) => self.release(now),
        }
    }

    /// The capture is over: whoever is open now was open to its end. What the lanes tell of that comes next.
    pub(super) fn capture_is_over(&mut self) {
        self.crowd.capture_is_over();
    }

    /// Nothing more comes: all that waits is ready. `recorder`: what is known of the recording at an interface.
    pub(super) fn finish(&mut self, now: Option<Timestamp>, recorder: impl Fn(u32) -> Recorder) {
        let nothing_else = self.counts.other + self.counts.http + self.counts.tls == 0;
        let (wanted, rest) = std::mem::take(&mut self.attempts).tied_to_websocket(nothing_else);
        self.counts.attempts += rest;
        for connection in wanted.into_iter().chain(std::mem::take(&mut self.held)) {
            self.report(connection, &recorder);
        }
        self.is_over = Some(now);
    }

    /// The next connection that is ready.
    pub(super) fn next_ready(&mut self) -> Option<Pending> {
        if let (Some(now), true) = (self.is_over, self.ready.is_empty()) {
            // Nothing changes any more, so that those that waited are asked about when it is their turn.
            let waited = || self.waiting.pop_front().map(|connection| (connection, None));
            let (next, moment) = self.patient.next().or_else(waited)?;
            self.hand_out(next, now, moment);
        }
        self.ready.pop_front()
    }

    /// Connections that are ready before the capture is over.
    pub(super) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// The latest time so far is `now`: lets those go on that have waited long enough for others that end just after, in the
    /// order in which they came.
    ///
    /// What the others say is asked here and not when the report is, so that it depends on the packets alone.
    fn release(&mut self, now: Option<Timestamp>) {
        while let Some(first) = self.waiting.front() {
            let ended = first.first_end().and_then(|end| end.at.time);
            let waited = ended.zip(now).is_none_or(|(end, now)| now.seconds_since(end) >= Crowd::WAIT_SECONDS);
            if !waited && self.waiting.len() <= Self::WAITING {
                break;
            }
            let Some(connection) = self.waiting.pop_front() else { break };
            let waits_on = self.patience == Patience::Whole && self.patient.has_room_for(&connection);
            if waits_on {
                self.wait_on(connection, now);
            } else {
                self.hand_out(connection, now, None);
            }
        }
    }

    fn finished(&mut self, flow: PacketNumber, finished: Finished) {
        let number = self.numbers.end(flow);
        match finished {
            Finished::Connection(mut connection) => {
                self.settle(number, &mut connection);
                self.attempts.websocket_at(connection.endpoints.server);
                let asks = connection.path.as_ref().is_some_and(Path::asks_for_recorders);
                if asks && self.held.len() < Self::HELD {
                    return self.held.push_back(connection);
                }
                if asks && let Some(path) = &mut connection.path {
                    // What cannot wait concludes nothing.
                    path.facts.incomplete = true;
                }
                self.report(connection, |_| Recorder::default());
            }
            Finished::Attempt(mut connection) => {
                self.settle(number, &mut connection);
                if let (None, Some(refused)) = (connection.syn_ack, connection.tcp.server.rst) {
                    self.crowd.refused(connection.endpoints.server, refused);
                }
                self.counts.attempts += self.attempts.add(connection);
            }
            Finished::Other(traffic) => {
                self.crowd.settle(number, None);
                match traffic {
                    Traffic::Http => self.counts.http += 1,
                    Traffic::Tls => self.counts.tls += 1,
                    Traffic::Other | Traffic::Empty => self.counts.other += 1,
                }
            }
        }
    }

    fn settle(&mut self, number: u64, connection: &mut Connection) {
        connection.id.flow = number;
        self.crowd.settle(number, Some(connection));
    }

    fn report(&mut self, mut connection: Box<Connection>, recorder: impl Fn(u32) -> Recorder) {
        let last = connection.open_until.unwrap_or(connection.last);
        let clock_steps = self.steps.between(connection.first.packet, last.packet);
        if !clock_steps.is_empty() {
            connection.clock_steps = clock_steps;
        }
        if let Some(path) = connection.take_path() {
            connection.hops = Some(Box::new(path.interpret(recorder, !connection.clock_steps.is_empty())));
        }
        self.counts.connections += 1;
        self.counts.seen_with.add(&connection);
        self.counts.hops.add(&connection);
        self.waiting.push_back(connection);
    }

    /// Others may explain this one until the capture is over; the moment of its end is known by now.
    fn wait_on(&mut self, mut connection: Box<Connection>, now: Option<Timestamp>) {
        connection.catch_up();
        let moment = self.crowd.moment(&connection, now);
        self.patient.keep(connection, moment);
    }

    fn hand_out(&mut self, mut connection: Box<Connection>, now: Option<Timestamp>, moment: Option<Moment>) {
        connection.catch_up();
        let around = self.crowd.around(&connection, now, moment);
        self.ready.push_back(Pending { connection, around });
    }
}
