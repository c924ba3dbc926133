//! What a RST says about who sent it.
//!
//! Anybody on the path can send a RST in the name of an end. Such a RST gives itself away: it has come another way than
//! the rest (time to live, hop limit), it stands where that end never was, or that end, which knows nothing of it, goes on
//! talking.

use crate::stream::End;
use crate::units::{Origin, PacketNumber, StreamOffset};

/// The hop limits of one end's segments that carry a SYN, data or a FIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HopLimits {
    /// The lowest IPv4 time to live or IPv6 hop limit.
    pub lowest: u8,
    /// The highest.
    pub highest: u8,
    /// The first packet that showed one.
    pub seen_at: PacketNumber,
}

impl HopLimits {
    /// By how many hops the way of a packet with `hop_limit` differs from the way of these; 0 when it may be the same.
    ///
    /// Hosts start at 64, 128 or 255, and one host may start some of its packets at another of these than the rest, so
    /// that not the numbers are compared but the ways behind them.
    #[must_use]
    pub fn hops_off(&self, hop_limit: u8) -> u8 {
        if (self.lowest..=self.highest).contains(&hop_limit) {
            return 0;
        }
        let way = hops(hop_limit);
        hops(self.lowest).abs_diff(way).min(hops(self.highest).abs_diff(way))
    }
}

/// Hops from the start to here, for the usual starting values.
fn hops(hop_limit: u8) -> u8 {
    match hop_limit {
        0..=64 => 64 - hop_limit,
        65..=128 => 128 - hop_limit,
        129..=255 => 255 - hop_limit,
    }
}

/// The first RST in the name of one end, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Where it claims to stand in that end's stream; `None` if that end's stream is not known.
    pub offset: Option<StreamOffset>,
    /// Length of that end's stream when it came.
    pub stream: StreamOffset,
    /// Its IPv4 time to live or IPv6 hop limit.
    pub hop_limit: u8,
    /// Different places beyond [`stream`](Self::stream) at which this RST and those after it stand. One end has one.
    pub places_beyond: u32,
    /// The last packet with which that end went on after it: new data beyond it, or an acknowledgement of something new.
    pub went_on: Option<Origin>,
    /// That end sent data beyond it.
    pub(super) data_after: bool,
    /// Where the last of the RSTs stands.
    pub(super) last_offset: Option<StreamOffset>,
}

impl Reset {
    pub(super) fn new(offset: Option<StreamOffset>, stream: u64, hop_limit: u8) -> Self {
        let stream = StreamOffset(stream);
        let places_beyond = u32::from(offset.is_some_and(|offset| offset > stream));
        Self { offset, stream, hop_limit, places_beyond, went_on: None, data_after: false, last_offset: offset }
    }

    /// Another RST in the name of the same end.
    pub(super) fn again(&mut self, offset: Option<StreamOffset>) {
        if offset > Some(self.stream) && offset != self.last_offset {
            self.places_beyond = self.places_beyond.saturating_add(1);
        }
        self.last_offset = offset;
    }

    /// The end of what its sender can have sent before it.
    pub(super) fn limit(&self) -> u64 {
        self.offset.map_or(self.stream.0, |offset| offset.0.max(self.stream.0))
    }
}

/// A RST that the connection outlived: its receiver acknowledged data that its supposed sender sent after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutlivedReset {
    /// In whose name it was sent.
    pub from: End,
    /// The RST.
    pub rst: Origin,
    /// The acknowledgement.
    pub shown_at: Origin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_compared_and_not_numbers() {
        let usual = HopLimits { lowest: 57, highest: 57, seen_at: PacketNumber::FIRST };
        // The same way from another start; one hop more; a neighbour.
        assert_eq!([121, 248, 56, 64, 255].map(|limit| usual.hops_off(limit)), [0, 0, 1, 7, 7]);
        let usual = HopLimits { lowest: 54, ..usual };
        assert_eq!([54, 55, 57, 53, 60].map(|limit| usual.hops_off(limit)), [0, 0, 0, 1, 3]);
    }
}
