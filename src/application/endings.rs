//! Which patterns a text may fit: most of them are told apart from it by its last byte.

use super::Protocol;

/// Where a pattern stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) protocol: usize,
    /// Which of the protocol's it is.
    pub(super) index: usize,
}

/// The places of all patterns of one kind, by the last byte of what fits them.
#[derive(Debug, Clone)]
pub(super) struct Endings {
    /// For each byte, which of the lists is that of the texts that end with it.
    lists_of: [u8; 256],
    /// Each in the order of the protocols. The first has the patterns that say nothing about the last byte, and so do all.
    lists: Vec<Vec<Place>>,
}

impl Default for Endings {
    fn default() -> Self {
        Self { lists_of: [0; 256], lists: vec![Vec::new()] }
    }
}

impl Endings {
    /// Those of all patterns of one kind.
    pub(super) fn of_all(protocols: &[Protocol], patterns: impl Fn(&Protocol) -> Vec<&str>) -> Self {
        let mut endings = Self::default();
        for (protocol, each) in protocols.iter().enumerate() {
            for (index, pattern) in patterns(each).into_iter().enumerate() {
                endings.add(pattern, Place { protocol, index });
            }
        }
        endings
    }

    fn add(&mut self, pattern: &str, place: Place) {
        let last = pattern.bytes().next_back().filter(|byte| !matches!(byte, b'*' | b'#'));
        let Some(last) = last else { return self.lists.iter_mut().for_each(|list| list.push(place)) };
        let list = &mut self.lists_of[usize::from(last)];
        if *list == 0 {
            // A text holds no more than 244 different bytes, so there is a number for each list.
            *list = u8::try_from(self.lists.len()).unwrap_or_default();
            self.lists.push(self.lists[0].clone());
        }
        self.lists[usize::from(*list)].push(place);
    }

    /// The patterns that a text with this last byte may fit.
    pub(super) fn of(&self, last: Option<u8>) -> &[Place] {
        let list = last.map_or(0, |last| self.lists_of[usize::from(last)]);
        &self.lists[usize::from(list)]
    }
}
