//! The attention layer: projections, rotation, attention, output.

use gradus_tensor::{AttentionOptions, KvCacheLayer, Precision, Tensor};

use super::config::{NormConfig, NormKind, TransformerConfig};
use super::context::Context;
use super::family::{BlockNames, Family};
use super::norm::Norm;
use super::projection::{Projection, ProjectionConfig};
use super::source::Source;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::module::{ModuleVisitor, visit_child};

/// Multi-head attention with grouped keys (Vaswani et al. 2017; Ainslie et al. 2023).
pub(super) struct Attention {
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    head_dim: usize,
    options: AttentionOptions,
}

/// Where a layer is built, and how.
pub(super) struct Place<'a> {
    pub config: &'a TransformerConfig,
    pub layer: usize,
    /// Dotted path of the block.
    pub path: &'a str,
    pub precision: Precision,
}

impl Place<'_> {
    /// Standard deviation of the fresh projections that end a branch: GPT-2 divides it by the root of the number of
    /// branches that add up (Radford et al. 2019).
    pub fn branch_end_std(&self) -> f64 {
        let config = self.config;
        match config.family {
            Family::Gpt2 => config.initializer_range / (2.0 * config.num_hidden_layers as f64).sqrt(),
            Family::Llama
            | Family::Mistral
            | Family::Qwen2
            | Family::Qwen3
            | Family::Gemma2
            | Family::Gemma3Text
            | Family::Bert => config.initializer_range,
        }
    }

    /// The path of a part of the block.
    pub fn join(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }
}

impl Attention {
    pub fn new(source: &mut Source, place: &Place) -> Result<Attention> {
        let config = place.config;
        let names = &config.family.names().block;
        let mut project = |name: &str, [in_features, out_features]: [usize; 2], bias, std| {
            let projection = ProjectionConfig {
                path: &place.join(name),
                in_features,
                out_features,
                bias,
                std,
                precision: place.precision,
            };
            Projection::new(source, &projection)
        };
        let (hidden, std) = (config.hidden_size, config.initializer_range);
        let kv = [hidden, config.key_value_size()];
        let query = project(names.query, [hidden, config.query_size()], config.bias.qkv, std)?;
        let key = project(names.key, kv, config.bias.qkv, std)?;
        let value = project(names.value, kv, config.bias.qkv, std)?;
        let end = [config.query_size(), hidden];
        let output = project(
            names.attention_output,
            end,
            config.bias.attention_output,
            place.branch_end_std(),
        )?;
        let mut head_norm = |name: &str| -> Result<Option<Norm>> {
            let norm = NormConfig {
                kind: match config.norm.kind {
                    NormKind::RmsUnitOffset => NormKind::RmsUnitOffset,
                    NormKind::Layer | NormKind::Rms => NormKind::Rms,
                },
                ..config.norm
            };
            match config.qk_norm {
                true => Ok(Some(Norm::new(source, &place.join(name), config.head_dim, norm)?)),
                false => Ok(None),
            }
        };
        Ok(Attention {
            query,
            key,
            value,
            output,
            query_norm: head_norm(names.query_norm)?,
            key_norm: head_norm(names.key_norm)?,
            head_dim: config.head_dim,
            options: AttentionOptions {
                causal: config.causal,
                window: config.windows[place.layer],
                scale: Some(config.attention_scale),
                softcap: config.attention_softcap,
                precision: place.precision,
                ..AttentionOptions::default()
            },
        })
    }

    /// `x` `[batch, seq, hidden]`; with a cache, its keys and values stand before those of `x`, which join it.
    pub fn forward(&self, x: &Tensor, context: &Context, cache: Option<&mut KvCacheLayer>) -> Result<Tensor> {
        let [batch, seq] = batch_and_seq(x)?;
        let [query, key, value] = Projection::forward_all([&self.query, &self.key, &self.value], x)?;
        let [query, key] = self.turned(query, key, context)?;
        let value = self.in_heads(value)?;
        let attended = match cache {
            Some(cache) => query.attention_cached(&key, &value, cache, &self.options)?,
            None => {
                let options = AttentionOptions {
                    first_key: context.first_key.clone(),
                    key_lengths: context.key_lengths.clone(),
                    ..self.options.clone()
                };
                query.attention(&key, &value, &options)?
            }
        };
        let width = attended.shape()[2] * self.head_dim;
        self.output.forward(&attended.reshape([batch, seq, width])?)
    }

