#!/usr/bin/env python3
"""Write score_metrics.json: scikit-learn's areas, curves and thresholds of two classes.

Case: {"kind", "truth", "scale", "scores", "weights", "bins", "expected"}; scores are whole numbers over `scale`, weights in
sixteenths. `expected` has null where scikit-learn raises or answers NaN. Curves are lists of their columns. The best
thresholds are the first largest values of `metric_at_thresholds`, as [threshold, value].
"""

import warnings

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.calibration import calibration_curve

from golden_file import versions, write_json
from metric_cases import CASES, attempt, listed, numbers, scaled, weights

SEED = 42
KINDS = ("random", "good", "ties", "all tied", "only positives", "only negatives", "one positive", "one row", "two rows")


def draw(rng, kind):
    rows = {"one row": 1, "two rows": 2}.get(kind, int(rng.integers(5, 31)))
    truth = rng.integers(2, size=rows)
    if kind in ("only positives", "only negatives"):
        truth = np.full(rows, int(kind == "only positives"))
    if kind == "one positive":
        truth = np.eye(rows, dtype=int)[rng.integers(rows)]
    if kind == "two rows":
        truth = np.array([0, 1])
    scale = 4 if kind == "ties" else 1024
    share = rng.random(rows)
    if kind == "good":
        share = 0.6 * share + 0.4 * truth
    scores = np.round(share * scale).astype(int)
    if kind == "all tied":
        scores = np.full(rows, 512)
    return truth, scale, scores


def best(truth, scores, weight, metric):
    """The first largest value over the falling thresholds."""
    values, thresholds = metrics.metric_at_thresholds(truth, scores, metric, sample_weight=weight)
    at = int(np.argmax(values))
    return [float(thresholds[at]), float(values[at])]


def curve(columns):
    """The columns of a curve; None where it is not defined. JSON has no infinity, so the first threshold is left out."""
    columns = [np.asarray(column, float) for column in columns]
    return None if any(np.isnan(column).any() for column in columns) else [numbers(column) for column in columns]


def roc(truth, scores, weight, drop):
    rates = metrics.roc_curve(truth, scores, pos_label=1, sample_weight=weight, drop_intermediate=drop)
    return curve((rates[0], rates[1], rates[2][1:]))


def expect(truth, scores, weight, bins):
    f1 = lambda *pair, sample_weight=None: metrics.f1_score(*pair, sample_weight=sample_weight, zero_division=0)
    return {
        "roc_auc": attempt(lambda: metrics.roc_auc_score(truth, scores, sample_weight=weight)),
        "average_precision": attempt(lambda: metrics.average_precision_score(truth, scores, sample_weight=weight)),
        "roc": roc(truth, scores, weight, False),
        "roc_without_intermediate": roc(truth, scores, weight, True),
        "precision_recall": curve(metrics.precision_recall_curve(truth, scores, pos_label=1, sample_weight=weight)),
        "calibration": [[numbers(column) for column in calibration_curve(truth, scores, pos_label=1, n_bins=bins, strategy=kind)]
                        for kind in ("uniform", "quantile")],
        "best_accuracy": best(truth, scores, weight, metrics.accuracy_score),
        "best_f1": best(truth, scores, weight, f1),
    }


def make(rng, kind):
    truth, scale, scores = draw(rng, kind)
    drawn, bins = weights(rng, len(truth)), int(rng.choice([1, 3, 5, 10]))
    expected = expect(truth, scores / scale, scaled(drawn), bins)
    return {"kind": kind, "truth": truth.tolist(), "scale": scale, "scores": scores.tolist(), "weights": listed(drawn),
            "bins": bins, "expected": expected}


def main():
    warnings.simplefilter("ignore")  # degenerate cases are here on purpose
    rng = np.random.default_rng(SEED)
    cases = [make(rng, KINDS[at % len(KINDS)]) for at in range(CASES)]
    write_json("score_metrics.json", {"made_with": versions(scikit_learn=sklearn.__version__), "cases": cases})


if __name__ == "__main__":
    main()
