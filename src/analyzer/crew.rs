//! Threads that do the work of the lanes, and then conclude what connections amount to.
//!
//! Whoever reads fills blocks of packets and hands each of them to all threads; each lets the lanes that it has play their
//! part of it and gives back what they tell. When all have, the reader puts that in order and takes it in, as if it had come
//! from one thread. So the number of threads and the borders of blocks make no difference to anything but time.
//!
//! No channel has a bound, so that nobody waits to hand something over. What is under way is bounded because the reader,
//! which alone begins anything, waits for what it has begun.

use super::block::Block;
use super::concluder::Concluder;
use super::lane::{Ending, InOrder, Lane, Told};
use super::{Pending, conclude};
use crate::catalog::knowledge::Knowledge;
use crate::diagnosis::Paths;
use crate::fleet::ConnectionReport;
use crate::packet::Segment;
use crate::units::Origin;
use std::collections::VecDeque;
use std::iter;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// Blocks under way for each thread, and besides.
const BLOCKS: usize = 2;

/// Connections that are concluded in one go.
const CHUNK: usize = 32;

/// Chunks under way for each thread.
const CHUNKS: usize = 4;

/// Reports that may wait to be taken, and connections that may wait to become some while the reader goes on.
const WAITING: usize = 256;

/// The threads, and what they have under way.
pub(super) struct Crew {
    threads: Vec<Worker>,
    /// How many lanes they have together.
    lanes: usize,
    done: Receiver<Done>,
    /// Being filled.
    block: Block,
    /// Rounds of work that not all have told of, in order.
    rounds: VecDeque<Round>,
    /// The number of the first of them.
    first_round: u64,
    /// Blocks to be filled again.
    spare: Vec<Block>,
    /// Chunks of connections that are being concluded, in order; `None` while one is.
    chunks: VecDeque<Option<Vec<ConnectionReport>>>,
    /// The number of the first of them.
    first_chunk: u64,
    reports: VecDeque<ConnectionReport>,
}

struct Worker {
    tasks: Sender<Task>,
    thread: JoinHandle<()>,
}

/// Something that all lanes do.
struct Round {
    block: Option<Arc<Block>>,
    /// Threads that have not told yet.
    missing: usize,
    /// By thread, each in order.
    told: Vec<Vec<Told>>,
}

enum Task {
    /// Look after these lanes, which are numbered.
    Lanes(Vec<(usize, Lane)>),
    /// Let them play their part of a block.
    Block(u64, Arc<Block>),
    /// End flows that end with the capture; the last packet.
    Finish(u64, Option<Origin>, Ending),
    /// Give the lanes back.
    Return,
    /// Conclude what these connections amount to.
    Conclude(u64, Vec<Pending>),
}

enum Done {
    Told(u64, Vec<Told>),
    Lanes(Vec<(usize, Lane)>),
    Reports(u64, Vec<ConnectionReport>),
    /// A thread panicked.
    Died,
}

impl Crew {
    /// Starts threads and gives them the lanes; `None`, and the lanes stay, when there are no threads to be had.
    pub(super) fn call(jobs: usize, knowledge: &Arc<Knowledge>, lanes: &mut Vec<Lane>) -> Option<Self> {
        let (done_here, done) = channel();
        let start = |_| {
            let (tasks, tasks_there) = channel();
            let (done, knowledge) = (Alarm(done_here.clone()), Arc::clone(knowledge));
            let thread = thread::Builder::new().name("wsdissect worker".to_owned());
            let thread = thread.spawn(move || work(&tasks_there, &done, &knowledge)).ok()?;
            Some(Worker { tasks, thread })
        };
        // Those that get no lane conclude.
        let threads: Vec<Worker> = (0..jobs.min(2 * lanes.len())).map_while(start).collect();
        if threads.is_empty() {
            return None;
        }
        let count = lanes.len();
        let mut shares: Vec<Vec<(usize, Lane)>> = threads.iter().map(|_| Vec::new()).collect();
        for (number, lane) in lanes.drain(..).enumerate() {
            shares[number % threads.len()].push((number, lane));
        }
        for (thread, share) in threads.iter().zip(shares) {
            thread.give(Task::Lanes(share));
        }
        Some(Self {
            threads,
            lanes: count,
            done,
            block: Block::new(count),
            rounds: VecDeque::new(),
            first_round: 0,
            spare: Vec::new(),
            chunks: VecDeque::new(),
            first_chunk: 0,
            reports: VecDeque::new(),
        })
    }

