//! What the capture shows of one side's bytes, and therefore what may be concluded from not seeing something.

use super::rare::{Blank, Rare};
use crate::stream::{Gap, GapReason};
use crate::units::{Origin, PacketNumber, StreamOffset};
use crate::websocket::Resynchronised;
use std::ops::{Deref, DerefMut};

/// The limits of sight on one side, which takes memory only where there are some.
#[derive(Debug, Clone, Default)]
pub struct Visibility {
    /// The last packet with bytes of it.
    last_bytes: Option<PacketNumber>,
    sight: Rare<Sight>,
}

/// What limits the sight; everything false means all bytes of the side were there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// Its first bytes were sent before the capture began.
    pub joined_late: bool,
    /// Bytes are missing, first noticed here.
    pub gap: Option<Origin>,
    /// Packets were recorded short.
    pub cut: bool,
    /// Not one of its packets is in the capture, though it must have sent some.
    pub one_sided: bool,
    /// Its bytes went by encrypted and could not be read.
    pub encrypted: bool,
    /// From here on the frame boundaries are unknown, so that nothing may be claimed about frames.
    pub frames_lost: Option<Origin>,
    /// Here they were last found again: what came later was seen, though nothing can be said about what came between.
    pub frames_found: Option<Origin>,
    /// Where exactly bytes are missing, and frames were not understood: at most [`Visibility::PLACES`] places of each kind;
    /// the oldest are merged.
    holes: Vec<Hole>,
    blind: Vec<Blind>,
}

impl Blank for Sight {
    fn blank() -> &'static Self {
        const BLANK: &Sight = &Sight {
            joined_late: false,
            gap: None,
            cut: false,
            one_sided: false,
            encrypted: false,
            frames_lost: None,
            frames_found: None,
            holes: Vec::new(),
            blind: Vec::new(),
        };
        BLANK
    }
}

impl Deref for Visibility {
    type Target = Sight;

    fn deref(&self) -> &Sight {
        &self.sight
    }
}

impl DerefMut for Visibility {
    fn deref_mut(&mut self) -> &mut Sight {
        &mut self.sight
    }
}

/// Bytes of one side that the capture lacks, between two packets of that side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Where they start in the side's stream.
    pub offset: StreamOffset,
    /// How many are missing; `None` when the capture does not tell.
    pub len: Option<u64>,
    /// Why.
    pub reason: GapReason,
    /// The packet with the last byte before them; `None` when they are the first.
    pub after: Option<PacketNumber>,
    /// The packet at which the loss was certain.
    pub noticed: Origin,
    /// The packet with the first byte behind them; `None` while there is none.
    pub before: Option<Origin>,
    /// How many holes these are: more than one when there were too many to keep apart.
    pub count: u64,
}

/// A part of one side's stream in which frames were not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blind {
    /// The packet with the last byte before it; `None` when it begins with the stream.
    pub after: Option<PacketNumber>,
    /// The packet at which it was certain.
    pub noticed: Origin,
    /// Where the first frame starts that was understood again: its packet, and the packet at which that was certain.
    pub found: Option<(Origin, PacketNumber)>,
}

impl Visibility {
    /// Holes, and blind parts, that are kept apart.
    pub const PLACES: usize = 8;

