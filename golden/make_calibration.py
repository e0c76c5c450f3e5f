#!/usr/bin/env python3
"""Write calibration.json: the temperature that SciPy finds for small sets of logits.

Case: {"name", "num_classes", "logits" (flat, exact in float32), "labels", "temperature", "loss_before", "loss_after", "ece_before",
"ece_after"}. The temperature minimises the mean negative log-likelihood of the labels (nats, float64) under
softmax(logits / temperature), by `scipy.optimize.minimize_scalar` in its logarithm and polished by `minimize`. The expected
calibration error has 15 bins of equal width, open at the left, over the largest probability.
"""

import numpy as np
import scipy
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from golden_file import versions, write_json

SEED = 22
BINS = 15


def loss(temperature, logits, labels):
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean()


def best_temperature(logits, labels):
    of_log = lambda log: loss(np.exp(log), logits, labels)
    rough = minimize_scalar(of_log, bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-10}).x
    fine = minimize(lambda log: of_log(log[0]), [rough], method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-16}).x[0]
    return float(np.exp(min((rough, fine), key=of_log)))


def calibration_error(temperature, logits, labels):
    probabilities = np.exp(log_softmax(logits / temperature, axis=1))
    confidence, right = probabilities.max(1), logits.argmax(1) == labels
    bins = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1)
    gaps = [abs(confidence[bins == at].sum() - right[bins == at].sum()) for at in range(BINS)]
    return float(sum(gaps) / len(labels))


def case(name, logits, labels):
    logits = np.asarray(logits, np.float32)
    wide, labels = logits.astype(np.float64), np.asarray(labels)
    temperature = best_temperature(wide, labels)
    return {"name": name, "num_classes": logits.shape[1], "logits": [float(value) for value in logits.ravel()],
            "labels": labels.tolist(), "temperature": temperature,
            "loss_before": float(loss(1, wide, labels)), "loss_after": float(loss(temperature, wide, labels)),
            "ece_before": calibration_error(1, wide, labels), "ece_after": calibration_error(temperature, wide, labels)}


def sampled(rng, rows, num_classes, spread, temperature):
    """Logits whose labels are drawn at another temperature, so that one is to be found."""
    logits = np.round(rng.normal(0, spread, (rows, num_classes)), 4)
    chances = np.exp(log_softmax(logits / temperature, axis=1))
    return logits, [rng.choice(num_classes, p=row) for row in chances]


def cases():
    rng = np.random.default_rng(SEED)
    for rows, num_classes, spread, temperature in ((40, 2, 2, 1), (150, 3, 4, 2.5), (150, 10, 6, 3), (120, 4, 0.5, 0.3),
                                                   (100, 5, 40, 20), (60, 3, 0.05, 0.06)):
        yield case(f"{rows} rows, {num_classes} classes, drawn at {temperature}", *sampled(rng, rows, num_classes, spread, temperature))
    yield case("one sure error among sure answers", [[30, 0, 0]] * 9 + [[0, 0, 30]], [0] * 9 + [1])
    yield case("ties and equal rows", [[1, 1, 0], [1, 1, 0], [0, 2, 2], [5, 5, 5], [3, 1, 1]], [0, 2, 1, 0, 0])
    yield case("shifted rows", [[1000, 998], [-1000, -999], [500, 503], [2, 1]], [0, 1, 0, 0])


if __name__ == "__main__":
    write_json("calibration.json", {"made_with": versions(scipy=scipy.__version__), "cases": list(cases())})
