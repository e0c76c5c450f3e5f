//! From Hugging Face's `config.json` to a [`TransformerConfig`], and back.
//!
//! Keys that a file leaves out take the defaults of Hugging Face's configuration classes, which leave them out when
//! writing. Both spellings of renamed keys are read (`rope_scaling` and `rope_parameters`, `torch_dtype` and `dtype`).

use std::collections::BTreeMap;

use gradus_tensor::Activation;
use serde_json::Value;

use super::config::{Biases, NormConfig, NormKind, NormPlacement, Positions, TransformerConfig};
use super::family::Family;
use super::keys::Keys;
use super::rope_scaling::{RopeParameters, RopeProblem};
use crate::error::{Error, Result};

/// The `quant_method` of models whose weights are ggml blocks.
const GGML: &str = "ggml";

impl TransformerConfig {
    /// Whether a config's `model_type` is one of this room's families.
    pub fn describes(json: &Value) -> bool {
        family_of(json).is_some()
    }

    /// Reads a `config.json`, or a recipe's `[model]` with the same keys.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for an unknown `model_type`, a value that makes no sense, or a setting that this build
    /// does not compute; [`Error::MissingSetting`] for a size that has no default.
    pub fn from_huggingface(json: &Value) -> Result<TransformerConfig> {
        let Some(map) = json.as_object() else {
            return Err(unknown_family(json.to_string()));
        };
        let Some(family) = family_of(json) else {
            let found = map
                .get("model_type")
                .map_or("missing".to_owned(), Value::to_string);
            return Err(unknown_family(found));
        };
        let keys = Keys {
            map,
            owner: family.name(),
        };
        let config = match family {
            Family::Gpt2 => gpt2(&keys),
            Family::Bert => bert(&keys),
            Family::Llama | Family::Mistral => llama_like(family, &keys),
            Family::Qwen2 | Family::Qwen3 => qwen(family, &keys),
            Family::Gemma2 | Family::Gemma3Text => gemma(family, &keys),
        }?;
        config.validate()?;
        Ok(config)
    }

    /// The `config.json` that Hugging Face's `transformers` opens: as it was read, completed by what it must say.
    pub fn to_huggingface(&self) -> Value {
        let mut json = self.json.clone();
        json.insert("model_type".into(), self.family.name().into());
        let architectures = Value::from(vec![self.family.architecture()]);
        json.entry("architectures").or_insert(architectures);
        json.insert("vocab_size".into(), self.vocab_size.into());
        json.insert("tie_word_embeddings".into(), self.tie_word_embeddings.into());
        json.remove("quantization_config");
        if !self.block_types.is_empty() {
            let quantization = serde_json::json!({"quant_method": GGML, "tensors": self.block_types});
            json.insert("quantization_config".into(), quantization);
        }
        Value::Object(json)
    }

    /// The same model with its tensors in these ggml blocks, by name; with none, in floats.
    #[must_use]
    pub fn with_block_types(mut self, block_types: BTreeMap<String, String>) -> TransformerConfig {
        self.block_types = block_types;
        self
    }
}

fn family_of(json: &Value) -> Option<Family> {
    Family::from_name(json.get("model_type")?.as_str()?)
}

fn unknown_family(value: String) -> Error {
    Error::InvalidSetting {
        owner: "transformer",
        setting: "model_type",
        value,
        rule: "the families are gpt2, llama, mistral, qwen2, qwen3, gemma2, gemma3_text and bert",
    }
}

fn activation(keys: &Keys, key: &'static str, default: &str) -> Result<Activation> {
    let name = keys.text_or(key, default)?;
    match name.as_str() {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
        "relu" => Ok(Activation::Relu),
        "tanh" => Ok(Activation::Tanh),
        _ => {
            let rule =
                "the activations are silu, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu and tanh";
            Err(keys.invalid(key, name, rule))
        }
    }
}