    /// How much each token of `x` `[batch, seq, hidden]` attends to each: `[batch, heads, seq, seq]`. Padding and documents
    /// that share a row are not looked at.
    pub fn probabilities(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let [batch, seq] = batch_and_seq(x)?;
        let [query, key] = Projection::forward_all([&self.query, &self.key], x)?;
        let [query, key] = self.turned(query, key, context)?;
        let (heads, kv_heads, width) = (query.shape()[2], key.shape()[2], self.head_dim);
        // Each run of query heads shares a head of keys.
        let keys = key
            .permute([0, 2, 3, 1])?
            .unsqueeze(2)?
            .broadcast_to([batch, kv_heads, heads / kv_heads, width, seq])?
            .reshape([batch, heads, width, seq])?;
        let scale = self.options.scale.unwrap_or((width as f64).sqrt().recip());
        let mut scores = query.permute([0, 2, 1, 3])?.matmul(&keys)?.mul_scalar(scale)?;
        if let Some(cap) = self.options.softcap {
            scores = scores.mul_scalar(cap.recip())?.tanh()?.mul_scalar(cap)?;
        }
        Ok(scores.add(&self.hidden_keys(seq))?.softmax(3)?)
    }

    /// `[seq, seq]`: 0 where a query sees a key, minus infinity elsewhere.
    fn hidden_keys(&self, seq: usize) -> Tensor {
        let reach = self.options.window.unwrap_or(seq);
        Tensor::build([seq, seq], |mask: &mut [f32]| {
            for (at, cell) in mask.iter_mut().enumerate() {
                let (query, key) = (at / seq, at % seq);
                let later = self.options.causal && key > query;
                *cell = match later || query.abs_diff(key) >= reach {
                    true => f32::NEG_INFINITY,
                    false => 0.0,
                };
            }
        })
    }

    /// Projected queries and keys as they meet: in heads, normalised where the model does, turned by their positions.
    fn turned(&self, query: Tensor, key: Tensor, context: &Context) -> Result<[Tensor; 2]> {
        let (mut query, mut key) = (self.in_heads(query)?, self.in_heads(key)?);
        if let (Some(query_norm), Some(key_norm)) = (&self.query_norm, &self.key_norm) {
            query = query_norm.forward(&query)?;
            key = key_norm.forward(&key)?;
        }
        let windowed = self.options.window.is_some();
        Ok([context.rotate(query, windowed)?, context.rotate(key, windowed)?])
    }

    /// `[batch, seq, heads · head_dim]` as `[batch, seq, heads, head_dim]`.
    fn in_heads(&self, y: Tensor) -> Result<Tensor> {
        let [batch, seq] = batch_and_seq(&y)?;
        let heads = y.shape()[2] / self.head_dim;
        Ok(y.reshape([batch, seq, heads, self.head_dim])?)
    }

    /// Every projection with its path inside the block.
    pub fn projections(&self, names: &'static BlockNames) -> [(&'static str, &Projection); 4] {
        [
            (names.query, &self.query),
            (names.key, &self.key),
            (names.value, &self.value),
            (names.attention_output, &self.output),
        ]
    }

    /// Shows the visitor the parts by the family's names.
    pub fn visit(&self, visitor: &mut dyn ModuleVisitor, names: &BlockNames) {
        visit_child(visitor, names.query, &self.query);
        visit_child(visitor, names.key, &self.key);
        visit_child(visitor, names.value, &self.value);
        if let (Some(query_norm), Some(key_norm)) = (&self.query_norm, &self.key_norm) {
            visit_child(visitor, names.query_norm, query_norm);
            visit_child(visitor, names.key_norm, key_norm);
        }
        visit_child(visitor, names.attention_output, &self.output);
    }
}

fn batch_and_seq(x: &Tensor) -> Result<[usize; 2]> {
    match *x.shape() {
        [batch, seq, _] => Ok([batch, seq]),
        ref other => Err(Error::InputShape {
            layer: "attention",
            expected: "[batch, seq, hidden]".to_owned(),
            got: other.to_vec(),
        }),
    }
}
