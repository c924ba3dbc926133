//! Facts about the devices on the path: which the handshake gives away, and whose limits fit the way the connection ended.

use super::{Answer, View, absent, end, handshake, int, loss, or_unknown, seconds, text, unknown, word};
use crate::connection::{ClosePayload, EndSignal, EndSignalKind, Silence};
use crate::evidence::{Known, Subject, Value, WhyUnknown};
use crate::middlebox::{Candidate, Cut, Ending, Grade, Layer, Recognised};
use crate::units::{Origin, Side};

/// What the table of devices says of the end of one connection.
#[derive(Debug)]
pub(in crate::evidence) struct Devices {
    /// How it ended, and what fits; `None` where there was no end that a device may have made.
    end: Result<Option<Fitting>, WhyUnknown>,
    /// How it ended presumes something of the time before the capture.
    presumed: bool,
}

/// The limits that fit an end, the best first.
#[derive(Debug)]
struct Fitting {
    /// The packets between which the silence lasted.
    quiet: [Option<Origin>; 2],
    idle: Vec<Candidate>,
    lifetime: Vec<Candidate>,
    /// The timer that the silence is as good as, of a device or just a round one.
    idle_timer: Option<f64>,
    /// The same of the lifetime.
    lifetime_timer: Option<f64>,
    /// The longest silence that it outlived, if that was clearly longer than the last.
    outlived: Option<f64>,
}

impl Devices {
    pub(in crate::evidence) fn of(view: &View<'_>) -> Self {
        let (table, shown) = (&view.subject.tables.middleboxes, || view.subject.shown());
        let end = ending(view).map(|found| {
            let (ending, quiet) = found?;
            let idle = if table.has_idle_limit(&ending) { table.match_idle(shown(), &ending) } else { Vec::new() };
            let has_lifetime_limit = table.has_lifetime_limit(&ending);
            let lifetime = if has_lifetime_limit { table.match_lifetime(shown(), &ending) } else { Vec::new() };
            let outlived = ending.silence.is_some_and(|silence| ending.outlived(silence, silence, false));
            let round_idle = || table.round_idle(ending.silence.filter(|_| ending.cut != Cut::Forgotten && !outlived)?);
            let round_lifetime = || table.round_lifetime(ending.lifetime?);
            Some(Fitting {
                quiet,
                idle_timer: idle.first().map(|found| found.seconds).or_else(round_idle),
                lifetime_timer: lifetime.first().map(|found| found.seconds).or_else(round_lifetime),
                outlived: ending.survived.filter(|_| outlived),
                idle,
                lifetime,
            })
        });
        Self { end, presumed: view.presumed.get() }
    }
}

/// The limits to what is left at a reload that fit the end.
pub(in crate::evidence) fn drains(view: &View<'_>) -> Vec<Candidate> {
    let (table, found) = (&view.subject.tables.middleboxes, ending(view));
    found.ok().flatten().map_or_else(Vec::new, |(ending, _)| table.match_drain(view.subject.shown(), &ending))
}

/// How the connection ended, and the packets around the silence before.
type Ended<'a> = (Ending<'a>, [Option<Origin>; 2]);

