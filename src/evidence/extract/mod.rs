//! How each fact is read off a connection: one function for a row of the table, named as the fact.

pub(super) mod close;
pub(super) mod end;
pub(super) mod handshake;
pub(super) mod loss;
pub(super) mod path;
pub(super) mod peer;
pub(super) mod tls;
pub(super) mod whole;

use super::{Known, PacketRefs, Value, WhyUnknown};
use crate::connection::{Connection, Content, EndSignal, EndSignalKind, FlowEnd, Outcome};
use crate::stream::GapReason;
use crate::units::{Origin, Side};
use std::cell::Cell;

/// The answer to one fact with the packets that show it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) value: Known<Value>,
    pub(super) packets: PacketRefs,
}

impl Answer {
    fn new(value: Known<Value>) -> Self {
        Self { value, packets: PacketRefs::default() }
    }

    /// The same answer, shown by these packets.
    fn at(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        origins.into_iter().for_each(|origin| self.packets.push(origin.packet));
        self
    }
}

fn absent() -> Answer {
    Answer::new(Known::Absent)
}

fn unknown(why: WhyUnknown) -> Answer {
    Answer::new(Known::Unknown(why))
}

fn boolean(value: bool) -> Answer {
    Answer::new(Known::Seen(Value::Bool(value)))
}

/// A count or number of bytes; saturates at `i64::MAX`, which only a false length can reach.
fn int(value: u64) -> Answer {
    Answer::new(Known::Seen(Value::Int(i64::try_from(value).unwrap_or(i64::MAX))))
}

/// Seconds between two moments, unknown when a packet carries no time.
fn seconds(value: Option<f64>) -> Answer {
    match value {
        Some(seconds) => Answer::new(Known::Seen(Value::Float(seconds))),
        None => unknown(WhyUnknown::NoTime),
    }
}

fn text(value: &str) -> Answer {
    Answer::new(Known::Seen(Value::Text(value.into())))
}

fn word(value: &'static str) -> Answer {
    Answer::new(Known::Seen(Value::Enum(value)))
}

fn side(value: Side) -> Answer {
    word(value.name())
}

/// A connection with the questions that most facts ask of it answered once.
#[derive(Debug, Clone)]
pub(super) struct View<'a> {
    pub(super) connection: &'a Connection,
    /// The first sign of the end.
    pub(super) end: Option<&'a EndSignal>,
    /// An answer since this was last set to false presumes that peers kept to RFC 6455 before the capture began.
    pub(super) presumed: Cell<bool>,
}

