"""The language models that PyTorch trains in bench/: GPT-2 and a Llama of the same size, as plain modules.

As fast as PyTorch code is written today: one product for query, key and value, `scaled_dot_product_attention`, tied
embeddings. Nothing of it is there to make it slow or to make it like gradus.
"""

import dataclasses
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

INITIAL_STD = 0.02


@dataclasses.dataclass(frozen=True)
class Shape:
    """The size of a model and of its batches."""

    layers: int
    heads: int
    width: int
    block: int
    batch: int
    vocab: int
    llama: bool = False
    # GPT-2 has biases; the models that speed is measured on are spared them.
    bias: bool = False

    @property
    def tokens_per_step(self):
        return self.batch * self.block


SHAPES = {
    "S": Shape(4, 4, 128, 64, 12, 65),
    "M": Shape(6, 6, 384, 256, 12, 65),
    "L": Shape(12, 12, 768, 512, 2, 50304),
    "LlamaM": Shape(6, 6, 384, 256, 12, 65, llama=True),
}


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=shape.bias)
        self.out = nn.Linear(shape.width, shape.width, bias=shape.bias)

    def forward(self, x, rotation):
        batch, seq, width = x.shape
        q, k, v = (
            part.view(batch, seq, self.heads, width // self.heads).transpose(1, 2) for part in self.qkv(x).split(width, 2)
        )
        if rotation is not None:
            cos, sin = (table.to(q.dtype) for table in rotation)
            q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(batch, seq, width))


class GeluMlp(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.up = nn.Linear(shape.width, 4 * shape.width, bias=shape.bias)
        self.out = nn.Linear(4 * shape.width, shape.width, bias=shape.bias)

    def forward(self, x):
        return self.out(F.gelu(self.up(x), approximate="tanh"))


class GatedMlp(nn.Module):
    def __init__(self, shape):
        super().__init__()
        hidden = 8 * shape.width // 3
        self.gate = nn.Linear(shape.width, hidden, bias=False)
        self.up = nn.Linear(shape.width, hidden, bias=False)
        self.out = nn.Linear(hidden, shape.width, bias=False)

    def forward(self, x):
        return self.out(F.silu(self.gate(x)) * self.up(x))


def norm(shape):
    return nn.RMSNorm(shape.width, eps=1e-5) if shape.llama else nn.LayerNorm(shape.width, bias=shape.bias)


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.norm_1, self.attention = norm(shape), Attention(shape)
        self.norm_2, self.mlp = norm(shape), GatedMlp(shape) if shape.llama else GeluMlp(shape)

    def forward(self, x, rotation):
        x = x + self.attention(self.norm_1(x), rotation)
        return x + self.mlp(self.norm_2(x))


class LanguageModel(nn.Module):
    """Called with token ids and targets, both [batch, seq]; returns the mean cross-entropy in nats."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.vocab, shape.width)
        self.positions = None if shape.llama else nn.Embedding(shape.block, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = norm(shape)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        self.head.weight = self.tokens.weight
        self.initialise()
        if shape.llama:
            half = shape.width // shape.heads // 2
            angles = torch.outer(torch.arange(shape.block), 10000.0 ** -(torch.arange(half) / half)).repeat(1, 2)
            self.register_buffer("cos", angles.cos(), persistent=False)
            self.register_buffer("sin", angles.sin(), persistent=False)

    def initialise(self):
        """GPT-2's start: normal, with smaller values where a branch joins the residual stream."""
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                joins = name.endswith("out.weight")
                nn.init.normal_(weight, std=INITIAL_STD / math.sqrt(2 * self.shape.layers) if joins else INITIAL_STD)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(self, ids, targets):
        x, rotation = self.tokens(ids), None
        if self.shape.llama:
            rotation = (self.cos, self.sin)
        else:
            x = x + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x, rotation)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.view(-1, self.shape.vocab), targets.reshape(-1))


def adamw(model, learning_rate, betas=(0.9, 0.95), decay=0.1):
    """AdamW, fused, with decay on matrices alone."""
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=True)
