#!/usr/bin/env python3
"""Write ranking_metrics.json: how good orders of documents are, by scikit-learn and, for the reciprocal rank, by SciPy's ranks.

Case: {"kind", "documents", "relevance", "scale", "scores", "weights", "k", "expected"}; `relevance` and `scores` are row by
row, one row per query; scores are whole numbers over `scale`, weights in sixteenths. Mean average and reciprocal rank take a
document as relevant when its relevance is above 0.
"""

import warnings

import numpy as np
import sklearn
from scipy.stats import rankdata
from sklearn import metrics

from golden_file import versions, write_json
from metric_cases import CASES, attempt, listed, scaled, weights

SEED = 45
KINDS = ("graded", "binary", "ties", "all tied", "nothing relevant", "everything relevant", "right order", "wrong order",
         "one query", "two documents")


def draw(rng, kind):
    documents = 2 if kind == "two documents" else int(rng.integers(3, 9))
    queries = 1 if kind == "one query" else int(rng.integers(2, 9))
    relevance = rng.integers(2 if kind == "binary" else 4, size=(queries, documents))
    if kind == "nothing relevant":
        relevance[rng.random(queries) < 0.6] = 0
    if kind == "everything relevant":
        relevance[:] = 1
    scale = 4 if kind == "ties" else 256
    scores = rng.integers(scale + 1, size=relevance.shape)
    if kind == "all tied":
        scores[:] = 1
    if kind in ("right order", "wrong order"):
        scores = relevance if kind == "right order" else 3 - relevance
    return documents, relevance, scale, scores


def mean_reciprocal_rank(relevant, scores, weight):
    """The place of the best relevant document, behind all that score the same."""
    places = [rankdata(-row, "max") for row in scores]
    best = [1 / places[at][row].min() if row.any() else 0.0 for at, row in enumerate(relevant.astype(bool))]
    return float(np.average(best, weights=weight))


def make(rng, kind):
    documents, relevance, scale, whole = draw(rng, kind)
    drawn = weights(rng, len(relevance))
    k = None if rng.random() < 0.4 else int(rng.integers(1, documents + 2))
    scores, weight, relevant = whole / scale, scaled(drawn), (relevance > 0).astype(int)
    options = {"sample_weight": weight}
    # One query or one column is no matrix of labels to scikit-learn's type check unless it has more than two values, so
    # relevance goes in as a float with a tiny part that it cannot mistake for classes: halves.
    graded = relevance + 0.5
    expected = {
        "dcg": attempt(lambda: metrics.dcg_score(graded, scores, k=k, **options)),
        "ndcg": attempt(lambda: metrics.ndcg_score(graded, scores, k=k, **options)),
        "ndcg_of_flags": attempt(lambda: metrics.ndcg_score(relevant, scores, k=k, **options)),
        "map": attempt(lambda: metrics.average_precision_score(relevant, scores, average="samples", **options)),
        "mrr": mean_reciprocal_rank(relevant, scores, weight),
    }
    return {"kind": kind, "documents": documents, "relevance": listed(relevance), "scale": scale, "scores": listed(whole),
            "weights": listed(drawn), "k": k, "expected": expected}


def main():
    warnings.simplefilter("ignore")  # degenerate cases are here on purpose
    rng = np.random.default_rng(SEED)
    cases = [make(rng, KINDS[at % len(KINDS)]) for at in range(CASES)]
    write_json("ranking_metrics.json", {"made_with": versions(scikit_learn=sklearn.__version__), "cases": cases})


if __name__ == "__main__":
    main()
