//! The block operations that the loops of attention are made of, for each instruction set.

use super::block::{self, Known, Lanes};
use super::panel::PANEL;
use crate::matrix::MatRef;
use crate::real::Real;
use crate::vectorize::vectorize;

/// Products and transpositions of blocks.
pub(super) trait Engine<T: Real>: Copy + Sync {
    /// `c[rows, cols] = a · b`, or `c + a · b`; the rows of `c` are `c_stride` apart. The columns of `b` are contiguous, and so
    /// are the rows or the columns of `a`.
    fn product(self, c: &mut [T], c_stride: usize, a: MatRef<T>, b: MatRef<T>, accumulate: bool);

    /// `to[e][lane] = data[starts[lane] + e]` for `e` in `0..head_dim`; zero for lanes past `starts`.
    fn load_lanes(self, to: &mut [T], data: &[T], starts: &[usize]);

    /// `rows[lane][e] = from[e][lane]`, the rows dense, for as many as there are.
    fn store_lanes(self, rows: &mut [T], from: &[T]);

    /// See [`block::scale_lanes`].
    fn scale_lanes(self, rows: &mut [Lanes<T>], factor: &Lanes<T>) {
        block::scale_lanes(rows, factor);
    }

    /// See [`block::exponentials`].
    fn exponentials(self, scores: &mut [Lanes<T>], max: &Lanes<T>, sum: &mut Lanes<T>) {
        block::exponentials(scores, max, sum);
    }

    /// See [`block::probabilities_and_gradients`].
    fn probabilities_and_gradients(
        self,
        scores: &mut [Lanes<T>],
        d: &mut [Lanes<T>],
        known: &Known<T>,
        factor: T,
    ) {
        block::probabilities_and_gradients(scores, d, known, factor);
    }
}

/// Plain loops, which the compiler vectorises as far as the instruction set allows.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl<T: Real> Engine<T> for Portable {
    fn product(self, c: &mut [T], c_stride: usize, a: MatRef<T>, b: MatRef<T>, accumulate: bool) {
        product(c, c_stride, a, b, accumulate);
    }

    fn load_lanes(self, to: &mut [T], data: &[T], starts: &[usize]) {
        let head_dim = to.len() / PANEL;
        to.fill(T::ZERO);
        for (lane, &start) in starts.iter().enumerate() {
            let row = &data[start..start + head_dim];
            for (to, &x) in to[lane..].iter_mut().step_by(PANEL).zip(row) {
                *to = x;
            }
        }
    }

    fn store_lanes(self, rows: &mut [T], from: &[T]) {
        let head_dim = from.len() / PANEL;
        for (lane, row) in rows.chunks_exact_mut(head_dim.max(1)).enumerate() {
            for (out, &x) in row.iter_mut().zip(from[lane..].iter().step_by(PANEL)) {
                *out = x;
            }
        }
    }
}

/// Columns of a tile: two vectors of AVX2, which with four rows leaves registers to spare.
const COLS: usize = 16;

vectorize! {
    fn product[T: Real](c: &mut [T], c_stride: usize, a: MatRef<'_, T>, b: MatRef<'_, T>, accumulate: bool) {
        for col in (0..b.cols).step_by(COLS) {
            let mut row = 0;
            while row + 4 <= a.rows {
                tile::<T, 4>((&mut *c, c_stride), a, b, [row, col], accumulate);
                row += 4;
            }
            for row in row..a.rows {
                tile::<T, 1>((&mut *c, c_stride), a, b, [row, col], accumulate);
            }
        }
    }
}

/// Rows `row..row + R` and up to [`COLS`] columns from `col` on.
#[inline(always)]
fn tile<T: Real, const R: usize>(
    (c, c_stride): (&mut [T], usize),
    a: MatRef<T>,
    b: MatRef<T>,
    [row, col]: [usize; 2],
    accumulate: bool,
) {
    let width = COLS.min(b.cols - col);
    let mut sums = [[T::ZERO; COLS]; R];
    for k in 0..a.cols {
        let from = &b.data[k * b.row_stride + col..][..width];
        let mut right = [T::ZERO; COLS];
        match <&[T; COLS]>::try_from(from) {
            Ok(whole) => right = *whole,
            Err(_) => right[..width].copy_from_slice(from),
        }
        for (r, sums) in sums.iter_mut().enumerate() {
            let left = a.data[(row + r) * a.row_stride + k * a.col_stride];
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum += left * right;
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let out = &mut c[(row + r) * c_stride + col..][..width];
        for (out, &sum) in out.iter_mut().zip(sums) {
            *out = if accumulate { *out + sum } else { sum };
        }
    }
}
