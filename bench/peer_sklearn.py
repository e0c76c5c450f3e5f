"""scikit-learn and vectorised NumPy: metrics, bootstrap and splits of labels and scores in memory."""

import peer

args = peer.arguments()

import warnings  # noqa: E402

import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn import metrics  # noqa: E402
from sklearn.model_selection import StratifiedKFold, train_test_split  # noqa: E402

warnings.simplefilter("ignore")
CLASSES = 10
RESAMPLES = 1000


class Data:
    """What the tasks work on, drawn as `gradus bench metrics` draws it."""

    def __init__(self, rows, task):
        rng = np.random.default_rng(0)
        self.truth = rng.integers(0, CLASSES, rows)
        self.predicted = np.where(rng.random(rows) < 0.9, self.truth, rng.integers(0, CLASSES, rows))
        self.binary = rng.integers(0, 2, rows)
        self.scores = rng.random(rows) + 0.3 * self.binary
        self.weights = rng.random(rows)
        self.rows = np.arange(rows)
        if task == "roc-auc-ovr":
            table = rng.random((rows, CLASSES))
            self.table = table / table.sum(1, keepdims=True)


def bootstrap_sklearn(data):
    """scikit-learn's own functions on every resample."""
    rng, rows, out = np.random.default_rng(1), len(data.truth), np.empty((RESAMPLES, 2))
    for at in range(RESAMPLES):
        drawn = rng.integers(0, rows, rows)
        truth, predicted = data.truth[drawn], data.predicted[drawn]
        out[at] = metrics.accuracy_score(truth, predicted), metrics.f1_score(truth, predicted, average="macro")
    return np.percentile(out, [2.5, 97.5], axis=0)


def summarise(tables):
    """Accuracy and macro F1 of confusion matrices `[resamples, classes, classes]`, and their percentiles."""
    both = np.diagonal(tables, axis1=1, axis2=2)
    f1 = 2 * both / np.maximum(tables.sum(1) + tables.sum(2), 1)
    out = np.stack([both.sum(1) / tables[0].sum(), f1.mean(1)], axis=1)
    return np.percentile(out, [2.5, 97.5], axis=0)


def bootstrap_bincount(data):
    """Rows are drawn, and counted by one bincount a resample."""
    rng, rows, cells = np.random.default_rng(1), len(data.truth), CLASSES * CLASSES
    code = data.truth * CLASSES + data.predicted
    tables = [np.bincount(code[rng.integers(0, rows, rows)], minlength=cells) for _ in range(RESAMPLES)]
    return summarise(np.reshape(tables, (RESAMPLES, CLASSES, CLASSES)))


def bootstrap_multinomial(data):
    """Cells are drawn, as gradus draws them: the best that NumPy can do."""
    code, cells = data.truth * CLASSES + data.predicted, CLASSES * CLASSES
    counts = np.bincount(code, minlength=cells)
    drawn = np.random.default_rng(1).multinomial(len(code), counts / len(code), size=RESAMPLES)
    return summarise(drawn.reshape(RESAMPLES, CLASSES, CLASSES))


def numpy_precision_recall_f1(data, weights=None):
    table = np.bincount(data.truth * CLASSES + data.predicted, weights, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)
    both, support, predicted = np.diag(table), table.sum(1), table.sum(0)
    return (both / predicted).mean(), (both / support).mean(), (2 * both / (support + predicted)).mean()


TASKS = {
    ("precision-recall-f1", "sklearn"): lambda d: metrics.precision_recall_fscore_support(d.truth, d.predicted, average="macro"),
    ("precision-recall-f1", "numpy"): numpy_precision_recall_f1,
    ("weighted-precision-recall-f1", "sklearn"): lambda d: metrics.precision_recall_fscore_support(
        d.truth, d.predicted, average="macro", sample_weight=d.weights),
    ("weighted-precision-recall-f1", "numpy"): lambda d: numpy_precision_recall_f1(d, d.weights),
    ("roc-auc", "sklearn"): lambda d: metrics.roc_auc_score(d.binary, d.scores),
    ("weighted-roc-auc", "sklearn"): lambda d: metrics.roc_auc_score(d.binary, d.scores, sample_weight=d.weights),
    ("roc-auc-ovr", "sklearn"): lambda d: metrics.roc_auc_score(d.truth, d.table, multi_class="ovr"),
    ("bootstrap", "sklearn"): bootstrap_sklearn,
    ("bootstrap", "bincount"): bootstrap_bincount,
    ("bootstrap", "multinomial"): bootstrap_multinomial,
    ("split", "sklearn"): lambda d: train_test_split(d.rows, test_size=0.2, random_state=0),
    ("stratified-split", "sklearn"): lambda d: train_test_split(d.rows, test_size=0.2, random_state=0, stratify=d.truth),
    ("stratified-k-fold", "sklearn"): lambda d: list(StratifiedKFold(5, shuffle=True, random_state=0).split(d.rows, d.truth)),
}


def build(job):
    data, compute = Data(job["rows"], job["task"]), TASKS[job["task"], job["mode"]]
    return peer.repeated_calls(lambda: compute(data))


peer.serve(build, {"scikit-learn": sklearn.__version__, "numpy": np.__version__})
