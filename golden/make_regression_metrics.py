#!/usr/bin/env python3
"""Write regression_metrics.json: scikit-learn's errors of predicted numbers.

Case: {"kind", "outputs", "scale", "truth", "predicted", "weights", "output_weights", "alpha", "expected"}. `truth` and
`predicted` are whole numbers over `scale`, row by row; weights are in sixteenths. Each metric of `expected` has its raw
values, then its uniform average, then the one by `output_weights`; R² and explained variance have the one by variance as
well. null stands where scikit-learn raises or answers NaN.
"""

import warnings

import numpy as np
import sklearn
from sklearn import metrics

from golden_file import versions, write_json
from metric_cases import CASES, attempt, listed, numbers, scaled, weights

SEED = 44
KINDS = ("random", "all right", "constant truth", "constant error", "zeros in the truth", "far from zero", "ties", "one row",
         "two rows", "an outlier")
METRICS = {
    "mean_squared_error": metrics.mean_squared_error,
    "root_mean_squared_error": metrics.root_mean_squared_error,
    "mean_absolute_error": metrics.mean_absolute_error,
    "mean_absolute_percentage_error": metrics.mean_absolute_percentage_error,
    "median_absolute_error": metrics.median_absolute_error,
    "pinball_loss": metrics.mean_pinball_loss,
    "r2": metrics.r2_score,
    "explained_variance": metrics.explained_variance_score,
}


def draw(rng, kind):
    outputs = int(rng.integers(1, 4))
    rows = {"one row": 1, "two rows": 2}.get(kind, int(rng.integers(3, 21)))
    scale = 2 if kind == "ties" else 64
    truth = np.round(rng.standard_normal((rows, outputs)) * 3 * scale).astype(int)
    error = np.round(rng.standard_normal((rows, outputs)) * scale).astype(int)
    if kind == "constant truth":
        truth[:] = truth[0]
    if kind == "zeros in the truth":
        truth[rng.random(truth.shape) < 0.3] = 0
    if kind == "far from zero":
        truth += 1000 * scale
    if kind == "constant error":
        error[:] = scale
    if kind == "all right":
        error[:] = 0
    if kind == "an outlier":
        error[0] = 500 * scale
    return outputs, scale, truth, truth + error


def answers(name, metric, pair, case, weight):
    """Raw values, then the averages."""
    options = {"sample_weight": weight} | ({"alpha": case["alpha"]} if name == "pinball_loss" else {})
    # scikit-learn takes no weights of a single output.
    averages = ["uniform_average", case["output_weights"] if case["outputs"] > 1 else "uniform_average"]
    averages += ["variance_weighted"] if name in ("r2", "explained_variance") else []
    raw = numbers(metric(*pair, multioutput="raw_values", **options))
    return [raw, [attempt(lambda: metric(*pair, multioutput=average, **options)) for average in averages]]


def make(rng, kind):
    outputs, scale, truth, predicted = draw(rng, kind)
    drawn = weights(rng, len(truth))
    case = {"kind": kind, "outputs": outputs, "scale": scale, "truth": listed(truth), "predicted": listed(predicted),
            "weights": listed(drawn), "output_weights": (rng.integers(1, 9, outputs) / 8).tolist(),
            "alpha": float(rng.choice([0.0, 0.1, 0.5, 0.9]))}
    pair = (truth / scale, predicted / scale)
    expected = {name: answers(name, metric, pair, case, scaled(drawn)) for name, metric in METRICS.items()}
    return case | {"expected": expected}


def main():
    warnings.simplefilter("ignore")  # degenerate cases are here on purpose
    rng = np.random.default_rng(SEED)
    cases = [make(rng, KINDS[at % len(KINDS)]) for at in range(CASES)]
    write_json("regression_metrics.json", {"made_with": versions(scikit_learn=sklearn.__version__), "cases": cases})


if __name__ == "__main__":
    main()