/// How the connection ended; `None` where that was nothing that a device on the path does.
fn ending<'a>(view: &View<'a>) -> Result<Option<Ended<'a>>, WhyUnknown> {
    let Some(end) = view.end else {
        return view.unseen_end().map_or(Ok(None), Err);
    };
    let Some(cut) = cut(view, end)? else { return Ok(None) };
    let idle_before = known(loss::idle_before_s(view))?.filter(|_| cut == Cut::Forgotten);
    let of_both = end::silence_s(view);
    let silence_of = |side: Side| silence_of(view, side, || of_both.value.clone());
    let silence = known(of_both.clone())?;
    let probes = |side: Side| view.connection.tcp[side].anomalies().keep_alive_span.map(|(_, last)| last.packet);
    let probed = Side::BOTH.into_iter().filter_map(probes);
    let mut probed = probed.map(|last| end.quiet_since.is_none_or(|since| last > since.packet));
    let (probed_ever, probed) =
        (view.connection.tcp.iter().any(|(_, tcp)| tcp.keep_alives > 0), probed.any(|late| late));
    let handshake = &view.connection.handshake;
    let mut ending = Ending {
        cut,
        by: end.by,
        silence,
        client_silence: known(silence_of(Side::Client))?,
        server_silence: known(silence_of(Side::Server))?,
        idle_before,
        probed,
        lifetime: known(super::whole::lifetime_s(view)).ok().flatten(),
        survived: None,
        handshake_seen: handshake.request.is_some() && handshake.response.is_some(),
    };
    let since =
        if cut == Cut::Forgotten { loss::last_bytes(view)?.and_then(|(_, since)| since) } else { end.quiet_since };
    // What forgets counts packets: probes may have kept it through an earlier silence. The silence that it did not survive
    // ended with the words that nobody took.
    let counts = |longest: &Silence| {
        cut != Cut::Forgotten || (!probed_ever && since.is_none_or(|since| longest.until.packet < since.packet))
    };
    if let Some((longest, is_whole)) = longest_silence(view).filter(|(longest, _)| counts(longest)) {
        ending.survived = Some(longest.seconds);
        let questioned = silence.is_some_and(|silence| ending.outlived(silence, silence, false));
        if questioned && !is_whole {
            return Err(WhyUnknown::Gap);
        }
    }
    Ok(Some((ending, [since, Some(end.at)])))
}

/// What cut it; `None` when that is nothing that a device on the path does to a WebSocket.
fn cut<'a>(view: &View<'a>, end: &EndSignal) -> Result<Option<Cut<'a>>, WhyUnknown> {
    Ok(match end.kind {
        EndSignalKind::CloseFrame => {
            view.ender()?;
            match view.connection.traffic[end.by].close.as_ref().map(|close| &close.payload) {
                Some(ClosePayload::Status { code, reason }) => Some(Cut::Close(code.0, reason.as_bytes())),
                Some(ClosePayload::Empty | ClosePayload::OneByte(_)) | None => Some(Cut::Close(NO_CODE, b"")),
            }
        }
        EndSignalKind::Fin | EndSignalKind::CloseNotify => view.tcp_end()?.map(|_| Cut::Fin),
        EndSignalKind::Rst => {
            view.tcp_end()?;
            let forgotten = view.connection.tcp[end.by].rst_without_ack;
            let idle = known(loss::idle_before_s(view))?.is_some_and(|idle| idle >= FORGETS_AFTER_SECONDS);
            Some(if forgotten && idle { Cut::Forgotten } else { Cut::Rst })
        }
        EndSignalKind::TlsAlert | EndSignalKind::HandshakeRejected => None,
    })
}

/// What an application is told of an empty Close frame (RFC 6455 §7.1.5); no device sends it.
const NO_CODE: u16 = 1005;

/// No device forgets a connection sooner.
const FORGETS_AFTER_SECONDS: f64 = 25.0;

/// The number of a fact, or why there is none; `None` when it is absent.
fn known(answer: Answer) -> Result<Option<f64>, WhyUnknown> {
    match answer.value {
        Known::Seen(value) => Ok(value.number()),
        Known::Absent => Ok(None),
        Known::Unknown(why) => Err(why),
    }
}

/// The longest silence before the last one, and whether nothing is missing in it.
fn longest_silence(view: &View<'_>) -> Option<(Silence, bool)> {
    let longest = *view.connection.longest_silence.as_deref()?;
    let hidden = |side: Side| {
        let sides = &view.connection.visibility[side];
        let mut holes = sides.holes().iter();
        let unplaced = sides.gap.is_some() && sides.holes().is_empty();
        unplaced
            || holes.any(|hole| {
                hole.reaches(longest.since.packet) && hole.after.is_none_or(|after| after < longest.until.packet)
            })
    };
    Some((longest, !Side::BOTH.into_iter().any(hidden)))
}

