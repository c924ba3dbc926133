//! Remarks beside a verdict: how the closing handshake went, what a broken rule set off, what kept the connection alive.

use super::Speaker;
use crate::connection::{Connection, EndSignalKind, Heartbeat, HeartbeatName, WhyNot, close_code};
use crate::evidence::{FactId, Facts};
use crate::fleet::ConnectionReport;
use crate::units::{Origin, Side};

/// From so many seconds on a half-closed connection is worth a remark.
const HALF_CLOSED_SECONDS: f64 = 1.0;

/// The remarks about one connection.
pub(super) struct Notes<'a> {
    speaker: &'a Speaker,
    connection: &'a Connection,
    facts: &'a Facts,
}

impl<'a> Notes<'a> {
    pub(super) fn new(speaker: &'a Speaker, report: &'a ConnectionReport) -> Self {
        Self { speaker, connection: &report.connection, facts: &report.facts }
    }

    /// What was lost or ignored at the end, whatever ended it.
    pub(super) fn losses(&self) -> Vec<String> {
        let of = |side| [self.undecrypted(side), self.unread(side), self.ignored(side)];
        Side::BOTH.into_iter().flat_map(of).flatten().collect()
    }

    /// Why a side could not be decrypted though there are keys.
    fn undecrypted(&self, side: Side) -> Option<String> {
        let why =
            self.connection.tls.as_ref()?.decryption.sides[side].why_not().filter(|why| *why != WhyNot::NoKeys)?;
        let detail = why.detail().unwrap_or_default();
        let text = self.speaker.say_with(&format!("undecrypted.{}", why.name()), &[("detail", &detail)]);
        Some(self.speaker.say_with("punctuation.label", &[("label", self.name(side)), ("text", &text)]))
    }

    /// What the application means by the code of the first Close frame.
    pub(super) fn meaning(&self) -> Option<String> {
        let close = self.connection.traffic[self.connection.closing.initiator?].close.as_ref()?;
        let code = close_code(&close.payload)?;
        let meaning = self.speaker.meaning(code)?;
        Some(self.speaker.say_with("punctuation.label", &[("label", &code.to_string()), ("text", &meaning)]))
    }

    /// How the closing handshake and the end of TCP went.
    pub(super) fn closing(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.reactions();
        notes.extend(self.exchange());
        let times = self.connection.closing_times();
        for side in Side::BOTH {
            if let Some(seconds) = times.close_to_fin_s[side] {
                notes.push(self.say("fin_after", &[("side", self.name(side)), ("time", &self.speaker.span(seconds))]));
            }
        }
        if self.connection.closing.is_clean() && times.time_wait == Some(Side::Client) {
            notes.push(self.say("client_first", &[]));
        }
        let first_fin = self.connection.tcp_end().filter(|end| end.kind == EndSignalKind::Fin);
        if let (Some(seconds), Some(end)) = (times.half_closed_s.filter(|s| *s >= HALF_CLOSED_SECONDS), first_fin) {
            notes.push(self.say("half_closed", &[("side", self.name(end.by)), ("time", &self.speaker.span(seconds))]));
        }
        notes.extend(self.tls_alert());
        notes.extend(self.cut_off());
        notes
    }

    /// A fatal alert after Close frames; without one the verdict tells of it.
    fn tls_alert(&self) -> Option<String> {
        self.connection.first_close()?;
        let alert = self.connection.tls.as_ref()?.data_alert()?;
        let packet = alert.origin.packet.to_string();
        Some(self.say("tls_alert", &[("side", self.name(alert.side)), ("name", alert.name()), ("packet", &packet)]))
    }

    /// That whoever ended TCP first did not end its stream inside TLS before. Many programs never do.
    fn cut_off(&self) -> Option<String> {
        let end = self.connection.tcp_end()?;
        let fact = FactId::by_name(&format!("tls.{}_end", end.by.name()))?;
        self.facts.get(fact).seen().filter(|how| how.text() == Some("cut_off"))?;
        let closed = Side::BOTH.into_iter().all(|side| self.connection.traffic[side].close.is_some());
        let key = if closed { "tls_cut_after_close" } else { "tls_cut" };
        Some(self.say(key, &[("side", self.name(end.by)), ("packet", &end.at.packet.to_string())]))
    }

    /// Pings, heartbeats and probes, side by side.
    pub(super) fn alive(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for side in Side::BOTH {
            notes.extend(self.pings(side));
            notes.extend(self.connection.traffic[side].heartbeats().filter_map(|beat| self.heartbeat(side, &beat)));
            let probes = self.connection.tcp[side].keep_alives;
            if probes > 0 {
                let count = self.speaker.number(probes.into());
                notes.push(self.speaker.say_with("alive.tcp", &[("side", self.name(side)), ("count", &count)]));
            }
        }
        notes
    }

    fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.speaker.say_with(&format!("closing.{key}"), values)
    }

    fn name(&self, side: Side) -> &str {
        self.speaker.word(side.name())
    }

    /// The code of a side's Close frame, or that it has none.
    fn code(&self, side: Side) -> String {
        let close = self.connection.traffic[side].close.as_ref();
        let code = close.and_then(|close| close_code(&close.payload));
        code.map_or_else(|| self.speaker.say("closing.no_code").to_owned(), |code| code.to_string())
    }

    /// Both Close frames, or the one that was not answered.
    fn exchange(&self) -> Option<String> {
        let connection = self.connection;
        let first = connection.closing.initiator?;
        let other = first.other();
        if connection.traffic[other].close.is_some() {
            let time = connection.closing_times().answer_s.map(|seconds| self.speaker.span(seconds));
            let key = if connection.closing.crossed { "crossed" } else { "answered" };
            let (code, answer, time) = (self.code(first), self.code(other), time.unwrap_or_else(|| "?".to_owned()));
            let values = [
                ("side", self.name(first)),
                ("code", &code),
                ("other", self.name(other)),
                ("answer", &answer),
                ("time", &time),
            ];
            return Some(self.say(key, &values));
        }
        let close = connection.traffic[first].close.as_ref()?;
        let end = connection.tcp_end()?;
        if !connection.visibility[other].frames_complete() {
            return None;
        }
        let kind = if end.kind == EndSignalKind::Rst { "RST" } else { "FIN" };
        let waited = end.at.seconds_since(&close.last).filter(|seconds| *seconds >= 0.0)?;
        let time = self.speaker.span(waited);
        Some(self.say("no_answer", &[("side", self.name(first)), ("kind", kind), ("time", &time)]))
    }

    /// What each violation set off.
    fn reactions(&self) -> Vec<String> {
        let of = |violation| {
            let reaction = self.connection.reaction(violation)?;
            let what = match (reaction.kind, reaction.code) {
                (EndSignalKind::CloseFrame, Some(code)) => format!("Close {code}"),
                (EndSignalKind::CloseFrame, None) => self.speaker.say("event.close_empty").to_owned(),
                (EndSignalKind::Rst, _) => "RST".to_owned(),
                _ => "FIN".to_owned(),
            };
            let values = [
                ("title", self.speaker.violation(violation.rule)),
                ("packet", &violation.at.packet.to_string()),
                ("side", self.name(reaction.by)),
                ("what", &what),
                ("time", &self.speaker.span(reaction.after_s?)),
                ("answer", &reaction.at.packet.to_string()),
            ];
            Some(self.say("reaction", &values))
        };
        self.connection.violations.iter().filter_map(of).collect()
    }

    /// That nobody knows whether the Close frame of `by` was read.
    fn unread(&self, by: Side) -> Option<String> {
        let connection = self.connection;
        if !connection.close_may_be_unread(by) {
            return None;
        }
        let close = connection.traffic[by].close.as_ref()?;
        let reset = connection
            .ending
            .iter()
            .find(|signal| signal.kind == EndSignalKind::Rst && signal.at.packet > close.first.packet)?;
        let key = if connection.close_is_unacknowledged(by) { "unread" } else { "unread_acknowledged" };
        let (code, packet) = (self.code(by), reset.at.packet.to_string());
        Some(self.say(key, &[("side", self.name(by.other())), ("code", &code), ("packet", &packet)]))
    }

    /// What a side sent after its own Close frame.
    fn ignored(&self, side: Side) -> Option<String> {
        let ignored = self.connection.traffic[side].after_close()?;
        let packets: Vec<String> = ignored.packets.iter().map(ToString::to_string).collect();
        let values = [
            ("side", self.name(side)),
            ("frames", &self.speaker.number(ignored.frames)),
            ("messages", &self.speaker.number(ignored.messages)),
            ("packets", &packets.join(" ")),
        ];
        Some(self.say("ignored", &values))
    }

    fn join(&self, first: String, second: &str) -> String {
        self.speaker.say_with("punctuation.clauses", &[("first", &first), ("second", second)])
    }

    /// The Pings of one side.
    fn pings(&self, side: Side) -> Option<String> {
        let pings = &self.connection.traffic[side].pings;
        if pings.count == 0 {
            return None;
        }
        let alive = |key: &str, values: &[(&str, &str)]| self.speaker.say_with(&format!("alive.{key}"), values);
        let (count, answered) = (self.speaker.number(pings.count), self.speaker.number(pings.answered));
        let mut line = alive("pings", &[("side", self.name(side)), ("count", &count), ("answered", &answered)]);
        let timed = self.connection.clock_steps.is_empty();
        if let Some(interval) = pings.interval().filter(|_| timed) {
            line = self.join(line, &alive("every", &[("time", &self.speaker.span(interval))]));
        }
        let trips = pings.round_trips().filter(|_| timed);
        if let Some((median, most)) = trips.and_then(|trips| trips.within(0.5).zip(trips.within(0.99))) {
            let (median, most) = (self.speaker.span(median), self.speaker.span(most));
            line = self.join(line, &alive("round_trip", &[("median", &median), ("most", &most)]));
        }
        if let Some(pong) = pings.last_pong {
            line = self.join(line, &alive("last_pong", &[("packet", &pong.packet.to_string())]));
        }
        if let Some(oldest) = pings.oldest_unanswered()
            && let Some(before) = self.before_end(oldest)
        {
            let (count, packet) = (self.speaker.number(pings.unanswered()), oldest.packet.to_string());
            let values = [("count", count.as_str()), ("time", &before), ("packet", &packet)];
            line = self.join(line, &alive("unanswered", &values));
        }
        Some(line)
    }

    fn heartbeat(&self, side: Side, beat: &Heartbeat) -> Option<String> {
        let what = match beat.name.map(HeartbeatName::name) {
            Some(name) => name.to_owned(),
            None => self.speaker.say_with("alive.messages", &[("bytes", &self.speaker.number(beat.size))]),
        };
        let values = [
            ("side", self.name(side)),
            ("what", &what),
            ("time", &self.speaker.span(beat.period()?)),
            ("count", &self.speaker.number(beat.beats)),
            ("last", &beat.last.packet.to_string()),
            ("before", &self.before_end(beat.last)?),
        ];
        Some(self.speaker.say_with("alive.heartbeat", &values))
    }

    fn before_end(&self, at: Origin) -> Option<String> {
        self.connection.seconds_before_end(at).map(|seconds| self.speaker.span(seconds))
    }
}
