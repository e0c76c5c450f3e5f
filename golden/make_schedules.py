#!/usr/bin/env python3
"""Write schedules.json: the learning rate that torch.optim.lr_scheduler gives to every step.

Case: {"name", "schedule", "base_lr", "attrs", "values"}. `values[t]` is the rate used by step t, counted from 0;
`attrs` carry torch's names. A case with `warmup` runs torch's LinearLR for `warmup.total_iters` steps first and then
hands over to the schedule, which starts from its own step 0 (torch's SequentialLR).

ReduceLROnPlateau has `metrics` instead of a step count: `values[t]` is the rate before metric t is reported, so
there is one value more than there are metrics.
"""

import math

import torch
from torch.optim import lr_scheduler

from golden_file import versions, write_json

STEPS = 80

# schedule, base learning rate, attributes under their torch names
PLAIN = [
    ("ConstantLR", 0.1, {"factor": 1.0, "total_iters": 0}),
    ("ConstantLR", 0.3, {"factor": 0.25, "total_iters": 7}),
    ("StepLR", 0.1, {"step_size": 1, "gamma": 0.9}),
    ("StepLR", 0.5, {"step_size": 13, "gamma": 0.3}),
    ("MultiStepLR", 0.2, {"milestones": [5, 17, 18, 60], "gamma": 0.5}),
    ("MultiStepLR", 0.1, {"milestones": [30], "gamma": 0.1}),
    ("ExponentialLR", 0.1, {"gamma": 0.95}),
    ("ExponentialLR", 0.01, {"gamma": 1.02}),
    ("LinearLR", 0.1, {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5}),
    ("LinearLR", 0.1, {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 40}),
    ("LinearLR", 0.05, {"start_factor": 0.2, "end_factor": 0.7, "total_iters": 79}),
    ("PolynomialLR", 0.1, {"total_iters": 60, "power": 1.0}),
    ("PolynomialLR", 0.1, {"total_iters": 60, "power": 2.0}),
    ("PolynomialLR", 0.02, {"total_iters": 100, "power": 0.5}),
    ("CosineAnnealingLR", 0.1, {"T_max": 79, "eta_min": 0.0}),
    ("CosineAnnealingLR", 0.1, {"T_max": 50, "eta_min": 0.001}),  # past T_max the cosine rises again
    ("CosineAnnealingWarmRestarts", 0.1, {"T_0": 10, "T_mult": 1, "eta_min": 0.0}),
    ("CosineAnnealingWarmRestarts", 0.1, {"T_0": 7, "T_mult": 2, "eta_min": 0.002}),
    ("CosineAnnealingWarmRestarts", 0.1, {"T_0": 3, "T_mult": 3, "eta_min": 0.0}),
    ("OneCycleLR", 0.1, {"max_lr": 0.1, "total_steps": 80, "pct_start": 0.3, "anneal_strategy": "cos",
                         "div_factor": 25.0, "final_div_factor": 1e4, "three_phase": False}),
    ("OneCycleLR", 0.1, {"max_lr": 0.5, "total_steps": 80, "pct_start": 0.25, "anneal_strategy": "linear",
                         "div_factor": 10.0, "final_div_factor": 100.0, "three_phase": False}),
    ("OneCycleLR", 0.1, {"max_lr": 0.2, "total_steps": 80, "pct_start": 0.4, "anneal_strategy": "cos",
                         "div_factor": 25.0, "final_div_factor": 1e3, "three_phase": True}),
]

# schedule, base learning rate, attributes, warm-up attributes
WARMED_UP = [
    ("ConstantLR", 0.1, {"factor": 1.0, "total_iters": 0}, {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 10}),
    ("CosineAnnealingLR", 0.1, {"T_max": 70, "eta_min": 0.0}, {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 10}),
    ("CosineAnnealingLR", 0.1, {"T_max": 75, "eta_min": 1e-4}, {"start_factor": 0.2, "end_factor": 1.0, "total_iters": 5}),
    ("StepLR", 0.4, {"step_size": 20, "gamma": 0.5}, {"start_factor": 1 / 8, "end_factor": 1.0, "total_iters": 8}),
    ("ExponentialLR", 0.1, {"gamma": 0.97}, {"start_factor": 1e-3, "end_factor": 1.0, "total_iters": 20}),
    ("PolynomialLR", 0.1, {"total_iters": 64, "power": 1.5}, {"start_factor": 0.5, "end_factor": 1.0, "total_iters": 16}),
]

