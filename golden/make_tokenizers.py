#!/usr/bin/env python3
"""Write tokenizers.json: small tokenizers of the kinds in use, and what Hugging Face's library makes of texts with them.

`tokenizers` maps a name to {"json": the tokenizer.json, "cases": [{"text", "ids", "with_special", "decoded",
"with_special_decoded"}]}. `trained` is what the library's own trainer learns from `corpus` with `vocab_size` tokens.
"""

import json

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from golden_file import HERE, versions

CORPUS = """It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.
However little known the feelings or views of such a man may be on his first entering a neighbourhood, this truth is so well
fixed in the minds of the surrounding families, that he is considered the rightful property of some one or other of their
daughters. "My dear Mr. Bennet," said his lady to him one day, "have you heard that Netherfield Park is let at last?"
Mr. Bennet replied that he had not. "But it is," returned she; "for Mrs. Long has just been here, and she told me all about it."
In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was upon the face
of the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be light: and there was light.
And God saw the light, that it was good: and God divided the light from the darkness. And God called the light Day, and the
darkness he called Night. And the evening and the morning were the first day.
    for i in range(10):\n        print(i, "it's", 3.14159, 2024)\n
Über den Flüssen schläft die Größe. Les élèves français étudient à l'école. Это первый день. 東京は日本の首都です。 🙂🙃
"""

TEXTS = [
    "", " ", "\n", "\n\n", "  \n  x", "the", " the", "The light of the first day, they'll say it's good: 12345 67.",
    "Mr. Bennet replied that he had not.\n\n\"But it is,\" returned she;   for   \tMrs. Long\r\nhas\n \n  been.",
    "Größe naïve café ﬁne Ⅷ e\u0301 \u00a0nbsp\u2003em", "東京は日本の首都です。🙂🙃👩‍👩‍👧 हिन्दी العربية",
    "def f(x):\n    return x**2  # comment\n\n\tif True:\n\t\tpass   ", "ALLCAPS don't DON'T we'Ll I'M 's", "a" * 40 + " " * 20 + "1" * 11,
    "<|endoftext|>", "one<|endoftext|>two <|endoftext|> three<|im_end|>", "\u0000\u0001\u007f", "…—“quotes”‘single’", "x\u200dy\ufeffz\ufffd!",
    "[CLS] hello [MASK].", "<s> and </s>", " leading", "trailing ", "line\n", "\nline", "tab\tseparated\tvalues", "email@example.com/path?x=1&y=2",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_level(vocab_size, special):
    return trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False, min_frequency=2,
                               initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def gpt2(vocab_size=500, special=SPECIAL):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.train_from_iterator([CORPUS], byte_level(vocab_size, special))
    return tokenizer


def smollm():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([CORPUS], byte_level(500, SPECIAL))
    return tokenizer


def llama3():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([CORPUS], byte_level(500, SPECIAL))
    bos = "<|endoftext|>"
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single=f"{bos}:0 $A:0", pair=f"{bos}:0 $A:0 {bos}:1 $B:1", special_tokens=[(bos, 0)])])
    return tokenizer


def qwen2():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([CORPUS], byte_level(450, SPECIAL))
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("lady", normalized=True)])
    return tokenizer


def llama2():
    """Spaces as U+2581, one put before the text, unknown characters as bytes: what sentencepiece models become."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>"]
    training = Tokenizer(models.BPE(unk_token="<unk>"))
    training.pre_tokenizer = pre_tokenizers.Metaspace()
    training.train_from_iterator([CORPUS.encode("ascii", "ignore").decode()], trainers.BpeTrainer(
        vocab_size=450, special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)], show_progress=False))
    trained = json.loads(training.to_str())
    tokenizer.model = models.BPE(vocab=trained["model"]["vocab"], merges=[tuple(pair) for pair in trained["model"]["merges"]],
                                 unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tokenizer


def bert():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    # The library's own trainer breaks ties at random.
    words = sorted({word for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(CORPUS.lower()) if word.isascii()})
    letters = sorted(set("".join(words)))
    vocabulary = special + letters + ["##" + letter for letter in letters] + [word for word in words if len(word) > 1]
    vocabulary += ["##ing", "##ed", "##s", "gro", "##ße"]
    tokenizer = Tokenizer(models.WordPiece(vocab={token: index for index, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding()
    return tokenizer


def document(tokenizer):
    text = tokenizer.to_str()
    tokenizer.no_truncation()
    tokenizer.no_padding()
    cases = []
    for sample in TEXTS:
        ids = tokenizer.encode(sample, add_special_tokens=False).ids
        cases.append({"text": sample, "ids": ids, "with_special": tokenizer.encode(sample).ids,
                      "decoded": tokenizer.decode(ids), "with_special_decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    return {"json": text, "cases": cases}


def main():
    kinds = {"gpt2": gpt2, "smollm": smollm, "llama3": llama3, "qwen2": qwen2, "llama2": llama2, "bert": bert}
    golden = {"tokenizers": {name: document(make()) for name, make in kinds.items()}, "corpus": CORPUS,
              "trained": {str(size): json.loads(gpt2(size, SPECIAL[:1]).to_str())["model"] for size in (257, 300, 520)},
              "made_with": versions(tokenizers=tokenizers.__version__)}
    path = HERE / "tokenizers.json"
    path.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(path.name, path.stat().st_size, "bytes")


main()
