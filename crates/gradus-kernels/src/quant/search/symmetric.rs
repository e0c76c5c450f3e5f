//! A scale for codes around zero, tried at several widths.

use super::{SMALLEST, SideBySide, nearest};

/// For each group, finds a scale with `x ≈ scale * (code - limit)` for codes in `0..2 * limit`, and writes the codes.
///
/// The error is weighted by `x²`. Nineteen widths around the one that maps the largest magnitude to `-limit` are tried.
#[inline(always)]
pub(in crate::quant) fn symmetric<const G: usize, const N: usize>(
    x: &SideBySide<G, N>,
    limit: i32,
    codes: &mut SideBySide<G, N>,
) -> [f32; G] {
    let mut largest = [0.0_f32; G];
    for x in x {
        for g in 0..G {
            largest[g] = if largest[g].abs() < x[g].abs() {
                x[g]
            } else {
                largest[g]
            };
        }
    }
    let mut inverse = largest.map(|largest| -(limit as f32) / largest);
    let (sum_xl, sum_l2) = sums(x, &inverse, limit);
    let mut scales: [f32; G] = std::array::from_fn(|g| {
        if sum_l2[g] != 0.0 {
            sum_xl[g] / sum_l2[g]
        } else {
            0.0
        }
    });
    let mut best: [f32; G] = std::array::from_fn(|g| scales[g] * sum_xl[g]);
    for step in (-9..=9).filter(|&step| step != 0) {
        let tried = largest.map(|largest| -(limit as f32 + 0.1 * step as f32) / largest);
        let (sum_xl, sum_l2) = sums(x, &tried, limit);
        for g in 0..G {
            let better = sum_l2[g] > 0.0 && sum_xl[g] * sum_xl[g] > best[g] * sum_l2[g];
            let scale = sum_xl[g] / sum_l2[g];
            inverse[g] = if better { tried[g] } else { inverse[g] };
            scales[g] = if better { scale } else { scales[g] };
            best[g] = if better { scale * sum_xl[g] } else { best[g] };
        }
    }
    let zero = largest.map(|largest| largest.abs() < SMALLEST);
    for (codes, x) in codes.iter_mut().zip(x) {
        for g in 0..G {
            let code = quantize(x[g], inverse[g], limit) + limit as f32;
            codes[g] = if zero[g] { 0.0 } else { code };
        }
    }
    std::array::from_fn(|g| if zero[g] { 0.0 } else { scales[g] })
}

#[inline(always)]
fn quantize(x: f32, inverse: f32, limit: i32) -> f32 {
    nearest(inverse * x).clamp(-limit, limit - 1) as f32
}

/// `Σ x² · x l` and `Σ x² · l²` of each group.
#[inline(always)]
fn sums<const G: usize, const N: usize>(
    x: &SideBySide<G, N>,
    inverse: &[f32; G],
    limit: i32,
) -> ([f32; G], [f32; G]) {
    let (mut sum_xl, mut sum_l2) = ([0.0; G], [0.0; G]);
    for x in x {
        for g in 0..G {
            let (l, w) = (quantize(x[g], inverse[g], limit), x[g] * x[g]);
            sum_xl[g] += w * x[g] * l;
            sum_l2[g] += w * l * l;
        }
    }
    (sum_xl, sum_l2)
}
