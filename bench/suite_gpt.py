"""Training language models: forward, backward and AdamW, gradus and PyTorch, in tokens a second.

Started by `bench/run gpt`, which prepares the environment; see README.md for what is compared with what.
"""

import argparse
import pathlib

import gpt_torch
import machine
import report
from contest import CommandContender, Peer, PeerContender
from report import OURS, Workload

BUILT = pathlib.Path("target/bench")


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run gpt", description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default="S,M,L", help="of S, M, L, LlamaM (default S,M,L)")
    parser.add_argument("--precisions", default="f32,bf16", help="f32, bf16 or both (default both)")
    parser.add_argument("--quick", action="store_true", help="PyTorch's best modes as shipped only, 3 repeats")
    parser.add_argument("--peers-only", action="store_true", help="leave gradus out")
    parser.add_argument("--repeats", type=int, help="timed repeats of each contender (default 5)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gradus", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.repeats = args.repeats or (3 if args.quick else 5)
    return args


def start_peers(args):
    """PyTorch as shipped, and with each of the two switches that change its float32 products."""
    def torch(precision, **environment):
        return Peer("peer_gpt.py", "--threads", str(args.threads), "--precision", precision, environment=environment)

    peers = {"PyTorch": torch("highest")}
    if args.quick or "f32" not in args.precisions:
        return peers
    peers["PyTorch, medium precision"] = torch("medium")
    library = machine.unlock(BUILT)
    if library:
        peers["PyTorch, MKL unlocked"] = torch("highest", LD_PRELOAD=str(library.resolve()))
    else:
        print("PyTorch with MKL unlocked is left out: that needs a C compiler")
    return peers


def flops_per_token(shape):
    """Products of forward and backward: six a weight, and those of attention as if it were not causal, as is the custom."""
    width, attention = shape.width, 12 * shape.layers * shape.width * shape.block
    mlp = 3 * (8 * width // 3) * width if shape.llama else 8 * width * width
    return 6 * (shape.layers * (4 * width * width + mlp) + shape.vocab * width) + attention


def contenders(args, peers, probe, shape, precision):
    found = []
    if not args.peers_only:
        command = [args.gradus, "bench", "train-gpt", "--shape", shape, "--precision", precision, "--threads", str(args.threads),
                   "--repeats", "1", "--json"]
        found.append(CommandContender(f"gradus {precision}", OURS, args.threads, command))
    for title, peer in peers.items():
        if precision == "bf16" and title != "PyTorch":
            continue  # the switches change float32 products alone
        for mode in ("eager", "compile"):
            if mode == "compile" and title == "PyTorch, medium precision":
                continue  # the same products as eager: what compiling gains is in the other rows
            job = {"shape": shape, "precision": precision, "mode": mode}
            found.append(PeerContender(f"{title}, {mode}", title, args.threads, peer, job))
    if probe:
        per_token = flops_per_token(gpt_torch.SHAPES[shape])
        found.append(machine.limit(probe, precision, per_token, args.threads, f"{per_token / 1e6:.1f} MFLOP a token at {precision} peak"))
    return found


def workloads(args, peers):
    probe = machine.probe(BUILT)
    if probe is None:
        print("the share of the machine's peak is left out: that needs a C compiler")
    for shape in args.shapes.split(","):
        for precision in args.precisions.split(","):
            size = gpt_torch.SHAPES[shape]
            title = (f"{shape}, {precision}: {size.layers} layers, {size.heads} heads, {size.width} wide, "
                     f"block {size.block}, batch {size.batch}, vocabulary {size.vocab}")
            yield Workload(title, contenders(args, peers, probe, shape, precision), "tokens/s", report.per_second)


def main():
    args = arguments()
    peers = start_peers(args)
    report.run("gpt-quick" if args.quick else "gpt", workloads(args, peers), list(peers.values()), args.repeats)


if __name__ == "__main__":
    main()
