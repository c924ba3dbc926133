//! Why packets were not used, and how many of each.

use crate::capture::LinkType;

/// Why a packet holds no TCP segment for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// Recorded with a link type that we cannot read.
    UnknownLinkType(LinkType),
    /// The link layer carries something else than IP (ARP, spanning tree, ...).
    NotIp,
    /// IP carries something else than TCP.
    NotTcp,
    /// A fragment of an IP packet of which others are missing: not yet come, never recorded, or recorded short.
    Fragment,
    /// The snapshot length cut the packet before the end of the fixed TCP header.
    Cut,
    /// The headers contradict themselves.
    Malformed,
}

/// Unknown link types that are told apart; packets of further ones are only counted.
const MAX_UNKNOWN_LINKS: usize = 4;

/// How many packets were skipped for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SkipCounts {
    /// See [`Skip::UnknownLinkType`].
    pub unknown_link_type: u64,
    /// The first link types that we could not read, with the packets of each.
    pub unknown_links: [Option<(LinkType, u64)>; MAX_UNKNOWN_LINKS],
    /// See [`Skip::NotIp`].
    pub not_ip: u64,
    /// See [`Skip::NotTcp`].
    pub not_tcp: u64,
    /// See [`Skip::Fragment`].
    pub fragment: u64,
    /// See [`Skip::Cut`].
    pub cut: u64,
    /// See [`Skip::Malformed`].
    pub malformed: u64,
}

impl SkipCounts {
    /// Counts one skipped packet.
    pub fn add(&mut self, skip: Skip) {
        *self.counter(skip) += 1;
    }

    fn counter(&mut self, skip: Skip) -> &mut u64 {
        match skip {
            Skip::UnknownLinkType(link) => {
                let mut known = self.unknown_links.iter_mut();
                if let Some(place) = known.find(|place| place.is_none_or(|(known, _)| known == link)) {
                    place.get_or_insert((link, 0)).1 += 1;
                }
                &mut self.unknown_link_type
            }
            Skip::NotIp => &mut self.not_ip,
            Skip::NotTcp => &mut self.not_tcp,
            Skip::Fragment => &mut self.fragment,
            Skip::Cut => &mut self.cut,
            Skip::Malformed => &mut self.malformed,
        }
    }

    /// Counts `count` fragments as what their datagram turned out to be: `None` when it held a segment.
    pub fn joined(&mut self, count: u64, became: Option<Skip>) {
        self.fragment = self.fragment.saturating_sub(count);
        if let Some(skip) = became {
            *self.counter(skip) += count;
        }
    }

    /// Names of the link types that could not be read, a number where there is no name, with the packets of each.
    pub fn unknown_link_names(&self) -> impl Iterator<Item = (String, u64)> {
        let name = |link: LinkType| link.name().map_or_else(|| link.0.to_string(), str::to_owned);
        self.unknown_links.iter().flatten().map(move |&(link, count)| (name(link), count))
    }

    /// All skipped packets: the sum of the reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_, count)| count).sum()
    }

    /// Each reason's name and count, in a fixed order.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("unknown_link_type", self.unknown_link_type),
            ("not_ip", self.not_ip),
            ("not_tcp", self.not_tcp),
            ("fragment", self.fragment),
            ("cut", self.cut),
            ("malformed", self.malformed),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_skip_is_counted_once() {
        let mut counts = SkipCounts::default();
        let all = [
            Skip::UnknownLinkType(LinkType(147)),
            Skip::UnknownLinkType(LinkType(148)),
            Skip::NotIp,
            Skip::NotTcp,
            Skip::Fragment,
            Skip::Cut,
            Skip::Malformed,
        ];
        for skip in all {
            counts.add(skip);
        }
        assert_eq!(counts.named().map(|(_, count)| count), [2, 1, 1, 1, 1, 1]);
        assert_eq!(counts.total(), 7);
        assert_eq!(counts.unknown_links, [Some((LinkType(147), 1)), Some((LinkType(148), 1)), None, None]);
    }
}
