//! wsdissect: why each WebSocket connection in a packet capture ended.
pub mod catalog;
