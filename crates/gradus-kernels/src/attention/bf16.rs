//! Block operations whose products are of bf16 pairs (`vdpbf16ps`), with sums and everything else in f32.
//!
//! Operands are rounded block by block: an element of a block is used by 32 to 64 products, which pays for its rounding.

use std::arch::x86_64::*;

use super::avx512::{Avx512, check_product};
use super::block::{Known, Lanes};
use super::engine::Engine;
use crate::gemm::tile::{COLS, LANES, MAX_ROWS, Tile, last_mask};
use crate::gemm::words::{Bf16Words, interleaved};
use crate::matrix::MatRef;
use crate::scratch::with_scratch;

/// Proof that the machine has AVX-512 with BW and BF16.
#[derive(Clone, Copy)]
pub(super) struct Bf16(Avx512);

impl Bf16 {
    /// # Safety
    /// The machine has AVX-512 F, BW and BF16.
    pub(super) unsafe fn new() -> Self {
        // SAFETY: the caller's promise.
        Bf16(unsafe { Avx512::new() })
    }
}

impl Engine<f32> for Bf16 {
    fn product(self, c: &mut [f32], c_stride: usize, a: MatRef<f32>, b: MatRef<f32>, accumulate: bool) {
        let (rows, cols, k) = (a.rows, b.cols, a.cols);
        if rows == 0 || cols == 0 {
            return;
        }
        check_product(c, c_stride, &a, &b);
        let pairs = k.div_ceil(2);
        let panels = cols.div_ceil(COLS);
        let a_len = (rows * pairs.next_multiple_of(LANES)).max(rows.next_multiple_of(LANES) * pairs);
        with_scratch(a_len + panels * pairs * COLS, |scratch: &mut [u32]| {
            let (left, right) = scratch.split_at_mut(a_len);
            // SAFETY: `self` proves the instructions; the views lie in their data, and the scratch has the room.
            let left = unsafe { pack_left(left, &a) };
            for (panel, col) in (0..cols).step_by(COLS).enumerate() {
                let to = &mut right[panel * pairs * COLS..][..pairs * COLS];
                let strip = Strip {
                    data: b.data.as_ptr().wrapping_add(col),
                    stride: b.row_stride,
                    rows: k,
                    width: COLS.min(cols - col),
                };
                // SAFETY: as above.
                unsafe { pack_across(to, &strip, COLS) };
                let to = &*to;
                let height = rows.div_ceil(rows.div_ceil(MAX_ROWS));
                for row in (0..rows).step_by(height) {
                    let tile = Tile {
                        k: pairs,
                        a: left.words.as_ptr().wrapping_add(row * left.row_stride),
                        a_row_stride: left.row_stride,
                        a_col_stride: left.pair_stride,
                        b: to.as_ptr(),
                        b_row_stride: COLS,
                        c: c.as_mut_ptr().wrapping_add(row * c_stride + col),
                        c_row_stride: c_stride,
                        rows: height.min(rows - row),
                        cols: strip.width,
                        load_c: accumulate,
                        bias: std::ptr::null(),
                        relu: false,
                    };
                    // SAFETY: `self` proves the instructions; `check_product` has seen to `c`, and both operands have been
                    // packed for all rows, columns and pairs.
                    unsafe { tile.run::<Bf16Words>() };
                }
            }
        });
    }

    fn load_lanes(self, to: &mut [f32], data: &[f32], starts: &[usize]) {
        self.0.load_lanes(to, data, starts);
    }

    fn store_lanes(self, rows: &mut [f32], from: &[f32]) {
        self.0.store_lanes(rows, from);
    }

    fn scale_lanes(self, rows: &mut [Lanes<f32>], factor: &Lanes<f32>) {
        self.0.scale_lanes(rows, factor);
    }

    fn exponentials(self, scores: &mut [Lanes<f32>], max: &Lanes<f32>, sum: &mut Lanes<f32>) {
        self.0.exponentials(scores, max, sum);
    }

