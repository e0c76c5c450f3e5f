"""Write a Llama-shaped GGUF file with random weights in f16, for measuring speed: make_gguf.py 1B|135M OUT.gguf

Both shapes have tied embeddings; the vocabulary is made up. llama-quantize turns the file into other types.
"""

import sys

import gguf
import numpy as np

# width, layers, heads, key/value heads, feed-forward width, vocabulary
SHAPES = {"1B": (2048, 16, 32, 8, 8192, 32000), "135M": (576, 30, 9, 3, 1536, 49152)}
CONTEXT = 4096
WEIGHT_STD = 0.02
SPECIAL = [b"<unk>", b"<s>", b"</s>"]
BYTES = [f"<0x{byte:02X}>".encode() for byte in range(256)]


def vocabulary(size):
    """Tokens, scores and types as a SentencePiece model has them."""
    words = [f"\u2581w{number}".encode() for number in range(size - len(SPECIAL) - len(BYTES))]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * len(BYTES) + [gguf.TokenType.NORMAL] * len(words)
    scores = [0.0] * (len(SPECIAL) + len(BYTES)) + [-float(number) for number in range(len(words))]
    return SPECIAL + BYTES + words, scores, kinds


def write_settings(writer, shape):
    width, layers, heads, kv_heads, feed_forward, vocab = shape
    writer.add_name("random")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(vocab)
    tokens, scores, kinds = vocabulary(vocab)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)


def weights(shape):
    """Name and shape of every matrix, outputs first; norms have a single dimension."""
    width, layers, heads, kv_heads, feed_forward, vocab = shape
    kv_width = width // heads * kv_heads
    yield "token_embd.weight", (vocab, width)
    yield "output_norm.weight", (width,)
    for layer in range(layers):
        rows = {"attn_norm": (width,), "attn_q": (width, width), "attn_k": (kv_width, width), "attn_v": (kv_width, width),
                "attn_output": (width, width), "ffn_norm": (width,), "ffn_gate": (feed_forward, width),
                "ffn_up": (feed_forward, width), "ffn_down": (width, feed_forward)}
        for name, dims in rows.items():
            yield f"blk.{layer}.{name}.weight", dims


def main():
    shape, out = SHAPES[sys.argv[1]], sys.argv[2]
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(out, "llama")
    write_settings(writer, shape)
    for name, dims in weights(shape):
        if len(dims) == 1:
            writer.add_tensor(name, np.ones(dims, np.float32))
        else:
            values = rng.standard_normal(dims, dtype=np.float32) * np.float32(WEIGHT_STD)
            writer.add_tensor(name, values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
