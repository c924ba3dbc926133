//! Reports that wait to be put in order.

use crate::fleet::ConnectionReport;
use crate::units::PacketNumber;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Reports that may wait; each takes some 10 KB.
pub(super) const MAX_KEPT: usize = 50_000;

/// Reports that wait for the end of the capture, to be told in order of their first packet.
pub(super) struct Kept {
    reports: BinaryHeap<ByStart>,
    most: usize,
    /// Reports for which there was no room.
    pub(super) left_out: u64,
}

/// The one that began first is the greatest.
struct ByStart(ConnectionReport);

impl ByStart {
    fn key(&self) -> Reverse<(PacketNumber, u64)> {
        Reverse((self.0.connection.first.packet, self.0.connection.id.flow))
    }
}

impl PartialEq for ByStart {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ByStart {}

impl PartialOrd for ByStart {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByStart {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Kept {
    pub(super) fn new(most: usize) -> Self {
        Self { reports: BinaryHeap::new(), most, left_out: 0 }
    }

    /// Keeps a report; gives the one that began first when there is no room for all.
    pub(super) fn add(&mut self, report: ConnectionReport) -> Option<ConnectionReport> {
        self.reports.push(ByStart(report));
        if self.reports.len() > self.most { self.reports.pop().map(|earliest| earliest.0) } else { None }
    }

    pub(super) fn add_if_room(&mut self, report: ConnectionReport) {
        if self.reports.len() < self.most {
            self.reports.push(ByStart(report));
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn in_order(self) -> Vec<ConnectionReport> {
        self.reports.into_sorted_vec().into_iter().rev().map(|report| report.0).collect()
    }
}
