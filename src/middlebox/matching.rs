//! How a connection ended, held against the limits of the devices.

use super::{
    CloseMark, Counts, CutKind, Device, Grade, Layer, Limit, LimitKind, Middleboxes, Recognised, Round, Shortest,
};
use crate::units::Side;
use std::sync::Arc;

/// How a connection ended. Seconds are `None` where the capture cannot tell, or the side never spoke.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The first sign.
    pub cut: Cut<'a>,
    /// Who gave it.
    pub by: Side,
    /// Without a payload byte of either side before it.
    pub silence: Option<f64>,
    /// Without one of the client.
    pub client_silence: Option<f64>,
    /// Without one of the server.
    pub server_silence: Option<f64>,
    /// Without any packet, before the last words that nobody took.
    pub idle_before: Option<f64>,
    /// TCP keep-alives went in that silence.
    pub probed: bool,
    /// From the 101 on.
    pub lifetime: Option<f64>,
    /// The longest silence that the connection outlived.
    pub survived: Option<f64>,
    /// The opening handshake is in the capture: a device that always shows itself there and does not is not there.
    pub handshake_seen: bool,
}

/// The first sign of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut<'a> {
    /// TCP FIN.
    Fin,
    /// TCP RST.
    Rst,
    /// The last words were answered with a RST of a host that does not know the connection.
    Forgotten,
    /// A Close frame with this code and reason.
    Close(u16, &'a [u8]),
}

/// Why a limit fits, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is a default.
    Default,
    /// It is what packages and guides set.
    Usual,
    /// It is a round time, on a device that was recognised and can be set to it.
    Set,
    /// It is a shorter time: the device forgets the connection then, and shows it at the next packet.
    Passed,
}

/// A limit that an end fits.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Whose limit.
    pub device: Arc<Device>,
    /// Its position among the device's limits.
    index: usize,
    /// Its value, in seconds.
    pub seconds: f64,
    /// Why it fits.
    pub fit: Fit,
    /// The handshake gives the device away.
    pub recognised: bool,
}

impl Candidate {
    /// Which limit.
    #[must_use]
    pub fn limit(&self) -> &Limit {
        &self.device.limits[self.index]
    }
}

/// Whether a time is as good as a timer's: no further away than half a second or 0.2 %, whichever is more. Timers fire a
/// little late, and a capture's clock is not the timer's.
fn is_near(seconds: f64, timer: f64) -> bool {
    (seconds - timer).abs() <= slack(timer)
}

fn slack(timer: f64) -> f64 {
    (timer * 0.002).max(0.5)
}

/// How much longer than the last silence an earlier one must have been to say that no timer ended the last one.
const JITTER: f64 = 0.5;

/// A connection that was silent for less than that is in use: hardly an idle timer is shorter.
const IN_USE_SECONDS: f64 = 10.0;

impl Shortest {
    /// What the shortest limits of these devices, and the shortest of round times, leave.
    pub(super) fn of(devices: &[Arc<Device>], round: &Round) -> Self {
        let of = |kind: LimitKind, round: &[f64]| {
            let limits = devices.iter().flat_map(|device| &device.limits).filter(|limit| limit.kind == kind);
            let values = limits.flat_map(|limit| {
                let values = limit.seconds.iter().chain(&limit.usual);
                values.map(|timer| timer - slack(*timer).max(limit.tolerance))
            });
            let round = round.iter().map(|timer| timer - slack(*timer));
            // Differences may be off by a rounding.
            values.chain(round).fold(f64::INFINITY, f64::min) - 0.001
        };
        Self { idle: of(LimitKind::Idle, &round.idle), lifetime: of(LimitKind::Lifetime, &round.lifetime) }
    }
}

impl Middleboxes {
    /// Whether any idle timer may have ended a connection so. Most are in use when they end, and nobody needs to know which
    /// devices were on their way.
    #[must_use]
    pub fn has_idle_limit(&self, ending: &Ending<'_>) -> bool {
        let Ending { silence, client_silence, server_silence, .. } = ending;
        let mut silences = [silence, client_silence, server_silence].into_iter().flatten();
        ending.cut == Cut::Forgotten || silences.any(|seconds| *seconds >= self.shortest.idle)
    }

    /// Whether any lifetime limit may have ended a connection so.
    #[must_use]
    pub fn has_lifetime_limit(&self, ending: &Ending<'_>) -> bool {
        ending.lifetime.is_some_and(|lifetime| lifetime >= self.shortest.lifetime)
    }

    /// The round idle time that a silence is as good as.
    #[must_use]
    pub fn round_idle(&self, silence: f64) -> Option<f64> {
        self.round.idle.iter().copied().find(|timer| is_near(silence, *timer))
    }

    /// The round age that a lifetime is as good as.
    #[must_use]
    pub fn round_lifetime(&self, lifetime: f64) -> Option<f64> {
        self.round.lifetime.iter().copied().find(|timer| is_near(lifetime, *timer))
    }

    /// The idle timers that may have ended a connection so: those of recognised devices first, then the best known.
    #[must_use]
    pub fn match_idle(&self, seen: &[Recognised], ending: &Ending<'_>) -> Vec<Candidate> {
        self.matched(seen, LimitKind::Idle, ending, |device, limit, known| self.idle_fit(device, limit, known, ending))
    }

