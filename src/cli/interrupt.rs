//! Ctrl-C: the first ends the reading, so that the report of what was read is still printed; the second ends the program.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody wants the program to come to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens to SIGINT and SIGTERM from now on.
    ///
    /// A system that does not allow it leaves the signals as they are: then the first one ends the program.
    pub(super) fn listen() -> Self {
        let this = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second signal finds the flag set, the first one sets it.
            let second = flag::register_conditional_default(signal, Arc::clone(&this.0));
            let first = second.and_then(|_| flag::register(signal, Arc::clone(&this.0)));
            if first.is_err() {
                break;
            }
        }
        this
    }

    /// Whether a signal has come.
    #[inline]
    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
