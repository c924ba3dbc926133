//! Facts about what the other connections of the capture say: who ended with this one, after the same silence, at the same
//! age, and how the other leg of the same WebSocket ended.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, unknown, word};
use crate::connection::{EndSignal, EndSignalKind};
use crate::crowd::{Alike, AlsoShared, Blind, Company, LegEnd, OtherLeg, Party, Together};
use crate::evidence::WhyUnknown;
use crate::units::{Origin, Side};

fn why(blind: Blind) -> WhyUnknown {
    match blind {
        Blind::Limit => WhyUnknown::Limit,
        Blind::NoTime => WhyUnknown::NoTime,
        Blind::ClockStep => WhyUnknown::ClockStep,
        Blind::CaptureEnded => WhyUnknown::CaptureEnded,
    }
}

/// Asks those at the host that ended the connection; nobody else ends with one that was never upgraded or goes on.
fn of_company(view: &View<'_>, ask: impl FnOnce(&Company, &Origin) -> Answer) -> Answer {
    if !view.is_open() {
        return absent();
    }
    let Some(end) = view.end else { return view.no_end() };
    let around = &view.subject.around;
    or_unknown(view.ender().map(|_| match (&around.company, around.blind) {
        (Some(company), _) => ask(company, &end.at),
        (None, Some(blind)) => unknown(why(blind)),
        (None, None) => absent(),
    }))
}

fn of_together(view: &View<'_>, ask: impl FnOnce(&Together, &Origin) -> Answer) -> Answer {
    of_company(view, |company, end| company.together.as_ref().map_or_else(absent, |together| ask(together, end)))
}

pub(in crate::evidence) fn ended_together(view: &View<'_>) -> Answer {
    of_together(view, |together, end| int(together.others).at([together.span.0, *end, together.span.1]))
}

pub(in crate::evidence) fn ended_within_s(view: &View<'_>) -> Answer {
    of_together(view, |Together { span: (first, last), .. }, _| seconds(last.seconds_since(first)).at([*first, *last]))
}

pub(in crate::evidence) fn also_shared(view: &View<'_>) -> Answer {
    of_together(view, |together, _| {
        word(match together.also_shared {
            AlsoShared::Silence => "silence",
            AlsoShared::Lifetime => "lifetime",
            AlsoShared::Nothing => "nothing",
        })
    })
}

pub(in crate::evidence) fn open_then(view: &View<'_>) -> Answer {
    of_company(view, |company, _| match company.went_on {
        Ok(others) => int(others),
        Err(blind) => unknown(why(blind)),
    })
}

fn verdict(answer: Option<Result<bool, Blind>>) -> Answer {
    match answer {
        None => absent(),
        Some(Ok(verdict)) => boolean(verdict),
        Some(Err(blind)) => unknown(why(blind)),
    }
}

pub(in crate::evidence) fn all_ended(view: &View<'_>) -> Answer {
    of_company(view, |company, _| verdict(company.all_ended()))
}

pub(in crate::evidence) fn one_event(view: &View<'_>) -> Answer {
    of_company(view, |company, _| verdict(company.one_event()))
}

pub(in crate::evidence) fn refused_after_s(view: &View<'_>) -> Answer {
    of_company(view, |company, end| match company.refused {
        Some(refused) => seconds(refused.seconds_since(end)).at([*end, refused]),
        None => absent(),
    })
}

fn count(alike: Option<&Alike>, end: Origin) -> Answer {
    match alike {
        Some(alike) => int(alike.others).at(alike.examples.into_iter().flatten().chain([end])),
        None => absent(),
    }
}

pub(in crate::evidence) fn same_silence(view: &View<'_>) -> Answer {
    of_company(view, |company, end| count(company.same_silence.as_ref(), *end))
}

pub(in crate::evidence) fn same_silence_of(view: &View<'_>) -> Answer {
    of_company(view, |company, _| match company.same_silence {
        Some(_) => int(company.silent),
        None => absent(),
    })
}

pub(in crate::evidence) fn lifetimes_differ(view: &View<'_>) -> Answer {
    of_company(view, |company, _| company.same_silence.map_or_else(absent, |alike| boolean(alike.differ)))
}

pub(in crate::evidence) fn same_lifetime(view: &View<'_>) -> Answer {
    of_company(view, |company, end| count(company.same_lifetime.as_ref(), *end))
}

pub(in crate::evidence) fn silences_differ(view: &View<'_>) -> Answer {
    of_company(view, |company, _| company.same_lifetime.map_or_else(absent, |alike| boolean(alike.differ)))
}

pub(in crate::evidence) fn outlived(view: &View<'_>) -> Answer {
    of_company(view, |company, _| if company.outlived > 0 { int(company.outlived) } else { absent() })
}

pub(in crate::evidence) fn longest_survived_silence_s(view: &View<'_>) -> Answer {
    of_company(view, |company, _| match &company.longest_survived {
        Some(survived) => seconds(Some(survived.seconds)).at([survived.since, survived.until]),
        None => absent(),
    })
}

