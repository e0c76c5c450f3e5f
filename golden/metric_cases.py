"""What the scripts of the metrics' golden files share: weights, probabilities, and numbers that JSON can hold.

Weights and probabilities are whole numbers over a power of two. They take few bytes, sums of them are exact, and so a
case that is degenerate is so for everybody: no answer hangs on how somebody rounds a zero.
"""

import math
import warnings

import numpy as np

CASES = 200
WEIGHT_SCALE = 16


def weights(rng, rows):
    """None, or weights in sixteenths, among them zeros."""
    kind = rng.integers(3)
    if kind == 0:
        return None
    drawn = rng.integers(1, 49, rows)
    if kind == 2:
        drawn = np.where(rng.random(rows) < 0.4, 0, drawn)
    return drawn if drawn.any() else np.ones(rows, int)


def scaled(drawn):
    """Weights as scikit-learn gets them."""
    return None if drawn is None else drawn / WEIGHT_SCALE


def probabilities(rng, rows, classes, scale, sharpness):
    """Rows of whole numbers that sum to `scale`."""
    shares = rng.dirichlet(np.full(classes, 1 / sharpness), rows)
    whole = np.floor(shares * scale).astype(int)
    whole[np.arange(rows), rng.integers(classes, size=rows)] += scale - whole.sum(1)
    return whole


def number(value):
    """A float for JSON: None stands for what is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def numbers(values):
    return [number(value) for value in np.asarray(values, float).ravel()]


def attempt(compute):
    """The answer, or None where scikit-learn raises or says NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return number(compute())
        except (ValueError, ZeroDivisionError):
            return None


def listed(values):
    return None if values is None else np.asarray(values).ravel().tolist()
