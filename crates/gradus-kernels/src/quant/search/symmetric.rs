//! A scale for codes around zero, tried at several widths.

use super::{SMALLEST, nearest};
use crate::quant::blocks::largest;

/// Finds a scale with `x ≈ scale * (code - limit)` for codes in `0..2 * limit`, writes the codes, returns the scale.
///
/// The error is weighted by `x²`. Nineteen widths around the one that maps the largest magnitude to `-limit` are tried.
pub(in crate::quant) fn symmetric(x: &[f32], limit: i32, codes: &mut [u8]) -> f32 {
    let largest = largest(x);
    if largest.abs() < SMALLEST {
        codes.fill(0);
        return 0.0;
    }
    let quantize = |x: f32, inverse: f32| nearest(inverse * x).clamp(-limit, limit - 1);
    let sums = |inverse: f32| {
        let (mut sum_xl, mut sum_l2) = (0.0_f32, 0.0_f32);
        for &x in x {
            let (l, w) = (quantize(x, inverse) as f32, x * x);
            sum_xl += w * x * l;
            sum_l2 += w * l * l;
        }
        (sum_xl, sum_l2)
    };
    let mut inverse = -(limit as f32) / largest;
    let (sum_xl, sum_l2) = sums(inverse);
    let mut scale = if sum_l2 != 0.0 { sum_xl / sum_l2 } else { 0.0 };
    let mut best = scale * sum_xl;
    for step in (-9..=9).filter(|&step| step != 0) {
        let tried = -(limit as f32 + 0.1 * step as f32) / largest;
        let (sum_xl, sum_l2) = sums(tried);
        if sum_l2 > 0.0 && sum_xl * sum_xl > best * sum_l2 {
            inverse = tried;
            scale = sum_xl / sum_l2;
            best = scale * sum_xl;
        }
    }
    for (code, &x) in codes.iter_mut().zip(x) {
        *code = (quantize(x, inverse) + limit) as u8;
    }
    scale
}
