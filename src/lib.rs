//! wsdissect: why each WebSocket connection in a packet capture ended.

pub mod capture;
pub mod limits;
pub mod packet;
pub mod stream;
pub mod tcp;
pub mod units;
pub mod violation;
