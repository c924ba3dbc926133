//! Slots for values that come and go, addressed by a small number.
//!
//! Pages instead of one vector: growing never moves what is there and never holds it twice.

/// Slots per page.
const PAGE: usize = 256;

/// The slots.
pub(super) struct Slab<T> {
    pages: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
    len: usize,
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
        (full + self.pages.last().map_or(0, Vec::len)) as u32
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        self.pages.get(slot / PAGE)?.get(slot % PAGE)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let slot = slot as usize;
        self.pages.get_mut(slot / PAGE)?.get_mut(slot % PAGE)?.as_mut()
    }

    /// Puts `value` into a free slot. The table above keeps far less than 2³¹ values.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if let Some(slot) = self.free.pop() {
            self.pages[slot as usize / PAGE][slot as usize % PAGE] = Some(value);
            return slot;
        }
        let slot = self.slots();
        if (slot as usize).is_multiple_of(PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        self.pages[slot as usize / PAGE].push(Some(value));
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let value = self.pages.get_mut(slot as usize / PAGE)?.get_mut(slot as usize % PAGE)?.take()?;
        self.free.push(slot);
        self.len -= 1;
        Some(value)
    }

    /// Every occupied slot with its value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.pages.iter().flatten();
        slots.zip(0u32..).filter_map(|(value, slot)| Some((slot, value.as_ref()?)))
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
}
