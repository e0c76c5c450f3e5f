//! Stochastic gradient descent, with momentum (`torch.optim.SGD`).

use super::{DecayScope, Optimizer, ParameterGroup};
use crate::{Result, settings::Checks};
use gradus_kernels::optim::sgd;
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Settings of [`Sgd`]; the defaults are plain gradient steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SgdConfig {
    /// Decay of the velocity, from 0 to below 1. Default 0: none is kept.
    pub momentum: f64,
    /// Share of the gradient that does not enter the velocity, from 0 to below 1. Default 0.
    pub dampening: f64,
    /// Steps along gradient plus decayed velocity (Nesterov). Needs momentum and no dampening. Default false.
    pub nesterov: bool,
    /// L2 penalty added to the gradient, at least 0. Default 0.
    pub weight_decay: f64,
}

impl SgdConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.below_one("momentum", self.momentum);
        checks.below_one("dampening", self.dampening);
        checks.not_negative("weight_decay", self.weight_decay);
        let nesterov = !self.nesterov || (self.momentum > 0.0 && self.dampening == 0.0);
        checks.require(
            nesterov,
            "nesterov",
            self.nesterov,
            "false, or momentum above 0 and no dampening",
        );
    }
}

/// Stochastic gradient descent: `velocity = momentum · velocity + (1 − dampening) · gradient`,
/// `value −= learning_rate · velocity`.
#[derive(Debug)]
pub struct Sgd {
    group: ParameterGroup,
    config: SgdConfig,
}

impl Sgd {
    /// Plain gradient steps on `parameters`.
    pub fn new(parameters: Vec<Parameter>, learning_rate: f64) -> Sgd {
        Sgd::with_config(parameters, learning_rate, SgdConfig::default())
    }

    /// As configured.
    pub fn with_config(parameters: Vec<Parameter>, learning_rate: f64, config: SgdConfig) -> Sgd {
        Sgd {
            group: ParameterGroup::new(parameters, learning_rate, &["momentum_buffer"]),
            config,
        }
    }

    /// Sets the decay of the velocity.
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.config.momentum = momentum;
        self
    }

    /// Sets the share of the gradient that does not enter the velocity.
    pub fn dampening(mut self, dampening: f64) -> Sgd {
        self.config.dampening = dampening;
        self
    }

    /// Chooses Nesterov's momentum.
    pub fn nesterov(mut self, nesterov: bool) -> Sgd {
        self.config.nesterov = nesterov;
        self
    }

    /// Sets the L2 penalty.
    pub fn weight_decay(mut self, weight_decay: f64) -> Sgd {
        self.config.weight_decay = weight_decay;
        self
    }

    /// Chooses the parameters that weight decay applies to.
    pub fn decay_scope(mut self, scope: DecayScope) -> Sgd {
        self.group.set_decay_scope(scope);
        self
    }
}

impl Optimizer for Sgd {
    fn step(&mut self) -> Result<()> {
        let SgdConfig {
            momentum,
            dampening,
            nesterov,
            weight_decay,
        } = self.config;
        let learning_rate = self.group.learning_rate;
        self.group.update(|value, grad, slot| {
            let weight_decay = slot.decay(weight_decay);
            let options = sgd::Sgd {
                learning_rate,
                momentum,
                dampening,
                weight_decay,
                nesterov,
            };
            if momentum == 0.0 {
                return sgd::sgd(value, grad, &options);
            }
            let first = slot.step == 1;
            let [velocity] = slot.buffers(value.len(), 0.0);
            sgd::sgd_momentum(value, velocity, grad, &options, first);
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
