//! The recipe: one TOML file that says what to train, on what, and how.
//!
//! Reading goes in two steps. Parsing turns text and `--set` overrides into typed sections and knows every key:
//! a misspelt one is an error that names the nearest real one and its line. Checking then looks at the values of all
//! sections together and reports every problem at once. Nothing is loaded or trained before both have passed.

mod chat_data;
mod document;
mod keys;
mod overrides;
mod table;
mod task;
mod templates;
mod text_data;
mod train_config;
mod transformer;

pub use chat_data::{ChatDataConfig, LoraSettings, PackingName, Pretrained, PretrainedModel, TruncationName};
pub use table::TableRecipe;
pub use task::{FineTuningTask, LanguageModelTask, SupervisedTask, Task};
pub use text_data::{TextDataConfig, TokenizerChoice};
pub use train_config::{LossName, TrainConfig, TrainPrecision};
pub use transformer::TransformerSettings;

use crate::optimizers::OptimizerConfig;
use crate::schedules::ScheduleConfig;
use crate::settings::{Checks, Problem};
use crate::{Error, Result};
use document::Document;
use serde::Serialize;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Everything that decides what a training run computes.
///
/// ```
/// use gradus_train::recipe::Recipe;
/// let text = Recipe::template("classifier").unwrap();
/// let recipe = Recipe::parse(text, &["train.learning_rate=0.05".to_owned()]).unwrap();
/// assert_eq!(recipe.learning_rate(), 0.05);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recipe {
    /// What is learnt: `[data]` and `[model]`.
    #[serde(flatten)]
    pub task: Task,
    /// Length, batches, limits, checkpoints.
    pub train: TrainConfig,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// The learning rate over time.
    pub schedule: ScheduleConfig,
    #[serde(skip)]
    folder: PathBuf,
}

