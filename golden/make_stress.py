#!/usr/bin/env python3
"""Write stress.json: what PyTorch and SciPy say about disturbed inputs of a tiny network.

One case: a multilayer perceptron on 24 pictures `[3, 5, 4]` of bytes with a mean and deviation for each channel.
`fgsm` has the attacked pictures and the classes predicted of them, `pgd` the pictures after each start at the
picture itself (no chance), `blur` the pictures by `scipy.ndimage.gaussian_filter` (mode nearest). Pictures are flat,
from 0 to 255. `epsilon` and `step_size` are parts of that range.

Everything is computed in float64. Attacks follow signs, which rounding may turn where a gradient is nearly zero: the
script keeps the first seed for which no gradient on the way is below MARGIN times the picture's largest, and every
decision has a margin too.
"""

import numpy as np
import scipy
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from golden_file import versions, write_json

SHAPE, HIDDEN, CLASSES, SAMPLES = (3, 5, 4), 6, 4, 24
EPSILON, STEPS, STEP_SIZE = 0.1, 7, 0.03
SIGMAS = (0.5, 1.3, 3.0)
MARGIN = 1e-4


class Unsure(Exception):
    """A sign or a decision that float32 might see otherwise."""


def network(generator):
    width = int(np.prod(SHAPE))
    shapes = {"layers.0.weight": (HIDDEN, width), "layers.0.bias": (HIDDEN,), "layers.1.weight": (CLASSES, HIDDEN),
              "layers.1.bias": (CLASSES,)}
    draw = lambda shape: torch.randn(shape, generator=generator).mul(0.4).float().double()
    return {name: draw(shape) for name, shape in shapes.items()}


def logits(weights, prepare, x):
    x = torch.tanh(F.linear(prepare(x).flatten(1), weights["layers.0.weight"], weights["layers.0.bias"]))
    return F.linear(x, weights["layers.1.weight"], weights["layers.1.bias"])


def direction(model, x, labels):
    x = x.detach().requires_grad_()
    F.cross_entropy(model(x), labels, reduction="sum").backward()
    size = x.grad.abs().flatten(1)
    if (size.min(1).values < MARGIN * size.max(1).values).any():
        raise Unsure
    return x.grad.sign()


def decide(model, x):
    answers = model(x)
    best = answers.topk(2, dim=1).values
    if (best[:, 0] - best[:, 1]).min() < MARGIN:
        raise Unsure
    return answers.argmax(1).tolist()


def pictures(x):
    return [row.tolist() for row in (255 * x).flatten(1).numpy().astype(np.float32)]


def case(seed):
    generator = torch.Generator().manual_seed(seed)
    mean, std = [0.4, 0.6, 0.5], [0.3, 0.2, 0.25]
    weights = network(generator)
    prepare = lambda x: (x - torch.tensor(mean).double().view(-1, 1, 1)) / torch.tensor(std).double().view(-1, 1, 1)
    model = lambda x: logits(weights, prepare, x)
    pixels = torch.randint(0, 256, (SAMPLES, *SHAPE), generator=generator)
    labels = torch.randint(0, CLASSES, (SAMPLES,), generator=generator)
    clean = pixels.double() / 255
    fast = (clean + EPSILON * direction(model, clean, labels)).clamp(0, 1)
    slow = clean
    for _ in range(STEPS):
        slow = slow + STEP_SIZE * direction(model, slow, labels)
        slow = torch.minimum(torch.maximum(slow, clean - EPSILON), clean + EPSILON).clamp(0, 1)
    blurred = [gaussian_filter(pixels.double().numpy(), (0, 0, sigma, sigma), mode="nearest") for sigma in SIGMAS]
    return {"seed": seed, "shape": SHAPE, "mean": mean, "std": std, "num_classes": CLASSES, "hidden_size": HIDDEN,
            "weights": {name: {"shape": list(value.shape), "values": value.flatten().tolist()} for name, value in weights.items()},
            "pixels": pixels.flatten().tolist(), "labels": labels.tolist(), "classes": decide(model, clean),
            "epsilon": EPSILON, "steps": STEPS, "step_size": STEP_SIZE,
            "fgsm": {"pictures": pictures(fast), "classes": decide(model, fast)},
            "pgd": {"pictures": pictures(slow), "classes": decide(model, slow)},
            "blur": [{"sigma": sigma, "pictures": [row.flatten().tolist() for row in rows.astype(np.float32)]}
                     for sigma, rows in zip(SIGMAS, blurred)]}


def first_sure():
    for seed in range(10_000):
        try:
            return case(seed)
        except Unsure:
            continue
    raise SystemExit("no seed is sure enough")


if __name__ == "__main__":
    write_json("stress.json", {"made_with": versions(scipy=scipy.__version__), "cases": [first_sure()]})
