//! What a protocol's own word for the end asks for: of which kind it is, whose fault, and whether to connect again.

use crate::units::Side;

macro_rules! words {
    ($(#[doc = $doc:literal])+ $type:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[doc = $vdoc])+ $variant,)+ }

        impl $type {
            /// All names, in the order of the variants.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }

            /// The one with this name.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Kinds of ends, so that one rule covers what many protocols say in different words.
    Group {
        /// The client is not let in: who it is, or what it may do.
        Auth = "auth",
        /// The client did not keep to the protocol.
        Misuse = "misuse",
        /// A rate or quota is used up.
        Limit = "limit",
        /// A message is too large.
        TooBig = "too_big",
        /// The server has no room.
        Overload = "overload",
        /// The server stops or restarts.
        Restart = "restart",
        /// The server asks the client to connect anew.
        Reconnect = "reconnect",
        /// A heartbeat was missed.
        Heartbeat = "heartbeat",
        /// Nothing happened for too long.
        Idle = "idle",
        /// The receiver reads too slowly.
        Slow = "slow",
        /// Something failed.
        Failed = "failed",
        /// Another connection took the session over.
        Replaced = "replaced",
        /// Somebody ended the session on purpose.
        Kicked = "kicked",
        /// The session is over.
        Session = "session",
        /// What the client wants to reach is not there.
        Config = "config",
        /// The end was meant.
        Ended = "ended",
        /// No end of the connection at all.
        GoesOn = "goes_on",
        /// A meaning that its user wrote down.
        Own = "own",
    }
}

words! {
    /// Who can change it, as the table says: a party, or the role of the side that said it.
    Fault {
        /// The client.
        Client = "client",
        /// The server.
        Server = "server",
        /// The side that said it.
        Sender = "sender",
        /// The side that it was said to.
        Receiver = "receiver",
        /// Something between them.
        Proxy = "proxy",
        /// The path between them.
        Network = "network",
        /// Nobody needs to.
        Nobody = "none",
    }
}

impl Fault {
    /// The party, when `by` said it.
    #[must_use]
    pub fn party(self, by: Side) -> &'static str {
        match self {
            Self::Sender => by.name(),
            Self::Receiver => by.other().name(),
            fixed => fixed.name(),
        }
    }

    /// The side, if it is one.
    #[must_use]
    pub fn side(self, by: Side) -> Option<Side> {
        match self {
            Self::Client => Some(Side::Client),
            Self::Server => Some(Side::Server),
            Self::Sender => Some(by),
            Self::Receiver => Some(by.other()),
            Self::Proxy | Self::Network | Self::Nobody => None,
        }
    }
}

words! {
    /// Whether the client is to connect again.
    Retry {
        /// With growing, random pauses.
        Yes = "yes",
        /// Without a pause.
        AtOnce = "at_once",
        /// After a longer pause.
        Later = "later",
        /// With a new session, not by resuming the old one.
        NewSession = "new_session",
        /// To the address that was named.
        Elsewhere = "elsewhere",
        /// Not until something has been changed.
        No = "no",
    }
}

/// What a message or close code of an application means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The key of its words; or, if `is_own`, the words.
    pub key: Box<str>,
    /// Its user wrote the words down.
    pub is_own: bool,
    /// Of which kind it is.
    pub group: Group,
    /// Who can change it; `None` when that is not known.
    pub fault: Option<Fault>,
    /// Whether to connect again; `None` when that is not known.
    pub retry: Option<Retry>,
    /// What to do: the key of its words, or words that its user wrote down.
    pub advice: Option<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_becomes_the_side_that_has_it() {
        assert_eq!(
            (Fault::Sender.party(Side::Server), Fault::Receiver.side(Side::Server)),
            ("server", Some(Side::Client))
        );
        assert_eq!((Fault::Client.party(Side::Client), Fault::Proxy.side(Side::Client)), ("client", None));
    }

    #[test]
    fn words_name_what_they_were_made_from() {
        for name in Group::NAMES {
            assert_eq!(Group::by_name(name).map(Group::name), Some(*name));
        }
        assert_eq!(Retry::by_name("perhaps"), None);
    }
}
