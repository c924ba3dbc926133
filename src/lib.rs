//! wsdissect: why each WebSocket connection in a packet capture ended.

pub mod capture;
pub mod limits;
pub mod stream;
pub mod units;
pub mod violation;
pub mod websocket;
