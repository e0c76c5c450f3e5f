//! Adam (Kingma & Ba 2015), AdamW (Loshchilov & Hutter 2019) and AMSGrad (Reddi et al. 2018), as `torch.optim` has them.

use crate::partition::{PARALLEL_COSTLY, Pieces, for_ranges};
use crate::vectorize::vectorize;

/// Where the weight decay of [`adam`] enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightDecay {
    /// Added to the gradient (Adam).
    Coupled,
    /// The value shrinks by `1 − learning_rate · weight_decay` before the step (AdamW).
    Decoupled,
}

/// Hyper-parameters of [`adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Step size.
    pub learning_rate: f64,
    /// Decay rates of the first and second moment, in [0, 1).
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Strength of the decay; 0 for none.
    pub weight_decay: f64,
    /// Where the decay enters.
    pub decay_mode: WeightDecay,
    /// Factor of every gradient: 1, or what limits their common norm.
    pub gradient_scale: f64,
}

/// Adam's running moments.
#[derive(Debug)]
pub struct AdamState<'a> {
    /// Mean of gradients.
    pub exp_avg: &'a mut [f32],
    /// Mean of squared gradients.
    pub exp_avg_sq: &'a mut [f32],
    /// Largest `exp_avg_sq` so far: present for AMSGrad.
    pub max_exp_avg_sq: Option<&'a mut [f32]>,
}

/// One step; `step` counts from 1.
///
/// Differs from PyTorch's order in one place: the root of the second moment is multiplied by the reciprocal of
/// `√(1 − β₂ᵗ)` instead of divided by it, which is a quarter faster and at most one unit in the last place away.
pub fn adam(value: &mut [f32], state: AdamState, grad: &[f32], options: &Adam, step: u64) {
    let factors = Factors::new(options, step);
    let len = value.len();
    debug_assert!(grad.len() == len && state.exp_avg.len() == len && state.exp_avg_sq.len() == len);
    let (value, mean, square) = (
        Pieces::new(value),
        Pieces::new(state.exp_avg),
        Pieces::new(state.exp_avg_sq),
    );
    let largest = state.max_exp_avg_sq.map(Pieces::new);
    for_ranges(len, PARALLEL_COSTLY, |range| {
        let grad = &grad[range.clone()];
        // SAFETY: `for_ranges` gives disjoint ranges, and the slices are different ones.
        let [value, mean, square] = unsafe {
            [
                value.get(range.clone()),
                mean.get(range.clone()),
                square.get(range.clone()),
            ]
        };
        match &largest {
            None => adam_piece([value, mean, square], grad, factors),
            // SAFETY: as above.
            Some(largest) => amsgrad_piece(
                [value, mean, square, unsafe { largest.get(range) }],
                grad,
                factors,
            ),
        }
    });
}

#[derive(Clone, Copy)]
struct Factors {
    gradient_scale: f32,
    shrink: f32,
    coupled_decay: f32,
    take_mean: f32,
    keep_square: f32,
    take_square: f32,
    inverse_root: f32,
    epsilon: f32,
    step_size: f32,
}

impl Factors {
    fn new(options: &Adam, step: u64) -> Self {
        let [beta1, beta2] = options.betas;
        let power = |beta: f64| beta.powf(step as f64);
        let (shrink, coupled) = match options.decay_mode {
            WeightDecay::Coupled => (1.0, options.weight_decay),
            WeightDecay::Decoupled => (1.0 - options.learning_rate * options.weight_decay, 0.0),
        };
        Self {
            gradient_scale: options.gradient_scale as f32,
            shrink: shrink as f32,
            coupled_decay: coupled as f32,
            take_mean: (1.0 - beta1) as f32,
            keep_square: beta2 as f32,
            take_square: (1.0 - beta2) as f32,
            inverse_root: (1.0 / (1.0 - power(beta2)).sqrt()) as f32,
            epsilon: options.epsilon as f32,
            step_size: (options.learning_rate / (1.0 - power(beta1))) as f32,
        }
    }