/// Refuses a switch that changes the numbers in a way this build does not compute.
fn refuse(keys: &Keys, key: &'static str, default: bool, supported: bool) -> Result<()> {
    let value = keys.flag_or(key, default)?;
    if value == supported {
        return Ok(());
    }
    Err(keys.invalid(
        key,
        value.to_string(),
        "this build computes the other setting only",
    ))
}

/// The block types of a quantised model.
fn block_types(keys: &Keys) -> Result<BTreeMap<String, String>> {
    let Some(quantization) = keys
        .map
        .get("quantization_config")
        .filter(|value| !value.is_null())
    else {
        return Ok(BTreeMap::new());
    };
    let method = quantization
        .get("quant_method")
        .and_then(Value::as_str)
        .unwrap_or("");
    let tensors = quantization
        .get("tensors")
        .map(|tensors| serde_json::from_value(tensors.clone()));
    match (method, tensors) {
        (GGML, Some(Ok(tensors))) => Ok(tensors),
        _ => {
            let rule = "weights are read in floats, or in ggml blocks (quant_method `ggml` with the type of each tensor)";
            Err(keys.invalid("quantization_config", quantization.to_string(), rule))
        }
    }
}

/// What most families share: a pre-normalised causal decoder without biases.
struct Sizes {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    head_dim: usize,
}

