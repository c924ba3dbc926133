//! How much the clocks of captures disagree that were recorded side by side.
//!
//! Two captures that hold the same handshake tell it: from one to the other the SYN takes the way and the disagreement, the
//! SYN-ACK, which goes back, the disagreement less the way. So each handshake gives an interval in which the disagreement
//! lies, whatever the way takes. Clocks that may agree are left alone.
//!
//! The captures are read for this before the analysis, up to a bound and no further than needed. Only handshakes without
//! a repetition count.

use crate::capture::{Reader, Source};
use crate::limits::Limits;
use crate::packet::{Decoder, Segment};
use crate::units::Endpoint;
use std::collections::HashMap;

/// Captures compared; more are a rotated set.
const MAX_CAPTURES: usize = 16;

/// Packets read of all captures together.
const MAX_PACKETS: usize = 2_000_000;

/// Handshakes remembered of one capture.
const MAX_HANDSHAKES: usize = 50_000;

/// Handshakes in common with another capture after which no more are looked for.
const ENOUGH: usize = 32;

/// A segment that is seen again sooner was recorded twice, not sent twice (RFC 6298 §2).
const TWICE_NANOS: i64 = 200_000_000;

/// A connection, by its ends and the client's initial sequence number.
type Key = (Endpoint, Endpoint, u32);

/// When a capture saw the two segments of a handshake, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Handshake {
    syn: Option<i64>,
    syn_ack: Option<i64>,
    repeated: bool,
}

impl Handshake {
    fn times(&self) -> Option<(i64, i64)> {
        self.syn.zip(self.syn_ack).filter(|_| !self.repeated)
    }
}

/// The nanoseconds to add to the times of each capture so that all agree with the first one, for
/// [`Sequence::open_shifted`](crate::capture::Sequence::open_shifted).
///
/// All are 0 unless every capture can be compared with the others: when one cannot be opened twice, shares no handshake
/// with any other, or when there are more than sixteen.
#[must_use]
pub fn clock_shifts<S: Source>(sources: impl IntoIterator<Item = S>, limits: &Limits) -> Vec<i64> {
    let mut sources: Vec<S> = sources.into_iter().collect();
    let none = vec![0; sources.len()];
    if !(2..=MAX_CAPTURES).contains(&sources.len()) || !sources.iter().all(Source::reopens) {
        return none;
    }
    let share = MAX_PACKETS / sources.len();
    let mut captures: Vec<HashMap<Key, Handshake>> = Vec::with_capacity(sources.len());
    for source in &mut sources {
        let found = handshakes(source, limits, share, &captures);
        captures.push(found);
    }
    linked(&captures).unwrap_or(none)
}

/// The handshakes of one capture.
fn handshakes<S: Source>(
    source: &mut S,
    limits: &Limits,
    mut packets: usize,
    others: &[HashMap<Key, Handshake>],
) -> HashMap<Key, Handshake> {
    let mut found: HashMap<Key, Handshake> = HashMap::new();
    let opened = source.open().ok().and_then(|input| Reader::with_limits(input, limits.capture).ok());
    let Some(mut reader) = opened else { return found };
    let mut decoder = Decoder::new(limits);
    let mut common = 0;
    while packets > 0 && common < ENOUGH {
        packets -= 1;
        // What is wrong with it is told when it is read for good.
        let Ok(Some(packet)) = reader.next_packet() else { break };
        let Ok(segment) = decoder.decode(&packet) else { continue };
        let (Some(key), Some(time)) = (key(&segment), segment.origin.time) else { continue };
        if found.len() >= MAX_HANDSHAKES && !found.contains_key(&key) {
            continue;
        }
        let handshake = found.entry(key).or_default();
        let seen = if segment.flags.ack() { &mut handshake.syn_ack } else { &mut handshake.syn };
        let first = *seen.get_or_insert(time.nanos());
        handshake.repeated |= time.nanos().saturating_sub(first) >= TWICE_NANOS;
        let complete = segment.flags.ack() && handshake.times().is_some();
        common += usize::from(complete && others.iter().any(|other| other.contains_key(&key)));
    }
    found
}

