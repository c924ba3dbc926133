//! What a decryptor hands out.

use crate::stream::GapReason;
use crate::tls::alert::Alert;
use crate::units::{Origin, Side, StreamOffset};

/// What one record said.
#[derive(Debug, Clone, Copy)]
pub struct PlainData<'a> {
    /// Who sent it.
    pub side: Side,
    /// Where it starts among the decrypted bytes of that side.
    pub offset: StreamOffset,
    /// Where its record ends in that side's stream of TCP.
    pub record_end: StreamOffset,
    /// The packet that completed the record.
    pub origin: Origin,
    /// The bytes, never empty.
    pub bytes: &'a [u8],
}

/// Decrypted bytes that are missing.
#[derive(Debug, Clone, Copy)]
pub struct PlainGap {
    /// Who sent them.
    pub side: Side,
    /// Where they start among the decrypted bytes of that side.
    pub offset: StreamOffset,
    /// How many; `None` when nobody can tell.
    pub len: Option<u64>,
    /// Why they are missing.
    pub reason: GapReason,
    /// The packet at which the loss was certain.
    pub origin: Origin,
}

/// What takes in the plaintext of a connection.
pub trait Plaintext {
    /// The next application data of one side.
    fn data(&mut self, data: PlainData<'_>);
    /// Application data of one side that is missing.
    fn gap(&mut self, gap: PlainGap);
    /// An alert that was decrypted.
    fn alert(&mut self, alert: Alert);
    /// The body of a Certificate message of the server, in clear or decrypted; `None` when it was too long.
    fn certificates(&mut self, origin: Origin, body: Option<Vec<u8>>);
}