impl Sizes {
    /// Reads the sizes under the family's own keys.
    fn read(keys: &Keys, [hidden, layers, heads]: [&'static str; 3]) -> Result<Sizes> {
        let (hidden_size, num_attention_heads) = (keys.count(hidden)?, keys.count(heads)?);
        if num_attention_heads == 0 {
            return Err(keys.invalid(heads, "0".to_owned(), "it must be at least 1"));
        }
        let head_dim = match keys.count_if_set("head_dim")? {
            Some(head_dim) => head_dim,
            None if hidden_size.is_multiple_of(num_attention_heads) => hidden_size / num_attention_heads,
            None => {
                let rule = "without head_dim it must divide the hidden size";
                return Err(keys.invalid(heads, num_attention_heads.to_string(), rule));
            }
        };
        let num_hidden_layers = keys.count(layers)?;
        Ok(Sizes {
            hidden_size,
            num_hidden_layers,
            num_attention_heads,
            head_dim,
        })
    }

    /// A decoder of these sizes with everything that families set differently at its most common.
    fn decoder(self, family: Family, keys: &Keys) -> Result<TransformerConfig> {
        Ok(TransformerConfig {
            family,
            vocab_size: keys.count("vocab_size")?,
            hidden_size: self.hidden_size,
            intermediate_size: keys.count_or("intermediate_size", 4 * self.hidden_size)?,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            num_key_value_heads: keys.count_or("num_key_value_heads", self.num_attention_heads)?,
            head_dim: self.head_dim,
            max_position_embeddings: keys.count_or("max_position_embeddings", 2048)?,
            norm: NormConfig {
                kind: NormKind::Rms,
                eps: keys.number_or("rms_norm_eps", 1e-6)?,
            },
            norm_placement: NormPlacement::Pre,
            positions: Positions::Learned,
            activation: Activation::Silu,
            gated: true,
            bias: Biases::all(false),
            qk_norm: false,
            attention_scale: (self.head_dim as f64).sqrt().recip(),
            attention_softcap: None,
            logit_softcap: None,
            windows: vec![None; self.num_hidden_layers.min(1 << 16)],
            causal: true,
            embedding_scale: 1.0,
            type_vocab_size: 0,
            tie_word_embeddings: keys.flag_or("tie_word_embeddings", false)?,
            dropout: 0.0,
            initializer_range: keys.number_or("initializer_range", 0.02)?,
            block_types: block_types(keys)?,
            json: keys.map.clone(),
        })
    }
}

const LLAMA_SIZES: [&str; 3] = ["hidden_size", "num_hidden_layers", "num_attention_heads"];

fn gpt2(keys: &Keys) -> Result<TransformerConfig> {
    refuse(keys, "scale_attn_weights", true, true)?;
    refuse(keys, "scale_attn_by_inverse_layer_idx", false, false)?;
    refuse(keys, "add_cross_attention", false, false)?;
    let sizes = Sizes::read(keys, ["n_embd", "n_layer", "n_head"])?;
    let hidden_size = sizes.hidden_size;
    Ok(TransformerConfig {
        intermediate_size: keys.count_or("n_inner", 4 * hidden_size)?,
        max_position_embeddings: keys.count_or("n_positions", keys.count_or("n_ctx", 1024)?)?,
        norm: NormConfig {
            kind: NormKind::Layer,
            eps: keys.number_or("layer_norm_epsilon", 1e-5)?,
        },
        activation: activation(keys, "activation_function", "gelu_new")?,
        gated: false,
        bias: Biases::all(true),
        tie_word_embeddings: keys.flag_or("tie_word_embeddings", true)?,
        dropout: keys.number_or("resid_pdrop", 0.1)?,
        ..sizes.decoder(Family::Gpt2, keys)?
    })
}

fn bert(keys: &Keys) -> Result<TransformerConfig> {
    let absolute = keys.text_or("position_embedding_type", "absolute")?;
    if absolute != "absolute" {
        let rule = "this build computes absolute positions only";
        return Err(keys.invalid("position_embedding_type", absolute, rule));
    }
    refuse(keys, "is_decoder", false, false)?;
    Ok(TransformerConfig {
        max_position_embeddings: keys.count_or("max_position_embeddings", 512)?,
        norm: NormConfig {
            kind: NormKind::Layer,
            eps: keys.number_or("layer_norm_eps", 1e-12)?,
        },
        norm_placement: NormPlacement::Post,
        activation: activation(keys, "hidden_act", "gelu")?,
        gated: false,
        bias: Biases::all(true),
        causal: false,
        type_vocab_size: keys.count_or("type_vocab_size", 2)?,
        tie_word_embeddings: keys.flag_or("tie_word_embeddings", true)?,
        dropout: keys.number_or("hidden_dropout_prob", 0.1)?,
        ..Sizes::read(keys, LLAMA_SIZES)?.decoder(Family::Bert, keys)?
    })
}

/// The rotations of the layers.
fn rotary(keys: &Keys, config: &TransformerConfig) -> Result<Positions> {
    let (head_dim, longest) = (config.head_dim, config.max_position_embeddings);
    let invalid = |problem: RopeProblem| keys.invalid("rope_scaling", problem.value, problem.rule);
    let global = RopeParameters::from_huggingface(keys.map, head_dim, longest).map_err(invalid)?;
    let local = RopeParameters::local_from_huggingface(keys.map, head_dim, longest).map_err(invalid)?;
    Ok(Positions::Rotary { global, local })
}

fn llama_like(family: Family, keys: &Keys) -> Result<TransformerConfig> {
    let mut config = Sizes::read(keys, LLAMA_SIZES)?.decoder(family, keys)?;
    config.activation = activation(keys, "hidden_act", "silu")?;
    let attention = keys.flag_or("attention_bias", false)?;
    config.bias = Biases {
        qkv: attention,
        attention_output: attention,
        feed_forward: keys.flag_or("mlp_bias", false)?,
    };
    if family == Family::Mistral {
        config.max_position_embeddings = keys.count_or("max_position_embeddings", 4096 * 32)?;
        config.num_key_value_heads = keys.count_or("num_key_value_heads", 8)?;
        // A file that says nothing means the default of 4096; one that says null means none.
        let window = match keys.map.contains_key("sliding_window") {
            true => keys.count_if_set("sliding_window")?,
            false => Some(4096),
        };
        config.windows.fill(window);
    }
    config.positions = rotary(keys, &config)?;
    Ok(config)
}

fn qwen(family: Family, keys: &Keys) -> Result<TransformerConfig> {
    let mut config = Sizes::read(keys, LLAMA_SIZES)?.decoder(family, keys)?;
    config.max_position_embeddings = keys.count_or("max_position_embeddings", 32_768)?;
    config.activation = activation(keys, "hidden_act", "silu")?;
    config.num_key_value_heads = keys.count_or("num_key_value_heads", 32)?;
    if family == Family::Qwen3 {
        let attention = keys.flag_or("attention_bias", false)?;
        config.bias.qkv = attention;
        config.bias.attention_output = attention;
        config.qk_norm = true;
        config.head_dim = keys.count_or("head_dim", 128)?;
        config.attention_scale = (config.head_dim as f64).sqrt().recip();
    } else {
        config.bias.qkv = true;
    }
    if keys.flag_or("use_sliding_window", false)? {
        let window = keys.count_or("sliding_window", 4096)?;
        let first = keys.count_or("max_window_layers", 28)?;
        config.windows = layer_windows(keys, &config, window, |layer| layer >= first)?;
    }
    config.positions = rotary(keys, &config)?;
    Ok(config)
}

/// The window of each layer: by `layer_types` where it is given, else by the family's rule.
fn layer_windows(
    keys: &Keys,
    config: &TransformerConfig,
    window: usize,
    slides: impl Fn(usize) -> bool,
) -> Result<Vec<Option<usize>>> {
    let layers = config.windows.len();
    let Some(types) = keys.texts_if_set("layer_types")? else {
        return Ok((0..layers).map(|layer| slides(layer).then_some(window)).collect());
    };
    let known = |kind: &String| kind == "full_attention" || kind == "sliding_attention";
    if types.len() != layers || !types.iter().all(known) {
        let rule = "one of full_attention and sliding_attention for each layer";
        return Err(keys.invalid("layer_types", format!("{types:?}"), rule));
    }
    Ok(types
        .iter()
        .map(|kind| (kind == "sliding_attention").then_some(window))
        .collect())
}

fn gemma(family: Family, keys: &Keys) -> Result<TransformerConfig> {
    let mut config = Sizes::read(keys, LLAMA_SIZES)?.decoder(family, keys)?;
    let third = family == Family::Gemma3Text;
    config.head_dim = keys.count_or("head_dim", 256)?;
    config.num_key_value_heads = keys.count_or("num_key_value_heads", 4)?;
    config.max_position_embeddings =
        keys.count_or("max_position_embeddings", if third { 131_072 } else { 8192 })?;
    let key = if keys.has("hidden_activation") {
        "hidden_activation"
    } else {
        "hidden_act"
    };
    config.activation = activation(keys, key, "gelu_pytorch_tanh")?;
    config.norm.kind = NormKind::RmsUnitOffset;
    config.norm_placement = NormPlacement::Sandwich;
    let attention = keys.flag_or("attention_bias", false)?;
    config.bias.qkv = attention;
    config.bias.attention_output = attention;
    config.qk_norm = third;
    config.tie_word_embeddings = keys.flag_or("tie_word_embeddings", true)?;
    config.embedding_scale = (config.hidden_size as f64).sqrt();
    config.attention_scale = keys.number_or("query_pre_attn_scalar", 256.0)?.sqrt().recip();
    let cap = |key, default: Option<f64>| match keys.map.contains_key(key) {
        true => keys.number_if_set(key),
        false => Ok(default),
    };
    config.attention_softcap = cap("attn_logit_softcapping", (!third).then_some(50.0))?;
    config.logit_softcap = cap("final_logit_softcapping", (!third).then_some(30.0))?;
    let window = keys.count_or("sliding_window", 4096)?;
    let pattern = keys
        .count_or("sliding_window_pattern", if third { 6 } else { 2 })?
        .max(1);
    config.windows = layer_windows(keys, &config, window, |layer| {
        !(layer + 1).is_multiple_of(pattern)
    })?;
    config.positions = rotary(keys, &config)?;
    if let Positions::Rotary { local, .. } = &mut config.positions
        && third
    {
        // Without a base of their own, layers with a window keep the usual one.
        local.get_or_insert_with(|| RopeParameters::unscaled(10_000.0, config.head_dim));
    }
    Ok(config)
}
