//! Copies parts of the operands into the order in which the innermost product reads them.

use std::arch::x86_64::*;

use super::tile::{COLS, last_mask};
use crate::matrix::MatRef;

const LANES: usize = 16;
/// Steps of k that one round of the transposition takes: a 128-bit lane.
const QUAD: usize = 4;

/// A strip of a matrix: `width` neighbouring rows of A or columns of B, over `k` steps of the summed dimension.
#[derive(Clone, Copy)]
pub(super) struct Strip {
    pub data: *const f32,
    /// Elements side by side in the packed strip; 1 to [`COLS`].
    pub width: usize,
    pub width_stride: usize,
    pub k: usize,
    pub k_stride: usize,
}

impl Strip {
    /// Columns `col..col + width` of B from row `k0` on.
    pub(super) fn of_b(b: &MatRef<f32>, (k0, k): (usize, usize), (col, width): (usize, usize)) -> Self {
        let data = b
            .data
            .as_ptr()
            .wrapping_add(k0 * b.row_stride + col * b.col_stride);
        Strip {
            data,
            width,
            width_stride: b.col_stride,
            k,
            k_stride: b.row_stride,
        }
    }

    /// Rows `row..row + width` of A from column `k0` on.
    pub(super) fn of_a(a: &MatRef<f32>, (k0, k): (usize, usize), (row, width): (usize, usize)) -> Self {
        Strip::of_b(&a.t(), (k0, k), (row, width))
    }

    /// Copies to `to[p * pitch + i]`, with zeros for `i` in `width..pitch`.
    ///
    /// # Safety
    /// The machine has AVX-512F; the strip can be read; `to` can be written for `k * pitch` elements; `pitch` is
    /// at least `width` and at most [`COLS`].
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn pack(&self, to: *mut f32, pitch: usize) {
        // SAFETY: the caller's promise covers each half of up to 16 elements.
        unsafe {
            for start in (0..pitch).step_by(LANES) {
                let width = self.width.saturating_sub(start).min(LANES);
                let data = self.data.wrapping_add(start * self.width_stride);
                let half = Strip { data, width, ..*self };
                let store = last_mask(pitch - start);
                if self.width_stride == 1 {
                    half.copy(to.add(start), pitch, store);
                } else if self.k_stride == 1 {
                    half.transpose(to.add(start), pitch, store);
                } else {
                    half.gather(to.add(start), pitch, pitch.min(start + LANES) - start);
                }
            }
        }
    }

    /// # Safety
    /// As [`Strip::pack`], for at most 16 elements side by side; `store` are those that are written.
    #[target_feature(enable = "avx512f")]
    unsafe fn copy(&self, to: *mut f32, pitch: usize, store: __mmask16) {
        let load = last_mask(self.width);
        for p in 0..self.k {
            // SAFETY: the caller's promise; lanes outside the masks are not touched.
            unsafe {
                let row = _mm512_maskz_loadu_ps(load, self.data.wrapping_add(p * self.k_stride));
                _mm512_mask_storeu_ps(to.add(p * pitch), store, row);
            }
        }
    }

    /// # Safety
    /// As [`Strip::copy`], with `k_stride == 1`.
    #[target_feature(enable = "avx512f")]
    unsafe fn transpose(&self, to: *mut f32, pitch: usize, store: __mmask16) {
        let whole = self.k / QUAD * QUAD;
        // SAFETY: the caller's promise; `whole` rounds down, and the rest goes element by element.
        unsafe {
            for p in (0..whole).step_by(QUAD) {
                for (i, row) in self.transposed_quad(p).into_iter().enumerate() {
                    _mm512_mask_storeu_ps(to.add((p + i) * pitch), store, row);
                }
            }
            let width = store.count_ones() as usize;
            let rest = Strip {
                data: self.data.wrapping_add(whole),
                k: self.k - whole,
                ..*self
            };
            rest.gather(to.add(whole * pitch), pitch, width);
        }
    }

    /// Four steps of k from `p` on, each as a vector of the 16 elements side by side.
    ///
    /// The 16 x 4 block is loaded by masked broadcasts of 128 bits, which need no shuffle unit, so that row `4 l + i`
    /// comes to lane `l` of vector `i`; two rounds of unpacking then transpose within the lanes.
    ///
    /// # Safety
    /// As [`Strip::transpose`]; `p + 4 <= k`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn transposed_quad(&self, p: usize) -> [__m512; QUAD] {
        let mut v = [_mm512_setzero_ps(); QUAD];
        for (i, x) in v.iter_mut().enumerate() {
            for lane in 0..LANES / QUAD {
                let row = lane * QUAD + i;
                if row < self.width {
                    // SAFETY: the caller's promise: row `row` has at least `p + 4` elements.
                    let four = unsafe { _mm_loadu_ps(self.data.wrapping_add(row * self.width_stride + p)) };
                    *x = _mm512_mask_broadcast_f32x4(*x, 0xf << (lane * QUAD), four);
                }
            }
        }
        let low = |x, y| _mm512_castps_pd(_mm512_unpacklo_ps(x, y));
        let high = |x, y| _mm512_castps_pd(_mm512_unpackhi_ps(x, y));
        let (l01, l23) = (low(v[0], v[1]), low(v[2], v[3]));
        let (h01, h23) = (high(v[0], v[1]), high(v[2], v[3]));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(l01, l23)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(l01, l23)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(h01, h23)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(h01, h23)),
        ]
    }

    /// # Safety
    /// As [`Strip::pack`]; `pitch_used` elements side by side are written.
    unsafe fn gather(&self, to: *mut f32, pitch: usize, pitch_used: usize) {
        for p in 0..self.k {
            for i in 0..pitch_used {
                // SAFETY: the caller's promise; only `width` elements side by side are read.
                unsafe {
                    let from = self.data.wrapping_add(i * self.width_stride + p * self.k_stride);
                    *to.add(p * pitch + i) = if i < self.width { *from } else { 0.0 };
                }
            }
        }
    }
}

/// A growing buffer whose start lies on a cache line.
#[derive(Default)]
pub(super) struct Scratch(Vec<Line>);

/// One cache line, one vector.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [f32; LANES]);

impl Scratch {
    /// Room for `len` elements with whatever they held before.
    pub(super) fn reserve(&mut self, len: usize) -> *mut f32 {
        let lines = len.div_ceil(LANES);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0.0; LANES]));
        }
        self.0.as_mut_ptr().cast()
    }
}

/// Elements of a packed panel of B of `k` rows.
pub(super) const fn panel_len(k: usize) -> usize {
    k * COLS
}
