//! Learning from labelled samples: classes, numbers, or labels of which several apply.
//!
//! [`Goal`] holds all that differs between them: the loss, the metrics, the name of the output.

mod data;
mod goal;
mod packaging;
mod validation;

pub use data::TrainingData;
pub(crate) use validation::count_correct;

use super::metrics::Metric;
use super::objective::{Extent, Objective};
use super::observer::SampleUnit;
use super::packaged::Packaged;
use crate::Result;
use crate::monitor::Monitor;
use crate::recipe::{Recipe, SupervisedTask, TrainConfig};
use crate::settings::Problem;
use goal::Goal;
use gradus_data::{Batch, Dataset, Epoch, Loader, LoaderConfig, Prefetch};
use gradus_nn::{Layer, ModelConfig, Module};
use gradus_tensor::Tensor;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Samples per batch of evaluations between epochs: enough for fast products, few enough for little memory.
const EVALUATION_BATCH: usize = 256;

/// A model and the labelled samples it learns from.
pub(crate) struct Supervised {
    model: Box<dyn Layer>,
    config: ModelConfig,
    data: TrainingData,
    train: Loader,
    validation: Option<Loader>,
    batch_size: usize,
    goal: Goal,
}

impl Supervised {
    /// Builds the model that a recipe names for these data.
    pub fn new(task: &SupervisedTask, recipe: &Recipe, data: TrainingData) -> Result<Supervised> {
        let goal = Goal::new(task, recipe, &data)?;
        check_data(recipe, &data)?;
        let config = task.model_config(data.train.sample_shape(), data.train.num_classes())?;
        check_outputs(&config, &goal, &data.train)?;
        let batch_size = recipe.batch_size(data.train.len());
        Ok(Supervised {
            model: config.build(recipe.train.seed)?,
            train: train_loader(recipe, &data.train, batch_size)?,
            validation: data.validation.as_ref().map(evaluation_loader).transpose()?,
            goal,
            config,
            data,
            batch_size,
        })
    }
}

impl Objective for Supervised {
    type Batch = Batch;
    type Batches = std::iter::Map<Epoch, fn(gradus_data::Result<Batch>) -> Result<Batch>>;

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn default_epochs(&self, _train: &TrainConfig) -> u64 {
        TrainConfig::SUPERVISED_EPOCHS
    }

    fn extent(&self) -> Extent {
        let validation = self.data.validation.as_ref();
        Extent {
            unit: SampleUnit::Sample,
            train_samples: self.data.train.len(),
            validation_samples: validation.map_or(0, |validation| validation.len()),
            batch_size: self.batch_size,
            batches: self.train.num_batches() as u64,
        }
    }

    fn batches(&self, epoch: u64, skip: u64) -> Self::Batches {
        self.train.epoch(epoch, skip as usize).map(|batch| Ok(batch?))
    }

    fn samples(&self, _epoch: u64, batches: Range<u64>) -> u64 {
        let (size, all) = (self.batch_size as u64, self.data.train.len() as u64);
        let end = batches.end.saturating_mul(size).min(all);
        end - batches.start * size
    }

    fn loss(&self, batch: &Batch) -> Result<Tensor> {
        self.goal
            .loss(&self.model.forward(&batch.inputs)?, &batch.targets)
    }

    fn monitors(&self) -> &'static [Monitor] {
        self.goal.monitors()
    }

    fn evaluate(&self) -> Result<Vec<Metric>> {
        let measured = self
            .validation
            .as_ref()
            .map(|loader| validation::validate(&*self.model, &self.goal, loader));
        Ok(measured.transpose()?.unwrap_or_default())
    }

    fn data_sha256(&self) -> &str {
        self.data.train.fingerprint()
    }

    fn package(self, recipe: &Recipe, folder: PathBuf) -> Result<Packaged> {
        packaging::package(self, recipe, folder)
    }
}

/// The data must be able to answer what the recipe watches.
fn check_data(recipe: &Recipe, data: &TrainingData) -> Result<()> {
    let monitor = recipe.train.monitor;
    if monitor != Monitor::Loss && data.validation.is_none() {
        return Problem::refuse(
            "train.monitor",
            monitor.name(),
            "loss, or validation data (data.validation_fraction = 0.1)",
        );
    }
    Ok(())
}

/// More outputs than the data has would be outputs without names.
fn check_outputs(config: &ModelConfig, goal: &Goal, train: &Dataset) -> Result<()> {
    let (configured, found) = (config.num_classes(), train.num_classes());
    if configured == found {
        return Ok(());
    }
    let expected = format!("{found}, the number of {}", goal.outputs_are());
    Problem::refuse("model.num_classes", configured, &expected)
}

fn train_loader(recipe: &Recipe, dataset: &Arc<Dataset>, batch_size: usize) -> Result<Loader> {
    let shuffle_seed = (!recipe.optimizer.is_full_batch()).then_some(recipe.train.seed);
    let config = LoaderConfig {
        batch_size,
        shuffle_seed,
        drop_last: false,
        prefetch: Prefetch::Auto,
    };
    Ok(Loader::new(dataset.clone(), config)?)
}

fn evaluation_loader(dataset: &Arc<Dataset>) -> Result<Loader> {
    Ok(Loader::new(dataset.clone(), LoaderConfig::new(EVALUATION_BATCH))?)
}
