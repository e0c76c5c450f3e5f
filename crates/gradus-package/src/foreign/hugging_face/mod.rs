//! Hugging Face folders: what `save_pretrained` writes and the hub holds.
//!
//! `config.json` is taken as it stands. The weights are taken from `model.safetensors`, else from the shards that
//! `model.safetensors.index.json` lists, else from `pytorch_model.bin`, whole or in shards, which is read as data.
//! Where there is no `tokenizer.json`, one is made of `vocab.json` and `merges.txt`, or of `vocab.txt`.
//!
//! Published files differ in ways that `transformers` mends while loading; the same is done here, so that names are
//! those of the model's causal language model class (of `BertModel` for BERT): a missing or surplus prefix of the base
//! model is added or removed, buffers that older versions stored are left out, and so is an output matrix that the
//! config ties to the embedding.

mod blocks;
mod naming;
mod problem;
mod vocabulary;
mod weights;
mod write;

pub use problem::HuggingFaceProblem;
pub use write::{HuggingFaceType, write};

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::{ExtraFiles, read_limited};
use crate::foreign::ForeignModel;
use crate::foreign::model::{BLOCKS_METHOD, QUANTIZATION_KEY};
use crate::package::CONFIG_FILE;

/// The tokenizer in the format of the `tokenizers` library.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// How the tokenizer is used: special tokens, the chat template, the class in `transformers`.
pub const TOKENIZER_CONFIG_FILE: &str = "tokenizer_config.json";
/// The chat template, where it is a file of its own.
pub const CHAT_TEMPLATE_FILE: &str = "chat_template.jinja";
/// How to sample by default, and which tokens end an answer.
pub const GENERATION_CONFIG_FILE: &str = "generation_config.json";

/// The files that are kept beside the weights.
const HELD_FILES: [&str; 14] = [
    TOKENIZER_FILE,
    TOKENIZER_CONFIG_FILE,
    CHAT_TEMPLATE_FILE,
    GENERATION_CONFIG_FILE,
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    // Sentence embedding models: how token vectors become one, and how long a text may be.
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
];

/// Reads a model folder.
///
/// # Errors
/// [`Error::MissingFile`] without a `config.json`; [`Error::HuggingFace`] when there are no weights, when an index and
/// its shards disagree, or when the weights are quantised in a way that gradus does not know; as
/// [`read_safetensors`](crate::safetensors::read_safetensors) for the weights.
pub fn read(folder: impl AsRef<Path>) -> Result<ForeignModel> {
    let folder = folder.as_ref();
    let mut config = read_config(folder)?;
    let mut tensors = weights::read(folder)?;
    blocks::restore(folder, &mut config, &mut tensors)?;
    naming::normalize(&config, &mut tensors);
    tensors.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(ForeignModel {
        config,
        tensors,
        files: read_files(folder)?,
    })
}

fn read_config(folder: &Path) -> Result<Value> {
    let path = folder.join(CONFIG_FILE);
    if !path.exists() {
        let needed_by = "a model folder in Hugging Face's form has one";
        return Err(Error::MissingFile { path, needed_by });
    }
    let config: Value = serde_json::from_slice(&read_limited(&path)?).map_err(Error::json(&path))?;
    if !config.is_object() {
        return Err(Error::hugging_face(&path)(HuggingFaceProblem::ConfigShape));
    }
    let quantization = config.get(QUANTIZATION_KEY).filter(|value| !value.is_null());
    let method = |value: &Value| {
        value
            .get("quant_method")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let method = quantization.map(|value| method(value).unwrap_or_else(|| "unknown".to_owned()));
    if let Some(method) = method.filter(|method| method != BLOCKS_METHOD) {
        return Err(Error::hugging_face(&path)(HuggingFaceProblem::Quantized {
            method,
        }));
    }
    Ok(config)
}

fn read_files(folder: &Path) -> Result<ExtraFiles> {
    let mut files = ExtraFiles::new();
    for name in HELD_FILES {
        let path = folder.join(name);
        if path.exists() {
            files.insert(name.to_owned(), Arc::from(read_limited(&path)?));
        }
    }
    if !files.contains_key(TOKENIZER_FILE)
        && let Some(tokenizer) = vocabulary::tokenizer(folder, &files)?
    {
        files.insert(TOKENIZER_FILE.to_owned(), tokenizer.into());
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
