#!/usr/bin/env python3
"""What Optuna, cmaes and SciPy answer where gradus searches for settings: search.json.

Parzen estimators (weights, kernels, log-densities), which trials count as good, the decisions of pruners on recorded
values, importances by PED-ANOVA, the distribution of CMA-ES after each generation, and points of Sobol sequences.
"""

import json
import math
import pathlib
import warnings

import cmaes
import numpy as np
import optuna
import scipy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_weights
from optuna.trial import TrialState, create_trial

warnings.simplefilter("ignore")
# NumPy leaves open which of two equal numbers comes first, and a kernel's width depends on it: first come, first.
_argsort = np.argsort
np.argsort = lambda a, kind="stable": _argsort(a, kind=kind)

optuna.logging.set_verbosity(optuna.logging.ERROR)

SPACE = {
    "a.choice": CategoricalDistribution(["x", "y", "z"]),
    "b.float": FloatDistribution(-2.0, 3.0),
    "c.log": FloatDistribution(1e-5, 1e-1, log=True),
    "d.step": FloatDistribution(0.0, 2.0, step=0.25),
    "e.int": IntDistribution(16, 512, log=True),
    "f.int": IntDistribution(1, 9, step=2),
}
SPACE_TOML = """
a.choice = { choices = ["x", "y", "z"] }
b.float = { low = -2.0, high = 3.0 }
c.log = { low = 1e-5, high = 1e-1, log = true }
d.step = { low = 0.0, high = 2.0, step = 0.25 }
e.int = { low = 16, high = 512, log = true }
f.int = { low = 1, high = 9, step = 2 }
"""


def draw(rng):
    """A point, as numbers: the place of a choice, the value of anything else."""
    return [
        float(rng.integers(3)),
        float(rng.uniform(-2.0, 3.0)),
        float(np.exp(rng.uniform(math.log(1e-5), math.log(1e-1)))),
        0.25 * float(rng.integers(9)),
        float(round(np.exp(rng.uniform(math.log(16), math.log(512))))),
        float(1 + 2 * rng.integers(5)),
    ]


def params(point):
    return {
        name: dist.to_external_repr(value) for (name, dist), value in zip(SPACE.items(), point)
    }


def parzen_cases(rng):
    settings = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
    for count in [0, 1, 2, 7, 24, 25, 26, 40, 120]:
        observations = [draw(rng) for _ in range(count)]
        if count == 7:
            observations[5] = [0.0, -2.0, 1e-5, 0.0, 16.0, 1.0]  # on the edge
        if count == 2:
            observations[1][2] = observations[0][2]  # at one place, and of one width
        points = [draw(rng) for _ in range(8)] + [[2.0, 3.0, 1e-1, 2.0, 512.0, 9.0]]
        columns = np.array(observations).reshape(count, len(SPACE))
        estimator = _ParzenEstimator(
            {name: columns[:, i] for i, name in enumerate(SPACE)}, SPACE, settings
        )
        mixture = estimator._mixture_distribution
        log_density = estimator.log_pdf({name: np.array(points)[:, i] for i, name in enumerate(SPACE)})
        kernels = [
            dist.weights.tolist() if hasattr(dist, "weights") else [dist.mu.tolist(), dist.sigma.tolist()]
            for dist in mixture.distributions
        ]
        yield {
            "observations": observations,
            "points": points,
            "weights": mixture.weights.tolist(),
            "kernels": kernels,
            "log_density": log_density.tolist(),
        }


def random_trials(rng, count, direction):
    """Finished trials: complete ones, pruned ones with and without values, some of equal value."""
    trials = []
    for number in range(count):
        point = draw(rng)
        kind = rng.choice(["complete", "complete", "complete", "pruned", "empty"])
        values = [round(float(v), 1) for v in rng.uniform(size=rng.integers(1, 6))]
        if kind == "empty":
            values = []
        elif kind == "pruned" and rng.uniform() < 0.2:
            values[-1] = float("nan")
        trials.append({"point": point, "state": "complete" if kind == "complete" else "pruned", "values": values})
    return trials


def frozen(trials):
    frozen = []
    for number, trial in enumerate(trials):
        complete = trial["state"] == "complete"
        made = create_trial(
            state=TrialState.COMPLETE if complete else TrialState.PRUNED,
            value=trial["values"][-1] if complete else None,
            params=params(trial["point"]),
            distributions=SPACE,
            intermediate_values={i + 1: v for i, v in enumerate(trial["values"])},
        )
        made.number = number
        frozen.append(made)
    return frozen


