//! The parts of a training's memory, by architecture.

use gradus_nn::families::transformer::{NormPlacement, TransformerConfig, TransformerOptions};

/// Bytes of a number.
const F32: u64 = 4;

/// Rows of logits times vocabulary that the fused loss holds at a time, in numbers: it goes through the vocabulary in
/// blocks whose size does not depend on the batch.
const LOSS_BLOCK: u64 = 4 << 20;

/// What the program itself takes: code, threads' working memory, buffers of files.
const PROGRAM: u64 = 18 << 20;

/// How a transformer is trained, as far as memory cares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Rows of a batch.
    pub batch_size: usize,
    /// Tokens of a row.
    pub seq_len: usize,
    /// Whether activations are kept or computed again.
    pub options: TransformerOptions,
    /// Numbers that are trained: all, or those of the adapters.
    pub trained: usize,
    /// Numbers that the optimiser keeps for each of them.
    pub optimizer: usize,
    /// Whether a moving average of them is kept.
    pub average: bool,
}

/// Bytes that a training takes, by what takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The parameters.
    pub weights: u64,
    /// Their gradients.
    pub gradients: u64,
    /// The optimiser's state, and the moving average of the weights.
    pub optimizer: u64,
    /// What the forward pass keeps for the backward pass, and what passes between layers in it.
    pub activations: u64,
    /// Whether the activations already are those of activation checkpointing.
    pub checkpointed: bool,
    /// Weights arranged for evaluation, copies while a checkpoint is written, and the program itself.
    pub other: u64,
}

impl MemoryEstimate {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.gradients + self.optimizer + self.activations + self.other
    }
}

/// What training a model of this configuration takes.
pub fn estimate(config: &TransformerConfig, training: &Training) -> MemoryEstimate {
    let (all, trained) = (config.num_parameters() as u64, training.trained as u64);
    let numbers = training.optimizer as u64;
    let tokens = (training.batch_size * training.seq_len) as u64;
    let block = block_activations(config);
    let layers = config.num_hidden_layers as u64;
    let kept = match training.options.activation_checkpointing {
        // The input of each block, and the rest of one block while its backward runs.
        true => layers.saturating_sub(1) * config.hidden_size as u64 + block,
        false => layers * block,
    };
    let per_token = kept + passing(config) + ends(config);
    MemoryEstimate {
        weights: F32 * all,
        gradients: F32 * trained,
        optimizer: F32 * trained * (numbers + u64::from(training.average)),
        activations: F32 * (tokens * per_token + LOSS_BLOCK.min(tokens * config.vocab_size as u64)),
        checkpointed: training.options.activation_checkpointing,
        // A checkpoint copies the optimiser's numbers; the first of them into memory that gradients have left.
        other: F32 * (all + trained * numbers.saturating_sub(1)) + PROGRAM,
    }
}

/// Numbers that one block keeps of each token: the two residual streams and what the norms make of them; queries, keys,
/// values and what attention makes of them; what stands between the projections of the feed-forward layer.
fn block_activations(config: &TransformerConfig) -> u64 {
    let (hidden, inner) = (config.hidden_size as u64, config.intermediate_size as u64);
    let (query, key) = (config.query_size() as u64, config.key_value_size() as u64);
    let attention = 2 * query + 2 * key + config.num_attention_heads as u64;
    // With a norm of its own, queries and keys are kept as they were before it, too.
    let normed_heads = if config.qk_norm { query + key } else { 0 };
    let norms = match config.norm_placement {
        NormPlacement::Pre | NormPlacement::Post => 4,
        NormPlacement::Sandwich => 6,
    };
    let feed_forward = if config.gated { 3 } else { 2 };
    let dropped = if config.dropout > 0.0 { 2 } else { 0 };
    (norms + dropped) * hidden + attention + normed_heads + feed_forward * inner
}

/// Numbers of each token that are on their way through the widest layer in the backward pass.
fn passing(config: &TransformerConfig) -> u64 {
    let (hidden, inner) = (config.hidden_size as u64, config.intermediate_size as u64);
    2 * hidden + inner.max(config.query_size() as u64)
}

/// Numbers of each token outside the blocks: the embedding, the last norm, the gradient that the loss leaves.
fn ends(config: &TransformerConfig) -> u64 {
    3 * config.hidden_size as u64
}
