//! Gradient descent in the narrow sense: every step sees the whole training set.

use super::{Sgd, SgdConfig};
use crate::settings::Checks;
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Settings of full-batch gradient descent. It is [`Sgd`] whose batch is the whole training set, so an epoch is one
/// step and shuffling has no meaning; a recipe that names it must not set `train.batch_size` or `train.accumulate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GradientDescentConfig {
    /// L2 penalty added to the gradient, at least 0. Default 0.
    pub weight_decay: f64,
}

impl GradientDescentConfig {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.not_negative("weight_decay", self.weight_decay);
    }

    /// The optimiser; that its batches are whole sets is up to the loop.
    pub fn build(&self, parameters: Vec<Parameter>, learning_rate: f64) -> Sgd {
        let config = SgdConfig {
            weight_decay: self.weight_decay,
            ..SgdConfig::default()
        };
        Sgd::with_config(parameters, learning_rate, config)
    }
}
