"""Tiny language models with random weights and what `transformers` answers for them: golden/transformers/NAME/.

Every folder is what `save_pretrained` writes (`config.json`, `model.safetensors`), and `expected.safetensors`:

    input_ids [2, seq], logits [2, seq, vocab]     of each causal model
    short.input_ids, short.logits                  the same below the original context, where the RoPE variant minds
    generated [2, GENERATED]                       greedy continuation of input_ids, computed with a cache
    attention_mask, token_type_ids,                of BERT, whose answers behind the padding mean nothing
    last_hidden_state, pooler_output
    labels, loss [1], grad.WEIGHT                  of gpt2, llama and bert: the loss of one batch and its gradients

`labels` are as `transformers` takes them: not shifted, -100 where nothing is to be predicted. BERT's loss is instead
the sum of last_hidden_state · upstream, and `upstream` is 0 at the padding.

Folders of models with RoPE also hold `config_v4.json`, the same configuration in the words of transformers 4
(`rope_theta` and `rope_scaling` at the top), which is how the files that people have describe it.

Weights are larger than a training would start from, so that a mistake shows. Products are computed in float64 and the
answers rounded once; `transformers` computes its norms, rotations and softmax in float32 whatever the rest, so an
answer is uncertain by `noise` (in the metadata): its greatest difference from the same model run in float32.
"""

import json
import shutil

import torch
import transformers
from golden_file import HERE, to_numpy, versions, with_sorted_header
from safetensors.numpy import save
from safetensors.torch import load_file, save_file

FOLDER = HERE / "transformers"
SEED, BATCH, SEQ, SHORT_SEQ, GENERATED = 2, 2, 24, 7, 12
# A greedy step whose two best tokens are closer than this could be decided by rounding.
MARGIN = 1e-3
PAD = -100

LLAMA = {"vocab_size": 67, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2,
         "pad_token_id": None, "tie_word_embeddings": True}
