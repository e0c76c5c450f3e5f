"""Does gradus learn what PyTorch learns? The character-level S model on Austen and the King James Bible.

    learning_gpt.py [--who gradus|pytorch|both] [--precision f32|bf16] [--seeds 0,1,2] [--threads 2]

Both sides train RECIPE below: PyTorch on train.txt of texts.py, gradus by its `gpt` recipe on the two books, of which it
holds out the same share at their ends. Both report the loss of all held-out text in nats a character. Orders of the data
and random numbers differ, which is why several seeds are averaged. One JSON line a run, and one for the means.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--who", choices=("gradus", "pytorch", "both"), default="both")
parser.add_argument("--gradus", type=pathlib.Path, default=pathlib.Path("target/release/gradus"))
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


def train_gradus(seed):
    """The held-out loss of gradus' own `gpt` recipe with every setting of RECIPE spelled out."""
    shape = gpt_torch.SHAPES["S"]
    books = [str((args.texts / name).resolve()) for name in ("austen.txt", "kjv.txt")]
    settings = {
        "data.text": books, "data.validation_fraction": texts.VALIDATION_SHARE, "data.tokenizer": "characters",
        "model.n_layer": shape.layers, "model.n_head": shape.heads, "model.n_embd": shape.width,
        "train.max_steps": RECIPE["steps"], "train.batch_size": shape.batch, "train.block_size": shape.block,
        "train.learning_rate": RECIPE["learning_rate"], "train.clip_norm": RECIPE["clip_norm"], "train.seed": seed,
        "train.precision": args.precision, "train.eval_every_steps": RECIPE["steps"], "train.restore_best": False,
        "optimizer.betas": list(RECIPE["betas"]), "optimizer.weight_decay": RECIPE["decay"],
        "schedule.warmup_steps": RECIPE["warmup_steps"], "schedule.min_learning_rate": RECIPE["final_learning_rate"],
    }
    with tempfile.TemporaryDirectory() as folder:
        recipe = pathlib.Path(folder) / "gpt.toml"
        recipe.write_bytes(subprocess.run([args.gradus, "new", "gpt"], check=True, capture_output=True).stdout)
        command = [args.gradus, "train", recipe, "--out", recipe.with_name("run"), "--threads", str(args.threads), "--json"]
        for key, value in settings.items():
            command += ["--set", f"{key}={json.dumps(value)}"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    metrics = {metric["name"]: metric["value"] for metric in json.loads(done.stdout)["package"]["metrics"]}
    return metrics["loss"]


def characters(folder):
    """Both texts as ids, numbered in the order of the characters that occur."""
    train_text, validation_text = ((folder / name).read_text(encoding="utf-8") for name in ("train.txt", "validation.txt"))
    alphabet = sorted(set(train_text) | set(validation_text))
    number = {character: index for index, character in enumerate(alphabet)}
    as_ids = [torch.tensor([number[character] for character in text]) for text in (train_text, validation_text)]
    return *as_ids, len(alphabet)


def run(who, seeds, train_once):
    """One JSON line a seed; the mean loss."""
    losses = []
    for seed in seeds:
        start = time.perf_counter()
        losses.append(train_once(seed))
        print(json.dumps({"who": who, "precision": args.precision, "seed": seed, "validation_loss": round(losses[-1], 4),
                          "seconds": round(time.perf_counter() - start, 1)}), flush=True)
    return statistics.mean(losses)


def main():
    torch.set_num_threads(args.threads)
    if not (args.texts / "train.txt").exists():
        try:
            texts.write(args.texts)
        except texts.Missing as missing:
            raise SystemExit(f"skipped: {missing}") from missing
    seeds, means = [int(seed) for seed in args.seeds.split(",")], {"precision": args.precision}
    if args.who != "pytorch":
        means["gradus"] = round(run("gradus", seeds, train_gradus), 4)
    if args.who != "gradus":
        data = characters(args.texts)
        means["PyTorch"] = round(run("PyTorch", seeds, lambda seed: train(seed, *data)), 4)
    print(json.dumps(means))


if __name__ == "__main__":
    main()
