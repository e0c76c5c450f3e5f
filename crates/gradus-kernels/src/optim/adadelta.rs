//! Adadelta (Zeiler 2012), as `torch.optim.Adadelta` has it.

use crate::partition::{PARALLEL_COSTLY, for_pieces3};
use crate::vectorize::vectorize;

/// Hyper-parameters of [`adadelta`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adadelta {
    /// Factor of each step; 1 in the paper.
    pub learning_rate: f64,
    /// Decay rate of both averages, in [0, 1).
    pub rho: f64,
    /// Added under both roots.
    pub epsilon: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
}

/// One step. `square_avg` averages squared gradients and `acc_delta` squared steps.
pub fn adadelta(
    value: &mut [f32],
    [square_avg, acc_delta]: [&mut [f32]; 2],
    grad: &[f32],
    options: &Adadelta,
) {
    debug_assert!(value.len() == grad.len());
    let factors = [
        options.learning_rate,
        options.rho,
        1.0 - options.rho,
        options.epsilon,
        options.weight_decay,
    ];
    let factors = factors.map(|factor| factor as f32);
    for_pieces3([value, square_avg, acc_delta], PARALLEL_COSTLY, |state, range| {
        piece(state, &grad[range], factors)
    });
}

vectorize! {
    fn piece(state: [&mut [f32]; 3], grad: &[f32], factors: [f32; 5]) {
        let [lr, keep, take, epsilon, decay] = factors;
        let [value, square_avg, acc_delta] = state;
        for (((value, square), acc), &grad) in value.iter_mut().zip(square_avg).zip(acc_delta).zip(grad) {
            let grad = grad + decay * *value;
            *square = *square * keep + take * grad * grad;
            let delta = (*acc + epsilon).sqrt() / (*square + epsilon).sqrt() * grad;
            *acc = *acc * keep + take * delta * delta;
            *value -= lr * delta;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_trajectory, noise};

    #[test]
    fn follows_its_formula_over_twenty_steps() {
        let options = Adadelta {
            learning_rate: 1.0,
            rho: 0.9,
            epsilon: 1e-6,
            weight_decay: 0.01,
        };
        let start = noise::<f32>(33, 1);
        let (mut square, mut acc) = (vec![0.0; 33], vec![0.0; 33]);
        assert_trajectory(
            &start,
            |value, grad, _| adadelta(value, [&mut square, &mut acc], grad, &options),
            |w, g, _, [square, acc, _]| {
                let g = g + 0.01 * w;
                *square = 0.9 * *square + 0.1 * g * g;
                let delta = (*acc + 1e-6).sqrt() / (*square + 1e-6).sqrt() * g;
                *acc = 0.9 * *acc + 0.1 * delta * delta;
                w - delta
            },
        );
    }
}
