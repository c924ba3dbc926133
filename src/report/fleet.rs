//! What many connections say together, in sentences: for the first screen.

use super::{Ignored, IgnoredEntry, Speaker, code_name};
use crate::diagnosis::printable;
use crate::fleet::events::{Event, EventKind};
use crate::fleet::reconnects::{Herd, Reconnects, Series};
use crate::fleet::{Closing, Common, HowEnded, Incident, Quantised, Shared, Tally};
use crate::units::{Side, Timestamp};

/// Names written out; the JSON output has more.
const NAMES: usize = 3;

/// Kinds of ends written out of one event.
const CLOSINGS: usize = 3;

/// Events told on the first screen, the largest first.
pub(super) const EVENTS: usize = 6;

/// Clients told there.
pub(super) const SERIES: usize = 4;

/// Says what many connections have in common.
pub(super) struct Together<'a> {
    speaker: &'a Speaker,
}

impl<'a> Together<'a> {
    pub(super) fn new(speaker: &'a Speaker) -> Self {
        Self { speaker }
    }

    /// What the connections of an incident share, the most telling first.
    pub(super) fn shared(&self, incident: &Incident) -> Vec<String> {
        let shared = &incident.shared;
        let mut lines = Vec::new();
        lines.extend(self.timer(incident));
        lines.push(self.places(incident));
        let mut same = Vec::new();
        if let Some(reason) = only(&shared.reasons, incident.count) {
            let quoted = self.speaker.say_with("punctuation.quoted", &[("text", &printable(reason))]);
            same.push(self.say("shared.reason", &[("text", &quoted)]));
        }
        for (key, tally) in [("shared.applications", &shared.applications), ("shared.software", &shared.software)] {
            if tally.total() > 0 {
                same.push(self.say(key, &[("names", &self.names(tally, |text| printable(text)))]));
            }
        }
        if shared.without_pings.saturating_mul(2) > incident.count && shared.quantised().is_some() {
            let (count, total) = (self.number(shared.without_pings), self.number(incident.count));
            same.push(self.say("shared.no_pings", &[("count", &count), ("total", &total)]));
        }
        if !same.is_empty() {
            lines.push(self.row(&same));
        }
        lines
    }

    /// The length of time that they share, and how they ended after it.
    fn timer(&self, incident: &Incident) -> Option<String> {
        let (key, common, age) = match incident.shared.quantised()? {
            Quantised::Silence(common) => ("shared.silence", common, None),
            Quantised::Lifetime(common) => ("shared.lifetime", common, None),
            Quantised::Either(common, age) => ("shared.either", common, Some(age)),
        };
        let Common { count, least, median, most } = common;
        let end = self.end(&incident.shared)?;
        let values = [
            ("value", &*self.speaker.span(median)),
            ("age", &age.map_or_else(String::new, |age| self.speaker.span(age.median))),
            ("end", &end),
            ("count", &self.number(count)),
            ("total", &self.number(incident.count)),
            ("from", &self.speaker.span(least)),
            ("to", &self.speaker.span(most)),
        ];
        Some(self.say(key, &values))
    }

    /// What they ended with, and from where; the two most frequent ways.
    fn end(&self, shared: &Shared) -> Option<String> {
        let kinds = shared.ends.by_count();
        let ends: Vec<String> =
            kinds.iter().take(2).map(|((side, how), _)| self.one_end(shared, *side, *how)).collect();
        (!ends.is_empty()).then(|| ends.join(" / "))
    }

    fn one_end(&self, shared: &Shared, side: Side, how: HowEnded) -> String {
        let server =
            shared.servers.most().filter(|(_, count)| side == Side::Server && *count == shared.servers.total());
        let who = match server {
            Some((server, _)) => server.ip.to_string(),
            None => self.say("end.side", &[("side", self.speaker.word(side.name()))]),
        };
        self.say(&format!("end.{}", how.name()), &[("who", &who)])
    }

