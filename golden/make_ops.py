#!/usr/bin/env python3
"""Write ops.safetensors: every tensor operation, forward and backward, on small odd shapes.

Ops carry gradus' method names; where PyTorch's differ, the functions below say what is meant. `attrs` give the
arguments, under PyTorch's names. Values are float32, indices int64, truth values uint8. See golden_file.py for the
layout, and for why answers are computed in float64.
"""

import torch
import torch.nn.functional as F

from golden_file import Recorder

BROADCASTS = [((5, 7), (5, 7)), ((5, 7), (7,)), ((3, 1, 4), (5, 1)), ((), (2, 3)), ((2, 3, 1, 5), (1, 4, 1)), ((1,), (1, 1))]
ACTIVATIONS = {
    "none": lambda x: x,
    "relu": torch.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def binary_ops(rec):
    """Arithmetic with broadcasting on either side; divisors stay away from zero."""
    ops = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}
    for op, function in ops.items():
        for left, right in BROADCASTS:
            y = rec.randn(*right)
            y = torch.where(y < 0, y - 0.5, y + 0.5) if op == "div" else y
            rec.add(op, {"x": rec.randn(*left), "y": y}, function)


def comparisons(rec):
    """Comparisons of small integers held as floats, so that equality happens."""
    for op in ("eq", "ne", "lt", "le", "gt", "ge"):
        for left, right in BROADCASTS[:3]:
            inputs = {"x": rec.randint(3, left).float(), "y": rec.randint(3, right).float()}
            rec.add(op, inputs, getattr(torch, op))


def unary_ops(rec):
    """Element-wise functions on ordinary values, then far out in their tails."""
    ops = {name: function for name, function in ACTIVATIONS.items() if name != "none"}
    ops |= {"neg": torch.neg, "abs": torch.abs, "exp": torch.exp}
    for op, function in ops.items():
        rec.add(op, {"x": rec.randn(5, 13, scale=2.0)}, function)
        rec.add(op, {"x": torch.tensor([-80.0, -30.0, -9.5, -5.25, -1e-4, 1e-4, 4.75, 8.5, 30.0, 80.0])}, function)
    positive = torch.tensor([1e-20, 1e-6, 0.1, 0.5, 0.99, 1.0, 1.01, 3.0, 1e3, 1e20])
    for op, function in {"log": torch.log, "sqrt": torch.sqrt}.items():
        rec.add(op, {"x": rec.rand(4, 7, low=0.05, high=9.0)}, function)
        rec.add(op, {"x": positive}, function)


def scalar_ops(rec):
    """Operations with one plain number."""
    for scalar in (2.5, -0.75):
        rec.add("add_scalar", {"x": rec.randn(3, 5)}, lambda x: x + scalar, {"scalar": scalar})
        rec.add("mul_scalar", {"x": rec.randn(3, 5)}, lambda x: x * scalar, {"scalar": scalar})
    for exponent in (2.0, 3.0, 0.5, -1.0, 1.7, 0.0, 1.0):
        x = rec.rand(3, 7, low=0.2, high=3.0)
        rec.add("pow", {"x": x}, lambda x: x**exponent, {"exponent": exponent})
    for exponent in (2.0, 3.0, -2.0):  # whole exponents also take negative bases
        x = rec.randn(11) - 0.1
        rec.add("pow", {"x": x}, lambda x: x**exponent, {"exponent": exponent})
    for low, high in ((-0.5, 0.75), (0.0, 6.0)):
        attrs = {"min": low, "max": high}
        rec.add("clamp", {"x": rec.randn(6, 5)}, lambda x: x.clamp(low, high), attrs)


def where_cond(rec):
    """Selection by a truth value, everything broadcast."""
    for cond, left, right in (((4, 5), (4, 5), (4, 5)), ((4, 1), (5,), (1, 5)), ((3,), (2, 1, 3), ())):
        inputs = {"cond": rec.randint(2, cond).to(torch.uint8), "x": rec.randn(*left), "y": rec.randn(*right)}
        rec.add("where_cond", inputs, lambda cond, x, y: torch.where(cond.bool(), x, y))


