#!/usr/bin/env python3
"""Write training.safetensors: 500 losses of the 784-128-10 ReLU network on data/fashion-mnist-sample.

Plain SGD, learning rate 0.1, batch 64, mean cross-entropy, float32, pixels divided by 255. The file holds

- `layers.0.weight` [128, 784], `layers.0.bias`, `layers.1.weight` [10, 128], `layers.1.bias`: the initial values;
- `order` [500, 64], int64: the training rows of each batch. Each epoch is a fresh permutation, cut into whole batches;
- `losses` [500], float32: the loss of each batch before its step, as PyTorch computes it in float32;
- `losses_exact` [500], float64: the same run in float64;
- `final.<name>`: the output layer's parameters after the last step.

The difference between the two runs, which the script prints, is what rounding alone does over 500 steps: it says
how tight a tolerance can honestly be.
"""

import gzip

import numpy as np
import torch
import torch.nn.functional as F

from golden_file import HERE, versions, write_tensors

SAMPLE = HERE.parent / "data" / "fashion-mnist-sample"
STEPS, BATCH_SIZE, LEARNING_RATE, SEED = 500, 64, 0.1, 14
IMAGE_HEADER_BYTES, LABEL_HEADER_BYTES = 16, 8


def load_sample():
    """Pixels in [0, 1] as float32 rows, and int64 labels."""
    images = gzip.decompress((SAMPLE / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((SAMPLE / "train-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=IMAGE_HEADER_BYTES).reshape(-1, 28 * 28)
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(255)), torch.from_numpy(
        np.frombuffer(labels, np.uint8, offset=LABEL_HEADER_BYTES).astype(np.int64)
    )


def make_order(rows):
    """Batches of row numbers, epoch after epoch, each epoch's incomplete last batch dropped."""
    rng = np.random.default_rng(SEED)
    per_epoch = rows // BATCH_SIZE
    epochs = [rng.permutation(rows)[: per_epoch * BATCH_SIZE] for _ in range(-(-STEPS // per_epoch))]
    return np.concatenate(epochs).reshape(-1, BATCH_SIZE)[:STEPS].astype(np.int64)


def initial_parameters():
    """What torch.nn.Linear starts from, under the names gradus gives to an `mlp`."""
    torch.manual_seed(SEED)
    layers = [torch.nn.Linear(784, 128), torch.nn.Linear(128, 10)]
    return {f"layers.{i}.{name}": value.detach() for i, layer in enumerate(layers) for name, value in layer.named_parameters()}


def train(initial, pixels, labels, order, dtype):
    """Return the loss of every step and the parameters after the last."""
    params = {name: value.to(dtype).requires_grad_() for name, value in initial.items()}
    w0, b0, w1, b1 = params.values()
    optimizer = torch.optim.SGD(params.values(), lr=LEARNING_RATE)
    losses = []
    for rows in torch.from_numpy(order):
        hidden = torch.relu(F.linear(pixels[rows].to(dtype), w0, b0))
        loss = F.cross_entropy(F.linear(hidden, w1, b1), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), {name: value.detach() for name, value in params.items()}


def main():
    torch.set_num_threads(1)
    pixels, labels = load_sample()
    order = make_order(len(pixels))
    initial = initial_parameters()
    # Cloned, because `to` of the same dtype shares memory and the steps are in place.
    losses, final = train({name: value.clone() for name, value in initial.items()}, pixels, labels, order, torch.float32)
    exact, _ = train(initial, pixels, labels, order, torch.float64)
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}; float32 and float64 differ by {np.max(np.abs(losses / exact - 1)):.1e} at most")
    tensors = {name: value.numpy() for name, value in initial.items()}
    tensors |= {"order": order, "losses": losses.astype(np.float32), "losses_exact": exact}
    tensors |= {f"final.{name}": final[name].numpy() for name in ("layers.1.weight", "layers.1.bias")}
    case = {"name": "training.0", "op": "sgd", "attrs": {"lr": LEARNING_RATE, "batch_size": BATCH_SIZE},
            "inputs": [*initial, "order"], "outputs": ["losses", "losses_exact", *(key for key in tensors if key.startswith("final."))]}
    write_tensors("training.safetensors", tensors, cases=[case], made_with=versions())


if __name__ == "__main__":
    main()
