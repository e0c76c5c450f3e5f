//! Adam with weight decay outside the gradient (`torch.optim.AdamW`).

use super::{Adam, AdamConfig, DecayScope, Optimizer, ParameterGroup};
use crate::{Result, settings::Checks};
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Settings of [`AdamW`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWConfig {
    /// Decay rates of the first and second moment, from 0 to below 1. Default `[0.9, 0.999]`.
    pub betas: [f64; 2],
    /// Added to the root of the second moment, at least 0. Default 1e-8.
    pub eps: f64,
    /// Share of `learning_rate · value` taken off the value at each step, at least 0. Default 0.01.
    pub weight_decay: f64,
    /// Divides by the largest second moment so far (Reddi et al., 2018). Default false.
    pub amsgrad: bool,
}

impl Default for AdamWConfig {
    fn default() -> AdamWConfig {
        let AdamConfig {
            betas, eps, amsgrad, ..
        } = AdamConfig::default();
        AdamWConfig {
            betas,
            eps,
            weight_decay: 0.01,
            amsgrad,
        }
    }
}

impl AdamWConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        self.moments().check(checks);
    }

    fn moments(&self) -> AdamConfig {
        let AdamWConfig {
            betas,
            eps,
            weight_decay,
            amsgrad,
        } = *self;
        AdamConfig {
            betas,
            eps,
            weight_decay,
            amsgrad,
        }
    }
}

/// AdamW: [`Adam`] whose weight decay shrinks the value directly instead of passing through the moments.
/// Source: Loshchilov and Hutter, 2019.
#[derive(Debug)]
pub struct AdamW {
    adam: Adam,
}

impl AdamW {
    /// AdamW with PyTorch's defaults.
    pub fn new(parameters: Vec<Parameter>, learning_rate: f64) -> AdamW {
        AdamW::with_config(parameters, learning_rate, &AdamWConfig::default())
    }

    /// As configured.
    pub fn with_config(parameters: Vec<Parameter>, learning_rate: f64, config: &AdamWConfig) -> AdamW {
        AdamW {
            adam: Adam::with_config(parameters, learning_rate, config.moments()).decoupled(),
        }
    }

    /// Sets the decay rates of the moments.
    pub fn betas(self, betas: [f64; 2]) -> AdamW {
        AdamW {
            adam: self.adam.betas(betas),
        }
    }

    /// Sets the weight decay.
    pub fn weight_decay(self, weight_decay: f64) -> AdamW {
        AdamW {
            adam: self.adam.weight_decay(weight_decay),
        }
    }

    /// Chooses AMSGrad.
    pub fn amsgrad(self, amsgrad: bool) -> AdamW {
        AdamW {
            adam: self.adam.amsgrad(amsgrad),
        }
    }

    /// Chooses the parameters that weight decay applies to.
    pub fn decay_scope(self, scope: DecayScope) -> AdamW {
        AdamW {
            adam: self.adam.decay_scope(scope),
        }
    }
}

impl Optimizer for AdamW {
    fn step(&mut self) -> Result<()> {
        self.adam.step()
    }

    fn step_scaled(&mut self, factor: f64) -> Result<()> {
        self.adam.step_scaled(factor)
    }

    fn group(&self) -> &ParameterGroup {
        self.adam.group()
    }

    fn group_mut(&mut self) -> &mut ParameterGroup {
        self.adam.group_mut()
    }

    fn set_momentum(&mut self, momentum: f64) -> bool {
        self.adam.set_momentum(momentum)
    }
}
