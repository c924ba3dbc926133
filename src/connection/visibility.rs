//! What the capture shows of one side's bytes, and therefore what may be concluded from not seeing something.

use crate::units::Origin;
use crate::websocket::Resynchronised;

/// The limits of sight on one side; everything false means all its bytes were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Visibility {
    /// Its first bytes were sent before the capture began.
    pub joined_late: bool,
    /// Bytes are missing, first noticed here.
    pub gap: Option<Origin>,
    /// Packets were recorded short.
    pub cut: bool,
    /// Not one of its packets is in the capture, though it must have sent some.
    pub one_sided: bool,
    /// Its bytes went by encrypted and could not be read.
    pub encrypted: bool,
    /// From here on the frame boundaries are unknown, so that nothing may be claimed about frames.
    pub frames_lost: Option<Origin>,
    /// Here they were last found again: what came later was seen, though nothing can be said about what came between.
    pub frames_found: Option<Origin>,
}

impl Visibility {
    /// The worst limit as one word of the JSON output.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.encrypted {
            "encrypted"
        } else if self.one_sided {
            "one_sided"
        } else if self.joined_late {
            "joined_late"
        } else if self.gap.is_some() {
            "gap"
        } else if self.cut {
            "cut"
        } else {
            "full"
        }
    }

    /// Frames were found where nobody knew where they start.
    pub(super) fn resynchronised(&mut self, found: &Resynchronised) {
        self.frames_found = Some(found.origin);
        if found.found != found.lost_from {
            self.frames_lost.get_or_insert(found.lost_at);
        } else if self.frames_lost == Some(found.lost_at) {
            // It was feared and did not come true.
            self.frames_lost = None;
        }
    }

    /// Whether every frame of this side was seen, so that "it never sent one" may be said.
    #[must_use]
    pub fn frames_complete(&self) -> bool {
        self.frames_lost.is_none() && !self.encrypted && !self.one_sided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_limit_names_the_side() {
        let mut visibility = Visibility::default();
        assert_eq!(visibility.name(), "full");
        visibility.cut = true;
        assert_eq!(visibility.name(), "cut");
        visibility.encrypted = true;
        assert_eq!(visibility.name(), "encrypted");
        assert!(!visibility.frames_complete());
    }
}
