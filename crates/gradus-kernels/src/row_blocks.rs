//! Passes over the rows of a matrix that also add something up per column: the gradients of a normalisation's weights.
//!
//! Rows go in blocks whose size depends on the shape alone. Each block has totals of its own, added up in order
//! afterwards, so the bits do not depend on the number of threads, and the rows are read once.

use std::ops::Range;

use crate::partition::{PARALLEL_CHEAP, PIECE, Pieces};
use crate::pool;
use crate::real::Real;
use crate::reduce::{self, Axis};
use crate::scratch::with_scratch;

/// Rows of one block at least: its totals are written and read once, a thirtieth of what its rows cost.
const MIN_ROWS: usize = 32;

/// Rows of one block of `width` columns: a few pieces' worth, for short rows.
fn rows_per_block(width: usize) -> usize {
    (4 * PIECE / width.max(1)).max(MIN_ROWS)
}

/// Runs `body(rows, totals)` on each block of rows, `totals` being zeros for that block to add to, and overwrites
/// `totals` with the sums over all blocks. `totals` may have any length; with none, this is a plain loop.
pub(crate) fn for_row_blocks<T: Real>(
    totals: &mut [T],
    rows: usize,
    width: usize,
    body: impl Fn(Range<usize>, &mut [T]) + Sync,
) {
    let columns = totals.len();
    let block = rows_per_block(width);
    let blocks = rows.div_ceil(block);
    let run = |partials: &mut [T]| {
        let partials = Pieces::new(partials);
        let task = |i: usize| {
            // SAFETY: each block has its own totals.
            let totals = unsafe { partials.get(i * columns..(i + 1) * columns) };
            totals.fill(T::ZERO);
            body(i * block..((i + 1) * block).min(rows), totals);
        };
        match rows * width < PARALLEL_CHEAP {
            true => (0..blocks).for_each(task),
            false => pool::parallel_for(blocks, task),
        }
    };
    if blocks <= 1 || columns == 0 {
        totals.fill(T::ZERO);
        return run(totals);
    }
    with_scratch(blocks * columns, |partials: &mut [T]| {
        run(partials);
        let dims = Axis {
            outer: 1,
            axis: blocks,
            inner: columns,
        };
        reduce::sum(totals, partials, dims);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::same_for_every_thread_count;

    #[test]
    fn every_row_is_seen_once_and_totals_add_up() {
        for (rows, width) in [(0, 3), (1, 3), (31, 700), (2000, 65), (40_000, 1)] {
            let sums = same_for_every_thread_count(|| {
                let mut totals = [f64::NAN; 2];
                for_row_blocks(&mut totals, rows, width, |rows, totals| {
                    for row in rows {
                        totals[0] += 1.0;
                        totals[1] += row as f64;
                    }
                });
                totals
            });
            assert_eq!(sums, [rows as f64, (rows * rows.saturating_sub(1) / 2) as f64]);
            for_row_blocks::<f32>(&mut [], rows, width, |_, totals| assert!(totals.is_empty()));
        }
    }
}
