//! How the summed dimension is cut into 32-bit words: the one thing in which the f32 and the bf16 product differ.
//!
//! A word of A and a word of B are multiplied and added to an f32 sum: as one term of f32, or as a pair of bf16 terms
//! for `vdpbf16ps`. Blocks, packing and tiles count words and are the same for both.

use std::arch::x86_64::*;

use half::bf16;

use super::super::Operand;
use super::dots::dots;
use super::pack::{Cut, Strip};
use super::tile::{Kernel, LANES, Shape, bf16_kernel, f32_kernel, last_mask};
use crate::matrix::MatRef;

/// A kind of word.
pub(crate) trait Words: Copy + Sync + 'static {
    /// Terms of the sum in a word.
    const TERMS: usize;

    /// What is cut into words.
    type Matrix<'m>: Copy + Sync;

    /// The elements as words where they lie, if they are words.
    fn in_place<'m>(matrix: Self::Matrix<'m>) -> Option<MatRef<'m, f32>>;

    /// Packs rows `side.0..side.0 + side.1` of a matrix, over columns `k.0..k.0 + k.1`, to `to[word * pitch + row]`, with
    /// zeros for the rows up to `pitch` and for terms missing in the last word.
    ///
    /// # Safety
    /// The machine has the instructions of these words; `to` can be written for all words times `pitch`; the rows
    /// and columns lie in the matrix; `pitch` is at least `side.1` and at most 32.
    unsafe fn pack_rows(
        matrix: &Self::Matrix<'_>,
        k: (usize, usize),
        side: (usize, usize),
        to: *mut u32,
        pitch: usize,
    );

    /// Whether each row is contiguous.
    fn has_contiguous_rows(matrix: &Self::Matrix<'_>) -> bool;

    /// The dot products of a contiguous row of a matrix with each of the `sums.len()` rows of words, at most 4.
    ///
    /// # Safety
    /// The machine has the instructions of these words; the row lies in the matrix; `rows` are as long as it, filled up with
    /// zeros to whole vectors.
    unsafe fn dots(matrix: &Self::Matrix<'_>, row: usize, rows: &[u32], sums: &mut [f32]);

    /// `sum + a · b` in each lane.
    ///
    /// # Safety
    /// The machine has the instructions of these words.
    unsafe fn multiply_add(sum: __m512, a: __m512i, b: __m512i) -> __m512;

    /// The tile for this shape, which runs on a machine that has the instructions of these words.
    fn kernel(shape: Shape) -> Kernel;
}

/// Words for `terms` terms.
pub(super) const fn words<W: Words>(terms: usize) -> usize {
    terms.div_ceil(W::TERMS)
}

/// A term of f32; needs AVX-512F.
#[derive(Clone, Copy, Debug)]
pub(crate) struct F32Words;

impl Words for F32Words {
    const TERMS: usize = 1;

    type Matrix<'m> = MatRef<'m, f32>;

    fn in_place<'m>(matrix: Self::Matrix<'m>) -> Option<MatRef<'m, f32>> {
        Some(matrix)
    }

    unsafe fn pack_rows(
        matrix: &MatRef<'_, f32>,
        k: (usize, usize),
        side: (usize, usize),
        to: *mut u32,
        pitch: usize,
    ) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        unsafe fn pack(strip: &Strip<f32>, to: *mut u32, pitch: usize) {
            // SAFETY: the caller's promise.
            unsafe { strip.pack::<F32Words>(to, pitch) }
        }
        // SAFETY: the caller's promise.
        unsafe { pack(&Strip::of_rows(matrix, k, side), to, pitch) }
    }

    fn has_contiguous_rows(matrix: &MatRef<'_, f32>) -> bool {
        matrix.col_stride == 1
    }

    unsafe fn dots(matrix: &MatRef<'_, f32>, row: usize, rows: &[u32], sums: &mut [f32]) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        unsafe fn run(matrix: &MatRef<f32>, row: usize, rows: &[u32], sums: &mut [f32]) {
            // SAFETY: the caller's promise.
            unsafe { dots::<F32Words, f32>(matrix, row, rows, sums) }
        }
        // SAFETY: the caller's promise.
        unsafe { run(matrix, row, rows, sums) }
    }

    #[inline(always)]
    unsafe fn multiply_add(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum) }
    }

    fn kernel(shape: Shape) -> Kernel {
        f32_kernel(shape)
    }
}

impl Cut<f32> for F32Words {
    #[inline(always)]
    unsafe fn across(at: *const f32, _next: *const f32, mask: __mmask16) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { _mm512_maskz_loadu_epi32(mask, at.cast()) }
    }

    #[inline(always)]
    unsafe fn along(at: *const f32, other: *const f32) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { halves(at.cast(), other.cast()) }
    }

    #[inline(always)]
    unsafe fn row<const FULL: bool>(at: *const f32, count: usize) -> __m512i {
        let mask = if FULL { !0 } else { last_mask(count) };
        // SAFETY: the caller's promise.
        unsafe { _mm512_maskz_loadu_epi32(mask, at.cast()) }
    }

    fn one(first: f32, _second: f32) -> u32 {
        first.to_bits()
    }
}

/// A pair of bf16 terms, the earlier one in the lower half; needs AVX-512 F, BW and BF16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bf16Words;

impl Words for Bf16Words {
    const TERMS: usize = 2;

    type Matrix<'m> = Operand<'m>;

