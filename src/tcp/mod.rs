//! TCP segments to ordered bytes: which connection a segment belongs to, and what it adds to it.
//!
//! [`FlowTable::push`] takes one segment after the other in capture order. For each connection (a *flow*) and each of its
//! two ends it delivers the bytes in order to a [`StreamSink`](crate::stream::StreamSink), every hole as a gap, and the
//! FIN or RST that ended them; what happened on the way is counted in [`TcpFacts`]. Flows that ended are handed back by
//! [`FlowTable::pop_finished`].
//!
//! How the recorded order is read:
//! - Bytes that come in order go on at once, still borrowed from the packet. Nothing is allocated for them.
//! - Bytes ahead of a hole are copied and wait. The hole is given up, as a gap, only when something speaks for its loss
//!   *in the capture*: the peer acknowledged beyond it and 2 s or 64 segments passed, the bounds of
//!   [`Limits`](crate::limits::Limits) are reached, or the flow ends. An acknowledgement alone is no reason, because
//!   captures from several queues or interfaces often record it before the data.
//! - Of bytes that come twice the first version counts. While both are at hand they are compared.
//! - A segment recorded more than once, in and out of a tunnel, on several interfaces or by a mirror port, counts once;
//!   the others are counted as copies and otherwise ignored.
//! - A flow that ended stays for [`linger_seconds`](crate::limits::Limits::linger_seconds) of packet time. Later packets
//!   of its addresses are counted as late, until a new SYN opens a new flow.
//!
//! Flows are numbered as `tcp.stream` in tshark: every pair of endpoints in order of first sight, and once more for each
//! SYN that reuses the ports of an earlier connection with another sequence number. As there, tunnel and interface do not
//! count: a connection seen inside and outside of a tunnel is one flow. Where tunnels carry networks with the same
//! addresses, tshark takes segments of both for one stream; here a segment from another tunnel whose numbers are nowhere
//! near those of the flow opens one of its own. From then on the numbers are the same only if a SYN opened it.
//!
//! Bounded: flows, buffered bytes and segments by `Limits`; flows that are remembered after their end by a constant.

mod bases;
mod copies;
mod facts;
mod flow;
mod half;
mod index;
mod open;
mod reorder;
mod slab;
mod table;

pub use facts::{Anomalies, CopyFacts, CopyKinds, EndFacts, Point, TcpFacts};
pub use flow::{Flow, FlowEnd, FlowNumber, FlowStart};
pub use table::FlowTable;

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod tests;
