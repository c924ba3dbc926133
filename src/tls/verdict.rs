//! What the facts of a TLS connection amount to.

use super::certificates::{Chain, NameMatch, Validity, Weakness};
use super::observer::MAX_ALERTS;
use super::{Alert, ContentType, HandshakeState, NotTlsKind, Readable, TlsFacts, TlsVersion, WhyNot};
use crate::units::{Origin, PerSide, Side};

/// An alert that ended a side's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosingAlert {
    /// The packet.
    pub at: Origin,
    /// Whether it is known to be an alert; else only its length and place say so.
    pub is_certain: bool,
}

/// What anybody can see to be wrong with a server's certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateDefect {
    /// Its time was over when it was shown.
    Expired,
    /// Its time had not come.
    NotYetValid,
    /// It is for other names.
    Name,
    /// It names itself as its issuer.
    SelfSigned,
    /// A key or signature that clients refuse.
    Weak(Weakness),
    /// It is not for servers.
    Usage,
    /// An intermediate certificate was out of its time.
    StaleIssuer,
    /// The issuer's certificate was not sent, though the issuer is no root.
    IssuerMissing,
    /// The certificates are not in order.
    Disordered,
}

impl CertificateDefect {
    /// The word of the fact and the JSON output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Name => "name",
            Self::SelfSigned => "self_signed",
            Self::Weak(Weakness::RsaKey(_)) => "weak_key",
            Self::Weak(_) => "weak_signature",
            Self::Usage => "usage",
            Self::StaleIssuer => "stale_issuer",
            Self::IssuerMissing => "issuer_missing",
            Self::Disordered => "disordered",
        }
    }
}

/// The name of HTTP/2 over TLS (RFC 9113 §3.2).
const HTTP_2: &str = "h2";

/// Bytes below which nothing is a response to an upgrade request.
const LEAST_RESPONSE: u64 = 129;

/// A server that cannot read a request gives up within this time.
const AT_ONCE_S: f64 = 2.0;

/// Alerts about a certificate, which a side may send only after the handshake is done otherwise (RFC 8446 §4.4.2.4).
const CERTIFICATE_ALERTS: [u8; 10] = [41, 42, 43, 44, 45, 46, 48, 49, 113, 116];

impl TlsFacts {
    /// Whether the handshake visibly failed: it began here, and an alert in clear, bytes that are not TLS, or the end
    /// of TCP (which the caller knows) came before it was done.
    #[must_use]
    pub fn failed(&self, tcp_ended: bool) -> bool {
        self.client_hello.is_some()
            && (self.fatal_alert().is_some()
                || self.plain_answer().is_some()
                || (tcp_ended && self.finished_handshake == HandshakeState::No))
    }

    /// Whether more was said than where a side refuses the other's handshake, and all that was read of that is in order. Nothing
    /// that a listener without keys sees later changes it: an alert in clear would not be the peer's.
    pub(super) fn went_on(&self) -> bool {
        (self.application_records.client > 1 || self.server_bytes >= LEAST_RESPONSE)
            && self.fatal_alert().is_none()
            && self.hellos_too_long == 0
    }

    /// Whether nothing of the server answers the ClientHello.
    #[must_use]
    pub fn unanswered(&self) -> bool {
        let server_spoke = self.last_record.server.is_some()
            || self.not_tls.is_some_and(|not_tls| not_tls.side == Side::Server)
            || self.alerts.iter().any(|alert| alert.side == Side::Server);
        self.client_hello.is_some() && self.server_hello.is_none() && !server_spoke
    }

    /// Whether a whole handshake up to TLS 1.2 was followed by nothing but the client's leaving, without an alert, although
    /// anybody can see what is wrong with the certificate. `ends`: the first FIN or RST of each side.
    ///
    /// Node refuses certificates so. Monitors that only try the handshake do the same, so that more must speak for it.
    #[must_use]
    pub fn left_after_handshake(&self, ends: PerSide<Option<Origin>>) -> bool {
        let (Some(finished), Some(left)) = (self.client_finished, ends.client) else { return false };
        let certificate_in_clear = self.version().is_some_and(|version| version < TlsVersion::TLS_1_3);
        let nothing_said = self.application_records == PerSide::default()
            && self.closing_alert(Side::Client, ends.client).is_none()
            && self.alerts.is_empty();
        certificate_in_clear
            && self.finished_handshake == HandshakeState::Yes
            && nothing_said
            && ends.server.is_none_or(|end| left.packet < end.packet)
            && left.seconds_since(&finished).is_some_and(|waited| waited <= self.round_trip_s())
            && self.certificate_defect().is_some()
    }