    fn in_place<'m>(_matrix: Self::Matrix<'m>) -> Option<MatRef<'m, f32>> {
        None
    }

    unsafe fn pack_rows(
        matrix: &Operand<'_>,
        k: (usize, usize),
        side: (usize, usize),
        to: *mut u32,
        pitch: usize,
    ) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        unsafe fn pack<E: Copy + Default>(strip: &Strip<E>, to: *mut u32, pitch: usize)
        where
            Bf16Words: Cut<E>,
        {
            // SAFETY: the caller's promise.
            unsafe { strip.pack::<Bf16Words>(to, pitch) }
        }
        // SAFETY: the caller's promise.
        unsafe {
            match matrix {
                Operand::F32(view) => pack(&Strip::of_rows(view, k, side), to, pitch),
                Operand::Bf16(view) => pack(&Strip::of_rows(view, k, side), to, pitch),
            }
        }
    }

    fn has_contiguous_rows(matrix: &Operand<'_>) -> bool {
        match matrix {
            Operand::F32(view) => view.col_stride == 1,
            Operand::Bf16(view) => view.col_stride == 1,
        }
    }

    unsafe fn dots(matrix: &Operand<'_>, row: usize, rows: &[u32], sums: &mut [f32]) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        unsafe fn run<E>(matrix: &MatRef<E>, row: usize, rows: &[u32], sums: &mut [f32])
        where
            Bf16Words: Cut<E>,
        {
            // SAFETY: the caller's promise.
            unsafe { dots::<Bf16Words, E>(matrix, row, rows, sums) }
        }
        // SAFETY: the caller's promise.
        unsafe {
            match matrix {
                Operand::F32(view) => run(view, row, rows, sums),
                Operand::Bf16(view) => run(view, row, rows, sums),
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply_add(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: the caller's promise; the vectors are 64 bytes of any value.
        unsafe {
            let pairs = |words| std::mem::transmute::<__m512i, __m512bh>(words);
            _mm512_dpbf16_ps(sum, pairs(a), pairs(b))
        }
    }

    fn kernel(shape: Shape) -> Kernel {
        bf16_kernel(shape)
    }
}

impl Cut<f32> for Bf16Words {
    #[inline(always)]
    unsafe fn across(at: *const f32, next: *const f32, mask: __mmask16) -> __m512i {
        // SAFETY: the caller's promise; the vectors are 64 bytes of any value.
        unsafe {
            let (low, high) = (_mm512_maskz_loadu_ps(mask, at), _mm512_maskz_loadu_ps(mask, next));
            let halves: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            _mm512_permutexvar_epi16(interleaved(), halves)
        }
    }

    #[inline(always)]
    unsafe fn along(at: *const f32, other: *const f32) -> __m512i {
        // SAFETY: the caller's promise; the vectors are 64 bytes of any value.
        unsafe {
            let (at, other) = (_mm512_loadu_ps(at), _mm512_loadu_ps(other));
            std::mem::transmute(_mm512_cvtne2ps_pbh(other, at))
        }
    }

    #[inline(always)]
    unsafe fn row<const FULL: bool>(at: *const f32, count: usize) -> __m512i {
        let masks = if FULL {
            [!0; 2]
        } else {
            [last_mask(count), last_mask(count.saturating_sub(LANES))]
        };
        // SAFETY: the caller's promise; the vectors are 64 bytes of any value.
        unsafe {
            let low = _mm512_maskz_loadu_ps(masks[0], at);
            let high = _mm512_maskz_loadu_ps(masks[1], at.wrapping_add(LANES));
            std::mem::transmute(_mm512_cvtne2ps_pbh(high, low))
        }
    }

    fn one(first: f32, second: f32) -> u32 {
        let round = |x: f32| u32::from(bf16::from_f32(x).to_bits());
        round(first) | round(second) << 16
    }
}

impl Cut<bf16> for Bf16Words {
    #[inline(always)]
    unsafe fn across(at: *const bf16, next: *const bf16, mask: __mmask16) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let (low, high) = (
                _mm256_maskz_loadu_epi16(mask, at.cast()),
                _mm256_maskz_loadu_epi16(mask, next.cast()),
            );
            let high = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high));
            _mm512_or_si512(_mm512_cvtepu16_epi32(low), high)
        }
    }

    #[inline(always)]
    unsafe fn along(at: *const bf16, other: *const bf16) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { halves(at.cast(), other.cast()) }
    }

    #[inline(always)]
    unsafe fn row<const FULL: bool>(at: *const bf16, count: usize) -> __m512i {
        let mask = if FULL { !0 } else { ((1_u64 << count) - 1) as u32 };
        // SAFETY: the caller's promise.
        unsafe { _mm512_maskz_loadu_epi16(mask, at.cast()) }
    }

    fn one(first: bf16, second: bf16) -> u32 {
        u32::from(first.to_bits()) | u32::from(second.to_bits()) << 16
    }
}

/// 8 words from each of two places.
///
/// # Safety
/// They can be read; the machine has AVX-512F.
#[inline(always)]
unsafe fn halves(at: *const __m256i, other: *const __m256i) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe {
        let lower = _mm512_castsi256_si512(_mm256_loadu_si256(at));
        _mm512_inserti64x4::<1>(lower, _mm256_loadu_si256(other))
    }
}

/// Where the halves of each pair come from: lane `i` of the lower 16 values, then lane `i` of the upper 16.
#[inline(always)]
pub(crate) fn interleaved() -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 16 {
            order[2 * i] = i as u16;
            order[2 * i + 1] = i as u16 + 16;
            i += 1;
        }
        order
    };
    // SAFETY: 64 bytes of any value.
    unsafe { std::mem::transmute(ORDER) }
}
