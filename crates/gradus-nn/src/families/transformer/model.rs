//! The model: embeddings, blocks, and logits over the vocabulary.

use std::collections::BTreeMap;
use std::sync::Arc;

use gradus_tensor::{
    CacheType, KvCache, KvCacheOptions, LinearCrossEntropyOptions, Parameter, Precision, Rng, Tensor, no_grad,
};

use super::attention::Place;
use super::block::Block;
use super::config::{NormPlacement, Positions, TransformerConfig};
use super::context::{Context, Ropes};
use super::embedding::TokenEmbedding;
use super::gpt2;
use super::norm::Norm;
use super::projection::{Projection, ProjectionConfig};
use super::source::{Loaded, Source, WeightType};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::layer::Layer;
use crate::layers::Dropout;
use crate::module::{Module, ModuleVisitor, visit_child};

/// How a [`Transformer`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransformerOptions {
    /// How products are computed; `F32` by default.
    pub precision: Precision,
    /// Whether a training step keeps only the input of each block and computes the rest again in its backward: about a
    /// third more time for a fraction of the memory. `false` by default.
    pub activation_checkpointing: bool,
}

impl Default for TransformerOptions {
    fn default() -> Self {
        TransformerOptions {
            precision: Precision::F32,
            activation_checkpointing: false,
        }
    }
}

/// A batch of token sequences.
#[derive(Clone, Copy)]
pub struct TextInput<'a> {
    /// Token ids, `I64` `[batch, seq]`.
    pub ids: &'a Tensor,
    /// The place of each token in its document, `I64` `[batch, seq]`; `0..seq` by default.
    pub positions: Option<&'a Tensor>,
    /// The first token that each token sees, `I64` `[batch, seq]`, where several documents share a row.
    pub first_key: Option<&'a Tensor>,
    /// How many tokens of each row count, `I64` `[batch]`; the rest is padding that nobody sees. All by default.
    pub key_lengths: Option<&'a Tensor>,
    /// The type of each token for encoders that have types, `I64` `[batch, seq]`; 0 by default.
    pub token_types: Option<&'a Tensor>,
}

impl<'a> From<&'a Tensor> for TextInput<'a> {
    fn from(ids: &'a Tensor) -> Self {
        TextInput {
            ids,
            positions: None,
            first_key: None,
            key_lengths: None,
            token_types: None,
        }
    }
}

/// A transformer of any of the [families](super::Family), built from its config.
///
/// Tensors have the names of Hugging Face's files (GPT-2's fused projection is held in its parts; see
/// [`Transformer::to_file_tensors`]).
pub struct Transformer {
    config: TransformerConfig,
    options: TransformerOptions,
    token_embedding: TokenEmbedding,
    position_embedding: Option<Parameter>,
    token_type_embedding: Option<Parameter>,
    embedding_norm: Option<Norm>,
    dropout: Dropout,
    blocks: Vec<Arc<Block>>,
    final_norm: Option<Norm>,
    pooler: Option<Projection>,
    /// Its own output layer, where it is not the token embedding.
    head: Option<TokenEmbedding>,
    ropes: Ropes,
}

/// Building.
impl Transformer {
    /// A model with fresh weights that depend on the seed alone, in training mode.
    ///
    /// # Errors
    /// As [`TransformerConfig::validate`], and [`Error::InvalidSetting`] for a config in ggml blocks, which has no fresh
    /// weights.
    pub fn new(config: &TransformerConfig, options: TransformerOptions, seed: u64) -> Result<Transformer> {
        config.validate()?;
        if !config.block_types.is_empty() {
            return Err(Error::InvalidSetting {
                owner: config.family.name(),
                setting: "quantization_config",
                value: "set".to_owned(),
                rule: "a new model starts in floats; leave it out",
            });
        }
        let rng = &mut Rng::seed_from(seed);
        let mut source = Source::Fresh(rng);
        Transformer::build(config, options, &mut source)
    }

    /// The model of a file's tensors, in evaluation mode. Tensors have the names and layouts of the family's class in
    /// Hugging Face's `transformers`, as [`Transformer::to_file_tensors`] gives them.
    ///
    /// # Errors
    /// [`Error::StateDict`] with every tensor that is missing, left over or of another shape.
    pub fn from_file_tensors(
        config: &TransformerConfig,
        options: TransformerOptions,
        tensors: Vec<(String, Tensor)>,
        weights: WeightType,
    ) -> Result<Transformer> {
        config.validate()?;
        let (tensors, block_types) = match config.family.fuses_query_key_value() {
            true => (gpt2::from_file(tensors)?, gpt2::block_types(&config.block_types)),
            false => (tensors, config.block_types.clone()),
        };
        let mut source = Source::Loaded(Loaded::new(tensors, block_types, weights));
        let held = match weights {
            WeightType::F32 => &config.clone().with_block_types(BTreeMap::new()),
            WeightType::AsStored => config,
        };
        let built = Transformer::build(held, options, &mut source);
        source.finish()?;
        let model = built?;
        model.eval();
        Ok(model)
    }

