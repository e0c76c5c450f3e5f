//! The families and the names that their files give to tensors.

use serde::{Deserialize, Serialize};

/// A family of transformers by Hugging Face's `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// GPT-2 (Radford et al. 2019).
    Gpt2,
    /// Llama 1 to 3 (Touvron et al. 2023) and what shares its layers, such as SmolLM2.
    Llama,
    /// Mistral 7B (Jiang et al. 2023).
    Mistral,
    /// Qwen 2 and 2.5 (Yang et al. 2024).
    Qwen2,
    /// Qwen 3 (Yang et al. 2025).
    Qwen3,
    /// Gemma 2 (Gemma Team 2024).
    Gemma2,
    /// Gemma 3, its text model (Gemma Team 2025).
    Gemma3Text,
    /// BERT (Devlin et al. 2018) and what shares its layers, such as MiniLM.
    Bert,
}

impl Family {
    /// Every family.
    pub const ALL: [Family; 8] = [
        Family::Gpt2,
        Family::Llama,
        Family::Mistral,
        Family::Qwen2,
        Family::Qwen3,
        Family::Gemma2,
        Family::Gemma3Text,
        Family::Bert,
    ];

    /// The family of a `model_type`, if it is one of these.
    pub fn from_name(model_type: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.name() == model_type)
    }

    /// The `model_type` in `config.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Gpt2 => "gpt2",
            Family::Llama => "llama",
            Family::Mistral => "mistral",
            Family::Qwen2 => "qwen2",
            Family::Qwen3 => "qwen3",
            Family::Gemma2 => "gemma2",
            Family::Gemma3Text => "gemma3_text",
            Family::Bert => "bert",
        }
    }

    /// The class that Hugging Face's `architectures` names.
    pub const fn architecture(self) -> &'static str {
        match self {
            Family::Gpt2 => "GPT2LMHeadModel",
            Family::Llama => "LlamaForCausalLM",
            Family::Mistral => "MistralForCausalLM",
            Family::Qwen2 => "Qwen2ForCausalLM",
            Family::Qwen3 => "Qwen3ForCausalLM",
            Family::Gemma2 => "Gemma2ForCausalLM",
            Family::Gemma3Text => "Gemma3ForCausalLM",
            Family::Bert => "BertModel",
        }
    }

    /// Whether files hold queries, keys and values in one tensor.
    pub(super) const fn fuses_query_key_value(self) -> bool {
        match self {
            Family::Gpt2 => true,
            Family::Llama
            | Family::Mistral
            | Family::Qwen2
            | Family::Qwen3
            | Family::Gemma2
            | Family::Gemma3Text
            | Family::Bert => false,
        }
    }

    pub(super) const fn names(self) -> &'static Names {
        match self {
            Family::Gpt2 => &GPT2,
            Family::Llama | Family::Mistral | Family::Qwen2 | Family::Qwen3 => &LLAMA,
            Family::Gemma2 | Family::Gemma3Text => &GEMMA,
            Family::Bert => &BERT,
        }
    }
}

/// Where the parts of a model stand in its family's files: dotted paths, those inside a block after the block's own.
#[derive(Debug)]
pub(super) struct Names {
    pub token_embedding: &'static str,
    pub position_embedding: &'static str,
    pub token_type_embedding: &'static str,
    pub embedding_norm: &'static str,
    /// Followed by the number of the block.
    pub blocks: &'static str,
    pub final_norm: &'static str,
    pub pooler: &'static str,
    pub head: &'static str,
    pub block: BlockNames,
}

/// Paths inside a block. An empty one names a part that the family has not.
#[derive(Debug)]
pub(super) struct BlockNames {
    pub attention_norm: &'static str,
    pub query: &'static str,
    pub key: &'static str,
    pub value: &'static str,
    pub query_norm: &'static str,
    pub key_norm: &'static str,
    pub attention_output: &'static str,
    pub post_attention_norm: &'static str,
    pub feed_forward_norm: &'static str,
    pub gate: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub post_feed_forward_norm: &'static str,
}

/// Queries, keys and values lie in one tensor `attn.c_attn` in files, see [`super::gpt2`].
const GPT2: Names = Names {
    token_embedding: "transformer.wte",
    position_embedding: "transformer.wpe",
    token_type_embedding: "",
    embedding_norm: "",
    blocks: "transformer.h",
    final_norm: "transformer.ln_f",
    pooler: "",
    head: "lm_head",
    block: BlockNames {
        attention_norm: "ln_1",
        query: "attn.c_attn.query",
        key: "attn.c_attn.key",
        value: "attn.c_attn.value",
        query_norm: "",
        key_norm: "",
        attention_output: "attn.c_proj",
        post_attention_norm: "",
        feed_forward_norm: "ln_2",
        gate: "",
        up: "mlp.c_fc",
        down: "mlp.c_proj",
        post_feed_forward_norm: "",
    },
};

const LLAMA: Names = Names {
    token_embedding: "model.embed_tokens",
    position_embedding: "",
    token_type_embedding: "",
    embedding_norm: "",
    blocks: "model.layers",
    final_norm: "model.norm",
    pooler: "",
    head: "lm_head",
    block: BlockNames {
        attention_norm: "input_layernorm",
        query: "self_attn.q_proj",
        key: "self_attn.k_proj",
        value: "self_attn.v_proj",
        query_norm: "self_attn.q_norm",
        key_norm: "self_attn.k_norm",
        attention_output: "self_attn.o_proj",
        post_attention_norm: "",
        feed_forward_norm: "post_attention_layernorm",
        gate: "mlp.gate_proj",
        up: "mlp.up_proj",
        down: "mlp.down_proj",
        post_feed_forward_norm: "",
    },
};

const GEMMA: Names = Names {
    block: BlockNames {
        post_attention_norm: "post_attention_layernorm",
        feed_forward_norm: "pre_feedforward_layernorm",
        post_feed_forward_norm: "post_feedforward_layernorm",
        ..LLAMA.block
    },
    ..LLAMA
};

const BERT: Names = Names {
    token_embedding: "embeddings.word_embeddings",
    position_embedding: "embeddings.position_embeddings",
    token_type_embedding: "embeddings.token_type_embeddings",
    embedding_norm: "embeddings.LayerNorm",
    blocks: "encoder.layer",
    final_norm: "",
    pooler: "pooler.dense",
    head: "",
    block: BlockNames {
        attention_norm: "attention.output.LayerNorm",
        query: "attention.self.query",
        key: "attention.self.key",
        value: "attention.self.value",
        query_norm: "",
        key_norm: "",
        attention_output: "attention.output.dense",
        post_attention_norm: "",
        feed_forward_norm: "output.LayerNorm",
        gate: "",
        up: "intermediate.dense",
        down: "output.dense",
        post_feed_forward_norm: "",
    },
};
