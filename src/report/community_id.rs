//! Community ID v1: the same short name for a TCP connection in every tool that knows its addresses and ports.

use crate::units::Endpoint;
use base64::Engine as _;
use sha1::{Digest as _, Sha1};
use std::net::IpAddr;

const PROTOCOL_TCP: u8 = 6;

/// The Community ID of the TCP connection between two endpoints, with seed 0, whichever is named first.
#[must_use]
pub fn community_id(one: Endpoint, other: Endpoint) -> String {
    let mut ends = [one, other];
    ends.sort_by_key(|end| (octets(end.ip), end.port));
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for end in &ends {
        hash.update(octets(end.ip));
    }
    hash.update([PROTOCOL_TCP, 0]);
    for end in &ends {
        hash.update(end.port.to_be_bytes());
    }
    format!("1:{}", base64::engine::general_purpose::STANDARD.encode(hash.finalize()))
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint { ip: ip.parse().unwrap(), port }
    }

    /// From the baseline of the specification's own test captures (tcp.pcap).
    #[test]
    fn agrees_with_the_specification_in_both_directions() {
        let expected = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        let (client, server) = (end("128.232.110.120", 34855), end("66.35.250.204", 80));
        assert_eq!(community_id(client, server), expected);
        assert_eq!(community_id(server, client), expected);
    }
}