pub(in crate::evidence) fn longest_silence_s(view: &View<'_>) -> Answer {
    match longest_silence(view) {
        _ if view.is_one_sided() => unknown(WhyUnknown::OneSided),
        Some((longest, true)) => seconds(Some(longest.seconds)).at([longest.since, longest.until]),
        Some((_, false)) => unknown(WhyUnknown::Gap),
        None => seconds(Some(0.0)),
    }
}

/// Absent when all that `side` sent is in the capture.
fn unwatched(view: &View<'_>, side: Side) -> Known<Value> {
    view.bytes_of(side).map_or_else(Known::Unknown, |()| Known::Absent)
}

/// Seconds without a payload byte of one side before the end; `of_both`: without one of either.
fn silence_of(view: &View<'_>, side: Side, of_both: impl FnOnce() -> Known<Value>) -> Answer {
    let connection = view.connection;
    let (since, until) = match view.end {
        Some(end) => (end.quiet_since_of[side], Some(end.at)),
        None => (connection.last_payload_of[side], connection.open_until),
    };
    if connection.visibility[side].one_sided {
        return unknown(WhyUnknown::OneSided);
    }
    // What hides when it ended, or that it was silent at all, hides this as well.
    let common = if since.is_some() { of_both() } else { unwatched(view, side) };
    if let Known::Unknown(why) = common {
        return unknown(why);
    }
    let (Some(since), Some(until)) = (since, until) else { return absent() };
    if view.has_hole_after(side, since) {
        return unknown(view.why_missing(side));
    }
    seconds(until.seconds_since(&since)).at([since, until])
}

pub(in crate::evidence) fn client_silence_s(view: &View<'_>) -> Answer {
    silence_of(view, Side::Client, || end::silence_s(view).value)
}

pub(in crate::evidence) fn server_silence_s(view: &View<'_>) -> Answer {
    silence_of(view, Side::Server, || end::silence_s(view).value)
}

// The devices that the handshake gives away.

/// What is said where no device shows itself: nothing, unless the heads are not all there.
fn nobody(view: &View<'_>) -> Answer {
    match handshake::server(view).value {
        Known::Unknown(why) => unknown(why),
        Known::Seen(_) | Known::Absent => absent(),
    }
}

fn on_the_path<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Recognised> {
    view.subject.shown().iter().filter(|seen| seen.device.layer != Layer::Service)
}

pub(in crate::evidence) fn proxy_device(view: &View<'_>) -> Answer {
    let mut titles = List::default();
    on_the_path(view).for_each(|seen| titles.add(&seen.device.title));
    titles.answer().map_or_else(|| nobody(view), |answer| answer.at(on_the_path(view).map(|seen| seen.at)))
}

pub(in crate::evidence) fn proxy_side(view: &View<'_>) -> Answer {
    match on_the_path(view).next() {
        Some(seen) => super::side(seen.side).at([seen.at]),
        None => nobody(view),
    }
}

// The limits that fit.

fn of_end(view: &View<'_>, ask: impl FnOnce(&Fitting) -> Answer) -> Answer {
    let Devices { end, presumed } = view.subject.devices();
    if *presumed {
        view.presumed.set(true);
    }
    or_unknown(end.as_ref().map_err(|why| *why).map(|end| end.as_ref().map_or_else(absent, ask)))
}

/// Asks the best of the limits that fit, when its device shows itself.
fn of_recognised(
    view: &View<'_>,
    of: for<'a> fn(&'a Fitting, &'a Subject) -> &'a [Candidate],
    ask: impl FnOnce(&Candidate) -> Option<Answer>,
) -> Answer {
    of_end(view, |fitting| match of(fitting, view.subject).first().filter(|found| found.recognised) {
        Some(found) => ask(found).unwrap_or_else(absent),
        None => nobody(view),
    })
}

