//! Facts about what TLS shows without keys: names, certificates, closing alerts, and what the sizes of records suggest.

use super::{Answer, View, absent, boolean, int, or_unknown, seconds, side, text, word};
use crate::connection::{Certificates, EndSignalKind, NameMatch, TlsFacts, Validity};
use crate::evidence::WhyUnknown;
use crate::units::{Origin, PerSide, Side};

/// Asks TLS; every fact is absent without it.
fn of_tls(view: &View<'_>, ask: impl FnOnce(&TlsFacts) -> Result<Answer, WhyUnknown>) -> Answer {
    view.connection.tls.as_deref().map_or_else(absent, |tls| or_unknown(ask(tls)))
}

/// The first FIN or RST of each side.
fn ends(view: &View<'_>) -> PerSide<Option<Origin>> {
    let of = |side: Side| {
        let mut signals = view.connection.ending.iter();
        let is_end = |kind| matches!(kind, EndSignalKind::Fin | EndSignalKind::Rst);
        signals.find(|signal| signal.by == side && is_end(signal.kind)).map(|signal| signal.at)
    };
    PerSide { client: of(Side::Client), server: of(Side::Server) }
}

/// The certificates that the server showed; `None` when it showed none, as where a session is resumed.
fn shown<'a>(view: &View<'_>, tls: &'a TlsFacts) -> Result<Option<&'a Certificates>, WhyUnknown> {
    match &tls.certificates {
        Some(shown) => Ok(Some(shown)),
        None if tls.certificates_seen.is_some() => Err(WhyUnknown::Limit),
        None if tls.encrypts_certificates() => Err(WhyUnknown::Encrypted),
        None => view.bytes_of(Side::Server).map(|()| None),
    }
}

/// Asks the server's own certificate.
fn of_certificate(view: &View<'_>, ask: impl FnOnce(&TlsFacts, &Certificates) -> Result<Answer, WhyUnknown>) -> Answer {
    of_tls(view, |tls| match shown(view, tls)? {
        Some(shown) => ask(tls, shown).map(|answer| answer.at([shown.origin])),
        None => Ok(absent()),
    })
}

pub(in crate::evidence) fn sni(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match (&tls.client_hello, tls.asked_name()) {
        (Some(hello), Some(name)) => Ok(text(name).at([hello.origin])),
        (Some(_), None) => Ok(absent()),
        (None, _) => view.bytes_of(Side::Client).map(|()| absent()),
    })
}

pub(in crate::evidence) fn alpn_offered(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match &tls.client_hello {
        Some(hello) if !hello.alpn.is_empty() => Ok(text(&hello.alpn.join(", ")).at([hello.origin])),
        Some(_) => Ok(absent()),
        None => view.bytes_of(Side::Client).map(|()| absent()),
    })
}

pub(in crate::evidence) fn alpn(view: &View<'_>) -> Answer {
    of_tls(view, |tls| {
        let Some(hello) = &tls.server_hello else { return view.bytes_of(Side::Server).map(|()| absent()) };
        // The choice travels in EncryptedExtensions (RFC 8446 §4.3.1); of nothing, nothing can be chosen.
        let may_choose = tls.client_hello.as_ref().is_none_or(|hello| !hello.alpn.is_empty());
        match &hello.alpn {
            Some(chosen) => Ok(text(chosen).at([hello.origin])),
            None if tls.encrypts_certificates() && may_choose => Err(WhyUnknown::Encrypted),
            None => Ok(absent()),
        }
    })
}

pub(in crate::evidence) fn certificate_validity(view: &View<'_>) -> Answer {
    of_certificate(view, |_, shown| {
        let time = shown.origin.time.ok_or(WhyUnknown::NoTime)?;
        Ok(word(match shown.leaf.validity_at(time) {
            Validity::Valid => "valid",
            Validity::Expired => "expired",
            Validity::NotYetValid => "not_yet_valid",
        }))
    })
}

pub(in crate::evidence) fn certificate_not_before(view: &View<'_>) -> Answer {
    of_certificate(view, |_, shown| Ok(text(&whole_seconds(shown.leaf.not_before))))
}

pub(in crate::evidence) fn certificate_not_after(view: &View<'_>) -> Answer {
    of_certificate(view, |_, shown| Ok(text(&whole_seconds(shown.leaf.not_after))))
}

/// A date of a certificate, which knows no fractions.
fn whole_seconds(time: crate::units::Timestamp) -> String {
    let shown = time.to_string();
    shown.split_once('.').map_or(shown.clone(), |(seconds, _)| format!("{seconds}Z"))
}

pub(in crate::evidence) fn certificate_covers_name(view: &View<'_>) -> Answer {
    of_certificate(view, |tls, shown| {
        if tls.asked_name().is_none() {
            return Ok(absent());
        }
        let matched = shown.name_match.ok_or(WhyUnknown::Limit)?;
        Ok(boolean(matched == NameMatch::Matches))
    })
}

pub(in crate::evidence) fn certificate_names(view: &View<'_>) -> Answer {
    of_certificate(view, |_, shown| {
        let names: Vec<String> = shown.leaf.names().collect();
        Ok(match names.len() {
            0 => absent(),
            1..=SHOWN_NAMES if !shown.leaf.more_names => text(&names.join(", ")),
            _ => text(&format!("{}, …", names[..names.len().min(SHOWN_NAMES)].join(", "))),
        })
    })
}

pub(in crate::evidence) fn certificate_issuer(view: &View<'_>) -> Answer {
    of_certificate(view, |_, shown| Ok(text(&shown.leaf.issuer)))
}