    /// The worst limit as one word of the JSON output.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.encrypted {
            "encrypted"
        } else if self.one_sided {
            "one_sided"
        } else if self.joined_late {
            "joined_late"
        } else if self.gap.is_some() {
            "gap"
        } else if self.cut {
            "cut"
        } else {
            "full"
        }
    }

    /// The holes that the capture left or our bounds made, in stream order. Bytes cut by the snapshot length are none:
    /// their packets are there.
    #[must_use]
    pub fn holes(&self) -> &[Hole] {
        &self.holes
    }

    /// The parts in which frames were not understood, in stream order.
    #[must_use]
    pub fn blind(&self) -> &[Blind] {
        &self.blind
    }

    /// Notes missing bytes.
    pub fn note_gap(&mut self, gap: &Gap) {
        if gap.reason == GapReason::CutByCapture {
            self.cut = true;
            return;
        }
        self.gap.get_or_insert(gap.origin);
        let (offset, len, reason, after) = (gap.offset, gap.len, gap.reason, self.last_bytes);
        let holes = &mut self.holes;
        holes.push(Hole { offset, len, reason, after, noticed: gap.origin, before: None, count: 1 });
        if holes.len() > Self::PLACES {
            let second = holes.remove(1);
            holes[0].merge(second);
        }
    }

    /// Notes a packet with bytes: the first behind a hole is its other edge.
    pub fn note_bytes(&mut self, at: Origin) {
        self.last_bytes = Some(at.packet);
        if !self.holes.is_empty()
            && let Some(hole) = self.holes.last_mut()
        {
            hole.before.get_or_insert(at);
        }
    }

    /// Notes that from here on frame boundaries are unknown.
    pub fn note_lost_frames(&mut self, at: Origin) {
        self.lose_frames(at, self.last_bytes);
    }

    /// The same from the start of the stream on.
    pub fn note_lost_start(&mut self, at: Origin) {
        self.lose_frames(at, None);
    }

    fn lose_frames(&mut self, at: Origin, after: Option<PacketNumber>) {
        self.frames_lost.get_or_insert(at);
        let blind = &mut self.blind;
        if blind.last().is_none_or(|last| last.found.is_some()) {
            blind.push(Blind { after, noticed: at, found: None });
            if blind.len() > Self::PLACES {
                let second = blind.remove(1);
                blind[0].found = second.found;
            }
        }
    }

    /// Frames were found where nobody knew where they start; `told` is the packet at which that was certain.
    pub(super) fn resynchronised(&mut self, found: &Resynchronised, told: PacketNumber) {
        self.frames_found = Some(found.origin);
        if found.found != found.lost_from {
            self.lose_frames(found.lost_at, None);
            if let Some(last) = self.blind.last_mut() {
                last.found = Some((found.origin, told));
            }
        } else if self.frames_lost == Some(found.lost_at) {
            // It was feared and did not come true.
            self.frames_lost = None;
            self.blind.pop();
        }
    }

    /// Whether every frame of this side was seen, so that "it never sent one" may be said.
    #[must_use]
    pub fn frames_complete(&self) -> bool {
        self.frames_lost.is_none() && !self.encrypted && !self.one_sided
    }
}

impl Hole {
    /// The packets on both edges, as far as they are there, and else where it was noticed.
    #[must_use]
    pub fn packets(&self) -> [Option<PacketNumber>; 2] {
        [self.after, Some(self.before.unwrap_or(self.noticed).packet)]
    }

    /// Whether missing bytes may have been sent at this packet or later.
    #[must_use]
    pub fn reaches(&self, packet: PacketNumber) -> bool {
        self.before.is_none_or(|before| before.packet >= packet) || self.noticed.packet >= packet
    }

    fn merge(&mut self, next: Self) {
        self.len = self.len.zip(next.len).map(|(len, more)| len.saturating_add(more));
        if self.reason != next.reason {
            self.reason = GapReason::NotCaptured;
        }
        (self.noticed, self.before) = (next.noticed, next.before);
        self.count = self.count.saturating_add(next.count);
    }
}

impl Blind {
    /// Whether frames that were not understood may have been sent before this packet.
    #[must_use]
    pub fn begins_before(&self, packet: PacketNumber) -> bool {
        self.after.is_none_or(|after| after < packet)
    }

