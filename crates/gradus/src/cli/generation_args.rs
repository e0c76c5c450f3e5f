//! Flags that the commands of language models share.

use gradus_evaluate::language_model::{CompletionOptions, LanguageModel};
use gradus_nn::families::transformer::WeightType;
use gradus_nn::generation::SamplingOptions;
use gradus_tensor::CacheType;

/// How tokens are chosen.
#[derive(clap::Args)]
pub(crate) struct SamplingArgs {
    /// The most tokens to generate.
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_tokens: usize,
    /// Divides the logits; 0 always takes the most likely token.
    #[arg(long, value_name = "T", default_value_t = 0.8, allow_negative_numbers = true, value_parser = temperature)]
    temperature: f64,
    /// Choose among this many most likely tokens; 0 for all.
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,
    /// Choose among the most likely tokens that together have this probability.
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    top_p: f64,
    /// Choose among tokens at least this many times as likely as the most likely one.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    min_p: f64,
    /// Makes tokens that the context holds less likely; 1 changes nothing.
    #[arg(long, value_name = "R", default_value_t = 1.0)]
    repetition_penalty: f64,
    /// Where the random numbers start; the same seed gives the same text.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// End the answer before this text; may be given again.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
}

/// A temperature that logits can be divided by, or 0.
fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(temperature) if temperature.is_finite() && temperature >= 0.0 => Ok(temperature),
        Ok(_) | Err(_) => {
            Err("a temperature is a number of at least 0; 0 always takes the most likely token".to_owned())
        }
    }
}

impl SamplingArgs {
    pub(crate) fn options(&self) -> CompletionOptions {
        CompletionOptions {
            max_tokens: self.max_tokens,
            stop: self.stop.clone(),
            ignore_end: false,
            sampling: SamplingOptions {
                repetition_penalty: self.repetition_penalty,
                temperature: self.temperature,
                top_k: self.top_k,
                top_p: self.top_p,
                min_p: self.min_p,
                seed: self.seed,
            },
        }
    }
}

/// What is held in memory, and how.
#[derive(clap::Args)]
pub(crate) struct MemoryArgs {
    /// The most tokens of prompt and answer together. Default: the model's own, at most 8192.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    context: Option<u32>,
    /// How keys and values of earlier tokens are held.
    #[arg(long, value_enum, default_value_t = CacheName::F32)]
    cache_type: CacheName,
    /// How weights are held: as in the file, or widened to f32.
    #[arg(long, value_enum, default_value_t = WeightsName::Stored)]
    weights: WeightsName,
}

/// Tokens of context where nothing else is said; a model's own may be longer than the memory.
const DEFAULT_CONTEXT: usize = 8192;

impl MemoryArgs {
    pub(crate) fn context(&self, model: &LanguageModel) -> usize {
        let own = model.model().config().max_position_embeddings;
        self.context
            .map_or(DEFAULT_CONTEXT, |context| context as usize)
            .min(own)
    }

    pub(crate) fn cache_type(&self) -> CacheType {
        match self.cache_type {
            CacheName::F32 => CacheType::F32,
            CacheName::Bf16 => CacheType::Bf16,
            CacheName::Int8 => CacheType::Int8,
        }
    }

    pub(crate) fn weights(&self) -> WeightType {
        self.weights.into()
    }
}

/// Element types of the cache, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum CacheName {
    /// Exact.
    F32,
    /// Half the memory.
    Bf16,
    /// A quarter of the memory.
    Int8,
}

impl From<WeightsName> for WeightType {
    fn from(name: WeightsName) -> WeightType {
        match name {
            WeightsName::Stored => WeightType::AsStored,
            WeightsName::F32 => WeightType::F32,
        }
    }
}

/// Types of weights, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum WeightsName {
    /// Blocks stay blocks, bf16 stays bf16.
    Stored,
    /// Everything in f32.
    F32,
}