# Few heads of many numbers: a RoPE variant treats fast and slow frequencies differently, and both must be there.
WIDE_HEADS = LLAMA | {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
ORIGINAL = 8


def rope(kind, theta=1000.0, **scaling):
    return {"rope_type": kind, "rope_theta": theta} | scaling


def longrope_factors(least, most):
    return [round(least + (most - least) * i / 7, 3) for i in range(8)]


CAUSAL = {
    "gpt2": {"model_type": "gpt2", "vocab_size": 67, "n_positions": 48, "n_embd": 32, "n_layer": 2, "n_head": 4,
             "bos_token_id": 1, "eos_token_id": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "llama": {"model_type": "llama", **LLAMA, "rope_parameters": rope("default")},
    "llama-untied": {"model_type": "llama", **LLAMA, "tie_word_embeddings": False, "attention_bias": True, "mlp_bias": True,
                     "rope_parameters": rope("default", 10000.0)},
    "llama-linear": {"model_type": "llama", **WIDE_HEADS, "rope_parameters": rope("linear", factor=4.0)},
    # Its base grows once a text is longer than max_position_embeddings.
    "llama-dynamic": {"model_type": "llama", **WIDE_HEADS, "max_position_embeddings": ORIGINAL,
                      "rope_parameters": rope("dynamic", factor=2.0)},
    "llama-yarn": {"model_type": "llama", **WIDE_HEADS, "rope_parameters": rope(
        "yarn", factor=8.0, original_max_position_embeddings=ORIGINAL, beta_fast=4.0, beta_slow=0.5)},
    "llama-longrope": {"model_type": "llama", **WIDE_HEADS, "rope_parameters": rope(
        "longrope", factor=8.0, original_max_position_embeddings=ORIGINAL,
        short_factor=longrope_factors(1.0, 1.5), long_factor=longrope_factors(1.0, 12.0))},
    "llama-llama3": {"model_type": "llama", **WIDE_HEADS, "rope_parameters": rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=ORIGINAL)},
    "mistral": {"model_type": "mistral", **LLAMA, "sliding_window": 5, "tie_word_embeddings": False,
                "rope_parameters": rope("default")},
    "qwen2": {"model_type": "qwen2", **{key: value for key, value in LLAMA.items() if key != "head_dim"},
              "rope_parameters": rope("default")},
    "qwen3": {"model_type": "qwen3", **LLAMA, "head_dim": 12, "rope_parameters": rope("default")},
    "gemma2": {"model_type": "gemma2", **LLAMA, "head_dim": 12, "sliding_window": 5, "query_pre_attn_scalar": 20,
               "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0, "rope_parameters": rope("default")},
    "gemma3": {"model_type": "gemma3_text", **LLAMA, "num_hidden_layers": 3, "head_dim": 12, "intermediate_size": 24,
               "sliding_window": 5, "query_pre_attn_scalar": 20,
               "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
               "rope_parameters": {"full_attention": rope("linear", 10000.0, factor=4.0),
                                   "sliding_attention": rope("default", 100.0)}},
}
BERT = {"model_type": "bert", "vocab_size": 67, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 32, "type_vocab_size": 2, "pad_token_id": 0,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
WITH_SHORT = ["llama-dynamic", "llama-longrope"]
# With a cache these two rotate old keys by the frequencies of their time, which is not what one long forward does.
WITHOUT_GENERATION = WITH_SHORT
WITH_GRADIENTS = ["gpt2", "llama"]


def build(auto_class, settings):
    """A model in float64 with eager attention, whose every weight is random."""
    settings = dict(settings)
    config = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
    model = auto_class.from_config(config, attn_implementation="eager")
    generator = torch.Generator().manual_seed(SEED)
    for name, weight in model.named_parameters():
        weight.data = initial(name, weight, generator)
    return model.eval().double()


def initial(name, weight, generator):
    """Gains spread around 1 (around 0 where the model adds 1), biases and matrices around 0."""
    values = torch.randn(weight.shape, generator=generator)
    if weight.dim() > 1:
        return values * (0.5 if "emb" in name or "wte" in name or "wpe" in name else 0.25)
    # A fresh model has 1 in its gains; Gemma keeps gains from which 1 was taken away.
    return weight.data + values * 0.3


def store(model, folder):
    """What a user has: the folder as `save_pretrained` writes it, in float32, byte for byte the same every time."""
    shutil.rmtree(folder, ignore_errors=True)
    model.float().save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    weights = load_file(folder / "model.safetensors")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["transformers_version"] = transformers.__version__
    write_config(folder / "config.json", config)
    if "rope_parameters" in config:
        write_config(folder / "config_v4.json", in_words_of_version_4(config))
    return model.double()


def write_config(path, config):
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def in_words_of_version_4(config):
    """The same configuration with `rope_theta` and `rope_scaling` at the top."""
    old = {key: value for key, value in config.items() if key not in ("rope_parameters", "dtype", "transformers_version")}
    old["torch_dtype"] = "float32"
    rope_parameters = config["rope_parameters"]
    if "full_attention" in rope_parameters:
        old["rope_local_base_freq"] = rope_parameters["sliding_attention"]["rope_theta"]
        rope_parameters = rope_parameters["full_attention"]
    scaling = {key: value for key, value in rope_parameters.items() if key != "rope_theta"}
    return old | {"rope_theta": rope_parameters["rope_theta"],
                  "rope_scaling": None if scaling == {"rope_type": "default"} else scaling}


def noise_of(model, answer):
    """The greatest difference between `answer()` in float64 and in float32; the float64 answer too."""
    exact = answer()
    single = {key: value.double() for key, value in in_float32(model, answer).items()}
    return max((exact[key] - single[key]).abs().max().item() for key in exact), exact


def in_float32(model, answer):
    model.float()
    result = answer()
    model.double()
    return result


def causal(name, settings):
    """Make the folder of one causal language model."""
    folder = FOLDER / name
    model = store(build(transformers.AutoModelForCausalLM, settings), folder)
    generator = torch.Generator().manual_seed(7)
    inputs = {"input_ids": torch.randint(3, 67, (BATCH, SEQ), generator=generator)}
    if name in WITH_SHORT:
        inputs["short.input_ids"] = inputs["input_ids"][:, :SHORT_SEQ].contiguous()
    answers_of = {key: key.replace("input_ids", "logits") for key in inputs}

    @torch.no_grad()
    def answer():
        return {out: model(inputs[key]).logits for key, out in answers_of.items()}

    noise, answers = noise_of(model, answer)
    tensors = inputs | answers
    if name not in WITHOUT_GENERATION:
        tensors["generated"] = generate(model, inputs["input_ids"])
    if name in WITH_GRADIENTS:
        tensors |= causal_gradients(model, inputs["input_ids"])
    check_both_configs(name, folder, inputs["input_ids"], answers["logits"])
    write(name, tensors, noise)


@torch.no_grad()
def generate(model, ids):
    """Greedy continuation, one token at a time through the cache; no step may be close."""
    start, cache, new = ids.shape[1], None, ids
    for _ in range(GENERATED):
        result = model(new, cache=cache, use_cache=True)
        cache, best = result.cache, result.logits[:, -1].topk(2)
        assert (best.values[:, 0] - best.values[:, 1]).min() > MARGIN, "two tokens are too close; change the seed"
        new = best.indices[:, :1]
        ids = torch.cat([ids, new], dim=1)
    return ids[:, start:]


def causal_gradients(model, ids):
    labels = ids.clone()
    labels[0, 5:8] = PAD
    labels[1, 20:] = PAD
    loss = model(ids, labels=labels).loss
    return {"labels": labels, "loss": loss.detach(), **gradients(model, loss)}


def gradients(model, loss):
    """The gradient of every weight that the loss depends on, by its name in the file."""
    model.zero_grad()
    loss.backward()
    return {f"grad.{name}": weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def check_both_configs(name, folder, ids, want):
    """The folder as a user would open it gives the same answers, by either configuration."""
    for config_file in ("config.json", "config_v4.json"):
        if (folder / config_file).exists():
            config = transformers.AutoConfig.from_pretrained(folder / config_file)
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, config=config, attn_implementation="eager")
            with torch.no_grad():
                difference = (model.double()(ids).logits - want).abs().max().item()
            assert difference < 1e-9, f"{name}, {config_file}: differs by {difference}"


def bert():
    """Make the folder of the encoder: one full row and one with padding, two segments."""
    folder = FOLDER / "bert"
    model = store(build(transformers.AutoModel, BERT), folder)
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(3, 67, (BATCH, SEQ), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 15:] = 0
    ids[1, 15:] = BERT["pad_token_id"]
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": (torch.arange(SEQ) >= 9).long().repeat(BATCH, 1)}

    def answer():
        result = model(**inputs)
        hidden = result.last_hidden_state * mask[:, :, None]
        return {"last_hidden_state": hidden, "pooler_output": result.pooler_output}

    with torch.no_grad():
        noise, answers = noise_of(model, answer)
    upstream = torch.randn(BATCH, SEQ, BERT["hidden_size"], generator=generator) * mask[:, :, None]
    loss = (answer()["last_hidden_state"] * upstream).sum()
    tensors = inputs | answers | {"upstream": upstream, "loss": loss.detach(), **gradients(model, loss)}
    write("bert", tensors, noise)


def write(name, tensors, noise):
    path = FOLDER / name / "expected.safetensors"
    metadata = {"noise": f"{noise:.1e}", "made_with": json.dumps(versions(transformers=transformers.__version__))}
    arrays = {key: to_numpy(value) for key, value in tensors.items()}
    path.write_bytes(with_sorted_header(save(arrays, metadata=metadata)))
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    spread = tensors.get("logits", tensors.get("last_hidden_state")).std().item()
    print(f"{name}: answers spread by {spread:.2f}, float32 differs by {noise:.1e}; {size:,} bytes")


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, settings in CAUSAL.items():
        causal(name, settings)
    bert()


if __name__ == "__main__":
    main()
