//! Adagrad (Duchi et al. 2011), as `torch.optim.Adagrad` has it.

use crate::partition::{PARALLEL_COSTLY, for_pieces2};
use crate::vectorize::vectorize;

/// Hyper-parameters of [`adagrad`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// Step size of the first step.
    pub learning_rate: f64,
    /// Step `t` uses `learning_rate / (1 + (t − 1) · learning_rate_decay)`.
    pub learning_rate_decay: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Added to the root of the sum.
    pub epsilon: f64,
}

/// One step; `step` counts from 1. `state_sum` gathers the squared gradients.
pub fn adagrad(value: &mut [f32], state_sum: &mut [f32], grad: &[f32], options: &Adagrad, step: u64) {
    debug_assert!(value.len() == grad.len());
    let lr = options.learning_rate / (1.0 + (step as f64 - 1.0) * options.learning_rate_decay);
    let factors = [lr as f32, options.weight_decay as f32, options.epsilon as f32];
    for_pieces2(value, state_sum, PARALLEL_COSTLY, |value, sum, range| {
        piece(value, sum, &grad[range], factors)
    });
}

vectorize! {
    fn piece(value: &mut [f32], sum: &mut [f32], grad: &[f32], factors: [f32; 3]) {
        let [lr, decay, epsilon] = factors;
        for ((value, sum), &grad) in value.iter_mut().zip(sum).zip(grad) {
            let grad = grad + decay * *value;
            *sum += grad * grad;
            *value -= lr * (grad / (sum.sqrt() + epsilon));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_trajectory, noise};

    #[test]
    fn follows_its_formula_over_twenty_steps() {
        let options = Adagrad {
            learning_rate: 0.1,
            learning_rate_decay: 0.05,
            weight_decay: 0.01,
            epsilon: 1e-10,
        };
        let start = noise::<f32>(1000, 1);
        let mut sum = vec![0.0; 1000];
        assert_trajectory(
            &start,
            |value, grad, step| adagrad(value, &mut sum, grad, &options, step),
            |w, g, t, [sum, _, _]| {
                let g = g + 0.01 * w;
                *sum += g * g;
                w - 0.1 / (1.0 + (t - 1.0) * 0.05) * g / (sum.sqrt() + 1e-10)
            },
        );
    }
}
