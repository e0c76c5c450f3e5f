//! Stochastic gradient descent with momentum (`torch.optim.SGD`).

use crate::partition::{PARALLEL_CHEAP, for_pieces, for_pieces2};
use crate::vectorize::vectorize;

/// Hyper-parameters of [`sgd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the velocity, in [0, 1); 0 keeps none.
    pub momentum: f64,
    /// The part of the gradient that does not enter the velocity; 0 is usual.
    pub dampening: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Steps along gradient plus decayed velocity (Nesterov) instead of the velocity.
    pub nesterov: bool,
}

/// One step without momentum: `value −= lr · (grad + weight_decay · value)`.
pub fn sgd(value: &mut [f32], grad: &[f32], options: &Sgd) {
    debug_assert!(value.len() == grad.len() && options.momentum == 0.0);
    let (lr, decay) = (options.learning_rate as f32, options.weight_decay as f32);
    for_pieces(value, PARALLEL_CHEAP, |value, range| {
        plain_piece(value, &grad[range], lr, decay)
    });
}

/// One step with momentum. On the `first` step the velocity becomes the gradient, as in PyTorch, undampened.
pub fn sgd_momentum(value: &mut [f32], velocity: &mut [f32], grad: &[f32], options: &Sgd, first: bool) {
    debug_assert!(value.len() == grad.len() && value.len() == velocity.len());
    let keep = if first { 0.0 } else { options.momentum as f32 };
    let take = if first {
        1.0
    } else {
        (1.0 - options.dampening) as f32
    };
    let factors = Factors {
        lr: options.learning_rate as f32,
        decay: options.weight_decay as f32,
        momentum: options.momentum as f32,
        keep,
        take,
        nesterov: options.nesterov,
    };
    for_pieces2(value, velocity, PARALLEL_CHEAP, |value, velocity, range| {
        momentum_piece(value, velocity, &grad[range], factors);
    });
}

#[derive(Clone, Copy)]
struct Factors {
    lr: f32,
    decay: f32,
    momentum: f32,
    keep: f32,
    take: f32,
    nesterov: bool,
}

vectorize! {
    fn plain_piece(value: &mut [f32], grad: &[f32], lr: f32, decay: f32) {
        for (value, &grad) in value.iter_mut().zip(grad) {
            *value -= lr * (grad + decay * *value);
        }
    }
}

vectorize! {
    fn momentum_piece(value: &mut [f32], velocity: &mut [f32], grad: &[f32], factors: Factors) {
        let Factors { lr, decay, momentum, keep, take, nesterov } = factors;
        for ((value, velocity), &grad) in value.iter_mut().zip(velocity).zip(grad) {
            let grad = grad + decay * *value;
            *velocity = keep * *velocity + take * grad;
            let step = if nesterov { grad + momentum * *velocity } else { *velocity };
            *value -= lr * step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Sgd = Sgd {
        learning_rate: 0.1,
        momentum: 0.9,
        dampening: 0.3,
        weight_decay: 0.01,
        nesterov: false,
    };

    #[test]
    fn plain_step_subtracts_the_decayed_gradient() {
        for n in [0, 1, 7, 15, 16, 17, 33, 1000, 100_352] {
            let start: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
            let grad: Vec<f32> = (0..n).map(|i| (i as f32 * 0.11).cos()).collect();
            let mut value = start.clone();
            sgd(
                &mut value,
                &grad,
                &Sgd {
                    momentum: 0.0,
                    ..OPTIONS
                },
            );
            for ((&value, &w), &g) in value.iter().zip(&start).zip(&grad) {
                let expected = f64::from(w) - 0.1 * (f64::from(g) + 0.01 * f64::from(w));
                assert!((f64::from(value) - expected).abs() < 2e-7);
            }
        }
    }

    #[test]
    fn momentum_follows_the_recurrence() {
        for nesterov in [false, true] {
            let options = Sgd {
                nesterov,
                dampening: if nesterov { 0.0 } else { 0.3 },
                ..OPTIONS
            };
            let n = 33;
            let mut value: Vec<f32> = (0..n).map(|i| i as f32 * 0.1 - 1.0).collect();
            let mut velocity = vec![f32::MAX; n];
            let mut reference: Vec<(f64, f64)> = value.iter().map(|&w| (w.into(), 0.0)).collect();
            for step in 0..10 {
                let grad: Vec<f32> = value.iter().map(|w| w * 0.5 + 0.2).collect();
                sgd_momentum(&mut value, &mut velocity, &grad, &options, step == 0);
                for (w, v) in &mut reference {
                    let g = *w * 0.5 + 0.2 + 0.01 * *w;
                    *v = if step == 0 {
                        g
                    } else {
                        0.9 * *v + (1.0 - options.dampening) * g
                    };
                    *w -= 0.1 * if nesterov { g + 0.9 * *v } else { *v };
                }
            }
            for (&got, (expected, _)) in value.iter().zip(&reference) {
                assert!((f64::from(got) - expected).abs() < 3e-6, "{got} {expected}");
            }
        }
    }
}
