#!/usr/bin/env python3
"""Write losses.safetensors: every loss with its options and the three reductions, and the input's gradient.

`attrs` have torch's names; those of cross-entropy are spelled out in each case. Where a loss has a reduction, all of
`none`, `mean` and `sum` are there. See golden_file.py for the layout.
"""

import itertools

import torch
import torch.nn.functional as F

from golden_file import Recorder

REDUCTIONS = ("none", "mean", "sum")
IGNORE = -100


def cross_entropies(rec):
    """Logits and class indices: weights, smoothing and ignored rows in every combination.

    The weighted mean divides by the summed weights of the rows that count, not by their number.
    """
    for weighted, smoothing, ignore in itertools.product((False, True), (0.0, 0.1), (None, IGNORE, 2)):
        for reduction in REDUCTIONS:
            inputs = {"x": rec.randn(9, 5, scale=2.0), "targets": rec.randint(5, (9,))}
            if ignore is not None:
                inputs["targets"][[1, 6]] = ignore
            if weighted:
                inputs["weight"] = rec.rand(5, low=0.2, high=3.0)
            attrs = {"label_smoothing": smoothing, "ignore_index": IGNORE if ignore is None else ignore, "reduction": reduction}
            rec.add("cross_entropy", inputs, lambda x, t, w=None: F.cross_entropy(x, t, w, **attrs), attrs, constants=("weight",))
    far = torch.tensor([[1e4, 0.0, -1e4], [-1e4, 1e4, 1e4], [90.0, 89.0, 0.5]])
    for shape_name, x in (("one row", rec.randn(1, 7)), ("two classes", rec.randn(33, 2)), ("ten classes", rec.randn(64, 10)), ("far", far)):
        attrs = {"label_smoothing": 0.0, "ignore_index": IGNORE, "reduction": "mean", "note": shape_name}
        inputs = {"x": x, "targets": rec.randint(x.shape[1], (x.shape[0],))}
        rec.add("cross_entropy", inputs, F.cross_entropy, attrs)


def negative_log_likelihoods(rec):
    """Log-probabilities and class indices."""
    for weighted, ignore, reduction in itertools.product((False, True), (False, True), REDUCTIONS):
        inputs = {"x": rec.randn(7, 4).log_softmax(1), "targets": rec.randint(4, (7,))}
        if ignore:
            inputs["targets"][[0, 3]] = IGNORE
        if weighted:
            inputs["weight"] = rec.rand(4, low=0.2, high=3.0)
        attrs = {"ignore_index": IGNORE, "reduction": reduction}
        rec.add("nll", inputs, lambda x, t, w=None: F.nll_loss(x, t, w, **attrs), attrs, constants=("weight",))


def binary_cross_entropies(rec):
    """Logits and targets in [0, 1], with element weights and weights of the positive class."""
    for weighted, positive, reduction in itertools.product((False, True), (False, True), REDUCTIONS):
        inputs = {"x": rec.randn(6, 5, scale=3.0), "targets": rec.rand(6, 5)}
        inputs["targets"][:3] = inputs["targets"][:3].round()
        if weighted:
            inputs["weight"] = rec.rand(6, 5, low=0.1, high=2.0)
        if positive:
            inputs["pos_weight"] = rec.rand(5, low=0.3, high=4.0)
        names = list(inputs)[2:]

        def loss(x, targets, *weights):
            return F.binary_cross_entropy_with_logits(x, targets, reduction=reduction, **dict(zip(names, weights)))

        rec.add("bce_with_logits", inputs, loss, {"reduction": reduction}, constants=("targets", *names))
    inputs = {"x": torch.tensor([-100.0, -50.0, 0.0, 50.0, 100.0]), "targets": torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])}
    rec.add("bce_with_logits", inputs, lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"),
            {"reduction": "none"}, constants=("targets",))


def distances(rec):
    """Squared, absolute, Huber and smooth absolute error; some differences are exactly zero or exactly delta."""
    losses = [("mse", F.mse_loss, {}), ("mae", F.l1_loss, {}), ("huber", F.huber_loss, {"delta": 1.0}),
              ("huber", F.huber_loss, {"delta": 0.5}), ("huber", F.huber_loss, {"delta": 2.5}),
              ("smooth_l1", F.smooth_l1_loss, {"beta": 1.0}), ("smooth_l1", F.smooth_l1_loss, {"beta": 0.25})]
    for (op, function, options), reduction in itertools.product(losses, REDUCTIONS):
        attrs = options | {"reduction": reduction}
        inputs = {"x": rec.randn(7, 5, scale=1.5), "targets": rec.randn(7, 5)}
        inputs["x"][0, :2] = inputs["targets"][0, :2]
        inputs["x"][1, 0], inputs["targets"][1, 0] = 1.5, 0.5
        rec.add(op, inputs, lambda x, t: function(x, t, **attrs), attrs, constants=("targets",))


def divergences(rec):
    """Kullback-Leibler: x holds log-probabilities; the targets probabilities (zero allowed) or their logarithms.

    `mean` divides by the number of elements, as torch does today while it warns that this will change.
    """
    for log_target, reduction in itertools.product((False, True), (*REDUCTIONS, "batchmean")):
        probabilities = rec.randn(6, 5).softmax(1)
        if not log_target:
            probabilities[2] = torch.tensor([0.0, 0.25, 0.0, 0.75, 0.0])
        inputs = {"x": rec.randn(6, 5).log_softmax(1), "targets": probabilities.log() if log_target else probabilities}
        attrs = {"log_target": log_target, "reduction": reduction}
        rec.add("kl_div", inputs, lambda x, t: F.kl_div(x, t, **attrs), attrs, constants=("targets",))


def main():
    rec = Recorder(seed=13)
    for record in (cross_entropies, negative_log_likelihoods, binary_cross_entropies, distances, divergences):
        record(rec)
    rec.save("losses.safetensors")


if __name__ == "__main__":
    main()
