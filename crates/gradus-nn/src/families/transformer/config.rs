//! What a transformer is made of: one description for every family.
//!
//! A family differs from another in these values and in the names of its tensors, not in code. They are read from Hugging
//! Face's `config.json` by [`super::huggingface`].

use std::collections::BTreeMap;

use gradus_tensor::Activation;

use super::family::Family;
use super::rope_scaling::RopeParameters;
use crate::error::{Error, Result};

/// The most layers of a config; the deepest published models have under 200.
const MAX_LAYERS: usize = 1024;

/// The most parameters of a config: far above what one machine holds, far below what overflows when counted in bytes.
const MAX_PARAMETERS: usize = 1 << 40;

/// The architecture of a transformer language model or encoder.
///
/// ```
/// use gradus_nn::families::transformer::TransformerConfig;
/// let json = serde_json::json!({
///     "model_type": "llama", "vocab_size": 96, "hidden_size": 32, "intermediate_size": 64,
///     "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
/// });
/// let config = TransformerConfig::from_huggingface(&json)?;
/// assert_eq!((config.head_dim, config.num_key_value_heads), (8, 2));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TransformerConfig {
    /// Whose names and defaults the config follows.
    pub family: Family,
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads, a divisor of the query heads.
    pub num_key_value_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Which normalisation, and the number added to its variance.
    pub norm: NormConfig,
    /// Where in a block the normalisations stand.
    pub norm_placement: NormPlacement,
    /// How a token knows its place.
    pub positions: Positions,
    /// The activation of the feed-forward layer.
    pub activation: Activation,
    /// Whether the activation gates a second projection (SwiGLU, GeGLU; Shazeer 2020).
    pub gated: bool,
    /// Which projections have biases.
    pub bias: Biases,
    /// Whether queries and keys are RMS-normalised per head before the rotation.
    pub qk_norm: bool,
    /// Factor on the products of queries and keys.
    pub attention_scale: f64,
    /// `cap · tanh(score / cap)` on attention scores.
    pub attention_softcap: Option<f64>,
    /// The same on the logits.
    pub logit_softcap: Option<f64>,
    /// For each layer, how many positions back it sees; `None` for all.
    pub windows: Vec<Option<usize>>,
    /// Whether a token sees only what stands before it.
    pub causal: bool,
    /// Factor on the token embeddings.
    pub embedding_scale: f64,
    /// Rows of the token-type embedding of an encoder; 0 for none.
    pub type_vocab_size: usize,
    /// Whether the output layer is the token embedding.
    pub tie_word_embeddings: bool,
    /// Probability with which an element of the embeddings, or of a branch before it joins the residual stream, is
    /// dropped in training.
    pub dropout: f64,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// The ggml block type of each tensor that is stored in blocks, by its name; empty for a float model.
    pub block_types: BTreeMap<String, String>,
    /// The whole `config.json`, with the keys that are not used here, so that it is written as it was read.
    pub(super) json: serde_json::Map<String, serde_json::Value>,
}

/// A normalisation of rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormConfig {
    /// Which.
    pub kind: NormKind,
    /// Added to the variance.
    pub eps: f64,
}

/// Which normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// To mean 0 and variance 1, scaled and shifted (Ba et al. 2016).
    Layer,
    /// To mean square 1, scaled (Zhang and Sennrich 2019).
    Rms,
    /// The same, scaled by one plus the weight, as Gemma stores it.
    RmsUnitOffset,
}

/// Where in a block the normalisations stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormPlacement {
    /// Before each branch, and once after the last block (GPT-2, Llama).
    Pre,
    /// After each branch has joined the residual stream, and after the embeddings (BERT).
    Post,
    /// Before and after each branch, and once after the last block (Gemma 2 and 3).
    Sandwich,
}

/// How a token knows its place.
#[derive(Clone, Debug, PartialEq)]
pub enum Positions {
    /// A learned vector per position.
    Learned,
    /// Queries and keys are rotated (Su et al. 2021).
    Rotary {
        /// The rotation of layers that see everything.
        global: RopeParameters,
        /// The rotation of layers with a window, where it differs.
        local: Option<RopeParameters>,
    },
}

/// Which projections have biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Biases {
    /// Queries, keys and values.
    pub qkv: bool,
    /// The attention's output.
    pub attention_output: bool,
    /// The feed-forward layer.
    pub feed_forward: bool,
}

impl Biases {
    /// All or none.
    pub(super) fn all(on: bool) -> Biases {
        Biases {
            qkv: on,
            attention_output: on,
            feed_forward: on,
        }
    }
}

