//! Small differences between published files, mended as `transformers` mends them while loading.

use serde_json::Value;

use crate::foreign::ForeignTensor;

/// What is known of how a family's published files differ.
struct Family {
    /// `model_type` in the config.
    model_types: &'static [&'static str],
    /// What the causal language model class puts before the base model's names; some files lack it.
    prefix: &'static str,
    /// Whether the embedding is the output matrix when the config does not say.
    tied: bool,
}

const CAUSAL: [Family; 3] = [
    Family {
        model_types: &["gpt2"],
        prefix: "transformer.",
        tied: true,
    },
    Family {
        model_types: &["llama", "mistral", "qwen2", "qwen3"],
        prefix: "model.",
        tied: false,
    },
    Family {
        model_types: &["gemma", "gemma2", "gemma3_text"],
        prefix: "model.",
        tied: true,
    },
];

/// The output matrix, which stands beside the base model.
const OUTPUT: &str = "lm_head.weight";

/// Endings of names that are no parameters but tables that old versions stored.
const BUFFERS: [&str; 5] = [
    ".attn.bias",
    ".attn.masked_bias",
    ".rotary_emb.inv_freq",
    "embeddings.position_ids",
    "embeddings.token_type_ids",
];

/// Gives tensors the names that the model's class has for them, and drops what it does not load.
pub(super) fn normalize(config: &Value, tensors: &mut Vec<ForeignTensor>) {
    let model_type = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if model_type == "bert" {
        drop_buffers(tensors);
        strip_prefix(tensors, "bert.");
        return;
    }
    let Some(family) = CAUSAL
        .iter()
        .find(|family| family.model_types.contains(&model_type))
    else {
        return;
    };
    drop_buffers(tensors);
    if !tensors
        .iter()
        .any(|tensor| tensor.name().starts_with(family.prefix))
    {
        add_prefix(tensors, family.prefix);
    }
    let tied = config.get("tie_word_embeddings").and_then(Value::as_bool);
    if tied.unwrap_or(family.tied) {
        tensors.retain(|tensor| tensor.name() != OUTPUT);
    }
}

fn drop_buffers(tensors: &mut Vec<ForeignTensor>) {
    tensors.retain(|tensor| !BUFFERS.iter().any(|buffer| tensor.name().ends_with(buffer)));
}

fn add_prefix(tensors: &mut [ForeignTensor], prefix: &str) {
    for tensor in tensors.iter_mut().filter(|tensor| tensor.name() != OUTPUT) {
        let name = format!("{prefix}{}", tensor.name());
        tensor.rename(name);
    }
}

/// Takes the prefix off, unless a tensor without it has the name already.
fn strip_prefix(tensors: &mut [ForeignTensor], prefix: &str) {
    let bare: std::collections::BTreeSet<String> =
        tensors.iter().map(|tensor| tensor.name().to_owned()).collect();
    for tensor in tensors {
        match tensor.name().strip_prefix(prefix) {
            Some(name) if !bare.contains(name) => {
                let name = name.to_owned();
                tensor.rename(name);
            }
            Some(_) | None => {}
        }
    }
}
