//! The recipe's `[train]`.

use crate::early_stopping::EarlyStopping;
use crate::monitor::Monitor;
use crate::settings::Checks;
use gradus_data::TargetKind;
use serde::{Deserialize, Serialize};

/// How a language model computes its products in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainPrecision {
    /// In 32-bit floats.
    #[default]
    F32,
    /// In bfloat16 with 32-bit sums, about twice as fast; weights, gradients and optimiser stay `f32`.
    Bf16,
}

/// How far an answer of a regression is from right; each is a mean over samples and outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossName {
    /// The squared error: the model tends to the mean.
    #[default]
    Mse,
    /// The absolute error: the model tends to the median, and outliers weigh less.
    Mae,
    /// Squared up to `loss_delta`, then linear.
    Huber,
    /// As `huber`, divided by `loss_delta`.
    SmoothL1,
}

/// Length, batches, limits and checkpoints of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training set, above 0. Default 10 for labelled samples; for language models 1, or as many as
    /// `max_steps` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Samples per batch, above 0. Default 64, the whole set for `gradient_descent`; 8 sequences for language models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Step size at the top of the schedule, above 0. Default: the optimiser's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Seeds initial weights, shuffling and dropout. Default 0.
    pub seed: u64,
    /// Stops after this many optimiser steps, above 0. Default: no limit but `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Stops after this many seconds of training, above 0, resumed time not counted. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time_s: Option<f64>,
    /// Batches whose gradients are averaged into one optimiser step, above 0. Default 1.
    pub accumulate: u64,
    /// Language models: tokens in a sequence, above 1. Default 256, or the model's context where that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_size: Option<usize>,
    /// Language models: how products are computed; weights and everything else are `f32` either way. Default `f32`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<TrainPrecision>,
    /// Language models: keeps only the input of each block for the backward pass and computes the rest again: about a
    /// third more time for a fraction of the memory. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_checkpointing: Option<bool>,
    /// Regression: how far an answer is from right; targets are standardised. Default `mse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossName>,
    /// Regression by `huber` or `smooth_l1`: the distance, in standard deviations of the target, at which the loss turns
    /// from squared to linear; above 0. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_delta: Option<f64>,
    /// Multilabel: a factor, above 0, on the loss of the samples that a label applies to, one for each label in their
    /// order. Default 1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pos_weight: Option<Vec<f64>>,
    /// Classification: share of each target's probability spread over all classes, from 0 to below 1. Default 0.
    pub label_smoothing: f64,
    /// Largest 2-norm of all gradients together, above 0. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Largest absolute value of any gradient element, above 0. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<f64>,
    /// `[low, high]` that weights are limited to after each step. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_clip: Option<[f64; 2]>,
    /// Decay of a moving average of the weights, above 0 and below 1, which is then what is evaluated and packaged.
    /// Default: none is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// The metric that decides which checkpoint is best, when to stop early and when a plateau is reached.
    pub monitor: Monitor,
    /// Whether the package gets the weights of the best epoch instead of the last. Default false.
    pub restore_best: bool,
    /// Steps between evaluations, above 0. Default: at the end of each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every_steps: Option<u64>,
    /// Language models: batches of an evaluation during training, above 0. Default: all held-out ones, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_batches: Option<u64>,
    /// Language models: text that the model continues at each evaluation. Default: the end-of-text token alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_prompt: Option<String>,
    /// Language models: tokens of that continuation; 0 for none. Default 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_tokens: Option<usize>,
    /// Steps between log lines, above 0. Default: as many as an epoch has, but at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_every_steps: Option<u64>,
    /// Epochs between checkpoints, above 0. Default 1.
    pub checkpoint_every_epochs: u64,
    /// Steps between further checkpoints inside an epoch, above 0. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_every_steps: Option<u64>,
    /// Latest checkpoints kept, above 0; the best one is kept besides. Default 2.
    pub keep_last: usize,
    /// Stops when the monitored metric no longer improves. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
}

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        TrainConfig {
            epochs: None,
            batch_size: None,
            learning_rate: None,
            seed: 0,
            max_steps: None,
            max_time_s: None,
            accumulate: 1,
            block_size: None,
            precision: None,
            activation_checkpointing: None,
            loss: None,
            loss_delta: None,
            pos_weight: None,
            label_smoothing: 0.0,
            clip_norm: None,
            clip_value: None,
            weight_clip: None,
            ema_decay: None,
            monitor: Monitor::Loss,
            restore_best: false,
            eval_every_steps: None,
            eval_batches: None,
            sample_prompt: None,
            sample_tokens: None,
            log_every_steps: None,
            checkpoint_every_epochs: 1,
            checkpoint_every_steps: None,
            keep_last: 2,
            early_stopping: None,
        }
    }
}

impl TrainConfig {
    /// Passes over labelled samples.
    pub(crate) const SUPERVISED_EPOCHS: u64 = 10;

