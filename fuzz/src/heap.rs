//! How many bytes of the heap the current thread's Rust code uses; what libFuzzer itself allocates does not count.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Bytes in use, and the most there ever were since this was last reset.
    static USE: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    // While a thread ends its counter is gone; nobody asks for it any more.
    let _ = USE.try_with(|used| {
        let (live, peak) = used.get();
        used.set((live + bytes, peak.max(live + bytes)));
    });
}

// SAFETY: every call goes to the system allocator with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `work` and fails when it ever uses more than `most` bytes beyond those in use before.
///
/// With `FUZZ_SHOW_HEAP` set, new records are printed: to choose `most`.
pub fn at_most<T>(most: usize, work: impl FnOnce() -> T) -> T {
    let (result, used) = used_by(work);
    show(used);
    assert!(used <= most, "{used} bytes of heap, {most} are allowed");
    result
}

/// Runs `work` and gives the most bytes that it ever used beyond those in use before.
pub fn used_by<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let (before, _) = USE.get();
    USE.set((before, before));
    let result = work();
    let (_, peak) = USE.get();
    (result, usize::try_from(peak - before).unwrap_or(0))
}

fn show(used: usize) {
    thread_local! {
        static RECORD: Cell<usize> = const { Cell::new(0) };
    }
    if RECORD.get() < used && std::env::var_os("FUZZ_SHOW_HEAP").is_some() {
        RECORD.set(used);
        eprintln!("heap: {used} bytes");
    }
}
