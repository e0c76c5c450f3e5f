"""Student's t quantiles by SciPy, and mean intervals over folds, for gradus-tune's cross-validation.

Usage: python golden/make_intervals.py
"""

import json
import math
import pathlib

import numpy as np
import scipy
from scipy import stats

FOLDER = pathlib.Path(__file__).parent


def quantiles():
    cases = []
    for degrees in [1, 2, 3, 4, 9, 14, 29, 99, 499, 1312, 0.5, 2.5]:
        for probability in [0.6, 0.75, 0.9, 0.95, 0.975, 0.995, 0.9999]:
            cases.append([probability, degrees, stats.t.ppf(probability, degrees)])
    return cases


def intervals():
    random = np.random.default_rng(4)
    cases = []
    for folds in [2, 5, 10, 30]:
        values = random.normal(0.8, 0.03, folds).tolist()
        test_share = 1 / (folds - 1)
        mean, error = np.mean(values), stats.sem(values)
        low, high = stats.t.interval(0.95, folds - 1, loc=mean, scale=error)
        # Nadeau and Bengio, 2003: the variance of the mean is (1/n + test/train) s².
        corrected = np.std(values, ddof=1) * math.sqrt(1 / folds + test_share)
        low_corrected, high_corrected = stats.t.interval(0.95, folds - 1, loc=mean, scale=corrected)
        cases.append(
            {
                "values": values,
                "test_share": test_share,
                "mean": mean,
                "std": np.std(values, ddof=1),
                "half_width": (high - low) / 2,
                "corrected_half_width": (high_corrected - low_corrected) / 2,
            }
        )
    return cases


golden = {"scipy": scipy.__version__, "quantiles": quantiles(), "intervals": intervals()}
(FOLDER / "intervals.json").write_text(json.dumps(golden, indent=1) + "\n")
