//! How much of a connection could be read with the secrets at hand, and why not more.

use super::keylog::SecretLabel;
use super::names::{CipherSuite, TlsVersion};
use crate::units::{PerSide, Side};

/// Why protected records could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhyNot {
    /// There are no secrets at all.
    NoKeys,
    /// No key log has a line with the random value of this connection's ClientHello.
    ClientRandomMissing,
    /// The same, and the connection resumes an earlier session. Programs that log the secrets of first connections only
    /// leave such a gap.
    ResumedNotLogged,
    /// The log has lines for this connection, but not this one.
    SecretMissing(SecretLabel),
    /// The ClientHello or ServerHello is not in the capture, so that nobody knows which secrets and which cipher.
    HandshakeNotCaptured,
    /// The same, and the log has secrets of TLS 1.2 only: their keys follow from the random values of both sides.
    ServerRandomMissing,
    /// Records were cut by the snapshot length, and with them their tags.
    CutPackets,
    /// Records are missing in the capture.
    RecordsLost,
    /// A cipher suite that this program has no cipher for.
    UnsupportedSuite(CipherSuite),
    /// A version before TLS 1.2.
    UnsupportedVersion(TlsVersion),
    /// Tags do not verify: the secrets are another session's, or the capture has other bytes than were sent.
    TagMismatch,
}

impl WhyNot {
    /// Its name in the output.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoKeys => "no_keys",
            Self::ClientRandomMissing => "client_random_missing",
            Self::ResumedNotLogged => "resumed_not_logged",
            Self::SecretMissing(_) => "secret_missing",
            Self::HandshakeNotCaptured => "handshake_not_captured",
            Self::ServerRandomMissing => "server_random_missing",
            Self::CutPackets => "cut_packets",
            Self::RecordsLost => "records_lost",
            Self::UnsupportedSuite(_) => "unsupported_cipher_suite",
            Self::UnsupportedVersion(_) => "unsupported_version",
            Self::TagMismatch => "tag_mismatch",
        }
    }

    /// Which secret, suite or version it is about.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::SecretMissing(label) => Some(label.name().to_owned()),
            Self::UnsupportedSuite(suite) => Some(suite.to_string()),
            Self::UnsupportedVersion(version) => Some(version.to_string()),
            _ => None,
        }
    }
}

/// How much of one side could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Readable {
    /// It sent nothing under protection.
    #[default]
    Nothing,
    /// All it sent under protection.
    All,
    /// Part of it.
    Part(WhyNot),
    /// None of it.
    None(WhyNot),
}

impl Readable {
    /// Why it could not all be read.
    #[must_use]
    pub fn why_not(&self) -> Option<WhyNot> {
        match self {
            Self::Part(why) | Self::None(why) => Some(*why),
            Self::Nothing | Self::All => None,
        }
    }
}

/// How much of a connection could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decryption {
    /// Of each side.
    pub sides: PerSide<Readable>,
    /// The version that it shows to be in use.
    pub version: Option<TlsVersion>,
}

impl Decryption {
    /// The same of a connection that resumes an earlier session, which explains why its own secrets may be nowhere.
    #[must_use]
    pub fn resumed(mut self) -> Self {
        for side in Side::BOTH {
            if let Readable::Part(why) | Readable::None(why) = &mut self.sides[side]
                && *why == WhyNot::ClientRandomMissing
            {
                *why = WhyNot::ResumedNotLogged;
            }
        }
        self
    }

    /// `yes`, `partly` or `no`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let sides = [self.sides.client, self.sides.server];
        let any = sides.iter().any(|side| matches!(side, Readable::All | Readable::Part(_)));
        match (any, self.why_not()) {
            (true, None) => "yes",
            (true, Some(_)) => "partly",
            (false, _) => "no",
        }
    }

    /// Why not all could be read. Where both sides have a reason, that of the side of which less could be read.
    #[must_use]
    pub fn why_not(&self) -> Option<WhyNot> {
        let (client, server) = (self.sides.client, self.sides.server);
        let worse = if matches!(client, Readable::None(_)) { [client, server] } else { [server, client] };
        worse.iter().find_map(Readable::why_not)
    }

    /// Whether nothing of `side` could be read that there was to read.
    #[must_use]
    pub fn is_hidden(&self, side: Side) -> bool {
        matches!(self.sides[side], Readable::None(_))
    }
}
