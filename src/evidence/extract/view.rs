//! The questions that most facts ask of a connection, answered once: what was watched, what a hole may hide, and what may
//! be concluded all the same.

use super::{Answer, absent, unknown};
use crate::connection::{Connection, Content, EndSignal, EndSignalKind, FlowEnd, LostTail, Outcome};
use crate::evidence::{Subject, WhyUnknown};
use crate::stream::GapReason;
use crate::units::{Origin, Side, StreamOffset};
use std::cell::Cell;

/// An answer to the upgrade request may take this long; a capture that ends earlier cannot say that none came.
const ANSWER_SECONDS: f64 = 5.0;

/// A connection with the questions that most facts ask of it answered once.
#[derive(Debug, Clone)]
pub(in crate::evidence) struct View<'a> {
    pub(in crate::evidence) connection: &'a Connection,
    pub(in crate::evidence) subject: &'a Subject,
    /// The first sign of the end.
    pub(in crate::evidence) end: Option<&'a EndSignal>,
    /// An answer presumes that peers kept to RFC 6455 before the capture began.
    pub(in crate::evidence) presumed: Cell<bool>,
}

impl<'a> View<'a> {
    pub(in crate::evidence) fn new(subject: &'a Subject) -> Self {
        Self { connection: &subject.connection, subject, end: subject.end(), presumed: Cell::new(false) }
    }

