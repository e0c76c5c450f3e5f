#!/usr/bin/env python3
"""Write compressed.safetensors: a small network's weights, and what each compression must make of them.

- `layers.0.weight` [16, 20], `layers.0.bias`, `layers.1.weight` [5, 16], `layers.1.bias`: the network, with equal
  magnitudes, zeros, a row of zeros and large weights among them;
- `clip.NAME`: weights limited to [-0.5, 0.5];
- `global.NAME`, `layer.NAME`: 70 % pruned, over both weights together and over each;
- `int8.NAME`, `int8.NAME_scale`: codes and scales;
- `all.NAME`, `all.NAME_scale`: clipped, pruned over both, then quantised.

Computed by numpy 2.4.6 alone; needs safetensors 0.8.0 to write the file.
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

LIMIT, SPARSITY = np.float32(0.5), 0.7
NAMES = ["layers.0.weight", "layers.1.weight"]


def network():
    rng = np.random.default_rng(3)
    tensors = {
        "layers.0.weight": rng.normal(0, 0.3, (16, 20)),
        "layers.0.bias": rng.normal(0, 0.3, 16),
        "layers.1.weight": rng.normal(0, 0.6, (5, 16)),
        "layers.1.bias": rng.normal(0, 0.3, 5),
    }
    tensors = {name: values.astype(np.float32) for name, values in tensors.items()}
    first = tensors["layers.0.weight"]
    first[0] = np.round(first[0], 1)  # ties and zeros
    first[1] = 0.0
    first[2, ::2] *= -1e-3
    return tensors


def clip(weights):
    return {name: np.clip(w, -LIMIT, LIMIT) for name, w in weights.items()}


def zero_least(values):
    """The first of equal magnitudes go first: a stable sort keeps their order."""
    flat = values.copy()
    count = round(SPARSITY * flat.size)
    flat[np.argsort(np.abs(flat), kind="stable")[:count]] = 0.0
    return flat


def prune_globally(weights):
    flat = zero_least(np.concatenate([weights[name].ravel() for name in NAMES]))
    cut = weights[NAMES[0]].size
    return {name: part.reshape(weights[name].shape) for name, part in zip(NAMES, (flat[:cut], flat[cut:]))}


def prune_layers(weights):
    return {name: zero_least(w.ravel()).reshape(w.shape) for name, w in weights.items()}


def quantize(weights):
    """Symmetric, by output channel; in float64 from float32 weights, codes half to even."""
    out = {}
    for name, weight in weights.items():
        amax = np.abs(weight).max(axis=1)
        scale = amax.astype(np.float64) / 127
        safe = np.where(scale > 0, scale, 1)[:, None]
        out[name] = np.rint(weight.astype(np.float64) / safe).astype(np.int8)
        out[f"{name}_scale"] = scale.astype(np.float32)
    return out


tensors = network()
weights = {name: tensors[name] for name in NAMES}
cases = {
    "clip": clip(weights),
    "global": prune_globally(weights),
    "layer": prune_layers(weights),
    "int8": quantize(weights),
    "all": quantize(prune_globally(clip(weights))),
}
for case, results in cases.items():
    tensors |= {f"{case}.{name}": values for name, values in results.items()}
save_file(tensors, pathlib.Path(__file__).resolve().parent / "compressed.safetensors")