    /// Whether such frames may have been sent, or the ones behind them been told, at this packet or later.
    #[must_use]
    pub fn reaches(&self, packet: PacketNumber) -> bool {
        self.found.is_none_or(|(first, told)| first.packet >= packet || told >= packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::End;
    use crate::units::Side;

    fn at(packet: u64) -> Origin {
        Origin { packet: PacketNumber::new(packet).expect("counted from 1"), time: None }
    }

    fn gap(offset: u64, noticed: u64, reason: GapReason) -> Gap {
        Gap { from: End::A, offset: StreamOffset(offset), len: Some(10), reason, origin: at(noticed) }
    }

    #[test]
    fn the_worst_limit_names_the_side() {
        let mut visibility = Visibility::default();
        assert_eq!(visibility.name(), "full");
        visibility.cut = true;
        assert_eq!(visibility.name(), "cut");
        visibility.encrypted = true;
        assert_eq!(visibility.name(), "encrypted");
        assert!(!visibility.frames_complete());
    }

    #[test]
    fn a_hole_lies_between_two_packets() {
        let mut visibility = Visibility::default();
        visibility.note_bytes(at(4));
        visibility.note_gap(&gap(100, 9, GapReason::NotCaptured));
        assert!(visibility.holes()[0].reaches(at(50).packet), "nothing came behind it");
        visibility.note_bytes(at(6));
        visibility.note_bytes(at(10));
        let hole = visibility.holes()[0];
        assert_eq!(hole.packets(), [Some(at(4).packet), Some(at(6).packet)]);
        // What waited behind it was delivered with packet 9.
        assert!(hole.reaches(at(9).packet) && !hole.reaches(at(10).packet));
    }

    #[test]
    fn beyond_the_bound_the_oldest_holes_are_one() {
        let mut visibility = Visibility::default();
        for index in 0..100u64 {
            let reason = if index == 3 { GapReason::Limit } else { GapReason::NotCaptured };
            visibility.note_bytes(at(index * 10 + 1));
            visibility.note_gap(&gap(index * 100, index * 10 + 5, reason));
            visibility.note_bytes(at(index * 10 + 5));
        }
        let holes = visibility.holes();
        assert_eq!(holes.len(), Visibility::PLACES);
        assert_eq!(holes.iter().map(|hole| hole.count).sum::<u64>(), 100);
        assert_eq!(holes.iter().filter_map(|hole| hole.len).sum::<u64>(), 1000);
        assert_eq!(holes[0].packets(), [Some(at(1).packet), Some(at(925).packet)]);
        assert_eq!(holes[7].packets(), [Some(at(991).packet), Some(at(995).packet)]);
        assert!(!holes[0].reaches(at(930).packet));
    }

    #[test]
    fn cut_packets_are_no_holes() {
        let mut visibility = Visibility::default();
        visibility.note_gap(&gap(0, 1, GapReason::CutByCapture));
        assert!(visibility.cut && visibility.holes().is_empty() && visibility.gap.is_none());
    }

    #[test]
    fn a_blind_part_ends_where_frames_are_found() {
        let mut visibility = Visibility::default();
        let found = |lost_from, found| Resynchronised {
            sender: Side::Client,
            lost_from: StreamOffset(lost_from),
            lost_at: at(5),
            found: StreamOffset(found),
            origin: at(8),
            frames: 3,
        };
        visibility.note_bytes(at(3));
        visibility.note_lost_frames(at(5));
        visibility.note_bytes(at(5));
        visibility.note_lost_frames(at(6));
        visibility.resynchronised(&found(10, 50), at(12).packet);
        let [blind] = visibility.blind() else { panic!("{:?}", visibility.blind()) };
        assert!(blind.begins_before(at(4).packet) && !blind.begins_before(at(3).packet));
        assert!(blind.reaches(at(12).packet) && !blind.reaches(at(13).packet));
        assert!(!visibility.frames_complete());

        let mut feared = Visibility::default();
        feared.note_lost_start(at(5));
        feared.resynchronised(&found(50, 50), at(12).packet);
        assert!(feared.frames_complete() && feared.blind().is_empty());
    }
}