    /// Takes in the next segment.
    pub(super) fn segment(&mut self, segment: &Segment<'_>, concluder: &mut Concluder) {
        self.block.segment(segment);
        if self.block.is_full() {
            self.hand_out(concluder);
        }
    }

    /// The block that is being filled.
    pub(super) fn block(&mut self) -> &mut Block {
        &mut self.block
    }

    /// Waits until all lanes have done what they were given.
    pub(super) fn settle(&mut self, concluder: &mut Concluder) {
        if !self.block.is_empty() {
            self.hand_out(concluder);
        }
        self.wait(0, concluder);
    }

    /// Ends what is open, and takes the lanes back. The threads stay, to conclude.
    pub(super) fn finish(&mut self, last: Option<Origin>, concluder: &mut Concluder) -> Vec<Lane> {
        for ending in Ending::all(last) {
            self.begin(None, |number| Task::Finish(number, last, ending));
            self.wait(self.most_rounds(), concluder);
        }
        self.wait(0, concluder);
        self.take_lanes(concluder)
    }

    /// Takes the lanes back.
    pub(super) fn take_lanes(&mut self, concluder: &mut Concluder) -> Vec<Lane> {
        self.threads.iter().for_each(|thread| thread.give(Task::Return));
        let mut lanes: Vec<(usize, Lane)> = Vec::with_capacity(self.lanes);
        while lanes.len() < self.lanes {
            match self.receive() {
                Done::Lanes(some) => lanes.extend(some),
                done => self.note(done, concluder),
            }
        }
        lanes.sort_unstable_by_key(|(number, _)| *number);
        lanes.into_iter().map(|(_, lane)| lane).collect()
    }

    /// The next report. `wait`: there is nothing else to do than to wait for it.
    pub(super) fn next_report(&mut self, concluder: &mut Concluder, wait: bool) -> Option<ConnectionReport> {
        self.conclude(concluder);
        while wait && self.reports.is_empty() && !self.chunks.is_empty() {
            let done = self.receive();
            self.note(done, concluder);
            self.conclude(concluder);
        }
        self.reports.pop_front()
    }

    /// Ends the threads; gives the reports of the connections that they were given.
    pub(super) fn dismiss(mut self, concluder: &mut Concluder) -> VecDeque<ConnectionReport> {
        while !self.chunks.is_empty() {
            let done = self.receive();
            self.note(done, concluder);
        }
        self.join();
        self.reports
    }

    /// Hands out the block that is being filled.
    pub(super) fn hand_out(&mut self, concluder: &mut Concluder) {
        let next = self.spare.pop().unwrap_or_else(|| Block::new(self.lanes));
        let block = Arc::new(std::mem::replace(&mut self.block, next));
        self.begin(Some(&block), |number| Task::Block(number, Arc::clone(&block)));
        drop(block);
        while let Ok(done) = self.done.try_recv() {
            self.note(done, concluder);
        }
        self.wait(self.most_rounds(), concluder);
        self.conclude(concluder);
        while concluder.ready_count() > WAITING && self.reports.len() < WAITING {
            let done = self.receive();
            self.note(done, concluder);
            self.conclude(concluder);
        }
    }

    fn most_rounds(&self) -> usize {
        BLOCKS * (self.threads.len() + 1)
    }

    /// Begins a round of work.
    fn begin(&mut self, block: Option<&Arc<Block>>, task: impl Fn(u64) -> Task) {
        let number = self.first_round + self.rounds.len() as u64;
        self.rounds.push_back(Round { block: block.cloned(), missing: self.threads.len(), told: Vec::new() });
        self.threads.iter().for_each(|thread| thread.give(task(number)));
    }

    /// Lets connections be concluded, as many as may be under way.
    fn conclude(&mut self, concluder: &mut Concluder) {
        while self.chunks.len() < CHUNKS * self.threads.len() && self.reports.len() < WAITING {
            let chunk: Vec<Pending> = iter::from_fn(|| concluder.next_ready()).take(CHUNK).collect();
            if chunk.is_empty() {
                return;
            }
            let number = self.first_chunk + self.chunks.len() as u64;
            self.chunks.push_back(None);
            self.threads[number as usize % self.threads.len()].give(Task::Conclude(number, chunk));
        }
    }

    /// Waits until no more than `most` rounds are under way.
    fn wait(&mut self, most: usize, concluder: &mut Concluder) {
        while self.rounds.len() > most {
            let done = self.receive();
            self.note(done, concluder);
        }
    }