    fn probabilities_and_gradients(
        self,
        scores: &mut [Lanes<f32>],
        d: &mut [Lanes<f32>],
        known: &Known<f32>,
        factor: f32,
    ) {
        self.0.probabilities_and_gradients(scores, d, known, factor);
    }
}

/// The left operand in words.
struct Left<'a> {
    words: &'a [u32],
    row_stride: usize,
    pair_stride: usize,
}

/// Rounds the left operand without transposing it: along its rows or across them, whichever are contiguous.
///
/// # Safety
/// The machine has AVX-512 F, BW and BF16; the view lies in its data; `to` has room for the rows by the pairs, whichever of
/// them is contiguous filled up to whole vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_left<'a>(to: &'a mut [u32], a: &MatRef<f32>) -> Left<'a> {
    if a.col_stride == 1 || a.cols == 1 {
        let row_stride = a.cols.div_ceil(2).next_multiple_of(LANES);
        for row in 0..a.rows {
            let from = a.data.as_ptr().wrapping_add(row * a.row_stride);
            // SAFETY: the caller's promise.
            unsafe { pack_along(&mut to[row * row_stride..][..row_stride], from, a.cols) };
        }
        Left {
            words: to,
            row_stride,
            pair_stride: 1,
        }
    } else {
        let pitch = a.rows.next_multiple_of(LANES);
        let strip = Strip {
            data: a.data.as_ptr(),
            stride: a.col_stride,
            rows: a.cols,
            width: a.rows,
        };
        // SAFETY: the caller's promise.
        unsafe { pack_across(to, &strip, pitch) };
        Left {
            words: to,
            row_stride: 1,
            pair_stride: pitch,
        }
    }
}

/// Rounds a row: neighbours become pairs. The words past its end, up to whole vectors, are zeros.
///
/// # Safety
/// The machine has AVX-512 F and BF16; `len` elements can be read; `to` has room for whole vectors.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pack_along(to: &mut [u32], from: *const f32, len: usize) {
    for (vector, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let at = vector * 2 * LANES;
        // SAFETY: the masks end with the row; the vectors are 64 bytes of any value.
        unsafe {
            let low = _mm512_maskz_loadu_ps(last_mask(len.saturating_sub(at)), from.wrapping_add(at));
            let rest = len.saturating_sub(at + LANES);
            let high = _mm512_maskz_loadu_ps(last_mask(rest), from.wrapping_add(at + LANES));
            let pairs: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(to.as_mut_ptr().cast(), pairs);
        }
    }
}

/// Contiguous rows of `width` elements.
struct Strip {
    data: *const f32,
    stride: usize,
    rows: usize,
    width: usize,
}

/// Rounds rows: the elements of rows `2 p` and `2 p + 1` become the words of row `p`, `pitch` apart. A row missing in the last
/// pair is zeros, and so are the words past the width.
///
/// # Safety
/// The machine has AVX-512 F, BW and BF16; the strip can be read; `to` has room for the pairs by `pitch`, a multiple of 16 not
/// below the width.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_across(to: &mut [u32], strip: &Strip, pitch: usize) {
    debug_assert!(pitch.is_multiple_of(LANES) && strip.width <= pitch);
    let order = interleaved();
    let pairs = strip.rows.div_ceil(2);
    for (pair, to) in to.chunks_exact_mut(pitch.max(1)).take(pairs).enumerate() {
        let low = strip.data.wrapping_add(2 * pair * strip.stride);
        let both = 2 * pair + 1 < strip.rows;
        for (vector, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let at = vector * LANES;
            let lanes = last_mask(strip.width.saturating_sub(at));
            // SAFETY: the masks end with the rows; the vectors are 64 bytes of any value.
            unsafe {
                let first = _mm512_maskz_loadu_ps(lanes, low.wrapping_add(at));
                let lanes = if both { lanes } else { 0 };
                let second = _mm512_maskz_loadu_ps(lanes, low.wrapping_add(strip.stride + at));
                let halves: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(second, first));
                _mm512_storeu_si512(to.as_mut_ptr().cast(), _mm512_permutexvar_epi16(order, halves));
            }
        }
    }
}