    /// Where and when.
    fn places(&self, incident: &Incident) -> String {
        let shared = &incident.shared;
        let mut parts = Vec::new();
        parts.push(self.say("shared.servers", &[("names", &self.names(&shared.servers, ToString::to_string))]));
        if shared.hosts.total() > 0 {
            parts.push(self.say("shared.hosts", &[("names", &self.names(&shared.hosts, |host| printable(host)))]));
        }
        let key = if shared.clients.has_more() { "shared.clients_more" } else { "shared.clients" };
        parts.push(self.say(key, &[("count", &self.number(shared.clients.count()))]));
        if let Some((first, last)) = incident.span {
            parts.push(self.say("shared.time", &[("from", &clock(first)), ("to", &clock(last))]));
        }
        self.row(&parts)
    }

    /// An event, what it most likely was, and who came back after it.
    pub(super) fn event(&self, event: &Event, herd: Option<&Herd>) -> Vec<String> {
        let (count, closings) = (self.number(event.count), self.closings(event));
        let server = event.servers.first().map(ToString::to_string).unwrap_or_default();
        let (time, until) = (clock(event.start), clock(event.end));
        let (span, number) = (self.span(event.duration_s()), self.number(event.servers.len() as u64));
        let names: Vec<String> = event.servers.iter().map(ToString::to_string).collect();
        let names = self.some(&names, names.len().saturating_sub(NAMES) as u64);
        let open = event.open.map(|open| self.number(open)).unwrap_or_default();
        let values = [
            ("time", &*time),
            ("until", &until),
            ("server", &server),
            ("count", &count),
            ("open", &open),
            ("span", &span),
            ("number", &number),
            ("names", &names),
            ("closings", &closings),
        ];
        let key = match event.kind {
            EventKind::Rolling | EventKind::Drain | EventKind::NetworkCut => event.kind.name(),
            _ if event.open.is_some() => "burst",
            _ => "burst_unknown",
        };
        let mut lines = vec![self.say(&format!("event.{key}"), &values)];
        lines.push(self.say(&format!("event.kind.{}", event.kind.name()), &[]));
        lines.extend(herd.map(|herd| self.herd(herd)));
        lines
    }

    fn herd(&self, herd: &Herd) -> String {
        let width = herd.span.1.seconds_since(herd.span.0);
        let values = [
            ("count", &*self.number(herd.count)),
            ("clients", &self.number(herd.clients)),
            ("span", &self.span(width)),
            ("delay", &self.span(herd.delay.1)),
            ("failed", &self.number(herd.failed)),
        ];
        self.say("event.herd", &values)
    }

    /// A client that comes back.
    pub(super) fn series(&self, series: &Series) -> String {
        let (least, median, most) = series.pause;
        let values = [
            ("client", &*series.client.to_string()),
            ("server", &series.server.to_string()),
            ("attempts", &self.number(series.attempts)),
            ("failed", &self.number(series.failed)),
            ("pause", &self.span(median)),
            ("from", &self.span(least)),
            ("to", &self.span(most)),
        ];
        self.say(&format!("reconnect.{}", series.backoff.name()), &values)
    }

    /// What a client should do instead.
    pub(super) fn advice(&self) -> String {
        self.say("reconnect.advice", &[])
    }

    /// How many are left for the JSON output.
    pub(super) fn more(&self, of: &str, count: u64) -> String {
        self.say(&format!("{of}.more"), &[("count", &self.number(count))])
    }

    /// What a file of known findings left out, and what of it fits nothing.
    pub(super) fn ignored(&self, ignored: &Ignored) -> Vec<String> {
        let mut lines =
            vec![self.say("ignored.found", &[("file", &*ignored.file), ("count", &self.number(ignored.connections))])];
        let unused: Vec<&IgnoredEntry> = ignored.unused().collect();
        let expired: Vec<&IgnoredEntry> = ignored.expired().collect();
        for (key, entries) in [("ignored.unused", unused), ("ignored.expired", expired)] {
            if !entries.is_empty() {
                let numbers: Vec<String> = entries.iter().map(|entry| entry.line.to_string()).collect();
                let lines_of = self.some(&numbers, numbers.len().saturating_sub(NAMES) as u64);
                lines.push(self.say(key, &[("file", &*ignored.file), ("lines", &lines_of)]));
            }
        }
        lines
    }

