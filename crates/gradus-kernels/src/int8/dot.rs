//! The int8 product as dot products of rows, for machines without AVX-512 VNNI.
//!
//! Bytes are widened before they are multiplied (AVX2: `vpmovsxbw`, `vpmaddwd`); the shorter `vpmaddubsw` saturates.

use super::{Activations, PackedI8, Part};
use crate::matrix::Epilogue;
use crate::vectorize::vectorize;

/// Weight rows that share each read of the activations.
const GROUP: usize = 4;

/// Computes the rows of `activations`, for the columns of `part`, into the rows of the output that start at `out`.
///
/// # Safety
/// `out` points to as many rows as there are activations, and nobody else uses the part's columns of them.
pub(super) unsafe fn block(
    out: *mut f32,
    activations: &Activations,
    (weight, values): (&PackedI8, &[i8]),
    part: &Part,
    epilogue: Epilogue<f32>,
) {
    let (n, k) = (weight.out_features, weight.in_features);
    for (row, &scale) in activations.scales.iter().enumerate() {
        let x = bytemuck::cast_slice::<u8, i8>(&activations.bytes[row * activations.stride..][..k]);
        // SAFETY: the caller's promise.
        let y =
            unsafe { std::slice::from_raw_parts_mut(out.add(row * n + part.cols.start), part.cols.len()) };
        for (group, y) in y.chunks_mut(GROUP).enumerate() {
            let first = part.cols.start + group * GROUP;
            // The last group may have fewer rows; it then takes its last row several times.
            let rows = std::array::from_fn(|i| &values[first.saturating_add(i).min(n - 1) * k..][..k]);
            for (i, (y, sum)) in y.iter_mut().zip(dots(x, rows)).enumerate() {
                *y = sum as f32 * (scale * weight.scales[first + i]);
            }
        }
        epilogue.apply(y, part.cols.start);
    }
}

vectorize! {
    /// Dot products of `x` with several rows of the same length.
    fn dots(x: &[i8], rows: [&[i8]; GROUP]) -> [i32; GROUP] {
        let [w0, w1, w2, w3] = rows;
        let mut sums = [0_i32; GROUP];
        for ((((&x, &w0), &w1), &w2), &w3) in x.iter().zip(w0).zip(w1).zip(w2).zip(w3) {
            let x = i32::from(x);
            sums[0] += x * i32::from(w0);
            sums[1] += x * i32::from(w1);
            sums[2] += x * i32::from(w2);
            sums[3] += x * i32::from(w3);
        }
        sums
    }
}
