//! How each fact is read off a connection: one function for a row of the table, named as the fact.

pub(super) mod application;
pub(super) mod close;
pub(super) mod end;
pub(super) mod handshake;
pub(super) mod hops;
pub(super) mod loss;
pub(super) mod path;
pub(super) mod peer;
pub(super) mod tls;
pub(super) mod whole;

use super::{Known, PacketRefs, Value, WhyUnknown};
use crate::connection::{Connection, Content, EndSignal, EndSignalKind, FlowEnd, LostTail, Outcome};
use crate::stream::GapReason;
use crate::units::{Origin, Side, StreamOffset};
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

/// An answer to the upgrade request may take this long; a capture that ends earlier cannot say that none came.
const ANSWER_SECONDS: f64 = 5.0;

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
            self.tcp_end()?;
        }
        self.no_close_before(end.by.other(), end)?;
        self.in_order(end)?;
        Ok(end.by)
    }

    /// Whether a sign of the end was stored before what it answers, so that what came first cannot be told.
    ///
    /// Where bytes are missing, the frames in them are the question instead.
    fn in_order(&self, end: &EndSignal) -> Result<(), WhyUnknown> {
        let answers_unseen = self.connection.tcp[end.by].anomalies().answers_unseen;
        let swapped = answers_unseen.is_some_and(|at| at.packet == end.at.packet)
            && self.connection.tcp[end.by.other()].anomalies().gaps == 0;
        if swapped { Err(WhyUnknown::Gap) } else { Ok(()) }
    }

    /// Why the capture shows no end.
    fn why_no_end(&self) -> WhyUnknown {
        self.unseen_end().unwrap_or(WhyUnknown::CaptureEnded)
    }

    /// Why the connection may have ended although no sign of it is in the capture.
    fn unseen_end(&self) -> Option<WhyUnknown> {
        let lost = |side: Side| {
            let visibility = &self.connection.visibility[side];
            let frames = visibility.gap.is_some() && visibility.frames_lost.is_some();
            self.tail_lost(side).is_some() || (frames && visibility.frames_found.is_none())
        };
        let hidden = || Side::BOTH.into_iter().any(lost).then_some(WhyUnknown::Gap);
        self.not_watched_to_the_end().or_else(hidden)
    }

    /// Why packets of the connection were not seen, or not looked at, whatever they were.
    fn not_watched_to_the_end(&self) -> Option<WhyUnknown> {
        match self.connection.flow_end {
            _ if self.is_one_sided() => Some(WhyUnknown::OneSided),
            FlowEnd::Evicted => Some(WhyUnknown::Limit),
            FlowEnd::Replaced => Some(WhyUnknown::NotCaptured),
            FlowEnd::Reset | FlowEnd::Closed | FlowEnd::CaptureEnded => None,
        }
    }

    /// The answer where there is no sign of the end: absent, unless one may have been missed.
    fn no_end(&self) -> Answer {
        self.unseen_end().map_or_else(absent, unknown)
    }

    /// Where the last bytes of `side`, or its FIN, are missing.
    fn tail_lost(&self, side: Side) -> Option<StreamOffset> {
        self.connection.tcp[side].anomalies().tail_lost.map(|tail| tail.from)
    }

    /// The first FIN or RST, when the other side's FIN cannot have come before it.
    fn tcp_end(&self) -> Result<Option<&'a EndSignal>, WhyUnknown> {
        if self.is_one_sided() {
            return Err(WhyUnknown::OneSided);
        }
        let Some(end) = self.connection.tcp_end() else {
            let tail = || Side::BOTH.into_iter().any(|side| self.tail_lost(side).is_some()).then_some(WhyUnknown::Gap);
            return self.not_watched_to_the_end().or_else(tail).map_or(Ok(None), Err);
        };
        match self.tail_lost(end.by.other()) {
            // A FIN that acknowledges nothing of what is missing was no answer to it.
            Some(lost)
                if end.kind == EndSignalKind::Rst || self.fin_answers(end.by).is_some_and(|acked| acked > lost) =>
            {
                Err(WhyUnknown::Gap)
            }
            _ => self.in_order(end).map(|()| Some(end)),
        }
    }

    fn fin_answers(&self, side: Side) -> Option<StreamOffset> {
        self.connection.tcp[side].anomalies().fin_answers
    }

    /// Whether every frame of `side` was seen, so that absence may be concluded.
    fn frames_of(&self, side: Side) -> Result<(), WhyUnknown> {
        self.frames_watched(side)?;
        if self.connection.visibility[side].frames_lost.is_some() {
            return Err(self.why_blind(side));
        }
        self.last_frame_read(side)?;
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
        self.last_frame_read(side)?;
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
        self.last_frame_read(side)?;
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

    /// Whether the last frame that `side` sent was read: a Close frame of which the last byte alone is missing is not a
    /// frame that was never sent, and of one that was not read nobody knows when it came.
    fn last_frame_read(&self, side: Side) -> Result<(), WhyUnknown> {
        let traffic = &self.connection.traffic[side];
        let close_unread = traffic.frames.close > 0 && traffic.close.is_none();
        if close_unread && self.connection.visibility[side].cut {
            Err(WhyUnknown::CutByCapture)
        } else if close_unread || self.lacks_last_bytes(side) {
            Err(WhyUnknown::Gap)
        } else {
            Ok(())
        }
    }

    /// Whether every byte of `side` was seen.
    fn bytes_of(&self, side: Side) -> Result<(), WhyUnknown> {
        let visibility = &self.connection.visibility[side];
        if visibility.one_sided {
            Err(WhyUnknown::OneSided)
        } else if self.lacks_last_bytes(side) || (visibility.gap.is_some() && !self.lacks_fin_only(side)) {
            Err(self.why_missing(side))
        } else if visibility.cut {
            Err(WhyUnknown::CutByCapture)
        } else {
            Ok(())
        }
    }

    /// Whether the one number that is missing of a side is the last: its FIN, or a byte of a frame that was cut off.
    fn lacks_fin_only(&self, side: Side) -> bool {
        let anomalies = self.connection.tcp[side].anomalies();
        let unfinished = self.connection.traffic[side].unfinished.is_some();
        let one = |tail: LostTail| tail.to.0.saturating_sub(tail.from.0) == 1;
        anomalies.gap_bytes == 0 && anomalies.tail_lost.is_some_and(one) && !unfinished
    }

    /// Whether the last bytes of a side are missing, more than a FIN.
    fn lacks_last_bytes(&self, side: Side) -> bool {
        self.tail_lost(side).is_some() && !self.lacks_fin_only(side)
    }

    /// Whether "there was no response to the upgrade request" may be said, or there was one.
    fn response_watched(&self) -> Result<(), WhyUnknown> {
        let handshake = &self.connection.handshake;
        if let Some(request) = &handshake.request
            && handshake.response.is_none()
            && !handshake.answered_with_tls
        {
            self.bytes_of(Side::Server)?;
            let until = self.connection.open_until.filter(|_| self.end.is_none());
            let waited =
                until.is_none_or(|until| until.seconds_since(&request.last).is_none_or(|s| s >= ANSWER_SECONDS));
            if waited { Ok(()) } else { Err(WhyUnknown::CaptureEnded) }
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
        if self.lacks_fin_only(side) {
            return false;
        }
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
