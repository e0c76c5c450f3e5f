//! Lion, the sign of an interpolated momentum (Chen et al. 2023, algorithm 2).

use crate::partition::{PARALLEL_CHEAP, for_pieces2};
use crate::vectorize::vectorize;

/// Hyper-parameters of [`lion`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    /// Step size: every element moves by this much.
    pub learning_rate: f64,
    /// Interpolation factors of the step and of the momentum, in [0, 1).
    pub betas: [f64; 2],
    /// The value shrinks by `1 − learning_rate · weight_decay` before the step.
    pub weight_decay: f64,
}

/// One step; `momentum` averages the gradients.
pub fn lion(value: &mut [f32], momentum: &mut [f32], grad: &[f32], options: &Lion) {
    debug_assert!(value.len() == grad.len());
    let [beta1, beta2] = options.betas;
    let shrink = 1.0 - options.learning_rate * options.weight_decay;
    let factors = [
        options.learning_rate,
        shrink,
        beta1,
        1.0 - beta1,
        beta2,
        1.0 - beta2,
    ]
    .map(|x| x as f32);
    for_pieces2(value, momentum, PARALLEL_CHEAP, |value, momentum, range| {
        piece(value, momentum, &grad[range], factors);
    });
}

vectorize! {
    fn piece(value: &mut [f32], momentum: &mut [f32], grad: &[f32], factors: [f32; 6]) {
        let [lr, shrink, keep_step, take_step, keep, take] = factors;
        for ((value, momentum), &grad) in value.iter_mut().zip(momentum).zip(grad) {
            let direction = *momentum * keep_step + grad * take_step;
            let step = if direction == 0.0 { 0.0 } else { lr.copysign(direction) };
            *value = *value * shrink - if direction.is_nan() { direction } else { step };
            *momentum = *momentum * keep + grad * take;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_trajectory, noise};

    #[test]
    fn follows_its_formula_over_twenty_steps() {
        let options = Lion {
            learning_rate: 0.01,
            betas: [0.9, 0.99],
            weight_decay: 0.1,
        };
        let start = noise::<f32>(33, 1);
        let mut momentum = vec![0.0; 33];
        assert_trajectory(
            &start,
            |value, grad, _| lion(value, &mut momentum, grad, &options),
            |w, g, _, [m, _, _]| {
                let direction = 0.9 * *m + 0.1 * g;
                *m = 0.99 * *m + 0.01 * g;
                w * (1.0 - 0.001) - 0.01 * direction.signum()
            },
        );
    }

    #[test]
    fn a_zero_gradient_moves_nothing_and_nan_shows() {
        let options = Lion {
            learning_rate: 0.5,
            betas: [0.9, 0.99],
            weight_decay: 0.0,
        };
        let (mut value, mut momentum) = ([1.0, 1.0], [0.0, 0.0]);
        lion(&mut value, &mut momentum, &[0.0, f32::NAN], &options);
        assert!(value[0] == 1.0 && value[1].is_nan());
    }
}
