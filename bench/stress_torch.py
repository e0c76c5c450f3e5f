"""Do FGSM and PGD hurt a packaged network as much as PyTorch says? Same weights, same images, same step rule.

    stress_torch.py MODEL --data FOLDER [--epsilon 0.1] [--steps 10] [--step-size S] [--seed 0] [--no-start] [--gradus PROGRAM]

MODEL is a package of the family `mlp`; FOLDER holds Fashion-MNIST's IDX files. The attack is written here from Madry et
al. (2018) alone: the input x in [0, 1], start uniform in the ball, x <- clip(project(x + size * sign(gradient)), 0, 1),
size 2.5 * epsilon / steps unless given, cross-entropy of the true class, the last iterate counts. With --gradus the
program is run on the same package and both answers stand in one JSON line.
"""

import argparse
import gzip
import json
import pathlib
import subprocess

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "tanh": torch.tanh, "silu": F.silu}


def idx(path, header):
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=header)


class Network:
    """The package's multilayer perceptron on pictures from 0 to 1, its preparation included."""

    def __init__(self, folder):
        config = json.loads((folder / "config.json").read_text())
        prepare = json.loads((folder / "gradus.json").read_text())["preprocessing"]
        assert config["model_type"] == "mlp" and prepare["kind"] == "image", "a multilayer perceptron on pictures"
        self.activation = ACTIVATIONS[config.get("activation", "relu")]
        self.weights = load_file(folder / "model.safetensors")
        self.depth = sum(name.endswith(".weight") for name in self.weights)
        self.shape = prepare["shape"]
        mean, std = (torch.tensor(prepare[key], dtype=torch.float32).view(-1, 1, 1) for key in ("mean", "std"))
        self.prepare = lambda x: (x * 255 * prepare["scale"] - mean) / std

    def __call__(self, x):
        x = self.prepare(x).flatten(1)
        for at in range(self.depth):
            x = F.linear(x, self.weights[f"layers.{at}.weight"], self.weights.get(f"layers.{at}.bias"))
            x = self.activation(x) if at + 1 < self.depth else x
        return x


def sign_of_gradient(network, x, labels):
    x = x.detach().requires_grad_()
    F.cross_entropy(network(x), labels, reduction="sum").backward()
    return x.grad.sign()


def fgsm(network, x, labels, epsilon):
    return (x + epsilon * sign_of_gradient(network, x, labels)).clamp(0, 1)


def pgd(network, clean, labels, args, size, generator):
    x = clean
    if not args.no_start:
        x = (x + args.epsilon * (2 * torch.rand(x.shape, generator=generator) - 1)).clamp(0, 1)
    for _ in range(args.steps):
        x = x + size * sign_of_gradient(network, x, labels)
        x = torch.minimum(torch.maximum(x, clean - args.epsilon), clean + args.epsilon).clamp(0, 1)
    return x


def by_torch(args):
    network = Network(args.model)
    images = idx(args.data / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, *network.shape)
    images = torch.from_numpy(images.copy()).float() / 255
    labels = torch.from_numpy(idx(args.data / "t10k-labels-idx1-ubyte.gz", 8).astype(np.int64))
    size = args.step_size or 2.5 * args.epsilon / args.steps
    generator = torch.Generator().manual_seed(args.seed)
    right = {"clean": 0, "fgsm": 0, "pgd": 0}
    for x, y in zip(images.split(1000), labels.split(1000)):
        attacked = {"clean": x, "fgsm": fgsm(network, x, y, args.epsilon), "pgd": pgd(network, x, y, args, size, generator)}
        for name, inputs in attacked.items():
            right[name] += int((network(inputs).argmax(1) == y).sum())
    return {name: count / len(labels) for name, count in right.items()}


def by_gradus(args):
    command = [args.gradus, "stress", args.model, "--data", args.data, "--tests", "fgsm,pgd", "--json"]
    command += ["--epsilon", args.epsilon, "--steps", args.steps, "--seed", args.seed]
    command += ["--step-size", args.step_size] if args.step_size else []
    command += ["--restarts", 0] if args.no_start else []
    report = json.loads(subprocess.run([str(part) for part in command], check=True, capture_output=True).stdout)
    answers = {"clean": report["clean"]["accuracy"]}
    return answers | {test["test"]: test["severities"][0]["accuracy"] for test in report["tests"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--epsilon", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--step-size", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-start", action="store_true", help="start PGD at the picture itself")
    parser.add_argument("--gradus", help="the program to compare with")
    args = parser.parse_args()
    answers = {"epsilon": args.epsilon, "steps": args.steps, "torch": by_torch(args)}
    if args.gradus:
        answers["gradus"] = by_gradus(args)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