def reductions(rec):
    """Sums, means and maxima; equal maxima give the gradient to the first of them."""
    for shape, dims in (((5, 7), [0]), ((5, 7), [1]), ((3, 4, 5), [1]), ((3, 4, 5), [0, 2]), ((2, 3, 4, 5), [-1, 1])):
        for keepdim in (False, True):
            attrs = {"dim": dims, "keepdim": keepdim}
            rec.add("sum", {"x": rec.randn(*shape)}, lambda x: x.sum(dims, keepdim), attrs)
            rec.add("mean", {"x": rec.randn(*shape)}, lambda x: x.mean(dims, keepdim), attrs)
    for shape in ((3, 5), (257,), ()):
        rec.add("sum_all", {"x": rec.randn(*shape)}, torch.sum)
        rec.add("mean_all", {"x": rec.randn(*shape)}, torch.mean)
    for shape, dim, keepdim in (((5, 7), 0, False), ((5, 7), 1, True), ((3, 4, 5), 1, False), ((2, 35), -1, False)):
        attrs = {"dim": dim, "keepdim": keepdim}
        rec.add("max", {"x": rec.randn(*shape)}, lambda x: x.max(dim, keepdim).values, attrs)
        rec.add("argmax", {"x": rec.randn(*shape)}, lambda x: x.argmax(dim, keepdim), attrs)
    ties = torch.tensor([[1.0, 3.0, 3.0, 2.0], [-1.0, -1.0, -1.0, -1.0], [0.0, 5.0, 4.0, 5.0]])
    attrs = {"dim": 1, "keepdim": False}
    rec.add("max", {"x": ties}, lambda x: x.max(1).values, attrs)
    rec.add("argmax", {"x": ties}, lambda x: x.argmax(1), attrs)


def softmaxes(rec):
    """Along each kind of axis, and with logits that overflow a naive exponential."""
    far = torch.tensor([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4], [90.0, 89.0, 0.5]])
    for op, function in {"softmax": F.softmax, "log_softmax": F.log_softmax}.items():
        for shape, dim in (((7, 10), 1), ((7, 10), 0), ((3, 5, 4), 1), ((2, 33), -1), ((9,), 0)):
            rec.add(op, {"x": rec.randn(*shape, scale=3.0)}, lambda x: function(x, dim), {"dim": dim})
        rec.add(op, {"x": far}, lambda x: function(x, 1), {"dim": 1})


def matmuls(rec):
    """Plain, batched, broadcast; then stored transposed: the op sees a strided view of x or y."""
    shapes = [((5, 7), (7, 3)), ((1, 9), (9, 1)), ((33, 17), (17, 19)), ((2, 5, 7), (2, 7, 3)), ((2, 5, 7), (7, 3)),
              ((5, 7), (4, 7, 3)), ((3, 1, 5, 7), (2, 7, 4)), ((2, 1, 1), (1, 1, 6))]
    for left, right in shapes:
        attrs = {"transpose_x": False, "transpose_y": False}
        rec.add("matmul", {"x": rec.randn(*left), "y": rec.randn(*right)}, torch.matmul, attrs)
    for tx, ty in ((True, False), (False, True), (True, True)):
        for batch in ((), (3,)):
            left, right = (*batch, 6, 5), (*batch, 5, 7)
            left = (*batch, 5, 6) if tx else left
            right = (*batch, 7, 5) if ty else right

            def product(x, y):
                return (x.transpose(-1, -2) if tx else x) @ (y.transpose(-1, -2) if ty else y)

            rec.add("matmul", {"x": rec.randn(*left), "y": rec.randn(*right)}, product, {"transpose_x": tx, "transpose_y": ty})


def linears(rec):
    """x·weightᵀ + bias and an activation; weight is [out, in]."""
    for name, activation in ACTIVATIONS.items():
        for shape, out_features in (((5, 7), 9), ((2, 3, 11), 4)):
            inputs = {"x": rec.randn(*shape), "weight": rec.randn(out_features, shape[-1]), "bias": rec.randn(out_features)}
            rec.add("linear", inputs, lambda x, weight, bias: activation(F.linear(x, weight, bias)), {"activation": name})
        inputs = {"x": rec.randn(1, 19), "weight": rec.randn(3, 19)}
        rec.add("linear", inputs, lambda x, weight: activation(F.linear(x, weight)), {"activation": name})