    /// New `(value, mean, square)` of one element; `root` turns the new square into what is rooted.
    #[inline(always)]
    fn update(&self, [value, mean, square, grad]: [f32; 4], rooted: impl FnOnce(f32) -> f32) -> [f32; 3] {
        let grad = grad * self.gradient_scale + self.coupled_decay * value;
        let value = value * self.shrink;
        let mean = mean + self.take_mean * (grad - mean);
        let square = square * self.keep_square + self.take_square * grad * grad;
        let denominator = rooted(square).sqrt() * self.inverse_root + self.epsilon;
        [value - self.step_size * (mean / denominator), mean, square]
    }
}

vectorize! {
    fn adam_piece(state: [&mut [f32]; 3], grad: &[f32], factors: Factors) {
        let [value, mean, square] = state;
        for (((value, mean), square), &grad) in value.iter_mut().zip(mean).zip(square).zip(grad) {
            [*value, *mean, *square] = factors.update([*value, *mean, *square, grad], |square| square);
        }
    }
}

vectorize! {
    fn amsgrad_piece(state: [&mut [f32]; 4], grad: &[f32], factors: Factors) {
        let [value, mean, square, largest] = state;
        for ((((value, mean), square), largest), &grad) in value.iter_mut().zip(mean).zip(square).zip(largest).zip(grad) {
            [*value, *mean, *square] = factors.update([*value, *mean, *square, grad], |square| {
                *largest = if square > *largest { square } else { *largest };
                *largest
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adam exactly as `torch/optim/adam.py` writes it, in `f64`.
    fn reference(start: &[f32], options: &Adam, amsgrad: bool, steps: u64) -> Vec<f64> {
        let [beta1, beta2] = options.betas;
        let run = |&w: &f32| {
            let (mut w, mut m, mut v, mut largest) = (f64::from(w), 0.0, 0.0, 0.0_f64);
            for t in 1..=steps {
                let mut g = w * 0.5 + 0.2;
                match options.decay_mode {
                    WeightDecay::Coupled => g += options.weight_decay * w,
                    WeightDecay::Decoupled => w *= 1.0 - options.learning_rate * options.weight_decay,
                }
                m = beta1 * m + (1.0 - beta1) * g;
                v = beta2 * v + (1.0 - beta2) * g * g;
                largest = largest.max(v);
                let second = if amsgrad { largest } else { v };
                let denominator = (second / (1.0 - beta2.powf(t as f64))).sqrt() + options.epsilon;
                w -= options.learning_rate / (1.0 - beta1.powf(t as f64)) * m / denominator;
            }
            w
        };
        start.iter().map(run).collect()
    }

    #[test]
    fn follows_the_papers_over_twenty_steps() {
        for (n, mode, amsgrad) in [
            (33, WeightDecay::Coupled, false),
            (1000, WeightDecay::Decoupled, false),
            (17, WeightDecay::Coupled, true),
            (20_000, WeightDecay::Decoupled, true),
        ] {
            let options = Adam {
                learning_rate: 0.01,
                betas: [0.9, 0.999],
                epsilon: 1e-8,
                weight_decay: 0.1,
                decay_mode: mode,
                gradient_scale: 1.0,
            };
            let start: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
            let (mut value, mut mean, mut square, mut largest) =
                (start.clone(), vec![0.0; n], vec![0.0; n], vec![0.0; n]);
            for step in 1..=20 {
                let grad: Vec<f32> = value.iter().map(|w| w * 0.5 + 0.2).collect();
                let max_exp_avg_sq = amsgrad.then_some(&mut largest[..]);
                let state = AdamState {
                    exp_avg: &mut mean,
                    exp_avg_sq: &mut square,
                    max_exp_avg_sq,
                };
                adam(&mut value, state, &grad, &options, step);
            }
            for (got, expected) in value.iter().zip(reference(&start, &options, amsgrad, 20)) {
                assert!((f64::from(*got) - expected).abs() < 4e-6, "{got} {expected}");
            }
        }
    }
}