    /// A label of this page.
    pub(super) fn label(&self, key: &str) -> String {
        self.say(&format!("label.{key}"), &[])
    }

    fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.speaker.of_many(key, values)
    }

    fn number(&self, count: u64) -> String {
        self.speaker.number(count)
    }

    /// A span of time; one too short to be measured as the shortest that is.
    fn span(&self, seconds: f64) -> String {
        self.speaker.span(seconds.max(0.001))
    }

    /// How the ends of an event looked, each with its number.
    fn closings(&self, event: &Event) -> String {
        let face = |closing: &Closing| match closing {
            Closing::Code(code) => format!("{code} {}", code_name(*code)),
            Closing::EmptyClose => self.speaker.say("face.empty").to_owned(),
            Closing::NoClose => {
                let how = [HowEnded::Fin, HowEnded::Rst].into_iter().find(|how| event.how.of(how) == event.how.total());
                let how = how.filter(|_| event.how.total() > 0).map(|how| how.name().to_uppercase());
                let none = self.speaker.say("face.none");
                how.map_or_else(|| none.to_owned(), |how| format!("{how}, {none}"))
            }
            Closing::Rejected(status) => format!("HTTP {status}"),
            Closing::NoHandshake => self.speaker.say("face.no_handshake").to_owned(),
            Closing::Hidden => self.speaker.say("face.encrypted").to_owned(),
            Closing::Open => self.speaker.say("face.open").to_owned(),
        };
        let kinds = event.closings.by_count();
        if let [(closing, _)] = kinds[..] {
            return face(closing);
        }
        let of = |(closing, count): &(&Closing, u64)| format!("{} × {}", self.number(*count), face(closing));
        kinds.iter().take(CLOSINGS).map(of).collect::<Vec<_>>().join(", ")
    }

    /// The most frequent values, and how many more there are.
    fn names<T: Ord + Clone>(&self, tally: &Tally<T>, name: impl Fn(&T) -> String) -> String {
        let all: Vec<String> = tally.by_count().into_iter().map(|(value, _)| name(value)).collect();
        let more = all.len().saturating_sub(NAMES) as u64;
        self.some(&all, more)
    }

    fn some(&self, all: &[String], more: u64) -> String {
        let names = all.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
        match more {
            0 => names,
            more => self.speaker.say_with("head.and_more", &[("names", &names), ("count", &self.number(more))]),
        }
    }

    fn row(&self, items: &[String]) -> String {
        let join = |first: String, second: &String| {
            self.speaker.say_with("punctuation.list", &[("first", &first), ("second", second)])
        };
        items.split_first().map(|(first, rest)| rest.iter().fold(first.clone(), join)).unwrap_or_default()
    }
}

/// The value that all `count` have.
fn only(tally: &Tally<String>, count: u64) -> Option<&String> {
    tally.most().filter(|(_, times)| *times == count).map(|(value, _)| value)
}

/// The largest events in the order of time, each with its place among all.
pub(super) fn largest(events: &[Event]) -> Vec<(usize, &Event)> {
    let mut all: Vec<(usize, &Event)> = events.iter().enumerate().collect();
    all.sort_by_key(|(_, event)| std::cmp::Reverse(event.count));
    all.truncate(EVENTS);
    all.sort_by_key(|(place, _)| *place);
    all
}

/// The crowd that came back after an event.
pub(super) fn herd_after(reconnects: &Reconnects, event: usize) -> Option<&Herd> {
    reconnects.herds.iter().find(|herd| herd.event == event)
}

/// The time of day with milliseconds, in UTC.
fn clock(at: Timestamp) -> String {
    at.to_string().get(11..23).unwrap_or_default().to_owned()
}
