//! What networks and capture points do to a list of packets. Times are nanoseconds; lists need not stay sorted, as a
//! [`Capture`](super::Capture) orders them by time.

use super::net::Packet;
use super::rng::Rng;

/// Removes one packet: sent, but not captured. `index` counts from 0.
pub fn remove(packets: &mut Vec<Packet>, index: usize) {
    packets.remove(index);
}

/// A second copy of one packet, `after` later: a retransmission, or with 0 a capture that sees everything twice.
pub fn duplicate(packets: &mut Vec<Packet>, index: usize, after: i64) {
    let mut copy = packets[index].clone();
    copy.time += after;
    packets.insert(index + 1, copy);
}

/// Lets one packet arrive `by` later than it did.
pub fn delay(packets: &mut [Packet], index: usize, by: i64) {
    packets[index].time += by;
}

/// Exchanges the times of two packets.
pub fn swap(packets: &mut [Packet], a: usize, b: usize) {
    let time = packets[a].time;
    packets[a].time = packets[b].time;
    packets[b].time = time;
}

/// Probabilities per data segment.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Arrives 0.2 to 3 ms late.
    pub reordered: f64,
    /// Comes again 1 to 20 ms later.
    pub retransmitted: f64,
    /// Is not in the capture though the peer got it.
    pub missing: f64,
}

/// Applies the rates to every segment with payload.
pub fn impair(packets: Vec<Packet>, rng: &mut Rng, rates: Rates) -> Vec<Packet> {
    let mut impaired = Vec::with_capacity(packets.len() + packets.len() / 64);
    for mut packet in packets {
        if !packet.segment().payload.is_empty() {
            if rng.chance(rates.missing) {
                continue;
            }
            if rng.chance(rates.retransmitted) {
                let time = packet.time + rng.between(1_000_000, 20_000_000) as i64;
                impaired.push(Packet { time, ..packet.clone() });
            }
            if rng.chance(rates.reordered) {
                packet.time += rng.between(200_000, 3_000_000) as i64;
            }
        }
        impaired.push(packet);
    }
    impaired
}
