//! `config.json` from a file's metadata.

use serde_json::{Map, Value, json};

use crate::foreign::gguf::GgufProblem;
use crate::foreign::gguf::architecture::rope::{Factors, scaling};
use crate::foreign::gguf::architecture::{Architecture, Family};
use crate::foreign::gguf::metadata::GgufMetadata;

/// Layers of the models that scale their scores by the width of the model, not of a head, as llama.cpp tells them.
const GEMMA2_27B_LAYERS: u64 = 46;
const GEMMA3_27B_LAYERS: u64 = 62;
/// Every how many layers Gemma attends to everything, where the file does not say.
const GEMMA2_PATTERN: u64 = 2;
const GEMMA3_PATTERN: u64 = 6;

/// What a config is made of beside the metadata.
pub(in crate::foreign::gguf) struct Known<'a> {
    pub(in crate::foreign::gguf) metadata: &'a GgufMetadata<'a>,
    pub(in crate::foreign::gguf) architecture: &'static Architecture,
    /// Rows of the embedding.
    pub(in crate::foreign::gguf) vocab_size: usize,
    /// Whether there is no output matrix of its own.
    pub(in crate::foreign::gguf) tied: bool,
    /// Whether attention, and the feed-forward network, have biases.
    pub(in crate::foreign::gguf) biases: [bool; 2],
    pub(in crate::foreign::gguf) factors: Factors,
}

/// The config of a file.
pub(in crate::foreign::gguf) fn config(known: &Known<'_>) -> Result<Value, GgufProblem> {
    known.refuse_variants()?;
    let mut config = Map::new();
    let architecture = known.architecture;
    config.insert("architectures".into(), json!([architecture.class]));
    config.insert("model_type".into(), architecture.model_type.into());
    config.insert("vocab_size".into(), known.vocab_size.into());
    for (name, key) in [
        ("bos_token_id", "tokenizer.ggml.bos_token_id"),
        ("eos_token_id", "tokenizer.ggml.eos_token_id"),
        ("pad_token_id", "tokenizer.ggml.padding_token_id"),
    ] {
        if let Some(id) = known.metadata.u64(key)? {
            config.insert(name.into(), id.into());
        }
    }
    match architecture.family {
        Family::Gpt2 => known.gpt2(&mut config)?,
        Family::Bert => known.bert(&mut config)?,
        Family::Llama => known.llama(&mut config)?,
        Family::Qwen2 | Family::Qwen3 => known.qwen(&mut config)?,
        Family::Gemma2 | Family::Gemma3 => known.gemma(&mut config)?,
    }
    Ok(config.into())
}