def convolutions(rec):
    """NCHW images, OIHW weights: every option alone, then together."""
    # x shape, out channels, kernel, stride, padding, dilation, groups, bias
    rows = [
        ((2, 3, 7, 6), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1, True),
        ((1, 3, 7, 6), 5, (3, 3), (1, 1), (1, 1), (1, 1), 1, False),
        ((2, 2, 9, 8), 3, (3, 2), (2, 1), (0, 1), (1, 1), 1, True),
        ((1, 2, 9, 10), 3, (3, 3), (1, 1), (2, 2), (2, 2), 1, True),
        ((2, 4, 6, 5), 6, (3, 3), (1, 1), (1, 1), (1, 1), 2, True),
        ((1, 5, 6, 7), 5, (3, 3), (1, 1), (1, 1), (1, 1), 5, False),
        ((1, 3, 5, 5), 6, (2, 2), (1, 1), (0, 0), (1, 1), 3, True),
        ((3, 5, 4, 3), 7, (1, 1), (1, 1), (0, 0), (1, 1), 1, True),
        ((2, 4, 7, 5), 3, (1, 1), (2, 2), (0, 0), (1, 1), 1, False),
        ((1, 1, 5, 4), 2, (5, 4), (1, 1), (0, 0), (1, 1), 1, True),
        ((1, 4, 11, 9), 6, (3, 2), (2, 3), (2, 1), (2, 3), 2, True),
        ((1, 1, 28, 28), 3, (5, 5), (1, 1), (2, 2), (1, 1), 1, True),
    ]
    for shape, out_channels, kernel, stride, padding, dilation, groups, bias in rows:
        inputs = {"x": rec.randn(*shape), "weight": rec.randn(out_channels, shape[1] // groups, *kernel)}
        if bias:
            inputs["bias"] = rec.randn(out_channels)
        attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        rec.add("conv2d", inputs, lambda x, weight, bias=None: F.conv2d(x, weight, bias, **attrs), attrs)


def poolings(rec):
    """Windows that overlap, skip, and hang over the padded edge; equal maxima credit the first."""
    rows = [((2, 3, 6, 8), (2, 2), (2, 2), (0, 0)), ((1, 2, 7, 5), (3, 2), (2, 1), (1, 1)), ((2, 1, 9, 9), (3, 3), (3, 3), (0, 0)),
            ((1, 3, 5, 7), (2, 3), (1, 2), (0, 1)), ((1, 1, 8, 7), (2, 2), (3, 3), (0, 0)), ((2, 2, 4, 5), (4, 5), (4, 5), (0, 0))]
    for shape, kernel, stride, padding in rows:
        attrs = {"kernel_size": kernel, "stride": stride, "padding": padding}
        rec.add("max_pool2d", {"x": rec.randn(*shape)}, lambda x: F.max_pool2d(x, kernel, stride, padding), attrs)
        # With PyTorch's default, zeros of the padding count in the mean.
        for counted in (True, False) if any(padding) else (True,):
            rec.add("avg_pool2d", {"x": rec.randn(*shape)},
                    lambda x: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=counted),
                    attrs | {"count_include_pad": counted})
    attrs = {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "dilation": (2, 2)}
    rec.add("max_pool2d", {"x": rec.randn(1, 2, 9, 8)}, lambda x: F.max_pool2d(x, **attrs), attrs)
    attrs = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0)}
    rec.add("max_pool2d", {"x": rec.randint(2, (1, 1, 6, 6)).float()}, lambda x: F.max_pool2d(x, **attrs), attrs)
    for size in ((1, 1), (2, 3), (4, 5)):
        rec.add("adaptive_avg_pool2d", {"x": rec.randn(2, 3, 7, 5)}, lambda x: F.adaptive_avg_pool2d(x, size), {"output_size": size})


def batch_norms(rec):
    """Training returns the new running statistics as well; evaluation uses the given ones."""
    for shape in ((6, 5), (4, 3, 5, 2), (2, 7, 1, 3)):
        channels = shape[1]
        for training, momentum, eps in ((True, 0.1, 1e-5), (True, 0.3, 1e-2), (False, 0.1, 1e-5)):
            inputs = {"x": rec.randn(*shape, scale=2.0) + 1.0, "weight": rec.randn(channels), "bias": rec.randn(channels),
                      "running_mean": rec.randn(channels), "running_var": rec.rand(channels, low=0.3, high=3.0)}

            def normalise(x, weight, bias, running_mean, running_var):
                mean, var = running_mean.clone(), running_var.clone()
                out = F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)
                return (out, mean, var) if training else out

            names = ("out", "new_running_mean", "new_running_var") if training else ("out",)
            rec.add("batch_norm", inputs, normalise, {"training": training, "momentum": momentum, "eps": eps},
                    constants=("running_mean", "running_var"), outputs=names)


