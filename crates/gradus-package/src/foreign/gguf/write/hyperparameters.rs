//! A config in the words of GGUF's metadata.

use serde_json::{Map, Value};

use crate::foreign::gguf::GgufProblem;
use crate::foreign::gguf::architecture::{
    Architecture, Family, LONG_FACTORS, ROPE_FREQS, SHORT_FACTORS, llama3_factors,
};
use crate::foreign::gguf::write::keys::Keys;

/// What a file says of a model's shape, read from a config and checked.
pub(super) struct Hyperparameters<'a> {
    config: &'a Map<String, Value>,
    pub(super) architecture: &'static Architecture,
    pub(super) heads: u64,
    pub(super) kv_heads: u64,
    layers: u64,
    context: u64,
    width: u64,
    feed_forward: u64,
    head_dim: u64,
    rope: Rope,
}

/// The rotation: its base and how it is scaled.
struct Rope {
    base: Option<f64>,
    /// The base of Gemma's layers that see a window.
    local_base: Option<f64>,
    scaling: Scaling,
}

enum Scaling {
    None,
    Linear {
        factor: f64,
    },
    Yarn {
        factor: f64,
        original: u64,
        attention: Option<f64>,
        betas: [Option<f64>; 2],
    },
    LongRope {
        long: Vec<f32>,
        short: Vec<f32>,
        original: u64,
        attention: f64,
    },
    Llama3 {
        factors: Vec<f32>,
    },
}

fn wrong(key: &str, expected: &'static str) -> GgufProblem {
    GgufProblem::Value {
        key: key.to_owned(),
        expected,
    }
}

