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
//! - Of bytes that come twice the first version counts. While both are at hand they are compared; of what was delivered,
//!   hashes are kept for a while (see `delivered`).
//! - A segment recorded more than once, in and out of a tunnel, on several interfaces or by a mirror port, counts once;
//!   the others are counted as copies and otherwise ignored.
//! - Of a flow that is seen on several interfaces, what each of them saw is followed (see `passages`).
//! - Of one end the first RST counts, unless the connection outlives it: then it was forged, and is kept apart
//!   ([`OutlivedReset`]).
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
mod delivered;
mod edges;
mod everyday;
mod facts;
mod flow;
mod graveyard;
mod half;
mod index;
mod lately;
mod open;
mod passages;
mod reassembly;
mod reorder;
mod resent;
mod reset;
mod slab;
mod table;

pub use copies::{CopyFacts, CopyKinds, Point};
pub use facts::{Anomalies, Conflict, EndFacts, LostTail, Pending, TcpFacts};
pub use flow::{Flow, FlowEnd, FlowNumber, FlowStart};
pub use passages::{Fate, Passage, PathFacts, PointFacts, ResetPassage};
pub use resent::Resent;
pub use reset::{HopLimits, OutlivedReset, Reset};
pub use table::FlowTable;

// What a flow passes on of the packets that speak of it.
pub use crate::packet::{IcmpError, IcmpKind};

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod tests;
