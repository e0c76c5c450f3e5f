//! The recipe's `[optimizer]`.

use super::{
    Adadelta, AdadeltaConfig, Adagrad, AdagradConfig, Adam, AdamConfig, AdamW, AdamWConfig, DecayScope,
    GradientDescentConfig, Lion, LionConfig, Optimizer, RmsProp, RmsPropConfig, Sgd, SgdConfig,
};
use crate::settings::Checks;
use gradus_tensor::Parameter;
use serde::{Deserialize, Serialize};

/// Which optimiser, with its own settings; `name` in a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Plain steps on the gradient of the whole training set.
    #[serde(rename = "gradient_descent")]
    GradientDescent(GradientDescentConfig),
    /// Stochastic gradient descent, with momentum.
    Sgd(SgdConfig),
    /// Step sizes from the sum of squared gradients.
    Adagrad(AdagradConfig),
    /// Step sizes from two running means, without a global one.
    Adadelta(AdadeltaConfig),
    /// Step sizes from the mean of squared gradients.
    RmsProp(RmsPropConfig),
    /// Mean gradient over the root of the mean squared gradient.
    Adam(AdamConfig),
    /// Adam with weight decay outside the gradient.
    AdamW(AdamWConfig),
    /// The sign of an interpolated momentum.
    Lion(LionConfig),
}

/// The recipe's `[optimizer]`: an optimiser and what its weight decay applies to. The learning rate is in `[train]`.
///
/// ```
/// use gradus_train::optimizers::OptimizerConfig;
/// let config: OptimizerConfig = toml::from_str("name = 'sgd'\nmomentum = 0.9").unwrap();
/// assert_eq!(config.build(vec![], 0.1).learning_rate(), 0.1);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// Which parameters weight decay applies to. Default `all`.
    #[serde(default)]
    pub weight_decay_scope: DecayScope,
    /// Which optimiser, with its own settings.
    #[serde(flatten)]
    pub kind: OptimizerKind,
}

impl Default for OptimizerConfig {
    /// Adam with PyTorch's defaults.
    fn default() -> OptimizerConfig {
        OptimizerConfig::from(OptimizerKind::Adam(AdamConfig::default()))
    }
}

impl From<OptimizerKind> for OptimizerConfig {
    fn from(kind: OptimizerKind) -> OptimizerConfig {
        OptimizerConfig {
            weight_decay_scope: DecayScope::default(),
            kind,
        }
    }
}

impl OptimizerConfig {
    /// Keys of `[optimizer]` that every optimiser takes.
    pub(crate) const SHARED_KEYS: [&str; 2] = ["name", "weight_decay_scope"];

    /// The optimiser of `parameters`.
    pub fn build(&self, parameters: Vec<Parameter>, learning_rate: f64) -> Box<dyn Optimizer> {
        let mut optimizer = self.kind.build(parameters, learning_rate);
        optimizer.group_mut().set_decay_scope(self.weight_decay_scope);
        optimizer
    }

    /// Whether each step must see the whole training set.
    pub fn is_full_batch(&self) -> bool {
        matches!(self.kind, OptimizerKind::GradientDescent(_))
    }

    /// Numbers that the optimiser keeps for each one it moves.
    pub fn numbers_per_parameter(&self) -> usize {
        match &self.kind {
            OptimizerKind::GradientDescent(_) => 0,
            OptimizerKind::Sgd(config) => usize::from(config.momentum != 0.0),
            OptimizerKind::Adagrad(_) | OptimizerKind::Lion(_) => 1,
            OptimizerKind::RmsProp(config) => {
                1 + usize::from(config.centered) + usize::from(config.momentum != 0.0)
            }
            OptimizerKind::Adadelta(_) => 2,
            OptimizerKind::Adam(AdamConfig { amsgrad, .. })
            | OptimizerKind::AdamW(AdamWConfig { amsgrad, .. }) => 2 + usize::from(*amsgrad),
        }
    }

    /// The learning rate of a recipe that gives none: `torch.optim`'s, the paper's for Lion.
    pub fn default_learning_rate(&self) -> f64 {
        match self.kind {
            OptimizerKind::Adadelta(_) => 1.0,
            OptimizerKind::GradientDescent(_)
            | OptimizerKind::Sgd(_)
            | OptimizerKind::Adagrad(_)
            | OptimizerKind::RmsProp(_) => 0.01,
            OptimizerKind::Adam(_) | OptimizerKind::AdamW(_) => 1e-3,
            OptimizerKind::Lion(_) => 1e-4,
        }
    }

    /// Collects what is wrong with the settings.
    pub(crate) fn check(&self, checks: &mut Checks) {
        match &self.kind {
            OptimizerKind::GradientDescent(config) => config.check(checks),
            OptimizerKind::Sgd(config) => config.check(checks),
            OptimizerKind::Adagrad(config) => config.check(checks),
            OptimizerKind::Adadelta(config) => config.check(checks),
            OptimizerKind::RmsProp(config) => config.check(checks),
            OptimizerKind::Adam(config) => config.check(checks),
            OptimizerKind::AdamW(config) => config.check(checks),
            OptimizerKind::Lion(config) => config.check(checks),
        }
    }
}

impl OptimizerKind {
    fn build(&self, parameters: Vec<Parameter>, learning_rate: f64) -> Box<dyn Optimizer> {
        match self.clone() {
            OptimizerKind::GradientDescent(config) => Box::new(config.build(parameters, learning_rate)),
            OptimizerKind::Sgd(config) => Box::new(Sgd::with_config(parameters, learning_rate, config)),
            OptimizerKind::Adagrad(config) => {
                Box::new(Adagrad::with_config(parameters, learning_rate, config))
            }
            OptimizerKind::Adadelta(config) => {
                Box::new(Adadelta::with_config(parameters, learning_rate, config))
            }
            OptimizerKind::RmsProp(config) => {
                Box::new(RmsProp::with_config(parameters, learning_rate, config))
            }
            OptimizerKind::Adam(config) => Box::new(Adam::with_config(parameters, learning_rate, config)),
            OptimizerKind::AdamW(config) => Box::new(AdamW::with_config(parameters, learning_rate, &config)),
            OptimizerKind::Lion(config) => Box::new(Lion::with_config(parameters, learning_rate, config)),
        }
    }
}
