"""What the machine could do at most: machine.c, compiled with the C compiler that is there."""

import contextlib
import os
import pathlib
import shutil
import subprocess

from contest import CommandContender
from report import LIMIT

HERE = pathlib.Path(__file__).resolve().parent
# Says to MKL, through the dynamic linker, that it runs on a processor of its own maker, so that PyTorch gets its AVX-512 path.
UNLOCK = "int mkl_serv_intel_cpu_true(void) { return 1; }\nint mkl_serv_intel_cpu(void) { return 1; }\n"


def compiler():
    """The first C compiler on the path, or None."""
    return next((found for found in map(shutil.which, ("gcc", "clang", "cc")) if found), None)


def built(folder, name, source, *options):
    """Compile C `source` (a path or a text) into `folder` and return the file, or None where that is impossible."""
    if compiler() is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    out, text = folder / name, isinstance(source, str)
    command = [compiler(), "-O3", *options, "-o", str(out), *(["-x", "c", "-"] if text else [str(source)])]
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(command, check=True, capture_output=True, text=True, input=source if text else None)
        return out
    return None


def probe(folder):
    """The program that measures the machine's limits, or None."""
    return built(folder, "machine", HERE / "machine.c", "-march=native", "-fopenmp")


def unlock(folder):
    """The library to preload before PyTorch, or None."""
    return built(folder, "libunlock.so", UNLOCK, "-shared", "-fPIC")


def limit(program, what, per_unit, threads, name):
    """A row that says how many units a second the machine's peak would allow, at `per_unit` operations or bytes a unit."""
    def seconds_of(printed):
        return per_unit / float(printed)

    command = ["env", f"OMP_NUM_THREADS={threads}", f"OMP_PROC_BIND={'true' if threads == os.cpu_count() else 'false'}", str(program), what]
    return CommandContender(name, LIMIT, threads, command, seconds_of)
