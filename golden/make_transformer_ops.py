"""Golden answers for `transformer_ops.safetensors`: the operations between a transformer's products, forward and backward.

As `make_ops.py`, which says how cases are named. Rotary embedding follows `apply_rotary_pos_emb` of transformers'
Llama: element `i` of a head turns with element `i + rotary_dim / 2`.
"""

import torch
import torch.nn.functional as F

from golden_file import Recorder

ACTIVATIONS = {
    "none": lambda x: x,
    "relu": torch.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def rms_norms(rec):
    """Over the last axis, at ordinary and at tiny scale."""
    for shape, eps, scale in (((5, 7), 1e-6, 1.0), ((2, 3, 33), 1e-5, 2.0), ((2, 3, 2, 16), 1e-6, 1.0), ((4, 5), 1e-5, 1e-3)):
        x = rec.randn(*shape, scale=scale)
        inputs = {"x": x, "weight": rec.randn(shape[-1])}
        rec.add("rms_norm", inputs, lambda x, weight: F.rms_norm(x, (shape[-1],), weight, eps), {"eps": eps})


def rotated(x, positions, inverse_frequencies, attention_scaling):
    """Rotary embedding of `[batch, seq, heads, head_dim]`; positions are `[batch, seq]`."""
    angles = positions[..., None, None].double() * torch.tensor(inverse_frequencies, dtype=torch.float64)
    cos, sin = (torch.cat((f(angles), f(angles)), -1) * attention_scaling for f in (torch.cos, torch.sin))
    turning, rest = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    first, second = turning.chunk(2, -1)
    return torch.cat((turning * cos + torch.cat((-second, first), -1) * sin, rest), -1)


def ropes(rec):
    """From a start and at given positions, whole heads and a part of each, with and without scaling."""
    rows = [((2, 5, 3, 8), 8, 10000.0, 1.0), ((1, 4, 2, 16), 4, 10000.0, 1.0), ((2, 3, 1, 6), 6, 500000.0, 1.25)]
    for shape, rotary_dim, base, scaling in rows:
        inverse = [base ** (-i / rotary_dim) for i in range(0, rotary_dim, 2)]
        attrs = {"inverse_frequencies": inverse, "attention_scaling": scaling}
        for start in (0, 37):
            positions = start + torch.arange(shape[1]).expand(shape[:2])
            rec.add("rope", {"x": rec.randn(*shape)}, lambda x: rotated(x, positions, inverse, scaling), attrs | {"start": start})
        inputs = {"x": rec.randn(*shape), "positions": rec.randint(300, shape[:2])}
        rec.add("rope", inputs, lambda x, positions: rotated(x, positions, inverse, scaling), attrs)


def gates(rec):
    """activation(gate) · up, also where the activation saturates."""
    for name, activation in ACTIVATIONS.items():
        for scale in (1.0, 8.0):
            inputs = {"gate": rec.randn(3, 11, scale=scale), "up": rec.randn(3, 11)}
            rec.add("gated", inputs, lambda gate, up: activation(gate) * up, {"activation": name})


def output_losses(rec):
    """The output layer and its cross-entropy as one operation, with ignored targets and limited logits."""
    for reduction in ("mean", "sum", "none"):
        for softcap in (None, 5.0):
            targets = rec.randint(23, (2, 5))
            targets[0, 1] = targets[1, 4] = -100
            inputs = {"hidden": rec.randn(2, 5, 8), "weight": rec.randn(23, 8), "targets": targets}

            def loss(hidden, weight, targets):
                logits = hidden @ weight.t()
                logits = logits if softcap is None else softcap * torch.tanh(logits / softcap)
                losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)
                return losses.reshape(2, 5) if reduction == "none" else losses

            rec.add("linear_cross_entropy", inputs, loss, {"reduction": reduction, "softcap": softcap or 0.0})


def main():
    rec = Recorder(seed=31)
    for record in (rms_norms, ropes, gates, output_losses):
        record(rec)
    rec.save("transformer_ops.safetensors")


if __name__ == "__main__":
    main()