# attributes of ReduceLROnPlateau; what is not named here has torch's default, which the file spells out
PLATEAU = [
    {"mode": "min", "patience": 3},
    {"mode": "min", "factor": 0.5, "patience": 0, "threshold": 0.05, "threshold_mode": "rel"},
    {"mode": "min", "factor": 0.5, "patience": 2, "threshold": 0.02, "threshold_mode": "abs", "cooldown": 4},
    {"mode": "max", "factor": 0.2, "patience": 4, "threshold": 0.01, "threshold_mode": "rel", "min_lr": 1e-3},
    {"mode": "max", "factor": 0.3, "patience": 1, "threshold": 0.01, "threshold_mode": "abs", "cooldown": 1, "eps": 1e-3},
]
PLATEAU_DEFAULTS = {"mode": "min", "factor": 0.1, "patience": 10, "threshold": 1e-4, "threshold_mode": "rel",
                    "cooldown": 0, "min_lr": 0.0, "eps": 1e-8}


def make_optimizer(base_lr):
    """Any optimiser will do: only its learning rate is read."""
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base_lr)


def follow(optimizer, scheduler, steps):
    """The learning rate of each step."""
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(values) < steps:  # OneCycleLR refuses a step past its last
            scheduler.step()
    return values


def plain_case(schedule, base_lr, attrs):
    optimizer = make_optimizer(base_lr)
    scheduler = getattr(lr_scheduler, schedule)(optimizer, **attrs)
    return {"schedule": schedule, "base_lr": base_lr, "attrs": attrs, "values": follow(optimizer, scheduler, STEPS)}


def warmed_up_case(schedule, base_lr, attrs, warmup):
    optimizer = make_optimizer(base_lr)
    first = lr_scheduler.LinearLR(optimizer, **warmup)
    then = getattr(lr_scheduler, schedule)(optimizer, **attrs)
    both = lr_scheduler.SequentialLR(optimizer, [first, then], milestones=[warmup["total_iters"]])
    values = follow(optimizer, both, STEPS)
    return {"schedule": schedule, "base_lr": base_lr, "attrs": attrs, "warmup": warmup, "values": values}


def plateau_metrics(mode):
    """A loss (or, for `max`, a score) that falls, stalls, jitters and falls again."""
    loss = [math.exp(-t / 6) + 0.3 + 0.04 * math.sin(1.7 * t) for t in range(40)]
    loss += [loss[-1]] * 12 + [0.29 - 0.004 * t + 0.01 * math.cos(2.3 * t) for t in range(20)]
    return loss if mode == "min" else [1.5 - value for value in loss]


def plateau_case(chosen):
    attrs = PLATEAU_DEFAULTS | chosen
    optimizer = make_optimizer(0.1)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **attrs)
    metrics, values = plateau_metrics(attrs["mode"]), [0.1]
    for metric in metrics:
        scheduler.step(metric)
        values.append(optimizer.param_groups[0]["lr"])
    return {"schedule": "ReduceLROnPlateau", "base_lr": 0.1, "attrs": attrs, "metrics": metrics, "values": values}


def main():
    cases = [plain_case(*row) for row in PLAIN]
    cases += [warmed_up_case(*row) for row in WARMED_UP]
    cases += [plateau_case(row) for row in PLATEAU]
    for i, case in enumerate(cases):
        # Written first, so that a reader sees the name before the numbers.
        cases[i] = {"name": f"{case['schedule']}.{i}"} | case
    write_json("schedules.json", {"made_with": versions(), "cases": cases})


if __name__ == "__main__":
    main()
