//! Slots for values that come and go, addressed by a small number.
//!
//! Pages instead of one vector: growing never moves what is there and never holds it twice.

/// Slots per page.
const PAGE: usize = 256;

/// The slots.
pub(super) struct Slab<T> {
    pages: Vec<Page<T>>,
    free: Vec<u32>,
    len: usize,
}

struct Page<T> {
    /// None once it was given back.
    slots: Vec<Option<T>>,
    /// How many are occupied.
    count: usize,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { pages: Vec::new(), free: Vec::new(), len: 0 }
    }

    /// Occupied slots.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All slots, also free ones; every slot number is below.
    pub(super) fn slots(&self) -> u32 {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        // `insert` hands out `u32` only.
        (full + self.pages.last().map_or(0, |page| page.slots.len())) as u32
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        self.pages.get(slot / PAGE)?.slots.get(slot % PAGE)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let slot = slot as usize;
        self.pages.get_mut(slot / PAGE)?.slots.get_mut(slot % PAGE)?.as_mut()
    }

    /// Puts `value` into a free slot. The table above keeps far less than 2³¹ values.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        while let Some(slot) = self.free.pop() {
            let page = &mut self.pages[slot as usize / PAGE];
            if let Some(place) = page.slots.get_mut(slot as usize % PAGE) {
                *place = Some(value);
                page.count += 1;
                return slot;
            }
        }
        let slot = self.slots();
        if (slot as usize).is_multiple_of(PAGE) {
            self.pages.push(Page { slots: Vec::with_capacity(PAGE), count: 0 });
        }
        let page = &mut self.pages[slot as usize / PAGE];
        page.slots.push(Some(value));
        page.count += 1;
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let page = self.pages.get_mut(slot as usize / PAGE)?;
        let value = page.slots.get_mut(slot as usize % PAGE)?.take()?;
        page.count -= 1;
        self.free.push(slot);
        self.len -= 1;
        Some(value)
    }

    /// The same when no more values will come: a page of which all are gone is given back.
    pub(super) fn retire(&mut self, slot: u32) -> Option<T> {
        let value = self.remove(slot)?;
        // New slots are added to the last page.
        if let [pages @ .., _] = &mut self.pages[..]
            && let Some(page) = pages.get_mut(slot as usize / PAGE).filter(|page| page.count == 0)
        {
            page.slots = Vec::new();
        }
        Some(value)
    }

    /// Every occupied slot with its value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let pages = self.pages.iter().zip((0u32..).step_by(PAGE));
        pages
            .flat_map(|(page, first)| page.slots.iter().zip(first..))
            .filter_map(|(value, slot)| Some((slot, value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_reused() {
        let mut slab = Slab::new();
        let slots: Vec<u32> = (0..600).map(|value| slab.insert(value)).collect();
        assert_eq!(slots, (0..600).collect::<Vec<u32>>());
        assert_eq!(slab.remove(300), Some(300));
        assert_eq!(slab.remove(300), None);
        assert_eq!((slab.len(), slab.get_mut(300)), (599, None));
        assert_eq!(slab.insert(-1), 300);
        assert_eq!((slab.len(), slab.slots(), slab.get_mut(300)), (600, 600, Some(&mut -1)));
        assert_eq!(slab.iter().map(|(slot, _)| slot).collect::<Vec<u32>>(), slots);
    }

    #[test]
    fn pages_of_which_all_are_gone_are_given_back() {
        let mut slab = Slab::new();
        for value in 0..600 {
            slab.insert(value);
        }
        slab.remove(5);
        for slot in (0..600).filter(|slot| *slot != 300) {
            assert_eq!(slab.retire(slot), (slot != 5).then_some(slot));
        }
        let given_back =
            |slab: &Slab<u32>| slab.pages.iter().map(|page| page.slots.capacity() == 0).collect::<Vec<_>>();
        assert_eq!(given_back(&slab), [true, false, false]);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(300, &300)]);
        // What comes nevertheless finds a place.
        let slots: Vec<u32> = (1000..2000).map(|value| slab.insert(value)).collect();
        assert!(slots.iter().zip(1000..).all(|(slot, value)| slab.get(*slot) == Some(&value)));
        assert_eq!((slab.len(), slab.get(300)), (1001, Some(&300)));
    }
}
