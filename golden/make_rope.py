"""Golden answers for `rope.json`: inverse frequencies of rotary embedding, by transformers' `modeling_rope_utils`.

Each case holds the keys of a `config.json` as published models write them, in the old and in the new spelling, and what
transformers computes from them for a text of `seq_len` tokens; `local` cases are those of layers with a window.
"""

import copy

import transformers
from transformers import Gemma3TextConfig, LlamaConfig, Phi3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from golden_file import versions, write_json

BASE = {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 16, "max_position_embeddings": 512}
LONG = [1.0 + 0.5 * i for i in range(8)]
SHORT = [1.0 + 0.1 * i for i in range(8)]
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128}
YARN = {"factor": 4.0, "original_max_position_embeddings": 128}

# name, config class, keys, lengths of text, layer type
CASES = [
    ("default", LlamaConfig, {"rope_theta": 500000.0}, [1], None),
    ("default_null", LlamaConfig, {"rope_theta": 10000.0, "rope_scaling": None}, [1], None),
    ("default_new", LlamaConfig, {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, [1], None),
    ("partial", Phi3Config, {"rope_theta": 10000.0, "partial_rotary_factor": 0.75, "pad_token_id": 0}, [1], None),
    ("linear", LlamaConfig, {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.5}}, [1], None),
    ("linear_new", LlamaConfig, {"rope_parameters": {"rope_type": "linear", "factor": 4, "rope_theta": 1e4}}, [1], None),
    ("dynamic", LlamaConfig, {"rope_theta": 10000.0, "rope_scaling": {"type": "dynamic", "factor": 2.0}}, [1, 512, 513, 2000], None),
    ("yarn", LlamaConfig, {"rope_theta": 1e6, "rope_scaling": {"type": "yarn", **YARN}}, [1], None),
    ("yarn_open", LlamaConfig, {"rope_theta": 1e4, "rope_scaling": {"rope_type": "yarn", **YARN, "truncate": False, "beta_fast": 16, "beta_slow": 2}}, [1], None),
    ("yarn_mscale", LlamaConfig, {"rope_theta": 1e4, "rope_scaling": {"rope_type": "yarn", **YARN, "mscale": 0.707, "mscale_all_dim": 1.2}}, [1], None),
    ("yarn_attention", LlamaConfig, {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, **YARN, "attention_factor": 1.1}}, [1], None),
    ("longrope", Phi3Config, {"rope_theta": 1e4, "original_max_position_embeddings": 64, "pad_token_id": 0,
                              "rope_scaling": {"type": "longrope", "short_factor": SHORT, "long_factor": LONG}}, [1, 64, 65], None),
    ("longrope_factor", LlamaConfig, {"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4, "factor": 3.0, "short_factor": SHORT,
                                                          "long_factor": LONG, "original_max_position_embeddings": 128}}, [1, 129], None),
    ("llama3", LlamaConfig, {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", **LLAMA3}}, [1], None),
    ("llama3_new", LlamaConfig, {"rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA3}}, [1], None),
    ("proportional", LlamaConfig, {"rope_parameters": {"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 0.25}}, [1], None),
    ("gemma3_old", Gemma3TextConfig, {"rope_theta": 1e6, "rope_local_base_freq": 5000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}, [1],
     "full_attention"),
    ("gemma3_old_local", Gemma3TextConfig, {"rope_theta": 1e6, "rope_local_base_freq": 5000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}, [1],
     "sliding_attention"),
    ("gemma3_new", Gemma3TextConfig, {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                                                          "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}}, [1], "full_attention"),
    ("gemma3_new_local", Gemma3TextConfig, {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                                                                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}}, [1], "sliding_attention"),
]


def default_frequencies(config, layer_type):
    """The unscaled rotation, which transformers keeps in each model's file."""
    from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
    from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

    embedding = {LlamaConfig: LlamaRotaryEmbedding, Phi3Config: Phi3RotaryEmbedding, Gemma3TextConfig: Gemma3RotaryEmbedding}[type(config)]
    arguments = {} if layer_type is None else {"layer_type": layer_type}
    return embedding.compute_default_rope_parameters(config, **arguments)


def main():
    cases = []
    for name, config_class, keys, lengths, layer_type in CASES:
        written = BASE | keys
        config = config_class(**copy.deepcopy(written))
        parameters = config.rope_parameters[layer_type] if layer_type else config.rope_parameters
        kind = parameters["rope_type"]
        for seq_len in lengths:
            if kind == "default":
                inverse, scaling = default_frequencies(config, layer_type)
            else:
                arguments = {} if layer_type is None else {"layer_type": layer_type}
                inverse, scaling = ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=seq_len, **arguments)
            cases.append({"name": f"{name}.{seq_len}", "config": written, "local": layer_type == "sliding_attention", "seq_len": seq_len,
                          "inverse": inverse.double().tolist(), "attention_scaling": float(scaling)})
    write_json("rope.json", {"made_with": versions(transformers=transformers.__version__), "cases": cases})


if __name__ == "__main__":
    main()
