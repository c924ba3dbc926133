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
    /// Is overtaken by the next packet, where that is data of the same sender; with an answer in between it could not be.
    pub reordered: f64,
    /// Comes again 1 to 20 ms later.
    pub retransmitted: f64,
    /// Is not in the capture though the peer got it.
    pub missing: f64,
}

/// Applies the rates to the packets of one conversation, which are in the order of time; tells how many are missing then.
pub fn impair(mut packets: Vec<Packet>, rng: &mut Rng, rates: Rates) -> (Vec<Packet>, u64) {
    let mut missing = 0;
    for i in 1..packets.len() {
        let (a, b) = (packets[i - 1].segment(), packets[i].segment());
        let overtakes = a.source == b.source && !a.payload.is_empty() && !b.payload.is_empty();
        if overtakes && rng.chance(rates.reordered) {
            swap(&mut packets, i - 1, i);
        }
    }
    let mut impaired = Vec::with_capacity(packets.len() + packets.len() / 64);
    for packet in packets {
        if !packet.segment().payload.is_empty() {
            if rng.chance(rates.missing) {
                missing += 1;
                continue;
            }
            if rng.chance(rates.retransmitted) {
                let time = packet.time + rng.between(1_000_000, 20_000_000) as i64;
                impaired.push(Packet { time, ..packet.clone() });
            }
        }
        impaired.push(packet);
    }
    (impaired, missing)
}
