//! A scale and a min, tried at several widths and fitted by weighted least squares at each.

use super::{SideBySide, nearest};

/// For each group, `x ≈ scale * code - min` with `min >= 0`.
pub(in crate::quant) struct Affine<const G: usize> {
    pub(in crate::quant) scales: [f32; G],
    pub(in crate::quant) mins: [f32; G],
}

/// Which widths to try: `limit + first + step * i` levels over the range, for `i` in `0..=count`, and how errors count.
pub(in crate::quant) struct Steps {
    pub(in crate::quant) first: f32,
    pub(in crate::quant) step: f32,
    pub(in crate::quant) count: i32,
    /// Absolute errors instead of squared ones.
    pub(in crate::quant) absolute: bool,
}

/// Finds a scale and a min for codes in `0..=limit`, and writes the codes.
///
/// A min below zero is not allowed: then it is 0 and the scale alone is fitted.
#[inline(always)]
pub(in crate::quant) fn affine<const G: usize, const N: usize>(
    x: &SideBySide<G, N>,
    weights: &SideBySide<G, N>,
    limit: i32,
    steps: &Steps,
    codes: &mut SideBySide<G, N>,
) -> Affine<G> {
    let Sums {
        low,
        high,
        sum_w,
        sum_x,
    } = sums(x, weights);
    let mut inverse: [f32; G] = std::array::from_fn(|g| limit as f32 / (high[g] - low[g]));
    let mut scales = inverse.map(|inverse| 1.0 / inverse);
    let mut mins = low;
    for (codes, x) in codes.iter_mut().zip(x) {
        for g in 0..G {
            codes[g] = quantize(x[g], inverse[g], mins[g], limit);
        }
    }
    let mut best = error((x, weights), codes, (&scales, &mins), steps.absolute);
    let mut tried = [[0.0; G]; N];
    for i in 0..=steps.count {
        let width = steps.first + steps.step * i as f32 + limit as f32;
        // The min of the best fit so far is where the next one starts.
        for g in 0..G {
            inverse[g] = width / (high[g] - mins[g]);
        }
        let (mut sum_l, mut sum_l2, mut sum_xl) = ([0.0; G], [0.0; G], [0.0; G]);
        for ((tried, x), w) in tried.iter_mut().zip(x).zip(weights) {
            for g in 0..G {
                let l = quantize(x[g], inverse[g], mins[g], limit);
                tried[g] = l;
                sum_l[g] += w[g] * l;
                sum_l2[g] += w[g] * l * l;
                sum_xl[g] += w[g] * l * x[g];
            }
        }
        let (mut tried_scales, mut tried_mins, mut solvable) = ([0.0; G], [0.0; G], [false; G]);
        for g in 0..G {
            let determinant = sum_w[g] * sum_l2[g] - sum_l[g] * sum_l[g];
            let scale = (sum_w[g] * sum_xl[g] - sum_x[g] * sum_l[g]) / determinant;
            let min = (sum_l2[g] * sum_x[g] - sum_l[g] * sum_xl[g]) / determinant;
            solvable[g] = determinant > 0.0;
            tried_scales[g] = if min > 0.0 { sum_xl[g] / sum_l2[g] } else { scale };
            tried_mins[g] = if min > 0.0 { 0.0 } else { min };
        }
        let errors = error((x, weights), &tried, (&tried_scales, &tried_mins), steps.absolute);
        let better: [bool; G] = std::array::from_fn(|g| solvable[g] && errors[g] < best[g]);
        if better.contains(&true) {
            for (codes, tried) in codes.iter_mut().zip(&tried) {
                for g in 0..G {
                    codes[g] = if better[g] { tried[g] } else { codes[g] };
                }
            }
            for g in 0..G {
                best[g] = if better[g] { errors[g] } else { best[g] };
                scales[g] = if better[g] { tried_scales[g] } else { scales[g] };
                mins[g] = if better[g] { tried_mins[g] } else { mins[g] };
            }
        }
    }
    // Groups of one value are a min alone; whatever was computed for them above is dropped.
    for g in 0..G {
        if high[g] == low[g] {
            (scales[g], mins[g]) = (0.0, low[g]);
            codes.iter_mut().for_each(|codes| codes[g] = 0.0);
        }
    }
    Affine {
        scales,
        mins: mins.map(|min| -min),
    }
}

/// What is known of each group before any width is tried.
struct Sums<const G: usize> {
    /// The smallest weight, 0 if that is positive.
    low: [f32; G],
    high: [f32; G],
    sum_w: [f32; G],
    sum_x: [f32; G],
}

#[inline(always)]
fn sums<const G: usize, const N: usize>(x: &SideBySide<G, N>, weights: &SideBySide<G, N>) -> Sums<G> {
    let (mut low, mut high, mut sum_w) = (x[0], x[0], weights[0]);
    let mut sum_x: [f32; G] = std::array::from_fn(|g| weights[0][g] * x[0][g]);
    for (x, w) in x.iter().zip(weights).skip(1) {
        for g in 0..G {
            low[g] = if x[g] < low[g] { x[g] } else { low[g] };
            high[g] = if x[g] > high[g] { x[g] } else { high[g] };
            sum_w[g] += w[g];
            sum_x[g] += w[g] * x[g];
        }
    }
    let low = low.map(|low| if low > 0.0 { 0.0 } else { low });
    Sums {
        low,
        high,
        sum_w,
        sum_x,
    }
}

#[inline(always)]
fn quantize(x: f32, inverse: f32, min: f32, limit: i32) -> f32 {
    nearest(inverse * (x - min)).clamp(0, limit) as f32
}

/// Weighted errors of each group.
#[inline(always)]
fn error<const G: usize, const N: usize>(
    (x, weights): (&SideBySide<G, N>, &SideBySide<G, N>),
    codes: &SideBySide<G, N>,
    (scales, mins): (&[f32; G], &[f32; G]),
    absolute: bool,
) -> [f32; G] {
    let mut sums = [0.0; G];
    for ((codes, x), w) in codes.iter().zip(x).zip(weights) {
        for g in 0..G {
            let diff = scales[g] * codes[g] + mins[g] - x[g];
            sums[g] += w[g] * if absolute { diff.abs() } else { diff * diff };
        }
    }
    sums
}