    /// The side that ended the connection, when that may be said.
    ///
    /// An end before which frames of the other side are missing may have been an answer to a Close frame in the hole.
    pub(super) fn ender(&self) -> Result<Side, WhyUnknown> {
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
    pub(super) fn in_order(&self, end: &EndSignal) -> Result<(), WhyUnknown> {
        let answers_unseen = self.connection.tcp[end.by].anomalies().answers_unseen;
        let swapped = answers_unseen.is_some_and(|at| at.packet == end.at.packet)
            && self.connection.tcp[end.by.other()].anomalies().gaps == 0;
        if swapped { Err(WhyUnknown::Gap) } else { Ok(()) }
    }

    /// Why the capture shows no end.
    pub(super) fn why_no_end(&self) -> WhyUnknown {
        self.unseen_end().unwrap_or(WhyUnknown::CaptureEnded)
    }

    /// Why the connection may have ended although no sign of it is in the capture.
    pub(super) fn unseen_end(&self) -> Option<WhyUnknown> {
        let lost = |side: Side| {
            let visibility = &self.connection.visibility[side];
            let frames = visibility.gap.is_some() && visibility.frames_lost.is_some();
            self.tail_lost(side).is_some() || (frames && visibility.frames_found.is_none())
        };
        let hidden = || Side::BOTH.into_iter().any(lost).then_some(WhyUnknown::Gap);
        self.not_watched_to_the_end().or_else(hidden)
    }

    /// Why packets of the connection were not seen, or not looked at, whatever they were.
    pub(super) fn not_watched_to_the_end(&self) -> Option<WhyUnknown> {
        match self.connection.flow_end {
            _ if self.is_one_sided() => Some(WhyUnknown::OneSided),
            FlowEnd::Evicted => Some(WhyUnknown::Limit),
            FlowEnd::Replaced => Some(WhyUnknown::NotCaptured),
            FlowEnd::Reset | FlowEnd::Closed | FlowEnd::CaptureEnded => None,
        }
    }

    /// The answer where there is no sign of the end: absent, unless one may have been missed.
    pub(super) fn no_end(&self) -> Answer {
        self.unseen_end().map_or_else(absent, unknown)
    }

    /// Where the last bytes of `side`, or its FIN, are missing.
    pub(super) fn tail_lost(&self, side: Side) -> Option<StreamOffset> {
        self.connection.tcp[side].anomalies().tail_lost.map(|tail| tail.from)
    }

    /// The first FIN or RST, when the other side's FIN cannot have come before it.
    pub(super) fn tcp_end(&self) -> Result<Option<&'a EndSignal>, WhyUnknown> {
        if self.is_one_sided() {
            return Err(WhyUnknown::OneSided);
        }
        let Some(end) = self.connection.tcp_end() else {
            let tail = || Side::BOTH.into_iter().any(|side| self.tail_lost(side).is_some()).then_some(WhyUnknown::Gap);
            return self.not_watched_to_the_end().or_else(tail).map_or(Ok(None), Err);
        };
        // A side may have sent its FIN before it reset.
        if end.kind == EndSignalKind::Rst && self.tail_lost(end.by).is_some() {
            return Err(WhyUnknown::Gap);
        }
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

    pub(super) fn fin_answers(&self, side: Side) -> Option<StreamOffset> {
        self.connection.tcp[side].anomalies().fin_answers
    }

    /// Whether every frame of `side` was seen, so that absence may be concluded.
    pub(super) fn frames_of(&self, side: Side) -> Result<(), WhyUnknown> {
        self.frames_watched(side)?;
        if self.connection.visibility[side].frames_lost.is_some() {
            return Err(self.why_blind(side));
        }
        self.last_frame_read(side)?;
        if self.began_before_capture(side) { Err(WhyUnknown::JoinedLate) } else { Ok(()) }
    }

    /// Whether frames of `side` were looked for at all.
    pub(super) fn frames_watched(&self, side: Side) -> Result<(), WhyUnknown> {
        let visibility = &self.connection.visibility[side];
        if visibility.encrypted || self.connection.is_sealed() {
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
    pub(super) fn frames_since(&self, side: Side, since: Origin) -> Result<(), WhyUnknown> {
        self.frames_watched(side)?;
        let hidden = self.connection.visibility[side].blind().iter().any(|blind| blind.reaches(since.packet));
        if hidden { Err(self.why_blind(side)) } else { Ok(()) }
    }

    /// Whether `side` sent no Close frame before the first sign of the end, nor one that is not known.
    ///
    /// A side sends one Close frame and nothing after it (RFC 6455 §5.5.1). So one that was seen is the only one, and a
    /// side that was heard sending data after the capture began had not closed before.
    pub(super) fn no_close_before(&self, side: Side, end: &EndSignal) -> Result<(), WhyUnknown> {
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
    pub(super) fn no_close_of(&self, side: Side) -> Result<(), WhyUnknown> {
        self.frames_watched(side)?;
        if self.connection.visibility[side].frames_lost.is_some() {
            return Err(self.why_blind(side));
        }
        self.last_frame_read(side)?;
        self.unless_closed_before_capture(side, self.heard_data())
    }

    /// Whether either side sent data in the capture: had one closed before, its peer would have answered.
    pub(super) fn heard_data(&self) -> bool {
        self.connection.traffic.iter().any(|(_, traffic)| traffic.current_or_last().is_some())
    }

    pub(super) fn unless_closed_before_capture(&self, side: Side, heard: bool) -> Result<(), WhyUnknown> {
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
    pub(super) fn began_before_capture(&self, side: Side) -> bool {
        self.connection.visibility[side].joined_late && self.connection.handshake.response.is_none()
    }

    /// Why bytes of `side` are missing.
    pub(super) fn why_missing(&self, side: Side) -> WhyUnknown {
        let holes = self.connection.visibility[side].holes();
        let ours = !holes.is_empty() && holes.iter().all(|hole| hole.reason == GapReason::Limit);
        if ours { WhyUnknown::Limit } else { WhyUnknown::Gap }
    }

    /// Why frames of `side` were not understood.
    pub(super) fn why_blind(&self, side: Side) -> WhyUnknown {
        match self.bytes_of(side) {
            Err(why) => why,
            Ok(()) if self.began_before_capture(side) => WhyUnknown::JoinedLate,
            Ok(()) => WhyUnknown::Gap,
        }
    }

    /// Whether the last frame that `side` sent was read: a Close frame of which the last byte alone is missing is not a
    /// frame that was never sent, and of one that was not read nobody knows when it came.
    pub(super) fn last_frame_read(&self, side: Side) -> Result<(), WhyUnknown> {
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
    pub(super) fn bytes_of(&self, side: Side) -> Result<(), WhyUnknown> {
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
    pub(super) fn lacks_fin_only(&self, side: Side) -> bool {
        let anomalies = self.connection.tcp[side].anomalies();
        let unfinished = self.connection.traffic[side].unfinished.is_some();
        let one = |tail: LostTail| tail.to.0.saturating_sub(tail.from.0) == 1;
        anomalies.gap_bytes == 0 && anomalies.tail_lost.is_some_and(one) && !unfinished
    }

    /// Whether the last bytes of a side are missing, more than a FIN.
    pub(super) fn lacks_last_bytes(&self, side: Side) -> bool {
        self.tail_lost(side).is_some() && !self.lacks_fin_only(side)
    }

    /// Whether "there was no response to the upgrade request" may be said, or there was one.
    pub(super) fn response_watched(&self) -> Result<(), WhyUnknown> {
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
    pub(super) fn is_one_sided(&self) -> bool {
        Side::BOTH.into_iter().any(|side| self.connection.visibility[side].one_sided)
    }

    /// Whether every frame of both sides was seen.
    pub(super) fn all_frames(&self) -> Result<(), WhyUnknown> {
        Side::BOTH.into_iter().try_for_each(|side| self.frames_of(side))
    }

    /// Whether neither side sent a Close frame that was not seen.
    pub(super) fn no_close(&self) -> Result<(), WhyUnknown> {
        Side::BOTH.into_iter().try_for_each(|side| self.no_close_of(side))
    }

    /// The first sign of the end, its sender and the sender's peer.
    pub(super) fn end_by(&self) -> Result<(&'a EndSignal, Side), WhyUnknown> {
        let ender = self.ender()?;
        let end = self.end.ok_or(WhyUnknown::CaptureEnded)?;
        Ok((end, ender))
    }

    /// The first sign of the end, when what its sender's peer had said by then is known.
    ///
    /// Bytes behind a hole wait until it is given up. When the end comes meanwhile, its last word is an older one.
    pub(super) fn last_word(&self) -> Result<&'a EndSignal, WhyUnknown> {
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
    pub(super) fn has_hole_after(&self, side: Side, at: Origin) -> bool {
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
    pub(super) fn judged(&self, side: Side) -> Result<(), WhyUnknown> {
        self.frames_of(side)?;
        self.bytes_of(side)?;
        match self.connection.traffic[side].unread {
            Some(content) => Err(self.why_unread(side, content)),
            None => Ok(()),
        }
    }

    /// Why a message of `side` could not be read to its end.
    pub(super) fn why_unread(&self, side: Side, content: Content) -> WhyUnknown {
        match content {
            Content::Limit => WhyUnknown::Limit,
            Content::Gap | Content::ContextLost => self.why_blind(side),
            Content::Whole | Content::InflateFailed | Content::UnknownExtension => WhyUnknown::NotCaptured,
        }
    }

    /// Whether a frame of either side was seen.
    pub(super) fn has_frames(&self) -> bool {
        let mut sides = self.connection.traffic.iter();
        sides.any(|(_, traffic)| traffic.frames.named().into_iter().any(|(_, count)| count > 0))
    }

    /// The connection was upgraded, or was already when the capture began.
    pub(super) fn is_open(&self) -> bool {
        self.connection.was_upgraded()
    }
}
