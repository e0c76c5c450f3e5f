//! Copies parts of the operands, as words, into the order in which the innermost product reads them.
//!
//! Nothing here has a `target_feature` of its own: all of it is inlined into [`Words::pack_rows`], which has those of its
//! words.

use std::arch::x86_64::*;

use super::tile::{COLS, LANES, last_mask};
use super::words::{Words, words};
use crate::matrix::MatRef;

/// Words along k that one round of the transposition takes: half a vector.
pub(super) const OCTET: usize = 8;

/// A kind of word that elements of type `E` can be cut into.
pub(super) trait Cut<E>: Words {
    /// 16 words side by side, of which `mask` are read: from `at`, and for the second terms of pairs from `next`.
    ///
    /// # Safety
    /// The elements of the mask can be read; the machine has the instructions of these words.
    unsafe fn across(at: *const E, next: *const E, mask: __mmask16) -> __m512i;

    /// 8 words that follow each other along k from `at`, and 8 from `other`.
    ///
    /// # Safety
    /// `8 * TERMS` elements can be read at both; the machine has the instructions of these words.
    unsafe fn along(at: *const E, other: *const E) -> __m512i;

    /// 16 words that follow each other along k: all their terms if `FULL`, else the first `count`, which is not zero, and
    /// then zeros.
    ///
    /// # Safety
    /// These elements can be read; the machine has the instructions of these words.
    unsafe fn row<const FULL: bool>(at: *const E, count: usize) -> __m512i;

    /// One word.
    fn one(first: E, second: E) -> u32;
}

/// A strip of a matrix: `width` neighbouring rows of A or columns of B, over `k` terms of the sum.
#[derive(Clone, Copy)]
pub(super) struct Strip<E> {
    data: *const E,
    /// Elements side by side in the packed strip; 1 to [`COLS`].
    width: usize,
    width_stride: usize,
    k: usize,
    k_stride: usize,
}

impl<E: Copy + Default> Strip<E> {
    /// Rows `row..row + width` of a matrix from column `k0` on.
    pub(super) fn of_rows(matrix: &MatRef<E>, (k0, k): (usize, usize), (row, width): (usize, usize)) -> Self {
        let data = matrix.data.as_ptr();
        Strip {
            data: data.wrapping_add(k0 * matrix.col_stride + row * matrix.row_stride),
            width,
            width_stride: matrix.row_stride,
            k,
            k_stride: matrix.col_stride,
        }
    }

    /// Writes words to `to[p * pitch + i]`, with zeros for `i` in `width..pitch` and for terms past the last.
    ///
    /// # Safety
    /// The machine has the instructions of the words; the strip can be read; `to` can be written for its words times
    /// `pitch`; `pitch` is at least `width` and at most [`COLS`].
    #[inline(always)]
    pub(super) unsafe fn pack<W: Cut<E>>(&self, to: *mut u32, pitch: usize) {
        // SAFETY: the caller's promise covers each half of up to 16 elements.
        unsafe {
            for start in (0..pitch).step_by(LANES) {
                let width = self.width.saturating_sub(start).min(LANES);
                let data = self.data.wrapping_add(start * self.width_stride);
                let half = Strip { data, width, ..*self };
                let (to, used) = (to.add(start), pitch.min(start + LANES) - start);
                let done = if width == 0 {
                    0
                } else if self.width_stride == 1 {
                    half.copy::<W>(to, pitch, last_mask(used))
                } else if self.k_stride == 1 {
                    half.transpose::<W>(to, pitch, last_mask(used))
                } else {
                    0
                };
                half.gather::<W>(to, pitch, used, done);
            }
        }
    }

    /// Packs the words that have all their terms, and returns how many.
    ///
    /// # Safety
    /// As [`Strip::pack`], for at most 16 elements side by side, which are contiguous; `store` are those written.
    #[inline(always)]
    unsafe fn copy<W: Cut<E>>(&self, to: *mut u32, pitch: usize, store: __mmask16) -> usize {
        let load = last_mask(self.width);
        let whole = self.k / W::TERMS;
        for p in 0..whole {
            let at = self.data.wrapping_add(p * W::TERMS * self.k_stride);
            // SAFETY: the caller's promise; lanes outside the masks are not touched.
            unsafe {
                let row = W::across(at, at.wrapping_add(self.k_stride), load);
                _mm512_mask_storeu_epi32(to.add(p * pitch).cast(), store, row);
            }
        }
        whole
    }

