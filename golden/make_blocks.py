"""Blocks of quantised weights, from the reference C code of ggml and from the `gguf` package.

`blocks.safetensors` holds `x`, weights of many kinds, and for each format the blocks that `quantize_row_*_ref` makes of
them and the weights that `dequantize_row_*` reads back. `noise.FORMAT` are blocks of random bytes with finite scales:
the reader must take anything.

The C source is compiled here without contraction (`-ffp-contract=off`), so that every product and sum is rounded, as
the source says; a build for a machine with fused multiply-add differs in single codes of the K formats. Where the
`gguf` package can do the same in Python, both must agree before anything is written.

    make_blocks.py LLAMA_CPP     # a checkout of llama.cpp
"""

import ctypes
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from golden_file import versions, write_tensors

FORMATS = ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K"]
# The formats whose quantiser the gguf package has.
IN_PYTHON = ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"]
# Where the half-precision numbers of a block lie: random bytes there would give infinities.
HALVES = {
    "q4_0": [0], "q4_1": [0, 2], "q5_0": [0], "q5_1": [0, 2], "q8_0": [0],
    "q2_K": [80, 82], "q3_K": [108], "q4_K": [0, 2], "q5_K": [0, 2], "q6_K": [208],
}
# What the quantisers never call but the linker wants.
STUBS = """
#include <stdlib.h>
void ggml_abort(const char * file, int line, const char * fmt, ...) { abort(); }
size_t ggml_row_size(enum ggml_type type, int64_t ne) { abort(); }
size_t ggml_type_size(enum ggml_type type) { abort(); }
const char * ggml_type_name(enum ggml_type type) { abort(); }
"""


def compile_reference(llama_cpp, folder):
    source = folder / "reference.c"
    source.write_text('#include "ggml-quants.c"\n' + STUBS)
    ggml = llama_cpp / "ggml"
    library = folder / "reference.so"
    flags = ["-O2", "-ffp-contract=off", "-DNDEBUG", "-shared", "-fPIC", f"-I{ggml}/include", f"-I{ggml}/src"]
    subprocess.run(["cc", *flags, source, "-o", library, "-lm"], check=True)
    return ctypes.CDLL(str(library))


def weights():
    """2048 weights: eight blocks of 256, each of another kind."""
    rng = np.random.default_rng(3)
    kinds = [
        rng.normal(0, 0.02, 256),
        rng.standard_t(2, 256),
        rng.uniform(0.5, 1.5, 256),
        -rng.exponential(1.0, 256),
        np.repeat([0.0, 3.0, -1.0, 0.25], 64),
        np.concatenate([np.zeros(128), rng.normal(0, 1, 128)]),
        rng.normal(0, 1, 256) * 10.0 ** rng.integers(-6, 3, 256),
        np.round(rng.normal(0, 4, 256)),
    ]
    return np.concatenate(kinds).astype(np.float32)


def quantized(library, fmt, x):
    ty = gguf.GGMLQuantizationType[fmt.upper()]
    block, size = gguf.GGML_QUANT_SIZES[ty]
    out = np.zeros(x.size // block * size, np.uint8)
    function = getattr(library, f"quantize_row_{fmt}_ref")
    function(x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(x.size))
    if fmt in IN_PYTHON:
        assert np.array_equal(out, gguf.quants.quantize(x, ty).reshape(-1)), fmt
    return out


def dequantized(library, fmt, blocks):
    ty = gguf.GGMLQuantizationType[fmt.upper()]
    block, size = gguf.GGML_QUANT_SIZES[ty]
    out = np.zeros(blocks.size // size * block, np.float32)
    function = getattr(library, f"dequantize_row_{fmt}")
    function(blocks.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(out.size))
    assert np.array_equal(out, gguf.quants.dequantize(blocks, ty).reshape(-1)), fmt
    return out


def noise(fmt):
    rng = np.random.default_rng(4)
    _, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[fmt.upper()]]
    blocks = rng.integers(0, 256, (6, size), np.uint8)
    for at in HALVES[fmt]:
        blocks[:, at : at + 2] = rng.normal(0, 1, 6).astype(np.float16).view(np.uint8).reshape(6, 2)
    return blocks.reshape(-1)


def main():
    if len(sys.argv) != 2:
        sys.exit("make_blocks.py: name a checkout of llama.cpp; blocks.safetensors stays as it is")
    with tempfile.TemporaryDirectory() as folder:
        library = compile_reference(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder))
        tensors = {"x": weights()}
        for fmt in FORMATS:
            name = fmt.lower()
            tensors[f"{name}.blocks"] = quantized(library, fmt, tensors["x"])
            tensors[f"{name}.weights"] = dequantized(library, fmt, tensors[f"{name}.blocks"])
            tensors[f"{name}.noise"] = noise(fmt)
            tensors[f"{name}.noise_weights"] = dequantized(library, fmt, tensors[f"{name}.noise"])
        write_tensors("blocks.safetensors", tensors, cases=[], made_with=versions(gguf=gguf_version()))


def gguf_version():
    from importlib.metadata import version

    return version("gguf")


if __name__ == "__main__":
    main()
