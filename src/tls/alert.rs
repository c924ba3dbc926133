//! Alerts that travel in clear (RFC 8446 §6, RFC 5246 §7.2).

use crate::units::{Origin, Side, StreamOffset};

/// An alert whose content could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it.
    pub side: Side,
    /// The packet that completed it.
    pub origin: Origin,
    /// Where its record starts in the sender's stream.
    pub offset: StreamOffset,
    /// 1 for a warning, 2 for a fatal one; TLS 1.3 gives it no meaning.
    pub level: u8,
    /// What is wrong, as a number.
    pub description: u8,
    /// Whether it travelled in clear, as all do that are read without keys.
    pub clear: bool,
    /// Whether its sender had sent application data that could be read before.
    pub after_data: bool,
}

impl Alert {
    /// Whether its sender ends its stream in order (RFC 8446 §6.1).
    #[must_use]
    pub fn is_close_notify(&self) -> bool {
        self.description == CLOSE_NOTIFY
    }

    /// Whether nothing of its sender follows: it says that it ends, or that something is wrong beyond repair. The level
    /// tells, also in TLS 1.3, which asks for the right one though it does not need it (RFC 8446 §6).
    #[must_use]
    pub fn ends_stream(&self) -> bool {
        self.is_close_notify() || self.level == FATAL
    }

    /// The name of its description, `unknown` when there is none.
    #[must_use]
    pub fn name(&self) -> &'static str {
        alert_name(self.description).unwrap_or("unknown")
    }
}

const CLOSE_NOTIFY: u8 = 0;

/// The level of an alert after which its sender does not go on.
pub(super) const FATAL: u8 = 2;

/// The name of an alert description in the IANA registry "TLS Alerts".
#[must_use]
pub fn alert_name(description: u8) -> Option<&'static str> {
    Some(match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_registry() {
        for (number, name) in
            [(0, "close_notify"), (42, "bad_certificate"), (48, "unknown_ca"), (120, "no_application_protocol")]
        {
            assert_eq!(alert_name(number), Some(name));
        }
        assert_eq!(alert_name(255), None);
    }
}
