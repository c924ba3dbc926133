//! How each fact is read off a connection: one function for a row of the table, named as the fact.

pub(super) mod close;
pub(super) mod end;
pub(super) mod handshake;
pub(super) mod peer;
pub(super) mod tls;
pub(super) mod whole;

use super::{Known, PacketRefs, Value, WhyUnknown};
use crate::connection::{Connection, EndSignal, EndSignalKind, Outcome};
use crate::units::{Origin, Side, StreamOffset};

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
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) connection: &'a Connection,
    /// The first sign of the end.
    pub(super) end: Option<&'a EndSignal>,
}

impl<'a> View<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, end: connection.first_end() }
    }

    /// The side that ended the connection, when that may be said.
    ///
    /// An end before which frames of the other side are missing may have been an answer to a Close frame in the hole.
    fn ender(&self) -> Result<Side, WhyUnknown> {
        let Some(end) = self.end else {
            return Err(self.why_no_end());
        };
        if end.kind != EndSignalKind::CloseFrame {
            self.frames_of(end.by)?;
            self.tcp_end()?;
        }
        self.frames_of(end.by.other())?;
        self.close_before_capture(end.by.other())?;
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

    fn why_no_end(&self) -> WhyUnknown {
        self.unseen_end().unwrap_or(WhyUnknown::CaptureEnded)
    }

    /// Why the connection may have ended although no sign of it is in the capture.
    fn unseen_end(&self) -> Option<WhyUnknown> {
        if self.is_one_sided() {
            return Some(WhyUnknown::OneSided);
        }
        let lost = |side: Side| {
            let visibility = &self.connection.visibility[side];
            let frames = visibility.gap.is_some() && visibility.frames_lost.is_some();
            self.tail_lost(side).is_some() || (frames && visibility.frames_found.is_none())
        };
        Side::BOTH.into_iter().any(lost).then_some(WhyUnknown::Gap)
    }

    /// The answer where there is no sign of the end: absent, unless one may have been missed.
    fn no_end(&self) -> Answer {
        self.unseen_end().map_or_else(absent, unknown)
    }

    /// Where the last bytes of `side`, or its FIN, are missing.
    fn tail_lost(&self, side: Side) -> Option<StreamOffset> {
        self.connection.tcp[side].anomalies().tail_lost
    }

    /// The first FIN or RST, when the other side's FIN cannot have come before it.
    fn tcp_end(&self) -> Result<Option<&'a EndSignal>, WhyUnknown> {
        if self.is_one_sided() {
            return Err(WhyUnknown::OneSided);
        }
        let Some(end) = self.connection.tcp_end() else {
            return if Side::BOTH.into_iter().any(|side| self.tail_lost(side).is_some()) {
                Err(WhyUnknown::Gap)
            } else {
                Ok(None)
            };
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

    /// Whether the Close frame of `side` may have been sent before the capture began: then nothing but, perhaps, the
    /// answers to Pings (RFC 6455 §5.5.1) comes from it any more.
    fn close_before_capture(&self, side: Side) -> Result<(), WhyUnknown> {
        let traffic = &self.connection.traffic[side];
        let frames = &traffic.frames;
        let goes_on = frames.text + frames.binary + frames.continuation + frames.ping + frames.close > 0;
        let joined_late = self.connection.visibility[side].joined_late;
        if joined_late && !goes_on { Err(WhyUnknown::JoinedLate) } else { Ok(()) }
    }

    /// Whether the frames of `side` can be counted: none is missing, also not before the capture.
    fn counted(&self, side: Side) -> Result<(), WhyUnknown> {
        if self.connection.visibility[side].joined_late { Err(WhyUnknown::JoinedLate) } else { self.frames_of(side) }
    }

    /// Whether every frame of `side` was seen, so that absence may be concluded.
    fn frames_of(&self, side: Side) -> Result<(), WhyUnknown> {
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
            return Err(WhyUnknown::Gap);
        }
        // A Close frame of which the last byte alone is missing is not a frame that was never sent.
        let cut_short = self.connection.traffic[side].unfinished.is_some() && self.tail_lost(side).is_some();
        // Its header was there, what it said was not, and when it came is not known.
        let close_unread =
            self.connection.traffic[side].frames.close > 0 && self.connection.traffic[side].close.is_none();
        if visibility.one_sided {
            Err(WhyUnknown::OneSided)
        } else if close_unread {
            Err(if visibility.cut { WhyUnknown::CutByCapture } else { WhyUnknown::Gap })
        } else if cut_short {
            Err(WhyUnknown::Gap)
        } else if visibility.frames_lost.is_some() {
            self.bytes_of(side).and(Err(WhyUnknown::Gap))
        } else {
            Ok(())
        }
    }

    /// Whether every byte of `side` was seen.
    fn bytes_of(&self, side: Side) -> Result<(), WhyUnknown> {
        let visibility = &self.connection.visibility[side];
        if visibility.one_sided {
            Err(WhyUnknown::OneSided)
        } else if visibility.gap.is_some() && !self.lacks_fin_only(side) {
            Err(WhyUnknown::Gap)
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
        anomalies.gaps == 1 && anomalies.gap_bytes == 0 && anomalies.tail_lost.is_some() && !unfinished
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
        if self.has_hole_after(ender.other(), end.at) { Err(WhyUnknown::Gap) } else { Ok(end) }
    }

    /// Whether bytes of `side` may be missing at this packet or later.
    fn has_hole_after(&self, side: Side, at: Origin) -> bool {
        // Only the first hole is remembered; where the others are nobody knows.
        let holes = self.connection.tcp[side].anomalies().gaps;
        if self.lacks_fin_only(side) {
            return false;
        }
        self.connection.visibility[side].gap.is_some_and(|gap| gap.packet >= at.packet || holes > 1)
    }

    /// The connection was upgraded, or was already when the capture began.
    fn is_open(&self) -> bool {
        matches!(self.connection.handshake.outcome, Outcome::Accepted | Outcome::NotCaptured)
            || self.connection.handshake.response.as_ref().is_some_and(|response| response.status == 101)
    }
}

/// Turns "cannot tell" into an answer, so that extractors can use `?`.
fn or_unknown(answer: Result<Answer, WhyUnknown>) -> Answer {
    answer.unwrap_or_else(unknown)
}