impl<'a> Hyperparameters<'a> {
    pub(super) fn new(
        config: &'a Value,
        architecture: &'static Architecture,
    ) -> Result<Hyperparameters<'a>, GgufProblem> {
        let config = config
            .as_object()
            .ok_or_else(|| wrong("config.json", "an object"))?;
        let required = |names: &[&str]| {
            let found = names.iter().find_map(|name| config.get(*name)?.as_u64());
            found
                .filter(|&number| number <= u64::from(u32::MAX))
                .ok_or_else(|| wrong(names[0], "a number of 32 bits"))
        };
        let optional = |name: &str| config.get(name).and_then(Value::as_u64);
        let heads = required(&["num_attention_heads", "n_head"])?;
        let width = required(&["hidden_size", "n_embd"])?;
        let feed_forward = match optional("n_inner").or(optional("intermediate_size")) {
            Some(feed_forward) => feed_forward,
            None if architecture.family == Family::Gpt2 => 4 * width,
            None => return Err(wrong("intermediate_size", "a number")),
        };
        let head_dim = optional("head_dim").or(width.checked_div(heads));
        let head_dim = head_dim.ok_or_else(|| wrong("num_attention_heads", "above zero"))?;
        let context = required(&["max_position_embeddings", "n_positions", "n_ctx"])?;
        if optional("num_local_experts")
            .or(optional("num_experts"))
            .unwrap_or(0)
            > 0
        {
            return Err(GgufProblem::Variant {
                what: "layers are mixtures of experts",
            });
        }
        Ok(Hyperparameters {
            config,
            architecture,
            heads,
            kv_heads: optional("num_key_value_heads").unwrap_or(heads),
            layers: required(&["num_hidden_layers", "n_layer"])?,
            context,
            width,
            feed_forward,
            head_dim,
            rope: Rope::new(config, head_dim, context)?,
        })
    }

    /// The tensors that say how rotations are scaled.
    pub(super) fn factors(&self) -> Vec<(&'static str, Vec<f32>)> {
        match &self.rope.scaling {
            Scaling::Llama3 { factors } => vec![(ROPE_FREQS, factors.clone())],
            Scaling::LongRope { long, short, .. } => {
                vec![(LONG_FACTORS, long.clone()), (SHORT_FACTORS, short.clone())]
            }
            Scaling::None | Scaling::Linear { .. } | Scaling::Yarn { .. } => Vec::new(),
        }
    }

    /// Writes the general keys and those of the architecture.
    pub(super) fn write(&self, keys: &mut Keys, file_type: u32, vocabulary: usize) {
        /// The version of ggml's blocks, which a reader checks.
        const BLOCKS_VERSION: u32 = 2;
        let name = self.architecture.name;
        keys.text("general.architecture", name);
        keys.text("general.type", "model");
        if let Some(named) = self
            .config
            .get("_name_or_path")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
        {
            keys.text("general.name", named);
        }
        keys.u32("general.file_type", file_type);
        keys.u32("general.quantization_version", BLOCKS_VERSION);
        let mut number = |key: &str, number: u64| keys.u32(&format!("{name}.{key}"), number as u32);
        number("block_count", self.layers);
        number("context_length", self.context);
        number("embedding_length", self.width);
        number("feed_forward_length", self.feed_forward);
        number("attention.head_count", self.heads);
        number("attention.head_count_kv", self.kv_heads);
        number("vocab_size", vocabulary as u64);
        match self.architecture.family {
            Family::Gpt2 => self.write_norm(keys, "layer_norm_epsilon", 1e-5),
            Family::Bert => self.write_bert(keys),
            Family::Llama | Family::Qwen2 | Family::Qwen3 => self.write_decoder(keys),
            Family::Gemma2 | Family::Gemma3 => {
                self.write_decoder(keys);
                self.write_gemma(keys);
            }
        }
    }

    fn float(&self, name: &str) -> Option<f64> {
        self.config.get(name).and_then(Value::as_f64)
    }

    fn write_norm(&self, keys: &mut Keys, name: &str, default: f64) {
        let key = format!("{}.attention.layer_norm_epsilon", self.architecture.name);
        keys.f32(&key, self.float(name).unwrap_or(default));
    }

    fn write_bert(&self, keys: &mut Keys) {
        self.write_norm(keys, "layer_norm_eps", 1e-12);
        keys.bool("bert.attention.causal", false);
        // Mean pooling, which sentence models of this family use.
        keys.u32("bert.pooling_type", 1);
        let types = self.config.get("type_vocab_size").and_then(Value::as_u64);
        keys.u32("tokenizer.ggml.token_type_count", types.unwrap_or(2) as u32);
    }

    fn write_decoder(&self, keys: &mut Keys) {
        let name = self.architecture.name;
        let key = |key: &str| format!("{name}.{key}");
        keys.u32(&key("attention.key_length"), self.head_dim as u32);
        keys.u32(&key("attention.value_length"), self.head_dim as u32);
        keys.u32(&key("rope.dimension_count"), self.head_dim as u32);
        keys.f32(
            &key("attention.layer_norm_rms_epsilon"),
            self.float("rms_norm_eps").unwrap_or(1e-6),
        );
        if let Some(base) = self.rope.base {
            keys.f32(&key("rope.freq_base"), base);
        }
        match &self.rope.scaling {
            Scaling::None | Scaling::Llama3 { .. } => {}
            Scaling::Linear { factor } => {
                keys.text(&key("rope.scaling.type"), "linear");
                keys.f32(&key("rope.scaling.factor"), *factor);
            }
            Scaling::Yarn {
                factor,
                original,
                attention,
                betas,
            } => {
                keys.text(&key("rope.scaling.type"), "yarn");
                keys.f32(&key("rope.scaling.factor"), *factor);
                keys.u32(&key("rope.scaling.original_context_length"), *original as u32);
                let [fast, slow] = *betas;
                for (name, value) in [
                    ("yarn_attn_factor", *attention),
                    ("yarn_beta_fast", fast),
                    ("yarn_beta_slow", slow),
                ] {
                    if let Some(value) = value {
                        keys.f32(&key(&format!("rope.scaling.{name}")), value);
                    }
                }
            }
            Scaling::LongRope {
                original, attention, ..
            } => {
                keys.text(&key("rope.scaling.type"), "longrope");
                keys.u32(&key("rope.scaling.original_context_length"), *original as u32);
                keys.f32(&key("rope.scaling.attn_factor"), *attention);
            }
        }
        let window = self.config.get("sliding_window").and_then(Value::as_u64);
        if let (Some(window), Family::Llama) = (window, self.architecture.family) {
            // llama.cpp has no window for llamas and attends to all; readers that have one find it here.
            keys.u32(&key("attention.sliding_window"), window as u32);
        }
    }

    fn write_gemma(&self, keys: &mut Keys) {
        let name = self.architecture.name;
        let key = |key: &str| format!("{name}.{key}");
        for softcap in ["attn_logit_softcapping", "final_logit_softcapping"] {
            if let Some(value) = self.float(softcap) {
                keys.f32(&key(softcap), value);
            }
        }
        if let Some(window) = self.config.get("sliding_window").and_then(Value::as_u64) {
            keys.u32(&key("attention.sliding_window"), window as u32);
        }
        if let Some(types) = self.config.get("layer_types").and_then(Value::as_array) {
            let sliding: Vec<bool> = types.iter().map(|kind| kind == "sliding_attention").collect();
            keys.bools(&key("attention.sliding_window_pattern"), &sliding);
        }
        if let Some(local) = self.rope.local_base {
            keys.f32(&key("rope.freq_base_swa"), local);
        }
    }
}

