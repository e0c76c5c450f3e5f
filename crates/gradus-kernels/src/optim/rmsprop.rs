//! RMSprop (Hinton 2012, lecture 6e), plain, centred (Graves 2013) and with momentum, as `torch.optim.RMSprop` has it.

use crate::partition::{PARALLEL_COSTLY, Pieces, for_ranges};
use crate::vectorize::vectorize;

/// Hyper-parameters of [`rmsprop`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// Step size.
    pub learning_rate: f64,
    /// Decay rate of the averages, in [0, 1).
    pub alpha: f64,
    /// Added to the root.
    pub epsilon: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Decay of the velocity; used when the state has one.
    pub momentum: f64,
}

/// Running averages of [`rmsprop`].
#[derive(Debug)]
pub struct RmsPropState<'a> {
    /// Mean of squared gradients.
    pub square_avg: &'a mut [f32],
    /// Mean of gradients, subtracted (squared) from the mean square: present for the centred form.
    pub grad_avg: Option<&'a mut [f32]>,
    /// Velocity: present for the form with momentum.
    pub momentum_buffer: Option<&'a mut [f32]>,
}

/// One step.
pub fn rmsprop(value: &mut [f32], state: RmsPropState, grad: &[f32], options: &RmsProp) {
    let len = value.len();
    debug_assert!(grad.len() == len && state.square_avg.len() == len);
    let factors = Factors {
        lr: options.learning_rate as f32,
        keep: options.alpha as f32,
        take: (1.0 - options.alpha) as f32,
        epsilon: options.epsilon as f32,
        decay: options.weight_decay as f32,
        momentum: options.momentum as f32,
    };
    let (value, square) = (Pieces::new(value), Pieces::new(state.square_avg));
    let (mean, velocity) = (
        state.grad_avg.map(Pieces::new),
        state.momentum_buffer.map(Pieces::new),
    );
    for_ranges(len, PARALLEL_COSTLY, |range| {
        let grad = &grad[range.clone()];
        // SAFETY: `for_ranges` gives disjoint ranges, and the slices are different ones.
        let [value, square] = unsafe { [value.get(range.clone()), square.get(range.clone())] };
        // SAFETY: as above.
        let mean = mean.as_ref().map(|all| unsafe { all.get(range.clone()) });
        // SAFETY: as above.
        let velocity = velocity.as_ref().map(|all| unsafe { all.get(range.clone()) });
        match (mean, velocity) {
            (None, None) => plain(value, square, grad, factors),
            (Some(mean), None) => centred([value, square, mean], grad, factors),
            (None, Some(velocity)) => with_momentum([value, square, velocity], grad, factors),
            (Some(mean), Some(velocity)) => both([value, square, mean, velocity], grad, factors),
        }
    });
}

#[derive(Clone, Copy)]
struct Factors {
    lr: f32,
    keep: f32,
    take: f32,
    epsilon: f32,
    decay: f32,
    momentum: f32,
}

impl Factors {
    /// The gradient with its penalty; updates the mean square.
    #[inline(always)]
    fn observe(&self, value: f32, square: &mut f32, grad: f32) -> f32 {
        let grad = grad + self.decay * value;
        *square = *square * self.keep + self.take * grad * grad;
        grad
    }

    /// The centred denominator; updates the mean.
    #[inline(always)]
    fn centre(&self, mean: &mut f32, square: f32, grad: f32) -> f32 {
        *mean += self.take * (grad - *mean);
        (square - *mean * *mean).sqrt() + self.epsilon
    }
}

vectorize! {
    fn plain(value: &mut [f32], square: &mut [f32], grad: &[f32], f: Factors) {
        for ((value, square), &grad) in value.iter_mut().zip(square).zip(grad) {
            let grad = f.observe(*value, square, grad);
            *value -= f.lr * (grad / (square.sqrt() + f.epsilon));
        }
    }
}

vectorize! {
    fn centred(state: [&mut [f32]; 3], grad: &[f32], f: Factors) {
        let [value, square, mean] = state;
        for (((value, square), mean), &grad) in value.iter_mut().zip(square).zip(mean).zip(grad) {
            let grad = f.observe(*value, square, grad);
            *value -= f.lr * (grad / f.centre(mean, *square, grad));
        }
    }
}

vectorize! {
    fn with_momentum(state: [&mut [f32]; 3], grad: &[f32], f: Factors) {
        let [value, square, velocity] = state;
        for (((value, square), velocity), &grad) in value.iter_mut().zip(square).zip(velocity).zip(grad) {
            let grad = f.observe(*value, square, grad);
            *velocity = *velocity * f.momentum + grad / (square.sqrt() + f.epsilon);
            *value -= f.lr * *velocity;
        }
    }
}

vectorize! {
    fn both(state: [&mut [f32]; 4], grad: &[f32], f: Factors) {
        let [value, square, mean, velocity] = state;
        let all = value.iter_mut().zip(square).zip(mean).zip(velocity).zip(grad);
        for ((((value, square), mean), velocity), &grad) in all {
            let grad = f.observe(*value, square, grad);
            *velocity = *velocity * f.momentum + grad / f.centre(mean, *square, grad);
            *value -= f.lr * *velocity;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_trajectory, noise};

    #[test]
    fn every_form_follows_its_formula_over_twenty_steps() {
        for (centred, momentum) in [(false, 0.0), (true, 0.0), (false, 0.9), (true, 0.9)] {
            let options = RmsProp {
                learning_rate: 0.01,
                alpha: 0.9,
                epsilon: 1e-3,
                weight_decay: 0.01,
                momentum,
            };
            let start = noise::<f32>(33, 1);
            let (mut square, mut mean, mut velocity) = (vec![0.0; 33], vec![0.0; 33], vec![0.0; 33]);
            assert_trajectory(
                &start,
                |value, grad, _| {
                    let state = RmsPropState {
                        square_avg: &mut square,
                        grad_avg: centred.then_some(&mut mean[..]),
                        momentum_buffer: (momentum > 0.0).then_some(&mut velocity[..]),
                    };
                    rmsprop(value, state, grad, &options);
                },
                |w, g, _, [square, mean, velocity]| {
                    let g = g + 0.01 * w;
                    *square = 0.9 * *square + 0.1 * g * g;
                    *mean = 0.9 * *mean + 0.1 * g;
                    let spread = if centred { *square - *mean * *mean } else { *square };
                    *velocity = momentum * *velocity + g / (spread.sqrt() + 1e-3);
                    w - 0.01 * *velocity
                },
            );
        }
    }
}
