#!/usr/bin/env python3
"""Write multilabel_metrics.json: scikit-learn's metrics of samples that carry any number of labels.

Case: {"kind", "num_labels", "truth", "predicted", "scale", "scores", "weights", "zero_division", "beta", "expected"};
`truth`, `predicted` and `scores` are row by row, scores are whole numbers over `scale`, weights in sixteenths. `expected` has
null where scikit-learn raises or answers NaN. `per_label`, `macro`, ... hold precision, recall, F and Jaccard.
"""

import warnings

import numpy as np
import sklearn
from sklearn import metrics

from golden_file import versions, write_json
from metric_cases import CASES, attempt, listed, numbers, scaled, weights

SEED = 43
KINDS = ("random", "sparse", "label absent", "nothing applies", "everything applies", "nothing predicted", "all right", "ties",
         "one row")
ZERO_DIVISION = {"zero": 0, "one": 1, "nan": np.nan}
AVERAGES = ("macro", "micro", "weighted", "samples")


def draw(rng, kind):
    labels = int(rng.integers(2, 6))
    rows = 1 if kind == "one row" else int(rng.integers(3, 16))
    truth = (rng.random((rows, labels)) < (0.15 if kind == "sparse" else 0.5)).astype(int)
    if kind == "label absent":
        truth[:, 0] = 0
    if kind in ("nothing applies", "everything applies"):
        truth[:] = int(kind == "everything applies")
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, 1 - truth)
    if kind == "nothing predicted":
        predicted[:] = 0
    if kind == "all right":
        predicted = truth.copy()
    scale = 3 if kind == "ties" else 256
    return labels, truth, predicted, scale, rng.integers(scale + 1, size=truth.shape)


def expect(case, truth, predicted, scores, weight):
    options = {"sample_weight": weight}
    zero = ZERO_DIVISION[case["zero_division"]]
    expected = {
        "accuracy": metrics.accuracy_score(truth, predicted, **options),
        "hamming": metrics.hamming_loss(truth, predicted, **options),
        "tables": [numbers(metrics.multilabel_confusion_matrix(truth, predicted, samplewise=samplewise, **options))
                   for samplewise in (False, True)],
        "roc_auc": [attempt(lambda: metrics.roc_auc_score(truth, scores, average=average, **options)) for average in AVERAGES],
        "average_precision": [attempt(lambda: metrics.average_precision_score(truth, scores, average=average, **options))
                              for average in AVERAGES],
    }
    for average in (None, *AVERAGES):
        ratios = metrics.precision_recall_fscore_support(
            truth, predicted, beta=case["beta"], average=average, zero_division=zero, **options)[:3]
        jaccard = None if zero != zero else metrics.jaccard_score(
            truth, predicted, average=average, zero_division=zero, **options)
        expected[average or "per_label"] = [numbers(values) for values in ratios] + [
            None if jaccard is None else numbers(jaccard)]
    return expected


def make(rng, kind):
    labels, truth, predicted, scale, scores = draw(rng, kind)
    drawn = weights(rng, len(truth))
    case = {"kind": kind, "num_labels": labels, "truth": listed(truth), "predicted": listed(predicted), "scale": scale,
            "scores": listed(scores), "weights": listed(drawn), "zero_division": str(rng.choice(list(ZERO_DIVISION))),
            "beta": float(rng.choice([0.5, 1.0, 2.0]))}
    return case | {"expected": expect(case, truth, predicted, scores / scale, scaled(drawn))}


def main():
    warnings.simplefilter("ignore")  # degenerate cases are here on purpose
    rng = np.random.default_rng(SEED)
    cases = [make(rng, KINDS[at % len(KINDS)]) for at in range(CASES)]
    write_json("multilabel_metrics.json", {"made_with": versions(scikit_learn=sklearn.__version__), "cases": cases})


if __name__ == "__main__":
    main()
