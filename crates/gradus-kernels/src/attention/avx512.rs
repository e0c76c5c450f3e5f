//! Block operations in AVX-512, on the tiles of the f32 product.

use std::arch::x86_64::*;

use super::block::{Known, Lanes};
use super::engine::Engine;
use super::panel::PANEL;
use super::weigh;
use crate::gemm::tile::{COLS, LANES, MAX_ROWS, Tile, last_mask};
use crate::gemm::words::F32Words;
use crate::matrix::MatRef;

/// Proof that the machine has AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The machine has AVX-512F.
    pub(super) unsafe fn new() -> Self {
        Avx512(())
    }
}

/// What [`Engine::product`] asks of its operands.
///
/// # Panics
/// If one of them reaches out of its data, or is contiguous neither way. Rows and columns are not zero.
pub(super) fn check_product(c: &[f32], c_stride: usize, a: &MatRef<f32>, b: &MatRef<f32>) {
    let one_way = a.row_stride == 1 || a.col_stride == 1 || a.cols == 1;
    assert!(
        a.fits() && b.fits() && b.rows == a.cols && (b.col_stride == 1 || b.cols == 1) && one_way,
        "bug: operands of a block product"
    );
    assert!(
        b.cols <= c_stride && (a.rows - 1) * c_stride + b.cols <= c.len(),
        "bug: output of a block product"
    );
}

impl Engine<f32> for Avx512 {
    fn product(self, c: &mut [f32], c_stride: usize, a: MatRef<f32>, b: MatRef<f32>, accumulate: bool) {
        let (rows, cols, k) = (a.rows, b.cols, a.cols);
        if rows == 0 || cols == 0 {
            return;
        }
        check_product(c, c_stride, &a, &b);
        // Tiles of one height: the last is not left with a row or two, whose additions would wait for each other.
        let height = rows.div_ceil(rows.div_ceil(MAX_ROWS));
        for row in (0..rows).step_by(height) {
            for col in (0..cols).step_by(COLS) {
                let tile = Tile {
                    k,
                    a: a.data.as_ptr().wrapping_add(row * a.row_stride).cast(),
                    a_row_stride: a.row_stride,
                    a_col_stride: if a.row_stride == 1 { a.col_stride } else { 1 },
                    b: b.data.as_ptr().wrapping_add(col).cast(),
                    b_row_stride: b.row_stride,
                    c: c.as_mut_ptr().wrapping_add(row * c_stride + col),
                    c_row_stride: c_stride,
                    rows: height.min(rows - row),
                    cols: COLS.min(cols - col),
                    load_c: accumulate,
                    bias: std::ptr::null(),
                    relu: false,
                };
                // SAFETY: `self` proves the instructions; the asserts say that all elements of the three blocks lie in
                // their slices, and the slice of `c` is borrowed mutably.
                unsafe { tile.run::<F32Words>() };
            }
        }
    }

    fn load_lanes(self, to: &mut [f32], data: &[f32], starts: &[usize]) {
        let head_dim = to.len() / PANEL;
        let inside = |&start: &usize| start.checked_add(head_dim).is_some_and(|end| end <= data.len());
        assert!(
            starts.len() <= PANEL && starts.iter().all(inside),
            "bug: rows of a panel lie in their data"
        );
        // SAFETY: `self` proves the instructions; the rows lie in `data`.
        unsafe { load_lanes(to, data, starts) };
    }

    fn store_lanes(self, rows: &mut [f32], from: &[f32]) {
        let head_dim = from.len() / PANEL;
        let lanes = rows.len() / head_dim.max(1);
        assert!(lanes <= PANEL, "bug: rows of a panel");
        if lanes > 0 {
            // SAFETY: `self` proves the instructions; there are at most as many rows as lanes.
            unsafe { store_lanes(rows, from, lanes) };
        }
    }

    fn scale_lanes(self, rows: &mut [Lanes<f32>], factor: &Lanes<f32>) {
        // SAFETY: `self` proves the instructions.
        unsafe { weigh::scale_lanes(rows, factor) };
    }

    fn exponentials(self, scores: &mut [Lanes<f32>], max: &Lanes<f32>, sum: &mut Lanes<f32>) {
        // SAFETY: `self` proves the instructions.
        unsafe { weigh::exponentials(scores, max, sum) };
    }