    fn build(
        config: &TransformerConfig,
        options: TransformerOptions,
        source: &mut Source,
    ) -> Result<Transformer> {
        let names = config.family.names();
        let (hidden, std) = (config.hidden_size, config.initializer_range);
        let table = [config.vocab_size, hidden];
        let init = Init::Normal { mean: 0.0, std };
        let token_embedding =
            TokenEmbedding::new(source, names.token_embedding, table, std, options.precision)?;
        let mut rows = |name: &str, rows: usize| -> Result<Parameter> {
            let value = source.float(&format!("{name}.weight"), &[rows, hidden], init)?;
            Ok(Parameter::new(value)?)
        };
        let position_embedding = match config.positions {
            Positions::Learned => Some(rows(names.position_embedding, config.max_position_embeddings)?),
            Positions::Rotary { .. } => None,
        };
        let token_type_embedding = match config.type_vocab_size {
            0 => None,
            types => Some(rows(names.token_type_embedding, types)?),
        };
        let mut norm = |name: &str| Norm::new(source, name, hidden, config.norm);
        let (embedding_norm, final_norm) = match config.norm_placement {
            NormPlacement::Post => (Some(norm(names.embedding_norm)?), None),
            NormPlacement::Pre | NormPlacement::Sandwich => (None, Some(norm(names.final_norm)?)),
        };
        let mut blocks = Vec::new();
        for layer in 0..config.num_hidden_layers {
            let path = &format!("{}.{layer}", names.blocks);
            let place = Place {
                config,
                layer,
                path,
                precision: options.precision,
            };
            blocks.push(Arc::new(Block::new(source, &place)?));
        }
        let head = match config.has_head() && !config.tie_word_embeddings {
            true => Some(TokenEmbedding::new(
                source,
                names.head,
                table,
                std,
                options.precision,
            )?),
            false => None,
        };
        // Only carried along: GGUF files have none.
        let pooler = match config.causal || !source.has(&format!("{}.weight", names.pooler)) {
            true => None,
            false => Some(Projection::new(
                source,
                &ProjectionConfig {
                    path: names.pooler,
                    in_features: hidden,
                    out_features: hidden,
                    bias: true,
                    std,
                    precision: options.precision,
                },
            )?),
        };
        Ok(Transformer {
            options,
            token_embedding,
            position_embedding,
            token_type_embedding,
            embedding_norm,
            dropout: Dropout::new(config.dropout)?,
            blocks,
            final_norm,
            pooler,
            head,
            ropes: Ropes::new(config)?,
            config: config.clone(),
        })
    }

    /// Every tensor under the name, and in the layout, of the family's files: what `model.safetensors` holds.
    ///
    /// # Errors
    /// When a tensor cannot be transposed, which does not happen to a whole model.
    pub fn to_file_tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let state = self.state_dict();
        match self.config.family.fuses_query_key_value() {
            true => gpt2::to_file(state),
            false => Ok(state),
        }
    }
}

/// Computing.
impl Transformer {
    /// What the model is built from.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// How it computes.
    pub fn options(&self) -> TransformerOptions {
        self.options
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().map(|block| &**block)
    }

    /// The state after the last block and its normalisation: `f32` `[batch, seq, hidden]`.
    ///
    /// # Errors
    /// [`Error::InputShape`] for ids that are not `[batch, seq]` or longer than the model's positions;
    /// [`Error::Tensor`] for ids outside the vocabulary.
    pub fn hidden_states(&self, input: &TextInput) -> Result<Tensor> {
        let context = self.context(input, 0)?;
        let x = self.embed(input, &context)?;
        self.run(x, &context)
    }

    /// The vectors of tokens as they enter the model, before positions: f32 `[batch, seq, hidden]` of ids I64 `[batch, seq]`.
    ///
    /// # Errors
    /// [`Error::Tensor`] for ids outside the vocabulary.
    pub fn token_vectors(&self, ids: &Tensor) -> Result<Tensor> {
        let x = self.token_embedding.rows(ids)?;
        match self.config.embedding_scale {
            1.0 => Ok(x),
            scale => Ok(x.mul_scalar(scale)?),
        }
    }

