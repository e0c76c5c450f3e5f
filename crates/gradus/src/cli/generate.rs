//! `gradus generate`: a language model continues a prompt.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context;
use gradus_evaluate::language_model::{Completion, CompletionOptions, CompletionStop, LanguageModel};
use gradus_nn::families::transformer::WeightType;
use gradus_nn::generation::SamplingOptions;
use gradus_tensor::CacheType;
use serde::Serialize;

use super::{Global, output};

/// Continue a text with a language model: a package, a run, a Hugging Face folder or a GGUF file.
///
/// Example: gradus generate runs/gpt --prompt "It is a truth universally acknowledged" --max-tokens 100
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, a training run's folder, a Hugging Face folder, or a GGUF file.
    model: PathBuf,
    /// The text to continue; - reads it from standard input.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Put the prompt as a user's message into the model's chat template.
    #[arg(long)]
    chat: bool,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    memory: MemoryArgs,
}

/// How tokens are chosen.
#[derive(clap::Args)]
pub(crate) struct SamplingArgs {
    /// The most tokens to generate.
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_tokens: usize,
    /// Divides the logits; 0 always takes the most likely token.
    #[arg(long, value_name = "T", default_value_t = 0.8)]
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

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let model = LanguageModel::open(&args.model, args.memory.weights())?;
    let text = prompt_text(&args.prompt)?;
    let prompt = match args.chat {
        true => model.chat_prompt(&[gradus_data::text::ChatMessage::new("user", text.trim_end())])?,
        false => model.prompt(&text)?,
    };
    let mut session = model.session(args.memory.context(&model), args.memory.cache_type());
    let options = args.sampling.options();
    // Shown with the first piece of the answer: settings and length are checked before that.
    let mut shown = if args.chat { "" } else { text.as_str() };
    let mut failed = None;
    let completion = model.complete(&mut session, &prompt, &options, &mut |piece| {
        if global.json {
            return ControlFlow::Continue(());
        }
        let before = std::mem::take(&mut shown);
        match output::write(before.as_bytes()).and_then(|()| output::write(piece.as_bytes())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if global.json {
        return output::json(&JsonCompletion::new(&text, &prompt, &completion));
    }
    output::write(shown.as_bytes())?;
    output::write(b"\n")?;
    if matches!(completion.stop, CompletionStop::ContextFull) {
        eprintln!(
            "stopped: the context of {} tokens is full",
            args.memory.context(&model)
        );
    }
    eprintln!("{}", speed(&completion));
    Ok(())
}

/// The prompt, or what standard input holds.
fn prompt_text(prompt: &str) -> anyhow::Result<String> {
    /// Far above any model's context.
    const MOST: u64 = 64 << 20;
    if prompt != "-" {
        return Ok(prompt.to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .take(MOST)
        .read_to_string(&mut text)
        .context("cannot read the prompt from standard input")?;
    Ok(text)
}

/// `12 prompt tokens at 350.1/s, 100 tokens at 81.2/s`.
pub(crate) fn speed(completion: &Completion) -> String {
    let Speeds { prefill, decode } = Speeds::of(completion);
    format!(
        "{} prompt tokens at {prefill:.1}/s, {} tokens at {decode:.1}/s",
        completion.prompt_tokens,
        completion.tokens.len(),
    )
}

/// Tokens a second.
struct Speeds {
    prefill: f64,
    decode: f64,
}

impl Speeds {
    fn of(completion: &Completion) -> Speeds {
        let after_first = completion.tokens.len().saturating_sub(1);
        Speeds {
            prefill: completion.prompt_tokens as f64 / completion.prefill.as_secs_f64(),
            decode: after_first as f64 / completion.decode.as_secs_f64(),
        }
    }
}

/// An answer, for programs.
#[derive(Serialize)]
struct JsonCompletion<'a> {
    prompt: &'a str,
    text: &'a str,
    stop: CompletionStop,
    prompt_tokens: &'a [u32],
    tokens: Vec<u32>,
    /// Natural logarithms of the probabilities that the model gave the tokens.
    log_probabilities: Vec<f32>,
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
}

impl<'a> JsonCompletion<'a> {
    fn new(prompt: &'a str, prompt_tokens: &'a [u32], completion: &'a Completion) -> Self {
        let Speeds { prefill, decode } = Speeds::of(completion);
        JsonCompletion {
            prompt,
            text: &completion.text,
            stop: completion.stop,
            prompt_tokens,
            tokens: completion.tokens.iter().map(|token| token.id).collect(),
            log_probabilities: completion
                .tokens
                .iter()
                .map(|token| token.log_probability)
                .collect(),
            prefill_tokens_per_s: prefill,
            decode_tokens_per_s: decode,
        }
    }
}