    fn probabilities_and_gradients(
        self,
        scores: &mut [Lanes<f32>],
        d: &mut [Lanes<f32>],
        known: &Known<f32>,
        factor: f32,
    ) {
        // SAFETY: `self` proves the instructions.
        unsafe { weigh::probabilities_and_gradients(scores, d, known, factor) };
    }
}

/// # Safety
/// The machine has AVX-512F; `to` is `[head_dim][PANEL]`, and rows of `head_dim` elements of `data` start at `starts`, of which
/// there are at most `PANEL`.
#[target_feature(enable = "avx512f")]
unsafe fn load_lanes(to: &mut [f32], data: &[f32], starts: &[usize]) {
    let head_dim = to.len() / PANEL;
    for half in (0..PANEL).step_by(LANES) {
        let starts = &starts[half.min(starts.len())..starts.len().min(half + LANES)];
        for e in (0..head_dim).step_by(LANES) {
            let width = LANES.min(head_dim - e);
            let mut rows = [_mm512_setzero_ps(); LANES];
            for (row, &start) in rows.iter_mut().zip(starts) {
                // SAFETY: the caller's promise; lanes outside the mask are not read.
                *row = unsafe { _mm512_maskz_loadu_ps(last_mask(width), data.as_ptr().add(start + e)) };
            }
            let columns = transposed(rows);
            for (r, &column) in columns.iter().enumerate().take(width) {
                // SAFETY: `e + r` is below `head_dim`.
                unsafe { _mm512_storeu_ps(to.as_mut_ptr().add((e + r) * PANEL + half), column) };
            }
        }
    }
}

/// # Safety
/// The machine has AVX-512F; `from` is `[head_dim][PANEL]` and `rows` `[lanes][head_dim]`, with at most `PANEL` lanes.
#[target_feature(enable = "avx512f")]
unsafe fn store_lanes(rows: &mut [f32], from: &[f32], lanes: usize) {
    let head_dim = from.len() / PANEL;
    for half in (0..lanes).step_by(LANES) {
        for e in (0..head_dim).step_by(LANES) {
            let width = LANES.min(head_dim - e);
            let mut columns = [_mm512_setzero_ps(); LANES];
            for (r, column) in columns.iter_mut().enumerate().take(width) {
                // SAFETY: `e + r` is below `head_dim`.
                *column = unsafe { _mm512_loadu_ps(from.as_ptr().add((e + r) * PANEL + half)) };
            }
            let transposed = transposed(columns);
            for (lane, &row) in transposed.iter().enumerate().take(lanes - half) {
                // SAFETY: the lane is one of `lanes`; lanes outside the mask are not written.
                unsafe {
                    let to = rows.as_mut_ptr().add((half + lane) * head_dim + e);
                    _mm512_mask_storeu_ps(to, last_mask(width), row);
                }
            }
        }
    }
}

/// A 16 x 16 block with rows and columns exchanged: pairs, quads, and then the 128-bit quarters.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512; LANES]) -> [__m512; LANES] {
    let mut pairs = [_mm512_setzero_ps(); LANES];
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    let mut quads = [_mm512_setzero_ps(); LANES];
    for i in 0..4 {
        for half in 0..2 {
            let (low, high) = (
                _mm512_castps_pd(pairs[4 * i + half]),
                _mm512_castps_pd(pairs[4 * i + half + 2]),
            );
            quads[4 * i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            quads[4 * i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    // `quads[4 i + c]` holds, in quarter `q`, column `4 q + c` of rows `4 i .. 4 i + 4`.
    let mut columns = [_mm512_setzero_ps(); LANES];
    for c in 0..4 {
        let low_01 = _mm512_shuffle_f32x4::<0x44>(quads[c], quads[4 + c]);
        let high_01 = _mm512_shuffle_f32x4::<0xee>(quads[c], quads[4 + c]);
        let low_23 = _mm512_shuffle_f32x4::<0x44>(quads[8 + c], quads[12 + c]);
        let high_23 = _mm512_shuffle_f32x4::<0xee>(quads[8 + c], quads[12 + c]);
        columns[c] = _mm512_shuffle_f32x4::<0x88>(low_01, low_23);
        columns[4 + c] = _mm512_shuffle_f32x4::<0xdd>(low_01, low_23);
        columns[8 + c] = _mm512_shuffle_f32x4::<0x88>(high_01, high_23);
        columns[12 + c] = _mm512_shuffle_f32x4::<0xdd>(high_01, high_23);
    }
    columns
}