impl TransformerConfig {
    /// Width of all query heads together.
    pub fn query_size(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all key heads together.
    pub fn key_value_size(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// Number of parameters, a tied output layer counted once.
    pub fn num_parameters(&self) -> usize {
        self.checked_parameters().unwrap_or(usize::MAX)
    }

    /// `None` on overflow.
    fn checked_parameters(&self) -> Option<usize> {
        let (d, f) = (self.hidden_size, self.intermediate_size);
        let norm = match self.norm.kind {
            NormKind::Layer => d.checked_mul(2)?,
            NormKind::Rms | NormKind::RmsUnitOffset => d,
        };
        let linear = |input: usize, output: usize, bias: bool| {
            input
                .checked_mul(output)?
                .checked_add(if bias { output } else { 0 })
        };
        let (q, kv) = (
            self.num_attention_heads.checked_mul(self.head_dim)?,
            self.num_key_value_heads.checked_mul(self.head_dim)?,
        );
        let attention = linear(d, q, self.bias.qkv)?
            .checked_add(linear(d, kv, self.bias.qkv)?.checked_mul(2)?)?
            .checked_add(linear(q, d, self.bias.attention_output)?)?
            .checked_add(if self.qk_norm { 2 * self.head_dim } else { 0 })?;
        let ups = if self.gated { 2 } else { 1 };
        let feed_forward = linear(d, f, self.bias.feed_forward)?
            .checked_mul(ups)?
            .checked_add(linear(f, d, self.bias.feed_forward)?)?;
        let norms = match self.norm_placement {
            NormPlacement::Pre | NormPlacement::Post => 2,
            NormPlacement::Sandwich => 4,
        };
        let block = attention
            .checked_add(feed_forward)?
            .checked_add(norm.checked_mul(norms)?)?;
        let table = self.vocab_size.checked_mul(d)?;
        let positions = match self.positions {
            Positions::Learned => self.max_position_embeddings.checked_mul(d)?,
            Positions::Rotary { .. } => 0,
        };
        let head = if self.has_head() && !self.tie_word_embeddings {
            table
        } else {
            0
        };
        let pooler = if self.causal { 0 } else { linear(d, d, true)? };
        block
            .checked_mul(self.num_hidden_layers)?
            .checked_add(table)?
            .checked_add(positions)?
            .checked_add(self.type_vocab_size.checked_mul(d)?)?
            .checked_add(norm)?
            .checked_add(head)?
            .checked_add(pooler)
    }

    /// Whether the model ends in logits over the vocabulary.
    pub fn has_head(&self) -> bool {
        self.causal
    }

    /// Multiply-adds times two of one token's forward pass in a sequence of `seq_len` tokens: 2 per weight of every
    /// product, and the attention's products with the keys and values it sees (half of them, if causal). Backward
    /// takes twice as many. The count of Kaplan et al. (2020), with the attention term.
    pub fn flops_per_token(&self, seq_len: usize) -> f64 {
        let embeddings = match (&self.positions, self.tie_word_embeddings || !self.has_head()) {
            (Positions::Learned, true) => self.max_position_embeddings * self.hidden_size,
            (Positions::Learned, false) => {
                (self.max_position_embeddings + self.vocab_size) * self.hidden_size
            }
            (Positions::Rotary { .. }, true) => 0,
            (Positions::Rotary { .. }, false) => self.vocab_size * self.hidden_size,
        };
        let weights = self.num_parameters().saturating_sub(embeddings) as f64;
        let seen = |window: &Option<usize>| {
            let all = if self.causal {
                seq_len as f64 / 2.0
            } else {
                seq_len as f64
            };
            window.map_or(all, |window| all.min(window as f64))
        };
        let attention: f64 = self.windows.iter().map(seen).sum::<f64>() * 4.0 * self.query_size() as f64;
        2.0 * weights + attention
    }

    /// Checks the sizes against each other and against limits, before anything is allocated by them.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] that names the key.
    pub fn validate(&self) -> Result<()> {
        let owner = self.family.name();
        let refuse = |setting, value: String, rule| {
            Err(Error::InvalidSetting {
                owner,
                setting,
                value,
                rule,
            })
        };
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        if let Some(&(setting, value)) = sizes.iter().find(|(_, size)| *size == 0) {
            return refuse(setting, value.to_string(), "it must be at least 1");
        }
        if self.num_hidden_layers > MAX_LAYERS {
            return refuse(
                "num_hidden_layers",
                self.num_hidden_layers.to_string(),
                "a model has at most 1024 layers",
            );
        }
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            return refuse(
                "num_key_value_heads",
                self.num_key_value_heads.to_string(),
                "it must divide num_attention_heads",
            );
        }
        if matches!(self.positions, Positions::Rotary { .. }) && !self.head_dim.is_multiple_of(2) {
            return refuse(
                "head_dim",
                self.head_dim.to_string(),
                "a rotated head has an even width",
            );
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse(
                "dropout",
                self.dropout.to_string(),
                "it must be at least 0 and below 1",
            );
        }
        let positive = [
            ("initializer_range", self.initializer_range),
            ("attention_scale", self.attention_scale),
            ("norm_eps", self.norm.eps),
        ];
        if let Some(&(setting, value)) = positive
            .iter()
            .find(|(_, value)| !(value.is_finite() && *value > 0.0))
        {
            return refuse(setting, value.to_string(), "it must be a number above 0");
        }
        match self.checked_parameters() {
            Some(count) if count <= MAX_PARAMETERS => Ok(()),
            _ => refuse(
                "hidden_size",
                format!("{} with vocab_size {}", self.hidden_size, self.vocab_size),
                "the model would have more than 2^40 parameters",
            ),
        }
    }
}
