//! Running a language model: a prompt read at once, then single tokens.

use std::path::PathBuf;
use std::time::Instant;

use gradus_evaluate::language_model::LanguageModel;
use gradus_nn::families::transformer::Transformer;
use gradus_tensor::{Rng, Tensor, no_grad};
use serde::Serialize;

use super::{median, sorted};
use crate::cli::Global;
use crate::cli::generation_args::MemoryArgs;
use crate::cli::output;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A package, a Hugging Face folder, or a GGUF file.
    model: PathBuf,
    /// Tokens of the prompt; 0 leaves this part out.
    #[arg(long, default_value_t = 512)]
    prefill: usize,
    /// Tokens that are generated, from an empty cache; 0 leaves this part out.
    #[arg(long, default_value_t = 128)]
    decode: usize,
    /// Measurements, of which the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    #[command(flatten)]
    memory: MemoryArgs,
}

#[derive(Serialize)]
struct Speed {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefill_tokens_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decode_tokens_per_s: Option<f64>,
    repeats: u32,
}

pub(super) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let model = LanguageModel::open(&args.model, args.memory.weights())?;
    let measure =
        |once: &dyn Fn(usize) -> anyhow::Result<f64>, tokens: usize| -> anyhow::Result<Option<f64>> {
            if tokens == 0 {
                return Ok(None);
            }
            once(tokens)?;
            let rates: anyhow::Result<Vec<f64>> = (0..args.repeats).map(|_| once(tokens)).collect();
            Ok(Some(median(&sorted(rates?))))
        };
    let speed = Speed {
        name: args.model.display().to_string(),
        prefill_tokens_per_s: measure(&|tokens| prefill(&model, args, tokens), args.prefill)?,
        decode_tokens_per_s: measure(&|tokens| decode(&model, args, tokens), args.decode)?,
        repeats: args.repeats,
    };
    if global.json {
        return output::json(&speed);
    }
    let show = |what: &str, tokens: usize, rate: Option<f64>| {
        rate.map(|rate| format!("{what} of {tokens} tokens: {rate:.1} tokens/s\n"))
            .unwrap_or_default()
    };
    let text = show("prefill", args.prefill, speed.prefill_tokens_per_s)
        + &show("decode", args.decode, speed.decode_tokens_per_s);
    output::write(text.as_bytes())
}

/// Random tokens, `I64` `[1, count]`.
fn random_tokens(model: &Transformer, count: usize) -> anyhow::Result<Tensor> {
    let mut rng = Rng::seed_from(3);
    let vocab = model.config().vocab_size;
    let ids: Vec<i64> = (0..count).map(|_| rng.below(vocab) as i64).collect();
    Ok(Tensor::from_vec(ids, [1, count])?)
}

/// Tokens a second of one pass over a prompt, with the logits after its last token.
fn prefill(model: &LanguageModel, args: &Args, tokens: usize) -> anyhow::Result<f64> {
    let _no_grad = no_grad();
    let model = model.model();
    let ids = random_tokens(model, tokens)?;
    let mut cache = model.new_cache(1, tokens, args.memory.cache_type());
    let start = Instant::now();
    model.next_logits(&ids, &mut cache)?;
    Ok(tokens as f64 / start.elapsed().as_secs_f64())
}

/// Tokens a second of single tokens, each with its logits, from an empty cache.
fn decode(model: &LanguageModel, args: &Args, tokens: usize) -> anyhow::Result<f64> {
    let _no_grad = no_grad();
    let model = model.model();
    let ids = random_tokens(model, tokens)?;
    let mut cache = model.new_cache(1, tokens, args.memory.cache_type());
    let start = Instant::now();
    for at in 0..tokens {
        model.next_logits(&ids.narrow(1, at, 1)?, &mut cache)?;
    }
    Ok(tokens as f64 / start.elapsed().as_secs_f64())
}
