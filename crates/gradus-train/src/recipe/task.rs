//! What a recipe teaches: its `[data]` and `[model]`, which belong together.

use super::chat_data::{ChatDataConfig, PretrainedModel};
use super::document::Document;
use super::text_data::TextDataConfig;
use super::transformer::TransformerSettings;
use crate::Result;
use gradus_data::DataConfig;
use gradus_nn::ModelConfig;
use gradus_nn::families::transformer::Family;
use serde::Serialize;
use std::path::Path;

/// The `model_type` of a model that is there already.
const PRETRAINED: &str = "pretrained";

/// The `[data]` and `[model]` of a recipe; `model.model_type` decides which.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Task {
    /// Learning from labelled samples: classes, numbers or labels, as `data.task` says.
    Supervised(SupervisedTask),
    /// Continuing text.
    LanguageModel(LanguageModelTask),
    /// Answering, with a model that is there.
    FineTuning(FineTuningTask),
}

/// Learning from labelled samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SupervisedTask {
    /// Where the labelled samples lie and how they are prepared. Relative paths start at the recipe's folder.
    pub data: DataConfig,
    /// The network. Sizes that the data knows may be left out.
    pub model: ModelConfig,
}

/// Continuing text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LanguageModelTask {
    /// Where the text lies and how it becomes tokens. Relative paths start at the recipe's folder.
    pub data: TextDataConfig,
    /// The transformer. What the data and `[train]` know may be left out.
    pub model: TransformerSettings,
}

/// Answering, with a model that is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FineTuningTask {
    /// The conversations. Relative paths start at the recipe's folder.
    pub data: ChatDataConfig,
    /// The model, and what of it is trained.
    pub model: PretrainedModel,
}

impl Task {
    pub(super) fn read(document: &mut Document) -> Result<Task> {
        let model_type = document
            .peek("model", "model_type")
            .unwrap_or_default()
            .to_owned();
        if model_type == PRETRAINED {
            return Ok(Task::FineTuning(FineTuningTask {
                data: document.section("data", &[])?,
                model: document.section("model", &[])?,
            }));
        }
        if Family::from_name(&model_type).is_some() {
            return Ok(Task::LanguageModel(LanguageModelTask {
                data: document.section("data", &[])?,
                model: document.section("model", &[])?,
            }));
        }
        Ok(Task::Supervised(SupervisedTask {
            data: document.section("data", &[])?,
            model: document.section("model", &["model_type"])?,
        }))
    }

    /// The task, if it is to learn from labelled samples.
    pub fn supervised(&self) -> Option<&SupervisedTask> {
        match self {
            Task::Supervised(task) => Some(task),
            Task::LanguageModel(_) | Task::FineTuning(_) => None,
        }
    }

    /// The same with paths that start at `folder`.
    pub(super) fn located(&self, folder: &Path) -> Task {
        match self {
            Task::Supervised(task) => Task::Supervised(SupervisedTask {
                data: located_data(&task.data, folder),
                model: task.model.clone(),
            }),
            Task::LanguageModel(task) => Task::LanguageModel(LanguageModelTask {
                data: task.data.located(folder),
                model: task.model.clone(),
            }),
            Task::FineTuning(task) => Task::FineTuning(FineTuningTask {
                data: task.data.located(folder),
                model: PretrainedModel {
                    path: folder.join(&task.model.path),
                    ..task.model.clone()
                },
            }),
        }
    }
}

impl SupervisedTask {
    /// The network's configuration for data of this shape and number of outputs: classes, targets or labels.
    ///
    /// # Errors
    /// [`Error::Nn`](crate::Error::Nn) when the two contradict each other or make no network.
    pub fn model_config(&self, sample_shape: &[usize], outputs: usize) -> Result<ModelConfig> {
        let mut config = self.model.clone();
        config.complete(sample_shape, outputs)?;
        config.validate()?;
        Ok(config)
    }
}

fn located_data(data: &DataConfig, folder: &Path) -> DataConfig {
    let mut data = data.clone();
    for path in [
        Some(&mut data.train),
        data.test.as_mut(),
        data.validation.as_mut(),
    ]
    .into_iter()
    .flatten()
    {
        *path = folder.join(&*path);
    }
    data
}