    /// As [`hidden_states`](Transformer::hidden_states), of vectors f32 `[batch, seq, hidden]` in place of those that
    /// [`token_vectors`](Transformer::token_vectors) gives for the ids. Gradients flow to the vectors. The ids of `input` say
    /// how many tokens there are and are otherwise not looked at.
    ///
    /// # Errors
    /// As [`hidden_states`](Transformer::hidden_states), and [`Error::InputShape`] for vectors of another shape.
    pub fn hidden_states_of(&self, vectors: &Tensor, input: &TextInput) -> Result<Tensor> {
        let context = self.context(input, 0)?;
        let expected = [input.ids.shape(), &[self.config.hidden_size]].concat();
        if vectors.shape() != expected {
            return Err(self.input_error(vectors, format!("vectors {expected:?}")));
        }
        let x = self.place(vectors.clone(), input, &context)?;
        self.run(x, &context)
    }

    /// How much each token attends to each: for every layer f32 `[batch, heads, seq, seq]`, rows of which sum to 1. They are
    /// computed for whoever wants to see them; the model itself never holds them. Nothing is recorded.
    ///
    /// # Errors
    /// As [`hidden_states`](Transformer::hidden_states).
    pub fn attention_probabilities(&self, ids: &Tensor) -> Result<Vec<Tensor>> {
        let _no_grad = no_grad();
        let input = TextInput::from(ids);
        let context = self.context(&input, 0)?;
        let mut x = self.embed(&input, &context)?;
        let mut layers = Vec::with_capacity(self.blocks.len());
        for (layer, block) in self.blocks.iter().enumerate() {
            let within = |error: Error| self.in_block(error, layer);
            layers.push(block.attention_probabilities(&x, &context).map_err(within)?);
            x = block.forward(&x, &context, None).map_err(within)?;
        }
        Ok(layers)
    }

    /// The same for tokens that follow those in a cache, which they join.
    ///
    /// # Errors
    /// As [`hidden_states`](Transformer::hidden_states), and when the cache is full, of another model, or gradients are
    /// recorded.
    pub fn hidden_states_cached(&self, ids: &Tensor, cache: &mut KvCache) -> Result<Tensor> {
        let input = TextInput::from(ids);
        let context = self.context(&input, cache.len())?;
        let mut x = self.embed(&input, &context)?;
        let layers = self.blocks.iter().zip(cache.layers_mut()).enumerate();
        for (layer, (block, cache)) in layers {
            x = block
                .forward(&x, &context, Some(cache))
                .map_err(|error| self.in_block(error, layer))?;
        }
        self.finish(x)
    }