    /// The lifetime limits that may have ended a connection so, in the same order.
    #[must_use]
    pub fn match_lifetime(&self, seen: &[Recognised], ending: &Ending<'_>) -> Vec<Candidate> {
        let lifetime = ending.lifetime;
        self.matched(seen, LimitKind::Lifetime, ending, |_, limit, known| {
            let lifetime = lifetime?;
            let near = |timer: &&f64| is_near(lifetime, **timer) || (lifetime - **timer).abs() <= limit.tolerance;
            if let Some(seconds) = limit.seconds.iter().find(near) {
                return Some((*seconds, Fit::Default));
            }
            // Whatever can be set to any value must have ended a connection in use, or an idle timer is as good.
            let in_use = ending.silence.is_some_and(|silence| silence < IN_USE_SECONDS.min(lifetime / 2.0));
            let possible = known && limit.is_settable() && in_use;
            self.round_lifetime(lifetime).filter(|_| possible).map(|seconds| (seconds, Fit::Set))
        })
    }

    /// The limits of recognised devices to what is left at a reload, when one may have ended a connection so.
    #[must_use]
    pub fn match_drain(&self, seen: &[Recognised], ending: &Ending<'_>) -> Vec<Candidate> {
        self.matched(seen, LimitKind::Drain, ending, |_, limit, known| {
            known.then(|| (limit.seconds.first().copied().unwrap_or(0.0), Fit::Default))
        })
    }

    fn matched(
        &self,
        seen: &[Recognised],
        kind: LimitKind,
        ending: &Ending<'_>,
        fit: impl Fn(&Device, &Limit, bool) -> Option<(f64, Fit)>,
    ) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for &(device, index) in &self.limits[kind as usize] {
            let device = &self.devices[device];
            let limit = &device.limits[index];
            if !limit.ends_so(ending) {
                continue;
            }
            let is_this = |seen: &Recognised| Arc::ptr_eq(&seen.device, device) && seen.side == ending.by;
            let recognised = seen.iter().any(is_this);
            // What shows itself and is not seen at this end is not there; and anybody may send a Close frame.
            let shows = device.layer == Layer::Service || (device.always_shows && ending.handshake_seen);
            let is_there = recognised || !(shows || matches!(ending.cut, Cut::Close(..)));
            if is_there && let Some((seconds, fit)) = fit(device, limit, recognised) {
                candidates.push(Candidate { device: Arc::clone(device), index, seconds, fit, recognised });
            }
        }
        candidates.sort_by_key(|found| (!found.recognised, found.fit, found.limit().grade));
        candidates
    }

    fn idle_fit(&self, device: &Device, limit: &Limit, known: bool, ending: &Ending<'_>) -> Option<(f64, Fit)> {
        if ending.cut == Cut::Forgotten {
            let idle = ending.idle_before?;
            let passed = |timer: &&f64| **timer <= idle + JITTER;
            let seconds = limit.seconds.iter().copied().filter(|timer| passed(&timer)).max_by(f64::total_cmp)?;
            let fit = if is_near(idle, seconds) { Fit::Default } else { Fit::Passed };
            return Some((seconds, fit)).filter(|_| !ending.outlived(seconds, idle, true));
        }
        if device.layer == Layer::Tcp && ending.probed {
            return None;
        }
        let silence = match limit.counts {
            Counts::Either => ending.silence,
            Counts::FromServer => ending.server_silence,
            Counts::FromClient => ending.client_silence,
        }?;
        if limit.counts == Counts::Either && ending.outlived(silence, silence, known) {
            return None;
        }
        // The other side may have talked on: only a device that is there, and known to do so, explains that.
        if limit.counts != Counts::Either && (!known || limit.grade == Grade::Unverified) {
            return None;
        }
        let near = |timers: &[f64]| timers.iter().copied().find(|timer| is_near(silence, *timer));
        if let Some(seconds) = near(&limit.seconds) {
            return Some((seconds, Fit::Default));
        }
        if let Some(seconds) = near(&limit.usual) {
            return Some((seconds, Fit::Usual));
        }
        self.round_idle(silence)
            .filter(|seconds| {
                let possible = limit.range.as_ref().is_some_and(|range| range.contains(seconds));
                known && limit.is_settable() && possible
            })
            .map(|seconds| (seconds, Fit::Set))
    }
}

impl Ending<'_> {
    /// Whether the connection had outlived a silence that a timer of `seconds` would have ended. Of a device that is known
    /// to be there, one as long says nothing: something was sent at the last moment.
    #[must_use]
    pub fn outlived(&self, seconds: f64, silence: f64, known: bool) -> bool {
        let margin = if known { JITTER } else { -JITTER.min(silence * 0.01) };
        self.survived.is_some_and(|survived| survived > seconds + margin)
    }
}

impl Limit {
    /// Whether it ends connections the way this one ended, as far as that is known.
    fn ends_so(&self, ending: &Ending<'_>) -> bool {
        // Who ends it from the server's side is seen on its leg to the client.
        let ways = if ending.by == Side::Server { &self.client } else { &self.upstream };
        let is = |way: CutKind| ways.contains(&way);
        match ending.cut {
            Cut::Fin => ways.is_empty() || is(CutKind::Fin),
            Cut::Rst => ways.is_empty() || is(CutKind::Rst),
            Cut::Forgotten => is(CutKind::Forget),
            Cut::Close(code, reason) => {
                let fits = |close: &CloseMark| {
                    close.code == code && (reason.is_empty() || close.reason.as_bytes().eq_ignore_ascii_case(reason))
                };
                is(CutKind::Close) && self.close.as_ref().is_some_and(fits)
            }
        }
    }
}
