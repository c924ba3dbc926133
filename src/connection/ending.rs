//! Signs that a connection is ending, each with what the other side had said by then.

use super::traffic::{MessageNote, Traffic};
use crate::units::{Origin, PerSide, Side};
use crate::websocket::Opcode;

/// One observed sign of the end.
#[derive(Debug, Clone)]
pub struct EndSignal {
    /// What it was.
    pub kind: EndSignalKind,
    /// Who sent it.
    pub by: Side,
    /// The packet that carried it.
    pub at: Origin,
    /// The last packet before it that carried payload of either side.
    pub quiet_since: Option<Origin>,
    /// The same of each side.
    pub quiet_since_of: PerSide<Option<Origin>>,
    /// What the other side had last said when it was sent.
    pub peer: LastWord,
}

/// The kinds of signs. What a Close frame said is in [`Traffic::close`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndSignalKind {
    /// A side's first Close frame.
    CloseFrame,
    /// A fatal TLS alert; of a connection that could not be decrypted any that travelled in clear.
    TlsAlert,
    /// The TLS alert by which a side ends its stream in order, as it ends that of TCP with a FIN (RFC 8446 §6.1).
    CloseNotify,
    /// TCP FIN.
    Fin,
    /// TCP RST.
    Rst,
    /// An HTTP response that refused the upgrade.
    HandshakeRejected,
}

/// What one side had said before its peer ended the connection: the evidence behind most Close codes.
#[derive(Debug, Clone, Default)]
pub struct LastWord {
    /// Its last data message, complete or only begun.
    pub message: Option<MessageNote>,
    /// Payload bytes of the largest message before that one.
    pub largest_before: Option<u64>,
    /// It had sent messages of the other kind (text or binary) before that one.
    pub other_kind_before: bool,
    /// Data messages it had completed.
    pub messages: u64,
}

impl LastWord {
    /// The last word of the side whose traffic this is.
    pub(super) fn of(traffic: &Traffic) -> Self {
        let message = traffic.current_or_last();
        let other = match message.as_ref().map(|note| note.kind) {
            Some(Opcode::Text) => traffic.messages_before_last(Opcode::Binary),
            Some(_) => traffic.messages_before_last(Opcode::Text),
            None => 0,
        };
        Self {
            largest_before: traffic.largest_before(message.as_ref()),
            other_kind_before: other > 0,
            messages: traffic.messages(),
            message,
        }
    }
}
