#!/usr/bin/env python3
"""Write metrics.json: what scikit-learn says about small sets of labels and predictions.

Case: {"name", "num_classes", "truth", "predicted", ["probabilities"], "expected"}. Every class from 0 to
`num_classes` - 1 counts, also one that never occurs; a ratio without a denominator is 0 (`zero_division=0`).
`expected` has accuracy, per-class and averaged precision, recall and F1, the support of each class, the confusion
matrix (rows are the truth) and, where there are probabilities, the log-loss in nats.

The predictions of a case with probabilities are their argmax; where two classes tie, the first one.
"""

import warnings

import numpy as np
import sklearn
from sklearn import metrics

from golden_file import versions, write_json

SEED = 15
AVERAGES = ("macro", "micro", "weighted")


def expect(truth, predicted, probabilities, num_classes):
    """Everything scikit-learn has to say about one case."""
    labels = list(range(num_classes))
    scores = metrics.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    precision, recall, f1, support = (values.tolist() for values in scores)
    expected = {"accuracy": metrics.accuracy_score(truth, predicted), "precision": precision, "recall": recall, "f1": f1,
                "support": support, "confusion": metrics.confusion_matrix(truth, predicted, labels=labels).tolist()}
    for average in AVERAGES:
        scores = metrics.precision_recall_fscore_support(truth, predicted, labels=labels, average=average, zero_division=0)
        expected[average] = dict(zip(("precision", "recall", "f1"), map(float, scores[:3])))
    if probabilities is not None:
        expected["log_loss"] = float(metrics.log_loss(truth, probabilities, labels=labels))
    return expected


def case(name, truth, predicted, num_classes, probabilities=None):
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    document = {"name": name, "num_classes": num_classes, "truth": truth.tolist(), "predicted": predicted.tolist()}
    if probabilities is not None:
        document["probabilities"] = probabilities.tolist()
    return document | {"expected": expect(truth, predicted, probabilities, num_classes)}


def random_labels(rng):
    """Balanced and skewed classes, good and bad classifiers."""
    for num_classes in (2, 3, 5, 10):
        for rows in (1, 7, 60):
            for right in (0.2, 0.85):
                weights = rng.dirichlet(np.full(num_classes, 1.5))
                truth = rng.choice(num_classes, rows, p=weights)
                guess = rng.choice(num_classes, rows)
                predicted = np.where(rng.random(rows) < right, truth, guess)
                yield case(f"random {num_classes} classes, {rows} rows, {right} right", truth, predicted, num_classes)


def random_probabilities(rng):
    """Softmax outputs in float64, from unsure to nearly certain."""
    for num_classes, rows, sharpness in ((2, 9, 1.0), (3, 25, 4.0), (10, 40, 2.0), (10, 1, 1.0), (4, 30, 12.0)):
        truth = rng.integers(num_classes, size=rows)
        logits = sharpness * (rng.standard_normal((rows, num_classes)) + np.eye(num_classes)[truth])
        odds = np.exp(logits - logits.max(1, keepdims=True))
        probabilities = odds / odds.sum(1, keepdims=True)
        name = f"probabilities {num_classes} classes, {rows} rows"
        yield case(name, truth, probabilities.argmax(1), num_classes, probabilities)


def edges():
    """Cases that a division or an argmax can get wrong."""
    yield case("class 2 never occurs, never predicted", [0, 1, 0, 1, 3], [0, 1, 1, 1, 3], 4)
    yield case("class 2 is predicted but never occurs", [0, 1, 0, 1], [2, 1, 0, 2], 3)
    yield case("class 1 occurs but is never predicted", [0, 1, 1, 2], [0, 0, 2, 2], 3)
    yield case("everything predicted as one class", [0, 1, 2, 3, 4, 0], [3] * 6, 5)
    yield case("the truth is one class", [2] * 5, [2, 2, 0, 1, 2], 3)
    yield case("all right", [0, 1, 2, 1, 0], [0, 1, 2, 1, 0], 3)
    yield case("all wrong", [0, 1, 2, 1, 0], [1, 2, 0, 0, 2], 3)
    yield case("one class only", [0, 0, 0], [0, 0, 0], 1)
    yield case("one row, right", [1], [1], 2)
    yield case("one row, wrong", [1], [0], 2)
    tied = np.array([[0.5, 0.5, 0.0], [0.25, 0.375, 0.375], [1 / 3, 1 / 3, 1 / 3], [0.0, 0.5, 0.5]])
    yield case("tied probabilities", [1, 2, 0, 1], tied.argmax(1), 3, tied)
    # scikit-learn clips to the machine epsilon of the probabilities' dtype before the logarithm.
    certain = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    yield case("certain and wrong", [0, 1, 1], certain.argmax(1), 2, certain)


def main():
    # It warns about single-class cases, which are here on purpose.
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(SEED)
    cases = [*random_labels(rng), *random_probabilities(rng), *edges()]
    write_json("metrics.json", {"made_with": versions(scikit_learn=sklearn.__version__), "cases": cases})


if __name__ == "__main__":
    main()
