"""Small files in the formats of other programs, and what is in them: golden/foreign/.

    torch/mixed.bin                 `torch.save` of many element types, views, strides, shared storages, parameters
    torch/mixed.safetensors         the same tensors, each whole and contiguous (bool as uint8, small integers as int64)
    torch/nested.bin                a training script's checkpoint: the state dictionary among other things
    torch/protocol5.bin             two tensors, by the newest pickle protocol
    torch/legacy.bin                the format before PyTorch 1.6
    torch/hostile.bin               a pickle that would run a command
    torch/compressed.bin            the archive of protocol5.bin, deflated
    gguf/NAME.gguf                  models of golden/transformers, converted by llama.cpp's own converter
    gguf/llama-q8_0.gguf            the same, quantised by it (weights with rows of 32; q and k among them)
    gguf/values.gguf                a metadata value of every type, by the `gguf` package
    vocabulary/NAME.gguf            small vocabularies without weights
    vocabulary/NAME.json            texts and their tokens, by the `tokenizers` library on the original tokenizer.json
    types.json                      the type that `llama-quantize` gives each tensor of models of some shapes
    bpe/                            vocab.json and merges.txt of one of them

The converter is that of a llama.cpp checkout with a build in `build/`, given as the argument:

    python golden/make_foreign.py LLAMA_CPP

It knows tokenizers by a hash of what they answer, and a tokenizer of 300 tokens is none of those, so the way of
splitting (`tokenizer.ggml.pre`) is told to it.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import torch
from golden_file import HERE
from safetensors.torch import save_file
# The converter wants the `gguf` package of its own checkout.
LLAMA_CPP = pathlib.Path(sys.argv[1]).resolve()
sys.path[:0] = [str(LLAMA_CPP), str(LLAMA_CPP / "gguf-py")]
import gguf  # noqa: E402
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = HERE / "foreign"
SEED = 3
CONVERTED = ["gpt2", "llama", "llama-untied", "llama-linear", "llama-yarn", "llama-longrope", "llama-llama3", "mistral", "qwen2",
             "qwen3", "gemma2", "gemma3", "bert"]
TEXT = [
    "The quick brown fox jumps over the lazy dog. It's 12345 o'clock, isn't it?",
    "def add(a, b):\n    return a + b  # 3.14159\n\n\n",
    "  two  spaces   and\ttabs\r\n",
    "Grüße aus Köln, naïve café, Ωmega, Привет, 你好世界, 🙂👍🏽",
    "e\u0301 is not \u00e9, and \u1e9b\u0323 is neither",
    "I'LL they'Re we'VE",
    "",
    " ",
]


class Command:
    """What unpickling would run."""

    def __reduce__(self):
        return (os.system, ("echo this must never be run",))


def make_torch():
    folder = OUT / "torch"
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(SEED)
    base = torch.randn(6, 5, generator=generator)
    state = {
        "f32": base,
        "shared": base,
        "view": base[2:4, 1:3],
        "transposed": base.t(),
        "step": base[::2, ::3],
        "f64": base.double(),
        "f16": base.half(),
        "bf16": base.bfloat16(),
        "i64": torch.arange(-3, 4),
        "i32": torch.tensor([[-(2**31)], [2**31 - 1]], dtype=torch.int32),
        "i16": torch.tensor([-(2**15), 7], dtype=torch.int16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base[0].clone()),
        "permuted": torch.randn(2, 3, 4, generator=generator).permute(2, 0, 1),
    }
    torch.save(state, folder / "mixed.bin")
    wide = {torch.bool: torch.uint8, torch.int32: torch.int64, torch.int16: torch.int64}
    whole = {name: tensor.detach().to(wide.get(tensor.dtype, tensor.dtype)).clone(memory_format=torch.contiguous_format)
             for name, tensor in state.items()}
    save_file(whole, folder / "mixed.safetensors")
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    torch.save({"epoch": 7, "loss": 0.5, "state_dict": module.state_dict(), "history": [1.0, {"a": (1, 2)}]},
               folder / "nested.bin")
    small = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[3]])}
    torch.save(small, folder / "protocol5.bin", pickle_protocol=5)
    torch.save(small, folder / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"a": torch.zeros(1), "b": Command()}, folder / "hostile.bin")
    with (zipfile.ZipFile(folder / "protocol5.bin") as stored,
          zipfile.ZipFile(folder / "compressed.bin", "w", zipfile.ZIP_DEFLATED) as deflated):
        for entry in stored.infolist():
            deflated.writestr(zipfile.ZipInfo(entry.filename), stored.read(entry), zipfile.ZIP_DEFLATED)


LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")


def split_by(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


PRE_TOKENIZERS = {
    "gpt-2": (None, pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "smollm": (None, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                              pre_tokenizers.ByteLevel(add_prefix_space=False)])),
    "llama-bpe": (None, split_by(LLAMA3)),
    "qwen2": (normalizers.NFC(), split_by(QWEN2)),
}


def byte_level_tokenizer(pre, size=320):
    """As the models of that name have it, with a few dozen merges learned from TEXT."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    normalizer, split = PRE_TOKENIZERS[pre]
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<|start|>", "<|end|>", "<|pad|>"],
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    if pre == "llama-bpe":
        tokenizer.post_processor = processors.TemplateProcessing(single="<|start|> $A", pair="<|start|> $A <|start|> $B",
                                                                 special_tokens=[("<|start|>", 0)])
    return tokenizer


