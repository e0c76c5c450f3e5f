//! Learning to tell classes apart: labelled samples, cross-entropy, accuracy.

mod data;
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
use crate::recipe::{ClassificationTask, Recipe, TrainConfig};
use crate::settings::Problem;
use gradus_data::{Batch, Dataset, Epoch, Loader, LoaderConfig, Prefetch};
use gradus_nn::{Layer, ModelConfig, Module};
use gradus_tensor::{CrossEntropyOptions, Tensor};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Samples per batch of evaluations between epochs: enough for fast products, few enough for little memory.
const EVALUATION_BATCH: usize = 256;

/// A classifier and its labelled samples.
pub(crate) struct Classification {
    model: Box<dyn Layer>,
    config: ModelConfig,
    data: TrainingData,
    train: Loader,
    validation: Option<Loader>,
    batch_size: usize,
    label_smoothing: f64,
}

impl Classification {
    /// Builds the model that a recipe names for these data.
    pub fn new(task: &ClassificationTask, recipe: &Recipe, data: TrainingData) -> Result<Classification> {
        check_data(recipe, &data)?;
        let config = task.model_config(data.train.sample_shape(), data.train.num_classes())?;
        check_classes(&config, &data.train)?;
        let batch_size = recipe.batch_size(data.train.len());
        Ok(Classification {
            model: config.build(recipe.train.seed)?,
            train: train_loader(recipe, &data.train, batch_size)?,
            validation: data.validation.as_ref().map(evaluation_loader).transpose()?,
            label_smoothing: recipe.train.label_smoothing,
            config,
            data,
            batch_size,
        })
    }
}

impl Objective for Classification {
    type Batch = Batch;
    type Batches = std::iter::Map<Epoch, fn(gradus_data::Result<Batch>) -> Result<Batch>>;

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn default_epochs(&self, _train: &TrainConfig) -> u64 {
        TrainConfig::CLASSIFIER_EPOCHS
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
        let logits = self.model.forward(&batch.inputs)?;
        let options = CrossEntropyOptions {
            label_smoothing: self.label_smoothing,
            ..CrossEntropyOptions::default()
        };
        Ok(logits.cross_entropy(&batch.targets, &options)?)
    }

    fn monitors(&self) -> &'static [Monitor] {
        &[Monitor::Loss, Monitor::Accuracy]
    }

    fn evaluate(&self) -> Result<Vec<Metric>> {
        let measured = self
            .validation
            .as_ref()
            .map(|loader| validation::validate(&*self.model, loader));
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
    if recipe.train.monitor == Monitor::Accuracy && data.validation.is_none() {
        return Problem::refuse(
            "train.monitor",
            "accuracy",
            "loss, or validation data (data.validation_fraction = 0.1)",
        );
    }
    Ok(())
}

/// More classes than the data has would be logits without names.
fn check_classes(config: &ModelConfig, train: &Dataset) -> Result<()> {
    let (configured, found) = (config.num_classes(), train.num_classes());
    if configured == found {
        return Ok(());
    }
    let expected =
        format!("{found}, the number of classes in the data; leave it out, or name all in data.class_names");
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
