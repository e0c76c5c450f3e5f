#!/usr/bin/env python3
"""gradus tune against Optuna: who finds the better Fashion-MNIST network in the same number of training steps?

Both search the same space (learning rate, width, weight decay, batch size) with TPE and asynchronous successive halving,
and both train with gradus: for Optuna, `gradus tune` runs one trial with the settings that Optuna asks for (it leaves no
package, which saves time), its measurements are reported epoch by epoch, and where Optuna prunes, the epochs that would not have been trained are not counted. Each
search ends with the trial that would pass the budget of training steps.

    bench/tune_optuna.py --gradus target/release/gradus --seeds 5

Prints a line for each seed and the medians.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import optuna

EPOCHS = 5

RECIPE = """
[data]
train = "{data}"
max_samples = {samples}
validation_fraction = 0.2

[model]
model_type = "mlp"
hidden_sizes = [128]

[train]
epochs = {epochs}
monitor = "accuracy"
seed = 1

[optimizer]
name = "adamw"
"""

SPACE = """
train.learning_rate = { low = 1e-5, high = 1e-1, log = true }
optimizer.weight_decay = { low = 1e-6, high = 1e-1, log = true }
train.batch_size = { choices = [16, 32, 64, 128, 256] }
model.hidden_sizes.0 = { low = 16, high = 256, log = true }
"""


def steps_of(batch, samples, epochs):
    return epochs * -(-(samples - samples // 5) // batch)


def best_within(trials, budget):
    """The best value of complete trials before the training steps run out."""
    best, used = 0.0, 0
    for steps, value in trials:
        used += steps
        if used > budget:
            break
        if value is not None:
            best = max(best, value)
    return best


def search_gradus(args, folder, seed):
    out = folder / f"gradus-{seed}"
    command = [args.gradus, "tune", folder / "recipe.toml", "--space", folder / "space.toml", "--out", out]
    command += ["--trials", str(args.trials), "--pruner", "asha", "--sampler", "tpe", "--seed", str(seed), "--json"]
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    seconds = time.monotonic() - began
    trials = [(trial["steps"], trial["value"]) for trial in json.loads(done.stdout)["trials"]]
    shutil.rmtree(out)
    return trials, seconds


def search_optuna(args, folder, seed):
    trials = []

    def objective(trial):
        settings = {
            "train.learning_rate": trial.suggest_float("rate", 1e-5, 1e-1, log=True),
            "optimizer.weight_decay": trial.suggest_float("decay", 1e-6, 1e-1, log=True),
            "train.batch_size": trial.suggest_categorical("batch", [16, 32, 64, 128, 256]),
            "model.hidden_sizes.0": trial.suggest_int("width", 16, 256, log=True),
        }
        out = folder / f"optuna-{seed}"
        command = [args.gradus, "tune", str(folder / "recipe.toml"), "--space", str(folder / "one.toml")]
        command += ["--trials", "1", "--pruner", "none", "--json", "--out", str(out)]
        for key, value in settings.items():
            command += ["--set", f"{key}={value!r}"]
        done = subprocess.run(command, capture_output=True, text=True)
        shutil.rmtree(out)
        if done.returncode != 0:
            # It diverged, in the first epoch as far as Optuna learns.
            trials.append((steps_of(settings["train.batch_size"], args.samples, 1), None))
            raise optuna.TrialPruned
        values = json.loads(done.stdout)["best"]["measurements"]
        for epoch, value in enumerate(values, start=1):
            trial.report(value, epoch)
            # As gradus does: what is measured after the last step costs no further step.
            if epoch < EPOCHS and trial.should_prune():
                trials.append((steps_of(settings["train.batch_size"], args.samples, epoch), None))
                raise optuna.TrialPruned
        trials.append((steps_of(settings["train.batch_size"], args.samples, EPOCHS), values[-1]))
        return values[-1]

    began = time.monotonic()
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.SuccessiveHalvingPruner(),
    )

    def enough(study, _trial):
        if sum(steps for steps, _ in trials) > args.budget:
            study.stop()

    study.optimize(objective, callbacks=[enough])
    return trials, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gradus", default="target/release/gradus")
    parser.add_argument("--data", default="data/fashion-mnist-sample")
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--budget", type=int, default=12_000, help="training steps of a search")
    parser.add_argument("--trials", type=int, default=100, help="of gradus, enough to use up the budget")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    args = parser.parse_args()
    args.gradus = str(pathlib.Path(args.gradus).resolve())
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    results = {"gradus": [], "optuna": []}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        data = pathlib.Path(args.data).resolve()
        (folder / "recipe.toml").write_text(RECIPE.format(data=data, samples=args.samples, epochs=EPOCHS))
        (folder / "space.toml").write_text(SPACE)
        (folder / "one.toml").write_text("train.seed = { choices = [1] }\n")
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            ours, our_seconds = search_gradus(args, folder, seed)
            theirs, their_seconds = search_optuna(args, folder, seed)
            found = [best_within(trials, args.budget) for trials in (ours, theirs)]
            used = [sum(steps for steps, _ in trials) for trials in (ours, theirs)]
            results["gradus"].append(found[0])
            results["optuna"].append(found[1])
            print(
                f"seed {seed}: gradus {found[0]:.4f} ({used[0]} steps, {our_seconds:.0f} s), "
                f"optuna {found[1]:.4f} ({used[1]} steps, {their_seconds:.0f} s)",
                flush=True,
            )
    medians = {name: statistics.median(values) for name, values in results.items()}
    points = 100 * (medians["gradus"] - medians["optuna"])
    print(f"median: gradus {medians['gradus']:.4f}, optuna {medians['optuna']:.4f}: {points:+.2f} points")


if __name__ == "__main__":
    main()
