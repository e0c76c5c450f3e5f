//! Assembling batches: chosen rows of a table, copied or turned from bytes into numbers.

use crate::partition::for_row_pieces;
use crate::vectorize::vectorize;

/// From this many output elements the rows are shared among threads; a byte row costs about as much as it streams.
const PARALLEL_ROWS: usize = 16 * 1024;

/// Rows are asked for this many rows before they are read: shuffled rows come from memory, whose latency (100 ns) is
/// about the time it takes to convert one image of 784 bytes.
const ROWS_AHEAD: usize = 3;

/// Asks for a row to be brought near; a hint, without effect where the target has no such instruction.
#[inline(always)]
pub(crate) fn prefetch<T>(row: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = row.as_ptr().cast::<i8>();
        for line in (0..size_of_val(row)).step_by(crate::aligned::LINE_BYTES) {
            // SAFETY: SSE is part of x86-64; a prefetch reads nothing and never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

/// `out[i] = table[indices[i]]`, rows of `row_len` elements.
///
/// # Panics
/// If an index is beyond the table.
pub fn gather_rows_f32(out: &mut [f32], table: &[f32], row_len: usize, indices: &[usize]) {
    debug_assert_eq!(out.len(), indices.len() * row_len);
    let row = |index: usize| &table[index * row_len..(index + 1) * row_len];
    for_row_pieces(out, row_len, PARALLEL_ROWS, |out, rows| {
        let indices = &indices[rows];
        for (i, out) in out.chunks_exact_mut(row_len).enumerate() {
            indices
                .get(i + ROWS_AHEAD)
                .into_iter()
                .for_each(|&next| prefetch(row(next)));
            out.copy_from_slice(row(indices[i]));
        }
    });
}

/// `out[i] = table[indices[i]] · scale + shift`, rows of `row_len` bytes (pixels).
///
/// # Panics
/// If an index is beyond the table.
pub fn gather_rows_u8_affine(out: &mut [f32], table: &[u8], indices: &[usize], [scale, shift]: [f32; 2]) {
    if indices.is_empty() {
        return;
    }
    let row_len = out.len() / indices.len();
    debug_assert_eq!(out.len(), indices.len() * row_len);
    let row = |index: usize| &table[index * row_len..(index + 1) * row_len];
    for_row_pieces(out, row_len, PARALLEL_ROWS, |out, rows| {
        let indices = &indices[rows];
        for (i, out) in out.chunks_exact_mut(row_len).enumerate() {
            indices
                .get(i + ROWS_AHEAD)
                .into_iter()
                .for_each(|&next| prefetch(row(next)));
            affine_u8_row(out, row(indices[i]), scale, shift);
        }
    });
}

/// `out[i] = x[i] · scale + shift`.
pub fn affine_u8_to_f32(out: &mut [f32], x: &[u8], scale: f32, shift: f32) {
    debug_assert_eq!(out.len(), x.len());
    crate::partition::for_pieces(out, PARALLEL_ROWS, |out, range| {
        affine_u8_row(out, &x[range], scale, shift)
    });
}

vectorize! {
    fn affine_u8_row(out: &mut [f32], x: &[u8], scale: f32, shift: f32) {
        for (out, &x) in out.iter_mut().zip(x) {
            // Through i32: u8 to f32 directly is not vectorised as well on the AVX2 path.
            *out = i32::from(x) as f32 * scale + shift;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathers_rows_of_every_length() {
        for row_len in [0, 1, 7, 15, 16, 17, 33, 1000] {
            let table: Vec<u8> = (0..50 * row_len).map(|i| (i * 31 % 251) as u8).collect();
            let indices: Vec<usize> = (0..70).map(|i| i * 37 % 50).collect();
            let expected: Vec<f32> = indices
                .iter()
                .flat_map(|&i| table[i * row_len..(i + 1) * row_len].iter())
                .map(|&b| f32::from(b) * 0.25 - 3.0)
                .collect();
            let mut out = vec![f32::NAN; 70 * row_len];
            gather_rows_u8_affine(&mut out, &table, &indices, [0.25, -3.0]);
            assert_eq!(out, expected);
            let mut affine = vec![0.0; table.len()];
            affine_u8_to_f32(&mut affine, &table, 0.25, -3.0);
            out.fill(f32::NAN);
            gather_rows_f32(&mut out, &affine, row_len, &indices);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn gathers_nothing_for_no_indices() {
        gather_rows_u8_affine(&mut [], &[1, 2], &[], [1.0, 0.0]);
        gather_rows_f32(&mut [], &[1.0], 1, &[]);
    }
}
