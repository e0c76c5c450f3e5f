"""Tokens of many texts by llama.cpp with the vocabulary of SmolLM2-135M-Instruct: golden/smollm2_tokens.json.

    python golden/make_smollm2_tokens.py SmolLM2-135M-Instruct.Q4_1.gguf      # wants xllamacpp, llama.cpp as a library

A list of `{"text", "ids"}`: digits, spaces, line ends, code, accents and other scripts, special tokens, and texts put
together at random from pieces of these. Each is checked to be the same with the `tokenizer.json` that was made of the
file, if a folder with that is given as a second argument (through `transformers`).
"""

import json
import random
import sys
import urllib.request

import xllamacpp
from golden_file import HERE

SEED, RANDOM_TEXTS, MAX_PIECES = 0, 200, 40
TEXTS = [
    "Hello world", "The year is 2024 and 3.14159 is pi, 1,000,000!", "  leading spaces and   many    spaces\t\ttabs",
    "line1\nline2\n\n\nline4\r\nline5", "def f(x):\n    return x**2  # comment\n\nfor i in range(10):\n\tprint(f(i))",
    "Grüße, naïve café Ωmega Привет 你好世界 こんにちは 🙂👍🏽 e\u0301 \u1e9b\u0323", "I'm you're we've they'll he'd IT'S DON'T 'tis",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "a" * 100, "12345678901234567890",
    "!@#$%^&*()_+-=[]{}|;':\",./<>?`~", "x = {'a': [1, 2.5e-3, None], \"b\": True}\n", "   ", "\n", "", " ",
    "²³¹½ Ⅷ ٣٤٥ १२३", "MixedCASE wordsWith123Numbers4and5", "\u200b\u00a0\u3000 odd spaces",
    "End.  Two spaces.   Three.\n \n  \n",
]
PIECES = ["a", "b", " ", "  ", "\n", "9", "42", "é", "你", "🙂", "'s", "'T", "_", "-", "\t", "the", " quick", "Ω", "ß", "\r\n", ".",
          "!!"]


def post(server, path, body):
    request = urllib.request.Request(server.listening_address + path, json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


def main():
    source = random.Random(SEED)
    texts = TEXTS + ["".join(source.choice(PIECES) for _ in range(source.randint(1, MAX_PIECES)))
                     for _ in range(RANDOM_TEXTS)]
    settings = xllamacpp.CommonParams()
    settings.model.path = sys.argv[1]
    settings.n_ctx, settings.n_parallel, settings.warmup = 512, 1, False
    server = xllamacpp.Server(settings)
    rows = [{"text": text, "ids": post(server, "/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]}
            for text in texts]
    (HERE / "smollm2_tokens.json").write_text(json.dumps(rows) + "\n")
    if len(sys.argv) > 2:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
        differing = [row["text"] for row in rows if tokenizer(row["text"])["input_ids"] != row["ids"]]
        print(f"{len(differing)} of {len(rows)} texts differ in transformers: {differing[:5]}")


if __name__ == "__main__":
    main()
