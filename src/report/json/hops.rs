//! What happened between the points that recorded a connection, as JSON.

use crate::connection::{HopDoubt, HopLoss, HopReset, Hops, ResetSource};
use crate::report::InputFile;
use crate::units::Origin;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct HopsObject {
    ordered: bool,
    points: Vec<HopPointObject>,
    lost: Vec<LossObject>,
    doubts: Vec<DoubtObject>,
    resets: Vec<ResetObject>,
}

#[derive(Debug, Serialize)]
struct HopPointObject {
    capture: Option<String>,
    interface: u32,
    interface_name: Option<String>,
    first_packet: u64,
    last_packet: u64,
    segments: u64,
    hop_limit: HopLimitObject,
    delay_s: Option<f64>,
    missed_bytes: u64,
}

/// The lowest hop limit of each side's segments.
#[derive(Debug, Serialize)]
struct HopLimitObject {
    client: Option<u8>,
    server: Option<u8>,
}

#[derive(Debug, Serialize)]
struct LossObject {
    side: &'static str,
    between: [usize; 2],
    bytes: u64,
    sent_again_bytes: u64,
    segments: u64,
    fin: bool,
    first_packet: u64,
    last_missing_packet: Option<u64>,
}

#[derive(Debug, Serialize)]
struct DoubtObject {
    side: &'static str,
    why: &'static str,
    bytes: u64,
    first_packet: u64,
    missing: bool,
}

#[derive(Debug, Serialize)]
struct ResetObject {
    side: &'static str,
    packets: Vec<Option<u64>>,
    source: &'static str,
    between: Option<[usize; 2]>,
    why: Option<&'static str>,
}

impl HopsObject {
    pub(super) fn new(hops: &Hops) -> Self {
        let points = hops.points.iter().map(|point| HopPointObject {
            capture: None,
            interface: point.seen.interface,
            interface_name: None,
            first_packet: point.seen.first.packet.value(),
            last_packet: point.seen.last.packet.value(),
            segments: point.seen.segments,
            hop_limit: HopLimitObject { client: point.hop_limits.client, server: point.hop_limits.server },
            delay_s: point.delay_s,
            missed_bytes: point.missed_bytes,
        });
        Self {
            ordered: hops.ordered,
            points: points.collect(),
            lost: hops.losses.iter().map(LossObject::from).collect(),
            doubts: hops.doubts.iter().map(DoubtObject::from).collect(),
            resets: hops.resets.iter().map(ResetObject::from).collect(),
        }
    }

    /// Names the captures and interfaces of the points.
    pub(super) fn name(&mut self, hops: &Hops, files: &[InputFile]) {
        for (object, point) in self.points.iter_mut().zip(&hops.points) {
            let name = InputFile::recording(files, &point.seen);
            object.capture = name.file.map(str::to_owned);
            object.interface_name = name.interface.map(str::to_owned);
        }
    }
}

impl From<&HopLoss> for LossObject {
    fn from(loss: &HopLoss) -> Self {
        Self {
            side: loss.side.name(),
            between: [loss.between.0, loss.between.1],
            bytes: loss.bytes,
            sent_again_bytes: loss.sent_again,
            segments: loss.segments,
            fin: loss.fin,
            first_packet: loss.first.packet.value(),
            last_missing_packet: loss.last_missing.map(|at| at.packet.value()),
        }
    }
}

impl From<&HopDoubt> for DoubtObject {
    fn from(doubt: &HopDoubt) -> Self {
        let first_packet = doubt.first.packet.value();
        let (side, why, bytes, missing) = (doubt.side.name(), doubt.why.name(), doubt.bytes, doubt.missing);
        Self { side, why, bytes, first_packet, missing }
    }
}

impl From<&HopReset> for ResetObject {
    fn from(reset: &HopReset) -> Self {
        let packet = |at: &Option<Origin>| at.map(|at| at.packet.value());
        let (source, between, why) = match reset.source {
            ResetSource::Beyond => ("beyond", None, None),
            ResetSource::Between(from, to) => ("between", Some([from, to]), None),
            ResetSource::Unknown(why) => ("unknown", None, Some(why.name())),
        };
        Self { side: reset.side.name(), packets: reset.seen.iter().map(packet).collect(), source, between, why }
    }
}
