//! What else happens to parameters and gradients between steps: averaging, scaling, limiting.

use crate::partition::{PARALLEL_CHEAP, for_pieces};
use crate::real::Real;
use crate::vectorize::vectorize;

/// Exponential moving average of parameters: `average += (1 − decay) · (value − average)`.
pub fn ema(average: &mut [f32], value: &[f32], decay: f64) {
    debug_assert_eq!(average.len(), value.len());
    let take = (1.0 - decay) as f32;
    for_pieces(average, PARALLEL_CHEAP, |average, range| {
        ema_piece(average, &value[range], take)
    });
}

/// `x *= factor`: gradient accumulation, clipping by norm.
pub fn scale<T: Real>(x: &mut [T], factor: f64) {
    let factor = T::from_f64(factor);
    for_pieces(x, PARALLEL_CHEAP, |x, _| scale_piece(x, factor));
}

/// Limits each element to `[min, max]`; NaN stays NaN.
pub fn clamp(x: &mut [f32], min: f64, max: f64) {
    let (min, max) = (min as f32, max as f32);
    for_pieces(x, PARALLEL_CHEAP, |x, _| clamp_piece(x, min, max));
}

vectorize! {
    fn ema_piece(average: &mut [f32], value: &[f32], take: f32) {
        for (average, &value) in average.iter_mut().zip(value) {
            *average += take * (value - *average);
        }
    }
}

vectorize! {
    fn scale_piece[T: Real](x: &mut [T], factor: T) {
        for x in x {
            *x *= factor;
        }
    }
}

vectorize! {
    fn clamp_piece(x: &mut [f32], min: f32, max: f32) {
        for x in x {
            let raised = if *x < min { min } else { *x };
            *x = if raised > max { max } else { raised };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, noise, same_for_every_thread_count};

    #[test]
    fn each_does_its_formula_at_every_length() {
        for n in LENGTHS {
            let (x, y) = (noise::<f32>(n, 1), noise::<f32>(n, 2));
            same_for_every_thread_count(|| {
                let mut out = x.clone();
                ema(&mut out, &y, 0.75);
                assert!(
                    out.iter()
                        .zip(&x)
                        .zip(&y)
                        .all(|((out, x), y)| *out == x + 0.25 * (y - x))
                );
                scale(&mut out, 0.5);
                clamp(&mut out, -0.25, 0.5);
                assert!(out.iter().all(|x| (-0.25..=0.5).contains(x)));
                out
            });
        }
        let mut special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        clamp(&mut special, -1.0, 1.0);
        assert!(special[0].is_nan() && special[1..] == [1.0, -1.0]);
    }
}