    /// What is wrong with the certificates that the server showed, worst first; `None` when nothing is, or none were read.
    #[must_use]
    pub fn certificate_defect(&self) -> Option<CertificateDefect> {
        let shown = self.certificates.as_deref()?;
        let validity = shown.origin.time.map(|time| shown.leaf.validity_at(time));
        Some(match (validity, shown.name_match, shown.chain, shown.weakness) {
            (Some(Validity::Expired), ..) => CertificateDefect::Expired,
            (Some(Validity::NotYetValid), ..) => CertificateDefect::NotYetValid,
            (_, Some(NameMatch::Other | NameMatch::CommonNameOnly), ..) => CertificateDefect::Name,
            (_, _, Chain::SelfSigned, _) => CertificateDefect::SelfSigned,
            (_, _, _, Some(weakness)) => CertificateDefect::Weak(weakness),
            _ if !shown.leaf.for_servers => CertificateDefect::Usage,
            _ if shown.stale_issuer.is_some() => CertificateDefect::StaleIssuer,
            (_, _, Chain::Unrelated, _) => CertificateDefect::IssuerMissing,
            (_, _, Chain::LeafOnly, _) if shown.leaf.names_issuer_place => CertificateDefect::IssuerMissing,
            (_, _, Chain::Disordered, _) => CertificateDefect::Disordered,
            _ => return None,
        })
    }

    /// Whether the server's certificates and what it chose by ALPN travel encrypted, as in TLS 1.3.
    #[must_use]
    pub fn encrypts_certificates(&self) -> bool {
        self.version() == Some(TlsVersion::TLS_1_3)
    }

    /// The host name that the client asked for.
    #[must_use]
    pub fn asked_name(&self) -> Option<&str> {
        self.client_hello.as_ref()?.sni.as_deref()
    }

    /// The packet with the alert that ended a side's stream in order, or may have; `end` is its FIN or RST.
    ///
    /// Up to TLS 1.2 the type of the record tells. In TLS 1.3 only its length does, so it must have been the side's last
    /// record, and TCP must have ended within a round trip: in mid-stream it may be an empty Ping.
    #[must_use]
    pub fn closing_alert(&self, side: Side, end: Option<Origin>) -> Option<ClosingAlert> {
        if let Some(alert) = self.alerts.iter().find(|alert| alert.side == side && alert.is_close_notify()) {
            return Some(ClosingAlert { at: alert.origin, is_certain: true });
        }
        // What was decrypted needs no guess.
        if self.is_read_whole(side) {
            return None;
        }
        let at = self.encrypted_alert_guess[side]?;
        let is_certain = self.last_record[side].is_some_and(|last| last.content_type == ContentType::Alert);
        let at_the_end = end.and_then(|end| end.seconds_since(&at)).is_some_and(|passed| passed <= self.round_trip_s());
        (is_certain || at_the_end).then_some(ClosingAlert { at, is_certain })
    }

    /// Whether the server of TLS 1.3 left at once when the client had finished, with nothing but what has the size of an
    /// alert, or without a word where the client had sent what has the size of an empty list of certificates.
    ///
    /// So servers refuse a client certificate that is missing or not to their taste.
    #[must_use]
    pub fn finished_refused(&self, ends: PerSide<Option<Origin>>) -> bool {
        let (Some(finished), Some(end)) = (self.client_finished, ends.server) else { return false };
        let last = self.last_record.server.filter(|last| last.origin.packet > finished.packet);
        let alert = self.closing_alert(Side::Server, Some(end)).is_some_and(|alert| !alert.is_certain);
        let refuses = match last {
            Some(_) => alert,
            None => self.empty_client_certificate,
        };
        let at_once = end.seconds_since(&finished).is_some_and(|passed| passed <= AT_ONCE_S);
        // GnuTLS clients finish before they look at the certificate; the server's word then answers theirs.
        let answered = last.map_or(end, |last| last.origin);
        let client_left = self.encrypted_alert_guess.client.is_some_and(|parting| parting.packet < answered.packet);
        self.encrypts_certificates()
            && !client_left
            && self.finished_handshake == HandshakeState::Probably
            && refuses
            && at_once
            && ends.client.is_none_or(|client| end.packet < client.packet)
    }

