//! The silences that connections of one host survived: of the longest, one for each connection, how long they were; and the
//! longest of all.

use crate::connection::Silence;

/// Silences remembered for one host: the longest, one for each connection.
const SURVIVED: usize = 16;

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Survived {
    /// Flows and the seconds that they survived.
    flows: Vec<(u64, f64)>,
    longest: Option<Box<Silence>>,
}

impl Survived {
    /// A connection survived a silence.
    pub(super) fn add(&mut self, flow: u64, survived: &Silence) {
        let longest = longer(self.longest.as_deref().copied(), *survived);
        match &mut self.longest {
            Some(known) => **known = longest,
            None => self.longest = Some(Box::new(longest)),
        }
        let seconds = survived.seconds;
        if let Some((_, known)) = self.flows.iter_mut().find(|(known, _)| *known == flow) {
            *known = known.max(seconds);
            return;
        }
        if self.flows.len() == SURVIVED {
            let shortest = self.flows.iter().enumerate();
            let shortest = shortest.min_by(|(_, a), (_, b)| a.1.total_cmp(&b.1)).map(|(at, _)| at);
            if let Some(at) = shortest
                && self.flows[at].1 < seconds
            {
                self.flows.swap_remove(at);
            }
        }
        if self.flows.len() < SURVIVED {
            // There are many hosts, most of them with few connections.
            if self.flows.len() == self.flows.capacity() {
                self.flows.reserve_exact(self.flows.len() / 2 + 1);
            }
            self.flows.push((flow, seconds));
        }
    }

    /// The longest silence that any connection survived; `own` is that of the one asked about.
    pub(super) fn longest(&self, own: Option<Silence>) -> Option<Silence> {
        match (self.longest.as_deref(), own) {
            (Some(known), Some(own)) => Some(longer(Some(own), *known)),
            (known, own) => known.copied().or(own),
        }
    }

    /// How many connections survived a silence clearly longer than this one.
    pub(super) fn outlasted(&self, flow: u64, own: Option<Silence>, silence: f64) -> u64 {
        let longer = |seconds: f64| seconds > silence + (silence * 0.02).max(1.0);
        let others = self.flows.iter().filter(|(other, seconds)| *other != flow && longer(*seconds)).count();
        (others + usize::from(own.is_some_and(|own| longer(own.seconds)))) as u64
    }
}

/// The longer of two; of those that are as long, the one that was over first.
fn longer(known: Option<Silence>, other: Silence) -> Silence {
    let is_longer = |known: &Silence| {
        known.seconds.total_cmp(&other.seconds).then(other.until.packet.cmp(&known.until.packet)).is_ge()
    };
    known.filter(is_longer).unwrap_or(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Origin, PacketNumber};

    #[test]
    fn the_longest_silences_stay_one_for_each_connection() {
        let mut survived = Survived::default();
        let origin = Origin { packet: PacketNumber::FIRST, time: None };
        for flow in 0..100 {
            let seconds = ((flow * 37) % 100) as f64;
            survived.add(flow, &Silence { seconds, since: origin, until: origin });
            survived.add(flow, &Silence { seconds: 0.5, since: origin, until: origin });
        }
        assert_eq!(survived.flows.len(), SURVIVED);
        assert_eq!(survived.outlasted(u64::MAX, None, 80.0), 16);
        assert_eq!(survived.outlasted(u64::MAX, None, 97.0), 1);
        assert_eq!(survived.longest(None).map(|longest| longest.seconds), Some(99.0));
    }
}
