//! Reductions of one axis, over data seen as `[outer, axis, inner]`.
//!
//! Order of addition is fixed by the shape: sixteen lanes along contiguous data and blocks of fixed length along the
//! axis, whose partial sums are then added in order. So the bits depend neither on the instruction set nor on the
//! number of threads, and the rounding error grows with the block, not with the axis.

use crate::partition::{PARALLEL_CHEAP, PIECE, Pieces, for_row_pieces};
use crate::pool;
use crate::real::Real;
use crate::scratch::with_scratch;
use crate::vectorize::vectorize;

/// Partial sums kept side by side along contiguous data: one AVX-512 register of `f32`.
pub(crate) const LANES: usize = 16;

/// Rows (of `inner` elements) added one after the other before a new partial sum begins.
const BLOCK_ROWS: usize = 256;

/// How a reduction sees its input: `outer` blocks of `axis` rows of `inner` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Product of the dimensions before the axis.
    pub outer: usize,
    /// Length of the axis reduced.
    pub axis: usize,
    /// Product of the dimensions behind the axis.
    pub inner: usize,
}

impl Axis {
    /// The view of `shape` in which the neighbouring dimensions `first..end` are one axis.
    pub fn of(shape: &[usize], dimensions: std::ops::Range<usize>) -> Self {
        Self {
            outer: shape[..dimensions.start].iter().product(),
            axis: shape[dimensions.clone()].iter().product(),
            inner: shape[dimensions.end..].iter().product(),
        }
    }

    /// Elements reduced in all.
    pub fn len(&self) -> usize {
        self.outer * self.axis * self.inner
    }