def expected_tokens(tokenizer):
    texts = TEXT + ["<|start|>Hello<|end|>\n<|pad|> <|end|>"]
    return [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts]


def write_vocabulary(path, model, tokens, types, **more):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for name, value in more.items():
        getattr(writer, f"add_{name}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make_byte_level_vocabularies(folder):
    for pre in PRE_TOKENIZERS:
        tokenizer = byte_level_tokenizer(pre)
        vocabulary = json.loads(tokenizer.to_str())["model"]
        tokens = sorted(vocabulary["vocab"], key=vocabulary["vocab"].get)
        types = [gguf.TokenType.CONTROL if token.startswith("<|") else gguf.TokenType.NORMAL for token in tokens]
        merges = [" ".join(merge) for merge in vocabulary["merges"]]
        write_vocabulary(folder / f"{pre}.gguf", "gpt2", tokens, types, tokenizer_pre=pre, token_merges=merges,
                         bos_token_id=0, eos_token_id=1, pad_token_id=2, chat_template="{{ messages }}")
        (folder / f"{pre}.json").write_text(json.dumps(expected_tokens(tokenizer), indent=1) + "\n")
    tokenizer = byte_level_tokenizer("gpt-2")
    (OUT / "bpe").mkdir()
    tokenizer.model.save(str(OUT / "bpe"))
    (OUT / "bpe" / "expected.json").write_text(json.dumps(
        [row for row in expected_tokens(tokenizer) if "<|" not in row["text"]], indent=1) + "\n")


def make_sentence_piece_vocabulary(folder):
    """A vocabulary that SentencePiece itself learned, and the tokens it answers."""
    import sentencepiece

    with tempfile.TemporaryDirectory() as scratch:
        corpus = pathlib.Path(scratch) / "corpus.txt"
        corpus.write_text("\n".join(line for text in TEXT * 3 for line in text.splitlines() if line.strip()))
        prefix = pathlib.Path(scratch) / "spm"
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(prefix), vocab_size=420, model_type="bpe", byte_fallback=True,
            normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98,
            split_digits=True, allow_whitespace_only_pieces=True, minloglevel=2)
        pieces = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    count = pieces.get_piece_size()
    kinds = {pieces.is_unknown: gguf.TokenType.UNKNOWN, pieces.is_control: gguf.TokenType.CONTROL,
             pieces.is_byte: gguf.TokenType.BYTE}
    types = [next((kind for test, kind in kinds.items() if test(id)), gguf.TokenType.NORMAL) for id in range(count)]
    write_vocabulary(folder / "spm.gguf", "llama", [pieces.id_to_piece(id) for id in range(count)], types,
                     token_scores=[pieces.get_score(id) for id in range(count)], bos_token_id=1, eos_token_id=2,
                     unk_token_id=0)
    rows = [{"text": text, "ids": [1, *pieces.encode(text)]} for text in TEXT if text.strip(" ") or not text]
    (folder / "spm.json").write_text(json.dumps(rows, indent=1) + "\n")


