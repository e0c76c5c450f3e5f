"""How every golden file is laid out: named tensors, and a list of cases that says what they are.

A golden `.safetensors` file holds the tensors and, in its metadata, two JSON texts: `cases`, the list below,
and `made_with`, the versions of the libraries that computed the answers.

    {"name": "conv2d.3", "op": "conv2d", "attrs": {"stride": [2, 1], ...},
     "inputs": ["conv2d.3.x", "conv2d.3.weight"],
     "outputs": ["conv2d.3.out"],
     "upstream": ["conv2d.3.d_out"],
     "grads": ["conv2d.3.d_x", "conv2d.3.d_weight"]}

`upstream` is the gradient of the final scalar with respect to each output. `grads` are the gradients with respect
to the inputs of the same name. Both are empty where nothing is differentiable.

The answers of `Recorder.add` are computed in float64 from float32 inputs and then rounded once to float32. So a
test measures the error of the code under test alone, not the sum of two roundings.
"""

import json
import pathlib
import platform
import struct

import numpy as np
import torch
from safetensors.numpy import save

HERE = pathlib.Path(__file__).resolve().parent


def versions(**more):
    """The libraries behind a golden file, for the reader who wonders why a value moved."""
    return {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__, **more}


def to_numpy(tensor):
    """A contiguous array in a dtype that gradus stores: float64 becomes float32, bool becomes uint8."""
    array = tensor.detach().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    return np.ascontiguousarray(array)


def write_tensors(file_name, tensors, **metadata):
    """Write a safetensors file beside the scripts; every metadata value becomes one JSON text."""
    texts = {key: json.dumps(value, separators=(",", ":")) for key, value in metadata.items()}
    path = HERE / file_name
    path.write_bytes(with_sorted_header(save(tensors, metadata=texts)))
    print(f"{file_name}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")


def with_sorted_header(blob):
    """The same safetensors file with its header keys in order: the library's metadata order changes from run to run,
    and a golden file should only change when a value does."""
    (size,) = struct.unpack("<Q", blob[:8])
    header = json.dumps(json.loads(blob[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the format wants the tensors aligned to 8 bytes
    return struct.pack("<Q", len(header)) + header + blob[8 + size :]


def write_json(file_name, document):
    """Write a JSON file beside the scripts, one case a line so that a diff shows which case moved."""
    cases = ",\n".join("  " + json.dumps(case) for case in document.pop("cases"))
    head = ",\n".join(f' "{key}": {json.dumps(value)}' for key, value in document.items())
    path = HERE / file_name
    path.write_text(f'{{\n{head},\n "cases": [\n{cases}\n ]\n}}\n')
    print(f"{file_name}: {path.stat().st_size:,} bytes")


class Recorder:
    """Collects cases of operations, runs them forward and backward, and writes them to one file."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.cases = []
        self.tensors = {}
        self.counts = {}

    def randn(self, *shape, scale=1.0):
        """Standard normal values times `scale`, as float32."""
        return torch.randn(shape, generator=self.generator) * scale

    def rand(self, *shape, low=0.0, high=1.0):
        """Uniform values in [low, high), as float32."""
        return torch.rand(shape, generator=self.generator) * (high - low) + low

    def randint(self, high, shape):
        """Uniform integers in [0, high), as int64."""
        return torch.randint(high, shape, generator=self.generator)

    def add(self, op, inputs, compute, attrs=None, *, constants=(), outputs=("out",)):
        """Record one case of `op`.

        `inputs` maps names to tensors; `compute` gets them in that order, floats widened to float64. `compute` returns one
        tensor or a tuple of them, named by `outputs`. Float inputs get a gradient unless they are in `constants`;
        outputs that do not depend on them (comparisons, running statistics) get no upstream gradient.
        """
        name = f"{op}.{self.counts.get(op, 0)}"
        self.counts[op] = self.counts.get(op, 0) + 1
        wide = {key: self._widen(value, key not in constants) for key, value in inputs.items()}
        results = compute(*wide.values())
        results = results if isinstance(results, tuple) else (results,)
        case = {"name": name, "op": op, "attrs": attrs or {}}
        case["inputs"] = [self._store(name, key, value) for key, value in inputs.items()]
        case["outputs"] = [self._store(name, key, value) for key, value in zip(outputs, results, strict=True)]
        case["upstream"], case["grads"] = self._backward(name, wide, dict(zip(outputs, results)))
        self.cases.append(case)

    def save(self, file_name):
        """Write all cases."""
        write_tensors(file_name, self.tensors, cases=self.cases, made_with=versions())

    def _widen(self, tensor, tracked):
        """The float64 leaf that stands for a float input; other dtypes pass through."""
        return tensor.double().requires_grad_(tracked) if tensor.is_floating_point() else tensor

    def _store(self, case, key, tensor):
        self.tensors[f"{case}.{key}"] = to_numpy(tensor)
        return f"{case}.{key}"

    def _backward(self, case, leaves, results):
        """Differentiate the tracked outputs and return the stored keys of the upstream and input gradients."""
        tracked = {key: value for key, value in results.items() if value.requires_grad}
        if not tracked:
            return [], []
        # Rounded to float32 first: the file must hold the very gradient that was sent back.
        upstream = {key: self.randn(*value.shape) for key, value in tracked.items()}
        torch.autograd.backward(list(tracked.values()), [upstream[key].double() for key in tracked])
        stored = [self._store(case, f"d_{key}", value) for key, value in upstream.items()]
        differentiable = {key: value for key, value in leaves.items() if value.requires_grad}
        return stored, [self._store(case, f"d_{key}", value.grad) for key, value in differentiable.items()]