fn idle<'a>(fitting: &'a Fitting, _: &'a Subject) -> &'a [Candidate] {
    &fitting.idle
}

fn lifetime<'a>(fitting: &'a Fitting, _: &'a Subject) -> &'a [Candidate] {
    &fitting.lifetime
}

fn drain<'a>(_: &'a Fitting, subject: &'a Subject) -> &'a [Candidate] {
    subject.drains()
}

fn title(found: &Candidate) -> Option<Answer> {
    (found.device.layer != Layer::Service).then(|| text(&found.device.title))
}

fn setting(found: &Candidate) -> Option<Answer> {
    found.limit().setting.as_ref().map(|setting| text(setting))
}

/// Whether somebody has said so: what nobody has verified is a guess, even of a device that shows itself.
fn is_vouched(found: &Candidate) -> bool {
    found.limit().grade != Grade::Unverified
}

/// How a value is written that would have been enough.
fn snippet(found: &Candidate, rhythm: Option<f64>) -> Option<String> {
    Some(found.limit().snippet.as_ref()?.with(found.limit().raised(found.seconds, rhythm)?))
}

/// Seconds between the Pings, or the heartbeats, of whoever sends them more often.
fn rhythm(view: &View<'_>) -> Option<f64> {
    let sides = view.connection.traffic.iter();
    let of = sides
        .flat_map(|(_, traffic)| traffic.heartbeats().filter_map(|beat| beat.period()).chain(traffic.pings.interval()));
    of.min_by(f64::total_cmp)
}

/// The limits of devices by name, as many as a sentence takes.
fn list(candidates: &[Candidate]) -> Answer {
    let mut names = List::default();
    for found in candidates {
        let setting = found.limit().setting.as_deref().map_or_else(String::new, |setting| format!(" {setting}"));
        let doubt = if found.limit().grade == Grade::Unverified { " (?)" } else { "" };
        names.add(&format!("{}{setting}{doubt}", found.device.title));
    }
    names.answer().unwrap_or_else(absent)
}

/// Names, joined and bounded.
#[derive(Default)]
struct List(String, usize);

impl List {
    /// Characters and names that a sentence takes.
    const MAX: (usize, usize) = (150, 5);

    fn add(&mut self, name: &str) {
        if self.1 < Self::MAX.1 && self.0.chars().count() + name.chars().count() + 2 <= Self::MAX.0 {
            if self.1 > 0 {
                self.0.push_str(", ");
            }
            self.0.push_str(name);
            self.1 += 1;
        }
    }

    fn answer(&self) -> Option<Answer> {
        (self.1 > 0).then(|| text(&self.0))
    }
}

pub(in crate::evidence) fn idle_limit_s(view: &View<'_>) -> Answer {
    of_end(view, |fitting| match fitting.idle_timer {
        Some(timer) => seconds(Some(timer)).at(fitting.quiet.into_iter().flatten()),
        None => absent(),
    })
}

pub(in crate::evidence) fn idle_survived_s(view: &View<'_>) -> Answer {
    of_end(view, |fitting| match (view.connection.longest_silence.as_deref(), fitting.outlived) {
        (Some(longest), Some(outlived)) => seconds(Some(outlived)).at([longest.since, longest.until]),
        _ => absent(),
    })
}

pub(in crate::evidence) fn idle_candidates(view: &View<'_>) -> Answer {
    of_end(view, |fitting| list(&fitting.idle))
}

pub(in crate::evidence) fn idle_device(view: &View<'_>) -> Answer {
    of_recognised(view, idle, title)
}

pub(in crate::evidence) fn idle_setting(view: &View<'_>) -> Answer {
    of_recognised(view, idle, setting)
}