def as_json(trials):
    hide = lambda v: None if math.isnan(v) else v
    return [dict(trial, values=[hide(v) for v in trial["values"]]) for trial in trials]


def split_cases(rng):
    for direction in ["minimize", "maximize"]:
        for count in [10, 11, 35, 300]:
            trials = random_trials(rng, count, direction)
            study = optuna.create_study(direction=direction)
            below, _ = _split_trials(study, frozen(trials), default_gamma(count))
            yield {
                "direction": direction,
                "trials": as_json(trials),
                "good": [trial.number for trial in below],
            }


def pruner_cases(rng):
    pruners = {
        "median": lambda: optuna.pruners.MedianPruner(),
        "asha": lambda: optuna.pruners.SuccessiveHalvingPruner(),
        "asha_1_2_1": lambda: optuna.pruners.SuccessiveHalvingPruner(
            min_resource=1, reduction_factor=2, min_early_stopping_rate=1
        ),
        "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=20),
    }
    for name, pruner in pruners.items():
        for direction in ["minimize", "maximize"]:
            study = optuna.create_study(direction=direction, pruner=pruner(), study_name="golden")
            trials = []
            # Three trials at a time report in turn, as with three workers.
            running = []
            decisions = []
            begun = 0
            while begun < 60 or running:
                while len(running) < 3 and begun < 60:
                    base = rng.uniform()
                    curve = [round(base + float(rng.normal()) * 0.15, 2) for _ in range(20)]
                    if begun % 17 == 5:
                        curve[6] = float("nan")
                    running.append((study.ask(), curve, 0))
                    begun += 1
                trial, curve, at = running.pop(int(rng.integers(len(running))))
                trial.report(curve[at], at + 1)
                prune = bool(trial.should_prune())
                at += 1
                decisions.append([trial.number, None if math.isnan(curve[at - 1]) else curve[at - 1], prune])
                if prune:
                    study.tell(trial, state=TrialState.PRUNED)
                elif at == len(curve):
                    study.tell(trial, curve[-1])
                else:
                    running.append((trial, curve, at))
            yield {"pruner": name, "direction": direction, "length": 20, "decisions": decisions}


def importance_cases(rng):
    for direction, count in [("minimize", 12), ("maximize", 60), ("minimize", 300)]:
        trials = []
        for _ in range(count):
            point = draw(rng)
            value = (math.log10(point[2]) + 3) ** 2 + 0.3 * point[0] + 0.001 * point[4] + 0.1 * rng.normal()
            value = round(float(value if direction == "minimize" else -value), 3)
            trials.append({"point": point, "state": "complete", "values": [value]})
        study = optuna.create_study(direction=direction)
        study.add_trials(frozen(trials))
        shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
        yield {"direction": direction, "trials": as_json(trials), "shares": shares}


def cma_cases(rng):
    for dimensions in [1, 2, 5, 10]:
        mean = rng.uniform(0.3, 0.7, dimensions)
        optimizer = cmaes.CMA(mean=mean, sigma=1 / 6, seed=1)
        generations = []
        for _ in range(8):
            points = [optimizer.ask() for _ in range(optimizer.population_size)]
            points.sort(key=lambda x: float(np.sum((np.arange(1, dimensions + 1) * (x - 0.2)) ** 2)))
            optimizer.tell([(x, float(rank)) for rank, x in enumerate(points)])
            generations.append(
                {
                    "points": [x.tolist() for x in points],
                    "mean": optimizer._mean.tolist(),
                    "sigma": float(optimizer._sigma),
                    "covariance": optimizer._C.tolist(),
                }
            )
        yield {"mean": mean.tolist(), "generations": generations}


def sobol_cases():
    sobol = scipy.stats.qmc.Sobol(64, scramble=False, bits=32)
    points = sobol.random(16)
    sobol.fast_forward(1000 - 16)
    return {"first": points.tolist(), "number_1000": sobol.random(1)[0].tolist()}


def main():
    rng = np.random.default_rng(4)
    answers = {
        "made_with": {"optuna": optuna.__version__, "cmaes": cmaes.__version__, "scipy": scipy.__version__},
        "space": SPACE_TOML,
        "parzen": list(parzen_cases(rng)),
        "split": list(split_cases(rng)),
        "pruners": list(pruner_cases(rng)),
        "importances": list(importance_cases(rng)),
        "cma_es": list(cma_cases(rng)),
        "sobol": sobol_cases(),
    }
    path = pathlib.Path(__file__).with_name("search.json")
    path.write_text(json.dumps(answers, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
