#!/usr/bin/env python3
"""Write bootstrap.json: bootstrap intervals and McNemar's test by SciPy. `kind` says which case is which.

`exact`: one statistic of one small sample each. {"name", "value", "resampled", "jackknife", "bias_correction",
"acceleration", "intervals"}: SciPy's own resamples of the statistic, the statistic without each row (one list for each
sample of a statistic of several, which is what a stratum is), and the intervals that SciPy reads off them, by method.

`matrix`: a confusion matrix and, for rows and for rows stratified by true class, SciPy's intervals of accuracy and
macro-F1 from many resamples. {"name", "num_classes", "counts", "rows", "stratified"}, the last two
{"accuracy": …, "macro_f1": …} with {"standard_error", "intervals"}. Two runs differ by what remains random.

`rows`: numbers, and the intervals of their mean and of their standard deviation (divided by n), likewise.

`mcnemar`: {"only_a", "only_b", "exact", "statistic", "chi_square"}: the exact p-value, the statistic with Edwards'
continuity correction and its p-value.

The confidence is 0.95 everywhere.
"""

import numpy as np
import scipy
from scipy import stats
from scipy.special import ndtri

from golden_file import versions, write_json

SEED = 41
METHODS = {"percentile": "percentile", "basic": "basic", "bca": "BCa"}
MANY = 100_000


def intervals(data, statistic, resamples, seed):
    """SciPy's intervals by each method from the same resamples."""
    first = stats.bootstrap(data, statistic, n_resamples=resamples, method="percentile", vectorized=True, batch=2000,
                            rng=np.random.default_rng(seed))
    found = {}
    for name, method in METHODS.items():
        result = stats.bootstrap(data, statistic, n_resamples=0, method=method, vectorized=True, bootstrap_result=first)
        found[name] = [float(end) for end in result.confidence_interval]
    return found, first


def jackknife(data, statistic):
    """The statistic without each row, for each sample in turn."""
    lists = []
    for j, sample in enumerate(data):
        without = [np.delete(sample, i) for i in range(len(sample))]
        lists.append([float(statistic(*data[:j], row, *data[j + 1:], axis=-1)) for row in without])
    return lists


def acceleration(lists):
    """Efron and Tibshirani (1993), equation 14.15, extended to several samples as SciPy does."""
    cubes = squares = 0.0
    for values in map(np.asarray, lists):
        influence = (len(values) - 1) * (values.mean() - values)
        cubes += (influence**3).sum() / len(values) ** 3
        squares += (influence**2).sum() / len(values) ** 2
    return cubes / 6 / squares**1.5


def exact_case(name, data, statistic, seed):
    value = float(statistic(*data, axis=-1))
    found, result = intervals(data, statistic, 499, seed)
    resampled = result.bootstrap_distribution
    share = ((resampled < value).sum() + (resampled <= value).sum()) / (2 * len(resampled))
    lists = jackknife(data, statistic)
    return {"kind": "exact", "name": name, "value": value, "resampled": resampled.tolist(), "jackknife": lists,
            "bias_correction": float(ndtri(share)), "acceleration": float(acceleration(lists)), "intervals": found}


def mean(*samples, axis):
    return np.mean(samples[0], axis=axis)


def spread(x, axis):
    return np.std(x, axis=axis)


def ratio(x, y, axis):
    return np.mean(x, axis=axis) / np.mean(y, axis=axis)


def matrix_statistics(num_classes):
    """Accuracy and macro-F1 of rows coded as truth · num_classes + predicted."""
    def accuracy(*codes, axis):
        codes = np.concatenate(codes, axis=axis)
        return np.mean(codes // num_classes == codes % num_classes, axis=axis)

    def macro_f1(*codes, axis):
        codes = np.concatenate(codes, axis=axis)
        truth, predicted = codes // num_classes, codes % num_classes
        scores = []
        for label in range(num_classes):
            hits = np.sum((truth == label) & (predicted == label), axis=axis)
            size = np.sum(truth == label, axis=axis) + np.sum(predicted == label, axis=axis)
            scores.append(np.where(size > 0, 2 * hits / np.maximum(size, 1), 0.0))
        return np.mean(scores, axis=0)

    return {"accuracy": accuracy, "macro_f1": macro_f1}


def many(data, statistic, seed):
    found, result = intervals(data, statistic, MANY, seed)
    return {"standard_error": float(result.standard_error), "intervals": found}


def matrix_case(name, counts, seed):
    counts = np.asarray(counts)
    num_classes = len(counts)
    codes = np.repeat(np.arange(num_classes**2, dtype=np.int16), counts.ravel())
    strata = [codes[codes // num_classes == label] for label in range(num_classes)]
    strata = [stratum for stratum in strata if len(stratum)]
    case = {"kind": "matrix", "name": name, "num_classes": num_classes, "counts": counts.ravel().tolist()}
    for kind, data in (("rows", (codes,)), ("stratified", tuple(strata))):
        functions = matrix_statistics(num_classes).items()
        case[kind] = {metric: many(data, statistic, seed) for metric, statistic in functions}
    return case


def rows_case(name, values, seed):
    values = np.asarray(values)
    return {"kind": "rows", "name": name, "values": values.tolist(), "mean": many((values,), mean, seed),
            "spread": many((values,), spread, seed)}


def mcnemar(only_a, only_b):
    discordant = only_a + only_b
    statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / discordant
    return {"kind": "mcnemar", "only_a": only_a, "only_b": only_b, "exact": float(stats.binomtest(only_a, discordant, 0.5).pvalue),
            "statistic": statistic, "chi_square": float(stats.chi2.sf(statistic, 1))}


def main():
    rng = np.random.default_rng(SEED)
    right = np.repeat([1.0, 0.0], [37, 6])
    exact = [
        exact_case("mean of exponential numbers", (rng.exponential(size=30),), mean, 1),
        exact_case("accuracy, many ties", (right,), mean, 2),
        exact_case("spread of few numbers", (rng.normal(size=12),), spread, 3),
        exact_case("ratio of two samples", (rng.exponential(size=25), rng.gamma(2.0, size=17)), ratio, 4),
        exact_case("ratio of a skew and a flat sample", (rng.lognormal(size=20), rng.uniform(1, 2, size=31)), ratio, 5),
    ]
    matrices = [
        matrix_case("three classes", [[72, 8, 4], [6, 50, 8], [4, 10, 38]], 6),
        matrix_case("a rare class, seldom found", [[150, 3, 1], [5, 30, 1], [4, 2, 4]], 7),
        matrix_case("two classes, few errors", [[96, 2], [1, 51]], 8),
    ]
    rows = [
        rows_case("lognormal", np.round(rng.lognormal(size=80), 6), 9),
        rows_case("normal", np.round(rng.normal(size=60), 6), 10),
    ]
    pairs = [(3, 9), (0, 6), (12, 12), (1, 0), (10, 30), (40, 41), (25, 60), (300, 420), (0, 80)]
    tests = [mcnemar(*pair) for pair in pairs]
    write_json("bootstrap.json", {"made_with": versions(scipy=scipy.__version__), "cases": exact + matrices + rows + tests})


if __name__ == "__main__":
    main()
