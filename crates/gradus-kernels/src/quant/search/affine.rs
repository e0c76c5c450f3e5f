//! A scale and a min, tried at several widths and fitted by weighted least squares at each.

use super::nearest;

/// `x ≈ scale * code - min`, with `min >= 0`.
pub(in crate::quant) struct Affine {
    pub(in crate::quant) scale: f32,
    pub(in crate::quant) min: f32,
}

/// Which widths to try: `limit + first + step * i` levels over the range, for `i` in `0..=count`, and how errors count.
pub(in crate::quant) struct Steps {
    pub(in crate::quant) first: f32,
    pub(in crate::quant) step: f32,
    pub(in crate::quant) count: i32,
    /// Absolute errors instead of squared ones.
    pub(in crate::quant) absolute: bool,
}

/// Longest group.
const MAX_GROUP: usize = 32;

/// Finds a scale and a min for codes in `0..=limit` and writes the codes.
///
/// `x`, `weights` and `codes` have one length, 32 at most. A min below zero is not allowed: then it is 0 and the scale
/// alone is fitted.
pub(in crate::quant) fn affine(
    x: &[f32],
    weights: &[f32],
    limit: i32,
    steps: &Steps,
    codes: &mut [u8],
) -> Affine {
    let (mut low, mut high) = (x[0], x[0]);
    let mut sum_w = weights[0];
    let mut sum_x = sum_w * x[0];
    for (&x, &w) in x.iter().zip(weights).skip(1) {
        low = if x < low { x } else { low };
        high = if x > high { x } else { high };
        sum_w += w;
        sum_x += w * x;
    }
    if low > 0.0 {
        low = 0.0;
    }
    if high == low {
        codes.fill(0);
        return Affine {
            scale: 0.0,
            min: -low,
        };
    }
    let quantize = |x: f32, inverse: f32, min: f32| nearest(inverse * (x - min)).clamp(0, limit);
    let error = |codes: &[u8], scale: f32, min: f32| {
        let mut sum = 0.0_f32;
        for ((&code, &x), &w) in codes.iter().zip(x).zip(weights) {
            let diff = scale * f32::from(code) + min - x;
            sum += w * if steps.absolute { diff.abs() } else { diff * diff };
        }
        sum
    };
    let inverse = limit as f32 / (high - low);
    let (mut scale, mut min) = (1.0 / inverse, low);
    for (code, &x) in codes.iter_mut().zip(x) {
        *code = quantize(x, inverse, min) as u8;
    }
    let mut best = error(codes, scale, min);
    let mut tried = [0; MAX_GROUP];
    let tried = &mut tried[..x.len()];
    for i in 0..=steps.count {
        // The min of the best fit so far is where the next one starts.
        let inverse = (steps.first + steps.step * i as f32 + limit as f32) / (high - min);
        let (mut sum_l, mut sum_l2, mut sum_xl) = (0.0_f32, 0.0_f32, 0.0_f32);
        for ((code, &x), &w) in tried.iter_mut().zip(x).zip(weights) {
            let l = quantize(x, inverse, min);
            *code = l as u8;
            let l = l as f32;
            sum_l += w * l;
            sum_l2 += w * l * l;
            sum_xl += w * l * x;
        }
        let determinant = sum_w * sum_l2 - sum_l * sum_l;
        if determinant > 0.0 {
            let mut tried_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
            let mut tried_min = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
            if tried_min > 0.0 {
                tried_min = 0.0;
                tried_scale = sum_xl / sum_l2;
            }
            let tried_error = error(tried, tried_scale, tried_min);
            if tried_error < best {
                codes.copy_from_slice(tried);
                (best, scale, min) = (tried_error, tried_scale, tried_min);
            }
        }
    }
    Affine { scale, min: -min }
}