impl Known<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture.name)
    }

    fn u64(&self, name: &str) -> Result<u64, GgufProblem> {
        self.metadata.required_u64(&self.key(name))
    }

    fn optional_f64(&self, name: &str) -> Result<Option<f64>, GgufProblem> {
        self.metadata.f64(&self.key(name))
    }

    pub(in crate::foreign::gguf) fn heads(&self) -> Result<u64, GgufProblem> {
        self.u64("attention.head_count")
    }

    pub(in crate::foreign::gguf) fn kv_heads(&self) -> Result<u64, GgufProblem> {
        let kv_heads = self.metadata.u64(&self.key("attention.head_count_kv"))?;
        Ok(kv_heads.unwrap_or(self.heads()?))
    }

    fn head_dim(&self) -> Result<u64, GgufProblem> {
        let (width, heads) = (self.u64("embedding_length")?, self.heads()?);
        let stated = self.metadata.u64(&self.key("attention.key_length"))?;
        Ok(stated.unwrap_or(width.checked_div(heads).unwrap_or(0)))
    }

    fn refuse_variants(&self) -> Result<(), GgufProblem> {
        let variant = |what| Err(GgufProblem::Variant { what });
        if self.metadata.u64(&self.key("expert_count"))?.unwrap_or(0) > 0 {
            return variant("layers are mixtures of experts");
        }
        let head_dim = self.head_dim()?;
        if self
            .metadata
            .u64(&self.key("attention.value_length"))?
            .unwrap_or(head_dim)
            != head_dim
        {
            return variant("values have another length than keys");
        }
        if self
            .metadata
            .u64(&self.key("rope.dimension_count"))?
            .unwrap_or(head_dim)
            != head_dim
        {
            return variant("positions turn a part of each head");
        }
        Ok(())
    }

    fn gpt2(&self, config: &mut Map<String, Value>) -> Result<(), GgufProblem> {
        config.insert("n_layer".into(), self.u64("block_count")?.into());
        config.insert("n_positions".into(), self.u64("context_length")?.into());
        config.insert("n_ctx".into(), self.u64("context_length")?.into());
        config.insert("n_embd".into(), self.u64("embedding_length")?.into());
        config.insert("n_head".into(), self.heads()?.into());
        config.insert("n_inner".into(), self.u64("feed_forward_length")?.into());
        config.insert("activation_function".into(), "gelu_new".into());
        let epsilon = self.optional_f64("attention.layer_norm_epsilon")?.unwrap_or(1e-5);
        config.insert("layer_norm_epsilon".into(), epsilon.into());
        config.insert("tie_word_embeddings".into(), self.tied.into());
        Ok(())
    }

    fn bert(&self, config: &mut Map<String, Value>) -> Result<(), GgufProblem> {
        config.insert("num_hidden_layers".into(), self.u64("block_count")?.into());
        config.insert(
            "max_position_embeddings".into(),
            self.u64("context_length")?.into(),
        );
        config.insert("hidden_size".into(), self.u64("embedding_length")?.into());
        config.insert(
            "intermediate_size".into(),
            self.u64("feed_forward_length")?.into(),
        );
        config.insert("num_attention_heads".into(), self.heads()?.into());
        let types = self.metadata.u64("tokenizer.ggml.token_type_count")?;
        config.insert("type_vocab_size".into(), types.unwrap_or(2).into());
        config.insert("hidden_act".into(), "gelu".into());
        let epsilon = self
            .optional_f64("attention.layer_norm_epsilon")?
            .unwrap_or(1e-12);
        config.insert("layer_norm_eps".into(), epsilon.into());
        Ok(())
    }

    /// What llama and all its descendants have.
    fn decoder(&self, config: &mut Map<String, Value>) -> Result<(), GgufProblem> {
        let context = self.u64("context_length")?;
        config.insert("num_hidden_layers".into(), self.u64("block_count")?.into());
        config.insert("max_position_embeddings".into(), context.into());
        config.insert("hidden_size".into(), self.u64("embedding_length")?.into());
        config.insert(
            "intermediate_size".into(),
            self.u64("feed_forward_length")?.into(),
        );
        config.insert("num_attention_heads".into(), self.heads()?.into());
        config.insert("num_key_value_heads".into(), self.kv_heads()?.into());
        config.insert("head_dim".into(), self.head_dim()?.into());
        let epsilon = self
            .optional_f64("attention.layer_norm_rms_epsilon")?
            .unwrap_or(1e-6);
        config.insert("rms_norm_eps".into(), epsilon.into());
        let base = self.optional_f64("rope.freq_base")?.unwrap_or(10000.0);
        config.insert("rope_theta".into(), base.into());
        let scaling = scaling(self.metadata, self.architecture.name, &self.factors, context)?;
        config.insert("rope_scaling".into(), scaling.unwrap_or(Value::Null));
        config.insert("tie_word_embeddings".into(), self.tied.into());
        config.insert("attention_dropout".into(), 0.0.into());
        Ok(())
    }

    fn llama(&self, config: &mut Map<String, Value>) -> Result<(), GgufProblem> {
        self.decoder(config)?;
        config.insert("hidden_act".into(), "silu".into());
        let [attention, feed_forward] = self.biases;
        config.insert("attention_bias".into(), attention.into());
        config.insert("mlp_bias".into(), feed_forward.into());
        let window = self.metadata.u64(&self.key("attention.sliding_window"))?;
        if let Some(window) = window.filter(|&window| window > 0) {
            config.insert("model_type".into(), "mistral".into());
            config.insert("architectures".into(), json!(["MistralForCausalLM"]));
            config.insert("sliding_window".into(), window.into());
        }
        Ok(())
    }

    fn qwen(&self, config: &mut Map<String, Value>) -> Result<(), GgufProblem> {
        self.decoder(config)?;
        config.insert("hidden_act".into(), "silu".into());
        config.insert("use_sliding_window".into(), false.into());
        config.insert("sliding_window".into(), Value::Null);
        if self.architecture.family == Family::Qwen3 {
            config.insert("attention_bias".into(), self.biases[0].into());
        }
        Ok(())
    }

    fn gemma(&self, config: &mut Map<String, Value>) -> Result<(), GgufProblem> {
        self.decoder(config)?;
        config.insert("hidden_activation".into(), "gelu_pytorch_tanh".into());
        config.insert("attention_bias".into(), self.biases[0].into());
        let layers = self.u64("block_count")?;
        let of_27b = if self.architecture.family == Family::Gemma2 {
            GEMMA2_27B_LAYERS
        } else {
            GEMMA3_27B_LAYERS
        };
        let scalar = if layers == of_27b {
            self.u64("embedding_length")?
                .checked_div(self.heads()?)
                .unwrap_or(0)
        } else {
            self.head_dim()?
        };
        config.insert("query_pre_attn_scalar".into(), scalar.into());
        for (name, key) in [
            ("attn_logit_softcapping", "attn_logit_softcapping"),
            ("final_logit_softcapping", "final_logit_softcapping"),
        ] {
            let softcap = self.optional_f64(key)?;
            config.insert(name.into(), softcap.map_or(Value::Null, Value::from));
        }
        let window = self.metadata.u64(&self.key("attention.sliding_window"))?;
        config.insert("sliding_window".into(), window.unwrap_or(4096).into());
        config.insert("layer_types".into(), self.layer_types(layers, window)?);
        if self.architecture.family == Family::Gemma3 {
            let local = self.optional_f64("rope.freq_base_swa")?.unwrap_or(10000.0);
            config.insert("rope_local_base_freq".into(), local.into());
        }
        Ok(())
    }

    /// Which layers see only a window, and which all.
    fn layer_types(&self, layers: u64, window: Option<u64>) -> Result<Value, GgufProblem> {
        /// Far more layers than any model has, so that no absurd count becomes a long list.
        const MAX_LAYERS: u64 = 4096;
        let key = self.key("attention.sliding_window_pattern");
        let wrong = |key: String, expected| GgufProblem::Value { key, expected };
        if layers > MAX_LAYERS {
            return Err(wrong(self.key("block_count"), "at most 4096"));
        }
        let named = |sliding: bool| {
            if sliding {
                "sliding_attention"
            } else {
                "full_attention"
            }
        };
        if self.architecture.family == Family::Gemma3 && window.unwrap_or(0) == 0 {
            return Ok((0..layers).map(|_| named(false)).collect());
        }
        let listed = match self.metadata.get(&key) {
            Some(value) if value.as_u64().is_none() => self.metadata.numbers(&key)?,
            Some(_) | None => None,
        };
        if let Some(flags) = listed {
            if flags.len() as u64 != layers {
                return Err(wrong(key, "one truth value for each layer"));
            }
            let is_set = |flag: crate::foreign::gguf::GgufValue<'_>| {
                flag == crate::foreign::gguf::GgufValue::Bool(true) || flag.as_u64().is_some_and(|n| n > 0)
            };
            return Ok(flags.iter().map(|flag| named(is_set(flag))).collect());
        }
        let pattern = if self.architecture.family == Family::Gemma2 {
            GEMMA2_PATTERN
        } else {
            GEMMA3_PATTERN
        };
        let pattern = self.metadata.u64(&key)?.unwrap_or(pattern).max(1);
        Ok((0..layers)
            .map(|layer| named(layer % pattern + 1 < pattern))
            .collect())
    }
}
