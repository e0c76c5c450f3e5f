#!/usr/bin/env python3
"""Write requested_metrics.json: tables, and what `gradus evaluate --metrics` must say of them, by scikit-learn.

The model passes its inputs through, so a table holds the outputs themselves: float32 numbers without ties, from which
scikit-learn gets float64 probabilities. The column `w` weighs the rows, some of them 0.
"""

import json

import numpy as np
import sklearn
import sklearn.metrics as m

from golden_file import HERE

SEED = 20261126


def outputs(rng, truth, width, spread):
    noise = rng.normal(0, spread, (len(truth), width))
    return (noise + 2 * np.eye(width)[truth]).astype(np.float32).astype(float)


def table(columns):
    names = list(columns)
    rows = zip(*(np.asarray(column).tolist() for column in columns.values()))
    return "\n".join([",".join(names)] + [",".join(str(cell) for cell in row) for row in rows]) + "\n"


def ratios(truth, predicted, averages, weights):
    found = {}
    for name, of in [("precision", m.precision_score), ("recall", m.recall_score), ("f1", m.f1_score), ("jaccard", m.jaccard_score)]:
        for average in averages:
            key = name if average == "binary" else f"{average}_{name}"
            found[key] = of(truth, predicted, average=average, sample_weight=weights, zero_division=0)
    return found


def calibration_error(truth, probabilities, weights):
    """Fifteen bins, each with its upper edge."""
    weights = np.ones(len(truth)) if weights is None else weights
    sure, right = probabilities.max(1), probabilities.argmax(1) == truth
    bins = np.clip(np.ceil(sure * 15).astype(int) - 1, 0, 14)
    gaps = [abs((weights * (right - sure))[bins == bin].sum()) for bin in range(15)]
    return sum(gaps) / weights.sum()


def of_classes(truth, logits, weights):
    odds = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = odds / odds.sum(1, keepdims=True)
    predicted, classes = probabilities.argmax(1), range(logits.shape[1])
    binary = len(classes) == 2
    scores = probabilities[:, 1] if binary else probabilities
    many = {} if binary else {"multi_class": "ovr"}
    known = {"labels": list(classes)}
    sure = {"sample_weight": weights}
    found = {
        "accuracy": m.accuracy_score(truth, predicted, **sure), "hamming_loss": m.hamming_loss(truth, predicted, **sure),
        "balanced_accuracy": m.balanced_accuracy_score(truth, predicted, **sure),
        "matthews_corrcoef": m.matthews_corrcoef(truth, predicted, **sure),
        "cohen_kappa": m.cohen_kappa_score(truth, predicted, **sure),
        "log_loss": m.log_loss(truth, probabilities, **known, **sure),
        "brier_score": m.brier_score_loss(truth, scores, labels=list(classes), **sure),
        "ece": calibration_error(truth, probabilities, weights),
        "roc_auc": m.roc_auc_score(truth, scores, **many, **sure),
        "average_precision": m.average_precision_score(truth, scores, **sure),
        **ratios(truth, predicted, ["macro", "micro", "weighted"] + ["binary"] * binary, weights),
    }
    if not binary:
        found["top_2_accuracy"] = m.top_k_accuracy_score(truth, probabilities, k=2, **sure)
        found["weighted_roc_auc"] = m.roc_auc_score(truth, scores, multi_class="ovr", average="weighted", **sure)
        if weights is None:
            found["roc_auc_ovo"] = m.roc_auc_score(truth, scores, multi_class="ovo")
    return found


def of_labels(truth, logits, weights):
    probabilities = 1 / (1 + np.exp(-logits))
    predicted = (logits >= 0).astype(int)
    sure = {"sample_weight": weights}
    return {
        "accuracy": m.accuracy_score(truth, predicted, **sure), "hamming_loss": m.hamming_loss(truth, predicted, **sure),
        "roc_auc": m.roc_auc_score(truth, probabilities, **sure),
        "weighted_roc_auc": m.roc_auc_score(truth, probabilities, average="weighted", **sure),
        "average_precision": m.average_precision_score(truth, probabilities, **sure),
        **ratios(truth, predicted, ["macro", "micro", "weighted", "samples"], weights),
    }


def of_values(truth, predicted, weights):
    names = {
        "mse": m.mean_squared_error, "rmse": m.root_mean_squared_error, "mae": m.mean_absolute_error,
        "mape": m.mean_absolute_percentage_error, "median_absolute_error": m.median_absolute_error, "r2": m.r2_score,
        "explained_variance": m.explained_variance_score,
    }
    return {name: of(truth, predicted, sample_weight=weights) for name, of in names.items()}


def case(task, width, inputs, targets, answers, weights):
    columns = {f"x{at}": inputs[:, at] for at in range(inputs.shape[1])} | targets | {"w": weights}
    return {
        "task": task, "width": width, "csv": table(columns),
        "plain": {name: float(value) for name, value in answers(None).items()},
        "weighted": {name: float(value) for name, value in answers(weights).items()},
    }


def main():
    rng = np.random.default_rng(SEED)
    cases = []
    weights = lambda rows: np.where(rng.random(rows) < 0.2, 0.0, rng.integers(1, 40, rows) / 8)
    for rows, classes in [(60, 2), (90, 3), (120, 5)]:
        truth = rng.integers(classes, size=rows)
        logits = outputs(rng, truth, classes, 1.5)
        names = {"y0": np.array([f"y{label}" for label in truth])}
        cases.append(case("classification", classes, logits, names, lambda w: of_classes(truth, logits, w), weights(rows)))
    for rows, width in [(60, 2), (90, 4)]:
        truth = (rng.random((rows, width)) < 0.4).astype(int)
        logits = (rng.normal(-0.3, 1.5, (rows, width)) + truth).astype(np.float32).astype(float)
        flags = {f"y{at}": truth[:, at] for at in range(width)}
        cases.append(case("multilabel", width, logits, flags, lambda w: of_labels(truth, logits, w), weights(rows)))
    for rows, width in [(40, 1), (75, 3)]:
        truth = rng.normal(3, 10, (rows, width))
        predicted = (truth + rng.normal(0, 4, (rows, width))).astype(np.float32).astype(float)
        values = {f"y{at}": truth[:, at] for at in range(width)}
        cases.append(case("regression", width, predicted, values, lambda w: of_values(truth, predicted, w), weights(rows)))
    made_with = {"numpy": np.__version__, "scikit-learn": sklearn.__version__}
    path = HERE / "requested_metrics.json"
    path.write_text(json.dumps({"cases": cases, "made_with": made_with}) + "\n")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