/// The connection that a SYN or SYN-ACK opens.
fn key(segment: &Segment<'_>) -> Option<Key> {
    let (source, destination) = (segment.source, segment.destination);
    match (segment.flags.syn() && !segment.flags.rst(), segment.ack) {
        (false, _) => None,
        (true, None) => Some((source, destination, segment.seq.0)),
        (true, Some(ack)) => Some((destination, source, ack.0.wrapping_sub(1))),
    }
}

/// The shifts that make all agree with the first; `None` when some share nothing with the others.
fn linked(captures: &[HashMap<Key, Handshake>]) -> Option<Vec<i64>> {
    let mut shifts: Vec<Option<i64>> = vec![None; captures.len()];
    *shifts.first_mut()? = Some(0);
    for _ in captures {
        for from in 0..captures.len() {
            let Some(known) = shifts[from] else { continue };
            for to in 0..captures.len() {
                if shifts[to].is_none()
                    && let Some(ahead) = ahead(&captures[from], &captures[to])
                {
                    shifts[to] = Some(known.saturating_sub(ahead));
                }
            }
        }
    }
    shifts.into_iter().collect()
}

/// By how many nanoseconds the clock of `other` is ahead of that of `one`.
fn ahead(one: &HashMap<Key, Handshake>, other: &HashMap<Key, Handshake>) -> Option<i64> {
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    let mut tightest: Option<(i64, i64)> = None;
    for (key, handshake) in one {
        let Some(((syn, syn_ack), (other_syn, other_syn_ack))) =
            handshake.times().zip(other.get(key).and_then(Handshake::times))
        else {
            continue;
        };
        let (there, back) = (other_syn.saturating_sub(syn), other_syn_ack.saturating_sub(syn_ack));
        let (least, most) = (there.min(back), there.max(back));
        (low, high) = (low.max(least), high.min(most));
        // Ties are settled by value: the order of a hash map must not show.
        let width = |(least, most): (i64, i64)| (most.saturating_sub(least), least);
        if tightest.is_none_or(|known| width((least, most)) < width(known)) {
            tightest = Some((least, most));
        }
    }
    let tightest = tightest?;
    // Clocks drift: handshakes far apart may contradict each other by a little.
    let (low, high) = if low <= high { (low, high) } else { tightest };
    if low <= 0 && high >= 0 { Some(0) } else { Some(low.midpoint(high)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A capture that saw these handshakes at these times.
    fn capture(handshakes: &[(u32, i64, i64)]) -> HashMap<Key, Handshake> {
        let end = |port| Endpoint { ip: [10, 0, 0, 1].into(), port };
        let seen = |&(isn, syn, syn_ack): &(u32, i64, i64)| {
            ((end(1), end(2), isn), Handshake { syn: Some(syn), syn_ack: Some(syn_ack), repeated: false })
        };
        handshakes.iter().map(seen).collect()
    }

    #[test]
    fn the_way_cancels_out() {
        // 30 there, 30 back, and a clock that is 5000 ahead.
        let (client, server) = (capture(&[(7, 1000, 1070)]), capture(&[(7, 6030, 6040)]));
        assert_eq!(linked(&[client.clone(), server.clone()]), Some(vec![0, -5000]));
        assert_eq!(linked(&[server, client]), Some(vec![0, 5000]));
    }

    #[test]
    fn clocks_that_may_agree_are_left_alone() {
        let (client, server) = (capture(&[(7, 1000, 1070)]), capture(&[(7, 1050, 1060)]));
        assert_eq!(linked(&[client, server]), Some(vec![0, 0]));
    }

    #[test]
    fn captures_that_share_nothing_are_left_alone() {
        let (one, other) = (capture(&[(7, 1000, 1070)]), capture(&[(8, 6030, 6040)]));
        assert_eq!(linked(&[one.clone(), other.clone()]), None);
        // A third one that shares with both links them.
        let third = capture(&[(7, 2010, 2060), (8, 2010, 2060)]);
        assert_eq!(linked(&[one, other, third]), Some(vec![0, -5000, -1000]));
    }
}
