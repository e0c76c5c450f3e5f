//! What each architecture's tensors are called on both sides. Tables.

use crate::foreign::gguf::architecture::Layout::{Gain, KeyRows, QueryRows, Same, Transposed};
use crate::foreign::gguf::architecture::{Layout, Name};

const fn name(gguf: &'static str, hugging_face: &'static str, layout: Layout) -> Name {
    Name {
        gguf,
        hugging_face,
        layout,
    }
}

pub(super) const LLAMA: [Name; 12] = [
    name("token_embd", "model.embed_tokens", Same),
    name("output_norm", "model.norm", Same),
    name("output", "lm_head", Same),
    name("blk.{}.attn_norm", "model.layers.{}.input_layernorm", Same),
    name("blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", QueryRows),
    name("blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", KeyRows),
    name("blk.{}.attn_v", "model.layers.{}.self_attn.v_proj", Same),
    name("blk.{}.attn_output", "model.layers.{}.self_attn.o_proj", Same),
    name(
        "blk.{}.ffn_norm",
        "model.layers.{}.post_attention_layernorm",
        Same,
    ),
    name("blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj", Same),
    name("blk.{}.ffn_up", "model.layers.{}.mlp.up_proj", Same),
    name("blk.{}.ffn_down", "model.layers.{}.mlp.down_proj", Same),
];

pub(super) const QWEN: [Name; 14] = [
    name("token_embd", "model.embed_tokens", Same),
    name("output_norm", "model.norm", Same),
    name("output", "lm_head", Same),
    name("blk.{}.attn_norm", "model.layers.{}.input_layernorm", Same),
    name("blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", Same),
    name("blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", Same),
    name("blk.{}.attn_v", "model.layers.{}.self_attn.v_proj", Same),
    name("blk.{}.attn_output", "model.layers.{}.self_attn.o_proj", Same),
    name("blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", Same),
    name("blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", Same),
    name(
        "blk.{}.ffn_norm",
        "model.layers.{}.post_attention_layernorm",
        Same,
    ),
    name("blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj", Same),
    name("blk.{}.ffn_up", "model.layers.{}.mlp.up_proj", Same),
    name("blk.{}.ffn_down", "model.layers.{}.mlp.down_proj", Same),
];

pub(super) const GEMMA: [Name; 16] = [
    name("token_embd", "model.embed_tokens", Same),
    name("output_norm", "model.norm", Gain),
    name("output", "lm_head", Same),
    name("blk.{}.attn_norm", "model.layers.{}.input_layernorm", Gain),
    name("blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", Same),
    name("blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", Same),
    name("blk.{}.attn_v", "model.layers.{}.self_attn.v_proj", Same),
    name("blk.{}.attn_output", "model.layers.{}.self_attn.o_proj", Same),
    name("blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", Gain),
    name("blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", Gain),
    name(
        "blk.{}.post_attention_norm",
        "model.layers.{}.post_attention_layernorm",
        Gain,
    ),
    name(
        "blk.{}.ffn_norm",
        "model.layers.{}.pre_feedforward_layernorm",
        Gain,
    ),
    name(
        "blk.{}.post_ffw_norm",
        "model.layers.{}.post_feedforward_layernorm",
        Gain,
    ),
    name("blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj", Same),
    name("blk.{}.ffn_up", "model.layers.{}.mlp.up_proj", Same),
    name("blk.{}.ffn_down", "model.layers.{}.mlp.down_proj", Same),
];

pub(super) const GPT2: [Name; 10] = [
    name("token_embd", "transformer.wte", Same),
    name("position_embd", "transformer.wpe", Same),
    name("output_norm", "transformer.ln_f", Same),
    name("output", "lm_head", Same),
    name("blk.{}.attn_norm", "transformer.h.{}.ln_1", Same),
    name("blk.{}.attn_qkv", "transformer.h.{}.attn.c_attn", Transposed),
    name("blk.{}.attn_output", "transformer.h.{}.attn.c_proj", Transposed),
    name("blk.{}.ffn_norm", "transformer.h.{}.ln_2", Same),
    name("blk.{}.ffn_up", "transformer.h.{}.mlp.c_fc", Transposed),
    name("blk.{}.ffn_down", "transformer.h.{}.mlp.c_proj", Transposed),
];

pub(super) const BERT: [Name; 12] = [
    name("token_embd", "embeddings.word_embeddings", Same),
    name("token_types", "embeddings.token_type_embeddings", Same),
    name("position_embd", "embeddings.position_embeddings", Same),
    name("token_embd_norm", "embeddings.LayerNorm", Same),
    name("blk.{}.attn_q", "encoder.layer.{}.attention.self.query", Same),
    name("blk.{}.attn_k", "encoder.layer.{}.attention.self.key", Same),
    name("blk.{}.attn_v", "encoder.layer.{}.attention.self.value", Same),
    name(
        "blk.{}.attn_output",
        "encoder.layer.{}.attention.output.dense",
        Same,
    ),
    name(
        "blk.{}.attn_output_norm",
        "encoder.layer.{}.attention.output.LayerNorm",
        Same,
    ),
    name("blk.{}.ffn_up", "encoder.layer.{}.intermediate.dense", Same),
    name("blk.{}.ffn_down", "encoder.layer.{}.output.dense", Same),
    name(
        "blk.{}.layer_output_norm",
        "encoder.layer.{}.output.LayerNorm",
        Same,
    ),
];
