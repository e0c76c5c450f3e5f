//! The data of a run, shared with its loaders and with other runs.

use crate::recipe::Recipe;
use crate::{Error, Result};
use gradus_data::{Dataset, Preprocessing, Splits};
use std::sync::Arc;

/// Training samples, what is held out of them, and how they were prepared.
///
/// A clone shares the samples: many trainings, at once or one after another, need them in memory once.
#[derive(Clone)]
pub struct TrainingData {
    /// What the model learns from.
    pub train: Arc<Dataset>,
    /// What decides which moment of a run is the best, where anything is held out for that.
    pub validation: Option<Arc<Dataset>>,
    /// What the package's figures come from, where there is such a set.
    pub test: Option<Arc<Dataset>>,
    /// How raw samples become the model's inputs.
    pub preprocessing: Preprocessing,
}

impl From<Splits> for TrainingData {
    fn from(splits: Splits) -> TrainingData {
        TrainingData {
            train: splits.train.into(),
            validation: splits.validation.map(Into::into),
            test: splits.test.map(Into::into),
            preprocessing: splits.preprocessing,
        }
    }
}

impl TrainingData {
    /// Reads and prepares the samples that a recipe's `[data]` names.
    ///
    /// # Errors
    /// [`Error::NoSamples`] for a recipe that learns from text; whatever reading the data can end in.
    pub fn load(recipe: &Recipe) -> Result<TrainingData> {
        let task = recipe.task.supervised().ok_or(Error::NoSamples)?;
        Ok(gradus_data::load(&task.data, recipe.folder())?.into())
    }

    /// The samples that the package's figures come from: the test set, else what else there is, with its name.
    pub(super) fn measured(&self) -> (&Dataset, &'static str) {
        match (&self.test, &self.validation) {
            (Some(test), _) => (test, "test"),
            (None, Some(validation)) => (validation, "validation"),
            (None, None) => (&self.train, "train"),
        }
    }
}