    fn receive(&mut self) -> Done {
        match self.done.recv() {
            Ok(Done::Died) | Err(_) => {
                self.join();
                unreachable!("one of them has died, and its panic went on here")
            }
            Ok(done) => done,
        }
    }

    /// Takes note of what a thread has done, and takes in what is next in order.
    fn note(&mut self, done: Done, concluder: &mut Concluder) {
        match done {
            Done::Told(number, told) => {
                if let Some(round) = self.rounds.get_mut((number - self.first_round) as usize) {
                    round.missing -= 1;
                    round.told.push(told);
                }
                while self.rounds.front().is_some_and(|round| round.missing == 0) {
                    let Some(round) = self.rounds.pop_front() else { break };
                    self.first_round += 1;
                    self.spare.extend(round.take_in(concluder));
                }
            }
            Done::Reports(number, reports) => {
                if let Some(chunk) = self.chunks.get_mut((number - self.first_chunk) as usize) {
                    *chunk = Some(reports);
                }
                while self.chunks.front().is_some_and(Option::is_some) {
                    let Some(Some(reports)) = self.chunks.pop_front() else { break };
                    self.first_chunk += 1;
                    self.reports.extend(reports);
                }
            }
            Done::Lanes(_) | Done::Died => {}
        }
    }

    /// Ends the threads. If one of them panicked, so does this one.
    fn join(&mut self) {
        for Worker { tasks, thread } in self.threads.drain(..) {
            drop(tasks);
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
    }
}

impl Worker {
    fn give(&self, task: Task) {
        // One that has died has said so.
        self.tasks.send(task).ok();
    }
}

impl Round {
    /// Takes in what was told, and what concerns all connections in between; gives the block back.
    fn take_in(self, concluder: &mut Concluder) -> Option<Block> {
        let Self { block, mut told, .. } = self;
        let mut told = InOrder::of(told.iter_mut().map(|told| told.drain(..)));
        for (before, global) in block.iter().flat_map(|block| block.global()) {
            while told.next_at().is_some_and(|at| at < *before)
                && let Some(told) = told.next()
            {
                concluder.take(told);
            }
            concluder.global(*global);
        }
        told.for_each(|told| concluder.take(told));
        // The threads let go of it before they tell.
        let mut block = Arc::into_inner(block?)?;
        block.clear();
        Some(block)
    }
}

/// What a thread says what it has done with, which also tells when it panics.
struct Alarm(Sender<Done>);

impl Alarm {
    fn say(&self, done: Done) {
        // Nobody listens any more when the analysis was given up.
        self.0.send(done).ok();
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.say(Done::Died);
        }
    }
}

/// What a thread does until nobody has tasks for it.
fn work(tasks: &Receiver<Task>, done: &Alarm, knowledge: &Knowledge) {
    let mut lanes: Vec<(usize, Lane)> = Vec::new();
    let mut paths = Paths::default();
    for task in tasks {
        match task {
            Task::Lanes(mine) => lanes = mine,
            Task::Block(number, block) => {
                lanes.iter_mut().for_each(|(at, lane)| block.play(*at, lane));
                drop(block);
                let told = InOrder::of(lanes.iter_mut().map(|(_, lane)| lane.told()));
                done.say(Done::Told(number, told.collect()));
            }
            Task::Finish(number, last, ending) => {
                let told = InOrder::of(lanes.iter_mut().map(|(_, lane)| lane.finish(last, ending)));
                done.say(Done::Told(number, told.collect()));
            }
            Task::Return => done.say(Done::Lanes(std::mem::take(&mut lanes))),
            Task::Conclude(number, chunk) => {
                let reports = chunk.into_iter().map(|pending| conclude(pending, knowledge, &mut paths)).collect();
                done.say(Done::Reports(number, reports));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lane::lanes;
    use super::super::{Patience, Payload};
    use super::*;
    use crate::limits::Limits;

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn the_panic_of_a_thread_goes_on_where_others_wait_for_it() {
        let (limits, knowledge) = (Limits::default(), Knowledge::builtin());
        let mut lanes = lanes(&limits, &knowledge.tables.applications, Payload::Hidden);
        let mut crew = Crew::call(2, knowledge, &mut lanes).expect("threads");
        let mut concluder = Concluder::new(&limits, Patience::Whole);
        // A block that lacks what the lanes look for in it.
        crew.block = Block::new(0);
        crew.hand_out(&mut concluder);
        crew.settle(&mut concluder);
    }
}
