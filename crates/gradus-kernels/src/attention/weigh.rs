//! What happens to a block of scores between the products, in AVX-512 where the compiler's loops fall short.

use std::arch::x86_64::*;

use super::block::{Known, Lanes, finite};
use super::panel::PANEL;

/// Lanes of a vector.
const LANES: usize = 16;

/// Below this `2^x` is zero in f32, subnormal numbers included.
const LOWEST: f32 = -200.0;

/// `2^f` on [−1/2, 1/2], highest power first (Cephes, `exp2f`; S. L. Moshier), less than 2e-7 off.
const POWERS: [f32; 7] = [
    1.535_336_2e-4,
    1.339_887_4e-3,
    9.618_437e-3,
    5.550_332_5e-2,
    2.402_264_8e-1,
    6.931_472e-1,
    1.0,
];

/// `2^t`: zero for −∞, NaN for NaN. It takes on the features of its callers, which have AVX-512F.
///
/// # Safety
/// The machine has AVX-512F.
#[inline(always)]
unsafe fn exp2(t: __m512) -> __m512 {
    // SAFETY: the caller's promise; no memory is touched.
    unsafe {
        // The instruction gives its second operand if either is NaN.
        let t = _mm512_max_ps(_mm512_set1_ps(LOWEST), t);
        let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(t);
        let f = _mm512_sub_ps(t, whole);
        let mut p = _mm512_set1_ps(POWERS[0]);
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(POWERS[1]));
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(POWERS[2]));
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(POWERS[3]));
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(POWERS[4]));
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(POWERS[5]));
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(POWERS[6]));
        _mm512_scalef_ps(p, whole)
    }
}

/// `e^(s − base)` as `2^(s · log2 e − base · log2 e)`; `base` comes multiplied. An error of that product is one factor for a
/// whole row, which its sum has as well.
///
/// # Safety
/// As [`exp2`].
#[inline(always)]
unsafe fn exp_from(s: __m512, base: __m512) -> __m512 {
    // SAFETY: the caller's promise; no memory is touched.
    unsafe { exp2(_mm512_fmsub_ps(s, _mm512_set1_ps(std::f32::consts::LOG2_E), base)) }
}

/// See [`super::block::scale_lanes`], which the compiler vectorises across rows, by gathers.
#[target_feature(enable = "avx512f")]
pub(super) fn scale_lanes(rows: &mut [Lanes<f32>], factor: &Lanes<f32>) {
    for half in (0..PANEL).step_by(LANES) {
        // SAFETY: a half of a row is 16 elements, and the instructions are those of this function.
        unsafe {
            let factor = _mm512_loadu_ps(factor.as_ptr().add(half));
            for row in rows.iter_mut() {
                let at = row.as_mut_ptr().add(half);
                _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), factor));
            }
        }
    }
}

/// See [`super::block::exponentials`].
#[target_feature(enable = "avx512f")]
pub(super) fn exponentials(scores: &mut [Lanes<f32>], max: &Lanes<f32>, sum: &mut Lanes<f32>) {
    let base = max.map(|max| finite(max) * std::f32::consts::LOG2_E);
    for half in (0..PANEL).step_by(LANES) {
        // SAFETY: a half of a row is 16 elements, and the instructions are those of this function.
        unsafe {
            let base = _mm512_loadu_ps(base.as_ptr().add(half));
            let mut total = _mm512_loadu_ps(sum.as_ptr().add(half));
            for row in scores.iter_mut() {
                let at = row.as_mut_ptr().add(half);
                let e = exp_from(_mm512_loadu_ps(at), base);
                _mm512_storeu_ps(at, e);
                total = _mm512_add_ps(total, e);
            }
            _mm512_storeu_ps(sum.as_mut_ptr().add(half), total);
        }
    }
}

/// See [`super::block::probabilities_and_gradients`].
#[target_feature(enable = "avx512f")]
pub(super) fn probabilities_and_gradients(
    scores: &mut [Lanes<f32>],
    d: &mut [Lanes<f32>],
    known: &Known<f32>,
    factor: f32,
) {
    let base = known.log_sum.map(|log_sum| log_sum * std::f32::consts::LOG2_E);
    for half in (0..PANEL).step_by(LANES) {
        // SAFETY: a half of a row is 16 elements, and the instructions are those of this function.
        unsafe {
            let base = _mm512_loadu_ps(base.as_ptr().add(half));
            let delta = _mm512_loadu_ps(known.delta.as_ptr().add(half));
            let factor = _mm512_set1_ps(factor);
            for (row, d) in scores.iter_mut().zip(&mut *d) {
                let (at, d) = (row.as_mut_ptr().add(half), d.as_mut_ptr().add(half));
                let p = exp_from(_mm512_loadu_ps(at), base);
                _mm512_storeu_ps(at, p);
                let change = _mm512_sub_ps(_mm512_loadu_ps(d), delta);
                _mm512_storeu_ps(d, _mm512_mul_ps(_mm512_mul_ps(p, factor), change));
            }
        }
    }
}
