//! The product for a few rows, as dot products with columns of B that lie contiguous in memory: a weight `[out, in]` is
//! streamed once from where it lies, without packing.

use std::arch::x86_64::*;

use super::pack::Cut;
use super::tile::LANES;
use super::words::{Words, words};
use super::{MIN_PARALLEL_WORK, Plan};
use crate::matrix::MatRef;
use crate::pool::{self, SharedMut, parallel_for};
use crate::scratch::with_scratch;

/// The most rows of A: with more, the loads of A take longer than the stream of B.
pub(super) const MAX_ROWS: usize = 4;

/// Sums beside each other for each row of A, enough to hide the latency of a multiply-add with one row.
const CHAINS: usize = 4;

/// How far ahead the stream is fetched: into the next page, where the hardware's prefetch does not reach.
const AHEAD_BYTES: usize = 2048;

/// Computes the plan's product with a right-hand side whose columns are the rows of `columns`, contiguous, for up to
/// [`MAX_ROWS`] rows.
///
/// # Safety
/// As [`Plan::run`].
pub(super) unsafe fn run<W: Words>(out: &mut [f32], plan: &Plan<W>, columns: &W::Matrix<'_>) {
    let (m, n, k) = plan.dims;
    let pitch = words::<W>(k).next_multiple_of(LANES);
    with_scratch(m * pitch, |rows: &mut [u32]| {
        for (row, to) in rows.chunks_exact_mut(pitch).enumerate() {
            to[k / W::TERMS..].fill(0);
            // SAFETY: the row lies in A, and `to` holds its words.
            unsafe { W::pack_rows(&plan.left, (0, k), (row, 1), to.as_mut_ptr(), 1) };
        }
        let threads = if m * n * k < MIN_PARALLEL_WORK {
            1
        } else {
            pool::threads()
        };
        let parts = threads.min(n);
        let base = SharedMut(out.as_mut_ptr());
        let rows = &*rows;
        parallel_for(parts, |part| {
            for col in part * n / parts..(part + 1) * n / parts {
                let mut sums = [0.0; MAX_ROWS];
                // SAFETY: the column has k elements, and `rows` has its words for each row of A.
                unsafe { W::dots(columns, col, rows, &mut sums[..m]) };
                for (row, &sum) in sums[..m].iter().enumerate() {
                    // SAFETY: no other part has this column of the output.
                    let y = unsafe { &mut *base.get().add(row * n + col) };
                    let start = if plan.accumulate { *y } else { 0.0 };
                    *y = plan.epilogue.of(start + sum, col);
                }
            }
        });
    });
}

/// The dot products of row `col` of `columns` with each of the `sums.len()` rows of words.
///
/// # Safety
/// The machine has the instructions of the words; the row lies in the matrix and is contiguous; the rows of words are as
/// long as it, filled up with zeros to whole vectors.
#[inline(always)]
pub(super) unsafe fn dots<W: Cut<E>, E>(columns: &MatRef<E>, col: usize, rows: &[u32], sums: &mut [f32]) {
    let pitch = rows.len() / sums.len();
    let (at, k) = (
        columns.data.as_ptr().wrapping_add(col * columns.row_stride),
        columns.cols,
    );
    // SAFETY: passed on.
    unsafe {
        match sums {
            [a] => [*a] = dot::<W, E, 1>(at, k, rows, pitch),
            [a, b] => [*a, *b] = dot::<W, E, 2>(at, k, rows, pitch),
            [a, b, c] => [*a, *b, *c] = dot::<W, E, 3>(at, k, rows, pitch),
            [a, b, c, d] => [*a, *b, *c, *d] = dot::<W, E, 4>(at, k, rows, pitch),
            _ => unreachable!("bug: {} rows are not few", sums.len()),
        }
    }
}

/// # Safety
/// As [`dots`].
#[inline(always)]
unsafe fn dot<W: Cut<E>, E, const R: usize>(at: *const E, k: usize, rows: &[u32], pitch: usize) -> [f32; R] {
    let terms = LANES * W::TERMS;
    // SAFETY: the caller's promise; a prefetch reads nothing.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); CHAINS]; R];
        let mut p = 0;
        while p + CHAINS * terms <= k {
            for c in 0..CHAINS {
                let start = p + c * terms;
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(start).cast::<i8>().wrapping_add(AHEAD_BYTES));
                let b = W::row::<true>(at.add(start), terms);
                for (r, chains) in sums.iter_mut().enumerate() {
                    let a = _mm512_loadu_epi32(rows.as_ptr().add(r * pitch + start / W::TERMS).cast());
                    chains[c] = W::multiply_add(chains[c], a, b);
                }
            }
            p += CHAINS * terms;
        }
        while p < k {
            let b = W::row::<false>(at.add(p), terms.min(k - p));
            for (r, chains) in sums.iter_mut().enumerate() {
                let a = _mm512_loadu_epi32(rows.as_ptr().add(r * pitch + p / W::TERMS).cast());
                chains[0] = W::multiply_add(chains[0], a, b);
            }
            p += terms;
        }
        let mut totals = [0.0; R];
        for (total, [a, b, c, d]) in totals.iter_mut().zip(sums) {
            *total = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
        }
        totals
    }
}