    /// Whether what a server did looks as if it spoke HTTP/2 to a client that did not: one request of HTTP/1.1's size, and
    /// in return less than a response, which SETTINGS and GOAWAY (RFC 9113 §6.5, §6.8) fit into, and the end.
    #[must_use]
    pub fn answered_as_http2(&self, ends: PerSide<Option<Origin>>) -> bool {
        let Some(asked) = self.first_application.client.filter(|_| self.finished_handshake == HandshakeState::Yes)
        else {
            return false;
        };
        let chosen = self.server_hello.as_ref().and_then(|hello| hello.alpn.as_deref()) == Some(HTTP_2);
        let in_clear = self.version().is_some_and(|version| version < TlsVersion::TLS_1_3);
        let server_first = match (ends.server, ends.client) {
            (Some(server), Some(client)) => server.packet < client.packet,
            (server, _) => server.is_some(),
        };
        let at_once = ends.server.and_then(|end| end.seconds_since(&asked)).is_some_and(|passed| passed < AT_ONCE_S);
        let little = (1..LEAST_RESPONSE).contains(&self.server_bytes);
        chosen && in_clear && server_first && at_once && little && self.application_records.client == 1
    }

    /// About how long a word and its answer take, in seconds, wherever it was captured: the slower leg of the TLS handshake,
    /// 1 s at most, and a tenth of a second for the programs.
    #[must_use]
    pub fn round_trip_s(&self) -> f64 {
        let hello = self.client_hello.as_ref().map(|hello| hello.origin);
        let answer = self.server_hello.as_ref().map(|hello| hello.origin);
        let between = |from: Option<Origin>, to: Option<Origin>| to?.seconds_since(&from?);
        let legs = [between(hello, answer), between(answer, self.client_finished)];
        legs.into_iter().flatten().fold(0.0, f64::max).min(1.0) + 0.1
    }

    /// The first alert other than `close_notify` that could be read and came before any data of its sender: what a
    /// handshake failed of.
    #[must_use]
    pub fn fatal_alert(&self) -> Option<&Alert> {
        self.alerts.iter().find(|alert| !alert.is_close_notify() && self.is_of_handshake(alert))
    }

    /// The first fatal alert that was decrypted and that no handshake failed of: something went wrong later.
    #[must_use]
    pub fn data_alert(&self) -> Option<&Alert> {
        let is_fatal = |alert: &&Alert| !alert.is_close_notify() && alert.ends_stream();
        self.alerts.iter().filter(is_fatal).find(|alert| !self.is_of_handshake(alert))
    }

    /// Whether an alert is about the handshake: it came before data of its sender, and either the handshake was not done,
    /// or it is about the certificate shown in it.
    fn is_of_handshake(&self, alert: &Alert) -> bool {
        let done = !alert.clear && self.finished_handshake == HandshakeState::Yes;
        !alert.after_data && (!done || CERTIFICATE_ALERTS.contains(&alert.description))
    }

    /// Whether all that a side protected was decrypted.
    #[must_use]
    pub fn is_read_whole(&self, side: Side) -> bool {
        self.decryption.sides[side] == Readable::All
    }

    /// The alert that ended a side's stream, `close_notify` or a fatal one, if it could be read.
    #[must_use]
    pub fn last_alert(&self, side: Side) -> Option<&Alert> {
        self.alerts.iter().find(|alert| alert.side == side && alert.ends_stream())
    }

    /// Whether there may have been more alerts than are kept.
    #[must_use]
    pub fn may_lack_alerts(&self) -> bool {
        self.alerts.len() >= MAX_ALERTS
    }

    /// Where the server answered the ClientHello with HTTP.
    #[must_use]
    pub fn plain_answer(&self) -> Option<Origin> {
        let not_tls = self.not_tls.as_ref()?;
        let is_http = not_tls.kind == NotTlsKind::HttpResponse;
        (not_tls.side == Side::Server && is_http && !not_tls.after_records).then_some(not_tls.origin)
    }

    /// Why not all that was protected could be read; where there was nothing to read, that there were no keys for it.
    #[must_use]
    pub fn why_not_read(&self) -> Option<WhyNot> {
        self.decryption.why_not().or((!self.is_read()).then_some(WhyNot::NoKeys))
    }

    /// The version in use, or the highest that was offered while none was chosen.
    #[must_use]
    pub fn version_name(&self) -> Option<String> {
        self.version().map(|version: TlsVersion| version.to_string())
    }
}