    /// Packs the words in whole octets, and returns how many.
    ///
    /// # Safety
    /// As [`Strip::copy`], with `k_stride == 1` instead.
    #[inline(always)]
    unsafe fn transpose<W: Cut<E>>(&self, to: *mut u32, pitch: usize, store: __mmask16) -> usize {
        let whole = self.k / (OCTET * W::TERMS) * OCTET;
        let filled = last_mask(self.width);
        for p in (0..whole).step_by(OCTET) {
            // SAFETY: the caller's promise; `whole` rounds down.
            unsafe {
                for (i, row) in self.transposed_octet::<W>(p).into_iter().enumerate() {
                    let row = _mm512_maskz_mov_epi32(filled, row);
                    _mm512_mask_storeu_epi32(to.add((p + i) * pitch).cast(), store, row);
                }
            }
        }
        whole
    }

    /// Eight words along k from word `p` on, each as a vector of the 16 elements side by side; those past the width
    /// repeat the last one.
    ///
    /// # Safety
    /// As [`Strip::transpose`]; the strip has all terms of the eight words.
    #[inline(always)]
    unsafe fn transposed_octet<W: Cut<E>>(&self, p: usize) -> [__m512i; OCTET] {
        // SAFETY: the caller's promise: every row has the terms of eight words from `p` on.
        unsafe {
            let row = |i: usize| {
                let row = i.min(self.width - 1);
                self.data.wrapping_add(row * self.width_stride + p * W::TERMS)
            };
            // Lane `l` of `quads[q][i]` holds words `4 q..4 q + 4` of row `4 l + i`.
            let mut quads = [[_mm512_setzero_si512(); 4]; 2];
            let [early, late] = &mut quads;
            for (i, (early, late)) in early.iter_mut().zip(late).enumerate() {
                let (low, high) = (W::along(row(i), row(i + 4)), W::along(row(i + 8), row(i + 12)));
                *early = _mm512_shuffle_i32x4::<0b10_00_10_00>(low, high);
                *late = _mm512_shuffle_i32x4::<0b11_01_11_01>(low, high);
            }
            let mut words = [_mm512_setzero_si512(); OCTET];
            for (words, v) in words.chunks_exact_mut(4).zip(quads) {
                let (l01, l23) = (
                    _mm512_unpacklo_epi32(v[0], v[1]),
                    _mm512_unpacklo_epi32(v[2], v[3]),
                );
                let (h01, h23) = (
                    _mm512_unpackhi_epi32(v[0], v[1]),
                    _mm512_unpackhi_epi32(v[2], v[3]),
                );
                words[0] = _mm512_unpacklo_epi64(l01, l23);
                words[1] = _mm512_unpackhi_epi64(l01, l23);
                words[2] = _mm512_unpacklo_epi64(h01, h23);
                words[3] = _mm512_unpackhi_epi64(h01, h23);
            }
            words
        }
    }

    /// Packs the words from `done` on one by one.
    ///
    /// # Safety
    /// As [`Strip::pack`]; `used` elements side by side are written.
    #[inline(always)]
    unsafe fn gather<W: Cut<E>>(&self, to: *mut u32, pitch: usize, used: usize, done: usize) {
        for p in done..words::<W>(self.k) {
            for i in 0..used {
                let term = |t: usize| {
                    let from = self.data.wrapping_add(i * self.width_stride + t * self.k_stride);
                    if i < self.width && t < self.k {
                        // SAFETY: the caller's promise; this is one of the strip's own elements.
                        unsafe { *from }
                    } else {
                        E::default()
                    }
                };
                let first = p * W::TERMS;
                // SAFETY: the caller's promise.
                unsafe { *to.add(p * pitch + i) = W::one(term(first), term(first + W::TERMS - 1)) };
            }
        }
    }
}

/// Words of a packed panel of B with `k` words along the sum.
pub(super) const fn panel_len(k: usize) -> usize {
    k * COLS
}
