//! Training a language model of a fixed shape on random tokens.

use std::time::Instant;

use clap::ValueEnum;
use gradus_nn::Module;
use gradus_nn::families::transformer::{TextInput, Transformer, TransformerConfig, TransformerOptions};
use gradus_tensor::{Precision, Rng, Tensor};
use gradus_train::optimizers::{AdamW, DecayScope, Optimizer};
use serde::Serialize;
use serde_json::{Value, json};

use super::{median, sorted};
use crate::cli::Global;
use crate::cli::output::{self, grouped};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The model and its batches.
    #[arg(long, value_enum, ignore_case = true, default_value_t = ShapeName::M)]
    shape: ShapeName,
    /// What products are computed in; weights and everything else are f32.
    #[arg(long, value_enum, default_value_t = PrecisionName::F32)]
    precision: PrecisionName,
    /// Keep only each block's input, and compute the rest again in the backward pass.
    #[arg(long)]
    checkpointing: bool,
    /// Measurements, of which the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
}

/// The shapes that bench/ compares with PyTorch.
#[derive(Clone, Copy, ValueEnum)]
enum ShapeName {
    /// GPT-2, 4 layers, 128 wide, block 64, batch 12, 65 characters.
    S,
    /// GPT-2, 6 layers, 384 wide, block 256, batch 12, 65 characters.
    M,
    /// GPT-2 with 124 M weights, block 512, batch 2.
    L,
    /// Llama of M's size.
    #[value(name = "LlamaM")]
    LlamaM,
}

/// A precision, as flags name it.
#[derive(Clone, Copy, ValueEnum)]
enum PrecisionName {
    F32,
    Bf16,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Precision {
        match name {
            PrecisionName::F32 => Precision::F32,
            PrecisionName::Bf16 => Precision::Bf16,
        }
    }
}

/// Tokens that one measurement covers at least.
const TOKENS_PER_REPEAT: usize = 6_000;

/// A model's config with the size of its batches.
struct Shape {
    config: Value,
    batch: usize,
    block: usize,
}

impl ShapeName {
    fn name(self) -> &'static str {
        match self {
            ShapeName::S => "S",
            ShapeName::M => "M",
            ShapeName::L => "L",
            ShapeName::LlamaM => "LlamaM",
        }
    }

    fn shape(self) -> Shape {
        match self {
            ShapeName::S => gpt2([4, 4, 128], [12, 64], 65),
            ShapeName::M => gpt2([6, 6, 384], [12, 256], 65),
            ShapeName::L => gpt2([12, 12, 768], [2, 512], 50_304),
            ShapeName::LlamaM => Shape {
                config: json!({
                    "model_type": "llama", "num_hidden_layers": 6, "num_attention_heads": 6, "hidden_size": 384,
                    "intermediate_size": 1024, "max_position_embeddings": 256, "vocab_size": 65,
                    "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
                }),
                batch: 12,
                block: 256,
            },
        }
    }
}

fn gpt2([layers, heads, width]: [usize; 3], [batch, block]: [usize; 2], vocab: usize) -> Shape {
    let config = json!({
        "model_type": "gpt2", "n_layer": layers, "n_head": heads, "n_embd": width, "n_positions": block,
        "vocab_size": vocab, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
    });
    Shape { config, batch, block }
}

#[derive(Serialize)]
struct Speed {
    name: String,
    tokens_per_s: f64,
    min: f64,
    max: f64,
    repeats: usize,
    /// Multiply-adds times two of the model's products, a second, over 10^9.
    gflops: f64,
    /// The most memory that tensors took at once.
    peak_bytes: usize,
}

pub(super) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let Shape { config, batch, block } = args.shape.shape();
    let config = TransformerConfig::from_huggingface(&config)?;
    let options = TransformerOptions {
        precision: args.precision.into(),
        activation_checkpointing: args.checkpointing,
    };
    let model = Transformer::new(&config, options, 1)?;
    let mut optimizer = AdamW::new(model.parameters(), 3e-4)
        .betas([0.9, 0.95])
        .weight_decay(0.1)
        .decay_scope(DecayScope::Matrices);
    let mut batches = RandomBatches::new(config.vocab_size, [batch, block]);
    let mut step = || -> anyhow::Result<()> {
        let (ids, targets) = batches.next()?;
        model.loss(&TextInput::from(&ids), &targets)?.backward()?;
        optimizer.step()?;
        optimizer.zero_grad();
        Ok(())
    };
    let tokens = batch * block;
    let steps = TOKENS_PER_REPEAT.div_ceil(tokens).max(2);
    // The second step is the first that finds all its memory in the pool.
    step()?;
    step()?;
    let mut rates = Vec::new();
    for _ in 0..args.repeats {
        let start = Instant::now();
        for _ in 0..steps {
            step()?;
        }
        rates.push((steps * tokens) as f64 / start.elapsed().as_secs_f64());
    }
    let rates = sorted(rates);
    let precision = Precision::from(args.precision);
    let tokens_per_s = median(&rates);
    let speed = Speed {
        name: format!("train {} in {precision}", args.shape.name()),
        tokens_per_s,
        min: rates[0],
        max: rates[rates.len() - 1],
        repeats: rates.len(),
        gflops: 3.0 * config.flops_per_token(block) * tokens_per_s / 1e9,
        peak_bytes: gradus_tensor::pool_stats().peak_bytes,
    };
    if global.json {
        return output::json(&speed);
    }
    let (min, max) = (grouped(speed.min as u64), grouped(speed.max as u64));
    output::line(&format!(
        "{}: {} tokens/s ({min}–{max}), {:.0} GFLOP/s, at most {} of tensors",
        speed.name,
        grouped(speed.tokens_per_s as u64),
        speed.gflops,
        output::bytes(speed.peak_bytes as u64)
    ))
}

/// Batches of random tokens, as [batch, seq] ids and the tokens after them.
struct RandomBatches {
    vocab: usize,
    shape: [usize; 2],
    rng: Rng,
}

impl RandomBatches {
    fn new(vocab: usize, shape: [usize; 2]) -> RandomBatches {
        RandomBatches {
            vocab,
            shape,
            rng: Rng::seed_from(7),
        }
    }

    fn next(&mut self) -> anyhow::Result<(Tensor, Tensor)> {
        let [batch, seq] = self.shape;
        let mut draw = || -> Vec<i64> {
            (0..batch * seq)
                .map(|_| self.rng.below(self.vocab) as i64)
                .collect()
        };
        let (ids, targets) = (draw(), draw());
        Ok((
            Tensor::from_vec(ids, self.shape)?,
            Tensor::from_vec(targets, self.shape)?,
        ))
    }
}
