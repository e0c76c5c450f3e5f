"""transformers: prefill and greedy decoding of Llama shapes with random weights, in bfloat16."""

import os

import peer

os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is fetched: the weights are random
args = peer.arguments()

import torch  # noqa: E402 - after OMP_NUM_THREADS is set
import transformers  # noqa: E402

from make_gguf import CONTEXT, SHAPES  # noqa: E402

torch.set_num_threads(args.threads)


class Model:
    """A model with the attention that transformers chooses, and prompts that fit any of the vocabularies."""

    def __init__(self, shape):
        width, layers, heads, kv_heads, feed_forward, vocab = SHAPES[shape]
        config = transformers.LlamaConfig(
            hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
            intermediate_size=feed_forward, vocab_size=vocab, tie_word_embeddings=True, max_position_embeddings=CONTEXT)
        torch.manual_seed(1)
        torch.set_default_dtype(torch.bfloat16)
        self.model = transformers.LlamaForCausalLM(config).eval()
        torch.set_default_dtype(torch.float32)
        self.vocab = vocab

    @torch.inference_mode()
    def prefill(self, tokens):
        self.model(torch.randint(self.vocab, (1, tokens)), logits_to_keep=1)
        return tokens

    @torch.inference_mode()
    def decode(self, tokens):
        """From a single token, as llama-bench does: `tokens` steps through the cache, each the likeliest."""
        self.model.generate(torch.ones(1, 1, dtype=torch.long), do_sample=False, use_cache=True, max_new_tokens=tokens,
                            min_new_tokens=tokens, eos_token_id=None, pad_token_id=0)
        return tokens


models = {}


def build(job):
    """A repeat of one prefill or one continuation, which counts tokens."""
    if job["shape"] not in models:
        models.clear()
        models[job["shape"]] = Model(job["shape"])
    model = models[job["shape"]]
    call = model.prefill if job["task"] == "prefill" else model.decode
    return lambda: call(job["tokens"])


peer.serve(build, {"torch": torch.__version__, "transformers": transformers.__version__})
