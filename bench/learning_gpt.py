"""Does gradus learn what PyTorch learns? The character-level S model on Austen and the King James Bible.

    learning_gpt.py --peers-only [--precision f32|bf16] [--seeds 0,1,2] [--threads 1]

Both sides train RECIPE below on train.txt of texts.py and report the loss of all of validation.txt, in nats a
character. Orders of the data and random numbers differ, which is why several seeds are averaged. One JSON line a run.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--peers-only", action="store_true", help="leave gradus out")
parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
parser.add_argument("--seeds", default="0,1,2")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--texts", type=pathlib.Path, default=pathlib.Path("target/texts"))
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402 - after OMP_NUM_THREADS is set

import gpt_torch  # noqa: E402
import texts  # noqa: E402

RECIPE = {"steps": 2000, "warmup_steps": 100, "learning_rate": 1e-3, "final_learning_rate": 1e-4, "betas": (0.9, 0.99),
          "decay": 0.1, "clip_norm": 1.0}


def learning_rate(step):
    """Linear warm-up, then a cosine down to the final rate at the last step."""
    if step < RECIPE["warmup_steps"]:
        return RECIPE["learning_rate"] * (step + 1) / RECIPE["warmup_steps"]
    progress = (step - RECIPE["warmup_steps"]) / (RECIPE["steps"] - RECIPE["warmup_steps"])
    low, high = RECIPE["final_learning_rate"], RECIPE["learning_rate"]
    return low + 0.5 * (1 + math.cos(math.pi * progress)) * (high - low)


def windows(ids, block):
    """All of a text in consecutive windows: inputs and targets, [windows, block]."""
    count = (len(ids) - 1) // block
    return ids[: count * block].view(count, block), ids[1 : count * block + 1].view(count, block)


@torch.no_grad()
def validation_loss(model, ids, autocast):
    inputs, targets = windows(ids, model.shape.block)
    total = 0.0
    for x, y in zip(inputs.split(256), targets.split(256)):
        with autocast():
            total += model(x, y).item() * y.numel()
    return total / targets.numel()


def train(seed, train_ids, validation_ids, vocab):
    torch.manual_seed(seed)
    shape = dataclasses.replace(gpt_torch.SHAPES["S"], vocab=vocab, bias=True)
    model = gpt_torch.LanguageModel(shape)
    optimizer = gpt_torch.adamw(model, RECIPE["learning_rate"], RECIPE["betas"], RECIPE["decay"])

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16")

    offsets = torch.arange(shape.block)
    for step in range(RECIPE["steps"]):
        rows = torch.randint(len(train_ids) - shape.block - 1, (shape.batch, 1)) + offsets
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        with autocast():
            loss = model(train_ids[rows], train_ids[rows + 1])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), RECIPE["clip_norm"])
        optimizer.step()
    return validation_loss(model, validation_ids, autocast)


def characters(folder):
    """Both texts as ids, numbered in the order of the characters that occur."""
    train_text, validation_text = ((folder / name).read_text(encoding="utf-8") for name in ("train.txt", "validation.txt"))
    alphabet = sorted(set(train_text) | set(validation_text))
    number = {character: index for index, character in enumerate(alphabet)}
    as_ids = [torch.tensor([number[character] for character in text]) for text in (train_text, validation_text)]
    return *as_ids, len(alphabet)


def main():
    torch.set_num_threads(args.threads)
    if not (args.texts / "train.txt").exists():
        texts.write(args.texts)
    train_ids, validation_ids, vocab = characters(args.texts)
    for seed in map(int, args.seeds.split(",")):
        start = time.perf_counter()
        loss = train(seed, train_ids, validation_ids, vocab)
        print(json.dumps({"who": "PyTorch", "precision": args.precision, "seed": seed, "validation_loss": round(loss, 4),
                          "seconds": round(time.perf_counter() - start, 1)}), flush=True)


if __name__ == "__main__":
    main()
