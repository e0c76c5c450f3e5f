#!/usr/bin/env python3
"""Write task_metrics.json: figures of regressions and of label predictions by scikit-learn, nasty cases among them.

Predictions are float32 numbers, so that a model which passes its input through answers with exactly these. A label is
predicted where its logit is at least 0.
"""

import json

import numpy as np
import sklearn
import sklearn.metrics as m

from golden_file import HERE

SEED = 20261125


def regression(truth, predicted):
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, np.float32).astype(float)
    return {
        "truth": truth.tolist(), "predicted": predicted.tolist(),
        "mse": m.mean_squared_error(truth, predicted), "rmse": m.root_mean_squared_error(truth, predicted),
        "mae": m.mean_absolute_error(truth, predicted), "r2": m.r2_score(truth, predicted),
        "r2_of_outputs": m.r2_score(truth, predicted, multioutput="raw_values").tolist(),
    }


def labels(truth, logits):
    logits = np.asarray(logits, np.float32).astype(float)
    predicted = (logits >= 0).astype(int)
    f1 = lambda average: m.f1_score(truth, predicted, average=average, zero_division=0)
    probabilities = 1 / (1 + np.exp(-logits))
    column_losses = [m.log_loss(truth[:, i], probabilities[:, i], labels=[0, 1]) for i in range(truth.shape[1])]
    return {
        "truth": truth.tolist(), "logits": logits.tolist(),
        "subset_accuracy": m.accuracy_score(truth, predicted), "hamming_loss": m.hamming_loss(truth, predicted),
        "micro_f1": f1("micro"), "macro_f1": f1("macro"), "samples_f1": f1("samples"),
        "log_loss": float(np.mean(column_losses)),
        "precision": m.precision_score(truth, predicted, average=None, zero_division=0).tolist(),
        "recall": m.recall_score(truth, predicted, average=None, zero_division=0).tolist(),
    }


def main():
    rng = np.random.default_rng(SEED)
    numbers = [
        regression(np.full((5, 1), 7.0), np.full((5, 1), 7.0)),  # nothing to explain, and no error
        regression(np.full((5, 1), 7.0), [[7], [7], [8], [7], [7]]),
        regression([[1e6], [1e6 + 1], [1e6 + 2]], [[1e6], [1e6 + 1], [1e6 + 1]]),
        regression([[1.0], [2.0]], [[2.0], [1.0]]),
    ]
    for rows, outputs in [(2, 1), (50, 1), (50, 3), (7, 5)]:
        truth = rng.normal(3, 10, (rows, outputs))
        numbers.append(regression(truth, truth + rng.normal(0, 4, (rows, outputs))))
    flags = [
        labels(np.zeros((4, 3), int), rng.normal(size=(4, 3))),  # no label ever applies
        labels(np.ones((4, 2), int), np.full((4, 2), -3.0)),  # none is ever predicted
        labels(np.zeros((4, 2), int), np.full((4, 2), -3.0)),  # neither
        labels(np.array([[0, 1], [1, 0]]), [[0.0, 0.0], [0.0, 0.0]]),  # on the threshold
    ]
    for rows, width in [(2, 2), (60, 4), (60, 9)]:
        flags.append(labels((rng.random((rows, width)) < 0.3).astype(int), rng.normal(-0.5, 2, (rows, width))))
    text = {"regression": numbers, "multilabel": flags, "made_with": {"numpy": np.__version__, "scikit-learn": sklearn.__version__}}
    path = HERE / "task_metrics.json"
    path.write_text(json.dumps(text) + "\n")
    print(f"{path.name}: {len(numbers)} + {len(flags)} cases, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