impl Rope {
    /// Reads `rope_theta` and `rope_scaling`, or the `rope_parameters` of newer configs, which hold both and may be
    /// given for each kind of layer.
    fn new(config: &Map<String, Value>, head_dim: u64, context: u64) -> Result<Rope, GgufProblem> {
        let newer = config.get("rope_parameters").and_then(Value::as_object);
        let by_layer = |kind: &str| newer.and_then(|newer| newer.get(kind)).and_then(Value::as_object);
        let parameters = by_layer("full_attention").or(newer);
        let parameters = parameters.or(config.get("rope_scaling").and_then(Value::as_object));
        let in_parameters = |name: &str| {
            parameters
                .and_then(|parameters| parameters.get(name))
                .and_then(Value::as_f64)
        };
        let base = in_parameters("rope_theta").or(config.get("rope_theta").and_then(Value::as_f64));
        let local = by_layer("sliding_attention").and_then(|local| local.get("rope_theta"));
        let local = local
            .or(config.get("rope_local_base_freq"))
            .and_then(Value::as_f64);
        let scaling = match parameters {
            Some(parameters) => Scaling::new(parameters, base.unwrap_or(10000.0), head_dim, context)?,
            None => Scaling::None,
        };
        Ok(Rope {
            base,
            local_base: local,
            scaling,
        })
    }
}

impl Scaling {
    fn new(
        parameters: &Map<String, Value>,
        base: f64,
        head_dim: u64,
        context: u64,
    ) -> Result<Scaling, GgufProblem> {
        let kind = parameters
            .get("rope_type")
            .or(parameters.get("type"))
            .and_then(Value::as_str);
        let float = |name: &str| parameters.get(name).and_then(Value::as_f64);
        let required = |name: &str| float(name).ok_or_else(|| wrong(name, "a number"));
        let original = float("original_max_position_embeddings").map(|original| original as u64);
        match kind.unwrap_or("default") {
            "default" => Ok(Scaling::None),
            "linear" => Ok(Scaling::Linear {
                factor: required("factor")?,
            }),
            "yarn" => Ok(Scaling::Yarn {
                factor: required("factor")?,
                original: original.unwrap_or(context),
                attention: float("attention_factor"),
                betas: [float("beta_fast"), float("beta_slow")],
            }),
            "llama3" => {
                let scaling = [
                    required("factor")?,
                    required("low_freq_factor")?,
                    required("high_freq_factor")?,
                    original.unwrap_or(context) as f64,
                ];
                Ok(Scaling::Llama3 {
                    factors: llama3_factors(head_dim as usize, base, scaling),
                })
            }
            "longrope" | "su" => {
                Scaling::longrope(parameters, original.unwrap_or(context), head_dim, context)
            }
            _ => Err(GgufProblem::Variant {
                what: "rotations are scaled in a way of their own (`rope_type`)",
            }),
        }
    }

    fn longrope(
        parameters: &Map<String, Value>,
        original: u64,
        head_dim: u64,
        context: u64,
    ) -> Result<Scaling, GgufProblem> {
        let list = |name: &str| -> Result<Vec<f32>, GgufProblem> {
            let listed = parameters.get(name).and_then(Value::as_array);
            let numbers = listed.map(|listed| {
                listed
                    .iter()
                    .filter_map(Value::as_f64)
                    .map(|factor| factor as f32)
            });
            let numbers: Option<Vec<f32>> = numbers.map(Iterator::collect);
            let fits = numbers.filter(|numbers| numbers.len() as u64 * 2 == head_dim);
            fits.ok_or_else(|| wrong(name, "a factor for each pair of a head"))
        };
        let float = |name: &str| parameters.get(name).and_then(Value::as_f64);
        let factor = float("factor").unwrap_or(context as f64 / original.max(1) as f64);
        // As `transformers` computes it where the config does not say.
        let by_default = if factor <= 1.0 {
            1.0
        } else {
            (1.0 + factor.ln() / (original as f64).ln()).sqrt()
        };
        Ok(Scaling::LongRope {
            long: list("long_factor")?,
            short: list("short_factor")?,
            original,
            attention: float("attention_factor").unwrap_or(by_default),
        })
    }
}
