//! Step sizes from the means of squared gradients and of squared steps (`torch.optim.Adadelta`).

use super::{DecayScope, Optimizer, ParameterGroup};
use crate::{Result, settings::Checks};
use gradus_kernels::optim::adadelta;
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Settings of [`Adadelta`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdadeltaConfig {
    /// Decay rate of both means, from 0 to below 1. Default 0.9.
    pub rho: f64,
    /// Added under both roots, at least 0. Default 1e-6.
    pub eps: f64,
    /// L2 penalty added to the gradient, at least 0. Default 0.
    pub weight_decay: f64,
}

impl Default for AdadeltaConfig {
    fn default() -> AdadeltaConfig {
        AdadeltaConfig {
            rho: 0.9,
            eps: 1e-6,
            weight_decay: 0.0,
        }
    }
}

impl AdadeltaConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.below_one("rho", self.rho);
        checks.not_negative("eps", self.eps);
        checks.not_negative("weight_decay", self.weight_decay);
    }
}

/// Adadelta: steps whose size is the root mean square of past steps over that of past gradients; the learning rate is
/// a factor on top, 1 in the paper. Source: Zeiler, 2012.
#[derive(Debug)]
pub struct Adadelta {
    group: ParameterGroup,
    config: AdadeltaConfig,
}

impl Adadelta {
    /// With PyTorch's defaults.
    pub fn new(parameters: Vec<Parameter>, learning_rate: f64) -> Adadelta {
        Adadelta::with_config(parameters, learning_rate, AdadeltaConfig::default())
    }

    /// As configured.
    pub fn with_config(parameters: Vec<Parameter>, learning_rate: f64, config: AdadeltaConfig) -> Adadelta {
        Adadelta {
            group: ParameterGroup::new(parameters, learning_rate, &["square_avg", "acc_delta"]),
            config,
        }
    }

    /// Sets the decay rate of both means.
    pub fn rho(mut self, rho: f64) -> Adadelta {
        self.config.rho = rho;
        self
    }

    /// Sets what is added under both roots.
    pub fn eps(mut self, eps: f64) -> Adadelta {
        self.config.eps = eps;
        self
    }

    /// Sets the L2 penalty.
    pub fn weight_decay(mut self, weight_decay: f64) -> Adadelta {
        self.config.weight_decay = weight_decay;
        self
    }

    /// Chooses the parameters that weight decay applies to.
    pub fn decay_scope(mut self, scope: DecayScope) -> Adadelta {
        self.group.set_decay_scope(scope);
        self
    }
}

impl Optimizer for Adadelta {
    fn step(&mut self) -> Result<()> {
        let AdadeltaConfig {
            rho,
            eps: epsilon,
            weight_decay,
        } = self.config;
        let learning_rate = self.group.learning_rate;
        self.group.update(|value, grad, slot| {
            let weight_decay = slot.decay(weight_decay);
            let options = adadelta::Adadelta {
                learning_rate,
                rho,
                epsilon,
                weight_decay,
            };
            adadelta::adadelta(value, slot.buffers(value.len(), 0.0), grad, &options);
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
