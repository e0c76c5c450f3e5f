//! The `[model]` of a language model: Hugging Face's keys, as `config.json` has them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The keys of the families that can be trained from nothing. Whatever `config.json` says besides them is about how a
/// model is used, and a key that is not read would be a setting without effect.
const KEYS: [&str; 40] = [
    "activation_function",
    "attention_bias",
    "attention_dropout",
    "attn_logit_softcapping",
    "attn_pdrop",
    "embd_pdrop",
    "final_logit_softcapping",
    "head_dim",
    "hidden_act",
    "hidden_activation",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_norm_epsilon",
    "layer_types",
    "max_position_embeddings",
    "max_window_layers",
    "mlp_bias",
    "model_type",
    "n_ctx",
    "n_embd",
    "n_head",
    "n_inner",
    "n_layer",
    "n_positions",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "query_pre_attn_scalar",
    "resid_pdrop",
    "rms_norm_eps",
    "rope_local_base_freq",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "sliding_window_pattern",
    "summary_first_dropout",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
];

/// What a transformer is made from, before the data complete it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TransformerSettings {
    keys: Map<String, Value>,
}

impl<'de> Deserialize<'de> for TransformerSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = Map::deserialize(deserializer)?;
        match keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
            Some(unknown) => Err(D::Error::unknown_field(unknown, &KEYS)),
            None => Ok(TransformerSettings { keys }),
        }
    }
}

impl TransformerSettings {
    /// The family, `model_type`.
    pub fn model_type(&self) -> &str {
        self.keys
            .get("model_type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The number under a key, where one is given.
    pub fn count(&self, key: &str) -> Option<usize> {
        self.keys.get(key)?.as_u64().map(|count| count as usize)
    }

    /// The key that limits a sequence's length: each family has its own.
    pub fn context_key(&self) -> &'static str {
        match self.model_type() {
            "gpt2" => "n_positions",
            _ => "max_position_embeddings",
        }
    }

    /// As `config.json`, with keys that are not given filled in.
    pub fn completed(&self, defaults: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
        let mut keys = self.keys.clone();
        for (key, value) in defaults {
            keys.entry(key).or_insert(value);
        }
        Value::Object(keys)
    }
}