pub(in crate::evidence) fn outlasted(view: &View<'_>) -> Answer {
    of_company(view, |company, _| match company.longest_survived {
        Some(longest) if company.outlasted > 0 => int(company.outlasted).at([longest.since, longest.until]),
        _ => absent(),
    })
}

fn of_leg(view: &View<'_>, ask: impl FnOnce(&OtherLeg) -> Answer) -> Answer {
    view.subject.around.leg.as_ref().map_or_else(absent, ask)
}

pub(in crate::evidence) fn leg_role(view: &View<'_>) -> Answer {
    of_leg(view, |leg| word(if leg.asked_is_front { "front" } else { "back" }))
}

pub(in crate::evidence) fn leg_stream(view: &View<'_>) -> Answer {
    of_leg(view, |leg| int(leg.flow))
}

/// The same about the ends, when it is known who ended this leg.
fn of_legs_end(view: &View<'_>, ask: impl FnOnce(&OtherLeg) -> Answer) -> Answer {
    of_leg(view, |leg| match view.end.map(|_| view.ender()) {
        Some(Err(why)) => unknown(why),
        _ => ask(leg),
    })
}

/// The end of this leg as that of the other is known.
fn own_end(view: &View<'_>) -> Option<(Origin, Side)> {
    view.end.map(|end| (end.at, end.by))
}

pub(in crate::evidence) fn leg_ended_first(view: &View<'_>) -> Answer {
    of_legs_end(view, |leg| match (own_end(view), leg.end) {
        (Some((own, _)), Some(LegEnd { at: other, .. })) => {
            word(if own.packet < other.packet { "this" } else { "other" }).at([own, other])
        }
        (Some((own, _)), None) => word("this").at([own]),
        (None, Some(LegEnd { at, .. })) => word("other").at([at]),
        (None, None) => view.no_end(),
    })
}

pub(in crate::evidence) fn leg_ended_before_s(view: &View<'_>) -> Answer {
    of_legs_end(view, |leg| match (own_end(view), leg.end) {
        (Some((own, _)), Some(LegEnd { at: other, .. })) => {
            let (first, last) = if own.packet < other.packet { (own, other) } else { (other, own) };
            seconds(last.seconds_since(&first)).at([first, last])
        }
        _ => absent(),
    })
}

pub(in crate::evidence) fn leg_other_end(view: &View<'_>) -> Answer {
    of_leg(view, |leg| leg.end.map_or_else(absent, |end| word(end.kind.name()).at([end.at])))
}

pub(in crate::evidence) fn leg_other_ender(view: &View<'_>) -> Answer {
    of_leg(view, |leg| match (leg.ender(), leg.end) {
        (Some(ender), Some(end)) => word(ender.name()).at([end.at]),
        _ => absent(),
    })
}

fn kind_of(end: &EndSignal) -> &'static str {
    match end.kind {
        EndSignalKind::CloseFrame => "close",
        EndSignalKind::Rst => "rst",
        _ => "fin",
    }
}

/// The first of the two ends: who sent it, what it was, and when.
fn first_end(view: &View<'_>, leg: &OtherLeg) -> Option<(Party, &'static str, Origin)> {
    let own = view.end.map(|end| (Party::of(end.by, leg.asked_is_front), kind_of(end), end.at));
    let other = leg.end.zip(leg.ender()).map(|(end, ender)| (ender, end.kind.name(), end.at));
    own.into_iter().chain(other).min_by_key(|(.., at)| at.packet)
}

pub(in crate::evidence) fn leg_first_ender(view: &View<'_>) -> Answer {
    of_legs_end(view, |leg| match first_end(view, leg) {
        Some((party, _, at)) => word(party.name()).at([at]),
        None => absent(),
    })
}

pub(in crate::evidence) fn leg_first_end(view: &View<'_>) -> Answer {
    of_legs_end(view, |leg| match first_end(view, leg) {
        Some((_, kind, at)) => word(kind).at([at]),
        None => absent(),
    })
}

pub(in crate::evidence) fn leg_both_by_proxy(view: &View<'_>) -> Answer {
    of_legs_end(view, |leg| match (own_end(view), leg.end, leg.ender()) {
        (Some((own, by)), Some(end), Some(ender)) => {
            let proxy = Party::of(by, leg.asked_is_front) == Party::Proxy && ender == Party::Proxy;
            boolean(proxy).at([own, end.at])
        }
        _ => absent(),
    })
}

/// The first sign of the end on the front leg, or on the back leg.
fn end_of(view: &View<'_>, front: bool) -> Answer {
    of_legs_end(view, |leg| {
        let own = view.end.map(|end| (kind_of(end), end.at));
        let other = leg.end.map(|end| (end.kind.name(), end.at));
        let wanted = if leg.asked_is_front == front { own } else { other };
        wanted.map_or_else(absent, |(kind, at)| word(kind).at([at]))
    })
}

pub(in crate::evidence) fn leg_front_end(view: &View<'_>) -> Answer {
    end_of(view, true)
}

pub(in crate::evidence) fn leg_back_end(view: &View<'_>) -> Answer {
    end_of(view, false)
}
