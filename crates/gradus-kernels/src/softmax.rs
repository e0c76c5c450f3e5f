//! Softmax and log-softmax of the rows of a `[rows, classes]` matrix, with their backwards.
//!
//! Rows go through in chunks of sixteen with a padded last one, so that short rows (ten classes) vectorise too. Sums
//! have the fixed order of [`crate::reduce`].

use crate::partition::{PARALLEL_COSTLY, for_row_pieces};
use crate::real::Real;
use crate::reduce::{LANES, add_lanes, lane_sum};
use crate::vectorize::vectorize;

/// Largest element of a row; NaN if one is NaN, −∞ for an empty row.
#[inline(always)]
pub(crate) fn row_max<T: Real>(x: &[T]) -> T {
    let mut lanes = [T::NEG_INFINITY; LANES];
    let mut chunks = x.chunks_exact(LANES);
    let larger = |a: T, b: T| if b > a || b.is_nan() { b } else { a };
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = larger(*lane, x);
    }
    lanes.into_iter().fold(T::NEG_INFINITY, larger)
}

/// `out[j] = e^(x[j] − max)`; gives their sum. A row whose maximum is infinite gives NaN, as the formula does.
#[inline(always)]
pub(crate) fn exp_row<T: Real>(out: &mut [T], x: &[T], max: T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let full = x.len() / LANES * LANES;
    for (out, x) in out[..full]
        .chunks_exact_mut(LANES)
        .zip(x[..full].chunks_exact(LANES))
    {
        for ((out, &x), lane) in out.iter_mut().zip(x).zip(&mut lanes) {
            *out = (x - max).exp();
            *lane += *out;
        }
    }
    let rest = x.len() - full;
    if rest > 0 {
        let mut padded = [T::NEG_INFINITY; LANES];
        for (padded, &x) in padded.iter_mut().zip(&x[full..]) {
            *padded = x - max;
        }
        for (padded, lane) in padded.iter_mut().zip(&mut lanes) {
            *padded = padded.exp();
            *lane += *padded;
        }
        out[full..].copy_from_slice(&padded[..rest]);
    }
    add_lanes(lanes)
}

/// As [`exp_row`], the row becoming its own result.
#[inline(always)]
pub(crate) fn exp_in_place<T: Real>(x: &mut [T], max: T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let mut chunks = x.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (x, lane) in chunk.iter_mut().zip(&mut lanes) {
            *x = (*x - max).exp();
            *lane += *x;
        }
    }
    for (x, lane) in chunks.into_remainder().iter_mut().zip(&mut lanes) {
        *x = (*x - max).exp();
        *lane += *x;
    }
    add_lanes(lanes)
}

/// `out[i] = e^x[i] / Σ e^x[i]` along each row, overwritten.
pub fn softmax<T: Real>(out: &mut [T], x: &[T], classes: usize) {
    debug_assert_eq!(out.len(), x.len());
    for_row_pieces(out, classes, PARALLEL_COSTLY, |out, rows| {
        softmax_rows(out, &x[rows.start * classes..rows.end * classes], classes);
    });
}

vectorize! {
    fn softmax_rows[T: Real](out: &mut [T], x: &[T], classes: usize) {
        for (out, x) in out.chunks_exact_mut(classes.max(1)).zip(x.chunks_exact(classes.max(1))) {
            let scale = T::ONE / exp_row(out, x, row_max(x));
            for out in out {
                *out *= scale;
            }
        }
    }
}

/// Gradient of [`softmax`] from its output: `d_x = y · (d_y − Σ d_y · y)`, overwritten.
pub fn softmax_backward<T: Real>(d_x: &mut [T], y: &[T], d_y: &[T], classes: usize) {
    for_row_pieces(d_x, classes, PARALLEL_COSTLY, |d_x, rows| {
        let rows = rows.start * classes..rows.end * classes;
        softmax_backward_rows(d_x, &y[rows.clone()], &d_y[rows], classes);
    });
}

vectorize! {
    fn softmax_backward_rows[T: Real](d_x: &mut [T], y: &[T], d_y: &[T], classes: usize) {
        let width = classes.max(1);
        for ((d_x, y), d_y) in d_x.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(d_y.chunks_exact(width)) {
            for ((d_x, &y), &d_y) in d_x.iter_mut().zip(y).zip(d_y) {
                *d_x = d_y * y;
            }
            let dot = lane_sum(d_x, |product| product);
            for (d_x, &y) in d_x.iter_mut().zip(y) {
                *d_x -= y * dot;
            }
        }
    }
}

/// `out[i] = x[i] − log Σ e^x[i]` along each row, overwritten.
pub fn log_softmax<T: Real>(out: &mut [T], x: &[T], classes: usize) {
    debug_assert_eq!(out.len(), x.len());
    for_row_pieces(out, classes, PARALLEL_COSTLY, |out, rows| {
        log_softmax_rows(out, &x[rows.start * classes..rows.end * classes], classes);
    });
}

vectorize! {
    fn log_softmax_rows[T: Real](out: &mut [T], x: &[T], classes: usize) {
        for (out, x) in out.chunks_exact_mut(classes.max(1)).zip(x.chunks_exact(classes.max(1))) {
            let max = row_max(x);
            let log_sum = exp_row(out, x, max).ln();
            for (out, &x) in out.iter_mut().zip(x) {
                *out = x - max - log_sum;
            }
        }
    }
}

/// Gradient of [`log_softmax`] from its output: `d_x = d_y − e^y · Σ d_y`, overwritten.
pub fn log_softmax_backward<T: Real>(d_x: &mut [T], y: &[T], d_y: &[T], classes: usize) {
    for_row_pieces(d_x, classes, PARALLEL_COSTLY, |d_x, rows| {
        let rows = rows.start * classes..rows.end * classes;
        log_softmax_backward_rows(d_x, &y[rows.clone()], &d_y[rows], classes);
    });
}

vectorize! {
    fn log_softmax_backward_rows[T: Real](d_x: &mut [T], y: &[T], d_y: &[T], classes: usize) {
        let width = classes.max(1);
        for ((d_x, y), d_y) in d_x.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(d_y.chunks_exact(width)) {
            let total = lane_sum(d_y, |d_y| d_y);
            for ((d_x, &y), &d_y) in d_x.iter_mut().zip(y).zip(d_y) {
                *d_x = d_y - y.exp() * total;
            }
        }
    }
}

#[cfg(test)]
mod tests;
