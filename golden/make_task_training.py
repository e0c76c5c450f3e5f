#!/usr/bin/env python3
"""Write task_training.safetensors: the first 50 losses of networks that learn numbers and labels.

Plain SGD, batch 32, float32, inputs standardised. Two problems:

- `regression.*`: data/diabetes/train.csv, its columns `target` and `bmi` learnt from the others by a 9-16-2 tanh network.
  Targets are standardised by the mean and the population standard deviation of the file.
- `multilabel.*`: four labels of six inputs (scikit-learn's make_multilabel_classification), by a 6-12-4 tanh network.

For each problem `<name>.layers.0.weight`, …: the initial parameters; `<name>.order` [50, 32]: the rows of each batch.
For each case `<problem>.<loss>.losses` [50], float32: the loss of each batch before its step. The multilabel problem also
has `multilabel.inputs` and `multilabel.targets`.

tanh, because a ReLU near its kink lets two right answers part (see make_training.py). The script prints how far the same
runs in float64 lie from those in float32.
"""

import csv

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import make_multilabel_classification

from golden_file import HERE, versions, write_tensors

STEPS, BATCH_SIZE, LEARNING_RATE, SEED = 50, 32, 0.3, 7
TARGETS = ["target", "bmi"]
POS_WEIGHT = [1.0, 2.0, 0.5, 4.0]


def standardize(columns):
    return (columns - columns.mean(0)) / columns.std(0)


def diabetes():
    with open(HERE.parent / "data" / "diabetes" / "train.csv") as file:
        rows = list(csv.DictReader(file))
    inputs = [name for name in rows[0] if name not in TARGETS]
    column = lambda names: np.array([[float(row[name]) for name in names] for row in rows])
    return standardize(column(inputs)), standardize(column(TARGETS))


def labels():
    inputs, targets = make_multilabel_classification(n_samples=160, n_features=6, n_classes=4, n_labels=2, random_state=SEED)
    return standardize(inputs).astype(np.float32), targets.astype(np.float32)


LOSSES = {
    "regression": {
        "mse": F.mse_loss,
        "mae": F.l1_loss,
        "huber": lambda x, y: F.huber_loss(x, y, delta=0.7),
        "smooth_l1": lambda x, y: F.smooth_l1_loss(x, y, beta=0.7),
    },
    "multilabel": {
        "bce": F.binary_cross_entropy_with_logits,
        "weighted_bce": lambda x, y: F.binary_cross_entropy_with_logits(x, y, pos_weight=torch.tensor(POS_WEIGHT, dtype=x.dtype)),
    },
}


def train(initial, problem, order, loss_of, dtype):
    inputs, targets = (torch.tensor(np.asarray(part, np.float32)).to(dtype) for part in problem)
    params = {name: value.to(dtype).clone().requires_grad_() for name, value in initial.items()}
    w0, b0, w1, b1 = params.values()
    optimizer = torch.optim.SGD(params.values(), lr=LEARNING_RATE)
    losses = []
    for rows in torch.from_numpy(order):
        outputs = F.linear(torch.tanh(F.linear(inputs[rows], w0, b0)), w1, b1)
        loss = loss_of(outputs, targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


def main():
    torch.set_num_threads(1)
    problems = {"regression": (diabetes(), 16), "multilabel": (labels(), 12)}
    tensors, cases = {}, []
    for name, (problem, hidden) in problems.items():
        torch.manual_seed(SEED)
        widths = [problem[0].shape[1], hidden, problem[1].shape[1]]
        layers = [torch.nn.Linear(*pair) for pair in zip(widths, widths[1:])]
        initial = {f"layers.{i}.{key}": value.detach() for i, layer in enumerate(layers) for key, value in layer.named_parameters()}
        order = np.random.default_rng(SEED).integers(len(problem[0]), size=(STEPS, BATCH_SIZE))
        tensors |= {f"{name}.{key}": value.numpy() for key, value in initial.items()} | {f"{name}.order": order}
        for loss, loss_of in LOSSES[name].items():
            single = train(initial, problem, order, loss_of, torch.float32)
            double = train(initial, problem, order, loss_of, torch.float64)
            print(f"{name}.{loss}: {single[0]:.4f} -> {single[-1]:.4f}; float32 and float64 differ by {np.max(np.abs(single / double - 1)):.1e}")
            tensors[f"{name}.{loss}.losses"] = single.astype(np.float32)
            attrs = {"lr": LEARNING_RATE, "delta": 0.7, "pos_weight": POS_WEIGHT}
            cases.append({"name": f"{name}.{loss}", "op": loss, "attrs": attrs, "inputs": [f"{name}.order"], "outputs": [f"{name}.{loss}.losses"]})
    (tensors["multilabel.inputs"], tensors["multilabel.targets"]), _ = problems["multilabel"]
    write_tensors("task_training.safetensors", tensors, cases=cases, made_with=versions())


if __name__ == "__main__":
    main()
