//! A scale for codes around zero, refined by moving one code at a time.

use super::{SMALLEST, nearest};
use crate::quant::blocks::largest;

/// Rounds of refinement; most groups settle after two.
const ROUNDS: usize = 5;

/// Finds a scale with `x ≈ scale * (code - limit)` for codes in `0..2 * limit`, writes the codes, returns the scale.
///
/// The error is weighted by `x²`; codes are moved while that raises the correlation with `x`.
pub(in crate::quant) fn refined(x: &[f32], limit: i32, codes: &mut [u8]) -> f32 {
    let largest = largest(x);
    if largest.abs() < SMALLEST {
        codes.fill(0);
        return 0.0;
    }
    let inverse = -(limit as f32) / largest;
    let clamped = |l: i32| l.clamp(-limit, limit - 1);
    let level = |code: u8| i32::from(code) - limit;
    let (mut sum_xl, mut sum_l2) = (0.0_f32, 0.0_f32);
    for (code, &x) in codes.iter_mut().zip(x) {
        let l = clamped(nearest(inverse * x));
        *code = (l + limit) as u8;
        let (l, w) = (l as f32, x * x);
        sum_xl += w * x * l;
        sum_l2 += w * l * l;
    }
    for _ in 0..ROUNDS {
        let mut changed = false;
        for (code, &x) in codes.iter_mut().zip(x) {
            let (l, w) = (level(*code) as f32, x * x);
            let mut without_xl = sum_xl - w * x * l;
            // As in the reference, a NaN here ends the attempt.
            if without_xl > 0.0 {
                let mut without_l2 = sum_l2 - w * l * l;
                let moved = clamped(nearest(x * without_l2 / without_xl));
                if moved != level(*code) {
                    let l = moved as f32;
                    without_xl += w * x * l;
                    without_l2 += w * l * l;
                    let better = without_xl * without_xl * sum_l2 > sum_xl * sum_xl * without_l2;
                    if without_l2 > 0.0 && better {
                        *code = (moved + limit) as u8;
                        (sum_xl, sum_l2) = (without_xl, without_l2);
                        changed = true;
                    }
                }
            }
        }
        if !changed {
            break;
        }
    }
    if sum_l2 > 0.0 { sum_xl / sum_l2 } else { 0.0 }
}
