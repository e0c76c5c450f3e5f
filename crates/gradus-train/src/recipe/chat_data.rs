//! The `[data]` of a fine-tuning.

use crate::settings::Checks;
use gradus_data::text::{Packing, Truncation};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Conversations, or prompts with their completions, to learn the answers of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatDataConfig {
    /// A JSON Lines file: `messages` of `role` and `content`, `conversations` of `from` and `value`, `prompt` and
    /// `completion`, or `instruction`, `input`, `output`. Relative paths start at the recipe's folder.
    pub chat: PathBuf,
    /// Held-out conversations. Default: none, and the training loss decides what is best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,
    /// How conversations become rows. Default `packed`.
    #[serde(default)]
    pub packing: PackingName,
    /// What becomes of those longer than `train.block_size`. Default `keep_start`.
    #[serde(default)]
    pub truncation: TruncationName,
}

/// How conversations become rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackingName {
    /// As many as fit share a row, and none sees another.
    #[default]
    Packed,
    /// Each has a row of its own.
    Padded,
}

/// What becomes of a conversation that is longer than a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TruncationName {
    /// Its beginning is kept.
    #[default]
    KeepStart,
    /// Its end is kept.
    KeepEnd,
    /// It is left out.
    Drop,
}

impl From<PackingName> for Packing {
    fn from(name: PackingName) -> Packing {
        match name {
            PackingName::Packed => Packing::Packed,
            PackingName::Padded => Packing::Padded,
        }
    }
}

impl From<TruncationName> for Truncation {
    fn from(name: TruncationName) -> Truncation {
        match name {
            TruncationName::KeepStart => Truncation::KeepStart,
            TruncationName::KeepEnd => Truncation::KeepEnd,
            TruncationName::Drop => Truncation::Drop,
        }
    }
}

impl ChatDataConfig {
    /// The same with paths that start at `folder`.
    pub(crate) fn located(&self, folder: &Path) -> ChatDataConfig {
        ChatDataConfig {
            chat: folder.join(&self.chat),
            validation: self.validation.as_ref().map(|path| folder.join(path)),
            ..self.clone()
        }
    }
}

/// The `[model]` of a fine-tuning: a model that is there, and what of it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainedModel {
    /// Says that the model is there already.
    pub model_type: Pretrained,
    /// A package, a run, a Hugging Face folder or a GGUF file.
    pub path: PathBuf,
    /// Adapters to train instead of all weights. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraSettings>,
}

/// `model_type = "pretrained"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pretrained {
    /// The model is there already.
    Pretrained,
}

/// The recipe's `[model.lora]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraSettings {
    /// Width between an adapter's two matrices, above 0. Default 8.
    pub rank: usize,
    /// Adapters are scaled by `alpha / rank`, above 0. Default 16.
    pub alpha: f64,
    /// Share of an adapter's inputs dropped in training, from 0 to below 1. Default 0.
    pub dropout: f64,
    /// Projections that get an adapter in every block, such as `q_proj`. Default: all of them, as QLoRA found best.
    pub targets: Vec<String>,
}

impl Default for LoraSettings {
    fn default() -> LoraSettings {
        LoraSettings {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: Vec::new(),
        }
    }
}

impl LoraSettings {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.count("lora.rank", self.rank as u64);
        checks.positive("lora.alpha", self.alpha);
        checks.below_one("lora.dropout", self.dropout);
    }
}
