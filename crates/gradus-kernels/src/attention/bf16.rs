//! Block operations whose products are of bf16 pairs (`vdpbf16ps`), with sums and everything else in f32.
//!
//! Operands are rounded block by block: an element of a block is used by 32 to 64 products, which pays for its rounding.

use std::arch::x86_64::*;

use super::avx512::{Avx512, check_product, mask};
use super::block::{Known, Lanes};
use super::engine::Engine;
use crate::matrix::MatRef;
use crate::scratch::with_scratch;

/// Lanes of a vector of 32-bit words, each a pair of terms with the earlier one in the lower half.
const LANES: usize = 16;

/// Columns of a tile: two vectors.
const COLS: usize = 32;

/// Rows of the tallest tile: with two vectors each, 28 of the 32 registers.
const MAX_ROWS: usize = 14;

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
                        pairs,
                        a: left.words.as_ptr().wrapping_add(row * left.row_stride),
                        a_row_stride: left.row_stride,
                        a_pair_stride: left.pair_stride,
                        b: to.as_ptr(),
                        c: c.as_mut_ptr().wrapping_add(row * c_stride + col),
                        c_stride,
                        cols: strip.width,
                        accumulate,
                    };
                    // SAFETY: `self` proves the instructions; `check_product` has seen to `c`, and both operands have been
                    // packed for all rows, columns and pairs.
                    unsafe { KERNELS[height.min(rows - row) - 1](&tile) };
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
            let low = _mm512_maskz_loadu_ps(mask(len.saturating_sub(at)), from.wrapping_add(at));
            let rest = len.saturating_sub(at + LANES);
            let high = _mm512_maskz_loadu_ps(mask(rest), from.wrapping_add(at + LANES));
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
    // SAFETY: 64 bytes of any value.
    let order: __m512i = unsafe { std::mem::transmute(INTERLEAVED) };
    let pairs = strip.rows.div_ceil(2);
    for (pair, to) in to.chunks_exact_mut(pitch.max(1)).take(pairs).enumerate() {
        let low = strip.data.wrapping_add(2 * pair * strip.stride);
        let both = 2 * pair + 1 < strip.rows;
        for (vector, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let at = vector * LANES;
            let lanes = mask(strip.width.saturating_sub(at));
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

/// Where the halves of each word come from: lane `i` of the lower 16 values, then lane `i` of the upper 16.
const INTERLEAVED: [u16; 32] = {
    let mut order = [0; 32];
    let mut i = 0;
    while i < 16 {
        order[2 * i] = i as u16;
        order[2 * i + 1] = i as u16 + 16;
        i += 1;
    }
    order
};

/// A tile of the output: `c = (c or 0) + a · b`, `b` packed `[pairs][COLS]`.
struct Tile {
    pairs: usize,
    a: *const u32,
    a_row_stride: usize,
    a_pair_stride: usize,
    b: *const u32,
    c: *mut f32,
    c_stride: usize,
    cols: usize,
    accumulate: bool,
}

/// By number of rows.
static KERNELS: [unsafe fn(&Tile); MAX_ROWS] = [
    tile::<1>, tile::<2>, tile::<3>, tile::<4>, tile::<5>, tile::<6>, tile::<7>, tile::<8>, tile::<9>,
    tile::<10>, tile::<11>, tile::<12>, tile::<13>, tile::<14>,
];

/// # Safety
/// The machine has AVX-512 F and BF16; the words of A for `R` rows and B can be read; the `R` rows and `cols` columns of C
/// can be read and written by nobody else.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn tile<const R: usize>(t: &Tile) {
    let mut sums = Sums([[_mm512_setzero_ps(); 2]; R]);
    let (mut a, mut b) = (t.a, t.b);
    let masks = [mask(t.cols), mask(t.cols.saturating_sub(LANES))];
    // SAFETY: the caller's promise; lanes outside the masks are neither read nor written. Vectors are 64 bytes of any value.
    unsafe {
        for _ in 0..t.pairs {
            let right: [__m512bh; 2] = [
                std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.cast())),
                std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.add(LANES).cast())),
            ];
            for row in 0..R {
                let left = _mm512_set1_epi32((*a.wrapping_add(row * t.a_row_stride)).cast_signed());
                let left = std::mem::transmute::<__m512i, __m512bh>(left);
                sums.0[row][0] = _mm512_dpbf16_ps(sums.0[row][0], left, right[0]);
                sums.0[row][1] = _mm512_dpbf16_ps(sums.0[row][1], left, right[1]);
            }
            a = a.wrapping_add(t.a_pair_stride);
            b = b.wrapping_add(COLS);
        }
        for row in 0..R {
            let at = t.c.wrapping_add(row * t.c_stride);
            let after = at.wrapping_add(LANES);
            if t.accumulate {
                sums.0[row][0] = _mm512_add_ps(_mm512_maskz_loadu_ps(masks[0], at), sums.0[row][0]);
                sums.0[row][1] = _mm512_add_ps(_mm512_maskz_loadu_ps(masks[1], after), sums.0[row][1]);
            }
            _mm512_mask_storeu_ps(at, masks[0], sums.0[row][0]);
            _mm512_mask_storeu_ps(after, masks[1], sums.0[row][1]);
        }
    }
}

/// The output's tile, in registers: small loops over indices, which the compiler must unroll all.
struct Sums<const R: usize>([[__m512; 2]; R]);
