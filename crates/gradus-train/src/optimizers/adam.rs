//! Adam, and AMSGrad as its variant (`torch.optim.Adam`).

use super::{DecayScope, Optimizer, ParameterGroup};
use crate::{Result, settings::Checks};
use gradus_kernels::optim::adam::{self, AdamState, WeightDecay};
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Settings of [`Adam`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamConfig {
    /// Decay rates of the first and second moment, from 0 to below 1. Default `[0.9, 0.999]`.
    pub betas: [f64; 2],
    /// Added to the root of the second moment, at least 0. Default 1e-8.
    pub eps: f64,
    /// L2 penalty added to the gradient, at least 0. Default 0.
    pub weight_decay: f64,
    /// Divides by the largest second moment so far (Reddi et al., 2018). Default false.
    pub amsgrad: bool,
}

impl Default for AdamConfig {
    fn default() -> AdamConfig {
        AdamConfig {
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
            amsgrad: false,
        }
    }
}

impl AdamConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        self.betas
            .iter()
            .for_each(|&beta| checks.below_one("betas", beta));
        checks.not_negative("eps", self.eps);
        checks.not_negative("weight_decay", self.weight_decay);
    }
}

/// Adam: steps along the mean gradient over the root of the mean squared gradient, both bias-corrected.
/// Source: Kingma and Ba, 2015.
#[derive(Debug)]
pub struct Adam {
    group: ParameterGroup,
    config: AdamConfig,
    decay_mode: WeightDecay,
}

impl Adam {
    /// Adam with PyTorch's defaults.
    pub fn new(parameters: Vec<Parameter>, learning_rate: f64) -> Adam {
        Adam::with_config(parameters, learning_rate, AdamConfig::default())
    }

    /// As configured.
    pub fn with_config(parameters: Vec<Parameter>, learning_rate: f64, config: AdamConfig) -> Adam {
        let names = &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
        let group = ParameterGroup::new(parameters, learning_rate, names);
        Adam {
            group,
            config,
            decay_mode: WeightDecay::Coupled,
        }
    }

    /// Takes weight decay out of the gradient, which makes it AdamW.
    pub(super) fn decoupled(mut self) -> Adam {
        self.decay_mode = WeightDecay::Decoupled;
        self
    }

    /// Sets the decay rates of the moments.
    pub fn betas(mut self, betas: [f64; 2]) -> Adam {
        self.config.betas = betas;
        self
    }

    /// Sets what is added to the root of the second moment.
    pub fn eps(mut self, eps: f64) -> Adam {
        self.config.eps = eps;
        self
    }

    /// Sets the L2 penalty.
    pub fn weight_decay(mut self, weight_decay: f64) -> Adam {
        self.config.weight_decay = weight_decay;
        self
    }

    /// Chooses AMSGrad.
    pub fn amsgrad(mut self, amsgrad: bool) -> Adam {
        self.config.amsgrad = amsgrad;
        self
    }

    /// Chooses the parameters that weight decay applies to.
    pub fn decay_scope(mut self, scope: DecayScope) -> Adam {
        self.group.set_decay_scope(scope);
        self
    }
}

impl Optimizer for Adam {
    fn step(&mut self) -> Result<()> {
        self.step_scaled(1.0)
    }

    fn step_scaled(&mut self, factor: f64) -> Result<()> {
        let AdamConfig {
            betas,
            eps: epsilon,
            weight_decay,
            amsgrad,
        } = self.config;
        let (learning_rate, decay_mode) = (self.group.learning_rate, self.decay_mode);
        self.group.update(|value, grad, slot| {
            let weight_decay = slot.decay(weight_decay);
            let options = adam::Adam {
                learning_rate,
                betas,
                epsilon,
                weight_decay,
                decay_mode,
                gradient_scale: factor,
            };
            let step = slot.step;
            let state = if amsgrad {
                let [exp_avg, exp_avg_sq, largest] = slot.buffers(value.len(), 0.0);
                AdamState {
                    exp_avg,
                    exp_avg_sq,
                    max_exp_avg_sq: Some(largest),
                }
            } else {
                let [exp_avg, exp_avg_sq] = slot.buffers(value.len(), 0.0);
                AdamState {
                    exp_avg,
                    exp_avg_sq,
                    max_exp_avg_sq: None,
                }
            };
            adam::adam(value, state, grad, &options, step);
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
