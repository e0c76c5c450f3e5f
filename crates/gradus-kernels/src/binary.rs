//! Functions of two operands with broadcasting, and comparisons.
//!
//! Operands are [`Strided`] views of one common shape; `out` is contiguous in that shape and is overwritten. Same-shape
//! contiguous operands, scalars, rows (`[n, d] + [d]`) and columns (`[n, d] + [n, 1]`) all become one of four
//! vectorised row loops; anything else takes the strided loop.

use crate::partition::{PARALLEL_CHEAP, for_pieces, for_row_pieces};
use crate::real::Real;
use crate::strided::{Strided, Walk};
use crate::vectorize::vectorize;

vectorize! {
    fn zip_row[A: Copy, B: Copy, U, F: Fn(A, B) -> U](out: &mut [U], a: (&[A], usize), b: (&[B], usize), f: F) {
        let ((a, a_step), (b, b_step)) = (a, b);
        match (a_step, b_step) {
            (1, 1) => {
                for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    *out = f(a, b);
                }
            }
            (1, 0) => {
                let b = b[0];
                for (out, &a) in out.iter_mut().zip(a) {
                    *out = f(a, b);
                }
            }
            (0, 1) => {
                let a = a[0];
                for (out, &b) in out.iter_mut().zip(b) {
                    *out = f(a, b);
                }
            }
            (a_step, b_step) => {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = f(a[i * a_step], b[i * b_step]);
                }
            }
        }
    }
}

/// `out = f(a, b)` element by element over the common `shape`.
pub fn zip<A: Copy + Sync, B: Copy + Sync, U: Send>(
    out: &mut [U],
    shape: &[usize],
    a: Strided<A>,
    b: Strided<B>,
    f: impl Fn(A, B) -> U + Copy + Sync,
) {
    debug_assert_eq!(out.len(), shape.iter().product::<usize>());
    if out.is_empty() {
        return;
    }
    let walk = Walk::new(shape, [a.strides, b.strides]);
    let [a_step, b_step] = walk.row_strides();
    if walk.rows() == 1 {
        return for_pieces(out, PARALLEL_CHEAP, |out, range| {
            let (a, b) = (&a.data[range.start * a_step..], &b.data[range.start * b_step..]);
            zip_row(out, (a, a_step), (b, b_step), f);
        });
    }
    let row_len = walk.row_len();
    for_row_pieces(out, row_len, PARALLEL_CHEAP, |out, rows| {
        let first = rows.start;
        walk.for_each_row(rows, |row, [a_start, b_start]| {
            let out = &mut out[(row - first) * row_len..][..row_len];
            zip_row(out, (&a.data[a_start..], a_step), (&b.data[b_start..], b_step), f);
        });
    });
}

/// `a + b`.
pub fn add<T: Real>(out: &mut [T], shape: &[usize], a: Strided<T>, b: Strided<T>) {
    zip(out, shape, a, b, |a, b| a + b);
}

/// `a − b`.
pub fn sub<T: Real>(out: &mut [T], shape: &[usize], a: Strided<T>, b: Strided<T>) {
    zip(out, shape, a, b, |a, b| a - b);
}

/// `a · b`.
pub fn mul<T: Real>(out: &mut [T], shape: &[usize], a: Strided<T>, b: Strided<T>) {
    zip(out, shape, a, b, |a, b| a * b);
}

/// `a / b`.
pub fn div<T: Real>(out: &mut [T], shape: &[usize], a: Strided<T>, b: Strided<T>) {
    zip(out, shape, a, b, |a, b| a / b);
}

/// `total[i] += x[i]`, the accumulation of gradients.
pub fn add_assign<T: Real>(total: &mut [T], x: &[T]) {
    debug_assert_eq!(total.len(), x.len());
    for_pieces(total, PARALLEL_CHEAP, |total, range| {
        add_assign_piece(total, &x[range])
    });
}

vectorize! {
    /// [`add_assign`] on the calling thread.
    pub(crate) fn add_assign_piece[T: Real](total: &mut [T], x: &[T]) {
        for (total, &x) in total.iter_mut().zip(x) {
            *total += x;
        }
    }
}

/// The six comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
    /// `a < b`
    Less,
    /// `a <= b`
    LessEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterEqual,
}

/// `out = 1` where the comparison holds, else 0. NaN equals nothing, itself included.
pub fn compare<T: PartialOrd + Copy + Sync>(
    out: &mut [u8],
    shape: &[usize],
    a: Strided<T>,
    b: Strided<T>,
    comparison: Comparison,
) {
    match comparison {
        Comparison::Equal => zip(out, shape, a, b, |a, b| u8::from(a == b)),
        Comparison::NotEqual => zip(out, shape, a, b, |a, b| u8::from(a != b)),
        Comparison::Less => zip(out, shape, a, b, |a, b| u8::from(a < b)),
        Comparison::LessEqual => zip(out, shape, a, b, |a, b| u8::from(a <= b)),
        Comparison::Greater => zip(out, shape, a, b, |a, b| u8::from(a > b)),
        Comparison::GreaterEqual => zip(out, shape, a, b, |a, b| u8::from(a >= b)),
    }
}

#[cfg(test)]
mod tests;
