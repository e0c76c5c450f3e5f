//! A language model made ready to continue text: the model, its tokenizer, and the tokens that end an answer.
//!
//! [`LanguageModel::open`] takes a package, a Hugging Face folder or a GGUF file. Prompts become tokens, tokens become text
//! as they come, and a conversation becomes a prompt by the model's own template.

mod completion;
mod perplexity;
pub mod tasks;

use std::path::Path;

use gradus_data::text::{ChatExtra, ChatMessage, ChatTemplate, GenerationPrompt, Tokenizer};
use gradus_nn::families::transformer::{Transformer, TransformerConfig, TransformerOptions, WeightType};
use gradus_nn::generation::Session;
use gradus_tensor::CacheType;
use serde_json::Value;

use crate::text_parts::TextParts;
use crate::{Error, Result};

pub use completion::{Completion, CompletionOptions, CompletionStop};
pub use perplexity::{Perplexity, PerplexityOptions};

/// The file that says how to sample and which tokens end an answer.
const GENERATION_CONFIG: &str = "generation_config.json";

/// A model that continues text. It may be shared between threads.
pub struct LanguageModel {
    model: Transformer,
    tokenizer: Tokenizer,
    stop_tokens: Vec<u32>,
}

impl LanguageModel {
    /// Opens the model at a path. Weights are held as `weights` says and used from the mapped file where they can be.
    ///
    /// # Errors
    /// Whatever is wrong with the files; [`Error::NotALanguageModel`] for an encoder, [`Error::NoTokenizer`] for a model
    /// without one.
    pub fn open(path: impl AsRef<Path>, weights: WeightType) -> Result<LanguageModel> {
        LanguageModel::from_parts(
            TextParts::open(path.as_ref())?,
            weights,
            TransformerOptions::default(),
        )
    }

    /// The model of what a package or a file holds.
    ///
    /// # Errors
    /// As [`LanguageModel::open`].
    pub fn from_parts(
        parts: TextParts,
        weights: WeightType,
        options: TransformerOptions,
    ) -> Result<LanguageModel> {
        let config = TransformerConfig::from_huggingface(&parts.config)?;
        if !config.has_head() {
            return Err(Error::NotALanguageModel {
                family: config.family.name(),
            });
        }
        let tokenizer = parts.tokenizer()?;
        let stop_tokens = stop_tokens(&parts, &tokenizer);
        let model = Transformer::from_file_tensors(&config, options, parts.tensors, weights)?;
        Ok(LanguageModel {
            model,
            tokenizer,
            stop_tokens,
        })
    }

    /// The model itself, in evaluation mode.
    pub fn model(&self) -> &Transformer {
        &self.model
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokens that end an answer, ascending.
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop_tokens
    }

    /// The tokens of a text that the model is to continue, with those that it expects in front.
    ///
    /// # Errors
    /// [`Error::Text`] when the tokenizer fails.
    pub fn prompt(&self, text: &str) -> Result<Vec<u32>> {
        let tokens = self.tokenizer.encode_with_special(text)?;
        match (
            tokens.is_empty(),
            &self.tokenizer.special().bos,
            &self.tokenizer.special().eos,
        ) {
            // A text starts where another ended.
            (true, Some(start), _) | (true, None, Some(start)) => Ok(vec![start.id]),
            (true, None, None) | (false, _, _) => Ok(tokens),
        }
    }

    /// The tokens of a conversation, up to where the model's answer begins.
    ///
    /// # Errors
    /// [`Error::Text`] when the template refuses the conversation or the tokenizer fails.
    pub fn chat_prompt(&self, messages: &[ChatMessage]) -> Result<Vec<u32>> {
        let template: ChatTemplate = self.tokenizer.chat_template_or_chatml();
        let text = template.render(messages, GenerationPrompt::Add, &ChatExtra::none())?;
        Ok(self.tokenizer.encode(&text)?)
    }

    /// An empty session for at most `capacity` tokens.
    pub fn session(&self, capacity: usize, cache_type: CacheType) -> Session<'_> {
        Session::new(&self.model, capacity, cache_type)
    }
}

impl std::fmt::Debug for LanguageModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LanguageModel")
            .field("family", &self.model.config().family)
            .field("tokenizer", &self.tokenizer)
            .finish_non_exhaustive()
    }
}

/// What `generation_config.json` and `config.json` call `eos_token_id`, and the tokenizer's own end of text.
fn stop_tokens(parts: &TextParts, tokenizer: &Tokenizer) -> Vec<u32> {
    let generation: Option<Value> = parts
        .files
        .get(GENERATION_CONFIG)
        .and_then(|bytes| serde_json::from_slice(bytes).ok());
    let mut tokens: Vec<u32> = [generation.as_ref(), Some(&parts.config)]
        .into_iter()
        .flatten()
        .filter_map(|config| config.get("eos_token_id"))
        .flat_map(|value| match value {
            Value::Array(ids) => ids.iter().filter_map(Value::as_u64).collect(),
            single => single.as_u64().into_iter().collect::<Vec<u64>>(),
        })
        .filter_map(|id| u32::try_from(id).ok())
        .chain(tokenizer.special().eos.as_ref().map(|token| token.id))
        .collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}
