//! Step sizes from the sum of squared gradients (`torch.optim.Adagrad`).

use super::{DecayScope, Optimizer, ParameterGroup};
use crate::{Result, settings::Checks};
use gradus_kernels::optim::adagrad;
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Settings of [`Adagrad`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdagradConfig {
    /// Step `t`, counted from 0, uses `learning_rate / (1 + t · lr_decay)`; at least 0. Default 0.
    pub lr_decay: f64,
    /// Added to the root of the sum, at least 0. Default 1e-10.
    pub eps: f64,
    /// What each sum starts from, at least 0. Default 0.
    pub initial_accumulator_value: f64,
    /// L2 penalty added to the gradient, at least 0. Default 0.
    pub weight_decay: f64,
}

impl Default for AdagradConfig {
    fn default() -> AdagradConfig {
        AdagradConfig {
            lr_decay: 0.0,
            eps: 1e-10,
            initial_accumulator_value: 0.0,
            weight_decay: 0.0,
        }
    }
}

impl AdagradConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.not_negative("lr_decay", self.lr_decay);
        checks.not_negative("eps", self.eps);
        checks.not_negative("initial_accumulator_value", self.initial_accumulator_value);
        checks.not_negative("weight_decay", self.weight_decay);
    }
}

/// Adagrad: steps along the gradient over the root of the sum of all squared gradients.
/// Source: Duchi, Hazan and Singer, 2011.
#[derive(Debug)]
pub struct Adagrad {
    group: ParameterGroup,
    config: AdagradConfig,
}

impl Adagrad {
    /// With PyTorch's defaults.
    pub fn new(parameters: Vec<Parameter>, learning_rate: f64) -> Adagrad {
        Adagrad::with_config(parameters, learning_rate, AdagradConfig::default())
    }

    /// As configured.
    pub fn with_config(parameters: Vec<Parameter>, learning_rate: f64, config: AdagradConfig) -> Adagrad {
        Adagrad {
            group: ParameterGroup::new(parameters, learning_rate, &["sum"]),
            config,
        }
    }

    /// Sets how the learning rate falls with the step.
    pub fn lr_decay(mut self, lr_decay: f64) -> Adagrad {
        self.config.lr_decay = lr_decay;
        self
    }

    /// Sets what is added to the root.
    pub fn eps(mut self, eps: f64) -> Adagrad {
        self.config.eps = eps;
        self
    }

    /// Sets what each sum starts from.
    pub fn initial_accumulator_value(mut self, initial_accumulator_value: f64) -> Adagrad {
        self.config.initial_accumulator_value = initial_accumulator_value;
        self
    }

    /// Sets the L2 penalty.
    pub fn weight_decay(mut self, weight_decay: f64) -> Adagrad {
        self.config.weight_decay = weight_decay;
        self
    }

    /// Chooses the parameters that weight decay applies to.
    pub fn decay_scope(mut self, scope: DecayScope) -> Adagrad {
        self.group.set_decay_scope(scope);
        self
    }
}

impl Optimizer for Adagrad {
    fn step(&mut self) -> Result<()> {
        let AdagradConfig {
            lr_decay,
            eps,
            initial_accumulator_value,
            weight_decay,
        } = self.config;
        let learning_rate = self.group.learning_rate;
        self.group.update(|value, grad, slot| {
            let options = adagrad::Adagrad {
                learning_rate,
                learning_rate_decay: lr_decay,
                weight_decay: slot.decay(weight_decay),
                epsilon: eps,
            };
            let step = slot.step;
            let [sum] = slot.buffers(value.len(), initial_accumulator_value as f32);
            adagrad::adagrad(value, sum, grad, &options, step);
        })
    }

    fn group(&self) -> &ParameterGroup {
        &self.group
    }

    fn group_mut(&mut self) -> &mut ParameterGroup {
        &mut self.group
    }

    fn set_momentum(&mut self, _momentum: f64) -> bool {
        false
    }
}
