//! What a run learns.
//!
//! The loop ([`Run`](super::run::Run)) knows steps, logs, checkpoints and reasons to stop. An objective knows the rest:
//! where batches come from, what their loss is, how the model is measured between steps, and what package it becomes.

use super::metrics::Metric;
use super::observer::SampleUnit;
use super::packaged::Packaged;
use crate::Result;
use crate::memory::MemoryEstimate;
use crate::monitor::Monitor;
use crate::recipe::{Recipe, TrainConfig};
use gradus_nn::Module;
use gradus_tensor::{Parameter, Tensor};
use std::ops::Range;
use std::path::PathBuf;

/// A model together with the data it learns from.
///
/// Everything a step depends on must be a function of the seed, the epoch and the batch number: that is what lets a
/// resumed run end in the same bytes.
pub(crate) trait Objective {
    /// What one forward and backward pass takes.
    type Batch;
    /// The batches of an epoch. It owns what it needs, so that the loop may change the rest while it draws from it.
    type Batches: Iterator<Item = Result<Self::Batch>>;

    /// The model, with what is trained and what is not.
    fn model(&self) -> &dyn Module;

    /// The parameters that are trained, by name.
    fn trained(&self) -> Vec<(String, Parameter)> {
        let mut named = self.model().named_parameters();
        named.retain(|(_, parameter)| parameter.requires_grad());
        named
    }

    /// What a checkpoint must keep of the model: all that training changes.
    fn state(&self) -> Vec<(String, Tensor)> {
        self.model().state_dict()
    }

    /// Restores what [`Objective::state`] gave.
    fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        Ok(self.model().load_state_dict(state)?)
    }

    /// Passes over the training samples of a recipe that gives none.
    fn default_epochs(&self, train: &TrainConfig) -> u64;

    /// What a sample costs, where it can be told: forward and backward, in floating-point operations.
    fn cost(&self) -> Option<Cost> {
        None
    }

    /// What training takes, where it can be told.
    fn memory(&self) -> Option<MemoryEstimate> {
        None
    }

    /// How much there is to learn from.
    fn extent(&self) -> Extent;

    /// The batches of an epoch, counted from 0, after the first `skip`.
    fn batches(&self, epoch: u64, skip: u64) -> Self::Batches;

    /// Samples in some batches of an epoch: the weight of their mean loss. Each sample of a step weighs the same,
    /// however the step is cut into batches.
    fn samples(&self, epoch: u64, batches: Range<u64>) -> u64;

    /// The mean loss of a batch's samples, a scalar to differentiate.
    fn loss(&self, batch: &Self::Batch) -> Result<Tensor>;

    /// The metrics that an evaluation measures, in the order of [`Objective::evaluate`].
    fn monitors(&self) -> &'static [Monitor];

    /// Measures the model on the held-out samples; nothing where there are none. Leaves it in training mode.
    fn evaluate(&self) -> Result<Vec<Metric>>;

    /// A piece of what the model makes by itself, to be read beside an evaluation; the same for the same weights.
    fn sample(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Fingerprint of the training data.
    fn data_sha256(&self) -> &str;

    /// Measures the final model and writes its package, all or nothing.
    fn package(self, recipe: &Recipe, folder: PathBuf) -> Result<Packaged>;
}

/// What learning from a sample costs, and what the machine can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Floating-point operations of a sample's forward and backward pass.
    pub flops_per_sample: f64,
    /// Floating-point operations a second of the machine's products, as measured.
    pub peak_flops: f64,
}

/// How much an objective has to learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// What a sample is.
    pub unit: SampleUnit,
    /// Samples to train on in an epoch.
    pub train_samples: usize,
    /// Samples held out.
    pub validation_samples: usize,
    /// Samples in a full batch.
    pub batch_size: usize,
    /// Batches in an epoch, above 0.
    pub batches: u64,
}
