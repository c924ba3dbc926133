//! A global allocator that counts: for tests of memory, each of which is a crate that includes this module.
#![expect(unsafe_code, reason = "a global allocator cannot be written without")]
#![allow(dead_code, unreachable_pub, reason = "each test crate uses its own part of this")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what the current thread asks for.
struct Counting;

thread_local! {
    /// Of the current thread, so that tests may run side by side.
    pub static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, live: 0, peak: 0 }) };
}

#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// Calls that got new memory, growing included.
    pub allocations: u64,
    /// Bytes handed out and not given back.
    pub live: i64,
    /// The most that `live` ever was since this was last reset.
    pub peak: i64,
}

fn count(allocations: u64, bytes: i64) {
    // While a thread ends its counters are gone; nobody asks for them any more.
    let _ = COUNTS.try_with(|counts| {
        let before = counts.get();
        let live = before.live + bytes;
        counts.set(Counts { allocations: before.allocations + allocations, live, peak: before.peak.max(live) });
    });
}

// SAFETY: every call goes to the system allocator with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller's promises are those of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, new_size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