impl Recipe {
    /// Reads and checks the recipe in a file, with overrides such as `train.learning_rate=0.05` applied on top.
    ///
    /// # Errors
    /// Whatever is wrong with the file, a key, a value or an override, with its place.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Recipe> {
        let read_error = |source| Error::ReadRecipe {
            path: path.to_owned(),
            source,
        };
        let text = read_limited(path).map_err(read_error)?;
        let mut recipe = Recipe::from_document(Document::parse(&text, path, overrides)?)?;
        let absolute = std::path::absolute(path).map_err(read_error)?;
        recipe.folder = absolute.parent().map(Path::to_owned).unwrap_or_default();
        Ok(recipe)
    }

    /// As [`Recipe::load`], from text; relative paths start at the working directory.
    ///
    /// # Errors
    /// Whatever is wrong with a key, a value or an override, with its place.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Recipe> {
        Recipe::from_document(Document::parse(text, Path::new("recipe"), overrides)?)
    }

    /// A commented recipe to start from, by name; see [`Recipe::templates`].
    ///
    /// # Errors
    /// [`Error::UnknownTemplate`] for another name.
    pub fn template(name: &str) -> Result<&'static str> {
        templates::find(name)
    }

    /// The names of all templates.
    pub fn templates() -> impl Iterator<Item = &'static str> {
        templates::names()
    }

    fn from_document(mut document: Document) -> Result<Recipe> {
        let recipe = Recipe {
            task: Task::read(&mut document)?,
            train: document.section_or("train", &[])?,
            optimizer: document.section_or("optimizer", &OptimizerConfig::SHARED_KEYS)?,
            schedule: document.section_or("schedule", &ScheduleConfig::SHARED_KEYS)?,
            folder: PathBuf::new(),
        };
        document.finish()?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The learning rate at the top of the schedule: the recipe's, or the optimiser's default.
    pub fn learning_rate(&self) -> f64 {
        self.train
            .learning_rate
            .unwrap_or_else(|| self.optimizer.default_learning_rate())
    }

    /// Samples in a batch for a training set of `samples`.
    pub fn batch_size(&self, samples: usize) -> usize {
        if self.optimizer.is_full_batch() {
            samples.max(1)
        } else {
            self.train.batch_size.unwrap_or(DEFAULT_BATCH_SIZE)
        }
    }

    /// The folder that relative paths of `[data]` start at.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The recipe as TOML that reads back to the same recipe from any folder.
    ///
    /// # Errors
    /// [`Error::WriteRecipe`] when a value has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        let located = Recipe {
            task: self.task.located(&self.folder),
            ..self.clone()
        };
        Ok(toml::to_string(&located)?)
    }

    /// The recipe as TOML with its paths as they were written: the same wherever it lies.
    ///
    /// # Errors
    /// [`Error::WriteRecipe`] when a value has no TOML form.
    pub fn to_portable_toml(&self) -> Result<String> {
        Ok(toml::to_string(self)?)
    }

    /// Checks the values of all sections and how they go together.
    fn check(&self) -> Result<()> {
        let mut checks = Checks::of("train");
        self.train.check(&mut checks);
        let mut optimizer = Checks::of("optimizer");
        self.optimizer.check(&mut optimizer);
        let mut schedule = Checks::of("schedule");
        self.schedule.check(&mut schedule);
        checks.merge(optimizer);
        checks.merge(schedule);
        checks.merge(self.task_checks());
        self.full_batch_problems()
            .into_iter()
            .for_each(|problem| checks.push(problem));
        checks.finish()
    }

    /// Settings that the task has no use for are mistakes.
    fn task_checks(&self) -> Checks {
        let mut train = Checks::of("train");
        match &self.task {
            Task::Supervised(task) => {
                self.train.check_supervised(task.data.task, &mut train);
                for key in self.train.language_model_keys() {
                    train.require(
                        false,
                        key,
                        "set",
                        "no value: only language models (model_type = \"gpt2\") have it",
                    );
                }
            }
            Task::LanguageModel(task) => {
                self.check_language_model(&mut train);
                let mut data = Checks::of("data");
                task.data.check(&mut data);
                train.merge(data);
            }
            Task::FineTuning(task) => {
                self.check_language_model(&mut train);
                let mut model = Checks::of("model");
                if let Some(lora) = &task.model.lora {
                    lora.check(&mut model);
                }
                train.merge(model);
            }
        }
        train
    }

    fn check_language_model(&self, train: &mut Checks) {
        let (smoothing, expected) = (self.train.label_smoothing, "0 for a language model");
        train.require(smoothing == 0.0, "label_smoothing", smoothing, expected);
        for key in self
            .train
            .regression_keys()
            .into_iter()
            .chain(self.train.multilabel_keys())
        {
            train.require(false, key, "set", "no value: language models have one loss");
        }
        let mut optimizer = Checks::of("optimizer");
        let expected = "another: language models are trained in batches, with adamw for one";
        optimizer.require(
            !self.optimizer.is_full_batch(),
            "name",
            "gradient_descent",
            expected,
        );
        train.merge(optimizer);
    }

    /// Gradient descent takes whole-set batches, so settings of batches contradict it.
    fn full_batch_problems(&self) -> Vec<Problem> {
        if !self.optimizer.is_full_batch() {
            return Vec::new();
        }
        let problem = |key: &str, value: u64| Problem {
            key: format!("train.{key}"),
            value: value.to_string(),
            expected: "no value: gradient_descent steps on the whole training set; name `sgd` to use batches"
                .to_owned(),
        };
        let batch = self
            .train
            .batch_size
            .map(|size| problem("batch_size", size as u64));
        let accumulate = (self.train.accumulate > 1).then(|| problem("accumulate", self.train.accumulate));
        batch.into_iter().chain(accumulate).collect()
    }
}

/// Longest recipe that is read: far above any that was written, far below what would fill the memory.
const MAX_RECIPE_BYTES: u64 = 1 << 20;

/// The text of a file, which may be a pipe, up to a limit.
fn read_limited(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(MAX_RECIPE_BYTES + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_RECIPE_BYTES {
        let message = format!("it is longer than {MAX_RECIPE_BYTES} bytes, the most a recipe may have");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
    }
    Ok(text)
}

/// The batch size of a recipe that gives none: small enough to learn in few epochs, large enough for fast products.
const DEFAULT_BATCH_SIZE: usize = 64;

#[cfg(test)]
mod tests;
