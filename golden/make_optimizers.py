#!/usr/bin/env python3
"""Write optimizers.safetensors: where 100 steps of each optimiser lead two small parameters.

Every case starts from the same parameters (`initial.0` [7, 5], `initial.1` [13]) and receives the same gradients
(`gradients.0` [100, 7, 5], `gradients.1` [100, 13]; row t is the gradient of step t + 1). The outputs
`<case>.params.0` and `.1` stack the parameters after the steps listed in the case's `snapshots`.

Parameters stay away from zero (checked below), so a relative tolerance means the same for each element. Gradient
sizes span three decades, so that `eps` matters for some elements; some gradients are exactly zero.

PyTorch has no Lion. It is written out here in float32 NumPy from Chen et al. 2023 (arXiv:2302.06675), algorithm 2.
"""

import numpy as np
import torch

from golden_file import to_numpy, versions, write_tensors

STEPS = 100
SNAPSHOTS = [1, 2, 5, 10, 20, 50, 100]
SHAPES = [(7, 5), (13,)]
SEED = 11
# An element that comes nearer to zero than this would make a relative comparison meaningless.
SMALLEST_ALLOWED = 0.05

# Switches of the torch classes that choose an implementation, not a result.
NOT_MATHEMATICS = {"foreach", "maximize", "capturable", "differentiable", "fused", "decoupled_weight_decay"}

# op, torch class, what differs from the class's defaults; the file lists all attributes, under their torch names
CASES = [
    ("sgd", torch.optim.SGD, {"lr": 0.05}),
    ("sgd", torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.1}),
    ("sgd", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    ("sgd", torch.optim.SGD, {"lr": 0.005, "momentum": 0.8, "dampening": 0.3}),
    ("sgd", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.05}),
    ("sgd", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    ("sgd", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02}),
    ("adagrad", torch.optim.Adagrad, {"lr": 0.1}),
    ("adagrad", torch.optim.Adagrad, {"lr": 0.05, "lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("adagrad", torch.optim.Adagrad, {"lr": 0.1, "eps": 1e-2}),
    ("adadelta", torch.optim.Adadelta, {"lr": 3.0}),
    ("adadelta", torch.optim.Adadelta, {"lr": 0.5, "rho": 0.95, "eps": 1e-5, "weight_decay": 0.05}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.005}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.005, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.002, "centered": True}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.001, "momentum": 0.8}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.0005, "momentum": 0.9, "centered": True, "weight_decay": 0.02}),
    ("adam", torch.optim.Adam, {"lr": 0.02}),
    ("adam", torch.optim.Adam, {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-3}),
    ("adam", torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
    ("adam", torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    ("adam", torch.optim.Adam, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.05, "betas": [0.7, 0.9]}),
    ("adamw", torch.optim.AdamW, {"lr": 0.02}),
    ("adamw", torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.3, "betas": [0.85, 0.99]}),
    ("adamw", torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}),
    ("lion", None, {"lr": 0.003, "betas": [0.9, 0.99], "weight_decay": 0.0}),
    ("lion", None, {"lr": 0.005, "betas": [0.95, 0.98], "weight_decay": 0.2}),
]


def make_problem():
    """Initial parameters of size 1.5 to 3 with either sign, and gradients of mixed size, some of them zero."""
    rng = np.random.default_rng(SEED)
    initial, gradients = [], []
    for shape in SHAPES:
        sign = rng.choice([-1.0, 1.0], shape)
        initial.append((sign * rng.uniform(1.5, 3.0, shape)).astype(np.float32))
        size = 10.0 ** rng.uniform(-3.0, 0.0, shape)
        # The mean pushes each parameter away from zero, so that it travels far and never crosses.
        gradient = ((rng.standard_normal((STEPS, *shape)) - 0.5 * sign) * size).astype(np.float32)
        gradient[rng.random(gradient.shape) < 0.05] = 0.0
        gradient[:3].reshape(3, -1)[:, 0] = 0.0  # this element's first steps see no gradient at all
        gradients.append(gradient)
    return initial, gradients


def resolve(optimizer_class, attrs):
    """All attributes of a case, torch's defaults included, so that a test needs no defaults of its own."""
    if optimizer_class is None:
        return attrs
    defaults = optimizer_class([torch.nn.Parameter(torch.ones(1))], **attrs).defaults
    return {key: value for key, value in defaults.items() if key not in NOT_MATHEMATICS}


def torch_trajectory(optimizer_class, attrs, initial, gradients):
    """Parameters after every step of a torch optimiser (its plain single-tensor float32 path)."""
    params = [torch.nn.Parameter(torch.from_numpy(value.copy())) for value in initial]
    optimizer = optimizer_class(params, **attrs, foreach=False)
    for step in range(STEPS):
        for param, gradient in zip(params, gradients):
            param.grad = torch.from_numpy(gradient[step].copy())
        optimizer.step()
        yield [to_numpy(param).copy() for param in params]


def lion_trajectory(attrs, initial, gradients):
    """Parameters after every step of Lion: sign of the interpolated momentum, decoupled weight decay."""
    lr, decay = np.float32(attrs["lr"]), np.float32(attrs["weight_decay"])
    beta1, beta2 = (np.float32(beta) for beta in attrs["betas"])
    params, momenta = [value.copy() for value in initial], [np.zeros_like(value) for value in initial]
    for step in range(STEPS):
        for i, gradient in enumerate(gradients):
            kept, fresh = beta1 * momenta[i], (1 - beta1) * gradient[step]
            update = np.sign(kept + fresh)
            # A near-cancellation would let another order of rounding flip the sign.
            assert np.all(np.abs(kept + fresh) >= 1e-5 * (np.abs(kept) + np.abs(fresh)))
            params[i] = params[i] - lr * (update + decay * params[i])
            momenta[i] = beta2 * momenta[i] + (1 - beta2) * gradient[step]
        yield [param.copy() for param in params]


def record(name, op, optimizer_class, attrs, initial, gradients):
    """Run one case; return its description and its stacked snapshots."""
    run = lion_trajectory(attrs, initial, gradients) if op == "lion" else torch_trajectory(
        optimizer_class, attrs, initial, gradients
    )
    kept = [params for step, params in enumerate(run, start=1) if step in SNAPSHOTS]
    tensors = {f"{name}.params.{i}": np.stack([params[i] for params in kept]) for i in range(len(SHAPES))}
    nearest = min(np.abs(stack).min() for stack in tensors.values())
    assert nearest > SMALLEST_ALLOWED, f"{name}: a parameter came to {nearest}; choose a smaller learning rate"
    case = {"name": name, "op": op, "attrs": resolve(optimizer_class, attrs), "snapshots": SNAPSHOTS}
    case["inputs"] = [f"{kind}.{i}" for kind in ("initial", "gradients") for i in range(len(SHAPES))]
    case["outputs"] = list(tensors)
    return case, tensors


def main():
    initial, gradients = make_problem()
    tensors = {f"initial.{i}": value for i, value in enumerate(initial)}
    tensors |= {f"gradients.{i}": value for i, value in enumerate(gradients)}
    cases = []
    for op, optimizer_class, attrs in CASES:
        name = f"{op}.{sum(case['op'] == op for case in cases)}"
        case, outputs = record(name, op, optimizer_class, attrs, initial, gradients)
        cases.append(case)
        tensors |= outputs
    write_tensors("optimizers.safetensors", tensors, cases=cases, made_with=versions())


if __name__ == "__main__":
    main()
