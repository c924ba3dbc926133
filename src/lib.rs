//! wsdissect: why each WebSocket connection in a packet capture ended.

pub mod catalog;
pub mod diagnosis;
pub mod evidence;
pub mod limits;
pub mod stream;
pub mod units;
pub mod violation;