    /// Logits over the vocabulary of states `[.., hidden]`: `[.., vocab]`.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for an encoder, which has none.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let logits = self.head()?.logits(hidden)?;
        match self.config.logit_softcap {
            None => Ok(logits),
            Some(cap) => Ok(logits.mul_scalar(cap.recip())?.tanh()?.mul_scalar(cap)?),
        }
    }

    /// The logits after the last of `ids` (`[batch, seq]`), which follow those in a cache: `[batch, vocab]`.
    ///
    /// # Errors
    /// As [`hidden_states_cached`](Transformer::hidden_states_cached) and [`logits`](Transformer::logits).
    pub fn next_logits(&self, ids: &Tensor, cache: &mut KvCache) -> Result<Tensor> {
        let hidden = self.hidden_states_cached(ids, cache)?;
        let [batch, seq, width] = [hidden.shape()[0], hidden.shape()[1], hidden.shape()[2]];
        let last = hidden.narrow(1, seq - 1, 1)?.reshape([batch, width])?;
        self.logits(&last)
    }

    /// The mean cross-entropy, in nats, of `targets` (`I64` `[batch, seq]`, the token after each of `ids`; those of -100
    /// do not count). Logits are never held for the whole batch.
    ///
    /// # Errors
    /// As [`hidden_states`](Transformer::hidden_states) and [`logits`](Transformer::logits).
    pub fn loss(&self, input: &TextInput, targets: &Tensor) -> Result<Tensor> {
        let hidden = self.hidden_states(input)?;
        let options = LinearCrossEntropyOptions {
            softcap: self.config.logit_softcap,
            precision: self.options.precision,
            ..LinearCrossEntropyOptions::default()
        };
        match self.head()?.parameter() {
            Some(weight) => Ok(hidden.linear_cross_entropy(&weight.value(), targets, &options)?),
            None => {
                let logits = self.logits(&hidden)?;
                let rows = targets.numel();
                let logits = logits.reshape([rows, self.config.vocab_size])?;
                crate::losses::cross_entropy(&logits, &targets.reshape([rows])?)
            }
        }
    }

    /// An empty cache for `batch` sequences of up to `capacity` tokens; it takes memory as it fills.
    pub fn new_cache(&self, batch: usize, capacity: usize, cache_type: CacheType) -> KvCache {
        KvCache::new(KvCacheOptions {
            layers: self.config.num_hidden_layers,
            batch,
            kv_heads: self.config.num_key_value_heads,
            head_dim: self.config.head_dim,
            max_len: capacity,
            cache_type,
        })
    }

    fn head(&self) -> Result<&TokenEmbedding> {
        match (&self.head, self.config.has_head()) {
            (Some(head), _) => Ok(head),
            (None, true) => Ok(&self.token_embedding),
            (None, false) => Err(Error::InvalidSetting {
                owner: self.config.family.name(),
                setting: "model_type",
                value: self.config.family.name().to_owned(),
                rule: "an encoder has no logits; use its hidden states",
            }),
        }
    }

    /// Every block and the last normalisation.
    fn run(&self, mut x: Tensor, context: &Arc<Context>) -> Result<Tensor> {
        for (layer, block) in self.blocks.iter().enumerate() {
            x = self
                .run_block(block, &x, context)
                .map_err(|error| self.in_block(error, layer))?;
        }
        self.finish(x)
    }

    fn run_block(&self, block: &Arc<Block>, x: &Tensor, context: &Arc<Context>) -> Result<Tensor> {
        if !self.options.activation_checkpointing {
            return block.forward(x, context, None);
        }
        let (block, context) = (block.clone(), context.clone());
        Tensor::checkpoint(&[x], move |inputs| block.forward(&inputs[0], &context, None))
    }

    fn in_block(&self, error: Error, layer: usize) -> Error {
        error.in_layer(format_args!("{}.{layer}", self.config.family.names().blocks))
    }

    fn context(&self, input: &TextInput, start: usize) -> Result<Arc<Context>> {
        let &[_, seq] = input.ids.shape() else {
            return Err(self.input_error(input.ids, "ids [batch, seq]".to_owned()));
        };
        let most = self.config.max_position_embeddings;
        if seq == 0 || self.position_embedding.is_some() && start + seq > most {
            let expected = format!("[batch, seq] with a seq from 1 to {}", most.saturating_sub(start));
            return Err(self.input_error(input.ids, expected));
        }
        Context::new(&self.ropes, input, start, seq)
    }

    fn input_error(&self, ids: &Tensor, expected: String) -> Error {
        Error::InputShape {
            layer: self.config.family.name(),
            expected,
            got: ids.shape().to_vec(),
        }
    }

    fn embed(&self, input: &TextInput, context: &Context) -> Result<Tensor> {
        self.place(self.token_vectors(input.ids)?, input, context)
    }

    /// Tokens' vectors with what the model adds to them before its first block.
    fn place(&self, mut x: Tensor, input: &TextInput, context: &Context) -> Result<Tensor> {
        if let Some(table) = &self.position_embedding {
            x = match input.positions {
                Some(positions) => x.add(&table.value().embedding(positions)?)?,
                None => x.add(&table.value().narrow(0, context.start(), input.ids.shape()[1])?)?,
            };
        }
        if let Some(table) = &self.token_type_embedding {
            x = match input.token_types {
                Some(types) => x.add(&table.value().embedding(types)?)?,
                None => x.add(&table.value().narrow(0, 0, 1)?)?,
            };
        }
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        self.dropout.forward(&x)
    }

    fn finish(&self, x: Tensor) -> Result<Tensor> {
        self.final_norm
            .as_ref()
            .map_or(Ok(x.clone()), |norm| norm.forward(&x))
    }
}

impl Layer for Transformer {
    /// Logits `[batch, seq, vocab]` of ids `I64` `[batch, seq]`; of an encoder, its hidden states.
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let hidden = self.hidden_states(&TextInput::from(ids))?;
        match self.config.has_head() {
            true => self.logits(&hidden),
            false => Ok(hidden),
        }
    }
}

impl Module for Transformer {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        let names = self.config.family.names();
        visit_child(visitor, names.token_embedding, &self.token_embedding);
        for (name, table) in [
            (names.position_embedding, &self.position_embedding),
            (names.token_type_embedding, &self.token_type_embedding),
        ] {
            if let Some(table) = table {
                visit_child(visitor, &format!("{name}.weight"), table);
            }
        }
        if let Some(norm) = &self.embedding_norm {
            visit_child(visitor, names.embedding_norm, norm);
        }
        visit_child(visitor, "dropout", &self.dropout);
        for (layer, block) in self.blocks.iter().enumerate() {
            visit_child(visitor, &format!("{}.{layer}", names.blocks), block);
        }
        if let Some(norm) = &self.final_norm {
            visit_child(visitor, names.final_norm, norm);
        }
        if let Some(pooler) = &self.pooler {
            visit_child(visitor, names.pooler, pooler);
        }
        if let Some(head) = &self.head {
            visit_child(visitor, names.head, head);
        }
    }
}
