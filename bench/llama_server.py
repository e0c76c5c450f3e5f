"""llama.cpp as a server in this process (Python package xllamacpp), asked for tokens and their log-probabilities."""

import json
import urllib.request

import xllamacpp

CONTEXT = 2048
# Enough for the likeliest token and the one that it was chosen over.
CANDIDATES = 2


class LlamaServer:
    """One GGUF model; the server ends with this process."""

    def __init__(self, model, threads, exact=False):
        """`exact`: keys, values and their attention in f32, not f16, as far as llama.cpp can; see agreement_llama_cpp.py."""
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx, params.n_parallel, params.verbosity = CONTEXT, 1, 0
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        if exact:
            params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
            params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        self.server = xllamacpp.Server(params)

    def ask(self, path, **question):
        request = urllib.request.Request(self.server.listening_address + path, json.dumps(question).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def tokenize(self, text):
        """Token ids, with what the model wants in front of a text; special tokens may be written out."""
        return self.ask("/tokenize", content=text, add_special=True, parse_special=True)["tokens"]

    def continuation(self, ids, count):
        """Greedy: up to `count` tokens after `ids`, by how much each one's log-probability exceeds the next best, and whether
        the last of them is the token that ends an answer."""
        # The cache is off: a prompt read in one piece and one read in two may differ in the last digits.
        answer = self.ask("/completion", prompt=ids, n_predict=count, temperature=0.0, n_probs=CANDIDATES, cache_prompt=False)
        tokens, margins = [], []
        for step in answer["completion_probabilities"]:
            best, second = (candidate["logprob"] for candidate in step["top_logprobs"])
            tokens.append(step["id"])
            margins.append(round(best - second, 4))
        return tokens, margins, answer["stop_type"] == "eos"
