#!/usr/bin/env python3
"""Write attention.safetensors: scaled dot-product attention, forward and backward, on small odd shapes.

Tensors are [batch, seq, heads, head_dim], as in gradus; PyTorch wants [batch, heads, seq, head_dim]. Query `i` stands at position
`seq_k - seq_q + i`. Where every query sees a key, the answer is PyTorch's `scaled_dot_product_attention`; its soft cap
is written out as Hugging Face's Gemma 2 does (`tanh` of the scaled scores, before the mask).
"""

import torch
import torch.nn.functional as F

from golden_file import Recorder

# batch, seq_q, seq_k, heads, kv_heads, head_dim
SHAPES = [(2, 5, 5, 2, 2, 4), (1, 1, 1, 1, 1, 3), (1, 1, 7, 4, 2, 8), (2, 3, 6, 6, 2, 5), (1, 35, 67, 3, 1, 8)]


def visible(shape, attrs, first_key, key_lengths):
    """Which key each query sees: [batch, 1, seq_q, seq_k]."""
    batch, seq_q, seq_k = shape[:3]
    position = torch.arange(seq_q)[:, None] + seq_k - seq_q
    key = torch.arange(seq_k)[None, :]
    seen = torch.ones(batch, seq_q, seq_k, dtype=torch.bool)
    if attrs["causal"]:
        seen &= key <= position
    if "window" in attrs:
        seen &= (position - key).abs() < attrs["window"]
    if first_key is not None:
        seen &= key[None] >= first_key[:, :, None]
    if key_lengths is not None:
        seen &= key[None] < key_lengths[:, None, None]
    return seen[:, None]


def attend(q, k, v, seen, scale, softcap):
    """PyTorch's fused attention, or the written-out one where it has no option."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if softcap is None:
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale, enable_gqa=True)
    else:
        groups = q.shape[1] // k.shape[1]
        k, v = (x.repeat_interleave(groups, dim=1) for x in (k, v))
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        scores = softcap * torch.tanh(q @ k.transpose(-1, -2) * scale / softcap)
        out = scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v
    return out.transpose(1, 2).contiguous()


def add(rec, shape, attrs, first_key=None, key_lengths=None):
    """One case; masks are inputs of the op, options attributes."""
    batch, seq_q, seq_k, heads, kv_heads, head_dim = shape
    inputs = {"q": rec.randn(batch, seq_q, heads, head_dim), "k": rec.randn(batch, seq_k, kv_heads, head_dim),
              "v": rec.randn(batch, seq_k, kv_heads, head_dim)}
    masks = {"first_key": first_key, "key_lengths": key_lengths}
    inputs |= {name: mask for name, mask in masks.items() if mask is not None}
    seen = visible(shape, attrs, first_key, key_lengths)
    assert seen.any(-1).all(), "PyTorch's answer for a query that sees nothing is no reference"
    scale, softcap = attrs.get("scale"), attrs.get("softcap")
    rec.add("attention", inputs, lambda q, k, v, *_: attend(q, k, v, seen, scale, softcap), attrs)


def main():
    rec = Recorder(seed=41)
    for shape in SHAPES:
        add(rec, shape, {"causal": True})
        add(rec, shape, {"causal": False})
        add(rec, shape, {"causal": True, "window": 3, "scale": 0.7})
        add(rec, shape, {"causal": True, "softcap": 1.5})
    batch, seq_q, seq_k = 2, 6, 9
    shape = (batch, seq_q, seq_k, 4, 2, 8)
    documents = torch.tensor([[0, 0, 5, 5, 5, 8], [3, 3, 3, 3, 7, 7]])
    add(rec, shape, {"causal": True}, first_key=documents)
    add(rec, shape, {"causal": True, "window": 2, "softcap": 2.0}, first_key=documents)
    add(rec, shape, {"causal": False}, key_lengths=torch.tensor([9, 4]))
    add(rec, shape, {"causal": False, "window": 6, "scale": 0.25}, key_lengths=torch.tensor([8, 7]))
    rec.save("attention.safetensors")


if __name__ == "__main__":
    main()