def layer_norms(rec):
    """Over the last one or two axes, with and without an affine part, far from zero mean."""
    for shape, normalized, eps in (((5, 7), [7], 1e-5), ((2, 3, 33), [33], 1e-5), ((3, 4, 5), [4, 5], 1e-3), ((4, 2), [2], 1e-5)):
        attrs = {"normalized_shape": normalized, "eps": eps}
        x = rec.randn(*shape, scale=1.5) + 3.0
        inputs = {"x": x, "weight": rec.randn(*normalized), "bias": rec.randn(*normalized)}
        rec.add("layer_norm", inputs, lambda x, weight, bias: F.layer_norm(x, normalized, weight, bias, eps), attrs)
        rec.add("layer_norm", {"x": x}, lambda x: F.layer_norm(x, normalized, eps=eps), attrs)


def lookups(rec):
    """Reading by index: repeated indices add up their gradients."""
    for rows, width, shape in ((7, 5, (4,)), (3, 4, (2, 6)), (11, 1, (3, 2, 2))):
        inputs = {"weight": rec.randn(rows, width), "ids": rec.randint(rows, shape)}
        rec.add("embedding", inputs, lambda weight, ids: F.embedding(ids, weight))
    for shape, index_shape, dim in (((5, 7), (5, 3), 1), ((5, 7), (9, 7), 0), ((3, 4, 5), (2, 4, 4), 2)):
        inputs = {"x": rec.randn(*shape), "index": rec.randint(shape[dim], index_shape)}
        rec.add("gather", inputs, lambda x, index: x.gather(dim, index), {"dim": dim})
    for shape, count, dim in (((5, 7), 8, 0), ((5, 7), 3, 1), ((3, 4, 5), 6, -2)):
        inputs = {"x": rec.randn(*shape), "index": rec.randint(shape[dim], (count,))}
        rec.add("index_select", inputs, lambda x, index: x.index_select(dim, index), {"dim": dim})


def views(rec):
    """Rearrangements. Each result is multiplied by `scale`, so that the next op reads through the strides."""
    def add(op, shape, function, attrs):
        x = rec.randn(*shape)
        scale = rec.randn(*function(x).shape)
        rec.add(op, {"x": x, "scale": scale}, lambda x, scale: function(x) * scale, attrs)

    add("slice", (9, 4), lambda x: x[1:8:3], {"dim": 0, "start": 1, "end": 8, "step": 3})
    add("slice", (3, 7), lambda x: x[:, 2:7:2], {"dim": 1, "start": 2, "end": 7, "step": 2})
    add("narrow", (5, 6, 3), lambda x: x.narrow(1, 2, 3), {"dim": 1, "start": 2, "length": 3})
    add("permute", (2, 3, 5), lambda x: x.permute(2, 0, 1), {"dims": [2, 0, 1]})
    add("permute", (2, 3, 4, 5), lambda x: x.permute(0, 2, 3, 1), {"dims": [0, 2, 3, 1]})
    add("transpose", (3, 4, 5), lambda x: x.transpose(0, 2), {"dim0": 0, "dim1": 2})
    add("t", (3, 5), lambda x: x.t(), {})
    add("reshape", (4, 6), lambda x: x.reshape(3, 8), {"shape": [3, 8]})
    add("flatten", (2, 3, 4, 5), lambda x: x.flatten(1, 2), {"start_dim": 1, "end_dim": 2})
    add("broadcast_to", (3, 1), lambda x: x.broadcast_to(2, 3, 4), {"shape": [2, 3, 4]})
    add("squeeze", (3, 1, 4), lambda x: x.squeeze(1), {"dim": 1})
    add("unsqueeze", (3, 4), lambda x: x.unsqueeze(1), {"dim": 1})


def joins(rec):
    """Concatenation of unequal pieces, and stacking of equal ones."""
    for shapes, dim in ((((2, 3), (4, 3), (1, 3)), 0), (((3, 2), (3, 5)), 1), (((2, 3, 4), (2, 1, 4)), -2)):
        inputs = {f"x{i}": rec.randn(*shape) for i, shape in enumerate(shapes)}
        rec.add("cat", inputs, lambda *parts: torch.cat(parts, dim), {"dim": dim})
    for shape, count, dim in (((3, 4), 3, 0), ((3, 4), 2, 1), ((5,), 2, -1)):
        inputs = {f"x{i}": rec.randn(*shape) for i in range(count)}
        rec.add("stack", inputs, lambda *parts: torch.stack(parts, dim), {"dim": dim})


def main():
    rec = Recorder(seed=12)
    for record in (binary_ops, comparisons, unary_ops, scalar_ops, where_cond, reductions, softmaxes, matmuls, linears,
                   convolutions, poolings, batch_norms, layer_norms, lookups, views, joins):
        record(rec)
    rec.save("ops.safetensors")


if __name__ == "__main__":
    main()