    /// The keys that only language models have and that are set here.
    pub(crate) fn language_model_keys(&self) -> Vec<&'static str> {
        let keys = [
            ("block_size", self.block_size.is_some()),
            ("precision", self.precision.is_some()),
            (
                "activation_checkpointing",
                self.activation_checkpointing.is_some(),
            ),
            ("eval_batches", self.eval_batches.is_some()),
            ("sample_prompt", self.sample_prompt.is_some()),
            ("sample_tokens", self.sample_tokens.is_some()),
        ];
        keys.into_iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(key, _)| key)
            .collect()
    }

    /// The keys that only regressions have and that are set here.
    pub(crate) fn regression_keys(&self) -> Vec<&'static str> {
        let keys = [
            ("loss", self.loss.is_some()),
            ("loss_delta", self.loss_delta.is_some()),
        ];
        keys.into_iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(key, _)| key)
            .collect()
    }

    /// The keys that only models of labels have and that are set here.
    pub(crate) fn multilabel_keys(&self) -> Vec<&'static str> {
        self.pos_weight.iter().map(|_| "pos_weight").collect()
    }

    /// Collects what does not go with what there is to learn.
    pub(crate) fn check_supervised(&self, task: TargetKind, checks: &mut Checks) {
        if task != TargetKind::Regression {
            for key in self.regression_keys() {
                checks.require(
                    false,
                    key,
                    "set",
                    "no value: only regressions (data.task) have it",
                );
            }
        }
        if task != TargetKind::Multilabel {
            for key in self.multilabel_keys() {
                checks.require(false, key, "set", "no value: only multilabel (data.task) has it");
            }
        }
        let is_smoothed = self.label_smoothing != 0.0 && task != TargetKind::Classification;
        checks.require(
            !is_smoothed,
            "label_smoothing",
            self.label_smoothing,
            "0: only classification has it",
        );
        let turns = matches!(self.loss, Some(LossName::Huber | LossName::SmoothL1));
        checks.require(
            self.loss_delta.is_none() || turns || task != TargetKind::Regression,
            "loss_delta",
            self.loss_delta.unwrap_or_default(),
            "no value, or loss = \"huber\" or \"smooth_l1\", which turn at it",
        );
        let monitors = Monitor::of_task(task);
        let names: Vec<&str> = monitors.iter().map(|monitor| monitor.name()).collect();
        checks.require(
            monitors.contains(&self.monitor),
            "monitor",
            self.monitor.name(),
            &format!("{} for task \"{}\"", names.join(" or "), task.name()),
        );
    }

    /// Steps between log lines for epochs of this many steps. At most 100: a line costs a few microseconds, so at ten
    /// thousand steps a second logging takes less than a thousandth of the time.
    pub fn log_interval(&self, steps_per_epoch: u64) -> u64 {
        self.log_every_steps
            .unwrap_or_else(|| steps_per_epoch.clamp(1, 100))
    }

    /// Collects what is wrong with the settings.
    pub(crate) fn check(&self, checks: &mut Checks) {
        let counts = [
            ("epochs", self.epochs),
            ("eval_every_steps", self.eval_every_steps),
            ("eval_batches", self.eval_batches),
            ("batch_size", self.batch_size.map(|size| size as u64)),
            ("max_steps", self.max_steps),
            ("accumulate", Some(self.accumulate)),
            ("log_every_steps", self.log_every_steps),
            ("checkpoint_every_epochs", Some(self.checkpoint_every_epochs)),
            ("checkpoint_every_steps", self.checkpoint_every_steps),
            ("keep_last", Some(self.keep_last as u64)),
        ];
        counts
            .iter()
            .for_each(|&(key, value)| checks.count(key, value.unwrap_or(1)));
        checks.require(
            self.block_size.is_none_or(|size| size > 1),
            "block_size",
            self.block_size.unwrap_or(0),
            "a whole number above 1",
        );
        let positive = [
            ("learning_rate", self.learning_rate),
            ("max_time_s", self.max_time_s),
            ("loss_delta", self.loss_delta),
            ("clip_norm", self.clip_norm),
            ("clip_value", self.clip_value),
        ];
        positive
            .iter()
            .for_each(|&(key, value)| checks.positive(key, value.unwrap_or(1.0)));
        for &factor in self.pos_weight.iter().flatten() {
            checks.positive("pos_weight", factor);
        }
        checks.below_one("label_smoothing", self.label_smoothing);
        checks.share("ema_decay", self.ema_decay.unwrap_or(0.5));
        if let Some([low, high]) = self.weight_clip {
            checks.require(
                low < high,
                "weight_clip",
                format!("[{low}, {high}]"),
                "[low, high] with low below high",
            );
        }
        if let Some(early_stopping) = &self.early_stopping {
            early_stopping.check(checks);
        }
    }
}
