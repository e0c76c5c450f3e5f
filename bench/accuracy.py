#!/usr/bin/env python3
"""Test accuracy that PyTorch reaches with gradus' classifier recipe, for comparison.

    target/peers/bin/python bench/accuracy.py [--normalize standard|unit] [--schedule constant|cosine]
                                               [--seeds 3] [--data DIR]

The recipe: 784-128-10 ReLU network, cross-entropy, Adam at 1e-3, batches of 64 drawn by a fresh permutation each
epoch (the incomplete last one included), 10 epochs. `unit` divides pixels by 255; `standard` also subtracts the
training pixels' mean and divides by their standard deviation, both over all pixels. `cosine` lets the learning rate
fall to zero over the run, one step at a time.
"""

import argparse
import math
import statistics

import torch
import torch.nn.functional as F

import fashion_mnist

EPOCHS, BATCH_SIZE, LEARNING_RATE = 10, 64, 1e-3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--normalize", choices=("standard", "unit"), default="standard")
    parser.add_argument("--schedule", choices=("constant", "cosine"), default="constant")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", default=fashion_mnist.find()[0])
    return parser.parse_args()


def load(args):
    """Training and test tensors, both normalised by the training pixels."""
    x, y = (torch.from_numpy(array) for array in fashion_mnist.load(args.data, "train"))
    test_x, test_y = (torch.from_numpy(array) for array in fashion_mnist.load(args.data, "t10k"))
    if args.normalize == "standard":
        mean, std = x.mean(), x.std(correction=0)
        x, test_x = (x - mean) / std, (test_x - mean) / std
    return x, y, test_x, test_y


def train(x, y, seed, schedule):
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    steps = EPOCHS * -(-len(x) // BATCH_SIZE)
    factor = (lambda step: 0.5 + 0.5 * math.cos(math.pi * step / steps)) if schedule == "cosine" else (lambda step: 1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH_SIZE):
            optimizer.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            scheduler.step()
    return net


def main():
    args = arguments()
    x, y, test_x, test_y = load(args)
    accuracies = []
    for seed in range(args.seeds):
        net = train(x, y, seed, args.schedule)
        with torch.inference_mode():
            accuracies.append((net(test_x).argmax(1) == test_y).float().mean().item() * 100)
        print(f"seed {seed}: test accuracy {accuracies[-1]:.2f} %")
    recipe = f"{len(x):,} training rows, normalize {args.normalize}, {args.schedule} learning rate"
    print(f"mean {statistics.mean(accuracies):.2f} % over {args.seeds} seeds; {recipe}")


if __name__ == "__main__":
    main()
