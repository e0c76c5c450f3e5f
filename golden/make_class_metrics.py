#!/usr/bin/env python3
"""Write class_metrics.json: scikit-learn's metrics of classes, by labels and by probabilities.

Case: {"kind", "num_classes", "truth", "predicted", "scale", "probabilities", "weights", "zero_division", "labels", "beta",
"top_k", "bins", "expected"}. `probabilities` are whole numbers, to be divided by `scale`, row by row; `weights` are in
sixteenths, null where there are none. `expected` has null where scikit-learn raises or answers NaN.

The expected calibration error is not scikit-learn's, which has none: `calibration_error` below is its definition.
"""

import warnings

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.preprocessing import label_binarize

from golden_file import versions, write_json
from metric_cases import CASES, attempt, listed, number, numbers, probabilities, scaled, weights

SEED = 41
KINDS = ("random", "class absent", "truth is one class", "predictions are one class", "only one class", "all right",
         "all wrong", "ties everywhere", "certain", "one row")
ZERO_DIVISION = {"zero": 0, "one": 1, "nan": np.nan}


def draw(rng, kind):
    """Labels, predictions and probabilities of one case."""
    classes = int(rng.choice([2, 3, 3, 4, 6]))
    rows = 1 if kind == "one row" else int(rng.integers(4, 25))
    truth = rng.integers(classes, size=rows)
    if kind == "class absent":
        truth = np.where(truth == classes - 1, 0, truth)
    if kind in ("truth is one class", "only one class"):
        truth = np.full(rows, rng.integers(classes))
    predicted = np.where(rng.random(rows) < 0.5, truth, rng.integers(classes, size=rows))
    if kind == "predictions are one class":
        predicted = np.full(rows, rng.integers(classes))
    if kind in ("all right", "only one class"):
        predicted = truth.copy()
    if kind == "all wrong":
        predicted = (truth + rng.integers(1, classes, size=rows)) % classes
    scale = {"ties everywhere": 4, "certain": 1}.get(kind, 256)
    return classes, truth, predicted, scale, probabilities(rng, rows, classes, scale, 1 + 3 * rng.random())


def by_labels(case, truth, predicted, weight):
    """What depends on the predicted classes."""
    known = list(range(case["num_classes"]))
    covered = known if case["labels"] == "known" else None
    options = {"sample_weight": weight}
    expected = {
        "accuracy": metrics.accuracy_score(truth, predicted, **options),
        "balanced_accuracy": attempt(lambda: metrics.balanced_accuracy_score(truth, predicted, **options)),
        "adjusted_balanced_accuracy": attempt(
            lambda: metrics.balanced_accuracy_score(truth, predicted, adjusted=True, **options)),
        "matthews": metrics.matthews_corrcoef(truth, predicted, **options),
        "hamming": metrics.hamming_loss(truth, predicted, **options),
        "kappa": [attempt(lambda: metrics.cohen_kappa_score(truth, predicted, labels=known, weights=kind, **options))
                  for kind in (None, "linear", "quadratic")],
        "confusion": [numbers(metrics.confusion_matrix(truth, predicted, labels=known, normalize=kind, **options))
                      for kind in (None, "true", "pred", "all")],
        "one_vs_rest": numbers(metrics.multilabel_confusion_matrix(truth, predicted, labels=known, **options)),
    }
    zero = ZERO_DIVISION[case["zero_division"]]
    averages = ["macro", "micro", "weighted"] + (["binary"] if case["num_classes"] == 2 else [])
    for average in [None, *averages]:
        labels = known if average is None else None if average == "binary" else covered
        scores = metrics.precision_recall_fscore_support(
            truth, predicted, beta=case["beta"], labels=labels, average=average, zero_division=zero, **options)[:3]
        # scikit-learn's Jaccard index has no NaN for a ratio without a denominator.
        jaccard = None if zero != zero else metrics.jaccard_score(
            truth, predicted, labels=labels, average=average, zero_division=zero, **options)
        key = average or "per_class"
        expected[key] = [numbers(values) for values in scores] + [None if jaccard is None else numbers(jaccard)]
    return expected


def by_probabilities(case, truth, probability, weight):
    """What depends on the probabilities."""
    classes = case["num_classes"]
    known = list(range(classes))
    options = {"sample_weight": weight}
    ranked = probability[:, 1] if classes == 2 else probability
    expected = {
        "log_loss": metrics.log_loss(truth, probability, labels=known, **options),
        "brier": metrics.brier_score_loss(truth, probability, labels=known, **options),
        "top_k": attempt(lambda: metrics.top_k_accuracy_score(truth, ranked, k=case["top_k"], labels=known, **options)),
        "calibration_error": calibration_error(truth, probability, weight, case["bins"]),
    }
    if classes > 2:
        expected["one_vs_rest_auc"] = [attempt(lambda: metrics.roc_auc_score(
            truth, probability, multi_class="ovr", average=average, labels=known, **options))
            for average in ("macro", "micro", "weighted")]
        expected["one_vs_one_auc"] = [attempt(lambda: metrics.roc_auc_score(
            truth, probability, multi_class="ovo", average=average, labels=known)) for average in ("macro", "weighted")]
        flags = label_binarize(truth, classes=known)
        expected["average_precision"] = [attempt(lambda: metrics.average_precision_score(
            flags, probability, average=average, **options)) for average in ("macro", "micro", "weighted", "samples")]
    return expected


def calibration_error(truth, probability, weight, bins):
    """Guo et al., 2017, equation 3; bins of the same width, each with its upper edge."""
    weight = np.ones(len(truth)) if weight is None else weight
    confidence, right = probability.max(1), probability.argmax(1) == truth
    edges = np.linspace(0, 1, bins + 1)
    error = 0.0
    for at in range(bins):
        inside = (confidence > edges[at]) & (confidence <= edges[at + 1])
        share = weight[inside].sum()
        if share > 0:
            gap = np.average(right[inside], weights=weight[inside]) - np.average(confidence[inside], weights=weight[inside])
            error += share * abs(gap)
    return error / weight.sum()


def make(rng, kind):
    classes, truth, predicted, scale, whole = draw(rng, kind)
    drawn = weights(rng, len(truth))
    case = {"kind": kind, "num_classes": classes, "truth": truth.tolist(), "predicted": predicted.tolist(), "scale": scale,
            "probabilities": listed(whole), "weights": listed(drawn), "zero_division": str(rng.choice(list(ZERO_DIVISION))),
            "labels": str(rng.choice(["known", "observed"])), "beta": float(rng.choice([0.5, 1.0, 2.0])),
            "top_k": int(rng.integers(1, classes + 1)), "bins": int(rng.choice([1, 5, 10, 15]))}
    expected = by_labels(case, truth, predicted, scaled(drawn)) | by_probabilities(case, truth, whole / scale, scaled(drawn))
    plain = {key: number(value) if np.isscalar(value) else value for key, value in expected.items()}
    return case | {"expected": plain}


def main():
    warnings.simplefilter("ignore")  # degenerate cases are here on purpose
    rng = np.random.default_rng(SEED)
    cases = [make(rng, KINDS[at % len(KINDS)]) for at in range(CASES)]
    write_json("class_metrics.json", {"made_with": versions(scikit_learn=sklearn.__version__), "cases": cases})


if __name__ == "__main__":
    main()
