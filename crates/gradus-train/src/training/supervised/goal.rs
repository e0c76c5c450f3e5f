//! What there is to learn, and how wrong an answer is: the part of a supervised run that depends on the task.

use super::data::TrainingData;
use crate::Result;
use crate::monitor::Monitor;
use crate::recipe::{LossName, Recipe, SupervisedTask};
use crate::settings::Problem;
use gradus_data::{TargetKind, TargetScale, Targets};
use gradus_nn::losses::{
    BceOptions, HuberOptions, SmoothL1Options, bce_with_logits_with, huber_with, mae, mse, smooth_l1_with,
};
use gradus_tensor::{CrossEntropyOptions, Tensor};

/// What a model learns about a sample.
pub(super) enum Goal {
    /// Its class.
    Classes {
        /// Share of each target's probability spread over all classes.
        label_smoothing: f64,
    },
    /// Numbers, which the model sees standardised.
    Values {
        /// How far a number is from right.
        loss: ValueLoss,
        /// From the model's numbers to the targets' units.
        scales: Vec<TargetScale>,
    },
    /// Which labels apply.
    Labels {
        /// A factor on the loss of the samples that each label applies to, `[labels]`.
        pos_weight: Option<Tensor>,
    },
}

/// A distance between numbers.
#[derive(Clone, Copy)]
pub(super) enum ValueLoss {
    Mse,
    Mae,
    Huber { delta: f64 },
    SmoothL1 { beta: f64 },
}

impl Goal {
    /// The recipe's goal for these data.
    pub fn new(task: &SupervisedTask, recipe: &Recipe, data: &TrainingData) -> Result<Goal> {
        let (train, targets) = (&recipe.train, data.train.targets());
        if targets.kind() != task.data.task {
            let expected = format!("\"{}\", as the samples are labelled", targets.kind().name());
            return Problem::refuse("data.task", task.data.task.name(), &expected);
        }
        Ok(match targets {
            Targets::Classes { .. } => Goal::Classes {
                label_smoothing: train.label_smoothing,
            },
            Targets::Values { scales, .. } => Goal::Values {
                loss: ValueLoss::new(train.loss.unwrap_or_default(), train.loss_delta.unwrap_or(1.0)),
                scales: scales.clone(),
            },
            Targets::Labels { names, .. } => Goal::Labels {
                pos_weight: train
                    .pos_weight
                    .as_ref()
                    .map(|weights| pos_weight(weights, names.len()))
                    .transpose()?,
            },
        })
    }

    /// What there is to learn.
    pub fn kind(&self) -> TargetKind {
        match self {
            Goal::Classes { .. } => TargetKind::Classification,
            Goal::Values { .. } => TargetKind::Regression,
            Goal::Labels { .. } => TargetKind::Multilabel,
        }
    }

    /// The mean loss of a batch, a scalar to differentiate.
    pub fn loss(&self, outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        match self {
            Goal::Classes { label_smoothing } => {
                let options = CrossEntropyOptions {
                    label_smoothing: *label_smoothing,
                    ..CrossEntropyOptions::default()
                };
                Ok(outputs.cross_entropy(targets, &options)?)
            }
            Goal::Values { loss, .. } => loss.of(outputs, targets),
            Goal::Labels { pos_weight } => {
                let options = BceOptions {
                    pos_weight: pos_weight.clone(),
                    ..BceOptions::default()
                };
                Ok(bce_with_logits_with(outputs, targets, &options)?)
            }
        }
    }

    /// The loss of held-out samples: without smoothing and weights, so that it compares between recipes.
    pub fn plain_loss(&self, outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        match self {
            Goal::Classes { .. } => Goal::Classes { label_smoothing: 0.0 }.loss(outputs, targets),
            Goal::Labels { .. } => Goal::Labels { pos_weight: None }.loss(outputs, targets),
            Goal::Values { .. } => self.loss(outputs, targets),
        }
    }

    /// What is measured on held-out samples, in this order.
    pub fn monitors(&self) -> &'static [Monitor] {
        Monitor::of_task(self.kind())
    }

    /// The name of the model's output in a package's signature.
    pub fn output_name(&self) -> &'static str {
        match self {
            Goal::Classes { .. } | Goal::Labels { .. } => "logits",
            Goal::Values { .. } => "values",
        }
    }

    /// What the outputs stand for, for messages.
    pub fn outputs_are(&self) -> &'static str {
        match self {
            Goal::Classes { .. } => "classes in the data; leave it out, or name all in data.class_names",
            Goal::Values { .. } => "targets of the data; leave it out",
            Goal::Labels { .. } => "labels in the data; leave it out",
        }
    }
}

impl ValueLoss {
    fn new(name: LossName, delta: f64) -> ValueLoss {
        match name {
            LossName::Mse => ValueLoss::Mse,
            LossName::Mae => ValueLoss::Mae,
            LossName::Huber => ValueLoss::Huber { delta },
            LossName::SmoothL1 => ValueLoss::SmoothL1 { beta: delta },
        }
    }

    fn of(self, outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        Ok(match self {
            ValueLoss::Mse => mse(outputs, targets)?,
            ValueLoss::Mae => mae(outputs, targets)?,
            ValueLoss::Huber { delta } => {
                let options = HuberOptions {
                    delta,
                    ..HuberOptions::default()
                };
                huber_with(outputs, targets, &options)?
            }
            ValueLoss::SmoothL1 { beta } => {
                let options = SmoothL1Options {
                    beta,
                    ..SmoothL1Options::default()
                };
                smooth_l1_with(outputs, targets, &options)?
            }
        })
    }
}

/// One factor for each label, in the order of their columns or names.
fn pos_weight(weights: &[f64], labels: usize) -> Result<Tensor> {
    if weights.len() != labels {
        let expected = format!("{labels} factors, one for each label");
        return Problem::refuse(
            "train.pos_weight",
            format!("{} factors", weights.len()),
            &expected,
        );
    }
    let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
    Ok(Tensor::from_vec(weights, [labels])?)
}
