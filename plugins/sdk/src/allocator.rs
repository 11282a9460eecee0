//! The allocator of components: lists of free blocks, one list a size.
//!
//! The engine puts every string that it hands over into a block of its own, and nearly all of them are short and gone by
//! the end of the call. For that the standard allocator, which joins neighbours and looks for the best fit, does too
//! much: here a block is taken from the front of its list and goes back there. Blocks never change their size, so what
//! one call has freed serves the next.
//!
//! `unsafe`, because an allocator hands out raw memory. Every block lies inside a chunk that is never given back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::{NonNull, null_mut};

/// Blocks are multiples of this, and begin at one: what the strictest type of a component needs.
const GRAIN: usize = 16;

/// Up to here a size of its own for each multiple of [`GRAIN`].
const FINE: usize = 256;

/// The largest block; what is larger goes to the standard allocator.
const LARGEST: usize = 16 << 10;

/// Sizes between [`FINE`] and [`LARGEST`]: four for each doubling.
const COARSE_SIZES: usize = 4 * (LARGEST / FINE).ilog2() as usize;

const SIZES: usize = FINE / GRAIN + COARSE_SIZES;

/// What blocks are cut from.
const CHUNK: usize = 64 << 10;

/// A free block: its first word leads to the next.
struct Free {
    next: Option<NonNull<Free>>,
}

/// See the module.
pub(crate) struct Lists {
    free: [Cell<Option<NonNull<Free>>>; SIZES],
    /// The uncut rest of the newest chunk.
    rest: Cell<*mut u8>,
    left: Cell<usize>,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Lists {}

impl Lists {
    pub(crate) const fn new() -> Self {
        Self {
            free: [const { Cell::new(None) }; SIZES],
            rest: Cell::new(null_mut()),
            left: Cell::new(0),
        }
    }

    /// A block of that size from the uncut rest. What is left of a chunk that is too small for it stays unused: less
    /// than one block.
    fn cut(&self, bytes: usize) -> *mut u8 {
        if self.left.get() < bytes {
            // SAFETY: the chunk's size is not zero.
            let chunk = unsafe { System.alloc(Layout::from_size_align_unchecked(CHUNK, GRAIN)) };
            if chunk.is_null() {
                return chunk;
            }
            self.rest.set(chunk);
            self.left.set(CHUNK);
        }
        let block = self.rest.get();
        // SAFETY: at least `bytes` are left of the chunk.
        self.rest.set(unsafe { block.add(bytes) });
        self.left.set(self.left.get() - bytes);
        block
    }
}

/// Which list serves a layout, and how large its blocks are. `None`: the standard allocator does.
const fn list(layout: Layout) -> Option<(usize, usize)> {
    let size = layout.size();
    if size > LARGEST || layout.align() > GRAIN {
        return None;
    }
    if size <= FINE {
        let grains = if size == 0 { 1 } else { size.div_ceil(GRAIN) };
        return Some((grains - 1, grains * GRAIN));
    }
    // A quarter of the largest power of two that is smaller than the size.
    let power = (size - 1).ilog2();
    let step = 1 << (power - 2);
    let steps = size.div_ceil(step);
    let doublings = (power - FINE.ilog2()) as usize;
    Some((FINE / GRAIN + 4 * doublings + steps - 5, steps * step))
}

// SAFETY: a block comes from one list, is as large as the layout asks at least, and goes back to the same list, because
// the list depends on the layout alone; blocks do not overlap.
unsafe impl GlobalAlloc for Lists {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((list, bytes)) = list(layout) else {
            // SAFETY: as the caller promises.
            return unsafe { System.alloc(layout) };
        };
        let Some(block) = self.free[list].get() else {
            return self.cut(bytes);
        };
        // SAFETY: `dealloc` wrote the next block's address here, and nobody else has had the block since.
        self.free[list].set(unsafe { block.as_ref().next });
        block.as_ptr().cast()
    }

    #[expect(clippy::cast_ptr_alignment, reason = "every block begins at a multiple of GRAIN")]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((list, _)) = list(layout) else {
            // SAFETY: as the caller promises.
            return unsafe { System.dealloc(block, layout) };
        };
        let Some(block) = NonNull::new(block.cast::<Free>()) else {
            return;
        };
        // SAFETY: the block is the caller's, who gives it up; it is large enough and aligned for an address.
        unsafe {
            block.write(Free {
                next: self.free[list].get(),
            });
        }
        self.free[list].set(Some(block));
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size with this alignment makes a layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (list(layout), list(wanted)) {
            (None, None) => {
                // SAFETY: as the caller promises.
                return unsafe { System.realloc(block, layout, size) };
            }
            (Some((old, _)), Some((new, _))) if old == new => return block,
            _ => {}
        }
        // SAFETY: the old block is the caller's; both are at least as large as what is copied.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FINE, GRAIN, LARGEST, Layout, Lists, SIZES, list};
    use std::alloc::GlobalAlloc;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap_or(Layout::new::<u8>())
    }

    #[test]
    fn every_size_has_the_list_of_the_next_larger_block() {
        let mut last = (0, GRAIN);
        for size in 0..=LARGEST {
            let found = list(layout(size));
            let Some((at, bytes)) = found else {
                unreachable!("{size} has no list")
            };
            assert!(bytes >= size && bytes % GRAIN == 0, "{size} in {bytes}");
            assert!(size <= FINE || bytes <= size + size / 4 + GRAIN, "{size} in {bytes}");
            assert!(
                found == Some(last) || (at == last.0 + 1 && bytes > last.1),
                "{size}: {found:?} after {last:?}"
            );
            last = (at, bytes);
        }
        assert_eq!(last, (SIZES - 1, LARGEST));
        assert_eq!(list(layout(LARGEST + 1)), None);
    }

    #[test]
    fn blocks_come_back() {
        let lists = Lists::new();
        // SAFETY: the blocks are given back with the layouts that they were asked for with, and not used afterwards.
        unsafe {
            let first = lists.alloc(layout(20));
            first.write_bytes(7, 20);
            let grown = lists.realloc(first, layout(20), 32);
            assert_eq!(grown, first, "the block is large enough");
            let moved = lists.realloc(grown, layout(32), 5_000);
            assert_ne!(moved, grown);
            assert_eq!(std::slice::from_raw_parts(moved, 20), [7; 20]);
            assert_eq!(lists.alloc(layout(17)), first, "freed by the move");
            let huge = lists.realloc(moved, layout(5_000), 100_000);
            assert_eq!(std::slice::from_raw_parts(huge, 20), [7; 20]);
            let small = lists.realloc(huge, layout(100_000), 10);
            assert_eq!(std::slice::from_raw_parts(small, 10), [7; 10]);
        }
    }
}