pub(in crate::evidence) fn certificate_defect(view: &View<'_>) -> Answer {
    of_certificate(view, |tls, _| Ok(tls.certificate_defect().map_or_else(absent, |defect| word(defect.name()))))
}

pub(in crate::evidence) fn refused_by_client(view: &View<'_>) -> Answer {
    of_tls(view, |tls| {
        if let Some(alert) = tls.fatal_alert() {
            let refuses = alert.side == Side::Client && CERTIFICATE_ALERTS.contains(&alert.description);
            return Ok(boolean(refuses).at([alert.origin]));
        }
        let silently = tls.left_after_handshake(ends(view))
            || (super::tls::failed(view, tls)? && tls.server_hello.is_some() && tls.plain_answer().is_none());
        Ok(match view.tcp_end()? {
            Some(end) if end.by == Side::Client && silently => boolean(true).at([end.at]),
            _ => boolean(false),
        })
    })
}

/// The first word of the end.
struct FirstWord {
    by: Side,
    at: Origin,
    /// Whether it is known to be a closing alert, or only taken for one; `None` for FIN or RST.
    alert: Option<bool>,
}

fn first_word(view: &View<'_>, tls: &TlsFacts) -> Result<Option<FirstWord>, WhyUnknown> {
    let Some(end) = view.tcp_end()?.filter(|_| !tls.failed(true) && !tls.unanswered()) else { return Ok(None) };
    view.bytes_of(Side::Client)?;
    view.bytes_of(Side::Server)?;
    let ends = ends(view);
    let alert = |by: Side| {
        let alert = tls.closing_alert(by, ends[by])?;
        let is_first = alert.at.packet <= end.at.packet;
        is_first.then_some(FirstWord { by, at: alert.at, alert: Some(alert.is_certain) })
    };
    let first = Side::BOTH.into_iter().filter_map(alert).min_by_key(|word| word.at.packet);
    Ok(Some(first.unwrap_or(FirstWord { by: end.by, at: end.at, alert: None })))
}

pub(in crate::evidence) fn closed_by(view: &View<'_>) -> Answer {
    of_tls(view, |tls| Ok(first_word(view, tls)?.map_or_else(absent, |first| side(first.by).at([first.at]))))
}

pub(in crate::evidence) fn close_notify(view: &View<'_>) -> Answer {
    of_tls(view, |tls| {
        let Some(first) = first_word(view, tls)? else { return Ok(absent()) };
        let told = match first.alert {
            Some(true) => "sent",
            Some(false) => "probably_sent",
            None if tls.encrypts_certificates() && !tls.is_read_whole(first.by) => "probably_not_sent",
            None => "not_sent",
        };
        Ok(word(told).at([first.at]))
    })
}

pub(in crate::evidence) fn probable_alert(view: &View<'_>) -> Answer {
    of_tls(view, |tls| {
        let ends = ends(view);
        let guess = |by: Side| Some((by, tls.closing_alert(by, ends[by]).filter(|alert| !alert.is_certain)?.at));
        let first = Side::BOTH.into_iter().filter_map(guess).min_by_key(|(_, at)| at.packet);
        match first {
            Some((by, at)) => Ok(side(by).at([at].into_iter().chain(ends[by]))),
            None => {
                view.bytes_of(Side::Client)?;
                view.bytes_of(Side::Server)?;
                Ok(absent())
            }
        }
    })
}

pub(in crate::evidence) fn finished_refused(view: &View<'_>) -> Answer {
    of_tls(view, |tls| {
        view.bytes_of(Side::Client)?;
        view.bytes_of(Side::Server)?;
        let refused = tls.finished_refused(ends(view));
        Ok(boolean(refused).at(tls.client_finished.into_iter().chain(ends(view).server).filter(|_| refused)))
    })
}

pub(in crate::evidence) fn answered_as_http2(view: &View<'_>) -> Answer {
    of_tls(view, |tls| {
        view.bytes_of(Side::Client)?;
        view.bytes_of(Side::Server)?;
        let answered = tls.answered_as_http2(ends(view));
        Ok(boolean(answered).at(tls.first_application.client.into_iter().chain(ends(view).server).filter(|_| answered)))
    })
}

pub(in crate::evidence) fn websocket(view: &View<'_>) -> Answer {
    of_tls(view, |tls| {
        Ok(match &tls.websocket {
            Some(guess) => word(guess.strength.name()).at([guess.first_sign]),
            None => unless_hidden(view)?,
        })
    })
}

pub(in crate::evidence) fn probable_close(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.websocket.and_then(|guess| guess.parting) {
        Some(parting) => Ok(side(parting.by).at(parting.frames)),
        None => unless_hidden(view),
    })
}

pub(in crate::evidence) fn probable_close_bytes(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.websocket.and_then(|guess| guess.parting) {
        Some(parting) => Ok(int(parting.payload.into()).at(parting.frames)),
        None => unless_hidden(view),
    })
}

pub(in crate::evidence) fn probable_ping_s(view: &View<'_>) -> Answer {
    of_tls(view, |tls| match tls.websocket.and_then(|guess| guess.beat) {
        Some(beat) => Ok(seconds(Some(beat.interval.as_secs_f64())).at([beat.last])),
        None => unless_hidden(view),
    })
}

/// What is so when neither side sent what was looked for.
fn unless_hidden(view: &View<'_>) -> Result<Answer, WhyUnknown> {
    view.bytes_of(Side::Client)?;
    view.bytes_of(Side::Server)?;
    Ok(absent())
}

/// Names that a sentence has room for.
const SHOWN_NAMES: usize = 5;

/// Alerts with which clients refuse a certificate (RFC 8446 §6.2).
const CERTIFICATE_ALERTS: [u8; 7] = [42, 43, 44, 45, 46, 48, 113];
