//! What is remembered of the flows that were gone last.
//!
//! They lie in a ring, in the order in which they ended, so that each makes place for the one that comes as many later, and are
//! found by chains through it. Endpoints are known by a hash of 64 bits alone, which another of some ten thousand shares once in
//! 10¹⁴ flows.

use super::bases::Gone;

/// Flows remembered; a power of two. At 22 bytes each and 2 for the chains, 192 KiB.
const MOST: usize = 1 << 13;

/// The hash of a pair of endpoints, in halves: a list of them is closely packed.
pub(super) type Print = [u32; 2];

/// The end of a chain.
const NONE: u16 = u16::MAX;

/// The flows that are gone.
pub(super) struct Graveyard {
    /// How many are remembered.
    most: usize,
    /// A ring, as soon as it is full. What was removed stays, and is in no chain.
    graves: Vec<(Print, Gone)>,
    /// The next in the chain, by place in the ring.
    links: Vec<u16>,
    /// Where the chains begin, by print. Empty until needed.
    heads: Vec<u16>,
    /// Where the next one goes.
    next: usize,
}

impl Graveyard {
    /// Remembers no more than `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self { most: limit.clamp(1, MOST), graves: Vec::new(), links: Vec::new(), heads: Vec::new(), next: 0 }
    }

    pub(super) fn get_mut(&mut self, print: Print) -> Option<&mut Gone> {
        let place = self.find(print)?;
        self.graves.get_mut(place).map(|(_, gone)| gone)
    }

    /// Adds one of which none is there.
    pub(super) fn insert(&mut self, print: Print, gone: Gone) {
        if self.heads.is_empty() {
            self.heads = vec![NONE; MOST];
        }
        let place = self.next;
        match self.graves.get(place) {
            Some((oldest, _)) => {
                self.unlink(*oldest, place);
                self.graves[place] = (print, gone);
            }
            None => {
                if place == self.graves.capacity() {
                    let more = (place / 2 + 64).min(self.most - place);
                    self.graves.reserve_exact(more);
                    self.links.reserve_exact(more);
                }
                self.graves.push((print, gone));
                self.links.push(NONE);
            }
        }
        let head = &mut self.heads[chain(print)];
        // Less than `MOST`.
        self.links[place] = std::mem::replace(head, place as u16);
        self.next = (place + 1) % self.most;
    }

    pub(super) fn remove(&mut self, print: Print) {
        if let Some(place) = self.find(print) {
            self.unlink(print, place);
        }
    }

    fn find(&self, print: Print) -> Option<usize> {
        let mut at = self.heads.get(chain(print)).copied()?;
        while at != NONE {
            let place = usize::from(at);
            if self.graves[place].0 == print {
                return Some(place);
            }
            at = self.links[place];
        }
        None
    }

    /// Takes what lies at `place` out of the chain of its print, if it is there.
    fn unlink(&mut self, print: Print, place: usize) {
        let behind = self.links[place];
        let head = &mut self.heads[chain(print)];
        if usize::from(*head) == place {
            *head = behind;
            return;
        }
        let mut before = *head;
        while let Some(link) = self.links.get_mut(usize::from(before)) {
            if usize::from(*link) == place {
                *link = behind;
                return;
            }
            before = *link;
        }
    }
}

fn chain([_, low]: Print) -> usize {
    low as usize % MOST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::SeqNumber;
    use std::collections::VecDeque;

    /// A list that is searched from one end to the other remembers the same.
    #[test]
    fn the_last_are_remembered_and_what_was_removed_is_not() {
        for most in [1, 2, 7, 100, 10_000] {
            let mut graves = Graveyard::new(most);
            let mut list: VecDeque<Option<(Print, u32)>> = VecDeque::new();
            let mut state = most as u64;
            let mut random = |below: u32| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u32 % below
            };
            for number in 0..20_000 {
                // Chains of several, and some prints again and again.
                let print = [random(3), random(500) * 3];
                let known = list.iter().rev().flatten().find(|(known, _)| *known == print).map(|(_, seq)| *seq);
                assert_eq!(graves.get_mut(print).copied(), known.map(|seq| Gone::both(SeqNumber(seq))));
                graves.remove(print);
                list.iter_mut().filter(|one| one.is_some_and(|(known, _)| known == print)).for_each(|one| *one = None);
                assert_eq!(graves.get_mut(print), None);
                if random(4) > 0 {
                    graves.insert(print, Gone::both(SeqNumber(number)));
                    list.push_back(Some((print, number)));
                    if list.len() > most.min(MOST) {
                        list.pop_front();
                    }
                }
            }
        }
    }
}
