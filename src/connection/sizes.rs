//! How large the messages of one side were.

use crate::units::Origin;

/// Message sizes in classes, and the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageSizes {
    counts: [u32; Self::UP_TO.len() + 1],
    largest: Option<(u64, Origin)>,
}

impl MessageSizes {
    /// The largest size of each class but the last. They are those at which frames change their form (RFC 6455 §5.2) and
    /// at which stacks commonly refuse.
    pub const UP_TO: [u64; 6] = [125, 1_024, 16_384, 65_535, 1_048_576, 16_777_216];

    pub(super) fn count(&mut self, size: u64, at: Origin) {
        let class = if size <= Self::UP_TO[0] { 0 } else { Self::UP_TO.partition_point(|most| *most < size) };
        if let Some(count) = self.counts.get_mut(class) {
            *count = count.saturating_add(1);
        }
        if self.largest.is_none_or(|(largest, _)| largest < size) {
            self.largest = Some((size, at));
        }
    }

    /// Each class with how many messages fell into it: up to how many bytes, `None` for the last.
    pub fn classes(&self) -> impl Iterator<Item = (Option<u64>, u32)> {
        Self::UP_TO.into_iter().map(Some).chain([None]).zip(self.counts)
    }

    /// The size of the largest message and the packet with its last byte; of equal ones the first.
    #[must_use]
    pub fn largest(&self) -> Option<(u64, Origin)> {
        self.largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNumber;

    #[test]
    fn a_size_is_counted_in_the_first_class_that_holds_it() {
        let mut sizes = MessageSizes::default();
        for (number, size) in (1..).zip([0, 125, 126, 65_535, 65_536, u64::MAX, 7]) {
            sizes.count(size, Origin { packet: PacketNumber::new(number).unwrap(), time: None });
        }
        let counted: Vec<_> = sizes.classes().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(Some(125), 3), (Some(1_024), 1), (Some(65_535), 1), (Some(1_048_576), 1), (None, 1)]);
        assert_eq!(sizes.largest().map(|(size, at)| (size, at.packet.value())), Some((u64::MAX, 6)));
    }
}
