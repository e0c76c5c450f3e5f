//! One optimiser step: gradients in, parameters moved, everything that happens around it in one fixed order.

use crate::clip;
use crate::ema::Ema;
use crate::error::Divergence;
use crate::optimizers::Optimizer;
use crate::recipe::TrainConfig;
use crate::schedules::Schedule;
use crate::{Error, Result};
use gradus_tensor::{Parameter, Tensor, rng};

/// Spreads the run's seed over the bits that the step number leaves alone: the golden ratio's, as in SplitMix64.
const SEED_SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Limits applied around a step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    clip_norm: Option<f64>,
    clip_value: Option<f64>,
    weight_clip: Option<[f64; 2]>,
}

impl From<&TrainConfig> for Limits {
    fn from(config: &TrainConfig) -> Limits {
        let TrainConfig {
            clip_norm,
            clip_value,
            weight_clip,
            ..
        } = *config;
        Limits {
            clip_norm,
            clip_value,
            weight_clip,
        }
    }
}

/// Moves a model's parameters. What a step costs beyond forward, backward and update is tens of nanoseconds: no
/// allocation, no lock shared with another thread, no call into the system.
pub(crate) struct Stepper {
    pub optimizer: Box<dyn Optimizer>,
    pub schedule: Schedule,
    pub ema: Option<Ema>,
    pub limits: Limits,
    pub seed: u64,
    /// Optimiser steps taken.
    pub step: u64,
}

impl Stepper {
    /// Prepares a step: whatever the forward pass draws depends on the seed and the step number alone.
    pub fn begin(&self) {
        rng::set_forward_seed(self.seed.wrapping_mul(SEED_SPREAD) ^ self.step);
    }

    /// Adds `share` of the gradient of `loss` to the parameters' gradients.
    pub fn backward(&self, loss: &Tensor, share: f64) -> Result<()> {
        if share == 1.0 {
            return Ok(loss.backward()?);
        }
        Ok(loss.backward_with(&Tensor::full(loss.shape(), share, loss.dtype()))?)
    }

    /// Moves the parameters along the gathered gradients and clears those; returns the learning rate used.
    pub fn finish(&mut self) -> Result<f64> {
        let learning_rate = self.schedule.learning_rate(self.step);
        self.optimizer.set_learning_rate(learning_rate);
        if let Some(momentum) = self.schedule.momentum(self.step) {
            self.optimizer.set_momentum(momentum);
        }
        let factor = self.limit_gradients()?;
        self.optimizer.step_scaled(factor)?;
        self.optimizer.zero_grad();
        if let Some(range) = self.limits.weight_clip {
            clip::clip_weights(self.optimizer.parameters(), range)?;
        }
        if let Some(ema) = &mut self.ema {
            ema.update()?;
        }
        self.step += 1;
        Ok(learning_rate)
    }

    /// Runs `work` with the averaged weights in the parameters, if there are any.
    pub fn with_averaged<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(ema) = &mut self.ema else { return work() };
        ema.swap()?;
        let result = work();
        ema.swap()?;
        result
    }

    /// The error for a loss or a weight that is no number any more. `epoch` counts from 0.
    pub fn diverged(&self, loss: f64, epoch: u64, named: &[(String, Parameter)]) -> Error {
        let parameter_norms = match parameter_norms(named) {
            Ok(norms) => norms,
            Err(error) => return error,
        };
        let Limits {
            clip_norm,
            clip_value,
            ..
        } = self.limits;
        Error::Diverged(Box::new(Divergence {
            step: self.step + 1,
            epoch: epoch + 1,
            loss,
            learning_rate: self.schedule.learning_rate(self.step),
            clips: clip_norm.is_some() || clip_value.is_some(),
            parameter_norms,
            last_good: None,
        }))
    }

    /// Limits gradients one by one; returns what limits their common norm when they are multiplied with it.
    fn limit_gradients(&self) -> Result<f64> {
        let parameters = self.optimizer.parameters();
        if let Some(limit) = self.limits.clip_value {
            clip::clip_gradient_value(parameters, limit)?;
        }
        match self.limits.clip_norm {
            Some(limit) => Ok(clip::norm_factor(clip::gradient_norm(parameters)?, limit)),
            None => Ok(1.0),
        }
    }
}

/// The 2-norm of each parameter, to show where a run went wrong.
pub(crate) fn parameter_norms(named: &[(String, Parameter)]) -> Result<Vec<(String, f64)>> {
    let norm = |(name, parameter): &(String, Parameter)| {
        let value = parameter.value();
        let squares = gradus_kernels::reduce::sum_of_squares(value.as_slice::<f32>()?);
        Ok::<_, Error>((name.clone(), squares.sqrt()))
    };
    named.iter().map(norm).collect()
}
