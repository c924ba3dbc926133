//! Facts about the way between several points of capture. With one point nothing was watched between points, and nothing is
//! said of it: absent.

use super::{Answer, View, absent, boolean, int, loss, or_unknown, side, unknown};
use crate::connection::{EndSignalKind, HopDoubt, HopLoss, Hops, ResetSource, WhyDoubt};
use crate::evidence::WhyUnknown;
use crate::units::Origin;

fn why(doubt: WhyDoubt) -> WhyUnknown {
    match doubt {
        WhyDoubt::Order => WhyUnknown::NotCaptured,
        WhyDoubt::NotRecording => WhyUnknown::CaptureEnded,
        WhyDoubt::Dropped | WhyDoubt::Missed => WhyUnknown::Gap,
        WhyDoubt::NothingShared => WhyUnknown::OneSided,
        WhyDoubt::Limit => WhyUnknown::Limit,
        WhyDoubt::NoTime => WhyUnknown::NoTime,
    }
}

/// What the losses between points say; where none is proved but one is possible, nothing.
fn of_losses(view: &View<'_>, ask: impl FnOnce(&Hops) -> Option<Answer>) -> Answer {
    let Some(hops) = view.connection.hops.as_deref() else { return absent() };
    let doubt = |doubt: &HopDoubt| unknown(why(doubt.why));
    ask(hops).unwrap_or_else(|| hops.doubts.first().map_or_else(absent, doubt))
}

pub(in crate::evidence) fn lost_between(view: &View<'_>) -> Answer {
    of_losses(view, |hops| {
        let shown = hops.losses.iter().flat_map(|loss| [Some(loss.first), loss.last_missing]).flatten();
        let bytes = hops.losses.iter().map(|loss| loss.bytes).fold(0, u64::saturating_add);
        (!hops.losses.is_empty()).then(|| int(bytes).at(shown))
    })
}

pub(in crate::evidence) fn lost_side(view: &View<'_>) -> Answer {
    of_losses(view, |hops| {
        let most = hops.losses.iter().max_by_key(|loss| loss.bytes)?;
        Some(side(most.side).at([most.first]))
    })
}

pub(in crate::evidence) fn end_lost_between(view: &View<'_>) -> Answer {
    let Some(hops) = view.connection.hops.as_deref() else { return absent() };
    or_unknown(loss::last_bytes(view).map(|last| match last {
        None => absent(),
        Some((sender, since)) => {
            let is_end = |at: &Origin| since.is_none_or(|since| at.packet >= since.packet);
            let of_end = |loss: &HopLoss| loss.last_missing.filter(|at| loss.side == sender && is_end(at));
            match hops.losses.iter().find_map(of_end) {
                Some(at) => boolean(true).at([at]),
                None => {
                    let open = hops.doubts.iter().find(|doubt| doubt.side == sender && doubt.missing);
                    open.map_or_else(|| boolean(false).at(since), |doubt| unknown(why(doubt.why)))
                }
            }
        }
    }))
}

pub(in crate::evidence) fn rst_injected_between(view: &View<'_>) -> Answer {
    let Some(hops) = view.connection.hops.as_deref() else { return absent() };
    let Some(end) = view.connection.tcp_end().filter(|end| end.kind == EndSignalKind::Rst) else {
        return super::unless_one_sided(view);
    };
    match hops.reset_at(end.at).map(|reset| (reset.source, reset)) {
        Some((ResetSource::Between(..), reset)) => boolean(true).at(reset.seen.iter().flatten().copied()),
        Some((ResetSource::Beyond, reset)) => boolean(false).at(reset.seen.iter().flatten().copied()),
        Some((ResetSource::Unknown(doubt), _)) => unknown(why(doubt)),
        None => unknown(WhyUnknown::Limit),
    }
}