def make_values():
    writer = gguf.GGUFWriter(OUT / "gguf" / "values.gguf", "llama")
    values = [("u8", 200, "uint8"), ("i8", -100, "int8"), ("u16", 60000, "uint16"), ("i16", -30000, "int16"),
              ("u32", 4000000000, "uint32"), ("i32", -2000000000, "int32"), ("u64", 2**63 + 5, "uint64"),
              ("i64", -(2**62), "int64"), ("f32", 1e-5, "float32"), ("f64", 0.1, "float64"), ("bool", True, "bool"),
              ("text", "grüß", "string")]
    for name, value, kind in values:
        getattr(writer, f"add_{kind}")(f"test.{name}", value)
    for name, value in [("texts", ["a", "", "ü"]), ("ints", [1, -2, 3]), ("floats", [0.5, -1.5]), ("bools", [True, False])]:
        writer.add_array(f"test.{name}", value)
    writer.add_custom_alignment(64)
    generator = np.random.default_rng(SEED)
    rows = generator.standard_normal((2, 3, 32)).astype(np.float32)
    writer.add_tensor("f32", rows)
    writer.add_tensor("f16", rows[0].astype(np.float16))
    writer.add_tensor("f64", rows[0, 0].astype(np.float64))
    for name, kind in [("i8", np.int8), ("i16", np.int16), ("i32", np.int32), ("i64", np.int64)]:
        writer.add_tensor(name, np.array([-3, 4, 5], dtype=kind))
    for kind in ["BF16", "Q4_0", "Q5_1", "Q8_0"]:
        kind = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(kind.name.lower(), gguf.quantize(rows, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def convert(source, out, outtype="f32"):
    """Runs the converter on a golden model with a small tokenizer."""
    sys.argv = ["convert"]
    import convert_hf_to_gguf  # noqa: F401
    from conversion import ModelBase, ModelType, get_model_class
    from conversion.base import TextModel, get_model_architecture

    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / source.name
        shutil.copytree(source, folder)
        config = json.loads((folder / "config.json").read_text())
        config.setdefault("n_ctx", config.get("n_positions"))
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "tokenizer.json").write_text(word_tokenizer(config["vocab_size"]).to_str())
        (folder / "tokenizer_config.json").write_text(json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}))
        hparams = ModelBase.load_hparams(folder, False)
        architecture = get_model_architecture(hparams, ModelType.TEXT)
        TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
        kind = {"f32": gguf.LlamaFileType.ALL_F32, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}[outtype]
        model = get_model_class(architecture)
        if architecture.startswith("Gemma"):
            model.set_vocab = lambda self: self._set_vocab_gpt2()
        model(folder, kind, out).write()


def word_tokenizer(size):
    """Letters as tokens, a few less than the model has rows: `transformers` adds some of its own for some models."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    vocabulary |= {letter: id for id, letter in enumerate("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,"[:max(size - 9, 1)], 3)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


QUANTIZED = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K"]
SHAPED = {
    # Rows of 256, grouped heads, an output matrix; 18 layers tell the rules for the first, the last and every third.
    "llama": {"model_type": "llama", "vocab_size": 4, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 18,
              "num_attention_heads": 8, "num_key_value_heads": 2, "max_position_embeddings": 16, "tie_word_embeddings": False},
    # Rows that are no multiple of 256, and some that are no multiple of 32.
    "llama-narrow": {"model_type": "llama", "vocab_size": 4, "hidden_size": 96, "intermediate_size": 40, "num_hidden_layers": 3,
                     "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 16,
                     "tie_word_embeddings": True},
    "gpt2": {"model_type": "gpt2", "vocab_size": 4, "n_positions": 16, "n_embd": 256, "n_layer": 9, "n_head": 4},
}


def make_types():
    """Which type `llama-quantize` gives each tensor."""
    import transformers

    cases = {}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for name, settings in SHAPED.items():
            config = transformers.AutoConfig.for_model(**settings)
            model = transformers.AutoModelForCausalLM.from_config(config)
            folder = scratch / name
            model.save_pretrained(folder)
            whole = scratch / f"{name}.gguf"
            convert(folder, whole)
            cases[name] = {"config": settings, "shapes": {key: list(value.shape) for key, value in model.named_parameters()},
                           "types": {}}
            for kind in QUANTIZED:
                out = scratch / "out.gguf"
                subprocess.run([LLAMA_CPP / "build/bin/llama-quantize", whole, out, kind], check=True, capture_output=True)
                types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(out).tensors}
                cases[name]["types"][kind.lower()] = types
    (OUT / "types.json").write_text(json.dumps(cases) + "\n")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    make_torch()
    (OUT / "vocabulary").mkdir()
    make_byte_level_vocabularies(OUT / "vocabulary")
    make_sentence_piece_vocabulary(OUT / "vocabulary")
    (OUT / "gguf").mkdir()
    make_values()
    for name in CONVERTED:
        convert(HERE / "transformers" / name, OUT / "gguf" / f"{name}.gguf")
    convert(HERE / "transformers" / "llama", OUT / "gguf" / "llama-q8_0.gguf", "q8_0")
    make_types()


if __name__ == "__main__":
    main()
