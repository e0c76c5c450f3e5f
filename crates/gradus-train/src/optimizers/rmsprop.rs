//! Step sizes from the mean of squared gradients (`torch.optim.RMSprop`).

use super::{DecayScope, Optimizer, ParameterGroup};
use crate::{Result, settings::Checks};
use gradus_kernels::optim::rmsprop::{self, RmsPropState};
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Settings of [`RmsProp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RmsPropConfig {
    /// Decay rate of the means, from 0 to below 1. Default 0.99.
    pub alpha: f64,
    /// Added to the root, at least 0. Default 1e-8.
    pub eps: f64,
    /// Whether the mean gradient is taken out of the mean square (Graves, 2013). Default false.
    pub centered: bool,
    /// Decay of the velocity, from 0 to below 1. Default 0: none is kept.
    pub momentum: f64,
    /// L2 penalty added to the gradient, at least 0. Default 0.
    pub weight_decay: f64,
}

impl Default for RmsPropConfig {
    fn default() -> RmsPropConfig {
        RmsPropConfig {
            alpha: 0.99,
            eps: 1e-8,
            centered: false,
            momentum: 0.0,
            weight_decay: 0.0,
        }
    }
}

impl RmsPropConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.below_one("alpha", self.alpha);
        checks.not_negative("eps", self.eps);
        checks.below_one("momentum", self.momentum);
        checks.not_negative("weight_decay", self.weight_decay);
    }
}

/// RMSprop: steps along the gradient over the root of the mean squared gradient. Source: Hinton, 2012, lecture 6e.
#[derive(Debug)]
pub struct RmsProp {
    group: ParameterGroup,
    config: RmsPropConfig,
}

impl RmsProp {
    /// With PyTorch's defaults.
    pub fn new(parameters: Vec<Parameter>, learning_rate: f64) -> RmsProp {
        RmsProp::with_config(parameters, learning_rate, RmsPropConfig::default())
    }

    /// As configured.
    pub fn with_config(parameters: Vec<Parameter>, learning_rate: f64, config: RmsPropConfig) -> RmsProp {
        RmsProp {
            group: ParameterGroup::new(
                parameters,
                learning_rate,
                &["square_avg", "grad_avg", "momentum_buffer"],
            ),
            config,
        }
    }

    /// Sets the decay rate of the means.
    pub fn alpha(mut self, alpha: f64) -> RmsProp {
        self.config.alpha = alpha;
        self
    }

    /// Sets what is added to the root.
    pub fn eps(mut self, eps: f64) -> RmsProp {
        self.config.eps = eps;
        self
    }

    /// Chooses the centred form.
    pub fn centered(mut self, centered: bool) -> RmsProp {
        self.config.centered = centered;
        self
    }

    /// Sets the decay of the velocity.
    pub fn momentum(mut self, momentum: f64) -> RmsProp {
        self.config.momentum = momentum;
        self
    }

    /// Sets the L2 penalty.
    pub fn weight_decay(mut self, weight_decay: f64) -> RmsProp {
        self.config.weight_decay = weight_decay;
        self
    }

    /// Chooses the parameters that weight decay applies to.
    pub fn decay_scope(mut self, scope: DecayScope) -> RmsProp {
        self.group.set_decay_scope(scope);
        self
    }
}

impl Optimizer for RmsProp {
    fn step(&mut self) -> Result<()> {
        let RmsPropConfig {
            alpha,
            eps: epsilon,
            centered,
            momentum,
            weight_decay,
        } = self.config;
        let learning_rate = self.group.learning_rate;
        self.group.update(|value, grad, slot| {
            let weight_decay = slot.decay(weight_decay);
            let options = rmsprop::RmsProp {
                learning_rate,
                alpha,
                epsilon,
                weight_decay,
                momentum,
            };
            let wanted = [true, centered, momentum > 0.0];
            let [square_avg, grad_avg, momentum_buffer] = slot.wanted_buffers(value.len(), wanted);
            let square_avg = square_avg.expect("bug: the mean square is always wanted");
            rmsprop::rmsprop(
                value,
                RmsPropState {
                    square_avg,
                    grad_avg,
                    momentum_buffer,
                },
                grad,
                &options,
            );
        })
    }

    fn group(&self) -> &ParameterGroup {
        &self.group
    }

    fn group_mut(&mut self) -> &mut ParameterGroup {
        &mut self.group
    }

    fn set_momentum(&mut self, momentum: f64) -> bool {
        self.config.momentum = momentum;
        true
    }
}
