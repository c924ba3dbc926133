//! wsdissect: why each WebSocket connection in a packet capture ended.

pub mod http;
pub mod limits;
pub mod stream;
pub mod tls;
pub mod units;
pub mod violation;