    /// Whether there is nothing to reduce.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Adds the lanes up by halves.
#[inline(always)]
pub(crate) fn add_lanes<T: Real>(mut lanes: [T; LANES]) -> T {
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

/// Sum of `f` over a contiguous slice in sixteen lanes.
#[inline(always)]
pub(crate) fn lane_sum<T: Copy, A: Real>(x: &[T], f: impl Fn(T) -> A) -> A {
    let mut lanes = [A::ZERO; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane += f(x);
    }
    add_lanes(lanes)
}

/// As [`lane_sum`], of the products of three slices of one length.
#[inline(always)]
pub(crate) fn lane_dot3<T: Real>(a: &[T], b: &[T], c: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (mut a, mut b, mut c) = (
        a.chunks_exact(LANES),
        b.chunks_exact(LANES),
        c.chunks_exact(LANES),
    );
    for ((a, b), c) in (&mut a).zip(&mut b).zip(&mut c) {
        for (((lane, &a), &b), &c) in lanes.iter_mut().zip(a).zip(b).zip(c) {
            *lane += a * b * c;
        }
    }
    let rest = a.remainder().iter().zip(b.remainder()).zip(c.remainder());
    for (lane, ((&a, &b), &c)) in lanes.iter_mut().zip(rest) {
        *lane += a * b * c;
    }
    add_lanes(lanes)
}

vectorize! {
    /// Sum of one contiguous block.
    fn sum_slice[T: Real](x: &[T]) -> T {
        lane_sum(x, |x| x)
    }
}

vectorize! {
    /// `totals[j] = Σ rows[i][j]`, each row `stride` elements from the last.
    fn sum_rows[T: Real](totals: &mut [T], x: &[T], rows: usize, stride: usize) {
        totals.copy_from_slice(&x[..totals.len()]);
        for row in 1..rows {
            for (total, &x) in totals.iter_mut().zip(&x[row * stride..]) {
                *total += x;
            }
        }
    }
}

/// Sums the axis: `out` is `[outer, inner]`, overwritten.
pub fn sum<T: Real>(out: &mut [T], x: &[T], dims: Axis) {
    debug_assert!(out.len() == dims.outer * dims.inner && x.len() == dims.len());
    if dims.is_empty() {
        return out.fill(T::ZERO);
    }
    let block = if dims.inner == 1 { PIECE } else { BLOCK_ROWS };
    let blocks = dims.axis.div_ceil(block);
    if blocks == 1 {
        return sum_blocks(out, x, dims, block);
    }
    with_scratch(dims.outer * blocks * dims.inner, |partials: &mut [T]| {
        sum_blocks(partials, x, dims, block);
        let totals = Axis {
            outer: dims.outer,
            axis: blocks,
            inner: dims.inner,
        };
        match blocks > block {
            true => sum(out, partials, totals),
            false => sum_blocks(out, partials, totals, blocks),
        }
    });
}

/// Sums each `block` rows of the axis apart: `partials` is `[outer, ⌈axis / block⌉, inner]`.
fn sum_blocks<T: Real>(partials: &mut [T], x: &[T], dims: Axis, block: usize) {
    let Axis { axis, inner, .. } = dims;
    let blocks = axis.div_ceil(block);
    let columns = inner.div_ceil(PIECE);
    let pieces = Pieces::new(partials);
    let task = |id: usize| {
        let (group, column) = (id / columns, id % columns * PIECE);
        let (outer, first) = (group / blocks, group % blocks * block);
        let (rows, width) = (block.min(axis - first), PIECE.min(inner - column));
        let x = &x[(outer * axis + first) * inner + column..];
        // SAFETY: each task has its own (group, column range) of the partial sums.
        let out = unsafe { pieces.get(group * inner + column..group * inner + column + width) };
        if inner == 1 {
            out[0] = sum_slice(&x[..rows])
        } else {
            sum_rows(out, x, rows, inner)
        }
    };
    run(dims.outer * blocks * columns, dims.len(), task);
}

/// Runs numbered tasks inline for little work, else on the pool in groups of about `PIECE` elements.
fn run(tasks: usize, elements: usize, task: impl Fn(usize) + Sync) {
    if elements < PARALLEL_CHEAP {
        return (0..tasks).for_each(task);
    }
    let group = (PIECE * tasks / elements).max(1);
    pool::parallel_for(tasks.div_ceil(group), |i| {
        (i * group..((i + 1) * group).min(tasks)).for_each(&task)
    });
}

/// Gradient of [`sum`]: `d_x` (overwritten) repeats `d_y · scale` along the axis. With `scale = 1 / axis` this is the
/// gradient of [`mean`].
pub fn sum_backward<T: Real>(d_x: &mut [T], d_y: &[T], dims: Axis, scale: f64) {
    debug_assert!(d_y.len() == dims.outer * dims.inner && d_x.len() == dims.len());
    let scale = T::from_f64(scale);
    for_row_pieces(d_x, dims.inner, PARALLEL_CHEAP, |d_x, rows| {
        for (d_x, row) in d_x.chunks_exact_mut(dims.inner).zip(rows) {
            let d_y = &d_y[row / dims.axis * dims.inner..][..dims.inner];
            for (d_x, &d_y) in d_x.iter_mut().zip(d_y) {
                *d_x = d_y * scale;
            }
        }
    });
}

/// Means over the axis: NaN for an axis of length zero.
pub fn mean<T: Real>(out: &mut [T], x: &[T], dims: Axis) {
    sum(out, x, dims);
    let length = T::from_f64(dims.axis as f64);
    out.iter_mut().for_each(|out| *out /= length);
}

/// Variances over the axis in two passes, divided by `axis − correction` (1 is Bessel's, 0 the population's).
/// `means` gets the mean; both are `[outer, inner]`, overwritten.
pub fn var<T: Real>(out: &mut [T], means: &mut [T], x: &[T], dims: Axis, correction: usize) {
    mean(means, x, dims);
    let (means, block) = (&*means, dims.axis * dims.inner);
    with_scratch(dims.len(), |squares: &mut [T]| {
        for_row_pieces(squares, block, PARALLEL_CHEAP, |squares, outer| {
            for (i, (square, &x)) in squares.iter_mut().zip(&x[outer.start * block..]).enumerate() {
                let deviation = x - means[(outer.start + i / block) * dims.inner + i % dims.inner];
                *square = deviation * deviation;
            }
        });
        sum(out, squares, dims);
    });
    let divisor = T::from_f64(dims.axis as f64 - correction as f64);
    out.iter_mut().for_each(|out| *out /= divisor);
}

/// Largest element along the axis and its first place: `values` and `places` are `[outer, inner]`, overwritten. NaN
/// counts as largest, as in PyTorch. The axis must not be empty.
pub fn max<T: Real>(values: &mut [T], places: &mut [i64], x: &[T], dims: Axis) {
    debug_assert!(dims.axis > 0 && values.len() == dims.outer * dims.inner && values.len() == places.len());
    if dims.is_empty() {
        return;
    }
    let (values, places) = (Pieces::new(values), Pieces::new(places));
    run(dims.outer, dims.len(), |outer| {
        let out = outer * dims.inner..(outer + 1) * dims.inner;
        // SAFETY: each task has its own `outer`.
        let (values, places) = unsafe { (values.get(out.clone()), places.get(out)) };
        let x = &x[outer * dims.axis * dims.inner..][..dims.axis * dims.inner];
        max_of_rows(values, places, x);
    });
}

vectorize! {
    fn max_of_rows[T: Real](values: &mut [T], places: &mut [i64], x: &[T]) {
        let inner = values.len();
        values.copy_from_slice(&x[..inner]);
        places.fill(0);
        for (row, x) in x.chunks_exact(inner).enumerate().skip(1) {
            for ((value, place), &x) in values.iter_mut().zip(places.iter_mut()).zip(x) {
                let better = x > *value || (x.is_nan() && !value.is_nan());
                *value = if better { x } else { *value };
                *place = if better { row as i64 } else { *place };
            }
        }
    }
}

/// Gradient of [`max`]: `d_x` (overwritten) is `d_y` at each place and 0 elsewhere.
pub fn max_backward<T: Real>(d_x: &mut [T], places: &[i64], d_y: &[T], dims: Axis) {
    d_x.fill(T::ZERO);
    for (i, (&place, &d_y)) in places.iter().zip(d_y).enumerate() {
        let (outer, inner) = (i / dims.inner, i % dims.inner);
        d_x[(outer * dims.axis + place as usize) * dims.inner + inner] = d_y;
    }
}

/// `√Σ x²` over several slices together, accumulated in `f64`: the global norm of gradients.
pub fn global_norm<'a, T: Real>(slices: impl IntoIterator<Item = &'a [T]>) -> f64 {
    slices.into_iter().map(|x| sum_of_squares(x)).sum::<f64>().sqrt()
}

/// `Σ x²` in `f64`, in fixed blocks.
pub fn sum_of_squares<T: Real>(x: &[T]) -> f64 {
    if x.len() < PARALLEL_CHEAP {
        return x.chunks(PIECE).map(squares_of_slice).sum();
    }
    with_scratch(x.len().div_ceil(PIECE), |partials: &mut [f64]| {
        pool::parallel_chunks_mut(partials, 1, |i, partial| {
            partial[0] = squares_of_slice(&x[i * PIECE..((i + 1) * PIECE).min(x.len())]);
        });
        partials.iter().sum()
    })
}

vectorize! {
    fn squares_of_slice[T: Real](x: &[T]) -> f64 {
        lane_sum(x, |x| x.to_f64() * x.to_f64())
    }
}

#[cfg(test)]
mod tests;
