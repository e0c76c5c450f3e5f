//! Cutting slices into fixed pieces that run on the pool.
//!
//! The pieces depend on the length alone, never on the number of threads, so a result is the same on any machine.

use std::marker::PhantomData;
use std::ops::Range;

use crate::pool;

/// Elements in one piece of an element-wise loop: 16 KiB of `f32`, so that three operands stay in a 48 KiB L1, and a
/// 100,352-element weight (784 × 128) falls into 25 pieces, near enough to two equal halves.
pub(crate) const PIECE: usize = 4096;

/// Below this many elements a cheap loop (a few flops an element) runs on the caller: handing work to the spinning
/// pool costs about as much as streaming this many elements from cache.
pub(crate) const PARALLEL_CHEAP: usize = 32 * 1024;

/// The same for loops of some tens of flops an element (`exp`, `tanh`, `erf`, the Adam family).
pub(crate) const PARALLEL_COSTLY: usize = 16 * 1024;

/// A mutable slice that tasks of one parallel loop cut into disjoint pieces.
pub(crate) struct Pieces<'a, T> {
    start: *mut T,
    len: usize,
    marker: PhantomData<&'a mut [T]>,
}

// SAFETY: a `Pieces` only hands out `&mut [T]` parts of a slice it borrows exclusively; its users promise (see `get`)
// that no two threads take overlapping parts, so sharing it is sharing `&mut T`, which needs `T: Send` and no more.
unsafe impl<T: Send> Sync for Pieces<'_, T> {}

impl<'a, T> Pieces<'a, T> {
    /// Borrows the whole slice.
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            marker: PhantomData,
        }
    }

    /// One part of the slice.
    ///
    /// # Safety
    /// Parts taken by different calls that are alive at the same time must not overlap.
    pub(crate) unsafe fn get(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "bug: piece {range:?} of {}",
            self.len
        );
        // SAFETY: the range lies inside the borrowed slice (asserted), and the caller keeps live parts disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

/// Runs `body` over the ranges of `PIECE` elements that cover `0..len`: inline below `threshold`, on the pool above.
pub(crate) fn for_ranges(len: usize, threshold: usize, body: impl Fn(Range<usize>) + Sync) {
    if len < threshold {
        return body(0..len);
    }
    pool::parallel_for(len.div_ceil(PIECE), |i| {
        body(i * PIECE..((i + 1) * PIECE).min(len))
    });
}

/// Like [`for_ranges`], over rows of `row_len` elements: each range holds whole rows, about `PIECE` elements of
/// them. Nothing runs when there are no elements.
pub(crate) fn for_rows(rows: usize, row_len: usize, threshold: usize, body: impl Fn(Range<usize>) + Sync) {
    if rows * row_len == 0 {
        return;
    }
    if rows * row_len < threshold || rows < 2 {
        return body(0..rows);
    }
    let step = (PIECE / row_len).max(1);
    pool::parallel_for(rows.div_ceil(step), |i| {
        body(i * step..((i + 1) * step).min(rows))
    });
}

/// An element-wise loop over one mutable slice: `body(part of out, where it starts)`.
pub(crate) fn for_pieces<T: Send>(
    out: &mut [T],
    threshold: usize,
    body: impl Fn(&mut [T], Range<usize>) + Sync,
) {
    let len = out.len();
    let out = Pieces::new(out);
    for_ranges(len, threshold, |range| {
        // SAFETY: `for_ranges` gives disjoint ranges.
        body(unsafe { out.get(range.clone()) }, range)
    });
}

/// The same over two mutable slices of one length.
pub(crate) fn for_pieces2<A: Send, B: Send>(
    a: &mut [A],
    b: &mut [B],
    threshold: usize,
    body: impl Fn(&mut [A], &mut [B], Range<usize>) + Sync,
) {
    debug_assert_eq!(a.len(), b.len());
    let len = a.len();
    let (a, b) = (Pieces::new(a), Pieces::new(b));
    for_ranges(len, threshold, |range| {
        // SAFETY: `for_ranges` gives disjoint ranges, and `a` and `b` are different slices.
        unsafe { body(a.get(range.clone()), b.get(range.clone()), range) }
    });
}

/// The same over three mutable slices of one length.
pub(crate) fn for_pieces3<T: Send>(
    [a, b, c]: [&mut [T]; 3],
    threshold: usize,
    body: impl Fn([&mut [T]; 3], Range<usize>) + Sync,
) {
    debug_assert!(a.len() == b.len() && b.len() == c.len());
    let len = a.len();
    let (a, b, c) = (Pieces::new(a), Pieces::new(b), Pieces::new(c));
    for_ranges(len, threshold, |range| {
        // SAFETY: `for_ranges` gives disjoint ranges, and the three are different slices.
        unsafe {
            body(
                [a.get(range.clone()), b.get(range.clone()), c.get(range.clone())],
                range,
            )
        }
    });
}

/// Whole rows of one mutable slice: `body(those rows, which ones)`.
pub(crate) fn for_row_pieces<T: Send>(
    out: &mut [T],
    row_len: usize,
    threshold: usize,
    body: impl Fn(&mut [T], Range<usize>) + Sync,
) {
    let rows = out.len().checked_div(row_len).unwrap_or(0);
    let out = Pieces::new(out);
    for_rows(rows, row_len, threshold, |range| {
        // SAFETY: `for_rows` gives disjoint row ranges.
        body(
            unsafe { out.get(range.start * row_len..range.end * row_len) },
            range,
        )
    });
}
