//! Steps of one size along the sign of a momentum.

use super::{DecayScope, Optimizer, ParameterGroup};
use crate::{Result, settings::Checks};
use gradus_kernels::optim::lion;
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Settings of [`Lion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LionConfig {
    /// Interpolation factors of the step and of the momentum, from 0 to below 1. Default `[0.9, 0.99]`.
    pub betas: [f64; 2],
    /// Share of `learning_rate · value` taken off the value at each step, at least 0. Default 0.
    pub weight_decay: f64,
}

impl Default for LionConfig {
    fn default() -> LionConfig {
        LionConfig {
            betas: [0.9, 0.99],
            weight_decay: 0.0,
        }
    }
}

impl LionConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        self.betas
            .iter()
            .for_each(|&beta| checks.below_one("betas", beta));
        checks.not_negative("weight_decay", self.weight_decay);
    }
}

/// Lion: every element moves by the learning rate, along the sign of the interpolated momentum, so the rate is best a
/// tenth to a third of Adam's. Source: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, algorithm 2.
#[derive(Debug)]
pub struct Lion {
    group: ParameterGroup,
    config: LionConfig,
}

impl Lion {
    /// With the paper's defaults.
    pub fn new(parameters: Vec<Parameter>, learning_rate: f64) -> Lion {
        Lion::with_config(parameters, learning_rate, LionConfig::default())
    }

    /// As configured.
    pub fn with_config(parameters: Vec<Parameter>, learning_rate: f64, config: LionConfig) -> Lion {
        Lion {
            group: ParameterGroup::new(parameters, learning_rate, &["exp_avg"]),
            config,
        }
    }

    /// Sets the interpolation factors.
    pub fn betas(mut self, betas: [f64; 2]) -> Lion {
        self.config.betas = betas;
        self
    }

    /// Sets the weight decay.
    pub fn weight_decay(mut self, weight_decay: f64) -> Lion {
        self.config.weight_decay = weight_decay;
        self
    }

    /// Chooses the parameters that weight decay applies to.
    pub fn decay_scope(mut self, scope: DecayScope) -> Lion {
        self.group.set_decay_scope(scope);
        self
    }
}

impl Optimizer for Lion {
    fn step(&mut self) -> Result<()> {
        let LionConfig { betas, weight_decay } = self.config;
        let learning_rate = self.group.learning_rate;
        self.group.update(|value, grad, slot| {
            let options = lion::Lion {
                learning_rate,
                betas,
                weight_decay: slot.decay(weight_decay),
            };
            let [exp_avg] = slot.buffers(value.len(), 0.0);
            lion::lion(value, exp_avg, grad, &options);
        })
    }

    fn group(&self) -> &ParameterGroup {
        &self.group
    }

    fn group_mut(&mut self) -> &mut ParameterGroup {
        &mut self.group
    }

    fn set_momentum(&mut self, momentum: f64) -> bool {
        self.config.betas[0] = momentum;
        true
    }
}
