//! What the capture lacks of one connection and could change its diagnosis: where, and on which side.

use super::ConnectionReport;
use crate::connection::Connection;
use crate::diagnosis::{Limit, RuleId};
use crate::evidence::{PacketRefs, WhyUnknown};
use crate::units::{Origin, Side};

/// A limit of the capture that could change a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureLimit {
    /// What kind of limit.
    pub why: WhyUnknown,
    /// Whose packets it concerns; `None` when it is not about one side.
    pub side: Option<Side>,
    /// Packets at which it shows.
    pub packets: PacketRefs,
    /// The most general rules that could win without it.
    pub could_change: Vec<RuleId>,
}

/// The limits of the capture that could change this diagnosis, one for each side concerned.
#[must_use]
pub fn capture_limits(report: &ConnectionReport) -> Vec<CaptureLimit> {
    let mut limits: Vec<CaptureLimit> = Vec::new();
    for limit in report.diagnosis.limits.iter().flat_map(|limit| of_each_side(&report.connection, limit)) {
        match limits.iter_mut().find(|known| (known.why, known.side) == (limit.why, limit.side)) {
            Some(known) => {
                let new = limit.could_change.into_iter().filter(|rule| !known.could_change.contains(rule));
                let new: Vec<RuleId> = new.collect();
                known.could_change.extend(new);
            }
            None => limits.push(limit),
        }
    }
    limits
}

fn of_each_side(connection: &Connection, limit: &Limit) -> Vec<CaptureLimit> {
    let one = |why, side, packets: PacketRefs| {
        let could_change = limit.could_change.clone();
        CaptureLimit { why, side, packets, could_change }
    };
    let of_side = |side: Side| {
        let seen = &connection.visibility[side];
        match limit.why {
            // Where nothing was captured, a hole is no kind of its own.
            WhyUnknown::Gap | WhyUnknown::OneSided if seen.one_sided => {
                Some(one(WhyUnknown::OneSided, Some(side), PacketRefs::default()))
            }
            WhyUnknown::Gap if seen.gap.is_some() || seen.frames_lost.is_some() => {
                Some(one(WhyUnknown::Gap, Some(side), refs(seen.gap.into_iter().chain(seen.frames_lost))))
            }
            WhyUnknown::CutByCapture if seen.cut => Some(one(limit.why, Some(side), PacketRefs::default())),
            _ => None,
        }
    };
    let of_sides: Vec<_> = Side::BOTH.into_iter().filter_map(of_side).collect();
    if of_sides.is_empty() { vec![one(limit.why, None, refs(packets_of(connection, limit.why)))] } else { of_sides }
}

/// Where a limit shows that is not one of a side.
fn packets_of(connection: &Connection, why: WhyUnknown) -> Vec<Origin> {
    match why {
        WhyUnknown::JoinedLate | WhyUnknown::NotCaptured => vec![connection.first],
        WhyUnknown::CaptureEnded => vec![connection.last],
        WhyUnknown::ClockStep => connection.clock_steps.clone(),
        _ => Vec::new(),
    }
}

fn refs(origins: impl IntoIterator<Item = Origin>) -> PacketRefs {
    origins.into_iter().map(|origin| origin.packet).collect()
}