impl<'a> View<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, end: connection.first_end(), presumed: Cell::new(false) }
    }

    /// The side that ended the connection, when that may be said.
    ///
    /// An end before which frames of the other side are missing may have been an answer to a Close frame in the hole.
    fn ender(&self) -> Result<Side, WhyUnknown> {
        let Some(end) = self.end else {
            return Err(self.why_no_end());
        };
        if end.kind != EndSignalKind::CloseFrame {
            self.no_close_before(end.by, end)?;
            if self.hides_end(end) {
                return Err(WhyUnknown::Gap);
            }
        }
        self.no_close_before(end.by.other(), end)?;
        Ok(end.by)
    }

    /// Why the capture shows no end.
    fn why_no_end(&self) -> WhyUnknown {
        match self.connection.flow_end {
            FlowEnd::Evicted => WhyUnknown::Limit,
            FlowEnd::Replaced => WhyUnknown::NotCaptured,
            FlowEnd::Reset | FlowEnd::Closed | FlowEnd::CaptureEnded => WhyUnknown::CaptureEnded,
        }
    }

    /// Whether every frame of `side` was seen, so that absence may be concluded.
    fn frames_of(&self, side: Side) -> Result<(), WhyUnknown> {
        self.frames_watched(side)?;
        if self.connection.visibility[side].frames_lost.is_some() {
            return Err(self.why_blind(side));
        }
        if self.lacks_last_bytes(side) {
            return Err(WhyUnknown::Gap);
        }
        if self.began_before_capture(side) { Err(WhyUnknown::JoinedLate) } else { Ok(()) }
    }

    /// Whether frames of `side` were looked for at all.
    fn frames_watched(&self, side: Side) -> Result<(), WhyUnknown> {
        let visibility = &self.connection.visibility[side];
        if visibility.encrypted || self.connection.tls.is_some() {
            return Err(WhyUnknown::Encrypted);
        }
        let handshake = &self.connection.handshake;
        if handshake.outcome == Outcome::None {
            // Without the 101 nobody looked for frames.
            self.response_watched()?;
        }
        if side == Side::Server && handshake.response.is_none() && visibility.gap.is_some() {
            // The hole that has the 101 may have frames too.
            return Err(self.why_missing(side));
        }
        if visibility.one_sided { Err(WhyUnknown::OneSided) } else { Ok(()) }
    }

    /// Whether every frame was seen that `side` sent after this packet or with it.
    fn frames_since(&self, side: Side, since: Origin) -> Result<(), WhyUnknown> {
        self.frames_watched(side)?;
        let hidden = self.connection.visibility[side].blind().iter().any(|blind| blind.reaches(since.packet));
        if hidden { Err(self.why_blind(side)) } else { Ok(()) }
    }

    /// Whether `side` sent no Close frame before the first sign of the end, nor one that is not known.
    ///
    /// A side sends one Close frame and nothing after it (RFC 6455 §5.5.1). So one that was seen is the only one, and a
    /// side that was heard sending data after the capture began had not closed before.
    fn no_close_before(&self, side: Side, end: &EndSignal) -> Result<(), WhyUnknown> {
        self.frames_watched(side)?;
        let traffic = &self.connection.traffic[side];
        if traffic.close.is_some() {
            return Ok(());
        }
        // A byte that was sent again may have been sent before the packet that brought it.
        let in_order = self.connection.tcp[side].anomalies().retransmissions == 0;
        let mut blind = self.connection.visibility[side].blind().iter();
        if blind.any(|blind| !in_order || blind.begins_before(end.at.packet)) {
            return Err(self.why_blind(side));
        }
        if self.lacks_last_bytes(side) {
            return Err(WhyUnknown::Gap);
        }
        let heard = if side == end.by {
            traffic.current_or_last().is_some()
        } else {
            end.peer.message.is_some() || (end.kind != EndSignalKind::CloseFrame && self.heard_data())
        };
        self.unless_closed_before_capture(side, heard)
    }

    /// Whether `side` sent no Close frame at all.
    fn no_close_of(&self, side: Side) -> Result<(), WhyUnknown> {
        self.frames_watched(side)?;
        if self.connection.visibility[side].frames_lost.is_some() {
            return Err(self.why_blind(side));
        }
        if self.lacks_last_bytes(side) {
            return Err(WhyUnknown::Gap);
        }
        self.unless_closed_before_capture(side, self.heard_data())
    }

    /// Whether either side sent data in the capture: had one closed before, its peer would have answered.
    fn heard_data(&self) -> bool {
        self.connection.traffic.iter().any(|(_, traffic)| traffic.current_or_last().is_some())
    }

    fn unless_closed_before_capture(&self, side: Side, heard: bool) -> Result<(), WhyUnknown> {
        if !self.began_before_capture(side) {
            return Ok(());
        }
        if !heard {
            return Err(WhyUnknown::JoinedLate);
        }
        self.presumed.set(true);
        Ok(())
    }

    /// Whether `side` may have sent frames before the capture began.
    fn began_before_capture(&self, side: Side) -> bool {
        self.connection.visibility[side].joined_late && self.connection.handshake.response.is_none()
    }

    /// Why bytes of `side` are missing.
    fn why_missing(&self, side: Side) -> WhyUnknown {
        let holes = self.connection.visibility[side].holes();
        let ours = !holes.is_empty() && holes.iter().all(|hole| hole.reason == GapReason::Limit);
        if ours { WhyUnknown::Limit } else { WhyUnknown::Gap }
    }

    /// Why frames of `side` were not understood.
    fn why_blind(&self, side: Side) -> WhyUnknown {
        match self.bytes_of(side) {
            Err(why) => why,
            Ok(()) if self.began_before_capture(side) => WhyUnknown::JoinedLate,
            Ok(()) => WhyUnknown::Gap,
        }
    }

    /// Whether a RST of `side` shows that its last bytes, or its FIN, are missing: it stands at what would be sent next.
    fn lacks_last_bytes(&self, side: Side) -> bool {
        let facts = &self.connection.tcp[side];
        let end = facts.bytes.saturating_add(u64::from(facts.fin.is_some()));
        // Far beyond any window somebody else sent it.
        let stands_at = facts.reset.as_ref().and_then(|reset| reset.offset);
        stands_at.is_some_and(|rst| (1..1 << 20).contains(&rst.0.saturating_sub(end)))
    }

    /// Whether the side that did not give the first sign of TCP's end may have done so before, in a hole.
    fn hides_end(&self, end: &EndSignal) -> bool {
        let other = end.by.other();
        let gap = self.connection.visibility[other].gap;
        let is_hidden = gap.is_some_and(|gap| gap.packet >= end.at.packet) || self.lacks_last_bytes(other);
        is_hidden && self.connection.tcp[other].fin.is_none()
    }

    /// Whether every byte of `side` was seen.
    fn bytes_of(&self, side: Side) -> Result<(), WhyUnknown> {
        let visibility = &self.connection.visibility[side];
        if visibility.one_sided {
            Err(WhyUnknown::OneSided)
        } else if visibility.gap.is_some() {
            Err(self.why_missing(side))
        } else if self.lacks_last_bytes(side) {
            Err(WhyUnknown::Gap)
        } else if visibility.cut {
            Err(WhyUnknown::CutByCapture)
        } else {
            Ok(())
        }
    }

    /// Whether "there was no response to the upgrade request" may be said, or there was one.
    fn response_watched(&self) -> Result<(), WhyUnknown> {
        let handshake = &self.connection.handshake;
        if handshake.request.is_some() && handshake.response.is_none() && !handshake.answered_with_tls {
            self.bytes_of(Side::Server)
        } else {
            Ok(())
        }
    }

    /// Whether not one of the packets of a side is in the capture.
    fn is_one_sided(&self) -> bool {
        Side::BOTH.into_iter().any(|side| self.connection.visibility[side].one_sided)
    }

    /// Whether every frame of both sides was seen.
    fn all_frames(&self) -> Result<(), WhyUnknown> {
        Side::BOTH.into_iter().try_for_each(|side| self.frames_of(side))
    }

    /// Whether neither side sent a Close frame that was not seen.
    fn no_close(&self) -> Result<(), WhyUnknown> {
        Side::BOTH.into_iter().try_for_each(|side| self.no_close_of(side))
    }

    /// The first sign of the end, its sender and the sender's peer.
    fn end_by(&self) -> Result<(&'a EndSignal, Side), WhyUnknown> {
        let ender = self.ender()?;
        let end = self.end.ok_or(WhyUnknown::CaptureEnded)?;
        Ok((end, ender))
    }

    /// The first sign of the end, when what its sender's peer had said by then is known.
    ///
    /// Bytes behind a hole wait until it is given up. When the end comes meanwhile, its last word is an older one.
    fn last_word(&self) -> Result<&'a EndSignal, WhyUnknown> {
        let (end, ender) = self.end_by()?;
        let peer = ender.other();
        if self.has_hole_after(peer, end.at) {
            return Err(self.why_missing(peer));
        }
        match &end.peer.message {
            Some(message) => self.frames_since(peer, message.last.unwrap_or(message.first))?,
            None => self.frames_of(peer)?,
        }
        Ok(end)
    }

    /// Whether bytes of `side` may be missing at this packet or later.
    fn has_hole_after(&self, side: Side, at: Origin) -> bool {
        let visibility = &self.connection.visibility[side];
        match (visibility.gap, visibility.holes()) {
            (None, _) => false,
            // Noticed by TCP alone.
            (Some(gap), []) => gap.packet >= at.packet,
            (Some(_), holes) => holes.iter().any(|hole| hole.reaches(at.packet)),
        }
    }

    /// Whether a fault of `side` would have been seen: all its bytes were there, and all its messages could be read.
    fn judged(&self, side: Side) -> Result<(), WhyUnknown> {
        self.frames_of(side)?;
        self.bytes_of(side)?;
        match self.connection.traffic[side].unread {
            Some(content) => Err(self.why_unread(side, content)),
            None => Ok(()),
        }
    }

    /// Why a message of `side` could not be read to its end.
    fn why_unread(&self, side: Side, content: Content) -> WhyUnknown {
        match content {
            Content::Limit => WhyUnknown::Limit,
            Content::Gap | Content::ContextLost => self.why_blind(side),
            Content::Whole | Content::InflateFailed | Content::UnknownExtension => WhyUnknown::NotCaptured,
        }
    }

    /// Whether a frame of either side was seen.
    fn has_frames(&self) -> bool {
        let mut sides = self.connection.traffic.iter();
        sides.any(|(_, traffic)| traffic.frames.named().into_iter().any(|(_, count)| count > 0))
    }

    /// The connection was upgraded, or was already when the capture began.
    fn is_open(&self) -> bool {
        matches!(self.connection.handshake.outcome, Outcome::Accepted | Outcome::NotCaptured)
            || self.connection.handshake.response.as_ref().is_some_and(|response| response.status == 101)
    }
}

/// What either side may have done: absent, unless one of them was not watched.
fn unless_one_sided(view: &View<'_>) -> Answer {
    if view.is_one_sided() { unknown(WhyUnknown::OneSided) } else { absent() }
}

/// Turns "cannot tell" into an answer, so that extractors can use `?`.
fn or_unknown(answer: Result<Answer, WhyUnknown>) -> Answer {
    answer.unwrap_or_else(unknown)
}