pub(in crate::evidence) fn idle_snippet(view: &View<'_>) -> Answer {
    of_recognised(view, idle, |found| snippet(found, rhythm(view)).map(|written| text(&written)))
}

pub(in crate::evidence) fn idle_fixed_by(view: &View<'_>) -> Answer {
    of_recognised(view, idle, |found| {
        let fixed = found.limit().raised(found.seconds, rhythm(view)).is_none();
        fixed.then(|| text(&found.device.title))
    })
}

pub(in crate::evidence) fn idle_examples(view: &View<'_>) -> Answer {
    of_end(view, |fitting| {
        let known = |found: &&Candidate| found.limit().grade != Grade::Unverified;
        if fitting.idle.first().is_some_and(|found| found.recognised) {
            return absent();
        }
        let mut examples = List::default();
        for found in fitting.idle.iter().filter(known) {
            if let Some(written) = snippet(found, rhythm(view)) {
                examples.add(&format!("{}: {written}", found.device.title));
            }
        }
        examples.answer().unwrap_or_else(absent)
    })
}

pub(in crate::evidence) fn idle_ping_interval(view: &View<'_>) -> Answer {
    of_end(view, |fitting| match fitting.idle_timer {
        Some(timer) => int((timer / 2.0).clamp(1.0, PING_SECONDS) as u64),
        None => absent(),
    })
}

/// As often as that suits every timer that is longer than a minute.
const PING_SECONDS: f64 = 30.0;

pub(in crate::evidence) fn idle_rhythm_s(view: &View<'_>) -> Answer {
    or_unknown(loss::last_bytes(view).and_then(|found| {
        let Some((sender, Some(since))) = found else { return Ok(absent()) };
        view.frames_of(sender)?;
        let Some(quiet) = known(loss::idle_before_s(view))? else { return Ok(absent()) };
        let rhythm = view.connection.traffic[sender].pings.rhythm_before(since);
        Ok(match rhythm.filter(|(_, interval)| quiet >= LEFT_OUT * interval) {
            Some((last, interval)) => seconds(Some(interval)).at([last, since]),
            None => absent(),
        })
    }))
}

/// With a pause of so many intervals two Pings or more were left out.
const LEFT_OUT: f64 = 2.9;

pub(in crate::evidence) fn lifetime_limit_s(view: &View<'_>) -> Answer {
    of_end(view, |fitting| match fitting.lifetime_timer {
        Some(limit) => seconds(Some(limit)).at(view.end.map(|end| end.at)),
        None => or_unknown(known(super::whole::lifetime_s(view)).map(|_| absent())),
    })
}

pub(in crate::evidence) fn lifetime_candidates(view: &View<'_>) -> Answer {
    of_end(view, |fitting| list(&fitting.lifetime))
}

pub(in crate::evidence) fn lifetime_device(view: &View<'_>) -> Answer {
    of_recognised(view, lifetime, |found| is_vouched(found).then(|| text(&found.device.title)))
}

pub(in crate::evidence) fn lifetime_by(view: &View<'_>) -> Answer {
    of_recognised(view, lifetime, |found| {
        Some(word(if found.device.layer == Layer::Service { "server" } else { "proxy" }))
    })
}

pub(in crate::evidence) fn lifetime_setting(view: &View<'_>) -> Answer {
    of_recognised(view, lifetime, setting)
}

pub(in crate::evidence) fn lifetime_snippet(view: &View<'_>) -> Answer {
    of_recognised(view, lifetime, |found| snippet(found, None).map(|written| text(&written)))
}

pub(in crate::evidence) fn drain_device(view: &View<'_>) -> Answer {
    of_recognised(view, drain, title)
}

pub(in crate::evidence) fn drain_setting(view: &View<'_>) -> Answer {
    of_recognised(view, drain, setting)
}

pub(in crate::evidence) fn drain_snippet(view: &View<'_>) -> Answer {
    of_recognised(view, drain, |found| snippet(found, None).map(|written| text(&written)))
}
