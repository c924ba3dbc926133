//! The proxies, load balancers and other devices that are known: how long they let a connection be idle or live.

/// The devices that are known, in the order of the table.
#[derive(Debug, Clone, Default)]
pub struct Middleboxes {}
